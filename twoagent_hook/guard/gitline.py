"""One call of git, taken apart as git itself does it."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from twoagent_hook.guard.calls import Deny
from twoagent_hook.guard.tables import UNKNOWN, deny, joined, pattern, program, rules


class GitLine(NamedTuple):
    """A call of git.

    Attributes:
        settings: (name, value) of -c, --config-env and of `clone --config`.
        command: the subcommand, or "".
        args: what follows it.
    """

    settings: tuple[tuple[str, str | None], ...]
    command: str
    args: tuple[str, ...]

    @property
    def shown(self) -> str:
        return " ".join(("git", *([self.command] if self.command else [])))

    @property
    def runs_hooks(self) -> bool:
        """Whether hooks of the gate run with it, or might, as with an alias."""
        table = rules()["git"]
        return self.command in table["hooked"] or self.unknown

    @property
    def unknown(self) -> bool:
        table = rules()["git"]
        return bool(self.command) and not {self.command} & {*table["hooked"], *table["others"], *_PLUMBING}


_PLUMBING = ("commit-tree", "update-ref", "fast-import", "hash-object")


def read(args: Sequence[str]) -> GitLine:
    """Take the words after `git` apart."""
    valued = rules()["git"]["valued"]
    settings: list[tuple[str, str | None]] = []
    place = 0
    while place < len(args):
        word = bare(args[place])
        if not word.startswith("-"):
            break
        name, equals, value = word.partition("=")
        if not equals and word in valued:
            place += 1
            value = args[place] if place < len(args) else ""
        if name in {"-c", "--config-env"}:
            key, _, content = value.partition("=")
            settings.append((bare(key), content if name == "-c" else None))
        place += 1
    command = bare(args[place]).lower() if place < len(args) else ""
    return GitLine(tuple(settings), command, tuple(args[place + 1 :]))


def folder(args: Sequence[str]) -> str:
    """Where it works, by its -C, or ""."""
    found = ""
    valued = rules()["git"]["valued"]
    place = 0
    while place < len(args) and args[place].startswith("-"):
        word = bare(args[place])
        if word in valued:
            place += 1
        if word == "-C" and place < len(args):
            found = posixpath.join(found, args[place])
        place += 1
    return found


def bare(word: str) -> str:
    """Without what can't be worked out, if there is more: an unset variable is a way to hide an option."""
    return word if word == UNKNOWN else word.replace(UNKNOWN, "")


def plain(words: list[str]) -> list[str]:
    """With `git-commit`, as git's own folder of programs has it, as `git commit`."""
    name = program(words[0]) if words else ""
    return ["git", name.removeprefix("git-"), *words[1:]] if name.startswith("git-") else words


# --- lines inside of the line ----------------------------------------------------------------------------------


def lines(line: GitLine) -> Iterator[str]:
    """What git will hand to a shell, or call itself by: aliases, and commands that it runs for each step."""
    for name, value in (*line.settings, *_written(line)):
        if name.lower().startswith("alias.") and value:
            yield value[1:] if value.startswith("!") else f"git {value}"
        elif name.lower() in rules()["git"]["line-settings"] and value:
            yield value
    if line.command == "rebase":
        yield from _values(line.args, ("-x", "--exec"))
    elif line.command == "submodule" and "foreach" in line.args:
        yield _line([word for word in line.args[line.args.index("foreach") + 1 :] if word not in _FOREACH])
    elif line.command == "bisect" and line.args[:1] == ("run",):
        yield _line(line.args[1:])
    elif line.command == "filter-branch":
        yield from (word for word in line.args if " " in word)


_FOREACH = {"--recursive", "--quiet", "-q", "--"}


def _line(words: Sequence[str]) -> str:
    """One word is a line already; more of them are words."""
    return words[0] if len(words) == 1 else joined(words)


def _values(args: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for place, word in enumerate(args):
        name, equals, value = word.partition("=")
        if word in names and place + 1 < len(args):
            yield args[place + 1]
        elif equals and name in names:
            yield value
        elif word.startswith(names[0]) and len(word) > 2 and not word.startswith("--"):
            yield word[2:]


# --- options ---------------------------------------------------------------------------------------------------


def options(line: GitLine) -> Iterator[str]:
    """The options of the subcommand, each letter by itself and without values, in git's own reading."""
    table = rules()["git"]["options"].get(line.command) or rules()["git"]["options"]["commit"]
    place = 0
    while place < len(line.args):
        word = bare(line.args[place])
        place += 1
        if word == "--":
            return
        if word.startswith("--"):
            yield word
            place += "=" not in word and _takes_next(word, table["long"])
        elif word.startswith("-"):
            for at, letter in enumerate(word[1:], 1):
                yield f"-{letter}"
                if letter in table["letters"] or letter in table["attached"]:
                    place += letter in table["letters"] and at == len(word) - 1
                    break


def _takes_next(word: str, valued: Sequence[str]) -> bool:
    return any(name.startswith(word) for name in valued)


# --- what is refused -------------------------------------------------------------------------------------------


def judge(line: GitLine) -> Deny | None:
    """What of it passes the hooks by."""
    for name, _value in line.settings:
        if _steers(name):
            return deny("hooks-setting", f"{line.shown} with {name}")
    special = _SPECIAL.get(line.command)
    if special is not None:
        return special(line)
    return _unverified(line) if line.runs_hooks else None


def _steers(name: str) -> bool:
    return pattern(rules()["git"]["settings"]).fullmatch(name.lower()) is not None


def _unverified(line: GitLine) -> Deny | None:
    for option in options(line):
        name = option.partition("=")[0]
        long = len(name) >= len("--no-v") and "--no-verify".startswith(name)
        if long or (option == "-n" and line.command in rules()["git"]["short"]):
            return deny("no-verify", f"{line.shown} {option}")
    return None


def _config(line: GitLine) -> Deny | None:
    for name, value in _written(line):
        if _steers(name):
            return deny("hooks-setting", f"git config {name}")
        if value is None and pattern(rules()["git"]["sections"]).fullmatch(name.lower()):
            return deny("hooks-setting", f"git config of the section {name}")
    return None


_READING = re.compile(r"--(?:get.*|list|show-.*|name-only)|-l|get|list")
_REMOVING = re.compile(r"--(?:unset.*|remove-s.*|rename-s.*)|unset|remove-section|rename-section")
_ACTIONS = {"get", "list", "set", "unset", "remove-section", "rename-section", "edit"}
_VALUED = {"-f", "--file", "--blob", "--type", "-t", "--default", "--comment", "--value", "--url"}


def _written(line: GitLine) -> Iterator[tuple[str, str | None]]:
    """(name, new value) of the setting that `git config` writes; None where it is taken out."""
    flags, operands = _config_words(line.args) if line.command == "config" else ([], [])
    if any(_READING.fullmatch(flag) for flag in flags):
        return
    removing = any(_REMOVING.fullmatch(flag) for flag in flags)
    if removing and operands:
        yield operands[0], None
    elif len(operands) > 1 or (operands and any(flag.startswith(("--add", "--replace")) for flag in flags)):
        yield operands[0], operands[1] if len(operands) > 1 else ""


def _config_words(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """What `git config` shall do, by options or by a word of its own, and what it shall do that with."""
    flags: list[str] = []
    operands: list[str] = []
    skip = False
    for word in map(bare, args):
        if skip:
            skip = False
        elif word in _VALUED:
            skip = True
        elif not operands and (word.startswith("-") or word in _ACTIONS):
            flags.append(word)
        else:
            operands.append(word)
    return flags, operands


def _init(line: GitLine) -> Deny | None:
    found = next((word for word in line.args if word.startswith("--template")), None)
    return deny("hooks-setting", f"git init {found}") if found else None


def _clone(line: GitLine) -> Deny | None:
    for setting in _values(line.args, ("-c", "--config")):
        if _steers(setting.partition("=")[0]):
            return deny("hooks-setting", f"git clone -c {setting}")
    return None


def _commit_tree(line: GitLine) -> Deny:
    return deny("plumbing", line.shown)


def _update_ref(line: GitLine) -> Deny | None:
    args = [bare(word) for word in line.args]
    if "--stdin" in args:
        return deny("plumbing", "git update-ref --stdin")
    if "-d" in args or "--delete" in args:
        return None
    operands = []
    skip = False
    for word in args:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word == "-m"
        else:
            operands.append(word)
    moved = operands and (operands[0].upper() in {"HEAD", "@"} or operands[0].startswith("refs/heads"))
    return deny("plumbing", f"git update-ref {operands[0]}") if moved else None


def _hash_object(line: GitLine) -> Deny | None:
    args = [bare(word) for word in line.args]
    commit = "-tcommit" in args or ("-t", "commit") in pairwise(args)
    return deny("plumbing", "git hash-object -t commit") if commit and "-w" in args else None


_SPECIAL = {
    "config": _config,
    "init": _init,
    "clone": _clone,
    "commit-tree": _commit_tree,
    "fast-import": _commit_tree,
    "update-ref": _update_ref,
    "hash-object": _hash_object,
}
