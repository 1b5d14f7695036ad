"""The detectors of detect-secrets, as the extra `secrets` adds them: what they find, and that they can't hold a run up."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook.screening import secrets
from twoagent_hook.screening.detectors import Detectors

EXTRAS = Path(sys.prefix) / "extras"
pytestmark = [
    pytest.mark.skipif(not EXTRAS.is_dir(), reason="the extra `secrets` is not there: `make test` installs it"),
    pytest.mark.usefixtures("extra"),
]

# Kinds that our own table does not have.
BASIC = "https://admin:" + "hunter2hunter2" + "@db.example.com/"
FOUND = {
    "basic auth": (f'URL = "{BASIC}"', "hunter2hunter2"),
    "artifactory": ("token: " + "AKC" + "Ab3dE6gH9jK2mN5p", "AKC" + "Ab3dE6gH9jK2mN5p"),
    "softlayer": ("softlayer_api_key = " + "0123456789abcdef" * 4, "0123456789abcdef" * 4),
}


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the extra were installed, for one test."""
    monkeypatch.syspath_prepend(EXTRAS)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "detect_secrets"]:
        del sys.modules[name]


@pytest.fixture
def gated(repo: Repo, serve: Callable[..., Server], configure: Callable[..., Path]) -> tuple[Repo, Server]:
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    server = serve(approves())
    configure(server)
    return repo, server


@pytest.mark.parametrize("name", FOUND)
def test_more_kinds_are_found(name: str) -> None:
    line, value = FOUND[name]
    assert value in {line[one.start : one.end] for one in Detectors().find(["x = 1", line]) if one.row == 1}


@pytest.mark.parametrize("name", FOUND)
def test_one_that_is_added_blocks_and_stays_home(gated: tuple[Repo, Server], name: str) -> None:
    repo, server = gated
    line, value = FOUND[name]
    repo.stage("settings.py", f"{line}\n")
    payload = repo.review()
    assert payload["outcome"] == "block"
    assert {item["rule"] for item in payload["findings"]} == {"secret"}
    assert value not in str(payload)
    assert server.requests == []


@pytest.mark.parametrize("name", FOUND)
def test_one_that_is_removed_is_a_placeholder(gated: tuple[Repo, Server], name: str) -> None:
    repo, server = gated
    line, value = FOUND[name]
    repo.write("settings.py", f"{line}\nx = 1\n")
    repo.commit_all()
    repo.stage("settings.py", "x = 1\n")
    assert repo.review()["outcome"] == "approve"
    assert "⟦secret:" in server.requests[0].user
    assert value.encode() not in server.requests[0].raw


def test_what_both_find_is_hidden_once() -> None:
    line = 'KEY = "ghp_' + "Ab3dE6gH9jK2mN5p" * 2 + 'aB3d"'
    found = secrets.find([line], Detectors().find([line]))
    assert [one.kind for one in found] == ["github-token"]
    assert secrets.Redactor().hide(line, found) == 'KEY = "⟦secret:github-token#1⟧"'


def test_comments_that_allow_a_secret_count_for_nothing() -> None:
    line, _ = FOUND["basic auth"]
    assert Detectors().find([f"{line}  # pragma: allowlist secret"])


@pytest.mark.parametrize("line", ["password" * 2_000, "a" * 100_000, "x = '" * 20_000])
def test_a_long_line_is_left_to_our_own_patterns(line: str) -> None:
    detectors = Detectors()
    assert detectors.find([line, FOUND["basic auth"][0]])[0].row == 1
    assert detectors.missed == 1


def test_the_time_of_a_run_is_bounded() -> None:
    """A detector looks at a line of its longest at most; what is left when the time is over is counted."""
    lines = ["password=" * 200, "-----BEGIN " * 180, "https://" * 240, "eyJ" * 660] * 2_000
    detectors = Detectors(seconds=0.3)
    started = time.process_time()
    detectors.find(lines)
    detectors.find(lines)
    assert detectors.missed > len(lines)
    assert time.process_time() - started < 30  # an hour without the bound; the figure itself is not the point


def test_without_time_none_is_loaded() -> None:
    detectors = Detectors(0)
    assert (detectors.find([FOUND["basic auth"][0]]), detectors.missed) == ([], 0)


def test_the_owner_is_told_what_they_did_not_look_at(gated: tuple[Repo, Server]) -> None:
    repo, _ = gated
    repo.stage("app.py", f"x = '{'a' * 5_000}'\n")
    payload = repo.review()
    assert payload["outcome"] == "approve"
    assert [text for text in payload["notices"] if "detect-secrets did not look at 1 line " in text]


def test_it_is_used_in_a_process_of_its_own_where_it_is_installed(gated: tuple[Repo, Server]) -> None:
    repo, server = gated
    line, value = FOUND["basic auth"]
    repo.stage("settings.py", f"{line}\n")
    for variables, outcome in (({}, "approve"), ({"PYTHONPATH": str(EXTRAS)}, "block")):
        result = repo.run("review", "--no-cache", "--output-format", "json", **variables)
        assert result.json["outcome"] == outcome
        assert value not in result.err
    assert len(server.requests) == 1
