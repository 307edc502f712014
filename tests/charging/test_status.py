"""What is told of the connectors, and when (1.6 §4.9, §5.17, §9.1.20)."""

from __future__ import annotations

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.reports import ConnectorReport
from agent.charging.types import ChargingState, ConnectorSpec, ConnectorStatus, EvseSpec, Session

from .harness import Bench, socket


def story(bench: Bench) -> list[tuple[Session, ChargingState | None]]:
    return [(view.session, view.charging_state) for view in bench.told()]


def test_each_change_is_told_once() -> None:
    """Errata 3.19"""
    bench = Bench()
    bench.charge()
    bench.pause()
    bench.advance(10)
    bench.card()
    bench.unplug()
    assert story(bench) == [
        (Session.PLUGGED, None),
        (Session.TRANSACTION, ChargingState.EV_CONNECTED),
        (Session.TRANSACTION, ChargingState.CHARGING),
        (Session.TRANSACTION, ChargingState.SUSPENDED_EV),
        (Session.FINISHED, None),
        (Session.AVAILABLE, None),
    ]


def test_card_first_prepares_without_a_car() -> None:
    bench = Bench()
    bench.card()
    assert story(bench) == [(Session.AUTHORIZED, None)]
    assert bench.view().status is ConnectorStatus.AVAILABLE


def test_nothing_is_told_while_nothing_changes() -> None:
    bench = Bench()
    bench.charge()
    bench.log.clear()
    bench.advance(3600)
    assert not bench.of(ConnectorReport)
    assert not bench.of(ef.Show)


class TestMinimumDuration:
    def test_holds_a_status_back_until_it_has_lasted(self) -> None:
        bench = Bench(settings={v.MINIMUM_STATUS_DURATION: 5})
        bench.plug_in()
        bench.advance(4.9)
        assert not bench.told()
        bench.advance(0.2)
        assert story(bench) == [(Session.PLUGGED, None)]

    def test_leaves_out_what_did_not_last(self) -> None:
        bench = Bench(settings={v.MINIMUM_STATUS_DURATION: 5})
        bench.plug_in()
        bench.advance(2)
        bench.card()
        bench.advance(10)
        assert story(bench) == [(Session.TRANSACTION, ChargingState.CHARGING)]

    def test_tells_nothing_of_what_went_and_came_back(self) -> None:
        bench = Bench(settings={v.MINIMUM_STATUS_DURATION: 5})
        bench.plug_in()
        bench.advance(2)
        bench.unplug()
        bench.advance(60)
        assert not bench.told()

    def test_holds_nothing_back_from_whoever_looks_at_the_charger(self) -> None:
        bench = Bench(settings={v.MINIMUM_STATUS_DURATION: 5})
        bench.plug_in()
        assert [show.view.session for show in bench.of(ef.Show)] == [Session.PLUGGED]

    def test_does_not_hold_back_what_a_csms_asks_for(self) -> None:
        """1.6 §5.17"""
        bench = Bench(settings={v.MINIMUM_STATUS_DURATION: 5})
        bench.plug_in()
        assert bench.station.trigger_status(1, 1, bench.now)
        bench.settle()
        assert story(bench) == [(Session.PLUGGED, None)]
        bench.advance(10)
        assert len(story(bench)) == 1


class TestTriggered:
    def test_without_a_connector_tells_all_the_station_first(self) -> None:
        bench = Bench(socket(1), socket(2))
        assert bench.station.trigger_status(None, 0, bench.now)
        bench.settle()
        reports = bench.of(ConnectorReport)
        assert [(report.view.evse_id, report.forced) for report in reports] == [(0, True), (1, True), (2, True)]

    def test_of_the_station_tells_the_station(self) -> None:
        bench = Bench()
        assert bench.station.trigger_status(0, 0, bench.now)
        bench.settle()
        assert [report.view.evse_id for report in bench.of(ConnectorReport)] == [0]

    def test_of_what_does_not_exist_is_refused(self) -> None:
        bench = Bench()
        assert not bench.station.trigger_status(2, 1, bench.now)
        assert not bench.station.trigger_status(1, 2, bench.now)


def test_the_second_connector_of_an_evse_in_use_is_of_no_use() -> None:
    bench = Bench(EvseSpec(1, (ConnectorSpec(1, "cType2"), ConnectorSpec(2, "cCCS2")), 32.0, 3))
    bench.plug_in(connector_id=2)
    assert bench.view(1, 1).status is ConnectorStatus.UNAVAILABLE
    assert bench.view(1, 2).status is ConnectorStatus.OCCUPIED
    bench.unplug()
    assert bench.view(1, 1).status is ConnectorStatus.AVAILABLE
