"""One writer at a time in a state directory: the agent while it runs, the technician's tool while it does not.

`state.lock` is locked by its holder (flock) and says who that is: `<process id> <program>`. What it says counts only
while it is locked.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from provisioning.errors import SettingsError, StateLockedError
from provisioning.state_directory import give_to_owner_of, make, why_unusable

AGENT, TOOL = "evse-agent", "evse-provision"
"""The programs that hold the lock."""

_RETRY_S = 0.05


class StateLock:
    """A held lock. Ends with `release()`, with its `with` block, with the process, or when it executes a program."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def exclusive(state_dir: Path, wait_s: float = 0.0, *, program: str = TOOL) -> StateLock:
    """Takes the lock of a state directory, which is created if need be (mode 0700), and may have become read-only.

    Blocks for at most `wait_s`: an agent that restarts in place meets a tool that is just writing. `program` is who
    takes it. Raises StateLockedError if somebody else holds it, SettingsError if the directory cannot be used.
    """
    try:
        make(state_dir)
        descriptor = _open(state_dir)
    except OSError as error:
        reason = why_unusable(error, state_dir)
        raise SettingsError(f"cannot use the state directory {state_dir}: {reason}") from error
    deadline_s = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise StateLockedError(_held(state_dir, descriptor)) from None
                time.sleep(_RETRY_S)
            else:
                _sign(descriptor, program)
                return StateLock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _open(state_dir: Path) -> int:
    path = state_dir / "state.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY)  # worn-out flash: what the directory says still holds
    try:
        give_to_owner_of(state_dir, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sign(descriptor: int, program: str) -> None:
    # a full or read-only disk is no reason to be without the lock
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {program}\n".encode(), 0)


def _held(state_dir: Path, descriptor: int) -> str:
    pid, _, program = os.pread(descriptor, 100, 0).decode(errors="replace").strip().partition(" ")
    if program == AGENT and pid.isdecimal():
        return f"{AGENT} already runs in {state_dir} (pid {pid}): stop it first, or use another --state-dir"
    if program == TOOL and pid.isdecimal():
        return f"another {TOOL} is at work in {state_dir} (pid {pid}): try again when it has ended"
    return f"another process is at work in {state_dir}: try again when it has ended"
