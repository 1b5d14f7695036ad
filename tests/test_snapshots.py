"""Every kind of change, read from real repositories."""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from support.repo import Repo
from support.server import Server

from twoagent_hook import changes, git, rendering
from twoagent_hook.changes import ChangeSet, FileChange, Status
from twoagent_hook.config import Config
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError
from twoagent_hook.git import Location, Trees, Workspace
from twoagent_hook.screening import Move, Reason, ScreenedChange, Withheld, screen
from twoagent_hook.snapshots import Snapshot


@dataclass(frozen=True)
class Seen:
    trees: Trees
    change: ChangeSet
    screened: ScreenedChange

    def __getitem__(self, path: str) -> FileChange:
        return next(file for file in self.change.files if file.path == path)

    def shown(self, path: str) -> FileChange:
        return next(file for file in self.screened.files if file.path == path)

    def added(self, path: str) -> list[str]:
        return [line.text for line in self[path].lines if line.sign == "+"]

    @property
    def statuses(self) -> dict[str, str]:
        return {file.path: file.status.value for file in self.change.files}


def locate(repo: Repo, cwd: Path | None = None, **variables: str) -> tuple[Location, Environment]:
    environment = Environment(repo.environment | variables)
    with chdir(cwd or repo.root):
        return git.locate(environment), environment


def look(repo: Repo, config: Config | None = None, cwd: Path | None = None, **variables: str) -> Seen:
    """The change that is staged; whatever it is, nothing of it may be missing, and the index stays as it is."""
    location, environment = locate(repo, cwd, **variables)
    index = Path(location.index_file)
    before = (index.stat().st_mtime_ns, index.read_bytes()) if index.exists() else None
    with Workspace(location, environment) as workspace:
        trees = workspace.trees()
        snapshot = Snapshot(workspace)
        change = snapshot.change(trees)
        generated = snapshot.generated(change.base, [file.path for file in change.files])
        screened = screen(change, config or Config(), generated)
    after = (index.stat().st_mtime_ns, index.read_bytes()) if index.exists() else None
    assert after == before, "the user's index was touched"
    assert os.path.exists(workspace.root) is False
    assert_nothing_is_missing(repo, trees, screened, location, cwd or repo.root)
    return Seen(trees, change, screened)


def assert_nothing_is_missing(
    repo: Repo, trees: Trees, screened: ScreenedChange, location: Location, cwd: Path
) -> None:
    """What git itself would commit, and every path in which it differs from HEAD, exactly once."""
    here = Repo(cwd, repo.environment, init=False)
    copy = f"{location.git_dir}/index-of-the-test"
    if os.path.exists(location.index_file):
        shutil.copy2(location.index_file, copy)
    assert trees.tree == here.git("write-tree", GIT_INDEX_FILE=copy)
    Path(copy).unlink(missing_ok=True)
    head = here.git("rev-parse", "--verify", "--quiet", "HEAD^{tree}", check=False)
    assert trees.base == (head or here.git("hash-object", "-t", "tree", "/dev/null"))
    raw = here.git(
        "diff-tree", "-r", "--raw", "-z", "--no-renames", "--ignore-submodules=none", trees.base, trees.tree
    )
    expected = raw.split("\0")[1::2]
    accounted = [
        *(file.path for file in screened.files),
        *(file.source for file in screened.files if file.source is not None),
        *(path for move in screened.moves for path in move),
        *(item.path for item in screened.withheld),
    ]
    assert sorted(accounted) == sorted(expected)
    assert screened.entries == len(expected)


# --- kinds of change ----------------------------------------------------------------------------------------


def test_an_added_file_is_read(repo: Repo) -> None:
    repo.stage("new.py", "a\nb\n")
    seen = look(repo)
    assert seen.statuses == {"new.py": "A"}
    assert [(line.sign, line.old, line.new, line.text) for line in seen["new.py"].lines] == [
        ("+", None, 1, "a"),
        ("+", None, 2, "b"),
    ]
    assert seen["new.py"].sizes == (None, 4)


def test_an_empty_file_is_read(repo: Repo) -> None:
    repo.stage("empty.py", "")
    seen = look(repo)
    assert seen.statuses == {"empty.py": "A"}
    assert seen["empty.py"].hunks == ()
    assert seen["empty.py"].sizes == (None, 0)


def test_a_modified_file_is_read_with_its_line_numbers(repo: Repo) -> None:
    repo.write("app.py", "".join(f"line {number}\n" for number in range(1, 31)))
    repo.commit_all()
    repo.stage("app.py", "".join(f"line {number}\n" for number in range(1, 31) if number != 10) + "end\n")
    lines = {(line.sign, line.old, line.new): line.text for line in look(repo)["app.py"].lines}
    assert lines["-", 10, None] == "line 10"
    assert lines[" ", 11, 10] == "line 11"
    assert lines["+", None, 30] == "end"
    assert sum(sign != " " for sign, _, _ in lines) == 2


def test_a_deleted_file_is_read(repo: Repo) -> None:
    repo.git("rm", "-q", "app.py")
    seen = look(repo)
    assert seen.statuses == {"app.py": "D"}
    assert seen["app.py"].removed == 2
    assert seen["app.py"].sizes == (int(repo.git("cat-file", "-s", "HEAD:app.py")), None)


def test_a_change_of_mode_alone_is_named(repo: Repo) -> None:
    repo.git("update-index", "--chmod=+x", "app.py")
    seen = look(repo)
    file = seen["app.py"]
    assert (file.status, file.old_mode, file.new_mode, file.hunks) == (Status.MODIFIED, "100644", "100755", ())
    assert "mode 100644 → 100755" in rendering.render(seen.shown("app.py"))


def test_a_mode_and_content_together_are_read(repo: Repo) -> None:
    repo.stage("app.py", "x = 1\n", mode=0o755)
    seen = look(repo)
    assert seen["app.py"].new_mode == "100755"
    assert seen.added("app.py") == ["x = 1"]


def test_a_symbolic_link_is_read_as_its_target(repo: Repo) -> None:
    (repo.root / "link").symlink_to("../../etc/passwd")
    repo.git("add", "link")
    seen = look(repo)
    assert seen.added("link") == ["../../etc/passwd"]
    assert seen["link"].new_mode == changes.SYMLINK
    assert "symbolic link" in rendering.render(seen.shown("link"))


def test_a_file_that_becomes_a_link_shows_both_sides(repo: Repo) -> None:
    (repo.root / "app.py").unlink()
    (repo.root / "app.py").symlink_to("/etc/passwd")
    repo.git("add", "app.py")
    seen = look(repo)
    assert seen.statuses == {"app.py": "T"}
    assert seen.added("app.py") == ["/etc/passwd"]
    assert seen["app.py"].removed == 2


def test_a_link_that_becomes_a_file_shows_both_sides(repo: Repo) -> None:
    (repo.root / "link").symlink_to("app.py")
    repo.commit_all()
    (repo.root / "link").unlink()
    repo.stage("link", "evil()\n")
    seen = look(repo)
    assert seen.statuses == {"link": "T"}
    assert seen.added("link") == ["evil()"]
    assert seen["link"].removed == 1


def test_a_file_that_becomes_a_submodule_shows_both_sides(repo: Repo) -> None:
    commit = repo.head
    repo.git("rm", "-q", "--cached", "app.py")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},app.py")
    seen = look(repo)
    assert seen.statuses == {"app.py": "T"}
    assert seen.added("app.py") == [f"Subproject commit {commit}"]
    assert [finding.kind for finding in seen.screened.findings] == ["unreviewable"]


@pytest.mark.parametrize("step", ["added", "moved on", "deleted"])
def test_a_submodule_is_named_with_its_commits(repo: Repo, step: str) -> None:
    first, second = repo.head, repo.commit_all("second")
    if step != "added":
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
        repo.git("commit", "-qm", "with a submodule")
    if step == "deleted":
        repo.git("update-index", "--force-remove", "sub")
    else:
        repo.git("update-index", "--add", "--cacheinfo", f"160000,{second},sub")
    shown = [(line.sign, line.text) for line in look(repo)["sub"].lines]
    before = [] if step == "added" else [("-", f"Subproject commit {first}")]
    after = [] if step == "deleted" else [("+", f"Subproject commit {second}")]
    assert shown == before + after


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", bytes(range(256)) * 9], ids=["png", "bytes"])
def test_a_binary_file_is_named_and_not_shown(repo: Repo, content: bytes) -> None:
    repo.stage("picture.png", content)
    seen = look(repo)
    assert seen.screened.withheld == (Withheld("picture.png", Reason.BINARY, f"{len(content)} bytes"),)
    assert seen.screened.files == ()
    assert [finding.kind for finding in seen.screened.findings] == ["unreviewable"]


def test_a_folder_in_the_place_of_a_file_is_read(repo: Repo) -> None:
    repo.write("a", "old\n")
    repo.commit_all()
    repo.git("rm", "-q", "a")
    repo.stage("a/b", "new\n")
    repo.stage("a/c/d", "newer\n")
    seen = look(repo)
    assert seen.statuses == {"a": "D", "a/b": "A", "a/c/d": "A"}
    assert seen["a"].removed == 1
    assert seen.added("a/b") == ["new"]


def test_a_file_in_the_place_of_a_folder_is_read(repo: Repo) -> None:
    repo.write("a/b", "old\n")
    repo.write("a/c/d", "older\n")
    repo.commit_all()
    repo.git("rm", "-qr", "a")
    repo.stage("a", "new\n")
    seen = look(repo)
    assert seen.statuses == {"a": "A", "a/b": "D", "a/c/d": "D"}
    assert seen.added("a") == ["new"]


def test_a_folder_in_the_place_of_a_file_is_read_next_to_a_file_that_is_not(repo: Repo) -> None:
    """With a file that is too large, the others are asked for by name, and a name stands for all below it."""
    repo.write("a", "old\n")
    repo.commit_all()
    repo.git("rm", "-q", "a")
    repo.stage("a/b", "new\n")
    repo.stage("a/large", b"x" * (17 << 20))
    seen = look(repo)
    assert seen["a"].removed == 1
    assert seen.added("a/b") == ["new"]
    assert seen["a/large"].unread == "too large to read"


def test_a_folder_and_a_file_of_one_name_are_read_once_each_when_asked_for_apart(repo: Repo) -> None:
    """More names than fit on one command line lie between the two."""
    repo.write("a", "old\n")
    repo.commit_all()
    repo.git("rm", "-q", "a")
    small = repo.git("hash-object", "-w", "--stdin", stdin=b"new\n")
    large = repo.git("hash-object", "-w", "--stdin", stdin=b"x" * (17 << 20))
    between = [f"a-{number:03}{'n' * 240}" for number in range(500)]
    rows = [
        f"100644 {oid}\t{name}\n" for oid, name in ((small, "a/b"), (large, "large"), *((small, n) for n in between))
    ]
    repo.git("update-index", "--index-info", stdin="".join(rows).encode())
    seen = look(repo)
    assert seen["a"].removed == 1
    assert [line.text for line in seen["a/b"].lines] == ["new"]
    assert all(seen[name].added == 1 for name in between)


# --- renames ------------------------------------------------------------------------------------------------

LONG = "".join(f"line {number} of a file that is long enough to be recognised\n" for number in range(40))


@pytest.fixture
def long_repo(repo: Repo) -> Repo:
    repo.write("src/old.py", LONG)
    repo.commit_all()
    return repo


def move(repo: Repo, source: str, path: str, content: str | None = None) -> None:
    (repo.root / path).parent.mkdir(parents=True, exist_ok=True)
    repo.git("mv", source, path)
    if content is not None:
        repo.stage(path, content)


def test_a_moved_file_is_one_line(long_repo: Repo) -> None:
    move(long_repo, "src/old.py", "src/new.py")
    seen = look(long_repo)
    assert seen.statuses == {"src/new.py": "A", "src/old.py": "D"}
    assert seen.screened.moves == (Move("src/old.py", "src/new.py"),)
    assert seen.screened.files == ()


def test_a_moved_and_edited_file_is_shown_by_its_edits(long_repo: Repo) -> None:
    move(long_repo, "src/old.py", "src/new.py", LONG + "evil()\n")
    seen = look(long_repo)
    (file,) = seen.screened.files
    assert (file.path, file.source) == ("src/new.py", "src/old.py")
    assert [line.text for line in file.lines if line.sign != " "] == ["evil()"]
    assert "moved from src/old.py and edited" in rendering.render(file)
    assert seen.added("src/new.py")[-1] == "evil()"


@pytest.mark.parametrize("content", [None, LONG + "evil()\n"], ids=["as it was", "edited"])
@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("src/old.py", "src/old.sh"),
        ("src/old.py", "src/old"),
        ("src/old.py", ".github/workflows/old.py"),
        ("src/old.py", ".husky/old.py"),
        ("src/old.py", "conftest.py"),
        ("src/old.py", "src/executable.py"),
    ],
    ids=["other suffix", "no suffix", "workflows", "hooks", "run by tests", "other mode"],
)
def test_a_file_that_acts_by_its_place_is_shown_whole_when_it_moves(
    long_repo: Repo, source: str, path: str, content: str | None
) -> None:
    move(long_repo, source, path, content)
    if "executable" in path:
        long_repo.git("update-index", "--chmod=+x", path)
    seen = look(long_repo)
    assert seen.screened.moves == ()
    assert {file.path: file.source for file in seen.screened.files} == {source: None, path: None}
    assert seen.shown(path).added >= 40


def test_a_file_that_was_excluded_is_shown_whole_when_it_moves(long_repo: Repo) -> None:
    move(long_repo, "src/old.py", "new.py")
    seen = look(long_repo, Config(exclude=("src/**",)))
    assert seen.screened.withheld == (Withheld("src/old.py", Reason.EXCLUDED, "+0 −40"),)
    assert seen.shown("new.py").added == 40


def test_names_that_read_as_the_same_header_are_told_apart(repo: Repo) -> None:
    """`a/x.py b/y.py b/z.py` is both the move of `x.py b/y.py` to `z.py`, and of `x.py` to `y.py b/z.py`."""
    first = "".join(f"the first file has line {number}\n" for number in range(40))
    second = "".join(f"{number} is a line of another one\n" for number in range(40))
    repo.write("x.py b/y.py", first)
    repo.write("x.py", second)
    repo.commit_all()
    move(repo, "x.py b/y.py", "z.py", first + "first()\n")
    move(repo, "x.py", "y.py b/z.py", second + "second()\n")
    seen = look(repo)
    for path, mark in (("z.py", "first()"), ("y.py b/z.py", "second()")):
        (file,) = (file for file in seen.screened.files if file.path == path)
        assert [line.text for line in file.lines if line.sign == "+"][-1] == mark
        assert file.source in {None, {"first()": "x.py b/y.py", "second()": "x.py"}[mark]}


def test_many_moved_files_with_long_names_are_all_accounted_for(repo: Repo) -> None:
    """More names than fit on one command line."""
    folder = "/".join("a folder with a long name" for _ in range(9))
    rows, oid = [], ""
    for number in range(500):
        if number < 40:
            oid = repo.git("hash-object", "-w", "--stdin", stdin=f"{number}\n{LONG}".encode())
        rows.append(f"100644 {oid}\t{folder}/{number:03}.py\n")
    repo.git("update-index", "--index-info", stdin="".join(rows).encode())
    repo.git("commit", "-qm", "many")
    repo.git("read-tree", "--empty")
    edited = repo.git("hash-object", "-w", "--stdin", stdin=f"0\n{LONG}evil()\n".encode())
    moved = [row.replace(f"\t{folder}", f"\tmoved/{folder}") for row in rows]
    moved[0] = f"100644 {edited}\tmoved/{folder}/000.py\n"
    large = repo.git("hash-object", "-w", "--stdin", stdin=b"x" * (17 << 20))
    moved.append(f"100644 {large}\tlarge\n")
    repo.git("update-index", "--index-info", stdin="".join(moved).encode())
    seen = look(repo)
    assert len(seen.change.files) == 1002
    assert seen[f"moved/{folder}/499.py"].added == 41
    assert len(seen.screened.moves) > 400


# --- names --------------------------------------------------------------------------------------------------

NAMES: dict[str, bytes] = {
    "blanks": b" a  file .py ",
    "quotes": b"quo\"te's.py",
    "line-feed": b"new\nline.py",
    "carriage-return": b"return\r.py",
    "tab": b"tab\t.py",
    "backslash": b"back\\slash\\n.py",
    "dash": b"-rf",
    "option": b"--output=x",
    "not-utf-8": b"caf\xe9.py",
    "half-a-character": b"\xe2\x82",
    "utf-8": "Ünï—日本.py".encode(),
    "decomposed": "u\u0308.py".encode(),
    "controls": bytes(range(1, 32)),
    "delete": b"\x7f.py",
    "header": b"a b/a",
    "end-of-options": b"--",
    "magic": b":!app.py",
    "wildcards": b"*?[a].py",
    "percent": b"%s%n.py",
    "dollar": b"$HOME`id`.py",
    "hash": b"# comment",
    "long": b"n" * 255,
    "deep": b"/".join([b"folder"] * 60),
    "only-high": bytes(range(128, 256)),
}


@pytest.mark.parametrize("name", list(NAMES))
def test_a_file_of_any_name_is_read(repo: Repo, name: str) -> None:
    raw = NAMES[name]
    repo.stage(raw, "first\n")
    seen = look(repo)
    path = changes.decode(raw)
    assert changes.encode(path) == raw
    assert seen.statuses == {path: "A"}
    assert seen.added(path) == ["first"]
    headline, *rest = rendering.render(seen.shown(path)).split("\n")
    assert headline.startswith("=== ")
    assert len(rest) == 2
    assert headline.encode()  # no surrogate is left


@pytest.mark.parametrize("name", list(NAMES))
def test_a_file_of_any_name_is_read_by_name(repo: Repo, name: str) -> None:
    """With a file that is too large, git is asked for the others by their names."""
    raw = NAMES[name]
    repo.stage(raw, "first\n")
    repo.commit_all()
    repo.stage(raw, "second\n")
    large = repo.git("hash-object", "-w", "--stdin", stdin=b"x" * ((16 << 20) + 1))
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{large},large")
    seen = look(repo)
    assert seen.added(changes.decode(raw)) == ["second"]
    assert seen["large"].unread == "too large to read"


def test_two_names_that_differ_in_their_bytes_alone_are_two_files(repo: Repo) -> None:
    names = [b"caf\xe9", "café".encode(), "cafe\u0301".encode(), b"caf\\xe9", b'caf"', b"caf\\"]
    for number, name in enumerate(names):
        repo.stage(name, f"{number}\n")
    seen = look(repo)
    assert [seen.added(changes.decode(name)) for name in names] == [[str(number)] for number in range(len(names))]
    assert len({rendering.render(file).split("\n")[0] for file in seen.screened.files}) == len(names)


def test_a_locale_without_unicode_reads_every_name(repo: Repo) -> None:
    repo.stage("Ünï/日本.py", "evil()\n")
    result = repo.run("review", "--dry-run", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING="")
    assert result.code == 0, result
    assert "evil()" in result.out


# --- contents -----------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """A file's bytes, and the lines that a reviewer is shown of it."""

    content: bytes
    lines: list[str]


CONTENTS: dict[str, Text] = {
    "ascii": Text(b"a\nb\n", ["a", "b"]),
    "latin-1": Text(b"# caf\xe9\nEVIL\n", [r"# caf\xe9", "EVIL"]),
    "utf-8": Text("ü 日本\n".encode(), ["ü 日本"]),
    "utf-8-mark": Text(b"\xef\xbb\xbfEVIL\n", [r"\u{feff}EVIL"]),
    "utf-16-le": Text("one\nEVIL\n".encode("utf-16-le"), ["one", "EVIL", ""]),
    "utf-16-le-mark": Text(b"\xff\xfe" + "one\nEVIL\n".encode("utf-16-le"), ["one", "EVIL", ""]),
    "utf-16-be": Text("one\nEVIL\n".encode("utf-16-be"), ["one", "EVIL"]),
    "utf-16-be-mark": Text(b"\xfe\xff" + "one\nEVIL\n".encode("utf-16-be"), ["one", "EVIL"]),
    "utf-16-crlf": Text("one\r\nEVIL\r\n".encode("utf-16-le"), [r"one\u{d}", r"EVIL\u{d}", ""]),
    "utf-16-no-end": Text("one\nEVIL".encode("utf-16-le"), ["one", "EVIL"]),
    "nul": Text(b"one\n#\0\nEVIL\n", ["one", r"#\u{0}", "EVIL"]),
    "crlf": Text(b"one\r\nEVIL\r\n", [r"one\u{d}", r"EVIL\u{d}"]),
    "cr": Text(b"one\rEVIL\r\n", [r"one\u{d}EVIL\u{d}"]),
    "cr-alone": Text(b"one\rEVIL", [r"one\u{d}EVIL"]),
    "form-feed": Text(b"one\x0cEVIL\n", [r"one\u{c}EVIL"]),
    "vertical-tab": Text(b"one\x0bEVIL\n", [r"one\u{b}EVIL"]),
    "line-separator": Text("one\u2028EVIL\n".encode(), [r"one\u{2028}EVIL"]),
    "next-line": Text("one\x85EVIL\n".encode(), [r"one\u{85}EVIL"]),
    "no-end": Text(b"one\nEVIL", ["one", "EVIL"]),
    "one-line-feed": Text(b"\n", [""]),
    "blank": Text(b" \n\t\n", [" ", "\t"]),
    "backslash": Text(b"\\ No newline at end of file\nEVIL\n", ["\\ No newline at end of file", "EVIL"]),
    "hunk": Text(b"@@ -1,3 +1,4 @@\n--- a/x\n+++ b/x\nEVIL\n", ["@@ -1,3 +1,4 @@", "--- a/x", "+++ b/x", "EVIL"]),
    "header": Text(b"diff --git a/app.py b/app.py\nEVIL\n", ["diff --git a/app.py b/app.py", "EVIL"]),
    "surrogate": Text(b"\xed\xa0\x80EVIL\n", [r"\xed\xa0\x80EVIL"]),
    "direction": Text("a\u202eEVIL\u2066\n".encode(), [r"a\u{202e}EVIL\u{2066}"]),
    "tags": Text("a\U000e0041\ufe0f\n".encode(), [r"a\u{e0041}\u{fe0f}"]),
}


@pytest.mark.parametrize("name", list(CONTENTS))
def test_a_file_of_any_encoding_is_shown_line_by_line(repo: Repo, name: str) -> None:
    repo.stage("x.py", CONTENTS[name].content)
    file = look(repo).shown("x.py")
    missing = "  (no line feed at the end of the file)"
    shown = [line.removesuffix(missing).partition("+| ")[2] for line in rendering.render(file).split("\n")[2:]]
    assert shown == CONTENTS[name].lines


@pytest.mark.parametrize("name", list(CONTENTS))
def test_a_file_of_any_encoding_comes_back_byte_for_byte(repo: Repo, name: str) -> None:
    content = CONTENTS[name].content
    repo.stage("x.py", content)
    lines = look(repo)["x.py"].lines
    assert b"".join(changes.encode(line.text) + (b"\n" if line.ended else b"") for line in lines) == content


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "latin-1"])
def test_an_edit_within_a_file_of_another_encoding_is_shown(repo: Repo, encoding: str) -> None:
    text = "".join(f"the line of number {number} is ä\n" for number in range(30))
    repo.write("x.py", text.encode(encoding))
    repo.commit_all()
    repo.stage("x.py", text.replace("20 is", "20 was").encode(encoding))
    file = look(repo).shown("x.py")
    rendered = rendering.render(file)
    assert "the line of number 20 was " in rendered
    assert r"\u{0}" not in rendered


@pytest.mark.parametrize("indent", range(0, 60, 10))
def test_a_secret_in_the_heading_of_a_hunk_stays_home_even_where_git_cuts_it(repo: Repo, indent: int) -> None:
    """Git names the enclosing function by the first 80 bytes of its line."""
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    heading = f"def f({'x' * indent}='{secret}'):\n"
    body = "".join(f"    line{number}\n" for number in range(30))
    repo.write("x.py", heading + body)
    repo.commit_all()
    repo.stage("x.py", heading + body.replace("line20", "edited"))
    rendered = rendering.render(look(repo).shown("x.py"))
    assert "edited" in rendered
    assert secret[:12] not in rendered


def test_the_end_of_a_file_is_marked_where_no_line_feed_is(repo: Repo) -> None:
    repo.stage("app.py", repo.content("app.py").removesuffix(b"\n"))
    lines = [(line.sign, line.ended) for line in look(repo)["app.py"].lines]
    assert lines == [(" ", True), ("-", True), ("+", False)]


def test_a_text_type_with_a_nul_is_shown_and_noted(repo: Repo) -> None:
    repo.stage("x.py", b"print(1)\n#\0\nEVIL\n")
    seen = look(repo)
    assert [finding.kind for finding in seen.screened.findings] == ["unreviewable"]
    assert seen.screened.withheld == ()


# --- size ---------------------------------------------------------------------------------------------------

SIZES: dict[str, Callable[[], bytes]] = {
    "patch-over-a-mebibyte": lambda: b"y" * 63 + b"\n" + (b"x" * 63 + b"\n") * (1 << 14),
    "one-line-of-ten-megabytes": lambda: b"x" * 10_000_000,
    "one-line-and-others": lambda: b"first\n" + b"x" * 10_000_000 + b"\nlast\n",
    "forty-megabytes": lambda: (b"x" * 63 + b"\n") * 625_000,
    "many-hunks": lambda: b"".join(b"line %07d\n" % number for number in range(100_000)),
}


@pytest.mark.parametrize("status", ["added", "modified", "deleted"])
@pytest.mark.parametrize("name", list(SIZES))
def test_what_is_too_large_is_named_and_hides_nothing_else(repo: Repo, name: str, status: str) -> None:
    content = SIZES[name]()
    if status != "added":
        repo.write("large.py", content)
        repo.commit_all()
    if status == "deleted":
        repo.git("rm", "-q", "large.py")
    elif name == "many-hunks":
        repo.stage("large.py", content.replace(b"5\n", b"five\n") * (2 if status == "added" else 1))
    else:
        repo.stage("large.py", content if status == "added" else content.replace(b"x", b"z"))
    repo.stage("app.py", "evil()\n")
    repo.stage("zzz.py", "evil()\n")
    started = time.monotonic()
    seen = look(repo)
    assert time.monotonic() - started < 20
    (item,) = seen.screened.withheld
    assert (item.path, item.reason) == ("large.py", Reason.TOO_LARGE)
    assert seen["large.py"].hunks == ()
    assert seen.added("app.py") == ["evil()"]
    assert seen.added("zzz.py") == ["evil()"]


def test_a_small_edit_of_a_large_file_is_read(repo: Repo) -> None:
    content = b"".join(b"line %07d\n" % number for number in range(600_000))
    repo.write("large.py", content)
    repo.commit_all()
    repo.stage("large.py", content.replace(b"0300000", b"EVIL"))
    seen = look(repo)
    assert seen.added("large.py") == ["line EVIL"]


def test_a_patch_just_under_the_limit_is_read_whole(repo: Repo) -> None:
    line = b"x" * 62 + b"\n"  # and its sign
    count = changes.FILE_LIMIT // 64
    repo.stage("large.py", line * count)
    assert len(look(repo).added("large.py")) == count


def test_more_than_can_be_kept_in_all_is_named(repo: Repo) -> None:
    content = (b"x" * 1022 + b"\n") * 1000
    rows = []
    for number in range(20):
        oid = repo.git("hash-object", "-w", "--stdin", stdin=b"%d\n" % number + content)
        rows.append(f"100644 {oid}\tf{number:02}.py\n")
    repo.git("update-index", "--index-info", stdin="".join(rows).encode())
    seen = look(repo)
    named = [item.path for item in seen.screened.withheld]
    assert named == [f"f{number:02}.py" for number in range(8, 20)]
    assert {item.reason for item in seen.screened.withheld} == {Reason.TOO_LARGE}


# --- which index, which base --------------------------------------------------------------------------------


def test_a_first_commit_is_measured_against_nothing(empty_repo: Repo) -> None:
    empty_repo.stage("app.py", "evil()\n")
    seen = look(empty_repo)
    assert seen.trees.base == git.EMPTY_TREES["sha1"]
    assert seen.statuses == {"app.py": "A"}


def test_an_empty_repository_has_no_change(empty_repo: Repo) -> None:
    location, environment = locate(empty_repo)
    with Workspace(location, environment) as workspace:
        assert workspace.trees().empty


def test_an_unborn_branch_is_measured_against_nothing(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "other")
    seen = look(repo)
    assert seen.statuses == {"app.py": "A"}


def test_a_repository_of_long_ids_is_read(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path / "long", clean_environment, object_format="sha256")
    repo.stage("app.py", "first\n")
    assert look(repo).trees.base == git.EMPTY_TREES["sha256"]
    repo.commit_all()
    repo.stage("app.py", "second\n")
    repo.stage(".gitattributes", "*.py linguist-generated\n")
    seen = look(repo)
    assert seen.added("app.py") == ["second"]
    assert len(seen["app.py"].new_oid) == 64


def test_what_is_only_on_disk_is_no_part_of_the_change(repo: Repo) -> None:
    repo.stage("app.py", "staged()\n")
    repo.write("app.py", "on_disk()\n")
    repo.write("untracked.py", "on_disk()\n")
    seen = look(repo)
    assert seen.statuses == {"app.py": "M"}
    assert seen.added("app.py") == ["staged()"]


def test_an_intention_to_add_is_no_part_of_the_change(repo: Repo) -> None:
    repo.write("later.py", "evil()\n")
    repo.git("add", "--intent-to-add", "later.py")
    repo.stage("app.py", "x = 1\n")
    assert look(repo).statuses == {"app.py": "M"}


def test_a_worktree_has_its_own_index_and_the_common_log(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "second"))
    second = Repo(tmp_path / "second", repo.environment, init=False)
    second.stage("app.py", "evil()\n")
    repo.stage("other.py", "x = 1\n")
    seen = look(second)
    assert seen.statuses == {"app.py": "M"}
    assert look(repo).statuses == {"other.py": "A"}
    assert locate(second)[0].state_dir == locate(repo)[0].state_dir == str(repo.root / ".git" / "twoagent-hook")


def test_a_git_folder_that_lies_elsewhere_is_found(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path / "work", clean_environment, init=False)
    repo.root.mkdir()
    repo.git("init", "-q", f"--separate-git-dir={tmp_path / 'elsewhere'}")
    repo.stage("app.py", "evil()\n")
    assert (repo.root / ".git").is_file()
    assert look(repo).statuses == {"app.py": "A"}


def test_a_folder_below_the_root_sees_the_whole_change(repo: Repo) -> None:
    repo.stage("app.py", "x = 1\n")
    repo.stage("deep/down/new.py", "y = 1\n")
    assert look(repo, cwd=repo.root / "deep" / "down").statuses == {"app.py": "M", "deep/down/new.py": "A"}


def test_a_repository_in_a_folder_of_any_name_is_read(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path / "-a \"quoted\" Ünï 'folder' $HOME %s :x", clean_environment)
    repo.stage("app.py", "evil()\n")
    assert look(repo).statuses == {"app.py": "A"}


def test_variables_that_name_the_folders_are_followed(repo: Repo, tmp_path: Path) -> None:
    repo.stage("app.py", "evil()\n")
    seen = look(repo, cwd=repo.root, GIT_DIR=str(repo.root / ".git"), GIT_WORK_TREE=str(repo.root))
    assert seen.statuses == {"app.py": "M"}


def test_objects_that_are_borrowed_are_read(repo: Repo, tmp_path: Path) -> None:
    borrower = Repo(tmp_path / "borrower", repo.environment, init=False)
    repo.git("clone", "-q", "--shared", str(repo.root), str(borrower.root))
    borrower.stage("app.py", "evil()\n")
    assert look(borrower).added("app.py") == ["evil()"]


def test_packed_objects_are_read(repo: Repo) -> None:
    repo.git("gc", "-q")
    repo.stage("app.py", "evil()\n")
    assert look(repo).added("app.py") == ["evil()"]


def test_a_split_index_is_read_and_left_alone(repo: Repo) -> None:
    for number in range(20):
        repo.write(f"f{number}.py", f"{number}\n")
    repo.commit_all()
    repo.git("config", "core.splitIndex", "true")
    repo.git("config", "splitIndex.maxPercentChange", "0")
    repo.git("update-index", "--split-index")
    repo.stage("app.py", "evil()\n")
    files = sorted(path.name for path in (repo.root / ".git").iterdir())
    assert any(name.startswith("sharedindex.") for name in files)
    assert look(repo).added("app.py") == ["evil()"]
    assert sorted(path.name for path in (repo.root / ".git").iterdir()) == files


@pytest.mark.parametrize("sparse_index", ["--sparse-index", "--no-sparse-index"])
def test_a_sparse_checkout_is_read(repo: Repo, sparse_index: str) -> None:
    for folder in ("here", "there", "there/deep"):
        repo.write(f"{folder}/file.py", f"{folder}\n")
    repo.commit_all()
    repo.git("sparse-checkout", "set", "--cone", sparse_index, "here")
    assert not (repo.root / "there").exists()
    repo.stage("here/file.py", "evil()\n")
    assert look(repo).statuses == {"here/file.py": "M"}


def test_an_index_with_every_extension_is_read(repo: Repo) -> None:
    repo.git("update-index", "--untracked-cache", "--index-version", "4")
    repo.git("config", "index.threads", "2")
    repo.git("status")
    repo.stage("app.py", "evil()\n")
    assert look(repo).statuses == {"app.py": "M"}


def test_the_index_that_a_variable_names_is_the_one_that_is_judged(repo: Repo) -> None:
    repo.stage("app.py", "mine()\n")
    other = str(repo.root / ".git" / "other-index")
    repo.write("other.py", "theirs()\n")
    repo.git("read-tree", "HEAD", GIT_INDEX_FILE=other)
    repo.git("add", "other.py", GIT_INDEX_FILE=other)
    assert look(repo, GIT_INDEX_FILE=other).statuses == {"other.py": "A"}
    assert look(repo, GIT_INDEX_FILE=".git/other-index").statuses == {"other.py": "A"}
    assert look(repo).statuses == {"app.py": "M"}


@pytest.fixture
def hooked(repo: Repo, serve: Callable[..., Server], configure: Callable[..., Path]) -> tuple[Repo, Server]:
    """A repository with the gate as its hook, one change that is staged, and one that isn't."""
    server = serve()
    configure(server)
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    repo.write("b.py", "b = 1\n")
    repo.commit_all()
    repo.install_plain_hook()
    repo.stage("app.py", "staged()\n")
    repo.write("b.py", "on_disk()\n")
    return repo, server


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((), {"staged()"}),
        (("--all",), {"staged()", "on_disk()"}),
        (("b.py",), {"on_disk()"}),
        (("--only", "b.py"), {"on_disk()"}),
        (("--include", "b.py"), {"staged()", "on_disk()"}),
        (("--amend",), {"staged()"}),
    ],
    ids=["plain", "all", "file", "only", "include", "amend"],
)
def test_a_hook_sees_what_this_commit_would_hold(
    hooked: tuple[Repo, Server], arguments: tuple[str, ...], shown: set[str]
) -> None:
    repo, server = hooked
    before = repo.head
    result = repo.commit(*arguments)
    assert result.code == 0, result
    (request,) = server.requests
    assert {mark for mark in ("staged()", "on_disk()") if f"+| {mark}\n" in request.user} == shown
    committed = repo.git("diff", before, "HEAD")
    assert {mark for mark in ("staged()", "on_disk()") if f"+{mark}" in committed} == shown


def test_a_hook_in_a_worktree_sees_its_commit(hooked: tuple[Repo, Server], tmp_path: Path) -> None:
    repo, server = hooked
    repo.git("worktree", "add", "-q", str(tmp_path / "second"), "HEAD~1")
    second = Repo(tmp_path / "second", repo.environment, init=False)
    second.write("app.py", "second()\n")
    result = second.commit("--all")
    assert result.code == 0, result
    (request,) = server.requests
    assert "+| second()\n" in request.user
    assert "staged()" not in request.user


# --- merges -------------------------------------------------------------------------------------------------


@pytest.fixture
def merging(repo: Repo) -> Repo:
    """A merge that stopped at a conflict in app.py, which is resolved; `theirs.py` comes from the other branch."""
    repo.git("checkout", "-q", "-b", "other")
    repo.write("app.py", "theirs = 1\n")
    repo.write("theirs.py", "theirs = 1\n")
    repo.commit_all("theirs")
    repo.git("checkout", "-q", "main")
    repo.write("app.py", "ours = 1\n")
    repo.write("ours.py", "ours = 1\n")
    repo.commit_all("ours")
    repo.git("merge", "other", check=False)
    assert (repo.root / ".git" / "MERGE_HEAD").exists()
    return repo


def test_unmerged_paths_are_an_error_that_says_so(merging: Repo) -> None:
    with pytest.raises(GitError, match="unmerged"):
        look(merging)


def test_a_merge_is_judged_by_what_it_decides_and_names_the_rest(merging: Repo) -> None:
    merging.stage("app.py", "resolved = 1\n")
    seen = look(merging)
    assert seen.change.inherited == ("theirs.py",)
    assert seen.statuses == {"app.py": "M"}
    assert seen.added("app.py") == ["resolved = 1"]
    assert seen.screened.withheld == (Withheld("theirs.py", Reason.INHERITED),)


def test_an_edit_that_a_merge_smuggles_in_is_judged(merging: Repo) -> None:
    merging.stage("app.py", "resolved = 1\n")
    merging.stage("theirs.py", "theirs = 1\nevil()\n")
    merging.stage("new.py", "evil()\n")
    seen = look(merging)
    assert seen.change.inherited == ()
    assert seen.statuses == {"app.py": "M", "theirs.py": "A", "new.py": "A"}


def test_a_merge_that_takes_one_side_names_it(merging: Repo) -> None:
    merging.stage("app.py", "theirs = 1\n")
    seen = look(merging)
    assert seen.change.inherited == ("app.py", "theirs.py")
    assert seen.change.files == ()


def test_a_merge_that_keeps_our_side_is_not_taken_for_nothing(merging: Repo) -> None:
    merging.git("rm", "-qf", "theirs.py")
    merging.stage("app.py", "ours = 1\n")
    location, environment = locate(merging)
    with Workspace(location, environment) as workspace:
        trees = workspace.trees()
    assert trees.base == trees.tree
    assert not trees.empty


def test_a_merge_with_a_parent_that_is_missing_is_an_error(merging: Repo) -> None:
    merging.stage("app.py", "resolved = 1\n")
    merging.write(".git/MERGE_HEAD", "0" * 39 + "1\n")
    with pytest.raises(GitError, match="MERGE_HEAD"):
        look(merging)


@pytest.mark.parametrize("content", [b"--all\n", b"\xff\xfe\n", b"HEAD~99\n", b"refs/heads/none\n"])
def test_a_merge_head_that_is_garbage_is_an_error(merging: Repo, content: bytes) -> None:
    merging.stage("app.py", "resolved = 1\n")
    merging.write(".git/MERGE_HEAD", content)
    with pytest.raises(GitError, match="MERGE_HEAD"):
        look(merging)


def test_a_merge_that_puts_an_edited_file_in_the_place_of_a_folder_is_judged(repo: Repo) -> None:
    """The file is judged and the folder's are inherited, and git takes the file's name for both."""
    repo.write("a/b", "old\n")
    repo.commit_all()
    repo.git("checkout", "-q", "-b", "other")
    repo.git("rm", "-qr", "a")
    repo.write("a", "theirs\n")
    repo.write("app.py", "theirs = 1\n")
    repo.commit_all("theirs")
    repo.git("checkout", "-q", "main")
    repo.write("app.py", "ours = 1\n")
    repo.commit_all("ours")
    repo.git("merge", "other", check=False)
    repo.stage("app.py", "resolved = 1\n")
    repo.stage("a", "resolved\n")
    seen = look(repo)
    assert seen.change.inherited == ("a/b",)
    assert seen.added("a") == ["resolved"]


def test_a_merge_of_a_worktree_is_its_own(merging: Repo, tmp_path: Path) -> None:
    merging.git("worktree", "add", "-q", str(tmp_path / "second"), "other")
    second = Repo(tmp_path / "second", merging.environment, init=False)
    second.stage("theirs.py", "evil()\n")
    assert look(second).trees.merged == ()


# --- attributes of the base ---------------------------------------------------------------------------------


def test_only_the_base_says_what_is_generated(repo: Repo) -> None:
    repo.write(".gitattributes", "old/** linguist-generated\n*.min.js linguist-generated=false\n")
    repo.commit_all()
    repo.stage(".gitattributes", "** linguist-generated\n")
    repo.stage("old/x.py", "x = 1\n")
    repo.stage("new/x.py", "evil()\n")
    repo.stage("new/.gitattributes", "* linguist-generated\n")
    repo.stage("own.min.js", "evil()\n")
    repo.write(".git/info/attributes", "* linguist-generated\n")
    seen = look(repo)
    assert [(item.path, item.reason) for item in seen.screened.withheld] == [("old/x.py", Reason.GENERATED)]
    assert seen.shown("new/x.py").added == 1
    assert seen.shown("own.min.js").added == 1


def test_attributes_of_a_folder_are_read_at_the_base(repo: Repo) -> None:
    repo.write(".gitattributes", "[attr]made linguist-generated\n")
    repo.write("caf\udce9/deep/.gitattributes", "* made\n")
    repo.commit_all()
    repo.stage(b"caf\xe9/deep/x.py", "x = 1\n")
    repo.stage(b"caf\xe9/x.py", "x = 1\n")
    seen = look(repo)
    assert [item.path for item in seen.screened.withheld] == ["caf\udce9/deep/x.py"]
    assert [file.path for file in seen.screened.files] == ["caf\udce9/x.py"]


# --- reading single files -----------------------------------------------------------------------------------


def test_a_file_of_a_tree_is_found_by_its_exact_name(repo: Repo) -> None:
    names = ["folder/:!x*.py", "-dash", "caf\udce9", "folder/new\nline"]
    for name in names:
        repo.write(name, f"content of {name!a}\n")
    (repo.root / "link").symlink_to("app.py")
    repo.commit_all()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    location, environment = locate(repo)
    with Workspace(location, environment) as workspace:
        snapshot = Snapshot(workspace)
        found = snapshot.entries(tree, [*names, "link", "none", "*.py", "folder/:!xy.py"])
        assert set(found) == {*names, "link"}
        assert found["link"][0] == changes.SYMLINK
        for name in names:
            assert snapshot.blob(found[name][1]) == f"content of {name!a}\n".encode()
        assert snapshot.blob(found["-dash"][1], limit=3) == b"con"


# --- what can't be read -------------------------------------------------------------------------------------


def test_no_repository_is_an_error(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path, clean_environment, init=False)
    with pytest.raises(GitError, match="no repository"):
        locate(repo)


def test_a_bare_repository_is_an_error(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path, clean_environment, init=False)
    repo.git("init", "-q", "--bare", ".")
    with pytest.raises(GitError, match="no repository"):
        locate(repo)


def test_a_folder_with_a_line_break_is_an_error(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    with pytest.raises(GitError, match="line break"):
        locate(Repo(tmp_path / "new\nline", clean_environment))


def test_no_git_on_the_path_is_an_error(repo: Repo) -> None:
    with pytest.raises(GitError, match="not on PATH"):
        locate(repo, PATH="/nonexistent")


def test_a_folder_that_is_gone_is_an_error(repo: Repo, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with chdir(gone):
        gone.rmdir()
        with pytest.raises(GitError, match="folder is gone"):
            git.locate(Environment(repo.environment))
        gone.mkdir()


@pytest.mark.parametrize(
    "content", [b"", b"garbage" * 20, b"DIRC\0\0\0\x09" + b"\0" * 40], ids=["empty", "text", "version"]
)
def test_a_broken_index_is_an_error(repo: Repo, content: bytes) -> None:
    repo.write(".git/index", content)
    with pytest.raises(GitError, match="index"):
        look(repo)


@pytest.mark.parametrize("revision", ["HEAD^{tree}", "HEAD:app.py", ":app.py"])
def test_a_missing_object_is_an_error(repo: Repo, revision: str) -> None:
    repo.stage("app.py", "evil()\n")
    oid = repo.git("rev-parse", revision)
    (repo.root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(GitError):
        look(repo)


@pytest.mark.parametrize("revision", ["HEAD:app.py", ":app.py"])
def test_a_corrupt_object_is_an_error(repo: Repo, revision: str) -> None:
    repo.stage("app.py", "evil()\n")
    oid = repo.git("rev-parse", revision)
    path = repo.root / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o600)
    path.write_bytes(b"\x78\x01garbage")
    with pytest.raises(GitError):
        look(repo)


def test_a_head_that_is_garbage_is_an_error_and_no_first_commit(repo: Repo) -> None:
    """Else everything would be measured against nothing, or against less than it is."""
    repo.stage("app.py", "evil()\n")
    repo.write(".git/refs/heads/main", "0123456789012345678901234567890123456789\n")
    with pytest.raises(GitError):
        look(repo)


def test_an_index_that_vanishes_is_seen_at_the_second_look(repo: Repo) -> None:
    """Git takes an index that is missing for an empty one, and reads it again after the hooks."""
    location, environment = locate(repo)
    with Workspace(location, environment) as workspace:
        before = workspace.trees()
        (repo.root / ".git" / "index").unlink()
        assert workspace.trees() != before


def test_a_change_of_the_index_is_seen_at_the_second_look(repo: Repo) -> None:
    location, environment = locate(repo)
    with Workspace(location, environment) as workspace:
        before = workspace.trees()
        assert workspace.trees() == before
        repo.stage("app.py", "evil()\n")
        after = workspace.trees()
        assert after.tree != before.tree
        repo.commit_all()
        assert workspace.trees().base != before.base


def test_the_private_folder_is_private_and_goes_away(repo: Repo) -> None:
    location, environment = locate(repo)
    with Workspace(location, environment) as workspace:
        assert os.stat(workspace.root).st_mode & 0o077 == 0
        workspace.trees()
    assert not os.path.exists(workspace.root)
