"""Runs what the command line asks for, and turns whatever goes wrong into an exit code."""

import gc
import importlib
import sys
import time
from collections.abc import Sequence

from twoagent_hook import console, environment, exits
from twoagent_hook.errors import UsageError
from twoagent_hook.exits import Failure
from twoagent_hook.parser import parser


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
        return _code(Failure(exits.Outcome.ERROR, "", ""), words)
    captured = environment.capture()
    return exits.settle(
        lambda: exits.settle(
            lambda: _dispatch(words, captured, started), lambda failure: _failed(failure, words, captured)
        ),
        lambda failure: _reported(failure, words),
    )


def _reported(failure: Failure, words: list[str]) -> int:
    """Where even the report of a failure failed."""
    console.tell(f"no review: {failure.what}", f"what to do: {failure.do}")
    return _code(failure, words)


def _code(failure: Failure, words: list[str]) -> int:
    # The hooks of agents take 2 for a refusal, which a failure of the guard is not.
    return int(exits.ExitCode.CLOSED if words[:1] == ["guard"] else exits.exit_code(failure.outcome))


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
    if words[:1] == ["guard"]:
        from twoagent_hook.commands import guard

        return guard.failed(failure)
    if words[:1] == ["verify"]:
        from twoagent_hook.commands import verify

        return verify.report_usage(failure, words, captured)
    if words[:1] == ["plan"]:
        from twoagent_hook.commands import plan

        return plan.report_usage(failure, words)
    console.tell(f"twoagent-hook: {failure.what}", f"what to do: {failure.do}")
    return _code(failure, words)
