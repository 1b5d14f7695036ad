"""The settings: which keys there are, who may set them, and what a run goes by.

Policy keys belong to the repository (read from the base of what is judged) and to the user; connection keys to
the user alone, since a commit must redirect neither the diff nor the key, nor name a program.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from twoagent_hook import datafiles
from twoagent_hook.errors import ConfigError
from twoagent_hook.findings import Effect

POLICY_FILE = ".twoagent-hook.toml"
PYPROJECT = "pyproject.toml"
_TABLE = "twoagent-hook"
FAIL_ON = ("block", "request-changes")  # from the laxest to the strictest, as the two below
ON_ERROR = ("allow", "defer", "block")
INDEPENDENCE = ("model", "family")


@dataclass(frozen=True, slots=True)
class Provider:
    """How one endpoint is reached.

    Attributes:
        api_key_env: the variable that holds the key; None where none is needed.
        headers: sent with every request.
        families: the vendors whose models answer here, where the user knows it better than the model id says.
        extra_body: merged into every request.
    """

    name: str
    base_url: str
    api_key_env: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    families: frozenset[str] = frozenset()
    allow_insecure: bool = False
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "built in"


@dataclass(frozen=True, slots=True)
class Config:
    """What a run goes by, after all places where settings stand have been joined.

    Attributes:
        sources: key -> where its value comes from.
        notices: what the user should know about the policy itself.
    """

    reviewers: tuple[str, ...] = ()
    independence: str = "model"
    author: str | None = None
    fail_on: str = "block"
    on_error: str = "block"
    timeout: float = 90.0
    max_input_tokens: int = 24000
    exclude: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    guidelines: tuple[str, ...] = ()
    rules: Mapping[str, Effect] = field(
        default_factory=lambda: default_rules()  # noqa: PLW0108 - defined below
    )
    prompt: str = "project"
    providers: Mapping[str, Provider] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class Layer(NamedTuple):
    """The values of one place, valid each by itself; keys as they are spelled in files."""

    origin: str
    values: Mapping[str, Any]


def default_rules() -> dict[str, Effect]:
    effects = datafiles.packaged_toml("screening/rules.toml")["effects"]
    return {name: effect_of(text) for name, text in effects.items()}


def effect_of(text: str) -> Effect:
    return Effect[text.upper().replace("-", "_")]


# --- one check a kind of value: what is allowed, and the value or None --------------------------------------

Check = Callable[[Any], Any]


class _BadValueError(Exception):
    """Says what is allowed; becomes a ConfigError where file and key are known."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _BadValueError("a text that is not empty")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise _BadValueError("a list of texts")
    return tuple(value)


def _choice(*allowed: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _BadValueError(" or ".join(f'"{choice}"' for choice in allowed) + _nearest(str(value), allowed))
        return value

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise _BadValueError(f"a number from {low:g} to {high:g}")
        return value

    return check


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _BadValueError(f"a whole number from {low} to {high}")
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _BadValueError("true or false")
    return value


def _headers(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else [(None, None)]
    clean = all(isinstance(text, str) and text.isascii() and text.isprintable() for pair in pairs for text in pair)
    if not isinstance(value, dict) or not clean:
        raise _BadValueError("a table of header = text, in printable ASCII")
    return dict(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _BadValueError("a table")
    return value


def _patterns(value: Any) -> tuple[str, ...]:
    from pathspec import GitIgnoreSpec

    patterns = _texts(value)
    try:
        GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise _BadValueError(f"a list of .gitignore patterns ({error})") from error
    return patterns


def _rules(value: Any) -> dict[str, Effect]:
    known, always = default_rules(), datafiles.packaged_toml("screening/rules.toml")["always"]["rules"]
    if not isinstance(value, dict):
        raise _BadValueError('a table of rule = "off", "note", "request-changes" or "block"')
    for name, text in value.items():
        if name not in known:
            raise _BadValueError(f"one of the rules {', '.join(known)}{_nearest(name, known)}")
        if text not in [effect.label for effect in Effect]:
            raise _BadValueError(f'for {name}: "off", "note", "request-changes" or "block"')
        if text == "off" and name in always:
            raise _BadValueError(f'for {name}: "note", "request-changes" or "block" (it can\'t be off)')
    return {name: effect_of(text) for name, text in value.items()}


def _paths(value: Any) -> tuple[str, ...]:
    paths = _texts(value)
    if any(path.startswith(("/", "-")) or ".." in path.split("/") for path in paths):
        raise _BadValueError("a list of paths below the repository's root")
    return paths


def _prompt(value: Any) -> str:
    return value if value in {"project", "seed"} else _paths([_text(value)])[0]


# --- which key is whose -------------------------------------------------------------------------------------

POLICY: Mapping[str, Check] = {
    "reviewers": _texts,
    "independence": _choice(*INDEPENDENCE),
    "author": _text,
    "fail-on": _choice(*FAIL_ON),
    "on-error": _choice(*ON_ERROR),
    "timeout": _number(1, 3600),
    "max-input-tokens": _whole(1000, 2_000_000),
    "exclude": _patterns,
    "protect": _patterns,
    "guidelines": _paths,
    "rules": _rules,
    "prompt": _prompt,
}
USER: Mapping[str, Check] = {
    key: check for key, check in POLICY.items() if key not in {"exclude", "protect", "guidelines"}
} | {"providers": _table}
PROVIDER: Mapping[str, Check] = {
    "base-url": _text,
    "api-key-env": _text,
    "headers": _headers,
    "timeout": _number(1, 3600),
    "family": _text,
    "allow-insecure": _flag,
    "extra-body": _table,
}
_CONNECTION = (*PROVIDER, "providers", "api-key", "api-key-command", "command", "api")
_STRICTER: Mapping[str, Sequence[str]] = {
    "fail-on": FAIL_ON,
    "on-error": ON_ERROR,
    "independence": INDEPENDENCE,
}


def _nearest(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _layer(values: Mapping[str, Any], keys: Mapping[str, Check], origin: str) -> Layer:
    found = {}
    for key, value in values.items():
        if key not in keys:
            raise _misplaced(key, keys, origin)
        found[key] = checked(value, keys[key], key, origin)
    return Layer(origin, found)


def checked(value: Any, check: Check, key: str, origin: str) -> Any:
    """The value, if it is one that the key may have.

    Raises:
        ConfigError: it is not; the message names the place, the key and what is allowed.
    """
    try:
        return check(value)
    except _BadValueError as allowed:
        raise ConfigError(f"{origin}: `{key}` can't be {ascii(value)[:80]}", f"`{key}` takes {allowed}") from None


def _misplaced(key: str, keys: Mapping[str, Check], origin: str) -> ConfigError:
    if keys is POLICY and key in _CONNECTION:
        do = "put it into your own file (`[providers.NAME]` in the user's config.toml)"
        return ConfigError(f"{origin}: `{key}` says where the change is sent, and a repository may not say that", do)
    if keys is USER and key in POLICY:
        return ConfigError(f"{origin}: `{key}` belongs to the repository's policy", f"move it to {POLICY_FILE}")
    do = f"take it out{_nearest(key, keys)}; known here: {', '.join(sorted(keys))}"
    return ConfigError(f"{origin}: unknown key `{key}`", do)


# --- files --------------------------------------------------------------------------------------------------


def policy_layer(files: Mapping[str, str | None], where: str) -> Layer | None:
    """The policy that stands in a tree, or None where it holds none.

    Args:
        files: the text of POLICY_FILE and of PYPROJECT there; None for one that is not there.
        where: how the tree is called in messages.

    Raises:
        ConfigError: it is in both files, or can't be followed.
    """
    own, project = files.get(POLICY_FILE), files.get(PYPROJECT)
    tables = {}
    if own is not None:
        origin = f"{POLICY_FILE} ({where})"
        tables[origin] = datafiles.parse_toml(own, origin)
    if project is not None and _TABLE in project:
        origin = f"{PYPROJECT} ({where})"
        tool = datafiles.parse_toml(project, origin).get("tool", {})
        if isinstance(tool, dict) and _TABLE in tool:
            tables[origin] = checked(tool[_TABLE], _table, f"tool.{_TABLE}", origin)
    if len(tables) > 1:
        raise ConfigError(f"the policy stands in both {POLICY_FILE} and {PYPROJECT} ({where})", "keep one of the two")
    for origin, values in tables.items():
        return _layer(values, POLICY, origin)
    return None


def user_layer(path: str) -> Layer:
    """The user's own file; an empty layer where there is none.

    Raises:
        ConfigError: it can't be read or followed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return Layer(path, {})
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} can't be read: {reason}", "correct the file or its permissions") from error
    return _layer(datafiles.parse_toml(text, path), USER, path)


def user_file(home: str | None) -> str:
    """Where the user's own file is; `home` is the value of TWOAGENT_HOME."""
    if home:
        return os.path.join(home, "config.toml")
    from platformdirs import user_config_path

    return str(user_config_path("twoagent-hook", appauthor=False) / "config.toml")


# --- joining ------------------------------------------------------------------------------------------------


def join(
    user: Layer,
    policy: Layer | None,
    flags: Layer,
    *,
    hook: bool,
    openai_base_url: str | None = None,
    notices: tuple[str, ...] = (),
) -> Config:
    """One set of settings: defaults < user's file < policy < flags, where of some keys the stricter value wins.

    Args:
        flags: what the command line says, with the keys of files.
        hook: whether a commit runs us: then flags may only tighten, or choose among the policy's reviewers.
        openai_base_url: the variable of the openai package; it counts where the user's file says nothing else.

    Raises:
        ConfigError: the settings contradict each other, or a hook's flag would loosen the gate.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in (user, policy):
        for key, value in (layer.values if layer else {}).items():
            stricter = key in _STRICTER and key in values and _rank(key, values[key]) > _rank(key, value)
            if not stricter:
                joined = _joined_rules(values.get("rules"), value) if key == "rules" else value
                values[key], sources[key] = joined, layer.origin if layer else ""
    if hook:
        _refuse_loosening(flags, values)
    for key, value in flags.values.items():
        values[key], sources[key] = value, flags.origin
    return _config(values, sources, openai_base_url, notices)


def _rank(key: str, value: str) -> int:
    return _STRICTER[key].index(value)


def _joined_rules(user: Mapping[str, Effect] | None, policy: Mapping[str, Effect]) -> dict[str, Effect]:
    """The policy's effects, which the user's file may only make stricter."""
    base = default_rules() | dict(policy)
    return {name: max(effect, (user or {}).get(name, effect)) for name, effect in base.items()}


def _refuse_loosening(flags: Layer, values: Mapping[str, Any]) -> None:
    allowed = values.get("reviewers")
    for spec in flags.values.get("reviewers", ()):
        if allowed is not None and spec not in allowed:
            raise ConfigError(
                f"--reviewer {spec} is none of the reviewers that the policy accepts, and a hook's arguments may "
                "only choose among those",
                f"accepted are: {', '.join(allowed)}",
            )
        if allowed is None and spec == "rules":
            raise ConfigError(
                "--reviewer rules in a hook's arguments would open the gate without a review",
                f'write `reviewers = ["rules"]` into {POLICY_FILE} if that is meant',
            )
    defaults = {"fail-on": "block", "on-error": "block"}
    for key, default in defaults.items():
        given, current = flags.values.get(key), values.get(key, default)
        if given is not None and _rank(key, given) < _rank(key, current):
            raise ConfigError(
                f"--{key} {given} would loosen the gate (it is {current}), and a hook's arguments may only tighten it",
                f"set `{key}` in {POLICY_FILE}, or run `twoagent-hook review` by hand",
            )


def _config(
    values: dict[str, Any], sources: dict[str, str], openai_base_url: str | None, notices: tuple[str, ...]
) -> Config:
    providers = _builtin_providers()
    if openai_base_url:
        openai = replace(providers["openai"], base_url=openai_base_url, families=frozenset(), origin="OPENAI_BASE_URL")
        providers["openai"] = openai
    for name, table in values.pop("providers", {}).items():
        origin = sources["providers"]
        layer = _layer(checked(table, _table, f"providers.{name}", origin), PROVIDER, f"{origin} [providers.{name}]")
        providers[name] = _provider(name, layer, providers.get(name))
    check_base_url(providers["openai"])
    values["rules"] = default_rules() | values.get("rules", {})
    reviewers = values.get("reviewers", ())
    if "rules" in reviewers and len(reviewers) > 1:
        raise ConfigError(
            f"{sources['reviewers']}: `rules` is no model, and can't stand beside other reviewers",
            'write `reviewers = ["rules"]` alone, or name models only',
        )
    fields = {key.replace("-", "_"): value for key, value in values.items()}
    return Config(**fields, providers=providers, sources=sources, notices=notices)


def _provider(name: str, layer: Layer, base: Provider | None) -> Provider:
    values = layer.values
    url = values.get("base-url", base.base_url if base else None)
    if url is None:
        raise ConfigError(f"{layer.origin}: `base-url` is missing", 'write `base-url = "https://…/v1"`')
    family = values.get("family")
    kept = base.families if base and base.base_url == url else frozenset()
    own = Provider(
        name=name,
        base_url=url,
        api_key_env=values.get("api-key-env", base.api_key_env if base else None),
        headers=values.get("headers", base.headers if base else {}),
        timeout=values.get("timeout"),
        families=frozenset({family}) if family else kept,
        allow_insecure=values.get("allow-insecure", False),
        extra_body=values.get("extra-body", {}),
        origin=layer.origin,
    )
    check_base_url(own)
    return own


def _builtin_providers() -> dict[str, Provider]:
    table = datafiles.packaged_toml("backends/providers.toml")
    return {
        name: Provider(
            name,
            row["base-url"],
            row.get("api-key-env"),
            families=frozenset({row["family"]} if "family" in row else ()),
        )
        for name, row in table.items()
    }


def loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or (host.startswith("127.") and host.replace(".", "").isdigit())


def check_base_url(provider: Provider) -> None:
    """Refuse an address to which requests would go wrong, or in clear.

    Raises:
        ConfigError: with the right address where there is one.
    """
    from urllib.parse import urlsplit

    key, url = f"base-url of {provider.name}", provider.base_url
    try:
        parts = urlsplit(url.strip())
        port_known = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError(f"{provider.origin}: {key} is no address: {url!a}", _EXAMPLE) from None
    clean = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_known:
        raise ConfigError(f"{provider.origin}: {key} is no http(s) address: {url!a}", _EXAMPLE)
    if parts.username or parts.password:
        raise ConfigError(f"{provider.origin}: {key} holds a user name or password", "keys belong into `api-key-env`")
    if parts.query or parts.fragment or url != url.strip():
        what = "a query string" if parts.query else "a fragment" if parts.fragment else "white space around it"
        raise ConfigError(f"{provider.origin}: {key} has {what}, which would end up in the path", f'write "{clean}"')
    for tail in ("/chat/completions", "/completions", "/responses", "/models"):
        if clean.endswith(tail):
            raise ConfigError(
                f"{provider.origin}: {key} already ends with {tail}", f'write "{clean.removesuffix(tail)}"'
            )
    if parts.scheme == "http" and not loopback(parts.hostname) and not provider.allow_insecure:
        raise ConfigError(
            f"{provider.origin}: {key} is plain http, so the change and the key could be read on the way",
            "use https, or set `allow-insecure = true` for a host inside your own network",
        )


_EXAMPLE = 'write it like "https://api.example.com/v1"'
