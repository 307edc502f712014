"""How long a silence this network, or this CSMS, bears (pure): learnt from the silences that ended connections.

Mobile networks and proxies drop what is idle, each after a time of its own that nobody tells the charger. Two ends
after about the same silence are one such time; pings are then sent a little sooner.
"""

from __future__ import annotations

SHORTEST_S = 10.0
"""Ends after a shorter silence are no sign of idleness, and pings are not sent more often than this allows."""

_ALIKE = 0.2
_MARGIN = 0.8


class IdleCutoff:
    """What is known of the longest silence borne."""

    __slots__ = ("_candidate_s", "cutoff_s")

    def __init__(self) -> None:
        self._candidate_s: float | None = None
        self.cutoff_s: float | None = None
        """None: nothing learnt."""

    def ended(self, silent_s: float) -> bool:
        """The other side ended a connection after so much silence. True: something has been learnt from it."""
        if silent_s < SHORTEST_S:
            return False
        before, self._candidate_s = self._candidate_s, silent_s
        if before is None or abs(silent_s - before) > _ALIKE * before:
            return False
        self.cutoff_s = min(silent_s, before, self.cutoff_s or silent_s)
        return True

    def ping_interval_s(self, configured_s: float) -> float:
        """WebSocketPingInterval, or less where that would be too late. 0 stays 0 until something has been learnt."""
        if self.cutoff_s is None:
            return configured_s
        learnt_s = _MARGIN * self.cutoff_s
        return min(configured_s, learnt_s) if configured_s > 0 else learnt_s
