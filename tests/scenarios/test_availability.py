"""In and out of service (1.6 §5.2): at once, after the transaction, for good."""

from __future__ import annotations

import pytest

from .site import CARD, Site, power_cut

two_evses = pytest.mark.evse_agent(evses=2)


async def change(site: Site, connector: int, kind: str) -> str:
    return await site.asked("ChangeAvailability", connectorId=connector, type=kind)


@two_evses
async def test_one_connector(site: Site) -> None:
    assert await change(site, 1, "Inoperative") == "Accepted"
    await site.shows(1, "Unavailable")
    assert await change(site, 1, "Inoperative") == "Accepted"  # it is already
    await site.plug_in(1)
    await site.swipe(evse=1)
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    await site.plug_out(1)
    await site.settled()
    assert site.statuses(1) == ["Available", "Unavailable"]
    assert site.statuses(0) == site.statuses(2) == ["Available"]
    assert not site.station.calls("Authorize")
    assert await change(site, 1, "Operative") == "Accepted"
    await site.shows(1, "Available")
    assert await change(site, 3, "Operative") == "Rejected"


@two_evses
async def test_the_whole_station(site: Site) -> None:
    assert await change(site, 0, "Inoperative") == "Accepted"
    for connector in (0, 1, 2):
        await site.shows(connector, "Unavailable")
    assert await change(site, 0, "Operative") == "Accepted"
    for connector in (0, 1, 2):
        await site.shows(connector, "Available")
    await site.charge(evse=2)


@two_evses
async def test_after_the_transaction(site: Site) -> None:
    start = await site.charge(evse=1)
    assert await change(site, 0, "Inoperative") == "Scheduled"
    await site.shows(2, "Unavailable")
    await site.settled()
    assert site.statuses(1)[-1] == "Charging"
    await site.plug_out(1)
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    await site.shows(1, "Unavailable")  # C8
    await site.settled()
    assert site.statuses(1) == ["Available", "Preparing", "Charging", "Unavailable"]


async def test_after_the_transaction_the_cable_that_is_left_changes_nothing(site: Site) -> None:
    await site.charge()
    assert await change(site, 1, "Inoperative") == "Scheduled"
    await site.swipe()
    await site.wait_for("StopTransaction", reason="Local")
    await site.swipe()
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    await site.plug_out()
    await site.shows(1, "Unavailable")
    assert len(site.station.calls("StartTransaction")) == 1


async def test_a_wish_can_be_taken_back(site: Site) -> None:
    await site.charge()
    assert await change(site, 1, "Inoperative") == "Scheduled"
    assert await change(site, 1, "Operative") == "Accepted"
    await site.plug_out()
    await site.shows(1, "Available")


async def test_who_waits_for_a_car_is_sent_away(site: Site) -> None:
    await site.swipe()
    await site.shows(1, "Preparing")
    assert await change(site, 1, "Inoperative") == "Accepted"
    await site.shows(1, "Unavailable")
    assert await change(site, 1, "Operative") == "Accepted"
    await site.shows(1, "Available")
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.settled()
    assert not site.station.calls("StartTransaction", idTag=CARD)


@two_evses
async def test_it_outlives_a_restart_and_a_power_cut(site: Site) -> None:
    assert await change(site, 2, "Inoperative") == "Accepted"
    await site.shows(2, "Unavailable")
    for number, start_again in enumerate((Site.restart, power_cut), start=2):
        site.station.skip()
        await start_again(site)
        await site.station.wait_connected(connection=number)
        await site.shows(0, "Available")
        await site.shows(1, "Available")
        await site.shows(2, "Unavailable")
    assert await change(site, 2, "Operative") == "Accepted"
    await site.shows(2, "Available")
