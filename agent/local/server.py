"""The running agent's own Unix socket `agent.sock`: one JSON object a line in, one out.

Who may open it is a matter of the state directory's mode (0700).
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from provisioning.socket_path import reachable

logger = logging.getLogger(__name__)

# The longest request is a site profile with its certificates.
_LINE_BYTES = 2 * 1024 * 1024
_IDLE_TIMEOUT_S = 30.0
_CONNECTIONS = 16

Answer = dict[str, Any]
Handler = Callable[[Mapping[str, Any]], Answer | Awaitable[Answer]]


class LocalServer:
    """`handlers`: by the request's "op"."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises OSError where there can be no socket (rights, a full disk)."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with reachable(self._path) as address:
                listener.bind(address)
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE_BYTES)
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= _CONNECTIONS:
                await self._converse(reader, writer)
        except (OSError, TimeoutError, ValueError) as error:
            logger.info("local connection ended: %s", error)
        except asyncio.CancelledError:
            if self._server is not None:
                raise  # not by `close`, which is the only end that is expected
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_IDLE_TIMEOUT_S):
                line = await reader.readline()
            if not line:
                return
            async with asyncio.timeout(_IDLE_TIMEOUT_S):
                answer = await self._answer(line)
            writer.write(json.dumps(answer).encode() + b"\n")
            async with asyncio.timeout(_IDLE_TIMEOUT_S):
                await writer.drain()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"ok": False, "error": "not a JSON object"}
        if not isinstance(request, dict) or str(request.get("op")) not in self._handlers:
            known = ", ".join(self._handlers)
            return {"ok": False, "error": f"the request needs an op: one of {known}"}
        answer = self._handlers[request["op"]](request)
        return answer if isinstance(answer, dict) else await answer
