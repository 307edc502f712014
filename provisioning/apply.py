"""From a valid site profile to durable settings: all of it or nothing."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import Any, NamedTuple

from provisioning.errors import SettingsError
from provisioning.settings import Content, Csms, Firmware, Network, Settings
from provisioning.site_profile import SiteProfile

NOT_SET = "not set"
SECRETS = ("csms.basic_auth_password", "csms.client_key")


class Change(NamedTuple):
    """One setting that changes, for people to read; of a secret only that it is set.

    `key` is the site profile's (`csms.url`), or `variables.` and the device-model key.
    """

    key: str
    old: str
    new: str


def plan(profile: SiteProfile, current: Content) -> list[Change]:
    """What applying the profile would change; what already is as it asks for is left out."""
    return _differences(current, _after(profile, current))


def apply_profile(settings: Settings, profile: SiteProfile) -> list[Change]:
    """Makes the profile durable and returns what changed. Whoever calls holds the state directory's lock.

    Raises SettingsError if it could not be written; `settings` is then as before.
    """
    before = settings.content
    settings.content = _after(profile, before)
    try:
        settings.save()
    except SettingsError:
        settings.content = before
        raise
    return _differences(before, settings.content)


def shown(key: str, value: object) -> str:
    """A setting's value in one line, without secrets. `key` is the site profile's."""
    if value is None:
        return NOT_SET
    if key in SECRETS:
        return "set"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, str) and "-----BEGIN " in value:
        count = value.count("-----BEGIN CERTIFICATE-----")
        digest = hashlib.sha256(value.encode()).hexdigest()[:16]
        return f"{count} certificate{'' if count == 1 else 's'} (text's SHA-256 {digest}...)"
    return str(value)


def flattened(content: Content) -> dict[str, object]:
    """Every setting that is set, by its key."""
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
    flat.update((f"variables.{key}", value) for key, value in content.variables.items())
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


def _differences(old: Content, new: Content) -> list[Change]:
    before, after = flattened(old), flattened(new)
    changes = []
    for key in (*before, *(key for key in after if key not in before)):
        was, becomes = before.get(key), after.get(key)
        if was != becomes:
            rewritten = key in SECRETS and was is not None and becomes is not None
            changes.append(Change(key, shown(key, was), "changed" if rewritten else shown(key, becomes)))
    return changes
