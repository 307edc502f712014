"""Raises a fault, sees the contactor open, clears the fault, sees it close; again and again until it is terminated.

    python -m fault_probe CONTROL_SOCKET

A process of its own with blocking sockets, so that nothing but the station's own work lies between the two. Each line of
output is the monotonic time of a fault (s) and how long the contactor took to open (s).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import IO

from hal.drivers.mock.socket_path import connect


def main(control: str) -> None:
    requests = connect(Path(control)).makefile("rwb", buffering=0)
    states = connect(Path(control)).makefile("rwb", buffering=0)
    _send(states, {"op": "watch"})
    fault, cleared = {"op": "fault", "error": "GroundFailure"}, {"op": "clear_fault", "error": "GroundFailure"}
    while True:
        raised_s = time.monotonic()
        _send(requests, fault)
        _wait(states, "open")
        took_s = time.monotonic() - raised_s
        requests.readline()
        sys.stdout.write(f"{raised_s:.6f} {took_s:.6f}\n")
        sys.stdout.flush()
        _send(requests, cleared)
        requests.readline()
        _wait(states, "closed")


def _send(connection: IO[bytes], request: dict[str, str]) -> None:
    connection.write(json.dumps(request).encode() + b"\n")


def _wait(states: IO[bytes], contactor: str) -> None:
    while json.loads(states.readline())["evses"][0]["contactor"] != contactor:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
