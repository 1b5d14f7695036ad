"""Golden files: reviewed like code, written anew with `pytest --golden`."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "golden"


def check(name: str, text: str, request: pytest.FixtureRequest) -> None:
    """Compare with the golden file, or write it where the run says so."""
    path = FOLDER / name
    if request.config.getoption("--golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{name} is missing: run pytest --golden and review it"
    assert text == path.read_text(encoding="utf-8")
