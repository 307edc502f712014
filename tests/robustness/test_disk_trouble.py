"""The state directory is full, or read-only, at each phase: charging goes on, and the bill is right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from .rig import FIRST_WH, PATIENCE_S, Rig, at_most, judge, rig
from .small_disk import SmallDisk, small_disk

PHASES = ("before the first start", "before the driver comes", "while the car charges", "before the driver leaves")


@asynccontextmanager
async def rig_on_a_small_disk(**options: Any) -> AsyncIterator[tuple[Rig, SmallDisk]]:
    async with rig(**options) as bench:
        with small_disk(bench.agent.state_dir) as disk:
            bench.set_register()
            try:
                yield bench, disk
            finally:
                if bench.agent.running:
                    await bench.agent.kill()


async def shows_storage_failure(bench: Rig) -> None:
    await bench.expect("StatusNotification", connectorId=0, errorCode="InternalError", vendorErrorCode="StorageFailure")
    assert not (await bench.agent.status())["queue"]["durable"]


@pytest.mark.timeout(120)
async def test_the_disk_is_full() -> None:
    """At each phase; all at once, since the station tries only now and then whether there is room again."""
    failures = await at_most(len(PHASES), *(full_disk(phase) for phase in PHASES))
    assert not failures, "\n\n".join(failures)


async def full_disk(phase: str) -> None:
    async with rig_on_a_small_disk() as (bench, disk):

        def now(this: str) -> None:
            if this == phase:
                disk.fill()

        now("before the first start")
        await bench.agent.start()
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.settled()
        now("before the driver comes")
        await bench.plug_and_swipe()
        await bench.expect("MeterValues")
        now("while the car charges")
        await bench.expect("MeterValues")
        now("before the driver leaves")
        await bench.swipe_and_leave()
        await bench.expect("StopTransaction")
        await bench.settled()
        await shows_storage_failure(bench)

        disk.free()
        if phase != "before the first start":  # a store in memory stays there until the next start
            await bench.agent.wait_for_status(lambda status: status["queue"]["durable"], 2 * PATIENCE_S)
        await bench.short_session()
        await bench.agent.kill()
        await bench.agent.start()
        await bench.settled()
        assert (await bench.agent.status())["queue"]["durable"]
        await bench.short_session()
        register_wh = await bench.energy_wh()
        await bench.agent.stop()
        judge(bench)
        assert [transaction.stop_reason for transaction in bench.transactions] == ["Local"] * 3
        assert bench.csms.ledger.energy_wh == pytest.approx(register_wh - FIRST_WH, abs=3)


async def test_the_power_goes_while_the_disk_is_full() -> None:
    """The session was durable: it ends once, with what was known for good when the disk was filled."""
    async with rig_on_a_small_disk() as (bench, disk):
        await bench.agent.start()
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.plug_and_swipe()
        await bench.expect("MeterValues")
        await bench.settled()
        disk.fill()
        await shows_storage_failure(bench)
        await bench.agent.kill()
        disk.free()
        await bench.agent.start()
        await bench.settled()
        await bench.short_session()
        await bench.agent.stop()
        # What the CSMS heard meanwhile is more than what was kept.
        assert all("energy fell" in each or "time went back" in each for each in bench.csms.ledger.complaints)
        interrupted, last = bench.transactions
        assert interrupted.stop is not None
        assert (interrupted.stop_reason, last.stop_reason) == ("PowerLoss", "Local")
        assert FIRST_WH < interrupted.stop.energy_wh <= last.start.energy_wh


async def test_an_offline_session_on_a_full_disk() -> None:
    """It is in memory only, and told when the CSMS is back; the disk may be full for as long as it likes."""
    async with rig_on_a_small_disk() as (bench, disk):
        await bench.agent.start()
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.settled()
        disk.fill()
        await bench.csms_goes()
        await bench.plug_and_swipe()
        await bench.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
        await bench.swipe_and_leave()
        await bench.csms_comes()
        await bench.expect("StopTransaction")
        await bench.settled()
        disk.free()
        await bench.short_session()
        await bench.agent.restart()
        await bench.settled()
        await bench.agent.stop()
        judge(bench)
        assert len(bench.transactions) == 2


async def test_the_disk_has_become_read_only() -> None:
    """As a file system does whose flash is worn out: the station starts, works from memory, and says so."""
    with TemporaryDirectory(prefix="evse-agent-") as name:
        async with rig_on_a_small_disk(mock_control=Path(name) / "mock.sock") as (bench, disk):
            await bench.agent.start()
            await bench.expect("StatusNotification", connectorId=1, status="Available")
            await bench.settled()
            await bench.agent.stop()
            disk.set_writable(False)
            await bench.agent.start()
            await bench.expect("StatusNotification", connectorId=0, vendorErrorCode="StorageFailure")
            await bench.plug_and_swipe()
            await bench.expect("MeterValues")
            await bench.swipe_and_leave()
            await bench.expect("StopTransaction")
            await bench.expect("StatusNotification", connectorId=1, status="Available")
            await bench.agent.stop()
            judge(bench)
