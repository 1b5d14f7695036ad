"""The process environment, read once: the only reader of os.environ."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

HOOK_VARIABLES = ("PRE_COMMIT", "GIT_INDEX_FILE")


class Environment(NamedTuple):
    """The variables as they were at the start of the run.

    Attributes:
        search: the PATH as it was given; that of `variables` holds no folder which the repository could fill.
    """

    variables: Mapping[str, str]
    search: str = ""

    def get(self, name: str) -> str | None:
        """The value, or None where the variable is unset or blank."""
        value = self.variables.get(name, "").strip()
        return value or None

    @property
    def framework(self) -> bool:
        """Whether pre-commit or prek runs us (both set the same variable)."""
        return self.get("PRE_COMMIT") is not None

    @property
    def hook(self) -> bool:
        """Whether a commit runs us: then flags and variables may only tighten the gate."""
        return any(self.get(name) is not None for name in HOOK_VARIABLES)


# What libraries, and the programs that are run, need of it; all else is passed on where it is wanted, keys above all.
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TEMP|TMP|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLUMNS|LINES|COLORTERM|NO_COLOR"
    r"|FORCE_COLOR|XDG_\w+|SYSTEMROOT|LD_LIBRARY_PATH|DYLD_\w+|PYTHON\w+|VIRTUAL_ENV|SSL_CERT_(?:FILE|DIR)"
    r"|(?i:(?:https?|all|no|ftp)_proxy)|COVERAGE\w*|PYTEST\w*|TWOAGENT_\w+"
)


def capture() -> Environment:
    """Copy the environment, and take out of the process what libraries would act on by themselves.

    GitPython hands all of os.environ to git and can only add to it; the openai package sends an ambient
    organisation, project and headers to whatever host is asked. What of it is wanted is passed on explicitly.
    """
    search = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join(_trusted(search))
    variables = dict(os.environ)
    for name in variables:
        if not _KEPT.fullmatch(name):
            del os.environ[name]
    return Environment(variables, search)


def _trusted(path: str) -> list[str]:
    """The folders of a PATH, but for relative ones and those inside of the repository around this folder.

    Either would let the repository that is judged bring its own git, or its own reviewer.
    """
    entries = [entry for entry in path.split(os.pathsep) if os.path.isabs(entry)]
    root = _repository(os.path.realpath(os.environ.get("HOME", "/")))
    if root is None:
        return entries
    return [entry for entry in entries if not f"{os.path.realpath(entry)}{os.sep}".startswith(f"{root}{os.sep}")]


def _repository(home: str) -> str | None:
    """The nearest folder upwards that holds a `.git`; a home folder under version control is no such thing."""
    try:
        folder = os.path.realpath(os.getcwd())
    except OSError:
        return None
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return None if folder in {home, "/"} else folder
