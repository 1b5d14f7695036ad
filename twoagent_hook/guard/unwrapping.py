"""Programs that run other programs: what they run, told from their words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook.guard.gitline import bare
from twoagent_hook.guard.tables import program, rules

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


class Inner(NamedTuple):
    """The command inside of another one, and what the environment of it is changed to."""

    words: list[str]
    environment: Mapping[str, str]


def inner(words: Sequence[str]) -> Inner | None:
    """The command that the first word runs, if it is such a program."""
    name = program(words[0])
    if name in rules()["programs"]["interpreters"] and len(words) > 2 and words[1] == "-m":
        return Inner([words[2].replace("_", "-"), *words[3:]], {})
    table = rules()["wrappers"]
    for length in (3, 2, 1):
        key = " ".join((name, *map(bare, words[1:length])))
        if key in table and len(words) >= length:
            return _after(words[length:], table[key])
    return None


def _after(words: Sequence[str], row: Mapping[str, Any]) -> Inner:
    valued = row.get("valued", ())
    environment: dict[str, str] = {}
    place = 0
    while place < len(words):
        word = bare(words[place])
        assigned = _ASSIGNMENT.fullmatch(word) if row.get("assigns") else None
        if word == "--":
            place += 1
            break
        if assigned:
            environment[assigned[1]] = assigned[2]
        elif not word.startswith(("-", "+")) or len(word) == 1:
            if word != "-":
                break
            environment["*"] = ""
        else:
            environment |= _cleared(word, words[place + 1 : place + 2]) if row.get("assigns") else {}
            place += word in valued
        place += 1
    return Inner(list(words[place + row.get("operands", 0) :]), environment)


def _cleared(word: str, following: Sequence[str]) -> dict[str, str]:
    """What `env -i` and `env -u` take out; a star stands for everything."""
    if word in {"-i", "--ignore-environment"}:
        return {"*": ""}
    if word in {"-u", "--unset"}:
        return dict.fromkeys(following, "")
    for prefix in ("--unset=", "-u"):
        if word.startswith(prefix):
            return {word.removeprefix(prefix): ""}
    return {}


class Script(NamedTuple):
    """How a shell is called: a line, a file, or neither, where it reads its standard input."""

    line: str | None
    file: str | None
    operands: list[str]


_SHELL_VALUED = {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}


def script(args: Sequence[str]) -> Script:
    """What a shell is given to run."""
    command = reads = False
    place = 0
    while place < len(args):
        word = bare(args[place])
        if word in {"--", "-"}:
            place += 1
            break
        if not word.startswith(("-", "+")):
            break
        short = not word.startswith("--")
        command = command or (short and "c" in word) or word == "--command"
        reads = reads or (short and "s" in word and "c" not in word)
        place += 2 if word in _SHELL_VALUED else 1
    rest = list(args[place:])
    if command and rest:
        return Script(rest[0], None, rest[2:])
    if rest and not reads:
        return Script(None, rest[0], rest[1:])
    return Script(None, None, rest)


def shell_lines(words: Sequence[str], stdin: str | None) -> list[str]:
    """The lines that a program hands to a shell, by one of its options or from its standard input."""
    flags = rules()["lines"].get(program(words[0]), ())
    if "<" in flags:
        return [stdin] if stdin else []
    if "*" in flags:
        start = next((place for place, word in enumerate(words[1:], 1) if not word.startswith("-")), len(words))
        return [" ".join(words[start:]), *(word for word in words[1:] if " " in word)]
    found = []
    for place, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if word in flags and place + 1 < len(words):
            found.append(" ".join(words[place + 1 :]) if word == "-S" else words[place + 1])
        elif equals and flag in flags:
            found.append(value)
        elif word.startswith("-S") and len(word) > 2 and "-S" in flags:
            found.append(" ".join([word[2:], *words[place + 1 :]]))
    return found
