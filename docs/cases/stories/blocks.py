"""Stories of a verdict: a block that is fixed, one that is passed by, and a verdict that stands."""

import json

from stories.models import finding, reviews
from stories.stage import REVIEWER, Stage, Story

_POLICY = f'reviewers = ["{REVIEWER}"]\n'
_FILES = (
    '"""Files of the shop."""\n\n\n' + "def receipt(number):\n    return open(f'receipts/{int(number)}.txt').read()\n"
)
_UNSAFE = _FILES + "\n\ndef invoice(name):\n    return open(f'invoices/{name}.txt').read()\n"
_SAFE = _FILES + (
    "\n\ndef invoice(name):\n    if not name.isalnum():\n        raise ValueError(name)\n"
    "    return open(f'invoices/{name}.txt').read()\n"
)
_TRAVERSAL = finding(
    "a name with `../` in it reads any file",
    "files.py",
    9,
    "return open(f'invoices/{name}.txt').read()",
    category="security",
    severity="critical",
    trigger="invoice('../../etc/secrets/prod')",
    consequence="whoever may ask for an invoice reads every .txt file that the shop can read",
    fix="accept letters and digits only, and refuse anything else",
)


def _block_and_fix(stage: Stage) -> None:
    server = stage.serve(
        reviews(
            "block",
            "Adds a way to read an invoice by its name, and lets the name leave the folder.",
            _TRAVERSAL,
            verification_commands=["python3 -m pytest tests/test_files.py"],
            questions=["Do names of invoices ever hold a hyphen?"],
        ),
        reviews("approve", "The name is checked before it becomes part of a path."),
    )
    stage.settings("", demo=server.url)
    stage.begin(_POLICY, {"files.py": _FILES})
    stage.heading("The change")
    stage.say("An agent adds a function and stages it.")
    stage.stage("files.py", _UNSAFE)
    stage.run("git diff --cached")
    stage.heading("The block")
    stage.say("The hook runs, asks the reviewer, and the commit does not come to be.")
    stage.run("git commit -m 'Read invoices'", code=1)
    stage.say(
        """The block stands. Committing once more asks nobody: the same index on the same base has its verdict
        already."""
    )
    stage.run("git commit -m 'Read invoices' 2>&1 | grep 'reviewer:'")
    stage.requests(reviewer=server)
    stage.heading("The fix")
    stage.stage("files.py", _SAFE)
    stage.run("git diff --cached")
    stage.run("git commit -m 'Read invoices'")
    stage.requests(reviewer=server)
    stage.heading("The log")
    stage.run("twoagent-hook log list --all")


def _bypass(stage: Stage) -> None:
    server = stage.serve(
        reviews("block", "Adds a way to read an invoice by its name, and lets the name leave the folder.", _TRAVERSAL)
    )
    stage.settings("", demo=server.url)
    stage.begin(_POLICY, {"files.py": _FILES})
    stage.heading("The block")
    stage.stage("files.py", _UNSAFE)
    stage.run("TWOAGENT_TASK=invoices git commit -m 'Read invoices'", code=1)
    stage.heading("The bypass")
    stage.say(
        """The gate told the agent to ask its user, and told it no way round. The agent knows one all the same, since
        it knows git, and takes it without asking. A local hook can't stop that: git does not even start it."""
    )
    stage.run("git commit --no-verify -m 'Read invoices'")
    stage.heading("The log")
    stage.say("The trail tells it from git: here is a commit whose tree the gate had blocked.")
    stage.run("twoagent-hook log --task invoices")
    stage.heading("The fence")
    stage.say(
        """Afterwards the user sets up `guard` as the permission hook of the agent. From now on the agent's tool asks
        it before a command runs. Exit code 2 stops the command, and the reason goes back to the agent:"""
    )
    stage.run(_event("git commit --no-verify -m 'Read more'"), code=2)
    stage.say("It is the act that is refused and not one spelling of it; an ordinary commit passes without a word:")
    stage.run(_event("cd src; git -c core.hooksPath=/dev/null commit -m 'Read more'"), code=2)
    stage.run(_event("git add files.py && git commit -m 'Read more'"))


def _event(command: str) -> str:
    told = json.dumps({"tool_name": "Bash", "tool_input": {"command": command}})
    return f"twoagent-hook guard <<'EVENT'\n{told}\nEVENT"


BLOCK_AND_FIX = Story(
    "block-and-fix",
    "A block, a fix, an approval",
    """The plainest case. A reviewer that is not the author reads what is staged, finds that a name can leave its
    folder, and says block; there is no commit. The author changes the code, not the reviewer's mind, and the next
    index is judged afresh.""",
    _block_and_fix,
    (
        "A block ends `git commit` with an error and leaves everything staged.",
        "The finding has a place in the change, a trigger, a consequence and a fix.",
        "The same index is not asked about twice; another one is.",
        "An approval is one line. All of it is in the log, calls to the model included.",
    ),
    (
        "That a model would have found this. The script was told to.",
        "That the fix is enough: nothing was run here. See [the whole task](whole-task.md) for `verify`.",
    ),
)

BYPASS = Story(
    "bypass",
    "A block that was passed by, and the fence that came after",
    """This page is history, for humans: it names a way round the gate, which the gate itself does not tell agents. An
    agent commits past a block. The gate could not prevent it; what it can do is not to lose it.""",
    _bypass,
    (
        "A commit past a block is in the trail as an override, with the row that it went against.",
        "`guard` refuses such commands before they run, in more spellings than one, and says what to do instead.",
    ),
    (
        """That the fence is a wall. An agent that writes a script, starts another program or edits the hook has other
        ways; what `guard` knows is in [its own page](../../guard.md).""",
        """Who typed it. A human in the agent's shell and the agent look the same.""",
        """A push stopped for it. That needs a check where the author has no power: in CI, on a protected branch.""",
    ),
)


def _asked_once(stage: Stage) -> None:
    server = stage.serve(reviews("approve", "The name is checked before it becomes part of a path."))
    stage.settings("", demo=server.url)
    stage.begin(_POLICY, {"files.py": _FILES, "notes.txt": "ask for more invoices\n"})
    stage.heading("Review first, commit then")
    stage.say("By hand a review has all the time that it takes. The commit takes the verdict that is on record.")
    stage.stage("files.py", _SAFE)
    stage.run("twoagent-hook review --timeout 300")
    stage.run("git commit -m 'Read invoices'")
    stage.requests(reviewer=server)
    stage.heading("What needs no reviewer")
    stage.say("A file moves, and not a byte of it changes. That is proved from git's trees, and nobody is asked.")
    stage.run("git mv notes.txt wishes.txt")
    stage.run("git commit -m 'Rename the notes'")
    stage.say("A formatter changes how Python is written, and not what it says. The syntax trees are the same.")
    stage.stage("files.py", _SAFE.replace("'", '"'))
    stage.run("git diff --cached --stat")
    stage.run("git commit -m 'Reformat'")
    stage.say("A change of one word that means something is reviewed.")
    stage.stage("files.py", _SAFE.replace("isalnum", "isalpha"))
    stage.run("git commit -m 'Letters only'")
    stage.requests(reviewer=server)
    stage.heading("The log")
    stage.run("twoagent-hook log list")


ASKED_ONCE = Story(
    "asked-once",
    "Asked once, or not at all",
    """Each request costs time and money, and people go round a gate that wastes them. A verdict that is on record is
    taken again, and a change that can be proved to mean nothing is skipped, with the proof's name on the record.""",
    _asked_once,
    (
        "The commit after a review by hand takes no request.",
        "A moved file and a reformatted one are skipped, each with its reason, and stay in the log.",
        "What changes the meaning by one word is reviewed like anything else.",
    ),
    (
        "How long a real review takes, or what it costs.",
        """That a verdict on record stays right: it is bound to the index, the base, the policy, the prompt and the
        reviewer, and expires; the world around it can change earlier.""",
    ),
)
