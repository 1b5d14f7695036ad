"""The user's own key, by which rows of a log are known to be written by this user's gate.

A repository that comes with a `.git` folder of its own could bring a log with it; without the key it can't bring a
row whose verdict would be taken for one of ours. Who runs as the user can read the key: it is no wall against them.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from typing import NamedTuple

from twoagent_hook import files

_NAME = "seal.key"
_LENGTH = 64  # hex digits


class Seal(NamedTuple):
    """Marks data, and knows its marks again."""

    key: bytes

    def mark(self, data: str) -> str:
        return hmac.new(self.key, data.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def knows(self, data: str, mark: object) -> bool:
        return isinstance(mark, str) and mark.isascii() and hmac.compare_digest(self.mark(data), mark)


def load(folder: str) -> Seal | None:
    """The key in the user's own folder; made where there is none yet.

    Returns:
        None where it can't be made, or somebody else could have written it: then nothing is known again.
    """
    path = os.path.join(folder, _NAME)
    if not os.path.lexists(path):
        with suppress(OSError):
            _make(folder, path)
    key = files.read(path, _LENGTH + 1, private=True, follow=False)
    if key is None or len(key) != _LENGTH or files.writable_by_others(path):
        return None
    return Seal(key)


def _make(folder: str, path: str) -> None:
    """Whole or not at all, and never in place of another one: two gates may begin at the same moment."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_LENGTH // 2))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
