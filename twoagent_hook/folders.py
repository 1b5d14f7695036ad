"""Writes a set of files below a folder that others may have prepared: all of them or none, and nowhere else."""

import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from twoagent_hook import visible
from twoagent_hook.errors import UsageError

_ELSEWHERE = "name another folder with `--out`"
_MOST_NAMED = 20


def put(folder: str, contents: Mapping[str, str | bytes], *, force: bool = False) -> None:
    """Write files below a folder, all of them or none as far as the system lets us.

    Args:
        contents: by path below the folder; no symbolic link in it is followed.
        force: whether what is there already is replaced.

    Raises:
        UsageError: the folder is none to write to, or holds one of them already.
    """
    try:
        root = _place(folder)
        _look(root, contents, force=force)
        with ExitStack() as handles, ExitStack() as undo:
            _make(root, undo)
            places = {above: _opened(root, above, handles, undo) for above in _above(contents)}
            staged = [
                (places[os.path.dirname(path)], path, _staged(places, path, contents[path], undo)) for path in contents
            ]
            for place, path, temporary in staged:
                name = os.path.basename(path)
                os.replace(temporary, name, src_dir_fd=place, dst_dir_fd=place)
                if not force:
                    undo.callback(_remove, name, place)
            undo.pop_all()
    except OSError as error:
        raise UsageError(
            f"nothing was written to {visible.path(folder)}: {error.strerror}", f"correct that, or {_ELSEWHERE}"
        ) from None


def _above(contents: Mapping[str, str | bytes]) -> list[str]:
    """The folders that they lie in, each before those below it; the first is the folder itself, as an empty text."""
    found = {""}
    for path in contents:
        above = os.path.dirname(path)
        while above:
            found.add(above)
            above = os.path.dirname(above)
    return sorted(found)


def _place(folder: str) -> str:
    """The folder's real path.

    Raises:
        UsageError: it belongs to git, or is no folder.
    """
    if not folder.strip() or "\0" in folder:
        raise UsageError("`--out` names no folder", _ELSEWHERE)
    root = os.path.realpath(folder)
    if os.path.lexists(root) and not os.path.isdir(root):
        raise UsageError(f"{visible.path(folder)} is there already, and is no folder", _ELSEWHERE)
    place = root
    while os.path.dirname(place) != place:
        if os.path.basename(place).casefold() == ".git" or _of_git(place):
            raise UsageError(f"{visible.path(folder)} lies in git's own folder", _ELSEWHERE)
        place = os.path.dirname(place)
    return root


def _of_git(place: str) -> bool:
    """Whether it is the folder of a repository without files of its own."""
    folders = all(os.path.isdir(os.path.join(place, name)) for name in ("objects", "refs"))
    return folders and os.path.isfile(os.path.join(place, "HEAD"))


def _look(root: str, contents: Mapping[str, str | bytes], *, force: bool) -> None:
    """Refuse before anything is written, where it can be seen that it would not go well.

    Raises:
        UsageError: it would not.
    """
    for above in _above(contents)[1:]:
        place = os.path.join(root, above)
        if os.path.lexists(place) and not stat.S_ISDIR(os.lstat(place).st_mode):
            raise UsageError(
                f"{visible.path(place)} is no folder, or a symbolic link to one", f"take it away, or {_ELSEWHERE}"
            )
    there = [path for path in contents if os.path.lexists(os.path.join(root, path))]
    blocked = [path for path in there if stat.S_ISDIR(os.lstat(os.path.join(root, path)).st_mode)]
    if blocked:
        raise UsageError(
            f"in {visible.path(root)} there are folders where files belong: {_named(blocked)}",
            f"take them away, or {_ELSEWHERE}",
        )
    if there and not force:
        raise UsageError(
            f"nothing was written, since {visible.path(root)} holds already: {_named(there)}",
            f"write over them with `--force`, or {_ELSEWHERE}",
        )


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_NAMED
    return ", ".join(paths[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _make(root: str, undo: ExitStack) -> None:
    """Make the folder, and those above it."""
    missing = []
    place = root
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        missing.append(place)
        place = os.path.dirname(place)
    for place in reversed(missing):
        os.mkdir(place)
        undo.callback(_remove_folder, place)


def _opened(root: str, above: str, handles: ExitStack, undo: ExitStack) -> int:
    """A handle of a folder, which is made if it has to be; no part of its path below the root is a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    place = os.open(root, flags)
    for position, part in enumerate(above.split("/") if above else (), 1):
        with ExitStack() as closing:
            closing.callback(os.close, place)
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=place)
                undo.callback(_remove_folder, os.path.join(root, *above.split("/")[:position]))
            place = os.open(part, flags, dir_fd=place)
    handles.callback(os.close, place)
    return place


def _staged(places: Mapping[str, int], path: str, content: str | bytes, undo: ExitStack) -> str:
    """Write a file under a name of no meaning, which is given back."""
    above, name = os.path.split(path)
    temporary = f".{name[:80]}.{secrets.token_hex(6)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, 0o666, dir_fd=places[above])
    undo.callback(_remove, temporary, places[above])
    with os.fdopen(handle, "wb") as file:
        file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    return temporary


def _remove(name: str, place: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=place)


def _remove_folder(path: str) -> None:
    with suppress(OSError):
        os.rmdir(path)
