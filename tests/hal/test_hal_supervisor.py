"""The supervisor: nothing but its own judgement keeps a contactor closed, and anything opens it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from hal import (
    FAULTS,
    ContactorSignal,
    DeviceTimeout,
    EvseHardware,
    FaultCode,
    FaultSignal,
    HalError,
    Interlocked,
    PilotSignal,
    PilotState,
    Timing,
    Unsupported,
)
from hal.drivers.mock import MockStation
from hal.drivers.mock.parts import MockLock

from .observing import active_faults, eventually

OPENING = [code for code, spec in FAULTS.items() if spec.opens_contactor]
REPORTED = [code for code, spec in FAULTS.items() if not spec.opens_contactor]
MODES = ["timeout", "error", "garbage"]
OPTIONS = {"response_timeout": 0.02}


@pytest.fixture
async def hw() -> AsyncIterator[MockStation]:
    async with MockStation(evses=2, connectors=("sType2",), options=OPTIONS) as hw:
        yield hw


async def charging(hw: MockStation, evse_id: int = 1) -> EvseHardware:
    """A car that draws current."""
    evse = hw.board.evses[evse_id]
    await hw.plug_in(evse_id, ready_after=0)
    await evse.lock()
    await evse.set_offered_current(16)
    await eventually(lambda: evse.state().pilot is PilotState.C)
    await evse.close_contactor()
    assert hw.evses[evse_id].contacts_closed
    return evse


class TestFaults:
    @pytest.mark.parametrize("code", OPENING)
    async def test_every_fault_that_stops_charging_opens_the_contactor(self, hw: MockStation, code: FaultCode) -> None:
        evse = await charging(hw)
        await hw.fault(1, code, "V1", "seen in a test")
        await eventually(lambda: not hw.evses[1].contacts_closed)
        assert FaultSignal(1, code, True, "V1", "seen in a test") in hw.signals
        with pytest.raises(Interlocked, match=code):
            await evse.close_contactor()
        await hw.clear_fault(1, code)
        await evse.close_contactor()
        assert hw.evses[1].contacts_closed

    @pytest.mark.parametrize("code", REPORTED)
    async def test_faults_that_are_only_reported_leave_it_closed(self, hw: MockStation, code: FaultCode) -> None:
        await charging(hw)
        await hw.fault(1, code)
        await hw.fault(0, code)
        await asyncio.sleep(0.01)
        assert hw.evses[1].contacts_closed
        assert active_faults(hw.signals) == {(1, code, ""), (0, code, "")}

    async def test_a_fault_of_the_station_opens_every_contactor(self, hw: MockStation) -> None:
        first, second = await charging(hw, 1), await charging(hw, 2)
        await hw.fault(0, FaultCode.HIGH_TEMPERATURE)
        await eventually(lambda: not any(evse.contacts_closed for evse in hw.evses.values()))
        for evse in (first, second):
            with pytest.raises(Interlocked, match="station"):
                await evse.close_contactor()

    async def test_a_fault_of_one_evse_leaves_the_other_alone(self, hw: MockStation) -> None:
        await charging(hw, 1)
        await charging(hw, 2)
        await hw.fault(1, FaultCode.GROUND_FAILURE)
        await eventually(lambda: not hw.evses[1].contacts_closed)
        assert hw.evses[2].contacts_closed

    async def test_the_stop_button_opens_everything_while_it_is_pressed(self, hw: MockStation) -> None:
        evse = await charging(hw)
        await hw.emergency_stop(True)
        await eventually(lambda: not hw.evses[1].contacts_closed)
        with pytest.raises(Interlocked, match="stop button"):
            await evse.close_contactor()
        await hw.emergency_stop(False)
        await evse.close_contactor()

    async def test_an_open_door_is_no_fault(self, hw: MockStation) -> None:
        await charging(hw)
        await hw.tamper(True)
        await asyncio.sleep(0.01)
        assert hw.evses[1].contacts_closed

    async def test_the_same_code_from_two_sources_is_two_faults(self, hw: MockStation) -> None:
        await hw.fault(1, FaultCode.INTERNAL_ERROR, "Maker7")
        await hw.fail("pilot", 1, "error")
        await hw.clear_fault(1, FaultCode.INTERNAL_ERROR)
        assert active_faults(hw.signals) == {(1, FaultCode.INTERNAL_ERROR, "PilotLost")}
        with pytest.raises(Interlocked, match="InternalError"):
            await hw.board.evses[1].close_contactor()
        await hw.fail("pilot", 1, None)
        assert not active_faults(hw.signals)

    async def test_from_fault_to_open_command_it_takes_less_than_10_ms(self, hw: MockStation) -> None:
        took_ms = []
        for _ in range(50):
            evse = await charging(hw)
            began_s = time.perf_counter()
            await hw.fault(1, FaultCode.GROUND_FAILURE)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not hw.evses[1].contacts_closed
            took_ms.append((time.perf_counter() - began_s) * 1000)
            await evse.open_contactor()
            await hw.clear_fault(1, FaultCode.GROUND_FAILURE)
        # The passes of the event loop are counted above; a busy machine may be late, but not mostly.
        assert sorted(took_ms)[len(took_ms) // 2] < 10


class TestPilot:
    async def test_the_contactor_stays_open_unless_the_car_asks(self, hw: MockStation) -> None:
        evse = hw.board.evses[1]
        with pytest.raises(Interlocked, match="state A"):
            await evse.close_contactor()
        await hw.plug_in(1, ready_after=None)
        await evse.set_offered_current(16)
        with pytest.raises(Interlocked, match="state B"):
            await evse.close_contactor()

    @pytest.mark.parametrize("leave", ["pause", "plug_out"])
    async def test_a_car_that_no_longer_asks_opens_it(self, hw: MockStation, leave: str) -> None:
        await charging(hw)
        await getattr(hw, leave)(1)
        await eventually(lambda: not hw.evses[1].contacts_closed)
        assert isinstance(hw.signals[-1], ContactorSignal)

    async def test_a_car_that_begins_to_ask_for_ventilation_opens_it_where_there_is_none(self, hw: MockStation) -> None:
        evse = await charging(hw)
        evse.receive(PilotSignal(1, PilotState.D))
        await eventually(lambda: not hw.evses[1].contacts_closed)

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_lost_pilot_opens_it_and_its_return_allows_it_again(self, hw: MockStation, mode: str) -> None:
        evse = await charging(hw)
        await hw.fail("pilot", 1, mode)
        await eventually(lambda: not hw.evses[1].contacts_closed)
        assert active_faults(hw.signals) == {(1, FaultCode.INTERNAL_ERROR, "PilotLost")}
        with pytest.raises(HalError):
            await evse.set_offered_current(10)
        await hw.fail("pilot", 1, None)
        assert not active_faults(hw.signals)
        await eventually(lambda: hw.evses[1].offered_current_a == 10)  # what it missed meanwhile
        await evse.close_contactor()

    @pytest.mark.parametrize("current_a", [-1, 0.1, 5.9, float("nan")])
    async def test_a_current_that_a_pilot_cannot_offer_is_refused(self, hw: MockStation, current_a: float) -> None:
        with pytest.raises(Unsupported):
            await hw.board.evses[1].set_offered_current(current_a)

    async def test_more_than_the_evse_is_built_for_is_not_offered(self, hw: MockStation) -> None:
        await hw.board.evses[1].set_offered_current(80)
        assert hw.evses[1].offered_current_a == 32


class TestContactor:
    async def test_orders_return_when_the_feedback_confirms(self, hw: MockStation) -> None:
        evse = await charging(hw)
        assert evse.state().contactor_closed
        await evse.open_contactor()
        assert evse.state().contactor_closed is False
        assert [s for s in hw.signals if isinstance(s, ContactorSignal) and s.evse_id == 1][-2:] == [
            ContactorSignal(1, True),
            ContactorSignal(1, False),
        ]

    async def test_a_welded_contactor_is_found_when_it_should_open(self, hw: MockStation) -> None:
        evse = await charging(hw)
        await hw.weld(1, True)
        with pytest.raises(HalError):
            await evse.open_contactor()
        assert active_faults(hw.signals) == {(1, FaultCode.POWER_SWITCH_FAILURE, "ContactorWelded")}
        assert evse.state().contactor_closed
        with pytest.raises(Interlocked, match="PowerSwitchFailure"):
            await evse.close_contactor()

    async def test_mended_contacts_clear_the_fault_without_being_asked(self, hw: MockStation) -> None:
        evse = await charging(hw)
        await hw.weld(1, True)
        await hw.pause(1)
        await eventually(lambda: bool(active_faults(hw.signals)))
        await hw.weld(1, False)
        await eventually(lambda: not active_faults(hw.signals))
        assert evse.state().contactor_closed is False

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_dead_contactor_is_a_fault_and_opens_as_soon_as_it_can(self, hw: MockStation, mode: str) -> None:
        evse = await charging(hw)
        await hw.fail("contactor", 1, mode)
        with pytest.raises(HalError):
            await evse.open_contactor()
        assert active_faults(hw.signals) == {(1, FaultCode.POWER_SWITCH_FAILURE, "ContactorLost")}
        assert evse.state().contactor_closed is None
        await hw.fail("contactor", 1, None)
        await eventually(lambda: not hw.evses[1].contacts_closed)
        await eventually(lambda: not active_faults(hw.signals))

    @pytest.mark.parametrize("mode", MODES)
    async def test_one_that_does_not_close_is_a_fault(self, hw: MockStation, mode: str) -> None:
        evse = await charging(hw)
        await evse.open_contactor()
        await hw.fail("contactor", 1, mode)
        with pytest.raises(HalError):
            await evse.close_contactor()
        assert (1, FaultCode.POWER_SWITCH_FAILURE, "ContactorLost") in active_faults(hw.signals)
        await hw.fail("contactor", 1, None)
        await eventually(lambda: not active_faults(hw.signals))
        await evse.close_contactor()

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_self_check_finds_a_dead_contactor_and_a_dead_lock(self, hw: MockStation, mode: str) -> None:
        evse = hw.board.evses[1]
        await hw.fail("contactor", 1, mode)
        await hw.fail("lock", 1, mode)
        assert not active_faults(hw.signals)  # not used, not noticed
        await evse.self_check()
        assert active_faults(hw.signals) == {
            (1, FaultCode.POWER_SWITCH_FAILURE, "ContactorLost"),
            (1, FaultCode.CONNECTOR_LOCK_FAILURE, "LockLost"),
        }
        await hw.fail("contactor", 1, None)
        await hw.fail("lock", 1, None)
        await eventually(lambda: not active_faults(hw.signals))

    async def test_contacts_that_open_by_themselves_are_a_fault(self, hw: MockStation) -> None:
        evse = await charging(hw)
        hw.evses[1].drive_coil(False)
        assert active_faults(hw.signals) == {(1, FaultCode.POWER_SWITCH_FAILURE, "ContactorNotClosed")}
        await eventually(lambda: not active_faults(hw.signals))
        assert evse.state().contactor_closed is False

    async def test_contacts_that_close_by_themselves_are_a_fault_and_opened(self, hw: MockStation) -> None:
        hw.evses[1].drive_coil(True)
        assert active_faults(hw.signals) == {(1, FaultCode.POWER_SWITCH_FAILURE, "ContactorWelded")}
        await eventually(lambda: not hw.evses[1].contacts_closed)

    async def test_an_order_to_open_overtakes_one_to_close(self, hw: MockStation) -> None:
        evse = await charging(hw)
        await evse.open_contactor()
        closing = asyncio.create_task(evse.close_contactor())
        await asyncio.sleep(0)
        await evse.open_contactor()
        with pytest.raises(Interlocked):
            await closing
        assert not hw.evses[1].contacts_closed

    async def test_a_caller_that_gives_up_closing_leaves_it_open(self, hw: MockStation) -> None:
        evse = await charging(hw)
        await evse.open_contactor()
        await hw.fail("contactor", 1, "timeout")
        closing = asyncio.create_task(evse.close_contactor())
        await asyncio.sleep(0.005)
        await hw.fail("contactor", 1, None)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await evse.open_contactor()
        assert not hw.evses[1].contacts_closed

    async def test_a_device_that_hangs_is_cut_off(self) -> None:
        timing = Timing(contactor_s=0.02, meter_s=0.02, probe_interval_s=0.02)
        async with MockStation(options={"response_timeout": 3600}, timing=timing) as hw:
            evse = await charging_fixed(hw)
            await hw.fail("contactor", 1, "timeout")
            await hw.fail("meter", 1, "timeout")
            with pytest.raises(DeviceTimeout):
                await evse.open_contactor()
            with pytest.raises(DeviceTimeout):
                await evse.read_meter()


async def charging_fixed(hw: MockStation) -> EvseHardware:
    """As `charging`, at a fixed cable."""
    evse = hw.board.evses[1]
    await hw.plug_in(1, ready_after=0)
    await evse.set_offered_current(16)
    await eventually(lambda: evse.state().pilot is PilotState.C)
    await evse.close_contactor()
    return evse


class TestLock:
    async def test_the_plug_is_released_only_after_the_contactor_has_opened(
        self, hw: MockStation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evse = await charging(hw)
        closed_at_release = []
        release = MockLock.unlock

        async def watched(lock: MockLock) -> None:
            closed_at_release.append(hw.evses[1].contacts_closed)
            await release(lock)

        monkeypatch.setattr(MockLock, "unlock", watched)
        await evse.unlock()
        assert closed_at_release == [False]
        assert not await evse.locked()

    @pytest.mark.parametrize("mishap", ["weld", *MODES])
    async def test_it_stays_locked_while_the_contactor_may_be_closed(self, hw: MockStation, mishap: str) -> None:
        evse = await charging(hw)
        if mishap == "weld":
            await hw.weld(1, True)
        else:
            await hw.fail("contactor", 1, mishap)
        with pytest.raises(Interlocked, match="stays locked"):
            await evse.unlock()
        assert await evse.locked()

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_lock_that_fails_is_a_fault_and_opens_the_contactor(self, hw: MockStation, mode: str) -> None:
        evse = await charging(hw)
        await hw.fail("lock", 1, mode)
        with pytest.raises(HalError):
            await evse.lock()
        assert active_faults(hw.signals) == {(1, FaultCode.CONNECTOR_LOCK_FAILURE, "LockLost")}
        await eventually(lambda: not hw.evses[1].contacts_closed)
        await hw.fail("lock", 1, None)
        await eventually(lambda: not active_faults(hw.signals))

    async def test_a_fixed_cable_has_none(self) -> None:
        async with MockStation(connectors=("cType2",)) as hw:
            assert not hw.board.evses[1].has_lock
            with pytest.raises(Unsupported):
                await hw.board.evses[1].unlock()


class TestMeter:
    @pytest.mark.parametrize("mode", MODES)
    async def test_a_dead_meter_is_reported_and_charging_goes_on(self, hw: MockStation, mode: str) -> None:
        evse = await charging(hw)
        await hw.fail("meter", 1, mode)
        with pytest.raises(HalError):
            await evse.read_meter()
        assert active_faults(hw.signals) == {(1, FaultCode.POWER_METER_FAILURE, "MeterLost")}
        assert hw.evses[1].contacts_closed
        await hw.fail("meter", 1, None)
        await eventually(lambda: not active_faults(hw.signals))

    async def test_the_next_good_reading_clears_the_fault(self) -> None:
        async with MockStation(options=OPTIONS, timing=Timing(probe_interval_s=3600)) as hw:
            await hw.fail("meter", 1, "error")
            with pytest.raises(HalError):
                await hw.board.evses[1].read_meter()
            await hw.fail("meter", 1, None)
            await hw.board.evses[1].read_meter()
            assert not active_faults(hw.signals)

    async def test_a_register_that_cannot_be_true_is_no_reading(self, hw: MockStation) -> None:
        hw.evses[1].register.energy_wh = float("nan")
        with pytest.raises(HalError, match="nan"):
            await hw.board.evses[1].read_meter()


class TestQuiet:
    @pytest.mark.usefixtures("hw")
    async def test_nothing_wakes_up_while_all_is_well(self) -> None:
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1

    async def test_nor_once_a_failure_is_over(self, hw: MockStation) -> None:
        await hw.fail("meter", 1, "error")
        with pytest.raises(HalError):
            await hw.board.evses[1].read_meter()
        assert len(asyncio.all_tasks()) == 2
        await hw.fail("meter", 1, None)
        await eventually(lambda: len(asyncio.all_tasks()) == 1)
