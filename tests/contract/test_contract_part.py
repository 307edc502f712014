"""What every part of every driver keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from hal import HalError, Role

from .rigs import Rig
from .suite import opened


@pytest.mark.parametrize("role", list(Role))
class TestEveryRole:
    async def test_closing_twice_is_harmless(self, rig: Rig, role: Role) -> None:
        part = await opened(rig, role)
        await part.close()
        await part.close()

    async def test_closing_what_was_never_opened_is_harmless(self, rig: Rig, role: Role) -> None:
        await rig.part(role).close()

    async def test_it_opens_again(self, rig: Rig, role: Role) -> None:
        part = await opened(rig, role)
        await part.close()
        await part.open()
        await part.close()


MISHAPS: dict[Role, Callable[[Rig], Awaitable[None]]] = {
    Role.READER: lambda rig: rig.present_card("04AABBCC"),
    Role.TAMPER: lambda rig: rig.open_enclosure(True),
    Role.EMERGENCY_STOP: lambda rig: rig.press_stop(True),
    Role.PILOT: lambda rig: rig.plug_in(),
    Role.CONTACTOR: lambda rig: rig.weld(),
}


@pytest.mark.parametrize("role", MISHAPS)
async def test_a_closed_part_reports_nothing(rig: Rig, role: Role) -> None:
    part = await opened(rig, role)
    await part.close()
    await MISHAPS[role](rig)
    await asyncio.sleep(0.01)
    assert rig.signals == []


@pytest.mark.parametrize("role", [Role.READER, Role.PILOT, Role.CONTACTOR, Role.LOCK, Role.METER])
async def test_one_whose_device_is_silent_opens_once_it_answers_again(rig: Rig, role: Role) -> None:
    part = rig.part(role)
    await rig.silence(role)
    with suppress(HalError):  # some devices are first asked when they are needed
        await part.open()
    await part.close()
    await rig.restore(role)
    await part.open()
    await part.close()
