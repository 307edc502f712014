"""OCPP 1.6's adapter: the table of its actions, each carried out by the module of its functional block."""

from __future__ import annotations

from collections.abc import Callable

from agent.charging.device_model import DeviceModel
from agent.charging.events import Authorized, BootFailed, Event
from agent.charging.reports import (
    AuthorizeRequest,
    BootRequest,
    ConnectorReport,
    HeartbeatRequest,
    MeterValuesReport,
    Report,
    TransactionEvent,
    UnlockAnswer,
)
from agent.charging.station import Station
from agent.charging.types import Now
from agent.charging.variables import SUPPORTED_FEATURE_PROFILES
from agent.ocpp.adapter import Answer, Call, Payload, TransactionIds
from agent.ocpp.v16 import authorization, availability, boot, meter_values, remote_control, status, transactions
from agent.ocpp.v16.configuration import ConfigurationKeys
from agent.ocpp.v16.connectors import ConnectorNumbers
from agent.ocpp.versions import V16

# The feature profile of an action that does not belong to Core (1.6 §3.3)
_PROFILES = {"TriggerMessage": "RemoteTrigger"}


class StationIdentity:
    """What BootNotification says of the station."""

    __slots__ = ("firmware_version", "model", "serial_number", "vendor")

    def __init__(self, vendor: str, model: str, serial_number: str, firmware_version: str) -> None:
        self.vendor = vendor
        self.model = model
        self.serial_number = serial_number
        self.firmware_version = firmware_version


class Adapter16:
    """Translates; the station decides."""

    version = V16

    def __init__(
        self,
        station: Station,
        model: DeviceModel,
        keys: ConfigurationKeys,
        ids: TransactionIds,
        identity: StationIdentity,
    ) -> None:
        self._station = station
        self._keys = keys
        self._ids = ids
        self._identity = identity
        self._numbers = ConnectorNumbers(evse.spec for evse in station.evses.values())
        self._statuses = status.StatusNotifications(self._numbers, identity.vendor)
        self._handlers: dict[str, Callable[[Payload, str, Now], Payload | None]] = {
            "ChangeAvailability": self._change_availability,
            "ChangeConfiguration": self._change_configuration,
            "ClearCache": self._clear_cache,
            "DataTransfer": self._data_transfer,
            "GetConfiguration": self._get_configuration,
            "RemoteStartTransaction": self._remote_start_transaction,
            "RemoteStopTransaction": self._remote_stop_transaction,
            "Reset": self._reset,
            "TriggerMessage": self._trigger_message,
            "UnlockConnector": self._unlock_connector,
        }
        profiles = model.member_list(SUPPORTED_FEATURE_PROFILES)
        self.supported = frozenset(a for a in self._handlers if _PROFILES.get(a, "Core") in profiles)

    # --- the CSMS calls -----------------------------------------------------------------------------------------------

    def handle(self, action: str, payload: Payload, ref: str, now: Now) -> Payload | None:
        return self._handlers[action](payload, ref, now)

    def _get_configuration(self, payload: Payload, _ref: str, _now: Now) -> Payload:
        known, unknown = self._keys.get(payload.get("key"))
        answer: Payload = {"configurationKey": known}
        if unknown:
            answer["unknownKey"] = unknown
        return answer

    def _change_configuration(self, payload: Payload, _ref: str, _now: Now) -> Payload:
        return {"status": self._keys.change(payload["key"], payload["value"])}

    def _remote_start_transaction(self, payload: Payload, _ref: str, now: Now) -> Payload:
        return remote_control.start_transaction(payload, self._station, self._numbers, now)

    def _remote_stop_transaction(self, payload: Payload, _ref: str, now: Now) -> Payload:
        return remote_control.stop_transaction(payload, self._station, self._ids, now)

    def _unlock_connector(self, payload: Payload, ref: str, now: Now) -> Payload | None:
        return remote_control.unlock_connector(payload, self._station, self._numbers, ref, now)

    def _trigger_message(self, payload: Payload, _ref: str, now: Now) -> Payload:
        return remote_control.trigger_message(payload, self._station, self._numbers, now)

    def _change_availability(self, payload: Payload, _ref: str, now: Now) -> Payload:
        return availability.change_availability(payload, self._station, self._numbers, now)

    def _clear_cache(self, _payload: Payload, _ref: str, now: Now) -> Payload:
        return {"status": self._station.request_clear_cache(now).value}

    def _reset(self, payload: Payload, _ref: str, now: Now) -> Payload:
        return {"status": self._station.request_reset(payload["type"] == "Hard", now).value}

    def _data_transfer(self, _payload: Payload, _ref: str, _now: Now) -> Payload:
        # No vendor's extension is installed (§4.3).
        return {"status": "UnknownVendorId"}

    def complete(self, report: Report) -> Payload | None:
        if isinstance(report, UnlockAnswer):
            return remote_control.unlock_answer(report.status)
        return None

    # --- the station calls --------------------------------------------------------------------------------------------

    def carries(self, report: TransactionEvent) -> bool:
        return transactions.carries(report)

    def encode(self, report: Report) -> Call | None:
        match report:
            case TransactionEvent():
                return transactions.encode(report, self._numbers, self._ids)
            case MeterValuesReport():
                return meter_values.encode(report, self._numbers, self._ids)
            case ConnectorReport():
                return self._statuses.encode(report)
            case AuthorizeRequest():
                return authorization.encode(report)
            case BootRequest():
                identity = self._identity
                return boot.encode_boot(
                    identity.vendor, identity.model, identity.serial_number, identity.firmware_version
                )
            case HeartbeatRequest():
                return Call("Heartbeat", {})
            case _:
                return None

    def unsaid(self, report: Report) -> tuple[Event, ...]:
        return (authorization.unsaid(report),) if isinstance(report, AuthorizeRequest) else ()

    def answered(self, report: Report, payload: Payload) -> Answer:
        match report:
            case TransactionEvent():
                return transactions.answered(report, payload)
            case AuthorizeRequest():
                return authorization.answered(report, payload)
            case BootRequest():
                return boot.boot_answered(payload)
            case HeartbeatRequest():
                return Answer(csms_ms=boot.csms_time(payload))
            case ConnectorReport():
                self._statuses.heard(report)
                return Answer()
            case _:
                return Answer()

    def failed(self, report: Report) -> tuple[Event, ...]:
        if isinstance(report, AuthorizeRequest):
            return (Authorized(report.request_id, None),)
        return (BootFailed(),) if isinstance(report, BootRequest) else ()
