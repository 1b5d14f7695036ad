"""What is known of a change from runs before: this user's own rows of the log, and what stands of them."""

from typing import NamedTuple, Self

from twoagent_hook import records
from twoagent_hook.environment import Environment
from twoagent_hook.git import Location, Trees
from twoagent_hook.options import Options
from twoagent_hook.seals import Seal
from twoagent_hook.trajectory import Entry, Log, LogError


class Answers(NamedTuple):
    """Rows about the trees, newest first.

    Attributes:
        genuine: those that carry the user's own seal.
        everything: those as well that do not: a block in them counts all the same.
    """

    genuine: tuple[Entry, ...] = ()
    everything: tuple[Entry, ...] = ()


class Memory(NamedTuple):
    """What is known of these trees.

    Attributes:
        standing: the row whose verdict stands for what is asked now, if there is one.
        key: what a verdict of now depends on; None where a later run can't be told to be the same.
        unread: what to say where the log could not be read.
    """

    location: Location
    trees: Trees
    options: Options
    environment: Environment
    seal: Seal | None
    standing: Entry | None
    key: str | None
    unread: str | None

    @classmethod
    def of(cls, location: Location, trees: Trees, options: Options, environment: Environment) -> Self:
        seal = records.own_seal(environment)
        key = records.key(trees, options, environment, records.sources())
        decisions, unread = _rows(location, trees, "gate")
        standing = records.standing(decisions, trees, seal, None if options.fresh else key)
        if standing is not None and not records.same_programs(standing, environment):
            standing = records.standing(decisions, trees, seal, None)
        return cls(location, trees, options, environment, seal, standing, key, unread)

    def answers(self) -> Answers:
        """What reviewers answered about them."""
        if self.unread is not None:  # nor would it be read a moment later, and a lock is waited for
            return Answers()
        rows, _ = _rows(self.location, self.trees, "reviewer")
        return Answers(tuple(records.genuine(rows, self.seal)), tuple(rows))


def _rows(location: Location, trees: Trees, role: str) -> tuple[list[Entry], str | None]:
    """The rows, newest first, and what to say where they can't be read."""
    try:
        return Log(location.state_dir).of_tree(trees.tree, role), None
    except LogError as error:
        return [], f"{error}: whether this change was blocked before is not known"
