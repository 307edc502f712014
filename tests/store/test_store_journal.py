"""What outlives the process besides the queue: transactions, their values, the clock's steps, facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.charging.effects import ForgetCacheEntries, SaveCacheEntry, SaveRegistration
from agent.charging.reports import DurableReport, TransactionEventType, not_before, shifted
from agent.charging.types import AuthorizationStatus, IdToken, IdTokenInfo
from agent.store.journal import Record

from .store_samples import (
    ANNA,
    T0_MS,
    WIDE,
    Store,
    aligned,
    datum,
    end,
    ended,
    meter_value,
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


class TestTransactions:
    async def test_the_name_the_csms_gave_is_durable_with_the_dequeue(self, store: Store, tmp_path: Path) -> None:
        """FIELD: offline sessions keep transactionId -1 where one of the two is lost"""
        await store.journal.write([record(), started(), updated()], T0_MS)
        row = await store.journal.head()
        assert row is not None
        await store.journal.delivered(row, csms_id="17", sent_ms=T0_MS)
        after = Store(store.cut(tmp_path / "after.db"))
        assert after.journal.csms_ids == {"t1": "17"}
        assert after.journal.sent_ms == {"t1": T0_MS}
        assert [row.kind for row in await after.deliver_all()] == ["values"]
        after.close()

    async def test_a_cut_before_it_is_durable_leaves_neither(self, store: Store, tmp_path: Path) -> None:
        await store.journal.write([record(), started()], T0_MS)
        before = Store(store.cut(tmp_path / "before.db"))
        assert before.journal.csms_ids == {}
        assert before.journal.rows == 1
        before.close()

    async def test_a_running_one_is_there_after_the_cut(self, store: Store, tmp_path: Path) -> None:
        await store.journal.write([record(), started()], T0_MS)
        await store.journal.write([record(last_ms=T0_MS + MINUTE_MS, last_wh=1500.0)], T0_MS)
        after = Store(store.cut(tmp_path / "after.db"))
        (found,) = after.journal.transactions
        assert (found.last_ms, found.last_wh, found.id_token) == (T0_MS + MINUTE_MS, 1500.0, ANNA)
        after.close()

    async def test_one_that_has_ended_is_not(self, store: Store) -> None:
        await store.journal.write([record(), started()], T0_MS)
        await store.journal.write(end(), T0_MS)
        store = await reopened(store)
        assert store.journal.transactions == ()
        store.close()

    async def test_is_forgotten_when_its_end_was_delivered(self, store: Store) -> None:
        await store.journal.write([record(), started(), datum(), *end()], T0_MS)
        await store.deliver_all()
        tables = ("transactions", "transaction_data", "queue")
        for table in tables:
            assert store.database.read(lambda c, t=table: c.execute(f"SELECT count(*) FROM {t}").fetchone()) == (0,)  # type: ignore[misc]  # noqa: S608 - a lambda over our own names
        assert (store.journal.csms_ids, store.journal.sent_ms) == ({}, {})

    async def test_a_damaged_one_does_not_keep_the_station_from_starting(self, store: Store) -> None:
        await store.journal.write([record("t1"), record("t2")], T0_MS)
        store.database.read(lambda c: c.execute("UPDATE transactions SET record = '{' WHERE transaction_id = 't1'"))
        store = await reopened(store)
        assert [found.transaction_id for found in store.journal.transactions] == ["t2"]
        store.close()


class TestTransactionData:
    async def test_oldest_first_and_of_this_transaction_alone(self, store: Store) -> None:
        for minute in range(5):
            await store.journal.write([datum("t1", minute), datum("t2", 100 + minute)], T0_MS)
        assert [value.at_ms for value in await store.journal.data("t1")] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("limit", [2, 3, 4, 10, 100])
    async def test_never_more_than_promised_and_the_first_and_last_always(self, store: Store, limit: int) -> None:
        """1.6 errata 3.91: StopTransactionMaxMeterValues; the start and stop values are never dropped"""
        store.bounds = WIDE._replace(values_per_transaction=limit)
        for minute in range(250):
            await store.journal.write([datum("t1", minute)], T0_MS)
            if minute % 83 == 0 or minute == 249:
                kept = [value.at_ms for value in await store.journal.data("t1")]
                assert len(kept) <= limit
                assert kept[0] == 0
                assert kept[-1] == minute
                assert kept == sorted(kept)
        assert len(kept) >= limit // 2

    async def test_the_bound_holds_over_a_restart_and_in_one_write(self, store: Store) -> None:
        store.bounds = WIDE._replace(values_per_transaction=10)
        await store.journal.write([datum("t1", minute) for minute in range(57)], T0_MS)
        store = await reopened(store)
        await store.journal.write([datum("t1", minute) for minute in range(57, 100)], T0_MS)
        kept = [value.at_ms for value in await store.journal.data("t1")]
        assert len(kept) <= 10
        assert (kept[0], kept[-1]) == (0, 99)
        store.close()

    async def test_a_damaged_value_is_left_out(self, store: Store) -> None:
        await store.journal.write([datum("t1", minute) for minute in range(3)], T0_MS)
        store.database.read(lambda c: c.execute("UPDATE transaction_data SET body = '[1' WHERE id = 2"))
        assert [value.at_ms for value in await store.journal.data("t1")] == [0, 2]


class TestClock:
    """FIELD: stamps taken before the clock was set are corrected afterwards."""

    @staticmethod
    async def _stamps(store: Store) -> list[int]:
        journal = store.journal
        return stamps(
            shifted(row.report, journal.correction_ms(row.boot, row.seq)) for row in await store.deliver_all()
        )

    async def test_corrects_what_was_stamped_before_and_nothing_after(self, store: Store) -> None:
        await store.journal.write([started(at_ms=100)], T0_MS)
        store.journal.clock_stepped(1_000_000)
        await store.journal.write([updated(at_ms=1_000_200)], T0_MS)
        store.journal.clock_stepped(-50)
        await store.journal.write([ended(at_ms=1_000_250)], T0_MS)
        assert await self._stamps(store) == [1_000_050, 1_000_150, 1_000_250]

    async def test_after_a_restart_too(self, store: Store) -> None:
        store.journal.begin_boot(T0_MS)
        await store.journal.write([started(at_ms=100)], T0_MS)
        store.journal.clock_stepped(1_000_000)
        store = await reopened(store)
        store.journal.begin_boot(T0_MS)
        assert await self._stamps(store) == [1_000_100]
        store.close()

    async def test_a_step_is_for_its_own_boot_alone(self, store: Store) -> None:
        store.journal.begin_boot(T0_MS)
        await store.journal.write([started(at_ms=100)], T0_MS)
        store = await reopened(store)
        store.journal.begin_boot(T0_MS)
        await store.journal.write([started("t2", at_ms=5)], T0_MS)
        store.journal.clock_stepped(1_000_000)
        assert await self._stamps(store) == [100, 1_000_005]
        store.close()

    async def test_a_csms_that_cannot_make_up_its_mind_fills_nothing(self, store: Store) -> None:
        for _ in range(150):
            store.journal.clock_stepped(10_000)
            store.journal.clock_stepped(-10_000)
        store.journal.clock_stepped(7_000)
        await store.journal.flush()
        assert len(store.journal.clock_steps) == 100
        assert store.journal.correction_ms(store.journal.boot, 0) == 7_000

    async def test_a_power_loss_is_stamped_by_the_clock_that_saw_it(self, store: Store) -> None:
        store.journal.begin_boot(T0_MS)
        await store.journal.write([record(last_ms=T0_MS)], T0_MS)
        store = await reopened(store)
        store.journal.begin_boot(T0_MS)
        store.journal.write(end(at_ms=T0_MS), T0_MS, boot=store.journal.boot - 1)
        await store.journal.write([aligned(at_ms=7)], T0_MS)
        store.journal.clock_stepped(5000)
        assert await self._stamps(store) == [T0_MS, 5007]
        store.close()

    async def test_a_running_transaction_was_saved_before_the_clock_was_set(self, store: Store) -> None:
        store.journal.begin_boot(0)
        await store.journal.write([record("t1", last_ms=T0_MS), datum("t1", 3)], T0_MS)
        store.journal.clock_stepped(5000)
        await store.journal.write([record("t2", last_ms=T0_MS + 6000), datum("t1", 5004)], T0_MS)
        store = await reopened(store)
        assert {found.transaction_id: found.last_ms for found in store.journal.transactions} == {
            "t1": T0_MS + 5000,
            "t2": T0_MS + 6000,
        }
        store.journal.begin_boot(0)
        store = await reopened(store)  # a restart in the middle of the restart takes nothing away
        assert max(found.last_ms for found in store.journal.transactions) == T0_MS + 6000
        assert [value.at_ms for value in await store.journal.data("t1")] == [5003, 5004]
        store.close()

    async def test_a_step_is_kept_while_a_running_transaction_needs_it(self, store: Store) -> None:
        """also where the power goes a second time, before the transaction has been ended"""
        store.journal.begin_boot(T0_MS)
        await store.journal.write([record(last_ms=T0_MS)], T0_MS)
        store.journal.clock_stepped(5000)
        for _ in range(3):
            store = await reopened(store)
            assert store.journal.transactions[0].last_ms == T0_MS + 5000
            store.journal.begin_boot(T0_MS)
        await store.journal.flush()
        store.close()

    async def test_what_was_said_last_is_known_when_the_clock_went_back(self, store: Store) -> None:
        """Stamps inside a transaction never decrease: also where the power goes after the step."""
        await store.journal.write([record(), started(at_ms=T0_MS), updated(at_ms=T0_MS + 60_000)], T0_MS)
        for _ in range(2):
            row = await store.journal.head()
            assert row is not None
            at_ms = stamps([row.report])[0]
            await store.journal.delivered(row, csms_id="1" if row.kind == "Started" else None, sent_ms=at_ms)
        store.journal.clock_stepped(-30_000)
        store = await reopened(store)
        floor = store.journal.sent_ms["t1"]
        assert not_before(ended(at_ms=T0_MS + 31_000), floor).at_ms == T0_MS + 60_000  # type: ignore[union-attr]  # it is a TransactionEvent
        store.close()

    async def test_steps_that_nothing_refers_to_are_forgotten(self, store: Store) -> None:
        for _ in range(3):
            store.journal.begin_boot(T0_MS)
            store.journal.clock_stepped(1)
            store = await reopened(store)
        store.journal.begin_boot(T0_MS)
        await store.journal.flush()
        assert store.database.read(lambda c: c.execute("SELECT count(*) FROM clock_steps").fetchone()) == (0,)
        store.close()

    async def test_the_last_known_time(self, store: Store) -> None:
        store.journal.begin_boot(T0_MS)
        await store.journal.write([updated(), started()], T0_MS + 1000)
        store = await reopened(store)
        assert store.journal.last_known_ms == T0_MS + 1000
        await store.journal.write([record(last_ms=T0_MS + 2000)], T0_MS)
        store = await reopened(store)
        assert store.journal.last_known_ms == T0_MS + 2000
        store.close()


def entry(value: str, used_ms: int = 1) -> SaveCacheEntry:
    return SaveCacheEntry(IdToken(value), IdTokenInfo(AuthorizationStatus.ACCEPTED, None, IdToken("G")), used_ms)


def cached(store: Store) -> set[str]:
    return {found.id_token.value for found in store.journal.cache}


class TestFlushes:
    """Money is flushed to the medium, what can be rebuilt is not: a flush takes its time, and wears the flash."""

    @staticmethod
    def flushed(store: Store) -> bool:
        return bool(store.database.read(lambda c: c.execute("PRAGMA synchronous").fetchone()[0] == 2))

    async def test_a_transactions_reports_and_its_register(self, store: Store) -> None:
        money: list[list[Record]] = [[started()], [updated()], [record()], [*end()]]
        for records in money:
            await store.journal.write([aligned()], T0_MS)
            assert not self.flushed(store)
            await store.journal.write(records, T0_MS)
            assert self.flushed(store)

    async def test_what_is_delivered_is_not_but_for_the_csmss_name(self, store: Store) -> None:
        await store.journal.write([started(), updated(), started("t2")], T0_MS)
        for csms_id in ("17", None, "18"):
            row = await store.journal.head()
            assert row is not None
            await store.journal.delivered(row, csms_id=csms_id, sent_ms=T0_MS)
            assert self.flushed(store) == (csms_id is not None)

    async def test_knowledge_of_tokens_is_not(self, store: Store) -> None:
        await store.journal.write([entry("ANNA"), SaveRegistration()], T0_MS)
        assert not self.flushed(store)


class TestFacts:
    async def test_each_start_is_counted(self, store: Store) -> None:
        for boot in (1, 2, 3):
            assert store.journal.boot == boot
            store.journal.begin_boot(T0_MS)
            store = await reopened(store)
        store.close()

    async def test_the_cache(self, store: Store) -> None:
        await store.journal.write([entry("ANNA"), entry("BERT"), entry("CARL")], T0_MS)
        await store.journal.write([entry("anna", 2), ForgetCacheEntries(("bert",))], T0_MS)
        store = await reopened(store)
        assert set(store.journal.cache) == {entry("anna", 2), entry("CARL")}
        store.close()

    @pytest.mark.parametrize("together", [True, False])
    async def test_the_last_word_on_an_entry_counts(self, store: Store, together: bool) -> None:
        everything = ForgetCacheEntries()
        records: list[Record] = [
            entry("A"),
            everything,
            entry("A"),
            entry("B"),
            entry("C"),
            ForgetCacheEntries(("c",)),
            everything,
        ]
        records += [entry("B"), entry("D"), ForgetCacheEntries(("d",)), entry("D"), ForgetCacheEntries(("b",))]
        if together:
            store.journal.write(records, T0_MS)
        else:
            for one in records:  # each while the one before is being written
                store.journal.write([one], T0_MS)
        await store.journal.flush()
        store = await reopened(store)
        assert cached(store) == {"D"}
        store.close()

    async def test_damaged_entries_are_forgotten(self, store: Store) -> None:
        await store.journal.write([entry("A"), entry("B"), SaveRegistration()], T0_MS)
        store.database.read(lambda c: c.execute("UPDATE authorization_cache SET body = '[]' WHERE key = 'a'"))
        store.database.read(lambda c: c.execute("INSERT OR REPLACE INTO facts VALUES ('boot', 'many'), ('utc_ms', '')"))
        store = await reopened(store)
        assert cached(store) == {"B"}
        assert (store.journal.boot, store.journal.last_known_ms, store.journal.registered) == (1, 0, True)
        store.close()

    async def test_another_csms_inherits_no_knowledge_but_the_queue(self, store: Store) -> None:
        """FIELD: caches of the old back end must not leak to the new one; what was sold is owed all the same."""
        store.journal.meet_csms("ws://one CP001")
        await store.journal.write([entry("ANNA"), SaveRegistration(), started()], T0_MS)
        store = await reopened(store)
        store.journal.meet_csms("ws://one CP001")
        assert cached(store) == {"ANNA"}
        assert store.journal.registered
        store.journal.meet_csms("ws://other CP001")
        assert (store.journal.cache, store.journal.registered) == ((), False)
        store = await reopened(store)
        assert (store.journal.cache, store.journal.registered, store.journal.rows) == ((), False, 1)
        store.close()

    async def test_no_write_where_nothing_changed(self, store: Store) -> None:
        store.journal.meet_csms("ws://one CP001")
        await store.journal.flush()
        changes = store.database.read(lambda c: c.total_changes)
        store.journal.meet_csms("ws://one CP001")
        await store.journal.flush()
        assert store.database.read(lambda c: c.total_changes) == changes


async def test_reports_come_back_as_they_were(store: Store) -> None:
    reports: list[DurableReport] = [
        started()._replace(charging_state=None, id_token=None, remote_start_id=7, offline=True),
        updated(),
        ended()._replace(data=(meter_value(),), stop_reason=None),
        aligned(2)._replace(transaction_id="t9"),
    ]
    await store.journal.write(reports, T0_MS)
    store = await reopened(store)
    found = [row.report for row in await store.deliver_all()]
    assert found == reports
    assert [type(report) for report in found] == [type(report) for report in reports]
    assert isinstance(found[0].kind, TransactionEventType)  # type: ignore[union-attr]  # it is a TransactionEvent
    store.close()


class TestAnotherCsms:
    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("wss://one.example/ocpp CP1", True),
            ("ws://one.example:9000/x CP1", True),
            ("ws://two.example/ocpp CP1", False),
        ],
    )
    async def test_what_one_host_calls_a_transaction_is_not_said_to_another(
        self, store: Store, name: str, kept: bool
    ) -> None:
        """There the number may be somebody else's sale; the same host by TLS or at another port is no other."""
        store.journal.meet_csms("ws://one.example/ocpp CP1")
        await store.journal.write([started(), ended()], T0_MS)
        row = await store.journal.head()
        assert row is not None
        await store.journal.delivered(row, csms_id="77")
        store.journal.meet_csms(name)
        assert (list(store.journal.csms_ids.values()) == ["77"]) is kept
        assert not store.journal.registered
        store = await reopened(store)
        assert (list(store.journal.csms_ids.values()) == ["77"]) is kept
        store.close()
