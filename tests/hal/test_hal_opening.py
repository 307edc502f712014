"""Devices that are away when the board opens: a fault until they are there, and then as if they had always been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hal import (
    FAULTS,
    Board,
    BoardConfigError,
    BoardSpec,
    ContactorSignal,
    DeviceUnavailable,
    Display,
    EmergencyStopSignal,
    EvseHardware,
    EvseSpec,
    FaultCode,
    FaultSignal,
    HalError,
    Interlocked,
    PartSpec,
    Pattern,
    PilotSignal,
    PilotState,
    Role,
    TamperSignal,
    Timing,
    TokenSignal,
    Watchdog,
)
from hal.drivers.mock import MockStation, parts
from hal.signals import Signal

from .observing import active_faults, eventually

Away = dict[tuple[int, Role], HalError | None]

EVSE_FAULTS = {
    Role.CONTACTOR: (1, FaultCode.POWER_SWITCH_FAILURE, "ContactorLost"),
    Role.PILOT: (1, FaultCode.INTERNAL_ERROR, "PilotLost"),
    Role.LOCK: (1, FaultCode.CONNECTOR_LOCK_FAILURE, "LockLost"),
    Role.METER: (1, FaultCode.POWER_METER_FAILURE, "MeterLost"),
    Role.RESIDUAL_CURRENT: (1, FaultCode.INTERNAL_ERROR, "ResidualCurrentLost"),
    Role.TEMPERATURE: (1, FaultCode.INTERNAL_ERROR, "TemperatureLost"),
}
STATION_FAULTS = {
    Role.READER: (0, FaultCode.READER_FAILURE, "ReaderLost"),
    Role.EMERGENCY_STOP: (0, FaultCode.INTERNAL_ERROR, "EmergencyStopLost"),
    Role.WATCHDOG: (0, FaultCode.INTERNAL_ERROR, "WatchdogLost"),
}
EXPECTED = EVSE_FAULTS | STATION_FAULTS
QUICK = Timing(probe_interval_s=0.01)
BLOCKING = [role for role, (_, code, _) in EVSE_FAULTS.items() if FAULTS[code].opens_contactor]


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Away:
    """Which devices do not open, by EVSE (0: the station's) and role; None: they hang."""
    away: Away = {}
    opening = parts._MockPart.open

    async def try_to_open(part: parts._MockPart) -> None:
        evse_id = part._evse.evse_id if isinstance(part, parts._EvsePart) else 0
        if (evse_id, part.role) in away:
            error = away[evse_id, part.role]
            if error is None:
                await asyncio.sleep(3600)
            else:
                raise error
        await opening(part)

    monkeypatch.setattr(parts._MockPart, "open", try_to_open)
    return away


def leave(away: Away, role: Role, why: HalError | None = DeviceUnavailable("no such port")) -> None:  # noqa: B008 - never changed
    away[EXPECTED[role][0], role] = why


@asynccontextmanager
async def station(timing: Timing = QUICK) -> AsyncIterator[MockStation]:
    async with MockStation(evses=2, connectors=("sType2",), timing=timing) as hw:
        yield hw


async def charge(hw: MockStation, evse_id: int) -> EvseHardware:
    evse = hw.board.evses[evse_id]
    await hw.plug_in(evse_id, ready_after=0)
    await evse.set_offered_current(16)
    await eventually(lambda: evse.state().pilot is PilotState.C)
    await evse.close_contactor()
    return evse


@pytest.mark.parametrize("role", EXPECTED)
class TestEveryDevice:
    async def test_one_that_does_not_open_is_a_fault_until_it_does(self, away: Away, role: Role) -> None:
        leave(away, role)
        async with station() as hw:
            assert active_faults(hw.signals) == {EXPECTED[role]}
            assert next(s for s in hw.signals if isinstance(s, FaultSignal)).info == "no such port"
            await asyncio.sleep(0.05)  # several attempts
            assert active_faults(hw.signals) == {EXPECTED[role]}
            away.clear()
            await eventually(lambda: not active_faults(hw.signals))
            await charge(hw, 1)

    async def test_one_that_hangs_is_cut_off(self, away: Away, role: Role) -> None:
        leave(away, role, None)
        async with station(Timing(open_s=0.01, probe_interval_s=0.01)) as hw:
            assert active_faults(hw.signals) == {EXPECTED[role]}
            assert "no answer within 0.01 s" in next(s for s in hw.signals if isinstance(s, FaultSignal)).info
            away.clear()
            await eventually(lambda: not active_faults(hw.signals))

    async def test_its_return_ends_the_attempts(self, away: Away, role: Role) -> None:
        leave(away, role)
        async with station() as hw:
            assert len(asyncio.all_tasks()) == 2
            away.clear()
            await eventually(lambda: len(asyncio.all_tasks()) == 1)
            assert not active_faults(hw.signals)

    async def test_closing_the_board_ends_them_too(self, away: Away, role: Role) -> None:
        leave(away, role)
        async with station():
            pass
        assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("role", BLOCKING)
async def test_without_it_the_contactor_stays_open_and_the_other_evse_charges(away: Away, role: Role) -> None:
    leave(away, role)
    async with station() as hw:
        evse = hw.board.evses[1]
        evse.receive(PilotSignal(1, PilotState.C))  # whatever the car says
        with pytest.raises(Interlocked, match=EXPECTED[role][1]):
            await evse.close_contactor()
        await charge(hw, 2)
        await asyncio.sleep(0.03)
        assert hw.evses[2].contacts_closed
        assert not hw.evses[1].contacts_closed
        assert not any(signal == ContactorSignal(1, True) for signal in hw.signals)


@pytest.mark.parametrize("role", [role for role in STATION_FAULTS if role is not Role.READER])
async def test_without_what_watches_over_the_station_no_contactor_closes(away: Away, role: Role) -> None:
    leave(away, role)
    async with station() as hw:
        with pytest.raises(Interlocked, match="InternalError is active at the station"):
            await charge(hw, 2)


@pytest.mark.parametrize("role", [Role.METER, Role.READER])
async def test_without_a_meter_or_a_reader_it_charges(away: Away, role: Role) -> None:
    leave(away, role)
    async with station() as hw:
        await charge(hw, 1)
        assert hw.evses[1].contacts_closed


async def test_what_is_asked_of_a_device_that_is_not_open_raises(away: Away) -> None:
    away.update({(1, role): DeviceUnavailable(f"{role} is away") for role in (*EVSE_FAULTS, Role.INDICATOR)})
    away.update({(0, role): DeviceUnavailable(f"{role} is away") for role in (Role.DISPLAY, Role.WATCHDOG)})
    async with station() as hw:
        evse = hw.board.evses[1]
        assert isinstance(hw.board.display, Display)
        assert isinstance(hw.board.watchdog, Watchdog)
        for question, role in (
            (evse.open_contactor(), "contactor"),
            (evse.set_offered_current(6), "pilot"),
            (evse.lock(), "lock"),
            (evse.locked(), "lock"),
            (evse.read_meter(), "meter"),
            (evse.read_temperature(), "temperature"),
            (evse.set_indicator(Pattern.FAULTED), "indicator"),
            (hw.board.display.show(("out of order",)), "display"),
            (hw.board.watchdog.kick(), "watchdog"),
        ):
            with pytest.raises(DeviceUnavailable, match=f"^{role} is away$"):
                await question
        with pytest.raises(Interlocked, match="stays locked"):
            await evse.unlock()
        await evse.self_check()
        assert active_faults(hw.signals) == {*EVSE_FAULTS.values(), EXPECTED[Role.WATCHDOG]}
        assert "Voltage" in evse.measurands
        assert hw.board.watchdog.timeout_s > 0


async def test_a_self_check_does_not_test_a_monitor_that_is_not_open(away: Away) -> None:
    leave(away, Role.RESIDUAL_CURRENT)
    async with station() as hw:
        await hw.board.evses[1].self_check()
        assert active_faults(hw.signals) == {EXPECTED[Role.RESIDUAL_CURRENT]}


async def test_a_monitor_that_comes_late_is_tested_while_the_contactor_is_open(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[bool | None] = []

    async def self_test(_: parts.MockResidualCurrent) -> None:
        tested.append(hw.board.evses[1].state().contactor_closed)

    monkeypatch.setattr(parts.MockResidualCurrent, "self_test", self_test)
    leave(away, Role.RESIDUAL_CURRENT)
    leave(away, Role.CONTACTOR)
    async with station() as hw:
        del away[1, Role.RESIDUAL_CURRENT]
        await asyncio.sleep(0.03)
        assert not tested
        away.clear()
        await eventually(lambda: not active_faults(hw.signals))
        assert tested == [False]


async def test_a_pilot_that_comes_late_tells_its_state_before_its_fault_is_cleared(away: Away) -> None:
    leave(away, Role.PILOT)
    async with station() as hw:
        await hw.plug_in(1)
        with pytest.raises(DeviceUnavailable):
            await hw.board.evses[1].set_offered_current(10)
        hw.signals.clear()
        away.clear()
        await eventually(lambda: not active_faults(hw.signals) and bool(hw.signals))
        assert hw.evses[1].offered_current_a == 10
        assert PilotSignal(1, PilotState.B) in hw.signals
        assert hw.signals[-1] == FaultSignal(1, FaultCode.INTERNAL_ERROR, False, "PilotLost", "no such port")


async def test_a_contactor_that_comes_late_is_opened_first_of_all(away: Away) -> None:
    leave(away, Role.CONTACTOR)
    async with station() as hw:
        hw.evses[1].drive_coil(True)  # as a program that was killed has left it
        away.clear()
        await eventually(lambda: not active_faults(hw.signals))
        assert not hw.evses[1].contacts_closed
        assert hw.board.evses[1].state().contactor_closed is False


async def test_a_fault_elsewhere_while_a_contactor_is_being_opened_blames_no_contactor(away: Away) -> None:
    away[1, Role.CONTACTOR] = None
    leave(away, Role.EMERGENCY_STOP)
    async with station(Timing(open_s=0.05, probe_interval_s=0.02)) as hw:
        assert not any(isinstance(s, FaultSignal) and s.info == "contactor: not open" for s in hw.signals)


async def test_a_button_that_was_pressed_and_a_door_that_was_opened_meanwhile_are_told(away: Away) -> None:
    """A missing door switch is no reason not to charge; what it missed is told all the same."""
    leave(away, Role.EMERGENCY_STOP)
    away[0, Role.TAMPER] = DeviceUnavailable("no such port")
    async with station() as hw:
        await hw.emergency_stop(True)
        await hw.tamper(True)
        assert [vendor_code for _, _, vendor_code in active_faults(hw.signals)] == ["EmergencyStopLost"]
        away.clear()

        def told() -> list[Signal]:
            return [signal for signal in hw.signals if isinstance(signal, EmergencyStopSignal | TamperSignal)]

        await eventually(lambda: len(told()) == 2)
        assert told() == [EmergencyStopSignal(True), TamperSignal(True)]
        assert not active_faults(hw.signals)
        with pytest.raises(Interlocked, match="stop button"):
            await hw.board.evses[1].close_contactor()


async def test_a_lamp_and_a_display_are_no_fault_and_show_the_last_of_what_they_missed(away: Away) -> None:
    away[1, Role.INDICATOR] = away[0, Role.DISPLAY] = DeviceUnavailable("dark")
    async with station() as hw:
        assert not active_faults(hw.signals)
        assert hw.board.display is not None
        for pattern, lines in ((Pattern.AVAILABLE, ("free",)), (Pattern.CHARGING, ("charging",))):
            with pytest.raises(DeviceUnavailable):
                await hw.board.evses[1].set_indicator(pattern)
            with pytest.raises(DeviceUnavailable):
                await hw.board.display.show(lines)
        away.clear()
        await eventually(lambda: hw.evses[1].indication.pattern is Pattern.CHARGING)
        await eventually(lambda: hw.display == ("charging",))


async def test_of_two_readers_the_fault_lasts_until_both_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[parts.MockReader] = []
    opened: list[int] = []
    working = 0

    async def try_to_open(reader: parts.MockReader) -> None:
        if reader not in seen:
            seen.append(reader)
        number = seen.index(reader) + 1
        if number > working:
            raise DeviceUnavailable(f"no card reader {number}")
        opened.append(number)

    monkeypatch.setattr(parts.MockReader, "open", try_to_open)
    hw = MockStation(state_dir=tmp_path)
    spec = hw._spec._replace(readers=(PartSpec("mock"), PartSpec("mock")), timing=QUICK)
    board = await Board.open(spec, hw.signals.append, {"mock": hw})
    await asyncio.sleep(0)
    working = 1
    await eventually(lambda: opened == [1])
    await asyncio.sleep(0)
    assert active_faults(hw.signals) == {EXPECTED[Role.READER]}
    working = 2
    await eventually(lambda: not active_faults(hw.signals))
    assert opened == [1, 2]
    await board.close()


async def test_of_two_locks_the_fault_lasts_until_both_work() -> None:
    dead = {1, 2}
    async with MockStation(connectors=("sType2", "sType2"), timing=Timing(probe_interval_s=3600)) as hw:
        evse = hw.board.evses[1]
        is_locked = parts.MockLock.is_locked

        async def answer(lock: parts.MockLock) -> bool:
            if lock._connector_id in dead:
                raise DeviceUnavailable(f"lock {lock._connector_id}")
            return await is_locked(lock)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parts.MockLock, "is_locked", answer)
            await evse.self_check()
            assert active_faults(hw.signals) == {EXPECTED[Role.LOCK]}
            dead.remove(1)
            await evse.locked(1)
            assert active_faults(hw.signals) == {EXPECTED[Role.LOCK]}
            assert hw.signals[-1] == FaultSignal(1, FaultCode.CONNECTOR_LOCK_FAILURE, True, "LockLost", "lock 2")
            dead.remove(2)
            await evse.locked(2)
            assert not active_faults(hw.signals)


class TestSharedMedia:
    async def test_one_that_does_not_open_is_the_fault_of_every_part_on_it(self, tmp_path: Path) -> None:
        directory = tmp_path / "mounted later"
        async with MockStation(state_dir=directory, timing=QUICK) as hw:
            expected = {*EXPECTED.values()} - {EXPECTED[Role.LOCK]}
            assert active_faults(hw.signals) == expected
            directory.mkdir()
            await eventually(lambda: not active_faults(hw.signals))
            await hw.swipe("04AA")
            assert hw.signals[-1] == TokenSignal("04AA")
            await charge(hw, 1)


class TestMistakes:
    """What trying again cannot mend stops the board."""

    @pytest.mark.parametrize("role", EXPECTED)
    async def test_a_wrong_option_that_only_shows_on_opening_closes_everything_again(
        self, away: Away, role: Role
    ) -> None:
        leave(away, role, BoardConfigError("option 'port' names a directory"))
        hw = MockStation(evses=2, connectors=("sType2",))
        with pytest.raises(BoardConfigError, match="names a directory"):
            await hw.__aenter__()
        assert not hw.roles
        assert not any(evse.roles for evse in hw.evses.values())
        assert len(asyncio.all_tasks()) == 1

    async def test_a_board_that_is_given_up_while_it_opens_leaves_nothing_open(self, away: Away) -> None:
        leave(away, Role.METER, None)
        hw = MockStation(evses=2)
        opening = asyncio.create_task(hw.__aenter__())
        await eventually(lambda: 2 in hw.evses and Role.PILOT in hw.evses[2].roles)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert not hw.roles
        assert not any(evse.roles for evse in hw.evses.values())
        assert len(asyncio.all_tasks()) == 1


async def test_a_device_that_opened_half_way_is_closed_before_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    async def try_to_open(_: parts.MockMeter) -> None:
        calls.append("open")
        if len(calls) < 4:
            raise DeviceUnavailable("port open, meter silent")

    async def close(_: parts.MockMeter) -> None:
        calls.append("close")
        raise DeviceUnavailable("as silent as before")

    monkeypatch.setattr(parts.MockMeter, "open", try_to_open)
    monkeypatch.setattr(parts.MockMeter, "close", close)
    evse = EvseSpec(1, ("cType2",), 32.0, 3, "mock")
    spec = BoardSpec((evse,), hal_options={"mock": {"control": ""}}, state_dir=tmp_path)
    board = await Board.open(spec._replace(timing=QUICK), lambda _: None)
    await eventually(lambda: calls == ["open", "close", "open", "close", "open"])
    await board.close()
    assert calls[-1] == "close"
