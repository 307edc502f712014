"""The station's durable memory: running transactions, the queue of reports for the CSMS, the authorization cache.

Reports leave the queue in the order in which they were written, each when the CSMS has taken it. While the disk takes
nothing, writes wait in memory (`degraded`) and are made up for; charging and reporting go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agent.charging.effects import (
    ForgetCacheEntries,
    ForgetTransaction,
    SaveCacheEntry,
    SaveRegistration,
    SaveTransaction,
    SaveTransactionData,
    TransactionRecord,
)
from agent.charging.meter_values import MeterValue
from agent.charging.reports import DurableReport, TransactionEvent, TransactionEventType
from agent.errors import StoreError
from agent.store import codec
from agent.store.database import Database

logger = logging.getLogger(__name__)

Record = (
    DurableReport
    | SaveTransaction
    | SaveTransactionData
    | ForgetTransaction
    | SaveCacheEntry
    | ForgetCacheEntries
    | SaveRegistration
)
_Statement = tuple[str, tuple[object, ...]]

_WINDOW = 100
_THINNABLE = "values"
_DURABLE = (TransactionEvent, SaveTransaction, ForgetTransaction)


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


class ClockStep(NamedTuple):
    """Stamps of `boot` made before `seq` are off by `delta_ms`."""

    boot: int
    seq: int
    delta_ms: int


class Bounds(NamedTuple):
    """How much the queue may hold before periodic meter values are thinned out."""

    rows: int
    bytes: int
    values_per_transaction: int


class Journal:
    """`database` may be replaced after it was found corrupt; then it starts empty."""

    def __init__(self, database: Database, new_id: Callable[[], str], bounds: Callable[[], Bounds]) -> None:
        self._database = database
        self._new_id = new_id
        self._bounds = bounds
        self._window: deque[QueuedReport] = deque()
        self._window_complete = True
        self._unwritten: dict[object, _Statement] = {}
        self._thinning_bit = 0
        self.thinned = 0
        self.rows = 0
        self.bytes = 0
        self.parked = 0
        self.boot = 1
        self.csms_ids: dict[str, str] = {}
        self.sent_ms: dict[str, int] = {}
        self.clock_steps: list[ClockStep] = []
        self.transactions: tuple[TransactionRecord, ...] = ()
        self.cache: tuple[SaveCacheEntry, ...] = ()
        self.registered = False
        self.csms = ""
        self.last_known_ms = 0
        self._next_seq = 1
        self._data_counts: dict[str, int] = {}
        database.read(self._load)

    def _load(self, connection: sqlite3.Connection) -> None:
        facts = dict(connection.execute("SELECT name, value FROM facts"))
        self.boot = int(facts.get("boot", "0")) + 1
        self.registered = facts.get("registered") == "yes"
        self.csms = facts.get("csms", "")
        self.last_known_ms = int(facts.get("utc_ms", "0"))
        self.rows, self.bytes, last = connection.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0), coalesce(max(seq), 0) FROM queue"
        ).fetchone()
        self.parked, last_parked = connection.execute("SELECT count(*), coalesce(max(seq), 0) FROM parked").fetchone()
        self._next_seq = max(last, last_parked, int(facts.get("seq", "0"))) + 1
        records = []
        for transaction_id, record, csms_id, sent_ms in connection.execute(
            "SELECT transaction_id, record, csms_id, sent_ms FROM transactions"
        ):
            self.sent_ms[transaction_id] = sent_ms
            if csms_id is not None:
                self.csms_ids[transaction_id] = csms_id
            if record is not None:
                records.append(codec.load_transaction(record))
        self.transactions = tuple(sorted(records, key=lambda record: record.started_ms))
        self.last_known_ms = max(self.last_known_ms, *(record.last_ms for record in records), 0)
        self.cache = tuple(
            codec.load_cache_entry(body) for (body,) in connection.execute("SELECT body FROM authorization_cache")
        )
        self.clock_steps = [
            ClockStep(*row) for row in connection.execute("SELECT boot, seq, delta_ms FROM clock_steps")
        ]
        self._data_counts = dict(
            connection.execute("SELECT transaction_id, count(*) FROM transaction_data GROUP BY transaction_id")
        )
        self._window_complete = self.rows == 0

    @property
    def degraded(self) -> bool:
        """The disk takes nothing at the moment."""
        return bool(self._unwritten)

    @property
    def last_seq(self) -> int:
        """The newest report's place in the order."""
        return self._next_seq - 1

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin_boot(self, utc_ms: int) -> None:
        """Count this start of the program."""
        self._submit(
            {
                "boot": _fact("boot", str(self.boot)),
                "utc_ms": _fact("utc_ms", str(utc_ms)),
                "old steps": (
                    "DELETE FROM clock_steps WHERE boot NOT IN"
                    " (SELECT boot FROM queue UNION SELECT boot FROM transaction_data)",
                    (),
                ),
            },
            durable=False,
        )

    def write(self, records: Iterable[Record], utc_ms: int, *, boot: int | None = None) -> asyncio.Future[None]:
        """Make all of it durable, together. Done when it is, or when it waits in memory for the disk to recover.

        boot: whose clock made the stamps, where it was not this one's.
        """
        statements: dict[object, _Statement] = {}
        queued: list[QueuedReport] = []
        durable = False
        for record in records:
            durable = durable or isinstance(record, _DURABLE)
            if isinstance(record, SaveTransaction):
                statements["transaction", record.record.transaction_id] = _save_transaction(record.record)
                self.sent_ms.setdefault(record.record.transaction_id, 0)
            elif isinstance(record, SaveTransactionData):
                self._keep_data(statements, record)
            elif isinstance(record, ForgetTransaction):
                statements["transaction", record.transaction_id] = (
                    "UPDATE transactions SET record = NULL WHERE transaction_id = ?",
                    (record.transaction_id,),
                )
            elif isinstance(record, SaveCacheEntry):
                key = record.id_token.value.casefold()
                statements["cache", key] = (
                    "INSERT OR REPLACE INTO authorization_cache VALUES (?, ?)",
                    (key, codec.dump(record)),
                )
            elif isinstance(record, ForgetCacheEntries):
                statements.update(_forget_cache(record))
            elif isinstance(record, SaveRegistration):
                self.registered = True
                statements["registered"] = _fact("registered", "yes")
            else:
                queued.append(self._enqueue(statements, record, self.boot if boot is None else boot))
        if queued and queued[0].kind != _THINNABLE:
            statements["utc_ms"] = _fact("utc_ms", str(utc_ms))
        done = self._submit(statements, durable=durable, queued=queued)
        bounds = self._bounds()
        if queued and (self.rows > bounds.rows or self.bytes > bounds.bytes):
            self._thin_queue()
        return done

    def _enqueue(self, statements: dict[object, _Statement], report: DurableReport, boot: int) -> QueuedReport:
        body = codec.dump(report)
        row = QueuedReport(self._next_seq, self._new_id(), _kind(report), boot, 0, report, len(body))
        self._next_seq += 1
        statements["queue", row.seq] = (
            "INSERT INTO queue (seq, message_id, transaction_id, kind, boot, body) VALUES (?, ?, ?, ?, ?, ?)",
            (row.seq, row.message_id, row.transaction_id, row.kind, row.boot, body),
        )
        self.rows += 1
        self.bytes += row.size
        return row

    def _thin_queue(self) -> None:
        """About every second periodic meter value goes; starts and stops never do."""
        bit, head = self._thinning_bit, self._window[0].seq if self._window else 0
        self._thinning_bit = (bit + 1) % 16
        self.thinned += 1
        logger.warning(
            "queue is full (%d reports, %d bytes): thinning out periodic meter values", self.rows, self.bytes
        )

        def doomed(row: QueuedReport) -> bool:
            return row.kind == _THINNABLE and row.seq != head and bool(row.seq >> bit & 1)

        for row in [row for row in self._window if doomed(row)]:
            self._window.remove(row)
            self._unwritten.pop(("queue", row.seq), None)

        def thin(connection: sqlite3.Connection) -> tuple[int, int]:
            connection.execute(
                "DELETE FROM queue WHERE kind = ? AND seq <> ? AND (seq >> ?) & 1", (_THINNABLE, head, bit)
            )
            counted: tuple[int, int] = connection.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM queue"
            ).fetchone()
            return counted

        def count(outcome: asyncio.Future[tuple[int, int]]) -> None:
            if not outcome.cancelled() and outcome.exception() is None:
                self.rows, self.bytes = outcome.result()

        self._database.run(thin, durable=False).add_done_callback(count)

    def _keep_data(self, statements: dict[object, _Statement], record: SaveTransactionData) -> None:
        count = self._data_counts.get(record.transaction_id, 0) + 1
        limit = self._bounds().values_per_transaction
        if count > limit:
            # Every second one goes, never the first (1.6 errata 3.91); the newest is not in the table yet.
            statements["thin data", record.transaction_id] = (
                "DELETE FROM transaction_data WHERE transaction_id = ?1 AND id IN ("
                "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM transaction_data"
                " WHERE transaction_id = ?1) WHERE place % 2 = 0)",
                (record.transaction_id,),
            )
            count = count // 2 + 1
        self._data_counts[record.transaction_id] = count
        statements["data", record.transaction_id, record.value.at_ms, count] = (
            "INSERT INTO transaction_data (transaction_id, boot, seq, body) VALUES (?, ?, ?, ?)",
            (record.transaction_id, self.boot, self._next_seq - 1, codec.dump_meter_value(record.value)),
        )

    def _submit(
        self, statements: dict[object, _Statement], *, durable: bool, queued: Iterable[QueuedReport] = ()
    ) -> asyncio.Future[None]:
        """Write, after whatever could not be written before; the reports then may be sent."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        retried, self._unwritten = self._unwritten, {}
        batch = [*retried.values(), *statements.values()]
        future = self._database.run(lambda connection: _execute(connection, batch), durable=durable or bool(retried))

        def finish(outcome: asyncio.Future[object]) -> None:
            error = outcome.exception() if not outcome.cancelled() else None
            if error is not None:
                if not retried:
                    logger.error("the station cannot store: %s", error)
                self._unwritten = {**retried, **statements, **self._unwritten}
            elif retried:
                logger.warning("the station can store again; nothing was lost")
            self._offer(queued)
            if not done.done():
                done.set_result(None)

        future.add_done_callback(finish)
        return done

    def retry(self) -> asyncio.Future[None]:
        """Try again to write what waits in memory."""
        return self._submit({}, durable=True)

    def _offer(self, queued: Iterable[QueuedReport]) -> None:
        for row in queued:
            if self._window_complete or self._unwritten:
                self._window.append(row)

    # --- reading and settling the queue -------------------------------------------------------------------------------

    async def head(self) -> QueuedReport | None:
        """The oldest report that has not been delivered."""
        if not self._window and not self._window_complete:
            await self._refill()
        return self._window[0] if self._window else None

    async def _refill(self) -> None:
        def load(connection: sqlite3.Connection) -> list[tuple[int, str, str, int, int, str]]:
            return connection.execute(
                "SELECT seq, message_id, kind, boot, attempts, body FROM queue ORDER BY seq LIMIT ?", (_WINDOW,)
            ).fetchall()

        rows = await self._database.run(load, durable=False)
        self._window = deque(
            QueuedReport(seq, message_id, kind, boot, attempts, codec.load_report(body), len(body))
            for seq, message_id, kind, boot, attempts, body in rows
            if ("dequeue", seq) not in self._unwritten  # delivered, but the disk has not taken that yet
        )
        if len(rows) < _WINDOW:
            self._window_complete = True

    async def data(self, transaction_id: str) -> tuple[MeterValue, ...]:
        """What was collected for the transaction's end report, oldest first, with the clock's steps made up for."""

        def load(connection: sqlite3.Connection) -> list[tuple[int, int, str]]:
            return connection.execute(
                "SELECT boot, seq, body FROM transaction_data WHERE transaction_id = ? ORDER BY id", (transaction_id,)
            ).fetchall()

        values = []
        for boot, seq, body in await self._database.run(load, durable=False):
            value = codec.load_meter_value(body)
            values.append(value._replace(at_ms=value.at_ms + self.correction_ms(boot, seq)))
        return tuple(values)

    def delivered(self, row: QueuedReport, *, csms_id: str | None = None, sent_ms: int = 0) -> asyncio.Future[None]:
        """The CSMS has taken it. The future matters where the next report must not go out before this is durable."""
        statements = self._remove(row)
        transaction_id = row.transaction_id
        if transaction_id is not None:
            if row.kind == TransactionEventType.ENDED:
                statements.update(self._drop_transaction(transaction_id))
            else:
                self.sent_ms[transaction_id] = max(sent_ms, self.sent_ms.get(transaction_id, 0))
        if transaction_id is not None and csms_id is not None:
            self.csms_ids[transaction_id] = csms_id
            statements["csms id", transaction_id] = (
                "INSERT INTO transactions (transaction_id, csms_id, sent_ms) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (transaction_id) DO UPDATE SET csms_id = ?2, sent_ms = ?3",
                (transaction_id, csms_id, sent_ms),
            )
        return self._submit(statements, durable=csms_id is not None)

    def failed(self, row: QueuedReport) -> None:
        """One more attempt that the CSMS did not process."""
        row.attempts += 1
        self._submit(
            {("attempts", row.seq): ("UPDATE queue SET attempts = ? WHERE seq = ?", (row.attempts, row.seq))},
            durable=False,
        )

    def park(self, row: QueuedReport, error: str, utc_ms: int) -> asyncio.Future[None]:
        """The CSMS will not take it: out of the way of the others, but kept."""
        self.parked += 1
        statements: dict[object, _Statement] = {
            ("park", row.seq): (
                "INSERT INTO parked SELECT seq, message_id, transaction_id, kind, boot, ?, body, ?, ?"
                " FROM queue WHERE seq = ?",
                (row.attempts, error, utc_ms, row.seq),
            )
        }
        statements.update(self._remove(row))
        return self._submit(statements, durable=True)

    def _remove(self, row: QueuedReport) -> dict[object, _Statement]:
        if self._window and self._window[0].seq == row.seq:
            self._window.popleft()
        self.rows = max(0, self.rows - 1)
        self.bytes = max(0, self.bytes - row.size) if self.rows else 0
        return {
            ("dequeue", row.seq): ("DELETE FROM queue WHERE seq = ?", (row.seq,)),
            "seq": _fact("seq", str(self._next_seq - 1)),
        }

    def _drop_transaction(self, transaction_id: str) -> dict[object, _Statement]:
        self.csms_ids.pop(transaction_id, None)
        self.sent_ms.pop(transaction_id, None)
        self._data_counts.pop(transaction_id, None)
        return {
            ("drop", transaction_id): ("DELETE FROM transactions WHERE transaction_id = ?", (transaction_id,)),
            ("drop data", transaction_id): (
                "DELETE FROM transaction_data WHERE transaction_id = ?",
                (transaction_id,),
            ),
        }

    # --- the clock ----------------------------------------------------------------------------------------------------

    def clock_stepped(self, delta_ms: int) -> None:
        """Every stamp made so far in this run of the program was off by `delta_ms`."""
        step = ClockStep(self.boot, self._next_seq, delta_ms)
        self._next_seq += 1  # so that what is stamped next is told from what was stamped last
        self.clock_steps.append(step)
        self._submit({("step", step.seq, delta_ms): ("INSERT INTO clock_steps VALUES (?, ?, ?)", step)}, durable=False)

    def correction_ms(self, boot: int, seq: int) -> int:
        """What to add to stamps made in that boot before `seq` was given out."""
        return sum(step.delta_ms for step in self.clock_steps if step.boot == boot and seq < step.seq)

    def meet_csms(self, name: str) -> None:
        """Which CSMS this memory is for. What another one knew or said of anybody is not for this one.

        The queue stays: what was sold is owed to whoever runs the station.
        """
        if name == self.csms:
            return
        self.csms = name
        self.registered = False
        self.cache = ()
        self._submit(
            {
                "csms": _fact("csms", name),
                "registered": _fact("registered", "no"),
                "cache": ("DELETE FROM authorization_cache", ()),
            },
            durable=True,
        )

    async def flush(self) -> None:
        """Everything submitted so far has been tried."""
        try:
            await self._database.run(lambda _connection: None, durable=False)
        except StoreError:
            logger.exception("the station cannot store")


def _kind(report: DurableReport) -> str:
    if isinstance(report, TransactionEvent) and report.kind is not TransactionEventType.UPDATED:
        return report.kind
    return _THINNABLE


def _fact(name: str, value: str) -> _Statement:
    return "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value)


def _save_transaction(record: TransactionRecord) -> _Statement:
    return (
        "INSERT INTO transactions (transaction_id, record) VALUES (?1, ?2)"
        " ON CONFLICT (transaction_id) DO UPDATE SET record = ?2",
        (record.transaction_id, codec.dump(record)),
    )


def _forget_cache(record: ForgetCacheEntries) -> dict[object, _Statement]:
    if record.values is None:
        return {"cache": ("DELETE FROM authorization_cache", ())}
    return {("forget", key): ("DELETE FROM authorization_cache WHERE key = ?", (key,)) for key in record.values}


def _execute(connection: sqlite3.Connection, batch: Iterable[_Statement]) -> None:
    for sql, parameters in batch:
        connection.execute(sql, parameters)
