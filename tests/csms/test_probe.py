"""Trying the connection once."""

from __future__ import annotations

import asyncio

from agent.csms.diagnosis import DiagnosisCode, Phase
from agent.csms.probe import probe

from .loopback import accept_upgrade, answers, raw_server, target


async def test_a_connection_that_works_is_reported_phase_by_phase_and_closed_without_a_message() -> None:
    received = bytearray()
    ended = asyncio.Event()

    async def csms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        received.extend(await reader.readexactly(2 + 4 + 2 + len("connection test")))
        writer.write(b"\x88\x02\x03\xe8")
        received.extend(await reader.read())
        ended.set()

    async with raw_server(csms) as server:
        steps = await probe(target(server.url))
        await asyncio.wait_for(ended.wait(), 5)
    assert [step.phase for step in steps] == [Phase.URL, Phase.DNS, Phase.TCP, Phase.UPGRADE, Phase.OPEN]
    assert all(step.ok and step.seen and step.diagnosis is None for step in steps)
    assert received[0] == 0x88
    assert (received[6] ^ received[2], received[7] ^ received[3]) == (0x03, 0xE8)
    assert len(received) == 23


async def test_where_it_stops_the_last_step_has_the_diagnosis() -> None:
    async with raw_server(answers(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as server:
        steps = await probe(target(server.url))
    assert [step.ok for step in steps] == [True, True, True, False]
    assert steps[-1].diagnosis is not None
    assert steps[-1].diagnosis.code is DiagnosisCode.HTTP_403


async def test_a_csms_that_throws_the_station_out_at_once_is_an_obstacle() -> None:
    """Another station with this identity, or a CSMS that refuses the version only after the handshake."""

    async def csms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        writer.write(b"\x88\x02\x03\xf0")
        await writer.drain()
        await reader.read()

    async with raw_server(csms) as server:
        steps = await probe(target(server.url))
    assert (steps[-1].phase, steps[-1].ok) == (Phase.OPEN, False)
    assert steps[-1].diagnosis is not None
    assert steps[-1].diagnosis.code is DiagnosisCode.CLOSED_AFTER_HANDSHAKE
