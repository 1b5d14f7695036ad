"""The demo is played for real, and what the README shows of it is what it prints."""

import re
from pathlib import Path

import pytest
from support.repo import Repo

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
pytestmark = pytest.mark.framework


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {}


def steady(text: str) -> str:
    """Without what differs from run to run, with the panel's padding folded."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"tree [0-9a-f]{12}", "tree TREE", text)
    text = re.sub(r"- duration: .*\n", "", text)
    text = re.sub(r"`\S*twoagent-hook log", "`twoagent-hook log", text)
    return " ".join(text.replace("│", " ").split())


def test_the_demo_shows_every_kind_of_verdict_and_the_readme_shows_the_demo(repo: Repo) -> None:
    result = repo.run("demo", CLAUDECODE="1", TWOAGENT_AUTHOR="human", NO_COLOR="1")
    assert result.code == 0, result
    for text in ("through pre-commit", "no model reviewed this", "rule secret: block", "request changes", "Top risks"):
        assert text in result.out
    for text in ("Required fixes", "Verification commands", "SQL injection", "approve  scripted-reviewer", "log list"):
        assert text in result.out
    assert result.out.count("scripted reviewer, no model") >= 3
    assert "AKIA" not in result.out
    assert not result.err
    shown = steady(result.out)
    blocked, approved = re.findall(r"```text\n(.*?)```", README, re.DOTALL)[:2]
    assert steady(blocked.partition("\n")[2]) in shown
    assert steady(approved) in shown
    assert repo.git("status", "--porcelain") == ""


@pytest.mark.again
def test_the_demo_offers_the_reviewer_that_is_configured(repo: Repo, configure: object) -> None:
    configure("http://127.0.0.1:9/v1")  # type: ignore[operator]
    result = repo.run("demo", LOOP_KEY="k")
    assert "You have loop:gpt-5.5 configured" in result.out
    assert "demo --ask loop:gpt-5.5" in result.out


@pytest.mark.again
def test_the_demo_asks_a_real_reviewer_only_when_told_to(repo: Repo, configure: object, serve: object) -> None:
    from support.server import blocks

    server = serve(blocks())  # type: ignore[operator]
    configure(server)  # type: ignore[operator]
    result = repo.run("demo", "--ask", "loop:gpt-5.5", LOOP_KEY="k")
    assert result.code == 0, result
    assert len(server.requests) == 1
    assert "judged by loop:gpt-5.5" in result.out


@pytest.mark.again
def test_the_demo_works_without_the_framework(repo: Repo, tmp_path: Path) -> None:
    blocker = tmp_path / "without"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(
        "import importlib.abc, sys\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'pre_commit': raise ModuleNotFoundError(name)\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'pre_commit' else real(name, package)\n"
    )
    result = repo.run("demo", PYTHONPATH=str(blocker))
    assert result.code == 0, result
    assert "as a plain git hook" in result.out
