"""The site profile: what a technician sets, read from TOML and checked as a whole.

A profile is refused with every mistake in it, or accepted; what is merely doubtful becomes a note. The checks look at
the connection as it will be: the profile over what is already set over the factory's configuration.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from provisioning.bounded_file import read_bounded
from provisioning.catalogue import Catalogue
from provisioning.certificates import check_client_pair, check_roots
from provisioning.connection import in_force, overlay
from provisioning.connection_rules import (
    check_host,
    check_identity,
    check_proxy,
    check_together,
    check_url,
    check_versions,
    decode_password,
    note_profile,
    note_similar_identity,
)
from provisioning.errors import DocumentError, Problem
from provisioning.profile_table import ProfileTable
from provisioning.settings import Content, Csms, Firmware, Network
from provisioning.variable_tables import read_variables

_MOST_VERSIONS = 3
_MOST_TIME_SERVERS = 8


class SiteProfile(NamedTuple):
    """A valid profile. None in a part: left as it is; "" takes a root certificate or the proxy away.

    `variables`: device-model key to value; `names`: to the name that the document has for it. `effective` is the
    connection in force once the profile is applied. `document` is the profile as it was written, with PEM texts instead
    of file names: it can be sent to the agent and read again there.
    """

    csms: Csms
    firmware: Firmware
    network: Network
    variables: Mapping[str, str]
    effective: Csms
    notes: tuple[str, ...]
    document: Mapping[str, Any]
    names: Mapping[str, str]

    def __repr__(self) -> str:
        return f"SiteProfile({self.csms!r}, {len(self.variables)} variables)"


def read_profile(path: Path, current: Content, catalogue: Catalogue, utc_ms: int) -> SiteProfile:
    """Reads a TOML file; file names in it are relative to its folder. Raises DocumentError with every mistake."""
    try:
        text = read_bounded(path).decode("utf-8-sig")  # Windows editors put a byte order mark in front
        document = tomllib.loads(text)
    except OSError as error:
        problem = Problem("", f"cannot be read: {error.strerror}", "name a site profile (TOML)")
    except tomllib.TOMLDecodeError as error:
        problem = Problem("", f"is not valid TOML: {error}", 'write key = "value" lines below [csms] and the like')
    except (ValueError, RecursionError):
        problem = Problem("", "is not a TOML text", "name a site profile (TOML, UTF-8)")
    else:
        return read_document(document, current, catalogue, utc_ms, folder=path.parent, source=str(path))
    raise DocumentError(str(path), [problem])


def read_document(
    document: Mapping[str, Any],
    current: Content,
    catalogue: Catalogue,
    utc_ms: int,
    *,
    folder: Path | None = None,
    source: str = "site profile",
) -> SiteProfile:
    """Checks a profile's content against what is set (`current`) and what the station knows (`catalogue`).

    Without a `folder`, as for a document that came over a wire, certificates must be PEM texts and no file is opened.
    `utc_ms` is the device's clock. Raises DocumentError with every mistake.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    root = ProfileTable("", document, problems, folder)
    csms, effective = _read_csms(root.table("csms"), overlay(catalogue.factory, current.csms), catalogue, notes)
    _check_certificates(csms, effective, utc_ms, problems, notes)
    firmware = _read_firmware(root.table("firmware"), utc_ms, notes)
    assigned = read_variables(root.table("configuration"), root.table("variables"), catalogue)
    network = _read_network(root.table("network"))
    root.done({field: f"csms.{field}" for field in Csms._fields})
    if problems:
        raise DocumentError(source, problems)
    return SiteProfile(
        csms,
        firmware,
        network,
        {key: each.value for key, each in assigned.items()},
        effective,
        tuple(notes),
        _self_contained(document, csms, firmware),
        {key: each.name for key, each in assigned.items()},
    )


def _read_csms(table: ProfileTable, before: Csms, catalogue: Catalogue, notes: list[str]) -> tuple[Csms, Csms]:
    """What the profile sets, and the connection in force then; `before` is what was set."""
    problems = table.problems
    csms = Csms(
        url=table.text("url"),
        identity=table.text("identity"),
        security_profile=table.integer("security_profile", 0, 3),
        versions=table.texts("versions", _MOST_VERSIONS),
        root_ca=table.pem("root_ca"),
        client_certificate=table.pem("client_certificate"),
        client_key=table.pem("client_key"),
    )
    password = table.text("basic_auth_password")
    table.done()
    after = in_force(before, csms)
    if csms.url is not None or (csms.identity and after.url):
        problems += check_url(csms.url if csms.url is not None else after.url or "", after.identity)
    if csms.identity is not None:
        problems += check_identity(csms.identity, after.security_profile)
    elif csms.security_profile is not None and after.identity is not None:
        problems += check_identity(after.identity, after.security_profile)
    if csms.versions is not None:
        problems += check_versions(csms.versions, catalogue.versions)
    if password is not None:
        spoken = tuple(version for version in after.versions or () if version in catalogue.versions)
        key, found, risk = decode_password(password, spoken, after.identity)
        problems += found
        csms = csms._replace(basic_auth_password=key)
        notes += [risk] if risk else []
        after = in_force(before, csms)
    touched = frozenset(name for name, value in csms._asdict().items() if value is not None)
    found, remarks = check_together(after, touched)
    problems += found
    notes += remarks
    notes += filter(None, (note_similar_identity(before, after), note_profile(before, csms)))
    return csms, after


def _check_certificates(csms: Csms, effective: Csms, utc_ms: int, problems: list[Problem], notes: list[str]) -> None:
    if csms.root_ca:
        _check_roots("csms.root_ca", csms.root_ca, utc_ms, problems, notes)
    if csms.client_certificate is None and csms.client_key is None:
        return
    if effective.client_certificate is None or effective.client_key is None:
        missing = "client_certificate" if effective.client_certificate is None else "client_key"
        problems.append(Problem(f"csms.{missing}", "is missing", "give the certificate and its key together"))
        return
    findings = check_client_pair(effective.client_certificate, effective.client_key, utc_ms)
    problems += (Problem("csms.client_certificate", wrong, right) for wrong, right in findings.wrong)
    notes += (f"csms.client_certificate: {note}" for note in findings.notes)


def _check_roots(key: str, pem: str, utc_ms: int, problems: list[Problem], notes: list[str]) -> None:
    findings = check_roots(pem, utc_ms)
    problems += (Problem(key, wrong, right) for wrong, right in findings.wrong)
    notes += (f"{key}: {note}" for note in findings.notes)


def _read_firmware(table: ProfileTable, utc_ms: int, notes: list[str]) -> Firmware:
    firmware = Firmware(table.pem("root_ca"))
    table.done()
    if firmware.root_ca:
        _check_roots("firmware.root_ca", firmware.root_ca, utc_ms, table.problems, notes)
    return firmware


def _read_network(table: ProfileTable) -> Network:
    network = Network(table.text("proxy"), table.texts("time_servers", _MOST_TIME_SERVERS))
    table.done()
    if network.proxy:
        table.problems += check_proxy(network.proxy)
    for server in network.time_servers or ():
        table.problems += check_host(server, "network.time_servers")
    return network


def _self_contained(document: Mapping[str, Any], csms: Csms, firmware: Firmware) -> dict[str, Any]:
    texts = {
        "csms": {name: getattr(csms, name) for name in ("root_ca", "client_certificate", "client_key")},
        "firmware": firmware._asdict(),
    }
    contained = dict(document)
    for section, values in texts.items():
        given = {name: value for name, value in values.items() if value is not None}
        if given:
            contained[section] = {**document[section], **given}
    return contained
