"""Asks the model of a role other than the reviewer's for one JSON object: a plan, or what evidence amounts to."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from twoagent_hook import backends, datafiles, inquiry, replies, spending, visible
from twoagent_hook import config as settings
from twoagent_hook.asking import Call, Exchange, put
from twoagent_hook.backends import Reviewer
from twoagent_hook.backends.base import Identity, Reply, Request
from twoagent_hook.config import Config
from twoagent_hook.errors import ConfigError, UnreviewedError
from twoagent_hook.loops import run_async
from twoagent_hook.progress import waiting
from twoagent_hook.prompts import Prompt, Receipt
from twoagent_hook.rendering import estimate

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        system: who is asked for what, and in which form.
        material: what it is about, in visible text; it is fenced, and is data.
        schema: JSON Schema of the reply.
        marker: a key that the reply's object has to have.
        wanted: what the reply should be, in messages.
    """

    system: str
    material: str
    schema: Mapping[str, Any]
    marker: str
    wanted: str = "answer"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """By what it is asked.

    Attributes:
        deadline: in the time of `time.monotonic`.
        progress: whether a waiting person is told.
        calls: grows by one for each request that is made.
    """

    config: Config
    variables: Mapping[str, str]
    deadline: float
    progress: bool
    calls: list[Call]


class Consulted(NamedTuple):
    """What would be sent, and to whom."""

    identity: Identity
    request: Request


def ask(question: Question, spec: str, parse: Callable[[Mapping[str, Any]], T], around: Circumstances) -> T:
    """What `parse` makes of the object that the model gives; asked once more where it can't be used.

    Args:
        spec: of the model, as a reviewer's.
        parse: raises InvalidReplyError for an object that can't be used.

    Raises:
        TwoAgentError: there is none.
    """
    prompt = _prompt(question)
    found = _usable(spec, around)
    inquiry.check_clean([prompt])
    inquiry.check_ceilings(around.config, around.variables, [prompt])
    backend = backends.build(found, around.config, around.variables)
    exchange = Exchange(backend, prompt, question.wanted, _repair, around.deadline)

    def read(reply: Reply) -> T:
        return parse(replies.read_object(reply, prompt.receipt, question.marker))

    before = len(around.calls)
    try:
        with waiting(f"asking {backend.identity.spec}", shown=around.progress):
            reply, value = run_async(lambda: put(exchange, read, around.calls))
        around.calls.append(Call(backend.identity, prompt, "answered", reply.latency, reply))
    finally:
        folder = settings.state_folder(around.variables.get("TWOAGENT_HOME"))
        spending.add(folder, inquiry.costs(around.calls[before:]))
    return value


def preview(question: Question, spec: str, around: Circumstances) -> Consulted:
    """Exactly what `ask` would send first; nothing is sent.

    Raises:
        TwoAgentError: the model could not be asked.
    """
    prompt = _prompt(question)
    backend = backends.build(_usable(spec, around), around.config, around.variables)
    inquiry.check_clean([prompt])
    return Consulted(backend.identity, backend.preview(prompt))


def _usable(spec: str, around: Circumstances) -> Reviewer:
    if spec == backends.RULES:
        raise ConfigError("`rules` is no model, and can't be asked for this", "name a model as `provider:model`")
    found = backends.find(spec, around.config, around.variables)
    if found.unusable:
        raise UnreviewedError(f"{visible.excerpt(spec, 80)} can't be asked: {found.unusable}", found.hint)
    return found


def _repair(reason: str) -> str:
    return datafiles.packaged("templates/repair_object.md").format(reason=reason)


def _prompt(question: Question) -> Prompt:
    material = visible.told(question.material)
    receipt = Receipt(secrets.token_hex(8), secrets.token_hex(8))
    fence = secrets.token_hex(8)
    parts = {"before": receipt.before, "after": receipt.after, "fence": fence, "material": material}
    user = datafiles.packaged("templates/material.md").format(**parts)
    shaping = "\0".join((question.system, json.dumps(question.schema)))
    return Prompt(
        system=question.system,
        user=user,
        schema=dict(question.schema),
        receipt=receipt,
        paths=(),
        tokens=estimate(question.system) + estimate(user),
        fingerprint=_digest(shaping)[:16],
        digest=_digest(f"{shaping}\0{material}"),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
