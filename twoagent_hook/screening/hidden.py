"""Text that people don't see, or not as it is: bidirectional controls, tags, escapes, invisible characters; pure.

The ranges are those of CVE-2021-42574 (bidirectional controls) and of tag and variation-selector smuggling; what
people really write (an emoji with its selector, joiners in Persian and Indic text, ideographic variants) is none.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import NamedTuple

from twoagent_hook import datafiles
from twoagent_hook.changes import FileChange
from twoagent_hook.findings import Finding
from twoagent_hook.patterns import Pattern
from twoagent_hook.screening.rules import once_a_file, rule

KIND = "hidden-text"
_TABLE = "screening/hidden.toml"
_MOST = 3  # findings of one title in a file
_BEFORE, _AFTER = 40, 160  # characters that are quoted before and after the place

# --- what there is to find ----------------------------------------------------------------------------------

_TAGS = "\U000e0000-\U000e007f"
_FLAG = "\U0001f3f4"
# The three that Unicode recommends for interchange: England, Scotland, Wales (UTS #51, section 1.4.6).
_FLAGS = "|".join("".join(chr(0xE0000 + ord(char)) for char in f"gb{part}\x7f") for part in ("eng", "sct", "wls"))
_IDEOGRAPHS = "\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_SELECTABLE = "#*0-9\x7f-\u1fff\u2010-\U000dffff"  # of ASCII only what makes keycaps
_JOINERS = "\u180e\u200b-\u200d"
# Hebrew to Myanmar, Khmer and Mongolian, the scripts of South Asia; symbols and emoji.
_JOINED = (
    "\u0590-\u109f\u1780-\u180d\u180f-\u18af\u1900-\u1cff\u2190-\u2bff\ua800-\uabff\ufb1d-\ufdff\ufe0f\ufe70-\ufefe"
    "\U00010800-\U00011fff\U0001e800-\U0001faff"
)
_MARKS = "\u061c\u200e\u200f"
_RIGHT_TO_LEFT = "\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff"
_FANCY = "\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d6a3"  # full-width and mathematical letters
_CYRILLIC = "\u0400-\u052f"
_IN_CYRILLIC = "aceiopxyABCEHKMOPTX"  # plain letters that look like Cyrillic ones


class _Hidden(NamedTuple):
    """One thing to look for.

    Attributes:
        mild: whether it is never more than a note.
        pattern: begins with a set of characters, because `re` looks for those ten times as fast; where it has a
            group, the place is the group's last character, and a match without the group is none.
    """

    what: str
    mild: bool
    pattern: str


# Text that reads otherwise than it runs, that acts on a terminal, that carries a message.
_GRAVE = (
    _Hidden(
        "a bidirectional control character, which shows text in another order than it has,",
        False,
        "[\u202a-\u202e\u2066-\u2069]",
    ),
    # ESC, and the characters that introduce a sequence alone (DCS, SOS, CSI, OSC, PM, APC); after what begins or
    # goes on with a character of UTF-8, those are remains of a wrong decoding and not meant for a terminal.
    _Hidden(
        "a terminal escape, which acts on the terminal that shows it,",
        False,
        "[\x1b\x90\x98\x9b\x9d-\x9f](?<![\x80-\xf4][\x90-\x9f])",
    ),
    _Hidden(
        "text in tag characters, which nobody sees,",
        False,
        f"[{_FLAG}{_TAGS}](?:(?<={_FLAG})(?:{_FLAGS})|(?<=[{_TAGS}])())",
    ),
    # After an ideograph, one of VS17 to VS48: the Ideographic Variation Database registers none above (as of 2025).
    _Hidden(
        "text in variation selectors, which nobody sees,",
        False,
        f"[\U000e0100-\U000e01ef](?<![{_IDEOGRAPHS}][\U000e0100-\U000e011f])",
    ),
)
_SLIGHT = (
    # Never drawn; also what Unicode leaves unassigned among the tags, which every font ignores.
    _Hidden(
        "an invisible character",
        True,
        "[\xad\u034f\u115f\u1160\u17b4\u17b5\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
        "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e00ff\U000e01f0-\U000e0fff]",
    ),
    _Hidden("an invisible control character", True, "[\x01-\x08\x0e-\x1a\x1f\x7f-\x84\x86-\x9f]"),
    # A form feed at the beginning of a line and a carriage return at the end of one are usual.
    _Hidden(
        "an unusual line break",
        True,
        "[\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029](?:(?<=[^\r\x0c])|(?<=\r)(?!\n|\\Z)|(?<=[^\n]\x0c))",
    ),
    # Two in a row are a common slip of keyboards.
    _Hidden(
        "a variation selector that selects nothing",
        True,
        f"[\ufe00-\ufe0f](?:(?<![{_SELECTABLE}].)|(?=[\ufe00-\ufe0f]{{2}}))",
    ),
    _Hidden(
        "an invisible joiner between letters that don't join",
        True,
        f"[{_JOINERS}](?:(?<![{_JOINED}{_JOINERS}].)[{_JOINERS}]?(?![{_JOINED}{_JOINERS}])|[{_JOINERS}]{{2}})",
    ),
    # In a line where nothing is written from right to left.
    _Hidden(
        "an invisible direction mark",
        True,
        f"(?m)^(?![^{_RIGHT_TO_LEFT}\n]*+[{_RIGHT_TO_LEFT}])[^{_MARKS}\n]*+([{_MARKS}])",
    ),
    # Many languages take the one for the other.
    _Hidden(
        "a word of plain letters and full-width or mathematical ones",
        True,
        f"[{_FANCY}](?:(?<=[A-Za-z].)|(?=[A-Za-z]))",
    ),
)


@cache
def letters(table: str) -> dict[str, str]:
    """The plain letter that each letter of a table passes for."""
    rows: dict[str, str] = datafiles.packaged_toml(_TABLE)[table]
    return {char: plain for plain, chars in rows.items() for char in chars}


# Where letters of Greek, Cyrillic, Armenian or Cherokee meet plain ones; most texts have no such place.
_MEETING = "[A-Za-z_](?:(?=[\u0370-\u058f\u13a0-\u13ff])|(?<=[\u0370-\u058f\u13a0-\u13ff].))"


@cache
def _alike() -> tuple[_Hidden, ...]:
    """Words of plain letters and of others that look like such, and Cyrillic ones with a few plain letters."""
    what = "a word that mixes look-alike letters of two alphabets"
    twins = "".join(letters("twins"))
    begin, end = r"(?<![^\W\d])", r"(?![^\W\d])"
    posing = f"{begin}(?=[{twins}]{{0,99}}[A-Za-z])(?=[A-Za-z_]{{0,99}}([{twins}]))[A-Za-z_{twins}]{{2,100}}{end}"
    pierced = (
        f"{begin}(?=(?:[{_IN_CYRILLIC}]{{0,2}}[{_CYRILLIC}]){{3}})[{_CYRILLIC}]{{0,98}}([{_IN_CYRILLIC}])"
        f"(?:[{_CYRILLIC}]{{0,98}}[{_IN_CYRILLIC}]){{0,2}}[{_CYRILLIC}]{{0,98}}{end}"
    )
    return _Hidden(what, True, posing), _Hidden(what, True, pierced)


def _looked_for(text: str) -> tuple[_Hidden, ...]:
    return (*_GRAVE, *_SLIGHT, *(_alike() if _compiled(_MEETING).search(text) else ()))


@cache
def _compiled(pattern: str) -> Pattern:
    return Pattern(pattern)


# --- the rule -----------------------------------------------------------------------------------------------

_VISIBLE = bytes(range(0x20, 0x7F)) + b"\t\n"
_STRAY_RETURN = Pattern("\r(?!\n|\\Z)")
_LINE_END = Pattern("[\n\r]")


def find(file: FileChange, name: str) -> Iterator[Finding]:
    """What is hidden in the lines that the change adds, and in the file's name."""
    return once_a_file(chain(_in_name(file.path, name), _in_lines(file, name)), _MOST)


def _in_name(path: str, name: str) -> Iterator[Finding]:
    text = _LINE_END.sub("\v", path)  # in a name, no line break is an ordinary one
    if _suspicious(text):
        for what, mild, pattern in _looked_for(text):
            if any(_places(text, pattern)):
                yield rule(KIND, f"{what} is in the file's name", name, None, "rename it", path, mild=mild)


def _in_lines(file: FileChange, name: str) -> Iterator[Finding]:
    added = [line for line in file.lines if line.sign == "+"]
    if not _suspicious("\n".join([line.text for line in added])):
        return
    lines = [line for line in added if _suspicious(line.text)]
    texts = [line.text for line in lines]
    if lines[0].new == 1 and texts[0].startswith("\ufeff"):
        texts[0] = f" {texts[0][1:]}"  # a byte order mark in its place
    text = "\n".join(texts)
    for what, mild, pattern in _looked_for(text):
        for row, column in _places(text, pattern):
            fix = f"take it out, or write it as an escape ({_spelled(texts[row][column])})"
            quote = texts[row][max(0, column - _BEFORE) : column + _AFTER]
            yield rule(KIND, f"{what} is added", name, lines[row].new, fix, quote, mild=mild)


def _suspicious(text: str) -> bool:
    """Whether it deserves a closer look; for an ordinary text this must cost next to nothing."""
    if not text.isascii():
        return True
    rest = text.encode("ascii").translate(None, _VISIBLE)
    return bool(rest) and (rest.strip(b"\r") != b"" or _STRAY_RETURN.search(text) is not None)


def _places(text: str, pattern: str) -> Iterator[tuple[int, int]]:
    """The first places of a kind, one a line and no more than are told: (line, column), both from 0."""
    row = end = 0
    for _ in range(_MOST):
        place = _next(text, _compiled(pattern), end)
        if place < 0:
            return
        row += text.count("\n", end, place)
        yield row, place - text.rfind("\n", 0, place) - 1
        end = text.find("\n", place)
        if end < 0:
            return


def _next(text: str, pattern: Pattern, start: int) -> int:
    found = pattern.search(text, start)
    while found and pattern.groups and found.lastindex is None:
        found = pattern.search(text, found.end())
    if found is None:
        return -1
    return found.end(1) - 1 if pattern.groups else found.start()


def _spelled(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()
