"""What this user's reviews have used, in all repositories: a line for each model call, in a file for each month (UTC).

A ceiling over one repository's log would be none: the log goes with the clone.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from twoagent_hook import files

_LINE = re.compile(r"(\d{4}-\d\d-\d\d)\t(\d{1,12})\t(\d{1,9}(?:\.\d{1,9})?|-)")
_LIMIT = 16 << 20  # bytes of a month that are read: half a million calls


class Used(NamedTuple):
    """What one model call has used.

    Attributes:
        tokens: of the prompt and of the reply together.
        cost: US dollars; None where nobody says.
    """

    tokens: int
    cost: float | None = None


class Spent(NamedTuple):
    """The sums of this day (tokens) and of this month (US dollars, of those calls whose cost is known)."""

    tokens_today: int = 0
    cost_this_month: float = 0.0


def _path(folder: str, now: datetime) -> str:
    return os.path.join(folder, "spending", f"{now:%Y-%m}.tsv")


def add(folder: str, used: Iterable[Used], now: datetime | None = None) -> bool:
    """Append what was used, in one write, so that runs side by side lose nothing.

    Returns:
        whether it can be kept; with nothing to append, whether something could be.
    """
    now = now or datetime.now(UTC)
    lines = [f"{now:%Y-%m-%d}\t{item.tokens}\t{_cost(item.cost)}\n" for item in used]
    path = _path(folder, now)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        os.write(handle, "".join(lines).encode("ascii"))
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.close(handle)
    return True


def _cost(cost: float | None) -> str:
    return "-" if cost is None else f"{cost:.6f}"


def read(folder: str, now: datetime | None = None) -> Spent:
    """What was used so far; a line that is no such line, half a one say, counts for nothing."""
    now = now or datetime.now(UTC)
    today, tokens, cost = f"{now:%Y-%m-%d}", 0, 0.0
    for day, used, price in _rows(files.read(_path(folder, now), _LIMIT, private=True, follow=False) or b""):
        tokens += used if day == today else 0
        cost += price
    return Spent(tokens, cost)


def _rows(content: bytes) -> Iterator[tuple[str, int, float]]:
    for line in content.decode("ascii", "replace").split("\n"):
        match = _LINE.fullmatch(line)
        if match:
            yield match[1], int(match[2]), 0.0 if match[3] == "-" else float(match[3])
