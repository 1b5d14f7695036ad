"""Reads the step from one tree to another through gitpython's command interface: its only importer.

The recipe: two tree ids, an empty work tree and no index (else git may read a file of the work tree instead
of the blob), `--text` and no attribute in reach (else a file passes for binary), no external program, names
as NUL-ended bytes. GitPython's own diff and index objects are not used: they ignore GIT_INDEX_FILE, fail on a
first commit, and return nothing at all when one name is not UTF-8.
"""

import io
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import IO, Any

from git.cmd import Git
from git.exc import GitCommandError

from twoagent_hook import changes
from twoagent_hook.changes import ABSENT, ChangeSet, FileChange, Hunk, PatchParser, Rename, Status
from twoagent_hook.errors import GitError
from twoagent_hook.git import Trees, Workspace

BLOB_LIMIT = 16 << 20  # bytes; a larger blob is named, not read
PATCH_LIMIT = 128 << 20  # bytes of a patch that are read; the files that have not come by then are named
_LINE_LIMIT = changes.FILE_LIMIT + 1
_BLOCK = 64 << 10
_ARGUMENTS_LIMIT = 96 << 10  # bytes of path arguments a command: far below any system's limit
_SECONDS = 120
_NOT_ASKED = -1  # the key of what comes along with a path that was a folder

_DIFF = (
    "diff-tree",
    "-r",
    "--no-ext-diff",
    "--no-textconv",
    "--text",
    "--no-color",
    "--full-index",
    "--ignore-submodules=none",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--no-relative",
    "--diff-algorithm=myers",
    "--ws-error-highlight=none",
    "-O/dev/null",
)
_MANIFEST = (*_DIFF, "--raw", "-z", "--no-renames")
_RENAMES = (*_DIFF, "--raw", "-z", "-M", "-l1000")
_LINES = ("-p", "-U3", "--inter-hunk-context=0")
_PATCH = (*_DIFF, *_LINES, "--no-renames")
_RENAMED_PATCH = (*_DIFF, *_LINES, "-M", "-l1000")


Pair = tuple[str, str, bool]  # source, path, and whether the content is equal
Moves = Callable[[Sequence[FileChange], Sequence[Pair]], Collection[str]]


def _none(_files: Sequence[FileChange], _pairs: Sequence[Pair]) -> Collection[str]:
    return ()


class Snapshot:
    """Reads objects in a workspace; holds no state but where that is."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._git = Git(workspace.path("work"))

    @contextmanager
    def _process(self, arguments: Sequence[str], stdin: bytes = b"", index: str = "none") -> Iterator[IO[bytes]]:
        """The standard output of a running git command, which has to end well, unless that is closed before it does.

        Raises:
            GitError: it failed, or ran for longer than two minutes.
        """
        with open(self._workspace.path("stdin"), "w+b") as file:
            file.write(stdin)
            file.seek(0)
            process = self._git.execute(
                self._workspace.command(*arguments),
                istream=file,
                env=self._workspace.variables(index=index),
                as_process=True,
            )
        running: Any = process.proc
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            running.kill()

        watchdog = threading.Timer(_SECONDS, end)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield running.stdout
            if not running.stdout.closed:
                process.wait()
        except (GitCommandError, GitError) as error:
            if overdue.is_set():  # whatever is wrong with what it had printed by then
                what = f"git {arguments[0]} took longer than {_SECONDS} s"
                raise GitError(what, "split the commit, or look for a hanging disk") from error
            if isinstance(error, GitError):
                raise
            raise GitError(f"git {arguments[0]} failed: {_reason(error)}", "run `git fsck`, then try again") from error
        finally:
            watchdog.cancel()
            if running.poll() is None:
                running.kill()
            running.wait()
            running.stdout.close()
            running.stderr.close()

    def _output(self, arguments: Sequence[str], stdin: bytes = b"", index: str = "none") -> bytes:
        with self._process(arguments, stdin, index) as stdout:
            return stdout.read()

    def change(self, trees: Trees, moves: Moves = _none) -> ChangeSet:
        """Everything that differs between the two trees.

        Args:
            moves: tells the paths of files that only moved, and whose lines therefore need not be read.

        Raises:
            GitError: git failed, or its answers contradict each other.
        """
        manifest = changes.parse_manifest(self._output((*_MANIFEST, trees.base, trees.tree)))
        if trees.base != trees.tree and not manifest:
            raise GitError("git shows no change between two different trees", "run `git fsck`")
        own, inherited = self._split_merge(manifest, trees)
        sized = self._with_sizes(own)
        pairs = self._pairs(sized, trees)
        files = self._with_hunks(sized, trees, inherited, moves(sized, pairs))
        return ChangeSet(trees.base, trees.tree, files, self._renames(files, pairs, trees), inherited, trees.merged)

    def with_functions(self, change: ChangeSet, limit: int) -> ChangeSet:
        """The same with the functions around its changes, as git finds them, where the change is of that size.

        Args:
            limit: bytes of the lines that are shown already; nothing is read where there are more.
        """
        files = [file for file in change.files if file.status is Status.MODIFIED and file.hunks]
        if not files or sum(len(line.text) for file in change.files for line in file.lines) > limit:
            return change
        headers = {changes.header(file.path, file.path): place for place, file in enumerate(files)}
        found: dict[str, tuple[Hunk, ...]] = {}
        for batch in _batches([file.path for file in files]):
            command = (*_PATCH, "--function-context", change.base, change.tree)
            for section in self._sections(command, batch, headers):
                if section.hunks and not section.binary:
                    found[files[section.key].path] = section.hunks
        return replace(change, functions=found)

    def _split_merge(
        self, manifest: tuple[FileChange, ...], trees: Trees
    ) -> tuple[tuple[FileChange, ...], tuple[str, ...]]:
        """What a merge itself decided, and the paths that it takes over from a parent as they are there."""
        differs = {file.path for file in manifest}
        for parent in trees.merged:
            other = changes.parse_manifest(self._output((*_MANIFEST, parent, trees.tree)))
            differs &= {file.path for file in other}
        own = tuple(file for file in manifest if file.path in differs)
        return own, tuple(file.path for file in manifest if file.path not in differs)

    def _with_sizes(self, files: tuple[FileChange, ...]) -> tuple[FileChange, ...]:
        def blob(mode: str, oid: str) -> str | None:
            return None if mode in (ABSENT, changes.SUBMODULE) else oid

        pairs = [(blob(file.old_mode, file.old_oid), blob(file.new_mode, file.new_oid)) for file in files]
        sizes = self.sizes({oid for pair in pairs for oid in pair if oid is not None})
        return tuple(
            replace(
                file,
                sizes=(sizes.get(pair[0] or ""), sizes.get(pair[1] or "")),
                unread=changes.TOO_LARGE if any(oid and sizes[oid] > BLOB_LIMIT for oid in pair) else None,
            )
            for file, pair in zip(files, pairs, strict=True)
        )

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The size of each blob in bytes.

        Raises:
            GitError: one of them is missing.
        """
        wanted = sorted(oids)
        if not wanted:
            return {}
        answer = self._output(
            ("cat-file", "--batch-check=%(objecttype) %(objectsize)"), "\n".join(wanted).encode() + b"\n"
        )
        found = dict(zip(wanted, answer.decode("ascii", "replace").splitlines(), strict=True))
        for oid, text in found.items():
            if not text.startswith("blob "):
                raise GitError(f"the object {oid} is missing", "run `git fsck` and restore it")
        return {oid: int(text.split(" ")[1]) for oid, text in found.items()}

    def _with_hunks(
        self, files: tuple[FileChange, ...], trees: Trees, inherited: tuple[str, ...], moved: Collection[str]
    ) -> tuple[FileChange, ...]:
        headers = {changes.header(path, path): _NOT_ASKED for path in (*inherited, *moved)}
        asked = tuple(file for file in files if file.path not in moved)
        headers |= {changes.header(file.path, file.path): place for place, file in enumerate(asked)}
        readable = [file.path for file in asked if file.unread is None]
        batches: Iterable[Sequence[str]] = _batches(readable)
        if len(readable) == len(files) and not trees.merged:
            batches = ((),)  # no path named: all of them
        sections = self._all_sections((*_PATCH, trees.base, trees.tree), batches, headers)
        read = {file.path: file for file in changes.assemble(asked, sections)}
        return tuple(read.get(file.path, file) for file in files)

    def _all_sections(
        self, command: Sequence[str], batches: Iterable[Sequence[str]], headers: Mapping[bytes, int]
    ) -> Iterator[changes.Section]:
        seen: set[int] = set()
        allowance = changes.Allowance()
        for batch in batches:
            # A path also stands for what lies below it (a file that became a folder): shown once is enough.
            shown = self._sections(command, batch, headers, allowance)
            part = [section for section in shown if section.key not in seen]
            seen.update(section.key for section in part)
            yield from (section for section in part if section.key != _NOT_ASKED)

    def _sections(
        self,
        command: Sequence[str],
        paths: Sequence[str],
        headers: Mapping[bytes, int],
        allowance: changes.Allowance | None = None,
    ) -> Iterator[changes.Section]:
        """What a patch says of each file; of all that it has not come to where it is over the limit, that it is.

        Raises:
            GitError: git failed, or the patch is not of the promised form.
        """
        last, rest = _NOT_ASKED, set(headers.values())
        with self._process((*command, "--", *paths)) as stdout:
            try:
                parser = PatchParser(partial(next, _lines(stdout), b""), headers, allowance)
                for section in parser.sections():
                    last = section.key
                    rest.discard(last)
                    yield section
            except _EndlessError:
                stdout.close()
                # The last may be one half of a change of type, of which the other is not known.
                yield from (changes.Section(key, None, binary=False) for key in (last, *sorted(rest)))

    def _pairs(self, files: tuple[FileChange, ...], trees: Trees) -> tuple[Pair, ...]:
        """The pairs that git would fold."""
        known = {file.path for file in files if not file.submodule}
        if not {Status.ADDED, Status.DELETED} <= {file.status for file in files}:
            return ()
        found = changes.parse_renames(self._output((*_RENAMES, trees.base, trees.tree)))
        return tuple(pair for pair in found if pair[0] in known and pair[1] in known)

    def _renames(self, files: tuple[FileChange, ...], pairs: tuple[Pair, ...], trees: Trees) -> tuple[Rename, ...]:
        """The pairs with the edits in each; only for the reader, never for coverage."""
        by_path = {file.path: file for file in files if file.unread is None}
        found = [pair for pair in pairs if pair[0] in by_path and pair[1] in by_path]
        headers = {changes.header(source, path): place for place, (source, path, _) in enumerate(found)}
        edits = {}
        for batch in _batches([name for pair in found if not pair[2] for name in pair[:2]], pairs=True):
            command = (*_RENAMED_PATCH, trees.base, trees.tree)
            try:
                edits.update({part.key: part for part in self._sections(command, batch, headers)})
            except GitError:  # git pairs the files of a batch otherwise: they are shown as added and deleted
                continue
        renames = []
        for place, (source, path, exact) in enumerate(found):
            file = replace(by_path[path], source=source, hunks=())
            section = edits.get(place)
            if exact:
                renames.append(Rename(source, path, exact=True, edits=file))
            elif section is not None and section.hunks and not section.binary:
                renames.append(Rename(source, path, exact=False, edits=replace(file, hunks=section.hunks)))
        return tuple(renames)

    def entries(self, tree: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Which of the paths are in a tree: path -> (mode, object id)."""
        found = {}
        for batch in _batches(paths):
            answer = self._output(("ls-tree", "-z", "--full-tree", tree, "--", *batch))
            for entry in answer.split(b"\0")[:-1]:
                about, _, name = entry.partition(b"\t")
                mode, _, oid = about.decode("ascii").split(" ")
                found[changes.decode(name)] = (mode, oid)
        return found

    def paths(self, tree: str) -> list[str]:
        """Every path in a tree, submodules included."""
        answer = self._output(("ls-tree", "-r", "-z", "--name-only", "--full-tree", tree))
        return [changes.decode(name) for name in answer.split(b"\0")[:-1]]

    def blob(self, oid: str, limit: int = BLOB_LIMIT) -> bytes:
        """The first `limit` bytes of a blob."""
        with self._process(("cat-file", "blob", oid)) as stdout:
            content = stdout.read(limit)
            while stdout.read(1 << 20):  # to its end, so that git ends well
                pass
        return content

    def blobs(self, sizes: Mapping[str, int], limit: int) -> dict[str, bytes]:
        """Whole blobs in one go, the small ones first, as long as they come to at most `limit` bytes.

        Args:
            sizes: bytes of each, by its id.
        """
        wanted, total = [], 0
        for oid in sorted(sizes, key=lambda oid: (sizes[oid], oid)):
            total += sizes[oid]
            wanted += [oid] if total <= limit else []
        if not wanted:
            return {}
        found = {}
        with self._process(("cat-file", "--batch=%(objectsize)"), "\n".join(wanted).encode() + b"\n") as stdout:
            for oid in wanted:
                size = int(stdout.readline())
                found[oid] = stdout.read(size)
                stdout.read(1)
        return found

    def generated(self, tree: str, paths: Sequence[str]) -> dict[str, bool]:
        """What the `.gitattributes` files of a tree, and nothing else, say of `linguist-generated`.

        Returns:
            path -> True or False; paths of which nothing is said are missing.
        """
        folders = {""} | {path[: place + 1] for path in paths for place, char in enumerate(path) if char == "/"}
        found = self.entries(tree, sorted(folder + ".gitattributes" for folder in folders))
        if not found:
            return {}
        index = b"".join(
            f"{mode} {oid}\t".encode() + changes.encode(path) + b"\0" for path, (mode, oid) in found.items()
        )
        self._output(("update-index", "-z", "--index-info"), index, index="attributes")
        names = b"".join(changes.encode(path) + b"\0" for path in paths)
        command = ("check-attr", "--cached", "-z", "--stdin", "linguist-generated")
        fields = self._output(command, names, index="attributes").split(b"\0")
        meaning = {b"set": True, b"true": True, b"unset": False, b"false": False}
        answers = zip(fields[::3], fields[2::3], strict=False)
        return {changes.decode(path): meaning[value] for path, value in answers if value in meaning}


def _reason(error: GitCommandError) -> str:
    text = str(error.stderr).strip().removeprefix("stderr:").strip(" '\n")
    return text.splitlines()[0].removeprefix("fatal: ") if text else f"exit code {error.status}"


def _batches(paths: Sequence[str], *, pairs: bool = False) -> Iterator[list[str]]:
    """The paths in portions that fit on a command line; with `pairs`, neighbours are never parted."""
    batch: list[str] = []
    size = 0
    step = 2 if pairs else 1
    for place in range(0, len(paths), step):
        # As this process's locale spells the bytes, which need not be UTF-8.
        group = [os.fsdecode(changes.encode(path)) for path in paths[place : place + step]]
        length = sum(len(changes.encode(path)) + 1 for path in paths[place : place + step])
        if batch and size + length > _ARGUMENTS_LIMIT:
            yield batch
            batch, size = [], 0
        batch.extend(group)
        size += length
    if batch:
        yield batch


class _EndlessError(Exception):
    """A patch is longer than is read."""


def _lines(stdout: IO[bytes]) -> Iterator[bytes]:
    """Line by line, of which little more than the limit is held: the rest of a longer one is read and dropped.

    The dropped part makes no difference: a file with a line of that length is over the limit, and unread.

    Raises:
        _EndlessError: there is more than is read.
    """
    begun = b""
    room = PATCH_LIMIT
    for block in iter(partial(stdout.read, _BLOCK), b""):
        room -= len(block)
        if room < 0:
            raise _EndlessError
        lines = io.BytesIO(begun + block).readlines()
        begun = b"" if lines[-1].endswith(b"\n") else lines.pop()[:_LINE_LIMIT]
        yield from lines
    if begun:
        yield begun
