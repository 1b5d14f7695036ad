"""Runs a program to its end or to a deadline, whichever is first, and leaves no process of it behind.

The only importer of psutil. Output goes to files without a name, not to pipes: a grandchild that keeps a pipe open
would keep us waiting, and some programs lose what they wrote to a pipe at their exit.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple

COOKIE = "TWOAGENT_RUN"
_GRACE_SECONDS = 0.3  # from asking to end to ending
_ROUNDS = 5  # in which processes that start others meanwhile are looked for


class Ran(NamedTuple):
    """How a program ended, and what it wrote.

    Attributes:
        code: None where it was ended by us.
        cut: whether it wrote more than was allowed, and was ended for it.
    """

    code: int | None
    out: bytes
    err: bytes
    cut: bool = False


class Child(NamedTuple):
    """What to run; `folder` is where, `limit` is in bytes of output."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    stdin: bytes
    limit: int


async def run(child: Child, deadline: float) -> Ran:
    """Run it; whatever it started ends with it, also what left its process group.

    Args:
        deadline: in the time of `time.monotonic`.

    Raises:
        OSError: it can't be started.
    """
    cookie = secrets.token_hex(16)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = _started(child, cookie, out, err)
        try:
            cut = await _watch(process, (out, err), child.limit, deadline)
        finally:
            code = process.poll()
            _end(process, cookie)
        return Ran(code, _read(out, child.limit), _read(err, child.limit), cut)


def _started(child: Child, cookie: str, out: IO[bytes], err: IO[bytes]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        child.argv,
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=err,
        cwd=child.folder,
        env={**child.environment, COOKIE: cookie},
        start_new_session=True,
    )
    threading.Thread(target=_feed, args=(process.stdin, child.stdin), daemon=True).start()
    return process


def _feed(stream: IO[bytes], content: bytes) -> None:
    with suppress(OSError, ValueError):
        stream.write(content)
    with suppress(OSError, ValueError):
        stream.close()


async def _watch(
    process: "subprocess.Popen[bytes]", outputs: Sequence[IO[bytes]], limit: int, deadline: float
) -> bool:
    """Wait for its end, the deadline, or too much output; says whether it was the last."""
    pause = 0.005
    while process.poll() is None and time.monotonic() < deadline:
        if any(os.fstat(output.fileno()).st_size > limit for output in outputs):
            return True
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, 0.05)
    return False


def _end(process: "subprocess.Popen[bytes]", cookie: str) -> None:
    """End it and all that it started: by descent, by process group, and by the cookie in their environment."""
    import psutil

    running = process.poll() is None
    family = _descendants(process.pid) if running else []
    if running:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        family += _descendants(process.pid)
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait(1)
    for _ in range(_ROUNDS):
        left = [*family, *_marked(cookie)]
        if not left:
            break
        for one in left:
            with suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(left, timeout=_GRACE_SECONDS)
        family = []


def _descendants(pid: int) -> list[Any]:
    import psutil

    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _marked(cookie: str) -> list[Any]:
    """Processes of this user that were started, at whatever remove, with our cookie in their environment."""
    import psutil

    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if one.pid != os.getpid() and one.status() != psutil.STATUS_ZOMBIE and one.environ().get(COOKIE) == cookie:
                found.append(one)
    return found


def _read(output: IO[bytes], limit: int) -> bytes:
    output.seek(0)
    return output.read(limit)
