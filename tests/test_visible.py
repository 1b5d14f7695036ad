"""What is shown is visible: nothing in it hides, acts on a terminal, or passes for something else."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoagent_hook import visible

unhurried = settings(max_examples=400, deadline=None, database=None)

HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
SELECTORS = [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x1810)]
# Any code point at all, lone surrogates (bytes that are no UTF-8) included.
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
AWKWARD = st.text(
    st.sampled_from(list("ab/\\xtnu{}0\t\n\r\x00\x1b\x7f\x9b\u200b\u202e\u2066\udc80\udcff\U000e0041é")), max_size=12
)


def hidden(text: str) -> list[str]:
    return [f"U+{ord(char):04X}" for char in text if unicodedata.category(char) in HIDDEN_CATEGORIES and char != "\t"]


def unspelled(shown: str) -> str:
    """What `visible.path` spelled, read back."""

    def read(match: re.Match[str]) -> str:
        what = match.group(1)
        if what.startswith("u"):
            return chr(int(what[2:-1], 16))
        if what.startswith("x"):
            return chr(0xDC00 + int(what[1:], 16))
        return {"\\": "\\", "t": "\t"}[what]

    return re.sub(r"\\(u\{[0-9a-f]+\}|x[0-9a-f]{2}|\\|t)", read, shown)


# --- every character ----------------------------------------------------------------------------------------


def test_no_control_format_surrogate_or_private_character_is_shown_as_it_is() -> None:
    survivors = [hex(code) for code in range(sys.maxunicode + 1) if hidden(visible.line(chr(code)))]
    assert survivors == []


def test_no_variation_selector_is_shown_as_it_is() -> None:
    assert [hex(code) for code in SELECTORS if chr(code) in visible.line(chr(code))] == []


def test_letters_signs_marks_and_spaces_of_every_alphabet_are_left_alone() -> None:
    kept = {"L", "N", "P", "S", "M"}
    spelled = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code))[0] in kept
        and code not in SELECTORS
        and visible.line(chr(code)) != chr(code)
    ]
    assert spelled == []
    assert visible.line(" \t\u00a0") == " \t\u00a0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[31m", "\\u{1b}[31m", id="a terminal escape"),
        pytest.param("\x9b31m", "\\u{9b}31m", id="the same as one character"),
        pytest.param("a\nb", "a\\u{a}b", id="a line feed"),
        pytest.param("a\rb", "a\\u{d}b", id="a carriage return"),
        pytest.param("a\x00b", "a\\u{0}b", id="a NUL"),
        pytest.param("a\u202eb", "a\\u{202e}b", id="a change of direction"),
        pytest.param("a\u2028b", "a\\u{2028}b", id="a line separator"),
        pytest.param("a\u200bb", "a\\u{200b}b", id="a space of no width"),
        pytest.param("\ufeffa", "\\u{feff}a", id="a byte order mark"),
        pytest.param("\U000e0041", "\\u{e0041}", id="a tag character"),
        pytest.param("a\ufe0f", "a\\u{fe0f}", id="a variation selector"),
        pytest.param("a\udcffb", "a\\xffb", id="a byte that is no UTF-8"),
        pytest.param("a\ud800b", "a\\u{d800}b", id="a lone surrogate that is no byte"),
        pytest.param("a\tb", "a\tb", id="a tab stays"),
        pytest.param("naïve ⟦x⟧ 漢字 🙂", "naïve ⟦x⟧ 漢字 🙂", id="visible text stays"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_line_is_spelled_as_agreed(text: str, shown: str) -> None:
    assert visible.line(text) == shown


# --- properties ---------------------------------------------------------------------------------------------


@unhurried
@given(ANY_TEXT | AWKWARD)
def test_a_line_holds_nothing_hidden_and_no_line_break(text: str) -> None:
    shown = visible.line(text)
    assert hidden(shown) == []
    assert shown.splitlines() in ([shown], [])


@unhurried
@given(ANY_TEXT | AWKWARD)
def test_a_line_that_is_visible_already_is_left_as_it_is(text: str) -> None:
    shown = visible.line(text)
    assert visible.line(shown) == shown


@unhurried
@given(ANY_TEXT)
def test_a_line_can_be_encoded(text: str) -> None:
    visible.line(text).encode("utf-8")


@unhurried
@given(ANY_TEXT | AWKWARD)
def test_a_block_has_as_many_lines_as_the_text_has_line_feeds(text: str) -> None:
    shown = visible.block(text)
    assert shown.count("\n") == text.count("\n")
    assert hidden(shown.replace("\n", "")) == []


@unhurried
@given(AWKWARD, AWKWARD)
def test_two_paths_are_never_shown_alike(one: str, other: str) -> None:
    assert (visible.path(one) == visible.path(other)) == (one == other)


@unhurried
@given(ANY_TEXT | AWKWARD)
def test_a_path_reads_back_to_the_file_that_was_meant(name: str) -> None:
    shown = visible.path(name)
    assert unspelled(shown) == name


@unhurried
@given(ANY_TEXT | AWKWARD)
def test_a_path_holds_nothing_hidden_and_neither_a_line_break_nor_a_tab(name: str) -> None:
    shown = visible.path(name)
    assert hidden(shown) == []
    assert "\t" not in shown


@pytest.mark.parametrize("name", ["app.py", "a b/c-d_e.txt", "naïve/漢字.md", 'it\'s "quoted"', "-rf", "a:b"])
def test_a_clean_path_stays_as_it_is(name: str) -> None:
    assert visible.path(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\\b", "a\\\\b"),
        ("a\tb", "a\\tb"),
        ("a\\tb", "a\\\\tb"),
        ("a\nb", "a\\u{a}b"),
        ("a\\u{a}b", "a\\\\u{a}b"),
        ("a\udcffb", "a\\xffb"),
        ("a\\xffb", "a\\\\xffb"),
    ],
    ids=["backslash", "tab", "spelled tab", "line feed", "spelled line feed", "byte", "spelled byte"],
)
def test_a_path_that_could_be_mistaken_is_spelled(name: str, shown: str) -> None:
    assert visible.path(name) == shown


@unhurried
@given(ANY_TEXT | AWKWARD, st.integers(min_value=1, max_value=20))
def test_an_excerpt_is_one_visible_line_of_bounded_length(text: str, limit: int) -> None:
    shown = visible.excerpt(text, limit)
    assert len(shown) <= limit
    assert hidden(shown) == []
    assert "\t" not in shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("a\n\n b\tc", 80, "a b c"),
        ("  ", 5, ""),
        ("\x1b[2J", 80, "\\u{1b}[2J"),
    ],
    ids=["fits", "is cut", "is folded", "is blank", "is spelled"],
)
def test_an_excerpt_is_folded_then_cut(text: str, limit: int, shown: str) -> None:
    assert visible.excerpt(text, limit) == shown


def test_a_block_takes_windows_line_ends_for_line_ends() -> None:
    assert visible.block("a\r\nb\rc\n") == "a\nb\\u{d}c\n"
