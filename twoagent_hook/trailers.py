"""Who a commit says wrote it: its author line and its trailers; pure."""

import re
from collections.abc import Iterator
from typing import Any

from twoagent_hook import author, datafiles, models
from twoagent_hook.author import Claim

# As git reads them, but wherever they stand: one that git passes over only adds somebody to differ from.
_TRAILER = re.compile(r"^([A-Za-z0-9-]+)[ \t]*:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_ADDRESS = re.compile(r"<[^<>]*>")
_URL = re.compile(r"\w*://[^\s()]*")
_APART = re.compile(r"[\s<>(),;:\"']+")
_LOGIN = re.compile(r"(?:\d+\+)?(?P<login>[^@+]+)@users\.noreply\.github\.com")
_LISTED = re.compile(r"\s*[,;&]\s*(?![^()]*\))|\s(?:and|\+)\s(?![^()]*\))")
_PARTED = re.compile(r"(?P<agent>[^:]+?)(?P<between>\s*:\s*(?!//)|\s/\s)(?P<model>\S.*)")
_VERSION = re.compile(r"v?\d[\w.-]*")
_AROUND = " []*_.'\""  # what a text has around a name, a link's brackets among it
_LONGEST = 400  # characters of a value, beside its addresses, that are read
_MOST = 8  # agents of one value


def claims(message: str, people: tuple[str, ...] = ()) -> tuple[Claim, ...]:
    """The agents and models that a commit names.

    Args:
        message: the commit's own, whole.
        people: its author and committer, each as `Name <address>`.

    Sources of the forms: see `[[addresses]]` and `[trailers]` in agents.toml; `Assisted-by: AGENT:MODEL [TOOL]` is
    that of the Linux kernel's Documentation/process/coding-assistants.rst.
    """
    found = [claim for person in people for claim in _of_person(person, "the author line")]
    for key, value in dict.fromkeys(_TRAILER.findall(message)):
        found += _of_trailer(key.lower(), " ".join(value.split()))
    return tuple(dict.fromkeys(found))


def _table() -> dict[str, Any]:
    table: dict[str, Any] = datafiles.packaged_toml("agents.toml")["trailers"]
    return table


def _of_trailer(key: str, value: str) -> Iterator[Claim]:
    source = key.capitalize()
    if key in _table()["persons"]:
        yield from _of_person(value, source)
    elif key in _table()["attributing"]:
        yield from _attributed(value, source)
    for row in _table()["fixed"]:
        if key == row["key"] and re.fullmatch(row["value"], value.lower()):
            yield Claim("", source, row["agent"])


def _of_person(person: str, source: str) -> Iterator[Claim]:
    """One line of the form `Name <address>`; aider puts itself, and a model, into the name."""
    name = person.partition("<")[0].strip()[:_LONGEST]
    agents = _at(person)
    if not agents and name.lower().endswith("(aider)"):
        agents = ["aider"]
    for agent in agents:
        head, inner = _brackets(name)
        within = [inner] if agent == "aider" and inner.lower() != "aider" else _models(inner)
        for model in within or [_marketed(head)]:
            yield Claim(model, source, agent)


def _at(text: str) -> list[str]:
    """The agents whose mail addresses stand in the text."""
    mails = dict.fromkeys(part.lower() for part in _APART.split(text) if "@" in part and len(part) < _LONGEST)
    rows = datafiles.packaged_toml("agents.toml")["addresses"]
    return list(dict.fromkeys(row["agent"] for mail in mails for row in rows if _belongs(mail, row)))


def _belongs(mail: str, row: dict[str, Any]) -> bool:
    login = _LOGIN.fullmatch(mail)
    return mail in row.get("mails", ()) or (login is not None and login["login"] in row.get("logins", ()))


def _brackets(text: str) -> tuple[str, str]:
    """What stands before the first bracket, and what inside of it."""
    head, _, rest = text.partition("(")
    return head.strip(_AROUND), rest.partition(")")[0].strip(_AROUND)


def _models(text: str) -> list[str]:
    """Those of the words between commas that name a vendor's model."""
    parts = [part.strip() for part in _LISTED.split(text)[:_MOST]]
    return [part for part in parts if models.families(part) and not (_known(part) and not _marketed(part))]


def _marketed(text: str) -> str:
    """The model of a name as people write it, without the agent's own: `Claude Code 2.1` is no model."""
    name = models.normalise(text)
    for agent in sorted(author.agents(), key=len, reverse=True):
        name = name.removeprefix(f"{agent}-")
    return name if any(char.isdigit() for char in name) and models.families(name) else ""


def _known(name: str) -> str | None:
    """The agent that goes by this name, with or without its version."""
    name = _dashed(name)
    name = _table()["aliases"].get(name, name)
    return next((agent for agent in author.agents() if re.fullmatch(rf"{agent}(?:-v?\d.*)?", name)), None)


def _dashed(name: str) -> str:
    return "-".join(name.lower().split())


def _attributed(value: str, source: str) -> Iterator[Claim]:
    """`AGENT:MODEL [TOOL]`, `AGENT / MODEL`, `AGENT (MODEL)`, `MODEL via AGENT`, a model or an agent alone."""
    at = _at(value)
    named: set[str | None] = set()
    text = _URL.sub(" ", _ADDRESS.sub(" ", value)[:_LONGEST])
    for part in _LISTED.split(text)[:_MOST]:
        agent, found = _said(part.strip())
        if not found and "@" in value and not at:
            continue  # a person of that name, with an address of their own
        agent = agent or (at[0] if len(at) == 1 and found else None)
        named.add(agent)
        yield from (Claim(model, source, agent) for model in found)
        if agent and not found:
            yield Claim("", source, agent)
    yield from (Claim("", source, agent) for agent in at if agent not in named)


def _said(text: str) -> tuple[str | None, list[str]]:
    """The agent and the models that one part of a value names, if any."""
    left, via, right = text.rpartition(" via ")
    if via:
        head, inner = _brackets(left)
        found = _models(inner) or ([head] if models.families(head) else [])
        return _agent(right) if found else _known(right), found
    head, inner = _brackets(text)
    if _models(inner):
        return _agent(head), _models(inner)
    if _known(inner) and _marketed(head):
        return _known(inner), [_marketed(head)]
    parted = _PARTED.fullmatch(head)
    if parted:
        agent = _agent(parted["agent"])
        found = _behind(parted["model"], named=agent is not None and not parted["between"].endswith(" "))
        return agent if found else _known(parted["agent"]), found
    return _alone(head)


def _agent(name: str) -> str | None:
    dashed = _dashed(name)
    return None if dashed in _table()["nobody"] or not dashed else _known(name) or dashed


def _behind(text: str, *, named: bool) -> list[str]:
    """The model behind an agent's name, before the tools; of an unknown vendor only in the kernel's own form."""
    first = text.split(maxsplit=1)[0]
    if first.lower() in _table()["nobody"] or "@" in first:
        return []
    if not any(char.isdigit() for char in first) and _marketed(text):
        return [_marketed(text)]
    return [first] if models.families(first) or (named and not _VERSION.fullmatch(first)) else []


def _alone(text: str) -> tuple[str | None, list[str]]:
    """An agent, or a model; any other name is a person's."""
    known, marketed = _known(text), _marketed(text)
    if known or marketed:
        return known, [marketed] if marketed and not known else []
    vendor = all(models.families(word) for word in text.split())
    return None, [text] if vendor and text else []
