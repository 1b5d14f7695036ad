"""The library of cases: each story is what happens today, each page is listed, and each link leads somewhere."""

import difflib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "docs" / "cases"
PAGES = sorted((CASES / "stories").glob("*.md"))
sys.path.append(str(CASES))
stage = importlib.import_module("stories.stage")
STORIES = importlib.import_module("stories.shelf").STORIES


def links(path: Path) -> Iterator[str]:
    """Where the links of a page lead, but for those in blocks of code."""
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8")):
        for inner in token.children or ():
            if inner.type == "link_open":
                yield str(inner.attrs["href"])


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_is_what_happens_today(story: object, tmp_path: Path) -> None:
    page = CASES / "stories" / f"{story.name}.md"  # type: ignore[attr-defined]
    root = tmp_path / "played"
    root.mkdir()
    told = page.read_text(encoding="utf-8") if page.exists() else ""
    today = stage.play(story, root)
    if today != told:
        lines = difflib.unified_diff(told.splitlines(), today.splitlines(), "as it is told", "as it is", lineterm="")
        pytest.fail("\n".join([f"{page.name}: run `make cases` and review it", *lines]), pytrace=False)


def test_every_story_has_its_page_and_every_page_its_story() -> None:
    assert [page.stem for page in PAGES] == sorted(story.name for story in STORIES)


def test_every_page_is_listed() -> None:
    listed = set(links(CASES / "README.md"))
    assert {f"stories/{page.name}" for page in PAGES} <= listed
    assert "agent_packet_demo/plan.md" in listed


def test_every_page_says_that_its_models_are_scripted() -> None:
    for page in (*PAGES, CASES / "README.md"):
        assert "scripted" in page.read_text(encoding="utf-8"), page


def test_nothing_of_a_machine_is_on_a_page() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"127\.0\.0\.1:\d|/tmp/|/private/|played/|\b20\d\d-\d\d-\d\d \d\d:", text), page
        assert "AKIA" not in text.replace("grep -c AKIA", ""), page


@pytest.mark.parametrize(
    "page", [CASES / "README.md", ROOT / "docs" / "backlog.md", *PAGES], ids=lambda page: page.name
)
def test_a_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if not link.startswith("https://"):
            assert (page.parent / link.partition("#")[0]).exists(), link
