"""Fits what is shown of a change into requests: with less around it, then in parts by file, hunk, line; pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from twoagent_hook.changes import FileChange, Hunk
from twoagent_hook.context import FEW, trimmed
from twoagent_hook.rendering import estimate, headline, render, render_part
from twoagent_hook.risk import Risk


class Section(NamedTuple):
    """A file, or a part of one, as it is shown; `tokens` is an estimate."""

    file: FileChange
    text: str
    tokens: int


class Division(NamedTuple):
    """The parts, in the order in which they are to be asked about, and the files for which there was no room.

    A file is shown whole, in one part or in several, or not at all.
    """

    parts: tuple[tuple[Section, ...], ...]
    left_out: tuple[FileChange, ...]


def whole(file: FileChange) -> Section:
    """A file as it is shown in one piece."""
    text = render(file)
    return Section(file, text, estimate(text) + 1)


def fit(
    sections: Sequence[Section], functions: Mapping[str, FileChange], room: int, most: int, risk: Risk
) -> Division:
    """The change with as much around it as there is room for.

    Where one part is enough, the enclosing functions are shown as far as they fit, around the riskiest first. Where
    several parts would still leave something out, one line around each change has to do.

    Args:
        sections: files with the usual three lines.
        functions: the same files, by path, with the functions around their changes.
        room: tokens of a part.
        most: parts.
    """
    spare = room - sum(section.tokens for section in sections)
    if spare >= 0:
        return _widest(sections, functions, spare, risk)
    division = divide(sections, room, most, risk)
    if not division.left_out:
        return division
    least = divide([whole(trimmed(section.file, FEW)) for section in sections], room, most, risk)
    return least if len(least.left_out) < len(division.left_out) else division


def _widest(sections: Sequence[Section], functions: Mapping[str, FileChange], spare: int, risk: Risk) -> Division:
    shown = []
    for section in sorted(sections, key=lambda section: risk.order(section.file)):
        wide = functions.get(section.file.path)
        wider = whole(wide) if wide else section
        more = wider.tokens - section.tokens
        shown.append(wider if more <= spare else section)
        spare -= more if more <= spare else 0
    return Division((tuple(shown),) if shown else (), ())


def divide(sections: Sequence[Section], room: int, most: int, risk: Risk) -> Division:
    """Fit whole files into at most `most` parts of `room` tokens.

    The riskiest come first, and a module stands beside its tests where both fit. What has no room any more is left
    out, and smaller files after it are still taken.
    """
    bins: list[_Bin] = []
    left_out: list[FileChange] = []
    for group in _related(sorted(sections, key=lambda section: risk.order(section.file))):
        if len(group) > 1 and _place([group], bins, room, most):
            continue
        for section in group:
            pieces = [section] if section.tokens <= room else _pieces(section.file, room, most)
            if not pieces or not _place([[piece] for piece in pieces], bins, room, most):
                left_out.append(section.file)
    return Division(tuple(tuple(one.sections) for one in bins), tuple(left_out))


class _Bin:
    def __init__(self, room: int) -> None:
        self.free = room
        self.sections: list[Section] = []


def _place(clusters: Sequence[Sequence[Section]], bins: list[_Bin], room: int, most: int) -> bool:
    """Put all of the clusters into parts, each cluster into one, or none of them anywhere."""
    free = [one.free for one in bins]
    chosen = []
    for cluster in clusters:
        cost = sum(section.tokens for section in cluster)
        place = next((place for place, left in enumerate(free) if left >= cost), None)
        if place is None and len(free) < most and cost <= room:
            place = len(free)
            free.append(room)
        if place is None:
            return False
        free[place] -= cost
        chosen.append(place)
    bins += [_Bin(room) for _ in range(len(free) - len(bins))]
    for place, cluster in zip(chosen, clusters, strict=True):
        bins[place].sections += cluster
        bins[place].free = free[place]
    return True


# --- order ----------------------------------------------------------------------------------------------------


_AFFIX = re.compile(r"^tests?[_-]|(?:[._-](?:unit)?(?:tests?|specs?))+$|(?<=[a-z])(?:Tests?|Specs?)$")


def _related(sections: Sequence[Section]) -> Iterator[list[Section]]:
    """The files in their order, those that a test's name ties to another one beside that one."""
    groups: dict[str, list[Section]] = {}
    for section in sections:
        name, _ = posixpath.splitext(posixpath.basename(section.file.path))
        groups.setdefault(_AFFIX.sub("", name).lower(), []).append(section)
    for group in groups.values():
        paths = [section.file.path.lower() for section in group]
        tested = any("test" in path or "spec" in path for path in paths)
        yield from [group] if tested else ([section] for section in group)


# --- pieces ---------------------------------------------------------------------------------------------------


def _pieces(file: FileChange, room: int, most: int) -> list[Section]:
    """The file in parts that each have room; none where there would be too many, or a single line has none."""
    head = headline(file)
    own = _tokens(head)
    kept: list[tuple[Hunk, ...]] = []
    taken: list[Hunk] = []
    left = room - own
    rest = list(reversed(file.hunks))
    while rest and len(kept) < most:
        hunk = rest.pop()
        cost = _tokens(head, hunk) - own + 1 if _small(hunk, room * _CHARACTERS) else room
        if cost <= left:
            taken.append(hunk)
            left -= cost
        elif taken:
            kept.append(tuple(taken))
            taken, left = [], room - own
            rest.append(hunk)
        else:
            place = _room_for(head, hunk, room)
            if place == 0:
                return []
            kept.append((hunk._replace(lines=hunk.lines[:place]),))
            rest.append(_from(hunk, place))
    kept += [tuple(taken)] if taken else []
    if rest or len(kept) > most:
        return []
    texts = [render_part(head, hunks) for hunks in kept]
    return [Section(file, text, estimate(text) + 1) for text in texts]


_CHARACTERS = 4  # of a line's text, that are more than a token whatever they are


def _tokens(head: str, *hunks: Hunk) -> int:
    return estimate(render_part(head, hunks)) + 1


def _small(hunk: Hunk, most: int) -> bool:
    """Whether its lines have at most so many characters; looks no further than it has to."""
    return all(size <= most for size in accumulate(len(line.text) for line in hunk.lines))


def _room_for(head: str, hunk: Hunk, room: int) -> int:
    """How many lines of the hunk have room; 0 where not even one has."""
    sizes = accumulate(len(line.text) for line in hunk.lines)
    few, many = 0, next((place for place, size in enumerate(sizes, 1) if size > room * _CHARACTERS), len(hunk.lines))
    while few < many - 1:  # by halving
        middle = (few + many) // 2
        fits = _tokens(head, hunk._replace(lines=hunk.lines[:middle])) <= room
        few, many = (middle, many) if fits else (few, middle)
    return _seam(hunk, few) if few else 0


def _seam(hunk: Hunk, most: int) -> int:
    """Where to cut: in the last quarter, before a line that is not indented and follows an empty one, if one does."""
    for place in range(most, max(most - most // 4, 1), -1):
        before, after = hunk.lines[place - 1], hunk.lines[place]
        if not before.text.strip() and after.text[:1].strip():
            return place
    return most


def _from(hunk: Hunk, place: int) -> Hunk:
    rest = hunk.lines[place:]
    old = next((line.old for line in rest if line.old is not None), hunk.old_start)
    new = next((line.new for line in rest if line.new is not None), hunk.new_start)
    return hunk._replace(old_start=old, new_start=new, lines=rest)
