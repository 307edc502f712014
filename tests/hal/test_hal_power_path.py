"""The way to a contactor that takes its time, hangs, or complains of what it has done."""

from __future__ import annotations

import asyncio

import pytest

from hal import Contactor, DeviceResponse, DeviceTimeout, HalError, Interlocked, VendorCode
from hal.power_path import PowerPath


class SlowContactor(Contactor):
    """Closes when the test lets it; opens at once, unless the test holds it up."""

    def __init__(self) -> None:
        self.closed = False
        self.let_close = asyncio.Event()
        self.let_open = asyncio.Event()
        self.let_open.set()
        self.orders: list[str] = []
        self.complaint: HalError | None = None

    async def open_contacts(self) -> None:
        self.orders.append("open")
        await self.let_open.wait()
        self.closed = False
        if self.complaint is not None:
            raise self.complaint

    async def close_contacts(self) -> None:
        self.orders.append("close")
        await self.let_close.wait()
        self.closed = True

    async def is_closed(self) -> bool:
        return self.closed


class Bench:
    """A path, and what it reports."""

    def __init__(self, timeout_s: float = 5.0) -> None:
        self.contactor = SlowContactor()
        self.reason: str | None = None
        self.changes: list[bool] = []
        self.faults: list[str] = []
        self.path = PowerPath(
            lambda: self.contactor,
            timeout_s,
            lambda: self.reason,
            self.changes.append,
            lambda vendor_code, _: self.faults.append(vendor_code),
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def passes(count: int) -> None:
    """So many passes of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_trip_gives_the_order_to_open_in_the_next_pass_of_the_loop(bench: Bench) -> None:
    await bench.path.open()
    closing = asyncio.create_task(bench.path.close())
    await passes(2)
    bench.contactor.orders.clear()
    bench.path.trip()
    await passes(1)
    assert bench.contactor.orders == ["open"]
    with pytest.raises(Interlocked):
        await closing


async def test_a_close_that_was_overtaken_never_closes(bench: Bench) -> None:
    closing = asyncio.create_task(bench.path.close())
    await passes(2)
    bench.path.trip()
    bench.contactor.let_close.set()
    with pytest.raises(Interlocked, match="ordered to open while it was closing"):
        await closing
    await passes(5)
    assert not bench.contactor.closed
    assert bench.path.closed is False


async def test_a_caller_that_gives_up_closing_leaves_an_order_to_open_behind(bench: Bench) -> None:
    closing = asyncio.create_task(bench.path.close())
    await passes(2)
    closing.cancel()
    await passes(3)
    bench.contactor.let_close.set()
    await passes(5)
    assert bench.contactor.orders == ["close", "open"]
    assert not bench.contactor.closed


async def test_an_order_to_open_outlives_the_caller_that_gave_it(bench: Bench) -> None:
    bench.contactor.let_open.clear()
    opening = asyncio.create_task(bench.path.open())
    await passes(2)
    opening.cancel()
    await passes(2)
    bench.contactor.let_open.set()
    await passes(3)
    assert bench.path.closed is False


async def test_several_who_want_it_open_share_one_order(bench: Bench) -> None:
    await asyncio.gather(bench.path.open(), bench.path.open(), bench.path.open())
    bench.path.trip()
    await passes(3)
    assert bench.contactor.orders == ["open"]


async def test_the_feedback_decides_whatever_the_driver_complains_of(bench: Bench) -> None:
    bench.contactor.complaint = DeviceResponse("checksum")
    await bench.path.open()
    assert bench.faults == []
    assert bench.path.closed is False


async def test_one_that_does_not_close_in_time_is_a_fault() -> None:
    bench = Bench(timeout_s=0.01)
    with pytest.raises(DeviceTimeout, match=r"no answer within 0\.01 s"):
        await bench.path.close()
    assert bench.faults == [VendorCode.CONTACTOR_NOT_CLOSED]


async def test_the_interlock_is_asked_again_after_waiting_for_an_order_to_open(bench: Bench) -> None:
    bench.contactor.let_open.clear()
    bench.path.trip()
    closing = asyncio.create_task(bench.path.close())
    await passes(2)
    bench.reason = "GroundFailure is active"
    bench.contactor.let_open.set()
    with pytest.raises(Interlocked, match="GroundFailure"):
        await closing
    assert bench.contactor.orders == ["open"]


async def test_a_bug_in_a_driver_is_a_fault_and_not_a_crash(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def buggy() -> None:
        raise KeyError("relay")

    bench.contactor.closed = True
    monkeypatch.setattr(bench.contactor, "open_contacts", buggy)
    with pytest.raises(DeviceResponse, match="KeyError"):
        await bench.path.open()
    assert bench.faults == [VendorCode.CONTACTOR_WELDED]
