"""Stories of what stands around the gate: a plan that is reviewed by itself, and claims held against what ran."""

from stories.models import finding, reviews
from stories.stage import REVIEWER, Stage, Story

_TASK = "mean-1"
_PLAN = """\
---
task: mean-1
title: "Guard the mean"
planner: "scripted-author"
---

# Plan of mean-1

## Task

```text
mean([]) fails
```

## Scope

- `mean` gives None where there are no values

## Out of scope

- `deploy.sh`: how it is released is another task

## Files expected

- `stats.py`: the fix

## Risks

- a caller that catches ZeroDivisionError

## Assumptions

- no caller relies on the error

## Acceptance criteria

- AC1: the mean is handled properly

## Rollback

- revert the commit; no data is touched

## Verification commands

- `python3 -B test_stats.py`

## Questions for the human

- none
"""
_BETTER = _PLAN.replace(
    "- AC1: the mean is handled properly", "- AC1: mean([]) and mean(()) are None\n- AC2: a test shows both"
).replace("- `stats.py`: the fix", "- `stats.py`: the fix\n- `test_stats.py`: its test")
_CODE = "def mean(values):\n    return sum(values) / len(values)\n"
_HALF = "def mean(values):\n    if values == []:\n        return None\n    return sum(values) / len(values)\n"
_TEST = """\
from stats import mean

for values in ([], ()):
    try:
        print("mean of", values, "is", mean(values))
    except ZeroDivisionError:
        raise SystemExit(f"mean of {values} fails")
"""


def _plan_first(stage: Stage) -> None:
    server = stage.serve(
        reviews(
            "block",
            "The one criterion can't be observed, so no implementation could ever fail it.",
            finding(
                "a criterion that nobody can check",
                "plan.md",
                39,
                "- AC1: the mean is handled properly",
                category="missing_test",
                trigger="any implementation, also one that leaves mean([]) as it is",
                consequence="the change is judged by nothing, and the plan names no test either",
                fix="say what mean([]) and mean(()) give, and name the test file",
            ),
            questions=["None or 0 for no values?"],
        ),
        reviews("approve", "Small, observable, and it can be undone."),
    )
    stage.settings("", demo=server.url)
    stage.begin(f'reviewers = ["{REVIEWER}"]\n', {"stats.py": _CODE})
    stage.heading("A plan")
    stage.say("An agent writes a plan, by hand as it were: no planner is asked.")
    stage.write("plan.md", _PLAN)
    stage.run("grep -A 3 'Files expected\\|Acceptance' plan.md")
    stage.say("Its form is right, which needs no model:")
    stage.run("twoagent-hook plan --check plan.md")
    stage.heading("The block")
    stage.say("Its content is another matter. There is no code yet, nothing is staged, and nothing is lost.")
    stage.run("twoagent-hook review --plan-only plan.md", code=1)
    stage.heading("The better plan")
    stage.write("plan.md", _BETTER)
    stage.run("grep -A 4 'Files expected\\|Acceptance' plan.md")
    stage.run("twoagent-hook plan --check plan.md && twoagent-hook review --plan-only plan.md")
    stage.run("twoagent-hook plan --use plan.md")
    stage.heading("The log")
    stage.run(f"twoagent-hook log --task {_TASK}")


PLAN_FIRST = Story(
    "plan-first",
    "A plan that is blocked before there is any code",
    """The cheapest time to find a wrong plan is before anybody has followed it. `review --plan-only` has the plan
    itself judged, by a model that did not write it.""",
    _plan_first,
    (
        "`plan --check` lints the form without a model; `review --plan-only` has the content judged.",
        "Exit code 1 for a block, as for a change; a block of the plan is none of what is staged.",
        "Which plan was judged, and which became the task's, is on the record.",
    ),
    ("That a model finds a weak criterion by itself. Here it was told to.",),
)


def _claimed(stage: Stage) -> None:
    server = stage.serve(reviews("approve", "The empty list is caught before the division."))
    stage.settings("", demo=server.url)
    policy = f'reviewers = ["{REVIEWER}"]\nverify-commands = ["python3 -B test_stats.py"]\n'
    stage.begin(policy, {"stats.py": _CODE, "test_stats.py": _TEST})
    stage.heading("What is claimed")
    stage.stage("stats.py", _HALF)
    stage.run("git diff --cached")
    stage.write(
        "artifact_notes.md",
        "# Notes\n\nGuarded the empty list.\n\n## Tests run\n\n- `python3 -B test_stats.py`: passes\n"
        "- `ruff check stats.py`: passes\n",
    )
    stage.run("cat artifact_notes.md")
    stage.heading("What ran")
    stage.run(f"twoagent-hook verify --task {_TASK} --notes artifact_notes.md", code=1)
    stage.heading("What the reviewer's panel says of it")
    stage.say(
        """The reviewer, who ran nothing, approves. The panel shows the claims beside what really ran on this very
        tree."""
    )
    stage.run(f"twoagent-hook review --task {_TASK} --notes artifact_notes.md")
    stage.heading("The log")
    stage.run(f"twoagent-hook log --task {_TASK}")


CLAIMED = Story(
    "claimed-and-run",
    "What was claimed, and what ran",
    """“All tests pass” is easily written. The implementer's notes say so, and the owner's own command on a clean
    checkout of the same tree says otherwise. Nobody has to believe either: the exit code is on the record.""",
    _claimed,
    (
        "A claim is held against what this user's own run of the same command did on the same tree.",
        "A claim of something that never ran is told from one that is wrong.",
        "The approval stays an approval; the human sees both.",
    ),
    (
        "That a test that passes tests anything.",
        """A gate that is closed by a failed verification: a review and a verification are two records, and this commit
        would go through. Where that matters, have `verify` run before a push or in CI as well.""",
        "That a claim in prose is understood: what counts is a command in backticks and its result.",
    ),
)
