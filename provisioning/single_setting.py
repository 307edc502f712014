"""One setting from a command line, as the smallest site profile: so it passes the same checks."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from provisioning.bounded_file import read_bounded
from provisioning.catalogue import Catalogue
from provisioning.certificates import check_roots, merged
from provisioning.errors import DocumentError, Problem
from provisioning.setting_names import SECTIONS, nearest
from provisioning.settings import Content
from provisioning.site_profile import SiteProfile, read_document

_LISTS = ("csms.versions", "network.time_servers")
_NUMBERS = ("csms.security_profile",)


def read_setting(key: str, value: str, current: Content, catalogue: Catalogue, utc_ms: int) -> SiteProfile:
    """A profile that sets one key, written as in the TOML document: `csms.url`, `variables."EVSE#1".Power`.

    Lists are comma-separated; a certificate is named by its file, relative to the working directory.
    Raises DocumentError.
    """
    parsed: Any = value
    if key in _LISTS:
        parsed = [item.strip() for item in value.split(",") if item.strip()]
    elif key in _NUMBERS and value.isascii() and value.isdigit():
        parsed = int(value[:9])
    document: dict[str, Any] = {}
    table = document
    path = _path(key)
    if len(path) < 2 or path[0] not in SECTIONS:
        meant = nearest(key, catalogue.names)
        right = f"did you mean {meant}?" if meant else "write it as in the site profile, e.g. csms.url"
        raise DocumentError("", [Problem(key if key and key.isprintable() else repr(key), "is not a setting", right)])
    *path, name = path
    for part in path:
        table = table.setdefault(part, {})
    table[name] = parsed
    return read_document(document, current, catalogue, utc_ms, folder=Path(), source="")


def read_roots(path: Path, current: Content, catalogue: Catalogue, utc_ms: int) -> SiteProfile:
    """A profile that adds the CA certificates of a PEM file to those trusted now. Raises DocumentError."""
    try:
        pem = read_bounded(path).decode("utf-8-sig")
    except OSError as error:
        problems = [Problem("", f"cannot be read: {error.strerror}", "name a file with CA certificates (PEM)")]
    except ValueError:
        right = f"convert it: openssl x509 -inform der -in {path.name} -out {path.stem}.pem"
        problems = [Problem("", "is binary, not PEM text", right)]
    else:
        problems = [Problem("", wrong, right) for wrong, right in check_roots(pem, utc_ms).wrong]
        if not problems:
            document = {"csms": {"root_ca": merged(current.csms.root_ca, pem)}}
            return read_document(document, current, catalogue, utc_ms, source=str(path))
    raise DocumentError(str(path), problems)


def _path(key: str) -> list[str]:
    """The parts of a dotted TOML key; none if it is not one."""
    try:
        level: Any = tomllib.loads(f"{key} = 0") if key.isprintable() else None
    except tomllib.TOMLDecodeError:
        level = None
    path = []
    while isinstance(level, dict) and len(level) == 1:
        ((part, level),) = level.items()
        path.append(part)
    return path if level == 0 else []
