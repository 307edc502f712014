"""Whatever happens in whatever order: every start and every end comes out, in order, under one message id."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.charging.effects import ForgetTransaction
from agent.charging.reports import DurableReport
from agent.store.queue import QueuedReport

from .store_samples import T0_MS, WIDE, Store, ended, record, started, updated


class Owed(NamedTuple):
    """One report that the CSMS has not got. `message_id` None: it was never seen yet."""

    report: DurableReport
    message_id: str | None = None
    attempts: int = 0

    @property
    def money(self) -> bool:
        return self.report.kind != "Updated"  # type: ignore[union-attr]  # only transaction events here


class Memory(NamedTuple):
    """What the journal must know."""

    queue: tuple[Owed, ...] = ()
    running: tuple[str, ...] = ()
    csms_ids: tuple[tuple[str, str], ...] = ()
    parked: int = 0


class JournalMachine(RuleBasedStateMachine):
    """The model: what the agent knows, and what of it a power cut leaves (the same, unless the disk refuses)."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.files = itertools.count(1)
        self.names = itertools.count(1)
        self.now = Memory()
        self.kept = Memory()
        self.healthy = True

    @initialize(rows=st.sampled_from([5, 20, 1_000_000]))
    def begin(self, rows: int) -> None:
        self.bounds = WIDE._replace(rows=rows)
        self.store = self.open(Path(self.directory.name) / "0.db")

    def open(self, path: Path) -> Store:
        store = Store(path, self.bounds, prefix=f"boot{next(self.files)}-")
        assert store.set_aside is None

        async def boot() -> None:
            store.journal.begin_boot(T0_MS)
            await store.journal.flush()

        self.run(boot())
        return store

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.loop.close()
        self.directory.cleanup()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def change(self, **changes: Any) -> None:
        self.now = self.now._replace(**changes)
        if self.healthy:
            self.kept = self.now

    def write(self, *records: Any, **changes: Any) -> None:
        async def write() -> None:
            await self.store.journal.write(records, T0_MS)
            await self.store.journal.flush()

        self.run(write())
        reports = (each for each in records if isinstance(each, DurableReport))
        self.change(queue=(*self.now.queue, *map(Owed, reports)), **changes)

    # --- the station --------------------------------------------------------------------------------------------------

    @rule()
    def start(self) -> None:
        name = f"t{next(self.names)}"
        self.write(started(name), record(name), running=(*self.now.running, name))

    @precondition(lambda self: self.now.running)
    @rule(data=st.data(), count=st.integers(1, 8))
    def update(self, data: st.DataObject, count: int) -> None:
        name = data.draw(st.sampled_from(self.now.running))
        for number in range(count):
            self.write(updated(name, T0_MS + number), record(name))

    @precondition(lambda self: self.now.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.now.running))
        running = tuple(other for other in self.now.running if other != name)
        self.write(ended(name), ForgetTransaction(name), running=running)

    # --- the CSMS -----------------------------------------------------------------------------------------------------

    def head(self) -> QueuedReport | None:
        """The head, which must be what is owed next; periodic values may have been thinned out before it."""
        row: QueuedReport | None = self.run(self.store.journal.head())
        queue = self.now.queue
        while queue and not queue[0].money and (row is None or row.report != queue[0].report):
            assert self.bounds.rows < 100, "a meter value is gone without need"
            queue = queue[1:]
        if row is None:
            assert not queue
        else:
            owed = queue[0]
            assert row.report == owed.report
            assert owed.message_id in (None, row.message_id)
            assert row.attempts == owed.attempts
            queue = (owed._replace(message_id=row.message_id), *queue[1:])
            self.kept = self.kept._replace(
                queue=tuple(
                    each._replace(message_id=row.message_id) if each == owed else each for each in self.kept.queue
                )
            )
        self.change(queue=queue)
        return row

    @rule(count=st.integers(1, 12))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            row = self.head()
            if row is None:
                return
            ids = dict(self.now.csms_ids)
            csms_id = f"csms-{row.transaction_id}" if row.kind == "Started" else None
            if csms_id is not None:
                ids[row.transaction_id or ""] = csms_id
            if row.kind == "Ended":
                ids.pop(row.transaction_id or "", None)

            async def deliver(row: QueuedReport = row, csms_id: str | None = csms_id) -> None:
                await self.store.journal.delivered(row, csms_id=csms_id, sent_ms=T0_MS)
                await self.store.journal.flush()

            self.run(deliver())
            self.change(queue=self.now.queue[1:], csms_ids=tuple(ids.items()))

    @rule(park=st.booleans())
    def refuse(self, park: bool) -> None:
        row = self.head()
        if row is None:
            return

        async def refuse() -> None:
            self.store.journal.failed(row)
            if park:
                await self.store.journal.park(row, "refused", T0_MS)
            await self.store.journal.flush()

        self.run(refuse())
        first, *rest = self.now.queue
        if park:
            self.change(queue=tuple(rest), parked=self.now.parked + 1)
        else:
            self.change(queue=(first._replace(attempts=first.attempts + 1), *rest))

    # --- misfortune ---------------------------------------------------------------------------------------------------

    @rule()
    def disk_fails(self) -> None:
        self.store.database.read(lambda connection: connection.execute("PRAGMA query_only=ON"))
        self.healthy = False

    @rule()
    def disk_recovers(self) -> None:
        self.store.database.read(lambda connection: connection.execute("PRAGMA query_only=OFF"))
        self.healthy = True
        self.run(_retry(self.store))
        self.change()

    @rule()
    def power_is_cut(self) -> None:
        image = self.store.cut(Path(self.directory.name) / f"{next(self.files)}.db")
        self.store.close()
        self.healthy = True
        self.now = self.kept
        self.store = self.open(image)

    @rule(delta_ms=st.integers(-10, 10))
    def clock_steps(self, delta_ms: int) -> None:
        async def step() -> None:
            self.store.journal.clock_stepped(delta_ms)
            await self.store.journal.flush()

        self.run(step())

    # --- at any time --------------------------------------------------------------------------------------------------

    @invariant()
    def knows_what_it_must(self) -> None:
        if not hasattr(self, "store"):
            return
        journal = self.store.journal
        assert journal.csms_ids == dict(self.now.csms_ids)
        assert journal.parked == self.now.parked
        money = sum(owed.money for owed in self.now.queue)
        assert money <= journal.rows <= len(self.now.queue)
        if self.healthy:
            assert not journal.degraded


async def _retry(store: Store) -> None:
    await store.journal.retry()


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_cut_ends_each_running_transaction_once(tmp_path: Path) -> None:
    """The reports that a start makes of the last run's transactions are durable together with forgetting them."""

    async def life(path: Path, cut: Path) -> list[str]:
        store = Store(path)
        found = [transaction.transaction_id for transaction in store.journal.transactions]
        store.journal.begin_boot(T0_MS)
        for name in found:
            await store.journal.write([ended(name), ForgetTransaction(name)], T0_MS, boot=store.journal.boot - 1)
        if not found and store.journal.boot == 1:
            await store.journal.write([started("t1"), record("t1")], T0_MS)
        store.cut(cut)
        store.close()
        return found

    images = [tmp_path / f"{number}.db" for number in range(4)]
    lives = [asyncio.run(life(images[number], images[number + 1])) for number in range(3)]
    assert lives == [[], ["t1"], []]
