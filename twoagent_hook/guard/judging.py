"""What is refused of the commands that a line would run."""

from collections.abc import Mapping, Sequence

from twoagent_hook.guard import files, gitline, scripts
from twoagent_hook.guard.calls import Deny
from twoagent_hook.guard.interpreter import Command
from twoagent_hook.guard.tables import UNKNOWN, deny, pattern, program, rules


def judge(command: Command) -> Deny | None:
    """The first reason to refuse the command."""
    if command.words:
        for rule in (_git, _variables, _framework, _own, _forge):
            found = rule(command)
            if found:
                return found
        found = scripts.judge(command.words, command.stdin)
        if found:
            return found
    return files.judge(command)


# --- git -------------------------------------------------------------------------------------------------------


def _git(command: Command) -> Deny | None:
    if program(command.words[0]) != "git":
        return None
    line = gitline.read(command.words[1:])
    found = gitline.judge(line)
    if found or line.command != "update-index":
        return found
    hiding = next((arg for arg in line.args if arg.startswith(("--skip-w", "--assume-u"))), None)
    hidden = next(
        (arg for arg in line.args if files.watched(arg, command.cwd) or files.removed(arg, command.cwd)), None
    )
    return deny("hidden-file", f"git update-index {hiding} {hidden}") if hiding and hidden else None


# --- the environment -------------------------------------------------------------------------------------------

_EXPORTING = {"export", "declare", "typeset", "readonly"}


def _variables(command: Command) -> Deny | None:
    name = program(command.words[0])
    if name in _EXPORTING:
        assigned = dict(word.split("=", 1) for word in command.words[1:] if "=" in word)
        named = {word: command.environment.get(word, "") for word in command.words[1:] if "=" not in word}
        return _steering({**named, **assigned}, alone=True)
    own = name == rules()["programs"]["own"]
    if own or _runs_hooks(name, command.words):
        return _steering(command.environment, own=own)
    skipped = {key: value for key, value in command.own.items() if "twoagent" in value}
    return _steering(skipped, alone=True)


def _runs_hooks(name: str, words: Sequence[str]) -> bool:
    if name == "git":
        return gitline.read(words[1:]).runs_hooks
    return name in rules()["programs"]["frameworks"]


def _steering(environment: Mapping[str, str], *, alone: bool = False, own: bool = False) -> Deny | None:
    """The first variable that steers the hooks, or says what is not true of the author."""
    for row in rules()["variables"]:
        if (alone and not row.get("alone")) or (own and row["reason"] != "identity"):
            continue
        for name, value in environment.items():
            if pattern(row["name"]).fullmatch(name) and pattern(row.get("value", "(?s).+")).fullmatch(value):
                return deny(row["reason"], f"{name}={value}")
    return None


# --- programs --------------------------------------------------------------------------------------------------


def _framework(command: Command) -> Deny | None:
    name, args = program(command.words[0]), command.words[1:]
    table = rules()["programs"]
    removes = any(arg in table["removers"] for arg in args)
    if name in table["frameworks"] and removes:
        return deny("uninstall", " ".join(command.words))
    if name in table["package-managers"] and removes:
        taken = any(arg.partition("[")[0].partition("=")[0] in {table["own"], "pre-commit", "prek"} for arg in args)
        return deny("uninstall", " ".join(command.words)) if taken else None
    if name in {"pre-commit", "prek"} and args[:1] == ("install",) and _other_list(args):
        return deny("rewire", " ".join(command.words))
    return None


def _other_list(args: Sequence[str]) -> bool:
    for place, word in enumerate(args):
        name, equals, value = word.partition("=")
        if name in {"-c", "--config"}:
            value = value if equals else "".join(args[place + 1 : place + 2])
            return value.rpartition("/")[2] != ".pre-commit-config.yaml"
        if word.startswith("-c") and not word.startswith("--"):
            return word[2:] != ".pre-commit-config.yaml"
    return False


def _own(command: Command) -> Deny | None:
    """Commands of the gate that are its user's."""
    if program(command.words[0]) != rules()["programs"]["own"] or {"-h", "--help"} & set(command.words):
        return None
    args = command.words[1:]
    dismisses = "answer" in args[:1] and any("--dismiss".startswith(arg) and len(arg) > 3 for arg in args)
    if args[:1] == ("init",) or args[:2] == ("log", "prune") or dismisses:
        return deny("own-command", " ".join(command.words))
    return None


def _forge(command: Command) -> Deny | None:
    """Commits that a forge makes by itself."""
    table = rules()["programs"]
    if program(command.words[0]) not in table["forge-clients"]:
        return None
    text = " ".join(command.words).replace(UNKNOWN, "x")
    call = pattern(table["forge-calls"]).search(text)
    writes = any(pattern(table["forge-writes"]).search(word) for word in command.words[1:])
    return deny("forge", call[0]) if call and writes else None
