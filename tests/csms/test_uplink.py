"""What is said when, in which order, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.reports import AuthorizeRequest, HeartbeatRequest, TransactionEventType
from agent.charging.types import Fault, IdToken, PilotState

from ..moving_time import MovingTime, settled, until
from .uplink_bench import ANSWERS, DURABLE, ENDED, NOW, STARTED, UPDATED, UplinkBench, listen, report


@pytest.fixture
async def time() -> MovingTime:
    return MovingTime()


@pytest.fixture
async def bench(tmp_path: Path, time: MovingTime) -> AsyncIterator[UplinkBench]:
    bench = UplinkBench(tmp_path / "station.db", time)
    yield bench
    await bench.stop()


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
