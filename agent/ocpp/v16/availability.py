"""ChangeAvailability (1.6 §5.2)."""

from __future__ import annotations

from agent.charging.station import Station
from agent.charging.types import Now, Outcome
from agent.ocpp.adapter import Payload
from agent.ocpp.v16.connectors import ConnectorNumbers


def change_availability(payload: Payload, station: Station, numbers: ConnectorNumbers, now: Now) -> Payload:
    """In 1.6 connector 0 means the station and all connectors, and has no say over them afterwards (§4.9)."""
    operative = payload["type"] == "Operative"
    address = numbers.address(payload["connectorId"])
    if address is None:
        return {"status": "Rejected"}
    targets = [(0, 0), *numbers.all] if address == (0, 0) else [address]
    if operative and address != (0, 0):
        targets.append((0, 0))
    outcomes = [station.request_availability(*target, operative, now) for target in targets]
    return {"status": (Outcome.SCHEDULED if Outcome.SCHEDULED in outcomes else Outcome.ACCEPTED).value}
