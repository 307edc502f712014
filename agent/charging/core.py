"""What every functional block of the core shares: the policy, the outputs, the instant, and what is random.

A block emits into `out`; `Station.drain` hands it over. `now` is set by the station at each entry, so that one call
sees one instant throughout.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.charging.effects import Effect, Write
from agent.charging.policy import Policy
from agent.charging.reports import Report
from agent.charging.types import Now

Output = Effect | Write | Report


class Core:
    """Shared state of the functional blocks. `new_id` yields UUIDs, `jitter` numbers in [0, 1)."""

    __slots__ = ("jitter", "new_id", "now", "online", "out", "policy")

    def __init__(self, policy: Policy, new_id: Callable[[], str], jitter: Callable[[], float], now: Now) -> None:
        self.policy = policy
        self.new_id = new_id
        self.jitter = jitter
        self.now = now
        self.online = False
        self.out: list[Output] = []

    def emit(self, output: Output) -> None:
        self.out.append(output)

    def after(self, delay_s: float) -> float:
        """The monotonic instant `delay_s` from now."""
        return self.now.mono_s + delay_s

    def due(self, deadline_s: float | None) -> bool:
        return deadline_s is not None and self.now.mono_s >= deadline_s
