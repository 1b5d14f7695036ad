"""What the command line asks of a review."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        flags: values of policy keys, spelled as in files.
        user_file: read in place of the user's own settings.
        isolated: whether neither the policy nor the user's file counts.
        fresh: whether recorded verdicts that would open the gate are left aside.
    """

    flags: Mapping[str, Any] = {}
    author: str | None = None
    user_file: str | None = None
    isolated: bool = False
    exit_zero: bool = False
    fresh: bool = False
    progress: bool = True
