"""What was found, by a rule or by a reviewer, and the name under which it can be answered."""

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Effect(IntEnum):
    """What a finding does to the verdict; ordered, so that the worst wins."""

    OFF = 0
    NOTE = 1
    REQUEST_CHANGES = 2
    BLOCK = 3

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")


class Severity(IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        return self.name.lower()


# The number of a secret's placeholder depends on what else the change holds.
_PLACEHOLDER = re.compile(r"(⟦secret:[\w-]{1,60})#\d{1,9}(?=⟧)")


# What the owner changes by hand, or not at all: no dismissal takes its effect away (design, section 6).
NEVER_DISMISSED = frozenset({"gate-tampering", "incomplete-coverage"})


class Source(StrEnum):
    RULE = "rule"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        kind: the rule's name, or the category that the reviewer gave.
        effect: what a rule's finding does; None for a reviewer's, whose verdict speaks for it.
        severity: None for a rule's.
        file: a path of the change as it is shown to people, or "" where the whole change is meant.
        side: "new" or "old": the numbering that `line_start` and `line_end` (from 1) belong to.
        dismissed: why the owner holds it to be none; it has no effect then.
        nuance: tells it from others of the same quote, where the quote can't show what differs.
        grounded: whether file, lines and quote were found in the change (verdict law 3).
    """

    source: Source
    kind: str
    title: str
    file: str = ""
    line_start: int | None = None
    line_end: int | None = None
    side: str = "new"
    effect: Effect | None = None
    severity: Severity | None = None
    certainty: str | None = None
    quote: str = ""
    trigger: str = ""
    consequence: str = ""
    fix: str = ""
    grounded: bool = True
    reviewer: str | None = None
    dismissed: str | None = None
    nuance: str = ""

    @property
    def id(self) -> str:
        """12 hex digits that stay the same for the same thing in the same place (design, section 12)."""
        quote = _PLACEHOLDER.sub(r"\1", " ".join((self.quote or self.title).split()))
        text = "\0".join((self.source, self.kind, self.file, quote + self.nuance))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def place(self) -> str:
        """`file:line`, as editors and terminals understand it."""
        return self.file if self.line_start is None or not self.file else f"{self.file}:{self.line_start}"

    @property
    def weight(self) -> tuple[bool, int, int]:
        """Sorts the gravest first (by descending weight); what is not grounded comes last."""
        return self.grounded, self.effect or 0, self.severity or 0
