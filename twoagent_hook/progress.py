"""A line on the controlling terminal while somebody waits; captured output never sees it."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ERASE = b"\r\x1b[K"


@contextmanager
def waiting(text: object, *, shown: bool) -> Iterator[None]:
    """Show `text` and the seconds that pass, until the block ends; nothing where there is no terminal."""
    terminal = _open() if shown else None
    if terminal is None:
        yield
        return
    ended = threading.Event()
    writer = threading.Thread(target=_tick, args=(terminal, text, ended), daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join(timeout=1)
        with suppress(OSError):
            os.close(terminal)


def _open() -> int | None:
    try:
        return os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None


class Counter:
    """What is done, and how many of how many parts of it; as text it says how far it is."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0

    def answered(self) -> None:
        self._done += 1

    def __str__(self) -> str:
        return self._what if self._total == 1 else f"{self._what}, {self._done} of {self._total} parts"


def _tick(terminal: int, text: object, ended: threading.Event) -> None:
    started = time.monotonic()
    written = False
    with suppress(OSError):
        while not ended.wait(1.0):
            os.write(terminal, _ERASE + f"{text} … {time.monotonic() - started:.0f} s".encode())
            written = True
        if written:
            os.write(terminal, _ERASE)
