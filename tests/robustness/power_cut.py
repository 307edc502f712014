"""One power cut at one step of one session, and what may have come of it when the power is back."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .rig import FIRST_WH, PATIENCE_S, POWER_W, Rig, judge, rig

LAUNCHER = Path(__file__).with_name("launcher.py")

# Between two looks at the meter (1 s), and as much again for a busy machine.
_UNSEEN_WH = POWER_W * 2.0 / 3600
# Registers are reported in whole watt-hours.
_ROUNDING_WH = 1.0

Session = Callable[[Rig], Awaitable[None]]
Cut = tuple[str, str]
"""A step's name, and "before" or "after"."""

LIVE: Cut = ("-", "-")


class Record:
    """What the launcher wrote: `begun` and `done` steps, and `evses` as they were at the moment of death."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
        """Where the power can be cut: before every step, and after those that make something true at once."""
        after = [step for step in self.begun if step.startswith(("commit", "coil on", "send", "re"))]
        return [*((step, "before") for step in self.begun), *((step, "after") for step in after)]


async def run_into(rig: Rig, cut: Cut, session: Session, record: Path) -> Record:
    """Run the session with the power cut there, or at its end where the step did not come."""
    await rig.agent.start((str(LAUNCHER), str(record), *cut))
    driving = asyncio.ensure_future(session(rig))
    death = asyncio.ensure_future(rig.agent.wait(3 * PATIENCE_S))
    try:
        await asyncio.wait({driving, death}, return_when=asyncio.FIRST_COMPLETED)
        if not death.done():
            await _ended(rig, driving, death)
    finally:
        for task in (driving, death):
            task.cancel()
        await asyncio.gather(driving, death, return_exceptions=True)
    return Record(record)


async def _ended(rig: Rig, driving: asyncio.Future[None], death: asyncio.Future[int]) -> None:
    """The session is over, or has failed, which the death of the agent excuses."""
    if driving.exception() is not None:
        try:
            await asyncio.wait_for(asyncio.shield(death), 1.0)
        except TimeoutError:
            raise AssertionError(f"{driving.exception()}\n{rig.agent.log}") from driving.exception()
    else:
        await rig.agent.kill()


async def steps_of(session: Session) -> list[Cut]:
    """Count them, in a session that nothing disturbs."""
    async with rig() as bench:
        record = await run_into(bench, LIVE, session, bench.directory / "record")
        assert record.committed("queue Started")
        assert record.committed("queue Ended")
        bench.csms.ledger.assert_clean()
        return record.cuts()


async def survive(cut: Cut, session: Session, reached: list[Cut]) -> None:
    """Cut the power there; put it back; the bill is right and the next driver is served."""
    async with rig() as bench:
        record = await run_into(bench, cut, session, bench.directory / "record")
        if record.died:
            reached.append(cut)
        try:
            await bench.csms_comes()
            await bench.agent.start()
            await bench.settled()
            register_wh = await bench.energy_wh()
            await bench.short_session()
            await bench.agent.stop()
            judge(bench)
            _judge_bill(bench, record, register_wh)
        except Exception as error:
            raise AssertionError(f"{' '.join(reversed(cut))}: {error}\n{bench.agent.log[-6000:]}") from error


def _judge_bill(bench: Rig, record: Record, register_wh: float) -> None:
    *interrupted, last = bench.transactions
    assert last.start.energy_wh == int(register_wh)
    if not record.committed("queue Started"):
        assert not interrupted, "what was never durable has been told"
        assert register_wh == FIRST_WH, "energy flowed before the session was durable"
        assert record.evse is None or record.evse["contactor"] == "open"
        return
    (transaction,) = interrupted
    assert transaction.stop is not None
    assert transaction.start.energy_wh == FIRST_WH
    last_reported_wh = max(reading.energy_wh for reading in transaction.readings)
    assert last_reported_wh <= transaction.stop.energy_wh + _ROUNDING_WH
    unbilled_wh = register_wh - transaction.stop.energy_wh
    if record.committed("queue Ended"):
        assert transaction.stop_reason == "Local"
        assert 0 <= unbilled_wh < _ROUNDING_WH
    else:
        assert transaction.stop_reason == "PowerLoss"
        assert 0 <= unbilled_wh < _UNSEEN_WH
