"""`twoagent-hook doctor`: what would happen to a commit, and why."""

import argparse
import json

from twoagent_hook import console
from twoagent_hook.environment import Environment


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Look at everything; ask a reviewer in earnest only where `--online` says so."""
    from twoagent_hook.doctor import Doctor
    from twoagent_hook.outputs import report as output

    doctor = Doctor(environment, tuple(arguments.reviewer or ()), arguments.config)
    found = doctor.examine()
    if arguments.online:
        from twoagent_hook.progress import waiting

        with waiting("asking in earnest", shown=environment.get("TERM") != "dumb"):
            found = doctor.tried(found)
    data = output.payload(found)
    console.write(json.dumps(data) + "\n" if arguments.output_format == "json" else output.render(data))
    return int(data["exit_code"])
