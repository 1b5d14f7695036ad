"""Real commits through pre-commit and prek, against a reviewer on loopback."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.frameworks import (
    BIN,
    FRAMEWORKS,
    Framework,
    as_seen,
    assert_readable,
    commit_in_terminal,
    configuration,
    environment_at,
    inside,
    printed_commands,
    type_in,
    without_colour,
)
from support.repo import Repo, Result, assert_commit_allowed, assert_commit_blocked
from support.server import (
    Answer,
    Request,
    Script,
    Server,
    answer,
    approves,
    blocks,
    completion,
    finding,
    free_port,
    says,
)

pytestmark = pytest.mark.framework

HEADINGS = ("Verdict: block", "Top risks", "Required fixes", "Verification commands", "Questions for the human owner")
POLICY = 'reviewers = ["loop:gpt-5.5"]\n'
AGENT = {"CLAUDECODE": "1"}

Serve = Callable[..., Server]
Configure = Callable[..., Path]


PRE_COMMIT, PREK = FRAMEWORKS


@pytest.fixture(
    params=[PRE_COMMIT, pytest.param(PREK, marks=pytest.mark.second)], ids=lambda framework: framework.name
)
def framework(request: pytest.FixtureRequest) -> Framework:
    return request.param


@pytest.fixture
def gated(framework: Framework, changed: Repo) -> Repo:
    """A repository with the gate installed, and a change staged."""
    framework.install(changed)
    return changed


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}/v1"


def assert_committed_what_was_judged(repo: Repo) -> None:
    assert repo.log()[0]["tree"] == repo.git("rev-parse", "HEAD^{tree}")


# --- one commit for each outcome ----------------------------------------------------------------------------


@pytest.mark.core
def test_an_approval_is_one_line_that_the_committer_sees(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    result = assert_commit_allowed(gated)
    shown = [line.strip() for line in result.err.splitlines() if "gpt-5.5" in line]
    assert len(shown) == 1, result
    assert re.fullmatch(
        r"approve  gpt-5\.5 \(loop\) on a change by an unknown author · 1 file \+2 −1 · \d+ s · 1\.2k tokens · today 1\.2k · #\d+",
        shown[0],
    )
    assert len(server.requests) == 1
    assert gated.log()[0]["result"] == "approve"
    assert_committed_what_was_judged(gated)
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_requested_changes_are_shown_and_leave_the_gate_open(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(says("request_changes", findings=[finding(severity="medium")])))
    result = assert_commit_allowed(gated)
    assert "Verdict: request changes" in inside(result.err)
    assert "Top risks" in inside(result.err)
    assert "The gate is open: `fail-on` does not demand these changes." in result.err
    assert gated.log()[0]["result"] == "changes"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_requested_changes_close_the_gate_where_the_policy_says_so(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    gated.policy('fail-on = "request-changes"\n')
    gated.stage("app.py", "changed = 1\n")
    configure(serve(says("request_changes", findings=[finding(severity="medium")])))
    result = assert_commit_blocked(gated)
    assert "Verdict: request changes" in inside(result.err)
    assert "exit code: 1" in result.err
    assert_readable(result.err, framework.indent)


@pytest.mark.core
def test_a_block_stops_the_commit_and_says_all_that_the_human_needs(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(blocks()))
    result = assert_commit_blocked(gated)
    assert "exit code: 1" in result.err
    lines = inside(result.err)
    places = [next(place for place, line in enumerate(lines) if line.startswith(heading)) for heading in HEADINGS]
    assert places == sorted(places)
    assert any("critical" in line and "app.py:2" in line for line in lines)
    assert "- app.py:2: return 0 for an empty list" in lines
    row = gated.log()[0]
    assert row["result"] == "blocked"
    assert f"#{row['id']}" in result.err
    assert_readable(result.err, framework.indent)


def test_a_dead_endpoint_blocks_and_is_no_verdict(framework: Framework, gated: Repo, configure: Configure) -> None:
    configure(dead())
    result = assert_commit_blocked(gated)
    assert "exit code: 2" in result.err
    assert any(line.startswith("no review: no reviewer is usable") for line in inside(result.err))
    assert any(line.startswith("what to do: ") for line in inside(result.err))
    assert gated.log()[0]["result"] == "unreviewed"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_a_dead_endpoint_lets_the_commit_pass_loudly_where_the_policy_allows_it(
    framework: Framework, gated: Repo, configure: Configure
) -> None:
    gated.policy('on-error = "allow"\n')
    gated.stage("app.py", "changed = 1\n")
    configure(dead(), 'on-error = "allow"')
    result = assert_commit_allowed(gated)
    assert "NOT REVIEWED: the gate is open because the policy says so." in inside(result.err)
    assert gated.log()[0]["result"] == "unreviewed"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_a_dead_endpoint_defers_where_the_policy_says_so(
    framework: Framework, gated: Repo, configure: Configure
) -> None:
    gated.policy('on-error = "defer"\n')
    gated.stage("app.py", "changed = 1\n")
    configure(dead(), 'on-error = "defer"')
    result = assert_commit_allowed(gated)
    assert "DEFERRED, not reviewed" in result.err
    assert gated.log()[0]["result"] == "deferred"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_an_unusable_reply_is_asked_for_twice_and_blocks(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(lambda request: answer(completion("Looks good to me!")))
    configure(server)
    result = assert_commit_blocked(gated)
    assert "exit code: 2" in result.err
    assert any(line.startswith("no review: ") for line in inside(result.err))
    assert len(server.requests) == 2
    assert gated.log()[0]["result"] == "invalid"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_the_author_is_refused_as_its_own_reviewer(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    result = assert_commit_blocked(gated, TWOAGENT_AUTHOR="gpt-5.5")
    assert "exit code: 2" in result.err
    assert "no review: no reviewer is independent of the author" in result.err
    assert server.requests == []
    assert gated.log()[0]["result"] == "refused"
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_an_unknown_provider_is_an_error_that_names_the_right_one(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server, reviewer="loopp:gpt-5.5")
    result = assert_commit_blocked(gated)
    assert "exit code: 2" in result.err
    assert "did you mean `loop`?" in result.err
    assert server.requests == []
    assert gated.log()[0]["result"] == "error"
    assert_readable(result.err, framework.indent)


@pytest.mark.core
def test_nothing_staged_is_skipped_and_says_that_no_review_was_made(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.git("reset", "--quiet", "--hard")
    result = assert_commit_allowed(gated, "--allow-empty")
    assert "skipped  nothing is staged: no review was made" in inside(result.err)
    assert server.connections == 0
    assert gated.log() == []
    assert_readable(result.err, framework.indent)


@pytest.mark.again
def test_rules_alone_open_the_gate_and_say_that_no_model_reviewed(framework: Framework, gated: Repo) -> None:
    gated.policy('reviewers = ["rules"]\n')
    gated.stage("app.py", "changed = 1\n")
    result = assert_commit_allowed(gated)
    assert "no model reviewed this" in result.err
    assert gated.log()[0]["result"] == "unreviewed"
    gated.stage("app.py", "<<<<<<< ours\nchanged = 2\n")
    blocked = assert_commit_blocked(gated)
    assert "exit code: 1" in blocked.err
    assert "conflict-marker" in blocked.err
    assert_readable(result.err + blocked.err, framework.indent)


# --- what is judged is what is committed --------------------------------------------------------------------


def test_the_first_commit_of_all_may_bring_the_gate_and_its_policy(
    framework: Framework, empty_repo: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    empty_repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    empty_repo.write(".pre-commit-config.yaml", configuration())
    empty_repo.write(".twoagent-hook.toml", POLICY)
    empty_repo.write("app.py", "print('first')\n")
    framework.install_hook(empty_repo)
    empty_repo.git("add", "--all")
    result = empty_repo.commit()
    assert result.code == 0, result
    assert empty_repo.head
    assert "policy: new in this change" in result.err
    assert "3 files" in result.err
    assert "print('first')" in server.requests[0].user
    assert_committed_what_was_judged(empty_repo)
    assert_readable(result.err, framework.indent)


@pytest.mark.core
def test_commit_all_and_commit_one_file_send_exactly_what_is_committed(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.stage("other.py", "other = 0\n")
    gated.git("commit", "--quiet", "--no-verify", "--message", "two files")
    gated.stage("app.py", "staged_line = 1\n")
    gated.write("other.py", "unstaged_line = 1\n")

    result = assert_commit_allowed(gated, "other.py")
    assert gated.git("show", "--name-only", "--format=", "HEAD") == "other.py"
    assert "unstaged_line" in server.requests[0].user, result
    assert "staged_line = 1" not in server.requests[0].user.replace("unstaged_line = 1", "")
    assert_committed_what_was_judged(gated)
    assert gated.git("diff", "--cached", "--name-only") == "app.py"

    gated.write("other.py", "second_unstaged = 1\n")
    assert_commit_allowed(gated, "--all")
    assert gated.git("show", "--name-only", "--format=", "HEAD").split() == ["app.py", "other.py"]
    assert "staged_line = 1" in server.requests[1].user
    assert "second_unstaged" in server.requests[1].user
    assert_committed_what_was_judged(gated)
    assert gated.git("status", "--porcelain") == ""


@pytest.mark.again
def test_a_commit_that_only_deletes_is_reviewed(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.git("rm", "--quiet", "--force", "app.py")
    assert_commit_allowed(gated)
    assert len(server.requests) == 1
    assert "return sum(values) / max(len(values), 1)" in server.requests[0].user
    assert_committed_what_was_judged(gated)


@pytest.mark.core
def test_unstaged_work_is_neither_sent_nor_lost(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.write("app.py", "not_staged = 1\n")
    assert_commit_allowed(gated)
    assert "not_staged" not in server.requests[0].user
    assert "total / count" in server.requests[0].user
    assert gated.read("app.py") == "not_staged = 1\n"


# --- other hooks, and other runs ----------------------------------------------------------------------------


@pytest.mark.core
def test_nothing_is_asked_after_an_earlier_hook_changed_files(
    framework: Framework, changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(approves())
    configure(server)
    formatter = tmp_path / "formatter"
    formatter.write_text("#!/bin/sh\necho '# formatted' >> app.py\n")
    formatter.chmod(0o755)
    framework.install(changed, earlier={"formatter": str(formatter)})
    result = assert_commit_blocked(changed)
    assert "no review: an earlier hook changed files (app.py)" in result.err
    assert "add them and commit again" in result.err
    assert server.connections == 0
    assert_readable(result.err, framework.indent)


def test_running_all_hooks_with_nothing_staged_says_that_no_review_was_made(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(approves())
    configure(server)
    gated.git("reset", "--quiet", "--hard")
    result = framework.run(gated, "run", "--all-files")
    assert result.code == 0, result
    assert "no review was made" in result.text
    assert server.connections == 0


def test_the_manual_stage_reviews_what_is_staged(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(blocks())
    configure(server)
    result = framework.run(gated, "run", "--hook-stage", "manual", "twoagent-hook")
    assert result.code == 1, result
    assert "Verdict: block" in inside(result.text)
    assert len(server.requests) == 1


# --- while the review runs ----------------------------------------------------------------------------------


def editing(repo: Repo, path: str, content: str, then: Script) -> Script:
    """A reviewer during whose work somebody saves a file."""

    def script(request: Request) -> Answer:
        repo.write(path, content)
        return then(request)

    return script


def rescued(repo: Repo, path: str, target: Path) -> list[str]:
    """The content of a file in what is staged, under each patch that was saved."""
    contents = []
    for number, patch in enumerate(sorted((repo.root / ".git" / "twoagent-hook" / "rescued").glob("*.patch"))):
        folder = target / f"index-{number}"
        repo.git("checkout-index", "--all", f"--prefix={folder}/")
        again = Repo(folder, repo.environment)
        again.git("apply", str(patch))
        contents.append((folder / path).read_text())
    return contents


@pytest.mark.core
@pytest.mark.parametrize("verdict", [approves, blocks])
def test_an_edit_during_a_review_stays_where_it_is(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure, verdict: Callable[[], Script]
) -> None:
    configure(serve(editing(gated, "app.py", "edited_meanwhile = 1\n", verdict())))
    gated.commit()
    assert gated.read("app.py") == "edited_meanwhile = 1\n"


def test_an_edit_during_a_review_and_unstaged_work_in_other_files_both_survive(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    gated.stage("notes.txt", "first\n")
    gated.write("notes.txt", "unstaged work\n")
    configure(serve(editing(gated, "app.py", "edited_meanwhile = 1\n", approves())))
    result = gated.commit()
    assert gated.read("notes.txt") == "unstaged work\n"
    edit = "edited_meanwhile = 1\n"
    assert gated.read("app.py") == edit or edit in rescued(gated, "app.py", tmp_path), result


@pytest.mark.core
def test_an_edit_during_a_review_to_a_file_with_unstaged_work_is_rescued(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    gated.stage("notes.txt", "first\n")
    gated.write("notes.txt", "unstaged work\n")
    configure(serve(editing(gated, "notes.txt", "edited meanwhile\n", approves())))
    result = gated.commit()
    assert gated.read("notes.txt") == "unstaged work\n"
    assert rescued(gated, "notes.txt", tmp_path) == ["edited meanwhile\n"], result
    assert "the difference is saved" in result.err


def test_the_command_that_brings_a_rescued_edit_back_can_be_typed(
    framework: Framework, clean_environment: dict[str, str], serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    """The folder's name has a space in it, and the edit is no longer in the work tree."""
    repo = Repo(tmp_path / "my repo", clean_environment | {"LOOP_KEY": "sk-loop-0123456789"})
    repo.write("app.py", "first = 1\n")
    repo.commit_all()
    framework.install(repo)
    repo.stage("app.py", "staged = 1\n")
    configure(serve(editing(repo, "app.py", "edited_meanwhile = 1\n", approves())))
    result = repo.commit()
    repo.write("app.py", "staged = 1\n")
    command = next(line for line in inside(result.err) if "git apply " in line)
    applied = type_in(repo, command[command.index("git apply ") :])
    assert applied.code == 0, applied
    assert repo.read("app.py") == "edited_meanwhile = 1\n"


def test_what_is_added_during_a_review_is_not_committed_unseen(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    def adds(request: Request) -> Answer:
        gated.stage("app.py", "added_meanwhile = 1\n")
        return approves()(request)

    configure(serve(adds))
    result = assert_commit_blocked(gated)
    assert "exit code: 2" in result.err
    assert "no review: the index moved during the review" in result.err
    assert gated.git("show", ":app.py") == "added_meanwhile = 1"
    assert_readable(result.err, framework.indent)


# --- the way out --------------------------------------------------------------------------------------------


def test_every_command_that_a_block_prints_does_what_it_says(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(blocks()))
    blocked = assert_commit_blocked(gated)
    commands = printed_commands(blocked.err)
    [log] = [command for command in commands if " log show " in command]
    assert sorted(commands) == sorted([log, "SKIP=twoagent-hook git commit", "git commit --no-verify"])

    shown = type_in(gated, log)
    assert shown.code == 0, shown
    assert "Verdict: block" in inside(shown.out)
    assert f"#{gated.log()[0]['id']}" in shown.out

    for number, command in enumerate(("SKIP=twoagent-hook git commit", "git commit --no-verify")):
        gated.stage("app.py", f"try_number = {number}\n")
        before = gated.head
        made = type_in(gated, command)
        assert made.code == 0, made
        assert gated.head != before, command


def test_the_log_command_can_be_copied_out_of_the_panel_when_a_framework_installed_the_product(
    framework: Framework, changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    """A framework's environments lie deep in a cache, so the path is longer than a panel is wide."""
    script = environment_at(tmp_path / "home/.cache/pre-commit/repoq3nzw1xd/py_env-python3.11")
    entries = changed.environment["PATH"].split(os.pathsep)
    changed.environment["PATH"] = os.pathsep.join(entry for entry in entries if Path(entry) != BIN)
    configure(serve(blocks()))
    framework.install(changed, command=str(script))
    blocked = assert_commit_blocked(changed)
    logs = [command for command in printed_commands(blocked.err) if " log show " in command]
    assert len(logs) == 1, blocked
    shown = type_in(changed, logs[0])
    assert shown.code == 0, shown
    assert "Verdict: block" in inside(shown.out)


@pytest.mark.parametrize("reason", ["block", "no reviewer"])
def test_an_agent_is_told_to_ask_its_user_and_not_how_to_pass(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure, reason: str
) -> None:
    configure(serve(blocks()) if reason == "block" else dead())
    result = assert_commit_blocked(gated, **AGENT)
    text = " ".join(inside(result.err))
    number = gated.log()[0]["id"]
    assert f"Ask your user: review #{number} stopped this commit" in text
    assert "--no-verify" not in text
    assert "SKIP=" not in text
    [command] = re.findall(r"[^\s`]+ log show \d+", result.err)
    shown = type_in(gated, command, **AGENT)
    assert shown.code == 0, shown
    assert "--no-verify" not in shown.text
    assert "SKIP=" not in shown.text
    assert_readable(result.err, framework.indent)


def test_a_person_is_told_the_way_out_where_nothing_was_reviewed(
    framework: Framework, gated: Repo, configure: Configure
) -> None:
    configure(dead())
    blocked = assert_commit_blocked(gated)
    commands = printed_commands(blocked.err)
    assert "SKIP=twoagent-hook git commit" in commands
    assert "git commit --no-verify" in commands
    before = gated.head
    assert type_in(gated, "SKIP=twoagent-hook git commit").code == 0
    assert gated.head != before


# --- what is printed ----------------------------------------------------------------------------------------

HOSTILE = "\x1b[2J\x1b[1;1Happrove\x1b]8;;http://evil.example\x07link\x1b]8;;\x07\r\x08\x9b31m\u202egnp\u200b"


def hostile_block() -> Script:
    """A block whose every text tries to act on the terminal, and is longer than any line."""
    long = f"{HOSTILE} {'word ' * 60}{'x' * 300}"
    texts = dict.fromkeys(("title", "trigger", "consequence", "fix"), long)
    return blocks(findings=[finding(**texts)], summary=long, questions=[long], verification_commands=[f"echo {long}"])


@pytest.mark.core
def test_captured_output_has_no_control_codes_but_colour_and_fits_80_columns(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(hostile_block()))
    plain = assert_commit_blocked(gated)
    assert "\x1b" not in plain.err
    assert_readable(plain.err, framework.indent)
    coloured = assert_commit_blocked(gated, FORCE_COLOR="1")
    if framework.name == "pre-commit":  # prek takes colours out of what it captured
        assert "\x1b[" in coloured.err
    assert_readable(coloured.err, framework.indent)


def test_the_panel_fits_and_is_coloured_in_a_terminal(
    framework: Framework, gated: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(hostile_block()))
    result = commit_in_terminal(gated, columns=100)
    assert result.code != 0, result
    borders = [line for line in as_seen(result.out).split("\n") if "╭" in line]
    assert len(borders) == 1, result
    assert "\x1b[" in borders[0]
    width = len(without_colour(borders[0]).rstrip())
    assert 72 <= width <= 100, f"{width} columns"
    ours = result.out[result.out.index("╭") : result.out.index("╯")]
    assert_readable(ours, framework.indent, width=100)


# --- flags in `args:` ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "arguments", "policy"),
    [
        (PRE_COMMIT, ["--exit-zero"], POLICY),
        (PREK, ["--exit-zero"], POLICY),
        (PREK, ["--config", os.devnull], POLICY),
        (PREK, ["--isolated"], POLICY),
        (PRE_COMMIT, ["--dry-run"], POLICY),
        (PREK, ["--dry-run"], POLICY),
        (PREK, ["--on-error", "allow"], POLICY),
        (PREK, ["--on-error", "defer"], POLICY),
        (PREK, ["--fail-on", "block"], POLICY + 'fail-on = "request-changes"\n'),
        (PREK, ["--reviewer", "rules"], POLICY),
        (PREK, ["--reviewer", "rules"], ""),
        (PREK, ["--reviewer", "loop:other"], POLICY),
    ],
    ids=lambda value: (
        value.name if isinstance(value, Framework) else " ".join(value) if isinstance(value, list) else ""
    ),
)
def test_an_argument_that_would_loosen_the_gate_is_refused(
    framework: Framework,
    changed: Repo,
    serve: Serve,
    configure: Configure,
    arguments: list[str],
    policy: str,
) -> None:
    server = serve(approves())
    configure(server)
    changed.policy(policy)
    framework.install(changed, *arguments)
    changed.stage("app.py", "changed = 1\n")
    result = assert_commit_blocked(changed)
    assert "exit code: 2" in result.err
    assert arguments[0] in " ".join(inside(result.err))
    assert server.requests == []


def test_an_argument_that_tightens_the_gate_works(
    framework: Framework, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(says("request_changes")))
    changed.policy(POLICY + 'on-error = "allow"\n')
    framework.install(changed, "--fail-on", "request-changes", "--reviewer", "loop:gpt-5.5", "--on-error", "block")
    changed.stage("app.py", "changed = 1\n")
    result = assert_commit_blocked(changed)
    assert "exit code: 1" in result.err
    configure(dead(), 'on-error = "allow"')
    assert "exit code: 2" in assert_commit_blocked(changed).err


def test_variables_open_no_gate(framework: Framework, gated: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    names = ("CI", "TWOAGENT_SKIP", "TWOAGENT_DEFER", "TWOAGENT_REASON", "TWOAGENT_FAIL_ON", "TWOAGENT_ON_ERROR")
    result: Result = assert_commit_blocked(gated, **dict.fromkeys(names, "1"), TWOAGENT_AUTHOR="human")
    assert "exit code: 1" in result.err
