"""One writer at a time."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from provisioning.errors import SettingsError, StateLockedError
from provisioning.state_lock import exclusive


def test_the_second_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with exclusive(tmp_path / "state"):
        with pytest.raises(StateLockedError, match="in use"):
            exclusive(tmp_path / "state")
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    exclusive(tmp_path / "state").release()


def test_whoever_waits_gets_it_when_it_is_released(tmp_path: Path) -> None:
    first = exclusive(tmp_path)
    timer = threading.Timer(0.1, first.release)
    timer.start()
    exclusive(tmp_path, wait_s=10).release()
    timer.join()


def test_the_lock_ends_when_the_process_executes_another_program(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        exclusive(tmp_path)
        pause = "import sys, time; print(flush=True); time.sleep(60)"
        os.execv(sys.executable, [sys.executable, "-c", pause])  # noqa: S606 - that is the point
    try:
        exclusive(tmp_path, wait_s=0).release()
    except StateLockedError:  # the child has not got to its execv yet
        exclusive(tmp_path, wait_s=10).release()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot use the state directory"):
        exclusive(tmp_path / "file" / "state")
