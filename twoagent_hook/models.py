"""What a model id says about the model: its normalised form, and whose family it is; pure."""

import re
from functools import cache

from twoagent_hook import datafiles

_REMARK = re.compile(r"[\[(][^\])]*[\])]?")
_REGION = re.compile(r"^(?:(?:us|eu|apac|ap|global|jp|au|ca|sa|me|af)(?:-gov)?\.)?(?:[a-z][a-z0-9-]*\.)(?=[a-z])")
# What differs between two names of one model. Taking too much off only makes two ids the same, which refuses a
# reviewer; taking too little off would let the author review itself.
_TAIL = re.compile(
    r"(-latest|@latest|-v\d+:\d+|-preview|-exp(?:erimental)?|-thinking|-reasoning"
    r"|[-@_.]20\d{2}-?[01]\d-?[0-3]\d|-(?:0[1-9]|1[0-2])-?[0-3]\d)$"
)
_WORDS = re.compile(r"[a-z]+\d*|\d+")


def normalise(model: str) -> str:
    """The id without what differs between places that serve the same model, or between ways to write it.

    Taken off: provider paths and prefixes (`anthropic/…`, `anthropic:…`), region and vendor prefixes
    (`us.anthropic.…`), tags (`:free`, `@default`), remarks (`[1m]`, `(1M context)`), dates, `-latest`, `-preview`,
    `-thinking`, `-v1:0`. Spaces, underscores, dots between digits and dashes are the same (`4.7`, `4-7`).
    """
    name = re.sub(r"[\s_]+", "-", _REMARK.sub("", model.strip().lower()).strip())
    name = name.rstrip("/").rpartition("/")[2]
    head, _, tail = name.partition(":")
    if tail and (head in _providers() or (not _named(head) and _named(tail))):
        name = tail
    name = _TAIL.sub("", _REGION.sub("", name))
    name = name.split("@")[0].split(":")[0]
    while (shorter := _TAIL.sub("", name)) != name and shorter:
        name = shorter
    return re.sub(r"(?<=\d)\.(?=\d)", "-", name)


@cache
def _providers() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml("backends/providers.toml"))


def _named(text: str) -> bool:
    """Whether the text names a family at all."""
    return any(_begins(word, prefix) for word in _WORDS.findall(text) for prefix, _ in _prefixes())


def specific(model: str) -> bool:
    """Whether it names one model, not just a family (`claude`, `opus`)."""
    return any(char.isdigit() for char in normalise(model)) or not families(model)


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
