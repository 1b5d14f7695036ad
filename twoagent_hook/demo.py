"""A throwaway repository, and a scripted reviewer that answers on loopback in the place of a model."""

import json
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import Any, NamedTuple

from twoagent_hook import datafiles, git
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError

REVIEWER = "demo:scripted-reviewer"
AUTHOR = "claude-opus-4-7"
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")  # of the caller's own files
_PERSON = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")


# --- the scripted reviewer ----------------------------------------------------------------------------------


def scripted_reply(user: str) -> dict[str, Any]:
    """What the script says to a request: canned replies, picked by what the change adds; no model is involved."""
    added = "\n".join(line for line in user.split("\n") if re.match(r"\s+\d+ \+\| ", line))
    row = next(
        row for row in datafiles.packaged_toml("templates/demo/replies.toml")["replies"] if row["added"] in added
    )
    receipt = "-".join(re.findall(r"^receipt-[ab]: (\w+)$", user, re.MULTILINE))
    return {
        "verdict": row["verdict"],
        "summary": row["summary"],
        "findings": [_placed(finding, user) for finding in row.get("findings", [])],
        "verification_commands": ["python -m pytest"],
        "questions": [],
        "receipt": receipt,
    }


def _placed(finding: Mapping[str, Any], user: str) -> dict[str, Any]:
    line = next((line for line in user.split("\n") if finding["quote"] in line), "0")
    number = int((re.findall(r"\d+", line[:16]) or ["0"])[-1])
    return {**finding, "side": "new", "line_start": number, "line_end": number}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        user = next(message["content"] for message in request["messages"] if message["role"] == "user")
        content = json.dumps(scripted_reply(user))
        body = json.dumps(
            {
                "model": "scripted-reviewer",
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
                ],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *values: object) -> None:
        """Nothing: what the demo shows is the gate."""


@contextmanager
def scripted_reviewer() -> Iterator[str]:
    """Serve the script on a free port of this machine; yields the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


# --- the throwaway repository -------------------------------------------------------------------------------


class Ran(NamedTuple):
    """A command that was run in the demo: its exit code and all that it printed."""

    code: int
    text: str


class Stage:
    """The repository, its hook and the settings of the demo, all below one folder."""

    def __init__(self, root: str, environment: Environment, command: str, base_url: str) -> None:
        self.repository = os.path.join(root, "shop")
        self.framework = "pre-commit" if find_spec("pre_commit") else None
        self._git = git.find_executable(environment)
        self._variables = _variables(root, environment)
        self._command = command
        os.makedirs(self.repository)
        settings = f'[providers.demo]\nbase-url = "{base_url}"\nfamily = "scripted"\n'
        for folder in (".config", os.path.join("Library", "Application Support")):  # as on Linux, as on macOS
            _write(os.path.join(root, "home", folder, "twoagent-hook", "config.toml"), settings)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> Ran:
        return self._run([self._git, *arguments], self._variables)

    def call(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
        """Run the product itself, as a person at the same place would."""
        own = {key: value for key, value in self._variables.items() if key != "TWOAGENT_AUTHOR"}
        command = [sys.executable, "-m", "twoagent_hook", *arguments]
        return self._run(command, dict(variables) if variables is not None else own)

    def _run(self, command: list[str], variables: dict[str, str]) -> Ran:
        done = git.run(command, cwd=self.repository, environment=variables)
        return Ran(done.returncode, (done.stderr + done.stdout).decode("utf-8", "replace"))

    def stage(self, path: str, content: str) -> None:
        _write(os.path.join(self.repository, path), content)
        self.git("add", "--", path)

    def commit(self, message: str) -> Ran:
        return self.git("commit", "--message", message)

    def install(self) -> str:
        """Put the hook into the repository; returns how."""
        if self.framework:
            text = datafiles.packaged("templates/demo/pre-commit.txt").replace("{command}", self._command)
            self.stage(".pre-commit-config.yaml", text)
            done = self._run([sys.executable, "-m", "pre_commit", "install"], self._variables)
            if done.code:
                raise GitError(f"pre-commit could not be installed: {done.text.strip()}", "uninstall it and try again")
            return "through pre-commit"
        hook = os.path.join(self.repository, ".git", "hooks", "pre-commit")
        _write(hook, f"#!/bin/sh\nexec {self._command} review\n")
        os.chmod(hook, 0o755)  # noqa: S103 - what git demands of a hook
        return "as a plain git hook (pre-commit is not installed)"


def _write(path: str, content: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def _variables(root: str, environment: Environment) -> dict[str, str]:
    """The caller's environment without what would change the play: markers of agents, git's, the frameworks'."""
    agents = datafiles.packaged_toml("agents.toml")
    gone = {"AI_AGENT", "SKIP", "PREK_SKIP", *_FOLDERS, *(mark["variable"] for mark in agents["markers"])}
    prefixes = ("GIT_", "TWOAGENT_", "PRE_COMMIT")
    kept = {
        name: value
        for name, value in environment.variables.items()
        if name not in gone and not name.startswith(prefixes)
    }
    names, addresses = _PERSON
    return kept | {
        **dict.fromkeys(names, "twoagent-hook demo"),
        **dict.fromkeys(addresses, "demo@localhost"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "PRE_COMMIT_HOME": os.path.join(root, "pre-commit"),
        "HOME": os.path.join(root, "home"),
        "TWOAGENT_AUTHOR": AUTHOR,
        "PYTHONSAFEPATH": "1",
    }
