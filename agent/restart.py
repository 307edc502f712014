"""The restart that an OCPP Reset asks for: of the program in place, or of the controller by the system's command."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

logger = logging.getLogger(__name__)

_COMMAND_TIMEOUT_S = 30.0
# A controller that reboots ends this program before this is over.
_REBOOT_WAIT_S = 60.0
# How the program that comes next learns of it.
_FAILURE = "EVSE_AGENT_RESET_FAILURE"


def restart(reboot_command: Sequence[str] = (), retries: int = 0) -> int:
    """Reboot the controller, trying so often again (1.6 §9.1.22); without a command, or in vain, restart the program.

    Returns an exit code: 0 when the system ends the program on its way down, 1 where nothing helps.
    """
    failure = ""
    if reboot_command:
        failure = _reboot(reboot_command, retries)
        if not failure:
            return 0
        os.environ[_FAILURE] = failure
    logging.shutdown()
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself, with the same arguments
    except OSError as error:
        logger.critical("the program cannot be started again: %s", error)
    return 1


def failure_before() -> str:
    """Why the reset that led to this start did less than it should have; empty if it did not. Asked once."""
    return os.environ.pop(_FAILURE, "")


def _reboot(command: Sequence[str], retries: int) -> str:
    """Why the controller still runs; empty when it goes down."""
    going_down = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: going_down.set())
    failure = ""
    for _ in range(1 + retries):
        failure = _order(command)
        if going_down.wait(0 if failure else _REBOOT_WAIT_S):
            return ""
        failure = failure or f"still running {_REBOOT_WAIT_S:.0f} s after the reboot command"
        logger.error("reset: %s", failure)
    return failure


def _order(command: Sequence[str]) -> str:
    """What the command failed of; empty if it did not."""
    try:
        subprocess.run(command, check=True, timeout=_COMMAND_TIMEOUT_S)  # noqa: S603 - from the configuration
    except subprocess.CalledProcessError as error:
        return f"{command[0]}: exit {error.returncode}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]}: {error}"
    return ""
