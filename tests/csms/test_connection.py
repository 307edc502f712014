"""The link redials, whatever the reason; it waits, counts, and stops as it should (OCPP 2.0.1 part 4 §5.3)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agent.csms.backoff import ATTEMPTS_PER_MINUTE, STABLE_AFTER_S, Backoff
from agent.csms.connection import HISTORY_LENGTH, Link, LinkEvents, LinkPhase
from agent.csms.diagnosis import Diagnosis, DiagnosisCode
from agent.csms.target import Target
from agent.csms.tcp import SYSTEM_NETWORK, Address
from agent.csms.websocket import Connection

from .authority import issue
from .loopback import Handler, accept_upgrade, answers, closed_port, frame, raw_server, silence, target

_CLOSE_FRAME = 0x88
NO_WAIT = (0.0, 0.0, 0)
LONG_WAIT = (1000.0, 0.0, 0)


class Station:
    """A link and all that it said."""

    def __init__(
        self, source: Callable[[], Target | None], wait: tuple[float, float, int] = NO_WAIT, **options: Any
    ) -> None:
        self.opened: asyncio.Queue[Connection] = asyncio.Queue()
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.downs: asyncio.Queue[Diagnosis] = asyncio.Queue()
        events = LinkEvents(self.opened.put_nowait, self.texts.put_nowait, lambda _: None, self.downs.put_nowait)
        self.link = Link(source, events, Backoff(*wait, lambda: 0.0), **options)

    async def open(self) -> Connection:
        async with asyncio.timeout(5):
            return await self.opened.get()

    async def down(self) -> Diagnosis:
        async with asyncio.timeout(5):
            return await self.downs.get()


@asynccontextmanager
async def running(source: Target | Callable[[], Target | None], *args: Any, **options: Any) -> AsyncIterator[Station]:
    station = Station(source if callable(source) else lambda: source, *args, **options)
    task = asyncio.create_task(station.link.run())
    try:
        yield station
    finally:
        async with asyncio.timeout(2.5):
            await station.link.stop()
            await task


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and stays until the station closes."""
    await accept_upgrade(reader, writer)
    writer.write(frame(1, b"hello"))
    while data := await reader.read(65536):
        if data[0] == _CLOSE_FRAME:
            return


def first_then_hold(first: Handler) -> Handler:
    """Does `first` to the first connection and behaves from the second one on."""
    count = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await (first if count == 1 else hold)(reader, writer)

    return handler


def says(*frames: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        for data in frames:
            writer.write(data)
        await writer.drain()
        await reader.read(1)

    return handler


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await accept_upgrade(reader, writer)
    writer.write(frame(1, b"hello"))
    await writer.drain()
    writer.transport.abort()


# It redials: one test per reason


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (says(frame(1, b"hi"), frame(8, b"\x03\xe8")), DiagnosisCode.CLOSED_BY_PEER),
        (says(frame(8, b"\x03\xe8")), DiagnosisCode.CLOSED_AFTER_HANDSHAKE),
        (says(frame(1, b"\xff")), DiagnosisCode.RECEIVED_INVALID),
        (says(frame(1, b"hi"), frame(8, b"\x03\xf1")), DiagnosisCode.MESSAGE_TOO_BIG),
        (resets, DiagnosisCode.CONNECTION_LOST),
        (answers(b"HTTP/1.1 401 No\r\n\r\n"), DiagnosisCode.HTTP_401_NO_CREDENTIALS),
        (answers(b"HTTP/1.1 404 No\r\n\r\n"), DiagnosisCode.HTTP_404),
        (answers(b"HTTP/1.1 503 No\r\n\r\n"), DiagnosisCode.HTTP_5XX),
        (answers(b"garbage\r\n\r\n"), DiagnosisCode.HTTP_UNEXPECTED),
    ],
)
async def test_it_redials_after_what_the_server_does(first: Handler, code: DiagnosisCode) -> None:
    async with raw_server(first_then_hold(first)) as server, running(target(server.url)) as station:
        assert (await station.down()).code is code
        async with asyncio.timeout(5):
            assert await station.texts.get() in {"hi", "hello"}
            while not (await station.open()).is_open:
                pass
        assert station.link.status().phase is LinkPhase.OPEN


async def test_it_redials_after_a_missing_pong() -> None:
    async with raw_server(hold) as server, running(target(server.url), ping_interval_s=0.1) as station:
        await station.open()
        assert (await station.down()).code is DiagnosisCode.PONG_TIMEOUT
        await station.open()


async def test_it_redials_after_a_name_server_failed() -> None:
    failures: list[Exception] = [socket.gaierror(socket.EAI_AGAIN, "Temporary failure")]

    async def resolve(host: str, port: int) -> list[Address]:
        if failures:
            raise failures.pop()
        return await SYSTEM_NETWORK.resolve(host, port)

    network = SYSTEM_NETWORK._replace(resolve=resolve)
    async with raw_server(hold) as server, running(target(server.url), network=network) as station:
        assert (await station.down()).code is DiagnosisCode.DNS_UNAVAILABLE
        await station.open()


async def test_it_redials_after_a_refused_port_for_as_long_as_it_may() -> None:
    async with running(target(f"ws://127.0.0.1:{closed_port()}")) as station:
        for _ in range(ATTEMPTS_PER_MINUTE):
            assert (await station.down()).code is DiagnosisCode.CONNECTION_REFUSED


async def test_it_redials_after_a_refused_certificate(tmp_path: Path) -> None:
    root = issue("Example Root", authority=True)
    leaf = issue("localhost", root, names=("localhost",))
    file = tmp_path / "server.pem"
    file.write_text(leaf.key_pem + leaf.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    installed = [root, issue("Another Root", authority=True)]
    async with raw_server(hold, ssl=context) as server:

        def source() -> Target:
            return target(server.tls_url, security_profile=2, root_ca_pem=installed.pop().pem)

        async with running(source) as station:
            assert (await station.down()).code is DiagnosisCode.TLS_UNKNOWN_ROOT
            assert (await station.open()).tls is not None
            assert station.link.status().server_chain_expires_utc_ms is not None


# What is asked of it


async def test_messages_reach_the_handler_and_status_tells_about_the_connection() -> None:
    async with raw_server(hold) as server, running(target(server.url), utc_ms=lambda: 1234) as station:
        await station.open()
        async with asyncio.timeout(5):
            assert await station.texts.get() == "hello"
        status = station.link.status()
        assert status.phase is LinkPhase.OPEN
        assert status.url == f"{server.url}/CP001"
        assert (status.address, status.subprotocol) == ("127.0.0.1", "ocpp1.6")
        assert status.connected_since_utc_ms == 1234
        assert status.heard_s_ago is not None
        assert status.bytes_received == len(frame(1, b"hello"))
        assert (status.attempts, status.attempts_last_minute) == (0, 1)
    assert station.link.status().phase is LinkPhase.IDLE


async def test_a_redial_asks_for_the_target_again_and_does_not_wait() -> None:
    passwords = [b"new-password", b"old-password"]
    requests: asyncio.Queue[str] = asyncio.Queue()

    async def csms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.put_nowait(await accept_upgrade(reader, writer))
        while data := await reader.read(65536):
            if data[0] == _CLOSE_FRAME:
                return

    async with raw_server(csms) as server:

        def source() -> Target:
            return target(server.url, security_profile=1, password=passwords.pop())

        async with running(source, LONG_WAIT) as station:
            await station.open()
            station.link.redial("new credentials")
            diagnosis = await station.down()
            assert diagnosis.code is DiagnosisCode.CLOSED_LOCALLY
            assert "new credentials" in diagnosis.seen
            await station.open()
    assert requests.get_nowait() != requests.get_nowait()


async def test_a_redial_while_dialling_gives_that_attempt_up() -> None:
    async with raw_server(first_then_hold(silence)) as server, running(target(server.url), LONG_WAIT) as station:
        await asyncio.sleep(0.1)
        assert station.link.status().phase is LinkPhase.DIALING
        station.link.redial("new address")
        await station.open()
        assert station.downs.empty()


async def test_a_redial_may_be_told_to_stay_away_and_a_kick_ends_that() -> None:
    async with raw_server(hold) as server, running(target(server.url)) as station:
        await station.open()
        station.link.redial("the BootNotification was rejected", wait_s=500)
        await station.down()
        await asyncio.sleep(0.05)
        status = station.link.status()
        assert status.phase is LinkPhase.WAITING
        assert status.next_attempt_in_s is not None
        assert 490 < status.next_attempt_in_s <= 500
        station.link.kick()
        await station.open()


async def test_the_wait_follows_the_backoff_and_retry_after() -> None:
    async def wait_after(response: bytes) -> float:
        async with raw_server(answers(response)) as server, running(target(server.url), (20.0, 0.0, 0)) as station:
            await station.down()
            await asyncio.sleep(0.01)
            return station.link.status().next_attempt_in_s or 0.0

    assert 19 < await wait_after(b"HTTP/1.1 503 No\r\n\r\n") <= 20
    assert 299 < await wait_after(b"HTTP/1.1 429 No\r\nRetry-After: 300\r\n\r\n") <= 300


async def test_a_connection_closed_right_after_the_handshake_does_not_reset_the_backoff() -> None:
    now_s = [1000.0]
    closes = says(frame(8, b"\x03\xe8"))
    options = {"wait": (0.001, 0.0, 20), "mono_s": lambda: now_s[0]}
    async with raw_server(closes) as server, running(target(server.url), **options) as station:
        for _ in range(5):
            await station.down()
            now_s[0] += 1
            station.link.kick()
        assert station.link.backoff.next_wait_s() >= 0.032


async def test_a_stable_connection_resets_the_backoff() -> None:
    now_s = [1000.0]
    options = {"wait": (5.0, 0.0, 20), "mono_s": lambda: now_s[0]}
    async with raw_server(hold) as server, running(target(server.url), **options) as station:
        station.link.backoff.next_wait_s()
        connection = await station.open()
        now_s[0] += STABLE_AFTER_S
        connection.abort("a test")
        await station.down()
        await asyncio.sleep(0.01)
        assert station.link.status().next_attempt_in_s == 5.0


async def test_no_kick_and_no_settings_lift_the_limit_of_ten_attempts_a_minute() -> None:
    attempts = 0

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.transport.abort()

    async with raw_server(count) as server, running(target(server.url)) as station:
        for _ in range(ATTEMPTS_PER_MINUTE):
            await station.down()
        for _ in range(20):
            station.link.kick()
            await asyncio.sleep(0.005)
        status = station.link.status()
        assert (status.phase, status.attempts_last_minute) == (LinkPhase.WAITING, ATTEMPTS_PER_MINUTE)
    assert attempts == ATTEMPTS_PER_MINUTE


async def test_without_a_target_it_idles_until_kicked() -> None:
    async with raw_server(hold) as server:
        targets = [target(server.url), None]
        async with running(targets.pop) as station:
            await asyncio.sleep(0.02)
            assert station.link.status().phase is LinkPhase.IDLE
            station.link.kick()
            await station.open()


async def test_the_history_keeps_the_latest_failures() -> None:
    now_s = [0.0]
    async with running(target(f"ws://127.0.0.1:{closed_port()}"), mono_s=lambda: now_s[0]) as station:
        for _ in range(HISTORY_LENGTH + 5):
            await station.down()
            now_s[0] += 60
            station.link.kick()
        status = station.link.status()
        assert len(status.history) == HISTORY_LENGTH
        assert status.last_diagnosis == status.history[-1]
        assert status.attempts > HISTORY_LENGTH


# It stops


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and answers nothing, no close frame either."""
    await accept_upgrade(reader, writer)
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("handler", "phase"), [(hold, LinkPhase.OPEN), (deaf, LinkPhase.OPEN), (silence, LinkPhase.DIALING)]
)
async def test_it_stops_within_two_seconds_in_any_phase(handler: Handler, phase: LinkPhase) -> None:
    async with raw_server(handler) as server, running(target(server.url)) as station:
        await asyncio.sleep(0.1)
        assert station.link.status().phase is phase
        async with asyncio.timeout(2):
            await station.link.stop()
        assert station.link.status().phase is LinkPhase.IDLE


async def test_stopping_says_going_away() -> None:
    codes: asyncio.Queue[bytes] = asyncio.Queue()

    async def csms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        head = await reader.readexactly(8)
        codes.put_nowait(bytes([head[6] ^ head[2], head[7] ^ head[3]]))

    async with raw_server(csms) as server:
        async with running(target(server.url)) as station:
            await station.open()
        async with asyncio.timeout(2):
            assert int.from_bytes(await codes.get(), "big") == 1001


async def test_stopping_ends_a_wait_and_an_idle_link() -> None:
    async with running(lambda: None):
        await asyncio.sleep(0.01)
    async with running(target(f"ws://127.0.0.1:{closed_port()}"), LONG_WAIT) as station:
        await station.down()


@pytest.mark.parametrize("handler", [hold, silence])
async def test_a_cancelled_run_leaves_nothing_open(handler: Handler) -> None:
    ended = asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if handler is hold:
                await hold(reader, writer)
            else:
                await reader.readuntil(b"\r\n\r\n")
                await reader.read()
        ended.set()

    async with raw_server(watched) as server:
        station = Station(lambda: target(server.url))
        task = asyncio.create_task(station.link.run())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await ended.wait()
