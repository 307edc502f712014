"""Unix sockets at any path.

The kernel takes at most 107 bytes of path, and state directories, those of tests above all, can be longer. The way
round it is a descriptor of the directory: /proc/self/fd/<n>/<name> is always short.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAX_BYTES = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """An address for `bind` and `connect` that names this path; good until the block ends. Raises OSError."""
    if len(os.fsencode(path)) <= _MAX_BYTES:
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def connect(path: Path, timeout_s: float = 5.0) -> socket.socket:
    """A blocking connection to the socket at this path. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with reachable(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
