"""Reading a file that somebody named, without being caught by what it turns out to be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 256 * 1024


def read_bounded(path: Path) -> bytes:
    """The content of a regular file of at most 256 KiB. Raises OSError, with a reason for a person in `strerror`, for
    anything else, and ValueError for a name that no file can have.
    """
    # a pipe or a device must not block us
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        data = b""
        while chunk := os.read(descriptor, LARGEST_BYTES + 1 - len(data)):
            data += chunk
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST_BYTES // 1024} KiB")
    return data
