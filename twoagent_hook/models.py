"""What a model id says about the model: its normalised form, and whose family it is; pure."""

import re
from functools import cache

from twoagent_hook import datafiles

_DATE = re.compile(r"[-@_.]?(20\d{2}-?[01]\d-?[0-3]\d|\d{4}-preview)$")
_TAIL = re.compile(r"(-latest|-v\d+:\d+|@latest)$")
_REGION = re.compile(r"^(?:(?:us|eu|apac|ap|global|jp|au|ca|sa|me|af)(?:-gov)?\.)?(?:[a-z][a-z0-9-]*\.)(?=[a-z])")
_WORDS = re.compile(r"[a-z]+\d*|\d+")


def normalise(model: str) -> str:
    """The id without what differs between places that serve the same model.

    Taken off: provider paths (`anthropic/…`), region and vendor prefixes (`us.anthropic.…`), tags (`:free`,
    `@default`), dates, `-latest`, `-v1:0`. Dots between digits and dashes are the same (`4.7`, `4-7`).
    """
    name = model.strip().lower().rstrip("/").rpartition("/")[2]
    name = _REGION.sub("", name)
    name = _TAIL.sub("", name)
    name = name.split("@")[0].split(":")[0]
    while (shorter := _TAIL.sub("", _DATE.sub("", name))) != name and shorter:
        name = shorter
    return re.sub(r"(?<=\d)\.(?=\d)", "-", name)


@cache
def _prefixes() -> tuple[tuple[str, str], ...]:
    table = datafiles.packaged_toml("models.toml")["families"]
    return tuple((prefix, family) for family, prefixes in table.items() for prefix in prefixes)


@cache
def _uninformative() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml("models.toml")["unknown"]["ids"])


def families(model: str) -> frozenset[str]:
    """The vendors whose models this may be: none where the name says nothing, two for a distilled one."""
    name = normalise(model)
    if name in _uninformative():
        return frozenset()
    words = [match.group() for match in _WORDS.finditer(name)]
    return frozenset(family for prefix, family in _prefixes() if any(_begins(word, prefix) for word in words))


def _begins(word: str, prefix: str) -> bool:
    """The word is the prefix, but for a version: `qwen3` begins with `qwen`, `stepping` not with `step`."""
    rest = word.removeprefix(prefix)
    return rest != word and (not rest or rest.isdigit())


def same(one: str, other: str) -> bool:
    """Whether two ids name the same model."""
    return normalise(one) == normalise(other)
