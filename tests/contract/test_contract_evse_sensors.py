"""The contracts of the roles that an EVSE may have besides: residual current, temperature, indicator."""

from __future__ import annotations

from typing import cast

import pytest

from hal import FaultSignal, Indication, Indicator, Pattern, ResidualCurrent, Role, Temperature

from .rigs import Rig
from .suite import opened


@pytest.mark.role(Role.RESIDUAL_CURRENT)
async def test_a_self_test_of_the_residual_current_monitor_is_not_reported_as_a_trip(rig: Rig) -> None:
    monitor = cast(ResidualCurrent, await opened(rig, Role.RESIDUAL_CURRENT))
    await monitor.self_test()
    assert not (await monitor.read()).tripped
    assert not [signal for signal in rig.signals if isinstance(signal, FaultSignal)]


@pytest.mark.role(Role.TEMPERATURE)
async def test_the_temperature_is_one(rig: Rig) -> None:
    sensor = cast(Temperature, await opened(rig, Role.TEMPERATURE))
    assert -50 < (await sensor.read()).celsius < 150


@pytest.mark.role(Role.INDICATOR)
@pytest.mark.parametrize("pattern", list(Pattern))
async def test_the_indicator_knows_every_pattern(rig: Rig, pattern: Pattern) -> None:
    indicator = cast(Indicator, await opened(rig, Role.INDICATOR))
    await indicator.show(Indication(pattern, 50, 2))
    await indicator.show(Indication(Pattern.OFF, 0))
