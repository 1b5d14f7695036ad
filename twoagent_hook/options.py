"""What the command line asks of a review."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class GivenPlan(NamedTuple):
    """A plan that was named beside the policy.

    Attributes:
        text: as it was found.
        name: of the file, or of the task.
        source: `--plan`, or `log` (that of the task).
        path: below the repository's root; None where it lies elsewhere.
        row: of the log that holds it.
        by_agent: whether an agent put it on record as the plan of its task.
    """

    text: str
    name: str
    source: str
    path: str | None = None
    row: int | None = None
    by_agent: bool = False


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        flags: values of policy keys, spelled as in files.
        user_file: read in place of the user's own settings.
        isolated: whether neither the policy nor the user's file counts.
        plan: that was named, or that is on record for the task.
        fresh: whether recorded verdicts that would open the gate are left aside.
    """

    flags: Mapping[str, Any] = {}
    author: str | None = None
    user_file: str | None = None
    isolated: bool = False
    exit_zero: bool = False
    fresh: bool = False
    progress: bool = True
    plan: GivenPlan | None = None
