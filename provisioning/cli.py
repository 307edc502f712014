"""`evse-provision`: the technician's commands, on the charger itself.

What the tool must know of the station is injected: this package imports nothing of the agent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from provisioning.apply import FACTORY, FOLLOWS_URL, Change, apply_profile, flattened, plan, shown
from provisioning.catalogue import Catalogue
from provisioning.connection import in_force, overlay
from provisioning.connection_rules import connection_url
from provisioning.errors import AgentUnreachableError, DocumentError, ProvisioningError, StateLockedError
from provisioning.hand_over import hand_over
from provisioning.settings import Content, Csms, Settings
from provisioning.single_setting import read_roots, read_setting
from provisioning.site_profile import SiteProfile, read_profile
from provisioning.state_lock import exclusive

_LOCK_WAIT_S = 3.0

_LOOK = "see 'evse-provision show --local' for what is set"
_WHY_LOCAL = (
    "--local is missing: it says that you mean the charger that this runs on. "
    "It is required, because a charger at the end of a cable cannot be reached with this version"
)

OpenCatalogue = Callable[[Path], Catalogue]
"""From the configuration file to what the station knows. Raises DocumentError for one that cannot be used."""

FindPath = Callable[[str | None], Path]
"""From the option `--config` or `--state-dir` to the path; from None to the default."""

Prepare = Callable[[Content], SiteProfile]
"""From what is set to what shall be set."""


class _Station(NamedTuple):
    """The station that a command works on, and how the command talks."""

    catalogue: Catalogue
    state_dir: Path
    utc_ms: int
    as_json: bool


def main(
    argv: Sequence[str] | None = None, *, catalogue: OpenCatalogue, config_path: FindPath, state_dir: FindPath
) -> int:
    """Runs one command and returns the exit code: 0 done, 1 failed, 2 invalid document. Wrong usage exits with 2."""
    parser = _parser(config_path(None), state_dir(None))
    arguments = parser.parse_args(argv)
    if not arguments.local:
        parser.error(_WHY_LOCAL)
    try:
        code = _run(arguments, catalogue, config_path, state_dir)
        sys.stdout.flush()
    except OSError as error:
        # The reader (`| head`) has had enough, or the output's disk is full: what is left unsaid must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"the output was lost ({error.strerror}); {_LOOK}\n")
        return 1
    return code


def _run(arguments: argparse.Namespace, catalogue: OpenCatalogue, config_path: FindPath, state_dir: FindPath) -> int:
    as_json = bool(arguments.json)
    try:
        opened = catalogue(config_path(arguments.config))
        station = _Station(opened, state_dir(arguments.state_dir), time.time_ns() // 1_000_000, as_json)
        arguments.run(station, arguments)
    except DocumentError as error:
        return _fail(str(error).splitlines(), 2, as_json)
    except ProvisioningError as error:
        return _fail([str(error)], 1, as_json)
    except KeyboardInterrupt:
        return _fail([f"interrupted; {_LOOK}"], 1, as_json)
    return 0


def _parser(config_path: Path, state_dir: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evse-provision",
        description="Set how this charger reaches its CSMS, and other settings of the site.",
        epilog="Exit codes: 0 done; 1 failed; 2 wrong usage or an invalid profile (nothing was changed).",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    shared.add_argument("--local", action="store_true", help="required: work on the charger that this runs on")
    shared.add_argument("--config", metavar="FILE", help="the agent's configuration file")
    shared.add_argument("--state-dir", metavar="DIR", help="the agent's state directory")
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the result as JSON")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Callable[[_Station, argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[shared], help=text, description=text, allow_abbrev=False)
        command.formatter_class = argparse.RawDescriptionHelpFormatter  # the others cut paths at their hyphens
        command.epilog = f"defaults:\n  --config {config_path}\n  --state-dir {state_dir}"
        command.set_defaults(run=run)
        return command

    apply = add("apply", _apply, "Apply a site profile: all of it, or nothing and each mistake is named.")
    apply.add_argument("profile", metavar="PROFILE", type=Path, help="the site profile (TOML)")
    apply.add_argument("--dry-run", action="store_true", help="check it and show what would change")
    change = add("set", _set, "Change one setting.")
    change.add_argument("key", metavar="KEY", help="as in the site profile: csms.url, configuration.HeartbeatInterval")
    change.add_argument("value", metavar="VALUE", help="the value (lists: A,B); - reads it from standard input")
    trust = add("import-ca", _import_ca, "Trust a further root certificate for the CSMS; the others stay.")
    trust.add_argument("file", metavar="FILE", type=Path, help="one or more CA certificates (PEM)")
    add("show", _show, "Show the settings that count, without secrets.")
    return parser


def _apply(station: _Station, arguments: argparse.Namespace) -> None:
    def prepare(current: Content) -> SiteProfile:
        return read_profile(arguments.profile, current, station.catalogue, station.utc_ms)

    if arguments.dry_run:
        settings = Settings.load(station.state_dir, read_only=True)
        profile = prepare(settings.content)
        _report(
            station,
            settings,
            profile,
            plan(profile, settings.content, station.catalogue),
            "A dry run: nothing was changed.",
        )
    else:
        _change(station, prepare)


def _set(station: _Station, arguments: argparse.Namespace) -> None:
    value = sys.stdin.readline().rstrip("\r\n") if arguments.value == "-" else arguments.value
    _change(station, lambda now: read_setting(arguments.key, value, now, station.catalogue, station.utc_ms))


def _import_ca(station: _Station, arguments: argparse.Namespace) -> None:
    _change(station, lambda now: read_roots(arguments.file, now, station.catalogue, station.utc_ms))


def _change(station: _Station, prepare: Prepare) -> None:
    settings = Settings.load(station.state_dir, read_only=True)
    profile = prepare(settings.content)  # an invalid one must not even create the state directory
    changes, outcome = _commit(station, prepare, profile)
    _report(station, settings, profile, changes, outcome if changes else "Everything was already set like this.")


def _commit(station: _Station, prepare: Prepare, profile: SiteProfile) -> tuple[list[Change], str]:
    """Writes the settings, or has the running agent write them. Returns what changed and what happens now."""
    try:
        lock = exclusive(station.state_dir)
    except StateLockedError:
        try:
            return hand_over(station.state_dir, profile.document), "The running agent has taken this over."
        except AgentUnreachableError as unreachable:
            try:
                lock = exclusive(station.state_dir, _LOCK_WAIT_S)
            except StateLockedError as error:
                raise ProvisioningError(
                    f"{error}. Nothing was changed: no agent answers there either ({unreachable})"
                ) from unreachable
    with lock:
        settings = Settings.load(station.state_dir)
        changes = apply_profile(settings, prepare(settings.content), station.catalogue)
        return changes, "The agent will use this when it starts."


def _report(station: _Station, settings: Settings, profile: SiteProfile, changes: list[Change], outcome: str) -> None:
    notes = [*settings.warnings, *profile.notes]
    url = _dialled(profile.effective)
    if station.as_json:
        changed = [change._asdict() for change in changes]
        _write_json({"ok": True, "changes": changed, "notes": notes, "connection_url": url, "outcome": outcome})
        return
    for note in notes:
        sys.stderr.write(f"note: {note}\n")
    for change in changes:
        sys.stdout.write(f"{change.key}: {change.old} -> {change.new}\n")
    if url is not None:
        sys.stdout.write(f"The station dials {url}\n")
    sys.stdout.write(f"{outcome}\n")


def _show(station: _Station, _arguments: argparse.Namespace) -> None:
    settings = Settings.load(station.state_dir, read_only=True)
    content = settings.content
    set_by_anybody = overlay(station.catalogue.factory, content.csms)
    effective = in_force(station.catalogue.factory, content.csms)
    provisioned = flattened(content)
    values = {**provisioned, **flattened(content._replace(csms=effective))}
    lines = {key: shown(key, value) for key, value in values.items()}
    url = _dialled(effective)
    if station.as_json:
        _write_json(
            {
                "ok": True,
                "settings": lines,
                "provisioned": sorted(provisioned),
                "availability": dict(content.availability),
                "connection_url": url,
                "generation": settings.generation,
                "notes": list(settings.warnings),
            }
        )
        return
    for warning in settings.warnings:
        sys.stderr.write(f"note: {warning}\n")
    for key, text in lines.items():
        why = FOLLOWS_URL if key == "csms.security_profile" and set_by_anybody.security_profile is None else FACTORY
        sys.stdout.write(f"{key} = {text}\n" if key in provisioned else f"{key} = {text}   {why}\n")
    for place, state in content.availability.items():
        sys.stdout.write(f"availability.{place} = {state}\n")
    sys.stdout.write(f"The station dials {url or 'nothing yet: csms.url or csms.identity is not set'}\n")


def _dialled(csms: Csms) -> str | None:
    return connection_url(csms.url, csms.identity) if csms.url and csms.identity else None


def _fail(lines: list[str], code: int, as_json: bool) -> int:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    if as_json:
        _write_json({"ok": False, "errors": lines})
    return code


def _write_json(result: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(result) + "\n")
