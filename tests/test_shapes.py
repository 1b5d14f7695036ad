"""Large files, files that can be run and symbolic links are told, read through a real git."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import diffs

from twoagent_hook.changes import ABSENT, SUBMODULE, SYMLINK, TOO_LARGE, FileChange, Hunk, Line, Status
from twoagent_hook.screening import shapes

pure = settings(max_examples=300, deadline=None, database=None)

PLAIN, PROGRAM = "100644", "100755"
MB = 1 << 20


def shaped(
    path: str = "a.txt",
    modes: tuple[str, str] = (PLAIN, PLAIN),
    sizes: tuple[int | None, int | None] = (5, 7),
    target: str | None = None,
    unread: str | None = None,
) -> FileChange:
    status = Status.ADDED if modes[0] == ABSENT else Status.DELETED if modes[1] == ABSENT else Status.MODIFIED
    lines = tuple(Line("+", None, number, text) for number, text in enumerate((target or "").split("\n"), 1))
    hunks = () if target is None else (Hunk(0, 1, "", lines),)
    return FileChange(path, status, *modes, "0" * 40, "1" * 40, sizes, hunks, unread)


def told(file: FileChange) -> list[tuple[str, str]]:
    found = list(shapes.find(file, file.path))
    assert all(finding.file == file.path and finding.title for finding in found)
    return [(finding.kind, finding.title) for finding in found]


SIZES = [
    ("a large file is added", (ABSENT, PLAIN), (None, MB + 1), "a file of 1.0 MB is added"),
    ("a very large file is added", (ABSENT, PLAIN), (None, 50 * MB), "a file of 50.0 MB is added"),
    ("a file grows beyond it", (PLAIN, PLAIN), (MB, MB + 1), "a file of 1.0 MB has grown from 1.0 MB"),
    ("a small file grows beyond it", (PLAIN, PLAIN), (5, 2 * MB), "a file of 2.0 MB has grown from 5 bytes"),
    ("a large file grows", (PLAIN, PLAIN), (2 * MB, 3 * MB), "a file of 3.0 MB has grown from 2.0 MB"),
    ("an empty file grows beyond it", (PLAIN, PLAIN), (0, 2 * MB), "a file of 2.0 MB has grown from 0 bytes"),
    ("a file of just that size", (ABSENT, PLAIN), (None, MB), None),
    ("a small file", (ABSENT, PLAIN), (None, 100), None),
    ("an empty file", (ABSENT, PLAIN), (None, 0), None),
    ("a large file shrinks", (PLAIN, PLAIN), (3 * MB, 2 * MB), None),
    ("a large file keeps its size", (PLAIN, PLAIN), (3 * MB, 3 * MB), None),
    ("a large file is deleted", (PLAIN, ABSENT), (3 * MB, None), None),
    ("a submodule", (ABSENT, SUBMODULE), (None, None), None),
]


@pytest.mark.parametrize(("modes", "sizes", "title"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES])
def test_large_files(modes: tuple[str, str], sizes: tuple[int | None, int | None], title: str | None) -> None:
    assert told(shaped(modes=modes, sizes=sizes)) == ([("large-file", title)] if title else [])


MODES = [
    ("becomes a program", PLAIN, PROGRAM, True),
    ("is added as one", ABSENT, PROGRAM, True),
    ("was a link and is a program", SYMLINK, PROGRAM, True),
    ("was a submodule and is a program", SUBMODULE, PROGRAM, True),
    ("stays one", PROGRAM, PROGRAM, False),
    ("is none any more", PROGRAM, PLAIN, False),
    ("is added plain", ABSENT, PLAIN, False),
    ("is deleted", PROGRAM, ABSENT, False),
]


@pytest.mark.parametrize(("old", "new", "expected"), [row[1:] for row in MODES], ids=[row[0] for row in MODES])
def test_files_that_can_be_run(old: str, new: str, expected: bool) -> None:
    found = told(shaped(modes=(old, new)))
    assert found == ([("executable-mode", "the file can be run now")] if expected else [])


OUT, ABSOLUTE = "out of the repository", "to an absolute path: out of the repository"
LINKS = [
    ("beside it", "docs/a", "b", None),
    ("below it", "docs/a", "b/c", None),
    ("up and in again", "docs/a", "../src/b", None),
    ("to the root", "docs/a", "..", None),
    ("to itself", "a", "a", None),
    ("over a detour", "docs/x/a", "../../docs/b", None),
    ("with dots in a name", "a", "..b", None),
    ("with three dots", "a", "...", None),
    ("with a dot first", "a", "./b", None),
    ("above the root", "a", "..", OUT),
    ("far above the root", "a", "../../etc/passwd", OUT),
    ("above the root from a folder", "docs/a", "../../b", OUT),
    ("above the root over a detour", "docs/a", "x/../../../b", OUT),
    ("out and in again", "a", "../repo/b", OUT),
    ("absolute", "a", "/etc/passwd", ABSOLUTE),
    ("to the root of all", "a", "/", ABSOLUTE),
    ("to a Windows drive", "a", "C:\\Windows", ABSOLUTE),
    ("to a Windows share", "a", "\\\\server\\share", ABSOLUTE),
    ("up in Windows' way", "a", "..\\..\\b", OUT),
    ("into git's folder", "a", ".git/hooks/pre-commit", "into git's own folder"),
    ("to git's folder from below", "docs/a", "../.git", "into git's own folder"),
    ("to a name like git's", "a", ".github/x", None),
    ("to a name with a line end", "a", "b\nc", None),
    ("to nothing", "a", "", None),
]


@pytest.mark.parametrize(("path", "target", "where"), [row[1:] for row in LINKS], ids=[row[0] for row in LINKS])
def test_links(path: str, target: str, where: str | None) -> None:
    (found,) = shapes.find(shaped(path, (ABSENT, SYMLINK), target=target), path)
    assert found.kind == "symlink"
    assert found.title == ("a symbolic link is added" + (f", {where}" if where else ""))
    assert found.line_start == 1
    assert bool(found.fix) == (where is not None)


def test_a_link_that_changes_and_one_that_was_a_file() -> None:
    (changed,) = told(shaped("a", (SYMLINK, SYMLINK), target="../b"))
    assert changed == ("symlink", "a symbolic link leads elsewhere now, out of the repository")
    (typed,) = told(shaped("a", (PLAIN, SYMLINK), target="b"))
    assert typed == ("symlink", "a symbolic link is added")


def test_a_link_whose_target_was_not_read() -> None:
    assert told(shaped("a", (ABSENT, SYMLINK), unread=TOO_LARGE)) == [("symlink", "a symbolic link is added")]


def test_a_deleted_link_is_nothing() -> None:
    assert told(shaped("a", (SYMLINK, ABSENT), target="/etc")) == []
    assert told(shaped("a", (SYMLINK, PLAIN), target="text")) == []


def test_what_real_git_says(tmp_path: Path) -> None:
    def old(folder: Path) -> None:
        (folder / "tool.sh").write_text("echo\n")
        (folder / "link").symlink_to("tool.sh")
        (folder / "plain").write_text("x\n")

    def new(folder: Path) -> None:
        os.chmod(folder / "tool.sh", 0o755)
        (folder / "link").unlink()
        (folder / "link").symlink_to("../elsewhere")
        (folder / "plain").unlink()
        (folder / "plain").symlink_to("/etc/passwd")
        (folder / "big").write_text("0123456789\n" * 200_000)
        (folder / "small").write_text("x\n")

    found = {file.path: told(file) for file in diffs.between(tmp_path, old, new).files}
    assert found == {
        "tool.sh": [("executable-mode", "the file can be run now")],
        "link": [("symlink", "a symbolic link leads elsewhere now, out of the repository")],
        "plain": [("symlink", "a symbolic link is added, to an absolute path: out of the repository")],
        "big": [("large-file", "a file of 2.1 MB is added")],
        "small": [],
    }


modes = st.sampled_from([ABSENT, PLAIN, PROGRAM, SYMLINK, SUBMODULE])
sizes = st.none() | st.integers(0, 1 << 40)


@pure
@given(st.text(min_size=1), st.tuples(modes, modes), st.tuples(sizes, sizes), st.none() | st.text())
def test_nothing_breaks_it(
    path: str, pair: tuple[str, str], size: tuple[int | None, int | None], target: str | None
) -> None:
    assert {kind for kind, _ in told(shaped(path, pair, size, target))} <= {"large-file", "executable-mode", "symlink"}
