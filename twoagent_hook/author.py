"""Who wrote the change: the evidence, as candidates from all of which the reviewer must differ; pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from twoagent_hook import datafiles, models, visible

HUMAN = "human"
UNNAMED = "unnamed-agent"
_NAME = re.compile(r"[^\W\d_][\w.+-]{0,39}")


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


class Claim(NamedTuple):
    """Evidence that names somebody.

    Attributes:
        text: a model's id, an agent's name, or `human`; empty where only `agent` is known.
        source: where it stands.
        agent: whose model it is, where that is known too.
        running: whether it is of the very session that runs this, whose model may be any vendor's.
    """

    text: str
    source: str
    agent: str | None = None
    running: bool = False


def said(flag: str | None, variable: str | None) -> list[Claim]:
    """What the command line and the environment name outright."""
    return [Claim(flag or "", "--author"), Claim(variable or "", "TWOAGENT_AUTHOR")]


def detect(variables: Mapping[str, str], claims: Sequence[Claim]) -> Author:
    """Join what is claimed with what coding agents leave in the environment.

    A claim adds a model within a marker's family, or a further candidate; it never takes one away. Agents that
    run one inside the other leave the markers of both, and both are candidates.

    Args:
        variables: the environment.
        claims: explicit ones first.
    """
    marked = _markers(variables)
    joined: list[Candidate] = []
    partners: list[Candidate] = []
    for claim in claims:
        if not claim.text.strip() and not claim.agent:
            continue
        candidate = _claimed(claim)
        partner = next((mark for mark in marked if _fits(candidate, mark, running=claim.running)), None)
        partners += [partner] if partner else []
        whole = candidate if partner is None else _join(candidate, partner)
        if all(_who(whole) != _who(other) for other in joined):
            joined.append(whole)
    told = [one for one in joined if not any(_tells_more(other, one) for other in joined)]
    return Author((*told, *(mark for mark in marked if mark not in partners)))


def joined(one: Author, other: Author) -> Author:
    """All candidates of both, each once."""
    known = {_who(candidate) for candidate in one.candidates}
    return Author((*one.candidates, *(more for more in other.candidates if _who(more) not in known)))


def weak_signs(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(variable, what it says) of each sign that people's terminals have too; it never makes a candidate."""
    return tuple((row["variable"], row["says"]) for row in _table()["weak"] if _present(row, variables))


def _who(candidate: Candidate) -> tuple[str | None, str | None, frozenset[str]]:
    return candidate.agent, candidate.model, candidate.families


def _join(claim: Candidate, mark: Candidate) -> Candidate:
    source = f"{mark.source} and {claim.source}"
    return Candidate(mark.agent, claim.model, claim.families | mark.families, source)


def _fits(claim: Candidate, mark: Candidate, *, running: bool) -> bool:
    """Whether they are of one author: what is claimed of an agent elsewhere takes no vendor away from this one."""
    kin = bool(claim.families & mark.families)
    if claim.agent is None:
        return kin
    return claim.agent == mark.agent and (kin or running or not mark.families)


def _tells_more(one: Candidate, other: Candidate) -> bool:
    """Whether the first names the model of the second, and leaves no vendor out."""
    unknown = other.model is None and one.model is not None
    return unknown and one.agent == other.agent and other.families <= one.families


def _claimed(claim: Claim) -> Candidate:
    text, source = claim.text.strip(), claim.source
    if claim.agent is not None:
        return _of_agent(claim.agent, text, source)
    if text.lower() == HUMAN:
        return Candidate(HUMAN, None, frozenset(), source)
    name = models.normalise(text)
    if name in agents():
        return Candidate(name, None, _family_of(name), source)
    if not models.specific(text):
        return Candidate(name, None, models.families(text), source)
    return Candidate(None, text, models.families(text), source)


def _of_agent(agent: str, text: str, source: str) -> Candidate:
    """A name that tells no vendor (`default`, a gateway's alias) may be any model of the agent's own vendor."""
    named, usual = models.families(text), _family_of(agent)
    return Candidate(agent, text if text and (named or not usual) else None, named or usual, source)


def _table() -> dict[str, Any]:
    return datafiles.packaged_toml("agents.toml")


def _rows() -> list[dict[str, Any]]:
    return [*_table()["markers"], *_table()["named"], *_table()["addresses"]]


@cache
def agents() -> frozenset[str]:
    """The names of all agents that are known."""
    return frozenset(row["agent"] for row in _rows())


@cache
def _family_of(agent: str) -> frozenset[str]:
    """The one vendor whose models this agent works with, if there is one."""
    return frozenset(row["family"] for row in _rows() if row["agent"] == agent and "family" in row)


def _present(row: Mapping[str, Any], variables: Mapping[str, str]) -> bool:
    wanted = {row["variable"]: row.get("value", r"(?s).*\S.*"), **row.get("also", {})}
    return all(re.fullmatch(pattern, variables.get(name, "").strip()) for name, pattern in wanted.items())


def _markers(variables: Mapping[str, str]) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for row in _table()["markers"]:
        if _present(row, variables):
            found.setdefault(row["agent"], Candidate(row["agent"], None, _family_of(row["agent"]), row["variable"]))
    named = variables.get("AI_AGENT", "").strip()
    if named:
        agent = _named(named)
        found.setdefault(agent, Candidate(agent, None, _family_of(agent), "AI_AGENT"))
    return list(found.values())


def _named(value: str) -> str:
    """The agent that AI_AGENT names; whatever it holds, somebody has set it who is no human."""
    value = value.lower()
    for row in _table()["named"]:
        if value.startswith(row["prefix"]) and not value[len(row["prefix"]) :][:1].isalpha():
            return str(row["agent"])
    name = _NAME.match(re.split(r"[@\s/:]|_v?\d|_agent$", value, maxsplit=1)[0])
    return UNNAMED if name is None or name[0] in {HUMAN, "true"} else name[0]
