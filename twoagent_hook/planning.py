"""What a planner's model is told of the repository, and the plan that it gives back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twoagent_hook import consulting, datafiles, plans, visible
from twoagent_hook.config import Config
from twoagent_hook.consulting import Circumstances, Question
from twoagent_hook.errors import ConfigError, UsageError
from twoagent_hook.plans import Plan
from twoagent_hook.prompts import GUIDELINES_LIMIT, Guideline
from twoagent_hook.rendering import estimate
from twoagent_hook.screening import matcher
from twoagent_hook.screening.secrets import Redactor
from twoagent_hook.snapshots import Snapshot
from twoagent_hook.tasks import Task

_NAMED = 3  # the part of a request that the names of files may take
_CONTEXT_LIMIT = 64_000  # bytes of a file that is shown to it


def spec_of(given: str | None, config: Config) -> str:
    """The planner's model.

    Raises:
        ConfigError: none is named.
    """
    spec = given or config.roles.get("planner")
    if spec is None:
        do = "name one with `--planner provider:model`, or as `planner` in [roles]; it may be a stronger reasoner"
        raise ConfigError("no model is named for the role of the planner", do)
    return spec


def question(
    task: Task, snapshot: Snapshot, tree: str, config: Config, guidelines: Sequence[Guideline], shown: Sequence[str]
) -> Question:
    """What the planner's model is asked.

    Args:
        tree: whose files it is told of.
        shown: paths of files that it is shown whole.

    Raises:
        UsageError: one of those is not there, or the policy keeps it from models.
    """
    paths = snapshot.paths(tree)
    redact = Redactor().text
    contents = _contents(snapshot, tree, shown, config)
    parts = [
        f"The task: {task.title}\n\n{task.text}",
        *(
            f"The project's own guidelines ({visible.path(one.path)}):\n\n{one.text[:GUIDELINES_LIMIT]}"
            for one in guidelines
        ),
        "\n".join(_listing(paths, config)),
        *(f"The file {visible.path(path)}:\n\n{text}" for path, text in contents.items()),
    ]
    return Question(
        system=datafiles.packaged("templates/planner.md"),
        material=visible.block(redact("\n\n".join(parts))),
        schema=json.loads(datafiles.packaged("templates/planner.schema.json")),
        marker="scope",
        wanted="plan",
    )


def _listing(paths: Sequence[str], config: Config) -> Iterator[str]:
    """The names of the files that are there; of what the policy withholds not even those."""
    excluded = matcher(config.exclude)
    yield f"The files of the repository ({len(paths)}):" if paths else "The repository has no files yet."
    room = config.max_input_tokens // _NAMED
    left = 0
    for path in paths:
        name = visible.path(path)
        room -= estimate(name) + 1
        if excluded(path) or room < 0:
            left += 1
        else:
            yield name
    if left:
        yield f"({left} more are not listed)"


def _contents(snapshot: Snapshot, tree: str, shown: Sequence[str], config: Config) -> dict[str, str]:
    excluded = matcher(config.exclude)
    entries = snapshot.entries(tree, list(shown)) if shown else {}
    found = {}
    for path in shown:
        mode, oid = entries.get(path, ("", ""))
        if not mode.startswith("100"):
            what = f"{visible.path(path)} is no file of this repository, as it is staged"
            raise UsageError(what, "name it by its path below the repository's root, and `git add` it if it is new")
        if excluded(path):
            raise UsageError(f"the policy's `exclude` keeps {visible.path(path)} from models", "leave it out")
        content = snapshot.blob(oid, _CONTEXT_LIMIT + 1)
        if len(content) > _CONTEXT_LIMIT:
            raise UsageError(f"{visible.path(path)} is larger than {_CONTEXT_LIMIT} bytes", "leave it out")
        found[path] = content.decode("utf-8", "surrogateescape")
    return found


def ask(asked: Question, spec: str, task: Task, around: Circumstances) -> Plan:
    """The plan that the planner's model gives.

    Raises:
        TwoAgentError: there is none.
    """

    def parse(data: Mapping[str, Any]) -> Plan:
        return plans.of_reply(data, task, spec)

    return consulting.ask(asked, spec, parse, around)
