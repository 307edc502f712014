"""One attempt to connect to the CSMS: each phase apart, each with its time limit, each failure with its diagnosis."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from agent.charging.value import Value
from agent.csms.answer import Answer
from agent.csms.diagnosis import DiagnosisCode, DialFailed, Phase, diagnose, printable
from agent.csms.endpoint import Endpoint, csms_endpoint, proxy_endpoint, shown_url
from agent.csms.inspection import Inspector
from agent.csms.refusals import (
    Refusal,
    Refused,
    dns_refusal,
    garbage_refusal,
    socket_refusal,
    status_refusal,
    subprotocol_refusal,
)
from agent.csms.target import Target
from agent.csms.tcp import SYSTEM_NETWORK, Address, Network, ProxyRefused, connect_first, open_tunnel
from agent.csms.upgrade import Head, broken_rule, retry_after_s, upgrade_request

if TYPE_CHECKING:
    from agent.csms.secure import TlsPhase
    from agent.csms.tls import TlsFacts


class Timeouts(Value):
    """Upper bounds of the phases of one dial, in seconds."""

    dns_s: float = 10.0
    connect_s: float = 30.0
    """All addresses together."""
    proxy_s: float = 15.0
    tls_s: float = 20.0
    upgrade_s: float = 20.0


class Established(Value):
    """An upgraded connection whose reading is paused, for `websocket.Connection` to take over."""

    endpoint: Endpoint
    address: str
    subprotocol: str
    tls: TlsFacts | None
    transport: asyncio.Transport
    answer: Answer
    """Its `received` holds the bytes that followed the response."""


def utc_now_ms() -> int:
    """The system's UTC clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _unheard(_phase: Phase, _seen: str) -> None:
    pass


async def dial(
    target: Target,
    inspector: Inspector,
    *,
    network: Network = SYSTEM_NETWORK,
    timeouts: Timeouts | None = None,
    utc_ms: Callable[[], int] = utc_now_ms,
    on_phase: Callable[[Phase, str], None] = _unheard,
) -> Established:
    """Connects once. Redirects are not followed, nothing is retried.

    Args:
        inspector: looks at a server whose TLS handshake failed.
        on_phase: is told of each phase that succeeded, and what was seen in it.

    Raises:
        DialFailed: there is no connection.
    """
    attempt = _Dial(target, inspector, network, timeouts or Timeouts(), utc_ms, on_phase)
    try:
        return await attempt.run()
    except Refused as error:
        refusal = error.refusal
        diagnosis = diagnose(
            refusal.code,
            error.phase,
            refusal.seen,
            utc_ms(),
            causes=refusal.causes,
            retry_after_s=error.retry_after_s,
        )
        raise DialFailed(diagnosis) from error


class _Dial:
    def __init__(
        self,
        target: Target,
        inspector: Inspector,
        network: Network,
        timeouts: Timeouts,
        utc_ms: Callable[[], int],
        on_phase: Callable[[Phase, str], None],
    ) -> None:
        self._target = target
        self._inspector = inspector
        self._network = network
        self._timeouts = timeouts
        self._utc_ms = utc_ms
        self._on_phase = on_phase

    async def run(self) -> Established:
        self._endpoint, self._proxy = self._parse()
        self._where = self._endpoint.host_port
        context = self._context()
        self._addresses = await self._resolve()
        sock, address = await self._connect()
        if self._proxy is None:
            self._where = f"{self._endpoint.host_port} ({address})"
            self._on_phase(Phase.TCP, f"connected to {self._where}")
        else:
            await self._tunnel(sock, self._proxy)
        if context is None:
            transport, answer = await asyncio.get_running_loop().create_connection(Answer, sock=sock)
            tls, facts = None, None
        else:
            tls = self._tls_phase()
            transport, answer = await tls.handshake(sock, context, self._timeouts.tls_s)
            facts = self._tls_facts(transport)
        try:
            subprotocol = await self._upgrade(transport, answer, tls)
        except BaseException:
            transport.abort()
            raise
        self._on_phase(Phase.UPGRADE, f"{self._endpoint.shown} accepted, subprotocol {subprotocol}")
        return Established(self._endpoint, str(address), subprotocol, facts, transport, answer)

    def _parse(self) -> tuple[Endpoint, Endpoint | None]:
        target = self._target
        try:
            endpoint = csms_endpoint(target.url, target.identity)
        except ValueError as error:
            self._refuse_url("CSMS", target.url, str(error))
        if target.security_profile >= 2 and not endpoint.secure:
            self._refuse_url("CSMS", target.url, f"security profile {target.security_profile} needs wss://")
        try:
            proxy = proxy_endpoint(target.proxy) if target.proxy else None
        except ValueError as error:
            self._refuse_url("proxy", target.proxy or "", str(error))
        self._on_phase(Phase.URL, endpoint.shown)
        return endpoint, proxy

    def _refuse_url(self, whose: str, url: str, why: str) -> NoReturn:
        seen = f"the {whose} URL '{printable(shown_url(url))}' cannot be used: {why}"
        raise Refused(Phase.URL, Refusal(DiagnosisCode.URL_INVALID, seen))

    async def _resolve(self) -> list[Address]:
        hop = self._proxy or self._endpoint
        try:
            async with asyncio.timeout(self._timeouts.dns_s):
                addresses = await self._network.resolve(hop.host, hop.port)
        except TimeoutError as error:
            seen = f"no name server told the address of {hop.host} in {self._timeouts.dns_s:g} s"
            raise self._hop_refused(Phase.DNS, Refusal(DiagnosisCode.DNS_UNAVAILABLE, seen)) from error
        except socket.gaierror as error:
            raise self._hop_refused(Phase.DNS, dns_refusal(error, hop.host)) from error
        self._on_phase(Phase.DNS, f"{hop.host} is {', '.join(map(str, addresses))}")
        return addresses

    async def _connect(self) -> tuple[socket.socket, Address]:
        hop = self._proxy or self._endpoint
        try:
            return await connect_first(self._network, self._addresses, self._timeouts.connect_s)
        except OSError as error:
            where = f"{hop.host_port} ({', '.join(map(str, self._addresses))})"
            raise self._hop_refused(Phase.TCP, socket_refusal(error, where)) from error

    def _hop_refused(self, phase: Phase, refusal: Refusal) -> Refused:
        """The first hop cannot be reached: the CSMS itself or, with a proxy, only the proxy."""
        if self._proxy is None:
            return Refused(phase, refusal)
        return Refused(Phase.PROXY, Refusal(DiagnosisCode.PROXY_UNREACHABLE, f"looking for the proxy: {refusal.seen}"))

    async def _tunnel(self, sock: socket.socket, proxy: Endpoint) -> None:
        self._where = f"{self._endpoint.host_port} (through the proxy {proxy.host_port})"
        try:
            async with asyncio.timeout(self._timeouts.proxy_s):
                await open_tunnel(sock, self._endpoint, proxy)
        except BaseException as error:
            sock.close()
            if isinstance(error, ProxyRefused):
                status = f"HTTP {error.status} {printable(error.reason, 60)}".rstrip()
                seen = f"the proxy {proxy.host_port} answered {status} to CONNECT {self._endpoint.host_port}"
                raise Refused(Phase.PROXY, Refusal(DiagnosisCode.PROXY_REFUSED, seen)) from error
            if isinstance(error, (OSError, ValueError)):
                why = "it did not answer CONNECT" if isinstance(error, TimeoutError) else str(error)
                seen = f"the proxy {proxy.host_port}: {why}"
                raise Refused(Phase.PROXY, Refusal(DiagnosisCode.PROXY_UNREACHABLE, seen)) from error
            raise
        self._on_phase(Phase.PROXY, f"connected to {self._where}")

    def _context(self) -> ssl.SSLContext | None:
        if not self._endpoint.secure:
            return None
        from agent.csms.secure import context_for  # noqa: PLC0415 - TLS only

        return context_for(self._target)

    def _tls_phase(self) -> TlsPhase:
        from agent.csms.secure import TlsPhase  # noqa: PLC0415 - TLS only

        return TlsPhase(self._target, self._endpoint, self._where, self._inspector, self._another_socket)

    def _tls_facts(self, transport: asyncio.Transport) -> TlsFacts:
        from agent.csms.tls import tls_facts  # noqa: PLC0415 - TLS only

        facts = tls_facts(transport.get_extra_info("ssl_object"))
        server = printable(facts.server_name)
        self._on_phase(Phase.TLS, f"{facts.version} {facts.cipher}, certificate of '{server}'")
        return facts

    async def _another_socket(self) -> socket.socket:
        sock, _ = await connect_first(self._network, self._addresses, self._timeouts.connect_s)
        try:
            if self._proxy is not None:
                await open_tunnel(sock, self._endpoint, self._proxy)
        except BaseException as error:
            sock.close()
            if isinstance(error, (ProxyRefused, ValueError)):
                raise ConnectionRefusedError("the proxy refuses") from error
            raise
        return sock

    async def _upgrade(self, transport: asyncio.Transport, answer: Answer, tls: TlsPhase | None) -> str:
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        target, endpoint = self._target, self._endpoint
        transport.write(
            upgrade_request(endpoint.authority, endpoint.resource, key, target.subprotocols, target.authorization)
        )
        head = await self._response(answer, tls)
        if head.status != 101:
            body = await answer.body(head)
            refusal = status_refusal(head, body, target, endpoint, self._inspector.attempts_last_minute())
            raise Refused(Phase.UPGRADE, refusal, retry_after_s(head, self._utc_ms()))
        # What follows waits in the socket until somebody is there to hear it.
        transport.pause_reading()
        del answer.received[: head.length]
        rule = broken_rule(head, key)
        if rule is not None:
            seen = f"{self._where}: {rule}"
            raise Refused(Phase.UPGRADE, Refusal(DiagnosisCode.HANDSHAKE_INVALID, seen))
        no_version = subprotocol_refusal(head, target)
        if no_version is not None:
            raise Refused(Phase.UPGRADE, no_version)
        return head.headers["sec-websocket-protocol"]

    async def _response(self, answer: Answer, tls: TlsPhase | None) -> Head:
        try:
            async with asyncio.timeout(self._timeouts.upgrade_s):
                head = await answer.head()
        except TimeoutError as error:
            seen = f"{self._where} does not answer the request to open a WebSocket"
            raise Refused(Phase.UPGRADE, Refusal(DiagnosisCode.HANDSHAKE_TIMEOUT, seen)) from error
        except ValueError as error:
            refusal = garbage_refusal(bytes(answer.received), str(error), self._where)
            raise Refused(Phase.UPGRADE, refusal) from error
        if head is not None:
            return head
        if tls is not None and isinstance(answer.error, ssl.SSLError):
            certificate_refused = tls.refused_after(answer.error)
            if certificate_refused is not None:
                raise Refused(Phase.TLS, certificate_refused)
        seen = f"{self._where} closed the connection instead of answering"
        causes = () if tls is None else tls.causes_of_silence()
        raise Refused(Phase.UPGRADE, Refusal(DiagnosisCode.CONNECTION_RESET, seen, causes))
