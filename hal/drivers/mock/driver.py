"""The driver `mock`: every role, on one simulated station per board."""

from __future__ import annotations

import time
from pathlib import Path

from hal.driver import Context, Place, checked_options
from hal.drivers.mock import parts
from hal.drivers.mock.evse import EvseModel
from hal.drivers.mock.hardware import MockHardware
from hal.errors import BoardConfigError
from hal.interfaces.part import Part, Role
from hal.spec import Options

NAME = "mock"
_EVSE_PARTS: dict[Role, type[parts._EvsePart]] = {
    part.role: part
    for part in (
        parts.MockPilot,
        parts.MockMeter,
        parts.MockResidualCurrent,
        parts.MockTemperature,
        parts.MockIndicator,
    )
}
_STATION_PARTS: dict[Role, type[parts._StationPart]] = {
    part.role: part
    for part in (
        parts.MockReader,
        parts.MockDisplay,
        parts.MockTamper,
        parts.MockEmergencyStop,
        parts.MockWatchdog,
    )
}


class MockDriver:
    """Options of an EVSE: `voltage` (V), `cable_rating` (A; default: what the EVSE is built for),
    `response_timeout` (s), how long a device is silent that is made to fail with a timeout, and `closing_time` (s),
    how long the contactor takes to close.

    Options of [hal.mock]: `control`, the path of the control socket; "" for none.
    """

    roles = frozenset({*_EVSE_PARTS, *_STATION_PARTS, Role.CONTACTOR, Role.LOCK})

    def part(self, role: Role, place: Place, options: Options, context: Context) -> Part:
        hardware = context.share(NAME, MockHardware, lambda: _hardware(context))
        hardware.connect(context.emit)
        if place.evse_id == 0:
            return _STATION_PARTS[role](hardware)
        known = {
            "voltage": 230.0,
            "cable_rating": place.max_current_a,
            "response_timeout": 0.5,
            "closing_time": 0.0,
        }
        taken = checked_options(f"{place.name}, driver {NAME!r}", options, known)
        for name, value in taken.items():
            if value < 0 or (value == 0 and known[name]):
                least = "above 0" if known[name] else "0 or more"
                raise BoardConfigError(f"{place.name}, driver {NAME!r}: option {name!r} is {least}, not {value:g}")
        model = EvseModel(place.connectors, place.max_current_a, place.phases, taken["voltage"], taken["cable_rating"])
        evse = hardware.add_evse(place.evse_id, model)
        if role is Role.LOCK:
            return parts.MockLock(evse, taken["response_timeout"], place.connector_id)
        if role is Role.CONTACTOR:
            return parts.MockContactor(evse, taken["response_timeout"], taken["closing_time"])
        return _EVSE_PARTS[role](evse, taken["response_timeout"])


def _hardware(context: Context) -> MockHardware:
    control = checked_options("[hal.mock]", context.options(NAME), {"control": "mock.sock"})["control"]
    path = context.state_dir / Path(control) if control else None
    return MockHardware(time.monotonic, context.state_dir, path)


DRIVER = MockDriver()
