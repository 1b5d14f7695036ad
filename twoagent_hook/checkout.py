"""A clean checkout of exactly one tree, and what commands do in it.

The checkout is a folder of its own below the temporary folder: the files of the tree byte by byte (no filter, no line
ends, no keyword of any attribute), their modes and links, and empty folders for submodules. It has a `.git` of its own
that borrows the real repository's objects and never writes to them: HEAD is a commit of that tree, tags and
remote-tracking branches are there to be read. So commands that ask git get answers, and whatever they do to that
repository is done to nobody else's. It is no wall: commands run as the user, and could reach all that the user can.
"""

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from fnmatch import fnmatchcase
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from twoagent_hook import changes, datafiles, git, visible
from twoagent_hook.addresses import loopback
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError
from twoagent_hook.git import Workspace
from twoagent_hook.keys import Command
from twoagent_hook.verification import MOST_CHANGED, Run

OUTPUT_LIMIT = 64 << 20  # bytes of a command's output; one that writes more is ended
TAIL_LIMIT = 4000  # characters of it that are kept
_TAIL_READ = 32 << 10  # bytes of its end that are looked through for secrets
_SECONDS = 900  # for git to write a large tree, or to look through it

# Above any attribute of the tree itself. The last one can't be unset, only left unsaid.
_ATTRIBUTES = "* -text -crlf -eol -ident -filter !working-tree-encoding\n"
_CONFIG = """\
[core]
\trepositoryformatversion = {version}
\tbare = false
\tfilemode = true
\thooksPath = /dev/null
\tfsmonitor = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "twoagent-hook"), ("EMAIL", "twoagent-hook@localhost"))
}


class Subject(NamedTuple):
    """What is checked out: a tree, and the commit that holds it, where there is one; else the one it would follow."""

    tree: str
    commit: str | None = None
    parent: str | None = None


class Checkout:
    """The files of one tree and a repository around them; gone at the end.

    Attributes:
        root: where it is.
        submodules: the paths at which a submodule would be, and an empty folder is.
    """

    def __init__(self, workspace: Workspace, subject: Subject) -> None:
        self._workspace = workspace
        self._subject = subject
        # Never shown to a command: what it does to its own is undone.
        self._store = workspace.path(f"repository-{subject.tree}")
        self._index = f"index-of-{subject.tree}"
        try:
            self._folder = os.path.realpath(tempfile.mkdtemp(prefix="twoagent-hook-verify-"))
        except OSError as error:
            raise GitError(f"no temporary folder can be made: {error.strerror}", "set TMPDIR to a folder") from error
        self.root = os.path.join(self._folder, "checkout")
        with ExitStack() as undo:
            undo.callback(remove, self._folder)
            self._check_place()
            self._make()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        remove(self._folder)

    @property
    def ceiling(self) -> str:
        """The folder above which git, run in a checkout without its `.git`, must not look for another one."""
        return self._folder

    def _check_place(self) -> None:
        """A checkout inside of the real one would be taken for a part of it by whatever looks upwards for settings."""
        real = os.path.realpath(self._workspace.location.worktree)
        if f"{self._folder}{os.sep}".startswith(f"{real}{os.sep}"):
            what = "the folder for temporary files lies inside of the repository"
            raise GitError(what, "set TMPDIR to a folder outside of it")

    # --- making it ------------------------------------------------------------------------------------------

    def _make(self) -> None:
        os.mkdir(self.root, 0o700)
        try:
            self._lay_out_store()
        except OSError as error:
            raise GitError(f"the checkout can't be made: {error.strerror}", "make room on the disk") from error
        self._write_head()
        self._git("read-tree", self._subject.tree)
        self.submodules = tuple(self._submodules())
        self._git("checkout-index", "--all", "--force", "--quiet")
        self._git("read-tree", self._subject.tree)  # without times, so that every file is read to confirm it
        differing = self.changed()
        if differing:
            what = f"the checkout is not the tree: {visible.path(differing[0])} differs"
            raise GitError(what, "look for a file system that changes names or contents, or set TMPDIR to another one")
        self._give_repository()

    def _lay_out_store(self) -> None:
        location = self._workspace.location
        for name in ("", "refs", "refs/heads", "objects", "objects/info", "objects/pack", "info"):
            os.mkdir(os.path.join(self._store, name), 0o700)
        sha1 = location.object_format == "sha1"
        config = _CONFIG.format(version=0 if sha1 else 1)
        config += "" if sha1 else f"[extensions]\n\tobjectformat = {location.object_format}\n"
        self._write("config", config)
        self._write("HEAD", "ref: refs/heads/none\n")
        self._write("info/attributes", _ATTRIBUTES)
        self._write("objects/info/alternates", os.path.join(location.common_dir, "objects") + "\n")
        with suppress(FileNotFoundError):  # where history was cut off, its end has to be known
            shutil.copyfile(os.path.join(location.common_dir, "shallow"), os.path.join(self._store, "shallow"))

    def _write(self, name: str, text: str) -> None:
        with open(os.path.join(self._store, name), "wb") as file:
            file.write(os.fsencode(text))

    def _write_head(self) -> None:
        tree, commit, parent = self._subject
        if commit is None:
            above = ("-p", parent) if parent else ()
            made = self._git("commit-tree", *above, "-m", "what is verified", tree, variables=_IDENTITY)
            commit = made.decode("ascii").strip()
        self._write("packed-refs", self._refs())
        self._write("HEAD", f"{commit}\n")

    def _refs(self) -> str:
        """Tags and remote-tracking branches, as a repository keeps them in one file; none where they can't be told."""
        workspace = self._workspace
        command = workspace.command("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags", "refs/remotes")
        environment = workspace.variables(git_dir=workspace.location.git_dir)
        done = git.run(command, cwd=workspace.path("work"), environment=environment)
        return os.fsdecode(done.stdout) if done.returncode == 0 else ""

    def _submodules(self) -> Iterator[str]:
        for entry in self._git("ls-files", "--stage", "-z").split(b"\0"):
            about, _, name = entry.partition(b"\t")
            if about.startswith(changes.SUBMODULE.encode() + b" "):
                yield changes.decode(name)

    def _give_repository(self) -> None:
        """Put the repository into the checkout, as it is at the start."""
        place = os.path.join(self.root, ".git")
        try:
            remove(place)
            shutil.copytree(self._store, place, symlinks=True)
            # With its times: git compares them with the files'.
            shutil.copy2(self._workspace.path(self._index), os.path.join(place, "index"))
        except OSError as error:
            raise GitError(f"the checkout can't be made: {error.strerror}", "make room on the disk") from error

    # --- holding it against the tree ------------------------------------------------------------------------

    def changed(self) -> tuple[str, ...]:
        """Tracked files that are not as they are in the tree.

        Raises:
            GitError: it can't be told.
        """
        self._git("update-index", "-q", "--refresh", needed=False)
        found = self._git(
            "diff-files", "--name-only", "-z", "--no-renames", "--ignore-submodules=all", "--no-ext-diff"
        )
        return tuple(changes.decode(name) for name in found.split(b"\0")[:-1])

    def put_back(self, paths: Sequence[str]) -> None:
        """Make these files, and the repository, what they were; whatever else was written stays.

        Raises:
            GitError: it can't be done.
        """
        names = b"".join(changes.encode(path) + b"\0" for path in paths)
        if paths:
            self._git("checkout-index", "--force", "--quiet", "-z", "--stdin", stdin=names)
        if self.changed():
            raise GitError("the files can't be put back", "look at what the command does to them")
        self._give_repository()

    def stands(self) -> None:
        """Make sure that there is a folder to look into, whatever a command did to it.

        Raises:
            GitError: there can be none.
        """
        try:
            if os.path.islink(self.root) or not os.path.isdir(self.root):
                remove(self.root)
                os.mkdir(self.root, 0o700)
            os.chmod(self.root, 0o700)
        except OSError as error:
            raise GitError(f"the checkout is gone: {error.strerror}", "look at what the command does to it") from error

    def _git(
        self, *arguments: str, stdin: bytes = b"", needed: bool = True, variables: Mapping[str, str] | None = None
    ) -> bytes:
        """The output of a git command on the checkout, by a repository that no command has had a hand on."""
        workspace = self._workspace
        environment = workspace.variables(index=self._index, git_dir=self._store, worktree=self.root)
        environment |= {"GIT_OBJECT_DIRECTORY": os.path.join(self._store, "objects"), **(variables or {})}
        command = workspace.command(*arguments)
        done = git.run(command, cwd=workspace.path("work"), environment=environment, stdin=stdin, seconds=_SECONDS)
        if done.returncode and needed:
            what = f"the checkout can't be used: git {arguments[0]}: {git.complaint(done.stderr)}"
            raise GitError(what, "make room on the disk, or run `git fsck`")
        return done.stdout


_TOOLS = {"PATH": "/bin:/usr/bin", "LC_ALL": "C"}


def remove(path: str) -> None:
    """Take away whatever is there, however deep it is, also where it may not be written to; links are not followed."""
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if not os.path.lexists(path):
            return
        with suppress(OSError):
            subprocess.run(
                [*command, "--", path], env=_TOOLS, capture_output=True, check=False, stdin=subprocess.DEVNULL
            )


# --- the environment of commands ----------------------------------------------------------------------------

_SECRET_NAMES = re.compile(
    r"(?i).*(?:TOKEN(?:_.*)?|SECRETS?(?:_.*)?|PASSWORD.*|PASSWD.*|PASSPHRASE.*|CREDENTIALS?(?:_.*)?|APIKEY.*"
    r"|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|MASTER|ACCOUNT|STORAGE)_?KEY.*|_KEY|_PASS|_PWD|_PAT|_AUTH|_JWT)"
)
_OTHERS = ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "_")
_NEEDED = frozenset({"HOME", "PATH", "PWD"})
_LEAST = 12  # characters of a value that is looked for in other variables


class Given(NamedTuple):
    """The environment of commands, and the names of what was kept from them because it is, or holds, a secret."""

    variables: Mapping[str, str]
    withheld: tuple[str, ...]


def environment_for(environment: Environment, checkout: Checkout, keys: Iterable[str]) -> Given:
    """What a command gets of the user's environment.

    All of it, but for: what git, the product and hook frameworks set; what marks a coding agent, and is its own; the
    addresses of agents that hold keys; and every variable that holds a secret, by its name, by a value that looks like
    a credential or has a password in an address of another machine, or by holding the value of one that was kept back.
    PATH is as the user gave it, and includes folders of the repository; a framework's environment of the product alone
    is taken out of it. HOME stays: a command can read what the user can.

    Args:
        keys: names of the variables in which the user's own settings have keys.
    """
    removed = [*datafiles.packaged_toml("backends/clis.toml")["environment"]["removed"], *_OTHERS, *_markers()]
    secret = {name for name, value in environment.variables.items() if name in set(keys) or _secret(name, value)}
    values = {environment.variables[name] for name in secret if len(environment.variables[name]) >= _LEAST}
    secret |= {name for name, text in environment.variables.items() if any(value in text for value in values)}
    secret -= _NEEDED
    kept = {
        name: value
        for name, value in environment.variables.items()
        if name not in secret and not any(fnmatchcase(name, pattern) for pattern in removed)
    }
    own = _own_environment(environment)
    if own and os.path.realpath(kept.get("VIRTUAL_ENV", "/")) == own:
        del kept["VIRTUAL_ENV"]
    search = environment.search or environment.variables.get("PATH", os.defpath)
    entries = [entry for entry in search.split(os.pathsep) if not own or os.path.realpath(entry) != f"{own}/bin"]
    kept |= {"PATH": os.pathsep.join(entries), "PWD": checkout.root, "GIT_CEILING_DIRECTORIES": checkout.ceiling}
    ours = ("GIT_", "TWOAGENT_", "PRE_COMMIT", "PREK")
    return Given(kept, tuple(sorted(name for name in secret if not name.startswith(ours))))


def _markers() -> list[str]:
    """The variables by which coding agents are known."""
    found = [row["variable"] for row in datafiles.packaged_toml("agents.toml")["markers"]]
    return [name for name in found if name not in _NEEDED]  # one agent is known by its HOME


def _secret(name: str, value: str) -> bool:
    from twoagent_hook.screening import secrets

    if not value.strip():
        return False
    return bool(_SECRET_NAMES.fullmatch(name) or _password(value) or secrets.find(f'{name} = "{value}"'.split("\n")))


def _password(value: str) -> bool:
    """Whether it is an address with a password in it, unless that is one of a server on this machine."""
    if "://" not in value or "@" not in value:
        return False
    try:
        parts = urlsplit(value.strip())
        return bool(parts.password) and not loopback(parts.hostname or "")
    except ValueError:
        return True


def _own_environment(environment: Environment) -> str | None:
    """The folder of the environment that a framework made for the product alone, if it runs us from one."""
    signs = (".install_state_v1", ".install_state_v2", ".prek-hook.json")
    if not environment.framework or not any(os.path.exists(os.path.join(sys.prefix, sign)) for sign in signs):
        return None
    return os.path.realpath(sys.prefix)


# --- running them -------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """A command, and whose it is."""

    command: Command
    source: str


def perform(
    checkout: Checkout, wanted: Sequence[Wanted], given: Mapping[str, str], timeout: float, *, progress: bool
) -> Iterator[Run]:
    """Run one command after the other, each on exactly the tree; where that can't be had any more, no more is run.

    A command that changes tracked files counts by its exit code all the same, since many rewrite a lock file or a
    snapshot on their way; it is marked, and the files are put back for the next one. What it wrote beside them stays:
    a build, say, that the tests after it need.

    Args:
        timeout: seconds for each.
        progress: whether a waiting person is told.
    """
    from twoagent_hook.progress import waiting

    for number, item in enumerate(wanted, 1):
        with waiting(f"running {visible.excerpt(line_of(item.command), 60)}", shown=progress):
            run = _run(checkout, item, f"E{number}", given, timeout)
        try:
            checkout.stands()
            changed = checkout.changed()
            run = run._replace(changed=changed[:MOST_CHANGED], more_changed=max(0, len(changed) - MOST_CHANGED))
            if number < len(wanted):
                checkout.put_back(changed)
        except GitError as error:
            problem = f"after it, {error.what}, so nothing more was run"
            yield run._replace(problem="; ".join(filter(None, (run.problem, problem))))
            return
        yield run


def line_of(command: Command) -> str:
    """A command as a shell would be given it."""
    return command if isinstance(command, str) else shlex.join(command)


def _run(checkout: Checkout, item: Wanted, name: str, given: Mapping[str, str], timeout: float) -> Run:
    from twoagent_hook.backends import processes
    from twoagent_hook.backends.processes import Child, Ran
    from twoagent_hook.loops import run_async

    argv = ("/bin/sh", "-c", item.command) if isinstance(item.command, str) else item.command
    # One description for both outputs, so that lines stand in the order in which they were written.
    child = Child(["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", *argv], given, checkout.root, b"", OUTPUT_LIMIT)
    started = time.monotonic()
    kept: list[Ran] = []

    async def work() -> None:
        # Not as a result: asyncio spells out its main task's at the end, all of it, for an error that is dropped.
        kept.append(await processes.run(child, started + timeout))

    try:
        run_async(work)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no command"
        return Run(name, item.command, item.source, None, f"it can't be started: {reason}", 0.0, 0, _digest(b""), "")
    [ran] = kept
    seconds = time.monotonic() - started
    code, problem = _ended(ran.code, cut=ran.cut, timeout=timeout)
    return Run(name, item.command, item.source, code, problem, seconds, len(ran.out), _digest(ran.out), _tail(ran.out))


def _ended(code: int | None, *, cut: bool, timeout: float) -> tuple[int | None, str | None]:
    """The exit code, where there is one, and what is wrong beside it."""
    if cut:
        return None, f"it wrote more than {OUTPUT_LIMIT >> 20} MB, and was ended"
    if code is None:
        return None, f"it took longer than {timeout:g} s, and was ended"
    if code < 0:
        return None, f"it was killed by signal {-code} ({_name(-code)})"
    words = {126: "by its exit code, a program can't be run", 127: "by its exit code, a program was not found"}
    return code, words.get(code)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_COLOUR = re.compile(r"\x1b\[[0-9;]{0,40}m")


def _tail(content: bytes) -> str:
    """The end of an output: without colours and secrets, and with all visible that could not be seen."""
    from twoagent_hook.screening.secrets import Redactor

    text = content[-_TAIL_READ:].decode("utf-8", "surrogateescape")
    shown = visible.block(Redactor().text(_COLOUR.sub("", text))).rstrip("\n")
    return shown[-TAIL_LIMIT:]
