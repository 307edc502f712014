"""The network between a station and the CSMS, which can be unplugged and cut."""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum
from types import TracebackType
from urllib.parse import urlsplit

from agent.bench.conversation import reset
from agent.bench.frame_counter import FrameCounter

_CHUNK_BYTES = 64 * 1024
_CONNECT_TIMEOUT_S = 5.0


class Direction(Enum):
    """Which way data goes."""

    TO_CSMS = "to the CSMS"
    TO_STATION = "to the station"


class _Fault:
    """To come: behind the last of `messages_left`, or before it is complete. `silent`: nobody is told."""

    def __init__(self, messages_left: int, delivered: bool, silent: bool) -> None:
        self.messages_left = messages_left
        self.delivered = delivered
        self.silent = silent


class BenchNetwork:
    """A TCP relay in this process; the station is given `url` in place of the CSMS's.

        async with BenchCsms() as csms, BenchNetwork(csms.url) as network: ...

    `bytes`: what has been relayed so far, by direction. `connections`: how many have been made.
    """

    def __init__(self, csms_url: str) -> None:
        self._csms = urlsplit(csms_url)
        self.bytes = dict.fromkeys(Direction, 0)
        self.connections = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._faults: dict[Direction, _Fault] = {}
        self._closing = False

    async def __aenter__(self) -> BenchNetwork:
        self._server = await asyncio.start_server(self._link, self._csms.hostname, 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._closing = True
        self.cut()
        self.plug()
        if self._links:
            await asyncio.wait(self._links)

    @property
    def url(self) -> str:
        """The CSMS's URL by way of this network."""
        return self._csms._replace(netloc=f"{self._csms.hostname}:{self._port}").geturl()

    def unplug(self) -> None:
        """From now on nothing passes and nobody is told, as with a pulled cable: connections seem to stand."""
        self._plugged.clear()

    def plug(self) -> None:
        """All passes again; what was sent meanwhile arrives now, where both ends still hold their connection."""
        self._plugged.set()

    def cut(self) -> None:
        """Reset every connection there is, on both sides. New ones can be made."""
        for writers in self._links.values():
            for writer in writers:
                reset(writer.transport)

    @property
    def plugged(self) -> bool:
        """Not unplugged."""
        return self._plugged.is_set()

    def cut_after(self, messages: int, direction: Direction, *, delivered: bool = True, silent: bool = False) -> None:
        """Cut once that many more messages have gone this way; with `delivered` False the last one is lost.

        silent: unplug instead; then the last one is not lost, but late.

        Counts WebSocket text and binary messages from now on, over all connections. Raises ValueError for a CSMS that
        is reached by TLS, where they cannot be told apart.
        """
        if messages < 1:
            raise ValueError(f"messages: at least 1, not {messages}")
        if self._csms.scheme != "ws":
            raise ValueError("messages cannot be counted in an encrypted connection")
        self._faults[direction] = _Fault(messages, delivered, silent)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = (writer,)
        self.connections += 1
        try:
            await self._plugged.wait()
            if not self._closing:
                await self._relay_both(reader, writer, task)
        except* OSError:
            pass  # one side is gone, or was cut
        finally:
            for side in self._links.pop(task):
                reset(side.transport)
                with contextlib.suppress(OSError):
                    await side.wait_closed()

    async def _relay_both(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            csms_reader, csms_writer = await asyncio.open_connection(self._csms.hostname, self._csms.port)
        self._links[task] = (writer, csms_writer)
        async with asyncio.TaskGroup() as relays:
            relays.create_task(self._relay(reader, csms_writer, Direction.TO_CSMS))
            relays.create_task(self._relay(csms_reader, writer, Direction.TO_STATION))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        counter = FrameCounter() if self._csms.scheme == "ws" else None
        while data := await reader.read(_CHUNK_BYTES):
            await self._plugged.wait()
            fault, passed = (None, data) if counter is None else self._passing(data, counter, direction)
            await self._pass(passed, writer, direction)
            if fault is not None and not fault.silent:
                self.cut()
                return
            if fault is not None:
                self.unplug()
                await self._plugged.wait()
                await self._pass(data[len(passed) :], writer, direction)
        await self._plugged.wait()
        writer.write_eof()

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter, direction: Direction) -> None:
        writer.write(data)
        self.bytes[direction] += len(data)
        await writer.drain()

    def _passing(self, data: bytes, counter: FrameCounter, direction: Direction) -> tuple[_Fault | None, bytes]:
        """What happens to the network behind how much of the data."""
        previous_end = 0
        found: tuple[_Fault | None, bytes] = None, data
        for end in counter.feed(data):
            fault = self._faults.get(direction)
            if fault is not None:
                fault.messages_left -= 1
                if not fault.messages_left:
                    del self._faults[direction]
                    found = fault, data[: end if fault.delivered else previous_end]
            previous_end = end
        return found
