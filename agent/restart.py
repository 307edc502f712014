"""The restart that an OCPP Reset asks for: in place, or by the system's own command."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence

logger = logging.getLogger(__name__)

_COMMAND_TIMEOUT_S = 30.0
# A controller that reboots ends this program before this is over.
_REBOOT_WAIT_S = 60.0


def restart(reboot_command: Sequence[str]) -> int:
    """Does not return where it succeeds, except with 0 after a reboot command that lets the program end itself."""
    if not reboot_command:
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself, with the same arguments
    try:
        subprocess.run(reboot_command, check=True, timeout=_COMMAND_TIMEOUT_S)  # noqa: S603 - from the configuration
    except (OSError, subprocess.SubprocessError) as error:
        logger.error("the reboot command failed: %s; restarting the program instead", error)  # noqa: TRY400
        return restart(())
    time.sleep(_REBOOT_WAIT_S)
    return 0
