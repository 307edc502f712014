"""A hardware watchdog: it makes the hardware safe when the software stops."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class Watchdog(Part):
    """Runs from `open` to `close`; closing disarms it."""

    @property
    @abstractmethod
    def timeout_s(self) -> float:
        """Without a `kick` for so long, the hardware opens the contactors or restarts the controller."""

    @abstractmethod
    async def kick(self) -> None:
        """Say that the software is alive. Raises HalError."""
