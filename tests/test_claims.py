"""What notes and plans claim of tests, and what the runs on the same tree say of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoagent_hook import claims
from twoagent_hook.claims import Claim

SAID = [
    "All tests pass.",
    "The test suite passes",
    "- Tests pass.",
    "* [x] All tests pass",
    "All 214 tests passed, 0 failures, no regressions",
    "The whole suite is green.",
    "Unit tests are passing.",
    "CI is green",
    "Added the parser. All checks pass now.",
    "Verified that all tests pass.",
    "**All tests pass** on this branch.",
    "1. the tests ran successfully",
    "Nothing else was touched. Tests pass!",
]
NOT_SAID = [
    "Tests must pass.",
    "The tests should pass now.",
    "Tests will pass once this is merged.",
    "Run the tests.",
    "Run all tests, they pass",
    "tests fail",
    "No tests pass.",
    "Most tests pass.",
    "Some of the tests pass",
    "All tests pass except two.",
    "All tests pass, but one fails",
    "tests don't pass",
    "The tests do not pass",
    "I think all tests pass.",
    "Tests probably pass.",
    "All tests pass?",
    "- [ ] all tests pass",
    "> all tests pass",
    "Make all tests pass.",
    "Ensure the tests pass",
    "Please check that all tests pass.",
    "Verify that all tests pass.",
    "When all tests pass, merge.",
    "Merge it if tests pass.",
    "Wait until CI is green",
    "The goal is to have the tests pass.",
    "the tests passed to the runner",
    "`all tests pass` is what it prints",
    "A build in which tests passed and then failed",
    "<!-- all tests pass -->",
    "```\nall tests pass\n```",
    "~~~\nall tests pass\n```\nall tests pass\n~~~",
    "## Acceptance criteria\n- All tests pass",
    "## Next steps\n### Later\nAll tests pass",
    "Done when:\nall tests pass",
    "The contest passes",
    "Latests pass",
]


@pytest.mark.parametrize("text", SAID)
def test_what_says_that_tests_passed_is_a_claim(text: str) -> None:
    [claim] = claims.find(text, "notes.md")
    assert (claim.command, claim.source, claim.status) == (None, "notes.md", claims.UNVERIFIED)


@pytest.mark.parametrize("text", NOT_SAID)
def test_a_wish_an_order_a_denial_or_a_quotation_is_none(text: str) -> None:
    assert claims.find(text, "notes.md") == ()


NOTES = """\
# What I did
- `count` passes the list on, and `sum` is ok.

## Tests run
Some words before.
- `pytest -q`: 12 passed, 0 failed
- `ruff check .` and `mypy` both pass
- `pytest -x` failed
- `--strict` is passed to mypy
- should pass: `cargo test`
| `make test` | ok |
- Ran `tox -e py311` → `4 passed` ✅
- `npm test` exited with 0

### Again, on the other machine
- ``go test `x` ./...`` succeeded.

## Tests to run
- `rake` passes

## Notes
- `rake` passes
"""


def test_commands_that_are_said_to_have_passed() -> None:
    found = claims.find(NOTES, "notes.md")
    assert [claim.command for claim in found] == [
        "pytest -q",
        "ruff check .",
        "mypy",
        "make test",
        "tox -e py311",
        "npm test",
        "go test `x` ./...",
    ]


@pytest.mark.parametrize(
    "heading",
    [
        "## Tests",
        "# Tests run",
        "### Test results",
        "## Testing",
        "**Tests run:**",
        "Tests:",
        "## Verification",
        "## Checks",
    ],
)
def test_headings_under_which_commands_were_run(heading: str) -> None:
    assert [claim.command for claim in claims.find(f"{heading}\n\n- `make` passes", "n")] == ["make"]


@pytest.mark.parametrize(
    "heading", ["## Test plan", "## Tests to add", "## How to test", "## Changes", "Tests needed:"]
)
def test_headings_under_which_nothing_was_run(heading: str) -> None:
    assert claims.find(f"{heading}\n\n- `make` passes", "n") == ()


def test_a_section_ends_with_the_next_of_its_rank() -> None:
    text = "# Tests\n## Unit\n`a` passes\n# Other\n`b` passes"
    assert [claim.command for claim in claims.find(text, "n")] == ["a"]


def test_a_claim_is_kept_visible_and_bounded() -> None:
    text = "## Tests\n- \x1b[31m\u202e`make` passes " + "x" * 600 + "\n- `make` passes " + "x" * 5000
    [claim] = claims.find(text, "no\ntes\x1b.md")
    assert claim.text.isprintable()
    assert len(claim.text) <= 300
    assert "\n" not in claim.source
    assert "\x1b" not in claim.source


def test_the_same_words_are_one_claim_and_there_is_an_end_of_them() -> None:
    assert len(claims.find("All tests pass.\n" * 1000, "n")) == 1
    assert len(claims.find("".join(f"All {number} tests pass.\n" for number in range(1000)), "n")) == 100


@given(st.text(), st.text(max_size=20))
def test_no_text_makes_it_fail(text: str, source: str) -> None:
    assert all(isinstance(claim, Claim) for claim in claims.find(text, source))


WORDS = (
    "## Tests\n",
    "`",
    "``",
    "```",
    "pass",
    " tests ",
    "all ",
    "\n",
    "- [x] ",
    "**",
    ":",
    "<!--",
    "-->",
    "> ",
    "not ",
    "é",
)


@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join))
def test_nor_does_one_of_the_right_words(text: str) -> None:
    for claim in claims.find(text, "n"):
        assert claim.status == claims.UNVERIFIED
        assert claim.command is None or claim.command.strip()


# --- holding them -------------------------------------------------------------------------------------------


def ran(number: int, command: Any, code: int | None = 0, problem: str | None = None) -> dict[str, Any]:
    return {"id": f"E{number}", "command": command, "exit_code": code, "problem": problem}


def held(command: str | None, *runs: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    [claim] = claims.hold([Claim("t", "n", command)], runs)
    return claim.status, claim.by


GOOD, BAD = ran(1, "pytest -q"), ran(2, ["make", "test"], 2)


def test_a_command_is_held_against_its_own_run() -> None:
    assert held("pytest -q", GOOD, BAD) == ("confirmed", ("E1",))
    assert held("make test", GOOD, BAD) == ("contradicted", ("E2",))
    assert held("pytest", GOOD, BAD) == ("unverified", ())
    assert held("pytest -q") == ("unverified", ())


def test_all_tests_are_held_against_all_runs() -> None:
    assert held(None, GOOD) == ("confirmed", ("E1",))
    assert held(None, GOOD, BAD) == ("contradicted", ("E2",))
    assert held(None) == ("unverified", ())


@pytest.mark.parametrize("run", [ran(1, "a", None), ran(1, "a", 0, "it timed out"), ran(1, "a", 1)])
def test_only_an_exit_code_of_0_without_a_problem_confirms(run: dict[str, Any]) -> None:
    assert held("a", run) == ("contradicted", ("E1",))


def test_one_of_two_runs_that_failed_contradicts() -> None:
    assert held("a", ran(1, "a"), ran(2, "a", 1)) == ("contradicted", ("E2",))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pytest -q", "  pytest   -q "),
        ("pytest -q", ["pytest", "-q"]),
        ("pytest 'a b'", 'pytest "a b"'),
        ("pytest 'a b'", ["pytest", "a b"]),
        ("make -j2 test", "make '-j2' test"),
        ("a | b", "a  |  b"),
        ("it's", "it's"),
    ],
)
def test_white_space_and_quotes_make_no_other_command(one: Any, other: Any) -> None:
    assert claims.same(one, other)
    assert claims.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pytest -q", "pytest -Q"),
        ("pytest 'a b'", "pytest a b"),
        ("ls *.py", "ls '*.py'"),
        ("echo $HOME", ["echo", "$HOME"]),
        ("a; b", ["a;", "b"]),
        ("make test", "make test || true"),
        ("it's", "its"),
    ],
)
def test_what_a_shell_would_read_otherwise_is_another_command(one: Any, other: Any) -> None:
    assert not claims.same(one, other)
    assert not claims.same(other, one)


def test_what_is_printed_of_a_claim() -> None:
    [claim] = claims.hold([Claim("t", "n", "pytest\t-q")], [GOOD])
    assert claims.data(claim) == {
        "text": "t",
        "source": "n",
        "command": "pytest\t-q",
        "status": "confirmed",
        "by": ["E1"],
    }
