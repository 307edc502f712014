"""The configuration file: what is valid, and that every mistake is named with what would be right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.charging import variables as v
from agent.charging.characteristics import VariableId
from agent.charging.types import ConnectorSpec, EvseSpec
from agent.config import AgentConfig, device_model, evse_spec, load, resolve_config_path, resolve_state_dir
from agent.errors import ConfigError, ConfigProblem
from agent.ocpp.v16.configuration import ConfigurationKeys

STATION = """
[station]
identity = "CP001"
vendor = "Acme"
model = "AC22"
"""
CSMS = """
[csms]
url = "ws://127.0.0.1:9000/ocpp"
"""
EVSE = """
[[evse]]
id = 1
connectors = ["cType2"]
max_current = 32.0
phases = 3
driver = "mock"
"""


def read(tmp_path: Path, *parts: str) -> AgentConfig:
    path = tmp_path / "config.toml"
    path.write_text("\n".join(parts))
    return load(path)


def problems(tmp_path: Path, *parts: str) -> dict[str, ConfigProblem]:
    """The mistakes by key; each says what is wrong and what would be right, and names the file."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, *parts)
    for problem in caught.value.problems:
        assert problem.file == str(tmp_path / "config.toml")
        assert problem.wrong
        assert problem.right
        assert str(problem) in str(caught.value).splitlines()
    return {problem.key: problem for problem in caught.value.problems}


class TestValidFiles:
    def test_the_least_that_a_station_needs(self, tmp_path: Path) -> None:
        config = read(tmp_path, STATION, EVSE)
        assert config.csms == (None, ("1.6",), None)
        assert config.station.serial_number == ""
        assert config.station.firmware_version is None
        assert config.firmware.installer == "slots"
        assert config.service_port is None
        assert config.reboot_command == ()
        assert config.warnings == ()

    def test_everything_at_once(self, tmp_path: Path) -> None:
        config = read(
            tmp_path,
            STATION,
            'serial_number = "A-0001"\nfirmware_version = "1.4.0"',
            CSMS,
            'versions = ["2.0.1", "1.6"]\nsecurity_profile = 1',
            EVSE,
            "ventilation = true",
            "[evse.options]\nbus = 3",
            """
            [[evse]]
            id = 2
            connectors = ["sType2", "cCCS2"]
            max_current = 16
            phases = 1
            [evse.meter]
            driver = "sdm630"
            options = { address = 1 }
            [evse.contactor]
            driver = "relay"
            [[reader]]
            driver = "pn532"
            [reader.options]
            port = "/dev/ttyS1"
            [hal.mock]
            control = "mock.sock"
            [firmware]
            installer = "command"
            install_command = ["install", "-x"]
            [service_port]
            port = "/dev/ttyGS0"
            [system]
            reboot_command = ["systemctl", "reboot"]
            [custom.configuration]
            AcmeLamp = "blue"
            [custom.variables.AcmeCtrlr]
            Level = 3
            [configuration]
            HeartbeatInterval = 100
            LocalPreAuthorize = true
            MeterValuesSampledData = "Energy.Active.Import.Register, Voltage.L1"
            ConnectorPhaseRotation = "1.RST"
            SupportedFeatureProfiles = "Core"
            AcmeLamp = "red"
            [variables.OCPPCommCtrlr]
            MessageTimeout = 20
            "MessageAttempts.TransactionEvent" = 5
            [variables."EVSE#1"]
            Power = 11000
            [variables.acmectrlr]
            level = 4
            """,
        )
        assert config.station == ("CP001", "Acme", "AC22", "A-0001", "1.4.0")
        assert config.csms == ("ws://127.0.0.1:9000/ocpp", ("1.6",), 1)
        first, second = config.evses
        assert first == (1, ("cType2",), 32.0, 3, ("mock", {"bus": 3}), {}, True)
        assert (second.driver, second.parts) == (
            None,
            {"meter": ("sdm630", {"address": 1}), "contactor": ("relay", {})},
        )
        assert config.readers == (("pn532", {"port": "/dev/ttyS1"}),)
        assert config.hal == {"mock": {"control": "mock.sock"}}
        assert config.firmware == ("command", ("install", "-x"))
        assert config.service_port == ("/dev/ttyGS0", 115_200)
        assert config.reboot_command == ("systemctl", "reboot")
        assert dict(config.factory_values)[VariableId("EVSE", "Power", evse_id=1)] == "11000"
        assert [str(spec.id) for spec in config.custom] == ["CustomizationCtrlr/AcmeLamp", "AcmeCtrlr/Level"]

        model = device_model(config, "9.9")
        assert model.get(v.STATION_FIRMWARE_VERSION) == "1.4.0"
        assert model.integer(v.HEARTBEAT_INTERVAL) == 100
        assert model.boolean(v.LOCAL_PRE_AUTHORIZE) is True
        assert model.integer(v.MESSAGE_TIMEOUT) == 20
        assert model.integer(v.MESSAGE_ATTEMPTS) == 5
        assert model.integer(v.SECURITY_PROFILE) == 1
        assert model.get(v.IDENTITY) == "CP001"
        assert model.integer(VariableId("AcmeCtrlr", "Level")) == 4
        assert model.drain_changes() == []
        shown = {entry["key"]: entry["value"] for entry in ConfigurationKeys(model).get()[0]}
        assert shown["AcmeLamp"] == "red"
        assert shown["ConnectorPhaseRotation"] == "1.RST,2.NotApplicable,3.NotApplicable"
        assert shown["SupportedFeatureProfiles"] == "Core"
        assert shown["MeterValuesSampledData"] == "Energy.Active.Import.Register,Voltage.L1"

    def test_the_running_images_version_is_the_default(self, tmp_path: Path) -> None:
        assert device_model(read(tmp_path, STATION, EVSE), "9.9").get(v.STATION_FIRMWARE_VERSION) == "9.9"

    def test_an_evse_as_the_core_knows_it(self, tmp_path: Path) -> None:
        (evse,) = read(tmp_path, STATION, EVSE, "ventilation = true").evses
        assert evse_spec(evse) == EvseSpec(1, (ConnectorSpec(1, "cType2"),), 32.0, 3, ventilation=True)

    @pytest.mark.parametrize("url", ["ws://h", "wss://h:1/", "ws://[::1]:9/a/b?q=1"])
    def test_a_security_profile_may_be_left_to_the_url(self, tmp_path: Path, url: str) -> None:
        csms = read(tmp_path, STATION, f'[csms]\nurl = "{url}"', EVSE).csms
        assert csms == (url, ("1.6",), None)

    def test_any_identifier_string_is_an_identity(self, tmp_path: Path) -> None:
        identity = "aZ09*-_=:+|@." + "x" * 35
        config = read(tmp_path, STATION.replace("CP001", identity), "[csms]\nsecurity_profile = 0", EVSE)
        assert config.station.identity == identity


class TestWarnings:
    def test_a_version_to_come_is_not_offered(self, tmp_path: Path) -> None:
        config = read(tmp_path, STATION, CSMS, 'versions = ["2.1", "2.0.1", "1.6"]', EVSE)
        assert config.csms.versions == ("1.6",)
        assert len(config.warnings) == 2

    def test_no_security_is_for_a_bench(self, tmp_path: Path) -> None:
        (warning,) = read(tmp_path, STATION, CSMS, "security_profile = 0", EVSE).warnings
        assert "bench" in warning

    def test_a_url_with_the_identity_in_it(self, tmp_path: Path) -> None:
        (warning,) = read(tmp_path, STATION, '[csms]\nurl = "ws://h/ocpp/CP001"', EVSE).warnings
        assert "identity" in warning


class TestMistakes:
    def test_all_are_named_at_once(self, tmp_path: Path) -> None:
        found = problems(
            tmp_path,
            """
            [station]
            identity = "CP 1"
            vendor = "A manufacturer's quite long name"
            modell = "AC22"
            [csms]
            url = "http://h"
            [configuration]
            HartbeatInterval = 300
            [[evse]]
            id = 2
            connectors = ["cTyp2"]
            max_current = "32"
            phases = 2
            """,
        )
        assert set(found) == {
            *("station.identity", "station.vendor", "station.model", "station.modell", "csms.url"),
            *("configuration.HartbeatInterval", "evse[1].id", "evse[1].connectors"),
            *("evse[1].max_current", "evse[1].phases", "evse[1].driver"),
        }

    @pytest.mark.parametrize(
        ("wrong", "key", "nearest"),
        [
            ("[statoin]", "statoin", "station"),
            ("[csms]\nURL = 1", "csms.URL", "url"),
            ("[firmware]\ninstall_comand = []", "firmware.install_comand", "install_command"),
            ("[configuration]\nheartbeat_interval = 1", "configuration.heartbeat_interval", "HeartbeatInterval"),
            ("[variables.OCPPComCtrlr]\nHeartbeatInterval = 1", "variables.OCPPComCtrlr", "OCPPCommCtrlr"),
            (
                "[variables.TxCtrlr]\nEVConnectionTimeout2 = 1",
                "variables.TxCtrlr.EVConnectionTimeout2",
                "EVConnectionTimeOut",
            ),
            ('[variables."EVSE#2"]\nPower = 1', "variables.EVSE#2", "EVSE#1"),
            ("[service_port]\nport = 'x'\nbaud = 1", "service_port.baud", "baudrate"),
        ],
    )
    def test_an_unknown_name_comes_with_the_nearest_known_one(
        self, tmp_path: Path, wrong: str, key: str, nearest: str
    ) -> None:
        found = problems(tmp_path, STATION, EVSE, wrong)
        assert set(found) == {key}
        assert found[key].right == f"did you mean {nearest}?"

    @pytest.mark.parametrize(
        ("identity", "right"),
        [
            ("", "1 to 48"),
            ("x" * 49, "1 to 48"),
            (" CP001", "without them"),
            ("CP001 ", "without them"),
            ("CP/001", "A-Z"),
            ("CPé", "A-Z"),
            ("CP:001", "basic authentication"),
        ],
    )
    def test_identity(self, tmp_path: Path, identity: str, right: str) -> None:
        found = problems(tmp_path, STATION.replace("CP001", identity), CSMS, EVSE)
        assert right in found["station.identity"].right

    @pytest.mark.parametrize("scheme", ["ws", "wss"])
    def test_no_colon_where_it_ends_the_user_name(self, tmp_path: Path, scheme: str) -> None:
        """RFC 7617 §2: the user name of basic authentication holds none."""
        found = problems(tmp_path, STATION.replace("CP001", "CP:1"), f'[csms]\nurl = "{scheme}://h"', EVSE)
        assert set(found) == {"station.identity"}

    @pytest.mark.parametrize(
        ("key", "longest"), [("vendor", 20), ("model", 20), ("serial_number", 25), ("firmware_version", 50)]
    )
    def test_lengths_are_those_of_the_boot_notification(self, tmp_path: Path, key: str, longest: int) -> None:
        """1.6 §6.3."""
        fields = {"identity": "CP001", "vendor": "Acme", "model": "AC22"}

        def station(length: int) -> str:
            return "[station]\n" + "\n".join(f'{k} = "{w}"' for k, w in {**fields, key: "x" * length}.items())

        read(tmp_path, station(longest), EVSE)
        assert f"station.{key}" in problems(tmp_path, station(longest + 1), EVSE)

    @pytest.mark.parametrize(
        "url",
        [
            "127.0.0.1:9000",
            "https://h",
            "ws://",
            "ws:///path",
            "ws://h:port",
            "ws://h:99999",
            "ws://user:secret@h",
            "ws://user:secret/1@h",
            "ws://h/p#f",
            "ws://a b/",
            "ws://[::1",
        ],
    )
    def test_url(self, tmp_path: Path, url: str) -> None:
        found = problems(tmp_path, STATION, f'[csms]\nurl = "{url}"', EVSE)
        assert set(found) == {"csms.url"}
        assert "secret" not in found["csms.url"].wrong

    @pytest.mark.parametrize(("scheme", "profile"), [("ws", 2), ("ws", 3), ("wss", 0), ("wss", 1), ("ws", 4)])
    def test_security_profile_and_scheme(self, tmp_path: Path, scheme: str, profile: int) -> None:
        wrong = f'[csms]\nurl = "{scheme}://h"\nsecurity_profile = {profile}'
        assert set(problems(tmp_path, STATION, wrong, EVSE)) == {"csms.security_profile"}

    @pytest.mark.parametrize("versions", ['["2.0.1"]', '["1.5", "1.6"]', "[]", '"1.6"', "[1.6]"])
    def test_versions(self, tmp_path: Path, versions: str) -> None:
        assert set(problems(tmp_path, STATION, CSMS, f"versions = {versions}", EVSE)) == {"csms.versions"}

    @pytest.mark.parametrize(
        ("replaced", "by", "key"),
        [
            ("id = 1", "id = 0", "evse[1].id"),
            ("id = 1", "id = true", "evse[1].id"),
            ("id = 1", "", "evse[1].id"),
            ('["cType2"]', "[]", "evse[1].connectors"),
            ('["cType2"]', '"cType2"', "evse[1].connectors"),
            ('["cType2"]', '["ctype2"]', "evse[1].connectors"),
            ("32.0", "0", "evse[1].max_current"),
            ("32.0", "nan", "evse[1].max_current"),
            ("phases = 3", "phases = 3.0", "evse[1].phases"),
            ('driver = "mock"', "", "evse[1].driver"),
            ('driver = "mock"', "driver = 1", "evse[1].driver"),
            ('driver = "mock"', "[evse.meter]\n", "evse[1].meter.driver"),
            ('driver = "mock"', 'driver = "mock"\noptions = 1', "evse[1].options"),
            ('driver = "mock"', 'driver = "mock"\nventilation = "yes"', "evse[1].ventilation"),
        ],
    )
    def test_evse(self, tmp_path: Path, replaced: str, by: str, key: str) -> None:
        assert set(problems(tmp_path, STATION, EVSE.replace(replaced, by))) == {key}

    def test_evses_are_numbered_in_order(self, tmp_path: Path) -> None:
        assert set(problems(tmp_path, STATION, EVSE, EVSE)) == {"evse[2].id"}
        assert len(read(tmp_path, STATION, EVSE, EVSE.replace("id = 1", "id = 2")).evses) == 2

    @pytest.mark.parametrize("wrong", ["", "evse = []"])
    def test_a_station_has_an_evse(self, tmp_path: Path, wrong: str) -> None:
        assert set(problems(tmp_path, wrong, STATION)) == {"evse"}

    @pytest.mark.parametrize(
        ("wrong", "key"),
        [
            ('[firmware]\ninstaller = "slot"', "firmware.installer"),
            ('[firmware]\ninstaller = "command"', "firmware.install_command"),
            ('[firmware]\ninstaller = "slots"\ninstall_command = ["x"]', "firmware.install_command"),
            ("[service_port]\nbaudrate = 9600", "service_port.port"),
            ('[service_port]\nport = "/dev/x"\nbaudrate = 1', "service_port.baudrate"),
            ('[system]\nreboot_command = "reboot"', "system.reboot_command"),
            ("[hal]\nmock = 1", "hal.mock"),
            ("[[reader]]", "reader[1].driver"),
        ],
    )
    def test_other_tables(self, tmp_path: Path, wrong: str, key: str) -> None:
        assert set(problems(tmp_path, STATION, EVSE, wrong)) == {key}


class TestUnreadableFiles:
    def check(self, path: Path, wrong: str) -> None:
        with pytest.raises(ConfigError, match=wrong) as caught:
            load(path)
        (problem,) = caught.value.problems
        assert problem.file == str(path)

    def test_no_file(self, tmp_path: Path) -> None:
        self.check(tmp_path / "none.toml", "is not there; name the file with --config")

    def test_a_directory(self, tmp_path: Path) -> None:
        self.check(tmp_path, "cannot be read")

    def test_not_toml(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_text("[station\n")
        self.check(path, "is not TOML .*line 1")

    def test_not_text(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"a = '\xff'")
        self.check(path, "not UTF-8 at offset 5")

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"#" * 1_000_001)
        self.check(path, "too large")

    def test_sections_that_are_not_tables(self, tmp_path: Path) -> None:
        names = ("station", "csms", "hal", "firmware", "service_port", "system", "custom", "configuration", "variables")
        found = problems(tmp_path, *(f"{name} = 1" for name in (*names, "evse", "reader")))
        assert set(found) >= {*names, "evse", "reader"}


class TestWhereFilesAre:
    def test_an_option_wins_over_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EVSE_AGENT_CONFIG", "/e/config.toml")
        monkeypatch.setenv("EVSE_AGENT_STATE", "/e/state")
        assert resolve_config_path("/o/c.toml") == Path("/o/c.toml")
        assert resolve_state_dir("/o/s") == Path("/o/s")
        assert resolve_config_path() == Path("/e/config.toml")
        assert resolve_state_dir() == Path("/e/state")

    @pytest.mark.parametrize("root", [True, False])
    def test_else_the_platforms_directories(self, monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
        for name in ("EVSE_AGENT_CONFIG", "EVSE_AGENT_STATE", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CONFIG_DIRS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", "/home/op")
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        assert resolve_config_path() == Path(
            "/etc/xdg/evse-agent/config.toml" if root else "/home/op/.config/evse-agent/config.toml"
        )
        assert resolve_state_dir() == Path("/var/lib/evse-agent" if root else "/home/op/.local/state/evse-agent")
