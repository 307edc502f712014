"""When to dial again (pure): the growing wait of OCPP 2.0.1 part 4 §5.3, and a ceiling on attempts per minute.

Intervals are seconds of the monotonic clock. Both classes know only what they are told; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

ATTEMPTS_PER_MINUTE = 10
"""Dial attempts in any 60 s, whatever the settings say: what a CSMS commonly allows one charger."""

LONGEST_WAIT_S = 3600.0
"""No doubling and no Retry-After keeps the station away for longer; a longer configured minimum does."""

STABLE_AFTER_S = 10.0
"""A connection that ended sooner counts as one more failed attempt: the CSMS let us in only to throw us out."""

_WINDOW_S = 60.0


class Backoff:
    """The wait before the next dial attempt: minimum, doubled per failure in a row, plus a random part each time.

    The settings are plain attributes and may be changed at any moment; the next wait uses them.

    Args:
        wait_minimum_s: RetryBackOffWaitMinimum, the wait after the first failure without its random part.
        random_range_s: RetryBackOffRandomRange, upper bound of the random part.
        repeat_times: RetryBackOffRepeatTimes, how often the wait is doubled before it stays the same.
        jitter: a random number of 0 to 1.
    """

    __slots__ = ("_failures", "_jitter", "random_range_s", "repeat_times", "wait_minimum_s")

    def __init__(
        self, wait_minimum_s: float, random_range_s: float, repeat_times: int, jitter: Callable[[], float]
    ) -> None:
        self.wait_minimum_s = wait_minimum_s
        self.random_range_s = random_range_s
        self.repeat_times = repeat_times
        self._jitter = jitter
        self._failures = 0

    def next_wait_s(self, retry_after_s: float | None = None) -> float:
        """Seconds to wait now that an attempt failed or a connection ended. Each call counts as one failure.

        Args:
            retry_after_s: the least the CSMS asked for (Retry-After), honoured up to `LONGEST_WAIT_S`.
        """
        minimum_s = max(self.wait_minimum_s, 0.0)
        doublings = min(self._failures, max(self.repeat_times, 0))
        self._failures += 1
        wait_s = minimum_s
        longest_s = max(minimum_s, LONGEST_WAIT_S)
        for _ in range(doublings):
            if not 0.0 < wait_s < longest_s:
                break
            wait_s *= 2
        wait_s = min(wait_s, longest_s) + self._jitter() * max(self.random_range_s, 0.0)
        if retry_after_s is not None:
            wait_s = max(wait_s, min(retry_after_s, LONGEST_WAIT_S))
        return wait_s

    def succeeded(self, stable_for_s: float) -> None:
        """A connection is over that was open for `stable_for_s`: the next wait is the shortest again if that was
        long enough to call it a success.
        """
        if stable_for_s >= STABLE_AFTER_S:
            self._failures = 0


class DialLimit:
    """At most `ATTEMPTS_PER_MINUTE` connections opened in any minute."""

    __slots__ = ("_attempts",)

    def __init__(self) -> None:
        self._attempts: deque[float] = deque(maxlen=ATTEMPTS_PER_MINUTE)

    def wait_s(self, now_s: float) -> float:
        """Seconds until one more attempt is allowed; 0 when it is."""
        if len(self._attempts) < ATTEMPTS_PER_MINUTE:
            return 0.0
        return max(0.0, self._attempts[0] + _WINDOW_S - now_s)

    def attempted(self, now_s: float) -> None:
        """An attempt is made at `now_s`."""
        self._attempts.append(now_s)

    def in_last_minute(self, now_s: float) -> int:
        """Attempts made in the minute before `now_s`."""
        return sum(1 for at_s in self._attempts if now_s - at_s < _WINDOW_S)
