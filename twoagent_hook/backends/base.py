"""What every backend is: something with an identity that answers a prompt by a deadline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from twoagent_hook import visible
from twoagent_hook.prompts import Prompt


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asked.

    Attributes:
        spec: as the user names it (`provider:model`, or the name of a command alone).
        model: its id, or "" where the command chooses it by itself.
        origin: scheme, host and port that requests go to, or the program that is run.
        families: the vendors whose model this may be; empty where nothing is known.
        settings: a digest of how it is reached and what is sent along: other settings may give another verdict.
    """

    spec: str
    provider: str
    model: str
    origin: str
    families: frozenset[str]
    settings: str = ""

    @property
    def label(self) -> str:
        """Who and where, for messages."""
        return f"{visible.excerpt(self.spec, 80)} at {self.origin}" if self.origin else visible.excerpt(self.spec, 80)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counts them, and dollars as it bills them; None where it does not say."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; untrusted.

    Attributes:
        text: the message; empty where there was none.
        finish: why the model stopped, as the endpoint names it; None where it does not say.
        refusal: the model's own words where it declined.
        answered: the names under which a model answered, from the reply and the gateway's headers.
        latency: seconds, all attempts together.
        attempts: how many requests it took.
        form: how it was asked to shape the reply (`json_schema`, `json_object` or `text`).
        api: over which it was asked (`chat`, `responses` or `command`).
    """

    text: str
    finish: str | None
    refusal: str | None
    answered: tuple[str, ...]
    usage: Usage
    latency: float
    attempts: int
    form: str
    api: str = "chat"


@dataclass(frozen=True, slots=True)
class Request:
    """Exactly what would be sent, without the key.

    Attributes:
        method: of HTTP, or `RUN` for a command.
        url: the address, or the command line.
        stdin: what a command would be given to read.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    stdin: str | None = None


class Backend(Protocol):
    """Answers prompts; every fault becomes one of the package's own errors."""

    @property
    def identity(self) -> Identity: ...

    def preview(self, prompt: Prompt) -> Request:
        """The first request that `complete` would send."""
        ...

    async def complete(self, prompt: Prompt, deadline: float, correction: tuple[str, str] | None = None) -> Reply:
        """Ask, and wait until `deadline` (in the time of `time.monotonic`) at the most.

        Args:
            correction: an earlier reply and what to say to it.

        Raises:
            UnreviewedError: not reachable, not allowed in, over its limits, or not in time.
            EndpointError: the endpoint refuses the request itself.
            ContextTooLongError: the prompt exceeds the model's context.
            InvalidReplyError: what came back is no reply of the protocol.
        """
        ...
