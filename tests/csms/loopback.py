"""Servers on the loopback that behave as CSMSs, proxies and firewalls do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from agent.csms.backoff import DialLimit
from agent.csms.inspection import Inspector
from agent.csms.target import Target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A TCP server whose every connection is served by one coroutine."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    @property
    def tls_url(self) -> str:
        return f"wss://localhost:{self.port}/ocpp"


@asynccontextmanager
async def raw_server(handler: Handler, **options: Any) -> AsyncIterator[RawServer]:
    """Serves `handler` on a free port; `options` go to asyncio.start_server."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.transport.abort()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    try:
        yield RawServer(server)
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()


def answers(response: bytes, requests: list[str] | None = None, *, hold: bool = False) -> Handler:
    """A handler that reads one HTTP request and writes `response`; `hold` leaves the connection open behind it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        if requests is not None:
            requests.append(request)
        writer.write(response)
        await writer.drain()
        if hold:
            await asyncio.sleep(60)
        else:
            writer.write_eof() if writer.can_write_eof() else writer.close()
            await reader.read()

    return handler


async def silence(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accepts and never says a word."""
    await asyncio.sleep(60)


async def accept_upgrade(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, subprotocol: str = "ocpp1.6", also: bytes = b""
) -> str:
    """Completes the opening handshake by hand, sends `also` in the same segment, and returns the request."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line[19:] for line in request.split("\r\n") if line.startswith("Sec-WebSocket-Key: "))
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    writer.write(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n".encode()
        + also
    )
    await writer.drain()
    return request


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A frame as a server sends it: unmasked."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + bytes([127]) + len(payload).to_bytes(8, "big") + payload


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def target(url: str, **changes: Any) -> Target:
    """CP001 with security profile 0 at `url`."""
    return Target(url, "CP001", ("ocpp1.6",), 0)._replace(**changes)


def an_inspector() -> Inspector:
    """An inspector with a budget of its own."""
    return Inspector(DialLimit(), time.monotonic)


@asynccontextmanager
async def blocking_tls_server(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A TLS server that only shakes hands, on the port yielded. Unlike asyncio's, it sends the alert when that fails,
    as most servers do.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            plain.settimeout(5)
            with suppress(OSError), plain:
                connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                with connection:
                    with suppress(ssl.SSLError):
                        connection.do_handshake()
                    raw = socket.socket(fileno=connection.detach())
                    with raw:
                        raw.settimeout(5)
                        raw.shutdown(socket.SHUT_WR)
                        while raw.recv(4096):
                            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        await asyncio.to_thread(thread.join, 10)
