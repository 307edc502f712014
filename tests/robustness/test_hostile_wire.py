"""A CSMS, or whoever sits on the way, that breaks the WebSocket protocol (RFC 6455)."""

from __future__ import annotations

import asyncio

import pytest

from agent.bench.network import Direction
from agent.bench.station import BenchStation

from .rig import PATIENCE_S, Rig, judge, rig

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LONG = 100_000
CALL = b'[2,"w1","ClearCache",{}]'


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, masked: bool = False) -> bytes:
    """A frame of a server, which does not mask."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    mask = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mask | 126]) + len(payload).to_bytes(2)
    else:
        head += bytes([mask | 127]) + len(payload).to_bytes(8)
    return head + (bytes(4) if masked else b"") + payload


FATAL = {
    "invalid UTF-8": (frame(TEXT, b'[2,"w1","DataTransfer",{"vendorId":"\xff\xfe"}]'), 1007),
    "invalid UTF-8 over two fragments": (
        frame(TEXT, b'["\xc3', final=False) + frame(CONTINUATION, b'\x28"]'),
        1007,
    ),
    "a message of more than 1 MB": (frame(TEXT, b"x" * (1024 * 1024 + 1)), 1009),
    "fragments of more than 1 MB": (
        frame(TEXT, b"x" * 60_000, final=False) + frame(CONTINUATION, b"x" * 60_000, final=False) * 20,
        1009,
    ),
    "a length of eight exabytes": (bytes([0x81, 127]) + (2**63 - 1).to_bytes(8), 1009),
    "a reserved bit": (frame(TEXT, CALL, reserved=4), 1002),
    "an unknown opcode": (frame(3, CALL), 1002),
    "an unknown control opcode": (frame(11), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a fragmented ping": (frame(PING, final=False), 1002),
    "a continuation of nothing": (frame(CONTINUATION, CALL), 1002),
    "a message inside a message": (frame(TEXT, b"[", final=False) + frame(TEXT, CALL), 1002),
    "a masked frame": (frame(TEXT, CALL, masked=True), 1002),
    "a close frame of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code that must not be sent": (frame(CLOSE, (1005).to_bytes(2)), 1002),
    "a close reason that is no UTF-8": (frame(CLOSE, (1000).to_bytes(2) + b"\xff"), 1007),
    "HTTP in the middle": (
        b"HTTP/1.1 400 Bad Request\r\nServer: an old one\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n",
        1002,
    ),
}
"""What ends the connection, and with what close code."""

HARMLESS = {
    "ten thousand pings": frame(PING, b"p") * 10_000,
    "ten thousand pongs that nobody asked for": frame(PONG, b"p") * 10_000,
    "ten thousand binary messages": frame(BINARY, CALL) * 10_000,
    "ten thousand empty messages": frame(TEXT) * 10_000,
    "empty fragments": frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 10_000 + frame(CONTINUATION),
    "a message in single bytes, with pings between them": (
        frame(TEXT, b" ", final=False)
        + b"".join(frame(CONTINUATION, b" ", final=False) + frame(PING) for _ in range(100))
        + frame(CONTINUATION)
    ),
}
"""What the protocol allows."""


def write(station: BenchStation, data: bytes) -> None:
    """Send bytes, past the CSMS's own WebSocket."""
    assert station.conversation is not None
    station.conversation.connection.transport.write(data)


async def ready(bench: Rig) -> None:
    await bench.agent.start()
    await bench.expect("StatusNotification", connectorId=1, status="Available")
    await bench.settled()


@pytest.mark.parametrize(("data", "code"), FATAL.values(), ids=FATAL.keys())
async def test_what_breaks_the_protocol_ends_the_connection_and_nothing_else(data: bytes, code: int) -> None:
    """RFC 6455 §5, §7.4.1, §8.1. The station dials again and is where it was."""
    async with rig(log_level="warning") as bench:
        await ready(bench)
        write(bench.station, data)
        await bench.station.wait_connected(connection=2, timeout_s=PATIENCE_S)
        # What TCP still carries when the station hangs up makes it a reset, which can overtake the close frame.
        told = bench.station.ended[0].code
        assert told == code or (told is None and len(data) > LONG)
        await bench.station.call("GetConfiguration", {"key": ["HeartbeatInterval"]})
        assert len(bench.station.calls("BootNotification")) == 1, "1.6 §4.2: not after a mere reconnection"
        await bench.agent.stop()
        judge(bench)
        assert len(bench.agent.log) < 2000


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_the_protocol_allows_is_borne(data: bytes) -> None:
    async with rig(log_level="error") as bench:
        await ready(bench)
        write(bench.station, data)
        await bench.station.call("GetConfiguration", {"key": ["HeartbeatInterval"]}, timeout_s=PATIENCE_S)
        assert bench.station.connections == 1
        await bench.agent.stop()
        judge(bench)


async def test_a_csms_that_reads_nothing() -> None:
    """Its calls are answered into a full pipe: the station gives that connection up, and its memory is bounded."""
    async with rig(log_level="error") as bench:
        await ready(bench)
        assert bench.station.conversation is not None
        bench.station.conversation.connection.transport.pause_reading()
        asks_for_everything = frame(TEXT, b'[2,"w","GetConfiguration",{}]')
        async with asyncio.timeout(PATIENCE_S):
            while bench.station.connections == 1 and not bench.station.ended:
                write(bench.station, asks_for_everything * 100)
                await asyncio.sleep(0.01)
        await bench.station.wait_connected(connection=2, timeout_s=PATIENCE_S)
        await bench.short_session()
        await bench.agent.stop()
        judge(bench)


async def test_garbage_on_the_line() -> None:
    """Frames whose bytes a broken modem has mixed up."""
    async with rig(log_level="error") as bench:
        await ready(bench)
        write(bench.station, bytes(range(0x83, 0x100)) * 1000)
        await bench.station.wait_connected(connection=2, timeout_s=PATIENCE_S)
        before = bench.network.bytes[Direction.TO_STATION]
        await bench.short_session()
        assert bench.network.bytes[Direction.TO_STATION] > before
        await bench.agent.stop()
        judge(bench)
