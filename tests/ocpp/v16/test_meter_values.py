"""MeterValues and the MeterValue type (1.6 §4.7, §6.31, §7.30..7.35, §7.43, §7.45)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.charging import variables as v
from agent.charging.meter_values import MEASURANDS, MeterReading, MeterValue, Offer, sample
from agent.charging.reports import MeterValuesReport
from agent.charging.types import ReadingContext
from agent.ocpp.adapter import Payload

from ...charging.harness import socket
from .rig import AT, AT_MS, Rig, two_sockets
from .samples import REGISTER, meter_value, sampled, updated

FULL = MeterReading(
    AT_MS,
    energy_import_wh=1234.9,
    energy_export_wh=5.9,
    power_import_w=11_040.25,
    power_export_w=0.0,
    power_phase_w=(3680.0, 3680.5, 3679.75),
    current_a=(16.0, 16.125, 15.9),
    voltage_v=(230.1, 229.9, 230.0),
    frequency_hz=49.98,
    power_factor=0.99,
    reactive_power_import_var=12.0,
    reactive_power_export_var=0.0,
    reactive_energy_import_varh=77.7,
    reactive_energy_export_varh=0.0,
    soc_percent=80.0,
    temperature_celsius=-4.5,
)


@dataclass(frozen=True)
class Said:
    """A SampledValue without its context."""

    value: str
    phase: str | None = None
    unit: str | None = None
    location: str = "Outlet"


def per_phase(unit: str, values: tuple[str, str, str], phases: str = "L1 L2 L3") -> list[Said]:
    return [Said(value, phase, unit) for value, phase in zip(values, phases.split(), strict=True)]


SAID = {
    "Energy.Active.Import.Register": [Said("1234", unit="Wh")],
    "Energy.Active.Export.Register": [Said("5", unit="Wh")],
    "Energy.Reactive.Import.Register": [Said("77", unit="varh")],
    "Energy.Reactive.Export.Register": [Said("0", unit="varh")],
    "Energy.Active.Import.Interval": [Said("34.9", unit="Wh")],
    "Power.Active.Import": [
        Said("11040.25", unit="W"),
        *per_phase("W", ("3680", "3680.5", "3679.75")),
    ],
    "Power.Active.Export": [Said("0", unit="W")],
    "Power.Reactive.Import": [Said("12", unit="var")],
    "Power.Reactive.Export": [Said("0", unit="var")],
    "Power.Factor": [Said("0.99")],
    "Power.Offered": [Said("22080", unit="W")],
    "Current.Import": per_phase("A", ("16", "16.125", "15.9")),
    "Current.Offered": [Said("32", unit="A")],
    "Voltage": per_phase("V", ("230.1", "229.9", "230"), "L1-N L2-N L3-N"),
    "Frequency": [Said("49.98")],  # errata 3.86: hertz, for which 1.6 has no unit
    "SoC": [Said("80", unit="Percent", location="EV")],
    "Temperature": [Said("-4.5", unit="Celsius", location="Body")],
}


def outside(*values: MeterValue, **fields: Any) -> MeterValuesReport:
    return MeterValuesReport(**{"evse_id": 1, "connector_id": 1, "values": values or (meter_value(),), **fields})


@pytest.fixture
def rig() -> Rig:
    rig = Rig(two_sockets(1), socket(2))
    rig.ids.csms_ids["tx1"] = "42"
    return rig


def only_value(payload: Payload) -> Payload:
    (value,) = payload["meterValue"]
    (single,) = value["sampledValue"]
    assert isinstance(single, dict)
    return single


class TestSampledValue:
    def test_every_measurand_of_the_core_is_expected_here(self) -> None:
        assert SAID.keys() == MEASURANDS

    @pytest.mark.parametrize("measurand", sorted(SAID))
    def test_value_phase_unit_and_location(self, rig: Rig, measurand: str) -> None:
        """§7.30, §7.31, §7.34, §7.45"""
        value = sample(
            FULL,
            [measurand],
            ReadingContext.SAMPLE_PERIODIC,
            at_ms=AT_MS,
            offer=Offer(32.0, 22_080.0),
            interval_start_wh=1200.0,
        )
        assert value is not None
        (sent,) = rig.payload(outside(value))["meterValue"]
        assert {single["measurand"] for single in sent["sampledValue"]} == {measurand}
        said = [
            Said(single["value"], single.get("phase"), single.get("unit"), single["location"])
            for single in sent["sampledValue"]
        ]
        assert said == SAID[measurand]

    @pytest.mark.parametrize("context", list(ReadingContext))
    def test_every_context_is_one_of_16(self, rig: Rig, context: ReadingContext) -> None:
        """§7.35"""
        assert only_value(rig.payload(outside(meter_value(sampled(context=context)))))["context"] == context.value

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0.0, "0"),
            (-0.0, "0"),
            (-0.0001, "0"),
            (0.0004, "0"),
            (0.1 + 0.2, "0.3"),
            (-1.5, "-1.5"),
            (100.0, "100"),
            (1e-9, "0"),
            (123_456_789.125, "123456789.125"),
            (1e16, "10000000000000000"),
            (7, "7"),
        ],
    )
    def test_a_number_is_written_as_every_parser_takes_it(self, rig: Rig, number: float, text: str) -> None:
        """§7.43: decimal; no exponent, no minus zero, no trailing zeros"""
        assert only_value(rig.payload(outside(meter_value(sampled(number, "Voltage", unit="V")))))["value"] == text

    @given(st.floats(-1e9, 1e9))
    def test_a_number_is_right_to_half_a_thousandth(self, number: float) -> None:
        text = only_value(RIG.payload(outside(meter_value(sampled(number, "Voltage", unit="V")))))["value"]
        assert abs(Decimal(text) - Decimal(number)) <= Decimal("0.0005")
        assert "e" not in text.lower()

    @given(st.floats(0, 1e12), st.floats(0, 1e12))
    def test_a_register_never_exceeds_the_stop_after_it(self, one_wh: float, other_wh: float) -> None:
        """§7.31: monotonic, and meterStop is an integer"""
        earlier_wh, later_wh = sorted((one_wh, other_wh))
        sent = only_value(RIG.payload(updated(sampled(earlier_wh))))["value"]
        stop = RIG.payload(updated(sampled(later_wh)))
        assert int(sent) <= int(only_value(stop)["value"]) == int(later_wh)
        assert str(int(sent)) == sent


RIG = Rig()


class TestMeterValue:
    def test_says_when_and_keeps_the_order(self, rig: Rig) -> None:
        """§7.33"""
        first = meter_value(sampled(1.0), sampled(2.0, "Voltage", phase="L1-N", unit="V"))
        second = meter_value(sampled(3.0), at_ms=AT_MS + 1)
        values = rig.payload(outside(first, second))["meterValue"]
        assert [value["timestamp"] for value in values] == [AT, "2024-01-01T00:00:00.251Z"]
        assert [single["value"] for single in values[0]["sampledValue"]] == ["1", "2"]

    @pytest.mark.parametrize(("evse_id", "connector_id", "number"), [(1, 1, 1), (1, 2, 2), (2, 1, 3)])
    def test_names_the_connector(self, rig: Rig, evse_id: int, connector_id: int, number: int) -> None:
        """§3.8"""
        report = outside(evse_id=evse_id, connector_id=connector_id)
        assert rig.payload(report)["connectorId"] == number


class TestTransactionId:
    def test_there_is_none_outside_a_transaction(self, rig: Rig) -> None:
        """§4.7"""
        assert "transactionId" not in rig.payload(outside())

    @pytest.mark.parametrize("triggered", [True, False])
    def test_is_the_csmss(self, rig: Rig, triggered: bool) -> None:
        assert rig.payload(outside(transaction_id="tx1", triggered=triggered))["transactionId"] == 42

    def test_there_is_none_before_the_csms_has_named_the_transaction(self, rig: Rig) -> None:
        """Asked for while the start still waits: not -1, as the id will come."""
        assert "transactionId" not in rig.payload(outside(transaction_id="tx2", triggered=True))

    def test_is_minus_1_where_the_csms_never_named_it(self, rig: Rig) -> None:
        """Errata 3.18: in its turn after a start that was given up"""
        assert rig.payload(updated(sampled(), transaction_id="tx2"))["transactionId"] == -1


class TestFromTheMeter:
    def test_periodic_aligned_and_triggered_differ_in_context_only(self) -> None:
        rig = Rig(
            settings={
                v.SAMPLED_TX_UPDATED_INTERVAL: 60,
                v.SAMPLED_TX_UPDATED_MEASURANDS: REGISTER,
                v.ALIGNED_INTERVAL: 60,
                v.ALIGNED_MEASURANDS: REGISTER,
            }
        )
        rig.charge(seconds=1)
        rig.start_taken(7)
        rig.log.clear()
        rig.advance(60)
        rig.ask("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
        calls = rig.take([*rig.updated, *rig.of(MeterValuesReport)])
        assert {call.payload["transactionId"] for call in calls} == {7}
        contexts = {only_value(call.payload)["context"] for call in calls}
        assert contexts == {"Sample.Periodic", "Sample.Clock", "Trigger"}

    def test_aligned_ones_go_on_between_the_sessions(self) -> None:
        """§3.16.2"""
        rig = Rig(settings={v.ALIGNED_INTERVAL: 60, v.ALIGNED_MEASURANDS: REGISTER})
        rig.advance(61)
        (call,) = rig.take(rig.of(MeterValuesReport))
        assert only_value(call.payload)["context"] == "Sample.Clock"
        assert "transactionId" not in call.payload
