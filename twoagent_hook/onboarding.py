"""What `init` writes: the user's own file with a reviewer in it, and a repository's first files; pure.

The only importer of tomlkit: what a person wrote into their file, comments included, stays as it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

from twoagent_hook import config, datafiles, keys
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
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    keys.layer_of(datafiles.parse_toml(text, origin), keys.USER, origin)
    try:
        document = tomlkit.parse(text)
        if choice.provider != RULES:
            before = [spec for spec in document.get("reviewers", []) if spec not in {choice.spec, RULES}]
            document["reviewers"] = [choice.spec, *before]
        if choice.described:
            providers = document.setdefault("providers", tomlkit.table(is_super_table=True))
            table = providers.setdefault(choice.provider, tomlkit.table())
            for key, value in choice.described.items():
                table[key] = value
    except (TOMLKitError, TypeError, AttributeError) as error:
        do = f'correct {origin} by hand: `reviewers = ["{choice.spec}"]`'
        raise ConfigError(f"{origin} can't be added to ({type(error).__name__})", do) from None
    made = tomlkit.dumps(document)
    settings_of(made, origin)
    return made


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
    made = datafiles.packaged("templates/sample/policy.txt").replace("{reviewer}", choice.spec)
    config.policy_layer({keys.POLICY_FILE: made}, "new")
    return made


def own_vendor(sighting: Sighting, author: Author) -> bool:
    """Whether its models are of a vendor whom the author of changes made here belongs to."""
    return any(sighting.provider.families & suspect.families for suspect in author.candidates)


def ordered(sightings: Sequence[Sighting], author: Author) -> list[Sighting]:
    """Those of another vendor than the author's first; endpoints before coding CLIs, which send more."""
    return sorted(sightings, key=lambda item: (own_vendor(item, author), bool(item.provider.command)))
