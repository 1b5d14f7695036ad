"""What a plan and the implementer's notes claim of tests, held against what this user's own runs did on the tree."""

from collections.abc import Mapping, Sequence
from typing import Any

from twoagent_hook import claims, plans, verification
from twoagent_hook.claims import Claim
from twoagent_hook.given import Notes
from twoagent_hook.intent import Intent
from twoagent_hook.memory import Memory
from twoagent_hook.screening.secrets import Redactor


def of(intent: Intent | None, notes: Notes | None, memory: Memory) -> list[dict[str, Any]]:
    """The claims as data."""
    found: list[Claim] = []
    if intent is not None:
        found += claims.find(plans.body(intent.plan), "the plan")
    if notes is not None:
        found += claims.find(Redactor().text(notes.text), notes.name)
    return _held(found, memory)


def again(stored: Sequence[Mapping[str, Any]], memory: Memory) -> list[dict[str, Any]]:
    """The same claims again, since something may have been run after the verdict."""
    return _held([Claim(str(one["text"]), str(one["source"]), one.get("command")) for one in stored], memory)


def _held(found: Sequence[Claim], memory: Memory) -> list[dict[str, Any]]:
    if not found:
        return []
    known = verification.verification_of(memory.location, memory.trees.tree, memory.environment)
    return [claims.data(claim) for claim in claims.hold(found, known["runs"] if known else ())]
