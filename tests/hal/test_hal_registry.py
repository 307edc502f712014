"""Drivers by name."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from hal import BoardConfigError, registry


async def test_built_in_drivers_need_no_search_through_installed_packages() -> None:
    program = (
        "import sys; from hal import registry; registry.find('mock', ''); print('importlib.metadata' in sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    assert said == b"False\n"


def test_a_driver_of_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "acme = acme_driver:DRIVER")
    (tmp_path / "acme_driver.py").write_text("DRIVER = 'the driver'\n")
    assert str(registry.find("acme", "evse 1")) == "the driver"


@pytest.mark.parametrize("target", ["no_such_module_at_all:DRIVER", "json:NO_SUCH_NAME"])
def test_one_that_cannot_be_loaded_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    install(tmp_path, monkeypatch, f"broken = {target}")
    with pytest.raises(BoardConfigError, match=r"evse 1: driver 'broken'.*cannot be loaded"):
        registry.find("broken", "evse 1")


def test_an_unknown_name_brings_the_nearest_known() -> None:
    with pytest.raises(BoardConfigError, match="evse 2: no driver 'moc'; did you mean 'mock'"):
        registry.find("moc", "evse 2")


def install(path: Path, monkeypatch: pytest.MonkeyPatch, entry_point: str) -> None:
    """Put a distribution with this entry point where Python looks for them."""
    info = path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINT_GROUP}]\n{entry_point}\n")
    monkeypatch.syspath_prepend(str(path))
