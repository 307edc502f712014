"""The queue of reports for the CSMS: in the file, with its head in memory.

Only the first reports are held here; the others are fetched when those are gone. While the disk takes nothing, what it
could not take is held here too.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable

from agent.charging.reports import DurableReport, TransactionEvent, TransactionEventType
from agent.errors import StoreError
from agent.store import codec
from agent.store.database import Database
from agent.store.writer import Statements, Writer

logger = logging.getLogger(__name__)

THINNABLE = "values"
_WINDOW = 100
_Row = tuple[int, str, str | None, int, str, int, int, str]


class QueuedReport:
    """A report on its way to the CSMS. `message_id` stays with it through every attempt (OCPP-J errata 3.1)."""

    __slots__ = ("attempts", "boot", "kind", "message_id", "report", "seq", "size", "transaction_id")

    def __init__(
        self, seq: int, message_id: str, kind: str, boot: int, attempts: int, report: DurableReport, size: int
    ) -> None:
        self.seq = seq
        self.message_id = message_id
        self.kind = kind
        self.boot = boot
        self.attempts = attempts
        self.report = report
        self.size = size
        self.transaction_id = report.transaction_id


class ReportQueue:
    """`rows` and `bytes` count what has not been delivered. `thinned`: how often meter values had to go."""

    __slots__ = (
        "_behind",
        "_complete",
        "_database",
        "_fetched_seq",
        "_new_id",
        "_thinning",
        "_unreadable",
        "_window",
        "_writer",
        "bytes",
        "rows",
        "thinned",
    )

    def __init__(
        self, database: Database, writer: Writer, new_id: Callable[[], str], unreadable: Callable[[int, int, str], None]
    ) -> None:
        """unreadable: has to `remove` a row that cannot be understood any more; told its seq, its size, and why."""
        self._database = database
        self._writer = writer
        self._new_id = new_id
        self._unreadable = unreadable
        self._window: deque[QueuedReport] = deque()
        self._behind: deque[QueuedReport] = deque()  # not in the file, and not yet in the window
        self._complete = True  # nothing waits behind the window
        self._fetched_seq = 0
        self._thinning = False
        self.thinned = 0
        self.rows = 0
        self.bytes = 0

    def load(self, connection: sqlite3.Connection) -> int:
        """Count what the last run left; the highest seq."""
        self.rows, self.bytes, last = connection.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0), coalesce(max(seq), 0) FROM queue"
        ).fetchone()
        self._complete = self.rows == 0
        return int(last)

    # --- the tail -----------------------------------------------------------------------------------------------------

    def add(
        self, statements: Statements, seq: int, report: DurableReport, boot: int, message_id: str | None = None
    ) -> QueuedReport:
        """Queue it, by one more statement. It may be sent when it is `offered`. message_id: where it has one."""
        body = codec.dump(report)
        row = QueuedReport(seq, message_id or self._new_id(), _kind(report), boot, 0, report, len(body))
        statements["queue", seq] = (
            "INSERT INTO queue (seq, message_id, transaction_id, evse_id, kind, boot, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (seq, row.message_id, row.transaction_id, report.evse_id, row.kind, boot, body),
        )
        self.rows += 1
        self.bytes += row.size
        return row

    def offer(self, rows: Iterable[QueuedReport], *, stored: bool) -> None:
        """These may be sent now: they are in the file, or the disk does not take them."""
        if stored:
            self._behind.clear()  # whatever was there has been made up for
        for row in rows:
            if self._complete and len(self._window) < _WINDOW:
                self._window.append(row)
                self._fetched_seq = row.seq
            else:
                self._complete = False
                if not stored:
                    self._behind.append(row)

    # --- the head -----------------------------------------------------------------------------------------------------

    async def head(self) -> QueuedReport | None:
        """The oldest report that has not been delivered; None also while the file cannot be read."""
        while not self._window and not self._complete:
            try:
                await self._fetch()
            except StoreError as error:
                logger.error("the queue cannot be read: %s", error)  # noqa: TRY400 - no bug of ours
                break
        return self._window[0] if self._window else None

    async def _fetch(self) -> None:
        after = self._fetched_seq

        def load(connection: sqlite3.Connection) -> list[_Row]:
            return connection.execute(
                "SELECT seq, message_id, kind, boot, attempts, body FROM queue WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, _WINDOW),
            ).fetchall()

        rows = await self._database.run(load, durable=False)
        for seq, message_id, kind, boot, attempts, body in rows:
            self._fetched_seq = seq
            if self._removed(seq):
                continue
            try:
                report = codec.load_report(body)
            except codec.UNREADABLE as error:
                self._unreadable(seq, len(body), repr(error))
            else:
                self._window.append(QueuedReport(seq, message_id, kind, boot, attempts, report, len(body)))
        if len(rows) < _WINDOW:
            self._complete = True
            self._window.extend(row for row in self._behind if row.seq > self._fetched_seq)
            self._behind.clear()
            if self._window:
                self._fetched_seq = self._window[-1].seq

    def remove(self, seq: int, size: int) -> Statements:
        """It is done with."""
        if self._window and self._window[0].seq == seq:
            self._window.popleft()
        self.rows = max(0, self.rows - 1)
        self.bytes = max(0, self.bytes - size) if self.rows else 0
        self._writer.withdraw(("attempts", seq))
        if self._writer.withdraw(("queue", seq)):
            return {}
        return {("dequeue", seq): ("DELETE FROM queue WHERE seq = ?", (seq,))}

    # --- the bounds ---------------------------------------------------------------------------------------------------

    def thin(self) -> None:
        """Begin to drop every second periodic meter value of each transaction, between its first and its last.

        Starts and ends are never dropped, and not what is being sent.
        """
        if not self._thinning:
            self._thinning = True
            self._database.run(_thinnable, durable=False).add_done_callback(self._thin)

    def _thin(self, outcome: asyncio.Future[list[tuple[int, int]]]) -> None:
        self._thinning = False
        doomed = [] if outcome.exception() is not None else outcome.result()
        groups: dict[tuple[str | None, int], list[QueuedReport]] = {}
        for row in (*self._window, *self._behind):
            if row.kind == THINNABLE and self._writer.unwritten(("queue", row.seq)):
                groups.setdefault((row.transaction_id, row.report.evse_id), []).append(row)
        for group in groups.values():
            doomed += [(row.seq, row.size) for row in group[1:-1:2]]
        head = self._window[0].seq if self._window else self._fetched_seq
        sizes = {seq: size for seq, size in doomed if seq > head and not self._removed(seq)}
        if not sizes:
            return
        self.thinned += 1
        logger.warning(
            "the queue is full (%d reports, %d bytes): %d periodic meter values go", self.rows, self.bytes, len(sizes)
        )
        self._window = deque(row for row in self._window if row.seq not in sizes)
        self._behind = deque(row for row in self._behind if row.seq not in sizes)
        statements: Statements = {}
        for seq, size in sizes.items():
            statements.update(self.remove(seq, size))
        self._writer.submit(statements, durable=False)

    def _removed(self, seq: int) -> bool:
        """Done with, though the file may still show it."""
        return self._writer.unwritten(("dequeue", seq)) is not None


def _thinnable(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return connection.execute(
        "SELECT seq, length(body) FROM (SELECT seq, body,"
        " row_number() OVER (PARTITION BY transaction_id, evse_id ORDER BY seq) AS place,"
        " count(*) OVER (PARTITION BY transaction_id, evse_id) AS places"
        " FROM queue WHERE kind = ?) WHERE place % 2 = 0 AND place < places",
        (THINNABLE,),
    ).fetchall()


def _kind(report: DurableReport) -> str:
    if isinstance(report, TransactionEvent) and report.kind is not TransactionEventType.UPDATED:
        return report.kind
    return THINNABLE
