"""A station's queue as an outage leaves it, without waiting for the outage."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

from agent.charging.meter_values import ENERGY_REGISTER, MeterValue, SampledValue
from agent.charging.reports import MeterValuesReport
from agent.charging.types import ReadingContext
from agent.store.database import Database
from agent.store.journal import Bounds, Journal

_UNBOUNDED = Bounds(rows=10**9, bytes=10**12, values_per_transaction=100)


async def leave(state_dir: Path, reports: int) -> None:
    """So many clock-aligned meter values, one value each, in the queue of a station that has not run yet."""
    await asyncio.to_thread(state_dir.mkdir, mode=0o700)
    database = Database.open(state_dir / "station.db").database
    try:
        journal = Journal(database, lambda: str(uuid.uuid4()), lambda: _UNBOUNDED)
        now_ms = time.time_ns() // 1_000_000
        journal.begin_boot(now_ms)
        await journal.write([_report(now_ms, number - reports) for number in range(reports)], now_ms)
        await journal.flush()
    finally:
        database.close()


def _report(now_ms: int, minutes: int) -> MeterValuesReport:
    energy = SampledValue(100_000.0 + minutes, ENERGY_REGISTER, ReadingContext.SAMPLE_CLOCK, unit="Wh")
    return MeterValuesReport(1, 1, (MeterValue(now_ms + minutes * 60_000, (energy,)),))
