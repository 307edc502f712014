"""From the start to Accepted, and all that can come between (1.6 §4.2, errata 3.22, 3.35)."""

from __future__ import annotations

import pytest

from agent.bench.answers import CallError, Delay, Silence
from agent.bench.csms import BenchCsms

from .conftest import Install
from .site import CARD, Site, apart

IMPATIENT = {"OCPPCommCtrlr": {"MessageTimeout": 1}}


async def test_first_the_boot_notification_then_every_status(csms: BenchCsms, install: Install) -> None:
    site = await install(evses=2)
    boot = await site.wait_for("BootNotification")
    assert boot.payload == {
        "chargePointVendor": "Bench",
        "chargePointModel": "Mock22",
        "chargePointSerialNumber": "B-CP001",
        "firmwareVersion": boot.payload["firmwareVersion"],
    }
    await site.agent.wait_registered()
    await site.settled()
    calls = [message for message in site.station.messages if not message.sent and message.kind == 2]
    assert [(call.action, call.payload.get("connectorId")) for call in calls] == [
        ("BootNotification", None),
        ("StatusNotification", 0),
        ("StatusNotification", 1),
        ("StatusNotification", 2),
        ("Heartbeat", None),
    ]
    assert csms.attempts[0].subprotocols == "ocpp1.6"


async def test_nothing_is_said_before_the_answer(csms: BenchCsms, install: Install) -> None:
    csms.on_next("BootNotification", Delay(0.5))
    site = await install()
    boot = await site.wait_for("BootNotification")
    await site.plug_in()
    await site.swipe()
    status = await site.shows(0, "Available")
    assert status.at_s - boot.at_s >= 0.5
    assert site.statuses(1) in ([], ["Preparing"])
    assert not site.station.calls("Authorize")  # the card was shown to a station that knew nobody


class TestPending:
    """The CSMS wants to set the station up first."""

    @pytest.fixture
    async def site(self, csms: BenchCsms, install: Install) -> Site:
        csms.registrations.append(("Pending", 3600))
        site = await install(keys={"HeartbeatInterval": 77})
        await site.wait_for("BootNotification")
        await site.agent.wait_for_status(lambda status: status["registration"] == "Pending")
        return site

    async def test_it_can_be_configured_but_not_charged_at(self, site: Site) -> None:
        assert await site.configuration("HeartbeatInterval") == {"HeartbeatInterval": "77"}
        await site.configure(MeterValueSampleInterval=12)
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
        assert await site.asked("RemoteStopTransaction", transactionId=1) == "Rejected"
        await site.plug_in()
        await site.hardware(lambda evse: evse["pilot"] == "B")
        await site.swipe()
        assert await site.trigger("BootNotification") == "Accepted"
        await site.wait_for("BootNotification")
        await site.shows(0, "Available")
        await site.shows(1, "Preparing")
        await site.settled()
        # Until it was accepted it said nothing that it had not been asked for.
        said = [message.action for message in site.station.messages if not message.sent and message.kind == 2]
        assert said == ["BootNotification"] * 2 + ["StatusNotification"] * 2 + ["Heartbeat"]
        assert await site.configuration("MeterValueSampleInterval") == {"MeterValueSampleInterval": "12"}

    async def test_it_says_what_it_is_asked_for(self, site: Site) -> None:
        assert await site.trigger("StatusNotification", 1) == "Accepted"
        await site.shows(1, "Available")
        assert await site.trigger("Heartbeat") == "Accepted"
        await site.wait_for("Heartbeat")
        assert await site.trigger("MeterValues", 1) == "Accepted"
        await site.wait_for("MeterValues", connectorId=1)

    async def test_a_new_connection_is_no_reason_to_boot_again(self, site: Site) -> None:
        await site.station.disconnect()
        await site.station.wait_connected(connection=2)
        assert await site.trigger("Heartbeat") == "Accepted"
        await site.wait_for("Heartbeat")
        assert len(site.station.calls("BootNotification")) == 1
        assert await site.trigger("BootNotification") == "Accepted"
        await site.wait_for("BootNotification")
        await site.agent.wait_registered()


@pytest.mark.parametrize("interval_s", [2, 0])
async def test_pending_boots_again_after_the_interval(csms: BenchCsms, install: Install, interval_s: int) -> None:
    csms.registrations.append(("Pending", interval_s))
    site = await install()
    first = await site.wait_for("BootNotification")
    second = await site.wait_for("BootNotification")
    assert apart(first, second, interval_s or 1)  # 0: RetryBackOffWaitMinimum
    await site.shows(1, "Available")


async def test_rejected_means_silence_in_both_directions(csms: BenchCsms, install: Install) -> None:
    csms.registrations.append(("Rejected", 2))
    site = await install()
    first = await site.wait_for("BootNotification")
    await site.agent.wait_for_status(lambda status: status["registration"] == "Rejected")
    await site.station.send_raw('[2,"unheard","GetConfiguration",{}]')
    await site.station.send_raw('[2,"unheard-too","TriggerMessage",{"requestedMessage":"Heartbeat"}]')
    await site.plug_in()
    await site.swipe()
    second = await site.wait_for("BootNotification")
    assert apart(first, second, 2)
    await site.shows(1, "Preparing")
    between = [message for message in site.station.messages if first.at_s < message.at_s < second.at_s]
    assert all(message.sent for message in between)
    assert not [message for message in site.station.messages if message.message_id.startswith("unheard")][2:]


@pytest.mark.parametrize("answer", [Silence(), CallError("InternalError"), {"status": "Perhaps"}])
async def test_no_usable_answer_is_asked_for_again(csms: BenchCsms, install: Install, answer: object) -> None:
    csms.on_next("BootNotification", answer)  # type: ignore[arg-type]  # any of the answers above
    site = await install(variables=IMPATIENT)
    first = await site.wait_for("BootNotification")
    second = await site.wait_for("BootNotification")
    assert apart(first, second, 2 if isinstance(answer, Silence) else 1)  # not after HeartbeatInterval
    await site.shows(1, "Available")


async def test_a_reconnect_is_no_boot(site: Site) -> None:
    for connection in (2, 3):
        await site.station.disconnect(abort=connection == 3)
        await site.station.wait_connected(connection=connection)
        await site.settled()
    assert len(site.station.calls("BootNotification")) == 1
    assert site.statuses(0) == site.statuses(1) == ["Available"]  # §4.9: nothing has changed


async def test_a_restart_is_one(site: Site) -> None:
    await site.agent.restart()
    await site.station.wait_connected(connection=2)
    await site.agent.wait_registered()
    assert len(site.station.calls("BootNotification")) == 2
    await site.settled()
    assert site.statuses(1) == ["Available", "Available"]


async def test_the_answer_sets_the_heartbeat(csms: BenchCsms, install: Install) -> None:
    csms.heartbeat_interval_s = 1
    site = await install(keys={"HeartbeatInterval": 3600})
    await site.shows(1, "Available")
    first = await site.wait_for("Heartbeat")
    second = await site.wait_for("Heartbeat")
    assert apart(first, second, 1)
    assert await site.configuration("HeartbeatInterval") == {"HeartbeatInterval": "1"}


async def test_an_interval_of_0_leaves_the_heartbeat_as_it_is(csms: BenchCsms, install: Install) -> None:
    csms.heartbeat_interval_s = 0
    site = await install(keys={"HeartbeatInterval": 3600})
    await site.agent.wait_registered()
    assert await site.configuration("HeartbeatInterval") == {"HeartbeatInterval": "3600"}


async def test_a_station_that_was_never_accepted_charges_nobody(csms: BenchCsms, install: Install) -> None:
    csms.registrations.append(("Pending", 2))
    controllers = {"TxCtrlr": {"TxBeforeAcceptedEnabled": False}, "AuthCtrlr": {"OfflineTxForUnknownIdEnabled": True}}
    site = await install(variables=controllers)
    await site.wait_for("BootNotification")
    await site.plug_in()
    await site.swipe()
    await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["pattern"] == "rejected", evse=None)
    await site.wait_for("BootNotification")
    await site.shows(1, "Preparing")
    await site.settled()
    assert not site.station.calls("StartTransaction")
