"""How much of a file is shown around its changes: the enclosing function, three lines, or one; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from twoagent_hook.changes import FileChange, Hunk, Line

FEW = 1  # lines, where there is no room for three
_FUNCTION_LIMIT = 60  # lines of a function on either side of what changed in it


def trimmed(file: FileChange, most: int) -> FileChange:
    """The file with at most `most` unchanged lines on either side of a change."""
    return replace(file, hunks=tuple(part for hunk in file.hunks for part in _parts(hunk, most)))


def _parts(hunk: Hunk, most: int) -> Iterator[Hunk]:
    """The hunk without lines that are too far from a change; in several where a gap opens."""
    changed = [place for place, line in enumerate(hunk.lines) if line.sign != " "]
    start = end = -1
    for place in changed:
        if end >= 0 and place - most > end:
            yield _between(hunk, start, end)
            start = -1
        start = max(place - most, 0) if start < 0 else start
        end = min(place + most + 1, len(hunk.lines))
    if end >= 0:
        yield _between(hunk, start, end)


def _between(hunk: Hunk, start: int, end: int) -> Hunk:
    lines = hunk.lines[start:end]
    old = hunk.old_start + sum(line.old is not None for line in hunk.lines[:start])
    new = hunk.new_start + sum(line.new is not None for line in hunk.lines[:start])
    return Hunk(old, new, hunk.section, lines)


def widened(file: FileChange, wide: Sequence[Hunk]) -> FileChange | None:
    """The file with the functions around its changes, or None where these hunks don't show the very same changes.

    A heading is kept where the line that it quotes is not shown itself.
    """
    if _changes(file.hunks) != _changes(wide):
        return None
    headings = {_first_change(hunk): hunk.section for hunk in file.hunks}
    hunks = []
    for hunk in trimmed(replace(file, hunks=tuple(wide)), _FUNCTION_LIMIT).hunks:
        heading = headings.get(_first_change(hunk), "")
        shown = heading and any(line.sign == " " and line.text.strip().startswith(heading) for line in hunk.lines)
        hunks.append(hunk._replace(section="" if shown else heading))
    return replace(file, hunks=tuple(hunks))


def _changes(hunks: Sequence[Hunk]) -> list[Line]:
    return [line for hunk in hunks for line in hunk.lines if line.sign != " "]


def _first_change(hunk: Hunk) -> Line | None:
    return next((line for line in hunk.lines if line.sign != " "), None)
