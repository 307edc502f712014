"""CPU for each GetConfiguration answered, over an open connection, one at a time."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from central import Central, Client
from subject import Station, Subject, floor, peer
from table import Row, ratio_row

BUDGET = 1.25
WARM_UP = 20
SETTLE_S = 1.0

ONE: dict[str, Any] = {"key": ["HeartbeatInterval"]}
ALL: dict[str, Any] = {}


async def measure(central: Central, directory: Path, rounds: int, calls: int) -> list[Row]:
    """The three take turns in every round; the least of each counts. All answer with the same keys and values."""
    station = Station(directory / "answering", central.url, "answering-agent")
    async with AsyncExitStack() as running:
        subjects = {"agent": await running.enter_async_context(station.agent())}
        clients = {"agent": await central.booted("answering-agent")}
        keys = directory / "keys.json"
        keys.write_text(json.dumps((await clients["agent"].call("GetConfiguration", ALL))["configurationKey"]))
        for name, make in (("floor", floor), ("peer", peer)):
            identity = f"answering-{name}"
            subject = make(central.url, identity, "--configuration", str(keys))
            subjects[name] = await running.enter_async_context(subject)
            clients[name] = await central.booted(identity)
        await asyncio.sleep(SETTLE_S)
        return [
            _row("GetConfiguration of one key", await _least(subjects, clients, ONE, rounds, calls)),
            _row("GetConfiguration of all keys", await _least(subjects, clients, ALL, rounds, calls // 4)),
        ]


def _row(what: str, least: dict[str, float]) -> Row:
    return ratio_row(what, "µs CPU", least["floor"], least["peer"], least["agent"], BUDGET)


async def _least(
    subjects: dict[str, Subject], clients: dict[str, Client], payload: dict[str, Any], rounds: int, calls: int
) -> dict[str, float]:
    """Microseconds of CPU for each call."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            for _ in range(WARM_UP):
                await clients[name].call("GetConfiguration", payload)
            before_s = subject.cpu_s
            for _ in range(calls):
                await clients[name].call("GetConfiguration", payload)
            taken[name].append((subject.cpu_s - before_s) / calls * 1e6)
    return {name: min(values) for name, values in taken.items()}
