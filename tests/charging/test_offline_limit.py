"""A modest current while the CSMS that balances the load is away."""

from __future__ import annotations

from agent.charging import variables as v
from agent.charging.types import ChargingState

from .harness import Bench


def offered_a(bench: Bench) -> float:
    return bench.station.evses[1].offer.current_a


def limited(current_a: int, delay_s: int = 300) -> Bench:
    bench = Bench()
    bench.set(v.OFFLINE_LIMIT_DELAY, delay_s)
    bench.set(v.OFFLINE_CURRENT_LIMIT, current_a)
    return bench


def test_nothing_is_limited_unless_it_is_configured() -> None:
    bench = Bench()
    bench.charge()
    bench.go_offline()
    bench.advance(86_400)
    assert offered_a(bench) == 32.0


def test_the_limit_counts_after_the_delay_and_not_before() -> None:
    bench = limited(10)
    bench.charge()
    bench.go_offline()
    bench.advance(299)
    assert (offered_a(bench), bench.station.offline_limit.active) == (32.0, False)
    bench.advance(1)
    assert (offered_a(bench), bench.station.offline_limit.active) == (10.0, True)


def test_the_full_current_is_back_with_the_csms() -> None:
    bench = limited(10)
    bench.charge()
    bench.go_offline()
    bench.advance(600)
    bench.go_online()
    assert offered_a(bench) == 32.0
    bench.go_offline()
    bench.advance(200)
    assert offered_a(bench) == 32.0


def test_less_than_a_pilot_can_offer_pauses_the_session_and_ends_it_not() -> None:
    bench = limited(0)
    bench.charge()
    bench.go_offline()
    bench.advance(400)
    assert bench.charging_state() is ChargingState.SUSPENDED_EVSE
    assert not bench.hardware[1].contactor_closed
    bench.go_online()
    bench.advance(10)
    assert bench.charging()
    assert len(bench.started) == 1


def test_a_limit_above_what_the_evse_can_changes_nothing() -> None:
    bench = limited(63)
    bench.charge()
    bench.go_offline()
    bench.advance(400)
    assert offered_a(bench) == 32.0
