"""What the link learns from silences that end connections."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.csms.backoff import Backoff
from agent.csms.connection import Link, LinkEvents
from agent.csms.diagnosis import Diagnosis
from agent.csms.idle import SHORTEST_S, IdleCutoff
from agent.csms.websocket import Connection

from .loopback import accept_upgrade, frame, raw_server, target


def test_one_end_after_a_silence_may_be_chance() -> None:
    cutoff = IdleCutoff()
    assert not cutoff.ended(120.0)
    assert cutoff.ping_interval_s(0.0) == 0.0


def test_two_ends_after_the_same_silence_are_a_rule_and_pings_come_sooner() -> None:
    cutoff = IdleCutoff()
    cutoff.ended(120.0)
    assert cutoff.ended(118.0)
    assert cutoff.ping_interval_s(0.0) == pytest.approx(94.4)
    assert cutoff.ping_interval_s(300.0) == pytest.approx(94.4)
    assert cutoff.ping_interval_s(30.0) == 30.0


def test_ends_after_different_silences_teach_nothing() -> None:
    cutoff = IdleCutoff()
    assert not any(cutoff.ended(silent_s) for silent_s in (120.0, 60.0, 300.0, 20.0))


@given(st.lists(st.floats(0, 4000), max_size=30), st.floats(0, 1000))
def test_pings_never_come_later_than_configured_nor_in_a_storm(silences: list[float], configured_s: float) -> None:
    cutoff = IdleCutoff()
    for silent_s in silences:
        cutoff.ended(silent_s)
    interval_s = cutoff.ping_interval_s(configured_s)
    assert configured_s == 0 or interval_s <= configured_s
    assert interval_s == configured_s or interval_s >= 0.8 * SHORTEST_S


async def test_a_network_that_drops_the_silent_is_pinged_in_time() -> None:
    """The third connection uses what the first two taught; status shows it."""
    now_s = 0.0
    hang_up = asyncio.Event()

    async def drops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accept_upgrade(reader, writer)
        writer.write(frame(1, b"hello"))
        await writer.drain()
        await hang_up.wait()
        hang_up.clear()
        writer.transport.abort()

    opened: asyncio.Queue[Connection] = asyncio.Queue()
    texts: asyncio.Queue[str] = asyncio.Queue()
    downs: asyncio.Queue[Diagnosis] = asyncio.Queue()
    events = LinkEvents(opened.put_nowait, texts.put_nowait, lambda _: None, downs.put_nowait)
    async with raw_server(drops) as server:
        link = Link(lambda: target(server.url), events, Backoff(0, 0, 0, lambda: 0.0), mono_s=lambda: now_s)
        running = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(5):
                for _ in range(2):
                    assert (await opened.get()) is not None
                    await texts.get()
                    assert link.status().ping_interval_s == 0
                    now_s += 200.0
                    hang_up.set()
                    await downs.get()
                await opened.get()
                assert link.status().ping_interval_s == pytest.approx(160.0)
        finally:
            await link.stop()
            await running
