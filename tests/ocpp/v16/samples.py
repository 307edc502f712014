"""Reports as the core makes them, for tests that vary one field."""

from __future__ import annotations

from typing import Any

from agent.charging.meter_values import MeterValue, SampledValue
from agent.charging.reports import TransactionEvent, TransactionEventType
from agent.charging.types import ChargingState, IdToken, ReadingContext, StopReason, TriggerReason

from .rig import AT_MS

REGISTER = "Energy.Active.Import.Register"
ANNA = IdToken("ANNA")


def sampled(value: float = 1000.0, measurand: str = REGISTER, **fields: Any) -> SampledValue:
    return SampledValue(value, measurand, **{"context": ReadingContext.SAMPLE_PERIODIC, "unit": "Wh", **fields})


def meter_value(*values: SampledValue, at_ms: int = AT_MS) -> MeterValue:
    return MeterValue(at_ms, values or (sampled(),))


def started(**fields: Any) -> TransactionEvent:
    return _event(TransactionEventType.STARTED, trigger=TriggerReason.AUTHORIZED, id_token=ANNA, **fields)


def updated(*values: SampledValue, **fields: Any) -> TransactionEvent:
    return _event(TransactionEventType.UPDATED, values=(meter_value(*values),) if values else (), **fields)


def ended(reason: StopReason | None = StopReason.LOCAL, **fields: Any) -> TransactionEvent:
    return _event(TransactionEventType.ENDED, trigger=TriggerReason.STOP_AUTHORIZED, stop_reason=reason, **fields)


def _event(kind: TransactionEventType, **fields: Any) -> TransactionEvent:
    usual: dict[str, Any] = {
        "transaction_id": "tx1",
        "seq_no": 0,
        "at_ms": AT_MS,
        "trigger": TriggerReason.METER_VALUE_PERIODIC,
        "evse_id": 1,
        "connector_id": 1,
        "charging_state": ChargingState.CHARGING,
        "register_wh": 1000.9,
    }
    return TransactionEvent(kind=kind, **{**usual, **fields})
