"""Which faults are there now, of one EVSE or of the station."""

from __future__ import annotations

from hal.faults import FAULTS, FaultCode
from hal.signals import FaultSignal


class ActiveFaults:
    """A fault is one code with one vendor code; the same code from two sources is two faults."""

    __slots__ = ("_signals",)

    def __init__(self) -> None:
        self._signals: dict[tuple[FaultCode, str], FaultSignal] = {}

    def apply(self, signal: FaultSignal) -> bool:
        """Take a fault's coming or going into account; True if there is news in it for the agent."""
        source = (signal.code, signal.vendor_code)
        if signal.active:
            news = self._signals.get(source) != signal
            self._signals[source] = signal
            return news
        return self._signals.pop(source, None) is not None

    def blocking(self) -> FaultCode | None:
        """A fault that keeps the contactor open, if there is one."""
        return next((code for code in self.codes() if FAULTS[code].opens_contactor), None)

    def codes(self) -> tuple[FaultCode, ...]:
        """The codes in the order in which they came, each once."""
        return tuple(dict.fromkeys(code for code, _ in self._signals))
