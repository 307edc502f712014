"""The SQLite file, and the one thread that writes it.

WAL; money with synchronous=FULL, what can be rebuilt with NORMAL. A flush of slow flash never stalls the event loop,
and whatever waits while one is under way shares the next. The file is locked for this process alone: the log then needs
no index file beside it, which would wear the flash and could not be made on a full disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from agent.charging.value import Value
from agent.errors import StoreError

Work = Callable[[sqlite3.Connection], Any]
SCHEMA_VERSION = 1
_TABLES = frozenset(
    {"queue", "parked", "transactions", "transaction_data", "authorization_cache", "clock_steps", "facts"}
)
_MEMORY = Path(":memory:")
_KEPT_CORRUPT_FILES = 3
# Every commit writes each page that it touches: small ones halve what a session wears of the flash.
_PAGE_BYTES = 512
# A small log keeps the checkpoint, and so the longest stall of the thread, short.
_LOG_BYTES = 1_000_000


class Opened(Value):
    """`set_aside`: where a corrupt file went, if there was one."""

    database: Database
    set_aside: Path | None


class _Job(Value):
    work: Work
    durable: bool
    future: asyncio.Future[Any]


class Database:
    """All access goes through `run`: one thread, one connection, one transaction a job (or a share of one)."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        self._closed = False
        self._level = ""
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="store", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Opened:
        """Open, check and migrate. A corrupt file is set aside and a new one begun: charging never depends on it.

        Raises StoreError where there can be no file at all (rights, full disk).
        """
        set_aside = None
        try:
            try:
                connection = _connect(path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                set_aside = _set_aside(path)
                connection = _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{path}: cannot be opened: {error}") from error
        return Opened(cls(connection, path), set_aside)

    @classmethod
    def replace(cls, path: Path) -> Opened:
        """Set the file aside whatever is in it, and begin a new one. Raises StoreError."""
        try:
            set_aside = _set_aside(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be set aside: {error}") from error
        return cls.open(path)._replace(set_aside=set_aside)

    @classmethod
    def in_memory(cls) -> Database:
        """For a station whose disk takes nothing: what it keeps lasts as long as the process."""
        return cls(_prepare(_opened(_MEMORY)), _MEMORY)

    @property
    def volatile(self) -> bool:
        """What is kept is lost with the process."""
        return self.path == _MEMORY

    def run(self, work: Work, *, durable: bool = True) -> asyncio.Future[Any]:
        """`work` inside a transaction, in order of submission; its result when it has been committed.

        durable: flushed to the medium before the future is done. The future raises StoreError (full disk, I/O error,
        closed). `work` may be called a second time where what it shared a transaction with has failed.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(StoreError(f"{self.path}: closed"))
        else:
            self._jobs.put(_Job(work, durable, future))
        return future

    def read(self, work: Work) -> Any:
        """`work` at once, in the caller's thread: for start-up, before anything else runs."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """Finish what was submitted and close. Blocks for as long as that takes, 10 s at most. Idempotent."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        self._thread.join(timeout=10)

    # --- the writer's thread ------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            jobs: list[_Job] = []
            while job is not None:
                jobs.append(job)
                if self._jobs.empty():
                    break
                job = self._jobs.get()
            if jobs:
                self._commit(jobs)
            if job is None:
                self._connection.close()
                return

    def _commit(self, jobs: list[_Job]) -> None:
        """All in one transaction; where that fails, each in its own, so that one bad job takes no other with it."""
        try:
            results = self._transaction(jobs)
        except BaseException as error:  # noqa: BLE001 - whatever a job raises must reach its owner, not end the thread
            if len(jobs) == 1:
                _resolve(jobs[0].future, None, StoreError(f"{self.path}: {error}"))
                return
            for job in jobs:
                self._commit([job])
            return
        for job, result in zip(jobs, results, strict=True):
            _resolve(job.future, result, None)

    def _transaction(self, jobs: list[_Job]) -> list[Any]:
        if self._connection.in_transaction:  # a roll-back has failed
            self._connection.execute("ROLLBACK")
        level = "FULL" if any(job.durable for job in jobs) else "NORMAL"
        if level != self._level:
            self._connection.execute(f"PRAGMA synchronous={level}")
            self._level = level
        self._connection.execute("BEGIN")  # no more, so that a file that cannot be written can still be read
        try:
            results = [job.work(self._connection) for job in jobs]
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return results


def _resolve(future: asyncio.Future[Any], result: Any, error: StoreError | None) -> None:
    def deliver() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    with suppress(RuntimeError):  # whoever waited has gone, and its event loop with it
        future.get_loop().call_soon_threadsafe(deliver)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    # A damaged text must reach whoever can judge it, not fail everything that is read with it.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = _opened(path)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        _check(connection)
        return _prepare(connection)
    except BaseException:
        connection.close()
        raise


def _check(connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // page_bytes}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        # After a step back to older firmware: what it does not know it must not touch.
        raise sqlite3.DatabaseError(f"made by newer software (schema {version}, this one knows {SCHEMA_VERSION})")
    for number in range(version + 1, SCHEMA_VERSION + 1):
        script = next((Path(__file__).parent / "migrations").glob(f"{number:04}_*.sql")).read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= _TABLES:
        raise sqlite3.DatabaseError(f"tables are missing: {', '.join(sorted(_TABLES - tables))}")
    return connection


def _set_aside(path: Path) -> Path:
    """Move a corrupt file out of the way, keeping the last few for support."""
    numbers = sorted(
        int(number)
        for kept in path.parent.glob(f"{path.name}.corrupt-*")
        if (number := kept.name.rpartition("-")[2]).isdecimal()
    )
    for old in numbers[: max(0, len(numbers) - _KEPT_CORRUPT_FILES + 1)]:
        path.with_name(f"{path.name}.corrupt-{old}").unlink()
    target = path.with_name(f"{path.name}.corrupt-{max(numbers, default=0) + 1}")
    path.rename(target)
    # Closing it has put the log into the file, where that could still be done.
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return target
