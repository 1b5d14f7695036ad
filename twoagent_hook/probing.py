"""Tries a reviewer with a real request: whether it answers, how it was asked, and whether it sees all it is sent."""

import secrets
import time
from typing import NamedTuple

from twoagent_hook import datafiles, policy, prompts, replies, reviews
from twoagent_hook.author import Author
from twoagent_hook.backends.base import Backend, Reply
from twoagent_hook.changes import ABSENT, FileChange, Hunk, Line, Status
from twoagent_hook.config import Config
from twoagent_hook.errors import InvalidReplyError, TwoAgentError
from twoagent_hook.exits import Failure, failure_of
from twoagent_hook.prompts import Prompt
from twoagent_hook.screening import ScreenedChange
from twoagent_hook.verdicts import Verdict

_MARGIN = 200  # tokens that the estimate of the whole may differ from the sum of its parts


class Probe(NamedTuple):
    """What came of one request.

    Attributes:
        tokens: of the prompt, estimated.
        reply: None where there was none.
        verdict: on the change that was made up for it; None where the reply is no review.
        receipt: `whole`, `cut` (one of its two tokens came back), `none`, or None where there was no reply.
        problem: why it could not serve as a reviewer, or None.
    """

    tokens: int
    seconds: float
    reply: Reply | None = None
    verdict: str | None = None
    receipt: str | None = None
    problem: Failure | None = None


def small(config: Config) -> tuple[ScreenedChange, Prompt]:
    """A change of a few lines, made up for the purpose, and the prompt that puts it to a reviewer."""
    return _packed(config, 0)


def full(config: Config) -> tuple[ScreenedChange, Prompt]:
    """The same with so much around it that the prompt is of the configured size."""
    empty, one = (_packed(config, lines)[1].tokens for lines in (1, 2))
    room = config.max_input_tokens - empty - _MARGIN
    return _packed(config, max(1, room // max(1, one - empty)))


async def probe(
    backend: Backend, asked: tuple[ScreenedChange, Prompt], author: Author, config: Config, deadline: float
) -> Probe:
    """Put the prompt, and judge the reply as the gate would."""
    screened, prompt = asked
    started = time.monotonic()
    try:
        reply = await backend.complete(prompt, deadline)
    except TwoAgentError as error:
        return Probe(prompt.tokens, time.monotonic() - started, problem=failure_of(error))
    made = Probe(prompt.tokens, reply.latency, reply, receipt=_received(reply, prompt))
    try:
        parsed = replies.read(reply, prompt.receipt, Verdict.REQUEST_CHANGES)
        review = reviews.review(parsed, reply, backend.identity, screened)
        policy.check_answered(review.answered, review.reviewer, author, config)
    except TwoAgentError as error:
        return made._replace(problem=failure_of(error))
    return made._replace(verdict=review.verdict.label)


def _received(reply: Reply, prompt: Prompt) -> str:
    """Whether both tokens came back: the one before the change, and the one after it."""
    try:
        receipt = replies.parse(reply.text).receipt
    except InvalidReplyError:
        receipt = reply.text
    tokens = [token in (receipt or "") for token in prompt.receipt]
    return "whole" if prompt.receipt.expected in (receipt or "") else "cut" if any(tokens) else "none"


def _packed(config: Config, filler: int) -> tuple[ScreenedChange, Prompt]:
    files = [_added("orders.py", datafiles.packaged("templates/demo/lookup_unsafe.txt").splitlines())]
    if filler:
        lines = datafiles.packaged("templates/demo/filler.txt").splitlines()
        files.append(_added("prices.py", [lines[place % len(lines)] for place in range(filler * len(lines))]))
    screened = ScreenedChange("", "", tuple(files), (), (), (), len(files), sendable=True)
    # The size is ours to find here, so the budget must not leave a file out.
    roomy = Config(prompt=config.prompt if config.prompt == prompts.SEED else "project", max_input_tokens=1 << 40)
    packing = prompts.pack(screened, roomy, (), lambda: secrets.token_hex(8))
    return screened, packing.prompts[0]


def _added(path: str, texts: list[str]) -> FileChange:
    lines = tuple(Line("+", None, number, text) for number, text in enumerate(texts, 1))
    return FileChange(path, Status.ADDED, ABSENT, "100644", "", "", (None, None), (Hunk(0, 1, "", lines),))
