"""The stop button."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class EmergencyStop(Part):
    """Emits an `EmergencyStopSignal` when the button is pressed or released.

    The button also acts on the hardware directly; this is how the software hears of it.
    """

    @abstractmethod
    async def is_pressed(self) -> bool:
        """The button is in now. Raises HalError."""
