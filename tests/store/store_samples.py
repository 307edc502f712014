"""Stores on real files, and the reports that go into them."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

from agent.charging.effects import ForgetTransaction, SaveTransaction, SaveTransactionData, TransactionRecord
from agent.charging.meter_values import ENERGY_REGISTER, MeterValue, SampledValue
from agent.charging.reports import DurableReport, MeterValuesReport, TransactionEvent, TransactionEventType
from agent.charging.types import (
    ChargingState,
    IdToken,
    ReadingContext,
    StopReason,
    TriggerReason,
)
from agent.store.database import Database
from agent.store.journal import Bounds, Journal
from agent.store.queue import QueuedReport

T0_MS = 1_800_000_000_000
ANNA = IdToken("ANNA")
WIDE = Bounds(rows=20_000, bytes=16_000_000, values_per_transaction=100)


class Store:
    """A journal on its file, which can be left as a power cut leaves it."""

    def __init__(self, path: Path, bounds: Bounds = WIDE, prefix: str = "m") -> None:
        ids = itertools.count(1)
        opened = Database.open(path)
        self.path = path
        self.database = opened.database
        self.set_aside = opened.set_aside
        self.bounds = bounds
        self.journal = Journal(self.database, lambda: f"{prefix}{next(ids)}", lambda: self.bounds)

    def cut(self, path: Path) -> Path:
        """What is on the disk at this moment, as another file."""
        for suffix in ("", "-wal"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                shutil.copyfile(source, path.with_name(path.name + suffix))
        return path

    def close(self) -> None:
        self.database.close()

    async def deliver_all(self) -> list[QueuedReport]:
        """Everything in the queue, as a CSMS that takes all gets it."""
        rows = []
        while (row := await self.journal.head()) is not None:
            rows.append(row)
            await self.journal.delivered(row)
        return rows


def event(
    kind: TransactionEventType, transaction_id: str = "t1", at_ms: int = T0_MS, *, register_wh: float = 1000.0
) -> TransactionEvent:
    ended = kind is TransactionEventType.ENDED
    return TransactionEvent(
        kind=kind,
        transaction_id=transaction_id,
        seq_no=0,
        at_ms=at_ms,
        trigger=TriggerReason.METER_VALUE_PERIODIC,
        evse_id=1,
        connector_id=1,
        charging_state=ChargingState.CHARGING,
        register_wh=register_wh,
        id_token=ANNA,
        stop_reason=StopReason.LOCAL if ended else None,
        values=(meter_value(at_ms),) if kind is TransactionEventType.UPDATED else (),
    )


def started(transaction_id: str = "t1", at_ms: int = T0_MS) -> TransactionEvent:
    return event(TransactionEventType.STARTED, transaction_id, at_ms)


def updated(transaction_id: str = "t1", at_ms: int = T0_MS) -> TransactionEvent:
    return event(TransactionEventType.UPDATED, transaction_id, at_ms)


def ended(transaction_id: str = "t1", at_ms: int = T0_MS) -> TransactionEvent:
    return event(TransactionEventType.ENDED, transaction_id, at_ms)


def aligned(evse_id: int = 1, at_ms: int = T0_MS) -> MeterValuesReport:
    """Clock-aligned values outside a transaction."""
    return MeterValuesReport(evse_id, 1, (meter_value(at_ms),))


def meter_value(at_ms: int = T0_MS, value: float = 1234.5) -> MeterValue:
    return MeterValue(at_ms, (SampledValue(value, ENERGY_REGISTER, ReadingContext.SAMPLE_PERIODIC, None, "Wh"),))


def datum(transaction_id: str = "t1", at_ms: int = T0_MS) -> SaveTransactionData:
    return SaveTransactionData(transaction_id, meter_value(at_ms))


def record(transaction_id: str = "t1", last_ms: int = T0_MS, last_wh: float = 1000.0) -> SaveTransaction:
    return SaveTransaction(
        TransactionRecord(transaction_id, 1, 1, ANNA, None, None, T0_MS, 1000.0, last_wh, last_ms, 1)
    )


def end(transaction_id: str = "t1", at_ms: int = T0_MS) -> tuple[TransactionEvent, ForgetTransaction]:
    return ended(transaction_id, at_ms), ForgetTransaction(transaction_id)


def stamps(reports: Iterable[DurableReport]) -> list[int]:
    return [report.at_ms if isinstance(report, TransactionEvent) else report.values[0].at_ms for report in reports]


async def reopened(store: Store) -> Store:
    """After a proper stop."""
    await store.journal.flush()
    store.close()
    return Store(store.path, store.bounds, prefix="later")
