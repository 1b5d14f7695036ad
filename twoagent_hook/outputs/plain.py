"""Texts of a payload: visible and bounded, whoever wrote them."""

from typing import Any

from twoagent_hook import visible

LIMIT = 4000  # characters of a text that are kept


def text(given: str) -> str:
    """Several lines, each made visible."""
    shown = visible.block(given.strip())
    return shown if len(shown) <= LIMIT else shown[: LIMIT - 1] + "…"


def line(given: str) -> str:
    """The same on one line."""
    return visible.excerpt(given, LIMIT)


def restored(value: Any) -> Any:
    """A payload that comes from a file: of what it should be made of, with every text visible and bounded.

    Raises:
        TypeError: it holds what no payload does.
    """
    if isinstance(value, dict):
        return {line(key): restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise TypeError(f"a payload holds no {type(value).__name__}")
