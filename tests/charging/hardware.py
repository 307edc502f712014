"""Simulated hardware for the bench: one EVSE's parts and the car at it, ideal until a test says otherwise."""

from __future__ import annotations

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging.core import Output
from agent.charging.meter_values import MeterReading
from agent.charging.types import EvseSpec, Fault, PilotState

LOCK_FAILURE = Fault("ConnectorLockFailure")


class Hardware:
    """One EVSE's parts and the car at it."""

    def __init__(self, spec: EvseSpec) -> None:
        self.spec = spec
        self.pilot = PilotState.A
        self.connector_id = 1
        self.asks = True  # a car asks for energy when it is offered some
        self.current_a = 16.0
        self.offered_a = 0.0
        self.contactor_closed = False
        self.locked = False
        self.register_wh = 1000.0
        self.frozen_wh: float | None = None  # what a broken meter claims
        self.broken: set[str] = set()  # of contactor (welded), lock, meter: answers, but does not do it
        self.silent: set[str] = set()  # of contactor, lock, meter, self-check: does not answer at all
        self.late_s = 0.0

    @property
    def power_w(self) -> float:
        flows = self.contactor_closed and self.pilot is PilotState.C
        return min(self.current_a, self.offered_a) * 230.0 * self.spec.phases if flows else 0.0

    def react(self) -> list[ev.Event]:
        """The car's answer to what it is offered."""
        if self.pilot not in (PilotState.B, PilotState.C):
            return []
        state = PilotState.C if self.asks and self.offered_a > 0 else PilotState.B
        if state is self.pilot:
            return []
        self.pilot = state
        return [ev.PilotChanged(self.spec.evse_id, state, self.connector_id)]

    def carry_out(self, order: Output, utc_ms: int) -> list[ev.Event]:
        evse_id = self.spec.evse_id
        match order:
            case ef.OfferCurrent():
                self.offered_a = order.current_a
                return self.react()
            case ef.CloseContactor() if "contactor" not in self.silent:
                self.contactor_closed = True
                return [ev.ContactorChanged(evse_id, closed=True)]
            case ef.OpenContactor() if not {"contactor"} & (self.silent | self.broken):
                self.contactor_closed = False
                return [ev.ContactorChanged(evse_id, closed=False)]
            case ef.LockConnector() | ef.UnlockConnector() if "lock" not in self.silent:
                return self._turn_latch(order)
            case ef.SelfCheck() if "self-check" not in self.silent:
                return [ev.SelfChecked(evse_id)]
            case ef.ReadMeter() if "meter" not in self.silent:
                reading = None if "meter" in self.broken else self.reading(utc_ms)
                return [ev.MeterRead(evse_id, order.purpose, order.due_ms, reading)]
        return []

    def _turn_latch(self, order: ef.LockConnector | ef.UnlockConnector) -> list[ev.Event]:
        evse_id, broken = self.spec.evse_id, "lock" in self.broken
        if isinstance(order, ef.UnlockConnector):
            self.locked = self.locked and broken
            finished = ev.UnlockFinished(evse_id, order.connector_id, order.ref, not self.locked)
            return [ev.LockChanged(evse_id, self.locked), finished]
        if broken:
            return [ev.FaultRaised(evse_id, LOCK_FAILURE)]
        self.locked = True
        return [ev.LockChanged(evse_id, locked=True)]

    def reading(self, utc_ms: int) -> MeterReading:
        current_a = self.power_w / 230.0 / self.spec.phases
        register_wh = self.register_wh if self.frozen_wh is None else self.frozen_wh
        return MeterReading(
            utc_ms,
            register_wh,
            power_import_w=self.power_w,
            current_a=(current_a,) * self.spec.phases,
            voltage_v=(230.0,) * self.spec.phases,
            temperature_celsius=21.5,
        )
