"""The configuration file's factory values: 1.6 keys, 2.x variables, and the maker's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.charging import variables as v
from agent.config import AgentConfig, device_model, load
from agent.errors import ConfigError, ConfigProblem
from agent.ocpp.v16.configuration import KEYS, ConfigurationKeys

STATION = """
[station]
identity = "CP001"
vendor = "Acme"
model = "AC22"
[[evse]]
id = 1
connectors = ["cType2"]
max_current = 32.0
phases = 3
driver = "mock"
"""


def read(tmp_path: Path, values: str = "") -> AgentConfig:
    path = tmp_path / "config.toml"
    path.write_text(STATION + values)
    return load(path)


def problems(tmp_path: Path, values: str) -> dict[str, ConfigProblem]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, values)
    return {problem.key: problem for problem in caught.value.problems}


class TestFactoryValues:
    def test_a_key_and_its_variable_may_agree(self, tmp_path: Path) -> None:
        config = read(
            tmp_path,
            "[configuration]\nHeartbeatInterval = 60\n[variables.OCPPCommCtrlr]\nHeartbeatInterval = 60",
        )
        assert device_model(config, "").integer(v.HEARTBEAT_INTERVAL) == 60

    @pytest.mark.parametrize("key", [key.name for key in KEYS])
    def test_every_key_takes_its_own_default_or_says_why_not(self, tmp_path: Path, key: str) -> None:
        shown = {e["key"]: e["value"] for e in ConfigurationKeys(device_model(read(tmp_path), "")).get()[0]}
        written = f'[configuration]\n{key} = "{shown.get(key, "")}"'
        if key in ("AuthorizationKey", "SecurityProfile"):
            assert problems(tmp_path, written)[f"configuration.{key}"].wrong == "is not set here"
        elif key == "NumberOfConnectors" or key.endswith("MaxLength"):
            assert problems(tmp_path, written)[f"configuration.{key}"].wrong == "is computed"
        else:
            read(tmp_path, written)

    @pytest.mark.parametrize(
        ("wrong", "key"),
        [
            ("[configuration]\nHeartbeatInterval = 0", "configuration.HeartbeatInterval"),
            ("[configuration]\nMeterValueSampleInterval = -1", "configuration.MeterValueSampleInterval"),
            ('[configuration]\nMeterValuesSampledData = "Foo"', "configuration.MeterValuesSampledData"),
            ('[configuration]\nMeterValuesSampledData = ["SoC"]', "configuration.MeterValuesSampledData"),
            (
                "[configuration]\nUnlockConnectorOnEVSideDisconnect = true",
                "configuration.UnlockConnectorOnEVSideDisconnect",
            ),
            ('[configuration]\nSupportedFeatureProfiles = "Core,Smart"', "configuration.SupportedFeatureProfiles"),
            ("[configuration]\nHeartbeatInterval = 2024-01-01", "configuration.HeartbeatInterval"),
            (
                "[variables.OCPPCommCtrlr]\nMessageAttempts.TransactionEvent = 5",
                "variables.OCPPCommCtrlr.MessageAttempts",
            ),
            ("[variables.SecurityCtrlr]\nSecurityProfile = 1", "variables.SecurityCtrlr.SecurityProfile"),
            ('[variables.ChargingStation]\nModel = "x"', "variables.ChargingStation.Model"),
            (
                '[variables.ChargingStation]\nAvailabilityState = "Faulted"',
                "variables.ChargingStation.AvailabilityState",
            ),
            ("[custom.configuration]\nHEARTBEATINTERVAL = 1", "custom.configuration.HEARTBEATINTERVAL"),
            ('[custom.configuration]\n"a b" = 1', "custom.configuration.a b"),
            ("[custom.configuration]\n" + "x" * 51 + " = 1", "custom.configuration." + "x" * 51),
            ("[custom.configuration]\nFoo = 99999999999", "custom.configuration.Foo"),
            ("[custom.variables.TxCtrlr]\nTxStartPoint = 1", "custom.variables.TxCtrlr.TxStartPoint"),
            ('[custom.variables.ChargingStation]\nModel = "x"', "custom.variables.ChargingStation.Model"),
            ("[custom.configuration]\nfoo = 1\nFOO = 2", "custom.configuration.FOO"),
        ],
    )
    def test_what_is_no_factory_value(self, tmp_path: Path, wrong: str, key: str) -> None:
        assert set(problems(tmp_path, wrong)) == {key}

    def test_two_values_for_one_setting(self, tmp_path: Path) -> None:
        found = problems(
            tmp_path,
            "[configuration]\nMessageTimeout = 20\n[variables.OCPPCommCtrlr]\nMessageTimeout = 30",
        )
        assert "configuration.MessageTimeout" in found["variables.OCPPCommCtrlr.MessageTimeout"].wrong

    @pytest.mark.parametrize("key", ["AuthorizationKey", "authorizationkey"])
    def test_a_password_does_not_belong_here_and_is_not_shown(self, tmp_path: Path, key: str) -> None:
        found = problems(tmp_path, f'[configuration]\n{key} = "s3cr"')
        assert "evse-provision" in found[f"configuration.{key}"].right
        assert "s3cr" not in str(found)
