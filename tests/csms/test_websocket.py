"""An open connection: messages, pings, limits, and the one way each of them ends (RFC 6455, OCPP-J 1.6 §5.3)."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agent.csms import websocket
from agent.csms.diagnosis import Diagnosis, DiagnosisCode, NotConnected
from agent.csms.dial import Established, dial
from agent.csms.websocket import MAX_MESSAGE_BYTES, Connection

from .loopback import accept_upgrade, an_inspector, frame, raw_server, target

Script = Callable[[ServerConnection], Any]


class Station:
    """The station's end of a connection, and what it heard."""

    def __init__(self, established: Established, **options: Any) -> None:
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.binaries: asyncio.Queue[bytes] = asyncio.Queue()
        self.connection = Connection(established, self._on_text, self.binaries.put_nowait, **options)
        self.connection.start()

    def _on_text(self, text: str) -> None:
        if text == "bad":
            raise RuntimeError("a fault of ours")
        self.texts.put_nowait(text)

    async def end(self) -> Diagnosis:
        async with asyncio.timeout(5):
            return await self.connection.wait_closed()

    async def text(self) -> str:
        async with asyncio.timeout(5):
            return await self.texts.get()


async def dialled(url: str, **options: Any) -> Station:
    return Station(await dial(target(url), an_inspector()), **options)


@asynccontextmanager
async def with_csms(script: Script, **options: Any) -> AsyncIterator[Station]:
    """A station connected to a CSMS made with `websockets`, whose behaviour is `script`."""

    def select(_connection: ServerConnection, offered: Any) -> Any:
        return offered[0]

    async with serve(script, "127.0.0.1", 0, select_subprotocol=select, close_timeout=1) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        station = await dialled(f"ws://127.0.0.1:{port}/ocpp", **options)
        try:
            yield station
        finally:
            station.connection.abort("the test is over")


@asynccontextmanager
async def with_frames(*frames: bytes, then: str = "wait", **options: Any) -> AsyncIterator[Station]:
    """A station connected to a server that sends these bytes after the handshake, then waits, hangs up or resets."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        for data in frames:
            writer.write(data)
            await writer.drain()
        if then == "wait":
            while await reader.read(65536):
                pass
        elif then == "reset":
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async with raw_server(script) as server:
        station = await dialled(server.url, **options)
        try:
            yield station
        finally:
            station.connection.abort("the test is over")


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def mute(connection: ServerConnection) -> None:
    await connection.wait_closed()


# Messages


async def test_texts_go_out_and_come_in() -> None:
    async with with_csms(echo) as station:
        for text in ("[2]", "ä€😀", "x" * 100_000):
            station.connection.send_text(text)
            assert await station.text() == text
        assert station.connection.bytes_received > 100_000
        assert station.connection.bytes_sent > 100_000


async def test_a_message_in_fragments_arrives_whole_with_pings_in_between() -> None:
    parts = (
        frame(1, "h€"[:2].encode()[:2], fin=False),
        frame(9, b"?"),
        frame(0, b"", fin=False),
        frame(0, b"\x82\xac!"),
    )
    async with with_frames(*parts) as station:
        assert await station.text() == "h€!"


async def test_binary_messages_are_handed_over_apart() -> None:
    async with with_frames(frame(2, b"\x00\xff"), frame(1, b"next")) as station:
        assert await station.text() == "next"
        assert station.binaries.get_nowait() == b"\x00\xff"


async def test_a_handler_that_fails_costs_its_message_only(caplog: pytest.LogCaptureFixture) -> None:
    async with with_csms(echo) as station:
        station.connection.send_text("bad")
        station.connection.send_text("good")
        assert await station.text() == "good"
    assert "a fault of ours" in caplog.text


async def test_frames_are_not_logged_at_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with with_frames(frame(1, b"AuthorizationKey s3cret")) as station:
            station.connection.send_text("AuthorizationKey s3cret")
            await station.text()
    assert "s3cret" not in caplog.text


# Ends that come from the other side


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000])
async def test_a_close_frame_ends_it_with_its_code_and_reason(code: int) -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.send("hello")
        await connection.close(code, "maintenance")

    async with with_csms(script) as station:
        diagnosis = await station.end()
    assert diagnosis.code is DiagnosisCode.CLOSED_BY_PEER
    assert f"code {code} (maintenance)" in diagnosis.seen


async def test_the_peers_close_frame_is_answered() -> None:
    seen: asyncio.Future[tuple[int, bool]] = asyncio.get_running_loop().create_future()

    async def script(connection: ServerConnection) -> None:
        await connection.close(1000, "")
        seen.set_result((connection.close_code or 0, connection.protocol.close_rcvd is not None))

    async with with_csms(script) as station:
        await station.end()
        assert await asyncio.wait_for(seen, 5) == (1000, True)


async def test_closed_before_a_word_was_said() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.close(1008, "unknown charger")

    async with with_csms(script) as station:
        assert (await station.end()).code is DiagnosisCode.CLOSED_AFTER_HANDSHAKE


@pytest.mark.parametrize("then", ["hang up", "reset"])
async def test_hanging_up_without_a_close_frame(then: str) -> None:
    async with with_frames(frame(1, b"hello"), then=then) as station:
        assert (await station.end()).code is DiagnosisCode.CONNECTION_LOST
    async with with_frames(then=then) as station:
        assert (await station.end()).code is DiagnosisCode.CLOSED_AFTER_HANDSHAKE


async def test_our_message_was_too_big_for_the_csms() -> None:
    async def script(connection: ServerConnection) -> None:
        await connection.close(1009, "too big")

    async with with_csms(script) as station:
        assert (await station.end()).code is DiagnosisCode.MESSAGE_TOO_BIG


# Ends because of what came in


async def refusal(*frames: bytes) -> tuple[Diagnosis, int]:
    """How we end a connection over which `frames` come, and the close code that the server gets."""
    code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        for data in frames:
            writer.write(data)
        head = await reader.readexactly(6)
        assert head[0] == 0x88
        payload = await reader.readexactly(head[1] & 0x7F)
        code.set_result((payload[0] ^ head[2]) << 8 | (payload[1] ^ head[3]))

    async with raw_server(script) as server:
        station = await dialled(server.url)
        return await station.end(), await asyncio.wait_for(code, 5)


@pytest.mark.parametrize(
    ("frames", "code", "close_code"),
    [
        ([frame(1, b"\xff\xfe")], DiagnosisCode.RECEIVED_INVALID, 1007),
        ([frame(3, b"")], DiagnosisCode.RECEIVED_INVALID, 1002),
        ([frame(0, b"orphan")], DiagnosisCode.RECEIVED_INVALID, 1002),
        ([b"\x81\x80\x00\x00\x00\x00"], DiagnosisCode.RECEIVED_INVALID, 1002),
        ([b"\xc1\x00"], DiagnosisCode.RECEIVED_INVALID, 1002),
        ([b"\x81\x7f" + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big")], DiagnosisCode.RECEIVED_TOO_BIG, 1009),
        ([frame(1, b"x" * 700_000, fin=False), frame(0, b"x" * 700_000)], DiagnosisCode.RECEIVED_TOO_BIG, 1009),
    ],
)
async def test_what_breaks_the_protocol_is_answered_with_its_close_code(
    frames: list[bytes], code: DiagnosisCode, close_code: int
) -> None:
    diagnosis, sent = await refusal(*frames)
    assert (diagnosis.code, sent) == (code, close_code)


async def test_a_message_of_just_the_limit_is_heard() -> None:
    async with with_frames(frame(1, b"x" * MAX_MESSAGE_BYTES)) as station:
        assert len(await station.text()) == MAX_MESSAGE_BYTES


# Pings


async def test_pings_go_out_at_the_interval_and_measure_the_latency() -> None:
    async with with_csms(mute, ping_interval_s=0.05) as station:
        async with asyncio.timeout(5):
            while station.connection.latency_s is None:  # noqa: ASYNC110 - an attribute, not an event
                await asyncio.sleep(0.01)
        assert 0 <= station.connection.latency_s < 5
        await asyncio.sleep(0.3)
        assert station.connection.is_open


async def test_the_peers_pings_are_answered() -> None:
    answered: asyncio.Queue[float] = asyncio.Queue()

    async def script(connection: ServerConnection) -> None:
        answered.put_nowait(await (await connection.ping()))
        await connection.wait_closed()

    async with with_csms(script):
        async with asyncio.timeout(5):
            await answered.get()


@pytest.mark.parametrize("noise", [b"", frame(10, b"\x00\x00\x00\x63"), frame(1, b"busy")])
async def test_a_missing_pong_ends_it_whatever_else_is_heard(noise: bytes) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        while await reader.read(65536):
            writer.write(noise)

    async with raw_server(script) as server:
        station = await dialled(server.url, ping_interval_s=0.1)
        assert (await station.end()).code is DiagnosisCode.PONG_TIMEOUT
        assert station.connection.latency_s is None


async def test_a_pong_is_due_within_ten_seconds_also_with_a_longer_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PONG_DUE_S", 0.05)
    async with with_frames(ping_interval_s=0.2) as station:
        before_s = asyncio.get_running_loop().time()
        assert (await station.end()).code is DiagnosisCode.PONG_TIMEOUT
        assert asyncio.get_running_loop().time() - before_s < 0.4


async def test_the_interval_can_be_changed_while_connected() -> None:
    async with with_frames() as station:
        station.connection.set_ping_interval(0.05)
        assert (await station.end()).code is DiagnosisCode.PONG_TIMEOUT


async def test_with_pings_off_no_timer_runs() -> None:
    async with with_frames(ping_interval_s=30) as station:
        assert station.connection._timer is not None
        station.connection.set_ping_interval(0)
        assert station.connection._timer is None


# Ends that are ours


async def test_closing_is_a_handshake_and_tells_our_reason() -> None:
    codes: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    async def script(connection: ServerConnection) -> None:
        with pytest.raises(ConnectionClosed):
            await connection.recv()
        codes.put_nowait((connection.close_code, connection.close_reason))

    async with with_csms(script) as station:
        diagnosis = await station.connection.close(1001, "reason " + "ä" * 100)
        assert diagnosis.code is DiagnosisCode.CLOSED_LOCALLY
        code, reason = await asyncio.wait_for(codes.get(), 5)
    assert code == 1001
    assert reason is not None
    assert reason.startswith("reason ä")


async def test_a_peer_that_does_not_answer_our_close_frame_is_left() -> None:
    async with with_frames() as station:
        diagnosis = await station.connection.close(timeout_s=0.1)
    assert diagnosis.code is DiagnosisCode.CLOSED_LOCALLY


async def test_nothing_is_sent_once_closing_has_begun() -> None:
    async with with_frames() as station:
        station.connection.start_closing(1000, "enough")
        with pytest.raises(NotConnected):
            station.connection.send_text("too late")
        station.connection.abort("now")
        with pytest.raises(NotConnected):
            station.connection.send_text("too late")


async def test_there_is_one_end_whatever_follows_it() -> None:
    async with with_frames(
        frame(1, b"hello"), frame(8, b"\x03\xe8"), frame(1, b"after the end"), then="hang up"
    ) as station:
        first = await station.end()
        station.connection.abort("again")
        station.connection.connection_lost(None)
        assert await station.connection.close() is first
        assert station.texts.qsize() == 1


async def test_a_peer_that_takes_nothing_is_given_up() -> None:
    async def stuffed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        await asyncio.sleep(60)

    async with raw_server(stuffed) as server:
        station = await dialled(server.url)
        sent = 0
        while station.connection.is_open and sent < 1000:
            station.connection.send_text("x" * 100_000)
            sent += 1
        assert (await station.end()).code is DiagnosisCode.SEND_STALLED
