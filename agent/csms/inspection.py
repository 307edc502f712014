"""A second, mute connection to a server whose certificate was refused, made only to read that certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agent.charging.value import Value
from agent.csms.backoff import DialLimit

if TYPE_CHECKING:
    from agent.csms.certificates import CertificateFacts

_FRESH_S = 600.0
_TIMEOUT_S = 10.0


class Inspection(Value):
    """What a server presents to someone who accepts everything."""

    version: str
    """TLS version, empty when no handshake succeeded."""
    cipher: str
    chain: tuple[CertificateFacts, ...]
    refused: bool
    """Whether it answered even this with the alert handshake_failure."""


class Inspector:
    """Looks at a server once per failure: the result is kept for ten minutes, and a look counts as a dial attempt.

    Args:
        limit: the budget of attempts to stay within.
        mono_s: the monotonic clock.
    """

    __slots__ = ("_key", "_limit", "_mono_s", "_result", "_taken_s")

    def __init__(self, limit: DialLimit, mono_s: Callable[[], float]) -> None:
        self._limit = limit
        self._mono_s = mono_s
        self._key: tuple[str, str] | None = None
        self._result: Inspection | None = None
        self._taken_s = 0.0

    def attempts_last_minute(self) -> int:
        """Connections opened in the last minute, looks included."""
        return self._limit.in_last_minute(self._mono_s())

    async def inspect(
        self, server: str, failure: str, host: str, open_socket: Callable[[], Awaitable[socket.socket]]
    ) -> Inspection | None:
        """What the server presents, or None if it cannot be looked at now. Raises nothing.

        Args:
            server: host and port; with `failure`, decides whether an earlier result still answers.
            host: the name to ask for (SNI).
            open_socket: opens a connected socket to the server, raises OSError.
        """
        now_s = self._mono_s()
        if self._key == (server, failure) and now_s - self._taken_s < _FRESH_S:
            return self._result
        if self._limit.wait_s(now_s) > 0:
            return None
        self._limit.attempted(now_s)
        self._key, self._taken_s = (server, failure), now_s
        self._result = await _look(host, open_socket)
        return self._result


async def _look(host: str, open_socket: Callable[[], Awaitable[socket.socket]]) -> Inspection | None:
    from agent.csms.certificates import read_der  # noqa: PLC0415 - needed by failures only
    from agent.csms.tls import (  # noqa: PLC0415 - likewise
        inspection_context,
        is_handshake_failure_alert,
        presented_chain_der,
    )

    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            sock = await open_socket()
            transport, _ = await loop.create_connection(
                asyncio.Protocol,
                sock=sock,
                ssl=inspection_context(),
                server_hostname=host,
            )
    except ssl.SSLError as error:
        return Inspection("", "", (), is_handshake_failure_alert(error))
    except OSError:
        return None
    try:
        ssl_object: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher = ssl_object.cipher()
        return Inspection(
            ssl_object.version() or "",
            cipher[0] if cipher else "",
            read_der(presented_chain_der(ssl_object)),
            refused=False,
        )
    finally:
        transport.abort()
