"""Reads files that others may have put in place: regular ones alone, a bounded part of them, never waiting."""

import os
import stat


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
        if not stat.S_ISREG(status.st_mode) or (private and not _private(status)):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(max(0, status.st_size - limit) if end else 0)
            return file.read(limit)
    except OSError:
        return None
    finally:
        os.close(handle)


def _private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022
