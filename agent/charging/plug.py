"""What is plugged in at an EVSE: the car, by the control pilot, and loose cables in its sockets (IEC 61851-1)."""

from __future__ import annotations

from agent.charging.types import EvseSpec, PilotState

# What a cable may carry that does not say what it may carry: the least that is coded (annex B).
UNKNOWN_CABLE_A = 13.0

_EV_STATES = frozenset({PilotState.B, PilotState.C, PilotState.D})


class Plug:
    """`connector_id`: the one in use, or that would be. `since_s`: when the first of car and cable came."""

    __slots__ = ("_spec", "cables", "connector_id", "ev_connected", "pilot", "since_s")

    def __init__(self, spec: EvseSpec) -> None:
        self._spec = spec
        self.pilot = PilotState.A
        self.ev_connected = False
        self.cables: dict[int, float] = {}  # by connector, what they may carry, A
        self.since_s = 0.0
        self.connector_id = spec.connectors[0].connector_id

    @property
    def inserted(self) -> bool:
        """Something of the driver's is still here."""
        return self.ev_connected or bool(self.cables)

    @property
    def asks_for_energy(self) -> bool:
        return self.pilot is PilotState.C or (self.pilot is PilotState.D and self._spec.ventilation)

    def pilot_changed(self, state: PilotState, connector_id: int) -> None:
        self.pilot = state
        if state in _EV_STATES:
            if not self.ev_connected:
                self.connector_id = connector_id
            self.ev_connected = True
        elif state is PilotState.A:
            self.ev_connected = False
        # E and F say that the pilot is out of order, not that the car has gone.

    def cable_changed(self, connector_id: int, rating_a: float | None, *, present: bool) -> None:
        if not present:
            self.cables.pop(connector_id, None)
            return
        self.cables[connector_id] = UNKNOWN_CABLE_A if rating_a is None else rating_a
        if not self.ev_connected:
            self.connector_id = connector_id

    def takes(self, connector_id: int) -> bool:
        """False: there is something in another connector."""
        return not self.inserted or self.connector_id == connector_id

    def limit_a(self, connector_id: int) -> float:
        """What EVSE and cable are built for, A per phase."""
        return min(self._spec.max_current_a, self.cables.get(connector_id, self._spec.max_current_a))

    def clear_connector(self) -> None:
        """Nobody is here: the next driver may choose."""
        self.connector_id = self._spec.connectors[0].connector_id
