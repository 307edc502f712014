"""A station that stands idle and connected: memory and wake-ups."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import AsyncExitStack
from pathlib import Path

from central import Central
from subject import Station, Subject, floor, peer
from table import Row, limit_row, number, ratio_row

RSS_BUDGET = 1.25
WAKE_UPS_BUDGET = 2.0
MB_PER_EVSE = 0.3
EVSES = 5
INSTANCES = 3


async def measure(central: Central, directory: Path, settle_s: float, window_s: float) -> list[Row]:
    """Some of each, all at the same time; medians. They neither wait for each other nor share anything."""
    several = f"{EVSES} EVSEs"
    subjects: dict[str, list[Subject]] = {"floor": [], "peer": [], "agent": [], several: []}
    for number_ in range(INSTANCES):
        subjects["floor"].append(floor(central.url, f"idle-floor-{number_}"))
        subjects["peer"].append(peer(central.url, f"idle-peer-{number_}"))
        for name, evses in (("agent", 1), (several, EVSES)):
            identity = f"idle-{evses}-{number_}"
            subjects[name].append(Station(directory / identity, central.url, identity, evses=evses).agent())
    async with AsyncExitStack() as running:
        for group in subjects.values():
            for subject in group:
                await running.enter_async_context(subject)
        for group in subjects.values():
            for subject in group:
                await central.booted(subject.identity)
        await asyncio.sleep(settle_s)
        rss = {name: statistics.median(subject.rss_mb for subject in group) for name, group in subjects.items()}
        before = {name: sum(subject.wake_ups for subject in group) for name, group in subjects.items()}
        await asyncio.sleep(window_s)
        wake_ups = {
            name: (sum(subject.wake_ups for subject in group) - before[name]) / len(group) * 60 / window_s
            for name, group in subjects.items()
        }
    return [
        ratio_row(f"RSS {settle_s:g} s after boot", "MB", rss["floor"], rss["peer"], rss["agent"], RSS_BUDGET),
        limit_row(f"RSS of each further EVSE (of {EVSES})", "MB", _per_evse(rss, several), MB_PER_EVSE),
        ratio_row(
            "wake-ups a minute, idle, connected",
            "",
            wake_ups["floor"],
            wake_ups["peer"],
            wake_ups["agent"],
            WAKE_UPS_BUDGET,
        )._replace(ratio=number(wake_ups["agent"] / wake_ups["floor"])),
    ]


def _per_evse(rss: dict[str, float], several: str) -> float:
    return (rss[several] - rss["agent"]) / (EVSES - 1)
