"""Judges what a coding agent is about to do: whether it would pass the gate by. Pure: nothing is run or read.

A fence, not a wall: it knows the ways round that a command line, or a tool's own arguments, show.
"""

from twoagent_hook.guard import triggers
from twoagent_hook.guard.calls import Allow, Call, Change, Deny, Ruling
from twoagent_hook.patterns import Pattern

__all__ = ["Allow", "Call", "Change", "Deny", "Ruling", "judge", "too_long", "watched"]

_LONGEST = 1 << 17  # characters of a line; a longer one can't be handed to a shell in one piece
_REPOSITORY = Pattern(r"(?i)(?:^|[/\\])\.git(?:[/\\]|$)")
_OPTIONS = Pattern(r"(?i)no_?-?verify|skip_?-?hooks")


def judge(call: Call) -> Ruling:
    """Whether the call may go on.

    Raises:
        UsageError: the parser for command lines is needed, and not installed.
    """
    denial = _tool(call) or _files(call)
    if denial:
        return denial
    inside = _REPOSITORY.search(call.cwd) is not None
    lines = [line for line in call.lines if inside or triggers.present(line)]
    words = [split for split in call.words if inside or triggers.present(" ".join(split))]
    return _shell(lines, words, call.cwd) if lines or words else Allow()


def too_long() -> Deny:
    """What is said to a call of which the end can't be read."""
    from twoagent_hook.guard.tables import deny

    return deny("intricate")


def watched(change: Change, cwd: str) -> bool:
    """Whether the file's present text is needed to judge the change."""
    if not _NAMES.search(change.path):
        return False
    from twoagent_hook.guard import files

    return files.watched(change.path, cwd)


# What every path that matters has in it, in small letters or not.
_NAMES = Pattern(
    r"(?i)\.git(?:[/\\]|$)|gitconfig|git[/\\]config|hook|commit|husky|prek|twoagent|pyproject|\.claude|\.cursor|\.gemini|\.codex|\.copilot|\.github"
    r"|\.config|\.cache|packages|overcommit|(?:^|[/\\])(?:yaml|cfgv|identify|nodeenv|virtualenv|platformdirs|distlib"
    r"|filelock|sitecustomize|usercustomize)(?:\.py|[/\\])"
)


def _files(call: Call) -> Deny | None:
    paths = [*(change.path for change in call.changes), *call.removed]
    if not any(_NAMES.search(path) or _REPOSITORY.search(call.cwd) for path in paths):
        return None
    from twoagent_hook.guard import files

    found = [files.changed(change, call.cwd) for change in call.changes]
    found += [files.removed(path, call.cwd) for path in call.removed]
    return next((denial for denial in found if denial), None)


def _tool(call: Call) -> Deny | None:
    """Tools of servers that make commits by themselves."""
    option = next((name for name in call.options if _OPTIONS.fullmatch(name)), None)
    if option is None and not call.tool.startswith("mcp"):
        return None
    from twoagent_hook.guard.tables import deny, pattern, rules

    if option is not None:
        return deny("no-verify", f"{call.tool or 'the tool'} with {option}")
    return deny("forge", call.tool) if pattern(rules()["programs"]["forge-tools"]).search(call.tool) else None


def _shell(lines: list[str], words: list[tuple[str, ...]], cwd: str) -> Ruling:
    from twoagent_hook.guard import judging
    from twoagent_hook.guard.interpreter import Interpreter, TooIntricateError
    from twoagent_hook.guard.tables import deny

    shell = Interpreter(cwd)
    too_much = any(len(line) > _LONGEST for line in lines)
    try:
        for line in [] if too_much else lines:
            shell.run(line)
        for split in words:
            shell.call(split, {})
    except (TooIntricateError, RecursionError):
        too_much = True
    found = (judging.judge(command) for command in shell.found)
    denial = next((ruling for ruling in found if ruling), None)
    return denial or (deny("intricate") if too_much else Allow())
