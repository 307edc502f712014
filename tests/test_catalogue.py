"""What the technician's tool learns of a station."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.bench.station_files import configuration, write_configuration
from agent.catalogue import StationCatalogue
from agent.config import load


@pytest.fixture
def catalogue(tmp_path: Path) -> StationCatalogue:
    path = tmp_path / "config.toml"
    write_configuration(path, configuration("ws://csms.example.com", keys={"HeartbeatInterval": 77}))
    return StationCatalogue(load(path))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HartbeatInterval", "configuration.HeartbeatInterval"),
        ("heartbeat_interval", "configuration.HeartbeatInterval"),
        ("OCPPCommCtrlr.HeartbeatInterval", "variables.OCPPCommCtrlr.HeartbeatInterval"),
    ],
)
def test_an_unknown_key_is_answered_with_the_known_one(catalogue: StationCatalogue, name: str, meant: str) -> None:
    checked = catalogue.check_configuration(name, "60")
    assert checked.wrong == "is not a configuration key"
    assert checked.right == f"did you mean {meant}?"


@pytest.mark.parametrize(
    ("component", "variable", "right"),
    [
        ("OCPPComCtrlr", "HeartbeatInterval", "did you mean variables.OCPPCommCtrlr.HeartbeatInterval?"),
        ("EVSE#1", "Powr", 'did you mean variables."EVSE#1".Power?'),
        (
            "OCPPCommCtrlr",
            "MessageAttempts.TransactionEvnt",
            'did you mean variables.OCPPCommCtrlr."MessageAttempts.TransactionEvent"?',
        ),
        ("Q", "Z", "see docs/configuration.md for the known names"),
    ],
)
def test_an_unknown_variable_too(catalogue: StationCatalogue, component: str, variable: str, right: str) -> None:
    checked = catalogue.check_variable(component, variable, "60")
    assert (checked.wrong, checked.right) == ("is not a variable of this station", right)


def test_a_factory_value_is_known_and_outlives_a_check(catalogue: StationCatalogue) -> None:
    ((key, value),) = catalogue.check_configuration("heartbeatinterval", "60").assignments
    assert (key, value) == ("OCPPCommCtrlr/HeartbeatInterval", "60")
    assert catalogue.factory_value(key) == "77"
    assert catalogue.factory_value("SecurityCtrlr/BasicAuthPassword") is None
    assert catalogue.factory_value("No/Such") is None


def test_every_name_can_be_set_under(catalogue: StationCatalogue) -> None:
    assert {"configuration.HeartbeatInterval", 'variables."EVSE#1".Power'} <= set(catalogue.names)
