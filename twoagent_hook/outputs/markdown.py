"""Untrusted text as Markdown that shows exactly it: nothing in it becomes a link, an image, HTML or a mention; pure.

It holds for CommonMark and for what GitHub adds: tables, bare addresses, mentions, references, emoji and formulas.
"""

import re

from twoagent_hook import visible

# GitHub acts on these after the Markdown is read, where a backslash is gone already; never within code.
_ACTED_ON_LATE = r"@+|#+(?=\w)|(?<=\bGH)-(?=\d)|:(?=(?:100|1234|[\w+-]*[a-z+-][\w+-]*):)"
_ACTIVE = re.compile(rf"(?P<late>(?:{_ACTED_ON_LATE})+)|[\\`*_\[\]<>&|~$^#]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_FIRST = re.compile(r"(?P<number>\d{1,9}(?=[.)]))?(?P<mark>(?(number)[.)]|[-+=]))")  # what would begin an item
_TICKS = re.compile("`+")


def text(given: str) -> str:
    """One line that stands for itself wherever it is put: in a paragraph, an item, a heading, the cell of a table."""
    shown = _ACTIVE.sub(_disarm, visible.line(" ".join(given.split())))
    first = _FIRST.match(shown)
    return f"{first['number'] or ''}\\{shown[first.start('mark') :]}" if first else shown


def _disarm(match: re.Match[str]) -> str:
    late = match["late"]
    return f"`{late}`" if late else f"\\{match.group()}"


def code(given: str) -> str:
    """One line as code, for everywhere but the cell of a table."""
    shown = visible.line(" ".join(given.split()))
    if not shown:
        return ""
    ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    padding = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{ticks}{padding}{shown}{padding}{ticks}"


def block(given: str, kind: str = "text") -> str:
    """Several lines as they are, in a fence that none of them can close."""
    shown = visible.block(given).strip("\n")
    ticks = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    return f"{ticks}{kind}\n{shown}\n{ticks}"
