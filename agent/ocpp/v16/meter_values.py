"""MeterValues (1.6 §4.7) and the MeterValue type (§7.33, §7.43)."""

from __future__ import annotations

from agent.charging.meter_values import MeterValue, SampledValue
from agent.charging.reports import MeterValuesReport, TransactionEvent
from agent.ocpp.adapter import Call, Payload, TransactionIds
from agent.ocpp.timestamps import format_utc_ms
from agent.ocpp.v16.connectors import ConnectorNumbers

UNKNOWN_TRANSACTION = -1


def transaction_number(transaction_id: str | None, ids: TransactionIds) -> int:
    """-1 where the CSMS never answered the StartTransaction (errata 3.18)."""
    return int(ids.csms_ids.get(transaction_id or "", UNKNOWN_TRANSACTION))


def encode(report: MeterValuesReport | TransactionEvent, numbers: ConnectorNumbers, ids: TransactionIds) -> Call:
    payload: Payload = {
        "connectorId": numbers.number(report.evse_id, report.connector_id),
        "meterValue": [meter_value(value) for value in report.values],
    }
    if isinstance(report, TransactionEvent) or (
        report.transaction_id is not None and report.transaction_id in ids.csms_ids
    ):
        payload["transactionId"] = transaction_number(report.transaction_id, ids)
    return Call("MeterValues", payload)


def meter_value(value: MeterValue) -> Payload:
    return {"timestamp": format_utc_ms(value.at_ms), "sampledValue": [_sampled_value(v) for v in value.values]}


def _sampled_value(value: SampledValue) -> Payload:
    # Whole Wh, as in meterStart and meterStop, which are integers: no value may exceed the stop that follows it.
    number = int(value.value) if value.measurand.endswith(".Register") else value.value
    body: Payload = {
        "value": _number(number),
        "context": value.context.value,
        "measurand": value.measurand,
        "location": value.location,
    }
    if value.phase is not None:
        body["phase"] = value.phase
    if value.unit:
        body["unit"] = value.unit
    return body


def _number(number: float) -> str:
    """Up to three decimals, no exponent, no trailing zeros: what every parser takes."""
    text = f"{number:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
