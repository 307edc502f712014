"""How a setting is called: the dotted TOML key under which a site profile, and `evse-provision set`, write it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from provisioning.settings import Csms, Firmware, Network

_OWN = {"csms": Csms._fields, "firmware": Firmware._fields, "network": Network._fields}
SECTIONS = (*_OWN, "configuration", "variables")

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dotted(*parts: str) -> str:
    """`variables."EVSE#1".Power`: the parts joined, quoted where TOML wants it."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in parts)


def variable_name(key: str) -> str:
    """What a variable is called whose device-model key (`Component#1/Variable.instance`) this is."""
    component, _, variable = key.partition("/")
    return dotted("variables", component, variable)


def nearest(name: str, of_station: Iterable[str]) -> str | None:
    """The setting that was probably meant, its section perhaps forgotten. `of_station`: names beside our own."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    meant: dict[str, str] = {}
    for known in (*(dotted(section, field) for section, fields in _OWN.items() for field in fields), *of_station):
        meant.setdefault(known.casefold(), known)
        meant.setdefault(known.casefold().partition(".")[2], known)
    near = get_close_matches(name.casefold(), meant, 1, cutoff=0.6)
    return meant[near[0]] if near else None
