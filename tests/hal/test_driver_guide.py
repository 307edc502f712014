"""The driver of docs/writing-a-driver.md, taken from the page and run."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hal import (
    Board,
    BoardConfigError,
    BoardSpec,
    DeviceResponse,
    DeviceTimeout,
    DeviceUnavailable,
    EvseHardware,
    EvseSpec,
    PartSpec,
)

GUIDE = Path(__file__).parents[2] / "docs" / "writing-a-driver.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example as an installed distribution."""
    (tmp_path / "acme_lm1.py").write_text(blocks("python")[0])
    ((group, entries),) = tomllib.loads(blocks("toml")[0])["project"]["entry-points"].items()
    info = tmp_path / "acme_lm1-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-lm1\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = {target}" for name, target in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "acme_lm1", raising=False)


class Lm1:
    """The meter's side of the wire."""

    def __init__(self) -> None:
        self.answer: bytes | None = b"12345.678 7.36\r\n"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readline()
        if request == b"READ\r\n" and self.answer is not None:
            writer.write(self.answer)
        await reader.read()  # until the other side has had enough
        writer.close()


@pytest.fixture
async def meter() -> AsyncIterator[Lm1]:
    meter = Lm1()
    server = await asyncio.start_server(meter.serve, "127.0.0.1", 0)
    meter.port = server.sockets[0].getsockname()[1]
    yield meter
    server.close()


def spec(tmp_path: Path, change: Callable[[dict[str, object]], object]) -> BoardSpec:
    """The configuration of the page, with its options changed."""
    table = tomllib.loads(blocks("toml")[1])["evse"][0]
    part = table["meter"]
    change(part["options"])
    evse = EvseSpec(
        table["id"],
        tuple(table["connectors"]),
        table["max_current"],
        table["phases"],
        table["driver"],
        parts={"meter": PartSpec(part["driver"], part["options"])},
    )
    return BoardSpec((evse,), state_dir=tmp_path, hal_options={"mock": {"control": ""}})


@pytest.fixture
async def evse(installed: None, meter: Lm1, tmp_path: Path) -> AsyncIterator[EvseHardware]:  # noqa: ARG001 - found by name
    board = await Board.open(spec(tmp_path, lambda options: options.update(port=meter.port)), lambda _: None)
    yield board.evses[1]
    await board.close()


async def test_it_reads(evse: EvseHardware) -> None:
    reading = await evse.read_meter()
    assert reading.energy_import_wh == pytest.approx(12_345_678)
    assert reading.power_import_w == pytest.approx(7360)
    assert evse.measurands == {"Energy.Active.Import.Register", "Power.Active.Import"}


@pytest.mark.parametrize("answer", [b"ERR 3\r\n", b"\r\n", b"12.0\r\n", b"\xff\xfe 1\r\n", b"9" * 5000])
async def test_nonsense_is_no_reading(evse: EvseHardware, meter: Lm1, answer: bytes) -> None:
    meter.answer = answer
    with pytest.raises(DeviceResponse):
        await evse.read_meter()


async def test_silence_ends_in_time(evse: EvseHardware, meter: Lm1) -> None:
    meter.answer = None
    with pytest.raises(DeviceTimeout):
        await evse.read_meter()


@pytest.mark.usefixtures("installed")
async def test_a_meter_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    board = await Board.open(spec(tmp_path, lambda options: options.update(port=1)), lambda _: None)
    with pytest.raises(DeviceUnavailable):
        await board.evses[1].read_meter()
    await board.close()


@pytest.mark.usefixtures("installed")
def test_its_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(BoardConfigError, match="evse 1, meter: option 'host' is missing; it takes a string"):
        Board(spec(tmp_path, lambda options: options.pop("host")), lambda _: None)
