"""Readings at the station's own initiative: clock-aligned ones, and those that a CSMS asks for (1.6 §3.16.2, §5.17)."""

from __future__ import annotations

from collections.abc import Mapping

from agent.charging.core import Core
from agent.charging.effects import ReadMeter, ReadPurpose
from agent.charging.evse import Evse
from agent.charging.meter_values import MeterReading, aligned_ms, next_aligned_ms, sample
from agent.charging.reports import MeterValuesReport
from agent.charging.transactions import TransactionPhase
from agent.charging.types import ReadingContext

# A reading that has not come by then has been lost.
_ANSWER_TIMEOUT_S = 30.0


class StationMetering:
    """Asks every EVSE's meter at the aligned moments of the day, and reports what no running transaction does.

    One question of a kind at a time: however often a CSMS asks, or however slow a meter is, they do not pile up.
    """

    __slots__ = ("_asked", "_core", "_evses", "_interval_s", "_next_ms")

    def __init__(self, core: Core, evses: Mapping[int, Evse]) -> None:
        self._core = core
        self._evses = evses
        self._interval_s = 0
        self._next_ms = 0
        self._asked: dict[tuple[int, ReadPurpose], float] = {}  # since when there is no answer

    def next_deadline(self) -> float | None:
        interval_s = self._core.policy.aligned_interval_s
        if interval_s <= 0:
            return None
        self._plan(interval_s)
        now = self._core.now
        return now.mono_s + (self._next_ms - now.utc_ms) / 1000

    def tick(self) -> None:
        interval_s = self._core.policy.aligned_interval_s
        if interval_s <= 0:
            self._interval_s = 0
            return
        self._plan(interval_s)
        now_ms = self._core.now.utc_ms
        if now_ms < self._next_ms:
            return
        due_ms = aligned_ms(now_ms, interval_s)
        self._next_ms = next_aligned_ms(now_ms, interval_s)
        for evse_id, evse in self._evses.items():
            if evse.transaction is None or not self._core.policy.aligned_only_idle:
                self._ask(evse_id, ReadPurpose.ALIGNED, due_ms)

    def _plan(self, interval_s: int) -> None:
        following_ms = next_aligned_ms(self._core.now.utc_ms, interval_s)
        # A clock that was set back must not leave the next moment a day away.
        if interval_s != self._interval_s or self._next_ms > following_ms:
            self._interval_s = interval_s
            self._next_ms = following_ms

    def clock_stepped(self) -> None:
        """The next aligned moment is another."""
        self._interval_s = 0

    def ask(self, evse_id: int | None) -> bool:
        """A CSMS wants to know. evse None: all. False: there is no such EVSE."""
        if evse_id is not None and evse_id not in self._evses:
            return False
        for each in self._evses if evse_id is None else (evse_id,):
            self._ask(each, ReadPurpose.TRIGGER, self._core.now.utc_ms)
        return True

    def _ask(self, evse_id: int, purpose: ReadPurpose, due_ms: int) -> None:
        asked_s = self._asked.get((evse_id, purpose))
        if asked_s is None or self._core.due(asked_s + _ANSWER_TIMEOUT_S):
            self._asked[evse_id, purpose] = self._core.now.mono_s
            self._core.emit(ReadMeter(evse_id, purpose, due_ms))

    def read(self, evse: Evse, purpose: ReadPurpose, due_ms: int, reading: MeterReading | None) -> None:
        """The meter's answer: the running transaction's, or reported here."""
        self._asked.pop((evse.evse_id, purpose), None)
        transaction = evse.transaction
        reported = transaction is not None and transaction.phase is not TransactionPhase.STARTING
        mine = purpose is ReadPurpose.TRIGGER or (
            purpose is ReadPurpose.ALIGNED and (transaction is None or transaction.phase is not TransactionPhase.ACTIVE)
        )
        if not mine:
            evse.meter_read(purpose, due_ms, reading)
            return
        if reading is None:
            return
        policy, triggered = self._core.policy, purpose is ReadPurpose.TRIGGER
        at_ms = reading.at_ms if triggered else due_ms
        transaction_id = None
        # Before its start has been told, no CSMS knows the transaction that these values belong to.
        if transaction is not None and reported:
            reading = transaction.take_register(reading)
            at_ms = transaction.stamp(at_ms)
            transaction_id = transaction.transaction_id
        value = sample(
            reading,
            policy.sampled_measurands if triggered else policy.aligned_measurands,
            ReadingContext.TRIGGER if triggered else ReadingContext.SAMPLE_CLOCK,
            at_ms=at_ms,
            offer=evse.offer,
        )
        if value is not None:
            if transaction is not None and transaction_id is not None:
                transaction.save()  # the stamp that is told now must not be told again
            self._core.emit(
                MeterValuesReport(evse.evse_id, evse.plug.connector_id, (value,), transaction_id, triggered)
            )
