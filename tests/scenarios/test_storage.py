"""A disk that takes nothing any more: charging goes on, the fault is shown, and nothing is lost once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from agent.bench.csms import BenchCsms

from .conftest import Install


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    with TemporaryDirectory(prefix="evse-agent-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", name]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:  # noqa: S603 - fixed arguments
            pytest.skip("a small tmpfs cannot be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)  # noqa: S603, S607 - fixed arguments


def fill(disk: Path) -> Path:
    """Not a byte is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


async def test_charging_goes_on_with_a_full_disk(csms: BenchCsms, install: Install, small_disk: Path) -> None:
    site = await install(directory=small_disk, keys={"MeterValueSampleInterval": 1})
    await site.agent.wait_registered()
    ballast = fill(small_disk)
    start = await site.charge()
    await site.shows(0, "Available", errorCode="InternalError", vendorErrorCode="StorageFailure")
    assert not (await site.agent.status())["queue"]["durable"]
    for _ in range(2):
        await site.wait_for("MeterValues", transactionId=site.transaction_id(start))
    ballast.unlink()
    await site.shows(0, "Available", errorCode="NoError", timeout_s=40)
    assert (await site.agent.status())["queue"]["durable"]
    await site.agent.kill()
    await site.agent.start()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="PowerLoss")
    csms.ledger.assert_clean()
