"""Runs the agent so that it dies, as by a power cut, right before or after a step that leaves a trace in the world.

    python launcher.py RECORD STEP WHEN run ...

RECORD: a file that gets a line for each step that begins (`<name`) and one for each that is done (`>name`), and last,
behind a `!`, what the hardware was like at the moment of death. STEP and WHEN: at which step to die, `before` or
`after`; "-" to live. The name of a step says what it is and counts: "commit(queue Started)#1".
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_WRITING = ("INSERT", "UPDATE", "DELETE")
_STATES = ("Started", "Ended", "values")
# The power goes in the middle of a flush: whoever does not wait for its end has time to show it.
_SLOW_FLUSH_S = 0.15


class Steps:
    """The steps so far, of all threads."""

    def __init__(self, record: Path, fatal_step: str, when: str) -> None:
        self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._fatal = (fatal_step, when)
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self.hardware: Any = None

    def take(self, kind: str, action: Callable[[], _Result]) -> _Result:
        """Do it, as a step of this kind."""
        with self._lock:
            self._counts[kind] += 1
            step = f"{kind}#{self._counts[kind]}"
            self._note(f"<{step}")
        if (step, "before") == self._fatal:
            if kind.startswith("commit"):
                time.sleep(_SLOW_FLUSH_S)
            self._die()
        with self._lock:
            result = action()
            self._note(f">{step}")
            if (step, "after") == self._fatal:
                self._die()
            return result

    def _note(self, line: str) -> None:
        os.write(self._record, f"{line}\n".encode())

    def _die(self) -> None:
        evses = [] if self.hardware is None else self.hardware.snapshot()["evses"]
        self._note(f"!{json.dumps(evses)}")
        os.kill(os.getpid(), signal.SIGKILL)


def _watch_database(steps: Steps) -> None:
    class WatchedConnection(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._contents: list[str] = []

        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            def run() -> sqlite3.Cursor:
                return super(WatchedConnection, self).execute(sql, parameters)

            words = sql.split()
            if words[0] in _WRITING:
                table = next(word for word in words[1:] if word not in ("OR", "REPLACE", "INTO", "FROM"))
                state = next((f" {value}" for value in parameters if value in _STATES), "")
                what = f"{words[0].lower()} {table}{state}"
                self._contents.append(f"{table}{state}" if words[0] == "INSERT" else what)
                return steps.take(what, run)
            if words[0] == "COMMIT":
                contents, self._contents = self._contents, []
                return steps.take(f"commit({', '.join(dict.fromkeys(contents))})", run)
            if "=" in sql and words[0] == "PRAGMA" and "synchronous" not in sql:
                return steps.take(sql.lower(), run)
            return run()

        def executescript(self, sql: str, /) -> sqlite3.Cursor:
            return steps.take("migration", lambda: super(WatchedConnection, self).executescript(sql))

    connect = sqlite3.connect

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return steps.take("open database", lambda: connect(*args, factory=WatchedConnection, **kwargs))

    sqlite3.connect = watched  # type: ignore[assignment]  # the stub has an overload for each use


def _watch_files(steps: Steps) -> None:
    for name in ("fsync", "replace", "rename"):
        real = getattr(os, name)
        setattr(
            os,
            name,
            lambda *args, _name=name, _real=real, **kwargs: steps.take(_name, lambda: _real(*args, **kwargs)),
        )


def _watch_network(steps: Steps) -> None:
    actions: dict[str, str] = {}
    send, receive = socket.socket.send, socket.socket.recv

    def watched_send(self: socket.socket, data: Any, *args: Any) -> int:
        if self.family == socket.AF_UNIX:
            return send(self, data, *args)
        return steps.take(f"send {_said(bytes(data), actions)}", lambda: send(self, data, *args))

    def watched_receive(self: socket.socket, *args: Any) -> bytes:
        data = receive(self, *args)
        if self.family == socket.AF_UNIX:
            return data
        return steps.take(f"receive {_said(data, actions)}", lambda: data)

    socket.socket.send = watched_send  # type: ignore[assignment]  # the stub types every buffer there is
    socket.socket.recv = watched_receive  # type: ignore[assignment, method-assign]  # likewise


def _said(data: bytes, actions: dict[str, str]) -> str:
    """What these bytes of a connection say: whole frames as a rule, on loopback."""
    if data.startswith((b"GET ", b"HTTP/")):
        return "handshake"
    if not data or data[0] != 0x81:
        return "control frame" if data else "end"
    masked, length = data[1] & 0x80, data[1] & 0x7F
    start = 2 + {126: 2, 127: 8}.get(length, 0)
    payload = data[start:]
    if masked:
        mask = payload[:4]
        payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload[4:]))
    kind, message_id, *rest = json.JSONDecoder().raw_decode(payload.decode(errors="replace"))[0]
    if kind == 2:
        actions[message_id] = rest[0]
        return str(rest[0])
    return f"answer to {actions.get(message_id, 'nothing')}"


def _watch_hardware(steps: Steps) -> None:
    from hal.drivers.mock.evse import SimulatedEvse  # noqa: PLC0415 - after what it imports has been watched
    from hal.drivers.mock.hardware import MockHardware  # noqa: PLC0415

    drive_coil, open_hardware = SimulatedEvse.drive_coil, MockHardware.open

    def watched_coil(self: SimulatedEvse, on: bool) -> None:
        steps.take(f"coil {'on' if on else 'off'}", lambda: drive_coil(self, on))

    async def watched_open(self: MockHardware) -> None:
        steps.hardware = self
        await open_hardware(self)

    SimulatedEvse.drive_coil = watched_coil  # type: ignore[method-assign]  # that is what this program is for
    MockHardware.open = watched_open  # type: ignore[method-assign]  # likewise


def main() -> int:
    record, fatal_step, when, *arguments = sys.argv[1:]
    sys.path.pop(0)  # this directory, whose modules are not the agent's
    steps = Steps(Path(record), fatal_step, when)
    _watch_database(steps)
    _watch_files(steps)
    _watch_network(steps)
    from agent.cli import main as run  # noqa: PLC0415 - after what it imports has been watched

    _watch_hardware(steps)
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
