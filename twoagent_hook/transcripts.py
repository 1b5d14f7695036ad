"""Which models the running agent's own session used, from its transcript: only that field, and only if asked to."""

import glob
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twoagent_hook import datafiles
from twoagent_hook.author import Claim

_TAIL = 1 << 20  # bytes from the end of a transcript that are read
_MOST = 32  # models of one session
_FILES = 16  # transcripts of one session: its own, and its subagents'
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")
_MODEL = re.compile(r"[A-Za-z0-9][\w.:/@\[\]+-]{0,119}")


def claims(variables: Mapping[str, str]) -> tuple[Claim, ...]:
    """What the transcripts of the sessions that the environment names say; nothing where they can't be read."""
    rows = datafiles.packaged_toml("agents.toml")["transcripts"]
    return tuple(
        Claim(model, "its transcript", row["agent"], running=True)
        for row in rows
        for model in _models(_files(row, variables), row["type"], row["model"])
    )


def _files(row: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    session, home = variables.get(row["session"], "").strip(), variables.get("HOME", "")
    folder = variables.get(row["home"], "").strip() or os.path.join(home, row["folder"])
    # A session's id becomes a part of a path: nothing else may come of it.
    if not _SESSION.fullmatch(session) or not os.path.isabs(folder):
        return []
    found = (os.path.join(glob.escape(folder), name.replace("{session}", session)) for name in row["files"])
    return [path for pattern in found for path in sorted(glob.glob(pattern), key=_age)][:_FILES]


def _age(path: str) -> float:
    """Less, the later it was written to."""
    try:
        return -os.stat(path).st_mtime
    except OSError:
        return 0.0


def _models(paths: Sequence[str], kind: str, keys: Sequence[str]) -> list[str]:
    """The models named in the last parts of the files, the latest of each first."""
    found = (_field(line, kind, keys) for path in paths for line in reversed(list(_lines(path))))
    return list(dict.fromkeys(model for model in found if model and _MODEL.fullmatch(model)))[:_MOST]


def _lines(path: str) -> Iterator[bytes]:
    """The whole lines of the last part of a file; none of what is no file, or can't be read."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            return
        start = max(0, status.st_size - _TAIL)
        lines = os.pread(number, _TAIL, start).split(b"\n")
    except OSError:
        return
    finally:
        os.close(number)
    yield from lines[1:] if start else lines


def _field(line: bytes, kind: str, keys: Sequence[str]) -> str | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("type") != kind:
        return None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
