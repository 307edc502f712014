"""Authorize, IdTagInfo and the idTag itself (1.6 §4.1, §7.2, §7.27, §7.28)."""

from __future__ import annotations

from agent.charging.events import Authorized
from agent.charging.reports import AuthorizeRequest
from agent.charging.types import AuthorizationStatus, IdToken, IdTokenInfo, IdTokenType
from agent.ocpp.adapter import Answer, Call, Payload
from agent.ocpp.timestamps import parse_utc_ms

ID_TAG_LENGTH = 20


def encode(report: AuthorizeRequest) -> Call | None:
    """None: no idTag can carry this token (CiString20Type)."""
    if not 0 < len(report.id_token.value) <= ID_TAG_LENGTH:
        return None
    return Call("Authorize", {"idTag": report.id_token.value})


def answered(report: AuthorizeRequest, payload: Payload) -> Answer:
    return Answer((Authorized(report.request_id, id_token_info(payload["idTagInfo"])),))


def unsaid(report: AuthorizeRequest) -> Authorized:
    return Authorized(report.request_id, IdTokenInfo(AuthorizationStatus.INVALID))


def id_token(id_tag: str) -> IdToken:
    """What kind of token it is, 1.6 does not say."""
    return IdToken(id_tag, IdTokenType.ISO14443)


def id_tag(token: IdToken) -> str:
    return token.value[:ID_TAG_LENGTH]


def id_token_info(info: Payload) -> IdTokenInfo:
    parent = info.get("parentIdTag")
    expiry = info.get("expiryDate")
    return IdTokenInfo(
        AuthorizationStatus(info["status"]),
        parse_utc_ms(expiry) if expiry is not None else None,
        IdToken(parent, IdTokenType.CENTRAL) if parent else None,
    )
