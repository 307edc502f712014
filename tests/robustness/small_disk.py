"""A file system of its own for the agent's state, which can be filled and made read-only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_OPTIONS = "size=4m,mode=0700"


class SmallDisk:
    """A tmpfs of 4 MB that is mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Not a byte is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """There is room again."""
        self._ballast.unlink()

    def set_writable(self, writable: bool) -> None:
        """Remount it; nobody may have a file open for writing."""
        _run("mount", "-o", f"remount,{'rw' if writable else 'ro'}", str(self.path))


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount one at an existing directory; skip the test where nothing can be mounted."""
    try:
        _run("mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted, which needs root: {error}")
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - made above
