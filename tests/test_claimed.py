"""What a plan and the implementer's notes claim, beside the verdict: held against what was run on the very tree."""

from collections.abc import Callable
from typing import Any

import pytest
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook import plans
from twoagent_hook.plans import Criterion, ExpectedFile, Plan
from twoagent_hook.tasks import Task

Serve = Callable[..., Server]
NOTES = "# Notes\n\n## Tests run\n\n- `make check`: passed\n- `make lint`: not run\n"


@pytest.fixture
def noted(changed: Repo, serve: Serve, configure: Any) -> Repo:
    """A repository with a change, notes on it beside the work tree, and a command that verifies it."""
    configure(serve(approves()))
    changed.stage("Makefile", "check:\n\tgrep -q mean app.py\n")
    changed.stage(".twoagent-hook.toml", 'verify-commands = ["make check"]\n')
    changed.git("commit", "--quiet", "--no-verify", "--message", "x", "--only", "Makefile", ".twoagent-hook.toml")
    changed.write("../notes.md", NOTES)
    return changed


def claims(payload: Any) -> list[tuple[str, str]]:
    return [(claim["text"], claim["status"]) for claim in payload["claims"]]


def test_what_nobody_ran_is_unverified(noted: Repo) -> None:
    payload = noted.review("--notes", "../notes.md")
    assert [status for _, status in claims(payload)] == ["unverified"]
    assert payload["outcome"] == "approve"  # it is shown, and lowers nothing
    shown = noted.call("review", "--notes", "../notes.md").out
    assert "claimed, and not run on this tree: `make check`: passed (../notes.md)" in " ".join(shown.split())


def test_what_was_run_on_this_tree_is_confirmed(noted: Repo) -> None:
    assert noted.call("verify").code == 0
    payload = noted.review("--notes", "../notes.md")
    assert [(claim["status"], claim["by"]) for claim in payload["claims"]] == [("confirmed", ["E1"])]
    noted.stage("app.py", "def mean(): ...\n")  # another tree, on which nothing ran
    assert [status for _, status in claims(noted.review("--notes", "../notes.md"))] == ["unverified"]


def test_what_failed_on_this_tree_is_contradicted(noted: Repo) -> None:
    noted.stage("app.py", "def total(): ...\n")
    assert noted.call("verify").code == 1
    payload = noted.review("--notes", "../notes.md")
    assert [status for _, status in claims(payload)] == ["contradicted"]


def test_a_verdict_on_record_shows_what_ran_since(noted: Repo) -> None:
    first = noted.review("--notes", "../notes.md")
    assert noted.call("verify").code == 0
    again = noted.review()
    assert again["recorded"] == first["log_id"]
    assert [status for _, status in claims(again)] == ["confirmed"]


def test_notes_beside_the_plan_are_found_and_the_plan_may_claim_too(noted: Repo) -> None:
    plan = Plan(
        Task("T-1", "Guard", "do it"),
        scope=("a",),
        files=(ExpectedFile("app.py", ""),),
        criteria=(Criterion("AC1", "a"),),
        rollback=("all tests pass on the old version",),
        commands=("make check",),
    )
    noted.write("task/plan.md", plans.render(plan))
    noted.write("task/artifact_notes.md", NOTES)
    payload = noted.review("--plan", "task/plan.md")
    sources = {claim["source"] for claim in payload["claims"]}
    assert "task/artifact_notes.md" in sources


def test_a_secret_in_notes_stays_there(noted: Repo) -> None:
    key = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"
    noted.write("../notes.md", f"## Tests run\n\n- `make check TOKEN={key}`: passed \x1b[31m\n")
    result = noted.call("review", "--notes", "../notes.md", "-v")
    assert "claimed" in result.out
    assert key not in result.out + str(noted.log())
    assert "\x1b" not in result.out


def test_notes_that_cant_be_read(noted: Repo) -> None:
    payload = noted.review("--notes", "../nowhere.md")
    assert (payload["outcome"], payload["problem"]["what"]) == ("error", "../nowhere.md can't be read")
    assert [row["role"] for row in noted.log()] == ["gate"]  # nobody was asked


def test_a_filled_checklist(noted: Repo) -> None:
    for _ in range(2):  # a form of ours is filled in anew
        result = noted.call("review", "--notes", "../notes.md", "--checklist", "filled.md")
        assert result.code == 0
        text = noted.read("filled.md")
        assert "approve" in text
        assert "make check" in text
    result = noted.call("review", "--checklist", "no/such/folder.md")
    assert result.code == 2
    assert "no/such/folder.md can't be written" in result.err


def test_what_somebody_wrote_is_no_form(noted: Repo) -> None:
    noted.write("../mine.md", "mine\n")
    (noted.root / "link.md").symlink_to("../mine.md")
    for name in ("../mine.md", "link.md"):
        payload = noted.review("--checklist", name)
        assert payload["problem"]["what"] == f"{name} is there, and is no review checklist"
    assert noted.read("../mine.md") == "mine\n"
    assert {row["role"] for row in noted.log()} == {"gate"}  # nobody was asked


def test_notes_count_beside_a_verdict_on_record(noted: Repo) -> None:
    noted.review()
    payload = noted.review("--notes", "../notes.md")
    assert payload["recorded"] is not None
    assert [status for _, status in claims(payload)] == ["unverified"]
    assert noted.review("--notes", "../nowhere.md")["outcome"] == "error"


def test_a_claim_in_other_words_is_unverified(noted: Repo) -> None:
    noted.write(
        "../notes.md", "## Tests run\n\n- ran pytest by hand, all green\n* make check: ok\n- make lint: failed\n"
    )
    noted.call("verify")
    found = noted.review("--notes", "../notes.md")["claims"]
    assert [(claim["text"], claim["status"]) for claim in found] == [
        ("ran pytest by hand, all green", "unverified"),
        ("make check: ok", "confirmed"),
    ]
