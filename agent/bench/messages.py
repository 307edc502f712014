"""What was said on a connection, kept in order, and ways to wait for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NamedTuple

_SHOWN_MESSAGES = 40
_SHOWN_CHARACTERS = 200


class Kind(IntEnum):
    """The message types of OCPP-J 1.6 §4.1.3, and what is none of them."""

    UNREADABLE = 0
    CALL = 2
    RESULT = 3
    ERROR = 4


class Message(NamedTuple):
    """One frame.

    `sent`: by the CSMS, else by the station. `action`: of an answer, that of the call it answers; "" if unknown.
    `payload`: of an ERROR [code, description, details]; of an UNREADABLE frame the frame.
    `connection`: 1 for the station's first connection. `at_s`: monotonic clock. `utc_ms`: since the epoch.
    """

    at_s: float
    utc_ms: int
    connection: int
    sent: bool
    kind: Kind
    message_id: str
    action: str
    payload: Any

    def __str__(self) -> str:
        """One line for people."""
        clock = datetime.fromtimestamp(self.utc_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
        payload = self.payload if isinstance(self.payload, str | bytes) else json.dumps(self.payload)
        side = "CSMS   ->" if self.sent else "station->"
        return f"{clock} #{self.connection} {side} {self.kind.name} {self.action} {payload!s:.{_SHOWN_CHARACTERS}}"


def read_frame(frame: str | bytes) -> tuple[Kind, str, str, Any]:
    """Kind, message id, action (of a CALL) and payload of a frame, whatever it is."""
    match _decoded(frame):
        case [2, str(message_id), str(action), payload]:
            return Kind.CALL, message_id, action, payload
        case [3, str(message_id), payload]:
            return Kind.RESULT, message_id, "", payload
        case [4, str(message_id), *error]:
            return Kind.ERROR, message_id, "", error
    return Kind.UNREADABLE, "", "", frame


def _decoded(frame: str | bytes) -> object:
    try:
        return json.loads(frame) if isinstance(frame, str) else None  # OCPP-J sends no binary frames
    except (ValueError, RecursionError):
        return None


class NotSeenError(AssertionError):
    """What was waited for did not come; the text lists what did."""


class MessageLog:
    """The messages of one station over all its connections, in the order in which the CSMS saw or sent them.

    `on_message` is called with each as it is noted.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.on_message: Callable[[Message], None] | None = None
        self._calls: dict[tuple[bool, str], Message] = {}  # by who sent it and its message id, the first
        self._in_work: dict[tuple[int, str], asyncio.Event] = {}  # calls of the station, by connection and message id
        self._cursors: dict[Hashable, int] = {}
        self._skipped = 0
        self._news = asyncio.Event()

    def add(self, frame: str | bytes, *, sent: bool, connection: int) -> Message:
        """Note a frame."""
        kind, message_id, action, payload = read_frame(frame)
        if kind in (Kind.RESULT, Kind.ERROR) and (call := self._calls.get((not sent, message_id))):
            action = call.action
        message = Message(
            time.monotonic(), time.time_ns() // 1_000_000, connection, sent, kind, message_id, action, payload
        )
        if kind is Kind.CALL:
            self._calls.setdefault((sent, message_id), message)
            if not sent:
                self._in_work[connection, message_id] = asyncio.Event()
        self.messages.append(message)
        self._news.set()
        self._news = asyncio.Event()
        if self.on_message is not None:
            self.on_message(message)
        return message

    def calls(self, action: str, **fields: object) -> list[Message]:
        """All calls of the station with this action whose payload has these fields."""
        return [message for message in self.messages if _is_call(message, action, fields)]

    def settle(self, call: Message) -> None:
        """The CSMS has done what the call asks, or will not. Idempotent."""
        if event := self._in_work.pop((call.connection, call.message_id), None):
            event.set()

    def first_call(self, message_id: str) -> Message:
        """The first call of the station under this message id. Raises KeyError."""
        return self._calls[False, message_id]

    def skip(self) -> None:
        """Let `wait_for` find only what comes from now on."""
        self._skipped = len(self.messages)
        self._cursors.clear()

    async def wait_for(
        self,
        action: str,
        *,
        timeout_s: float = 5.0,
        where: Callable[[Message], bool] | None = None,
        **fields: object,
    ) -> Message:
        """The next call of the station with this action whose payload has these fields; `where` may ask for more.

        The CSMS has dealt with it: it is in the ledger, and its answer, if any, is on its way. Next means: after the
        one that was last found by waiting for this action and, where it is asked for, this connectorId; it may have
        come before it was waited for. Raises NotSeenError.
        """
        cursor = (action, fields.get("connectorId"))
        index, message = await self._next(
            lambda message: _is_call(message, action, fields) and (where is None or where(message)),
            max(self._cursors.get(cursor, 0), self._skipped),
            timeout_s,
            f"{action} {json.dumps(fields, default=str)}",
        )
        self._cursors[cursor] = index + 1
        if event := self._in_work.get((message.connection, message.message_id)):
            async with asyncio.timeout(timeout_s):
                await event.wait()
        return message

    async def wait_for_answer(self, message_id: str, *, timeout_s: float = 5.0) -> Message:
        """The station's answer to the message of this id. Raises NotSeenError."""
        _, message = await self._next(
            lambda message: (
                not message.sent and message.kind in (Kind.RESULT, Kind.ERROR) and message.message_id == message_id
            ),
            0,
            timeout_s,
            f"an answer to {message_id!r}",
        )
        return message

    async def _next(
        self, wanted: Callable[[Message], bool], start: int, timeout_s: float, what: str
    ) -> tuple[int, Message]:
        index = start
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    while index < len(self.messages):
                        if wanted(self.messages[index]):
                            return index, self.messages[index]
                        index += 1
                    await self._news.wait()
        except TimeoutError:
            raise NotSeenError(f"no {what} within {timeout_s:g} s. Seen:\n{self._listing(start)}") from None

    def _listing(self, start: int) -> str:
        first = max(0, len(self.messages) - _SHOWN_MESSAGES)
        lines = [
            f"{'*' if index >= start else ' '} {message}"
            for index, message in enumerate(self.messages[first:], start=first)
        ]
        return "\n".join([*lines, "(* = looked at)"] if lines else ["nothing"])


def _is_call(message: Message, action: str, fields: dict[str, object]) -> bool:
    if message.sent or message.kind is not Kind.CALL or message.action != action:
        return False
    payload = message.payload
    return isinstance(payload, dict) and all(
        name in payload and payload[name] == value for name, value in fields.items()
    )
