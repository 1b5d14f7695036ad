"""Shows one file of a change, or a part of it, as a reviewer sees it; pure."""

import math
from collections.abc import Iterator

from twoagent_hook import visible
from twoagent_hook.changes import SYMLINK, FileChange, Hunk, Status
from twoagent_hook.screening import numbers

BYTES_PER_TOKEN = 3.5  # measured over code in several languages; no tokenizer is loaded for an estimate


def estimate(text: str) -> int:
    """Tokens, rounded up."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


_STATUS = {
    Status.ADDED: "added",
    Status.MODIFIED: "modified",
    Status.DELETED: "deleted",
    Status.TYPE_CHANGED: "type changed",
}


def render(file: FileChange) -> str:
    """One file as the reviewer sees it; no line of it begins with text of the author's."""
    return _shown(f"=== {headline(file)}", file.hunks)


def render_part(head: str, hunks: tuple[Hunk, ...]) -> str:
    """Some hunks of a file that is shown in several parts.

    Args:
        head: its headline, made once: it counts all lines of the file.
    """
    return _shown(f"=== {head} (a part of it; the others are shown elsewhere)", hunks)


def _shown(title: str, hunks: tuple[Hunk, ...]) -> str:
    return visible.told("\n".join((title, *(line for hunk in hunks for line in _hunk(hunk)))))


def headline(file: FileChange) -> str:
    """Its name, and what happened to it."""
    about = [_STATUS[file.status], numbers(file)]
    if file.source is not None:
        about[0] = f"moved from {visible.path(file.source)} and edited"
    if file.submodule:
        about.append("submodule: its content is not part of the change")
    elif SYMLINK in (file.old_mode, file.new_mode):
        about.append("symbolic link: the text is its target")
    elif file.old_mode != file.new_mode and file.status is not Status.DELETED:
        about.append(
            f"mode {file.new_mode}" if file.status is Status.ADDED else f"mode {file.old_mode} → {file.new_mode}"
        )
    return f"{visible.path(file.path)} ({', '.join(part for part in about if part)})"


def _hunk(hunk: Hunk) -> Iterator[str]:
    section = visible.line(hunk.section)
    yield f"@@ from line {hunk.old_start} before, {hunk.new_start} after{f' | in: {section}' if section else ''}"
    for line in hunk.lines:
        old = "" if line.old is None else str(line.old)
        new = "" if line.new is None else str(line.new)
        ending = "" if line.ended else "  (no line feed at the end of the file)"
        yield f"{old:>6} {new:>6} {line.sign}| {visible.line(line.text)}{ending}"
