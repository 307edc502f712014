"""ChangeAvailability (1.6 §5.2)."""

from __future__ import annotations

from agent.charging.station import Station
from agent.charging.types import Now
from agent.ocpp.adapter import Payload
from agent.ocpp.v16.connectors import ConnectorNumbers


def change_availability(payload: Payload, station: Station, numbers: ConnectorNumbers, now: Now) -> Payload:
    """In 1.6 connector 0 means the station and all connectors, and has no say over them afterwards (§4.9)."""
    operative = payload["type"] == "Operative"
    address = numbers.address(payload["connectorId"])
    if address is None:
        return {"status": "Rejected"}
    implied = numbers.all if address == (0, 0) else [(0, 0)] if operative else []
    for each in implied:
        station.request_availability(*each, operative, now)
    # The addressed one comes last: then the outcome is its own, not that of a change another connector waits for.
    return {"status": station.request_availability(*address, operative, now).value}
