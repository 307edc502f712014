"""OCPP's date-time strings and UTC milliseconds since the epoch.

The message schemas want RFC 3339 (`format: date-time`); fractions and offsets are the sender's choice. What
we write is UTC with three decimals and `Z`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:([0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  UTC by convention: offsets are taken off by hand, below
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST = 64


def is_rfc3339(text: str) -> bool:
    """Whether `text` is an RFC 3339 date-time: any fraction and offset, also `t`, `z` and leap seconds."""
    if not _RFC3339.fullmatch(text):
        return False
    try:
        parse_utc_ms(text)
    except ValueError:
        return False
    return True


def parse_utc_ms(text: str) -> int:
    """UTC milliseconds since the epoch of a date-time as back offices write it.

    More is understood here than RFC 3339 allows, for use in a CSMS's answers: a space for the `T`, a missing
    offset (taken as UTC), missing seconds, a date alone (its first moment). Digits beyond the millisecond are
    cut off; a leap second is the second after it. Whatever is returned, `format_utc_ms` can write.

    Raises:
        ValueError: `text` names no moment in the years 1 to 9999.
    """
    if len(text) > _LONGEST:
        raise ValueError("longer than any date-time")
    leap = timedelta()
    match = _RFC3339.fullmatch(text)
    if match and match[1] == "60":
        text, leap = f"{text[: match.start(1)]}59{text[match.end(1) :]}", timedelta(seconds=1)
    moment = datetime.fromisoformat(text.strip().upper())
    offset = moment.utcoffset() or timedelta()
    try:
        utc = moment.replace(tzinfo=None) - offset + leap
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
    return (utc - _EPOCH) // _MILLISECOND


def format_utc_ms(utc_ms: int) -> str:
    """The date-time that OCPP messages carry: ``2026-03-29T01:00:00.250Z``.

    Raises:
        OverflowError: the moment lies outside the years 1 to 9999.
    """
    return f"{(_EPOCH + timedelta(milliseconds=utc_ms)).isoformat(timespec='milliseconds')}Z"
