"""The files on disk, next to the index: what an earlier hook changed, and what somebody edits during a review.

Frameworks set unstaged work aside while hooks run, and restore or roll back at the end; so an edit made in the
meantime can be lost, and a file that another hook rewrote makes the commit fail whatever a reviewer says.
Nothing here runs a filter or a driver of the repository.
"""

import hashlib
import os
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO

from twoagent_hook import changes
from twoagent_hook.errors import GitError
from twoagent_hook.git import Workspace, complaint

_INDEX = "index-of-worktree"
_CONVERTED = ("filter", "working-tree-encoding", "ident")  # attributes by which a file on disk differs by nature
_MOST_PATHS = 1000  # that are named on a command line
_READ_LIMIT = 256 << 20  # bytes; a larger file is believed to have changed when its times say so
_BLOCK = 1 << 20
_SECONDS = 60


def differing(workspace: Workspace) -> tuple[str, ...]:
    """Tracked files whose content is not the one in the index.

    A file that is turned into another when it is staged (by Git LFS, git-crypt, a notebook stripper, an encoding)
    differs by nature, and only a filter could tell; none is run, so such a file is not looked at.

    Raises:
        GitError: git failed.
    """
    _share_split_index(workspace)
    # A copy of its own: writing a tree refreshes the times in the other, and git then misses an edit of this second.
    workspace.copy_index(_INDEX)
    environment = workspace.variables(index=_INDEX, worktree=workspace.location.worktree)
    command = ("diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all", "--no-ext-diff", "--abbrev=64")
    suspects = changes.parse_manifest(workspace.run(*command, environment=environment))
    intended = {file.path for file in suspects if not file.old_oid.strip("0")}  # `git add -N`: nothing is staged of it
    found = tuple(file.path for file in suspects if file.path not in intended and _differs(workspace, file))
    filtered = _filtered(workspace, found)
    return tuple(path for path in found if path not in filtered)


def _share_split_index(workspace: Workspace) -> None:
    """The index may name a shared part, which git looks for in its own folder."""
    for name in os.listdir(workspace.location.git_dir):
        target = workspace.path("store", name)
        if name.startswith("sharedindex.") and not os.path.lexists(target):
            os.symlink(os.path.join(workspace.location.git_dir, name), target)


def _filtered(workspace: Workspace, paths: tuple[str, ...]) -> frozenset[str]:
    if not paths:
        return frozenset()
    location = workspace.location
    environment = workspace.variables(index=_INDEX, git_dir=location.git_dir, worktree=location.worktree)
    names = b"".join(changes.encode(path) + b"\0" for path in paths)
    fields = workspace.run("check-attr", "-z", "--stdin", *_CONVERTED, environment=environment, stdin=names).split(
        b"\0"
    )
    answers = zip(fields[::3], fields[2::3], strict=False)
    return frozenset(changes.decode(path) for path, value in answers if value not in {b"unspecified", b"unset", b""})


def _differs(workspace: Workspace, file: changes.FileChange) -> bool:
    """Whether a file that looks touched really holds something else: its times alone prove nothing."""
    path = os.path.join(os.fsencode(workspace.location.worktree), changes.encode(file.path))
    try:
        return _content_differs(path, file.old_oid)
    except OSError:
        return True


def _content_differs(path: bytes, oid: str) -> bool:
    """Whether neither a file as it is, nor one as a checkout with CRLF line ends left it, has this id.

    It is read again for each answer, and never held: a file may be larger than the memory. One that is written to
    in the meantime has another length than its id was begun with, and differs.
    """
    about = os.lstat(path)
    if stat.S_ISLNK(about.st_mode):
        target = os.readlink(path)
        return _oid(len(target), (target,), len(oid)) != oid
    if not stat.S_ISREG(about.st_mode) or about.st_size > _READ_LIMIT:
        return True
    if _oid(about.st_size, _blocks(path), len(oid)) == oid:
        return False
    size = sum(map(len, with_line_feeds(_blocks(path))))
    return size == about.st_size or _oid(size, with_line_feeds(_blocks(path)), len(oid)) != oid


def _blocks(path: bytes) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


def with_line_feeds(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same with CRLF turned into LF, also where one block ends between the two."""
    held = b""
    for block in blocks:
        whole = held + block
        held = b"\r" if whole.endswith(b"\r") else b""
        yield whole.removesuffix(held).replace(b"\r\n", b"\n")
    yield held


def _oid(size: int, blocks: Iterable[bytes], length: int) -> str:
    digest = hashlib.sha256() if length == 64 else hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def rescue(workspace: Workspace) -> str | None:
    """Save what differs between the index and the disk as a patch that `git apply` takes.

    Returns:
        the path of the patch, or None where nothing differs.

    Raises:
        GitError: git failed.
        OSError: it can't be written.
    """
    paths = differing(workspace)
    if not paths:
        return None
    flags = ("-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv")
    named = [os.fsdecode(changes.encode(path)) for path in paths] if len(paths) <= _MOST_PATHS else []
    folder = os.path.join(workspace.location.state_dir, "rescued")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, time.strftime("%Y%m%dT%H%M%S") + f"-{os.getpid()}.patch")
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file, ExitStack() as undo:
        undo.callback(os.remove, path)  # a part of a patch would pass for all of it
        _print_into(file, workspace, ("diff-files", *flags, "--", *named))
        undo.pop_all()
    return path


def _print_into(file: IO[bytes], workspace: Workspace, arguments: Sequence[str]) -> None:
    """Have git itself print into a file: a patch may be larger than the memory.

    Raises:
        GitError: git failed, maybe for want of room on the disk.
        OSError: git can't be started.
    """
    try:
        done = subprocess.run(
            workspace.command(*arguments),
            cwd=workspace.path("work"),
            env=workspace.variables(index=_INDEX, worktree=workspace.location.worktree),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git gave no answer within {_SECONDS} s", "look for a hanging disk") from error
    if done.returncode:
        raise GitError(
            f"git {arguments[0]} failed: {complaint(done.stderr)}", "make room on the disk, or run `git fsck`"
        )
