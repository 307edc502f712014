"""One writer at a time in a state directory: the agent while it runs, the technician's tool while it does not."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from provisioning.errors import SettingsError, StateLockedError
from provisioning.settings import give_to_owner_of

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


def exclusive(state_dir: Path, wait_s: float = 0.0) -> StateLock:
    """Takes the lock of a state directory, which is created if need be (mode 0700).

    Blocks for at most `wait_s`: an agent that restarts in place meets a tool that is just writing.
    Raises StateLockedError if somebody else holds it, SettingsError if the directory cannot be used.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "state.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(f"cannot use the state directory {state_dir}: {error.strerror}") from error
    deadline_s = time.monotonic() + wait_s
    try:
        give_to_owner_of(state_dir, descriptor)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    raise StateLockedError(f"{state_dir} is in use by another process") from None
                time.sleep(_RETRY_S)
            else:
                return StateLock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
