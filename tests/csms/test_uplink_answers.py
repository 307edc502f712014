"""Connections that end at any moment, what the CSMS answers, and what it asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging.reports import AuthorizeRequest, TransactionEventType
from agent.charging.types import IdToken

from ..moving_time import MovingTime, settled, until
from .uplink_bench import ANSWERS, ENDED, STARTED, UPDATED, UplinkBench, listen, meter_value, report


@pytest.fixture
async def time() -> MovingTime:
    return MovingTime()


@pytest.fixture
async def bench(tmp_path: Path, time: MovingTime) -> AsyncIterator[UplinkBench]:
    bench = UplinkBench(tmp_path / "station.db", time)
    yield bench
    await bench.stop()


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
        await bench.journal.write([STARTED, ef.SaveTransactionData("t1", meter_value(0))], bench.clock.utc_ms())
        bench.uplink.wake()
        await until(lambda: bench.journal.rows == 0)
        await bench.journal.flush()
        await bench.write(ENDED)
        release = bench.hold_the_disk()
        await settled()
        bench.disconnect()
        release()
        await asyncio.sleep(0.05)
        await time.leap(31.0)
        csms = bench.connect()
        await csms.until_said("StopTransaction")
        await until(lambda: bench.journal.rows == 0)

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
