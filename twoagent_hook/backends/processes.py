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
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from contextlib import suppress
from functools import partial
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
    started: list[subprocess.Popen[bytes]] = []
    code = signalled = None
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            _raise(_uninterrupted(lambda: started.append(_started(child, cookie, out, err))))
            await _watch(started[0].pid, (out, err), child.limit, deadline)
        finally:
            for process in started:
                over = _over(process.pid)
                signalled = _uninterrupted(partial(_end, process, cookie))
                code = process.returncode if over else None
        _raise(signalled)
        return Ran(code, _read(out, child.limit), _read(err, child.limit), _too_much((out, err), child.limit))


def _raise(signalled: KeyboardInterrupt | None) -> None:
    if signalled is not None:
        raise signalled


def _uninterrupted(work: Callable[[], None]) -> KeyboardInterrupt | None:
    """Do it to its end, and give the signal that came meanwhile: who presses ^C twice would leave processes behind."""
    future: futures.Future[None] = futures.Future()

    def do() -> None:
        try:
            work()
            future.set_result(None)
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            future.set_exception(error)

    threading.Thread(target=do).start()
    signalled: KeyboardInterrupt | None = None
    while not future.done():
        try:
            futures.wait([future])
        except KeyboardInterrupt as error:
            signalled = error
    future.result()
    return signalled


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


async def _watch(leader: int, outputs: Sequence[IO[bytes]], limit: int, deadline: float) -> None:
    """Wait for its end, the deadline, or too much output."""
    pause = 0.005
    while not _over(leader) and time.monotonic() < deadline and not _too_much(outputs, limit):
        await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, 0.05)


def _over(leader: int) -> bool:
    """Whether it has ended. It is not asked for its exit code yet: then its number, which is its group's too, might
    become somebody else's before we have ended the group."""
    import psutil

    try:
        return bool(psutil.Process(leader).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _too_much(outputs: Sequence[IO[bytes]], limit: int) -> bool:
    return any(os.fstat(output.fileno()).st_size > limit for output in outputs)


def _end(process: "subprocess.Popen[bytes]", cookie: str) -> None:
    """End it and all that it started: by descent, by process group, and by the cookie in their environment.

    What has left the group, has cleaned its environment, and has lost its parent, can't be told from others.
    """
    import psutil

    family: list[Any] = []
    if not _over(process.pid):
        family = _descendants(process.pid)
        _signal_group(process.pid, signal.SIGTERM)
        ends = time.monotonic() + _GRACE_SECONDS
        while not _over(process.pid) and time.monotonic() < ends:
            time.sleep(0.01)
        family += _descendants(process.pid)
    _signal_group(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
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


def _signal_group(group: int, number: signal.Signals) -> None:
    """One signal for all of a group: nobody in it can start another one in between."""
    with suppress(OSError):
        os.killpg(group, number)


def _descendants(pid: int) -> list[Any]:
    import psutil

    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _marked(cookie: str) -> list[Any]:
    """Processes of this user that were started, at whatever remove, with our cookie in their environment.

    The group of each is ended as it is found, and the newest are looked at first, since one may live for
    milliseconds only, and start the next.
    """
    import psutil

    found = []
    for pid in sorted(psutil.pids(), reverse=True):
        with suppress(psutil.Error, OSError):
            one = psutil.Process(pid)
            # Our child has begun a session of its own: who is in ours is none of them, whatever its environment.
            ours = os.getsid(pid) == os.getsid(0)
            if not ours and one.environ().get(COOKIE) == cookie and one.status() != psutil.STATUS_ZOMBIE:
                _signal_group(os.getpgid(pid), signal.SIGKILL)
                found.append(one)
    return found


def _read(output: IO[bytes], limit: int) -> bytes:
    output.seek(0)
    return output.read(limit)
