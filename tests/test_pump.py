"""The pump: what is durable before what is seen, what never waits, and when the station is woken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.reports import BootRequest, ConnectorReport, HeartbeatRequest, TransactionEvent
from agent.charging.types import Fault, Now, PilotState, RegistrationStatus, StopReason
from agent.store.database import Database

from .moving_time import MovingTime, settled, until
from .pump_bench import PumpBench


@pytest.fixture
async def time() -> MovingTime:
    return MovingTime()


@pytest.fixture
async def bench(tmp_path: Path, time: MovingTime) -> AsyncIterator[PumpBench]:
    bench = PumpBench(tmp_path / "station.db", time)
    bench.pump.recover(0)
    yield bench
    bench.close()


class TestDurableFirst:
    async def test_energy_flows_only_when_its_start_is_durable(self, bench: PumpBench) -> None:
        await bench.online()
        await bench.start_charging()
        assert bench.hardware.durable_at_close == [["Started"]]

    async def test_a_slow_disk_keeps_the_contactor_open(self, bench: PumpBench) -> None:
        await bench.online()
        release = bench.hold_the_disk()
        bench.plug_and_show_the_card()
        await asyncio.sleep(0.05)
        assert bench.hardware.of(ef.ReadMeter)  # what needs no write has gone on
        assert not bench.hardware.closed
        release()
        await until(lambda: bench.hardware.closed)
        assert bench.hardware.durable_at_close == [["Started"]]

    async def test_reports_wait_for_the_writes_in_front_of_them(self, bench: PumpBench) -> None:
        await bench.online()
        release = bench.hold_the_disk()
        bench.plug_and_show_the_card()
        await asyncio.sleep(0.02)
        before = len(bench.uplink.of(ConnectorReport))
        bench.pump.apply(ev.FaultRaised(0, Fault("WeakSignal", blocking=False)))
        await settled()
        assert len(bench.uplink.of(ConnectorReport)) == before
        release()
        await until(lambda: bench.pump.drained)
        assert len(bench.uplink.of(ConnectorReport)) > before

    async def test_what_this_version_has_no_message_for_wears_no_flash(self, bench: PumpBench) -> None:
        await bench.online()
        await bench.start_charging()
        await until(lambda: bench.pump.drained)
        bench.pump.apply(ev.PilotChanged(1, PilotState.B))
        await until(lambda: bench.pump.drained)
        assert bench.in_file() == ["Started"]


class TestSafety:
    async def test_opening_never_waits_and_cancels_a_closing_that_does(self, bench: PumpBench) -> None:
        await bench.online()
        release = bench.hold_the_disk()
        bench.plug_and_show_the_card()
        await asyncio.sleep(0.05)
        opened = len(bench.hardware.of(ef.OpenContactor))
        bench.pump.apply(ev.FaultRaised(1, Fault("GroundFailure")))
        assert len(bench.hardware.of(ef.OpenContactor)) == opened + 1, "in the same step"
        release()
        await until(lambda: bench.pump.drained)
        await settled()
        assert not bench.hardware.of(ef.CloseContactor)
        offers = [order.current_a for order in bench.hardware.orders if isinstance(order, ef.OfferCurrent)]
        assert offers[-1:] in ([], [0])

    async def test_a_car_that_pauses_while_the_start_is_written_keeps_its_offer(self, bench: PumpBench) -> None:
        await bench.online()
        release = bench.hold_the_disk()
        bench.plug_and_show_the_card()
        await asyncio.sleep(0.05)
        bench.pump.apply(ev.PilotChanged(1, PilotState.B))
        release()
        await until(lambda: bench.pump.drained)
        await settled()
        assert not bench.hardware.closed
        assert [order for order in bench.hardware.orders if isinstance(order, ef.OfferCurrent)][-1].current_a == 32.0
        bench.pump.apply(ev.PilotChanged(1, PilotState.C))
        await until(lambda: bench.hardware.closed)

    async def test_a_fault_while_charging(self, bench: PumpBench) -> None:
        await bench.online()
        await bench.start_charging()
        bench.hold_the_disk()
        bench.pump.apply(ev.FaultRaised(1, Fault("GroundFailure")))
        assert not bench.hardware.closed


class TestStorage:
    async def test_a_broken_disk_is_shown_and_charging_goes_on(self, bench: PumpBench, time: MovingTime) -> None:
        await bench.online()
        bench.break_the_disk(True)
        await bench.start_charging()
        assert bench.journal.degraded
        assert bench.station.views()[0].fault is not None
        reports = [report for report in bench.uplink.reports if isinstance(report, ConnectorReport)]
        assert reports[-1].view.evse_id == 0 or any(report.view.fault for report in reports)
        bench.break_the_disk(False)
        await time.leap(31.0)
        await until(lambda: not bench.journal.degraded)
        await until(lambda: bench.station.views()[0].fault is None)
        assert bench.in_file() == ["Started"]

    async def test_a_second_attempt_does_not_let_a_later_write_be_overtaken(
        self, bench: PumpBench, time: MovingTime
    ) -> None:
        """the retry and a start at the same time: only the start's own write counts for its contactor"""
        await bench.online()
        bench.break_the_disk(True)
        bench.pump.apply(ev.PilotChanged(1, PilotState.C))
        bench.journal.meet_csms("another")
        await bench.journal.flush()
        bench.pump._look_at_storage()  # what the next write of the pump does
        bench.break_the_disk(False)
        release = bench.hold_the_disk()
        await time.leap(31.0)  # the retry is under way
        bench.plug_and_show_the_card()
        await asyncio.sleep(0.02)
        assert not bench.hardware.closed
        release()
        await until(lambda: bench.hardware.closed)
        assert bench.hardware.durable_at_close == [["Started"]]

    async def test_without_any_disk_the_fault_is_shown_from_the_start(self, tmp_path: Path, time: MovingTime) -> None:
        bench = PumpBench(tmp_path, time, database=Database.in_memory())
        bench.pump.recover(0)
        fault = bench.station.views()[0].fault
        assert fault is not None
        await bench.online()
        await bench.start_charging()
        bench.close()


class TestRecovery:
    async def test_a_transaction_that_a_cut_interrupted_is_ended_once(self, tmp_path: Path, time: MovingTime) -> None:
        """1.6 §7.36: PowerLoss"""
        bench = PumpBench(tmp_path / "station.db", time)
        bench.pump.recover(0)
        await bench.online()
        await bench.start_charging()
        await until(lambda: bench.pump.drained)
        bench.close()

        bench = PumpBench(tmp_path / "station.db", time)
        bench.clock.follow_csms(bench.clock.utc_ms() + 5000)
        bench.pump.recover(bench.journal.boot - 1)
        await until(lambda: bench.pump.drained)
        assert bench.in_file() == ["Started", "Ended"]
        await bench.journal.head()
        rows = [bench.journal._queue._window[number] for number in range(2)]
        last = rows[1].report
        assert isinstance(last, TransactionEvent)
        assert last.stop_reason is StopReason.POWER_LOSS
        assert (rows[1].boot, bench.journal.boot) == (1, 2)
        bench.close()

        bench = PumpBench(tmp_path / "station.db", time)
        bench.pump.recover(bench.journal.boot - 1)
        await until(lambda: bench.pump.drained)
        assert bench.in_file() == ["Started", "Ended"]
        bench.close()


class TestTime:
    async def test_a_boot_that_failed_is_repeated(self, bench: PumpBench, time: MovingTime) -> None:
        """No output comes of the failure itself, and still the station must be woken."""
        bench.pump.apply(ev.LinkUp())
        assert len(bench.uplink.of(BootRequest)) == 1
        bench.pump.apply(ev.BootFailed())
        await time.leap(30.0)
        assert len(bench.uplink.of(BootRequest)) == 2

    @pytest.mark.parametrize("status", [RegistrationStatus.PENDING, RegistrationStatus.REJECTED])
    async def test_a_boot_that_was_not_accepted_is_repeated_when_the_csms_says(
        self, bench: PumpBench, time: MovingTime, status: RegistrationStatus
    ) -> None:
        bench.pump.apply(ev.LinkUp())
        bench.pump.apply(ev.BootAnswered(status, 100))
        await time.leap(99.0)
        assert len(bench.uplink.of(BootRequest)) == 1
        await time.leap(1.1)
        assert len(bench.uplink.of(BootRequest)) == 2

    async def test_the_heartbeat_comes_when_nothing_else_was_said(self, bench: PumpBench, time: MovingTime) -> None:
        """1.6 §4.6"""
        await bench.online()
        bench.set(v.HEARTBEAT_INTERVAL, 100)
        bench.pump.settle()
        await time.leap(60.0)
        bench.pump.exchanged()
        await time.leap(60.0)
        assert not bench.uplink.of(HeartbeatRequest)
        await time.leap(41.0)
        assert len(bench.uplink.of(HeartbeatRequest)) == 1

    async def test_nothing_turns_while_nothing_is_due(
        self, bench: PumpBench, time: MovingTime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await bench.online()
        await bench.start_charging()
        await until(lambda: bench.pump.drained)
        ticks = 0
        tick = bench.station.tick

        def counted(now: Now) -> None:
            nonlocal ticks
            ticks += 1
            tick(now)

        monkeypatch.setattr(bench.station, "tick", counted)
        for _ in range(60):
            await time.leap(10.0)
            await until(lambda: bench.pump.drained)
        assert 60 <= ticks <= 60 * 4

    async def test_a_clock_that_is_set_reaches_journal_and_station(self, bench: PumpBench, time: MovingTime) -> None:
        await bench.online()
        await bench.start_charging()
        await until(lambda: bench.pump.drained)
        bench.wall_s += 3600
        await time.leap(20.0)  # the meter's watch wakes the station
        (step,) = bench.journal.clock_steps
        assert step.delta_ms == pytest.approx(3_600_000, abs=50)
        bench.pump.clock_seen(bench.clock.utc_ms() - 10_000)
        assert [step.delta_ms for step in bench.journal.clock_steps][1:] == [-10_000]


class TestOutside:
    async def test_settings_and_availability_are_handed_over(self, bench: PumpBench) -> None:
        bench.station.request_availability(1, 0, False, bench.clock.now())
        bench.pump.settle()
        assert ef.SaveAvailability(1, 0, False) in bench.settings_changed
        bench.set(v.HEARTBEAT_INTERVAL, 77)
        bench.pump.settle()
        assert bench.settings_changed[-1] is None

    async def test_a_restart_waits_for_the_end_to_be_durable(self, bench: PumpBench) -> None:
        await bench.online()
        await bench.start_charging()
        release = bench.hold_the_disk()
        bench.station.request_reset(True, bench.clock.now())
        bench.pump.settle()
        await asyncio.sleep(0.05)
        assert bench.restarts == 0
        release()
        await until(lambda: bench.restarts == 1)
        assert bench.in_file() == ["Started", "Ended"]

    async def test_waiting_for_what_follows(self, bench: PumpBench) -> None:
        await bench.online()
        waiting = asyncio.create_task(bench.pump.until(lambda: not bench.station.idle))
        bench.plug_and_show_the_card()
        async with asyncio.timeout(5):
            await waiting
