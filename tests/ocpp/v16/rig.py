"""The core's bench with an OCPP 1.6 adapter in front of it.

Every payload that passes is held against the schema of its message, both ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.charging import events as ev
from agent.charging.characteristics import VariableId
from agent.charging.reports import ConnectorReport, Report
from agent.charging.types import ConnectorSpec, EvseSpec, RegistrationStatus
from agent.ocpp.adapter import Answer, Call, Payload
from agent.ocpp.schema import Kind, explain, validator
from agent.ocpp.v16.adapter import Adapter16, StationIdentity
from agent.ocpp.v16.configuration import ConfigurationKeys

from ...charging.harness import Bench

AT_MS = 1_704_067_200_250
AT = "2024-01-01T00:00:00.250Z"
REF = "call-1"
IDENTITY = StationIdentity("Acme", "AC22", "A-0001", "1.4.0")


def two_sockets(evse_id: int = 1) -> EvseSpec:
    """One EVSE that serves either of two connectors."""
    return EvseSpec(evse_id, (ConnectorSpec(1, "sType2"), ConnectorSpec(2, "sType2")), 32.0, 3, has_lock=True)


def held_against_schema(action: str, kind: Kind, payload: Payload) -> Payload:
    if not validator("v16", action, kind)(payload):
        raise AssertionError(action, payload, explain("v16", action, kind, payload))
    return payload


class Ids:
    """What the store keeps: the CSMS's transaction ids by ours."""

    def __init__(self) -> None:
        self.csms_ids: dict[str, str] = {}


class Rig(Bench):
    """One station as a CSMS sees it."""

    def __init__(
        self,
        *specs: EvseSpec,
        settings: dict[VariableId, object] | None = None,
        identity: StationIdentity = IDENTITY,
        registration: RegistrationStatus = RegistrationStatus.ACCEPTED,
    ) -> None:
        super().__init__(*specs, settings=settings, registered=registration is RegistrationStatus.ACCEPTED)
        if registration is not RegistrationStatus.ACCEPTED:
            self.boot_answers.append(ev.BootAnswered(registration, 3600))
            self.apply(ev.LinkUp())
            self.log.clear()
        self.ids = Ids()
        self.adapter = Adapter16(self.station, self.model, ConfigurationKeys(self.model), self.ids, identity)

    def ask(self, action: str, **payload: Any) -> Payload | None:
        """A call of the CSMS, and the answer to it if there is one at once."""
        assert action in self.adapter.supported
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
        """The call that tells the CSMS of a report."""
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
        """What a CSMS gets that takes each report in turn."""
        calls: list[Call] = []
        for report in reports:
            call = self.tell(report)
            if call is not None:
                calls.append(call)
                if isinstance(report, ConnectorReport):
                    self.answered(report, "StatusNotification")
        return calls

    def start_taken(self, csms_id: int) -> str:
        """The CSMS takes the last transaction's start and names it. Our id."""
        report = self.started[-1]
        answer = self.answered(report, "StartTransaction", transactionId=csms_id, idTagInfo={"status": "Accepted"})
        assert answer.csms_id is not None
        self.ids.csms_ids[report.transaction_id] = answer.csms_id
        return report.transaction_id

    @property
    def notified(self) -> list[tuple[int, str]]:
        """(connectorId, status) of each StatusNotification that the reports so far lead to."""
        calls = self.take(self.of(ConnectorReport))
        return [(call.payload["connectorId"], call.payload["status"]) for call in calls]
