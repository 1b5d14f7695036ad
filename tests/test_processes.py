"""A program is run to its end or to a deadline, and nothing that it started is there afterwards."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import clis as standins
from support.clis import Clis, Said
from support.repo import SCRIPT, Repo, Result

from twoagent_hook.backends import processes
from twoagent_hook.backends.processes import Child, Ran
from twoagent_hook.loops import run_async

SOON = 5.0  # seconds that ending takes at the most, on a busy machine
LIMIT = 1 << 20

# What scripts begin with: `note` keeps a process's number. Nothing of them lives for longer than a minute, and all of
# them have the place of the numbers, or the test's own length of a nap, in their command line.
HEAD = """
import os, signal, subprocess, sys, time
NAP = sys.argv[2]
def note(pid=None):
    with open(sys.argv[1], "a") as file:
        file.write(f"{pid or os.getpid()}\\n")
def hang():
    time.sleep(60)
note()
"""


class Machine:
    """A place for scripts; knows all processes that came of them."""

    def __init__(self, folder: Path) -> None:
        self.pids_file = folder / "pids"
        self.folder = folder / "work"
        self.folder.mkdir()
        self.nap = f"60.{uuid.uuid4().int % 10**12:012d}"
        self.environment = {"PATH": os.environ["PATH"], "PIDS": str(self.pids_file), "NAP": self.nap}

    def child(self, script: str, *, stdin: bytes = b"", limit: int = LIMIT) -> Child:
        argv = [sys.executable, "-IS", "-c", HEAD + script, str(self.pids_file), self.nap]
        return Child(argv, self.environment, str(self.folder), stdin, limit)

    def run(self, script: str, *, seconds: float = 30, stdin: bytes = b"", limit: int = LIMIT) -> Ran:
        deadline = time.monotonic() + seconds
        return run_async(lambda: processes.run(self.child(script, stdin=stdin, limit=limit), deadline))

    @property
    def pids(self) -> list[int]:
        return list(map(int, self.pids_file.read_text().split())) if self.pids_file.exists() else []

    def wait_for(self, number: int) -> None:
        until(lambda: len(self.pids) >= number)


def alive(nap: str) -> list[psutil.Process]:
    """The processes with this in their command line, a moment after they were killed: a system may take it to end them."""
    until = time.monotonic() + 2
    while (found := _running(nap)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _running(nap: str) -> list[psutil.Process]:
    """Their numbers alone may long be somebody else's."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if nap in one.cmdline() and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def none_left(nap: str) -> None:
    left = alive(nap)
    for one in left:
        with suppress(psutil.Error):
            one.kill()
    assert left == []


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.02)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    none_left(made.nap)


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """What is started here inherits no deafness to ^C from a test runner in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# --- it ends by itself ----------------------------------------------------------------------------------------


def test_it_runs_to_its_end(machine: Machine) -> None:
    ran = machine.run("sys.stdout.write('out\\n'); sys.stderr.write('err\\n')")
    assert ran == Ran(0, b"out\n", b"err\n", cut=False)


@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("os.abort()", -6)])
def test_how_it_ended_is_told(end: str, code: int, machine: Machine) -> None:
    ran = machine.run(
        f"import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); print(1, flush=True); {end}"
    )
    assert (ran.code, ran.out) == (code, b"1\n")


def test_it_is_where_it_is_put_with_the_environment_that_it_is_given(machine: Machine) -> None:
    ran = machine.run(
        "print(os.getcwd()); print(sorted(set(os.environ) - {'LC_CTYPE'})); print(os.getsid(0) == os.getpid())"
    )
    folder, names, alone = ran.out.decode().splitlines()
    assert os.path.realpath(folder) == os.path.realpath(machine.folder)
    assert names == str(sorted((*machine.environment, processes.COOKIE)))
    assert alone == "True"


def test_it_reads_all_that_it_is_given(machine: Machine) -> None:
    ran = machine.run("print(len(sys.stdin.buffer.read()))", stdin=b"x" * 2_000_000)
    assert ran.out == b"2000000\n"


def test_it_need_not_read(machine: Machine) -> None:
    started = time.monotonic()
    assert machine.run("print('done')", stdin=b"x" * 2_000_000).out == b"done\n"
    assert time.monotonic() - started < SOON


def test_it_may_close_what_it_should_read(machine: Machine) -> None:
    script = "os.read(0, 10); os.close(0); time.sleep(0.2); print('done')"
    assert machine.run(script, stdin=b"x" * 2_000_000) == Ran(0, b"done\n", b"")


def test_what_is_no_program_is_an_error_of_the_system(machine: Machine) -> None:
    threads = threading.active_count()
    with pytest.raises(FileNotFoundError):
        run_async(
            lambda: processes.run(Child(["/nowhere/x"], {}, str(machine.folder), b"", LIMIT), time.monotonic() + 5)
        )
    assert threading.active_count() == threads


def test_a_grandchild_that_keeps_its_output_open_keeps_nobody_waiting(machine: Machine) -> None:
    started = time.monotonic()
    ran = machine.run("note(subprocess.Popen(['sleep', NAP]).pid); print('done')")
    assert time.monotonic() - started < SOON
    assert (ran.code, ran.out) == (0, b"done\n")
    assert len(machine.pids) == 2


# --- it is ended ----------------------------------------------------------------------------------------------


def test_one_that_hangs_is_ended_at_the_deadline(machine: Machine) -> None:
    started = time.monotonic()
    ran = machine.run("print('so far', flush=True); hang()", seconds=0.5)
    assert 0.5 <= time.monotonic() - started < 0.5 + SOON
    assert ran == Ran(None, b"so far\n", b"")


def test_one_that_hangs_and_never_reads_is_ended_too(machine: Machine) -> None:
    assert machine.run("hang()", seconds=0.5, stdin=b"x" * 2_000_000).code is None


def test_a_deadline_that_is_over_is_one(machine: Machine) -> None:
    assert machine.run("hang()", seconds=-1).code is None


def test_what_it_does_when_it_is_asked_to_end_does_not_count(machine: Machine) -> None:
    """Gemini CLI ends with 0 then."""
    script = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); print('ready', flush=True); hang()"
    assert machine.run(script, seconds=0.7).code is None


FORK = "pid = os.fork()\nif pid == 0:\n    note()\n    hang()\n"
TREES = {
    "a-child": "note(subprocess.Popen(['sleep', NAP]).pid)",
    "a-grandchild": "subprocess.Popen(['sh', '-c', 'echo $$ >> \"$PIDS\"; sleep $NAP & echo $! >> \"$PIDS\"; wait'])",
    "one-in-a-session-of-its-own": "note(subprocess.Popen(['sleep', NAP], start_new_session=True).pid)",
    "one-in-a-group-of-its-own": "note(subprocess.Popen(['sleep', NAP], process_group=0).pid)",
    "a-daemon": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        for fd in range(3):\n            os.close(fd)\n"
        "        os.chdir('/')\n        note()\n        hang()\n    os._exit(0)\nos.wait()"
    ),
    "one-deaf-to-signals": (
        "if os.fork() == 0:\n    for number in (1, 2, 15):\n        signal.signal(number, signal.SIG_IGN)\n"
        "    note()\n    hang()"
    ),
    "one-with-a-clean-environment": "note(subprocess.Popen(['env', '-i', 'sleep', NAP]).pid)",
    "one-that-is-stopped": f"{FORK}os.kill(pid, signal.SIGSTOP)",
    "one-that-is-started-anew": (
        "if os.fork() == 0:\n    for _ in range(500):\n        one = subprocess.Popen(['sleep', NAP])\n        note(one.pid)\n"
        "        one.wait()\n    os._exit(0)"
    ),
    "one-that-starts-the-next-and-ends": (
        "if os.fork() == 0:\n    for _ in range(500):\n        if os.fork() > 0:\n            os._exit(0)\n"
        "        time.sleep(0.01)\n    os._exit(0)"
    ),
    "forty-of-them": "for _ in range(40):\n    note(subprocess.Popen(['sleep', NAP]).pid)",
}


@pytest.mark.parametrize("tree", TREES)
def test_all_that_it_leaves_behind_ends(tree: str, machine: Machine) -> None:
    started = time.monotonic()
    ran = machine.run(f"{TREES[tree]}\ntime.sleep(0.1)\nprint('there')")
    assert time.monotonic() - started < SOON
    assert (ran.code, ran.out) == (0, b"there\n")
    assert machine.pids
    assert alive(machine.nap) == []


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"], ids=["hangs", "is-deaf"])
def test_all_that_it_has_started_ends_with_it(deaf: str, machine: Machine) -> None:
    script = deaf + "\n".join(TREES.values()) + "\nprint('there', flush=True)\nhang()"
    started = time.monotonic()
    ran = machine.run(script, seconds=2)
    assert time.monotonic() - started < 2 + SOON
    assert (ran.code, ran.out) == (None, b"there\n")
    assert len(machine.pids) > 45
    assert alive(machine.nap) == []


def test_one_that_has_left_in_every_way_ends_while_it_can_be_told_from_others(machine: Machine) -> None:
    """Without our mark, in a session of its own: it is seen as long as its parent is there."""
    script = "note(subprocess.Popen(['env', '-i', 'sleep', NAP], start_new_session=True).pid); hang()"
    assert machine.run(script, seconds=0.8).code is None
    assert alive(machine.nap) == []


def test_what_others_have_started_is_left_alone(machine: Machine) -> None:
    other = subprocess.Popen(["/bin/sleep", "60"], env={processes.COOKIE: "another", "PATH": "/bin"})
    try:
        machine.run("note(subprocess.Popen(['sleep', NAP], start_new_session=True).pid)")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


# --- floods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [1, 2], ids=["out", "err"])
def test_a_flood_ends_it(stream: int, machine: Machine) -> None:
    started = time.monotonic()
    ran = machine.run(f"while True:\n    os.write({stream}, b'x' * 65536)", limit=100_000)
    assert time.monotonic() - started < SOON
    assert (ran.code, ran.cut) == (None, True)
    assert {len(ran.out), len(ran.err)} == {0, 100_000}


def test_a_flood_of_one_that_has_ended_is_one_too(machine: Machine) -> None:
    """What is left out of its output may be what counts."""
    ran = machine.run("os.write(1, b'x' * 100_001)", limit=100_000)
    assert (ran.cut, len(ran.out)) == (True, 100_000)


def test_an_output_of_full_length_is_no_flood(machine: Machine) -> None:
    ran = machine.run("os.write(1, b'x' * 100_000)", limit=100_000)
    assert (ran.code, ran.cut, len(ran.out)) == (0, False, 100_000)


# --- interrupted ----------------------------------------------------------------------------------------------


def test_one_that_is_cancelled_is_ended(machine: Machine) -> None:
    async def cancelled() -> None:
        work = processes.run(
            machine.child("note(subprocess.Popen(['sleep', NAP]).pid); hang()"), time.monotonic() + 30
        )
        task = asyncio.create_task(work)
        await asyncio.to_thread(machine.wait_for, 2)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        run_async(cancelled)
    assert alive(machine.nap) == []


@pytest.mark.parametrize("times", [0, 1, 3])
def test_what_must_not_be_left_half_done_is_done_before_a_signal_counts(times: int) -> None:
    done = []

    def work() -> None:
        time.sleep(0.3)
        done.append(True)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05 if times else 0, 0.08 if times > 1 else 0)
        signalled = processes._uninterrupted(work)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert done == [True]
    assert isinstance(signalled, KeyboardInterrupt) == bool(times)


def test_an_error_in_it_is_raised() -> None:
    def work() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        processes._uninterrupted(work)


# --- two at once ----------------------------------------------------------------------------------------------


def test_two_at_once_do_not_end_each_other(machine: Machine) -> None:
    async def both() -> list[Ran]:
        now = time.monotonic()
        slow = "note(subprocess.Popen(['sleep', NAP], start_new_session=True).pid); time.sleep(1.5); print('done')"
        return list(
            await asyncio.gather(
                processes.run(machine.child("hang()"), now + 0.3),
                processes.run(machine.child(slow), now + 30),
                processes.run(machine.child("print('quick')"), now + 30),
            )
        )

    found = run_async(both)
    assert [(ran.code, ran.out) for ran in found] == [(None, b""), (0, b"done\n"), (0, b"quick\n")]


# --- as a user meets it ---------------------------------------------------------------------------------------


@pytest.fixture
def clis(tmp_path: Path) -> Iterator[Clis]:
    """A folder that is all of PATH but git; nothing that stand-ins have started may be left."""
    made = Clis(tmp_path / "bin")
    (made.folder / "git").symlink_to(str(shutil.which("git")))
    yield made
    for sign in (nap(made), str(made.folder / "claude")):
        none_left(sign)


def nap(clis: Clis) -> str:
    """What the command lines of all have that the stand-in for Claude Code has started."""
    return standins.nap(str(clis.folder / ".claude.json"))


def started(clis: Clis) -> int:
    """How many it has started."""
    file = clis.folder / ".claude.json.pids"
    return file.read_text().count("\n") if file.exists() else 0


@pytest.fixture
def ready(changed: Repo, clis: Clis) -> Repo:
    changed.environment["PATH"] = str(clis.folder)
    return changed


HANGS = Said(does=("child", "daemon", "hang"))


def begin(repo: Repo, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        (str(SCRIPT), "review", "--output-format", "json", "--reviewer", "claude-cli", *arguments),
        cwd=repo.root,
        env=repo.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[bytes]") -> Result:
    out, err = process.communicate(timeout=30)
    return Result(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def rows(repo: Repo) -> list[tuple[str, str]]:
    return [(entry["role"], entry["result"]) for entry in repo.log()]


def kept(repo: Repo) -> set[str]:
    folder = Path(repo.environment["XDG_CACHE_HOME"]) / "twoagent-hook"
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_the_run_and_all_of_it(number: signal.Signals, times: int, ready: Repo, clis: Clis) -> None:
    clis.install("claude", HANGS)
    process = begin(ready)
    until(lambda: started(clis) == 2)
    began = time.monotonic()
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.1)
    result = finish(process)
    assert time.monotonic() - began < SOON
    assert result.code == 130, result
    assert "Traceback" not in result.text, result
    assert alive(nap(clis)) == []
    if times == 1:
        assert (result.json["outcome"], result.json["exit_code"]) == ("interrupted", 130)
        assert rows(ready) == [("gate", "interrupted"), ("reviewer", "interrupted")]
        assert kept(ready) == {"empty"}


def test_one_that_hangs_is_ended_at_the_deadline_of_the_hook(ready: Repo, clis: Clis) -> None:
    clis.install("claude", HANGS)
    began = time.monotonic()
    payload: Any = finish(begin(ready, "--timeout", "2")).json
    assert time.monotonic() - began < 2 + SOON
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "gave no answer within" in payload["problem"]["what"]
    assert "raise `timeout`" in payload["problem"]["do"]
    assert started(clis) == 2
    assert kept(ready) == {"empty"}


def test_one_that_leaves_others_behind_is_reviewed_by_all_the_same(ready: Repo, clis: Clis) -> None:
    clis.install("claude", standins.says("claude")._replace(does=("child", "daemon")))
    payload: Any = finish(begin(ready)).json
    assert payload["outcome"] == "approve", payload
    assert started(clis) == 2


def test_more_than_it_may_print_is_no_review(ready: Repo, clis: Clis) -> None:
    """Not even where a whole reply stands at its beginning."""
    said = standins.says("claude")
    clis.install("claude", said._replace(out=said.out + "x" * (5 << 20)))
    result = finish(begin(ready))
    assert (result.json["outcome"], result.json["exit_code"]) == ("invalid", 2), result
    assert "printed more than 4 MB" in result.json["problem"]["what"]
    assert len(clis.calls("claude")) == 1


def test_two_hooks_at_once_do_not_meet(ready: Repo, clis: Clis) -> None:
    clis.install("claude", standins.says("claude")._replace(does=("daemon",)))
    for process in [begin(ready) for _ in range(2)]:
        result = finish(process)
        assert (result.code, result.json["outcome"]) == (0, "approve"), result
    assert len({call.cwd for call in clis.calls("claude")}) == 1
    assert kept(ready) == {"empty"}
