"""From a host name to a connected TCP socket, directly or through an HTTP proxy."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import unquote, unquote_to_bytes

from agent.charging.value import Value
from agent.csms.endpoint import Endpoint
from agent.csms.upgrade import HEAD_LIMIT, Head, basic_authorization, parse_head

STAGGER_S = 0.3
"""Head start of each address over the next one (RFC 8305 §5, rounded up for mobile networks)."""

_MOST_ADDRESSES = 8
_USER_TIMEOUT_MS = 60_000
"""Data unacknowledged for this long ends the connection: a half-open one is noticed with pings switched off too."""
_KEEPALIVE_IDLE_S = 120
_KEEPALIVE_INTERVAL_S = 20

# The most telling of several failures first: a machine without IPv6 reports "unreachable" for every such address.
_TELLING = (ConnectionRefusedError, ConnectionResetError, TimeoutError)


class Address(Value):
    """One address a host name resolved to."""

    family: int
    sockaddr: tuple[str, int] | tuple[str, int, int, int]
    """As the socket module writes addresses: host and port, for IPv6 also flow and scope."""

    def __str__(self) -> str:
        return self.sockaddr[0]


class Network(Value):
    """What the outside is to a dial, for tests and unusual networks to replace."""

    resolve: Callable[[str, int], Awaitable[list[Address]]]
    """Addresses of a host and port, preferred first. Raises socket.gaierror."""
    connect: Callable[[Address], Awaitable[socket.socket]]
    """A connected non-blocking socket. Raises OSError."""


class ProxyRefused(Exception):
    """The proxy answered CONNECT with another status than 2xx."""

    def __init__(self, head: Head) -> None:
        self.status = head.status
        self.reason = head.reason
        super().__init__(f"HTTP {head.status}")


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of `host`, by the operating system.

    Raises:
        socket.gaierror: there are none, or no name server answered.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return [Address(family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))]
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def settle(result: list[Address] | OSError) -> None:
        if found.done():
            return
        if isinstance(result, OSError):
            found.set_exception(result)
        else:
            found.set_result(result)

    def look_up() -> None:
        result: list[Address] | OSError
        try:
            result = [
                Address(family, (str(sockaddr[0]), *sockaddr[1:]))
                for family, _, _, _, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            ]
        except OSError as error:
            result = error
        except UnicodeError:
            result = socket.gaierror(socket.EAI_NONAME, "not a host name")
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result)

    # Not the loop's executor: a lookup cannot be interrupted, and a hanging one must not delay the agent's exit.
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await found


async def connect(address: Address) -> socket.socket:
    """A TCP connection to `address`.

    Raises:
        OSError: it cannot be opened.
    """
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


SYSTEM_NETWORK = Network(resolve, connect)


async def connect_first(network: Network, addresses: list[Address], timeout_s: float) -> tuple[socket.socket, Address]:
    """A connection to the first of `addresses` that accepts one, each tried a little after the one before it.

    Raises:
        OSError: none did; the most telling failure.
        TimeoutError: none did within `timeout_s`.
    """
    waiting = list(addresses[:_MOST_ADDRESSES])
    attempts: dict[asyncio.Future[socket.socket], Address] = {}
    failures: list[OSError] = []
    try:
        async with asyncio.timeout(timeout_s):
            while waiting or attempts:
                if waiting:
                    address = waiting.pop(0)
                    attempts[asyncio.ensure_future(network.connect(address))] = address
                done, _ = await asyncio.wait(
                    attempts,
                    timeout=STAGGER_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for attempt in done:
                    address = attempts.pop(attempt)
                    try:
                        return attempt.result(), address
                    except OSError as error:
                        failures.append(error)
    except TimeoutError as error:
        failures.append(error)
    finally:
        await _abandon(list(attempts))
    for kind in _TELLING:
        for failure in failures:
            if isinstance(failure, kind):
                raise failure
    raise failures[0] if failures else OSError(errno.EADDRNOTAVAIL, "no address to connect to")


async def open_tunnel(sock: socket.socket, destination: Endpoint, proxy: Endpoint) -> None:
    """Asks the HTTP proxy at the other end of `sock` for a connection to `destination` (RFC 9110 §9.3.6).

    Raises:
        ProxyRefused: the proxy says no.
        ValueError: it does not speak HTTP.
        OSError: the connection broke.
    """
    loop = asyncio.get_running_loop()
    request = f"CONNECT {destination.host_port} HTTP/1.1\r\nHost: {destination.host_port}\r\n"
    if proxy.userinfo:
        user, _, password = proxy.userinfo.partition(":")
        request += f"Proxy-Authorization: {basic_authorization(unquote(user), unquote_to_bytes(password))}\r\n"
    await loop.sock_sendall(sock, f"{request}\r\n".encode("ascii"))
    received = b""
    while (head := parse_head(received)) is None:
        # The CSMS says nothing before we do, so nothing of its own can arrive in the same read.
        data = await loop.sock_recv(sock, HEAD_LIMIT)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the proxy closed the connection")
        received += data
    if not 200 <= head.status < 300:
        raise ProxyRefused(head)


async def _abandon(attempts: list[asyncio.Future[socket.socket]]) -> None:
    for attempt in attempts:
        attempt.cancel()
    if attempts:
        await asyncio.wait(attempts)
    for attempt in attempts:
        if not attempt.cancelled() and attempt.exception() is None:
            attempt.result().close()
