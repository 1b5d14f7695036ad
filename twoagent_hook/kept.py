"""A reviewer's opinion as data for the log, and back; pure."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from twoagent_hook.backends.base import Identity, Usage
from twoagent_hook.findings import Effect, Finding, Severity, Source
from twoagent_hook.reviews import Review
from twoagent_hook.verdicts import STATUSES, Judged, Verdict

T = TypeVar("T")


def data(review: Review) -> dict[str, Any]:
    """What JSON can hold of it."""
    made = asdict(review) | {"stated": review.stated.label, "verdict": review.verdict.label}
    made["reviewer"]["families"] = sorted(review.reviewer.families)
    for finding, given in zip(made["findings"], review.findings, strict=True):
        finding["severity"] = given.severity.label if given.severity else None
    made["criteria"] = [one._asdict() for one in review.criteria]
    del made["recorded"], made["expires"]
    return made


def review(kept: object, number: int, expires: str) -> Review | None:
    """The opinion again, or None where the data are not what `data` makes: of another version, say.

    Args:
        number: the row that holds it.
        expires: until when it may be taken again.
    """
    try:
        return _review(_table(kept), {"recorded": number, "expires": expires})
    except (KeyError, TypeError, ValueError):
        return None


def _review(kept: Mapping[str, Any], source: dict[str, Any]) -> Review:
    reviewer = _table(kept["reviewer"])
    made = dict(kept) | {
        "reviewer": _made(Identity, reviewer | {"families": frozenset(_texts(reviewer["families"]))}),
        "answered": _texts(kept["answered"]),
        "stated": Verdict[kept["stated"].upper()],
        "verdict": Verdict[kept["verdict"].upper()],
        "findings": tuple(_finding(_table(item)) for item in kept["findings"]),
        "commands": _texts(kept["commands"]),
        "questions": _texts(kept["questions"]),
        "criteria": tuple(_judged(_table(item)) for item in kept["criteria"]),
        "usage": _made(Usage, _table(kept["usage"])),
    }
    if not all(isinstance(made[name], str) for name in ("summary", "form")):
        raise TypeError("no text")
    if not isinstance(made["latency"], (int, float)) or not isinstance(made["attempts"], int):
        raise TypeError("no number")
    return _made(Review, made | source)


def _judged(kept: Mapping[str, Any]) -> Judged:
    if set(kept) != set(Judged._fields) or kept["status"] not in STATUSES:
        raise ValueError("no criterion")
    return Judged(*_texts([kept[name] for name in Judged._fields]))


def _finding(kept: Mapping[str, Any]) -> Finding:
    severity, effect = kept["severity"], kept["effect"]
    made = dict(kept) | {
        "source": Source(kept["source"]),
        "severity": None if severity is None else Severity[severity.upper()],
        "effect": None if effect is None else Effect(effect),
    }
    if not all(isinstance(made[name], str) for name in _TEXTS):
        raise TypeError("no text")
    if not all(made[name] is None or isinstance(made[name], int) for name in ("line_start", "line_end")):
        raise TypeError("no line number")
    return _made(Finding, made)


_TEXTS = ("kind", "title", "file", "side", "quote", "trigger", "consequence", "fix", "nuance")


def _made(kind: type[T], values: Mapping[str, Any]) -> T:
    """One made of exactly its own fields.

    Raises:
        ValueError: one is missing, or one too many.
    """
    if {field.name for field in fields(kind)} != set(values):  # type: ignore[arg-type]
        raise ValueError(f"no {kind.__name__}")
    return kind(**values)


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no table")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("no list of texts")
    return tuple(value)
