"""The meter values that are collected for each transaction's end report (1.6 transactionData)."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from agent.charging.meter_values import MeterValue
from agent.errors import StoreError
from agent.store import codec
from agent.store.database import Database
from agent.store.writer import Statements, Writer

logger = logging.getLogger(__name__)


class TransactionData:
    """`correction_ms`: what stamps are off by that were made in that boot before that seq."""

    __slots__ = ("_correction_ms", "_database", "_ids", "_new_id", "_writer")

    def __init__(self, database: Database, writer: Writer, correction_ms: Callable[[int, int], int]) -> None:
        self._database = database
        self._writer = writer
        self._correction_ms = correction_ms
        self._ids: dict[str, list[int]] = {}
        self._new_id = itertools.count(1)

    def load(self, connection: sqlite3.Connection) -> None:
        """See what the last run left."""
        last = 0
        for transaction_id, last in connection.execute("SELECT transaction_id, id FROM transaction_data ORDER BY id"):
            self._ids.setdefault(transaction_id, []).append(last)
        self._new_id = itertools.count(last + 1)

    def keep(
        self, statements: Statements, transaction_id: str, value: MeterValue, *, place: tuple[int, int], limit: int
    ) -> None:
        """One value more. Beyond `limit` every second one goes, never the first nor the newest (1.6 errata 3.91).

        place: the boot and the newest seq when it was stamped.
        """
        ids = self._ids.setdefault(transaction_id, [])
        if len(ids) >= limit:
            for doomed in ids[1::2]:
                if statements.pop(("data", doomed), None) is None and not self._writer.withdraw(("data", doomed)):
                    statements["drop data", doomed] = (
                        "DELETE FROM transaction_data WHERE transaction_id = ? AND id = ?",
                        (transaction_id, doomed),
                    )
            del ids[1::2]
        data_id = next(self._new_id)
        ids.append(data_id)
        statements["data", data_id] = (
            "INSERT INTO transaction_data (transaction_id, id, boot, seq, body) VALUES (?, ?, ?, ?, ?)",
            (transaction_id, data_id, *place, codec.dump_meter_value(value)),
        )

    async def read(self, transaction_id: str, told_ms: int) -> tuple[MeterValue, ...]:
        """Oldest first, with the clock's steps made up for. What cannot be read is left out.

        told_ms: the latest stamp that the CSMS has heard of this transaction; 0 for none.
        """
        ids = self._ids.get(transaction_id, [])
        unwritten = ((data_id, self._writer.unwritten(("data", data_id))) for data_id in ids)
        rows = {data_id: statement[1][2:] for data_id, statement in unwritten if statement is not None}

        def load(connection: sqlite3.Connection) -> list[tuple[int, int, int, str]]:
            return connection.execute(
                "SELECT id, boot, seq, body FROM transaction_data WHERE transaction_id = ?", (transaction_id,)
            ).fetchall()

        try:
            for data_id, *row in await self._database.run(load, durable=False):
                rows[data_id] = tuple(row)
        except StoreError as error:
            logger.error("meter values of %s cannot be read: %s", transaction_id, error)  # noqa: TRY400 - no bug of ours
        return tuple(self._values((rows[data_id] for data_id in ids if data_id in rows), told_ms))

    def _values(self, rows: Iterator[tuple[Any, ...]], told_ms: int) -> Iterator[MeterValue]:
        latest_ms = 0
        for boot, seq, body in rows:
            try:
                value = codec.load_meter_value(body)
            except codec.UNREADABLE:
                logger.warning("a meter value is damaged, and left out")
            else:
                # A clock that went back does not take back what the CSMS has heard, the start at least.
                corrected_ms = value.at_ms + self._correction_ms(boot, seq)
                latest_ms = max(latest_ms, corrected_ms, min(value.at_ms, told_ms))
                yield value._replace(at_ms=latest_ms)

    def drop(self, transaction_id: str) -> Statements:
        """They have been delivered."""
        for data_id in self._ids.pop(transaction_id, ()):
            self._writer.withdraw(("data", data_id))
        return {
            ("drop all data", transaction_id): (
                "DELETE FROM transaction_data WHERE transaction_id = ?",
                (transaction_id,),
            )
        }
