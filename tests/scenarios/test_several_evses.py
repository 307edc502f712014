"""Several EVSEs and several connectors at one, numbered in one sequence (1.6 §3.8), and readers that serve them all."""

from __future__ import annotations

import pytest

from .site import CARD, OTHER_CARD, Site

two_evses = pytest.mark.evse_agent(evses=2)
two_connectors = pytest.mark.evse_agent(evses=2, evse={"connectors": ["cType2", "sType2"]})


@two_evses
async def test_two_sessions_at_once_with_one_reader(site: Site) -> None:
    await site.plug_in(1)
    await site.shows(1, "Preparing")
    await site.swipe(CARD)
    first = await site.wait_for("StartTransaction", idTag=CARD)
    await site.plug_in(2)
    await site.shows(2, "Preparing")
    await site.swipe(OTHER_CARD)
    second = await site.wait_for("StartTransaction", idTag=OTHER_CARD)
    assert (first.payload["connectorId"], second.payload["connectorId"]) == (1, 2)
    await site.shows(1, "Charging")
    await site.shows(2, "Charging")
    await site.swipe(CARD)
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(first), idTag=CARD)
    await site.swipe(OTHER_CARD)
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(second), idTag=OTHER_CARD)
    await site.shows(1, "Finishing")
    await site.shows(2, "Finishing")
    site.csms.ledger.assert_clean()


@two_evses
async def test_a_card_shown_first_is_for_the_evse_that_its_owner_plugs_into(site: Site) -> None:
    await site.swipe()
    await site.wait_for("Authorize", idTag=CARD)
    await site.settled()
    assert site.statuses(1) == site.statuses(2) == ["Available"]  # nobody knows yet which
    await site.plug_in(2)
    await site.wait_for("StartTransaction", connectorId=2, idTag=CARD)
    await site.shows(2, "Charging")
    await site.plug_in(1)
    await site.shows(1, "Preparing")
    await site.settled()
    assert len(site.station.calls("StartTransaction")) == 1


@pytest.mark.evse_agent(evses=2, keys={"ConnectionTimeOut": 1})
async def test_a_car_that_waits_too_long_is_not_charged_on_the_next_drivers_card(site: Site) -> None:
    await site.plug_in(1)
    await site.shows(1, "Preparing")
    await site.shows(1, "Finishing")  # errata 3.20
    await site.swipe(OTHER_CARD)
    await site.plug_in(2)
    await site.wait_for("StartTransaction", connectorId=2, idTag=OTHER_CARD)
    await site.settled()
    assert site.statuses(1) == ["Available", "Preparing", "Finishing"]


@two_evses
async def test_a_reader_of_one_evse_leaves_the_other_alone(site: Site) -> None:
    await site.plug_in(1)
    await site.shows(1, "Preparing")
    await site.swipe(evse=2)
    await site.shows(2, "Preparing")
    await site.settled()
    assert not site.station.calls("StartTransaction")
    await site.swipe(evse=1)
    await site.wait_for("StartTransaction", connectorId=1)


@two_evses
async def test_a_fault_of_one_evse_leaves_the_other_alone(site: Site) -> None:
    await site.charge(evse=1)
    await site.charge(OTHER_CARD, evse=2)
    await site.op("fault", evse=1, error="OverCurrentFailure")
    await site.shows(1, "Faulted", errorCode="OverCurrentFailure")
    await site.settled()
    assert site.statuses(2)[-1] == "Charging"
    assert site.statuses(0) == ["Available"]
    assert (await site.agent.mock.evse(2))["contactor"] == "closed"


@two_connectors
async def test_connectors_are_numbered_through(site: Site) -> None:
    assert await site.configuration("NumberOfConnectors") == {"NumberOfConnectors": "4"}
    for connector in range(5):
        await site.shows(connector, "Available")
    await site.plug_in(2, connector=2)
    await site.shows(4, "Preparing")
    await site.shows(3, "Unavailable")  # an EVSE charges one car
    assert await site.asked("UnlockConnector", connectorId=3) == "NotSupported"  # its cable is fixed
    assert await site.asked("UnlockConnector", connectorId=4) == "Unlocked"
    assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=4) == "Accepted"
    start = await site.wait_for("StartTransaction", connectorId=4, idTag=CARD)
    await site.shows(4, "Charging")
    assert (await site.agent.mock.evse(2))["lock"] == "locked"
    assert await site.trigger("MeterValues", 4) == "Accepted"
    await site.wait_for("MeterValues", connectorId=4, transactionId=site.transaction_id(start))
    await site.plug_out(2)
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="EVDisconnected")
    await site.shows(4, "Available")
    await site.shows(3, "Available")
    assert site.statuses(1) == site.statuses(2) == ["Available"]


@two_connectors
async def test_a_remote_start_is_for_the_connector_that_it_names(site: Site) -> None:
    await site.plug_in(1, connector=2)
    await site.shows(1, "Unavailable")
    assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"  # a stranger's car
    assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=4) == "Accepted"
    await site.shows(4, "Preparing")
    await site.shows(3, "Unavailable")
    await site.plug_in(2, connector=2)
    await site.wait_for("StartTransaction", connectorId=4, idTag=CARD)
    assert len(site.station.calls("StartTransaction")) == 1


@two_connectors
async def test_the_first_connector_has_a_fixed_cable(site: Site) -> None:
    await site.plug_in(1, connector=1)
    await site.shows(1, "Preparing")
    await site.shows(2, "Unavailable")
    await site.settled()
    state = await site.agent.mock.state()
    assert state["indicator"]["1"]["pattern"] == "occupied"  # the one lamp is about the connector in use
    await site.swipe(evse=1)
    await site.wait_for("StartTransaction", connectorId=1)
    await site.shows(1, "Charging")
    assert (await site.agent.mock.evse(1))["lock"] == "none"
    assert await site.asked("UnlockConnector", connectorId=1) == "NotSupported"
    await site.settled()
    site.csms.ledger.assert_clean(running=1)
