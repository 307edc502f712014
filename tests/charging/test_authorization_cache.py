"""The authorization cache (1.6 §3.5.1; OCPP 2.0.1 C10, C12)."""

from __future__ import annotations

from agent.charging import authorization_cache
from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.station import Restored
from agent.charging.types import AuthorizationStatus, IdToken, IdTokenInfo, Outcome

from .harness import ACCEPTED, BLOCKED, INVALID, START_MS, Bench, accepted

EXPIRED = AuthorizationStatus.EXPIRED


def lookup(bench: Bench, token: str) -> IdTokenInfo | None:
    return bench.station.cache.lookup(IdToken(token))


def hear(bench: Bench, token: str, info: IdTokenInfo) -> None:
    """In the answer to an end report: the way that touches nothing but the cache."""
    bench.apply(ev.TransactionAnswered("another", IdToken(token), info, started=False))


def test_is_updated_from_every_kind_of_answer() -> None:
    bench = Bench()
    bench.answers["ANNA"] = ACCEPTED
    bench.charge()
    assert lookup(bench, "anna") == ACCEPTED
    bench.start_answered(accepted("FAMILY"))
    assert lookup(bench, "ANNA") == accepted("FAMILY")
    hear(bench, "ANNA", BLOCKED)
    assert lookup(bench, "ANNA") == BLOCKED


def test_holds_the_refused_as_well() -> None:
    bench = Bench()
    bench.answers["MALLORY"] = INVALID
    bench.card("MALLORY")
    assert lookup(bench, "MALLORY") == INVALID


def test_an_entry_expires() -> None:
    bench = Bench()
    hear(bench, "ANNA", accepted(expires_ms=START_MS + 60_000))
    bench.advance(59)
    assert lookup(bench, "ANNA") == accepted(expires_ms=START_MS + 60_000)
    bench.advance(1)
    info = lookup(bench, "ANNA")
    assert info is not None
    assert info.status is EXPIRED


def test_an_entry_that_was_not_heard_of_for_its_life_time_is_unknown() -> None:
    """OCPP 2.0.1 C10.FR.08"""
    bench = Bench(settings={v.AUTH_CACHE_LIFE_TIME: 3600})
    hear(bench, "ANNA", ACCEPTED)
    bench.advance(3601)
    assert lookup(bench, "ANNA") is None


def test_survives_a_restart() -> None:
    """Errata 3.4"""
    before = Bench()
    hear(before, "ANNA", accepted("FAMILY"))
    hear(before, "MALLORY", BLOCKED)
    bench = Bench(restored=Restored(cache=tuple(before.of(ef.SaveCacheEntry))))
    assert lookup(bench, "ANNA") == accepted("FAMILY")
    assert lookup(bench, "MALLORY") == BLOCKED


def test_writes_nothing_when_nothing_has_changed() -> None:
    bench = Bench()
    for _ in range(10):
        hear(bench, "ANNA", ACCEPTED)
        bench.advance(60)
    assert len(bench.of(ef.SaveCacheEntry)) == 1


def test_full_loses_all_refused_entries_first() -> None:
    bench = Bench()
    hear(bench, "OLDEST", ACCEPTED)
    hear(bench, "MALLORY", BLOCKED)
    hear(bench, "EXPIRED", accepted(expires_ms=START_MS + 1))
    bench.advance(1)
    fill(bench)
    hear(bench, "NEW", ACCEPTED)
    assert lookup(bench, "MALLORY") is None
    assert lookup(bench, "EXPIRED") is None
    assert lookup(bench, "OLDEST") == ACCEPTED
    assert lookup(bench, "NEW") == ACCEPTED
    assert set(bench.of(ef.ForgetCacheEntries)[0].values or ()) == {"mallory", "expired"}


def test_full_of_accepted_entries_loses_the_oldest() -> None:
    bench = Bench()
    hear(bench, "OLDEST", ACCEPTED)
    bench.advance(1)
    hear(bench, "OLD", ACCEPTED)
    bench.advance(1)
    fill(bench)
    hear(bench, "NEW", ACCEPTED)
    assert lookup(bench, "OLDEST") is None
    assert lookup(bench, "OLD") == ACCEPTED
    assert len(bench.station.cache) == authorization_cache.CAPACITY


def test_a_known_entry_is_updated_in_a_full_cache() -> None:
    bench = Bench()
    hear(bench, "ANNA", ACCEPTED)
    fill(bench)
    hear(bench, "ANNA", BLOCKED)
    assert lookup(bench, "ANNA") == BLOCKED
    assert not bench.of(ef.ForgetCacheEntries)


def test_is_cleared() -> None:
    """1.6 §5.4"""
    bench = Bench()
    hear(bench, "ANNA", ACCEPTED)
    assert bench.station.request_clear_cache(bench.now) is Outcome.ACCEPTED
    bench.settle()
    assert lookup(bench, "ANNA") is None
    assert bench.of(ef.ForgetCacheEntries) == [ef.ForgetCacheEntries(None)]


def test_that_is_switched_off_knows_nobody_and_cannot_be_cleared() -> None:
    """Errata 3.23"""
    bench = Bench(settings={v.AUTH_CACHE_ENABLED: False})
    hear(bench, "ANNA", ACCEPTED)
    assert lookup(bench, "ANNA") is None
    assert not bench.of(ef.SaveCacheEntry)
    assert bench.station.request_clear_cache(bench.now) is Outcome.REJECTED


def fill(bench: Bench) -> None:
    for number in range(authorization_cache.CAPACITY - len(bench.station.cache)):
        hear(bench, f"TOKEN{number}", ACCEPTED)
