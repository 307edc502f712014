"""The EVSE: who is there, what runs, and whether the car may have power (1.6 §4.9; IEC 61851-1).

The session is a table over facts (session.py). After every event `update` asks anew what may be offered (supply.py) and
what must be locked (latch.py).
"""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import ReadPurpose
from agent.charging.faults import Faults
from agent.charging.latch import Latch
from agent.charging.meter_values import MeterReading, Offer
from agent.charging.metering import Metering
from agent.charging.plug import Plug
from agent.charging.reports import TransactionEventType
from agent.charging.session import TABLE, Authorization, SessionEvent
from agent.charging.supply import Supply
from agent.charging.transactions import Transaction, TransactionPhase
from agent.charging.tx_points import goes_on, start_reached
from agent.charging.types import (
    EvseSpec,
    Fault,
    IdToken,
    PilotState,
    Session,
    StopReason,
    TriggerReason,
)

OPENING_TIMEOUT_S = 3.0
METER_FAILURE = "PowerMeterFailure"
EV_DISCONNECTED = "EV side disconnected"  # the words of 1.6 §4.9


class Evse:
    """One EVSE. A fault of the station is one of every EVSE."""

    def __init__(self, core: Core, spec: EvseSpec, station_faults: Faults) -> None:
        self._core = core
        self.spec = spec
        self.evse_id = spec.evse_id
        self.session = Session.AVAILABLE
        self.authorization: Authorization | None = None
        self.transaction: Transaction | None = None
        self.faults = Faults()
        self._station_faults = station_faults
        self.operative = True
        self.wanted_operative = True
        self.inoperative_connectors: set[int] = set()
        self.info = ""
        self.answer_pending = False  # somebody who may be meant for this EVSE waits for the CSMS's answer
        self._session_deadline_s: float | None = None
        self._opening_deadline_s: float | None = None
        self.plug = Plug(spec)
        self.latch = Latch(core, self.evse_id)
        self._supply = Supply(core, spec, self.plug, self.latch)
        self._metering = Metering(core, self)

    # --- what is ----------------------------------------------------------------------------------------------------

    @property
    def blocking_fault(self) -> Fault | None:
        return self._station_faults.blocking or self.faults.blocking

    @property
    def usable(self) -> bool:
        """A driver may start here."""
        free = self.transaction is None or self.session is Session.PLUGGED
        connectors = [self.plug.connector_id] if self.plug.inserted else [c.connector_id for c in self.spec.connectors]
        return (
            free
            and self.latch.held_for is None
            and self.operative
            and self.wanted_operative
            and self.blocking_fault is None
            and any(connector_id not in self.inoperative_connectors for connector_id in connectors)
        )

    def serves(self, connector_id: int | None) -> bool:
        """This connector may be the one in use. None: whichever the driver takes."""
        return connector_id is None or (
            self.spec.has_connector(connector_id)
            and connector_id not in self.inoperative_connectors
            and self.plug.takes(connector_id)
        )

    @property
    def limit(self) -> tuple[str, float]:
        """Who limits the current, and to what, A per phase."""
        return self._supply.limit

    @property
    def offer(self) -> Offer:
        return self._supply.offer

    # --- facts from the hardware ------------------------------------------------------------------------------------

    def pilot_changed(self, state: PilotState, connector_id: int) -> None:
        had_ev, was_inserted = self.plug.ev_connected, self.plug.inserted
        self.plug.pilot_changed(state, connector_id)
        if self.plug.ev_connected and not had_ev:
            if self.transaction is not None and self.session is Session.AUTHORIZED:
                self.transaction.connector_id = connector_id
            self._plug_changed(was_inserted)
            self._happen(SessionEvent.EV_CONNECTED)
            self._start_or_stop()
            self.info = ""
        elif had_ev and not self.plug.ev_connected:
            self._ev_departed()
            self._plug_changed(was_inserted)
        self.update()

    def cable_changed(self, connector_id: int, rating_a: float | None, *, present: bool) -> None:
        was_inserted = self.plug.inserted
        self.plug.cable_changed(connector_id, rating_a, present=present)
        if not present and self.transaction is not None and connector_id == self.transaction.connector_id:
            self.stop(StopReason.EV_DISCONNECTED, TriggerReason.EV_DEPARTED)
        self._plug_changed(was_inserted)
        self.update()

    def contactor_changed(self, closed: bool) -> None:
        self._supply.contactor_changed(closed)
        if not closed and self._opening_deadline_s is not None:
            self._opening_deadline_s = None
            self._metering.end()
        self.update()

    def lock_changed(self, locked: bool) -> None:
        self.latch.locked = locked
        self.update()

    def self_checked(self) -> None:
        self._supply.self_checked()
        self.update()

    def fault_raised(self, fault: Fault) -> None:
        self.faults.add(fault)
        if fault.code == METER_FAILURE:
            self._metering.meter_failed()
        self.faults_changed(gone=False)

    def fault_cleared(self, key: tuple[str, str]) -> None:
        self.faults.remove(key)
        if key[0] == METER_FAILURE and not self.faults.has(METER_FAILURE):
            self._metering.meter_recovered()
        self.faults_changed(gone=True)

    def faults_changed(self, *, gone: bool) -> None:
        """Of this EVSE or of the station. Whoever charges comes first, then the cable that was not released."""
        self.update()
        if gone:
            self.latch.mended()

    def limit_changed(self, source: str, limit_a: float | None) -> None:
        """What `source` allows, A per phase; None: it no longer limits. The least counts."""
        if self._supply.limit_changed(source, limit_a):
            self.update()

    def _plug_changed(self, was_inserted: bool) -> None:
        if self.plug.inserted and not was_inserted:
            self.plug.since_s = self._core.now.mono_s
            self._happen(SessionEvent.PLUG)
        elif was_inserted and not self.plug.inserted:
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
        event = SessionEvent.AUTHORIZE_WITH_EV if self.plug.ev_connected else SessionEvent.AUTHORIZE_WITHOUT_EV
        if (self.session, event) not in TABLE or not self.serves(authorization.connector_id):
            return False
        self.authorization = authorization
        if authorization.connector_id is not None:
            self.plug.connector_id = authorization.connector_id
        self._happen(event)
        self.update()
        return True

    def deauthorize(self) -> None:
        """The driver changed their mind before the car was there, or the station did."""
        self._happen(SessionEvent.DEAUTHORIZE_PLUGGED if self.plug.inserted else SessionEvent.DEAUTHORIZE)
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
        lingering = self.plug.ev_connected and self.session is Session.TRANSACTION
        if lingering and goes_on(self._core.policy.tx_stop_points, reason):
            self._happen(SessionEvent.END_PLUGGED)
            self.update()
            return
        started = transaction.phase is TransactionPhase.ACTIVE
        transaction.phase = TransactionPhase.ENDING
        live = self._supply.cut()
        if not started:
            self._finish()
        elif live:
            self._opening_deadline_s = self._core.after(OPENING_TIMEOUT_S)
        else:
            self._metering.end()

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
        self.latch.want_open(ref)
        if self.transaction is None or self.transaction.connector_id != connector_id:
            self.latch.release(connector_id)
        else:
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
            self.plug.clear_connector()
            self.operative = self.wanted_operative
        self._start_or_stop()

    def _start_or_stop(self) -> None:
        """Transactions begin and end at the configured points (OCPP 2.0.1 E01, E06)."""
        reached = start_reached(
            self._core.policy.tx_start_points,
            self.session,
            authorized=self.authorization is not None,
            ev_connected=self.plug.ev_connected,
        )
        if self.transaction is None and reached:
            self._begin()
        elif self.transaction is not None and self.session in (Session.AVAILABLE, Session.FINISHED):
            if self.transaction.stop_reason is None:
                self.stop(StopReason.OTHER, TriggerReason.EV_DEPARTED)
        elif self.transaction is not None and self.transaction.id_token is None and self.authorization is not None:
            self.transaction.authorize(self.authorization)
            if self.transaction.phase is TransactionPhase.ACTIVE:
                self.transaction.report(TransactionEventType.UPDATED, self.authorization.trigger)

    def _begin(self) -> None:
        core, connector_id = self._core, self.plug.connector_id
        transaction = Transaction(core, core.new_id(), self.evse_id, connector_id, core.now.utc_ms, self.authorization)
        self.transaction = transaction
        self._supply.prepare()
        self._metering.begin(transaction)

    def _finish(self) -> None:
        """The transaction is over and reported: the latch after the contactor, then what waited for the end."""
        transaction = self.transaction
        if transaction is None:
            return
        self.transaction = None
        self._metering.close()
        if self.spec.lockable(transaction.connector_id):
            if transaction.hold_lock and self.plug.inserted:
                token = transaction.id_token or IdToken("")
                owner = Authorization(token, transaction.group, None, transaction.start_trigger)
                self.latch.hold_for(owner, transaction.connector_id)
            else:
                self.latch.release(transaction.connector_id)
        if self.session is Session.TRANSACTION:
            self._happen(SessionEvent.END_PLUGGED if self.plug.inserted else SessionEvent.END)
        elif self.session is Session.AUTHORIZED:
            self.deauthorize()
        self.info = transaction.stop_info if self.plug.inserted else ""
        self.update()

    # --- the meter's answers ----------------------------------------------------------------------------------------

    def meter_began(self, transaction: Transaction) -> None:
        transaction.report(TransactionEventType.STARTED, transaction.start_trigger, transaction.started_ms)

    def meter_ended(self, transaction: Transaction) -> None:
        transaction.report(TransactionEventType.ENDED, transaction.stop_trigger)
        self._finish()

    def meter_lost(self) -> None:
        """No readable meter for longer than `MeterFailureGrace`: nothing more is sold unmetered."""
        self.stop(StopReason.OTHER, TriggerReason.ABNORMAL_CONDITION, info="meter not readable")

    def meter_read(self, purpose: ReadPurpose, due_ms: int, reading: MeterReading | None) -> None:
        self._metering.read_done(purpose, due_ms, reading)
        self.update()

    # --- power ------------------------------------------------------------------------------------------------------

    def update(self) -> None:
        """After anything has changed: power first, then what follows from it."""
        self._supply.update(self.transaction, self.session, blocked=self.blocking_fault is not None)
        self._update_latch()
        transaction = self.transaction
        if transaction is None or transaction.phase is not TransactionPhase.ACTIVE:
            return
        state = self._supply.charging_state(transaction, self.session)
        if state is not transaction.charging_state:
            transaction.charging_state = state
            transaction.report(TransactionEventType.UPDATED, TriggerReason.CHARGING_STATE_CHANGED)

    def _update_latch(self) -> None:
        transaction = self.transaction
        if self.blocking_fault is not None:
            self.latch.failed()
        elif transaction is not None and self.session is Session.TRANSACTION:
            if transaction.phase is not TransactionPhase.ENDING and self.spec.lockable(transaction.connector_id):
                self.latch.secure(transaction.connector_id)
        elif self.latch.held_for is not None and not self.plug.inserted:
            self.latch.release(self.plug.connector_id)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        deadlines = (
            None if self.answer_pending else self._session_deadline_s,
            self._opening_deadline_s,
            self._supply.next_deadline(self.transaction),
            self._metering.next_deadline(),
            self.latch.next_deadline(),
        )
        return min((d for d in deadlines if d is not None), default=None)

    def tick(self) -> None:
        core = self._core
        if core.due(self._session_deadline_s) and not self.answer_pending:
            self._session_deadline_s = None
            self._happen(SessionEvent.TIMEOUT_PLUGGED if self.plug.inserted else SessionEvent.TIMEOUT)
        if core.due(self._opening_deadline_s):
            # It should be open by now. The supervisor names the fault; the bill does not wait for it.
            self._opening_deadline_s = None
            self._metering.end()
        if self._supply.check_overdue:
            self.stop(StopReason.OTHER, TriggerReason.ABNORMAL_CONDITION, info="self-check does not end")
        self._supply.tick()
        self.latch.tick()
        self._metering.tick()
        self.update()
