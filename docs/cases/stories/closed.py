"""Stories of a gate that stays closed, or opens late, without a verdict on the change."""

import hashlib

from stories.models import rambles, reviews
from stories.stage import REVIEWER, Stage, Story

_POLICY = f'reviewers = ["{REVIEWER}"]\n'
_BEFORE = "RETRIES = 3\n"
_AFTER = "RETRIES = 5\n"


def _no_verdict(stage: Stage) -> None:
    nobody = stage.nobody()
    first = stage.serve(
        rambles("I had a look at the diff and it seems fine to me. LGTM!"),
        rambles("As I said, no concerns."),
    )
    second = stage.serve(reviews("approve", "Two more tries, and nothing else.", model="scripted-second"))
    stage.settings("", demo=nobody, spare=nobody)
    stage.begin(f'reviewers = ["{REVIEWER}", "spare:scripted-second"]\n', {"settings.py": _BEFORE})
    stage.say("Two reviewers are accepted, in this order, each from a server of its own:")
    stage.run("cat .twoagent-hook.toml")
    stage.stage("settings.py", _AFTER)
    stage.heading("Nobody listens")
    stage.say(
        "Both servers are down. The hook ends with 2, and `git commit` makes that a 1, as it does of any failure."
    )
    stage.run("git commit -m 'Try more often'", code=1)
    stage.run("twoagent-hook review", code=2)
    stage.heading("Somebody talks, and says nothing that counts")
    stage.say(
        """Both servers are up again. The first model answers in prose, is asked once to repair that, and answers in
        prose again."""
    )
    stage.settings("", demo=first.url, spare=second.url)
    stage.run("git commit -m 'Try more often'", code=1)
    stage.requests(first=first, second=second)
    stage.say(
        """“Seems fine to me” is no approval. And the second reviewer was not asked: a model that answers badly is not
        exchanged for one that might answer more kindly."""
    )
    stage.heading("Another reviewer takes over")
    stage.say(
        "The first server is down once more. That is nobody's opinion, so the next reviewer in the list is asked."
    )
    stage.settings("", demo=nobody, spare=second.url)
    stage.run("git commit -m 'Try more often'")
    stage.requests(first=first, second=second)
    stage.heading("The log")
    stage.run("twoagent-hook log list --all")


NO_VERDICT = Story(
    "no-verdict",
    "No verdict is no approval",
    """Endpoints are down, and models ramble. Each of these is an outcome of its own, and none of them opens the gate
    unless the owner's policy says so (`on-error`). A reviewer that can't be reached is followed by the next one; one
    that answered badly is not.""",
    _no_verdict,
    (
        """`unreviewed` (nobody could be asked) and `invalid` (the answer can't be used) both end with 2 and stop the
        commit.""",
        "The message says what happened and what to do.",
        "With a second reviewer the commit goes on; who was passed over, and why, is shown and logged.",
    ),
    (
        """Every way in which an endpoint can fail. The tests have those: time-outs, floods, cut replies, errors of
        every class.""",
    ),
)


def _independence(stage: Stage) -> None:
    same = stage.serve(reviews("approve", "One more reviewer is accepted.", model="claude-opus-4-8"))
    other = stage.serve(reviews("approve", "Two more tries, and nothing else."))
    stage.settings("", corp=same.url, demo=other.url)
    stage.begin('reviewers = ["corp:claude-opus-4-8"]\n', {"settings.py": _BEFORE})
    stage.stage("settings.py", _AFTER)
    stage.say(
        f"""The author is `{_CLAUDE}`, as a variable of the agent's shell says. The policy accepts one reviewer: the
        same model by another spelling, through a company's gateway. (Both are only names here. A script would answer,
        and it would approve.)"""
    )
    stage.heading("Refused")
    stage.run(f"TWOAGENT_AUTHOR={_CLAUDE} git commit -m 'Try more often'", code=1)
    stage.requests(the_same_model=same, another_one=other)
    stage.say("`doctor` tells as much before anything is committed:")
    stage.run(f"TWOAGENT_AUTHOR={_CLAUDE} twoagent-hook doctor | grep -A 1 '^Author\\|^Reviewers'")
    stage.heading("Resolved")
    stage.say(
        """The owner adds the line. A change to the policy counts from the next commit on, so this one is still judged
        by the old policy; but its author is a human, and for a human's change the same reviewer is independent."""
    )
    stage.quietly("git restore --staged settings.py")
    stage.stage(".twoagent-hook.toml", f'reviewers = ["corp:claude-opus-4-8", "{REVIEWER}"]\n')
    stage.run("TWOAGENT_AUTHOR=human git commit -m 'Accept another reviewer'")
    stage.say("Now the agent commits its change again.")
    stage.run(f"git add settings.py && TWOAGENT_AUTHOR={_CLAUDE} git commit -m 'Try more often'")
    stage.requests(the_same_model=same, another_one=other)
    stage.heading("The log")
    stage.run("twoagent-hook log list")


_CLAUDE = "anthropic/claude-opus-4.8-20260401"


INDEPENDENCE = Story(
    "independence",
    "The author does not review itself",
    """The point of a second model is that it is another one. The reviewer is compared with the author whatever prefix,
    date or spelling either goes by, before anything is sent.""",
    _independence,
    (
        "The same model is refused under another name, without a request.",
        "The message holds the line that resolves it.",
        "It is the author of this very change that counts: the same reviewer may judge a human's.",
        "With another reviewer in the policy the commit goes through, and who is the author is passed over.",
    ),
    (
        "That two different models make different mistakes.",
        """That an author who lies about who they are is found out: the author is what flags, variables, settings and
        the agent's own marks say.""",
    ),
)


def _stays_home(stage: Stage) -> None:
    server = stage.serve(reviews("approve", "Nothing to see here."))
    stage.settings("", demo=server.url)
    stage.begin(_POLICY, {"settings.py": _BEFORE, "access.py": "def allowed(user):\n    return user.is_admin\n"})
    stage.heading("A key")
    stage.say(
        """An agent needs a key to try something out, writes it into the settings, and stages them with the rest. (The
        key has the form of a real one, and is none; it was made for this page, which does not show it.)"""
    )
    stage.stage("settings.py", f'{_BEFORE}KEY = "{_key()}"\n')
    stage.run("git diff --cached --stat")
    stage.run("git commit -m 'Add settings'", code=1)
    stage.requests(reviewer=server)
    stage.heading("Text that can't be seen")
    stage.say(
        """The key is gone, and the next change has a character in it that turns round what is displayed after it. In
        many an editor what follows on the line reads as the end of the text, and not as code. `cat -v` shows what is
        there:"""
    )
    stage.quietly("git restore --staged --worktree settings.py")
    stage.stage(
        "access.py", "def allowed(user):\n    '''admins only \u202e''' ; return True\n    return user.is_admin\n"
    )
    stage.run("LC_ALL=C cat -v access.py")
    stage.run("git commit -m 'Say who is allowed'", code=1)
    stage.requests(reviewer=server)
    stage.heading("The log")
    stage.run("twoagent-hook log list --all")
    stage.say("The key is not in the log either:")
    stage.run("grep -c AKIA .git/twoagent-hook/trajectory.db", code=1)


def _key() -> str:
    """In the form of a real one, the same each time, and in no file of ours."""
    digits = hashlib.sha256(b"a story").hexdigest().upper()
    return "AKIA" + digits.translate(str.maketrans("0189", "GHJK"))[:16]


STAYS_HOME = Story(
    "stays-home",
    "What is stopped before anything is sent",
    """Some findings need no model, and must not wait for one: by then a secret would have left the machine. The rules
    run first, on this machine, over all of the change.""",
    _stays_home,
    (
        "A credential in an added line and a character that turns text around block the commit.",
        "In both cases no request was made at all; the server counted.",
        "Neither the panel nor the log holds the key.",
    ),
    (
        "That every secret is found: it takes a form that is known, or a random value behind a telling name.",
        """That it was never anywhere else. A key that was staged lies in git's object store until it is pruned, and
        one that was real should be changed.""",
    ),
)


def _deferred(stage: Stage) -> None:
    nobody = stage.nobody()
    stage.settings("", demo=nobody)
    stage.begin(f'{_POLICY}defer = "anyone"\n', {"settings.py": _BEFORE})
    stage.stage("settings.py", _AFTER)
    stage.heading("Later, with a reason")
    stage.run("TWOAGENT_DEFER='on a train, no network' git commit -m 'Try more often'")
    stage.heading("Not everything")
    stage.say("What a rule blocks is not put off.")
    stage.stage("settings.py", f'{_AFTER}KEY = "{_key()}"\n')
    stage.run("TWOAGENT_DEFER='on a train, no network' git commit -m 'Add a key'", code=1)
    stage.heading("The log")
    stage.run("twoagent-hook log list")


DEFERRED = Story(
    "deferred",
    "Put off, and not forgotten",
    """Work goes on without a network. Where the owner's policy allows it (`defer`), a review can be put off with a
    reason: the commit is made, the log says that nobody reviewed it, and the debt is counted.""",
    _deferred,
    (
        "A deferral needs the policy's leave and a reason; it is an outcome of its own and no approval.",
        "Rules still block.",
    ),
    (
        """How the debt is paid: a review of a whole range is on [the list of what is missing](../../backlog.md). Until
        then it is counted and shown.""",
    ),
)
