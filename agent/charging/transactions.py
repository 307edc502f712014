"""A transaction, from the moment it has an id until its end has been reported (1.6 §4.8, §4.10; OCPP 2.0.1 E01..E16).

Its id is ours from the first moment; what a CSMS calls it is the adapter's business. Its register never decreases, its
stamps never run back, and an unknown register is never reported as a number.
"""

from __future__ import annotations

from enum import StrEnum

from agent.charging.core import Core
from agent.charging.effects import ForgetTransaction, SaveTransaction, SaveTransactionData, TransactionRecord
from agent.charging.meter_values import MeterReading, MeterValue
from agent.charging.reports import TransactionEvent, TransactionEventType
from agent.charging.session import Authorization
from agent.charging.types import ChargingState, IdToken, StopReason, TriggerReason


class TransactionPhase(StrEnum):
    STARTING = "Starting"  # waits for the first true meter reading; nothing has been reported
    ACTIVE = "Active"
    ENDING = "Ending"  # waits for the open contactor and the last reading


class Transaction:
    """The state of one transaction. The EVSE that it runs on drives it (evse.py)."""

    __slots__ = (
        "_core",
        "charging_state",
        "connector_id",
        "deauthorized",
        "evse_id",
        "group",
        "hold_lock",
        "id_token",
        "last_ms",
        "last_wh",
        "phase",
        "remote_start_id",
        "saved_s",
        "seq_no",
        "stamped_ms",
        "start_trigger",
        "start_wh",
        "started_ms",
        "stop_info",
        "stop_reason",
        "stop_token",
        "stop_trigger",
        "transaction_id",
    )

    def __init__(
        self,
        core: Core,
        transaction_id: str,
        evse_id: int,
        connector_id: int,
        started_ms: int,
        authorization: Authorization | None = None,
    ) -> None:
        self._core = core
        self.transaction_id = transaction_id
        self.evse_id = evse_id
        self.connector_id = connector_id
        self.id_token: IdToken | None = None
        self.group: IdToken | None = None
        self.remote_start_id: int | None = None
        self.start_trigger = TriggerReason.CABLE_PLUGGED_IN
        if authorization is not None:
            self.authorize(authorization)
            self.start_trigger = authorization.trigger
        self.started_ms = started_ms
        self.phase = TransactionPhase.STARTING
        self.start_wh = 0.0
        self.last_wh = 0.0
        self.last_ms = started_ms  # when the last register was true, or the last stamp
        self.stamped_ms = started_ms
        self.seq_no = 0
        self.saved_s = core.now.mono_s
        self.charging_state = ChargingState.EV_CONNECTED
        self.deauthorized = False
        self.hold_lock = False
        self.stop_reason: StopReason | None = None
        self.stop_info = ""
        self.stop_token: IdToken | None = None
        self.stop_trigger = TriggerReason.STOP_AUTHORIZED

    @classmethod
    def end_interrupted(cls, core: Core, record: TransactionRecord) -> None:
        """Running when the power went: over, with what was last known for certain (1.6 §7.36, PowerLoss)."""
        transaction = cls(core, record.transaction_id, record.evse_id, record.connector_id, record.started_ms)
        transaction.id_token = record.id_token
        transaction.group = record.group
        transaction.remote_start_id = record.remote_start_id
        transaction.phase = TransactionPhase.ACTIVE
        transaction.start_wh = record.start_wh
        transaction.last_wh = record.last_wh
        transaction.last_ms = record.last_ms
        transaction.seq_no = record.seq_no
        transaction.stop_reason = StopReason.POWER_LOSS
        transaction.report(TransactionEventType.ENDED, TriggerReason.ABNORMAL_CONDITION, record.last_ms)

    def authorize(self, authorization: Authorization) -> None:
        """Now it is known whose it is."""
        self.id_token = authorization.id_token
        self.group = authorization.group
        self.remote_start_id = authorization.remote_start_id

    def record(self) -> TransactionRecord:
        return TransactionRecord(
            transaction_id=self.transaction_id,
            evse_id=self.evse_id,
            connector_id=self.connector_id,
            id_token=self.id_token,
            group=self.group,
            remote_start_id=self.remote_start_id,
            started_ms=self.started_ms,
            start_wh=self.start_wh,
            last_wh=self.last_wh,
            last_ms=self.last_ms,
            seq_no=self.seq_no,
        )

    @property
    def energy_wh(self) -> float:
        return self.last_wh - self.start_wh

    def stamp(self, at_ms: int) -> int:
        """`at_ms`, or the transaction's last stamp where the clock has gone back since."""
        self.stamped_ms = max(self.stamped_ms, at_ms)
        self.last_ms = max(self.last_ms, self.stamped_ms)
        return self.stamped_ms

    def clock_stepped(self, delta_ms: int) -> None:
        """Stamps made so far are off by this; those that were told are corrected on their way (reports.py)."""
        self.started_ms += delta_ms
        self.last_ms += delta_ms
        self.stamped_ms += delta_ms
        if self.phase is not TransactionPhase.STARTING:
            self.save()

    def take_register(self, reading: MeterReading) -> MeterReading:
        """The reading with a register that has not gone back since the last one (1.6 errata 3.78: monotonic)."""
        self.last_ms = max(self.last_ms, reading.at_ms)
        self.last_wh = max(self.last_wh, reading.energy_import_wh)
        if reading.energy_import_wh < self.last_wh:
            return reading._replace(energy_import_wh=self.last_wh)
        return reading

    def started(self, reading: MeterReading, now_ms: int) -> None:
        """The first true reading: from here on there is something to bill."""
        self.phase = TransactionPhase.ACTIVE
        self.start_wh = self.last_wh = reading.energy_import_wh
        self.stamp(now_ms)

    def report(
        self,
        kind: TransactionEventType,
        trigger: TriggerReason,
        at_ms: int | None = None,
        values: tuple[MeterValue, ...] = (),
    ) -> None:
        """Tell the next step, now unless `at_ms` says when it was.

        What is told is also saved: a power cut must find the last stamp and sequence number.
        """
        core = self._core
        event = TransactionEvent(
            kind=kind,
            transaction_id=self.transaction_id,
            seq_no=self.seq_no,
            at_ms=self.stamp(core.now.utc_ms if at_ms is None else at_ms),
            trigger=trigger,
            evse_id=self.evse_id,
            connector_id=self.connector_id,
            charging_state=self.charging_state,
            register_wh=self.start_wh if kind is TransactionEventType.STARTED else self.last_wh,
            id_token=self.stop_token if kind is TransactionEventType.ENDED else self.id_token,
            remote_start_id=self.remote_start_id if kind is TransactionEventType.STARTED else None,
            stop_reason=self.stop_reason if kind is TransactionEventType.ENDED else None,
            values=values,
            offline=not core.online,
            authorized=self.id_token is not None,
        )
        self.seq_no += 1
        core.emit(event)
        if kind is TransactionEventType.ENDED:
            core.emit(ForgetTransaction(self.transaction_id))
        else:
            self.save()

    def save(self) -> None:
        self.saved_s = self._core.now.mono_s
        self._core.emit(SaveTransaction(self.record()))

    def keep(self, value: MeterValue | None) -> None:
        """For the end report."""
        if value is not None:
            self._core.emit(SaveTransactionData(self.transaction_id, value))
