"""What a push holds, where one runs us: as a framework names it, or as git tells it to a hook of its own."""

import os
import re
import select
import stat
from typing import NamedTuple

from twoagent_hook.environment import Environment
from twoagent_hook.errors import UsageError

_PATIENCE = 5.0  # seconds in which git has told a hook what is pushed
_LIMIT = 16 << 20  # bytes of that


class Pushed(NamedTuple):
    """One ref of a push: the commit that goes out, and what the remote has there (None: nothing)."""

    commit: str
    remote: str | None


def pushed(environment: Environment) -> tuple[Pushed, ...] | None:
    """What a push holds, where one runs us; None where none does."""
    named = environment.get("PRE_COMMIT_TO_REF") or environment.get("PRE_COMMIT_LOCAL_BRANCH")
    if named is not None:
        return (Pushed(named, environment.get("PRE_COMMIT_FROM_REF")),)
    if environment.hook or "GIT_PREFIX" not in environment.variables:
        return None
    if os.isatty(0):  # somebody's own alias
        return None
    told = _told_by_git()
    if told is None:  # by hand nothing would be asked of the user, so this must not pass as that
        what = "git runs this, and standard input does not say what is pushed"
        raise UsageError(what, "have the hook pass its standard input on, or run it by hand without git")
    return read(told)


def _told_by_git() -> str | None:
    """All that stands on standard input, where that is a pipe and somebody says something, or is done, in time."""
    try:
        if not stat.S_ISFIFO(os.fstat(0).st_mode):
            return None
    except OSError:
        return None
    found = b""
    while len(found) < _LIMIT:
        if not select.select([0], [], [], _PATIENCE)[0]:
            return None  # somebody's open pipe, and no push
        piece = os.read(0, 1 << 16)
        if not piece:
            break
        found += piece
    return found.decode("utf-8", "surrogateescape")


_REF = re.compile(r"(?P<local>.+) (?P<commit>[0-9a-f]{40,64}) (?P<ref>\S+) (?P<remote>[0-9a-f]{40,64})")


def read(text: str) -> tuple[Pushed, ...]:
    """What git tells a pre-push hook on its standard input; a ref that is deleted holds nothing.

    Raises:
        UsageError: it is something else.
    """
    found = []
    for line in text.splitlines():
        match = _REF.fullmatch(line)
        if match is None:
            what = "git runs this as a hook, and standard input is not what a pre-push hook is given"
            raise UsageError(what, "use it as a pre-push hook, or by hand")
        if match["commit"].strip("0"):
            found.append(Pushed(match["commit"], match["remote"] if match["remote"].strip("0") else None))
    return tuple(found)
