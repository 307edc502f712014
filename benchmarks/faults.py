"""From a hardware fault to the contactor's open command, in the running agent.

Measured from outside, through the mock's control socket: from the moment before the fault is sent to the moment after
the state with the open contactor is read. So it holds two passes through a Unix socket on top of the agent's own share.
What those, the event loop's other work and a busy machine cost, the floor's column shows: the time to the answer of a
request that changes nothing, asked just before each fault.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import backlog
from central import Central
from subject import HERE, Station
from table import Row, fact_row, limit_row, number

from agent.bench.mock_client import MockClient

PAUSE_S = 0.02
"""Long enough for everything that a fault and its end set in motion to be over: idle is idle."""

IDLE_BUDGET_MS = 10.0
REPLAY_BUDGET_MS = 50.0
REPLAY_TIMEOUT_S = 180.0


class Sample(NamedTuple):
    """A fault at this monotonic time, how long the contactor took to open, and an answer just before."""

    raised_s: float
    opened_ms: float
    answered_ms: float


class Probe:
    """fault_probe.py at work from entering the block to leaving it."""

    def __init__(self, control: Path, pause_s: float) -> None:
        self._command = (sys.executable, "-m", "fault_probe", str(control), str(pause_s))
        self.samples: list[Sample] = []
        self.enough = asyncio.Event()
        self.wanted = 0

    async def __aenter__(self) -> Probe:
        self._process = await asyncio.create_subprocess_exec(*self._command, cwd=HERE, stdout=asyncio.subprocess.PIPE)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            raised_s, took_s, answered_s = map(float, line.split())
            self.samples.append(Sample(raised_s, took_s * 1000, answered_s * 1000))
            if len(self.samples) == self.wanted:
                self.enough.set()


async def measure(central: Central, directory: Path, samples: int, queued: int) -> list[Row]:
    """Idle: with nothing else to do. Replay: while `queued` reports go out, as fast as the CSMS takes them."""
    idle = await _idle(central, directory / "faults-idle", samples)
    replay = await _replay(central, directory / "faults-replay", queued)
    return [
        *_rows("fault to contactor open, idle", idle, IDLE_BUDGET_MS),
        *_rows("fault to contactor open, queue replay", replay, REPLAY_BUDGET_MS),
    ]


async def _idle(central: Central, directory: Path, samples: int) -> list[Sample]:
    station = Station(directory, central.url, "faults-idle")
    async with station.agent():
        await central.booted(station.identity)
        await _charge(station)
        async with Probe(station.control, PAUSE_S) as probe:
            probe.wanted = samples
            async with asyncio.timeout(REPLAY_TIMEOUT_S):
                await probe.enough.wait()
    return probe.samples


async def _replay(central: Central, directory: Path, queued: int) -> list[Sample]:
    """The session begins offline; then the CSMS is there, and the backlog goes out."""
    keys: dict[str, object] = {"AllowOfflineTxForUnknownId": True, "QueueMaxRows": 1_000_000}
    station = Station(directory, central.url, "faults-replay", keys=keys)
    await backlog.leave(station.state_dir, queued)
    times_s: list[float] = []
    over = asyncio.Event()

    def received(action: str, _payload: dict[str, object]) -> None:
        if action == "MeterValues":
            times_s.append(time.monotonic())
            if len(times_s) == queued:
                over.set()

    central.watch(station.identity, received)
    central.closed.add(station.identity)
    async with station.agent():
        await _charge(station)
        async with Probe(station.control, 0.0) as probe:
            central.closed.discard(station.identity)
            async with asyncio.timeout(REPLAY_TIMEOUT_S):
                await over.wait()
    return [sample for sample in probe.samples if times_s[0] <= sample.raised_s <= times_s[-1]]


async def _charge(station: Station) -> None:
    mock = MockClient(station.control)
    await mock.op("plug_in", ready_after=0)
    await mock.op("swipe", token="BENCH")  # noqa: S106 - a card
    await mock.wait_until(lambda evse: evse["contactor"] == "closed", timeout_s=10)


def _rows(what: str, samples: list[Sample], budget_ms: float) -> list[Row]:
    opened_ms = sorted(sample.opened_ms for sample in samples)
    answered_ms = sorted(sample.answered_ms for sample in samples)
    rows = []
    for percent in (50.0, 99.0, 99.9):
        name = f"{what}: p{percent:g}" + (f" of {len(samples)}" if percent == 50 else "")
        alone = number(_percentile(answered_ms, percent), "ms")
        rows.append(fact_row(name, "ms", _percentile(opened_ms, percent))._replace(floor=alone))
    rows[-1] = limit_row(rows[-1].what, "ms", _percentile(opened_ms, 99.9), budget_ms, (rows[-1].floor, ""))
    return rows


def _percentile(ordered: list[float], percent: float) -> float:
    """Nearest rank, rounded up: with few samples, the largest."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
