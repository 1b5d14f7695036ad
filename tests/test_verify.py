"""The owner's commands on exactly what was judged: go or no-go, and the evidence of it."""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import frameworks, terminal
from support.repo import SCRIPT, Repo, Result
from support.server import Request, Script, Server, answer, completion, fails, free_port, reply, response, says

from twoagent_hook import git, pushes, records, seals, verification
from twoagent_hook.checkout import Checkout, Subject
from twoagent_hook.claims import Claim
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError, InvalidReplyError, UsageError
from twoagent_hook.git import Workspace
from twoagent_hook.trajectory import Log
from twoagent_hook.verification import Outcome, Run, Summary, Verification

Serve = Callable[..., Server]
Configure = Callable[..., Path]
KEY = "sk-loop-0123456789"


def policy_of(*commands: Any, more: str = "") -> str:
    return f"verify-commands = {json.dumps(list(commands))}\n{more}"


def verify(repo: Repo, *arguments: str, **environment: str) -> Any:
    """Verify by hand and return the JSON; nothing else may be on standard output."""
    result = repo.call("verify", "--output-format", "json", *arguments, **environment)
    payload = result.json
    assert result.out.count("\n") == 1
    assert payload["exit_code"] == result.code, result
    assert "Traceback" not in result.text, result
    return payload


def tails(payload: Any) -> list[str]:
    return [run["tail"] for run in payload["runs"]]


def codes(payload: Any) -> list[int | None]:
    return [run["exit_code"] for run in payload["runs"]]


def rows(repo: Repo, role: str = "verifier") -> list[Any]:
    return [row for row in repo.log() if row["role"] == role]


@pytest.fixture
def places(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    repo.environment["TMPDIR"] = str(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))  # in this process it is looked up once
    yield folder
    assert list(folder.iterdir()) == []


# --- go and no-go -------------------------------------------------------------------------------------------


def test_a_go_is_one_line(repo: Repo) -> None:
    repo.policy(policy_of("true", ["true"]))
    repo.stage("new.py", "x = 1\n")
    result = repo.call("verify")
    tree = repo.git("write-tree")[:12]
    assert re.fullmatch(rf"go  2 commands on tree {tree} · \d+\.\d s · #1\n", result.out), result
    assert (result.code, result.err) == (0, "")


def test_a_quiet_go_says_nothing(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    result = repo.call("verify", "-q")
    assert (result.code, result.text) == (0, "")
    assert rows(repo)[0]["result"] == "go"


def test_a_no_go_shows_the_end_of_what_failed_alone(repo: Repo) -> None:
    repo.policy(policy_of("seq 1 100; exit 3", "echo fine", ["false"]))
    result = repo.call("verify", "-q")
    assert result.code == 1
    assert "no-go  2 of 3 commands failed" in result.out
    assert "exit code 3" in result.out
    assert "    | 100\n" in result.out
    assert "    | 50\n" not in result.out
    assert "| fine" not in result.out
    assert result.err == ""


def test_the_whole_of_the_json(repo: Repo) -> None:
    repo.policy(policy_of("echo out", ["sh", "-c", "exit 7"]))
    made = verify(repo, "--task", "T-1")
    assert set(made) == {
        "version", "outcome", "exit_code", "problem", "tree", "base", "task_id", "runs", "inspections", "attachments",
        "claims", "suggested", "summary", "notices", "withheld", "recorded", "log_id",
    }  # fmt: skip
    assert (made["version"], made["outcome"], made["exit_code"], made["problem"]) == (1, "no-go", 1, None)
    assert made["tree"] == repo.git("rev-parse", "HEAD^{tree}")
    assert made["base"] == repo.git("rev-parse", "HEAD^{tree}")
    assert (made["task_id"], made["log_id"], made["summary"]) == ("T-1", 1, None)
    first, second = made["runs"]
    assert first | {"duration_sec": 0} == {
        "id": "E1",
        "command": "echo out",
        "source": "policy",
        "exit_code": 0,
        "problem": None,
        "duration_sec": 0,
        "output_bytes": 4,
        "digest": hashlib.sha256(b"out\n").hexdigest(),
        "tail": "out",
        "changed": [],
        "more_changed": 0,
    }
    assert 0 < first["duration_sec"] < 30
    assert (second["id"], second["command"], second["exit_code"]) == ("E2", ["sh", "-c", "exit 7"], 7)


def test_it_is_on_the_record_under_the_users_seal(repo: Repo) -> None:
    repo.policy(policy_of("echo out"))
    made = verify(repo, TWOAGENT_TASK="T-2")
    [row] = rows(repo)
    assert (row["role"], row["result"], row["task_id"], row["author"]) == ("verifier", "go", "T-2", None)
    assert row["tree"] == made["tree"]
    assert row["evidence"]["base"] == made["base"]
    assert row["evidence"]["verification"] | {"log_id": 1} == made
    assert len(row["evidence"]["seal"]) == 64


def test_a_log_that_cant_be_written_loses_no_verdict(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    (repo.root / ".git" / "twoagent-hook").write_text("in the way")
    result = repo.call("verify", "--output-format", "json")
    assert (result.code, result.json["outcome"], result.json["log_id"]) == (0, "go", None)
    assert "not on the record" in result.err


def test_without_commands_there_is_no_verdict(repo: Repo) -> None:
    result = repo.call("verify")
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("no verification: the policy names no `verify-commands`")
    assert "\nwhat to do: " in result.err
    assert verify(repo)["outcome"] == "not-run"
    assert {row["result"] for row in rows(repo)} == {"not-run"}


def test_shell_lines_and_argument_lists(repo: Repo) -> None:
    repo.policy(policy_of("echo $((1 + 1)) | tr 2 3; cd .. && ls", ["printf", "%s|", "$HOME", "a b", ";"]))
    assert tails(verify(repo)) == ["3\ncheckout", "$HOME|a b|;|"]


def test_both_outputs_stand_in_the_order_in_which_they_were_written(repo: Repo) -> None:
    repo.policy(policy_of("for i in 1 2 3; do echo o$i; echo e$i >&2; done"))
    assert tails(verify(repo)) == ["o1\ne1\no2\ne2\no3\ne3"]


def test_standard_input_is_empty(repo: Repo) -> None:
    repo.policy(policy_of("cat; echo end"))
    assert tails(verify(repo)) == ["end"]


@pytest.mark.parametrize(
    ("command", "code", "problem"),
    [
        ("no-such-program --x", 127, "not found"),
        (["no-such-program"], 127, "not found"),
        (["./app.py"], 126, "can't be run"),
        ("kill -9 $$", None, "killed by signal 9 (SIGKILL)"),
        (["sh", "-c", "kill -TERM $$"], None, "killed by signal 15 (SIGTERM)"),
        (["a" * 200_000], None, "can't be started"),
    ],
)
def test_what_is_wrong_beside_the_exit_code(command: Any, code: int | None, problem: str, repo: Repo) -> None:
    repo.policy(policy_of(command))
    made = verify(repo)
    assert (made["outcome"], codes(made)) == ("no-go", [code])
    assert problem in made["runs"][0]["problem"]


def test_what_could_not_be_seen_or_is_secret_is_not_in_the_tail(repo: Repo) -> None:
    token = "ghp_" + "a1B2c3D4e5" * 4
    repo.policy(policy_of(["printf", "%b", r"\033[31mred\033[0m\n\033]0;title\a\nbad:\0377\n" + f"t={token}\\n"]))
    [tail] = tails(verify(repo))
    assert tail.split("\n") == ["red", "\\u{1b}]0;title\\u{7}", "bad:\\xff", "t=⟦secret:github-token#1⟧"]
    assert token not in repo.call("log", "show", "1").text.replace(f"t={token}\\\\n", "")


def test_only_the_end_of_an_output_is_kept(repo: Repo) -> None:
    repo.policy(policy_of("seq 1 20000"))
    made = verify(repo)
    output = "".join(f"{number}\n" for number in range(1, 20001)).encode()
    [run] = made["runs"]
    assert (run["output_bytes"], run["digest"]) == (len(output), hashlib.sha256(output).hexdigest())
    assert len(run["tail"]) == 4000
    assert run["tail"].endswith("19999\n20000")


# --- what a command may do ----------------------------------------------------------------------------------


@pytest.fixture
def nap() -> Iterator[str]:
    """A length for `sleep` that no other test has; nobody sleeps for so long afterwards."""
    made = f"60.{uuid.uuid4().int % 10**12:012d}"
    yield made
    until = time.monotonic() + 3
    while (left := sleeping(made)) and time.monotonic() < until:
        time.sleep(0.05)
    for one in left:
        with suppress(psutil.Error):
            one.kill()
    assert left == []


def sleeping(nap: str) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if nap in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def test_one_that_hangs_is_ended(repo: Repo, nap: str) -> None:
    repo.policy(policy_of(f"echo begun; sleep {nap}", f"trap '' TERM; sleep {nap}; sleep {nap}", "echo after"))
    started = time.monotonic()
    made = verify(repo, "--timeout", "0.7")
    assert time.monotonic() - started < 15
    assert made["outcome"] == "no-go"
    assert codes(made) == [None, None, 0]
    assert made["runs"][0]["problem"] == "it took longer than 0.7 s, and was ended"
    assert tails(made) == ["begun", "", "after"]


DAEMON = """
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", sys.argv[1]])
    os._exit(0)
os.wait()
"""


def test_what_leaves_it_ends_with_it(repo: Repo, nap: str) -> None:
    repo.policy(
        policy_of(
            f"sleep {nap} & echo done",
            f"setsid nohup sleep {nap} >/dev/null 2>&1 & echo done",
            [sys.executable, "-c", DAEMON, nap],
        )
    )
    started = time.monotonic()
    made = verify(repo)
    assert time.monotonic() - started < 20
    assert (made["outcome"], codes(made)) == ("go", [0, 0, 0])


@pytest.mark.parametrize("command", ["head -c 2G /dev/zero", "yes 'a line of some length, again and again'"])
def test_an_endless_output_is_cut_and_not_held(command: str, repo: Repo) -> None:
    repo.policy(policy_of(command))
    # By a small process in between: a child begins with what its parent has used.
    watch = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:]).returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
        "sys.exit(code)"
    )
    result = repo.python("-IS", "-c", watch, str(SCRIPT), "verify", "--output-format", "json")
    made = result.json
    assert (result.code, made["outcome"], codes(made)) == (1, "no-go", [None])
    [run] = made["runs"]
    assert run["problem"] == "it wrote more than 64 MB, and was ended"
    assert run["output_bytes"] == 64 << 20
    assert int(result.err) < 250 << 10  # KiB


def state(repo: Repo) -> dict[str, bytes]:
    """All of the user's repository and files that a stray command could have changed, objects by name."""
    found = {}
    for path in sorted(repo.root.rglob("*")):
        name = str(path.relative_to(repo.root))
        if name.startswith(".git/twoagent-hook") or path.is_dir():
            continue
        found[name] = b"" if name.startswith(".git/objects/") else os.fsencode(path.read_bytes().hex())
    return found


HARM = [
    "rm -rf .git",
    "git -c user.name=n -c user.email=e commit -q --allow-empty -m mine && git tag mine && git branch mine",
    "git config user.name changed; git config core.hooksPath hooks; git config filter.x.clean 'touch pwned'",
    "echo mine > app.py; git add -A; git stash list; git reset -q --hard; git gc -q --prune=now; git prune",
    "git update-ref -d HEAD; git update-ref refs/heads/main HEAD; git worktree prune; git checkout -q --orphan o",
    "rm -rf .git && git add -A; git commit -q -m stray",
    "git init -q . && git fsck && git repack -adq && git reflog expire --all --expire=now",
    'rm -rf "$PWD"',
    'd="$PWD"; cd /; rm -rf "$d"; ln -s /etc "$d"',
    "rm -rf .git; ln -s /tmp .git; chmod 0 app.py; chmod 0 .",
]


@pytest.mark.parametrize("command", HARM)
def test_what_it_does_to_its_repository_is_done_to_nobody_elses(command: str, repo: Repo, places: Path) -> None:
    """Nor to the next command."""
    repo.policy(policy_of(command, "git status --porcelain && git log --format=%s%d && cat app.py"))
    repo.git("tag", "v1")
    repo.stage("new.py", "x = 1\n")
    repo.git("write-tree")
    before = state(repo)
    made = verify(repo)
    assert state(repo) == before
    assert codes(made)[1] == 0
    said = tails(made)[1].split("\n")
    assert said[:3] == ["what is verified (HEAD)", "policy (tag: v1)", "base"]
    assert "\n".join(said[3:]) + "\n" == repo.read("app.py")


CHANGES = [
    ("echo mine >> app.py", ["app.py"]),
    ("rm app.py", ["app.py"]),
    ("rm -rf src", ["src/a", "src/b"]),
    ("chmod +x app.py", ["app.py"]),
    ("rm app.py; ln -s /etc/passwd app.py", ["app.py"]),
    ("rm app.py; mkdir -p app.py/x/y; touch app.py/x/y/z", ["app.py"]),
    ("mv src elsewhere; ln -s elsewhere src", ["src/a", "src/b"]),
    ("rm -rf src; mkfifo src", ["src/a", "src/b"]),
    ("t=$(stat -c %y app.py); printf %s \"$(cat app.py | tr a b)\" > app.py; echo >> app.py; touch -d \"$t\" app.py", ["app.py"]),
    ("chmod 0 src", []),
    ("touch app.py; echo x > untracked; echo '*' > .git/info/exclude", []),
    ("git rm -q --cached app.py; git update-index --assume-unchanged src/a", []),
]  # fmt: skip


@pytest.mark.parametrize(("command", "changed"), CHANGES)
def test_each_command_finds_the_tree_as_it_is(command: str, changed: list[str], repo: Repo, places: Path) -> None:
    repo.write("src/a", "a\n")
    repo.write("src/b", "b\n")
    repo.commit_all()
    listing = "git ls-files -s && git diff HEAD && cat app.py src/a src/b && git status --porcelain -uno"
    repo.policy(policy_of(listing, command, listing))
    made = verify(repo)
    assert made["outcome"] == "go"
    first, second, third = made["runs"]
    assert second["changed"] == changed
    assert first["changed"] == third["changed"] == []
    assert third["digest"] == first["digest"]
    if changed:
        assert "E2 changed tracked files" in repo.call("verify").out


def test_what_it_wrote_beside_the_tree_is_there_for_the_next(repo: Repo) -> None:
    repo.policy(policy_of("mkdir build; echo built > build/out; echo *.pyc > .gitignore", "cat build/out"))
    assert tails(verify(repo))[1] == "built"


def test_of_many_changed_files_twenty_are_named(repo: Repo) -> None:
    for number in range(30):
        repo.write(f"f{number:02}", "x")
    repo.commit_all()
    repo.policy(policy_of("for f in f*; do echo y > $f; done; exit 1", "grep -L y f*"))
    made = verify(repo)
    assert made["runs"][0]["changed"] == [f"f{number:02}" for number in range(20)]
    assert made["runs"][0]["more_changed"] == 10
    assert tails(made)[1].count("f") == 30
    assert "and 10 more" in repo.call("verify").out


def immutable(folder: Path) -> bool:
    """Whether a file there can be kept from being written, by a user that may do that, and let go again."""
    probe = folder / "probe"
    probe.touch()
    calls = [subprocess.run(["chattr", flag, probe], check=False, capture_output=True) for flag in ("+i", "-i")]
    return not any(call.returncode for call in calls)


def test_one_that_cant_be_put_right_again_is_the_last(repo: Repo, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    if not shutil.which("chattr") or not immutable(folder):
        pytest.skip("files can't be made immutable here")
    repo.policy(policy_of("echo x >> app.py; chattr +i app.py", "echo never"))
    made = repo.run("verify", "--output-format", "json", TMPDIR=str(folder)).json
    subprocess.run(["chattr", "-R", "-i", folder], check=False, capture_output=True)
    assert (made["outcome"], codes(made)) == ("no-go", [0])
    assert "nothing more was run" in made["runs"][0]["problem"]


def test_what_was_put_back_is_looked_at_again(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.root)
    environment = Environment(repo.environment)
    with Workspace(git.locate(environment), environment) as workspace:
        with Checkout(workspace, Subject(workspace.trees().tree)) as checkout:
            (Path(checkout.root) / "app.py").write_text("changed")
            with pytest.raises(GitError):
                checkout.put_back([])
            checkout.put_back(["app.py"])
            assert (Path(checkout.root) / "app.py").read_text() == repo.read("app.py")


def test_deep_and_locked_folders_are_cleared_away(repo: Repo, places: Path) -> None:
    deep = "import os\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')"
    repo.policy(policy_of([sys.executable, "-c", deep], "mkdir -p l/m; touch l/m/f; chmod 0555 l/m; chmod 0 l"))
    assert verify(repo)["outcome"] == "go"


# --- the environment ----------------------------------------------------------------------------------------


SECRET = {
    "OPENAI_API_KEY": "sk-none-of-your-business",
    "GITHUB_TOKEN": "short",
    "MY_TOKEN_FILE": "/run/x",
    "DB_PASSWORD": "hunter2hunter2",
    "COPY_OF_IT": "prefix hunter2hunter2 suffix",
    "INNOCENT": "ghp_" + "a1B2c3D4e5" * 4,
    "STORE": "postgres://user:pw12345@db.example.com/x",
    "SSH_AUTH_SOCK": "/run/agent",
    "AWS_SECRET_ACCESS_KEY": "x",
    "LOOP_NAME": KEY,
}
AGENT = {"CLAUDECODE": "1", "CODEX_SANDBOX": "x", "AI_AGENT": "goose", "CURSOR_AGENT": "1"}
OURS = {"TWOAGENT_TASK": "T", "TWOAGENT_AUTHOR": "human", "GIT_AUTHOR_DATE": "@1 +0000", "GIT_EDITOR": "ed"}
PASSED = {
    "STORE_HERE": "postgres://postgres:postgres@localhost:5432/test",
    "TOKENIZERS_PARALLELISM": "false",
    "LANG": "C.UTF-8",
    "KEYBOARD": "de",
    "AUTHOR": "me",
    "MAX_TOKENS": "100",
}


def test_a_command_has_the_users_environment_without_keys(repo: Repo, configure: Configure) -> None:
    configure(
        "http://127.0.0.1:1/v1", '[providers.other]\nbase-url = "https://e.example/v1"\napi-key-env = "LOOP_NAME"'
    )
    shown = "; ".join(f'echo "${{{name}}}"' for name in (*PASSED, "HOME"))
    repo.policy(policy_of("env -0 | cut -z -d= -f1 | tr '\\0' '\\n'", shown))
    made = verify(repo, **SECRET, **AGENT, **OURS, **PASSED)
    names, values = (tail.split("\n") for tail in tails(made))
    assert not set(names) & (set(SECRET) | set(AGENT) | set(OURS))
    assert values == [*PASSED.values(), repo.environment["HOME"]]
    ours = {name for name in names if name.startswith(("GIT_", "TWOAGENT_"))}
    assert ours == {"GIT_CEILING_DIRECTORIES", "TWOAGENT_RUN"}
    assert set(made["withheld"]) == set(SECRET) - {"SSH_AUTH_SOCK"}
    assert not any(value in json.dumps(rows(repo)) for value in ("hunter2", "pw12345", KEY))


def test_path_is_the_users_own(repo: Repo) -> None:
    """With the folders of the repository that the product itself does not look into."""
    tools = repo.root / "tools"
    repo.write("tools/greet", "#!/bin/sh\necho hello\n", mode=0o755)
    repo.policy(policy_of("greet; echo $PATH"))
    path = os.pathsep.join((str(tools), repo.environment["PATH"]))
    assert tails(verify(repo, PATH=path)) == [f"hello\n{path}"]


@pytest.mark.parametrize("made_by", [".install_state_v1", ".install_state_v2", ".prek-hook.json", None])
def test_the_environment_of_a_framework_is_none_of_the_commands(
    made_by: str | None, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "py_env"
    (own / "bin").mkdir(parents=True)
    if made_by:
        (own / made_by).touch()
    monkeypatch.setattr(sys, "prefix", str(own))
    consent(repo)
    repo.policy(policy_of("echo $PATH; echo ${VIRTUAL_ENV-none}"))
    path = repo.environment["PATH"]
    made = verify(repo, PATH=f"{own}/bin:{path}", VIRTUAL_ENV=str(own), PRE_COMMIT="1")
    assert tails(made) == [f"{path}\nnone" if made_by else f"{own}/bin:{path}\n{own}"]


def test_git_never_finds_a_repository_above(repo: Repo, tmp_path: Path) -> None:
    """Where the folder for temporary files lies in one, and a command takes its own away."""
    outer = Repo(tmp_path / "outer", repo.environment)
    outer.write("a", "a")
    outer.commit_all()
    repo.policy(policy_of("rm -rf .git; git rev-parse --git-dir"))
    (outer.root / "tmp").mkdir()
    made = repo.run("verify", "--output-format", "json", TMPDIR=str(outer.root / "tmp")).json
    assert codes(made) == [128]
    assert "not a git repository" in tails(made)[0]


def test_a_checkout_inside_of_the_repository_is_refused(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    (repo.root / "tmp").mkdir()
    result = repo.run("verify", TMPDIR=str(repo.root / "tmp"))
    assert result.code == 2
    assert "lies inside of the repository" in result.err
    assert "TMPDIR" in result.err


# --- exactly the tree ---------------------------------------------------------------------------------------


def test_it_is_the_index_and_not_the_files(repo: Repo) -> None:
    repo.policy(policy_of("cat app.py new.py; ls -A", more='exclude = ["x"]\n'))
    repo.write(".gitignore", "ignored\n")
    repo.stage("app.py", "staged\n")
    repo.stage("new.py", "new\n")
    repo.write("app.py", "not staged\n")
    repo.write("untracked.py", "x")
    repo.write("ignored", "x")
    made = verify(repo)
    assert made["tree"] == repo.git("write-tree")
    assert tails(made) == ["staged\nnew\n.git\n.twoagent-hook.toml\napp.py\nnew.py"]


def test_it_is_the_tree_that_a_review_names(repo: Repo) -> None:
    repo.policy(policy_of("git rev-parse HEAD^{tree} HEAD^"))
    repo.stage("a.py", "x = 1\n")
    made = verify(repo)
    assert made["tree"] == repo.review("--reviewer", "rules")["tree"]
    assert tails(made) == [f"{made['tree']}\n{repo.head}"]


def test_a_commit_in_place_of_the_index(repo: Repo) -> None:
    repo.policy(policy_of("git rev-parse HEAD; git describe --tags; cat app.py"))
    repo.stage("app.py", "second\n")
    second = repo.commit_all("second")
    repo.git("tag", "-a", "v2", "-m", "v2")
    repo.stage("app.py", "third\n")
    repo.commit_all("third")
    made = verify(repo, "--commit", "HEAD~1")
    assert made["tree"] == repo.git("rev-parse", "HEAD~1^{tree}")
    assert made["base"] == repo.git("rev-parse", "HEAD~2^{tree}")
    assert tails(made) == [f"{second}\nv2\nsecond"]


@pytest.mark.parametrize("revision", ["no-such", "HEAD:app.py", "--all", ""])
def test_what_is_no_commit_is_refused(revision: str, repo: Repo) -> None:
    repo.policy(policy_of("true"))
    if not revision:
        assert verify(repo, f"--commit={revision}")["outcome"] == "go"  # as if it were not given
        return
    made = verify(repo, f"--commit={revision}")
    assert (made["outcome"], made["exit_code"]) == ("error", 2)
    assert "is no commit here" in made["problem"]["what"]


def test_a_first_commit(empty_repo: Repo) -> None:
    empty_repo.stage(".twoagent-hook.toml", policy_of("git log --format=%s; ls"))
    empty_repo.stage("a", "x")
    made = verify(empty_repo)
    assert tails(made) == ["what is verified\na"]
    assert "policy: new in this change" in made["notices"]


def test_another_index(repo: Repo, tmp_path: Path) -> None:
    """As `git commit FILE` has it; a hook is what sees one, and needs consent."""
    consent(repo)
    repo.policy(policy_of("cat app.py"))
    other = str(tmp_path / "index")
    shutil.copy(repo.root / ".git" / "index", other)
    repo.write("app.py", "in the other\n")
    repo.git("add", "app.py", GIT_INDEX_FILE=other)
    assert tails(verify(repo, GIT_INDEX_FILE=other)) == ["in the other"]


def test_a_worktree(repo: Repo, tmp_path: Path) -> None:
    repo.policy(policy_of("cat app.py; git log -1 --format=%s HEAD^"))
    repo.git("worktree", "add", "-q", str(tmp_path / "wt"))
    other = Repo(tmp_path / "wt", repo.environment, init=False)
    other.stage("app.py", "in the worktree\n")
    assert tails(verify(other)) == ["in the worktree\npolicy"]
    assert rows(repo)[0]["result"] == "go"


def test_a_repository_with_sha256(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path / "repo", clean_environment, object_format="sha256")
    repo.write("a", "x")
    repo.commit_all()
    repo.policy(policy_of("git rev-parse HEAD^{tree}; git fsck"))
    made = verify(repo)
    assert len(made["tree"]) == 64
    assert tails(made)[0].startswith(made["tree"])
    assert made["outcome"] == "go"


def test_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    repo.policy(policy_of("git log --format=%s"))
    shutil.copytree(repo.root, tmp_path / "x")
    repo.git("clone", "-q", "--depth=1", f"file://{repo.root}", str(tmp_path / "shallow"))
    other = Repo(tmp_path / "shallow", repo.environment, init=False)
    assert tails(verify(other)) == ["what is verified\npolicy"]


HOSTILE = [
    b"-rf",
    b"a\nb",
    b"\xff\xfe",
    "ü ☃".encode(),
    b"a\\b",
    b"$(touch pwned)",
    b" ",
    b"d/-/;",
    b"*",
    b"~",
    b"a\tb'\"",
]


def test_hostile_names_links_and_modes_are_as_in_the_tree(repo: Repo) -> None:
    for name in HOSTILE:
        repo.stage(name, name)
    repo.stage("run.sh", "#!/bin/sh\necho ran\n", mode=0o755)
    (repo.root / "link").symlink_to("app.py")
    (repo.root / "broken").symlink_to("/no/where\nat all")
    repo.git("add", "link", "broken")
    repo.policy(policy_of([sys.executable, "-c", LISTED]))
    made = verify(repo)
    assert made["outcome"] == "go", made
    entries = json.loads(made["runs"][0]["tail"].replace("\\x", "\\\\x"))
    found = {bytes.fromhex(name): (kind, content) for name, kind, content in entries}
    assert {name: found[name] for name in HOSTILE} == {name: ("100644", name.hex()) for name in HOSTILE}
    assert found[b"run.sh"][0] == "100755"
    assert found[b"link"] == ("120000", b"app.py".hex())
    assert found[b"broken"] == ("120000", b"/no/where\nat all".hex())
    assert len(found) == len(HOSTILE) + 4


LISTED = """
import json, os
found = []
for folder, folders, files in os.walk(b"."):
    folders[:] = [name for name in folders if name != b".git"]
    for name in files:
        path = os.path.join(folder, name)
        link = os.path.islink(path)
        mode = "120000" if link else "100755" if os.stat(path).st_mode & 0o100 else "100644"
        content = os.readlink(path) if link else open(path, "rb").read()
        if name != b".twoagent-hook.toml":
            found.append([path[2:].hex(), mode, content.hex()])
print(json.dumps(found))
"""

ATTRIBUTES = """\
*.crlf text eol=crlf
*.id ident
*.lfs filter=harm
*.enc working-tree-encoding=UTF-16LE
*.auto text=auto
[attr]deep eol=crlf text
*.deep deep
"""


def test_no_attribute_of_the_tree_and_no_filter_of_the_user_changes_a_byte(repo: Repo, tmp_path: Path) -> None:
    repo.git("config", "--global", "filter.harm.smudge", f"touch {tmp_path}/pwned; cat")
    repo.git("config", "--global", "filter.harm.clean", "cat")
    repo.git("config", "--global", "core.autocrlf", "true")
    contents = {
        "a.crlf": "one\ntwo\n",
        "a.id": "$Id$\n",
        "a.lfs": "x\n",
        "a.enc": "text\n",
        "a.auto": "one\ntwo\n",
        "a.deep": "one\n",
        "a.mixed": "one\r\ntwo\n",
    }
    for name, content in contents.items():
        oid = repo.git("hash-object", "-w", "--no-filters", "--stdin", stdin=content.encode())
        repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{name}")
    repo.stage(".gitattributes", ATTRIBUTES)
    repo.policy(policy_of([sys.executable, "-c", LISTED], "git status --porcelain"))
    made = verify(repo)
    found = {
        bytes.fromhex(name).decode(): bytes.fromhex(content).decode()
        for name, _, content in json.loads(tails(made)[0])
    }
    assert {name: found[name] for name in contents} == contents
    assert tails(made)[1] == ""
    assert not (tmp_path / "pwned").exists()


def test_the_users_hooks_are_not_run(repo: Repo, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n")
        (hooks / name).chmod(0o755)
    repo.policy(policy_of("git -c user.name=n -c user.email=e commit -q --allow-empty -m x && git checkout -q -b y"))
    repo.git("config", "--global", "core.hooksPath", str(hooks))
    assert verify(repo)["outcome"] == "go"
    assert not (tmp_path / "pwned").exists()


def test_submodules_stay_empty_and_that_is_said(repo: Repo) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},lib/sub")
    repo.policy(policy_of("ls -A lib/sub && git status --porcelain"))
    made = verify(repo)
    assert tails(made) == [""]
    assert "submodules are empty folders in the checkout: lib/sub" in made["notices"]
    assert "lib/sub" in repo.call("verify").out


def test_an_object_that_is_missing_is_told(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    oid = repo.git("rev-parse", "HEAD:app.py")
    (repo.root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    made = verify(repo, "--commit", "HEAD")
    assert (made["outcome"], made["exit_code"]) == ("error", 2)
    assert made["problem"]["what"].startswith("the checkout can't be used: git checkout-index")


# --- the policy ---------------------------------------------------------------------------------------------


def test_commands_are_the_bases_and_not_the_changes(repo: Repo) -> None:
    repo.policy(policy_of("echo of the base"))
    repo.stage(".twoagent-hook.toml", policy_of("echo of the change"))
    made = verify(repo)
    assert tails(made) == ["of the base"]
    assert "policy: this change changes it, which counts from the next commit on" in made["notices"]


def test_a_commit_is_verified_by_the_policy_before_it(repo: Repo) -> None:
    repo.policy(policy_of("echo before"))
    repo.policy(policy_of("echo after"))
    assert tails(verify(repo, "--commit", "HEAD")) == ["before"]
    assert tails(verify(repo)) == ["after"]


@pytest.mark.parametrize("flag", ["--isolated", "--config"])
def test_other_places_for_settings(flag: str, repo: Repo, tmp_path: Path) -> None:
    repo.policy(policy_of("true"))
    if flag == "--isolated":
        assert verify(repo, flag)["outcome"] == "not-run"
    else:
        (tmp_path / "own.toml").write_text("no-such-key = 1\n")
        made = verify(repo, flag, str(tmp_path / "own.toml"))
        assert (made["outcome"], "unknown key" in made["problem"]["what"]) == ("error", True)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "86401"])
def test_a_time_limit_that_is_none(seconds: str, repo: Repo) -> None:
    repo.policy(policy_of("true"))
    made = verify(repo, f"--timeout={seconds}")
    assert (made["outcome"], made["exit_code"]) == ("error", 2)
    assert "--timeout" in made["problem"]["what"]
    assert rows(repo)[0]["result"] == "error"


def test_outside_of_a_repository(tmp_path: Path, repo: Repo) -> None:
    result = repo.call("verify", "--output-format", "json", cwd=tmp_path)
    assert (result.code, result.json["outcome"]) == (2, "error")
    assert result.err.startswith("no verification: git finds no repository")


# --- beside runs --------------------------------------------------------------------------------------------


def test_what_was_looked_at_is_recorded_and_is_no_verdict(repo: Repo) -> None:
    result = repo.call("verify", "--inspect", "the page\nlooks right \x1b[31m", "--inspect", "so does the other")
    assert result.code == 2
    assert "not run  nothing was run" in result.out
    assert "neither go nor no-go" in result.out
    assert "2 inspections" in result.out
    assert "\x1b" not in result.out
    [row] = rows(repo)
    assert row["result"] == "not-run"
    assert [item["id"] for item in row["evidence"]["verification"]["inspections"]] == ["I1", "I2"]


def test_looking_does_not_take_the_place_of_running(repo: Repo) -> None:
    repo.policy(policy_of("false"))
    assert verify(repo, "--inspect", "all is well")["outcome"] == "no-go"
    assert verify(repo, "--inspect", " ")["problem"]["what"] == "--inspect says nothing"


def test_a_file_is_attached_with_a_copy(repo: Repo, tmp_path: Path) -> None:
    repo.write("shots/a.png", b"\x89PNG one")
    (tmp_path / "b.log").write_bytes(b"two")
    made = verify(
        repo, "--attach", "shots/a.png", "--attach", str(tmp_path / "b.log"), "--attach", "./shots/../shots/a.png"
    )
    assert (made["outcome"], made["exit_code"]) == ("not-run", 2)
    digest = hashlib.sha256(b"\x89PNG one").hexdigest()
    first, second, third = made["attachments"]
    assert first == {"id": "A1", "path": "shots/a.png", "digest": digest, "bytes": 8}
    assert second["path"] == "b.log"
    assert third == first | {"id": "A3"}
    copy = repo.root / ".git" / "twoagent-hook" / "attachments" / digest
    assert copy.read_bytes() == b"\x89PNG one"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert len(list(copy.parent.iterdir())) == 2


def test_no_link_is_followed_and_nothing_else_than_a_file_is_taken(repo: Repo, tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "key"
    secret.parent.mkdir()
    secret.write_text("private")
    (repo.root / "shot.png").symlink_to(secret)
    (repo.root / "shots").symlink_to(secret.parent)
    os.mkfifo(repo.root / "pipe")
    for name, said in (
        ("shot.png", "is a link"),
        ("shots/key", "is a link"),
        ("pipe", "can't be read"),
        (".", "can't be read"),
        ("none", "can't be read"),
    ):
        made = verify(repo, "--attach", name)
        assert (made["outcome"], made["exit_code"]) == ("error", 2)
        assert said in made["problem"]["what"], name
    assert not (repo.root / ".git" / "twoagent-hook" / "attachments").exists()


def test_a_large_file_is_refused(repo: Repo) -> None:
    with open(repo.root / "large", "wb") as file:
        file.truncate((20 << 20) + 1)
    assert "larger than 20 MB" in verify(repo, "--attach", "large")["problem"]["what"]


def test_where_no_copy_can_be_kept_the_digest_is(repo: Repo) -> None:
    repo.write("a", "x")
    (repo.root / ".git" / "twoagent-hook").mkdir()
    (repo.root / ".git" / "twoagent-hook" / "attachments").symlink_to(repo.root)
    made = verify(repo, "--attach", "a")
    assert made["attachments"][0]["digest"] == hashlib.sha256(b"x").hexdigest()
    assert any("no copy could be kept" in notice for notice in made["notices"])
    assert not (repo.root / hashlib.sha256(b"x").hexdigest()).exists()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://example.com/a/b?page=2&view=full#top", "https://example.com/a/b?page=2&view=full"),
        ("https://me:pw@example.com:8443/x", "https://example.com:8443/x"),
        ("https://s3.example.com/o?X-Amz-Signature=ab&X-Amz-Credential=cd&v=1", "https://s3.example.com/o?v=1"),
        ("http://localhost:3000/?token=abc&sig=x&key=1&code=2", "http://localhost:3000/"),
        ("https://e.example/?blob=" + "a" * 200, "https://e.example/"),
    ],
)
def test_an_address_is_recorded_without_secrets(given: str, kept: str, repo: Repo) -> None:
    made = verify(repo, "--attach", given)
    assert made["attachments"] == [{"id": "A1", "url": kept, "digest": None, "bytes": None}]
    assert not (repo.root / ".git" / "twoagent-hook" / "attachments").exists()


@pytest.mark.parametrize(
    "given", ["ftp://example.com/x", "file:///etc/passwd", "https://", "https://[::1", "https://h:99999/"]
)
def test_an_address_that_is_none_of_the_webs(given: str) -> None:
    assert verification.is_address(given)
    with pytest.raises(UsageError):
        verification.clean_address(given)


def test_an_address_is_not_asked_for(repo: Repo, serve: Serve) -> None:
    server = serve()
    assert verify(repo, "--attach", f"{server.origin}/x")["exit_code"] == 2
    assert server.connections == 0


NOTES = "## Tests run\n- `make test` passes\n- `pytest   -q` passed\n- `npm test` is ok\n\nAll tests pass.\n"


def test_claims_are_held_against_what_ran(repo: Repo) -> None:
    repo.write("notes.md", NOTES)
    repo.write("plan.md", "The tests passed before. All checks are green.\n")
    repo.policy(policy_of("make test", ["pytest", "-q"]))
    repo.write("bin/make", "#!/bin/sh\nexit 1\n", mode=0o755)
    repo.write("bin/pytest", "#!/bin/sh\nexit 0\n", mode=0o755)
    path = f"{repo.root}/bin:{repo.environment['PATH']}"
    made = verify(repo, "--notes", "notes.md", "--plan", "plan.md", PATH=path)
    assert [(claim["command"], claim["status"], claim["by"]) for claim in made["claims"]] == [
        ("make test", "contradicted", ["E1"]),
        ("pytest   -q", "confirmed", ["E2"]),
        ("npm test", "unverified", []),
        (None, "contradicted", ["E1"]),
        (None, "contradicted", ["E1"]),
    ]
    assert made["claims"][-1]["source"] == "plan.md"
    text = repo.call("verify", "--notes", "notes.md", PATH=path).out
    assert "contradicted by E1: `make test` passes (notes.md)" in text
    assert "unverified: `npm test` is ok (notes.md)" in text


def test_claims_beside_a_go_are_counted(repo: Repo) -> None:
    repo.write("notes.md", NOTES)
    repo.policy(policy_of("true"))
    assert "claims: 1 confirmed, 3 unverified" in repo.call("verify", "--notes", "notes.md").out
    assert "can't be read" in verify(repo, "--notes", "none.md")["problem"]["what"]


# --- what a reviewer suggested ------------------------------------------------------------------------------


def reviewed(repo: Repo, serve: Serve, configure: Configure, *commands: str) -> None:
    """A change with a genuine review on record that suggests these."""
    configure(serve(says("approve", verification_commands=list(commands))))
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("new.py", "x = 1\n")
    assert repo.review()["outcome"] == "approve"


def test_what_the_reviewer_suggests_is_listed_and_not_run(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.policy(policy_of("make  test || true"))
    reviewed(repo, serve, configure, "touch pwned; echo \x1b[2J", "make test || true", "pytest -q")
    made = verify(repo)
    assert made["suggested"] == ["touch pwned; echo \\u{1b}[2J", "pytest -q"]
    assert len(made["runs"]) == 1
    assert "2 suggested, not run" in repo.call("verify").out


def test_suggestions_alone_are_no_verdict(repo: Repo, serve: Serve, configure: Configure) -> None:
    reviewed(repo, serve, configure, "pytest -q")
    result = repo.call("verify")
    assert result.code == 2
    assert "suggested by the reviewer, not run\n  pytest -q\n" in result.out
    assert "--run-suggested" in result.err


def test_a_review_of_somebody_elses_suggests_nothing(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.policy(policy_of("true"))
    reviewed(repo, serve, configure, "echo suggested")
    shutil.rmtree(Path(repo.environment["XDG_STATE_HOME"]) / "twoagent-hook")  # another user's key
    assert verify(repo)["suggested"] == []


def test_suggestions_are_run_at_a_terminal_alone(repo: Repo, serve: Serve, configure: Configure) -> None:
    reviewed(repo, serve, configure, "echo suggested")
    for more in ({}, {"CLAUDECODE": "1"}, {"PRE_COMMIT": "1"}):
        made = verify(repo, "--run-suggested", **more)
        assert (made["outcome"], made["exit_code"]) == ("error", 2)
    agent = terminal.converse(
        [SCRIPT, "verify", "--run-suggested"], cwd=repo.root, environment=repo.environment | {"CLAUDECODE": "1"}
    )
    assert agent.code == 2
    assert "an agent runs this" in agent.text
    machine = terminal.converse(
        [SCRIPT, "verify", "--run-suggested", "--output-format", "json"], cwd=repo.root, environment=repo.environment
    )
    assert machine.code == 2


def test_a_human_picks_suggestions(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.policy(policy_of("echo own"))
    reviewed(repo, serve, configure, "echo one; exit 4", "echo two", "echo \x1b[31mthree", "echo four")
    answers = [("echo one; exit 4\n", "y\n"), ("echo two\n", "\n"), ("suggestion 3", "n\n")]
    shown = terminal.converse(
        [SCRIPT, "verify", "--run-suggested"],
        *answers,
        cwd=repo.root,
        environment=repo.environment,
    )
    assert shown.code == 1, shown
    assert "left out, since it can't be shown as it is: suggestion 3" in shown.text
    assert "The reviewer suggests (4 of 4):" in shown.text
    assert "1 of 2 commands failed" in shown.text
    made = rows(repo)[0]["evidence"]["verification"]
    assert [(run["command"], run["source"], run["exit_code"]) for run in made["runs"]] == [
        ("echo own", "policy", 0),
        ("echo one; exit 4", "suggested", 4),
    ]
    assert made["suggested"] == ["echo two", "echo \\u{1b}[31mthree", "echo four"]


def test_no_answer_runs_nothing(repo: Repo, serve: Serve, configure: Configure) -> None:
    reviewed(repo, serve, configure, "echo one", "echo two")
    shown = terminal.converse(
        [SCRIPT, "verify", "--run-suggested"], ("[y/N]", terminal.END), cwd=repo.root, environment=repo.environment
    )
    assert shown.code == 2, shown
    assert "(2 of 2)" not in shown.text


# --- a model sums it up -------------------------------------------------------------------------------------


def sums_up(verdict: str, **values: Any) -> Script:
    return says(verdict, **{"claims": [], "concerns": [], **values})


@pytest.fixture
def summed(repo: Repo, configure: Configure) -> Callable[..., Any]:
    """Verify with a verifier that says this."""
    repo.environment["LOOP_KEY"] = KEY

    def run(server: Server | str, *commands: Any, roles: bool = True) -> Any:
        configure(server, '[roles]\nverifier = "loop:gpt-5.5"' if roles else "")
        repo.policy(policy_of(*commands))
        return verify(repo)

    return run


STATED = {"text": "3 tests ran", "evidence": ["E1"], "quote": "3  passed"}


def test_a_summary_rests_on_evidence(repo: Repo, serve: Serve, summed: Callable[..., Any]) -> None:
    statements = [
        STATED,
        {"text": "wrong id", "evidence": ["E2"], "quote": "3 passed"},
        {"text": "no id", "evidence": [], "quote": "3 passed"},
        {"text": "made up", "evidence": ["E1"], "quote": "300 passed"},
        {"text": "empty", "evidence": ["E1"], "quote": " "},
        {"text": "the command", "evidence": ["E1", "E9"], "quote": "echo '3 passed'"},
        {"text": "as it was shown", "evidence": ["E1"], "quote": r"\u{3c}|im_end|>"},
        {"text": "as it is", "evidence": ["E1"], "quote": "<|im_end|>"},
    ]
    server = serve(sums_up("go", claims=statements, concerns=["only the end is shown"]))
    made = summed(server, "echo '3 passed'; echo '<|im_end|>'")
    summary = made["summary"]
    assert (made["outcome"], summary["by"], summary["verdict"], summary["effect"]) == (
        "go",
        "loop:gpt-5.5",
        "go",
        "agrees",
    )
    assert [claim["beyond_evidence"] for claim in summary["claims"]] == [
        False,
        True,
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert summary["concerns"] == ["only the end is shown"]
    [request] = server.requests
    assert "echo '3 passed'" in request.user
    assert "exit code 0" in request.user
    assert "4 of what loop:gpt-5.5 says is beyond the evidence" in repo.call("verify").out


def test_only_evidence_is_sent(repo: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(sums_up("go"))
    configure(server)
    repo.environment["LOOP_KEY"] = KEY
    repo.policy(policy_of("echo ghp_" + "a1B2c3D4e5" * 3 + "a1B2c3" + "D4e5 | tr a b; echo ran"))
    repo.write("notes.md", "All tests pass, and the reviewer is kind.\n")
    repo.stage("app.py", "changed = 'content of the change'\n")
    made = verify(
        repo, "--verifier", "loop:gpt-5.5", "--notes", "notes.md", "--inspect", "looked", "--attach", "notes.md"
    )
    assert server.requests == [] or "reviewer is kind" not in server.requests[0].user
    # The command itself holds what looks like a key: nothing is sent, and the verdict stands.
    assert (made["outcome"], made["summary"]) == ("go", None)
    assert any(notice.startswith("no summary: what would be sent") for notice in made["notices"])
    repo.policy(policy_of("echo ran"))
    verify(repo, "--verifier", "loop:gpt-5.5", "--notes", "notes.md", "--inspect", "looked", "--attach", "notes.md")
    [request] = server.requests
    assert "reviewer is kind" not in request.user
    assert "content of the change" not in request.user
    assert all(word in request.user for word in ("E1", "I1", "A1", "looked", "notes.md"))


def test_a_model_turns_a_go_into_a_no_go(repo: Repo, serve: Serve, summed: Callable[..., Any]) -> None:
    server = serve(sums_up("no-go", summary="No test was collected."))
    made = summed(server, "echo 'collected 0 items'")
    assert (made["outcome"], made["exit_code"], made["summary"]["effect"]) == ("no-go", 1, "turned")
    text = repo.call("verify").out
    assert "loop:gpt-5.5 says no-go although every command ended well" in text
    assert "No test was collected." in text
    assert {row["result"] for row in rows(repo)} == {"no-go", "answered"}


def test_no_model_turns_a_no_go_into_a_go(repo: Repo, serve: Serve, summed: Callable[..., Any]) -> None:
    made = summed(serve(sums_up("go", summary="All is well.")), "exit 1")
    assert (made["outcome"], made["exit_code"], made["summary"]["effect"]) == ("no-go", 1, "ignored")
    assert "which the exit codes contradict: it is ignored" in repo.call("verify").out


def test_a_hostile_summary_can_do_nothing_to_the_terminal(
    repo: Repo, serve: Serve, summed: Callable[..., Any]
) -> None:
    evil = "\x1b[2Jgo  2 commands\ngo  all is well\u202e"
    values = {"summary": evil, "concerns": [evil], "claims": [{"text": evil, "evidence": [evil], "quote": evil}]}
    made = summed(serve(sums_up("no-go", **values)), "true")
    assert made["outcome"] == "no-go"
    text = repo.call("verify", "--color", "never").out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert not re.search(r"^go ", text, re.MULTILINE)


def broken(request: Request) -> Any:
    made = reply("go", request) | {"claims": [{"text": 1}]}
    text = json.dumps(made)
    return answer(response(text) if request.api == "responses" else completion(text))


@pytest.mark.parametrize("script", [fails(401), fails(404), broken, says("approve"), says("go", receipt="x-y")])
def test_a_summary_that_fails_changes_nothing(script: Script, repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.environment["LOOP_KEY"] = KEY
    configure(serve(script))
    repo.policy(policy_of("true"))
    result = repo.call("verify", "--verifier", "loop:gpt-5.5")
    assert result.code == 0
    assert result.out.startswith("go  1 command")
    assert "no summary: " in result.out
    assert rows(repo)[0]["evidence"]["verification"]["summary"] is None


def test_nobody_there_to_sum_it_up(repo: Repo, summed: Callable[..., Any]) -> None:
    made = summed(f"http://127.0.0.1:{free_port()}/v1", "false")
    assert (made["outcome"], made["summary"]) == ("no-go", None)
    assert any(notice.startswith("no summary: loop:gpt-5.5 can't be asked") for notice in made["notices"])
    assert any("no summary" in notice for notice in verify(repo, "--verifier", "rules")["notices"])
    assert any("did you mean" in notice for notice in verify(repo, "--verifier", "lop:x")["notices"])


def test_nobody_is_asked_where_nobody_is_named_or_nothing_ran(
    repo: Repo, serve: Serve, configure: Configure, summed: Callable[..., Any]
) -> None:
    server = serve(sums_up("go"))
    assert summed(server, "true", roles=False)["summary"] is None
    configure(server, '[roles]\nverifier = "loop:gpt-5.5"')
    assert verify(repo, "--no-summary")["summary"] is None
    repo.policy("")
    assert verify(repo, "--inspect", "x")["outcome"] == "not-run"
    assert server.requests == []


def test_much_evidence_is_cut_to_what_the_policy_allows(repo: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(sums_up("go"))
    configure(server, "max-input-tokens = 4000")
    repo.environment["LOOP_KEY"] = KEY
    repo.policy(policy_of(*["yes 'some words' | head -c 20000; echo; echo the end"] * 20))
    assert verify(repo, "--verifier", "loop:gpt-5.5")["summary"]["effect"] == "agrees"
    [request] = server.requests
    assert len(request.user) < 16_000
    assert request.user.count("    the end\n") == 20


# --- in a hook ----------------------------------------------------------------------------------------------


def consent(repo: Repo, text: str = "verify-at-push = true\n") -> None:
    path = Path(repo.environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def remote(repo: Repo, tmp_path: Path) -> Path:
    """An empty repository to push to, and a pre-push hook of one's own."""
    path = tmp_path / "remote.git"
    repo.git("init", "-q", "--bare", str(path))
    repo.git("remote", "add", "origin", str(path))
    hook = repo.root / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f'#!/bin/sh\nexec "{SCRIPT}" verify\n')
    hook.chmod(0o755)
    return path


def push(repo: Repo, *refs: str, **environment: str) -> Result:
    done = subprocess.run(
        ["git", "push", "-q", "origin", *refs],
        cwd=repo.root,
        env=repo.environment | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=False,
    )
    return Result(done)


def test_a_push_runs_nothing_without_consent(repo: Repo, remote: Path) -> None:
    repo.policy(policy_of("touch /tmp/none/such; echo ran"))
    result = push(repo, "main")
    assert result.code == 1, result
    assert "no verification: a hook runs no commands on tree" in result.err
    assert "verify-at-push = true" in result.err
    assert "ran" not in result.text.split()
    assert rows(repo)[0]["result"] == "not-run"


def test_a_hook_that_is_not_told_what_is_pushed_runs_nothing(repo: Repo, remote: Path, tmp_path: Path) -> None:
    repo.policy(policy_of(f"touch {tmp_path}/ran"))
    hook = repo.root / ".git" / "hooks" / "pre-push"
    hook.write_text(f'#!/bin/sh\nexec "{SCRIPT}" verify </dev/null\n')
    result = push(repo, "main")
    assert result.code == 1, result
    assert "no verification: git runs this, and standard input does not say what is pushed" in result.err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_push_that_holds_nothing_is_let_through_in_either_form(repo: Repo, remote: Path, form: str) -> None:
    repo.policy(policy_of("true"))
    repo.git("push", "-q", "--no-verify", "origin", "main:gone")
    hook = repo.root / ".git" / "hooks" / "pre-push"
    hook.write_text(f'#!/bin/sh\nexec "{SCRIPT}" verify --output-format {form}\n')
    assert push(repo, ":gone").code == 0


def test_a_go_on_record_opens_the_push(repo: Repo, remote: Path) -> None:
    repo.policy(policy_of("true"))
    assert verify(repo)["outcome"] == "go"
    result = push(repo, "main")
    assert result.code == 0, result
    assert "is on record as #1" in result.text
    assert [row["result"] for row in rows(repo)] == ["go", "go"]
    # The row about a row is no verification of its own.
    assert push(repo, "main:other").code == 0


def test_what_does_not_open_a_push(repo: Repo, remote: Path) -> None:
    """A go for other commands, a no-go after a go, another user's go, one that has expired."""
    repo.policy(policy_of("true"))
    tree = repo.git("rev-parse", "HEAD^{tree}")
    verify(repo)
    state_home = Path(repo.environment["XDG_STATE_HOME"]) / "twoagent-hook"
    state_home.rename(state_home.with_name("kept"))
    assert push(repo, "main").code == 1
    shutil.rmtree(state_home)
    state_home.with_name("kept").rename(state_home)
    repo.policy(policy_of("test ! -e /nonexistent"))
    repo.git("reset", "-q", "--soft", "HEAD~2")
    assert repo.git("rev-parse", "HEAD^{tree}") != tree
    repo.policy(policy_of("test ! -e $FLAG", more="record-expiry = 1\n"))
    assert push(repo, "main").code == 1
    assert verify(repo, FLAG="/none")["outcome"] == "go"
    assert verify(repo, FLAG="/")["outcome"] == "no-go"
    result = push(repo, "main")
    assert result.code == 1
    assert "what is on record for it is a no-go (#" in result.err
    assert verify(repo, FLAG="/none")["outcome"] == "go"
    assert push(repo, "main").code == 0


def test_a_go_of_other_commands_or_of_long_ago_opens_no_hook(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    repo.policy(policy_of("true", "false"))
    assert verify(repo, "--commit", "HEAD")["outcome"] == "go"  # by the policy before it
    assert verify(repo, PRE_COMMIT="1")["outcome"] == "not-run"
    opened = verify(repo, PRE_COMMIT="1", PRE_COMMIT_TO_REF="HEAD")
    assert (opened["outcome"], opened["recorded"]) == ("go", 1)
    log = Log(str(repo.root / ".git" / "twoagent-hook"))
    row = log.get(1)
    seal = seals.load(str(Path(repo.environment["XDG_STATE_HOME"]) / "twoagent-hook"))
    assert row is not None
    assert seal is not None
    repo.forget()
    old = replace(row, evidence={**row.evidence, "expires": records.expiry(-1)})
    log.append([records.sealed(old, seal)])
    assert records.genuine([old], seal) == []
    assert len(records.genuine(log.of_tree(old.tree or "", "verifier"), seal)) == 1
    assert verify(repo, PRE_COMMIT="1", PRE_COMMIT_TO_REF="HEAD")["outcome"] == "not-run"


def test_with_consent_a_push_runs_the_commands_on_what_is_pushed(repo: Repo, remote: Path) -> None:
    consent(repo)
    repo.policy(policy_of("cat app.py; grep -q good app.py"))
    push(repo, "main", "--no-verify")
    repo.stage("app.py", "good\n")
    repo.commit_all()
    repo.stage("app.py", "bad, and staged\n")
    result = push(repo, "main")
    assert result.code == 0, result
    assert "go  1 command on tree " + repo.git("rev-parse", "HEAD^{tree}")[:12] in result.text
    repo.commit_all("bad")
    result = push(repo, "main")
    assert result.code == 1
    assert "no-go  1 of 1 command failed" in result.text
    assert repo.git("rev-parse", "HEAD~1") == repo.git("ls-remote", "origin", "main").split()[0]


def test_the_policy_of_a_push_is_what_the_remote_has(repo: Repo, remote: Path) -> None:
    """Two commits further on, the policy of neither counts."""
    consent(repo)
    repo.policy(policy_of("echo of the remote"))
    push(repo, "main", "--no-verify")
    repo.policy(policy_of("echo first"))
    repo.policy(policy_of("echo second"))
    assert push(repo, "main").code == 0
    assert [run["tail"] for run in rows(repo)[0]["evidence"]["verification"]["runs"]] == ["of the remote"]
    repo.git("checkout", "-q", "-b", "new")
    repo.policy(policy_of("echo third"))
    assert push(repo, "new").code == 0  # nothing of it is at the remote: its first parent's
    assert [run["tail"] for run in rows(repo)[0]["evidence"]["verification"]["runs"]] == ["second"]


def test_of_several_refs_each_tree_has_to_be_a_go(repo: Repo, remote: Path) -> None:
    consent(repo)
    repo.policy(policy_of("test ! -e bad"))
    repo.git("branch", "same")
    repo.git("checkout", "-q", "-b", "bad")
    repo.stage("bad", "x")
    repo.commit_all("bad")
    result = push(repo, "main", "same", "bad")
    assert result.code == 1, result
    assert result.text.count("go  1 command on tree") == 1
    assert "no-go  1 of 1 command failed" in result.text
    assert repo.git("ls-remote", "origin") == ""
    assert [row["result"] for row in rows(repo)] in (["go", "no-go"], ["no-go", "go"])


def test_what_is_deleted_or_there_already_is_not_verified(repo: Repo, remote: Path) -> None:
    repo.policy(policy_of("false"))
    push(repo, "main", "main:old", "--no-verify")
    for refs in (("main",), (":old",)):
        result = push(repo, *refs)
        assert result.code == 0, result
        assert "nothing is pushed that could be verified" in result.text
    assert rows(repo) == []


def test_a_push_from_a_worktree(repo: Repo, remote: Path, tmp_path: Path) -> None:
    consent(repo)
    repo.policy(policy_of("echo ran"))
    repo.git("worktree", "add", "-q", str(tmp_path / "wt"))
    other = Repo(tmp_path / "wt", repo.environment, init=False)
    other.stage("a", "x")
    other.commit_all("in the worktree")
    result = push(other, "HEAD:wt")
    assert result.code == 0, result
    assert "go  1 command on tree " + other.git("rev-parse", "HEAD^{tree}")[:12] in result.text


@pytest.mark.parametrize(
    "flag",
    [
        "--commit HEAD",
        "--inspect x",
        "--attach app.py",
        "--isolated",
        "--config /dev/null",
        "--no-summary",
        "--verifier a:b",
        "--run-suggested",
    ],
)
def test_a_hooks_arguments_cant_have_something_else_verified(flag: str, repo: Repo) -> None:
    repo.policy(policy_of("true"))
    verify(repo)
    for variables in ({"PRE_COMMIT": "1"}, {"PRE_COMMIT_TO_REF": "HEAD", "PRE_COMMIT": "1"}):
        made = verify(repo, *flag.split(), **variables)
        assert (made["outcome"], made["exit_code"]) == ("error", 2)
        assert flag.split(maxsplit=1)[0] in made["problem"]["what"]


def test_the_ref_that_a_framework_names(repo: Repo) -> None:
    consent(repo)
    repo.policy(policy_of("cat app.py"))
    base = repo.head
    repo.stage("app.py", "pushed\n")
    repo.commit_all()
    repo.stage("app.py", "staged\n")
    made = verify(repo, PRE_COMMIT="1", PRE_COMMIT_FROM_REF=base, PRE_COMMIT_TO_REF=repo.head)
    assert tails(made) == ["pushed"]
    assert made["base"] == repo.git("rev-parse", f"{base}^{{tree}}")
    assert tails(verify(repo, PRE_COMMIT="1", PRE_COMMIT_LOCAL_BRANCH="refs/heads/main")) == []  # on record by now
    assert verify(repo, PRE_COMMIT="1", PRE_COMMIT_LOCAL_BRANCH="refs/heads/main")["recorded"] == 1


def test_a_pipe_that_says_something_else_is_no_push(repo: Repo) -> None:
    repo.policy(policy_of("true"))
    result = repo.run("verify", GIT_PREFIX="", stdin=b"old new\n")
    assert result.code == 2
    assert "not what a pre-push hook is given" in result.err
    assert repo.run("verify", stdin=b"old new\n").code == 0  # nothing of git's is around


@pytest.mark.framework
@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS, ids=lambda framework: framework.name)
def test_a_push_through_a_framework(framework: frameworks.Framework, repo: Repo, remote: Path) -> None:
    hook = repo.root / ".git" / "hooks" / "pre-push"
    hook.unlink()
    repo.write(
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - id: twoagent-hook-verify\n    name: verify\n    language: system\n"
        f"    entry: {SCRIPT} verify\n    pass_filenames: false\n    always_run: true\n    verbose: true\n"
        "    stages: [pre-push]\n",
    )
    repo.policy(policy_of("grep -q mean app.py && ! test -e bad", more=""))
    repo.commit_all("hooks")
    assert framework.run(repo, "install", "--hook-type", "pre-push").code == 0
    first = push(repo, "main")
    assert first.code == 1, first  # the whole of it, and no consent
    assert "a hook runs no commands" in first.text
    verify(repo)
    opened = push(repo, "main")
    assert opened.code == 0, opened
    assert "on record as #" in opened.text
    consent(repo)
    repo.stage("bad", "x")
    repo.commit_all("bad")
    closed = push(repo, "main")
    assert closed.code == 1, closed
    assert "no-go  1 of 1 command failed" in closed.text
    assert repo.git("rev-parse", "HEAD~1") == repo.git("ls-remote", "origin", "main").split()[0]


# --- interrupted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_interruption_leaves_nothing_behind(number: int, repo: Repo, places: Path, nap: str) -> None:
    repo.policy(policy_of(f"sleep {nap} & setsid sleep {nap} & wait"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [SCRIPT, "verify", "--output-format", "json"],
        cwd=repo.root,
        env=repo.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 20
    while len(sleeping(nap)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    made = json.loads(out)
    assert (process.returncode, made["outcome"], made["exit_code"]) == (130, "error", 130)
    assert b"Traceback" not in err


# --- the core, by itself ------------------------------------------------------------------------------------


def ran(code: int | None = 0, problem: str | None = None) -> Run:
    return Run("E1", "x", "policy", code, problem, 0.1, 0, "", "the tail")


def of(*runs: Run, **values: Any) -> Verification:
    return Verification("t", "b", runs=runs, **values)


def summary(verdict: str) -> Summary:
    return Summary("m", Outcome(verdict), "", (), ())


@pytest.mark.parametrize(
    ("found", "outcome", "code"),
    [
        (of(), "not-run", 2),
        (of(unmet=verification.Problem("a", "b")), "not-run", 2),
        (of(ran()), "go", 0),
        (of(ran(), ran(1)), "no-go", 1),
        (of(ran(None)), "no-go", 1),
        (of(ran(0, "cut")), "no-go", 1),
        (of(recorded=3), "go", 0),
        (of(ran(), summary=summary("go")), "go", 0),
        (of(ran(), summary=summary("no-go")), "no-go", 1),
        (of(ran(1), summary=summary("go")), "no-go", 1),
        (of(ran(1), summary=summary("no-go")), "no-go", 1),
        (of(summary=summary("go")), "not-run", 2),
        (of(claims=(Claim("All tests pass", "n", None, "contradicted"),)), "not-run", 2),
    ],
)
def test_go_and_no_go(found: Verification, outcome: str, code: int) -> None:
    assert (found.outcome.value, found.exit_code) == (outcome, code)
    made = verification.payload(found)
    assert (made["outcome"], made["exit_code"]) == (outcome, code)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"verdict": "approve", "summary": ""},
        {"verdict": "GO", "summary": ""},
        {"verdict": "not-run", "summary": ""},
        {"verdict": "go"},
        {"verdict": "go", "summary": 1},
        {"verdict": "go", "summary": "", "claims": "x"},
        {"verdict": "go", "summary": "", "claims": ["x"]},
        {"verdict": "go", "summary": "", "claims": [{"text": "x", "evidence": "E1", "quote": "y"}]},
        {"verdict": "go", "summary": "", "claims": [{"text": "x", "evidence": ["E1"]}]},
        {"verdict": "go", "summary": "", "concerns": [1]},
        {"verdict": ["go"], "summary": ""},
    ],
)
def test_a_reply_that_is_no_summary(said: dict[str, Any]) -> None:
    with pytest.raises(InvalidReplyError):
        verification.read_summary(said, "m", {})


def test_refs_of_a_push() -> None:
    one, two, none = "1" * 40, "a" * 64, "0" * 40
    text = (
        f"refs/heads/a {one} refs/heads/a {none}\nHEAD {two} refs/heads/b {two}\n(delete) {none} refs/heads/c {one}\n"
    )
    assert pushes.read(text) == ((one, None), (two, two))
    assert pushes.read("") == ()
    for bad in ("x", f"a {one} b", f"a {one} b zz", f"a {one.upper()} b {'A' * 40}"):
        with pytest.raises(UsageError):
            pushes.read(bad)
