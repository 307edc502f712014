"""The board: every part of the charger, opened in order, closed in reverse, one supervisor per EVSE."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType

from hal.active_faults import ActiveFaults
from hal.assembly import Assembly
from hal.deadline import within
from hal.driver import Context, Shared
from hal.errors import HalError
from hal.faults import FAULTS
from hal.interfaces.display import Display
from hal.interfaces.part import Part
from hal.interfaces.watchdog import Watchdog
from hal.signals import EmergencyStopSignal, FaultSignal, Signal, TamperSignal, TokenSignal
from hal.spec import BoardSpec, EvseSpec, PartSpec, Timing
from hal.supervisor import EvseHardware

__all__ = ["Board", "BoardSpec", "EvseHardware", "EvseSpec", "PartSpec", "Timing"]

_log = logging.getLogger("hal.board")
_NOTHING: Mapping[Hashable, Shared] = MappingProxyType({})
_CLOSE_TIMEOUT_S = 1.0


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
        self._context = Context(self._receive, spec.state_dir, spec.hal_options, shared)
        self._device_s = spec.timing.device_s
        self._faults = ActiveFaults()
        self._stop_pressed = False
        self._held: list[Signal] | None = []
        self._opened: list[Part | Shared] = []
        self._started = False
        assembly = Assembly(self._context)
        self.evses = {
            evse.id: EvseHardware(evse, assembly.evse(evse), spec.timing, self._forward, self._interlock)
            for evse in spec.evses
        }
        self._station = assembly.station(spec)
        self._parts = assembly.parts
        self.display = self._station.display
        self.watchdog = self._station.watchdog

    @classmethod
    async def open(
        cls, spec: BoardSpec, listener: Callable[[Signal], None], shared: Mapping[Hashable, Shared] = _NOTHING
    ) -> Board:
        """Open the whole board: media, then parts in order; then bring every EVSE into a safe, known state.

        listener: gets every signal, from the event loop; the first ones, if any, right after this has returned.
        shared: media that parts are to use instead of making their own (`Context.share`).
        Raises BoardConfigError before any device is touched, or the HalError of the part that does not open, after
        the others have been closed again.
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
        if self._started:
            self._started = False
            results = await asyncio.gather(*(evse.stop() for evse in self.evses.values()), return_exceptions=True)
            for evse_id, result in zip(self.evses, results, strict=True):
                if isinstance(result, BaseException):
                    _log.critical("EVSE %d: the contactor did not open: %s", evse_id, result)
        while self._opened:
            part = self._opened.pop()
            try:
                await within(_CLOSE_TIMEOUT_S, type(part).__name__, part.close())
            except HalError as error:
                _log.warning("while closing: %s", error)

    async def _start(self) -> None:
        for part in (*self._context.shared.values(), *self._parts):
            self._opened.append(part)  # before it is opened: one that fails half-way is closed too
            await part.open()
        self._started = True
        await asyncio.gather(*(evse.start() for evse in self.evses.values()))
        await self._read_switches()
        asyncio.get_running_loop().call_soon(self._release)

    async def _read_switches(self) -> None:
        button, enclosure = self._station.emergency_stop, self._station.tamper
        if button is not None and await within(self._device_s, "stop button", button.is_pressed()):
            self._receive(EmergencyStopSignal(pressed=True))
        if enclosure is not None and await within(self._device_s, "tamper switch", enclosure.is_open()):
            self._receive(TamperSignal(open=True))

    def _receive(self, signal: Signal) -> None:
        """Make it safe first, then pass on what is news."""
        if isinstance(signal, EmergencyStopSignal):
            if signal.pressed:
                self._trip_all()
            if signal.pressed == self._stop_pressed:
                return
            self._stop_pressed = signal.pressed
        elif isinstance(signal, FaultSignal) and signal.evse_id == 0:
            if signal.active and FAULTS[signal.code].opens_contactor:
                self._trip_all()
            if not self._faults.apply(signal):
                return
        elif not isinstance(signal, TamperSignal | TokenSignal):
            self.evses[signal.evse_id].receive(signal)
            return
        self._forward(signal)

    def _trip_all(self) -> None:
        for evse in self.evses.values():
            evse.trip()

    def _interlock(self) -> str | None:
        if self._stop_pressed:
            return "the stop button is pressed"
        if fault := self._faults.blocking():
            return f"{fault} is active at the station"
        return None

    def _forward(self, signal: Signal) -> None:
        if self._held is not None:
            self._held.append(signal)
        else:
            self._listener(signal)

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for signal in held:
            self._listener(signal)
