"""The state directory: made for whom it will serve, and explained where it cannot be used."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full: make room and try again",
    errno.EDQUOT: "the disk quota is used up: make room and try again",
    errno.EFBIG: "the disk quota is used up: make room and try again",
    errno.EROFS: "the file system is read-only: remount it, or choose another --state-dir",
    errno.ENOTDIR: "a part of this path is not a directory",
    errno.EEXIST: "this path is not a directory",
}


def make(state_dir: Path) -> None:
    """Creates the directory, mode 0700, where it is missing. Raises OSError.

    What root makes belongs to the owner of the directory above: the agent, as another user, must get in later.
    """
    missing = [path for path in (state_dir, *state_dir.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700 if path is state_dir else 0o755, exist_ok=True)
        if os.geteuid() == 0:
            above = path.parent.stat()
            # the owner above could put a link in its place meanwhile
            os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)


def give_to_owner_of(state_dir: Path, descriptor: int) -> None:
    """Hands a file that root created to whom the state directory belongs, or the agent could not read it."""
    if os.geteuid() == 0:
        owner = state_dir.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def why_unusable(error: OSError, state_dir: Path) -> str:
    """What stands in the way, and what a person can do about it."""
    if error.errno in (errno.EACCES, errno.EPERM):
        denied = Path(error.filename) if isinstance(error.filename, str) else state_dir
        return f"permission denied: {_whose(denied.absolute(), state_dir.absolute())}"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _whose(denied: Path, state_dir: Path) -> str:
    obstacle, closed = Path("/"), False
    for each in reversed((denied, *denied.parents)):
        if not each.exists():
            break
        obstacle = each
        closed = each.is_dir() and not os.access(each, os.X_OK, effective_ids=True)
        if closed:
            break
    me, owner = _name(os.geteuid()), _name(obstacle.stat().st_uid)
    if owner == me:
        return f"{obstacle} denies it to its owner, {me}: run  chmod u+rwX {obstacle}"
    whose = f"{obstacle} belongs to {owner} and this runs as {me}"
    if obstacle.is_relative_to(state_dir):
        return f"{whose}: run this as {owner}, or as root  chown -R {me} {state_dir}"
    if closed:
        return f"{whose}: run this as {owner}, or choose another --state-dir"
    return f"{whose}: as root run  install -d -m 700 -o {me} {state_dir}  or choose another --state-dir"


def _name(user_id: int) -> str:
    import pwd  # noqa: PLC0415 - for a mistake only

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"user {user_id}"
