"""aimock, a server of model APIs that others wrote: installed by `make test`, and run here for the tests."""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "aimock"
REVIEWERS = Path(__file__).with_suffix(".mjs")


def missing() -> str | None:
    """Why it can't run here, or None where it can."""
    if shutil.which("node") is None:
        return "there is no node for aimock"
    if not (FOLDER / "node_modules" / "@copilotkit" / "aimock").is_dir():
        return "aimock is not installed: `make test` does it where there is npm"
    return None


class Aimock:
    """One running server, and the requests that it took."""

    def __init__(self, origin: str, key: str) -> None:
        self.origin = origin
        self._key = key

    def journal(self, test_id: str) -> list[dict[str, Any]]:
        """The requests of one test, in the order in which they were answered."""
        url = f"{self.origin}/__aimock/journal?testId={urllib.parse.quote(test_id)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._key}"})
        with urllib.request.urlopen(request, timeout=10) as response:
            found: list[dict[str, Any]] = json.load(response)
        return found


@contextmanager
def running(key: str) -> Iterator[Aimock]:
    """The server on a free port, for those who know the key."""
    process = subprocess.Popen(
        [shutil.which("node") or "node", str(REVIEWERS), str(FOLDER), key],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,  # the server ends with it, and so with us
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            origin = process.stdout.readline().strip()
            assert origin.startswith("http://127.0.0.1:"), origin
            yield Aimock(origin, key)
        finally:
            process.kill()
