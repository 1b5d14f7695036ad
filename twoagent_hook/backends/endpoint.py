"""A model behind an OpenAI-compatible endpoint, asked over whichever API and in whichever form it takes."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from twoagent_hook.backends import refusals
from twoagent_hook.backends.base import Identity, Reply, Request
from twoagent_hook.backends.client import Client, out_of_time
from twoagent_hook.backends.credentials import Key
from twoagent_hook.backends.dialects import DIALECTS, Answer, Correction, UnreadableError
from twoagent_hook.backends.ladder import Ladder, Memory, Step
from twoagent_hook.config import Provider
from twoagent_hook.prompts import Prompt


class Access(NamedTuple):
    """How an endpoint is reached here and now.

    Attributes:
        key: gives the key when it is wanted, or None where none is needed; may take a while.
        hurried: whether somebody else could be asked, so that long waits are not worth while.
    """

    provider: Provider
    key: Key
    variables: Mapping[str, str]
    memory: Memory
    hurried: bool = False


class EndpointBackend:
    """One model behind one endpoint."""

    def __init__(self, identity: Identity, access: Access) -> None:
        self._identity = identity
        self._access = access
        self._provider = access.provider
        self._worked: Step | None = None
        self._stored = True
        self._key: tuple[str | None] | None = None
        self._key_lock = asyncio.Lock()

    @property
    def identity(self) -> Identity:
        return self._identity

    def preview(self, prompt: Prompt) -> Request:
        step = self._ladder(prompt).step
        signed = self._provider.api_key_env or self._provider.api_key_command
        headers = {"Authorization": "Bearer ***"} if signed else {}
        url = self._provider.base_url.rstrip("/") + DIALECTS[step.dialect].path
        return Request(
            "POST", url, headers | dict.fromkeys(self._provider.headers, "***"), self._body(step, prompt, None)
        )

    def _ladder(self, prompt: Prompt) -> Ladder:
        first = self._worked or self._access.memory.recall(self._provider.base_url, self._identity.model)
        return Ladder(self._provider, self._identity.model, schema=prompt.schema is not None, first=first)

    def _body(self, step: Step, prompt: Prompt, correction: Correction | None) -> dict[str, Any]:
        body = DIALECTS[step.dialect].body(self._identity.model, prompt, step.form, correction)
        if not self._stored:
            body.pop("store", None)
        return body | dict(self._provider.extra_body)

    async def complete(self, prompt: Prompt, deadline: float, correction: Correction | None = None) -> Reply:
        started = time.monotonic()
        deadline = self._sooner(deadline, started)
        client = self._client(await self._obtained(deadline))
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                async with client:
                    answer, step, attempts = await self._climb_down(client, prompt, correction, deadline)
                    return self._reply(client, answer, step, attempts, time.monotonic() - started)
        except TimeoutError:
            if client.put_off is not None:  # it did answer, and was asked again
                raise client.refusal(client.put_off) from None
            raise out_of_time(self._identity.label, time.monotonic() - started) from None

    async def models(self, deadline: float) -> tuple[str, ...]:
        """The ids of the models that the endpoint says it offers; see `complete` for what is raised."""
        started = time.monotonic()
        deadline = self._sooner(deadline, started)
        key = await self._obtained(deadline)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                async with self._client(key) as client:
                    return await client.models()
        except TimeoutError:
            raise out_of_time(self._identity.label, time.monotonic() - started) from None

    def _sooner(self, deadline: float, started: float) -> float:
        own = self._provider.timeout
        return deadline if own is None else min(deadline, started + own)

    async def _obtained(self, deadline: float) -> str | None:
        """The key, asked for once: a keychain may ask the user each time."""
        async with self._key_lock:
            if self._key is None:
                self._key = (await self._access.key(deadline),)
            return self._key[0]

    def _client(self, key: str | None) -> Client:
        access = self._access
        return Client(self._identity, access.provider, key, access.variables, hurried=access.hurried)

    async def _climb_down(
        self, client: Client, prompt: Prompt, correction: Correction | None, deadline: float
    ) -> tuple[Answer, Step, int]:
        """Ask in the strictest way first, and take the next one where the endpoint does not know it."""
        ladder = self._ladder(prompt)
        attempts = 0
        while True:
            body = self._body(ladder.step, prompt, correction)
            answer, tries = await client.persist(ladder.step.dialect, body, deadline)
            attempts += tries
            if answer.status == 200:
                self._remember(ladder, prompt)
                return answer, ladder.step, attempts
            if self._stored and "store" in body and refusals.refuses_store(answer):
                self._stored = False
            elif not ladder.down(answer):
                raise client.refusal(answer)

    def _remember(self, ladder: Ladder, prompt: Prompt) -> None:
        """Keep what was learned; a first choice that works is nothing to learn."""
        step = ladder.step if prompt.schema is not None else ladder.step._replace(form="")
        if ladder.moved:
            self._access.memory.keep(self._provider.base_url, self._identity.model, step)
        self._worked = step

    def _reply(self, client: Client, answer: Answer, step: Step, attempts: int, latency: float) -> Reply:
        try:
            message = DIALECTS[step.dialect].message(answer)
        except UnreadableError as error:
            raise refusals.of_envelope(str(error), client.name, wrong_server=error.wrong_server) from None
        return Reply(**message._asdict(), latency=latency, attempts=attempts, api=step.dialect, form=step.form)
