"""Threats 10 to 24: hiding code from the diff. The reviewer approves all in which it does not see the evil line."""

import os
import time
from typing import Any

import pytest
from support.repo import assert_commit_allowed, assert_commit_blocked


@pytest.mark.parametrize("place", ["staged", "untracked", "info", "setting"])
def test_threat_10_attributes_that_take_text_for_binary(scene: Any, tmp_path: Any, place: str) -> None:
    scene.stage_evil()
    line = "* -diff\n*.py binary\n"
    if place == "staged":
        scene.repo.stage(".gitattributes", line)
    elif place == "untracked":
        scene.repo.write(".gitattributes", line)
    elif place == "info":
        scene.repo.write(".git/info/attributes", line)
    else:
        (tmp_path / "attributes").write_text(line)
        scene.repo.git("config", "core.attributesFile", str(tmp_path / "attributes"))
    scene.blocked()


def test_threat_10_a_driver_that_says_binary(scene: Any) -> None:
    scene.repo.write(".gitattributes", "*.py diff=evil\n")
    scene.repo.commit_all()
    scene.repo.git("config", "diff.evil.binary", "true")
    scene.stage_evil()
    scene.blocked()


PROGRAMS = {
    "external-diff": {"diff.external": "{program}"},
    "textconv": {"diff.evil.textconv": "{program}"},
    "driver": {"diff.evil.command": "{program}"},
    "filter": {"filter.evil.clean": "{program}", "filter.evil.required": "true"},
    "fsmonitor": {"core.fsmonitor": "{program}"},
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_threat_11_settings_that_run_a_program(scene: Any, name: str) -> None:
    scene.repo.write(".gitattributes", "*.py diff=evil filter=evil\n")
    scene.repo.commit_all()
    scene.stage_evil()
    for key, value in PROGRAMS[name].items():
        scene.repo.git("config", key, value.replace("{program}", str(scene.program)))
    os.utime(scene.repo.root / "app.py")
    scene.blocked()


def test_threat_11_variables_that_run_a_program(scene: Any) -> None:
    scene.stage_evil()
    scene.blocked(
        GIT_EXTERNAL_DIFF=str(scene.program),
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="diff.external",
        GIT_CONFIG_VALUE_0=str(scene.program),
    )


def test_threat_12_a_threshold_above_which_all_is_binary(scene: Any) -> None:
    scene.repo.git("config", "core.bigFileThreshold", "1")
    scene.repo.git("config", "--global", "core.bigFileThreshold", "1")
    scene.stage_evil()
    scene.blocked()


def test_threat_13_a_replaced_object(scene: Any) -> None:
    repo = scene.repo
    scene.stage_evil()
    harmless = repo.git("hash-object", "-w", "--stdin", stdin=f"{scene.BASE}{scene.HARMLESS}\n".encode())
    repo.git("replace", repo.git("rev-parse", ":app.py"), harmless)
    repo.write("app.py", "dirty\n")
    assert "EVILMARK" not in repo.git("diff", "--cached")
    scene.blocked()


def test_threat_13_a_replaced_head(scene: Any) -> None:
    scene.stage_evil()
    same = scene.repo.git("commit-tree", scene.repo.git("write-tree"), "-m", "same")
    scene.repo.git("replace", scene.repo.head, same)
    assert scene.repo.git("diff", "--cached") == ""
    scene.blocked()


def test_threat_14_a_file_on_disk_in_the_place_of_the_blob(scene: Any) -> None:
    repo = scene.repo
    repo.git("config", "core.trustctime", "false")
    repo.git("config", "core.checkStat", "minimal")
    before = time.time() - 1000
    repo.write("app.py", f"{scene.BASE}{scene.EVIL}\n")
    os.utime(repo.root / "app.py", (before, before))
    repo.git("add", "app.py")
    repo.write("app.py", f"{scene.BASE}{scene.HARMLESS}\n")
    os.utime(repo.root / "app.py", (before, before))
    assert "EVILMARK" not in repo.git("diff", "--cached")
    scene.blocked()


def test_threat_15_a_submodule_that_asks_to_be_ignored(scene: Any) -> None:
    repo = scene.repo
    first = repo.head
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
    repo.stage(".gitmodules", '[submodule "sub"]\n\tpath = sub\n\turl = https://example.com/x\n\tignore = all\n')
    repo.git("commit", "-qm", "a submodule")
    repo.git("config", "submodule.sub.ignore", "all")
    second = repo.head
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{second},sub")
    scene.reviewer(scene.watching(second))
    payload = scene.blocked()
    assert "unreviewable" in {item["rule"] for item in payload["findings"]}


def test_threat_16_a_name_that_is_not_utf8_beside_the_evil(scene: Any) -> None:
    scene.stage_evil()
    scene.repo.stage(b"caf\xe9.txt", "x\n")
    scene.blocked()
    assert r"=== caf\xe9.txt (added" in scene.sent


def test_threat_17_a_setting_of_prefixes(scene: Any) -> None:
    scene.repo.git("config", "diff.noprefix", "true")
    scene.repo.git("config", "--global", "diff.mnemonicPrefix", "true")
    scene.stage_evil()
    scene.blocked()


@pytest.mark.parametrize(
    "content",
    [
        lambda evil: b"print(1)\n#\0\n" + evil + b"\n",
        lambda evil: b"\0\n" + evil + b"\n",
        lambda evil: evil.decode().encode("utf-16"),
        lambda evil: b"# caf\xe9\n" + evil + b"\n",
        lambda evil: b"\xff\xfe##\n" + evil + b" \n#\0\n",
    ],
    ids=["nul", "nul-first", "utf-16", "latin-1", "false-mark"],
)
def test_threat_18_text_that_passes_for_binary(scene: Any, content: Any) -> None:
    scene.repo.stage("x.sh", content(scene.EVIL.encode()))
    scene.blocked()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("good-large.xz", b"\xfd7zXZ\0" + bytes(range(256)) * 8),
        ("model.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"),
    ],
    ids=["binary", "pointer"],
)
def test_threat_18_what_nobody_can_read_is_named(scene: Any, path: str, content: bytes) -> None:
    """By nature nobody reviews it; a policy that minds closes the gate, and both readers are told."""
    scene.repo.stage(path, content)
    payload = scene.review()
    assert ("unreviewable", path) in {(item["rule"], item["file"]) for item in payload["findings"]}
    assert f"unreviewable: {path}" in scene.sent
    scene.repo.git("reset", "-q")
    scene.repo.policy('[rules]\nunreviewable = "block"\n')
    scene.repo.git("add", "--force", path)
    scene.ruled("unreviewable")


def test_threat_19_a_file_that_calls_itself_generated(scene: Any) -> None:
    scene.repo.stage(".gitattributes", "*.py linguist-generated=true\n")
    scene.repo.stage("app.py", f"# @generated, do not edit\n{scene.BASE}{scene.EVIL}\n")
    scene.blocked()


@pytest.mark.parametrize("path", ["poetry.lock", "dist/x.min.js"])
def test_threat_19_what_is_not_shown_is_named_to_both(scene: Any, path: str) -> None:
    scene.repo.stage(path, f"{scene.EVIL}\n")
    payload = scene.review()
    assert [item["path"] for item in payload["coverage"]["withheld"]] == [path]
    assert f"Not shown:\n- {path} (" in scene.sent
    scene.repo.stage("poetry.lock", "x\n<<<<<<< evil\n")
    scene.ruled("conflict-marker")  # rules look at those as well


@pytest.mark.parametrize("separator", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028"])
def test_threat_20_forged_boundaries_of_files(scene: Any, separator: str) -> None:
    scene.repo.policy('[rules]\nhidden-text = "note"\n')
    forged = ("# ok", "diff --git a/poetry.lock b/poetry.lock", "--- a/poetry.lock", "+++ b/poetry.lock", scene.EVIL)
    scene.repo.stage("app.py", scene.BASE + separator.join(forged) + "\n")
    scene.blocked()


@pytest.mark.parametrize("lines", [6_000, 60_000])
def test_threat_21_evil_behind_the_limit(scene: Any, lines: int) -> None:
    scene.repo.stage("app.py", scene.BASE + "y = 'aaaaaaaaaaaaaaaa'\n" * lines + scene.EVIL + "\n")
    scene.repo.stage("other.py", "x = 2\n")
    payload = scene.ruled("incomplete-coverage")
    assert payload["coverage"]["complete"] is False


def test_threat_21_evil_in_the_last_of_many_hunks(scene: Any) -> None:
    lines = [f"value_{number} = {number}" for number in range(900)]
    scene.repo.write("app.py", "\n".join(lines) + "\n")
    scene.repo.commit_all()
    changed = [line + "0" if number % 30 == 0 else line for number, line in enumerate(lines)]
    scene.repo.stage("app.py", "\n".join((*changed, scene.EVIL)) + "\n")
    scene.blocked()


def test_threat_22_a_rename_with_an_edit(scene: Any) -> None:
    body = "".join(f"value_{number} = {number}\n" for number in range(60))
    scene.repo.write("old.py", body)
    scene.repo.commit_all()
    scene.repo.git("mv", "old.py", "new.py")
    scene.repo.stage("new.py", body + scene.EVIL + "\n")
    scene.blocked()


@pytest.mark.parametrize("kind", ["deletion", "mode", "link", "move-to-where-it-runs"])
def test_threat_22_changes_without_lines(scene: Any, kind: str) -> None:
    """Each is put to the reviewer, and named."""
    repo = scene.repo
    if kind == "deletion":
        repo.git("rm", "-q", "app.py")
        told = "=== app.py (deleted"
    elif kind == "mode":
        repo.git("update-index", "--chmod=+x", "README")
        told = "mode 100644 → 100755"
    elif kind == "link":
        (repo.root / "out").symlink_to("../../etc/passwd")
        repo.git("add", "out")
        told = "+| ../../etc/passwd"
    else:
        repo.write("docs/hook.txt", f"{scene.EVIL}\n")
        repo.commit_all()
        (repo.root / ".github" / "workflows").mkdir(parents=True)
        repo.git("mv", "docs/hook.txt", ".github/workflows/hook.txt")
        told = "=== .github/workflows/hook.txt (added"
    payload = scene.review()
    assert told in scene.sent
    assert payload["coverage"]["files"] == payload["coverage"]["shown"] >= 1


@pytest.mark.parametrize("arguments", [("-a",), ("app.py",), ("--include", "app.py"), ()])
def test_threat_23_an_index_of_its_own(scene: Any, arguments: tuple[str, ...]) -> None:
    """`git commit -a` and `git commit FILE` make another index than the usual one."""
    scene.repo.install_plain_hook()
    scene.repo.write("app.py", f"{scene.BASE}{scene.EVIL}\n")
    if not arguments:
        scene.repo.git("add", "app.py")
    assert_commit_blocked(scene.repo, *arguments)
    assert "EVILMARK" in scene.sent
    scene.repo.write("app.py", f"{scene.BASE}{scene.HARMLESS}\n")
    if not arguments:
        scene.repo.git("add", "app.py")
    assert_commit_allowed(scene.repo, *arguments)


def test_threat_23_the_index_that_git_names(scene: Any) -> None:
    """In this process, for the defences: the usual index holds nothing, the named one the evil."""
    scene.stage_evil()
    index = scene.repo.root / ".git" / "next-index-1.lock"
    (scene.repo.root / ".git" / "index").rename(index)
    scene.repo.git("read-tree", "HEAD")
    scene.blocked(GIT_INDEX_FILE=str(index))


def test_threat_24_a_clone_that_fetches_by_a_program(scene: Any, tmp_path: Any) -> None:
    repo = scene.repo
    missing = repo.git("rev-parse", "HEAD:app.py")
    scene.stage_evil()
    (repo.root / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(tmp_path),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(scene.program),
        "protocol.allow": "always",
    }.items():
        repo.git("config", key, value)
    assert scene.closed()["exit_code"] == 2
    assert scene.server.requests == []


def test_what_git_ignores_and_is_staged_all_the_same_is_shown(scene: Any) -> None:
    scene.repo.write(".gitignore", "build/\n")
    scene.repo.commit_all()
    scene.repo.stage("build/hook.py", f"{scene.EVIL}\n")
    scene.blocked()
