"""What notes and plans claim about tests, held against what ran on the same tree; pure.

Only what says outright that something passed is a claim: what is wished for, asked for, planned, denied or doubted is
none, and neither is what stands in a quotation or a block of code. To miss a claim costs little; to make one that
nobody made would accuse somebody.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook import visible

CONFIRMED, CONTRADICTED, UNVERIFIED = "confirmed", "contradicted", "unverified"
_MOST = 100
_READ = 1 << 17  # characters of a text
_LINE = 1000  # characters of a line; a longer one is nobody's sentence
_SHOWN = 300


class Claim(NamedTuple):
    """That something passed.

    Attributes:
        text: the words, on one visible line.
        source: where they stand.
        command: what is said to have passed; None where all tests are.
        status: what became of it when it was held against runs.
        by: the ids of the runs that tell.
    """

    text: str
    source: str
    command: str | None = None
    status: str = UNVERIFIED
    by: tuple[str, ...] = ()


def data(claim: Claim) -> dict[str, Any]:
    """What JSON says of it."""
    return {
        "text": claim.text,
        "source": claim.source,
        "command": None if claim.command is None else visible.line(claim.command),
        "status": claim.status,
        "by": list(claim.by),
    }


# --- finding them -------------------------------------------------------------------------------------------

# What a section has to be called for a command in it to be one that was run, and what it must not be called.
_TESTS = re.compile(
    r"(?i)\W*(?:tests?|testing|tested|checks?|checked|verification|verified|validation|what was tested)\b"
)
_AHEAD = re.compile(
    r"(?i)\b(?:to (?:run|add|do|write|be)|plan(?:ned)?|todo|needed|required|requirements?|criteri(?:a|on)|goals?|next"
    r"|future|missing|done when|definition of done|acceptance|expect(?:ed|ations?)?|how to|should|must|scope|risks?"
    r"|commands?|steps?|questions?|strategy|instructions?)\b"
)
_HEADING = re.compile(r"(#{1,6})[ \t]+(.{1,200})")
_PSEUDO = re.compile(r"(?:\*\*|__)(.{1,80}?):?(?:\*\*|__):?|([A-Z][\w ]{1,40}):")
_FENCE = re.compile(r"(`{3,}|~{3,})")
_BULLET = re.compile(r"(?:[-*+]|\d{1,3}[.)])[ \t]+(\[[ xX]\][ \t]+)?")
_CODE = re.compile(r"(?<!`)(`{1,2})(?!`)(.{1,300}?)(?<!`)\1(?!`)")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")

_GOOD = (
    r"(?:pass(?:es|ed|ing)?(?!\s+(?:to|as|into|through|by|on|the|a)\b)|ok|okay|green|succeed(?:s|ed)?"
    r"|successful(?:ly)?|exit(?:s|ed)?(?:\s+(?:with|code|status)){0,2}\s+0|✓|✔|✅)"
)
_PASSED = re.compile(rf"(?i)(?<![\w-]){_GOOD}(?![\w-])")
_ALL_PASSED = re.compile(
    r"(?i)(?<![\w-])(?:tests?|test[ -]?suites?|suites?|checks|ci)"
    rf"(?:\s+(?:now|still|all|have|has|are|is|were|was|run|ran|locally|again)){{0,3}}\s+{_GOOD}(?![\w-])"
)
# Taken out before the words below are looked for: they would make a denial of it.
_NO_FAILURES = re.compile(
    r"(?i)\b(?:0|no|zero|without(?:\s+any)?)\s+(?:\w+\s+)?(?:fail(?:ures?|ed|ing)?|errors?|regressions?|warnings?|issues?|problems?)\b"
)
_NO_CLAIM = re.compile(
    r"(?i)\b(?:not|never|no|none|neither|nor|nothing|without|cannot|\w+n['\u2019]t|fail(?:s|ed|ing|ures?)?|broken|breaks?|red"
    r"|errors?|flaky|must|should|shall|will|would|could|can|may|might|let|lets|make|makes|need(?:s|ed)?|require[sd]?|ensure"
    r"|assert|expect(?:s|ed)?|hope(?:s|fully)?|assum(?:e|es|ed|ing)|probably|presumably|likely|think|believe|guess|wish"
    r"|want|try|until|unless|once|when(?:ever)?|if|whether|before|todo|tbd|pending|planned|later|soon|tomorrow|please"
    r"|some|most|many|few|half|almost|nearly|partly|partially|only|except|but|apart|however|although|though|unverified"
    r"|untested|skipped\s+all|used\s+to|going\s+to|so\s+that|(?:in\s+order\s+)?to\s+(?:pass|succeed|be|get|have|keep|make)"
    r"|example|e\.g)\b|\?"
)
_ORDERS = re.compile(
    r"(?i)\W*(?:run|rerun|re-run|check|verify|confirm|see|get|keep|have|do|add|write|fix|wait|look|goal|criteri\w+|done|then)\b"
)


def find(text: str, source: str) -> tuple[Claim, ...]:
    """The claims in notes or a plan, in their order.

    Args:
        source: where it stands, as it is shown.
    """
    shown = visible.excerpt(source, _SHOWN)
    found: dict[tuple[str, str | None], Claim] = {}
    for line, tests in _lines(text[:_READ]):
        for claim in _of_line(line, shown, tests=tests):
            found.setdefault((claim.text, claim.command), claim)
            if len(found) >= _MOST:
                return tuple(found.values())
    return tuple(found.values())


class _Section(NamedTuple):
    level: int
    tests: bool
    ahead: bool


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """The lines that somebody says something in, and whether each stands in a section about tests that were run."""
    sections: list[_Section] = []
    fence = ""
    for raw in _without_comments(text).splitlines():
        line = raw.strip()
        mark = _FENCE.match(line)
        if fence or mark:
            fence = _fence(fence, mark, line)
            continue
        heading = _heading(line)
        if heading is not None:
            level, title = heading
            sections = [section for section in sections if section.level < level]
            sections.append(_Section(level, bool(_TESTS.match(title)), bool(_AHEAD.search(title))))
        elif line and not line.startswith(">") and len(line) <= _LINE and not any(one.ahead for one in sections):
            yield line, any(one.tests for one in sections)


def _without_comments(text: str) -> str:
    """The text without comments of HTML, in which templates say what could be written there."""
    first, *rest = text.split("<!--")
    return first + " ".join(part.partition("-->")[2] for part in rest)


def _fence(open_with: str, mark: re.Match[str] | None, line: str) -> str:
    """The fence that is open after this line."""
    if not open_with:
        return mark[1] if mark else ""
    closes = mark is not None and mark[1].startswith(open_with) and line == mark[1]
    return "" if closes else open_with


def _heading(line: str) -> tuple[int, str] | None:
    """Level and title; a line that is bold, or that ends with a colon, is a heading below all others."""
    found = _HEADING.fullmatch(line)
    if found:
        return len(found[1]), found[2]
    pseudo = _PSEUDO.fullmatch(line)
    return (7, pseudo[1] or pseudo[2]) if pseudo else None


def _of_line(line: str, source: str, *, tests: bool) -> Iterator[Claim]:
    bullet = _BULLET.match(line)
    if bullet and bullet[1] and bullet[1].startswith("[ ]"):
        return
    said = line[bullet.end() :] if bullet else line
    for sentence in _SENTENCE.split(said):
        words = _CODE.sub(" ", sentence)
        what, colon, result = sentence.partition(":")
        if tests and bullet and colon and "`" not in what and _PASSED.search(result) and _claims(result):
            yield Claim(visible.excerpt(sentence, _SHOWN), source, what.strip())
            continue
        if not _claims(words):
            continue
        commands = list(_commands(sentence)) if tests and _PASSED.search(words) else []
        text = visible.excerpt(sentence, _SHOWN)
        yield from (Claim(text, source, command) for command in commands)
        if not commands and _ALL_PASSED.search(words):
            yield Claim(text, source)
        elif not commands and tests and bullet and _PASSED.search(words):  # in other words than a command's own
            yield Claim(text, source, sentence.strip())


def _claims(words: str) -> bool:
    """Whether a sentence, but for the code in it, could say that something is so."""
    plain = _NO_FAILURES.sub(" ", words)
    return not _NO_CLAIM.search(plain) and not _ORDERS.match(plain)


def _commands(sentence: str) -> Iterator[str]:
    """What stands in backticks, but for a result that was copied there."""
    for found in _CODE.finditer(sentence):
        text = found[2].strip().removeprefix("$ ").strip()
        if text and not re.match(r"\W*\d+\s", text) and not _PASSED.fullmatch(text):
            yield text


# --- holding them -------------------------------------------------------------------------------------------


def hold(claims: Sequence[Claim], runs: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """The same claims with what the runs on this very tree say of each.

    Args:
        runs: as they stand in the JSON of a verification.
    """
    return tuple(_held(claim, runs) for claim in claims)


def _held(claim: Claim, runs: Sequence[Mapping[str, Any]]) -> Claim:
    about = [run for run in runs if claim.command is None or same(claim.command, run["command"])]
    failed = [run for run in about if not passed(run)]
    if not about:
        return claim._replace(status=UNVERIFIED, by=())
    told = failed or about
    return claim._replace(status=CONTRADICTED if failed else CONFIRMED, by=tuple(str(run["id"]) for run in told))


def passed(run: Mapping[str, Any]) -> bool:
    """Whether a run of a verification ended well."""
    return run.get("exit_code") == 0 and not run.get("problem")


_OF_THE_SHELL = frozenset("$`*?[]{}~|&;<>()!#\\\n")


def same(one: str | Sequence[str], other: str | Sequence[str]) -> bool:
    """Whether two commands are the same but for white space and quotes.

    Where a shell would make something of a character, the quotes are part of the command.
    """
    lines = [command if isinstance(command, str) else shlex.join(command) for command in (one, other)]
    if any(_OF_THE_SHELL & set(line) for line in lines):
        return lines[0].split() == lines[1].split()
    return _words(lines[0]) == _words(lines[1])


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
