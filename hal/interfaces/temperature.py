"""The temperature inside the charger."""

from abc import abstractmethod
from typing import NamedTuple

from hal.interfaces.part import Part


class TemperatureReading(NamedTuple):
    """celsius: inside the enclosure. age_s: how long ago that was measured, s."""

    celsius: float
    age_s: float = 0.0


class Temperature(Part):
    """Emits `FaultSignal(evse_id, HIGH_TEMPERATURE, ...)` above the limit that the hardware or its options set."""

    @abstractmethod
    async def read(self) -> TemperatureReading:
        """The temperature now. Raises HalError."""
