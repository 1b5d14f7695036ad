"""The words that a shell makes of a node: quotes removed, variables of the same line put in, braces multiplied out."""

import re
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import TYPE_CHECKING, NamedTuple

from twoagent_hook.guard.printed import unescaped
from twoagent_hook.guard.syntax import text_of
from twoagent_hook.guard.tables import UNKNOWN

if TYPE_CHECKING:
    from twoagent_hook.guard.syntax import Node

# Characters of nobody's that mark, inside of a word, what an unquoted one of the shell's would do.
_OPEN, _COMMA, _CLOSE, BREAK = "\ue000", "\ue001", "\ue002", "\ue003"
_MARKS = str.maketrans({"{": _OPEN, ",": _COMMA, "}": _CLOSE})
_UNMARKED = str.maketrans({_OPEN: "{", _COMMA: ",", _CLOSE: "}"})
_PLAIN_ESCAPE = re.compile(r"\\(\n|.)", re.DOTALL)
_QUOTED_ESCAPE = re.compile(r"\\([\"$`\\\n])")
_BLANKS = re.compile(r"[ \t\n]+")
_MOST_WORDS = 256
LONGEST = 1 << 16


class Values(NamedTuple):
    """Where an expansion's text comes from: a variable by its name, and the output of a node with commands in it."""

    variable: Callable[[str], str | None]
    output: Callable[["Node"], str]
    substituted: Callable[["Node"], str]


def words(node: "Node", values: Values) -> list[str]:
    """What a node becomes as arguments: none, one or many words."""
    text = _value(node, values, quoted=False)
    if not text:
        return [""] if node.type in {"string", "raw_string", "ansi_c_string", "concatenation"} else []
    parts = text.split(BREAK)
    found = (piece for part in parts if part for piece in _braces(part))
    return [piece.translate(_UNMARKED) for piece in islice(found, _MOST_WORDS)]


def multiplied(text: str) -> list[str]:
    """The words that braces make of one."""
    return [piece.translate(_UNMARKED) for piece in islice(_braces(text.translate(_MARKS)), _MOST_WORDS)]


def word(node: "Node", values: Values) -> str:
    """What a node becomes where a shell makes one word of it, as after `=`."""
    return _value(node, values, quoted=False).replace(BREAK, " ").translate(_UNMARKED)


def document(node: "Node", values: Values, *, literal: bool) -> str:
    """The text of a here-document."""
    return text_of(node) if literal else _assembled(node, values, 0, 0)


def _value(node: "Node", values: Values, *, quoted: bool) -> str:
    simple = _SIMPLE.get(node.type)
    if simple is not None:
        return simple(text_of(node))
    if node.type in {"string", "translated_string"}:
        start = 1 if node.type == "string" else 2
        if node.type == "translated_string":
            return "".join(_value(child, values, quoted=True) for child in node.named_children)
        return _assembled(node, values, start, 1)
    if node.type in {"concatenation", "command_name"}:
        return _concatenated(node, values, quoted=quoted)
    if node.type in _EXPANSIONS:
        return _expanded(node, values, quoted=quoted)
    return _bare(text_of(node))


def _concatenated(node: "Node", values: Values, *, quoted: bool) -> str:
    parts: list[str] = []
    end = node.start_byte
    for child in node.children:
        parts += [_bare(between(node, end, child)), _value(child, values, quoted=quoted)]
        end = child.end_byte
    return "".join(parts)[:LONGEST]


def between(node: "Node", end: int, child: "Node") -> str:
    """The text before a child, which has no node of its own: blanks, and among them some that are escaped."""
    gap = (node.text or b"")[end - node.start_byte : child.start_byte - node.start_byte]
    return gap.decode("utf-8", "replace").replace("\\\n", "")


def extend(made: list[str], more: list[str], gap: str) -> None:
    """Add words; where no blank stands in the gap but an escaped one, the grammar has cut one word in two."""
    pieces = _GAP.split(gap)
    if made:
        made[-1] += _bare(pieces[0])
    if len(pieces) == 1 and made and more:
        made[-1] += more[0]
        made += more[1:]
    else:
        made += [_bare(pieces[-1]) + word if not place else word for place, word in enumerate(more)]


_GAP = re.compile(r"(?<!\\)[ \t\n]+")


def _bare(text: str) -> str:
    return _PLAIN_ESCAPE.sub(lambda found: "" if found[1] == "\n" else found[1], text.translate(_MARKS))


_SIMPLE: dict[str, Callable[[str], str]] = {
    "word": _bare,
    "raw_string": lambda text: text[1:-1],
    "ansi_c_string": lambda text: unescaped(text[2:-1]),
    "string_content": lambda text: _QUOTED_ESCAPE.sub(lambda found: "" if found[1] == "\n" else found[1], text),
    "brace_expression": lambda text: text,
}
_EXPANSIONS = {
    *("simple_expansion", "expansion", "command_substitution", "process_substitution"),
    "arithmetic_expansion",
}


def _assembled(node: "Node", values: Values, before: int, after: int) -> str:
    """The text of a node with its expansions put in; blanks between those have no node of their own."""
    raw = node.text or b""
    place, end = before, max(before, len(raw) - after)
    parts: list[str] = []
    for child in node.children:
        if child.type not in _EXPANSIONS:
            continue
        start = child.start_byte - node.start_byte
        parts.append(_SIMPLE["string_content"](raw[place:start].decode("utf-8", "replace")))
        parts.append(_value(child, values, quoted=True))
        place = child.end_byte - node.start_byte
    parts.append(_SIMPLE["string_content"](raw[place:end].decode("utf-8", "replace")))
    return "".join(parts)[:LONGEST]


def _expanded(node: "Node", values: Values, *, quoted: bool) -> str:
    if node.type == "process_substitution":
        return values.substituted(node)
    if node.type == "arithmetic_expansion":
        values.output(node)  # commands may stand in it
        return UNKNOWN
    if node.type == "command_substitution":
        text = values.output(node).rstrip("\n")
    elif node.type == "simple_expansion":
        name = text_of(node)[1:]
        text = _known(values.variable(name))
    else:
        text = _parameter(node, values)
    return text if quoted else _BLANKS.sub(BREAK, text)


def _known(value: str | None) -> str:
    return UNKNOWN if value is None else value


def _parameter(node: "Node", values: Values) -> str:
    """`${name}` with whatever else stands inside of it."""
    parts = [child for child in node.children if child.type not in {"${", "}"}]
    named = [child for child in parts if child.type in {"variable_name", "special_variable_name", "subscript"}]
    if not named:
        return UNKNOWN
    name = text_of(named[0]).partition("[")[0]
    value = values.variable(name)
    operators = [text_of(child) for child in parts if not child.is_named]
    if not operators:
        return _known(value)
    rest = [child for child in parts if child.is_named and child.start_byte > named[0].start_byte]
    operand = "".join(_value(child, values, quoted=True) for child in rest).translate(_UNMARKED)
    return _operated(operators[0], value, operand, values)


def _operated(operator: str, value: str | None, operand: str, values: Values) -> str:
    if operator in {":-", "-", ":=", "="}:
        return value or operand
    if operator in {":+", "+"}:
        return operand if value != "" else ""
    if value is None:
        return UNKNOWN
    if operator == "!":
        return _known(values.variable(value))
    if operator in {",", ",,"}:
        return value.lower()
    if operator in {"^", "^^"}:
        return value.upper()
    return value if operator == "@" else UNKNOWN


def _braces(text: str) -> Iterator[str]:
    """`a{b,c}` as `ab` and `ac`."""
    start = text.find(_OPEN)
    parts: list[list[str]] = []
    place = 0
    while start >= 0:
        end = _closing(text, start)
        if end is None:
            break
        choices = _choices(text[start + 1 : end])
        parts += [[text[place:start]], choices if len(choices) > 1 else [f"{{{text[start + 1 : end]}}}"]]
        place = end + 1
        start = text.find(_OPEN, place)
    parts.append([text[place:]])
    for made in islice(product(*parts), _MOST_WORDS):
        joined = "".join(made)
        if _OPEN in joined and joined != text and len(joined) < len(text):
            yield from _braces(joined)
        else:
            yield joined


def _closing(text: str, start: int) -> int | None:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == _OPEN) - (text[place] == _CLOSE)
        if not depth:
            return place
    return None


def _choices(inner: str) -> list[str]:
    found, depth = [""], 0
    for char in inner:
        depth += (char == _OPEN) - (char == _CLOSE)
        if char == _COMMA and not depth:
            found.append("")
        else:
            found[-1] += char
    return found
