"""TOML and the package's own data files: the only importer of tomllib."""

import os
import tomllib
from functools import cache
from typing import Any

from twoagent_hook.errors import ConfigError


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """The document as a dict.

    Raises:
        ConfigError: it is no TOML; the message names `origin` and the place.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{origin} is not valid TOML: {error}", f"correct {origin}") from error


@cache
def packaged(name: str) -> str:
    """The text of a data file of this package, by its path below the package."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


@cache
def packaged_toml(name: str) -> dict[str, Any]:
    """A TOML data file of this package."""
    return parse_toml(packaged(name), name)
