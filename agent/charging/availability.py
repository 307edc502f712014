"""Operative or not: station, EVSE and connector (1.6 §5.2; OCPP 2.0.1 G03, G04).

A wish is kept over restarts and applied when no transaction runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.charging.core import Core
from agent.charging.effects import SaveAvailability
from agent.charging.evse import Evse
from agent.charging.types import Outcome


class Availability:
    """The tree of wishes. A connector is operative where it, its EVSE and the station are."""

    __slots__ = ("_core", "_evses", "_inoperative")

    def __init__(self, core: Core, evses: Mapping[int, Evse], inoperative: frozenset[tuple[int, int]]) -> None:
        """`inoperative`: the persisted (evse, connector) addresses; (0, 0) the station, connector 0 the EVSE."""
        self._core = core
        self._evses = evses
        self._inoperative = set(inoperative)
        for evse in evses.values():
            self._apply(evse)

    @property
    def station_operative(self) -> bool:
        return (0, 0) not in self._inoperative

    def request(self, evse_id: int, connector_id: int, operative: bool) -> Outcome:
        """evse 0: the station; connector 0: the whole EVSE."""
        evse = self._evses.get(evse_id)
        if evse_id != 0:
            if evse is None:
                return Outcome.REJECTED
            if connector_id != 0 and all(c.connector_id != connector_id for c in evse.spec.connectors):
                return Outcome.REJECTED
        self._wish((evse_id, connector_id), operative)
        affected = list(self._evses.values()) if evse is None else [evse]
        applied = [self._apply(each) for each in affected]
        return Outcome.ACCEPTED if all(applied) else Outcome.SCHEDULED

    def _wish(self, address: tuple[int, int], operative: bool) -> None:
        if operative == (address not in self._inoperative):
            return
        if operative:
            self._inoperative.discard(address)
        else:
            self._inoperative.add(address)
        self._core.emit(SaveAvailability(*address, operative))

    def _apply(self, evse: Evse) -> bool:
        """False: scheduled."""
        connectors = {c.connector_id for c in evse.spec.connectors}
        inoperative = {c for c in connectors if (evse.evse_id, c) in self._inoperative}
        evse.inoperative_connectors = inoperative
        wanted = self.station_operative and (evse.evse_id, 0) not in self._inoperative and inoperative != connectors
        applied = evse.set_operative(wanted)
        return applied and not (evse.transaction is not None and evse.transaction.connector_id in inoperative)
