"""What a dry run shows: exactly what would be sent, and to whom; pure."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twoagent_hook import visible

if TYPE_CHECKING:  # where a verdict is on record, nobody waits for the gate to be imported
    from twoagent_hook.backends.base import Identity, Request
    from twoagent_hook.gate import Preview

_SPOKEN = ("messages", "instructions", "input")  # what is said, in the words of each API


def as_json(preview: "Preview") -> str:
    """One object; `nothing_as_json` makes it where a verdict on record leaves nothing to send."""
    requests = [_data(request) for request in preview.requests]
    return _object(preview.reviewer.spec if preview.reviewer else None, preview.nobody, requests)


def _data(request: "Request") -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "body": dict(request.body),
        "stdin": request.stdin,
    }


def request_as_json(identity: "Identity", request: "Request") -> str:
    """One request to a model of another role."""
    return _object(identity.spec, None, [_data(request)])


def request_as_text(identity: "Identity", request: "Request") -> str:
    """The same for people."""
    return "\n".join((f"to: {identity.label}", *_sent(request))) + "\n"


def nothing_as_json(why: str) -> str:
    return _object(None, why, [])


def nothing_as_text(why: str) -> str:
    return f"{_NOTHING}{why}\n"


_NOTHING = "nothing would be sent: "


def _object(reviewer: str | None, nobody: str | None, requests: list[dict[str, Any]]) -> str:
    made = {"version": 1, "reviewer": reviewer, "nothing_sent_because": nobody, "requests": requests}
    return json.dumps(made) + "\n"


def as_text(preview: "Preview") -> str:
    """The same for people."""
    return "\n".join(_lines(preview)) + "\n"


def _lines(preview: "Preview") -> Iterator[str]:
    prepared = preview.prepared
    yield f"author: {prepared.author.label}"
    if preview.reviewer is not None:
        yield f"reviewer: {preview.reviewer.spec} at {preview.reviewer.origin}"
    yield from (f"rule {finding.kind}: {finding.place} {finding.title}" for finding in prepared.rule_findings)
    if preview.nobody is not None:
        yield f"{_NOTHING}{preview.nobody}"
    for request in preview.requests:
        yield from _sent(request)
    for prompt in preview.prompts:
        yield from ("", "--- system ---", visible.block(prompt.system), "", "--- user ---", visible.block(prompt.user))


def _sent(request: "Request") -> Iterator[str]:
    yield from ("", f"{request.method} {request.url}")
    yield from (f"{name}: {value}" for name, value in request.headers.items())
    yield from (f"{key}: {json.dumps(value)}" for key, value in request.body.items() if key not in _SPOKEN)
    yield from _words(request)


def _words(request: "Request") -> Iterator[str]:
    """What a reviewer would read, whichever way it is put to it."""
    body = request.body
    system = [{"role": "system", "content": body["instructions"]}] if "instructions" in body else []
    messages: list[Any] = [*system, *body.get("messages", ()), *body.get("input", ())]
    parts = [(message["role"], message["content"]) for message in messages]
    parts += [("standard input", request.stdin)] if request.stdin is not None else []
    for name, text in parts:
        yield from ("", f"--- {name} ---", visible.block(text))
