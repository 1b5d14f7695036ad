"""The log: one SQLite file in the repository's common git directory; the only importer of sqlite3.

It is shared by the repository's worktrees and goes with the clone. Each row is one model call or one decision.
"""

import errno
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twoagent_hook import files, visible

SCHEMA_VERSION = 1
_BUSY_SECONDS = 5.0

# Applied in order, each exactly once; never edited after a release, only added to.
MIGRATIONS = (
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        task_id TEXT,
        role TEXT NOT NULL,
        model TEXT,
        provider TEXT,
        latency_sec REAL,
        prompt_tokens INTEGER,
        output_tokens INTEGER,
        cached_tokens INTEGER,
        cost_usd REAL,
        result TEXT NOT NULL,
        evidence TEXT NOT NULL,
        author TEXT,
        tree TEXT,
        prompt_fingerprint TEXT,
        schema_version INTEGER NOT NULL
    );
    CREATE INDEX entries_tree ON entries (tree);
    CREATE INDEX entries_task ON entries (task_id);
    """,
)


class LogError(Exception):
    """The log can't be read or written; never a reason to lose a verdict."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; times are UTC in ISO 8601, `evidence` is JSON."""

    role: str
    result: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    task_id: str | None = None
    model: str | None = None
    provider: str | None = None
    latency_sec: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    author: str | None = None
    tree: str | None = None
    prompt_fingerprint: str | None = None
    schema_version: int = SCHEMA_VERSION
    id: int | None = None

    def fields(self) -> dict[str, Any]:
        """Every field, in the order of the columns."""
        return {name: getattr(self, name) for name in ("id", *_COLUMNS)}


_COLUMNS = (
    "at",
    "task_id",
    "role",
    "model",
    "provider",
    "latency_sec",
    "prompt_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
    "result",
    "evidence",
    "author",
    "tree",
    "prompt_fingerprint",
    "schema_version",
)


class Log:
    """The log of one repository."""

    def __init__(self, state_dir: str) -> None:
        self.path = os.path.join(state_dir, "trajectory.db")

    def append(self, entries: Sequence[Entry]) -> int:
        """Write rows in one transaction.

        Returns:
            the id of the last one.

        Raises:
            LogError: nothing was written.
        """
        with self._errors():
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
            self._check_own()
            with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                _migrate(connection)
                last = 0
                for entry in entries:
                    last = _insert(connection, entry)
                connection.execute("COMMIT")
                return last

    def read(self, *, limit: int | None = None, task_id: str | None = None, role: str | None = None) -> list[Entry]:
        """The newest rows, newest first.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        where, values = _conditions({"task_id": task_id, "role": role})
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        return self._select(f"{where} ORDER BY id DESC{bound}", values)

    def of_tree(self, tree: str, role: str) -> list[Entry]:
        """All rows of a role about a tree, newest first, but for those that are damaged.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        return self._select(" WHERE tree = ? AND role = ? ORDER BY id DESC", (tree, role), damaged=False)

    def of_task(self, task_id: str) -> tuple[list[Entry], list[int]]:
        """All rows of a task, oldest first, and the ids of those that are damaged.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        with self._errors():
            rows = self._rows(f"SELECT id, {', '.join(_COLUMNS)} FROM entries WHERE task_id = ? ORDER BY id", task_id)  # noqa: S608
            found = [(int(row["id"]), _undamaged(row)) for row in rows]
        return [entry for _, entry in found if entry is not None], [number for number, entry in found if entry is None]

    def tasks(self) -> list[str]:
        """The ids of the tasks that have rows: a thousand of them at most, the newest first.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        query = "SELECT task_id, max(id) FROM entries GROUP BY task_id ORDER BY 2 DESC LIMIT 1000"
        with self._errors():
            return [row["task_id"] for row in self._rows(query) if isinstance(row["task_id"], str)]

    def deferred(self) -> frozenset[str]:
        """The trees that were deferred, and neither judged nor shown to need no judgement since.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        if not os.path.exists(self.path):
            return frozenset()
        query = (  # of the last row of each
            "SELECT tree, result, max(id) FROM entries WHERE role = 'gate' AND result IN "
            "('deferred', 'approve', 'changes', 'blocked', 'skipped') GROUP BY tree"
        )
        with self._errors(), closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection:
            return frozenset(str(tree) for tree, result, _ in connection.execute(query) if result == "deferred")

    def get(self, number: int) -> Entry | None:
        """The row with this id.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        found = self._select(" WHERE id = ?", (number,))
        return found[0] if found else None

    def count(self) -> int:
        """How many rows there are.

        Raises:
            LogError: there is a file, and it can't be read.
        """
        if not os.path.exists(self.path):
            return 0
        with self._errors(), closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection:
            return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Rows as they are, texts that are no UTF-8 among them; within `_errors`."""
        if not os.path.exists(self.path):
            return []
        self._check_own()
        with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection:
            connection.row_factory = sqlite3.Row
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            return connection.execute(query, values).fetchall()

    def _check_own(self) -> None:
        """A log that another user could have written proves nothing.

        Raises:
            OSError: it is such a one.
        """
        if files.writable_by_others(self.path):
            raise PermissionError(errno.EPERM, "another user could write it, so it is left unused")

    def _select(self, tail: str, values: Sequence[Any], *, damaged: bool = True) -> list[Entry]:
        """Rows; one that is damaged is an error, or left out."""
        if not os.path.exists(self.path):
            return []
        with self._errors():
            self._check_own()
            # Not read-only: a writer that was killed leaves a journal, which a reader has to roll back.
            with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS)) as connection:
                connection.row_factory = sqlite3.Row
                rows = connection.execute(f"SELECT id, {', '.join(_COLUMNS)} FROM entries{tail}", values)  # noqa: S608
                found = (_entry(row) if damaged else _undamaged(row) for row in rows)
                return [entry for entry in found if entry is not None]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, OverflowError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise LogError(
                f"the log {visible.path(self.path)} can't be used: {visible.excerpt(reason or '', 200)}"
            ) from error


def _conditions(wanted: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    given = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in given)
    return (f" WHERE {where}" if where else ""), tuple(given.values())


def _migrate(connection: sqlite3.Connection) -> None:
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(MIGRATIONS):
        raise sqlite3.DatabaseError("it was written by a newer version of twoagent-hook")
    for number, script in enumerate(MIGRATIONS[done:], done + 1):
        for statement in script.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


def _insert(connection: sqlite3.Connection, entry: Entry) -> int:
    values = entry.fields() | {"evidence": json.dumps(entry.evidence, ensure_ascii=True)}
    marks = ", ".join("?" for _ in _COLUMNS)
    cursor = connection.execute(
        f"INSERT INTO entries ({', '.join(_COLUMNS)}) VALUES ({marks})",  # noqa: S608 - names of ours only
        [values[column] for column in _COLUMNS],
    )
    return cursor.lastrowid or 0


def _undamaged(row: sqlite3.Row) -> Entry | None:
    try:
        return _entry(row)
    except (ValueError, RecursionError):
        return None


def _entry(row: sqlite3.Row) -> Entry:
    """The row, if each field is of its kind: SQLite keeps whatever it is given.

    Raises:
        ValueError: it is not as it was written.
    """
    values = {column: row[column] for column in ("id", *_COLUMNS)}
    for column, value in values.items():
        kinds = int if column in _WHOLE else (int, float) if column in _NUMBERS else str
        if not isinstance(value, kinds) and not (value is None and column not in _NEEDED):
            raise ValueError(f"row {values['id']} is damaged ({column})")
    evidence = json.loads(values.pop("evidence"))
    return Entry(**values, evidence=evidence if isinstance(evidence, dict) else {})


_WHOLE = frozenset({"id", "prompt_tokens", "output_tokens", "cached_tokens", "schema_version"})
_NUMBERS = frozenset({"latency_sec", "cost_usd"})
_NEEDED = frozenset({"id", "at", "role", "result", "evidence", "schema_version"})
