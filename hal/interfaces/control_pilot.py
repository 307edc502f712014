"""The control pilot: what the car asks for and what it is offered (IEC 61851-1, annex A)."""

from abc import abstractmethod
from enum import StrEnum

from hal.interfaces.part import Part
from hal.value import Value

MIN_OFFER_A = 6.0  # the least that the pilot's duty cycle can express


class PilotState(StrEnum):
    """The states of the control pilot."""

    A = "A"  # no car
    B = "B"  # a car is connected and does not ask for energy
    C = "C"  # the car asks for energy
    D = "D"  # the car asks for energy and for ventilation
    E = "E"  # the pilot is shorted to earth, or has no power
    F = "F"  # the charger is not available


class PilotReading(Value):
    """What the pilot and the proximity contact say at this moment.

    connector_id: the connector in use, or the first one while none is.
    cable_present: a plug is in the charger's socket; for a fixed cable, the cable is in a car.
    cable_rating_a: what the cable may carry, A; None where nothing codes it (fixed cable, no cable).
    """

    state: PilotState
    connector_id: int
    cable_present: bool
    cable_rating_a: float | None


class ControlPilot(Part):
    """Emits a `PilotSignal` at each change of state and a `CableSignal` at each change of a socket's proximity.

    A pilot that can no longer be read is a fault: emit `FaultSignal(evse_id, INTERNAL_ERROR, True, "PilotLost")`, and
    the current state followed by the same with False when it is back.
    """

    @abstractmethod
    async def read(self) -> PilotReading:
        """The state now. Raises HalError."""

    @abstractmethod
    async def set_offered_current(self, current_a: float) -> None:
        """Offer the car so much per phase, A: 6 or more; 0 switches the PWM off (not ready). Raises HalError."""
