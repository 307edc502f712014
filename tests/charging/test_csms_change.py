"""Another CSMS while the station runs: nothing that the last one knew or said counts any more (1.6 §4.2, §3.5)."""

from __future__ import annotations

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.reports import AuthorizeRequest, BootRequest, ConnectorReport
from agent.charging.types import RegistrationStatus, Session

from .harness import Bench, socket


def change_csms(bench: Bench) -> None:
    """New settings are applied; the link follows."""
    bench.station.csms_changed(bench.now)
    bench.settle()


def redial(bench: Bench) -> None:
    bench.go_offline()
    bench.go_online()


class TestRegistration:
    def test_begins_anew(self) -> None:
        bench = Bench()
        change_csms(bench)
        assert bench.station.registration.status is None
        redial(bench)
        assert len(bench.of(BootRequest)) == 1
        assert bench.station.registration.accepted
        assert len(bench.of(ef.SaveRegistration)) == 1

    def test_tells_every_status_whatever_the_last_csms_heard(self) -> None:
        bench = Bench(socket(1), socket(2))
        change_csms(bench)
        bench.log.clear()
        redial(bench)
        assert [(each.view.evse_id, each.forced) for each in bench.of(ConnectorReport)] == [
            (0, True), (1, True), (2, True)
        ]  # fmt: skip

    def test_heeds_no_answer_of_the_last_csms(self) -> None:
        bench = Bench(registered=False)
        bench.station.apply(ev.LinkUp(), bench.now)
        bench.station.drain()
        change_csms(bench)
        bench.apply(ev.BootAnswered(RegistrationStatus.ACCEPTED, 300))
        assert bench.station.registration.status is None
        assert not bench.of(ef.SaveRegistration)
        redial(bench)
        assert bench.station.registration.accepted

    def test_waits_no_longer_because_the_last_csms_said_so(self) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(RegistrationStatus.REJECTED, 3600)]
        bench.go_online()
        change_csms(bench)
        assert bench.station.registration.again_in_s is None
        redial(bench)
        assert len(bench.of(BootRequest)) == 2
        assert bench.station.registration.accepted

    def test_says_nothing_more_to_the_last_csms(self) -> None:
        bench = Bench()
        bench.set(v.HEARTBEAT_INTERVAL, 60)
        change_csms(bench)
        bench.advance(3600)
        bench.card()
        assert not [each for each in bench.log if not isinstance(each, ef.Show | ef.SignalRejection)]

    def test_until_it_is_accepted_nobody_charges_where_that_is_wanted(self) -> None:
        """1.6 §4.2.1"""
        bench = Bench(settings={v.TX_BEFORE_ACCEPTED_ENABLED: False, v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED: True})
        change_csms(bench)
        bench.go_offline()
        bench.plug_in()
        bench.card()
        assert not bench.started


class TestDrivers:
    def test_whom_the_last_csms_knew_are_strangers(self) -> None:
        bench = Bench()
        bench.charge()
        bench.card()
        bench.unplug()
        assert len(bench.station.cache) == 1
        bench.log.clear()
        change_csms(bench)
        assert len(bench.station.cache) == 0
        assert bench.of(ef.ForgetCacheEntries) == [ef.ForgetCacheEntries()]
        bench.plug_in()
        bench.card()  # offline, and LocalAuthorizeOffline
        assert bench.session() is Session.PLUGGED

    def test_who_wait_for_its_answer_are_refused(self) -> None:
        bench = Bench()
        bench.hold_answers = True
        bench.plug_in()
        bench.card()
        assert bench.of(AuthorizeRequest)
        change_csms(bench)
        assert bench.rejections == 1
        bench.answer()
        assert not bench.started
        assert not bench.station.evses[1].answer_pending

    def test_who_wait_for_their_car_wait_no_longer(self) -> None:
        one, two = Bench(), Bench(socket(1), socket(2))
        for bench in (one, two):
            bench.card()
            change_csms(bench)
            assert bench.session() is Session.AVAILABLE
            bench.plug_in()
            assert bench.session() is Session.PLUGGED

    def test_who_charge_go_on(self) -> None:
        bench = Bench()
        bench.charge()
        change_csms(bench)
        redial(bench)
        bench.advance(120)
        assert bench.charging()
        assert not bench.ended
