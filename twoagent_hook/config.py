"""The settings: which keys there are, who may set them, and what a run goes by.

Policy keys belong to the repository (read from the base of what is judged) and to the user; connection keys to
the user alone, since a commit must redirect neither the diff nor the key, nor name a program.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from twoagent_hook import datafiles, files, models
from twoagent_hook.addresses import check_base_url
from twoagent_hook.errors import ConfigError
from twoagent_hook.findings import Effect
from twoagent_hook.keys import (
    CEILINGS,
    POLICY,
    POLICY_FILE,
    PROVIDER,
    STRICTER,
    USER,
    Command,
    Layer,
    checked,
    default_rules,
    layer_of,
    table_of,
)

PYPROJECT = "pyproject.toml"
_TABLE = "twoagent-hook"
DEFAULT_PROVIDER = "openai"  # of a reviewer that is named by its model alone


@dataclass(frozen=True, slots=True)
class Provider:
    """How one endpoint is reached, or which command is run.

    Attributes:
        base_url: empty for a command, and where each customer has an address of their own.
        address: the shape of such an address.
        api_key_env: the variable that holds the key; None where none is needed.
        api_key_command: prints the key; before `api_key_env`.
        key_optional: whether it may be asked without the key.
        headers: sent with every request.
        api: the one API to use (`chat` or `responses`); None where that is found out.
        forms: of reply that it takes; empty where that is found out.
        responses_only: ids that it serves over the Responses API alone.
        command: the program and its arguments, where the reviewer is one.
        families: the vendors whose models answer here, where the user knows it better than the model id says.
        extra_body: merged into every request.
    """

    name: str
    base_url: str
    api_key_env: str | None = None
    api_key_command: tuple[str, ...] = ()
    key_optional: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    families: frozenset[str] = frozenset()
    allow_insecure: bool = False
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    api: str | None = None
    forms: tuple[str, ...] = ()
    responses_only: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    address: str = ""
    origin: str = "built in"


@dataclass(frozen=True, slots=True)
class Config:
    """What a run goes by, after all places where settings stand have been joined.

    Attributes:
        record_expiry: days after which a recorded verdict does not stand any more.
        skip: kinds of change that need no reviewer beside those that prove it by themselves.
        defer: who may have a change reviewed later by saying so.
        defer_branches: shell patterns of branches on which that goes without saying.
        plan: the path of the plan that every change is held against.
        verify_commands: what `verify` runs: shell lines as texts, argument lists as tuples.
        verify_at_push: whether those may be run by a push.
        roles: role -> the spec of its model.
        implementers: every one that a table of roles names: none takes another one away.
        sources: key -> where its value comes from.
        notices: what the user should know about the policy itself.
    """

    reviewers: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    independence: str = "model"
    author: str | None = None
    author_from_transcript: bool = False
    fail_on: str = "block"
    on_error: str = "block"
    timeout: float = 90.0
    concurrency: int = 4
    max_input_tokens: int = 24000
    max_requests: int = 3
    max_tokens_per_day: int | None = None
    max_cost_per_month: float | None = None
    record_expiry: int = 30
    skip: tuple[str, ...] = ()
    defer: str = "off"
    defer_branches: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    guidelines: tuple[str, ...] = ()
    secret_fixtures: tuple[str, ...] = ()
    dismiss: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Effect] = field(default_factory=default_rules)
    prompt: str = "project"
    plan: str | None = None
    verify_commands: tuple[Command, ...] = ()
    verify_at_push: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    implementers: tuple[str, ...] = ()
    providers: Mapping[str, Provider] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


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
            tables[origin] = checked(tool[_TABLE], table_of, f"tool.{_TABLE}", origin)
    if len(tables) > 1:
        raise ConfigError(f"the policy stands in both {POLICY_FILE} and {PYPROJECT} ({where})", "keep one of the two")
    for origin, values in tables.items():
        return layer_of(values, POLICY, origin)
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
    if files.writable_by_others(path):
        # It names where changes and keys go, and programs to run.
        raise ConfigError(f"{path} could be written by another user", "chmod go-w it and its folder, and look at it")
    return layer_of(datafiles.parse_toml(text, path), USER, path)


def user_file(home: str | None) -> str:
    """Where the user's own file is; `home` is the value of TWOAGENT_HOME.

    Raises:
        ConfigError: it is relative, so that a repository could bring the file.
    """
    moved = _moved(home)
    if moved:
        return os.path.join(moved, "config.toml")
    from platformdirs import user_config_path

    return str(user_config_path(_TABLE, appauthor=False) / "config.toml")


def cache_folder(home: str | None) -> str:
    """Where what may be forgotten is kept, outside of every repository; see `user_file`."""
    moved = _moved(home)
    if moved:
        return os.path.join(moved, "cache")
    from platformdirs import user_cache_path

    return str(user_cache_path(_TABLE, appauthor=False))


def state_folder(home: str | None) -> str:
    """Where the user's own records are kept, outside of every repository; see `user_file`."""
    moved = _moved(home)
    if moved:
        return os.path.join(moved, "state")
    from platformdirs import user_state_path

    return str(user_state_path(_TABLE, appauthor=False))


def _moved(home: str | None) -> str | None:
    if home and not os.path.isabs(home):
        raise ConfigError(
            f"TWOAGENT_HOME is not an absolute path: {home!a}", "set it to an absolute path, or unset it"
        )
    return home or None


# --- joining ------------------------------------------------------------------------------------------------


def join(
    user: Layer,
    policy: Layer | None,
    flags: Layer,
    *,
    hook: bool,
    openai_base_url: str | None = None,
    prefer: str | None = None,
    notices: tuple[str, ...] = (),
) -> Config:
    """One set of settings: defaults < user's file < policy < flags, where of some keys the stricter value wins.

    Args:
        flags: what the command line says, with the keys of files.
        hook: whether a commit runs us: then flags may only tighten, or choose among the policy's reviewers.
        openai_base_url: the variable of the openai package; it counts where the user's file says nothing else.
        prefer: TWOAGENT_PREFER, in place of the user's own `prefer`.

    Raises:
        ConfigError: the settings contradict each other, or a hook's flag would loosen the gate.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in (user, policy):
        for key, value in (layer.values if layer else {}).items():
            stricter = key in STRICTER and key in values and _rank(key, values[key]) > _rank(key, value)
            lower = key in CEILINGS and key in values and values[key] < value
            if not stricter and not lower:
                values[key], sources[key] = value, layer.origin if layer else ""
    _take_roles(values, sources, user, policy)
    dismissals = [layer.values.get("dismiss", {}) for layer in (user, policy) if layer]
    values["dismiss"] = {key: reason for found in dismissals for key, reason in found.items()}
    values["rules"] = _joined_rules(user.values.get("rules", {}), policy.values.get("rules", {}) if policy else {})
    if hook:
        _refuse_loosening(flags, values)
    for key, value in flags.values.items():
        values[key], sources[key] = value, flags.origin
    if prefer is not None:
        names = (name.strip() for name in prefer.split(","))
        values["prefer"], sources["prefer"] = tuple(name for name in names if name), "TWOAGENT_PREFER"
    return _config(values, sources, openai_base_url, notices)


def _take_roles(values: dict[str, Any], sources: dict[str, str], user: Layer, policy: Layer | None) -> None:
    """Join [roles]: the policy's models before the user's own, but every implementer that either of them names.

    The reviewer comes first among those that are accepted; one of the user's own that is not accepted here is passed
    over, as `prefer` is.

    Raises:
        ConfigError: the policy's is not accepted by the policy, or one table names its implementer as reviewer.
    """
    tables = [(layer, layer.values.get("roles", {})) for layer in (user, policy) if layer]
    values["roles"] = {role: spec for _, table in tables for role, spec in table.items()}
    values["implementers"] = tuple(
        dict.fromkeys(table["implementer"] for _, table in tables if "implementer" in table)
    )
    for layer, table in tables:
        spec, implementer = table.get("reviewer"), table.get("implementer")
        if spec is None:
            continue
        if implementer is not None and models.same(model_of(spec), model_of(implementer)):
            raise ConfigError(
                f"{layer.origin}: [roles] names {spec} as reviewer and as implementer, "
                "and no model reviews its own work",
                "name a reviewer that is another model, best of another vendor",
            )
        accepted = values.get("reviewers", ())
        if accepted and spec not in accepted and layer is policy:
            raise ConfigError(
                f"{layer.origin}: the reviewer of [roles], {spec}, is none of the reviewers that are accepted",
                f"add it to `reviewers`, or name one of {', '.join(accepted)}",
            )
        if not accepted or spec in accepted:
            sources.setdefault("reviewers", layer.origin)
            values["reviewers"] = tuple(dict.fromkeys((spec, *accepted)))


def model_of(spec: str) -> str:
    """The model that a spec names; a command that chooses it by itself is called by its own name."""
    return spec.partition(":")[2].strip() or spec


def with_notices(config: Config, notices: tuple[str, ...]) -> Config:
    """The same settings, with more to say about them."""
    return replace(config, notices=(*config.notices, *notices)) if notices else config


def _rank(key: str, value: str) -> int:
    return STRICTER[key].index(value)


def _joined_rules(user: Mapping[str, Effect], policy: Mapping[str, Effect]) -> dict[str, Effect]:
    """The policy's effects, else the defaults; the user's file may only make them stricter."""
    base = default_rules() | dict(policy)
    return {name: max(effect, user.get(name, effect)) for name, effect in base.items()}


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
        values_here = checked(table, table_of, f"providers.{name}", origin)
        own = layer_of(values_here, PROVIDER, f"{origin} [providers.{name}]")
        providers[name] = _provider(name, own, providers.get(name))
    reviewers = values.get("reviewers", ())
    if "rules" in reviewers and len(reviewers) > 1:
        raise ConfigError(
            f"{sources['reviewers']}: `rules` is no model, and can't stand beside other reviewers",
            'write `reviewers = ["rules"]` alone, or name models only',
        )
    values["reviewers"] = _preferred(reviewers, values.get("prefer", ()), providers)
    fields = {key.replace("-", "_"): value for key, value in values.items()}
    return Config(**fields, providers=providers, sources=sources, notices=notices)


def _preferred(
    reviewers: tuple[str, ...], prefer: tuple[str, ...], providers: Mapping[str, Provider]
) -> tuple[str, ...]:
    """The same reviewers, those that the user prefers first; a provider's name stands for all of its models.

    It names nobody whom the policy does not accept: what is not in the list is passed over.
    """

    def place(spec: str) -> int:
        name = spec.partition(":")[0] if ":" in spec or spec in providers else DEFAULT_PROVIDER
        names = (spec, name)
        return next((place for place, wanted in enumerate(prefer) if wanted in names), len(prefer))

    return tuple(sorted(reviewers, key=place))


def _provider(name: str, layer: Layer, base: Provider | None) -> Provider:
    """The built-in provider of that name with what the user's file says, or one of the user's own."""
    values = layer.values
    if "command" in values and ({"base-url", "api-key-command", "api"} & set(values)):
        raise ConfigError(f"{layer.origin}: `command` is run, and can't stand beside an endpoint", "keep one of them")
    # A built-in endpoint that becomes a command, or the other way round, has nothing of the built-in one left.
    other = base is None or ("command" in values and not base.command) or ("base-url" in values and bool(base.command))
    kind = Provider(name, "") if other or base is None else base
    url = values.get("base-url", kind.base_url)
    if not url and not values.get("command", kind.command) and not kind.address:
        do = 'write `base-url = "https://…/v1"`, or `command = ["PROGRAM", …]` for one that is run'
        raise ConfigError(f"{layer.origin}: `base-url` is missing", do)
    given = {key.replace("-", "_"): values[key] for key in values if key not in {"base-url", "family"}}
    if "api-key-env" in values or "api-key-command" in values:
        given = {"api_key_env": None, "api_key_command": (), "key_optional": False} | given
    moved = {"families": frozenset[str](), "forms": (), "responses_only": ()} if url != kind.base_url else {}
    own = {"families": frozenset({values["family"]})} if "family" in values else {}
    made = replace(kind, base_url=url, origin=layer.origin, **(moved | given | own))
    if url:
        check_base_url(name, url, layer.origin, allow_insecure=made.allow_insecure)
    return made


def _builtin_providers() -> dict[str, Provider]:
    endpoints = datafiles.packaged_toml("backends/providers.toml")
    commands = datafiles.packaged_toml("backends/clis.toml")["clis"]
    return {name: _builtin(name, row) for name, row in (*endpoints.items(), *commands.items())}


def _builtin(name: str, row: Mapping[str, Any]) -> Provider:
    return Provider(
        name,
        row.get("base-url", ""),
        row.get("api-key-env"),
        key_optional=row.get("key-optional", False),
        families=frozenset({row["family"]} if "family" in row else ()),
        forms=tuple(row.get("forms", ())),
        responses_only=tuple(row.get("responses-only", ())),
        command=tuple(row.get("command", ())),
        address=row.get("address", ""),
    )
