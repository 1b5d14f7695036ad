"""Where a program is that the user named; never one that a repository brought."""

import os
import shutil
from collections.abc import Mapping


def executable(program: str, variables: Mapping[str, str]) -> str | None:
    """The absolute path of a program by its name, its path, or its place below the home folder (`~/…`)."""
    if program.startswith("~/"):
        program = os.path.join(variables.get("HOME", "/"), program[2:])
    return shutil.which(program, path=variables.get("PATH", os.defpath))
