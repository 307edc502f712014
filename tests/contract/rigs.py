"""The drivers under contract, each on a rig that can also play the world around the device.

A driver joins with one class here; `pytest tests/contract` then holds it to every suite of a role that it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hal import Context, Part, Place, Role, Signal
from hal.drivers.mock.driver import DRIVER, NAME
from hal.drivers.mock.hardware import MockHardware

EVSE_ID = 1


class Rig(Protocol):
    """One EVSE with a socket, and what people, cars and mishaps do to it."""

    roles: frozenset[Role]
    signals: list[Signal]

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    def part(self, role: Role) -> Part:
        """A part of this role, not opened yet."""

    async def plug_in(self) -> None:
        """A car arrives; it asks for energy as soon as some is offered."""

    async def pull_out(self) -> None: ...
    async def present_card(self, uid: str) -> None: ...
    async def press_stop(self, pressed: bool) -> None: ...
    async def open_enclosure(self, is_open: bool) -> None: ...
    async def silence(self, role: Role) -> None:
        """The device of this role stops answering."""

    async def restore(self, role: Role) -> None: ...
    async def weld(self) -> None: ...


class MockRig:
    def __init__(self, state_dir: Path) -> None:
        self.roles = DRIVER.roles
        self.signals: list[Signal] = []
        self.hardware = MockHardware(time.monotonic, state_dir, None)
        self._context = Context(self.signals.append, state_dir, {}, {NAME: self.hardware})

    async def open(self) -> None:
        self.part(Role.CONTACTOR)  # the simulated EVSE is there once a part asks for it
        await self.hardware.open()

    async def close(self) -> None:
        await self.hardware.close()

    def part(self, role: Role) -> Part:
        place = Place("evse 1", EVSE_ID, 1, ("sType2",), 32.0, 3)
        options = {"response_timeout": 0.01}
        if role in {Role.READER, Role.DISPLAY, Role.TAMPER, Role.EMERGENCY_STOP, Role.WATCHDOG}:
            place, options = Place("station"), {}
        return DRIVER.part(role, place, options, self._context)

    async def plug_in(self) -> None:
        await self.hardware.plug_in(EVSE_ID, ready_after=0)

    async def pull_out(self) -> None:
        await self.hardware.plug_out(EVSE_ID)

    async def present_card(self, uid: str) -> None:
        await self.hardware.swipe(uid)

    async def press_stop(self, pressed: bool) -> None:
        await self.hardware.emergency_stop(pressed)

    async def open_enclosure(self, is_open: bool) -> None:
        await self.hardware.tamper(is_open)

    async def silence(self, role: Role) -> None:
        await self.hardware.fail(role.value, EVSE_ID, "timeout")

    async def restore(self, role: Role) -> None:
        await self.hardware.fail(role.value, EVSE_ID, None)

    async def weld(self) -> None:
        await self.hardware.weld(EVSE_ID, True)


RIGS: dict[str, Callable[[Path], Rig]] = {"mock": MockRig}
