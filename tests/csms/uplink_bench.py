"""A station with its uplink, on a wire that a test holds the other end of."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

from agent.charging import events as ev
from agent.charging.meter_values import ENERGY_REGISTER, MeterValue, SampledValue
from agent.charging.reports import TransactionEvent, TransactionEventType
from agent.charging.types import IdToken, ReadingContext, TriggerReason
from agent.csms.diagnosis import NotConnected
from agent.csms.uplink import Uplink
from agent.ocpp.v16.adapter import Adapter16, StationIdentity
from agent.ocpp.v16.configuration import ConfigurationKeys
from agent.store.database import Database

from ..moving_time import MovingTime, settled, until
from ..pump_bench import StationBench

NOW = "2027-01-15T08:00:00.000Z"
ANSWERS: dict[str, dict[str, Any]] = {
    "BootNotification": {"status": "Accepted", "currentTime": NOW, "interval": 86_400},
    "Heartbeat": {"currentTime": NOW},
    "StartTransaction": {"transactionId": 17, "idTagInfo": {"status": "Accepted"}},
    "StopTransaction": {},
    "MeterValues": {},
    "StatusNotification": {},
    "Authorize": {"idTagInfo": {"status": "Accepted"}},
}


class Call(NamedTuple):
    message_id: str
    action: str
    payload: dict[str, Any]


class Csms:
    """The other end of the wire: answers what is in `answers`, and leaves open what is None there."""

    def __init__(self, bench: UplinkBench) -> None:
        self._bench = bench
        self.answers: dict[str, dict[str, Any] | str | None] = dict(ANSWERS)
        self.calls: list[Call] = []
        self.results: list[list[Any]] = []
        self.closing = False

    def send_text(self, text: str) -> None:
        if self.closing:
            raise NotConnected("closing")
        frame = json.loads(text)
        if frame[0] != 2:
            self.results.append(frame)
            return
        call = Call(*frame[1:])
        self.calls.append(call)
        answer = self.answers[call.action]
        if answer is not None:
            asyncio.get_running_loop().call_soon(self.answer, call, answer)

    def answer(self, call: Call, answer: dict[str, Any] | str) -> None:
        """A payload, or the code of an error."""
        if isinstance(answer, str):
            self.receive([4, call.message_id, answer, "no", {}])
        else:
            self.receive([3, call.message_id, answer])

    def receive(self, frame: list[Any]) -> None:
        if self._bench.csms is self:
            self._bench.uplink.text_received(json.dumps(frame))

    def call(self, action: str, payload: dict[str, Any] | None = None, message_id: str = "c1") -> None:
        self.receive([2, message_id, action, payload or {}])

    def of(self, *actions: str) -> list[Call]:
        return [call for call in self.calls if call.action in actions]

    @property
    def said(self) -> list[str]:
        return [call.action for call in self.calls]

    async def until_said(self, action: str, times: int = 1) -> Call:
        await until(lambda: len(self.of(action)) >= times)
        return self.of(action)[times - 1]


class UplinkBench(StationBench):
    """A station with its uplink, on a wire that a test holds the other end of."""

    def __init__(self, path: Path, time: MovingTime, *, database: Database | None = None) -> None:
        super().__init__(path, time, database=database)
        identity = StationIdentity("Acme", "AC22", "", "1.0")
        self.adapter = Adapter16(self.station, self.model, ConfigurationKeys(self.model), self.journal, identity)
        ids = itertools.count(1)
        self.uplink = Uplink(self.pump, self.adapter, self.journal, self.model, lambda: f"u{next(ids)}")
        self.pump.connect(self.hardware, self.uplink, self.adapter.carries)
        self.pump.recover(self.journal.boot - 1)
        self.csms: Csms | None = None
        self._task = asyncio.create_task(self.uplink.run())

    def connect(self, **answers: dict[str, Any] | str | None) -> Csms:
        csms = Csms(self)
        csms.answers.update(answers)
        self.csms = csms
        self.uplink.opened(csms)
        return csms

    async def boot(self, **answers: dict[str, Any] | str | None) -> Csms:
        """Connected, accepted, and everything said that is to be said then."""
        csms = self.connect(**answers)
        await csms.until_said("StatusNotification", 3)
        await settled()
        return csms

    def disconnect(self, *, too_big: bool = False) -> None:
        self.csms = None
        self.uplink.closed(too_big=too_big)

    def write(self, *reports: TransactionEvent) -> asyncio.Future[None]:
        """Durable reports, past the station."""
        done = self.journal.write(reports, self.clock.utc_ms())
        done.add_done_callback(lambda _done: self.uplink.wake())
        return done

    async def stop(self) -> None:
        assert not self._task.done(), "the uplink must not end by itself"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.close()


def report(kind: TransactionEventType, transaction_id: str = "t1", at_ms: int = 1_800_000_000_000) -> TransactionEvent:
    values = (meter_value(at_ms),) if kind is TransactionEventType.UPDATED else ()
    anna = IdToken("ANNA")
    trigger = TriggerReason.METER_VALUE_PERIODIC
    return TransactionEvent(kind, transaction_id, 0, at_ms, trigger, 1, 1, None, 1000.0, anna, values=values)


def meter_value(at_ms: int) -> MeterValue:
    return MeterValue(at_ms, (SampledValue(1.0, ENERGY_REGISTER, ReadingContext.SAMPLE_PERIODIC, None, "Wh"),))


STARTED = report(TransactionEventType.STARTED)
UPDATED = report(TransactionEventType.UPDATED)
ENDED = report(TransactionEventType.ENDED)
DURABLE = ("StartTransaction", "MeterValues", "StopTransaction")


def listen(bench: UplinkBench) -> list[ev.Event]:
    """What the core hears from now on."""
    heard: list[ev.Event] = []
    apply = bench.pump.apply

    def listener(event: ev.Event) -> None:
        heard.append(event)
        apply(event)

    bench.pump.apply = listener  # type: ignore[method-assign]  # listens in
    return heard
