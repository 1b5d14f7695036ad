"""Text in a change that talks to the reviewer; pure, in linear time.

Nothing that is found here is taken out: the reviewer sees it, fenced as data, and the finding can only worsen a
verdict. What no pattern knows gets past this rule, and meets the fence, the receipt and the law of replies.
"""

import base64
import binascii
import codecs
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate, chain
from typing import Any, NamedTuple

from twoagent_hook import datafiles
from twoagent_hook.changes import FileChange
from twoagent_hook.findings import Finding
from twoagent_hook.patterns import Pattern
from twoagent_hook.screening import hidden
from twoagent_hook.screening.rules import once_a_file, rule

KIND = "prompt-injection"
_FIX = "take it out: text in a change does not instruct its reviewer"
_TABLE = "screening/injection.toml"
_MOST = 3  # findings of one title in a file
_BEFORE, _AFTER = 40, 160  # characters that are quoted before and after the place


class Hit(NamedTuple):
    """A place where the text talks to the reviewer: its line and column in the plain text, from 0."""

    row: int
    column: int
    title: str
    mild: bool


def find(file: FileChange, name: str) -> Iterator[Finding]:
    """The lines that the change adds, and the file's name, where they address the reviewer."""
    return once_a_file(chain(_in_name(file.path, name), _in_lines(file, name)), _MOST)


def _in_name(path: str, name: str) -> Iterator[Finding]:
    words = _WORD_ENDS.sub(" ", path)
    for hit in read(f"{path}\n{path}\n{words}".replace("/", "\n"))[:1]:
        yield rule(KIND, f"{hit.title} is in the file's name", name, None, "rename it", path, mild=hit.mild)


_WORD_ENDS = Pattern(r"[_.\-]|(?<=[a-z])(?=[A-Z])")


def _in_lines(file: FileChange, name: str) -> Iterator[Finding]:
    added = [line for line in file.lines if line.sign == "+"]
    # What stands between two lines that are no neighbours is not known here: no sentence goes on across it.
    texts = (
        [
            line.text if following is None or line.new is None or following.new == line.new + 1 else f"{line.text} ."
            for line, following in zip(added, [*added[1:], None], strict=True)
        ]
        if added
        else []
    )
    for hit in read("\n".join(texts)):
        line = added[hit.row]
        start = max(0, hit.column - _BEFORE) if len(line.text) > _BEFORE + _AFTER else 0
        quote = line.text[start : start + _BEFORE + _AFTER]
        yield rule(KIND, f"{hit.title} is added", name, line.new, _FIX, quote, mild=hit.mild)


def read(text: str) -> list[Hit]:
    """Where it talks to the reviewer, in the order of the lines and at most once in each."""
    first: dict[int, Hit] = {}
    clear = plain(text)
    for version in chain((clear,), _disguised(clear)):
        for hit in _hits(version):
            known = first.setdefault(hit.row, hit)
            if known.mild and not hit.mild:
                first[hit.row] = hit
    return [first[row] for row in sorted(first)]


# --- the table ----------------------------------------------------------------------------------------------

_BLANK = 9  # characters at most that a blank in a pattern stands for
_JOINT = rf"(?:[\s\x22\x27`*,:;#/>|~+\\-]{{1,{_BLANK}}})"
_GAP = r"[^.!?;(){}=<>\[\]]{0,%s}?"
_KEY = 3  # letters of a word by which patterns are found
_PLACEHOLDER = Pattern(r"<(\w{1,12})>")


class _Group(NamedTuple):
    """Patterns that are looked for near their own anchors."""

    title: str
    mild: bool
    anchors: tuple[str, ...]
    source: str


class Phrase(NamedTuple):
    """A word, and what has to follow it.

    Attributes:
        word: with a line feed before it, it has to begin a line.
        group: its place among the groups.
        near: the next word, where it is always the same.
        rest: the pattern of what follows, in the table's own short form.
        needs: of each of these, one has to stand behind the word, or the pattern need not be compiled.
        reach: as many characters as it can look at.
    """

    word: str
    group: int
    near: str
    rest: str
    needs: tuple[tuple[str, ...], ...]
    reach: int

    def follows(self, text: str, start: int) -> bool:
        end = start + self.reach
        close = text.find(self.near, start, start + _BLANK + len(self.near)) >= 0
        possible = close and all(any(text.find(word, start, end) >= 0 for word in words) for words in self.needs)
        return possible and _compiled(self.rest).match(text, start) is not None


@cache
def _table() -> dict[str, Any]:
    return datafiles.packaged_toml(_TABLE)


def _expanded(pattern: str, words: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        return _GAP % found[1] if found[1].isdigit() else _PLACEHOLDER.sub(one, words[found[1]])

    return _PLACEHOLDER.sub(one, pattern).replace(" ", _JOINT)


_SLACK = 120  # characters that a blank may stand for in the words that a phrase begins with


@cache
def _phrases() -> dict[str, list[Phrase]]:
    """By the first letters of their words."""
    table: dict[str, list[Phrase]] = {}
    for place, group in enumerate(_table()["groups"]):
        for starts, rest, needs, reach in group["patterns"]:
            begin = "\n" if starts.startswith("^") else ""
            for start in starts.removeprefix("^").split("|"):
                word, blank, more = start.partition(" ")
                near = more.partition(" ")[0]
                words = tuple(map(tuple, needs))
                phrase = Phrase(begin + word, place, near, blank + more + rest, words, reach + _SLACK)
                table.setdefault(word.partition("-")[0][:_KEY], []).append(phrase)
    return table


@cache
def _groups() -> tuple[_Group, ...]:
    return tuple(
        _Group(
            row["title"],
            row.get("mild", False),
            tuple(_folded(anchor).lower() for anchor in row["anchors"]),
            "|".join(f"(?:{_folded(pattern)})" for pattern in row["patterns"]),
        )
        for row in _table()["free"]
    )


@cache
def _compiled(source: str) -> Pattern:
    return Pattern(_expanded(source, _table()["words"]))


# --- the search ---------------------------------------------------------------------------------------------

_WORD = Pattern(r"(?<!\w)[a-z]+")


def _hits(text: str) -> Iterator[Hit]:
    """The first hits of each title in a plain text."""
    text = f"\n{text}"  # so that each line begins after a line feed
    starts: list[int] = []
    rows: dict[str, set[int]] = {}
    for place, title, mild in chain(_phrases_in(text, rows), _free_in(text, rows)):
        if not starts:
            starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
        row = bisect_right(starts, place) - 2
        told = rows.setdefault(title, set())
        if row not in told and len(told) < _MOST:
            told.add(row)
            yield Hit(row, place - starts[row + 1], title, mild)


def _phrases_in(text: str, rows: dict[str, set[int]]) -> Iterator[tuple[int, str, bool]]:
    titles = [group["title"] for group in _table()["groups"]]
    for begin, end in _stretches(text, _table()["anchors"]):
        for found in _WORD.finditer(text, begin, end):
            for phrase in _phrases().get(found[0][:_KEY], ()):
                start = found.start() - phrase.word.startswith("\n")
                title = titles[phrase.group]
                wanted = text.startswith(phrase.word, start) and len(rows.get(title, ())) < _MOST
                if wanted and phrase.follows(text, start + len(phrase.word)):
                    yield found.start(), title, False


def _free_in(text: str, rows: dict[str, set[int]]) -> Iterator[tuple[int, str, bool]]:
    for group in _groups():
        for begin, end in _stretches(text, group.anchors):
            found = _compiled(group.source).search(text, begin, end)
            while found and len(rows.get(group.title, ())) < _MOST:
                yield found.start(), group.title, group.mild
                found = _compiled(group.source).search(text, found.end(), end)


def _stretches(text: str, anchors: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The parts of a text that are near an anchor, in their order, without overlaps."""
    reach = _table()["reach"]
    places = []
    for anchor in anchors:
        place = text.find(anchor)
        while place >= 0:
            places.append(place)
            place = text.find(anchor, place + reach)
    begin = end = 0
    for place in sorted(places):
        if place - reach > end:
            if end:
                yield begin, end
            begin = max(0, place - reach)
        end = place + 2 * reach
    if end:
        yield begin, min(end, len(text))


# --- plain text ---------------------------------------------------------------------------------------------

_LEAD = Pattern(r"\n(?:[^\w\n<\[]|<!--){1,80}")
_BLANKS = Pattern(r"[^\S\n]{3,}")  # two blanks divide words of single letters
_UNSEEN = Pattern(
    "[\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_TAGGED = Pattern("[\U000e0020-\U000e007f]{1,4000}")
_ACCENTS = Pattern("[\u0300-\u036f\u0483-\u0489\u20d0-\u20f0]")
_WORDS = Pattern(r"[^\W\d_]{1,100}")
_SMALL_CAPITALS = Pattern("[\u0250-\u02af\u1d00-\u1dbf\ua720-\ua7ff]{1,100}")


def plain(text: str) -> str:
    """Lower case, in plain letters, without what hides it: escapes, codes, accents, invisible characters.

    It has the same lines; each is without the blanks and the punctuation that it begins with.
    """
    text = _unescaped(_decoded(text))
    if not text.isascii():
        text = "\n".join(line if line.isascii() else _folded(line) for line in text.split("\n"))
    return _BLANKS.sub("  ", _LEAD.sub("\n", f"\n{text.lower()}"))[1:]


def _folded(text: str) -> str:
    """Without accents and invisible characters, in plain letters as far as words of plain letters are meant."""
    text = _UNSEEN.sub("", _TAGGED.sub(_untagged, text).translate(_alphabets()))
    text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    text = unicodedata.normalize("NFKC", text)
    return _WORDS.sub(_likened, text)


def _untagged(found: re.Match[str]) -> str:
    return f" {''.join(chr(ord(char) - 0xE0000) for char in found[0])} "


@cache
def _alphabets() -> dict[int, str]:
    starts = datafiles.packaged_toml("screening/hidden.toml")["alphabets"]["starts"]
    return {start + place: chr(ord("a") + place) for start in starts for place in range(26)}


@cache
def _likenesses() -> tuple[dict[int, str], dict[int, str]]:
    twins = hidden.letters("twins")
    return str.maketrans(twins), str.maketrans(hidden.letters("likenesses") | twins)


def _likened(found: re.Match[str]) -> str:
    """A word in plain letters where some of it are, or where all of it look like such."""
    word = found[0]
    if word.isascii():
        return word
    twins, likenesses = _likenesses()
    if any(char.isascii() for char in word):
        return word.translate(likenesses)
    same = word.translate(likenesses if _SMALL_CAPITALS.fullmatch(word) else twins)
    return same if same.isascii() and len(same) > 2 else word


# --- escapes ------------------------------------------------------------------------------------------------

_ESCAPE = Pattern(
    r"[\\%&](?:x([0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2}){0,2000})|(?<=%)([0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2}){0,2000})"
    r"|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})|#x([0-9a-fA-F]{1,6});?|#([0-9]{1,7});?"
    r"|(?<=\\)([0-3][0-7]{2}))"
)
_CONTROLS = Pattern("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAMED = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&nbsp;", " "), ("&amp;", "&"))
_SIMPLE = (("\\n", "  "), ("\\t", "  "), ("\\r", "  "), ('\\"', '"'))


def _unescaped(text: str) -> str:
    if "\\" in text or "%" in text or "&#" in text:
        text = _ESCAPE.sub(_resolved, text)
    for written, meant in (*(_NAMED if "&" in text else ()), *(_SIMPLE if "\\" in text else ())):
        text = text.replace(written, meant)
    return text


def _resolved(found: re.Match[str]) -> str:
    kind = found.lastindex or 0
    if kind <= 2:
        raw = bytes.fromhex(found[kind].replace("\\x", "").replace("%", ""))
        said = raw.decode("utf-8", "replace")
    else:
        code = int(found[kind], 10 if kind == 7 else 8 if kind == 8 else 16)
        said = chr(code) if code < 0x110000 else " "
    return _CONTROLS.sub(" ", said)


# --- codes --------------------------------------------------------------------------------------------------

_LONG = 24  # characters of a word that may be base64 or hexadecimal
_CODED = Pattern(r"[A-Za-z0-9+/_-]{24,4000}={0,2}")
# What printable ASCII is in base64: in each four, the first three say that a byte is below 0x80.
_ASCII_IN_BASE64 = Pattern(
    r"(?:[CDI-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){6,1000}[A-Za-z0-9+/_-]{0,3}"
)
_ASCII_IN_HEX = Pattern(r"(?:[2-7][0-9a-fA-F]){12,2000}")


def _decoded(text: str) -> str:
    """The text with what base64 and hexadecimal in it say, in their place."""
    words = [word for word in text.split() if len(word) >= _LONG]
    if any(_said(found) != found[0] for word in words for found in _CODED.finditer(word)):
        return _CODED.sub(_said, text)
    return text


def _said(found: re.Match[str]) -> str:
    word = found[0]
    if hexed := _ASCII_IN_HEX.search(word):
        said = bytes.fromhex(hexed[0]).decode("ascii", "replace")
        return f"{word[: hexed.start()]} {said} {word[hexed.end() :]}" if said.isprintable() else word
    if coded := _ASCII_IN_BASE64.search(word):
        said = _from_base64(coded[0])
        return f"{word[: coded.start()]} {said} {word[coded.end() :]}" if said else word
    return _from_base64(word) or word


def _from_base64(word: str) -> str:
    """The text in it; empty where there is none."""
    word = word.rstrip("=").replace("-", "+").replace("_", "/")
    if word == word.lower():
        return ""  # no code has no capital letter
    word = word[:-1] if len(word) % 4 == 1 else word
    try:
        said = base64.b64decode(word + "=" * (-len(word) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    said = " ".join(said.split())
    return said if said.isprintable() and (" " in said or not said.isascii()) else ""


# --- disguises ----------------------------------------------------------------------------------------------

_TELLING = ("instruct", "approve", "verdict", "reviewer")  # in a disguise, one of them shows that there is one
_LEET = str.maketrans("013457@$!", "oieastasi")
_SPACES = " -._"


def _disguised(text: str) -> Iterator[str]:
    """The lines that say something else when read in another way, with all others left empty."""
    if not text.isascii():
        text = text.encode("ascii", "replace").decode()
    leet = text.translate(_LEET)
    if any(leet.count(word) > text.count(word) for word in _TELLING):
        yield _lines(text, lambda line: line.translate(_LEET))
    if any(codecs.encode(word, "rot13") in text for word in _TELLING):
        yield _lines(text, lambda line: codecs.encode(line, "rot13"))
    if any(word[::-1] in text for word in _TELLING):
        yield _lines(text, lambda line: line[::-1])
    for space in _SPACES:
        if any(space.join(word) in text for word in _TELLING):
            yield _lines(text, _gathered(space))


def _gathered(space: str) -> Callable[[str], str]:
    """A reading that takes single letters together."""
    spread = Pattern(rf"(?<=\b\w){re.escape(space)}(?=\w\b)")
    return lambda line: spread.sub("", line)


def _lines(text: str, reading: Callable[[str], str]) -> str:
    """Each line as it reads that way, if one of the telling words appears by it; else nothing."""
    readings = ((line, reading(line)) for line in text.split("\n"))
    return "\n".join(
        read if any(read.count(word) > line.count(word) for word in _TELLING) else "" for line, read in readings
    )
