"""The calls of tools, as the hooks of coding agents tell of them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twoagent_hook.errors import UsageError
from twoagent_hook.guard.calls import Call, Change

_COMMANDS = ("command", "cmd", "script", "commandLine", "CommandLine")
_PATHS = (
    *("file_path", "filePath", "path", "notebook_path", "absolute_path", "target_file", "filename", "TargetFile"),
    "relative_workspace_path",
)
_WHOLES = ("content", "contents", "file_text", "new_source", "text", "code_edit", "CodeContent")
_OLDS = ("old_string", "old_str", "oldString", "old_text", "oldText", "search")
_NEWS = ("new_string", "new_str", "newString", "new_text", "newText", "replace", "insert_text")
_PATCH = "*** Begin Patch"
_DEEPEST = 6


def read(text: str) -> Call:
    """The call that a hook was told of.

    Raises:
        UsageError: it is no JSON, or no event.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("what came on standard input is no JSON", _DO) from error
    if not isinstance(event, dict):
        raise UsageError("the JSON on standard input is no event of a hook", _DO)
    tool = _text(event, ("tool_name", "toolName", "tool")) or ""
    given = next((event[name] for name in _INPUTS if event.get(name) is not None), None)
    given = _decoded(given)
    cwd = _text(event, ("cwd", "working_directory")) or ""
    if isinstance(given, dict):
        return _call(given, tool, _text(given, ("cwd", "workdir", "directory", "dir_path")) or cwd)
    if isinstance(given, str):
        return Call(lines=(given,), tool=tool, cwd=cwd)
    if not given and any(name in event for name in _COMMANDS):
        return _call({name: event[name] for name in _COMMANDS if name in event}, tool, cwd)
    return _searched(event, tool, cwd)


_DO = "call it from a hook that runs before a tool is used, or judge a line by `twoagent-hook guard --command LINE`"
_INPUTS = ("tool_input", "toolArgs", "tool_args", "toolInput", "arguments", "args", "input", "parameters")


def _decoded(value: Any) -> Any:
    """Some hooks hand the arguments on as a text that is JSON once more."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _call(given: Mapping[str, Any], tool: str, cwd: str) -> Call:
    lines: list[str] = []
    words: list[tuple[str, ...]] = []
    patches: list[str] = []
    for name in _COMMANDS:
        value = given.get(name)
        if isinstance(value, str):
            (patches if _PATCH in value else lines).append(value)
        elif isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            words.append(tuple(value))
    patches += [value for name in ("patch", "input", "diff") if isinstance(value := given.get(name), str)]
    found = [change for patch in patches for change in patched(patch)]
    path = _text(given, _PATHS)
    changes = [*_changes(given, path), *(change for change, gone in found if not gone)]
    removed = [change.path for change, gone in found if gone]
    if path is not None and re.search(r"(?i)delete|remove", tool):
        removed.append(path)
    options = tuple(name for name, value in given.items() if value is True or value == "true")
    # A patch with a command around it is a line for the shell as well.
    lines += [patch for patch in patches if not patch.lstrip().startswith("***")]
    return Call(tuple(lines), tuple(words), tuple(changes), tuple(removed), tool, options, cwd)


def _changes(given: Mapping[str, Any], path: str | None) -> Iterator[Change]:
    if path is None:
        return
    whole = _text(given, _WHOLES)
    parts = [*_part(given)]
    edits = given.get("edits") or given.get("replacements") or []
    for edit in edits if isinstance(edits, list) else []:
        parts += _part(edit) if isinstance(edit, dict) else []
    if parts:
        yield Change(path, parts=tuple(parts))
    elif whole is not None:
        yield Change(path, whole=whole)


def _part(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    old, new = _text(given, _OLDS), _text(given, _NEWS)
    return [] if new is None and old is None else [(old or "", new or "")]


def _text(given: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((value for name in names if isinstance(value := given.get(name), str)), None)


def _searched(event: Any, tool: str, cwd: str) -> Call:
    """A shape that is not known: whatever in it is called a command is judged as one."""
    lines: list[str] = []
    words: list[tuple[str, ...]] = []
    waiting = [(event, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEPEST:
            continue
        if isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, dict):
            found = _call(value, "", "")
            lines += found.lines
            words += found.words
            waiting += [(item, depth + 1) for item in value.values()]
    return Call(tuple(lines), tuple(words), tool=tool, cwd=cwd)


_MARK = re.compile(r"^\*\*\* (Add File|Update File|Delete File|Move to): (.+?)[ \t\r]*$", re.MULTILINE)


def patched(patch: str) -> Iterator[tuple[Change, bool]]:
    """The files of a patch as Codex writes them; True with those that go."""
    marks = list(_MARK.finditer(patch))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        body = patch[mark.end() + 1 : following.start() if following else len(patch)].splitlines()
        kind, path = mark[1], mark[2]
        if kind == "Delete File" or (following is not None and following[1] == "Move to"):
            yield Change(path), True
        if kind in {"Add File", "Move to"}:
            yield Change(path, whole="\n".join(line[1:] for line in body if line.startswith(("+", " ")))), False
        elif kind == "Update File":
            old = "\n".join(line[1:] for line in body if line.startswith(("-", " ")))
            new = "\n".join(line[1:] for line in body if line.startswith(("+", " ")))
            yield Change(path, parts=((old, new),)), False
