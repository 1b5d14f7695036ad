"""Where a provider's key comes from: a variable, or a command that asks the user's keychain; it is never kept."""

import time
from collections.abc import Awaitable, Callable, Mapping

from twoagent_hook.backends.programs import executable
from twoagent_hook.config import Provider
from twoagent_hook.errors import ConfigError, UnreviewedError

Key = Callable[[float], Awaitable[str | None]]
_OUTPUT_LIMIT = 1 << 16  # bytes
_IDE = "a hook that an IDE starts has no shell environment; `api-key-command` in your own file asks a keychain instead"


def missing(provider: Provider, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Why there is no key, and what to do; None where there is one, or none is needed.

    A command is not run for it: it may ask the user to unlock a keychain, and is run when somebody is asked.

    Raises:
        ConfigError: the variable holds what can't be a key.
    """
    if provider.api_key_command or not provider.api_key_env or provider.command:
        return None
    if from_variable(provider, variables) or provider.key_optional:
        return None
    return f"its key is missing: {provider.api_key_env} is not set", f"set {provider.api_key_env} ({_IDE})"


def source(provider: Provider, variables: Mapping[str, str]) -> Key:
    """Gives the key when it is wanted, by a deadline in the time of `time.monotonic`.

    What is given raises UnreviewedError where a command gives no key.
    """

    async def obtain(deadline: float) -> str | None:
        if provider.api_key_command:
            return await _printed(provider, variables, deadline)
        return from_variable(provider, variables) or None

    return obtain


def from_variable(provider: Provider, variables: Mapping[str, str]) -> str:
    """The key that stands in the provider's variable; empty where there is none."""
    name = provider.api_key_env or ""
    return _checked(variables.get(name, ""), name)


def _checked(value: str, where: str) -> str:
    key = value.strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key in {where} is malformed: it holds a line break or a character that no key has",
            f"set {where} again, without the line break",
        )
    return key


async def _printed(provider: Provider, variables: Mapping[str, str], deadline: float) -> str:
    """What the command prints. Neither its output nor its errors are shown: either may hold the key."""
    from twoagent_hook.backends.processes import Child, run

    name, by_hand = f"`api-key-command` of {provider.name}", "run it by hand to see why"
    program, *arguments = provider.api_key_command
    path = executable(program, variables)
    if path is None:
        raise UnreviewedError(f"{name} can't be run: `{program}` is not on PATH", "correct it in your own file")
    clean = {key: value for key, value in variables.items() if not key.startswith("GIT_")}
    started = time.monotonic()
    try:
        ran = await run(Child([path, *arguments], clean, "/", b"", _OUTPUT_LIMIT), deadline)
    except OSError as error:
        raise UnreviewedError(f"{name} can't be run: {error.strerror}", "correct it in your own file") from None
    if ran.code is None:
        why = "it prints without an end" if ran.cut else f"it did not end within {time.monotonic() - started:.0f} s"
        raise UnreviewedError(f"{name} gave no key: {why}", by_hand)
    if ran.code:
        raise UnreviewedError(f"{name} gave no key: it ended with {ran.code}", by_hand)
    key = _checked(ran.out.decode("utf-8", "replace"), f"the output of {name}")
    if not key:
        raise UnreviewedError(f"{name} gave no key: it printed nothing", by_hand)
    return key
