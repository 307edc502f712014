"""Unix sockets at any path: the kernel takes 107 bytes, a state directory may be deeper.

The way round is a descriptor of the directory: /proc/self/fd/<n>/<name> is always short.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for `bind` or `connect` that means this path, while the block lasts. Raises OSError."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
