"""OCPP 1.6 configuration keys: GetConfiguration and ChangeConfiguration (1.6 §5.3, §5.8, §9.1)."""

from __future__ import annotations

import pytest

from agent.charging import variables as v
from agent.charging.characteristics import VariableId, VariableSpec
from agent.charging.device_model import DeviceModel
from agent.charging.types import ConnectorSpec, EvseSpec
from agent.ocpp.errors import OccurrenceConstraintViolation
from agent.ocpp.v16.configuration import ConfigurationKeys, decode_authorization_key

SOCKET = EvseSpec(1, (ConnectorSpec(1, "sType2"),), 32.0, 3)
SCHUKO = EvseSpec(2, (ConnectorSpec(1, "sCEE-7-7"),), 16.0, 1)
CABLES = EvseSpec(1, (ConnectorSpec(1, "cType2"), ConnectorSpec(2, "cCCS2")), 32.0, 3)

# name, writable ("W" write-only), per §9.1 as amended by the errata sheet
CORE_KEYS = {
    "AllowOfflineTxForUnknownId": "RW",
    "AuthorizationCacheEnabled": "RW",
    "AuthorizeRemoteTxRequests": "RW",
    "BlinkRepeat": "RW",
    "ClockAlignedDataInterval": "RW",
    "ConnectionTimeOut": "RW",
    "ConnectorPhaseRotation": "RW",
    "ConnectorPhaseRotationMaxLength": "R",
    "GetConfigurationMaxKeys": "R",
    "HeartbeatInterval": "RW",
    "LightIntensity": "RW",
    "LocalAuthorizeOffline": "RW",
    "LocalPreAuthorize": "RW",
    "MaxEnergyOnInvalidId": "RW",
    "MessageTimeout": "RW",
    "MeterValuesAlignedData": "RW",
    "MeterValuesAlignedDataMaxLength": "R",
    "MeterValuesSampledData": "RW",
    "MeterValuesSampledDataMaxLength": "R",
    "MeterValueSampleInterval": "RW",
    "MinimumStatusDuration": "RW",
    "NumberOfConnectors": "R",
    "ResetRetries": "RW",
    "StopTransactionMaxMeterValues": "R",
    "StopTransactionOnEVSideDisconnect": "RW",
    "StopTransactionOnInvalidId": "RW",
    "StopTxnAlignedData": "RW",
    "StopTxnAlignedDataMaxLength": "R",
    "StopTxnSampledData": "RW",
    "StopTxnSampledDataMaxLength": "R",
    "SupportedFeatureProfiles": "R",
    "SupportedFeatureProfilesMaxLength": "R",
    "TransactionMessageAttempts": "RW",
    "TransactionMessageRetryInterval": "RW",
    "UnlockConnectorOnEVSideDisconnect": "RW",
    "WebSocketPingInterval": "RW",
}


def station(*evses: EvseSpec, custom: tuple[VariableSpec, ...] = ()) -> DeviceModel:
    specs = v.station_variables(evses, vendor="Acme", model="AC22", serial_number="", firmware_version="1")
    return DeviceModel([*specs, *custom], v.measurand_items(v.MEASURANDS))


@pytest.fixture
def model() -> DeviceModel:
    return station(SOCKET, SCHUKO)


@pytest.fixture
def keys(model: DeviceModel) -> ConfigurationKeys:
    return ConfigurationKeys(model)


def value(keys: ConfigurationKeys, key: str) -> str:
    (entry,), _ = keys.get([key])
    assert isinstance(entry["value"], str)
    return entry["value"]


class TestGetConfiguration:
    def test_every_core_key_is_there_with_its_accessibility(self, keys: ConfigurationKeys) -> None:
        shown = {entry["key"]: "R" if entry["readonly"] else "RW" for entry in keys.get()[0]}
        assert {key: shown.get(key) for key in CORE_KEYS} == CORE_KEYS

    def test_no_keys_means_all(self, keys: ConfigurationKeys) -> None:
        assert keys.get([]) == keys.get(None) == keys.get()
        assert len(keys.get()[0]) == len(keys.names()) - 1  # AuthorizationKey is not shown

    def test_known_and_unknown_keys_are_told_apart_in_the_order_asked(self, keys: ConfigurationKeys) -> None:
        known, unknown = keys.get(["WebSocketPingInterval", "Foo", "HeartbeatInterval", "Bar"])
        assert [entry["key"] for entry in known] == ["WebSocketPingInterval", "HeartbeatInterval"]
        assert unknown == ["Foo", "Bar"]

    def test_keys_compare_without_case_and_come_once_in_standard_spelling(self, keys: ConfigurationKeys) -> None:
        """CiString50Type."""
        known, unknown = keys.get(["heartbeatinterval", "HEARTBEATINTERVAL", "foo", "FOO"])
        assert known == [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]
        assert unknown == ["foo"]

    def test_more_keys_than_the_maximum_is_an_occurrence_violation(self, keys: ConfigurationKeys) -> None:
        most = int(value(keys, "GetConfigurationMaxKeys"))
        assert len(keys.get(["HeartbeatInterval"] * most)[0]) == 1
        with pytest.raises(OccurrenceConstraintViolation):
            keys.get(["HeartbeatInterval"] * (most + 1))

    def test_the_authorization_key_never_comes_back(self, keys: ConfigurationKeys) -> None:
        keys.change("AuthorizationKey", "0123456789abcdef" * 2)
        assert "AuthorizationKey" not in [entry["key"] for entry in keys.get()[0]]
        assert keys.get(["AuthorizationKey"])[0] == [{"key": "AuthorizationKey", "readonly": False}]

    def test_the_listing_follows_every_change(self, keys: ConfigurationKeys, model: DeviceModel) -> None:
        def listed() -> object:
            return next(entry["value"] for entry in keys.get()[0] if entry["key"] == "HeartbeatInterval")

        assert listed() == "300"
        model.set(v.HEARTBEAT_INTERVAL, "7")
        assert listed() == "7"

    def test_values_fit_into_the_answer(self, keys: ConfigurationKeys) -> None:
        """KeyValue: key CiString50Type, value CiString500Type."""
        for entry in keys.get()[0]:
            assert len(str(entry["key"])) <= 50
            assert len(str(entry["value"])) <= 500

    def test_computed_keys(self, keys: ConfigurationKeys) -> None:
        assert value(keys, "NumberOfConnectors") == "2"
        assert value(keys, "ConnectorPhaseRotationMaxLength") == "3"
        assert value(keys, "SupportedFeatureProfiles") == "Core,RemoteTrigger"
        assert value(ConfigurationKeys(station(CABLES)), "NumberOfConnectors") == "2"

    def test_defaults_that_the_specification_names(self, keys: ConfigurationKeys) -> None:
        assert value(keys, "MeterValuesSampledData") == "Energy.Active.Import.Register"  # §9.1.17


class TestChangeConfiguration:
    @pytest.mark.parametrize(
        ("key", "new", "variable"),
        [
            ("AllowOfflineTxForUnknownId", "true", v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED),
            ("AuthorizationCacheEnabled", "false", v.AUTH_CACHE_ENABLED),
            ("AuthorizeRemoteTxRequests", "true", v.AUTHORIZE_REMOTE_START),
            ("BlinkRepeat", "7", v.BLINK_REPEAT),
            ("ClockAlignedDataInterval", "900", v.ALIGNED_INTERVAL),
            ("ConnectionTimeOut", "30", v.EV_CONNECTION_TIME_OUT),
            ("HeartbeatInterval", "60", v.HEARTBEAT_INTERVAL),
            ("LightIntensity", "50", v.LIGHT_INTENSITY),
            ("LocalAuthorizeOffline", "false", v.LOCAL_AUTHORIZE_OFFLINE),
            ("LocalPreAuthorize", "true", v.LOCAL_PRE_AUTHORIZE),
            ("MaxEnergyOnInvalidId", "500", v.MAX_ENERGY_ON_INVALID_ID),
            ("MessageTimeout", "20", v.MESSAGE_TIMEOUT),
            ("MeterValuesAlignedData", "Voltage", v.ALIGNED_MEASURANDS),
            ("MeterValuesSampledData", "Voltage.L1,SoC", v.SAMPLED_TX_UPDATED_MEASURANDS),
            ("MeterValueSampleInterval", "5", v.SAMPLED_TX_UPDATED_INTERVAL),
            ("MinimumStatusDuration", "3", v.MINIMUM_STATUS_DURATION),
            ("ResetRetries", "2", v.RESET_RETRIES),
            ("StopTransactionOnEVSideDisconnect", "false", v.STOP_TX_ON_EV_SIDE_DISCONNECT),
            ("StopTransactionOnInvalidId", "false", v.STOP_TX_ON_INVALID_ID),
            ("StopTxnAlignedData", "Voltage", v.ALIGNED_TX_ENDED_MEASURANDS),
            ("StopTxnSampledData", "SoC", v.SAMPLED_TX_ENDED_MEASURANDS),
            ("TransactionMessageAttempts", "5", v.MESSAGE_ATTEMPTS),
            ("TransactionMessageRetryInterval", "10", v.MESSAGE_ATTEMPT_INTERVAL),
            ("UnlockConnectorOnEVSideDisconnect", "false", v.UNLOCK_ON_EV_SIDE_DISCONNECT),
            ("WebSocketPingInterval", "0", v.WEB_SOCKET_PING_INTERVAL),
            ("CpoName", "Acme Power", v.ORGANIZATION_NAME),
            ("RetryBackOffRandomRange", "1", v.RETRY_BACK_OFF_RANDOM_RANGE),
            ("RetryBackOffRepeatTimes", "2", v.RETRY_BACK_OFF_REPEAT_TIMES),
            ("RetryBackOffWaitMinimum", "1", v.RETRY_BACK_OFF_WAIT_MINIMUM),
            ("MeterFailureGrace", "30", v.METER_FAILURE_GRACE),
            ("OfflineCurrentLimit", "10", v.OFFLINE_CURRENT_LIMIT),
            ("OfflineLimitDelay", "300", v.OFFLINE_LIMIT_DELAY),
            ("QueueMaxBytes", "200000", v.QUEUE_MAX_BYTES),
            ("QueueMaxRows", "500", v.QUEUE_MAX_ROWS),
            ("TransactionSaveInterval", "10", v.TRANSACTION_SAVE_INTERVAL),
        ],
    )
    def test_a_key_and_its_variable_are_one_value(
        self, keys: ConfigurationKeys, model: DeviceModel, key: str, new: str, variable: VariableId
    ) -> None:
        assert value(keys, key) != new
        assert keys.change(key, new) == "Accepted"
        assert model.get(variable) == value(keys, key) == new
        assert (variable, new) in model.drain_changes()

    def test_writable_keys_are_all_covered_above(self, keys: ConfigurationKeys) -> None:
        marks = type(self).test_a_key_and_its_variable_are_one_value.pytestmark  # type: ignore[attr-defined] # set by the decorator
        covered = {key for key, _, _ in marks[0].args[1]}
        elsewhere = {"ConnectorPhaseRotation", "SecurityProfile"}
        assert {e["key"] for e in keys.get()[0] if not e["readonly"]} == covered | elsewhere

    def test_an_unknown_key_is_not_supported(self, keys: ConfigurationKeys) -> None:
        assert keys.change("Foo", "1") == "NotSupported"

    def test_a_read_only_key_is_rejected(self, keys: ConfigurationKeys) -> None:
        for entry in keys.get()[0]:
            if entry["readonly"]:
                assert keys.change(str(entry["key"]), str(entry["value"])) == "Rejected"

    @pytest.mark.parametrize(
        ("key", "new"),
        [
            ("HeartbeatInterval", "soon"),
            ("HeartbeatInterval", ""),
            ("WebSocketPingInterval", "-1"),  # §9.1.34
            ("MeterValueSampleInterval", "-1"),
            ("ClockAlignedDataInterval", "1e3"),
            ("AuthorizationCacheEnabled", "on"),
            ("MeterValuesSampledData", "Energy.Active.Import.Register,Foo"),  # errata 3.14.4
            ("StopTxnSampledData", "energy"),
        ],
    )
    def test_a_value_that_does_not_fit_is_rejected_and_changes_nothing(
        self, keys: ConfigurationKeys, model: DeviceModel, key: str, new: str
    ) -> None:
        before = keys.get()[0]
        assert keys.change(key, new) == "Rejected"
        assert keys.get()[0] == before
        assert model.drain_changes() == []

    def test_keys_compare_without_case(self, keys: ConfigurationKeys) -> None:
        assert keys.change("heartbeatINTERVAL", "5") == "Accepted"
        assert value(keys, "HeartbeatInterval") == "5"

    def test_a_change_that_waits_for_a_reboot_says_so(self) -> None:
        custom = VariableSpec(
            VariableId(v.CUSTOM, "Region"), v.STANDARD_VARIABLES[0].data_type, "1", reboot_required=True
        )
        assert ConfigurationKeys(station(SOCKET, custom=(custom,))).change("Region", "2") == "RebootRequired"

    def test_nothing_is_unlocked_where_all_cables_are_fixed(self) -> None:
        """Errata 3.84: read-only, false."""
        keys = ConfigurationKeys(station(CABLES))
        (entry,), _ = keys.get(["UnlockConnectorOnEVSideDisconnect"])
        assert (entry["readonly"], entry["value"]) == (True, "false")
        assert keys.change("UnlockConnectorOnEVSideDisconnect", "true") == "Rejected"

    def test_a_makers_own_key_is_a_key_like_the_others(self) -> None:
        custom = VariableSpec(
            VariableId(v.CUSTOM, "Acme", variable_instance="Lamp"), v.STANDARD_VARIABLES[0].data_type, "1"
        )
        keys = ConfigurationKeys(station(SOCKET, custom=(custom,)))
        assert keys.get(["acme.lamp"])[0] == [{"key": "Acme.Lamp", "readonly": False, "value": "1"}]
        assert keys.change("Acme.Lamp", "2") == "Accepted"
        assert keys.get()[0][-1] == {"key": "Acme.Lamp", "readonly": False, "value": "2"}


class TestConnectorPhaseRotation:
    def test_what_is_not_known_is_said(self, keys: ConfigurationKeys) -> None:
        assert value(keys, "ConnectorPhaseRotation") == "1.Unknown,2.NotApplicable"

    @pytest.mark.parametrize(
        ("new", "shown"),
        [
            ("0.RST,1.RST,2.NotApplicable", "0.RST,1.RST,2.NotApplicable"),
            ("1.RTS, 2.RST", "1.RTS,2.RST"),
            ("2.TRS", "1.Unknown,2.TRS"),
            ("1.Unknown", "1.Unknown,2.NotApplicable"),
            ("", "1.Unknown,2.NotApplicable"),
        ],
    )
    def test_each_connector_has_its_own(self, keys: ConfigurationKeys, new: str, shown: str) -> None:
        assert keys.change("ConnectorPhaseRotation", new) == "Accepted"
        assert value(keys, "ConnectorPhaseRotation") == shown

    def test_it_is_the_phase_rotation_of_the_connectors(self, keys: ConfigurationKeys, model: DeviceModel) -> None:
        keys.change("ConnectorPhaseRotation", "0.SRT,1.RTS")
        assert model.get(v.STATION_PHASE_ROTATION) == "SRT"
        assert model.get(VariableId("Connector", "PhaseRotation", evse_id=1, connector_id=1)) == "RTS"
        model.set(VariableId("Connector", "PhaseRotation", evse_id=2, connector_id=1), "Rxx")
        assert value(keys, "ConnectorPhaseRotation") == "0.SRT,1.RTS,2.NotApplicable"

    @pytest.mark.parametrize("new", ["RST", "3.RST", "1.RRR", "1.RST,1.RTS", "1.NotApplicable", "01.RST", "-1.RST"])
    def test_what_does_not_fit_is_rejected(self, keys: ConfigurationKeys, new: str) -> None:
        assert keys.change("ConnectorPhaseRotation", new) == "Rejected"


class TestSecurity:
    def test_the_security_profile_is_never_lowered(self, keys: ConfigurationKeys, model: DeviceModel) -> None:
        """Whitepaper A05.FR.01."""
        model.set_factory(v.SECURITY_PROFILE, "2")
        for new in ("0", "1", "2", "4", "x", ""):
            assert keys.change("SecurityProfile", new) == "Rejected"
        assert keys.change("SecurityProfile", "3") == "Accepted"
        assert model.drain_changes() == [(v.SECURITY_PROFILE, "3")]

    def test_a_profile_whose_prerequisites_are_missing_is_rejected(
        self, keys: ConfigurationKeys, model: DeviceModel
    ) -> None:
        """Whitepaper A05.FR.02..04."""
        model.set_factory(v.SECURITY_PROFILE, "1")
        model.constrain(v.SECURITY_PROFILE, lambda _: "no root certificate is installed")
        assert keys.change("SecurityProfile", "2") == "Rejected"
        assert value(keys, "SecurityProfile") == "1"

    def test_the_authorization_key_is_passed_on_as_bytes(self, keys: ConfigurationKeys, model: DeviceModel) -> None:
        """Whitepaper A01.FR.01."""
        assert keys.change("AuthorizationKey", "00112233445566778899AABBCCDDEEFF") == "Accepted"
        assert model.drain_changes() == [(v.BASIC_AUTH_PASSWORD, "00112233445566778899aabbccddeeff")]
        assert keys.change("AuthorizationKey", "short") == "Rejected"
        assert model.drain_changes() == []

    @pytest.mark.parametrize("length", [32, 34, 36, 38, 40])
    def test_hexadecimal_digits_are_bytes(self, length: int) -> None:
        """Whitepaper A00.FR.205: 16 to 20 bytes."""
        text = ("0aB9" * 10)[:length]
        assert decode_authorization_key(text) == bytes.fromhex(text)

    @pytest.mark.parametrize(
        "text",
        [
            "12345678",
            "0123456789abcdef",
            "a plain password",
            "0123456789abcdef0123456789abcdeg",
            "pässwörter",
            "x" * 40,
        ],
    )
    def test_anything_else_is_its_own_bytes(self, text: str) -> None:
        assert decode_authorization_key(text) == text.encode()

    @pytest.mark.parametrize(
        "text", ["", "1234567", "x" * 41, "a" * 33, "0" * 42, "tab\tinside", "line\n12345", "\ud800abcdefgh"]
    )
    def test_what_fits_neither_is_refused_without_being_shown(self, text: str) -> None:
        with pytest.raises(ValueError, match="must") as refusal:
            decode_authorization_key(text)
        assert not text or text not in str(refusal.value)

    def test_a_technicians_value_resolves_to_the_same_variables(self, keys: ConfigurationKeys) -> None:
        assert keys.resolve("MessageTimeout", "20") == [(v.MESSAGE_TIMEOUT, "20")]
        assert keys.resolve("NumberOfConnectors", "20") == []
        with pytest.raises(KeyError):
            keys.resolve("Foo", "1")
