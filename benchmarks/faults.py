"""From a hardware fault to the contactor's open command, in the running agent.

Measured from outside, through the mock's control socket: from the moment before the fault is sent to the moment after
the state with the open contactor is read. So it holds two passes through a Unix socket on top of the agent's own share.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path

import backlog
from central import Central
from subject import HERE, Station
from table import Row, fact_row, limit_row

from agent.bench.mock_client import MockClient

PAUSE_S = 0.02
"""Long enough for everything that a fault and its end set in motion to be over: idle is idle."""

IDLE_BUDGET_MS = 10.0
REPLAY_BUDGET_MS = 50.0
REPLAY_TIMEOUT_S = 180.0


class Probe:
    """fault_probe.py at work from entering the block to leaving it. `samples`: monotonic time (s), latency (ms)."""

    def __init__(self, control: Path, pause_s: float) -> None:
        self._command = (sys.executable, "-m", "fault_probe", str(control), str(pause_s))
        self.samples: list[tuple[float, float]] = []
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
            raised_s, took_s = map(float, line.split())
            self.samples.append((raised_s, took_s * 1000))
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


async def _idle(central: Central, directory: Path, samples: int) -> list[float]:
    station = Station(directory, central.url, "faults-idle")
    async with station.agent():
        await central.booted(station.identity)
        await _charge(station)
        async with Probe(station.control, PAUSE_S) as probe:
            probe.wanted = samples
            async with asyncio.timeout(REPLAY_TIMEOUT_S):
                await probe.enough.wait()
    return [latency_ms for _, latency_ms in probe.samples]


async def _replay(central: Central, directory: Path, queued: int) -> list[float]:
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
    return [latency_ms for at_s, latency_ms in probe.samples if times_s[0] <= at_s <= times_s[-1]]


async def _charge(station: Station) -> None:
    mock = MockClient(station.control)
    await mock.op("plug_in", ready_after=0)
    await mock.op("swipe", token="BENCH")  # noqa: S106 - a card
    await mock.wait_until(lambda evse: evse["contactor"] == "closed", timeout_s=10)


def _rows(what: str, latencies_ms: list[float], budget_ms: float) -> list[Row]:
    ordered = sorted(latencies_ms)
    return [
        fact_row(f"{what}: p50 of {len(ordered)}", "ms", _percentile(ordered, 50)),
        fact_row(f"{what}: p99", "ms", _percentile(ordered, 99)),
        limit_row(f"{what}: p99.9", "ms", _percentile(ordered, 99.9), budget_ms),
    ]


def _percentile(ordered: list[float], percent: float) -> float:
    """Nearest rank, rounded up: with few samples, the largest."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
