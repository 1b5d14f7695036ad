"""A real repository in a temporary folder, and the product run in it as a user runs it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from twoagent_hook import cli

SCRIPT = Path(sys.executable).parent / "twoagent-hook"


class Result:
    """What a command printed and how it ended."""

    def __init__(self, done: "subprocess.CompletedProcess[bytes]") -> None:
        self.code = done.returncode
        self.raw_out, self.raw_err = done.stdout, done.stderr
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Repo:
    """Git with a pinned author, and nothing of the machine's configuration."""

    def __init__(
        self, root: Path, environment: dict[str, str], *, init: bool = True, object_format: str = "sha1"
    ) -> None:
        self.root = root
        self.environment = dict(environment)
        if init:
            root.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q", "-b", "main", f"--object-format={object_format}", ".")

    # --- files and git -------------------------------------------------------------------------------------

    def write(self, path: str | bytes, content: str | bytes = "", *, mode: int | None = None) -> None:
        full = os.path.join(
            os.fsencode(self.root), path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
        )
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        if mode is not None:
            os.chmod(full, mode)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def git(self, *arguments: str, check: bool = True, stdin: bytes | None = None, **environment: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"git {arguments}: {done.stdout!r} {done.stderr!r}")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def stage(self, path: str | bytes, content: str | bytes = "", *, mode: int | None = None) -> None:
        self.write(path, content, mode=mode)
        self.git("add", "--force", "--", os.fsdecode(path))

    def commit_all(self, message: str = "base") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def forget(self) -> None:
        """As a fresh clone has it: without a log."""
        shutil.rmtree(self.root / ".git" / "twoagent-hook")

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD", check=False)

    def content(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    # --- the product ---------------------------------------------------------------------------------------

    def policy(self, text: str) -> None:
        """Commit a policy, so that it is the base's."""
        self.write(".twoagent-hook.toml", text)
        self.git("add", ".twoagent-hook.toml")
        self.git("commit", "--quiet", "--no-verify", "--message", "policy")

    def run(
        self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"", timeout: float = 60, **environment: str
    ) -> Result:
        """Run the product, as a process of its own."""
        done = subprocess.run(
            [str(SCRIPT), *arguments],
            cwd=cwd or self.root,
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Result(done)

    def python(self, *arguments: str) -> Result:
        """Run the interpreter that the product runs in."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.root, env=self.environment, capture_output=True, check=False
        )
        return Result(done)

    def call(self, *arguments: str, cwd: Path | None = None, **environment: str) -> Result:
        """Run the product in this process: the same code and the same edges, without the start of an interpreter."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        before, folder = dict(os.environ), os.getcwd()
        ends = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            os.environ.clear()
            os.environ.update(self.environment | environment)
            os.chdir(cwd or self.root)
            with redirect_stdout(out), redirect_stderr(err):
                code = cli.main(list(arguments))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)
            for number, handler in ends.items():
                signal.signal(number, handler)
        raw = [stream.buffer.getvalue() for stream in (out, err)]  # type: ignore[attr-defined]
        return Result(subprocess.CompletedProcess(arguments, code, *raw))

    def review(self, *arguments: str, **environment: str) -> Any:
        """Run a review by hand and return its JSON; nothing else may be on standard output."""
        # What an interpreter reads at its start needs one of its own.
        apart = any(name in {"PATH", "TMPDIR"} or name.startswith(("PYTHON", "LC_")) for name in environment)
        run = self.run if apart else self.call
        result = run("review", "--output-format", "json", *arguments, **environment)
        payload = result.json
        assert payload["exit_code"] == result.code, result
        assert "Traceback" not in result.text, result
        return payload

    def commit(self, *arguments: str, **environment: str) -> Result:
        """`git commit`, with whatever hooks are installed."""
        done = subprocess.run(
            ["git", "commit", "--message", "a change", *arguments],
            cwd=self.root,
            env=self.environment | environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return Result(done)

    def install_plain_hook(self, *arguments: str) -> None:
        hook = self.root / ".git" / "hooks" / "pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f'#!/bin/sh\nexec "{SCRIPT}" review {" ".join(arguments)}\n')
        hook.chmod(0o755)

    def log(self, *arguments: str) -> Any:
        return self.call("log", "list", "--output-format", "json", "--all", *arguments).json


def assert_commit_blocked(repo: Repo, *arguments: str, **environment: str) -> Result:
    """A commit is tried, and HEAD stays where it was."""
    before = repo.head
    result = repo.commit(*arguments, **environment)
    assert result.code != 0, result
    assert repo.head == before, result
    assert "Traceback" not in result.text, result
    return result


def assert_commit_allowed(repo: Repo, *arguments: str, **environment: str) -> Result:
    """A commit is made, and HEAD moves on."""
    before = repo.head
    result = repo.commit(*arguments, **environment)
    assert result.code == 0, result
    assert repo.head != before, result
    assert "Traceback" not in result.text, result
    return result
