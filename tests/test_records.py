"""A change that was judged is not judged again: the verdict on record stands, and nothing makes another of it."""

import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.frameworks import FRAMEWORKS, Framework
from support.repo import Repo, assert_commit_allowed, assert_commit_blocked
from support.server import Server, approves, blocks, fails, finding, says

from twoagent_hook import records
from twoagent_hook.seals import Seal, load
from twoagent_hook.trajectory import Entry, Log

Serve = Callable[..., Server]
Configure = Callable[..., Path]


@pytest.fixture
def server(serve: Serve, configure: Configure) -> Server:
    """A reviewer who approves what it is asked about first, and blocks all else."""
    found = serve(approves(), blocks())
    configure(found)
    return found


def asks(server: Server) -> int:
    return len(server.requests)


def rows(repo: Repo) -> list[Entry]:
    return Log(str(repo.root / ".git" / "twoagent-hook")).read()


def state(repo: Repo) -> Path:
    return Path(repo.environment["XDG_STATE_HOME"]) / "twoagent-hook"


# --- the same again -----------------------------------------------------------------------------------------------


def test_a_commit_takes_the_verdict_of_a_review_by_hand(changed: Repo, server: Server) -> None:
    assert changed.review()["outcome"] == "approve"
    changed.install_plain_hook()
    said = assert_commit_allowed(changed).err
    assert asks(server) == 1
    assert "on record as #2" in said


@pytest.mark.framework
@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_the_same_under_a_framework(framework: Framework, changed: Repo, server: Server) -> None:
    framework.install(changed)
    assert changed.review()["outcome"] == "approve"
    assert "on record as #2" in assert_commit_allowed(changed).text
    assert asks(server) == 1


def test_it_is_told_that_nobody_was_asked(changed: Repo, server: Server) -> None:
    first = changed.review()
    again = changed.review()
    assert asks(server) == 1
    assert (first["recorded"], again["recorded"]) == (None, first["log_id"])
    assert [review["cached"] for review in again["reviews"]] == [True]
    assert again["log_id"] > first["log_id"]
    changing = {"recorded", "reviews", "log_id", "tokens_today", "task_id"}
    assert {key: first[key] for key in first if key not in changing} == {
        key: again[key] for key in again if key not in changing
    }
    newest = rows(changed)[0]
    assert (newest.role, newest.result, newest.evidence["recorded"]) == ("gate", "approve", first["log_id"])


def test_request_changes_is_kept_with_its_findings(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(says("request_changes", findings=[finding(severity="medium")]), approves())
    configure(server)
    first, again = changed.review(), changed.review()
    assert (first["outcome"], again["outcome"], asks(server)) == ("request_changes", "request_changes", 1)
    assert again["findings"] == first["findings"] != []


def test_a_repeated_verdict_does_not_prolong_itself(changed: Repo, server: Server) -> None:
    changed.review()
    changed.review()
    assert ["record" in entry.evidence for entry in rows(changed) if entry.role == "gate"] == [False, True]


def test_nothing_that_failed_is_kept(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(fails(404), says("nonsense"), says("nonsense"), approves())
    configure(server)
    assert [changed.review()["outcome"] for _ in range(3)] == ["error", "invalid", "approve"]


def test_a_verdict_on_record_needs_no_reviewer(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    changed.review()
    server.close()
    again = changed.review(LOOP_KEY="")
    assert (again["outcome"], again["exit_code"]) == ("approve", 0)


def test_no_client_is_imported_for_it(changed: Repo, server: Server) -> None:
    changed.review()
    code = (
        "import sys; from twoagent_hook import cli; code = cli.main(['review']); print(*sys.modules); sys.exit(code)"
    )
    done = changed.python("-c", code)
    assert done.code == 0, done
    loaded = {name.partition(".")[0] for name in done.out.splitlines()[-1].split()}
    assert not loaded & {"openai", "pydantic", "git", "httpx", "httpx2", "rich", "psutil", "asyncio", "pathspec"}
    assert asks(server) == 1


def test_what_another_hook_leaves_staged_is_another_change(changed: Repo, server: Server) -> None:
    changed.review()
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_going_back_to_what_was_judged_asks_nobody(changed: Repo, server: Server) -> None:
    changed.review()
    judged = changed.read("app.py")
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    changed.stage("app.py", judged)
    assert (changed.review()["outcome"], asks(server)) == ("approve", 1)


def test_what_is_in_the_work_tree_only_changes_nothing(changed: Repo, server: Server) -> None:
    changed.review()
    changed.write("app.py", "import os\n")
    changed.write("new.py", "import os\n")
    assert (changed.review()["outcome"], asks(server)) == ("approve", 1)


# --- a block stands -----------------------------------------------------------------------------------------------


@pytest.fixture
def blocked(changed: Repo, serve: Serve, configure: Configure) -> tuple[Repo, Server]:
    """A repository whose change was blocked; whoever is asked from now on approves."""
    server = serve(blocks(), approves())
    path = configure(server)
    path.write_text(
        path.read_text().replace('["loop:gpt-5.5"]', '["loop:gpt-5.5", "other:mistral-large"]')
        + f'[providers.other]\nbase-url = "{server.url}"\napi-key-env = "LOOP_KEY"\n'
    )
    assert changed.review()["outcome"] == "block"
    return changed, server


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--reviewer", "other:mistral-large"),
        ("--no-cache",),
        ("--no-cache", "--reviewer", "other:mistral-large"),
        ("--author", "human"),
        ("--author", "claude-opus-4-8"),
        ("--fail-on", "request-changes"),
        ("--timeout", "300"),
        ("--isolated",),
        ("--isolated", "--reviewer", "rules"),
        ("--task", "t-1"),
    ],
)
def test_a_block_stands_for_every_reviewer_and_flag(blocked: tuple[Repo, Server], arguments: tuple[str, ...]) -> None:
    repo, server = blocked
    payload = repo.review(*arguments)
    assert (payload["outcome"], payload["exit_code"], asks(server)) == ("block", 1, 1)


@pytest.mark.parametrize(
    "variables", [{"TWOAGENT_AUTHOR": "x"}, {"TWOAGENT_PREFER": "other"}, {"CI": "true"}, {"CLAUDECODE": "1"}]
)
def test_a_block_stands_whatever_the_environment_says(blocked: tuple[Repo, Server], variables: dict[str, str]) -> None:
    repo, server = blocked
    repo.install_plain_hook()
    assert_commit_blocked(repo, **variables)
    assert asks(server) == 1


def test_a_block_stands_under_another_file_of_the_user_s(blocked: tuple[Repo, Server], configure: Configure) -> None:
    repo, server = blocked
    configure(server, 'prompt = "seed"\nfail-on = "block"\non-error = "allow"\n', reviewer="loop:mistral-large")
    assert (repo.review()["outcome"], asks(server)) == ("block", 1)


def test_exit_zero_opens_nothing_for_later(blocked: tuple[Repo, Server]) -> None:
    repo, server = blocked
    assert repo.review("--exit-zero")["exit_code"] == 0
    repo.install_plain_hook()
    assert_commit_blocked(repo)
    assert asks(server) == 1


def test_a_block_by_exit_zero_stands_as_well(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks(), approves()))
    assert changed.review("--exit-zero")["exit_code"] == 0
    assert changed.review()["exit_code"] == 1


def test_a_block_is_over_where_the_change_is_another(blocked: tuple[Repo, Server]) -> None:
    repo, _ = blocked
    repo.stage("app.py", "def mean(values):\n    return 1\n")
    assert repo.review()["outcome"] == "approve"


def test_a_rule_that_the_owner_takes_back_blocks_no_more(changed: Repo, serve: Serve, configure: Configure) -> None:
    """Rules are looked at anew each time: only what a model said is kept."""
    server = serve(approves())
    configure(server)
    changed.git("stash", "-q")
    changed.policy('protect = ["app.py"]\n')
    changed.git("stash", "pop", "-q", "--index")
    first = changed.review()
    assert (first["outcome"], asks(server)) == ("block", 0)
    (found,) = first["findings"]
    configure(server, f'dismiss = [{{id = "{found["id"]}", reason = "it is mine"}}]\n')
    assert (changed.review()["outcome"], asks(server)) == ("approve", 1)


def test_a_block_needs_no_seal(blocked: tuple[Repo, Server], tmp_path: Path) -> None:
    """Else one variable, or a lost key, would be enough to ask again; a planted one can only close the gate."""
    repo, server = blocked
    repo.install_plain_hook()
    assert_commit_blocked(repo, XDG_STATE_HOME=str(tmp_path / "other"))
    (state(repo) / "seal.key").unlink()
    assert_commit_blocked(repo)
    assert asks(server) == 1


def test_a_block_stands_whatever_is_merged(blocked: tuple[Repo, Server]) -> None:
    repo, server = blocked
    other = repo.git("commit-tree", "-p", "HEAD", "-m", "x", repo.git("write-tree"))
    for parent in (other, repo.head):
        (repo.root / ".git" / "MERGE_HEAD").write_text(f"{parent}\n")
        assert repo.review()["outcome"] == "block"
    assert asks(server) == 1


@pytest.mark.parametrize("evidence", ["{", "[]", '"x"', '{"record": {}}', '{"seal": "x"}'])
def test_damaged_rows_hide_no_block(blocked: tuple[Repo, Server], evidence: str) -> None:
    repo, server = blocked
    with sqlite3.connect(repo.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        for role in ("gate", "reviewer"):
            connection.execute(
                "INSERT INTO entries (at, role, result, evidence, tree, schema_version) VALUES ('x', ?, 'x', ?, ?, 1)",
                (role, evidence, repo.git("write-tree")),
            )
    assert (repo.review()["outcome"], asks(server)) == ("block", 1)


@pytest.mark.parametrize("part", ["reviews", "findings", "author", "coverage"])
def test_a_planted_block_of_another_shape_closes_the_gate_without_a_crash(
    blocked: tuple[Repo, Server], part: str
) -> None:
    repo, server = blocked
    with sqlite3.connect(repo.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        connection.execute("DELETE FROM entries WHERE role = 'reviewer'")
        (row,) = [entry for entry in rows(repo) if entry.role == "gate"]
        broken = [{"x": 1}] if part in {"reviews", "findings"} else {"x": 1}
        evidence = dict(row.evidence) | {"decision": row.evidence["decision"] | {part: broken}}
        connection.execute("UPDATE entries SET evidence = ?", (json.dumps(evidence),))
    result = repo.call("review")
    assert result.code == 2
    assert "says that this change was blocked, and is damaged" in " ".join(result.text.replace("│", " ").split())
    assert "internal error" not in result.text
    assert asks(server) == 1


def test_a_log_that_can_not_be_read_is_said_to_hide_what_was_blocked(blocked: tuple[Repo, Server]) -> None:
    repo, _ = blocked
    (repo.root / ".git" / "twoagent-hook" / "trajectory.db").write_bytes(b"no database at all" * 100)
    notices = repo.review()["notices"]
    assert any("whether this change was blocked before is not known" in notice for notice in notices)


# --- nothing is rolled again --------------------------------------------------------------------------------------


@pytest.fixture
def closed(changed: Repo, serve: Serve, configure: Configure) -> tuple[Repo, Server]:
    """A repository whose change has to be changed, under a policy that demands it; from now on all is approved."""
    server = serve(says("request_changes", findings=[finding(severity="medium")]), approves())
    configure(server, 'fail-on = "request-changes"\n')
    assert changed.review()["exit_code"] == 1
    return changed, server


@pytest.mark.parametrize("variables", [{"TWOAGENT_AUTHOR": "x"}, {"TWOAGENT_PREFER": "loop"}, {"CLAUDECODE": "1"}])
def test_another_word_about_the_author_is_no_second_try(
    closed: tuple[Repo, Server], variables: dict[str, str]
) -> None:
    repo, server = closed
    repo.install_plain_hook()
    assert_commit_blocked(repo, **variables)
    assert asks(server) == 1


@pytest.mark.parametrize("addition", ["# a word\n", "timeout = 50\n", 'on-error = "allow"\n', "max-requests = 5\n"])
def test_another_line_in_the_user_s_file_is_no_second_try(
    closed: tuple[Repo, Server], configure: Configure, addition: str
) -> None:
    repo, server = closed
    configure(server, f'fail-on = "request-changes"\n{addition}')
    payload = repo.review()
    assert (payload["outcome"], payload["exit_code"], asks(server)) == ("request_changes", 1, 1)


def test_a_fresh_opinion_by_hand_does_not_take_the_worse_one_away(closed: tuple[Repo, Server]) -> None:
    repo, server = closed
    payload = repo.review("--no-cache")
    assert asks(server) == 2
    assert (payload["outcome"], payload["exit_code"]) == ("request_changes", 1)
    assert repo.review()["exit_code"] == 1
    assert asks(server) == 2


def test_a_fresh_opinion_may_be_worse(changed: Repo, server: Server) -> None:
    assert changed.review()["outcome"] == "approve"
    assert changed.review("--no-cache")["outcome"] == "block"
    assert changed.review()["outcome"] == "block"
    assert [entry.evidence["fresh"] for entry in rows(changed) if entry.role == "gate"] == [False, True, False]


def test_a_hook_can_t_be_told_to_ask_again(changed: Repo, server: Server) -> None:
    changed.review()
    changed.install_plain_hook("--no-cache")
    assert "--no-cache" in assert_commit_blocked(changed).err
    assert asks(server) == 1


def test_the_verdict_of_the_second_stands_when_the_first_is_back(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    first, second = serve(fails(503)), serve(approves(model="mistral-large"))
    path = configure(first)
    path.write_text(
        path.read_text().replace('["loop:gpt-5.5"]', '["loop:gpt-5.5", "other:mistral-large"]')
        + f'[providers.other]\nbase-url = "{second.url}"\napi-key-env = "LOOP_KEY"\n'
    )
    assert changed.review()["reviews"][0]["provider"] == "other"
    before = asks(first)
    for variables in ({}, {"TWOAGENT_AUTHOR": "x"}):
        assert changed.review(**variables)["reviews"][0]["provider"] == "other"
    assert (asks(first), asks(second)) == (before, 1)


def test_a_reviewer_that_was_chosen_by_hand_is_one_of_the_policy_s(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    path = configure(server)
    path.write_text(path.read_text().replace('["loop:gpt-5.5"]', '["loop:mistral-large", "loop:gpt-5.5"]'))
    changed.review("--reviewer", "loop:gpt-5.5")
    payload = changed.review()
    assert (payload["reviews"][0]["requested_model"], asks(server)) == ("gpt-5.5", 1)


# --- bound to all that it depends on ------------------------------------------------------------------------------


def test_whoever_is_the_author_now_has_no_say_by_an_old_approval(changed: Repo, server: Server) -> None:
    assert changed.review()["outcome"] == "approve"
    payload = changed.review("--author", "gpt-5.5")
    assert (payload["outcome"], asks(server)) == ("refused", 1)


def test_another_policy_wants_another_verdict(changed: Repo, server: Server) -> None:
    changed.review()
    changed.git("stash", "-q")
    changed.policy('guidelines = ["app.py"]\n')
    changed.git("stash", "pop", "-q", "--index")
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


@pytest.mark.parametrize(
    ("text", "reviewer"),
    [('prompt = "seed"\n', "loop:gpt-5.5"), ("", "loop:mistral-large")],
)
def test_another_prompt_or_reviewer_wants_another_verdict(
    changed: Repo, server: Server, configure: Configure, text: str, reviewer: str
) -> None:
    changed.review()
    server.scripts[:] = [blocks(model=reviewer.partition(":")[2])]
    configure(server, text, reviewer=reviewer)
    assert changed.review()["outcome"] == "block"
    assert asks(server) == 2


@pytest.mark.parametrize(
    ("first", "then", "asked"),
    [("block", "request-changes", 1), ("request-changes", "block", 2), ("block", "block", 1)],
)
def test_a_verdict_holds_under_another_threshold_where_no_less_was_demanded_of_it(
    changed: Repo, serve: Serve, configure: Configure, first: str, then: str, asked: int
) -> None:
    """Under `request-changes` a verdict that closes the gate needs no receipt, and under `block` it opens the gate."""
    server = serve(says("request_changes", findings=[finding(severity="medium")]))
    configure(server, f'fail-on = "{first}"\n')
    changed.review()
    configure(server, f'fail-on = "{then}"\n')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("request_changes", int(then == "request-changes"))
    assert asks(server) == asked


def test_another_origin_wants_another_verdict(
    changed: Repo, server: Server, serve: Serve, configure: Configure
) -> None:
    changed.review()
    other = serve(blocks())
    configure(other)
    assert (changed.review()["outcome"], asks(other)) == ("block", 1)


def test_the_same_tree_on_another_base_wants_another_verdict(changed: Repo, server: Server) -> None:
    changed.review()
    tree = changed.git("write-tree")
    changed.git("commit", "-q", "--no-verify", "-m", "other", "--only", "--allow-empty")
    changed.git("read-tree", "HEAD")
    changed.stage("app.py", "x = 1\n")
    changed.commit_all("another base")
    changed.git("read-tree", tree)
    assert changed.git("write-tree") == tree
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_a_merge_in_progress_wants_another_verdict(changed: Repo, server: Server) -> None:
    changed.review()
    (changed.root / ".git" / "MERGE_HEAD").write_text(changed.git("commit-tree", "-m", "x", "HEAD^{tree}") + "\n")
    changed.review()
    assert asks(server) == 2


def resealed(repo: Repo, change: Callable[[Entry], Entry]) -> None:
    """Each row that can be taken again as it is after the change, sealed with the user's real key."""
    seal = load(str(state(repo)))
    assert seal is not None
    path = repo.root / ".git" / "twoagent-hook" / "trajectory.db"
    with sqlite3.connect(path) as connection:
        for entry in rows(repo):
            if not {"record", "part"} & set(entry.evidence):
                continue
            evidence = records.sealed(change(entry), seal).evidence
            connection.execute("UPDATE entries SET evidence = ? WHERE id = ?", (json.dumps(evidence), entry.id))


def with_values(entry: Entry, **values: Any) -> Entry:
    """The row with other values in what it says of itself."""
    evidence = dict(entry.evidence)
    if "record" in evidence:
        evidence["record"] = evidence["record"] | values
    return replace(entry, evidence=evidence | {key: values[key] for key in values if key in evidence})


def test_resealing_what_is_unchanged_changes_nothing(changed: Repo, server: Server) -> None:
    changed.review()
    resealed(changed, lambda entry: entry)
    assert (changed.review()["recorded"], asks(server)) == (2, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"base": "0" * 40, "part": "0"},
        {"merged": ["0" * 40], "part": "0"},
        {"key": "0" * 64, "part": "0"},
        {"key": None, "part": "0"},
        {"expires": "2020-01-01T00:00:00+00:00"},
        {"expires": "2999-01-01T00:00:00"},
        {"expires": "soon"},
        {"expires": None},
        {"expires": 4102444800},
    ],
)
def test_a_row_that_differs_in_one_thing_is_not_taken(changed: Repo, server: Server, values: dict[str, Any]) -> None:
    changed.review()
    resealed(changed, lambda entry: with_values(entry, **values))
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_a_block_expires_too(blocked: tuple[Repo, Server]) -> None:
    repo, server = blocked
    over = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    resealed(repo, lambda entry: with_values(entry, expires=over))
    assert (repo.review()["outcome"], asks(server)) == ("approve", 2)


@pytest.mark.parametrize("days", [1, 400])
def test_how_long_it_stands_is_the_policy_s_to_say(
    changed: Repo, serve: Serve, configure: Configure, days: int
) -> None:
    configure(serve(approves()), f"record-expiry = {days}\n")
    changed.review()
    (record,) = [entry.evidence["record"] for entry in rows(changed) if "record" in entry.evidence]
    left = datetime.fromisoformat(record["expires"]) - datetime.now(UTC)
    assert timedelta(days=days) - timedelta(minutes=2) < left <= timedelta(days=days)


@pytest.mark.parametrize("days", ["0", "-1", "1.5", '"30"', "true", "100000"])
def test_it_can_t_stand_for_no_time_at_all(changed: Repo, configure: Configure, days: str) -> None:
    configure("http://127.0.0.1:9/v1", f"record-expiry = {days}\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2)
    assert "record-expiry" in payload["problem"]["what"]


LONG = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic."


def test_the_whole_name_of_the_author_counts(changed: Repo, serve: Serve, configure: Configure) -> None:
    """Also where it is longer than what is shown of it."""
    configure(serve(approves(model="claude-opus-4-8")), reviewer="loop:claude-opus-4-8")
    assert changed.review(TWOAGENT_AUTHOR=f"{LONG}claude-sonnet-4-5-20250929-v1:0")["outcome"] == "approve"
    assert changed.review(TWOAGENT_AUTHOR=f"{LONG}claude-opus-4-8-20260101-v1:0")["outcome"] == "refused"


@pytest.mark.parametrize("then", ['headers = {x-route = "weak"}', 'extra-body = {effort = "minimal"}', 'api = "chat"'])
def test_another_way_to_reach_the_reviewer_wants_another_verdict(
    changed: Repo, server: Server, configure: Configure, then: str
) -> None:
    path = configure(server)
    plain = path.read_text()
    path.write_text(f"{plain}{then}\n")
    changed.review()
    path.write_text(plain)
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_another_path_on_the_same_host_wants_another_verdict(
    changed: Repo, server: Server, configure: Configure
) -> None:
    configure(f"{server.origin}/weak/v1")
    changed.review()
    configure(server)
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_another_program_of_the_same_name_wants_another_verdict(
    changed: Repo, configure: Configure, tmp_path: Path
) -> None:
    for name, verdict in (("fake", "approve"), ("real", "block")):
        (tmp_path / name).mkdir()
        said = standin(verdict)
        program = tmp_path / name / "ask"
        program.write_text(f"#!{sys.executable}\n{said}")
        program.chmod(0o755)
    path = configure("http://127.0.0.1:9/v1")
    path.write_text('reviewers = ["house"]\n[providers.house]\ncommand = ["ask"]\nfamily = "mistral"\n')
    usual = changed.environment["PATH"]
    fake, real = (f"{tmp_path / name}:{usual}" for name in ("fake", "real"))
    assert changed.review(PATH=fake)["outcome"] == "approve"
    assert changed.review(PATH=fake)["recorded"] is not None
    assert changed.review(PATH=real)["outcome"] == "block"


def standin(verdict: str) -> str:
    """A program that answers with this verdict and the receipt of what it is given to read."""
    return f"""\
import json, re, sys
text = sys.stdin.read()
found = re.findall(r"^receipt-[ab]: (\\w+)$", text, re.M)
print(json.dumps({{"verdict": "{verdict}", "summary": "", "findings": [], "receipt": "-".join(found)}}))
"""


def test_a_configuration_that_is_no_file_is_read_anew(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(says("request_changes", findings=[finding(severity="medium")]))
    path = configure(server)
    text = path.read_text()
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    outcomes = []
    for more in ("", 'fail-on = "request-changes"\n'):
        writer = threading.Thread(target=pipe.write_text, args=(more + text,))
        writer.start()
        outcomes.append(changed.review("--config", str(pipe))["exit_code"])
        writer.join()
    assert outcomes == [0, 1]


# --- it can't be planted ------------------------------------------------------------------------------------------


def altered(repo: Repo, **columns: Any) -> None:
    """Rows as somebody writes them who does not have the key."""
    with sqlite3.connect(repo.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        for name, value in columns.items():
            connection.execute(f"UPDATE entries SET {name} = ?", (value,))


@pytest.mark.parametrize(
    "columns",
    [{"model": "claude-opus-4-8"}, {"at": "2026-01-01T00:00:00+00:00"}, {"result": "blocked"}, {"author": "x"}],
)
def test_a_row_that_was_altered_is_not_taken(changed: Repo, server: Server, columns: dict[str, Any]) -> None:
    changed.review()
    altered(changed, **columns)
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_a_block_that_is_turned_into_an_approval_is_not_taken(blocked: tuple[Repo, Server]) -> None:
    repo, server = blocked
    for entry in rows(repo):
        text = (
            json.dumps(entry.evidence).replace('"block"', '"approve"').replace('"blocked": true', '"blocked": false')
        )
        with sqlite3.connect(repo.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
            connection.execute("UPDATE entries SET evidence = ? WHERE id = ?", (text, entry.id))
    repo.review()
    assert asks(server) == 2


def test_a_log_that_comes_with_the_repository_says_nothing(changed: Repo, server: Server, tmp_path: Path) -> None:
    """A repository that is unpacked with its `.git` brings whatever log its sender wrote, with the sender's seals."""
    theirs = {"XDG_STATE_HOME": str(tmp_path / "theirs")}
    assert changed.review(**theirs)["outcome"] == "approve"
    assert changed.review(**theirs)["recorded"] is not None
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


@pytest.mark.parametrize("mark", [None, "", "0" * 64, 7, ["x"], "ü"])
def test_a_row_with_another_seal_is_not_taken(changed: Repo, server: Server, mark: Any) -> None:
    changed.review()
    with sqlite3.connect(changed.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        for entry in rows(changed):
            evidence = dict(entry.evidence) | {"seal": mark}
            connection.execute("UPDATE entries SET evidence = ? WHERE id = ?", (json.dumps(evidence), entry.id))
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


def test_the_key_is_made_once_and_private(changed: Repo, server: Server) -> None:
    changed.review()
    path = state(changed) / "seal.key"
    before = path.read_bytes()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    changed.review("--no-cache")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == sorted(os.listdir(path.parent))
    assert not [name for name in os.listdir(path.parent) if name.startswith("tmp")]


def test_a_key_that_others_could_write_is_no_key(changed: Repo, server: Server) -> None:
    changed.review()
    (state(changed) / "seal.key").chmod(0o666)
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 65])
def test_a_key_that_is_none_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seal.key").write_bytes(content)
    assert load(str(tmp_path)) is None
    assert (tmp_path / "seal.key").read_bytes() == content


def test_a_key_behind_a_link_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("0" * 64)
    (tmp_path / "elsewhere").chmod(0o600)
    (tmp_path / "seal.key").symlink_to(tmp_path / "elsewhere")
    assert load(str(tmp_path)) is None


def test_without_a_place_for_the_key_nothing_is_kept_and_nothing_is_lost(
    changed: Repo, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "file")}
    assert changed.review(**elsewhere)["outcome"] == "approve"
    assert (changed.review(**elsewhere)["outcome"], asks(server)) == ("block", 2)


def test_a_seal_knows_its_own_marks_alone() -> None:
    one, other = Seal(b"1" * 64), Seal(b"2" * 64)
    assert one.knows("data", one.mark("data"))
    assert not one.knows("data ", one.mark("data"))
    assert not other.knows("data", one.mark("data"))


# --- parts --------------------------------------------------------------------------------------------------------

LIMITS = "max-input-tokens = 9500\n"


def shown(request: Any) -> str:
    """Which of the modules a request shows."""
    return next(name for name in "abc" if f"=== {name}.py" in request.user)


def test_parts_that_were_answered_are_kept(large: Repo, serve: Serve, configure: Configure) -> None:
    failing = {"b"}
    server = serve(lambda request: (fails(500) if shown(request) in failing else approves())(request))
    configure(server, LIMITS + "timeout = 6\n")
    first = large.review()
    assert (first["outcome"], first["exit_code"]) == ("block", 1)
    (found,) = first["findings"]
    assert found["rule"] == "incomplete-coverage"
    assert "review --timeout 300" in found["fix"]
    assert "kept" in found["fix"]
    server.requests.clear()
    failing.clear()
    again = large.review("--timeout", "300")
    assert (again["outcome"], [shown(request) for request in server.requests]) == ("approve", ["b"])
    large.install_plain_hook()
    assert_commit_allowed(large)
    assert asks(server) == 1


def test_a_part_that_nobody_answered_leaves_no_verdict_to_take(
    large: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(lambda request: (fails(500) if shown(request) == "b" else approves())(request))
    configure(server, LIMITS + "timeout = 4\n")
    assert large.review()["recorded"] is None
    server.requests.clear()
    again = large.review()
    assert (again["outcome"], again["recorded"]) == ("block", None)
    assert {shown(request) for request in server.requests} == {"b"}


def test_a_block_in_a_part_stands_where_the_rest_had_no_answer(
    large: Repo, serve: Serve, configure: Configure
) -> None:
    def script(request: Any) -> Any:
        return {"a": blocks(), "b": fails(500), "c": approves()}[shown(request)](request)

    server = serve(script)
    configure(server, LIMITS + "timeout = 4\n")
    assert large.review()["outcome"] == "block"
    server.requests.clear()
    server.scripts[:] = [approves()]
    assert (large.review()["outcome"], large.review("--no-cache")["outcome"], asks(server)) == ("block", "block", 0)


def test_a_block_of_an_interrupted_review_is_not_lost(large: Repo, serve: Serve, configure: Configure) -> None:
    """Its call is on record, and no decision: what nobody can be asked about any more does not open the gate."""
    server = serve(lambda request: (blocks() if shown(request) == "a" else approves())(request))
    configure(server, LIMITS)
    assert large.review()["outcome"] == "block"
    with sqlite3.connect(large.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        connection.execute("DELETE FROM entries WHERE role = 'gate'")
        connection.execute("DELETE FROM entries WHERE evidence LIKE '%\"c.py\"%' AND evidence LIKE '%approve%'")
    server.close()
    configure(server, LIMITS + 'on-error = "allow"\n')
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)


def test_kept_parts_say_what_they_said(large: Repo, serve: Serve, configure: Configure) -> None:
    said = finding(file="a.py", severity="medium", quote="value_a_3 = 'aaaaaaaaaaaaaaaa'", line_start=4, line_end=4)
    server = serve(
        lambda request: (says("request_changes", findings=[said]) if shown(request) == "a" else approves())(request)
    )
    configure(server, LIMITS)
    first = large.review()
    again = large.review("--author", "claude-opus-4-8")  # another question, to which each part has its answer
    assert asks(server) == 3
    assert again["findings"] == first["findings"] != []
    assert again["reviews"][0]["summary"] == first["reviews"][0]["summary"]
    assert again["reviews"][0]["cached"]


def test_a_reply_of_another_shape_in_the_log_is_left_aside(changed: Repo, server: Server) -> None:
    changed.review()

    def without_verdict(entry: Entry) -> Entry:
        evidence = dict(entry.evidence)
        evidence.pop("record", None)
        if "review" in evidence:
            evidence["review"] = {key: value for key, value in evidence["review"].items() if key != "verdict"}
        return replace(entry, evidence=evidence)

    resealed(changed, without_verdict)
    assert (changed.review()["outcome"], asks(server)) == ("block", 2)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((), ("--author", "gpt-5.5")),
        (("--fail-on", "request-changes"), ()),
        ((), ("--no-cache",)),
        ((), ("--reviewer", "rules")),
    ],
)
def test_the_block_in_a_part_stands_for_whoever_asks(
    large: Repo, serve: Serve, configure: Configure, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    server = serve(lambda request: (blocks() if shown(request) == "a" else approves())(request))
    configure(server, LIMITS)
    assert large.review(*first)["outcome"] == "block"
    with sqlite3.connect(large.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        connection.execute("DELETE FROM entries WHERE role = 'gate'")
    server.requests.clear()
    server.scripts[:] = [approves()]
    configure(server, "max-input-tokens = 12000\n")
    payload = large.review(*then, XDG_STATE_HOME=str(large.root.parent / "another"))
    assert (payload["outcome"], payload["exit_code"], asks(server)) == ("block", 1, 0)


def test_a_part_that_closes_the_gate_is_not_lost_by_one_that_fails(
    large: Repo, serve: Serve, configure: Configure
) -> None:
    large.git("stash", "-q")
    large.policy('fail-on = "request-changes"\non-error = "allow"\nrules = {incomplete-coverage = "note"}\n')
    large.git("stash", "pop", "-q", "--index")
    objects = says("request_changes", findings=[finding(severity="medium")])
    server = serve(lambda request: {"a": objects, "b": fails(401), "c": approves()}[shown(request)](request))
    configure(server, LIMITS + "timeout = 8\n")
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("request_changes", 1)


def test_asking_again_in_vain_is_no_verdict(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves(), fails(401))
    configure(server)
    changed.review()
    payload = changed.review("--no-cache")
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2)
    assert changed.review()["outcome"] == "approve"


# --- dry runs -----------------------------------------------------------------------------------------------------


def test_a_dry_run_says_that_nothing_would_be_sent(changed: Repo, server: Server) -> None:
    changed.review()
    said = changed.call("review", "--dry-run")
    assert "nothing would be sent: the verdict on it is on record (#2: approve)" in said.out
    assert changed.call("review", "--dry-run", "--output-format", "json").json["requests"] == []
    fresh = changed.call("review", "--dry-run", "--no-cache", "--output-format", "json").json
    assert len(fresh["requests"]) == 1
    assert asks(server) == 1


def test_a_dry_run_knows_of_a_block_of_which_only_the_answer_is_left(blocked: tuple[Repo, Server]) -> None:
    repo, _ = blocked
    with sqlite3.connect(repo.root / ".git" / "twoagent-hook" / "trajectory.db") as connection:
        connection.execute("DELETE FROM entries WHERE role = 'gate'")
    said = repo.call("review", "--dry-run", "--author", "gpt-5.5").out
    assert "nothing would be sent: a block on record stands" in said
