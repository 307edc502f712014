"""The EVSE: who is there, what runs, and whether the car may have power (1.6 §4.9; IEC 61851-1).

The session is a table over facts (session.py). After every event `update` says anew what may be offered and what must
be locked; power.py and latch.py order the difference.
"""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import (
    ForgetTransaction,
    ReadPurpose,
    SaveTransaction,
    SelfCheck,
)
from agent.charging.latch import Latch
from agent.charging.meter_values import MeterReading, Offer
from agent.charging.metering import Metering
from agent.charging.power import PowerPath
from agent.charging.reports import TransactionEventType, UnlockAnswer
from agent.charging.session import TABLE, Authorization, SessionEvent
from agent.charging.transactions import Transaction, TransactionPhase
from agent.charging.types import (
    ChargingState,
    EvseSpec,
    Fault,
    IdToken,
    PilotState,
    Session,
    StopReason,
    TriggerReason,
    UnlockStatus,
)

VOLTAGE_V = 230.0
# What a cable may carry that does not say what it may carry: the least that is coded (IEC 61851-1, annex B).
UNKNOWN_CABLE_A = 13.0
OPENING_TIMEOUT_S = 3.0
EV_DISCONNECTED = "EV side disconnected"  # the words of 1.6 §4.9

_EV_STATES = frozenset({PilotState.B, PilotState.C, PilotState.D})
_AUTHORIZATION_ENDED = frozenset({StopReason.LOCAL, StopReason.REMOTE, StopReason.DE_AUTHORIZED})
_ENDS_WITH_AUTHORIZATION = frozenset({"Authorized", "PowerPathClosed", "EnergyTransfer"})
_MOVING = frozenset({TransactionPhase.STARTING, TransactionPhase.ENDING})


class Evse:
    """One EVSE. `station_faults` is the station's own dict: a fault of the station is one of every EVSE."""

    def __init__(self, core: Core, spec: EvseSpec, station_faults: dict[tuple[str, str], Fault]) -> None:
        self._core = core
        self.spec = spec
        self.evse_id = spec.evse_id
        self.session = Session.AVAILABLE
        self.connector_id = spec.connectors[0].connector_id
        self.pilot = PilotState.A
        self.cables: dict[int, float] = {}  # what is in the sockets, and what it may carry, A
        self.authorization: Authorization | None = None
        self.transaction: Transaction | None = None
        self.faults: dict[tuple[str, str], Fault] = {}
        self.station_faults = station_faults
        self.operative = True
        self.wanted_operative = True
        self.inoperative_connectors: set[int] = set()
        self.limit_a = spec.max_current_a
        self.plugged_at_s = 0.0
        self.info = ""
        self.answer_pending = False  # somebody who may be meant for this EVSE waits for the CSMS's answer
        self._self_checked = False
        self._ev_connected = False
        self._unlock_ref: str | None = None
        self._session_deadline_s: float | None = None
        self._opening_deadline_s: float | None = None
        self.latch = Latch(core, self.evse_id)
        self._power = PowerPath(core, self.evse_id)
        self._metering = Metering(core, self)

    # --- what is ----------------------------------------------------------------------------------------------------

    @property
    def ev_connected(self) -> bool:
        return self._ev_connected

    @property
    def plugged(self) -> bool:
        """Something of the driver's is still here: the car, or a loose cable in the socket."""
        return self._ev_connected or bool(self.cables)

    @property
    def blocking_fault(self) -> Fault | None:
        for faults in (self.station_faults, self.faults):
            for fault in reversed(faults.values()):
                if fault.blocking:
                    return fault
        return None

    @property
    def usable(self) -> bool:
        """A driver may start here."""
        free = self.transaction is None or self.session is Session.PLUGGED
        connectors = [self.connector_id] if self.plugged else [c.connector_id for c in self.spec.connectors]
        return (
            free
            and self.latch.held_for is None
            and self.operative
            and self.wanted_operative
            and self.blocking_fault is None
            and any(connector_id not in self.inoperative_connectors for connector_id in connectors)
        )

    @property
    def offer(self) -> Offer:
        offered_a = self._power.offered_a
        return Offer(offered_a, offered_a * VOLTAGE_V * self.spec.phases)

    @property
    def _asks_for_energy(self) -> bool:
        return self.pilot is PilotState.C or (self.pilot is PilotState.D and self.spec.ventilation)

    # --- facts from the hardware ------------------------------------------------------------------------------------

    def pilot_changed(self, state: PilotState, connector_id: int) -> None:
        self.pilot = state
        if state in _EV_STATES:
            connected = True
        elif state is PilotState.A:
            connected = False
        else:
            # E and F say that the pilot is out of order, not that the car has gone.
            connected = self._ev_connected
        was_plugged = self.plugged
        if connected and not self._ev_connected:
            self._ev_connected = True
            self.connector_id = connector_id
            if self.transaction is not None and self.session is Session.AUTHORIZED:
                self.transaction.connector_id = connector_id
            self._plug_changed(was_plugged)
            self._happen(SessionEvent.EV_CONNECTED)
            self._start_or_stop()
            self.info = ""
        elif self._ev_connected and not connected:
            self._ev_connected = False
            self._ev_departed()
            self._plug_changed(was_plugged)
        self.update()

    def cable_changed(self, connector_id: int, present: bool, rating_a: float | None) -> None:
        was_plugged = self.plugged
        if present:
            self.cables[connector_id] = UNKNOWN_CABLE_A if rating_a is None else rating_a
            if self.transaction is None and not self._ev_connected:
                self.connector_id = connector_id
        else:
            self.cables.pop(connector_id, None)
            if self.transaction is not None and connector_id == self.transaction.connector_id:
                self.stop(StopReason.EV_DISCONNECTED, TriggerReason.EV_DEPARTED)
        self._plug_changed(was_plugged)
        self.update()

    def contactor_changed(self, closed: bool) -> None:
        self._power.feedback(closed)
        if not closed and self._opening_deadline_s is not None:
            self._opening_deadline_s = None
            self._metering.end()
        self.update()

    def lock_changed(self, locked: bool) -> None:
        self.latch.locked = locked
        self.update()

    def self_checked(self) -> None:
        self._self_checked = True
        self.update()

    def fault_raised(self, fault: Fault) -> None:
        self.faults.pop(fault.key, None)
        self.faults[fault.key] = fault
        if fault.code == "PowerMeterFailure":
            self._metering.meter_failed()
        self.update()

    def fault_cleared(self, key: tuple[str, str]) -> None:
        self.faults.pop(key, None)
        if all(fault.code != "PowerMeterFailure" for fault in self.faults.values()):
            self._metering.meter_recovered()
        self.update()

    def limit_changed(self, limit_a: float) -> None:
        self.limit_a = limit_a
        self.update()

    def _plug_changed(self, was_plugged: bool) -> None:
        if self.plugged and not was_plugged:
            self.plugged_at_s = self._core.now.mono_s
            self._happen(SessionEvent.PLUG)
        elif was_plugged and not self.plugged:
            self._happen(SessionEvent.UNPLUG)

    def _ev_departed(self) -> None:
        transaction = self.transaction
        if transaction is None or transaction.phase is TransactionPhase.ENDING:
            return
        policy = self._core.policy
        if policy.stop_on_ev_side_disconnect or self.session is not Session.TRANSACTION:
            transaction.hold_lock = not policy.unlock_on_ev_side_disconnect
            self.stop(StopReason.EV_DISCONNECTED, TriggerReason.EV_DEPARTED, info=EV_DISCONNECTED)
        else:
            self.info = EV_DISCONNECTED

    # --- wishes -----------------------------------------------------------------------------------------------------

    def authorize(self, authorization: Authorization) -> bool:
        """Somebody may charge here; False where the state has no room for it."""
        if not self.usable:
            return False
        event = SessionEvent.AUTHORIZE_WITH_EV if self._ev_connected else SessionEvent.AUTHORIZE_WITHOUT_EV
        if (self.session, event) not in TABLE:
            return False
        self.authorization = authorization
        self._happen(event)
        self.update()
        return True

    def deauthorize(self) -> None:
        """The driver changed their mind before the car was there, or the station did."""
        self._happen(SessionEvent.DEAUTHORIZE_PLUGGED if self.plugged else SessionEvent.DEAUTHORIZE)
        self.update()

    def stop(
        self, reason: StopReason, trigger: TriggerReason, id_token: IdToken | None = None, *, info: str = ""
    ) -> None:
        """End the transaction: contactor open, last reading, report, latch. Idempotent: the first reason counts.

        `info` tells a driver whose cable is still here why.
        """
        transaction = self.transaction
        if transaction is None or transaction.phase is TransactionPhase.ENDING:
            return
        if transaction.stop_reason is None:
            transaction.stop_reason = reason
            transaction.stop_trigger = trigger
            transaction.stop_token = id_token
            transaction.stop_info = info
        if self._lingers(reason):
            self._happen(SessionEvent.END_PLUGGED)
            self.update()
            return
        started = transaction.phase is TransactionPhase.ACTIVE
        transaction.phase = TransactionPhase.ENDING
        live = self._power.live
        self._power.allow(0.0, asked=False)
        if not started:
            self._finish()
        elif live:
            self._opening_deadline_s = self._core.after(OPENING_TIMEOUT_S)
        else:
            self._metering.end()

    def _lingers(self, reason: StopReason) -> bool:
        """Energy ends now, the transaction only when the car leaves (TxStopPoint without Authorized, E06.FR.02)."""
        return (
            reason in _AUTHORIZATION_ENDED
            and self._ev_connected
            and self.session is Session.TRANSACTION
            and not _ENDS_WITH_AUTHORIZATION.intersection(self._core.policy.tx_stop_points)
        )

    def invalidate(self) -> None:
        """The CSMS does not accept who started it (1.6 errata 3.17)."""
        transaction = self.transaction
        if transaction is None or transaction.phase is TransactionPhase.ENDING:
            return
        if self._core.policy.stop_on_invalid_id:
            transaction.hold_lock = True
            self.stop(StopReason.DE_AUTHORIZED, TriggerReason.DEAUTHORIZED)
        else:
            transaction.deauthorized = True
        self.update()

    def unlock(self, connector_id: int, ref: str) -> None:
        """Open the latch for whoever asked; a transaction on this connector is ended first (1.6 §5.18)."""
        if self.transaction is None or self.transaction.connector_id != connector_id:
            self.latch.release(connector_id, ref)
            return
        if self._unlock_ref is not None:
            self._core.emit(UnlockAnswer(self._unlock_ref, UnlockStatus.UNLOCK_FAILED))
        self._unlock_ref = ref
        self.stop(StopReason.UNLOCK_COMMAND, TriggerReason.UNLOCK_COMMAND)

    def set_operative(self, operative: bool) -> bool:
        """False: scheduled, since a transaction runs (1.6 §5.2)."""
        self.wanted_operative = operative
        if self.transaction is not None:
            return self.operative == operative
        self.operative = operative
        if not operative:
            self.deauthorize()
        self.update()
        return True

    # --- the session ------------------------------------------------------------------------------------------------

    def _happen(self, event: SessionEvent) -> None:
        target = TABLE.get((self.session, event))
        if target is not None:
            self._enter(target)

    def _enter(self, session: Session) -> None:
        """The one way into a session state."""
        self.session = session
        self._session_deadline_s = None
        timeout_s = self._core.policy.ev_connection_timeout_s
        if session in (Session.PLUGGED, Session.AUTHORIZED) and timeout_s > 0:
            self._session_deadline_s = self._core.after(timeout_s)
        if session in (Session.AVAILABLE, Session.PLUGGED, Session.FINISHED):
            self.authorization = None
        if session is Session.AVAILABLE:
            self.info = ""
            self.connector_id = self.spec.connectors[0].connector_id
            self.operative = self.wanted_operative
        self._start_or_stop()

    def _start_or_stop(self) -> None:
        """Transactions begin and end at the configured points (OCPP 2.0.1 E01, E06)."""
        points = self._core.policy.tx_start_points
        session, authorized = self.session, self.authorization is not None
        reached = (
            (session is Session.TRANSACTION and ("PowerPathClosed" in points or "EnergyTransfer" in points))
            or (authorized and "Authorized" in points)
            or (session in (Session.PLUGGED, Session.TRANSACTION) and self._ev_connected and "EVConnected" in points)
        )
        if self.transaction is None and reached:
            self._begin()
        elif self.transaction is not None and session in (Session.AVAILABLE, Session.FINISHED):
            if self.transaction.stop_reason is None:
                self.stop(StopReason.OTHER, TriggerReason.EV_DEPARTED)
        elif self.transaction is not None and self.authorization is not None:
            self._learn_token(self.transaction, self.authorization)

    def _begin(self) -> None:
        authorization = self.authorization
        transaction = Transaction(
            self._core.new_id(),
            self.evse_id,
            self.connector_id,
            self._core.now.utc_ms,
            id_token=authorization.id_token if authorization else None,
            group=authorization.group if authorization else None,
            remote_start_id=authorization.remote_start_id if authorization else None,
            start_trigger=authorization.trigger if authorization else TriggerReason.CABLE_PLUGGED_IN,
        )
        self.transaction = transaction
        self._self_checked = False
        self._core.emit(SelfCheck(self.evse_id))
        self._metering.begin(transaction)

    def _learn_token(self, transaction: Transaction, authorization: Authorization) -> None:
        if transaction.id_token is not None:
            return
        transaction.id_token = authorization.id_token
        transaction.group = authorization.group
        transaction.remote_start_id = authorization.remote_start_id
        if transaction.phase is TransactionPhase.ACTIVE:
            self._report(transaction, TransactionEventType.UPDATED, authorization.trigger)

    def _finish(self) -> None:
        """The transaction is over and reported: the latch after the contactor, then what waited for the end."""
        transaction = self.transaction
        if transaction is None:
            return
        self.transaction = None
        self._metering.close()
        if self.spec.lockable(transaction.connector_id):
            if transaction.hold_lock and self.plugged and self._unlock_ref is None:
                token = transaction.id_token or IdToken("")
                self.latch.hold_for(Authorization(token, transaction.group, None, transaction.start_trigger))
            else:
                self.latch.release(transaction.connector_id, self._unlock_ref)
        self._unlock_ref = None
        if self.session is Session.TRANSACTION:
            self._happen(SessionEvent.END_PLUGGED if self.plugged else SessionEvent.END)
        elif self.session is Session.AUTHORIZED:
            self.deauthorize()
        self.info = transaction.stop_info if self.plugged else ""
        self.update()

    def release_latch(self) -> None:
        """Whose cable it is has shown their card (1.6 errata 3.5)."""
        self.latch.release(self.connector_id)

    # --- the meter's answers ----------------------------------------------------------------------------------------

    def meter_began(self, transaction: Transaction) -> None:
        self._report(transaction, TransactionEventType.STARTED, transaction.start_trigger, at_ms=transaction.started_ms)
        self.update()

    def meter_ended(self, transaction: Transaction) -> None:
        self._report(transaction, TransactionEventType.ENDED, transaction.stop_trigger)
        self._finish()

    def meter_lost(self, transaction: Transaction) -> None:
        """No readable meter for longer than `MeterFailureGrace`: nothing more is sold unmetered."""
        if transaction is self.transaction:
            self.stop(StopReason.OTHER, TriggerReason.ABNORMAL_CONDITION, info="meter not readable")
            self.update()

    def meter_read(self, purpose: ReadPurpose, due_ms: int, reading: MeterReading | None) -> None:
        self._metering.read_done(purpose, due_ms, reading)
        self.update()

    # --- power ------------------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        """Everything is prepared: the parts checked, the first reading taken, the latch closed."""
        transaction = self.transaction
        return (
            transaction is not None
            and transaction.phase is TransactionPhase.ACTIVE
            and self._self_checked
            and (self.latch.locked or not self.spec.lockable(transaction.connector_id))
        )

    def _current_a(self) -> float:
        """What may be offered now; 0 where nothing may (1.6 §4.1: energy only after authorization)."""
        transaction = self.transaction
        if (
            transaction is None
            or not self._ready()
            or self.session is not Session.TRANSACTION
            or not self._ev_connected
            or self.blocking_fault is not None
        ):
            return 0.0
        if transaction.deauthorized and transaction.energy_wh >= self._core.policy.max_energy_on_invalid_id_wh:
            return 0.0
        cable_a = self.cables.get(transaction.connector_id, self.spec.max_current_a)
        return min(self.limit_a, self.spec.max_current_a, cable_a)

    def update(self) -> None:
        """After anything has changed: power first, then what follows from it."""
        self._power.allow(self._current_a(), asked=self._asks_for_energy)
        self._update_latch()
        transaction = self.transaction
        if transaction is None or transaction.phase in _MOVING:
            return
        state = self._charging_state(transaction)
        if state is not transaction.charging_state:
            transaction.charging_state = state
            self._report(transaction, TransactionEventType.UPDATED, TriggerReason.CHARGING_STATE_CHANGED)

    def _update_latch(self) -> None:
        transaction = self.transaction
        if self.blocking_fault is not None:
            self.latch.failed()
        elif transaction is not None and self.session is Session.TRANSACTION:
            if transaction.phase is not TransactionPhase.ENDING and self.spec.lockable(transaction.connector_id):
                self.latch.secure(transaction.connector_id)
        elif self.latch.held_for is not None and not self.plugged:
            self.latch.release(self.connector_id)

    def _charging_state(self, transaction: Transaction) -> ChargingState:
        if not self._ev_connected:
            return ChargingState.IDLE
        if self.session is not Session.TRANSACTION or not self._ready():
            return ChargingState.EV_CONNECTED
        return self._power.charging_state(transaction.charging_state, asked=self._asks_for_energy)

    def _report(
        self,
        transaction: Transaction,
        kind: TransactionEventType,
        trigger: TriggerReason,
        at_ms: int | None = None,
    ) -> None:
        """What is told is also saved: a power cut must find the last stamp and sequence number."""
        core = self._core
        at_ms = core.now.utc_ms if at_ms is None else at_ms
        core.emit(transaction.event(kind, trigger, at_ms, offline=not core.online))
        if kind is TransactionEventType.ENDED:
            core.emit(ForgetTransaction(transaction.transaction_id))
        else:
            core.emit(SaveTransaction(transaction.record()))

    # --- time -------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        transaction = self.transaction
        deadlines = [
            None if self.answer_pending else self._session_deadline_s,
            self._opening_deadline_s,
            self._power.next_deadline(),
            self._metering.next_deadline(),
        ]
        silent = transaction is not None and transaction.charging_state is ChargingState.EV_CONNECTED
        if silent and not self._asks_for_energy:
            deadlines.append(self._power.response_due_s)
        return min((d for d in deadlines if d is not None), default=None)

    def tick(self) -> None:
        core = self._core
        if core.due(self._session_deadline_s) and not self.answer_pending:
            self._session_deadline_s = None
            self._happen(SessionEvent.TIMEOUT_PLUGGED if self.plugged else SessionEvent.TIMEOUT)
        if core.due(self._opening_deadline_s):
            # It should be open by now. The supervisor names the fault; the bill does not wait for it.
            self._opening_deadline_s = None
            self._metering.end()
        self._power.tick()
        self._metering.tick()
        self.update()
