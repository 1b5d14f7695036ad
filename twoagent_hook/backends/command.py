"""A coding CLI, or a command of the user's own, as a reviewer: run once in an empty folder, for one prompt."""

import asyncio
import json
import os
import shlex
import tempfile
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from twoagent_hook import datafiles, visible
from twoagent_hook.backends import printed, processes, refusals
from twoagent_hook.backends.base import Identity, Reply, Request
from twoagent_hook.backends.dialects import Correction
from twoagent_hook.backends.printed import Printed
from twoagent_hook.backends.processes import Child, Ran
from twoagent_hook.config import Provider
from twoagent_hook.errors import (
    ContextTooLongError,
    EndpointError,
    InvalidReplyError,
    TwoAgentError,
    UnreviewedError,
)
from twoagent_hook.prompts import Prompt

OUTPUT_LIMIT = 4 << 20  # bytes of each of its outputs
_ARGUMENT_LIMIT = 100_000  # bytes; Linux takes no argument above 128 KiB
_SAID_LIMIT = 300  # characters of its own error that are shown
_SCHEMA_FILE, _LAST_FILE = "schema.json", "last.txt"


class Recipe(NamedTuple):
    """How one CLI is called and read; see clis.toml."""

    arguments: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    output: str = "text"
    keeps: tuple[str, ...] = ()
    log_in: str = "see whether it works by itself"

    @property
    def shapes(self) -> bool:
        """Whether it can be told the schema of the reply."""
        return any(word in {"{schema}", "{schema-file}"} for word in self.arguments)


def recipe(name: str) -> Recipe:
    """The recipe of a built-in CLI; that of a plain command for any other name."""
    row = datafiles.packaged_toml("backends/clis.toml")["clis"].get(name)
    if row is None:
        return Recipe()
    words = {key: tuple(row.get(key, ())) for key in ("arguments", "model", "keeps")}
    return Recipe(**words, output=row["output"], log_in=row["log-in"])


class CommandBackend:
    """One program that reads a prompt and prints a reply."""

    def __init__(
        self, identity: Identity, provider: Provider, variables: Mapping[str, str], others_keys: Sequence[str]
    ) -> None:
        self._identity = identity
        self._provider = provider
        self._variables = variables
        self._others_keys = others_keys
        self._recipe = recipe(provider.name)

    @property
    def identity(self) -> Identity:
        return self._identity

    def preview(self, prompt: Prompt) -> Request:
        words, text = self._said(prompt, None)
        return Request("RUN", shlex.join(words), {}, stdin=text)

    async def complete(self, prompt: Prompt, deadline: float, correction: Correction | None = None) -> Reply:
        started = time.monotonic()
        if self._provider.timeout is not None:
            deadline = min(deadline, started + self._provider.timeout)
        with tempfile.TemporaryDirectory(prefix="twoagent-hook-", ignore_cleanup_errors=True) as folder:
            ran, last = await self._run(folder, prompt, correction, deadline)
        found = self._understood(ran, last, time.monotonic() - started)
        return Reply(
            text=found.text,
            finish=found.finish,
            refusal=None,
            answered=found.answered,
            usage=found.usage,
            latency=time.monotonic() - started,
            attempts=1,
            form="json_schema" if prompt.schema is not None and self._recipe.shapes else "text",
            api="command",
        )

    async def _run(
        self, folder: str, prompt: Prompt, correction: Correction | None, deadline: float
    ) -> tuple[Ran, str]:
        words, text = self._said(prompt, correction)
        work = os.path.join(folder, "work")
        os.mkdir(work, 0o700)
        places = {"{schema-file}": os.path.join(folder, _SCHEMA_FILE), "{last-file}": os.path.join(folder, _LAST_FILE)}
        await asyncio.to_thread(_write, places["{schema-file}"], json.dumps(prompt.schema))
        argv = [self._identity.origin, *(places.get(word, word) for word in words[1:])]
        child = Child(argv, self._environment(), work, text.encode("utf-8", "replace"), OUTPUT_LIMIT)
        try:
            ran = await processes.run(child, deadline)
        except OSError as error:
            what = f"{self._identity.label} can't be started: {error.strerror or 'it is no program'}"
            raise UnreviewedError(what, "name another reviewer, or correct `command`") from None
        return ran, await asyncio.to_thread(_content, places["{last-file}"])

    def _said(self, prompt: Prompt, correction: Correction | None) -> tuple[list[str], str]:
        """The command line (with the places of files still open), and what it is given to read."""
        recipe = self._recipe
        apart = "{system}" in recipe.arguments and len(prompt.system.encode()) <= _ARGUMENT_LIMIT
        schema = json.dumps(prompt.schema) if prompt.schema is not None else ""
        values = {"{system}": prompt.system if apart else "", "{schema}": schema, "{model}": self._identity.model}
        words = [*self._provider.command, *_without_schema(recipe.arguments, prompt.schema is not None)]
        words += recipe.model if self._identity.model else ()
        text = prompt.user if apart else f"{prompt.system}\n\n{prompt.user}"
        if correction is not None:
            template = datafiles.packaged("templates/repair_command.md")
            parts = {"{prompt}": text, "{reply}": correction[0], "{correction}": correction[1]}
            text = "".join(parts.get(piece, piece) for piece in _pieces(template, parts))
        return [values.get(word, word.replace("{model}", self._identity.model)) for word in words], text

    def _environment(self) -> dict[str, str]:
        """The user's own, without what is git's, the calling agent's, or another provider's key."""
        vendor = self._identity.model.partition("/")[0].upper().replace("-", "_")
        keeps = [pattern.replace("{VENDOR}", vendor) for pattern in self._recipe.keeps]
        keeps += [self._provider.api_key_env] if self._provider.api_key_env else []
        removed = [*datafiles.packaged_toml("backends/clis.toml")["environment"]["removed"], *self._others_keys]
        return {name: value for name, value in self._variables.items() if _any(name, keeps) or not _any(name, removed)}

    # --- what came of it ----------------------------------------------------------------------------------

    def _understood(self, ran: Ran, last: str, seconds: float) -> Printed:
        name = self._identity.label
        if ran.cut:
            raise InvalidReplyError(f"{name} printed more than {OUTPUT_LIMIT >> 20} MB", refusals.TRY_ANOTHER)
        if ran.code is None:
            raise UnreviewedError(f"{name} gave no answer within {seconds:.0f} s", refusals.MORE_TIME)
        out, err = (text.decode("utf-8", "replace") for text in (ran.out, ran.err))
        found = printed.READERS[self._recipe.output](out, last)
        if ran.code == 0 and not found.error:
            return found
        raise self._failure(ran.code, found.error or err or out)

    def _failure(self, code: int, said: str) -> TwoAgentError:
        """What a CLI's own words mean; what can't be told is an error of its own, which never opens a gate."""
        name, lower = self._identity.label, said.lower()
        words = datafiles.packaged_toml("backends/clis.toml")["failures"]
        kind = next((kind for kind, found in words.items() if any(word in lower for word in found)), "")
        tail = f": {visible.excerpt(said, _SAID_LIMIT)}" if said.strip() else ""
        if kind == "context":
            return ContextTooLongError(f"{name}: the change is too long for this model{tail}", refusals.SMALLER)
        if kind == "login":
            return UnreviewedError(f"{name} is not logged in{tail}", self._recipe.log_in)
        if kind == "limits":
            return UnreviewedError(f"{name} is over its limits{tail}", "try again later, or name another reviewer")
        if kind == "unreachable":
            confined = refusals.sandbox(self._variables)
            what = f"{name} can't reach its model: {confined}" if confined else f"{name} can't reach its model{tail}"
            return UnreviewedError(what, "check the network, then try again")
        what = "knows no such model" if kind == "model" else f"failed (exit code {code})"
        return EndpointError(f"{name} {what}{tail}", "run it by hand to see why, or name another reviewer")


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _without_schema(arguments: Sequence[str], wanted: bool) -> list[str]:
    """The arguments, without the flag of the schema where the reply is free text."""
    if wanted:
        return list(arguments)
    kept: list[str] = []
    for word in arguments:
        if word in {"{schema}", "{schema-file}"}:
            kept.pop()
        else:
            kept.append(word)
    return kept


def _pieces(template: str, parts: Mapping[str, Any]) -> list[str]:
    """The template cut at its placeholders, so that a value that holds one is left as it is."""
    pieces = [template]
    for name in parts:
        pieces = [part for piece in pieces for part in _cut(piece, name)]
    return pieces


def _cut(piece: str, name: str) -> list[str]:
    before, found, after = piece.partition(name)
    return [before, found, after] if found else [piece]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _content(path: str) -> str:
    """What a CLI wrote to the file that it was told to."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(OUTPUT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
