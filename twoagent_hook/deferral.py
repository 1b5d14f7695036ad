"""Whether a change may go on now and be reviewed later, and how much is owed already; pure."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import NamedTuple

from twoagent_hook import visible
from twoagent_hook.author import Author
from twoagent_hook.config import Config

VARIABLE = "TWOAGENT_DEFER"
_REASON_LIMIT = 200  # characters


class Deferral(NamedTuple):
    """What was asked for: `granted` says why the change is deferred, `refused` why it is not."""

    granted: str | None = None
    refused: str | None = None


def may_ask(config: Config, author: Author) -> bool:
    """Whether the policy lets this author defer a change by saying so."""
    return config.defer == "anyone" or (config.defer == "human" and not author.agents)


def decide(reason: str | None, config: Config, author: Author, branch: Callable[[], str | None]) -> Deferral:
    """What the policy says to a wish to defer.

    Args:
        reason: what the variable says, or None where nobody wishes it.
        branch: tells which one is checked out, if any; called where it matters.
    """
    if reason is not None and may_ask(config, author):
        return Deferral(granted=f"deferred: {visible.excerpt(reason, _REASON_LIMIT)}")
    if config.defer_branches:
        name = branch()
        if name is not None and any(fnmatchcase(name, pattern) for pattern in config.defer_branches):
            return Deferral(granted=f"deferred: the policy defers what is committed on {visible.excerpt(name, 80)}")
    if reason is None:
        return Deferral()
    who = "no agent defer a change" if config.defer == "human" else "nobody defer a change"
    return Deferral(refused=f'{VARIABLE} is set, and the policy lets {who} (`defer = "{config.defer}"`)')


def owed(others: int) -> str:
    """How much is deferred and not reviewed, with this change."""
    return "1 change is" if not others else f"{others + 1} changes are"
