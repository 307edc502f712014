"""The words of the core: OCPP 2.x vocabulary, shared by every functional block.

Values are NamedTuples and StrEnums: a dataclass costs ten times as much to import (docs/architecture.md, "Start-up").
Points in time are integer milliseconds since the epoch, UTC (`_ms`); intervals are seconds (`_s`).
"""

from __future__ import annotations

from enum import StrEnum

from agent.charging.value import Value


class Now(Value):
    """One instant, as both clocks see it. Intervals use `mono_s`, stamps `utc_ms`."""

    mono_s: float
    utc_ms: int


class IdTokenType(StrEnum):
    """IdTokenEnumType (OCPP 2.0.1 part 2, 3.43)."""

    CENTRAL = "Central"
    E_MAID = "eMAID"
    ISO14443 = "ISO14443"
    ISO15693 = "ISO15693"
    KEY_CODE = "KeyCode"
    LOCAL = "Local"
    MAC_ADDRESS = "MacAddress"
    NO_AUTHORIZATION = "NoAuthorization"


class IdToken(Value):
    """An identifier presented by a driver or sent by a CSMS. Compared without case (1.6: CiString20Type)."""

    value: str
    kind: str = IdTokenType.ISO14443

    def same_as(self, other: IdToken | None) -> bool:
        return other is not None and self.value.casefold() == other.value.casefold()


class AuthorizationStatus(StrEnum):
    """AuthorizationStatusEnumType (OCPP 2.0.1 part 2, 3.4)."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    CONCURRENT_TX = "ConcurrentTx"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    NO_CREDIT = "NoCredit"
    NOT_ALLOWED_TYPE_EVSE = "NotAllowedTypeEVSE"
    NOT_AT_THIS_LOCATION = "NotAtThisLocation"
    NOT_AT_THIS_TIME = "NotAtThisTime"
    UNKNOWN = "Unknown"


class IdTokenInfo(Value):
    """What a CSMS said of an IdToken."""

    status: AuthorizationStatus
    expires_ms: int | None = None
    group: IdToken | None = None

    @property
    def accepted(self) -> bool:
        return self.status is AuthorizationStatus.ACCEPTED


class ConnectorStatus(StrEnum):
    """ConnectorStatusEnumType (OCPP 2.0.1 part 2, 3.26)."""

    AVAILABLE = "Available"
    OCCUPIED = "Occupied"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class ChargingState(StrEnum):
    """ChargingStateEnumType (OCPP 2.0.1 part 2, 3.19)."""

    CHARGING = "Charging"
    EV_CONNECTED = "EVConnected"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    IDLE = "Idle"


class Session(StrEnum):
    """Where an EVSE stands between two drivers. The EVSE's state table (evse.py) is over these."""

    AVAILABLE = "Available"  # no car, nobody authorized
    PLUGGED = "Plugged"  # a car, nobody authorized
    AUTHORIZED = "Authorized"  # somebody authorized, no car
    TRANSACTION = "Transaction"
    FINISHED = "Finished"  # over or timed out; the cable is still in


class TriggerReason(StrEnum):
    """TriggerReasonEnumType (OCPP 2.0.1 part 2, 3.82), as far as the core gives them."""

    AUTHORIZED = "Authorized"
    CABLE_PLUGGED_IN = "CablePluggedIn"
    CHARGING_STATE_CHANGED = "ChargingStateChanged"
    DEAUTHORIZED = "Deauthorized"
    EV_DEPARTED = "EVDeparted"
    EV_COMMUNICATION_LOST = "EVCommunicationLost"
    ABNORMAL_CONDITION = "AbnormalCondition"
    METER_VALUE_CLOCK = "MeterValueClock"
    METER_VALUE_PERIODIC = "MeterValuePeriodic"
    REMOTE_START = "RemoteStart"
    REMOTE_STOP = "RemoteStop"
    RESET_COMMAND = "ResetCommand"
    STOP_AUTHORIZED = "StopAuthorized"
    TRIGGER = "Trigger"
    UNLOCK_COMMAND = "UnlockCommand"


class StopReason(StrEnum):
    """ReasonEnumType (OCPP 2.0.1 part 2, 3.67) and two reasons that only 1.6 can tell apart (1.6 §7.36)."""

    DE_AUTHORIZED = "DeAuthorized"
    EMERGENCY_STOP = "EmergencyStop"
    EV_DISCONNECTED = "EVDisconnected"
    IMMEDIATE_RESET = "ImmediateReset"
    LOCAL = "Local"
    OTHER = "Other"
    POWER_LOSS = "PowerLoss"
    REBOOT = "Reboot"
    REMOTE = "Remote"
    GRACEFUL_RESET = "GracefulReset"
    UNLOCK_COMMAND = "UnlockCommand"


class ReadingContext(StrEnum):
    """ReadingContextEnumType (OCPP 2.0.1 part 2, 3.66)."""

    INTERRUPTION_BEGIN = "Interruption.Begin"
    INTERRUPTION_END = "Interruption.End"
    OTHER = "Other"
    SAMPLE_CLOCK = "Sample.Clock"
    SAMPLE_PERIODIC = "Sample.Periodic"
    TRANSACTION_BEGIN = "Transaction.Begin"
    TRANSACTION_END = "Transaction.End"
    TRIGGER = "Trigger"


class RegistrationStatus(StrEnum):
    """RegistrationStatusEnumType (OCPP 2.0.1 part 2, 3.68)."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class Outcome(StrEnum):
    """The answer to a wish."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    SCHEDULED = "Scheduled"


class UnlockStatus(StrEnum):
    """UnlockStatusEnumType (OCPP 2.0.1 part 2, 3.87) without what ongoing transactions add to it."""

    UNLOCKED = "Unlocked"
    UNLOCK_FAILED = "UnlockFailed"
    UNKNOWN_CONNECTOR = "UnknownConnector"
    NO_LOCK = "NoLock"


class PilotState(StrEnum):
    """The control pilot's states of IEC 61851-1, annex A."""

    A = "A"  # no car
    B = "B"  # car connected, not asking
    C = "C"  # car asks for energy
    D = "D"  # car asks for energy and for ventilation
    E = "E"  # pilot shorted to earth, or no power
    F = "F"  # EVSE not available


class Fault(Value):
    """A fault as the hardware named it: an OCPP 1.6 ChargePointErrorCode and what the vendor adds to it.

    A blocking fault keeps the contactor open and shows the connector Faulted; another is reported only.
    """

    code: str
    vendor_code: str = ""
    info: str = ""
    blocking: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from another: a contactor may be welded and out of reach at once."""
        return self.code, self.vendor_code


class ConnectorSpec(Value):
    """One connector, as the configuration describes it."""

    connector_id: int
    kind: str  # ConnectorEnumType; "c..." fixed cable, "s..." socket

    @property
    def fixed_cable(self) -> bool:
        return self.kind.startswith("c")


class EvseSpec(Value):
    """One EVSE, as the configuration describes it and its drivers complete it."""

    evse_id: int
    connectors: tuple[ConnectorSpec, ...]
    max_current_a: float
    phases: int
    has_lock: bool = False
    ventilation: bool = False  # a car that asks for it (pilot state D) may charge here

    def has_connector(self, connector_id: int) -> bool:
        return any(connector.connector_id == connector_id for connector in self.connectors)

    def lockable(self, connector_id: int) -> bool:
        """A latch can hold the plug in this connector; a fixed cable needs none."""
        return self.has_lock and any(c.connector_id == connector_id and not c.fixed_cable for c in self.connectors)
