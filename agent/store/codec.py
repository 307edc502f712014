"""Reports and records as JSON text, for the store's rows."""

from __future__ import annotations

import json
from typing import Any

from agent.charging.effects import SaveCacheEntry, TransactionRecord
from agent.charging.meter_values import MeterValue, SampledValue
from agent.charging.reports import DurableReport, MeterValuesReport, TransactionEvent, TransactionEventType
from agent.charging.types import (
    AuthorizationStatus,
    ChargingState,
    IdToken,
    IdTokenInfo,
    ReadingContext,
    StopReason,
    TriggerReason,
)

# What the load functions raise for a text that has been damaged, or that another version has written.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)


def dump(record: DurableReport | TransactionRecord | SaveCacheEntry) -> str:
    """Top level by name, so that a later version may add fields; what is nested by position."""
    return json.dumps(record._asdict(), separators=(",", ":"))


def dump_meter_value(value: MeterValue) -> str:
    return json.dumps(value, separators=(",", ":"))


def load_meter_value(text: str) -> MeterValue:
    return _meter_value(json.loads(text))


def load_report(text: str) -> DurableReport:
    raw = json.loads(text)
    raw["values"] = tuple(_meter_value(value) for value in raw["values"])
    if "kind" not in raw:
        return MeterValuesReport(**raw)
    raw["kind"] = TransactionEventType(raw["kind"])
    raw["trigger"] = TriggerReason(raw["trigger"])
    raw["data"] = tuple(_meter_value(value) for value in raw["data"])
    raw["id_token"] = _id_token(raw["id_token"])
    if raw["charging_state"] is not None:
        raw["charging_state"] = ChargingState(raw["charging_state"])
    if raw["stop_reason"] is not None:
        raw["stop_reason"] = StopReason(raw["stop_reason"])
    return TransactionEvent(**raw)


def load_transaction(text: str) -> TransactionRecord:
    raw = json.loads(text)
    raw["id_token"] = _id_token(raw["id_token"])
    raw["group"] = _id_token(raw["group"])
    return TransactionRecord(**raw)


def load_cache_entry(text: str) -> SaveCacheEntry:
    raw = json.loads(text)
    status, expires_ms, group = raw["info"]
    info = IdTokenInfo(AuthorizationStatus(status), expires_ms, _id_token(group))
    return SaveCacheEntry(IdToken(*raw["id_token"]), info, raw["used_ms"])


def _id_token(raw: list[str] | None) -> IdToken | None:
    return None if raw is None else IdToken(*raw)


def _meter_value(raw: list[Any]) -> MeterValue:
    at_ms, values = raw
    return MeterValue(at_ms, tuple(_sampled_value(*value) for value in values))


def _sampled_value(
    value: float, measurand: str, context: str, phase: str | None, unit: str, location: str
) -> SampledValue:
    return SampledValue(value, measurand, ReadingContext(context), phase, unit, location)
