"""[configuration] and [variables.*] of a site profile: names and values that the station's catalogue must know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from provisioning.catalogue import Catalogue, Checked
from provisioning.profile_table import ProfileTable

# one truth: these live in [csms], whatever OCPP calls them
_ELSEWHERE = {
    "configuration.authorizationkey": "csms.basic_auth_password",
    "configuration.securityprofile": "csms.security_profile",
    "variables.securityctrlr.basicauthpassword": "csms.basic_auth_password",
    "variables.securityctrlr.identity": "csms.identity",
    "variables.securityctrlr.securityprofile": "csms.security_profile",
}


class Assigned(NamedTuple):
    """A variable's value, and the name under which the document sets it."""

    value: str
    name: str


def read_variables(
    configuration: ProfileTable, components: ProfileTable, catalogue: Catalogue
) -> Mapping[str, Assigned]:
    """The variables that both tables set, by device-model key. Mistakes go to the tables' `problems`."""
    assigned: dict[str, Assigned] = {}
    for name in configuration.content:
        if (value := _value(configuration, name)) is not None:
            _assign(configuration, name, catalogue.check_configuration(name, value), assigned)
    for component in components.content:
        table = components.table(component)
        for name in table.content:
            if (value := _value(table, name)) is not None:
                _assign(table, name, catalogue.check_variable(component, name, value), assigned)
    return assigned


def _assign(table: ProfileTable, name: str, checked: Checked, assigned: dict[str, Assigned]) -> None:
    if checked.wrong:
        table.problem(name, checked.wrong, checked.right)
        return
    for key, value in checked.assignments:
        earlier = assigned.setdefault(key, Assigned(value, table.key(name)))
        if earlier.value != value:
            table.problem(name, f"contradicts {earlier.name}, which is the same setting", "set one of them")


def _value(table: ProfileTable, name: str) -> str | None:
    """The value as OCPP writes it, or None for one that has no place here."""
    place = _ELSEWHERE.get(table.key(name).lower())
    if place is not None:
        table.problem(name, "is at the wrong place", f"write it as {place}")
        return None
    value = table.content[name]
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6f}".rstrip("0").rstrip(".")  # OCPP 2.0.1 part 2 §2.1.4: at most six decimal places
    right = 'write a list as one text: "A,B"' if isinstance(value, list) else "write a text, a number, true or false"
    table.problem(name, "has a value of a kind that no setting has", right)
    return None
