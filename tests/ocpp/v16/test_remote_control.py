"""RemoteStartTransaction, RemoteStopTransaction, UnlockConnector, TriggerMessage (1.6 §5.11, §5.12, §5.17, §5.18)."""

from __future__ import annotations

import pytest

from agent.charging import variables as v
from agent.charging.reports import (
    AuthorizeRequest,
    BootRequest,
    ConnectorReport,
    HeartbeatRequest,
    MeterValuesReport,
    TransactionEvent,
    UnlockAnswer,
)
from agent.charging.types import (
    IdToken,
    IdTokenType,
    RegistrationStatus,
    Session,
    StopReason,
    UnlockStatus,
)

from ...charging.harness import fixed_cable, socket
from .rig import REF, Rig, two_sockets


class TestRemoteStart:
    def start(self, rig: Rig, connector_id: int | None = None) -> str:
        where = {} if connector_id is None else {"connectorId": connector_id}
        return rig.status("RemoteStartTransaction", idTag="APP-1", **where)

    def test_starts_with_the_token_it_names(self) -> None:
        rig = Rig()
        rig.plug_in()
        assert self.start(rig, 1) == "Accepted"
        start = rig.tell(rig.started[-1])
        assert start is not None
        assert start.action == "StartTransaction"
        assert (start.payload["connectorId"], start.payload["idTag"]) == (1, "APP-1")

    @pytest.mark.parametrize("asks", [True, False])
    def test_asks_the_csms_first_where_so_configured(self, asks: bool) -> None:
        """AuthorizeRemoteTxRequests"""
        rig = Rig(settings={v.AUTHORIZE_REMOTE_START: asks})
        rig.plug_in()
        assert self.start(rig, 1) == "Accepted"
        expected = [IdToken("APP-1", IdTokenType.ISO14443)] if asks else []
        assert [request.id_token for request in rig.of(AuthorizeRequest)] == expected

    def test_addresses_the_connector(self) -> None:
        rig = Rig(two_sockets(1), socket(2))
        assert self.start(rig, 3) == "Accepted"
        assert rig.session(2) is Session.AUTHORIZED

    def test_without_a_connector_leaves_the_choice_to_the_station(self) -> None:
        rig = Rig(socket(1), socket(2))
        rig.plug_in(2)
        assert self.start(rig) == "Accepted"
        assert rig.session(2) is Session.TRANSACTION

    def test_is_not_for_the_car_at_the_evses_other_connector(self) -> None:
        """Whoever chose connector 2 must not pay for whoever is at connector 1."""
        rig = Rig(two_sockets())
        rig.plug_in(connector_id=1)
        assert self.start(rig, 2) == "Rejected"
        assert rig.session(1) is Session.PLUGGED
        assert self.start(rig, 1) == "Accepted"

    def test_is_not_for_an_inoperative_connector(self) -> None:
        rig = Rig(two_sockets())
        rig.ask("ChangeAvailability", connectorId=2, type="Inoperative")
        assert self.start(rig, 2) == "Rejected"
        assert self.start(rig, 1) == "Accepted"

    def test_is_not_for_a_faulted_connector(self) -> None:
        rig = Rig()
        rig.raise_fault()
        assert self.start(rig, 1) == "Rejected"

    def test_starts_anew_where_a_session_has_finished(self) -> None:
        """§4.9, F2"""
        rig = Rig()
        rig.charge()
        rig.card()
        assert self.start(rig, 1) == "Accepted"
        assert rig.session(1) is Session.TRANSACTION

    @pytest.mark.parametrize("connector_id", [0, -1, 4, 2**40])
    def test_of_no_connector_is_rejected(self, connector_id: int) -> None:
        """§6.33: connectorId > 0"""
        assert self.start(Rig(two_sockets(1), socket(2)), connector_id) == "Rejected"

    def test_of_a_connector_that_charges_is_rejected(self) -> None:
        rig = Rig()
        rig.charge()
        assert self.start(rig, 1) == "Rejected"

    @pytest.mark.parametrize("registration", [RegistrationStatus.PENDING, RegistrationStatus.REJECTED])
    def test_before_the_station_is_accepted_is_rejected(self, registration: RegistrationStatus) -> None:
        """§4.2"""
        assert self.start(Rig(registration=registration), 1) == "Rejected"

    def test_a_charging_profile_is_ignored(self) -> None:
        """§5.11: without Smart Charging"""
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
            },
        }
        rig = Rig()
        assert rig.status("RemoteStartTransaction", idTag="APP-1", connectorId=1, chargingProfile=profile) == "Accepted"


class TestRemoteStop:
    @pytest.mark.parametrize("csms_id", [1, 0, -1, -7, 2**31 - 1, 2**53 + 1])
    def test_ends_the_transaction_of_this_id(self, csms_id: int) -> None:
        """Errata 3.54: zero and negative ids are ids."""
        rig = Rig()
        rig.charge()
        rig.start_taken(csms_id)
        assert rig.status("RemoteStopTransaction", transactionId=csms_id) == "Accepted"
        assert rig.stop_reasons == [StopReason.REMOTE]

    def test_leaves_the_others_alone(self) -> None:
        rig = Rig(socket(1), socket(2))
        rig.charge(1)
        rig.start_taken(11)
        rig.charge(2)
        rig.start_taken(12)
        assert rig.status("RemoteStopTransaction", transactionId=12) == "Accepted"
        sessions = [rig.session(1), rig.session(2)]
        assert sessions == [Session.TRANSACTION, Session.FINISHED]

    @pytest.mark.parametrize("csms_id", [-1, 0, 8, 77])
    def test_of_an_unknown_id_is_rejected(self, csms_id: int) -> None:
        rig = Rig()
        rig.charge()
        rig.start_taken(7)
        assert rig.status("RemoteStopTransaction", transactionId=csms_id) == "Rejected"

    def test_of_a_transaction_that_has_no_id_yet_is_rejected(self) -> None:
        """Errata 3.18's -1 is nobody's id."""
        rig = Rig()
        rig.charge()
        assert rig.status("RemoteStopTransaction", transactionId=-1) == "Rejected"

    def test_of_a_transaction_that_has_ended_is_rejected(self) -> None:
        rig = Rig()
        rig.charge()
        rig.start_taken(7)
        rig.card()
        assert rig.status("RemoteStopTransaction", transactionId=7) == "Rejected"

    def test_of_an_id_that_the_csms_uses_twice_ends_the_ongoing_one(self) -> None:
        rig = Rig()
        rig.charge()
        rig.ids.csms_ids["one from last week"] = "7"
        rig.start_taken(7)
        assert rig.status("RemoteStopTransaction", transactionId=7) == "Accepted"


class TestUnlock:
    def test_is_answered_when_the_latch_has_moved(self) -> None:
        """§5.18"""
        rig = Rig()
        rig.hardware[1].late_s = 0.5
        assert rig.ask("UnlockConnector", connectorId=1) is None
        assert not rig.of(UnlockAnswer)
        rig.advance(1)
        (answer,) = rig.of(UnlockAnswer)
        assert answer.ref == REF
        assert rig.adapter.complete(answer) == {"status": "Unlocked"}

    def test_ends_the_transaction_first(self) -> None:
        rig = Rig()
        rig.charge()
        assert rig.ask("UnlockConnector", connectorId=1) is None
        kinds = [type(output) for output in rig.log if isinstance(output, TransactionEvent | UnlockAnswer)]
        assert kinds[-2:] == [TransactionEvent, UnlockAnswer]
        assert rig.stop_reasons == [StopReason.UNLOCK_COMMAND]

    def test_of_a_latch_that_is_stuck_has_failed(self) -> None:
        rig = Rig()
        rig.charge()
        rig.hardware[1].broken.add("lock")
        assert rig.ask("UnlockConnector", connectorId=1) is None
        assert [rig.adapter.complete(answer) for answer in rig.of(UnlockAnswer)] == [{"status": "UnlockFailed"}]

    def test_of_a_fixed_cable_is_not_supported(self) -> None:
        rig = Rig(socket(1), fixed_cable(2))
        assert rig.status("UnlockConnector", connectorId=2) == "NotSupported"

    @pytest.mark.parametrize("connector_id", [0, -1, 4])
    def test_of_no_connector_is_not_supported(self, connector_id: int) -> None:
        """Errata 3.87"""
        rig = Rig(two_sockets(1), socket(2))
        assert rig.status("UnlockConnector", connectorId=connector_id) == "NotSupported"

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (UnlockStatus.UNLOCKED, "Unlocked"),
            (UnlockStatus.UNLOCK_FAILED, "UnlockFailed"),
            (UnlockStatus.NO_LOCK, "NotSupported"),
            (UnlockStatus.UNKNOWN_CONNECTOR, "NotSupported"),
        ],
    )
    def test_every_outcome_has_its_word(self, status: UnlockStatus, said: str) -> None:
        """§7.46"""
        assert Rig().adapter.complete(UnlockAnswer(REF, status)) == {"status": said}

    def test_only_its_outcome_settles_a_call(self) -> None:
        rig = Rig()
        for report in (HeartbeatRequest(), BootRequest(), AuthorizeRequest("1", IdToken("ANNA"))):
            assert rig.adapter.complete(report) is None


class TestTrigger:
    def trigger(self, rig: Rig, message: str, connector_id: int | None = None) -> str:
        where = {} if connector_id is None else {"connectorId": connector_id}
        return rig.status("TriggerMessage", requestedMessage=message, **where)

    @pytest.mark.parametrize("connector_id", [None, 0, 1, 99, -1])
    def test_a_heartbeat_has_no_connector(self, connector_id: int | None) -> None:
        """§5.17: what is not relevant is ignored"""
        rig = Rig()
        assert self.trigger(rig, "Heartbeat", connector_id) == "Accepted"
        assert len(rig.of(HeartbeatRequest)) == 1

    @pytest.mark.parametrize("connector_id", [None, 99])
    def test_a_boot_notification_only_until_it_was_accepted(self, connector_id: int | None) -> None:
        """Errata 3.35, 3.40"""
        rig = Rig(registration=RegistrationStatus.PENDING)
        assert self.trigger(rig, "BootNotification", connector_id) == "Accepted"
        assert len(rig.of(BootRequest)) == 1
        assert self.trigger(Rig(), "BootNotification", connector_id) == "Rejected"

    @pytest.mark.parametrize(("connector_id", "told"), [(None, [0, 1, 2, 3]), (0, [0]), (1, [1]), (2, [2]), (3, [3])])
    def test_statuses(self, connector_id: int | None, told: list[int]) -> None:
        """Figure 39: none means the station and every connector"""
        rig = Rig(two_sockets(1), socket(2))
        assert len(rig.take(ConnectorReport(view, 0) for view in rig.station.views())) == 4
        assert self.trigger(rig, "StatusNotification", connector_id) == "Accepted"
        assert [number for number, _ in rig.notified] == told

    @pytest.mark.parametrize(("connector_id", "told"), [(None, [1, 2]), (1, [1]), (2, [2])])
    def test_meter_values(self, connector_id: int | None, told: list[int]) -> None:
        rig = Rig(socket(1), socket(2))
        assert self.trigger(rig, "MeterValues", connector_id) == "Accepted"
        calls = rig.take(rig.of(MeterValuesReport))
        assert [call.payload["connectorId"] for call in calls] == told
        contexts = {
            sampled["context"]
            for call in calls
            for value in call.payload["meterValue"]
            for sampled in value["sampledValue"]
        }
        assert contexts == {"Trigger"}

    def test_meter_values_of_the_station_which_has_no_meter_are_rejected(self) -> None:
        assert self.trigger(Rig(), "MeterValues", 0) == "Rejected"

    @pytest.mark.parametrize("message", ["StatusNotification", "MeterValues"])
    @pytest.mark.parametrize("connector_id", [-1, 4, 10**15])
    def test_of_no_connector_is_rejected(self, message: str, connector_id: int) -> None:
        rig = Rig(two_sockets(1), socket(2))
        assert self.trigger(rig, message, connector_id) == "Rejected"
        assert not rig.log

    @pytest.mark.parametrize("message", ["DiagnosticsStatusNotification", "FirmwareStatusNotification"])
    def test_what_the_station_never_sends_is_not_implemented(self, message: str) -> None:
        assert self.trigger(Rig(), message) == "NotImplemented"
