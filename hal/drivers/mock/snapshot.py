"""The state of the simulated station, as the control socket shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hal.interfaces.part import Role

if TYPE_CHECKING:
    from hal.drivers.mock.evse import SimulatedEvse
    from hal.drivers.mock.hardware import MockHardware


def of_station(hardware: MockHardware) -> dict[str, object]:
    """Everything."""
    return {
        "evses": [_of_evse(evse) for _, evse in sorted(hardware.evses.items())],
        "indicator": {
            str(evse_id): {
                "pattern": str(evse.indication.pattern),
                "intensity_percent": evse.indication.intensity_percent,
                "repeat": evse.indication.repeat,
            }
            for evse_id, evse in sorted(hardware.evses.items())
        },
        "display": list(hardware.display),
        "faults": [str(code) for code in hardware.faults],
        "tamper": hardware.enclosure_open,
        "emergency_stop": hardware.stop_pressed,
    }


def _of_evse(evse: SimulatedEvse) -> dict[str, object]:
    reading = evse.reading()
    return {
        "id": evse.evse_id,
        "cable": "connected" if evse.cable_present else "none",
        "pilot": str(evse.pilot),
        "contactor": "welded" if evse.welded else "closed" if evse.contacts_closed else "open",
        "lock": _lock(evse),
        "offered_current": evse.offered_current_a,
        "drawn_current": evse.drawn_current_a,
        "phases": evse.phases,
        "energy": round(reading.energy_import_wh, 3),
        "power": reading.power_import_w,
        "faults": [str(code) for code in evse.faults],
    }


def _lock(evse: SimulatedEvse) -> str:
    if evse.fixed_cable or Role.LOCK not in evse.roles:
        return "none"
    return "locked" if evse.connector_id in evse.locked else "unlocked"
