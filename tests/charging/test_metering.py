"""A transaction's meter: dead, silent, or with a register that runs back (1.6 errata 3.78)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.reports import TransactionEvent
from agent.charging.types import ReadingContext, Session, StopReason

from .harness import METER_FAILURE, WEAK_SIGNAL, Bench

ENERGY = "Energy.Active.Import.Register"


class TestDeadMeter:
    def test_is_not_mended_by_another_part(self) -> None:
        """Or unmetered energy would flow for as long as something else comes and goes."""
        bench = Bench(settings={v.METER_FAILURE_GRACE: 60})
        bench.charge(seconds=60)
        bench.hardware[1].broken.add("meter")
        for _ in range(10):
            bench.raise_fault(WEAK_SIGNAL)
            bench.clear_fault(WEAK_SIGNAL)
            bench.advance(8)
        assert bench.stop_reasons == [StopReason.OTHER]

    def test_at_the_start_holds_the_start_until_it_reads(self) -> None:
        """Never a placeholder: the start register is the first true reading."""
        bench = Bench()
        bench.hardware[1].broken.add("meter")
        bench.plug_in()
        bench.card()
        bench.advance(20)
        assert not bench.started
        assert not bench.of(ef.CloseContactor)
        bench.hardware[1].broken.clear()
        bench.advance(10)
        assert bench.started[0].register_wh == 1000.0
        assert bench.charging()

    def test_at_the_start_for_too_long_ends_what_never_began(self) -> None:
        bench = Bench(settings={v.METER_FAILURE_GRACE: 60})
        bench.hardware[1].broken.add("meter")
        bench.plug_in()
        bench.card()
        bench.advance(70)
        assert not bench.of(TransactionEvent)
        assert not bench.of(ef.CloseContactor)
        assert bench.session() is Session.FINISHED
        assert bench.view().info == "meter not readable"
        assert not bench.hardware[1].locked

    def test_during_charging_is_tolerated_for_the_grace(self) -> None:
        """MeterFailureGrace"""
        bench = Bench(settings={v.METER_FAILURE_GRACE: 60})
        bench.charge(seconds=60)
        bench.hardware[1].broken.add("meter")
        bench.raise_fault(METER_FAILURE)
        bench.advance(55)
        assert bench.charging()
        bench.advance(10)
        assert bench.stop_reasons == [StopReason.OTHER]
        assert not bench.hardware[1].contactor_closed

    def test_is_found_without_anybodys_word(self) -> None:
        bench = Bench(settings={v.METER_FAILURE_GRACE: 60})
        bench.charge(seconds=60)
        bench.hardware[1].broken.add("meter")
        bench.advance(75)
        assert bench.stop_reasons == [StopReason.OTHER]

    def test_that_recovers_in_time_has_stopped_nothing(self) -> None:
        bench = Bench(settings={v.METER_FAILURE_GRACE: 60})
        bench.charge(seconds=60)
        for _ in range(5):
            bench.hardware[1].broken.add("meter")
            bench.raise_fault(METER_FAILURE)
            bench.advance(40)
            bench.hardware[1].broken.clear()
            bench.clear_fault(METER_FAILURE)
            bench.advance(15)
        assert bench.charging()

    def test_at_the_end_reports_the_last_true_register(self) -> None:
        bench = Bench()
        bench.charge(seconds=65)
        known_wh = bench.hardware[1].register_wh
        bench.hardware[1].broken.add("meter")
        bench.card()
        (ended,) = bench.ended
        assert ended.register_wh is not None
        assert 1000 < ended.register_wh <= known_wh

    def test_that_does_not_even_answer_delays_the_end_for_seconds_only(self) -> None:
        bench = Bench()
        bench.charge(seconds=65)
        bench.hardware[1].silent.add("meter")
        bench.card()
        bench.advance(6)
        assert bench.stop_reasons == [StopReason.LOCAL]

    def test_gives_no_values_in_the_end_report(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_ENDED_MEASURANDS: ENERGY})
        bench.charge(seconds=30)
        bench.hardware[1].broken.add("meter")
        bench.card()
        assert ReadingContext.TRANSACTION_END not in {value.context for value in bench.data}


class TestRegister:
    @pytest.mark.parametrize("wrong_wh", [0.0, 999.0])
    def test_never_runs_back(self, wrong_wh: float) -> None:
        """Errata 3.78: monotonic within a transaction"""
        bench = Bench()
        bench.charge(seconds=60)
        bench.hardware[1].frozen_wh = wrong_wh
        bench.advance(120)
        bench.card()
        registers = [sampled.value for sampled in bench.sampled if sampled.measurand == ENERGY]
        assert registers == sorted(registers)
        assert bench.ended[0].register_wh == registers[-1] > 1000

    def test_of_the_next_transaction_continues_that_of_the_last(self) -> None:
        """Errata 3.78: so that energy lost between two transactions would show"""
        bench = Bench()
        bench.charge(seconds=60)
        bench.card()
        bench.unplug()
        bench.charge(seconds=60)
        assert bench.started[1].register_wh == bench.ended[0].register_wh
