"""The command line: usage, streams, files, and failures before there is anything to judge."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.repo import SCRIPT, Repo
from support.server import approves, blocks, says


@pytest.mark.parametrize(
    "words",
    [
        ["review", "--fail-on", "nothing"],
        ["review", "--nonsense"],
        ["--nonsense"],
        ["review", "extra"],
        ["review", "--timeout", "soon"],
        ["review", "--timeout", "0"],
        ["review", "--reviewer", ""],
        ["log", "show", "x"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_a_usage_error_says_what_and_what_to_do(repo: Repo, words: list[str]) -> None:
    repo.stage("a.py", "a = 1\n")
    result = repo.run(*words)
    assert result.code == 2
    assert "what to do: " in result.text
    assert "Traceback" not in result.text
    if words[0] not in {"log", "nonsense"}:
        assert "no review: " in result.text


@pytest.mark.parametrize(
    "words", [["review", "--nonsense"], ["review", "--fail-on", "x"], ["review", "--timeout", "0"]]
)
def test_every_run_prints_exactly_one_object(repo: Repo, words: list[str]) -> None:
    repo.stage("a.py", "a = 1\n")
    result = repo.run(*words, "--output-format", "json")
    assert result.json["outcome"] == "error"
    assert result.json["exit_code"] == result.code == 2


def test_without_a_command_it_reviews(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves()))
    assert changed.run().out.startswith("approve  gpt-5.5 (loop)")
    assert changed.run("--output-format", "json").json["outcome"] == "approve"


def test_the_module_can_be_run(changed: Repo) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-P", "-m", "twoagent_hook", "--version"],
        cwd=changed.root,
        env=changed.environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"twoagent-hook ")


def test_outside_a_repository(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    (tmp_path / "plain").mkdir()
    repo = Repo(tmp_path / "plain", clean_environment | {"GIT_CEILING_DIRECTORIES": str(tmp_path)}, init=False)
    made = repo.review()
    assert made["outcome"] == "error"
    assert "no repository" in made["problem"]["what"]


def test_without_git(changed: Repo) -> None:
    made = changed.review(PATH="/nonexistent")
    assert made["problem"] == {"what": "git is not on PATH", "do": "install git, or put its folder on PATH"}


def test_a_relative_path_entry_finds_no_git(changed: Repo) -> None:
    changed.write("git", "#!/bin/sh\ntouch EXECUTED\n", mode=0o755)
    made = changed.review(PATH=".:")
    assert made["outcome"] == "error"
    assert not (changed.root / "EXECUTED").exists()


def test_a_corrupt_index(changed: Repo) -> None:
    (changed.root / ".git" / "index").write_bytes(b"DIRC nonsense")
    made = changed.review()
    assert made["outcome"] == "error"
    assert "index" in made["problem"]["what"]
    assert changed.log()[0]["result"] == "error"


def test_an_index_with_conflicts(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "other")
    repo.stage("app.py", "one\n")
    repo.commit_all()
    repo.git("checkout", "-q", "main")
    repo.stage("app.py", "two\n")
    repo.commit_all()
    repo.git("merge", "other", check=False)
    assert "unmerged" in repo.review()["problem"]["what"]


def test_the_result_can_go_to_a_file(changed: Repo, serve: Any, configure: Any, tmp_path: Path) -> None:
    configure(serve(blocks()))
    target = tmp_path / "result.txt"
    result = changed.run("review", "-o", str(target))
    assert result.code == 1
    assert result.out == ""
    assert "Top risks" in target.read_text()


def test_a_file_that_can_not_be_written_does_not_open_the_gate(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves()))
    result = changed.run("review", "-o", "/nonexistent/result.txt")
    assert result.code == 2
    assert "can't be written" in result.text


def test_quiet_says_nothing_of_an_open_gate_and_all_of_a_closed_one(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves(), blocks()))
    assert changed.run("review", "--quiet").text == ""
    changed.forget()
    assert "Top risks" in changed.run("review", "--quiet").out


def test_verbose_shows_an_approval_in_full(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(approves()))
    assert "Questions for the human owner" in changed.run("review", "--verbose").out


def test_exit_zero_is_for_verdicts_only(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(blocks(), says("approve", receipt="wrong")))
    made = changed.review("--exit-zero")
    assert (made["outcome"], made["exit_code"]) == ("block", 0)
    changed.forget()
    assert changed.review("--exit-zero")["exit_code"] == 2


def test_isolated_knows_neither_policy_nor_the_users_file(changed: Repo, serve: Any, configure: Any) -> None:
    server = serve(approves())
    configure(server)
    changed.policy('reviewers = ["loop:gpt-5.5"]\n')
    changed.stage("app.py", "x = 2\n")
    assert "no reviewer is named" in changed.review("--isolated")["problem"]["what"]
    made = changed.review("--isolated", "--reviewer", "openai:gpt-5.5", OPENAI_BASE_URL=server.url, OPENAI_API_KEY="k")
    assert made["outcome"] == "approve"


def test_another_file_can_stand_for_the_users_own(changed: Repo, serve: Any, configure: Any, tmp_path: Path) -> None:
    path = configure(serve(approves()))
    moved = tmp_path / "mine.toml"
    path.rename(moved)
    assert changed.review("--config", str(moved))["outcome"] == "approve"
    assert changed.review(TWOAGENT_HOME=str(tmp_path))["outcome"] == "unreviewed"
    moved.rename(tmp_path / "config.toml")
    assert changed.review(TWOAGENT_HOME=str(tmp_path))["outcome"] == "approve"


def test_a_dry_run_sends_nothing_and_shows_what_would_be_sent(changed: Repo, serve: Any, configure: Any) -> None:
    server = serve(approves())
    configure(server)
    result = changed.run("review", "--dry-run")
    assert result.code == 0
    assert server.requests == []
    assert f"POST {server.url}/chat/completions" in result.out
    assert "total, count = sum(values), len(values)" in result.out
    assert "sk-loop" not in result.text
    made = changed.run("review", "--dry-run", "--output-format", "json").json
    changed.review()
    sent = server.requests[0].body
    (shown,) = made["requests"]
    assert shown["body"].keys() == sent.keys()
    assert shown["body"]["messages"][0] == sent["messages"][0]
    assert changed.log()[0]["id"] == 2  # the dry run left no row


def test_no_reviewer_at_all_names_what_is_there(changed: Repo) -> None:
    made = changed.review(ANTHROPIC_API_KEY="a", OPENAI_API_KEY="b", TWOAGENT_AUTHOR="claude-opus-4-7")
    assert made["outcome"] == "unreviewed"
    assert made["exit_code"] == 2
    assert '["openai:MODEL"]` (OPENAI_API_KEY is set)' in made["problem"]["do"]
    assert "anthropic" not in made["problem"]["do"]


@pytest.mark.parametrize("target", ["pre-commit", "prek", "husky", "lefthook", "plain"])
def test_a_sample_for_each_framework(repo: Repo, target: str) -> None:
    result = repo.run("sample-config", "--for", target)
    assert result.code == 0
    assert "review" in result.out
    assert "{" not in result.out.replace("${", "")


def test_a_sample_for_an_agents_permission_hook(repo: Repo) -> None:
    result = repo.run("sample-config", "--for", "claude-code")
    assert result.code == 0
    (entry,) = result.json["hooks"]["PreToolUse"]
    assert entry["matcher"] == "Bash|Edit|MultiEdit|Write|NotebookEdit"
    command = entry["hooks"][0]["command"]
    assert command.endswith(" guard")
    event = b'{"tool_name": "Bash", "tool_input": {"command": "git commit --no-verify"}}'
    done = subprocess.run(
        command, shell=True, cwd=repo.root, env=repo.environment, input=event, capture_output=True, check=False
    )
    assert done.returncode == 2, done


FULL = ["log", "review", "doctor", "sample-config", "log list --output-format json", "verify --inspect x"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("line", [*FULL, "packets --title a --task b --out made"])
def test_where_nothing_can_be_written_that_is_said(repo: Repo, line: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [SCRIPT, *line.split()],
            cwd=repo.root,
            env=repo.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert said[-2:] == [
        "twoagent-hook: what was to be printed can't be written: No space left on device",
        "make room there, or send it elsewhere",
    ]


@pytest.mark.parametrize(("line", "code"), [("verify --inspect x", 2), ("review", 0), ("log", 0), ("log --task x", 0)])
def test_a_standard_output_that_was_closed_is_no_defect(repo: Repo, line: str, code: int) -> None:
    done = subprocess.run(
        f'"{SCRIPT}" {line} >&-', shell=True, cwd=repo.root, env=repo.environment, capture_output=True, check=False
    )
    assert b"internal error" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.returncode == code, done


def test_a_closed_standard_output_is_no_approval(changed: Repo, serve: Any, configure: Any) -> None:
    import os

    configure(serve(approves()))
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [SCRIPT, "review"],
        cwd=changed.root,
        env=changed.environment,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr
