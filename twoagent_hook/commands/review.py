"""`twoagent-hook review`: review what is staged."""

import argparse
import json
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twoagent_hook import console, exits, git
from twoagent_hook.environment import Environment
from twoagent_hook.errors import UsageError
from twoagent_hook.exits import ExitCode, Failure, Outcome
from twoagent_hook.git import Location, Trees, Workspace

if TYPE_CHECKING:
    from twoagent_hook.gate import Gate, Options, Preview
    from twoagent_hook.trajectory import Entry

_HAND_ONLY = ("config", "isolated", "exit_zero")


def run(arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    """Judge the index of the repository around the current folder."""
    signal.signal(signal.SIGTERM, _interrupt)
    found = exits.settle(lambda: _locate(arguments, environment), lambda failure: failure)
    if isinstance(found, Failure):
        return _report_failure(found, None, arguments, environment)
    return exits.settle(
        lambda: _review(found, arguments, environment, started),
        lambda failure: _report_failure(failure, found, arguments, environment),
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _locate(arguments: argparse.Namespace, environment: Environment) -> "Location | Failure":
    if environment.hook:
        for name in _HAND_ONLY:
            if getattr(arguments, name):
                flag = "--" + name.replace("_", "-")
                raise UsageError(
                    f"{flag} could loosen the gate, and a hook's arguments may only tighten it",
                    f"take {flag} out of the hook's `args`, and use it by hand",
                )
    return git.locate(environment)


def _review(location: Location, arguments: argparse.Namespace, environment: Environment, started: float) -> int:
    with Workspace(location, environment) as workspace:
        trees = workspace.trees()
        if trees.empty:
            return _report_nothing(trees, arguments, environment)
        from twoagent_hook.gate import Gate

        gate = Gate(workspace, trees, environment, _options(arguments), started)
        if arguments.dry_run:
            return _show_preview(gate.preview(), arguments)
        return _judge(gate, location, arguments, environment)


def _options(arguments: argparse.Namespace) -> "Options":
    from twoagent_hook import config
    from twoagent_hook.gate import Options

    given = {
        "reviewers": arguments.reviewer,
        "fail-on": arguments.fail_on,
        "on-error": arguments.on_error,
        "timeout": arguments.timeout,
    }
    flags = {
        key: config.checked(value, config.POLICY[key], f"--{key}", "the command line")
        for key, value in given.items()
        if value is not None
    }
    return Options(
        flags=flags,
        author=arguments.author,
        user_file=arguments.config,
        isolated=arguments.isolated,
        exit_zero=arguments.exit_zero,
        progress=not arguments.quiet,
    )


def _judge(gate: "Gate", location: Location, arguments: argparse.Namespace, environment: Environment) -> int:
    from twoagent_hook.outputs import payload

    decision = exits.settle(gate.judge, gate.failed)
    task_id = _task(arguments, environment)
    made = payload.of(decision, task_id=task_id)
    made["log_id"] = _record(location, _entries(gate, made, environment, task_id))
    _print(made, arguments, environment)
    if gate.rescued is not None:
        what = "files changed while the review ran, and a framework may roll them back"
        console.tell(f"twoagent-hook: {what}", f"the difference is saved: git apply {gate.rescued}")
    return int(decision.exit_code)


def _task(arguments: argparse.Namespace, environment: Environment) -> str | None:
    from twoagent_hook import visible

    given = arguments.task or environment.get("TWOAGENT_TASK")
    return visible.excerpt(given, 200) if given else None


# --- the log ------------------------------------------------------------------------------------------------


def _entries(gate: "Gate", made: Mapping[str, Any], environment: Environment, task_id: str | None) -> "list[Entry]":
    """A row for each call, and one for the decision."""
    from twoagent_hook.outputs import entries

    prepared = gate.prepared
    author = prepared.author.label if prepared else None
    rows = [entries.of_call(call, author=author, tree=gate.trees.tree, task_id=task_id) for call in gate.calls]
    evidence = {
        "diff_digest": prepared.packing.digest if prepared else None,
        "user_file": gate.settings.user_file if gate.settings else None,
        "hook": environment.hook,
        "reason": environment.get("TWOAGENT_REASON"),
    }
    prompts = prepared.packing.prompts if prepared else ()
    fingerprint = prompts[0].fingerprint if prompts else None
    return [*rows, entries.of_decision(made, evidence, author=author, fingerprint=fingerprint)]


def _record(location: Location, entries: "list[Entry]") -> int | None:
    """Append to the log; one that can't be written never loses a verdict."""
    from twoagent_hook.trajectory import Log, LogError

    try:
        return Log(location.state_dir).append(entries)
    except LogError as error:
        console.tell(f"twoagent-hook: {error}", "the verdict stands, and this review is not on the record")
        return None


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


def _report_failure(
    failure: Failure, location: Location | None, arguments: argparse.Namespace, environment: Environment
) -> int:
    """A failure before the gate: printed, and logged where there is a repository to log it in."""
    from twoagent_hook.outputs import entries, payload

    made = payload.of_failure(failure, task_id=_task(arguments, environment))
    if location is not None and failure.outcome is not Outcome.INTERRUPTED:
        made["log_id"] = _record(location, [entries.of_decision(made, {}, author=None, fingerprint=None)])
    _print(made, arguments, environment)
    return int(made["exit_code"])


def _print(made: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment) -> None:
    if arguments.output_format == "json":
        from twoagent_hook.outputs import json as json_output

        _deliver(json_output.render(made), arguments.output_file)
        if made["problem"]:
            console.tell(f"no review: {made['problem']['what']}", f"what to do: {made['problem']['do']}")
        return
    if arguments.quiet and made["exit_code"] == 0 and made["outcome"] in {"approve", "skipped"}:
        return
    from twoagent_hook.outputs import text

    _deliver(text.render(made, _reader(made, arguments, environment)), arguments.output_file)


def _reader(made: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment) -> Any:
    from twoagent_hook import author
    from twoagent_hook.outputs import text

    to_file = arguments.output_file is not None
    terminal = sys.stdout.isatty() and not to_file
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
        encoding="utf-8" if to_file else sys.stdout.encoding or "utf-8",
    )


def _deliver(text: str, path: str | None) -> None:
    if path is None:
        console.write(text)
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path} can't be written: {error.strerror}", "name another file with --output-file"
        ) from error


def _show_preview(preview: "Preview", arguments: argparse.Namespace) -> int:
    """Exactly what would be sent and to whom; nothing is."""
    if arguments.output_format == "json":
        requests = [
            {
                "method": request.method,
                "url": request.url,
                "headers": dict(request.headers),
                "body": dict(request.body),
            }
            for request in preview.requests
        ]
        failure = preview.failure
        reviewer = preview.reviewer.spec if preview.reviewer else None
        problem = {"what": failure.what, "do": failure.do} if failure else None
        _deliver(
            json.dumps({"version": 1, "reviewer": reviewer, "problem": problem, "requests": requests}) + "\n",
            arguments.output_file,
        )
        return int(ExitCode.OPEN)
    _deliver("\n".join(_preview_lines(preview)) + "\n", arguments.output_file)
    return int(ExitCode.OPEN)


def _preview_lines(preview: "Preview") -> "list[str]":
    from twoagent_hook import visible

    prepared = preview.prepared
    lines = [f"author: {prepared.author.label}"]
    if preview.reviewer is not None:
        lines.append(f"reviewer: {preview.reviewer.spec} at {preview.reviewer.origin}")
    if preview.failure is not None:
        lines.append(f"reviewer: none ({preview.failure.what}); {preview.failure.do}")
    lines += [f"rule {finding.kind}: {finding.place} {finding.title}" for finding in prepared.rule_findings]
    if not prepared.screened.sendable:
        return [*lines, "nothing would be sent: the change holds what looks like a secret"]
    for request in preview.requests:
        lines += ["", f"{request.method} {request.url}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        lines += [f"{key}: {json.dumps(value)}" for key, value in request.body.items() if key != "messages"]
        for message in request.body.get("messages", ()):
            lines += ["", f"--- {message['role']} ---", visible.block(message["content"])]
    if not preview.requests:
        lines += [
            text
            for prompt in prepared.packing.prompts
            for text in ("", "--- system ---", prompt.system, "--- user ---", prompt.user)
        ]
    return lines
