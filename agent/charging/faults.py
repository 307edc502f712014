"""The faults that last, of an EVSE or of the station."""

from __future__ import annotations

from agent.charging.types import Fault


class Faults:
    """By code and vendor code, the newest last."""

    __slots__ = ("_faults",)

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str], Fault] = {}

    def add(self, fault: Fault) -> None:
        self.remove(fault.key)
        self._faults[fault.key] = fault

    def remove(self, key: tuple[str, str]) -> None:
        self._faults.pop(key, None)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._faults

    def has(self, code: str) -> bool:
        return any(fault.code == code for fault in self._faults.values())

    @property
    def blocking(self) -> Fault | None:
        """The newest that keeps the contactor open."""
        return next((fault for fault in reversed(self._faults.values()) if fault.blocking), None)

    @property
    def foremost(self) -> Fault | None:
        """What to show: a blocking one before the others, the newest of its kind."""
        return self.blocking or next(reversed(self._faults.values()), None)
