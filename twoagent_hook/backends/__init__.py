"""Finds the reviewer that a spec names, and says whether it could be used here; imports no client."""

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from twoagent_hook import config as settings
from twoagent_hook import datafiles, files, models
from twoagent_hook.addresses import check_base_url, loopback
from twoagent_hook.backends import credentials
from twoagent_hook.backends.base import Backend, Identity
from twoagent_hook.backends.programs import executable
from twoagent_hook.config import Config, Provider
from twoagent_hook.errors import ConfigError

if TYPE_CHECKING:
    from twoagent_hook.backends.endpoint import EndpointBackend

RULES = "rules"
_CONNECT_SECONDS = 0.3
_OWN_PORTS = frozenset({11434, 1234})  # Ollama's and LM Studio's; 4000, 8000 and 8080 may be anybody's


class Reviewer(NamedTuple):
    """A reviewer that settings name.

    Attributes:
        unusable: why it can't be asked on this machine, or None.
        hint: what would make it usable.
    """

    identity: Identity
    provider: Provider | None
    unusable: str | None = None
    hint: str = ""


class Sighting(NamedTuple):
    """A provider that could be used on this machine, and by what that is seen."""

    provider: Provider
    sign: str


def find(spec: str, config: Config, variables: Mapping[str, str]) -> Reviewer:
    """Resolve one spec; sends nothing but, to a server on this machine, an empty connection.

    Raises:
        ConfigError: the spec is malformed, or its provider is a misspelling of a known one.
    """
    reviewer = resolve(spec, config, variables)
    provider = reviewer.provider
    if reviewer.unusable or provider is None:
        return reviewer
    lacking = _lacking(reviewer, provider, variables)
    return reviewer._replace(unusable=lacking[0], hint=lacking[1]) if lacking else reviewer


def resolve(spec: str, config: Config, variables: Mapping[str, str]) -> Reviewer:
    """Who a spec means; whether its key or its server is there is not looked at.

    Raises:
        ConfigError: see `find`.
    """
    check_spec(spec, config)
    name, model = _split(spec, config)
    provider = config.providers.get(name)
    if provider is None:
        return _unknown(spec, name, model)
    if provider.command:
        path = executable(provider.command[0], variables)
        families = _families(provider, model, variables)
        place = path or provider.command[0]
        return Reviewer(
            Identity(spec, provider.name, model, place, families, _settings(provider, variables)), provider
        )
    families = provider.families or models.families(model)
    digest = _settings(provider, variables)
    identity = Identity(spec, name, model, _origin(provider.base_url), families, digest)
    if not provider.base_url:
        hint = f'write into your own file: [providers.{name}] with `base-url = "{provider.address}"`'
        return Reviewer(identity, provider, f"`{name}` has no address of its own: `base-url` is missing", hint)
    check_base_url(name, provider.base_url, provider.origin, allow_insecure=provider.allow_insecure)
    return Reviewer(identity, provider)


def _settings(provider: Provider, variables: Mapping[str, str]) -> str:
    """A digest of what shapes an answer beside the model: the address, the command, what is sent along."""
    row = datafiles.packaged_toml("backends/clis.toml")["clis"].get(provider.name, {})
    elsewhere = {name: variables.get(name, "") for name in row.get("redirected-by", ())}
    parts = (provider.base_url, provider.command, provider.api, provider.headers, provider.extra_body, elsewhere)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=dict).encode()).hexdigest()[:16]


def _lacking(reviewer: Reviewer, provider: Provider, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """What is missing on this machine, and what to do about it; None where it could be asked."""
    if provider.command:
        return _lacking_program(provider, variables)
    lacking = credentials.missing(provider, variables)
    if lacking is not None:
        return lacking
    if not _listens(provider.base_url):
        hint = f"start the server of {provider.name}, or set its `base-url`"
        return f"nothing listens at {reviewer.identity.origin}", hint
    return None


def _lacking_program(provider: Provider, variables: Mapping[str, str]) -> tuple[str, str] | None:
    program, wanted = provider.command[0], provider.api_key_env
    if executable(program, variables) is None:
        hint = f"install {program}, or say where it is: [providers.{provider.name}] with `command` in your own file"
        return f"`{program}` is not on PATH", hint
    if wanted and not variables.get(wanted, "").strip():
        return f"its key is missing: {wanted} is not set", f"set {wanted}"
    return None


def _families(provider: Provider, model: str, variables: Mapping[str, str]) -> frozenset[str]:
    """Whose model answers; the one vendor of a CLI is no longer sure where a variable sends it elsewhere."""
    row = datafiles.packaged_toml("backends/clis.toml")["clis"].get(provider.name, {})
    elsewhere = any(variables.get(name, "").strip() for name in row.get("redirected-by", ()))
    if elsewhere and provider.families == frozenset({row.get("family")}):
        return models.families(model)
    return provider.families or models.families(model)


def _split(spec: str, config: Config) -> tuple[str, str]:
    name, colon, model = spec.strip().partition(":")
    known = config.providers.get(name)
    if not colon and known is not None and known.command:
        return name, ""
    if not colon and known is not None:
        raise ConfigError(
            f"reviewer `{spec}` names a provider and no model",
            f'write `reviewers = ["{name}:MODEL"]`; `twoagent-hook init --provider {name} --list-models` shows which '
            "there are",
        )
    if not colon:
        name, model = settings.DEFAULT_PROVIDER, name
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
    return Reviewer(identity, None, f"`{name}` is not set up on this machine", hint)


def _origin(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}" if base_url else ""


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


def seen(config: Config, variables: Mapping[str, str]) -> list[Sighting]:
    """What could be used on this machine: keys, coding CLIs, servers; nothing is sent to find out."""
    found = [(provider, _sign(provider, variables)) for provider in config.providers.values()]
    return [Sighting(provider, sign) for provider, sign in found if sign]


def _sign(provider: Provider, variables: Mapping[str, str]) -> str:
    if provider.command:
        return f"{provider.command[0]} is on PATH" if executable(provider.command[0], variables) else ""
    if not provider.base_url:
        return ""
    if provider.api_key_command:
        return "`api-key-command` is set"
    if provider.api_key_env and variables.get(provider.api_key_env, "").strip():
        return f"{provider.api_key_env} is set"
    return f"a server listens at {provider.base_url}" if _recognised(provider) else ""


def _recognised(provider: Provider) -> bool:
    """Whether a local server is there whose port nothing else commonly uses."""
    own = provider.api_key_env is None and urlsplit(provider.base_url).port in _OWN_PORTS
    return own and _listens(provider.base_url)


def build(found: Reviewer, config: Config, variables: Mapping[str, str], *, hurried: bool = False) -> Backend:
    """The backend of a usable reviewer; here the client is imported.

    Args:
        hurried: whether somebody else could be asked, so that long waits for this one are not worth while.
    """
    provider = found.provider
    if provider is None:
        raise ConfigError(f"`{found.identity.provider}` is not set up on this machine", found.hint)
    if provider.command:
        from twoagent_hook.backends.command import CommandBackend

        keys = [item.api_key_env for item in config.providers.values() if item.api_key_env]
        folder = settings.cache_folder(variables.get("TWOAGENT_HOME"))
        return CommandBackend(found.identity, provider, variables, keys, folder)
    return _endpoint(found, provider, variables, hurried=hurried)


async def offered(found: Reviewer, variables: Mapping[str, str], deadline: float) -> tuple[str, ...]:
    """The ids of the models that the reviewer's endpoint says it offers; none for a command.

    Raises:
        TwoAgentError: it does not say.
    """
    if found.provider is None or found.provider.command:
        return ()
    return await _endpoint(found, found.provider, variables).models(deadline)


def _cache(variables: Mapping[str, str]) -> str:
    return os.path.join(settings.cache_folder(variables.get("TWOAGENT_HOME")), "ladder.json")


def notices(variables: Mapping[str, str]) -> tuple[str, ...]:
    """What the user should know about what is kept for later runs."""
    path = _cache(variables)
    if os.path.isfile(path) and not os.path.islink(path) and files.writable_by_others(path):
        return (f"{path} could be written by another user, so what it says of endpoints is not used",)
    return ()


def _endpoint(
    found: Reviewer, provider: Provider, variables: Mapping[str, str], *, hurried: bool = False
) -> "EndpointBackend":
    from twoagent_hook.backends.endpoint import Access, EndpointBackend
    from twoagent_hook.backends.ladder import Memory

    memory = Memory(_cache(variables))
    key = credentials.source(provider, variables)
    return EndpointBackend(found.identity, Access(provider, key, variables, memory, hurried))
