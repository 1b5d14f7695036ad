"""Puts each prompt to a reviewer, once more where the reply can't be used, and keeps a record of every call."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from twoagent_hook import policy, prompts, replies, reviews, visible
from twoagent_hook.author import Author
from twoagent_hook.backends.base import Backend, Identity, Reply
from twoagent_hook.config import Config
from twoagent_hook.errors import InvalidReplyError, TwoAgentError, UnreviewedError
from twoagent_hook.exits import Failure, Outcome, failure_of
from twoagent_hook.prompts import Prompt
from twoagent_hook.reviews import Review
from twoagent_hook.screening import ScreenedChange
from twoagent_hook.verdicts import Parsed

T = TypeVar("T")

_QUOTED_LIMIT = 16_000  # characters of an unusable reply that are shown to its author again


class Call(NamedTuple):
    """One request to a model and what came of it."""

    reviewer: Identity
    prompt: Prompt
    result: str
    latency: float
    reply: Reply | None = None
    failure: Failure | None = None
    review: Review | None = None


class Question(NamedTuple):
    """Who is asked, about what, and until when (in the time of `time.monotonic`)."""

    backend: Backend
    screened: ScreenedChange
    author: Author
    config: Config
    deadline: float


class Answer(NamedTuple):
    """What came of one prompt: a review, or why there is none."""

    prompt: Prompt
    review: Review | None = None
    error: TwoAgentError | None = None


async def ask_all(
    question: Question, asked: Sequence[Prompt], calls: list[Call], answered: Callable[[], None] = lambda: None
) -> tuple[Answer, ...]:
    """An answer to each prompt, in their order; as many are asked at once as the policy says.

    Args:
        calls: grows by one for each request that was made, those that failed included.
        answered: is called each time a prompt has its answer.
    """
    free = asyncio.Semaphore(question.config.concurrency)

    async def one(prompt: Prompt) -> Answer:
        async with free:
            try:
                return Answer(prompt, review=await _ask(question, prompt, calls))
            except TwoAgentError as error:
                return Answer(prompt, error=error)
            finally:
                answered()

    return tuple(await asyncio.gather(*(one(prompt) for prompt in asked)))


class Exchange(NamedTuple):
    """How a prompt is put to a backend.

    Attributes:
        wanted: what the reply should be, in messages: `review`, say.
        repair: what to say to a reply that can't be used, by the reason.
        deadline: in the time of `time.monotonic`.
    """

    backend: Backend
    prompt: Prompt
    wanted: str
    repair: Callable[[str], str]
    deadline: float


async def put(exchange: Exchange, read: Callable[[Reply], T], calls: list[Call]) -> tuple[Reply, T]:
    """A reply that can be used, and what `read` makes of it; asked for once more where the first can't be.

    Args:
        read: raises InvalidReplyError for one that can't.
        calls: grows by one for each request that failed; the last one is for the caller to add.

    Raises:
        TwoAgentError: there is none.
    """
    who, wanted = exchange.backend.identity, exchange.wanted
    correction: tuple[str, str] | None = None
    unusable = ""
    while True:
        try:
            reply = await _call(exchange, correction, calls)
        except UnreviewedError as error:
            if correction is None:
                raise
            # It was reached, and what it said was no review: that is not the same as nobody there.
            what = f"{who.spec} gave no usable {wanted} ({unusable}); asked again, {error.what}"
            raise InvalidReplyError(what, error.do) from None
        try:
            return reply, read(reply)
        except InvalidReplyError as error:
            _note(calls, who, exchange.prompt, reply, failure_of(error))
            if correction is not None:
                what = f"{who.spec} gave no usable {wanted}, asked twice: {error.what}"
                raise InvalidReplyError(what, error.do) from None
            unusable = error.what
            said = visible.told(visible.block(reply.text[:_QUOTED_LIMIT])) or "(empty)"
            correction = (said, exchange.repair(error.what))


async def _ask(question: Question, prompt: Prompt, calls: list[Call]) -> Review:
    opens = policy.opens(question.config.fail_on)

    def repair(reason: str) -> str:
        return prompts.repair(reason, prompt)

    exchange = Exchange(question.backend, prompt, "review", repair, question.deadline)
    reply, parsed = await put(exchange, lambda reply: replies.read(reply, prompt.receipt, opens), calls)
    return _accept(question, prompt, reply, parsed, calls)


def _accept(question: Question, prompt: Prompt, reply: Reply, parsed: Parsed, calls: list[Call]) -> Review:
    reviewer = question.backend.identity
    review = reviews.review(parsed, reply, reviewer, question.screened)
    try:
        policy.check_answered(review.answered, reviewer, question.author, question.config)
    except TwoAgentError as error:
        _note(calls, reviewer, prompt, reply, failure_of(error))
        raise
    result = Outcome(review.stated.label).result
    calls.append(Call(reviewer, prompt, result, reply.latency, reply, review=review))
    return review


async def _call(exchange: Exchange, correction: tuple[str, str] | None, calls: list[Call]) -> Reply:
    prompt, backend = exchange.prompt, exchange.backend
    started = time.monotonic()

    def note(failure: Failure) -> None:
        spent = time.monotonic() - started
        calls.append(Call(backend.identity, prompt, failure.outcome.result, spent, None, failure))

    try:
        return await backend.complete(prompt, exchange.deadline, correction)
    except TwoAgentError as error:
        note(failure_of(error))
        raise
    except (asyncio.CancelledError, KeyboardInterrupt):
        note(Failure(Outcome.INTERRUPTED, "interrupted", "run it again"))
        raise


def _note(calls: list[Call], reviewer: Identity, prompt: Prompt, reply: Reply, failure: Failure) -> None:
    calls.append(Call(reviewer, prompt, failure.outcome.result, reply.latency, reply, failure))
