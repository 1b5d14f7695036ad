"""What coding CLIs print: their own envelopes around a model's reply; pure."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from twoagent_hook.backends.base import Usage
from twoagent_hook.backends.dialects import count


class Printed(NamedTuple):
    """What was found in a CLI's output.

    Attributes:
        text: the model's reply; empty where there is none.
        answered: the model that answered, where it is told.
        error: what the CLI itself says went wrong; empty where nothing.
        finish: why the model stopped, where it is told and matters.
    """

    text: str = ""
    answered: tuple[str, ...] = ()
    usage: Usage = Usage()
    error: str = ""
    finish: str | None = None


Reader = Callable[[str, str], Printed]  # standard output, and what was written to `{last-file}`


def _plain(out: str, _last: str) -> Printed:
    """All of standard output is the reply."""
    return Printed(out)


def _claude(out: str, _last: str) -> Printed:
    data: dict[str, Any] | None = next(
        (item for item in reversed(list(_objects(out))) if item.get("type") == "result"), None
    )
    if data is None:
        return Printed(error=out)
    structured = data.get("structured_output")
    text = json.dumps(structured) if isinstance(structured, dict) else _text(data.get("result"))
    usage = _table(data.get("usage"))
    cached = count(usage.get("cache_read_input_tokens"))
    prompt = _sum(usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    error = (text or _text(data.get("subtype"))) if data.get("is_error") else ""
    models = _by_output(_table(data.get("modelUsage")), "outputTokens")
    spent = Usage(prompt, count(usage.get("output_tokens")), cached)
    finish = None if isinstance(structured, dict) else _text(data.get("stop_reason")) or None
    return Printed("" if error else text, models, spent, error, finish)


def _codex(out: str, last: str) -> Printed:
    text, error, usage, models = "", "", Usage(), list[str]()
    for item in _objects(out):
        kind = item.get("type")
        inner = _table(item.get("item"))
        if kind == "item.completed" and inner.get("type") == "agent_message":
            text = _text(inner.get("text"))
        elif kind == "turn.completed":
            found = _table(item.get("usage"))
            names = ("input_tokens", "output_tokens", "cached_input_tokens")
            usage = Usage(*(count(found.get(name)) for name in names))
        elif kind in {"turn.failed", "error"}:
            error = _text(_table(item.get("error")).get("message")) or _text(item.get("message")) or "it failed"
        models += [_text(item.get("model"))] if _text(item.get("model")) else []
    text = last if last.strip() else text
    return Printed(text, tuple(dict.fromkeys(models)), usage, "" if text else error)


def _gemini(out: str, _last: str) -> Printed:
    data: dict[str, Any] = next(iter(reversed(list(_objects(out)))), {})
    error = _table(data.get("error"))
    models = _table(_table(data.get("stats")).get("models"))
    tokens = {name: _table(_table(row).get("tokens")) for name, row in models.items()}
    usage = Usage(
        *(_total(tokens, name) for name in ("prompt", "candidates", "cached")),
    )
    said = _text(error.get("message")) or (_text(error.get("type")) if error else "")
    return Printed("" if said else _text(data.get("response")), _by_output(tokens, "candidates"), usage, said)


def _copilot(out: str, _last: str) -> Printed:
    text, error, models = "", "", list[str]()
    usage: dict[str, int] = {}
    for item in _objects(out):
        data = _table(item.get("data"))
        if item.get("type") == "assistant.message" and _text(data.get("content")):
            text = _text(data.get("content"))
        if str(item.get("type", "")).endswith("error"):
            error = _text(data.get("message")) or _text(item.get("message")) or "it failed"
        name = _text(data.get("model"))
        models += [name] if name else []
        for key in ("inputTokens", "outputTokens", "cacheReadTokens"):
            usage[key] = usage.get(key, 0) + (count(data.get(key)) or 0)
    spent = Usage(*(usage.get(key) or None for key in ("inputTokens", "outputTokens", "cacheReadTokens")))
    return Printed(text, tuple(dict.fromkeys(reversed(models)))[:1], spent, "" if text else error)


def _opencode(out: str, _last: str) -> Printed:
    text, error, usage, models = "", "", Usage(), list[str]()
    for item in _objects(out):
        part = _table(item.get("part"))
        if item.get("type") == "text":
            text += _text(part.get("text"))
        elif item.get("type") == "step_finish":
            tokens = _table(part.get("tokens"))
            cached = count(_table(tokens.get("cache")).get("read"))
            usage = Usage(count(tokens.get("input")), count(tokens.get("output")), cached)
        elif item.get("type") == "error":
            found = _table(item.get("error"))
            error = _text(_table(found.get("data")).get("message")) or _text(found.get("name")) or "it failed"
        models += [_text(part.get("modelID"))] if _text(part.get("modelID")) else []
    return Printed("" if error else text, tuple(dict.fromkeys(models)), usage, error)


READERS: Mapping[str, Reader] = {
    "text": _plain,
    "claude": _claude,
    "codex": _codex,
    "gemini": _gemini,
    "copilot": _copilot,
    "opencode": _opencode,
}


def _objects(out: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in an output that may have chatter around them: the whole, else each that begins a line."""
    whole = _object(out)
    if whole is not None:
        yield whole
        return
    decoder = json.JSONDecoder()
    place = 0
    while (place := _next_start(out, place)) >= 0:
        try:
            value, end = decoder.raw_decode(out, place)
        except (ValueError, RecursionError):
            place += 1
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


def _by_output(models: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The model that wrote the most: a CLI has smaller ones do its chores."""
    return tuple(sorted(models, key=lambda model: count(_table(models[model]).get(name)) or 0, reverse=True)[:1])
