"""`twoagent-hook log`: read the trajectory."""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from twoagent_hook import console, git, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError, UsageError
from twoagent_hook.exits import ExitCode
from twoagent_hook.git import Location, Workspace
from twoagent_hook.trajectory import Entry, Log, LogError

if TYPE_CHECKING:
    from twoagent_hook.trails import Trail

_ATTACHMENT_LIMIT = 20 << 20  # bytes, as `verify` keeps them


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """List rows, show one, or follow a task."""
    location = git.locate(environment)
    log = Log(location.state_dir)
    try:
        if arguments.action == "show":
            return _show(log, arguments, environment)
        if arguments.action == "export":
            return _export(log, location, arguments, environment)
        if arguments.action is None and arguments.task is not None:
            return _follow(log, location, arguments, environment)
        return _list(log, arguments)
    except LogError as error:
        raise GitError(str(error), "move the file away if it is damaged: a new one is begun") from error


def _list(log: Log, arguments: argparse.Namespace) -> int:
    entries = log.read(limit=arguments.limit, task_id=arguments.task, role=None if arguments.all else "gate")
    if arguments.output_format == "json":
        console.write(json.dumps([entry.fields() for entry in entries]) + "\n")
    elif arguments.output_format == "jsonl":
        console.write("".join(json.dumps(entry.fields()) + "\n" for entry in entries))
    elif entries:
        console.write("\n".join(_table(entries)) + "\n")
    else:
        console.write(f"{_nothing(log)}\n")
    return int(ExitCode.OPEN)


def _nothing(log: Log) -> str:
    return "no such row in the log" if log.count() else "the log is empty: no review was made here yet"


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    rows = [("#", "when (UTC)", "role", "result", "model", "author", "seconds")]
    for entry in entries:
        seconds = "" if entry.latency_sec is None else f"{entry.latency_sec:.1f}"
        author = visible.excerpt((entry.author or "").split(" (")[0], 20)
        when = visible.excerpt(entry.at[:19].replace("T", " "), 19)
        rows.append(
            (
                str(entry.id),
                when,
                visible.excerpt(entry.role, 20),
                visible.excerpt(entry.result, 20),
                visible.excerpt(entry.model or "", 28),
                author,
                seconds,
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _show(log: Log, arguments: argparse.Namespace, environment: Environment) -> int:
    entry = log.get(arguments.id)
    if entry is None:
        raise UsageError(
            f"the log has no row {arguments.id}",
            f"`{console.own_command(environment)} log list` shows which there are",
        )
    if arguments.output_format in {"json", "jsonl"}:
        console.write(json.dumps(entry.fields()) + "\n")
        return int(ExitCode.OPEN)
    decision = entry.evidence.get("decision")
    if isinstance(decision, dict):
        console.write(_decision(decision | {"log_id": entry.id}, entry.evidence, arguments, environment))
    else:
        console.write("\n".join(_fields(entry)) + "\n")
    return int(ExitCode.OPEN)


def _decision(
    decision: dict[str, Any], evidence: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment
) -> str:
    from twoagent_hook import author
    from twoagent_hook.outputs import plain, text

    reader = text.Reader(
        colour=text.wants_colour(arguments.color, environment.variables, terminal=console.shown()),
        width=text.columns(environment.variables, terminal=console.shown()),
        agent=author.detect(environment.variables, ()).agents,
        command=console.own_command(environment),
        framework=bool(evidence.get("framework")),
        hook=True,
        verbose=True,
        encoding=console.encoding(),
    )
    try:
        return text.render(plain.restored(decision), reader)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LogError(f"row {decision['log_id']} of the log is damaged: {type(error).__name__}") from error


def _fields(entry: Entry) -> Iterator[str]:
    for name, value in entry.fields().items():
        if name != "evidence" and value is not None:
            yield f"{name}: {visible.line(str(value))}"
    for name, value in entry.evidence.items():
        if value:
            yield f"{name}: {visible.block(value if isinstance(value, str) else json.dumps(value))}"


# --- a task -------------------------------------------------------------------------------------------------


class _Task(NamedTuple):
    """All that is known of a task; `near` where nothing is."""

    trail: "Trail"
    rows: Sequence[Entry]
    genuine: frozenset[int]
    near: Sequence[str]


def _task(log: Log, location: Location, given: str, environment: Environment) -> _Task:
    from twoagent_hook import records, trails

    task_id, rows, damaged = _rows(log, given)
    seal = records.own_seal(environment)
    notes = [] if seal else ["your own key can't be read, so that no row is known to be of your gate"]
    genuine = frozenset(row.id for row in records.genuine(rows, seal) if row.id is not None)
    commits = []
    try:
        with Workspace(location, environment) as workspace:
            commits = workspace.commits_of(trails.trees(rows))
    except GitError as error:
        notes.append(f"the commits can't be told: {visible.excerpt(error.what, 300)}")
    trail = trails.of(task_id, rows, genuine, commits, damaged=damaged, notes=notes)
    return _Task(trail, rows, genuine, () if rows or damaged else _near(log, task_id))


def _rows(log: Log, given: str) -> tuple[str, list[Entry], list[int]]:
    """The id as it is on record, which is the visible form of what was given; the rows; those that are damaged."""
    shown = visible.excerpt(given, 200)
    found: tuple[list[Entry], list[int]] = ([], [])
    storable = given.encode("utf-8", "ignore").decode() == given
    for task_id in dict.fromkeys((given, shown) if storable else (shown,)):
        found = log.of_task(task_id)
        if any(found):
            return task_id, *found
    return shown, *found


def _near(log: Log, task_id: str) -> list[str]:
    from difflib import get_close_matches

    return [visible.excerpt(name, 200) for name in get_close_matches(task_id, log.tasks(), n=3, cutoff=0.5)]


def _follow(log: Log, location: Location, arguments: argparse.Namespace, environment: Environment) -> int:
    """The trail of a task, all of it: without its beginning it would be none."""
    from twoagent_hook.outputs import trail

    found = _task(log, location, arguments.task, environment)
    if arguments.output_format in {"json", "jsonl"}:
        made = trail.as_data(found.trail, calls=arguments.all) | {"near": list(found.near)}
        console.write(json.dumps(made) + "\n")
    elif found.rows or found.trail.damaged:
        console.write(trail.as_text(found.trail, calls=arguments.all))
    else:
        console.write(f"{_nothing(log)}{_hint(found)}\n")
    return int(ExitCode.OPEN)


def _hint(found: _Task) -> str:
    return f" (near it: {', '.join(found.near)})" if found.near else ""


def _export(log: Log, location: Location, arguments: argparse.Namespace, environment: Environment) -> int:
    """Everything that is on record of a task, as a folder."""
    from twoagent_hook import files, folders
    from twoagent_hook.outputs import exported, trail

    found = _task(log, location, arguments.task, environment)
    if not found.rows and not found.trail.damaged:
        raise UsageError(
            f"{_nothing(log)}{_hint(found)}",
            f"`{console.own_command(environment)} log list` shows which there are",
        )
    folder = os.path.join(location.state_dir, "attachments")
    read = {
        digest: files.read(os.path.join(folder, digest), _ATTACHMENT_LIMIT, follow=False)
        for digest in exported.attached(found.rows, found.genuine)
    }
    kept = {digest: content for digest, content in read.items() if content is not None}
    made = exported.contents(found.trail, found.rows, found.genuine, kept)
    folders.put(arguments.out, made, force=arguments.force)
    console.write(
        f"wrote {len(made)} files to {visible.path(arguments.out)}\n{trail.standing(found.trail.standing)}\n"
    )
    return int(ExitCode.OPEN)
