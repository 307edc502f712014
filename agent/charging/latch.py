"""The latch that holds a loose cable in its socket (1.6 §4.10, §5.18): closed before the contactor, opened after it."""

from __future__ import annotations

from agent.charging.core import Core
from agent.charging.effects import LockConnector, UnlockConnector
from agent.charging.reports import UnlockAnswer
from agent.charging.session import Authorization
from agent.charging.types import UnlockStatus

# How long an operator waits for a latch, and the transaction before it, that may never answer.
ANSWER_TIMEOUT_S = 30.0
# So often is a release ordered again. A latch that is jammed for good must not fail, and be mended, for ever.
RELEASE_RETRIES = 5


class Latch:
    """`locked`: its feedback. `held_for`: whose cable stays locked after the transaction has ended; only they, or an
    operator, get it out (1.6 errata 3.5).
    """

    __slots__ = ("_asked", "_core", "_evse_id", "_ordered", "_ref", "_unreleased", "held_for", "locked")

    def __init__(self, core: Core, evse_id: int) -> None:
        self._core = core
        self._evse_id = evse_id
        self._ordered = False
        self._ref: str | None = None  # whom the next release is for
        self._asked: dict[str, float] = {}  # who waits for an outcome, and until when
        self._unreleased: dict[int, int] = {}  # connectors not known to be open, and the retries that are left
        self.locked = False
        self.held_for: Authorization | None = None

    def secure(self, connector_id: int) -> None:
        """Lock, once; whether it worked is for the feedback to say."""
        self._unreleased.pop(connector_id, None)
        if not self._ordered and not self.locked:
            self._ordered = True
            self._core.emit(LockConnector(self._evse_id, connector_id))

    def failed(self) -> None:
        """What was ordered will not come true; `secure` may order it again."""
        self._ordered = False

    def mended(self) -> None:
        """A fault has gone: a cable that should have been released, and was not, is not trapped any longer."""
        for connector_id, retries in self._unreleased.items():
            if retries > 0:
                self._unreleased[connector_id] = retries - 1
                self._core.emit(UnlockConnector(self._evse_id, connector_id))

    def want_open(self, ref: str) -> None:
        """An operator waits for it to be released, and then for the outcome. The last one counts."""
        if self._ref is not None:
            self._answer(self._ref, unlocked=False)
        self._ref = ref
        self._asked[ref] = self._core.after(ANSWER_TIMEOUT_S)

    def release(self, connector_id: int) -> None:
        ref, self._ref = self._ref, None
        self._ordered = False
        self.held_for = None
        self._unreleased[connector_id] = RELEASE_RETRIES
        self._core.emit(UnlockConnector(self._evse_id, connector_id, ref))

    def release_finished(self, connector_id: int, ref: str | None, *, unlocked: bool) -> None:
        """The outcome of a release (`UnlockFinished`)."""
        if unlocked:
            self._unreleased.pop(connector_id, None)
        if ref is not None:
            self._answer(ref, unlocked=unlocked)

    def hold_for(self, owner: Authorization, connector_id: int) -> None:
        """Keep it locked for them; not where an operator wants it open."""
        self._ordered = False
        if self._ref is not None:
            self.release(connector_id)
        else:
            self.held_for = owner

    def _answer(self, ref: str, *, unlocked: bool) -> None:
        """Once."""
        if self._asked.pop(ref, None) is not None:
            self._core.emit(UnlockAnswer(ref, UnlockStatus.UNLOCKED if unlocked else UnlockStatus.UNLOCK_FAILED))

    def next_deadline(self) -> float | None:
        return min(self._asked.values(), default=None)

    def tick(self) -> None:
        for ref in [ref for ref, due_s in self._asked.items() if self._core.due(due_s)]:
            self._answer(ref, unlocked=False)
