"""Runs the line: snapshot, settings, screening, author, reviewer, decision; remembers what is known so far.

What is known is kept on the way, so that a failure at any stage is still reported and logged with it.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from twoagent_hook import author as authors
from twoagent_hook import backends, policy, prompts, reviews, settings, worktree
from twoagent_hook.author import Author
from twoagent_hook.backends.base import Backend, Identity, Reply, Request
from twoagent_hook.changes import ChangeSet
from twoagent_hook.config import Config, Provider
from twoagent_hook.environment import Environment
from twoagent_hook.errors import (
    ContextTooLongError,
    GitError,
    IndexMovedError,
    InvalidReplyError,
    TwoAgentError,
    UnreviewedError,
)
from twoagent_hook.exits import ExitCode, Failure, Outcome, exit_code, failure_of
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.git import Trees, Workspace
from twoagent_hook.policy import Coverage, Decision
from twoagent_hook.progress import waiting
from twoagent_hook.prompts import Packing, Prompt
from twoagent_hook.reviews import Parsed, Review
from twoagent_hook.screening import Reason, ScreenedChange, Withheld, incomplete_coverage, screen
from twoagent_hook.settings import Settings
from twoagent_hook.snapshots import Snapshot

T = TypeVar("T")


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


class Call(NamedTuple):
    """One request to a model and what came of it."""

    reviewer: Identity
    prompt: Prompt
    result: str
    latency: float
    reply: Reply | None = None
    failure: Failure | None = None


class Prepared(NamedTuple):
    """All that is settled before anybody is asked."""

    screened: ScreenedChange
    author: Author
    packing: Packing
    rule_findings: tuple[Finding, ...]
    coverage: Coverage


class Preview(NamedTuple):
    """What a run would send: to whom, or why to nobody."""

    prepared: Prepared
    reviewer: Identity | None
    failure: Failure | None
    requests: tuple[Request, ...]


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
        self.asked: Identity | None = None
        self.rescued: str | None = None

    # --- the whole of it ----------------------------------------------------------------------------------

    def judge(self) -> Decision:
        """Decide on what is staged.

        Raises:
            TwoAgentError: there is no verdict; `failed` makes a decision of it.
        """
        return self._judge_beside_hooks() if self.environment.framework else self._judge()

    def _judge_beside_hooks(self) -> Decision:
        """Under a framework: files are as in the index, unless an earlier hook changed them."""
        changed = worktree.differing(self._workspace)
        if changed:
            names = ", ".join(ascii(name).strip("'") for name in changed[:3])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise GitError(f"an earlier hook changed files ({names}{more})", "add them and commit again")
        try:
            return self._judge()
        finally:
            with suppress(TwoAgentError, OSError):
                self.rescued = worktree.rescue(self._workspace)

    def _judge(self) -> Decision:
        decision = self._decide(self.prepare())
        if decision.open:
            self._check_unmoved()
        return decision

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
        config = self.settings.config
        screened = screen(change, config, snapshot.generated(change.base, _paths(change)))
        packing = prompts.pack(screened, config, self.settings.guidelines, _token, self.settings.own_prompt)
        self.prepared = _prepared(screened, self._author(config), packing, packing.unsent, config)
        return self.prepared

    def _author(self, config: Config) -> Author:
        claims = (
            (self.options.author or "", "--author"),
            (self.environment.get("TWOAGENT_AUTHOR") or "", "TWOAGENT_AUTHOR"),
            (config.author or "", config.sources.get("author", "")),
        )
        return authors.detect(self.environment.variables, claims)

    def _check_unmoved(self) -> None:
        if self._workspace.trees() != self.trees:
            raise IndexMovedError(
                "the index moved during the review: what was judged is not what would be committed",
                "commit again, and the new content is reviewed",
            )

    # --- asking -------------------------------------------------------------------------------------------

    def _decide(self, prepared: Prepared) -> Decision:
        config = self._config
        if config.reviewers == (backends.RULES,):
            return self._decision(prepared, (), ("no model reviewed this: the policy names `rules` alone",))
        if not prepared.screened.sendable:
            return self._decision(prepared, (), ("nothing was sent: the change holds what looks like a secret",))
        if policy.closes(prepared.rule_findings, config):
            return self._decision(prepared, (), ("no reviewer was asked: a rule closes the gate already",))
        if not prepared.packing.prompts:
            return self._nothing_to_ask(prepared)
        backend, passed = self.choose(prepared.author)
        self.asked = backend.identity
        try:
            found = self._ask(backend, prepared)
        except ContextTooLongError as error:
            return self._over_context(prepared, error)
        return self._decision(prepared, found, passed)

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

    def _nothing_to_ask(self, prepared: Prepared) -> Decision:
        reason = "nothing was left to review: the policy excludes every changed file, or a merge brought it"
        decision = self._decision(prepared, (), (reason,))
        if policy.worst_effect(prepared.rule_findings) >= Effect.REQUEST_CHANGES:
            outcome = Outcome.REQUEST_CHANGES
        else:
            outcome = Outcome.SKIPPED
        return replace(decision, outcome=outcome, exit_code=exit_code(outcome, fail_on=self._config.fail_on))

    def _over_context(self, prepared: Prepared, error: ContextTooLongError) -> Decision:
        """The model says that it can't take the whole: then nobody has seen it."""
        paths = {path for prompt in prepared.packing.prompts for path in prompt.paths}
        missing = tuple(Withheld(path, Reason.OVER_CONTEXT) for path in sorted(paths))
        unsent = (*prepared.packing.unsent, *missing)
        again = _prepared(prepared.screened, prepared.author, prepared.packing, unsent, self._config)
        if not policy.closes(again.rule_findings, self._config):
            raise UnreviewedError(error.what, error.do) from error
        return self._decision(again, (), (f"{error.what}; {error.do}",))

    def choose(self, author: Author) -> tuple[Backend, tuple[str, ...]]:
        """The backend of the reviewer to ask, and why others were passed over.

        Raises:
            TwoAgentError: there is none that may and can be asked.
        """
        config = self._config
        if not config.reviewers:
            raise UnreviewedError("no reviewer is named", self._how_to_name_one(author))
        candidates = [backends.candidate(spec, config, self.environment.variables) for spec in config.reviewers]
        chosen, passed = policy.choose(candidates, author, config)
        return backends.build(chosen, self.environment.variables), passed

    def _how_to_name_one(self, author: Author) -> str:
        """The lines to write, for what is seen on this machine and is not of the author's own vendor."""
        known = {family for suspect in author.candidates for family in suspect.families}
        found = [item for item in backends.seen(self._config, self.environment.variables) if not item.families & known]
        lines = " or ".join(f'`reviewers = ["{item.name}:MODEL"]` ({_seen_as(item)})' for item in found)
        return f"write into .twoagent-hook.toml {lines or _NAME_ONE}"

    def _ask(self, backend: Backend, prepared: Prepared) -> tuple[Review, ...]:
        deadline = self.started + self._config.timeout
        if time.monotonic() >= deadline:
            raise UnreviewedError(f"the time of {self._config.timeout:g} s was over before anybody was asked", _TIME)
        with waiting(f"asking {backend.identity.spec}", shown=self.options.progress):
            return run_async(lambda: self._ask_all(backend, prepared, deadline))

    async def _ask_all(self, backend: Backend, prepared: Prepared, deadline: float) -> tuple[Review, ...]:
        asked = (self._ask_one(backend, prompt, prepared, deadline) for prompt in prepared.packing.prompts)
        return tuple(await asyncio.gather(*asked))

    async def _ask_one(self, backend: Backend, prompt: Prompt, prepared: Prepared, deadline: float) -> Review:
        """Ask, and once more where the reply can't be used."""
        opens = policy.opens(self._config.fail_on)
        correction: tuple[str, str] | None = None
        while True:
            reply = await self._call(backend, prompt, deadline, correction)
            try:
                parsed = reviews.read(reply, prompt.receipt, opens)
            except InvalidReplyError as error:
                self._note(backend, prompt, reply, failure=failure_of(error))
                if correction is not None:
                    what = f"{backend.identity.spec} gave no usable review, asked twice: {error.what}"
                    raise InvalidReplyError(what, error.do) from None
                correction = (
                    reply.text[: prompts.GUIDELINES_LIMIT] or "(empty)",
                    prompts.repair(error.what, prompt),
                )
                continue
            return self._accept(backend, prompt, reply, parsed, prepared)

    def _accept(self, backend: Backend, prompt: Prompt, reply: Reply, parsed: Parsed, prepared: Prepared) -> Review:
        review = reviews.review(parsed, reply, backend.identity, prepared.screened)
        try:
            policy.check_answered(review, prepared.author, self._config)
        except TwoAgentError as error:
            self._note(backend, prompt, reply, failure=failure_of(error))
            raise
        self._note(backend, prompt, reply, result=Outcome(review.stated.label).result)
        return review

    async def _call(
        self, backend: Backend, prompt: Prompt, deadline: float, correction: tuple[str, str] | None
    ) -> Reply:
        asked = time.monotonic()
        try:
            return await backend.complete(prompt, deadline, correction)
        except TwoAgentError as error:
            failure = failure_of(error)
            self.calls.append(
                Call(backend.identity, prompt, failure.outcome.result, time.monotonic() - asked, None, failure)
            )
            raise
        except (asyncio.CancelledError, KeyboardInterrupt):
            failure = Failure(Outcome.INTERRUPTED, "interrupted", "")
            self.calls.append(Call(backend.identity, prompt, "interrupted", time.monotonic() - asked, None, failure))
            raise

    def _note(
        self,
        backend: Backend,
        prompt: Prompt,
        reply: Reply,
        *,
        result: str = "",
        failure: Failure | None = None,
    ) -> None:
        result = failure.outcome.result if failure else result
        self.calls.append(Call(backend.identity, prompt, result, reply.latency, reply, failure))

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
            problem=failure,
            notices=config.notices,
            asked=f"{self.asked.spec} at {self.asked.origin}" if self.asked else None,
        )

    def preview(self) -> Preview:
        """What would be sent and to whom; nothing is."""
        prepared = self.prepare()
        try:
            backend, _ = self.choose(prepared.author)
        except TwoAgentError as error:
            return Preview(prepared, None, failure_of(error), ())
        requests = tuple(backend.preview(prompt) for prompt in prepared.packing.prompts)
        return Preview(prepared, backend.identity, None, requests)


_NAME_ONE = '`reviewers = ["provider:model"]`, and set that provider\'s key'
_TIME = "allow more with `twoagent-hook review --timeout 300`, or set `timeout`"


def _seen_as(provider: Provider) -> str:
    return f"{provider.api_key_env} is set" if provider.api_key_env else f"a server listens at {provider.base_url}"


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


class _DaemonExecutor(ThreadPoolExecutor):
    """Runs each task in a thread that never keeps the process alive: a name lookup can hang for minutes."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed on to whoever waits, as every executor does
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        Executor.shutdown(self, wait=False, cancel_futures=cancel_futures)


def run_async(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run one coroutine to its end on a loop of its own; ^C ends every request in it."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_DaemonExecutor(max_workers=1))
        return runner.run(work())
