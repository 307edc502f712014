"""What the car is given: its own pauses, the limits, and nothing before everything is prepared (1.6 §4.1, §4.9)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.types import ChargingState, PilotState, Session, StopReason

from .harness import START_MS, Bench, socket


class TestCar:
    def test_pauses_and_resumes(self) -> None:
        """C4, D3"""
        bench = Bench()
        bench.charge()
        bench.pause()
        assert not bench.hardware[1].contactor_closed
        assert bench.charging_state() is ChargingState.SUSPENDED_EV
        bench.advance(10)
        bench.resume()
        bench.advance(10)
        assert bench.charging()
        assert len(bench.started) == 1
        assert not bench.ended

    def test_that_does_not_ask_is_suspended_by_itself(self) -> None:
        """B4, after the moments that a car may take to answer an offer"""
        bench = Bench()
        bench.plug_in(asks=False)
        bench.card()
        assert bench.charging_state() is ChargingState.EV_CONNECTED
        bench.advance(5)
        assert bench.charging_state() is ChargingState.SUSPENDED_EV

    def test_that_wants_ventilation_charges_only_where_there_is_some(self) -> None:
        """IEC 61851-1, state D"""
        for ventilation in (False, True):
            bench = Bench(socket()._replace(ventilation=ventilation))
            bench.plug_in(asks=False)
            bench.card()
            bench.apply(ev.PilotChanged(1, PilotState.D))
            assert bench.hardware[1].contactor_closed is ventilation

    @pytest.mark.parametrize("state", [PilotState.E, PilotState.F])
    def test_is_not_gone_when_the_pilot_fails(self, state: PilotState) -> None:
        bench = Bench()
        bench.charge()
        bench.apply(ev.PilotChanged(1, state))
        assert not bench.hardware[1].contactor_closed
        assert not bench.ended
        assert bench.session() is Session.TRANSACTION


class TestLimit:
    def test_below_what_a_pilot_can_offer_pauses(self) -> None:
        """C5, E3: 1.6 §7.7 SuspendedEVSE"""
        bench = Bench()
        bench.charge()
        bench.apply(ev.LimitChanged(1, 5.9))
        assert not bench.hardware[1].contactor_closed
        assert bench.charging_state() is ChargingState.SUSPENDED_EVSE
        bench.apply(ev.LimitChanged(1, 10.0))
        bench.advance(10)
        assert bench.charging()
        assert bench.of(ef.OfferCurrent)[-1].current_a == 10.0

    def test_has_precedence_over_a_pausing_car(self) -> None:
        """1.6 §4.9: suspended by both is SuspendedEVSE"""
        bench = Bench()
        bench.charge()
        bench.pause()
        bench.apply(ev.LimitChanged(1, 0.0))
        assert bench.charging_state() is ChargingState.SUSPENDED_EVSE
        bench.apply(ev.LimitChanged(1, 16.0))
        assert bench.charging_state() is ChargingState.SUSPENDED_EV

    def test_never_exceeds_the_hardware_nor_the_cable(self) -> None:
        bench = Bench()
        bench.put_cable(rating_a=20.0)
        bench.apply(ev.PilotChanged(1, PilotState.B))
        bench.card()
        assert bench.of(ef.OfferCurrent)[-1].current_a == 20.0
        bench.apply(ev.LimitChanged(1, 63.0))
        assert bench.of(ef.OfferCurrent)[-1].current_a == 20.0

    def test_a_cable_that_says_nothing_is_the_weakest_there_is(self) -> None:
        bench = Bench()
        bench.put_cable(rating_a=None)
        bench.apply(ev.PilotChanged(1, PilotState.B))
        bench.card()
        assert bench.of(ef.OfferCurrent)[-1].current_a == 13.0

    def test_the_first_offer_is_within_the_limit(self) -> None:
        bench = Bench()
        bench.apply(ev.LimitChanged(1, 8.0))
        bench.charge()
        assert [offer.current_a for offer in bench.of(ef.OfferCurrent)] == [8.0]


class TestSelfCheck:
    @pytest.mark.parametrize("meter", ["reads", "broken"])
    def test_that_does_not_end_ends_the_attempt(self, meter: str) -> None:
        # an interval of 7 s, so that nothing else wakes the station just then
        bench = Bench(settings={v.TRANSACTION_SAVE_INTERVAL: 7})
        bench.hardware[1].silent.add("self-check")
        if meter == "broken":
            bench.hardware[1].broken.add("meter")
        bench.plug_in()
        bench.card()
        bench.advance(29)
        assert bench.session() is Session.TRANSACTION
        bench.advance(600)
        assert bench.session() is Session.FINISHED
        assert [ended.at_ms - START_MS for ended in bench.ended] == ([30_000] if meter == "reads" else [])
        assert bench.view().info == "self-check does not end"
        assert bench.stop_reasons == ([StopReason.OTHER] if meter == "reads" else [])
        assert bench.station.idle
        assert not bench.of(ef.OfferCurrent)
        assert not bench.of(ef.CloseContactor)
        assert not bench.held()

    def test_that_ends_in_time_ends_nothing(self) -> None:
        bench = Bench()
        bench.hardware[1].silent.add("self-check")
        bench.plug_in()
        bench.card()
        bench.advance(29)
        bench.apply(ev.SelfChecked(1))
        bench.advance(60)
        assert bench.charging()

    def test_may_be_tried_again(self) -> None:
        bench = Bench()
        bench.hardware[1].silent.add("self-check")
        bench.plug_in()
        bench.card()
        bench.advance(31)
        bench.apply(ev.SelfChecked(1))  # too late
        bench.card(evse_id=1)
        assert bench.session() is Session.TRANSACTION
        assert not bench.of(ef.CloseContactor)
        bench.apply(ev.SelfChecked(1))
        bench.advance(10)
        assert bench.charging()
