"""What the suites share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hal import Part, Role

from .rigs import Rig


async def opened(rig: Rig, role: Role) -> Part:
    """An open part of this role."""
    part = rig.part(role)
    await part.open()
    return part


async def eventually(fact: Callable[[], bool]) -> None:
    """Wait, briefly, until it is so."""
    async with asyncio.timeout(2):
        while not fact():  # noqa: ASYNC110 - the fact is the device's; it has no event to wait for
            await asyncio.sleep(0.001)
