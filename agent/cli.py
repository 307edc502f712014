"""The commands on the charger: `evse-agent` and, composed here, `evse-provision`.

Exit codes: 0 done, 1 failed, 2 wrong usage or invalid configuration. What a person can cause ends in a message, not in
a traceback. Each command imports what it needs when it runs: the daemon must not pay for the others.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.config import AgentConfig

DONE, FAILED, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """`evse-agent`."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser(words[0] if words else None).parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        return FAILED
    except OSError as error:
        # The reader (`| head`) has had enough, or the output's disk is full: what is left unsaid must not raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED if isinstance(error, BrokenPipeError) else _fail(error.strerror or error)


def _parser(only: str | None) -> argparse.ArgumentParser:
    """`only`: the command that is wanted; the daemon's start does not pay for the others' options."""
    parser = argparse.ArgumentParser(
        prog="evse-agent",
        description="The OCPP charge-point agent for an EV charger's Linux controller.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or invalid configuration.",
    )
    parser.add_argument("--version", action="version", version=f"evse-agent {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (text, add_options) in _COMMANDS.items():
        if only not in _COMMANDS or only == name:
            add_options(commands.add_parser(name, help=text, description=text))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_places(parser)
    parser.add_argument("--log-format", choices=("json", "console"), default="console", help="default: console")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: info"
    )
    parser.set_defaults(command=_run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_demo)


def _add_check(parser: argparse.ArgumentParser) -> None:
    _add_places(parser)
    parser.add_argument("--dial", action="store_true", help="connect even while the agent runs, which may interrupt it")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=_check)


def _add_status(parser: argparse.ArgumentParser) -> None:
    _add_places(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=_status)


def _add_resend(parser: argparse.ArgumentParser) -> None:
    _add_places(parser)
    parser.set_defaults(command=_resend)


def _add_mock(parser: argparse.ArgumentParser) -> None:
    from agent.bench.mock_help import operations  # noqa: PLC0415 - the daemon does not come by here

    _add_places(parser)
    parser.add_argument("operation", metavar="OP", help="one of those below")
    parser.add_argument("parameters", metavar="KEY=VALUE", nargs="*", help="values are JSON, or else text")
    parser.epilog = f"{operations()}\n\nexample: evse-agent mock plug_in evse=2 current=16"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(command=_mock)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="default: $EVSE_AGENT_CONFIG, else the site's config.toml")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="default: $EVSE_AGENT_STATE, else the site's state directory"
    )


def version() -> str:
    """The installed version of this program."""
    from agent import __version__  # noqa: PLC0415

    return __version__


def _fail(message: object, code: int = FAILED) -> int:
    for line in str(message).splitlines() or ["failed"]:
        print(f"evse-agent: {line}", file=sys.stderr)  # noqa: T201 - this is the user interface
    return code


def _load_config(arguments: argparse.Namespace) -> AgentConfig:
    """Raises ConfigError."""
    from agent.config import load, resolve_config_path  # noqa: PLC0415

    return load(resolve_config_path(arguments.config))


def _state_dir(arguments: argparse.Namespace) -> Path:
    from agent.config import resolve_state_dir  # noqa: PLC0415

    return resolve_state_dir(arguments.state_dir).absolute()


# --- run --------------------------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace) -> int:
    import gc  # noqa: PLC0415

    # Nothing of what start-up makes is garbage: looking for some costs a tenth of it. The agent switches it on again.
    gc.disable()
    from agent import lazy_metadata  # noqa: PLC0415

    lazy_metadata.install()
    import asyncio  # noqa: PLC0415

    from agent import logs  # noqa: PLC0415
    from agent.app import Agent, Exit  # noqa: PLC0415
    from agent.charging.variables import RESET_RETRIES  # noqa: PLC0415
    from agent.errors import AgentError, ConfigError  # noqa: PLC0415
    from agent.restart import restart  # noqa: PLC0415
    from hal.errors import BoardConfigError, HalError  # noqa: PLC0415
    from provisioning.errors import ProvisioningError  # noqa: PLC0415

    logs.set_up(arguments.log_level, arguments.log_format)
    try:
        config = _load_config(arguments)
        for warning in config.warnings:
            logs.logger.warning("%s: %s", config.path, warning)
        agent = Agent(config, _state_dir(arguments), version())
        ended = asyncio.run(agent.run())
    except ConfigError as error:
        return _fail(error, USAGE)
    except BoardConfigError as error:
        return _fail(f"{config.path}: {error}", USAGE)
    except (AgentError, ProvisioningError, HalError) as error:
        return _fail(error)
    if ended is Exit.STOPPED:
        return DONE
    return restart(config.reboot_command if ended is Exit.REBOOT else (), agent.model.integer(RESET_RETRIES))


# --- status -----------------------------------------------------------------------------------------------------------


def _status(arguments: argparse.Namespace) -> int:
    from agent.local.certificates import installed  # noqa: PLC0415
    from agent.local.client import NotRunningError, ask  # noqa: PLC0415
    from provisioning.errors import ProvisioningError  # noqa: PLC0415

    state_dir = _state_dir(arguments)
    try:
        answer = ask(state_dir / "agent.sock", {"op": "status"})
        answer["certificates"] = installed(state_dir)
    except NotRunningError as error:
        return _fail(f"no agent answers here ({error}); is it running, with this --state-dir?")
    except ProvisioningError as error:
        return _fail(error)
    _print(json.dumps(answer, indent=2) if arguments.json else _readable(answer))
    return DONE


def _readable(answer: dict[str, Any]) -> str:
    from agent.local.readable import readable  # noqa: PLC0415

    return readable(answer)


# --- resend -----------------------------------------------------------------------------------------------------------


def _resend(arguments: argparse.Namespace) -> int:
    from agent.local.client import NotRunningError, ask  # noqa: PLC0415

    try:
        answer = ask(_state_dir(arguments) / "agent.sock", {"op": "resend"})
    except NotRunningError as error:
        return _fail(f"no agent answers here ({error}); is it running, with this --state-dir?")
    if not answer.get("ok"):
        return _fail(answer.get("error", "failed"))
    _print(f"{answer['reports']} reports are queued again")
    return DONE


# --- mock -------------------------------------------------------------------------------------------------------------


def _mock(arguments: argparse.Namespace) -> int:
    from agent.errors import ConfigError  # noqa: PLC0415
    from agent.local.client import NotRunningError, ask  # noqa: PLC0415

    request: dict[str, Any] = {"op": arguments.operation}
    for parameter in arguments.parameters:
        key, separator, text = parameter.partition("=")
        if not separator or not key:
            return _fail(f"{parameter!r} is not KEY=VALUE, as in evse=2", USAGE)
        try:
            # A card's number and a maker's code may look like numbers and are text all the same.
            request[key] = text if key in ("token", "vendor_code", "info") else json.loads(text)
        except ValueError:
            request[key] = text
    try:
        config = _load_config(arguments)
    except ConfigError as error:
        return _fail(error, USAGE)
    control = config.hal.get("mock", {}).get("control", "mock.sock")
    try:
        answer = ask(_state_dir(arguments) / str(control), request)
    except NotRunningError as error:
        return _fail(f"no mock hardware answers here ({error}); is the agent running, with this --state-dir?")
    _print(json.dumps(answer))
    return DONE if answer.get("ok") else FAILED


# --- check, demo ------------------------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415

    from agent.checkup import checkup  # noqa: PLC0415
    from agent.errors import ConfigError  # noqa: PLC0415
    from provisioning.errors import ProvisioningError  # noqa: PLC0415

    try:
        config = _load_config(arguments)
        report = asyncio.run(checkup(config, _state_dir(arguments), dial=arguments.dial))
    except ConfigError as error:
        return _fail(error, USAGE)
    except ProvisioningError as error:
        return _fail(error)
    _print(json.dumps(report.as_json(), indent=2) if arguments.json else report.as_text())
    return DONE if report.passed else FAILED


def _demo(_arguments: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415

    try:
        from agent.bench.demo import demo  # noqa: PLC0415
    except ModuleNotFoundError as error:
        return _fail(f"the demo needs {error.name}: install it with  pip install 'evse-agent[bench]'")
    return asyncio.run(demo())


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is the user interface


# --- evse-provision ---------------------------------------------------------------------------------------------------


def provision_main(argv: Sequence[str] | None = None) -> int:
    """`evse-provision`: provisioning's commands, with what only the agent knows."""
    from agent.catalogue import StationCatalogue  # noqa: PLC0415
    from agent.config import load, resolve_config_path, resolve_state_dir  # noqa: PLC0415
    from agent.errors import ConfigError  # noqa: PLC0415
    from provisioning.cli import main as provision  # noqa: PLC0415
    from provisioning.errors import DocumentError, Problem  # noqa: PLC0415

    def catalogue(path: Path) -> StationCatalogue:
        try:
            return StationCatalogue(load(path))
        except ConfigError as error:
            problems = [Problem(problem.key, problem.wrong, problem.right) for problem in error.problems]
            raise DocumentError(str(path), problems) from error

    return provision(argv, catalogue=catalogue, config_path=resolve_config_path, state_dir=resolve_state_dir)


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("run the agent in the foreground until SIGTERM or SIGINT", _add_run),
    "demo": ("one whole charging session on mock hardware, against a CSMS of its own", _add_demo),
    "check": ("validate configuration, credentials and certificates, and try the connection once", _add_check),
    "status": ("the running agent's state", _add_status),
    "resend": ("send once more what the CSMS refused and status shows as set aside", _add_resend),
    "mock": ("operate the mock hardware of a running agent", _add_mock),
}

if __name__ == "__main__":
    sys.exit(main())
