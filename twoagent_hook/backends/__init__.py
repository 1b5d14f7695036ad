"""Finds the reviewer that a spec names, and says whether it could be used here; imports no client."""

import socket
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from twoagent_hook import models
from twoagent_hook.addresses import check_base_url, loopback
from twoagent_hook.backends.base import Backend, Identity
from twoagent_hook.config import Config, Provider
from twoagent_hook.errors import ConfigError

RULES = "rules"
_CONNECT_SECONDS = 0.3
_OWN_PORTS = frozenset({11434, 1234})  # Ollama's and LM Studio's; 8000 and 8080 may be anybody's


class Reviewer(NamedTuple):
    """A reviewer that settings name.

    Attributes:
        unusable: why it can't be asked on this machine, or None.
        hint: what would make it usable.
    """

    identity: Identity
    provider: Provider | None
    key: str | None
    unusable: str | None = None
    hint: str = ""


def find(spec: str, config: Config, variables: Mapping[str, str]) -> Reviewer:
    """Resolve one spec; sends nothing but, to a server on this machine, an empty connection.

    Raises:
        ConfigError: the spec is malformed, or its provider is a misspelling of a known one.
    """
    check_spec(spec, config)
    name, model = _split(spec, config)
    provider = config.providers.get(name)
    if provider is None:
        return _unknown(spec, name, model)
    check_base_url(name, provider.base_url, provider.origin, allow_insecure=provider.allow_insecure)
    families = provider.families or models.families(model)
    identity = Identity(spec, name, model, _origin(provider.base_url), families)
    key = variables.get(provider.api_key_env, "") if provider.api_key_env else None
    if key is not None and not key.strip():
        where = f"set {provider.api_key_env}"
        return Reviewer(identity, provider, None, f"its key is missing: {provider.api_key_env} is not set", where)
    if key is not None and (not key.strip().isascii() or not key.strip().isprintable()):
        raise ConfigError(
            f"the key in {provider.api_key_env} is malformed: it holds a line break or a character that no key has",
            f"set {provider.api_key_env} again, without the line break",
        )
    if not _listens(provider.base_url):
        hint = f"start the server of {name}, or set its `base-url`"
        return Reviewer(identity, provider, key, f"nothing listens at {identity.origin}", hint)
    return Reviewer(identity, provider, key.strip() if key else None)


def _split(spec: str, config: Config) -> tuple[str, str]:
    name, colon, model = spec.strip().partition(":")
    if not colon and name in config.providers:
        raise ConfigError(f"reviewer `{spec}` names a provider and no model", f"write `{name}:MODEL`")
    if not colon:
        name, model = "openai", name
    if not name or not model.strip():
        raise ConfigError(f"reviewer `{spec}` names no model", "write it as `provider:model`")
    return name, model.strip()


def check_spec(spec: str, config: Config) -> None:
    """Whether a spec could ever name a reviewer; says nothing of whether it is usable here.

    Raises:
        ConfigError: it is malformed, or its provider is a misspelling of a known one.
    """
    from difflib import get_close_matches

    if spec == RULES:
        return
    name, model = _split(spec, config)
    near = get_close_matches(name.lower(), list(config.providers), n=1, cutoff=0.7)
    if near and name not in config.providers:
        raise ConfigError(f"there is no provider `{name}`: did you mean `{near[0]}`?", f"write `{near[0]}:{model}`")


def _unknown(spec: str, name: str, model: str) -> Reviewer:
    identity = Identity(spec, name, model, "", frozenset())
    hint = f"describe it in your own file: [providers.{name}] with `base-url` and `api-key-env`"
    return Reviewer(identity, None, None, f"`{name}` is not set up on this machine", hint)


def _origin(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"


def _listens(base_url: str) -> bool:
    """Whether a server on this machine accepts a connection; others are not probed."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not loopback(host):
        return True
    try:
        with socket.create_connection(
            (host, parts.port or (443 if parts.scheme == "https" else 80)), _CONNECT_SECONDS
        ):
            return True
    except OSError:
        return False


def seen(config: Config, variables: Mapping[str, str]) -> list[Provider]:
    """The providers for which a key, or a server on this machine, is there to see."""
    return [
        provider
        for provider in config.providers.values()
        if (variables.get(provider.api_key_env, "").strip() if provider.api_key_env else _recognised(provider))
    ]


def _recognised(provider: Provider) -> bool:
    """Whether a local server is there whose port nothing else commonly uses."""
    return urlsplit(provider.base_url).port in _OWN_PORTS and _listens(provider.base_url)


def build(found: Reviewer, variables: Mapping[str, str]) -> Backend:
    """The backend of a usable candidate; here the client is imported."""
    from twoagent_hook.backends.chat import ChatBackend

    if found.provider is None:
        raise ConfigError(f"`{found.identity.provider}` is not set up on this machine", found.hint)
    return ChatBackend(found.identity, found.provider, found.key, variables)
