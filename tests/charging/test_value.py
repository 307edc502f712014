"""Records: tuples with named fields, checked by mypy like a frozen dataclass."""

from __future__ import annotations

import pickle

import pytest

from agent.charging.value import Value


class Reading(Value):
    energy_wh: float
    phases: tuple[int, ...] = ()
    note: str | None = None


def test_a_value_is_made_by_position_or_name_with_defaults() -> None:
    assert Reading(1.5) == Reading(energy_wh=1.5) == Reading(1.5, (), None)
    assert Reading(1.5, note="x").note == "x"


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1.0, (), None, 4), {}), ((1.0,), {"energy_wh": 2.0})])
def test_a_value_refuses_missing_extra_and_doubled_fields(args: tuple[object, ...], kwargs: dict[str, float]) -> None:
    with pytest.raises(TypeError, match="Reading"):
        Reading(*args, **kwargs)  # type: ignore[arg-type]  # that is the point


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="energy_wh, phases, note"):
        Reading(1.0, watts=3)  # type: ignore[call-arg]  # that is the point


def test_a_value_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Reading(1.0).energy_wh = 2.0  # type: ignore[misc]  # that is the point
    assert Reading(1.0)._replace(energy_wh=2.0) == Reading(2.0)


def test_a_value_is_a_tuple_that_shows_its_names() -> None:
    energy_wh, *_rest = Reading(3.0)
    assert energy_wh == 3.0
    assert repr(Reading(3.0)) == "Reading(energy_wh=3.0, phases=(), note=None)"
    assert Reading(3.0)._asdict() == {"energy_wh": 3.0, "phases": (), "note": None}
    assert {Reading(3.0), Reading(3.0)} == {Reading(3.0)}


def test_a_value_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(Reading(3.0, (1,)))) == Reading(3.0, (1,))  # noqa: S301 - made here
