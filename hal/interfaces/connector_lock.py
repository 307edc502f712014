"""The latch that holds a plug in a socket."""

from __future__ import annotations

from abc import abstractmethod

from hal.interfaces.part import Part


class ConnectorLock(Part):
    """Success means that it happened: both orders return once the feedback agrees."""

    @abstractmethod
    async def lock(self) -> None:
        """Lock; at once if it is locked. Raises `DeviceResponse` when the latch is stuck, or another HalError."""

    @abstractmethod
    async def unlock(self) -> None:
        """Unlock; at once if it is unlocked. Raises as `lock`."""

    @abstractmethod
    async def is_locked(self) -> bool:
        """What the feedback says now, whatever was ordered. Raises HalError."""
