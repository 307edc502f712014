"""Registration with the CSMS and the heartbeat (1.6 §4.2, §4.6)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.reports import AuthorizeRequest, BootRequest, ConnectorReport, HeartbeatRequest
from agent.charging.station import Restored
from agent.charging.types import Outcome, RegistrationStatus

from .harness import Bench, socket

PENDING = RegistrationStatus.PENDING
REJECTED = RegistrationStatus.REJECTED
ACCEPTED = RegistrationStatus.ACCEPTED


def boots(bench: Bench) -> int:
    return len(bench.of(BootRequest))


class TestBoot:
    def test_is_sent_with_the_first_link(self) -> None:
        bench = Bench(registered=False)
        bench.advance(600)
        assert boots(bench) == 0
        bench.go_online()
        assert boots(bench) == 1

    def test_accepted_tells_every_status_the_station_first(self) -> None:
        """Errata 3.22"""
        bench = Bench(socket(1), socket(2), registered=False)
        bench.log.clear()
        bench.go_online()
        forced = [report.view.evse_id for report in bench.of(ConnectorReport) if report.forced]
        assert forced == [0, 1, 2]

    def test_accepted_sets_the_heartbeat(self) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(ACCEPTED, 77)]
        bench.go_online()
        assert bench.model.integer(v.HEARTBEAT_INTERVAL) == 77

    def test_accepted_with_interval_0_leaves_the_heartbeat(self) -> None:
        bench = Bench(registered=False, settings={v.HEARTBEAT_INTERVAL: 123})
        bench.boot_answers = [ev.BootAnswered(ACCEPTED, 0)]
        bench.go_online()
        assert bench.model.integer(v.HEARTBEAT_INTERVAL) == 123

    def test_is_not_repeated_after_a_mere_reconnect(self) -> None:
        """OCPP-J 1.6 §5.4; only the statuses are told, and only what has changed (the uplink knows)"""
        bench = Bench()
        bench.go_offline()
        bench.log.clear()
        bench.go_online()
        assert boots(bench) == 0
        assert [report.forced for report in bench.of(ConnectorReport)] == [False, False]

    def test_the_first_acceptance_is_remembered_once(self) -> None:
        bench = Bench(registered=False)
        bench.go_online()
        assert len(bench.of(ef.SaveRegistration)) == 1
        again = Bench(registered=False, restored=Restored(ever_accepted=True))
        again.go_online()
        assert not again.of(ef.SaveRegistration)


class TestNotAccepted:
    @pytest.mark.parametrize("status", [PENDING, REJECTED])
    def test_waits_as_long_as_it_is_told(self, status: RegistrationStatus) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(status, 90)]
        bench.go_online()
        bench.advance(89)
        assert boots(bench) == 1
        bench.advance(1)
        assert boots(bench) == 2
        assert bench.station.registration.accepted

    def test_waits_also_when_the_link_is_new(self) -> None:
        """1.6 §4.2: not earlier than the interval"""
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(REJECTED, 90)]
        bench.go_online()
        bench.go_offline()
        bench.advance(30)
        bench.go_online()
        bench.advance(59)
        assert boots(bench) == 1
        bench.advance(1)
        assert boots(bench) == 2

    def test_with_interval_0_does_not_flood(self) -> None:
        bench = Bench(registered=False, settings={v.RETRY_BACK_OFF_WAIT_MINIMUM: 10})
        bench.boot_answers = [ev.BootAnswered(PENDING, 0)] * 50
        bench.go_online()
        bench.advance(600)
        assert boots(bench) <= 60

    def test_a_boot_without_an_answer_is_retried_by_the_back_off(self) -> None:
        """not by the heartbeat's interval"""
        bench = Bench(
            registered=False,
            settings={
                v.RETRY_BACK_OFF_WAIT_MINIMUM: 10,
                v.RETRY_BACK_OFF_RANDOM_RANGE: 4,
                v.RETRY_BACK_OFF_REPEAT_TIMES: 2,
                v.HEARTBEAT_INTERVAL: 86_400,
            },
        )
        station, times = bench.station, []
        station.apply(ev.LinkUp(), bench.now)
        for _ in range(5):
            assert any(isinstance(output, BootRequest) for output in station.drain())
            times.append(bench.now.mono_s)
            station.apply(ev.BootFailed(), bench.now)
            station.drain()
            deadline_s = station.next_deadline()
            assert deadline_s is not None
            bench.now = bench.now._replace(mono_s=deadline_s)
            station.tick(bench.now)
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert waits == pytest.approx([12, 22, 42, 42])

    def test_the_back_off_is_never_longer_than_a_day(self) -> None:
        settings: dict[VariableId, object] = {
            v.RETRY_BACK_OFF_WAIT_MINIMUM: 86_400,
            v.RETRY_BACK_OFF_RANDOM_RANGE: 86_400,
            v.RETRY_BACK_OFF_REPEAT_TIMES: 20,
        }
        bench = Bench(registered=False, settings=settings)
        bench.boot_answers = [ev.BootAnswered(REJECTED, 0)] * 9
        bench.go_online()
        bench.advance(8 * 86_400)
        assert boots(bench) == 9

    def test_a_boot_that_the_csms_never_answers_waits_a_day_at_most(self) -> None:
        bench = Bench(registered=False, settings={v.RETRY_BACK_OFF_WAIT_MINIMUM: 86_400})
        bench.station.apply(ev.LinkUp(), bench.now)
        bench.station.apply(ev.BootFailed(), bench.now)
        bench.station.apply(ev.BootFailed(), bench.now)
        assert bench.station.registration.again_in_s == 86_400

    def test_a_wait_of_years_is_cut_to_a_day(self) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(PENDING, 2**31 - 1)]
        bench.go_online()
        bench.advance(86_401)
        assert boots(bench) == 2

    def test_pending_asks_and_beats_nothing(self) -> None:
        """1.6 §4.2: no request unless triggered"""
        bench = Bench(registered=False, restored=Restored(ever_accepted=True))
        bench.boot_answers = [ev.BootAnswered(PENDING, 3600)]
        bench.go_online()
        bench.card()
        bench.advance(3000)
        assert not bench.of(AuthorizeRequest)
        assert not bench.of(HeartbeatRequest)

    def test_pending_allows_no_remote_control(self) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(PENDING, 3600)]
        bench.go_online()
        assert bench.remote_start() is Outcome.REJECTED
        bench.set(v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED, value=True)
        started = bench.charge()
        assert bench.remote_stop(started.transaction_id) is Outcome.REJECTED
        assert bench.charging()

    def test_pending_may_be_asked_for_its_boot(self) -> None:
        bench = Bench(registered=False)
        bench.boot_answers = [ev.BootAnswered(PENDING, 3600)]
        bench.go_online()
        assert bench.station.trigger_boot(bench.now)
        bench.settle()
        assert bench.of(BootRequest)[-1].triggered
        assert bench.station.registration.accepted

    def test_accepted_refuses_to_boot_again(self) -> None:
        """Errata 3.35, 3.40"""
        bench = Bench()
        assert not bench.station.trigger_boot(bench.now)


class TestBeforeTheFirstAcceptance:
    """1.6 §4.2.1"""

    def test_nobody_charges_at_a_station_that_no_csms_knows(self) -> None:
        bench = Bench(
            registered=False,
            settings={v.TX_BEFORE_ACCEPTED_ENABLED: False, v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED: True},
        )
        bench.plug_in()
        bench.card()
        assert not bench.started

    @pytest.mark.parametrize("ever_accepted", [False, True])
    def test_but_where_it_was_known_or_the_operator_wants_it(self, *, ever_accepted: bool) -> None:
        bench = Bench(
            registered=False,
            restored=Restored(ever_accepted=ever_accepted),
            settings={
                v.TX_BEFORE_ACCEPTED_ENABLED: not ever_accepted,
                v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED: True,
            },
        )
        bench.charge()
        assert bench.started[0].offline


class TestHeartbeat:
    def test_comes_after_an_interval_of_silence(self) -> None:
        """1.6 §9.1.10"""
        bench = Bench(settings={v.ALIGNED_INTERVAL: 0})
        bench.set(v.HEARTBEAT_INTERVAL, 60)
        bench.advance(40)
        bench.station.exchanged(bench.now)
        bench.advance(59)
        assert not bench.of(HeartbeatRequest)
        bench.advance(1)
        assert len(bench.of(HeartbeatRequest)) == 1
        bench.advance(600)
        assert len(bench.of(HeartbeatRequest)) == 11

    def test_comes_daily_however_much_else_is_said(self) -> None:
        """1.6 §4.6: its answer is the station's clock"""
        bench = Bench()
        bench.set(v.HEARTBEAT_INTERVAL, 300)
        for _ in range(3 * 24 * 60 + 1):
            bench.advance(60)
            bench.station.exchanged(bench.now)
        assert len(bench.of(HeartbeatRequest)) == 3

    def test_that_was_triggered_is_the_days(self) -> None:
        bench = Bench()
        bench.advance(50_000)
        bench.station.trigger_heartbeat(bench.now)
        bench.settle()
        bench.advance(86_399)
        assert len(bench.of(HeartbeatRequest)) == 1
        bench.advance(1)
        assert len(bench.of(HeartbeatRequest)) == 2

    def test_is_silent_while_offline(self) -> None:
        bench = Bench()
        bench.set(v.HEARTBEAT_INTERVAL, 60)
        bench.go_offline()
        bench.advance(600)
        assert not bench.of(HeartbeatRequest)

    def test_comes_at_least_daily_for_the_clocks_sake(self) -> None:
        """1.6 §4.6"""
        bench = Bench()
        bench.set(v.HEARTBEAT_INTERVAL, 10_000_000)
        bench.advance(86_400)
        assert len(bench.of(HeartbeatRequest)) == 1

    def test_comes_when_it_is_triggered(self) -> None:
        bench = Bench()
        bench.station.trigger_heartbeat(bench.now)
        bench.settle()
        assert bench.of(HeartbeatRequest) == [HeartbeatRequest(triggered=True)]
