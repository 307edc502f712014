"""Faults as they are shown, what they stop, and how they pass (1.6 §4.9, §7.6)."""

from __future__ import annotations

import pytest

from agent.bench.messages import Message
from hal.faults import FAULTS, FaultCode

from .site import CARD, Site, apart

BLOCKING = [code for code in FaultCode if FAULTS[code].opens_contactor]
REPORTED = [FaultCode.WEAK_SIGNAL, FaultCode.READER_FAILURE]


async def power_off(site: Site, evse: int = 1) -> None:
    await site.hardware(lambda state: state["contactor"] == "open" and state["offered_current"] == 0, evse)


class TestTheCatalogue:
    async def test_every_blocking_fault_takes_a_free_connector_out_of_service(self, site: Site) -> None:
        for code in BLOCKING:
            await site.op("fault", error=code, vendor_code="X42", info="seen in the field")
            message = await site.shows(1, "Faulted", errorCode=code, vendorErrorCode="X42", info="seen in the field")
            assert message.payload["vendorId"] == "Bench"
            await site.op("clear_fault", error=code)
            await site.shows(1, "Available", errorCode="NoError")
        await site.settled()
        assert site.statuses(0) == ["Available"]

    async def test_every_blocking_fault_interrupts_the_session_that_goes_on_afterwards(self, site: Site) -> None:
        await site.charge()
        for code in BLOCKING:
            await site.op("fault", error=code)
            await site.shows(1, "Faulted", errorCode=code)
            await power_off(site)
            await site.op("clear_fault", error=code)
            await site.shows(1, "Charging", errorCode="NoError")
        await site.swipe()
        await site.wait_for("StopTransaction", reason="Local")
        site.csms.ledger.assert_clean()

    @pytest.mark.parametrize("code", REPORTED)
    async def test_some_are_only_reported(self, site: Site, code: FaultCode) -> None:
        await site.charge()
        await site.op("fault", evse=0, error=code)
        await site.shows(0, "Available", errorCode=code)
        await site.op("fault", evse=1, error=code)
        await site.shows(1, "Charging", errorCode=code)
        assert (await site.agent.mock.evse())["contactor"] == "closed"
        await site.op("clear_fault", evse=1, error=code)
        await site.shows(1, "Charging", errorCode="NoError")
        await site.op("clear_fault", evse=0, error=code)
        await site.shows(0, "Available", errorCode="NoError")


class TestDuringASession:
    async def test_the_driver_can_stop_and_leave(self, site: Site) -> None:
        start = await site.charge()
        await site.op("fault", error="GroundFailure")
        await site.shows(1, "Faulted")
        await site.swipe()
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")
        await site.plug_out()
        await site.op("clear_fault", error="GroundFailure")
        await site.shows(1, "Available")
        site.csms.ledger.assert_clean()

    async def test_two_at_once_are_over_when_both_are(self, site: Site) -> None:
        await site.charge()
        await site.op("fault", error="GroundFailure")
        await site.op("fault", error="HighTemperature")
        await site.shows(1, "Faulted", errorCode="HighTemperature")
        await site.op("clear_fault", error="HighTemperature")
        await site.shows(1, "Faulted", errorCode="GroundFailure")
        await power_off(site)
        await site.op("clear_fault", error="GroundFailure")
        await site.shows(1, "Charging")

    async def test_nobody_starts_before_it_is_over(self, site: Site) -> None:
        await site.op("fault", error="OverVoltage")
        await site.plug_in()
        await site.swipe()
        await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
        await site.op("clear_fault", error="OverVoltage")
        await site.shows(1, "Preparing")
        await site.settled()
        assert not site.station.calls("StartTransaction")
        await site.swipe()
        await site.wait_for("StartTransaction", idTag=CARD)


@pytest.mark.evse_agent(evses=2)
async def test_a_fault_of_the_station_is_one_of_every_connector(site: Site) -> None:
    await site.charge(evse=1)
    await site.op("fault", evse=0, error="UnderVoltage")
    for connector in (0, 1, 2):
        await site.shows(connector, "Faulted", errorCode="UnderVoltage")
    await power_off(site)
    await site.op("clear_fault", evse=0, error="UnderVoltage")
    await site.shows(0, "Available")
    await site.shows(1, "Charging")
    await site.shows(2, "Available")


@pytest.mark.evse_agent(evses=2)
async def test_the_stop_button_ends_every_transaction(site: Site) -> None:
    starts = [await site.charge(evse=evse) for evse in (1, 2)]
    await site.op("emergency_stop", pressed=True)
    for evse in (1, 2):
        await power_off(site, evse)
    for start in starts:
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="EmergencyStop")
    for connector in (0, 1, 2):
        await site.shows(connector, "Faulted", vendorErrorCode="EmergencyStop")
    assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
    await site.op("emergency_stop", pressed=False)
    await site.shows(0, "Available")
    await site.shows(1, "Finishing")
    await site.shows(2, "Finishing")
    site.csms.ledger.assert_clean()
    await site.swipe(evse=2)
    await site.wait_for("StartTransaction", connectorId=2)


async def test_the_opened_door_is_a_security_event_and_no_fault(site: Site) -> None:
    await site.charge()
    await site.op("tamper", open=True)
    await site.settled()
    assert site.statuses(1)[-1] == "Charging"
    assert site.statuses(0) == ["Available"]
    assert "TamperDetectionActivated" in site.agent.log


class TestMeter:
    """§7.6 PowerMeterFailure: reported; charging goes on unmetered for no longer than MeterFailureGrace."""

    failing = pytest.mark.parametrize("mode", ["timeout", "error", "garbage"])
    grace = pytest.mark.evse_agent(keys={"MeterValueSampleInterval": 1, "MeterFailureGrace": 3})

    @grace
    @failing
    async def test_a_dead_meter_ends_the_session_with_what_it_last_said(self, site: Site, mode: str) -> None:
        start = await site.charge()
        await site.delivers(200)
        value = await site.wait_for("MeterValues", connectorId=1, where=lambda message: _register(message) >= 200)
        await site.op("fail", part="meter", mode=mode)
        failed = await site.shows(1, "Charging", errorCode="PowerMeterFailure")
        assert (await site.agent.mock.evse())["contactor"] == "closed"
        stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Other")
        assert apart(failed, stop, 3)
        assert stop.payload["meterStop"] >= int(_register(value))
        await power_off(site)
        await site.op("fail", part="meter", mode=None)
        await site.shows(1, "Finishing", errorCode="NoError")
        site.csms.ledger.assert_clean()

    @grace
    async def test_one_that_comes_back_in_time_is_forgiven(self, site: Site) -> None:
        await site.charge()
        await site.op("fail", part="meter", mode="error")
        await site.shows(1, "Charging", errorCode="PowerMeterFailure")
        await site.op("fail", part="meter", mode=None)
        await site.shows(1, "Charging", errorCode="NoError")
        since = len(site.station.messages)
        for _ in range(2):
            await site.wait_for("MeterValues", where=lambda message: message in site.station.messages[since:])
        site.csms.ledger.assert_clean(running=1)


def _register(message: Message) -> float:
    return float(message.payload["meterValue"][0]["sampledValue"][0]["value"])


class TestContactor:
    """§7.6 PowerSwitchFailure."""

    async def test_welded_contacts_are_noticed_at_the_end_and_mended(self, site: Site) -> None:
        start = await site.charge()
        await site.op("weld", stuck=True)
        await site.swipe()
        await site.shows(1, "Faulted", errorCode="PowerSwitchFailure", vendorErrorCode="ContactorWelded")
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")
        assert (await site.agent.mock.evse())["contactor"] == "welded"
        await site.op("weld", stuck=False)
        await site.shows(1, "Finishing", errorCode="NoError")
        site.csms.ledger.assert_clean()

    @pytest.mark.evse_agent(evse={"connectors": ["sType2"]})
    async def test_a_cable_stays_locked_while_they_are_welded(self, site: Site) -> None:
        await site.charge()
        await site.op("weld", stuck=True)
        await site.swipe()
        await site.shows(1, "Faulted", errorCode="PowerSwitchFailure")
        assert await site.asked("UnlockConnector", connectorId=1) == "UnlockFailed"
        assert (await site.agent.mock.evse())["lock"] == "locked"
        await site.op("weld", stuck=False)
        await site.shows(1, "Finishing")
        assert await site.asked("UnlockConnector", connectorId=1) == "Unlocked"

    @pytest.mark.parametrize("mode", ["timeout", "error"])
    async def test_one_that_does_not_answer_is_found_by_the_check_before_a_session(self, site: Site, mode: str) -> None:
        await site.op("fail", part="contactor", mode=mode)
        await site.plug_in()
        await site.swipe()
        await site.shows(1, "Faulted", errorCode="PowerSwitchFailure", vendorErrorCode="ContactorLost")
        await power_off(site)
        await site.op("fail", part="contactor", mode=None)
        await site.shows(1, "Charging", errorCode="NoError", timeout_s=10)


class TestPilotAndReader:
    @pytest.mark.parametrize("mode", ["timeout", "error", "garbage"])
    async def test_a_lost_pilot_is_a_fault_at_once(self, site: Site, mode: str) -> None:
        await site.charge()
        await site.op("fail", part="pilot", mode=mode)
        await site.hardware(lambda state: state["contactor"] == "open")
        await site.shows(1, "Faulted", errorCode="InternalError", vendorErrorCode="PilotLost")
        await site.op("fail", part="pilot", mode=None)
        await site.shows(1, "Charging", errorCode="NoError", timeout_s=10)

    async def test_a_car_that_leaves_while_the_pilot_is_lost_has_left_when_it_is_back(self, site: Site) -> None:
        start = await site.charge()
        await site.op("fail", part="pilot", mode="error")
        await site.shows(1, "Faulted")
        await site.plug_out()
        await site.op("fail", part="pilot", mode=None)
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="EVDisconnected")
        await site.shows(1, "Available", errorCode="NoError")
        site.csms.ledger.assert_clean()

    async def test_a_dead_reader_is_only_reported(self, site: Site) -> None:
        await site.op("fail", part="reader", mode="error")
        await site.shows(0, "Available", errorCode="ReaderFailure")
        await site.plug_in()
        await site.shows(1, "Preparing")
        await site.swipe()  # nobody reads it
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await site.shows(1, "Charging")
        assert not site.station.calls("Authorize")
        await site.op("fail", part="reader", mode=None)
        await site.shows(0, "Available", errorCode="NoError")
