"""A simulated car at the end of the cable."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable


class Car:
    """Asks for energy `ready_after_s` after it is offered some; ready_after_s None: only once it is told to resume.

    on_change: it has begun or ceased to ask.
    """

    __slots__ = ("_on_change", "_timer", "_willing", "asks", "current_a", "offered", "phases", "ready_after_s")

    def __init__(
        self, current_a: float, phases: int, ready_after_s: float | None, on_change: Callable[[], None]
    ) -> None:
        self.current_a = current_a
        self.phases = phases
        self.ready_after_s = ready_after_s
        self.asks = False
        self.offered = False
        self._willing = ready_after_s is not None
        self._on_change = on_change
        self._timer: TimerHandle | None = None

    def offer(self, offered: bool) -> None:
        """Energy is offered, or no longer."""
        if offered == self.offered:
            return
        self.offered = offered
        if not offered:
            self._cancel()
            self._ask(False)
        elif self._willing:
            self._timer = get_running_loop().call_later(self.ready_after_s or 0.0, self._ask, True)

    def pause(self) -> None:
        """Cease to ask, whatever is offered."""
        self._willing = False
        self._cancel()
        self._ask(False)

    def resume(self) -> None:
        """Ask at once, or as soon as energy is offered."""
        self._willing = True
        if self.offered:
            self._cancel()
            self._ask(True)

    def leave(self) -> None:
        """The car is gone; it says nothing more."""
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ask(self, asks: bool) -> None:
        self._timer = None
        if asks != self.asks:
            self.asks = asks
            self._on_change()
