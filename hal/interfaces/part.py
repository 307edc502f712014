"""What every device role has in common."""

from __future__ import annotations

from abc import ABC
from enum import StrEnum


class Role(StrEnum):
    """The roles, by the names that the configuration file uses for them."""

    PILOT = "pilot"
    CONTACTOR = "contactor"
    LOCK = "lock"
    METER = "meter"
    RESIDUAL_CURRENT = "residual_current"
    TEMPERATURE = "temperature"
    INDICATOR = "indicator"
    READER = "reader"
    DISPLAY = "display"
    TAMPER = "tamper"
    EMERGENCY_STOP = "emergency_stop"
    WATCHDOG = "watchdog"


EVSE_ROLES = (
    Role.CONTACTOR,  # first: whatever happens next, it can be opened
    Role.PILOT,
    Role.LOCK,
    Role.METER,
    Role.RESIDUAL_CURRENT,
    Role.TEMPERATURE,
    Role.INDICATOR,
)
STATION_ROLES = (Role.EMERGENCY_STOP, Role.TAMPER, Role.READER, Role.DISPLAY, Role.WATCHDOG)
REQUIRED_ROLES = frozenset({Role.CONTACTOR, Role.PILOT, Role.METER})


class Part(ABC):  # noqa: B024 - nothing to implement here: many parts need neither open nor close
    """A device, or the side of a device that plays one role.

    Every method that talks to the device ends within two seconds or so and raises a `HalError` when it cannot do
    what it says; the supervisor cuts off what takes longer.
    """

    async def open(self) -> None:  # noqa: B027 - a part without a connection of its own has nothing to open
        """Reach the device, within five seconds. Until then a part does no I/O and reports nothing.

        Raises `DeviceUnavailable` or another `HalError` while the device is away: it is a fault until then, and after
        `close` the supervisor tries again. Raises `BoardConfigError` for an option that turns out to be wrong only
        here: this stops the agent.
        """

    async def close(self) -> None:  # noqa: B027 - as for open
        """Let go of the device; harmless when repeated and when `open` was never called or failed."""
