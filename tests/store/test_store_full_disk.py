"""A disk that takes nothing, and then again something: nothing is lost, nothing is doubled, nothing is corrupt."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.charging.effects import ForgetCacheEntries
from agent.errors import StoreError
from agent.store.database import Database

from .store_samples import T0_MS, WIDE, Store, aligned, datum, end, ended, record, stamps, started, updated


class SmallDisk:
    """A file system of 1 MB of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass

    def free(self) -> None:
        self._ballast.unlink()


class SizeLimit:
    """Where nothing can be mounted: no file may grow any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


Disk = SmallDisk | SizeLimit


@contextmanager
def _mounted(path: Path) -> Iterator[bool]:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed words
        mounted = done.returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(path)], check=True)  # noqa: S603, S607 - fixed words


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    with _mounted(path) as mounted:
        disk = SmallDisk(path) if mounted else SizeLimit(path)
        yield disk
        if isinstance(disk, SizeLimit):
            disk.free()


@pytest.fixture
def store(disk: Disk) -> Iterator[Store]:
    store = Store(disk.path / "station.db")
    yield store
    store.close()


def degraded(store: Store) -> bool:
    return store.journal.degraded


async def until_degraded(store: Store) -> int:
    """Write until the disk takes no more: a reused log still has room. The reports written."""
    for number in range(10_000):
        await store.journal.write([aligned(at_ms=number)], T0_MS)
        if degraded(store):
            return number + 1
    raise AssertionError("the disk is never full")


async def test_the_station_goes_on_and_everything_is_written_when_there_is_room(store: Store, disk: Disk) -> None:
    await store.journal.write([record(), started(), datum(at_ms=0)], T0_MS)
    disk.fill()
    count = await until_degraded(store)
    await store.journal.write([updated(at_ms=1), datum(at_ms=1), record(last_ms=T0_MS + 1)], T0_MS)
    await store.journal.write([datum(at_ms=2), *end(at_ms=2)], T0_MS)
    assert degraded(store)
    disk.free()
    await store.journal.retry()
    assert not degraded(store)
    image = Store(store.cut(disk.path / "image.db"))
    assert image.set_aside is None
    assert image.journal.transactions == ()
    assert [value.at_ms for value in await image.journal.data("t1")] == [0, 1, 2]
    reports = [row.report for row in await image.deliver_all()]
    assert reports == [started(), *(aligned(at_ms=number) for number in range(count)), updated(at_ms=1), ended(at_ms=2)]
    image.close()


async def test_a_power_cut_while_it_is_full_loses_only_what_came_since(store: Store, disk: Disk) -> None:
    await store.journal.write([record(), started()], T0_MS)
    disk.fill()
    count = await until_degraded(store)
    await store.journal.write(end(), T0_MS)
    disk.free()
    image = Store(store.cut(disk.path / "image.db"))
    assert image.set_aside is None
    assert [found.transaction_id for found in image.journal.transactions] == ["t1"]
    assert image.journal.rows == count  # the started and all but the one that did not fit
    image.close()


async def test_what_is_delivered_while_it_is_full_is_never_sent_twice(store: Store, disk: Disk) -> None:
    disk.fill()
    count = await until_degraded(store)
    seen = []
    for number in range(count, count + 300):
        await store.journal.write([aligned(at_ms=number)], T0_MS)
        row = await store.journal.head()
        assert row is not None
        seen.append(row.report)
        await store.journal.delivered(row)
    disk.free()
    await store.journal.retry()
    seen += [row.report for row in await store.deliver_all()]
    assert stamps(seen) == list(range(count + 300))
    assert store.journal.rows == 0
    assert store.database.read(lambda c: c.execute("SELECT count(*) FROM queue").fetchone()) == (0,)


async def test_the_order_is_kept_where_a_backlog_is_in_the_file_and_the_news_in_memory(
    store: Store, disk: Disk
) -> None:
    for number in range(350):
        store.journal.write([aligned(at_ms=number)], T0_MS)
    await store.journal.flush()
    disk.fill()
    for number in range(350, 3000):
        await store.journal.write([aligned(at_ms=number)], T0_MS)
        if degraded(store) and number > 600:
            break
    seen = []
    for _ in range(200):
        row = await store.journal.head()
        assert row is not None
        seen.append(row.report)
        await store.journal.delivered(row)
    disk.free()
    await store.journal.write([aligned(at_ms=number + 1)], T0_MS)
    await store.journal.retry()
    assert not degraded(store)
    seen += [row.report for row in await store.deliver_all()]
    assert stamps(seen) == list(range(number + 2))


async def test_a_backlog_is_read_from_a_disk_that_can_only_be_read(store: Store) -> None:
    for number in range(250):
        store.journal.write([aligned(at_ms=number)], T0_MS)
    await store.journal.flush()
    store.database.read(lambda connection: connection.execute("PRAGMA query_only=ON"))
    assert stamps(row.report for row in await store.deliver_all()) == list(range(250))
    assert degraded(store)


async def test_the_end_report_has_its_values_though_none_could_be_stored(store: Store, disk: Disk) -> None:
    await store.journal.write([datum(at_ms=0), datum(at_ms=1)], T0_MS)
    disk.fill()
    await until_degraded(store)
    await store.journal.write([datum(at_ms=2)], T0_MS)
    await store.journal.write([datum(at_ms=3)], T0_MS)
    assert [value.at_ms for value in await store.journal.data("t1")] == [0, 1, 2, 3]


async def test_the_memory_it_takes_is_bounded(store: Store, disk: Disk) -> None:
    disk.fill()
    await until_degraded(store)
    store.bounds = WIDE._replace(rows=200, values_per_transaction=20)
    for number in range(2000):
        await store.journal.write([updated(at_ms=number), datum(at_ms=number), record(last_ms=T0_MS + number)], T0_MS)
        if number % 10 == 0:
            await asyncio.sleep(0.001)  # what is too much goes in the background
    await store.journal.flush()
    assert store.journal.rows <= 230
    kept = [value.at_ms for value in await store.journal.data("t1")]
    assert len(kept) <= 20
    assert (kept[0], kept[-1]) == (0, 1999)
    held = store.journal._writer._next  # how much waits in memory has no other face
    assert len(held) < 1000
    disk.free()
    await store.journal.retry()
    assert not degraded(store)
    assert store.database.read(lambda c: c.execute("SELECT count(*) FROM queue").fetchone()) == (store.journal.rows,)
    rows = [row for row in await store.deliver_all() if row.transaction_id == "t1"]
    assert rows[-1].report == updated(at_ms=1999)


async def test_parking_and_attempts_while_it_is_full(store: Store, disk: Disk) -> None:
    disk.fill()
    await until_degraded(store)
    await store.journal.write([started()], T0_MS)
    while (row := await store.journal.head()) is not None and row.kind != "Started":
        await store.journal.delivered(row)
    assert row is not None
    store.journal.failed(row)
    await store.journal.park(row, "refused", T0_MS)
    disk.free()
    await store.journal.retry()
    kept = store.database.read(lambda c: c.execute("SELECT transaction_id, attempts, error FROM parked").fetchall())
    assert kept == [("t1", 1, "refused")]
    assert store.journal.rows == 0


async def test_an_agent_that_starts_on_a_full_disk_still_knows_what_it_owes(store: Store, disk: Disk) -> None:
    await store.journal.write([record(), started()], T0_MS)
    image = store.cut(disk.path / "image.db")
    disk.fill()
    late = Store(image)
    assert late.set_aside is None
    assert [found.transaction_id for found in late.journal.transactions] == ["t1"]
    await late.journal.write(end(), T0_MS)
    assert [row.kind for row in await late.deliver_all()] == ["Started", "Ended"]
    late.close()


async def test_a_statement_that_can_never_be_carried_out_does_not_stop_the_others(store: Store) -> None:
    done = store.journal.write([started(at_ms=1 << 70), record(last_ms=1)], 1 << 70)
    store.journal.clock_stepped(1 << 70)
    await done
    await store.journal.write([ForgetCacheEntries(("\ud800",)), updated()], T0_MS)
    await store.journal.flush()
    assert not degraded(store)
    assert store.database.read(lambda c: c.execute("SELECT count(*) FROM queue").fetchone()) == (2,)


async def test_without_any_room_there_is_no_file(disk: Disk) -> None:
    disk.fill()
    with pytest.raises(StoreError):
        Database.open(disk.path / "new.db")


async def test_in_memory_it_says_that_nothing_is_durable(tmp_path: Path) -> None:
    memory = Database.in_memory()
    store = Store(tmp_path / "station.db")
    assert not degraded(store)
    journal = type(store.journal)(memory, lambda: "m", lambda: WIDE)
    assert journal.degraded
    await journal.write([started()], T0_MS)
    row = await journal.head()
    assert row is not None
    assert row.report == started()
    memory.close()
    store.close()
