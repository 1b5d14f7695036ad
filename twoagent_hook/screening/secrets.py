"""Finds what looks like a credential, and replaces it by a typed placeholder; pure, in linear time."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from twoagent_hook import datafiles

_TABLE = "screening/secrets.toml"
_KEY = "private-key"
_END_OF_KEY = re.compile(r"-----END [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(
    r"[^A-Za-z0-9]*+(?:(?:Version|Comment|Hash|Charset|MessageID|Proc-Type|DEK-Info): .{0,200}"
    r"|[A-Za-z0-9+/=:, \\n\"'\r-]{0,16384}+)",
    re.DOTALL,
)


class Format(NamedTuple):
    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


class Secret(NamedTuple):
    """A credential in a sequence of lines.

    Attributes:
        row: the place of its line in the sequence, from 0.
        kind: the name of its format.
        start, end: the columns of what has to be hidden.
    """

    row: int
    kind: str
    start: int
    end: int


@cache
def formats() -> tuple[Format, ...]:
    rows = datafiles.packaged_toml(_TABLE)["formats"]
    return tuple(Format(row["kind"], tuple(row["hint"]), re.compile(row["pattern"])) for row in rows)


@cache
def _published() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml(_TABLE)["published"]["values"])


def find(lines: Sequence[str]) -> list[Secret]:
    """Every credential, in the order of the lines; of two that overlap, the first format's."""
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    found: dict[int, list[Secret]] = {}
    last = 0
    for start, _, end, kind in sorted(_matches(text)):
        if end <= last:
            continue  # inside of one that is known already
        shown = max(start, last)  # what is hidden already is not hidden twice
        last = end
        row = bisect_right(starts, shown) - 1
        found.setdefault(row, []).append(Secret(row, kind, shown - starts[row], end - starts[row]))
    covered = -1
    for row in [row for row, secrets in found.items() if any(secret.kind == _KEY for secret in secrets)]:
        if row > covered:
            covered = _extend_key(lines, row, found)
    return [secret for row in sorted(found) for secret in found[row]]


def _matches(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Every hit: where it starts, the place of its format in the table, where it ends, its kind."""
    for order, (kind, hints, pattern) in enumerate(formats()):
        if any(hint in text for hint in hints):
            for match in pattern.finditer(text):
                if match.group() not in _published():
                    yield match.start(), order, match.end(), kind


def _extend_key(lines: Sequence[str], row: int, found: dict[int, list[Secret]]) -> int:
    """Hide the body of a PEM block as well, to its end or as far as lines look like one; returns the last row."""
    first = next(secret for secret in found[row] if secret.kind == _KEY)
    kept = [secret for secret in found[row] if secret.start < first.start]
    found[row] = [*kept, first._replace(end=len(lines[row]))]
    if _END_OF_KEY.search(lines[row], first.start):
        return row
    for place in range(row + 1, len(lines)):
        ended = _END_OF_KEY.search(lines[place]) is not None
        if not ended and not _KEY_BODY.fullmatch(lines[place]):
            return place - 1
        found[place] = [Secret(place, first.kind, 0, len(lines[place]))]
        if ended:
            return place
    return len(lines) - 1


class Redactor:
    """Hands out placeholders that are the same for the same value, so that a reader sees a key used again."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def placeholder(self, kind: str, value: str) -> str:
        number = self._numbers.setdefault(value, len(self._numbers) + 1)
        return f"⟦secret:{kind}#{number}⟧"

    def hide(self, line: str, secrets: Sequence[Secret]) -> str:
        """The line with each of its secrets replaced."""
        for secret in sorted(secrets, key=lambda secret: secret.start, reverse=True):
            value = line[secret.start : secret.end]
            line = line[: secret.start] + self.placeholder(secret.kind, value) + line[secret.end :]
        return line

    def text(self, text: str) -> str:
        """Several lines with every secret in them replaced."""
        lines = text.split("\n")
        by_row: dict[int, list[Secret]] = {}
        for secret in find(lines):
            by_row.setdefault(secret.row, []).append(secret)
        return "\n".join(self.hide(line, by_row.get(row, ())) for row, line in enumerate(lines))
