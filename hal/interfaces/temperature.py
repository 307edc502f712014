"""The temperature inside the charger."""

from abc import abstractmethod

from hal.interfaces.part import Part
from hal.value import Value


class TemperatureReading(Value):
    """celsius: inside the enclosure. age_s: how long ago that was measured, s."""

    celsius: float
    age_s: float = 0.0


class Temperature(Part):
    """Emits `FaultSignal(evse_id, HIGH_TEMPERATURE, ...)` above the limit that the hardware or its options set."""

    @abstractmethod
    async def read(self) -> TemperatureReading:
        """The temperature now. Raises HalError."""
