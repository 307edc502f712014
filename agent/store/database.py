"""The SQLite file, and the one thread that writes it.

WAL; money with synchronous=FULL, what can be rebuilt with NORMAL. A flush of slow flash never stalls the event loop,
and whatever waits while one is under way shares the next.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from agent.errors import StoreError

Work = Callable[[sqlite3.Connection], Any]
SCHEMA_VERSION = 1
_KEPT_CORRUPT_FILES = 3


class Opened(NamedTuple):
    """`set_aside`: where a corrupt file went, if there was one."""

    database: Database
    set_aside: Path | None


class _Job(NamedTuple):
    work: Work
    durable: bool
    future: asyncio.Future[Any]


class Database:
    """All access goes through `run`: one thread, one connection, one transaction a job (or a share of one)."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
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
    def in_memory(cls) -> Database:
        """For a station whose disk takes nothing: what it keeps lasts as long as the process."""
        return cls(
            _prepare(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)), Path(":memory:")
        )

    def run(self, work: Work, *, durable: bool = True) -> asyncio.Future[Any]:
        """`work` inside a transaction, in order of submission; its result when it has been committed.

        durable: flushed to the medium before the future is done. The future raises StoreError (full disk, I/O error).
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(work, durable, future))
        return future

    def read(self, work: Work) -> Any:
        """`work` at once, in the caller's thread: for start-up, before anything else runs."""
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    def close(self) -> None:
        """Finish what was submitted and close. Blocks for as long as that takes."""
        self._jobs.put(None)
        self._thread.join(timeout=10)

    # --- the writer's thread ------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        level = ""
        while True:
            job = self._jobs.get()
            jobs: list[_Job] = []
            while job is not None:
                jobs.append(job)
                if self._jobs.empty():
                    break
                job = self._jobs.get()
            if jobs:
                wanted = "FULL" if any(job.durable for job in jobs) else "NORMAL"
                if wanted != level:
                    self._connection.execute(f"PRAGMA synchronous={wanted}")
                    level = wanted
                self._commit(jobs)
            if job is None:
                self._connection.close()
                return

    def _commit(self, jobs: list[_Job]) -> None:
        """All in one transaction; where that fails, each in its own, so that one bad job takes no other with it."""
        try:
            results = self._transaction(jobs)
        except Exception as error:  # noqa: BLE001 - whatever a job raises must reach its owner and leave the thread alive
            if len(jobs) == 1:
                _resolve(jobs[0].future, None, StoreError(f"{self.path}: {error}"))
                return
            for job in jobs:
                self._commit([job])
            return
        for job, result in zip(jobs, results, strict=True):
            _resolve(job.future, result, None)

    def _transaction(self, jobs: list[_Job]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
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

    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(deliver)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        path.chmod(0o600)
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
    # A small log keeps the checkpoint, and so the longest stall of the thread, short.
    connection.execute("PRAGMA wal_autocheckpoint=250")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        # After a step back to older firmware: what it does not know it must not touch.
        raise sqlite3.DatabaseError(f"made by newer software (schema {version}, this one knows {SCHEMA_VERSION})")
    for number in range(version + 1, SCHEMA_VERSION + 1):
        script = next((Path(__file__).parent / "migrations").glob(f"{number:04}_*.sql")).read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
    return connection


def _set_aside(path: Path) -> Path:
    """Move a corrupt file (and its log) out of the way, keeping the last few for support."""
    kept = sorted(path.parent.glob(f"{path.name}.corrupt-*"), key=lambda p: p.stat().st_mtime)
    for old in kept[: max(0, len(kept) - _KEPT_CORRUPT_FILES + 1)]:
        old.unlink()
    numbers = [int(p.suffix.rpartition("-")[2]) for p in kept if p.suffix.rpartition("-")[2].isdigit()]
    target = path.with_name(f"{path.name}.corrupt-{max(numbers, default=0) + 1}")
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return target
