"""Log rows made of calls and decisions; pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twoagent_hook import visible
from twoagent_hook.exits import Outcome
from twoagent_hook.trajectory import Entry

if TYPE_CHECKING:  # a failure is logged as well where the gate itself can't be imported (no git)
    from twoagent_hook.asking import Call

_REPLY_LIMIT = 64_000  # characters of a reply that are kept


def of_call(
    call: "Call",
    *,
    author: str | None,
    tree: str | None,
    task_id: str | None,
    base: str | None,
    fail_on: str,
    expires: str,
) -> Entry:
    """The row of one request to a model.

    Args:
        fail_on: under which the answer was accepted.
        expires: until when it may be taken again.
    """
    row = of_consultation(call, role="reviewer", task_id=task_id)
    answer = _answer(call, base=base, fail_on=fail_on, expires=expires)
    paths = {"paths": [visible.path(path) for path in call.prompt.paths]}
    return replace(row, evidence={**answer, **row.evidence, **paths}, author=author, tree=tree)


def of_consultation(call: "Call", *, role: str, task_id: str | None, tree: str | None = None) -> Entry:
    """The row of one request to a model in whatever role."""
    reply = call.reply
    return Entry(
        role=role,
        result=call.result,
        task_id=task_id,
        model=visible.excerpt(reply.answered[0], 200) if reply and reply.answered else call.reviewer.model,
        provider=call.reviewer.provider,
        latency_sec=round(call.latency, 3),
        prompt_tokens=reply.usage.prompt_tokens if reply else None,
        output_tokens=reply.usage.output_tokens if reply else None,
        cached_tokens=reply.usage.cached_tokens if reply else None,
        cost_usd=reply.usage.cost_usd if reply else None,
        evidence={
            "origin": call.reviewer.origin,
            "spec": call.reviewer.spec,
            "answered": [visible.excerpt(name, 200) for name in reply.answered] if reply else [],
            "finish": visible.excerpt(reply.finish or "", 60) if reply else None,
            "attempts": reply.attempts if reply else None,
            "api": reply.api if reply else None,
            "form": reply.form if reply else None,
            "estimated_tokens": call.prompt.tokens,
            "reply": visible.block(reply.text[:_REPLY_LIMIT]) if reply else None,
            "problem": {"what": call.failure.what, "do": call.failure.do} if call.failure else None,
        },
        tree=tree,
        prompt_fingerprint=call.prompt.fingerprint,
    )


def _answer(call: "Call", *, base: str | None, fail_on: str, expires: str) -> dict[str, Any]:
    """What a later run needs to take the answer again; nothing where there was none."""
    if call.review is None:
        return {}
    from twoagent_hook import kept

    review = kept.data(call.review)
    return {"base": base, "part": call.prompt.digest, "review": review, "fail_on": fail_on, "expires": expires}


def of_decision(
    payload: Mapping[str, Any], evidence: Mapping[str, Any], *, author: str | None, fingerprint: str | None
) -> Entry:
    """The row of what the gate did; `payload` is what the user was shown."""
    first = payload["reviews"][0] if payload["reviews"] else {}
    return Entry(
        role="gate",
        result=Outcome(payload["outcome"]).result,
        task_id=payload["task_id"],
        model=first.get("model"),
        provider=first.get("provider"),
        latency_sec=first.get("latency_sec"),
        evidence={"decision": dict(payload), **evidence},
        author=author,
        tree=payload["tree"],
        prompt_fingerprint=fingerprint,
    )
