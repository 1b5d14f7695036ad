"""Runs the line: snapshot, settings, screening, author, reviewer, decision; remembers what is known so far.

What is known is kept on the way, so that a failure at any stage is still reported and logged with it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from twoagent_hook import backends, deferral, inquiry, policy, records, settings, visible, worktree
from twoagent_hook.asking import Answer, Call
from twoagent_hook.backends.base import Identity, Request
from twoagent_hook.config import Config, with_notices
from twoagent_hook.coverage import advice
from twoagent_hook.deferral import Deferral
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ContextTooLongError, GitError, TwoAgentError, UnreviewedError
from twoagent_hook.exits import ExitCode, Failure, Outcome, exit_code, settle
from twoagent_hook.findings import Effect
from twoagent_hook.git import Trees, Workspace
from twoagent_hook.inquiry import Asked, Inquiry
from twoagent_hook.memory import Answers
from twoagent_hook.options import Options
from twoagent_hook.policy import Decision
from twoagent_hook.preparation import Prepared, prepare
from twoagent_hook.progress import waiting
from twoagent_hook.prompts import Prompt
from twoagent_hook.reviews import Review, merge
from twoagent_hook.screening import Reason, Withheld
from twoagent_hook.settings import Settings
from twoagent_hook.snapshots import Snapshot
from twoagent_hook.trajectory import Log, LogError


class Unasked(NamedTuple):
    """Why no reviewer is asked; `nothing_left` where there is nothing to ask about."""

    reason: str
    nothing_left: bool = False


class Preview(NamedTuple):
    """What a run would send: to whom, or why to nobody; `prompts` where only a reviewer is missing."""

    prepared: Prepared
    reviewer: Identity | None
    nobody: str | None
    requests: tuple[Request, ...] = ()
    prompts: tuple[Prompt, ...] = ()


class Gate:
    """One run over what is staged in one repository.

    Args:
        answers: what the log holds about the tree.
    """

    def __init__(
        self,
        workspace: Workspace,
        trees: Trees,
        environment: Environment,
        options: Options,
        started: float,
        answers: Answers | None = None,
    ) -> None:
        self.environment = environment
        self.options = options
        self.started = started
        self.trees = trees
        self._workspace = workspace
        self._answers = answers or Answers()
        self.settings: Settings | None = None
        self.prepared: Prepared | None = None
        self.calls: list[Call] = []
        self.rescued: str | None = None

    # --- the whole of it ----------------------------------------------------------------------------------

    def run(self) -> Decision:
        """Decide on what is staged; whatever goes wrong becomes a decision without a verdict.

        A gate that is about to open is held against the index once more, however it came to open.
        """
        decision = settle(self._beside_hooks if self.environment.framework else self._judge, self.failed)
        return settle(lambda: self._confirmed(decision), self.failed) if decision.open else decision

    def _confirmed(self, decision: Decision) -> Decision:
        self._workspace.confirm(self.trees)
        return decision

    def _beside_hooks(self) -> Decision:
        """Under a framework: files are as in the index, unless an earlier hook changed them."""
        changed = worktree.differing(self._workspace)
        if changed:
            names = ", ".join(visible.path(name) for name in changed[:3])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise GitError(f"an earlier hook changed files ({names}{more})", "add them and commit again")
        try:
            return self._judge()
        finally:
            with suppress(TwoAgentError, OSError):
                self._workspace.trees()  # the index as it is now: what was added to it meanwhile is safe there
                self.rescued = worktree.rescue(self._workspace)

    def _judge(self) -> Decision:
        return self._decide(self.prepare())

    def prepare(self) -> Prepared:
        """Everything up to the question: what changed, by which rules, by whom, and what would be sent.

        Raises:
            TwoAgentError: git, or the settings, stand in the way.
        """
        snapshot = Snapshot(self._workspace)
        self.settings = settings.load(
            snapshot,
            self.trees,
            self.options.flags,
            self.environment,
            user_file=self.options.user_file,
            isolated=self.options.isolated,
        )
        with waiting("looking at the change", shown=self.options.progress):
            self.prepared = prepare(snapshot, self.trees, self.settings, self.environment, self.options)
        self.settings = self.prepared.settings
        return self.prepared

    # --- asking -------------------------------------------------------------------------------------------

    def _decide(self, prepared: Prepared) -> Decision:
        blocks = self._inquiry(prepared).blocks(self._answers.everything)
        if blocks:  # of a run that came to no decision, say
            return self._decision(prepared, merge(blocks), (_BLOCKED,))
        wish = self._wish(prepared)
        if wish.granted is not None:
            return self._deferred(prepared, wish.granted)
        if wish.refused is not None and self.settings is not None:
            self.settings = self.settings._replace(config=with_notices(self._config, (wish.refused,)))
        unasked = self._unasked(prepared)
        if unasked is not None:
            return self._without_asking(prepared, unasked)
        asked = self._ask(prepared)
        config = with_notices(self._config, inquiry.uncounted(self.calls, self._config))
        self.settings = self.settings._replace(config=config) if self.settings else None
        found = merge([answer.review for answer in asked.answers if answer.review])
        failed = [answer for answer in asked.answers if answer.error]
        if not failed:
            return self._decision(prepared, found, asked.passed)
        return self._in_part(prepared, found, failed, asked.passed)

    def _wish(self, prepared: Prepared) -> Deferral:
        """What becomes of a wish to have it reviewed later; none is granted over a rule, or over a block on record."""
        reason = self.environment.get(deferral.VARIABLE)
        wish = deferral.decide(reason, self._config, prepared.author, self._workspace.branch)
        if wish.granted is None:
            return wish
        ruled = policy.closes(prepared.screened.findings, self._config)
        return Deferral() if ruled or prepared.proven is not None else wish

    def _deferred(self, prepared: Prepared, why: str) -> Decision:
        findings = prepared.screened.findings  # what had no room is reviewed later as well
        return replace(self._unjudged(Outcome.DEFERRED), findings=findings, reasons=(why, self._debt()))

    def _debt(self) -> str:
        try:
            others = Log(self._workspace.location.state_dir).deferred() - {self.trees.tree}
        except LogError:  # it is said when this run's own row can't be written
            others = frozenset()
        return f"{deferral.owed(len(others))} deferred here, and not reviewed since"

    def _ask(self, prepared: Prepared) -> Asked:
        """The answer to each request, in their order: those that are on record, and those that are given now.

        Where fresh ones are wanted, a worse one on record still stands beside them.
        """
        wanted, asking = prepared.packing.prompts, self._inquiry(prepared)
        known = asking.recorded(wanted, self._answers.genuine)
        settled = set() if self.options.fresh else set(known)
        pending = [prompt for prompt in wanted if prompt.receipt not in settled]
        try:
            asked = asking.ask(pending)
        except TwoAgentError as error:
            if not settled:
                raise
            asked = Asked(tuple(Answer(prompt, error=error) for prompt in pending))
        fresh = {answer.prompt.receipt: answer for answer in asked.answers}
        kept = [
            Answer(prompt, review=known[prompt.receipt])
            for prompt in wanted
            if prompt.receipt in settled or _worse(known.get(prompt.receipt), fresh.get(prompt.receipt))
        ]
        return asked._replace(answers=(*kept, *asked.answers))

    def _inquiry(self, prepared: Prepared) -> Inquiry:
        return Inquiry(
            screened=prepared.screened,
            author=prepared.author,
            config=self._config,
            environment=self.environment,
            user_file=self.settings.user_file if self.settings else "",
            deadline=self.started + self._config.timeout,
            progress=self.options.progress,
            calls=self.calls,
        )

    def record(self, decision: Decision, made: Mapping[str, Any], known: str | None) -> dict[str, Any] | None:
        """What the row of this decision says, so that it can be taken again; see `records.of_decision`.

        It stands no longer than what it rests on.
        """
        rests_on = [review.expires for review in decision.reviews if review.expires]
        expires = min((self.expires, *rests_on))
        return records.of_decision(self.trees, made, known, self._config.fail_on, expires)

    @property
    def fail_on(self) -> str:
        """The mildest verdict that closes the gate."""
        return self._config.fail_on

    @property
    def expires(self) -> str:
        """Until when what is answered now may be taken again."""
        return records.expiry(self._config.record_expiry)

    def _unasked(self, prepared: Prepared) -> Unasked | None:
        """Why nobody is asked, or None where somebody is.

        Raises:
            UnreviewedError: there is something to ask about, and none of it fits into a request.
        """
        config = self._config
        if prepared.proven is not None:
            return Unasked(prepared.proven.sentence, nothing_left=True)
        if config.reviewers == (backends.RULES,):
            return Unasked("no model reviewed this: `rules` is the only reviewer that is named")
        if not prepared.screened.sendable:
            return Unasked("nothing was sent: the change holds what looks like a secret")
        if policy.closes(prepared.rule_findings, config):
            return Unasked("no reviewer was asked: a rule closes the gate already")
        if prepared.packing.prompts:
            return None
        if prepared.packing.unsent:
            what = f"nothing of the change fits into one request of {config.max_input_tokens} tokens"
            raise UnreviewedError(what, advice(prepared.packing.unsent, config, prepared.packing.lacking))
        merged = all(item.reason is Reason.INHERITED for item in prepared.screened.withheld)
        why = (
            "a merge takes all of it over, unchanged, from its parents" if merged else "the policy excludes all of it"
        )
        return Unasked(f"nothing was left to review: {why}", nothing_left=True)

    def _without_asking(self, prepared: Prepared, unasked: Unasked) -> Decision:
        decision = self._decision(prepared, (), (unasked.reason,))
        if not unasked.nothing_left:
            return decision
        worst = policy.worst_effect(prepared.rule_findings)
        outcome = Outcome.REQUEST_CHANGES if worst >= Effect.REQUEST_CHANGES else Outcome.SKIPPED
        return replace(decision, outcome=outcome, exit_code=exit_code(outcome, fail_on=self._config.fail_on))

    @property
    def _config(self) -> Config:
        return self.settings.config if self.settings else Config()

    def _decision(self, prepared: Prepared, found: tuple[Review, ...], reasons: Sequence[str]) -> Decision:
        decision = policy.decide(
            prepared.screened,
            prepared.rule_findings,
            found,
            prepared.coverage,
            self._config,
            prepared.author,
            tuple(reasons),
        )
        decision = replace(decision, intent=prepared.intent)
        if self.options.exit_zero and decision.exit_code is ExitCode.CLOSED:
            return replace(decision, exit_code=ExitCode.OPEN)
        return decision

    def _in_part(
        self, prepared: Prepared, found: tuple[Review, ...], failed: list[Answer], passed: tuple[str, ...]
    ) -> Decision:
        """The decision where a part has no answer, or the model can't take it: then nobody has seen that part.

        Raises:
            TwoAgentError: no part has an answer, or one that can't be used, and none of the others closes the gate.
        """
        errors = [answer.error for answer in failed if answer.error]
        for error in errors:
            error.details += tuple(reason for reason in passed if reason not in error.details)
        blocked = any(review.verdict > policy.opens(self._config.fail_on) for review in found)
        grave = [error for error in errors if not isinstance(error, (UnreviewedError, ContextTooLongError))]
        silent = [error for error in errors if isinstance(error, UnreviewedError)]
        if not blocked and (grave or (silent and not found)):
            raise (grave or silent)[0]
        again = self._without(prepared, failed)
        first = errors[0]
        if not blocked and not policy.closes(again.rule_findings, self._config):
            raise UnreviewedError(first.what, first.do, first.details) from first
        reasons = dict.fromkeys(f"{error.what}; {error.do}" for error in errors)
        return self._decision(again, found, (*reasons, *first.details))

    def _without(self, prepared: Prepared, failed: list[Answer]) -> Prepared:
        """The same with what those parts show named as not reviewed."""
        reasons = {
            path: Reason.OVER_CONTEXT if isinstance(answer.error, ContextTooLongError) else Reason.UNANSWERED
            for answer in failed
            for path in answer.prompt.paths
        }
        return prepared.without(tuple(Withheld(path, reason) for path, reason in sorted(reasons.items())))

    # --- without a verdict --------------------------------------------------------------------------------

    def failed(self, failure: Failure) -> Decision:
        """The decision where there is no verdict: nothing of it opens the gate but the policy."""
        outcome = failure.outcome
        if outcome is Outcome.UNREVIEWED and self._config.on_error == "defer":
            outcome = Outcome.DEFERRED
        reasons = (*failure.details, *([self._debt()] if outcome is Outcome.DEFERRED else []))
        return replace(self._unjudged(outcome), reasons=reasons, problem=failure)

    def _unjudged(self, outcome: Outcome) -> Decision:
        """A decision without a verdict, with all that is known so far."""
        config, prepared = self._config, self.prepared
        return Decision(
            outcome=outcome,
            exit_code=exit_code(outcome, fail_on=config.fail_on, on_error=config.on_error),
            tree=self.trees.tree,
            base=self.trees.base,
            author=prepared.author if prepared else None,
            findings=prepared.rule_findings if prepared else (),
            coverage=prepared.coverage if prepared else None,
            numbers=policy.line_numbers(prepared.screened) if prepared else (0, 0),
            notices=config.notices,
            intent=prepared.intent if prepared else None,
        )

    def preview(self) -> Preview:
        """What would be sent and to whom; nothing is."""
        prepared = self.prepare()
        try:
            if self._inquiry(prepared).blocks(self._answers.everything):
                return Preview(prepared, None, _BLOCKED)
            later = self._wish(prepared).granted
            unasked = Unasked(later) if later is not None else self._unasked(prepared)
            if unasked is not None:
                return Preview(prepared, None, unasked.reason)
            asking, wanted = self._inquiry(prepared), prepared.packing.prompts
            known = {} if self.options.fresh else asking.recorded(wanted, self._answers.genuine)
            pending = [prompt for prompt in wanted if prompt.receipt not in known]
            if not pending:
                return Preview(prepared, None, "the verdict on it is on record")
            first = asking.rank().reviewers[0]
            backend = backends.build(first, self._config, self.environment.variables)
        except TwoAgentError as error:
            return Preview(prepared, None, f"{error.what}; {error.do}", prompts=prepared.packing.prompts)
        requests = tuple(backend.preview(prompt) for prompt in pending)
        return Preview(prepared, backend.identity, None, requests)


_BLOCKED = "a block on record stands: nobody is asked again"


def _worse(known: Review | None, fresh: Answer | None) -> bool:
    return (
        known is not None and fresh is not None and fresh.review is not None and known.verdict > fresh.review.verdict
    )
