"""The charging station: facts and wishes in, effects, writes and reports out, and no clock of its own.

`apply(event, now)` takes a fact, `request_*(..., now)` a wish that may be refused; `drain()` hands over what follows;
`next_deadline()` says when `tick(now)` is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from agent.charging import events as ev
from agent.charging.authorization import Authorizer
from agent.charging.authorization_cache import AuthorizationCache
from agent.charging.availability import Availability
from agent.charging.boot import Registration
from agent.charging.core import Core, Output
from agent.charging.effects import Restart, SaveCacheEntry, TransactionRecord
from agent.charging.evse import Evse
from agent.charging.faults import Faults
from agent.charging.offline_limit import OfflineLimit
from agent.charging.policy import Policy
from agent.charging.reports import ConnectorView, SecurityEvent
from agent.charging.station_metering import StationMetering
from agent.charging.status import StatusReporter, connector_view, station_view
from agent.charging.transactions import Transaction, TransactionPhase
from agent.charging.types import (
    EvseSpec,
    Fault,
    IdToken,
    Now,
    Outcome,
    StopReason,
    TriggerReason,
    UnlockStatus,
)
from agent.charging.value import Value

EMERGENCY_STOP = Fault("OtherError", "EmergencyStop", "emergency stop pressed")
_STORAGE = Fault("InternalError", "StorageFailure", "cannot store, continuing from memory", blocking=False)


class Restored(Value):
    """What the store kept over the restart."""

    transactions: tuple[TransactionRecord, ...] = ()
    inoperative: frozenset[tuple[int, int]] = frozenset()
    cache: tuple[SaveCacheEntry, ...] = ()
    ever_accepted: bool = False


class _Timed(Protocol):
    def next_deadline(self) -> float | None: ...
    def tick(self) -> None: ...


class Station:
    """The core's composition and its only entry."""

    def __init__(
        self,
        evses: Iterable[EvseSpec],
        policy: Policy,
        now: Now,
        *,
        new_id: Callable[[], str],
        jitter: Callable[[], float],
        restored: Restored | None = None,
    ) -> None:
        restored = restored or Restored()
        self._core = core = Core(policy, new_id, jitter, now)
        self._faults = Faults()
        self.evses = {spec.evse_id: Evse(core, spec, self._faults) for spec in evses}
        self.registration = Registration(core, ever_accepted=restored.ever_accepted)
        self.cache = AuthorizationCache(core, restored.cache)
        self._authorizer = Authorizer(core, self.evses, self.cache, self.registration)
        self._availability = Availability(core, self.evses, restored.inoperative)
        self._status = StatusReporter(core)
        self._metering = StationMetering(core, self.evses)
        self.offline_limit = OfflineLimit(core, self.evses)
        # The metering comes first: what is aligned to the clock is stamped before what is not.
        self._timed: tuple[_Timed, ...] = (
            self._metering, *self.evses.values(), self.registration, self._authorizer, self.offline_limit, self._status,
        )  # fmt: skip
        self._resetting: StopReason | None = None
        for record in restored.transactions:
            Transaction.end_interrupted(core, record)
        self._free_cables()
        self._settle()

    # --- facts ------------------------------------------------------------------------------------------------------

    def apply(self, event: ev.Event, now: Now) -> None:
        """Take a fact. One about an EVSE or a connector that does not exist is ignored."""
        self._core.now = now
        handler = _HANDLERS[type(event)]
        handler(self, event)
        self._settle()

    def _pilot_changed(self, event: ev.PilotChanged) -> None:
        evse = self.evses.get(event.evse_id)
        if evse is not None and evse.spec.has_connector(event.connector_id):
            evse.pilot_changed(event.state, event.connector_id)
            self._authorizer.plugged(evse)

    def _cable_changed(self, event: ev.CableChanged) -> None:
        evse = self.evses.get(event.evse_id)
        if evse is not None and evse.spec.has_connector(event.connector_id):
            evse.cable_changed(event.connector_id, event.rating_a, present=event.present)

    def _contactor_changed(self, event: ev.ContactorChanged) -> None:
        if event.evse_id in self.evses:
            self.evses[event.evse_id].contactor_changed(event.closed)

    def _lock_changed(self, event: ev.LockChanged) -> None:
        if event.evse_id in self.evses:
            self.evses[event.evse_id].lock_changed(event.locked)

    def _self_checked(self, event: ev.SelfChecked) -> None:
        if event.evse_id in self.evses:
            self.evses[event.evse_id].self_checked()

    def _fault_raised(self, event: ev.FaultRaised) -> None:
        if event.evse_id == 0:
            self._station_fault(event.fault.key, event.fault)
        elif event.evse_id in self.evses:
            self.evses[event.evse_id].fault_raised(event.fault)

    def _fault_cleared(self, event: ev.FaultCleared) -> None:
        if event.evse_id == 0:
            self._station_fault((event.code, event.vendor_code), None)
        elif event.evse_id in self.evses:
            self.evses[event.evse_id].fault_cleared((event.code, event.vendor_code))

    def _limit_changed(self, event: ev.LimitChanged) -> None:
        if event.evse_id in self.evses:
            self.evses[event.evse_id].limit_changed("installation", event.current_a)

    def _emergency_stop_changed(self, event: ev.EmergencyStopChanged) -> None:
        self._station_fault(EMERGENCY_STOP.key, EMERGENCY_STOP if event.pressed else None)
        if event.pressed:
            self._stop_all(StopReason.EMERGENCY_STOP, TriggerReason.ABNORMAL_CONDITION)

    def _station_fault(self, key: tuple[str, str], fault: Fault | None) -> None:
        """None: it has gone."""
        if fault is None:
            self._faults.remove(key)
        else:
            self._faults.add(fault)
        for evse in self.evses.values():
            evse.faults_changed(gone=fault is None)

    def _tamper_changed(self, event: ev.TamperChanged) -> None:
        if event.open:
            self._core.emit(SecurityEvent("TamperDetectionActivated", self._core.now.utc_ms))

    def _token_presented(self, event: ev.IdTokenPresented) -> None:
        self._authorizer.present(event.id_token, event.evse_id)

    def _meter_read(self, event: ev.MeterRead) -> None:
        evse = self.evses.get(event.evse_id)
        if evse is not None:
            self._metering.read(evse, event.purpose, event.due_ms, event.reading)

    def _unlock_finished(self, event: ev.UnlockFinished) -> None:
        if event.evse_id in self.evses:
            latch = self.evses[event.evse_id].latch
            latch.release_finished(event.connector_id, event.ref, unlocked=event.unlocked)

    # --- facts from the CSMS ----------------------------------------------------------------------------------------

    def _linked(self, _event: ev.LinkUp) -> None:
        if self.registration.linked():
            self._status.tell_all(forced=False)

    def _unlinked(self, _event: ev.LinkDown) -> None:
        self.registration.unlinked()

    def _boot_answered(self, event: ev.BootAnswered) -> None:
        if self.registration.answered(event.status, event.interval_s):
            self._status.tell_all(forced=True)

    def _boot_failed(self, _event: ev.BootFailed) -> None:
        self.registration.failed()

    def _authorized(self, event: ev.Authorized) -> None:
        self._authorizer.answered(event.request_id, event.info)

    def _transaction_answered(self, event: ev.TransactionAnswered) -> None:
        self._authorizer.transaction_answered(event.transaction_id, event.id_token, event.info, started=event.started)

    def storage_changed(self, degraded: bool, now: Now) -> None:
        """The disk takes nothing, or again something: shown, but no reason to stop charging."""
        if degraded != (_STORAGE.key in self._faults):
            self._core.now = now
            self._station_fault(_STORAGE.key, _STORAGE if degraded else None)
            self._settle()

    def clock_stepped(self, delta_ms: int, now: Now) -> None:
        """The clock was set: what runs was stamped by the old one."""
        self._core.now = now
        for evse in self.evses.values():
            if evse.transaction is not None:
                evse.transaction.clock_stepped(delta_ms)
        self._metering.clock_stepped()

    def csms_changed(self, now: Now) -> None:
        """Another CSMS is to be spoken with: what the last one knew and said is nothing to it. What runs goes on."""
        self._core.now = now
        self.registration.csms_changed()
        self.cache.csms_changed()
        self._authorizer.csms_changed()
        self._settle()

    # --- wishes -----------------------------------------------------------------------------------------------------

    def request_start(
        self,
        id_token: IdToken,
        evse_id: int | None,
        now: Now,
        remote_start_id: int | None = None,
        connector_id: int | None = None,
    ) -> Outcome:
        """Remote start (1.6 §5.11, 2.0.1 F01, F02)."""
        self._core.now = now
        outcome = self._authorizer.request_start(id_token, evse_id, connector_id, remote_start_id)
        self._settle()
        return outcome

    def request_stop(self, transaction_id: str, now: Now) -> Outcome:
        """Remote stop of an ongoing transaction (1.6 §5.12, 2.0.1 F03)."""
        self._core.now = now
        for evse in self.evses.values():
            transaction = evse.transaction
            if transaction is not None and transaction.transaction_id == transaction_id:
                if transaction.phase is TransactionPhase.ENDING or not self.registration.accepted:
                    return Outcome.REJECTED
                evse.stop(StopReason.REMOTE, TriggerReason.REMOTE_STOP)
                self._settle()
                return Outcome.ACCEPTED
        return Outcome.REJECTED

    def request_availability(self, evse_id: int, connector_id: int, operative: bool, now: Now) -> Outcome:
        """evse 0: the station; connector 0: the whole EVSE. Scheduled where a transaction runs."""
        self._core.now = now
        outcome = self._availability.request(evse_id, connector_id, operative)
        self._settle()
        return outcome

    def request_unlock(self, evse_id: int, connector_id: int, ref: str, now: Now) -> UnlockStatus | None:
        """None: under way; an `UnlockAnswer` with this `ref` follows."""
        self._core.now = now
        evse = self.evses.get(evse_id)
        if evse is None or not evse.spec.has_connector(connector_id):
            return UnlockStatus.UNKNOWN_CONNECTOR
        if not evse.spec.lockable(connector_id):
            return UnlockStatus.NO_LOCK
        evse.unlock(connector_id, ref)
        self._settle()
        return None

    def request_reset(self, immediate: bool, now: Now) -> Outcome:
        """Ends every transaction, then orders the restart (1.6 §5.14)."""
        self._core.now = now
        self._resetting = StopReason.IMMEDIATE_RESET if immediate else StopReason.GRACEFUL_RESET
        self._authorizer.close()
        self._stop_all(self._resetting, TriggerReason.RESET_COMMAND)
        self._settle()
        return Outcome.ACCEPTED

    def request_clear_cache(self, now: Now) -> Outcome:
        self._core.now = now
        return Outcome.ACCEPTED if self.cache.clear() else Outcome.REJECTED

    def request_shutdown(self, now: Now) -> None:
        """The program stops: no transaction may be left running without it."""
        self._core.now = now
        self._authorizer.close()
        self._stop_all(StopReason.REBOOT, TriggerReason.ABNORMAL_CONDITION)
        self._settle()

    def trigger_boot(self, now: Now) -> bool:
        self._core.now = now
        return self.registration.trigger()

    def trigger_heartbeat(self, now: Now) -> None:
        self._core.now = now
        self.registration.beat(triggered=True)

    def trigger_status(self, evse_id: int | None, connector_id: int, now: Now) -> bool:
        """evse None: all, the station first. False: there is no such connector."""
        self._core.now = now
        if evse_id is None:
            self._status.tell_all(forced=True)
        elif self._status.view(evse_id, connector_id) is None:
            return False
        else:
            self._status.tell(evse_id, connector_id)
        return True

    def trigger_meter_values(self, evse_id: int | None, now: Now) -> bool:
        """evse None: all. False: there is no such EVSE."""
        self._core.now = now
        return self._metering.ask(evse_id)

    # --- what is ----------------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """No transaction runs."""
        return all(evse.transaction is None for evse in self.evses.values())

    @property
    def resetting(self) -> bool:
        return self._resetting is not None

    def exchanged(self, now: Now) -> None:
        """A message of ours has gone out: no heartbeat is due for another interval."""
        self._core.now = now
        self.registration.exchanged()

    def views(self) -> list[ConnectorView]:
        """Every connector as it is now, the station (evse 0) first."""
        views = [station_view(self._faults, operative=self._availability.station_operative)]
        for evse in self.evses.values():
            views.extend(connector_view(evse, connector.connector_id) for connector in evse.spec.connectors)
        return views

    # --- time, outputs ------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `tick` is due, on the monotonic clock."""
        deadlines = (timed.next_deadline() for timed in self._timed)
        return min((d for d in deadlines if d is not None), default=None)

    def tick(self, now: Now) -> None:
        self._core.now = now
        for timed in self._timed:
            timed.tick()
        self._settle()

    def drain(self) -> list[Output]:
        """What has followed since the last call, in the order in which it must take effect."""
        core = self._core
        out, core.out = core.out, []
        return out

    # --- inside -----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        self.offline_limit.tick()
        self._status.sync(self.views())
        if self._resetting is not None and self.idle:
            self._core.emit(Restart(immediate=self._resetting is StopReason.IMMEDIATE_RESET))
            self._resetting = None

    def _stop_all(self, reason: StopReason, trigger: TriggerReason) -> None:
        for evse in self.evses.values():
            evse.stop(reason, trigger)

    def _free_cables(self) -> None:
        """Nothing runs after a start: no latch may keep a cable that an earlier life has locked."""
        for evse in self.evses.values():
            for connector in evse.spec.connectors:
                if evse.spec.lockable(connector.connector_id):
                    evse.latch.release(connector.connector_id)


_HANDLERS: dict[type, Callable[..., None]] = {
    ev.PilotChanged: Station._pilot_changed,
    ev.CableChanged: Station._cable_changed,
    ev.ContactorChanged: Station._contactor_changed,
    ev.LockChanged: Station._lock_changed,
    ev.SelfChecked: Station._self_checked,
    ev.UnlockFinished: Station._unlock_finished,
    ev.FaultRaised: Station._fault_raised,
    ev.FaultCleared: Station._fault_cleared,
    ev.LimitChanged: Station._limit_changed,
    ev.EmergencyStopChanged: Station._emergency_stop_changed,
    ev.TamperChanged: Station._tamper_changed,
    ev.IdTokenPresented: Station._token_presented,
    ev.MeterRead: Station._meter_read,
    ev.LinkUp: Station._linked,
    ev.LinkDown: Station._unlinked,
    ev.BootAnswered: Station._boot_answered,
    ev.BootFailed: Station._boot_failed,
    ev.Authorized: Station._authorized,
    ev.TransactionAnswered: Station._transaction_answered,
}
