"""Who a commit says wrote it: its author line and its trailers; pure."""

import re
from collections.abc import Iterator

from twoagent_hook import datafiles, models
from twoagent_hook.author import Claim

_TRAILER = re.compile(r"^([A-Za-z0-9][A-Za-z0-9-]*):[ \t]*(\S.*)$", re.MULTILINE)
_PERSON = re.compile(r"^(?P<name>[^<]*?)\s*<(?P<address>[^>]*)>")
_BRACKETS = re.compile(r"^(?P<agent>[^(:/]+?)\s*\((?P<model>[^)]+)\)")
_PARTS = re.compile(r"^(?P<agent>[^:/]+?)\s*[:/]\s*(?P<model>\S+)")
_LONGEST = 100_000  # characters of a message that are read


def claims(message: str, people: tuple[str, ...] = ()) -> tuple[Claim, ...]:
    """The agents and models that a commit names.

    Args:
        message: the commit's own, whole.
        people: its author and committer, each as `Name <address>`.

    Sources of the forms: see `[[addresses]]` and `[trailers]` in agents.toml; `Assisted-by: AGENT:MODEL [TOOL]` is
    that of the Linux kernel's Documentation/process/coding-assistants.rst.
    """
    found = [claim for person in people for claim in _of_person(person, "the author line")]
    for key, value in _TRAILER.findall(message[:_LONGEST]):
        found += _of_trailer(key.lower(), value.strip())
    return tuple(dict.fromkeys(found))


def _of_trailer(key: str, value: str) -> Iterator[Claim]:
    table = datafiles.packaged_toml("agents.toml")["trailers"]
    if key == "co-authored-by":
        yield from _of_person(value, "Co-authored-by")
    elif key in table["fixed"]:
        yield Claim("", key.capitalize(), table["fixed"][key])
    elif key in table["attributing"]:
        yield from _attributed(value, key.capitalize(), frozenset(table["nobody"]))


def _attributed(value: str, source: str, nobody: frozenset[str]) -> Iterator[Claim]:
    """`AGENT:MODEL [TOOL]`, `AGENT / MODEL`, `AGENT (MODEL)`, or an agent alone."""
    found = _BRACKETS.match(value) or _PARTS.match(value)
    agent = (found["agent"] if found else value.split(" <", maxsplit=1)[0]).strip().lower().replace(" ", "-")
    model = found["model"].strip() if found else ""
    model = "" if model.lower() in nobody else model
    if agent in nobody and not model:
        return
    if not model and models.families(agent) and any(char.isdigit() for char in agent):
        agent, model = "", agent
    yield Claim(model, source, None if agent in nobody or not agent else _agent(agent))


def _agent(name: str) -> str:
    aliases: dict[str, str] = datafiles.packaged_toml("agents.toml")["trailers"]["aliases"]
    return aliases.get(name, name)


def _of_person(person: str, source: str) -> Iterator[Claim]:
    """One line of the form `Name <address>`; aider puts itself, and a model, into the name."""
    found = _PERSON.match(person)
    if not found:
        return
    name, address = found["name"], found["address"].strip().lower()
    rows = datafiles.packaged_toml("agents.toml")["addresses"]
    agent = next((row["agent"] for row in rows if re.fullmatch(row["address"], address)), None)
    if agent is None and name.lower().endswith("(aider)"):
        agent = "aider"
    if agent is not None:
        yield Claim(_model_in(name, agent), source, agent)


def _model_in(name: str, agent: str) -> str:
    """The model that a name holds: `aider (gpt-5.5)`, `Claude Opus 4.8 (1M context)`; empty where it holds none."""
    brackets = _BRACKETS.match(name)
    if agent == "aider":
        return brackets["model"] if brackets and brackets["model"].lower() != "aider" else ""
    numbered = any(char.isdigit() for char in _BRACKETS.sub(r"\g<agent>", name))
    return models.normalise(name) if numbered and models.families(name) else ""
