"""What git does to files and to its index, told from the words of its call."""

import posixpath
import re
from collections.abc import Iterator, Sequence

from twoagent_hook.guard import gitline
from twoagent_hook.guard.gitline import GitLine, bare

_VALUED = {"-b", "-B", "--orphan", "--conflict", "--pathspec-from-file", "-U", "--unified"}
_BRANCHING = {"-b", "-B", "--orphan", "-t", "--track", "-d", "--detach"}
_SAME = {"HEAD", "@"}
_SOURCE = re.compile(r"-[pSWqm23]*s(.*)", re.DOTALL)


def touched(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(how, path) of the files that the call brings in, takes out or writes."""
    line = gitline.read(args)
    work = _WORK.get(line.command)
    found = list(work(line)) if work is not None else []
    found += [("write", path) for path in _outputs(line)]
    above = gitline.folder(args)
    for how, path in found:
        yield how, posixpath.join(above, path)


def _outputs(line: GitLine) -> Iterator[str]:
    short = line.command == "archive"
    for place, word in enumerate(line.args):
        name, equals, value = word.partition("=")
        if name == "--output" and equals:
            yield value
        elif word == "--output" or (short and word == "-o"):
            yield from line.args[place + 1 : place + 2]
        elif short and word.startswith("-o"):
            yield word[2:]


def _apart(args: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The words that are no options, and those after `--`, if there is one."""
    words = list(map(bare, args))
    after = words[words.index("--") + 1 :] if "--" in words else None
    found: list[str] = []
    skip = False
    for word in words[: words.index("--")] if after is not None else words:
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = word in _VALUED
    return found, after


def _brought(line: GitLine) -> Iterator[tuple[str, str]]:
    """`checkout` and `reset` with another version and with paths: no branch begins with a dot, so that is a path."""
    if line.command == "checkout" and _BRANCHING & set(line.args):
        return
    words, after = _apart(line.args)
    if after is None and words[:1] and words[0].startswith("."):
        return
    if words[:1] and words[0] not in _SAME:
        yield from (("write", path) for path in (words[1:] if after is None else after))


def _restored(line: GitLine) -> Iterator[tuple[str, str]]:
    source = None
    paths: list[str] = []
    words = iter(line.args)
    for word in words:
        name, equals, value = word.partition("=")
        short = _SOURCE.fullmatch(word)
        if name.startswith("--so") and "--source".startswith(name):
            source = value if equals else next(words, "")
        elif short:
            source = short[1] or next(words, "")
        elif not word.startswith("-"):
            paths.append(word)
    if source is not None and source not in _SAME:
        yield from (("write", path) for path in paths)


def _indexed(line: GitLine) -> Iterator[tuple[str, str]]:
    """What a commit will hold without that the file is written."""
    how = "write" if any(word.startswith("--cacheinfo") for word in line.args) else None
    how = "delete" if "--force-remove" in line.args else how
    if how is not None:
        yield from ((how, word.rpartition(",")[2]) for word in line.args if not word.startswith("-"))
        yield from ((how, word.rpartition(",")[2]) for word in line.args if word.startswith("--cacheinfo="))


_WORK = {"checkout": _brought, "reset": _brought, "restore": _restored, "update-index": _indexed}
