"""When a transaction's meter is read, and what becomes of each reading (1.6 §3.16, OCPP 2.0.1 J01, J02).

Readings are asked for (`ReadMeter`) and come back as events, a dead meter as a reading of None. Between the reports the
meter is watched, so that a power cut finds a young register and a dead meter is not found out at the session's end.
"""

from __future__ import annotations

from typing import Protocol

from agent.charging.core import Core
from agent.charging.effects import ReadMeter, ReadPurpose
from agent.charging.meter_values import MeterReading, MeterValue, Offer, sample
from agent.charging.reports import TransactionEventType
from agent.charging.transactions import Transaction, TransactionPhase
from agent.charging.types import ReadingContext, TriggerReason

WATCH_INTERVAL_S = 10.0
RETRY_INTERVAL_S = 5.0
END_READING_TIMEOUT_S = 5.0

_CONTEXTS = (ReadingContext.SAMPLE_PERIODIC, ReadingContext.SAMPLE_CLOCK)


class MeteredEvse(Protocol):
    """What the metering needs of its EVSE."""

    @property
    def evse_id(self) -> int: ...
    @property
    def offer(self) -> Offer: ...
    def meter_began(self, transaction: Transaction) -> None: ...
    def meter_ended(self, transaction: Transaction) -> None: ...
    def meter_lost(self) -> None: ...


class Metering:
    """The meter of one EVSE, on behalf of the transaction that runs there."""

    __slots__ = (
        "_began_s",
        "_core",
        "_end_deadline_s",
        "_evse",
        "_failed_since_s",
        "_interval_start_wh",
        "_last_reading_s",
        "_last_sample_s",
        "_retry_s",
        "_transaction",
    )

    def __init__(self, core: Core, evse: MeteredEvse) -> None:
        self._core = core
        self._evse = evse
        self._transaction: Transaction | None = None
        self._reset()

    def _reset(self) -> None:
        self._began_s = 0.0
        self._last_sample_s = 0.0
        self._last_reading_s = 0.0
        self._failed_since_s: float | None = None
        self._retry_s: float | None = None
        self._end_deadline_s: float | None = None
        self._interval_start_wh: dict[ReadingContext, float] = {}

    # --- the life of a transaction --------------------------------------------------------------------------------

    def begin(self, transaction: Transaction) -> None:
        """Ask for the first reading; energy is offered only after it, so that none goes unmetered."""
        self._reset()
        self._transaction = transaction
        self._began_s = self._core.now.mono_s
        self._read(ReadPurpose.BEGIN)

    def end(self) -> None:
        """The contactor is open: ask for the last reading, and don't wait for it for ever."""
        self._end_deadline_s = self._core.after(END_READING_TIMEOUT_S)
        self._retry_s = None
        self._read(ReadPurpose.END)

    def close(self) -> None:
        self._transaction = None
        self._reset()

    # --- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        transaction = self._transaction
        if transaction is None:
            return None
        if self._end_deadline_s is not None:
            return self._end_deadline_s
        if transaction.phase is TransactionPhase.STARTING:
            return self._retry_s
        if transaction.phase is TransactionPhase.ENDING:
            return None
        deadlines = [self._watch_due_s()]
        sampled_s = self._core.policy.sampled_interval_s
        if sampled_s > 0:
            deadlines.append(self._last_sample_s + sampled_s)
        if self._failed_since_s is not None:
            deadlines.append(self._failed_since_s + self._core.policy.meter_failure_grace_s)
        return min(deadlines)

    def tick(self) -> None:
        transaction, core = self._transaction, self._core
        if transaction is None:
            return
        if self._end_deadline_s is not None:
            if core.due(self._end_deadline_s):
                self._ended(transaction, None)
            return
        if transaction.phase is TransactionPhase.STARTING:
            self._tick_starting()
            return
        if transaction.phase is TransactionPhase.ENDING:
            return
        if self._failed_since_s is not None and core.due(self._failed_since_s + core.policy.meter_failure_grace_s):
            self._failed_since_s = None
            self._evse.meter_lost()
            return
        sampled_s = core.policy.sampled_interval_s
        if sampled_s > 0 and core.due(self._last_sample_s + sampled_s):
            # Behind schedule (suspended process, long tick): one sample, then the old rhythm.
            missed = max(1.0, (core.now.mono_s - self._last_sample_s) // sampled_s)
            self._last_sample_s += missed * sampled_s
            self._read(ReadPurpose.PERIODIC)
        elif core.due(self._watch_due_s()):
            self._read(ReadPurpose.WATCH)

    def _tick_starting(self) -> None:
        if not self._core.due(self._retry_s):
            return
        if self._core.due(self._began_s + self._core.policy.meter_failure_grace_s):
            self._retry_s = None
            self._evse.meter_lost()
        else:
            self._read(ReadPurpose.BEGIN)

    def _watch_due_s(self) -> float:
        return self._retry_s if self._retry_s is not None else self._last_reading_s + self._watch_interval_s()

    def _must_save(self, transaction: Transaction) -> bool:
        """Waiting for the next watch would be too long, and no sample will save it on the way (flash wears)."""
        policy = self._core.policy
        due_s = transaction.saved_s + policy.save_interval_s
        sampled_s = policy.sampled_interval_s
        if sampled_s > 0 and self._last_sample_s + sampled_s <= due_s:
            return False
        return self._core.due(due_s - self._watch_interval_s())

    def _watch_interval_s(self) -> float:
        return min(WATCH_INTERVAL_S, self._core.policy.save_interval_s)

    # --- readings -------------------------------------------------------------------------------------------------

    def meter_failed(self) -> None:
        """The hardware says that the meter cannot be read; the grace runs from the first such word."""
        if self._failed_since_s is None:
            self._failed_since_s = self._core.now.mono_s

    def meter_recovered(self) -> None:
        self._failed_since_s = None

    def read_done(self, purpose: ReadPurpose, due_ms: int, reading: MeterReading | None) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        if purpose is ReadPurpose.END:
            if self._end_deadline_s is not None:
                self._ended(transaction, reading)
            return
        if reading is None:
            if transaction.phase is TransactionPhase.ACTIVE:
                self.meter_failed()
            if transaction.phase is not TransactionPhase.ENDING:
                self._retry_s = self._core.after(RETRY_INTERVAL_S)
            return
        self._retry_s = None
        self._failed_since_s = None
        self._last_reading_s = self._core.now.mono_s
        if transaction.phase is TransactionPhase.STARTING:
            self._begun(transaction, reading)
            return
        if transaction.phase is TransactionPhase.ENDING:
            return
        reading = transaction.take_register(reading)
        if purpose is ReadPurpose.PERIODIC:
            self._report(transaction, reading, ReadingContext.SAMPLE_PERIODIC, reading.at_ms)
        elif purpose is ReadPurpose.ALIGNED:
            self._report(transaction, reading, ReadingContext.SAMPLE_CLOCK, due_ms)
        elif self._must_save(transaction):
            # The next reading would come too late.
            transaction.save()

    def _read(self, purpose: ReadPurpose) -> None:
        if purpose is not ReadPurpose.END:
            # Until the answer comes nothing else is asked; it always comes, but a lost one must not end the watch.
            self._retry_s = self._core.after(RETRY_INTERVAL_S)
        self._core.emit(ReadMeter(self._evse.evse_id, purpose, self._core.now.utc_ms))

    def _begun(self, transaction: Transaction, reading: MeterReading) -> None:
        transaction.started(reading, transaction.started_ms)
        self._last_sample_s = self._core.now.mono_s
        self._interval_start_wh = dict.fromkeys(_CONTEXTS, reading.energy_import_wh)
        transaction.keep(self._ended_values(reading, ReadingContext.TRANSACTION_BEGIN, transaction.started_ms))
        self._evse.meter_began(transaction)

    def _ended(self, transaction: Transaction, reading: MeterReading | None) -> None:
        if reading is not None:
            reading = transaction.take_register(reading)
            at_ms = transaction.stamp(reading.at_ms)
            transaction.keep(self._ended_values(reading, ReadingContext.TRANSACTION_END, at_ms))
        self._transaction = None
        self._end_deadline_s = None
        self._evse.meter_ended(transaction)

    def _ended_values(self, reading: MeterReading, context: ReadingContext, at_ms: int) -> MeterValue | None:
        """Begin and end values of all that the end report is to hold (1.6 errata 3.14)."""
        policy = self._core.policy
        wanted = dict.fromkeys((*policy.sampled_ended_measurands, *policy.aligned_ended_measurands))
        return sample(reading, wanted, context, at_ms=at_ms, offer=self._evse.offer)

    def _report(
        self, transaction: Transaction, reading: MeterReading, context: ReadingContext, measured_ms: int
    ) -> None:
        """To the CSMS now, and into the end report, each what it is configured to hold."""
        policy = self._core.policy
        if context is ReadingContext.SAMPLE_CLOCK:
            trigger = TriggerReason.METER_VALUE_CLOCK
            updated, ended = policy.aligned_measurands, policy.aligned_ended_measurands
        else:
            trigger = TriggerReason.METER_VALUE_PERIODIC
            updated, ended = policy.sampled_measurands, policy.sampled_ended_measurands
        at_ms, start_wh = transaction.stamp(measured_ms), self._interval_start_wh[context]
        self._interval_start_wh[context] = reading.energy_import_wh

        def values(measurands: tuple[str, ...]) -> MeterValue | None:
            offer = self._evse.offer
            return sample(reading, measurands, context, at_ms=at_ms, offer=offer, interval_start_wh=start_wh)

        transaction.keep(values(ended))
        value = values(updated)
        if value is None:
            transaction.save()  # the end report's values are durable with the register that they stand for
        else:
            transaction.report(TransactionEventType.UPDATED, trigger, at_ms, (value,))
