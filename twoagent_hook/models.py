"""What a model id says about the model: its normalised form, and whose family it is; pure."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from twoagent_hook import datafiles

_REMARK = re.compile(r"[\[(][^\])]*[\])]?")
_FILE = re.compile(r"\.(?:gguf|safetensors|bin|llamafile)$|-\d{5}-of-\d{5}$")
_QUANTISATION = re.compile(r"[.-](?:i?q|tq)\d(?:[.-]?(?:k|0|1|nl|xxs|xs|s|m|l|xl))*(?=-|$)")
# What differs between two names of one model. Taking too much off only makes two ids the same, which refuses a
# reviewer; taking too little off would let the author review itself.
_EDITION = (
    r"-latest|@latest|-v?\d+:\d+(?::\d+k)?|-preview|-exp(?:erimental)?"
    r"|[-@_.]20\d{2}-?[01]\d-?[0-3]\d|-(?:0[1-9]|1[0-2])-?[0-3]\d|-(?:0[1-9]|1[0-2])-20\d{2}"
    r"|-2\d(?:0[1-9]|1[0-2])(?:[0-3]\d)?"
)
_TAIL = re.compile(rf"(?:{_EDITION}|-thinking|-reasoning)$")
_DATED = re.compile(rf"(?:{_EDITION})$")
_WORDS = re.compile(r"[a-z]+\d*|\d+")
_LONGEST = 300  # characters of an id that are read, the last ones: what answers may call itself anything


def normalise(model: str) -> str:
    """The id without what differs between places that serve the same model, or between ways to write it.

    Taken off: provider paths and prefixes (`anthropic/…`, `anthropic:…`), region and vendor prefixes
    (`us.anthropic.…`), tags (`:free`, `@default`), remarks (`[1m]`, `(1M context)`), dates, `-latest`, `-preview`,
    `-thinking`, `-v1:0`, and how a file of weights is packed. Spaces, underscores, dots between digits and dashes
    are the same (`4.7`, `4-7`).
    """
    return _dashed(_without_tails(_split(model)[0], _TAIL))


def _dashed(name: str) -> str:
    return re.sub(r"(?<=\d)\.(?=\d)", "-", name)


def _without_tails(name: str, tail: re.Pattern[str]) -> str:
    while (shorter := tail.sub("", name)) != name and shorter:
        name = shorter
    return name


def _split(model: str) -> tuple[str, str]:
    """The name alone and its tag (`qwen3-coder`, `30b`): without place, vendor, packing; dates are still there."""
    name = re.sub(r"[\s_]+", "-", _REMARK.sub("", model.strip()[-_LONGEST:].lower()).strip())
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    head, _, tail = name.partition(":")
    while tail and _is_place(head, tail):
        head, _, tail = (name := tail).partition(":")
    name = _QUANTISATION.sub("", _without_tails(name, _FILE))
    # llama.cpp keeps what it loads under `PUBLISHER_REPOSITORY-GGUF_FILE`.
    name = name if not _named(file := name.rpartition("-gguf-")[2]) else file
    name = _DATED.sub("", _without_vendor(name))
    name, _, tag = name.split("@")[0].partition(":")
    return name, tag


def _is_place(head: str, tail: str) -> bool:
    """Whether what stands before the colon says where the model is: `mistral:7b` is a model, and its size."""
    if not _named(tail):
        return head in _providers() and not _named(head)
    return head in _providers() or not (_named(head) or tail[0].isdigit())


def _without_vendor(name: str) -> str:
    """Without regions and vendors, unless the vendor's prefix alone names the family (`us.deepseek.r1`)."""
    *prefixes, rest = re.split(r"(?<=[a-z0-9])\.(?=[a-z])", name)
    named = next((prefix for prefix in reversed(prefixes) if _named(prefix)), None)
    return rest if named is None or _named(rest) else f"{named}-{rest}"


@cache
def _table() -> Mapping[str, Any]:
    return datafiles.packaged_toml("models.toml")


@cache
def _providers() -> frozenset[str]:
    return frozenset(datafiles.packaged_toml("backends/providers.toml"))


def _named(text: str) -> bool:
    """Whether the text names a family at all."""
    return bool(_families_in(text))


def specific(model: str) -> bool:
    """Whether it names one model, not just a family (`claude`, `opus`)."""
    return any(char.isdigit() for char in normalise(model)) or not families(model)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {family: _any_of(patterns) for family, patterns in _table()["families"].items()}


@cache
def _namesakes() -> re.Pattern[str]:
    return _any_of(_table()["unknown"]["namesakes"])


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile(f" (?:{'|'.join(' '.join(map(_word, pattern.split('-'))) for pattern in patterns)}) ")


def _word(pattern: str) -> str:
    """The word, but for a version: `qwen` is `qwen3` too, but `step` is not `stepping`, nor `o1` `o12`.

    `#` stands for a number, and has to be there; a year is none.
    """
    if pattern.endswith("#"):
        return rf"{re.escape(pattern[:-1])}\d{{1,3}}"
    return re.escape(pattern) + (r"\d*" if pattern[-1].isalpha() else "")


@cache
def _uninformative() -> frozenset[str]:
    return frozenset(_table()["unknown"]["ids"])


def families(model: str) -> frozenset[str]:
    """The vendors whose models this may be: none where the name says nothing, two for a distilled one."""
    if normalise(model) in _uninformative():
        return frozenset()
    name, tag = _split(model)
    name = _without_tails(name, _DATED)
    # More than one part is how a tuned model is told from its base; its owner chose them.
    return _families_in(name if ":" in tag or tag == "latest" else f"{name}-{tag}")


def _families_in(text: str) -> frozenset[str]:
    words = f" ^ {' '.join(_WORDS.findall(text))} $ "
    if _namesakes().search(words):
        return frozenset()
    return frozenset(family for family, pattern in _patterns().items() if pattern.search(words))


# --- whether two ids name one model -------------------------------------------------------------------------

# A number of four digits is a date or the length of a context; active parameters, experts and bits are not said
# everywhere, and no two models differ in them alone.
_UNTELLING = re.compile(r"(?<![a-z0-9.])(?:\d{2}-20\d{2}|\d{4,}|a\d+(?:\.\d+)?b|\d+[ek]|\d+bit)(?![a-z0-9])")
_SIZE = re.compile(r"(?<![a-z0-9.])e?((?:\d+x)?\d+(?:\.\d+)?[bmt])(?![a-z0-9])")
_REVISION = re.compile(r"-(?:v(\d+(?:[.-]\d+)*)|0(\d\d))$")
_TIERS = frozenset({"small", "medium", "mini"})


class _Traits(NamedTuple):
    """What a name says of its model.

    Attributes:
        words: in no order, since vendors change it (`claude-3-opus`, `claude-opus-4`).
        known: the families; where there is none, a number may be anything, also a deployment's own.
        short: whether the base of a model that grew from another one was left out, as Ollama's names do.
    """

    words: frozenset[str]
    version: tuple[int, ...]
    revision: tuple[int, ...]
    sizes: frozenset[str]
    known: frozenset[str]
    short: bool


def same(one: str, other: str) -> bool:
    """Whether two ids may name the same model.

    A size, a version or a tag that only one of them states doesn't tell them apart.
    """
    mine, theirs = _readings(one), _readings(other)
    if _differ(mine[0].sizes, theirs[0].sizes):
        return False
    return normalise(one) == normalise(other) or any(_alike(a, b) for a in mine for b in theirs)


def _differ(one: Any, other: Any) -> bool:
    return bool(one) and bool(other) and one != other


def _alike(one: _Traits, other: _Traits) -> bool:
    if not one.words or not other.words or _differ(one.version, other.version):
        return False
    if (one.short or other.short) and not (one.short != other.short and one.sizes and other.sizes):
        return False
    if not (one.known and other.known):
        return one.words == other.words and one.version == other.version
    if not one.known & other.known or _differ(one.revision, other.revision):
        return False
    return one.words == other.words or _vaguer(one, other) or _vaguer(other, one)


def _vaguer(one: _Traits, other: _Traits) -> bool:
    """Whether the first says less of what may be the second.

    A family's bare name may stand for any of its models, and `24b` says the same as `small` in another way.
    """
    if len(one.words) == 1 and not one.version and not one.sizes:
        return one.words <= other.words
    return bool(one.sizes) and not other.sizes and other.words - _TIERS == one.words


def _readings(model: str) -> list[_Traits]:
    """What the name says alone, with its tag, and without the base that it grew from.

    A tag is the host's or the user's, so that it doesn't tell models apart where the names are equal; and yet it
    holds what is a part of the name elsewhere (`phi3:medium`).
    """
    split, tag = _split(model)
    name = _without_tails(split, _TAIL)
    known = families(model)
    sizes = frozenset(_SIZE.findall(_spelled(f"{name}-{tag}")))
    whole = f"{name}-{tag}"
    return [
        _traits(name, known, sizes, short=False),
        _traits(whole, known, sizes, short=False),
        _traits(_base().sub("", _SIZE.sub("", _spelled(whole))), known, sizes, short=True),
    ]


def _traits(text: str, known: frozenset[str], sizes: frozenset[str], *, short: bool) -> _Traits:
    bare = _UNTELLING.sub("", _SIZE.sub("", _QUANTISATION.sub("", _spelled(text))))
    parts = [part for part in bare.split("-") if part and part not in _added(known)]
    name = "".join(f"-{part}" for part in ([part for part in parts if part not in _brands()] or parts))
    found = _REVISION.search(name)
    # The only number is a version, however it is written: `deepseek-v3`.
    revision = found[0] if found and any(map(str.isdigit, name[: found.start()])) else ""
    name = re.sub(r"(?<![a-z])v(?=\d)", "", name.removesuffix(revision))
    words = frozenset(re.findall(r"[a-z]+", name))
    return _Traits(words, _numbers(name), _numbers(revision), sizes, known, short)


def _numbers(text: str) -> tuple[int, ...]:
    """`4.0` is `4`."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _spelled(text: str) -> str:
    """With the dots that some places write as `p`, or not at all (`gpt-35`)."""
    return _spellings().sub(
        lambda found: _table()["same"]["spellings"][found[0]], re.sub(r"(?<=\d)p(?=\d)", ".", text)
    )


@cache
def _spellings() -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(_table()['same']['spellings'])})(?![a-z0-9.])")


@cache
def _added(known: frozenset[str]) -> frozenset[str]:
    table = _table()["same"]
    return frozenset(table["added"]) - {word for word, where in table["telling"].items() if known & set(where)}


@cache
def _brands() -> frozenset[str]:
    return frozenset(_table()["same"]["brands"])


@cache
def _base() -> re.Pattern[str]:
    bases = "|".join(_table()["same"]["bases"])
    return re.compile(
        rf"(?<![a-z0-9])(?:distill-)?(?:{bases})(?:-?v?\d+(?:[.-]\d+)*(?![a-z0-9]))?(?:-distill)?(?=-|$)"
    )
