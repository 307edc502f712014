"""The board: every part of the charger, opened and closed in order, a supervisor per EVSE and one for the station."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any

from hal.access import Access
from hal.assembly import Assembly
from hal.driver import Shared
from hal.errors import HalError
from hal.interfaces.display import Display
from hal.interfaces.watchdog import Watchdog
from hal.signals import EmergencyStopSignal, Signal, TamperSignal, TokenSignal
from hal.spec import BoardSpec, EvseSpec, PartSpec, Timing
from hal.station import StationHardware
from hal.supervisor import EvseHardware

__all__ = ["Board", "BoardSpec", "EvseHardware", "EvseSpec", "PartSpec", "Timing"]

_log = logging.getLogger("hal.board")
_NOTHING: Mapping[Hashable, Shared] = MappingProxyType({})


class Board:
    """The charger's hardware; `await Board.open(...)` opens it.

    evses: by EVSE id. display, watchdog: None where there is none.
    """

    evses: Mapping[int, EvseHardware]
    display: Display | None
    watchdog: Watchdog | None

    def __init__(
        self, spec: BoardSpec, listener: Callable[[Signal], None], shared: Mapping[Hashable, Shared] = _NOTHING
    ) -> None:
        """Make every part, without any I/O: a way to check a specification.

        Raises BoardConfigError for whatever is wrong in it. Other parameters as for `open`.
        """
        self._listener = listener
        self._held: list[Signal] | None = []
        self._started = False
        assembly = Assembly(spec, self._receive, shared)
        self.evses = {
            evse.id: EvseHardware(evse, assembly.evse(evse), spec.timing, self._forward, self._interlock)
            for evse in spec.evses
        }
        self._station = StationHardware(assembly.station(), spec.timing, self._trip_all, self._forward)
        self._media = assembly.media
        self._to_close: list[Access[Any]] = [*assembly.media, *assembly.parts]
        self.display = self._station.display
        self.watchdog = self._station.watchdog

    @classmethod
    async def open(
        cls, spec: BoardSpec, listener: Callable[[Signal], None], shared: Mapping[Hashable, Shared] = _NOTHING
    ) -> Board:
        """Open the whole board: media, then parts in order; and bring every EVSE into a safe, known state.

        listener: gets every signal, from the event loop; the first ones, if any, right after this has returned.
        shared: media that parts are to use instead of making their own (`Context.share`).
        A device that does not open is a fault of its EVSE, or of the station, until it does: it is tried again and
        then used as if it had been there from the start. Raises BoardConfigError alone, with everything closed again.
        """
        board = cls(spec, listener, shared)
        try:
            await board._start()
        except BaseException:
            await board.close()
            raise
        return board

    async def close(self) -> None:
        """Open every contactor, then close everything in reverse. What fails on the way is logged."""
        self._listener = lambda _signal: None  # nobody wants to hear of the end
        await self._station.stop()
        if self._started:
            self._started = False
            results = await asyncio.gather(*(evse.stop() for evse in self.evses.values()), return_exceptions=True)
            for evse_id, result in zip(self.evses, results, strict=True):
                if isinstance(result, BaseException):
                    _log.critical("EVSE %d: the contactor did not open: %s", evse_id, result)
        while self._to_close:
            try:
                await self._to_close.pop().close()
            except HalError as error:
                _log.warning("while closing: %s", error)

    async def _start(self) -> None:
        await self._station.open_media(self._media)
        self._started = True
        # Side by side: a device that is silent for seconds holds up its own EVSE alone.
        starting = [self._station.start(), *(evse.start() for evse in self.evses.values())]
        for result in await asyncio.gather(*starting, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        asyncio.get_running_loop().call_soon(self._release)

    def _receive(self, signal: Signal) -> None:
        if isinstance(signal, TokenSignal | TamperSignal | EmergencyStopSignal) or signal.evse_id == 0:
            self._station.receive(signal)
        else:
            self.evses[signal.evse_id].receive(signal)

    def _trip_all(self) -> None:
        for evse in self.evses.values():
            evse.trip()

    def _interlock(self) -> str | None:
        return self._station.interlock()

    def _forward(self, signal: Signal) -> None:
        if self._held is not None:
            self._held.append(signal)
        else:
            self._listener(signal)

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for signal in held:
            self._listener(signal)
