"""`twoagent-hook sample-config`: the configuration to paste."""

import argparse
import json
from importlib import metadata
from typing import Any

from twoagent_hook import __version__, console, datafiles
from twoagent_hook.environment import Environment
from twoagent_hook.exits import ExitCode


def run(arguments: argparse.Namespace, environment: Environment, _started: float) -> int:
    """Print the hook's configuration for one framework, and the policy to begin with."""
    template = datafiles.packaged(f"templates/sample/{arguments.target}.txt")
    command = console.own_command(environment)
    console.write(template.replace("{repo}", _repository(command)).replace("{command}", command))
    return int(ExitCode.OPEN)


def _repository(command: str) -> str:
    """The `repo:` entry that fits the way in which this was installed."""
    source = _installed_from()
    url, commit = source.get("url", ""), source.get("vcs_info", {}).get("commit_id")
    if url and commit:
        return datafiles.packaged("templates/sample/repo-git.txt").format(url=url, rev=commit)
    if source:  # a folder on this machine
        return datafiles.packaged("templates/sample/repo-system.txt").format(command=command)
    return datafiles.packaged("templates/sample/repo-index.txt").format(version=__version__)


def _installed_from() -> dict[str, Any]:
    """What pip recorded of a direct installation (PEP 610); empty for one from a package index."""
    try:
        text = metadata.distribution("twoagent-hook").read_text("direct_url.json")
        found = json.loads(text) if text else {}
    except (metadata.PackageNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
