"""RemoteStartTransaction, RemoteStopTransaction, UnlockConnector, TriggerMessage (1.6 §5.11, §5.12, §5.17, §5.18)."""

from __future__ import annotations

from agent.charging.station import Station
from agent.charging.types import Now, Outcome, UnlockStatus
from agent.ocpp.adapter import Payload, TransactionIds
from agent.ocpp.v16.authorization import id_token
from agent.ocpp.v16.connectors import ConnectorNumbers

# Errata 3.87: an unknown connector is NotSupported, not a failure.
_UNLOCK = {
    UnlockStatus.UNLOCKED: "Unlocked",
    UnlockStatus.UNLOCK_FAILED: "UnlockFailed",
    UnlockStatus.NO_LOCK: "NotSupported",
    UnlockStatus.UNKNOWN_CONNECTOR: "NotSupported",
}


def start_transaction(payload: Payload, station: Station, numbers: ConnectorNumbers, now: Now) -> Payload:
    evse_id = connector_id = None
    if "connectorId" in payload:
        address = numbers.address(payload["connectorId"])
        if address is None or address == (0, 0):
            return {"status": "Rejected"}
        evse_id, connector_id = address
    token = id_token(payload["idTag"])
    return {"status": station.request_start(token, evse_id, now, connector_id=connector_id).value}


def stop_transaction(payload: Payload, station: Station, ids: TransactionIds, now: Now) -> Payload:
    wanted = str(payload["transactionId"])
    for transaction_id, csms_id in ids.csms_ids.items():
        if csms_id == wanted and station.request_stop(transaction_id, now) is Outcome.ACCEPTED:
            return {"status": "Accepted"}
    return {"status": "Rejected"}


def unlock_connector(
    payload: Payload, station: Station, numbers: ConnectorNumbers, ref: str, now: Now
) -> Payload | None:
    address = numbers.address(payload["connectorId"])
    if address is None:
        return unlock_answer(UnlockStatus.UNKNOWN_CONNECTOR)
    status = station.request_unlock(*address, ref, now)
    return unlock_answer(status) if status is not None else None


def unlock_answer(status: UnlockStatus) -> Payload:
    return {"status": _UNLOCK[status]}


def trigger_message(payload: Payload, station: Station, numbers: ConnectorNumbers, now: Now) -> Payload:
    """The connector counts only where it matters to the message (§5.17)."""
    wanted = payload["requestedMessage"]
    number = payload.get("connectorId")
    if wanted == "Heartbeat":
        station.trigger_heartbeat(now)
        return {"status": "Accepted"}
    if wanted == "BootNotification":
        return {"status": "Accepted" if station.trigger_boot(now) else "Rejected"}
    if wanted not in ("StatusNotification", "MeterValues"):
        return {"status": "NotImplemented"}
    address = numbers.address(number) if number is not None else None
    if number is not None and address is None:
        return {"status": "Rejected"}
    evse_id, connector_id = address or (None, 0)
    if wanted == "StatusNotification":
        sent = station.trigger_status(evse_id, connector_id, now)
    else:
        sent = station.trigger_meter_values(evse_id, now)
    return {"status": "Accepted" if sent else "Rejected"}
