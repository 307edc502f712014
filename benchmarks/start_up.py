"""CPU from the start of the process to the first BootNotification on the wire."""

from __future__ import annotations

from pathlib import Path

from central import Central
from subject import Station, Subject, floor, peer
from table import Row, ratio_row

BUDGET = 1.25


async def measure(central: Central, directory: Path, rounds: int) -> list[Row]:
    """One after the other in every round, so that a busy machine is busy for all; the least of each counts."""
    floors, peers, firsts, seconds = [], [], [], []
    for number in range(rounds):
        floors.append(await _start(central, floor(central.url, f"start-floor-{number}")))
        peers.append(await _start(central, peer(central.url, f"start-peer-{number}")))
        station = Station(directory / f"start-{number}", central.url, f"start-agent-{number}")
        firsts.append(await _start(central, station.agent()))
        seconds.append(await _start(central, station.agent()))
    least = (min(floors), min(peers))
    return [
        ratio_row("start to BootNotification: first start", "ms CPU", *least, min(firsts), BUDGET),
        ratio_row("start to BootNotification: later start", "ms CPU", *least, min(seconds), BUDGET),
    ]


async def _start(central: Central, subject: Subject) -> float:
    """Milliseconds. The reading is taken when the frame is there, before it is answered."""
    cpu_ms: list[float] = []

    def booting(action: str, _payload: dict[str, object]) -> None:
        if action == "BootNotification":
            cpu_ms.append(subject.cpu_s * 1000)

    central.watch(subject.identity, booting)
    central.forget(subject.identity)
    async with subject:
        await central.booted(subject.identity)
    return cpu_ms[0]
