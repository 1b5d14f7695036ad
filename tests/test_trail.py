"""The trail of a task: what it is made of, what it believes, and the folder that it is written as."""

import hashlib
import json
import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support import golden
from support.repo import Repo
from support.server import approves, blocks

from twoagent_hook import config, plans, records, seals, trails
from twoagent_hook.outputs import markdown, payload
from twoagent_hook.tasks import Task
from twoagent_hook.trajectory import Entry, Log

TASK = "fix-mean-1a2b3c4d"
GOOD = "def mean(values):\n    return sum(values) / len(values) if values else 0\n"
BAD = "def mean(values):\n    return sum(values) / len(values)\n"
PLAN = f"""---
task: {TASK}
title: "Mean of no values"
planner: "loop:gpt-5.5"
---

## Task

> Let mean([]) be 0.

## Acceptance criteria

- AC1: mean([]) is 0
"""
PICTURE = b"\x89PNG not really"


# --- rows as the product writes them ------------------------------------------------------------------------


class Book:
    """The log of a repository, and the user's seal."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.log = Log(str(repo.root / ".git" / "twoagent-hook"))
        found = seals.load(config.state_folder(None))
        assert found is not None
        self.seal = found
        self.now = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)

    def add(self, role: str, result: str, *, sealed: bool = True, **fields: Any) -> int:
        """A row of a minute after the last one."""
        self.now += timedelta(minutes=1)
        row = Entry(role, result, **{"task_id": TASK, "at": self.now.isoformat(timespec="milliseconds"), **fields})
        return self.log.append([records.sealed(row, self.seal) if sealed else row])

    def plan(self, *, text: str | None = None, sealed: bool = True, **fields: Any) -> int:
        task = Task(TASK, "Mean of no values", "Let mean([]) be 0.")
        made = text or PLAN
        held = {
            "text": made,
            "digest": plans.digest(made),
            "path": "plan.md",
            "title": task.title,
            "task": task.text,
        }
        evidence = {"plan": held}
        return self.add("planner", "planned", sealed=sealed, evidence=evidence, **fields)

    def decide(self, result: str, tree: str | None, *, sealed: bool = True, **values: Any) -> int:
        outcome = {"blocked": "block", "changes": "request_changes"}.get(result, result)
        closed = {"blocked": 1, "unreviewed": 2, "error": 2, "invalid": 2, "refused": 2}.get(result, 0)
        review = {
            "provider": "loop", "model": "gpt-5.5", "requested_model": "gpt-5.5", "origin": "https://example.com",
            "verdict": outcome, "stated_verdict": outcome, "summary": "It divides.", "latency_sec": 1.5,
            "prompt_tokens": 1200, "output_tokens": 40, "cached_tokens": 0, "cost_usd": None, "cached": False,
        }  # fmt: skip
        finding = {
            "id": "a9c2f53d5c37", "source": "model", "reviewer": "loop:gpt-5.5", "rule": None, "effect": None,
            "title": "an empty list divides by zero", "category": "correctness", "severity": "critical",
            "certainty": "proven", "file": "app.py", "side": "new", "line_start": 2, "line_end": 2,
            "quote": "return sum(values) / len(values)", "trigger": "an empty list",
            "consequence": "ZeroDivisionError", "fix": "return 0 for it", "grounded": True, "confirmation": None,
            "answer": None,
        }  # fmt: skip
        verdict = outcome in {"approve", "request_changes", "block"}
        decision = payload.of_nothing(tree or "", "nothing to see") | {
            "outcome": outcome,
            "exit_code": closed,
            "tree": tree,
            "base": "b" * 40,
            "task_id": TASK,
            "reviews": [review] if verdict else [],
            "findings": [finding] if outcome == "block" else [],
            "reasons": [] if verdict else ["no reviewer was in time"],
            "coverage": {"complete": True, "files": 1, "shown": 1, "added": 1, "removed": 1, "withheld": []},
        }
        evidence = {
            "decision": decision | values.pop("decision", {}),
            "reason": values.pop("reason", None),
            **({"record": {}} if sealed else {}),
            **values.pop("evidence", {}),
        }
        fields = {"author": "claude-code (anthropic, claude-opus-4-8; from CLAUDECODE)", **values}
        return self.add("gate", result, sealed=sealed, tree=tree, evidence=evidence, **fields)

    def verify(self, result: str, tree: str, *, sealed: bool = True, **values: Any) -> int:
        run = {
            "id": "R1", "command": "python -m pytest", "source": "policy", "exit_code": 0 if result == "go" else 1,
            "problem": None, "duration_sec": 2.25, "output_bytes": 9, "digest": "c" * 64, "tail": "1 passed\n```\n# x",
            "changed": [], "more_changed": 0,
        }  # fmt: skip
        made = {
            "version": 1, "outcome": result, "exit_code": 0, "problem": None, "tree": tree, "base": "b" * 40,
            "task_id": TASK, "runs": [run], "inspections": [{"id": "I1", "text": "the page shows 0"}],
            "attachments": [], "claims": [], "suggested": ["rm -rf /"], "summary": None, "notices": [], "withheld": [],
            "recorded": None, "log_id": None,
        }  # fmt: skip
        evidence = {"verification": made | values}
        return self.add("verifier", result, sealed=sealed, tree=tree, evidence=evidence)

    def keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        folder = self.repo.root / ".git" / "twoagent-hook" / "attachments"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest).write_bytes(content)
        return digest

    def spoil(self, number: int, **cells: Any) -> None:
        with closing(sqlite3.connect(self.log.path)) as connection:
            for column, value in cells.items():
                connection.execute(f"UPDATE entries SET {column} = ? WHERE id = ?", (value, number))
            connection.commit()

    def commit(self, *arguments: str, message: str = "a change") -> str:
        """Ten seconds after the last row."""
        at = (self.now + timedelta(seconds=10)).isoformat()
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at}
        self.repo.git("commit", "-q", "--no-verify", "--allow-empty", "-m", message, *arguments, **dates)
        return self.repo.head

    def stage(self, content: str) -> str:
        self.repo.stage("app.py", content)
        return self.repo.git("write-tree")


@pytest.fixture
def book(repo: Repo) -> Book:
    return Book(repo)


def follow(repo: Repo, *arguments: str, task: str = TASK, **environment: str) -> Any:
    result = repo.call("log", "--task", task, "--output-format", "json", *arguments, **environment)
    assert result.code == 0, result
    return result.json


def shown(repo: Repo, *arguments: str, task: str = TASK) -> str:
    result = repo.call("log", "--task", task, *arguments)
    assert result.code == 0, result
    return result.out


def kinds(trail: Any) -> list[str]:
    return [step["kind"] for step in trail["steps"]]


def only(trail: Any, kind: str) -> Any:
    (found,) = [step for step in trail["steps"] if step["kind"] == kind]
    return found


def export(repo: Repo, folder: Path, *arguments: str, task: str = TASK) -> dict[str, bytes]:
    result = repo.call("log", "export", "--task", task, "--out", str(folder), *arguments)
    assert result.code == 0, result
    return written(folder)


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- a whole one --------------------------------------------------------------------------------------------


@pytest.fixture
def story(tmp_path: Path, clean_environment: dict[str, str]) -> Book:
    """Planned, blocked and committed all the same, corrected, approved, committed and verified; every time is fixed."""
    date = {"GIT_AUTHOR_DATE": "2026-07-01T09:00:00+00:00", "GIT_COMMITTER_DATE": "2026-07-01T09:00:00+00:00"}
    book = Book(Repo(tmp_path / "story", clean_environment))
    book.repo.write("app.py", "def mean(values):\n    return 0\n")
    book.repo.git("add", "app.py")
    book.repo.git("commit", "-q", "-m", "base", **date)
    book.plan(model="gpt-5.5", provider="loop")
    bad = book.stage(BAD)
    book.add("reviewer", "blocked", model="gpt-5.5", provider="loop", tree=bad, evidence={"part": "p", "reply": "{}"})
    book.decide("blocked", bad, reason="the demo is at noon")
    book.commit(message="Divide by the number of values")
    book.verify("no-go", bad)
    good = book.stage(GOOD)
    book.decide("approve", good)
    book.commit(message="Let the mean of nothing be 0")
    attachments = [
        {"id": "A1", "path": "shots/the page.png", "digest": f"sha256:{book.keep(PICTURE)}", "bytes": len(PICTURE)},
        {"id": "A2", "url": "https://ci.example.com/run/1", "digest": None, "bytes": None},
    ]
    book.verify("go", good, attachments=attachments)
    return book


def test_the_trail_reads_as_it_always_did(story: Book, request: pytest.FixtureRequest) -> None:
    golden.check("trail/trail.txt", shown(story.repo), request)


@pytest.mark.parametrize("name", ["README.md", "commits.md", "evidence/6-go.md"])
def test_the_exported_pages_read_as_they_always_did(
    story: Book, tmp_path: Path, request: pytest.FixtureRequest, name: str
) -> None:
    made = export(story.repo, tmp_path / "out")
    golden.check(f"trail/{os.path.basename(name)}", made[name].decode(), request)


def test_a_trail_holds_who_did_what_and_where_it_stands(story: Book) -> None:
    trail = follow(story.repo)
    assert kinds(trail) == [
        "plan", "decision", "commit", "override", "verification", "decision", "commit", "verification",
    ]  # fmt: skip
    assert [step["role"] for step in trail["steps"][:3]] == ["planner", "reviewer", "implementer"]
    assert trail["title"] == "Mean of no values"
    assert trail["plan"]["by"] == "gpt-5.5 (loop)"
    standing = trail["standing"]
    assert standing["reviews"] == {"block": 1, "approve": 1}
    assert standing["overrides"] == 1
    assert standing["missing"] == []
    assert standing["commit"] == story.repo.head
    assert standing["text"].endswith(f"verified go on the tree of commit {story.repo.head[:7]}")
    assert [step["kind"] for step in follow(story.repo, "--all")["steps"]].count("call") == 1
    assert follow(story.repo, "--limit", "1")["steps"] == trail["steps"]  # a trail without its beginning is none


def test_the_list_of_a_task_stays_a_plain_filter(story: Book) -> None:
    story.add("gate", "approve", task_id="another")
    for words in (("list", "--task", TASK), ("--task", TASK, "list")):
        listed = story.repo.call("log", *words)
        assert listed.out.splitlines()[0].split()[:4] == ["#", "when", "(UTC)", "role"]
        assert len(listed.out.splitlines()) == 3


def test_jsonl_is_the_same_object_on_one_line(story: Book) -> None:
    result = story.repo.call("log", "--task", TASK, "--output-format", "jsonl")
    assert result.out.count("\n") == 1
    assert result.json == follow(story.repo)


# --- real reviews and commits -------------------------------------------------------------------------------


def test_a_commit_forced_past_a_real_block_is_an_override(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(blocks(), approves()))
    changed.install_plain_hook()
    assert changed.commit(TWOAGENT_TASK="T-7", TWOAGENT_REASON="the demo is at noon").code == 1
    assert kinds(follow(changed, task="T-7")) == ["decision"]
    assert changed.commit("--no-verify").code == 0
    forced = changed.head
    trail = follow(changed, task="T-7")
    assert kinds(trail) == ["decision", "commit", "override"]
    override = only(trail, "override")
    assert (override["result"], override["commit"], override["derived"]) == ("overridden", forced, True)
    assert override["reason"] == "the demo is at noon"
    changed.stage("app.py", GOOD)
    assert changed.commit(TWOAGENT_TASK="T-7").code == 0
    trail = follow(changed, task="T-7")
    assert kinds(trail) == ["decision", "commit", "override", "decision", "commit"]
    assert trail["standing"]["overrides"] == 1
    assert [step["sealed"] for step in trail["steps"]] == [True, None, None, True, None]
    assert trail["standing"]["missing"] == ["no plan", "no verification of the newest tree"]


def test_a_commit_without_any_verdict_is_an_override_too(changed: Repo) -> None:
    assert changed.review("--task", "T-7")["outcome"] == "unreviewed"
    changed.commit("--no-verify")
    trail = follow(changed, task="T-7")
    assert only(trail, "override")["about"].endswith("said unreviewed")
    assert only(trail, "decision")["role"] == "gate"


def test_a_verdict_that_is_only_repeated_is_no_second_review(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves()))
    changed.review("--task", "T-7")
    assert changed.review("--task", "T-7")["recorded"] == 2
    changed.commit("--no-verify")
    trail = follow(changed, task="T-7")
    assert kinds(trail) == ["decision", "decision", "commit"]
    assert trail["standing"]["reviews"] == {"approve": 1}
    assert trail["standing"]["verdict"]["sealed"] is True
    assert "not sealed" not in shown(changed, task="T-7")


def test_a_commit_of_another_worktree_is_found(book: Book, tmp_path: Path) -> None:
    book.repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    other = Repo(tmp_path / "other", book.repo.environment, init=False)
    other.stage("app.py", BAD)
    book.decide("approve", other.git("write-tree"))
    other.git("commit", "-q", "-m", "from the other one")
    for repo in (book.repo, other):
        step = only(follow(repo), "commit")
        assert (step["commit"], step["subject"], step["reached"]) == (other.head, "from the other one", True)


def test_an_amended_commit_is_shown_beside_the_one_it_replaced(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("approve", tree)
    first = book.commit(message="a first wording")
    second = book.commit("--amend", message="a second wording")
    steps = {step["commit"]: step for step in follow(book.repo)["steps"] if step["kind"] == "commit"}
    assert set(steps) == {first, second}
    assert (steps[first]["reached"], steps[second]["reached"]) == (False, True)
    assert "on no branch any more" in steps[first]["about"]
    assert follow(book.repo)["standing"]["commit"] == second


def test_rewritten_history_leaves_its_trace(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("blocked", tree)
    book.commit()
    book.repo.git("reset", "-q", "--hard", "HEAD^")
    trail = follow(book.repo)
    assert only(trail, "override")["reached"] is False
    assert trail["standing"]["commit"] is None
    assert "no commit of the newest tree" in trail["standing"]["missing"]
    book.repo.git("reflog", "expire", "--expire=now", "--all")
    book.repo.git("gc", "-q", "--prune=now")
    assert kinds(follow(book.repo)) == ["decision"]  # what git has forgotten is not guessed


def test_what_was_stashed_was_never_committed(book: Book) -> None:
    book.decide("blocked", book.stage(BAD))
    book.repo.git("stash", "-q")
    assert kinds(follow(book.repo)) == ["decision"]


def test_what_no_row_judged_is_not_attributed(book: Book) -> None:
    book.decide("approve", book.stage(BAD))
    book.commit()
    book.stage(GOOD)
    book.commit(message="something else")
    assert only(follow(book.repo), "commit")["subject"] == "a change"


def test_a_commit_that_was_judged_under_another_task_is_not_of_this_one(book: Book) -> None:
    book.decide("blocked", book.stage(BAD), task_id="another")
    book.commit()
    book.decide("approve", book.stage(GOOD))
    assert kinds(follow(book.repo)) == ["decision"]


def test_a_repository_whose_commits_cant_be_told_still_shows_its_rows(book: Book) -> None:
    book.decide("approve", book.stage(BAD))
    book.commit()
    (book.repo.root / ".git" / "refs" / "heads" / "broken").write_text("1" * 40 + "\n")
    trail = follow(book.repo)
    assert kinds(trail) == ["decision"]
    assert trail["notes"][0].startswith("the commits can't be told: ")


# --- what holds when ----------------------------------------------------------------------------------------


def test_only_the_verdict_that_a_commit_was_made_under_counts(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("unreviewed", tree, sealed=False)
    book.decide("approve", tree)
    book.commit()
    book.decide("error", tree, sealed=False)  # asked again, later
    assert kinds(follow(book.repo)) == ["decision", "decision", "commit", "decision"]


def test_a_commit_dated_before_its_block_is_an_override_all_the_same(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("blocked", tree)
    book.repo.git("commit", "-q", "-m", "dated back", GIT_COMMITTER_DATE="2001-01-01T00:00:00+00:00")
    trail = follow(book.repo)
    assert kinds(trail) == ["decision", "commit", "override"]
    assert only(trail, "override")["about"].endswith("(the commit's own date lies before that)")


@pytest.mark.parametrize(("hook", "after"), [(True, 30), (False, 30), (True, 3600)])
def test_git_dates_a_commit_before_the_hook_that_opens_the_gate_to_it(book: Book, hook: bool, after: int) -> None:
    tree = book.stage(BAD)
    book.decide("unreviewed", tree, sealed=False)
    book.commit()
    book.now += timedelta(seconds=after - 50)
    book.decide("approve", tree, evidence={"hook": hook})
    assert ("override" in kinds(follow(book.repo))) is not (hook and after == 30)


@pytest.mark.parametrize("result", ["reviewed", "overridden", "changed-after-review", "not-gated"])
def test_what_was_found_afterwards_is_shown_and_decides_nothing(book: Book, result: str) -> None:
    tree = book.stage(BAD)
    book.decide("approve", tree)
    book.add("gate", result, tree=tree, evidence={"reason": "why not"})
    trail = follow(book.repo)
    assert only(trail, "record")["result"] == result
    assert only(trail, "record")["reason"] == "why not"
    assert trail["standing"]["verdict"]["result"] == "approve"


def test_a_review_of_the_plan_is_none_of_a_change(book: Book) -> None:
    book.decide("approve", None, decision={"plan": {"title": "x"}}, sealed=False)
    trail = follow(book.repo)
    assert only(trail, "decision")["about"] == "approve, of the plan"
    assert trail["standing"]["reviews"] == {}
    assert "no review" in trail["standing"]["missing"]


@pytest.mark.parametrize(
    ("result", "missing"),
    [
        ("blocked", "no approval of the newest tree (row 1: block)"),
        ("changes", "no approval of the newest tree (row 1: request changes)"),
        ("deferred", "no review of the newest tree (row 1: deferred)"),
        ("refused", "no approval of the newest tree (row 1: refused)"),
    ],
)
def test_what_is_missing_is_said(book: Book, result: str, missing: str) -> None:
    book.decide(result, book.stage(BAD))
    assert follow(book.repo)["standing"]["missing"] == [
        "no plan", missing, "no commit of the newest tree", "no verification of the newest tree",
    ]  # fmt: skip
    assert missing in shown(book.repo).splitlines()[-1]


def test_a_go_on_an_older_tree_is_none_on_the_newest(book: Book) -> None:
    older = book.stage(BAD)
    book.decide("approve", older)
    book.commit()
    book.verify("go", older)
    book.decide("approve", book.stage(GOOD))
    standing = follow(book.repo)["standing"]
    assert standing["verification"] is None
    assert "no verification of the newest tree" in standing["missing"]


def test_a_no_go_is_no_end(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("approve", tree)
    book.verify("no-go", tree)
    standing = follow(book.repo)["standing"]
    assert standing["verification"] == {"result": "no-go", "log_id": 2}
    assert "no go (row 2: no-go)" in standing["missing"]


# --- rows that anybody could have written -------------------------------------------------------------------


def test_an_approval_without_a_seal_lifts_no_block(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("blocked", tree)
    book.decide("approve", tree, sealed=False)
    book.commit()
    trail = follow(book.repo)
    assert only(trail, "override")["about"] == "committed although row 1 said block"
    assert trail["standing"]["verdict"]["result"] == "blocked"
    assert trail["standing"]["reviews"] == {"block": 1}
    assert shown(book.repo).count("not sealed") == 1


def test_an_approval_that_claims_to_repeat_another_needs_that_one(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("blocked", tree)
    book.decide("approve", tree, sealed=False, evidence={"recorded": 1})
    assert follow(book.repo)["standing"]["verdict"] == {
        "result": "blocked", "closed": True, "sealed": True, "log_id": 1,
    }  # fmt: skip


def test_a_block_without_a_seal_counts(book: Book) -> None:
    tree = book.stage(BAD)
    book.decide("approve", tree)
    book.decide("blocked", tree, sealed=False)
    book.commit()
    assert only(follow(book.repo), "override")["about"] == "committed although row 2 said block"


def test_a_plan_a_go_and_an_approval_without_a_seal_are_shown_and_not_believed(book: Book, tmp_path: Path) -> None:
    tree = book.stage(BAD)
    book.plan(sealed=False)
    book.decide("approve", tree, sealed=False)
    book.verify(
        "go",
        tree,
        sealed=False,
        attachments=[{"id": "A1", "path": "a.png", "digest": book.keep(PICTURE), "bytes": 1}],
    )
    trail = follow(book.repo)
    assert (trail["plan"], trail["title"]) == (None, None)
    assert trail["standing"]["missing"] == [
        "no plan",
        "the approval of row 2 carries no seal of yours",
        "no commit of the newest tree",
        "the go of row 3 carries no seal of yours",
    ]
    assert shown(book.repo).count("not sealed") == 3
    made = export(book.repo, tmp_path / "out")
    assert "plan.md" not in made
    assert not [name for name in made if "attachments" in name]
    assert b"no copy of it is kept" not in made["README.md"]
    for name in ("reviews/2-approve.md", "evidence/3-go.md"):
        assert b"**not sealed**" in made[name]
    assert [json.loads(line)["sealed"] for line in made["log.jsonl"].splitlines()] == [False] * 3


def test_a_sealed_row_that_was_changed_is_not_sealed_any_more(book: Book) -> None:
    number = book.verify("no-go", book.stage(BAD))
    assert only(follow(book.repo), "verification")["sealed"] is True
    book.spoil(number, result="go")
    assert only(follow(book.repo), "verification")["sealed"] is False
    assert follow(book.repo)["standing"]["verification"] is None


def test_without_the_users_key_nothing_is_believed(book: Book, tmp_path: Path) -> None:
    book.plan()
    book.decide("approve", book.stage(BAD))
    (tmp_path / "file").write_text("")
    trail = follow(book.repo, TWOAGENT_HOME=str(tmp_path / "file"))
    assert trail["notes"] == ["your own key can't be read, so that no row is known to be of your gate"]
    assert [step["sealed"] for step in trail["steps"]] == [False, False]
    assert trail["standing"]["missing"][:2] == ["no plan", "the approval of row 2 carries no seal of yours"]


# --- which task -----------------------------------------------------------------------------------------------


def test_an_unknown_task_is_said_with_what_is_near(story: Book, tmp_path: Path) -> None:
    said = shown(story.repo, task="fix-mean")
    assert said == f"no such row in the log (near it: {TASK})\n"
    found = follow(story.repo, task="fix-mean")
    assert (found["steps"], found["near"]) == ([], [TASK])
    assert shown(story.repo, task="zzz") == "no such row in the log\n"
    refused = story.repo.call("log", "export", "--task", "fix-mean", "--out", str(tmp_path / "out"))
    assert refused.code == 2
    assert TASK in refused.err
    assert not (tmp_path / "out").exists()


def test_an_empty_log_is_said(repo: Repo) -> None:
    assert shown(repo) == "the log is empty: no review was made here yet\n"


def test_a_task_is_found_by_its_own_name_alone(book: Book) -> None:
    book.decide("approve", "a" * 40, task_id="T-7")
    for near in ("t-7", "T-7 ", "T-", "%", "T_7"):
        assert near == "T-7 " or "no such row" in shown(book.repo, task=near)
    book.decide("approve", "a" * 40, task_id="one\\u{a}two")
    assert kinds(follow(book.repo, task="one\\u{a}two")) == ["decision"]


def test_a_task_is_found_by_what_the_variable_held(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves()))
    name = "née  \u202eevil\x1b[2J"
    changed.review(TWOAGENT_TASK=name)
    assert kinds(follow(changed, task=name)) == ["decision"]
    assert kinds(follow(changed, task="née \\u{202e}evil\\u{1b}[2J")) == ["decision"]


# --- what a row may hold ------------------------------------------------------------------------------------

HOSTILE = "\x1b[2J\u202e<img src=x> [a](http://evil.example) ![b](c) | x\n# heading\n@everyone `#12` www.evil.example"
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COMMONMARK = MarkdownIt("commonmark").enable("table")


def inline(tokens: Any) -> Any:
    for token in tokens:
        yield token
        yield from inline(token.children or ())


def assert_harmless(name: str, text: str) -> None:
    """Nothing in it acts on a terminal, or is anything but text where it is read as Markdown."""
    assert not ACTS.search(text), (name, ascii(text))
    for token in inline(COMMONMARK.parse(text)):
        assert token.type not in {"image", "html_block", "html_inline"}, (name, token)
        if token.type == "link_open":
            assert re.fullmatch(r"[\w./-]+", str(token.attrs["href"])), (name, token)
        if token.type == "text":
            assert "@" not in token.content, (name, token)
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert "# heading" not in headings


def test_whatever_rows_and_commits_hold_is_text(book: Book, tmp_path: Path) -> None:
    task = HOSTILE
    tree = book.stage(BAD)
    book.plan(model=HOSTILE, provider=HOSTILE, task_id=task)
    book.decide(
        "blocked", tree, task_id=task, reason=HOSTILE, author=HOSTILE,
        decision={"findings": [{"title": HOSTILE}], "reasons": [HOSTILE], "task_id": HOSTILE, "tree": tree},
    )  # fmt: skip
    book.decide(
        "approve", tree, task_id=task,
        decision={"reasons": [HOSTILE], "verification_commands": [HOSTILE], "questions": [HOSTILE], "task_id": HOSTILE},
    )  # fmt: skip
    book.add("gate", HOSTILE, tree=HOSTILE, task_id=task, model=HOSTILE)
    book.add(HOSTILE, HOSTILE, tree=HOSTILE, task_id=task, at=HOSTILE)
    run = {"id": HOSTILE, "command": [HOSTILE], "tail": HOSTILE, "problem": HOSTILE, "changed": [HOSTILE]}
    evidence = {
        "verification": {
            "outcome": HOSTILE, "tree": HOSTILE, "runs": [run, run | {"command": HOSTILE}],
            "inspections": [{"id": HOSTILE, "text": HOSTILE}], "suggested": [HOSTILE], "notices": [HOSTILE],
            "attachments": [{"id": "../../x", "path": "../../../e\nvil/_b_" + HOSTILE, "digest": book.keep(PICTURE)}],
            "claims": [{"text": HOSTILE, "status": HOSTILE, "by": [HOSTILE], "source": HOSTILE}],
            "summary": {"verdict": HOSTILE, "summary": HOSTILE, "claims": [{"text": HOSTILE}], "concerns": [HOSTILE]},
        }
    }  # fmt: skip
    book.add("verifier", HOSTILE, tree=tree, task_id=task, evidence=evidence)
    subject = HOSTILE.replace("\n", " ")
    book.repo.git("commit", "-q", "-m", subject, GIT_AUTHOR_NAME="<b>@everyone</b> \x1b[2J[x](y)")
    out = shown(book.repo, "--all", task=task)
    assert not ACTS.search(out), ascii(out)
    assert len(out.splitlines()) == 4 + 7 + 2
    made = export(book.repo, tmp_path / "out", task=task)
    assert b"can't be read" in made["README.md"]  # the findings of the first are none
    for name, content in made.items():
        assert re.fullmatch(r"[A-Za-z0-9._/-]+", name), name
        if name.endswith(".md") and name != "plan.md":
            assert_harmless(name, content.decode())
    (copied,) = [name for name in made if name.startswith("evidence/attachments/")]
    assert made[copied] == PICTURE
    assert not (tmp_path / "evil").exists()


def test_long_texts_are_bounded(book: Book) -> None:
    book.decide("unreviewed", "a" * 40, decision={"reasons": ["x" * 100_000]}, reason="y" * 100_000, sealed=False)
    book.add("gate", "z" * 100_000, model="m" * 100_000, tree="t" * 100_000)
    assert max(map(len, shown(book.repo, "--all").splitlines())) < 600


def test_a_damaged_row_is_said_and_left_out(book: Book, tmp_path: Path) -> None:
    tree = book.stage(BAD)
    book.decide("blocked", tree)
    kept = book.decide("approve", tree)
    book.spoil(1, evidence="{", result="approve")
    trail = follow(book.repo)
    assert trail["damaged"] == [1]
    assert [step["log_id"] for step in trail["steps"]] == [kept]
    assert "row 1 of the log is damaged" in shown(book.repo)
    made = export(book.repo, tmp_path / "out")
    assert b"row 1: it is damaged" in made["README.md"]
    book.spoil(kept, latency_sec=b"no number")
    assert follow(book.repo)["damaged"] == [1, kept]
    assert set(export(book.repo, tmp_path / "other")) == {"README.md", "commits.md", "log.jsonl"}


def test_bytes_that_are_no_text_are_spelled_out(book: Book, tmp_path: Path) -> None:
    number = book.decide("approve", "a" * 40)
    with closing(sqlite3.connect(book.log.path)) as connection:
        connection.execute("UPDATE entries SET author = CAST(x'ff41' AS TEXT), result = CAST(x'ff42' AS TEXT)")
        connection.commit()
    assert only(follow(book.repo), "decision")["result"] == "\\xffB"
    assert f"reviews/{number}-b.md" in export(book.repo, tmp_path / "out")


ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
unhurried = settings(
    max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@unhurried
@given(data=st.data())
def test_rows_of_any_values_make_a_trail_and_a_folder(story: Book, tmp_path: Path, data: st.DataObject) -> None:
    path = Path(story.log.path)
    before = path.read_bytes()
    try:
        for row in story.log.read():
            evidence = json.loads(json.dumps(row.evidence))
            for part in (evidence, *(value for value in evidence.values() if value and isinstance(value, dict))):
                for key in data.draw(st.lists(st.sampled_from(sorted(part)), max_size=2, unique=True)):
                    part[key] = data.draw(ANY_JSON)
            story.spoil(row.id or 0, evidence=json.dumps(evidence))
        for words in (("--all",), ("--all", "--output-format", "json")):
            result = story.repo.call("log", "--task", TASK, *words)
            assert result.code == 0, result
            assert not ACTS.search(result.out.replace("\t", "")), ascii(result.out)
        made = export(story.repo, tmp_path / "out", "--force")
        for line in made["log.jsonl"].splitlines():
            json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    finally:
        path.write_bytes(before)


def test_evidence_that_is_nested_without_end_is_no_failure(book: Book, tmp_path: Path) -> None:
    number = book.decide("approve", "a" * 40)
    deep = "[" * 450 + "]" * 450
    book.spoil(number, evidence=f'{{"decision": {{"outcome": {deep}}}}}')
    made = export(book.repo, tmp_path / "out")
    assert f"the decision in row {number} can't be read" in made["README.md"].decode().replace("\\", "")
    assert json.loads(made["log.jsonl"])["id"] == number


# --- the folder -----------------------------------------------------------------------------------------------


def test_the_folder_holds_the_plan_the_packets_the_reviews_and_the_evidence(story: Book, tmp_path: Path) -> None:
    made = export(story.repo, tmp_path / "out")
    assert {name for name in made if not name.startswith("packets/")} == {
        "README.md", "plan.md", "review_checklist.md", "commits.md", "log.jsonl",
        "reviews/3-blocked.md", "reviews/3-blocked.json", "reviews/5-approve.md", "reviews/5-approve.json",
        "evidence/4-no-go.md", "evidence/4-no-go.json", "evidence/6-go.md", "evidence/6-go.json",
        "evidence/attachments/6-1-A1-the_page.png",
    }  # fmt: skip
    assert sorted(name for name in made if name.startswith("packets/")) == [
        "packets/01-planner.md", "packets/02-implementer.md", "packets/03-reviewer.md", "packets/04-verifier.md",
    ]  # fmt: skip
    assert plans.digest(made["plan.md"].decode()) == follow(story.repo)["plan"]["digest"]
    assert b"Verdict: **approve**" in made["review_checklist.md"]
    assert json.loads(made["reviews/3-blocked.json"])["log_id"] == 3
    assert made["evidence/attachments/6-1-A1-the_page.png"] == PICTURE
    rows = [json.loads(line) for line in made["log.jsonl"].splitlines()]
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["sealed"] and "seal" not in row["evidence"] for row in rows)
    assert story.repo.head.encode() in made["commits.md"]
    for name in made:
        if not name.endswith((".json", "README.md")):
            assert f"]({name})" in made["README.md"].decode(), name


def test_a_second_export_is_the_same_to_the_byte(story: Book, tmp_path: Path) -> None:
    first = export(story.repo, tmp_path / "out")
    again = story.repo.call("log", "export", "--task", TASK, "--out", str(tmp_path / "out"))
    assert again.code == 2
    assert "README.md" in again.err
    assert "--force" in again.err
    (tmp_path / "out" / "README.md").write_text("mine")
    (tmp_path / "out" / "notes.txt").write_text("mine too")
    second = export(story.repo, tmp_path / "out", "--force")
    assert second.pop("notes.txt") == b"mine too"
    assert second == first


def test_one_file_that_is_there_stops_all_of_it(story: Book, tmp_path: Path) -> None:
    (tmp_path / "out" / "reviews").mkdir(parents=True)
    (tmp_path / "out" / "reviews" / "3-blocked.md").write_text("mine")
    refused = story.repo.call("log", "export", "--task", TASK, "--out", str(tmp_path / "out"))
    assert refused.code == 2
    assert "reviews/3-blocked.md" in refused.err
    assert "README.md" not in refused.err
    assert written(tmp_path / "out") == {"reviews/3-blocked.md": b"mine"}


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_that_is_a_link_is_not_followed(story: Book, tmp_path: Path, force: tuple[str, ...]) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reviews").symlink_to(tmp_path / "victim")
    refused = story.repo.call("log", "export", "--task", TASK, "--out", str(tmp_path / "out"), *force)
    assert refused.code == 2
    assert "symbolic link" in refused.err
    assert os.listdir(tmp_path / "victim") == []
    assert os.listdir(tmp_path / "out") == ["reviews"]


def test_a_file_that_is_a_link_is_replaced_and_not_followed(story: Book, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").symlink_to(tmp_path / "victim")
    assert story.repo.call("log", "export", "--task", TASK, "--out", str(tmp_path / "out")).code == 2
    export(story.repo, tmp_path / "out", "--force")
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "out" / "README.md").is_symlink()


@pytest.mark.parametrize("place", [".git/out", "app.py", "missing/../.git/x"])
def test_a_place_that_is_no_folder_of_the_users_is_refused(story: Book, place: str) -> None:
    before = written(story.repo.root)
    refused = story.repo.call("log", "export", "--task", TASK, "--out", str(story.repo.root / place))
    assert refused.code == 2
    assert "--out" in refused.err
    assert written(story.repo.root) == before


def test_a_folder_that_cant_be_written_holds_nothing_afterwards(story: Book, tmp_path: Path) -> None:
    (tmp_path / "out" / "README.md").mkdir(parents=True)
    refused = story.repo.call("log", "export", "--task", TASK, "--out", str(tmp_path / "out"), "--force")
    assert refused.code == 2
    assert "folders where files belong: README.md" in refused.err
    assert os.listdir(tmp_path / "out") == ["README.md"]


@pytest.mark.parametrize("how", ["gone", "another", "a link"])
def test_an_attachment_that_is_not_the_one_is_said_and_not_taken(story: Book, tmp_path: Path, how: str) -> None:
    kept = story.repo.root / ".git" / "twoagent-hook" / "attachments" / hashlib.sha256(PICTURE).hexdigest()
    kept.unlink()
    if how == "another":
        kept.write_bytes(b"something else")
    elif how == "a link":
        (tmp_path / "same").write_bytes(PICTURE)
        kept.symlink_to(tmp_path / "same")
    made = export(story.repo, tmp_path / "out")
    assert not [name for name in made if "attachments" in name]
    assert b"no copy of it is kept" in made["README.md"]
    assert b"(copy:" not in made["evidence/6-go.md"]


def test_a_task_whose_id_is_none_has_a_plan_and_no_packets(book: Book, tmp_path: Path) -> None:
    book.plan(task_id="what the user typed")
    made = export(book.repo, tmp_path / "out", task="what the user typed")
    assert set(made) == {"README.md", "plan.md", "commits.md", "log.jsonl"}
    assert b"packets/: " in made["README.md"]


def test_the_newest_plan_is_the_one(book: Book, tmp_path: Path) -> None:
    book.plan(model="gpt-5.5", provider="loop")
    book.plan(author="human (from TWOAGENT_AUTHOR)", text="# mine \u200b\n")
    made = export(book.repo, tmp_path / "out")
    assert made["plan.md"].decode() == "# mine \\u{200b}\n"
    assert "spelled out" in made["README.md"].decode()
    assert follow(book.repo)["plan"]["by"] == "a person"


def test_the_cli_runs_from_a_shell(story: Book, tmp_path: Path) -> None:
    assert story.repo.run("log", "--task", TASK).out == shown(story.repo)
    result = story.repo.run("log", "export", "--task", TASK, "--out", "pr", cwd=tmp_path / "story")
    assert result.out.splitlines()[0] == f"wrote {len(written(story.repo.root / 'pr'))} files to pr"


def test_a_task_of_two_thousand_rows_is_no_trouble(book: Book, tmp_path: Path) -> None:
    tree = book.stage(BAD)
    at = "2026-07-01T10:00:00+00:00"
    decision = payload.of_nothing(tree, "x") | {"outcome": "approve"}
    row = Entry("gate", "approve", at=at, task_id=TASK, tree=tree, evidence={"decision": decision, "record": {}})
    book.log.append([records.sealed(row, book.seal)] * 2000)
    book.commit()
    assert len(follow(book.repo)["steps"]) == 2001
    assert len(export(book.repo, tmp_path / "out")) == 4000 + 4


# --- text as Markdown -----------------------------------------------------------------------------------------

ACTIVE = st.text(
    st.sampled_from("\\`*_[]()<>&|~$^#-+=.!:@\"'0123 aGHhtpw/\n\t\x1b\u202e"), max_size=30
) | st.sampled_from(
    [
        "1. x",
        "12) y",
        "- x",
        "+ x",
        "# x #",
        "===",
        "---",
        "> x",
        "```",
        "~~~",
        "&amp;",
        "&#64;x",
        "<b>",
        "http://a.bc",
    ]
)
NORMAL = settings(max_examples=400, deadline=None, database=None)
FRAMES = ["{}", "x {} y", "- {}", "## {}", "| a |\n|---|\n| {} |", "**{}**"]


def said(text: str) -> str:
    """What a reader sees of it."""
    tokens = list(inline(COMMONMARK.parse(text)))
    allowed = {"text", "code_inline", "inline", "softbreak"}
    assert all(token.type in allowed or "_open" in token.type or "_close" in token.type for token in tokens), text
    assert not [token for token in tokens if token.type in {"link_open", "em_open", "s_open"}], text
    return "".join(token.content for token in tokens if token.type in {"text", "code_inline"})


@NORMAL
@given(given_text=ACTIVE, frame=st.sampled_from(FRAMES))
def test_text_stands_for_itself_wherever_it_is_put(given_text: str, frame: str) -> None:
    from twoagent_hook import visible

    shape = [token.type for token in COMMONMARK.parse(frame.format("word"))]
    wanted = visible.line(" ".join(given_text.split()))
    if not wanted:
        return
    made = frame.format(markdown.text(given_text))
    assert [token.type for token in COMMONMARK.parse(made)] == shape, made
    assert said(made) == said(frame.format("word")).replace("word", wanted), made


@pytest.mark.parametrize(
    "given_text", ["@everyone", "a@b.example", "#12", "GH-12", ":tada:", ":100:", "org/repo#1", "@#12"]
)
def test_what_is_acted_on_after_markdown_stands_in_code(given_text: str) -> None:
    texts = [token.content for token in inline(COMMONMARK.parse(markdown.text(given_text))) if token.type == "text"]
    assert not [text for text in texts if re.search(r"@|#\w|GH-\d|:[\w+-]+:", text)]


@pytest.mark.parametrize("given_text", ["http://evil.example", "https://x.y", "www.evil.example", "WWW.evil.example"])
def test_a_bare_address_is_broken(given_text: str) -> None:
    made = markdown.text(given_text)
    assert not re.search(r"(?i)https?://|www\.", made)
    assert said(made) == given_text


def test_times_and_names_stay_readable() -> None:
    assert markdown.text("2026-07-01 10:00:00 test (app.py), née") == "2026-07-01 10:00:00 test (app.py), née"


@NORMAL
@given(given_text=ACTIVE)
def test_code_and_blocks_cant_be_left(given_text: str) -> None:
    from twoagent_hook import visible

    (token,) = COMMONMARK.parse(markdown.block(given_text))
    assert (token.type, token.info) == ("fence", "text")
    assert token.content.strip("\n") == visible.block(given_text).strip("\n")
    made = markdown.code(given_text)
    if made:
        assert said(f"x {made} y") == f"x {visible.line(' '.join(given_text.split()))} y"


def test_trees_that_are_none_are_not_looked_for() -> None:
    rows = [Entry("gate", "approve", tree=tree) for tree in ("a" * 40, "--all", "A" * 40, "b" * 64, "c" * 41, None)]
    assert trails.trees([*rows, Entry("reviewer", "approve", tree="d" * 40)]) == {"a" * 40, "b" * 64}
