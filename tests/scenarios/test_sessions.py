"""One driver, one fixed cable: every order in which a session can begin, pause and end (1.6 §4.8..§4.10)."""

from __future__ import annotations

import pytest

from agent.bench.answers import Delay
from agent.bench.mock_client import State

from .site import CARD, OTHER_CARD, Site, apart


async def test_plug_first_then_card_then_card_again(site: Site) -> None:
    await site.op("set_meter", energy=1234.0)
    start = await site.charge()
    assert start.payload["meterStart"] == 1234
    assert (await site.hardware(lambda evse: evse["drawn_current"]))["contactor"] == "closed"
    await site.delivers(250)
    await site.swipe()
    stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    assert (stop.payload["idTag"], stop.payload["reason"]) == (CARD, "Local")
    assert 1484 <= stop.payload["meterStop"] < 1490
    assert "transactionData" not in stop.payload  # §3.16.5: nothing is configured to be in it
    assert (await site.hardware(lambda evse: evse["offered_current"] == 0))["contactor"] == "open"
    await site.shows(1, "Finishing")
    await site.plug_out()
    await site.shows(1, "Available")
    await site.settled()
    assert site.statuses(1) == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    assert len(site.station.calls("Authorize")) == 1  # §4.1: who started it needs no leave to stop it
    site.csms.ledger.assert_clean()


async def test_card_first_then_plug_then_the_cable_is_pulled(site: Site) -> None:
    await site.swipe()
    await site.shows(1, "Preparing")
    assert not site.station.calls("StartTransaction")  # there is no EV yet
    await site.plug_in()
    await site.wait_for("StartTransaction", idTag=CARD)
    await site.shows(1, "Charging")
    await site.plug_out()
    stop = await site.wait_for("StopTransaction", reason="EVDisconnected")
    assert "idTag" not in stop.payload  # §4.10: nobody showed one
    await site.shows(1, "Available")
    await site.settled()
    assert site.statuses(1) == ["Available", "Preparing", "Charging", "Available"]  # C1
    site.csms.ledger.assert_clean()


async def test_the_second_swipe_withdraws_the_first(site: Site) -> None:
    await site.swipe()
    await site.shows(1, "Preparing")
    await site.swipe()
    await site.shows(1, "Available")  # B1
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.settled()
    assert not site.station.calls("StartTransaction")


async def test_a_plug_that_leaves_before_the_card_ends_the_intent(site: Site) -> None:
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.plug_out()
    await site.shows(1, "Available")  # B1
    await site.settled()
    assert not site.station.calls("Authorize")


@pytest.mark.evse_agent(keys={"ConnectionTimeOut": 1})
async def test_a_card_without_a_car_times_out(site: Site) -> None:
    await site.swipe()
    preparing = await site.shows(1, "Preparing")
    available = await site.shows(1, "Available")  # B1, §9.1.6
    assert apart(preparing, available, 1)
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.settled()
    assert not site.station.calls("StartTransaction")


@pytest.mark.evse_agent(keys={"ConnectionTimeOut": 1})
async def test_a_car_without_a_card_times_out_and_may_begin_anew(site: Site) -> None:
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.shows(1, "Finishing")  # B6 (errata 3.20)
    await site.swipe()
    await site.wait_for("StartTransaction", idTag=CARD)  # F2
    await site.shows(1, "Charging")


@pytest.mark.evse_agent(keys={"ConnectionTimeOut": 1})
async def test_a_driver_does_not_time_out_while_the_csms_thinks(site: Site) -> None:
    site.csms.on("Authorize", Delay(1.5))
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.swipe()
    await site.wait_for("StartTransaction", idTag=CARD)
    await site.shows(1, "Charging")
    assert site.statuses(1) == ["Available", "Preparing", "Charging"]


async def test_the_car_may_leave_while_the_csms_thinks(site: Site) -> None:
    site.csms.on("Authorize", Delay(0.3))
    await site.plug_in()
    await site.swipe()
    await site.wait_for("Authorize", idTag=CARD)
    await site.plug_out()
    await site.shows(1, "Available")
    await site.shows(1, "Preparing")  # the card counts, there is only no car
    assert not site.station.calls("StartTransaction")
    await site.plug_in()
    await site.wait_for("StartTransaction", idTag=CARD)


async def test_a_car_pauses_and_resumes(site: Site) -> None:
    start = await site.charge()
    await site.op("pause")
    await site.shows(1, "SuspendedEV")  # C4
    await site.hardware(lambda evse: evse["contactor"] == "open" and evse["offered_current"] == 32.0)
    await site.op("resume")
    await site.shows(1, "Charging")  # D3
    await site.op("pause")
    await site.shows(1, "SuspendedEV")
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")
    await site.shows(1, "Finishing")  # D6
    site.csms.ledger.assert_clean()


async def test_a_car_that_is_not_ready_is_suspended_from_the_start(site: Site) -> None:
    await site.plug_in(ready_after=None)
    await site.swipe()
    await site.wait_for("StartTransaction", idTag=CARD)
    await site.shows(1, "SuspendedEV")  # B4
    await site.op("resume")
    await site.shows(1, "Charging")
    assert site.statuses(1) == ["Available", "Preparing", "SuspendedEV", "Charging"]


@pytest.mark.evse_agent(keys={"StopTransactionOnEVSideDisconnect": False})
async def test_a_car_may_leave_and_come_back_if_so_configured(site: Site) -> None:
    start = await site.charge()
    await site.plug_out()
    await site.shows(1, "SuspendedEV", errorCode="NoError", info="EV side disconnected")
    await site.hardware(lambda evse: evse["contactor"] == "open")
    await site.plug_in()
    await site.shows(1, "Charging")
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")
    site.csms.ledger.assert_clean()


async def test_the_next_session_begins_at_the_register_where_the_last_one_ended(site: Site) -> None:
    first = await site.charge()
    await site.delivers(100)
    await site.swipe()
    stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(first))
    await site.shows(1, "Finishing")
    await site.swipe(OTHER_CARD)  # F2: the plug has stayed
    second = await site.wait_for("StartTransaction", idTag=OTHER_CARD)
    await site.shows(1, "Charging")
    assert second.payload["meterStart"] == stop.payload["meterStop"]  # errata 3.78: registers are not re-based
    await site.plug_out()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(second), reason="EVDisconnected")
    await site.shows(1, "Available")
    site.csms.ledger.assert_clean()


async def test_a_card_swiped_twice_in_haste_is_asked_for_once(site: Site) -> None:
    site.csms.on_next("Authorize", Delay(0.3))
    await site.plug_in()
    await site.swipe()
    await site.swipe()
    await site.shows(1, "Charging")
    await site.settled()
    assert len(site.station.calls("Authorize")) == 1
    site.csms.ledger.assert_clean(running=1)


async def test_the_driver_reads_what_goes_on(site: Site) -> None:
    async def looks(pattern: str, line: str) -> None:
        def so(state: State) -> bool:
            return state["indicator"]["1"]["pattern"] == pattern and any(line in shown for shown in state["display"])

        await site.agent.mock.wait_until(so, evse=None)

    await looks("available", "free")
    await site.plug_in()
    await looks("occupied", "card")
    await site.swipe()
    await looks("charging", "charging")
    await site.op("pause")
    await looks("suspended", "paused")
    await site.swipe()
    await looks("finished", "unplug")
