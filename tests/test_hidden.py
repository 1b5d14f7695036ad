"""Text that nobody sees is found wherever it stands, and what people really write is left alone."""

import os
import re
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoagent_hook.changes import FileChange, Hunk, Line, Status
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.screening import hidden

unhurried = settings(max_examples=300, deadline=None, database=None)
HERE = os.path.dirname(__file__)
BIDIRECTIONAL = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
TAGS = range(0xE0000, 0xE0080)
SUPPLEMENTARY = range(0xE0100, 0xE01F0)
ESCAPES = [0x1B, 0x90, 0x98, 0x9B, 0x9D, 0x9E, 0x9F]
# Any code point at all, lone surrogates (bytes that are no UTF-8) included.
ANY = st.characters(codec=None, exclude_categories=())
AWKWARD = st.sampled_from(
    "aZ_9 \t\r\x0b\x0c\x1b\x08\x85\x9b\xe9асж漢か٣ب❤👩🏴"
    "\u200b\u200d\u200e\u202e\u2066\u2028\ufe0f\ufeff\udc9b\ud800\uff41"
    "\U000e0067\U000e0062\U000e007f\U000e0100\U000e0150\U0001d41a"
)
ANY_LINE = st.text(ANY | AWKWARD, max_size=40).map(lambda text: text.replace("\n", ""))


def spelled(text: str) -> str:
    return re.sub(r"\{U\+([0-9A-F]{4,6})\}", lambda found: chr(int(found[1], 16)), text.replace("⏎", "\n"))


def rows() -> Iterator[tuple[str, str, str, str]]:
    with open(os.path.join(HERE, "hidden.tsv"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                outcome, place, what, text = line.removesuffix("\n").split("\t", 3)
                yield outcome, place, what, spelled(text)


ROWS = list(rows())


def file_of(*texts: str, path: str = "app.py", first: int = 1) -> FileChange:
    lines = tuple(Line("+", None, number, text) for number, text in enumerate(texts, first))
    return FileChange(path, Status.MODIFIED, "100644", "100644", "0" * 40, "1" * 40, hunks=(Hunk(1, 1, "", lines),))


def found(*texts: str, path: str = "app.py", first: int = 1) -> list[Finding]:
    return list(hidden.find(file_of(*texts, path=path, first=first), "shown"))


def grave(*texts: str, path: str = "app.py") -> list[Finding]:
    return [finding for finding in found(*texts, path=path) if finding.effect is None]


# --- the table ----------------------------------------------------------------------------------------------


def test_the_table_holds_enough_of_each() -> None:
    outcomes = [outcome for outcome, *_ in ROWS]
    assert set(outcomes) == {"block", "note", "clean"}
    assert min(outcomes.count(outcome) for outcome in set(outcomes)) >= 30
    assert {place for _, place, *_ in ROWS} == {"line", "name"}
    assert len({(place, text) for _, place, _, text in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("outcome", "place", "what", "text"), ROWS, ids=[f"{row[1]}: {row[2]}" for row in ROWS])
def test_a_row_has_its_outcome(outcome: str, place: str, what: str, text: str) -> None:
    findings = found(text) if place == "line" else found(path=text)
    effects = {finding.effect for finding in findings}
    if outcome == "clean":
        assert findings == []
    elif outcome == "note":
        assert effects == {Effect.NOTE}
    else:
        assert None in effects
    assert {finding.kind for finding in findings} <= {"hidden-text"}
    assert {finding.line_start for finding in findings} <= {1 if place == "line" else None}


# --- every code point ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [*BIDIRECTIONAL, *TAGS, *SUPPLEMENTARY, *ESCAPES], ids="U+{:04X}".format)
def test_each_character_that_blocks_does_so_everywhere(code: int) -> None:
    char = chr(code)
    for text in (char, f"a{char}", f"{char}a", f"x = 1  # {char}{char}", f"❤{char}", f"ب{char}ب"):
        assert len(grave(text)) == 1, ascii(text)
    assert len(grave(path=f"docs/a{char}b.md")) == 1


@pytest.mark.parametrize("code", [*SUPPLEMENTARY], ids="U+{:04X}".format)
def test_an_ideograph_takes_the_selectors_that_are_registered(code: int) -> None:
    assert grave(f"漢{chr(code)}字") == [] if code <= 0xE011F else grave(f"漢{chr(code)}字") != []


def test_no_character_that_is_drawn_is_found() -> None:
    drawn = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char)[0] in "LNPSZ"
        and unicodedata.category(char) not in {"Zl", "Zp"}
        and not unicodedata.name(char, "").endswith(" FILLER")
    ]
    assert found(*(f"漢 {char} 漢" for char in drawn)) == []


# --- where it is said to be ---------------------------------------------------------------------------------


def test_only_what_is_added_counts() -> None:
    lines = (Line(" ", 1, 1, "a\u202eb"), Line("-", 2, None, "a\x1bb"), Line("+", None, 2, "c"))
    file = FileChange("a.py", Status.MODIFIED, "100644", "100644", "0" * 40, "1" * 40, hunks=(Hunk(1, 1, "", lines),))
    assert list(hidden.find(file, "a.py")) == []


def test_a_finding_names_its_line_and_shows_the_place() -> None:
    (finding,) = found("x = 1", "y = 'é'", f"{'z' * 300} = '\u202e'", "w = 1", first=41)
    assert (finding.file, finding.line_start, finding.line_end) == ("shown", 43, 43)
    assert "\\u{202e}" in finding.quote
    assert finding.title == (
        "a bidirectional control character, which shows text in another order than it has, is added"
    )
    assert "U+202E RIGHT-TO-LEFT OVERRIDE" in finding.fix


def test_a_finding_in_a_name_has_no_line() -> None:
    (finding,) = found("x = 1", path="a\u202eb.py")
    assert finding.line_start is None
    assert finding.quote == "a\\u{202e}b.py"
    assert finding.title.endswith("is in the file's name")


def test_lines_of_several_hunks_keep_their_numbers() -> None:
    hunks = (
        Hunk(1, 1, "", (Line("+", None, 1, "ok"), Line(" ", 1, 2, "\x1b"), Line("+", None, 3, "\x1b"))),
        Hunk(90, 92, "", (Line("-", 90, None, "\x1b"), Line("+", None, 92, "ok"), Line("+", None, 93, "a\x1b"))),
    )
    file = FileChange("a.py", Status.MODIFIED, "100644", "100644", "0" * 40, "1" * 40, hunks=hunks)
    assert [finding.line_start for finding in hidden.find(file, "a.py")] == [3, 93]


def test_a_byte_order_mark_is_expected_at_the_beginning_of_a_file_alone() -> None:
    assert found("\ufeffx = 1") == []
    assert [finding.line_start for finding in found("\ufeffx = 1", first=7)] == [7]
    assert [finding.line_start for finding in found("x = 1", "\ufeffy = 1")] == [2]
    assert [finding.line_start for finding in found("\ufeff\ufeffx = 1")] == [1]


def test_no_more_than_three_findings_tell_the_same_of_a_file() -> None:
    findings = found(*["a\u202eb"] * 9, *["c\u200bd"] * 9, path="e\u202ef.py")
    assert [(finding.line_start, finding.effect) for finding in findings] == [
        (None, None),
        (1, None),
        (2, None),
        (3, None),
        (10, Effect.NOTE),
        (11, Effect.NOTE),
        (12, Effect.NOTE),
    ]


def test_a_look_alike_is_named() -> None:
    (finding,) = found("is_\u0430dmin = True")
    assert "U+0430 CYRILLIC SMALL LETTER A" in finding.fix


# --- properties ---------------------------------------------------------------------------------------------


@unhurried
@given(st.lists(ANY_LINE, max_size=6), ANY_LINE, st.integers(1, 9))
def test_any_text_is_read_and_what_is_told_is_visible(lines: list[str], path: str, first: int) -> None:
    for finding in found(*lines, path=path or "x", first=first):
        assert finding.line_start is None or first <= finding.line_start < first + len(lines)
        assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", finding.quote)
        finding.quote.encode("utf-8")


def told(texts: list[str]) -> dict[str, list[str]]:
    """For each title, the texts of its lines."""
    lines: dict[str, list[str]] = {}
    for finding in found("", *texts):
        assert finding.line_start is not None
        lines.setdefault(finding.title, []).append(texts[finding.line_start - 2])
    return lines


@unhurried
@given(st.lists(ANY_LINE, max_size=5), st.lists(ANY_LINE, max_size=5), st.lists(ANY_LINE, max_size=5))
def test_more_text_never_hides_a_finding(before: list[str], lines: list[str], after: list[str]) -> None:
    more = told([*before, *lines, *after])
    for title, texts in told(lines).items():
        assert len(more[title]) == 3 or set(texts) <= set(more[title])


@unhurried
@given(st.lists(ANY_LINE, max_size=5))
def test_a_line_is_judged_by_itself(lines: list[str]) -> None:
    alone = {line: {finding.title for finding in found("", line)} for line in lines}
    for title, texts in told(lines).items():
        assert all(title in alone[text] for text in texts)
    assert {title for titles in alone.values() for title in titles} == set(told(lines))


# --- cost ---------------------------------------------------------------------------------------------------


def test_ordinary_text_is_searched_by_no_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    monkeypatch.setattr(hidden, "_compiled", searched.append)
    assert found(*["def mean(values):", "\treturn sum(values)", "", "x = 'a' # b\r"] * 500) == []
    assert searched == []


def test_only_the_lines_that_need_it_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    genuine = hidden._places
    monkeypatch.setattr(hidden, "_places", lambda text, pattern: read.append(len(text)) or genuine(text, pattern))
    assert found(*["x = 1"] * 5000, "é", *["x = 1"] * 5000) == []
    assert max(read) == 1
