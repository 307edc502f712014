"""BootNotification and Heartbeat (1.6 §4.2, §4.6, §6.3, §6.4, §6.30)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.charging import events as ev
from agent.charging.reports import BootRequest, HeartbeatRequest
from agent.charging.types import RegistrationStatus
from agent.ocpp.adapter import Answer
from agent.ocpp.v16.adapter import StationIdentity

from .rig import AT, AT_MS, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


class TestRequest:
    def test_says_what_the_station_is(self, rig: Rig) -> None:
        call = rig.tell(BootRequest())
        assert call is not None
        assert call.action == "BootNotification"
        assert call.payload == {
            "chargePointVendor": "Acme",
            "chargePointModel": "AC22",
            "chargePointSerialNumber": "A-0001",
            "firmwareVersion": "1.4.0",
        }

    def test_leaves_out_what_is_not_known(self) -> None:
        """§6.3: optional"""
        rig = Rig(identity=StationIdentity("Acme", "AC22", "", ""))
        assert rig.payload(BootRequest()) == {"chargePointVendor": "Acme", "chargePointModel": "AC22"}

    def test_the_longest_texts_fit(self) -> None:
        rig = Rig(identity=StationIdentity("Ä" * 20, "M" * 20, "S" * 25, "1" * 50))
        assert len(rig.payload(BootRequest())) == 4

    def test_a_triggered_one_is_the_same(self, rig: Rig) -> None:
        assert rig.tell(BootRequest(triggered=True)) == rig.tell(BootRequest())


class TestAnswer:
    @pytest.mark.parametrize("status", list(RegistrationStatus))
    def test_registration_interval_and_time(self, rig: Rig, status: RegistrationStatus) -> None:
        answer = rig.answered(BootRequest(), "BootNotification", status=status.value, currentTime=AT, interval=300)
        assert answer == Answer((ev.BootAnswered(status, 300),), csms_ms=AT_MS)

    @pytest.mark.parametrize("interval", [0, -1, 1, 86_400, 2**31])
    def test_the_interval_is_the_cores_to_judge(self, rig: Rig, interval: int) -> None:
        answer = rig.answered(BootRequest(), "BootNotification", status="Accepted", currentTime=AT, interval=interval)
        assert answer.events == (ev.BootAnswered(RegistrationStatus.ACCEPTED, interval),)

    @pytest.mark.parametrize(
        ("text", "csms_ms"),
        [
            ("2024-01-01T00:00:00Z", AT_MS - 250),
            ("2024-01-01T02:00:00.25+02:00", AT_MS),
            ("2024-01-01T00:00:00.250", AT_MS),
            ("2024-01-01 00:00:00.250Z", AT_MS),
        ],
    )
    def test_the_time_in_every_form(self, rig: Rig, text: str, csms_ms: int) -> None:
        """§3.15"""
        payload = {"status": "Accepted", "currentTime": text, "interval": 300}
        assert rig.adapter.answered(BootRequest(), payload).csms_ms == csms_ms
        assert rig.adapter.answered(HeartbeatRequest(), {"currentTime": text}).csms_ms == csms_ms

    @pytest.mark.parametrize("time", [{}, {"currentTime": "noon"}, {"currentTime": ""}, {"currentTime": None}])
    def test_a_time_that_cannot_be_read_spoils_nothing(self, rig: Rig, time: dict[str, Any]) -> None:
        answer = rig.adapter.answered(BootRequest(), {"status": "Accepted", "interval": 300, **time})
        assert answer == Answer((ev.BootAnswered(RegistrationStatus.ACCEPTED, 300),))
        assert rig.adapter.answered(HeartbeatRequest(), time) == Answer()

    @pytest.mark.parametrize(
        "payload", [{"status": "Accepted"}, {"interval": 300}, {"status": "Maybe", "interval": 300}]
    )
    def test_an_answer_without_what_is_needed_is_not_used(self, rig: Rig, payload: dict[str, Any]) -> None:
        with pytest.raises((LookupError, ValueError)):
            rig.adapter.answered(BootRequest(), payload)

    def test_no_usable_answer_is_a_failed_boot(self, rig: Rig) -> None:
        assert rig.adapter.failed(BootRequest()) == (ev.BootFailed(),)


class TestHeartbeat:
    def test_says_nothing_and_brings_the_time(self, rig: Rig) -> None:
        """§4.6"""
        call = rig.tell(HeartbeatRequest())
        assert call is not None
        assert (call.action, call.payload) == ("Heartbeat", {})
        assert rig.answered(HeartbeatRequest(), "Heartbeat", currentTime=AT) == Answer(csms_ms=AT_MS)

    def test_a_lost_one_changes_nothing(self, rig: Rig) -> None:
        assert rig.adapter.failed(HeartbeatRequest()) == ()
