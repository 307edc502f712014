"""When a status is told (1.6 §4.9, 2.0.1 G01): on each change, after it has been stable for as long as the CSMS wants.

What was true while the station was offline and no longer is, is not told: the uplink drops it and asks for the present.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.charging.core import Core
from agent.charging.effects import Show
from agent.charging.evse import Evse
from agent.charging.faults import Faults
from agent.charging.reports import ConnectorReport, ConnectorView
from agent.charging.types import ConnectorStatus, Session


def station_view(faults: Faults, *, operative: bool) -> ConnectorView:
    """Of the station itself: only Available, Unavailable and Faulted apply (1.6 §4.9)."""
    if faults.blocking is not None:
        status = ConnectorStatus.FAULTED
    else:
        status = ConnectorStatus.AVAILABLE if operative else ConnectorStatus.UNAVAILABLE
    return ConnectorView(0, 0, status, fault=faults.foremost)


def connector_view(evse: Evse, connector_id: int) -> ConnectorView:
    blocking = evse.blocking_fault
    mine = connector_id == evse.plug.connector_id
    transaction = evse.transaction
    if blocking is not None:
        status = ConnectorStatus.FAULTED
    elif connector_id in evse.inoperative_connectors and (transaction is None or not mine):
        status = ConnectorStatus.UNAVAILABLE
    elif not evse.operative or (not mine and evse.session is not Session.AVAILABLE):
        # An EVSE serves one car: its other connectors are of no use until it leaves.
        status = ConnectorStatus.UNAVAILABLE
    elif mine and (evse.plug.inserted or transaction is not None):
        status = ConnectorStatus.OCCUPIED
    else:
        status = ConnectorStatus.AVAILABLE
    return ConnectorView(
        evse.evse_id,
        connector_id,
        status,
        evse.session if mine else Session.AVAILABLE,
        transaction.charging_state if transaction is not None and mine else None,
        blocking or evse.faults.foremost,
        evse.info if mine else "",
    )


class StatusReporter:
    """Compares each connector's view with the last one told."""

    __slots__ = ("_core", "_told", "_views", "_waiting")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._views: dict[tuple[int, int], ConnectorView] = {}
        self._told: dict[tuple[int, int], ConnectorView] = {}
        self._waiting: dict[tuple[int, int], float] = {}

    def sync(self, views: Iterable[ConnectorView]) -> None:
        core = self._core
        for view in views:
            key = (view.evse_id, view.connector_id)
            if self._views.get(key) == view:
                continue
            self._views[key] = view
            core.emit(Show(view))
            hold_s = core.policy.minimum_status_duration_s
            if self._told.get(key) == view:
                self._waiting.pop(key, None)
            elif hold_s > 0 and key in self._told:
                self._waiting[key] = core.after(hold_s)
            else:
                self._tell(key)

    def tell_all(self, *, forced: bool) -> None:
        """The present of every connector, the station first."""
        for key in sorted(self._views):
            self._tell(key, forced=forced)

    def tell(self, evse_id: int, connector_id: int) -> None:
        """Asked for by the CSMS: not held back (1.6 §5.17)."""
        self._tell((evse_id, connector_id), forced=True)

    def view(self, evse_id: int, connector_id: int) -> ConnectorView | None:
        return self._views.get((evse_id, connector_id))

    def _tell(self, key: tuple[int, int], *, forced: bool = False) -> None:
        self._waiting.pop(key, None)
        view = self._views[key]
        self._told[key] = view
        self._core.emit(ConnectorReport(view, self._core.now.utc_ms, forced))

    def next_deadline(self) -> float | None:
        return min(self._waiting.values(), default=None)

    def tick(self) -> None:
        for key in [key for key, deadline_s in self._waiting.items() if self._core.due(deadline_s)]:
            self._tell(key)
