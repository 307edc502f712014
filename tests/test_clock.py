"""Time: what the system says until the CSMS has spoken, and never what cannot be true."""

from __future__ import annotations

import pytest

from agent.clock import EARLIEST_MS, LATEST_MS, Clock

T0_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
MONTH_MS = 30 * 24 * HOUR_MS


class System:
    """The clocks of the machine."""

    def __init__(self, wall_ms: int = T0_MS) -> None:
        self.mono_s = 1000.0
        self.wall_ms = wall_ms

    def clock(self, floor_ms: int = 0) -> Clock:
        return Clock(floor_ms, monotonic=lambda: self.mono_s, wall=lambda: self.wall_ms / 1000)

    def sleep(self, seconds: float) -> None:
        self.mono_s += seconds
        self.wall_ms += round(seconds * 1000)


@pytest.fixture
def system() -> System:
    return System()


class TestSystem:
    def test_is_believed_until_better_is_heard(self, system: System) -> None:
        clock = system.clock()
        system.sleep(12.5)
        assert clock.now() == (1012.5, T0_MS + 12_500)
        assert clock.source == "system"

    def test_set_forward_is_followed(self, system: System) -> None:
        """the network time that comes after the start"""
        clock = system.clock()
        system.wall_ms += HOUR_MS
        assert clock.utc_ms() == T0_MS, "only when asked to"
        assert clock.follow_system() == HOUR_MS
        assert clock.utc_ms() == T0_MS + HOUR_MS
        assert clock.follow_system() == 0

    def test_going_back_is_not(self, system: System) -> None:
        clock = system.clock()
        system.wall_ms -= HOUR_MS
        assert clock.follow_system() == 0
        assert clock.utc_ms() == T0_MS

    def test_a_little_is_no_step(self, system: System) -> None:
        clock = system.clock()
        for delta_ms in (1500, -1500):
            system.wall_ms += delta_ms
            assert clock.follow_system() == 0

    @pytest.mark.parametrize("nonsense_ms", [0, EARLIEST_MS - 1, LATEST_MS + 1])
    def test_nonsense_is_not_followed(self, system: System, nonsense_ms: int) -> None:
        clock = system.clock()
        system.wall_ms = nonsense_ms
        assert clock.follow_system() == 0
        assert clock.utc_ms() == T0_MS


class TestUnset:
    """FIELD: timestamps in 1970. A board without a battery starts anywhere."""

    @pytest.mark.parametrize("wall_ms", [0, EARLIEST_MS - 1, EARLIEST_MS + 1, T0_MS - 1, LATEST_MS + 1])
    def test_starts_with_the_last_known_time(self, wall_ms: int) -> None:
        clock = System(wall_ms).clock(T0_MS)
        assert clock.utc_ms() == T0_MS
        assert clock.source == "unset"

    def test_without_any_knowledge_never_in_1970(self) -> None:
        assert System(0).clock().utc_ms() == EARLIEST_MS

    @pytest.mark.parametrize("wall_ms", [0, EARLIEST_MS + 1])
    def test_does_not_fall_back_to_the_clock_that_is_not_set(self, wall_ms: int) -> None:
        """such as the day on which the image was built"""
        system = System(wall_ms)
        clock = system.clock(T0_MS)
        system.sleep(60)
        assert clock.follow_system() == 0
        assert clock.utc_ms() == T0_MS + 60_000

    def test_takes_the_time_when_the_system_has_got_it(self) -> None:
        system = System(0)
        clock = system.clock(T0_MS)
        system.wall_ms = T0_MS + MONTH_MS
        assert clock.follow_system() == MONTH_MS
        assert clock.source == "system"

    def test_also_when_the_last_known_time_was_wrong(self) -> None:
        """A clock once ran ahead; then somebody sets the system's."""
        system = System(EARLIEST_MS + 1)
        clock = system.clock(T0_MS + MONTH_MS)
        system.wall_ms = T0_MS
        assert clock.follow_system() == -MONTH_MS
        assert clock.utc_ms() == T0_MS


class TestCsms:
    """1.6 §4.2, §4.6"""

    @pytest.mark.parametrize("delta_ms", [HOUR_MS, -HOUR_MS, MONTH_MS, 2001, -2001])
    def test_its_word_counts(self, system: System, delta_ms: int) -> None:
        clock = system.clock()
        assert clock.follow_csms(T0_MS + delta_ms) == delta_ms
        assert clock.utc_ms() == T0_MS + delta_ms
        assert (clock.source, clock.synchronised) == ("CSMS", True)

    @pytest.mark.parametrize("delta_ms", [0, 2000, -2000])
    def test_what_the_network_may_have_taken_is_no_step(self, system: System, delta_ms: int) -> None:
        clock = system.clock()
        assert clock.follow_csms(T0_MS + delta_ms) == 0
        assert clock.utc_ms() == T0_MS
        assert clock.synchronised

    @pytest.mark.parametrize("nonsense_ms", [0, -1, EARLIEST_MS - 1, LATEST_MS + 1, 10**20])
    def test_what_cannot_be_true_is_not_taken(self, system: System, nonsense_ms: int) -> None:
        clock = system.clock()
        assert clock.follow_csms(nonsense_ms) == 0
        assert clock.utc_ms() == T0_MS
        assert not clock.synchronised

    @pytest.mark.parametrize("delta_ms", [HOUR_MS, -HOUR_MS])
    def test_after_it_the_system_is_not_followed(self, system: System, delta_ms: int) -> None:
        """A wall clock that jumps must not reach a bill."""
        clock = system.clock()
        clock.follow_csms(T0_MS + 5 * HOUR_MS)
        system.wall_ms += delta_ms
        system.sleep(10)
        assert clock.follow_system() == 0
        assert clock.utc_ms() == T0_MS + 5 * HOUR_MS + 10_000

    def test_it_may_correct_itself(self, system: System) -> None:
        clock = system.clock()
        clock.follow_csms(T0_MS + MONTH_MS)
        system.sleep(60)
        assert clock.follow_csms(T0_MS + 60_000) == -MONTH_MS
        assert clock.utc_ms() == T0_MS + 60_000
