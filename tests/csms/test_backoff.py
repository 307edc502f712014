"""The waits between dial attempts (OCPP 2.0.1 part 4 §5.3) and the ceiling on attempts per minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.csms.backoff import ATTEMPTS_PER_MINUTE, LONGEST_WAIT_S, STABLE_AFTER_S, Backoff, DialLimit

SETTINGS = st.builds(
    lambda minimum, spread, times, jitter: Backoff(minimum, spread, times, lambda: jitter),
    st.floats(0, 10_000),
    st.floats(0, 10_000),
    st.integers(0, 10**6),
    st.floats(0, 1),
)


def waits(backoff: Backoff, count: int) -> list[float]:
    return [backoff.next_wait_s() for _ in range(count)]


def test_the_wait_starts_at_the_minimum_doubles_repeat_times_and_then_stays() -> None:
    assert waits(Backoff(5, 0, 3, lambda: 0.0), 6) == [5, 10, 20, 40, 40, 40]


def test_every_wait_gets_a_random_part_of_its_own() -> None:
    jitters = iter([0.5, 1.0, 0.0])
    assert waits(Backoff(5, 10, 3, lambda: next(jitters)), 3) == [10, 20, 20]


@given(SETTINGS, st.integers(1, 40))
def test_a_wait_is_never_less_than_the_minimum_nor_more_than_the_ceiling_plus_the_random_range(
    backoff: Backoff, failures: int
) -> None:
    for wait_s in waits(backoff, failures):
        assert backoff.wait_minimum_s <= wait_s
        assert wait_s <= max(backoff.wait_minimum_s, LONGEST_WAIT_S) + backoff.random_range_s


@given(SETTINGS, st.integers(1, 20), st.floats(0, 1e12))
def test_retry_after_is_honoured_but_cannot_park_the_station(
    backoff: Backoff, failures: int, retry_after_s: float
) -> None:
    waits(backoff, failures - 1)
    wait_s = backoff.next_wait_s(retry_after_s)
    assert wait_s >= min(retry_after_s, LONGEST_WAIT_S)
    assert wait_s <= max(backoff.wait_minimum_s, LONGEST_WAIT_S) + backoff.random_range_s


def test_a_stable_connection_resets_the_wait_and_a_short_one_does_not() -> None:
    backoff = Backoff(5, 0, 3, lambda: 0.0)
    waits(backoff, 2)
    backoff.succeeded(STABLE_AFTER_S / 2)
    assert backoff.next_wait_s() == 20
    backoff.succeeded(STABLE_AFTER_S)
    assert backoff.next_wait_s() == 5


def test_settings_changed_at_runtime_count_from_the_next_wait_on() -> None:
    backoff = Backoff(5, 0, 10, lambda: 0.0)
    waits(backoff, 2)
    backoff.wait_minimum_s, backoff.repeat_times = 1, 2
    assert waits(backoff, 2) == [4, 4]


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_sees_more_than_ten_attempts(impatience_s: list[float]) -> None:
    limit, now_s, attempts = DialLimit(), 1000.0, list[float]()
    for pause_s in impatience_s:
        now_s += pause_s
        if limit.wait_s(now_s) == 0:
            limit.attempted(now_s)
            attempts.append(now_s)
        assert len([at for at in attempts if now_s - at < 60]) <= ATTEMPTS_PER_MINUTE
        assert limit.in_last_minute(now_s) == len([at for at in attempts if now_s - at < 60])


def test_after_the_told_wait_the_next_attempt_is_allowed() -> None:
    limit = DialLimit()
    for second in range(ATTEMPTS_PER_MINUTE):
        assert limit.wait_s(100.0 + second) == 0
        limit.attempted(100.0 + second)
    assert limit.wait_s(110.0) == 50.0
    assert limit.wait_s(160.0) == 0
