"""Chat completions through the openai package: its only importer.

The request is as lean as the endpoints differ: model, messages and the form of the reply; no temperature, no
seed, no role `developer`, which one provider or another refuses. The package's own retries, redirects and
time-outs are off: one wall clock bounds everything, and a redirect would send the change to another host.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import openai

from twoagent_hook import visible
from twoagent_hook.addresses import loopback
from twoagent_hook.backends.base import Identity, Reply, Request, Usage
from twoagent_hook.config import Provider
from twoagent_hook.errors import (
    ContextTooLongError,
    EndpointError,
    InvalidReplyError,
    TwoAgentError,
    UnreviewedError,
)
from twoagent_hook.prompts import Prompt

BODY_LIMIT = 4 << 20  # bytes of a reply
FORMS = ("json_schema", "json_object", "text")
_RETRIED = {408, 409, 429}
_RECONNECT_SECONDS = 2.0
_FORM_WORDS = (
    "response_format",
    "json_schema",
    "json_object",
    "structured",
    "text.format",
    "requested parameters",
    "unavailable now",
)
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
_SECRET_LENGTH = 8  # characters; what is shorter would mask ordinary words
_ANSWERED_HEADERS = ("x-litellm-model-name", "x-litellm-model-id-name", "openai-model", "x-model")


class _TooLargeError(Exception):
    """The body went over its limit, or came compressed although that was not accepted."""


class _DroppedError(Exception):
    """The connection ended before the body did."""


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class ChatBackend:
    """One model behind one OpenAI-compatible endpoint."""

    def __init__(self, identity: Identity, provider: Provider, key: str | None, variables: Mapping[str, str]) -> None:
        self._identity = identity
        self._provider = provider
        self._key = key
        self._variables = variables
        self._step = 0

    @property
    def identity(self) -> Identity:
        return self._identity

    def preview(self, prompt: Prompt) -> Request:
        form = self._forms(prompt)[0]
        headers = {"Authorization": "Bearer ***"} if self._key else {}
        url = f"{self._provider.base_url.rstrip('/')}/chat/completions"
        return Request(
            "POST",
            url,
            headers | dict.fromkeys(self._provider.headers, "***"),
            self._body(prompt, form, None),
        )

    def _forms(self, prompt: Prompt) -> tuple[str, ...]:
        return FORMS if prompt.schema is not None else ("text",)

    def _body(self, prompt: Prompt, form: str, correction: tuple[str, str] | None) -> dict[str, Any]:
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        if correction is not None:
            messages.append({"role": "assistant", "content": correction[0]})
            messages.append({"role": "user", "content": correction[1]})
        body: dict[str, Any] = {"model": self._identity.model, "messages": messages}
        if form == "json_schema":
            schema = {"name": "review", "strict": True, "schema": prompt.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif form == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body | dict(self._provider.extra_body)

    async def complete(self, prompt: Prompt, deadline: float, correction: tuple[str, str] | None = None) -> Reply:
        started = time.monotonic()
        if self._provider.timeout is not None:
            deadline = min(deadline, started + self._provider.timeout)
        try:
            async with asyncio.timeout(max(0.0, deadline - started)):
                async with self._open() as client:
                    answer, form, attempts = await self._climb_down(client, prompt, correction, deadline)
        except TimeoutError:
            seconds = time.monotonic() - started
            raise UnreviewedError(f"{self._name} gave no answer within {seconds:.0f} s", _MORE_TIME) from None
        return self._reply(answer, form, attempts, time.monotonic() - started)

    @property
    def _local(self) -> bool:
        return loopback(urlsplit(self._provider.base_url).hostname or "")

    @property
    def _name(self) -> str:
        return f"{visible.excerpt(self._identity.spec, 80)} at {self._identity.origin}"

    def _open(self) -> openai.AsyncOpenAI:
        try:
            return self._client()
        except (ImportError, OSError, TypeError, ValueError, _http().InvalidURL) as error:
            # Not its message: it may quote a proxy's password.
            what = f"{self._name}: the client can't be set up ({type(error).__name__})"
            do = "check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR (SOCKS needs the package socksio)"
            raise EndpointError(what, do) from None

    def _client(self) -> openai.AsyncOpenAI:
        own_host = self._identity.origin == "https://api.openai.com"
        absent = openai.Omit()
        headers: dict[str, Any] = {
            "Accept-Encoding": "identity",
            "OpenAI-Organization": (own_host and self._variables.get("OPENAI_ORG_ID")) or absent,
            "OpenAI-Project": (own_host and self._variables.get("OPENAI_PROJECT_ID")) or absent,
        }
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._provider.base_url.rstrip("/"),
            max_retries=0,
            timeout=None,
            default_headers=headers | dict(self._provider.headers),
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                event_hooks={"response": [_bound]},
                trust_env=not self._local,  # a proxy can't reach this machine's own servers
                verify=_http().create_ssl_context(),  # with SSL_CERT_FILE, which is no proxy's
            ),
        )

    async def _climb_down(
        self, client: openai.AsyncOpenAI, prompt: Prompt, correction: tuple[str, str] | None, deadline: float
    ) -> tuple[_Answer, str, int]:
        """Ask in the strictest form first, and take the next one where the endpoint does not know it."""
        attempts = 0
        for form in self._forms(prompt)[self._step :]:
            answer, tries = await self._persist(client, self._body(prompt, form, correction), deadline)
            attempts += tries
            if answer.status == 200:
                return answer, form, attempts
            said = answer.body.decode("utf-8", "replace").lower()
            form_refused = answer.status in {400, 404, 422} and any(word in said for word in _FORM_WORDS)
            if not form_refused or form == FORMS[-1]:
                break
            self._step += 1  # the next request to this endpoint begins where this one ended
        raise self._refusal(answer.status, answer.body)

    async def _persist(self, client: openai.AsyncOpenAI, body: dict[str, Any], deadline: float) -> tuple[_Answer, int]:
        """Send until there is an answer that repeating would not change; the deadline ends it from outside."""
        attempts = 0
        reconnected = False
        while True:
            attempts += 1
            try:
                answer = await self._send(client, body)
            except (openai.APIConnectionError, _DroppedError) as error:
                if reconnected:
                    raise self._unreachable(error) from None
                reconnected = True
                await asyncio.sleep(min(_RECONNECT_SECONDS, 0.25 + random.random() / 4))  # noqa: S311
                continue
            if answer.status not in _RETRIED and answer.status < 500:
                return answer, attempts
            pause = _pause(answer.headers, attempts)
            if time.monotonic() + pause >= deadline or attempts > 5 or _hopeless(answer):
                return answer, attempts
            await asyncio.sleep(pause)

    async def _send(self, client: openai.AsyncOpenAI, body: dict[str, Any]) -> _Answer:
        call = client.chat.completions.with_streaming_response.create
        extra = {key: value for key, value in body.items() if key not in {"model", "messages", "response_format"}}
        known = {key: value for key, value in body.items() if key not in extra}
        no_key = {"Authorization": openai.Omit()} if self._key is None else None
        try:
            async with call(**known, extra_body=extra or None, extra_headers=no_key) as response:
                chunks = [chunk async for chunk in response.iter_bytes()]
                whole = self._masked(b"".join(chunks))
                return _Answer(_status(response.status_code, whole), response.headers, whole)
        except openai.APIStatusError as error:
            return _Answer(error.status_code, error.response.headers, self._masked(error.response.content))
        except _TooLargeError as error:
            raise InvalidReplyError(f"{self._name}: {error}", _WRONG_SERVER) from None

    def _masked(self, body: bytes) -> bytes:
        """The body without the key and the headers' values, which a server may echo, and we would print and keep."""
        for value in (self._key or "", *self._provider.headers.values()):
            if len(value) >= _SECRET_LENGTH:
                body = body.replace(value.encode(), b"***")
        return body

    def _unreachable(self, error: Exception) -> TwoAgentError:
        causes = _causes(error)
        if any(isinstance(cause, _TooLargeError) for cause in causes):
            text = next(str(cause) for cause in causes if isinstance(cause, _TooLargeError))
            return InvalidReplyError(f"{self._name}: {text}", _WRONG_SERVER)
        names = " ".join(f"{type(cause).__name__} {cause}" for cause in causes).lower()
        if "localprotocolerror" in names or "illegal header" in names:
            do = "set the key and the headers of this provider again"
            return EndpointError(f"{self._name}: the key or a header holds a character that can't be sent", do)
        if "certificate" in names or "ssl" in names or "tls" in names:
            do = "for a company's own certificate authority set SSL_CERT_FILE to its certificates"
            return UnreviewedError(f"{self._name}: the TLS certificate or handshake was not accepted", do)
        if self._variables.get("CODEX_SANDBOX_NETWORK_DISABLED"):
            do = "allow the network for this command, or commit outside of the sandbox"
            return UnreviewedError(f"{self._name} can't be reached: this sandbox has no network", do)
        why = "its name can't be resolved" if any(word in names for word in _DNS_WORDS) else "the connection failed"
        return UnreviewedError(
            f"{self._name} can't be reached: {why}", "check the network and `base-url`, then try again"
        )

    def _refusal(self, status: int, body: bytes) -> TwoAgentError:
        said = _said(body)
        lower = body.decode("utf-8", "replace").lower()
        if status in {400, 413, 422} and (status == 413 or any(word in lower for word in _CONTEXT_WORDS)):
            return ContextTooLongError(f"{self._name}: the change is too long for this model{said}", _SMALLER)
        if 300 <= status < 400:
            do = "set `base-url` to the address that answers by itself"
            return EndpointError(f"{self._name} redirects elsewhere ({status}), and a change is not sent on", do)
        if status in {401, 402, 403}:
            do = f"check the key in {self._provider.api_key_env or 'your own file'} and what it may do"
            return UnreviewedError(f"{self._name} does not let us in ({status}){said}", do)
        if status in _RETRIED or status >= 500:
            what = "is over its limits" if status == 429 else "is failing"
            return UnreviewedError(
                f"{self._name} {what} ({status}){said}", "try again later, or name another reviewer"
            )
        if status == 404:
            do = f"check the model's name and `base-url` ({self._provider.base_url}), which usually ends with /v1"
            return EndpointError(f"{self._name} knows no such model or address (404){said}", do)
        do = "check the model and what this provider's API takes"
        return EndpointError(f"{self._name} refuses the request ({status}){said}", do)

    def _reply(self, answer: _Answer, form: str, attempts: int, latency: float) -> Reply:
        data = self._envelope(answer)
        choices = data.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise InvalidReplyError(f"{self._name}: the reply has no choices", _TRY_ANOTHER)
        if len(choices) > 1:
            raise InvalidReplyError(f"{self._name}: the reply holds more than one choice", _TRY_ANOTHER)
        message = choices[0].get("message")
        message = message if isinstance(message, dict) else {}
        finish = choices[0].get("finish_reason")
        refusal = message.get("refusal")
        return Reply(
            text=_content(message.get("content")),
            finish=finish if isinstance(finish, str) else None,
            refusal=refusal if isinstance(refusal, str) and refusal.strip() else None,
            answered=_answered(data, answer.headers),
            usage=_usage(data.get("usage")),
            latency=latency,
            attempts=attempts,
            form=form,
        )

    def _envelope(self, answer: _Answer) -> dict[str, Any]:
        text = answer.body.decode("utf-8", "replace")
        if not text.strip():
            raise InvalidReplyError(f"{self._name}: the reply is empty", _TRY_ANOTHER)
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            html = text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))
            what = "a web page came back, not a reply" if html else "the reply is not JSON"
            raise InvalidReplyError(f"{self._name}: {what}", _WRONG_SERVER) from None
        if not isinstance(data, dict):
            raise InvalidReplyError(f"{self._name}: the reply is not a JSON object", _WRONG_SERVER)
        return data


_MORE_TIME = "raise `timeout`, or name a faster reviewer"
_SMALLER = "split the commit, lower max-input-tokens, or name a reviewer with a larger context"
_WRONG_SERVER = "check `base-url`: it should be the root of an OpenAI-compatible API, usually ending with /v1"
_TRY_ANOTHER = "try again, or name another reviewer"
_DNS_WORDS = ("gaierror", "name or service", "nodename", "name resolution", "no address associated")


def _status(status: int, body: bytes) -> int:
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
    return code if isinstance(code, int) and 400 <= code <= 599 else 400


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _pause(headers: Mapping[str, str], attempts: int) -> float:
    """Seconds to wait: what the endpoint asks for, else doubling from half a second with some jitter."""
    asked = headers.get("retry-after-ms"), headers.get("retry-after")
    for text, unit in zip(asked, (0.001, 1.0), strict=True):
        try:
            return max(0.0, float(text or "") * unit)
        except ValueError:
            continue
    return 0.5 * float(2 ** (attempts - 1)) * (1 + random.random() / 4)  # noqa: S311


def _hopeless(answer: _Answer) -> bool:
    """An exhausted quota has the status of a busy server, and waiting does not help."""
    return answer.status == 429 and b"insufficient_quota" in answer.body


def _said(body: bytes) -> str:
    """What the endpoint itself says, as one short visible text."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    data = data[0] if isinstance(data, list) and data else data
    if isinstance(data, dict):
        error = data.get("error", data.get("detail", data.get("message", "")))
        text = str(error.get("message", "")) if isinstance(error, dict) else str(error)
    elif text.lstrip().startswith("<"):
        text = ""
    return f": {visible.excerpt(text, 200)}" if text.strip() else ""


def _content(content: Any) -> str:
    """The text of a message; some servers give a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _answered(data: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, ...]:
    names = [data.get("model"), *(headers.get(name) for name in _ANSWERED_HEADERS)]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name.strip()))


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else None


async def _bound(response: Any) -> None:
    """Refuse a compressed body, and let no body grow over the limit, on errors as on success.

    A few hundred kilobytes of gzip can unfold to as many megabytes, so none is accepted.
    """
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise _TooLargeError("the reply is compressed, which was not accepted")
    response.stream = _bounded(response.stream)


def _http() -> Any:
    """The HTTP library below the openai package: httpx in its version 2, httpx2 in its version 3."""
    return sys.modules[openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]]


def _bounded(stream: Any) -> Any:
    http = _http()
    parent: Any = http.AsyncByteStream

    class Bounded(parent):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            try:
                async for chunk in stream:
                    size += len(chunk)
                    if size > BODY_LIMIT:
                        raise _TooLargeError(f"the reply is larger than {BODY_LIMIT >> 20} MB")
                    yield chunk
            except http.TransportError as error:
                raise _DroppedError from error

        async def aclose(self) -> None:
            await stream.aclose()

    return Bounded()
