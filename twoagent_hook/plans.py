"""A plan: what a task may touch, and by what it is judged; as Markdown that people write and this reads; pure."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple

from twoagent_hook import datafiles, visible
from twoagent_hook.errors import ConfigError, UsageError
from twoagent_hook.outputs import markdown
from twoagent_hook.tasks import TEXT_LIMIT, TITLE_LIMIT, Task, check_id
from twoagent_hook.verdicts import invalid

LIMIT = 24_000  # characters of a plan: all of it is shown to the reviewer
ITEM_LIMIT = 500  # of one item of it
ITEMS_LIMIT = 100  # of one list
HUMAN = "human"
UNWRITTEN = "(to be written)"
_NO_ITEMS = "- none"


class ExpectedFile(NamedTuple):
    """A pattern of `.gitignore`'s language, and what is done to what it names."""

    pattern: str
    why: str


class Criterion(NamedTuple):
    id: str
    text: str


class Problem(NamedTuple):
    """What is wrong with a plan, and in which line (from 1; None: in none)."""

    line: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.line is None else f"line {self.line}: {self.what}"


@dataclass(frozen=True)
class Plan:
    """A minimal plan.

    Attributes:
        out_of_scope: an item that begins with a pattern in backticks forbids the files that it names.
        files: all that may be touched.
        commands: shell lines that show whether it was reached.
        planner: whose plan it is: a reviewer spec, `human`, or None.
    """

    task: Task
    scope: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    files: tuple[ExpectedFile, ...] = ()
    risks: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    rollback: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    planner: str | None = None

    @cached_property
    def forbidden(self) -> tuple[str, ...]:
        """The patterns of what must not be touched."""
        named = (pattern for item in self.out_of_scope for pattern in _leading(item))
        return tuple(pattern for pattern in named if _bad_pattern(pattern) is None)


_LEADING_CODE = re.compile(r"[*_]*(`+)\s?(.+?)\s?\1[*_]*\s*(?:[,;&/]\s*|(?:and|or)\s+)*")


def _leading(item: str) -> list[str]:
    """The patterns with which an item begins: one in backticks, or several that follow each other."""
    found, place = [], 0
    while match := _LEADING_CODE.match(item, place):
        found.append(_plain_path(match[2]))
        place = match.end()
    return found


def _plain_path(pattern: str) -> str:
    return pattern.strip().removeprefix("./")


# --- the sections -------------------------------------------------------------------------------------------


class Section(NamedTuple):
    """A part of a plan.

    Attributes:
        name: of the field, in a planner's reply as well.
        heading: in the file.
        needed: whether a plan without it is none.
        asks: what it holds, for whoever fills it in.
    """

    name: str
    heading: str
    needed: bool
    asks: str


def sections() -> tuple[Section, ...]:
    """The parts of a plan, in their order."""
    rows = datafiles.packaged_toml("templates/plan.toml")["sections"]
    return tuple(Section(row["name"], row["heading"], row["needed"], row["asks"]) for row in rows)


def digest(text: str) -> str:
    """By which a plan is known to be the same one."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


# --- writing ------------------------------------------------------------------------------------------------


def render(plan: Plan) -> str:
    """The plan as a file, which `read` reads back to the same plan."""
    lines = [
        "---",
        f"task: {plan.task.id}",
        f"title: {_quoted(plan.task.title)}",
        f"planner: {_quoted(plan.planner or HUMAN)}",
        "---",
        "",
    ]
    return "\n".join(lines) + body(plan)


def body(plan: Plan) -> str:
    """The plan without its front matter: who planned it is none of a reviewer's business."""
    lines = [
        "",
        f"# Plan of {plan.task.id}",
        "",
        "## Task",
        "",
        markdown.block(plan.task.text),
    ]
    for section in sections():
        lines += ["", f"## {section.heading}", "", *(_items(plan, section) or [_NO_ITEMS])]
    return "\n".join(lines) + "\n"


def skeleton(task: Task) -> str:
    """A plan that is still to be written, with what each part asks for."""
    empty = {section.name: f"- {UNWRITTEN} {section.asks}" for section in sections()}
    text = render(Plan(task))
    for section in sections():
        text = text.replace(
            f"## {section.heading}\n\n{_NO_ITEMS}\n", f"## {section.heading}\n\n{empty[section.name]}\n"
        )
    return text


def _quoted(text: str) -> str:
    """As YAML has it in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _items(plan: Plan, section: Section) -> list[str]:
    values = getattr(plan, section.name)
    if section.name == "files":
        return [f"- `{file.pattern}`{f': {file.why}' if file.why else ''}" for file in values]
    if section.name == "criteria":
        return [f"- {criterion.id}: {criterion.text}" for criterion in values]
    if section.name == "commands":
        return [f"- `{command}`" for command in values]
    return [f"- {item}" for item in values]


# --- reading ------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    number: int
    text: str


class Read(NamedTuple):
    """What a file says, as far as it can be told, and what is wrong with it."""

    plan: Plan
    problems: tuple[Problem, ...]


def read(text: str) -> Read:
    """Read a plan, whoever wrote it; nothing in it makes this fail."""
    if len(text) > LIMIT:
        return Read(Plan(Task("", "", "")), (Problem(None, f"the plan is longer than {LIMIT} characters"),))
    lines = [Line(number, line) for number, line in enumerate(visible.block(text).split("\n"), 1)]
    problems: list[Problem] = []
    front, rest = _front_matter(lines, problems)
    found = _sections(rest, problems)
    task = Task(
        _task_id(front, problems),
        visible.excerpt(front.get("title", ""), TITLE_LIMIT),
        _words(_outer(found.get("task", [])))[:TEXT_LIMIT],
    )
    fields = {section.name: _field(section, found, problems) for section in sections()}
    planner = visible.excerpt(front.get("planner", ""), TITLE_LIMIT) or None
    plan = Plan(task, **fields, planner=planner)
    return Read(plan, tuple(sorted(problems, key=lambda problem: problem.line or LIMIT)))


def demand(text: str, name: str) -> Plan:
    """The plan in a file that has to be one.

    Args:
        name: of the file, for the message.

    Raises:
        ConfigError: it is none.
    """
    plan, problems = read(text)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        shown = visible.path(name)
        raise ConfigError(
            f"the plan {shown} can't be followed: {problems[0]}{more}",
            f"`twoagent-hook plan --check {shown}` shows all that is wrong with it",
        )
    return plan


def _front_matter(lines: list[Line], problems: list[Problem]) -> tuple[dict[str, str], list[Line]]:
    ends = [place for place, line in enumerate(lines) if line.text.rstrip() == "---"]
    if len(ends) < 2 or ends[0] != 0:
        problems.append(Problem(1, "it doesn't begin with front matter: a line `---`, `task: ID`, and `---` again"))
        return {}, lines
    try:
        data = datafiles.parse_yaml("\n".join(line.text for line in lines[1 : ends[1]]), "the front matter")
    except ConfigError as error:
        problems.append(Problem(2, error.what))
        data = {}
    table = data if isinstance(data, dict) else {}
    texts = {key: value for key, value in table.items() if isinstance(value, str)}
    return texts, lines[ends[1] + 1 :]


def _task_id(front: Mapping[str, str], problems: list[Problem]) -> str:
    given = front.get("task", "")
    try:
        return check_id(given)
    except UsageError as error:
        problems.append(Problem(2, "`task` is missing in the front matter" if not given else error.what))
        return ""


_HEADING = re.compile(r"##\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*([^`]*)$")


def _fence(open_with: str, line: str) -> str:
    """What the block of code was opened with in which the next line stands; empty outside of one."""
    mark = _FENCE.match(line)
    if mark is None:
        return open_with
    if not open_with:
        return mark[1]
    closes = mark[1][0] == open_with[0] and len(mark[1]) >= len(open_with) and not mark[2].strip()
    return "" if closes else open_with


def _sections(lines: list[Line], problems: list[Problem]) -> dict[str, list[Line]]:
    """The lines below each heading, by the field that it stands for."""
    names = {section.heading.lower(): section.name for section in sections()} | {"task": "task"}
    found: dict[str, list[Line]] = {}
    current: list[Line] = []
    fence = ""
    for line in lines:
        heading = None if fence else _HEADING.match(line.text)
        fence = _fence(fence, line.text)
        if heading is None:
            current.append(line)
            continue
        title = heading[1].lower().rstrip(":")
        name = names.get(title)
        if name is None:
            near = get_close_matches(title, names, n=1)
            known = ", ".join(section.heading for section in sections())
            meant = f" (did you mean `{near[0]}`?)" if near else f"; there are {known}"
            problems.append(Problem(line.number, f"no part of a plan is called `{heading[1][:80]}`{meant}"))
        elif name in found:
            problems.append(Problem(line.number, f"`{heading[1][:80]}` is there twice"))
        current = [] if name is None else found.setdefault(name, [])
        current.append(Line(line.number, ""))
    return found


def _outer(lines: list[Line]) -> list[Line]:
    """Without the blank lines around."""
    texts = [bool(line.text.strip()) for line in lines]
    if True not in texts:
        return []
    return lines[texts.index(True) : len(lines) - texts[::-1].index(True)]


def _words(lines: list[Line]) -> str:
    """The task's own words, out of a block of code or a quotation, or as they are."""
    texts = [line.text for line in lines]
    if texts and _FENCE.match(texts[0]) and not _fence(_fence("", texts[0]), texts[-1]):
        return "\n".join(texts[1:-1])
    return "\n".join(text.removeprefix(">").removeprefix(" ") for text in texts)


_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(.*)$")
_COMMENT = re.compile(r"<!--.*?-->")


def _listed(lines: list[Line]) -> list[Line]:
    """The items of a list; a line that begins none goes on with the one before."""
    found: list[Line] = []
    depth: int | None = None
    for line in lines:
        text = _COMMENT.sub("", line.text).strip()
        item = _ITEM.match(text)
        if not text:
            continue
        indent = len(line.text) - len(line.text.lstrip())
        depth = indent if depth is None else min(depth, indent)
        if found and (item is None or indent >= depth + _NESTED):
            found[-1] = Line(found[-1].number, f"{found[-1].text} {text}")
        else:
            found.append(Line(line.number, item[1].strip() if item else text))
    return [line for line in found if line.text]


_NESTED = 2  # spaces by which an item belongs to the one above it
_NONE = {"none", "none.", "-", "n/a", "nothing"}


def _field(section: Section, found: Mapping[str, list[Line]], problems: list[Problem]) -> Any:
    lines = found.get(section.name)
    if lines is None:
        if section.needed:
            problems.append(Problem(None, f"the part `{section.heading}` is missing"))
        return ()
    here = lines[0].number
    items = [line for line in _listed(lines) if line.text.lower() not in _NONE]
    problems += [Problem(line.number, "this is still to be written") for line in items if UNWRITTEN in line.text]
    if section.needed and not items:
        problems.append(Problem(here, f"`{section.heading}` is empty"))
    if len(items) > ITEMS_LIMIT:
        problems.append(Problem(here, f"`{section.heading}` has more than {ITEMS_LIMIT} items: a plan is minimal"))
    written = [line for line in items[:ITEMS_LIMIT] if UNWRITTEN not in line.text]
    return _READERS.get(section.name, _plain)(written, problems)


def _plain(items: list[Line], _problems: list[Problem]) -> tuple[str, ...]:
    return tuple(visible.excerpt(item.text, ITEM_LIMIT) for item in items)


def _out_of_scope(items: list[Line], problems: list[Problem]) -> tuple[str, ...]:
    for item in items:
        for pattern in _leading(item.text):
            bad = _bad_pattern(pattern)
            if bad:
                problems.append(Problem(item.number, f"`{visible.excerpt(pattern, 80)}` {bad}"))
    return _plain(items, problems)


_MORE = re.compile(r"`[^`]+`[^`]*[,;]\s*`[^`]+`")  # one path after the other
_FILE = re.compile(r"`([^`]+)`\s*(?:[:—–-]+\s*)?(.*)$|(\S+?):?(?:\s+(?:[:—–-]+\s*)?(.*))?$")


def _files(items: list[Line], problems: list[Problem]) -> tuple[ExpectedFile, ...]:
    found = []
    for item in items:
        if item.text.startswith("|") or _MORE.search(item.text):
            problems.append(Problem(item.number, "each file is an item of its own, as - `path`: why"))
            continue
        match = _FILE.match(item.text)
        pattern, why = (_plain_path(match[1] or match[3]), match[2] or match[4] or "") if match else ("", "")
        bad = _bad_pattern(pattern)
        if bad:
            problems.append(Problem(item.number, f"`{visible.excerpt(pattern, 80)}` {bad}"))
        else:
            found.append(ExpectedFile(pattern, visible.excerpt(why, ITEM_LIMIT)))
    return tuple(found)


def _bad_pattern(pattern: str) -> str | None:
    """Why it can't be one of the files of a plan, or None."""
    if not pattern or len(pattern) > ITEM_LIMIT or not pattern.isprintable() or "`" in pattern:
        return "names no file"
    if pattern.startswith("!"):
        return "takes files out again: name those that are meant"
    if pattern.startswith("-") or ".." in pattern.split("/"):
        return "leads out of the repository"
    parts = [part.count("*") if part != "**" else 0 for part in re.sub(r"\*{3,}", "**", pattern).split("/")]
    if max(parts) > _WILD or pattern.split("/").count("**") > _WILD:
        return f"has more than {_WILD} `*` in one part of a path"
    if pattern.startswith(("~", "\\")) or re.match(r"[A-Za-z]:[\\/]", pattern):
        return "is no path below the repository's root"
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines([pattern])
    except ValueError as error:
        return f"is no pattern: {error}"
    if not pattern.strip("*/. ") or all(spec.match_file(path) for path in _ANYTHING):
        return "names every file: a plan says which"
    return None


_WILD = 2  # more, and to hold a long name against it could take for ever
_ANYTHING = ("q7f/k2.w9", "m3", "b1.x", "k/z/r.t", "v_v", "0o", "Z/Ab.c")  # who names all of these names any file


_CRITERION = re.compile(r"\**(AC-?\d{1,3})\**[:.)]?\**\s+(.*)$", re.IGNORECASE)


def _criteria(items: list[Line], problems: list[Problem]) -> tuple[Criterion, ...]:
    found: dict[str, Criterion] = {}
    for place, item in enumerate(items, 1):
        match = _CRITERION.match(item.text)
        name = match[1].upper().replace("-", "") if match else f"AC{place}"
        if name in found:
            problems.append(Problem(item.number, f"{name} is there twice"))
        text = visible.excerpt(match[2] if match else item.text, ITEM_LIMIT)
        found.setdefault(name, Criterion(name, text))
    return tuple(found.values())


def _commands(items: list[Line], _problems: list[Problem]) -> tuple[str, ...]:
    """The shell lines: what stands in backticks, else the whole of an item."""
    codes = (re.match(r"(`+)\s?(.*?)\s?\1", item.text) for item in items)
    texts = (match[2] if match else item.text for match, item in zip(codes, items, strict=True))
    return tuple(visible.excerpt(text, ITEM_LIMIT) for text in texts if text)


_READERS: Mapping[str, Callable[[list[Line], list[Problem]], Any]] = {
    "out_of_scope": _out_of_scope,
    "files": _files,
    "criteria": _criteria,
    "commands": _commands,
}


_ITEMS = ("files", "criteria", "commands")  # whose items are more than a text


# --- a planner's reply --------------------------------------------------------------------------------------


def of_reply(data: Mapping[str, Any], task: Task, planner: str) -> Plan:
    """The plan that a planner's model gave.

    Raises:
        InvalidReplyError: it is none.
    """
    lists = {section.name: _texts(data, section) for section in sections() if section.name not in _ITEMS}
    files = tuple(_file(item) for item in _rows(data, "files"))
    texts = [
        _line(item.get("text") if isinstance(item, dict) else item, "criteria") for item in _rows(data, "criteria")
    ]
    criteria = tuple(Criterion(f"AC{place}", text) for place, text in enumerate(texts, 1))
    commands = tuple(_line(item, "commands").replace("`", "'") for item in _rows(data, "commands"))
    plan = Plan(task, **lists, files=files, criteria=criteria, commands=commands, planner=planner)
    problems = read(render(plan)).problems
    if problems:  # what is asked of a plan that a person wrote is asked of this one
        raise invalid(f"the plan can't be followed: {problems[0].what}")
    return plan


def _rows(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > ITEMS_LIMIT:
        raise invalid(f"`{name}` is not a list of at most {ITEMS_LIMIT}")
    return value


def _texts(data: Mapping[str, Any], section: Section) -> tuple[str, ...]:
    rows = (_line(item, section.name) for item in _rows(data, section.name))
    return tuple(text for text in rows if text.lower() not in _NONE)


def _line(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"`{name}` holds something that is no text")
    return visible.excerpt(value, ITEM_LIMIT).replace(UNWRITTEN, "")


def _file(item: Any) -> ExpectedFile:
    if not isinstance(item, dict) or not isinstance(item.get("path"), str):
        raise invalid("`files` holds something that names no path")
    pattern, why = _plain_path(item["path"].strip().strip("`")), item.get("why") or ""
    bad = _bad_pattern(pattern)
    if bad or not isinstance(why, str):
        raise invalid(f"`{visible.excerpt(pattern, 80)}` in `files` {bad or 'has no text beside it'}")
    return ExpectedFile(pattern, visible.excerpt(why, ITEM_LIMIT))


# --- what a change does to it ---------------------------------------------------------------------------------

Matcher = Callable[[str], bool]


def outside(
    plan: Plan, paths: Iterable[str], matcher: Callable[[tuple[str, ...]], Matcher]
) -> Iterator[tuple[str, str]]:
    """(path, why) of each that the plan does not let the change touch.

    Args:
        matcher: makes a predicate of patterns.
    """
    expected, forbidden = matcher(tuple(file.pattern for file in plan.files)), matcher(plan.forbidden)
    for path in paths:
        if forbidden(path):
            yield path, "the plan says that it is out of scope"
        elif not expected(path):
            yield path, "the plan does not name it"
