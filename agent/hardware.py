"""Between the core and the hardware: effects become calls of the HAL, its signals become events.

The only place that catches HalError: a broken part has already been reported as a fault by its supervisor, so here it
is enough that whoever waits for an answer gets one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Protocol

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging.meter_values import MeterReading
from agent.charging.reports import ConnectorView
from agent.charging.types import ChargingState, ConnectorStatus, Fault, IdToken, Now, PilotState, Session
from hal.board import Board, BoardSpec
from hal.errors import HalError
from hal.faults import FAULTS
from hal.interfaces.indicator import Pattern
from hal.signals import (
    CableSignal,
    ContactorSignal,
    EmergencyStopSignal,
    FaultSignal,
    PilotSignal,
    Signal,
    TamperSignal,
    TokenSignal,
)
from hal.supervisor import EvseHardware

logger = logging.getLogger(__name__)

# Longer than any token that any version of OCPP can carry (2.x: 255); a reader gone mad sends more.
_TOKEN_LENGTH = 255

_PATTERNS = {
    Session.AVAILABLE: Pattern.AVAILABLE,
    Session.PLUGGED: Pattern.OCCUPIED,
    Session.AUTHORIZED: Pattern.OCCUPIED,
    Session.FINISHED: Pattern.FINISHED,
}
_DISPLAY = {
    Pattern.AVAILABLE: "free: plug in or show your card",
    Pattern.OCCUPIED: "show your card, plug in",
    Pattern.CHARGING: "charging",
    Pattern.SUSPENDED: "paused",
    Pattern.FINISHED: "finished: please unplug",
    Pattern.RESERVED: "reserved",
    Pattern.UNAVAILABLE: "not available",
    Pattern.FAULTED: "out of order",
}


class Lighting(Protocol):
    """What the CSMS set for the lamps (1.6 §9.1.4, §9.1.11)."""

    @property
    def intensity_percent(self) -> int: ...
    @property
    def blink_repeat(self) -> int: ...


class Hardware:
    """The board, opened by `open` and closed by `close`."""

    def __init__(self, now: Callable[[], Now], light: Lighting) -> None:
        self._waiting: list[ev.Event] = []
        self._apply: Callable[[ev.Event], None] = self._waiting.append
        self._opened: Board | None = None
        self._now = now
        self._light = light
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing_wanted: set[int] = set()
        self._offer_wanted: dict[int, float] = {}
        self._offering: set[int] = set()
        self._views: dict[tuple[int, int], ConnectorView] = {}

    async def open(self, spec: BoardSpec) -> None:
        """Raises BoardConfigError. A part that does not open is a fault; events wait until `listen`."""
        self._opened = await Board.open(spec, self._receive)

    @property
    def _board(self) -> Board:
        assert self._opened is not None, "open() comes first"
        return self._opened

    def listen(self, apply: Callable[[ev.Event], None]) -> None:
        """From here on events go to `apply`, those that have waited first."""
        self._apply = apply
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            apply(event)

    def _receive(self, signal: Signal) -> None:
        for event in _events(signal):
            self._apply(event)

    @property
    def locks(self) -> frozenset[int]:
        """The EVSEs that have a lock."""
        return frozenset(evse_id for evse_id, evse in self._board.evses.items() if evse.has_lock)

    @property
    def measurands(self) -> frozenset[str]:
        """What every meter of the station can deliver."""
        return frozenset.intersection(*(evse.measurands for evse in self._board.evses.values()))

    async def close(self) -> None:
        """Contactors open, everything closed."""
        self._apply = lambda _event: None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._opened is not None:
            await self._opened.close()

    async def keep_watchdog(self) -> None:
        """Say that the event loop turns, for ever, in time for the hardware's watchdog; without one, nothing."""
        watchdog = self._board.watchdog
        while watchdog is not None:
            try:
                await watchdog.kick()
            except HalError as error:
                logger.warning("watchdog not kicked: %s", error)
            await asyncio.sleep(watchdog.timeout_s / 3)

    # --- effects ------------------------------------------------------------------------------------------------------

    def carry_out(self, effect: ef.Effect) -> None:
        """Begin to do it; what comes of it comes back as events."""
        match effect:
            case ef.OpenContactor():
                self._closing_wanted.discard(effect.evse_id)
                self._spawn(self._open(effect.evse_id))
            case ef.CloseContactor():
                self._closing_wanted.add(effect.evse_id)
                self._spawn(self._close(effect.evse_id))
            case ef.OfferCurrent():
                self._offer_wanted[effect.evse_id] = effect.current_a
                if effect.evse_id not in self._offering:
                    self._offering.add(effect.evse_id)
                    self._spawn(self._offer(effect.evse_id))
            case ef.LockConnector():
                self._spawn(self._lock(effect))
            case ef.UnlockConnector():
                self._spawn(self._unlock(effect))
            case ef.SelfCheck():
                self._spawn(self._self_check(effect.evse_id))
            case ef.ReadMeter():
                self._spawn(self._read_meter(effect))
            case ef.Show():
                self._spawn(self._show(effect.view))
            case ef.SignalRejection():
                self._spawn(self._signal_rejection(effect.evse_id))
            case ef.Restart():
                raise AssertionError("a restart is not the hardware's")

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("hardware order failed", exc_info=task.exception())

    def _evse(self, evse_id: int) -> EvseHardware:
        return self._board.evses[evse_id]

    async def _open(self, evse_id: int) -> None:
        try:
            await self._evse(evse_id).open_contactor()
        except HalError as error:
            logger.error("EVSE %d: contactor does not open: %s", evse_id, error)  # noqa: TRY400 - no bug of ours
        else:
            self._apply(ev.ContactorChanged(evse_id, closed=False))

    async def _close(self, evse_id: int) -> None:
        if evse_id not in self._closing_wanted:
            return
        try:
            await self._evse(evse_id).close_contactor()
        except HalError as error:
            logger.warning("EVSE %d: contactor stays open: %s", evse_id, error)
            if evse_id in self._closing_wanted:
                self._apply(ev.ContactorChanged(evse_id, closed=False))
            return
        if evse_id not in self._closing_wanted:
            await self._open(evse_id)

    async def _offer(self, evse_id: int) -> None:
        """One writer for each pilot: what was wanted last is what it ends with."""
        try:
            while True:
                wanted_a = self._offer_wanted[evse_id]
                try:
                    await self._evse(evse_id).set_offered_current(wanted_a)
                except HalError as error:
                    logger.warning("EVSE %d: cannot offer %.1f A: %s", evse_id, wanted_a, error)
                if self._offer_wanted[evse_id] == wanted_a:
                    return
        finally:
            self._offering.discard(evse_id)

    async def _lock(self, effect: ef.LockConnector) -> None:
        try:
            await self._evse(effect.evse_id).lock(effect.connector_id)
        except HalError as error:
            logger.warning("EVSE %d: connector %d does not lock: %s", effect.evse_id, effect.connector_id, error)
        else:
            self._apply(ev.LockChanged(effect.evse_id, locked=True))

    async def _unlock(self, effect: ef.UnlockConnector) -> None:
        evse_id, connector_id, ref = effect
        unlocked = False
        try:
            await self._evse(evse_id).unlock(connector_id)
            unlocked = True
        except HalError as error:
            logger.warning("EVSE %d: connector %d does not unlock: %s", evse_id, connector_id, error)
        if unlocked:
            self._apply(ev.LockChanged(evse_id, locked=False))
        self._apply(ev.UnlockFinished(evse_id, connector_id, ref, unlocked))

    async def _self_check(self, evse_id: int) -> None:
        try:
            await self._evse(evse_id).self_check()
        finally:
            self._apply(ev.SelfChecked(evse_id))

    async def _read_meter(self, effect: ef.ReadMeter) -> None:
        reading = None
        try:
            raw = await self._evse(effect.evse_id).read_meter()
            if raw.quality == "good":
                fields = raw._asdict()
                del fields["quality"]
                reading = MeterReading(self._now().utc_ms - int(fields.pop("age_s") * 1000), **fields)
        except HalError as error:
            logger.warning("EVSE %d: meter not readable: %s", effect.evse_id, error)
        self._apply(ev.MeterRead(effect.evse_id, effect.purpose, effect.due_ms, reading))

    # --- lamps and display --------------------------------------------------------------------------------------------

    def relight(self) -> None:
        """What is said of the lamps has changed: show everything as it is said now."""
        for evse_id in self._board.evses:
            self._spawn(self._show_lamp(evse_id))

    async def _show(self, view: ConnectorView) -> None:
        self._views[view.evse_id, view.connector_id] = view
        if view.evse_id in self._board.evses:
            await self._show_lamp(view.evse_id)
        if self._board.display is not None:
            lines = (_line(each) for _, each in sorted(self._views.items()))
            try:
                await self._board.display.show(tuple(filter(None, lines)))
            except HalError as error:
                logger.warning("cannot show the status: %s", error)

    async def _show_lamp(self, evse_id: int) -> None:
        views = [view for view in self._views.values() if view.evse_id == evse_id]
        if not views:
            return
        try:
            await self._evse(evse_id).set_indicator(_pattern(_foremost(views)), self._light.intensity_percent)
        except HalError as error:
            logger.warning("EVSE %d: cannot show the status: %s", evse_id, error)

    async def _signal_rejection(self, evse_id: int | None) -> None:
        repeat = self._light.blink_repeat
        if repeat <= 0:
            return
        for each in self._board.evses if evse_id is None else (evse_id,):
            try:
                await self._evse(each).set_indicator(Pattern.REJECTED, self._light.intensity_percent, repeat)
            except HalError as error:
                logger.warning("EVSE %d: cannot signal: %s", each, error)


def _foremost(views: list[ConnectorView]) -> ConnectorView:
    """What an EVSE's one lamp is about: the connector in use, or else one that could be."""
    return max(
        views, key=lambda view: (view.session is not Session.AVAILABLE, view.status is ConnectorStatus.AVAILABLE)
    )


def _pattern(view: ConnectorView) -> Pattern:
    if view.status is ConnectorStatus.FAULTED:
        return Pattern.FAULTED
    if view.status is ConnectorStatus.UNAVAILABLE:
        return Pattern.UNAVAILABLE
    if view.status is ConnectorStatus.RESERVED:
        return Pattern.RESERVED
    if view.session is Session.TRANSACTION:
        return Pattern.CHARGING if view.charging_state is ChargingState.CHARGING else Pattern.SUSPENDED
    return _PATTERNS[view.session]


def _line(view: ConnectorView) -> str:
    """What the driver reads. The station has a line only when there is something to say."""
    pattern = _pattern(view)
    text = _DISPLAY[pattern]
    if view.fault is not None and pattern is Pattern.FAULTED and view.fault.info:
        text = f"{text}: {view.fault.info}"
    if view.evse_id == 0:
        return "" if pattern is Pattern.AVAILABLE else text
    return f"{view.evse_id}: {text}"


def _events(signal: Signal) -> tuple[ev.Event, ...]:
    match signal:
        case PilotSignal():
            return (ev.PilotChanged(signal.evse_id, PilotState(signal.state.value), signal.connector_id),)
        case CableSignal():
            return (ev.CableChanged(signal.evse_id, signal.connector_id, signal.present, signal.rating_a),)
        case ContactorSignal():
            return (ev.ContactorChanged(signal.evse_id, signal.closed),)
        case FaultSignal():
            return (_fault(signal),)
        case TokenSignal():
            return _token(signal)
        case TamperSignal():
            return (ev.TamperChanged(signal.open),)
        case EmergencyStopSignal():
            return (ev.EmergencyStopChanged(signal.pressed),)


def _fault(signal: FaultSignal) -> ev.Event:
    if not signal.active:
        return ev.FaultCleared(signal.evse_id, signal.code.value, signal.vendor_code)
    blocking = FAULTS[signal.code].opens_contactor
    return ev.FaultRaised(signal.evse_id, Fault(signal.code.value, signal.vendor_code, signal.info, blocking))


def _token(signal: TokenSignal) -> tuple[ev.Event, ...]:
    value = signal.value.strip()
    if not 0 < len(value) <= _TOKEN_LENGTH or not value.isprintable():
        logger.warning("a reader gave something that is no token (%d characters)", len(signal.value))
        return ()
    return (ev.IdTokenPresented(IdToken(value, signal.kind), signal.evse_id),)
