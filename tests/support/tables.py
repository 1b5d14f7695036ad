"""Makes of a table what is read at run time: the same as JSON, and for phrases the words that each of them needs.

TOML of this size takes ten milliseconds to read, JSON one. A phrase takes as long to compile; that one of the words is
near which it can't do without is seen in microseconds.
"""

import json
import re._constants as kinds
import re._parser as parser
import tomllib
from pathlib import Path
from typing import Any

import twoagent_hook
from twoagent_hook.screening import injection

PACKAGE = Path(twoagent_hook.__file__).parent
SOURCES = (
    *("agents.toml", "models.toml", "backends/clis.toml"),
    "guard/rules.toml",
    *("screening/secrets.toml", "screening/injection.toml", "screening/weakening.toml"),
)
_LONG, _SHORT, _MOST = 6, 3, 120  # letters of a word that are looked for, and words that may stand for each other

Needs = list[frozenset[str]]  # of each set, one word


def made(name: str) -> str:
    """The text of the file beside a table."""
    table = tomllib.loads((PACKAGE / name).read_text(encoding="utf-8"))
    if name == "screening/injection.toml":
        table["words"] = {key: injection._folded(text) for key, text in table["words"].items()}
        for group in table["groups"]:
            group["patterns"] = [_phrase(starts, rest, table["words"]) for starts, rest in group["patterns"]]
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n"


def _phrase(starts: str, rest: str, words: dict[str, str]) -> list[Any]:
    """[how it begins, what follows, the words that it needs, how far it reaches]; each beginning's own blank included."""
    rest = injection._folded(rest)
    tree = parser.parse(injection._expanded(rest, words))
    needs = sorted((sorted(group) for group in _needs(tree)), key=lambda group: (len(group), group))
    return [starts, rest, needs, min(_reach(tree), 4000)]


def _needs(tree: Any) -> Needs:
    found: Needs = []
    run = ""
    for kind, value in [*tree, (None, None)]:
        if kind is kinds.LITERAL:
            run += chr(value)
            continue
        if len(run.strip()) >= _SHORT:
            found.append(frozenset({run.strip()[:_LONG]}))
        run = ""
        found += _needs_of(kind, value)
    return found


def _needs_of(kind: Any, value: Any) -> Needs:
    if kind is kinds.SUBPATTERN:
        return _needs(value[-1])
    if kind is kinds.ATOMIC_GROUP:
        return _needs(value)
    if kind in {kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT} and value[0] > 0:
        return _needs(value[2])
    if kind is kinds.ASSERT and value[0] == 1:
        return _needs(value[1])
    if kind is kinds.BRANCH:
        best = [max(_needs(branch), key=_telling, default=frozenset[str]()) for branch in value[1]]
        words = frozenset().union(*best)
        words = frozenset(word for word in words if not any(other != word and other in word for other in words))
        return [words] if all(best) and len(words) <= _MOST else []
    return []


def _telling(words: frozenset[str]) -> tuple[int, int]:
    return min(map(len, words)), -len(words)


def _reach(tree: Any) -> int:
    """The most characters that it can look at."""
    total = 0
    for kind, value in tree:
        if kind is kinds.SUBPATTERN:
            total += _reach(value[-1])
        elif kind is kinds.ATOMIC_GROUP:
            total += _reach(value)
        elif kind in {kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT}:
            total += int(value[1]) * _reach(value[2])
        elif kind in {kinds.ASSERT, kinds.ASSERT_NOT}:
            total += _reach(value[1])
        elif kind is kinds.BRANCH:
            total += max(map(_reach, value[1]))
        elif kind is not kinds.AT:
            total += 1
    return total
