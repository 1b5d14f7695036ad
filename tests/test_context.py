"""How much is shown around a change: whole functions where there is room, three lines, or one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Server, approves, blocks, finding

from twoagent_hook.changes import FileChange, Hunk, Line, Status
from twoagent_hook.context import trimmed, widened

Serve = Callable[..., Server]
Configure = Callable[..., Path]
unhurried = settings(max_examples=150, deadline=None, database=None)


def hunk_of(signs: str, start: int = 1, section: str = "") -> Hunk:
    """A hunk of numbered lines with these signs."""
    lines, old, new = [], start, start
    for place, sign in enumerate(signs):
        in_old, in_new = sign != "+", sign != "-"
        lines.append(Line(sign, old if in_old else None, new if in_new else None, f"line {place}"))
        old, new = old + in_old, new + in_new
    return Hunk(start, start, section, tuple(lines))


def file_of(*hunks: Hunk) -> FileChange:
    return FileChange("a.py", Status.MODIFIED, "100644", "100644", "0" * 40, "1" * 40, (1, 1), hunks)


def signs(file: FileChange) -> list[str]:
    return ["".join(line.sign for line in hunk.lines) for hunk in file.hunks]


@pytest.mark.parametrize(
    ("given", "most", "expected"),
    [
        ("   -+   ", 1, [" -+ "]),
        ("   -+   ", 0, ["-+"]),
        ("   -+   ", 3, ["   -+   "]),
        ("-   +", 1, ["- ", " +"]),
        ("-  +", 1, ["-  +"]),
        ("- +", 1, ["- +"]),
        ("+", 3, ["+"]),
        ("      ", 3, []),
        ("-      +      -", 2, ["-  ", "  +  ", "  -"]),
    ],
)
def test_only_so_many_lines_are_left_around_a_change(given: str, most: int, expected: list[str]) -> None:
    assert signs(trimmed(file_of(hunk_of(given)), most)) == expected


@unhurried
@given(st.lists(st.text(" +-", min_size=1, max_size=40), min_size=1, max_size=3), st.integers(0, 5))
def test_no_changed_line_is_lost_and_numbers_stay_right(texts: list[str], most: int) -> None:
    hunks = tuple(hunk_of(text, 100 * place + 1) for place, text in enumerate(texts))
    file = file_of(*hunks)
    less = trimmed(file, most)
    assert [line for line in less.lines if line.sign != " "] == [line for line in file.lines if line.sign != " "]
    assert set(less.lines) <= set(file.lines)
    changed = [place for place, line in enumerate(file.lines) if line.sign != " "]
    for hunk in less.hunks:
        first_old = next((line.old for line in hunk.lines if line.old is not None), hunk.old_start)
        first_new = next((line.new for line in hunk.lines if line.new is not None), hunk.new_start)
        assert (hunk.old_start, hunk.new_start) == (first_old, first_new)
    assert len(list(less.lines)) <= len(changed) * (2 * most + 1)
    assert trimmed(less, most) == less


def test_functions_are_shown_up_to_a_limit() -> None:
    wide = hunk_of(" " * 200 + "-+" + " " * 200)
    narrow = trimmed(file_of(wide), 3)
    found = widened(narrow, [wide])
    assert found is not None
    assert signs(found) == [" " * 60 + "-+" + " " * 60]


@pytest.mark.parametrize("other", ["   -   ", "   -+  +   ", "   +-   ", ""])
def test_hunks_that_show_another_change_are_not_taken(other: str) -> None:
    narrow = file_of(hunk_of("   -+   "))
    assert widened(narrow, [hunk_of(other)] if other else []) is None


def test_a_text_that_differs_is_another_change() -> None:
    narrow = file_of(hunk_of(" + "))
    (hunk,) = narrow.hunks
    other = hunk._replace(lines=(hunk.lines[0], hunk.lines[1]._replace(text="evil"), hunk.lines[2]))
    assert widened(narrow, [other]) is None


@pytest.mark.parametrize(("heading", "expected"), [("line 0", ""), ("def far_away():", "def far_away():")])
def test_a_heading_is_not_told_twice(heading: str, expected: str) -> None:
    wide = hunk_of("          -+   ")
    narrow = trimmed(replace(file_of(wide)), 3)
    narrow = replace(narrow, hunks=tuple(hunk._replace(section=heading) for hunk in narrow.hunks))
    found = widened(narrow, [wide])
    assert found is not None
    assert [hunk.section for hunk in found.hunks] == [expected]


# --- from end to end ----------------------------------------------------------------------------------------------

BODY = "\n".join(f"        step_{number} = {number}" for number in range(12))
MODULE = f"""\
class Account:
    def first(self):
        return 1

    def deposit(self, amount):
{BODY}
        return amount

    def last(self):
        return 3
"""


@pytest.fixture
def account(repo: Repo) -> Repo:
    """One line of the second method is changed, in a class."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    repo.write("account.py", MODULE)
    repo.commit_all()
    repo.stage("account.py", MODULE.replace("step_9 = 9", "step_9 = 90"))
    return repo


def test_the_function_around_a_change_is_shown(account: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    account.review()
    (request,) = server.requests
    assert "|     def deposit(self, amount):" in request.user
    assert "step_0 = 0" in request.user
    assert "def first" not in request.user
    assert request.user.count("def deposit(self, amount):") == 1


@pytest.mark.parametrize("suffix", ["go", "rs", "rb", "java", "js", "unknown"])
def test_other_languages_are_shown_as_git_knows_them(
    repo: Repo, serve: Serve, configure: Configure, suffix: str
) -> None:
    server = serve(approves())
    configure(server)
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    lines = [f"\tuse({number});" for number in range(20)]
    code = {"go": "func f() {", "rs": "fn f() {", "rb": "def f", "java": "void f() {"}.get(suffix, "function f() {")
    repo.write(f"a.{suffix}", "\n".join((code, *lines, "}", "")))
    repo.commit_all()
    lines[12] = "\tuse(-1);"
    repo.stage(f"a.{suffix}", "\n".join((code, *lines, "}", "")))
    repo.review()
    assert code in server.requests[0].user


def test_where_there_is_no_room_for_functions_three_lines_are_shown(
    account: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server, "max-input-tokens = 9500\n")
    account.stage("big.py", "".join(f"value_{number} = 'aaaaaaaaaaaaaaaaaaaaaaaaa'\n" for number in range(620)))
    account.review()
    sent = "".join(request.user for request in server.requests)
    assert "step_9 = 90" in sent
    assert "step_8 = 8" in sent
    assert "step_0 = 0" not in sent


def test_one_line_has_to_do_before_anything_is_left_out(repo: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server, "max-input-tokens = 9500\nmax-requests = 1\n")
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    lines = [f"value_{number} = 'aaaaaaaaaaaaaaaaaaaa'" for number in range(1000)]
    repo.write("big.py", "\n".join(lines))
    repo.commit_all()
    lines[4::10] = [f"{line}  # changed" for line in lines[4::10]]
    repo.stage("big.py", "\n".join(lines))
    payload = repo.review()
    assert payload["outcome"] == "approve", payload
    (request,) = server.requests
    assert request.user.count("# changed") == 100
    assert "value_3 = " in request.user
    assert "value_1 = " not in request.user


def test_a_secret_in_a_function_around_the_change_stays_home(
    account: Repo, serve: Serve, configure: Configure
) -> None:
    key = "AKIA" + "Q3EXAMPLE7ZTLKJH"
    text = MODULE.replace("step_1 = 1\n", f'step_1 = "{key}"\n')
    account.write("account.py", text)
    account.commit_all()
    account.stage("account.py", text.replace("step_9 = 9", "step_9 = 90"))
    server = serve(approves())
    configure(server)
    assert account.review()["outcome"] == "approve"
    assert key not in server.requests[0].raw.decode()
    assert "⟦secret:aws-access-key#1⟧" in server.requests[0].user


def test_a_quote_of_what_was_shown_counts(account: Repo, serve: Serve, configure: Configure) -> None:
    said = finding(file="account.py", line_start=15, line_end=15, quote="def deposit(self, amount):")
    configure(serve(blocks(findings=[said])))
    (found,) = account.review()["findings"]
    assert found["grounded"]


def test_a_file_of_utf_16_is_shown_as_text_around_its_changes_too(
    repo: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    text = "\ufeff" + "".join(f"wörd {number} in a line\n" for number in range(30))
    repo.write("notes.txt", text.encode("utf-16-le"))
    repo.commit_all()
    repo.stage("notes.txt", text.replace("wörd 1 in", "other 1 in").encode("utf-16-le"))
    repo.review()
    assert "other 1 in a line" in server.requests[0].user
