"""The contract of `EnergyMeter`."""

from __future__ import annotations

import math
from typing import cast

import pytest

from hal import EnergyMeter, HalError, Role

from .rigs import Rig
from .suite import opened

pytestmark = pytest.mark.role(Role.METER)

# The values of Measurand (OCPP 1.6 §7.31).
MEASURANDS = {
    *(f"{kind}.{way}" for kind in ("Current", "Power.Active", "Power.Reactive") for way in ("Import", "Export")),
    *(
        f"Energy.{kind}.{way}.{what}"
        for kind in ("Active", "Reactive")
        for way in ("Import", "Export")
        for what in ("Register", "Interval")
    ),
    *("Current.Offered", "Power.Offered", "Power.Factor", "Frequency", "RPM", "SoC", "Temperature", "Voltage"),
}


@pytest.fixture
async def meter(rig: Rig) -> EnergyMeter:
    return cast(EnergyMeter, await opened(rig, Role.METER))


async def test_it_knows_its_measurands_by_ocpps_names(meter: EnergyMeter) -> None:
    assert "Energy.Active.Import.Register" in meter.measurands
    assert meter.measurands <= MEASURANDS


async def test_a_reading_is_plausible_and_young(meter: EnergyMeter) -> None:
    reading = await meter.read()
    assert math.isfinite(reading.energy_import_wh)
    assert reading.energy_import_wh >= 0
    assert 0 <= reading.age_s < 10
    assert len(reading.voltage_v) in {0, 1, 3}
    assert len(reading.current_a) in {0, 1, 3}


async def test_the_register_never_decreases(meter: EnergyMeter) -> None:
    first = await meter.read()
    assert (await meter.read()).energy_import_wh >= first.energy_import_wh


async def test_a_silent_meter_raises_instead_of_repeating_its_last_values(rig: Rig, meter: EnergyMeter) -> None:
    await meter.read()
    await rig.silence(Role.METER)
    with pytest.raises(HalError):
        await meter.read()
    await rig.restore(Role.METER)
    await meter.read()
