"""A station behind its OCPP 1.6 adapter: ideal hardware, a clock that only tests move, and a CSMS that says yes.

Every payload that passes is held against the schema of its message, both ways.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, TypeVar

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.core import Output
from agent.charging.device_model import DeviceModel, Source
from agent.charging.meter_values import MEASURANDS, MeterReading
from agent.charging.policy import Policy
from agent.charging.reports import AuthorizeRequest, BootRequest, ConnectorReport, Report, TransactionEvent
from agent.charging.station import Station
from agent.charging.types import ConnectorSpec, EvseSpec, IdToken, Now, PilotState
from agent.ocpp.adapter import Answer, Call, Payload
from agent.ocpp.schema import Kind, explain, validator
from agent.ocpp.v16.adapter import Adapter16, StationIdentity
from agent.ocpp.v16.configuration import ConfigurationKeys

AT_MS = 1_704_067_200_250
AT = "2024-01-01T00:00:00.250Z"
REF = "call-1"
IDENTITY = StationIdentity("Acme", "AC22", "A-0001", "1.4.0")

T = TypeVar("T")


def socket(evse_id: int = 1) -> EvseSpec:
    return EvseSpec(evse_id, (ConnectorSpec(1, "sType2"),), 32.0, 3, has_lock=True)


def fixed_cable(evse_id: int = 1) -> EvseSpec:
    return EvseSpec(evse_id, (ConnectorSpec(1, "cType2"),), 32.0, 3)


def two_sockets(evse_id: int = 1) -> EvseSpec:
    """One EVSE that serves either of two connectors."""
    return EvseSpec(evse_id, (ConnectorSpec(1, "sType2"), ConnectorSpec(2, "sType2")), 32.0, 3, has_lock=True)


def held_against_schema(action: str, kind: Kind, payload: Payload) -> Payload:
    assert validator("v16", action, kind)(payload), (action, payload, explain("v16", action, kind, payload))
    return payload


class Ids:
    """What the store keeps: the CSMS's transaction ids by ours."""

    def __init__(self) -> None:
        self.csms_ids: dict[str, str] = {}


class Rig:
    """One station, its adapter, and everything that the station has put out, in order, in `log`."""

    def __init__(
        self,
        *specs: EvseSpec,
        settings: dict[VariableId, object] | None = None,
        factory: dict[VariableId, str] | None = None,
        identity: StationIdentity = IDENTITY,
        registered: str = "Accepted",
    ) -> None:
        specs = specs or (socket(),)
        variables = v.station_variables(specs, vendor="Acme", model="AC22", serial_number="", firmware_version="")
        self.model = DeviceModel(variables, v.measurand_items(MEASURANDS))
        for variable, text in (factory or {}).items():
            assert self.model.set_factory(variable, text).accepted, variable
        for variable, value in (settings or {}).items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            assert self.model.set(variable, text, Source.STATION).accepted, variable
        self.now = Now(100.0, AT_MS)
        numbers = itertools.count(1)
        self.station = Station(
            specs, Policy(self.model), self.now, new_id=lambda: f"tx{next(numbers)}", jitter=lambda: 0.0
        )
        self.ids = Ids()
        self.adapter = Adapter16(self.station, self.model, ConfigurationKeys(self.model), self.ids, identity)
        self.id_tag_infos: dict[str, Payload] = {}  # by idTag; else Accepted
        self.register_wh = 1000.9
        self.asks = True  # a car asks for energy when it is offered some
        self.lock_broken = False
        self.hold_unlock = False  # the latch takes its time: `finish_unlock`
        self.log: list[Output] = []
        self._registered = registered
        self._late: list[ev.Event] = []
        self._pilots: dict[int, tuple[PilotState, int]] = {}
        self._offered_a: dict[int, float] = {}
        self._locked: set[int] = set()
        self.settle()
        self.apply(ev.LinkUp())
        self.log.clear()

    # --- the CSMS -----------------------------------------------------------------------------------------------------

    def ask(self, action: str, **payload: Any) -> Payload | None:
        """A call of the CSMS, and the answer to it if there is one at once."""
        held_against_schema(action, "request", payload)
        answer = self.adapter.handle(action, payload, REF, self.now)
        if answer is not None:
            held_against_schema(action, "response", answer)
        self.settle()
        return answer

    def status(self, action: str, **payload: Any) -> str:
        """The status in the answer to a call that is answered at once."""
        answer = self.ask(action, **payload)
        assert answer is not None
        return str(answer["status"])

    def tell(self, report: Report) -> Call | None:
        """The call that tells of a report."""
        call = self.adapter.encode(report)
        if call is not None:
            held_against_schema(call.action, "request", call.payload)
        return call

    def payload(self, report: Report) -> Payload:
        call = self.tell(report)
        assert call is not None
        return call.payload

    def answered(self, report: Report, action: str, **payload: Any) -> Answer:
        """What the CSMS's answer to a report means."""
        return self.adapter.answered(report, held_against_schema(action, "response", payload))

    def take(self, reports: Iterable[Report]) -> list[Call]:
        """A CSMS that takes each report in turn: the calls that it gets."""
        calls: list[Call] = []
        for report in reports:
            call = self.tell(report)
            if call is not None:
                calls.append(call)
                if isinstance(report, ConnectorReport):
                    self.answered(report, "StatusNotification")
        return calls

    def start_taken(self, csms_id: int) -> TransactionEvent:
        """The CSMS takes the last transaction's start. Its report."""
        report = self.of(TransactionEvent)[0]
        answer = self.answered(report, "StartTransaction", transactionId=csms_id, idTagInfo={"status": "Accepted"})
        assert answer.csms_id is not None
        self.ids.csms_ids[report.transaction_id] = answer.csms_id
        return report

    # --- what happens -------------------------------------------------------------------------------------------------

    def apply(self, *events: ev.Event) -> None:
        for event in events:
            self.station.apply(event, self.now)
            self.settle()

    def advance(self, seconds: float) -> None:
        """One tick, this much later."""
        self.now = Now(self.now.mono_s + seconds, self.now.utc_ms + round(seconds * 1000))
        self.station.tick(self.now)
        self.settle()

    def settle(self) -> None:
        events: list[ev.Event] = []
        while outputs := self.station.drain():
            for output in outputs:
                self.log.append(output)
                events += self._answer(output)
            while events:
                self.station.apply(events.pop(0), self.now)

    def _answer(self, output: Output) -> Iterable[ev.Event]:
        match output:
            case BootRequest():
                conf = {"status": self._registered, "currentTime": AT, "interval": 86_400}
                return self.answered(output, "BootNotification", **conf).events
            case AuthorizeRequest():
                call = self.tell(output)
                if call is None:
                    return self.adapter.unsaid(output)
                info = self.id_tag_infos.get(call.payload["idTag"], {"status": "Accepted"})
                return self.answered(output, "Authorize", idTagInfo=info).events
            case ef.OfferCurrent():
                self._offered_a[output.evse_id] = output.current_a
                return self._car(output.evse_id)
            case ef.CloseContactor() | ef.OpenContactor():
                return [ev.ContactorChanged(output.evse_id, isinstance(output, ef.CloseContactor))]
            case ef.SelfCheck():
                return [ev.SelfChecked(output.evse_id)]
            case ef.ReadMeter():
                reading = MeterReading(self.now.utc_ms, self.register_wh, frequency_hz=50.02, current_a=(6.0, 6.1, 6.2))
                return [ev.MeterRead(output.evse_id, output.purpose, output.due_ms, reading)]
            case ef.LockConnector():
                self._locked.add(output.evse_id)
                return [ev.LockChanged(output.evse_id, locked=True)]
            case ef.UnlockConnector():
                return self._unlock(output)
        return []

    def _unlock(self, order: ef.UnlockConnector) -> list[ev.Event]:
        if not self.lock_broken:
            self._locked.discard(order.evse_id)
        locked = order.evse_id in self._locked
        events: list[ev.Event] = [
            ev.LockChanged(order.evse_id, locked),
            ev.UnlockFinished(order.evse_id, order.connector_id, order.ref, not locked),
        ]
        if self.hold_unlock:
            self._late += events
            return []
        return events

    def finish_unlock(self) -> None:
        late, self._late = self._late, []
        self.apply(*late)

    def _car(self, evse_id: int) -> list[ev.Event]:
        """The car's answer to what it is offered."""
        before, connector_id = self._pilots.get(evse_id, (PilotState.A, 1))
        offered = self._offered_a.get(evse_id, 0.0) > 0
        state = PilotState.C if self.asks and offered else PilotState.B
        if before is PilotState.A or state is before:
            return []
        self._pilots[evse_id] = (state, connector_id)
        return [ev.PilotChanged(evse_id, state, connector_id)]

    def plug_in(self, evse_id: int = 1, connector_id: int = 1) -> None:
        if not self.station.evses[evse_id].spec.connectors[0].fixed_cable:
            self.apply(ev.CableChanged(evse_id, connector_id, present=True, rating_a=32.0))
        self._pilots[evse_id] = (PilotState.B, connector_id)
        self.apply(ev.PilotChanged(evse_id, PilotState.B, connector_id))

    def unplug_car(self, evse_id: int = 1) -> None:
        """At the car's end. A loose cable stays in the socket."""
        _, connector_id = self._pilots.pop(evse_id)
        self.apply(ev.PilotChanged(evse_id, PilotState.A, connector_id))

    def pull_cable(self, evse_id: int = 1, connector_id: int = 1) -> None:
        self.apply(ev.CableChanged(evse_id, connector_id, present=False))

    def pause(self, evse_id: int = 1) -> None:
        self.asks = False
        self.apply(*self._car(evse_id))

    def resume(self, evse_id: int = 1) -> None:
        self.asks = True
        self.apply(*self._car(evse_id))

    def card(self, value: str = "ANNA", evse_id: int = 1) -> None:
        self.apply(ev.IdTokenPresented(IdToken(value), evse_id))

    def charge(self, evse_id: int = 1, connector_id: int = 1) -> None:
        self.plug_in(evse_id, connector_id)
        self.card(evse_id=evse_id)
        assert self.station.evses[evse_id].transaction is not None

    # --- what was put out ---------------------------------------------------------------------------------------------

    def of(self, kind: type[T]) -> list[T]:
        return [output for output in self.log if isinstance(output, kind)]

    @property
    def notified(self) -> list[tuple[int, str]]:
        """(connectorId, status) of each StatusNotification that the reports so far lead to."""
        calls = self.take(self.of(ConnectorReport))
        return [(call.payload["connectorId"], call.payload["status"]) for call in calls]
