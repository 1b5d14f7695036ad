"""The tree of a command line: the only importer of tree-sitter."""

import re
from bisect import bisect_left
from functools import cache
from typing import TYPE_CHECKING

from twoagent_hook.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias

    import tree_sitter

    Node: TypeAlias = tree_sitter.Node


def parse(text: str) -> "Node":
    """The root of the tree, which there is also for a line that is no shell's.

    Raises:
        UsageError: the parser is not installed.
    """
    return _parser().parse(_FOREIGN.sub("_", text).encode("ascii")).root_node


# Nothing that is refused has such characters in it, and some of them crash the grammar's scanner
# (tree-sitter/tree-sitter-bash#337: a brace, and later on a character of four bytes).
_FOREIGN = re.compile(r"[^\x01-\x7f]")


@cache
def _parser() -> "tree_sitter.Parser":
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError as error:
        raise UsageError(
            "the guard can't read this line: the parser for command lines is not installed",
            "install the extra `guard`: pip install 'twoagent-hook[guard]'",
        ) from error
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def text_of(node: "Node") -> str:
    return (node.text or b"").decode("utf-8", "replace")


# --- where there is no tree ------------------------------------------------------------------------------------

_HERE = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1")
_PIECES = re.compile(
    r"(?P<braces>\{[^{}\s]*,[^{}\s]*\})|(?P<quoted>'[^']*(?:'|$)|\"(?:[^\"\\]|\\.)*(?:\"|$))|(?P<escaped>\\.)|(?P<comment>(?<![^\s;&|(])#[^\n]*)"
    r"|(?P<end>[;\n&|(){}`]+|\$\()|(?P<blank>[^\S\n]+|[<>]+)|(?P<plain>[^\s;&|(){}`'\"\\<>$]+|\$)",
    re.DOTALL,
)
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "fi", "done", "in"})


def commands(text: str) -> list[list[str]]:
    """The words of what look like commands, for a text that the grammar does not fit."""
    found: list[list[str]] = [[]]
    word: str | None = None
    for piece in _PIECES.finditer(_without_documents(text)):
        kind, value = piece.lastgroup, piece[0]
        if kind in {"quoted", "escaped", "plain", "braces"}:
            word = (word or "") + _bare(str(kind), value)
            continue
        if word is not None:
            found[-1].append(word)
            word = None
        if kind == "end":
            found.append([])
    if word is not None:
        found[-1].append(word)
    return [cut for words in found if (cut := _without_keywords(words))]


def _without_documents(text: str) -> str:
    """Without the bodies of here-documents, whose lines are no commands."""
    rows = text.split("\n")
    ends: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        ends.setdefault(row.strip(), []).append(place)
    kept: list[str] = []
    place = 0
    while place < len(rows):
        row = rows[place]
        kept.append(row)
        place += 1
        for found in _HERE.finditer(row):
            known = ends.get(found[2], [])
            at = bisect_left(known, place)
            place = known[at] + 1 if at < len(known) else place
    return "\n".join(kept)


def _bare(kind: str, value: str) -> str:
    if kind == "escaped":
        return value[1:].replace("\n", "")
    if kind == "quoted":
        return value[1:].removesuffix(value[0])
    return value


def _without_keywords(words: list[str]) -> list[str]:
    start = 0
    while start < len(words) and words[start] in _KEYWORDS:
        start += 1
    return words[start:]
