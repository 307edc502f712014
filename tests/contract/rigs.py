"""The drivers under contract, each on a rig that can also play the world around the device.

A driver joins with one class here, and its name in RIGS; `pytest tests/contract -k NAME` then holds it to every suite
of a role that it has.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from hal import Context, Driver, Part, Place, Role, Signal
from hal.drivers.mock.driver import DRIVER, NAME
from hal.drivers.mock.hardware import MockHardware
from hal.interfaces.part import STATION_ROLES

from . import guide

EVSE_ID = 1


class Rig(ABC):
    """One EVSE with a socket, and what people, cars and mishaps do to it.

    roles: what the driver has. signals: all that it has emitted. A rig has `part`, and of the rest what the suites of
    its roles ask for; `open` and `close` are for the device or its fake, which may keep files in `directory`.
    """

    roles: ClassVar[frozenset[Role]]
    signals: list[Signal]

    @abstractmethod
    def __init__(self, directory: Path) -> None: ...

    async def open(self) -> None:  # noqa: B027 - many have nothing to set up
        """Set the device up, or its fake."""

    async def close(self) -> None:  # noqa: B027 - as for open
        """Put it away."""

    @abstractmethod
    def part(self, role: Role) -> Part:
        """A part of this role, not opened yet."""

    async def silence(self, role: Role) -> None:
        """Every role but display, indicator and switches: the device stops answering."""
        raise NotImplementedError

    async def restore(self, role: Role) -> None:
        """It answers again."""
        raise NotImplementedError

    async def weld(self) -> None:
        """Contactor: contacts that are closed do not open any more."""
        raise NotImplementedError

    async def drop(self) -> None:
        """Contactor: contacts that are closed open, without an order."""
        raise NotImplementedError

    async def plug_in(self) -> None:
        """Pilot: a car arrives; it asks for energy as soon as some is offered."""
        raise NotImplementedError

    async def pull_out(self) -> None:
        """Pilot: it leaves, and takes its cable along."""
        raise NotImplementedError

    async def present_card(self, uid: str) -> None:
        """Reader: a card with this UID, in hexadecimal, is shown."""
        raise NotImplementedError

    async def press_stop(self, pressed: bool) -> None:
        """Emergency stop: the button is pressed, or released."""
        raise NotImplementedError

    async def open_enclosure(self, is_open: bool) -> None:
        """Tamper: the enclosure is opened, or closed."""
        raise NotImplementedError


class MockRig(Rig):
    roles = DRIVER.roles

    def __init__(self, directory: Path) -> None:
        self.signals: list[Signal] = []
        self.hardware = MockHardware(time.monotonic, directory, None)
        self._context = Context(self.signals.append, directory, {}, {NAME: self.hardware})

    async def open(self) -> None:
        self.part(Role.CONTACTOR)  # the simulated EVSE is there once a part asks for it
        await self.hardware.open()

    async def close(self) -> None:
        await self.hardware.close()

    def part(self, role: Role) -> Part:
        place = Place("evse 1", EVSE_ID, 1, ("sType2",), 32.0, 3)
        options = {"response_timeout": 0.01, "closing_time": 0.005}
        if role in STATION_ROLES:
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

    async def drop(self) -> None:
        self.hardware.evses[EVSE_ID].drive_coil(False)


class GuideRig(Rig):
    """The relay of docs/writing-a-driver.md: its feedback is a link to its coil, so they agree until it is cut."""

    roles = frozenset({Role.CONTACTOR})

    def __init__(self, directory: Path) -> None:
        module = guide.load(guide.RELAY, directory)
        self._driver: Driver = module.DRIVER
        self.signals: list[Signal] = []
        self._context = Context(self.signals.append, directory, {}, {})
        self._coil, self._feedback = directory / "coil", directory / "feedback"

    async def open(self) -> None:
        self._coil.write_text("0")
        self._feedback.symlink_to(self._coil)

    def part(self, role: Role) -> Part:
        options = {"coil": str(self._coil), "feedback": str(self._feedback)}
        return self._driver.part(role, Place("evse 1, contactor", EVSE_ID), options, self._context)

    async def silence(self, role: Role) -> None:  # noqa: ARG002 - it has one role
        self._feedback.unlink()

    async def restore(self, role: Role) -> None:  # noqa: ARG002 - it has one role
        self._feedback.symlink_to(self._coil)

    async def weld(self) -> None:
        self._feedback.unlink()
        self._feedback.write_text("1")

    async def drop(self) -> None:
        self._feedback.unlink()
        self._feedback.write_text("0")


RIGS: dict[str, type[Rig]] = {"mock": MockRig, "guide": GuideRig}
