"""`twoagent-hook log`: read the trajectory."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twoagent_hook import console, git, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError, UsageError
from twoagent_hook.exits import ExitCode
from twoagent_hook.trajectory import Entry, Log, LogError


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """List rows, or show one."""
    log = Log(git.locate(environment).state_dir)
    try:
        if arguments.action == "show":
            return _show(log, arguments, environment)
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
        whole = log.read(limit=1)
        console.write("no such row in the log\n" if whole else "the log is empty: no review was made here yet\n")
    return int(ExitCode.OPEN)


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
        colour=text.wants_colour(arguments.color, environment.variables, terminal=sys.stdout.isatty()),
        width=text.columns(environment.variables, terminal=sys.stdout.isatty()),
        agent=author.detect(environment.variables, ()).agents,
        command=console.own_command(environment),
        framework=bool(evidence.get("framework")),
        hook=True,
        verbose=True,
        encoding=sys.stdout.encoding or "utf-8",
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
