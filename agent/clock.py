"""Time: a monotonic clock for intervals, and UTC laid over it from the best source at hand.

The system's clock is used until the CSMS has told the time, and afterwards only the CSMS's word moves it (1.6 §4.2,
§4.6): a wall clock that jumps must not reach a bill. What was stamped before a step is corrected by it (journal.py).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from agent.charging.types import Now

logger = logging.getLogger(__name__)

# Nothing that runs this software was stamped earlier: a clock that says so has not been set (2025-01-01).
EARLIEST_MS = 1_735_689_600_000
LATEST_MS = 4_102_444_800_000  # 2100-01-01; a CSMS that says more is not believed
STEP_MS = 2_000  # smaller differences are the network's


class Clock:
    """`floor_ms`: the latest stamp known from before; a clock without battery starts there, not in 1970."""

    def __init__(
        self,
        floor_ms: int = 0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset_ms = 0.0
        self.synchronised = False
        self.source = "system"
        wall_ms = int(wall() * 1000)
        self._system_offset_ms = wall_ms - monotonic() * 1000
        if not max(floor_ms, EARLIEST_MS) <= wall_ms <= LATEST_MS:
            self.source = "unset"
            logger.warning("the system's clock is not set; continuing from the last known time")
            wall_ms = max(floor_ms, EARLIEST_MS)
        self._offset_ms = wall_ms - monotonic() * 1000

    def now(self) -> Now:
        mono_s = self._monotonic()
        return Now(mono_s, int(mono_s * 1000 + self._offset_ms))

    def utc_ms(self) -> int:
        return self.now().utc_ms

    def follow_system(self) -> int:
        """Take over what happened to the system's clock; ms stepped. Called now and then."""
        if self.synchronised:
            return 0
        wall_ms = int(self._wall() * 1000)
        system_offset_ms = wall_ms - self._monotonic() * 1000
        was_set = abs(system_offset_ms - self._system_offset_ms) > STEP_MS
        self._system_offset_ms = system_offset_ms
        if not EARLIEST_MS <= wall_ms <= LATEST_MS:
            return 0
        delta_ms = wall_ms - self.now().utc_ms
        # A clock that goes back while nobody better is heard is more likely lost than mended; one that had not been
        # set, and still has not, knows less than we do.
        if delta_ms < -STEP_MS and (self.source == "system" or not was_set):
            return 0
        self._offset_ms += delta_ms
        self.source = "system"
        if abs(delta_ms) <= STEP_MS:
            return 0
        logger.warning("the system's clock was set: %+.1f s", delta_ms / 1000)
        return delta_ms

    def follow_csms(self, csms_ms: int) -> int:
        """The CSMS's time, just heard; ms stepped. A time that cannot be true is not taken."""
        if not EARLIEST_MS <= csms_ms <= LATEST_MS:
            logger.warning("the CSMS's clock is not plausible; ignored")
            return 0
        self.synchronised = True
        self.source = "CSMS"
        delta_ms = csms_ms - self.now().utc_ms
        if abs(delta_ms) <= STEP_MS:
            return 0
        self._offset_ms += delta_ms
        logger.warning("clock set by the CSMS: %+.1f s", delta_ms / 1000)
        return delta_ms
