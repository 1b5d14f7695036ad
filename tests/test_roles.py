"""[roles]: who plans, implements, reviews and verifies, and that no model reviews its own work."""

from collections.abc import Callable
from typing import Any

import pytest
from support.repo import Repo
from support.server import Server, approves

Serve = Callable[..., Server]


def roles(**named: str) -> str:
    return "[roles]\n" + "".join(f'{name} = "{spec}"\n' for name, spec in named.items())


def configured(repo: Repo, serve: Serve, configure: Any, policy: str = "", user: str = "") -> Server:
    server = serve(approves())
    configure(server)
    path = configure(server, user) if user else configure(server)
    if 'reviewer = "' in policy + user and "reviewers" not in policy + user:
        path.write_text(path.read_text().replace('reviewers = ["loop:gpt-5.5"]', ""))
    if policy:
        repo.stage(".twoagent-hook.toml", policy)
        repo.git("commit", "--quiet", "--no-verify", "--message", "policy", "--only", ".twoagent-hook.toml")
    return server


def test_the_reviewer_of_the_roles_reviews(changed: Repo, serve: Serve, configure: Any) -> None:
    server = configured(changed, serve, configure, roles(reviewer="loop:gpt-5.5"))
    assert changed.review()["outcome"] == "approve"
    assert len(server.requests) == 1


def test_it_comes_first_among_those_that_are_accepted(changed: Repo, serve: Serve, configure: Any) -> None:
    policy = 'reviewers = ["loop:first", "loop:gpt-5.5"]\n' + roles(reviewer="loop:gpt-5.5")
    server = configured(changed, serve, configure, policy)
    assert changed.review()["outcome"] == "approve"
    assert server.requests[0].body["model"] == "gpt-5.5"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            'reviewers = ["loop:first"]\n' + roles(reviewer="loop:gpt-5.5"),
            "the reviewer of [roles], loop:gpt-5.5, is none of the reviewers that are accepted",
        ),
        (
            roles(reviewer="loop:gpt-5.5", implementer="openai:gpt-5.5-2026-04-01"),
            "[roles] names loop:gpt-5.5 as reviewer and as implementer",
        ),
        (roles(reviewer="loop:gpt-5.5", implementer="loop:gpt-5.5"), "and no model reviews its own work"),
    ],
)
def test_a_table_that_cant_be_followed(changed: Repo, serve: Serve, configure: Any, policy: str, said: str) -> None:
    server = configured(changed, serve, configure, policy)
    payload = changed.review()
    assert payload["outcome"] == "error"
    assert said in payload["problem"]["what"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("implementer", "more", "outcome"),
    [
        ("openai:gpt-5.5", "", "refused"),
        ("anthropic:claude-opus-4-8", "", "approve"),
        ("openai:gpt-4.1", "", "approve"),
        ("openai:gpt-4.1", 'independence = "family"\n', "refused"),
        ("codex-cli", "", "refused"),  # its own model, which nobody knows, of the reviewer's family
        ("claude-code", "", "approve"),
    ],
)
def test_the_reviewer_differs_from_the_implementer(
    changed: Repo, serve: Serve, configure: Any, implementer: str, more: str, outcome: str
) -> None:
    server = configured(changed, serve, configure, more + roles(implementer=implementer))
    payload = changed.review()
    assert payload["outcome"] == outcome
    assert "`implementer` of [roles]" in payload["author"]["source"]
    assert len(server.requests) == (outcome == "approve")


def test_the_implementer_is_one_candidate_among_others(changed: Repo, serve: Serve, configure: Any) -> None:
    configured(changed, serve, configure, roles(implementer="anthropic:claude-opus-4-8"))
    assert changed.review("--author", "gpt-5.5")["outcome"] == "refused"
    assert changed.review(CLAUDECODE="1")["author"]["model"] == "claude-opus-4-8"


def test_the_policys_roles_come_before_the_users(changed: Repo, serve: Serve, configure: Any) -> None:
    user = roles(planner="loop:mine", verifier="loop:mine")
    configured(changed, serve, configure, roles(planner="loop:theirs"), user)
    found = {row["key"]: row["value"] for row in changed.call("doctor", "--output-format", "json").json["settings"]}
    assert found["roles"] == {"planner": "loop:theirs", "verifier": "loop:mine"}


def test_no_implementer_takes_another_one_away(changed: Repo, serve: Serve, configure: Any) -> None:
    policy, user = roles(implementer="anthropic:claude-opus-4-8"), roles(implementer="openai:gpt-5.5")
    server = configured(changed, serve, configure, policy, user)
    assert changed.review()["outcome"] == "refused"
    assert server.requests == []


def test_a_users_own_reviewer_that_is_not_accepted_here_is_passed_over(
    changed: Repo, serve: Serve, configure: Any
) -> None:
    server = configured(changed, serve, configure, 'reviewers = ["loop:gpt-5.5"]\n', roles(reviewer="loop:mine"))
    assert changed.review()["outcome"] == "approve"
    assert server.requests[0].body["model"] == "gpt-5.5"


def test_a_reviewer_of_the_command_line_comes_before_the_role(changed: Repo, serve: Serve, configure: Any) -> None:
    server = configured(changed, serve, configure, roles(reviewer="loop:gpt-5.5"))
    assert changed.review("--reviewer", "loop:other")["outcome"] in {"approve", "invalid"}
    assert server.requests[0].body["model"] == "other"


def test_doctor_says_why_the_reviewer_can_not_review(changed: Repo, serve: Serve, configure: Any) -> None:
    configured(changed, serve, configure, roles(reviewer="nix:foo"))
    found = {row["role"]: row for row in changed.call("doctor", "--output-format", "json").json["roles"]}
    assert found["reviewer"]["who"] == "nix:foo"
    assert "is not set up on this machine" in found["reviewer"]["unusable"]


def test_doctor_sees_that_the_policys_plan_is_missing(changed: Repo, serve: Serve, configure: Any) -> None:
    configured(changed, serve, configure, 'plan = "plan.md"\n')
    found = changed.call("doctor", "--output-format", "json")
    assert found.code == 1
    assert found.json["problem"]["what"] == "the policy names the plan plan.md, and there is no such file"
    assert found.json["roles"] == []


def test_doctor_shows_who_has_which_role(changed: Repo, serve: Serve, configure: Any) -> None:
    policy = roles(planner="corp:big", implementer="anthropic:claude-opus-4-8", verifier="loop:small")
    configured(changed, serve, configure, policy)
    found = {row["role"]: row for row in changed.call("doctor", "--output-format", "json").json["roles"]}
    assert list(found) == ["planner", "implementer", "reviewer", "verifier"]
    assert (found["planner"]["who"], found["planner"]["unusable"]) == (
        "corp:big",
        "`corp` is not set up on this machine",
    )
    assert found["implementer"]["who"] == "anthropic:claude-opus-4-8"
    assert (found["reviewer"]["who"], found["verifier"]["who"]) == ("loop:gpt-5.5", "loop:small")
    shown = changed.call("doctor").out.split("Roles\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[1] for line in shown] == list(found)
    assert shown[0] == "  no   planner      corp:big: `corp` is not set up on this machine"
    assert shown[3] == "  ok   verifier     loop:small"
