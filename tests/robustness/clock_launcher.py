"""Runs the agent on a system clock that is wrong by as many seconds as a file says at the moment.

python clock_launcher.py FILE run ...
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_true_time = time.time


def main() -> int:
    error, *arguments = sys.argv[1:]
    sys.path.pop(0)  # this directory, whose modules are not the agent's
    time.time = lambda: _true_time() + float(Path(error).read_text("ascii"))
    from agent.cli import main as run  # noqa: PLC0415 - on the clock made above

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
