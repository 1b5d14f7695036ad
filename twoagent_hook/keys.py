"""The keys of settings: who may set each, and what it may hold; every mistake says what is allowed."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook import datafiles, models
from twoagent_hook.errors import ConfigError
from twoagent_hook.findings import Effect

POLICY_FILE = ".twoagent-hook.toml"
MOST_REQUESTS = 100
OF_THE_REPOSITORY = frozenset(
    {
        "exclude",
        "protect",
        "guidelines",
        "secret-fixtures",
        "skip",
        "defer",
        "defer-branches",
        "plan",
        "verify-commands",
    }
)
FAIL_ON = ("block", "request-changes")  # from the laxest to the strictest, as the two below
ON_ERROR = ("allow", "defer", "block")
INDEPENDENCE = ("model", "family")
DEFER = ("anyone", "human", "off")
ROLES = ("planner", "implementer", "reviewer", "verifier")


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
    if not isinstance(value, list) or not all(
        isinstance(item, str) and item.strip() and "\0" not in item for item in value
    ):
        raise _BadValueError("a list of texts")
    return tuple(value)


def _choice(*allowed: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _BadValueError(" or ".join(f'"{choice}"' for choice in allowed) + nearest(str(value), allowed))
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
    if any(name.lower() in _OWN_HEADERS or not re.fullmatch(r"[A-Za-z0-9-]+", name) for name in value):
        raise _BadValueError(f"no header of the connection itself ({', '.join(sorted(_OWN_HEADERS))})")
    return dict(value)


_OWN_HEADERS = {"accept-encoding", "connection", "content-encoding", "content-length", "host", "transfer-encoding"}


def table_of(value: Any) -> dict[str, Any]:
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
            raise _BadValueError(f"one of the rules {', '.join(known)}{nearest(name, known)}")
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
    if isinstance(value, str) and value in {"project", "seed"}:
        return value
    try:
        return _paths([_text(value)])[0]
    except _BadValueError:
        raise _BadValueError('"project", "seed", or the path of a file below the repository\'s root') from None


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise _BadValueError("the name of an environment variable (the key itself is never written into a file)")
    return value


def _program(value: Any) -> tuple[str, ...]:
    words = _texts(value)
    if not words or ("/" in words[0] and not words[0].startswith(("/", "~/"))):
        raise _BadValueError(
            'a list of the program and its arguments, as ["security", "find-generic-password", "-w"]; the program by '
            "its name or its absolute path, since a relative one could be brought by a repository"
        )
    return words


def _family(value: Any) -> str:
    """A vendor's name: one that is nearly a known one would make a reviewer independent by a slip of the pen."""
    name = _text(value).strip().lower()
    known = sorted(datafiles.packaged_toml("models.toml")["families"])
    meant = [near for near in (nearest(name, known), *map(_did_you_mean, sorted(models.families(name)))) if near]
    if name not in known and meant:
        raise _BadValueError(f"the name of a vendor{meant[0]}; known are {', '.join(known)}")
    return name


def _dismissals(value: Any) -> dict[str, str]:
    """Finding id -> why it is none."""
    rows: list[Any] = value if isinstance(value, list) else [None]
    if not all(isinstance(row, dict) and set(row) == {"id", "reason"} for row in rows):
        raise _BadValueError("tables with `id` and `reason`, as in [[dismiss]]")
    if not all(isinstance(row["id"], str) and re.fullmatch(r"[0-9a-f]{12}", row["id"]) for row in rows):
        raise _BadValueError("an `id` of 12 hex digits, as a finding shows it")
    return {row["id"]: _text(row["reason"]) for row in rows}


_OWN_FIELDS = {"model", "messages", "n", "response_format", "stream"}


def _json_table(value: Any) -> dict[str, Any]:
    table = table_of(value)
    if _OWN_FIELDS & set(table):
        raise _BadValueError(f"no field of the request itself ({', '.join(sorted(_OWN_FIELDS))})")
    try:
        json.dumps(table, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _BadValueError("a table of what JSON can hold (no dates, no nan)") from error
    return table


def _path(value: Any) -> str:
    try:
        return _paths([_text(value)])[0]
    except _BadValueError:
        raise _BadValueError("the path of a file below the repository's root") from None


Command = str | tuple[str, ...]


def _commands(value: Any) -> tuple[Command, ...]:
    """Shell lines as texts, argument lists as tuples."""
    rows: list[Any] = value if isinstance(value, list) else [None]
    found: list[Command] = []
    for row in rows:
        words = row if isinstance(row, list) else [row]
        bad = not all(isinstance(word, str) and "\0" not in word for word in words) or not words
        if bad or not str(words[0]).strip():
            raise _BadValueError('a list of shell lines and argument lists, as ["make test", ["pytest", "-q"]]')
        found.append(row if isinstance(row, str) else tuple(row))
    return tuple(found)


def _roles(value: Any) -> dict[str, str]:
    """Role -> the spec of its model."""
    if not isinstance(value, dict):
        raise _BadValueError(f"a table of role = model; the roles are {', '.join(ROLES)}")
    for role in value:
        if role not in ROLES:
            raise _BadValueError(f"one of the roles {', '.join(ROLES)}{nearest(role, ROLES)}")
    if "rules" in [spec.strip() for spec in value.values() if isinstance(spec, str)]:
        raise _BadValueError("a model for each role; `rules` is none")
    return {role: _text(spec).strip() for role, spec in value.items()}


def _skips(value: Any) -> tuple[str, ...]:
    kinds = _texts(value)
    if set(kinds) - {"docs"}:
        raise _BadValueError('a list that holds "docs" or nothing')
    return kinds


# --- which key is whose -------------------------------------------------------------------------------------

POLICY: Mapping[str, Check] = {
    "reviewers": _texts,
    "independence": _choice(*INDEPENDENCE),
    "author": _text,
    "fail-on": _choice(*FAIL_ON),
    "on-error": _choice(*ON_ERROR),
    "timeout": _number(1, 3600),
    "concurrency": _whole(1, 32),
    "max-input-tokens": _whole(4000, 2_000_000),
    "max-requests": _whole(1, MOST_REQUESTS),
    "record-expiry": _whole(1, 3650),
    "skip": _skips,
    "defer": _choice(*DEFER),
    "defer-branches": _texts,
    "exclude": _patterns,
    "protect": _patterns,
    "guidelines": _paths,
    "secret-fixtures": _patterns,
    "dismiss": _dismissals,
    "rules": _rules,
    "prompt": _prompt,
    "plan": _path,
    "verify-commands": _commands,
    "roles": _roles,
}
USER: Mapping[str, Check] = {key: check for key, check in POLICY.items() if key not in OF_THE_REPOSITORY} | {
    "author-from-transcript": _flag,
    "verify-at-push": _flag,
    "prefer": _texts,
    "providers": table_of,
    "max-tokens-per-day": _whole(1, 10**12),
    "max-cost-per-month": _number(0, 10**6),
}
PROVIDER: Mapping[str, Check] = {
    "base-url": _text,
    "api-key-env": _variable,
    "api-key-command": _program,
    "api": _choice("chat", "responses"),
    "command": _program,
    "headers": _headers,
    "timeout": _number(1, 3600),
    "family": _family,
    "allow-insecure": _flag,
    "extra-body": _json_table,
}
_CONNECTION = (*PROVIDER, "providers", "api-key")
STRICTER: Mapping[str, Sequence[str]] = {
    "fail-on": FAIL_ON,
    "on-error": ON_ERROR,
    "independence": INDEPENDENCE,
}
CEILINGS = ("max-input-tokens", "max-requests")  # of the user's over the policy's


def nearest(word: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return _did_you_mean(near[0]) if near else ""


def _did_you_mean(word: str) -> str:
    return f" (did you mean `{word}`?)"


def layer_of(values: Mapping[str, Any], keys: Mapping[str, Check], origin: str) -> Layer:
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
        # What stands at a connection key may be a secret in the wrong place.
        shown = "what it is" if key in PROVIDER else ascii(value)[:80]
        raise ConfigError(f"{origin}: `{key}` can't be {shown}", f"`{key}` takes {allowed}") from None


def _misplaced(key: str, keys: Mapping[str, Check], origin: str) -> ConfigError:
    if keys is POLICY and key in _CONNECTION:
        do = "put it into your own file (`[providers.NAME]` in the user's config.toml)"
        what = "names a program to run" if key.endswith("command") else "says where the change is sent"
        return ConfigError(f"{origin}: `{key}` {what}, and a repository may not say that", do)
    if keys is USER and key in POLICY:
        return ConfigError(f"{origin}: `{key}` belongs to the repository's policy", f"move it to {POLICY_FILE}")
    do = f"take it out{nearest(key, keys)}; known here: {', '.join(sorted(keys))}"
    return ConfigError(f"{origin}: unknown key `{key}`", do)
