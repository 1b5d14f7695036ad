"""The rules as data, and what is refused in words."""

import re
import shlex
from collections.abc import Iterable
from functools import cache
from typing import Any

from twoagent_hook import datafiles
from twoagent_hook.guard.calls import Deny

UNKNOWN = "\0"  # stands in a word for what can't be worked out: no word of a shell holds one
_LONGEST = 80


@cache
def rules() -> dict[str, Any]:
    """The whole table."""
    return datafiles.packaged_toml("guard/rules.toml")


@cache
def pattern(source: str) -> re.Pattern[str]:
    return re.compile(source)


def deny(reason: str, found: str = "") -> Deny:
    """The refusal of that name."""
    row = rules()["reasons"][reason]
    return Deny(row["what"].format(found=_shown(found)), row["do"])


def _shown(text: str) -> str:
    text = " ".join(text.replace(UNKNOWN, "…").split())
    plain = "".join(char if char.isprintable() else "\ufffd" for char in text).replace("`", "'")
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"


def joined(words: Iterable[str]) -> str:
    """The words as a line that a shell takes apart again; what is not known in them stays so."""
    return " ".join(
        UNKNOWN.join(shlex.quote(part) if part else "" for part in word.split(UNKNOWN)) or "''" for word in words
    )


def program(word: str) -> str:
    """The name of the program that a word runs, however it is called."""
    name = word.replace(UNKNOWN, "").rpartition("/")[2].lower().removesuffix(".exe")
    # python3.11 is python3
    return pattern(r"(?<=\d)\.\d+$").sub("", name)
