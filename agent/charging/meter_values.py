"""From a meter's reading to OCPP meter values (1.6 §3.16, §7.31..7.45; OCPP 2.0.1 J01, J02).

A value that the meter does not know is left out: a placeholder would end up on a bill.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.charging.types import ReadingContext
from agent.charging.value import Value

ENERGY_REGISTER = "Energy.Active.Import.Register"
MS_PER_DAY = 86_400_000


class MeterReading(Value):
    """One reading of an energy meter. Per-phase tuples are L1 first. None: not measured.

    at_ms is when the values were true, which for a slow bus is not when they arrived.
    """

    at_ms: int
    energy_import_wh: float
    energy_export_wh: float | None = None
    power_import_w: float | None = None
    power_export_w: float | None = None
    power_phase_w: tuple[float, ...] = ()
    current_a: tuple[float, ...] = ()
    voltage_v: tuple[float, ...] = ()
    frequency_hz: float | None = None
    power_factor: float | None = None
    reactive_power_import_var: float | None = None
    reactive_power_export_var: float | None = None
    reactive_energy_import_varh: float | None = None
    reactive_energy_export_varh: float | None = None
    soc_percent: float | None = None
    temperature_celsius: float | None = None


class Offer(Value):
    """What the EVSE offers the car; not measured, but reported like it."""

    current_a: float
    power_w: float


class SampledValue(Value):
    """One value. phase None: over all phases."""

    value: float
    measurand: str
    context: ReadingContext
    phase: str | None = None
    unit: str = ""
    location: str = "Outlet"


class MeterValue(Value):
    """Values that were true at one moment."""

    at_ms: int
    values: tuple[SampledValue, ...]


# measurand -> (attribute of MeterReading, unit)
_OVERALL = {
    ENERGY_REGISTER: ("energy_import_wh", "Wh"),
    "Energy.Active.Export.Register": ("energy_export_wh", "Wh"),
    "Energy.Reactive.Import.Register": ("reactive_energy_import_varh", "varh"),
    "Energy.Reactive.Export.Register": ("reactive_energy_export_varh", "varh"),
    "Power.Active.Import": ("power_import_w", "W"),
    "Power.Active.Export": ("power_export_w", "W"),
    "Power.Reactive.Import": ("reactive_power_import_var", "var"),
    "Power.Reactive.Export": ("reactive_power_export_var", "var"),
    "Power.Factor": ("power_factor", ""),
    # 1.6 has no unit for it (errata 3.86): hertz, unsaid
    "Frequency": ("frequency_hz", ""),
    "SoC": ("soc_percent", "Percent"),
    "Temperature": ("temperature_celsius", "Celsius"),
}
_PER_PHASE = {
    "Current.Import": ("current_a", "A", ("L1", "L2", "L3")),
    "Voltage": ("voltage_v", "V", ("L1-N", "L2-N", "L3-N")),
    "Power.Active.Import": ("power_phase_w", "W", ("L1", "L2", "L3")),
}
_INTERVAL = "Energy.Active.Import.Interval"
_LOCATION = {"SoC": "EV", "Temperature": "Body"}

# What any meter of ours can give; the offers and the interval need no more than the energy register.
ALWAYS_SUPPORTED = frozenset({ENERGY_REGISTER, _INTERVAL, "Current.Offered", "Power.Offered"})
MEASURANDS = frozenset(_OVERALL) | frozenset(_PER_PHASE) | ALWAYS_SUPPORTED


def split_phase(item: str) -> tuple[str, str | None]:
    """`"Voltage.L1"` -> `("Voltage", "L1")` (1.6 §9.1.17); without a phase the second is None."""
    head, _, tail = item.rpartition(".")
    if head and len(tail) in (2, 4) and tail[0] == "L" and tail[1] in "123":
        return head, tail
    return item, None


def sample(
    reading: MeterReading,
    measurands: Iterable[str],
    context: ReadingContext,
    *,
    at_ms: int,
    offer: Offer,
    interval_start_wh: float | None = None,
) -> MeterValue | None:
    """The configured measurands, with every phase that the meter measures (1.6 §3.16.3). None: nothing to say."""
    values: list[SampledValue] = []
    for item in measurands:
        measurand, phase = split_phase(item)
        location = _LOCATION.get(measurand, "Outlet")
        if measurand in _OVERALL and phase is None:
            attribute, unit = _OVERALL[measurand]
            number = getattr(reading, attribute)
            if number is not None:
                values.append(SampledValue(number, measurand, context, None, unit, location))
        if measurand in _PER_PHASE:
            attribute, unit, names = _PER_PHASE[measurand]
            values.extend(
                SampledValue(number, measurand, context, name, unit, location)
                for name, number in zip(names, getattr(reading, attribute), strict=False)
                if phase is None or name.startswith(phase)
            )
        elif measurand == "Current.Offered":
            values.append(SampledValue(offer.current_a, measurand, context, None, "A"))
        elif measurand == "Power.Offered":
            values.append(SampledValue(offer.power_w, measurand, context, None, "W"))
        elif measurand == _INTERVAL and interval_start_wh is not None:
            taken_wh = max(0.0, reading.energy_import_wh - interval_start_wh)
            values.append(SampledValue(taken_wh, measurand, context, None, "Wh"))
    return MeterValue(at_ms, tuple(values)) if values else None


def aligned_ms(utc_ms: int, interval_s: int) -> int:
    """The last clock-aligned moment until `utc_ms`; intervals are counted from midnight UTC (1.6 §9.1.5)."""
    since_midnight_ms = utc_ms % MS_PER_DAY
    return utc_ms - since_midnight_ms % (interval_s * 1000)


def next_aligned_ms(utc_ms: int, interval_s: int) -> int:
    """The first one after `utc_ms`; midnight ends the last interval of a day, also a short one."""
    midnight_ms = utc_ms - utc_ms % MS_PER_DAY + MS_PER_DAY
    return min(aligned_ms(utc_ms, interval_s) + interval_s * 1000, midnight_ms)
