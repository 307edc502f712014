"""`evse-agent check`: everything that stands between this station and its CSMS, looked at once, changing nothing."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from agent.board import board_spec
from agent.config import AgentConfig
from agent.csms.diagnosis import Diagnosis, DiagnosisCode
from agent.csms.endpoint import csms_endpoint
from agent.csms.probe import probe
from agent.csms.target import Target
from agent.local.client import NotRunningError, ask
from agent.local.readable import advice
from agent.local.status import diagnosis as as_dict
from agent.provisioned import connection_settings, target
from hal.board import Board
from hal.errors import BoardConfigError
from provisioning.certificates import Findings, check_client_pair, check_roots
from provisioning.connection_rules import check_identity, check_together, check_url
from provisioning.errors import Problem
from provisioning.settings import Csms, Settings


class Step(NamedTuple):
    """One thing looked at. `ok` None: worth knowing, no obstacle."""

    name: str
    ok: bool | None
    seen: str
    diagnosis: Diagnosis | None = None


class Report(NamedTuple):
    """All steps up to the first obstacle on the way to the CSMS."""

    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        return all(step.ok is not False for step in self.steps)

    def as_text(self) -> str:
        marks = {True: "ok  ", False: "FAIL", None: "note"}
        lines = [f"{marks[step.ok]}  {step.name:12} {step.seen}" for step in self.steps]
        for step in self.steps:
            if step.diagnosis is not None:
                lines += ["", str(step.diagnosis.code), *advice(as_dict(step.diagnosis))[1:]]
        lines += ["", "The station can reach its CSMS." if self.passed else "The station cannot reach its CSMS."]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "steps": [
                {
                    "name": step.name,
                    "ok": step.ok,
                    "seen": step.seen,
                    "diagnosis": as_dict(step.diagnosis) if step.diagnosis else None,
                }
                for step in self.steps
            ],
        }


async def checkup(config: AgentConfig, state_dir: Path, *, dial: bool = False) -> Report:
    """Raises SettingsError where the settings may not be read.

    dial: also while the agent runs, whose connection many CSMSs then close in favour of this one.
    """
    settings = Settings.load(state_dir, read_only=True)
    utc_ms = time.time_ns() // 1_000_000
    csms = connection_settings(settings.content, config)
    steps = [Step("config", True, f"{config.path} is valid")]
    steps += [Step("config", None, warning) for warning in config.warnings]
    steps.append(_hardware(config, state_dir))
    steps += [Step("settings", False, warning) for warning in settings.warnings]
    steps += _credentials(csms)
    steps += _certificates(csms, utc_ms)
    steps += _file_modes(state_dir)
    steps.append(
        Step("clock", None, f"this device's clock says {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC")
    )
    wanted = target(settings.content, config)
    if wanted is None:
        steps.append(Step("csms", False, "no CSMS is configured: set csms.url in the configuration or a site profile"))
        return Report(tuple(steps))
    if not dial and (running := _running(state_dir)) is not None:
        steps += running
        return Report(tuple(steps))
    results = await probe(wanted)
    steps += [Step(result.phase.value, result.ok, result.seen, result.diagnosis) for result in results]
    refused = results[-1].diagnosis
    if refused is not None and refused.code is DiagnosisCode.HTTP_404:
        steps.append(await _without_identity(wanted))
    return Report(tuple(steps))


def _running(state_dir: Path) -> list[Step] | None:
    """The running agent's own word on its link; None: no agent runs, the way is free."""
    try:
        link = ask(state_dir / "agent.sock", {"op": "status"})["link"]
    except (NotRunningError, KeyError):
        return None
    told = Step("link", None, "the agent is running, so nothing was dialled; --dial does, and may interrupt it")
    if link["phase"] == "open":
        return [told, Step("link", True, f"connected to {link['url']} since {link['connected_since']}")]
    last = link["last_diagnosis"]
    return [
        told,
        Step("link", False, f"{last['code']}: {last['seen']}" if last else f"not connected ({link['phase']})"),
    ]


async def _without_identity(target: Target) -> Step:
    """Whether the server knows the URL as it was written: some are given with the identity, some appended twice.

    No credentials go with this question: the address may be anybody's.
    """
    base, _, last = target.url.rstrip("/").rpartition("/")
    if not last or base.endswith("/"):
        return Step("url", None, "there is no path before the identity; many CSMSs want one, e.g. /ocpp")
    bare = target._replace(url=base, identity=unquote(last), security_profile=0, password=None)
    code = next((result.diagnosis.code for result in await probe(bare) if result.diagnosis), None)
    if code is DiagnosisCode.HTTP_404:
        return Step("url", None, f"{target.url} without the identity is not known either: the path is wrong")
    return Step(
        "url",
        None,
        f"the server does know {target.url} without the identity: leave the last part off csms.url where it is the "
        f"identity already, else this identity is not registered there",
    )


def _hardware(config: AgentConfig, state_dir: Path) -> Step:
    try:
        Board(board_spec(config, state_dir), lambda _signal: None)
    except BoardConfigError as error:
        return Step("hardware", False, str(error))
    return Step("hardware", True, f"{len(config.evses)} EVSE(s), drivers and options are known (no device was touched)")


def _credentials(csms: Csms) -> Iterator[Step]:
    profile = csms.security_profile or 0
    problems: list[Problem] = []
    if csms.url:
        problems += check_url(csms.url, csms.identity)
    problems += check_identity(csms.identity or "", profile)
    together, notes = check_together(csms, frozenset())
    problems += together
    for problem in problems:
        yield Step("credentials", False, f"{problem.key} {problem.wrong}; {problem.right}")
    for note in notes:
        yield Step("credentials", None, note)
    if not problems and not notes:
        yield Step("credentials", True, f"security profile {profile}, with what it needs")
    if csms.url and not problems:
        yield Step("credentials", None, f"will dial {_dialled(csms.url, csms.identity or '')}")


def _dialled(url: str, identity: str) -> str:
    """For people: the values in a query may be tokens."""
    try:
        return csms_endpoint(url, identity).shown
    except ValueError:
        return "nothing: the URL cannot be used"


def _certificates(csms: Csms, utc_ms: int) -> Iterator[Step]:
    if csms.root_ca is not None:
        yield from _found("csms.root_ca", check_roots(csms.root_ca, utc_ms))
    if csms.client_certificate is not None and csms.client_key is not None:
        yield from _found(
            "csms.client_certificate", check_client_pair(csms.client_certificate, csms.client_key, utc_ms)
        )


def _found(name: str, findings: Findings) -> Iterator[Step]:
    for wrong, right in findings.wrong:
        yield Step("certificates", False, f"{name} {wrong}; {right}")
    for note in findings.notes:
        yield Step("certificates", None, f"{name}: {note}")
    if not findings.wrong:
        yield Step("certificates", True, f"{name} can be used")


def _file_modes(state_dir: Path) -> Iterator[Step]:
    """Secrets are for the agent alone."""
    for path, allowed in ((state_dir, 0o700), (state_dir / "settings.json", 0o600)):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & ~allowed:
            yield Step(
                "file modes", False, f"{path} has mode {mode:o}: others can read it; run chmod {allowed:o} {path}"
            )
