"""Who came first, car or card; how a session goes on and ends (1.6 §4.9)."""

from __future__ import annotations

import itertools

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.session import TABLE, SessionEvent
from agent.charging.types import PilotState, Session, StopReason, TriggerReason

from .harness import ACCEPTED, Bench, fixed_cable, socket


class TestStart:
    def test_plug_first(self) -> None:
        """1.6 §4.9 A2, B3"""
        bench = Bench()
        bench.plug_in()
        assert bench.session() is Session.PLUGGED
        assert not bench.started
        bench.card()
        assert bench.charging()
        assert [report.trigger for report in bench.started] == [TriggerReason.AUTHORIZED]

    def test_card_first(self) -> None:
        """1.6 §4.9 A2, B3"""
        bench = Bench()
        bench.card()
        assert bench.session() is Session.AUTHORIZED
        bench.plug_in()
        assert bench.charging()

    def test_cable_then_card_then_car(self) -> None:
        bench = Bench()
        bench.put_cable()
        bench.card()
        assert bench.session() is Session.AUTHORIZED
        bench.plug_in()
        assert bench.charging()

    def test_no_energy_without_authorization(self) -> None:
        """1.6 §4.1"""
        bench = Bench()
        bench.plug_in()
        bench.advance(600)
        assert not bench.of(ef.CloseContactor)
        assert not bench.of(ef.OfferCurrent)

    def test_the_latch_and_the_first_reading_come_before_the_contactor(self) -> None:
        bench = Bench()
        bench.charge()
        order = [type(output) for output in bench.log]
        close = order.index(ef.CloseContactor)
        assert order.index(ef.SelfCheck) < close
        assert order.index(ef.LockConnector) < close
        assert order.index(ef.ReadMeter) < close

    @pytest.mark.parametrize("part", ["lock", "meter", "self-check"])
    def test_a_part_that_does_not_answer_keeps_the_contactor_open(self, part: str) -> None:
        bench = Bench()
        bench.hardware[1].silent.add(part)
        bench.plug_in()
        bench.card()
        bench.advance(30)
        assert not bench.of(ef.CloseContactor)

    def test_slow_hardware_only_takes_longer(self) -> None:
        bench = Bench()
        bench.hardware[1].late_s = 0.7
        bench.plug_in()
        bench.card()
        bench.advance(10)
        assert bench.charging()
        bench.card()
        bench.advance(10)
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert bench.session() is Session.FINISHED

    def test_a_fixed_cable_is_not_locked(self) -> None:
        bench = Bench(fixed_cable())
        bench.charge()
        assert bench.charging()
        assert not bench.of(ef.LockConnector)


class TestConnectionTimeOut:
    """1.6 §9.1.6, errata 3.77: counted from the beginning of Preparing."""

    def test_a_card_without_a_car_is_forgotten(self) -> None:
        """B1"""
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.card()
        bench.advance(29)
        assert bench.session() is Session.AUTHORIZED
        bench.advance(1)
        assert bench.session() is Session.AVAILABLE
        bench.plug_in()
        bench.advance(20)
        assert not bench.of(ef.CloseContactor)

    def test_a_car_without_a_card_is_finishing(self) -> None:
        """B6, errata 3.20"""
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.plug_in()
        bench.advance(30)
        assert bench.session() is Session.FINISHED
        bench.unplug()
        assert bench.session() is Session.AVAILABLE

    def test_the_finished_car_may_still_start_at_the_reader_of_its_own(self) -> None:
        """F2: presents idTag again"""
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.plug_in()
        bench.advance(60)
        bench.card(evse_id=1)
        assert bench.charging()

    def test_but_not_by_a_card_that_may_be_anybodys(self) -> None:
        """Errata 3.20: with one reader for two connectors the next driver's card must not start it."""
        bench = Bench(socket(1), socket(2), settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.plug_in(1)
        bench.advance(60)
        bench.card("NEXT")
        assert bench.session(1) is Session.FINISHED
        bench.plug_in(2)
        assert bench.charging(2)
        assert bench.session(1) is Session.FINISHED

    def test_reconnecting_after_the_time_out_prepares_anew(self) -> None:
        """F2: reconnects cable"""
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.plug_in()
        bench.advance(60)
        bench.unplug_car()
        bench.plug_in()
        assert bench.session() is Session.PLUGGED

    def test_does_not_run_while_the_csms_thinks(self) -> None:
        """Whoever showed a card in time is not too late because the answer is."""
        bench = Bench(socket(1), socket(2), settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.plug_in(1)
        bench.advance(25)
        bench.hold_answers = True
        bench.card()
        bench.advance(25)
        bench.answer()
        assert bench.charging(1)

    def test_runs_out_at_once_when_the_late_answer_is_no(self) -> None:
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.answers["MALLORY"] = None
        bench.plug_in(1)
        bench.advance(25)
        bench.hold_answers = True
        bench.card("MALLORY")
        bench.advance(25)
        bench.answer()
        bench.advance(0.1)
        assert bench.session() is Session.FINISHED


class TestRaces:
    def test_the_car_leaves_before_the_answer(self) -> None:
        bench = Bench()
        bench.plug_in()
        bench.hold_answers = True
        bench.card()
        bench.unplug()
        bench.answer()
        assert bench.session() is Session.AUTHORIZED
        assert not bench.of(ef.CloseContactor)

    def test_the_car_comes_before_the_answer(self) -> None:
        bench = Bench()
        bench.hold_answers = True
        bench.card()
        bench.plug_in()
        assert not bench.of(ef.CloseContactor)
        bench.answer()
        assert bench.charging()

    def test_a_fault_comes_before_the_answer(self) -> None:
        bench = Bench()
        bench.plug_in()
        bench.hold_answers = True
        bench.card()
        bench.raise_fault()
        bench.answer()
        assert not bench.of(ef.CloseContactor)
        assert bench.rejections == 1

    def test_a_card_that_is_shown_twice_before_the_answer_is_asked_once(self) -> None:
        bench = Bench()
        bench.plug_in()
        bench.hold_answers = True
        bench.card()
        bench.card()
        bench.answer()
        assert bench.asked == ["ANNA"]
        assert bench.charging()

    def test_a_card_between_the_stop_and_its_end_starts_nothing(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.card()
        bench.card()
        bench.advance(5)
        assert bench.session() is Session.FINISHED
        assert len(bench.started) == 1


class TestTwoEvses:
    """One reader for both: an authorization floats to where the car is."""

    def test_the_card_is_for_the_car_that_waits(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.plug_in(2)
        bench.card()
        assert bench.charging(2)
        assert bench.session(1) is Session.AVAILABLE

    def test_the_card_is_for_the_car_that_came_last(self) -> None:
        bench = Bench(socket(1), socket(2), settings={v.EV_CONNECTION_TIME_OUT: 600})
        bench.plug_in(2)
        bench.advance(5)
        bench.plug_in(1)
        bench.card()
        assert bench.charging(1)
        assert bench.session(2) is Session.PLUGGED

    def test_the_car_that_comes_after_the_card_takes_it(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.card()
        assert bench.session(1) is Session.AVAILABLE
        bench.plug_in(2)
        assert bench.charging(2)
        bench.plug_in(1)
        assert bench.session(1) is Session.PLUGGED

    def test_the_floating_authorization_runs_out(self) -> None:
        bench = Bench(socket(1), socket(2), settings={v.EV_CONNECTION_TIME_OUT: 30})
        bench.card()
        bench.advance(30)
        bench.plug_in(2)
        assert bench.session(2) is Session.PLUGGED

    def test_the_second_presentation_takes_it_back(self) -> None:
        """B1"""
        bench = Bench(socket(1), socket(2))
        bench.card()
        bench.card()
        bench.plug_in(2)
        assert bench.session(2) is Session.PLUGGED

    def test_both_charge_and_each_card_stops_its_own(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.plug_in(1)
        bench.card("ANNA")
        bench.plug_in(2)
        bench.card("BEN")
        assert bench.charging(1)
        assert bench.charging(2)
        bench.card("ANNA")
        assert [report.evse_id for report in bench.ended] == [1]
        assert bench.charging(2)

    def test_two_drivers_before_their_cars_are_served_in_turn(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.card("ANNA")
        bench.card("BEN")
        bench.plug_in(2)
        bench.plug_in(1)
        assert [(report.evse_id, report.id_token.value) for report in bench.started if report.id_token] == [
            (2, "ANNA"),
            (1, "BEN"),
        ]

    def test_a_car_at_an_evse_out_of_order_takes_nothing(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.raise_fault(evse_id=1)
        bench.card()
        bench.plug_in(1)
        assert not bench.started
        bench.plug_in(2)
        assert bench.charging(2)


class TestTable:
    """A (state, event) pair that is absent is refused and changes nothing."""

    @pytest.mark.parametrize(
        ("session", "event"),
        [pair for pair in itertools.product(Session, SessionEvent) if pair not in TABLE],
    )
    def test_absent_pairs_change_nothing(self, session: Session, event: SessionEvent) -> None:
        bench = Bench()
        evse = bench.station.evses[1]
        evse.session = session
        before = bench.station.drain()
        evse._happen(event)
        assert evse.session is session
        assert not before
        assert not bench.station.drain()

    def test_facts_about_what_does_not_exist_are_ignored(self) -> None:
        bench = Bench()
        bench.charge()
        before = len(bench.log)
        bench.apply(
            ev.PilotChanged(7, PilotState.B),
            ev.PilotChanged(1, PilotState.A, connector_id=3),
            ev.CableChanged(1, 3, present=False),
            ev.CableChanged(9, 1, present=True),
            ev.ContactorChanged(2, closed=True),
            ev.LockChanged(2, locked=False),
            ev.SelfChecked(2),
            ev.MeterRead(2, ef.ReadPurpose.END, 0, None),
            ev.Authorized("nobody asked", ACCEPTED),
            ev.LimitChanged(2, 0.0),
            ev.FaultCleared(1, "GroundFailure"),
            ev.FaultCleared(8, "GroundFailure"),
        )
        assert len(bench.log) == before
        assert bench.charging()
