"""Operative or not (1.6 §5.2)."""

from __future__ import annotations

from agent.charging import effects as ef
from agent.charging.station import Restored
from agent.charging.types import ConnectorSpec, ConnectorStatus, EvseSpec, Outcome, Session

from .harness import Bench, socket

UNAVAILABLE = ConnectorStatus.UNAVAILABLE
AVAILABLE = ConnectorStatus.AVAILABLE


def test_an_idle_evse_changes_at_once_and_says_so() -> None:
    bench = Bench()
    assert bench.change_availability(operative=False) is Outcome.ACCEPTED
    assert bench.view().status is UNAVAILABLE
    assert bench.told()[-1].status is UNAVAILABLE
    assert bench.of(ef.SaveAvailability) == [ef.SaveAvailability(1, 0, operative=False)]
    assert bench.change_availability(operative=True) is Outcome.ACCEPTED
    assert bench.view().status is AVAILABLE


def test_the_state_it_is_in_already_is_accepted_and_not_written_again() -> None:
    bench = Bench()
    assert bench.change_availability(operative=True) is Outcome.ACCEPTED
    bench.change_availability(operative=False)
    assert bench.change_availability(operative=False) is Outcome.ACCEPTED
    assert len(bench.of(ef.SaveAvailability)) == 1


def test_a_running_transaction_is_not_disturbed() -> None:
    bench = Bench()
    bench.charge()
    assert bench.change_availability(operative=False) is Outcome.SCHEDULED
    bench.advance(600)
    assert bench.charging()
    bench.card()
    assert bench.session() is Session.FINISHED
    bench.unplug()
    assert bench.view().status is UNAVAILABLE


def test_the_driver_who_is_leaving_cannot_start_again() -> None:
    bench = Bench()
    bench.charge()
    bench.change_availability(operative=False)
    bench.card()
    bench.card()
    assert len(bench.started) == 1


def test_what_is_scheduled_can_be_called_off() -> None:
    bench = Bench()
    bench.charge()
    bench.change_availability(operative=False)
    assert bench.change_availability(operative=True) is Outcome.ACCEPTED
    bench.card()
    bench.unplug()
    assert bench.view().status is AVAILABLE


def test_nobody_starts_at_an_inoperative_evse() -> None:
    bench = Bench()
    bench.change_availability(operative=False)
    bench.plug_in()
    bench.card()
    assert not bench.started
    assert bench.rejections == 1
    assert bench.remote_start() is Outcome.REJECTED


def test_whoever_was_authorized_and_has_not_come_is_turned_away() -> None:
    bench = Bench()
    bench.card()
    assert bench.change_availability(operative=False) is Outcome.ACCEPTED
    assert bench.session() is Session.AVAILABLE
    bench.plug_in()
    assert not bench.started


def test_persists() -> None:
    """1.6 §4.9, §5.2: across reboot"""
    bench = Bench(socket(1), socket(2), restored=Restored(inoperative=frozenset({(2, 0)})))
    assert bench.view(1).status is AVAILABLE
    assert bench.view(2).status is UNAVAILABLE


def test_a_schedule_persists_through_a_power_cut() -> None:
    before = Bench()
    before.charge()
    before.change_availability(operative=False)
    assert before.of(ef.SaveAvailability) == [ef.SaveAvailability(1, 0, operative=False)]


def test_of_the_station_reaches_every_evse() -> None:
    """1.6 §5.2: connector 0"""
    bench = Bench(socket(1), socket(2))
    bench.charge(1)
    assert bench.change_availability(operative=False, evse_id=0) is Outcome.SCHEDULED
    assert bench.view(0).status is UNAVAILABLE
    assert bench.view(2).status is UNAVAILABLE
    assert bench.charging(1)
    bench.card("ANNA")
    bench.unplug(1)
    assert bench.view(1).status is UNAVAILABLE
    assert bench.change_availability(operative=True, evse_id=0) is Outcome.ACCEPTED
    assert [view.status for view in bench.station.views()] == [AVAILABLE] * 3


def test_of_one_connector_leaves_the_other() -> None:
    spec = EvseSpec(1, (ConnectorSpec(1, "cType2"), ConnectorSpec(2, "cCCS2")), 32.0, 3)
    bench = Bench(spec)
    assert bench.change_availability(operative=False, connector_id=1) is Outcome.ACCEPTED
    assert bench.view(1, 1).status is UNAVAILABLE
    assert bench.view(1, 2).status is AVAILABLE
    bench.plug_in(connector_id=2)
    bench.card()
    assert bench.charging()
    assert bench.change_availability(operative=False, connector_id=2) is Outcome.SCHEDULED


def test_of_what_does_not_exist_is_rejected() -> None:
    bench = Bench()
    assert bench.change_availability(operative=False, evse_id=7) is Outcome.REJECTED
    assert bench.change_availability(operative=False, connector_id=2) is Outcome.REJECTED
    assert not bench.of(ef.SaveAvailability)
