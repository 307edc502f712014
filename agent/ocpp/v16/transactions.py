"""StartTransaction and StopTransaction (1.6 §4.8, §4.10)."""

from __future__ import annotations

from agent.charging.events import Event, TransactionAnswered
from agent.charging.reports import TransactionEvent, TransactionEventType
from agent.charging.types import StopReason, TriggerReason
from agent.ocpp.adapter import Answer, Call, Payload, TransactionIds
from agent.ocpp.timestamps import format_utc_ms
from agent.ocpp.v16 import meter_values
from agent.ocpp.v16.authorization import id_tag, id_token_info
from agent.ocpp.v16.connectors import ConnectorNumbers

# §7.36; where both have the word it is the same
_REASON = {StopReason.IMMEDIATE_RESET: "HardReset", StopReason.GRACEFUL_RESET: "SoftReset"}
_WHO = frozenset({TriggerReason.AUTHORIZED, TriggerReason.REMOTE_START})


def encode(report: TransactionEvent, numbers: ConnectorNumbers, ids: TransactionIds) -> Call | None:
    if not report.authorized:
        return None
    if report.kind is TransactionEventType.ENDED:
        return _stop(report, ids)
    if starts(report):
        return _start(report, numbers)
    return meter_values.encode(report, numbers, ids) if report.values else None


def carries(report: TransactionEvent) -> bool:
    telling = report.kind is TransactionEventType.ENDED or starts(report) or bool(report.values)
    return report.authorized and telling


def starts(report: TransactionEvent) -> bool:
    """1.6 can tell of a transaction only when it is known whose it is, which with a start point of EVConnected is
    later than its start.
    """
    if report.id_token is None or report.kind is TransactionEventType.ENDED:
        return False
    return report.kind is TransactionEventType.STARTED or report.trigger in _WHO


def _start(report: TransactionEvent, numbers: ConnectorNumbers) -> Call:
    assert report.id_token is not None
    return Call(
        "StartTransaction",
        {
            "connectorId": numbers.number(report.evse_id, report.connector_id),
            "idTag": id_tag(report.id_token),
            "meterStart": int(report.register_wh),
            "timestamp": format_utc_ms(report.at_ms),
        },
    )


def _stop(report: TransactionEvent, ids: TransactionIds) -> Call:
    reason = report.stop_reason or StopReason.LOCAL
    payload: Payload = {
        "transactionId": meter_values.transaction_number(report.transaction_id, ids),
        "meterStop": int(report.register_wh),
        "timestamp": format_utc_ms(report.at_ms),
        "reason": _REASON.get(reason, reason.value),
    }
    if report.id_token is not None:
        payload["idTag"] = id_tag(report.id_token)
    if report.data:
        payload["transactionData"] = [meter_values.meter_value(value) for value in report.data]
    return Call("StopTransaction", payload)


def answered(report: TransactionEvent, payload: Payload) -> Answer:
    started = starts(report)
    csms_id = str(int(payload["transactionId"])) if started else None
    info = payload.get("idTagInfo")
    events: tuple[Event, ...] = ()
    if info is not None and report.id_token is not None:
        events = (TransactionAnswered(report.transaction_id, report.id_token, id_token_info(info), started=started),)
    return Answer(events, csms_id)
