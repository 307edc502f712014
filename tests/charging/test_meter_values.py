"""Meter values: when, which, in which context; and what happens without a meter (1.6 §3.16, errata 3.14..3.16)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.meter_values import (
    MeterReading,
    MeterValue,
    Offer,
    SampledValue,
    aligned_ms,
    next_aligned_ms,
    sample,
)
from agent.charging.reports import MeterValuesReport, TransactionEvent
from agent.charging.types import ReadingContext, TriggerReason

from .harness import START_MS, Bench, fixed_cable, socket

DAY_MS = 86_400_000
MIDNIGHT_MS = START_MS - START_MS % DAY_MS
ENERGY = "Energy.Active.Import.Register"


def values(bench: Bench, context: ReadingContext) -> list[tuple[int, list[str]]]:
    """(stamp, measurands) of every meter value reported in this context."""
    reports = [output for output in bench.log if isinstance(output, TransactionEvent | MeterValuesReport)]
    return [
        (value.at_ms, [sampled.measurand for sampled in value.values])
        for report in reports
        for value in report.values
        if value.values[0].context is context
    ]


class TestSampled:
    def test_come_at_the_interval_from_the_start(self) -> None:
        """1.6 §3.16.1"""
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_INTERVAL: 60})
        bench.plug_in()
        bench.advance(7)
        bench.card()
        bench.advance(200)
        stamps = [at_ms for at_ms, _ in values(bench, ReadingContext.SAMPLE_PERIODIC)]
        assert stamps == [START_MS + 7_000 + n * 60_000 for n in (1, 2, 3)]

    def test_keep_the_rhythm_however_slow_the_meter(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_INTERVAL: 60})
        bench.hardware[1].late_s = 1.5
        bench.plug_in()
        bench.card()
        bench.advance(600)
        stamps = [at_ms for at_ms, _ in values(bench, ReadingContext.SAMPLE_PERIODIC)]
        assert {later - earlier for earlier, later in pairwise(stamps)} == {60_000}

    def test_an_interval_of_0_sends_none(self) -> None:
        """1.6 §9.1.19"""
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_INTERVAL: 0})
        bench.charge(seconds=3600)
        assert not bench.sampled

    def test_are_taken_once_after_a_long_sleep(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_INTERVAL: 60})
        bench.charge(seconds=10)
        bench.now = bench.now._replace(mono_s=bench.now.mono_s + 1000, utc_ms=bench.now.utc_ms + 1_000_000)
        bench.advance(5)
        assert len(values(bench, ReadingContext.SAMPLE_PERIODIC)) == 1

    def test_hold_every_configured_measurand_with_every_phase(self) -> None:
        """1.6 §3.16.3"""
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_MEASURANDS: f"{ENERGY},Current.Import,Voltage.L2,Power.Offered"})
        bench.charge(seconds=60)
        assert [(sampled.measurand, sampled.phase) for sampled in bench.sampled] == [
            (ENERGY, None),
            ("Current.Import", "L1"),
            ("Current.Import", "L2"),
            ("Current.Import", "L3"),
            ("Voltage", "L2-N"),
            ("Power.Offered", None),
        ]
        assert [sampled.value for sampled in bench.sampled[1:]] == [16.0, 16.0, 16.0, 230.0, 32.0 * 230 * 3]

    def test_a_single_phase_meter_gives_one(self) -> None:
        bench = Bench(fixed_cable()._replace(phases=1), settings={v.SAMPLED_TX_UPDATED_MEASURANDS: "Current.Import"})
        bench.charge(seconds=60)
        assert [sampled.phase for sampled in bench.sampled] == ["L1"]

    def test_an_empty_list_sends_none(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_MEASURANDS: ""})
        bench.charge(seconds=180)
        assert not bench.sampled

    def test_the_interval_measurand_counts_from_the_value_before(self) -> None:
        """Errata 3.78"""
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_MEASURANDS: "Energy.Active.Import.Interval"})
        bench.charge(seconds=180)
        assert [sampled.value for sampled in bench.sampled] == pytest.approx([16 * 230 * 3 / 60] * 3)

    def test_a_new_interval_counts_at_once(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_UPDATED_INTERVAL: 0})
        bench.charge(seconds=10)
        bench.set(v.SAMPLED_TX_UPDATED_INTERVAL, 20)
        bench.advance(30)
        assert len(values(bench, ReadingContext.SAMPLE_PERIODIC)) == 2

    def test_end_with_the_transaction(self) -> None:
        bench = Bench()
        bench.charge(seconds=60)
        bench.card()
        bench.log.clear()
        bench.advance(600)
        assert not bench.of(ef.ReadMeter)


class TestAligned:
    def test_come_at_the_quarters_of_the_hour(self) -> None:
        """1.6 §3.16.2"""
        bench = Bench(settings={v.ALIGNED_INTERVAL: 900, v.SAMPLED_TX_UPDATED_INTERVAL: 0})
        bench.advance(100)
        bench.plug_in()
        bench.card()
        bench.advance(1900)
        assert values(bench, ReadingContext.SAMPLE_CLOCK) == [
            (START_MS + 900_000, [ENERGY]),
            (START_MS + 1_800_000, [ENERGY]),
        ]
        assert [report.trigger for report in bench.updated if report.values] == [TriggerReason.METER_VALUE_CLOCK] * 2

    def test_bear_the_aligned_moment_though_the_meter_is_slow(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 900, v.SAMPLED_TX_UPDATED_INTERVAL: 900})
        bench.plug_in()
        bench.card()
        bench.hardware[1].late_s = 1.0
        bench.advance(910)
        assert [at_ms for at_ms, _ in values(bench, ReadingContext.SAMPLE_CLOCK)] == [START_MS + 900_000]

    def test_come_without_a_transaction_too(self) -> None:
        """1.6 §4.7: with the id of a transaction only while there is one"""
        bench = Bench(socket(1), socket(2), settings={v.ALIGNED_INTERVAL: 900})
        bench.advance(900)
        reports = bench.of(MeterValuesReport)
        assert [(report.evse_id, report.transaction_id) for report in reports] == [(1, None), (2, None)]
        assert {value.context for value in bench.sampled} == {ReadingContext.SAMPLE_CLOCK}

    def test_an_interval_of_0_sends_none(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 0})
        bench.advance(DAY_MS / 1000)
        assert not bench.sampled

    def test_midnight_begins_the_day_also_when_the_interval_does_not_divide_it(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 7 * 3600})
        bench.advance(24 * 3600)
        stamps = [at_ms - MIDNIGHT_MS for at_ms, _ in values(bench, ReadingContext.SAMPLE_CLOCK)]
        assert [stamp_ms // 3_600_000 for stamp_ms in stamps] == [14, 21, 24, 31]

    def test_a_corrected_clock_makes_up_for_none(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 900})
        bench.advance(10)
        bench.correct_clock(3600)
        bench.advance(1)
        assert not bench.sampled
        bench.advance(900)
        assert [at_ms for at_ms, _ in values(bench, ReadingContext.SAMPLE_CLOCK)] == [START_MS + 4_500_000]

    def test_after_a_long_sleep_the_last_moment_is_told_once(self) -> None:
        bench = Bench(settings={v.ALIGNED_INTERVAL: 900})
        bench.advance(10)
        bench.now = bench.now._replace(mono_s=bench.now.mono_s + 5000, utc_ms=bench.now.utc_ms + 5_000_000)
        bench.advance(1)
        assert [at_ms for at_ms, _ in values(bench, ReadingContext.SAMPLE_CLOCK)] == [START_MS + 4_500_000]

    @given(st.integers(0, 40 * 365 * DAY_MS), st.integers(1, 86_400))
    def test_moments_are_counted_from_midnight(self, utc_ms: int, interval_s: int) -> None:
        """1.6 §9.1.5"""
        last_ms, next_ms = aligned_ms(utc_ms, interval_s), next_aligned_ms(utc_ms, interval_s)
        assert last_ms <= utc_ms < next_ms
        assert last_ms % DAY_MS % (interval_s * 1000) == 0
        assert next_ms % DAY_MS % (interval_s * 1000) == 0
        assert aligned_ms(next_ms, interval_s) == next_ms
        assert next_ms - last_ms <= interval_s * 1000


class TestEndReport:
    """transactionData of 1.6 §4.10"""

    def test_nothing_is_collected_by_default(self) -> None:
        """1.6 §3.16.5"""
        bench = Bench()
        bench.charge(seconds=200)
        bench.card()
        assert not bench.data

    def test_holds_begin_periodic_aligned_and_end(self) -> None:
        """Errata 3.14: always the start and stop values of every measurand configured"""
        bench = Bench(
            settings={
                v.SAMPLED_TX_ENDED_MEASURANDS: ENERGY,
                v.ALIGNED_TX_ENDED_MEASURANDS: "Voltage.L1",
                v.SAMPLED_TX_UPDATED_INTERVAL: 60,
                v.ALIGNED_INTERVAL: 100,
            }
        )
        bench.charge(seconds=110)
        bench.card()
        assert [(value.context, value.measurand) for value in bench.data] == [
            (ReadingContext.TRANSACTION_BEGIN, ENERGY),
            (ReadingContext.TRANSACTION_BEGIN, "Voltage"),
            (ReadingContext.SAMPLE_PERIODIC, ENERGY),
            (ReadingContext.SAMPLE_CLOCK, "Voltage"),
            (ReadingContext.TRANSACTION_END, ENERGY),
            (ReadingContext.TRANSACTION_END, "Voltage"),
        ]

    def test_is_collected_before_the_end_is_told(self) -> None:
        bench = Bench(settings={v.SAMPLED_TX_ENDED_MEASURANDS: ENERGY})
        bench.charge(seconds=30)
        bench.card()
        last_kept = max(n for n, output in enumerate(bench.log) if isinstance(output, ef.SaveTransactionData))
        assert last_kept < bench.log.index(bench.ended[0])


def test_a_reading_that_nobody_asked_for_ends_nothing() -> None:
    bench = Bench()
    bench.charge(seconds=30)
    bench.apply(ev.MeterRead(1, ef.ReadPurpose.END, bench.now.utc_ms, MeterReading(bench.now.utc_ms, 1100.0)))
    assert bench.charging()
    assert not bench.ended


class TestSample:
    def test_leaves_out_what_the_meter_does_not_measure(self) -> None:
        value = sample(
            MeterReading(0, 5.0), ["SoC", "Voltage", ENERGY], ReadingContext.OTHER, at_ms=7, offer=Offer(0, 0)
        )
        assert value == MeterValue(7, (SampledValue(5.0, ENERGY, ReadingContext.OTHER, None, "Wh"),))

    def test_has_nothing_to_say_without_any(self) -> None:
        assert sample(MeterReading(0, 5.0), ["SoC"], ReadingContext.OTHER, at_ms=7, offer=Offer(0, 0)) is None
