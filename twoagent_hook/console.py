"""What is written where: payloads to standard output, messages to standard error, never a character it can't hold."""

import os
import shlex
import shutil
import sys
from typing import TextIO

from twoagent_hook.environment import Environment

SCRIPT = "twoagent-hook"


def write(text: str, stream: TextIO | None = None) -> None:
    """Write all of it; what the stream's encoding can't hold is spelled out."""
    stream = stream or sys.stdout
    if stream is None:  # closed before we began: nobody reads it
        return
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def tell(what: str, do: str) -> None:
    """A failure, in two lines, on standard error."""
    if sys.stderr is not None:
        write(f"{what}\n{do}\n", sys.stderr)


def own_command(environment: Environment) -> str:
    """How to call the product from the reader's shell.

    The hook runs in an environment that a framework made, whose script folder is on PATH only for the hook:
    there the absolute path is what works.
    """
    own = os.path.dirname(os.path.realpath(sys.executable)), os.path.join(os.path.realpath(sys.prefix), "bin")
    entries = environment.variables.get("PATH", "").split(os.pathsep)
    outside = os.pathsep.join(entry for entry in entries if os.path.realpath(entry) not in own)
    if shutil.which(SCRIPT, path=outside):
        return SCRIPT
    script = os.path.join(sys.prefix, "bin", SCRIPT)
    return shlex.quote(script) if os.access(script, os.X_OK) else shlex.join([sys.executable, "-m", "twoagent_hook"])
