"""The parsing of git's output, against git's own answers and against garbage."""

import io
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import chdir
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.repo import Repo

from twoagent_hook import changes, git
from twoagent_hook.changes import ChangeSet, FileChange, Hunk, Line, PatchParser, Section, Status
from twoagent_hook.environment import Environment
from twoagent_hook.errors import GitError
from twoagent_hook.git import Trees, Workspace
from twoagent_hook.snapshots import Snapshot

OLD, NEW, NONE = "1" * 40, "2" * 40, "0" * 40

with_git = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
pure = settings(max_examples=400, deadline=None, database=None)


# --- the list of files --------------------------------------------------------------------------------------


def entry(name: bytes, status: str = "M", old: str = "100644", new: str = "100644") -> bytes:
    return f":{old} {new} {OLD} {NEW} {status}".encode() + b"\0" + name + b"\0"


def test_an_empty_list_holds_nothing() -> None:
    assert changes.parse_manifest(b"") == ()


def test_every_part_of_an_entry_is_kept() -> None:
    (file,) = changes.parse_manifest(entry(b"a b/c\n.py", "T", "100755", "120000"))
    assert file == FileChange("a b/c\n.py", Status.TYPE_CHANGED, "100755", "120000", OLD, NEW)


def test_entries_keep_their_order() -> None:
    files = changes.parse_manifest(entry(b"b", "D") + entry(b"a", "A") + entry(b":100644", "M"))
    assert [(file.path, file.status.value) for file in files] == [("b", "D"), ("a", "A"), (":100644", "M")]


@pytest.mark.parametrize(
    "raw",
    [
        b"\0",
        b"\0\0",
        entry(b"a")[:-1],
        entry(b"a") + b"b\0",
        entry(b""),
        entry(b"a")[1:],
        entry(b"a", "R100"),
        entry(b"a", "U"),
        entry(b"a", "X"),
        entry(b"a", ""),
        entry(b"a", "m"),
        entry(b"a", "AM"),
        b":100644 100644 " + OLD.encode() + b" M\0a\0",
        entry(b"a").replace(b" ", b"\t"),
        entry(b"a").replace(b" M", b"  M"),
        b"::100644 100644 " + OLD.encode() + b" " + OLD.encode() + b" " + OLD.encode() + b" M\0a\0",
        entry(b"a").replace(b"M\0", b"\xff\0"),
        b"warning: something\n" + entry(b"a"),
    ],
)
def test_a_list_of_another_form_is_an_error(raw: bytes) -> None:
    with pytest.raises(GitError):
        changes.parse_manifest(raw)


@pure
@given(
    st.binary()
    | st.lists(st.sampled_from([b":", b"100644 ", OLD.encode(), b" ", b"M", b"A", b"\0", b"n"])).map(b"".join)
)
def test_a_list_of_garbage_is_an_error_or_a_list(raw: bytes) -> None:
    try:
        files = changes.parse_manifest(raw)
    except GitError:
        return
    assert len(files) == raw.count(b"\0") // 2


@pure
@given(st.lists(st.tuples(st.binary(min_size=1).filter(lambda name: b"\0" not in name), st.sampled_from("AMDT"))))
def test_every_name_comes_back_byte_for_byte(entries: list[tuple[bytes, str]]) -> None:
    files = changes.parse_manifest(b"".join(entry(name, status) for name, status in entries))
    assert [(changes.encode(file.path), file.status.value) for file in files] == entries


def rename(source: bytes, path: bytes, about: str) -> bytes:
    return about.encode() + b"\0" + source + b"\0" + path + b"\0"


def test_renames_are_told_apart_from_other_entries() -> None:
    raw = (
        entry(b"a", "D")
        + rename(b"old", b"new", f":100644 100644 {OLD} {OLD} R100")
        + entry(b"R100", "M")
        + rename(b"caf\xe9", b"b", f":100644 100644 {OLD} {NEW} R064")
        + rename(b"c", b"d", f":100644 100755 {OLD} {OLD} R100")
        + entry(b"z", "A")
    )
    assert changes.parse_renames(raw) == (("old", "new", True), ("caf\udce9", "b", False), ("c", "d", False))


@pytest.mark.parametrize("raw", [b"R\0a\0b\0", b" R100\0a\0b\0", b"R100\0", b"a b R\0", b":1 R\0x\0y\0"])
def test_renames_of_another_form_are_an_error_or_none(raw: bytes) -> None:
    try:
        found = changes.parse_renames(raw)
    except GitError:
        return
    assert found == ()


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        (b"plain.py", b"plain.py"),
        (b"with blank", b"with blank"),
        (b"it's", b"it's"),
        (b'say "hi"', rb'"say \"hi\""'),
        (b"back\\slash", rb'"back\\slash"'),
        (b"new\nline", rb'"new\nline"'),
        (b"tab\t", rb'"tab\t"'),
        (b"\a\b\v\f\r", rb'"\a\b\v\f\r"'),
        (b"\x01\x1b\x7f", rb'"\001\033\177"'),
        ("ü".encode(), rb'"\303\274"'),
        (b"\xff", rb'"\377"'),
        (b"~", b"~"),
        (b"", b""),
    ],
)
def test_a_name_is_quoted_as_git_quotes_it(name: bytes, quoted: bytes) -> None:
    assert changes.quote(name) == quoted


def test_a_header_quotes_each_side_by_itself() -> None:
    assert changes.header("plain", "caf\udce9") == rb'diff --git a/plain "b/caf\351"'


# --- against git --------------------------------------------------------------------------------------------


class Store(NamedTuple):
    """Trees made without an index, and what the product reads between two of them."""

    repo: Repo
    workspace: Workspace

    def tree(self, files: dict[bytes, bytes]) -> str:
        rows = b"".join(
            b"100644 blob "
            + self.repo.git("hash-object", "-w", "--stdin", stdin=content).encode()
            + b"\t"
            + name
            + b"\0"
            for name, content in files.items()
        )
        return self.repo.git("mktree", "-z", stdin=rows)

    def change(self, old: dict[bytes, bytes], new: dict[bytes, bytes]) -> ChangeSet:
        return Snapshot(self.workspace).change(Trees(self.tree(old), self.tree(new)))


@pytest.fixture
def store(empty_repo: Repo) -> Iterator[Store]:
    environment = Environment(empty_repo.environment)
    with chdir(empty_repo.root):
        location = git.locate(environment)
    with Workspace(location, environment) as workspace:
        yield Store(empty_repo, workspace)


def bytes_of(line: Line) -> bytes:
    return changes.encode(line.text) + (b"\n" if line.ended else b"")


def assert_tells_all(file: FileChange, old: bytes, new: bytes) -> None:
    """Every line stands where its number says, and what is not shown is the same on both sides."""
    before, after = io.BytesIO(old).readlines(), io.BytesIO(new).readlines()
    for line in file.lines:
        if line.old is not None:
            assert before[line.old - 1] == bytes_of(line)
        if line.new is not None:
            assert after[line.new - 1] == bytes_of(line)
    removed = {line.old for line in file.lines if line.sign == "-"}
    added = {line.new for line in file.lines if line.sign == "+"}
    kept = [line for number, line in enumerate(before, 1) if number not in removed]
    assert kept == [line for number, line in enumerate(after, 1) if number not in added]
    assert {line.sign for line in file.lines} <= {" ", "+", "-"}
    assert file.unread is None


STRUCTURE = (
    b"diff --git a/x b/x",
    b'diff --git "a/x" "b/x"',
    b"--- a/x",
    b"+++ b/x",
    b"-- ",
    b"@@ -1 +1 @@",
    b"@@ -1,2 +1,2 @@ def f():",
    b"\\ No newline at end of file",
    b"\\",
    b"+",
    b"-",
    b" ",
    b"",
    b"Binary files a/x and b/x differ",
    b"GIT binary patch",
    b"index 1111111..2222222 100644",
    b"new file mode 100644",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    b"def f():",
    b"same",
    b"same",
)
one_line = st.sampled_from(STRUCTURE) | st.binary(max_size=12).map(lambda text: text.replace(b"\n", b""))
contents = st.builds(
    lambda lines, ended: b"\n".join(lines) + (b"\n" if ended else b""), st.lists(one_line, max_size=40), st.booleans()
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A file, and the same with some of its lines changed."""
    lines = draw(st.lists(one_line, max_size=60))
    other = list(lines)
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(other)))
        other[place : place + draw(st.integers(0, 3))] = draw(st.lists(one_line, max_size=3))
    ends = draw(st.tuples(st.sampled_from([b"", b"\n"]), st.sampled_from([b"", b"\n"])))
    return b"\n".join(lines) + ends[0], b"\n".join(other) + ends[1]


@with_git
@given(pairs=st.lists(edits() | st.tuples(contents, contents), min_size=1, max_size=6))
def test_the_hunks_of_any_content_are_those_of_git(store: Store, pairs: list[tuple[bytes, bytes]]) -> None:
    old = {b"f%d" % number: pair[0] for number, pair in enumerate(pairs)}
    new = {b"f%d" % number: pair[1] for number, pair in enumerate(pairs)}
    files = {changes.encode(file.path): file for file in store.change(old, new).files}
    assert set(files) == {name for name in old if old[name] != new[name]}
    for name, file in files.items():
        assert file.status is Status.MODIFIED
        assert file.sizes == (len(old[name]), len(new[name]))
        assert_tells_all(file, old[name], new[name])


@with_git
@given(pairs=st.lists(contents, min_size=1, max_size=6))
def test_added_and_deleted_files_are_told_whole(store: Store, pairs: list[bytes]) -> None:
    files = {b"f%d" % number: content for number, content in enumerate(pairs)}
    for file in store.change({b"z": b"z"}, files | {b"z": b"z"}).files:
        assert_tells_all(file, b"", files[changes.encode(file.path)])
        assert file.status is Status.ADDED
    for file in store.change(files | {b"z": b"z"}, {b"z": b"z"}).files:
        assert_tells_all(file, files[changes.encode(file.path)], b"")
        assert file.status is Status.DELETED


names = (
    st.binary(min_size=1, max_size=20)
    | st.lists(
        st.sampled_from([b" b", b" ", b'"', b"\\", b"\n", b"a", b"\t", b"\xc3\xbc", b"\xe9", b"\x7f"]), min_size=1
    ).map(b"".join)
).filter(lambda name: not set(name) & {0, ord("/")} and name.lower() not in {b".", b"..", b".git"})


@with_git
@given(st.sets(names, min_size=1, max_size=12))
def test_files_of_any_name_are_told_apart(store: Store, found: set[bytes]) -> None:
    new = {name: b"%d\n" % number for number, name in enumerate(sorted(found))}
    change = store.change({b"zz": b"z"}, new | {b"zz": new.get(b"zz", b"z")})
    read = {changes.encode(file.path): b"".join(map(bytes_of, file.lines)) for file in change.files}
    assert read == new


@with_git
@given(st.sets(names, min_size=1, max_size=12))
def test_the_header_of_any_name_is_that_of_git(store: Store, found: set[bytes]) -> None:
    old, new = store.tree({b"zz": b""}), store.tree(dict.fromkeys(found, b"x\n") | {b"zz": b""})
    patch = store.workspace.run("diff-tree", "-p", "--no-renames", old, new)
    headers = {line for line in patch.split(b"\n") if line.startswith(b"diff --git ")}
    assert headers == {changes.header(*[changes.decode(name)] * 2) for name in found - {b"zz"}} | (
        {changes.header("zz", "zz")} if b"zz" in found else set()
    )


@with_git
@given(st.sets(names, min_size=2, max_size=10), st.data())
def test_the_edits_of_a_moved_file_are_those_of_git(store: Store, found: set[bytes], data: st.DataObject) -> None:
    order = data.draw(st.permutations(sorted(found)))
    half = len(order) // 2
    moved = dict(zip(order[:half], order[half:], strict=False))
    text = {
        name: b"".join(b"%d is line %d\n" % (number, line) for line in range(9)) for number, name in enumerate(moved)
    }
    edited = {name: text[name] + data.draw(st.sampled_from([b"", b"end", b"+\n", b"@@ -1 +1 @@\n"])) for name in moved}
    change = store.change({b"zz": b"z"} | text, {b"zz": b"z"} | {moved[name]: edited[name] for name in moved})
    for rename in change.renames:
        source, path = changes.encode(rename.source), changes.encode(rename.path)
        before, after = text[source], next(edited[name] for name in moved if moved[name] == path)
        assert rename.exact == (before == after)
        assert_tells_all(rename.edits, before, after)
    if b"zz" not in found:
        assert {(changes.encode(rename.source), changes.encode(rename.path)) for rename in change.renames} == set(
            moved.items()
        )


# --- the patch ----------------------------------------------------------------------------------------------

HEADERS = {changes.header("x", "x"): 0, changes.header("y", "y"): 1}


def parsed(patch: bytes) -> tuple[Section, ...]:
    return tuple(PatchParser(io.BytesIO(patch).readline, HEADERS).sections())


def patch_of(*hunks: bytes, path: str = "x") -> bytes:
    preamble = f"diff --git a/{path} b/{path}\nindex {OLD}..{NEW} 100644\n--- a/{path}\n+++ b/{path}\n"
    return preamble.encode() + b"".join(hunks)


def test_an_empty_patch_has_no_section() -> None:
    assert parsed(b"") == ()


def test_a_hunk_is_read_with_its_place() -> None:
    (section,) = parsed(patch_of(b"@@ -3,2 +5,2 @@ def f():\n same\n-old\n+new\n"))
    lines = (Line(" ", 3, 5, "same"), Line("-", 4, None, "old"), Line("+", None, 6, "new"))
    assert section == Section(0, (Hunk(3, 5, "def f():", lines),), binary=False)


def test_counts_of_one_may_be_left_out() -> None:
    (section,) = parsed(patch_of(b"@@ -3 +5 @@\n-old\n+new\n"))
    assert section.hunks is not None
    assert section.hunks[0].lines == (Line("-", 3, None, "old"), Line("+", None, 5, "new"))


def test_a_missing_line_feed_is_of_the_line_before() -> None:
    mark = b"\\ No newline at end of file\n"
    (section,) = parsed(patch_of(b"@@ -1 +1 @@\n-old\n", mark, b"+new\n", mark))
    assert section.hunks is not None
    assert [(line.text, line.ended) for line in section.hunks[0].lines] == [("old", False), ("new", False)]


def test_a_section_without_a_hunk_is_a_section() -> None:
    patch = b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n" + patch_of(b"@@ -1 +1 @@\n-a\n+b\n", path="y")
    assert [(section.key, len(section.hunks or ())) for section in parsed(patch)] == [(0, 0), (1, 1)]


def test_a_binary_section_is_told() -> None:
    (section,) = parsed(b"diff --git a/x b/x\nindex 1..2\nBinary files a/x and b/x differ\n")
    assert section.binary


@pytest.mark.parametrize(
    "patch",
    [
        b"garbage\n",
        b"\n",
        b"diff --git a/z b/z\n",
        b"diff --git a/x b/y\n",
        b"warning: something\n" + patch_of(b"@@ -1 +1 @@\n-a\n+b\n"),
        patch_of(b"@@ -1,2 +1,2 @@\n-a\n"),
        patch_of(b"@@ -1 +1 @@\n-a\n+b\n+c\n"),
        patch_of(b"@@ -1 +1 @@\n-a\n-b\n"),
        patch_of(b"@@ -1 +1 @@\n\n"),
        patch_of(b"@@ -1 +1 @@\nxyz\n"),
        patch_of(b"@@ -1,99999999999 +1,99999999999 @@\n a\n"),
        patch_of(b"@@ -a +b @@\n"),
        patch_of(b"@@ -1 +1\n-a\n+b\n"),
        patch_of(b"@@ -1 +1 @@\n-a\n+b\n", b"@@ nonsense\n"),
        patch_of(b"@@ -0,0 +1 @@\n-a\n"),
        patch_of(b"@@ -1 +1 @@\n-a\ndiff --git a/y b/y\n"),
        patch_of(b"@@ -1 +1 @@\n-a\n+b\n", b"diff --git a/nobody b/nobody\n"),
        patch_of(b"@@ -" + b"9" * 6000 + b" +1 @@\n-a\n+b\n"),
        patch_of(b"@@ -1," + b"9" * 6000 + b" +1 @@\n-a\n+b\n"),
    ],
)
def test_a_patch_of_another_form_is_an_error(patch: bytes) -> None:
    with pytest.raises(GitError):
        parsed(patch)


tokens = st.sampled_from(
    [
        b"diff --git a/x b/x\n",
        b"diff --git a/y b/y\n",
        b"--- a/x\n",
        b"+++ b/x\n",
        b"@@ -1 +1 @@\n",
        b"@@ -1,2 +1,3 @@ f\n",
        b"@@ -0,0 +1,2 @@\n",
        b"@@ -5,0 +5 @@\n",
        b"@@ \n",
        b"@@",
        b"+a\n",
        b"-a\n",
        b" a\n",
        b"\\ No newline at end of file\n",
        b"\\",
        b"+",
        b"\n",
        b"\0\xff\n",
        b"Binary files differ\n",
        b"9999999999",
    ]
)


@pure
@given(st.lists(tokens, max_size=30).map(b"".join) | st.binary())
def test_a_patch_of_garbage_is_an_error_or_a_patch(patch: bytes) -> None:
    try:
        sections = parsed(patch)
    except GitError:
        return
    assert len(sections) <= patch.count(b"diff --git ")
    signed = sum(len(hunk.lines) for section in sections for hunk in section.hunks or ())
    assert signed <= patch.count(b"\n") + 1


@pure
@given(st.data())
def test_a_patch_that_is_cut_short_is_an_error_or_lacks_whole_hunks(data: st.DataObject) -> None:
    first = patch_of(b"@@ -1,2 +1,2 @@\n same\n-a\n+b\n", b"@@ -9 +9 @@\n-c\n\\ No newline at end of file\n+d\n")
    patch = first + patch_of(b"@@ -1 +1 @@\n-e\n+f\n", path="y")
    whole = parsed(patch)
    try:
        cut = parsed(patch[: data.draw(st.integers(0, len(patch)))])
    except GitError:
        return
    assert len(cut) <= len(whole)
    for part, full in zip(cut, whole, strict=False):
        assert [len(hunk.lines) for hunk in part.hunks or ()] == [len(hunk.lines) for hunk in full.hunks or ()][
            : len(part.hunks or ())
        ]


@pytest.mark.parametrize("line", [b"+" + b"x" * 99 + b"\n", b"+\n"], ids=["long", "short"])
def test_a_patch_of_any_length_is_read_in_bounded_memory_and_time(line: bytes) -> None:
    count = (12 << 20) // len(line) if len(line) > 9 else 1_500_000

    def patch() -> Iterator[bytes]:
        yield from patch_of(b"@@ -0,0 +1,%d @@\n" % count).splitlines(keepends=True)
        for _ in range(count):
            yield line
        yield from patch_of(b"@@ -1 +1 @@\n-a\n+b\n", path="y").splitlines(keepends=True)

    lines = patch()
    started = time.monotonic()
    if len(line) > 9:
        tracemalloc.start()
    try:
        sections = tuple(PatchParser(lambda: next(lines, b""), HEADERS).sections())
        peak = tracemalloc.get_traced_memory()[1] if tracemalloc.is_tracing() else 0
    finally:
        tracemalloc.stop()
    assert [section.hunks is None for section in sections] == [True, False]
    assert peak < 16 << 20
    assert time.monotonic() - started < 30


def test_what_is_kept_is_limited_in_all() -> None:
    size = 1000
    hunk = b"@@ -0,0 +1,%d @@\n" % size + (b"+" + b"x" * 998 + b"\n") * size
    count = 20
    headers = {changes.header(f"f{number}", f"f{number}"): number for number in range(count)}
    patch = io.BytesIO(b"".join(patch_of(hunk, path=f"f{number}") for number in range(count)))
    sections = tuple(PatchParser(patch.readline, headers).sections())
    kept = [section.key for section in sections if section.hunks is not None]
    assert kept == list(range(changes.TOTAL_LIMIT // (size * 1000)))


# --- the two together ---------------------------------------------------------------------------------------


def modified(path: str, **values: object) -> FileChange:
    return FileChange(path, Status.MODIFIED, "100644", "100644", OLD, NEW, **{"sizes": (1, 1), **values})  # type: ignore[arg-type]


HUNK = Hunk(1, 1, "", (Line("-", 1, None, "a"), Line("+", None, 1, "b")))


def test_each_file_gets_its_hunks() -> None:
    files = changes.assemble(
        (modified("a"), modified("b")), iter([Section(1, (), binary=True), Section(0, (HUNK,), binary=False)])
    )
    assert [(file.hunks, file.unread) for file in files] == [((HUNK,), None), ((), "git shows no lines of it")]


def test_the_two_sections_of_a_change_of_type_are_joined() -> None:
    (file,) = changes.assemble((modified("a"),), iter([Section(0, (HUNK,), binary=False)] * 2))
    assert file.hunks == (HUNK, HUNK)


@pytest.mark.parametrize("first", [True, False])
def test_a_change_of_type_with_one_side_too_large_shows_neither(first: bool) -> None:
    sections = [Section(0, None, binary=False), Section(0, (HUNK,), binary=False)]
    (file,) = changes.assemble((modified("a"),), iter(sections if first else sections[::-1]))
    assert (file.hunks, file.unread) == ((), "too large to read")


@pytest.mark.parametrize(
    "sections",
    [[], [Section(1, (HUNK,), binary=False)], [Section(0, (), binary=False), Section(1, (HUNK,), binary=False)]],
    ids=["nothing", "another file alone", "no hunk"],
)
def test_a_file_of_which_nothing_is_shown_is_an_error(sections: list[Section]) -> None:
    with pytest.raises(GitError, match="don't fit together"):
        changes.assemble((modified("a"), modified("b", unread="too large to read")), iter(sections))


def test_a_file_that_only_changed_its_mode_needs_no_hunk() -> None:
    file = FileChange("a", Status.MODIFIED, "100644", "100755", OLD, OLD, sizes=(1, 1))
    assert changes.assemble((file,), iter([Section(0, (), binary=False)])) == (file,)


def test_an_empty_file_needs_no_hunk() -> None:
    file = FileChange("a", Status.ADDED, "000000", "100644", NONE, NEW, sizes=(None, 0))
    assert changes.assemble((file,), iter([Section(0, (), binary=False)])) == (file,)


def test_added_and_removed_lines_are_counted() -> None:
    file = modified("a", hunks=(HUNK, HUNK._replace(lines=(*HUNK.lines, Line(" ", 2, 2, "c")))))
    assert (file.added, file.removed, len(list(file.lines))) == (2, 2, 5)
