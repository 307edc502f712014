"""What the bench writes is what the agent reads."""

from __future__ import annotations

import tomllib
from pathlib import Path

from agent.bench.station_files import configuration, provision, write_configuration
from agent.config import load
from provisioning.settings import Settings


def test_a_configuration_is_valid_for_the_agent(tmp_path: Path) -> None:
    content = configuration(
        "ws://127.0.0.1:9/ocpp",
        identity="CP002",
        evses=2,
        security_profile=1,
        keys={"HeartbeatInterval": 7},
        variables={"OCPPCommCtrlr": {"MessageTimeout": 9}},
        evse={"connectors": ["sType2", "cCCS2"], "options": {"voltage": 240.0}},
    )
    write_configuration(tmp_path / "config.toml", content)
    config = load(tmp_path / "config.toml")
    assert config.station.identity == "CP002"
    assert config.csms.security_profile == 1
    assert [evse.connectors for evse in config.evses] == [("sType2", "cCCS2")] * 2
    assert config.hal == {"mock": {"control": "mock.sock"}}
    values = {str(value) for _, value in config.factory_values}
    assert {"7", "9"} <= values


def test_toml_keeps_every_value(tmp_path: Path) -> None:
    content = {"a": {'odd "name"': "line\nbreak", "b": {"list": [1, 2.5, "x"], "on": True}}, "t": [{"n": {"x": 1}}, {}]}
    write_configuration(tmp_path / "x.toml", content)
    assert tomllib.loads((tmp_path / "x.toml").read_text("utf-8")) == content


def test_provisioned_credentials_are_the_stations_own(tmp_path: Path) -> None:
    provision(tmp_path, password="åé-made-up", root_ca="PEM")  # noqa: S106 - made up for this test
    provision(tmp_path, root_ca="PEM 2")
    csms = Settings.load(tmp_path).content.csms
    assert (csms.basic_auth_password, csms.root_ca) == ("åé-made-up".encode(), "PEM 2")
