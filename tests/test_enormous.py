"""Enormous changes: named or refused, in bounded memory, and never taken for reviewed."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.machine import executable
from support.repo import SCRIPT, Repo, Result

from twoagent_hook import changes, git, snapshots, worktree
from twoagent_hook.changes import ChangeSet, Hunk, Line, PatchParser, Section
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError
from twoagent_hook.git import Workspace
from twoagent_hook.snapshots import Snapshot

MB = 1 << 20
TOO_LARGE = "too large to read"
LINE = b"line of text no. seven\n"

pure = settings(max_examples=400, deadline=None, database=None)


# --- the product as a process, and what it takes ------------------------------------------------------------

# A process's peak begins with what the one holds that starts it: so that is one that holds next to nothing.
LAUNCHER = """
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Review(NamedTuple):
    payload: Any
    result: Result

    @property
    def withheld(self) -> dict[str, str]:
        return {item["path"]: item["reason"] for item in self.payload["coverage"]["withheld"]}


@pytest.fixture
def review(repo: Repo, tmp_path: Path) -> Callable[..., Review]:
    """Reviews what is staged by the rules alone; neither that nor any git that it starts may take 200 MB."""
    repo.policy('reviewers = ["rules"]\n')
    note = tmp_path / "peak"

    def run(**environment: str) -> Review:
        product = (str(SCRIPT), "review", "--output-format", "json")
        done = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCHER, str(note), *product],
            cwd=repo.root,
            env=repo.environment | environment,
            capture_output=True,
            timeout=100,
            check=False,
        )
        result = Result(done)
        assert result.json["exit_code"] == result.code, result
        assert "Traceback" not in result.text, result
        peak = int(note.read_text()) * (1 if sys.platform == "darwin" else 1024)
        assert peak < 200 * MB, f"{peak / MB:.0f} MB"
        return Review(result.json, result)

    return run


def assert_closed(found: Review, withheld: Mapping[str, str]) -> None:
    """The gate stays closed, and says what nobody has seen."""
    assert found.withheld == withheld
    assert found.payload["outcome"] == "block", found.result
    assert found.result.code == 1, found.result
    assert any(finding["rule"] == "incomplete-coverage" for finding in found.payload["findings"]), found.result


def write(repo: Repo, path: str, block: bytes, size: int) -> None:
    """Write a file of that size, of the same block again and again."""
    with open(repo.root / path, "wb") as file:
        some = block * (MB // len(block))
        file.writelines(some for _ in range(size // len(some)))


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\0binary\xff", id="binary"),
        pytest.param(LINE, id="short lines", marks=pytest.mark.again),
        pytest.param(b"x" * (MB - 1) + b"\n", id="long lines", marks=pytest.mark.again),
    ],
)
def test_a_file_of_two_hundred_megabytes_is_named(repo: Repo, review: Callable[..., Review], block: bytes) -> None:
    write(repo, "large", block, 200 * MB)
    repo.stage("app.py", "x = 2\n")
    repo.git("add", "large")
    found = review()
    assert_closed(found, {"large": TOO_LARGE})
    assert found.payload["coverage"]["shown"] == 1


@pytest.mark.again
def test_a_deletion_of_two_hundred_megabytes_is_named(repo: Repo, review: Callable[..., Review]) -> None:
    write(repo, "large", LINE, 200 * MB)
    repo.commit_all()
    repo.git("rm", "--quiet", "large")
    assert_closed(review(), {"large": TOO_LARGE})


def test_a_file_of_ten_million_lines_is_named(repo: Repo, review: Callable[..., Review]) -> None:
    repo.stage("lines.txt", b"x\n" * 10_000_000)
    assert_closed(review(), {"lines.txt": TOO_LARGE})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(b"a new line\n", 0, id="each file too large"),
        pytest.param(b"x\n", 1, id="all of them too long", marks=pytest.mark.again),
    ],
)
def test_ten_million_lines_in_a_hundred_files_are_named(
    repo: Repo, review: Callable[..., Review], line: bytes, shown: int
) -> None:
    names = [f"{number:02}.txt" for number in range(100)]
    for name in names:
        repo.write(name, line * 100_000)
    repo.git("add", "--all")
    reasons = dict.fromkeys(names[shown:], TOO_LARGE)
    assert_closed(review(), dict.fromkeys(names[:shown], "over the budget of max-input-tokens") | reasons)


def test_a_line_of_ten_megabytes_is_named(repo: Repo, review: Callable[..., Review]) -> None:
    repo.stage("one.js", b"x" * (10 * MB) + b"\n")
    repo.stage("app.py", "x = 2\n")
    assert_closed(review(), {"one.js": TOO_LARGE})


@pytest.mark.again
def test_twenty_thousand_files_are_each_accounted_for(repo: Repo, review: Callable[..., Review]) -> None:
    for number in range(20_000):
        repo.write(f"{number % 100}/{number}", "x")
    repo.git("add", "--all")
    found = review()
    assert found.payload["coverage"]["files"] == 20_000
    assert found.payload["coverage"]["shown"] + len(found.withheld) == 20_000
    assert set(found.withheld.values()) == {"over the budget of max-input-tokens"}
    assert_closed(found, found.withheld)


def test_a_file_of_two_hundred_megabytes_beside_other_hooks_is_compared(
    repo: Repo, review: Callable[..., Review]
) -> None:
    write(repo, "large", LINE, 200 * MB)
    repo.commit_all()
    repo.stage("app.py", "x = 2\n")
    os.utime(repo.root / "large", (1, 1))
    found = review(PRE_COMMIT="1")
    assert (found.payload["outcome"], found.withheld) == ("unreviewed", {})
    with open(repo.root / "large", "r+b") as file:
        file.write(b"changed")
    found = review(PRE_COMMIT="1")
    assert found.payload["problem"]["what"] == "an earlier hook changed files (large)"
    assert found.result.code == 2


# --- a patch without an end ---------------------------------------------------------------------------------


@contextmanager
def workspace_of(repo: Repo, **location: str) -> Iterator[Workspace]:
    environment = Environment(repo.environment)
    with chdir(repo.root):
        found = git.locate(environment)._replace(**location)
    with Workspace(found, environment) as workspace:
        yield workspace


def look(repo: Repo, **location: str) -> ChangeSet:
    with workspace_of(repo, **location) as workspace:
        return Snapshot(workspace).change(workspace.trees())


def unread(change: ChangeSet) -> dict[str, str | None]:
    return {file.path: file.unread for file in change.files}


TEXT = LINE * 4000  # more than is read in one go


def test_what_comes_after_the_limit_of_a_patch_is_named(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PATCH_LIMIT", 3 * len(TEXT))
    for name in "bcdef":
        repo.stage(name, TEXT)
    for name in ("a", "g"):
        repo.stage(name, "x = 1\n")
    whole = {"a": None, "b": None}  # of c all may have come as well, and be one half of what there is
    assert unread(look(repo)) == whole | dict.fromkeys("cdefg", TOO_LARGE)


def test_a_change_of_type_that_is_cut_by_the_limit_shows_neither_half(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.root.joinpath("link").symlink_to("app.py")
    repo.commit_all()
    repo.root.joinpath("link").unlink()
    repo.stage("link", TEXT)
    monkeypatch.setattr(snapshots, "PATCH_LIMIT", len(TEXT) - 1)
    (file,) = look(repo).files
    assert (file.unread, file.hunks) == (TOO_LARGE, ())


HEADER = b"diff --git a/app.py b/app.py\nindex 1..2\n--- a/app.py\n+++ b/app.py\n"
ENDLESS = HEADER + b"@@ -0,0 +1,99999999999 @@\n"


def stub(folder: Path, patch: bytes, then: str) -> str:
    """A git that prints this for a patch, and does that then."""
    (folder / "patch").write_bytes(patch)
    script = f'#!/bin/sh\ncase " $* " in *\' -p \'*) cat {folder}/patch; {then};; esac\nexec git "$@"\n'
    return str(executable(folder / "stub", script))


def test_git_is_ended_where_no_more_is_read(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "PATCH_LIMIT", 10 * MB)
    repo.stage("app.py", "x = 2\n")
    change = look(repo, executable=stub(tmp_path, ENDLESS, f"echo $$ >{tmp_path}/pid; exec yes '+a line'"))
    assert unread(change) == {"app.py": TOO_LARGE}
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize("patch", [ENDLESS, HEADER + b"@@ -1 +1 @@\n-x\n+y\n"], ids=["in a hunk", "after a file"])
def test_a_git_that_takes_too_long_is_ended_and_told(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patch: bytes
) -> None:
    monkeypatch.setattr(snapshots, "_SECONDS", 0.5)
    repo.stage("app.py", "x = 2\n")
    with pytest.raises(GitError, match=r"git diff-tree took longer than 0\.5 s"):
        look(repo, executable=stub(tmp_path, patch, "exec sleep 60"))


def test_what_is_kept_is_limited_over_all_commands_of_git(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a file that is too large, the others are asked for by name: in as many commands as their names take."""
    monkeypatch.setattr(snapshots, "_ARGUMENTS_LIMIT", 1)
    monkeypatch.setattr(snapshots, "BLOB_LIMIT", 2 * len(TEXT))
    monkeypatch.setattr(changes, "TOTAL_LIMIT", 3 * len(TEXT))
    repo.stage("large", TEXT * 3)
    for name in "abcde":
        repo.stage(name, TEXT)
    assert unread(look(repo)) == {"a": None, "b": None, **dict.fromkeys(("c", "d", "e", "large"), TOO_LARGE)}


# --- files on disk ------------------------------------------------------------------------------------------


@pure
@given(st.lists(st.text("\r\nx", max_size=5).map(str.encode)))
def test_line_ends_are_turned_the_same_in_blocks_and_as_a_whole(blocks: list[bytes]) -> None:
    assert b"".join(worktree.with_line_feeds(blocks)) == b"".join(blocks).replace(b"\r\n", b"\n")


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_file_of_many_blocks_is_compared_with_either_line_end(
    tmp_path: Path, clean_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, object_format: str
) -> None:
    monkeypatch.setattr(worktree, "_BLOCK", 7)  # of the two bytes that end a line, a block now and then has one
    repo = Repo(tmp_path / "repo", clean_environment, object_format=object_format)
    repo.write("file", LINE * 20)
    repo.commit_all()
    answers = {}
    for content in (LINE * 20, LINE.replace(b"\n", b"\r\n") * 20, LINE * 19, LINE.replace(b"\n", b"\r\r\n") * 20):
        repo.write("file", content)
        os.utime(repo.root / "file", (1, 1))
        with workspace_of(repo) as workspace:
            workspace.trees()
            answers[content] = worktree.differing(workspace)
    assert list(answers.values()) == [(), (), ("file",), ("file",)]


def test_a_large_file_on_disk_is_neither_held_to_be_compared_nor_to_be_saved(repo: Repo) -> None:
    write(repo, "large", LINE, 30 * MB)
    repo.commit_all()
    write(repo, "large", LINE.replace(b"\n", b"\r\n"), 30 * MB)
    with workspace_of(repo) as workspace:
        workspace.trees()
        tracemalloc.start()
        try:
            assert worktree.differing(workspace) == ("large",)
            path = worktree.rescue(workspace)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert path is not None
    assert os.path.getsize(path) > 60 * MB
    assert peak < 10 * MB


def rescued(repo: Repo) -> list[str]:
    folder = repo.root / ".git" / "twoagent-hook" / "rescued"
    return os.listdir(folder) if folder.exists() else []


def test_no_part_of_a_patch_stays_where_git_fails(repo: Repo, tmp_path: Path) -> None:
    repo.write("app.py", "x = 2\n")
    program = stub(tmp_path, b"diff --git", "echo 'fatal: it broke' >&2; exit 128")
    with workspace_of(repo, executable=program) as workspace:
        workspace.trees()
        with pytest.raises(GitError, match="git diff-files failed: it broke"):
            worktree.rescue(workspace)
    assert rescued(repo) == []


def test_no_part_of_a_patch_stays_where_git_takes_too_long(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree, "_SECONDS", 0.3)
    repo.write("app.py", "x = 2\n")
    with workspace_of(repo, executable=stub(tmp_path, b"diff --git", "exec sleep 60")) as workspace:
        workspace.trees()
        with pytest.raises(GitError, match=r"no answer within 0\.3 s"):
            worktree.rescue(workspace)
    assert rescued(repo) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_no_part_of_a_patch_stays_on_a_full_disk(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open
    full = opened("/dev/full", os.O_WRONLY)

    def on_a_full_disk(path: str, flags: int, *mode: int) -> int:
        number = opened(path, flags, *mode)
        if path.endswith(".patch"):
            os.dup2(full, number)
        return number

    repo.write("app.py", "x = 2\n")
    with workspace_of(repo) as workspace, monkeypatch.context() as patched:
        workspace.trees()
        patched.setattr(os, "open", on_a_full_disk)
        with pytest.raises(GitError, match=r"git diff-files failed: .*write"):
            worktree.rescue(workspace)
    os.close(full)
    assert rescued(repo) == []


# --- what is skipped, next to what is read ------------------------------------------------------------------

HEADERS = {changes.header(name, name): place for place, name in enumerate("xyz")}


HEADING = re.compile(rb"@@ -(\d+),(\d+) \+(\d+),(\d+) @@\n?")


class Plain(NamedTuple):
    """A section, and how much there is of it."""

    key: int
    hunks: tuple[Hunk, ...]
    size: int
    rows: int


def plainly(patch: bytes) -> list[Plain]:
    """The sections of a patch, read line by line in the simplest way, and all of them kept."""
    lines = io.BytesIO(patch).readlines()
    found = []
    while lines:
        key = HEADERS.get(lines.pop(0).rstrip(b"\n"))
        if key is None:
            raise GitError("no header", "")
        while lines and not lines[0].startswith((b"@@ ", b"diff --git ")):
            lines.pop(0)
        hunks: list[Hunk] = []
        size = 0
        while lines and lines[0].startswith(b"@@ "):
            before = sum(map(len, lines[1:]))
            hunks.append(plain_hunk(lines))
            size += before - sum(map(len, lines))
        found.append(Plain(key, tuple(hunks), size, sum(len(hunk.lines) for hunk in hunks)))
    return found


def limited(found: list[Plain]) -> list[Section]:
    """What may be kept of it."""
    kept = rows = 0
    sections = []
    for key, hunks, size, count in found:
        over = size > changes.FILE_LIMIT or kept + size > changes.TOTAL_LIMIT or rows + count >= changes.LINES_LIMIT
        if not over:
            kept, rows = kept + size, rows + count
        sections.append(Section(key, None if over else hunks, binary=False))
    return sections


def plain_hunk(lines: list[bytes]) -> Hunk:
    heading = HEADING.fullmatch(lines.pop(0))
    if heading is None:
        raise GitError("no hunk", "")
    old, old_left, new, new_left = map(int, heading.groups())
    hunk = Hunk(old, new, "", ())
    shown: list[Line] = []
    while old_left or new_left or (lines and lines[0].startswith(b"\\")):
        line = lines.pop(0) if lines else b"?"
        sign, text = chr(line[0]), changes.decode(line[1:].removesuffix(b"\n"))
        if sign == "\\":
            shown[-1:] = [last._replace(ended=False) for last in shown[-1:]]
            continue
        if sign not in " +-":
            raise GitError("no line", "")
        shown.append(Line(sign, None if sign == "+" else old, None if sign == "-" else new, text))
        old, old_left = old + (sign != "+"), old_left - (sign != "+")
        new, new_left = new + (sign != "-"), new_left - (sign != "-")
        if min(old_left, new_left) < 0:
            raise GitError("no end", "")
    return hunk._replace(lines=tuple(shown))


def parsed(patch: bytes) -> list[Section] | None:
    """The sections, or None where it is no patch."""
    with suppress(GitError):
        return list(PatchParser(io.BytesIO(patch).readline, HEADERS).sections())
    return None


texts = st.sampled_from(
    [
        b"",
        b"a",
        b"\r",
        b"\xff\0",
        b"- -",
        b"++ b/x",
        b"@@ -1,1 +1,1 @@",
        b"diff --git a/x b/x",
        b"\\ No newline",
        b"x" * 40,
    ]
)
signs = st.sampled_from([b" ", b"+", b"-"])
marks = st.sampled_from([b"", b"", b"", b"\\ No newline at end of file\n"])
rows = st.tuples(signs, texts, marks)


def hunk_of(start: int, body: list[tuple[bytes, bytes, bytes]], off: tuple[int, int]) -> bytes:
    """A hunk, the counts of which may be wrong."""
    old, new = (sum(row[0] != sign for row in body) for sign in (b"+", b"-"))
    lines = b"".join(sign + text + b"\n" + mark for sign, text, mark in body)
    return b"@@ -%d,%d +%d,%d @@\n" % (start, max(old + off[0], 0), start, max(new + off[1], 0)) + lines


hunks = st.builds(
    hunk_of,
    st.integers(0, 10**7),
    st.lists(rows, max_size=12) | st.tuples(rows, st.integers(0, 40)).map(lambda pair: [pair[0]] * pair[1]),
    st.sampled_from([(0, 0)] * 20 + [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1)]),
)
sections = st.builds(
    lambda name, preamble, hunks: changes.header(name, name) + b"\n" + preamble + b"".join(hunks),
    st.sampled_from("xyz"),
    st.sampled_from([b"", b"index 1..2\n--- a/x\n+++ b/x\n"]),
    st.lists(hunks, max_size=4),
)


@settings(max_examples=500, deadline=None, database=None)
@given(st.lists(sections, max_size=5).map(b"".join), st.none() | st.integers(0, 500), st.data())
def test_a_patch_over_the_limits_is_read_as_line_by_line(patch: bytes, end: int | None, data: st.DataObject) -> None:
    patch = patch[:end]
    try:
        whole = plainly(patch)
    except GitError:
        assert parsed(patch) is None
        return
    near = st.integers(-1, 1)
    first = whole[: data.draw(st.integers(0, len(whole)))]
    limits = {
        "FILE_LIMIT": max(data.draw(st.sampled_from([0, *(item.size for item in whole)])) + data.draw(near), 0),
        "TOTAL_LIMIT": max(sum(item.size for item in first) + data.draw(near), 0),
        "LINES_LIMIT": max(sum(item.rows for item in first) + data.draw(near), 1),
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(changes, "_AT_ONCE", data.draw(st.integers(1, 9)))
        for name in data.draw(st.sets(st.sampled_from(sorted(limits)))):
            patched.setattr(changes, name, limits[name])
        assert parsed(patch) == limited(whole)


@pure
@given(st.text("\r\nx", max_size=60).map(str.encode), st.integers(1, 9), st.integers(1, 20))
def test_lines_are_whole_but_for_what_is_too_long_of_them(content: bytes, block: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(snapshots, "_BLOCK", block)
        patched.setattr(snapshots, "_LINE_LIMIT", limit)
        found = list(snapshots._lines(io.BytesIO(content)))
    whole = io.BytesIO(content).readlines()
    assert [line[:limit] for line in found] == [line[:limit] for line in whole]
    assert all(line == other for line, other in zip(found, whole, strict=True) if len(other) <= limit)
    assert all(len(line) <= limit + block for line in found)


@pytest.mark.parametrize(
    ("limit", "kept", "hunk", "count"),
    [
        pytest.param("LINES_LIMIT", 1000, b"@@ -0,0 +1,400000 @@\n" + b"+x\n" * 400_000, 1, id="lines"),
        pytest.param("FILE_LIMIT", 1000, b"@@ -0,0 +1,190000 @@\n" + b"+line\n" * 190_000, 1, id="bytes"),
        pytest.param("FILE_LIMIT", 1000, b"@@ -1 +1 @@\n-x\n+y\n", 20_000, id="hunks"),
    ],
)
def test_what_is_skipped_is_not_held(
    monkeypatch: pytest.MonkeyPatch, limit: str, kept: int, hunk: bytes, count: int
) -> None:
    monkeypatch.setattr(changes, limit, kept)
    patch = io.BytesIO(changes.header("x", "x") + b"\n" + hunk * count)
    tracemalloc.start()
    try:
        (section,) = PatchParser(patch.readline, HEADERS).sections()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert section.hunks is None
    assert peak < MB // 3


@pytest.mark.parametrize("over", [0, 1])
def test_a_mark_after_a_hunk_counts_as_well(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    lines = b"+x\n\\ No newline at end of file\n"
    monkeypatch.setattr(changes, "FILE_LIMIT", len(lines) - over)
    (section,) = parsed(changes.header("x", "x") + b"\n@@ -0,0 +1 @@\n" + lines) or ()
    assert (section.hunks is None) == bool(over)
