"""From a valid site profile to durable settings: all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from provisioning.catalogue import Catalogue
from provisioning.certificates import described
from provisioning.connection import in_force
from provisioning.errors import SettingsError
from provisioning.setting_names import variable_name
from provisioning.settings import Content, Csms, Firmware, Network, Settings
from provisioning.site_profile import SiteProfile

NOT_SET = "not set"
SECRETS = ("csms.basic_auth_password", "csms.client_key")
FACTORY, FOLLOWS_URL = "(factory)", "(follows csms.url)"
"""Why a value counts that nobody has set."""


class Change(NamedTuple):
    """One setting that changes, for people to read; of a secret only that it is set.

    `key` is the name under which the site profile sets it: `csms.url`, `configuration.HeartbeatInterval`.
    """

    key: str
    old: str
    new: str


def plan(profile: SiteProfile, current: Content, catalogue: Catalogue) -> list[Change]:
    """What applying the profile would change; what already is as it asks for is left out."""
    before, after = flattened(current, profile.names), flattened(_after(profile, current), profile.names)
    unset = _while_unset(profile, current, catalogue)
    changes = []
    for key in (*before, *(key for key in after if key not in before)):
        was, becomes = before.get(key), after.get(key)
        if was == becomes:
            continue
        old, new = (unset.get(key, NOT_SET) if value is None else shown(key, value) for value in (was, becomes))
        if key in SECRETS and was is not None and becomes is not None:
            new = "changed"
        changes.append(Change(key, old, new))
    return changes


def apply_profile(settings: Settings, profile: SiteProfile, catalogue: Catalogue) -> list[Change]:
    """Makes the profile durable and returns what changed. Whoever calls holds the state directory's lock.

    Raises SettingsError if it could not be written; `settings` is then as before.
    """
    before = settings.content
    changes = plan(profile, before, catalogue)
    settings.content = _after(profile, before)
    try:
        settings.save()
    except SettingsError:
        settings.content = before
        raise
    return changes


def shown(key: str, value: object) -> str:
    """A setting's value in one line, without secrets. `key` is the site profile's."""
    if value is None:
        return NOT_SET
    if key in SECRETS:
        return "set"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, str) and "-----BEGIN " in value:
        return described(value)
    return str(value)


def flattened(content: Content, names: Mapping[str, str] = MappingProxyType({})) -> dict[str, object]:
    """Every setting that is set, by its key in a site profile. `names`: other names for variables."""
    sections: dict[str, Csms | Firmware | Network] = {
        "csms": content.csms,
        "firmware": content.firmware,
        "network": content.network,
    }
    flat: dict[str, object] = {
        f"{section}.{name}": value
        for section, fields in sections.items()
        for name, value in fields._asdict().items()
        if value is not None
    }
    flat.update((names.get(key) or variable_name(key), value) for key, value in content.variables.items())
    return flat


def _after(profile: SiteProfile, current: Content) -> Content:
    return current._replace(
        csms=current.csms._replace(**_wishes(profile.csms)),
        firmware=current.firmware._replace(**_wishes(profile.firmware)),
        network=current.network._replace(**_wishes(profile.network)),
        variables=MappingProxyType({**current.variables, **profile.variables}),
    )


def _wishes(part: Csms | Firmware | Network) -> dict[str, Any]:
    fields = part._asdict().items()
    return {name: None if value == "" else value for name, value in fields if value is not None}


def _while_unset(profile: SiteProfile, old: Content, catalogue: Catalogue) -> dict[str, str]:
    """What counts of the settings that the profile may change, as long as nobody has set them."""
    variables = {key: value for key in profile.variables if (value := catalogue.factory_value(key)) is not None}
    factory = flattened(Content(csms=catalogue.factory, variables=variables), profile.names)
    texts = {key: f"{shown(key, value)} {FACTORY}" for key, value in factory.items()}
    connection = in_force(catalogue.factory, old.csms)
    if connection.url is not None:
        texts.setdefault("csms.security_profile", f"{connection.security_profile} {FOLLOWS_URL}")
    return texts
