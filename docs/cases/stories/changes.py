"""Stories of changes that are not just a few lines: one that is too large for a request, and a merge."""

from stories.models import reviews
from stories.stage import REVIEWER, Stage, Story

_LIMITS = "max-input-tokens = 9500\nmax-requests = {}\n"
_ITEM = "    '{name}-{number:04d}': {price},\n"


def _prices(name: str, more: int) -> str:
    """A module of one long table."""
    items = "".join(_ITEM.format(name=name, number=number, price=number * 7 + more) for number in range(500))
    return f'"""The prices of {name}s."""\n\nPRICES = {{\n{items}}}\n'


def _large(stage: Stage) -> None:
    server = stage.serve(reviews("approve", "A table of prices; nothing in it is computed."))
    stage.settings("", demo=server.url)
    policy = f'reviewers = ["{REVIEWER}"]\n'
    stage.begin(policy + _LIMITS.format(2), {"shop.py": "NAME = 'shop'\n"})
    stage.run("cat .twoagent-hook.toml")
    stage.heading("Too large for two requests")
    stage.say("An agent adds three long tables. Each of them nearly fills a request, and two requests are allowed.")
    for name in ("apple", "pear", "plum"):
        stage.stage(f"{name}s.py", _prices(name, 1))
    stage.run("git diff --cached --stat")
    stage.run("git commit -m 'Add prices'", code=1)
    stage.requests(reviewer=server)
    stage.heading("Three requests, one verdict")
    stage.say("The owner allows one more. Each request carries the list of all files, and all are asked at once.")
    stage.quietly("git restore --staged apples.py pears.py plums.py")
    stage.stage(".twoagent-hook.toml", policy + _LIMITS.format(3))
    stage.run("TWOAGENT_AUTHOR=human git commit -m 'Allow three requests'")
    stage.run("git add apples.py pears.py plums.py && git commit -m 'Add prices'")
    stage.requests(reviewer=server)
    stage.heading("The log")
    stage.run("twoagent-hook log list --all")


LARGE = Story(
    "large-change",
    "A change that is too large",
    """A reviewer that has seen half of a change has not reviewed it. What does not fit into one request is divided;
    what does not fit into all of them is named, and keeps the gate closed, with the key that would let it in.""",
    _large,
    (
        "What no request has room for is named file by file, and blocks the commit before anybody is asked.",
        "A change in several requests is judged as one; each call has its row.",
    ),
    (
        "That a reviewer sees as much in three parts as in one piece.",
        "What such a review costs: a script uses no tokens, and sizes are estimated.",
    ),
)


def _merge(stage: Stage) -> None:
    server = stage.serve(reviews("approve", "Both sides are kept: the limit of one, the message of the other."))
    stage.settings("", demo=server.url)
    before = "LIMIT = 3\n\n\ndef refuse():\n    return 'no'\n"
    stage.begin(f'reviewers = ["{REVIEWER}"]\n', {"limits.py": before, "notes.txt": "nothing yet\n"})
    stage.quietly("git checkout -q -b topic")
    stage.write("limits.py", before.replace("3", "5 # per hour"))
    stage.write("notes.txt", "asked for by support\n")
    stage.quietly("git commit -qa --no-verify -m 'Five per hour' && git checkout -q main")
    stage.write("limits.py", before.replace("3", "3 # per day"))
    stage.quietly("git commit -qa --no-verify -m 'Say per what'")
    stage.say("Two branches have changed the same line. (Their own commits are not the matter of this page.)")
    stage.heading("A conflict, and what was left of it")
    stage.run("git merge topic", code=1)
    stage.say("The agent mends it, misses a line, and stages the file.")
    stage.stage("limits.py", before.replace("LIMIT = 3", "LIMIT = 5  # per day\n>>>>>>> topic"))
    stage.run("git commit -m 'Merge topic'", code=1)
    stage.heading("The merge")
    stage.stage("limits.py", before.replace("LIMIT = 3", "LIMIT = 5  # per day"))
    stage.run("git commit -m 'Merge topic'")
    stage.requests(reviewer=server)
    stage.heading("The log")
    stage.run("twoagent-hook log list")


MERGE = Story(
    "merge",
    "A merge with a conflict",
    """In a merge most of the change is old news: it was committed on the other branch. What is new is how the conflict
    was resolved, and that is nobody's work but the merger's.""",
    _merge,
    (
        "A marker that was left over is found by a rule, without a request.",
        "What differs from all parents is reviewed; what comes unchanged from one of them is named and not sent.",
    ),
    (
        """That the other branch was reviewed. Where its commits were made without the gate, the merge does not make up
        for it.""",
        "A merge without a conflict: git runs no pre-commit hook for it.",
    ),
)
