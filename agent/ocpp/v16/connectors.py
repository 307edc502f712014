"""1.6 numbers all connectors of a station in one sequence from 1; 0 is the station (1.6 §3.8)."""

from __future__ import annotations

from collections.abc import Iterable

from agent.charging.types import EvseSpec


class ConnectorNumbers:
    """Both ways between (evse, connector) and connectorId."""

    __slots__ = ("_addresses", "_numbers")

    def __init__(self, evses: Iterable[EvseSpec]) -> None:
        self._addresses = [(0, 0)]
        self._addresses += [(evse.evse_id, connector.connector_id) for evse in evses for connector in evse.connectors]
        self._numbers = {address: number for number, address in enumerate(self._addresses)}

    def number(self, evse_id: int, connector_id: int) -> int:
        return self._numbers[evse_id, connector_id]

    def address(self, number: int) -> tuple[int, int] | None:
        """None: there is no such connector."""
        return self._addresses[number] if 0 <= number < len(self._addresses) else None

    @property
    def all(self) -> list[tuple[int, int]]:
        """Every connector, without the station."""
        return self._addresses[1:]
