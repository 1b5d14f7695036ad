"""`twoagent-hook init`: from nothing to a working gate."""

import argparse
import difflib
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from twoagent_hook import config, console, files, git, hooks, keys, samples, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError, GitError, TwoAgentError, UnreviewedError, UsageError
from twoagent_hook.exits import ExitCode, Outcome
from twoagent_hook.git import Location

if TYPE_CHECKING:
    from twoagent_hook.backends import Sighting
    from twoagent_hook.config import Config
    from twoagent_hook.onboarding import Choice

_TRIAL_SECONDS = 90.0
_MODELS_SECONDS = 20.0
_GATEWAY, _RULES = "g", "r"


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Look, let the human choose, try it, write it; nothing is sent before the choice."""
    if environment.hook:
        raise UsageError("`init` is for people, not for hooks", "run it by hand")
    _Setup(arguments, environment).run()
    return int(ExitCode.OPEN)


class _Setup:
    """One conversation; where there is no terminal, flags and `--yes` stand for the answers."""

    def __init__(self, arguments: argparse.Namespace, environment: Environment) -> None:
        self._arguments = arguments
        self._environment = environment
        self._asks = sys.stdin is not None and sys.stdin.isatty() and not arguments.yes
        self._path = arguments.config or config.user_file(environment.get("TWOAGENT_HOME"))
        self._before = _read(self._path)

    def run(self) -> None:
        from twoagent_hook import onboarding

        choice = self._chosen(onboarding.settings_of(self._before, self._path))
        onboarding.check(choice)
        if self._arguments.list_models:
            self._list(choice)
            return
        choice = self._with_model(choice)
        # All of it is made, and held to its own checks, before the first file is written.
        text = onboarding.user_text(self._before, choice, self._path)
        policy = onboarding.policy_text(choice)
        self._try(choice, onboarding.settings_of(text, self._path))
        self._keep(text, choice)
        self._equip(policy)

    # --- the choice ---------------------------------------------------------------------------------------

    def _chosen(self, settings: "Config") -> "Choice":
        from twoagent_hook import backends
        from twoagent_hook.onboarding import Choice

        given = self._arguments
        if given.provider and not (self._asks or given.yes or given.list_models):
            raise UsageError(
                "there is no terminal to ask in, so nothing was sent or written",
                "add --yes if what the flags say is your choice",
            )
        if given.provider:
            if given.provider not in settings.providers and given.provider != backends.RULES and not given.base_url:
                raise UsageError(
                    f"there is no provider `{given.provider}`{keys.nearest(given.provider, settings.providers)}",
                    "for one of your own add --base-url URL and --api-key-env NAME",
                )
            return Choice(
                given.provider, given.model or "", given.base_url or "", given.api_key_env or "", given.family or ""
            )
        found = self._survey(settings)
        if not self._asks:
            raise UsageError(
                "nobody was chosen, so nothing was sent or written",
                f"run it in a terminal, or choose: `{self._command} init --provider NAME --model ID --yes`",
            )
        return self._picked(found)

    @property
    def _command(self) -> str:
        return console.own_command(self._environment)

    def _survey(self, settings: "Config") -> "list[Sighting]":
        """Show what is on this machine; nothing is sent to find out."""
        from twoagent_hook import backends, onboarding
        from twoagent_hook.preparation import author_of

        author = author_of(self._environment, None, settings)
        found = onboarding.ordered(backends.seen(settings, self._environment.variables), author)
        _say("Looking at this machine (nothing is sent).", f"Author of changes made from here: {author.label}", "")
        _say("Who could review:" if found else "No key, no coding CLI and no local server of a model is seen.")
        for number, item in enumerate(found, 1):
            own = " (the author's own vendor)" if onboarding.own_vendor(item, author) else ""
            _say(f"  {number}  {item.provider.name:<14} {item.sign}{own}")
        if not found:
            _say(
                "What would do: a provider's key in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, …), a coding",
                "CLI that you are logged in to (claude, codex, gemini, copilot, opencode), Ollama, or a gateway.",
            )
        return found

    def _picked(self, found: "list[Sighting]") -> "Choice":
        from twoagent_hook import backends
        from twoagent_hook.onboarding import Choice

        _say(f"  {_GATEWAY}  a gateway or another endpoint", f"  {_RULES}  nobody yet: the built-in rules alone")
        default = "1" if found else _RULES
        while True:
            answer = _ask(f"Who shall review? [{default}] ") or default
            if answer == _RULES:
                return Choice(backends.RULES)
            if answer == _GATEWAY:
                return self._gateway()
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(found):
                return Choice(found[int(answer) - 1].provider.name)
            _say(f"One of 1 to {len(found)}, {_GATEWAY} or {_RULES}." if found else f"{_GATEWAY} or {_RULES}.")

    def _gateway(self) -> "Choice":
        from twoagent_hook.addresses import check_base_url
        from twoagent_hook.onboarding import Choice

        name = _ask("Its name, as you want to call it: ") or "gateway"
        while True:
            url = _ask("Its base URL (the root of an OpenAI-compatible API, usually ending with /v1): ")
            try:
                check_base_url(name, url, "your answer", allow_insecure=False)
                break
            except ConfigError as error:
                _say(f"{error.what}; {error.do}")
        while True:
            variable = _ask("The variable that holds its key (empty: it needs none): ")
            if not variable or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
                return Choice(name, "", url, variable)
            _say("That is not the name of an environment variable; the key itself is never kept. Once more:")

    # --- the model ----------------------------------------------------------------------------------------

    def _with_model(self, choice: "Choice") -> "Choice":
        from twoagent_hook import backends

        if (
            choice.model
            or choice.provider == backends.RULES
            or self._settings(choice).providers[choice.provider].command
        ):
            return choice
        if not self._asks:
            do = "add --model ID; --list-models in place of --yes shows which there are"
            raise UsageError("no model is named, and none is taken by default, since their ids age", do)
        while True:
            answer = _ask("Which model? (its id; ? asks the endpoint for its list, with your key) ")
            if answer == "?":
                try:
                    self._list(choice)
                except TwoAgentError as error:
                    _say(f"{error.what}; {error.do}")
            elif answer:
                return choice._replace(model=answer)

    def _settings(self, choice: "Choice") -> "Config":
        from twoagent_hook import onboarding

        named = choice if choice.model or not choice.base_url else choice._replace(model="-")
        return onboarding.settings_of(onboarding.user_text(self._before, named, self._path), self._path)

    def _list(self, choice: "Choice") -> None:
        """Print the models that the endpoint offers.

        Raises:
            TwoAgentError: it can't be asked, or does not say.
        """
        from twoagent_hook import backends
        from twoagent_hook.loops import run_async

        settings, variables = self._settings(choice), self._environment.variables
        found = backends.find(f"{choice.provider}:-", settings, variables)
        if found.unusable:
            raise UnreviewedError(f"{choice.provider}: {found.unusable}", found.hint)
        names = run_async(lambda: backends.offered(found, variables, time.monotonic() + _MODELS_SECONDS))
        _say(*(names or ("it lists no models",)))

    # --- the trial ----------------------------------------------------------------------------------------

    def _try(self, choice: "Choice", settings: "Config") -> None:
        """Ask it in earnest, once it is chosen; what fails is written only where the human says so."""
        from twoagent_hook import backends

        if choice.provider == backends.RULES:
            return
        try:
            self._asked(choice, settings)
        except TwoAgentError as error:
            if not self._asks:
                raise
            _say(f"{error.what}", f"what to do: {error.do}")
            if not _agrees("Write it all the same?", default=False):
                raise

    def _asked(self, choice: "Choice", settings: "Config") -> None:
        from twoagent_hook import backends, policy, probing
        from twoagent_hook.loops import run_async
        from twoagent_hook.preparation import author_of
        from twoagent_hook.progress import waiting

        variables = self._environment.variables
        found = backends.find(choice.spec, settings, variables)
        if found.unusable:
            raise UnreviewedError(f"{choice.spec}: {found.unusable}", found.hint)
        author = author_of(self._environment, None, settings)
        kin = policy.not_independent(found, author, settings.independence)
        if kin is not None:
            _say(f"Note: for changes made from here {choice.spec} would be refused: {kin}.")
        asked = probing.small(settings)
        question = (
            f"Try {choice.spec} with one small request (about {asked[1].tokens} tokens) to {found.identity.origin}?"
        )
        if self._arguments.no_try or (self._asks and not _agrees(question, default=True)):
            return
        backend = backends.build(found, settings, variables)
        until = time.monotonic() + _TRIAL_SECONDS
        with waiting(f"asking {choice.spec}", shown=self._environment.get("TERM") != "dumb"):
            made = run_async(lambda: probing.probe(backend, asked, author, settings, until))
        if made.problem is not None and (kin is None or made.problem.outcome is not Outcome.REFUSED):
            raise UnreviewedError(f"the trial failed, and nothing was written: {made.problem.what}", made.problem.do)
        _say(f"It answered in {made.seconds:.1f} s{_about(made)}.")

    # --- what is written ----------------------------------------------------------------------------------

    def _keep(self, text: str, choice: "Choice") -> None:
        """Write the user's own file, shown first as the difference to what it was."""
        if text == self._before:
            if choice.provider != "rules":
                _say(f"{self._path} says so already.")
            return
        # Without the lines around: they may hold headers of other providers.
        lines = difflib.unified_diff(self._before.splitlines(), text.splitlines(), "before", self._path, "", "", 0, "")
        _say("", *map(visible.line, lines), "")
        if self._asks and not _agrees(f"Write {self._path}?", default=True):
            raise UsageError("nothing was written", "run it again when you want to")
        _write(self._path, text)
        _say(f"Written: {self._path}")

    def _equip(self, policy: str) -> None:
        """The repository's own files: written where that is asked for, and never over what is there."""
        target = self._arguments.target
        hook = samples.hook_text(target, self._command)
        try:
            location = git.locate(self._environment)
        except GitError:
            _say("", "Not in a git repository: run it again in one, or write there:")
            _show(keys.POLICY_FILE, policy)
            _show(_PLACES.get(target, ".pre-commit-config.yaml"), hook)
            return
        wanted = self._wanted(location, policy, hook)
        names = [os.path.relpath(item.path, location.worktree) for item in wanted if item.own]
        write = self._arguments.write or (
            self._asks
            and bool(names)
            and _agrees(f"Write {' and '.join(names)} in {location.worktree}?", default=False)
        )
        for item in wanted:
            _offer(item, write=write)
        if target in {"husky", "lefthook"}:
            _show(_PLACES[target], hook)
        tracked = [item.path for item in wanted if item.tracked and os.path.isfile(item.path)]
        _say("", "Next:", *(f"  {line}" for line in _next(target, tracked)))

    def _wanted(self, location: Location, policy: str, hook: str) -> "list[_File]":
        target, path = self._arguments.target, os.path.join(location.worktree, keys.POLICY_FILE)
        elsewhere = _policy_elsewhere(location.worktree)
        wanted = [_File(path, policy, held_by=elsewhere)]
        if target in samples.FRAMEWORKS:
            wanted.append(_File(os.path.join(location.worktree, ".pre-commit-config.yaml"), hook))
        elif target == "plain":
            place = hooks.inspect(location, self._environment).path
            # Where `core.hooksPath` leads out of the repository, the folder belongs to others as well.
            own = os.path.realpath(place).startswith(os.path.realpath(location.common_dir) + os.sep)
            wanted.append(_File(place, hook, mode=0o755, own=own, tracked=False))
        return wanted


_PLACES = {"husky": ".husky/pre-commit", "lefthook": "lefthook.yml", "plain": ".git/hooks/pre-commit"}


class _File(NamedTuple):
    """A file of the repository that would be written.

    Attributes:
        held_by: another file that holds the same already; empty where there is none.
        own: whether its folder belongs to the repository.
    """

    path: str
    text: str
    mode: int = 0o644
    held_by: str = ""
    own: bool = True
    tracked: bool = True


def _policy_elsewhere(worktree: str) -> str:
    """The `pyproject.toml` that holds the policy, as far as that can be told; two would be an error."""
    content = files.read(os.path.join(worktree, config.PYPROJECT), 1 << 20)
    return config.PYPROJECT if b"[tool.twoagent-hook" in (content or b"") else ""


def _about(made: object) -> str:
    reply = getattr(made, "reply", None)
    if reply is None:
        return ""
    who = f" by {reply.answered[0]}" if reply.answered else ""
    return f"{who} ({reply.api}, {reply.form})"


def _next(target: str, tracked: list[str]) -> Iterator[str]:
    if target in samples.FRAMEWORKS:
        if shutil.which(target) is None:
            yield f"pipx install {target}"
        yield f"{target} install"
    if tracked:
        yield f"git add {shlex.join(os.path.relpath(path) for path in tracked)}"
        yield 'git commit -m "Let another model review what is committed"'
    else:
        yield "write the files above, `git add` them, and commit"


def _offer(item: _File, *, write: bool) -> None:
    """Write a new file, or show what belongs into it, and why it was not written."""
    if item.held_by:
        _say("", f"{item.held_by} holds a policy already, and is left as it is; what would be in {item.path}:")
        _show(item.path, item.text)
    elif os.path.lexists(item.path):
        _say("", f"{item.path} exists and is left as it is; what belongs into it:")
        _show(item.path, item.text)
    elif not item.own:
        _say(
            "",
            f"not written, since `core.hooksPath` leads out of this repository, to {item.path}; what belongs there:",
        )
        _show(item.path, item.text)
    elif not write:
        _say("", "not written (--write writes it):")
        _show(item.path, item.text)
    else:
        _write(item.path, item.text, item.mode)
        _say(f"Written: {item.path}")


def _show(name: str, text: str) -> None:
    _say("", f"--- {visible.path(name)}", text.rstrip("\n"))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} can't be read: {reason}", "correct the file or its permissions") from error


def _write(path: str, text: str, mode: int = 0o600) -> None:
    """Put the whole file in place at once: a write that fails leaves the old one."""
    folder = os.path.dirname(os.path.realpath(path))
    name = ""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, os.path.realpath(path))
    except OSError as error:
        with suppress(OSError):
            os.unlink(name)
        raise ConfigError(f"{path} can't be written: {error.strerror}", "correct the permissions there") from None


def _say(*lines: str) -> None:
    console.write("".join(f"{line}\n" for line in lines))


def _ask(question: str) -> str:
    console.write(question)
    while True:
        answer = sys.stdin.readline()
        if not answer:
            what = "the conversation ended before everything was answered; nothing more was written"
            raise UsageError(what, "run it again")
        answer = answer.strip()
        if answer == visible.line(answer):
            return answer
        _say("That holds a character that nobody sees; once more:")


def _agrees(question: str, *, default: bool) -> bool:
    while True:
        answer = _ask(f"{question} [{'Y/n' if default else 'y/N'}] ").lower()
        if answer in {"", "y", "yes", "n", "no"}:
            return default if not answer else answer.startswith("y")
