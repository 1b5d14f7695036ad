"""Who wrote the change: the evidence, as candidates from all of which the reviewer must differ; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twoagent_hook import datafiles, models, visible

HUMAN = "human"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One who may have written the change.

    Attributes:
        agent: the tool, `human`, or None where only a model is known.
        model: its id, or None.
        families: the vendors it may belong to; empty where nothing is known of them.
        source: where the knowledge comes from.
    """

    agent: str | None
    model: str | None
    families: frozenset[str]
    source: str

    @property
    def human(self) -> bool:
        return self.agent == HUMAN

    @property
    def label(self) -> str:
        """`claude-code (anthropic, model unknown; from CLAUDECODE)`."""
        if self.human:
            return f"human (from {self.source})"
        family = "/".join(sorted(self.families)) or "family unknown"
        if self.agent is None:
            return f"{visible.excerpt(self.model or '', 60)} ({family}; from {self.source})"
        model = visible.excerpt(self.model or "model unknown", 60)
        return f"{visible.excerpt(self.agent, 40)} ({family}, {model}; from {self.source})"

    @property
    def short(self) -> str:
        return visible.excerpt(self.agent or self.model or "unknown", 40)


@dataclass(frozen=True, slots=True)
class Author:
    """All candidates; none at all is an unknown author, for whom any reviewer will do, and that is stated."""

    candidates: tuple[Candidate, ...] = ()

    @property
    def label(self) -> str:
        return " and ".join(candidate.label for candidate in self.candidates) or "unknown"

    @property
    def short(self) -> str:
        return " and ".join(candidate.short for candidate in self.candidates) or "an unknown author"

    @property
    def agents(self) -> bool:
        """Whether the words may be read by an agent: it is not told how to pass the gate by."""
        return any(not candidate.human for candidate in self.candidates)


def detect(variables: Mapping[str, str], claims: tuple[tuple[str, str], ...]) -> Author:
    """Join what is claimed with what coding agents leave in the environment.

    A claim adds a model within a marker's family, or a further candidate; it never takes one away.

    Args:
        variables: the environment.
        claims: (model id, agent's name or `human`; where it stands), explicit ones first.
    """
    marked = _markers(variables)
    claimed = [_claim(text.strip(), source) for text, source in claims if text.strip()]
    joined: list[Candidate] = []
    for candidate in claimed:
        partner = next((mark for mark in marked if _fits(candidate, mark)), None)
        if partner is not None:
            marked.remove(partner)
        whole = candidate if partner is None else _join(candidate, partner)
        if all((whole.agent, whole.model) != (other.agent, other.model) for other in joined):
            joined.append(whole)
    return Author((*joined, *marked))


def _join(claim: Candidate, mark: Candidate) -> Candidate:
    return Candidate(mark.agent, claim.model, claim.families or mark.families, f"{mark.source} and {claim.source}")


def _fits(claim: Candidate, mark: Candidate) -> bool:
    if claim.agent is not None:
        return claim.agent == mark.agent
    return bool(claim.families & mark.families)


def _claim(text: str, source: str) -> Candidate:
    if text.lower() == HUMAN:
        return Candidate(HUMAN, None, frozenset(), source)
    known = {mark["agent"]: mark["family"] for mark in _table()["markers"]}
    name = models.normalise(text)
    if name in known:
        return Candidate(name, None, frozenset({known[name]}), source)
    if not models.specific(text):
        return Candidate(name, None, models.families(text), source)
    return Candidate(None, text, models.families(text), source)


def _table() -> dict[str, Any]:
    return datafiles.packaged_toml("agents.toml")


def _markers(variables: Mapping[str, str]) -> list[Candidate]:
    table = _table()
    found: dict[str, Candidate] = {}
    for mark in table["markers"]:
        if variables.get(mark["variable"], "").strip():
            found[mark["agent"]] = Candidate(mark["agent"], None, frozenset({mark["family"]}), mark["variable"])
    named = variables.get("AI_AGENT", "").strip()
    if named:
        known = next((row for row in table["named"] if named.lower().startswith(row["prefix"])), None)
        agent = known["agent"] if known else re.split(r"[@\s]|_\d", named)[0]
        family = frozenset({known["family"]}) if known else frozenset[str]()
        found.setdefault(agent, Candidate(agent, None, family, "AI_AGENT"))
    return list(found.values())
