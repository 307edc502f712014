"""Variables that say what the station is doing (OCPP 2.0.1 part 2, AvailabilityState, ClockCtrlr.DateTime)."""

from __future__ import annotations

from agent.charging import variables as v
from agent.charging.reported import report_states
from agent.charging.types import ConnectorSpec, EvseSpec

from .harness import Bench, socket

CABLES = EvseSpec(1, (ConnectorSpec(1, "cType2"), ConnectorSpec(2, "cCCS2")), 32.0, 3)


def reporting(*specs: EvseSpec) -> Bench:
    bench = Bench(*specs)
    report_states(bench.model, bench.station, lambda: f"2027-01-15T10:00:{bench.now.mono_s % 60:06.3f}Z")
    return bench


def state(bench: Bench, evse_id: int, connector_id: int | None = None) -> str:
    return bench.model.get(v.availability_state(evse_id, connector_id))


def test_the_states_follow_the_session() -> None:
    bench = reporting(CABLES, socket(2))
    assert [state(bench, each) for each in (0, 1, 2)] == ["Available"] * 3
    bench.plug_in(1, connector_id=2)
    assert state(bench, 1) == "Occupied"
    assert state(bench, 1, 1) == "Unavailable"
    assert state(bench, 1, 2) == "Occupied"
    assert state(bench, 2) == "Available"
    assert state(bench, 0) == "Available"


def test_the_states_follow_faults() -> None:
    bench = reporting(CABLES, socket(2))
    bench.raise_fault(evse_id=2)
    assert [state(bench, each) for each in (0, 1, 2)] == ["Available", "Available", "Faulted"]
    bench.raise_fault(evse_id=0)
    assert [state(bench, each) for each in (0, 1, 2)] == ["Faulted"] * 3


def test_an_evse_is_available_while_one_of_its_connectors_is() -> None:
    bench = reporting(CABLES)
    bench.change_availability(operative=False, connector_id=1)
    assert (state(bench, 1, 1), state(bench, 1, 2), state(bench, 1)) == ("Unavailable", "Available", "Available")
    bench.change_availability(operative=False, connector_id=2)
    assert state(bench, 1) == "Unavailable"


def test_the_time_is_that_of_the_reading() -> None:
    bench = reporting()
    before = bench.model.get(v.DATE_TIME)
    bench.advance(1)
    assert bench.model.get(v.DATE_TIME) > before


def test_reporting_changes_no_setting() -> None:
    bench = reporting()
    revision = bench.model.revision
    bench.charge()
    assert state(bench, 1) == "Occupied"
    assert bench.model.revision == revision
