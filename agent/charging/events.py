"""What happens to a station: facts that `Station.apply` takes. A fact cannot be refused."""

from __future__ import annotations

from agent.charging.effects import ReadPurpose
from agent.charging.meter_values import MeterReading
from agent.charging.types import Fault, IdToken, IdTokenInfo, PilotState, RegistrationStatus
from agent.charging.value import Value

# --- hardware -----------------------------------------------------------------------------------------------------


class PilotChanged(Value):
    evse_id: int
    state: PilotState
    connector_id: int = 1


class CableChanged(Value):
    """A loose cable is in the charger's socket, or no longer. Fixed cables have none."""

    evse_id: int
    connector_id: int
    present: bool
    rating_a: float | None = None


class ContactorChanged(Value):
    evse_id: int
    closed: bool


class LockChanged(Value):
    evse_id: int
    locked: bool


class UnlockFinished(Value):
    evse_id: int
    connector_id: int
    ref: str | None
    unlocked: bool


class SelfChecked(Value):
    evse_id: int


class FaultRaised(Value):
    """evse 0: the station."""

    evse_id: int
    fault: Fault


class FaultCleared(Value):
    """The fault with this code and vendor code."""

    evse_id: int
    code: str
    vendor_code: str = ""


class LimitChanged(Value):
    """What the installation allows this EVSE from now on, A per phase; less than 6 A pauses charging."""

    evse_id: int
    current_a: float


class EmergencyStopChanged(Value):
    pressed: bool


class TamperChanged(Value):
    open: bool


class IdTokenPresented(Value):
    """evse None: the reader serves all EVSEs."""

    id_token: IdToken
    evse_id: int | None = None


class MeterRead(Value):
    """The answer to `ReadMeter`; reading None: the meter did not give a usable one."""

    evse_id: int
    purpose: ReadPurpose
    due_ms: int
    reading: MeterReading | None


# --- the CSMS -----------------------------------------------------------------------------------------------------


class LinkUp(Value):
    """A connection is open and speaks a version of OCPP."""


class LinkDown(Value):
    pass


class BootAnswered(Value):
    status: RegistrationStatus
    interval_s: int


class BootFailed(Value):
    """No answer, an error, or the link went down before the answer."""


class Authorized(Value):
    """The answer to an `AuthorizeRequest`; info None: there was none in time."""

    request_id: str
    info: IdTokenInfo | None


class TransactionAnswered(Value):
    """What the CSMS said of an IdToken when it took a transaction report."""

    transaction_id: str
    id_token: IdToken
    info: IdTokenInfo
    started: bool


Event = (
    PilotChanged
    | CableChanged
    | ContactorChanged
    | LockChanged
    | UnlockFinished
    | SelfChecked
    | FaultRaised
    | FaultCleared
    | LimitChanged
    | EmergencyStopChanged
    | TamperChanged
    | IdTokenPresented
    | MeterRead
    | LinkUp
    | LinkDown
    | BootAnswered
    | BootFailed
    | Authorized
    | TransactionAnswered
)
