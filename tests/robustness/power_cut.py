"""One power cut at one step of one session, and what may have come of it when the power is back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent.bench.ledger import Transaction

from .rig import FIRST_WH, PATIENCE_S, POWER_W, Rig, judge, rig

LAUNCHER = Path(__file__).with_name("launcher.py")

# Between two looks at the meter (1 s), and as much again for a busy machine.
_UNSEEN_WH = POWER_W * 2.0 / 3600
# Registers are reported in whole watt-hours.
ROUNDING_WH = 1.0

Life = Callable[[Rig], Awaitable[None]]
"""What happens while the agent runs, from its start on."""

Cut = tuple[str, str]
"""A step's name, and "before" or "after"."""

LIVE: Cut = ("-", "-")


class Record:
    """What the launcher wrote: `begun` and `done` steps, and `evses` as they were at the moment of death."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self.begun = [line[1:] for line in lines if line.startswith("<")]
        self.done = [line[1:] for line in lines if line.startswith(">")]
        deaths: list[list[dict[str, Any]]] = [json.loads(line[1:]) for line in lines if line.startswith("!")]
        self.died = bool(deaths)
        self.evse = deaths[0][0] if deaths and deaths[0] else None

    def committed(self, what: str) -> bool:
        """Whether a transaction with this in it, such as "queue Started", is in the database for good."""
        return any(step.startswith("commit(") and what in step for step in self.done)

    def cuts(self) -> list[Cut]:
        """Where the power can be cut: before every step, and after those that make something true at once.

        Not between the statements of one transaction, which is the same as before its commit.
        """
        steps = [step for step in self.begun if not step.startswith(("insert", "update", "delete"))]
        # What comes right after another step is what comes before the next, but for what another thread does then.
        after = [step for step in steps if step.startswith(("commit", "coil on"))]
        return [*((step, "before") for step in steps), *((step, "after") for step in after)]


async def run_into(rig: Rig, cut: Cut, life: Life, record: Path) -> Record:
    """Run the agent with the power cut there; where the step does not come, it is stopped in an orderly way."""
    await rig.agent.start((str(LAUNCHER), str(record), *cut))
    living = asyncio.ensure_future(life(rig))
    death = asyncio.ensure_future(rig.agent.wait(3 * PATIENCE_S))
    try:
        await asyncio.wait({living, death}, return_when=asyncio.FIRST_COMPLETED)
        if living.done() and not death.done():
            await _end(rig, living, death)
    finally:
        living.cancel()
        death.cancel()
        await asyncio.gather(living, death, return_exceptions=True)
    return Record(record)


async def _end(rig: Rig, living: asyncio.Future[None], death: asyncio.Future[int]) -> None:
    """Stop the agent, which may die at that; what has failed is excused by a death only."""
    error = living.exception()
    if error is None and rig.agent.running:
        with suppress(ProcessLookupError):
            os.kill(rig.agent.pid, signal.SIGTERM)
    done, _ = await asyncio.wait({death}, timeout=PATIENCE_S if error is None else 1.0)
    if not done:
        raise AssertionError(f"{error or 'still there'}\n{rig.agent.log}") from error


async def steps_of(life: Life, prepare: Life | None = None) -> Record:
    """Count the steps of a life that nothing disturbs."""
    async with rig() as bench:
        if prepare is not None:
            await prepare(bench)
        record = await run_into(bench, LIVE, life, bench.directory / "record")
        assert record.committed("queue Ended"), bench.agent.log
        return record


async def survive(cut: Cut, session: Life, reached: list[Cut]) -> None:
    """Cut the power there; put it back; the bill is right and the next driver is served."""
    async with rig() as bench:
        with named(bench, cut):
            record = await run_into(bench, cut, session, bench.directory / "record")
            if record.died:
                reached.append(cut)
            _judge_bill(bench, record, await serve_the_next(bench))


async def serve_the_next(bench: Rig) -> float:
    """The power is back, the CSMS is there and a driver comes; what the meter showed before that, Wh."""
    await bench.csms_comes()
    await bench.agent.start()
    await bench.settled()
    register_wh = await bench.energy_wh()
    await bench.short_session()
    await bench.agent.stop()
    judge(bench)
    return register_wh


@contextmanager
def named(bench: Rig, cut: Cut) -> Iterator[None]:
    """Say in what fails which cut it was."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{' '.join(reversed(cut))}: {error!r}\n{bench.agent.log[-6000:]}") from error


def _judge_bill(bench: Rig, record: Record, register_wh: float) -> None:
    *interrupted, last = bench.transactions
    assert last.start.energy_wh == int(register_wh)
    if record.committed("queue Started"):
        (transaction,) = interrupted
        judge_interrupted(transaction, register_wh, ended=record.committed("queue Ended"))
        return
    assert not interrupted, "what was never durable has been told"
    assert register_wh == FIRST_WH, "energy flowed before the session was durable"
    assert record.evse is None or record.evse["contactor"] == "open"


def judge_interrupted(transaction: Transaction, register_wh: float, *, ended: bool) -> None:
    """ended: that it had ended was durable when the power went."""
    assert transaction.stop is not None
    assert transaction.start.energy_wh == FIRST_WH
    last_reported_wh = max(reading.energy_wh for reading in transaction.readings)
    assert last_reported_wh <= transaction.stop.energy_wh + ROUNDING_WH
    unbilled_wh = register_wh - transaction.stop.energy_wh
    if ended:
        assert transaction.stop_reason == "Local"
        assert 0 <= unbilled_wh < ROUNDING_WH
    else:
        assert transaction.stop_reason == "PowerLoss"
        assert 0 <= unbilled_wh < _UNSEEN_WH
