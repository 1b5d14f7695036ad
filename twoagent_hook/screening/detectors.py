"""What detect-secrets finds, where the extra `secrets` is installed; bounded in time and line length.

The only importer of detect_secrets. Its keyword detector is left out (a line of 8 KB takes it 12 s), and so are those
that go by entropy or numbers alone (82 472 hits in 1 MB of Python); comments that allow a secret are the author's, and
count for nothing.
"""

import importlib.util
import time
from collections.abc import Iterator, Sequence
from typing import Any

from twoagent_hook.screening.secrets import Secret, published

SECONDS = 2.0
_LINE = 2000  # characters
_LEFT_OUT = frozenset({"KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})


class Detectors:
    """Those detectors for one run: together they may take `seconds`.

    Attributes:
        missed: how many lines they did not look at, because they are too long or the time was over.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self.missed = 0
        self._left = seconds
        self._plugins = _plugins() if seconds > 0 and importlib.util.find_spec("detect_secrets") else []

    def find(self, lines: Sequence[str]) -> list[Secret]:
        """What they find in these lines; nothing where the extra is not installed."""
        return [secret for row, line in enumerate(lines) for secret in self._in_line(row, line)]

    def _in_line(self, row: int, line: str) -> Iterator[Secret]:
        if not self._plugins or not line.strip():
            return
        if self._left <= 0 or len(line) > _LINE:
            self.missed += 1
            return
        started = time.monotonic()
        for plugin in self._plugins:
            found = {(value or "").strip() for value in plugin.analyze_string(line)}
            for value in found:
                if value and not published(value):
                    yield from _places(row, line, value, _kind(plugin))
        self._left -= time.monotonic() - started


def _plugins() -> list[Any]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    found: Any = get_mapping_from_secret_type_to_class().values()
    return [plugin() for plugin in found if plugin.__name__ not in _LEFT_OUT]


def _kind(plugin: Any) -> str:
    return str(plugin.secret_type).lower().replace(" ", "-")


def _places(row: int, line: str, value: str, kind: str) -> Iterator[Secret]:
    start = line.find(value)
    while start >= 0:
        yield Secret(row, kind, start, start + len(value))
        start = line.find(value, start + len(value))
