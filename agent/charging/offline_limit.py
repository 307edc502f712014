"""A modest current while nobody balances the load: what an EVSE may offer when the CSMS has been away for a while.

A CSMS that shares a grid connection among chargers cannot tell a lost one to give way. Off unless configured.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.charging.core import Core
from agent.charging.evse import Evse


class OfflineLimit:
    """`OfflineCurrentLimit` after `OfflineLimitDelay` without a CSMS; lifted when it is back."""

    __slots__ = ("_core", "_evses", "_since_s", "active")

    def __init__(self, core: Core, evses: Mapping[int, Evse]) -> None:
        self._core = core
        self._evses = evses
        self._since_s: float | None = None
        self.active = False

    def next_deadline(self) -> float | None:
        if self.active or self._since_s is None or self._core.policy.offline_limit_delay_s <= 0:
            return None
        return self._since_s + self._core.policy.offline_limit_delay_s

    def tick(self) -> None:
        """Compare what is with what should be; after every event too."""
        if self._core.online:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = self._core.now.mono_s
        delay_s = self._core.policy.offline_limit_delay_s
        active = self._since_s is not None and delay_s > 0 and self._core.due(self._since_s + delay_s)
        limit_a = self._core.policy.offline_current_limit_a if active else None
        self.active = active
        for evse in self._evses.values():
            evse.limit_changed("offline", limit_a)
