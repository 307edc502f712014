"""What a board is made of, as the configuration file describes it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hal.value import Value

Options = Mapping[str, object]

_NONE: Mapping[str, Any] = MappingProxyType({})


class PartSpec(Value):
    """A driver's name and what it takes."""

    driver: str
    options: Options = _NONE


class EvseSpec(Value):
    """One EVSE: a driver for the whole of it, drivers for single roles (they win), or both.

    connectors: ConnectorEnumType (OCPP 2.0.1), connector 1 first; "c...": a fixed cable, "s...": a socket.
    parts: by the role's name (`hal.interfaces.part.Role`).
    ventilation: the place is ventilated, so a car that asks for it (pilot state D) may charge.
    """

    id: int
    connectors: tuple[str, ...]
    max_current_a: float
    phases: int
    driver: str | None = None
    options: Options = _NONE
    parts: Mapping[str, PartSpec] = _NONE
    ventilation: bool = False


class Timing(Value):
    """How long the supervisor waits for a device, s, and how often it tries a failed one again."""

    open_s: float = 5.0  # a controller that starts anew when its port is opened takes three
    contactor_s: float = 2.0
    lock_s: float = 5.0  # a latch's motor takes a second or two
    meter_s: float = 2.0
    device_s: float = 2.0
    probe_interval_s: float = 2.0


class BoardSpec(Value):
    """hal_options: the [hal.*] tables, by driver. state_dir: where a driver may keep what must outlive the process."""

    evses: tuple[EvseSpec, ...]
    readers: tuple[PartSpec, ...] = ()
    hal_options: Mapping[str, Options] = _NONE
    state_dir: Path = Path()
    timing: Timing = Timing()
