"""What goes over the link: bytes by message and day for whoever pays for a SIM, frames without secrets for the log."""

from __future__ import annotations

import json
import logging
from collections import Counter

logger = logging.getLogger(__name__)

MS_PER_DAY = 86_400_000
_SECRET_KEYS = frozenset({"authorizationkey"})
_SHOWN = 2000  # characters of a frame
_DAYS = 7


class Traffic:
    """Characters of OCPP messages (bytes, as OCPP is nearly all ASCII), by UTC day and action, both directions."""

    __slots__ = ("_days",)

    def __init__(self) -> None:
        self._days: dict[int, Counter[str]] = {}

    def count(self, action: str, frame: str, utc_ms: int) -> None:
        """One frame that belongs to `action`: the call or its answer."""
        day = utc_ms // MS_PER_DAY
        counter = self._days.get(day)
        if counter is None:
            counter = self._days[day] = Counter()
            for old in sorted(self._days)[:-_DAYS]:
                del self._days[old]
        counter[action] += len(frame)

    def today(self, utc_ms: int) -> dict[str, int]:
        """Bytes by action since midnight UTC, most first."""
        return dict(self._days.get(utc_ms // MS_PER_DAY, Counter()).most_common())


def trace(direction: str, frame: str) -> None:
    """A frame for the log at level debug."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s %s", direction, redacted(frame))


def redacted(frame: str) -> str:
    """The frame for people: bounded, and without what must not be seen."""
    # A key may be spelled in capitals or with escapes: what is not plainly harmless is judged decoded.
    if "\\" not in frame and not _names_a_secret(frame):
        return frame[:_SHOWN]
    try:
        message = json.loads(frame)
        payload = message[3]
        if _names_a_secret(str(payload.get("key"))):
            payload["value"] = "***"
        shown = json.dumps(message, separators=(",", ":"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "(not shown: it may hold a secret)"
    if _names_a_secret(shown) and payload.get("value") != "***":
        return "(not shown: it may hold a secret)"
    return shown[:_SHOWN]


def _names_a_secret(text: str) -> bool:
    return any(key in text.casefold() for key in _SECRET_KEYS)
