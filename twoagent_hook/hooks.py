"""Whether a commit made here and now would run the gate: where git looks for hooks, and what it finds there."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from twoagent_hook import files, git, visible
from twoagent_hook.environment import Environment
from twoagent_hook.git import Location

_READ = 1 << 16  # bytes of a hook or of a framework's configuration that are read
_OURS = re.compile(r"^(?!\s*(?:#|//)).*twoagent[-_]hook", re.MULTILINE)
_LISTED = re.compile(r"--config[= ]([^\s)'\"]+)")


class Hooks(NamedTuple):
    """What a commit would run.

    Attributes:
        path: the file that git would run as its pre-commit hook.
        present: whether anything is there, be it a folder.
        kind: whose it is (a framework's name, or `script`); None where there is no such file.
        gated: whether the gate is in what it runs.
        disabled: why hooks, or this one, don't run in this environment.
        shadows: names in the work tree that Python would take for the framework's own modules.
    """

    path: str
    present: bool
    kind: str | None
    gated: bool
    disabled: tuple[str, ...]
    shadows: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        return self.gated and not self.disabled


class _Framework(NamedTuple):
    """One program that runs hooks: how its own hook is known, where its list stands, and what passes it over.

    Attributes:
        lists: the first that is there counts.
        skips: variables that name hooks to leave out; `switches`: variable -> values that turn all of them off.
    """

    name: str
    sign: re.Pattern[str]
    lists: tuple[str, ...]
    skips: tuple[str, ...] = ()
    switches: Mapping[str, frozenset[str]] = {}


_LEFTHOOK_LISTS = tuple(
    f"{folder}{dot}lefthook.{ending}"
    for folder in ("", ".config/")
    for dot in ("", ".")
    for ending in ("yml", "yaml", "toml", "json", "jsonc")
)
_FRAMEWORKS = (
    _Framework("pre-commit", re.compile(r"pre-commit\.com|\bpre_commit\b"), (".pre-commit-config.yaml",), ("SKIP",)),
    _Framework(
        "prek",
        re.compile(r"\bprek\b"),
        ("prek.toml", ".pre-commit-config.yaml", ".pre-commit-config.yml"),
        ("SKIP", "PREK_SKIP"),
    ),
    _Framework("husky", re.compile(r"husky"), (".husky/pre-commit",), (), {"HUSKY": frozenset({"0"})}),
    _Framework("lefthook", re.compile(r"lefthook"), _LEFTHOOK_LISTS, (), {"LEFTHOOK": frozenset({"0", "false"})}),
)


def inspect(location: Location, environment: Environment) -> Hooks:
    """Look, and run nothing but git's own `rev-parse` and `config`.

    Raises:
        GitError: git does not answer.
    """
    told = _asked(location, environment, "rev-parse", "--git-path", "hooks/pre-commit")
    path = os.path.abspath(os.path.join(os.getcwd(), told))
    text = _text(path)
    framework = None if text is None else _framework(path, text)
    kind = None if text is None else framework.name if framework else "script"
    gated = text is not None and _gated(location, path, text, framework)
    disabled = tuple(_disabled(location, environment, path, framework, gated=gated))
    shadows = _shadows(location.worktree) if kind == "pre-commit" and not environment.get("PYTHONSAFEPATH") else ()
    return Hooks(path, os.path.lexists(path), kind, gated, disabled, shadows)


# What pre-commit's hook imports: it runs `python -mpre_commit` in the work tree, whose modules then go first.
_IMPORTED = frozenset(
    {"pre_commit", "yaml", "cfgv", "identify", "nodeenv", "virtualenv", "platformdirs", "distlib", "filelock"}
)
_NEVER_IMPORTED = frozenset({"test", "idlelib", "turtledemo", "this", "antigravity"})


def _shadows(worktree: str) -> tuple[str, ...]:
    """Files and folders at the root that shadow the framework's modules, or those of Python itself."""
    known = (_IMPORTED | sys.stdlib_module_names) - _NEVER_IMPORTED
    try:
        entries = sorted(os.scandir(worktree), key=lambda entry: entry.name)
    except OSError:
        return ()
    return tuple(
        visible.path(entry.name)
        for entry in entries
        if (entry.name.endswith(".py") and entry.name.removesuffix(".py") in known)
        or (entry.name in known and os.path.exists(os.path.join(entry.path, "__init__.py")))
    )


def _asked(location: Location, environment: Environment, *question: str) -> str:
    """Git's answer in the environment as it is, since that is the one in which it would look for hooks."""
    command = [location.executable, *question]
    told = {name: value for name, value in environment.variables.items() if name.startswith("GIT_")}
    done = git.run(command, cwd=os.getcwd(), environment=git.passed_on(environment.variables) | told)
    return os.fsdecode(done.stdout).rstrip("\n")


def _framework(path: str, text: str) -> _Framework | None:
    # Husky 9 keeps its hooks in a folder of its own, all alike; what they run lies above it.
    if os.path.dirname(path).endswith(os.path.join(".husky", "_")):
        return next(item for item in _FRAMEWORKS if item.name == "husky")
    return next((item for item in _FRAMEWORKS if item.sign.search(text)), None)


def _gated(location: Location, path: str, text: str, framework: _Framework | None) -> bool:
    """Whether the hook itself, or what its framework is told to run, names the gate outside of comments."""
    if _OURS.search(text):
        return True
    if framework is None:
        return False
    legacy = f"{path}.legacy"  # pre-commit goes on running the hook that it found in its place
    if framework.name == "pre-commit" and os.access(legacy, os.X_OK) and _OURS.search(_text(legacy) or ""):
        return True
    named = _LISTED.search(text) if framework.name in {"pre-commit", "prek"} else None
    lists = (named[1],) if named else framework.lists
    texts = (_text(os.path.join(location.worktree, name)) for name in lists)
    first = next((found for found in texts if found is not None), "")
    return _OURS.search(first) is not None


def _disabled(
    location: Location, environment: Environment, path: str, framework: _Framework | None, *, gated: bool
) -> Iterator[str]:
    told = _asked(location, environment, "config", "--show-origin", "--get", "core.hooksPath")
    origin, tab, value = told.partition("\t")
    if tab and not value.strip():
        yield f"`core.hooksPath` is empty ({visible.excerpt(origin, 120)}), so git runs no hook at all"
    elif tab and not gated and framework is None:
        where = visible.excerpt(value, 120)
        yield f"`core.hooksPath` is {where} ({visible.excerpt(origin, 120)}), so hooks in .git/hooks don't run"
    elif environment.get("GEMINI_CLI") and not tab:
        yield "Gemini CLI takes git's hooks away in the shells that it spawns"
    if _text(path) is not None and not os.access(path, os.X_OK):
        yield f"{visible.path(path)} is not executable, so git passes it over"
    if framework is None:
        return
    for name in framework.skips:
        if "twoagent-hook" in [word.strip() for word in (environment.get(name) or "").split(",")]:
            yield f"{name} names twoagent-hook, so {framework.name} passes it over"
    for name, values in framework.switches.items():
        if (environment.get(name) or "").lower() in values:
            yield f"{name}={environment.get(name)} turns its hooks off"


def _text(path: str) -> str | None:
    content = files.read(path, _READ)
    return None if content is None else content.decode("utf-8", "replace")
