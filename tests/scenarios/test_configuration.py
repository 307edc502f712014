"""Configuration keys: reading and changing them, and what those do that no other block shows (1.6 §5.3, §5.8, §9.1)."""

from __future__ import annotations

import logging
from datetime import datetime

import pytest

from agent.bench.answers import CallError
from agent.bench.csms import BenchCsms

from .conftest import Install
from .site import CARD, OTHER_CARD, Site, apart, power_cut

REQUIRED = {
    *("AuthorizeRemoteTxRequests", "ClockAlignedDataInterval", "ConnectionTimeOut", "ConnectorPhaseRotation"),
    *("GetConfigurationMaxKeys", "HeartbeatInterval", "LocalAuthorizeOffline", "LocalPreAuthorize"),
    *("MeterValuesAlignedData", "MeterValuesSampledData", "MeterValueSampleInterval", "NumberOfConnectors"),
    *("ResetRetries", "StopTransactionOnEVSideDisconnect", "StopTransactionOnInvalidId", "StopTxnAlignedData"),
    *("StopTxnSampledData", "SupportedFeatureProfiles", "TransactionMessageAttempts"),
    *("TransactionMessageRetryInterval", "UnlockConnectorOnEVSideDisconnect"),
}


async def changed(site: Site, key: str, value: object) -> str:
    return await site.asked("ChangeConfiguration", key=key, value=str(value))


class TestReadingAndChanging:
    async def test_all_keys_at_once(self, site: Site) -> None:
        answer = await site.call("GetConfiguration")
        keys = {entry["key"] for entry in answer["configurationKey"]}
        assert keys >= REQUIRED
        assert "AuthorizationKey" not in keys  # write-only
        assert "unknownKey" not in answer

    async def test_some_keys_in_any_case_and_unknown_ones(self, site: Site) -> None:
        answer = await site.call("GetConfiguration", {"key": ["heartbeatINTERVAL", "NoSuchKey"]})
        assert [entry["key"] for entry in answer["configurationKey"]] == ["HeartbeatInterval"]
        assert answer["unknownKey"] == ["NoSuchKey"]

    async def test_more_keys_than_allowed(self, site: Site) -> None:
        most = int((await site.configuration("GetConfigurationMaxKeys"))["GetConfigurationMaxKeys"])
        await site.call("GetConfiguration", {"key": ["HeartbeatInterval"] * most})
        with pytest.raises(CallError, match="OccurenceConstraintViolation"):  # so spelt in OCPP-J 1.6 §4.2.3
            await site.call("GetConfiguration", {"key": ["HeartbeatInterval"] * (most + 1)})

    @pytest.mark.parametrize(
        ("key", "value", "status"),
        [
            ("HeartbeatInterval", "60", "Accepted"),
            ("heartbeatinterval", "60", "Accepted"),
            ("HeartbeatInterval", "-1", "Rejected"),
            ("HeartbeatInterval", "soon", "Rejected"),
            ("LocalPreAuthorize", "TRUE", "Accepted"),
            ("LocalPreAuthorize", "maybe", "Rejected"),
            ("WebSocketPingInterval", "-1", "Rejected"),  # §9.1.34
            ("NumberOfConnectors", "3", "Rejected"),  # read-only
            ("MeterValuesSampledData", "Energy.Active.Import.Register,Blood.Pressure", "Rejected"),  # §3.16.4
            ("LightIntensity", "101", "Rejected"),
            ("NoSuchKey", "1", "NotSupported"),
        ],
    )
    async def test_a_change_is_answered_by_what_became_of_it(
        self, site: Site, key: str, value: str, status: str
    ) -> None:
        before = await site.call("GetConfiguration", {"key": [key]})
        assert await changed(site, key, value) == status
        if status != "Accepted":
            assert await site.call("GetConfiguration", {"key": [key]}) == before

    async def test_a_change_outlives_restart_and_power_cut_and_the_file(self, install: Install) -> None:
        site = await install(keys={"MeterValueSampleInterval": 30, "ConnectionTimeOut": 40})
        await site.agent.wait_registered()
        await site.configure(MeterValueSampleInterval=31)
        for connection, again in enumerate((Site.restart, power_cut), start=2):
            await again(site)
            await site.station.wait_connected(connection=connection)
            await site.agent.wait_registered()
            values = await site.configuration("MeterValueSampleInterval", "ConnectionTimeOut")
            assert values == {"MeterValueSampleInterval": "31", "ConnectionTimeOut": "40"}

    async def test_a_value_that_was_set_holds_even_where_the_file_said_the_same(self, install: Install) -> None:
        site = await install(keys={"ConnectionTimeOut": 40})
        await site.agent.wait_registered()
        await site.configure(ConnectionTimeOut=40)
        await site.agent.stop()
        text = site.agent.config_path.read_text()
        site.agent.config_path.write_text(text.replace('"ConnectionTimeOut" = 40', '"ConnectionTimeOut" = 50'))
        await site.agent.start()
        await site.station.wait_connected(connection=2)
        assert await site.configuration("ConnectionTimeOut") == {"ConnectionTimeOut": "40"}

    @pytest.mark.evse_agent(evses=2)
    async def test_phase_rotation(self, site: Site) -> None:
        key = "ConnectorPhaseRotation"
        assert await site.configuration(key) == {key: "1.Unknown,2.Unknown"}
        await site.configure(ConnectorPhaseRotation="0.RST,1.RST,2.RTS")
        assert await changed(site, key, "1.RSS") == "Rejected"
        assert await changed(site, key, "3.RST") == "Rejected"
        assert await site.configuration(key) == {key: "0.RST,1.RST,2.RTS"}


class TestHeartbeatAndPings:
    async def test_the_heartbeat_follows_its_interval_at_once(self, site: Site) -> None:
        await site.configure(HeartbeatInterval=1)
        first = await site.wait_for("Heartbeat")
        second = await site.wait_for("Heartbeat")
        assert apart(first, second, 1)

    async def test_other_messages_take_its_place(self, site: Site) -> None:
        await site.configure(HeartbeatInterval=2)
        await site.plug_in()
        plugged = await site.shows(1, "Preparing")
        beat = await site.wait_for("Heartbeat")
        assert apart(plugged, beat, 2)  # §9.1.10: after inactivity

    async def test_pings_follow_theirs(
        self, csms: BenchCsms, install: Install, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "websockets.server")

        def pings() -> int:
            return sum("< PING" in record.getMessage() for record in caplog.records)

        csms.heartbeat_interval_s = 2
        site = await install(keys={"WebSocketPingInterval": 0})
        await site.wait_for("Heartbeat")
        assert pings() == 0
        await site.configure(WebSocketPingInterval=1)
        for _ in range(2):
            await site.wait_for("Heartbeat")
        assert pings() >= 2


class TestStatuses:
    @pytest.mark.evse_agent(keys={"MinimumStatusDuration": 1})
    async def test_only_what_lasts_is_told(self, site: Site) -> None:
        await site.plug_in()
        await site.plug_out()
        await site.plug_in()
        await site.shows(1, "Preparing")
        await site.plug_out()
        await site.shows(1, "Available")
        assert site.statuses(1) == ["Available", "Preparing", "Available"]

    @pytest.mark.evse_agent(keys={"MinimumStatusDuration": 60})
    async def test_unless_it_is_asked_for(self, site: Site) -> None:
        await site.plug_in()
        assert await site.trigger("StatusNotification", 1) == "Accepted"
        await site.shows(1, "Preparing")


class TestLamps:
    async def test_intensity_counts_at_once(self, site: Site) -> None:
        await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["intensity_percent"] == 100, evse=None)
        await site.configure(LightIntensity=40)
        await site.agent.mock.wait_until(lambda state: state["indicator"]["1"]["intensity_percent"] == 40, evse=None)

    async def test_a_refused_card_blinks_so_often(self, site: Site) -> None:
        site.csms.other_id_tags = {"status": "Invalid"}
        await site.configure(BlinkRepeat=7)
        await site.swipe()
        rejected = {"pattern": "rejected", "intensity_percent": 100, "repeat": 7}
        await site.agent.mock.wait_until(lambda state: state["indicator"]["1"] == rejected, evse=None)


class TestLocalAuthorization:
    @staticmethod
    async def session(site: Site, card: str = CARD) -> int:
        """One short session; how often the CSMS was asked about the card."""
        before = len(site.station.calls("Authorize"))
        await site.charge(card)
        await site.plug_out()
        await site.shows(1, "Available")
        await site.settled()
        return len(site.station.calls("Authorize")) - before

    async def test_a_known_card_starts_at_once_if_so_configured(self, site: Site) -> None:
        assert await self.session(site) == 1
        assert await self.session(site) == 1
        await site.configure(LocalPreAuthorize=True)
        assert await self.session(site) == 0
        assert await self.session(site, OTHER_CARD) == 1
        assert await site.asked("ClearCache") == "Accepted"
        assert await self.session(site) == 1
        await site.configure(AuthorizationCacheEnabled=False)
        assert await self.session(site) == 1
        assert await site.asked("ClearCache") == "Rejected"  # errata 3.23

    @pytest.mark.evse_agent(keys={"LocalPreAuthorize": True})
    async def test_a_card_that_was_refused_is_asked_for_again(self, site: Site) -> None:
        site.csms.id_tags[CARD] = {"status": "Blocked"}
        await site.swipe()
        await site.wait_for("Authorize", idTag=CARD)
        await site.settled()
        del site.csms.id_tags[CARD]
        await site.charge()  # §3.5.1


async def test_the_csms_sets_the_clock(csms: BenchCsms, install: Install) -> None:
    csms.clock = lambda: datetime.fromisoformat("2031-05-06T07:08:09+00:00")
    site = await install()
    status = await site.shows(0, "Available")
    assert status.payload["timestamp"].startswith("2031-05-06T07:08:")
