"""The lamp that tells a driver from afar how things stand."""

from abc import abstractmethod
from enum import StrEnum

from hal.interfaces.part import Part
from hal.value import Value


class Pattern(StrEnum):
    """What to say. How it looks, colour and rhythm, is the driver's."""

    OFF = "off"
    AVAILABLE = "available"
    OCCUPIED = "occupied"
    CHARGING = "charging"
    SUSPENDED = "suspended"
    FINISHED = "finished"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"
    REJECTED = "rejected"


class Indication(Value):
    """intensity_percent: 0..100. repeat: play it so many times, then return to what was shown; 0: until replaced."""

    pattern: Pattern
    intensity_percent: int = 100
    repeat: int = 0


class Indicator(Part):
    """A lamp per EVSE."""

    @abstractmethod
    async def show(self, indication: Indication) -> None:
        """Show this. Raises HalError; nothing depends on a lamp, so the failure is no fault."""
