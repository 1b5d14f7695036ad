"""Whether a commit made here and now would run the gate: where git looks for hooks, and what it finds there."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from twoagent_hook import files, git, visible
from twoagent_hook.environment import Environment
from twoagent_hook.git import Location

_READ = 1 << 16  # bytes of a hook or of a framework's configuration that are read
_OURS = re.compile(r"twoagent[-_]hook")
# Whose hook it is, by what stands in it; and where that framework keeps the list of what it runs.
_FRAMEWORKS = (
    ("pre-commit", "pre-commit.com", (".pre-commit-config.yaml", ".pre-commit-config.yml")),
    ("prek", "prek", ("prek.toml", ".pre-commit-config.yaml", ".pre-commit-config.yml")),
    ("husky", "husky", (".husky/pre-commit",)),
    ("lefthook", "lefthook", ("lefthook.yml", ".lefthook.yml", "lefthook.yaml", "lefthook.toml", "lefthook.json")),
)
_SWITCHES = (("HUSKY", {"0"}), ("LEFTHOOK", {"0", "false"}))


class Hooks(NamedTuple):
    """What a commit would run.

    Attributes:
        path: the file that git would run as its pre-commit hook.
        kind: whose it is (a framework's name, or `script`); None where there is no such file.
        gated: whether the gate is in what it runs.
        disabled: why hooks, or this one, don't run in this environment.
    """

    path: str
    kind: str | None
    gated: bool
    disabled: tuple[str, ...]


def inspect(location: Location, environment: Environment) -> Hooks:
    """Look, and run nothing but git's own `rev-parse` and `config`.

    Raises:
        GitError: git does not answer.
    """
    path = os.path.join(
        location.worktree, _asked(location, environment, "rev-parse", "--git-path", "hooks/pre-commit")
    )
    text = _text(path)
    kind = None if text is None else _kind(text)
    gated = text is not None and (bool(_OURS.search(text)) or _listed(location, kind))
    return Hooks(path, kind, gated, tuple(_disabled(location, environment, path)))


def _asked(location: Location, environment: Environment, *question: str) -> str:
    """Git's answer in the environment as it is, since that is the one in which it would look for hooks."""
    command = [location.executable, *question]
    done = git.run(command, cwd=location.worktree, environment=dict(environment.variables))
    return os.fsdecode(done.stdout).rstrip("\n")


def _disabled(location: Location, environment: Environment, path: str) -> Iterator[str]:
    told = _asked(location, environment, "config", "--show-origin", "--get", "core.hooksPath")
    origin, tab, value = told.partition("\t")
    if tab and not value.strip():
        yield f"`core.hooksPath` is empty ({visible.excerpt(origin, 120)}), so git runs no hook at all"
    elif tab:
        where = visible.excerpt(value, 120)
        yield f"`core.hooksPath` is {where} ({visible.excerpt(origin, 120)}), so hooks in .git/hooks don't run"
    if environment.get("GEMINI_CLI") and not (tab and not value.strip()):
        yield "Gemini CLI takes git's hooks away in the shells that it spawns"
    if os.path.exists(path) and not os.access(path, os.X_OK):
        yield f"{visible.path(path)} is not executable, so git passes it over"
    if "twoagent-hook" in (environment.get("SKIP") or "").split(","):
        yield "SKIP names twoagent-hook, so frameworks pass it over"
    for name, values in _SWITCHES:
        if (environment.get(name) or "").lower() in values:
            yield f"{name}={environment.get(name)} turns its hooks off"


def _kind(text: str) -> str:
    return next((name for name, sign, _ in _FRAMEWORKS if sign in text), "script")


def _listed(location: Location, kind: str | None) -> bool:
    """Whether the framework's own list has the gate in it."""
    names = next((files for name, _, files in _FRAMEWORKS if name == kind), ())
    texts = (_text(os.path.join(location.worktree, name)) for name in names)
    return any(text is not None and _OURS.search(text) for text in texts)


def _text(path: str) -> str | None:
    content = files.read(path, _READ)
    return None if content is None else content.decode("utf-8", "replace")
