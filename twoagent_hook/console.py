"""What is written where: payloads to standard output, messages to standard error, never a character it can't hold."""

import os
import shlex
import shutil
import sys
from contextlib import suppress
from typing import TextIO

from twoagent_hook.environment import Environment
from twoagent_hook.exits import ExitCode

SCRIPT = "twoagent-hook"


def write(text: str, stream: TextIO | None = None) -> None:
    """Write all of it; what the stream's encoding can't hold is spelled out.

    What can't be written (a full disk) ends the run, and is said where that can still be said.
    """
    stream = stream or sys.stdout
    if stream is None:  # closed before we began: nobody reads it
        return
    try:
        _put(text, stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would be tried again, and fail again, when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        what = f"twoagent-hook: what was to be printed can't be written: {error.strerror}"
        tell(what, "make room there, or send it elsewhere")
        raise SystemExit(ExitCode.NO_VERDICT) from None


def tell(what: str, do: str) -> None:
    """A failure, in two lines, on standard error."""
    if sys.stderr is not None:
        with suppress(OSError):  # there is nowhere else to say it
            _put(f"{what}\n{do}\n", sys.stderr)


def _put(text: str, stream: TextIO) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def shown() -> bool:
    """Whether a terminal is what we write to."""
    return sys.stdout is not None and sys.stdout.isatty()


def encoding() -> str:
    """Of standard output."""
    return (sys.stdout.encoding if sys.stdout is not None else None) or "utf-8"


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
