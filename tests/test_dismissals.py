"""The owner's word against a rule: `[[dismiss]]` and `secret-fixtures`, end to end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.repo import Repo, assert_commit_allowed, assert_commit_blocked
from support.server import Server, approves

DUMMY = "ghp_" + "Ab3dE6gH9jK2mN5p" * 2 + "aB3d"
REAL = "ghp_" + "Zy8xW5vU2tS9rQ6p" * 2 + "Yz7x"
OTHER_KIND = "glpat-" + "Ab3dE6gH9jK2mN5p" + "aB3d"

Write = Callable[..., Path]


@pytest.fixture
def gated(repo: Repo, serve: Callable[..., Server], configure: Write) -> tuple[Repo, Server]:
    """A repository whose reviewer approves all that it is asked."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    server = serve(approves())
    configure(server)
    return repo, server


def only(payload: Any, rule: str) -> dict[str, Any]:
    (found,) = (item for item in payload["findings"] if item["rule"] == rule)
    return dict(found)


def dismissal(payload: Any, rule: str) -> str:
    return f'[[dismiss]]\nid = "{only(payload, rule)["id"]}"\nreason = "an example of the documentation"\n'


# --- dismiss ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["policy", "user"])
def test_a_dismissed_secret_is_redacted_and_the_rest_is_sent(
    gated: tuple[Repo, Server], configure: Write, place: str
) -> None:
    repo, server = gated
    repo.stage("settings.py", f'KEY = "{DUMMY}"\n')
    before = repo.review()
    assert (before["outcome"], server.requests) == ("block", [])
    word = dismissal(before, "secret")
    if place == "policy":
        repo.git("stash", "-q")
        repo.policy(word)
        repo.git("stash", "pop", "-q", "--index")
    else:
        configure(server, word)
    payload = repo.review()
    assert payload["outcome"] == "approve"
    assert only(payload, "secret") | {"effect": "note"} == only(payload, "secret")
    assert only(payload, "secret")["answer"] == {"dismissed": "an example of the documentation"}
    assert 'KEY = "⟦secret:github-token#1⟧"' in server.requests[0].user
    assert DUMMY.encode() not in server.requests[0].raw


def test_the_panel_shows_what_is_to_be_copied_and_what_was_dismissed(
    gated: tuple[Repo, Server], configure: Write
) -> None:
    repo, server = gated
    repo.stage("settings.py", f'KEY = "{DUMMY}"\n')
    made = repo.review()
    assert only(made, "secret")["id"] in repo.call("review").out
    configure(server, dismissal(made, "secret"))
    shown = repo.call("review").out
    assert only(made, "secret")["id"] not in shown
    assert "(dismissed: an example of the documentation)" in " ".join(shown.replace("│", " ").split())


def test_another_secret_in_the_place_of_a_dismissed_one_is_not_dismissed(
    gated: tuple[Repo, Server], configure: Write
) -> None:
    repo, server = gated
    repo.stage("settings.py", f'KEY = "{DUMMY}"\n')
    configure(server, dismissal(repo.review(), "secret"))
    repo.stage("settings.py", f'KEY = "{REAL}"\n')
    assert repo.review()["outcome"] == "block"
    assert server.requests == []


def test_a_dismissal_holds_wherever_the_secret_stands_among_others(
    gated: tuple[Repo, Server], configure: Write
) -> None:
    """The number in its placeholder is another one then."""
    repo, server = gated
    repo.stage("settings.py", f'KEY = "{DUMMY}"\n')
    configure(server, dismissal(repo.review(), "secret"))
    repo.stage("a.py", f'TOKEN = "{OTHER_KIND}"\n')
    effects = {item["file"]: item["effect"] for item in repo.review()["findings"]}
    assert effects == {"a.py": "block", "settings.py": "note"}


def test_a_commit_goes_through_with_a_dismissal(gated: tuple[Repo, Server], configure: Write) -> None:
    repo, server = gated
    repo.install_plain_hook()
    repo.stage("settings.py", f'KEY = "{DUMMY}"\n')
    assert_commit_blocked(repo)
    configure(server, dismissal(repo.review(), "secret"))
    assert_commit_allowed(repo)


HOOK = "repos:\n  - repo: local\n    hooks:\n      - {id: gate, name: gate, entry: twoagent-hook, language: system}\n"


def test_tampering_is_never_dismissed(gated: tuple[Repo, Server], configure: Write) -> None:
    repo, server = gated
    repo.write(".pre-commit-config.yaml", HOOK)
    repo.commit_all()
    repo.stage(".pre-commit-config.yaml", "repos: []\n")
    configure(server, dismissal(repo.review(), "gate-tampering"))
    payload = repo.review()
    assert (payload["outcome"], only(payload, "gate-tampering")["answer"]) == ("block", None)
    assert only(payload, "gate-tampering")["id"] not in repo.call("review").out


def test_missing_coverage_is_never_dismissed(gated: tuple[Repo, Server], configure: Write) -> None:
    repo, server = gated
    repo.stage("big.py", "x = 'aaaaaaaaaaaaaaaaaaaaaaaaaa'\n" * 20_000)
    repo.stage("app.py", "x = 2\n")
    configure(server, dismissal(repo.review(), "incomplete-coverage"))
    assert repo.review()["outcome"] == "block"


def test_a_dismissal_of_what_is_not_there_does_nothing(gated: tuple[Repo, Server], configure: Write) -> None:
    repo, server = gated
    configure(server, '[[dismiss]]\nid = "0123456789ab"\nreason = "old"\n')
    repo.stage("app.py", "x = 2\n")
    assert repo.review()["findings"] == []


# --- fixtures -----------------------------------------------------------------------------------------------


def test_what_lies_among_fixtures_is_redacted_and_no_finding(gated: tuple[Repo, Server]) -> None:
    repo, server = gated
    repo.policy('secret-fixtures = ["tests/fixtures/"]\n')
    repo.stage("tests/fixtures/keys.py", f'KEY = "{DUMMY}"\n')
    payload = repo.review()
    assert (payload["outcome"], payload["findings"]) == ("approve", [])
    assert DUMMY.encode() not in server.requests[0].raw
    repo.stage("tests/keys.py", f'KEY = "{DUMMY}"\n')
    assert only(repo.review(), "secret")["file"] == "tests/keys.py"


def test_a_change_can_not_name_its_own_fixtures(gated: tuple[Repo, Server]) -> None:
    repo, server = gated
    repo.policy("timeout = 80\n")
    repo.stage(".twoagent-hook.toml", 'timeout = 80\nsecret-fixtures = ["*"]\n')
    repo.stage("keys.py", f'KEY = "{DUMMY}"\n')
    payload = repo.review()
    assert {item["rule"] for item in payload["findings"]} == {"secret", "gate-tampering"}
    assert server.requests == []


@pytest.mark.parametrize("comment", ["# pragma: allowlist secret", "# gitleaks:allow", "# nosec", "# noqa: S105"])
def test_a_comment_of_the_authors_allows_nothing(gated: tuple[Repo, Server], comment: str) -> None:
    repo, server = gated
    repo.stage("settings.py", f'KEY = "{DUMMY}"  {comment}\n')
    assert repo.review()["outcome"] == "block"
    assert server.requests == []
