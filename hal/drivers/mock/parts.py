"""The mock's parts: each shows the simulation to the agent as a real device of its role would."""

from __future__ import annotations

import asyncio
from collections.abc import MutableSet

from hal.drivers.mock.evse import SimulatedEvse
from hal.drivers.mock.hardware import MockHardware
from hal.errors import DeviceResponse, DeviceTimeout, DeviceUnavailable
from hal.interfaces.connector_lock import ConnectorLock
from hal.interfaces.contactor import Contactor
from hal.interfaces.control_pilot import ControlPilot, PilotReading
from hal.interfaces.display import Display
from hal.interfaces.emergency_stop import EmergencyStop
from hal.interfaces.energy_meter import EnergyMeter, MeterReading
from hal.interfaces.id_token_reader import IdTokenReader
from hal.interfaces.indicator import Indication, Indicator
from hal.interfaces.part import Part, Role
from hal.interfaces.residual_current import ResidualCurrent, ResidualCurrentReading
from hal.interfaces.tamper import Tamper
from hal.interfaces.temperature import Temperature, TemperatureReading
from hal.interfaces.watchdog import Watchdog

WATCHDOG_TIMEOUT_S = 60.0
INSIDE_CELSIUS = 25.0
MEASURANDS = frozenset(
    {
        "Current.Import",
        "Energy.Active.Import.Register",
        "Frequency",
        "Power.Active.Import",
        "Power.Factor",
        "SoC",
        "Voltage",
    }
)


class _MockPart(Part):
    """A part is there while its role is noted in the simulation."""

    role: Role

    def __init__(self, roles: MutableSet[Role]) -> None:
        self._roles = roles

    async def open(self) -> None:
        self._roles.add(self.role)

    async def close(self) -> None:
        self._roles.discard(self.role)


class _EvsePart(_MockPart):
    """A part that can be made to fail."""

    def __init__(self, evse: SimulatedEvse, response_timeout_s: float) -> None:
        super().__init__(evse.roles)
        self._evse = evse
        self._response_timeout_s = response_timeout_s

    async def open(self) -> None:
        await self._answer()
        await super().open()

    async def _answer(self) -> None:
        """Answer as the device does at present. Raises HalError when it is made to fail."""
        mode = self._evse.failures.get(self.role)
        if mode == "timeout":
            await asyncio.sleep(self._response_timeout_s)
            raise DeviceTimeout(f"{self.role}: no answer within {self._response_timeout_s:g} s")
        if mode == "error":
            raise DeviceUnavailable(f"{self.role}: the device reports an error")
        if mode == "garbage":
            raise DeviceResponse(f"{self.role}: the answer makes no sense")


class MockPilot(_EvsePart, ControlPilot):
    role = Role.PILOT

    async def read(self) -> PilotReading:
        await self._answer()
        evse = self._evse
        return PilotReading(evse.pilot, evse.connector_id, evse.cable_present, evse.cable_rating_a)

    async def set_offered_current(self, current_a: float) -> None:
        await self._answer()
        self._evse.offer(current_a)


class MockContactor(_EvsePart, Contactor):
    role = Role.CONTACTOR

    def __init__(self, evse: SimulatedEvse, response_timeout_s: float, closing_time_s: float) -> None:
        super().__init__(evse, response_timeout_s)
        self._closing_time_s = closing_time_s
        self._orders_to_open = 0

    async def open_contacts(self) -> None:
        self._orders_to_open += 1
        await self._answer()
        self._evse.drive_coil(False)
        if self._evse.contacts_closed:
            raise DeviceResponse("the feedback stays closed")

    async def close_contacts(self) -> None:
        orders_to_open = self._orders_to_open
        await self._answer()
        if self._closing_time_s and not self._evse.contacts_closed:
            await asyncio.sleep(self._closing_time_s)
        if orders_to_open != self._orders_to_open:
            raise DeviceResponse("ordered to open while it was closing")
        self._evse.drive_coil(True)

    async def is_closed(self) -> bool:
        await self._answer()
        return self._evse.contacts_closed


class MockLock(_EvsePart, ConnectorLock):
    role = Role.LOCK

    def __init__(self, evse: SimulatedEvse, response_timeout_s: float, connector_id: int) -> None:
        super().__init__(evse, response_timeout_s)
        self._connector_id = connector_id

    async def lock(self) -> None:
        await self._answer()
        self._evse.locked.add(self._connector_id)
        self._evse.settle()

    async def unlock(self) -> None:
        await self._answer()
        self._evse.locked.discard(self._connector_id)
        self._evse.settle()

    async def is_locked(self) -> bool:
        await self._answer()
        return self._connector_id in self._evse.locked


class MockMeter(_EvsePart, EnergyMeter):
    role = Role.METER

    @property
    def measurands(self) -> frozenset[str]:
        return MEASURANDS

    async def read(self) -> MeterReading:
        await self._answer()
        return self._evse.reading()


class MockResidualCurrent(_EvsePart, ResidualCurrent):
    role = Role.RESIDUAL_CURRENT

    async def read(self) -> ResidualCurrentReading:
        return ResidualCurrentReading(tripped=False, residual_ma=0.0)

    async def self_test(self) -> None:
        """It always passes."""


class MockTemperature(_EvsePart, Temperature):
    role = Role.TEMPERATURE

    async def read(self) -> TemperatureReading:
        return TemperatureReading(INSIDE_CELSIUS)


class MockIndicator(_EvsePart, Indicator):
    role = Role.INDICATOR

    async def show(self, indication: Indication) -> None:
        self._evse.indication = indication
        self._evse.settle()


class _StationPart(_MockPart):
    def __init__(self, hardware: MockHardware) -> None:
        super().__init__(hardware.roles)
        self._hardware = hardware


class MockReader(_StationPart, IdTokenReader):
    role = Role.READER

    async def open(self) -> None:
        if (mode := self._hardware.reader_failure) is not None:
            raise DeviceUnavailable(f"card reader: {mode}")
        await super().open()


class MockDisplay(_StationPart, Display):
    role = Role.DISPLAY

    async def show(self, lines: tuple[str, ...]) -> None:
        self._hardware.display = lines
        self._hardware.changed()


class MockTamper(_StationPart, Tamper):
    role = Role.TAMPER

    async def is_open(self) -> bool:
        return self._hardware.enclosure_open


class MockEmergencyStop(_StationPart, EmergencyStop):
    role = Role.EMERGENCY_STOP

    async def is_pressed(self) -> bool:
        return self._hardware.stop_pressed


class MockWatchdog(_StationPart, Watchdog):
    role = Role.WATCHDOG

    @property
    def timeout_s(self) -> float:
        return WATCHDOG_TIMEOUT_S

    async def kick(self) -> None:
        """Nothing bites here."""
