"""Remote start and stop, unlock, reset, shutdown (1.6 §5.11, §5.12, §5.14, §5.18)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.reports import ConnectorReport, UnlockAnswer
from agent.charging.types import (
    ConnectorSpec,
    ConnectorStatus,
    EvseSpec,
    Outcome,
    Session,
    StopReason,
    TriggerReason,
    UnlockStatus,
)

from .harness import INVALID, Bench, fixed_cable, socket

TWO_SOCKETS = EvseSpec(1, (ConnectorSpec(1, "sType2"), ConnectorSpec(2, "sType2")), 32.0, 3, has_lock=True)


class TestRemoteStart:
    def test_starts_at_once_and_asks_nobody(self) -> None:
        """AuthorizeRemoteTxRequests false"""
        bench = Bench()
        bench.plug_in()
        assert bench.remote_start() is Outcome.ACCEPTED
        assert bench.charging()
        assert not bench.asked
        assert bench.started[0].trigger is TriggerReason.REMOTE_START

    def test_asks_where_it_is_to_be_like_a_card(self) -> None:
        """AuthorizeRemoteTxRequests true"""
        bench = Bench(settings={v.AUTHORIZE_REMOTE_START: True})
        bench.answers["MALLORY"] = INVALID
        bench.plug_in()
        assert bench.remote_start("MALLORY") is Outcome.ACCEPTED
        assert not bench.started
        assert bench.remote_start("REMOTE") is Outcome.ACCEPTED
        assert bench.asked == ["MALLORY", "REMOTE"]
        assert bench.charging()

    def test_waits_for_the_car_as_long_as_a_card_would(self) -> None:
        bench = Bench(settings={v.EV_CONNECTION_TIME_OUT: 30})
        assert bench.remote_start() is Outcome.ACCEPTED
        assert bench.session() is Session.AUTHORIZED
        bench.advance(31)
        assert bench.session() is Session.AVAILABLE

    def test_without_a_connector_prefers_the_car_that_waits(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.plug_in(2)
        assert bench.remote_start(evse_id=None) is Outcome.ACCEPTED
        assert bench.charging(2)

    def test_without_a_connector_takes_the_first_free_one(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.charge(1)
        assert bench.remote_start(evse_id=None) is Outcome.ACCEPTED
        assert bench.session(2) is Session.AUTHORIZED

    @pytest.mark.parametrize("obstacle", ["charging", "fault", "inoperative", "unknown", "authorized"])
    def test_is_rejected_where_nobody_can_start(self, obstacle: str) -> None:
        bench = Bench()
        match obstacle:
            case "charging":
                bench.charge()
            case "fault":
                bench.raise_fault()
            case "inoperative":
                bench.change_availability(operative=False)
            case "authorized":
                bench.card()
        assert bench.remote_start(evse_id=9 if obstacle == "unknown" else 1) is Outcome.REJECTED
        assert bench.remote_start(evse_id=None) is Outcome.REJECTED or obstacle == "unknown"

    def test_the_same_card_stops_what_was_started_remotely(self) -> None:
        bench = Bench()
        bench.plug_in()
        bench.remote_start("ANNA")
        bench.card("ANNA")
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_the_card_of_the_waiting_driver_takes_it_back(self) -> None:
        bench = Bench()
        bench.remote_start("ANNA")
        bench.card("ANNA")
        assert bench.session() is Session.AVAILABLE


class TestRemoteStartAtAConnector:
    """1.6 §6.33: connectorId is the connector on which to start"""

    def test_prepares_that_connector(self) -> None:
        bench = Bench(TWO_SOCKETS)
        assert bench.remote_start(connector_id=2) is Outcome.ACCEPTED
        assert bench.view(1, 2).session is Session.AUTHORIZED
        assert bench.view(1, 1).status is ConnectorStatus.UNAVAILABLE
        bench.plug_in(connector_id=2)
        assert bench.charging()
        assert bench.started[0].connector_id == 2

    def test_takes_the_car_that_waits_there(self) -> None:
        bench = Bench(TWO_SOCKETS)
        bench.plug_in(connector_id=2)
        assert bench.remote_start(connector_id=2) is Outcome.ACCEPTED
        assert bench.charging()

    @pytest.mark.parametrize("asks", [False, True])
    @pytest.mark.parametrize("obstacle", ["car", "cable", "inoperative", "unknown"])
    def test_is_rejected_where_that_connector_cannot_be_used(self, obstacle: str, *, asks: bool) -> None:
        bench = Bench(TWO_SOCKETS, settings={v.AUTHORIZE_REMOTE_START: asks})
        match obstacle:
            case "car":
                bench.plug_in(connector_id=1)
            case "cable":
                bench.put_cable(connector_id=1)
            case "inoperative":
                bench.change_availability(operative=False, connector_id=2)
        before = bench.station.views()
        assert bench.remote_start(connector_id=3 if obstacle == "unknown" else 2) is Outcome.REJECTED
        assert bench.station.views() == before
        assert not bench.asked

    def test_is_judged_again_when_the_csms_has_answered(self) -> None:
        """Meanwhile somebody has plugged in next to it."""
        bench = Bench(TWO_SOCKETS, settings={v.AUTHORIZE_REMOTE_START: True})
        bench.hold_answers = True
        assert bench.remote_start(connector_id=2) is Outcome.ACCEPTED
        bench.plug_in(connector_id=1)
        bench.answer()
        assert not bench.started
        assert bench.rejections == 1

    def test_that_comes_to_nothing_leaves_the_connectors_as_they_were(self) -> None:
        bench = Bench(TWO_SOCKETS, settings={v.AUTHORIZE_REMOTE_START: True})
        bench.answers["REMOTE"] = INVALID
        bench.remote_start(connector_id=2)
        bench.card("ANNA")
        assert bench.view(1, 1).session is Session.AUTHORIZED


class TestRemoteStop:
    def test_ends_the_transaction_and_lets_the_cable_go(self) -> None:
        bench = Bench()
        started = bench.charge()
        assert bench.remote_stop(started.transaction_id) is Outcome.ACCEPTED
        assert bench.stop_reasons == [StopReason.REMOTE]
        assert bench.ended[0].id_token is None
        assert not bench.held()
        assert bench.session() is Session.FINISHED

    def test_of_another_transaction_is_rejected(self) -> None:
        bench = Bench()
        bench.charge()
        assert bench.remote_stop("unknown") is Outcome.REJECTED
        assert bench.charging()

    def test_of_one_that_is_over_is_rejected(self) -> None:
        bench = Bench()
        started = bench.charge()
        bench.card()
        assert bench.remote_stop(started.transaction_id) is Outcome.REJECTED

    def test_of_one_that_is_ending_is_rejected(self) -> None:
        bench = Bench()
        started = bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.card()
        assert bench.remote_stop(started.transaction_id) is Outcome.REJECTED


class TestUnlock:
    def test_frees_a_cable(self) -> None:
        bench = Bench()
        bench.put_cable()
        bench.hardware[1].locked = True
        assert bench.unlock() is None
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCKED)]
        assert not bench.held()

    def test_ends_the_transaction_first(self) -> None:
        """1.6 §5.18"""
        bench = Bench()
        bench.charge()
        bench.log.clear()
        assert bench.unlock() is None
        assert bench.stop_reasons == [StopReason.UNLOCK_COMMAND]
        assert bench.log.index(bench.ended[0]) < bench.log.index(ef.UnlockConnector(1, 1, "call"))
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCKED)]
        assert len(bench.of(ef.UnlockConnector)) == 1

    def test_that_does_not_work_says_so(self) -> None:
        bench = Bench()
        bench.hardware[1].locked = True
        bench.hardware[1].broken.add("lock")
        bench.unlock()
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCK_FAILED)]

    def test_asked_twice_is_answered_twice(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.unlock(ref="first")
        bench.unlock(ref="second")
        bench.advance(10)
        assert {answer.ref for answer in bench.of(UnlockAnswer)} == {"first", "second"}

    def test_comes_to_a_transaction_that_is_ending(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.card()
        bench.unlock()
        bench.advance(10)
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCKED)]
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_comes_to_a_transaction_that_has_not_begun(self) -> None:
        bench = Bench()
        bench.hardware[1].broken.add("meter")
        bench.plug_in()
        bench.card()
        bench.unlock()
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", UnlockStatus.UNLOCKED)]
        assert not bench.started

    def test_needs_a_latch(self) -> None:
        bench = Bench(fixed_cable())
        assert bench.unlock() is UnlockStatus.NO_LOCK
        assert Bench(socket()._replace(has_lock=False)).unlock() is UnlockStatus.NO_LOCK

    def test_needs_a_connector(self) -> None:
        """Errata 3.87"""
        bench = Bench()
        assert bench.unlock(evse_id=7) is UnlockStatus.UNKNOWN_CONNECTOR
        assert bench.unlock(connector_id=7) is UnlockStatus.UNKNOWN_CONNECTOR

    def test_of_the_other_connector_leaves_the_transaction_alone(self) -> None:
        bench = Bench(TWO_SOCKETS)
        bench.charge()
        bench.unlock(connector_id=2)
        assert bench.of(ef.UnlockConnector) == [ef.UnlockConnector(1, 2, "call")]
        assert not bench.ended


class TestReset:
    @pytest.mark.parametrize(
        ("immediate", "reason"),
        [(False, StopReason.GRACEFUL_RESET), (True, StopReason.IMMEDIATE_RESET)],
    )
    def test_ends_every_transaction_before_it_restarts(self, immediate: bool, reason: StopReason) -> None:
        """Errata 3.36"""
        bench = Bench(socket(1), socket(2))
        bench.charge(1, "ANNA")
        bench.charge(2, "BEN")
        bench.log.clear()
        assert bench.reset(immediate=immediate) is Outcome.ACCEPTED
        assert bench.stop_reasons == [reason] * 2
        assert bench.of(ef.Restart) == [ef.Restart(immediate)]
        assert isinstance(
            [output for output in bench.log if not isinstance(output, ef.Show | ConnectorReport)][-1], ef.Restart
        )
        assert not bench.held(1)

    def test_of_an_idle_station_restarts_at_once(self) -> None:
        bench = Bench()
        bench.reset()
        assert bench.of(ef.Restart) == [ef.Restart(immediate=False)]

    def test_hangs_on_no_device(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].silent.update({"contactor", "meter", "lock"})
        bench.reset(immediate=True)
        assert not bench.of(ef.Restart)
        bench.advance(9)
        assert bench.of(ef.Restart) == [ef.Restart(immediate=True)]
        assert bench.stop_reasons == [StopReason.IMMEDIATE_RESET]

    def test_lets_nobody_start_meanwhile(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.charge(1)
        bench.hardware[1].late_s = 0.5
        bench.reset()
        bench.plug_in(2)
        bench.card("BEN")
        assert bench.remote_start(evse_id=2) is Outcome.REJECTED
        bench.advance(10)
        assert bench.session(2) is Session.PLUGGED
        assert len(bench.of(ef.Restart)) == 1

    def test_forgets_whoever_has_not_plugged_in_yet(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.charge(1)
        bench.card("BEN")
        bench.hardware[1].late_s = 0.5
        bench.reset()
        bench.plug_in(2)
        assert bench.session(2) is Session.PLUGGED


def test_a_shutdown_leaves_no_transaction_running() -> None:
    """1.6 §7.36 Reboot"""
    bench = Bench()
    bench.charge()
    bench.station.request_shutdown(bench.now)
    bench.settle()
    assert bench.stop_reasons == [StopReason.REBOOT]
    assert bench.station.idle
    assert not bench.hardware[1].contactor_closed
    assert not bench.of(ef.Restart)


def test_the_answer_to_a_wish_changes_nothing_where_it_is_refused() -> None:
    bench = Bench()
    bench.charge()
    bench.log.clear()
    bench.remote_start()
    bench.remote_stop("unknown")
    bench.unlock(evse_id=3)
    assert not bench.of(ConnectorReport)
    assert bench.charging()
