"""`twoagent-hook packets`: a task as files, one for each role."""

import argparse
import os
import shlex
from collections.abc import Iterator

from twoagent_hook import console, files, folders, packets, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError
from twoagent_hook.exits import ExitCode
from twoagent_hook.tasks import Task

_TEMPLATE_LIMIT = 100_000  # bytes


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Make all of it, write all of it, and say what comes next."""
    task = Task.of(arguments.title, arguments.task, arguments.id)
    templates = _templates(arguments.templates) if arguments.templates is not None else None
    made = packets.render(task, templates=templates)
    folders.put(arguments.out, made, force=arguments.force)
    console.write("".join(f"{line}\n" for line in _told(arguments.out, task, console.own_command(environment))))
    return int(ExitCode.OPEN)


def _told(folder: str, task: Task, command: str) -> Iterator[str]:
    uses = {packets.PLAN: "the plan, to be filled in"} | {file.path: file.use for file in packets.files()}
    for path, use in uses.items():
        yield f"Written: {visible.path(os.path.join(folder, path))}  ({use})"
    given = os.path.join(folder, packets.PLAN)
    plan = visible.path(shlex.quote(f"./{given}" if given.startswith("-") else given))
    yield ""
    yield f"Task: {task.id}"
    yield "Next: give the first packet to the planner; when the plan is filled in, check it, read it, and use it:"
    yield f"  {command} plan --check {plan}"
    yield f"  {command} plan --use {plan}"


# --- the user's own templates -------------------------------------------------------------------------------


def _templates(folder: str) -> dict[str, str]:
    """Every template in the folder, by its name; names that begin with a dot are none.

    Raises:
        ConfigError: one of them can't be followed, or there is none.
    """
    shown = visible.path(folder)
    try:
        names = sorted(os.listdir(folder))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no name of a folder"
        raise ConfigError(
            f"the templates in {shown or '``'} can't be read: {reason}", "name a folder with `--templates`"
        ) from None
    found = {name: _template(folder, name) for name in names if not name.startswith(".")}
    if not found:
        known = ", ".join(file.template for file in packets.files())
        raise ConfigError(f"there is no template in {shown}", f"put there what is to be yours, of {known}")
    return found


def _template(folder: str, name: str) -> str:
    packets.check_name(name)
    path = os.path.join(folder, name)
    shown = visible.path(path)
    content = files.read(path, _TEMPLATE_LIMIT + 1, follow=False)
    if content is None:
        raise ConfigError(f"{shown} is no file that can be read (symbolic links are not followed)", f"correct {shown}")
    if len(content) > _TEMPLATE_LIMIT:
        raise ConfigError(f"{shown} is larger than {_TEMPLATE_LIMIT} bytes", "shorten it")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigError(f"{shown} is not UTF-8 text", f"save {shown} as UTF-8")
    if not text.strip():
        raise ConfigError(f"{shown} is empty", "write it, or take it out: then ours is used")
    return text
