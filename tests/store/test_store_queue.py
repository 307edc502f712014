"""The queue of reports: in order, through restarts, within bounds, and past what is damaged or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.charging.reports import DurableReport

from .store_samples import (
    T0_MS,
    WIDE,
    Store,
    aligned,
    datum,
    ended,
    record,
    reopened,
    stamps,
    started,
    updated,
)

MINUTE_MS = 60_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


class TestQueue:
    async def test_comes_out_in_the_order_in_which_it_went_in(self, store: Store) -> None:
        reports: list[DurableReport] = [started(), updated(), aligned(), started("t2"), ended(), ended("t2")]
        for report in reports:
            await store.journal.write([report], T0_MS)
        assert [row.report for row in await store.deliver_all()] == reports
        assert store.journal.rows == store.journal.bytes == 0

    async def test_may_be_sent_only_when_it_is_durable(self, store: Store) -> None:
        done = store.journal.write([started()], T0_MS)
        assert await store.journal.head() is None
        await done
        assert await store.journal.head() is not None

    @pytest.mark.parametrize("count", [99, 100, 101, 250])
    async def test_is_longer_than_what_is_held_in_memory(self, store: Store, count: int) -> None:
        for number in range(count):
            store.journal.write([updated(at_ms=number)], T0_MS)
        await store.journal.flush()
        assert stamps(row.report for row in await store.deliver_all()) == list(range(count))

    async def test_little_of_it_is_held_in_memory(self, store: Store) -> None:
        """A week offline must not take the memory of a small controller."""
        await store.journal.write([updated(at_ms=number) for number in range(1000)], T0_MS)
        assert await store.journal.head() is not None
        assert len(store.journal._queue._window) <= 100

    async def test_a_restart_meets_a_full_queue(self, store: Store) -> None:
        reports = [started(f"t{number}", number) for number in range(250)]
        await store.journal.write(reports, T0_MS)
        store = await reopened(store)
        assert store.journal.rows == 250
        rows = await store.deliver_all()
        assert [row.report for row in rows] == reports
        assert [row.message_id for row in rows] == [f"m{number}" for number in range(1, 251)]
        store.close()

    async def test_what_comes_while_the_backlog_is_read_comes_after_it(self, store: Store) -> None:
        await store.journal.write([updated(at_ms=number) for number in range(150)], T0_MS)
        store = await reopened(store)
        seen, number = [], 150
        while (row := await store.journal.head()) is not None:
            seen.append(row.report)
            store.journal.delivered(row)
            if number < 400:
                store.journal.write([updated(at_ms=number)], T0_MS)
                number += 1
            if number % 7 == 0:
                await asyncio.sleep(0)
            if len(seen) >= 150:
                await store.journal.flush()
        assert stamps(seen) == list(range(400))
        store.close()

    async def test_every_meeting_of_a_write_and_a_look_at_the_head(self, path: Path) -> None:
        """whichever of the two the writer's thread takes first"""
        store = Store(path)
        for number in range(100):
            store.journal.write([updated(at_ms=number)], T0_MS)
            if number % 3 == 0:
                await asyncio.sleep(0)
            row = await store.journal.head()
            while row is not None and number % 2:
                await store.journal.delivered(row)
                row = await store.journal.head()
        rest = await store.deliver_all()
        await store.journal.flush()
        rest += await store.deliver_all()
        assert store.journal.rows == 0
        assert rest[-1].report == updated(at_ms=99)
        store.close()

    async def test_what_was_delivered_does_not_come_back(self, store: Store) -> None:
        await store.journal.write([started(), updated(), ended()], T0_MS)
        row = await store.journal.head()
        assert row is not None
        await store.journal.delivered(row)
        store = await reopened(store)
        assert [row.report.kind for row in await store.deliver_all()] == ["Updated", "Ended"]  # type: ignore[union-attr]  # transactions
        store.close()

    async def test_message_id_and_attempts_survive_a_restart(self, store: Store) -> None:
        """OCPP-J 1.6 errata 3.1: a message that is sent again may keep its id"""
        await store.journal.write([started()], T0_MS)
        row = await store.journal.head()
        assert row is not None
        store.journal.failed(row)
        store.journal.failed(row)
        store = await reopened(store)
        again = await store.journal.head()
        assert again is not None
        assert (again.message_id, again.attempts) == (row.message_id, 2)
        store.close()

    async def test_a_place_is_never_given_twice(self, store: Store) -> None:
        """An old step of the clock must not be applied to a new stamp."""
        store.journal.begin_boot(T0_MS)
        await store.journal.write([record(), datum()], T0_MS)
        store.journal.clock_stepped(1000)
        store = await reopened(store)
        await store.journal.write([ended()], T0_MS, boot=store.journal.boot - 1)
        row = await store.journal.head()
        assert row is not None
        assert store.journal.correction_ms(row.boot, row.seq) == 0
        store.close()


class TestParking:
    async def test_out_of_the_way_but_kept(self, store: Store) -> None:
        await store.journal.write([started(), ended()], T0_MS)
        row = await store.journal.head()
        assert row is not None
        store.journal.failed(row)
        await store.journal.park(row, "refused: InternalError", T0_MS + 1)
        assert (store.journal.parked, store.journal.rows) == (1, 1)
        store = await reopened(store)
        assert store.journal.parked == 1
        assert [row.report for row in await store.deliver_all()] == [ended()]
        kept = store.database.read(lambda c: c.execute("SELECT message_id, attempts, error FROM parked").fetchall())
        assert kept == [(row.message_id, 1, "refused: InternalError")]
        store.close()

    async def test_meter_values_that_are_never_taken_do_not_fill_the_disk(self, store: Store) -> None:
        await store.journal.write([started(), *(updated(at_ms=number) for number in range(1100)), ended()], T0_MS)
        while (row := await store.journal.head()) is not None:
            store.journal.park(row, "refused", T0_MS)
        await store.journal.flush()
        kept = dict(store.database.read(lambda c: c.execute("SELECT kind, count(*) FROM parked GROUP BY 1").fetchall()))
        assert kept == {"Started": 1, "Ended": 1, "values": 1000}
        assert store.journal.parked == 1002
        assert store.database.read(lambda c: c.execute("SELECT max(seq) FROM parked").fetchone()[0]) == 1102

    async def test_what_was_parked_goes_once_more_behind_the_rest_and_under_its_own_id(self, store: Store) -> None:
        """FIELD: set aside, visible and re-sendable."""
        await store.journal.write([started(at_ms=100)], T0_MS)
        store.journal.clock_stepped(1000)
        row = await store.journal.head()
        assert row is not None
        await store.journal.park(row, "refused", T0_MS)
        await store.journal.write([updated(at_ms=2000)], T0_MS)
        assert await store.journal.resend() == 1
        assert (store.journal.parked, store.journal.rows) == (0, 2)
        delivered = await store.deliver_all()
        assert [each.message_id for each in delivered][-1] == row.message_id
        assert stamps([delivered[-1].report]) == [1100]
        assert await store.journal.resend() == 0

    @pytest.mark.parametrize("damage", ["", "{", "null", "[]", "{}", '{"values": 3}', '{"kind":"Neither","values":[]}'])
    async def test_a_damaged_report_is_parked_and_blocks_nobody(self, store: Store, damage: str) -> None:
        await store.journal.write([started("t1"), started("t2"), started("t3")], T0_MS)
        store.database.read(lambda c: c.execute("UPDATE queue SET body = ? WHERE seq = 2", (damage,)))
        store = await reopened(store)
        assert [row.transaction_id for row in await store.deliver_all()] == ["t1", "t3"]
        assert (store.journal.parked, store.journal.rows) == (1, 0)
        store = await reopened(store)
        assert (store.journal.parked, store.journal.rows) == (1, 0)
        store.close()

    async def test_a_queue_of_nothing_but_damage(self, store: Store) -> None:
        await store.journal.write([updated(at_ms=number) for number in range(250)], T0_MS)
        store.database.read(lambda c: c.execute("UPDATE queue SET body = CAST(x'ff7b22' AS TEXT)"))
        store = await reopened(store)
        assert await store.journal.head() is None
        await store.journal.write([ended()], T0_MS)
        assert [row.report for row in await store.deliver_all()] == [ended()]
        store.close()


class TestBounds:
    async def test_by_rows(self, store: Store) -> None:
        store.bounds = WIDE._replace(rows=200)
        await self._fill(store, 1000)
        assert 100 < store.journal.rows <= 220
        rows = await store.deliver_all()
        assert len(rows) <= 220

    async def test_by_bytes(self, store: Store) -> None:
        store.bounds = WIDE._replace(bytes=100_000)
        await self._fill(store, 1000)
        assert store.journal.bytes <= 110_000

    @staticmethod
    async def _fill(store: Store, count: int) -> None:
        for number in range(count):
            done = store.journal.write([updated(at_ms=number)], T0_MS)
            if number % 20 == 0:
                await done
        await store.journal.flush()

    async def test_starts_and_ends_stay_and_the_first_and_last_values(self, store: Store) -> None:
        store.bounds = WIDE._replace(rows=120)
        for session in range(20):
            name = f"t{session}"
            await store.journal.write([started(name)], T0_MS)
            for minute in range(60):
                store.journal.write([updated(name, minute)], T0_MS)
            await store.journal.write([ended(name)], T0_MS)
        await store.journal.flush()
        rows = await store.deliver_all()
        assert store.journal.thinned > 0
        for session in range(20):
            own = [row for row in rows if row.transaction_id == f"t{session}"]
            assert [row.kind for row in own if row.kind != "values"] == ["Started", "Ended"]
            assert own[0].kind == "Started"
            assert own[-1].kind == "Ended"
            values = stamps(row.report for row in own[1:-1])
            assert values[0] == 0
            assert values[-1] == 59
            assert values == sorted(values)

    async def test_every_transaction_loses_its_share(self, store: Store) -> None:
        """two EVSEs whose reports alternate"""
        store.bounds = WIDE._replace(rows=100)
        for minute in range(60):
            await store.journal.write([updated("t1", minute), updated("t2", minute)], T0_MS)
        await store.journal.flush()
        own = [row.transaction_id for row in await store.deliver_all()]
        assert 20 <= own.count("t1") == own.count("t2")

    async def test_not_what_is_being_sent(self, store: Store) -> None:
        store.bounds = WIDE._replace(rows=50)
        await store.journal.write([updated(at_ms=0), updated(at_ms=1)], T0_MS)
        first = await store.journal.head()
        assert first is not None
        await store.journal.delivered(first)
        second = await store.journal.head()
        assert second is not None
        for number in range(2, 300):
            await store.journal.write([updated(at_ms=number)], T0_MS)
            assert await store.journal.head() is second
        await store.journal.delivered(second)
        before = store.journal.rows
        assert len(await store.deliver_all()) == before

    async def test_the_count_is_exact_while_values_go_and_reports_are_delivered(self, store: Store) -> None:
        store.bounds = WIDE._replace(rows=150)
        for number in range(1000):
            store.journal.write([updated(at_ms=number)], T0_MS)
            if number % 3 == 0:
                row = await store.journal.head()
                if row is not None:
                    store.journal.delivered(row)
        await store.journal.flush()
        await store.journal.flush()
        in_file = store.database.read(lambda c: c.execute("SELECT count(*), sum(length(body)) FROM queue").fetchone())
        assert (store.journal.rows, store.journal.bytes) == in_file
        assert len(await store.deliver_all()) == in_file[0]

    async def test_a_queue_of_starts_and_ends_alone_grows_on(self, store: Store) -> None:
        store.bounds = WIDE._replace(rows=100)
        for number in range(150):
            await store.journal.write([started(f"t{number}"), ended(f"t{number}")], T0_MS)
        assert store.journal.rows == 300
        assert store.journal.thinned == 0
