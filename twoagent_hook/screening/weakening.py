"""Tests that a change takes away, skips or makes empty, and checks that it switches off; pure, in linear time.

Judged over the whole change: what only moved (a file, a test, an assertion, a suppressed warning) is no alarm. A
rewrite that keeps the number of assertions is left to the reviewer.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from twoagent_hook import visible
from twoagent_hook.changes import FileChange, Rename
from twoagent_hook.findings import Finding
from twoagent_hook.patterns import Pattern
from twoagent_hook.screening.rules import once_a_file, rule
from twoagent_hook.screening.testcode import (
    Hit,
    Marker,
    Unit,
    fold,
    language_of,
    markers,
    matches,
    pattern,
    search,
    table,
)

TESTS, CHECKS = "test-weakened", "check-disabled"
_BODY = 60  # lines of a removed test that are read for what it tests
_WORD = Pattern(r"\w{3,80}")
_LETTERS = Pattern(r"[\W_]+")
_PARTS = Pattern(r"&&|\|\|?|;")
_HOOK = Pattern(r"^\s{0,40}-?\s{0,10}\{?\s{0,4}[\"']?id[\"']?\s{0,4}[:=]\s{0,4}[\"']?([\w.-]{1,80})")
_FAILS = Pattern(r"\b(?:exit\s+[1-9]|false|return\s+[1-9])\b")
_GUARD = Pattern(r"\b(?:if|unless|when|elif|and|or|except)\b|&&|\?")
_XFAIL_IF = Pattern(
    r"xfail\(\s{0,4}(?:condition\s{0,4}=\s{0,4})?(?!reason|strict|raises|run\b|True\b)[A-Za-z_(][\w.(\[ ]"
)
_CLASS = Pattern(
    r"^\s{0,40}(?:(?:export|abstract|public|final|internal|sealed|partial|open)\s+){0,4}(?:class|describe|struct|mod)\b"
)
# A call that takes a test with its name: `describe.skip("name", () => {`, `xit "name" do`.
_INLINE = Pattern(
    r"^\s{0,80}(?:\w{1,40}\.){0,4}[xXpPfF]?(?:it|test|describe|context|suite|specify|scenario|example|should|step|bench"
    r"|It|Describe|Context|When|Entry|Specify|ignore|feature|skip|fixme)\b[^\"'`]{0,80}[\"'`].{0,240}"
    r"(?:\bdo\b|\{|=>|\bfunc|->\s{0,4}$)|^\s{0,80}(?:it|test|specify)\.(?:todo|skip|fixme)\("
)
_INSIDE = ("skip", "pending", "}", ")", "return")
_OF_THE_FILE = ("pytestmark", "collect_ignore", "__test__", "//go:build", "@moduletag")
_DEAD_HINTS = ("if", "unless", "cfg(", "=begin", "__END__", "return", "/*")
_OPENS = ("(", "[", "{")  # an assertion over a whole collection, whose rows count
_LEAVES = frozenset(
    {"return", "return None", "return nil", "return true", "return undefined", "return Ok(())", "return null"}
)
_KEEP_STEP = "let it run, or say where it runs now"
_TEST_NAME = Pattern(
    r"^(?:test[-_]?|t\d{4}-)|(?:[-_.]?(?:unit)?(?:tests?|specs?|cy|e2e|it|TestCase|Suite))$", re.IGNORECASE
)


def find(files: Sequence[FileChange], renames: Sequence[Rename], names: Mapping[str, str]) -> Iterator[Finding]:
    """What the change takes from the tests, and the checks that it switches off.

    Args:
        names: path -> the name that people are shown.
    """
    whole = _Whole(files, renames, names)
    found: list[Finding] = []
    for unit in whole.units:
        if unit.tests:
            found += _losses(unit, whole)
            found += _commented_out(unit)
            found += _emptied(unit)
            found += _dead(unit)
        found += _uncollected(unit, whole)
        found += _steps(unit, whole)
    found += _switched_off(whole)
    yield from once_a_file(found)


def _fix(kind: str) -> str:
    fix: str = table()["fixes"][kind]
    return fix


def _weaker(unit: Unit, row: int | None, title: str, quote: str = "", *, mild: bool = False) -> Finding:
    line = None if row is None else unit.place(row)
    quote = quote or ("" if row is None else unit.lines[row].text)
    return rule(TESTS, title, unit.name, line, _fix(TESTS), quote, mild=mild or unit.foreign)


def _number(count: int, noun: str) -> str:
    return f"{noun} is" if count == 1 else f"{count} {noun.partition(' ')[2]}s are"


class _Whole:
    """All files of the change, with what each lost that is nowhere else."""

    def __init__(self, files: Sequence[FileChange], renames: Sequence[Rename], names: Mapping[str, str]) -> None:
        self._names = names
        by_path = {file.path: file for file in files}
        moved = {rename.path: rename for rename in renames if {rename.source, rename.path} <= by_path.keys()}
        sources = {rename.source for rename in moved.values()}
        self.units = [
            Unit(moved[file.path].edits, by_path[moved[file.path].source], names)
            if file.path in moved
            else Unit(file, None, names)
            for file in files
            if file.path not in sources
        ]
        self.tests = [unit for unit in self.units if unit.tests]
        for kind in ("tests", "checks"):
            _settle(self.tests, kind)

    def shown(self, path: str) -> str:
        return self._names.get(path) or visible.path(path)

    @cached_property
    def gone(self) -> frozenset[str]:
        """What the code no longer defines. A file that defines as much as before has renamed it."""
        removed, added = Counter[str](), Counter[str]()
        for unit in self.units:
            if not unit.tests and not unit.docs:
                lost, won = _symbols(unit, "-"), _symbols(unit, "+")
                added += won
                if sum(lost.values()) > sum(won.values()):
                    removed += lost
        generic = table()["words"]["generic"]
        return frozenset(name for name in removed if name not in added and name.lower() not in generic)

    @cached_property
    def gone_first(self) -> tuple[str, ...]:
        """As many of those names as can be looked for in the name of each test."""
        return tuple(sorted(self.gone)[:200])

    @cached_property
    def deleted_code(self) -> tuple[str, ...]:
        """The paths of code that is deleted and not moved."""
        plain = (unit for unit in self.units if unit.deleted and not unit.docs and not unit.tests)
        return tuple(unit.path for unit in plain if unit.language.key not in {"yaml", "json", "xml", "other"})

    @cached_property
    def removed_tests(self) -> frozenset[str]:
        return frozenset(hit.key for unit in self.tests for hit in unit.counts["tests"].removed)

    @cached_property
    def steps(self) -> dict[str, set[str]]:
        """The kinds of check that the change adds to what is run, and the tools that it leaves where they are."""
        added = {kind for unit in self.units for _, kind, _ in _runs(unit, "+")}
        return {"+": added, " ": {tool for unit in self.units for _, _, tool in _runs(unit, " ")}}

    @cached_property
    def ci_deleted(self) -> bool:
        return any(unit.deleted and unit.ci for unit in self.units)


def _symbols(unit: Unit, sign: str) -> Counter[str]:
    side = unit.added if sign == "+" else unit.removed
    found = (search(pattern("words", "symbol"), unit.lines[row].text) for row in side.rows)
    return Counter(match["name"] or match["method"] for match in found if match)


def _settle(units: Sequence[Unit], kind: str) -> None:
    """Find out what each file lost and gained: what is removed and added elsewhere only moved."""
    for unit in units:
        tally = unit.counts[kind]
        same = Counter(hit.key for hit in tally.removed) & Counter(hit.key for hit in tally.added)
        tally.lost, tally.gained = _without(tally.removed, same), _without(tally.added, same)
    pool = Counter(hit.key for unit in units for hit in unit.counts[kind].gained)
    pool &= Counter(hit.key for unit in units for hit in unit.counts[kind].lost)
    owners: dict[str, Unit] = {}
    taken = Counter(pool)
    for unit in units:
        tally = unit.counts[kind]
        owners |= {hit.key: unit for hit in tally.lost if pool[hit.key]}
        tally.lost = _without(tally.lost, taken, spend=True)
    for unit in units:
        tally = unit.counts[kind]
        for hit in tally.gained:
            owner = owners.get(hit.key)
            if owner is not None and owner is not unit and unit not in owner.heirs:
                owner.heirs.append(unit)
        tally.gained = _without(tally.gained, pool, spend=True)


def _without(hits: Iterable[Hit], some: Counter[str], *, spend: bool = False) -> list[Hit]:
    """The hits without as many of each key as `some` says; with `spend`, they are taken out of it."""
    left = some if spend else Counter(some)
    kept = []
    for hit in hits:
        if left[hit.key] > 0:
            left[hit.key] -= 1
        else:
            kept.append(hit)
    return kept


# --- tests that are gone ------------------------------------------------------------------------------------


def _losses(unit: Unit, whole: _Whole) -> Iterator[Finding]:
    """Tests and assertions that are nowhere else in the change."""
    if unit.deleted and unit.unread and unit.collected:
        yield _weaker(unit, None, "a test file is deleted")
        return
    tests, checks = unit.counts["tests"], unit.counts["checks"]
    if tests.short <= 0 and checks.short <= 0:
        return
    listed = _rows(unit, "table", "+") or any(hit.key.endswith(_OPENS) for hit in checks.gained)
    rows = _replaced(unit, "row") if listed else 0
    silenced = _silenced(unit)
    heirs = sum(max(0, heir.counts["checks"].short * -1) for heir in unit.heirs)
    lost_tests = tests.short - rows - silenced["tests"]
    lost_checks = checks.short - rows - silenced["checks"] - heirs - max(0, _replaced(unit, "helper"))
    lost_checks -= len(_empty_rows(unit))
    if unit.deleted and (lost_tests > 0 or lost_checks > 0):
        yield _deleted(unit, whole, max(lost_tests, 0), max(lost_checks, 0))
    elif lost_tests > 0:
        excused = sum(_mentions(unit, hit, whole, body=True) for hit in tests.lost) >= lost_tests
        merged = _merged(unit)
        also = f", and with {'it' if lost_tests == 1 else 'them'} {lost_checks} assertion{'s'[: lost_checks > 1]}"
        reason = ", with the code that they test" if excused else ", but no assertion" if merged else ""
        title = f"{_number(lost_tests, 'a test')} removed{reason or (also if lost_checks > 0 else '')}"
        yield _weaker(unit, tests.lost[0].row, title, mild=excused or merged)
    elif lost_checks > 0:
        excused = sum(_mentions(unit, hit, whole, body=False) for hit in checks.lost) >= lost_checks
        looped = bool(_rows(unit, "table", "+"))
        reason = ", with the code that they test" if excused else ", and a loop or table is added" if looped else ""
        title = f"{_number(lost_checks, 'an assertion')} removed{reason}"
        yield _weaker(unit, checks.lost[0].row, title, mild=excused or looped)


def _merged(unit: Unit) -> bool:
    """Whether tests are gone, but what they check is all there."""
    tests, checks = unit.counts["tests"], unit.counts["checks"]
    if checks.lost or unit.deleted:
        return False
    heads = all(search(unit.language.define, unit.lines[hit.row].text) for hit in tests.lost)
    bodies = (unit.lines[hit.row + 1 : hit.row + 2] for hit in tests.lost)
    # Where only the head is gone, and no other stands in its place, the body belongs to the test before.
    joined = heads and all(body and body[0].sign == " " for body in bodies) and not _rows(unit, "symbol", "+")
    return bool(checks.removed) or joined


def _deleted(unit: Unit, whole: _Whole, tests: int, checks: int) -> Finding:
    what = f"{tests} test{'s'[: tests > 1]}" if tests else f"{checks} assertion{'s'[: checks > 1]}"
    hits = unit.counts["tests"].lost or unit.counts["checks"].lost
    excused = _code_deleted(unit, whole)
    reason = ", with the code that it tests" if excused else ", and they are nowhere else in the change"
    title = f"a test file with {what} is deleted{reason}"
    return _weaker(unit, None, title, unit.lines[hits[0].row].text if hits else "", mild=excused)


def _rows(unit: Unit, word: str, sign: str) -> int:
    side = unit.added if sign == "+" else unit.removed
    wanted = pattern("words", word)
    return sum(1 for row in side.rows if search(wanted, unit.lines[row].text))


def _replaced(unit: Unit, word: str) -> int:
    """How many more lines of a kind are added than removed, without those that are assertions by themselves."""
    balance = 0
    for side, tally, factor in ((unit.added, "added", 1), (unit.removed, "removed", -1)):
        counted = {hit.row for kind in unit.counts.values() for hit in getattr(kind, tally)}
        rows = (row for row in side.rows if row not in counted)
        texts = (unit.lines[row].text for row in rows)
        wanted = pattern("words", word)
        balance += factor * sum(1 for text in texts if search(wanted, text) and not _heading(unit, text))
    return max(0, balance)


def _heading(unit: Unit, text: str) -> bool:
    """Whether a line defines something, or is a comment: it checks nothing."""
    return unit.comment(text) or search(pattern("words", "symbol"), text) is not None


def _mentions(unit: Unit, hit: Hit, whole: _Whole, *, body: bool) -> bool:
    """Whether an assertion, or a test with its body, that is removed speaks of code that the change takes away."""
    words = set(_WORD.findall(f"{hit.key} {unit.lines[hit.row].text}"))
    for row in range(hit.row + 1, min(hit.row + _BODY, len(unit.lines)) if body and whole.gone else 0):
        if row in unit.starts:
            break
        if unit.lines[row].sign == "-":
            words.update(_WORD.findall(unit.lines[row].text))
    if not whole.gone.isdisjoint(words):
        return True
    named = _letters(hit.key)
    return body and any(len(name) > 4 and _letters(name) in named for name in whole.gone_first)


def _code_deleted(unit: Unit, whole: _Whole) -> bool:
    """Whether the code that a test file is for is deleted in the same change."""
    bare = _bare(unit.path)
    generic = table()["words"]["generic"]
    imported = {
        word
        for row in unit.removed.rows
        if search(pattern("words", "imports"), unit.lines[row].text)
        for word in _WORD.findall(unit.lines[row].text)
    }
    root = pattern("paths", "test").split(unit.path, 1)[0]
    for path in whole.deleted_code:
        folder, _, file = path.rpartition("/")
        stem = file.partition(".")[0]
        special = stem.lower() not in generic and len(stem) > 2
        same = _letters(stem) == bare or _letters(folder.rpartition("/")[2]) == bare or _letters(path).endswith(bare)
        if same and bare and (special or _near(unit.path, path)):
            return True
        if (special and stem in imported) or (root and root != unit.path and path.startswith(f"{root}/")):
            return True
    return any(_letters(name) == bare for name in whole.gone)


def _bare(path: str) -> str:
    """What a test file is for, by its name: `tests/test_foo_bar.py` -> `foobar`."""
    stem = path.rpartition("/")[2]
    stem = stem.rpartition(".")[0] if stem.count(".") else stem
    return _letters(_TEST_NAME.sub("", _TEST_NAME.sub("", stem)))


def _letters(text: str) -> str:
    return _LETTERS.sub("", text.rpartition(".")[0] if "/" in text else text).lower()


def _near(test: str, path: str) -> bool:
    """Whether a file lies beside a test, or beside the folder of tests that it is in."""
    folder = path.rpartition("/")[0]
    return test.startswith(f"{folder}/") if folder else "/" not in test


def _uncollected(unit: Unit, whole: _Whole) -> Iterator[Finding]:
    """A test file that now has a name under which no test runner finds it."""
    source = unit.source
    if source is None or unit.collected or not language_of(source.path).file.search(source.path):
        return
    if matches("test", unit.path) and unit.language.key in {"js", "ruby", "rust", "jvm", "cs", "swift", "c"}:
        return  # there, the folder or the content decides
    old = Unit(source, None, {})
    if old.counts and old.counts["tests"].removed:
        title = (
            f"a test file gets a name under which no test runner looks for tests ({whole.shown(source.path)} before)"
        )
        yield rule(TESTS, title, unit.name, None, _fix(TESTS), mild=unit.foreign)


# --- tests that check nothing -------------------------------------------------------------------------------


def _empty_rows(unit: Unit) -> list[int]:
    """The added lines with an assertion that nothing can fail, without those that only moved."""
    wanted = unit.language.empty
    gone = Counter(fold(unit.lines[row].text) for row in unit.removed.rows_with(unit.language.empty_hints))
    hits = [Hit(fold(unit.lines[row].text), row) for row in unit.added.rows_with(unit.language.empty_hints)]
    left = _without((hit for hit in hits if search(wanted, unit.lines[hit.row].text)), gone)
    return [hit.row for hit in left if not unit.comment(unit.lines[hit.row].text) and hit.row not in unit.in_text]


def _emptied(unit: Unit) -> Iterator[Finding]:
    rows = _empty_rows(unit)
    mild = not unit.counts["checks"].lost
    for row in rows:
        yield _weaker(unit, row, "an assertion that nothing can fail is added", mild=mild)


def _silenced_rows(unit: Unit) -> list[tuple[int, str]]:
    """The lines of tests that are now a comment, and whether each was a test, an assertion or a case of a table."""
    tests, checks = ({hit.key: kind for hit in unit.counts[kind].lost} for kind in ("tests", "checks"))
    gone = Counter(fold(unit.lines[row].text) for row in unit.removed.rows)
    heads = {fold(unit.lines[hit.row].text) for hit in unit.counts["tests"].lost} if tests else set()
    found = []
    for row in unit.added.rows:
        text = unit.lines[row].text
        said = unit.uncommented(text) if unit.comment(text) else ""
        if not said or not gone[said]:
            continue
        gone[said] -= 1
        if said in heads:
            found.append((row, "tests"))
        elif said in checks:
            found.append((row, "checks"))
        elif search(pattern("words", "row"), said) and len(said) > 3:
            found.append((row, "rows"))
    return found


def _silenced(unit: Unit) -> Counter[str]:
    return Counter(kind for _, kind in _silenced_rows(unit))


def _commented_out(unit: Unit) -> Iterator[Finding]:
    titles = {"tests": "a test is", "checks": "an assertion is", "rows": "an expected value or case is"}
    for row, kind in _silenced_rows(unit):
        yield _weaker(unit, row, f"{titles[kind]} commented out")


def _dead(unit: Unit) -> Iterator[Finding]:
    """Lines that keep a test's other lines from running."""
    gone = Counter(fold(unit.lines[row].text) for row in unit.removed.rows_with(_DEAD_HINTS))
    hits = (Hit(fold(unit.lines[row].text), row) for row in unit.added.rows_with(_DEAD_HINTS))
    for hit in _without(hits, gone):
        text = unit.lines[hit.row].text
        if hit.row in unit.in_text:
            continue
        if search(unit.language.dead, text):
            yield _weaker(unit, hit.row, "tests are put where they never run")
        elif text.strip().rstrip(";") in _LEAVES and _begins_test(unit, hit.row):
            yield _weaker(unit, hit.row, "a test ends before it checks anything")
        elif text.strip() == "/*" and _hides(unit, hit.row):
            yield _weaker(unit, hit.row, "what was there is put into a comment")


def _begins_test(unit: Unit, row: int) -> bool:
    """Whether the line before is the head of a test, and something comes after that was there before."""
    above = next(unit.before(row), None)
    below = next(unit.after(row), None)
    if above is None or below is None or unit.lines[below].sign == "+":
        return False
    text = unit.lines[above].text
    return search(unit.language.define, text) is not None or (
        search(unit.language.named, text) is not None and "test" in text.lower()
    )


def _hides(unit: Unit, row: int) -> bool:
    below = next(unit.after(row), None)
    return below is not None and unit.lines[below].sign == " " and not unit.lines[below].text.lstrip().startswith("*")


# --- what is switched off -----------------------------------------------------------------------------------


class _Mark(NamedTuple):
    unit: Unit
    row: int
    marker: Marker
    match: re.Match[str]


def _switched_off(whole: _Whole) -> Iterator[Finding]:
    """Each marker that is new: not moved, and none that takes the place of one of its family in the same file."""
    added, removed = ([mark for unit in whole.units for mark in _marks(unit, sign)] for sign in "+-")
    moved = Counter(_key(mark) for mark in removed) & Counter(_key(mark) for mark in added)
    spent = Counter(moved)
    fresh = []
    for mark in added:
        if moved[_key(mark)] > 0:
            moved[_key(mark)] -= 1
        else:
            fresh.append(mark)
    before = Counter[tuple[str, str, bool]]()
    for mark in removed:
        if spent[_key(mark)] > 0:
            spent[_key(mark)] -= 1
        else:
            before[mark.unit.path, mark.marker.about, _light(mark)] += 1
    for mark in fresh:
        if not _replaces(mark, before):
            yield _finding(mark, whole)


def _key(mark: _Mark) -> tuple[str, str, bool]:
    return mark.marker.about, fold(mark.unit.lines[mark.row].text), _light(mark)


def _light(mark: _Mark) -> bool:
    """Whether it is mild by itself or by what is around it, on whichever side of the change."""
    unit, row, marker, _ = mark
    strict = marker.only == "xfail" and _strict(unit, row)
    return marker.mild or strict or (marker.only in {"call", "xfail"} and _conditional(mark))


def _replaces(mark: _Mark, before: Counter[tuple[str, str, bool]]) -> bool:
    """Whether the file loses as grave a marker of the same family; each counts once."""
    for mild in (True, False) if _light(mark) else (False,):
        key = (mark.unit.path, mark.marker.about, mild)
        if before[key] > 0:
            before[key] -= 1
            return True
    return False


def _marks(unit: Unit, sign: str) -> Iterator[_Mark]:
    if unit.docs or (unit.deleted and sign == "+"):
        return
    side = unit.added if sign == "+" else unit.removed
    seen = set()
    for marker in markers():
        if not _in_scope(marker, unit):
            continue
        for row in side.rows_with(marker.hints):
            match = search(marker.pattern, unit.lines[row].text)
            # What switches a whole file off is not told once more for its line.
            if match and (row, marker.about) not in seen and _means_it(unit, row, marker, match):
                seen.add((row, marker.about))
                yield _Mark(unit, row, marker, match)


def _in_scope(marker: Marker, unit: Unit) -> bool:
    if marker.languages and unit.language.key not in marker.languages:
        return False
    scopes = {
        "": True,
        "tests": unit.tests,
        "ci": unit.ci,
        "tasks": unit.tasks,
        "runs": not unit.tests,
    }
    return scopes[marker.scope]


def _means_it(unit: Unit, row: int, marker: Marker, match: re.Match[str]) -> bool:
    """Whether it stands where it has an effect: not in a string, and not in a comment where it is code."""
    text = unit.lines[row].text
    if row in unit.in_text or (marker.only == "tool" and not _ignored_tool(text, match)):
        return False
    if marker.where == "comment":
        return match.end() > unit.code_ends(text) or unit.comment(text)
    if marker.where == "code":
        return match.start() < unit.code_ends(text) and not unit.comment(text)
    return not unit.comment(text) or match[0].lstrip().startswith(unit.language.comments)


def _finding(mark: _Mark, whole: _Whole) -> Finding:
    unit, row, marker, _ = mark
    reason = "" if marker.mild else _excuse(mark, whole)
    lint = marker.kind == CHECKS and marker.where == "comment"
    mild = marker.mild or bool(reason) or (unit.foreign and (lint or marker.kind == TESTS))
    title = f"{marker.title}, {reason}" if reason else marker.title
    return rule(marker.kind, title, unit.name, unit.place(row), marker.fix, unit.lines[row].text, mild=mild)


def _excuse(mark: _Mark, whole: _Whole) -> str:
    """Why a marker is no more than a note; nothing where it is more."""
    unit, row, marker, _ = mark
    text = unit.lines[row].text
    if marker.only == "tests-mild":
        return "in a test" if unit.tests else ""
    if marker.only in {"tool", "step"} and unit.fresh and not whole.ci_deleted:
        return "in a new file"
    if marker.only == "tool":
        return "in a command that only mends" if search(pattern("steps", "fixer"), text) else ""
    if marker.only == "step":
        return _step_excuse(unit, row)
    if marker.only == "xfail" and _strict(unit, row):
        return "and has to (strict)"
    if marker.only in {"call", "xfail"} and _conditional(mark):
        return "under a condition"
    if marker.only in {"call", "xfail", "fresh"} and _new_test(mark, whole):
        return "and is new"
    return ""


def _strict(unit: Unit, row: int) -> bool:
    """Whether an xfail says `strict=True`, on its line or before its bracket ends."""
    text = unit.lines[row].text
    for place in islice(unit.after(row), 6):
        if text.count("(") <= text.count(")"):
            break
        text += unit.lines[place].text
    return "strict=True" in text.replace(" ", "")


def _conditional(mark: _Mark) -> bool:
    """Whether a call is reached only under a condition, as far as the hunk shows it; one that always holds is none."""
    unit, row, _, match = mark
    condition, always = pattern("words", "condition"), pattern("words", "always")
    text = unit.lines[row].text
    if _XFAIL_IF.search(text, match.start()):
        return True
    if _GUARD.search(text[: match.start()]):
        return not always.search(text)
    indent = _indent(text)
    for place in unit.before(row):
        above = unit.lines[place].text
        if _indent(above) < indent and not above.lstrip().startswith((")", "]")):
            return condition.search(above) is not None and not always.search(above)
    return False


def _indent(text: str) -> int:
    return len(text.expandtabs()) - len(text.expandtabs().lstrip())


def _new_test(mark: _Mark, whole: _Whole) -> bool:
    """Whether what is skipped did not run before: the test is added as well, and takes no other's place."""
    unit, row, marker, _ = mark
    text = unit.lines[row].text
    tests = unit.counts.get("tests")
    if tests is None or tests.lost:
        return False
    if unit.fresh:
        return whole.removed_tests.isdisjoint(hit.key for hit in tests.added)
    if text.lstrip().startswith(_OF_THE_FILE):
        return False
    quoted = unit.quoted(row)
    if quoted and _INLINE.search(text):
        return quoted not in whole.removed_tests and quoted not in unit.gone
    inside = marker.only == "call" or text.lstrip().startswith(_INSIDE)
    rows = unit.before(row) if inside else chain([row], unit.after(row))
    head = next((place for place in rows if _heads(unit, place)), None)
    if head is None or unit.lines[head].sign != "+":
        return False
    names = (search(wanted, unit.lines[head].text) for wanted in (unit.language.named, unit.language.define))
    said = {name for match in names if match for key, name in match.groupdict().items() if key != "quote"}
    return whole.removed_tests.isdisjoint(said) and fold(unit.lines[head].text) not in unit.gone


def _heads(unit: Unit, row: int) -> bool:
    """Whether a test, or a class of them, begins there."""
    text = unit.lines[row].text
    return any(search(wanted, text) for wanted in (unit.language.define, unit.language.named, _CLASS))


# --- steps --------------------------------------------------------------------------------------------------


def _tools(text: str) -> dict[str, str]:
    """What a command checks with: the kind of check -> the tool, as it is called there."""
    found = {}
    if not search(pattern("steps", "skip"), text):
        for part in _PARTS.split(text):
            for kind in ("test", "lint", "types", "scan"):
                match = None if search(pattern("steps", "install"), part) else search(pattern("steps", kind), part)
                if match:
                    found[kind] = fold(match[0])
    return found


def _ran(unit: Unit, row: int) -> dict[str, str]:
    """What a line of a CI file, a script or a list of hooks runs."""
    text = unit.lines[row].text
    if unit.hooks:
        match = _HOOK.search(text[:200])
        return {"hook": match[1]} if match and not match[1].startswith("twoagent") else {}
    if unit.comment(text):
        return {}
    return _tools(text.partition(":")[2] if unit.language.key == "json" else text)


def _runs(unit: Unit, sign: str) -> Iterator[tuple[int, str, str]]:
    """The lines of one sign that run a check: their rows, the kinds of check, the tools."""
    if unit.tasks and not (unit.tests and not unit.ci):
        for row, line in enumerate(unit.lines):
            if line.sign == sign:
                yield from ((row, kind, tool) for kind, tool in _ran(unit, row).items())


def _steps(unit: Unit, whole: _Whole) -> Iterator[Finding]:
    """Checks that were run, and that nothing runs any more as far as the change shows."""
    told = set()
    said = {unit.uncommented(unit.lines[row].text) for row in unit.added.rows if unit.comment(unit.lines[row].text)}
    for row, kind, tool in _runs(unit, "-"):
        if kind in told or kind in whole.steps["+"] or tool in whole.steps[" "]:
            continue
        told.add(kind)
        names = table()["steps"]["names"]
        done = "deleted" if unit.deleted else "removed"
        if fold(unit.lines[row].text) in said:
            done = "commented out"
        mild = matches("loose", unit.path)
        title = f"what ran {names[kind]} is {done}, and nothing that is added does"
        yield rule(CHECKS, title, unit.name, unit.place(row), _KEEP_STEP, unit.lines[row].text, mild=mild)


def _ignored_tool(text: str, match: re.Match[str]) -> str:
    """The command whose outcome is ignored, if it is one that checks something."""
    command = _PARTS.split(text[: match.start()])[-1]
    command = command if len(command.strip()) > 1 else text[match.start() :]
    return command if _tools(command) and not _FAILS.search(text, match.end()) else ""


def _step_excuse(unit: Unit, row: int) -> str:
    """Whether the step of a CI file that a line belongs to only reports, or publishes."""
    texts = [unit.lines[row].text]
    indent = _indent(texts[0])
    if not texts[0].lstrip().startswith("- "):
        for place in islice(unit.before(row), 20):
            texts.append(unit.lines[place].text)
            if texts[-1].lstrip().startswith("- ") or _indent(texts[-1]) < indent:
                break
    for place in islice(unit.after(row), 20):
        text = unit.lines[place].text
        if text.lstrip().startswith("- ") or _indent(text) < indent:
            break
        texts.append(text)
    if any(_tools(text) for text in texts):
        return ""
    return "in a step that checks nothing" if any(pattern("steps", "harmless").search(text) for text in texts) else ""
