"""Gathers the settings of a run from where they stand: the base, the change, the user's file, the flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from twoagent_hook import backends, config, keys
from twoagent_hook.config import Config
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError
from twoagent_hook.git import Trees
from twoagent_hook.keys import Layer
from twoagent_hook.prompts import GUIDELINES_LIMIT, SEED, Guideline
from twoagent_hook.screening.secrets import Redactor
from twoagent_hook.screening.tampering import Gate
from twoagent_hook.snapshots import Snapshot

_FILES = (keys.POLICY_FILE, config.PYPROJECT)
_TEXT_LIMIT = 1 << 20  # bytes of a file of the repository that is read for its settings
_NOTHING = Layer("", {})


class Settings(NamedTuple):
    """All that a run goes by.

    Attributes:
        guidelines: the project's own, as they are where the policy was read.
        own_prompt: the text of the policy's prompt file, or None.
        user_file: where the user's own settings were looked for.
        gate: what the gate consists of at the base, which a change may not weaken.
    """

    config: Config
    guidelines: tuple[Guideline, ...]
    own_prompt: str | None
    user_file: str
    gate: Gate = Gate()


class _Sources(NamedTuple):
    """Where settings stand, but for the policy."""

    user: Layer
    flags: Layer
    hook: bool
    openai_base_url: str | None
    prefer: str | None
    checked: bool


def load(
    snapshot: Snapshot,
    trees: Trees,
    flags: Mapping[str, Any],
    environment: Environment,
    *,
    user_file: str | None = None,
    isolated: bool = False,
    checked: bool = True,
) -> Settings:
    """Read and join every place, by the law that a change can't alter its own gate.

    A policy that is staged is tried out whole before it may land: one that names a file or a reviewer that can't
    be would stop every commit after it, the one that mends it included.

    Args:
        flags: what the command line says, with the keys of files.
        user_file: read in place of the user's own.
        isolated: whether neither the policy nor the user's file counts.
        checked: whether a reviewer that could never be found is an error.

    Raises:
        ConfigError: one of them can't be followed.
    """
    path = user_file or config.user_file(environment.get("TWOAGENT_HOME"))
    user = Layer(path, {}) if isolated else config.user_layer(path)
    sources = _Sources(
        user,
        Layer("the command line", flags),
        environment.hook,
        environment.get("OPENAI_BASE_URL"),
        environment.get("TWOAGENT_PREFER"),
        checked,
    )
    own_place = user_file is not None or environment.get("TWOAGENT_HOME") is not None
    notices = (f"your own settings: {path}",) if own_place and not isolated else ()
    if isolated:
        return _settle(snapshot, trees.base, None, sources, path, notices)
    return _by_policy(snapshot, trees, sources, path, notices)


def _by_policy(snapshot: Snapshot, trees: Trees, sources: _Sources, path: str, notices: tuple[str, ...]) -> Settings:
    """The settings with the policy that counts: the base's, where that holds one that can be followed."""
    staged = _policy(snapshot, trees.tree, "staged")
    if staged is not None:
        _settle(snapshot, trees.tree, staged, sources._replace(flags=_NOTHING, hook=False), path, ())
    try:
        base = _policy(snapshot, trees.base, "HEAD")
        found = None if base is None else _settle(snapshot, trees.base, base, sources, path, notices)
    except ConfigError as error:
        if staged is None:
            raise
        said = f"policy: the one in HEAD can't be followed ({error.what}), so the staged one counts"
        return _settle(snapshot, trees.tree, staged, sources, path, (*notices, said))
    if found is not None and base is not None:
        named = found.config.guidelines + (() if found.own_prompt is None else (found.config.prompt,))
        return _with_notice(found, _step(base, staged))._replace(gate=Gate(base, staged, named))
    if staged is not None and "reviewers" in sources.user.values:
        said = "policy: new in this change; it counts from the next commit on, since your own file names the reviewers"
        return _settle(snapshot, trees.base, None, sources, path, (*notices, said))
    said = "policy: new in this change"
    return _settle(snapshot, trees.tree, staged, sources, path, (*notices, said) if staged else notices)


def _step(base: Layer, staged: Layer | None) -> str | None:
    if staged is not None and staged.values == base.values:
        return None
    what = "removes" if staged is None else "changes"
    return f"policy: this change {what} it, which counts from the next commit on"


def _with_notice(found: Settings, said: str | None) -> Settings:
    if said is None:
        return found
    return found._replace(config=config.with_notices(found.config, (said,)))


def _settle(
    snapshot: Snapshot, tree: str, policy: Layer | None, sources: _Sources, path: str, notices: tuple[str, ...]
) -> Settings:
    """Join the places, and read the files that the policy names from the tree in which it stands."""
    joined = config.join(
        sources.user,
        policy,
        sources.flags,
        hook=sources.hook,
        openai_base_url=sources.openai_base_url,
        prefer=sources.prefer,
        notices=notices,
    )
    for spec in joined.reviewers if sources.checked else ():
        backends.check_spec(spec, joined)
    guidelines = tuple(Guideline(name, _named(snapshot, tree, name)) for name in joined.guidelines)
    cut = tuple(
        f"guidelines: of {item.path} only the first {GUIDELINES_LIMIT} characters are sent"
        for item in guidelines
        if len(item.text) > GUIDELINES_LIMIT
    )
    own = None if joined.prompt in {"project", SEED} else _named(snapshot, tree, joined.prompt)
    return Settings(config.with_notices(joined, cut), guidelines, own, path)


def _policy(snapshot: Snapshot, tree: str, where: str) -> Layer | None:
    entries = snapshot.entries(tree, _FILES)
    return config.policy_layer({name: _text(snapshot, name, entries.get(name)) for name in _FILES}, where)


def _text(snapshot: Snapshot, name: str, entry: tuple[str, str] | None) -> str | None:
    """The text of a file by its entry (mode, object id) in a tree, or None where it has none.

    Raises:
        ConfigError: it is no regular file, too large, or not UTF-8: half a policy is none.
    """
    mode, oid = entry or ("", "")
    if entry is None or (name == config.PYPROJECT and not mode.startswith("100")):
        return None
    if not mode.startswith("100"):
        raise ConfigError(f"{name} is not a regular file", f"make {name} a regular file")
    content = snapshot.blob(oid, _TEXT_LIMIT + 1)
    if len(content) > _TEXT_LIMIT:
        raise ConfigError(f"{name} is larger than {_TEXT_LIMIT >> 20} MB", f"make {name} smaller")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 (byte {error.start})", f"save {name} as UTF-8") from error


def _named(snapshot: Snapshot, tree: str, name: str) -> str:
    """A file that the policy names, without what looks like a secret in it."""
    text = _text(snapshot, name, snapshot.entries(tree, [name]).get(name))
    if text is None:
        raise ConfigError(
            f"the policy names {name}, and there is no such file beside it",
            f"add {name}, or take it out of the policy",
        )
    return Redactor().text(text)
