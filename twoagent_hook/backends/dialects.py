"""The two APIs that endpoints speak, chat completions and Responses: what a request and its answer look like; pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from twoagent_hook.backends.base import Usage
from twoagent_hook.prompts import Prompt

FORMS = ("json_schema", "json_object", "text")
_ANSWERED_HEADERS = ("x-litellm-model-name", "x-litellm-model-id-name", "openai-model", "x-model")
_COST_HEADERS = ("x-litellm-response-cost",)
_INSTRUCTED_ROLE = "system"  # never `developer`, which several servers refuse

Correction = tuple[str, str]  # an earlier reply, and what to say to it


class Answer(NamedTuple):
    """One HTTP answer; the body is without the key."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Message(NamedTuple):
    """What a model said, as far as the envelope tells; see `base.Reply`."""

    text: str
    finish: str | None
    refusal: str | None
    answered: tuple[str, ...]
    usage: Usage


class UnreadableError(Exception):
    """The answer is no envelope of the API; the text says in which way."""

    def __init__(self, what: str, *, wrong_server: bool = False) -> None:
        super().__init__(what)
        self.wrong_server = wrong_server


class Dialect(Protocol):
    """One API."""

    name: str
    path: str

    def body(self, model: str, prompt: Prompt, form: str, correction: Correction | None) -> dict[str, Any]:
        """The request, as lean as the endpoints differ: no temperature, no seed, no cap."""
        ...

    def message(self, answer: Answer) -> Message:
        """What an answer with status 200 says.

        Raises:
            UnreadableError: it is no envelope of this API.
        """
        ...


class _Chat:
    name = "chat"
    path = "/chat/completions"

    def body(self, model: str, prompt: Prompt, form: str, correction: Correction | None) -> dict[str, Any]:
        system = {"role": _INSTRUCTED_ROLE, "content": prompt.system}
        body: dict[str, Any] = {"model": model, "messages": [system, *_turns(prompt, correction)]}
        if form == "json_schema":
            schema = {"name": "review", "strict": True, "schema": prompt.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def message(self, answer: Answer) -> Message:
        data = _envelope(answer)
        choices = data.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise UnreadableError("the reply has no choices")
        if len(choices) > 1:
            raise UnreadableError("the reply holds more than one choice")
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        return Message(
            text=_content(message.get("content")),
            finish=_word(choices[0], "finish_reason"),
            refusal=_word(message, "refusal"),
            answered=_answered(data, answer.headers),
            usage=_usage(data.get("usage"), "prompt", "completion", answer.headers),
        )


class _Responses:
    name = "responses"
    path = "/responses"

    def body(self, model: str, prompt: Prompt, form: str, correction: Correction | None) -> dict[str, Any]:
        # `store`: else the official API keeps the change for weeks.
        body: dict[str, Any] = {"model": model, "instructions": prompt.system, "store": False}
        body["input"] = _turns(prompt, correction)
        if form == "json_schema":
            schema = {"type": form, "name": "review", "strict": True, "schema": prompt.schema}
            body["text"] = {"format": schema}
        elif form == "json_object":
            body["text"] = {"format": {"type": form}}
        return body

    def message(self, answer: Answer) -> Message:
        data = _envelope(answer)
        output = data.get("output")
        if not isinstance(output, list):
            raise UnreadableError("the reply has no output")
        final = _final(output)
        parts = [part for item in final for part in _list(item.get("content")) if isinstance(part, dict)]
        texts = [_given(part, "text") for part in parts if part.get("type") == "output_text"]
        declined = [part for part in parts if part.get("type") == "refusal"]
        return Message(
            text="".join(texts),
            finish=_ended(data, final),
            refusal=(_word(declined[0], "refusal") or "without a word") if declined else None,
            answered=_answered(data, answer.headers),
            usage=_usage(data.get("usage"), "input", "output", answer.headers),
        )


DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (_Chat(), _Responses())}


def _turns(prompt: Prompt, correction: Correction | None) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": prompt.user}]
    if correction is not None:
        turns.append({"role": "assistant", "content": correction[0]})
        turns.append({"role": "user", "content": correction[1]})
    return turns


def _final(output: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The messages that are the answer: some models comment on their work in messages of their own before it.

    Raises:
        UnreadableError: one is of somebody else, or its phase is no word.
    """
    messages = [item for item in output if isinstance(item, dict) and item.get("type") == "message"]
    if any(_word(item, "role") not in {None, "assistant"} for item in messages):
        raise UnreadableError("the reply holds a message that is not the model's")
    return [item for item in messages if _word(item, "phase") in {None, "final_answer"}]


def _ended(data: Mapping[str, Any], final: Sequence[Mapping[str, Any]]) -> str | None:
    """Why the model stopped: the reason beside `incomplete`, else a status, of which any but one is an early end."""
    details = data.get("incomplete_details")
    if details is not None and not isinstance(details, dict):
        raise UnreadableError("the reply says in no known way whether it is complete")
    reason = _word(details or {}, "reason")
    statuses = [_word(item, "status") for item in (data, *final)]
    early = next((status for status in statuses if status not in {None, "completed"}), None)
    return reason or early or statuses[0]


def _word(table: Mapping[str, Any], key: str) -> str | None:
    """A text, or None where there is none; what is neither can't be overlooked.

    Raises:
        UnreadableError: it is something else.
    """
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise UnreadableError(f"the reply's {key} is no text")
    return value if value and value.strip() else None


def _given(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise UnreadableError(f"the reply's {key} is no text")
    return value


def _envelope(answer: Answer) -> dict[str, Any]:
    text = answer.body.decode("utf-8", "replace")
    if not text.strip():
        raise UnreadableError("the reply is empty")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        html = text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))
        what = "a web page came back, not a reply" if html else "the reply is not JSON"
        raise UnreadableError(what, wrong_server=True) from None
    if not isinstance(data, dict):
        raise UnreadableError("the reply is not a JSON object", wrong_server=True)
    return data


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _content(content: Any) -> str:
    """The text of a message; some servers give a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _answered(data: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, ...]:
    names = [data.get("model"), *(headers.get(name) for name in _ANSWERED_HEADERS)]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name.strip()))


def _usage(usage: Any, prompt: str, output: str, headers: Mapping[str, str]) -> Usage:
    billed = next((found for found in (dollars(headers.get(name)) for name in _COST_HEADERS) if found), None)
    if not isinstance(usage, dict):
        return Usage(cost_usd=billed)
    details = usage.get(f"{prompt}_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        count(usage.get(f"{prompt}_tokens")),
        count(usage.get(f"{output}_tokens")),
        count(cached),
        dollars(usage.get("cost")) if billed is None else billed,
    )


def count(value: Any) -> int | None:
    """A number of tokens, or None for what can't be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None


def dollars(value: Any) -> float | None:
    """A price, or None for what can't be one."""
    try:
        price = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return price if 0 <= price < 1_000_000 else None
