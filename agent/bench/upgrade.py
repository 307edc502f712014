"""How the bench CSMS can spoil the opening of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Refuse(NamedTuple):
    """An HTTP answer in place of the upgrade, such as 401, 403, 404, 429 with Retry-After, 500 or 503."""

    status: int
    headers: Mapping[str, str] = {}
    body: str = ""


class Subprotocol(NamedTuple):
    """The upgrade, with this subprotocol whatever the station offered; None: with none."""

    name: str | None


class CloseAtOnce(NamedTuple):
    """The upgrade, and a close frame right after it. `code` None: the TCP connection is reset instead."""

    code: int | None = 1000
    reason: str = ""


class NoAnswer(NamedTuple):
    """The request is read and never answered."""


UpgradeFault = Refuse | Subprotocol | CloseAtOnce | NoAnswer


class Attempt(NamedTuple):
    """One upgrade request: when (monotonic, s), for what, and with what. `subprotocols` and `authorization` as sent."""

    at_s: float
    path: str
    subprotocols: str
    authorization: str
    headers: Mapping[str, str]
