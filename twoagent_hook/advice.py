"""The lines to write where nobody may, or can, review; pure."""

from collections.abc import Sequence

from twoagent_hook import datafiles
from twoagent_hook.author import Author
from twoagent_hook.backends import Sighting
from twoagent_hook.config import Config

_ANY = '`reviewers = ["provider:model"]`, and set that provider\'s key'


def others(sightings: Sequence[Sighting], author: Author) -> list[Sighting]:
    """Those that are not of a vendor whom the author may belong to; which model answers settles it for the rest."""
    known = {family for suspect in author.candidates for family in suspect.families}
    return [item for item in sightings if not item.provider.families & known]


def spec_of(sighting: Sighting) -> str:
    """What to write for it; `MODEL` stands for an id that only the user can choose."""
    name = sighting.provider.name
    return name if sighting.provider.command else f"{name}:MODEL"


def to_name_one(sightings: Sequence[Sighting], author: Author, user_file: str, command: str) -> str:
    """What to do where no reviewer is named.

    Into the user's own file: what is written into the policy counts from the next commit on.
    """
    found = others(sightings, author)
    lines = " or ".join(f'`reviewers = ["{spec_of(item)}"]` ({item.sign})' for item in found)
    return f"run `{command} init`, or write into your own file ({user_file}) {lines or _ANY}"


def to_differ(sightings: Sequence[Sighting], author: Author, config: Config, user_file: str) -> str:
    """What to do where every usable reviewer may be the author: one line, then those to paste, by where they go."""
    place = config.sources.get("reviewers", user_file)
    named = ", ".join(f'"{spec}"' for spec in config.reviewers)
    found = [item for item in others(sightings, author) if spec_of(item) not in config.reviewers]
    lines = [f'reviewers = [{named}, "{spec_of(item)}"]   # another vendor\'s model; {item.sign}' for item in found]
    places = {place: lines or [f'reviewers = [{named}, "PROVIDER:MODEL"]   # another vendor\'s model']}
    unknown = [suspect for suspect in author.candidates if suspect.model is None and not suspect.human]
    if unknown and config.independence != "family":
        readable = {row["agent"] for row in datafiles.packaged_toml("agents.toml")["transcripts"]}
        known = places.setdefault(user_file, [])
        if not config.author_from_transcript and any(suspect.agent in readable for suspect in unknown):
            known.append("author-from-transcript = true   # reads from the agent's transcript which model it is")
        known.append(f'author = "{_example(unknown[0].families)}"   # the model that wrote it, if it is that one')
    blocks = [f"in {where}:\n" + "\n".join(f"  {line}" for line in found) for where, found in places.items()]
    return "\n".join(("add one of these lines:", *blocks))


def _example(families: frozenset[str]) -> str:
    examples: dict[str, str] = datafiles.packaged_toml("models.toml")["examples"]
    return next((examples[family] for family in sorted(families) if family in examples), "MODEL")
