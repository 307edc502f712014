"""The control socket: one JSON object per line in, one per line out, for any number of clients."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from hal.drivers.mock.errors import MockError
from hal.drivers.mock.requests import MAX_LINE_BYTES, parse
from hal.drivers.mock.socket_path import connect, reachable
from hal.errors import BoardConfigError

if TYPE_CHECKING:
    from hal.drivers.mock.hardware import MockHardware

_MAX_UNREAD_BYTES = 1024 * 1024  # of states that a watcher does not take; then it is dropped
_SEND_TIMEOUT_S = 5.0


class ControlSocket:
    """Serves one `MockHardware` at a path."""

    def __init__(self, path: Path, hardware: MockHardware) -> None:
        self.path = path
        self._hardware = hardware
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._watchers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen. Raises BoardConfigError if the path cannot be used, or another process serves it."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove_stale()
            with reachable(self.path) as address:
                listening.bind(address)
                os.chmod(address, 0o600)  # noqa: PTH101 - not the path, which may be too long
            # The stream's own limit never applies: the lines are cut here.
            self._server = await asyncio.start_unix_server(self._serve, sock=listening)
        except OSError as error:
            listening.close()
            raise BoardConfigError(f"[hal.mock] control = {str(self.path)!r}: {error}") from error

    async def close(self) -> None:
        """Take the socket away and end every client."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self.path.unlink(missing_ok=True)
        clients = dict(self._clients)
        for task in clients:
            task.cancel()
        if clients:
            await asyncio.wait(clients)

    def publish(self) -> None:
        """Send the state to those who watch."""
        if not self._watchers:
            return
        line = _line(self._hardware.snapshot())
        for writer in list(self._watchers):
            if writer.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
                self._watchers.discard(writer)
                writer.transport.abort()
            else:
                writer.write(line)

    def _remove_stale(self) -> None:
        """A socket file outlives a process that was killed. Raises OSError if a living one serves it."""
        if not self.path.is_socket():
            return  # nothing there, or something that bind will complain of
        try:
            connect(self.path).close()
        except ConnectionRefusedError:
            self.path.unlink()
        else:
            raise FileExistsError("another process serves this socket")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients[task] = writer
        try:
            async for line in _lines(reader):
                await self._answer(line, writer)
        except (OSError, TimeoutError):
            pass  # the client has gone, or does not read: its affair
        except asyncio.CancelledError:
            if self._server is not None:
                raise  # not by `close`, which is the only end that is expected
        finally:
            self._watchers.discard(writer)
            del self._clients[task]
            writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = parse(line)
            if request.op == "watch":
                self._watchers.add(writer)
                answer = self._hardware.snapshot()
            else:
                answer = await getattr(self._hardware, request.op)(**request.arguments) or {}
        except MockError as error:
            writer.write(_line({"ok": False, "error": " ".join(str(error).split())}))
        else:
            writer.write(_line(answer))
        async with asyncio.timeout(_SEND_TIMEOUT_S):
            await writer.drain()


def _line(answer: dict[str, object]) -> bytes:
    return json.dumps({"ok": True, **answer}).encode() + b"\n"


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines as they come, empty ones left out. Of one that is too long, enough to show that it is."""
    buffer = b""
    while chunk := await reader.read(MAX_LINE_BYTES):
        first, *others = chunk.split(b"\n")
        buffer = (buffer + first)[: MAX_LINE_BYTES + 1]
        for following in others:
            if buffer.strip():
                yield buffer
            buffer = following
