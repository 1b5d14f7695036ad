"""A coding CLI, or a command of the user's own, as a reviewer: run once in an empty folder, for one prompt."""

import asyncio
import glob
import json
import os
import re
import shlex
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from twoagent_hook import datafiles, visible
from twoagent_hook.backends import printed, processes, refusals
from twoagent_hook.backends.base import Identity, Reply, Request
from twoagent_hook.backends.dialects import Correction
from twoagent_hook.backends.printed import Output, Printed
from twoagent_hook.backends.processes import Child, Ran
from twoagent_hook.config import Provider
from twoagent_hook.errors import (
    ConfigError,
    ContextTooLongError,
    EndpointError,
    InvalidReplyError,
    TwoAgentError,
    UnreviewedError,
)
from twoagent_hook.prompts import Prompt

OUTPUT_LIMIT = 4 << 20  # bytes of each of its outputs
_SAID_LIMIT = 300  # characters of its own error that are shown


class Recipe(NamedTuple):
    """How one CLI is called and read; see clis.toml."""

    arguments: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    schema: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    files: Mapping[str, str] = {}
    sets: Mapping[str, str] = {}
    removes: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    answer: str = ""
    output: str = "text"
    log_in: str = "run it by hand to see why"
    known: bool = False

    @property
    def takes_system(self) -> bool:
        """Whether the system message has a place of its own."""
        places = (*self.arguments, *self.files.values(), *self.sets.values())
        return any("{system}" in place or "{system-json}" in place for place in places)


def recipe(name: str) -> Recipe:
    """The recipe of a built-in CLI; that of a plain command for any other name."""
    row = datafiles.packaged_toml("backends/clis.toml")["clis"].get(name)
    if row is None:
        return Recipe()
    lists: dict[str, Any] = {
        key: tuple(row.get(key, ())) for key in ("arguments", "model", "schema", "last", "removes", "keeps")
    }
    return Recipe(
        **lists,
        files=row.get("files", {}),
        sets=row.get("sets", {}),
        answer=row.get("answer", ""),
        output=row["output"],
        log_in=row["log-in"],
        known=True,
    )


class _Run(NamedTuple):
    """One call: what its placeholders stand for, and what it is given to read."""

    values: Mapping[str, str]
    stdin: str

    def filled(self, text: str) -> str:
        """The text with its placeholders replaced; a value that holds one is left as it is."""
        return _PLACEHOLDER.sub(lambda found: self.values.get(found[0], found[0]), text)


_PLACEHOLDER = re.compile(r"\{[a-z0-9-]+\}")


class CommandBackend:
    """One program that reads a prompt and prints a reply."""

    def __init__(
        self,
        identity: Identity,
        provider: Provider,
        variables: Mapping[str, str],
        others_keys: Sequence[str],
        cache_folder: str,
    ) -> None:
        self._identity = identity
        self._provider = provider
        self._variables = variables
        self._others_keys = others_keys
        self._cache_folder = cache_folder
        self._recipe = recipe(provider.name)
        # A policy can name the model, and not what the program is told to do.
        if identity.model.startswith("-") or not identity.model.isprintable():
            what = f"reviewer {identity.label}: a model's name can't begin with a dash, or hold what can't be printed"
            raise ConfigError(what, "correct the name of the model")

    @property
    def identity(self) -> Identity:
        return self._identity

    def preview(self, prompt: Prompt) -> Request:
        run = self._prepared(prompt, None, "FOLDER", "UUID")
        return Request("RUN", shlex.join(self._words(run, prompt)), {}, stdin=run.stdin)

    async def complete(self, prompt: Prompt, deadline: float, correction: Correction | None = None) -> Reply:
        started = time.monotonic()
        if self._provider.timeout is not None:
            deadline = min(deadline, started + self._provider.timeout)
        ran, answer = await self._run(prompt, correction, deadline)
        found = self._understood(ran, answer, time.monotonic() - started)
        return Reply(
            text=found.text,
            finish=found.finish,
            refusal=None,
            answered=found.answered,
            usage=found.usage,
            latency=time.monotonic() - started,
            attempts=1,
            form="json_schema" if prompt.schema is not None and self._recipe.schema else "text",
            api="command",
        )

    async def _run(self, prompt: Prompt, correction: Correction | None, deadline: float) -> tuple[Ran, str]:
        name = str(uuid.uuid4())
        with _private(self._cache_folder) as folder:
            run = self._prepared(prompt, correction, folder, name)
            try:
                work = await asyncio.to_thread(self._laid_out, run, folder)
                words = [self._identity.origin, *self._words(run, prompt)[1:]]
                # Some CLIs take this variable's word for where they are, and read the instructions of a project there.
                sets = {key: run.filled(value) for key, value in self._recipe.sets.items()} | {"PWD": work}
                stdin = run.stdin.encode("utf-8", "replace")
                ran = await processes.run(
                    Child(words, self._environment() | sets, work, stdin, OUTPUT_LIMIT), deadline
                )
            except OSError as error:
                what = f"{self._identity.label} can't be started: {error.strerror or 'it is no program'}"
                raise UnreviewedError(what, "name another reviewer, or correct `command`") from None
            finally:
                self._clean(run)
            answer = await asyncio.to_thread(_content, os.path.join(folder, self._recipe.answer))
        return ran, answer

    def _laid_out(self, run: _Run, folder: str) -> str:
        """Write the files that it is to find; gives an empty folder for it to be in."""
        for name, text in self._recipe.files.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8", errors="replace") as file:
                file.write(run.filled(text))
        # Always the same one for a built-in CLI, which may keep a list of the folders that it was in.
        usual = os.path.join(self._cache_folder, "empty")
        with suppress(OSError):
            os.mkdir(usual, 0o500)
        if self._recipe.known and _empty(usual):
            return usual
        os.mkdir(os.path.join(folder, "work"), 0o700)
        return os.path.join(folder, "work")

    def _clean(self, run: _Run) -> None:
        """Take away what it kept of this run in the user's folders, which its own random name shows."""
        for pattern in self._recipe.removes:
            name, _, rest = run.filled(pattern).partition("/")
            folder = self._variables.get(name, "")
            for path in glob.glob(f"{glob.escape(folder)}/{rest}") if os.path.isabs(folder) else ():
                with suppress(OSError):
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def _prepared(self, prompt: Prompt, correction: Correction | None, folder: str, name: str) -> _Run:
        apart = self._recipe.takes_system
        text = prompt.user if apart else f"{prompt.system}\n\n{prompt.user}"
        if correction is not None:
            parts = {"{prompt}": text, "{reply}": correction[0], "{correction}": correction[1]}
            text = _Run(parts, "").filled(datafiles.packaged("templates/repair_command.md"))
        values = {
            "{system}": prompt.system,
            "{system-json}": json.dumps(prompt.system),
            "{schema}": json.dumps(prompt.schema),
            "{model}": self._identity.model,
            "{folder}": folder,
            "{uuid}": name,
            "{uuid8}": name[:8],
        }
        return _Run(values, text)

    def _words(self, run: _Run, prompt: Prompt) -> list[str]:
        """The command line."""
        recipe = self._recipe
        words = [*self._provider.command, *recipe.arguments]
        words += recipe.model if self._identity.model else ()
        words += recipe.schema if prompt.schema is not None else ()
        return [run.filled(word) for word in (*words, *recipe.last)]

    def _environment(self) -> dict[str, str]:
        """The user's own, without what is git's, the calling agent's, or another provider's key."""
        vendor = re.sub(r"[^A-Z0-9]", "_", self._identity.model.partition("/")[0].upper())
        keeps = [pattern.replace("{VENDOR}", vendor) for pattern in self._recipe.keeps]
        keeps += [self._provider.api_key_env] if self._provider.api_key_env else []
        removed = [*datafiles.packaged_toml("backends/clis.toml")["environment"]["removed"], *self._others_keys]
        return {name: value for name, value in self._variables.items() if _any(name, keeps) or not _any(name, removed)}

    # --- what came of it ----------------------------------------------------------------------------------

    def _understood(self, ran: Ran, answer: str, seconds: float) -> Printed:
        name = self._identity.label
        if ran.cut:
            raise InvalidReplyError(f"{name} printed more than {OUTPUT_LIMIT >> 20} MB", refusals.TRY_ANOTHER)
        if ran.code is None:
            raise UnreviewedError(f"{name} gave no answer within {seconds:.0f} s", refusals.MORE_TIME)
        out, err = (text.decode("utf-8", "replace") for text in (ran.out, ran.err))
        found = printed.READERS[self._recipe.output](Output(out, err, answer))
        if ran.code == 0 and not found.error:
            return found
        # Never the words on standard output: a model's reply may stand there, and it may speak of limits and keys.
        said = found.error or _without_warnings(err)
        raise self._failure(_kind(found.status, said), said or out, ran.code)

    def _failure(self, kind: str, said: str, code: int) -> TwoAgentError:
        """What its own words mean; what can't be told is an error of its own, which never opens a gate."""
        name = self._identity.label
        tail = f": {visible.excerpt(said, _SAID_LIMIT)}" if said.strip() else ""
        if kind == "context":
            return ContextTooLongError(f"{name}: the change is too long for this model{tail}", refusals.SMALLER)
        if kind == "login":
            return UnreviewedError(f"{name} is not logged in, or not let in{tail}", self._recipe.log_in)
        if kind in {"limits", "failing"}:
            what = "is over its limits" if kind == "limits" else "can't have an answer from its model"
            return UnreviewedError(f"{name} {what}{tail}", "try again later, or name another reviewer")
        if kind == "unreachable":
            confined = refusals.sandbox(self._variables)
            what = f"{name} can't reach its model: {confined}" if confined else f"{name} can't reach its model{tail}"
            return UnreviewedError(what, "check the network, then try again")
        what = "knows no such model" if kind == "model" else f"failed (exit code {code})"
        return EndpointError(f"{name} {what}{tail}", "run it by hand to see why, or name another reviewer")


_STATUSES = {
    401: "login",
    402: "limits",
    403: "login",
    404: "model",
    408: "failing",
    409: "failing",
    413: "context",
    429: "limits",
}


def _kind(status: int | None, said: str) -> str:
    """What a failure is about: by the HTTP status that the CLI met, else by its words."""
    if status is not None and status != 400:
        return _STATUSES.get(status, "failing" if status >= 500 else "")
    lower = said.lower()
    words = datafiles.packaged_toml("backends/clis.toml")["failures"]
    return next((kind for kind, found in words.items() if any(word in lower for word in found)), "")


def _without_warnings(err: str) -> str:
    """What some CLIs say at every start would hide why this run failed."""
    return "\n".join(line for line in err.splitlines() if not line.lower().startswith("warning"))


@contextmanager
def _private(cache_folder: str) -> Iterator[str]:
    """A folder for one run, that nobody else can look into or write to, above it included where that can be had.

    One of the CLIs takes no settings from below a folder that others can write to, as `/tmp` is.
    """
    try:
        os.makedirs(cache_folder, mode=0o700, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix="run-", dir=cache_folder, ignore_cleanup_errors=True)
    except OSError:
        made = tempfile.TemporaryDirectory(prefix="twoagent-hook-", ignore_cleanup_errors=True)
    with made as folder:
        yield folder


def _empty(folder: str) -> bool:
    """Whether it is a folder of this user's with nothing in it, and no link to one."""
    try:
        status = os.lstat(folder)
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not os.listdir(folder)
    except OSError:
        return False


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _content(path: str) -> str:
    """What a CLI wrote to the file that it was told to."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(OUTPUT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
