"""Whether a change is of a kind that leaves a reviewer nothing to judge; pure.

Each of its files has to be proven to be of such a kind, from the change itself. Where there is any doubt, nothing is
proven: then a reviewer is asked, which is never wrong.
"""

import ast
import io
import posixpath
import re
import sys
import tokenize
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from twoagent_hook import visible
from twoagent_hook.changes import ABSENT, ChangeSet, FileChange, Status
from twoagent_hook.config import Config
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.screening import Matcher, ScreenedChange, hidden, injection, matcher, sensitive, testcode
from twoagent_hook.screening.contents import Content, is_lock, known_files, name_of, recognise
from twoagent_hook.screening.shapes import EXECUTABLE
from twoagent_hook.screening.tampering import Texts

PLAIN = "100644"


class Proof(StrEnum):
    """Why a file needs no reviewer; the first that holds is the one that is told."""

    MOVED = "moved"
    LOCK_ONLY = "lock-only"
    PYTHON_SAME_AST = "python-same-ast"
    DOCS = "docs"


class Proven(NamedTuple):
    """That no reviewer is needed, and by which proofs.

    Attributes:
        sentence: says it to people, with the number of files for each proof.
    """

    proofs: tuple[Proof, ...]
    sentence: str


def candidates(change: ChangeSet) -> list[str]:
    """The changed paths of which `prove` wants the whole texts; none where no text could make it prove anything."""
    if _hopeless(change):
        return []
    return [file.path for file in change.files if _reformatted(file) or _updated(file)]


def prove(
    change: ChangeSet, screened: ScreenedChange, config: Config, texts: Mapping[str, Texts], skip: tuple[str, ...]
) -> Proven | None:
    """Which proofs cover all files of a change; None where one is not covered.

    Args:
        screened: the same change, with what the rules found in it.
        texts: of the `candidates`.
        skip: the kinds of change that the policy spares a reviewer.
    """
    if _hopeless(change) or _objected(screened.findings):
        return None
    kept = _kept(config)
    if any(kept(file.path) for file in change.files):
        return None
    moved = {file.path for pair in _pairs(change.files) if _inert(pair) for file in pair}
    locked = _lock_rule_content(screened.findings, config)
    documented = Proof.DOCS in skip and not _misleading(screened.findings)
    covers: dict[Proof, Callable[[FileChange], bool]] = {
        Proof.MOVED: lambda file: file.path in moved,
        Proof.LOCK_ONLY: lambda file: locked and _updated(file) and _legible(file, texts),
        Proof.PYTHON_SAME_AST: lambda file: _reformatted(file) and _same_file(file, texts),
        Proof.DOCS: lambda file: documented and _prose(file) and _for_people(file),
    }
    found: Counter[Proof] = Counter()
    for file in sorted(change.files, key=_python):  # what takes long comes last
        proof = next((proof for proof, holds in covers.items() if holds(file)), None)
        if proof is None:
            return None
        found[proof] += 1
    found[Proof.MOVED] //= 2  # each has two paths
    return Proven(tuple(proof for proof in Proof if found[proof]), _sentence(found))


def _sentence(found: Counter[Proof]) -> str:
    told = [_TOLD[proof][found[proof] > 1].format(found[proof]) for proof in Proof if found[proof]]
    return f"needs no reviewer: {'; '.join(told)}"


_TOLD = {
    Proof.MOVED: ("{} file moved unchanged", "{} files moved unchanged"),
    Proof.LOCK_ONLY: ("{} lock file alone", "{} lock files alone"),
    Proof.PYTHON_SAME_AST: ("{} Python file with the same syntax tree", "{} Python files with the same syntax trees"),
    Proof.DOCS: ("{} file of documentation", "{} files of documentation"),
}


# --- the change as a whole ----------------------------------------------------------------------------------


def _hopeless(change: ChangeSet) -> bool:
    """Whether the shapes and names of the files, and the words in them, already tell that nothing can be proven."""
    files = change.files
    if not files or change.inherited:
        return True
    paired = {file.path for pair in _pairs(files) for file in pair}
    for file in files:
        possible = file.path in paired or _updated(file) or _prose(file) or _reformatted(file)
        if not (possible and _readable(file)):
            return True
    return sum(size or 0 for file in files if _python(file) for size in file.sizes) > _ALL_LIMIT


def _readable(file: FileChange) -> bool:
    """Whether it is a regular file, of the same mode on both sides, that is text, under a name that hides nothing."""
    modes = {file.old_mode, file.new_mode} - {ABSENT}
    if len(modes) != 1 or not modes <= {PLAIN, EXECUTABLE} or file.unread is not None:
        return False
    return visible.path(file.path) == file.path and recognise(file)[1] is Content.TEXT


def _objected(findings: Iterable[Finding]) -> bool:
    return any(finding.effect is None or finding.effect >= Effect.REQUEST_CHANGES for finding in findings)


def _kept(config: Config) -> Matcher:
    """Whether a path is one that the policy names: it is withheld, protected, or part of what reviewers are told."""
    excluded, protected = matcher(config.exclude), matcher(config.protect)
    told = {_folded(posixpath.normpath(path)) for path in (*config.guidelines, config.prompt)}
    return lambda path: excluded(path) or protected(path) or _folded(path) in told


def _folded(path: str) -> str:
    """The name in which a file system that makes no difference between capital and small letters finds it."""
    return path.casefold()


@cache
def _known(table: str, key: str = "patterns") -> Matcher:
    matches = matcher(tuple(known_files()[table][key]))
    return lambda path: matches(_folded(path))


# --- moved --------------------------------------------------------------------------------------------------

_Pair = tuple[FileChange, FileChange]


def _pairs(files: Iterable[FileChange]) -> list[_Pair]:
    """Each deleted file and the added one with its content; none of a content that is there more or less often."""
    gone: dict[str, list[FileChange]] = {}
    come: dict[str, list[FileChange]] = {}
    for file in files:
        if file.status is Status.DELETED:
            gone.setdefault(file.old_oid, []).append(file)
        elif file.status is Status.ADDED:
            come.setdefault(file.new_oid, []).append(file)
    pairs: list[_Pair] = []
    for oid, sources in gone.items():
        targets = come.get(oid, [])
        if len(sources) == len(targets):
            pairs += zip(sorted(sources, key=_form), sorted(targets, key=_form), strict=True)
    return pairs


def _form(file: FileChange) -> tuple[str, ...]:
    """What of a file, beside its content, has to be the same at both ends of a move.

    Of a test, that is its folder too: runners look into some of them, and not into others. Of a file without a suffix,
    it is the name, which is all that tells what it is.
    """
    folder, name = posixpath.split(file.path)
    suffix = name.partition(".")[2]
    collected = testcode.language_of(file.path).file.search(file.path) is not None
    tested = collected or testcode.matches("test", file.path)
    mode = file.new_mode if file.old_mode == ABSENT else file.old_mode
    return mode, suffix, "" if suffix else name, str(collected), folder if tested else ""


def _inert(pair: _Pair) -> bool:
    source, target = pair
    return _form(source) == _form(target) and not any(_acts(file.path) for file in pair)


def _acts(path: str) -> bool:
    """Whether a file does something by its name or place: it is run, loaded, read or published for that alone."""
    name = name_of(path)
    shadows = name.endswith(_SUFFIXES) and name.partition(".")[0] in sys.stdlib_module_names
    by_name = _known("acts-by-place")(path) or _known("docs", "instructs")(path)
    return shadows or is_lock(path) or by_name or sensitive()(path)


# --- lock files ---------------------------------------------------------------------------------------------


def _updated(file: FileChange) -> bool:
    return is_lock(file.path) and file.old_mode == file.new_mode == PLAIN


def _lock_rule_content(findings: Iterable[Finding], config: Config) -> bool:
    """Whether the rule on lock files is on, and found nothing, not even what is only a note."""
    return config.rules[_LOCK_RULE] != Effect.OFF and all(finding.kind != _LOCK_RULE for finding in findings)


_LOCK_RULE = "lock-source"


def _legible(file: FileChange, texts: Mapping[str, Texts]) -> bool:
    """Whether the rule could read packages on both sides: of what it can't read, it says nothing."""
    from twoagent_hook.screening.lockfiles import entries, format_of  # as in screening

    kind = format_of(file.path)
    sides = texts.get(file.path, (None, None))
    return kind is not None and all(text is not None and entries(kind, text) for text in sides)


# --- documentation ------------------------------------------------------------------------------------------


def _prose(file: FileChange) -> bool:
    """Whether it is documentation by its name, and no program by its mode."""
    known = known_files()["docs"]
    stem, suffix = posixpath.splitext(name_of(file.path))
    named = stem in known["names"] if not suffix else suffix.lower() == ".txt" and stem.upper() in known["names"]
    return EXECUTABLE not in (file.old_mode, file.new_mode) and (named or suffix.lower() in known["suffixes"])


def _for_people(file: FileChange) -> bool:
    """Whether it is read by people alone: no agent follows it, and no program works on it."""
    others = (_known("docs", "instructs"), _known("docs", "elsewhere"), _known("data"), sensitive())
    unicode = not any(_BYTES.search(line.text) for line in file.lines)
    return unicode and not any(matches(file.path) for matches in others)


_BYTES = re.compile("[\ud800-\udfff]")  # that are no UTF-8


def _misleading(findings: Iterable[Finding]) -> bool:
    """Whether text says something else than people see, or speaks to models; a suspicion is enough."""
    kinds = (hidden.KIND, injection.KIND)
    return any(finding.kind in kinds and finding.dismissed is None for finding in findings)


# --- Python: by the file ------------------------------------------------------------------------------------

_SUFFIXES = (".py", ".pyi")
_LIMIT = 1 << 20  # bytes of one side
_ALL_LIMIT = 4 << 20  # bytes of both sides of all files: some seconds
_LINES_LIMIT = 20_000
_LINE_LIMIT = 5_000  # characters: on longer lines, the tokenizer of Python 3.12 takes minutes
_NO_WORD = re.compile(r"[\W_bfrtu]+")  # letters before strings come and go where strings are joined


def _python(file: FileChange) -> bool:
    """Whether it is Python on both sides."""
    return file.status is Status.MODIFIED and file.path.endswith(_SUFFIXES)


def _reformatted(file: FileChange) -> bool:
    """Whether it is Python with nearly all letters and digits as they were: of most edits, that is all to be done."""
    if not _python(file):
        return False
    small = all(size is not None and size <= _LIMIT for size in file.sizes)
    return small and _words(file, "-") == _words(file, "+")


def _words(file: FileChange, sign: str) -> str:
    text = "\n".join(line.text for line in file.lines if line.sign in {" ", sign})
    return _NO_WORD.sub("", text.lower())


def _same_file(file: FileChange, texts: Mapping[str, Texts]) -> bool:
    before, after = texts.get(file.path, (None, None))
    if before is None or after is None or _known("data")(file.path):
        return False
    return _same_source(before, after)


# --- Python: by its texts -----------------------------------------------------------------------------------

# Line ends that Python takes for others, a byte order mark, and what was no UTF-8.
_DOUBTFUL = re.compile("[\r\ufeff\ufffd]")
_UNUSUAL = re.compile("[^\t\n\f -~]")
_ENCODING = re.compile(r"coding[:=][ \t]*([-\w.]+)")


def _same_source(before: str, after: str) -> bool:
    """Whether both are the same program, with the same comments about the same parts of it."""
    sides = (before, after)
    if not all(map(_ordinary, sides)) or _head(before) != _head(after):
        return False
    if _UNUSUAL.findall(before) != _UNUSUAL.findall(after):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of the code's style is not for who commits it
            return _tree(before) == _tree(after) and ("#" not in before + after or _layout(before) == _layout(after))
    except (SyntaxError, ValueError, tokenize.TokenError, RecursionError, MemoryError):
        return False


def _ordinary(text: str) -> bool:
    """Whether it is small enough, and the same characters to every reader."""
    lines = text.split("\n")
    small = len(text) <= _LIMIT and len(lines) <= _LINES_LIMIT and max(map(len, lines)) <= _LINE_LIMIT
    declared = (name.lower().replace("_", "-") for name in _ENCODING.findall("\n".join(lines[:2])))
    return small and not _DOUBTFUL.search(text) and all(name in {"utf-8", "utf8"} for name in declared)


def _head(text: str) -> Sequence[str]:
    """The first two lines, which alone can name an interpreter or an encoding."""
    return text.split("\n", 2)[:2]


def _tree(text: str) -> str:
    tree = ast.parse(text, type_comments=True)
    tree.type_ignores = []  # by their lines, which a formatter moves; they are comments, and are compared as such
    return ast.dump(tree)


class _Mark(NamedTuple):
    """Something of the text that tools may read by its place, while the syntax tree doesn't have it.

    Attributes:
        text: of a comment; empty for a string.
        behind: how many tokens come before it.
        depth: of a comment on a line of its own: 0 in the first column, else how many blocks it stands in, or -1
            within brackets.
        joined: whether it follows a comment on a line of its own, on the next line.
    """

    text: str
    behind: int
    depth: int | None = None
    joined: bool = False


class _Span(NamedTuple):
    """The tokens on a line, by their numbers, and whether the first goes on with strings of the line above."""

    first: int
    last: int
    split: bool


class _Layout:
    """The tokens of a text that no formatter adds or takes away, and the places of all else that tools may read.

    A comment can switch a check off for the line that it is on, for all that a backslash or a string joins with it,
    for the block, or for the file. So it has to stand behind the same token as before, on a line of the same tokens.
    """

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self._lines = text.split("\n")
        self._spans: dict[int, _Span] = {}
        self._wholes: dict[int, _Span] = {}
        self._found: list[tuple[_Mark, int, int, int]] = []
        self._indents = [0]
        self._brackets = 0
        self._quoted = False  # whether another string would go on with the one before
        self._whole = 1  # the line with which the line begins that backslashes and strings join
        self._alone = -1  # the last line with nothing but a comment
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            self._take(token)

    @property
    def marks(self) -> list[tuple[_Mark, _Span | None, _Span | None, _Span | None]]:
        """Each mark with what is on its first line, on its last one, and on all lines that are joined with it."""
        lines = self._spans.get
        return [(mark, lines(first), lines(last), self._wholes.get(whole)) for mark, first, last, whole in self._found]

    def _take(self, token: tokenize.TokenInfo) -> None:
        if token.type == tokenize.INDENT:
            self._indents.append(len(token.string))
        elif token.type == tokenize.DEDENT:
            self._indents.pop()
        elif token.type in _BREAKS:
            self._whole = token.end[0] + 1
            self._quoted = self._quoted and token.type == tokenize.NL
        elif token.type == tokenize.COMMENT:
            self._comment(token)
            self._quoted = False
        else:
            self._code(token)

    def _comment(self, token: tokenize.TokenInfo) -> None:
        row, column = token.start
        mark = _Mark(token.string.rstrip(" \t\f"), len(self.tokens))
        if not self._lines[row - 1][:column].strip():
            inside = sum(indent <= column for indent in self._indents)
            depth = -1 if self._brackets else inside if column else 0
            mark = mark._replace(depth=depth, joined=self._alone == row - 1)
            self._alone = row
        self._found.append((mark, row, row, self._whole))

    def _code(self, token: tokenize.TokenInfo) -> None:
        if token.type == tokenize.OP:
            self._brackets += (token.string in _OPENING) - (token.string in _CLOSING)
        if token.string in _OPTIONAL:
            self._quoted = False
            return
        (first, _), (last, _) = token.start, token.end
        if "#" in token.string:  # some tools find comments in strings, too
            self._found.append((_Mark("", len(self.tokens)), first, last, self._whole))
        essence = _essence(token)
        goes_on = self._quoted and essence == _STRING
        self._quoted = essence == _STRING
        if not goes_on:
            self.tokens.append(essence)
        self._place(self._wholes, self._whole, split=False)
        for row in {first, last}:
            self._place(self._spans, row, split=goes_on)

    def _place(self, spans: dict[int, _Span], row: int, *, split: bool) -> None:
        place = len(self.tokens) - 1
        spans[row] = spans.get(row, _Span(place, place, split))._replace(last=place)


_STRING = '""'
_BREAKS = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER})
_WORDS = frozenset({tokenize.NAME, tokenize.OP})
_OPTIONAL = frozenset("(),;")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def _essence(token: tokenize.TokenInfo) -> str:
    """A token without its spelling: the syntax tree has the value, but not the lines that a string is written on."""
    if token.type == tokenize.NUMBER:
        return "0"
    if token.type in _WORDS:
        return token.string
    return token.string.lstrip("rRbBuUfFtT").strip("\"'") if "\n" in token.string else _STRING


def _layout(text: str) -> tuple[object, ...]:
    layout = _Layout(text)
    return layout.tokens, layout.marks
