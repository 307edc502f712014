"""One writer at a time."""

from __future__ import annotations

import os
import resource
import sys
import threading
from pathlib import Path

import pytest

from provisioning.errors import SettingsError, StateLockedError
from provisioning.state_lock import AGENT, TOOL, exclusive


def test_the_second_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    with exclusive(tmp_path / "state"):
        with pytest.raises(StateLockedError, match="another evse-provision"):
            exclusive(tmp_path / "state")
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    exclusive(tmp_path / "state").release()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (AGENT, "evse-agent already runs in {} (pid {}): stop it first"),
        (TOOL, "another evse-provision is at work in {} (pid {}): try again when it has ended"),
    ],
)
def test_the_refused_one_learns_who_holds_it(tmp_path: Path, program: str, words: str) -> None:
    (tmp_path / "state.lock").write_text("4000000000 somebody who held it once, with a long name")
    with exclusive(tmp_path, program=program):
        assert (tmp_path / "state.lock").read_text() == f"{os.getpid()} {program}\n"
        with pytest.raises(StateLockedError) as refused:
            exclusive(tmp_path)
    assert words.format(tmp_path, os.getpid()) in str(refused.value)


def test_a_holder_who_could_not_sign_holds_it_all_the_same(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as if the disk were full
    try:
        lock = exclusive(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with lock, pytest.raises(StateLockedError, match="another process is at work in"):
        exclusive(tmp_path)


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
