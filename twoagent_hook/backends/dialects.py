"""The two APIs that endpoints speak, chat completions and Responses: what a request and its answer look like; pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from twoagent_hook.backends.base import Usage
from twoagent_hook.prompts import Prompt

FORMS = ("json_schema", "json_object", "text")
_ANSWERED_HEADERS = ("x-litellm-model-name", "x-litellm-model-id-name", "openai-model", "x-model")
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
            finish=_text(choices[0].get("finish_reason")),
            refusal=_text(message.get("refusal")),
            answered=_answered(data, answer.headers),
            usage=_usage(data.get("usage"), "prompt", "completion"),
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
        parts = [part for item in _final(output) for part in _list(item.get("content")) if isinstance(part, dict)]
        texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
        refusals = [part.get("refusal") for part in parts if part.get("type") == "refusal"]
        return Message(
            text="".join(text for text in texts if isinstance(text, str)),
            finish=_ended(data),
            refusal=next((text for text in map(_text, refusals) if text), None),
            answered=_answered(data, answer.headers),
            usage=_usage(data.get("usage"), "input", "output"),
        )


DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (_Chat(), _Responses())}


def _turns(prompt: Prompt, correction: Correction | None) -> list[dict[str, str]]:
    turns = [{"role": "user", "content": prompt.user}]
    if correction is not None:
        turns.append({"role": "assistant", "content": correction[0]})
        turns.append({"role": "user", "content": correction[1]})
    return turns


def _final(output: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The messages that are the answer: some models comment on their work in messages of their own before it."""
    messages = [item for item in output if isinstance(item, dict) and item.get("type") == "message"]
    final: list[Mapping[str, Any]] = [item for item in messages if item.get("phase") in {None, "final_answer"}]
    return final or list(messages)


def _ended(data: Mapping[str, Any]) -> str | None:
    """Why the model stopped; `incomplete` has its reason beside it."""
    details = data.get("incomplete_details")
    reason = _text(details.get("reason")) if isinstance(details, dict) else None
    return reason or _text(data.get("status"))


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


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


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


def _usage(usage: Any, prompt: str, output: str) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get(f"{prompt}_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(count(usage.get(f"{prompt}_tokens")), count(usage.get(f"{output}_tokens")), count(cached))


def count(value: Any) -> int | None:
    """A number of tokens, or None for what can't be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None
