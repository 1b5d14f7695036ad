"""What coding CLIs print: their own envelopes around a model's reply; pure."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from twoagent_hook.backends.base import Usage
from twoagent_hook.backends.dialects import count, dollars


class Printed(NamedTuple):
    """What was found in a CLI's output.

    Attributes:
        text: the model's reply; empty where there is none.
        answered: the model that answered, where it is told.
        error: what the CLI itself says went wrong, in a place of its own; empty where it says nothing there.
        status: the HTTP status that it met, where it tells.
        finish: why the model stopped, where it is told and matters.
    """

    text: str = ""
    answered: tuple[str, ...] = ()
    usage: Usage = Usage()
    error: str = ""
    status: int | None = None
    finish: str | None = None


class Output(NamedTuple):
    """What a CLI wrote: to its two streams, and to the file that it was told to write the reply to."""

    out: str
    err: str
    answer: str


Reader = Callable[[Output], Printed]


def _plain(output: Output) -> Printed:
    """All of standard output is the reply."""
    return Printed(output.out)


def _claude(output: Output) -> Printed:
    """A line an event; the last is the result. Its `subtype` says success even of errors, and `modelUsage` and
    `system` name the model that was asked for: the one that answered stands in the messages alone."""
    found = list(_objects(output.out))
    data = next((item for item in reversed(found) if item.get("type") == "result"), None)
    if data is None:
        return Printed()
    structured = data.get("structured_output")
    text = json.dumps(structured) if isinstance(structured, dict) else _text(data.get("result"))
    messages = [_table(item.get("message")) for item in found if item.get("type") == "assistant"]
    models = [name for item in messages if (name := _text(item.get("model"))) and not name.startswith("<")]
    finish = None if isinstance(structured, dict) else _text(data.get("stop_reason")) or None
    status = count(data.get("api_error_status"))
    answered, usage = tuple(dict.fromkeys(models)), _claude_usage(data)
    if data.get("is_error") or _text(data.get("subtype")).startswith("error"):
        return Printed("", answered, usage, _claude_error(data), status, finish)
    return Printed(text, answered, usage, "", status, finish)


def _claude_error(data: Mapping[str, Any]) -> str:
    listed = data.get("errors")
    said = [data.get(name) for name in ("result", "api_error", "error", "api_error_type")]
    parts = [_text(part) for part in (*said, *(listed if isinstance(listed, list) else ()))]
    return " ".join(part for part in parts if part) or _text(data.get("subtype")) or "it failed"


def _claude_usage(data: Mapping[str, Any]) -> Usage:
    usage = _table(data.get("usage"))
    prompt = _sum(usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    cached, cost = count(usage.get("cache_read_input_tokens")), dollars(data.get("total_cost_usd"))
    return Usage(prompt, count(usage.get("output_tokens")), cached, cost)


def _codex(output: Output) -> Printed:
    """A line an event. Errors stand in runs that succeed, too: only the turn's own end decides."""
    text, failed, last_error, usage, done = "", "", "", Usage(), False
    for item in _objects(output.out):
        kind, inner = item.get("type"), _table(item.get("item"))
        if kind == "item.completed" and inner.get("type") == "agent_message":
            text = _text(inner.get("text"))
        elif kind == "turn.completed":
            found, done = _table(item.get("usage")), True
            usage = Usage(*(count(found.get(f"{name}_tokens")) for name in ("input", "output", "cached_input")))
        elif kind == "turn.failed":
            failed = _text(_table(item.get("error")).get("message")) or "it failed"
        elif kind == "error":
            last_error = _text(item.get("message"))
    if failed or not done:
        error = failed or last_error
        return Printed(error=error, usage=usage, status=_status_in(error))
    return Printed(output.answer if output.answer.strip() else text, (), usage, finish="completed")


def _gemini(output: Output) -> Printed:
    """One object on standard output; an error is the last object on standard error, behind a stack."""
    found = list(_objects(output.out))
    data = found[-1] if found else next(iter(reversed(list(_objects(output.err)))), {})
    error = _table(data.get("error"))
    models = _table(_table(data.get("stats")).get("models"))
    tokens = {name: _table(_table(row).get("tokens")) for name, row in models.items()}
    usage = Usage(*(_total(tokens, name) for name in ("prompt", "candidates", "cached")))
    said = _text(error.get("message")) or (_text(error.get("type")) or "it failed" if error else "")
    code = count(error.get("code"))
    text = "" if said else _text(data.get("response"))
    return Printed(text, _by_output(tokens, "candidates"), usage, said, code if code and code >= 400 else None)


def _copilot(output: Output) -> Printed:
    """A line an event; the model it names is the one that was asked for."""
    text, error, status, finished = "", "", None, False
    for item in _objects(output.out):
        kind, data = item.get("type"), _table(item.get("data"))
        if kind == "assistant.message" and _text(data.get("content")):
            text = _text(data.get("content"))
        elif kind == "session.error":
            error = f"{_text(data.get('message'))} {_text(data.get('errorType'))}".strip() or "it failed"
            status = count(data.get("statusCode"))
        elif kind == "result":
            finished = item.get("exitCode") == 0
    return Printed(text) if finished and text else Printed(error=error, status=status)


def _opencode(output: Output) -> Printed:
    """A line an event; it does not say which model answered."""
    text, error, usage, status, finish = "", "", Usage(), None, None
    for item in _objects(output.out):
        part = _table(item.get("part"))
        if item.get("type") == "text":
            text += _text(part.get("text"))
        elif item.get("type") == "step_finish":
            tokens = _table(part.get("tokens"))
            cached = count(_table(tokens.get("cache")).get("read"))
            finish = _ENDS.get(_text(part.get("reason")))
            # A model without a known price counts as free there.
            cost = (usage.cost_usd or 0.0) + (dollars(part.get("cost")) or 0.0)
            usage = Usage(count(tokens.get("input")), count(tokens.get("output")), cached, cost or None)
        elif item.get("type") == "error":
            found = _table(item.get("error"))
            data = _table(found.get("data"))
            error = f"{_text(data.get('message'))} {_text(found.get('name'))}".strip() or "it failed"
            status = count(data.get("statusCode"))
    return Printed("" if error else text, (), usage, error, status, finish)


# Others are left out: with some providers it has no word for an end that is natural.
_ENDS = {"stop": "stop", "length": "length", "content-filter": "content_filter"}


READERS: Mapping[str, Reader] = {
    "text": _plain,
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "copilot": _copilot,
    "opencode": _opencode,
}


_BROKEN_LIMIT = 1000  # attempts at what begins like an object and is none; each may read far


def _objects(out: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in an output that may have chatter around them: the whole, else each that begins a line."""
    whole = _object(out)
    if whole is not None:
        yield whole
        return
    decoder = json.JSONDecoder()
    place = broken = 0
    while broken < _BROKEN_LIMIT and (place := _next_start(out, place)) >= 0:
        try:
            value, end = decoder.raw_decode(out, place)
        except (ValueError, RecursionError):
            place += 1
            broken += 1
            continue
        if isinstance(value, dict):
            yield value
        place = end


def _next_start(out: str, place: int) -> int:
    """Where the next line begins with a brace; -1 where none does."""
    if place == 0 and out.startswith("{"):
        return 0
    found = out.find("\n{", max(0, place - 1))
    return found if found < 0 else found + 1


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _sum(table: Mapping[str, Any], *names: str) -> int | None:
    counts = [found for name in names if (found := count(table.get(name))) is not None]
    return sum(counts) if counts else None


def _total(tables: Mapping[str, Mapping[str, Any]], name: str) -> int | None:
    counts = [found for table in tables.values() if (found := count(table.get(name))) is not None]
    return sum(counts) if counts else None


def _status_in(text: str) -> int | None:
    """The HTTP status in words like `unexpected status 401 Unauthorized`."""
    found = re.search(r"status:? ([45]\d\d)\b", text)
    return int(found[1]) if found else None


def _by_output(models: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The model that wrote the most: a CLI has smaller ones do its chores."""
    return tuple(sorted(models, key=lambda model: count(_table(models[model]).get(name)) or 0, reverse=True)[:1])
