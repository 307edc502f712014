"""The drivers of docs/writing-a-driver.md, taken from the page and run as a maker would install them.

The relay is also held to the contract of its role, in tests/contract.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hal import (
    Board,
    BoardConfigError,
    BoardSpec,
    ContactorSignal,
    DeviceResponse,
    DeviceTimeout,
    DeviceUnavailable,
    EvseHardware,
    EvseSpec,
    FaultCode,
    Interlocked,
    PartSpec,
    PilotSignal,
    PilotState,
    Signal,
    Timing,
)

from ..contract.guide import METER, RELAY, blocks
from .observing import active_faults, eventually


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples as an installed distribution."""
    (tmp_path / "acme_lm1.py").write_text(blocks("python")[METER])
    (tmp_path / "acme_relay.py").write_text(blocks("python")[RELAY])
    ((group, entries),) = tomllib.loads(blocks("toml")[0])["project"]["entry-points"].items()
    entries["acme_relay"] = "acme_relay:DRIVER"
    info = tmp_path / "acme_lm1-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-lm1\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = {target}" for name, target in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    for module in ("acme_lm1", "acme_relay"):
        monkeypatch.delitem(sys.modules, module, raising=False)


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


class TestRelay:
    @pytest.fixture
    async def charging(self, installed: None, tmp_path: Path) -> AsyncIterator[tuple[EvseHardware, Path, list[Signal]]]:  # noqa: ARG002 - found by name
        """An EVSE that charges through the relay, the relay's feedback, and what is reported."""
        coil, feedback, signals = tmp_path / "coil", tmp_path / "feedback", list[Signal]()
        coil.write_text("0")
        feedback.symlink_to(coil)
        part = tomllib.loads(blocks("toml")[2])["evse"]["contactor"]
        options = dict(zip(part["options"], (str(coil), str(feedback)), strict=True))
        evse = EvseSpec(1, ("cType2",), 32.0, 3, "mock", parts={"contactor": PartSpec(part["driver"], options)})
        timing = Timing(probe_interval_s=0.05)
        spec = BoardSpec((evse,), state_dir=tmp_path, hal_options={"mock": {"control": ""}}, timing=timing)
        board = await Board.open(spec, signals.append)
        board.evses[1].receive(PilotSignal(1, PilotState.C))
        await board.evses[1].close_contactor()
        assert coil.read_text() == "1"
        yield board.evses[1], feedback, signals
        await board.close()
        assert coil.read_text() == "0"

    async def test_contacts_that_fall_open_are_noticed(
        self, charging: tuple[EvseHardware, Path, list[Signal]], tmp_path: Path
    ) -> None:
        evse, feedback, signals = charging
        feedback.unlink()
        feedback.write_text("0")
        await eventually(lambda: (1, FaultCode.POWER_SWITCH_FAILURE, "ContactorNotClosed") in active_faults(signals))
        assert ContactorSignal(1, False) in signals
        await eventually(lambda: (tmp_path / "coil").read_text() == "0")
        await eventually(lambda: not active_faults(signals))
        assert evse.state().contactor_closed is False

    async def test_a_lost_feedback_opens_it(
        self, charging: tuple[EvseHardware, Path, list[Signal]], tmp_path: Path
    ) -> None:
        evse, feedback, signals = charging
        feedback.unlink()
        await eventually(lambda: (1, FaultCode.POWER_SWITCH_FAILURE, "FeedbackLost") in active_faults(signals))
        await eventually(lambda: (tmp_path / "coil").read_text() == "0")
        with pytest.raises(Interlocked):
            await evse.close_contactor()
        feedback.symlink_to(tmp_path / "coil")
        await eventually(lambda: not active_faults(signals))
        await evse.close_contactor()
