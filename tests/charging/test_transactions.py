"""Transactions: where they begin and end, what is reported of them, what a power cut leaves (1.6 §4.8, §4.10)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.reports import ConnectorReport, MeterValuesReport, TransactionEvent
from agent.charging.station import Restored
from agent.charging.types import ChargingState, Session, StopReason, TriggerReason

from .harness import GROUND_FAILURE, START_MS, Bench, fixed_cable


class TestReports:
    def test_begin_and_end_with_the_meters_register(self) -> None:
        """1.6 §6.45, §6.49; errata 3.9: the register itself, not a count from zero"""
        bench = Bench()
        bench.charge(seconds=3600)
        bench.card()
        (started,), (ended,) = bench.started, bench.ended
        assert started.register_wh == 1000.0
        assert ended.register_wh == pytest.approx(1000.0 + 16 * 230 * 3)
        assert started.at_ms == START_MS
        assert ended.at_ms == START_MS + 3_600_000

    def test_are_numbered_without_a_gap(self) -> None:
        bench = Bench()
        bench.charge()
        bench.pause()
        bench.advance(100)
        bench.resume()
        bench.card()
        assert [report.seq_no for report in bench.of(TransactionEvent)] == list(range(len(bench.of(TransactionEvent))))

    def test_carry_who_started_and_who_stopped(self) -> None:
        bench = Bench()
        bench.charge()
        bench.card("anna")
        assert bench.started[0].id_token is not None
        assert bench.started[0].id_token.value == "ANNA"
        assert bench.ended[0].id_token is not None
        assert bench.ended[0].id_token.value == "anna"

    def test_are_saved_as_far_as_they_are_told(self) -> None:
        """After a power cut nothing may be numbered or stamped twice."""
        bench = Bench()
        bench.charge(seconds=30)
        bench.pause()
        bench.advance(7)
        bench.resume()
        last, saved = bench.of(TransactionEvent)[-1], bench.of(ef.SaveTransaction)[-1].record
        assert saved.seq_no == last.seq_no + 1
        assert saved.last_ms >= last.at_ms

    def test_a_start_is_durable_with_its_report(self) -> None:
        """Whatever is sent of it, the transaction is on disk."""
        bench = Bench()
        bench.plug_in()
        bench.log.clear()
        bench.card()
        relevant = [type(output) for output in bench.log if isinstance(output, TransactionEvent | ef.SaveTransaction)]
        assert relevant[:2] == [TransactionEvent, ef.SaveTransaction]

    def test_the_end_forgets_it(self) -> None:
        bench = Bench()
        started = bench.charge()
        bench.card()
        assert bench.of(ef.ForgetTransaction) == [ef.ForgetTransaction(started.transaction_id)]

    def test_say_what_happened_offline(self) -> None:
        bench = Bench()
        bench.charge()
        bench.go_offline()
        bench.card()
        assert not bench.started[0].offline
        assert bench.ended[0].offline


class TestClock:
    def test_set_back_never_turns_the_stamps_back(self) -> None:
        """stamps inside one transaction never decrease"""
        bench = Bench(settings={v.ALIGNED_INTERVAL: 60})
        bench.charge(seconds=130)
        bench.step_clock(-7200)
        bench.advance(600)
        bench.card()
        stamps = [report.at_ms for report in bench.of(TransactionEvent)]
        stamps_of_values = [value.at_ms for report in bench.of(TransactionEvent) for value in report.values]
        assert stamps == sorted(stamps)
        assert stamps_of_values == sorted(stamps_of_values)
        assert bench.ended

    def test_set_forward_moves_the_stamps_but_no_interval(self) -> None:
        bench = Bench()
        bench.charge(seconds=30)
        bench.step_clock(86_400)
        bench.advance(29)
        assert not [report for report in bench.updated if report.values]
        bench.advance(1)
        assert len([report for report in bench.updated if report.values]) == 1
        bench.card()
        assert bench.ended[0].at_ms == START_MS + 60_000 + 86_400_000

    def test_set_back_does_not_put_off_the_aligned_values(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 900, v.SAMPLED_TX_UPDATED_INTERVAL: 0})
        bench.charge(seconds=60)
        bench.step_clock(-3600)
        bench.advance(900)
        assert len([report for report in bench.updated if report.values]) == 1

    @pytest.mark.parametrize("off_s", [-3600.0, 3600.0])
    def test_found_wrong_corrects_what_runs(self, off_s: float) -> None:
        """What was stamped by the wrong clock is corrected on its way; what follows continues from there."""
        bench = Bench()
        bench.charge(seconds=100)
        bench.correct_clock(off_s)
        saved = bench.of(ef.SaveTransaction)[-1].record
        assert saved.started_ms == START_MS + off_s * 1000
        assert saved.last_ms == START_MS + 100_000 + off_s * 1000
        bench.advance(100)
        bench.card()
        assert bench.ended[0].at_ms == START_MS + 200_000 + off_s * 1000

    def test_set_back_does_not_put_a_triggered_value_before_the_others(self) -> None:
        bench = Bench()
        bench.charge(seconds=70)
        bench.step_clock(-3600)
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        (triggered,) = bench.of(MeterValuesReport)
        assert triggered.values[0].at_ms >= bench.updated[-1].at_ms
        assert bench.of(ef.SaveTransaction)[-1].record.last_ms >= triggered.values[0].at_ms


class TestStopPoints:
    """What ends a transaction, and the reason it gives (1.6 §7.36)."""

    def test_the_same_card(self) -> None:
        """C6; the token's case does not matter (errata 3.75)"""
        bench = Bench()
        bench.charge()
        bench.card("anna")
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert bench.session() is Session.FINISHED
        assert not bench.hardware[1].contactor_closed
        assert not bench.held()

    def test_the_contactor_opens_before_the_last_reading_and_the_latch_after_it(self) -> None:
        bench = Bench()
        bench.charge()
        bench.log.clear()
        bench.card()
        order = [
            output
            for output in bench.log
            if isinstance(output, ef.OpenContactor | ef.ReadMeter | ef.UnlockConnector | TransactionEvent)
        ]
        assert [type(output) for output in order] == [
            ef.OpenContactor,
            ef.ReadMeter,
            TransactionEvent,
            ef.UnlockConnector,
        ]

    def test_the_car_leaves_with_a_fixed_cable(self) -> None:
        """C1"""
        bench = Bench(fixed_cable())
        bench.charge()
        bench.unplug()
        assert bench.stop_reasons == [StopReason.EV_DISCONNECTED]
        assert bench.session() is Session.AVAILABLE
        assert bench.view().info == ""

    def test_the_cable_is_pulled_out_of_the_charger(self) -> None:
        bench = Bench(settings={v.STOP_TX_ON_EV_SIDE_DISCONNECT: False})
        bench.charge()
        bench.hardware[1].locked = False  # a latch that did not hold
        bench.unplug_car()
        bench.pull_cable()
        assert bench.stop_reasons == [StopReason.EV_DISCONNECTED]
        assert bench.session() is Session.AVAILABLE

    def test_a_contactor_that_does_not_open_does_not_keep_the_bill_waiting(self) -> None:
        bench = Bench()
        bench.charge()
        bench.hardware[1].broken.add("contactor")
        bench.card()
        assert not bench.ended
        bench.advance(4)
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_the_first_reason_counts(self) -> None:
        bench = Bench()
        started = bench.charge()
        bench.hardware[1].late_s = 0.5
        bench.card()
        bench.remote_stop(started.transaction_id)
        bench.unplug_car()
        bench.advance(5)
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_no_status_between_charging_and_its_end(self) -> None:
        """A StatusNotification that says Charging of a car that has gone would be false."""
        bench = Bench()
        bench.charge()
        bench.log.clear()
        bench.hardware[1].late_s = 0.2
        bench.unplug_car()
        bench.advance(5)
        assert [(view.session, view.info) for view in bench.told()] == [(Session.FINISHED, "EV side disconnected")]


class TestEvSideDisconnect:
    """1.6 §4.10: StopTransactionOnEVSideDisconnect comes before UnlockConnectorOnEVSideDisconnect."""

    @pytest.mark.parametrize("unlock", [False, True])
    def test_goes_on_without_the_car_and_stays_locked(self, *, unlock: bool) -> None:
        bench = Bench(
            settings={v.STOP_TX_ON_EV_SIDE_DISCONNECT: False, v.UNLOCK_ON_EV_SIDE_DISCONNECT: unlock},
        )
        bench.charge()
        bench.unplug_car()
        assert not bench.ended
        assert bench.held()
        assert not bench.hardware[1].contactor_closed
        assert bench.charging_state() is ChargingState.IDLE
        assert bench.view().info == "EV side disconnected"
        bench.plug_in()
        bench.advance(10)
        assert bench.charging()
        assert bench.view().info == ""
        assert len(bench.started) == 1
        bench.card()
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert not bench.held()

    def test_stops_and_unlocks(self) -> None:
        bench = Bench(settings={v.STOP_TX_ON_EV_SIDE_DISCONNECT: True, v.UNLOCK_ON_EV_SIDE_DISCONNECT: True})
        bench.charge()
        bench.unplug_car()
        assert bench.stop_reasons == [StopReason.EV_DISCONNECTED]
        assert not bench.held()
        assert bench.session() is Session.FINISHED
        assert bench.view().info == "EV side disconnected"
        bench.pull_cable()
        assert bench.session() is Session.AVAILABLE

    def test_stops_and_keeps_the_cable_for_its_owner(self) -> None:
        bench = Bench(settings={v.STOP_TX_ON_EV_SIDE_DISCONNECT: True, v.UNLOCK_ON_EV_SIDE_DISCONNECT: False})
        bench.charge()
        bench.unplug_car()
        assert bench.stop_reasons == [StopReason.EV_DISCONNECTED]
        assert bench.held()
        bench.card("MALLORY")
        assert bench.held()
        bench.card("ANNA")
        assert not bench.held()
        bench.pull_cable()
        assert bench.session() is Session.AVAILABLE
        assert len(bench.started) == 1

    def test_a_reconnected_car_gets_no_energy_from_a_stopped_transaction(self) -> None:
        """1.6 §4.10: a new transaction has to be started"""
        bench = Bench()
        bench.charge()
        bench.unplug_car()
        bench.plug_in()
        bench.advance(30)
        assert bench.session() is Session.PLUGGED
        assert not bench.hardware[1].contactor_closed
        bench.card()
        assert bench.charging()
        assert len({report.transaction_id for report in bench.started}) == 2


class TestPowerLoss:
    def test_ends_the_transaction_with_the_last_durable_register(self) -> None:
        """1.6 §7.36 PowerLoss"""
        before = Bench()
        before.charge(seconds=200)
        record = before.of(ef.SaveTransaction)[-1].record
        bench = Bench(restored=Restored(transactions=(record,)), registered=False)
        (ended,) = bench.ended
        assert ended.stop_reason is StopReason.POWER_LOSS
        assert ended.transaction_id == record.transaction_id
        assert ended.register_wh == record.last_wh > 1000
        assert ended.seq_no == record.seq_no
        assert ended.at_ms == record.last_ms
        assert ended.offline
        assert bench.of(ef.ForgetTransaction) == [ef.ForgetTransaction(record.transaction_id)]
        assert bench.session() is Session.AVAILABLE

    @pytest.mark.parametrize("interval_s", [5, 30, 60, 300])
    def test_loses_no_more_than_the_save_interval(self, interval_s: int) -> None:
        bench = Bench(settings={v.TRANSACTION_SAVE_INTERVAL: interval_s, v.SAMPLED_TX_UPDATED_INTERVAL: 0})
        bench.hardware[1].late_s = 0.4
        bench.plug_in()
        bench.card()
        bench.advance(10)
        age_s = []
        for _ in range(700):
            bench.advance(1)
            last_ms = bench.of(ef.SaveTransaction)[-1].record.last_ms
            age_s.append((bench.now.utc_ms - last_ms) / 1000)
        assert max(age_s) <= interval_s + 1

    def test_lets_the_cable_go_that_was_locked_before(self) -> None:
        before = Bench()
        before.charge()
        record = before.of(ef.SaveTransaction)[-1].record
        bench = Bench(restored=Restored(transactions=(record,)), registered=False)
        assert ef.UnlockConnector(1, 1) in bench.log

    def test_the_car_that_is_still_there_prepares(self) -> None:
        before = Bench()
        before.charge()
        record = before.of(ef.SaveTransaction)[-1].record
        bench = Bench(restored=Restored(transactions=(record,)))
        bench.plug_in()
        assert bench.session() is Session.PLUGGED
        bench.card()
        assert bench.charging()


class TestStartPoints:
    """OCPP 2.0.1 E01: TxStartPoint"""

    def test_ev_connected_starts_before_anybody_is_authorized(self) -> None:
        bench = Bench(settings={v.TX_START_POINT: "EVConnected"})
        bench.plug_in()
        (started,) = bench.started
        assert started.trigger is TriggerReason.CABLE_PLUGGED_IN
        assert started.id_token is None
        assert not bench.of(ef.CloseContactor)
        bench.card()
        assert bench.charging()
        assert len(bench.started) == 1
        learnt = next(report for report in bench.updated if report.trigger is TriggerReason.AUTHORIZED)
        assert learnt.id_token is not None

    def test_authorized_starts_before_the_car_is_there(self) -> None:
        bench = Bench(settings={v.TX_START_POINT: "Authorized"})
        bench.card()
        assert len(bench.started) == 1
        assert not bench.of(ef.LockConnector), "an empty socket must stay open"
        bench.plug_in()
        assert bench.charging()
        assert len(bench.started) == 1

    def test_authorized_ends_when_no_car_comes(self) -> None:
        bench = Bench(settings={v.TX_START_POINT: "Authorized", v.EV_CONNECTION_TIME_OUT: 30})
        bench.card()
        bench.advance(31)
        assert len(bench.ended) == 1
        assert bench.session() is Session.AVAILABLE

    def test_authorized_ends_when_the_card_is_shown_again(self) -> None:
        bench = Bench(settings={v.TX_START_POINT: "Authorized"})
        bench.card()
        bench.card()
        assert bench.stop_reasons == [StopReason.LOCAL]
        assert bench.session() is Session.AVAILABLE

    def test_power_path_closed_is_that_of_1_6(self) -> None:
        bench = Bench(settings={v.TX_START_POINT: "PowerPathClosed"})
        bench.card()
        assert not bench.started
        bench.plug_in()
        assert len(bench.started) == 1


class TestEndPoints:
    """OCPP 2.0.1 E06: TxStopPoint"""

    def test_ev_connected_alone_waits_for_the_car_to_leave(self) -> None:
        bench = Bench(settings={v.TX_STOP_POINT: "EVConnected"})
        bench.charge()
        bench.card()
        assert not bench.ended
        assert not bench.charging()
        assert bench.session() is Session.FINISHED
        bench.advance(300)
        assert not bench.charging()
        bench.unplug_car()
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_a_fault_resolved_meanwhile_gives_no_energy(self) -> None:
        bench = Bench(settings={v.TX_STOP_POINT: "EVConnected"})
        bench.charge()
        bench.card()
        bench.raise_fault(GROUND_FAILURE)
        bench.clear_fault(GROUND_FAILURE)
        bench.advance(30)
        assert not bench.hardware[1].contactor_closed
        assert bench.of(ConnectorReport)
