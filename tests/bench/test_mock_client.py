"""The client of the mock's control socket, on a real mock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.bench.mock_client import MockClient, MockRefusedError
from hal.drivers.mock import MockStation


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
            await MockClient(tmp_path / "mock.sock").wait_until(lambda evse: evse["pilot"] == "F", timeout_s=0.02)


async def test_it_waits_for_a_socket_that_is_not_there_yet(tmp_path: Path) -> None:
    asking = asyncio.create_task(MockClient(tmp_path / "mock.sock").state())
    await asyncio.sleep(0.03)
    async with MockStation(control=tmp_path / "mock.sock"):
        assert (await asking)["ok"]
