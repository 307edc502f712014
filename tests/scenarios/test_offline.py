"""Without the CSMS: who may charge, what is told afterwards, in which order, with which times (1.6 §3.5, §3.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from agent.bench.csms import BenchCsms
from agent.bench.messages import Message
from agent.bench.network import BenchNetwork

from .conftest import Install
from .site import CARD, OTHER_CARD, Site, power_cut

ANYBODY = {"AllowOfflineTxForUnknownId": True}


async def offline(site: Site) -> None:
    """The CSMS is gone, and the station has noticed."""
    await site.csms.stop()
    await site.agent.wait_for_status(lambda status: status["link"]["phase"] != "open")


async def online(site: Site) -> None:
    """The CSMS is back, and has heard all that there was to say."""
    await site.csms.start()
    await site.station.wait_connected(connection=site.station.connections + 1)
    await site.agent.wait_registered()
    await site.settled()


async def known(site: Site, card: str = CARD) -> None:
    """The CSMS has said what it thinks of this card, which the station remembers."""
    await site.swipe(card)
    await site.wait_for("Authorize", idTag=card)
    await site.settled()
    await site.swipe(card)
    await site.settled()


async def told(site: Site, since: int = 0) -> list[Message]:
    """What has been said of transactions, from the `since`th message on."""
    actions = ("StartTransaction", "StopTransaction", "MeterValues")
    return [
        each for each in site.station.messages[since:] if not each.sent and each.kind == 2 and each.action in actions
    ]


def stamp(message: Message) -> datetime:
    return datetime.fromisoformat(message.payload["timestamp"])


async def refused(site: Site) -> None:
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    assert (await site.agent.mock.evse())["contactor"] == "open"


async def charging(site: Site, wanted: bool = True) -> None:
    await site.hardware(lambda evse: (evse["contactor"] == "closed") is wanted)


class TestASessionThatTheCsmsMisses:
    async def test_whole(self, site: Site) -> None:
        await known(site)
        await offline(site)
        left = datetime.now(UTC)
        await site.plug_in()
        await site.swipe()
        await charging(site)
        await site.delivers(300)
        await site.swipe()
        await charging(site, False)
        await site.plug_out()
        await site.agent.wait_for_status(lambda status: status["queue"]["rows"] >= 2)
        returned = datetime.now(UTC)
        await online(site)
        start, stop = await told(site)
        assert (start.payload["idTag"], stop.payload["idTag"], stop.payload["reason"]) == (CARD, CARD, "Local")
        assert left <= stamp(start) <= stamp(stop) <= returned  # when it was, not when it is told
        assert 300 <= site.csms.ledger.energy_wh < 310
        site.csms.ledger.assert_clean()

    async def test_its_beginning(self, site: Site) -> None:
        await known(site)
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await charging(site)
        await online(site)
        await site.wait_for("StartTransaction", idTag=CARD)
        site.csms.ledger.assert_clean(running=1)
        (transaction,) = site.csms.ledger.running
        assert await site.asked("RemoteStopTransaction", transactionId=transaction.transaction_id) == "Accepted"
        await site.wait_for("StopTransaction", transactionId=transaction.transaction_id, reason="Remote")

    async def test_its_end(self, site: Site) -> None:
        start = await site.charge()
        await offline(site)
        await site.swipe()
        await charging(site, False)
        ended = datetime.now(UTC)
        await online(site)
        stop = await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")
        assert stamp(stop) <= ended
        site.csms.ledger.assert_clean()

    @pytest.mark.parametrize("again", [Site.restart, power_cut], ids=["restart", "power cut"])
    async def test_whole_and_through_a_restart(self, site: Site, again: Callable[[Site], Awaitable[None]]) -> None:
        await known(site)
        await offline(site)
        for card in (CARD, CARD):
            await site.plug_in()
            await site.swipe(card)
            await charging(site)
            await site.delivers(100)
            await site.swipe(card)
            await charging(site, False)
            await site.plug_out()
            await site.hardware(lambda evse: evse["cable"] == "none")
        await site.agent.wait_for_status(lambda status: status["queue"]["rows"] == 4)
        restarted = datetime.now(UTC)
        await again(site)
        since = len(site.station.messages)
        await online(site)
        assert site.station.messages[since].action == "BootNotification"  # §4.2: before anything from the queue
        messages = await told(site, since)
        assert [each.action for each in messages] == ["StartTransaction", "StopTransaction"] * 2
        assert [stamp(each) for each in messages] == sorted(stamp(each) for each in messages)
        assert stamp(messages[-1]) <= restarted
        site.csms.ledger.assert_clean()

    @pytest.mark.parametrize(
        ("again", "reason"), [(Site.restart, "Reboot"), (power_cut, "PowerLoss")], ids=["restart", "power cut"]
    )
    async def test_with_a_restart_in_its_middle(
        self, site: Site, again: Callable[[Site], Awaitable[None]], reason: str
    ) -> None:
        await known(site)
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await charging(site)
        await again(site)
        await site.hardware(lambda evse: evse["contactor"] == "open")
        await online(site)
        start, stop = await told(site)
        assert (start.payload["idTag"], stop.payload["reason"]) == (CARD, reason)
        site.csms.ledger.assert_clean()

    @pytest.mark.evse_agent(keys={**ANYBODY, "MeterValueSampleInterval": 1})
    async def test_meter_values_stay_between_start_and_stop(self, site: Site) -> None:
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await site.agent.wait_for_status(lambda status: status["queue"]["rows"] == 4)
        await online(site)
        await site.swipe()
        await site.wait_for("StopTransaction")
        actions = [each.action for each in await told(site)]
        assert actions[0] == "StartTransaction"
        assert actions[-1] == "StopTransaction"
        assert actions.count("MeterValues") == len(actions) - 2 >= 3
        site.csms.ledger.assert_clean()


async def test_times_that_were_wrong_are_put_right_by_the_csms(csms: BenchCsms, install: Install) -> None:
    await csms.stop()
    site = await install(keys=ANYBODY)
    await site.plug_in()
    await site.swipe()
    await charging(site)
    began = datetime.now(UTC)
    await site.swipe()
    await charging(site, False)
    csms.clock = lambda: datetime.now(UTC) + timedelta(days=1)  # the station's clock had not been set for a day
    await csms.start()
    start = await site.wait_for("StartTransaction", timeout_s=10)
    stop = await site.wait_for("StopTransaction")
    for message in (start, stop):
        assert abs(stamp(message) - began - timedelta(days=1)) < timedelta(seconds=2)
    csms.ledger.assert_clean()


class TestWhoMayCharge:
    """§3.5.4."""

    async def test_not_who_is_unknown(self, site: Site) -> None:
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await refused(site)

    @pytest.mark.evse_agent(keys=ANYBODY)
    async def test_unless_everybody_may(self, site: Site) -> None:
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await charging(site)

    @pytest.mark.evse_agent(keys={"LocalAuthorizeOffline": False})
    async def test_not_who_is_known_where_that_is_switched_off(self, site: Site) -> None:
        await known(site)
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await refused(site)

    @pytest.mark.evse_agent(keys={"AuthorizationCacheEnabled": False})
    async def test_nobody_is_known_without_the_cache(self, site: Site) -> None:
        await known(site)
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await refused(site)

    @pytest.mark.evse_agent(keys=ANYBODY)
    @pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
    async def test_never_who_was_refused_when_last_seen(self, site: Site, status: str) -> None:
        site.csms.id_tags[CARD] = {"status": status}
        await site.swipe()
        await site.wait_for("Authorize", idTag=CARD)
        await site.settled()
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await refused(site)

    @pytest.mark.evse_agent(keys=ANYBODY)
    async def test_nor_whose_validity_has_passed_since(self, site: Site) -> None:
        expiry = datetime.now(UTC) + timedelta(seconds=1)
        site.csms.id_tags[CARD] = {"status": "Accepted", "expiryDate": expiry.isoformat()}
        await known(site)
        await offline(site)
        await site.plug_in()
        while datetime.now(UTC) <= expiry + timedelta(seconds=0.5):  # the station's clock lags by an answer's way
            await site.hardware(lambda _: True)
        await site.swipe()
        await refused(site)

    async def test_the_cache_outlives_a_power_cut(self, site: Site) -> None:
        await known(site)
        await site.csms.stop()
        await power_cut(site)
        await site.plug_in()
        await site.swipe()
        await charging(site)

    async def test_a_group_counts_offline_too(self, site: Site) -> None:
        for card in (CARD, OTHER_CARD):
            site.csms.id_tags[card] = {"status": "Accepted", "parentIdTag": "FAMILY"}
            await known(site, card)
        await offline(site)
        await site.plug_in()
        await site.swipe(CARD)
        await charging(site)
        await site.swipe(OTHER_CARD)
        await charging(site, False)
        await online(site)
        _, stop = await told(site)
        assert stop.payload["idTag"] == OTHER_CARD

    @pytest.mark.evse_agent(keys=ANYBODY)
    async def test_whom_the_csms_refuses_afterwards_is_stopped(self, site: Site) -> None:
        site.csms.id_tags[CARD] = {"status": "Blocked"}
        await offline(site)
        await site.plug_in()
        await site.swipe()
        await charging(site)
        await online(site)
        await site.wait_for("StopTransaction", reason="DeAuthorized")
        await charging(site, False)
        await site.shows(1, "Finishing")
        site.csms.ledger.assert_clean()


class TestStatusAfterwards:
    """§4.9."""

    @pytest.mark.evse_agent(evses=2)
    async def test_only_what_has_changed_and_only_as_it_is_now(self, site: Site) -> None:
        await offline(site)
        await site.plug_in(2)
        await site.hardware(lambda evse: evse["pilot"] == "B", evse=2)
        await site.plug_out(2)
        await site.plug_in(1)
        await site.op("fault", evse=1, error="GroundFailure")
        await site.op("clear_fault", evse=1, error="GroundFailure")
        await site.hardware(lambda evse: evse["pilot"] == "B" and not evse["faults"])
        since = len(site.station.messages)
        await online(site)
        statuses = [site.statuses(connector, since) for connector in (0, 1, 2)]
        assert statuses == [[], ["Preparing"], []]


@pytest.fixture
async def network(csms: BenchCsms) -> AsyncIterator[BenchNetwork]:
    async with BenchNetwork(csms.url) as network:
        yield network


async def test_a_network_that_swallows_everything_is_noticed_and_overcome(
    csms: BenchCsms, network: BenchNetwork, install: Install
) -> None:
    site = await install(url=network.url, keys={"WebSocketPingInterval": 1, **ANYBODY})
    await site.agent.wait_registered()
    network.unplug()
    await site.agent.wait_for_status(lambda status: status["link"]["phase"] != "open")
    await site.plug_in()
    await site.swipe()
    await charging(site)
    network.plug()
    await site.wait_for("StartTransaction", idTag=CARD, timeout_s=15)
    await site.swipe()
    await site.wait_for("StopTransaction", reason="Local")
    csms.ledger.assert_clean()


async def test_a_message_whose_answer_was_lost_is_sent_again_under_its_id(
    csms: BenchCsms, network: BenchNetwork, install: Install
) -> None:
    site = await install(url=network.url)
    await site.agent.wait_registered()
    await site.plug_in()
    await site.shows(1, "Preparing")

    def cut(_payload: object) -> None:
        network.cut()

    csms.on_next("StartTransaction", cut)
    await site.swipe()
    first = await site.wait_for("StartTransaction", idTag=CARD)
    second = await site.wait_for("StartTransaction", idTag=CARD)
    assert (first.connection, second.connection) == (1, 2)
    assert (first.message_id, first.payload) == (second.message_id, second.payload)
    await site.shows(1, "Charging")
    await site.swipe()
    await site.wait_for("StopTransaction", transactionId=site.transaction_id(first))
    csms.ledger.assert_clean()
