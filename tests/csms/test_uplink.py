"""The conversation with the CSMS: what is said when, in which order, how often, and what an answer leads to."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.meter_values import ENERGY_REGISTER, MeterValue, SampledValue
from agent.charging.reports import AuthorizeRequest, HeartbeatRequest, TransactionEvent, TransactionEventType
from agent.charging.types import Fault, IdToken, PilotState, ReadingContext, TriggerReason
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


@pytest.fixture
async def time() -> MovingTime:
    return MovingTime()


@pytest.fixture
async def bench(tmp_path: Path, time: MovingTime) -> AsyncIterator[UplinkBench]:
    bench = UplinkBench(tmp_path / "station.db", time)
    yield bench
    await bench.stop()


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


class TestRegistration:
    async def test_first_the_boot_then_the_statuses_then_the_queue(self, bench: UplinkBench) -> None:
        """1.6 §4.2: nothing else before the BootNotification is accepted"""
        await bench.write(STARTED)
        csms = bench.connect()
        await csms.until_said("StartTransaction")
        assert csms.said == ["BootNotification", *["StatusNotification"] * 3, "StartTransaction"]

    @pytest.mark.parametrize("status", ["Pending", "Rejected"])
    async def test_not_accepted_nothing_is_said_but_the_boot_again(
        self, bench: UplinkBench, time: MovingTime, status: str
    ) -> None:
        await bench.write(STARTED)
        csms = bench.connect(BootNotification={"status": status, "currentTime": NOW, "interval": 100})
        await csms.until_said("BootNotification")
        await settled()
        await time.leap(60.0)
        bench.uplink.submit(HeartbeatRequest())
        await time.leap(39.0)
        assert csms.said == ["BootNotification"]
        csms.answers["BootNotification"] = ANSWERS["BootNotification"]
        await time.leap(2.0)
        await csms.until_said("StartTransaction")
        assert csms.said[1] == "BootNotification"

    async def test_while_pending_what_the_csms_asks_for_is_said(self, bench: UplinkBench) -> None:
        """1.6 §4.2: TriggerMessage is the CSMS's way to ask while Pending"""
        csms = bench.connect(BootNotification={"status": "Pending", "currentTime": NOW, "interval": 100})
        await csms.until_said("BootNotification")
        await settled()
        csms.call("TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1})
        await csms.until_said("StatusNotification")
        assert csms.results == [[3, "c1", {"status": "Accepted"}]]

    async def test_a_csms_that_rejects_the_station_is_not_listened_to(
        self, bench: UplinkBench, time: MovingTime
    ) -> None:
        csms = bench.connect(BootNotification={"status": "Rejected", "currentTime": NOW, "interval": 100})
        await csms.until_said("BootNotification")
        await settled()
        for number in range(40):
            csms.call("GetConfiguration", message_id=f"c{number}")
        assert csms.results == []
        csms.answers["BootNotification"] = ANSWERS["BootNotification"]
        await time.leap(101.0)
        await csms.until_said("StatusNotification", 3)
        csms.call("ClearCache", message_id="c1")
        assert csms.results[0][:2] == [3, "c1"], "what was ignored does not count as being handled"

    async def test_a_boot_without_an_answer_is_repeated(self, bench: UplinkBench, time: MovingTime) -> None:
        csms = bench.connect(BootNotification=None)
        await csms.until_said("BootNotification")
        await time.leap(31.0)
        csms.answers["BootNotification"] = ANSWERS["BootNotification"]
        await time.leap(31.0)
        await csms.until_said("StatusNotification", 3)

    async def test_registered_once_a_new_connection_needs_no_boot(self, bench: UplinkBench) -> None:
        await bench.boot()
        bench.disconnect()
        await bench.write(STARTED)
        csms = bench.connect()
        await csms.until_said("StartTransaction")
        assert csms.said == ["StartTransaction"], "nor are statuses repeated that the CSMS has heard"


class TestOrder:
    async def test_a_session_is_told_as_it_happened(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        csms.calls.clear()
        bench.pump.apply(ev.PilotChanged(1, PilotState.B))
        await csms.until_said("StatusNotification")
        bench.station.request_start(IdToken("ANNA"), 1, bench.clock.now())
        bench.pump.settle()
        await csms.until_said("StartTransaction")
        bench.pump.apply(ev.PilotChanged(1, PilotState.C))
        await csms.until_said("StatusNotification", 2)
        bench.pump.apply(ev.PilotChanged(1, PilotState.A))
        await csms.until_said("StatusNotification", 3)
        told = [call.payload.get("status", call.action) for call in csms.calls]
        start, stop = told.index("StartTransaction"), told.index("StopTransaction")
        assert told.index("Preparing") < start < told.index("Charging") < stop < told.index("Available")

    async def test_notices_about_the_present_overtake_the_backlog(self, bench: UplinkBench) -> None:
        """1.6 §3.7: they MAY be delivered without waiting for the queue to be emptied"""
        await bench.boot()
        bench.disconnect()
        await bench.write(*(report(TransactionEventType.STARTED, f"t{number}") for number in range(10)))
        csms = bench.connect(StartTransaction=None)
        call = await csms.until_said("StartTransaction")
        bench.pump.apply(ev.FaultRaised(1, Fault("GroundFailure")))
        await until(lambda: bench.pump.drained)
        csms.answers["StartTransaction"] = ANSWERS["StartTransaction"]
        csms.answer(call, ANSWERS["StartTransaction"])
        await csms.until_said("StartTransaction", 10)
        assert csms.said[:3] == ["StartTransaction", "StatusNotification", "StartTransaction"]

    async def test_durable_reports_never_overtake_each_other(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        reports = [STARTED, UPDATED, ENDED]
        for each in reports:
            await bench.write(each)
        bench.write(report(TransactionEventType.STARTED, "t2"))
        await csms.until_said("StartTransaction", 2)
        assert [call.action for call in csms.of(*DURABLE)] == [*DURABLE, "StartTransaction"]

    async def test_one_call_at_a_time(self, bench: UplinkBench) -> None:
        """OCPP-J 1.6 §4.1.1"""
        csms = await bench.boot(Heartbeat=None)
        bench.uplink.submit(HeartbeatRequest())
        call = await csms.until_said("Heartbeat")
        await bench.write(STARTED)
        await settled()
        assert csms.said[-1] == "Heartbeat"
        csms.answer(call, ANSWERS["Heartbeat"])
        await csms.until_said("StartTransaction")

    async def test_a_driver_who_waits_comes_before_the_notices(self, bench: UplinkBench) -> None:
        csms = await bench.boot(Heartbeat=None)
        bench.uplink.submit(HeartbeatRequest())
        call = await csms.until_said("Heartbeat")
        bench.uplink.submit(HeartbeatRequest())
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        csms.answers["Heartbeat"] = ANSWERS["Heartbeat"]
        csms.answer(call, ANSWERS["Heartbeat"])
        await csms.until_said("Heartbeat", 2)
        assert csms.said[-3:] == ["Heartbeat", "Authorize", "Heartbeat"]

    async def test_nothing_more_is_said_of_a_transaction_until_its_name_is_durable(self, bench: UplinkBench) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED, UPDATED)
        call = await csms.until_said("StartTransaction")
        release = bench.hold_the_disk()
        csms.answer(call, ANSWERS["StartTransaction"])
        bench.uplink.submit(HeartbeatRequest())
        await csms.until_said("Heartbeat")
        await asyncio.sleep(0.02)
        assert csms.said[-1] == "Heartbeat"
        release()
        assert (await csms.until_said("MeterValues")).payload["transactionId"] == 17

    async def test_more_notices_than_anybody_waits_for(self, bench: UplinkBench) -> None:
        """The newest are kept, and whoever waits for an answer gets one."""
        csms = await bench.boot(Heartbeat=None, Authorize=None)
        heard = listen(bench)
        bench.uplink.submit(HeartbeatRequest())
        await csms.until_said("Heartbeat")
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        for _ in range(1000):
            bench.uplink.submit(HeartbeatRequest())
        assert ev.Authorized("a1", None) in heard


class TestFailures:
    async def test_three_attempts_at_growing_intervals_then_aside_and_on(
        self, bench: UplinkBench, time: MovingTime
    ) -> None:
        """1.6 §3.7.1, errata 3.18: the rest of the transaction goes with transactionId -1"""
        csms = await bench.boot(StartTransaction="InternalError")
        await bench.write(STARTED, UPDATED, ENDED)
        await csms.until_said("StartTransaction")
        await settled()
        for wait_s, times in ((60, 2), (120, 3)):
            await time.leap(wait_s - 1.0)
            assert len(csms.of("StartTransaction")) == times - 1
            await time.leap(1.1)
            await csms.until_said("StartTransaction", times)
        stop = await csms.until_said("StopTransaction")
        assert csms.of("MeterValues")[0].payload["transactionId"] == -1
        assert stop.payload["transactionId"] == -1
        assert len({call.message_id for call in csms.of("StartTransaction")}) == 1
        await until(lambda: bench.journal.rows == 0)
        assert bench.journal.parked == 1

    async def test_meanwhile_the_present_is_told(self, bench: UplinkBench, time: MovingTime) -> None:
        csms = await bench.boot(StartTransaction="InternalError")
        await bench.write(STARTED)
        await csms.until_said("StartTransaction")
        await settled()
        bench.uplink.submit(HeartbeatRequest())
        await csms.until_said("Heartbeat")
        await time.leap(30.0)
        assert len(csms.of("StartTransaction")) == 1

    async def test_a_new_connection_does_not_shorten_the_wait(self, bench: UplinkBench, time: MovingTime) -> None:
        csms = await bench.boot(StartTransaction="InternalError")
        await bench.write(STARTED)
        await csms.until_said("StartTransaction")
        await settled()
        bench.disconnect()
        csms = bench.connect(StartTransaction="InternalError")
        await time.leap(58.0)
        assert not csms.calls
        await time.leap(3.0)
        await csms.until_said("StartTransaction")

    async def test_attempts_and_message_id_are_kept_over_a_restart(
        self, bench: UplinkBench, time: MovingTime, tmp_path: Path
    ) -> None:
        bench.set(v.MESSAGE_ATTEMPTS, 2)
        csms = await bench.boot(StartTransaction="InternalError")
        await bench.write(STARTED)
        first = await csms.until_said("StartTransaction")
        await settled()
        await bench.journal.flush()
        bench.database.close()

        again = UplinkBench(tmp_path / "station.db", time)
        again.set(v.MESSAGE_ATTEMPTS, 2)
        csms = again.connect(StartTransaction="InternalError")
        second = await csms.until_said("StartTransaction")
        assert second.message_id == first.message_id
        await until(lambda: again.journal.parked == 1)
        await again.stop()

    async def test_no_answer_is_a_failed_attempt(self, bench: UplinkBench, time: MovingTime) -> None:
        csms = await bench.boot(StopTransaction=None)
        await bench.write(STARTED, ENDED)
        call = await csms.until_said("StopTransaction")
        await time.leap(31.0)
        assert bench.journal.rows == 1
        csms.answers["StopTransaction"] = {}
        await time.leap(61.0)
        assert await csms.until_said("StopTransaction", 2) == call
        await until(lambda: bench.journal.rows == 0)

    async def test_an_answer_that_comes_late_spares_the_next_attempt(
        self, bench: UplinkBench, time: MovingTime
    ) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED, UPDATED)
        call = await csms.until_said("StartTransaction")
        await time.leap(31.0)
        csms.answer(call, ANSWERS["StartTransaction"])
        assert (await csms.until_said("MeterValues")).payload["transactionId"] == 17
        assert len(csms.of("StartTransaction")) == 1

    @pytest.mark.parametrize("late_s", [-0.001, 0.0, 0.001])
    async def test_an_answer_in_the_moment_of_the_timeout(
        self, bench: UplinkBench, time: MovingTime, late_s: float
    ) -> None:
        """whichever of the two the event loop sees first"""
        csms = await bench.boot(StopTransaction=None)
        await bench.write(STARTED, ENDED)
        call = await csms.until_said("StopTransaction")
        asyncio.get_running_loop().call_later(30.0 + late_s, csms.answer, call, {})
        await time.leap(31.0)
        csms.answers["StopTransaction"] = {}
        await time.leap(61.0)
        await until(lambda: bench.journal.rows == 0)

    @pytest.mark.parametrize(
        "answer",
        [
            {"idTagInfo": {"status": "Accepted"}},
            {"transactionId": "many", "idTagInfo": {"status": "Accepted"}},
            {"transactionId": 1},
            {"transactionId": 1, "idTagInfo": {"status": "Splendid"}},
        ],
    )
    async def test_an_answer_that_lacks_what_is_needed_is_a_failed_attempt(
        self, bench: UplinkBench, time: MovingTime, answer: dict[str, Any]
    ) -> None:
        csms = await bench.boot(StartTransaction=answer)
        await bench.write(STARTED)
        await csms.until_said("StartTransaction")
        await settled()
        csms.answers["StartTransaction"] = ANSWERS["StartTransaction"]
        await time.leap(61.0)
        await csms.until_said("StartTransaction", 2)
        await until(lambda: bench.journal.csms_ids == {"t1": "17"})

    async def test_a_report_that_cannot_be_said_blocks_nobody(self, bench: UplinkBench) -> None:
        """such as one of an EVSE that the configuration no longer has"""
        csms = await bench.boot()
        await bench.write(STARTED._replace(evse_id=9), UPDATED._replace(values=((1, 2),)), ENDED)
        await csms.until_said("StopTransaction")
        await until(lambda: (bench.journal.rows, bench.journal.parked) == (0, 2))

    async def test_one_that_is_not_valid_is_never_sent(self, bench: UplinkBench) -> None:
        bench.set(v.MESSAGE_ATTEMPTS, 1)
        csms = await bench.boot()
        await bench.write(STARTED._replace(id_token=IdToken("")), ENDED._replace(id_token=IdToken("\ud800")))
        await bench.write(report(TransactionEventType.STARTED, "t2"))
        assert (await csms.until_said("StartTransaction")).payload["idTag"] in ("", "ANNA")
        await until(lambda: bench.journal.rows == 0)


class TestConnectionLost:
    async def test_in_the_middle_of_a_call_the_same_message_is_sent_again(self, bench: UplinkBench) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED)
        first = await csms.until_said("StartTransaction")
        bench.disconnect()
        csms = bench.connect()
        assert await csms.until_said("StartTransaction") == first
        await until(lambda: bench.journal.rows == 0)
        assert bench.journal.parked == 0

    async def test_often_it_is_not_the_csmss_word_on_it(self, bench: UplinkBench) -> None:
        await bench.boot()
        bench.disconnect()
        await bench.write(STARTED)
        for _ in range(10):
            csms = bench.connect(StartTransaction=None)
            await csms.until_said("StartTransaction")
            bench.disconnect()
            await settled()
        csms = bench.connect()
        await csms.until_said("StartTransaction")
        await until(lambda: bench.journal.rows == 0)
        assert bench.journal.parked == 0

    async def test_while_the_end_report_is_put_together(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        await bench.write(STARTED)
        await csms.until_said("StartTransaction")
        await until(lambda: bench.journal.rows == 0)
        await bench.journal.flush()
        release = bench.hold_the_disk()
        done = bench.write(ENDED)
        release()
        await done
        release = bench.hold_the_disk()  # the meter values are being read
        await settled()
        bench.disconnect()
        csms = bench.connect()
        release()
        await csms.until_said("StopTransaction")
        await until(lambda: bench.journal.rows == 0)
        assert len(csms.of("StopTransaction")) == 1

    async def test_for_good_while_the_end_report_is_put_together(self, bench: UplinkBench, time: MovingTime) -> None:
        await bench.boot()
        await bench.write(STARTED)
        await until(lambda: bench.journal.rows == 0)
        await bench.journal.flush()
        await bench.write(ENDED)
        release = bench.hold_the_disk()
        await settled()
        bench.disconnect()
        release()
        await time.leap(31.0)
        csms = bench.connect()
        await csms.until_said("StopTransaction")

    async def test_what_a_closing_connection_does_not_take_is_said_on_the_next(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        csms.closing = True
        await bench.write(STARTED)
        await settled()
        bench.disconnect()
        csms = bench.connect()
        await csms.until_said("StartTransaction")

    async def test_a_message_too_big_is_sent_with_fewer_values(self, bench: UplinkBench) -> None:
        """FIELD: close code 1009 (RFC 6455 §7.4.1); the first and the last value stay"""
        csms = await bench.boot(StopTransaction=None)
        data = [ef.SaveTransactionData("t1", meter_value(1_800_000_000_000 + 1000 * number)) for number in range(40)]
        await bench.journal.write([STARTED, *data], bench.clock.utc_ms())
        await bench.write(ENDED._replace(at_ms=1_800_000_100_000))
        lengths = []
        for _ in range(5):
            call = await csms.until_said("StopTransaction")
            stamps = [value["timestamp"] for value in call.payload["transactionData"]]
            assert stamps[0].endswith(":00.000Z")
            assert stamps[-1].endswith(":39.000Z")
            lengths.append(len(stamps))
            bench.disconnect(too_big=True)
            await settled()
            csms = bench.connect(StopTransaction=None)
        assert lengths[0] == 40
        assert all(after <= before // 2 + 1 for before, after in itertools.pairwise(lengths))
        assert lengths[-1] == 2

    async def test_a_message_too_big_that_cannot_be_made_smaller_is_a_refused_one(
        self, bench: UplinkBench, time: MovingTime
    ) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED, ENDED)
        for attempt in range(3):
            await csms.until_said("StartTransaction")
            bench.disconnect(too_big=True)
            await settled()
            csms = bench.connect(StartTransaction=None)
            await time.leap(60.0 * (attempt + 1) + 1)
        assert (await csms.until_said("StopTransaction")).payload["transactionId"] == -1
        assert bench.journal.parked == 1


class TestAuthorize:
    @pytest.fixture
    def heard(self, bench: UplinkBench) -> list[ev.Event]:
        return listen(bench)

    @staticmethod
    def answers(heard: list[ev.Event]) -> list[str | None]:
        authorized = [event for event in heard if isinstance(event, ev.Authorized)]
        return [event.info.status.value if event.info else None for event in authorized]

    async def test_answered(self, bench: UplinkBench, heard: list[ev.Event]) -> None:
        await bench.boot(Authorize={"idTagInfo": {"status": "Blocked"}})
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        await until(lambda: self.answers(heard) == ["Blocked"])

    @pytest.mark.parametrize("answer", ["InternalError", {"idTagInfo": {}}])
    async def test_without_a_usable_answer(
        self, bench: UplinkBench, heard: list[ev.Event], answer: dict[str, Any] | str
    ) -> None:
        await bench.boot(Authorize=answer)
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        await until(lambda: self.answers(heard) == [None])

    async def test_without_an_answer_in_time(self, bench: UplinkBench, heard: list[ev.Event], time: MovingTime) -> None:
        csms = await bench.boot(Authorize=None)
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        await csms.until_said("Authorize")
        assert self.answers(heard) == []
        await time.leap(30.1)
        await until(lambda: self.answers(heard) == [None])

    async def test_offline_at_once(self, bench: UplinkBench, heard: list[ev.Event]) -> None:
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        assert self.answers(heard) == [None]

    async def test_when_the_connection_goes_both_the_asked_and_the_waiting(
        self, bench: UplinkBench, heard: list[ev.Event]
    ) -> None:
        csms = await bench.boot(Authorize=None)
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("ANNA")))
        await csms.until_said("Authorize")
        bench.uplink.submit(AuthorizeRequest("a2", IdToken("BERT")))
        bench.disconnect()
        await until(lambda: len(self.answers(heard)) == 2)
        assert self.answers(heard) == [None, None]

    async def test_a_token_that_no_id_tag_can_carry(self, bench: UplinkBench, heard: list[ev.Event]) -> None:
        csms = await bench.boot()
        bench.uplink.submit(AuthorizeRequest("a1", IdToken("X" * 21)))
        await until(lambda: self.answers(heard) == ["Invalid"])
        assert "Authorize" not in csms.said


class TestCallsOfTheCsms:
    async def test_a_handlers_bug_costs_one_answer(self, bench: UplinkBench, monkeypatch: pytest.MonkeyPatch) -> None:
        csms = await bench.boot()

        def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(bench.adapter, "handle", fail)
        csms.call("ClearCache")
        assert csms.results[0][:3] == [4, "c1", "InternalError"]
        monkeypatch.undo()
        csms.call("ClearCache", message_id="c2")
        assert csms.results[1] == [3, "c2", {"status": "Accepted"}]

    async def test_an_answer_that_is_not_valid_either(
        self, bench: UplinkBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        csms = await bench.boot()
        monkeypatch.setattr(bench.adapter, "handle", lambda *_: {"status": "Marvellous"})
        csms.call("ClearCache")
        assert csms.results[0][:3] == [4, "c1", "InternalError"]

    async def test_an_unlock_is_answered_when_it_has_happened(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        csms.call("UnlockConnector", {"connectorId": 2})
        await settled()
        assert csms.results == []
        bench.pump.apply(ev.UnlockFinished(2, 1, "c1", unlocked=True))
        await until(lambda: csms.results == [[3, "c1", {"status": "Unlocked"}]])

    async def test_an_unlock_that_ends_after_the_connection_is_told_to_nobody(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        csms.call("UnlockConnector", {"connectorId": 2})
        await settled()
        bench.disconnect()
        other = bench.connect()
        bench.pump.apply(ev.UnlockFinished(2, 1, "c1", unlocked=True))
        await settled()
        assert csms.results == other.results == []

    @pytest.mark.parametrize(
        "frame",
        [[3, "never-sent", {}], [4, "never-sent", "InternalError", "", {}], [3], [], {}, 7, [9, "x"], [2, "", "A", {}]],
    )
    async def test_frames_that_mean_nothing_disturb_nothing(self, bench: UplinkBench, frame: Any) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED)
        call = await csms.until_said("StartTransaction")
        csms.receive(frame)
        bench.uplink.binary_received(b"\x00")
        csms.answer(call, ANSWERS["StartTransaction"])
        await until(lambda: bench.journal.rows == 0)
        assert bench.uplink.refused >= 1

    async def test_after_the_connection_nothing_is_sent(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        csms.closing = True
        csms.call("ClearCache")
        assert csms.results == []


class TestStamps:
    async def test_what_was_stamped_before_the_clock_was_set_is_corrected(self, bench: UplinkBench) -> None:
        """FIELD: 1970. The boot's answer sets the clock; nothing leaves before it."""
        await bench.write(STARTED._replace(at_ms=bench.clock.utc_ms()))
        boot = {**ANSWERS["BootNotification"], "currentTime": "2028-02-29T12:00:00Z"}
        csms = bench.connect(BootNotification=boot)
        call = await csms.until_said("StartTransaction")
        assert call.payload["timestamp"][:17] in ("2028-02-29T11:59:", "2028-02-29T12:00:")

    async def test_inside_a_transaction_they_never_go_back(self, bench: UplinkBench) -> None:
        csms = await bench.boot()
        await bench.write(STARTED._replace(at_ms=1_800_000_005_000))
        await bench.write(UPDATED._replace(at_ms=1_800_000_003_000), ENDED._replace(at_ms=1_800_000_004_000))
        await csms.until_said("StopTransaction")
        stamps = [call.payload["timestamp"] for call in csms.of("StartTransaction", "StopTransaction")]
        assert stamps == ["2027-01-15T08:00:05.000Z", "2027-01-15T08:00:05.000Z"]

    async def test_two_sessions_at_once_keep_their_own_names(self, bench: UplinkBench) -> None:
        csms = await bench.boot(StartTransaction=None)
        await bench.write(STARTED, report(TransactionEventType.STARTED, "t2"), UPDATED, ENDED)
        await bench.write(report(TransactionEventType.ENDED, "t2"))
        for times, transaction_id in ((1, 71), (2, 72)):
            call = await csms.until_said("StartTransaction", times)
            csms.answer(call, {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted"}})
        await csms.until_said("StopTransaction", 2)
        assert [call.payload["transactionId"] for call in csms.of("MeterValues", "StopTransaction")] == [71, 71, 72]
