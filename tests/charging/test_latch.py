"""The latch: nobody's cable stays trapped, and whoever asks hears (1.6 §4.10, §5.18)."""

from __future__ import annotations

import pytest

from agent.charging import effects as ef
from agent.charging import events as ev
from agent.charging.policy import Policy
from agent.charging.reports import UnlockAnswer
from agent.charging.station import Station
from agent.charging.types import Fault, UnlockStatus

from .hardware import LOCK_FAILURE
from .harness import GROUND_FAILURE, Bench

FAILED = UnlockStatus.UNLOCK_FAILED


def trapped() -> Bench:
    """The transaction is over, and the latch has not let the cable go."""
    bench = Bench()
    bench.charge()
    bench.hardware[1].broken.add("lock")
    bench.card()
    assert bench.ended
    assert bench.held()
    return bench


class TestFailedRelease:
    @pytest.mark.parametrize(
        ("fault", "evse_id"), [(LOCK_FAILURE, 1), (GROUND_FAILURE, 1), (GROUND_FAILURE, 0)], ids=str
    )
    def test_is_ordered_again_when_the_fault_has_gone(self, fault: Fault, evse_id: int) -> None:
        bench = trapped()
        bench.raise_fault(fault, evse_id)
        bench.hardware[1].broken.clear()
        assert bench.held()
        bench.clear_fault(fault, evse_id)
        assert not bench.held()

    def test_of_the_start_is_ordered_again_too(self) -> None:
        """The cable that an earlier life has locked: the lock may not have been there yet."""
        bench = Bench()
        station = Station(bench.specs, Policy(bench.model), bench.now, new_id=str, jitter=float)
        station.drain()
        for event in (
            ev.FaultRaised(1, LOCK_FAILURE),
            ev.UnlockFinished(1, 1, None, unlocked=False),
            ev.FaultCleared(1, LOCK_FAILURE.code),
        ):
            station.apply(event, bench.now)
        assert ef.UnlockConnector(1, 1) in station.drain()

    def test_is_not_ordered_again_once_it_has_succeeded(self) -> None:
        bench = Bench()
        bench.charge()
        bench.card()
        bench.log.clear()
        bench.raise_fault()
        bench.clear_fault()
        assert not bench.of(ef.UnlockConnector)

    def test_never_opens_the_latch_of_the_next_transaction(self) -> None:
        bench = trapped()
        bench.card("BEN", evse_id=1)
        bench.hardware[1].broken.clear()
        bench.advance(10)
        assert bench.charging()
        bench.log.clear()
        bench.raise_fault()
        bench.clear_fault()
        bench.advance(10)
        assert bench.held()
        assert bench.charging()
        assert not bench.of(ef.UnlockConnector)

    def test_that_fails_each_time_is_given_up(self) -> None:
        """Or the status of a jammed latch would flap for ever, at the pace of the hardware's probes."""
        bench = trapped()
        bench.log.clear()
        for _ in range(50):
            bench.raise_fault(LOCK_FAILURE)
            bench.clear_fault(LOCK_FAILURE)
        assert len(bench.of(ef.UnlockConnector)) == 5
        bench.hardware[1].broken.clear()
        bench.unlock()
        assert not bench.held()


class TestAnswer:
    def test_is_a_failure_where_the_latch_says_nothing(self) -> None:
        bench = Bench()
        bench.hardware[1].silent.add("lock")
        bench.unlock()
        assert bench.station.next_deadline() == bench.now.mono_s + 30
        bench.advance(29)
        assert not bench.of(UnlockAnswer)
        bench.advance(1)
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", FAILED)]
        bench.apply(ev.UnlockFinished(1, 1, "call", unlocked=True))
        assert bench.of(UnlockAnswer) == [UnlockAnswer("call", FAILED)]

    def test_is_given_to_nobody_who_has_not_asked(self) -> None:
        bench = Bench()
        bench.apply(ev.UnlockFinished(1, 1, "stranger", unlocked=True), ev.UnlockFinished(9, 1, "x", unlocked=True))
        assert not bench.of(UnlockAnswer)
