"""What `init` writes: the user's own file with a reviewer in it, and a repository's first files; pure.

The only importer of tomlkit: what a person wrote into their file, comments included, stays as it is.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from twoagent_hook import config, datafiles, keys, visible
from twoagent_hook.author import Author
from twoagent_hook.backends import RULES, Sighting
from twoagent_hook.config import Config
from twoagent_hook.errors import ConfigError
from twoagent_hook.keys import Layer


class Choice(NamedTuple):
    """The reviewer that was chosen.

    Attributes:
        model: empty for a command that takes its own.
        base_url, api_key_env, family: of a provider that is not built in, or differs from it; else empty.
    """

    provider: str
    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    family: str = ""

    @property
    def spec(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider

    @property
    def described(self) -> dict[str, str]:
        """What has to stand in `[providers.NAME]`."""
        rows = {"base-url": self.base_url, "api-key-env": self.api_key_env, "family": self.family}
        return {key: value for key, value in rows.items() if value}


def user_text(text: str, choice: Choice, origin: str) -> str:
    """The user's file with the reviewer in front of those that it names already.

    Raises:
        ConfigError: the file can't be read, or what would be written could not be followed.
    """
    from tomlkit.exceptions import TOMLKitError

    keys.layer_of(datafiles.parse_toml(text, origin), keys.USER, origin)
    try:
        made = _added(text, choice)
        named = datafiles.parse_toml(made, origin).get("reviewers", ())
    except (TOMLKitError, ConfigError, TypeError, AttributeError, ValueError):
        lines = [f"reviewers = {toml_of([choice.spec])}", *(["", *_described(choice)] if choice.described else [])]
        do = "\n".join(("write it by hand:", *(f"  {line}" for line in lines)))
        raise ConfigError(f"{origin} has a form to which nothing can be added safely", do) from None
    if choice.provider != RULES and choice.spec not in named:
        raise ConfigError(f"{origin} can't take `{choice.spec}`", "write it by hand")
    settings_of(made, origin)
    return made


def _added(text: str, choice: Choice) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    if choice.provider != RULES:
        names: Any = document.get("reviewers")
        if names is None:
            document["reviewers"] = [choice.spec]
        else:
            for other in [name for name in list(names) if name in {choice.spec, RULES}]:
                names.remove(other)
            names.insert(0, choice.spec)
    if choice.described:
        providers: Any = document.setdefault("providers", tomlkit.table(is_super_table=True))
        table = providers.setdefault(choice.provider, tomlkit.table())
        for key, value in choice.described.items():
            table[key] = value
    return tomlkit.dumps(document)


def _described(choice: Choice) -> list[str]:
    rows = [f"{key} = {toml_of(value)}" for key, value in choice.described.items()]
    return [f"[providers.{toml_of(choice.provider)}]", *rows]


def toml_of(value: Any) -> str:
    """A text, or a list of texts, as TOML spells it."""
    import tomlkit

    return str(tomlkit.item(value).as_string())


def check(choice: Choice) -> None:
    """Whether it could be written, and read again by people.

    Raises:
        ConfigError: a part of it holds what no name or address holds.
    """
    for part in choice:
        if part != visible.line(part).strip() or "\t" in part:
            raise ConfigError(f"{visible.excerpt(part, 80)} holds a character that nobody sees", "write it without")


def settings_of(text: str, origin: str) -> Config:
    """The settings that a user's file of this text gives.

    Raises:
        ConfigError: it could not be followed.
    """
    layer = keys.layer_of(datafiles.parse_toml(text, origin), keys.USER, origin)
    return config.join(layer, None, Layer("", {}), hook=False)


def policy_text(choice: Choice) -> str:
    """A policy to begin with.

    Raises:
        ConfigError: it could not be followed.
    """
    made = datafiles.packaged("templates/sample/policy.txt").replace("{reviewers}", toml_of([choice.spec]))
    config.policy_layer({keys.POLICY_FILE: made}, "new")
    return made


def own_vendor(sighting: Sighting, author: Author) -> bool:
    """Whether its models are of a vendor whom the author of changes made here belongs to."""
    return any(sighting.provider.families & suspect.families for suspect in author.candidates)


def ordered(sightings: Sequence[Sighting], author: Author) -> list[Sighting]:
    """Those of another vendor than the author's first; endpoints before coding CLIs, which send more."""
    return sorted(sightings, key=lambda item: (own_vendor(item, author), bool(item.provider.command)))
