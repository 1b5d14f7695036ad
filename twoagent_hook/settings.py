"""Gathers the settings of a run from where they stand: the base, the change, the user's file, the flags."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from twoagent_hook import config
from twoagent_hook.changes import ChangeSet
from twoagent_hook.config import Config, Layer
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError
from twoagent_hook.prompts import SEED, Guideline
from twoagent_hook.snapshots import Snapshot

_FILES = (config.POLICY_FILE, config.PYPROJECT)
_TEXT_LIMIT = 1 << 20  # bytes of a file of the repository that is read for its settings


class Settings(NamedTuple):
    """All that a run goes by.

    Attributes:
        guidelines: the project's own, as they are at the base.
        own_prompt: the text of the policy's prompt file, or None.
        user_file: where the user's own settings were looked for.
    """

    config: Config
    guidelines: tuple[Guideline, ...]
    own_prompt: str | None
    user_file: str


def load(
    snapshot: Snapshot,
    change: ChangeSet,
    flags: Mapping[str, Any],
    environment: Environment,
    *,
    user_file: str | None = None,
    isolated: bool = False,
) -> Settings:
    """Read and join every place, by the law that a change can't alter its own gate.

    Args:
        flags: what the command line says, with the keys of files.
        user_file: read in place of the user's own.
        isolated: whether neither the policy nor the user's file counts.

    Raises:
        ConfigError: one of them can't be followed.
    """
    path = user_file or config.user_file(environment.get("TWOAGENT_HOME"))
    user = Layer(path, {}) if isolated else config.user_layer(path)
    policy, notices = (None, ()) if isolated else _policy(snapshot, change)
    joined = config.join(
        user,
        policy,
        Layer("the command line", flags),
        hook=environment.hook,
        openai_base_url=environment.get("OPENAI_BASE_URL"),
        notices=notices,
    )
    guidelines = tuple(Guideline(name, _text(snapshot, change.base, name)) for name in joined.guidelines)
    own = None if joined.prompt in {"project", SEED} else _text(snapshot, change.base, joined.prompt)
    return Settings(joined, guidelines, own, path)


def _policy(snapshot: Snapshot, change: ChangeSet) -> tuple[Layer | None, tuple[str, ...]]:
    """The policy that counts, and what to say about it.

    It is read from the base where that holds one that parses, else from the change itself, and that is said.
    """
    staged = _layer(snapshot, change.tree, "staged")  # one that doesn't parse must not land
    try:
        base = _layer(snapshot, change.base, "HEAD")
    except ConfigError as error:
        return staged, (f"policy: the one in HEAD can't be followed ({error.what}), so the staged one counts",)
    if base is None:
        return staged, (("policy: new in this change",) if staged else ())
    if staged is None or staged.values != base.values:
        what = "removes" if staged is None else "changes"
        return base, (f"policy: this change {what} it, which counts from the next commit on",)
    return base, ()


def _layer(snapshot: Snapshot, tree: str, where: str) -> Layer | None:
    return config.policy_layer({name: _optional(snapshot, tree, name) for name in _FILES}, where)


def _optional(snapshot: Snapshot, tree: str, name: str) -> str | None:
    content = snapshot.file(tree, name, _TEXT_LIMIT)
    if content is None:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 (byte {error.start})", f"save {name} as UTF-8") from error


def _text(snapshot: Snapshot, tree: str, name: str) -> str:
    text = _optional(snapshot, tree, name)
    if text is None:
        raise ConfigError(
            f"the policy names {name}, and HEAD has no such file",
            f"commit {name} first, then name it in the policy",
        )
    return text
