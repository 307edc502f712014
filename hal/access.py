"""The way to a device, shut until the device is open."""

from __future__ import annotations

from contextlib import suppress
from typing import Generic, TypeVar

from hal.deadline import within
from hal.driver import Shared
from hal.errors import DeviceUnavailable, HalError

CLOSE_TIMEOUT_S = 1.0

D = TypeVar("D", bound=Shared)


class Access(Generic[D]):
    """Who holds one gets at the device through `use`, so that nobody talks to one that is not open.

    device: itself, for what is known of it unasked. media: what it shares with others; they are opened before it.
    """

    __slots__ = ("_is_open", "_media", "_reason", "device", "name")

    def __init__(self, device: D, name: str, media: tuple[Access[Shared], ...] = ()) -> None:
        self.device = device
        self.name = name
        self._media = media
        self._is_open = False
        self._reason = f"{name}: not open"

    @property
    def is_open(self) -> bool:
        """`use` gives the device."""
        return self._is_open

    def use(self) -> D:
        """The device. Raises DeviceUnavailable, in the words of the last attempt to open it, while it is not open."""
        if not self._is_open:
            raise DeviceUnavailable(self._reason)
        return self.device

    async def open(self, timeout_s: float) -> None:
        """Open it; at once if it is open. Raises HalError, and leaves the device closed."""
        if self._is_open:
            return
        try:
            for medium in self._media:
                medium.use()
            await self._open(timeout_s)
        except HalError as error:
            self._reason = str(error)
            raise
        self._is_open = True

    async def close(self) -> None:
        """Close it; nothing if it is not open. Raises HalError."""
        if self._is_open:
            self._is_open = False
            self._reason = f"{self.name}: closed"
            await within(CLOSE_TIMEOUT_S, self.name, self.device.close())

    async def _open(self, timeout_s: float) -> None:
        try:
            await within(timeout_s, self.name, self.device.open())
        except BaseException:  # cancelled or failed half-way: in either case it lets go of what it has reached
            with suppress(HalError):
                await within(CLOSE_TIMEOUT_S, self.name, self.device.close())
            raise
