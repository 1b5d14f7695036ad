"""What a person reads of a verification, made of its JSON: one line for a go, a short list for all else; pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twoagent_hook import claims, verification, visible

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"
_LABELS = {"go": "go", "no-go": "no-go", "not-run": "not run"}
_LINES = 12  # of the output of a command that failed
_MOST_LISTED = 20


def render(found: Mapping[str, Any], *, width: int = 80, colour: bool = False) -> str:
    """The text, ending with a line feed."""
    return "\n".join(_lines(found, width, colour=colour)) + "\n"


def _lines(found: Mapping[str, Any], width: int, *, colour: bool) -> Iterator[str]:
    yield " · ".join([f"{_label(found['outcome'], colour=colour)}  {_told(found)}", *_about(found)])
    if found["outcome"] == "go":
        yield from _remarks(found, width)
        return
    for run in found["runs"]:
        yield from _run(run, width)
    yield from _claims(found["claims"], width)
    yield from _listed("looked at", [f"{item['id']}  {item['text']}" for item in found["inspections"]], width)
    yield from _listed("attached", [f"{item['id']}  {_place(item)}" for item in found["attachments"]], width)
    yield from _listed("suggested by the reviewer, not run", found["suggested"], width)
    yield from _summary(found["summary"], width)
    yield from _remarks(found, width)
    if found["withheld"] and found["runs"]:
        yield from _wrapped(f"not passed on to commands: {', '.join(found['withheld'])}", width)


def _label(outcome: str, *, colour: bool) -> str:
    label = _LABELS.get(outcome, outcome)
    style = _GREEN if outcome == "go" else _RED
    return f"{style}{label}{_PLAIN}" if colour else label


def _told(found: Mapping[str, Any]) -> str:
    """What was run, on what."""
    tree, runs = str(found["tree"])[:12], found["runs"]
    if found["recorded"] is not None:
        return f"tree {tree} is on record as #{found['recorded']}"
    if not runs:
        return f"nothing was run on tree {tree}, so this is neither go nor no-go"
    failed = sum(not claims.passed(run) for run in runs)
    commands = f"{len(runs)} command{'' if len(runs) == 1 else 's'}"
    return f"{failed} of {commands} failed on tree {tree}" if failed else f"{commands} on tree {tree}"


def _about(found: Mapping[str, Any]) -> Iterator[str]:
    seconds = sum(run["duration_sec"] for run in found["runs"])
    if found["runs"]:
        yield f"{seconds:.1f} s"
    if found["outcome"] == "go":
        changed = [run["id"] for run in found["runs"] if run["changed"]]
        yield from (f"{', '.join(changed)} changed tracked files",) if changed else ()
        yield from _counted(found["claims"])
        yield from (f"{found['summary']['by']} agrees",) if found["summary"] else ()
        more = len(found["suggested"])
        yield from (f"{more} suggested, not run",) if more else ()
    elif found["inspections"] or found["attachments"]:
        yield _count(len(found["inspections"]), "inspection") + ", " + _count(len(found["attachments"]), "attachment")
    if found["log_id"] is not None:
        yield f"#{found['log_id']}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _counted(held: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    kinds = [claim["status"] for claim in held]
    parts = [f"{kinds.count(kind)} {kind}" for kind in ("confirmed", "contradicted", "unverified") if kind in kinds]
    if parts:
        yield f"claims: {', '.join(parts)}"


def _place(item: Mapping[str, Any]) -> str:
    return str(item.get("url") or item.get("path"))


# --- the list -----------------------------------------------------------------------------------------------


def _run(run: Mapping[str, Any], width: int) -> Iterator[str]:
    good = claims.passed(run)
    ended = "ok" if good else "FAILED"
    whose = " (suggested by the reviewer)" if run["source"] == "suggested" else ""
    yield visible.excerpt(f"{run['id']}  {ended}  {verification.shown(run['command'])}", max(width, 60)) + whose
    if not good:
        code = None if run["exit_code"] is None else f"exit code {run['exit_code']}"
        why = "; ".join(part for part in (code, run["problem"]) if part)
        yield from _wrapped(f"{why}, after {run['duration_sec']:.1f} s", width, "      ")
    if run["changed"]:
        names = [*run["changed"], *([f"and {run['more_changed']} more"] if run["more_changed"] else [])]
        yield from _wrapped(f"it changed tracked files, which were put back: {', '.join(names)}", width, "      ")
    if not good and run["tail"].strip():
        yield from (f"    | {_cut(line, width - 6)}" for line in run["tail"].rstrip().split("\n")[-_LINES:])


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"


def _claims(held: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    if held:
        yield "claims held against what ran"
    order = ("contradicted", "unverified", "confirmed")
    ranked = sorted(held, key=lambda claim: order.index(claim["status"]))
    for claim in ranked[:_MOST_LISTED]:
        by = f" by {', '.join(claim['by'])}" if claim["by"] else ""
        yield from _wrapped(f"{claim['status']}{by}: {claim['text']} ({claim['source']})", width, "  ")
    if len(ranked) > _MOST_LISTED:
        yield f"  and {len(ranked) - _MOST_LISTED} more"


def _listed(title: str, items: Sequence[str], width: int) -> Iterator[str]:
    if items:
        yield title
    for item in items[:_MOST_LISTED]:
        yield from _wrapped(visible.line(item), width, "  ")
    if len(items) > _MOST_LISTED:
        yield f"  and {len(items) - _MOST_LISTED} more"


_EFFECTS = {
    "agrees": "{by} agrees",
    "turned": "{by} says no-go although every command ended well: that is why this is a no-go",
    "ignored": "{by} says go, which the exit codes contradict: it is ignored",
}


def _summary(summary: Mapping[str, Any] | None, width: int) -> Iterator[str]:
    if summary is None:
        return
    yield from _wrapped(_EFFECTS[summary["effect"]].format(by=summary["by"]), width)
    yield from _wrapped(visible.line(summary["summary"]), width, "  ")
    for claim in summary["claims"][:_MOST_LISTED]:
        mark = "beyond the evidence: " if claim["beyond_evidence"] else ""
        cited = f" ({', '.join(claim['evidence'])})" if claim["evidence"] else ""
        yield from _wrapped(f"- {mark}{claim['text']}{cited}", width, "  ")
    for concern in summary["concerns"][:_MOST_LISTED]:
        yield from _wrapped(f"- concern: {concern}", width, "  ")


def _remarks(found: Mapping[str, Any], width: int) -> Iterator[str]:
    summary = found["summary"]
    if found["outcome"] == "go" and summary:
        beyond = sum(claim["beyond_evidence"] for claim in summary["claims"])
        if beyond:
            yield from _wrapped(f"{beyond} of what {summary['by']} says is beyond the evidence", width, "  ")
    for notice in found["notices"]:
        yield from _wrapped(notice, width, "  " if found["outcome"] == "go" else "")


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, max(width, 40), initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
