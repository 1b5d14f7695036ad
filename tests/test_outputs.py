"""What is printed: golden files of the panel and the line, widths, colours, and hostile text in every field."""

import json
import re
from dataclasses import replace

import pytest
from support import golden

from twoagent_hook.author import Author, Candidate
from twoagent_hook.backends.base import Identity, Usage
from twoagent_hook.exits import ExitCode, Failure, Outcome
from twoagent_hook.findings import Effect, Finding, Severity, Source
from twoagent_hook.intent import Intent
from twoagent_hook.outputs import json as json_output
from twoagent_hook.outputs import payload, text
from twoagent_hook.plans import Criterion, Plan
from twoagent_hook.policy import Coverage, Decision
from twoagent_hook.reviews import Review
from twoagent_hook.screening import Reason, Withheld
from twoagent_hook.tasks import Task
from twoagent_hook.verdicts import Judged, Verdict

REVIEWER = Identity("openai:gpt-5.5", "openai", "gpt-5.5", "https://api.openai.com", frozenset({"openai"}))
AUTHOR = Author((Candidate("claude-code", None, frozenset({"anthropic"}), "CLAUDECODE"),))
GRAVE = Finding(
    Source.MODEL,
    "security",
    "SQL injection: the customer's name is pasted into the query that is sent to the database",
    "src/orders.py",
    13,
    14,
    severity=Severity.CRITICAL,
    certainty="proven",
    quote="execute(f'…')",
    trigger="a customer called x' OR '1'='1",
    consequence="every order of every customer is returned, and the table can be changed",
    fix="pass the name as a parameter",
    reviewer="openai:gpt-5.5",
)
MILD = Finding(
    Source.MODEL,
    "missing_test",
    "no test",
    "src/orders.py",
    20,
    20,
    severity=Severity.LOW,
    certainty="likely",
    fix="add one",
)
LOST = Finding(
    Source.MODEL,
    "correctness",
    "in a file that is not there",
    "ghost.py",
    1,
    1,
    severity=Severity.HIGH,
    grounded=False,
)
RULE = Finding(
    Source.RULE, "secret", "what looks like a secret (aws-access-key) is added", "a.py", 3, 3, effect=Effect.BLOCK,
    quote='KEY = "⟦secret:aws-access-key#1⟧"', fix="take it out of the change, and revoke it if it was ever real",
)  # fmt: skip


def reviewed(verdict: Verdict, *findings: Finding, stated: Verdict | None = None) -> Review:
    return Review(
        REVIEWER, ("gpt-5.5-2026-04-01",), stated or verdict, verdict, "Adds a lookup of orders.", findings,
        ("python -m pytest",), ("Is the name trusted?",), Usage(5000, 200, 1000), 8.2, 1, "json_schema",
    )  # fmt: skip


OUTSIDE = Finding(
    Source.RULE, "out-of-scope", "the change edits this file, and the plan does not name it", "setup.py",
    effect=Effect.REQUEST_CHANGES, fix="leave it out of this change, or have the owner add it to the plan",
)  # fmt: skip
JUDGED = (Judged("AC1", "met", "line 12 returns None"), Judged("AC2", "not_met", "no test is added"))
PLAN = Plan(
    Task("mean-1", "Guard the mean", "mean([]) fails"),
    criteria=(
        Criterion("AC1", "mean([]) is None"),
        Criterion("AC2", "a test shows it"),
        Criterion("AC3", "it is fast"),
    ),
)
INTENT = Intent(PLAN, "log", "log", "tasks/mean/plan.md", "d" * 64)
CLAIMS = [
    {"text": "`pytest -q`: 12 passed", "source": "artifact_notes.md", "status": "contradicted", "by": ["E1"]},
    {"text": "all tests pass", "source": "the plan", "status": "unverified", "by": []},
    {"text": "`ruff check`: ok", "source": "artifact_notes.md", "status": "confirmed", "by": ["E2"]},
]
COVERAGE = Coverage(4, 3, (Withheld("poetry.lock", Reason.LOCK),))


def decision(outcome: Outcome, code: ExitCode, **values: object) -> Decision:
    return Decision(
        outcome, code, tree="a" * 40, base="b" * 40, author=AUTHOR, coverage=COVERAGE, numbers=(42, 7), **values
    )  # type: ignore[arg-type]


DECISIONS = {
    "approve": decision(Outcome.APPROVE, ExitCode.OPEN, reviews=(reviewed(Verdict.APPROVE),)),
    "approve-with-findings": decision(Outcome.APPROVE, ExitCode.OPEN, reviews=(reviewed(Verdict.APPROVE, MILD),), findings=(MILD,)),
    "request-changes": decision(
        Outcome.REQUEST_CHANGES, ExitCode.OPEN, findings=(GRAVE, MILD),
        reviews=(reviewed(Verdict.REQUEST_CHANGES, GRAVE, MILD, stated=Verdict.APPROVE),),
        reasons=("openai:gpt-5.5 said approve beside a finding of high or critical severity",),
    ),
    "block": decision(
        Outcome.BLOCK, ExitCode.CLOSED, reviews=(reviewed(Verdict.BLOCK, GRAVE, MILD, LOST),), findings=(GRAVE, MILD, LOST),
        reasons=("openai:gpt-5.5 said block",), notices=("policy: new in this change",),
    ),
    "rule": decision(Outcome.BLOCK, ExitCode.CLOSED, findings=(RULE,), reasons=("rule secret: block", "nothing was sent")),
    "unreviewed": decision(
        Outcome.UNREVIEWED, ExitCode.NO_VERDICT,
        problem=Failure(Outcome.UNREVIEWED, "openai:gpt-5.5 at https://api.openai.com can't be reached", "check the network"),
    ),
    "unreviewed-allowed": decision(
        Outcome.UNREVIEWED, ExitCode.OPEN, problem=Failure(Outcome.UNREVIEWED, "no reviewer is usable", "set OPENAI_API_KEY")
    ),
    "held": decision(
        Outcome.REQUEST_CHANGES, ExitCode.OPEN, reviews=(replace(reviewed(Verdict.APPROVE), criteria=JUDGED),), intent=INTENT,
        findings=(OUTSIDE,), reasons=("rule out-of-scope: request-changes",),
    ),
    "held-approve": decision(
        Outcome.APPROVE, ExitCode.OPEN, reviews=(replace(reviewed(Verdict.APPROVE), criteria=JUDGED),), intent=INTENT
    ),
    "skipped": Decision(Outcome.SKIPPED, ExitCode.OPEN, reasons=("nothing is staged: no review was made",)),
}  # fmt: skip
HUMAN = text.Reader(hook=True, framework=True)


@pytest.mark.parametrize("name", DECISIONS)
def test_the_text_is_as_reviewed(name: str, request: pytest.FixtureRequest) -> None:
    made = payload.of(DECISIONS[name], task_id="T-1", log_id=41)
    made["claims"] = CLAIMS if name.startswith("held") else []
    golden.check(f"outputs/{name}.txt", text.render(made, HUMAN), request)


def test_the_json_is_as_reviewed(request: pytest.FixtureRequest) -> None:
    made = json.loads(json_output.render(payload.of(DECISIONS["block"], task_id="T-1", log_id=41)))
    golden.check("outputs/block.json", json.dumps(made, indent=1, ensure_ascii=False) + "\n", request)


KEYS = {
    "version", "outcome", "exit_code", "problem", "tree", "base", "task_id", "author", "reviews", "findings",
    "verification_commands", "questions", "coverage", "reasons", "notices", "recorded", "tokens_today", "log_id",
    "plan", "criteria", "claims",
}  # fmt: skip


@pytest.mark.parametrize("name", DECISIONS)
def test_the_json_has_every_field_of_version_1(name: str) -> None:
    made = payload.of(DECISIONS[name])
    assert set(made) == KEYS
    assert set(made["author"]) == {"agent", "model", "family", "source"}
    for review in made["reviews"]:
        assert {
            "provider",
            "model",
            "origin",
            "verdict",
            "summary",
            "latency_sec",
            "prompt_tokens",
            "output_tokens",
            "cached",
        } <= set(review)
    for finding in made["findings"]:
        assert {
            "id",
            "source",
            "reviewer",
            "rule",
            "effect",
            "title",
            "severity",
            "file",
            "grounded",
            "confirmation",
            "answer",
        } <= set(finding)


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", DECISIONS)
def test_no_line_of_a_panel_is_wider_than_asked_for(name: str, width: int) -> None:
    if name in {"approve", "held-approve", "skipped"}:
        pytest.skip("one line, which a terminal may wrap")
    shown = text.render(payload.of(DECISIONS[name], log_id=41), HUMAN._replace(width=width))
    box = [line for line in shown.splitlines() if line[0] in "╭│╰"]
    assert {len(line) for line in box} == {width}
    # Below the box stand sentences and commands, which are never folded: they can be copied.
    assert all(len(line) <= 80 for line in shown.splitlines()[len(box) :])


def test_an_approval_is_one_line_of_text_without_escapes() -> None:
    shown = text.render(payload.of(DECISIONS["approve"], log_id=41), HUMAN)
    first, *rest = shown.splitlines()
    assert (
        first
        == "approve  gpt-5.5-2026-04-01 (openai) on claude-code's change · 4 files +42 −7 · 8 s · 5.2k tokens · #41"
    )
    assert rest == ["  not shown to the reviewer: poetry.lock (lock file)"]


def test_colour_adds_only_colour() -> None:
    for name, made in DECISIONS.items():
        plain = text.render(payload.of(made, log_id=1), HUMAN)
        coloured = text.render(payload.of(made, log_id=1), HUMAN._replace(colour=True))
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain, name
        assert "\x1b" in coloured


def test_plain_characters_where_the_encoding_has_no_boxes() -> None:
    shown = text.render(payload.of(DECISIONS["block"], log_id=1), HUMAN._replace(encoding="ascii"))
    assert "+-" in shown
    assert not set("╭│╯─") & set(shown)


@pytest.mark.parametrize("name", ["block", "rule", "unreviewed"])
def test_an_agent_is_told_to_ask_its_user_and_not_how_to_pass_by(name: str) -> None:
    made = payload.of(DECISIONS[name], log_id=41)
    for_human, for_agent = text.render(made, HUMAN), text.render(made, HUMAN._replace(agent=True))
    assert "--no-verify" in for_human
    assert "SKIP=twoagent-hook" in for_human
    assert "no-verify" not in for_agent
    assert "SKIP" not in for_agent
    assert "Ask your user: review #41" in for_agent


def test_outside_a_framework_its_variable_is_not_named() -> None:
    shown = text.render(payload.of(DECISIONS["block"], log_id=41), HUMAN._replace(framework=False))
    assert "SKIP=" not in shown
    assert "--no-verify" in shown


HOSTILE = (
    "\x1b[31mred\x1b]52;c;AAAA\x07 [link=http://evil]x[/link] [/x] \x9b1m \u202e :smile: \r\nnext https://evil.example"
)


def hostile() -> Decision:
    finding = Finding(
        Source.MODEL, "security", HOSTILE, HOSTILE, 1, 1, severity=Severity.CRITICAL, quote=HOSTILE, trigger=HOSTILE,
        consequence=HOSTILE, fix=HOSTILE, reviewer=HOSTILE,
    )  # fmt: skip
    review = Review(
        REVIEWER,
        (HOSTILE,),
        Verdict.BLOCK,
        Verdict.BLOCK,
        HOSTILE,
        (finding,),
        (HOSTILE,),
        (HOSTILE,),
        Usage(),
        1,
        1,
        "text",
    )
    author = Author((Candidate(HOSTILE, HOSTILE, frozenset(), "AI_AGENT"),))
    coverage = Coverage(1, 0, (Withheld(HOSTILE, Reason.BINARY),))
    return Decision(
        Outcome.BLOCK, ExitCode.CLOSED, tree="a" * 40, base="b" * 40, author=author, reviews=(review,), findings=(finding,),
        coverage=coverage, reasons=(HOSTILE,), notices=(HOSTILE,),
    )  # fmt: skip


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
def test_hostile_text_reaches_the_terminal_as_text_only(colour: bool) -> None:
    shown = text.render(payload.of(hostile(), log_id=1), HUMAN._replace(colour=colour))
    without_ours = re.sub(r"\x1b\[[0-9;]*m", "", shown) if colour else shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", without_ours)
    assert "[link=http://evil]" in without_ours.replace("\n", "")
    assert ":smile:" in without_ours
    assert "]8;" not in shown


def test_hostile_text_is_visible_in_the_json_as_well() -> None:
    made = payload.of(hostile())
    texts = (
        [made["findings"][0][key] for key in ("title", "file", "quote", "fix")] + made["reasons"] + made["questions"]
    )
    assert not any(re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", found) for found in texts)
    assert "\n" not in made["findings"][0]["file"]


@pytest.mark.parametrize(
    ("choice", "variables", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_is_chosen_as_people_expect(
    choice: str, variables: dict[str, str], terminal: bool, wanted: bool
) -> None:
    assert text.wants_colour(choice, variables, terminal=terminal) is wanted
