"""What kind of thing a changed file is: text, text in another encoding, binary, a pointer; pure."""

from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import Any

from twoagent_hook import datafiles
from twoagent_hook.changes import FileChange, Hunk, Line, decode, encode

_LFS = "version https://git-lfs.github.com/spec/"
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


class Content(Enum):
    TEXT = "text"
    BINARY = "binary"
    NUL_IN_TEXT = "a NUL byte in text: many tools take the file for binary and show nothing of it"
    LFS_POINTER = "a Git LFS pointer: the content itself is not part of the change"
    SUBMODULE = "a submodule: its content is not part of the change"


@cache
def known_files() -> dict[str, Any]:
    return datafiles.packaged_toml("screening/files.toml")


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def is_lock(path: str) -> bool:
    return name_of(path) in known_files()["lock"]["names"]


def is_generated(path: str) -> bool:
    return path.lower().endswith(tuple(known_files()["generated"]["suffixes"]))


def is_text_type(path: str) -> bool:
    known = known_files()["text"]
    return path.lower().endswith(tuple(known["suffixes"])) or name_of(path) in known["names"]


def recognise(file: FileChange) -> tuple[FileChange, Content]:
    """The file with its lines as text, whatever its encoding, and what it is.

    UTF-16 (by its byte order mark, or where every line decodes) is turned into text; bytes that are no UTF-8 stay
    as they are, and are shown as `\\xNN`.
    """
    if file.submodule:
        return file, Content.SUBMODULE
    if not any("\0" in line.text for line in file.lines):
        pointer = any(line.new == 1 and line.text.startswith(_LFS) for line in file.lines)
        return file, Content.LFS_POINTER if pointer else Content.TEXT
    marked = _marked(file.lines)
    for encoding in (marked,) if marked else _BOMS.values():
        decoded = _decoded(file, encoding)
        if decoded is not None and (marked or _plausible(decoded)):
            return decoded, Content.TEXT
    return file, Content.NUL_IN_TEXT if is_text_type(file.path) or not _noise(file) else Content.BINARY


def _noise(file: FileChange) -> bool:
    """Whether so much of it is no text that nobody could read it; a NUL or two in a script is no such thing."""
    text = "".join(line.text for line in file.lines)
    return sum((char < " " and char not in "\t\r\f\x1b") or "\ud800" <= char <= "\udfff" for char in text) > 0.1 * len(
        text
    )


def became_binary(file: FileChange) -> bool:
    """Whether what is removed is text, and what is added is not."""
    removed = [line.text for line in file.lines if line.sign == "-"]
    return bool(removed) and not any("\0" in text for text in removed)


def _marked(lines: Iterable[Line]) -> str | None:
    """The encoding that a byte order mark at the start of the file declares."""
    starts = (_BOMS.get(encode(line.text)[:2]) for line in lines if 1 in (line.old, line.new))
    return next((encoding for encoding in starts if encoding is not None), None)


def _plausible(file: FileChange) -> bool:
    """Whether it reads as text of an alphabet: any even number of bytes decodes to something."""
    text = "".join(line.text for line in file.lines)
    return bool(text) and sum("\t" <= char < "\u0530" for char in text) >= 0.9 * len(text)


def _decoded(file: FileChange, encoding: str) -> FileChange | None:
    hunks: list[Hunk] = []
    for hunk in file.hunks:
        texts = [_decode_line(encode(line.text), encoding) for line in hunk.lines]
        if any(text is None for text in texts):
            return None
        lines = tuple(line._replace(text=text or "") for line, text in zip(hunk.lines, texts, strict=True))
        hunks.append(hunk._replace(lines=lines, section=""))  # git cut the heading in the middle of a character
    return replace(file, hunks=tuple(hunks))


def _decode_line(content: bytes, encoding: str) -> str | None:
    """One line of UTF-16 that git cut at the byte 0x0a (the line feed's other half is at one end), or None.

    Two printable ASCII bytes side by side are no UTF-16 here: a shell drops NULs and runs the rest, so that a script
    could pass for a text in Chinese. Such a text in UTF-16 is shown as bytes instead.
    """
    content = content.removeprefix(b"\0") if encoding == "utf-16-le" else content.removesuffix(b"\0")
    if any(
        0x21 <= one <= 0x7E and 0x21 <= other <= 0x7E for one, other in zip(content[::2], content[1::2], strict=False)
    ):
        return None
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    text = text.removeprefix("\ufeff")
    return None if "\0" in text else decode(text.encode("utf-8"))
