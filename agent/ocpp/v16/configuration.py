"""The OCPP 1.6 configuration keys, as a table onto the device model.

Sources: OCPP 1.6 edition 2 §9.1 with errata 3.81 to 3.91, the security whitepaper §7, OCPP 2.0.1's
RetryBackOff variables under their own names, our own settings, and what a maker declared. A key is no value
of its own: it reads and writes variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from agent.charging import variables as v
from agent.charging.characteristics import Mutability, VariableId
from agent.charging.device_model import DeviceModel, SetStatus, Source
from agent.charging.value import Value
from agent.ocpp.errors import OccurrenceConstraintViolation

Assignments = list[tuple[VariableId, str]]

_PHASE_ROTATION = r"(0|[1-9][0-9]{0,3})\.(RST|RTS|SRT|STR|TRS|TSR|NotApplicable|Unknown)"
_HEX_KEY = r"[0-9A-Fa-f]{32,40}"


class Key(Value):
    """One configuration key.

    It reads as its first variable and writes the same value to all of them, unless `read` or `write` say
    otherwise. `write` raises ValueError for a value it cannot translate. `writable` None: as the variable's
    mutability says.
    """

    name: str
    variables: tuple[VariableId, ...] = ()
    writable: bool | None = None
    read: Callable[[DeviceModel], str] | None = None
    write: Callable[[DeviceModel, str], Assignments] | None = None


def decode_authorization_key(value: str) -> bytes:
    """The password's bytes from an AuthorizationKey.

    32 to 40 hexadecimal digits are 16 to 20 bytes (whitepaper A00.FR.205); anything else is the text itself,
    of 8 to 40 bytes in UTF-8. Raises ValueError for the rest, an odd number of digits included: a digit was
    lost on the way. The message does not show the key.
    """
    if re.fullmatch(_HEX_KEY, value):
        if len(value) % 2:
            raise ValueError("must have an even number of hexadecimal digits")
        return bytes.fromhex(value)
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    password = value.encode()
    if not 8 <= len(password) <= 40:
        raise ValueError("must be 32 to 40 hexadecimal digits, or a text of 8 to 40 bytes")
    return password


def _write_authorization_key(_model: DeviceModel, value: str) -> Assignments:
    return [(v.BASIC_AUTH_PASSWORD, decode_authorization_key(value).hex())]


def _write_security_profile(model: DeviceModel, value: str) -> Assignments:
    if not value.isdecimal() or int(value) <= model.integer(v.SECURITY_PROFILE):
        raise ValueError("can only be raised (whitepaper A05.FR.01)")
    return [(v.SECURITY_PROFILE, value)]


def _connectors(model: DeviceModel) -> list[VariableId]:
    """The phase rotation of each connector; connectorId 1 is the first (1.6 §2.4)."""
    return [spec.id for spec in model.items() if spec.id[:2] == ("Connector", "PhaseRotation")]


def _phases(model: DeviceModel, connector: VariableId) -> int:
    return model.integer(connector._replace(variable="SupplyPhases"))


def _read_phase_rotation(model: DeviceModel) -> str:
    station = f"0.{model.get(v.STATION_PHASE_ROTATION)}"
    rotations = [station] if re.fullmatch(_PHASE_ROTATION, station) else []
    for number, connector in enumerate(_connectors(model), start=1):
        rotation = f"{number}.{model.get(connector)}"
        if not re.fullmatch(_PHASE_ROTATION, rotation):
            rotation = f"{number}.{'NotApplicable' if _phases(model, connector) == 1 else 'Unknown'}"
        rotations.append(rotation)
    return ",".join(rotations)


def _write_phase_rotation(model: DeviceModel, value: str) -> Assignments:
    components = [v.STATION_PHASE_ROTATION, *_connectors(model)]
    rotations = dict.fromkeys(components, "")
    named: set[int] = set()
    for item in filter(None, map(str.strip, value.split(","))):
        match = re.fullmatch(_PHASE_ROTATION, item)
        if match is None:
            raise ValueError("must be a list as in 0.RST,1.RST,2.RTS")
        number, rotation = int(match[1]), match[2]
        if number >= len(components) or number in named:
            raise ValueError(f"must name each connector from 0 to {len(components) - 1} at most once")
        named.add(number)
        if rotation == "NotApplicable" and number and _phases(model, components[number]) != 1:
            raise ValueError(f"connector {number} has three phases")
        rotations[components[number]] = "" if rotation in ("NotApplicable", "Unknown") else rotation
    return list(rotations.items())


def _list_length(name: str, variable: VariableId) -> Key:
    return Key(name, read=lambda model: str(model.spec(variable).max_items))


KEYS = (
    Key("AllowOfflineTxForUnknownId", (v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED,)),
    Key("AuthorizationCacheEnabled", (v.AUTH_CACHE_ENABLED,)),
    Key("AuthorizationKey", (v.BASIC_AUTH_PASSWORD,), write=_write_authorization_key),
    Key("AuthorizeRemoteTxRequests", (v.AUTHORIZE_REMOTE_START,)),
    Key("BlinkRepeat", (v.BLINK_REPEAT,)),
    Key("ClockAlignedDataInterval", (v.ALIGNED_INTERVAL,)),
    Key("ConnectionTimeOut", (v.EV_CONNECTION_TIME_OUT,)),
    Key("ConnectorPhaseRotation", writable=True, read=_read_phase_rotation, write=_write_phase_rotation),
    Key("ConnectorPhaseRotationMaxLength", read=lambda model: str(len(_connectors(model)) + 1)),
    Key("CpoName", (v.ORGANIZATION_NAME,)),
    Key("GetConfigurationMaxKeys", (v.GET_VARIABLES_ITEMS,)),
    Key("HeartbeatInterval", (v.HEARTBEAT_INTERVAL,)),
    Key("LightIntensity", (v.LIGHT_INTENSITY,)),
    Key("LocalAuthorizeOffline", (v.LOCAL_AUTHORIZE_OFFLINE,)),
    Key("LocalPreAuthorize", (v.LOCAL_PRE_AUTHORIZE,)),
    Key("MaxEnergyOnInvalidId", (v.MAX_ENERGY_ON_INVALID_ID,)),
    # read-only in 2.x, where it belongs to a network profile; 1.6 lets the central system write it (errata
    # 3.83)
    Key("MessageTimeout", (v.MESSAGE_TIMEOUT,), writable=True),
    Key("MeterValueSampleInterval", (v.SAMPLED_TX_UPDATED_INTERVAL,)),
    Key("MeterValuesAlignedData", (v.ALIGNED_MEASURANDS,)),
    _list_length("MeterValuesAlignedDataMaxLength", v.ALIGNED_MEASURANDS),
    Key("MeterValuesSampledData", (v.SAMPLED_TX_UPDATED_MEASURANDS,)),
    _list_length("MeterValuesSampledDataMaxLength", v.SAMPLED_TX_UPDATED_MEASURANDS),
    Key("MinimumStatusDuration", (v.MINIMUM_STATUS_DURATION,)),
    Key("NumberOfConnectors", read=lambda model: str(len(_connectors(model)))),
    Key("ResetRetries", (v.RESET_RETRIES,)),
    # likewise read-only in 2.x and written by a 1.6 central system (whitepaper §7.6)
    Key("SecurityProfile", (v.SECURITY_PROFILE,), writable=True, write=_write_security_profile),
    Key("StopTransactionMaxMeterValues", (v.STOP_TRANSACTION_MAX_METER_VALUES,)),
    Key("StopTransactionOnEVSideDisconnect", (v.STOP_TX_ON_EV_SIDE_DISCONNECT,)),
    Key("StopTransactionOnInvalidId", (v.STOP_TX_ON_INVALID_ID,)),
    Key("StopTxnAlignedData", (v.ALIGNED_TX_ENDED_MEASURANDS,)),
    _list_length("StopTxnAlignedDataMaxLength", v.ALIGNED_TX_ENDED_MEASURANDS),
    Key("StopTxnSampledData", (v.SAMPLED_TX_ENDED_MEASURANDS,)),
    _list_length("StopTxnSampledDataMaxLength", v.SAMPLED_TX_ENDED_MEASURANDS),
    Key("SupportedFeatureProfiles", (v.SUPPORTED_FEATURE_PROFILES,)),
    Key(
        "SupportedFeatureProfilesMaxLength",
        read=lambda model: str(len(model.spec(v.SUPPORTED_FEATURE_PROFILES).values)),
    ),
    Key("TransactionMessageAttempts", (v.MESSAGE_ATTEMPTS,)),
    Key("TransactionMessageRetryInterval", (v.MESSAGE_ATTEMPT_INTERVAL,)),
    Key("UnlockConnectorOnEVSideDisconnect", (v.UNLOCK_ON_EV_SIDE_DISCONNECT,)),
    Key("WebSocketPingInterval", (v.WEB_SOCKET_PING_INTERVAL,)),
    Key("RetryBackOffRandomRange", (v.RETRY_BACK_OFF_RANDOM_RANGE,)),
    Key("RetryBackOffRepeatTimes", (v.RETRY_BACK_OFF_REPEAT_TIMES,)),
    Key("RetryBackOffWaitMinimum", (v.RETRY_BACK_OFF_WAIT_MINIMUM,)),
    Key("MeterFailureGrace", (v.METER_FAILURE_GRACE,)),
    Key("OfflineCurrentLimit", (v.OFFLINE_CURRENT_LIMIT,)),
    Key("OfflineLimitDelay", (v.OFFLINE_LIMIT_DELAY,)),
    Key("QueueMaxBytes", (v.QUEUE_MAX_BYTES,)),
    Key("QueueMaxRows", (v.QUEUE_MAX_ROWS,)),
    Key("TransactionSaveInterval", (v.TRANSACTION_SAVE_INTERVAL,)),
)

_STATUS = {SetStatus.ACCEPTED: "Accepted", SetStatus.REBOOT_REQUIRED: "RebootRequired"}


class ConfigurationKeys:
    """The keys of one station: the table above and the maker's own, in that order."""

    __slots__ = ("_keys", "_listing", "_listing_revision", "_model")

    def __init__(self, model: DeviceModel) -> None:
        self._model = model
        custom = (
            Key(str(spec.id).partition("/")[2], (spec.id,)) for spec in model.items() if spec.id.component == v.CUSTOM
        )
        self._keys = {key.name.casefold(): key for key in (*KEYS, *custom)}
        self._listing: list[dict[str, Any]] = []
        self._listing_revision = -1

    def names(self) -> list[str]:
        """Every key in standard spelling, write-only ones included."""
        return [key.name for key in self._keys.values()]

    def find(self, key: str) -> Key | None:
        """The key of this name, compared without case (CiString50Type), or None."""
        return self._keys.get(key.casefold())

    def get(self, keys: Sequence[str] | None = None) -> tuple[list[dict[str, Any]], list[str]]:
        """What GetConfiguration answers: `{"key", "readonly", "value"}` of each known key, and the unknown
        keys as asked.

        No keys asked for means all. A write-only key is neither listed nor, asked for by name, shown with a
        value. Raises OccurrenceConstraintViolation beyond GetConfigurationMaxKeys.
        """
        if not keys:
            return self._all(), []
        if len(keys) > self._model.integer(v.GET_VARIABLES_ITEMS):
            raise OccurrenceConstraintViolation("more keys than GetConfigurationMaxKeys", {"property": "key"})
        known: dict[str, dict[str, Any]] = {}
        unknown: dict[str, str] = {}
        for name in keys:
            folded = name.casefold()
            key = self._keys.get(folded)
            if key is None:
                unknown.setdefault(folded, name)
            elif folded not in known:
                known[folded] = self._entry(key)
        return list(known.values()), list(unknown.values())

    def change(self, key: str, value: str) -> str:
        """What ChangeConfiguration answers: Accepted, RebootRequired, Rejected or NotSupported (1.6 §5.3)."""
        known = self.find(key)
        if known is None:
            return "NotSupported"
        if self._readonly(known):
            return "Rejected"
        try:
            assignments = self.resolve(key, value)
        except ValueError:
            return "Rejected"
        # where 1.6 lets the central system write what 2.x keeps read-only, the station acts on its behalf
        source = Source.STATION if known.writable else Source.CSMS
        return _STATUS.get(self._model.set_all(assignments, source).status, "Rejected")

    def resolve(self, key: str, value: str) -> Assignments:
        """The variables that a value of this key sets, unchecked by the model. An empty list: the key is
        computed.

        Raises KeyError for an unknown key, ValueError for a value that it cannot translate.
        """
        known = self._keys[key.casefold()]
        if known.write is not None:
            return known.write(self._model, value)
        return [(variable, value) for variable in known.variables]

    def _all(self) -> list[dict[str, Any]]:
        if self._listing_revision != self._model.revision:
            self._listing = [self._entry(key) for key in self._keys.values() if not self._secret(key)]
            self._listing_revision = self._model.revision
        return self._listing

    def _entry(self, key: Key) -> dict[str, Any]:
        entry: dict[str, Any] = {"key": key.name, "readonly": self._readonly(key)}
        if not self._secret(key):
            entry["value"] = key.read(self._model) if key.read else self._model.get(key.variables[0])
        return entry

    def _readonly(self, key: Key) -> bool:
        if key.writable is not None:
            return not key.writable
        return not key.variables or self._model.spec(key.variables[0]).mutability is Mutability.READ_ONLY

    def _secret(self, key: Key) -> bool:
        return bool(key.variables) and self._model.spec(key.variables[0]).mutability is Mutability.WRITE_ONLY
