"""Meter values: when, of what, in which context (1.6 §3.16, §4.7, §9.1; errata 3.14, 3.15)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agent.bench.messages import Message

from .site import Site, apart

REGISTER = "Energy.Active.Import.Register"


def sampled(payload: dict[str, Any]) -> list[dict[str, str]]:
    (value,) = payload["meterValue"]
    values: list[dict[str, str]] = value["sampledValue"]
    return values


def stamp(message: Message) -> datetime:
    return datetime.fromisoformat(message.payload["meterValue"][0]["timestamp"])


def contexts(stop: dict[str, Any]) -> list[str]:
    return [value["sampledValue"][0]["context"] for value in stop["transactionData"]]


@pytest.mark.evse_agent(keys={"MeterValueSampleInterval": 1})
async def test_samples_come_at_their_interval_for_as_long_as_the_transaction_runs(site: Site) -> None:
    start = await site.charge()
    values = [await site.wait_for("MeterValues", connectorId=1) for _ in range(3)]
    assert apart(values[0], values[2], 2)
    for message in values:
        assert message.payload["transactionId"] == site.transaction_id(start)
        (value,) = sampled(message.payload)
        assert (value["measurand"], value["context"], value["unit"]) == (REGISTER, "Sample.Periodic", "Wh")
    registers = [float(sampled(message.payload)[0]["value"]) for message in values]
    assert registers == sorted(registers)
    took_h = (stamp(values[2]) - stamp(values[0])).total_seconds() / 3600
    assert registers[2] - registers[0] == pytest.approx(32 * 3 * 230 * took_h, rel=0.1, abs=2)
    await site.configure(MeterValueSampleInterval=0)
    await site.settled()
    count = len(site.station.calls("MeterValues"))
    await site.configure(HeartbeatInterval=2)
    await site.wait_for("Heartbeat", timeout_s=5)
    assert len(site.station.calls("MeterValues")) == count
    await site.swipe()
    await site.wait_for("StopTransaction")
    site.csms.ledger.assert_clean()


@pytest.mark.evse_agent(
    keys={
        "MeterValueSampleInterval": 1,
        "MeterValuesSampledData": f"{REGISTER},Current.Import,Voltage.L2,Power.Active.Import,Current.Offered,SoC",
    }
)
async def test_measurands_with_their_phases_and_units(site: Site) -> None:
    await site.op("set_meter", soc=55)
    await site.charge(current=16)
    await site.hardware(lambda evse: evse["drawn_current"] == 16)
    values = sampled((await site.wait_for("MeterValues", connectorId=1)).payload)
    assert [(value["measurand"], value.get("phase"), value["unit"]) for value in values] == [
        (REGISTER, None, "Wh"),
        *(("Current.Import", phase, "A") for phase in ("L1", "L2", "L3")),
        ("Voltage", "L2-N", "V"),
        ("Power.Active.Import", None, "W"),
        *(("Power.Active.Import", phase, "W") for phase in ("L1", "L2", "L3")),
        ("Current.Offered", None, "A"),
        ("SoC", None, "Percent"),
    ]
    shown = {(value["measurand"], value.get("phase")): value["value"] for value in values}
    assert shown["Current.Import", "L1"] == "16"
    assert shown["Voltage", "L2-N"] == "230"
    assert shown["Power.Active.Import", None] == "11040"
    assert shown["Current.Offered", None] == "32"
    assert shown["SoC", None] == "55"
    assert values[-1]["location"] == "EV"


@pytest.mark.evse_agent(evses=2, keys={"ClockAlignedDataInterval": 2, "MeterValuesAlignedData": f"{REGISTER},Voltage"})
async def test_aligned_values_come_from_every_connector_at_moments_of_the_clock(site: Site) -> None:
    for connector in (1, 2):
        message = await site.wait_for("MeterValues", connectorId=connector)
        assert "transactionId" not in message.payload
        assert {value["context"] for value in sampled(message.payload)} == {"Sample.Clock"}
    start = await site.charge(evse=2)
    message = await site.wait_for("MeterValues", connectorId=2, transactionId=site.transaction_id(start))
    for each in site.station.calls("MeterValues"):
        assert (stamp(each).second % 2, stamp(each).microsecond) == (0, 0)
    assert not [each for each in site.station.calls("MeterValues", connectorId=1) if "transactionId" in each.payload]
    await site.configure(ClockAlignedDataInterval=0, HeartbeatInterval=3)
    await site.settled()
    count = len(site.station.calls("MeterValues"))
    await site.wait_for("Heartbeat")
    assert len(site.station.calls("MeterValues")) == count


@pytest.mark.evse_agent(
    keys={
        "MeterValueSampleInterval": 1,
        "ClockAlignedDataInterval": 1,
        "StopTxnSampledData": f"{REGISTER},Voltage",
        "StopTxnAlignedData": REGISTER,
        "MeterValuesSampledData": "",
        "MeterValuesAlignedData": "",
    }
)
async def test_the_stop_holds_what_it_is_configured_to(site: Site) -> None:
    start = await site.charge()
    await site.configure(HeartbeatInterval=3)
    await site.wait_for("Heartbeat")
    await site.swipe()
    stop = (await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))).payload
    found = contexts(stop)
    assert found[0] == "Transaction.Begin"
    assert found[-1] == "Transaction.End"
    assert set(found[1:-1]) == {"Sample.Periodic", "Sample.Clock"}
    assert found.count("Sample.Periodic") >= 2
    for value in stop["transactionData"]:
        measurands = {each["measurand"] for each in value["sampledValue"]}
        aligned = value["sampledValue"][0]["context"] == "Sample.Clock"
        assert measurands == ({REGISTER} if aligned else {REGISTER, "Voltage"})
    stamps = [value["timestamp"] for value in stop["transactionData"]]
    assert stamps[0] == start.payload["timestamp"]
    assert stamps[-1] == stop["timestamp"]
    assert not site.station.calls("MeterValues")  # nothing is configured to be in them
    site.csms.ledger.assert_clean()


@pytest.mark.evse_agent(
    keys={"MeterValueSampleInterval": 1, "StopTxnSampledData": REGISTER, "StopTransactionMaxMeterValues": 4}
)
async def test_the_stop_keeps_its_first_and_last_value_whatever_it_must_drop(site: Site) -> None:
    start = await site.charge()
    for _ in range(5):
        await site.wait_for("MeterValues", connectorId=1)
    await site.swipe()
    stop = (await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))).payload
    found = contexts(stop)
    assert (found[0], found[-1]) == ("Transaction.Begin", "Transaction.End")
    assert 2 <= len(found) <= 4  # errata 3.91


async def test_a_register_that_goes_back_does_not_reach_the_bill(site: Site) -> None:
    await site.op("set_meter", energy=5000.0)
    await site.charge()
    await site.op("set_meter", energy=10.0)
    await site.swipe()
    stop = await site.wait_for("StopTransaction")
    assert stop.payload["meterStop"] >= 5000  # errata 3.78: registers are monotonic
    site.csms.ledger.assert_clean()


async def test_a_start_waits_for_the_first_true_reading(site: Site) -> None:
    await site.op("set_meter", energy=777.0)
    await site.op("fail", part="meter", mode="garbage")
    await site.plug_in()
    await site.swipe()
    await site.shows(1, "Preparing", errorCode="PowerMeterFailure")
    await site.settled()
    assert not site.station.calls("StartTransaction")
    assert (await site.agent.mock.evse())["contactor"] == "open"
    await site.op("fail", part="meter", mode=None)
    start = await site.wait_for("StartTransaction", timeout_s=10)
    assert start.payload["meterStart"] == 777
    await site.shows(1, "Charging", errorCode="NoError")
