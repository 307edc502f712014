"""What every part of every driver keeps to."""

from __future__ import annotations

import pytest

from hal import Role

from .rigs import Rig
from .suite import opened


@pytest.mark.parametrize("role", list(Role))
class TestEveryRole:
    async def test_closing_twice_is_harmless(self, rig: Rig, role: Role) -> None:
        part = await opened(rig, role)
        await part.close()
        await part.close()

    async def test_closing_what_was_never_opened_is_harmless(self, rig: Rig, role: Role) -> None:
        if role not in rig.roles:
            pytest.skip(f"the driver has no {role}")
        await rig.part(role).close()

    async def test_it_opens_again(self, rig: Rig, role: Role) -> None:
        part = await opened(rig, role)
        await part.close()
        await part.open()
        await part.close()


@pytest.mark.parametrize("role", [Role.READER, Role.TAMPER, Role.EMERGENCY_STOP, Role.PILOT])
async def test_a_closed_part_reports_nothing(rig: Rig, role: Role) -> None:
    part = await opened(rig, role)
    await part.close()
    await rig.plug_in()
    await rig.present_card("04AABBCC")
    await rig.press_stop(True)
    await rig.open_enclosure(True)
    assert rig.signals == []
