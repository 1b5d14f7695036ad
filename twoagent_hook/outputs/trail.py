"""The trail of a task: as a page for the terminal, as Markdown, and as plain data; pure."""

from collections.abc import Iterator
from typing import Any

from twoagent_hook.outputs import markdown
from twoagent_hook.trails import Standing, Step, Trail, count, moment

VERSION = 1
_HEAD = ("when (UTC)", "role", "who", "what came of it")
_WHO_WIDTH = 40


def as_text(trail: Trail, *, calls: bool = False) -> str:
    """For the terminal: a head, a line a step, and where it stands.

    Args:
        calls: whether each call to a model is a step.
    """
    rows = [_HEAD, *((step.at, step.role, step.who, _about(step)) for step in trail.shown(calls=calls))]
    widths = [min(max(len(row[place]) for row in rows), _WHO_WIDTH) for place in range(3)]
    lines = [
        f"task: {trail.title} ({trail.task_id})" if trail.title else f"task: {trail.task_id}",
        f"plan: {_plan(trail)}",
        "",
        *("  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])) for row in rows),
        "",
        *(f"note: {text}" for text in _notes(trail)),
        standing(trail.standing),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _plan(trail: Trail) -> str:
    plan = trail.plan
    return f"by {plan.by}, digest {plan.digest[:19]}, #{plan.log_id}" if plan else "none"


def _about(step: Step) -> str:
    parts = [_what(step)]
    parts += [f"reason: {step.reason}"] if step.reason else []
    parts += [f"tree {step.tree[:7]}"] if step.tree and step.kind != "override" else []
    parts += [f"#{step.log_id}"] if step.log_id is not None else []
    parts += ["told from git"] if step.derived else []
    parts += ["not sealed"] if step.doubtful else []
    return " · ".join(parts)


def _what(step: Step) -> str:
    if step.commit is None:
        return step.about
    if step.kind == "override":
        return f"{step.about} (commit {step.commit[:7]})"
    return f"commit {step.commit[:7]} “{step.subject}”{f', {step.about}' if step.about else ''}"


def _notes(trail: Trail) -> Iterator[str]:
    for number in trail.damaged:
        yield f"row {number} of the log is damaged, and left out"
    yield from trail.notes


def standing(found: Standing) -> str:
    """In one line, where a task stands, and what is missing."""
    parts = ["planned"] if found.planned else []
    total = sum(found.reviews.values())
    if total:
        each = ", ".join(f"{number} {verdict}" for verdict, number in found.reviews.items())
        parts.append(f"{count(total, 'decision')} ({each})")
    parts += [count(found.overrides, "override")] if found.overrides else []
    if found.verification:
        where = f"commit {found.commit[:7]}" if found.commit else f"{(found.tree or '')[:7]}, which is not committed"
        parts.append(f"verified {found.verification} on the tree of {where}")
    done = ", ".join(parts) or "nothing is on record"
    return f"{done}; missing: {', '.join(found.missing)}" if found.missing else done


# --- plain data ---------------------------------------------------------------------------------------------


def as_data(trail: Trail, *, calls: bool = False) -> dict[str, Any]:
    """As JSON holds it, version 1."""
    plan = trail.plan
    return {
        "version": VERSION,
        "task_id": trail.task_id,
        "title": trail.title or None,
        "plan": {"by": plan.by, "title": plan.title, "digest": plan.digest, "log_id": plan.log_id} if plan else None,
        "steps": [_step(step) for step in trail.shown(calls=calls)],
        "standing": _standing(trail.standing),
        "damaged": list(trail.damaged),
        "notes": list(trail.notes),
    }


def _step(step: Step) -> dict[str, Any]:
    at = moment(step.at)
    return {
        "at": at.isoformat() if at else None,
        "kind": step.kind,
        "role": step.role,
        "who": step.who or None,
        "result": step.result,
        "about": step.about,
        "tree": step.tree,
        "commit": step.commit,
        "subject": step.subject,
        "reason": step.reason,
        "log_id": step.log_id,
        "derived": step.derived,
        "sealed": step.sealed,
        "repeats": step.repeats,
        "under": step.under,
        "reached": step.reached,
    }


def _standing(found: Standing) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "text": standing(found),
        "planned": found.planned,
        "reviews": dict(found.reviews),
        "overrides": found.overrides,
        "tree": found.tree,
        "verdict": (
            {"result": verdict.result, "closed": verdict.closed, "sealed": verdict.sealed, "log_id": verdict.log_id}
            if verdict
            else None
        ),
        "commit": found.commit,
        "verification": (
            {"result": found.verification, "log_id": found.verification_id} if found.verification else None
        ),
        "missing": list(found.missing),
    }


# --- Markdown -----------------------------------------------------------------------------------------------


def as_markdown(trail: Trail) -> str:
    """The head, where it stands, and a table of the steps."""
    title = markdown.text(trail.title or trail.task_id)
    parts = [
        f"# Trail: {title}",
        f"Task: {markdown.code(trail.task_id)}\\\nPlan: {_plan_line(trail)}",
        "## Where it stands",
        "\n".join(_items(trail)),
        "## The trail",
        "\n".join(_table(trail)),
    ]
    return "\n\n".join(parts) + "\n"


def _plan_line(trail: Trail) -> str:
    plan = trail.plan
    if plan is None:
        return "none that carries a seal"
    return f"by {markdown.text(plan.by)}, row {plan.log_id}, digest {markdown.code(plan.digest)}"


def _items(trail: Trail) -> Iterator[str]:
    yield f"{markdown.text(standing(trail.standing))}."
    notes = [f"- {markdown.text(text)}" for text in _notes(trail)]
    if notes:
        yield ""
        yield from notes


def _table(trail: Trail) -> Iterator[str]:
    yield "| when (UTC) | role | who | what came of it | tree | row |"
    yield "|---|---|---|---|---|---|"
    for step in trail.shown(calls=False):
        cells = (step.at, step.role, step.who, _cell(step), (step.tree or "")[:7], _row(step))
        yield "| " + " | ".join(markdown.text(cell) for cell in cells) + " |"


def _cell(step: Step) -> str:
    return f"{_what(step)} · reason: {step.reason}" if step.reason else _what(step)


def _row(step: Step) -> str:
    if step.log_id is None:
        return "(told from git)"
    return f"{step.log_id}, not sealed" if step.doubtful else str(step.log_id)


def commits(trail: Trail) -> str:
    """The commits whose trees were judged or verified."""
    parts = ["# Commits"]
    overrides = {step.commit: step for step in trail.steps if step.kind == "override"}
    found = [step for step in trail.steps if step.kind == "commit"]
    parts += ["\n".join(_commit(step, overrides.get(step.commit))) for step in found]
    parts.append(
        f"{'These are the' if found else 'There is no'} commits of this repository whose tree was judged or verified "
        "under this task. What else was committed can't be told to belong to it."
    )
    return "\n\n".join(parts) + "\n"


def _commit(step: Step, override: Step | None) -> Iterator[str]:
    yield f"## {markdown.text(step.subject or 'without a subject')}"
    yield ""
    yield f"- commit: {markdown.code(step.commit or '')}"
    yield f"- tree: {markdown.code(step.tree or '')}"
    yield f"- author: {markdown.text(step.who)}"
    yield f"- committed (UTC): {markdown.text(step.at or 'at an unknown time')}"
    if step.about:
        yield f"- {markdown.text(step.about)}"
    if override is not None:
        reason = f"; the reason given: {override.reason}" if override.reason else ""
        yield f"- **overridden**: {markdown.text(override.about + reason)}"
