"""Whether a change removes or weakens the gate itself: its hook, its CI step, its policy, its guidelines; pure.

A change can't alter its own gate, but it can alter the next one's: so what makes it weaker is blocked, what only
changes it is noted, and the human decides.
"""

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook import datafiles, visible
from twoagent_hook.errors import ConfigError
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.keys import DEFER, POLICY_FILE, STRICTER, Layer, default_rules
from twoagent_hook.patterns import Pattern
from twoagent_hook.screening.rules import rule

KIND = "gate-tampering"
_FIX = "leave the gate as it is, or let its owner commit this by hand"
_OURS = Pattern(r"twoagent[-_]hook")
_COMMENT = Pattern(r"^\s*(?:#|//|--|;|<!--)")
_TABLE = "screening/tampering.toml"


class Texts(NamedTuple):
    """A file before and after the change, whole; None where it is not there, or can't be read."""

    before: str | None
    after: str | None


class Gate(NamedTuple):
    """What the gate consists of, as the base has it.

    Attributes:
        policy: the base's; None where it has none.
        staged: the policy in the change.
        guidelines: the files that the policy names, its own prompt included.
    """

    policy: Layer | None = None
    staged: Layer | None = None
    guidelines: tuple[str, ...] = ()


def watched(paths: Iterable[str], gate: Gate) -> list[str]:
    """Those of the changed paths whose whole texts `find` wants."""
    table = datafiles.packaged_toml(_TABLE)["files"]
    matches = _matcher((*table["frameworks"], *table["scripts"], *table["attributes"]))
    return [path for path in paths if matches(path) or path in gate.guidelines]


def _matcher(patterns: Sequence[str]) -> Any:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns).match_file


def find(texts: Mapping[str, Texts], gate: Gate) -> Iterator[Finding]:
    """Everything by which the gate is weaker after the change, and as notes what changes it otherwise."""
    table = datafiles.packaged_toml(_TABLE)["files"]
    yield from _policy(gate)
    if not texts:
        return  # most changes touch nothing that runs the gate
    frameworks, attributes = _matcher(table["frameworks"]), _matcher(table["attributes"])
    texts = _renamed(texts)
    lists = {path: _readable(path, text.after) or {} for path, text in texts.items() if frameworks(path)}
    for path, text in texts.items():
        name = visible.path(path)
        if path in gate.guidelines:
            yield from _guideline(name, text)
        if frameworks(path):
            elsewhere = frozenset(key for other, found in lists.items() if other != path for key in found)
            yield from _framework(path, name, text, elsewhere, gated=gate.policy is not None)
        elif attributes(path):
            yield from _attributes(name, text)
        elif path not in gate.guidelines:
            yield from _script(name, text)
            yield from _events(path, name, text)


def _renamed(texts: Mapping[str, Texts]) -> dict[str, Texts]:
    """A workflow that runs the gate and is gone, beside a new one that does: one that has another name now.

    Only where every file of a folder is run, whatever it is called: a hook's name says when it is run.
    """
    found = dict(texts)
    workflows = {path: text for path, text in texts.items() if _WORKFLOW.search(path)}
    new = [path for path, text in workflows.items() if text.before is None and _active(text.after)]
    for path, text in workflows.items():
        heirs = [one for one in new if posixpath.dirname(one) == posixpath.dirname(path)]
        if text.after is None and heirs and _active(text.before):
            found[heirs[0]] = Texts(found.pop(path).before, texts[heirs[0]].after)
            new.remove(heirs[0])
    return found


_WORKFLOW = Pattern(r"^\.(?:github|gitea|forgejo)/workflows/[^/]+\.ya?ml$")


def _weaker(title: str, name: str, quote: str = "", line: int | None = None) -> Finding:
    return rule(KIND, title, name, line, _FIX, quote)


def _noted(title: str, name: str, quote: str = "") -> Finding:
    return rule(KIND, title, name, None, "", quote, mild=True)


# --- the policy ---------------------------------------------------------------------------------------------


def _policy(gate: Gate) -> Iterator[Finding]:
    if gate.policy is None:
        return
    name = POLICY_FILE if POLICY_FILE in gate.policy.origin else "pyproject.toml"
    if gate.staged is None:
        yield _weaker("the policy is removed", name)
        return
    before, after = gate.policy.values, gate.staged.values
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        for weakens, what in _step(key, before.get(key), after.get(key)):
            title = f"`{key}` {what}"
            yield _weaker(f"the policy is weakened: {title}", name) if weakens else _noted(f"policy: {title}", name)


def _step(key: str, before: Any, after: Any) -> Iterator[tuple[bool, str]]:
    """(whether it weakens the gate, what it does) for one key that is not the same."""
    if key in _ORDERED:
        order, old, new = _ORDERED[key], before or _DEFAULTS[key], after or _DEFAULTS[key]
        if old != new:
            yield order.index(new) < order.index(old), f"goes from {old} to {new}"
    elif key in _STEPS:
        yield from _STEPS[key](before or {}, after or {})
    elif key == "reviewers":
        weakens = tuple(after or ()) == ("rules",)
        yield weakens, f"goes from {_shown(before)} to {_shown(after)}"
    elif key == "plan":
        yield after is None, f"goes from {_shown(before)} to {_shown(after)}"
    elif key in _MORE_IS_WEAKER or key in _LESS_IS_WEAKER:
        yield from _list_step(before or (), after or (), more_is_weaker=key in _MORE_IS_WEAKER)
    elif key == "prompt":
        old, new = before or "project", after or "project"
        if old != new:
            yield True, f"goes from {old} to {new}"
    else:
        yield False, f"goes from {_shown(before)} to {_shown(after)}"


_ORDERED = {**STRICTER, "defer": DEFER}
_DEFAULTS = {"fail-on": "block", "on-error": "block", "independence": "model", "defer": "off"}
_MORE_IS_WEAKER = ("exclude", "secret-fixtures", "skip", "defer-branches", "dismiss")
_LESS_IS_WEAKER = ("protect", "guidelines")


def _list_step(before: Sequence[Any], after: Sequence[Any], *, more_is_weaker: bool) -> Iterator[tuple[bool, str]]:
    added = [item for item in after if item not in before]
    removed = [item for item in before if item not in after]
    for what, items, weakens in (("gets", added, more_is_weaker), ("loses", removed, not more_is_weaker)):
        plain = [item for item in items if not item.startswith("!")]
        excepted = [item for item in items if item.startswith("!")]
        if plain:
            yield weakens, f"{what} {_shown(plain)}"
        if excepted:
            yield not weakens, f"{what} {_shown(excepted)}"
    order = [item for item in after if item in before] != [item for item in before if item in after]
    if order and any(item.startswith("!") for item in (*before, *after)):  # the last pattern that matches counts
        yield True, "has its patterns in another order"


def _roles(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[bool, str]]:
    """Who is no implementer any more may review: that is a weaker gate."""
    for role in sorted({*before, *after}):
        old, new = before.get(role), after.get(role)
        if old != new:
            yield role == "implementer" and old is not None, f"{role} goes from {_shown(old)} to {_shown(new)}"


def _line(command: Any) -> str:
    return command if isinstance(command, str) else shlex.join(command)


def _commands(before: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[bool, str]]:
    """Whoever may replace a command by one that succeeds can have anything verified."""
    old, new = ([_line(item) for item in side] for side in (before, after))
    for what, some, others in (("gets", new, old), ("loses", old, new)):
        items = [item for item in some if item not in others]
        if items:
            yield what == "loses", f"{what} {_shown(items)}"


def _rules(before: Mapping[str, Effect], after: Mapping[str, Effect]) -> Iterator[tuple[bool, str]]:
    known = default_rules()
    for name in sorted({*before, *after}):
        old, new = before.get(name, known.get(name, Effect.OFF)), after.get(name, known.get(name, Effect.OFF))
        if old != new:
            yield new < old, f"{name} goes from {old.label} to {new.label}"


_STEPS: Mapping[str, Callable[[Any, Any], Iterator[tuple[bool, str]]]] = {
    "rules": _rules,
    "roles": _roles,
    "verify-commands": _commands,
}


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return visible.excerpt(", ".join(str(item) for item in value), 120)
    return "its default" if value is None else visible.excerpt(str(value), 60)


# --- guidelines and attributes --------------------------------------------------------------------------------


def _guideline(name: str, text: Texts) -> Iterator[Finding]:
    if text.after is None:
        yield _weaker("a guideline of the policy is removed", name)
    elif text.before is not None:
        yield _noted("a guideline of the policy is changed, which counts from the next commit on", name)


def _attributes(name: str, text: Texts) -> Iterator[Finding]:
    before = set((text.before or "").splitlines())
    for line in (text.after or "").splitlines():
        if line not in before and re.search(r"linguist-(?:generated|vendored)|(?:^|\s)-?diff\b|\bbinary\b", line):
            yield _noted("`.gitattributes` would show less of some files from the next commit on", name, line)


# --- hook frameworks ----------------------------------------------------------------------------------------


def _framework(path: str, name: str, text: Texts, elsewhere: frozenset[str], *, gated: bool) -> Iterator[Finding]:
    """The entries of ours in a framework's list, held against those before.

    Args:
        elsewhere: our hooks that another framework's list has after the change.
        gated: whether the base has a policy.
    """
    added = text.before is None and text.after is not None
    if added and path == _OVERRIDING and gated and not _readable(path, text.after):
        yield _weaker("a list of hooks without the gate is added, which prek reads in place of any other", name)
    if text.before is None or not _OURS.search(text.before):
        return
    before = _readable(path, text.before)
    after = _readable(path, text.after)
    if text.after is None and not (before and elsewhere.issuperset(before)):
        yield _weaker("the configuration that runs the gate is removed", name)
    elif after is None and before is not None and text.after is not None:
        yield _weaker("the configuration that runs the gate can't be read after the change", name)
    elif after is not None:
        yield from _compared(name, before or {}, after, elsewhere)
        yield from _whole(name, *(_loaded_or_empty(path, half) for half in text))


_OVERRIDING = "prek.toml"


def _readable(path: str, text: str | None) -> dict[str, dict[str, Any]] | None:
    """Our hooks in a framework's list; None where there is none, or none that can be read."""
    try:
        return None if text is None else _entries(path, text)
    except ConfigError:
        return None


def _compared(
    name: str,
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    elsewhere: frozenset[str],
) -> Iterator[Finding]:
    for key, entry in before.items():
        if key in after:
            yield from _differences(name, key, entry, after[key])
        elif key not in elsewhere:
            yield _weaker(f"the gate's hook `{key}` is taken out", name)
    yield from (_noted(f"a hook of the gate is added: `{key}`", name) for key in after if key not in before)


def _entries(path: str, text: str) -> dict[str, dict[str, Any]]:
    """Our hooks by their ids, each with the repository and revision it comes from."""
    data = _loaded(path, text)
    found: dict[str, dict[str, Any]] = {}
    repos = data.get("repos")
    for repo in repos if isinstance(repos, list) else ():
        hooks = repo.get("hooks") if isinstance(repo, dict) else None
        for hook in hooks if isinstance(hooks, list) else ():
            if isinstance(hook, dict) and _ours(hook, repo):
                found[_key(hook, found)] = {"repo": repo.get("repo"), "rev": repo.get("rev"), **hook}
    return found


def _key(hook: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    """The hook's id, numbered where the list has it more than once."""
    key = str(hook.get("id"))
    same = sum(other == key or other.startswith(f"{key} (") for other in taken)
    return f"{key} ({same + 1})" if same else key


def _ours(hook: Mapping[str, Any], repo: Mapping[str, Any]) -> bool:
    return any(_OURS.search(str(text)) for text in (hook.get("id"), hook.get("entry"), repo.get("repo")))


def _loaded(path: str, text: str) -> dict[str, Any]:
    """The file's content.

    Raises:
        ConfigError: it is not what its name says.
    """
    data = datafiles.parse_toml(text, path) if path.endswith(".toml") else datafiles.parse_yaml(text, path)
    return data if isinstance(data, dict) else {}


def _loaded_or_empty(path: str, text: str | None) -> dict[str, Any]:
    try:
        return {} if text is None else _loaded(path, text)
    except ConfigError:
        return {}


_PINS = ("rev", "additional_dependencies", "name", "description", "language_version", "minimum_pre_commit_version")


def _differences(name: str, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for field in sorted({*before, *after}):
        if before.get(field) == after.get(field):
            continue
        what = (
            f"`{field}` of the gate's hook `{key}` goes from {_shown(before.get(field))} to {_shown(after.get(field))}"
        )
        pinned = field in _PINS and after.get(field) is not None
        yield _noted(what, name) if pinned else _weaker(what, name)


def _whole(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for field in ("default_stages", "default_install_hook_types", "exclude", "files", "ci"):
        if before.get(field) != after.get(field):
            what = f"`{field}` goes from {_shown(before.get(field))} to {_shown(after.get(field))}"
            yield _noted(f"what the framework runs is changed: {what}", name)


# --- scripts and CI -----------------------------------------------------------------------------------------


def _script(name: str, text: Texts) -> Iterator[Finding]:
    """A file that runs the gate by naming it: a hook of git's own, husky, lefthook, a CI step."""
    before = _active(text.before)
    if not before:
        return
    if text.after is None:
        yield _weaker("a file that runs the gate is removed", name)
        return
    after = _active(text.after)
    plain = {_unpinned(line) for line in after.values()}
    for line in before.values():
        if line in after.values():
            continue
        if _unpinned(line) in plain:
            yield _noted("the gate is run in another version", name, line)
        else:
            yield _weaker("a line that runs the gate is taken out or changed", name, line)
    loose = datafiles.packaged_toml(_TABLE)["weak"]["words"]
    for number, line in after.items():
        if line not in before.values() and any(word in line for word in loose):
            yield _weaker("the gate is run so that its verdict does not count", name, line, number)
    loosened = _loosened(name, text.before)
    for line in _loosened(name, text.after):
        if line in loosened:
            loosened.remove(line)
        else:
            yield _weaker("what runs the gate may fail, or is left out, from now on without any effect", name, line)


def _events(path: str, name: str, text: Texts) -> Iterator[Finding]:
    """A workflow with the gate that is no longer run by something that happens."""
    if not _WORKFLOW.search(path) or not _active(text.before) or not _active(text.after):
        return
    before, after = (_loaded_or_empty(path, half) for half in text)
    lost = [event for event in _triggers(before) if event not in _triggers(after)]
    if lost:
        yield _weaker(f"what runs the gate is no longer run by {_shown(lost)}", name)
    elif _triggers(before) != _triggers(after):
        yield _noted("what runs the gate is run in other cases", name)


def _triggers(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Event -> its conditions. YAML 1.1 takes the key `on` for a boolean."""
    said = workflow.get("on", workflow.get("True"))
    if isinstance(said, dict):
        return said
    return dict.fromkeys(map(str, said)) if isinstance(said, list) else {str(said): None} if said else {}


def _active(text: str | None) -> dict[int, str]:
    """The lines that name the gate and are no comment, by their numbers."""
    lines = enumerate((text or "").splitlines(), 1)
    return {number: line.strip() for number, line in lines if _OURS.search(line) and not _COMMENT.match(line)}


def _unpinned(line: str) -> str:
    """The line without a version: a new pin is no other line."""
    return re.sub(r"(?:@|==)(?:v?[0-9][\w.+-]{0,60}|[0-9a-f]{7,40}\b)", "@", line)


_BLOCKS = (".yml", ".yaml")


def _loosened(name: str, text: str | None) -> list[str]:
    """Lines that take the effect from lines that name the gate: of the same step or job, or of the same script."""
    weak = datafiles.packaged_toml(_TABLE)["weak"]
    lines = (text or "").splitlines()
    ours = {place for place, line in enumerate(lines) if _OURS.search(line) and not _COMMENT.match(line)}
    if not ours:
        return []
    found = []
    for place, line in enumerate(lines):
        if place in ours or _COMMENT.match(line):
            continue
        if re.search(weak["settings"], line):
            if not name.endswith(_BLOCKS) or ours & set(_block(lines, place)):
                found.append(line.strip())
        elif re.search(weak["statements"], line) and any(abs(place - other) <= _NEAR for other in ours):
            found.append(line.strip())
    return found


_NEAR = 6  # lines


def _block(lines: Sequence[str], place: int) -> Iterator[int]:
    """The places of the lines that are of the same mapping as this one of a YAML file, or below it."""
    depth = _depth(lines[place])
    for step in (-1, 1):
        here = place
        while 0 <= here < len(lines):
            line = lines[here]
            starts = line.lstrip().startswith("- ") and _depth(line) == depth
            if line.strip() and not _COMMENT.match(line):
                if _depth(line) < depth or (step == 1 and starts and here != place):
                    break
                yield here
                if step == -1 and starts:
                    break
            here += step


def _depth(line: str) -> int:
    """The column at which a line of YAML begins, after the dash of a list's item."""
    return len(line) - len(re.sub(r"^\s*(?:- +)?", "", line))
