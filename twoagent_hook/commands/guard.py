"""`twoagent-hook guard`: for the permission hooks of coding agents."""

import argparse
import os
import sys
from contextlib import suppress

from twoagent_hook import console, files, guard
from twoagent_hook.environment import Environment
from twoagent_hook.exits import Failure
from twoagent_hook.guard import Call, Change, Deny

PASSED, FAILED, REFUSED = 0, 1, 2  # 2 stops the call of the tool, and stands for nothing else
_LONGEST = 1 << 24  # bytes of an event
_LARGEST = 1 << 20  # bytes of a file that a change is compared with


def run(arguments: argparse.Namespace, _environment: Environment, _started: float) -> int:
    """Judge one call of a tool, and say nothing where it may go on."""
    call = _call(arguments.line)
    ruling = guard.judge(call) if call is not None else guard.too_long()
    if not isinstance(ruling, Deny):
        return PASSED
    _say(f"refused: {ruling.what}", f"what to do: {ruling.do}")
    return REFUSED


def failed(failure: Failure) -> int:
    """What went wrong with the guard itself, which is no refusal."""
    _say(f"twoagent-hook guard: {failure.what}", f"what to do: {failure.do}")
    return FAILED


def _say(what: str, do: str) -> None:
    # Nobody may be there to read it, and the code has to be right all the same.
    with suppress(OSError, ValueError):
        console.tell(what, do)


def _call(line: str | None) -> Call | None:
    """The call to judge, or None for one that is too large to be read."""
    if line is not None:
        return Call(lines=(line,), cwd=_here())
    from twoagent_hook.guard import events

    raw = sys.stdin.buffer.read(_LONGEST + 1) if sys.stdin is not None else b""
    if len(raw) > _LONGEST:
        return None
    call = events.read(raw.decode("utf-8-sig", "replace"))
    return call._replace(changes=tuple(_with_text(change, call.cwd) for change in call.changes))


def _here() -> str:
    with suppress(OSError):
        return os.getcwd()
    return ""


def _with_text(change: Change, cwd: str) -> Change:
    """With the file's text as it is, where a change can't be judged without it."""
    if not guard.watched(change, cwd):
        return change
    raw = files.read(os.path.join(cwd, os.path.expanduser(change.path)), _LARGEST)
    return change if raw is None else change._replace(before=raw.decode("utf-8", "replace"))
