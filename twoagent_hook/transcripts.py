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
_MOST = 8  # models of one session
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")
_MODEL = re.compile(r"[A-Za-z0-9][\w.:/@\[\]+-]{0,119}")


def claims(variables: Mapping[str, str]) -> tuple[Claim, ...]:
    """What the transcripts of the sessions that the environment names say; nothing where they can't be read."""
    rows = datafiles.packaged_toml("agents.toml")["transcripts"]
    return tuple(
        Claim(model, "its transcript", row["agent"])
        for row in rows
        for path in _files(row, variables)
        for model in _models(path, row["type"], row["model"])
    )


def _files(row: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    session, home = variables.get(row["session"], "").strip(), variables.get("HOME", "")
    folder = variables.get(row["home"], "").strip() or os.path.join(home, row["folder"])
    # A session's id becomes a part of a path: nothing else may come of it.
    if not _SESSION.fullmatch(session) or not os.path.isabs(folder):
        return []
    return sorted(glob.glob(os.path.join(glob.escape(folder), row["files"].replace("{session}", session))))[:_MOST]


def _models(path: str, kind: str, keys: Sequence[str]) -> list[str]:
    """The models named in the last part of the file, the latest first."""
    found = (_field(line, kind, keys) for line in reversed(list(_lines(path))))
    return list(dict.fromkeys(model for model in found if model and _MODEL.fullmatch(model)))[:_MOST]


def _lines(path: str) -> Iterator[bytes]:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return
            start = max(0, status.st_size - _TAIL)
            file.seek(start)
            lines = file.read(_TAIL).split(b"\n")
    except OSError:
        return
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
