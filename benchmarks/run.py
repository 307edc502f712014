"""The agent's budgets, measured side by side with two baselines, and printed as ratios.

    python benchmarks/run.py [--quick] [--strict] [--only PART ...]

floor.py is the least that a Python program can do; peer_ocpp.py is what most Python charge points start from. Everyone
talks to the same CSMS on loopback, each in a process of its own. A busy machine makes times longer and ratios rougher:
the least of several rounds counts, and the baselines take their turns in every round.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import answering
import faults
import flash
import replay
import standing
import start_up
from central import Central
from table import Row, text

ROOT = Path(__file__).parent.parent


class Effort(NamedTuple):
    """How much is measured."""

    starts: int
    settle_s: float
    idle_s: float
    call_rounds: int
    calls: int
    replay_rounds: int
    messages: int
    slow_messages: int
    faults: int
    queued: int
    speed: float


FULL = Effort(20, 10, 120, 8, 1000, 3, 3000, 150, 1500, 20_000, 40)
QUICK = Effort(5, 3, 20, 3, 300, 2, 800, 50, 300, 3000, 200)

Part = Callable[[Central, Path], Awaitable[list[Row]]]


def stages(effort: Effort) -> list[dict[str, Part]]:
    """What is measured, in order. The parts of one stage go on at the same time: they only wait."""
    e = effort
    return [
        {"start": lambda central, directory: start_up.measure(central, directory, e.starts)},
        {
            "idle": lambda central, directory: standing.measure(central, directory, e.settle_s, e.idle_s),
            "flash": lambda _central, directory: flash.measure(directory, e.speed),
        },
        {"calls": lambda central, directory: answering.measure(central, directory, e.call_rounds, e.calls)},
        {"faults": lambda central, directory: faults.measure(central, directory, e.faults, e.queued)},
        {
            "replay": lambda central, directory: replay.measure(
                central, directory, e.replay_rounds, e.messages, e.slow_messages
            )
        },
    ]


PARTS = [name for stage in stages(QUICK) for name in stage]


async def measure(effort: Effort, only: list[str]) -> list[Row]:
    """The chosen parts; all if none is chosen."""
    rows: list[Row] = []
    with TemporaryDirectory(prefix="evse-agent-bench-") as name:
        async with Central() as central:
            for stage in stages(effort):
                chosen = {part: run for part, run in stage.items() if not only or part in only}
                if chosen:
                    _say(f"{', '.join(chosen)} ...")
                    for measured in await asyncio.gather(*(run(central, Path(name)) for run in chosen.values())):
                        rows += measured
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="The agent's budgets, measured against two baselines.")
    parser.add_argument("--quick", action="store_true", help="less of everything: under a minute, rougher")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a budget is missed")
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS, help="some parts")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    for package in ("agent", "hal", "provisioning", "benchmarks"):
        compileall.compile_dir(ROOT / package, quiet=1)
    rows = asyncio.run(measure(QUICK if arguments.quick else FULL, arguments.only))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    _say(
        f"\n{text(rows)}\n\nPython {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs,"
        f" load {load}; {time.monotonic() - began_s:.0f} s"
    )
    missed = any(row.ok is False for row in rows)
    return 1 if missed and arguments.strict else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is the user interface


if __name__ == "__main__":
    sys.exit(main())
