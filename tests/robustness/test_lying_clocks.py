"""Clocks that jump, the CSMS's and the system's: what is billed has true times, and never one that runs back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.bench.station import BenchStation

from .rig import PATIENCE_S, Rig, judge, rig

LAUNCHER = Path(__file__).with_name("clock_launcher.py")
TOLERANCE = timedelta(seconds=4)
HOURS = 3600.0
UNSET = datetime(1970, 1, 1, tzinfo=UTC).timestamp() - datetime.now(UTC).timestamp()

JUMPS = {
    "forwards": [3 * HOURS],
    "backwards": [-3 * HOURS],
    "back and forth": [3 * HOURS, -3 * HOURS],
    "forth and back": [-3 * HOURS, 3 * HOURS],
    "to 1970": [UNSET],
    "to 2199": [(2199 - 2025) * 365.25 * 24 * HOURS],
    "over a summer time": [HOURS, 0.0],
}


class Clocks:
    """By how much they are wrong, s: `csms`, and `set_system` for the station's system."""

    def __init__(self, bench: Rig) -> None:
        self.csms = 0.0
        self._file = bench.directory / "clock-error"
        self.set_system(0.0)
        bench.csms.clock = lambda: datetime.now(UTC) + timedelta(seconds=self.csms)

    def set_system(self, error_s: float) -> None:
        self._file.write_text(str(error_s), "ascii")

    @property
    def launcher(self) -> tuple[str, str]:
        return str(LAUNCHER), str(self._file)


def instants(station: BenchStation, action: str) -> list[datetime]:
    """The times in the station's calls with this action, in the order in which the CSMS heard them."""
    return [instant for call in station.calls(action) for instant in _instants(call.payload)]


def _instants(payload: dict[str, Any]) -> list[datetime]:
    if "timestamp" in payload:
        return [datetime.fromisoformat(payload["timestamp"])]
    return [datetime.fromisoformat(value["timestamp"]) for value in payload["meterValue"]]


def judge_order(bench: Rig) -> None:
    """No time in a transaction is before an earlier one, and what its end repeats lies between its start and end."""
    judge(bench)
    station = bench.station
    (start,), (stop,) = instants(station, "StartTransaction"), instants(station, "StopTransaction")
    told = [start, *instants(station, "MeterValues"), stop]
    assert told == sorted(told)
    (end,) = station.calls("StopTransaction")
    repeated = [datetime.fromisoformat(value["timestamp"]) for value in end.payload["transactionData"]]
    assert repeated == sorted(repeated)
    assert start <= repeated[0]
    assert repeated[-1] <= stop


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS.keys())
async def test_the_time_of_the_csms_jumps_in_a_session(jumps: list[float]) -> None:
    """1.6 §4.2, §4.6: the station takes the CSMS's time from each answer that has one."""
    async with rig() as bench:
        clocks = Clocks(bench)
        await bench.agent.start()
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.plug_and_swipe()
        await bench.expect("MeterValues")
        for jump in jumps:
            clocks.csms = jump
            await bench.station.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
            await bench.expect("Heartbeat")
            await bench.expect("MeterValues")
        await bench.swipe_and_leave()
        await bench.expect("StopTransaction")
        await bench.agent.stop()
        judge_order(bench)
        (stop,) = instants(bench.station, "StopTransaction")
        believed = [0.0, *(jump for jump in jumps if abs(jump) < 24 * HOURS)]
        assert abs(stop - datetime.now(UTC) - timedelta(seconds=max(believed))) < TOLERANCE


async def leave_registered(bench: Rig) -> None:
    """The CSMS has accepted the station some time ago, and cannot be reached now."""
    await bench.agent.start()
    await bench.settled()
    await bench.agent.stop()
    await bench.csms_goes()


async def offline_session(bench: Rig) -> tuple[datetime, datetime]:
    """From the car's coming to its leaving: when power began to flow and ended, by true time."""
    await bench.plug_and_swipe()
    await bench.power_flows()
    began = datetime.now(UTC)
    await bench.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
    await bench.swipe_and_leave()
    return began, datetime.now(UTC)


@pytest.mark.parametrize("system_error_s", [3 * HOURS, -3 * HOURS, UNSET], ids=["ahead", "behind", "unset"])
async def test_offline_sessions_get_true_times_afterwards(system_error_s: float) -> None:
    async with rig() as bench:
        await leave_registered(bench)
        clocks = Clocks(bench)
        clocks.set_system(system_error_s)
        await bench.agent.start(clocks.launcher)
        began, ended = await offline_session(bench)
        await bench.csms_comes()
        await bench.settled()
        await bench.agent.stop()
        judge_order(bench)
        (start,), (stop,) = instants(bench.station, "StartTransaction"), instants(bench.station, "StopTransaction")
        assert abs(start - began) < TOLERANCE
        assert abs(stop - ended) < TOLERANCE


@pytest.mark.parametrize("system_error_s", [3 * HOURS, -3 * HOURS, UNSET], ids=["ahead", "behind", "unset"])
async def test_a_session_that_began_offline_and_ends_online_has_true_times(system_error_s: float) -> None:
    async with rig() as bench:
        await leave_registered(bench)
        clocks = Clocks(bench)
        clocks.set_system(system_error_s)
        await bench.agent.start(clocks.launcher)
        await bench.plug_and_swipe()
        await bench.power_flows()
        began = datetime.now(UTC)
        await bench.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
        await bench.csms_comes()
        await bench.settled()
        bench.station.skip()
        await bench.expect("MeterValues")
        await bench.swipe_and_leave()
        ended = datetime.now(UTC)
        await bench.expect("StopTransaction")
        await bench.agent.stop()
        judge_order(bench)
        (start,), (stop,) = instants(bench.station, "StartTransaction"), instants(bench.station, "StopTransaction")
        assert abs(start - began) < TOLERANCE
        assert abs(stop - ended) < TOLERANCE


@pytest.mark.parametrize("system_error_s", [3 * HOURS, -3 * HOURS, UNSET], ids=["ahead", "behind", "unset"])
async def test_the_system_clock_jumps_in_a_session(system_error_s: float) -> None:
    """Once the CSMS has told the time, the system's clock is of no account."""
    async with rig() as bench:
        clocks = Clocks(bench)
        await bench.agent.start(clocks.launcher)
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.plug_and_swipe()
        await bench.expect("MeterValues")
        clocks.set_system(system_error_s)
        await bench.expect("MeterValues")
        await bench.swipe_and_leave()
        await bench.expect("StopTransaction")
        await bench.agent.stop()
        judge_order(bench)
        (stop,) = instants(bench.station, "StopTransaction")
        assert abs(stop - datetime.now(UTC)) < TOLERANCE


async def test_the_power_goes_before_the_clock_was_set() -> None:
    """What the unset clock of one start has stamped is not before what an earlier start had stamped."""
    async with rig() as bench:
        await leave_registered(bench)
        clocks = Clocks(bench)
        clocks.set_system(UNSET)
        registered = datetime.now(UTC)
        await bench.agent.start(clocks.launcher)
        await bench.plug_and_swipe()
        await bench.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2, PATIENCE_S)
        await bench.agent.kill()
        await bench.agent.start(clocks.launcher)
        await bench.csms_comes()
        await bench.settled()
        await bench.agent.stop()
        judge_order(bench)
        assert bench.transactions[0].stop_reason == "PowerLoss"
        (start,) = instants(bench.station, "StartTransaction")
        assert abs(start - registered) < 2 * TOLERANCE


async def test_the_power_goes_after_the_clock_went_back() -> None:
    """What the CSMS heard before the step is not followed by an earlier end."""
    async with rig() as bench:
        clocks = Clocks(bench)
        await bench.agent.start()
        await bench.expect("StatusNotification", connectorId=1, status="Available")
        await bench.plug_and_swipe()
        await bench.expect("MeterValues")
        clocks.csms = -3 * HOURS
        await bench.station.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        await bench.expect("Heartbeat")
        await bench.expect("MeterValues")
        await bench.settled()
        await bench.agent.kill()
        await bench.agent.start()
        await bench.settled()
        await bench.agent.stop()
        judge_order(bench)
        assert bench.transactions[0].stop_reason == "PowerLoss"
