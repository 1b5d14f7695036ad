"""The trail of a task: who planned, wrote, judged and verified it, in the order of time, and where it stands; pure.

It is made of the log's rows and of the commits whose tree one of them judged. A row may hold anything: every text in
a trail is visible and bounded, and what carries no seal of the user's own can only make the trail look worse.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from twoagent_hook import visible
from twoagent_hook.git import Commit
from twoagent_hook.trajectory import Entry

_NAME = 60  # characters that are kept of a name,
_LINE = 160  # and of a sentence
_OPEN = {"approve", "changes", "skipped", "deferred"}
_VERDICTS = {"approve": "approve", "changes": "request changes", "blocked": "block"}
FOUND_LATER = {"reviewed", "overridden", "changed-after-review", "not-gated"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a trail.

    Attributes:
        kind: `plan`, `decision`, `verification`, `commit`, `override`, `record` (of what was found afterwards),
            `call` (to a model) or `other`.
        at: UTC, to the second; as far as it can be told.
        about: what came of it, in a few words.
        derived: whether it is told from git and the other rows, and stands in no row itself.
        sealed: whether its row carries the user's own seal; None where there is no row.
        vouches: whether it speaks for the change, so that a seal is needed.
        repeats: the row whose verdict it only says again.
        under: the row whose verdict a commit was made under, or against.
        reached: whether a branch, a tag or a HEAD still leads to the commit.
    """

    kind: str
    role: str
    result: str
    at: str = ""
    who: str = ""
    about: str = ""
    tree: str | None = None
    commit: str | None = None
    subject: str | None = None
    reason: str | None = None
    log_id: int | None = None
    derived: bool = False
    sealed: bool | None = None
    vouches: bool = False
    repeats: int | None = None
    under: int | None = None
    reached: bool = True

    @property
    def doubtful(self) -> bool:
        return self.vouches and self.sealed is False


class Planned(NamedTuple):
    """The newest plan that carries the user's seal; `task` and `text` are as they were given."""

    log_id: int | None
    by: str
    title: str
    task: str
    digest: str
    text: str


class Verdict(NamedTuple):
    """What the gate last said of a tree.

    Attributes:
        closed: whether a commit of it goes against that.
        sealed: whether the row, or the one that it repeats, carries the user's seal.
        author: of the change, as far as it was known.
        hook: whether a commit waited for it.
    """

    log_id: int
    result: str
    closed: bool
    sealed: bool
    author: str
    moment: datetime | None
    hook: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands.

    Attributes:
        reviews: how many there were of each verdict on a change; what only repeats one is not counted.
        tree: the newest one that was judged or verified.
        commit: the newest that has it, and is still reached.
        verification: what the newest one of that tree came to, if it may be believed.
        missing: what there would have to be, and is not.
    """

    planned: bool
    reviews: Mapping[str, int]
    overrides: int
    tree: str | None
    verdict: Verdict | None
    commit: str | None
    verification: str | None
    verification_id: int | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """What became of a task.

    Attributes:
        damaged: ids of rows that can't be read.
        notes: what else a reader has to know.
    """

    task_id: str
    title: str
    plan: Planned | None
    steps: tuple[Step, ...]
    standing: Standing
    damaged: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def shown(self, *, calls: bool) -> tuple[Step, ...]:
        """The steps, with the calls to models or without."""
        return tuple(step for step in self.steps if calls or step.kind != "call")


def of(
    task_id: str,
    rows: Sequence[Entry],
    genuine: Collection[int],
    commits: Iterable[Commit] = (),
    *,
    damaged: Sequence[int] = (),
    notes: Sequence[str] = (),
) -> Trail:
    """The trail of one task.

    Args:
        rows: all of its rows, oldest first.
        genuine: the ids of those that carry the user's own seal.
        commits: those whose tree is one of `trees(rows)`.
    """
    found = [_read_row(row, row.id in genuine) for row in rows]
    plan = next(filter(None, (_planned(row) for row in reversed(rows) if row.id in genuine)), None)
    judged = _judged(rows, genuine)
    made = [step for commit in commits for step in _of_commit(commit, judged, rows)]
    return Trail(
        visible.excerpt(task_id, 200),
        plan.title if plan else "",
        plan,
        tuple(_in_order(found, made)),
        _standing(plan, [*found, *made], judged),
        tuple(damaged),
        tuple(notes),
    )


def trees(rows: Iterable[Entry]) -> frozenset[str]:
    """The trees that the gate judged, or that were verified."""
    found = (row.tree for row in rows if row.role in {"gate", "verifier"})
    return frozenset(tree for tree in found if tree is not None and _ID.fullmatch(tree))


_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


# --- what a row holds ---------------------------------------------------------------------------------------


def table(value: Any) -> Mapping[str, Any]:
    """The table that it is, or an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Mapping[str, Any]]:
    """The tables of a list, if it is one."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def line(value: Any, limit: int = _LINE) -> str:
    """The text that it is, on one visible line, or nothing."""
    return visible.excerpt(value, limit) if isinstance(value, str) else ""


def _short(value: Any) -> str | None:
    return line(value, 64) or None


def count(number: int, noun: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def moment(at: str) -> datetime | None:
    """The time that a row gives; None if it gives none."""
    try:
        found = datetime.fromisoformat(at)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time(row: Entry) -> str:
    found = moment(row.at)
    return _shown(found) or visible.excerpt(row.at, 19)


def _shown(time: datetime | None) -> str:
    return time.replace(tzinfo=None).isoformat(" ", "seconds") if time else ""


def _model(model: Any, provider: Any) -> str:
    name, through = line(model, _NAME) or "its own model", line(provider, _NAME)
    return f"{name} ({through})" if through else name


def _read_row(row: Entry, sealed: bool) -> Step:
    step = _kind(row)
    return replace(
        step,
        at=_time(row),
        tree=_short(row.tree),
        log_id=row.id,
        sealed=sealed,
        reason=line(row.evidence.get("reason")) or None,
    )


def _kind(row: Entry) -> Step:
    if row.role == "planner":
        return _of_planner(row)
    if row.role == "gate" and row.result in FOUND_LATER:
        return Step("record", "gate", row.result, about=f"found afterwards: {row.result}")
    if row.role == "gate":
        return _of_gate(row)
    if row.role == "verifier" and isinstance(row.evidence.get("verification"), dict):
        return _of_verifier(row)
    kind = "call" if row.role in {"reviewer", "verifier"} else "other"
    result = line(row.result, _NAME)
    who = _model(row.model, row.provider) if row.model or row.provider else ""
    return Step(kind, line(row.role, 20), result, who=who, about=f"answered: {result}" if kind == "call" else result)


def _of_planner(row: Entry) -> Step:
    plan = row.evidence.get("plan")
    result = line(row.result, _NAME)
    who = _planner(row)
    if isinstance(plan, dict):
        about = f"planned: {line(plan.get('title'))}"
        return Step("plan", "planner", result, who=who, about=about, vouches=True)
    if row.result == "planned":
        return Step("call", "planner", result, who=who, about="answered: planned")
    return Step("plan", "planner", result, who=who, about=f"no plan: {_problem(row) or result}")


def _planner(row: Entry) -> str:
    """A model, or who brought a plan along."""
    if row.model or row.provider:
        return _model(row.model, row.provider)
    return _author(row) if _author(row) not in {"", "unknown", "human"} else "a person"


def _author(row: Entry) -> str:
    """Its author's name, without what is known about them."""
    return line((row.author or "").partition(" (")[0], _NAME)


def _problem(row: Entry) -> str:
    return line(table(row.evidence.get("problem")).get("what"))


def _of_gate(row: Entry) -> Step:
    decision = table(row.evidence.get("decision"))
    reviews = items(decision.get("reviews"))
    result = _VERDICTS.get(row.result, line(row.result, _NAME))
    who = " and ".join(_model(review.get("model"), review.get("provider")) for review in reviews[:4])
    return Step(
        "decision",
        "reviewer" if reviews else "gate",
        result,
        who=who,
        about=_outcome(row, decision, result),
        vouches=row.result in {"approve", "changes"} and _repeated(row) is None,
        repeats=_repeated(row),
    )


def _outcome(row: Entry, decision: Mapping[str, Any], result: str) -> str:
    if not decision:
        return f"{result} (what was decided can't be read)"
    parts = [result if row.tree or not decision.get("plan") else f"{result}, of the plan"]
    if row.result in _VERDICTS:
        found = items(decision.get("findings"))
        rules = [] if items(decision.get("reviews")) else _rules(found)
        parts += [f" by the rule{'s' if rules[1:] else ''} {', '.join(rules)}"] if rules else []
        parts += [f" ({count(len(found), 'finding')})"] if found else []
    else:
        reasons = decision.get("reasons")
        first = reasons[0] if isinstance(reasons, list) and reasons else ""
        why = line(table(decision.get("problem")).get("what")) or line(first)
        parts += [f": {why}"] if why else []
    repeated = _repeated(row)
    return "".join(parts) + (f", as row {repeated} said" if repeated is not None else "")


def _rules(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """The rules that have an effect, where no model was asked."""
    named = (line(item.get("rule"), _NAME) for item in findings if item.get("effect") in {"block", "request-changes"})
    return list(dict.fromkeys(name for name in named if name))


def _repeated(row: Entry) -> int | None:
    """The row of which this one only repeats the verdict."""
    number = row.evidence.get("recorded")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _of_verifier(row: Entry) -> Step:
    made = table(row.evidence["verification"])
    result, runs = line(row.result, _NAME), items(made.get("runs"))
    failed = [run for run in runs if run.get("exit_code") != 0 or run.get("problem")]
    parts = [f"{len(failed)} of {count(len(runs), 'command')} failed" if failed else count(len(runs), "command")]
    repeated = made.get("recorded")
    parts = [f"as row {repeated} said"] if isinstance(repeated, int) else parts
    seen, attached = len(items(made.get("inspections"))), len(items(made.get("attachments")))
    parts += [count(seen, "inspection")] if seen else []
    parts += [count(attached, "attachment")] if attached else []
    why = line(made.get("problem")) or line(table(made.get("problem")).get("what"))
    who = "own commands" + (f", summed up by {_model(row.model, row.provider)}" if row.model else "")
    about = f"{result}: {why or ', '.join(parts)}"
    return Step("verification", "verifier", result, who=who, about=about, vouches=row.result == "go")


def _planned(row: Entry) -> Planned | None:
    plan = table(row.evidence.get("plan"))
    text = plan.get("text")
    if row.role != "planner" or not isinstance(text, str):
        return None
    task = plan.get("task")
    return Planned(
        row.id,
        _planner(row),
        line(plan.get("title"), 200),
        task if isinstance(task, str) else "",
        line(plan.get("digest"), 80),
        text,
    )


# --- verdicts on trees --------------------------------------------------------------------------------------


def _judged(rows: Sequence[Entry], genuine: Collection[int]) -> dict[str, list[Verdict]]:
    """What held of each tree, from the row on that said so."""
    found: dict[str, list[Verdict]] = {}
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.role != "gate" or row.result in FOUND_LATER or row.tree is None or row.result == "interrupted":
            continue
        before = found.setdefault(row.tree, [])
        verdict = _verdict(row, by_id, genuine)
        # Without a seal nothing lifts a block: who can't write a row of ours can only close the gate.
        if verdict.sealed or verdict.closed or not before or before[-1].result != "blocked":
            before.append(verdict)
    return found


def _verdict(row: Entry, by_id: Mapping[int | None, Entry], genuine: Collection[int]) -> Verdict:
    code = table(row.evidence.get("decision")).get("exit_code")
    repeated = _repeated(row)
    source = by_id.get(repeated) if repeated in genuine else None
    backed = source is not None and (source.tree, source.result) == (row.tree, row.result)
    return Verdict(
        row.id or 0,
        line(row.result, _NAME),
        row.result not in _OPEN or (isinstance(code, int) and code != 0),
        row.id in genuine or backed,
        _author(row),
        moment(row.at),
        row.evidence.get("hook") is True,
    )


# --- commits ------------------------------------------------------------------------------------------------


def _of_commit(commit: Commit, judged: Mapping[str, Sequence[Verdict]], rows: Sequence[Entry]) -> Iterator[Step]:
    head, _, message = commit.raw.partition(b"\n\n")
    fields = _fields(head)
    tree = fields.get("tree", "")
    made = _commit_moment(fields.get("committer", ""))
    subject = visible.excerpt(_decoded(message[:4096]).strip("\n").partition("\n")[0], _LINE)
    verdict = _held(judged.get(tree, ()), made)
    step = Step(
        "commit",
        "implementer",
        "committed",
        at=_shown(made),
        who=visible.excerpt(fields.get("author", "").rpartition(" <")[0], _NAME),
        about=", ".join(filter(None, (_made_by(verdict), "" if commit.reached else "on no branch any more"))),
        tree=_short(tree),
        commit=_short(commit.id),
        subject=subject,
        derived=True,
        under=verdict.log_id if verdict else None,
        reached=commit.reached,
    )
    yield step
    if verdict is not None and verdict.closed:
        yield replace(
            step,
            kind="override",
            role="override",
            result="overridden",
            who="",
            about=f"committed although row {verdict.log_id} said {said_as(verdict.result)}{_clock(verdict, made)}",
            reason=_reason(rows, tree),
        )


def _fields(head: bytes) -> dict[str, str]:
    """The headers of a commit, each as it stands there first."""
    found: dict[str, str] = {}
    for name, _, value in (part.partition(" ") for part in _decoded(head).split("\n")):
        found.setdefault(name, value)
    return found


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _commit_moment(committer: str) -> datetime | None:
    seconds = committer.rpartition("> ")[2].partition(" ")[0]
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _made_by(verdict: Verdict | None) -> str:
    author = verdict.author if verdict else ""
    return f"written by {author}" if author not in {"", "unknown"} else ""


def _held(verdicts: Sequence[Verdict], made: datetime | None) -> Verdict | None:
    """The verdict that a commit was made under; the newest where it was given only afterwards, as the clocks say."""
    if made is None:
        return next(reversed(verdicts), None)
    before = [verdict for verdict in verdicts if not _later(verdict, made)]
    # Git dates a commit before its hooks run, so that what opened the gate to it came after that.
    opened = (verdict for verdict in verdicts if verdict.hook and not verdict.closed and _soon(verdict, made))
    return next(opened, None) or next(reversed(before or verdicts), None)


def _soon(verdict: Verdict, made: datetime) -> bool:
    return verdict.moment is not None and made <= verdict.moment <= made + _LONGEST_HOOK


_LONGEST_HOOK = timedelta(minutes=10)


def _later(verdict: Verdict, made: datetime) -> bool:
    """Whether a verdict came after a commit, of which only the second is known."""
    return verdict.moment is not None and verdict.moment.replace(microsecond=0) > made


def _clock(verdict: Verdict, made: datetime | None) -> str:
    return " (the commit's own date lies before that)" if made is not None and _later(verdict, made) else ""


def _reason(rows: Sequence[Entry], tree: str) -> str | None:
    """What the newest row about the tree was given as a reason."""
    found = (line(row.evidence.get("reason")) for row in reversed(rows) if row.tree == tree)
    return next(filter(None, found), None)


def _in_order(found: Sequence[Step], made: Sequence[Step]) -> list[Step]:
    """By time; rows of one second as they were written, and no commit before the verdict that it was made under."""
    keys: dict[int | None, tuple[str, int, int]] = {}
    keyed: list[tuple[tuple[str, int, int], Step]] = []
    at = ""
    for place, step in enumerate(found):
        at = step.at if _AT.fullmatch(step.at) else at
        keys[step.log_id] = (at, place, 0)
        keyed.append((keys[step.log_id], step))
    for place, step in enumerate(made, 1):
        at, row, _ = max((step.at, -1, 0), keys.get(step.under, _FIRST))
        keyed.append(((at, row, place), step))
    return [step for _, step in sorted(keyed, key=lambda pair: pair[0])]


_FIRST = ("", -1, 0)
_AT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


# --- where it stands ----------------------------------------------------------------------------------------


def _standing(plan: Planned | None, steps: Sequence[Step], judged: Mapping[str, Sequence[Verdict]]) -> Standing:
    seen = [step.tree for step in steps if step.kind in {"decision", "verification"} and step.tree]
    tree = seen[-1] if seen else None
    verdicts = judged.get(tree or "", ())
    commits = [step for step in steps if step.kind == "commit" and step.tree == tree and step.reached]
    verified = [step for step in steps if step.kind == "verification" and step.tree == tree]
    believed = [step for step in verified if not step.doubtful]
    standing = Standing(
        planned=plan is not None,
        reviews=_reviews(steps),
        overrides=sum(step.kind == "override" for step in steps),
        tree=tree,
        verdict=verdicts[-1] if verdicts else None,
        commit=max(commits, key=lambda step: step.at).commit if commits else None,
        verification=believed[-1].result if believed else None,
        verification_id=believed[-1].log_id if believed else None,
        missing=(),
    )
    return replace(standing, missing=tuple(_missing(standing, verified)))


def _reviews(steps: Iterable[Step]) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in steps:
        new = step.kind == "decision" and step.tree and step.repeats is None and not step.doubtful
        if new and step.result in _VERDICTS.values():
            found[step.result] = found.get(step.result, 0) + 1
    return found


def _missing(standing: Standing, verified: Sequence[Step]) -> Iterator[str]:
    if not standing.planned:
        yield "no plan"
    of_it = " of the newest tree" if standing.tree else ""
    yield from _lacking(standing.verdict, of_it)
    if standing.commit is None:
        yield f"no commit{of_it}"
    if standing.verification is None:
        unsealed = verified[-1].log_id if verified else None
        yield f"no verification{of_it}" if unsealed is None else f"the go of row {unsealed} carries no seal of yours"
    elif standing.verification != "go":
        yield f"no go (row {standing.verification_id}: {standing.verification})"


def _lacking(verdict: Verdict | None, of_it: str) -> Iterator[str]:
    if verdict is None:
        yield f"no review{of_it}"
        return
    said = f"row {verdict.log_id}: {said_as(verdict.result)}"
    if verdict.closed or verdict.result == "changes":
        yield f"no approval{of_it} ({said})"
    elif verdict.result == "deferred":
        yield f"no review{of_it} ({said})"
    elif verdict.result == "approve" and not verdict.sealed:
        yield f"the approval of row {verdict.log_id} carries no seal of yours"


def said_as(result: str) -> str:
    """A result of the log, as people are told it."""
    return _VERDICTS.get(result, result)
