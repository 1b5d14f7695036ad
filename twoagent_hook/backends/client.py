"""One connection to an OpenAI-compatible endpoint, bounded in time and size: the only importer of openai.

The package's own retries, redirects and time-outs are off: one wall clock bounds everything, and a redirect would
send the change to another host.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import openai

from twoagent_hook import visible
from twoagent_hook.addresses import loopback
from twoagent_hook.backends import refusals
from twoagent_hook.backends.base import Identity
from twoagent_hook.backends.dialects import Answer
from twoagent_hook.config import Provider
from twoagent_hook.errors import EndpointError, InvalidReplyError, TwoAgentError, UnreviewedError

BODY_LIMIT = 4 << 20  # bytes of a reply
_CONNECT_SECONDS = 10.0
_RECONNECT_SECONDS = 2.0
_MOST_TRIES = 6
_HURRIED_TRIES = 2
_HURRIED_SECONDS = 5.0  # a pause that is worth while although another reviewer could be asked
_SECRET_LENGTH = 8  # characters; what is shorter would mask ordinary words
_MODELS_LIMIT = 2000


class _TooLargeError(Exception):
    """The body went over its limit, or came compressed although that was not accepted."""


class _DroppedError(Exception):
    """The connection ended before the body did."""


class Client:
    """Sends bodies to one endpoint; an asynchronous context manager.

    Args:
        hurried: whether somebody else could be asked, so that long waits for this one are not worth while.
    """

    def __init__(
        self,
        identity: Identity,
        provider: Provider,
        key: str | None,
        variables: Mapping[str, str],
        *,
        hurried: bool = False,
    ) -> None:
        self._identity = identity
        self._provider = provider
        self._key = key
        self._variables = variables
        self._hurried = hurried
        self._open = self._opened()
        self.put_off: Answer | None = None  # the last answer after which it was to be asked again

    async def __aenter__(self) -> Self:
        await self._open.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    @property
    def name(self) -> str:
        return self._identity.label

    def _opened(self) -> openai.AsyncOpenAI:
        try:
            return self._client()
        except (ImportError, OSError, TypeError, ValueError, _http().InvalidURL) as error:
            # Not its message: it may quote a proxy's password.
            what = f"{self.name}: the client can't be set up ({type(error).__name__})"
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
        local = loopback(urlsplit(self._provider.base_url).hostname or "")
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._provider.base_url.rstrip("/"),
            max_retries=0,
            timeout=openai.Timeout(None, connect=_CONNECT_SECONDS),
            default_headers=headers | dict(self._provider.headers),
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                event_hooks={"response": [_bound]},
                trust_env=not local,  # a proxy can't reach this machine's own servers
                verify=self._trust(),
            ),
        )

    def _trust(self) -> ssl.SSLContext:
        """Whom to believe: the system's authorities, or SSL_CERT_FILE's, which is no proxy's.

        Reading them takes longer than a whole request to this machine, and plain http asks nobody for a certificate:
        there nobody is believed, so that nothing but plain http can come of it.
        """
        if urlsplit(self._provider.base_url).scheme == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context: ssl.SSLContext = _http().create_ssl_context()
        return context

    async def persist(self, dialect: str, body: Mapping[str, Any], deadline: float) -> tuple[Answer, int]:
        """Send until there is an answer that repeating would not change; the deadline ends it from outside.

        Returns:
            the answer, and how many requests it took.

        Raises:
            TwoAgentError: there is none.
        """
        attempts = 0
        reconnected = False
        while True:
            attempts += 1
            try:
                answer = await self._send(dialect, body)
            except (openai.APIConnectionError, _DroppedError) as error:
                # A host that did not even take the connection in that time won't do so the next moment.
                if reconnected or isinstance(error, openai.APITimeoutError):
                    raise self._unreachable(error) from None
                reconnected = True
                await asyncio.sleep(min(_RECONNECT_SECONDS, 0.25 + random.random() / 4))  # noqa: S311
                continue
            if not refusals.passing(answer.status):
                return answer, attempts
            pause = _pause(answer.headers, attempts)
            self.put_off = answer
            if refusals.hopeless(answer) or not self._worth(pause, attempts, deadline):
                return answer, attempts
            await asyncio.sleep(pause)

    def _worth(self, pause: float, attempts: int, deadline: float) -> bool:
        if self._hurried and (pause > _HURRIED_SECONDS or attempts >= _HURRIED_TRIES):
            return False
        return time.monotonic() + pause < deadline and attempts < _MOST_TRIES

    async def _send(self, dialect: str, body: Mapping[str, Any]) -> Answer:
        resource: Any = self._open.responses if dialect == "responses" else self._open.chat.completions
        known = {key: value for key, value in body.items() if key in _NAMED}
        extra = {key: value for key, value in body.items() if key not in _NAMED}
        call = resource.with_streaming_response.create
        try:
            async with call(**known, extra_body=extra or None, extra_headers=self._unsigned()) as response:
                chunks = [chunk async for chunk in response.iter_bytes()]
                whole = self._masked(b"".join(chunks))
                return Answer(refusals.status_meant(response.status_code, whole), response.headers, whole)
        except openai.APIStatusError as error:
            return Answer(error.status_code, error.response.headers, self._masked(error.response.content))
        except _TooLargeError as error:
            raise self._invalid(error) from None

    def _unsigned(self) -> dict[str, Any] | None:
        """Takes the header off that the package would make of no key."""
        return {"Authorization": openai.Omit()} if self._key is None else None

    async def models(self) -> tuple[str, ...]:
        """The ids of the models that the endpoint says it offers.

        Raises:
            TwoAgentError: it does not say.
        """
        try:
            answer = await self._open.models.with_raw_response.list(extra_headers=self._unsigned())
            found = _ids(self._masked(answer.http_response.content))
        except openai.APIStatusError as error:
            refusal = Answer(error.status_code, error.response.headers, self._masked(error.response.content))
            raise self.refusal(refusal) from None
        except openai.APIConnectionError as error:
            raise self._unreachable(error) from None
        except _TooLargeError as error:
            raise self._invalid(error) from None
        if found is None:
            raise refusals.of_envelope("it does not list its models", self.name, wrong_server=True)
        return found

    def refusal(self, answer: Answer) -> TwoAgentError:
        """What to tell of an answer that is none."""
        provider = self._provider
        key = "the key that `api-key-command` prints" if provider.api_key_command else "the key in "
        if not provider.api_key_command:
            key += provider.api_key_env or "your own file"
        return refusals.of_answer(answer, self.name, key, provider.base_url)

    def _unreachable(self, error: Exception) -> TwoAgentError:
        large = next((cause for cause in refusals.causes(error) if isinstance(cause, _TooLargeError)), None)
        return self._invalid(large) if large else refusals.of_failure(error, self.name, self._variables)

    def _invalid(self, error: Exception) -> InvalidReplyError:
        return InvalidReplyError(f"{self.name}: {error}", refusals.WRONG_SERVER)

    def _masked(self, body: bytes) -> bytes:
        """The body without the key and the headers' values, which a server may echo, and we would print and keep."""
        values = [self._key or "", *self._provider.headers.values()]
        values = [value for value in values if len(value) >= _SECRET_LENGTH]
        for value in values:
            body = body.replace(value.encode(), b"***")
        return _without(values, body) if b"\\" in body else body


def _without(values: Sequence[str], body: bytes) -> bytes:
    """The same for JSON that spells a value in another way: `\\/` for a slash, `\\u003c`, or all of it so."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
    spelled = [json.dumps(value, ensure_ascii=False)[1:-1] for value in values]
    if not any(value in text for value in spelled):
        return body
    for value in spelled:
        text = text.replace(value, "***")
    return text.encode("utf-8", "surrogatepass")


_NAMED = {"model", "messages", "response_format", "input", "instructions", "text", "store"}


def out_of_time(name: str, seconds: float) -> UnreviewedError:
    return UnreviewedError(f"{name} gave no answer within {seconds:.0f} s", refusals.MORE_TIME)


def _ids(body: bytes) -> tuple[str, ...] | None:
    """The ids in a list of models, in whichever of the usual envelopes; None where it is none."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    rows = data.get("data", data.get("models")) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        return None
    found = [row.get("id", row.get("name")) for row in rows if isinstance(row, dict)]
    return tuple(visible.excerpt(name, 200) for name in found if isinstance(name, str) and name.strip())[
        :_MODELS_LIMIT
    ]


def _pause(headers: Mapping[str, str], attempts: int) -> float:
    """Seconds to wait: what the endpoint asks for, else doubling from half a second with some jitter."""
    asked = headers.get("retry-after-ms"), headers.get("retry-after")
    for text, unit in zip(asked, (0.001, 1.0), strict=True):
        try:
            return max(0.0, float(text or "") * unit)
        except ValueError:
            continue
    return 0.5 * float(2 ** (attempts - 1)) * (1 + random.random() / 4)  # noqa: S311


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
