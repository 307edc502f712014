"""What provisioning has to know about the station, answered by the agent's package."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from provisioning.settings import Csms


class Checked(NamedTuple):
    """What became of a value: the variables it sets (device-model key, value in standard spelling), or what is wrong.

    `wrong` is empty for an acceptable value; else `right` says what would be acceptable.
    """

    assignments: tuple[tuple[str, str], ...] = ()
    wrong: str = ""
    right: str = ""


class Catalogue(Protocol):
    """The settings that the station knows, and its factory's way to the CSMS."""

    @property
    def factory(self) -> Csms:
        """What the configuration file says: identity, URL, versions, and a security profile if it sets one."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The OCPP versions that the agent speaks."""

    @property
    def names(self) -> tuple[str, ...]:
        """The settings below [configuration] and [variables], as `provisioning.setting_names` spells them."""

    def factory_value(self, key: str) -> str | None:
        """What a variable (device-model key) is as long as nobody has set it; None: that is not known, or secret."""

    def check_configuration(self, name: str, value: str) -> Checked:
        """Judges a value for an OCPP 1.6 configuration key."""

    def check_variable(self, component: str, variable: str, value: str) -> Checked:
        """Judges a value for an OCPP 2.x variable.

        `component` is written "Component", "Component.instance", "Component#evse" or "Component#evse.connector",
        `variable` "Variable" or "Variable.instance".
        """
