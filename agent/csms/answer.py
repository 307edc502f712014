"""The server's response to the request for an upgrade, read from the socket within bounds."""

from __future__ import annotations

import asyncio

from agent.csms.upgrade import BODY_SHOWN, Head, parse_head

_BODY_WAIT_S = 0.5
"""How long the body of a refusal may take; it is for people only."""


class Answer(asyncio.Protocol):
    """Collects what the server sends until the connection is handed over."""

    __slots__ = ("_changed", "ended", "error", "received")

    def __init__(self) -> None:
        self.received = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.error = True, exc
        self._changed.set()

    async def head(self) -> Head | None:
        """The response's head, None if the connection ended before it was complete. Waits as long as it takes.

        Raises:
            ValueError: what arrives is no HTTP response.
        """
        while (head := parse_head(bytes(self.received))) is None and not self.ended:
            await self._more()
        return head

    async def body(self, head: Head) -> bytes:
        """The first bytes of the body that follows `head`, as far as they arrive soon."""
        declared = head.headers.get("content-length", "")
        wanted = min(int(declared[:9]), BODY_SHOWN) if declared.isdecimal() else BODY_SHOWN
        end = head.length + wanted
        try:
            async with asyncio.timeout(_BODY_WAIT_S):
                while len(self.received) < end and not self.ended:
                    await self._more()
        except TimeoutError:
            pass  # many servers keep the connection open behind a body without a length
        return bytes(self.received[head.length : end])

    async def _more(self) -> None:
        await self._changed.wait()
        self._changed.clear()
