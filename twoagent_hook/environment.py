"""The process environment, read once: the only reader of os.environ."""

import os
from collections.abc import Mapping
from typing import NamedTuple

HOOK_VARIABLES = ("PRE_COMMIT", "GIT_INDEX_FILE")
_SDK_VARIABLES = "OPENAI_"


class Environment(NamedTuple):
    """The variables as they were at the start of the run."""

    variables: Mapping[str, str]

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


def capture() -> Environment:
    """Copy the environment, and take out of the process what libraries would act on by themselves.

    GitPython hands all of os.environ to git and can only add to it; the openai package sends an ambient
    organisation, project and headers to whatever host is asked. What of it is wanted is passed on explicitly.
    """
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    # "." in PATH would let the repository that is judged bring its own git.
    os.environ["PATH"] = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    variables = dict(os.environ)
    for name in variables:
        if name.startswith(("GIT_", _SDK_VARIABLES)):
            del os.environ[name]
    return Environment(variables)
