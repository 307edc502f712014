"""The network's faults, as a station on its other side feels them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from agent.bench.csms import BenchCsms
from agent.bench.frame_counter import FrameCounter
from agent.bench.network import BenchNetwork, Direction
from agent.bench.tls import BenchTls


@pytest.fixture
async def bench() -> AsyncIterator[tuple[BenchCsms, BenchNetwork]]:
    async with BenchCsms() as csms, BenchNetwork(csms.url) as network:
        yield csms, network


Bench = tuple[BenchCsms, BenchNetwork]


def dial(network: BenchNetwork) -> connect:
    return connect(f"{network.url}/CP001", subprotocols=[Subprotocol("ocpp1.6")], compression=None, ping_interval=None)


async def heartbeat(client: ClientConnection, message_id: str) -> None:
    await client.send(json.dumps([2, message_id, "Heartbeat", {}]))


async def answered(client: ClientConnection, wait_s: float = 2.0) -> str:
    async with asyncio.timeout(wait_s):
        return str(json.loads(await client.recv())[1])


async def heartbeats(client: ClientConnection, count: int) -> list[str]:
    """Sends them until the connection ends; those that were answered."""
    heard = []
    with contextlib.suppress(ConnectionClosed):
        for number in range(1, count + 1):
            await heartbeat(client, str(number))
            heard.append(await answered(client))
    return heard


async def test_all_passes_and_is_counted(bench: Bench) -> None:
    csms, network = bench
    async with dial(network) as client:
        before = dict(network.bytes)
        await heartbeat(client, "1")
        assert await answered(client) == "1"
    assert network.connections == csms.station().connections == 1
    assert network.bytes[Direction.TO_CSMS] - before[Direction.TO_CSMS] > len('[2, "1", "Heartbeat", {}]')
    assert network.bytes[Direction.TO_STATION] > before[Direction.TO_STATION]


async def test_unplugged_nothing_passes_and_plugged_again_it_arrives(bench: Bench) -> None:
    csms, network = bench
    async with dial(network) as client:
        network.unplug()
        await heartbeat(client, "1")
        with pytest.raises(TimeoutError):
            await answered(client, 0.05)
        assert csms.station().calls("Heartbeat") == []
        network.plug()
        assert await answered(client) == "1"


async def test_nobody_can_connect_while_it_is_unplugged_nor_hears_of_an_end(bench: Bench) -> None:
    csms, network = bench
    async with dial(network) as client:
        await csms.station().wait_connected()
        network.unplug()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dial(network)
        client.transport.abort()
        await asyncio.sleep(0.05)
        assert csms.station().connected
    network.plug()
    await csms.station().wait_disconnected()


async def test_a_cut_ends_what_stands_and_lets_new_connections_in(bench: Bench) -> None:
    csms, network = bench
    async with dial(network) as client:
        await csms.station().wait_connected()
        network.cut()
        with pytest.raises(ConnectionClosed):
            await answered(client)
    await csms.station().wait_disconnected()
    async with dial(network) as client:
        await heartbeat(client, "1")
        assert await answered(client) == "1"


@pytest.mark.parametrize(("delivered", "arrived"), [(True, ["1", "2"]), (False, ["1"])])
async def test_a_cut_after_so_many_messages_to_the_csms(bench: Bench, delivered: bool, arrived: list[str]) -> None:
    csms, network = bench
    async with dial(network) as client:
        network.cut_after(2, Direction.TO_CSMS, delivered=delivered)
        assert len(await heartbeats(client, 3)) < 2  # the answer to the second is lost in any case
    await csms.station().wait_disconnected()
    assert [message.message_id for message in csms.station().calls("Heartbeat")] == arrived


@pytest.mark.parametrize(("delivered", "heard"), [(True, ["1", "2"]), (False, ["1"])])
async def test_a_cut_after_so_many_messages_to_the_station(bench: Bench, delivered: bool, heard: list[str]) -> None:
    _, network = bench
    network.cut_after(2, Direction.TO_STATION, delivered=delivered)
    async with dial(network) as client:
        assert await heartbeats(client, 3) == heard


@pytest.mark.parametrize(("delivered", "arrived"), [(True, ["1", "2"]), (False, ["1"])])
async def test_it_is_unplugged_after_so_many_messages(bench: Bench, delivered: bool, arrived: list[str]) -> None:
    csms, network = bench
    async with dial(network) as client:
        network.cut_after(2, Direction.TO_CSMS, delivered=delivered, silent=True)
        for number in ("1", "2", "3"):
            await heartbeat(client, number)
        await csms.station().wait_for("Heartbeat", where=lambda call: call.message_id == arrived[-1])
        assert [message.message_id for message in csms.station().calls("Heartbeat")] == arrived
        assert not network.plugged
        network.plug()
        await csms.station().wait_for("Heartbeat", where=lambda call: call.message_id == "3")
    assert [message.message_id for message in csms.station().calls("Heartbeat")] == ["1", "2", "3"]


async def test_messages_cannot_be_counted_in_tls() -> None:
    async with BenchCsms(tls=BenchTls()) as csms, BenchNetwork(csms.url) as network:
        with pytest.raises(ValueError, match="encrypted"):
            network.cut_after(1, Direction.TO_CSMS)


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = False) -> bytes:
    length = len(payload)
    mask_bit = 0x80 if masked else 0
    if length < 126:
        header = bytes([mask_bit | length])
    elif length < 65536:
        header = bytes([mask_bit | 126]) + length.to_bytes(2)
    else:
        header = bytes([mask_bit | 127]) + length.to_bytes(8)
    return bytes([(0x80 if final else 0) | opcode]) + header + (b"mask" if masked else b"") + payload


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 8, 9, 10]),
            st.sampled_from([0, 1, 125, 126, 300, 65536]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_messages_are_counted_however_the_bytes_are_cut(
    frames: list[tuple[int, int, bool, bool]], chunks: list[int]
) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    stream, expected = head, []
    for opcode, length, final, masked in frames:
        stream += frame(opcode, bytes(length), final=final, masked=masked)
        if final and opcode < 8:
            expected.append(len(stream))
    counter, found, position = FrameCounter(), [], 0
    while position < len(stream):
        size = chunks.pop(0) if chunks else len(stream)
        found += [position + end for end in counter.feed(stream[position : position + size])]
        position += size
    assert found == expected
