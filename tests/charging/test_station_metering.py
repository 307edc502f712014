"""Readings that a CSMS asks for, and how many are under way at once (1.6 §5.17)."""

from __future__ import annotations

from agent.charging import effects as ef
from agent.charging import variables as v
from agent.charging.reports import MeterValuesReport
from agent.charging.types import ReadingContext

from .harness import START_MS, Bench, socket

ENERGY = "Energy.Active.Import.Register"


class TestTriggered:
    def test_gives_the_sampled_measurands_now(self) -> None:
        """1.6 §5.17, errata 3.46"""
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_MEASURANDS: f"{ENERGY},Temperature"})
        started = bench.charge(seconds=30)
        assert bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        (report,) = bench.of(MeterValuesReport)
        assert report.triggered
        assert report.transaction_id == started.transaction_id
        assert [(value.measurand, value.context) for value in report.values[0].values] == [
            (ENERGY, ReadingContext.TRIGGER),
            ("Temperature", ReadingContext.TRIGGER),
        ]

    def test_is_saved_with_its_stamp(self) -> None:
        """After a power cut the end must not be stamped before it."""
        bench = Bench()
        bench.charge(seconds=35)
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        (report,) = bench.of(MeterValuesReport)
        assert bench.of(ef.SaveTransaction)[-1].record.last_ms >= report.values[0].at_ms

    def test_without_an_evse_means_all(self) -> None:
        bench = Bench(socket(1), socket(2))
        assert bench.station.trigger_meter_values(None, bench.now)
        bench.settle()
        assert [report.evse_id for report in bench.of(MeterValuesReport)] == [1, 2]

    def test_is_refused_for_an_evse_that_does_not_exist(self) -> None:
        bench = Bench()
        assert not bench.station.trigger_meter_values(2, bench.now)

    def test_names_no_transaction_that_the_csms_has_not_been_told_of(self) -> None:
        bench = Bench()
        bench.hardware[1].broken.add("meter")
        bench.plug_in()
        bench.card()
        bench.hardware[1].broken.clear()
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        assert [report.transaction_id for report in bench.of(MeterValuesReport)] == [None]
        assert not bench.started

    def test_asked_for_again_before_the_answer_is_answered_once(self) -> None:
        bench = Bench(socket(1), socket(2))
        bench.hardware[1].late_s = 2.0
        for _ in range(100):
            assert bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        assert len(bench.of(ef.ReadMeter)) == 1
        assert bench.station.trigger_meter_values(2, bench.now)  # another meter's business
        bench.settle()
        bench.advance(3)
        assert [report.evse_id for report in bench.of(MeterValuesReport)] == [2, 1]
        assert bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        bench.advance(3)
        assert len(bench.of(MeterValuesReport)) == 3

    def test_is_asked_for_anew_once_its_answer_is_lost(self) -> None:
        bench = Bench()
        bench.hardware[1].silent.add("meter")
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        bench.hardware[1].silent.clear()
        bench.advance(29)
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        assert not bench.of(MeterValuesReport)
        bench.advance(1)
        bench.station.trigger_meter_values(1, bench.now)
        bench.settle()
        assert len(bench.of(MeterValuesReport)) == 1


def test_aligned_readings_do_not_pile_up_at_a_slow_meter() -> None:
    bench = Bench(settings={v.ALIGNED_INTERVAL: 1})
    bench.hardware[1].late_s = 2.5
    bench.advance(12)
    asked = [output for output in bench.of(ef.ReadMeter) if output.purpose is ef.ReadPurpose.ALIGNED]
    stamps = [report.values[0].at_ms - START_MS for report in bench.of(MeterValuesReport)]
    assert stamps == [1000, 4000, 7000]
    assert len(asked) == len(stamps) + 1
