"""`twoagent-hook demo`: the whole gate on a throwaway repository, offline."""

import argparse
import re
import secrets
import shutil
import tempfile

from twoagent_hook import config, console, datafiles
from twoagent_hook.demo import AUTHOR, REVIEWER, Ran, Stage, scripted_reviewer
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError
from twoagent_hook.exits import ExitCode
from twoagent_hook.outputs.text import wants_colour


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Play the scenes one after the other, with real commits."""
    root = tempfile.mkdtemp(prefix="twoagent-hook-demo-")
    colour = wants_colour(arguments.color, environment.variables, terminal=console.shown())
    play = _Play(colour=colour)
    try:
        with scripted_reviewer() as base_url:
            stage = Stage(root, environment, console.own_command(environment), base_url)
            _scenes(play, stage)
            if arguments.ask:
                _ask(play, stage, arguments.ask, environment)
            else:
                _offer(play, environment)
        if arguments.keep:
            play.say(f"The repository is left at {stage.repository}")
    finally:
        if not arguments.keep:
            shutil.rmtree(root, ignore_errors=True)
    return int(ExitCode.OPEN)


class _Play:
    """Prints what happens."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._number = 0

    def scene(self, title: str) -> None:
        self._number += 1
        heading = f"{self._number}. {title}"
        console.write(f"\n\x1b[1m{heading}\x1b[0m\n" if self._colour else f"\n{heading}\n")

    def say(self, text: str) -> None:
        console.write(f"{text}\n")

    def shown(self, command: str, ran: Ran) -> Ran:
        console.write(f"\n$ {command}\n{ran.text.rstrip()}\n(exit code {ran.code})\n")
        return ran


def _demand(*, true: bool, what: str) -> None:
    if not true:
        raise GitError(f"the demo did not go as it should: {what}", "report this: it is a defect")


def _policy(*reviewers: str) -> str:
    names = ", ".join(f'"{name}"' for name in reviewers)
    return f"reviewers = [{names}]\n"


def _scenes(play: _Play, stage: Stage) -> None:
    how = stage.install()
    play.say(f"A throwaway repository, with the hook installed {how}. Nothing leaves this machine.")

    play.scene("The first commit sets the gate up, with the built-in rules alone")
    stage.stage(".twoagent-hook.toml", _policy("rules"))
    stage.stage("orders.py", datafiles.packaged("templates/demo/orders.txt"))
    made = play.shown("git commit -m 'Set the gate up'", stage.commit("Set the gate up"))
    _demand(true=made.code == 0, what="the first commit was stopped")

    play.scene("Rules need no model: a key is staged by mistake, and nothing is sent anywhere")
    # Made here and now, in the form of a real one, so that no file of ours holds anything like a key.
    stage.stage(
        "settings.py", f'KEY = "AKIA{secrets.token_hex(16).translate(str.maketrans("0189", "ABCD")).upper()[:16]}"\n'
    )
    made = play.shown("git commit -m 'Add settings'", stage.commit("Add settings"))
    _demand(true=made.code != 0, what="the key was committed")
    stage.git("rm", "--quiet", "--force", "settings.py")

    play.scene("From now on a reviewer is asked (scripted reviewer, no model)")
    stage.stage(".twoagent-hook.toml", _policy(REVIEWER))
    play.shown("git commit -m 'Name a reviewer'", stage.commit("Name a reviewer"))

    play.scene(f"The author ({AUTHOR}) adds a discount: changes are requested (scripted reviewer, no model)")
    stage.stage("orders.py", datafiles.packaged("templates/demo/discount.txt"))
    made = play.shown("git commit -m 'Add a discount'", stage.commit("Add a discount"))
    _demand(true=made.code == 0 and "request changes" in made.text, what="changes were not requested")

    play.scene("The author adds a lookup: the commit is blocked (scripted reviewer, no model)")
    stage.stage("orders.py", datafiles.packaged("templates/demo/lookup_unsafe.txt"))
    made = play.shown("git commit -m 'Look orders up'", stage.commit("Look orders up"))
    _demand(true=made.code != 0 and "SQL injection" in made.text, what="the injection was not blocked")
    number = (re.findall(r"review #(\d+)", made.text) or ["0"])[0]
    play.say("\nAn agent is told to ask its user. The user looks, and has the last word:")
    play.shown(f"twoagent-hook log show {number}", stage.call("log", "show", number))

    play.scene("The author fixes it, with a test: approved, in one line (scripted reviewer, no model)")
    stage.stage("orders.py", datafiles.packaged("templates/demo/lookup_safe.txt"))
    stage.stage("test_orders.py", datafiles.packaged("templates/demo/lookup_test.txt"))
    made = play.shown("git commit -m 'Look orders up'", stage.commit("Look orders up"))
    _demand(true=made.code == 0 and "approve" in made.text, what="the fix was not approved")

    play.scene("What is on the record")
    play.shown("twoagent-hook log list", stage.call("log", "list"))


def _offer(play: _Play, environment: Environment) -> None:
    """Name the reviewers that the user has configured, who would take this for real."""
    user = config.user_layer(config.user_file(environment.get("TWOAGENT_HOME")))
    names = [name for name in user.values.get("reviewers", ()) if name != "rules"]
    if names:
        play.say(
            f"\nYou have {names[0]} configured. To let it judge the lookup as well (this sends the demo's change):"
        )
        play.say(f"  {console.own_command(environment)} demo --ask {names[0]}")


def _ask(play: _Play, stage: Stage, spec: str, environment: Environment) -> None:
    play.scene(f"The lookup once more, unsafe, judged by {spec}")
    stage.stage("orders.py", datafiles.packaged("templates/demo/lookup_unsafe.txt"))
    command = ("review", "--reviewer", spec, "--author", "human")
    play.shown(f"twoagent-hook {' '.join(command)}", stage.call(*command, variables=_own(environment)))


def _own(environment: Environment) -> dict[str, str]:
    """The user's own environment, since it is their reviewer; but not as if a hook ran."""
    return {
        name: value for name, value in environment.variables.items() if not name.startswith(("GIT_", "PRE_COMMIT"))
    }
