"""Runs the line: snapshot, settings, screening, author, reviewer, decision; remembers what is known so far.

What is known is kept on the way, so that a failure at any stage is still reported and logged with it.
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from twoagent_hook import advice, backends, policy, prompts, settings, transcripts, visible, worktree
from twoagent_hook import author as authors
from twoagent_hook.asking import Answer, Call, Question, ask_all
from twoagent_hook.author import Author, Claim
from twoagent_hook.backends import Reviewer
from twoagent_hook.backends.base import Identity, Request
from twoagent_hook.changes import ChangeSet, FileChange
from twoagent_hook.config import Config, with_notices
from twoagent_hook.console import own_command
from twoagent_hook.environment import Environment
from twoagent_hook.errors import (
    ContextTooLongError,
    GitError,
    IndexMovedError,
    LeakError,
    RefusedError,
    TwoAgentError,
    UnreviewedError,
)
from twoagent_hook.exits import ExitCode, Failure, Outcome, exit_code, settle
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.git import Trees, Workspace
from twoagent_hook.loops import run_async
from twoagent_hook.policy import Coverage, Decision, Ranking
from twoagent_hook.progress import Counter, waiting
from twoagent_hook.prompts import Packing, Prompt, Receipt
from twoagent_hook.reviews import Review, merge
from twoagent_hook.screening import (
    Inspected,
    Reason,
    ScreenedChange,
    Withheld,
    incomplete_coverage,
    inspected_paths,
    screen,
)
from twoagent_hook.screening import secrets as secrets_of
from twoagent_hook.screening.detectors import Detectors
from twoagent_hook.screening.tampering import Gate as Gated
from twoagent_hook.screening.tampering import Texts
from twoagent_hook.settings import Settings
from twoagent_hook.snapshots import Snapshot
from twoagent_hook.verdicts import Verdict


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        flags: values of policy keys, spelled as in files.
        user_file: read in place of the user's own settings.
    """

    flags: Mapping[str, Any] = {}
    author: str | None = None
    user_file: str | None = None
    isolated: bool = False
    exit_zero: bool = False
    progress: bool = True


class Prepared(NamedTuple):
    """All that is settled before anybody is asked."""

    screened: ScreenedChange
    author: Author
    packing: Packing
    rule_findings: tuple[Finding, ...]
    coverage: Coverage


class Asked(NamedTuple):
    """The answers, in the order of the prompts, and why reviewers were passed over."""

    answers: tuple[Answer, ...]
    passed: tuple[str, ...]


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


def author_of(environment: Environment, given: str | None, config: Config) -> Author:
    """Who may have written what is staged; `given` is what the command line says."""
    claims = [
        Claim(given or "", "--author"),
        Claim(environment.get("TWOAGENT_AUTHOR") or "", "TWOAGENT_AUTHOR"),
        Claim(config.author or "", config.sources.get("author", "")),
    ]
    if config.author_from_transcript:
        claims += transcripts.claims(environment.variables)
    return authors.detect(environment.variables, claims)


class Gate:
    """One run over what is staged in one repository."""

    def __init__(
        self, workspace: Workspace, trees: Trees, environment: Environment, options: Options, started: float
    ) -> None:
        self.environment = environment
        self.options = options
        self.started = started
        self.trees = trees
        self._workspace = workspace
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
        if self._workspace.trees() != self.trees:
            raise IndexMovedError(
                "the index moved during the review: what was judged is not what would be committed",
                "commit again, and the new content is reviewed",
            )
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
        change = snapshot.change(self.trees)
        self.settings = settings.load(
            snapshot,
            change,
            self.options.flags,
            self.environment,
            user_file=self.options.user_file,
            isolated=self.options.isolated,
        )
        config = with_notices(self.settings.config, backends.notices(self.environment.variables))
        inspected = _inspected(snapshot, change, self.settings.gate)
        detectors = Detectors()
        screened = screen(change, config, snapshot.generated(change.base, _paths(change)), inspected, detectors)
        if detectors.missed:
            lines = "1 line" if detectors.missed == 1 else f"{detectors.missed} lines"
            said = f"detect-secrets did not look at {lines} (too long, or its time was over)"
            config = with_notices(config, (f"{said}; the built-in patterns looked at all",))
        self.settings = self.settings._replace(config=config)
        packing = prompts.pack(screened, config, self.settings.guidelines, _token, self.settings.own_prompt)
        author = author_of(self.environment, self.options.author, config)
        self.prepared = _prepared(screened, author, packing, packing.unsent, config)
        return self.prepared

    # --- asking -------------------------------------------------------------------------------------------

    def _decide(self, prepared: Prepared) -> Decision:
        unasked = self._unasked(prepared)
        if unasked is not None:
            return self._without_asking(prepared, unasked)
        asked = self._ask(self.rank(prepared.author), prepared)
        found = merge([answer.review for answer in asked.answers if answer.review])
        failed = [answer for answer in asked.answers if answer.error]
        if not failed:
            return self._decision(prepared, found, asked.passed)
        return self._in_part(prepared, found, failed, asked.passed)

    def _unasked(self, prepared: Prepared) -> Unasked | None:
        """Why nobody is asked, or None where somebody is.

        Raises:
            UnreviewedError: there is something to ask about, and none of it fits into a request.
        """
        config = self._config
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
            raise UnreviewedError(what, "split the commit, or raise `max-input-tokens`")
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
        blocked = any(review.verdict is Verdict.BLOCK for review in found)
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
        missing = tuple(Withheld(path, reason) for path, reason in sorted(reasons.items()))
        unsent = (*prepared.packing.unsent, *missing)
        return _prepared(prepared.screened, prepared.author, prepared.packing, unsent, self._config)

    def rank(self, author: Author) -> Ranking:
        """Who may be asked, in order, and why others may not.

        Raises:
            TwoAgentError: there is none that may and can be asked.
        """
        config, variables = self._config, self.environment.variables
        place = self.settings.user_file if self.settings else ""
        if not config.reviewers:
            do = advice.to_name_one(backends.seen(config, variables), author, place, own_command(self.environment))
            raise UnreviewedError("no reviewer is named", do)
        found = [backends.find(spec, config, variables) for spec in config.reviewers]
        try:
            return policy.rank(found, author, config)
        except RefusedError as error:
            do = advice.to_differ(backends.seen(config, variables), author, config, place)
            raise RefusedError(error.what, do, error.details) from None

    def _ask(self, ranking: Ranking, prepared: Prepared) -> Asked:
        """The answers to all prompts, and why reviewers were passed over.

        Who can't be reached for a prompt is followed by the next; a bad answer, and a block above all, stay what they
        are.
        """
        _check_clean(prepared.packing.prompts)
        passed = ranking.passed
        deadline = self.started + self._config.timeout
        if time.monotonic() >= deadline:
            what = f"the time of {self._config.timeout:g} s was over before anybody was asked"
            raise UnreviewedError(what, "raise `timeout`")
        answers: dict[Receipt, Answer] = {}
        pending = prepared.packing.prompts
        for place, reviewer in enumerate(ranking.reviewers, 1):
            last = place == len(ranking.reviewers)
            found = self._put(reviewer, prepared, pending, deadline, hurried=not last)
            answers |= {answer.prompt.receipt: answer for answer in found}
            said = policy.assumed(reviewer.identity, prepared.author)
            if said and any(answer.review for answer in found):
                passed = (*passed, said)
            silent = [answer for answer in found if isinstance(answer.error, UnreviewedError)]
            pending = tuple(answer.prompt for answer in silent)
            if not pending or last or time.monotonic() >= deadline:
                break
            passed = (*passed, *dict.fromkeys(answer.error.what for answer in silent if answer.error))
        return Asked(tuple(answers[prompt.receipt] for prompt in prepared.packing.prompts), passed)

    def _put(
        self, reviewer: Reviewer, prepared: Prepared, asked: tuple[Prompt, ...], deadline: float, *, hurried: bool
    ) -> tuple[Answer, ...]:
        """Put prompts to one reviewer."""
        try:
            backend = backends.build(reviewer, self._config, self.environment.variables, hurried=hurried)
        except TwoAgentError as error:
            return tuple(Answer(prompt, error=error) for prompt in asked)
        question = Question(backend, prepared.screened, prepared.author, self._config, deadline)
        counted = Counter(f"asking {backend.identity.spec}", len(asked))
        with waiting(counted, shown=self.options.progress):
            return run_async(lambda: ask_all(question, asked, self.calls, counted.answered))

    # --- without a verdict --------------------------------------------------------------------------------

    def failed(self, failure: Failure) -> Decision:
        """The decision where there is no verdict: nothing of it opens the gate but the policy."""
        config = self._config
        outcome = failure.outcome
        if outcome is Outcome.UNREVIEWED and config.on_error == "defer":
            outcome = Outcome.DEFERRED
        prepared = self.prepared
        return Decision(
            outcome=outcome,
            exit_code=exit_code(outcome, fail_on=config.fail_on, on_error=config.on_error),
            tree=self.trees.tree,
            base=self.trees.base,
            author=prepared.author if prepared else None,
            findings=prepared.rule_findings if prepared else (),
            coverage=prepared.coverage if prepared else None,
            numbers=policy.line_numbers(prepared.screened) if prepared else (0, 0),
            reasons=failure.details,
            problem=failure,
            notices=config.notices,
        )

    def preview(self) -> Preview:
        """What would be sent and to whom; nothing is."""
        prepared = self.prepare()
        try:
            unasked = self._unasked(prepared)
            if unasked is not None:
                return Preview(prepared, None, unasked.reason)
            first = self.rank(prepared.author).reviewers[0]
            backend = backends.build(first, self._config, self.environment.variables)
        except TwoAgentError as error:
            return Preview(prepared, None, f"{error.what}; {error.do}", prompts=prepared.packing.prompts)
        requests = tuple(backend.preview(prompt) for prompt in prepared.packing.prompts)
        return Preview(prepared, backend.identity, None, requests)


def _check_clean(asked: Sequence[Prompt]) -> None:
    """Look through all that would be sent once more, as it would be sent.

    Raises:
        LeakError: something got past the screening: a defect, or a key in a guideline's odd place.
    """
    for prompt in asked:
        found = secrets_of.find(f"{prompt.system}\n{prompt.user}".split("\n"))
        if found:
            what = f"what would be sent still holds what looks like a secret ({found[0].kind}), so nothing was sent"
            raise LeakError(what, "take it out of the change or the guidelines, and report this if it is neither")


_INSPECTED_LIMIT = 4 << 20  # bytes of a file that rules look at as a whole


def _inspected(snapshot: Snapshot, change: ChangeSet, gate: Gated) -> Inspected:
    """The whole texts that rules want, before and after the change."""
    wanted = set(inspected_paths(change, gate))
    files = [file for file in change.files if file.path in wanted]
    return Inspected(gate, {file.path: Texts(*_texts(snapshot, file)) for file in files})


def _texts(snapshot: Snapshot, file: FileChange) -> Iterator[str | None]:
    for oid, size in zip((file.old_oid, file.new_oid), file.sizes, strict=True):
        readable = size is not None and size <= _INSPECTED_LIMIT
        yield snapshot.blob(oid, _INSPECTED_LIMIT).decode("utf-8", "replace") if readable else None


def _token() -> str:
    return secrets.token_hex(8)


def _paths(change: ChangeSet) -> list[str]:
    return [file.path for file in change.files]


def _prepared(
    screened: ScreenedChange, author: Author, packing: Packing, unsent: tuple[Withheld, ...], config: Config
) -> Prepared:
    withheld = (*screened.withheld, *unsent)
    missing = tuple(item for item in withheld if not item.reason.complete)
    coverage = Coverage(screened.entries, screened.entries - len(withheld), withheld)
    return Prepared(screened, author, packing, (*screened.findings, *incomplete_coverage(missing, config)), coverage)
