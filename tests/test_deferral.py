"""A change may go on and be reviewed later where the policy says so: on the record, and never over a rule or a block."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from support.repo import Repo, assert_commit_allowed, assert_commit_blocked
from support.server import Server, approves, blocks, fails

Serve = Callable[..., Server]
Configure = Callable[..., Path]
LATER = {"TWOAGENT_DEFER": "work in progress"}
AGENT = {"CLAUDECODE": "1"}


@pytest.fixture
def server(serve: Serve, configure: Configure) -> Server:
    found = serve(approves())
    configure(found)
    return found


def with_policy(repo: Repo, text: str) -> Repo:
    """The same change on top of a policy."""
    repo.git("stash", "-q")
    repo.policy(text)
    repo.git("stash", "pop", "-q", "--index")
    return repo


@pytest.mark.parametrize(
    ("policy", "environment", "outcome"),
    [
        ('defer = "anyone"\n', LATER, "deferred"),
        ('defer = "anyone"\n', LATER | AGENT, "deferred"),
        ('defer = "anyone"\n', {}, "approve"),
        ('defer = "human"\n', LATER, "deferred"),
        ('defer = "human"\n', LATER | AGENT, "approve"),
        ('defer = "human"\n', LATER | {"TWOAGENT_AUTHOR": "gpt-4o"}, "approve"),
        ('defer = "off"\n', LATER, "approve"),
        ("timeout = 60\n", LATER, "approve"),
        ('defer-branches = ["main"]\n', {}, "deferred"),
        ('defer-branches = ["wip/*", "ma*"]\n', {}, "deferred"),
        ('defer-branches = ["wip/*"]\n', {}, "approve"),
        ('defer-branches = ["wip/*"]\n', LATER, "approve"),
    ],
)
def test_who_may_defer_is_the_policy_s_to_say(
    changed: Repo, server: Server, policy: str, environment: dict[str, str], outcome: str
) -> None:
    author = () if "TWOAGENT_AUTHOR" in environment or "CLAUDECODE" in environment else ("--author", "human")
    payload = with_policy(changed, policy).review(*author, **environment)
    assert (payload["outcome"], payload["exit_code"]) == (outcome, 0), payload
    assert len(server.requests) == (outcome == "approve")
    assert bool(payload["notices"]) == (outcome == "approve" and bool(environment.get("TWOAGENT_DEFER")))


def test_a_detached_head_is_no_branch(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer-branches = ["*"]\n')
    changed.git("checkout", "-q", "--detach")
    assert changed.review()["outcome"] == "approve"


def test_it_is_on_the_record_with_its_reason(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    changed.install_plain_hook()
    said = assert_commit_allowed(changed, **LATER).err
    assert "DEFERRED, not reviewed" in said
    assert "deferred: work in progress" in said
    assert "1 change is deferred here, and not reviewed since" in said
    (row,) = changed.log()
    assert (row["result"], row["role"]) == ("deferred", "gate")
    assert "work in progress" in str(row["evidence"])


def test_the_panel_counts_what_is_owed(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    for number in range(3):
        changed.stage("app.py", f"x = {number}\n")
        reasons = changed.review(**LATER)["reasons"]
    assert "3 changes are deferred here, and not reviewed since" in reasons
    changed.stage("app.py", "x = 0\n")
    assert changed.review()["outcome"] == "approve"
    changed.stage("app.py", "x = 9\n")
    assert "3 changes are deferred here, and not reviewed since" in changed.review(**LATER)["reasons"]


def test_a_deferred_change_is_reviewed_when_it_is_asked_for(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    assert changed.review(**LATER)["outcome"] == "deferred"
    assert changed.review()["outcome"] == "approve"
    assert len(server.requests) == 1


@pytest.mark.parametrize("policy", ['defer = "anyone"\n', 'defer-branches = ["main"]\n'])
def test_a_rule_still_blocks(changed: Repo, server: Server, policy: str) -> None:
    with_policy(changed, policy + 'protect = ["app.py"]\n')
    payload = changed.review(**LATER)
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)


@pytest.mark.parametrize("policy", ['defer = "anyone"\n', 'defer-branches = ["main"]\n'])
def test_a_block_stands(changed: Repo, server: Server, policy: str) -> None:
    with_policy(changed, policy)
    server.scripts[:] = [blocks()]
    changed.git("checkout", "-q", "-b", "other")
    assert changed.review()["exit_code"] == 1
    changed.git("checkout", "-q", "main")
    changed.install_plain_hook()
    assert_commit_blocked(changed, **LATER)


def test_a_block_of_which_only_the_answer_is_left_stands_too(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    server.scripts[:] = [blocks()]
    assert changed.review()["exit_code"] == 1
    with sqlite3.connect(changed.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        connection.execute("DELETE FROM entries WHERE role = 'gate'")
    assert changed.review(**LATER)["outcome"] == "block"


def test_what_needs_no_reviewer_is_owed_to_nobody(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    changed.git("reset", "-q", "--hard")
    changed.git("mv", "app.py", "other.py")
    assert changed.review(**LATER)["outcome"] == "skipped"


def test_a_change_without_room_can_be_deferred_and_the_message_says_so(
    changed: Repo, server: Server, configure: Configure
) -> None:
    configure(server, "max-input-tokens = 9500\nmax-requests = 1\n")
    with_policy(changed, 'defer = "anyone"\n')
    changed.stage("big.py", "".join(f"value_{number} = 'aaaaaaaaaaaaaaaaa'\n" for number in range(3000)))
    payload = changed.review()
    assert payload["exit_code"] == 1
    (found,) = payload["findings"]
    assert 'TWOAGENT_DEFER="why" git commit' in found["fix"]
    assert changed.review(**LATER)["outcome"] == "deferred"


@pytest.mark.parametrize("policy", ['defer = "human"\n', 'defer = "off"\n'])
def test_an_agent_is_not_told_of_what_it_may_not_do(
    changed: Repo, server: Server, configure: Configure, policy: str
) -> None:
    configure(server, "max-input-tokens = 9500\nmax-requests = 1\n")
    with_policy(changed, policy)
    changed.stage("big.py", "".join(f"value_{number} = 'aaaaaaaaaaaaaaaaa'\n" for number in range(3000)))
    assert "TWOAGENT_DEFER" not in str(changed.review(**AGENT)["findings"])


def test_offline_it_is_on_error_that_defers(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(fails(503)), 'on-error = "defer"\ntimeout = 4\n')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("deferred", 0)
    assert "1 change is deferred here, and not reviewed since" in payload["reasons"]


def test_a_failure_pays_no_debt(changed: Repo, server: Server) -> None:
    with_policy(changed, 'defer = "anyone"\n')
    changed.review(**LATER)
    server.scripts[:] = [fails(401)]
    assert changed.review()["outcome"] == "unreviewed"
    changed.stage("app.py", "x = 3\n")
    assert "2 changes are deferred here, and not reviewed since" in changed.review(**LATER)["reasons"]


def test_what_was_said_of_a_wish_is_not_said_without_one(changed: Repo, server: Server) -> None:
    assert changed.review(**LATER)["notices"] != []
    again = changed.review()
    assert (again["recorded"] is not None, again["notices"]) == (True, [])


@pytest.mark.parametrize("key", ['defer = "anyone"', 'defer-branches = ["*"]'])
def test_it_is_not_the_user_s_own_to_say(changed: Repo, server: Server, configure: Configure, key: str) -> None:
    configure(server, f"{key}\n")
    payload = changed.review(**LATER)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2)
    assert "belongs to the repository's policy" in payload["problem"]["what"]
