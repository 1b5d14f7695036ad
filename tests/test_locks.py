"""Lock files: what comes from elsewhere, and what has lost its proof. The cases are in `lock_cases.txt`."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import diffs

from twoagent_hook import datafiles
from twoagent_hook.changes import ABSENT, TOO_LARGE, FileChange, Hunk, Line, Status
from twoagent_hook.findings import Finding
from twoagent_hook.screening import contents, lockfiles, locks

pure = settings(max_examples=200, deadline=None, database=None)

ALL = diffs.cases((Path(__file__).parent / "lock_cases.txt").read_text(encoding="utf-8"))
ALARM, WHOLE, NOTHING = "lock-source", "lock-source whole", "nothing"


@cache
def read_all() -> dict[str, tuple[FileChange, ...]]:
    return diffs.separate(ALL)


def told(one: diffs.Case, *, whole: bool) -> list[Finding]:
    """What is found in the case's file, with both of its texts or with the hunks alone."""
    (file,) = read_all()[one.label]
    before, after = diffs.sides(one.files[file.path]) if whole else (None, None)
    return list(locks.find(file, file.path, before, after))


def lock(path: str, *rows: str, status: Status = Status.MODIFIED, unread: str | None = None) -> FileChange:
    old = new = 1
    lines = []
    for row in rows:
        sign = row[0]
        lines.append(Line(sign, old if sign != "+" else None, new if sign != "-" else None, row[1:]))
        old, new = old + (sign != "+"), new + (sign != "-")
    modes = {Status.ADDED: (ABSENT, "100644"), Status.DELETED: ("100644", ABSENT)}.get(status, ("100644", "100644"))
    hunks = (Hunk(1, 1, "", tuple(lines)),) if rows else ()
    return FileChange(path, status, *modes, "0" * 40, "1" * 40, (5, 7), hunks, unread)


# --- the table ----------------------------------------------------------------------------------------------


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({one.label for one in ALL}) == len(ALL) >= 80


@pytest.mark.parametrize("one", ALL, ids=[one.label for one in ALL])
def test_with_both_texts(one: diffs.Case) -> None:
    found = told(one, whole=True)
    assert bool(found) == (one.expected != NOTHING), [(item.title, item.place) for item in found]


@pytest.mark.parametrize("one", ALL, ids=[one.label for one in ALL])
def test_with_the_hunks_alone(one: diffs.Case) -> None:
    found = told(one, whole=False)
    # What a piece doesn't show may be missed; what it shows is never more than the whole file does.
    assert found or one.expected != ALARM
    assert not found or one.expected != NOTHING, [(item.title, item.place) for item in found]


@pytest.mark.parametrize("one", [one for one in ALL if one.expected != NOTHING], ids=lambda one: one.label)
def test_every_finding_says_where_and_why(one: diffs.Case) -> None:
    (file,) = read_all()[one.label]
    added = {line.new: line.text for line in file.lines if line.sign == "+"}
    for finding in told(one, whole=True):
        assert finding.kind == ALARM
        assert finding.effect is None
        assert finding.title
        assert finding.fix
        assert finding.file == file.path
        assert finding.line_start is None or finding.line_start in added


# --- what is said -------------------------------------------------------------------------------------------


def npm(**packages: dict[str, object]) -> str:
    rows = {f"node_modules/{name}": row for name, row in packages.items()}
    return json.dumps({"lockfileVersion": 3, "packages": rows}, indent=2)


def entry(name: str, version: str = "1.0.0", host: str = "registry.npmjs.org") -> dict[str, object]:
    return {
        "version": version,
        "resolved": f"https://{host}/{name}/-/{name}-{version}.tgz",
        "integrity": f"sha512-{name}{version}",
    }


def test_a_moved_registry_is_told_once_and_with_its_host() -> None:
    names = [f"p{number}" for number in range(40)]
    before, after = (
        npm(**{name: entry(name, host=host) for name in names}) for host in ("registry.npmjs.org", "npm.example.com")
    )
    file = lock("package-lock.json", *(f"+{row}" for row in after.split("\n")))
    (finding,) = locks.find(file, "package-lock.json", before, after)
    assert finding.title == "packages come from npm.example.com, which the lock file did not name before"
    assert finding.line_start is not None
    assert "npm.example.com" in finding.quote


def test_no_more_than_three_of_a_sort_are_told() -> None:
    names = [f"p{number}" for number in range(40)]
    before = npm(**{name: entry(name) for name in names})
    after = before.replace("integrity", "license")
    found = list(locks.find(lock("package-lock.json", "+x"), "package-lock.json", before, after))
    assert [finding.title for finding in found] == [f"p{number} has lost its hash" for number in range(3)]


def test_a_host_that_stands_elsewhere_in_the_file_is_not_new() -> None:
    before = npm(a=entry("a", host="npm.example.com"), b=entry("b"))
    after = npm(a=entry("a", host="npm.example.com"), b=entry("b"), c=entry("c", host="npm.example.com"))
    assert not list(locks.find(lock("package-lock.json", "+x"), "package-lock.json", before, after))


def test_a_line_in_another_spelling_is_found() -> None:
    after = npm(a=entry("a", host="evil.example")).replace("/", "\\/")
    file = lock("package-lock.json", *(f"+{row}" for row in after.split("\n")))
    (finding,) = locks.find(file, "package-lock.json", npm(a=entry("a")), after)
    assert finding.line_start == 6


def test_a_file_that_is_not_read_raises_no_alarm_by_itself() -> None:
    assert not list(locks.find(lock("package-lock.json", unread=TOO_LARGE), "package-lock.json", None, None))


def test_a_minified_file_is_read_like_any_other() -> None:
    before, after = (
        json.dumps(json.loads(npm(a=entry("a", host=host)))) for host in ("registry.npmjs.org", "evil.example")
    )
    file = lock("package-lock.json", f"-{before}", f"+{after}")
    assert list(locks.find(file, "package-lock.json", before, after))
    assert list(locks.find(file, "package-lock.json", None, None))


def test_the_name_is_shown_as_it_is_given() -> None:
    after = npm(a=entry("a", host="evil.example"))
    (finding,) = locks.find(lock("package-lock.json", "+x"), "⟦shown⟧", npm(a=entry("a")), after)
    assert finding.file == "⟦shown⟧"


# --- sources ------------------------------------------------------------------------------------------------

SOURCES = [
    ("https://registry.npmjs.org/ms/-/ms-1.0.0.tgz", lockfiles.REGISTRY, "registry.npmjs.org", True),
    ("https://registry.npmjs.org:443/ms", lockfiles.REGISTRY, "registry.npmjs.org", True),
    ("https://registry.npmjs.org:8443/ms", lockfiles.REGISTRY, "registry.npmjs.org:8443", True),
    ("https://user:pass@evil.example/ms", lockfiles.REGISTRY, "evil.example", True),
    ("https://registry.npmjs.org@evil.example/ms", lockfiles.REGISTRY, "evil.example", True),
    ("HTTPS://Registry.NPMJS.org/ms", lockfiles.REGISTRY, "registry.npmjs.org", True),
    ("http://registry.npmjs.org/ms", lockfiles.REGISTRY, "registry.npmjs.org", False),
    ("https://registry.npmjs.org\\@evil.example/ms", lockfiles.REGISTRY, "evil.example", True),
    ("https://evil.example?https://registry.npmjs.org/ms", lockfiles.REGISTRY, "evil.example", True),
    ("https://evil.example#registry.npmjs.org/ms", lockfiles.REGISTRY, "evil.example", True),
    ("registry+https://github.com/rust-lang/crates.io-index", lockfiles.REGISTRY, "github.com", True),
    ("sparse+https://index.crates.io/", lockfiles.REGISTRY, "index.crates.io", True),
    ("git+https://github.com/acme/lib.git#1", lockfiles.CODE, "github.com", True),
    ("git+ssh://git@github.com/acme/lib.git", lockfiles.CODE, "github.com", True),
    ("git+ssh://git@github.com:acme/lib.git", lockfiles.CODE, "github.com", True),
    ("git@github.com:acme/lib.git", lockfiles.CODE, "github.com", True),
    ("git://github.com/acme/lib.git", lockfiles.CODE, "github.com", False),
    ("github:acme/lib", lockfiles.CODE, "github.com", True),
    ("https://github.com/acme/lib.git", lockfiles.CODE, "github.com", True),
    ("https://codeload.github.com/acme/lib/tar.gz/1", lockfiles.CODE, "codeload.github.com", True),
    ("https://api.github.com/repos/acme/lib/zipball/1", lockfiles.CODE, "api.github.com", True),
    ("https://github.com/acme/lib/archive/1.tar.gz", lockfiles.CODE, "github.com", True),
    ("file:../lib", lockfiles.PATH, "", True),
    ("link:packages/lib", lockfiles.PATH, "", True),
    ("path+file:///home/me/lib", lockfiles.PATH, "", True),
    ("./lib", lockfiles.PATH, "", True),
    ("/tmp/lib.tgz", lockfiles.PATH, "", True),
    ("packages/lib", lockfiles.PATH, "", True),
    ("url+https://example.com/a.whl", lockfiles.DIRECT, "example.com", True),
]


@pytest.mark.parametrize(("text", "kind", "host", "secure"), SOURCES)
def test_a_source_is_read_as_its_client_reads_it(text: str, kind: str, host: str, secure: bool) -> None:
    found = lockfiles.source(text)
    assert (found.kind, found.host, found.secure) == (kind, host, secure)


@pytest.mark.parametrize(
    "text",
    [
        "git+ssh://git@github.com/acme/lib.git#1",
        "git@github.com:acme/lib.git",
        "github:acme/lib",
        "https://codeload.github.com/acme/lib/tar.gz/1",
        "https://api.github.com/repos/Acme/lib/zipball/1",
        "https://github.com/acme/lib/archive/1.tar.gz",
    ],
)
def test_one_repository_has_many_spellings(text: str) -> None:
    assert lockfiles.source(text).repository == "github.com/acme/lib"


# --- the table of formats -----------------------------------------------------------------------------------


def test_every_known_lock_file_with_a_text_is_read_or_named_as_not_read() -> None:
    unread = {"bun.lockb", "cabal.project.freeze"}
    assert {name for name in contents.known_files()["lock"]["names"] if lockfiles.format_of(name) is None} == unread


def test_every_reader_of_the_table_is_there() -> None:
    table = datafiles.packaged_toml("screening/locks.toml")["formats"]
    readers = {row.get("reader", "") for row in table.values()} - {""}
    assert readers == set(lockfiles.READERS)


# --- anything at all ----------------------------------------------------------------------------------------

NAMES = sorted(lockfiles.formats())
ROWS = sorted({row[1:] for one in ALL for rows in one.files.values() for row in rows.split("\n") if row})
texts = st.lists(st.sampled_from(ROWS) | st.text(max_size=30), max_size=30).map("\n".join) | st.text()
bad_json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["packages", "dependencies", "default", "_meta", "sources", "nodes", "locked", "node_modules/a", "resolved", "version", "integrity", "url", "dist", "source", "type", "hashes", "a"]), inner, max_size=4), max_leaves=20).map(json.dumps)  # fmt: skip


@pure
@given(st.sampled_from(NAMES), texts | bad_json, texts | bad_json)
def test_nothing_breaks_it(name: str, before: str, after: str) -> None:
    rows = [*(f"-{row}" for row in before.split("\n")), *(f"+{row}" for row in after.split("\n"))]
    file = lock(f"sub/{name}", *rows)
    for pair in ((before, after), (None, after), (before, None), (None, None)):
        assert {finding.kind for finding in locks.find(file, name, *pair)} <= {ALARM}


@pure
@given(st.sampled_from([one for one in ALL if one.expected == NOTHING]), st.booleans())
def test_a_file_that_stays_as_it_is_raises_no_alarm(one: diffs.Case, old: bool) -> None:
    (path,) = one.files
    text = diffs.sides(one.files[path])[0 if old else 1]
    assert not list(locks.find(lock(path, "+x"), path, text or "", text or ""))


@pure
@given(st.sampled_from([one for one in ALL if one.expected != NOTHING]))
def test_an_alarm_stays_one_next_to_a_harmless_bump(one: diffs.Case) -> None:
    (path,) = one.files
    before, after = diffs.sides(one.files[path])
    if after and path.endswith(".lock") and "[[package]]" in after:
        more = '\n[[package]]\nname = "zz"\nversion = "{}"\nsource = {{ registry = "https://pypi.org/simple" }}\nsdist = {{ url = "https://files.pythonhosted.org/zz-{}.tar.gz", hash = "sha256:{}" }}\n'
        (file,) = read_all()[one.label]
        pair = ((before or "") + more.format(1, 1, "1" * 16), after + more.format(2, 2, "2" * 16))
        assert list(locks.find(file, path, *pair))
