"""Faults, the emergency stop and the hardware's own mind (1.6 §4.9: x9, I1..I8): contactor first, latch after."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging.reports import SecurityEvent
from agent.charging.types import ChargingState, ConnectorStatus, Fault, PilotState, Session, StopReason

from .hardware import LOCK_FAILURE
from .harness import GROUND_FAILURE, METER_FAILURE, WEAK_SIGNAL, Bench, socket

WELDED = Fault("PowerSwitchFailure", "ContactorWelded")
LOST = Fault("PowerSwitchFailure", "ContactorLost")


class TestBlocking:
    def test_opens_at_once_and_shows_faulted(self) -> None:
        """C9"""
        bench = Bench()
        bench.charge()
        bench.log.clear()
        bench.raise_fault()
        assert isinstance(bench.log[0], ef.OpenContactor)
        assert bench.view().status is ConnectorStatus.FAULTED
        assert bench.view().fault == GROUND_FAILURE
        assert bench.charging_state() is ChargingState.SUSPENDED_EVSE

    def test_ends_no_transaction_and_goes_on_when_it_is_mended(self) -> None:
        """I3: back to the state before the fault"""
        bench = Bench()
        bench.charge()
        bench.raise_fault()
        bench.advance(120)
        assert not bench.ended
        assert not bench.hardware[1].contactor_closed
        bench.clear_fault()
        bench.advance(10)
        assert bench.charging()
        assert len(bench.started) == 1

    def test_the_driver_may_stop_and_leave(self) -> None:
        bench = Bench()
        bench.charge()
        bench.raise_fault()
        bench.card()
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert not bench.held()

    def test_nobody_starts(self) -> None:
        bench = Bench()
        bench.raise_fault()
        bench.plug_in()
        bench.card()
        assert not bench.started

    @pytest.mark.parametrize("still", [WELDED, LOST])
    def test_two_of_one_code_are_two(self, still: Fault) -> None:
        """A contactor may be welded and out of reach at once: mending one mends one."""
        bench = Bench()
        bench.charge()
        bench.raise_fault(WELDED)
        bench.raise_fault(LOST)
        bench.clear_fault(LOST if still is WELDED else WELDED)
        bench.advance(30)
        assert bench.view().fault == still
        assert not bench.hardware[1].contactor_closed

    def test_of_the_station_is_one_of_every_evse(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.charge(1, "ANNA")
        bench.charge(2, "BEN")
        bench.raise_fault(evse_id=0)
        assert not bench.hardware[1].contactor_closed
        assert not bench.hardware[2].contactor_closed
        assert [view.status for view in bench.station.views()] == [ConnectorStatus.FAULTED] * 3
        bench.clear_fault(evse_id=0)
        bench.advance(10)
        assert bench.charging(1)
        assert bench.charging(2)

    def test_of_one_evse_leaves_the_other(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.charge(2)
        bench.raise_fault(evse_id=1)
        assert bench.charging(2)
        assert bench.view(0).status is ConnectorStatus.AVAILABLE


class TestReportedOnly:
    def test_is_told_and_disturbs_nothing(self) -> None:
        """1.6 §4.9: where the status is not Faulted it is a warning"""
        bench = Bench()
        bench.charge()
        bench.raise_fault(WEAK_SIGNAL)
        assert bench.charging()
        assert bench.told()[-1].fault == WEAK_SIGNAL
        assert bench.told()[-1].status is ConnectorStatus.OCCUPIED
        bench.clear_fault(WEAK_SIGNAL)
        assert bench.told()[-1].fault is None

    def test_the_worse_fault_is_shown(self) -> None:
        bench = Bench()
        bench.raise_fault(GROUND_FAILURE)
        bench.raise_fault(METER_FAILURE)
        assert bench.view().fault == GROUND_FAILURE
        bench.raise_fault(GROUND_FAILURE, evse_id=0)
        bench.raise_fault(METER_FAILURE, evse_id=0)
        assert bench.view(0).fault == GROUND_FAILURE


class TestLatch:
    def test_that_does_not_lock_keeps_the_contactor_open(self) -> None:
        bench = Bench()
        bench.hardware[1].broken.add("lock")
        bench.plug_in()
        bench.card()
        bench.advance(30)
        assert not bench.of(ef.CloseContactor)
        assert bench.view().status is ConnectorStatus.FAULTED

    def test_is_tried_again_once_it_is_mended(self) -> None:
        bench = Bench()
        bench.hardware[1].broken.add("lock")
        bench.plug_in()
        bench.card()
        bench.hardware[1].broken.clear()
        bench.clear_fault(LOCK_FAILURE)
        bench.advance(10)
        assert bench.charging()

    def test_that_opens_by_itself_stops_the_energy(self) -> None:
        bench = Bench()
        bench.charge()
        bench.apply(ev.LockChanged(1, locked=False))
        assert not bench.hardware[1].contactor_closed


class TestContactor:
    def test_opened_by_the_supervisor_is_not_closed_again_at_once(self) -> None:
        """Its reason may be on its way."""
        bench = Bench()
        bench.charge()
        bench.log.clear()
        bench.hardware[1].contactor_closed = False
        bench.apply(ev.ContactorChanged(1, closed=False))
        bench.advance(4)
        assert not bench.of(ef.CloseContactor)
        bench.advance(2)
        assert bench.charging()

    def test_that_bounces_is_still_opened_at_the_end(self) -> None:
        """The station believes the feedback, not its own memory of orders."""
        bench = Bench()
        bench.charge()
        bench.hardware[1].silent.add("contactor")
        bench.apply(ev.ContactorChanged(1, closed=False), ev.ContactorChanged(1, closed=True))
        bench.hardware[1].silent.clear()
        bench.log.clear()
        bench.card()
        bench.advance(10)
        orders = [output for output in bench.log if isinstance(output, ef.OpenContactor | ef.CloseContactor)]
        assert not orders or isinstance(orders[-1], ef.OpenContactor)
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_found_closed_by_itself_is_told_to_open(self) -> None:
        bench = Bench()
        bench.apply(ev.ContactorChanged(1, closed=True))
        assert bench.of(ef.OpenContactor) == [ef.OpenContactor(1)]

    def test_that_closes_after_the_order_was_taken_back_is_told_again(self) -> None:
        bench = Bench()
        bench.hardware[1].silent.add("contactor")
        bench.plug_in()
        bench.card()
        bench.pause()
        bench.log.clear()
        bench.apply(ev.ContactorChanged(1, closed=True))
        assert bench.of(ef.OpenContactor) == [ef.OpenContactor(1)]


class TestEmergencyStop:
    def test_ends_every_transaction_and_blocks_until_released(self) -> None:
        """1.6 §7.36 EmergencyStop"""
        bench = Bench(socket(1), socket(2))
        bench.charge(1, "ANNA")
        bench.charge(2, "BEN")
        bench.apply(ev.EmergencyStopChanged(pressed=True))
        assert bench.stop_reasons == [StopReason.EMERGENCY_STOP] * 2
        assert [view.status for view in bench.station.views()] == [ConnectorStatus.FAULTED] * 3
        bench.unplug(1)
        bench.plug_in(1)
        bench.card("ANNA")
        assert len(bench.started) == 2
        bench.apply(ev.EmergencyStopChanged(pressed=False))
        assert bench.view(0).status is ConnectorStatus.AVAILABLE
        bench.card("ANNA")
        assert bench.charging(1)

    def test_opens_before_anything_else(self) -> None:
        bench = Bench()
        bench.charge()
        bench.log.clear()
        bench.apply(ev.EmergencyStopChanged(pressed=True))
        assert isinstance(bench.log[0], ef.OpenContactor)

    def test_pressed_twice_is_pressed_once(self) -> None:
        bench = Bench()
        bench.apply(ev.EmergencyStopChanged(pressed=True), ev.EmergencyStopChanged(pressed=True))
        bench.apply(ev.EmergencyStopChanged(pressed=False))
        assert bench.view(0).status is ConnectorStatus.AVAILABLE


def test_an_open_door_is_a_security_event_and_no_fault() -> None:
    bench = Bench()
    bench.charge()
    bench.apply(ev.TamperChanged(open=True), ev.TamperChanged(open=False))
    assert [event.kind for event in bench.of(SecurityEvent)] == ["TamperDetectionActivated"]
    assert bench.charging()


def test_the_car_that_leaves_a_faulted_evse_leaves_it_free() -> None:
    bench = Bench()
    bench.charge()
    bench.raise_fault()
    bench.apply(ev.PilotChanged(1, PilotState.A), ev.CableChanged(1, 1, present=False))
    assert bench.stop_reasons == [StopReason.EV_DISCONNECTED]
    bench.clear_fault()
    assert bench.session() is Session.AVAILABLE
    assert bench.view().status is ConnectorStatus.AVAILABLE
