"""A conversation in a pseudo terminal: what it shows is waited for, and then something is typed."""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

END, INTERRUPT, QUIT = "\x04", "\x03", "\x1c"  # as the keys ^D, ^C and ^\\ send them

Answer = str | Callable[[str], str]  # what to type, or what makes it of all that was shown so far
Step = tuple[str, Answer]

# In a process of its own: forking one that has threads, as a test's server does, is not safe.
_TERMINAL = """
import fcntl, os, pty, select, struct, sys, termios
columns, command = int(sys.argv[1]), sys.argv[2:]
child, master = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(command[0], command)
sources = [master, 0]
while True:
    ready = select.select(sources, [], [])[0]
    if 0 in ready:
        typed = os.read(0, 65536)
        if typed:
            os.write(master, typed)
        else:
            sources.remove(0)
    if master in ready:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        os.write(1, piece)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""


class Terminal:
    """One program with a terminal as its standard streams and its controlling terminal.

    Attributes:
        shown: all that was shown until now, with what was typed, as a terminal echoes it.
        code: how it ended; None while it runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        environment: dict[str, str],
        columns: int = 100,
        seconds: float = 60,
    ) -> None:
        self.shown = ""
        self.code: int | None = None
        self._bytes = b""
        self._place = 0
        self._until = time.monotonic() + seconds
        self._process = subprocess.Popen(
            [sys.executable, "-c", _TERMINAL, str(columns), *command],
            cwd=cwd,
            env={"TERM": "xterm-256color"} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With the process that holds the terminal, the program in it gets a hang-up.
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- the terminal\n{self.shown}"

    @property
    def text(self) -> str:
        """What was shown, with line ends as in files."""
        return self.shown.replace("\r\n", "\n")

    def wait(self, text: str) -> None:
        """Until this is shown, after what was waited for before."""
        while (found := self.text.find(text, self._place)) < 0:
            assert self._read(), f"waited in vain for {text!r}\n{self!r}"
        self._place = found + len(text)

    def type(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode("utf-8", "surrogateescape"))

    def end(self) -> None:
        """Until it ends by itself."""
        while self._read():
            pass
        self.code = self._process.wait()

    def _read(self) -> bool:
        """Take what is shown next; False where nothing can follow."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            waited = ready.select(max(0.0, self._until - time.monotonic()))
        assert waited, f"it went on for too long\n{self!r}"
        piece = os.read(self._process.stdout.fileno(), 65536)
        self._bytes += piece
        self.shown = self._bytes.decode("utf-8", "replace")
        return bool(piece)


def converse(
    command: Sequence[str], *steps: Step, cwd: Path, environment: dict[str, str], columns: int = 100
) -> Terminal:
    """Wait for each text and type what belongs to it, in order; then until the program ends."""
    with Terminal(command, cwd=cwd, environment=environment, columns=columns) as terminal:
        for text, answer in steps:
            terminal.wait(text)
            terminal.type(answer if isinstance(answer, str) else answer(terminal.text))
        terminal.end()
    return terminal
