"""What the suites of this directory look at the hardware with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from hal import FaultCode, FaultSignal, Signal


async def eventually(fact: Callable[[], bool]) -> None:
    """Wait, briefly, until it is so."""
    async with asyncio.timeout(3):
        while not fact():  # noqa: ASYNC110 - the fact is the hardware's; it has no event to wait for
            await asyncio.sleep(0.001)


def active_faults(signals: Iterable[Signal]) -> set[tuple[int, FaultCode, str]]:
    """What an agent that listens would know: EVSE, code and vendor code of what came and did not go."""
    known: set[tuple[int, FaultCode, str]] = set()
    for signal in signals:
        if isinstance(signal, FaultSignal):
            change = known.add if signal.active else known.discard
            change((signal.evse_id, signal.code, signal.vendor_code))
    return known
