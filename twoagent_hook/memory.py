"""What is known of a change from runs before: this user's own rows of the log, and what stands of them."""

from typing import NamedTuple, Self

from twoagent_hook import config, records, seals
from twoagent_hook.environment import Environment
from twoagent_hook.git import Location, Trees
from twoagent_hook.options import Options
from twoagent_hook.seals import Seal
from twoagent_hook.trajectory import Entry, Log, LogError


class Memory(NamedTuple):
    """What is known of these trees.

    Attributes:
        standing: the row whose verdict stands for what is asked now, if there is one.
        key: what a verdict of now depends on; None where a later run can't be told to be the same.
    """

    location: Location
    trees: Trees
    options: Options
    environment: Environment
    seal: Seal | None
    standing: Entry | None
    key: str | None

    @classmethod
    def of(cls, location: Location, trees: Trees, options: Options, environment: Environment) -> Self:
        seal = seals.load(config.state_folder(environment.get("TWOAGENT_HOME")))
        key = records.key(trees, options, environment, records.sources())
        decisions = _genuine(location, trees, "gate", seal)
        standing = records.standing(decisions, trees, None if options.fresh else key)
        return cls(location, trees, options, environment, seal, standing, key)

    def answers(self) -> list[Entry]:
        """What reviewers answered about them: rows that carry the user's own seal, newest first."""
        return _genuine(self.location, self.trees, "reviewer", self.seal)


def _genuine(location: Location, trees: Trees, role: str, seal: Seal | None) -> list[Entry]:
    try:
        rows = Log(location.state_dir).of_tree(trees.tree, role)
    except LogError:  # nothing is known then; it is said when this run's own rows can't be written
        return []
    return records.genuine(rows, seal)
