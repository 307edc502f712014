"""Time that passes faster, the same for the agent and its CSMS.

    python fast_clock.py FACTOR MONOTONIC_S UTC_S run --config ...

runs the agent's program with it. From the instant that `time.monotonic` and `time.time` had these values, both go
FACTOR times as fast, and every wait of the event loop is as much shorter. Nothing in the agent knows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

_real_monotonic = time.monotonic


def clock(factor: float, monotonic_s: float, utc_s: float) -> Callable[[], float]:
    """UTC, s since the epoch."""
    return lambda: utc_s + (_real_monotonic() - monotonic_s) * factor


def install(factor: float, monotonic_s: float, utc_s: float) -> None:
    """For this process, before anything has looked at a clock."""
    import selectors  # noqa: PLC0415 - the CSMS's process has no use for it

    utc = clock(factor, monotonic_s, utc_s)
    time.time = utc
    time.time_ns = lambda: int(utc() * 1e9)
    time.monotonic = clock(factor, monotonic_s, monotonic_s)
    select = selectors.EpollSelector.select

    def sooner(self: selectors.EpollSelector, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return select(self, timeout / factor if timeout else timeout)

    selectors.EpollSelector.select = sooner  # type: ignore[method-assign, assignment]  # that is the point


if __name__ == "__main__":
    install(*map(float, sys.argv[1:4]))
    from agent.cli import main

    sys.exit(main(sys.argv[4:]))
