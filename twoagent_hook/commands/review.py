"""`twoagent-hook review`: review what is staged."""

import argparse
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twoagent_hook import console, exits, git, visible
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError, UsageError
from twoagent_hook.exits import ExitCode, Failure, Outcome
from twoagent_hook.git import Location, Trees, Workspace

if TYPE_CHECKING:
    from twoagent_hook.gate import Gate, Preview
    from twoagent_hook.given import Notes
    from twoagent_hook.memory import Memory
    from twoagent_hook.options import GivenPlan, Options
    from twoagent_hook.policy import Decision
    from twoagent_hook.trajectory import Entry

# Flags that a hook's arguments may not hold, since those belong to the repository: they could open the gate, or
# send its words elsewhere. Of the others `--reviewer`, `--fail-on` and `--on-error` may only tighten (`config`).
HAND_ONLY = (
    *("config", "dry_run", "exit_zero", "isolated", "no_cache", "output_file"),
    *("checklist", "plan", "plan_only"),
)


_LOST = "the verdict stands, and this review is not on the record"


def run(arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    """Judge the index of the repository around the current folder."""
    signal.signal(signal.SIGTERM, _interrupt)
    return exits.settle(
        lambda: _run(git.locate(environment), arguments, environment, started),
        lambda failure: _report_failure(failure, None, arguments, environment),
    )


def _run(location: Location, arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    return exits.settle(
        lambda: _review(location, arguments, environment, started),
        lambda failure: _report_failure(failure, location, arguments, environment),
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _check_flags(arguments: argparse.Namespace, environment: Environment) -> None:
    given = [name for name in HAND_ONLY if getattr(arguments, name)] if environment.hook else []
    if given:
        flag = "--" + given[0].replace("_", "-")
        arguments.output_file = arguments.checklist = (
            None  # the refusal itself must not be written over a file that a repository named
        )
        raise UsageError(
            f"{flag} could loosen the gate, and a hook's arguments may only tighten it",
            f"take {flag} out of the hook's arguments, and use it by hand",
        )


def _review(location: Location, arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    _check_flags(arguments, environment)
    with Workspace(location, environment) as workspace:
        trees = workspace.trees()
        _check_checklist(arguments)
        if arguments.plan_only is not None:
            return _judge_plan(workspace, trees, arguments, environment, started)
        if trees.empty:
            return _report_nothing(trees, arguments, environment)
        from twoagent_hook.memory import Memory

        options = _options(arguments, environment)._replace(plan=_plan(location, arguments, environment))
        arguments.notes = _notes(arguments)
        memory = Memory.of(location, trees, options, environment)
        if memory.standing is not None:
            return _repeat(memory.standing, workspace, memory, arguments)
        from twoagent_hook.gate import Gate

        gate = Gate(workspace, trees, environment, memory.options, started, memory.answers())
        if arguments.dry_run:
            return _show_preview(gate.preview(), arguments)
        return _judge(gate, memory, arguments)


def _options(arguments: argparse.Namespace, environment: Environment) -> "Options":
    from twoagent_hook import keys
    from twoagent_hook.options import Options

    given = {
        "reviewers": arguments.reviewer,
        "fail-on": arguments.fail_on,
        "on-error": arguments.on_error,
        "timeout": arguments.timeout,
    }
    flags = {
        key: keys.checked(value, keys.POLICY[key], f"--{key}", "the command line")
        for key, value in given.items()
        if value is not None
    }
    return Options(
        flags=flags,
        author=arguments.author,
        user_file=arguments.config,
        isolated=arguments.isolated,
        exit_zero=arguments.exit_zero,
        fresh=arguments.no_cache,
        progress=not arguments.quiet and environment.get("TERM") != "dumb",
    )


def _judge(gate: "Gate", memory: "Memory", arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from twoagent_hook import claimed, config, given, inquiry, records, spending
    from twoagent_hook.outputs import payload

    environment = memory.environment
    decision = gate.run()
    if memory.unread is not None:
        decision = replace(decision, notices=(*decision.notices, memory.unread))
    said = (*_other_task(decision, arguments, environment), *_no_plan(decision.intent, arguments, environment))
    decision = replace(decision, notices=(*decision.notices, *said))
    made = payload.of(decision, task_id=_task_of(decision, arguments, environment))
    beside = given.notes_beside(decision.intent.path if decision.intent else None, memory.location)
    made["claims"] = claimed.of(decision.intent, arguments.notes or beside, memory)
    folder = config.state_folder(environment.get("TWOAGENT_HOME"))
    if gate.calls and spending.add(folder, inquiry.costs(gate.calls)):
        made["tokens_today"] = spending.read(folder).tokens_today
    made["log_id"] = records.append(memory.location, _entries(gate, decision, made, memory), memory.seal, _LOST)
    code = _print(made, arguments, environment)
    if gate.rescued is not None:
        what = "twoagent-hook: files changed during the review; the difference is saved."
        console.tell(what, f"If a framework rolls it back: git apply {shlex.quote(gate.rescued)}")
    return code


def _plan(location: Location, arguments: argparse.Namespace, environment: Environment) -> "GivenPlan | None":
    """The plan that is named, or on record for the task that is named."""
    task_id = _task(arguments, environment)
    if arguments.plan is None and task_id is None:
        return None
    from twoagent_hook import given

    return given.plan_of(arguments.plan, task_id, location, environment)


def _notes(arguments: argparse.Namespace) -> "Notes | None":
    """The implementer's notes that are named, read before anybody is asked."""
    if arguments.notes is None:
        return None
    from twoagent_hook import given

    return given.named_notes(arguments.notes)


def _check_checklist(arguments: argparse.Namespace) -> None:
    """Only a form of ours is filled in: what somebody wrote is not written over."""
    from twoagent_hook import files

    path = arguments.checklist
    if path is None or not os.path.lexists(path):
        return
    if not (files.read(path, 64) or b"").startswith(b"# Review checklist"):
        arguments.checklist = None  # nor is the refusal itself
        raise UsageError(f"{visible.path(path)} is there, and is no review checklist", "name another file")


def _judge_plan(
    workspace: Workspace, trees: Trees, arguments: argparse.Namespace, environment: Environment, started: float
) -> int:
    """A plan, in the place of what is staged; its verdict stands for nothing else."""
    from twoagent_hook import given, records
    from twoagent_hook.memory import Memory
    from twoagent_hook.plan_review import PlanGate

    options, location = _options(arguments, environment), workspace.location
    plan = given.named(arguments.plan_only, _task(arguments, environment), location)
    gate = PlanGate(workspace, trees, environment, options._replace(plan=plan), started)
    if arguments.dry_run:
        return _show_preview(gate.preview(), arguments)
    seal = records.own_seal(environment)
    return _judge(gate, Memory(location, trees, options, environment, seal, None, None, None), arguments)


def _repeat(standing: "Entry", workspace: Workspace, memory: "Memory", arguments: argparse.Namespace) -> int:
    """The verdict of an earlier run, which stands: nobody is asked."""
    from dataclasses import replace

    from twoagent_hook import records
    from twoagent_hook.outputs import entries, plain

    environment = memory.environment
    record, decision = standing.evidence["record"], plain.restored(standing.evidence["decision"])
    outcome = Outcome.BLOCK if record["blocked"] else Outcome(decision["outcome"])
    code = exits.exit_code(outcome, fail_on=record.get("fail_on", "block"))
    if arguments.dry_run:
        return _show_nothing_sent(f"the verdict on it is on record (#{standing.id}: {decision['outcome']})", arguments)
    if code is ExitCode.OPEN:
        workspace.confirm(memory.trees)
    made: dict[str, Any] = decision | {
        "exit_code": int(ExitCode.OPEN if arguments.exit_zero and code is ExitCode.CLOSED else code),
        "task_id": _task(arguments, environment) or decision["task_id"],
        "outcome": outcome.value,
        "claims": _claims_again(decision, memory, arguments),
        "reviews": [review | {"cached": True} for review in decision["reviews"]],
        "notices": [
            *(notice for notice in decision["notices"] if not notice.startswith(("TWOAGENT_DEFER", _NO_PLAN))),
            *_no_plan(decision.get("plan"), arguments, environment),
        ],
        "recorded": standing.id,
        "tokens_today": None,
        "log_id": None,
    }
    evidence = _circumstances(environment) | {"recorded": standing.id, "fresh": arguments.no_cache}
    row = entries.of_decision(made, evidence, author=standing.author, fingerprint=standing.prompt_fingerprint)
    made["log_id"] = records.append(memory.location, [replace(row, latency_sec=None)], memory.seal, _LOST)
    try:
        return _print(made, arguments, environment)
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # a row without our seal may hold anything
        what = f"row {standing.id} of the log says that this change was blocked, and is damaged"
        raise GitError(what, "look at it, and take it out of the log if nobody wrote it") from error


def _task(arguments: argparse.Namespace, environment: Environment) -> str | None:
    given = arguments.task or environment.get("TWOAGENT_TASK")
    return visible.excerpt(given, 200) if given else None


def _claims_again(
    decision: Mapping[str, Any], memory: "Memory", arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """What was claimed, and what the notes of now claim, held against what was run meanwhile."""
    if not decision.get("claims") and arguments.notes is None:
        return []
    from twoagent_hook import claimed

    known = claimed.again(decision.get("claims", []), memory)
    fresh = claimed.of(None, arguments.notes, memory)
    return [*known, *(claim for claim in fresh if claim not in known)]


_NO_PLAN = "no plan is on record for "


def _no_plan(plan: object, arguments: argparse.Namespace, environment: Environment) -> Sequence[str]:
    """That a task was named and nothing was held against its plan: an id may be misspelled."""
    task_id = _task(arguments, environment)
    if plan is not None or task_id is None:
        return ()
    return (f"{_NO_PLAN}{task_id}: the change was held against none",)


def _task_of(decision: "Decision", arguments: argparse.Namespace, environment: Environment) -> str | None:
    """The task that is named, else that of the plan."""
    given_task = _task(arguments, environment)
    return given_task or (decision.intent.plan.task.id if decision.intent else None)


def _other_task(decision: "Decision", arguments: argparse.Namespace, environment: Environment) -> Sequence[str]:
    task_id = _task(arguments, environment)
    if decision.intent is None or task_id in {None, decision.intent.plan.task.id}:
        return ()
    return (f"plan: it is that of {decision.intent.plan.task.id}, and the task is said to be {task_id}",)


# --- the log ------------------------------------------------------------------------------------------------


def _circumstances(environment: Environment) -> dict[str, Any]:
    return {
        "hook": environment.hook,
        "framework": environment.framework,
        "reason": environment.get("TWOAGENT_REASON"),
    }


def _entries(gate: "Gate", decision: "Decision", made: Mapping[str, Any], memory: "Memory") -> "list[Entry]":
    """A row for each call, and one for the decision."""
    from twoagent_hook.outputs import entries

    prepared, task_id = gate.prepared, made["task_id"]
    author = prepared.author.label if prepared else None
    rows = [
        entries.of_call(
            call,
            author=author,
            tree=decision.tree,
            base=decision.base,
            task_id=task_id,
            fail_on=gate.fail_on,
            expires=gate.expires,
        )
        for call in gate.calls
    ]
    record = gate.record(decision, made, memory.key)
    evidence = {
        **_circumstances(memory.environment),
        "diff_digest": prepared.packing.digest if prepared else None,
        "user_file": gate.settings.user_file if gate.settings else None,
        "fresh": memory.options.fresh,
        **({"record": record} if record else {}),
    }
    prompts = prepared.packing.prompts if prepared else ()
    fingerprint = prompts[0].fingerprint if prompts else None
    return [*rows, entries.of_decision(made, evidence, author=author, fingerprint=fingerprint)]


# --- printing -----------------------------------------------------------------------------------------------


def _report_nothing(trees: Trees, arguments: argparse.Namespace, environment: Environment) -> int:
    reason = "nothing is staged: no review was made"
    if environment.get("PRE_COMMIT_FROM_REF"):
        reason += " (a range of commits is not what this hook judges)"
    if arguments.output_format == "json" or arguments.output_file:
        from twoagent_hook.outputs import payload

        _print(
            payload.of_nothing(trees.tree, reason, task_id=_task(arguments, environment)),
            arguments,
            environment,
        )
    elif not arguments.quiet:
        console.write(f"skipped  {reason}\n")
    return int(ExitCode.OPEN)


def report_usage(failure: Failure, words: list[str], environment: Environment) -> int:
    """A command line that can't be followed, where a review was meant: printed and logged as every failure."""
    wants_json = "json" in words or "--output-format=json" in words
    arguments = argparse.Namespace(
        output_format="json" if wants_json else "text",
        output_file=None,
        checklist=None,
        quiet=False,
        verbose=False,
        color="auto",
        task=None,
    )
    return exits.settle(
        lambda: _report_failure(failure, git.locate(environment), arguments, environment),
        lambda _: _report_failure(failure, None, arguments, environment),
    )


def _report_failure(
    failure: Failure, location: Location | None, arguments: argparse.Namespace, environment: Environment
) -> int:
    """A failure before the gate: printed, and logged where there is a repository to log it in."""
    from twoagent_hook import records
    from twoagent_hook.outputs import entries, payload

    made = payload.of_failure(failure, task_id=_task(arguments, environment))
    if location is not None and failure.outcome is not Outcome.INTERRUPTED:
        row = entries.of_decision(made, {}, author=None, fingerprint=None)
        made["log_id"] = records.append(location, [row], None, _LOST)
    return _print(made, arguments, environment)


def _print(made: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment) -> int:
    """Show the payload where it is wanted; returns the exit code."""
    code = int(made["exit_code"])
    filled = _fill_checklist(made, arguments.checklist)
    if arguments.output_format == "json":
        from twoagent_hook.outputs import json as json_output

        shown = _deliver(json_output.render(made), arguments.output_file)
        if made["problem"]:
            console.tell(f"no review: {made['problem']['what']}", f"what to do: {made['problem']['do']}")
    elif arguments.quiet and code == 0 and made["outcome"] in {"approve", "skipped"}:
        shown = True
    else:
        from twoagent_hook.outputs import text

        shown = _deliver(text.render(made, _reader(made, arguments, environment)), arguments.output_file)
    return code if (shown and filled) or code else int(ExitCode.NO_VERDICT)


def _fill_checklist(made: Mapping[str, Any], path: str | None) -> bool:
    """Write the review as a filled checklist, where one is wanted; False where it can't be."""
    if path is None:
        return True
    from twoagent_hook import files
    from twoagent_hook.outputs import checklist

    try:
        files.replace(path, checklist.render(made))
    except OSError as error:
        console.tell(f"twoagent-hook: {path} can't be written: {error.strerror}", "name another file")
        return False
    return True


def _reader(made: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment) -> Any:
    from twoagent_hook import author
    from twoagent_hook.outputs import text

    to_file = arguments.output_file is not None
    terminal = console.shown() and not to_file
    marked = author.detect(environment.variables, ())
    claimed = made["author"]["agent"] or made["author"]["model"]
    return text.Reader(
        colour=text.wants_colour(arguments.color, environment.variables, terminal=terminal),
        width=text.columns(environment.variables, terminal=terminal),
        agent=marked.agents or claimed not in {None, author.HUMAN},
        command=console.own_command(environment),
        framework=environment.framework,
        hook=environment.hook,
        verbose=arguments.verbose,
        encoding="utf-8" if to_file else console.encoding(),
    )


def _deliver(text: str, path: str | None) -> bool:
    """Write to the file that was asked for, else to standard output; False where the file can't be written."""
    if path is None:
        console.write(text)
        return True
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        console.write(text)
        console.tell(f"twoagent-hook: {path} can't be written: {error.strerror}", "name another file")
        return False
    return True


def _show_preview(preview: "Preview", arguments: argparse.Namespace) -> int:
    """Exactly what would be sent and to whom; nothing is."""
    from twoagent_hook.outputs import preview as shown

    console.write(shown.as_json(preview) if arguments.output_format == "json" else shown.as_text(preview))
    return int(ExitCode.OPEN)


def _show_nothing_sent(why: str, arguments: argparse.Namespace) -> int:
    from twoagent_hook.outputs import preview as shown

    console.write(shown.nothing_as_json(why) if arguments.output_format == "json" else shown.nothing_as_text(why))
    return int(ExitCode.OPEN)
