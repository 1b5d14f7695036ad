"""The story of a whole task: planned, implemented, reviewed, verified, and handed on as a folder."""

from stories.models import met, plans, reviews
from stories.stage import REVIEWER, Stage, Story

_TASK = "Guard the mean"
_ID = "guard-the-mean-1"
_POLICY = f"""\
reviewers = ["{REVIEWER}"]
verify-commands = ["python3 -B test_stats.py"]

[rules]
out-of-scope = "block"
"""
_CODE = "def mean(values):\n    return sum(values) / len(values)\n"
_TEST = """\
from stats import mean


def shown(values):
    try:
        return mean(values)
    except ZeroDivisionError:
        return "ZeroDivisionError"


failed = False
for values, wanted in (
    ([2, 4], 3),
    ((1, 2), 1.5),
):
    found = shown(values)
    print("ok  " if found == wanted else "FAIL", "mean of", values, "is", found)
    failed = failed or found != wanted
raise SystemExit(failed)
"""
_MORE_TEST = _TEST.replace("    ((1, 2), 1.5),\n", "    ((1, 2), 1.5),\n    ([], None),\n    ((), None),\n")
_HALF = (
    'def mean(values):\n    """The mean, or None where there is nothing."""\n'
    "    if values == []:\n        return None\n    return sum(values) / len(values)\n"
)
_WHOLE = _HALF.replace("if values == []:", "if not values:")


def _tell(stage: Stage) -> None:
    planner = stage.serve(
        plans(
            scope=["`mean` gives None where there are no values"],
            out_of_scope=["`deploy.sh`: how it is released is another task"],
            files=[
                {"path": "stats.py", "why": "the fix"},
                {"path": "test_stats.py", "why": "its test"},
            ],
            risks=["a caller that catches ZeroDivisionError"],
            assumptions=["no caller relies on the error"],
            criteria=["mean of no values is None, whatever the kind of sequence", "a test shows it"],
            rollback=["revert the commit; no data is touched"],
            commands=["python3 -B test_stats.py"],
            questions=["None or 0?"],
        )
    )
    reviewer = stage.serve(
        reviews(
            "approve",
            "The empty list is caught before the division.",
            criteria=met("AC1", "AC2", reason="the check stands before the division, and the test has the case"),
        ),
        reviews(
            "approve",
            "Every empty sequence is caught before the division.",
            criteria=met("AC1", "AC2", reason="`not values` holds for every empty sequence, and both are tested"),
        ),
    )
    stage.settings('[roles]\nplanner = "plan:scripted-planner"', plan=planner.url, demo=reviewer.url)
    stage.begin(_POLICY, {"stats.py": _CODE, "test_stats.py": _TEST, "deploy.sh": "echo deploying\n"})
    stage.say("The repository's policy, and the plain git hook that `twoagent-hook sample-config --for plain` prints:")
    stage.run("cat .twoagent-hook.toml")
    stage.run("cat .git/hooks/pre-commit")
    _plan(stage)
    _implement(stage)
    stage.requests(planner=planner, reviewer=reviewer)
    _verify(stage)
    stage.requests(planner=planner, reviewer=reviewer)
    _hand_on(stage)


def _plan(stage: Stage) -> None:
    stage.heading("The task, as a folder of packets")
    stage.say("Offline: no model is asked. Each packet is for one role, and can be given to any agent as it is.")
    stage.run(f"twoagent-hook packets --id {_ID} --title '{_TASK}' --task 'mean([]) fails' --out tasks/mean")
    stage.heading("The plan")
    stage.run(
        f"twoagent-hook plan --id {_ID} --title '{_TASK}' --task 'mean([]) fails' -o tasks/mean/plan.md",
    )
    stage.run("cat tasks/mean/plan.md")


def _implement(stage: Stage) -> None:
    stage.heading("The implementation leaves the plan")
    stage.say("The agent does what it was asked to do, and, while it is at it, something else.")
    stage.stage("stats.py", _HALF)
    stage.stage("test_stats.py", _MORE_TEST)
    stage.stage("deploy.sh", "echo deploying --force\n")
    stage.run("git diff --cached")
    stage.run(f"TWOAGENT_TASK={_ID} git commit -m 'Guard the mean'", code=1)
    stage.say("A rule closed the gate, and the rules run first: no reviewer was asked. The agent takes it back.")
    stage.run("git restore --staged --worktree deploy.sh")
    stage.run(f"TWOAGENT_TASK={_ID} git commit -m 'Guard the mean'")


def _verify(stage: Stage) -> None:
    stage.heading("The verification says no")
    stage.say("The reviewer took both criteria for met. The owner's own command, on a clean checkout, knows better.")
    stage.run(f"twoagent-hook verify --task {_ID}", code=1)
    stage.say("So the fix is fixed. It is another change, and is reviewed again before it is verified again.")
    stage.stage("stats.py", _WHOLE)
    stage.run("git diff --cached")
    stage.run(f"TWOAGENT_TASK={_ID} git commit -m 'Guard the mean of any empty sequence'")
    stage.run(f"twoagent-hook verify --task {_ID}")


def _hand_on(stage: Stage) -> None:
    stage.heading("The log")
    stage.run(f"twoagent-hook log --task {_ID}")
    stage.heading("The folder for the pull request")
    stage.run(f"twoagent-hook log export --task {_ID} --out trail")
    stage.run("find trail -type f | sort")
    stage.say("Its `README.md`:")
    stage.show("trail/README.md", "markdown")


WHOLE_TASK = Story(
    "whole-task",
    "A whole task, from the plan to the folder for the pull request",
    """A task goes through all four roles: it is planned, implemented, reviewed and verified. Twice something goes
    wrong, and each time something else finds it: the plan's scope is a matter for a rule, and a case that the
    reviewer missed is a matter for a test.""",
    _tell,
    (
        "The plan on record for the task is what the hook holds the change against.",
        "Leaving the scope closes the gate without a request, where the policy says so.",
        "An approval with all criteria met is an opinion; `verify` goes by exit codes.",
        "One id ties plan, reviews, commits and verification together, and they can be handed on as files.",
    ),
    (
        """That a model plans or judges like this. Planner and reviewer are scripts; the reviewer was told to be wrong
        once.""",
        "That a verification proves more than its commands: here they are one small test file.",
    ),
)
