"""Real commits through a plain `.git/hooks/pre-commit`, in every kind of repository and terminal."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from support.frameworks import (
    as_seen,
    assert_readable,
    commit_in_terminal,
    in_terminal,
    inside,
    install_plain_hook,
    printed_commands,
    type_in,
    without_colour,
)
from support.repetition import again
from support.repo import SCRIPT, Repo, assert_commit_allowed, assert_commit_blocked
from support.server import (
    Answer,
    Request,
    Server,
    answer,
    approves,
    blocks,
    completion,
    finding,
    free_port,
    says,
)

Serve = Callable[..., Server]
Configure = Callable[..., Path]


@pytest.fixture
def gated(changed: Repo) -> Repo:
    """A repository with the gate as its pre-commit hook, and a change staged."""
    install_plain_hook(changed)
    return changed


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}/v1"


def assert_committed_what_was_judged(repo: Repo) -> None:
    assert repo.log()[0]["tree"] == repo.git("rev-parse", "HEAD^{tree}")


def widths(text: str) -> set[int]:
    """How wide the lines of the panel are: all the same, or the box is broken."""
    lines = without_colour(as_seen(text)).splitlines()
    return {len(line) for line in lines if line.startswith(("╭", "│", "╰", "+-", "|"))}


# --- outcomes -----------------------------------------------------------------------------------------------


def test_an_approved_change_is_committed_with_one_line(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    result = assert_commit_allowed(gated)
    assert [line.split("  ")[0] for line in result.err.splitlines()] == ["approve"]
    assert len(server.requests) == 1
    assert_committed_what_was_judged(gated)


def test_requested_changes_leave_the_gate_open_by_default(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(says("request_changes", findings=[finding(severity="low")])))
    result = assert_commit_allowed(gated)
    assert "Verdict: request changes" in inside(result.err)
    assert_readable(result.err)


def test_requested_changes_close_the_gate_for_a_hook_that_is_stricter(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    install_plain_hook(changed, "--fail-on", "request-changes")
    configure(serve(says("request_changes")))
    assert "Verdict: request changes" in inside(assert_commit_blocked(changed).err)


def test_a_block_stops_the_commit(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    result = assert_commit_blocked(gated)
    assert "Verdict: block" in inside(result.err)
    assert gated.log()[0]["result"] == "blocked"
    assert_readable(result.err)


def test_a_dead_endpoint_stops_the_commit_and_says_that_nothing_was_reviewed(
    gated: Repo, configure: Configure
) -> None:
    configure(dead())
    result = assert_commit_blocked(gated)
    assert any(line.startswith("no review: no reviewer is usable") for line in inside(result.err))
    assert gated.log()[0]["result"] == "unreviewed"
    assert_readable(result.err)


def test_a_missing_key_stops_the_commit_and_is_named(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    result = assert_commit_blocked(gated, LOOP_KEY="")
    assert "set LOOP_KEY" in result.err
    assert server.connections == 0


def test_a_reply_without_a_verdict_stops_the_commit(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(lambda request: answer(completion("{}"))))
    assert_commit_blocked(gated)
    assert gated.log()[0]["result"] == "invalid"


def test_no_setting_at_all_stops_the_commit_and_says_what_to_write(gated: Repo) -> None:
    result = assert_commit_blocked(gated)
    assert "reviewers = [" in result.err
    assert gated.log()[0]["result"] == "unreviewed"


def test_an_empty_commit_is_skipped(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    gated.git("reset", "--quiet", "--hard")
    assert "no review was made" in assert_commit_allowed(gated, "--allow-empty").err
    assert server.connections == 0


def test_amending_without_a_change_is_skipped(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    gated.git("reset", "--quiet", "--hard")
    assert "no review was made" in assert_commit_allowed(gated, "--amend").err
    assert server.connections == 0


def test_a_verdict_is_not_lost_when_the_log_cannot_be_written(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    gated.write(".git/twoagent-hook", "a file where the folder belongs")
    result = assert_commit_blocked(gated)
    assert "Verdict: block" in inside(result.err)
    assert "this review is not on the record" in result.err


# --- kinds of repositories ----------------------------------------------------------------------------------


def test_a_linked_worktree_is_judged_by_its_own_index_and_shares_the_log(
    gated: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(approves())
    configure(server)
    gated.git("worktree", "add", "--quiet", "-b", "linked", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked", gated.environment, init=False)
    linked.stage("app.py", "in_the_linked_worktree = 1\n")
    assert_commit_allowed(linked)
    assert "in_the_linked_worktree" in server.requests[0].user
    assert "total / count" not in server.requests[0].user
    assert_committed_what_was_judged(linked)
    assert gated.log() == linked.log()
    assert "total / count" in gated.git("show", ":app.py")


def test_a_commit_from_a_subdirectory_judges_the_whole_index(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    gated.stage("deep/down/below.py", "below = 1\n")
    result = in_terminal(gated, ["git", "-C", "deep/down", "commit", "--message", "a change"])
    assert result.code == 0, result
    assert "below = 1" in server.requests[0].user
    assert "total / count" in server.requests[0].user
    assert_committed_what_was_judged(gated)


def test_a_repository_whose_git_folder_lies_elsewhere_is_judged(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(blocks())
    configure(server)
    changed.git("init", "--quiet", f"--separate-git-dir={tmp_path / 'elsewhere'}", ".")
    assert (changed.root / ".git").is_file()
    install_plain_hook(changed)
    assert_commit_blocked(changed)
    assert len(server.requests) == 1
    assert (tmp_path / "elsewhere" / "twoagent-hook" / "trajectory.db").exists()


def test_a_submodule_is_judged_as_a_repository_of_its_own(
    gated: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(approves())
    configure(server)
    part = Repo(tmp_path / "part", gated.environment)
    part.write("part.py", "part = 1\n")
    part.commit_all()
    gated.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part.root), "part")
    inner = Repo(gated.root / "part", gated.environment, init=False)
    install_plain_hook(inner)
    inner.stage("part.py", "inside_the_submodule = 1\n")
    assert_commit_allowed(inner)
    assert "inside_the_submodule" in server.requests[0].user
    assert "total / count" not in server.requests[0].user
    assert_committed_what_was_judged(inner)


NAMES = ("with space.py", "with\nline feed.py", "with\ttab.py", '"quoted".py', "-dash.py", "ünïcode.py", "back\\slash")


def test_strange_file_names_are_all_shown_and_nothing_of_them_acts(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(blocks())
    configure(server)
    gated.git("reset", "--quiet", "--hard")
    gated.policy('rules = {hidden-text = "note"}\n')
    for number, name in enumerate((*NAMES, "\x1b[2J.py", b"not\xffutf8.py")):
        gated.stage(name, f"content_{number} = 1\n")
    result = assert_commit_blocked(gated)
    sent = server.requests[0].user
    assert [number for number in range(9) if f"content_{number} = 1" not in sent] == []
    assert "9 files +9 −0" in result.err
    assert_readable(result.err)
    server.scripts = [approves()]
    gated.forget()
    assert_commit_allowed(gated)
    assert_committed_what_was_judged(gated)


def test_a_repository_in_a_folder_with_a_space_and_a_quote_is_judged(
    clean_environment: dict[str, str], serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(blocks())
    configure(server)
    repo = Repo(tmp_path / "it's my repo", clean_environment | {"LOOP_KEY": "sk-loop-0123456789"})
    install_plain_hook(repo)
    repo.stage("app.py", "first = 1\n")
    assert repo.commit().code != 0
    assert repo.head in {"", "HEAD"}
    assert len(server.requests) == 1


# --- what git gives to a hook -------------------------------------------------------------------------------


def test_commit_all_and_commit_one_file_send_exactly_what_is_committed(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.stage("other.py", "other = 0\n")
    gated.git("commit", "--quiet", "--no-verify", "--message", "two files")
    gated.stage("app.py", "of_app = 1\n")
    gated.write("other.py", "of_other = 1\n")
    assert_commit_allowed(gated, "other.py")
    assert "of_other" in server.requests[0].user
    assert "of_app" not in server.requests[0].user
    assert_committed_what_was_judged(gated)
    gated.write("other.py", "again_other = 1\n")
    assert_commit_allowed(gated, "--all")
    assert "of_app" in server.requests[1].user
    assert "again_other" in server.requests[1].user
    assert_committed_what_was_judged(gated)


def test_what_is_added_during_a_review_is_not_committed_unseen(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    def adds(request: Request) -> Answer:
        gated.stage("app.py", "added_meanwhile = 1\n")
        return approves()(request)

    configure(serve(adds))
    assert "the index moved during the review" in assert_commit_blocked(gated).err


def test_unstaged_work_is_neither_sent_nor_touched(gated: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server)
    gated.write("app.py", "not_staged = 1\n")
    assert_commit_allowed(gated)
    assert "not_staged" not in server.requests[0].user
    assert gated.read("app.py") == "not_staged = 1\n"


@pytest.mark.parametrize(
    "arguments",
    [["--exit-zero"], ["--isolated"], ["--dry-run"], ["--on-error", "allow"], ["--reviewer", "rules"]],
    ids=" ".join,
)
def test_an_argument_that_would_loosen_the_gate_is_refused(
    changed: Repo, serve: Serve, configure: Configure, arguments: list[str]
) -> None:
    configure(serve(approves()))
    install_plain_hook(changed, *arguments)
    assert arguments[0] in " ".join(inside(assert_commit_blocked(changed).err))


# --- the way out --------------------------------------------------------------------------------------------


def test_every_command_that_a_block_prints_does_what_it_says(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    commands = printed_commands(assert_commit_blocked(gated).err)
    [log] = [command for command in commands if " log show " in command]
    assert sorted(commands) == sorted([log, "git commit --no-verify"]), "SKIP does nothing without a framework"
    shown = type_in(gated, log)
    assert shown.code == 0, shown
    assert "Verdict: block" in inside(shown.out)
    before = gated.head
    assert type_in(gated, "git commit --no-verify").code == 0
    assert gated.head != before


def test_every_command_that_the_log_prints_does_what_it_says(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    assert_commit_blocked(gated)
    shown = gated.run("log", "show", str(gated.log()[0]["id"]))
    ways = [command for command in printed_commands(shown.out) if "git commit" in command]
    assert ways
    for number, command in enumerate(ways):
        gated.stage("app.py", f"try_number = {number}\n")
        before = gated.head
        made = type_in(gated, command)
        assert made.code == 0, f"{command}: {made}"
        assert gated.head != before


@pytest.mark.parametrize("markers", [{"CLAUDECODE": "1"}, {"AI_AGENT": "some-agent@1"}], ids=str)
def test_an_agent_is_told_to_ask_its_user_and_not_how_to_pass(
    gated: Repo, serve: Serve, configure: Configure, markers: dict[str, str]
) -> None:
    configure(serve(blocks()))
    text = " ".join(inside(assert_commit_blocked(gated, **markers).err))
    assert "Ask your user: review #" in text
    assert "--no-verify" not in text
    assert "SKIP=" not in text


# --- terminals ----------------------------------------------------------------------------------------------


def test_a_terminal_gets_colour_and_its_own_width(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    result = commit_in_terminal(gated, columns=100)
    assert result.code == 1, result
    assert "\x1b[31m" in result.out or "\x1b[1;31m" in result.out
    assert widths(result.out) == {100}
    assert_readable(as_seen(result.out), width=100)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_without_colour_gets_none(
    gated: Repo, serve: Serve, configure: Configure, variables: dict[str, str]
) -> None:
    server = serve(blocks())
    configure(server)
    result = commit_in_terminal(gated, **variables)
    assert result.code == 1, result
    assert "Verdict: block" in inside(as_seen(result.out))
    assert "\x1b" not in as_seen(result.out)
    server.scripts = [approves()]
    gated.forget()
    approved = commit_in_terminal(gated, **variables)
    assert approved.code == 0, approved
    assert "\x1b" not in as_seen(approved.out)


def test_a_dumb_terminal_gets_no_escape_codes_at_all(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(approves()))
    result = commit_in_terminal(gated, TERM="dumb")
    assert result.code == 0, result
    assert "\x1b" not in result.out


def test_a_terminal_that_does_not_know_its_width_gets_80_columns(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(blocks()))
    assert widths(commit_in_terminal(gated, columns=0).out) == {80}


def test_a_long_wait_shows_progress_in_the_terminal_and_leaves_nothing_of_it_behind(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    import time

    def slow(request: Request) -> Answer:
        time.sleep(1.6)
        return approves()(request)

    configure(serve(slow))
    result = commit_in_terminal(gated)
    assert result.code == 0, result
    assert "asking loop:gpt-5.5 … 1 s" in result.out
    last = result.out.rindex("asking loop:gpt-5.5")
    assert "\r\x1b[K" in result.out[last : result.out.index("approve", last)]
    captured = gated.commit("--allow-empty")
    assert "asking" not in captured.text


@pytest.mark.parametrize("columns", [60, 120])
def test_a_width_that_is_given_is_kept_to(gated: Repo, serve: Serve, configure: Configure, columns: int) -> None:
    configure(serve(blocks()))
    result = assert_commit_blocked(gated, COLUMNS=str(columns))
    assert widths(result.err) == {columns}


@pytest.mark.parametrize("columns", ["0", "wide", *again("-1", "9" * 30, "", "²")])
def test_a_width_that_makes_no_sense_is_ignored(gated: Repo, configure: Configure, columns: str) -> None:
    configure(dead())
    result = assert_commit_blocked(gated, COLUMNS=columns)
    assert "no review: no reviewer is usable" in result.err
    assert_readable(result.err)


ASCII = {"PYTHONIOENCODING": "ascii"}


def test_output_that_can_only_hold_ascii_has_a_whole_box_and_no_escapes_in_our_own_words(
    gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(blocks(summary="ein Übel"))
    configure(server)
    blocked = assert_commit_blocked(gated, **ASCII)
    assert blocked.err.isascii()
    assert widths(blocked.err) == {80}, blocked
    assert "reviewed: 1 file +2 -1" in blocked.err
    assert "bel" in blocked.err
    server.scripts = [approves()]
    gated.forget()
    approved = assert_commit_allowed(gated, **ASCII)
    assert approved.err.isascii()
    assert "\\u" not in approved.err
    assert "\\x" not in approved.err


@pytest.mark.parametrize("encoding", ["ascii", *again("latin-1", "cp1252", "cp437")])
def test_no_encoding_makes_it_fail(gated: Repo, serve: Serve, configure: Configure, encoding: str) -> None:
    configure(serve(blocks(summary="漢字 \udc80 ß 🙂")))
    result = assert_commit_blocked(gated, PYTHONIOENCODING=encoding)
    assert b"Verdict: block" in result.raw_err
    assert gated.log()[0]["result"] == "blocked"


def test_the_locale_of_a_bare_system_is_good_enough(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks(summary="ein Übel")))
    result = assert_commit_blocked(gated, LC_ALL="C", PYTHONIOENCODING="", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert b"Verdict: block" in result.raw_err


def test_a_reader_who_goes_away_opens_nothing(gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    hook = gated.root / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/bash\nset -o pipefail\n{shlex.quote(str(SCRIPT))} review | true\n")
    result = assert_commit_blocked(gated)
    assert not re.search(r"BrokenPipe|Exception ignored", result.text), result
