"""What a task is called: an id that is safe as a file name, in a log and in a prompt, made of title and text; pure."""

import hashlib
import re
import unicodedata
from typing import NamedTuple, Self

from twoagent_hook import visible
from twoagent_hook.errors import UsageError

TITLE_LIMIT = 200  # characters
TEXT_LIMIT = 8_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SLUG_LIMIT = 60


class Task(NamedTuple):
    """What shall be done.

    Attributes:
        id: see `check_id`.
        title: one visible line.
        text: visible lines, in the words of whoever wants it done.
    """

    id: str
    title: str
    text: str

    @classmethod
    def of(cls, title: str, text: str, given: str | None = None) -> Self:
        """The task of this title and text; the same two give the same id each time.

        Args:
            given: its id, where it has one already.

        Raises:
            UsageError: one of them is empty, too long, or no id.
        """
        shown, lines = visible.excerpt(title, TITLE_LIMIT + 1), visible.block(text.strip())
        for name, value, limit in (("title", shown, TITLE_LIMIT), ("task", lines, TEXT_LIMIT)):
            if not value.strip():
                raise UsageError(f"the {name} is empty", f"say in `--{name}` what it is")
            if len(value) > limit:
                raise UsageError(f"the {name} is longer than {limit} characters", "shorten it")
        return cls(check_id(given) if given is not None else _id(title, text), shown, lines)


def check_id(given: str) -> str:
    """The id, if it is one.

    Raises:
        UsageError: it could be taken for a path or an option, or holds what is not plain ASCII.
    """
    if not _ID.fullmatch(given) or ".." in given or given.endswith("."):
        raise UsageError(
            f"{given!a:.90} is no id of a task",
            "use up to 80 letters, digits, `.`, `_` and `-`; a letter or digit first, and no two dots in a row",
        )
    return given


def slug(title: str) -> str:
    """Lower case words with hyphens; `task` where nothing of the title is left."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    kept = ""
    for word in words:
        if len(kept) + len(word) >= _SLUG_LIMIT:
            break
        kept += f"-{word}" if kept else word
    return kept or (words[0][:_SLUG_LIMIT] if words else "task")


def _id(title: str, text: str) -> str:
    parts = "\0".join(" ".join(part.split()) for part in (title, text))
    return f"{slug(title)}-{hashlib.sha256(parts.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
