"""The SQLite file: opened whatever has become of it, written by one thread that outlives everything."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.errors import StoreError
from agent.store.database import SCHEMA_VERSION, Database

PAGE_BYTES = 512


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database.open(path).database
    yield database
    database.close()


def put(number: int) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: _execute(connection, "INSERT INTO clock_steps VALUES (1, ?, 0)", number)


def _execute(connection: sqlite3.Connection, sql: str, *parameters: object) -> None:
    connection.execute(sql, parameters)


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [seq for (seq,) in connection.execute("SELECT seq FROM clock_steps ORDER BY rowid")]


async def fill(path: Path) -> None:
    """Enough for several pages, of which some are only in the log."""
    database = Database.open(path).database
    for number in range(3000):
        database.run(put(number), durable=False)
    await database.run(put(3000))
    database.close()


def read(path: Path) -> bytes:
    return path.read_bytes()


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


class TestOpening:
    async def test_what_was_written_is_there_the_next_time(self, path: Path) -> None:
        database = Database.open(path).database
        await database.run(put(7))
        database.close()
        opened = Database.open(path)
        assert opened.set_aside is None
        assert opened.database.read(numbers) == [7]
        opened.database.close()

    def test_only_the_agent_may_read_it(self, path: Path) -> None:
        before = os.umask(0)
        try:
            database = Database.open(path).database
            database.read(lambda connection: connection.execute("INSERT INTO facts VALUES ('a', 'b')"))
            modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
            database.close()
        finally:
            os.umask(before)
        assert modes == {0o600}

    def test_the_log_needs_no_index_file(self, database: Database) -> None:
        """It would wear the flash, and could not be made on a full disk."""
        assert files(database.path) == ["station.db", "station.db-wal"]

    def test_a_second_process_is_kept_out(self, database: Database) -> None:
        database.read(lambda connection: connection.execute("INSERT INTO facts VALUES ('a', 'b')"))
        other = sqlite3.connect(database.path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT * FROM facts").fetchall()
        other.close()

    def test_a_directory_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be opened"):
            Database.open(tmp_path / "nowhere" / "station.db")

    def test_something_that_is_no_file(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(StoreError):
            Database.open(path)

    async def test_in_memory_it_works_and_says_that_it_is_volatile(self, database: Database) -> None:
        memory = Database.in_memory()
        await memory.run(put(1))
        assert memory.read(numbers) == [1]
        assert memory.volatile
        assert not database.volatile
        memory.close()


def garbage(path: Path) -> None:
    path.write_bytes(os.urandom(10_000))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3 * PAGE_BYTES - 100)


def flipped_page(path: Path) -> None:
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // PAGE_BYTES):
            file.seek(page * PAGE_BYTES)
            file.write(os.urandom(64))


def header_gone(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(100))


def another_database(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE somebody_elses (id INTEGER)")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.close()


def newer_schema(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()


class TestDamage:
    @pytest.mark.parametrize("damage", [garbage, truncated, flipped_page, header_gone, another_database, newer_schema])
    async def test_the_file_is_set_aside_and_a_new_one_begun(self, path: Path, damage: Callable[[Path], None]) -> None:
        await fill(path)
        damage(path)
        content = read(path)
        opened = Database.open(path)
        assert opened.set_aside == path.with_name("station.db.corrupt-1")
        assert opened.set_aside.read_bytes() == content
        assert opened.database.read(numbers) == []
        await opened.database.run(put(1))
        opened.database.close()

    def test_an_empty_file_is_a_new_store(self, path: Path) -> None:
        path.touch()
        opened = Database.open(path)
        assert opened.set_aside is None
        opened.database.close()

    async def test_a_zeroed_log_costs_only_what_was_in_it(self, path: Path, tmp_path: Path) -> None:
        await fill(path)
        database = Database.open(path).database
        await database.run(put(9999))
        image = tmp_path / "image.db"
        image.write_bytes(read(path))
        image.with_name("image.db-wal").write_bytes(bytes(path.with_name("station.db-wal").stat().st_size))
        database.close()
        opened = Database.open(image)
        assert opened.set_aside is None
        assert opened.database.read(numbers) == list(range(3001))
        opened.database.close()

    async def test_a_torn_log_keeps_every_commit_before_the_tear(self, path: Path, tmp_path: Path) -> None:
        Database.open(path).database.close()
        database = Database.open(path).database
        for number in range(20):
            await database.run(put(number))
        log = path.with_name("station.db-wal").read_bytes()
        database_file = read(path)
        database.close()
        kept = []
        for part, length in enumerate((len(log) // 3, len(log) // 2, len(log) - 1)):
            image = tmp_path / f"image{part}.db"
            image.write_bytes(database_file)
            image.with_name(image.name + "-wal").write_bytes(log[:length])
            opened = Database.open(image)
            assert opened.set_aside is None
            found = opened.database.read(numbers)
            assert found == list(range(len(found)))
            kept.append(len(found))
            opened.database.close()
        assert 0 < kept[0] < kept[1] < kept[2] == 19

    def test_the_last_three_are_kept(self, path: Path) -> None:
        for number in range(1, 12):
            path.write_text(f"garbage {number}" * 100)
            Database.open(path).database.close()
        assert files(path) == ["station.db", *(f"station.db.corrupt-{number}" for number in (10, 11, 9))]
        assert path.with_name("station.db.corrupt-11").read_text().startswith("garbage 11")


class TestWriting:
    async def test_jobs_are_done_in_their_order(self, database: Database) -> None:
        jobs = [database.run(put(number), durable=number % 3 == 0) for number in range(100)]
        await asyncio.gather(*jobs)
        assert database.read(numbers) == list(range(100))

    async def test_a_job_gives_its_result(self, database: Database) -> None:
        assert await database.run(lambda _connection: 42) == 42

    async def test_a_bad_job_takes_no_other_with_it(self, database: Database) -> None:
        block = threading.Event()
        first = database.run(lambda _connection: block.wait(5))
        before = database.run(put(1))
        bad = database.run(lambda connection: (put(666)(connection), 1 / 0))
        after = database.run(put(2))
        block.set()
        await asyncio.gather(first, before, after)
        with pytest.raises(StoreError, match="division by zero"):
            await bad
        assert database.read(numbers) == [1, 2]

    @pytest.mark.parametrize("how", ["COMMIT", "ROLLBACK", "BEGIN", "SELEC", "PRAGMA nothing_like_this"])
    async def test_the_thread_survives_a_job_that_spoils_its_transaction(self, database: Database, how: str) -> None:
        spoiled = database.run(lambda connection: connection.execute(how))
        await asyncio.gather(spoiled, return_exceptions=True)
        await database.run(put(1))
        assert database.read(numbers)[-1] == 1

    async def test_the_thread_survives_even_an_exit(self, database: Database) -> None:
        def leave(_connection: sqlite3.Connection) -> None:
            raise SystemExit

        with pytest.raises(StoreError):
            await database.run(leave)
        await database.run(put(1))

    async def test_a_job_that_nobody_waits_for_any_more(self, database: Database) -> None:
        database.run(put(1)).cancel()
        await database.run(put(2))
        assert database.read(numbers) == [1, 2]

    async def test_money_is_flushed_and_the_rest_is_not(self, database: Database) -> None:
        levels = []
        for durable in (True, False, True):
            levels.append(await database.run(lambda c: c.execute("PRAGMA synchronous").fetchone()[0], durable=durable))
        assert levels == [2, 1, 2]  # FULL, NORMAL

    def test_closing_finishes_what_was_submitted(self, path: Path) -> None:
        database = Database.open(path).database

        async def submit() -> None:
            for number in range(500):
                database.run(put(number))

        asyncio.run(submit())
        database.close()
        opened = Database.open(path).database
        assert opened.read(numbers) == list(range(500))
        opened.close()

    async def test_after_closing_nothing_is_taken(self, database: Database) -> None:
        database.close()
        database.close()
        with pytest.raises(StoreError, match="closed"):
            await database.run(put(1))

    def test_reading_at_the_start(self, database: Database) -> None:
        with pytest.raises(StoreError, match="no such table"):
            database.read(lambda connection: connection.execute("SELECT * FROM not_there"))
