"""A socket with a latch, and the driver's own cable in it (1.6 §4.10, §5.18; errata 3.5, 3.84, 3.87)."""

from __future__ import annotations

import pytest

from .site import CARD, OTHER_CARD, Site

SOCKET = {"connectors": ["sType2"]}
INFO = "EV side disconnected"


def socket(stop: bool = True, unlock: bool = True, **keys: object) -> pytest.MarkDecorator:
    switches = {"StopTransactionOnEVSideDisconnect": stop, "UnlockConnectorOnEVSideDisconnect": unlock}
    return pytest.mark.evse_agent(evse=SOCKET, keys={**switches, **keys})


async def latch(site: Site, lock: str) -> None:
    await site.hardware(lambda evse: evse["lock"] == lock)


@socket()
async def test_the_cable_is_locked_while_it_charges(site: Site) -> None:
    await site.plug_in()
    await site.shows(1, "Preparing")
    assert (await site.agent.mock.evse())["lock"] == "unlocked"
    await site.swipe()
    await site.shows(1, "Charging")
    await latch(site, "locked")
    await site.swipe()
    await site.shows(1, "Finishing")
    await latch(site, "unlocked")
    await site.plug_out()
    await site.shows(1, "Available")


@pytest.mark.evse_agent(evse={**SOCKET, "options": {"cable_rating": 20.0}})
async def test_a_thin_cable_limits_the_current(site: Site) -> None:
    await site.charge()
    assert (await site.hardware(lambda evse: evse["drawn_current"]))["offered_current"] == 20.0


@socket(stop=True, unlock=True)
async def test_disconnect_stops_and_unlocks(site: Site) -> None:
    start = await site.charge()
    await site.plug_out(side="car")
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="EVDisconnected")
    await site.shows(1, "Finishing", errorCode="NoError", info=INFO)
    await latch(site, "unlocked")
    await site.plug_out()
    await site.shows(1, "Available")
    assert "info" not in site.station.calls("StatusNotification", connectorId=1)[-1].payload


@socket(stop=True, unlock=False)
async def test_disconnect_stops_and_keeps_the_cable_until_its_owner_comes(site: Site) -> None:
    start = await site.charge()
    await site.plug_out(side="car")
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="EVDisconnected")
    await site.shows(1, "Finishing", info=INFO)
    await site.swipe(OTHER_CARD)
    await site.wait_for("Authorize", idTag=OTHER_CARD)
    await site.settled()
    assert (await site.agent.mock.evse())["lock"] == "locked"
    await site.swipe(CARD)
    await latch(site, "unlocked")
    await site.settled()
    assert len(site.station.calls("StartTransaction")) == 1  # the card was for the cable


@pytest.mark.parametrize("reconnects", [True, False])
@pytest.mark.parametrize(
    "unlock", [pytest.param(each, marks=socket(stop=False, unlock=each)) for each in (True, False)]
)
async def test_disconnect_stops_nothing_and_the_cable_stays_locked(site: Site, unlock: bool, reconnects: bool) -> None:
    assert (await site.configuration("UnlockConnectorOnEVSideDisconnect")).popitem()[1] == str(unlock).lower()
    start = await site.charge()
    await site.plug_out(side="car")
    await site.shows(1, "SuspendedEV", errorCode="NoError", info=INFO)
    await site.hardware(lambda evse: evse["contactor"] == "open")
    assert (await site.agent.mock.evse())["lock"] == "locked"  # §4.10: the one key has priority over the other
    if reconnects:
        await site.plug_in()
        await site.shows(1, "Charging")
    await site.settled()
    site.csms.ledger.assert_clean(running=1)
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local", idTag=CARD)
    await latch(site, "unlocked")
    await site.shows(1, "Finishing")


async def test_a_fixed_cable_has_nothing_to_unlock(site: Site) -> None:
    answer = await site.call("GetConfiguration", {"key": ["UnlockConnectorOnEVSideDisconnect"]})
    assert answer["configurationKey"] == [
        {"key": "UnlockConnectorOnEVSideDisconnect", "readonly": True, "value": "false"}
    ]
    assert await site.asked("UnlockConnector", connectorId=1) == "NotSupported"


@socket()
async def test_a_card_that_was_refused_afterwards_keeps_the_cable_until_it_is_shown_again(site: Site) -> None:
    site.csms.on("Authorize", {"idTagInfo": {"status": "Accepted"}})
    site.csms.id_tags[CARD] = {"status": "Invalid"}
    await site.plug_in()
    await site.swipe()
    await site.wait_for("StopTransaction", reason="DeAuthorized")
    await site.shows(1, "Finishing")
    await site.settled()
    assert (await site.agent.mock.evse())["lock"] == "locked"  # errata 3.5, 3.17
    await site.swipe()
    await latch(site, "unlocked")


class TestUnlockConnector:
    """§5.18."""

    @socket()
    async def test_a_cable_that_waits_is_released(self, site: Site) -> None:
        await site.plug_in()
        await site.shows(1, "Preparing")
        assert await site.asked("UnlockConnector", connectorId=1) == "Unlocked"
        assert await site.asked("UnlockConnector", connectorId=2) == "NotSupported"  # errata 3.87
        await site.settled()
        assert site.statuses(1) == ["Available", "Preparing"]

    @socket()
    async def test_a_transaction_is_finished_first(self, site: Site) -> None:
        start = await site.charge()
        assert await site.asked("UnlockConnector", connectorId=1) == "Unlocked"
        state = await site.agent.mock.evse()
        assert (state["lock"], state["contactor"]) == ("unlocked", "open")
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="UnlockCommand")
        await site.shows(1, "Finishing")
        site.csms.ledger.assert_clean()

    @socket(stop=True, unlock=False)
    async def test_a_cable_that_is_kept_for_its_owner_can_be_released_by_the_operator(self, site: Site) -> None:
        await site.charge()
        await site.plug_out(side="car")
        await site.shows(1, "Finishing")
        assert (await site.agent.mock.evse())["lock"] == "locked"
        assert await site.asked("UnlockConnector", connectorId=1) == "Unlocked"
        await latch(site, "unlocked")

    @socket()
    async def test_a_latch_that_does_not_move_is_told_and_shown(self, site: Site) -> None:
        await site.charge()
        await site.op("fail", part="lock", mode="error")
        assert await site.asked("UnlockConnector", connectorId=1) == "UnlockFailed"
        await site.wait_for("StopTransaction", reason="UnlockCommand")
        await site.shows(1, "Faulted", errorCode="ConnectorLockFailure")
        await site.op("fail", part="lock", mode=None)
        await site.shows(1, "Finishing", errorCode="NoError")
        assert await site.asked("UnlockConnector", connectorId=1) == "Unlocked"


@socket()
async def test_a_latch_that_does_not_close_lets_no_energy_flow(site: Site) -> None:
    await site.op("fail", part="lock", mode="timeout")
    await site.plug_in()
    await site.swipe()
    await site.shows(1, "Faulted", errorCode="ConnectorLockFailure")
    state = await site.agent.mock.evse()
    assert (state["contactor"], state["offered_current"]) == ("open", 0.0)
    await site.op("fail", part="lock", mode=None)
    await site.shows(1, "Charging")  # the session was kept, and goes on
    assert (await site.agent.mock.evse())["lock"] == "locked"
