"""`twoagent-hook sample-config`: the configuration to paste."""

import argparse

from twoagent_hook import console, samples
from twoagent_hook.environment import Environment
from twoagent_hook.exits import ExitCode


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Print the hook's configuration for one framework, and the policy to begin with."""
    console.write(samples.whole_text(arguments.target, console.own_command(environment)))
    return int(ExitCode.OPEN)
