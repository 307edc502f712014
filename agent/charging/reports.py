"""What the core tells the CSMS, in no OCPP version's words. The version's adapter encodes a report when it is sent.

Durable reports (`TransactionEvent`, `MeterValuesReport`) wait in the store's queue through outages and restarts. The
others are about the present: while the station is offline they are superseded, not kept.
"""

from __future__ import annotations

from enum import StrEnum

from agent.charging.meter_values import MeterValue
from agent.charging.types import (
    ChargingState,
    ConnectorStatus,
    Fault,
    IdToken,
    Session,
    StopReason,
    TriggerReason,
    UnlockStatus,
)
from agent.charging.value import Value


class TransactionEventType(StrEnum):
    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


class TransactionEvent(Value):
    """A step of a transaction (OCPP 2.0.1 E01 ff.; in 1.6 StartTransaction, MeterValues, StopTransaction).

    register_wh: the meter's import register. values: what is to be sent with this step.
    data: in Ended, what was collected for the end report (1.6 transactionData), Transaction.Begin first.
    """

    kind: TransactionEventType
    transaction_id: str
    seq_no: int
    at_ms: int
    trigger: TriggerReason
    evse_id: int
    connector_id: int
    charging_state: ChargingState | None
    register_wh: float
    id_token: IdToken | None = None
    remote_start_id: int | None = None
    stop_reason: StopReason | None = None
    values: tuple[MeterValue, ...] = ()
    data: tuple[MeterValue, ...] = ()
    offline: bool = False
    authorized: bool = True  # somebody may charge: false until then where a transaction starts with the car


class MeterValuesReport(Value):
    """Meter values outside a transaction; or, triggered, inside one."""

    evse_id: int
    connector_id: int
    values: tuple[MeterValue, ...]
    transaction_id: str | None = None
    triggered: bool = False


class ConnectorView(Value):
    """Everything that any version's connector status is made of. evse 0: the station itself.

    `info` explains what the statuses cannot (1.6 §4.9: "EV side disconnected").
    """

    evse_id: int
    connector_id: int
    status: ConnectorStatus
    session: Session = Session.AVAILABLE
    charging_state: ChargingState | None = None
    fault: Fault | None = None
    info: str = ""


class ConnectorReport(Value):
    """A connector's status has changed. `forced`: to be sent even where the CSMS has heard the same before."""

    view: ConnectorView
    at_ms: int
    forced: bool = False


class BootRequest(Value):
    triggered: bool = False


class HeartbeatRequest(Value):
    triggered: bool = False


class AuthorizeRequest(Value):
    """Answered by an `Authorized` event with the same id."""

    request_id: str
    id_token: IdToken


class UnlockAnswer(Value):
    """The outcome of `request_unlock` with this `ref`."""

    ref: str
    status: UnlockStatus


class SecurityEvent(Value):
    """A security event (OCPP 2.0.1 part 2 appendix 1; 1.6 security white paper, section 8)."""

    kind: str
    at_ms: int
    info: str = ""


DurableReport = TransactionEvent | MeterValuesReport
Report = (
    TransactionEvent
    | MeterValuesReport
    | ConnectorReport
    | BootRequest
    | HeartbeatRequest
    | AuthorizeRequest
    | UnlockAnswer
    | SecurityEvent
)


def shifted(report: DurableReport, delta_ms: int) -> DurableReport:
    """The report with stamps that the clock has since been found to be off by (`data` keeps its own)."""
    if delta_ms == 0:
        return report
    values = tuple(value._replace(at_ms=value.at_ms + delta_ms) for value in report.values)
    if isinstance(report, TransactionEvent):
        return report._replace(at_ms=report.at_ms + delta_ms, values=values)
    return report._replace(values=values)


def not_before(report: DurableReport, floor_ms: int) -> DurableReport:
    """The report with no stamp earlier than `floor_ms`: what was said before of the same transaction."""
    values = tuple(value._replace(at_ms=max(value.at_ms, floor_ms)) for value in report.values)
    if isinstance(report, TransactionEvent):
        return report._replace(at_ms=max(report.at_ms, floor_ms), values=values)
    return report._replace(values=values)
