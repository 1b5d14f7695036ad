"""`twoagent-hook sample-config`: the configuration to paste."""

import argparse

from twoagent_hook import console, samples
from twoagent_hook.environment import Environment
from twoagent_hook.exits import ExitCode


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Print the hook's configuration for one framework, and the policy to begin with."""
    console.write(samples.whole_text(arguments.target, console.own_command(environment)))
    if arguments.target in samples.AGENTS:  # JSON has no comments
        where = "put it into .claude/settings.json of the repository, or into ~/.claude/settings.json"
        console.tell(where, "it needs the extra: pip install 'twoagent-hook[guard]'")
    return int(ExitCode.OPEN)
