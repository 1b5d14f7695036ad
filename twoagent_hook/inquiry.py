"""Gets an answer to each request of a review: the one on record, else that of the first reviewer who gives one.

Who can't be reached for a request is followed by the next; a bad answer, and a block above all, stay what they are.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from twoagent_hook import advice, backends, kept, policy, records, spending, visible
from twoagent_hook import config as settings
from twoagent_hook.asking import Answer, Call, Question, ask_all
from twoagent_hook.author import Author
from twoagent_hook.backends import Reviewer
from twoagent_hook.config import Config
from twoagent_hook.console import own_command
from twoagent_hook.environment import Environment
from twoagent_hook.errors import LeakError, RefusedError, TwoAgentError, UnreviewedError
from twoagent_hook.loops import run_async
from twoagent_hook.policy import Ranking
from twoagent_hook.progress import Counter, waiting
from twoagent_hook.prompts import Prompt, Receipt
from twoagent_hook.reviews import Review
from twoagent_hook.screening import ScreenedChange
from twoagent_hook.screening import secrets as secrets_of
from twoagent_hook.trajectory import Entry
from twoagent_hook.verdicts import Verdict


class Asked(NamedTuple):
    """The answers, in the order of the requests, and why reviewers were passed over."""

    answers: tuple[Answer, ...]
    passed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked about, for whom, and by what.

    Attributes:
        user_file: where the user's own settings were looked for.
        deadline: in the time of `time.monotonic`.
        progress: whether a waiting person is told how far it is.
        calls: grows by one for each request that is made.
    """

    screened: ScreenedChange
    author: Author
    config: Config
    environment: Environment
    user_file: str
    deadline: float
    progress: bool
    calls: list[Call]

    # --- what is known already ----------------------------------------------------------------------------------

    def recorded(self, prompts: Iterable[Prompt], entries: Sequence[Entry]) -> dict[Receipt, Review]:
        """The worst answer that stands to each request, of a reviewer who would be accepted for it now.

        Args:
            entries: genuine rows about the tree, newest first.
        """
        found: dict[str, list[Review]] = {}
        for entry in entries:
            part, review = entry.evidence.get("part"), _kept(entry) if self._holds(entry) else None
            if isinstance(part, str) and review is not None and self._accepts(review):
                found.setdefault(part, []).append(review)
        return {
            prompt.receipt: max(found[prompt.digest], key=lambda review: review.verdict)
            for prompt in prompts
            if prompt.digest in found
        }

    def blocks(self, entries: Sequence[Entry]) -> list[Review]:
        """The blocks on record about these trees, whoever gave them to whatever question."""
        found = (_kept(entry) for entry in entries if entry.evidence.get("base") == self.screened.base)
        return [review for review in found if review is not None and review.verdict is Verdict.BLOCK]

    def _holds(self, entry: Entry) -> bool:
        """Whether an answer holds under the threshold of now.

        Under "block" more had to be right with a reply for it to be accepted (its receipt) than under another one.
        """
        return entry.evidence.get("fail_on") in {"block", self.config.fail_on}

    def _accepts(self, review: Review) -> bool:
        """Whether the policy names this reviewer at this place, and it differs from who may be the author now."""
        spec = review.reviewer.spec
        if spec not in self.config.reviewers:
            return False
        named = backends.resolve(spec, self.config, self.environment.variables)
        if named.identity != review.reviewer:
            return False
        if policy.not_independent(named, self.author, self.config.independence) is not None:
            return False
        try:
            policy.check_answered(review.answered, review.reviewer, self.author, self.config)
        except TwoAgentError:
            return False
        return True

    # --- who may be asked ---------------------------------------------------------------------------------------

    def rank(self) -> Ranking:
        """Who may be asked, in order, and why others may not.

        Raises:
            TwoAgentError: there is none that may and can be asked.
        """
        config, variables, author = self.config, self.environment.variables, self.author
        if not config.reviewers:
            seen = backends.seen(config, variables)
            do = advice.to_name_one(seen, author, self.user_file, own_command(self.environment))
            raise UnreviewedError("no reviewer is named", do)
        found = [backends.find(spec, config, variables) for spec in config.reviewers]
        try:
            return policy.rank(found, author, config)
        except RefusedError as error:
            do = advice.to_differ(backends.seen(config, variables), author, config, self.user_file)
            raise RefusedError(error.what, do, error.details) from None

    # --- asking -------------------------------------------------------------------------------------------------

    def ask(self, prompts: Sequence[Prompt]) -> Asked:
        """The answers to all requests, and why reviewers were passed over.

        Raises:
            TwoAgentError: nobody may be asked, or nothing may be sent.
        """
        if not prompts:
            return Asked(())
        ranking = self.rank()
        check_clean(prompts)
        check_ceilings(self.config, self.environment.variables, prompts)
        if time.monotonic() >= self.deadline:
            what = f"the time of {self.config.timeout:g} s was over before anybody was asked"
            raise UnreviewedError(what, "raise `timeout`")
        return self._follow(ranking, prompts)

    def _follow(self, ranking: Ranking, prompts: Sequence[Prompt]) -> Asked:
        """One reviewer after the other, each for what the one before left without an answer."""
        passed = ranking.passed
        answers: dict[Receipt, Answer] = {}
        pending = tuple(prompts)
        for place, reviewer in enumerate(ranking.reviewers, 1):
            last = place == len(ranking.reviewers)
            found = self._put(reviewer, pending, hurried=not last)
            answers |= {answer.prompt.receipt: answer for answer in found}
            said = policy.assumed(reviewer.identity, self.author)
            if said and any(answer.review for answer in found):
                passed = (*passed, said)
            silent = [answer for answer in found if isinstance(answer.error, UnreviewedError)]
            pending = tuple(answer.prompt for answer in silent)
            if not pending or last or time.monotonic() >= self.deadline:
                break
            passed = (*passed, *dict.fromkeys(answer.error.what for answer in silent if answer.error))
        return Asked(tuple(answers[prompt.receipt] for prompt in prompts), passed)

    def _put(self, reviewer: Reviewer, asked: tuple[Prompt, ...], *, hurried: bool) -> tuple[Answer, ...]:
        """Put requests to one reviewer."""
        try:
            backend = backends.build(reviewer, self.config, self.environment.variables, hurried=hurried)
        except TwoAgentError as error:
            return tuple(Answer(prompt, error=error) for prompt in asked)
        question = Question(backend, self.screened, self.author, self.config, self.deadline)
        counted = Counter(f"asking {backend.identity.spec}", len(asked))
        with waiting(counted, shown=self.progress):
            return run_async(lambda: ask_all(question, asked, self.calls, counted.answered))


def _kept(entry: Entry) -> Review | None:
    """The answer in a row, where there is one that has not expired."""
    expires = entry.evidence.get("expires")
    if not isinstance(expires, str) or not records.current(expires):
        return None
    return kept.review(entry.evidence.get("review"), entry.id or 0, expires)


def costs(calls: Sequence[Call]) -> list[spending.Used]:
    """What the calls that were answered have used; an estimate where the endpoint does not say."""
    return [spending.Used(_tokens(call), call.reply.usage.cost_usd) for call in calls if call.reply is not None]


def _tokens(call: Call) -> int:
    usage = call.reply.usage if call.reply else None
    told = [count for count in (usage.prompt_tokens, usage.output_tokens) if count is not None] if usage else []
    return sum(told) if told else call.prompt.tokens


def uncounted(calls: Sequence[Call], config: Config) -> tuple[str, ...]:
    """What to say where a ceiling on cost can't see a cost."""
    free = [call.reviewer for call in calls if call.reply is not None and call.reply.usage.cost_usd is None]
    if config.max_cost_per_month is None or not free:
        return ()
    names = ", ".join(dict.fromkeys(visible.excerpt(reviewer.spec, 80) for reviewer in free))
    return (f"what {names} costs is not told, so `max-cost-per-month` does not count it",)


def check_ceilings(config: Config, variables: Mapping[str, str], asked: Sequence[Prompt]) -> None:
    """Hold what the user allows against what was used and would be.

    Raises:
        UnreviewedError: it would be more.
    """
    if config.max_tokens_per_day is None and config.max_cost_per_month is None:
        return
    folder = settings.state_folder(variables.get("TWOAGENT_HOME"))
    if not spending.add(folder, ()):
        what = f"what reviews use can't be kept in {folder}, so no ceiling can be held"
        raise UnreviewedError(what, "make it writable for this user")
    spent = spending.read(folder)
    wanted = sum(prompt.tokens for prompt in asked)
    if config.max_tokens_per_day is not None and spent.tokens_today + wanted > config.max_tokens_per_day:
        raise UnreviewedError(
            f"the review would take about {wanted} tokens, and of `max-tokens-per-day` = "
            f"{config.max_tokens_per_day} {spent.tokens_today} are used today (UTC)",
            f"raise it in {config.sources['max-tokens-per-day']}, or go on tomorrow",
        )
    if config.max_cost_per_month is not None and spent.cost_this_month >= config.max_cost_per_month:
        raise UnreviewedError(
            f"reviews have cost ${spent.cost_this_month:.2f} this month (UTC), and `max-cost-per-month` is "
            f"{config.max_cost_per_month:g}",
            f"raise it in {config.sources['max-cost-per-month']}, or name a reviewer on this machine",
        )


def check_clean(asked: Sequence[Prompt]) -> None:
    """Look through all that would be sent once more, as it would be sent.

    Raises:
        LeakError: something got past the screening: a defect, or a key in a guideline's odd place.
    """
    for prompt in asked:
        found = secrets_of.find(f"{prompt.system}\n{prompt.user}".split("\n"))
        if found:
            what = f"what would be sent still holds what looks like a secret ({found[0].kind}), so nothing was sent"
            raise LeakError(what, "take it out of the change or the guidelines, and report this if it is neither")
