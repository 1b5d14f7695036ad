"""The command line: what can be asked for, and who answers it."""

import argparse
import gc
import importlib
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from twoagent_hook import __version__, console, environment, exits
from twoagent_hook.errors import UsageError
from twoagent_hook.exits import Failure


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The whole of the command line."""
    whole = _Parser(
        prog="twoagent-hook",
        description="A commit gate: a different model reviews what an agent staged, before the commit exists.",
        epilog="Exit codes: 0 the gate is open, 1 closed by a verdict, 2 no verdict, 130 interrupted.",
    )
    whole.add_argument("-V", "--version", action="version", version=f"twoagent-hook {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    _add_review(commands.add_parser("review", help="review what is staged (the default)"))
    _add_init(commands.add_parser("init", help="from nothing to a working gate"))
    _add_doctor(commands.add_parser("doctor", help="what would happen to a commit, and why"))
    _add_log(commands.add_parser("log", help="read the log of reviews"))
    _add_sample_config(commands.add_parser("sample-config", help="print the configuration to paste"))
    _add_demo(commands.add_parser("demo", help="the whole gate on a throwaway repository, offline"))
    return whole


def _add_review(command: argparse.ArgumentParser) -> None:
    command.description = "Let a model that is not the author review what is staged, and decide by its verdict."
    add = command.add_argument
    add(
        "--reviewer",
        action="append",
        metavar="SPEC",
        help="provider:model, or `rules`; repeat it to name several in order",
    )
    add("--author", metavar="ID", help="the model or agent that wrote the change, or `human`")
    add("--task", metavar="ID", help="the task that the change belongs to")
    add("--fail-on", choices=("block", "request-changes"), help="the mildest verdict that closes the gate")
    add(
        "--on-error",
        choices=("block", "allow", "defer"),
        help="what happens where no reviewer is usable or in time",
    )
    add("--timeout", type=float, metavar="S", help="seconds for the whole run")
    add(
        "--dry-run",
        action="store_true",
        help="print exactly what would be sent and to whom, and send nothing",
    )
    add(
        "--no-cache",
        action="store_true",
        help="ask again although a verdict is on record (a block stands all the same)",
    )
    add("--output-format", choices=("text", "json"), default="text")
    add("-o", "--output-file", metavar="FILE", help="write the result there instead of to standard output")
    add("--exit-zero", action="store_true", help="exit with 0 whatever the verdict is (failures are still 2)")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--isolated", action="store_true", help="ignore the policy and your own configuration file")
    _add_colour(command)
    add("-v", "--verbose", action="store_true", help="show an approval in full as well")
    add("-q", "--quiet", action="store_true", help="print nothing where the gate is open")


def _add_init(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Find who could review on this machine, let you choose, try it with one small request, and write your own "
        "file. Nothing is sent before you have chosen. Without a terminal: --provider, --model and --yes."
    )
    add = command.add_argument
    add("--provider", metavar="NAME", help="who shall review: a provider, a coding CLI, or `rules`")
    add("--model", metavar="ID", help="which model of it")
    add("--base-url", metavar="URL", help="of a gateway, or another endpoint that is OpenAI-compatible")
    add("--api-key-env", metavar="NAME", help="the variable that holds its key")
    add("--family", metavar="VENDOR", help="whose models answer there, where their names don't tell")
    add("--list-models", action="store_true", help="print the models that the endpoint offers, and do no more")
    add("--no-try", action="store_true", help="send no request to try it")
    add("--write", action="store_true", help="write the repository's files too: the policy and the hook")
    choices = ("pre-commit", "prek", "husky", "lefthook", "plain")
    add("--for", dest="target", choices=choices, default="pre-commit", help="default: pre-commit")
    add("--config", metavar="FILE", help="write this in place of your own configuration file")
    add("-y", "--yes", action="store_true", help="ask nothing: what the flags say is the choice")


def _add_doctor(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Show what would happen to a commit made here and now, and why: author, reviewers, where each setting came "
        "from, hooks, log. Exits with 1 where it would end without a verdict."
    )
    add = command.add_argument
    add(
        "--online",
        action="store_true",
        help="ask the first reviewer (or those of --reviewer) in earnest: one small request, one of the configured "
        "size, and its list of models",
    )
    add("--reviewer", action="append", metavar="SPEC", help="look at this one in place of those that are configured")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--output-format", choices=("text", "json"), default="text")


def _add_log(command: argparse.ArgumentParser) -> None:
    command.description = "Read the log of reviews in this repository."
    actions = command.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="the newest rows (the default)")
    show = actions.add_parser("show", help="one row in full")
    show.add_argument("id", type=int, metavar="ID")
    command.set_defaults(limit=20, task=None, all=False, output_format="text", color="auto")
    # The same flags before and after the action; a default of the latter must not undo the former.
    for each in (command, listing):
        add = each.add_argument
        add("--limit", type=_count, default=argparse.SUPPRESS, metavar="N", help="how many rows (default: 20)")
        add("--task", default=argparse.SUPPRESS, metavar="ID", help="only rows of this task")
        add("--all", action="store_true", default=argparse.SUPPRESS, help="the calls to models as well")
    for each in (command, listing, show):
        formats = ("text", "json", "jsonl")
        each.add_argument("--output-format", choices=formats, default=argparse.SUPPRESS, help="default: text")
        _add_colour(each, default=argparse.SUPPRESS)


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError("a whole number above 0 is needed")
    return int(text)


def _add_sample_config(command: argparse.ArgumentParser) -> None:
    command.description = "Print the configuration to paste, fitting the way in which this was installed."
    choices = ("pre-commit", "prek", "husky", "lefthook", "plain")
    command.add_argument("--for", dest="target", choices=choices, default="pre-commit", help="default: pre-commit")


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.description = "Show the whole gate on a throwaway repository, with a scripted reviewer and no network."
    command.add_argument(
        "--ask", metavar="SPEC", help="let this reviewer, of your own configuration, judge the demo as well"
    )
    command.add_argument("--keep", action="store_true", help="leave the throwaway repository in place")
    _add_colour(command)


def _add_colour(command: argparse.ArgumentParser, default: str = "auto") -> None:
    command.add_argument("--color", choices=("auto", "always", "never"), default=default)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: the words of the command line; None in a process that does nothing else.
    """
    started = time.monotonic()
    if argv is not None:
        return _run(list(argv), started)
    # A short run makes little garbage. To look for it while the client is imported, and once more through all that was
    # imported when the process ends, takes a quarter of the whole time.
    gc.set_threshold(_ALLOCATIONS)
    try:
        return _run(sys.argv[1:], started)
    finally:
        gc.freeze()


def _run(words: list[str], started: float) -> int:
    if sys.platform == "win32":
        console.tell("no review: Windows is not supported yet", "what to do: run it in WSL")
        return int(exits.ExitCode.NO_VERDICT)
    captured = environment.capture()
    return exits.settle(
        lambda: exits.settle(
            lambda: _dispatch(words, captured, started), lambda failure: _failed(failure, words, captured)
        ),
        _reported,
    )


def _reported(failure: Failure) -> int:
    """Where even the report of a failure failed."""
    console.tell(f"no review: {failure.what}", f"what to do: {failure.do}")
    return int(exits.exit_code(failure.outcome))


_ALLOCATIONS = 200_000  # of containers, net, between two looks for garbage
_ABOUT = {"-h", "--help", "-V", "--version"}


def _dispatch(words: list[str], captured: environment.Environment, started: float) -> int:
    if captured.hook and _ABOUT & set(words):
        raise UsageError("a hook's arguments ask for help, so nothing would be reviewed", "take them out")
    # Without a command it is `review`, with its flags.
    if _judges(words) and words[:1] != ["review"]:
        words = ["review", *words]
    arguments = parser().parse_args(words)
    module = importlib.import_module(f"twoagent_hook.commands.{arguments.command.replace('-', '_')}")
    return int(module.run(arguments, captured, started))


def _judges(words: list[str]) -> bool:
    return not words or words[0] == "review" or (words[0].startswith("-") and words[0] not in _ABOUT)


def _failed(failure: Failure, words: list[str], captured: environment.Environment) -> int:
    """A failure that no command has reported by itself."""
    if _judges(words):
        from twoagent_hook.commands import review

        return review.report_usage(failure, words, captured)
    console.tell(f"twoagent-hook: {failure.what}", f"what to do: {failure.do}")
    return int(exits.exit_code(failure.outcome))
