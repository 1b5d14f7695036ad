"""What a model id says about the model: its normalised form, and whose family it is; pure."""

import re
from functools import cache

from twoagent_hook import datafiles

_REMARK = re.compile(r"[\[(][^\])]*[\])]?")
_REGION = re.compile(r"^(?:(?:us|eu|apac|ap|global|jp|au|ca|sa|me|af)(?:-gov)?\.)?(?:[a-z][a-z0-9-]*\.)(?=[a-z])")
# What differs between two names of one model. Taking too much off only makes two ids the same, which refuses a
# reviewer; taking too little off would let the author review itself.
_TAIL = re.compile(
    r"(-latest|@latest|-v?\d+:\d+|-preview|-exp(?:erimental)?|-thinking|-reasoning"
    r"|[-@_.]20\d{2}-?[01]\d-?[0-3]\d|-(?:0[1-9]|1[0-2])-?[0-3]\d|-(?:0[1-9]|1[0-2])-20\d{2}"
    r"|-2\d(?:0[1-9]|1[0-2])(?:[0-3]\d)?)$"
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
    name = _TAIL.sub("", _without_vendor(re.sub(r"\.(?:gguf|safetensors)$", "", name)))
    name = name.split("@")[0].split(":")[0]
    while (shorter := _TAIL.sub("", name)) != name and shorter:
        name = shorter
    return re.sub(r"(?<=\d)\.(?=\d)", "-", name)


def _without_vendor(name: str) -> str:
    """Without region and vendor, unless the vendor's prefix alone names the family (`us.deepseek.r1`)."""
    rest = _REGION.sub("", name)
    vendor = name.removesuffix(rest).rstrip(".").rpartition(".")[2]
    return f"{vendor}-{rest}" if vendor and _named(vendor) and not _named(rest) else rest


@cache
def _providers() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml("backends/providers.toml"))


def _named(text: str) -> bool:
    """Whether the text names a family at all."""
    return any(_occurs(_WORDS.findall(text), pattern) for pattern, _ in _patterns())


def specific(model: str) -> bool:
    """Whether it names one model, not just a family (`claude`, `opus`)."""
    return any(char.isdigit() for char in normalise(model)) or not families(model)


@cache
def _patterns() -> tuple[tuple[tuple[str, ...], str], ...]:
    table = datafiles.packaged_toml("models.toml")["families"]
    return tuple((tuple(pattern.split("-")), family) for family, patterns in table.items() for pattern in patterns)


@cache
def _namesakes() -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(pattern.split("-")) for pattern in datafiles.packaged_toml("models.toml")["unknown"]["namesakes"]
    )


@cache
def _uninformative() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml("models.toml")["unknown"]["ids"])


def families(model: str) -> frozenset[str]:
    """The vendors whose models this may be: none where the name says nothing, two for a distilled one."""
    name = normalise(model)
    if name in _uninformative():
        return frozenset()
    words = _WORDS.findall(name)
    if any(_occurs(words, namesake) for namesake in _namesakes()):
        return frozenset()
    return frozenset(family for pattern, family in _patterns() if _occurs(words, pattern))


def _occurs(words: list[str], pattern: tuple[str, ...]) -> bool:
    """Whether the words of the pattern follow one another in the name."""
    places = range(len(words) - len(pattern) + 1)
    return any(all(map(_begins, words[place:], pattern)) for place in places)


def _begins(word: str, prefix: str) -> bool:
    """The word is the prefix, but for a version: `qwen3` begins with `qwen`, `stepping` not with `step`.

    `#` stands for a number, and has to be there.
    """
    if prefix.endswith("#"):
        return word.startswith(prefix[:-1]) and word.removeprefix(prefix[:-1]).isdigit()
    rest = word.removeprefix(prefix)
    return rest != word and (not rest or rest.isdigit())


def same(one: str, other: str) -> bool:
    """Whether two ids name the same model."""
    return normalise(one) == normalise(other)
