"""The reports about the present that wait for their turn: what is not kept, only told while it is true."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.charging.reports import (
    AuthorizeRequest,
    BootRequest,
    ConnectorReport,
    HeartbeatRequest,
    MeterValuesReport,
    Report,
)

# A station that produces more while its CSMS is slow keeps the newest.
_BOUND = 1000


class PresentReports:
    """`dropped` hears of each report that will not be sent."""

    __slots__ = ("_dropped", "_waiting")

    def __init__(self, dropped: Callable[[Report], None]) -> None:
        self._dropped = dropped
        self._waiting: deque[tuple[Report, int]] = deque()  # each with the durable report that came before it in time

    def add(self, report: Report, last_seq: int) -> None:
        """last_seq: the newest durable report."""
        if isinstance(report, AuthorizeRequest):
            self._waiting.appendleft((report, 0))  # a driver waits: before the notices
        else:
            self._waiting.append((report, last_seq if isinstance(report, ConnectorReport) else 0))
        if len(self._waiting) > _BOUND:
            self._dropped(self._waiting.popleft()[0])

    def next(self, head_seq: int | None, backlog_seq: int, *, accepted: bool) -> Report | None:
        """The first that may go now.

        head_seq: the durable report that is due; it goes first where it came first, unless it is of the backlog that
        reaches up to `backlog_seq`. accepted: the CSMS has accepted the station.
        """
        while self._waiting:
            report, after_seq = self._waiting[0]
            if not accepted and not _before_acceptance(report):
                self._waiting.popleft()
                self._dropped(report)  # told anew once the CSMS has accepted the station
                continue
            if head_seq is not None and backlog_seq < head_seq <= after_seq:
                return None
            self._waiting.popleft()
            return report
        return None

    def clear(self) -> None:
        """The connection is gone; what is still true is told anew on the next."""
        waiting, self._waiting = self._waiting, deque()
        for report, _ in waiting:
            self._dropped(report)


def _before_acceptance(report: Report) -> bool:
    """What may be said to a CSMS that has not accepted the station: what it asked for (1.6 §4.2)."""
    match report:
        case BootRequest():
            return True
        case HeartbeatRequest() | MeterValuesReport():
            return report.triggered
        case ConnectorReport():
            return report.forced
        case _:
            return False
