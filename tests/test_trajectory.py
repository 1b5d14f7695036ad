"""The log: what it keeps, who may write at once, and that it never stands in a verdict's way."""

import json
import multiprocessing
import os
import re
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import approves, blocks

from twoagent_hook import trajectory
from twoagent_hook.trajectory import Entry, Log, LogError

FIELDS = {
    "id", "at", "task_id", "role", "model", "provider", "latency_sec", "prompt_tokens", "output_tokens", "cached_tokens",
    "cost_usd", "result", "evidence", "author", "tree", "prompt_fingerprint", "schema_version",
}  # fmt: skip


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "state"))
    entry = Entry(
        "gate", "blocked", task_id="T-1", model="gpt-5.5", evidence={"text": "née \u202e\n\x1b"}, tree="a" * 40
    )
    number = log.append([Entry("reviewer", "blocked"), entry])
    found = log.get(number)
    assert found is not None
    assert found.fields() == {**entry.fields(), "id": number}
    assert set(found.fields()) == FIELDS
    assert [row.role for row in log.read()] == ["gate", "reviewer"]
    assert [row.id for row in log.read(task_id="T-1")] == [number]
    assert log.read(limit=1, role="reviewer")[0].role == "reviewer"
    assert log.get(99) is None


def test_the_files_are_the_users_alone(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "state"))
    log.append([Entry("gate", "approve")])
    assert stat.S_IMODE(os.stat(log.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == 0o700


def test_a_log_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "state"))
    assert log.read() == []
    assert not os.path.exists(log.path)


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "state" / "trajectory.db").symlink_to(victim)
    with pytest.raises(LogError):
        Log(str(tmp_path / "state")).append([Entry("gate", "approve")])
    assert victim.read_text() == "mine"


def test_a_damaged_log_says_so(tmp_path: Path) -> None:
    (tmp_path / "trajectory.db").write_bytes(b"not a database, but long enough to be read as one" * 10)
    with pytest.raises(LogError, match=r"trajectory\.db"):
        Log(str(tmp_path)).append([Entry("gate", "approve")])
    with pytest.raises(LogError, match=r"trajectory\.db"):
        Log(str(tmp_path)).read()


def test_a_log_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    log = Log(str(tmp_path))
    log.append([Entry("gate", "approve")])
    with sqlite3.connect(log.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LogError, match="newer version"):
        log.append([Entry("gate", "approve")])


def test_an_older_log_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path))
    log.append([Entry("gate", "approve")])
    monkeypatch.setattr(
        trajectory, "MIGRATIONS", (*trajectory.MIGRATIONS, "CREATE TABLE more (a); CREATE TABLE other (b)")
    )
    log.append([Entry("gate", "blocked")])
    with sqlite3.connect(log.path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (0,)
    connection.close()
    assert [row.result for row in log.read()] == ["blocked", "approve"]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(str(tmp_path))
    log.append([Entry("gate", "approve")])
    monkeypatch.setattr(trajectory, "MIGRATIONS", (*trajectory.MIGRATIONS, "CREATE TABLE more (a); nonsense"))
    with pytest.raises(LogError):
        log.append([Entry("gate", "blocked")])
    monkeypatch.undo()
    assert [row.result for row in log.read()] == ["approve"]


def _write(folder: str, count: int) -> None:
    for number in range(count):
        Log(folder).append([Entry("reviewer", str(number)), Entry("gate", str(number))])


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(tmp_path), 10)) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    rows = Log(str(tmp_path)).read()
    assert len(rows) == 120
    # The rows of one append stand together.
    assert all(
        later.role == "gate" and earlier.role == "reviewer"
        for later, earlier in zip(rows[::2], rows[1::2], strict=True)
    )


def test_a_review_leaves_a_row_for_the_call_and_one_for_the_decision(
    changed: Repo, serve: Any, configure: Any
) -> None:
    configure(serve(blocks()))
    made = changed.review("--task", "T-7", TWOAGENT_AUTHOR="claude-opus-4-7", TWOAGENT_REASON="because")
    gate, call = changed.log()
    assert (gate["role"], gate["result"], call["role"], call["result"]) == ("gate", "blocked", "reviewer", "blocked")
    assert gate["id"] == made["log_id"]
    assert gate["task_id"] == call["task_id"] == "T-7"
    assert gate["tree"] == call["tree"] == changed.git("write-tree")
    assert gate["evidence"]["decision"]["findings"] == made["findings"]
    assert len(gate["evidence"]["diff_digest"]) == 64
    assert gate["evidence"]["reason"] == "because"
    assert call["evidence"]["attempts"] == 1
    assert json.loads(call["evidence"]["reply"])["verdict"] == "block"
    assert (call["prompt_tokens"], call["output_tokens"], call["cached_tokens"]) == (1200, 40, 1000)
    assert "claude-opus-4-7" in gate["author"]
    assert gate["prompt_fingerprint"] == call["prompt_fingerprint"]
    assert gate["cost_usd"] is None


def test_nothing_staged_leaves_no_row(repo: Repo) -> None:
    assert repo.review()["outcome"] == "skipped"
    assert repo.log() == []


def test_the_log_is_shared_by_worktrees(changed: Repo, serve: Any, configure: Any, tmp_path: Path) -> None:
    configure(serve(approves()))
    changed.git("worktree", "add", "-q", str(tmp_path / "other"), "HEAD")
    other = Repo(tmp_path / "other", changed.environment, init=False)
    other.stage("b.py", "b = 1\n")
    changed.review()
    other.review()
    assert len(other.log()) == len(changed.log()) == 4


def test_list_and_show_are_readable(changed: Repo, serve: Any, configure: Any) -> None:
    configure(serve(blocks()))
    changed.review()
    listed = changed.call("log")
    assert listed.out.splitlines()[0].split()[:4] == ["#", "when", "(UTC)", "role"]
    assert "blocked" in listed.out
    assert "reviewer" not in listed.out
    shown = changed.call("log", "show", "2")
    assert "Top risks" in shown.out
    assert "--no-verify" in shown.out
    assert "no-verify" not in changed.call("log", "show", "2", CLAUDECODE="1").out
    call = changed.call("log", "show", "1")
    assert "role: reviewer" in call.out
    assert '"verdict": "block"' in call.out
    assert len(changed.call("log", "--all", "--output-format", "jsonl").out.splitlines()) == 2
    assert changed.call("log", "list", "--limit", "1", "--output-format", "json").json[0]["role"] == "gate"
    missing = changed.call("log", "show", "99")
    assert missing.code == 2
    assert "the log has no row 99" in missing.err


def test_what_is_said_of_a_damaged_log_acts_on_no_terminal(tmp_path: Path) -> None:
    log = Log(str(tmp_path / "st\x1b[2Jate"))
    log.append([Entry("gate", "approve")])
    with closing(sqlite3.connect(log.path)) as connection:
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE \x1b[2J' WHERE name = 'entries'")
        connection.commit()
    with pytest.raises(LogError) as caught:
        log.read()
    assert str(caught.value).isprintable()


# --- whatever is in the file --------------------------------------------------------------------------------

unhurried = settings(
    max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
ANY_CELL = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | ANY_TEXT | st.binary(max_size=20)
PAINT = re.compile(r"\x1b\[[0-9;]*m")
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def shown_safely(repo: Repo, *arguments: str) -> None:
    """It is shown, or said to be damaged; nothing of it acts on the terminal, and there is no traceback."""
    result = repo.call("log", *arguments)
    assert result.code in {0, 2}
    assert result.code == 0 or "what to do:" in result.err
    assert "internal error" not in result.text
    assert not ACTS.search(PAINT.sub("", result.text)), ascii(result.text)


def every_view(repo: Repo) -> None:
    for arguments in (("list", "--all"), ("list", "--output-format", "jsonl"), ("show", "1")):
        shown_safely(repo, *arguments)


@unhurried
@given(cells=st.dictionaries(st.sampled_from(sorted(FIELDS - {"id"})), ANY_CELL, max_size=4))
def test_a_row_of_any_values_is_shown_or_said_to_be_damaged(reviewed: Repo, cells: dict[str, Any]) -> None:
    path = reviewed.root / ".git" / "twoagent-hook" / "trajectory.db"
    before = path.read_bytes()
    try:
        with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.IntegrityError):
            for column, value in cells.items():
                connection.execute(f"UPDATE entries SET {column} = ?", (value,))
            connection.commit()
        every_view(reviewed)
    finally:
        path.write_bytes(before)


@unhurried
@given(data=st.data())
def test_a_decision_of_any_values_is_shown_or_said_to_be_damaged(reviewed: Repo, data: st.DataObject) -> None:
    path = reviewed.root / ".git" / "twoagent-hook" / "trajectory.db"
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        kept = json.loads(connection.execute("SELECT evidence FROM entries WHERE role = 'gate'").fetchone()[0])
    decision = kept["decision"]
    for key in data.draw(st.lists(st.sampled_from(sorted(decision)), max_size=3)):
        if data.draw(st.booleans()):
            decision.pop(key, None)
        else:
            decision[key] = data.draw(ANY_JSON)
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE entries SET evidence = ?", (json.dumps(kept),))
            connection.commit()
        for number in ("1", "2"):
            shown_safely(reviewed, "show", number)
    finally:
        path.write_bytes(before)


@unhurried
@given(data=st.data())
def test_a_file_of_any_bytes_is_read_or_said_to_be_damaged(reviewed: Repo, data: st.DataObject) -> None:
    path = reviewed.root / ".git" / "twoagent-hook" / "trajectory.db"
    before = path.read_bytes()
    content = bytearray(before)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        path.write_bytes(content[:cut] if data.draw(st.booleans()) else content)
        every_view(reviewed)
    finally:
        path.write_bytes(before)


@pytest.fixture
def reviewed(changed: Repo, serve: Any, configure: Any) -> Repo:
    """A repository with one blocked review in its log."""
    configure(serve(blocks()))
    assert changed.review()["outcome"] == "block"
    return changed
