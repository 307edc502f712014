"""StatusNotification (1.6 §4.9): nine statuses out of what the core knows of a connector."""

from __future__ import annotations

from agent.charging.reports import ConnectorReport, ConnectorView
from agent.charging.types import ChargingState, ConnectorStatus, Session
from agent.ocpp.adapter import Call, Payload
from agent.ocpp.timestamps import format_utc_ms
from agent.ocpp.v16.connectors import ConnectorNumbers

_INFO_LENGTH = 50

_BY_SESSION = {
    Session.AVAILABLE: "Available",
    Session.PLUGGED: "Preparing",
    Session.AUTHORIZED: "Preparing",
    Session.FINISHED: "Finishing",
}
_BY_CHARGING_STATE = {
    ChargingState.EV_CONNECTED: "Preparing",
    ChargingState.CHARGING: "Charging",
    ChargingState.SUSPENDED_EV: "SuspendedEV",
    ChargingState.SUSPENDED_EVSE: "SuspendedEVSE",
    # The transaction goes on without a car (§4.9, StopTransactionOnEVSideDisconnect false).
    ChargingState.IDLE: "SuspendedEV",
}
_PLAIN = {
    ConnectorStatus.FAULTED: "Faulted",
    ConnectorStatus.UNAVAILABLE: "Unavailable",
    ConnectorStatus.RESERVED: "Reserved",
}


def status(view: ConnectorView) -> str:
    """ChargePointStatus (§7.7)."""
    if view.status in _PLAIN:
        return _PLAIN[view.status]
    if view.session is Session.TRANSACTION:
        return _BY_CHARGING_STATE[view.charging_state or ChargingState.EV_CONNECTED]
    return _BY_SESSION[view.session]


class StatusNotifications:
    """Encodes connector reports, and leaves out what the CSMS has already heard."""

    __slots__ = ("_heard", "_numbers", "_vendor")

    def __init__(self, numbers: ConnectorNumbers, vendor: str) -> None:
        self._numbers = numbers
        self._vendor = vendor
        self._heard: dict[int, Payload] = {}

    def encode(self, report: ConnectorReport) -> Call | None:
        body = self._body(report.view)
        if not report.forced and self._heard.get(body["connectorId"]) == body:
            return None
        # Until this is answered, nobody knows which of the two the CSMS believes.
        self._heard.pop(body["connectorId"], None)
        return Call("StatusNotification", {**body, "timestamp": format_utc_ms(report.at_ms)})

    def heard(self, report: ConnectorReport) -> None:
        body = self._body(report.view)
        self._heard[body["connectorId"]] = body

    def _body(self, view: ConnectorView) -> Payload:
        body: Payload = {
            "connectorId": self._numbers.number(view.evse_id, view.connector_id),
            "errorCode": view.fault.code if view.fault else "NoError",
            "status": status(view),
        }
        info = view.fault.info if view.fault and view.fault.info else view.info
        if info:
            body["info"] = info[:_INFO_LENGTH]
        if view.fault and view.fault.vendor_code:
            body["vendorErrorCode"] = view.fault.vendor_code[:_INFO_LENGTH]
            body["vendorId"] = self._vendor
        return body
