"""Programs that run other programs: what they run, told from their words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook.guard.gitline import bare
from twoagent_hook.guard.tables import joined, program, rules

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
        command = command or (short and "c" in word) or word.lower() in {"--command", "-command"}
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
    if program(words[0]) in rules()["remote"]["programs"]:
        return _here(words[1:], stdin)
    if "<" in flags:
        return [stdin] if stdin else []
    if "*" in flags:
        start = next((place for place, word in enumerate(words[1:], 1) if not word.startswith("-")), len(words))
        return [" ".join(words[start:]), *(word for word in words[1:] if " " in word)]
    return [line for place in range(1, len(words)) for line in _by_option(words[place], words[place + 1 :], flags)]


_SPLIT = re.compile(r"-[iv0]*S(.*)", re.DOTALL)
_COMMAND = re.compile(r"-[A-Za-z]*?c(.*)", re.DOTALL)  # letters may stand together, and the value right behind


def _by_option(word: str, after: Sequence[str], flags: Sequence[str]) -> list[str]:
    """The line that an option hands on, by itself or with the words after it."""
    flag, equals, value = word.partition("=")
    split = _SPLIT.fullmatch(word) if "-S" in flags else None
    command = _COMMAND.fullmatch(word) if "-c" in flags else None
    if equals and flag in flags:
        return [value]
    if flag == "--split-string" and flag in flags and after:
        return [f"{after[0]} {joined(after[1:])}"]
    if split:
        first, rest = (split[1], after) if split[1] else ("".join(after[:1]), after[1:])
        # Written without quotes, what belongs together can't be told.
        return [f"{first} {joined(rest)}", " ".join((first, *rest))]
    if command and command[1]:
        return [command[1]]
    return list(after[:1]) if word in flags or command else []


def _here(args: Sequence[str], stdin: str | None) -> list[str]:
    """What is run in another session on this very machine."""
    table = rules()["remote"]
    place = 0
    while place < len(args) and args[place].startswith("-"):
        place += 2 if args[place] in table["valued"] else 1
    host = "".join(args[place : place + 1]).rpartition("@")[2].lower()
    rest = [word for word in args[place + 1 :] if word != "--"]
    if host not in table["here"]:
        return []
    return [" ".join(rest)] if rest else [stdin or ""]
