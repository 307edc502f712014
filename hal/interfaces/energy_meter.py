"""The energy meter of an EVSE."""

from abc import abstractmethod
from typing import Literal

from hal.interfaces.part import Part
from hal.value import Value


class MeterReading(Value):
    """One reading. Per-phase tuples are L1 first. None, or an empty tuple: this meter does not measure it.

    energy_import_wh: the register of energy that went to the car; it never decreases and is never a placeholder.
    age_s: how long ago the values were true, s. A driver must not put a fresh age on an old value.
    quality: "suspect" when the meter answers, but says or shows that something is wrong with it: not to be billed.
    """

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
    age_s: float = 0.0
    quality: Literal["good", "suspect"] = "good"


class EnergyMeter(Part):
    """A meter is read when somebody wants to know; it reports nothing unasked."""

    @property
    @abstractmethod
    def measurands(self) -> frozenset[str]:
        """What this meter can deliver, by OCPP's names of measurands (1.6 §7.31). Known before `open`."""

    @abstractmethod
    async def read(self) -> MeterReading:
        """Ask the meter. Raises HalError: a silent meter gives an error, never its last values."""
