"""The configuration to paste, or to write, for each way in which hooks are run."""

import json
from importlib import metadata
from typing import Any

from twoagent_hook import __version__, datafiles

FRAMEWORKS = ("pre-commit", "prek")
AGENTS = ("claude-code",)  # whose permission hooks take the guard


def hook_text(target: str, command: str) -> str:
    """The hook's own configuration; `command` is how the product is called."""
    template = datafiles.packaged(f"templates/sample/{target}.txt")
    command = json.dumps(command)[1:-1] if target in AGENTS else command
    return template.replace("{repo}", _repository(command)).replace("{command}", command)


def whole_text(target: str, command: str) -> str:
    """The same with what is to be done besides."""
    after = datafiles.packaged("templates/sample/after.txt") if target in FRAMEWORKS else ""
    return hook_text(target, command) + after.replace("{framework}", target)


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
