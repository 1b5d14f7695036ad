from collections.abc import Iterable
from pathlib import Path

import pytest


class LeftOut(pytest.Module):
    """A module that is not even read: its tests need what takes minutes to install."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        pytest.skip("a server that takes minutes to install: `make test-all` runs it", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return None if parent.config.getoption("--real") else LeftOut.from_parent(parent, path=module_path)
