"""What a reviewer is shown first, and what is never left out for want of room; pure."""

from enum import IntEnum
from functools import cache
from typing import Any

from twoagent_hook import datafiles
from twoagent_hook.changes import FileChange, Hunk, Status
from twoagent_hook.screening import Matcher, matcher, sensitive


class Rank(IntEnum):
    """The riskiest first."""

    VITAL = 0
    SOURCE = 1
    TEST = 2
    TEXT = 3


class Risk:
    """Ranks files; knows what the policy protects."""

    def __init__(self, protect: tuple[str, ...] = ()) -> None:
        self._protected = matcher(protect)

    def rank(self, file: FileChange) -> Rank:
        if self._vital(file):
            return Rank.VITAL
        path = file.path.lower()
        if path.endswith(tuple(_table()["last"]["suffixes"])):
            return Rank.TEXT
        return Rank.TEST if "test" in path else Rank.SOURCE

    def order(self, file: FileChange) -> tuple[Rank, str]:
        """A key to sort by."""
        return self.rank(file), file.path

    def _vital(self, file: FileChange) -> bool:
        named = sensitive()(file.path) or _vital()(file.path) or self._protected(file.path)
        return named or file.status is Status.DELETED or any(_only_removes(hunk) for hunk in file.hunks)


def _only_removes(hunk: Hunk) -> bool:
    """A guard that is taken out leaves no other line behind to be looked at."""
    signs = {line.sign for line in hunk.lines}
    return "-" in signs and "+" not in signs


def _table() -> dict[str, Any]:
    return datafiles.packaged_toml("risk.toml")


@cache
def _vital() -> Matcher:
    return matcher(tuple(_table()["vital"]["patterns"]))
