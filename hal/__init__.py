"""Hardware abstraction: what a driver implements, and what the agent holds on to.

`docs/writing-a-driver.md` shows how to write a driver; its classes derive from the interfaces here, one per role.
"""

from hal.board import Board
from hal.driver import Context, Driver, Place, Shared, checked_options
from hal.errors import (
    BoardConfigError,
    DeviceResponse,
    DeviceTimeout,
    DeviceUnavailable,
    HalError,
    Interlocked,
    Unsupported,
)
from hal.faults import FAULTS, FaultCode, FaultSpec, VendorCode
from hal.interfaces.connector_lock import ConnectorLock
from hal.interfaces.contactor import Contactor
from hal.interfaces.control_pilot import ControlPilot, PilotReading, PilotState
from hal.interfaces.display import Display
from hal.interfaces.emergency_stop import EmergencyStop
from hal.interfaces.energy_meter import EnergyMeter, MeterReading
from hal.interfaces.id_token_reader import IdTokenReader
from hal.interfaces.indicator import Indication, Indicator, Pattern
from hal.interfaces.part import Part, Role
from hal.interfaces.residual_current import ResidualCurrent, ResidualCurrentReading
from hal.interfaces.tamper import Tamper
from hal.interfaces.temperature import Temperature, TemperatureReading
from hal.interfaces.watchdog import Watchdog
from hal.signals import (
    CableSignal,
    ContactorSignal,
    EmergencyStopSignal,
    FaultSignal,
    PilotSignal,
    Signal,
    TamperSignal,
    TokenSignal,
)
from hal.spec import BoardSpec, EvseSpec, Options, PartSpec, Timing
from hal.supervisor import EvseHardware, EvseState

__all__ = [
    "FAULTS",
    "Board",
    "BoardConfigError",
    "BoardSpec",
    "CableSignal",
    "ConnectorLock",
    "Contactor",
    "ContactorSignal",
    "Context",
    "ControlPilot",
    "DeviceResponse",
    "DeviceTimeout",
    "DeviceUnavailable",
    "Display",
    "Driver",
    "EmergencyStop",
    "EmergencyStopSignal",
    "EnergyMeter",
    "EvseHardware",
    "EvseSpec",
    "EvseState",
    "FaultCode",
    "FaultSignal",
    "FaultSpec",
    "HalError",
    "IdTokenReader",
    "Indication",
    "Indicator",
    "Interlocked",
    "MeterReading",
    "Options",
    "Part",
    "PartSpec",
    "Pattern",
    "PilotReading",
    "PilotSignal",
    "PilotState",
    "Place",
    "ResidualCurrent",
    "ResidualCurrentReading",
    "Role",
    "Shared",
    "Signal",
    "Tamper",
    "TamperSignal",
    "Temperature",
    "TemperatureReading",
    "Timing",
    "TokenSignal",
    "Unsupported",
    "VendorCode",
    "Watchdog",
    "checked_options",
]
