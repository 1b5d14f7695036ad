"""What a reviewer may say of a change, before anybody asked whether it counts; pure.

"No verdict" is an exception and never a verdict, so that it can't compare into an approval.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from twoagent_hook.errors import InvalidReplyError
from twoagent_hook.findings import Finding


class Verdict(IntEnum):
    APPROVE = 1
    REQUEST_CHANGES = 2
    BLOCK = 3

    @property
    def label(self) -> str:
        return self.name.lower()


VERDICTS = {"approve": Verdict.APPROVE, "request_changes": Verdict.REQUEST_CHANGES, "block": Verdict.BLOCK}


class Judged(NamedTuple):
    """What a reviewer says of one acceptance criterion of the plan; `status` is one of `STATUSES`."""

    id: str
    status: str
    reason: str


STATUSES = ("not_visible", "met", "not_met")  # of two on parts of a change the later one here counts


@dataclass(frozen=True, slots=True)
class Parsed:
    """A reply's content before anybody asked whether it may count.

    Attributes:
        receipt: as it was given back; None where it is missing.
        whole: whether it is the complete JSON object (the seed form proves no such thing).
    """

    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    questions: tuple[str, ...]
    receipt: str | None
    whole: bool
    criteria: tuple[Judged, ...] = ()


def invalid(reason: str) -> InvalidReplyError:
    """The error for a reply that can't be used as a review."""
    return InvalidReplyError(reason, "try again, or name another reviewer")
