"""A run that is interrupted, killed, doubled, or can't write its log: nothing is approved and nothing is lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support import server as endpoint
from support.repo import SCRIPT, Repo, Result
from support.server import Answer, Hang, Request, Script, Server

KEY = "sk-loop-0123456789"
QUICKLY = 4.0  # seconds between a signal and the end, on a busy machine

Serve = Callable[..., Server]
Configure = Callable[..., Path]


@pytest.fixture
def hang() -> Iterator[Hang]:
    """An endpoint that takes the request and never answers; let go when the test ends."""
    made = Hang()
    yield made
    made.release.set()


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """What is started here inherits no deafness to ^C from a test runner in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(repo: Repo, *command: str, cwd: Path | None = None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command or (str(SCRIPT), "review", "--output-format", "json"),
        cwd=cwd or repo.root,
        env=repo.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[bytes]", timeout: float = 30) -> Result:
    out, err = process.communicate(timeout=timeout)
    return Result(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def state(repo: Repo) -> Path:
    return repo.root / ".git" / "twoagent-hook"


def gate_results(repo: Repo) -> list[str]:
    """What the log says of the decisions, newest first."""
    return [entry["result"] for entry in repo.log() if entry["role"] == "gate"]


# --- signals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("policy", ["", 'on-error = "allow"', 'on-error = "defer"'], ids=["block", "allow", "defer"])
def test_a_signal_during_a_request_ends_the_run_at_once_and_is_on_the_record(
    policy: str, number: signal.Signals, hang: Hang, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(hang), policy)
    process = start(changed)
    assert hang.asked.wait(timeout=20)
    started = time.monotonic()
    process.send_signal(number)
    result = finish(process)
    assert time.monotonic() - started < QUICKLY
    assert result.code == 130, result
    assert "Traceback" not in result.text, result
    assert "never retrieved" not in result.text, result
    assert KEY not in result.text
    assert (result.json["outcome"], result.json["exit_code"]) == ("interrupted", 130)
    assert result.json["reviews"] == []
    assert [(entry["role"], entry["result"]) for entry in changed.log()] == [
        ("gate", "interrupted"),
        ("reviewer", "interrupted"),
    ]


def test_an_interrupted_run_says_so_in_one_place_to_a_human(
    hang: Hang, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(hang))
    process = start(changed, str(SCRIPT), "review")
    assert hang.asked.wait(timeout=20)
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert result.code == 130, result
    assert "interrupted" in result.text
    assert "Traceback" not in result.text, result
    assert "approve" not in result.text


def test_an_interrupt_while_waiting_to_try_again_ends_the_run_at_once(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.fails(503, Retry_After="20"))
    configure(server)
    process = start(changed)
    until(lambda: bool(server.requests))
    time.sleep(0.3)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert time.monotonic() - started < QUICKLY
    assert (result.json["outcome"], result.code) == ("interrupted", 130), result
    assert gate_results(changed) == ["interrupted"]


def until(true: Callable[[], bool], timeout: float = 20) -> None:
    ends = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_control_c_during_a_commit_makes_no_commit_and_leaves_the_index(
    hang: Hang, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(hang))
    changed.install_plain_hook()
    before, staged = changed.head, changed.git("diff", "--cached")
    process = start(changed, "git", "commit", "--message", "a change")
    assert hang.asked.wait(timeout=20)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: git and the hook at once
    result = finish(process)
    assert result.code != 0
    assert changed.head == before
    assert changed.git("diff", "--cached") == staged
    assert "Traceback" not in result.text, result
    until(lambda: gate_results(changed) == ["interrupted"])
    assert not list((changed.root / ".git").glob("*.lock"))


def test_a_run_that_was_interrupted_is_no_verdict_for_the_next_one(
    hang: Hang, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(hang, endpoint.blocks())
    configure(server)
    process = start(changed)
    assert hang.asked.wait(timeout=20)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    assert changed.review()["outcome"] == "block"
    assert gate_results(changed) == ["blocked", "interrupted"]


def test_no_temporary_folder_is_left_behind_by_an_interrupt(
    hang: Hang, changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    changed.environment["TMPDIR"] = str(own)
    configure(serve(hang))
    process = start(changed)
    assert hang.asked.wait(timeout=20)
    assert list(own.iterdir())
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 130
    assert list(own.iterdir()) == []


LOOKUP = """
import asyncio, threading
from contextlib import suppress
from twoagent_hook.loops import run_async

begun, ended = threading.Event(), threading.Event()


def look_up():  # as slow as a name server that does not answer
    begun.set()
    ended.wait(20)


async def ask():
    with suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            await asyncio.get_running_loop().run_in_executor(None, look_up)


run_async(ask)
assert begun.is_set()
ended.set()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(10)
"""


def test_a_name_lookup_that_ends_after_its_request_was_given_up_prints_nothing(changed: Repo) -> None:
    started = time.monotonic()
    result = finish(start(changed, sys.executable, "-c", LOOKUP))
    assert (result.code, result.text) == (0, ""), result
    assert time.monotonic() - started < 10


# --- a run that is killed -------------------------------------------------------------------------------------


def test_a_run_that_is_killed_leaves_a_log_that_can_be_read_and_written(
    hang: Hang, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.approves(), hang, endpoint.blocks())
    configure(server)
    assert changed.review("--author", "human")["outcome"] == "approve"
    changed.stage("app.py", "def mean(values):\n    return 1 / 0\n")
    process = start(changed)
    assert hang.asked.wait(timeout=20)
    process.kill()
    assert finish(process).code == -signal.SIGKILL
    assert gate_results(changed) == ["approve"]
    assert changed.review()["outcome"] == "block"
    assert gate_results(changed) == ["blocked", "approve"]


WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the transaction ends
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM entries")
for number in range(200):
    values = (str(number), "gate", "approve", "{}" + " " * 4000, 1)
    connection.execute("INSERT INTO entries (at, role, result, evidence, schema_version) VALUES (?, ?, ?, ?, ?)", values)
print("written", flush=True)
time.sleep(60)
"""


def test_a_writer_that_is_killed_in_its_transaction_loses_only_its_own_rows(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(endpoint.blocks()))
    assert changed.review()["outcome"] == "block"
    database = state(changed) / "trajectory.db"
    size = database.stat().st_size
    process = start(changed, sys.executable, "-c", WRITER, str(database))
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    process.kill()
    finish(process)
    assert database.stat().st_size > size, "the transaction has not reached the file: the test shows nothing"
    assert (state(changed) / "trajectory.db-journal").stat().st_size > 0
    assert gate_results(changed) == ["blocked"]
    assert changed.review()["outcome"] == "block"
    assert gate_results(changed) == ["blocked", "blocked"]


# --- two at once ----------------------------------------------------------------------------------------------


def test_two_reviews_at_once_in_two_worktrees_are_both_on_the_record(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    both = threading.Barrier(2)

    def script(request: Request) -> Answer:
        both.wait(timeout=30)  # answers only when the other one is asking too
        verdict = endpoint.blocks() if "in the second" in request.user else endpoint.approves()
        return verdict(request)

    configure(serve(script))
    changed.git("worktree", "add", "--quiet", "-b", "second", str(tmp_path / "second"))
    second = Repo(tmp_path / "second", changed.environment, init=False)
    second.stage("app.py", "def mean(values):\n    return 0  # in the second\n")
    processes = [start(changed), start(second)]
    first, other = (finish(process) for process in processes)
    assert (first.json["outcome"], first.code) == ("approve", 0), first
    assert (other.json["outcome"], other.code) == ("block", 1), other
    assert first.json["tree"] != other.json["tree"]
    for repo in (changed, second):
        logged = {entry["tree"]: entry["result"] for entry in repo.log() if entry["role"] == "gate"}
        assert logged == {first.json["tree"]: "approve", other.json["tree"]: "blocked"}
    assert {first.json["log_id"], other.json["log_id"]} == {
        entry["id"] for entry in changed.log() if entry["role"] == "gate"
    }


def test_many_reviews_that_end_at_the_same_moment_are_all_on_the_record(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    number = 4
    all_of_them = threading.Barrier(number)

    def script(request: Request) -> Answer:
        all_of_them.wait(timeout=60)
        return endpoint.approves()(request)

    configure(serve(script))
    processes = [start(changed) for _ in range(number)]
    finished = [finish(process, 60) for process in processes]
    assert [result.code for result in finished] == [0] * number, finished
    assert len({result.json["log_id"] for result in finished}) == number
    assert gate_results(changed) == ["approve"] * number


# --- a log that can't be written ------------------------------------------------------------------------------


def _file_in_place_of_the_folder(repo: Repo) -> None:
    state(repo).write_text("this is no folder\n")


def _no_database(repo: Repo) -> None:
    state(repo).mkdir()
    (state(repo) / "trajectory.db").write_bytes(b"this is no database, and long enough to be looked at\n" * 100)


def _folder_in_place_of_the_database(repo: Repo) -> None:
    (state(repo) / "trajectory.db").mkdir(parents=True)


def _link_in_place_of_the_database(repo: Repo) -> None:
    state(repo).mkdir()
    (state(repo) / "trajectory.db").symlink_to(repo.root / "elsewhere.db")


def _database_of_a_newer_version(repo: Repo) -> None:
    state(repo).mkdir()
    with closing(sqlite3.connect(state(repo) / "trajectory.db")) as connection:
        connection.execute("PRAGMA user_version = 9999")
        connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY)")
        connection.commit()


def _database_without_its_table(repo: Repo) -> None:
    state(repo).mkdir()
    with closing(sqlite3.connect(state(repo) / "trajectory.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE unrelated (id INTEGER PRIMARY KEY)")
        connection.commit()


DAMAGES = [
    pytest.param(_file_in_place_of_the_folder, id="a-file-in-place-of-the-folder"),
    pytest.param(_no_database, id="no-database"),
    pytest.param(_folder_in_place_of_the_database, id="a-folder-in-place-of-the-database"),
    pytest.param(_link_in_place_of_the_database, id="a-link-in-place-of-the-database"),
    pytest.param(_database_of_a_newer_version, id="a-newer-version"),
    pytest.param(_database_without_its_table, id="a-database-without-its-table"),
]
VERDICTS = [
    pytest.param(endpoint.approves(), "approve", 0, id="approve"),
    pytest.param(endpoint.blocks(), "block", 1, id="block"),
    pytest.param(endpoint.fails(401), "unreviewed", 2, id="unreviewed"),
]


def assert_told(result: Result, repo: Repo) -> None:
    """That the log is not written is said once, apart from the verdict."""
    assert result.err.count("the verdict stands, and this review is not on the record") == 1, result
    assert str(state(repo)) in result.err, result
    assert "Traceback" not in result.text, result


@pytest.mark.parametrize(
    ("damage", "script", "outcome", "code"),
    [
        pytest.param(*damage.values, *VERDICTS[place % 2].values, id=f"{damage.id}-{VERDICTS[place % 2].id}")
        for place, damage in enumerate(DAMAGES)
    ],
)
def test_a_log_that_can_not_be_written_loses_no_verdict(
    script: Script,
    outcome: str,
    code: int,
    damage: Callable[[Repo], None],
    changed: Repo,
    serve: Serve,
    configure: Configure,
) -> None:
    configure(serve(script))
    damage(changed)
    result = changed.run("review", "--output-format", "json")
    assert (result.json["outcome"], result.json["exit_code"], result.code) == (outcome, code, code), result
    assert result.json["log_id"] is None
    assert_told(result, changed)


def test_a_block_stops_the_commit_though_the_log_can_not_be_written(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(endpoint.blocks()))
    changed.install_plain_hook()
    _file_in_place_of_the_folder(changed)
    before = changed.head
    result = changed.commit()
    assert result.code != 0
    assert changed.head == before
    assert_told(result, changed)
    assert "division fails" in result.text


@pytest.mark.parametrize("damage", [_no_database, _database_without_its_table, _folder_in_place_of_the_database])
def test_a_log_that_can_not_be_read_is_told_with_what_to_do(damage: Callable[[Repo], None], changed: Repo) -> None:
    damage(changed)
    result = changed.run("log", "list")
    assert result.code == 2, result
    assert str(state(changed) / "trajectory.db") in result.err
    assert "move the file away" in result.err
    assert "Traceback" not in result.text


def test_a_damaged_log_that_is_moved_away_is_begun_anew(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve())
    _no_database(changed)
    assert changed.review()["log_id"] is None
    (state(changed) / "trajectory.db").rename(state(changed) / "damaged.db")
    assert changed.review()["log_id"] is not None
    assert gate_results(changed) == ["approve"]


def test_a_link_in_place_of_the_log_is_not_followed(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve())
    _link_in_place_of_the_database(changed)
    assert changed.review()["outcome"] == "approve"
    assert not (changed.root / "elsewhere.db").exists()


WITHOUT_ROOM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))  # no file grows over two pages of a database
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(("script", "outcome", "code"), VERDICTS)
def test_a_full_disk_loses_no_verdict(
    script: Script, outcome: str, code: int, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(script))

    arguments = (str(SCRIPT), "review", "--output-format", "json")
    result = finish(start(changed, sys.executable, "-c", WITHOUT_ROOM, *arguments))
    assert (result.json["outcome"], result.code) == (outcome, code), result
    assert result.json["log_id"] is None
    assert_told(result, changed)
    again = changed.run("review", "--output-format", "json")  # with room again, what is left there is no hindrance
    assert (again.json["outcome"], again.code) == (outcome, code)
    assert again.json["log_id"] is not None, again


def test_a_log_that_somebody_else_keeps_locked_loses_no_verdict(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(endpoint.approves(), endpoint.blocks()))
    assert changed.review()["outcome"] == "approve"
    with closing(sqlite3.connect(state(changed) / "trajectory.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        result = changed.run("review", "--output-format", "json")
        assert time.monotonic() - started < 15
        connection.execute("ROLLBACK")
    assert (result.json["outcome"], result.code) == ("block", 1), result
    assert result.json["log_id"] is None
    assert_told(result, changed)
    assert gate_results(changed) == ["approve"]


def test_a_reader_that_goes_away_opens_no_gate(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(endpoint.blocks()))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [str(SCRIPT), "review", "--output-format", "json"],
            cwd=changed.root,
            env=changed.environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode in {1, 2}, done
    assert b"Traceback" not in done.stderr
    assert gate_results(changed) == ["blocked"]


def test_what_is_stored_of_a_review_is_what_was_shown(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(endpoint.blocks()))
    result = changed.run("review", "--output-format", "json")
    (entry,) = [entry for entry in changed.log() if entry["role"] == "gate"]
    shown = json.loads(result.out)
    assert entry["evidence"]["decision"] == shown | {"log_id": None}
    assert entry["id"] == shown["log_id"]
