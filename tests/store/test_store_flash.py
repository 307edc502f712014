"""Flash wears: what a charging session costs of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.charging.effects import SaveTransactionData
from agent.charging.meter_values import MeterValue, SampledValue
from agent.charging.types import ReadingContext

from .store_samples import T0_MS, Store, end, record, started, updated

MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "SoC", *["Current.Import", "Voltage"] * 3)


def written_bytes() -> int:
    """What this process has given the block devices to write, in whole pages."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        pytest.skip("the kernel does not count what is written")
    return int(next(line for line in lines if line.startswith("write_bytes:")).split()[1])


def value(at_ms: int, measurands: int) -> MeterValue:
    context = ReadingContext.SAMPLE_PERIODIC
    return MeterValue(
        at_ms, tuple(SampledValue(12345.678, name, context, "L1", "Wh") for name in MEASURANDS[:measurands])
    )


def written_back(store: Store) -> None:
    """As the kernel does it within half a minute: so that no later write finds its page still to be written."""
    for file in store.path.parent.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


# The second is more than the budget is for: nine values a minute, each to the CSMS and in the end report as well.
@pytest.mark.parametrize(("measurands", "ended_too", "budget_bytes"), [(1, False, 1_000_000), (9, True, 1_500_000)])
async def test_an_hour_with_meter_values_every_minute(
    tmp_path: Path, measurands: int, ended_too: bool, budget_bytes: int
) -> None:
    store = Store(tmp_path / "station.db")
    journal = store.journal
    journal.begin_boot(T0_MS)
    await journal.flush()
    written_back(store)
    before = written_bytes()
    await journal.write([started(), record()], T0_MS)
    for minute in range(1, 61):
        row = await journal.head()
        assert row is not None
        await journal.delivered(row, csms_id="1234" if minute == 1 else None, sent_ms=T0_MS)
        written_back(store)
        at_ms = T0_MS + minute * 60_000
        meter_value = value(at_ms, measurands)
        data = [SaveTransactionData("t1", meter_value)] if ended_too else []
        report = updated(at_ms=at_ms)._replace(values=(meter_value,))
        await journal.write([*data, report, record(last_ms=at_ms)], at_ms)
    await journal.write(end(at_ms=at_ms), at_ms)
    await store.deliver_all()
    await journal.flush()
    store.close()
    written = written_bytes() - before
    if written == 0:
        pytest.skip("the test's directory is not on a block device")
    assert written <= budget_bytes
