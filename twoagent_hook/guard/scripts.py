"""Code of other languages on a command line: calls of git past its hooks, and changes of what the gate hangs on."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from twoagent_hook.guard import triggers
from twoagent_hook.guard.calls import Deny
from twoagent_hook.guard.tables import deny, pattern, program, rules

# One that is not closed goes on to the end, so that no part of the code is read twice.
_LITERAL = re.compile(
    r"\"\"\"(.*?)(?:\"\"\"|\Z)|'''(.*?)(?:'''|\Z)|\"((?:[^\"\\\n]|\\.)*)(?:\"|(?=\n)|\Z|\\)"
    r"|'((?:[^'\\\n]|\\.)*)(?:'|(?=\n)|\Z|\\)|`([^`]*)(?:`|\Z)",
    re.DOTALL,
)
# What perl and ruby take for a text, or for a list of words.
_WORDS = re.compile(r"(?:\bq[wxq]?|%[wxqQ]?)\s*([(\[{<|!/])([^)\]}>|!]{1,2000})[)\]}>|!/]")
_BETWEEN = re.compile(r"\s*,\s*\[?\s*")
_MOST = 200  # texts that are read as lines


def code_of(words: Sequence[str], stdin: str | None) -> list[str]:
    """The code that an interpreter is given on the line."""
    flags = rules()["programs"]["code"]
    if program(words[0]) in rules()["programs"]["awks"]:
        return _awk_code(words[1:])
    found = [words[place + 1] for place, word in enumerate(words[:-1]) if place and (word in flags or _bundled(word))]
    found += [word.partition("=")[2] for word in words[1:] if word.startswith(("--eval=", "--print="))]
    if not found and stdin and all(word.startswith("-") for word in words[1:]):
        found.append(stdin)
    return found


def _bundled(word: str) -> bool:
    """Whether letters that take no value stand before the one for code: `python -Ic`, `perl -lne`."""
    return re.fullmatch(r"-[A-Za-z0-9]{1,6}[ceEr]", word) is not None


def _awk_code(args: Sequence[str]) -> list[str]:
    """The first word that is no option, or the value of one that says so."""
    found: list[str] = []
    skip = False
    for place, word in enumerate(args):
        if skip:
            skip = False
        elif word in {"-e", "--source"}:
            found += args[place + 1 : place + 2]
            skip = True
        elif not word.startswith("-"):
            return found or [word]
        else:
            skip = word in {"-F", "-v", "-f", "-i", "--assign", "--file", "--field-separator", "--include"}
    return found


def inline_lines(words: Sequence[str], stdin: str | None) -> Iterator[str]:
    """The texts in the code that it may hand to a shell, and lists of words that it may run."""
    starts = rules()["code"]["awk" if program(words[0]) in rules()["programs"]["awks"] else "starts"]
    for code in code_of(words, stdin):
        if pattern(starts).search(code):
            yield from islice(_lines(code), _MOST)


def _lines(code: str) -> Iterator[str]:
    row: list[str] = []
    end = 0
    for found in _LITERAL.finditer(code):
        text = next((group for group in found.groups() if group), "")
        if row and not _BETWEEN.fullmatch(code, end, found.start()):
            yield from _listed(row)
            row = []
        row.append(text)
        end = found.end()
        if triggers.present(text):
            yield text
    yield from _listed(row)
    yield from (found[2] for found in _WORDS.finditer(code) if triggers.present(found[2]))


def _listed(row: list[str]) -> Iterator[str]:
    line = " ".join(map(_quoted, row))
    if len(row) > 1 and triggers.present(line):
        yield line


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def judge(words: Sequence[str], stdin: str | None) -> Deny | None:
    """What of the code on the line is refused."""
    if program(words[0]) not in rules()["programs"]["interpreters"]:
        return None
    table = rules()["code"]
    for code in code_of(words, stdin):
        found = pattern(table["bypasses"]).search(code)
        if found:
            return deny("library", found[0])
        file = pattern(table["files"]).search(code)
        if file and pattern(table["writes"]).search(code):
            return deny("script-files", file[0])
    return None
