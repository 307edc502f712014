"""Raises a fault, sees the contactor open, clears the fault, sees it close; again and again until it is terminated.

    python -m fault_probe CONTROL_SOCKET PAUSE_S

A process of its own with blocking sockets, so that nothing but the station's own work lies between the two. PAUSE_S
passes before each fault. Each line of output is the monotonic time of a fault (s), how long the contactor took to open
(s), and how long the answer to a request that changes nothing took just before (s).
"""

from __future__ import annotations

import json
import sys
import time
from io import BufferedRWPair
from pathlib import Path

from hal.drivers.mock.socket_path import connect


def main(control: str, pause_s: float) -> None:
    requests = connect(Path(control)).makefile("rwb")
    states = connect(Path(control)).makefile("rwb")
    _send(states, {"op": "watch"})
    fault, cleared = {"op": "fault", "error": "GroundFailure"}, {"op": "clear_fault", "error": "GroundFailure"}
    while True:
        time.sleep(pause_s)
        asked_s = time.monotonic()
        _send(requests, {"op": "state"})
        requests.readline()
        answered_s = time.monotonic() - asked_s
        raised_s = time.monotonic()
        _send(requests, fault)
        _wait(states, "open")
        took_s = time.monotonic() - raised_s
        requests.readline()
        sys.stdout.write(f"{raised_s:.6f} {took_s:.6f} {answered_s:.6f}\n")
        sys.stdout.flush()
        _send(requests, cleared)
        requests.readline()
        _wait(states, "closed")


def _send(connection: BufferedRWPair, request: dict[str, str]) -> None:
    connection.write(json.dumps(request).encode() + b"\n")
    connection.flush()


def _wait(states: BufferedRWPair, contactor: str) -> None:
    while json.loads(states.readline())["evses"][0]["contactor"] != contactor:
        pass


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
