"""Files and addresses that are recorded beside runs: a digest, and a copy of each file that stays with the clone."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack

from twoagent_hook import files, visible
from twoagent_hook.errors import UsageError
from twoagent_hook.git import Location
from twoagent_hook.verification import Attachment, clean_address, is_address

_LIMIT = 20 << 20  # bytes of a file


def attach(given: Sequence[str], location: Location) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """What is attached, and what to say where no copy could be kept; addresses are recorded, and never asked for.

    Raises:
        UsageError: one of them is no file that may be attached.
    """
    found, notices = [], []
    for number, text in enumerate(given, 1):
        if is_address(text):
            found.append(Attachment(f"A{number}", clean_address(text), url=True))
            continue
        place, content = _attached(text, location)
        digest = hashlib.sha256(content).hexdigest()
        found.append(Attachment(f"A{number}", place, url=False, digest=digest, size=len(content)))
        try:
            _keep(content, os.path.join(location.state_dir, "attachments"), digest)
        except OSError as error:
            notices.append(f"of {place} no copy could be kept: {error.strerror}")
    return tuple(found), tuple(notices)


def _attached(text: str, location: Location) -> tuple[str, bytes]:
    """The path to show (below the root, else the name: where it lies elsewhere is nobody's business), and the content.

    A link is not followed: a repository could bring one that leads to a file of the user's.
    """
    shown = visible.path(text)
    full, root = os.path.abspath(text), os.path.realpath(location.worktree)
    real = os.path.realpath(full)
    inside, leads_in = (os.path.commonpath([root, path]) == root for path in (full, real))
    if os.path.islink(full) or (inside and not leads_in):
        raise UsageError(f"--attach: {shown} is a link", "name the file that it leads to")
    content = files.read(full, _LIMIT + 1, follow=False)
    if content is None:
        raise UsageError(f"--attach: {shown} can't be read", "name a file, or an address as https://example.com/page")
    if len(content) > _LIMIT:
        what = f"--attach: {shown} is larger than {_LIMIT >> 20} MB"
        raise UsageError(what, "attach a part of it, or an address")
    return visible.path(os.path.relpath(real, root) if leads_in else os.path.basename(real)), content


def _keep(content: bytes, folder: str, name: str) -> None:
    """Whole or not at all, for this user alone.

    Raises:
        OSError: it can't be written.
    """
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.path.islink(folder):
        raise NotADirectoryError(0, f"{folder} is a link")
    handle, draft = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file, ExitStack() as undo:
        undo.callback(os.unlink, draft)
        file.write(content)
        file.flush()
        os.replace(draft, os.path.join(folder, name))
        undo.pop_all()
