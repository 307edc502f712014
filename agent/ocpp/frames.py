"""OCPP-J frames as text: JSON in UTF-8, read without trust (1.6 Part J §4.1.2).

`RpcSession` gives the elements of a frame their meaning; here they are only made and taken apart.
"""

import re
from json import JSONDecoder, JSONEncoder
from typing import Any

from agent.charging.value import Value

FRAME_LENGTH = 1024 * 1024
"""Longest frame that is parsed, in characters. The longest valid request of a CSMS is far shorter."""


class Head(Value):
    """The beginning of a frame whose rest is unreadable."""

    message_type: int
    message_id: str


def _number(text: str) -> float | int:
    """A number with fraction or exponent; 300.0 becomes the int 300, which in JSON is the same number."""
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError("number out of range")
    return int(value) if value.is_integer() else value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_decoder = JSONDecoder(parse_float=_number, parse_constant=_no_constant)
# Escaped to ASCII, which is valid UTF-8 whatever the strings hold.
_encoder = JSONEncoder(separators=(",", ":"), allow_nan=False)
_unescaped = JSONEncoder(ensure_ascii=False)

# An id written with escapes is not worth the trouble: ids are UUIDs or counters. Compiled when first needed.
_HEAD = r'\ufeff?\s*\[\s*([234])\s*,\s*"([^"\\\x00-\x1f]{1,255})"\s*[,\]]'
_HEAD_LENGTH = 400

encode = _encoder.encode
"""The frame of a list of elements. Raises ValueError or TypeError for what JSON cannot say."""


def decode(frame: str | bytes) -> Any:
    """The JSON value of a frame. Of two members with one name the later counts.

    Raises:
        ValueError: not UTF-8, not JSON, too long, or with a number or string that could not be stored.
        RecursionError: nested deeper than the interpreter follows.
    """
    if len(frame) > FRAME_LENGTH:
        raise ValueError(f"{len(frame)} characters are too many")
    text = frame if isinstance(frame, str) else frame.decode()
    value = _decoder.decode(text)
    # Half of a surrogate pair is JSON, but no character: it could be neither stored nor sent on as UTF-8.
    if "\\u" in text:
        _unescaped.encode(value).encode()
    elif not text.isascii():
        text.encode()
    return value


def read_head(frame: str | bytes) -> Head | None:
    """Message type and id of a frame that `decode` refused, if they can be made out."""
    start = frame[:_HEAD_LENGTH]
    match = re.match(_HEAD, start if isinstance(start, str) else start.decode("utf-8", "replace"))
    return Head(int(match[1]), match[2]) if match else None
