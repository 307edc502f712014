"""How fast a queue empties after an outage, one message at a time, against a bare script on the same server."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import backlog
from central import Central
from subject import Station, Subject, floor
from table import Row, ratio_row

BUDGET = 0.8
SLOW_S = 0.02
TIMEOUT_S = 120.0


async def measure(central: Central, directory: Path, rounds: int, messages: int, slow_messages: int) -> list[Row]:
    """In turns; the fastest of each counts."""
    rows = []
    for delay_s, count in ((0.0, messages), (SLOW_S, slow_messages)):
        where = f"{delay_s * 1000:g} ms away" if delay_s else "on loopback"
        agents, floors = [], []
        payload = directory / f"replay-{where}.json"
        central.answer_delay_s = delay_s
        for number in range(rounds):
            station = Station(directory / f"replay-{where}-{number}", central.url, f"replay-agent-{delay_s}-{number}")
            await backlog.leave(station.state_dir, count)
            rate, first = await _rate(central, station.agent(), count)
            agents.append(rate)
            payload.write_text(json.dumps(first))
            bare = floor(central.url, f"replay-floor-{delay_s}-{number}", "--replay", str(payload), str(count))
            floors.append((await _rate(central, bare, count))[0])
        central.answer_delay_s = 0.0
        what = f"queued messages replayed, CSMS {where}"
        rows.append(ratio_row(what, "/s", max(floors), None, max(agents), BUDGET, at_least=True))
    return rows


async def _rate(central: Central, subject: Subject, count: int) -> tuple[float, dict[str, Any]]:
    """Messages a second from the first to the last, and the first one's payload."""
    times_s: list[float] = []
    first: list[dict[str, Any]] = []
    over = asyncio.Event()

    def received(action: str, payload: dict[str, Any]) -> None:
        if action != "MeterValues":
            return
        if not times_s:
            first.append(payload)
        times_s.append(time.perf_counter())
        if len(times_s) == count:
            over.set()

    central.watch(subject.identity, received)
    async with subject, asyncio.timeout(TIMEOUT_S):
        await over.wait()
    return (count - 1) / (times_s[-1] - times_s[0]), first[0]
