"""A text display."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class Display(Part):
    """A display for the station."""

    @abstractmethod
    async def show(self, lines: tuple[str, ...]) -> None:
        """Replace the text; what does not fit is cut off. Raises HalError; the failure is no fault."""
