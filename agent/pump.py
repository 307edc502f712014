"""Where the core's outputs go, in their order: writes made durable first, then what must not be seen before them.

An order that only makes things safer never waits, and cancels what it supersedes. Reports and orders to supply energy
wait until the writes in front of them are durable: energy without a record would be a lost sale.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from agent.charging import effects as ef
from agent.charging.core import Output
from agent.charging.device_model import DeviceModel
from agent.charging.events import Event
from agent.charging.reports import MeterValuesReport, Report, SecurityEvent, TransactionEvent
from agent.charging.station import Station
from agent.charging.types import Now, RegistrationStatus
from agent.clock import Clock
from agent.store.journal import Journal

logger = logging.getLogger(__name__)

_RETRY_STORE_S = 30.0
_JOURNALLED = (
    TransactionEvent,
    ef.SaveTransaction,
    ef.SaveTransactionData,
    ef.ForgetTransaction,
    ef.SaveCacheEntry,
    ef.ForgetCacheEntries,
    ef.SaveRegistration,
)


class Orders(Protocol):
    """The hardware."""

    def carry_out(self, effect: ef.Effect) -> None: ...


class Conversation(Protocol):
    """The uplink."""

    def submit(self, report: Report) -> None: ...
    def wake(self) -> None: ...


class Pump:
    """Feeds the station, keeps its deadlines, and distributes what comes out of it.

    `on_settings`: the availability, or else the device model, has changed. `on_restart`: every transaction has ended
    and the program is to be restarted.
    """

    def __init__(
        self,
        station: Station,
        model: DeviceModel,
        journal: Journal,
        clock: Clock,
        on_settings: Callable[[ef.SaveAvailability | None], None],
        on_restart: Callable[[ef.Restart], None],
    ) -> None:
        self._station = station
        self._model = model
        self._journal = journal
        self._clock = clock
        self._on_settings = on_settings
        self._on_restart = on_restart
        self._outputs: deque[Output] = deque()
        self._committing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s: float | None = None
        self._store_timer: asyncio.TimerHandle | None = None
        self._revision = model.revision
        self._changed = asyncio.Event()
        self._hardware: Orders
        self._uplink: Conversation
        self._carries: Callable[[TransactionEvent], bool]

    def connect(self, hardware: Orders, uplink: Conversation, carries: Callable[[TransactionEvent], bool]) -> None:
        """To whom the outputs go; before anything else. `carries`: see ocpp/adapter.py."""
        self._hardware = hardware
        self._uplink = uplink
        self._carries = carries

    def recover(self, boot: int) -> None:
        """Hand out what the station made of the transactions that the last run left: stamped by the clock of `boot`."""
        outputs = self._station.drain()
        records = [output for output in outputs if _journalled(output)]
        if records:
            self._commit(records, boot)
        for output in outputs:
            if not _journalled(output):
                self._take(output)
        self._look_at_storage()
        self._pass_on()
        self.settle()

    # --- the core as the uplink and the hardware see it ---------------------------------------------------------------

    def apply(self, event: Event) -> None:
        self._station.apply(event, self._clock.now())
        self.settle()

    def now(self) -> Now:
        return self._clock.now()

    @property
    def registration(self) -> RegistrationStatus | None:
        return self._station.registration.status

    def exchanged(self) -> None:
        # The heartbeat's deadline only moves away: the timer finds out when it comes.
        self._station.exchanged(self._clock.now())

    def clock_seen(self, csms_ms: int) -> None:
        self._stepped(self._clock.follow_csms(csms_ms))

    def _stepped(self, delta_ms: int) -> None:
        if delta_ms:
            self._journal.clock_stepped(delta_ms)
            self._station.clock_stepped(delta_ms, self._clock.now())
            self.settle()

    def settle(self) -> None:
        """Hand out whatever the station has to say."""
        self._changed.set()
        outputs = self._station.drain()
        if self._model.revision != self._revision:
            self._revision = self._model.revision
            self._on_settings(None)
        for output in outputs:
            self._take(output)
        if outputs:
            self._pass_on()
        self._plan()

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _take(self, output: Output) -> None:
        if isinstance(output, ef.OpenContactor):
            self._supersede(ef.CloseContactor, output.evse_id)
            self._order(output)
        elif isinstance(output, ef.OfferCurrent) and output.current_a == 0:
            self._supersede(ef.OfferCurrent, output.evse_id)
            self._order(output)
        elif isinstance(output, ef.SaveAvailability):
            self._on_settings(output)
        else:
            self._outputs.append(output)

    def _supersede(self, order: type[ef.CloseContactor | ef.OfferCurrent], evse_id: int) -> None:
        self._outputs = deque(
            output for output in self._outputs if not (isinstance(output, order) and output.evse_id == evse_id)
        )

    def _pass_on(self) -> None:
        """Everything up to the next thing that must wait for a write under way."""
        while self._outputs and not self._committing:
            output = self._outputs[0]
            if not self._carried(output):
                self._outputs.popleft()
            elif _journalled(output):
                self._write()
            else:
                self._outputs.popleft()
                self._dispatch(output)
        if self._committing:
            # What needs no write before it, such as reading the meter, goes on meanwhile.
            ready = [output for output in self._outputs if _independent(output)]
            self._outputs = deque(output for output in self._outputs if not _independent(output))
            for output in ready:
                self._dispatch(output)

    def _write(self) -> None:
        records: list[Output] = []
        while self._outputs and _journalled(self._outputs[0]):
            record = self._outputs.popleft()
            if self._carried(record):
                records.append(record)
        self._commit(records)

    def _commit(self, records: list[Output], boot: int | None = None) -> None:
        # The callers have asked `_journalled` what the records are.
        done = self._journal.write(records, self._clock.utc_ms(), boot=boot)  # type: ignore[arg-type]
        self._committing = True
        done.add_done_callback(self._written)

    def _carried(self, output: Output) -> bool:
        return not isinstance(output, TransactionEvent) or self._carries(output)

    def _written(self, _done: asyncio.Future[None]) -> None:
        self._committing = False
        self._look_at_storage()
        self._uplink.wake()
        self._pass_on()
        self.settle()

    def _look_at_storage(self) -> None:
        if self._journal.degraded and self._store_timer is None:
            loop = asyncio.get_running_loop()
            self._store_timer = loop.call_later(_RETRY_STORE_S, self._retry_store)
        self._station.storage_changed(self._journal.degraded, self._clock.now())

    def _retry_store(self) -> None:
        self._store_timer = None
        if self._journal.degraded:
            self._journal.retry().add_done_callback(self._retried)

    def _retried(self, _done: asyncio.Future[None]) -> None:
        # A write that is under way meanwhile is none of this.
        self._look_at_storage()
        self.settle()

    def _dispatch(self, output: Output) -> None:
        match output:
            case ef.Restart():
                self._on_restart(output)
            case SecurityEvent():
                logger.warning("security event %s %s", output.kind, output.info)
            case (
                ef.CloseContactor()
                | ef.OpenContactor()
                | ef.OfferCurrent()
                | ef.LockConnector()
                | ef.UnlockConnector()
                | ef.SelfCheck()
                | ef.ReadMeter()
                | ef.Show()
                | ef.SignalRejection()
            ):
                self._order(output)
            case _:
                self._uplink.submit(output)  # type: ignore[arg-type]  # what is left are reports

    def _order(self, effect: ef.Effect) -> None:
        self._hardware.carry_out(effect)

    @property
    def drained(self) -> bool:
        """Everything that has come out so far has been handed out."""
        return not self._outputs and not self._committing

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that follows from what happens here. The caller bounds the time."""
        while not true():
            self._changed.clear()
            await self._changed.wait()

    # --- time ---------------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        at_s = self._station.next_deadline()
        if at_s == self._timer_at_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_s = at_s
        self._timer = None
        if at_s is not None:
            delay_s = max(0.0, at_s - self._clock.now().mono_s)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._timer_at_s = None
        self._stepped(self._clock.follow_system())
        self._station.tick(self._clock.now())
        self.settle()
        self._plan()

    def stop(self) -> None:
        for timer in (self._timer, self._store_timer):
            if timer is not None:
                timer.cancel()


def _journalled(output: Output) -> bool:
    if isinstance(output, MeterValuesReport):
        return not output.triggered
    return isinstance(output, _JOURNALLED)


def _independent(output: Output) -> bool:
    return isinstance(output, ef.ReadMeter | ef.Show | ef.SignalRejection)
