"""What changed, as values, and the parsing of git's own output into them; pure.

Names and lines are `str` decoded with surrogateescape: every byte comes back by `os.fsencode`, whatever its
encoding. Nothing here is safe to show; `visible` makes it so.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from twoagent_hook.errors import GitError

SUBMODULE = "160000"
SYMLINK = "120000"
ABSENT = "000000"
TOO_LARGE = "too large to read"
SILENT = "git shows no lines of it"
FILE_LIMIT = 1 << 20  # bytes of one file's patch that are kept
TOTAL_LIMIT = 16 << 20  # bytes of the whole patch that are kept
LINES_LIMIT = 200_000  # lines of the whole patch that are kept: an empty one is not free to hold either


class Status(StrEnum):
    ADDED = "A"
    MODIFIED = "M"
    DELETED = "D"
    TYPE_CHANGED = "T"


class Line(NamedTuple):
    """One line of a hunk.

    Attributes:
        sign: " ", "+" or "-".
        old: its number before the change, counted from 1; None for an added line.
        new: its number after the change; None for a removed line.
        text: without its line feed; a carriage return stays.
        ended: whether a line feed followed it.
    """

    sign: str
    old: int | None
    new: int | None
    text: str
    ended: bool = True


class Hunk(NamedTuple):
    old_start: int
    new_start: int
    section: str  # what git believes to be the enclosing function
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One entry of the manifest, with its hunks.

    Attributes:
        path: below the repository's root, with `/`.
        sizes: bytes before and after; None where there is no blob (absent, or a submodule).
        unread: why the hunks were not read, or None where `hunks` is all there is.
        source: the path it was moved from, where `hunks` are against that file.
    """

    path: str
    status: Status
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    sizes: tuple[int | None, int | None] = (None, None)
    hunks: tuple[Hunk, ...] = ()
    unread: str | None = None
    source: str | None = None

    @property
    def lines(self) -> Iterator[Line]:
        return (line for hunk in self.hunks for line in hunk.lines)

    @property
    def added(self) -> int:
        return sum(line.sign == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.sign == "-" for line in self.lines)

    @property
    def submodule(self) -> bool:
        return SUBMODULE in (self.old_mode, self.new_mode)


class Rename(NamedTuple):
    """A deleted and an added path that git holds for the same file; `edits` is the addition against the source."""

    source: str
    path: str
    exact: bool
    edits: FileChange


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The step from one tree to another: every path that differs, exactly once, and nothing else.

    Attributes:
        inherited: paths that a merge takes over unchanged from one of its parents; they are not in `files`.
    """

    base: str
    tree: str
    files: tuple[FileChange, ...]
    renames: tuple[Rename, ...] = ()
    inherited: tuple[str, ...] = ()


def decode(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def parse_manifest(raw: bytes) -> tuple[FileChange, ...]:
    """`git diff-tree --raw -z --no-renames` as changes without hunks, in git's order.

    Raises:
        GitError: it is not of that form.
    """
    fields = raw.split(b"\0")
    if fields.pop() or len(fields) % 2:
        raise GitError("git's list of changed files is cut short", "run it again")
    files = []
    for header, name in zip(fields[::2], fields[1::2], strict=True):
        parts = header.decode("ascii", "replace").removeprefix(":").split(" ")
        if not header.startswith(b":") or len(parts) != 5 or parts[4] not in tuple(Status) or not name:
            raise GitError("git's list of changed files has an entry of unknown form", "report the version of git")
        old_mode, new_mode, old_oid, new_oid, status = parts
        files.append(FileChange(decode(name), Status(status), old_mode, new_mode, old_oid, new_oid))
    return tuple(files)


def parse_renames(raw: bytes) -> tuple[tuple[str, str, bool], ...]:
    """The renames in `git diff-tree --raw -z -M`: (source, path, whether the content is equal)."""
    fields = iter(raw.split(b"\0"))
    found = []
    for header in fields:
        if not header:
            continue
        source = next(fields, b"")
        if header.rpartition(b" ")[2].startswith(b"R"):
            parts = header.split(b" ")
            if len(parts) != 5:
                raise GitError("git's list of renames has an entry of unknown form", "report the version of git")
            exact = parts[2] == parts[3] and parts[0].removeprefix(b":") == parts[1]
            found.append((decode(source), decode(next(fields, b"")), exact))
    return tuple(found)


_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_ESCAPES = {
    7: b"\\a",
    8: b"\\b",
    9: b"\\t",
    10: b"\\n",
    11: b"\\v",
    12: b"\\f",
    13: b"\\r",
    34: b'\\"',
    92: b"\\\\",
}


def quote(name: bytes) -> bytes:
    """A name as git writes it in a patch with `core.quotePath=true` (quote.c: C-style, octal above 0x7e)."""
    if _PLAIN.fullmatch(name):
        return name
    spelled = b"".join(
        _ESCAPES.get(byte) or (bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte) for byte in name
    )
    return b'"' + spelled + b'"'


def header(source: str, path: str) -> bytes:
    """The line that begins a file's section in a patch, without its line feed."""
    return b"diff --git " + quote(b"a/" + encode(source)) + b" " + quote(b"b/" + encode(path))


_HUNK = re.compile(rb"@@ -(\d{1,18})(?:,(\d{1,18}))? \+(\d{1,18})(?:,(\d{1,18}))? @@ ?(.*)", re.DOTALL)
_MISREAD = "git's patch and its list of files don't fit together"


class Section(NamedTuple):
    """What a patch says of one file; `hunks` is None where there was more of it than is kept."""

    key: int
    hunks: tuple[Hunk, ...] | None
    binary: bool


class PatchParser:
    """Reads a patch line by line, in bounded memory.

    A section begins only at a header that was foretold from the manifest, and a hunk ends by its counts: no
    content can pass for structure.
    """

    def __init__(self, readline: Callable[[], bytes], headers: Mapping[bytes, int]) -> None:
        self._readline = readline
        self._headers = headers
        self._kept = self._lines = 0
        self._line = readline()

    def sections(self) -> Iterator[Section]:
        """Each file's section, in git's order.

        Raises:
            GitError: the patch is not of the promised form.
        """
        while self._line:
            key = self._headers.get(self._line.rstrip(b"\n"))
            if key is None:
                raise GitError(f"{_MISREAD}: {self._line[:60]!a}", "report the version of git")
            self._advance()
            binary = self._skip_preamble()
            yield self._section(key, binary)

    def _advance(self) -> None:
        self._line = self._readline()

    def _skip_preamble(self) -> bool:
        binary = False
        while self._line and not self._line.startswith((b"@@ ", b"diff --git ")):
            binary = binary or self._line.startswith((b"Binary files ", b"GIT binary patch"))
            self._advance()
        return binary

    def _section(self, key: int, binary: bool) -> Section:
        hunks: list[Hunk] | None = []
        size = lines = 0
        while self._line.startswith(b"@@ "):
            hunk, length = self._hunk(keep=hunks is not None, room=LINES_LIMIT - self._lines - lines)
            size, lines = size + length, lines + len(hunk.lines)
            if size > FILE_LIMIT or self._kept + size > TOTAL_LIMIT or self._lines + lines >= LINES_LIMIT:
                hunks = None
            elif hunks is not None:
                hunks.append(hunk)
        if hunks is not None:
            self._kept, self._lines = self._kept + size, self._lines + lines
        return Section(key, None if hunks is None else tuple(hunks), binary)

    def _hunk(self, *, keep: bool, room: int) -> tuple[Hunk, int]:
        match = _HUNK.fullmatch(self._line.rstrip(b"\n"))
        if match is None:
            raise GitError(f"{_MISREAD}: {self._line[:60]!a}", "report the version of git")
        old, new = int(match[1]), int(match[3])
        old_left, new_left = int(match[2] or b"1"), int(match[4] or b"1")
        found = Hunk(old, new, decode(match[5]), ())
        lines: list[Line] = []
        size = 0
        self._advance()
        while old_left or new_left or self._line.startswith(b"\\"):
            sign = chr(self._line[0]) if self._line else ""
            size += len(self._line)
            if sign == "\\":
                if keep and lines:
                    lines[-1] = lines[-1]._replace(ended=False)
            elif sign in {" ", "+", "-"}:
                in_old, in_new = sign != "+", sign != "-"
                if keep and size <= FILE_LIMIT and len(lines) < room:
                    text = decode(self._line[1:].removesuffix(b"\n"))
                    lines.append(Line(sign, old if in_old else None, new if in_new else None, text))
                old, new = old + in_old, new + in_new
                old_left, new_left = old_left - in_old, new_left - in_new
            if sign not in {" ", "+", "-", "\\"} or old_left < 0 or new_left < 0:
                raise GitError(f"{_MISREAD}: a hunk is shorter than it says", "report the version of git")
            self._advance()
        return found._replace(lines=tuple(lines)), size


def assemble(files: tuple[FileChange, ...], sections: Iterator[Section]) -> tuple[FileChange, ...]:
    """Give each file its hunks; `sections` are keyed by the place in `files`.

    A change of type comes as two sections (a deletion and an addition), which are joined.

    Raises:
        GitError: a file that differs has no section, or one without the lines that make the difference.
    """
    found: dict[int, FileChange] = {}
    for key, hunks, binary in sections:
        file = found.get(key, files[key])
        if binary:
            file = replace(file, unread=SILENT)
        elif hunks is None:
            file = replace(file, hunks=(), unread=TOO_LARGE)
        elif file.unread is None:
            file = replace(file, hunks=file.hunks + hunks)
        found[key] = file
    whole = tuple(found.get(place, file) for place, file in enumerate(files))
    for place, file in enumerate(whole):
        silent = file.unread is None and not file.hunks and file.old_oid != file.new_oid and any(file.sizes)
        if silent or (place not in found and file.unread is None):
            raise GitError(f"{_MISREAD}: nothing is shown of {file.path!a}", "report the version of git")
    return whole
