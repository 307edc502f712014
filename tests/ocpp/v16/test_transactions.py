"""StartTransaction and StopTransaction (1.6 §4.8, §4.10, §6.45..6.50, §7.36)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.charging import events as ev
from agent.charging import variables as v
from agent.charging.reports import ConnectorReport, MeterValuesReport, TransactionEvent
from agent.charging.types import (
    AuthorizationStatus,
    IdToken,
    IdTokenInfo,
    IdTokenType,
    ReadingContext,
    StopReason,
    TriggerReason,
)

from ...charging.harness import socket
from .rig import AT, Rig, two_sockets
from .samples import ANNA, ended, meter_value, sampled, started, updated

LONG = IdToken("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@pytest.fixture
def rig() -> Rig:
    """The CSMS calls the transaction tx1 number 42."""
    rig = Rig(two_sockets(1), socket(2))
    rig.ids.csms_ids["tx1"] = "42"
    return rig


class TestStart:
    def test_says_who_where_when_and_from_which_register(self, rig: Rig) -> None:
        """§6.45"""
        call = rig.tell(started())
        assert call is not None
        assert call.action == "StartTransaction"
        assert call.payload == {"connectorId": 1, "idTag": "ANNA", "meterStart": 1000, "timestamp": AT}

    @pytest.mark.parametrize(("evse_id", "connector_id", "number"), [(1, 1, 1), (1, 2, 2), (2, 1, 3)])
    def test_names_the_connector(self, rig: Rig, evse_id: int, connector_id: int, number: int) -> None:
        """§3.8"""
        assert rig.payload(started(evse_id=evse_id, connector_id=connector_id))["connectorId"] == number

    @pytest.mark.parametrize(
        ("register_wh", "sent"), [(0.0, 0), (0.999, 0), (1000.5, 1000), (12_345_678.0, 12_345_678)]
    )
    def test_counts_whole_watt_hours(self, rig: Rig, register_wh: float, sent: int) -> None:
        value = rig.payload(started(register_wh=register_wh))["meterStart"]
        assert (type(value), value) == (int, sent)

    def test_cuts_a_token_that_an_id_tag_cannot_hold(self, rig: Rig) -> None:
        """§7.28: CiString20Type. Accepted offline, or under another version, it was used all the same."""
        assert rig.payload(started()._replace(id_token=LONG))["idTag"] == "ABCDEFGHIJKLMNOPQRST"

    def test_of_a_transaction_that_began_with_the_car_waits_for_whose_it_is(self, rig: Rig) -> None:
        """1.6 has no word for a transaction of nobody."""
        began = started()._replace(id_token=None, authorized=False, trigger=TriggerReason.CABLE_PLUGGED_IN)
        assert rig.tell(began) is None
        assert rig.tell(updated(sampled(), authorized=False)) is None
        authorized = updated(id_token=ANNA, trigger=TriggerReason.AUTHORIZED, register_wh=1007.7)
        call = rig.tell(authorized)
        assert call is not None
        assert (call.action, call.payload["meterStart"]) == ("StartTransaction", 1007)

    @pytest.mark.parametrize("trigger", [TriggerReason.AUTHORIZED, TriggerReason.REMOTE_START])
    def test_answer_belongs_to_whatever_started_it(self, rig: Rig, trigger: TriggerReason) -> None:
        report = updated(id_token=ANNA, trigger=trigger)
        answer = rig.answered(report, "StartTransaction", transactionId=43, idTagInfo={"status": "Accepted"})
        assert answer.csms_id == "43"

    @pytest.mark.parametrize("csms_id", [1, 0, -1, -5, 2**31 - 1, 2**53 + 1])
    def test_every_integer_is_an_id(self, rig: Rig, csms_id: int) -> None:
        """Errata 3.54"""
        report = started()
        answer = rig.answered(report, "StartTransaction", transactionId=csms_id, idTagInfo={"status": "Accepted"})
        assert answer.csms_id == str(csms_id)
        rig.ids.csms_ids["tx1"] = answer.csms_id
        assert rig.payload(ended())["transactionId"] == csms_id

    @pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
    def test_the_verdict_on_the_token_comes_with_the_answer(self, rig: Rig, status: str) -> None:
        """§4.8, errata 3.17"""
        answer = rig.answered(started(), "StartTransaction", transactionId=1, idTagInfo={"status": status})
        info = IdTokenInfo(AuthorizationStatus(status))
        assert answer.events == (ev.TransactionAnswered("tx1", ANNA, info, started=True),)

    def test_a_refused_token_ends_the_charging(self) -> None:
        rig = Rig(settings={v.STOP_TX_ON_INVALID_ID: True})
        report = rig.charge()
        rig.apply(*rig.answered(report, "StartTransaction", transactionId=1, idTagInfo={"status": "Blocked"}).events)
        assert rig.payload(rig.ended[-1])["reason"] == "DeAuthorized"


class TestStop:
    def test_says_which_when_why_and_up_to_which_register(self, rig: Rig) -> None:
        """§6.49"""
        call = rig.tell(ended(StopReason.EV_DISCONNECTED))
        assert call is not None
        assert call.action == "StopTransaction"
        assert call.payload == {"transactionId": 42, "meterStop": 1000, "timestamp": AT, "reason": "EVDisconnected"}

    def test_every_reason_has_its_word(self, rig: Rig) -> None:
        """§7.36; the two resets have other names in 2.x"""
        words = {reason: rig.payload(ended(reason))["reason"] for reason in StopReason}
        assert words == {
            StopReason.DE_AUTHORIZED: "DeAuthorized",
            StopReason.EMERGENCY_STOP: "EmergencyStop",
            StopReason.EV_DISCONNECTED: "EVDisconnected",
            StopReason.IMMEDIATE_RESET: "HardReset",
            StopReason.LOCAL: "Local",
            StopReason.OTHER: "Other",
            StopReason.POWER_LOSS: "PowerLoss",
            StopReason.REBOOT: "Reboot",
            StopReason.REMOTE: "Remote",
            StopReason.GRACEFUL_RESET: "SoftReset",
            StopReason.UNLOCK_COMMAND: "UnlockCommand",
        }

    def test_no_reason_means_local(self, rig: Rig) -> None:
        """§4.10"""
        assert rig.payload(ended(None))["reason"] == "Local"

    @pytest.mark.parametrize(("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")])
    def test_a_reset_names_its_kind(self, kind: str, reason: str) -> None:
        """§5.14"""
        rig = Rig()
        rig.charge()
        assert rig.status("Reset", type=kind) == "Accepted"
        assert [rig.payload(report)["reason"] for report in rig.ended] == [reason]

    def test_says_who_stopped_it(self, rig: Rig) -> None:
        assert rig.payload(ended(id_token=IdToken("BERT")))["idTag"] == "BERT"
        assert rig.payload(ended(id_token=LONG))["idTag"] == "ABCDEFGHIJKLMNOPQRST"
        assert "idTag" not in rig.payload(ended())

    def test_a_transaction_that_the_csms_never_named_is_minus_1(self, rig: Rig) -> None:
        """Errata 3.18"""
        assert rig.payload(ended(transaction_id="unnamed"))["transactionId"] == -1

    def test_a_transaction_that_nobody_was_authorized_for_is_not_told(self, rig: Rig) -> None:
        assert rig.tell(ended(authorized=False)) is None

    def test_carries_what_was_collected(self, rig: Rig) -> None:
        """§4.10, errata 3.14"""
        begin = meter_value(sampled(1000.0, context=ReadingContext.TRANSACTION_BEGIN))
        end = meter_value(sampled(1500.4, context=ReadingContext.TRANSACTION_END), at_ms=begin.at_ms + 60_000)
        data = rig.payload(ended(data=(begin, end)))["transactionData"]
        assert [value["timestamp"] for value in data] == [AT, "2024-01-01T00:01:00.250Z"]
        assert [value["sampledValue"][0]["context"] for value in data] == ["Transaction.Begin", "Transaction.End"]

    def test_carries_no_data_where_none_was_collected(self, rig: Rig) -> None:
        """§3.16.5"""
        assert "transactionData" not in rig.payload(ended())

    def test_the_verdict_on_the_token_comes_with_the_answer(self, rig: Rig) -> None:
        """§4.10: it updates the authorization cache, and starts nothing"""
        answer = rig.answered(ended(id_token=ANNA), "StopTransaction", idTagInfo={"status": "Expired"})
        info = IdTokenInfo(AuthorizationStatus.EXPIRED)
        assert answer.events == (ev.TransactionAnswered("tx1", ANNA, info, started=False),)
        assert answer.csms_id is None

    @pytest.mark.parametrize("fields", [{}, {"idTagInfo": {"status": "Accepted"}}])
    def test_an_answer_says_nothing_of_a_token_that_was_not_sent(self, rig: Rig, fields: dict[str, Any]) -> None:
        assert rig.answered(ended(), "StopTransaction", **fields).events == ()

    def test_an_answer_without_verdict_says_nothing(self, rig: Rig) -> None:
        assert rig.answered(ended(id_token=ANNA), "StopTransaction").events == ()


class TestBetween:
    def test_values_go_out_as_meter_values(self, rig: Rig) -> None:
        call = rig.tell(updated(sampled(1200.0)))
        assert call is not None
        assert (call.action, call.payload["transactionId"]) == ("MeterValues", 42)

    def test_what_only_2x_can_tell_is_not_told(self, rig: Rig) -> None:
        assert rig.tell(updated(trigger=TriggerReason.CHARGING_STATE_CHANGED)) is None

    @pytest.mark.parametrize(
        "report",
        [
            started(),
            started()._replace(id_token=None, authorized=False),
            updated(),
            updated(sampled()),
            updated(sampled(), authorized=False),
            updated(id_token=ANNA, trigger=TriggerReason.AUTHORIZED),
            updated(id_token=ANNA, trigger=TriggerReason.REMOTE_START),
            updated(id_token=ANNA, trigger=TriggerReason.CHARGING_STATE_CHANGED),
            ended(),
            ended(authorized=False),
        ],
    )
    def test_what_is_never_told_is_known_beforehand(self, rig: Rig, report: TransactionEvent) -> None:
        """It need not wear the flash."""
        assert rig.adapter.carries(report) == (rig.tell(report) is not None)

    @pytest.mark.parametrize("kind", list(IdTokenType))
    def test_every_kind_of_token_is_an_id_tag(self, rig: Rig, kind: IdTokenType) -> None:
        assert rig.payload(started()._replace(id_token=IdToken("ANNA", kind)))["idTag"] == "ANNA"


def test_a_whole_session() -> None:
    rig = Rig(
        settings={
            v.SAMPLED_TX_UPDATED_INTERVAL: 30,
            v.SAMPLED_TX_ENDED_MEASURANDS: "Energy.Active.Import.Register",
        }
    )
    rig.charge(seconds=61)
    rig.start_taken(7)
    rig.card()
    durable = [output for output in rig.log if isinstance(output, TransactionEvent | MeterValuesReport)]
    calls = rig.take(durable)
    assert [call.action for call in calls] == ["StartTransaction", "MeterValues", "MeterValues", "StopTransaction"]
    start, *values, stop = [call.payload for call in calls]
    assert [value["transactionId"] for value in (*values, stop)] == [7, 7, 7]
    registers = [start["meterStart"]]
    registers += [int(value["meterValue"][0]["sampledValue"][0]["value"]) for value in values]
    registers.append(stop["meterStop"])
    assert registers == sorted(registers)
    assert registers[-1] > registers[0]
    assert (start["idTag"], stop["idTag"], stop["reason"]) == ("ANNA", "ANNA", "Local")
    assert rig.take(rig.of(ConnectorReport))[-1].payload["status"] == "Finishing"
