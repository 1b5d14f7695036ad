"""Marks what says once more what another test says."""

from typing import Any

import pytest


def again(*values: Any) -> list[Any]:
    """Values of a parameter that are left to `make test-all`."""
    return [pytest.param(value, marks=pytest.mark.again) for value in values]
