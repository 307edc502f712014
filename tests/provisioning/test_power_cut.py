"""The power fails at every step of a save: afterwards one complete generation is read, the old one or the new one.

A child process saves and dies before its n-th system call on the state directory, for every n. To make it a power cut
rather than a kill, what was written but not yet flushed to disk is lost: the child cuts such a file off, or leaves it
with a hole of zeros, before it dies.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning.settings import Csms, Settings

OLD = Csms(url="ws://old", basic_auth_password=b"old-password")
NEW = Csms(url="wss://new", basic_auth_password=b"new-password", root_ca="x" * 20_000)
CUT = 9


class Disk:
    """Counts the steps of this process that reach the disk, and cuts the power before step `cut_at`."""

    def __init__(self, cut_at: int, lose: Callable[[int, int], None]) -> None:
        self.steps = 0
        self.cut_at = cut_at
        self.lose = lose
        self.unflushed: dict[int, int] = {}  # its own descriptor: the writer may have closed the file

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.cut_at:
            for descriptor in self.unflushed.values():
                self.lose(descriptor, os.fstat(descriptor).st_size)
            os._exit(CUT)

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: open, mkdir, rename, remove and chown of CPython announce themselves before they act."""
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.chown"):
            self.step()
        if event == "open" and isinstance(arguments[0], int):
            self.unflushed[arguments[0]] = os.dup(arguments[0])


def save_with_a_cut(state_dir: Path, cut_at: int, lose: Callable[[int, int], None]) -> bool:
    """Saves NEW in a child whose power is cut before that step. False if it came to its end before."""
    child = os.fork()
    if child == 0:
        try:
            settings = Settings.load(state_dir)
            settings.update(csms=NEW)
            disk = Disk(cut_at, lose)
            really_fsync = os.fsync

            def fsync(descriptor: int) -> None:
                disk.step()
                really_fsync(descriptor)
                disk.unflushed.pop(descriptor, None)
                disk.step()

            os.fsync = fsync  # type: ignore[assignment]  # the one call that has no audit event
            sys.addaudithook(disk.watch)
            settings.save()
        except BaseException:  # noqa: BLE001 - the child must never return into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, CUT)
    return code == CUT


def cut_off(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size // 2)


def zero(descriptor: int, size: int) -> None:
    os.pwrite(descriptor, bytes(size), 0)


@pytest.mark.parametrize("lose", [cut_off, zero])
@pytest.mark.parametrize("generations_before", [0, 1, 2])
def test_a_power_cut_at_any_step_leaves_the_old_settings_or_the_new(
    tmp_path: Path, generations_before: int, lose: Callable[[int, int], None]
) -> None:
    seen = []
    for cut_at in range(1, 100):
        state_dir = tmp_path / str(cut_at)
        for number in range(generations_before):
            settings = Settings.load(state_dir)
            settings.update(csms=OLD._replace(identity=str(number)))
            settings.save()
        old = Settings.load(state_dir).content
        was_cut = save_with_a_cut(state_dir, cut_at, lose)
        settings = Settings.load(state_dir)
        assert settings.content in (old, old._replace(csms=NEW)), cut_at
        assert settings.warnings == (), cut_at
        seen.append(settings.content.csms == NEW)
        settings.update(csms=Csms(url="ws://after"))
        settings.save()
        assert Settings.load(state_dir).content.csms.url == "ws://after"
        if not was_cut:
            break
    # the walk reached its end, and before it both outcomes were there: never new, then old again
    assert not was_cut
    assert len(seen) >= 7
    assert seen == sorted(seen)
    assert not seen[0]
    assert seen[-1]
