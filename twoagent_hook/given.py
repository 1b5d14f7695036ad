"""What is named beside the change when a review is asked for: a plan, and the implementer's notes."""

import os
from typing import NamedTuple

from twoagent_hook import files, plans, records, visible
from twoagent_hook.author import HUMAN
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError, UsageError
from twoagent_hook.git import Location
from twoagent_hook.options import GivenPlan
from twoagent_hook.trajectory import Entry, Log, LogError

NOTES = "artifact_notes.md"
_UNKNOWN = "unknown"  # an author of whom nothing is known
_NOTES_LIMIT = 1 << 17  # bytes


class Notes(NamedTuple):
    """What the implementer says of the change, and where it stands."""

    text: str
    name: str


def plan_of(path: str | None, task_id: str | None, location: Location, environment: Environment) -> GivenPlan | None:
    """The plan that is named by its file, else the one that is on record for the task.

    Raises:
        UsageError: the file can't be read, or is the plan of another task.
    """
    if path is None:
        return None if task_id is None else of_task(task_id, location, environment)
    return named(path, task_id, location)


def named(path: str, task_id: str | None, location: Location) -> GivenPlan:
    """The plan in a file.

    Raises:
        UsageError: it can't be read, or is the plan of another task.
    """
    found = GivenPlan(read_text(path, plans.LIMIT * 4), visible.path(path), "--plan", inside(path, location))
    owner = plans.read(found.text).plan.task.id
    if task_id is not None and owner not in {"", task_id}:
        what = f"{found.name} is the plan of {owner}, and the task is said to be {task_id}"
        raise UsageError(what, "name the plan of that task, or the task of that plan")
    return found


def of_task(task_id: str, location: Location, environment: Environment) -> GivenPlan | None:
    """The newest plan of a task that this user's own runs have recorded, or None."""
    for row in _plans(task_id, location, environment):
        held = row.evidence["plan"]
        path = held.get("path")
        path = path if isinstance(path, str) else None
        agent = row.author is not None and not row.author.startswith((HUMAN, _UNKNOWN))
        return GivenPlan(str(held.get("text", "")), task_id, "log", path, row.id, by_agent=agent)
    return None


def planned_as(task_id: str, text: str, location: Location, environment: Environment) -> Entry | None:
    """The row in which a model gave this very plan, if there is one."""
    digest = plans.digest(text)
    rows = _plans(task_id, location, environment)
    return next((row for row in rows if row.model and row.evidence["plan"].get("digest") == digest), None)


def _plans(task_id: str, location: Location, environment: Environment) -> list[Entry]:
    """The rows with plans of a task that this user's own runs have recorded, newest first."""
    try:
        rows = Log(location.state_dir).read(task_id=task_id, role="planner")
    except LogError:  # that the log can't be read is said where verdicts are looked for
        return []
    seal = records.own_seal(environment)
    return records.genuine((row for row in rows if isinstance(row.evidence.get("plan"), dict)), seal)


def named_notes(path: str | None) -> Notes | None:
    """The implementer's notes in a file that is named.

    Raises:
        UsageError: it can't be read.
    """
    return None if path is None else Notes(read_text(path, _NOTES_LIMIT), visible.path(path))


def notes_beside(plan: str | None, location: Location) -> Notes | None:
    """The implementer's notes that lie beside the plan.

    Args:
        plan: its path below the repository's root.
    """
    if plan is None:
        return None
    beside = os.path.join(os.path.dirname(plan), NOTES)
    content = files.read(os.path.join(location.worktree, beside), _NOTES_LIMIT)
    return None if content is None else Notes(content.decode("utf-8", "replace"), visible.path(beside))


def read_text(path: str, limit: int) -> str:
    """A file that a person named.

    Raises:
        UsageError: it can't be read, or is too large.
        ConfigError: it is not UTF-8.
    """
    content = files.read(path, limit + 1)
    if content is None:
        raise UsageError(f"{visible.path(path)} can't be read", "name a file that is there")
    if len(content) > limit:
        raise UsageError(f"{visible.path(path)} is larger than {limit} bytes", "name a smaller file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{visible.path(path)} is not UTF-8 (byte {error.start})", "save it as UTF-8") from error


def inside(path: str, location: Location) -> str | None:
    """The path below the repository's root, or None where it lies elsewhere."""
    full, root = os.path.realpath(path), os.path.realpath(location.worktree)
    return os.path.relpath(full, root) if full.startswith(f"{root}{os.sep}") else None
