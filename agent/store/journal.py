"""The station's durable memory: running transactions, the queue of reports for the CSMS, the authorization cache.

Reports leave the queue in the order in which they were written, each when the CSMS has taken it. While the disk takes
nothing, writes wait in memory (`degraded`) and are made up for; charging and reporting go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

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
from agent.charging.reports import DurableReport, TransactionEvent, TransactionEventType, shifted
from agent.charging.value import Value
from agent.store import codec
from agent.store.database import Database
from agent.store.queue import THINNABLE, QueuedReport, ReportQueue
from agent.store.transaction_data import TransactionData
from agent.store.writer import Statement, Statements, Writer

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

_DURABLE = (TransactionEvent, SaveTransaction, ForgetTransaction)
# Meter values that the CSMS does not take, for support to look at.
_KEPT_PARKED_VALUES = 1000

_NO_BOOT = 0  # of a report whose stamps need no correction any more
_CLOCK_STEPS = 100  # told apart; a sound CSMS makes one a boot


class ClockStep(Value):
    """Stamps of `boot` made before `seq` are off by `delta_ms`."""

    boot: int
    seq: int
    delta_ms: int


class Bounds(Value):
    """How much the queue may hold before periodic meter values are thinned out."""

    rows: int
    bytes: int
    values_per_transaction: int


class Journal:
    """What must outlive the process. One writer; nobody else has the database."""

    def __init__(self, database: Database, new_id: Callable[[], str], bounds: Callable[[], Bounds]) -> None:
        self._database = database
        self._bounds = bounds
        self._writer = Writer(database)
        self._queue = ReportQueue(database, self._writer, new_id, self._unreadable)
        self._next_seq = 1
        self._data = TransactionData(database, self._writer, self.correction_ms)
        self._parked_values = 0
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
        database.read(self._load)

    def _load(self, connection: sqlite3.Connection) -> None:
        facts = dict(connection.execute("SELECT name, value FROM facts"))
        self.boot = _number(facts, "boot") + 1
        self.registered = facts.get("registered") == "yes"
        self.csms = facts.get("csms", "")
        self.last_known_ms = _number(facts, "utc_ms")
        last = self._queue.load(connection)
        self.parked, self._parked_values = connection.execute(
            "SELECT count(*), count(CASE WHEN kind = ? THEN 1 END) FROM parked", (THINNABLE,)
        ).fetchone()
        # Whatever has a place in the order keeps it.
        (used,) = connection.execute(
            "SELECT max(seq) FROM (SELECT seq FROM parked UNION ALL SELECT seq FROM clock_steps"
            " UNION ALL SELECT seq FROM transactions UNION ALL SELECT seq FROM transaction_data)"
        ).fetchone()
        self._next_seq = max(last, used or 0) + 1
        self.clock_steps = [
            ClockStep(*row) for row in connection.execute("SELECT boot, seq, delta_ms FROM clock_steps")
        ]
        self._load_transactions(connection)
        self._data.load(connection)
        entries = []
        for (body,) in connection.execute("SELECT body FROM authorization_cache"):
            try:
                entries.append(codec.load_cache_entry(body))
            except codec.UNREADABLE:
                logger.warning("an entry of the authorization cache is damaged, and forgotten")
        self.cache = tuple(entries)

    def _load_transactions(self, connection: sqlite3.Connection) -> None:
        records = []
        for transaction_id, body, boot, seq, csms_id, sent_ms in connection.execute(
            "SELECT transaction_id, record, boot, seq, csms_id, sent_ms FROM transactions"
        ):
            self.sent_ms[transaction_id] = sent_ms
            if csms_id is not None:
                self.csms_ids[transaction_id] = csms_id
            if body is None:
                continue
            try:
                record = codec.load_transaction(body)
            except codec.UNREADABLE:
                logger.exception("what was kept of the transaction %s is damaged; it cannot be ended", transaction_id)
                continue
            step_ms = self.correction_ms(boot, seq)
            records.append(record._replace(started_ms=record.started_ms + step_ms, last_ms=record.last_ms + step_ms))
        self.transactions = tuple(sorted(records, key=lambda record: record.started_ms))
        self.last_known_ms = max(self.last_known_ms, *(record.last_ms for record in records), 0)

    @property
    def degraded(self) -> bool:
        """Nothing is durable at the moment: the disk takes nothing, or there was none to begin with."""
        return self._writer.failing or self._database.volatile

    @property
    def rows(self) -> int:
        """Reports that have not been delivered."""
        return self._queue.rows

    @property
    def bytes(self) -> int:
        """Their size."""
        return self._queue.bytes

    @property
    def thinned(self) -> int:
        """How often periodic meter values had to go, for want of space."""
        return self._queue.thinned

    @property
    def last_seq(self) -> int:
        """The newest report's place in the order."""
        return self._next_seq - 1

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin_boot(self, utc_ms: int) -> None:
        """Count this start of the program."""
        self._writer.submit(
            {
                "boot": _fact("boot", str(self.boot)),
                "utc_ms": _fact("utc_ms", str(utc_ms)),
                "old steps": (
                    "DELETE FROM clock_steps WHERE boot NOT IN (SELECT boot FROM queue"
                    " UNION SELECT boot FROM transactions UNION SELECT boot FROM transaction_data)",
                    (),
                ),
            },
            durable=False,
        )

    def write(self, records: Iterable[Record], utc_ms: int, *, boot: int | None = None) -> asyncio.Future[None]:
        """Make all of it durable, together. Done when it is, or when it waits in memory for the disk to recover.

        boot: whose clock made the stamps, where it was not this one's.
        """
        bounds = self._bounds()
        statements: Statements = {}
        queued: list[QueuedReport] = []
        durable = False
        for record in records:
            durable = durable or isinstance(record, _DURABLE)
            if isinstance(record, SaveTransaction):
                self._save_transaction(statements, record.record)
            elif isinstance(record, SaveTransactionData):
                limit = bounds.values_per_transaction
                place = self.boot, self.last_seq
                self._data.keep(statements, record.transaction_id, record.value, place=place, limit=limit)
            elif isinstance(record, ForgetTransaction):
                statements["transaction", record.transaction_id] = (
                    "UPDATE transactions SET record = NULL WHERE transaction_id = ?",
                    (record.transaction_id,),
                )
            elif isinstance(record, SaveCacheEntry):
                key = record.id_token.value.casefold()
                statements.pop(("cache", key), None)  # its place is after what has been forgotten meanwhile
                statements["cache", key] = (
                    "INSERT OR REPLACE INTO authorization_cache VALUES (?, ?)",
                    (key, codec.dump(record)),
                )
            elif isinstance(record, ForgetCacheEntries):
                _forget_cache(statements, record)
            elif isinstance(record, SaveRegistration):
                self.registered = True
                statements["registered"] = _fact("registered", "yes")
            else:
                queued.append(self._queue.add(statements, self._seq(), record, self.boot if boot is None else boot))
        if any(row.kind != THINNABLE for row in queued):
            statements["utc_ms"] = _fact("utc_ms", str(utc_ms))
        done = self._writer.submit(
            statements, durable=durable, then=lambda stored: self._queue.offer(queued, stored=stored)
        )
        if queued and (self.rows > bounds.rows or self.bytes > bounds.bytes):
            self._queue.thin()
        return done

    def _seq(self) -> int:
        self._next_seq += 1
        return self._next_seq - 1

    def _save_transaction(self, statements: Statements, record: TransactionRecord) -> None:
        self.sent_ms.setdefault(record.transaction_id, 0)
        statements["transaction", record.transaction_id] = (
            "INSERT INTO transactions (transaction_id, record, boot, seq) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (transaction_id) DO UPDATE SET record = ?2, boot = ?3, seq = ?4",
            (record.transaction_id, codec.dump(record), self.boot, self.last_seq),
        )

    def retry(self) -> asyncio.Future[None]:
        """Try again to write what waits in memory."""
        return self._writer.retry()

    # --- reading and settling the queue -------------------------------------------------------------------------------

    async def head(self) -> QueuedReport | None:
        """The oldest report that has not been delivered."""
        return await self._queue.head()

    async def data(self, transaction_id: str) -> tuple[MeterValue, ...]:
        """What was collected for the transaction's end report, oldest first, with the clock's steps made up for."""
        return await self._data.read(transaction_id, self.sent_ms.get(transaction_id, 0))

    def delivered(self, row: QueuedReport, *, csms_id: str | None = None, sent_ms: int = 0) -> asyncio.Future[None]:
        """The CSMS has taken it. The future matters where the next report must not go out before this is durable."""
        statements = self._queue.remove(row.seq, row.size)
        transaction_id = row.transaction_id
        if transaction_id is not None:
            if row.kind == TransactionEventType.ENDED:
                statements.update(self._drop_transaction(transaction_id))
                return self._writer.submit(statements, durable=False)
            self.sent_ms[transaction_id] = max(sent_ms, self.sent_ms.get(transaction_id, 0))
            if csms_id is not None:
                self.csms_ids[transaction_id] = csms_id
                statements["csms id", transaction_id] = (
                    "INSERT INTO transactions (transaction_id, csms_id, sent_ms) VALUES (?1, ?2, ?3)"
                    " ON CONFLICT (transaction_id) DO UPDATE SET csms_id = ?2, sent_ms = ?3",
                    (transaction_id, csms_id, self.sent_ms[transaction_id]),
                )
        return self._writer.submit(statements, durable=csms_id is not None)

    def _drop_transaction(self, transaction_id: str) -> Statements:
        self.csms_ids.pop(transaction_id, None)
        self.sent_ms.pop(transaction_id, None)
        for key in ("transaction", "csms id"):
            self._writer.withdraw((key, transaction_id))
        statements = self._data.drop(transaction_id)
        statements["drop", transaction_id] = (
            "DELETE FROM transactions WHERE transaction_id = ?",
            (transaction_id,),
        )
        return statements

    def failed(self, row: QueuedReport) -> None:
        """One more attempt that the CSMS did not process."""
        row.attempts += 1
        self._writer.submit(
            {("attempts", row.seq): ("UPDATE queue SET attempts = ? WHERE seq = ?", (row.attempts, row.seq))},
            durable=False,
        )

    def park(self, row: QueuedReport, error: str, utc_ms: int) -> asyncio.Future[None]:
        """The CSMS will not take it: out of the way of the others, but kept."""
        parameters = (row.seq, row.message_id, row.transaction_id, row.kind, row.boot, row.attempts)
        statements = self._count_parked(row.kind, row.seq)
        statements["park", row.seq] = (
            "INSERT INTO parked VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*parameters, codec.dump(row.report), error, utc_ms),
        )
        statements.update(self._queue.remove(row.seq, row.size))
        return self._writer.submit(statements, durable=True)

    async def resend(self) -> int:
        """Queue once more what the CSMS refused, behind all that waits, each under its own message id; how many.

        Raises StoreError.
        """

        def load(connection: sqlite3.Connection) -> list[tuple[int, str, int, str]]:
            return connection.execute("SELECT seq, message_id, boot, body FROM parked ORDER BY seq").fetchall()

        statements: Statements = {}
        queued: list[QueuedReport] = []
        for seq, message_id, boot, body in await self._database.run(load, durable=False):
            try:
                report = codec.load_report(body)
            except codec.UNREADABLE:
                continue
            # Its place says no longer which steps of the clock came after it: they are made up for here.
            report = shifted(report, self.correction_ms(boot, seq))
            queued.append(self._queue.add(statements, self._seq(), report, _NO_BOOT, message_id))
            statements["resent", seq] = ("DELETE FROM parked WHERE seq = ?", (seq,))
        self.parked -= len(queued)
        self._parked_values = 0
        await self._writer.submit(
            statements, durable=True, then=lambda stored: self._queue.offer(queued, stored=stored)
        )
        return len(queued)

    def _unreadable(self, seq: int, size: int, why: str) -> None:
        logger.error("report %d is damaged and set aside: %s", seq, why)
        statements = self._count_parked("", seq)
        statements["park", seq] = (
            "INSERT INTO parked SELECT seq, message_id, transaction_id, kind, boot, attempts, body, ?, 0"
            " FROM queue WHERE seq = ?",
            (why, seq),
        )
        statements.update(self._queue.remove(seq, size))
        self._writer.submit(statements, durable=True)

    def _count_parked(self, kind: str, seq: int) -> Statements:
        if kind == THINNABLE:
            if self._parked_values >= _KEPT_PARKED_VALUES:
                oldest = "DELETE FROM parked WHERE seq = (SELECT min(seq) FROM parked WHERE kind = ?)"
                return {("unpark", seq): (oldest, (THINNABLE,))}
            self._parked_values += 1
        self.parked += 1
        return {}

    # --- the clock ----------------------------------------------------------------------------------------------------

    def clock_stepped(self, delta_ms: int) -> None:
        """Every stamp made so far in this run of the program was off by `delta_ms`."""
        statements: Statements = {}
        if len(self.clock_steps) >= _CLOCK_STEPS and self.clock_steps[-1].boot == self.boot:
            # A CSMS that cannot make up its mind may cost accuracy, but neither memory nor flash.
            last = self.clock_steps.pop()
            step = last._replace(delta_ms=last.delta_ms + delta_ms)
            statements["gone", last.seq] = ("DELETE FROM clock_steps WHERE boot = ? AND seq = ?", (last.boot, last.seq))
        else:
            # A place of its own, so that what is stamped next is told from what was stamped last.
            step = ClockStep(self.boot, self._seq(), delta_ms)
        self.clock_steps.append(step)
        statements["step", step.seq] = ("INSERT INTO clock_steps VALUES (?, ?, ?)", tuple(step))
        if delta_ms < 0:
            # What was said before of a running transaction is later than what will be stamped next.
            for transaction_id, sent_ms in self.sent_ms.items():
                statements["sent", transaction_id] = (
                    "UPDATE transactions SET sent_ms = ? WHERE transaction_id = ?",
                    (sent_ms, transaction_id),
                )
        self._writer.submit(statements, durable=False)

    def correction_ms(self, boot: int, seq: int) -> int:
        """What to add to stamps made in that boot before `seq` was given out."""
        return sum(step.delta_ms for step in self.clock_steps if step.boot == boot and seq < step.seq)

    def meet_csms(self, name: str) -> None:
        """Which CSMS this memory is for. What another one knew or said of anybody is not for this one.

        name: its URL and the identity there. The queue stays: what was sold is owed to whoever runs the station.
        """
        if name == self.csms:
            return
        before, self.csms = self.csms, name
        self.registered = False
        self.cache = ()
        statements: Statements = {"csms": _fact("csms", name), "registered": _fact("registered", "no")}
        if _host(name) != _host(before):
            # Elsewhere its numbers are other people's transactions; the same host at another port or by TLS keeps them.
            self.csms_ids.clear()
            statements["csms ids"] = ("UPDATE transactions SET csms_id = NULL", ())
        _forget_cache(statements, ForgetCacheEntries())
        self._writer.submit(statements, durable=True)

    def close(self) -> None:
        """Finish what was submitted and close the file. Blocks for as long as that takes."""
        self._database.close()

    async def flush(self) -> None:
        """Everything submitted so far has been tried."""
        await self.retry()


def _host(name: str) -> str | None:
    try:
        return urlsplit(name.partition(" ")[0]).hostname
    except ValueError:
        return None


def _number(facts: Mapping[str, str], name: str) -> int:
    """0 for what is missing or damaged."""
    text = facts.get(name, "0")
    return int(text) if text.isdecimal() else 0


def _fact(name: str, value: str) -> Statement:
    return "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value)


def _forget_cache(statements: Statements, record: ForgetCacheEntries) -> None:
    if record.values is None:
        statements.pop("cache", None)
        statements["cache"] = ("DELETE FROM authorization_cache", ())
        return
    for key in record.values:
        statements["cache", key] = ("DELETE FROM authorization_cache WHERE key = ?", (key,))
