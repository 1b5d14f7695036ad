"""TOML, YAML and the package's own data files: the only importer of tomllib and yaml."""

import json
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
    except (ValueError, RecursionError) as error:  # a number of 5000 digits is no TOMLDecodeError
        raise ConfigError(f"{origin} is not valid TOML: {error}", f"correct {origin}") from error


def parse_yaml(text: str, origin: str) -> Any:
    """The document as dicts, lists, strings, booleans and None; tags, numbers and dates are left as they are written.

    Raises:
        ConfigError: it is no YAML, larger than `YAML_LIMIT`, or would be with its aliases written out.
    """
    import yaml  # only where a hook framework's list changed

    if len(text) > YAML_LIMIT:
        raise ConfigError(f"{origin} is too large to be read", f"correct {origin}")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if root is None else _Plain().data(root)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigError(f"{origin} is not valid YAML ({type(error).__name__})", f"correct {origin}") from error


YAML_LIMIT = 1 << 17  # characters; PyYAML reads about 100 KB a second
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class _Plain:
    """Turns YAML nodes into data by hand: PyYAML's own constructors fail in odd ways on odd tags, and multiply merges.

    What aliases stand for is made anew each time, and counted: nobody then compares or prints more than that.
    """

    def __init__(self) -> None:
        self._made = 0

    def data(self, node: Any) -> Any:
        self._made += 1
        if self._made > YAML_LIMIT:
            raise ValueError("its aliases stand for too much")
        if node.id == "scalar":
            plain = node.tag.rpartition(":")[2] if node.style is None else "str"
            if plain == "null":
                return None
            return _BOOLEANS.get(node.value.lower(), node.value) if plain == "bool" else node.value
        if node.id == "sequence":
            return [self.data(item) for item in node.value]
        return self._table(node)

    def _table(self, node: Any) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            data = self.data(value)
            if key.tag.endswith(":merge"):
                for table in reversed(data if isinstance(data, list) else [data]):
                    merged |= table if isinstance(table, dict) else {}
            else:
                own[str(self.data(key))] = data
        return merged | own


@cache
def packaged(name: str) -> str:
    """The text of a data file of this package, by its path below the package."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()


@cache
def packaged_toml(name: str) -> dict[str, Any]:
    """A TOML data file of this package; a large one as the JSON that the tests make of it, and keep up to date."""
    made = name.removesuffix(".toml") + ".json"
    if os.path.exists(os.path.join(os.path.dirname(__file__), made)):
        table: dict[str, Any] = json.loads(packaged(made))
        return table
    return parse_toml(packaged(name), name)
