"""Authorize, IdTagInfo and the idTag (1.6 §4.1, §7.2, §7.27, §7.28)."""

from __future__ import annotations

from typing import Any

import pytest

from agent.charging import events as ev
from agent.charging.reports import AuthorizeRequest, BootRequest, HeartbeatRequest
from agent.charging.types import AuthorizationStatus, IdToken, IdTokenInfo, IdTokenType, Session

from .rig import AT_MS, Rig

ASKED = AuthorizeRequest("ask-1", IdToken("04AABB"))
INVALID = IdTokenInfo(AuthorizationStatus.INVALID)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def verdict(rig: Rig, **info: Any) -> IdTokenInfo:
    """What the core hears of an IdTagInfo."""
    (event,) = rig.answered(ASKED, "Authorize", idTagInfo=info).events
    assert isinstance(event, ev.Authorized)
    assert event.request_id == "ask-1"
    assert event.info is not None
    return event.info


class TestIdTag:
    @pytest.mark.parametrize("value", ["04AABB", "0", "a b-c*d", "äöü€", "x" * 20, "é" * 20])
    def test_is_the_token_as_it_is(self, rig: Rig, value: str) -> None:
        """§3.9: no presumption of its format"""
        call = rig.tell(AuthorizeRequest("1", IdToken(value)))
        assert call is not None
        assert (call.action, call.payload) == ("Authorize", {"idTag": value})

    @pytest.mark.parametrize("value", ["", "x" * 21, "é" * 21, "x" * 36])
    def test_cannot_be_empty_or_longer_than_20_and_is_invalid_then(self, rig: Rig, value: str) -> None:
        """§7.28: CiString20Type. Cut, it would be somebody else's."""
        request = AuthorizeRequest("1", IdToken(value))
        assert rig.tell(request) is None
        assert rig.adapter.unsaid(request) == (ev.Authorized("1", INVALID),)

    def test_only_a_token_waits_for_what_was_not_said(self, rig: Rig) -> None:
        assert rig.adapter.unsaid(HeartbeatRequest()) == ()
        assert rig.adapter.unsaid(BootRequest()) == ()

    def test_a_card_with_a_longer_token_is_refused_and_nothing_starts(self, rig: Rig) -> None:
        rig.hold_answers = True
        rig.plug_in()
        rig.card("x" * 21)
        (request,) = rig.of(AuthorizeRequest)
        assert rig.tell(request) is None
        rig.apply(*rig.adapter.unsaid(request))
        assert rig.rejections == 1
        assert rig.session() is Session.PLUGGED


class TestIdTagInfo:
    @pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
    def test_status(self, rig: Rig, status: str) -> None:
        """§7.2; all but Accepted refuse"""
        info = verdict(rig, status=status)
        assert info == IdTokenInfo(AuthorizationStatus(status))
        assert info.accepted == (status == "Accepted")

    @pytest.mark.parametrize(
        ("text", "expires_ms"),
        [
            ("2024-01-01T00:00:00.250Z", AT_MS),
            ("2024-01-01T00:00:00Z", AT_MS - 250),
            ("2024-01-01T01:00:00.25+01:00", AT_MS),
            ("2023-12-31T19:00:00.250999-05:00", AT_MS),
            ("2099-12-31T23:59:59Z", 4_102_444_799_000),
            ("1970-01-01T00:00:00Z", 0),
        ],
    )
    def test_expiry_date(self, rig: Rig, text: str, expires_ms: int) -> None:
        """§3.15: fractions and offsets"""
        assert verdict(rig, status="Accepted", expiryDate=text).expires_ms == expires_ms

    @pytest.mark.parametrize("text", ["2024-01-01T00:00:00.250", "2024-01-01 00:00:00.250Z"])
    def test_an_expiry_date_that_the_session_has_let_pass(self, rig: Rig, text: str) -> None:
        """Sloppy, but the moment is clear."""
        info = {"status": "Accepted", "expiryDate": text}
        (event,) = rig.adapter.answered(ASKED, {"idTagInfo": info}).events
        assert event == ev.Authorized("ask-1", IdTokenInfo(AuthorizationStatus.ACCEPTED, AT_MS))

    def test_without_expiry_date_it_has_no_end(self, rig: Rig) -> None:
        """Errata 3.73"""
        assert verdict(rig, status="Accepted").expires_ms is None

    def test_parent_id_tag_is_the_group(self, rig: Rig) -> None:
        """§3.10"""
        info = verdict(rig, status="Accepted", parentIdTag="FAMILY")
        assert info.group == IdToken("FAMILY", IdTokenType.CENTRAL)

    def test_an_empty_parent_id_tag_is_no_group(self, rig: Rig) -> None:
        """Else all that a CSMS sends it for could stop each other."""
        assert verdict(rig, status="Accepted", parentIdTag="").group is None

    def test_everything_at_once(self, rig: Rig) -> None:
        info = verdict(rig, status="Expired", expiryDate="2024-01-01T00:00:00.250Z", parentIdTag="p" * 20)
        assert info == (AuthorizationStatus.EXPIRED, AT_MS, IdToken("p" * 20, IdTokenType.CENTRAL))


def test_no_usable_answer_leaves_the_decision_to_the_station(rig: Rig) -> None:
    """§3.5"""
    assert rig.adapter.failed(ASKED) == (ev.Authorized("ask-1", None),)


def test_the_group_may_stop_what_its_member_started(rig: Rig) -> None:
    """§3.10, by way of the parentIdTag in both answers; idTags compare without case (§7.28)"""
    start = rig.charge()
    rig.apply(
        *rig.answered(
            start, "StartTransaction", transactionId=7, idTagInfo={"status": "Accepted", "parentIdTag": "family"}
        ).events
    )
    rig.hold_answers = True
    rig.card("BERT")
    request = rig.of(AuthorizeRequest)[-1]
    rig.apply(*rig.answered(request, "Authorize", idTagInfo={"status": "Accepted", "parentIdTag": "FAMILY"}).events)
    assert [rig.payload(report)["idTag"] for report in rig.ended] == ["BERT"]
