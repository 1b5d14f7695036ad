"""A decision as plain data: the JSON of version 1, from which every other output and the log are made; pure."""

from typing import Any

from twoagent_hook import visible
from twoagent_hook.author import Author
from twoagent_hook.exits import Failure, Outcome, exit_code
from twoagent_hook.findings import Finding
from twoagent_hook.intent import AGENT, CHANGE, ONLY, Intent
from twoagent_hook.outputs import plain
from twoagent_hook.policy import Coverage, Decision
from twoagent_hook.reviews import Review, judged, newest

VERSION = 1


def of(decision: Decision, *, task_id: str | None = None, log_id: int | None = None) -> dict[str, Any]:
    """The whole object; every text in it is visible and bounded."""
    problem = decision.problem
    return {
        "version": VERSION,
        "outcome": decision.outcome.value,
        "exit_code": int(decision.exit_code),
        "problem": {"what": plain.text(problem.what), "do": plain.text(problem.do)} if problem else None,
        "tree": decision.tree,
        "base": decision.base,
        "task_id": task_id,
        "author": _author(decision.author),
        "reviews": [_review(review) for review in decision.reviews],
        "findings": [_finding(finding) for finding in decision.findings],
        "verification_commands": [plain.text(item) for review in decision.reviews for item in review.commands],
        "questions": [plain.text(item) for review in decision.reviews for item in review.questions],
        "plan": _plan(decision.intent),
        "criteria": _criteria(decision),
        "claims": [],
        "coverage": _coverage(decision.coverage, decision.numbers),
        "reasons": [plain.text(reason) for reason in decision.reasons],
        "notices": [plain.text(notice) for notice in decision.notices],
        "recorded": _recorded(decision),
        "tokens_today": None,
        "log_id": log_id,
    }


def of_failure(failure: Failure, *, task_id: str | None = None) -> dict[str, Any]:
    """The object of a run that failed before there was anything to decide on."""
    return of(Decision(failure.outcome, exit_code(failure.outcome), problem=failure), task_id=task_id)


def of_nothing(tree: str, reason: str, *, task_id: str | None = None) -> dict[str, Any]:
    """The object of a run that found nothing to judge."""
    outcome = Outcome.SKIPPED
    return of(Decision(outcome, exit_code(outcome), tree=tree, base=tree, reasons=(reason,)), task_id=task_id)


def _recorded(decision: Decision) -> int | None:
    """The newest row of the log that the verdict comes from, where all of it does."""
    if decision.coverage is None or not decision.coverage.complete:
        return None
    return newest(review.recorded for review in decision.reviews)


def _plan(intent: Intent | None) -> dict[str, Any] | None:
    if intent is None:
        return None
    return {
        "task_id": intent.plan.task.id,
        "title": plain.line(intent.plan.task.title),
        "source": intent.source,
        "path": visible.path(intent.path) if intent.path else None,
        "by_author": intent.origin == CHANGE,
        "by_agent": intent.origin == AGENT,
        "digest": intent.digest,
    }


def _criteria(decision: Decision) -> list[dict[str, Any]]:
    """Each acceptance criterion of the plan, with what reviewers say of it; what nobody says is not visible."""
    if decision.intent is None or decision.intent.source == ONLY:
        return []
    said = {one.id: one for one in judged(review.criteria for review in decision.reviews)}
    unsaid = "the reviewer did not judge it" if decision.reviews else "no model reviewed this"
    rows = ((one, said.get(one.id)) for one in decision.intent.plan.criteria)
    return [
        {
            "id": one.id,
            "text": plain.line(one.text),
            "status": given.status if given else "not_visible",
            "reason": plain.text(given.reason) if given else unsaid,
        }
        for one, given in rows
    ]


def _author(author: Author | None) -> dict[str, Any]:
    candidates = author.candidates if author else ()
    return {
        "agent": " and ".join(plain.line(item.agent) for item in candidates if item.agent) or None,
        "model": " and ".join(plain.line(item.model) for item in candidates if item.model) or None,
        "family": " and ".join(sorted({family for item in candidates for family in item.families})) or None,
        "source": " and ".join(plain.line(item.source) for item in candidates) or None,
    }


def _review(review: Review) -> dict[str, Any]:
    return {
        "provider": review.reviewer.provider,
        "model": plain.line(review.answered[0] if review.answered else review.reviewer.model) or None,
        "requested_model": plain.line(review.reviewer.model) or None,
        "origin": review.reviewer.origin,
        "verdict": review.verdict.label,
        "stated_verdict": review.stated.label,
        "summary": plain.text(review.summary),
        "latency_sec": round(review.latency, 3),
        "prompt_tokens": review.usage.prompt_tokens,
        "output_tokens": review.usage.output_tokens,
        "cached_tokens": review.usage.cached_tokens,
        "cost_usd": review.usage.cost_usd,
        "cached": review.recorded is not None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    rule = finding.effect is not None
    return {
        "id": finding.id,
        "source": finding.source.value,
        "reviewer": finding.reviewer,
        "rule": finding.kind if rule else None,
        "effect": finding.effect.label if finding.effect is not None else None,
        "title": plain.line(finding.title),
        "category": None if rule else finding.kind,
        "severity": finding.severity.label if finding.severity else None,
        "certainty": finding.certainty,
        "file": plain.line(finding.file),
        "side": finding.side,
        "line_start": finding.line_start,
        "line_end": finding.line_end,
        "quote": plain.text(finding.quote),
        "trigger": plain.text(finding.trigger),
        "consequence": plain.text(finding.consequence),
        "fix": plain.text(finding.fix),
        "grounded": finding.grounded,
        "confirmation": None,
        "answer": {"dismissed": plain.text(finding.dismissed)} if finding.dismissed else None,
    }


def _coverage(coverage: Coverage | None, numbers: tuple[int, int]) -> dict[str, Any] | None:
    if coverage is None:
        return None
    withheld = [{"path": visible.path(item.path), "reason": item.reason.value} for item in coverage.withheld]
    return {
        "complete": coverage.complete,
        "files": coverage.files,
        "shown": coverage.shown,
        "added": numbers[0],
        "removed": numbers[1],
        "withheld": withheld,
    }
