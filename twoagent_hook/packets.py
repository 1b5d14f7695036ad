"""A task as files, one for each role: what is asked of it, by which rules, and in which form it answers; pure."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from twoagent_hook import datafiles, plans
from twoagent_hook.errors import ConfigError
from twoagent_hook.outputs import markdown
from twoagent_hook.tasks import Task

PLAN = "plan.md"
_FOLDER = "templates/packets/"
_UNKNOWN_CRITERIA = "- [ ] (those of `plan.md`, one line each)"


class File(NamedTuple):
    """One of the files that a task is written as.

    Attributes:
        template: the name of what it is made from.
        path: where it is written, below the folder of the task.
        use: what it is for, in a few words.
    """

    template: str
    path: str
    use: str


class Check(NamedTuple):
    """One of the things that a review looks at.

    Attributes:
        asks: what belongs to it.
        categories: of the findings that belong to it, where a reviewer made them.
        rules: the same of those that a rule made.
    """

    name: str
    asks: str
    categories: frozenset[str]
    rules: frozenset[str]


def files() -> tuple[File, ...]:
    """All but the plan, in the order in which they are needed."""
    return tuple(File(**row) for row in _table()["files"])


def checks() -> tuple[Check, ...]:
    """The seven checks, in their order."""
    return tuple(
        Check(row["name"], row["asks"], frozenset(row["categories"]), frozenset(row["rules"]))
        for row in _table()["checks"]
    )


def _table() -> Mapping[str, list[dict[str, str]]]:
    return datafiles.packaged_toml(f"{_FOLDER}packets.toml")


def render(task: Task, plan: str | None = None, templates: Mapping[str, str] | None = None) -> dict[str, str]:
    """The content of every file, by its path below the folder of the task.

    Args:
        plan: the text of the task's plan, where there is one already.
        templates: the user's own, by name; they stand in for ours of the same name.

    Raises:
        ConfigError: one of the templates can't be followed.
    """
    own = templates or {}
    for name in own:
        check_name(name)
    values = _values(task, plan)
    # What a plan holds is shown as it is: by its digest it is known to be the one that was followed.
    made = {PLAN: plans.skeleton(task) if plan is None else plan.encode("utf-8", "backslashreplace").decode()}
    for file in files():
        given = own.get(file.template)
        text = datafiles.packaged(_FOLDER + file.template) if given is None else given
        made[file.path] = _filled(text, values, file.template)
    return made


def check_name(name: str) -> None:
    """Refuse a template that would stand in for nothing.

    Raises:
        ConfigError: none of ours is called so.
    """
    known = [file.template for file in files()]
    if name in known:
        return
    near = get_close_matches(name, known, n=1)
    meant = f" (did you mean `{near[0]}`?)" if near else ""
    raise ConfigError(f"no template is called {markdown.code(name)[:200]}{meant}", f"there are {', '.join(known)}")


# --- what is filled in --------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"\{\{[ \t]*([\w-]{1,80})[ \t]*\}\}")


def _values(task: Task, plan: str | None) -> dict[str, str]:
    return {
        "task_id": task.id,
        "title": markdown.text(task.title),
        "task": markdown.block(f"{task.title}\n\n{task.text}"),
        "checks": "\n".join(f"{place}. {check.name}: {check.asks}." for place, check in enumerate(checks(), 1)),
        "blank_checks": "\n\n".join(_blank(place, check) for place, check in enumerate(checks(), 1)),
        "criteria": "\n".join(_criteria(plan)) or _UNKNOWN_CRITERIA,
    }


def _blank(place: int, check: Check) -> str:
    asks = f"{check.asks[0].upper()}{check.asks[1:]}."
    return f"### {place}. {check.name}\n\n{asks}\n\n- [ ] looked at\n- Findings:"


def _criteria(plan: str | None) -> Iterator[str]:
    for criterion in plans.read(plan).plan.criteria if plan is not None else ():
        yield f"- [ ] {criterion.id}: {markdown.text(criterion.text)}"


def _filled(template: str, values: Mapping[str, str], name: str) -> str:
    """The template with every placeholder replaced, once: what a value holds is not looked at again.

    Raises:
        ConfigError: it holds a placeholder that stands for nothing.
    """
    for match in _PLACEHOLDER.finditer(template):
        if match[1] not in values:
            line = template.count("\n", 0, match.start()) + 1
            near = get_close_matches(match[1], values, n=1)
            meant = f" (did you mean `{near[0]}`?)" if near else ""
            raise ConfigError(
                f"the template {name}, line {line}: `{{{{{match[1]}}}}}` stands for nothing{meant}",
                f"use one of {', '.join(f'{{{{{known}}}}}' for known in values)}",
            )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)
