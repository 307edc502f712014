"""Where transactions start and stop (OCPP 2.0.1 E01, E06; TxStartPoint, TxStopPoint). 1.6 has fixed ones (§4.8, §4.10).

"EnergyTransfer" is the moment from which energy may flow: the start's reading has to come before any of it.
"""

from __future__ import annotations

from collections.abc import Collection

from agent.charging.types import Session, StopReason

_POWER = frozenset({"PowerPathClosed", "EnergyTransfer"})
_AUTHORIZATION = _POWER | {"Authorized"}
_AUTHORIZATION_ENDED = frozenset({StopReason.LOCAL, StopReason.REMOTE, StopReason.DE_AUTHORIZED})


def start_reached(points: Collection[str], session: Session, *, authorized: bool, ev_connected: bool) -> bool:
    if session is Session.TRANSACTION and not _POWER.isdisjoint(points):
        return True
    if authorized and "Authorized" in points:
        return True
    return session in (Session.PLUGGED, Session.TRANSACTION) and ev_connected and "EVConnected" in points


def goes_on(points: Collection[str], reason: StopReason) -> bool:
    """Energy ends now, the transaction only when the car leaves."""
    return reason in _AUTHORIZATION_ENDED and _AUTHORIZATION.isdisjoint(points)
