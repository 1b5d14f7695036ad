"""Hooks as users install them: the frameworks that run them, and a terminal to run them in."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.repo import SCRIPT, Repo, Result

BIN = Path(sys.executable).parent
WIDTH = 80
_HOOK = """\
repos:
  - repo: local
    hooks:
{earlier}      - id: twoagent-hook
        name: adversarial review by a different model
        entry: {command} review
        language: system
        args: [{arguments}]
        pass_filenames: false
        always_run: true
        require_serial: true
        verbose: true
        stages: [pre-commit, manual]
"""
_EARLIER = """\
      - id: {name}
        name: {name}
        entry: {command}
        language: system
        pass_filenames: false
        always_run: true
"""


@dataclass(frozen=True)
class Framework:
    """One program that runs hooks.

    Attributes:
        indent: the columns by which it moves a hook's output to the right.
    """

    name: str
    indent: int

    def run(self, repo: Repo, *arguments: str, **environment: str) -> Result:
        done = subprocess.run(
            [str(BIN / self.name), *arguments],
            cwd=repo.root,
            env=repo.environment | environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )
        return Result(done)

    def install(
        self, repo: Repo, *arguments: str, earlier: Mapping[str, str] | None = None, command: str = ""
    ) -> None:
        """Commit a configuration with the gate in it, and install the framework's own git hook."""
        text = configuration(*arguments, earlier=earlier, command=command)
        repo.write(".pre-commit-config.yaml", text)
        repo.git("add", ".pre-commit-config.yaml")
        repo.git("commit", "--quiet", "--no-verify", "--message", "hooks", "--only", ".pre-commit-config.yaml")
        self.install_hook(repo)

    def install_hook(self, repo: Repo) -> None:
        installed = self.run(repo, "install")
        assert installed.code == 0, installed
        assert (repo.root / ".git" / "hooks" / "pre-commit").exists(), installed


FRAMEWORKS = (Framework("pre-commit", 0), Framework("prek", 2))


def configuration(*arguments: str, earlier: Mapping[str, str] | None = None, command: str = "") -> str:
    """The YAML with the gate as the last hook, behind the hooks of `earlier` (name: command)."""
    before = "".join(_EARLIER.format(name=name, command=text) for name, text in (earlier or {}).items())
    quoted = ", ".join(f'"{argument}"' for argument in arguments)
    return _HOOK.format(earlier=before, command=command or shlex.quote(str(SCRIPT)), arguments=quoted)


def install_plain_hook(repo: Repo, *arguments: str) -> None:
    """The same in a `.git/hooks/pre-commit`, wherever git looks for it."""
    hook = (repo.root / repo.git("rev-parse", "--git-path", "hooks/pre-commit")).resolve()
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {shlex.join([str(SCRIPT), 'review', *arguments])}\n")
    hook.chmod(0o755)


# --- what is read from the output ---------------------------------------------------------------------------

_ERASED = re.compile(r"[^\n]*\r\x1b\[K")
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COMMAND = re.compile(r"(?P<command>SKIP=\S+ git commit|git commit --no-verify|\S+ log show \d+)(?:\s{2,}\(.+\))?$")


def without_colour(text: str) -> str:
    return _SGR.sub("", text)


def as_seen(text: str) -> str:
    """What is left on a terminal's screen after lines that were shown for a while were erased."""
    return _ERASED.sub("", text)


def assert_readable(text: str, indent: int = 0, width: int = WIDTH) -> None:
    """Nothing in it acts on a terminal but colour, and no line is too long.

    An approval is one line, and so is a command that is there to be copied.
    """
    plain = without_colour(text).replace("\r\n", "\n")
    assert not _CONTROL.search(plain), ascii(plain)
    long = [line for line in plain.splitlines() if len(line) > width + indent]
    whole = ("approve  ", " log show ", "git apply ", "reviewers = ", "author = ", "author-from-transcript = ", "in /")
    assert not [line for line in long if not any(words in line for words in whole)], "\n".join(long)


def inside(text: str) -> list[str]:
    """The lines of the output without colours, the panel's borders and the space around."""
    return [line.strip().strip("│|").strip() for line in without_colour(text).splitlines()]


def printed_commands(text: str) -> list[str]:
    """What the output tells a reader to type, as they would copy it from one line."""
    return [found["command"] for line in inside(text) if (found := _COMMAND.match(line))]


def type_in(repo: Repo, command: str, **environment: str) -> Result:
    """Give a command to a shell, as the reader of a panel would; an editor that asks for a message gets one."""
    editor = "sh -c 'echo a message > \"$0\"'"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=repo.root,
        env=repo.environment | {"GIT_EDITOR": editor} | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=False,
    )
    return Result(done)


# --- a terminal ---------------------------------------------------------------------------------------------

# In a process of its own: forking one that has threads, as a test's server does, is not safe.
_TERMINAL = """
import fcntl, os, pty, struct, sys, termios
columns, command = int(sys.argv[1]), sys.argv[2:]
child, master = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    os.execvp(command[0], command)
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece:
        break
    os.write(1, piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def in_terminal(repo: Repo, command: Sequence[str], *, columns: int = 100, **environment: str) -> Result:
    """Run it with a terminal of that width as its standard streams and its controlling terminal.

    A width of 0 is what a terminal says that was never told one. Everything it shows is in `out`.
    """
    done = subprocess.run(
        [sys.executable, "-c", _TERMINAL, str(columns), *command],
        cwd=repo.root,
        env=repo.environment | {"TERM": "xterm-256color"} | environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        check=False,
    )
    return Result(done)


def commit_in_terminal(repo: Repo, *, columns: int = 100, **environment: str) -> Result:
    return in_terminal(repo, ["git", "commit", "--message", "a change"], columns=columns, **environment)


def environment_at(folder: Path) -> Path:
    """An environment for Python in that folder with the package in it, as a framework makes one; its script."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)], check=True, capture_output=True
    )
    [packages] = (folder / "lib").glob("python*/site-packages")
    installed = [entry for entry in sys.path if entry and os.path.isdir(entry) and "tests" not in Path(entry).parts]
    (packages / "all.pth").write_text("".join(f"import site; site.addsitedir({entry!r})\n" for entry in installed))
    script = folder / "bin" / "twoagent-hook"
    script.write_text(f"#!{folder}/bin/python\nimport sys\nfrom twoagent_hook.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    return script
