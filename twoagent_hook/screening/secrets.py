"""Finds what looks like a credential, and replaces it by a typed placeholder; pure, in linear time."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from twoagent_hook import datafiles
from twoagent_hook.patterns import Pattern

_TABLE = "screening/secrets.toml"
_KEY = "private-key"
_END_OF_KEY = Pattern(r"-----END [A-Z0-9 ]{0,60}PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = Pattern(
    r"[^A-Za-z0-9]*+(?:(?:Version|Comment|Hash|Charset|MessageID|Proc-Type|DEK-Info): .{0,200}"
    r"|[A-Za-z0-9+/=:, \\n\"'\r-]{0,16384}+)",
    re.DOTALL,
)


class Format(NamedTuple):
    kind: str
    hints: tuple[str, ...]
    pattern: Pattern


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
    return tuple(Format(row["kind"], tuple(row["hint"]), Pattern(row["pattern"])) for row in rows)


@cache
def _published() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml(_TABLE)["published"]["values"])


def published(value: str) -> bool:
    """Whether it stands as an example in a provider's own documentation."""
    return value in _published()


def find(lines: Sequence[str], others: Iterable[Secret] = ()) -> list[Secret]:
    """Every credential, in the order of the lines; of two that overlap, the first format's.

    Args:
        others: what somebody else found in these lines.
    """
    text = "\n".join(lines)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    found: dict[int, list[Secret]] = {}
    last = 0
    foreign = [(starts[one.row] + one.start, _LAST, starts[one.row] + one.end, one.kind) for one in others]
    for start, _, end, kind in sorted((*_matches(text), *_assigned(lines, starts), *foreign)):
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
                if not published(match.group()):
                    yield match.start(), order, match.end(), kind


# A quoted value behind a name that says what it is. The name is looked for first, then what stands behind it.
_ASSIGNED = Pattern(
    r"(?i:passwo?r?d|pwd|passphrase|secret|token|credential"
    r"|(?:api|access|private|auth|encryption|signing|master|session|shared|account|storage|webhook|secret)[_-]?key)s?"
    r"(?![a-z])[\w.-]{0,20}[ \t]{0,4}"
    r"(?:[\"'`]?\]?[ \t]{0,4}(?:(?::[ \t]?&?[\w.]{1,30}[ \t]{0,2}|\w{1,12}[ \t])?(?::=|=>|[=!]==?|=)|:)"
    r"|[\"'][ \t]?,|[\"'][ \t]value=|\()"
    r"[ \t]{0,4}[@bru]{0,2}([\"'`])(?P<value>[^\"'`\s]{12,200})\1"
)
_NAMES = ("passw", "pwd", "passphrase", "secret", "token", "key", "credential")
_GENERIC = "assigned-secret"
_LAST = 10_000  # the order of what is found by others
_CLASSES = ("a-z", "A-Z", "0-9", "^a-zA-Z0-9")


def _assigned(lines: Sequence[str], starts: Sequence[int]) -> Iterator[tuple[int, int, int, str]]:
    """Quoted values of names like `password` and `api_key` that look as if they were made by chance.

    Told by their entropy alone, so only where a name says what the value is for.
    """
    order = len(formats())
    for row, line in enumerate(lines):
        if not any(quote in line for quote in "\"'`"):
            continue
        lower = line.lower()
        if not any(name in lower for name in _NAMES):
            continue
        for found in _ASSIGNED.finditer(line, 0, _ASSIGNED_LIMIT):
            if _random(found["value"]):
                start, end = found.span("value")
                yield starts[row] + start, order, starts[row] + end, _GENERIC


_ASSIGNED_LIMIT = 20_000  # characters of a line


def _random(value: str) -> bool:
    """Whether a value is no word, no path, no placeholder: by its kinds of characters and their spread."""
    table = datafiles.packaged_toml(_TABLE)["assigned"]
    lower = value.lower()
    if any(word in lower for word in table["placeholders"]) or published(value) or "⟦secret:" in value:
        return False
    if re.match(r"(?:\w{2,10}:/|[./~$%<{\[(@&])", value) or all(map(_WORD.fullmatch, _SEPARATORS.split(value))):
        return False
    kinds = sum(re.search(f"[{characters}]", value) is not None for characters in _CLASSES)
    has_digit = any(char.isdigit() for char in value)
    return kinds >= 2 and has_digit and entropy(value) >= (table["entropy"] if len(value) >= 20 else table["short"])


_SEPARATORS = Pattern(r"[-_./:@+,=&|]")
_WORD = Pattern(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+)*+[vVx]?[0-9]{0,12}|.{0,2}")


def entropy(text: str) -> float:
    """Bits a character (Shannon)."""
    counts = (text.count(char) / len(text) for char in set(text))
    return -sum(share * math.log2(share) for share in counts)


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
