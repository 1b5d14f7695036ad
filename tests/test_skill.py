"""The skill: in the open form, with commands that exist, links that lead somewhere, and no way round the gate."""

import argparse
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.repo import Repo, assert_commit_allowed
from support.server import Server, approves, blocks

from twoagent_hook import exits, plans
from twoagent_hook.exits import Outcome
from twoagent_hook.parser import parser
from twoagent_hook.tasks import Task

ROOT = Path(__file__).resolve().parent.parent
SKILL = ROOT / "skills" / "twoagent-workflow"
FILES = sorted(SKILL.rglob("*.md"))
IDS = [str(path.relative_to(SKILL)) for path in FILES]
FRONT, BODY = (SKILL / "SKILL.md").read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)


def tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


# --- the open form (agentskills.io) ---------------------------------------------------------------------------


def test_the_front_matter_is_as_the_form_has_it() -> None:
    front = yaml.safe_load(FRONT)
    assert set(front) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert all(isinstance(value, str) for value in front.values())
    assert front["name"] == SKILL.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 100 < len(front["description"]) <= 1024
    assert len(front["compatibility"]) <= 500
    assert front["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_description_says_what_and_when() -> None:
    description = yaml.safe_load(FRONT)["description"]
    assert "Use it when" in description
    assert "<" not in description
    for word in ("review", "commit", "plan", "pull request", "twoagent-hook"):
        assert word in description


def test_the_body_is_short_and_the_rest_lies_beside_it() -> None:
    assert len(BODY.splitlines()) < 500
    assert len(BODY) < 20_000  # about 5,000 tokens
    assert {path.parent.name for path in FILES} == {SKILL.name, "references"}


# --- links ------------------------------------------------------------------------------------------------------


def links(path: Path) -> list[str]:
    return [
        str(token.attrs["href"]) for token in tokens(path.read_text(encoding="utf-8")) if token.type == "link_open"
    ]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_link_leads_to_a_file_of_the_skill(path: Path) -> None:
    for link in links(path):
        target = os.path.realpath(path.parent / link)
        assert os.path.isfile(target), link
        assert target.startswith(f"{SKILL}{os.sep}"), link


def test_every_reference_is_linked_from_the_skill_itself() -> None:
    linked = {os.path.realpath(SKILL / link) for link in links(SKILL / "SKILL.md")}
    assert linked == {str(path) for path in FILES if path.name != "SKILL.md"}


# --- commands ---------------------------------------------------------------------------------------------------


def commands(text: str) -> list[str]:
    """Every command of ours in code, in a line or in a block."""
    found = [token.content for token in tokens(text) if token.type == "code_inline"]
    for token in tokens(text):
        if token.type == "fence":
            found += token.content.splitlines()
    return [line for line in found if line.startswith("twoagent-hook ")]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_command_exists_with_its_flags(path: Path) -> None:
    found = commands(path.read_text(encoding="utf-8"))
    assert found
    for line in found:
        parser().parse_args(shlex.split(line)[1:])  # it raises for what does not exist


def flags(of: argparse.ArgumentParser) -> set[str]:
    """Those of a command, and of the commands below it."""
    found = {flag for action in of._actions for flag in action.option_strings}
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = found.union(*(flags(below) for below in action.choices.values()))
    return found


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_every_flag_that_is_named_belongs_to_a_command(path: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text(encoding="utf-8")))
    assert named <= flags(parser()) | {"--cached"}  # the last one is git's


def test_the_whole_workflow_is_taught() -> None:
    taught = {shlex.split(line)[1] for path in FILES for line in commands(path.read_text(encoding="utf-8"))}
    assert {"packets", "plan", "review", "verify", "log", "doctor"} <= taught


def steps() -> list[list[str]]:
    """The words of the review by hand, and of the commit after it, as the skill has them."""
    block = next(token.content for token in tokens(BODY) if token.type == "fence" and "git commit" in token.content)
    return [shlex.split(line.replace("ID", "T-1").replace("FOLDER", "task")) for line in block.splitlines()]


PLAN = plans.Plan(
    Task.of("Mean of nothing", "The mean of no values is refused.", "T-1"),
    scope=("refuse it",),
    files=(plans.ExpectedFile("app.py", "the function"),),
    criteria=(plans.Criterion("AC1", "mean([]) raises"),),
    rollback=("revert the commit",),
    commands=("python -m pytest",),
)


def test_the_commit_takes_the_verdict_of_the_review_by_hand(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    server = serve(approves(), blocks())
    configure(server)
    changed.write("task/plan.md", plans.render(PLAN))
    changed.write("task/artifact_notes.md", "# Artifact notes\n\n## Tests run\n\n- none\n")
    assert changed.call("plan", "--use", "task/plan.md").code == 0
    changed.install_plain_hook()
    review, (variable, *commit) = steps()
    result = changed.call(*review[1:])
    assert result.code == 0, result
    assert (changed.root / "task" / "plan.md").exists()
    assert commit[:2] == ["git", "commit"]
    assert_commit_allowed(changed, **dict([variable.split("=")]))
    assert len(server.requests) == 1


# --- what it says about outcomes ----------------------------------------------------------------------------------


def outcomes() -> dict[str, set[int]]:
    rows = re.findall(r"^\| ([0-9 or]+) \| `(\w+)` \|", BODY, re.MULTILINE)
    return {outcome: {int(code) for code in codes.split(" or ")} for codes, outcome in rows}


def test_every_outcome_is_explained() -> None:
    assert set(outcomes()) == {outcome.value for outcome in Outcome}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_exit_code_is_right(outcome: Outcome) -> None:
    possible = {
        int(exits.exit_code(outcome, fail_on=fail_on, on_error=on_error))
        for fail_on in ("block", "request-changes")
        for on_error in ("block", "allow")
    }
    assert outcomes()[outcome.value] == possible


# --- what it does not teach ---------------------------------------------------------------------------------------

WAYS_ROUND = re.compile(
    r"no-verify|commit -n\b|SKIP=|hooks-?path|exit-zero|on-error|TWOAGENT_(?!TASK=)|--isolated|--no-cache|core\.|\[\[dismiss"
    r"|uninstall|chmod|--fail-on|--author",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_way_round_the_gate_is_taught(path: Path) -> None:
    assert not WAYS_ROUND.findall(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("word", ["git commit --no-verify", "SKIP=twoagent-hook", "git -c core.hooksPath=x commit"])
def test_a_way_round_would_be_seen(word: str) -> None:
    assert WAYS_ROUND.search(word)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_it_is_plain_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not re.search(r"[ \t]\n|\t|\r|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", text)
    assert not {token.type for token in tokens(text)} & {"html_block", "html_inline", "image"}


def test_the_skill_asks_the_human() -> None:
    for sentence in ("No verdict is no approval", "Wait for", "ask the user", "theirs alone"):
        assert sentence in BODY
