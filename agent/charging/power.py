"""The power path of one EVSE: what the car is offered, and whether the contactor should be closed (IEC 61851-1).

Level-triggered: the EVSE says what may be, `allow` compares it with what is and orders the difference. No sequence of
events can leave the contactor closed by omission: opening comes first, and a contactor that is found closed although
it should be open is told again.
"""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import CloseContactor, OfferCurrent, OpenContactor
from agent.charging.types import ChargingState

MINIMUM_CURRENT_A = 6.0  # what a pilot can offer at least
RECLOSE_DELAY_S = 5.0
# A car may take its time from the offer to its answer; until then it is not said to refuse.
EV_RESPONSE_S = 3.0


class PowerPath:
    """`closed`: the contactor's feedback. `offered_a`: A per phase, 0 while nothing is offered."""

    __slots__ = ("_core", "_evse_id", "_offered_at_s", "_reclose_s", "_wanted", "closed", "offered_a")

    def __init__(self, core: Core, evse_id: int) -> None:
        self._core = core
        self._evse_id = evse_id
        self._wanted = False
        self._offered_at_s = 0.0
        self._reclose_s: float | None = None
        self.closed = False
        self.offered_a = 0.0

    @property
    def live(self) -> bool:
        """Closed, or about to be."""
        return self.closed or self._wanted

    def allow(self, current_a: float, *, asked: bool) -> None:
        """Offer so much, and close if the car asks for energy. Less than a pilot can offer is nothing."""
        if current_a < MINIMUM_CURRENT_A:
            current_a = 0.0
        close = current_a > 0 and asked and self._reclose_s is None
        if self._wanted and not close:
            self._open()
        if current_a != self.offered_a:
            if self.offered_a == 0:
                self._offered_at_s = self._core.now.mono_s
            self.offered_a = current_a
            self._core.emit(OfferCurrent(self._evse_id, current_a))
        if close and not self._wanted:
            self._wanted = True
            self._core.emit(CloseContactor(self._evse_id))

    def feedback(self, closed: bool) -> None:
        self.closed = closed
        if closed and not self._wanted:
            # An order overtaken by its opposite, or a contact that bounces.
            self._open()
        elif not closed and self._wanted:
            # The supervisor opened it on its own; give its reason time to arrive before closing again.
            self._open()
            self._reclose_s = self._core.after(RECLOSE_DELAY_S)

    def _open(self) -> None:
        self._wanted = False
        self._core.emit(OpenContactor(self._evse_id))

    def charging_state(self, before: ChargingState, *, asked: bool) -> ChargingState:
        """Of a car that is connected and authorized. `before`: its state until now."""
        if self.offered_a == 0:
            return ChargingState.SUSPENDED_EVSE
        if asked:
            return ChargingState.CHARGING if self.closed else before
        if before is ChargingState.EV_CONNECTED and not self._core.due(self.response_due_s):
            return ChargingState.EV_CONNECTED
        return ChargingState.SUSPENDED_EV

    @property
    def response_due_s(self) -> float | None:
        """Until when a car that was made an offer may be silent; None: there is no offer."""
        return self._offered_at_s + EV_RESPONSE_S if self.offered_a > 0 else None

    def next_deadline(self) -> float | None:
        return self._reclose_s

    def tick(self) -> None:
        if self._core.due(self._reclose_s):
            self._reclose_s = None
