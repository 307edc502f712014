"""The contactor between the grid and the car, with its feedback contact."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class Contactor(Part):
    """Success means that it happened: `open_contacts` and `close_contacts` return once the feedback agrees.

    Emits a `ContactorSignal` when the feedback changes, ordered or not, where the hardware can tell.
    """

    @abstractmethod
    async def open_contacts(self) -> None:
        """Open, and return when the feedback says open. May be called while `close_contacts` runs, and then wins.

        Raises `DeviceResponse` when the feedback stays closed (welded contacts), `DeviceTimeout` or
        `DeviceUnavailable` when the device does not answer.
        """

    @abstractmethod
    async def close_contacts(self) -> None:
        """Close, and return when the feedback says closed. May be cancelled. Raises as `open_contacts`."""

    @abstractmethod
    async def is_closed(self) -> bool:
        """What the feedback says now, whatever was ordered. Raises HalError."""
