"""What `doctor` says of hooks, held against what `git commit` really runs in the same state."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.frameworks import FRAMEWORKS, Framework, configuration
from support.machine import executable
from support.repo import Repo

PRE_COMMIT, PREK = FRAMEWORKS
OURS = "#!/bin/sh\nexec twoagent-hook review\n"
THEIRS = "#!/bin/sh\nexit 0\n"
# Husky 9.1.7: what `husky` writes; `h` is the one script behind all of its hooks.
HUSKY_HOOK = '#!/usr/bin/env sh\n. "$(dirname "$0")/h"'
HUSKY_H = """\
#!/usr/bin/env sh
n=$(basename "$0")
s=$(dirname "$(dirname "$0")")/$n
[ ! -f "$s" ] && exit 0
i="${XDG_CONFIG_HOME:-$HOME/.config}/husky/init.sh"
[ -f "$i" ] && . "$i"
[ "${HUSKY-}" = "0" ] && exit 0
export PATH="node_modules/.bin:$PATH"
sh -e "$s" "$@"
"""
# Husky 8: the hook itself, with a line that loads its shell functions.
HUSKY_8 = '#!/usr/bin/env sh\n. "$(dirname -- "$0")/_/husky.sh"\n\n{line}\n'
# Lefthook 2.2.2: the beginning of the script, without most of the places in which it looks for itself.
LEFTHOOK_HOOK = """\
#!/bin/sh

if [ "$LEFTHOOK" = "0" ]; then
  exit 0
fi

call_lefthook()
{
  if test -n "$LEFTHOOK_BIN"
  then
    "$LEFTHOOK_BIN" "$@"
  elif lefthook -h >/dev/null 2>&1
  then
    lefthook "$@"
  else
    echo "Can't find lefthook in PATH"
  fi
}

call_lefthook run "pre-commit" "$@"
"""
LEFTHOOK_YML = "pre-commit:\n  jobs:\n    - name: {name}\n      run: {run}\n"


@dataclass
class State:
    """What is there, and what `doctor` should say of it.

    Attributes:
        disabled: a piece of each reason for which hooks don't run; the gate runs where it is gated and there is none.
        environment: in which the commit is made.
    """

    kind: str | None
    gated: bool
    disabled: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


Make = Callable[[Repo], State]


@pytest.fixture
def gate(repo: Repo, tmp_path: Path) -> Path:
    """A gate on PATH that only notes that it was run; the place of the note."""
    executable(tmp_path / "gate" / "twoagent-hook", '#!/bin/sh\ntouch "$GATE_RAN"\n')
    lefthook = "#!/bin/sh\ncase \"$1$LEFTHOOK\" in run|run1) sed -n 's/^ *run: //p' *lefthook.yml .config/*.yml"
    executable(tmp_path / "gate" / "lefthook", f"{lefthook} 2>/dev/null | sh ;; esac\n")
    executable(tmp_path / "gate" / "husky", THEIRS)
    note = tmp_path / "gate-ran"
    repo.environment |= {
        "PATH": os.pathsep.join((str(tmp_path / "gate"), repo.environment["PATH"])),
        "GATE_RAN": str(note),
    }
    return note


def found(repo: Repo, **environment: str) -> dict[str, Any]:
    data = repo.call("doctor", "--output-format", "json", **environment).json
    hooks: dict[str, Any] = data["hooks"]
    assert hooks is not None, data["problem"]
    return hooks


def runs(repo: Repo, note: Path, **environment: str) -> bool:
    """Whether a commit made now runs the gate."""
    note.unlink(missing_ok=True)
    repo.commit("--allow-empty", **environment)
    return note.exists()


def hook_of(repo: Repo) -> Path:
    path = repo.root / repo.git("rev-parse", "--git-path", "hooks/pre-commit")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def script(text: str, **environment: str) -> Make:
    def make(repo: Repo) -> State:
        executable(hook_of(repo), text)
        return State("script", text == OURS, environment=environment)

    return make


def nothing(repo: Repo) -> State:
    return State(None, gated=False)


def with_more_around_it(repo: Repo) -> State:
    executable(hook_of(repo), "#!/bin/sh\nset -e\n/usr/bin/env twoagent-hook review --fail-on request-changes\n")
    return State("script", gated=True)


def out_commented(repo: Repo) -> State:
    executable(hook_of(repo), "#!/bin/sh\n# exec twoagent-hook review\n")
    return State("script", gated=False)


def empty_file(repo: Repo) -> State:
    executable(hook_of(repo), "")
    return State("script", gated=False)


def binary(repo: Repo) -> State:
    hook_of(repo).symlink_to("/bin/true")
    return State("script", gated=False)


def linked(repo: Repo) -> State:
    executable(repo.root / "tools" / "gate.sh", OURS)
    hook_of(repo).symlink_to("../../tools/gate.sh")
    return State("script", gated=True)


def not_executable(repo: Repo) -> State:
    hook_of(repo).write_text(OURS)
    return State("script", gated=True, disabled=("is not executable",))


# --- core.hooksPath -----------------------------------------------------------------------------------------


def emptied_by_variables(repo: Repo) -> State:
    """As Gemini CLI does."""
    executable(hook_of(repo), OURS)
    variables = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": ""}
    return State(None, gated=False, disabled=("`core.hooksPath` is empty (command line:)",), environment=variables)


def emptied_by_parameters(repo: Repo) -> State:
    """As `git -c core.hooksPath= …` hands it on."""
    executable(hook_of(repo), OURS)
    variables = {"GIT_CONFIG_PARAMETERS": "'core.hooksPath='"}
    return State(None, gated=False, disabled=("`core.hooksPath` is empty",), environment=variables)


def to_nowhere(repo: Repo) -> State:
    executable(hook_of(repo), OURS)
    repo.git("config", "core.hooksPath", "/dev/null")
    return State(None, gated=False, disabled=("`core.hooksPath` is /dev/null (file:.git/config)",))


def to_a_folder_without(repo: Repo) -> State:
    executable(hook_of(repo), OURS)
    repo.git("config", "core.hooksPath", "team")
    (repo.root / "team").mkdir()
    return State(None, gated=False, disabled=("`core.hooksPath` is team (file:.git/config)",))


def to_a_folder_with(repo: Repo) -> State:
    repo.git("config", "core.hooksPath", "team")
    executable(repo.root / "team" / "pre-commit", OURS)
    return State("script", gated=True)


def to_a_folder_at_home(repo: Repo) -> State:
    repo.git("config", "--global", "core.hooksPath", "~/hooks")
    executable(Path(repo.environment["HOME"], "hooks", "pre-commit"), OURS)
    return State("script", gated=True)


# --- frameworks ---------------------------------------------------------------------------------------------


def installed(framework: Framework, *, gated: bool = True, disabled: tuple[str, ...] = (), **environment: str) -> Make:
    def make(repo: Repo) -> State:
        entry = configuration(command="twoagent-hook")
        repo.write(".pre-commit-config.yaml", entry if gated else entry.replace("twoagent-hook", "true"))
        repo.git("add", ".pre-commit-config.yaml")
        framework.install_hook(repo)
        return State(framework.name, gated, disabled, environment)

    return make


def out_commented_in_the_list(repo: Repo) -> State:
    state = installed(PREK)(repo)
    entry = configuration(command="twoagent-hook")
    commented = "".join(f"# {line}\n" for line in entry.splitlines())
    other = entry.replace("twoagent-hook", "true")
    repo.stage(".pre-commit-config.yaml", commented + other)
    return State(state.kind, gated=False)


def prek_toml(repo: Repo) -> State:
    hook = 'id = "twoagent-hook"\nname = "x"\nentry = "twoagent-hook review"\nlanguage = "system"\nalways_run = true\n'
    repo.stage("prek.toml", f'[[repos]]\nrepo = "local"\n[[repos.hooks]]\n{hook}pass_filenames = false\n')
    PREK.install_hook(repo)
    return State("prek", gated=True)


def prek_toml_without_the_gate(repo: Repo) -> State:
    """It comes before the YAML, which may be left over."""
    installed(PREK)(repo)
    hook = 'id = "other"\nname = "x"\nentry = "true"\nlanguage = "system"\nalways_run = true\n'
    repo.stage("prek.toml", f'[[repos]]\nrepo = "local"\n[[repos.hooks]]\n{hook}pass_filenames = false\n')
    return State("prek", gated=False)


def with_another_list(repo: Repo) -> State:
    repo.stage("ci/hooks.yaml", configuration(command="twoagent-hook"))
    done = PRE_COMMIT.run(repo, "install", "--config", "ci/hooks.yaml")
    assert done.code == 0, done
    return State("pre-commit", gated=True)


def with_an_ending_that_pre_commit_does_not_know(repo: Repo) -> State:
    repo.stage(".pre-commit-config.yml", configuration(command="twoagent-hook"))
    PRE_COMMIT.install_hook(repo)
    return State("pre-commit", gated=False)


def before_the_framework(repo: Repo) -> State:
    """`pre-commit install` puts a hook that was there aside, and runs it first."""
    executable(hook_of(repo), OURS)
    return State("pre-commit", gated=True, environment=installed(PRE_COMMIT, gated=False)(repo).environment)


def husky(text: str, **environment: str) -> Make:
    def make(repo: Repo) -> State:
        executable(repo.root / ".husky" / "_" / "pre-commit", HUSKY_HOOK)
        executable(repo.root / ".husky" / "_" / "h", HUSKY_H)
        repo.write(".husky/pre-commit", text)
        repo.git("config", "core.hooksPath", ".husky/_")
        disabled = ("HUSKY=0 turns its hooks off",) if environment else ()
        return State("husky", "twoagent-hook" in text, disabled, environment)

    return make


def husky_8(line: str) -> Make:
    def make(repo: Repo) -> State:
        repo.write(".husky/_/husky.sh", '[ "$HUSKY" = 0 ] && exit 0 || true\n')
        executable(repo.root / ".husky" / "pre-commit", HUSKY_8.format(line=line))
        repo.git("config", "core.hooksPath", ".husky")
        return State("husky", "twoagent-hook" in line)

    return make


def lefthook(run: str, *, path: str = "lefthook.yml", **environment: str) -> Make:
    def make(repo: Repo) -> State:
        executable(hook_of(repo), LEFTHOOK_HOOK)
        repo.write(path, LEFTHOOK_YML.format(name="check", run=run))
        disabled = tuple(f"LEFTHOOK={value} turns its hooks off" for value in environment.values())
        return State("lefthook", "twoagent-hook" in run, disabled, environment)

    return make


GATE = "twoagent-hook review"
SKIPPED = ("SKIP names twoagent-hook",)
STATES: dict[str, Make] = {
    "no hook": nothing,
    "ours": script(OURS),
    "somebody else's": script(THEIRS),
    "ours with more around it": with_more_around_it,
    "commented out": out_commented,
    "empty file": empty_file,
    "binary": binary,
    "link to ours": linked,
    "not executable": not_executable,
    "SKIP without a framework": script(OURS, SKIP="twoagent-hook"),
    "HUSKY without husky": script(OURS, HUSKY="0"),
    "LEFTHOOK without lefthook": script(OURS, LEFTHOOK="0"),
    "hooksPath emptied by variables": emptied_by_variables,
    "hooksPath emptied by parameters": emptied_by_parameters,
    "hooksPath to nowhere": to_nowhere,
    "hooksPath to a folder without": to_a_folder_without,
    "hooksPath to a folder with": to_a_folder_with,
    "hooksPath at home": to_a_folder_at_home,
    "husky": husky(GATE),
    "husky without": husky("npm test || true"),
    "husky off": husky(GATE, HUSKY="0"),
    "husky 8": husky_8(GATE),
    "husky 8 without": husky_8("true"),
    "lefthook": lefthook(GATE),
    "lefthook without": lefthook("true"),
    "lefthook in .config": lefthook(GATE, path=".config/lefthook.yml"),
    "lefthook off": lefthook(GATE, LEFTHOOK="0"),
    "lefthook off by a word": lefthook(GATE, LEFTHOOK="false"),
}
FRAMEWORK_STATES: dict[str, Make] = {
    "pre-commit": installed(PRE_COMMIT),
    "pre-commit without": installed(PRE_COMMIT, gated=False),
    "pre-commit, SKIP": installed(PRE_COMMIT, disabled=SKIPPED, SKIP="twoagent-hook"),
    "pre-commit, SKIP of several": installed(PRE_COMMIT, disabled=SKIPPED, SKIP="ruff, twoagent-hook ,mypy"),
    "pre-commit, another list": with_another_list,
    "pre-commit, .yml": with_an_ending_that_pre_commit_does_not_know,
    "pre-commit after our own": before_the_framework,
    "prek": installed(PREK),
    "prek without": installed(PREK, gated=False),
    "prek, commented out": out_commented_in_the_list,
    "prek, SKIP": installed(PREK, disabled=SKIPPED, SKIP="twoagent-hook"),
    "prek, SKIP of several": installed(PREK, disabled=SKIPPED, SKIP="ruff, twoagent-hook"),
    "prek, PREK_SKIP": installed(PREK, disabled=("PREK_SKIP",), PREK_SKIP="twoagent-hook"),
    "prek, SKIP of another": installed(PREK, SKIP="twoagent-hook-push,ruff"),
    "prek.toml": prek_toml,
    "prek.toml without, beside a list": prek_toml_without_the_gate,
}


def assert_true(repo: Repo, gate: Path, state: State) -> None:
    """It says what is there, and by that whether a commit runs the gate; git's own deed is the judge."""
    hooks = found(repo, **state.environment)
    real = runs(repo, gate, **state.environment)
    assert real == (state.gated and not state.disabled), "the test's own expectation"
    assert (hooks["gated"] and not hooks["disabled"]) == real, hooks
    assert (hooks["kind"], hooks["gated"]) == (state.kind, state.gated), hooks
    assert len(hooks["disabled"]) == len(state.disabled), hooks
    assert all(piece in reason for piece, reason in zip(state.disabled, hooks["disabled"], strict=True)), hooks


@pytest.mark.parametrize("name", STATES)
def test_what_is_said_of_a_hook_is_what_git_does(repo: Repo, gate: Path, name: str) -> None:
    assert_true(repo, gate, STATES[name](repo))


@pytest.mark.framework
@pytest.mark.parametrize("name", FRAMEWORK_STATES)
def test_what_is_said_of_a_framework_is_what_it_does(repo: Repo, gate: Path, name: str) -> None:
    assert_true(repo, gate, FRAMEWORK_STATES[name](repo))


def test_looking_changes_nothing_and_runs_no_hook(repo: Repo, gate: Path) -> None:
    executable(hook_of(repo), OURS)
    before = hook_of(repo).stat()
    found(repo)
    assert not gate.exists()
    assert hook_of(repo).stat() == before


def test_gemini_cli_takes_hooks_away_even_where_no_variable_shows_it(repo: Repo, gate: Path) -> None:
    executable(hook_of(repo), OURS)
    assert found(repo, GEMINI_CLI="1")["disabled"] == [
        "Gemini CLI takes git's hooks away in the shells that it spawns"
    ]


def test_gemini_cli_is_named_once_with_its_variables(repo: Repo, gate: Path) -> None:
    state = emptied_by_variables(repo)
    [reason] = found(repo, GEMINI_CLI="1", **state.environment)["disabled"]
    assert "so git runs no hook at all" in reason


# --- what is no script --------------------------------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o755)


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("gone")


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def large(path: Path) -> None:
    path.write_text("#!/bin/sh\n" + "#" * 10_000_000)


@pytest.mark.parametrize("make", [fifo, folder, loop, dangling, device, large])
def test_what_is_no_script_is_survived(repo: Repo, gate: Path, make: Callable[[Path], None]) -> None:
    make(hook_of(repo))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    result = repo.call("doctor")
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert result.code == 1, result  # no reviewer is named
    assert "runs the gate" not in result.out
    assert after == before, "a file was left open"
    assert not runs(repo, gate)


def test_what_git_fails_at_is_not_said_to_be_missing(repo: Repo) -> None:
    """With a folder in its place, no commit can be made at all."""
    folder(hook_of(repo))
    assert repo.commit("--allow-empty").code != 0
    assert "pre-commit does not exist" not in repo.call("doctor").out


# --- where the repository and its hooks may lie -------------------------------------------------------------


def test_a_worktree_has_the_hooks_of_its_repository(repo: Repo, gate: Path, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = Repo(tmp_path / "other", repo.environment, init=False)
    assert (found(other)["kind"], runs(other, gate)) == (None, False)
    executable(repo.root / ".git" / "hooks" / "pre-commit", OURS)
    hooks = found(other)
    assert (hooks["path"], hooks["gated"]) == (str(repo.root / ".git" / "hooks" / "pre-commit"), True)
    assert runs(other, gate)


def test_a_worktree_may_have_a_hooks_path_of_its_own(repo: Repo, gate: Path, tmp_path: Path) -> None:
    executable(hook_of(repo), OURS)
    repo.git("worktree", "add", "-q", str(tmp_path / "other"))
    repo.git("config", "extensions.worktreeConfig", "true")
    other = Repo(tmp_path / "other", repo.environment, init=False)
    other.git("config", "--worktree", "core.hooksPath", "none")
    hooks = found(other)
    assert (hooks["kind"], runs(other, gate)) == (None, False)
    assert "`core.hooksPath` is none" in hooks["disabled"][0]
    assert (found(repo)["gated"], runs(repo, gate)) == (True, True)


def test_worktrees_around_a_bare_repository(repo: Repo, gate: Path, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    bare = Repo(tmp_path / "bare.git", repo.environment, init=False)
    bare.git("worktree", "add", "-q", "../tree", "-b", "work")
    tree = Repo(tmp_path / "tree", repo.environment, init=False)
    executable(bare.root / "hooks" / "pre-commit", OURS)
    hooks = found(tree)
    assert (hooks["path"], hooks["gated"]) == (str(bare.root / "hooks" / "pre-commit"), True)
    assert runs(tree, gate)
    inside = bare.call("doctor", "--output-format", "json")
    assert inside.code == 1
    assert inside.json["hooks"] is None
    assert "no repository to judge here" in inside.json["problem"]["what"]


def test_a_git_folder_that_lies_elsewhere(repo: Repo, gate: Path, tmp_path: Path) -> None:
    repo.git("init", "-q", f"--separate-git-dir={tmp_path / 'store'}")
    executable(tmp_path / "store" / "hooks" / "pre-commit", OURS)
    assert found(repo)["path"] == str(tmp_path / "store" / "hooks" / "pre-commit")
    assert (found(repo)["gated"], runs(repo, gate)) == (True, True)


def test_a_submodule_has_hooks_of_its_own(repo: Repo, gate: Path, tmp_path: Path) -> None:
    source = Repo(tmp_path / "library", repo.environment)
    source.write("a.py")
    source.commit_all()
    repo.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source.root), "library")
    executable(hook_of(repo), OURS)
    module = Repo(repo.root / "library", repo.environment, init=False)
    assert (found(module)["kind"], runs(module, gate)) == (None, False)
    assert found(repo)["gated"]


@pytest.mark.parametrize("place", ["below", "with git's variables", "with relative variables"])
def test_from_a_folder_below(repo: Repo, gate: Path, place: str) -> None:
    executable(hook_of(repo), OURS)
    below = repo.root / "a" / "b"
    below.mkdir(parents=True)
    variables = {
        "below": {},
        "with git's variables": {"GIT_DIR": str(repo.root / ".git"), "GIT_WORK_TREE": str(repo.root)},
        "with relative variables": {"GIT_DIR": "../../.git", "GIT_WORK_TREE": "../.."},
    }[place]
    hooks = repo.call("doctor", "--output-format", "json", cwd=below, **variables).json["hooks"]
    assert (hooks["path"], hooks["gated"]) == (str(repo.root / ".git" / "hooks" / "pre-commit"), True)
    subprocess.run(
        ["git", "commit", "--allow-empty", "--quiet", "--message", "x"],
        cwd=below,
        env=repo.environment | variables,
        check=True,
    )
    assert gate.exists()


def test_a_name_that_acts_on_a_terminal_is_shown_as_text(repo: Repo, gate: Path) -> None:
    name = "hooks\x1b[2Jü"
    repo.git("config", "core.hooksPath", name)
    executable(repo.root / name / "pre-commit", "#!/bin/sh\n").chmod(0o644)
    for result in (repo.call("doctor"), repo.call("doctor", "--output-format", "json")):
        assert "\x1b" not in result.out
        assert "ü" in result.out or "\\u00fc" in result.out


@pytest.mark.parametrize("name", ["yaml.py", "json.py", "pre_commit/__init__.py", "identify/__init__.py"])
def test_what_shadows_the_framework_is_said(repo: Repo, gate: Path, name: str) -> None:
    installed(PRE_COMMIT)(repo)
    assert found(repo)["shadows"] == []
    repo.write(name, "raise SystemExit(0)\n")
    assert found(repo)["shadows"] == [name.partition("/")[0]]
    shown = repo.call("doctor").out
    assert f"{name.partition('/')[0]} in the work tree shadows a module of pre-commit's" in shown
    assert found(repo, PYTHONSAFEPATH="1")["shadows"] == []


@pytest.mark.parametrize("name", ["app.py", "test/__init__.py", "yaml/data.txt", "src/yaml.py", "json.txt", "this.py"])
def test_what_shadows_nothing_is_not(repo: Repo, gate: Path, name: str) -> None:
    installed(PRE_COMMIT)(repo)
    repo.write(name, "x = 1\n")
    assert found(repo)["shadows"] == []


def test_prek_is_no_module_that_could_be_shadowed(repo: Repo, gate: Path) -> None:
    installed(PREK)(repo)
    repo.write("yaml.py", "raise SystemExit(0)\n")
    assert found(repo)["shadows"] == []


def test_the_text_says_each_state(repo: Repo, gate: Path) -> None:
    path = hook_of(repo)
    said = "commits are not reviewed here"
    assert f"  no   {path} does not exist: {said} (`pre-commit install`, or `init`)\n" in repo.call("doctor").out
    executable(path, THEIRS)
    what = "(script) does not run the gate (`sample-config` prints what to add)"
    assert f"  no   {path} {what}\n" in repo.call("doctor").out
    executable(path, OURS)
    assert f"  ok   {path} (script) runs the gate\n" in repo.call("doctor").out
    path.chmod(0o644)
    assert f"  no   {path} is not executable, so git passes it over\n" in repo.call("doctor").out


def test_a_commit_is_not_promised_a_review_where_no_hook_runs_it(repo: Repo, gate: Path) -> None:
    """The last line is what people read."""
    path = Path(repo.environment["HOME"], ".config", "twoagent-hook", "config.toml")
    path.parent.mkdir(parents=True)
    path.write_text('reviewers = ["house"]\n[providers.house]\ncommand = ["sh"]\n')
    said = repo.call("doctor").out.splitlines()
    assert any("does not exist" in line for line in said)
    assert "hook" in said[-1], said[-1]
