"""What an agent is about to do, and what the guard says to it: the nouns of this package."""

from typing import NamedTuple


class Allow(NamedTuple):
    """Nothing that is known to pass the gate by."""


class Deny(NamedTuple):
    """A refusal, addressed to the agent: what is refused, and what to do instead."""

    what: str
    do: str


Ruling = Allow | Deny


class Change(NamedTuple):
    """A file that a tool is about to write.

    Attributes:
        whole: the new text, where the tool writes the whole file.
        parts: (old, new) for each place, where it changes some.
        before: the file's text as it is, where that is known.
    """

    path: str
    whole: str | None = None
    parts: tuple[tuple[str, str], ...] = ()
    before: str | None = None


class Call(NamedTuple):
    """One call of a tool.

    Attributes:
        lines: command lines for a shell.
        words: commands that are already split into words.
        removed: paths of files that a tool is about to delete.
        tool: its name.
        options: the names of arguments that are set to true.
        cwd: the folder in which it happens, or "".
    """

    lines: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    changes: tuple[Change, ...] = ()
    removed: tuple[str, ...] = ()
    tool: str = ""
    options: tuple[str, ...] = ()
    cwd: str = ""
