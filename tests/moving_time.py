"""An event loop's clock that a test moves forward."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class MovingTime:
    """Time as it passes, and by leaps as the test wants: what the loop has planned for the time between is then due."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._real = self._loop.time
        self._leapt_s = 0.0
        setattr(self._loop, "time", self.mono_s)  # noqa: B010 - a method of the loop, replaced in this loop alone

    def mono_s(self) -> float:
        return self._real() + self._leapt_s

    async def leap(self, seconds: float) -> None:
        self._leapt_s += seconds
        await settled()


async def settled() -> None:
    """Everything that follows at once from what has happened."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for something that real threads or sockets bring about."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while not true():
        assert loop.time() < end_s, "it does not come true"
        await asyncio.sleep(0.001)
