"""What an operator can do from afar: start, stop, ask for messages (1.6 §4.3, §5.11, §5.12, §5.17)."""

from __future__ import annotations

import pytest

from agent.bench.messages import Kind

from .site import CARD, OTHER_CARD, Site

PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}]},
}


class TestRemoteStart:
    """§5.11."""

    async def test_a_waiting_car_starts_without_authorize(self, site: Site) -> None:
        await site.plug_in()
        await site.shows(1, "Preparing")
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        start = await site.wait_for("StartTransaction", idTag=CARD)
        await site.shows(1, "Charging")
        assert not site.station.calls("Authorize")
        await site.swipe()  # it is this driver's transaction like any other
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(start), reason="Local")

    async def test_the_car_may_come_later(self, site: Site) -> None:
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await site.shows(1, "Preparing")
        await site.plug_in()
        await site.wait_for("StartTransaction", idTag=CARD)
        await site.shows(1, "Charging")

    @pytest.mark.evse_agent(keys={"ConnectionTimeOut": 1})
    async def test_but_not_too_late(self, site: Site) -> None:
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await site.shows(1, "Preparing")
        await site.shows(1, "Available")
        await site.plug_in()
        await site.shows(1, "Preparing")
        await site.settled()
        assert not site.station.calls("StartTransaction")

    @pytest.mark.evse_agent(keys={"AuthorizeRemoteTxRequests": True})
    async def test_it_can_be_made_to_authorize_first(self, site: Site) -> None:
        site.csms.id_tags[OTHER_CARD] = {"status": "Blocked"}
        await site.plug_in()
        assert await site.asked("RemoteStartTransaction", idTag=OTHER_CARD, connectorId=1) == "Accepted"
        await site.wait_for("Authorize", idTag=OTHER_CARD)
        await site.settled()
        assert not site.station.calls("StartTransaction")
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
        await site.wait_for("Authorize", idTag=CARD)
        await site.wait_for("StartTransaction", idTag=CARD)

    @pytest.mark.evse_agent(evses=2)
    async def test_without_a_connector_it_goes_where_a_car_waits(self, site: Site) -> None:
        await site.plug_in(2)
        await site.shows(2, "Preparing")
        assert await site.asked("RemoteStartTransaction", idTag=CARD) == "Accepted"
        await site.wait_for("StartTransaction", connectorId=2, idTag=CARD)
        assert await site.asked("RemoteStartTransaction", idTag=OTHER_CARD) == "Accepted"
        await site.shows(1, "Preparing")
        assert await site.asked("RemoteStartTransaction", idTag="THIRD") == "Rejected"

    async def test_a_charging_profile_is_ignored_without_smart_charging(self, site: Site) -> None:
        await site.plug_in()
        answer = await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1, chargingProfile=PROFILE)
        assert answer == "Accepted"
        await site.shows(1, "Charging")
        assert (await site.hardware(lambda evse: evse["drawn_current"]))["offered_current"] == 32.0

    @pytest.mark.parametrize("connector", [0, 2, 99])
    async def test_an_unknown_connector_is_rejected(self, site: Site, connector: int) -> None:
        assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=connector) == "Rejected"

    async def test_it_is_rejected_where_nobody_could_charge(self, site: Site) -> None:
        async def rejected() -> None:
            assert await site.asked("RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
            assert await site.asked("RemoteStartTransaction", idTag=CARD) == "Rejected"

        assert await site.asked("ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
        await rejected()
        assert await site.asked("ChangeAvailability", connectorId=1, type="Operative") == "Accepted"
        await site.op("fault", error="GroundFailure")
        await site.shows(1, "Faulted")
        await rejected()
        await site.op("clear_fault", error="GroundFailure")
        await site.shows(1, "Available")
        await site.charge()
        await rejected()


class TestRemoteStop:
    """§5.12."""

    async def test_the_transaction_ends(self, site: Site) -> None:
        start = await site.charge()
        transaction_id = site.transaction_id(start)
        assert await site.asked("RemoteStopTransaction", transactionId=transaction_id + 1) == "Rejected"
        assert await site.asked("RemoteStopTransaction", transactionId=transaction_id) == "Accepted"
        stop = await site.wait_for("StopTransaction", transactionId=transaction_id, reason="Remote")
        assert "idTag" not in stop.payload
        await site.shows(1, "Finishing")
        assert await site.asked("RemoteStopTransaction", transactionId=transaction_id) == "Rejected"
        site.csms.ledger.assert_clean()

    @pytest.mark.evse_agent(evses=2)
    async def test_only_the_one_that_is_meant(self, site: Site) -> None:
        first = await site.charge(evse=1)
        second = await site.charge(OTHER_CARD, evse=2)
        assert await site.asked("RemoteStopTransaction", transactionId=site.transaction_id(first)) == "Accepted"
        await site.wait_for("StopTransaction", transactionId=site.transaction_id(first), reason="Remote")
        await site.settled()
        assert [running.transaction_id for running in site.csms.ledger.running] == [site.transaction_id(second)]


class TestTriggerMessage:
    """§5.17."""

    async def test_the_answer_comes_before_the_message(self, site: Site) -> None:
        since = len(site.station.messages)
        assert await site.trigger("Heartbeat") == "Accepted"
        await site.wait_for("Heartbeat")
        said = [(message.kind, message.action) for message in site.station.messages[since:] if not message.sent]
        assert said == [(Kind.RESULT, "TriggerMessage"), (Kind.CALL, "Heartbeat")]

    @pytest.mark.evse_agent(evses=2)
    async def test_status_of_one_of_all_of_the_station_and_of_none(self, site: Site) -> None:
        async def told(connector: int | None) -> list[int]:
            since = len(site.station.messages)
            assert await site.trigger("StatusNotification", connector) == "Accepted"
            await site.settled()
            new = site.station.messages[since:]
            return [each.payload["connectorId"] for each in site.station.calls("StatusNotification") if each in new]

        assert await told(2) == [2]
        assert await told(0) == [0]
        assert await told(None) == [0, 1, 2]
        assert await site.trigger("StatusNotification", 3) == "Rejected"

    @pytest.mark.evse_agent(keys={"MeterValuesSampledData": "Energy.Active.Import.Register,Voltage.L1"})
    async def test_meter_values_of_now_with_the_sampled_measurands(self, site: Site) -> None:
        await site.op("set_meter", energy=500.0)
        assert await site.trigger("MeterValues", 1) == "Accepted"
        idle = (await site.wait_for("MeterValues", connectorId=1)).payload
        assert "transactionId" not in idle
        (value,) = idle["meterValue"]
        assert [(each["measurand"], each["context"]) for each in value["sampledValue"]] == [
            ("Energy.Active.Import.Register", "Trigger"),
            ("Voltage", "Trigger"),
        ]
        assert value["sampledValue"][0]["value"] == "500"
        start = await site.charge()
        assert await site.trigger("MeterValues") == "Accepted"
        await site.wait_for("MeterValues", connectorId=1, transactionId=site.transaction_id(start))
        assert await site.trigger("MeterValues", 2) == "Rejected"

    async def test_a_boot_notification_is_not_sent_again_once_accepted(self, site: Site) -> None:
        assert await site.trigger("BootNotification") == "Rejected"  # errata 3.35

    @pytest.mark.parametrize("message", ["DiagnosticsStatusNotification", "FirmwareStatusNotification"])
    async def test_what_is_not_built_in_is_not_implemented(self, site: Site, message: str) -> None:
        assert await site.trigger(message) == "NotImplemented"


async def test_data_of_an_unknown_vendor(site: Site) -> None:
    assert await site.asked("DataTransfer", vendorId="com.example", messageId="x", data="{}") == "UnknownVendorId"
