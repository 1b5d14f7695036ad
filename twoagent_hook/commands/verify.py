"""`twoagent-hook verify`: run the owner's commands on what was judged."""

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from twoagent_hook import console, exits, git
from twoagent_hook.environment import Environment
from twoagent_hook.errors import TwoAgentError, UsageError
from twoagent_hook.exits import ExitCode, Failure, Outcome
from twoagent_hook.git import Location, Trees, Workspace

if TYPE_CHECKING:
    from twoagent_hook.asking import Call
    from twoagent_hook.checkout import Subject, Wanted
    from twoagent_hook.claims import Claim
    from twoagent_hook.config import Config
    from twoagent_hook.pushes import Pushed
    from twoagent_hook.verification import Attachment, Inspection, Problem, Run, Summary, Verification

# Flags that a hook's arguments may not hold, since those belong to the repository: they could have something else
# judged, or nothing at all.
HAND_ONLY = ("attach", "commit", "config", "inspect", "isolated", "no_summary", "run_suggested", "verifier")
_LOST = "the verdict stands, and this verification is not on the record"
_LONGEST = 86_400  # seconds
_NOTES_LIMIT = 1 << 20  # bytes of notes or a plan
_MOST_SUGGESTED = 20


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Verify the index of the repository around the current folder, a commit, or what is pushed."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` means it
            signal.signal(number, _interrupt)
    return exits.settle(
        lambda: _run(git.locate(environment), arguments, environment),
        lambda failure: _report_failure(failure, None, arguments, environment),
    )


def _run(location: Location, arguments: argparse.Namespace, environment: Environment) -> int:
    return exits.settle(
        lambda: _verify(location, arguments, environment),
        lambda failure: _report_failure(failure, location, arguments, environment),
    )


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def report_usage(failure: Failure, words: list[str], environment: Environment) -> int:
    """A command line that can't be followed: printed and logged as every failure."""
    wants_json = "json" in words or "--output-format=json" in words
    arguments = argparse.Namespace(output_format="json" if wants_json else "text", task=None)
    return exits.settle(
        lambda: _report_failure(failure, git.locate(environment), arguments, environment),
        lambda _: _report_failure(failure, None, arguments, environment),
    )


class _Around(NamedTuple):
    """What is the same for every tree of a run.

    Attributes:
        hook: whether a commit or a push runs us, so that the policy's commands need the user's consent.
    """

    workspace: Workspace
    environment: Environment
    arguments: argparse.Namespace
    hook: bool
    claims: "tuple[Claim, ...]"
    inspections: "tuple[Inspection, ...]"
    attachments: "tuple[Attachment, ...]"
    notices: tuple[str, ...]


class _Target(NamedTuple):
    """What is verified, and the tree that the policy is read from."""

    subject: "Subject"
    base: str


def _verify(location: Location, arguments: argparse.Namespace, environment: Environment) -> int:
    from twoagent_hook import pushes
    from twoagent_hook.attachments import attach

    pushed = pushes.pushed(environment)
    hook = environment.hook or pushed is not None
    _check_flags(arguments, environment, hook=hook)
    with Workspace(location, environment) as workspace:
        targets = _targets(workspace, arguments, pushed)
        if not targets:
            return _report_nothing(arguments, environment)
        attachments, notices = attach(arguments.attach, location)
        around = _Around(
            workspace=workspace,
            environment=environment,
            arguments=arguments,
            hook=hook,
            claims=_claims(arguments),
            inspections=_inspections(arguments.inspect),
            attachments=attachments,
            notices=notices,
        )
        made = [_verify_one(target, around) for target in targets]
    return _print(made, arguments, environment)


def _check_flags(arguments: argparse.Namespace, environment: Environment, *, hook: bool) -> None:
    given = [name for name in HAND_ONLY if getattr(arguments, name)] if hook else []
    if given:
        flag = "--" + given[0].replace("_", "-")
        raise UsageError(
            f"{flag} could have something else verified, and a hook's arguments may not say that",
            f"take {flag} out of the hook's arguments, and use it by hand",
        )
    if not 0 < arguments.timeout <= _LONGEST:
        raise UsageError(f"--timeout can't be {arguments.timeout:g}", f"name seconds above 0, and up to {_LONGEST}")
    if arguments.run_suggested:
        _check_terminal(arguments, environment)


def _check_terminal(arguments: argparse.Namespace, environment: Environment) -> None:
    """A command that a model made up is run where a human has read it, and nowhere else."""
    from twoagent_hook import author

    if author.detect(environment.variables, ()).agents:
        raise UsageError("--run-suggested is for humans, and an agent runs this", "ask your user to run it")
    if not (sys.stdin and sys.stdin.isatty() and console.shown()):
        raise UsageError("--run-suggested needs a terminal to ask at", "run it by hand, at a terminal")
    if arguments.output_format == "json":
        raise UsageError("--run-suggested asks a human, and JSON is for programs", "leave out one of the two")


# --- what is verified ---------------------------------------------------------------------------------------


def _targets(
    workspace: Workspace, arguments: argparse.Namespace, pushed: "tuple[Pushed, ...] | None"
) -> list[_Target]:
    from twoagent_hook.checkout import Subject

    if pushed is not None:
        found = [target for item in pushed for target in _of_commit(workspace, item.commit, item.remote)]
        return list({target.subject.tree: target for target in found}.values())
    if arguments.commit:
        named = list(_of_commit(workspace, arguments.commit, None))
        if not named:
            raise UsageError(f"--commit: {arguments.commit!a} is no commit here", "name one that `git log` shows")
        return named
    trees = workspace.trees()
    return [_Target(Subject(trees.tree, parent=workspace.resolve("HEAD^{commit}")), trees.base)]


def _of_commit(workspace: Workspace, revision: str, remote: str | None) -> Iterator[_Target]:
    """The tree of a commit, with the policy of what the remote has, where that is here, else of the first parent."""
    from twoagent_hook.checkout import Subject

    commit = workspace.resolve(f"{revision}^{{commit}}")
    if commit is None:  # a tag can name a file
        return
    tree = workspace.resolve(f"{commit}^{{tree}}")
    if tree is None:
        raise UsageError(f"the tree of {commit} can't be read", "run `git fsck` and restore the missing objects")
    bases = ([f"{remote}^{{tree}}"] if remote else []) + [f"{commit}^1^{{tree}}"]
    known = (workspace.resolve(base) for base in bases)
    base = next((base for base in known if base), git.EMPTY_TREES[workspace.location.object_format])
    yield _Target(Subject(tree, commit), base)


# --- what is recorded beside runs ---------------------------------------------------------------------------


def _claims(arguments: argparse.Namespace) -> "tuple[Claim, ...]":
    from twoagent_hook import claims, files
    from twoagent_hook.screening.secrets import Redactor

    found: list[Claim] = []
    for flag, path in (("--notes", arguments.notes), ("--plan", arguments.plan)):
        if path is None:
            continue
        content = files.read(path, _NOTES_LIMIT)
        if content is None:
            raise UsageError(f"{flag}: {path} can't be read", "name a file")
        found += claims.find(Redactor().text(content.decode("utf-8", "replace")), path)
    return tuple(found)


def _inspections(texts: Sequence[str]) -> "tuple[Inspection, ...]":
    from twoagent_hook.outputs import plain
    from twoagent_hook.screening.secrets import Redactor
    from twoagent_hook.verification import Inspection

    if not all(text.strip() for text in texts):
        raise UsageError("--inspect says nothing", "write what you looked at, and what you saw")
    return tuple(Inspection(f"I{number}", plain.text(Redactor().text(text))) for number, text in enumerate(texts, 1))


# --- verifying one tree -------------------------------------------------------------------------------------


def _verify_one(target: _Target, around: _Around) -> dict[str, Any]:
    from twoagent_hook import settings, verification
    from twoagent_hook.snapshots import Snapshot

    arguments, tree = around.arguments, target.subject.tree
    loaded = settings.load(
        Snapshot(around.workspace),
        Trees(target.base, tree),
        {},
        around.environment,
        user_file=arguments.config,
        isolated=arguments.isolated,
        checked=False,
    )
    config = loaded.config
    calls: list[Call] = []
    found = verification.Verification(
        tree,
        target.base,
        _task(arguments, around.environment),
        inspections=around.inspections,
        attachments=around.attachments,
        claims=around.claims,
        notices=(*config.notices, *around.notices),
    )
    found = _ran(found, target.subject, config, around)
    if found.runs:
        found = _summed_up(found, config, around, calls)
    made = verification.payload(found)
    made["log_id"] = _record(made, calls, config, around)
    return made


def _ran(found: "Verification", subject: "Subject", config: "Config", around: _Around) -> "Verification":
    """The same with what ran, and what it says of the claims."""
    from dataclasses import replace

    from twoagent_hook import claims, verification
    from twoagent_hook.checkout import Wanted

    if around.hook and (settled := _settled_by_record(found, config, around)) is not None:
        return settled
    suggested = _suggested(found.tree, around)
    suggested = [text for text in suggested if not any(claims.same(text, item) for item in config.verify_commands)]
    picked = _pick(suggested) if around.arguments.run_suggested else []
    wanted = [Wanted(item, "policy") for item in config.verify_commands]
    wanted += [Wanted(text, "suggested") for text in picked]
    left = tuple(text for text in suggested if text not in picked)
    if not wanted:
        named = found.inspections or found.attachments
        return replace(found, suggested=left, unmet=None if named else _nothing_to_run(left))
    runs, submodules, withheld = _perform(wanted, subject, config, around)
    said = (f"submodules are empty folders in the checkout: {_named(submodules)}",) if submodules else ()
    return replace(
        found,
        runs=runs,
        claims=claims.hold(found.claims, verification.runs(runs)),
        suggested=left,
        notices=(*found.notices, *said),
        withheld=withheld,
    )


def _named(paths: Sequence[str]) -> str:
    from twoagent_hook import visible

    shown = ", ".join(visible.path(path) for path in paths[:5])
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5} more"


def _nothing_to_run(suggested: Sequence[str]) -> "Problem":
    from twoagent_hook import keys
    from twoagent_hook.verification import Problem

    do = f'write `verify-commands = ["make test"]` into {keys.POLICY_FILE}'
    more = ", or pick what the reviewer suggested (--run-suggested)" if suggested else ", or use --inspect"
    return Problem("the policy names no `verify-commands`, so nothing was run", do + more)


def _perform(
    wanted: "Sequence[Wanted]", subject: "Subject", config: "Config", around: _Around
) -> "tuple[tuple[Run, ...], tuple[str, ...], tuple[str, ...]]":
    """The runs, the paths of submodules, and the names of variables that commands did not get."""
    from twoagent_hook import checkout

    arguments, environment = around.arguments, around.environment
    progress = not getattr(arguments, "quiet", False) and environment.get("TERM") != "dumb"
    keys = [provider.api_key_env for provider in config.providers.values() if provider.api_key_env]
    with checkout.Checkout(around.workspace, subject) as place:
        given = checkout.environment_for(environment, place, keys)
        runs = tuple(checkout.perform(place, wanted, given.variables, arguments.timeout, progress=progress))
        return runs, place.submodules, given.withheld


def _settled_by_record(found: "Verification", config: "Config", around: _Around) -> "Verification | None":
    """In a hook: what is on record for this tree, or why nothing may be run; None where the commands may be run."""
    from dataclasses import replace

    from twoagent_hook import records, verification

    commands = config.verify_commands
    if not commands:
        return None
    location, environment = around.workspace.location, around.environment
    rows = (
        row
        for row in verification.recorded(location, found.tree, environment)
        if verification.same_commands(row.evidence["verification"], commands)
        and records.current(row.evidence.get("expires"))
    )
    row = next(rows, None)
    if row is not None and row.result == verification.Outcome.GO.value:
        return replace(found, recorded=row.id)
    if config.verify_at_push:
        return None
    known = "no go for it is on record" if row is None else f"what is on record for it is a no-go (#{row.id})"
    what = f"a hook runs no commands on tree {found.tree[:12]} without your consent, and {known}"
    do = (
        f"run `{console.own_command(environment)} verify` by hand first (--commit REV for a commit), or write "
        "`verify-at-push = true` into your own file"
    )
    return replace(found, unmet=verification.Problem(what, do))


# --- what a reviewer suggested ------------------------------------------------------------------------------


def _suggested(tree: str, around: _Around) -> list[str]:
    """The commands of the newest genuine review of the tree."""
    from twoagent_hook import records
    from twoagent_hook.trajectory import Log, LogError

    try:
        rows = Log(around.workspace.location.state_dir).of_tree(tree, "gate")
    except LogError:
        return []
    genuine = records.genuine(rows, records.own_seal(around.environment))
    decisions = (row.evidence.get("decision") for row in genuine)
    newest = next((decision for decision in decisions if isinstance(decision, dict)), {})
    texts = newest.get("verification_commands") or []
    return list(dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip()))[:_MOST_SUGGESTED]


def _pick(suggested: Sequence[str]) -> list[str]:
    """Those that the human at the terminal says yes to, each shown exactly as it would be run."""
    picked: list[str] = []
    for number, text in enumerate(suggested, 1):
        if not _unambiguous(text):
            console.write(f"left out, since it can't be shown as it is: suggestion {number}\n")
            continue
        strange = "" if text.isascii() else "    (it holds letters beyond ASCII: some look like others)\n"
        console.write(f"The reviewer suggests ({number} of {len(suggested)}):\n    {text}\n{strange}")
        console.write("Run it in the checkout? [y/N] ")
        answer = sys.stdin.readline()
        if not answer:
            break
        picked += [text] if answer.strip().lower() in {"y", "yes"} else []
    return picked


def _unambiguous(text: str) -> bool:
    """Whether what is shown is what would be run, all of it: one line with nothing spelled, hidden or cut."""
    from twoagent_hook import visible
    from twoagent_hook.outputs import plain

    spelled = "\\u{" in text or "\\x" in text or "\t" in text
    return visible.line(text) == text and not spelled and len(text) < plain.LIMIT


# --- the summary --------------------------------------------------------------------------------------------


def _summed_up(found: "Verification", config: "Config", around: _Around, calls: "list[Call]") -> "Verification":
    """The same with what a model makes of it, where one is named; a failure of that changes nothing but a notice."""
    from dataclasses import replace

    arguments = around.arguments
    spec = arguments.verifier or config.roles.get("verifier")
    if spec is None or arguments.no_summary:
        return found
    try:
        return replace(found, summary=_ask(found, spec, config, around, calls))
    except TwoAgentError as error:
        from twoagent_hook import visible

        said = f"no summary: {visible.excerpt(error.what, 300)}; the verdict is that of the exit codes"
        return replace(found, notices=(*found.notices, said))


def _ask(found: "Verification", spec: str, config: "Config", around: _Around, calls: "list[Call]") -> "Summary":
    import json

    from twoagent_hook import consulting, datafiles, verification, visible
    from twoagent_hook.checkout import TAIL_LIMIT

    # About three characters a token, with half of the room for all that is no output.
    room = min(TAIL_LIMIT, config.max_input_tokens * 3 // 2 // len(found.runs))
    texts = verification.evidence(found, room)
    question = consulting.Question(
        system=datafiles.packaged("templates/verifier.md"),
        material=verification.material(found, texts),
        schema=json.loads(datafiles.packaged("templates/verifier.schema.json")),
        marker="verdict",
        wanted="summary",
    )
    variables, progress = around.environment.variables, not around.arguments.quiet
    circumstances = consulting.Circumstances(config, variables, time.monotonic() + config.timeout, progress, calls)
    by = visible.excerpt(spec, 80)
    return consulting.ask(question, spec, lambda said: verification.read_summary(said, by, texts), circumstances)


# --- the log ------------------------------------------------------------------------------------------------


def _task(arguments: argparse.Namespace, environment: Environment) -> str | None:
    from twoagent_hook import visible

    given = arguments.task or environment.get("TWOAGENT_TASK")
    return visible.excerpt(given, 200) if given else None


def _record(made: Mapping[str, Any], calls: "Sequence[Call]", config: "Config", around: _Around) -> int | None:
    """Append a row for each call to a model, and one for the verification."""
    from twoagent_hook import records
    from twoagent_hook.outputs import entries
    from twoagent_hook.trajectory import Entry

    task_id, tree = made["task_id"], made["tree"]
    evidence: dict[str, Any] = {
        "base": made["base"],
        "hook": around.hook,
        "expires": records.expiry(config.record_expiry),
    }
    # A row about a row would hide from later runs what really ran.
    evidence |= {"verification": dict(made)} if made["recorded"] is None else {"recorded": made["recorded"]}
    seconds = sum(run["duration_sec"] for run in made["runs"])
    row = Entry(
        role="verifier",
        result=made["outcome"],
        task_id=task_id,
        latency_sec=round(seconds, 3) if made["runs"] else None,
        evidence=evidence,
        tree=tree,
    )
    asked = [entries.of_consultation(call, role="verifier", task_id=task_id, tree=tree) for call in calls]
    return records.append(around.workspace.location, [*asked, row], records.own_seal(around.environment), _LOST)


# --- printing -----------------------------------------------------------------------------------------------


def _report_failure(
    failure: Failure, location: Location | None, arguments: argparse.Namespace, environment: Environment
) -> int:
    """Whatever went wrong before there was anything to say of a tree: printed, and logged where there is a log."""
    from twoagent_hook import records
    from twoagent_hook.trajectory import Entry
    from twoagent_hook.verification import Problem, failed

    code = int(exits.exit_code(failure.outcome)) or int(ExitCode.NO_VERDICT)
    made = failed(Problem(failure.what, failure.do), code, _task(arguments, environment))
    if location is not None and failure.outcome is not Outcome.INTERRUPTED:
        row = Entry(role="verifier", result="error", task_id=made["task_id"], evidence={"problem": made["problem"]})
        made["log_id"] = records.append(location, [row], records.own_seal(environment), _LOST)
    return _print([made], arguments, environment)


def _report_nothing(arguments: argparse.Namespace, environment: Environment) -> int:
    from twoagent_hook.verification import Verification, payload

    said = "nothing is pushed that could be verified, so this is neither go nor no-go"
    if arguments.output_format == "json":
        made = payload(Verification("", "", _task(arguments, environment), notices=(said,)))
        open_to_push = {"tree": None, "base": None, "exit_code": int(ExitCode.OPEN)}
        return _print([made | open_to_push], arguments, environment)
    if not arguments.quiet:
        console.write(f"not run  {said}\n")
    return int(ExitCode.OPEN)


def _print(made: "list[dict[str, Any]]", arguments: argparse.Namespace, environment: Environment) -> int:
    """Show each, or as JSON one object: the first that is no go, with what came of the others in it."""
    first = next((one for one in made if one["exit_code"]), made[-1])
    if arguments.output_format == "json":
        from twoagent_hook.outputs import json as json_output

        others = [{name: one[name] for name in ("tree", "outcome", "log_id")} for one in made if one is not first]
        console.write(json_output.render(first | ({"others": others} if others else {})))
    for one in made:
        if arguments.output_format != "json":
            _show(one, arguments, environment)
        if one["problem"]:
            console.tell(f"no verification: {one['problem']['what']}", f"what to do: {one['problem']['do']}")
    return int(first["exit_code"])


def _show(made: Mapping[str, Any], arguments: argparse.Namespace, environment: Environment) -> None:
    from twoagent_hook.outputs import text, verified

    says_more = any(made[name] for name in ("claims", "suggested", "inspections", "attachments"))
    if (made["problem"] and not says_more) or (made["outcome"] == "go" and arguments.quiet):
        return
    terminal = console.shown()
    colour = text.wants_colour(arguments.color, environment.variables, terminal=terminal)
    width = text.columns(environment.variables, terminal=terminal)
    console.write(verified.render(made, width=width, colour=colour))
