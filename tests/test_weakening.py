"""Tests that a change weakens, and checks that it switches off: what has to be told, and what people do every day.

The cases are in `weakening_cases.txt`: marked lines, read through a real `git diff`.
"""

import io
import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import diffs

from twoagent_hook import changes, datafiles
from twoagent_hook.changes import ABSENT, TOO_LARGE, FileChange, Hunk, Line, PatchParser, Rename, Status
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.screening import testcode, weakening

pure = settings(max_examples=200, deadline=None, database=None)

TESTS, CHECKS = "test-weakened", "check-disabled"
NOTE, NOTHING = "note", "nothing"
REAL = Path("/work/shared/review_cases")


ALL = diffs.cases((Path(__file__).parent / "weakening_cases.txt").read_text(encoding="utf-8"))


def weakened(files: Sequence[FileChange], renames: Sequence[Rename] = ()) -> list[Finding]:
    return list(weakening.find(files, renames, {file.path: file.path for file in files}))


def outcome(found: list[Finding]) -> str:
    """The gravest of what was found."""
    grave = sorted({finding.kind for finding in found if finding.effect is None})
    return " ".join(grave) if grave else NOTE if found else NOTHING


@cache
def read_all() -> dict[str, tuple[FileChange, ...]]:
    """Every case, read by one run of git."""
    return diffs.separate(ALL)


def text_file(path: str, *rows: str, status: Status = Status.MODIFIED, unread: str | None = None) -> FileChange:
    """A file whose only hunk is these rows, each with its sign in front."""
    old = new = 1
    lines = []
    for row in rows:
        sign = row[0]
        lines.append(Line(sign, old if sign != "+" else None, new if sign != "-" else None, row[1:]))
        old, new = old + (sign != "+"), new + (sign != "-")
    modes = {Status.ADDED: (ABSENT, "100644"), Status.DELETED: ("100644", ABSENT)}.get(status, ("100644", "100644"))
    hunks = (Hunk(1, 1, "", tuple(lines)),) if rows else ()
    return FileChange(path, status, *modes, "0" * 40, "1" * 40, (5, 7), hunks, unread)


# --- the tables ---------------------------------------------------------------------------------------------


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({one.label for one in ALL}) == len(ALL)


def test_half_of_the_cases_are_no_alarm() -> None:
    grave = sum(one.expected in {TESTS, CHECKS} for one in ALL)
    assert min(grave, len(ALL) - grave) >= 75


@pytest.mark.parametrize("one", ALL, ids=[one.label for one in ALL])
def test_what_is_told(one: diffs.Case) -> None:
    files = {file.path: file for file in read_all()[one.label]}
    found = weakened(tuple(files.values()))
    assert outcome(found) == one.expected, [(item.title, item.place, item.quote, item.effect) for item in found]
    for finding in found:
        file = files[finding.file]
        assert finding.title
        assert finding.fix
        assert finding.kind in {TESTS, CHECKS}
        assert finding.effect in {None, Effect.NOTE}
        lines = {line.new for line in file.lines if line.new is not None}
        assert finding.line_start in (lines or {None}), finding


# --- renames ------------------------------------------------------------------------------------------------

BODY = """
 import app
 def test_mean():
     assert app.mean([1, 3]) == 2
 def test_sum():
     assert app.sum([1, 3]) == 4
 def test_max():
     assert app.max([1, 3]) == 3
"""
GONE, COME = (re.sub("(?m)^ ", sign, BODY) for sign in "-+")
MOVED = [
    ("as it is", {"tests/test_a.py": GONE, "tests/unit/test_a.py": COME}, NOTHING),
    ("with an edit", {"tests/test_a.py": GONE, "tests/unit/test_a.py": COME.replace("app.sum", "app.total")}, NOTHING),
    ("without an assertion", {"tests/test_a.py": GONE, "tests/unit/test_a.py": COME.replace("+    assert app.max([1, 3]) == 3\n", "+    app.max([1, 3])\n")}, TESTS),
    ("with a skip", {"tests/test_a.py": GONE, "tests/unit/test_a.py": COME.replace("+def test_sum", "+@pytest.mark.skip\n+def test_sum")}, TESTS),
    ("to a name that is not collected", {"tests/test_a.py": GONE, "tests/a_disabled.py": COME}, TESTS),
    ("to another suffix", {"tests/test_a.py": GONE, "tests/test_a.py.bak": COME}, TESTS),
    ("into the documentation", {"tests/test_a.py": GONE, "docs/test_a.md": COME}, TESTS),
    ("to the other Python habit", {"tests/test_a.py": GONE, "tests/a_test.py": COME}, NOTHING),
    ("Go, out of the tests", {"app_test.go": "\n-package app\n-func TestA(t *testing.T) {\n-\tt.Fatal(1)\n-}\n", "app_tests.go": "\n+package app\n+func TestA(t *testing.T) {\n+\tt.Fatal(1)\n+}\n"}, TESTS),
    ("JavaScript, into __tests__", {"src/a.test.js": "\n-it('adds', () => {\n-  expect(1 + f()).toBe(2);\n-});\n", "src/__tests__/a.js": "\n+it('adds', () => {\n+  expect(1 + f()).toBe(2);\n+});\n"}, NOTHING),
    ("a helper", {"tests/test_utils.py": "\n-def make():\n-    return 1\n-x = make()\n", "tests/utils.py": "\n+def make():\n+    return 1\n+x = make()\n"}, NOTHING),
    ("code with a noqa", {"src/a.py": "\n-import os  # noqa\n-x = 1\n-y = 2\n-z = 3\n", "src/b.py": "\n+import os  # noqa\n+x = 1\n+y = 2\n+z = 3\n"}, NOTHING),
    ("code with a new noqa", {"src/a.py": "\n-import os\n-x = 1\n-y = 2\n-z = 3\n-a = 4\n", "src/b.py": "\n+import os  # noqa\n+x = 1\n+y = 2\n+z = 3\n+a = 4\n"}, CHECKS),
    ("a CI file", {".github/workflows/a.yml": "\n-on: push\n-jobs:\n-  a:\n-    steps:\n-      - run: pytest\n", ".github/workflows/b.yml": "\n+on: push\n+jobs:\n+  a:\n+    steps:\n+      - run: pytest\n"}, NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), [row[1:] for row in MOVED], ids=[row[0] for row in MOVED])
def test_a_moved_file(files: dict[str, str], expected: str) -> None:
    read, renames = diffs.renamed(files)
    assert len(renames) == 1
    found = weakened(read, renames)
    assert outcome(found) == expected, [(item.title, item.place, item.effect) for item in found]


def test_a_rename_that_git_does_not_see_is_none_either() -> None:
    read, _ = diffs.renamed({"tests/test_a.py": GONE, "tests/unit/test_a.py": COME})
    assert outcome(weakened(read)) == NOTHING


# --- what is said -------------------------------------------------------------------------------------------


def test_a_loss_is_counted_and_its_first_line_quoted() -> None:
    rows = [" def test_a():", "-    assert f(1) == 1", "-    assert f(2) == 2", "     f(3)"]
    (finding,) = weakened([text_file("tests/test_a.py", *rows)])
    assert finding.title == "2 assertions are removed"
    assert (finding.place, finding.quote) == ("tests/test_a.py:2", "assert f(1) == 1")


def test_a_removed_test_tells_its_assertions() -> None:
    rows = [" x = 1", "-def test_a():", "-    assert f(1) == 1", "-    assert f(2) == 2", " y = 2"]
    (finding,) = weakened([text_file("tests/test_a.py", *rows)])
    assert finding.title == "a test is removed, and with it 2 assertions"


def test_a_deleted_file_has_no_line() -> None:
    rows = ["-def test_a():", "-    assert f(1) == 1", "-def test_b():", "-    assert f(2) == 2"]
    (finding,) = weakened([text_file("tests/test_a.py", *rows, status=Status.DELETED)])
    assert finding.title == "a test file with 2 tests is deleted, and they are nowhere else in the change"
    assert finding.place == "tests/test_a.py"


def test_a_deleted_test_file_that_was_not_read_is_told() -> None:
    file = text_file("tests/test_a.py", status=Status.DELETED, unread=TOO_LARGE)
    assert outcome(weakened([file])) == TESTS
    assert outcome(weakened([text_file("src/a.py", status=Status.DELETED, unread=TOO_LARGE)])) == NOTHING


def test_a_name_is_shown_as_it_is_given() -> None:
    file = text_file("src/a.py", "+import os  # noqa")
    (finding,) = weakening.find([file], (), {"src/a.py": "⟦shown⟧"})
    assert finding.file == "⟦shown⟧"
    (finding,) = weakening.find([text_file("src/\x1b.py", "+import os  # noqa")], (), {})
    assert finding.file == "src/\\u{1b}.py"


def test_no_more_than_three_of_a_kind_are_told_in_a_file() -> None:
    file = text_file("src/a.py", *(f"+import m{number}  # noqa" for number in range(50)))
    assert len(weakened([file])) == 3


def test_a_very_long_line_is_searched_to_its_end() -> None:
    text = "+" + "x = f(1); " * 5000 + "requests.get(url, verify=False)"
    assert outcome(weakened([text_file("src/a.py", text)])) == CHECKS


def test_windows_line_ends_make_no_difference() -> None:
    assert outcome(weakened([text_file("src/a.py", "+import os  # noqa\r")])) == CHECKS
    rows = [" def test_a():\r", "-    assert f(1) == 1\r", "+    f(1)\r"]
    assert outcome(weakened([text_file("tests/test_a.py", *rows)])) == TESTS
    rows = [" def test_a():\r", "-    assert f(1) == 1\r", "+    assert f(1) == 1"]
    assert outcome(weakened([text_file("tests/test_a.py", *rows)])) == NOTHING


def test_the_end_of_a_docstring_hides_nothing_that_follows() -> None:
    rows = ["     text", '     """', "+    get(url, verify=False)", " def g():", '     """Other."""']
    file = text_file("src/a.py", *rows)
    (hunk,) = file.hunks
    late = hunk._replace(old_start=40, new_start=40)
    assert outcome(weakened([changes.replace(file, hunks=(late,))])) == CHECKS


# --- the table itself ---------------------------------------------------------------------------------------


def test_no_quantifier_is_unbounded_but_of_blanks_and_words() -> None:
    text = datafiles.packaged("screening/weakening.toml")
    assert not re.search(
        r"(?<!\\)\.[*+](?!\w)", "\n".join(row for row in text.splitlines() if not row.startswith("#"))
    )


def test_every_pattern_is_used_with_a_hint_that_it_can_match() -> None:
    for marker in testcode.markers():
        assert marker.hints
        assert marker.kind in {TESTS, CHECKS}
        assert marker.scope in {"", "tests", "ci", "tasks", "runs"}
        assert marker.where in {"", "comment", "code"}
        assert marker.only in {"", "call", "step", "fresh", "narrow", "xfail", "tool", "tests-mild"}


# --- real changes -------------------------------------------------------------------------------------------


def read_diff(text: bytes) -> list[FileChange]:
    """The files of a patch, as far as a patch tells them."""
    heads = [row for row in text.split(b"\n") if row.startswith(b"diff --git ")]
    parts = re.split(rb"(?m)^(?=diff --git )", text)[1:]
    sections = PatchParser(io.BytesIO(text).readline, {head: place for place, head in enumerate(heads)}).sections()
    files = []
    for section, head, part in zip(sections, heads, parts, strict=True):
        preamble = part.partition(b"\n@@ ")[0]
        status = (
            Status.ADDED
            if b"\nnew file" in preamble
            else Status.DELETED
            if b"\ndeleted file" in preamble
            else Status.MODIFIED
        )
        path = changes.decode(head.rpartition(b" b/")[2])
        files.append(changes.replace(text_file(path, status=status), hunks=section.hunks or ()))
    return files


REAL_DIFFS = sorted(REAL.glob("*.diff")) if REAL.is_dir() else []


@pytest.mark.skipif(not REAL_DIFFS, reason=f"{REAL} is not on this machine")
def test_real_changes_raise_no_alarm() -> None:
    told = {path.stem: outcome(weakened(read_diff(path.read_bytes()))) for path in REAL_DIFFS}
    assert {name for name, said in told.items() if said not in {NOTHING, NOTE}} == set()
    # Reversed, what added tests takes them away.
    assert len(told) >= 16


def reverse(file: FileChange) -> FileChange:
    signs = {"+": "-", "-": "+", " ": " "}
    hunks = tuple(
        Hunk(
            hunk.new_start,
            hunk.old_start,
            hunk.section,
            tuple(Line(signs[line.sign], line.new, line.old, line.text) for line in hunk.lines),
        )
        for hunk in file.hunks
    )
    status = {Status.ADDED: Status.DELETED, Status.DELETED: Status.ADDED}.get(file.status, file.status)
    return changes.replace(file, status=status, old_mode=file.new_mode, new_mode=file.old_mode, hunks=hunks)


@pytest.mark.skipif(not REAL_DIFFS, reason=f"{REAL} is not on this machine")
def test_real_changes_that_add_tests_take_them_away_when_reversed() -> None:
    told = {
        path.stem
        for path in REAL_DIFFS
        if outcome(weakened([reverse(file) for file in read_diff(path.read_bytes())])) == TESTS
    }
    assert told >= {"A04", "A08", "A20", "R01", "R03", "R06", "B09"}


# --- anything at all ----------------------------------------------------------------------------------------

PATHS = sorted({path for one in ALL for path in one.files})
ROWS = sorted({row[1:] for one in ALL for rows in one.files.values() for row in rows.split("\n") if row})
rows_of_text = st.lists(
    st.tuples(st.sampled_from(" +-"), st.sampled_from(ROWS) | st.text(max_size=40)).map(
        lambda row: row[0] + row[1].replace("\n", "")
    ),
    max_size=25,
)
any_file = st.builds(
    lambda path, rows, status: text_file(path, *rows, status=status),
    st.sampled_from(PATHS) | st.text(min_size=1, max_size=30),
    rows_of_text,
    st.sampled_from([Status.ADDED, Status.MODIFIED, Status.DELETED]),
)


def distinct(files: list[FileChange]) -> list[FileChange]:
    return [next(group) for _, group in groupby(sorted(files, key=lambda file: file.path), key=lambda file: file.path)]


@pure
@given(st.lists(any_file, max_size=5).map(distinct), st.data())
def test_nothing_breaks_it(files: list[FileChange], data: st.DataObject) -> None:
    renames = []
    if len(files) > 1 and data.draw(st.booleans()):
        renames = [
            Rename(files[0].path, files[1].path, exact=False, edits=changes.replace(files[1], source=files[0].path))
        ]
    found = weakened(files, renames)
    assert {finding.kind for finding in found} <= {TESTS, CHECKS}
    assert found == weakened(files, renames)


HARMLESS = [
    text_file("src/harmless.py", "+x = 1", "+def area(a, b):", "+    return a * b", status=Status.ADDED),
    text_file("README.md", " # App", "+It adds numbers."),
    text_file("docs/testing.md", "+    assert app.mean([1, 3]) == 2", "+def test_mean():", status=Status.ADDED),
    text_file("data/values.json", "+{}", status=Status.ADDED),
]


@pure
@given(st.lists(any_file, max_size=4).map(distinct), st.sampled_from(HARMLESS))
def test_a_harmless_file_takes_no_finding_away(files: list[FileChange], harmless: FileChange) -> None:
    files = [file for file in files if file.path != harmless.path]
    before = {(finding.id, finding.effect) for finding in weakened(files)}
    assert before <= {(finding.id, finding.effect) for finding in weakened([*files, harmless])}
