"""A machine of which everything is known: what is on PATH, and a coding CLI on it."""

import os
import shutil
import ssl
import sys
from contextlib import suppress
from pathlib import Path

import pytest

_CLI = """\
#!{python}
import json, os, re, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
text = sys.stdin.read()
tokens = [re.search(rf"^receipt-{{which}}: (\\w+)$", text, re.MULTILINE) for which in "ab"]
review = {{"verdict": "approve", "summary": "s", "findings": [], "verification_commands": [], "questions": [],
          "receipt": "-".join(token[1] for token in tokens)}}
for event in {events}:
    print(json.dumps(event))
"""
_CLAUDE = """[
    {"type": "assistant", "message": {"model": "claude-opus-4-8", "content": []}},
    {"type": "result", "subtype": "success", "is_error": False, "result": "", "structured_output": review,
     "usage": {"input_tokens": 1200, "output_tokens": 40}}]"""
_CODEX = """[
    {"type": "item.completed", "item": {"type": "agent_message", "text": json.dumps(review)}},
    {"type": "turn.completed", "usage": {"input_tokens": 1200, "output_tokens": 40}}]"""
_LOGGED_OUT = """\
#!/bin/sh
read -r line
echo '{"type": "result", "is_error": true, "result": "Not logged in · Please run /login"}'
exit 1
"""


def tools(folder: Path, *names: str) -> str:
    """A PATH with these programs and nothing else that the machine may have."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return str(folder)


def one_certificate(path: Path) -> dict[str, str]:
    """Variables for one certificate authority: reading all of the system's takes a client longer than most tests."""
    everyone = ssl.get_default_verify_paths().cafile
    if everyone is None:
        return {}
    first = Path(everyone).read_text(encoding="utf-8", errors="replace").partition("-----END CERTIFICATE-----\n")
    path.write_text(first[0] + first[1])
    return {"SSL_CERT_FILE": str(path)}


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def claude(folder: Path) -> Path:
    """A program that prints what Claude Code prints; the file in which it notes each call."""
    return _cli(folder / "claude", _CLAUDE)


def codex(folder: Path) -> Path:
    """The same for Codex, which does not say which model it is."""
    return _cli(folder / "codex", _CODEX)


def _cli(path: Path, events: str) -> Path:
    calls = path.with_suffix(".calls")
    executable(path, _CLI.format(python=sys.executable, calls=str(calls), events=events))
    return calls


def logged_out(folder: Path) -> None:
    """Claude Code of somebody who is not logged in."""
    executable(folder / "claude", _LOGGED_OUT)


def files(*roots: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below: its mode, and its content or where it leads; git's own store of objects left out."""
    found = {}
    for root in roots:
        for folder, names, below in os.walk(root):
            names[:] = [name for name in names if not folder.endswith(".git") or name not in {"objects", "logs"}]
            for name in (*names, *below):
                path = Path(folder, name)
                status = path.lstat()
                content = os.fsencode(path.readlink()) if path.is_symlink() else b""
                content = path.read_bytes() if path.is_file() and not path.is_symlink() else content
                found[str(path)] = (status.st_mode, content)
    return found


def give_to_another_group(path: Path) -> None:
    """Give a file to a group of others: one that has not the user's own number."""
    others = [group for group in (*os.getgroups(), 12345) if group != os.geteuid()]
    for group in others:
        with suppress(PermissionError):
            os.chown(path, -1, group)
            return
    pytest.skip("this user can give nothing to another group")
