"""A station's queue as an outage leaves it, without waiting for the outage."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

from agent.charging.meter_values import MeterValue, SampledValue
from agent.charging.reports import MeterValuesReport
from agent.charging.types import ReadingContext
from agent.store.database import Database
from agent.store.journal import Bounds, Journal

_UNBOUNDED = Bounds(rows=10**9, bytes=10**12, values_per_transaction=100)


def leave(state_dir: Path, reports: int) -> None:
    """So many clock-aligned meter values in the queue of a station that is not running."""
    state_dir.mkdir(mode=0o700, exist_ok=True)
    asyncio.run(_leave(state_dir, reports))


async def leave_in(state_dir: Path, reports: int) -> None:
    """As `leave`, from within an event loop."""
    state_dir.mkdir(mode=0o700, exist_ok=True)
    await _leave(state_dir, reports)


async def _leave(state_dir: Path, reports: int) -> None:
    database = Database.open(state_dir / "station.db").database
    try:
        journal = Journal(database, lambda: str(uuid.uuid4()), lambda: _UNBOUNDED)
        now_ms = time.time_ns() // 1_000_000
        journal.begin_boot(now_ms)
        for number in range(reports):
            await journal.write([_report(now_ms - (reports - number) * 1000, number)], now_ms)
        await journal.flush()
    finally:
        database.close()


def _report(at_ms: int, number: int) -> MeterValuesReport:
    energy = SampledValue(1000.0 + number, "Energy.Active.Import.Register", ReadingContext.SAMPLE_CLOCK, unit="Wh")
    return MeterValuesReport(1, (MeterValue(at_ms, (energy,)),))
