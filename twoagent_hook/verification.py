"""What a verification is: what ran on exactly which tree, what follows from it, and its JSON of version 1.

Pure but for the last part, which looks for one on record.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from twoagent_hook import claims as claiming
from twoagent_hook import visible
from twoagent_hook.claims import Claim
from twoagent_hook.errors import InvalidReplyError, UsageError
from twoagent_hook.keys import Command

if TYPE_CHECKING:  # they need the log, and with it SQLite
    from twoagent_hook.environment import Environment
    from twoagent_hook.git import Location
    from twoagent_hook.trajectory import Entry

VERSION = 1
MOST_CHANGED = 20
_TEXT_LIMIT = 4000  # characters of one text of the model's
_MOST_STATEMENTS = 50


class Outcome(StrEnum):
    """What a verification comes to; the last two are no verdict."""

    GO = "go"
    NO_GO = "no-go"
    NOT_RUN = "not-run"
    ERROR = "error"


class Run(NamedTuple):
    """One command and what it did.

    Attributes:
        source: whose command it is: `policy`, or `suggested` by a reviewer and picked by a human.
        exit_code: None where it did not end by itself.
        problem: why it counts as failed whatever its exit code is, or what that code means.
        size: bytes of what it wrote, as far as they were kept.
        digest: SHA-256 of those bytes.
        tail: the end of it, visible and without what looks like a secret.
        changed: tracked files that it left changed; they were put back before the next one.
        more_changed: how many more of them there are.
    """

    id: str
    command: Command
    source: str
    exit_code: int | None
    problem: str | None
    seconds: float
    size: int
    digest: str
    tail: str
    changed: tuple[str, ...] = ()
    more_changed: int = 0

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and self.problem is None


class Inspection(NamedTuple):
    """What a human looked at, in their words."""

    id: str
    text: str


class Attachment(NamedTuple):
    """A file of which a copy is kept, or an address that is only recorded; `place` is the path or the address."""

    id: str
    place: str
    url: bool
    digest: str | None = None
    size: int | None = None


class Statement(NamedTuple):
    """What a model says of the evidence; `beyond` where the quote is not in what it cites."""

    text: str
    evidence: tuple[str, ...]
    quote: str
    beyond: bool


class Summary(NamedTuple):
    """What a model makes of the evidence; `by` is its spec."""

    by: str
    verdict: Outcome
    text: str
    statements: tuple[Statement, ...]
    concerns: tuple[str, ...]


class Problem(NamedTuple):
    """Why nothing was verified, and what to do about it."""

    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was done and found about one tree.

    Attributes:
        suggested: commands of a reviewer that were not run.
        withheld: names of variables that commands did not get, since they hold secrets.
        recorded: the row of the log whose go stands for this tree, where nothing had to be run for that.
        unmet: why nothing was run although something should have been.
    """

    tree: str
    base: str
    task_id: str | None = None
    runs: tuple[Run, ...] = ()
    inspections: tuple[Inspection, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    claims: tuple[Claim, ...] = ()
    suggested: tuple[str, ...] = ()
    summary: Summary | None = None
    notices: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    recorded: int | None = None
    unmet: Problem | None = None

    @property
    def by_runs(self) -> Outcome:
        """What exit codes say, and nothing else."""
        if self.recorded is not None:
            return Outcome.GO
        if not self.runs:
            return Outcome.NOT_RUN
        return Outcome.GO if all(run.passed for run in self.runs) else Outcome.NO_GO

    @property
    def outcome(self) -> Outcome:
        """The same, but that a model may turn a go into a no-go; nobody turns a no-go into a go."""
        doubted = self.summary is not None and self.summary.verdict is Outcome.NO_GO
        return Outcome.NO_GO if self.by_runs is Outcome.GO and doubted else self.by_runs

    @property
    def exit_code(self) -> int:
        """Where nothing ran there is neither a go nor a no-go, whatever was recorded beside."""
        if self.outcome is Outcome.NOT_RUN:
            return 2
        return 0 if self.outcome is Outcome.GO else 1


# --- JSON ---------------------------------------------------------------------------------------------------


def payload(found: Verification) -> dict[str, Any]:
    """The whole object; every text in it is visible and bounded."""
    return {
        "version": VERSION,
        "outcome": found.outcome.value,
        "exit_code": found.exit_code,
        "problem": _problem(found.unmet),
        "tree": found.tree,
        "base": found.base,
        "task_id": found.task_id,
        "runs": [_run(run) for run in found.runs],
        "inspections": [{"id": item.id, "text": item.text} for item in found.inspections],
        "attachments": [_attachment(item) for item in found.attachments],
        "claims": [claiming.data(claim) for claim in found.claims],
        "suggested": list(found.suggested),
        "summary": _summary(found),
        "notices": list(found.notices),
        "withheld": list(found.withheld),
        "recorded": found.recorded,
        "log_id": None,
    }


def failed(problem: Problem, code: int, task_id: str | None = None, tree: str | None = None) -> dict[str, Any]:
    """The object of a run that came to nothing."""
    made = payload(Verification("", "", task_id, unmet=problem))
    return made | {"outcome": Outcome.ERROR.value, "exit_code": code, "tree": tree, "base": None}


def _problem(problem: Problem | None) -> dict[str, str] | None:
    return {"what": visible.block(problem.what), "do": visible.block(problem.do)} if problem else None


def runs(found: Sequence[Run]) -> list[dict[str, Any]]:
    """The runs as they stand in the object."""
    return [_run(run) for run in found]


def _run(run: Run) -> dict[str, Any]:
    words = run.command
    return {
        "id": run.id,
        "command": visible.block(words) if isinstance(words, str) else [visible.block(word) for word in words],
        "source": run.source,
        "exit_code": run.exit_code,
        "problem": run.problem,
        "duration_sec": round(run.seconds, 3),
        "output_bytes": run.size,
        "digest": run.digest,
        "tail": run.tail,
        "changed": [visible.path(path) for path in run.changed],
        "more_changed": run.more_changed,
    }


def _attachment(item: Attachment) -> dict[str, Any]:
    place = {"url": item.place} if item.url else {"path": item.place}
    return {"id": item.id, **place, "digest": item.digest, "bytes": item.size}


def _summary(found: Verification) -> dict[str, Any] | None:
    summary = found.summary
    if summary is None:
        return None
    disagrees = "turned" if found.by_runs is Outcome.GO else "ignored"
    return {
        "by": summary.by,
        "verdict": summary.verdict.value,
        "effect": "agrees" if summary.verdict is found.by_runs else disagrees,
        "summary": summary.text,
        "claims": [
            {
                "text": item.text,
                "evidence": list(item.evidence),
                "quote": item.quote,
                "beyond_evidence": item.beyond,
            }
            for item in summary.statements
        ],
        "concerns": list(summary.concerns),
    }


# --- what a model is shown, and what it says of it ----------------------------------------------------------


def evidence(found: Verification, tail: int = _TEXT_LIMIT) -> dict[str, str]:
    """Id -> all that is known under it, and nothing that anybody claims.

    Args:
        tail: characters of each output.
    """
    texts = {run.id: _told(run, tail) for run in found.runs}
    texts |= {item.id: f"A human looked at it, and says:\n{_indented(item.text)}" for item in found.inspections}
    texts |= {item.id: f"An attachment, of which the content is not shown: {item.place}" for item in found.attachments}
    return texts


def material(found: Verification, texts: Mapping[str, str]) -> str:
    """All of it as one text."""
    parts = [f"tree: {found.tree}", f"by exit codes: {found.by_runs.value}"]
    parts += [f"{name}\n{text}" for name, text in texts.items()]
    return "\n\n".join(parts)


def shown(command: str | Sequence[str]) -> str:
    """A command on one line; an argument list as a list, so that it is not taken for a shell line."""
    if isinstance(command, str):
        return visible.line(command)
    return "[" + ", ".join(f'"{visible.line(word)}"' for word in command) + "]"


def _told(run: Run, tail: int) -> str:
    ended = f"exit code {run.exit_code}" if run.exit_code is not None else "no exit code"
    lines = [f"command ({run.source}): {shown(run.command)}", ended]
    lines += [f"problem: {run.problem}"] if run.problem else []
    lines += [f"tracked files that it changed: {', '.join(map(visible.path, run.changed))}"] if run.changed else []
    text = run.tail[-tail:] if tail else ""
    lines += [f"the end of its output ({run.size} bytes in all):", _indented(text or "(none)")]
    return "\n".join(lines)


def _indented(text: str) -> str:
    """So that no line of it passes for one of the frame."""
    return "\n".join(f"    {line}" for line in text.split("\n"))


def read_summary(said: Mapping[str, Any], by: str, texts: Mapping[str, str]) -> Summary:
    """What a model's reply says, with each statement held against the evidence that it cites.

    Raises:
        InvalidReplyError: it is not of the form that was asked for.
    """
    verdict, text = said.get("verdict"), said.get("summary")
    if not isinstance(verdict, str) or verdict not in {Outcome.GO.value, Outcome.NO_GO.value}:
        raise _invalid('`verdict` is neither "go" nor "no-go"')
    if not isinstance(text, str):
        raise _invalid("`summary` is no text")
    items, concerns = said.get("claims") or [], said.get("concerns") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _invalid("`claims` is no list of objects")
    if not isinstance(concerns, list) or not all(isinstance(item, str) for item in concerns):
        raise _invalid("`concerns` is no list of texts")
    statements = tuple(_statement(item, texts) for item in items[:_MOST_STATEMENTS])
    kept = tuple(visible.excerpt(item, _TEXT_LIMIT) for item in concerns[:_MOST_STATEMENTS])
    return Summary(by, Outcome(verdict), visible.excerpt(text, _TEXT_LIMIT), statements, kept)


def _statement(item: Mapping[str, Any], texts: Mapping[str, str]) -> Statement:
    text, cited, quote = item.get("text"), item.get("evidence"), item.get("quote")
    if not isinstance(text, str) or not isinstance(quote, str):
        raise _invalid("a claim has no `text` or no `quote`")
    if not isinstance(cited, list) or not all(isinstance(name, str) for name in cited):
        raise _invalid("`evidence` of a claim is no list of ids")
    beyond = not any(name in texts and _holds(texts[name], quote) for name in cited)
    names = tuple(visible.excerpt(name, 20) for name in cited[:_MOST_STATEMENTS])
    return Statement(visible.excerpt(text, _TEXT_LIMIT), names, visible.excerpt(quote, _TEXT_LIMIT), beyond)


def _holds(text: str, quote: str) -> bool:
    """Whether a quote that is not empty stands in a text, as it is or as a model was shown it."""
    wanted = " ".join(quote.split())
    return bool(wanted) and any(wanted in " ".join(form.split()) for form in (text, visible.told(text)))


def _invalid(what: str) -> InvalidReplyError:
    return InvalidReplyError(what, "name another verifier, or leave it out (--no-summary)")


# --- what is recorded beside runs ---------------------------------------------------------------------------

_TELLING = re.compile(
    r"(?i)token|secret|passw|signature|credential|(?:api|access)[_-]?key|session|auth"
    r"|^(?:sig|key|code|pass|pwd|state|jwt|sid)$"
)


def is_address(text: str) -> bool:
    """Whether it is meant as an address, and not as the name of a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def clean_address(text: str) -> str:
    """An address without what could be a secret in it: user and password, telling parameters, the fragment.

    Raises:
        UsageError: it is none of the web's.
    """
    do = "attach an address as https://example.com/page, or a file"
    try:
        parts = urlsplit(text.strip())
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError("--attach: that is no address of the web", do)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(part for part in parts.query.split("&") if part and not _secret_parameter(part))
    return visible.excerpt(_redacted(urlunsplit((parts.scheme, host, parts.path, query, ""))), 2000)


def _secret_parameter(part: str) -> bool:
    """By its name; one whose value is long may be anything, and nobody reads it."""
    name, _, value = part.partition("=")
    return _TELLING.search(name) is not None or len(value) > 100


def _redacted(text: str) -> str:
    from twoagent_hook.screening.secrets import Redactor

    return Redactor().text(text)


# --- what is on record --------------------------------------------------------------------------------------


def recorded(location: "Location", tree: str, environment: "Environment") -> "Iterator[Entry]":
    """The rows of the log in which this user's own verifications of a tree stand, newest first; none if unreadable."""
    from twoagent_hook import records
    from twoagent_hook.trajectory import Log, LogError

    try:
        rows = Log(location.state_dir).of_tree(tree, "verifier")
    except LogError:
        return
    seal = records.own_seal(environment)
    for row in records.genuine(rows, seal):
        found = row.evidence.get("verification")
        if isinstance(found, dict) and found.get("outcome") in {Outcome.GO.value, Outcome.NO_GO.value}:
            yield row


def verification_of(location: "Location", tree: str, environment: "Environment") -> dict[str, Any] | None:
    """The newest verification of a tree in which something ran, as its JSON; None where there is none of this user's.

    Its `runs` are what `claims.hold` takes.
    """
    row = next(recorded(location, tree, environment), None)
    return None if row is None else {**row.evidence["verification"], "log_id": row.id}


def same_commands(found: Mapping[str, Any], commands: Sequence[Command]) -> bool:
    """Whether a recorded verification ran exactly these commands of the policy."""
    ran = [run["command"] for run in found["runs"] if run["source"] == "policy"]
    wanted = [
        visible.block(item) if isinstance(item, str) else [visible.block(word) for word in item] for item in commands
    ]
    return ran == wanted
