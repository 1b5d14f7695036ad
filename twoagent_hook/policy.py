"""The gate's law: who may review, and what opinions and rules together decide; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twoagent_hook import models, visible
from twoagent_hook.author import Author, Candidate
from twoagent_hook.backends import Reviewer
from twoagent_hook.backends.base import Identity
from twoagent_hook.config import Config
from twoagent_hook.errors import InvalidReplyError, RefusedError, UnreviewedError
from twoagent_hook.exits import ExitCode, Failure, Outcome, exit_code
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.intent import Intent
from twoagent_hook.reviews import Review
from twoagent_hook.screening import ScreenedChange, Withheld
from twoagent_hook.verdicts import Verdict


class Coverage(NamedTuple):
    """How much of the change was shown to a reviewer."""

    files: int
    shown: int
    withheld: tuple[Withheld, ...]

    @property
    def complete(self) -> bool:
        return all(item.reason.complete for item in self.withheld)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate does, and everything that led to it.

    Attributes:
        reasons: sentences, in the order in which they weigh.
        problem: why there is no verdict, where there is none.
        intent: the plan that the change was held against.
    """

    outcome: Outcome
    exit_code: ExitCode
    tree: str | None = None
    base: str | None = None
    author: Author | None = None
    reviews: tuple[Review, ...] = ()
    findings: tuple[Finding, ...] = ()
    coverage: Coverage | None = None
    reasons: tuple[str, ...] = ()
    problem: Failure | None = None
    numbers: tuple[int, int] = (0, 0)  # added and removed lines of what was shown
    notices: tuple[str, ...] = ()
    intent: Intent | None = None

    @property
    def open(self) -> bool:
        return self.exit_code is ExitCode.OPEN


# --- who may review -----------------------------------------------------------------------------------------


def not_independent(reviewer: Reviewer, author: Author, demanded: str) -> str | None:
    """Why this reviewer is not known to differ from every candidate author, or None where it is.

    Args:
        demanded: `model` (another model) or `family` (another vendor's).
    """
    for suspect in author.candidates:
        reason = _kinship(reviewer.identity.model, reviewer.identity.families, suspect, demanded)
        if reason is not None:
            return reason
    return None


def _sameness(model: str, suspect: Candidate) -> str | None:
    if suspect.model is None or not models.same(model, suspect.model):
        return None
    return f"it is the model that wrote the change ({visible.excerpt(suspect.model, 60)}, from {suspect.source})"


def _kinship(model: str, families: frozenset[str], suspect: Candidate, demanded: str) -> str | None:
    if suspect.human:
        return None
    same = _sameness(model, suspect)
    if same is not None:
        return same
    shared = families & suspect.families
    if demanded == "family":
        if shared:
            return f'it is of the author\'s family ({", ".join(sorted(shared))}), and `independence` is "family"'
        if not families or not suspect.families:
            return 'it can\'t be shown to be of another family, and `independence` is "family"'
    if model and suspect.model is not None:
        return None
    return _doubt(model, families, suspect)


def _doubt(model: str, families: frozenset[str], suspect: Candidate) -> str | None:
    """Why two of whom not both models are known may be one; only another family is then provably different."""
    shared = families & suspect.families
    unknown = "the author's model is unknown" if model else "which model it takes by itself is unknown"
    if shared:
        return f"{unknown}, and both are of one family ({', '.join(sorted(shared))})"
    if (suspect.families or suspect.model) and not families:
        same = "so is the author's model" if model else "so is the model that it takes by itself"
        return f"its family is unknown, and {same}: it may be the same one"
    return None


class Ranking(NamedTuple):
    """Who may be asked, the first choice first, and why others may not."""

    reviewers: tuple[Reviewer, ...]
    passed: tuple[str, ...]


def rank(reviewers: Sequence[Reviewer], author: Author, config: Config) -> Ranking:
    """The usable and independent ones: those known to be of another family first, then in the order of the list.

    Raises:
        UnreviewedError: none is usable.
        RefusedError: there are usable ones, and none is independent.
    """
    passed = [f"{_shown(item)}: {item.unusable}" for item in reviewers if item.unusable]
    usable = [item for item in reviewers if not item.unusable]
    if not usable:
        hints = dict.fromkeys(item.hint for item in reviewers)
        reasons = "; ".join(passed)
        raise UnreviewedError(f"no reviewer is usable ({reasons})", " or ".join(hints) or "name a reviewer")
    kin = [(item, not_independent(item, author, config.independence)) for item in usable]
    passed += [f"{_shown(item)}: {reason}" for item, reason in kin if reason]
    independent = [item for item, reason in kin if reason is None]
    if not independent:
        what = f"no reviewer is independent of the author, {author.label}"
        raise RefusedError(what, "add a reviewer of another vendor to `reviewers`", tuple(passed))
    known = {family for suspect in author.candidates for family in suspect.families}
    ordered = sorted(
        independent,
        key=lambda item: bool(known) and (not item.identity.families or bool(item.identity.families & known)),
    )
    return Ranking(tuple(ordered), tuple(passed))


def _shown(reviewer: Reviewer) -> str:
    return visible.excerpt(reviewer.identity.spec, 80)


def assumed(reviewer: Identity, author: Author) -> str | None:
    """What to state where a reviewer counts as another model by its name alone."""
    if reviewer.families or not any(suspect.model for suspect in author.candidates):
        return None
    who = visible.excerpt(reviewer.spec, 80)
    return (
        f"independence rests on the name of {who} alone, since its family is unknown: `family` in "
        f"[providers.{visible.excerpt(reviewer.provider, 40)}] of your own file settles it"
    )


def check_answered(answered: Sequence[str], asked: Identity, author: Author, config: Config) -> None:
    """Hold what the reply and the gateway say about the model that answered against the author.

    An alias proves nothing: then the id that was asked for counts.

    Raises:
        RefusedError: the author's own model answered; the reply is void.
        InvalidReplyError: a model of another vendor answered than was asked for.
    """
    for name in answered:
        if models.same(name, asked.model):
            continue
        families = models.families(name)
        for suspect in author.candidates:
            kinship = _kinship(name, families, suspect, config.independence) if families else _sameness(name, suspect)
            if kinship is not None:
                raise RefusedError(
                    f"{asked.spec} was asked, and {visible.excerpt(name, 60)} answered: {kinship}",
                    "name a reviewer, or a route of your gateway, that is not the author",
                )
        if families and asked.families and not asked.families & families:
            raise InvalidReplyError(
                f"{asked.spec} was asked, and {visible.excerpt(name, 60)} answered in its place",
                "name the model that your gateway really serves, or set `family` for this provider",
            )


# --- what is decided ----------------------------------------------------------------------------------------

_EFFECTS = {Effect.BLOCK: Outcome.BLOCK, Effect.REQUEST_CHANGES: Outcome.REQUEST_CHANGES}
_VERDICTS = {
    Verdict.BLOCK: Outcome.BLOCK,
    Verdict.REQUEST_CHANGES: Outcome.REQUEST_CHANGES,
    Verdict.APPROVE: Outcome.APPROVE,
}
_ORDER = (Outcome.APPROVE, Outcome.REQUEST_CHANGES, Outcome.BLOCK)


def opens(fail_on: str) -> Verdict:
    """The worst verdict that leaves the gate open."""
    return Verdict.APPROVE if fail_on == "request-changes" else Verdict.REQUEST_CHANGES


def worst_effect(findings: Sequence[Finding]) -> Effect:
    return max((finding.effect or Effect.OFF for finding in findings), default=Effect.OFF)


def closes(findings: Sequence[Finding], config: Config) -> bool:
    """Whether the rules alone already close the gate, so that asking a reviewer would change nothing."""
    outcome = _EFFECTS.get(worst_effect(findings))
    return outcome is not None and exit_code(outcome, fail_on=config.fail_on) is ExitCode.CLOSED


def decide(
    screened: ScreenedChange,
    rule_findings: tuple[Finding, ...],
    reviews: tuple[Review, ...],
    coverage: Coverage,
    config: Config,
    author: Author,
    reasons: tuple[str, ...] = (),
) -> Decision:
    """The worst of the rules and the reviewers; no review at all is an outcome of its own, never an approval."""
    rules_alone = config.reviewers == ("rules",)
    worst = _EFFECTS.get(worst_effect(rule_findings))
    outcomes = [_VERDICTS[review.verdict] for review in reviews]
    if worst is not None:
        outcomes.append(worst)
    outcome = max(outcomes, key=_ORDER.index, default=Outcome.UNREVIEWED)
    if not reviews and not rules_alone and not closes(rule_findings, config):
        outcome = Outcome.UNREVIEWED
    findings = (*rule_findings, *(finding for review in reviews for finding in review.findings))
    return Decision(
        outcome=outcome,
        exit_code=exit_code(outcome, fail_on=config.fail_on, on_error=config.on_error, rules_alone=rules_alone),
        tree=screened.tree,
        base=screened.base,
        author=author,
        reviews=reviews,
        findings=tuple(sorted(findings, key=lambda finding: finding.weight, reverse=True)),
        coverage=coverage,
        reasons=(*_why(rule_findings, reviews), *reasons),
        numbers=line_numbers(screened),
        notices=config.notices,
    )


def line_numbers(screened: ScreenedChange) -> tuple[int, int]:
    """Lines added and removed in what may be shown."""
    return sum(file.added for file in screened.files), sum(file.removed for file in screened.files)


def _why(rule_findings: tuple[Finding, ...], reviews: tuple[Review, ...]) -> tuple[str, ...]:
    reasons = [
        f"rule {kind}: {effect.label}"
        for kind, effect in dict.fromkeys((finding.kind, finding.effect or Effect.NOTE) for finding in rule_findings)
        if effect >= Effect.REQUEST_CHANGES
    ]
    for review in reviews:
        if review.contradictory:
            reasons.append(
                f"{review.reviewer.spec} said {review.stated.label} beside a finding of high or critical severity: "
                f"that is contradictory, and counts as {review.verdict.label}"
            )
        elif review.verdict is not Verdict.APPROVE:
            reasons.append(f"{review.reviewer.spec} said {review.verdict.label.replace('_', ' ')}")
    return tuple(reasons)
