"""What a change adds by its shape alone: large files, files that can be run, symbolic links; pure."""

import posixpath
from collections.abc import Iterator

from twoagent_hook.changes import SYMLINK, FileChange
from twoagent_hook.findings import Finding
from twoagent_hook.screening.rules import rule

EXECUTABLE = "100755"
LARGE = 1 << 20  # bytes


def find(file: FileChange, name: str) -> Iterator[Finding]:
    """What is worth a look in one file, whatever it says.

    Args:
        name: of the file, as people are shown it.
    """
    before, after = file.sizes
    if after is not None and after > LARGE and after > (before or 0):
        grown = "is added" if before is None else f"has grown from {_megabytes(before)}"
        fix = "keep it elsewhere, or with Git LFS, unless it has to be here"
        yield rule("large-file", f"a file of {_megabytes(after)} {grown}", name, None, fix)
    if file.new_mode == EXECUTABLE != file.old_mode:
        yield rule(
            "executable-mode", "the file can be run now", name, None, "take the mode back unless it is a program"
        )
    if file.new_mode == SYMLINK:
        yield _link(file, name)


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB" if size > LARGE // 10 else f"{size} bytes"


def _link(file: FileChange, name: str) -> Finding:
    """A link's target is its only content."""
    verb = "leads elsewhere now" if file.old_mode == SYMLINK else "is added"
    title = f"a symbolic link {verb}"
    fix = "link to a place in the repository, by a relative path"
    lines = [line for line in file.lines if line.sign == "+"]
    if file.unread is not None or not lines:
        return rule("symlink", title, name, None, fix)
    target = "\n".join(line.text for line in lines)
    where = _leads(file.path, target.replace("\\", "/"))
    return rule("symlink", f"{title}, {where}" if where else title, name, lines[0].new, fix if where else "", target)


def _leads(path: str, target: str) -> str:
    """What is odd about where a link leads; empty where it stays in the repository."""
    if target.startswith("/") or target[1:3] == ":/":
        return "to an absolute path: out of the repository"
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if whole == ".." or whole.startswith("../"):
        return "out of the repository"
    return "into git's own folder" if whole == ".git" or whole.startswith(".git/") else ""
