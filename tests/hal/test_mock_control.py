"""The control socket, over a real Unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from hal import BoardConfigError, FaultCode, FaultSignal, PilotState
from hal.drivers.mock import MockStation
from hal.drivers.mock.requests import MAX_LINE_BYTES
from hal.drivers.mock.socket_path import connect, reachable


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def at(cls, path: Path) -> Client:
        with reachable(path) as address:
            return cls(*await asyncio.open_unix_connection(address))

    async def ask(self, **request: object) -> dict[str, Any]:
        return await self.ask_raw(json.dumps(request).encode() + b"\n")

    async def ask_raw(self, data: bytes) -> dict[str, Any]:
        self._writer.write(data)
        return await self.next()

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            line = await self._reader.readline()
        assert line.endswith(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@pytest.fixture
async def hw(tmp_path: Path) -> AsyncIterator[MockStation]:
    options = {"response_timeout": 0.01}
    async with MockStation(2, ("sType2",), options=options, state_dir=tmp_path, control=tmp_path / "mock.sock") as hw:
        yield hw


@pytest.fixture
async def client(hw: MockStation) -> AsyncIterator[Client]:
    assert hw._control is not None
    client = await Client.at(hw._control.path)
    yield client
    await client.close()


async def test_a_session_by_hand(hw: MockStation, client: Client) -> None:
    plugged = await client.ask(op="plug_in", evse=1, connector=1, current=32, phases=3, ready_after=0)
    assert plugged == {"ok": True}
    evse = hw.board.evses[1]
    await evse.lock()
    await evse.set_offered_current(16)
    await asyncio.sleep(0.01)
    await evse.close_contactor()
    await client.ask(op="set_meter", evse=1, energy=12345.6)
    state = await client.ask(op="state")
    assert state["ok"] is True
    assert [evse["id"] for evse in state["evses"]] == [1, 2]
    shown = state["evses"][0]
    assert shown.pop("energy") == pytest.approx(12345.6, abs=1)
    assert shown == {
        "id": 1,
        "cable": "connected",
        "pilot": "C",
        "contactor": "closed",
        "lock": "locked",
        "offered_current": 16.0,
        "drawn_current": 16.0,
        "phases": 3,
        "power": 11040.0,
        "faults": [],
    }
    assert state["evses"][1]["lock"] == "unlocked"
    assert isinstance(state["indicator"], dict)
    assert isinstance(state["display"], list)


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "plug_in"},
        {"op": "plug_in", "ready_after": None, "evse": 2},
        {"op": "plug_out", "side": "car"},
        {"op": "pause"},
        {"op": "resume", "evse": 2},
        {"op": "swipe", "token": "04AABB", "type": "ISO14443", "evse": None},
        {"op": "fault", "evse": 0, "error": "HighTemperature", "vendor_code": "T1", "info": "hot"},
        {"op": "clear_fault", "evse": 1, "error": "GroundFailure"},
        {"op": "set_meter", "power": 1, "voltage": 230, "current": 1.5, "soc": None},
        {"op": "weld", "stuck": True},
        {"op": "fail", "part": "reader", "mode": "garbage"},
        {"op": "fail", "part": "meter", "evse": 2, "mode": None},
        {"op": "firmware", "outcome": "install_failure"},
        {"op": "tamper", "open": True},
        {"op": "emergency_stop", "pressed": True},
    ],
    ids=lambda request: request["op"],
)
async def test_every_request_of_the_documentation_is_taken(client: Client, request_: dict[str, object]) -> None:
    assert await client.ask(**request_) == {"ok": True}
    assert await client.ask(**request_) == {"ok": True}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"op": "plugin"}, "did you mean 'plug_in'?"),
        ({"op": 7}, "unknown op 7"),
        ({}, "unknown op None"),
        ({"op": "plug_in", "evs": 1}, "did you mean 'evse'?"),
        ({"op": "plug_in", "evse": 3}, "evse: 1 or 2, not 3"),
        ({"op": "plug_in", "evse": "1"}, "evse: 1 or 2, not '1'"),
        ({"op": "plug_in", "evse": True}, "evse: 1 or 2, not True"),
        ({"op": "plug_in", "evse": [1]}, "evse: 1 or 2, not [1]"),
        ({"op": "plug_in", "connector": 2}, "connector: 1, not 2"),
        ({"op": "plug_in", "current": "16"}, "current: a number, not '16'"),
        ({"op": "plug_in", "current": -1}, "current: 0 to 1000, not -1"),
        ({"op": "plug_in", "phases": 4}, "phases: 1 or 2 or 3, not 4"),
        ({"op": "plug_out", "side": "charger"}, "side: unknown 'charger'"),
        ({"op": "swipe"}, "swipe needs 'token'"),
        ({"op": "swipe", "token": ""}, "token: a string of 1 to 36 characters"),
        ({"op": "swipe", "token": "04", "type": "ISO1443"}, "did you mean 'ISO14443'?"),
        ({"op": "fault", "error": "NoError"}, "error: unknown 'NoError'"),
        ({"op": "fault", "evse": 9, "error": "GroundFailure"}, "evse: 1 or 2, not 9"),
        ({"op": "fail", "part": "meter"}, "fail needs 'mode'"),
        ({"op": "fail", "part": "metre", "mode": None}, "did you mean 'meter'?"),
        ({"op": "fail", "part": "meter", "mode": "slow"}, "mode: unknown 'slow'"),
        ({"op": "weld", "stuck": "yes"}, "stuck: true or false, not 'yes'"),
        ({"op": "tamper", "open": 1}, "open: true or false, not 1"),
        ({"op": "firmware", "outcome": "fine"}, "outcome: unknown 'fine'"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(client: Client, request_: dict[str, object], said: str) -> None:
    answer = await client.ask(**request_)
    assert answer["ok"] is False
    assert said in answer["error"]
    assert (await client.ask(op="state"))["ok"] is True


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b"null\n",
        b'"state"\n',
        b"\xff\xfe\x00\n",
        b"[" * 50_000 + b"\n",
        b'{"op": "plug_in", "current": NaN}\n',
        b'{"op": "plug_in", "current": 1e999}\n',
        b'{"op": "' + b"x" * (MAX_LINE_BYTES + 10) + b'"}\n',
        b"x" * (4 * MAX_LINE_BYTES) + b"\n",
    ],
    ids=lambda line: line[:12],
)
async def test_garbage_gets_one_error_and_the_client_stays(client: Client, line: bytes) -> None:
    assert (await client.ask_raw(line))["ok"] is False
    assert (await client.ask(op="state"))["ok"] is True


async def test_lines_may_come_in_pieces_and_together(client: Client) -> None:
    client._writer.write(b'{"op":"pa')
    await asyncio.sleep(0.01)
    assert await client.ask_raw(b'use"}\n\n  \n{"op":"resume"}\n') == {"ok": True}
    assert await client.next() == {"ok": True}


async def test_faults_appear_in_the_state_and_go(hw: MockStation, client: Client) -> None:
    await client.ask(op="fault", evse=1, error="GroundFailure", vendor_code="RCD", info="6 mA DC")
    assert FaultSignal(1, FaultCode.GROUND_FAILURE, True, "RCD", "6 mA DC") in hw.signals
    assert (await client.ask(op="state"))["evses"][0]["faults"] == ["GroundFailure"]
    await client.ask(op="clear_fault", evse=1, error="GroundFailure")
    assert hw.signals[-1][:4] == (1, FaultCode.GROUND_FAILURE, False, "RCD")
    assert (await client.ask(op="state"))["evses"][0]["faults"] == []


async def test_a_welded_contactor_is_shown(client: Client) -> None:
    await client.ask(op="weld", evse=1, stuck=True)
    assert (await client.ask(op="state"))["evses"][0]["contactor"] == "welded"
    await client.ask(op="weld", evse=1, stuck=False)
    assert (await client.ask(op="state"))["evses"][0]["contactor"] == "open"


async def test_those_who_watch_get_the_state_at_each_change(tmp_path: Path, client: Client) -> None:
    other = await Client.at(tmp_path / "mock.sock")
    assert (await client.ask(op="watch"))["evses"][0]["pilot"] == "A"
    await other.ask(op="plug_in", evse=1)
    shown = await client.next()
    while shown["evses"][0]["pilot"] != "B":
        shown = await client.next()
    assert shown["evses"][0]["cable"] == "connected"
    await other.close()


async def test_a_watcher_that_does_not_read_is_dropped_and_the_others_live(
    hw: MockStation, tmp_path: Path, client: Client
) -> None:
    deaf = await Client.at(tmp_path / "mock.sock")
    await deaf.ask(op="watch")
    # A client that has stopped reading.
    cast(asyncio.ReadTransport, deaf._writer.transport).pause_reading()
    for number in range(3000):
        await hw.fault(1, "OtherError", info=str(number))
        if not hw._control or not hw._control._watchers:
            break
        if number % 50 == 0:
            await asyncio.sleep(0)
    assert hw._control is not None
    assert not hw._control._watchers
    assert (await client.ask(op="state"))["ok"] is True
    cast(asyncio.ReadTransport, deaf._writer.transport).resume_reading()
    async with asyncio.timeout(5):
        with suppress(ConnectionError):
            while await deaf._reader.read(65536):
                pass
    deaf._writer.close()


async def test_it_is_gone_after_closing_and_its_clients_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mock.sock"
    async with MockStation(state_dir=tmp_path, control=path):
        client = await Client.at(path)
        await client.ask(op="state")
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()
    assert await client._reader.read() == b""
    await client.close()


async def test_the_file_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mock.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with MockStation(state_dir=tmp_path, control=path):
        client = await Client.at(path)
        assert (await client.ask(op="state"))["ok"] is True
        await client.close()


@pytest.mark.usefixtures("hw")
async def test_a_socket_that_another_process_serves_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(BoardConfigError, match="another process serves this socket"):
        async with MockStation(control=tmp_path / "mock.sock"):
            pass
    client = await Client.at(tmp_path / "mock.sock")
    assert (await client.ask(op="state"))["ok"] is True
    await client.close()


async def test_a_path_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a socket")
    for path in (tmp_path / "file", tmp_path / "nowhere" / "mock.sock"):
        with pytest.raises(BoardConfigError, match=str(path)):
            async with MockStation(control=path):
                pass
    assert (tmp_path / "file").read_text() == "not a socket"


async def test_paths_longer_than_the_kernel_takes_work_too(tmp_path: Path) -> None:
    directory = tmp_path / ("deep" * 30)
    directory.mkdir()
    path = directory / "mock.sock"
    assert len(os.fsencode(path)) > 107
    async with MockStation(state_dir=directory, control=path) as hw:
        client = await Client.at(path)
        await client.ask(op="plug_in")
        assert hw.evses[1].pilot is PilotState.B
        await client.close()
        connect(path).close()
    assert not path.exists()
