"""Untrusted text made safe to show: what can't be seen, or would act on a terminal, is spelled out."""

import re
from functools import cache

from twoagent_hook import datafiles

# Unicode categories Cc, Cf, Cs, Co, Zl and Zp, and the variation selectors, as one class: a table scan
# (unicodedata per character) costs thirty times as much.
_HIDDEN = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U0010ffff]"
)


def _spell(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{{{code:x}}}"


def line(text: str) -> str:
    """One line of text with every control, format and private character spelled as `\\u{…}` or `\\xNN`.

    Tabs stay; a newline is spelled too, so that no text can start a line of its own.
    """
    return _HIDDEN.sub(_spell, text)


def block(text: str) -> str:
    """Several lines, each made visible; only the newline itself keeps its meaning."""
    return "\n".join(line(part) for part in text.replace("\r\n", "\n").split("\n"))


def path(name: str) -> str:
    """A file name that reads back to exactly one file: with a backslash in it, backslashes are doubled first.

    Clean names stay as they are, so that a reader can copy them.
    """
    if "\\" not in name and "\t" not in name and _HIDDEN.search(name) is None:
        return name
    return _HIDDEN.sub(_spell, name.replace("\\", "\\\\").replace("\t", "\\t"))


def told(text: str) -> str:
    """Text for a model: what its server might take for a control token of a chat is spelled as well.

    Visible text is expected: what can't be seen could otherwise part a token in two here, and not on the server.
    """
    if "<" not in text and "[" not in text and "]" not in text:
        return text
    return _control_token().sub(_spell_first, text)


@cache
def _control_token() -> re.Pattern[str]:
    return re.compile("|".join(datafiles.packaged_toml("control_tokens.toml")["patterns"]))


def _spell_first(match: re.Match[str]) -> str:
    token = match.group()
    return f"\\u{{{ord(token[0]):x}}}{token[1:]}"


def excerpt(text: str, limit: int) -> str:
    """One visible line of at most `limit` characters, cut with an ellipsis."""
    flat = line(" ".join(text.split()))
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
