"""A reviewer's opinion, accepted: its findings held against the change, and the law applied to its verdict; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from twoagent_hook import visible
from twoagent_hook.backends.base import Identity, Reply, Usage
from twoagent_hook.changes import FileChange, Line
from twoagent_hook.findings import Finding, Severity
from twoagent_hook.screening import ScreenedChange
from twoagent_hook.verdicts import STATUSES, Judged, Parsed, Verdict

_NEAR = 3  # lines between a finding and the next changed line


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's opinion, accepted.

    Attributes:
        stated: the verdict as the reviewer gave it.
        verdict: after the law (an approve beside a grave finding is none).
        recorded: the row of the log that it was taken from, where nobody was asked for it now.
        expires: when the first of what was taken from the log may not be taken again.
    """

    reviewer: Identity
    answered: tuple[str, ...]
    stated: Verdict
    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    questions: tuple[str, ...]
    usage: Usage
    latency: float
    attempts: int
    form: str
    criteria: tuple[Judged, ...] = ()
    recorded: int | None = None
    expires: str | None = None

    @property
    def contradictory(self) -> bool:
        return self.stated != self.verdict


def review(parsed: Parsed, reply: Reply, reviewer: Identity, screened: ScreenedChange) -> Review:
    """The accepted opinion, with its findings held against the change and the law applied to its verdict."""
    files = _named({finding.file for finding in parsed.findings}, screened)
    findings = tuple(
        replace(finding, grounded=grounded(finding, files), reviewer=reviewer.spec) for finding in parsed.findings
    )
    grave = any((finding.severity or 0) >= Severity.HIGH for finding in findings)
    approved = parsed.verdict is Verdict.APPROVE
    return Review(
        reviewer=reviewer,
        answered=reply.answered,
        stated=parsed.verdict,
        verdict=Verdict.REQUEST_CHANGES if approved and grave else parsed.verdict,
        summary=parsed.summary,
        findings=findings,
        commands=parsed.commands,
        questions=parsed.questions,
        usage=reply.usage,
        latency=reply.latency,
        attempts=reply.attempts,
        form=reply.form,
        criteria=parsed.criteria,
    )


def _named(names: set[str], screened: ScreenedChange) -> dict[str, FileChange]:
    """The files that are called so, with all that was shown of them."""
    found: dict[str, FileChange] = {}
    for file in screened.files if names else ():
        name = visible.path(file.path)
        spelled = {name, visible.told(name)} & names
        found |= dict.fromkeys(spelled, screened.functions.get(file.path, file))
    return found


def merge(parts: Sequence[Review]) -> tuple[Review, ...]:
    """One opinion of each reviewer, made of those on parts of a change: the worst verdict, and each finding once."""
    by_reviewer: dict[str, list[Review]] = {}
    for part in parts:
        by_reviewer.setdefault(part.reviewer.spec, []).append(part)
    return tuple(found[0] if len(found) == 1 else _merged(found) for found in by_reviewer.values())


def _merged(parts: Sequence[Review]) -> Review:
    findings = {finding.id: finding for part in reversed(parts) for finding in reversed(part.findings)}
    return replace(
        parts[0],
        answered=tuple(dict.fromkeys(name for part in parts for name in part.answered)),
        stated=max(part.stated for part in parts),
        verdict=max(part.verdict for part in parts),
        summary=" ".join(dict.fromkeys(part.summary for part in parts if part.summary)),
        findings=tuple(reversed(findings.values())),
        commands=tuple(dict.fromkeys(command for part in parts for command in part.commands)),
        questions=tuple(dict.fromkeys(question for part in parts for question in part.questions)),
        usage=Usage(
            prompt_tokens=_sum(part.usage.prompt_tokens for part in parts),
            output_tokens=_sum(part.usage.output_tokens for part in parts),
            cached_tokens=_sum(part.usage.cached_tokens for part in parts),
            cost_usd=_sum(part.usage.cost_usd for part in parts),
        ),
        latency=max(part.latency for part in parts),
        attempts=sum(part.attempts for part in parts),
        criteria=judged(part.criteria for part in parts),
        recorded=newest(part.recorded for part in parts),
        expires=min((part.expires for part in parts if part.expires), default=None),
    )


def judged(opinions: Iterable[Iterable[Judged]]) -> tuple[Judged, ...]:
    """One opinion of each criterion: what one part does not show, another may, and what fails in one has failed."""
    found: dict[str, Judged] = {}
    for one in (one for opinion in opinions for one in opinion):
        known = found.get(one.id)
        if known is None or STATUSES.index(one.status) > STATUSES.index(known.status):
            found[one.id] = one
    return tuple(found.values())


def newest(rows: Iterable[int | None]) -> int | None:
    """The newest row of the log, where everything comes from it."""
    found = list(rows)
    known = [row for row in found if row is not None]
    return max(known) if known and len(known) == len(found) else None


_Number = TypeVar("_Number", int, float)


def _sum(numbers: Iterable[_Number | None]) -> _Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def grounded(finding: Finding, files: Mapping[str, FileChange]) -> bool:
    """Whether the file is in the change, the lines lie near a changed one, and the quote occurs there."""
    file = files.get(finding.file)
    if file is None:
        return False
    return _near_change(finding, file) and _quoted(finding, list(file.lines))


def _near_change(finding: Finding, file: FileChange) -> bool:
    if finding.line_start is None:
        return False
    start, end = finding.line_start - _NEAR, (finding.line_end or finding.line_start) + _NEAR
    old = finding.side == "old"
    numbers = (number for number, line in _numbered(file, old=old) if line.sign != " ")
    return any(start <= number <= end for number in numbers)


def _numbered(file: FileChange, *, old: bool) -> Iterator[tuple[int, Line]]:
    """Each line with its number on one side; a line of the other side takes the number that follows there."""
    for hunk in file.hunks:
        number = hunk.old_start if old else hunk.new_start
        for line in hunk.lines:
            own = line.old if old else line.new
            number = own if own is not None else number
            yield number, line
            number += own is not None


def _fold(text: str) -> str:
    return " ".join(text.split())


def _quoted(finding: Finding, lines: list[Line]) -> bool:
    quote = _fold(finding.quote)
    if not quote:
        return False
    for signs in (" +", " -"):
        text = _fold("\n".join(visible.line(line.text) for line in lines if line.sign in signs))
        if quote in text or quote in visible.told(text):
            return True
    return False
