"""The client of the mock's control socket, on a real mock."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from inspect import signature
from pathlib import Path

import pytest

from agent.bench.mock_client import MockClient, MockRefusedError
from agent.bench.station_files import MOCK_SOCKET, configuration, write_configuration
from agent.cli import main
from hal.drivers.mock import MockStation
from hal.drivers.mock.requests import OPERATIONS
from hal.signals import TokenSignal


async def test_it_sends_what_people_do_and_sees_what_comes_of_it(tmp_path: Path) -> None:
    mock = MockClient(tmp_path / "mock.sock")
    async with MockStation(evses=2, control=tmp_path / "mock.sock"):
        assert (await mock.evse())["pilot"] == "A"
        waiting = asyncio.create_task(mock.wait_until(lambda evse: evse["pilot"] == "B", evse=2))
        await mock.op("plug_in", evse=2)
        assert (await waiting)["cable"] == "connected"
        assert [evse["pilot"] for evse in (await mock.state())["evses"]] == ["A", "B"]


async def test_a_refusal_is_raised_with_its_reason(tmp_path: Path) -> None:
    async with MockStation(control=tmp_path / "mock.sock"):
        with pytest.raises(MockRefusedError, match="evse"):
            await MockClient(tmp_path / "mock.sock").op("plug_in", evse=7)


async def test_waiting_in_vain_shows_the_last_state(tmp_path: Path) -> None:
    async with MockStation(control=tmp_path / "mock.sock"):
        with pytest.raises(AssertionError, match="'pilot': 'A'"):
            await MockClient(tmp_path / "mock.sock").wait_until(lambda evse: evse["pilot"] == "F", timeout_s=0.3)


async def test_it_waits_for_a_socket_that_is_not_there_yet(tmp_path: Path) -> None:
    asking = asyncio.create_task(MockClient(tmp_path / "mock.sock").state())
    await asyncio.sleep(0.03)
    async with MockStation(control=tmp_path / "mock.sock"):
        assert (await asking)["ok"]


async def test_each_operation_is_a_method_of_the_same_shape(tmp_path: Path) -> None:
    mock = MockClient(tmp_path / "mock.sock")
    async with MockStation(evses=2, connectors=("sType2",), control=tmp_path / "mock.sock") as hardware:
        await mock.plug_in(2, current=16, phases=1, ready_after=None)
        assert (await mock.evse(2))["pilot"] == "B"
        await mock.pause(2)
        await mock.resume(2)
        await mock.plug_out(2, side="car")
        assert (await mock.evse(2))["cable"] == "connected"
        await mock.plug_out(2)
        await mock.swipe(12345678, type="Local", evse=2)
        assert [signal.value for signal in hardware.signals if isinstance(signal, TokenSignal)] == ["12345678"]
        await mock.fault(2, "GroundFailure", vendor_code="7")
        assert (await mock.evse(2))["faults"] == ["GroundFailure"]
        await mock.clear_fault(2, "GroundFailure")
        await mock.set_meter(1, energy=1234.0, power=None)
        assert (await mock.evse())["energy"] == 1234.0
        await mock.weld(1)
        await mock.weld(1, stuck=False)
        await mock.fail("meter", 1, "timeout")
        await mock.fail("meter")
        await mock.tamper(True)
        await mock.emergency_stop(True)
        assert (hardware.enclosure_open, hardware.stop_pressed) == (True, True)
        assert (await mock.evse(2))["faults"] == []


@pytest.mark.parametrize("operation", sorted(OPERATIONS.keys() - {"watch", "state", "firmware", "set_meter"}))
def test_it_takes_what_the_mock_takes(operation: str) -> None:
    mine, theirs = (
        [(each.name, each.default) for each in signature(getattr(owner, operation)).parameters.values()]
        for owner in (MockClient, MockStation)
    )
    assert mine == theirs


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (["swipe", "token=12345678"], {"op": "swipe", "token": "12345678"}),
        (["swipe", "token=true", "evse=2"], {"op": "swipe", "token": "true", "evse": 2}),
        (
            ["fault", "error=OtherError", "vendor_code=17", "info=1.0"],
            {"op": "fault", "error": "OtherError", "vendor_code": "17", "info": "1.0"},
        ),
        (["plug_in", "ready_after=null", "current=7.5"], {"op": "plug_in", "ready_after": None, "current": 7.5}),
    ],
)
def test_what_a_person_types_is_what_the_mock_gets(
    tmp_path: Path, words: list[str], request_: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    write_configuration(tmp_path / "config.toml", configuration("ws://127.0.0.1:1"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / MOCK_SOCKET))
        listener.listen()
        got: list[object] = []

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as lines:
                got.append(json.loads(lines.readline()))
                connection.sendall(b'{"ok": true}\n')

        mock = threading.Thread(target=answer)
        mock.start()
        places = ["--config", str(tmp_path / "config.toml"), "--state-dir", str(tmp_path)]
        assert main(["mock", *places, *words]) == 0
        mock.join()
    assert got == [request_]
    assert capsys.readouterr().out == '{"ok": true}\n'


def test_help_lists_every_operation_with_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["mock", "--help"])
    lines = capsys.readouterr().out.partition("operations and their keys:\n")[2].partition("\n\n")[0].splitlines()
    assert {line.split()[0] for line in lines} == OPERATIONS.keys()
    assert "  swipe           token [type] [evse]" in lines
