"""The switch that notices an opened enclosure."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class Tamper(Part):
    """Emits a `TamperSignal` when the enclosure is opened or closed."""

    @abstractmethod
    async def is_open(self) -> bool:
        """The enclosure is open now. Raises HalError."""
