"""The review checklist of a task, filled in from a review's payload; pure.

What a reviewer or the change wrote stands in it as text, and as nothing else. What nobody looked at is never ticked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook import packets
from twoagent_hook.outputs import markdown

_VERDICTS = {"approve": "approve", "request_changes": "request changes", "block": "block"}
_LOWERS = {"block", "request-changes", "critical", "high", "medium"}
_STATUS = {
    "met": "met",
    "not_met": "not met",
    "not_visible": "not visible in the change",
}
_PLAN_ALONE = "--plan-only"

Payload = Mapping[str, Any]


def render(payload: Payload) -> str:
    """The whole checklist, ending with a line feed.

    Args:
        payload: as `outputs.payload` makes it; `plan`, `criteria` and `claims` may be missing.
    """
    nothing = "- none" if _judged(payload) else "- not reviewed"
    parts = [
        _part("# Review checklist", _about(payload)),
        _part("## Verdict", _verdict(payload)),
        _part("## What was reviewed", _reviewed(payload)),
        "## The seven checks",
        *_checks(payload),
        _part("## Acceptance criteria", _criteria(payload)),
        _part("## Claims", _claims(payload)),
        _part("## Not shown to the reviewer", _not_shown(payload)),
        _part("## Required fixes", _fixes(payload), nothing),
        _part("## Verification commands", _commands(payload), nothing),
        _part("## Questions for the human owner", _questions(payload), nothing),
    ]
    return "\n\n".join(parts) + "\n"


def _part(heading: str, lines: Iterator[str], empty: str = "- none") -> str:
    text = "\n".join(lines).rstrip("\n")
    return f"{heading}\n\n{text or empty}"


def _said(value: object) -> str:
    return markdown.text(str(value)) if value else ""


# --- the head -----------------------------------------------------------------------------------------------


def _about(payload: Payload) -> Iterator[str]:
    plan = payload.get("plan") or {}
    task = plan.get("task_id") or payload["task_id"]
    yield f"Task: {markdown.code(str(task))}" if task else "Task: none was named"
    if plan:
        notes = [markdown.code(plan["path"]) if plan.get("path") else "", _said(plan.get("source"))]
        notes.append("part of this change: its author's own word" if plan.get("by_author") else "")
        yield f"\nPlan: {_said(plan.get('title'))} ({'; '.join(note for note in notes if note)})"


def _judged(payload: Payload) -> bool:
    """Whether a reviewer gave a verdict; a rule that closed the gate is none."""
    return payload["outcome"] in _VERDICTS and bool(payload["reviews"])


def _verdict(payload: Payload) -> Iterator[str]:
    outcome = payload["outcome"]
    if outcome in _VERDICTS:
        yield f"- Verdict: **{_VERDICTS[outcome]}**"
    else:
        yield f"- Verdict: none; this is no approval (outcome: {_said(outcome)})"
    if outcome in _VERDICTS and not payload["reviews"]:
        yield "- By rules alone: no model reviewed this"
    if payload["problem"]:
        yield f"- Why: {_said(payload['problem']['what'])}"
        yield f"- What to do: {_said(payload['problem']['do'])}"
    for label, texts in (("Because", payload["reasons"]), ("Note", payload["notices"])):
        yield from (f"- {label}: {_said(text)}" for text in texts)


def _reviewed(payload: Payload) -> Iterator[str]:
    coverage = payload["coverage"]
    yield f"- Tree: {markdown.code(payload['tree'])}" if payload["tree"] else "- Tree: unknown"
    if payload["base"]:
        yield f"- On: {markdown.code(payload['base'])}"
    if coverage:
        numbers = f"+{coverage['added']} −{coverage['removed']}"
        yield f"- Change: {_count(coverage['files'], 'file')} {numbers}, {coverage['shown']} shown to the reviewer"
    author = payload["author"]
    names = [_said(author[key]) for key in ("agent", "model", "family") if author[key]]
    yield f"- Author: {', '.join(names) or 'unknown: independence is not shown'}"
    for review in payload["reviews"]:
        where = ", ".join(_said(review[key]) for key in ("provider", "origin") if review[key])
        said = _VERDICTS.get(review["verdict"]) or _said(review["verdict"])
        yield f"- Reviewer: {_said(review['model']) or 'its own model'} ({where}) said {said}"
        summary = _said(review["summary"])
        if summary:  # an item without a text would make a heading of the line above it
            yield f"  - {summary}"
    if not payload["reviews"]:
        yield "- Reviewer: none"
    if payload["log_id"] is not None:
        yield f"- On record: row {payload['log_id']} of the log"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


# --- the checks ---------------------------------------------------------------------------------------------


class _Sorted(NamedTuple):
    """A heading, and what was found under it."""

    heading: str
    findings: Sequence[Mapping[str, Any]]


def _checks(payload: Payload) -> Iterator[str]:
    nothing = _where_nothing_is(payload)
    left = list(payload["findings"])
    for place, check in enumerate(packets.checks(), 1):
        mine = [finding for finding in left if _belongs(finding, check)]
        left = [finding for finding in left if finding not in mine]
        yield _check(_Sorted(f"### {place}. {check.name}", mine), nothing, judged=_judged(payload))
    if left:
        yield _check(_Sorted("### Other findings", left), nothing, judged=True)


def _belongs(finding: Mapping[str, Any], check: packets.Check) -> bool:
    if finding["rule"] is not None:
        return finding["rule"] in check.rules
    return finding["category"] in check.categories


def _where_nothing_is(payload: Payload) -> str:
    """What stands where a check has no finding."""
    if not _judged(payload):
        return "not reviewed"
    if (payload.get("plan") or {}).get("source") == _PLAN_ALONE:
        return "nothing found in the plan; there was no change to review"
    by_model = any(finding["source"] == "model" for finding in payload["findings"])
    if payload["outcome"] != "approve" and not by_model and any(_lowered(review) for review in payload["reviews"]):
        return "no finding was sorted under this check: the reviewer gave its reasons in prose"
    whole = payload["coverage"] is None or payload["coverage"]["complete"]
    return "nothing found" if whole else "nothing found in what was shown; not all of the change was"


def _lowered(review: Mapping[str, Any]) -> bool:
    return bool(review["verdict"] != "approve")


def _check(part: _Sorted, nothing: str, *, judged: bool) -> str:
    lines = [line for finding in part.findings for line in _finding(finding)]
    if not lines or not judged:
        lines.append(f"- {nothing}")
    return _part(part.heading, iter(lines))


def _finding(finding: Mapping[str, Any]) -> Iterator[str]:
    weight = finding["severity"] or f"rule {finding['rule']}: {finding['effect']}"
    place = _place(finding)
    yield f"- **{_said(weight)}**{f' {place}' if place else ''}: {_said(finding['title'])}{_marks(finding)}"
    for label in ("trigger", "consequence", "fix"):
        if finding[label]:
            yield f"  - {label}: {_said(finding[label])}"
    if finding["quote"]:
        yield "  - quote:"
        yield ""
        yield from (f"    {line}".rstrip() for line in markdown.block(finding["quote"]).split("\n"))
        yield ""


def _marks(finding: Mapping[str, Any]) -> str:
    marks = "" if finding["grounded"] else " (not found in the change)"
    answer = (finding["answer"] or {}).get("dismissed")
    return f"{marks} (dismissed: {_said(answer)})" if answer else marks


def _place(finding: Mapping[str, Any]) -> str:
    if not finding["file"]:
        return ""
    line = "" if finding["line_start"] is None else f":{finding['line_start']}"
    return markdown.code(f"{finding['file']}{line}")


# --- what follows from them ---------------------------------------------------------------------------------


def _criteria(payload: Payload) -> Iterator[str]:
    rows = payload.get("criteria") or ()
    if not rows:
        yield "- none" if payload.get("plan") else "- no plan was shown"
    for row in rows:
        status = _STATUS.get(row["status"]) or _said(row["status"])
        reason = f" ({_said(row['reason'])})" if row.get("reason") else ""
        yield f"- {_said(row['id'])}: {_said(row['text'])}: **{status}**{reason}"


def _claims(payload: Payload) -> Iterator[str]:
    for row in payload.get("claims") or ():
        source = f", from {_said(row['source'])}" if row.get("source") else ""
        by = f" (by run {', '.join(_said(run) for run in row['by'])})" if row.get("by") else ""
        yield f"- {_said(row['text'])}{source}: **{_said(row['status'])}**{by}"


def _not_shown(payload: Payload) -> Iterator[str]:
    coverage = payload["coverage"]
    if not _judged(payload):
        yield "- all of it: no reviewer gave a verdict"
    if coverage is not None and not coverage["complete"]:
        yield "- **not all of the change was reviewed**"
    for item in coverage["withheld"] if coverage is not None else ():
        yield f"- {markdown.code(item['path'])}: {_said(item['reason'])}"


def _fixes(payload: Payload) -> Iterator[str]:
    for finding in payload["findings"]:
        if finding["fix"] and _required(finding):
            place = _place(finding)
            yield f"- [ ] {f'{place}: ' if place else ''}{_said(finding['fix'])}"


def _required(finding: Mapping[str, Any]) -> bool:
    """Whether the finding lowers the verdict."""
    if finding["answer"] or not finding["grounded"]:
        return False
    return (finding["effect"] or finding["severity"]) in _LOWERS


def _commands(payload: Payload) -> Iterator[str]:
    for text in payload["verification_commands"]:
        yield f"- [ ] not run: {markdown.code(text)}"


def _questions(payload: Payload) -> Iterator[str]:
    yield from (f"- [ ] {_said(text)}" for text in payload["questions"])
