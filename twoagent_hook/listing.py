"""The list of all that a change holds, as each request carries it: shorter where there is more of it; pure."""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from twoagent_hook import visible
from twoagent_hook.changes import FileChange
from twoagent_hook.rendering import estimate, headline
from twoagent_hook.screening import Move, ScreenedChange, Withheld, numbers

_MOST_FINDINGS = 40


class _Item(NamedTuple):
    """One path, or a pair of them: in full, and in short below its folder."""

    paths: tuple[str, ...]
    full: str
    short: str
    about: str = ""  # what tells it from others below the same folder


class _Chapter(NamedTuple):
    title: str
    items: tuple[_Item, ...]


def listing(screened: ScreenedChange, unsent: Sequence[Withheld], room: int) -> str:
    """Every path of the change: one a line, else by folder, else the folders alone with numbers.

    Args:
        unsent: what had no room.
        room: tokens that the list may take; the last and shortest form may take more.
    """
    left_out = {item.path for item in unsent}
    shown = [_shown(file) for file in screened.files if file.path not in left_out]
    withheld = [_withheld(item) for item in (*screened.withheld, *unsent)]
    chapters = [
        _Chapter(f"Files in the change: {screened.entries}", tuple(shown)),
        _Chapter("Moved, unchanged:", tuple(map(_moved, screened.moves))),
        _Chapter("Not shown:", tuple(withheld)),
    ]
    found = list(_findings(screened))
    text = ""
    for form in _FORMS:
        lines = [line for place, chapter in enumerate(chapters) for line in _lines(chapter, form, first=place == 0)]
        text = "\n".join((*lines, *found))
        if estimate(text) <= room:
            break
    return text


def _lines(chapter: _Chapter, form: "_Form", *, first: bool) -> Iterator[str]:
    if first or chapter.items:
        yield chapter.title if form is _one_a_line else f"{chapter.title.removesuffix(':')} (by folder):"
    yield from form(chapter.items)


def _shown(file: FileChange) -> _Item:
    return _Item((file.path,), headline(file), f"{_base(file.path)} {numbers(file)}".rstrip())


def _moved(move: Move) -> _Item:
    names = tuple(dict.fromkeys(map(_base, move)))
    return _Item(tuple(move), f"{visible.path(move.source)} → {visible.path(move.path)}", " → ".join(names))


def _withheld(item: Withheld) -> _Item:
    about = f"{item.reason}{', ' + item.numbers if item.numbers else ''}"
    return _Item(
        (item.path,), f"{visible.path(item.path)} ({about})", f"{_base(item.path)} ({item.reason})", item.reason
    )


def _base(path: str) -> str:
    return visible.path(posixpath.basename(path))


def _findings(screened: ScreenedChange) -> Iterator[str]:
    if screened.findings:
        yield "Found by automatic checks already (no need to report it again):"
    for finding in screened.findings[:_MOST_FINDINGS]:
        yield f"- {finding.kind}: {finding.place}: {finding.title}"
    more = len(screened.findings) - _MOST_FINDINGS
    if more > 0:
        yield f"- and {more} more of the same kinds"


# --- forms --------------------------------------------------------------------------------------------------

_Form = Callable[[Sequence[_Item]], Iterator[str]]


def _one_a_line(items: Sequence[_Item]) -> Iterator[str]:
    yield from (f"- {item.full}" for item in items)


def _by_folder(items: Sequence[_Item]) -> Iterator[str]:
    for folder, found in _folders(items, None).items():
        yield f"- {folder}: {', '.join(item.short for item in found)}"


def _counted(depth: int | None) -> _Form:
    def form(items: Sequence[_Item]) -> Iterator[str]:
        for folder, found in _folders(items, depth).items():
            yield f"- {folder}: {len(found)} file{'' if len(found) == 1 else 's'}"

    return form


def _folders(items: Iterable[_Item], depth: int | None) -> dict[str, list[_Item]]:
    groups: dict[str, list[_Item]] = {}
    for item in items:
        names = ("/".join(posixpath.dirname(path).split("/")[:depth]) or "." for path in item.paths)
        folder = " → ".join(f"{visible.path(name)}/" for name in names)
        groups.setdefault(f"{folder} ({item.about})" if item.about else folder, []).append(item)
    return groups


_FORMS: tuple[_Form, ...] = (_one_a_line, _by_folder, *(_counted(depth) for depth in (None, 4, 3, 2, 1)))
