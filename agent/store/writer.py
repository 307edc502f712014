"""Statements on their way into the database: in order, one batch at a time.

What is submitted while a batch is being written goes with the next. While the disk takes nothing everything waits
here, the newest of each key, and is tried again now and then.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping

from agent.store.database import Database

logger = logging.getLogger(__name__)

Key = object
Statement = tuple[str, tuple[object, ...]]
Statements = dict[Key, Statement]
Listener = Callable[[bool], None]
_Waiting = list[tuple[Listener | None, asyncio.Future[None]]]

# Much may wait for a disk that takes nothing: not all of it is tried again with every word that is added.
_PAUSE_S = 5.0
# What no second attempt can mend: the statement's own fault, not the disk's.
_HOPELESS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeEncodeError,
)


class Writer:
    """`failing`: the last batch could not be written and waits in memory."""

    __slots__ = ("_batch", "_database", "_durable", "_next", "_retry_at_s", "_waiting", "_writing", "failing")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batch: Statements = {}
        self._next: Statements = {}
        self._durable = False
        self._waiting: _Waiting = []
        self._writing = False
        self._retry_at_s = 0.0
        self.failing = False

    def submit(
        self, statements: Mapping[Key, Statement], *, durable: bool, then: Listener | None = None
    ) -> asyncio.Future[None]:
        """Write them, together. Done when they are in the file, or wait for the disk to recover.

        durable: flushed to the medium. `then` hears first, whether they are in the file.
        """
        for key, statement in statements.items():
            self._next.pop(key, None)  # the newest takes its own place in the order
            self._next[key] = statement
        self._durable = self._durable or durable
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        waiting = (then, done)
        if self._writing or not self.failing or loop.time() >= self._retry_at_s:
            self._waiting.append(waiting)
            self._write()
        else:
            _tell([waiting], stored=False)
        return done

    def retry(self) -> asyncio.Future[None]:
        """Try now to write what waits."""
        self._retry_at_s = 0.0
        return self.submit({}, durable=True)

    def withdraw(self, key: Key) -> bool:
        """Forget what is still to be written under this key; whether there was something."""
        return self._next.pop(key, None) is not None

    def unwritten(self, key: Key) -> Statement | None:
        """What may not be in the file yet under this key."""
        return self._next.get(key) or self._batch.get(key)

    def _write(self) -> None:
        if self._writing or not self._waiting:
            return
        self._batch, self._next = self._next, {}
        waiting, self._waiting = self._waiting, []
        # What has waited for the disk may be money.
        durable, self._durable = self._durable or self.failing, False
        self._writing = True
        statements = list(self._batch.values())
        future = self._database.run(lambda connection: _execute(connection, statements), durable=durable)
        future.add_done_callback(lambda outcome: self._written(waiting, outcome))

    def _written(self, waiting: _Waiting, outcome: asyncio.Future[object]) -> None:
        batch, self._batch = self._batch, {}
        self._writing = False
        error = outcome.exception()
        if error is not None:
            if not self.failing:
                logger.error("the station cannot store: %s", error)
            self._retry_at_s = asyncio.get_running_loop().time() + _PAUSE_S
            for key in self._next:
                batch.pop(key, None)
            self._next = {**batch, **self._next}
            # Those who came meanwhile fare no better.
            waiting += self._waiting
            self._waiting = []
        elif self.failing:
            logger.warning("the station can store again; nothing was lost")
        self.failing = error is not None
        _tell(waiting, stored=error is None)
        self._write()


def _tell(waiting: _Waiting, *, stored: bool) -> None:
    for then, done in waiting:
        if then is not None:
            then(stored)
        if not done.done():
            done.set_result(None)


def _execute(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    for sql, parameters in statements:
        try:
            connection.execute(sql, parameters)
        except _HOPELESS:
            logger.exception("not stored, and never will be: %s", sql)
