"""`twoagent-hook plan`: ask for a minimal plan, or check one that a person wrote."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from twoagent_hook import console, exits, files, git, given, plans, tasks, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import UsageError
from twoagent_hook.exits import ExitCode, Failure, Outcome
from twoagent_hook.git import Location, Workspace
from twoagent_hook.plans import Plan, Problem
from twoagent_hook.tasks import Task

if TYPE_CHECKING:
    from twoagent_hook.asking import Call
    from twoagent_hook.consulting import Circumstances, Question
    from twoagent_hook.settings import Settings
    from twoagent_hook.trajectory import Entry

PLANNED = "planned"
_LOST = "the plan is written, and is not on the record as that of its task"


def run(arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    """Write, check or take over a plan."""
    wanted = arguments.output_format == "json"
    work = _check if arguments.check is not None else _use if arguments.use is not None else _ask
    return exits.settle(
        lambda: work(arguments, environment, started), lambda failure: _failed(failure, json_wanted=wanted)
    )


# --- one that is written ------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace, _environment: Environment, _started: float) -> int:
    plan, problems = plans.read(given.read_text(arguments.check, plans.LIMIT * 4))
    name = visible.path(arguments.check)
    if arguments.output_format == "json":
        rows = [{"line": problem.line, "what": problem.what} for problem in problems]
        code = int(ExitCode.CLOSED if problems else ExitCode.OPEN)
        made = {"version": 1, "exit_code": code, "path": name, "task_id": plan.task.id or None, "problems": rows}
        console.write(json.dumps(made) + "\n")
        return code
    if not problems:
        console.write(f"{name}: {_summary(plan)}\n")
        return int(ExitCode.OPEN)
    console.write("".join(f"{_placed(name, problem)}\n" for problem in problems))
    return int(ExitCode.CLOSED)


def _placed(name: str, problem: Problem) -> str:
    """As linters say it."""
    return f"{name}:{problem.line or 1}: {problem.what}"


def _summary(plan: Plan) -> str:
    files = "1 file" if len(plan.files) == 1 else f"{len(plan.files)} files"
    criteria = "1 criterion" if len(plan.criteria) == 1 else f"{len(plan.criteria)} criteria"
    return f"the plan of {plan.task.id} · {files} · {criteria}"


def _use(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Make a plan that a person wrote, or changed, that of its task."""
    location = git.locate(environment)
    text = given.read_text(arguments.use, plans.LIMIT * 4)
    plan = plans.demand(text, arguments.use)
    path = given.inside(arguments.use, location)
    from twoagent_hook import author, records

    who = author.detect(environment.variables, author.said(None, environment.get("TWOAGENT_AUTHOR"))).label
    row = _planned(plan, text, path, author=who)
    source = given.planned_as(plan.task.id, text, location, environment)
    if source is not None:  # a model's plan, as it is, that somebody accepts
        row = replace(row, model=source.model, provider=source.provider)
    number = records.append(location, [row], records.own_seal(environment), _LOST)
    return _done(plan, path, number, arguments, environment)


# --- one that is asked for ----------------------------------------------------------------------------------


def _ask(arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    task = _task(arguments)
    location = git.locate(environment)
    with Workspace(location, environment) as workspace:
        from twoagent_hook import planning, records, settings
        from twoagent_hook.consulting import Circumstances
        from twoagent_hook.snapshots import Snapshot

        trees, snapshot = workspace.trees(), Snapshot(workspace)
        found = settings.load(
            snapshot, trees, {}, environment, user_file=arguments.config, isolated=arguments.isolated, checked=False
        )
        spec = planning.spec_of(arguments.planner, found.config)
        asked = planning.question(task, snapshot, trees.tree, found.config, found.guidelines, arguments.context)
    deadline = started + _seconds(arguments, found)
    around = Circumstances(found.config, environment.variables, deadline, environment.get("TERM") != "dumb", [])
    if arguments.dry_run:
        return _preview(asked, spec, around, arguments)
    _check_free(arguments, task)
    plan = _planned_by(asked, spec, task, around, (location, environment))
    text = plans.render(plan)
    _write(arguments.output_file, text)
    path = given.inside(arguments.output_file, location)
    rows = _calls(around.calls, task)
    rows[-1] = _planned(plan, text, path, call=rows[-1])
    number = records.append(location, rows, records.own_seal(environment), _LOST)
    return _done(plan, path, number, arguments, environment)


def _task(arguments: argparse.Namespace) -> Task:
    """The task, without what looks like a secret in it: it is sent, written down and logged."""
    from twoagent_hook.screening.secrets import Redactor

    redact = Redactor().text
    text = redact(arguments.task)
    title = redact(arguments.title) if arguments.title else text.strip().partition("\n")[0][: tasks.TITLE_LIMIT]
    return Task.of(title, text, arguments.id)


def _planned_by(
    asked: "Question", spec: str, task: Task, around: "Circumstances", place: tuple[Location, Environment]
) -> Plan:
    """The plan; where there is none, the requests that were made are on record all the same."""
    from twoagent_hook import planning, records

    plan: Plan | None = None
    try:
        plan = planning.ask(asked, spec, task, around)
        return plan
    finally:
        if plan is None and around.calls:
            lost = "what was asked is not on the record"
            records.append(place[0], _calls(around.calls, task), records.own_seal(place[1]), lost)


def _seconds(arguments: argparse.Namespace, found: "Settings") -> float:
    """How long it may take: a plan is thought about longer than a commit can wait."""
    if arguments.timeout is None:
        return max(found.config.timeout, _PLANNING_SECONDS)
    if not 1 <= arguments.timeout <= 3600:
        raise UsageError("--timeout takes a number from 1 to 3600", "name the seconds that a plan may take")
    return float(arguments.timeout)


_PLANNING_SECONDS = 300.0


def _check_free(arguments: argparse.Namespace, task: Task) -> None:
    """Before anybody is paid: a file that is there is only written over where that is wanted, or nothing is lost.

    Raises:
        UsageError: it holds something.
    """
    path = arguments.output_file
    there = files.read(path, plans.LIMIT * 4)
    unwritten = there is not None and there.decode("utf-8", "replace") == plans.skeleton(task)
    if os.path.lexists(path) and not arguments.force and not unwritten:
        raise UsageError(f"{visible.path(path)} is there already", "name another one with `-o`, or add `--force`")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UsageError(f"{visible.path(folder)} is no folder that can be written", "name another one with `-o`")


def _write(path: str, text: str) -> None:
    try:
        files.replace(path, text)
    except OSError as error:
        console.write(text)  # it was paid for
        raise UsageError(f"{visible.path(path)} can't be written: {error.strerror}", "save the text above") from error


def _preview(asked: "Question", spec: str, around: "Circumstances", arguments: argparse.Namespace) -> int:
    from twoagent_hook import consulting
    from twoagent_hook.outputs import preview as shown

    consulted = consulting.preview(asked, spec, around)
    made = shown.request_as_json if arguments.output_format == "json" else shown.request_as_text
    console.write(made(consulted.identity, consulted.request))
    return int(ExitCode.OPEN)


# --- the log ------------------------------------------------------------------------------------------------


def _calls(calls: "Sequence[Call]", task: Task) -> "list[Entry]":
    from twoagent_hook.outputs import entries

    return [entries.of_consultation(call, role="planner", task_id=task.id) for call in calls]


def _planned(
    plan: Plan, text: str, path: str | None, *, author: str | None = None, call: "Entry | None" = None
) -> Any:
    """The row that holds the plan of a task.

    Args:
        call: that of the model which gave it.
    """
    from twoagent_hook.screening.secrets import Redactor
    from twoagent_hook.trajectory import Entry

    redact = Redactor().text

    row = call or Entry(role="planner", result=PLANNED, task_id=plan.task.id, author=author)
    held = {
        "text": redact(text),
        "digest": plans.digest(text),
        "path": path,
        "title": redact(plan.task.title),
        "task": redact(plan.task.text),
    }
    return replace(row, result=PLANNED, evidence={**row.evidence, "plan": held})


# --- printing -----------------------------------------------------------------------------------------------


def _done(
    plan: Plan, path: str | None, number: int | None, arguments: argparse.Namespace, environment: Environment
) -> int:
    name = visible.path(arguments.use or arguments.output_file)
    if arguments.output_format == "json":
        made = _payload(Outcome.SKIPPED, None) | {
            "outcome": PLANNED,
            "exit_code": 0,
            "task_id": plan.task.id,
            "path": path,
            "plan": _data(plan),
            "log_id": number,
        }
        console.write(json.dumps(made) + "\n")
        return int(ExitCode.OPEN)
    mark = f" · #{number}" if number is not None else ""
    console.write(f"planned  {_summary(plan)} · {name}{mark}\n")
    if plan.questions:
        console.write("Questions for the human owner:\n" + "".join(f"- {item}\n" for item in plan.questions))
    own = console.own_command(environment)
    console.write(f"next: look at it, implement it, then `{own} review --task {plan.task.id}`\n")
    return int(ExitCode.OPEN)


def _data(plan: Plan) -> dict[str, Any]:
    """The plan as plain data."""
    made = asdict(plan)
    made["task"] = plan.task._asdict()
    for name in ("files", "criteria"):
        made[name] = [item._asdict() for item in getattr(plan, name)]
    return made


def _payload(outcome: Outcome, problem: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "version": 1,
        "outcome": outcome.value,
        "exit_code": int(exits.exit_code(outcome)),
        "problem": problem,
        "task_id": None,
        "path": None,
        "plan": None,
        "log_id": None,
    }


def report_usage(failure: Failure, words: list[str]) -> int:
    """A command line that can't be followed: printed as every failure."""
    return _failed(failure, json_wanted="json" in words or "--output-format=json" in words)


def _failed(failure: Failure, *, json_wanted: bool) -> int:
    from twoagent_hook.outputs import plain

    problem = {"what": plain.text(failure.what), "do": plain.text(failure.do)}
    if json_wanted:
        console.write(json.dumps(_payload(failure.outcome, problem)) + "\n")
    console.tell(f"no plan: {problem['what']}", f"what to do: {problem['do']}")
    return int(exits.exit_code(failure.outcome))
