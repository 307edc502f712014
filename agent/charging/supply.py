"""What one EVSE may give the car now, and how far it is prepared to (1.6 §4.1; IEC 61851-1).

The EVSE says whose transaction runs; power.py orders the difference between what may be and what is.
"""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import SelfCheck
from agent.charging.latch import Latch
from agent.charging.meter_values import Offer
from agent.charging.plug import Plug
from agent.charging.power import PowerPath
from agent.charging.transactions import Transaction, TransactionPhase
from agent.charging.types import ChargingState, EvseSpec, Session

VOLTAGE_V = 230.0
# A self-check that has not ended by then has not been passed.
SELF_CHECK_TIMEOUT_S = 30.0


class Supply:
    """Limits, preparations and the power path of one EVSE."""

    __slots__ = ("_check_due_s", "_checked", "_core", "_latch", "_limits_a", "_plug", "_power", "_spec")

    def __init__(self, core: Core, spec: EvseSpec, plug: Plug, latch: Latch) -> None:
        self._core = core
        self._spec = spec
        self._plug = plug
        self._latch = latch
        self._power = PowerPath(core, spec.evse_id)
        self._limits_a: dict[str, float] = {}
        self._checked = False
        self._check_due_s: float | None = None

    # --- limits -----------------------------------------------------------------------------------------------------

    @property
    def limit(self) -> tuple[str, float]:
        """Who limits the current, and to what, A per phase."""
        own = ("EVSE", self._spec.max_current_a)
        return min((own, *self._limits_a.items()), key=lambda limit: limit[1])

    @property
    def offer(self) -> Offer:
        offered_a = self._power.offered_a
        return Offer(offered_a, offered_a * VOLTAGE_V * self._spec.phases)

    def limit_changed(self, source: str, limit_a: float | None) -> bool:
        """What `source` allows, A per phase; None: it no longer limits. False: it said so before."""
        if self._limits_a.get(source) == limit_a:
            return False
        if limit_a is None:
            del self._limits_a[source]
        else:
            self._limits_a[source] = limit_a
        return True

    # --- preparations -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """A transaction begins: test the parts before they are used."""
        self._checked = False
        self._check_due_s = self._core.after(SELF_CHECK_TIMEOUT_S)
        self._core.emit(SelfCheck(self._spec.evse_id))

    def self_checked(self) -> None:
        self._checked = True
        self._check_due_s = None

    @property
    def check_overdue(self) -> bool:
        """The self-check does not end: nothing can be supplied."""
        return self._core.due(self._check_due_s)

    def _ready(self, transaction: Transaction) -> bool:
        """Everything is prepared: the parts checked, the first reading taken, the latch closed."""
        return (
            transaction.phase is TransactionPhase.ACTIVE
            and self._checked
            and (self._latch.locked or not self._spec.lockable(transaction.connector_id))
        )

    # --- power ------------------------------------------------------------------------------------------------------

    def update(self, transaction: Transaction | None, session: Session, *, blocked: bool) -> None:
        """Offer what may be offered now, to whom it may be."""
        current_a = 0.0 if transaction is None or blocked else self._current_a(transaction, session)
        self._power.allow(current_a, asked=self._plug.asks_for_energy)

    def _current_a(self, transaction: Transaction, session: Session) -> float:
        """0 where nothing may be offered (1.6 §4.1: energy only after authorization)."""
        if session is not Session.TRANSACTION or not self._plug.ev_connected or not self._ready(transaction):
            return 0.0
        if transaction.deauthorized and transaction.energy_wh >= self._core.policy.max_energy_on_invalid_id_wh:
            return 0.0
        return min(self.limit[1], self._plug.limit_a(transaction.connector_id))

    def cut(self) -> bool:
        """Nothing any more, the transaction ends. True: the contactor was closed, or about to be."""
        self._check_due_s = None
        live = self._power.live
        self._power.allow(0.0, asked=False)
        return live

    def contactor_changed(self, closed: bool) -> None:
        self._power.feedback(closed)

    def charging_state(self, transaction: Transaction, session: Session) -> ChargingState:
        if not self._plug.ev_connected:
            return ChargingState.IDLE
        if session is not Session.TRANSACTION or not self._ready(transaction):
            return ChargingState.EV_CONNECTED
        return self._power.charging_state(transaction.charging_state, asked=self._plug.asks_for_energy)

    # --- time -------------------------------------------------------------------------------------------------------

    def next_deadline(self, transaction: Transaction | None) -> float | None:
        deadlines = [self._check_due_s, self._power.next_deadline()]
        silent = transaction is not None and transaction.charging_state is ChargingState.EV_CONNECTED
        if silent and not self._plug.asks_for_energy:
            deadlines.append(self._power.response_due_s)
        return min((d for d in deadlines if d is not None), default=None)

    def tick(self) -> None:
        self._power.tick()
