"""The variables of this station: OCPP 2.0.1's standard ones that have an effect here, and our own under
EvseAgentCtrlr.

Each row says what the value means only where the standard's name does not. Intervals are in seconds; 0 turns
off what repeats. docs/configuration.md describes them for operators.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.charging.characteristics import DataType, Mutability, VariableId, VariableSpec
from agent.charging.types import EvseSpec

AGENT = "EvseAgentCtrlr"  # our own settings
CUSTOM = "CustomizationCtrlr"  # a maker's own OCPP 1.6 configuration keys

_MAINS_VOLTAGE_V = 230
_DAY_S = 86_400
_AVAILABILITY = ("Available", "Occupied", "Reserved", "Unavailable", "Faulted")
_PHASE_ROTATIONS = ("", "RST", "RTS", "SRT", "STR", "TRS", "TSR", "RSx", "Rxx")
_TX_POINTS = ("EVConnected", "Authorized", "PowerPathClosed", "EnergyTransfer")
_ENERGY_REGISTER = "Energy.Active.Import.Register"

MEASURANDS = frozenset(
    (
        "Current.Export",
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Export.Interval",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Interval",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "RPM",
        "SoC",
        "Temperature",
        "Voltage",
    )
)
_PER_PHASE = ("Current.Import", "Power.Active.Import", "Voltage")


def measurand_items(measurands: Iterable[str], phases: int = 3) -> frozenset[str]:
    """What a measurand list may hold: measurands, with a phase where that is measured (1.6 §9.1.17)."""
    names = frozenset(measurands)
    lines = [f"L{phase}" for phase in range(1, phases + 1)]
    suffixes = [*lines, *(f"{line}-N" for line in lines)]
    return names | {f"{name}.{suffix}" for name in _PER_PHASE if name in names for suffix in suffixes}


def _id(component: str, name: str) -> VariableId:
    variable, _, instance = name.partition(".")
    return VariableId(component, variable, variable_instance=instance or None)


HEARTBEAT_INTERVAL = _id("OCPPCommCtrlr", "HeartbeatInterval")
MESSAGE_TIMEOUT = _id("OCPPCommCtrlr", "MessageTimeout.Default")
MESSAGE_ATTEMPTS = _id("OCPPCommCtrlr", "MessageAttempts.TransactionEvent")
MESSAGE_ATTEMPT_INTERVAL = _id("OCPPCommCtrlr", "MessageAttemptInterval.TransactionEvent")
WEB_SOCKET_PING_INTERVAL = _id("OCPPCommCtrlr", "WebSocketPingInterval")
RETRY_BACK_OFF_WAIT_MINIMUM = _id("OCPPCommCtrlr", "RetryBackOffWaitMinimum")
RETRY_BACK_OFF_REPEAT_TIMES = _id("OCPPCommCtrlr", "RetryBackOffRepeatTimes")
RETRY_BACK_OFF_RANDOM_RANGE = _id("OCPPCommCtrlr", "RetryBackOffRandomRange")
RESET_RETRIES = _id("OCPPCommCtrlr", "ResetRetries")
UNLOCK_ON_EV_SIDE_DISCONNECT = _id("OCPPCommCtrlr", "UnlockOnEVSideDisconnect")
FILE_TRANSFER_PROTOCOLS = _id("OCPPCommCtrlr", "FileTransferProtocols")
NETWORK_CONFIGURATION_PRIORITY = _id("OCPPCommCtrlr", "NetworkConfigurationPriority")
ACTIVE_NETWORK_PROFILE = _id("OCPPCommCtrlr", "ActiveNetworkProfile")

AUTHORIZE_REMOTE_START = _id("AuthCtrlr", "AuthorizeRemoteStart")
LOCAL_AUTHORIZE_OFFLINE = _id("AuthCtrlr", "LocalAuthorizeOffline")
LOCAL_PRE_AUTHORIZE = _id("AuthCtrlr", "LocalPreAuthorize")
OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED = _id("AuthCtrlr", "OfflineTxForUnknownIdEnabled")
DISABLE_REMOTE_AUTHORIZATION = _id("AuthCtrlr", "DisableRemoteAuthorization")
AUTH_CACHE_ENABLED = _id("AuthCacheCtrlr", "Enabled")
AUTH_CACHE_LIFE_TIME = _id("AuthCacheCtrlr", "LifeTime")
AUTH_CACHE_DISABLE_POST_AUTHORIZE = _id("AuthCacheCtrlr", "DisablePostAuthorize")

EV_CONNECTION_TIME_OUT = _id("TxCtrlr", "EVConnectionTimeOut")
STOP_TX_ON_INVALID_ID = _id("TxCtrlr", "StopTxOnInvalidId")
STOP_TX_ON_EV_SIDE_DISCONNECT = _id("TxCtrlr", "StopTxOnEVSideDisconnect")
MAX_ENERGY_ON_INVALID_ID = _id("TxCtrlr", "MaxEnergyOnInvalidId")
TX_START_POINT = _id("TxCtrlr", "TxStartPoint")
TX_STOP_POINT = _id("TxCtrlr", "TxStopPoint")
TX_BEFORE_ACCEPTED_ENABLED = _id("TxCtrlr", "TxBeforeAcceptedEnabled")

SAMPLED_DATA_ENABLED = _id("SampledDataCtrlr", "Enabled")
SAMPLED_TX_UPDATED_INTERVAL = _id("SampledDataCtrlr", "TxUpdatedInterval")
SAMPLED_TX_UPDATED_MEASURANDS = _id("SampledDataCtrlr", "TxUpdatedMeasurands")
SAMPLED_TX_ENDED_MEASURANDS = _id("SampledDataCtrlr", "TxEndedMeasurands")
ALIGNED_DATA_ENABLED = _id("AlignedDataCtrlr", "Enabled")
ALIGNED_INTERVAL = _id("AlignedDataCtrlr", "Interval")
ALIGNED_MEASURANDS = _id("AlignedDataCtrlr", "Measurands")
ALIGNED_TX_ENDED_MEASURANDS = _id("AlignedDataCtrlr", "TxEndedMeasurands")
ALIGNED_SEND_DURING_IDLE = _id("AlignedDataCtrlr", "SendDuringIdle")

DATE_TIME = _id("ClockCtrlr", "DateTime")
GET_VARIABLES_ITEMS = _id("DeviceDataCtrlr", "ItemsPerMessage.GetVariables")
IDENTITY = _id("SecurityCtrlr", "Identity")
SECURITY_PROFILE = _id("SecurityCtrlr", "SecurityProfile")
BASIC_AUTH_PASSWORD = _id("SecurityCtrlr", "BasicAuthPassword")
ORGANIZATION_NAME = _id("SecurityCtrlr", "OrganizationName")

METER_FAILURE_GRACE = _id(AGENT, "MeterFailureGrace")
TRANSACTION_SAVE_INTERVAL = _id(AGENT, "TransactionSaveInterval")
OFFLINE_LIMIT_DELAY = _id(AGENT, "OfflineLimitDelay")
OFFLINE_CURRENT_LIMIT = _id(AGENT, "OfflineCurrentLimit")
MINIMUM_STATUS_DURATION = _id(AGENT, "MinimumStatusDuration")
BLINK_REPEAT = _id(AGENT, "BlinkRepeat")
LIGHT_INTENSITY = _id(AGENT, "LightIntensity")
QUEUE_MAX_ROWS = _id(AGENT, "QueueMaxRows")
QUEUE_MAX_BYTES = _id(AGENT, "QueueMaxBytes")
STOP_TRANSACTION_MAX_METER_VALUES = _id(AGENT, "StopTransactionMaxMeterValues")
SUPPORTED_FEATURE_PROFILES = _id(AGENT, "SupportedFeatureProfiles")

STATION_MODEL = _id("ChargingStation", "Model")
STATION_VENDOR_NAME = _id("ChargingStation", "VendorName")
STATION_SERIAL_NUMBER = _id("ChargingStation", "SerialNumber")
STATION_FIRMWARE_VERSION = _id("ChargingStation", "FirmwareVersion")
STATION_AVAILABILITY_STATE = _id("ChargingStation", "AvailabilityState")
STATION_PHASE_ROTATION = _id("ChargingStation", "PhaseRotation")


def availability_state(evse_id: int, connector_id: int | None = None) -> VariableId:
    """Of an EVSE, or of one of its connectors; evse 0: of the station."""
    if evse_id == 0:
        return STATION_AVAILABILITY_STATE
    component = "EVSE" if connector_id is None else "Connector"
    return VariableId(component, "AvailabilityState", evse_id=evse_id, connector_id=connector_id)


def _integer(
    variable: VariableId, default: int, low: int = 0, high: int | None = None, unit: str = "s"
) -> VariableSpec:
    return VariableSpec(variable, DataType.INTEGER, str(default), unit=unit, min_limit=low, max_limit=high)


def _boolean(variable: VariableId, default: bool) -> VariableSpec:
    return VariableSpec(variable, DataType.BOOLEAN, "true" if default else "false")


def _measurands(variable: VariableId, default: str) -> VariableSpec:
    # 500 characters: what OCPP 1.6 can carry of a value (CiString500Type)
    return VariableSpec(variable, DataType.MEMBER_LIST, default, max_limit=500, max_items=30, measurands=True)


def _constant(variable: VariableId, value: str, data_type: DataType = DataType.STRING, unit: str = "") -> VariableSpec:
    return VariableSpec(variable, data_type, value, Mutability.READ_ONLY, unit, constant=True)


def _state(variable: VariableId, default: str, data_type: DataType = DataType.STRING) -> VariableSpec:
    return VariableSpec(variable, data_type, default, Mutability.READ_ONLY, persistent=False)


def _availability(variable: VariableId) -> VariableSpec:
    return _state(variable, "Available", DataType.OPTION_LIST)._replace(values=_AVAILABILITY)


def _absent(component: str) -> tuple[VariableSpec, ...]:
    """A functional block that this station does not have. A file may say so; that it had it would be untrue."""
    return tuple(_constant(_id(component, name), "false", DataType.BOOLEAN) for name in ("Available", "Enabled"))


def _phase_rotation(variable: VariableId) -> VariableSpec:
    return VariableSpec(variable, DataType.STRING, values=_PHASE_ROTATIONS)


STANDARD_VARIABLES = (
    _integer(HEARTBEAT_INTERVAL, 300, low=1),
    _integer(MESSAGE_TIMEOUT, 30, low=1, high=3600)._replace(mutability=Mutability.READ_ONLY),
    _integer(MESSAGE_ATTEMPTS, 3, low=1, high=100, unit=""),
    _integer(MESSAGE_ATTEMPT_INTERVAL, 60, high=_DAY_S),
    _integer(WEB_SOCKET_PING_INTERVAL, 60),
    _integer(RETRY_BACK_OFF_WAIT_MINIMUM, 10, high=_DAY_S),
    _integer(RETRY_BACK_OFF_REPEAT_TIMES, 5, high=20, unit=""),
    _integer(RETRY_BACK_OFF_RANDOM_RANGE, 10, high=_DAY_S),
    _integer(RESET_RETRIES, 1, unit=""),
    _boolean(UNLOCK_ON_EV_SIDE_DISCONNECT, True),
    VariableSpec(
        FILE_TRANSFER_PROTOCOLS,
        DataType.MEMBER_LIST,
        mutability=Mutability.READ_ONLY,
        values=("FTP", "FTPS", "HTTP", "HTTPS", "SFTP"),
        constant=True,
    ),
    VariableSpec(
        NETWORK_CONFIGURATION_PRIORITY,
        DataType.SEQUENCE_LIST,
        "1",
        values=("1",),
        min_limit=1,
        reboot_required=True,
    ),
    _state(ACTIVE_NETWORK_PROFILE, "1", DataType.INTEGER),
    _boolean(AUTHORIZE_REMOTE_START, False),
    _boolean(LOCAL_AUTHORIZE_OFFLINE, True),
    _boolean(LOCAL_PRE_AUTHORIZE, False),
    _boolean(OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED, False),
    _boolean(DISABLE_REMOTE_AUTHORIZATION, False),
    _boolean(AUTH_CACHE_ENABLED, True),
    _integer(AUTH_CACHE_LIFE_TIME, 30 * _DAY_S, low=1),
    _boolean(AUTH_CACHE_DISABLE_POST_AUTHORIZE, False),
    _integer(EV_CONNECTION_TIME_OUT, 60, low=1),
    _boolean(STOP_TX_ON_INVALID_ID, True),
    _boolean(STOP_TX_ON_EV_SIDE_DISCONNECT, True),
    _integer(MAX_ENERGY_ON_INVALID_ID, 0, unit="Wh"),
    # the start and stop points that make transactions those of OCPP 1.6 (OCPP 2.0.1 part 2, E, table 95)
    VariableSpec(TX_START_POINT, DataType.MEMBER_LIST, "PowerPathClosed", values=_TX_POINTS, min_limit=1),
    VariableSpec(TX_STOP_POINT, DataType.MEMBER_LIST, "EVConnected,Authorized", values=_TX_POINTS, min_limit=1),
    _boolean(TX_BEFORE_ACCEPTED_ENABLED, True),
    _boolean(SAMPLED_DATA_ENABLED, True),
    _integer(SAMPLED_TX_UPDATED_INTERVAL, 60),
    _measurands(SAMPLED_TX_UPDATED_MEASURANDS, _ENERGY_REGISTER),
    _measurands(SAMPLED_TX_ENDED_MEASURANDS, ""),
    _boolean(ALIGNED_DATA_ENABLED, True),
    _integer(ALIGNED_INTERVAL, 0, high=_DAY_S),
    _measurands(ALIGNED_MEASURANDS, _ENERGY_REGISTER),
    _measurands(ALIGNED_TX_ENDED_MEASURANDS, ""),
    _boolean(ALIGNED_SEND_DURING_IDLE, False),
    _state(DATE_TIME, "", DataType.DATE_TIME),
    _constant(GET_VARIABLES_ITEMS, "100", DataType.INTEGER)._replace(constant=False, min_limit=1),
    _state(IDENTITY, ""),
    _integer(SECURITY_PROFILE, 0, high=3, unit="")._replace(mutability=Mutability.READ_ONLY),
    # the password's bytes in hexadecimal: a key of OCPP 1.6 need not be text
    VariableSpec(BASIC_AUTH_PASSWORD, DataType.STRING, mutability=Mutability.WRITE_ONLY, min_limit=16, max_limit=80),
    VariableSpec(ORGANIZATION_NAME, DataType.STRING, max_limit=64),  # X.520's bound on organizationName
    _integer(METER_FAILURE_GRACE, 60),
    _integer(TRANSACTION_SAVE_INTERVAL, 60, low=1),
    _integer(OFFLINE_LIMIT_DELAY, 0),
    _integer(OFFLINE_CURRENT_LIMIT, 6, high=1000, unit="A"),
    _integer(MINIMUM_STATUS_DURATION, 0),
    _integer(BLINK_REPEAT, 3, unit=""),
    _integer(LIGHT_INTENSITY, 100, high=100, unit="Percent"),
    _integer(QUEUE_MAX_ROWS, 20_000, low=100, unit=""),
    _integer(QUEUE_MAX_BYTES, 16_000_000, low=100_000, unit="B"),
    # the start and the stop value are never dropped (1.6 errata 3.91)
    _integer(STOP_TRANSACTION_MAX_METER_VALUES, 100, low=2, unit="")._replace(mutability=Mutability.READ_ONLY),
    VariableSpec(
        SUPPORTED_FEATURE_PROFILES,
        DataType.MEMBER_LIST,
        "Core,RemoteTrigger",
        Mutability.READ_ONLY,
        values=("Core", "RemoteTrigger"),
        min_limit=1,
    ),
    *_absent("LocalAuthListCtrlr"),
    *_absent("ReservationCtrlr"),
    *_absent("SmartChargingCtrlr"),
)


def station_variables(
    evses: Iterable[EvseSpec], *, vendor: str, model: str, serial_number: str, firmware_version: str
) -> list[VariableSpec]:
    """All variables of one station: the standard ones, fitted to its hardware, and those of each EVSE."""
    evses = list(evses)
    specs = [
        *STANDARD_VARIABLES,
        _constant(STATION_VENDOR_NAME, vendor),
        _constant(STATION_MODEL, model),
        _constant(STATION_SERIAL_NUMBER, serial_number),
        _constant(STATION_FIRMWARE_VERSION, firmware_version),
        _constant(_id("ChargingStation", "Available"), "true", DataType.BOOLEAN),
        _availability(STATION_AVAILABILITY_STATE),
        _constant(
            _id("ChargingStation", "SupplyPhases"),
            str(max((e.phases for e in evses), default=0)),
            DataType.INTEGER,
        ),
        _phase_rotation(STATION_PHASE_ROTATION),
    ]
    if all(connector.fixed_cable for evse in evses for connector in evse.connectors):
        # nothing to unlock: read-only and false (1.6 errata 3.84, OCPP 2.0.1 part 2 §2.1.12)
        index = [spec.id for spec in specs].index(UNLOCK_ON_EV_SIDE_DISCONNECT)
        specs[index] = _constant(UNLOCK_ON_EV_SIDE_DISCONNECT, "false", DataType.BOOLEAN)
    for evse in evses:
        specs += _evse_variables(evse)
    return specs


def _evse_variables(evse: EvseSpec) -> list[VariableSpec]:
    def at_evse(name: str) -> VariableId:
        return VariableId("EVSE", name, evse_id=evse.evse_id)

    power_w = evse.max_current_a * evse.phases * _MAINS_VOLTAGE_V
    specs = [
        _constant(at_evse("Available"), "true", DataType.BOOLEAN),
        _availability(availability_state(evse.evse_id)),
        _constant(at_evse("SupplyPhases"), str(evse.phases), DataType.INTEGER),
        # the most that the EVSE can give; from its current and mains voltage unless the file says otherwise
        VariableSpec(at_evse("Power"), DataType.DECIMAL, f"{power_w:.0f}", Mutability.READ_ONLY, "W", min_limit=0),
    ]
    for connector in evse.connectors:

        def at_connector(name: str, connector_id: int = connector.connector_id) -> VariableId:
            return VariableId("Connector", name, evse_id=evse.evse_id, connector_id=connector_id)

        specs += [
            _constant(at_connector("Available"), "true", DataType.BOOLEAN),
            _availability(availability_state(evse.evse_id, connector.connector_id)),
            _constant(at_connector("ConnectorType"), connector.kind),
            _constant(at_connector("SupplyPhases"), str(evse.phases), DataType.INTEGER),
            _phase_rotation(at_connector("PhaseRotation")),
        ]
    return specs
