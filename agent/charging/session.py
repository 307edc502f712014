"""The session of an EVSE as a table: who came, who was authorized, what ended (1.6 §4.9)."""

from __future__ import annotations

from enum import StrEnum

from agent.charging.types import IdToken, Session, TriggerReason


class SessionEvent(StrEnum):
    PLUG = "plug"
    UNPLUG = "unplug"
    EV_CONNECTED = "ev connected"
    AUTHORIZE_WITH_EV = "authorize, EV connected"
    AUTHORIZE_WITHOUT_EV = "authorize, no EV"
    DEAUTHORIZE = "deauthorize"
    DEAUTHORIZE_PLUGGED = "deauthorize, plugged"
    TIMEOUT = "time-out"
    TIMEOUT_PLUGGED = "time-out, plugged"
    END = "end"
    END_PLUGGED = "end, plugged"


# What is absent is refused and changes nothing. The letters are 1.6 §4.9's.
TABLE: dict[tuple[Session, SessionEvent], Session] = {
    (Session.AVAILABLE, SessionEvent.PLUG): Session.PLUGGED,  # A2
    (Session.AVAILABLE, SessionEvent.AUTHORIZE_WITHOUT_EV): Session.AUTHORIZED,  # A2
    (Session.PLUGGED, SessionEvent.AUTHORIZE_WITH_EV): Session.TRANSACTION,  # B3
    (Session.PLUGGED, SessionEvent.AUTHORIZE_WITHOUT_EV): Session.AUTHORIZED,
    (Session.PLUGGED, SessionEvent.UNPLUG): Session.AVAILABLE,  # B1
    (Session.PLUGGED, SessionEvent.TIMEOUT_PLUGGED): Session.FINISHED,  # B6
    (Session.AUTHORIZED, SessionEvent.EV_CONNECTED): Session.TRANSACTION,  # B3
    (Session.AUTHORIZED, SessionEvent.TIMEOUT): Session.AVAILABLE,  # B1
    (Session.AUTHORIZED, SessionEvent.TIMEOUT_PLUGGED): Session.FINISHED,  # B6
    (Session.AUTHORIZED, SessionEvent.DEAUTHORIZE): Session.AVAILABLE,  # B1
    (Session.AUTHORIZED, SessionEvent.DEAUTHORIZE_PLUGGED): Session.PLUGGED,
    (Session.TRANSACTION, SessionEvent.END): Session.AVAILABLE,  # C1, D1, E1
    (Session.TRANSACTION, SessionEvent.END_PLUGGED): Session.FINISHED,  # C6, D6, E6
    (Session.FINISHED, SessionEvent.UNPLUG): Session.AVAILABLE,  # F1
    (Session.FINISHED, SessionEvent.EV_CONNECTED): Session.PLUGGED,  # F2
    (Session.FINISHED, SessionEvent.AUTHORIZE_WITH_EV): Session.TRANSACTION,  # F2
    (Session.FINISHED, SessionEvent.AUTHORIZE_WITHOUT_EV): Session.AUTHORIZED,  # F2
}


class Authorization:
    """Somebody may charge here; at that connector only, if one is named."""

    __slots__ = ("connector_id", "group", "id_token", "remote_start_id", "trigger")

    def __init__(
        self,
        id_token: IdToken,
        group: IdToken | None,
        remote_start_id: int | None,
        trigger: TriggerReason,
        connector_id: int | None = None,
    ) -> None:
        self.id_token = id_token
        self.group = group
        self.remote_start_id = remote_start_id
        self.trigger = trigger
        self.connector_id = connector_id
