"""Which plan a change is held against, and whose word it is: the owner's, or that of the change's own author."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twoagent_hook import plans, visible
from twoagent_hook.changes import ABSENT, FileChange, Hunk, Line, Status
from twoagent_hook.config import Config
from twoagent_hook.errors import ConfigError
from twoagent_hook.findings import Finding
from twoagent_hook.git import Trees
from twoagent_hook.options import GivenPlan
from twoagent_hook.plans import Plan
from twoagent_hook.screening import hidden, injection, matcher
from twoagent_hook.screening.rules import effective
from twoagent_hook.screening.secrets import Redactor

if TYPE_CHECKING:  # a failure is reported as well where the snapshot's library can't be imported (no git)
    from twoagent_hook.snapshots import Snapshot

BASE, CHANGE, AGENT = "base", "change", "agent"
POLICY, LOG, ONLY = "policy", "log", "--plan-only"


@dataclass(frozen=True, slots=True)
class Intent:
    """The plan that is in force.

    Attributes:
        source: `policy`, `--plan`, `log` (that of the task), or `--plan-only`.
        origin: `base`, `change` (its author's own word), `given`, `log` or `agent` (on record, put there by a person
            or a planner's model, or by an agent): what the reviewer is told of it.
        path: below the repository's root; None where it lies elsewhere.
        digest: of its text as it was found.
        findings: what the rules that look at text found in it.
    """

    plan: Plan
    source: str
    origin: str
    path: str | None
    digest: str
    findings: tuple[Finding, ...] = ()


class Found(NamedTuple):
    """The plan in force, and what to say of it."""

    intent: Intent | None
    notices: tuple[str, ...] = ()


def find(
    snapshot: "Snapshot",
    trees: Trees,
    changed: Collection[str],
    config: Config,
    given: GivenPlan | None,
) -> Found:
    """The plan that this change is held against: the one that was named by hand, else the policy's, else the task's.

    What an agent's environment names must not take the place of what the owner wrote down.

    Args:
        changed: the paths of the change.

    Raises:
        ConfigError: there is one, and it can't be followed.
    """
    if config.plan is not None and (given is None or given.source == LOG):
        found = _of_policy(snapshot, trees, changed, config.plan, config)
        if given is None or _same(given, found.intent):
            return found
        said = f"plan: the one on record for {given.name} does not count here, since the policy names another one"
        return found._replace(notices=(*found.notices, said))
    return Found(None) if given is None else _named(given, changed, config)


def _same(given: GivenPlan, intent: Intent | None) -> bool:
    return intent is not None and plans.digest(given.text) == intent.digest


def _named(given: GivenPlan, changed: Collection[str], config: Config) -> Found:
    part = given.path in changed and given.source != LOG
    origin = CHANGE if part else AGENT if given.by_agent else given.source.removeprefix("--plan") or "given"
    return Found(_made(given.text, given.name, given.path, (given.source, origin), config))


def _of_policy(snapshot: "Snapshot", trees: Trees, changed: Collection[str], path: str, config: Config) -> Found:
    base, staged = (_text(snapshot, tree, path) for tree in (trees.base, trees.tree))
    if base is None and staged is None:
        name = visible.path(path)
        raise ConfigError(
            f"the policy names the plan {name}, and there is no such file",
            f"`git add` it, or take `plan` out of the policy; `twoagent-hook plan --task TEXT -o {name}` writes one",
        )
    if base is None:
        return Found(_made(staged or "", path, path, (POLICY, CHANGE), config))
    try:
        intent = _made(base, path, path, (POLICY, BASE), config)
    except ConfigError as error:
        if staged is None or staged == base:
            raise
        said = f"plan: the one in HEAD can't be followed ({error.what}), so the staged one counts"
        return Found(_made(staged, path, path, (POLICY, CHANGE), config), (said,))
    what = "changes" if path in changed and staged is not None else "removes" if path in changed else None
    return Found(intent, (f"plan: this change {what} it, which counts from the next commit on",) if what else ())


def _text(snapshot: "Snapshot", tree: str, path: str) -> str | None:
    mode, oid = snapshot.entries(tree, [path]).get(path, ("", ""))
    if not mode.startswith("100"):
        return None
    return snapshot.blob(oid, plans.LIMIT * 4 + 1).decode("utf-8", "replace")


def _made(text: str, name: str, path: str | None, whence: tuple[str, str], config: Config) -> Intent:
    safe = Redactor().text(text)
    plan = plans.demand(safe, name)
    source, origin = whence
    return Intent(plan, source, origin, path, plans.digest(text), tuple(_screened(safe, path or name, config)))


def _screened(text: str, path: str, config: Config) -> Iterator[Finding]:
    """What a rule that looks for text which acts on a reader finds in it, as in a file that is added."""
    file, name = as_added(path, text), visible.path(path)
    yield from effective([*hidden.find(file, name), *injection.find(file, name)], config.rules)


def as_added(path: str, text: str) -> FileChange:
    """A file as a change shows it that adds it."""
    lines = tuple(Line("+", None, number, line) for number, line in enumerate(text.splitlines(), 1))
    size = len(text.encode("utf-8", "surrogateescape"))
    return FileChange(path, Status.ADDED, ABSENT, "100644", "", "", (None, size), (Hunk(0, 1, "", lines),))


def outside(intent: Intent, paths: Collection[str]) -> Mapping[str, str]:
    """path -> why the plan does not let the change touch it; the plan itself is left out."""
    return {path: why for path, why in plans.outside(intent.plan, paths, matcher) if path != intent.path}
