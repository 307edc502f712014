"""The fault catalogue: what each fault means, and what the supervisor does about it without asking anyone.

The names are those of ChargePointErrorCode (OCPP 1.6 §7.6), the only closed list of a charger's faults that a CSMS
understands; what a maker knows beyond it travels beside it as a vendor code.
"""

from enum import StrEnum
from types import MappingProxyType

from hal.value import Value


class FaultCode(StrEnum):
    """ChargePointErrorCode without NoError, which is the absence of a fault."""

    CONNECTOR_LOCK_FAILURE = "ConnectorLockFailure"
    EV_COMMUNICATION_ERROR = "EVCommunicationError"
    GROUND_FAILURE = "GroundFailure"
    HIGH_TEMPERATURE = "HighTemperature"
    INTERNAL_ERROR = "InternalError"
    LOCAL_LIST_CONFLICT = "LocalListConflict"
    OTHER_ERROR = "OtherError"
    OVER_CURRENT_FAILURE = "OverCurrentFailure"
    OVER_VOLTAGE = "OverVoltage"
    POWER_METER_FAILURE = "PowerMeterFailure"
    POWER_SWITCH_FAILURE = "PowerSwitchFailure"
    READER_FAILURE = "ReaderFailure"
    RESET_FAILURE = "ResetFailure"
    UNDER_VOLTAGE = "UnderVoltage"
    WEAK_SIGNAL = "WeakSignal"


class VendorCode:
    """Vendor codes of the faults that the HAL itself finds."""

    PILOT_LOST = "PilotLost"
    CONTACTOR_WELDED = "ContactorWelded"
    CONTACTOR_NOT_CLOSED = "ContactorNotClosed"
    CONTACTOR_LOST = "ContactorLost"
    LOCK_LOST = "LockLost"
    METER_LOST = "MeterLost"
    READER_LOST = "ReaderLost"
    RESIDUAL_CURRENT_LOST = "ResidualCurrentLost"
    TEMPERATURE_LOST = "TemperatureLost"
    EMERGENCY_STOP_LOST = "EmergencyStopLost"
    WATCHDOG_LOST = "WatchdogLost"
    RESIDUAL_CURRENT_TEST = "ResidualCurrentTest"


class FaultSpec(Value):
    """What follows from a fault.

    opens_contactor: the supervisor opens the contactor at once and keeps it open while the fault lasts.
    faulted: the connectors concerned show Faulted.
    of_station: where it usually sits; a driver may report any fault for an EVSE or for the station.
    explanation: for a person, in plain words.
    """

    opens_contactor: bool
    faulted: bool
    of_station: bool
    explanation: str


def _stops(explanation: str, of_station: bool = False) -> FaultSpec:
    return FaultSpec(True, True, of_station, explanation)


def _reported(explanation: str, of_station: bool = True) -> FaultSpec:
    return FaultSpec(False, False, of_station, explanation)


FAULTS = MappingProxyType(
    {
        FaultCode.CONNECTOR_LOCK_FAILURE: _stops("The plug could not be locked into or released from the socket."),
        FaultCode.EV_COMMUNICATION_ERROR: _stops("The charger and the car do not understand each other."),
        FaultCode.GROUND_FAILURE: _stops("Current is leaking to earth, or the protection against it has tripped."),
        FaultCode.HIGH_TEMPERATURE: _stops("It is too hot inside the charger."),
        FaultCode.INTERNAL_ERROR: _stops("A part of the charger's own hardware or software does not work."),
        FaultCode.LOCAL_LIST_CONFLICT: _stops(
            "The CSMS and the list of cards kept in the charger contradict each other.", of_station=True
        ),
        FaultCode.OTHER_ERROR: _stops("A fault that only the maker's code and text describe."),
        FaultCode.OVER_CURRENT_FAILURE: _stops("The car draws more current than allowed; the protection has tripped."),
        FaultCode.OVER_VOLTAGE: _stops("The supply voltage is above the acceptable range."),
        # How long charging may go on unmetered is the agent's decision (MeterFailureGrace).
        FaultCode.POWER_METER_FAILURE: _reported("The energy meter cannot be read.", of_station=False),
        FaultCode.POWER_SWITCH_FAILURE: _stops("The contactor does not do what it is told; it may be welded."),
        FaultCode.READER_FAILURE: _reported("The card reader does not work."),
        FaultCode.RESET_FAILURE: _stops("The charger could not be reset.", of_station=True),
        FaultCode.UNDER_VOLTAGE: _stops("The supply voltage is below the acceptable range."),
        FaultCode.WEAK_SIGNAL: _reported("The mobile network is weak here."),
    }
)
