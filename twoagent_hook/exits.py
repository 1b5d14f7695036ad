"""Outcomes, exit codes, and the one place where exceptions become either."""

import os
from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import NamedTuple, TypeVar

from twoagent_hook import errors

T = TypeVar("T")


class ExitCode(IntEnum):
    """What a run ends with (design, section 5)."""

    OPEN = 0
    CLOSED = 1
    NO_VERDICT = 2
    INTERRUPTED = 130


class Outcome(StrEnum):
    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    BLOCK = "block"
    UNREVIEWED = "unreviewed"
    INVALID = "invalid"
    REFUSED = "refused"
    DEFERRED = "deferred"
    SKIPPED = "skipped"
    ERROR = "error"
    INTERRUPTED = "interrupted"

    @property
    def result(self) -> str:
        """Its name in the log."""
        return {"request_changes": "changes", "block": "blocked"}.get(self.value, self.value)


class Failure(NamedTuple):
    """Why there is no verdict, and what to do about it."""

    outcome: Outcome
    what: str
    do: str
    details: tuple[str, ...] = ()


def exit_code(
    outcome: Outcome, *, fail_on: str = "block", on_error: str = "block", rules_alone: bool = False
) -> ExitCode:
    """What an outcome does to the commit under a policy.

    Args:
        rules_alone: whether the policy names the built-in rules as its only reviewer.
    """
    if outcome in {Outcome.APPROVE, Outcome.SKIPPED, Outcome.DEFERRED}:
        return ExitCode.OPEN
    if outcome is Outcome.BLOCK:
        return ExitCode.CLOSED
    if outcome is Outcome.REQUEST_CHANGES:
        return ExitCode.CLOSED if fail_on == "request-changes" else ExitCode.OPEN
    if outcome is Outcome.UNREVIEWED and (rules_alone or on_error == "allow"):
        return ExitCode.OPEN
    return ExitCode.INTERRUPTED if outcome is Outcome.INTERRUPTED else ExitCode.NO_VERDICT


_OUTCOMES: tuple[tuple[type[errors.TwoAgentError], Outcome], ...] = (
    (errors.UnreviewedError, Outcome.UNREVIEWED),
    (errors.InvalidReplyError, Outcome.INVALID),
    (errors.RefusedError, Outcome.REFUSED),
)


def failure_of(error: errors.TwoAgentError) -> Failure:
    outcome = next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), Outcome.ERROR)
    return Failure(outcome, error.what, error.do, error.details)


def settle(work: Callable[[], T], failed: Callable[[Failure], T]) -> T:
    """The result of `work`, or what `failed` makes of the way in which it went wrong."""
    try:
        return work()
    except errors.TwoAgentError as error:
        return failed(failure_of(error))
    except KeyboardInterrupt:
        return failed(Failure(Outcome.INTERRUPTED, "interrupted", "run it again"))
    except BrokenPipeError:
        # The reader of our output went away (`… | head`): say nothing more, and open nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(ExitCode.NO_VERDICT) from None
    except Exception as error:  # noqa: BLE001 - the one place: a defect of ours must not look like a verdict
        return failed(_defect(error))


def _defect(error: Exception) -> Failure:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace else "unknown place"
    # Neither the message nor the stack: either may hold a piece of the change, or a key.
    return Failure(
        Outcome.ERROR,
        f"internal error: {type(error).__name__} in {where}",
        "report this line: it is a defect",
    )
