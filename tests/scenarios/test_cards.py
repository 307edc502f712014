"""Whose card is good for what: Authorize, the parent id, and the CSMS's second thoughts (1.6 §3.10, §4.1, §4.8)."""

from __future__ import annotations

import pytest

from .site import CARD, OTHER_CARD, Site

FAMILY = {"status": "Accepted", "parentIdTag": "FAMILY"}


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid", "ConcurrentTx"])
async def test_a_refused_card_starts_nothing_and_the_lamp_says_so(site: Site, status: str) -> None:
    site.csms.id_tags[CARD] = {"status": status}
    await site.plug_in()
    await site.shows(1, "Preparing")
    await site.swipe()
    await site.wait_for("Authorize", idTag=CARD)
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    await site.settled()
    assert not site.station.calls("StartTransaction")
    assert site.statuses(1) == ["Available", "Preparing"]
    await site.swipe(OTHER_CARD)  # the next one is not held up by it
    await site.wait_for("StartTransaction", idTag=OTHER_CARD)


async def test_a_refused_card_at_a_free_evse_leaves_it_available(site: Site) -> None:
    site.csms.id_tags[CARD] = {"status": "Invalid"}
    await site.swipe()
    await site.wait_for("Authorize", idTag=CARD)
    await site.settled()
    assert site.statuses(1) == ["Available"]


async def test_somebody_elses_card_does_not_stop_the_session(site: Site) -> None:
    start = await site.charge()
    await site.swipe(OTHER_CARD)
    await site.wait_for("Authorize", idTag=OTHER_CARD)  # §4.1: it might be of the same group
    await site.settled()
    assert site.statuses(1) == ["Available", "Preparing", "Charging"]
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), idTag=CARD)


async def test_a_card_of_the_same_parent_stops_the_session(site: Site) -> None:
    site.csms.id_tags.update({CARD: FAMILY, OTHER_CARD: FAMILY})
    start = await site.charge()
    await site.swipe(OTHER_CARD)
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), idTag=OTHER_CARD, reason="Local")
    await site.shows(1, "Finishing")
    assert len(site.station.calls("StartTransaction")) == 1


async def test_another_parents_card_does_not_stop_the_session(site: Site) -> None:
    site.csms.id_tags.update({CARD: FAMILY, OTHER_CARD: {"status": "Accepted", "parentIdTag": "STRANGERS"}})
    await site.charge()
    await site.swipe(OTHER_CARD)
    await site.wait_for("Authorize", idTag=OTHER_CARD)
    await site.settled()
    site.csms.ledger.assert_clean(running=1)


async def test_a_blocked_card_of_the_same_parent_does_not_stop_it_either(site: Site) -> None:
    site.csms.id_tags.update({CARD: FAMILY, OTHER_CARD: {**FAMILY, "status": "Blocked"}})
    await site.charge()
    await site.swipe(OTHER_CARD)
    await site.wait_for("Authorize", idTag=OTHER_CARD)
    await site.settled()
    site.csms.ledger.assert_clean(running=1)


async def test_the_case_of_a_card_does_not_matter(site: Site) -> None:
    start = await site.charge()
    await site.swipe(CARD.lower())  # §7.28: CiString20Type
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start))
    assert len(site.station.calls("Authorize")) == 1


async def test_a_card_that_no_id_tag_can_carry_is_refused_by_the_station(site: Site) -> None:
    await site.plug_in()
    await site.swipe("04" * 15)  # 30 characters; an idTag has 20
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    await site.settled()
    assert not site.station.calls("Authorize")


class TestDeauthorizedByStartTransaction:
    """Authorize said yes, StartTransaction.conf says no (errata 3.17)."""

    @pytest.fixture(autouse=True)
    def changes_its_mind(self, site: Site) -> None:
        site.csms.on("Authorize", {"idTagInfo": {"status": "Accepted"}})
        site.csms.id_tags[CARD] = {"status": "Blocked"}

    async def test_the_transaction_is_stopped(self, site: Site) -> None:
        await site.plug_in()
        await site.swipe()
        start = await site.wait_for("StartTransaction", idTag=CARD)
        stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="DeAuthorized")
        assert "idTag" not in stop.payload
        await site.hardware(lambda evse: evse["contactor"] == "open" and evse["offered_current"] == 0)
        await site.shows(1, "Finishing")
        site.csms.ledger.assert_clean()

    @pytest.mark.evse_agent(keys={"StopTransactionOnInvalidId": False})
    async def test_or_only_the_energy_is(self, site: Site) -> None:
        await site.plug_in()
        await site.swipe()
        await site.wait_for("StartTransaction", idTag=CARD)
        await site.shows(1, "SuspendedEVSE")  # C5
        await site.hardware(lambda evse: evse["contactor"] == "open" and evse["offered_current"] == 0)
        await site.settled()
        site.csms.ledger.assert_clean(running=1)
        await site.swipe()
        await site.wait_for("StopTransaction", reason="Local")

    @pytest.mark.evse_agent(
        keys={"StopTransactionOnInvalidId": False, "MaxEnergyOnInvalidId": 500, "MeterValueSampleInterval": 1}
    )
    async def test_or_there_is_enough_to_drive_away(self, site: Site) -> None:
        await site.plug_in()
        await site.swipe()
        await site.wait_for("StartTransaction", idTag=CARD)
        await site.shows(1, "Charging")
        await site.delivers(400)
        await site.wait_for("MeterValues")
        await site.settled()
        assert site.statuses(1)[-1] == "Charging"
        await site.delivers(100)
        await site.shows(1, "SuspendedEVSE")
        await site.hardware(lambda evse: evse["contactor"] == "open" and evse["offered_current"] == 0)
