"""Who may charge: a presented card or a remote start, the CSMS's word or the local one, and where it then applies.

(1.6 §3.5, §4.1, §5.11, §5.12; OCPP 2.0.1 C01..C15, F01..F03.) The EVSE is chosen when the answer is there, not when the
question is asked: between the two the car may have been plugged, unplugged or faulted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.charging.authorization_cache import AuthorizationCache
from agent.charging.boot import Registration
from agent.charging.core import Core
from agent.charging.effects import SignalRejection
from agent.charging.evse import Evse
from agent.charging.reports import AuthorizeRequest
from agent.charging.session import Authorization
from agent.charging.transactions import TransactionPhase
from agent.charging.types import (
    AuthorizationStatus,
    IdToken,
    IdTokenInfo,
    Outcome,
    Session,
    StopReason,
    TriggerReason,
)
from agent.charging.value import Value

_UNKNOWN = IdTokenInfo(AuthorizationStatus.UNKNOWN)
_ACCEPTED = IdTokenInfo(AuthorizationStatus.ACCEPTED)
# For a question whose answer, or the word that there is none, has got lost: its driver does not wait for ever.
_ANSWER_TIMEOUT_S = 120.0


class _Pending(Value):
    """A question to the CSMS that has no answer yet."""

    id_token: IdToken
    evse_id: int | None
    trigger: TriggerReason
    deadline_s: float
    remote_start_id: int | None = None
    connector_id: int | None = None


class _Floating(Value):
    """Somebody authorized at a reader for all EVSEs: whichever they plug into is theirs."""

    authorization: Authorization
    deadline_s: float | None


class Authorizer:
    """Turns tokens into authorizations of EVSEs, and into ends of transactions."""

    __slots__ = ("_cache", "_core", "_evses", "_floating", "_pending", "_registration", "closed")

    def __init__(
        self, core: Core, evses: Mapping[int, Evse], cache: AuthorizationCache, registration: Registration
    ) -> None:
        self._core = core
        self._evses = evses
        self._cache = cache
        self._registration = registration
        self._pending: dict[str, _Pending] = {}
        self._floating: list[_Floating] = []
        self.closed = False  # a reset is under way: nobody starts any more

    # --- a card at a reader -----------------------------------------------------------------------------------------

    def present(self, id_token: IdToken, evse_id: int | None) -> None:
        scope = self._scope(evse_id)
        if any(pending.id_token.same_as(id_token) for pending in self._pending.values()):
            return
        if self._withdraw(id_token, scope) or self._stop_own(id_token, scope) or self._release(id_token, None, scope):
            return
        if self.closed or not any(evse.usable or evse.transaction or evse.latch.held_for for evse in scope):
            self._reject(evse_id)
            return
        self._authorize(_Pending(id_token, evse_id, TriggerReason.AUTHORIZED, self._core.after(_ANSWER_TIMEOUT_S)))

    def _withdraw(self, id_token: IdToken, scope: Iterable[Evse]) -> bool:
        """The second presentation before the car is plugged in ends the intent (1.6 §4.9, B1)."""
        for floating in self._floating:
            if floating.authorization.id_token.same_as(id_token):
                self._floating.remove(floating)
                return True
        for evse in scope:
            waiting = evse.authorization if evse.session is Session.AUTHORIZED and evse.transaction is None else None
            if waiting is not None and waiting.id_token.same_as(id_token):
                evse.deauthorize()
                return True
        return False

    def _stop_own(self, id_token: IdToken, scope: Iterable[Evse]) -> bool:
        """Whoever started it stops it without asking anybody (1.6 §4.1)."""
        own = [evse for evse in scope if evse.transaction is not None and id_token.same_as(evse.transaction.id_token)]
        # One that is ending already only swallows the card, which was not meant for a new start.
        running = [evse for evse in own if evse.transaction and evse.transaction.phase is not TransactionPhase.ENDING]
        if running:
            evse = max(running, key=lambda each: each.plug.since_s)
            evse.stop(StopReason.LOCAL, TriggerReason.STOP_AUTHORIZED, id_token)
        return bool(own)

    def _release(self, id_token: IdToken, group: IdToken | None, scope: Iterable[Evse]) -> bool:
        for evse in scope:
            owner = evse.latch.held_for
            if owner is not None and (
                owner.id_token.same_as(id_token) or (group is not None and group.same_as(owner.group))
            ):
                evse.latch.release(evse.plug.connector_id)
                return True
        return False

    # --- remote -----------------------------------------------------------------------------------------------------

    def request_start(
        self, id_token: IdToken, evse_id: int | None, connector_id: int | None, remote_start_id: int | None
    ) -> Outcome:
        """A remote start (1.6 §5.11). evse_id None: the station chooses; connector_id None: the driver does."""
        if self.closed or not self._registration.accepted:
            return Outcome.REJECTED
        evse = self._evses.get(evse_id) if evse_id is not None else self._choose(self._evses.values())
        if evse is None or not evse.usable or evse.session in (Session.AUTHORIZED, Session.TRANSACTION):
            return Outcome.REJECTED
        if not evse.serves(connector_id):
            return Outcome.REJECTED
        pending = _Pending(
            id_token,
            evse.evse_id,
            TriggerReason.REMOTE_START,
            self._core.after(_ANSWER_TIMEOUT_S),
            remote_start_id,
            connector_id,
        )
        if self._core.policy.authorize_remote_start:
            self._authorize(pending)
            return Outcome.ACCEPTED
        return Outcome.ACCEPTED if self._grant(pending, _ACCEPTED) else Outcome.REJECTED

    # --- the decision -----------------------------------------------------------------------------------------------

    def answered(self, request_id: str, info: IdTokenInfo | None) -> None:
        """The CSMS's answer; None: none came, so that the rules for a station that is offline apply."""
        pending = self._pending.pop(request_id, None)
        if pending is None:
            return
        self._mark_waiting()
        if info is None:
            info = self._decide_offline(pending.id_token)
        else:
            self._cache.update(pending.id_token, info)
        self._resolve(pending, info)

    def _authorize(self, pending: _Pending) -> None:
        if not self._core.online or self._core.policy.local_only:
            self._resolve(pending, self._decide_offline(pending.id_token))
            return
        cached = self._cache.lookup(pending.id_token)
        if cached is not None and cached.accepted and self._core.policy.local_pre_authorize:
            self._resolve(pending, cached)
            return
        if cached is not None and not cached.accepted and self._core.policy.trust_cached_refusal:
            self._resolve(pending, cached)
            return
        request_id = self._core.new_id()
        self._pending[request_id] = pending
        self._mark_waiting()
        self._core.emit(AuthorizeRequest(request_id, pending.id_token))

    def _mark_waiting(self) -> None:
        """Whoever has shown a card in time does not time out while the CSMS thinks."""
        for evse in self._evses.values():
            evse.answer_pending = any(p.evse_id in (None, evse.evse_id) for p in self._pending.values())

    def _decide_offline(self, id_token: IdToken) -> IdTokenInfo:
        """1.6 §3.5.4; a token that was refused or has expired stays so."""
        policy = self._core.policy
        if not self._registration.may_charge:
            return _UNKNOWN
        cached = self._cache.lookup(id_token)
        if cached is None or (cached.accepted and not policy.local_authorize_offline):
            return _ACCEPTED if policy.offline_tx_for_unknown_id else _UNKNOWN
        return cached

    def _resolve(self, pending: _Pending, info: IdTokenInfo) -> None:
        if info.accepted and not self.closed and self._grant(pending, info):
            return
        self._reject(pending.evse_id)

    def _grant(self, pending: _Pending, info: IdTokenInfo) -> bool:
        """Apply an accepted token where it fits now; False where it fits nowhere."""
        scope = self._scope(pending.evse_id)
        remote = pending.trigger is TriggerReason.REMOTE_START
        if not remote and self._release(pending.id_token, info.group, scope):
            return True
        authorization = Authorization(
            pending.id_token, info.group, pending.remote_start_id, pending.trigger, pending.connector_id
        )
        waiting = [evse for evse in scope if evse.usable and evse.session is Session.PLUGGED and evse.plug.ev_connected]
        if waiting:
            return max(waiting, key=lambda evse: evse.plug.since_s).authorize(authorization)
        if not remote and self._stop_group(pending.id_token, info.group, scope):
            return True
        free = [evse for evse in scope if evse.usable and evse.session in (Session.AVAILABLE, Session.PLUGGED)]
        if len(scope) > 1 and free:
            timeout_s = self._core.policy.ev_connection_timeout_s
            self._floating.append(_Floating(authorization, self._core.after(timeout_s) if timeout_s > 0 else None))
            return True
        # A finished session starts anew only where the card can mean no other EVSE (1.6 errata 3.20).
        evse = self._choose(scope)
        return evse is not None and evse.authorize(authorization)

    def _stop_group(self, id_token: IdToken, group: IdToken | None, scope: Iterable[Evse]) -> bool:
        """A member of the group that started a transaction may stop it (1.6 §3.10)."""
        if group is None:
            return False
        for evse in scope:
            transaction = evse.transaction
            if (
                transaction is not None
                and transaction.phase is not TransactionPhase.ENDING
                and group.same_as(transaction.group)
            ):
                evse.stop(StopReason.LOCAL, TriggerReason.STOP_AUTHORIZED, id_token)
                return True
        return False

    def _choose(self, scope: Iterable[Evse]) -> Evse | None:
        """A car that waits first, then a free EVSE, then a finished session."""
        for session in (Session.PLUGGED, Session.AVAILABLE, Session.FINISHED):
            fitting = [evse for evse in scope if evse.usable and evse.session is session]
            if fitting and session is Session.AVAILABLE:
                return fitting[0]
            if fitting:
                return max(fitting, key=lambda evse: evse.plug.since_s)
        return None

    # --- what the CSMS says with a transaction report ---------------------------------------------------------------

    def transaction_answered(self, transaction_id: str, id_token: IdToken, info: IdTokenInfo, *, started: bool) -> None:
        self._cache.update(id_token, info)
        if not started:
            return
        for evse in self._evses.values():
            transaction = evse.transaction
            if transaction is not None and transaction.transaction_id == transaction_id:
                transaction.group = info.group or transaction.group
                if not info.accepted:
                    evse.invalidate()

    # --- a car at an EVSE, time -------------------------------------------------------------------------------------

    def plugged(self, evse: Evse) -> None:
        """A car has come: an authorization that floats is for it."""
        if self._floating and evse.session is Session.PLUGGED and evse.plug.ev_connected and evse.usable:
            evse.authorize(self._floating.pop(0).authorization)

    def next_deadline(self) -> float | None:
        deadlines = [pending.deadline_s for pending in self._pending.values()]
        deadlines += [floating.deadline_s for floating in self._floating if floating.deadline_s is not None]
        return min(deadlines, default=None)

    def tick(self) -> None:
        self._floating = [floating for floating in self._floating if not self._core.due(floating.deadline_s)]
        for request_id in [each for each, pending in self._pending.items() if self._core.due(pending.deadline_s)]:
            self.answered(request_id, None)

    def csms_changed(self) -> None:
        """Whoever waits for the last CSMS's answer, or by its word for a car, waits no longer."""
        pending, self._pending = self._pending, {}
        self._floating.clear()
        self._mark_waiting()
        for each in pending.values():
            self._reject(each.evse_id)
        for evse in self._evses.values():
            if evse.session is Session.AUTHORIZED and evse.transaction is None:
                evse.deauthorize()

    def close(self) -> None:
        """A reset is under way."""
        self.closed = True
        self._floating.clear()

    def _scope(self, evse_id: int | None) -> list[Evse]:
        if evse_id is None:
            return list(self._evses.values())
        evse = self._evses.get(evse_id)
        return [evse] if evse is not None else []

    def _reject(self, evse_id: int | None) -> None:
        self._core.emit(SignalRejection(evse_id))
