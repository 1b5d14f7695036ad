"""What a story is played on: a throwaway repository, scripted models on loopback, and the page that is written."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from support.server import Script, Server, serving

REVIEWER = "demo:scripted-reviewer"
AUTHOR = "scripted-author"
_SCRIPT = Path(sys.executable).parent / "twoagent-hook"
_SHELL = "/bin/sh"
_TIMEOUT = 60
_NOTE = (
    "The models in this story are scripted: what they answer was written down beforehand. All else really happened: "
    "git, the gate, HTTP to this machine's own loopback, and the output, in which only ports, times, durations and "
    "ids of commits are replaced. So it shows what the gate does with an answer, and is no evidence of how well a "
    "model reviews."
)
_WRITTEN = "<!-- written by `make cases`; the source is in docs/cases/stories/ -->"


@dataclass(frozen=True)
class Story:
    """A page.

    Attributes:
        why: what happens, and why it matters.
        tell: plays it.
        shows: what a reader may take from it.
        not_shown: what they may not.
    """

    name: str
    title: str
    why: str
    tell: "Callable[[Stage], None]"
    shows: tuple[str, ...]
    not_shown: tuple[str, ...]


class Stage:
    """A repository in a folder of its own, and what a reader sees of it."""

    def __init__(self, root: Path, servers: ExitStack) -> None:
        self.root = root / "shop"
        self._servers = servers
        self._ports: list[str] = []
        self._commits: list[str] = []
        self._parts: list[str] = []
        self._session: list[str] = []
        self._variables = _variables(root)
        places = (".config", "Library/Application Support")  # as on Linux, as on macOS
        self._settings = [root / "home" / place / "twoagent-hook" / "config.toml" for place in places]
        self.root.mkdir(parents=True)
        self.quietly("git init --quiet --initial-branch=main")

    # --- what stands around it ------------------------------------------------------------------------------

    def serve(self, *scripts: Script) -> Server:
        """A model that answers as it is told, one script after the other, the last again and again."""
        server = self._servers.enter_context(serving(*scripts))
        self._known(server.url)
        return server

    def nobody(self) -> str:
        """An address at which nothing listens, and nothing can: its port is taken."""
        taken = self._servers.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        return self._known(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")

    def _known(self, address: str) -> str:
        """An address whose port is called PORT1, PORT2, … on the page."""
        self._ports.append(address.split(":")[2].partition("/")[0])
        return address

    def settings(self, text: str, **providers: str) -> None:
        """The user's own file: a provider at each address, of a vendor called `scripted`, and whatever else."""
        tables = "".join(
            f'[providers.{name}]\nbase-url = "{url}"\nfamily = "scripted"\n' for name, url in providers.items()
        )
        for path in self._settings:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n{tables}", encoding="utf-8")

    def begin(self, policy: str, files: dict[str, str]) -> None:
        """The first commit, from before there was a gate, and the hook."""
        for path, content in {".twoagent-hook.toml": policy, **files}.items():
            self.write(path, content)
        self.quietly("git add --all && git commit --quiet --message 'Begin'")
        self.quietly(
            "mkdir -p .git/hooks && twoagent-hook sample-config --for plain > .git/hooks/pre-commit"
            " && chmod +x .git/hooks/pre-commit"
        )

    def write(self, path: str, content: str) -> None:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(content, encoding="utf-8")

    def stage(self, path: str, content: str) -> None:
        """Write a file and stage it, off the page."""
        self.write(path, content)
        self.quietly(f"git add -- '{path}'")

    # --- what is run ----------------------------------------------------------------------------------------

    def run(self, line: str, *, code: int = 0) -> str:
        """Give a line to a shell, and show it with all that it prints.

        Args:
            code: how it has to end: a story that goes otherwise is none.
        """
        done = self._shell(line)
        if done.returncode != code:
            raise RuntimeError(f"`{line}` ended with {done.returncode} and not {code}:\n{done.stdout}")
        text = self.steady(done.stdout)
        shown = text.rstrip("\n").splitlines()
        self._session += [f"$ {line}", *shown, *([f"[exit code {code}]"] if code else [])]
        return text

    def quietly(self, line: str) -> str:
        """Off the page; it has to succeed."""
        done = self._shell(line)
        if done.returncode:
            raise RuntimeError(f"`{line}` ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def _shell(self, line: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [_SHELL, "-c", line],
            cwd=self.root,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_TIMEOUT,
            check=False,
        )
        self._note_commit()
        return done

    def _note_commit(self) -> None:
        """A commit is called COMMIT1, COMMIT2, … on the page, since its id depends on when it was made."""
        done = subprocess.run(
            [_SHELL, "-c", "git rev-parse --quiet --verify HEAD"],
            cwd=self.root,
            env=self._variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        commit = done.stdout.strip()
        if commit and commit not in self._commits:
            self._commits.append(commit)

    # --- the page -------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """A paragraph; its line breaks in the source mean nothing."""
        self._end_session()
        self._parts.append(" ".join(text.split()))

    def heading(self, text: str) -> None:
        self._end_session()
        self._parts.append(f"## {text}")

    def show(self, path: str, language: str = "") -> None:
        """A file of the repository."""
        self.quote((self.root / path).read_text(encoding="utf-8"), language)

    def quote(self, text: str, language: str = "") -> None:
        self._end_session()
        self._parts.append(_fenced(self.steady(text), language))

    def requests(self, **servers: Server) -> None:
        """How many requests have reached each model so far."""
        counted = ", ".join(f"{name.replace('_', ' ')} {len(server.requests)}" for name, server in servers.items())
        self.say(f"Requests that have reached a model so far: {counted}.")

    def _end_session(self) -> None:
        if self._session:
            self._parts.append(_fenced("\n".join(self._session) + "\n", "console"))
            self._session = []

    def page(self, story: Story) -> str:
        self._end_session()
        parts = [
            f"# {story.title}",
            _WRITTEN,
            " ".join(story.why.split()),
            f"> {_NOTE}",
            *self._parts,
            "## What this shows",
            _listed(story.shows),
            "## What it doesn't",
            _listed(story.not_shown),
            "[All cases](../README.md)",
        ]
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    # --- what differs from run to run -----------------------------------------------------------------------

    def steady(self, text: str) -> str:
        """The one place where something in an output is replaced; each placeholder is as long as what it is for."""
        for number, port in enumerate(self._ports, 1):
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:PORT{number}")
        for number, commit in enumerate(self._commits, 1):
            text = text.replace(commit, f"COMMIT{number}".ljust(len(commit), "-"))
            text = text.replace(commit[:7], f"COMMIT{number}")
        text = re.sub(r"\b\d{4}-\d\d-\d\d([ T])\d\d:\d\d:\d\d\b", r"YYYY-MM-DD\1hh:mm:ss", text)
        text = re.sub(r"(?<=· )\d+ s\b", "N s", text)
        text = re.sub(r"\b\d+\.\d s\b", "N.N s", text)
        return re.sub(r"(?m)^(\d+ +YYYY.*  )\d+\.\d$", r"\1N.N", text)


def play(story: Story, root: Path) -> str:
    """The page of a story, played below an empty folder."""
    with ExitStack() as servers:
        stage = Stage(root, servers)
        story.tell(stage)
        return stage.page(story)


def _variables(root: Path) -> dict[str, str]:
    """An environment with nothing of the machine's in it, and the commands of the reader's shell."""
    commands = root / "bin"
    commands.mkdir(parents=True)
    (commands / "twoagent-hook").symlink_to(_SCRIPT)
    (commands / "python3").symlink_to(os.path.realpath(sys.executable))
    git = shutil.which("git") or "/usr/bin/git"
    places = dict.fromkeys((str(commands), os.path.dirname(git), "/usr/bin", "/bin"))
    home = root / "home"
    home.mkdir()
    return {
        "PATH": os.pathsep.join(places),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_AUTHOR_NAME": "A U Thor",
        "GIT_AUTHOR_EMAIL": "author@example.com",
        "GIT_COMMITTER_NAME": "A U Thor",
        "GIT_COMMITTER_EMAIL": "author@example.com",
        "TWOAGENT_AUTHOR": AUTHOR,
    }


def _fenced(text: str, language: str) -> str:
    """A block whose fence is longer than any in it."""
    longest = max((len(found) for found in re.findall(r"^`{3,}", text, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(item.split())}" for item in items)
