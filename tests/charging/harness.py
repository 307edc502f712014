"""A station on the bench: the pure core between simulated hardware, a scripted CSMS and a clock that only tests move.

The hardware (hardware.py) is ideal until a test says otherwise (`broken`, `silent`, `late_s`); the CSMS accepts every
token that a test has not given another answer to.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from typing import TypeVar

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.core import Output
from agent.charging.device_model import DeviceModel, Source
from agent.charging.meter_values import MEASURANDS, SampledValue
from agent.charging.policy import Policy
from agent.charging.reports import (
    AuthorizeRequest,
    BootRequest,
    ConnectorReport,
    ConnectorView,
    MeterValuesReport,
    TransactionEvent,
    TransactionEventType,
)
from agent.charging.station import Restored, Station
from agent.charging.types import (
    AuthorizationStatus,
    ChargingState,
    ConnectorSpec,
    EvseSpec,
    Fault,
    IdToken,
    IdTokenInfo,
    Now,
    Outcome,
    PilotState,
    RegistrationStatus,
    Session,
    StopReason,
    UnlockStatus,
)

from .hardware import Hardware

START_MS = 1_800_000_000_000 - 1_800_000_000_000 % 86_400_000 + 36_000_000  # a day in 2027, 10:00:00 UTC
ACCEPTED = IdTokenInfo(AuthorizationStatus.ACCEPTED)
INVALID = IdTokenInfo(AuthorizationStatus.INVALID)
BLOCKED = IdTokenInfo(AuthorizationStatus.BLOCKED)
GROUND_FAILURE = Fault("GroundFailure")
WEAK_SIGNAL = Fault("WeakSignal", blocking=False)
METER_FAILURE = Fault("PowerMeterFailure", blocking=False)

T = TypeVar("T")


def socket(evse_id: int = 1) -> EvseSpec:
    """Three phases, 32 A, a socket with a latch."""
    return EvseSpec(evse_id, (ConnectorSpec(1, "sType2"),), 32.0, 3, has_lock=True)


def fixed_cable(evse_id: int = 1) -> EvseSpec:
    return EvseSpec(evse_id, (ConnectorSpec(1, "cType2"),), 32.0, 3)


def accepted(group: str | None = None, expires_ms: int | None = None) -> IdTokenInfo:
    return IdTokenInfo(AuthorizationStatus.ACCEPTED, expires_ms, IdToken(group) if group else None)


class Bench:
    """Drives one station and reads as a list of facts. Everything it puts out is kept in `log`, in order."""

    def __init__(
        self,
        *specs: EvseSpec,
        settings: dict[VariableId, object] | None = None,
        restored: Restored | None = None,
        registered: bool = True,
    ) -> None:
        self.specs = specs or (socket(),)
        station_specs = v.station_variables(
            self.specs, vendor="Acme", model="AC22", serial_number="", firmware_version=""
        )
        self.model = DeviceModel(station_specs, v.measurand_items(MEASURANDS))
        for variable, value in (settings or {}).items():
            self.set(variable, value)
        self.now = Now(500.123, START_MS)
        self.hardware = {spec.evse_id: Hardware(spec) for spec in self.specs}
        self.answers: dict[str, IdTokenInfo | None] = {}  # by token; None: the CSMS does not answer
        self.late_answers: list[ev.Authorized] = []
        self.hold_answers = False  # keep the answers to Authorize for `answer`
        self.boot_answers: list[ev.BootAnswered | None] = []
        self.log: list[Output] = []
        self._late: list[tuple[float, int, ev.Event]] = []
        self._order = itertools.count()
        ids = itertools.count(1)
        self.station = Station(
            self.specs,
            Policy(self.model),
            self.now,
            new_id=lambda: f"id{next(ids)}",
            jitter=lambda: 0.5,
            restored=restored,
        )
        self.settle()
        if registered:
            self.apply(ev.LinkUp())
            self.model.set(v.HEARTBEAT_INTERVAL, "86400", Source.STATION)
            self.log.clear()

    def set(self, variable: VariableId, value: object) -> None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        outcome = self.model.set(variable, text, Source.STATION)
        assert outcome.accepted, (variable, value, outcome)

    # --- what happens -------------------------------------------------------------------------------------------------

    def apply(self, *events: ev.Event) -> None:
        for event in events:
            self.station.apply(event, self.now)
            self.settle()

    def settle(self) -> None:
        """Carry out what the station wants until it wants nothing more."""
        events: list[ev.Event] = []
        while outputs := self.station.drain():
            for output in outputs:
                self.log.append(output)
                events += self._answer(output)
            while events:
                self.station.apply(events.pop(0), self.now)
                for output in self.station.drain():
                    self.log.append(output)
                    events += self._answer(output)

    def _answer(self, output: Output) -> list[ev.Event]:
        match output:
            case BootRequest():
                answer = self.boot_answers.pop(0) if self.boot_answers else None
                return [answer or ev.BootAnswered(RegistrationStatus.ACCEPTED, 300)]
            case AuthorizeRequest():
                answered = ev.Authorized(output.request_id, self._info(output.id_token))
                if self.hold_answers:
                    self.late_answers.append(answered)
                    return []
                return [answered]
        evse_id = getattr(output, "evse_id", None)
        if evse_id not in self.hardware:
            return []
        hardware = self.hardware[evse_id]
        events = hardware.carry_out(output, self.now.utc_ms)
        if hardware.late_s == 0:
            return events
        for event in events:
            heapq.heappush(self._late, (self.now.mono_s + hardware.late_s, next(self._order), event))
        return []

    def _info(self, id_token: IdToken) -> IdTokenInfo | None:
        return self.answers.get(id_token.value, ACCEPTED)

    def advance(self, seconds: float) -> None:
        """Let time pass; the station is woken when it asked to be. Fails if it asks for the past again and again."""
        end_s = self.now.mono_s + seconds
        stuck = 0
        while True:
            deadline_s = self.station.next_deadline()
            if self._late and (deadline_s is None or self._late[0][0] <= deadline_s):
                deadline_s = self._late[0][0]
            if deadline_s is None or deadline_s > end_s:
                break
            stuck = stuck + 1 if deadline_s <= self.now.mono_s else 0
            assert stuck < 20, f"busy loop at {deadline_s}"
            self._pass(deadline_s)
            while self._late and self._late[0][0] <= self.now.mono_s:
                self.apply(heapq.heappop(self._late)[2])
            self.station.tick(self.now)
            self.settle()
        self._pass(end_s)
        self.station.tick(self.now)
        self.settle()

    def _pass(self, mono_s: float) -> None:
        elapsed_s = max(0.0, mono_s - self.now.mono_s)
        for hardware in self.hardware.values():
            hardware.register_wh += hardware.power_w * elapsed_s / 3600
        utc_ms = self._epoch_ms() + round(mono_s * 1000) if elapsed_s else self.now.utc_ms
        self.now = Now(max(mono_s, self.now.mono_s), utc_ms)

    def _epoch_ms(self) -> int:
        return self.now.utc_ms - round(self.now.mono_s * 1000)

    def step_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.now = self.now._replace(utc_ms=self.now.utc_ms + round(seconds * 1000))

    def correct_clock(self, seconds: float) -> None:
        """The clock is found to have been off, and the station told so: all its stamps so far are off by this."""
        self.step_clock(seconds)
        self.station.clock_stepped(round(seconds * 1000), self.now)
        self.settle()

    # --- drivers ------------------------------------------------------------------------------------------------------

    def plug_in(self, evse_id: int = 1, *, asks: bool = True, connector_id: int = 1) -> None:
        self.put_cable(evse_id, connector_id)
        hardware = self.hardware[evse_id]
        hardware.asks = asks
        hardware.connector_id = connector_id
        hardware.pilot = PilotState.B
        self.apply(ev.PilotChanged(evse_id, PilotState.B, connector_id))
        self.apply(*hardware.react())

    def put_cable(self, evse_id: int = 1, connector_id: int = 1, rating_a: float | None = 32.0) -> None:
        spec = self.hardware[evse_id].spec
        if not next(c for c in spec.connectors if c.connector_id == connector_id).fixed_cable:
            self.apply(ev.CableChanged(evse_id, connector_id, present=True, rating_a=rating_a))

    def unplug_car(self, evse_id: int = 1) -> None:
        """At the car's end. A loose cable stays in the charger."""
        hardware = self.hardware[evse_id]
        hardware.pilot = PilotState.A
        self.apply(ev.PilotChanged(evse_id, PilotState.A, hardware.connector_id))

    def pull_cable(self, evse_id: int = 1) -> None:
        """At the charger's end, if it lets it go."""
        hardware = self.hardware[evse_id]
        assert not hardware.locked, "the latch holds it"
        self.apply(ev.CableChanged(evse_id, hardware.connector_id, present=False))

    def unplug(self, evse_id: int = 1) -> None:
        """Both ends."""
        self.unplug_car(evse_id)
        if not self.hardware[evse_id].spec.connectors[0].fixed_cable:
            self.pull_cable(evse_id)

    def pause(self, evse_id: int = 1) -> None:
        self.hardware[evse_id].asks = False
        self.apply(*self.hardware[evse_id].react())

    def resume(self, evse_id: int = 1) -> None:
        self.hardware[evse_id].asks = True
        self.apply(*self.hardware[evse_id].react())

    def card(self, value: str = "ANNA", evse_id: int | None = None) -> None:
        self.apply(ev.IdTokenPresented(IdToken(value), evse_id))

    def charge(self, evse_id: int = 1, card: str = "ANNA", seconds: float = 60.0) -> TransactionEvent:
        """Plug in, show the card, charge for a while. The STARTED report."""
        self.plug_in(evse_id)
        self.card(card, evse_id)
        self.advance(seconds)
        assert self.session(evse_id) is Session.TRANSACTION
        return self.started[-1]

    def raise_fault(self, fault: Fault = GROUND_FAILURE, evse_id: int = 1) -> None:
        self.apply(ev.FaultRaised(evse_id, fault))

    def clear_fault(self, fault: Fault = GROUND_FAILURE, evse_id: int = 1) -> None:
        self.apply(ev.FaultCleared(evse_id, fault.code, fault.vendor_code))

    # --- the CSMS -----------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        """Let the CSMS answer what it was asked."""
        self.hold_answers = False
        answers, self.late_answers = self.late_answers, []
        self.apply(*answers)

    def go_offline(self) -> None:
        self.apply(ev.LinkDown())

    def go_online(self) -> None:
        self.apply(ev.LinkUp())

    def start_answered(self, info: IdTokenInfo, report: TransactionEvent | None = None) -> None:
        """The CSMS's answer to a start report: what it thinks of the token."""
        report = report or self.started[-1]
        assert report.id_token is not None
        self.apply(ev.TransactionAnswered(report.transaction_id, report.id_token, info, started=True))

    def remote_start(self, value: str = "REMOTE", evse_id: int | None = 1, connector_id: int | None = None) -> Outcome:
        outcome = self.station.request_start(IdToken(value), evse_id, self.now, connector_id=connector_id)
        self.settle()
        return outcome

    def remote_stop(self, transaction_id: str) -> Outcome:
        outcome = self.station.request_stop(transaction_id, self.now)
        self.settle()
        return outcome

    def change_availability(self, operative: bool, evse_id: int = 1, connector_id: int = 0) -> Outcome:
        outcome = self.station.request_availability(evse_id, connector_id, operative, self.now)
        self.settle()
        return outcome

    def reset(self, *, immediate: bool = False) -> Outcome:
        outcome = self.station.request_reset(immediate, self.now)
        self.settle()
        return outcome

    def unlock(self, evse_id: int = 1, connector_id: int = 1, ref: str = "call") -> UnlockStatus | None:
        status = self.station.request_unlock(evse_id, connector_id, ref, self.now)
        self.settle()
        return status

    # --- what was put out ---------------------------------------------------------------------------------------------

    def of(self, kind: type[T]) -> list[T]:
        return [output for output in self.log if isinstance(output, kind)]

    def transactions(self, kind: TransactionEventType) -> list[TransactionEvent]:
        return [report for report in self.of(TransactionEvent) if report.kind is kind]

    @property
    def started(self) -> list[TransactionEvent]:
        return self.transactions(TransactionEventType.STARTED)

    @property
    def updated(self) -> list[TransactionEvent]:
        return self.transactions(TransactionEventType.UPDATED)

    @property
    def ended(self) -> list[TransactionEvent]:
        return self.transactions(TransactionEventType.ENDED)

    @property
    def stop_reasons(self) -> list[StopReason | None]:
        return [report.stop_reason for report in self.ended]

    @property
    def rejections(self) -> int:
        return len(self.of(ef.SignalRejection))

    @property
    def asked(self) -> list[str]:
        """The tokens that the CSMS was asked about."""
        return [request.id_token.value for request in self.of(AuthorizeRequest)]

    @property
    def data(self) -> list[SampledValue]:
        """What was collected for the end reports."""
        return [value for kept in self.of(ef.SaveTransactionData) for value in kept.value.values]

    @property
    def sampled(self) -> list[SampledValue]:
        """The single values of all meter values that were reported, those of end reports aside."""
        reports: Iterable[TransactionEvent | MeterValuesReport] = (
            output for output in self.log if isinstance(output, TransactionEvent | MeterValuesReport)
        )
        return [sampled for report in reports for value in report.values for sampled in value.values]

    def view(self, evse_id: int = 1, connector_id: int = 1) -> ConnectorView:
        return next(
            view
            for view in self.station.views()
            if (view.evse_id, view.connector_id) == (evse_id, connector_id if evse_id else 0)
        )

    def told(self, evse_id: int = 1, connector_id: int = 1) -> list[ConnectorView]:
        """The statuses that were reported of this connector."""
        views = (report.view for report in self.of(ConnectorReport))
        return [view for view in views if (view.evse_id, view.connector_id) == (evse_id, connector_id)]

    def session(self, evse_id: int = 1) -> Session:
        return self.station.evses[evse_id].session

    def charging_state(self, evse_id: int = 1) -> ChargingState | None:
        return self.view(evse_id, self.hardware[evse_id].connector_id).charging_state

    def charging(self, evse_id: int = 1) -> bool:
        return self.hardware[evse_id].power_w > 0 and self.charging_state(evse_id) is ChargingState.CHARGING

    def held(self, evse_id: int = 1) -> bool:
        """The latch holds the plug."""
        return self.hardware[evse_id].locked
