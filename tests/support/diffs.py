"""Many small changes at once, written as marked lines, and read back through a real `git diff`."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from twoagent_hook import git
from twoagent_hook.changes import ChangeSet, FileChange, Rename
from twoagent_hook.environment import Environment
from twoagent_hook.git import Trees, Workspace
from twoagent_hook.snapshots import Snapshot

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "A U Thor",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "A U Thor",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "LC_ALL": "C.UTF-8",
}


class Case(NamedTuple):
    expected: str
    label: str
    files: dict[str, str]


def sides(marked: str) -> tuple[str | None, str | None]:
    """The text before and after; each line has its sign in front. None: there is no such file."""
    rows = marked.removeprefix("\n").split("\n")
    if rows[-1].strip() == "":
        rows.pop()
    signs = {row[:1] or " " for row in rows}
    old = "".join(row[1:] + "\n" for row in rows if row[:1] != "+")
    new = "".join(row[1:] + "\n" for row in rows if row[:1] != "-")
    return (None if signs == {"+"} else old), (None if signs == {"-"} else new)


def between(folder: Path, *steps: Callable[[Path], None]) -> ChangeSet:
    """What the product reads between two states of a folder, which is empty; each step makes one of them."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | ENVIRONMENT

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, check=True)
        return done.stdout.decode().strip()

    run("init", "-q", ".")
    run("commit", "-q", "--allow-empty", "-m", "base")
    trees = []
    for step in steps:
        step(folder)
        run("add", "--all", "--force")
        trees.append(run("write-tree"))
    with chdir(folder):
        location = git.locate(Environment(environment))
    with Workspace(location, Environment(environment)) as workspace:
        return Snapshot(workspace).change(Trees(*trees))


def writes(files: Mapping[str, str | None]) -> Callable[[Path], None]:
    """A step that writes files, and removes those without a text."""

    def step(folder: Path) -> None:
        for path, text in files.items():
            full = folder / path
            if text is None:
                full.unlink(missing_ok=True)
            else:
                full.parent.mkdir(parents=True, exist_ok=True)
                full.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")

    return step


def change(files: Mapping[str, tuple[str | None, str | None]]) -> ChangeSet:
    with tempfile.TemporaryDirectory() as folder:
        steps = (writes({path: pair[side] for path, pair in files.items()}) for side in (0, 1))
        return between(Path(folder), *steps)


def cases(text: str) -> list[Case]:
    """The cases of a table: `=== expected | label`, then for each file `@ path` and its marked lines."""
    found: list[Case] = []
    path = ""
    for row in text.splitlines():
        if row.startswith("=== "):
            expected, _, label = row.removeprefix("=== ").partition(" | ")
            found.append(Case(expected, label, {}))
        elif row.startswith("@ "):
            path = row.removeprefix("@ ")
            found[-1].files[path] = ""
        elif found and not row.startswith("#"):
            found[-1].files[path] += f"{row}\n"
    return [
        Case(one.expected, one.label, {path: f"{rows.rstrip()}\n" for path, rows in one.files.items()})
        for one in found
    ]


def separate(found: Sequence[Case]) -> dict[str, tuple[FileChange, ...]]:
    """The changes of many cases by their labels, each in a folder of its own, by one run of git; without renames."""
    files = {
        f"{number:04}/{path}": sides(text) for number, case in enumerate(found) for path, text in case.files.items()
    }
    read: list[list[FileChange]] = [[] for _ in found]
    for file in change(files).files:
        read[int(file.path[:4])].append(replace(file, path=file.path[5:]))
    return {case.label: tuple(own) for case, own in zip(found, read, strict=True)}


def renamed(cases: Mapping[str, str]) -> tuple[tuple[FileChange, ...], tuple[Rename, ...]]:
    """One change with its renames."""
    read = change({path: sides(text) for path, text in cases.items()})
    return read.files, read.renames
