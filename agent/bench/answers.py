"""How the bench CSMS can be told to answer a station's call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

Payload = Mapping[str, Any]


class CallError(Exception):
    """A CALLERROR: raised when the station answers with one, and the answer to give when scripted.

    `code` as OCPP-J spells it, such as "InternalError".
    """

    def __init__(self, code: str, description: str = "", details: Payload | None = None) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.details = dict(details or {})


class Silence(NamedTuple):
    """No answer. `processed`: the CSMS does what was asked, and its answer is lost on the way."""

    processed: bool = False


class Delay(NamedTuple):
    """What was asked is done at once and answered as usual, but `wait_s` later."""

    wait_s: float


class Raw(NamedTuple):
    """This text, right or wrong, in place of an answer."""

    text: str


Fixed = Payload | CallError | Silence | Delay | Raw
"""A mapping is the answer's payload, sent as it is."""

Answer = Fixed | Callable[[dict[str, Any]], Fixed | Awaitable[Fixed | None] | None]
"""A function gets the call's payload; None from it is the usual answer."""
