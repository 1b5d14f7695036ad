"""The files of a change as the rules on tests and checks see them: tests, assertions, comments, steps; pure.

How all of these look is data: `weakening.toml`.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import accumulate, chain
from typing import Any, NamedTuple

from twoagent_hook import datafiles, visible
from twoagent_hook.changes import ABSENT, FileChange, Line
from twoagent_hook.patterns import Pattern

_WIDE = 2000  # characters of a line that are searched at once; a longer one is searched in overlapping pieces
_OVERLAP = 300
_NEAR = 60  # lines that are looked at around a place
_NEVER = Pattern(r"(?!)")
_QUOTED = Pattern(r"""["'`]([^"'`]{3,160})["'`]""")
_TRIPLE = ('"""', "'''")


# --- the table ----------------------------------------------------------------------------------------------


class Language(NamedTuple):
    """How tests and comments look in one language; the table says what each pattern means."""

    key: str
    comments: tuple[str, ...]
    file: Pattern
    define: Pattern
    define_hints: tuple[str, ...]
    mark: Pattern
    mark_hints: tuple[str, ...]
    named: Pattern
    check: Pattern
    check_hints: tuple[str, ...]
    empty: Pattern
    empty_hints: tuple[str, ...]
    dead: Pattern


class Marker(NamedTuple):
    """Something that switches a test or a check off; the table says what each field means."""

    about: str
    kind: str
    title: str
    fix: str
    mild: bool
    languages: tuple[str, ...]
    scope: str
    where: str
    only: str
    hints: tuple[str, ...]
    pattern: Pattern


@cache
def table() -> dict[str, Any]:
    return datafiles.packaged_toml("screening/weakening.toml")


def _language(key: str, row: Mapping[str, Any]) -> Language:
    def pattern(name: str) -> Pattern:
        return Pattern(row[name]) if name in row else _NEVER

    def hints(name: str) -> tuple[str, ...]:
        return tuple(row.get(name, ()))

    return Language(
        key=key,
        comments=tuple(row["comments"]),
        file=pattern("file"),
        define=pattern("define"),
        define_hints=hints("define_hints"),
        mark=pattern("mark"),
        mark_hints=hints("mark_hints"),
        named=pattern("named"),
        check=pattern("check"),
        check_hints=hints("check_hints"),
        empty=pattern("empty"),
        empty_hints=hints("empty_hints"),
        dead=pattern("dead"),
    )


@cache
def _by_suffix() -> dict[str, Language]:
    """Suffix -> language; under the empty suffix, the one for everything else."""
    made: dict[str, Language] = {}
    for key, row in table()["code"].items():
        made.update(dict.fromkeys(row["suffixes"] or [""], _language(key, row)))
    return made


def language_of(path: str) -> Language:
    suffix = "." + path.rpartition("/")[2].rpartition(".")[2].lower()
    return _by_suffix().get(suffix) or _by_suffix()[""]


def _marker(row: Mapping[str, Any]) -> Marker:
    # A flag may only stand at the start of a whole pattern.
    parts = [f"(?i:{part[4:]})" if part.startswith("(?i)") else f"(?:{part})" for part in row["patterns"]]
    return Marker(
        about=row["about"],
        kind=row["kind"],
        title=row["title"],
        fix=row.get("fix") or table()["fixes"][row["kind"]],
        mild=row.get("mild", False),
        languages=tuple(row.get("languages", ())),
        scope=row.get("scope", ""),
        where=row.get("where", ""),
        only=row.get("only", ""),
        hints=tuple(row["hints"]),
        pattern=Pattern("|".join(parts)),
    )


@cache
def markers() -> tuple[Marker, ...]:
    return tuple(_marker(row) for row in table()["markers"])


@cache
def pattern(section: str, name: str) -> Pattern:
    return Pattern(table()[section][name])


def matches(kind: str, path: str) -> bool:
    return pattern("paths", kind).search(path) is not None


# --- lines --------------------------------------------------------------------------------------------------


def search(wanted: Pattern, text: str) -> re.Match[str] | None:
    """The first match in a line; a very long line is searched in pieces, so that no pattern runs away on it."""
    if len(text) <= _WIDE:
        return wanted.search(text)
    pieces = (text[start : start + _WIDE] for start in range(0, len(text), _WIDE - _OVERLAP))
    return next((match for match in map(wanted.search, pieces) if match), None)


def fold(text: str) -> str:
    return " ".join(text.split())


class Side:
    """The added or the removed lines of a file as one text, so that a hint is looked for in all of them at once."""

    def __init__(self, lines: Sequence[Line], sign: str) -> None:
        self.rows = [row for row, line in enumerate(lines) if line.sign == sign]
        texts = [lines[row].text for row in self.rows]
        self.text = "\n".join(texts)
        self._starts = list(accumulate((len(text) + 1 for text in texts), initial=0))

    def rows_with(self, hints: Iterable[str]) -> list[int]:
        """The rows whose line holds one of the hints."""
        found = set()
        for hint in hints:
            place = self.text.find(hint)
            while place >= 0:
                index = bisect_right(self._starts, place) - 1
                found.add(self.rows[index])
                place = self.text.find(hint, self._starts[index + 1])
        return sorted(found)


def _after_quotes(text: str, inside: str, *, known: bool) -> str:
    """The triple quote that is still open after this line, or nothing.

    Args:
        known: whether the text was read from its start; else a lone quote may as well end what began before.
    """
    place = 0
    while True:
        marks = [(at, mark) for mark in ((inside,) if inside else _TRIPLE) if (at := text.find(mark, place)) >= 0]
        if not marks:
            return inside
        at, mark = min(marks)
        place = at + 3
        if not inside and not known and not text[place:].strip() and not text[:at].strip("rbfuRBFU \t"):
            return ""
        inside = "" if inside else mark


# --- one file of the change ---------------------------------------------------------------------------------


class Hit(NamedTuple):
    key: str
    row: int


@dataclass
class Tally:
    """What a file lost of one kind, and what it gained, without what is the same on both sides."""

    removed: list[Hit]
    added: list[Hit]
    lost: list[Hit] = field(default_factory=list)
    gained: list[Hit] = field(default_factory=list)

    @property
    def short(self) -> int:
        return len(self.lost) - len(self.gained)


class Unit:
    """One file, or both names of a renamed one, with its lines in a row.

    Attributes:
        name: of the file, as people are shown it.
        source: the file that it was renamed from, with all of its lines.
        fresh: whether the file is new, and no renamed one.
        collected: whether a test runner takes it for one of its files, by its name.
        tests: whether what it holds are tests, as far as it looks like them.
        heirs: the files that took over tests of this one.
    """

    def __init__(self, change: FileChange, source: FileChange | None, names: Mapping[str, str]) -> None:
        self.path = change.path
        self.source = source
        self.name = names.get(change.path) or visible.path(change.path)
        self.language = language_of(change.path)
        self.deleted = change.new_mode == ABSENT
        self.fresh = change.old_mode == ABSENT and source is None
        self.unread = change.unread is not None
        self.hunks = change.hunks
        self.lines = [line for hunk in change.hunks for line in hunk.lines]
        self.hunk_of = [number for number, hunk in enumerate(change.hunks) for _ in hunk.lines]
        self.added, self.removed = Side(self.lines, "+"), Side(self.lines, "-")
        self.docs = matches("docs", self.path) and not matches("code_all_the_same", self.path)
        self.foreign = matches("foreign", self.path)
        self.ci, self.hooks = matches("ci", self.path), matches("hooks", self.path)
        self.tasks = self.ci or self.hooks or matches("tasks", self.path)
        self.collected = self.language.file.search(self.path) is not None
        self.tests = not self.docs and (self.collected or self._placed() or self._inline())
        self.counts: dict[str, Tally] = {}
        if self.tests:
            self.counts["tests"] = Tally(self._definitions(self.removed, "-"), self._definitions(self.added, "+"))
            self.counts["checks"] = Tally(self._checks(self.removed), self._checks(self.added))
        self.heirs: list[Unit] = []

    def _placed(self) -> bool:
        """Whether it lies among tests; a renamed file also by where it came from."""
        paths = [self.path] if self.source is None else [self.path, self.source.path]
        known = self.language.check is not _NEVER
        return known and any(matches("test", path) or language_of(path).file.search(path) for path in paths)

    def _inline(self) -> bool:
        """Whether it is Rust with its tests in it."""
        signs = ("#[test]", "#[cfg(test)]", "mod tests", "::test]", "#[rstest", "#[ignore")
        texts = (self.added.text, self.removed.text, *(hunk.section for hunk in self.hunks))
        return self.language.key == "rust" and any(sign in text for text in texts for sign in signs)

    def _definitions(self, side: Side, sign: str) -> list[Hit]:
        """The tests that begin in the lines of one side, by their names."""
        found: dict[int, Hit] = {}
        for row in side.rows_with(self.language.mark_hints):
            text = self.lines[row].text
            if search(self.language.mark, text) and not text.lstrip().startswith(("//", "# ", "#@", "#[#")):
                place, name = self._named(row, sign)
                found[place] = Hit(name or f"{self.path}\0{fold(text)}", row)
        for row in side.rows_with(self.language.define_hints):
            text = self.lines[row].text
            match = None if row in found or self.comment(text) else search(self.language.define, text)
            if match:
                groups = match.groupdict()
                name = next((groups[key] for key in groups if key != "quote" and groups[key]), fold(text))
                found[row] = Hit(name, row)
        return list(found.values())

    def _named(self, row: int, sign: str) -> tuple[int, str]:
        """Where the function stands that a mark makes a test, and its name."""
        for place in range(row, min(row + 8, len(self.lines))):
            line = self.lines[place]
            match = search(self.language.named, line.text) if line.sign in {" ", sign} else None
            if match:
                # In C#, each row of cases is a mark of its own.
                return (row if self.language.key == "cs" else place), match["name"]
        return row, ""

    def _checks(self, side: Side) -> list[Hit]:
        found = []
        for row in side.rows_with(self.language.check_hints):
            text = self.lines[row].text
            if search(self.language.check, text) and not self.comment(text) and not search(self.language.empty, text):
                found.append(Hit(fold(text), row))
        return found

    def comment(self, text: str) -> bool:
        return text.lstrip().startswith((*self.language.comments, "* ", "*/"))

    def uncommented(self, text: str) -> str:
        """What a line of comment says, without its signs and folded; empty for any other line."""
        text = text.strip()
        sign = next((sign for sign in self.language.comments if text.startswith(sign)), "")
        return fold(text[len(sign) :].removesuffix("*/").removesuffix("-->").lstrip("#/;-")) if sign else ""

    def place(self, row: int) -> int | None:
        """The line of the new file where this one is, or where it was."""
        if self.deleted:
            return None
        following = (line.new for line in self.lines[row : row + _NEAR])
        preceding = (line.new for line in reversed(self.lines[max(0, row - _NEAR) : row]))
        return next((line for line in following if line), None) or next((line for line in preceding if line), None)

    def before(self, row: int) -> Iterator[int]:
        """The rows before this one in its hunk, on its side of the change, the nearest first, without blank ones."""
        return self._near(row, range(row - 1, max(-1, row - _NEAR), -1))

    def after(self, row: int) -> Iterator[int]:
        """The rows after this one in its hunk, on its side of the change, without blank ones."""
        return self._near(row, range(row + 1, min(len(self.lines), row + _NEAR)))

    def _near(self, row: int, rows: range) -> Iterator[int]:
        other = "+" if self.lines[row].sign == "-" else "-"
        for place in rows:
            if self.hunk_of[place] != self.hunk_of[row]:
                return
            if self.lines[place].sign != other and self.lines[place].text.strip():
                yield place

    @cached_property
    def starts(self) -> frozenset[int]:
        """The rows where a test begins."""
        tests = self.counts.get("tests")
        return frozenset(hit.row for hit in (*tests.removed, *tests.added)) if tests else frozenset()

    @cached_property
    def gone(self) -> frozenset[str]:
        """The removed lines, folded, and every name in quotes in them."""
        texts = [self.lines[row].text for row in self.removed.rows]
        quoted = (name for text in texts for name in _QUOTED.findall(text[:_WIDE]))
        return frozenset(chain(map(fold, texts), quoted))

    def quoted(self, row: int) -> str:
        """The first name in quotes in a line; empty where there is none."""
        match = _QUOTED.search(self.lines[row].text[:_WIDE])
        return match[1] if match else ""

    @cached_property
    def in_text(self) -> frozenset[int]:
        """The rows of Python inside of a string of several lines, as far as the hunk shows where that begins."""
        found: set[int] = set()
        texts = (self.added.text, self.removed.text)
        if self.language.key != "py" or not any(mark in text for text in texts for mark in _TRIPLE):
            return frozenset()
        for sign in "+-":
            hunk, inside = -1, ""
            for row, line in enumerate(self.lines):
                if self.hunk_of[row] != hunk:
                    hunk, inside = self.hunk_of[row], ""
                if line.sign in {" ", sign}:
                    if inside and line.sign == sign:
                        found.add(row)
                    known = min(self.hunks[hunk].old_start, self.hunks[hunk].new_start) <= 1
                    inside = _after_quotes(line.text, inside, known=known)
        return frozenset(found)

    def code_ends(self, text: str) -> int:
        """The column where a comment begins that goes to the end of the line."""
        quote = ""
        place = 0
        while place < min(len(text), _WIDE):
            char = text[place]
            if quote:
                if char == "\\":
                    place += 1
                elif char == quote:
                    quote = ""
            elif char in "\"'`" and text.find(char, place + 1) > 0:
                quote = char
            elif self._comment_at(text, place):
                return place
            place += 1
        return len(text)

    def _comment_at(self, text: str, place: int) -> bool:
        sign = next((sign for sign in self.language.comments if text.startswith(sign, place)), "")
        # In scripts and YAML, a sign in the middle of a word begins no comment; in a URL, it never does.
        return bool(sign) and (
            place == 0 or text[place - 1] in " \t;,({})" or self.language.key == "py" or sign == "/*"
        )
