"""Reads files that others may have put in place: regular ones alone, a bounded part of them; and writes whole ones."""

import os
import stat
import tempfile
from contextlib import suppress


def read(path: str, limit: int, *, end: bool = False, private: bool = False, follow: bool = True) -> bytes | None:
    """The first `limit` bytes of a file, or None where there is none that may be read.

    Args:
        end: the last bytes instead of the first ones.
        private: only a file of this user's that nobody else could have written.
        follow: whether a symbolic link is followed.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or (private and not own(status)):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(max(0, status.st_size - limit) if end else 0)
            return file.read(limit)
    except OSError:
        return None
    finally:
        os.close(handle)


def replace(path: str, text: str) -> None:
    """Write a file whole or not at all; a symbolic link in its place is replaced, not followed.

    Raises:
        OSError: it can't be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def own(status: os.stat_result) -> bool:
    """Whether nobody but this user (and root) could have written it.

    A group of one's own, of the same number as oneself, as many systems give it, is oneself.
    """
    alone = status.st_gid == status.st_uid or not status.st_mode & 0o020
    return status.st_uid in {os.geteuid(), 0} and alone and not status.st_mode & 0o002


def writable_by_others(path: str) -> bool:
    """Whether somebody else could write the file, or put another one in its place; False where it is not there."""
    for place, sticky in ((path, False), (os.path.dirname(os.path.realpath(path)), True)):
        try:
            status = os.stat(place)
        except OSError:
            continue
        if not own(status) and not (sticky and status.st_mode & stat.S_ISVTX):
            return True
    return False
