"""A station as the bench CSMS sees it, over all its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

from agent.bench.answers import CallError
from agent.bench.central_system import call_text, refusal_of
from agent.bench.conversation import Conversation
from agent.bench.messages import Kind, Message, MessageLog


class Ended(NamedTuple):
    """How a connection ended: the close code and reason that the station sent; None without a close frame."""

    code: int | None
    reason: str


class NotConnectedError(AssertionError):
    """The station is not connected, or was not in time."""


class BenchStation:
    """The station's connection, what was said on it, and what the CSMS can do with it.

    `problems`: in words, what the station must not have done. `ended`: one entry for each connection that has ended.
    """

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.log = MessageLog()
        self.problems: list[str] = []
        self.connections = 0
        self.ended: list[Ended] = []
        self.conversation: Conversation | None = None
        self._ids = count(1)
        self._changed = asyncio.Event()
        self.skip = self.log.skip
        self.wait_for = self.log.wait_for
        self.wait_for_answer = self.log.wait_for_answer

    @property
    def messages(self) -> list[Message]:
        """All that was said, in order."""
        return self.log.messages

    @property
    def connected(self) -> bool:
        """There is a connection at this moment, as far as the CSMS knows."""
        return self.conversation is not None

    def calls(self, action: str, **fields: object) -> list[Message]:
        """All calls of the station with this action whose payload has these fields."""
        return self.log.calls(action, **fields)

    async def wait_connected(self, *, connection: int = 1, timeout_s: float = 5.0) -> None:
        """Until the connection of this number, or a later one, stands. Raises NotConnectedError."""
        await self._wait(connected=True, connections=connection, timeout_s=timeout_s)

    async def wait_disconnected(self, *, timeout_s: float = 5.0) -> None:
        """Until there is no connection. Raises NotConnectedError, too, if there still is one."""
        await self._wait(connected=False, connections=0, timeout_s=timeout_s)

    async def call(
        self, action: str, payload: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
    ) -> dict[str, Any]:
        """Send a call, valid or not, and return the payload of its answer.

        Raises CallError for a CALLERROR, NotConnectedError, and AssertionError for an answer that the schema refuses
        or that does not come in time.
        """
        message_id = f"csms-{next(self._ids)}"
        await self.send_raw(call_text(message_id, action, payload or {}))
        answer = await self.wait_for_answer(message_id, timeout_s=timeout_s)
        if answer.kind is Kind.ERROR:
            code, description, details = (*answer.payload, "", "", {})[:3]
            raise CallError(code, description, details)
        refusal = await refusal_of(action, answer.payload, answer=True)
        if refusal is not None and refusal.code != "NotImplemented":  # an action without a schema
            raise AssertionError(f"{action}: the answer {answer.payload} is refused: {refusal} {refusal.details}")
        result: dict[str, Any] = answer.payload
        return result

    async def send_raw(self, frame: str | bytes) -> None:
        """Send anything, text or binary. Raises NotConnectedError."""
        await self._conversation().send_raw(frame)

    async def disconnect(self, code: int = 1000, reason: str = "", *, abort: bool = False) -> None:
        """End the connection: with a close frame, or with `abort` by resetting TCP. Raises NotConnectedError."""
        await self._conversation().close(code, reason, abort=abort)

    def begin(self, conversation: Conversation) -> None:
        """The CSMS has accepted a connection."""
        self.conversation = conversation
        self._tell()

    def end(self, conversation: Conversation) -> None:
        """It has ended."""
        received = conversation.connection.protocol.close_rcvd
        self.ended.append(Ended(None, "") if received is None else Ended(int(received.code), received.reason))
        if self.conversation is conversation:
            self.conversation = None
        self._tell()

    def _conversation(self) -> Conversation:
        if self.conversation is None:
            raise NotConnectedError(f"{self.identity} is not connected")
        return self.conversation

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, *, connected: bool, connections: int, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self.connected != connected or self.connections < connections:
                    await self._changed.wait()
        except TimeoutError:
            state = f"{self.connections} connections so far, {'one' if self.connected else 'none'} stands"
            raise NotConnectedError(f"{self.identity} within {timeout_s:g} s: {state}") from None
