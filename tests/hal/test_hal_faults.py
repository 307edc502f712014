"""The fault catalogue against OCPP 1.6 §7.6 and the promise about what opens the contactor."""

from __future__ import annotations

from hal import FAULTS, FaultCode

CHARGE_POINT_ERROR_CODES = {
    "ConnectorLockFailure",
    "EVCommunicationError",
    "GroundFailure",
    "HighTemperature",
    "InternalError",
    "LocalListConflict",
    "OtherError",
    "OverCurrentFailure",
    "OverVoltage",
    "PowerMeterFailure",
    "PowerSwitchFailure",
    "ReaderFailure",
    "ResetFailure",
    "UnderVoltage",
    "WeakSignal",
}


def test_the_codes_are_those_of_ocpp_without_no_error() -> None:
    assert {str(code) for code in FaultCode} == CHARGE_POINT_ERROR_CODES
    assert FAULTS.keys() == set(FaultCode)


def test_all_but_three_open_the_contactor_and_show_faulted() -> None:
    reported = {code for code, spec in FAULTS.items() if not spec.opens_contactor}
    assert reported == {FaultCode.WEAK_SIGNAL, FaultCode.READER_FAILURE, FaultCode.POWER_METER_FAILURE}
    assert all(spec.faulted == spec.opens_contactor for spec in FAULTS.values())


def test_each_is_explained_in_a_sentence() -> None:
    assert all(spec.explanation.endswith(".") for spec in FAULTS.values())
