"""The latch that holds a loose cable in its socket (1.6 §4.10, §5.18): closed before the contactor, opened after it."""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import LockConnector, UnlockConnector
from agent.charging.reports import UnlockAnswer
from agent.charging.session import Authorization
from agent.charging.types import UnlockStatus


class Latch:
    """`locked`: its feedback. `held_for`: whose cable stays locked after the transaction has ended; only they, or an
    operator, get it out (1.6 errata 3.5).
    """

    __slots__ = ("_core", "_evse_id", "_ordered", "_ref", "held_for", "locked")

    def __init__(self, core: Core, evse_id: int) -> None:
        self._core = core
        self._evse_id = evse_id
        self._ordered = False
        self._ref: str | None = None
        self.locked = False
        self.held_for: Authorization | None = None

    def secure(self, connector_id: int) -> None:
        """Lock, once; whether it worked is for the feedback to say."""
        if not self._ordered and not self.locked:
            self._ordered = True
            self._core.emit(LockConnector(self._evse_id, connector_id))

    def failed(self) -> None:
        """What was ordered will not come true; `secure` may order it again."""
        self._ordered = False

    def want_open(self, ref: str) -> None:
        """An operator waits for it to be released, and then for the outcome (`UnlockFinished`). The last one counts."""
        if self._ref is not None:
            self._core.emit(UnlockAnswer(self._ref, UnlockStatus.UNLOCK_FAILED))
        self._ref = ref

    def release(self, connector_id: int) -> None:
        ref, self._ref = self._ref, None
        self._ordered = False
        self.held_for = None
        self._core.emit(UnlockConnector(self._evse_id, connector_id, ref))

    def hold_for(self, owner: Authorization, connector_id: int) -> None:
        """Keep it locked for them; not where an operator wants it open."""
        self._ordered = False
        if self._ref is not None:
            self.release(connector_id)
        else:
            self.held_for = owner
