"""What is the user's alone: settings and log that another user could write, keys in the environment of programs."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support.machine import executable, give_to_another_group
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook import environment, files
from twoagent_hook.environment import Environment

Serve = Callable[..., Server]
Configure = Callable[..., Path]


def _for_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def _for_the_group(path: Path) -> None:
    give_to_another_group(path)
    path.chmod(path.stat().st_mode | 0o020)


def _of_another_user(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, 12345)


SPOILT = [_for_all, _for_the_group, _of_another_user]


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("place", ["file", "folder"])
def test_settings_that_another_user_could_write_are_refused(
    changed: Repo, serve: Serve, configure: Configure, spoil: Callable[[Path], None], place: str
) -> None:
    server = serve(approves())
    path = configure(server)
    spoil(path if place == "file" else path.parent)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2)
    assert str(path) in payload["problem"]["what"]
    assert "chmod" in payload["problem"]["do"] or "chown" in payload["problem"]["do"]
    assert server.connections == 0


def test_settings_are_read_through_a_link_to_a_file_of_ones_own(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    """As those who keep their dotfiles in a repository have it; what it leads to is what is looked at."""
    path = configure(serve(approves()))
    (tmp_path / "dotfiles").mkdir(mode=0o755)
    real = path.rename(tmp_path / "dotfiles" / "config.toml")
    path.symlink_to(real)
    assert changed.review()["outcome"] == "approve"
    _for_all(real.parent)
    assert changed.review("--no-cache")["outcome"] == "error"


# --- the log ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_log_that_another_user_could_write_is_left_unused_and_the_verdict_stands(
    changed: Repo, serve: Serve, configure: Configure, spoil: Callable[[Path], None], place: str
) -> None:
    configure(serve(approves()))
    assert changed.review()["log_id"] is not None
    log = changed.root / ".git" / "twoagent-hook" / "trajectory.db"
    spoil(log if place == "file" else log.parent)
    before = log.read_bytes()
    result = changed.call("review", "--output-format", "json")
    assert (result.json["outcome"], result.json["log_id"], result.code) == ("approve", None, 0)
    assert "another user could write it" in result.err
    assert "the verdict stands" in result.err
    assert log.read_bytes() == before
    listed = changed.call("log", "list")
    assert (listed.code, "another user could write it" in listed.err) == (2, True)


def test_what_is_kept_is_private(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(approves()))
    before = os.umask(0)
    try:
        changed.review()
    finally:
        os.umask(before)
    folder = changed.root / ".git" / "twoagent-hook"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_for_temporary_files_that_all_share_is_no_reason(tmp_path: Path) -> None:
    """Nobody can put another file in the place of somebody else's there."""
    path = tmp_path / "shared" / "file"
    path.parent.mkdir()
    path.write_text("x")
    path.parent.chmod(0o1777)
    assert not files.writable_by_others(str(path))
    path.parent.chmod(0o777)
    assert files.writable_by_others(str(path))
    assert not files.writable_by_others(str(tmp_path / "none"))


# --- the environment ----------------------------------------------------------------------------------------


def test_git_is_given_no_key(changed: Repo, serve: Serve, configure: Configure, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    git = changed.git("--exec-path") and os.path.realpath(_which("git", changed.environment["PATH"]))
    executable(tmp_path / "bin" / "git", f'#!/bin/sh\nenv >>"{heard}"\nexec {git} "$@"\n')
    configure(serve(approves()))
    keys = {name: f"value-of-{name}" for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")}
    path = f"{tmp_path / 'bin'}{os.pathsep}{changed.environment['PATH']}"
    assert changed.run("review", PATH=path, **keys).code == 0
    said = heard.read_text()
    assert "PATH=" in said
    assert not [name for name in (*keys, "LOOP_KEY") if name in said]
    assert "sk-loop" not in said


def _which(name: str, path: str) -> str:
    return next(f"{folder}/{name}" for folder in path.split(os.pathsep) if os.path.exists(f"{folder}/{name}"))


def _captured(monkeypatch: pytest.MonkeyPatch, **variables: str) -> tuple[Environment, dict[str, str]]:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return environment.capture(), dict(os.environ)


def test_keys_are_taken_out_of_the_process_and_kept_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"OPENAI_API_KEY": "k", "GIT_DIR": "x", "MY_TOKEN": "t", "HOME": "/home/x", "LC_ALL": "C", "PATH": "/bin"}
    captured, left = _captured(monkeypatch, **given)
    assert captured.variables == given
    assert left == {"HOME": "/home/x", "LC_ALL": "C", "PATH": "/bin"}


@pytest.mark.parametrize("below", ["", "src/deep"])
def test_no_program_is_looked_for_in_the_repository(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, below: str
) -> None:
    (repo.root / "src" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(repo.root / "bin")
    (tmp_path / "repo-next-to-it").mkdir()
    inside = [
        str(repo.root),
        f"{repo.root}/bin",
        f"{repo.root}/node_modules/.bin",
        str(tmp_path / "link"),
        ".",
        "",
        "bin",
    ]
    outside = ["/usr/bin", str(tmp_path / "repo-next-to-it"), str(tmp_path)]
    monkeypatch.chdir(repo.root / below)
    path = os.pathsep.join([*inside[:4], outside[0], *inside[4:], *outside[1:]])
    captured, left = _captured(monkeypatch, PATH=path, HOME=str(tmp_path / "home"))
    assert left["PATH"].split(os.pathsep) == outside
    assert captured.get("PATH") == left["PATH"]


def test_a_home_under_version_control_is_no_repository_to_distrust(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.root)
    path = f"/usr/bin{os.pathsep}{repo.root}/.local/bin"
    _, left = _captured(monkeypatch, PATH=path, HOME=str(repo.root))
    assert left["PATH"] == path


@pytest.mark.parametrize("name", ["git", "claude"])
def test_a_program_of_the_repositorys_is_not_run(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path, name: str
) -> None:
    mark = tmp_path / "mark"
    executable(changed.root / "node_modules" / ".bin" / name, f"#!/bin/sh\ntouch {mark}\n")
    configure(serve(approves()), "", reviewer="loop:gpt-5.5" if name == "git" else "claude-cli")
    path = f"{changed.root}/node_modules/.bin{os.pathsep}{changed.environment['PATH']}"
    result = changed.run("review", "--output-format", "json", PATH=path)
    assert result.json["outcome"] == ("approve" if name == "git" else "unreviewed")
    assert not mark.exists()
