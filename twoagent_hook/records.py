"""Verdicts that stand: which rows of the log may be taken again, for what, and until when.

On the path of a commit whose verdict is known: nothing is imported here that such a commit could wait for. A row is
bound to the content of the index (the ids of its trees) and sealed with the user's own key.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from twoagent_hook import __version__, author, config, console, datafiles, files, seals
from twoagent_hook.environment import Environment
from twoagent_hook.git import Location, Trees
from twoagent_hook.options import Options
from twoagent_hook.seals import Seal
from twoagent_hook.trajectory import Entry, Log, LogError

_TEXT_LIMIT = 1 << 20  # bytes of the user's file
_UNNOTED = {"timeout", "on-error"}  # flags that change nothing of a verdict that is there
_ORDER = ("approve", "request_changes", "block")


def key(trees: Trees, options: Options, environment: Environment, sources: str) -> str | None:
    """A digest of all that a verdict on these trees depends on: where it is the same, so is the verdict.

    The policy, the guidelines and the rest of what the repository says are in the trees.

    Args:
        sources: a digest of the prompt and the rules as this version has them.

    Returns:
        None where it can't be told without more work than that.
    """
    path = options.user_file or config.user_file(environment.get("TWOAGENT_HOME"))
    if not options.isolated and os.path.exists(path) and not os.path.isfile(path):  # a pipe can be read once
        return None
    own = b"" if options.isolated else files.read(path, _TEXT_LIMIT) or b""
    if b"author-from-transcript" in own:
        return None
    claims = author.said(options.author, environment.get("TWOAGENT_AUTHOR"))
    candidates = author.detect(environment.variables, claims).candidates
    flags = {name: value for name, value in options.flags.items() if name not in _UNNOTED}
    parts = (
        *trees[:2],
        list(trees.merged),
        flags,
        environment.hook and bool(flags),
        "" if options.isolated else path,
        options.isolated,
        options.plan,
        [(one.agent, one.model, sorted(one.families), one.source) for one in candidates],
        {name: environment.get(name) for name in ("TWOAGENT_PREFER", *redirecting())},
        sources,
    )
    return hashlib.sha256(json.dumps(parts).encode() + own).hexdigest()


def redirecting() -> list[str]:
    """The variables that say where a reviewer's requests go."""
    commands = datafiles.packaged_toml("backends/clis.toml")["clis"]
    return sorted({"OPENAI_BASE_URL", *(name for row in commands.values() for name in row.get("redirected-by", ()))})


def same_programs(entry: Entry, environment: Environment) -> bool:
    """Whether the programs that gave a verdict are still those that would be run by their names."""
    reviews = entry.evidence["decision"]["reviews"]
    paths = [review["origin"] for review in reviews if str(review.get("origin")).startswith("/")]
    search = environment.get("PATH") or ""
    return all(shutil.which(os.path.basename(path), path=search) in {path, None} for path in paths)


def sources() -> str:
    """A digest of the prompt and of the version that asks."""
    names = (
        *("templates/reviewer.md", "templates/seed.md", "templates/reply.schema.json"),
        *("templates/plan_held.md", "templates/plan_held.toml", "templates/criteria.schema.json"),
    )
    return hashlib.sha256("\0".join((__version__, *map(datafiles.packaged, names))).encode()).hexdigest()


# --- seals --------------------------------------------------------------------------------------------------


def _content(entry: Entry) -> str:
    evidence = {name: value for name, value in entry.evidence.items() if name != "seal"}
    return json.dumps(replace(entry, id=None, evidence=evidence).fields(), sort_keys=True)


def own_seal(environment: Environment) -> Seal | None:
    """The seal of the user who runs this, if there is one."""
    return seals.load(config.state_folder(environment.get("TWOAGENT_HOME")))


def append(location: Location, rows: Sequence[Entry], seal: Seal | None, lost: str) -> int | None:
    """Put rows into the log; one that can't be written never loses what they are about.

    Args:
        lost: what to say where it can't.

    Returns:
        the id of the last row, or None.
    """
    try:
        return Log(location.state_dir).append([sealed(row, seal) for row in rows])
    except LogError as error:
        console.tell(f"twoagent-hook: {error}", lost)
        return None


def sealed(entry: Entry, seal: Seal | None) -> Entry:
    """The row with a mark of the user's own key on it, if there is one."""
    if seal is None:
        return entry
    return replace(entry, evidence={**entry.evidence, "seal": seal.mark(_content(entry))})


def genuine(entries: Iterable[Entry], seal: Seal | None) -> list[Entry]:
    """The rows that were sealed with the user's own key, and are as they were then."""
    if seal is None:
        return []
    return [entry for entry in entries if seal.knows(_content(entry), entry.evidence.get("seal"))]


# --- what stands --------------------------------------------------------------------------------------------


def expiry(days: float, now: datetime | None = None) -> str:
    """Until when what is recorded now may be taken again."""
    return ((now or datetime.now(UTC)) + timedelta(days=days)).isoformat(timespec="seconds")


def current(expires: object, now: datetime | None = None) -> bool:
    """Whether a row may still be taken again."""
    try:
        return isinstance(expires, str) and datetime.fromisoformat(expires) > (now or datetime.now(UTC))
    except (ValueError, TypeError):  # no time, or one without a zone
        return False


def of_decision(
    trees: Trees, made: Mapping[str, Any], known: str | None, fail_on: str, expires: str
) -> dict[str, Any] | None:
    """What the row of a decision says of itself, so that it can be taken again; None where nothing of it can.

    A block stands for whoever asks about these trees. Any other verdict stands only where all of the change was
    reviewed, and for the same question.

    Args:
        made: the decision as it is printed.
        known: the digest of what it depends on.
        expires: when the first of what it rests on expires.
    """
    blocked = any(review["verdict"] == "block" for review in made["reviews"])
    whole = bool(made["reviews"]) and made["outcome"] in _ORDER and made["coverage"]["complete"]
    if not blocked and not (whole and known):
        return None
    return {
        "base": trees.base,
        "merged": list(trees.merged),
        "key": known if whole else None,
        "blocked": blocked,
        "fail_on": fail_on,
        "expires": expires,
    }


def standing(entries: Sequence[Entry], trees: Trees, seal: Seal | None, known: str | None) -> Entry | None:
    """The row whose verdict stands for these trees: a block for every question, else the worst for the same one.

    Args:
        entries: rows about the tree, newest first.
        seal: without it only a block is found: who can't write one of ours can only close the gate.
        known: the digest of what is asked now, or None where only a block shall be found.
    """
    found = [entry for entry in entries if _fits(entry, trees)]
    blocks = [entry for entry in found if entry.evidence["record"].get("blocked") is True]
    same = [entry for entry in genuine(found, seal) if known and _is_of(entry, trees, known)]
    return next(iter(blocks), None) or max(same, key=_weight, default=None)


def _fits(entry: Entry, trees: Trees) -> bool:
    record, decision = entry.evidence.get("record"), entry.evidence.get("decision")
    if entry.role != "gate" or not isinstance(record, dict) or not _printable(decision):
        return False
    return record.get("base") == trees.base and entry.tree == trees.tree and current(record.get("expires"))


def _is_of(entry: Entry, trees: Trees, known: str) -> bool:
    record = entry.evidence["record"]
    return bool(record.get("key") == known and record.get("merged") == list(trees.merged))


_LISTS = ("reviews", "findings", "reasons", "notices", "verification_commands", "questions")


def _printable(decision: object) -> bool:
    """Whether it is of the shape of a decision; a row without a seal may be anything."""
    if not isinstance(decision, dict) or decision.get("outcome") not in _ORDER:
        return False
    listed = all(isinstance(decision.get(name), list) for name in _LISTS)
    tables = listed and all(isinstance(item, dict) for name in _LISTS[:2] for item in decision[name])
    claims = decision.get("claims", [])
    told = isinstance(claims, list) and all(isinstance(one, dict) and {"text", "source"} <= set(one) for one in claims)
    return tables and told and {"problem", "coverage", "author"} <= set(decision)


def _weight(entry: Entry) -> int:
    return _ORDER.index(entry.evidence["decision"]["outcome"])
