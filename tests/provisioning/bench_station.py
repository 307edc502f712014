"""A station with a handful of known settings, as the agent's package would inject it.

Run as a program, it is `evse-provision` for that station.
"""

from __future__ import annotations

import sys
from pathlib import Path

from provisioning.catalogue import Checked
from provisioning.cli import main
from provisioning.errors import DocumentError, Problem
from provisioning.setting_names import variable_name
from provisioning.settings import Csms

HEARTBEAT = "OCPPCommCtrlr/HeartbeatInterval"
POWER = "EVSE#1/Power"


class BenchCatalogue:
    """Knows HeartbeatInterval under both its names, and the power of EVSE 1."""

    factory = Csms(url="ws://factory.example.com", identity="FACTORY", versions=("1.6",))
    versions = ("1.6",)
    names = ("configuration.HeartbeatInterval", variable_name(HEARTBEAT), variable_name(POWER))

    def factory_value(self, key: str) -> str | None:
        return {HEARTBEAT: "86400"}.get(key)

    def check_configuration(self, name: str, value: str) -> Checked:
        if name.casefold() != "heartbeatinterval":
            return Checked(wrong="is not a known key", right="did you mean configuration.HeartbeatInterval?")
        return self._seconds(value)

    def check_variable(self, component: str, variable: str, value: str) -> Checked:
        if (component, variable) == ("EVSE#1", "Power"):
            return Checked(((POWER, value),))
        if (component, variable) == ("OCPPCommCtrlr", "HeartbeatInterval"):
            return self._seconds(value)
        return Checked(wrong="is not a known variable", right="see the variables of the station")

    @staticmethod
    def _seconds(value: str) -> Checked:
        if not value.isdigit():
            return Checked(wrong=f"is {value}", right="write a whole number of at least 0")
        return Checked(((HEARTBEAT, value),))


def open_catalogue(config: Path) -> BenchCatalogue:
    if config.name == "absent.toml":
        raise DocumentError(str(config), [Problem("", "no such file", "name the configuration file")])
    return BenchCatalogue()


def config_path(option: str | None) -> Path:
    return Path(option or "/etc/100%-evse/config.toml")


def find_state_dir(option: str | None) -> Path:
    return Path(option or "/var/lib/bench-evse-agent")


def evse_provision(*arguments: str | Path) -> int:
    return main(
        [str(argument) for argument in arguments],
        catalogue=open_catalogue,
        config_path=config_path,
        state_dir=find_state_dir,
    )


if __name__ == "__main__":
    sys.exit(evse_provision(*sys.argv[1:]))
