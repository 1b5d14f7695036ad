"""What it means that an endpoint refuses or can't be reached: the ladder's next step, or whose fault it is; pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from twoagent_hook import datafiles, visible
from twoagent_hook.backends.dialects import Answer
from twoagent_hook.errors import (
    ContextTooLongError,
    EndpointError,
    InvalidReplyError,
    TwoAgentError,
    UnreviewedError,
)

_RETRIED = frozenset({408, 409, 429})
_FINAL = frozenset({501, 505})  # no such thing there, and not the next moment either
MORE_TIME = (
    "run `twoagent-hook review --timeout 300` and commit then (what was answered is kept), raise `timeout`, or name a "
    "faster reviewer"
)
SMALLER = "split the commit, lower max-input-tokens, or name a reviewer with a larger context"
WRONG_SERVER = "check `base-url`: it should be the root of an OpenAI-compatible API, usually ending with /v1"
TRY_ANOTHER = "try again, or name another reviewer"
_NO_NETWORK = "allow the network for this command, or commit outside of the sandbox"
_FORM_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "structured",
    "text.format",
    "requested parameters",
    "unavailable now",
    "response_schema",
    "json_validate_failed",
    "failed to parse grammar",
)
_OTHER_API_WORDS = ("v1/responses", "not a chat model", "unsupported_api_for_model", "responses api")
_CONTEXT_WORDS = (
    "context_length_exceeded",
    "context length",
    "context window",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "contextwindowexceeded",
    "exceeds the available context",
    "input is too long",
)
_KEY_WORDS = ("no connected db", "api key not valid", "invalid api key", "incorrect api key")
_STATUS_OF_CODE = {"server_error": 500, "rate_limit_exceeded": 429}  # of a Responses object that failed
_DNS_WORDS = ("gaierror", "name or service", "nodename", "name resolution", "no address associated")


def _lower(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace").lower()


def refuses_form(answer: Answer) -> bool:
    """Whether the endpoint does not know the form of the reply that was asked for."""
    return answer.status in {400, 404, 422} and any(word in _lower(answer) for word in _FORM_WORDS)


def refuses_dialect(answer: Answer, dialect: str) -> bool:
    """Whether the endpoint says, or its missing path does, that this model is to be asked over the other API."""
    if dialect == "responses":
        return answer.status in {404, 405, 501}
    return answer.status in {400, 404} and any(word in _lower(answer) for word in _OTHER_API_WORDS)


def refuses_store(answer: Answer) -> bool:
    """Whether it does not know the field that asks it to keep nothing."""
    return answer.status in {400, 422} and re.search(r"""["'`]store\\?["'`]""", _lower(answer)) is not None


def passing(status: int) -> bool:
    """Whether the same request may succeed a little later."""
    return status in _RETRIED or (status >= 500 and status not in _FINAL)


def hopeless(answer: Answer) -> bool:
    """An exhausted quota has the status of a busy server, and waiting does not help."""
    return answer.status == 429 and b"insufficient_quota" in answer.body


def of_answer(answer: Answer, name: str, key: str, base_url: str) -> TwoAgentError:
    """What to tell of an answer that is none.

    Args:
        name: who was asked, for the message.
        key: where its key stands, for the message.
    """
    status, tail = answer.status, said(answer.body)
    lower = _lower(answer)
    if status in {400, 413, 422} and (status == 413 or any(word in lower for word in _CONTEXT_WORDS)):
        return ContextTooLongError(f"{name}: the change is too long for this model{tail}", SMALLER)
    if 300 <= status < 400:
        do = "set `base-url` to the address that answers by itself"
        return EndpointError(f"{name} redirects elsewhere ({status}), and a change is not sent on", do)
    if status in {401, 402, 403} or (status == 400 and any(word in lower for word in _KEY_WORDS)):
        return UnreviewedError(f"{name} does not let us in ({status}){tail}", f"check {key} and what it may do")
    if status in _RETRIED or status >= 500:
        what = "is over its limits" if status == 429 else "is failing"
        return UnreviewedError(f"{name} {what} ({status}){tail}", "try again later, or name another reviewer")
    if status == 404:
        do = f"check the model's name (`twoagent-hook doctor --online` lists them) and `base-url` ({base_url})"
        return EndpointError(
            f"{name} knows no such model or address (404){tail}", f"{do}, which usually ends with /v1"
        )
    return EndpointError(
        f"{name} refuses the request ({status}){tail}", "check the model and what this provider's API takes"
    )


def of_failure(error: BaseException, name: str, variables: Mapping[str, str]) -> TwoAgentError:
    """What to tell of a request that got no answer."""
    found = causes(error)
    names = " ".join(f"{type(cause).__name__} {cause}" for cause in found).lower()
    if "localprotocolerror" in names or "illegal header" in names:
        do = "set the key and the headers of this provider again"
        return EndpointError(f"{name}: the key or a header holds a character that can't be sent", do)
    if "certificate" in names or "ssl" in names or "tls" in names:
        do = "for a company's own certificate authority set SSL_CERT_FILE to its certificates"
        return UnreviewedError(f"{name}: the TLS certificate or handshake was not accepted", do)
    confined = sandbox(variables)
    if confined is not None:
        return UnreviewedError(f"{name} can't be reached: {confined}", _NO_NETWORK)
    if any(isinstance(cause, PermissionError) for cause in found):
        return UnreviewedError(f"{name} can't be reached: this sandbox does not allow the network", _NO_NETWORK)
    why = "its name can't be resolved" if any(word in names for word in _DNS_WORDS) else "the connection failed"
    why = "it does not take the connection" if "connecttimeout" in names else why
    return UnreviewedError(f"{name} can't be reached: {why}", "check the network and `base-url`, then try again")


def of_envelope(what: str, name: str, *, wrong_server: bool) -> TwoAgentError:
    return InvalidReplyError(f"{name}: {what}", WRONG_SERVER if wrong_server else TRY_ANOTHER)


def sandbox(variables: Mapping[str, str]) -> str | None:
    """The agent's sandbox without network in which this runs, as a sentence, or None where none is known."""
    rows = datafiles.packaged_toml("agents.toml")["sandboxes"]
    return next((row["says"] for row in rows if variables.get(row["variable"], "").strip()), None)


def causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def status_meant(status: int, body: bytes) -> int:
    """The status that an answer means: some gateways report an error inside of a 200, with its own code."""
    if status != 200 or b'"error"' not in body:
        return status
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return status
    error = data.get("error") if isinstance(data, dict) else None
    if not error:
        return status
    code = error.get("code") if isinstance(error, dict) else None
    code = _STATUS_OF_CODE.get(code, code) if isinstance(code, str) else code
    return code if isinstance(code, int) and 400 <= code <= 599 else 400


def said(body: bytes) -> str:
    """What the endpoint itself says, as one short visible text that follows a colon; empty where it says nothing."""
    text = body.decode("utf-8", "replace")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    data = data[0] if isinstance(data, list) and data else data
    if isinstance(data, dict):
        error = data.get("error", data.get("detail", data.get("message", "")))
        text = str(error.get("message", "")) if isinstance(error, dict) else str(error)
    elif text.lstrip().startswith("<"):
        text = ""
    return f": {visible.excerpt(text, 200)}" if text.strip() else ""
