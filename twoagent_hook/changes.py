"""What changed, as values, and the parsing of git's own output into them; pure.

Names and lines are `str` decoded with surrogateescape: every byte comes back by `os.fsencode`, whatever its
encoding. Nothing here is safe to show; `visible` makes it so.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from twoagent_hook.errors import GitError

SUBMODULE = "160000"
SYMLINK = "120000"
ABSENT = "000000"
TOO_LARGE = "too large to read"
SILENT = "git shows no lines of it"
FILE_LIMIT = 1 << 20  # bytes of one file's patch that are kept
TOTAL_LIMIT = 8 << 20  # bytes of the whole patch that are kept
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
        return self._signed("+")

    @property
    def removed(self) -> int:
        return self._signed("-")

    @property
    def submodule(self) -> bool:
        return SUBMODULE in (self.old_mode, self.new_mode)

    def _signed(self, sign: str) -> int:
        # Asked for again and again, and there may be a hundred thousand lines: a generator takes thrice as long.
        return sum([line.sign for line in hunk.lines].count(sign) for hunk in self.hunks)


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
        merged: the trees of the other parents, while a merge is being concluded.
        functions: the hunks of files again, by path, with the functions around their changes, where they were read.
    """

    base: str
    tree: str
    files: tuple[FileChange, ...]
    renames: tuple[Rename, ...] = ()
    inherited: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    functions: Mapping[str, tuple[Hunk, ...]] = field(default_factory=dict)


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


class Allowance:
    """What may still be kept of a whole patch, however many commands of git show it.

    Attributes:
        size: in bytes.
        lines: their number.
    """

    def __init__(self) -> None:
        self.size = TOTAL_LIMIT
        self.lines = LINES_LIMIT - 1


class _Room:
    """What may still be kept of one file, which is kept whole or not at all; below zero once there was more of it."""

    def __init__(self, size: int, lines: int) -> None:
        self.size = size
        self.lines = lines

    @property
    def exceeded(self) -> bool:
        return self.size < 0 or self.lines < 0

    def take(self, lines: Iterator[bytes]) -> list[bytes]:
        """The next lines, up to the first that is too much."""
        taken: list[bytes] = []
        if self.exceeded:
            return taken
        left = self.size
        for line in lines:
            taken.append(line)
            left -= len(line)
            if left < 0:
                break
        self.size = left
        return taken


_SIGNS = b" +-\\"  # of a line on both sides, of an added and a removed one, and of a mark that no line feed follows
_AT_ONCE = 1 << 16  # lines whose signs are held together
_sign = itemgetter(0)


class PatchParser:
    """Reads a patch line by line, in bounded memory.

    A section begins only at a header that was foretold from the manifest, and a hunk ends by its counts: no
    content can pass for structure. Of a line that is not kept only the sign is looked at, by no loop of our own:
    there may be millions of them.
    """

    def __init__(
        self, readline: Callable[[], bytes], headers: Mapping[bytes, int], allowance: Allowance | None = None
    ) -> None:
        self._lines = iter(readline, b"")
        self._headers = headers
        self._allowance = allowance or Allowance()
        self._line = next(self._lines, b"")

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
        self._line = next(self._lines, b"")

    def _skip_preamble(self) -> bool:
        binary = False
        while self._line and not self._line.startswith((b"@@ ", b"diff --git ")):
            binary = binary or self._line.startswith((b"Binary files ", b"GIT binary patch"))
            self._advance()
        return binary

    def _section(self, key: int, binary: bool) -> Section:
        size = min(FILE_LIMIT, self._allowance.size)
        room = _Room(size, self._allowance.lines)
        hunks: list[tuple[Hunk, list[bytes]]] = []
        while self._line.startswith(b"@@ "):
            hunk = self._hunk(room)
            if not room.exceeded:
                hunks.append(hunk)
        if room.exceeded:
            return Section(key, None, binary)
        self._allowance.size -= size - room.size
        self._allowance.lines = room.lines
        return Section(key, tuple(_numbered(*hunk) for hunk in hunks), binary)

    def _hunk(self, room: _Room) -> tuple[Hunk, list[bytes]]:
        """A hunk without its lines, and those as they stand there; what there is no room for is not among them."""
        match = _HUNK.fullmatch(self._line.rstrip(b"\n"))
        if match is None:
            raise GitError(f"{_MISREAD}: {self._line[:60]!a}", "report the version of git")
        old, new = int(match[2] or b"1"), int(match[4] or b"1")
        if max(old, new) > room.lines:
            room.lines = -1
        lines = self._body(old, new, room)
        self._advance()
        while self._line.startswith(b"\\"):
            lines += room.take(iter((self._line,)))
            self._advance()
        return Hunk(int(match[1]), int(match[3]), decode(match[5]), ()), lines

    def _body(self, old: int, new: int, room: _Room) -> list[bytes]:
        """The lines of a hunk that has so many of the old and so many of the new file.

        None counts twice on one side: so the next ones, as many as the longer side lacks, are of this hunk whatever
        they are, and are taken together.
        """
        kept: list[bytes] = []
        while old or new:
            count = min(max(old, new), _AT_ONCE)
            lines = islice(self._lines, count)
            taken = room.take(lines)
            signs = bytes(map(_sign, chain(taken, lines)))
            both, added, removed, marks = map(signs.count, _SIGNS)
            old, new = old - both - removed, new - both - added
            room.lines -= both + added + removed
            if both + added + removed + marks < count or old < 0 or new < 0:
                raise GitError(f"{_MISREAD}: a hunk is shorter than it says", "report the version of git")
            kept += taken
        return kept


def _numbered(hunk: Hunk, lines: list[bytes]) -> Hunk:
    old, new = hunk.old_start, hunk.new_start
    numbered: list[Line] = []
    for line in lines:
        sign = chr(line[0])
        if sign != "\\":
            in_old, in_new = sign != "+", sign != "-"
            text = decode(line[1:].removesuffix(b"\n"))
            numbered.append(Line(sign, old if in_old else None, new if in_new else None, text))
            old, new = old + in_old, new + in_new
        elif numbered:
            numbered[-1] = numbered[-1]._replace(ended=False)
    return hunk._replace(lines=tuple(numbered))


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
