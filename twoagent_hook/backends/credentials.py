"""Where a provider's key comes from: a variable, or a command that asks the user's keychain; it is never kept."""

import subprocess
from collections.abc import Callable, Mapping

from twoagent_hook.config import Provider
from twoagent_hook.errors import ConfigError, UnreviewedError

_SECONDS = 60  # a keychain may ask the user to unlock it
_IDE = "a hook that an IDE starts has no shell environment; `api-key-command` in your own file asks a keychain instead"


def missing(provider: Provider, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Why there is no key, and what to do; None where there is one, or none is needed.

    A command is not run for it: it may ask the user to unlock a keychain, and is run when somebody is asked.

    Raises:
        ConfigError: the variable holds what can't be a key.
    """
    if provider.api_key_command or not provider.api_key_env or provider.command:
        return None
    if _checked(variables.get(provider.api_key_env, ""), provider.api_key_env) or provider.key_optional:
        return None
    return f"its key is missing: {provider.api_key_env} is not set", f"set {provider.api_key_env} ({_IDE})"


def source(provider: Provider, variables: Mapping[str, str]) -> Callable[[], str | None]:
    """Gives the key when it is wanted; see `missing`, and UnreviewedError where the command fails."""
    if provider.api_key_command:
        return lambda: _printed_by(provider, variables)
    return lambda: _checked(variables.get(provider.api_key_env or "", ""), provider.api_key_env or "") or None


def _checked(value: str, where: str) -> str:
    key = value.strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"the key in {where} is malformed: it holds a line break or a character that no key has",
            f"set {where} again, without the line break",
        )
    return key


def _printed_by(provider: Provider, variables: Mapping[str, str]) -> str:
    name = f"`api-key-command` of {provider.name}"
    try:
        done = subprocess.run(
            provider.api_key_command,
            env={key: value for key, value in variables.items() if not key.startswith("GIT_")},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreviewedError(f"{name} did not end within {_SECONDS} s", "run it by hand to see why") from None
    except OSError as error:
        raise UnreviewedError(f"{name} can't be run: {error.strerror}", "correct it in your own file") from None
    # Neither its output nor its errors are shown: either may hold the key.
    key = _checked(done.stdout.decode("utf-8", "replace"), f"the output of {name}")
    if done.returncode or not key:
        what = f"it ended with {done.returncode}" if done.returncode else "it printed nothing"
        raise UnreviewedError(f"{name} gave no key: {what}", "run it by hand to see why")
    return key
