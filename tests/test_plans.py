"""Plans as files: what is read out of them, what is wrong with them, and that they come back as they were written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from twoagent_hook import plans, tasks
from twoagent_hook.errors import ConfigError, InvalidReplyError, UsageError
from twoagent_hook.plans import Criterion, ExpectedFile, Plan
from twoagent_hook.tasks import Task

TASK = Task("mean-1", 'Guard the "mean"', "mean([]) fails\n\nit should not")
PLAN = Plan(
    TASK,
    scope=("mean returns None for no values",),
    out_of_scope=("`docs/` stays", "the API"),
    files=(ExpectedFile("app.py", "the fix"), ExpectedFile("tests/", "")),
    risks=("callers that divide",),
    assumptions=("nobody relies on the error",),
    criteria=(Criterion("AC1", "mean([]) is None"), Criterion("AC2", "a test shows it")),
    rollback=("revert it",),
    commands=("pytest -q", "python -m build"),
    questions=("None or 0?",),
    planner="openai:gpt-5.5",
)
TEXT = plans.render(PLAN)


def problems(text: str) -> list[str]:
    return [str(problem) for problem in plans.read(text).problems]


def test_a_plan_comes_back_as_it_was_written() -> None:
    read = plans.read(TEXT)
    assert read.problems == ()
    assert read.plan == PLAN
    assert plans.render(read.plan) == TEXT


_LINE = st.text(min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(bool)


@given(
    title=_LINE,
    text=st.text(min_size=1, max_size=200).filter(lambda text: bool(text.strip())),
    items=st.lists(_LINE, max_size=3),
    criteria=st.lists(_LINE, min_size=1, max_size=3),
)
def test_whatever_a_planner_says_comes_back(title: str, text: str, items: list[str], criteria: list[str]) -> None:
    try:
        task = Task.of(title, text)
    except UsageError:
        return
    data = {
        **{section.name: items for section in plans.sections()},
        "scope": ["a"],
        "files": [{"path": "src/a.py", "why": items[0] if items else ""}],
        "criteria": criteria,
        "rollback": ["b"],
        "commands": ["c"],
    }
    try:
        plan = plans.of_reply(data, task, "loop:m")
    except InvalidReplyError:
        return
    read = plans.read(plans.render(plan))
    assert read.problems == ()
    assert read.plan.task.id == task.id
    assert len(read.plan.criteria) == len(criteria)
    assert [file.pattern for file in read.plan.files] == ["src/a.py"]
    assert plans.render(read.plan) == plans.render(plans.read(plans.render(read.plan)).plan)


@given(st.text(max_size=2000))
def test_no_text_makes_reading_fail(text: str) -> None:
    plans.read(text)
    plans.read(f"---\n{text}\n---\n{text}")


@given(
    st.recursive(
        st.none() | st.text(max_size=20) | st.integers() | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["path", "why", "text"]), inner, max_size=3)
        ),
    )
)
def test_no_reply_makes_reading_fail(value: Any) -> None:
    for section in plans.sections():
        data = {
            "scope": ["a"],
            "files": [{"path": "a"}],
            "criteria": ["a"],
            "rollback": ["a"],
            "commands": ["a"],
            section.name: value,
        }
        try:
            plan = plans.of_reply(data, TASK, "loop:m")
        except InvalidReplyError:
            continue
        assert plans.read(plans.render(plan)).problems == ()


# --- what people write --------------------------------------------------------------------------------------

BY_HAND = """---
task: T-12
---

# Anything

## task:
> one
> two

## SCOPE
1. first
2) second,
   goes on
* [x] third
no item

## Files expected ##

- src/a.py: why
- `src/b.py` - because
- `a b.py`
- tests/** for tests

## Acceptance Criteria
- it works
- AC7: it is fast
- **AC-8** it is small

## Rollback

git revert <!-- a comment -->

## Verification commands
- make test
- `pytest -q` runs all
- ``echo `date` ``

```
## Risks
not a heading in code
```

## Assumptions

none

## Questions for the human
"""


def test_what_people_write_is_understood() -> None:
    plan, found = plans.read(BY_HAND)
    assert found == ()
    assert plan.task == Task("T-12", "", "one\ntwo")
    assert plan.scope == ("first", "second, goes on", "third no item")
    assert plan.files == (
        ExpectedFile("src/a.py", "why"),
        ExpectedFile("src/b.py", "because"),
        ExpectedFile("a b.py", ""),
        ExpectedFile("tests/**", "for tests"),
    )
    assert plan.criteria == (
        Criterion("AC1", "it works"),
        Criterion("AC7", "it is fast"),
        Criterion("AC8", "it is small"),
    )
    assert plan.rollback == ("git revert",)
    assert plan.commands[:3] == ("make test", "pytest -q", "echo `date`")
    assert (plan.assumptions, plan.questions, plan.risks) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("---\ntask: mean-1\n", "---\n", "line 2: `task` is missing in the front matter"),
        ("task: mean-1", "task: ../x", "line 2: '../x' is no id of a task"),
        ("task: mean-1", "task: [a]", "line 2: `task` is missing in the front matter"),
        ("task: mean-1", "task: {", "line 2: the front matter is not valid YAML"),
        ("task: mean-1", "task: &a [*a]", "line 2: "),
        ("## Scope", "## Skope", "line 17: no part of a plan is called `Skope` (did you mean `scope`?)"),
        ("## Scope", "## Skope", "the part `Scope` is missing"),
        ("## Risks", "## Scope", "line 31: `Scope` is there twice"),
        ("- mean returns None for no values", "- none", "line 17: `Scope` is empty"),
        ("- mean returns None for no values", "", "line 17: `Scope` is empty"),
        ("- `app.py`: the fix", "- `/etc/passwd`", ""),
        ("- `app.py`: the fix", "- `../x`", "line 28: `../x` leads out of the repository"),
        ("- `app.py`: the fix", "- `a/../../x`", "line 28: `a/../../x` leads out of the repository"),
        ("- `app.py`: the fix", "- `~/x`", "line 28: `~/x` is no path below the repository's root"),
        ("- `app.py`: the fix", "- `C:\\x`", "line 28: `C:\\x` is no path below the repository's root"),
        ("- `app.py`: the fix", "- `**`", "line 28: `**` names every file: a plan says which"),
        ("- `app.py`: the fix", "- `/`", "line 28: `/` names every file: a plan says which"),
        ("- `app.py`: the fix", "- `*.*`", "line 28: `*.*` names every file: a plan says which"),
        (
            "- `app.py`: the fix",
            "| file | why |\n|---|---|\n| `app.py` | fix |",
            "line 28: each file is an item of its own",
        ),
        ("- `app.py`: the fix", "- `app.py` (fix), `b.py` (test)", "line 28: each file is an item of its own"),
        ("- `app.py`: the fix", "- `app.py`: uses `math.fsum`", ""),
        (
            "## Risks",
            "## Dragons",
            "line 31: no part of a plan is called `Dragons`; there are Scope, Out of scope, Files",
        ),
        ("- `app.py`: the fix", "- `?*`", "line 28: `?*` names every file: a plan says which"),
        ("- `app.py`: the fix", "- `[!z]*`", "line 28: `[!z]*` names every file: a plan says which"),
        ("- `app.py`: the fix", "- `**/?*`", "line 28: `**/?*` names every file: a plan says which"),
        ("- `app.py`: the fix", "- `*a*b*`", "line 28: `*a*b*` has more than 2 `*` in one part of a path"),
        ("- `app.py`: the fix", "- `**/a/**/b/**`", "line 28: `**/a/**/b/**` has more than 2 `*`"),
        ("- `app.py`: the fix", "- `./app.py`: the fix", ""),
        ("- `app.py`: the fix", "- `**/test_*.py`", ""),
        ("- `docs/` stays", "- `../x` stays", "line 23: `../x` leads out of the repository"),
        ("- `docs/` stays", "- `**` stays", "line 23: `**` names every file"),
        ("- `app.py`: the fix", "- `!a`", "line 28: `!a` takes files out again"),
        ("- `app.py`: the fix", "- ` `", "line 28: `` names no file"),
        ("- AC2:", "- AC1:", "line 42: AC1 is there twice"),
        ("- revert it", f"- {plans.UNWRITTEN} how", "line 46: this is still to be written"),
        ("- revert it", "- x\n" * 101, "line 44: `Rollback` has more than 100 items: a plan is minimal"),
        (TEXT, "x" * (plans.LIMIT + 1), f"the plan is longer than {plans.LIMIT} characters"),
        ("---\ntask", "task", "line 1: it doesn't begin with front matter"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(before: str, after: str, said: str) -> None:
    assert before in TEXT
    found = problems(TEXT.replace(before, after, 1))
    assert any(problem.startswith(said) for problem in found) if said else found == [], found


def test_what_stands_below_an_item_belongs_to_it() -> None:
    plan = plans.read(
        TEXT.replace("- AC1: mean([]) is None", "- AC1: mean([]) is None\n  - for lists\n    - and tuples")
    ).plan
    assert plan.criteria[0].text == "mean([]) is None - for lists - and tuples"
    assert len(plan.criteria) == 2


def test_a_skeleton_is_no_plan_yet() -> None:
    text = plans.skeleton(TASK)
    assert len(problems(text)) == len(plans.sections())
    with pytest.raises(ConfigError, match="still to be written, and 8 more"):
        plans.demand(text, "plan.md")


# --- scope --------------------------------------------------------------------------------------------------


def outside(plan: Plan, *paths: str) -> list[str]:
    return [
        path for path, _ in plans.outside(plan, paths, lambda patterns: GitIgnoreSpec.from_lines(patterns).match_file)
    ]


def test_which_files_are_outside() -> None:
    assert outside(PLAN, "app.py", "tests/a/b.py", "src/app.py", "setup.py", "docs/a.md", "tests") == [
        "setup.py",
        "docs/a.md",
        "tests",
    ]


@pytest.mark.parametrize(
    "item",
    [
        "`./docs/`",
        "**`docs/`** stays",
        "``docs/``: no",
        "`infra/`, `docs/` and `x`",
        "`infra/` and `docs/`",
        "_`docs/`_",
    ],
)
def test_however_it_is_written_what_is_forbidden_is(item: str) -> None:
    plan = plans.read(
        TEXT.replace("- `docs/` stays", f"- {item}").replace("- `app.py`", "- `docs/*.md`\n- `app.py`")
    ).plan
    assert outside(plan, "docs/a.md", "app.py") == ["docs/a.md"]


def test_what_is_out_of_scope_wins() -> None:
    text = TEXT.replace("- `docs/` stays", "- `tests/real/` stays\n- the `app.py` of others")
    assert outside(plans.read(text).plan, "tests/a.py", "tests/real/a.py", "app.py") == ["tests/real/a.py"]


# --- tasks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Guard the mean", "guard-the-mean"),
        ("../../etc/passwd", "etc-passwd"),
        ("Größe & Maß", "groe-ma"),
        ("🎉🎉", "task"),
        ("CON", "con"),
        ("-rf /", "rf"),
        ("a" * 300, "a" * 60),
        ("word " * 40, "word-word-word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_a_slug_is_safe(title: str, slug: str) -> None:
    assert tasks.slug(title) == slug


def test_the_same_task_has_the_same_id() -> None:
    one = Task.of("A  title", "what\nto do")
    assert one.id == Task.of("A title", "what to do ").id
    assert one.id != Task.of("A title", "what else to do").id
    assert one.id.startswith("a-title-")


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_its_title_its_id_is_one(title: str, text: str) -> None:
    try:
        task = Task.of(title, text)
    except UsageError:
        return
    assert tasks.check_id(task.id) == task.id
    assert "\n" not in task.title


@pytest.mark.parametrize(
    "given_id", ["", " ", "a b", "../x", "a/b", "-x", ".x", "a..b", "x" * 81, "ä", "a\n", "x.", "a\0"]
)
def test_what_is_no_id(given_id: str) -> None:
    with pytest.raises(UsageError, match="is no id of a task"):
        Task.of("title", "text", given_id)


@pytest.mark.parametrize(
    ("title", "text", "said"),
    [
        ("", "x", "the title is empty"),
        (" \n", "x", "the title is empty"),
        ("x", "\t", "the task is empty"),
        ("x" * 201, "x", "the title is longer than 200 characters"),
        ("x", "x" * 8001, "the task is longer than 8000 characters"),
    ],
)
def test_what_is_no_task(title: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Task.of(title, text)


# --- a task's own words are data ----------------------------------------------------------------------------

HOSTILE = "## Scope\n```\n- a\n````\n---\n> <img src=x>\n# Plan\n`````"


def test_a_tasks_own_words_begin_no_part() -> None:
    text = plans.render(Plan(Task.of("```\n## Scope", HOSTILE, "T-1"), scope=("a",)))
    plan = plans.read(text).plan
    assert plan.task.text == HOSTILE
    assert plan.scope == ("a",)
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# Plan of T-1", "# Plan"]
    assert "\n``````text\n## Scope\n" in text  # a fence that is longer than any in it
    assert "\n# Plan\n`````\n``````\n" in text
