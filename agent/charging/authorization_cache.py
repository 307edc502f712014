"""What CSMSs said of the IdTokens presented here (1.6 §3.5.1; OCPP 2.0.1 C10, C12)."""

from __future__ import annotations

from collections.abc import Iterable

from agent.charging.core import Core
from agent.charging.effects import ForgetCacheEntries, SaveCacheEntry
from agent.charging.types import AuthorizationStatus, IdToken, IdTokenInfo

CAPACITY = 1000
_DAY_MS = 86_400_000


class AuthorizationCache:
    """Valid and not valid entries alike; the durable copy follows through the writes that it emits."""

    __slots__ = ("_core", "_entries")

    def __init__(self, core: Core, entries: Iterable[SaveCacheEntry] = ()) -> None:
        self._core = core
        self._entries = {entry.id_token.value.casefold(): entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def lookup(self, id_token: IdToken) -> IdTokenInfo | None:
        """None: unknown, or the cache is switched off. A validity that has passed is Expired."""
        if not self._core.policy.auth_cache_enabled:
            return None
        entry = self._entries.get(id_token.value.casefold())
        if entry is None:
            return None
        now_ms, info = self._core.now.utc_ms, entry.info
        life_time_s = self._core.policy.auth_cache_life_time_s
        if life_time_s > 0 and now_ms - entry.used_ms > life_time_s * 1000:
            return None
        if info.accepted and info.expires_ms is not None and info.expires_ms <= now_ms:
            return info._replace(status=AuthorizationStatus.EXPIRED)
        return info

    def update(self, id_token: IdToken, info: IdTokenInfo) -> None:
        """From any answer that carries an IdTokenInfo."""
        if not self._core.policy.auth_cache_enabled:
            return
        key = id_token.value.casefold()
        now_ms = self._core.now.utc_ms
        known = self._entries.get(key)
        if known is not None and known.info == info and now_ms - known.used_ms < _DAY_MS:
            return  # flash wears: the time of use alone is not worth a write a day
        if known is None and len(self._entries) >= CAPACITY:
            self._make_room()
        entry = SaveCacheEntry(id_token, info, now_ms)
        self._entries[key] = entry
        self._core.emit(entry)

    def clear(self) -> bool:
        """False where there is no cache to clear (1.6 errata 3.23)."""
        if not self._core.policy.auth_cache_enabled:
            return False
        self._entries.clear()
        self._core.emit(ForgetCacheEntries())
        return True

    def csms_changed(self) -> None:
        """What another CSMS said of anybody is not this one's word."""
        if self._entries:
            self._entries.clear()
            self._core.emit(ForgetCacheEntries())  # after the writes that may still be on their way

    def _make_room(self) -> None:
        """Entries that are not valid go first, then the one that was used longest ago."""
        now_ms = self._core.now.utc_ms
        doomed = [
            key
            for key, entry in self._entries.items()
            if not entry.info.accepted or (entry.info.expires_ms or now_ms + 1) <= now_ms
        ]
        if not doomed:
            doomed = [min(self._entries, key=lambda key: self._entries[key].used_ms)]
        for key in doomed:
            del self._entries[key]
        self._core.emit(ForgetCacheEntries(tuple(doomed)))
