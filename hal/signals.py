"""What the hardware tells the agent, unasked. Drivers make these too; the board passes them on in order.

Signals are delivered synchronously from the event loop; a listener must not block and must not raise.
"""

from hal.faults import FaultCode
from hal.interfaces.control_pilot import PilotState
from hal.value import Value


class PilotSignal(Value):
    """The control pilot of a connector has changed its state (IEC 61851-1)."""

    evse_id: int
    state: PilotState
    connector_id: int = 1


class CableSignal(Value):
    """A loose cable is in the socket, or no longer (proximity contact). Fixed cables have none.

    rating_a: the cable's current rating as its resistor codes it, A; None if unknown.
    """

    evse_id: int
    connector_id: int
    present: bool
    rating_a: float | None = None


class ContactorSignal(Value):
    """The contactor's feedback has changed."""

    evse_id: int
    closed: bool


class FaultSignal(Value):
    """A fault has come or gone. evse 0: the station, and with it every EVSE.

    A fault is known by its code and vendor code together; whoever raised it clears it with the same two.
    """

    evse_id: int
    code: FaultCode
    active: bool
    vendor_code: str = ""
    info: str = ""


class TokenSignal(Value):
    """A driver has presented an idToken.

    kind: an IdTokenEnumType (OCPP 2.0.1 part 2, 3.43), "ISO14443" for most cards.
    evse_id: the EVSE that the reader belongs to; None: it serves them all.
    """

    value: str
    kind: str = "ISO14443"
    evse_id: int | None = None


class TamperSignal(Value):
    """The enclosure has been opened or closed. A security event, no fault."""

    open: bool


class EmergencyStopSignal(Value):
    """The stop button is pressed, or released. While it is pressed every contactor stays open."""

    pressed: bool


Signal = PilotSignal | CableSignal | ContactorSignal | FaultSignal | TokenSignal | TamperSignal | EmergencyStopSignal
