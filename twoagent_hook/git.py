"""The door to git: where the repository is, and the ids of what is judged, by a handful of quick subprocesses.

Everything else is read from a *workspace*: a private folder with an empty work tree, a copy of the index and
a repository of its own that has nothing in it but a pointer to the real objects. So no configuration,
attribute, replacement, hook or filter of the repository is in reach of what shows a change, and the user's
index is neither locked nor rewritten (a `git write-tree` on it would do both, and run filters).
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from types import TracebackType
from typing import NamedTuple, Self

from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError, IndexMovedError

# What remains in reach (the user's own and the system's configuration, built-in defaults) is overruled here.
SETTINGS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.attributesFile=/dev/null"),
    *("-c", "core.bigFileThreshold=512m"),
    *("-c", "core.quotePath=true"),
    *("-c", "protocol.allow=never"),
    *("-c", "color.ui=false"),
)
_FIXED = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# To find the repository as git itself would: `safe.directory` may stand in the user's configuration, and in
# containers it is often given by variables. `rev-parse` runs nothing that configuration could name.
_DISCOVERY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_CONFIG",
)
EMPTY_TREES = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_SECONDS = 60
_FUNCTIONS = os.path.join(os.path.dirname(__file__), "functions.gitattributes")


class Location(NamedTuple):
    """Where git found the repository; all paths absolute."""

    executable: str
    git_dir: str
    common_dir: str
    worktree: str
    index_file: str
    object_format: str

    @property
    def state_dir(self) -> str:
        """The product's own folder: shared by all worktrees, gone with the clone."""
        return os.path.join(self.common_dir, "twoagent-hook")


class Trees(NamedTuple):
    """The ids of the immutable trees that are compared.

    Attributes:
        base: what the change is measured against (`HEAD`, or the empty tree on a first commit).
        tree: what would be committed.
        merged: the trees of the other parents, while a merge is being concluded.
    """

    base: str
    tree: str
    merged: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return self.base == self.tree and not self.merged


class Commit(NamedTuple):
    """A commit as git keeps it.

    Attributes:
        reached: whether a branch, a tag or the HEAD of a worktree still leads to it.
        raw: headers and message.
    """

    id: str
    reached: bool
    raw: bytes


# What git needs of the user's environment; keys and the like are none of its business.
_PASSED_ON = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|TEMP|TMP|LANG|LANGUAGE|LC_\w+|TZ|XDG_\w+|SYSTEMROOT|LD_LIBRARY_PATH|DYLD_\w+"
)


def passed_on(variables: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that git is given."""
    return {name: value for name, value in variables.items() if _PASSED_ON.fullmatch(name)}


def find_executable(environment: Environment) -> str:
    """The absolute path of git.

    Raises:
        GitError: there is none.
    """
    found = shutil.which("git", path=environment.variables.get("PATH", ""))
    if found is None:
        raise GitError("git is not on PATH", "install git, or put its folder on PATH")
    return found


def run(
    command: Sequence[str],
    *,
    cwd: str,
    environment: dict[str, str],
    stdin: bytes = b"",
    seconds: float = _SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """Run one git command to its end, whatever its exit code; bytes in, bytes out.

    Raises:
        GitError: it could not be started, or took longer than it may.
    """
    try:
        return subprocess.run(
            command, cwd=cwd, env=environment, input=stdin, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise GitError(
            f"git gave no answer within {seconds:g} s", "look for a hanging disk, then run it again"
        ) from error
    except OSError as error:
        raise GitError(f"git could not be started: {error.strerror}", "check the installation of git") from error


def version(executable: str) -> str:
    """The version of git, as it says it."""
    done = run([executable, "--version"], cwd="/", environment={"LC_ALL": "C"})
    return done.stdout.decode("utf-8", "replace").strip().removeprefix("git version ")


def complaint(stderr: bytes) -> str:
    """The first line of what git said, without its label."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return lines[0].removeprefix("fatal: ").removeprefix("error: ")


def locate(environment: Environment) -> Location:
    """Find the repository around the current folder as git itself would.

    Raises:
        GitError: there is no repository with a work tree here, or git does not trust it.
    """
    executable = find_executable(environment)
    try:
        cwd = os.getcwd()
    except OSError as error:
        raise GitError("the current folder is gone", "change to a folder that exists") from error
    told = {name: value for name, value in environment.variables.items() if name.startswith(_DISCOVERY)}
    variables = passed_on(environment.variables) | told | {"LC_ALL": "C"}
    asked = (
        "--absolute-git-dir",
        "--git-common-dir",
        "--git-path",
        "index",
        "--show-object-format",
        "--show-toplevel",
    )
    result = run([executable, "rev-parse", *asked], cwd=cwd, environment=variables)
    if result.returncode:
        raise GitError(
            f"git finds no repository to judge here: {complaint(result.stderr)}",
            "run it in the work tree of a git repository",
        )
    answers = os.fsdecode(result.stdout).removesuffix("\n").split("\n")
    if len(answers) != len(asked) - 1:  # a line break in a folder's name
        raise GitError("the repository lies in a folder whose name has a line break", "rename the folder")
    git_dir, common_dir, index, object_format, worktree = answers
    return Location(
        executable=executable,
        git_dir=git_dir,
        common_dir=os.path.abspath(os.path.join(cwd, common_dir)),
        worktree=worktree,
        index_file=os.path.abspath(os.path.join(cwd, index)),
        object_format=object_format,
    )


class Workspace:
    """A private folder (0700, removed at the end) from which git sees objects and nothing else."""

    def __init__(self, location: Location, environment: Environment) -> None:
        self.location = location
        self._inherited = passed_on(environment.variables)
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="twoagent-hook-")
            self.root = self._folder.name
            self._make_store()
        except OSError as error:
            raise GitError(f"no temporary folder can be made: {error.strerror}", "set TMPDIR to a folder") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _make_store(self) -> None:
        for name in ("work", "store", "store/refs", "store/objects", "store/info"):
            os.mkdir(os.path.join(self.root, name))
        with open(os.path.join(self.root, "store", "HEAD"), "w", encoding="ascii") as head:
            head.write("ref: refs/heads/none\n")
        with open(os.path.join(self.root, "store", "config"), "w", encoding="ascii") as config:
            config.write("[core]\n\trepositoryformatversion = 1\n\tbare = false\n")
            config.write(f"[extensions]\n\tobjectformat = {self.location.object_format}\n")
        shutil.copyfile(_FUNCTIONS, os.path.join(self.root, "store", "info", "attributes"))

    def path(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    def command(self, *arguments: str) -> list[str]:
        """The full argument list of a git command; `arguments` never begin with anything of the repository's."""
        return [self.location.executable, "--no-pager", "--literal-pathspecs", *SETTINGS, *arguments]

    def variables(
        self, *, index: str = "none", git_dir: str | None = None, worktree: str | None = None
    ) -> dict[str, str]:
        """The environment of a git command: isolated from the repository unless a real folder is given."""
        return (
            self._inherited
            | _FIXED
            | {
                "GIT_DIR": git_dir or self.path("store"),
                "GIT_OBJECT_DIRECTORY": os.path.join(self.location.common_dir, "objects"),
                "GIT_WORK_TREE": worktree or self.path("work"),
                "GIT_INDEX_FILE": self.path(index),
            }
        )

    def run(self, *arguments: str, environment: dict[str, str] | None = None, stdin: bytes = b"") -> bytes:
        """The output of a git command that has to succeed.

        Raises:
            GitError: it failed.
        """
        result = run(
            self.command(*arguments),
            cwd=self.path("work"),
            environment=environment or self.variables(),
            stdin=stdin,
        )
        if result.returncode:
            raise GitError(f"git {arguments[0]} failed: {complaint(result.stderr)}", "run `git fsck`, then try again")
        return result.stdout

    def trees(self) -> Trees:
        """The ids of what is staged now and of what it is measured against.

        Raises:
            GitError: the index is corrupt, or holds unmerged paths.
        """
        return Trees(self._base(), self._staged(), self._merged())

    def confirm(self, trees: Trees) -> None:
        """Hold what was judged against what would be committed now.

        Raises:
            IndexMovedError: it is something else.
            GitError: it can't be told.
        """
        if self.trees() != trees:
            raise IndexMovedError(
                "the index moved during the review: what was judged is not what would be committed",
                "commit again, and the new content is reviewed",
            )

    def _staged(self) -> str:
        self.copy_index("index")
        # A split index names its shared part relative to the repository's own folder, so that is used here.
        environment = self.variables(index="index", git_dir=self.location.git_dir)
        result = run(self.command("write-tree"), cwd=self.path("work"), environment=environment)
        if result.returncode == 0:
            return result.stdout.decode("ascii").strip()
        reason = complaint(result.stderr)
        if "unmerged" in reason:
            raise GitError("the index holds unmerged paths", "resolve the conflicts and `git add` the files")
        if "ermission denied" in reason or "Read-only" in reason or "unable to" in reason:
            raise GitError(f"git can't write into the repository: {reason}", "make .git writable for this user")
        raise GitError(f"the index can't be read: {reason}", "run `git status`; `git reset` rebuilds a broken index")

    def copy_index(self, name: str) -> None:
        """Copy the user's index as it is now, with its times: git compares them with the files'.

        Raises:
            GitError: it is there, and can't be read.
        """
        try:
            shutil.copy2(self.location.index_file, self.path(name))
        except FileNotFoundError:  # nothing was ever staged, or it is gone
            with suppress(FileNotFoundError):
                os.remove(self.path(name))
        except OSError as error:
            raise GitError(f"the index can't be read: {error.strerror}", "check the permissions of .git") from error

    def branch(self) -> str | None:
        """The branch that is checked out, or None."""
        environment = self.variables(git_dir=self.location.git_dir)
        result = run(
            self.command("symbolic-ref", "--quiet", "--short", "HEAD"), cwd=self.path("work"), environment=environment
        )
        return os.fsdecode(result.stdout).removesuffix("\n") if result.returncode == 0 else None

    def commits_of(self, trees: Collection[str]) -> list[Commit]:
        """The commits that have one of these trees, newest first.

        Looked through is all that a branch, a tag or the HEAD of a worktree leads to, and each commit that one of
        those HEADs was at. What was stashed was never committed.

        Raises:
            GitError: the repository can't be read.
        """
        if not trees:
            return []
        everywhere = ("--exclude=refs/stash", "--exclude=refs/notes/*", "--all")
        reached = self._walk(self.location.git_dir, trees, *everywhere)
        found = dict.fromkeys(reached)
        for folder in self._git_dirs():
            with suppress(GitError):  # nothing was ever committed there, or it keeps no reflog
                found |= dict.fromkeys(self._walk(folder, trees, "--walk-reflogs", "HEAD"))
        return list(self._commits(list(found), set(reached)))

    def _git_dirs(self) -> list[str]:
        """Those of the repository and of its worktrees."""
        folder = os.path.join(self.location.common_dir, "worktrees")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [self.location.common_dir, *(os.path.join(folder, name) for name in names)]

    def _walk(self, git_dir: str, trees: Collection[str], *arguments: str) -> list[str]:
        """The ids of those commits that `rev-list` names, and that have one of the trees."""
        environment = self.variables(git_dir=git_dir) | {"GIT_GRAFT_FILE": os.devnull}
        lines = BytesIO(self.run("rev-list", "--format=%T", *arguments, environment=environment))
        pairs = zip(lines, lines, strict=False)  # `commit ID`, and its tree
        return [
            commit.decode("ascii").split()[1]
            for commit, tree in pairs
            if tree.decode("ascii", "replace").strip() in trees
        ]

    def _commits(self, ids: Sequence[str], reached: Collection[str]) -> Iterator[Commit]:
        if not ids:
            return
        output = BytesIO(self.run("cat-file", "--batch", stdin="".join(f"{one}\n" for one in ids).encode()))
        while head := output.readline().decode("ascii", "replace").split():
            if len(head) == 3:  # else it is missing
                yield Commit(head[0], head[0] in reached, output.read(int(head[2])))
                output.readline()

    def _base(self) -> str:
        tree = self._peel("HEAD^{tree}")
        if tree is not None:
            return tree
        if self._peel("HEAD") is not None:
            raise GitError("the tree of HEAD can't be read", "run `git fsck` and restore the missing objects")
        return EMPTY_TREES[self.location.object_format]

    def resolve(self, revision: str) -> str | None:
        """The id that a revision stands for, or None where it stands for nothing."""
        return self._peel(revision)

    def _peel(self, revision: str) -> str | None:
        environment = self.variables(git_dir=self.location.git_dir)
        command = self.command("rev-parse", "--quiet", "--verify", "--end-of-options", revision)
        result = run(command, cwd=self.path("work"), environment=environment)
        return result.stdout.decode("ascii").strip() if result.returncode == 0 else None

    def _merged(self) -> tuple[str, ...]:
        try:
            with open(os.path.join(self.location.git_dir, "MERGE_HEAD"), encoding="ascii") as file:
                parents = file.read().split()
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise GitError("MERGE_HEAD can't be read", "conclude or abort the merge with git") from error
        trees = tuple(self._peel(f"{parent}^{{tree}}") for parent in parents if not parent.startswith("-"))
        known = tuple(tree for tree in trees if tree is not None)
        if len(known) != len(parents):
            raise GitError("MERGE_HEAD names a commit that is not here", "conclude or abort the merge with git")
        return known
