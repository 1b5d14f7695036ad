"""What is made of tables is as the tables are, and what it says of a phrase is true."""

import json
import re

import pytest
from support import tables

from twoagent_hook import datafiles
from twoagent_hook.screening import injection


@pytest.mark.parametrize("name", tables.SOURCES)
def test_what_is_made_of_a_table_is_up_to_date(name: str, request: pytest.FixtureRequest) -> None:
    path = (tables.PACKAGE / name).with_suffix(".json")
    made = tables.made(name)
    if request.config.getoption("--golden"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made, "run pytest --golden"
    assert datafiles.packaged_toml.__wrapped__(name) == json.loads(made)


def test_few_phrases_can_be_found_without_a_telling_word() -> None:
    phrases = [phrase for found in injection._phrases().values() for phrase in found]
    vague = [phrase for phrase in phrases if not phrase.needs]
    assert len(vague) < len(phrases) / 10, [(phrase.word, phrase.rest) for phrase in vague]


NEEDS = [
    ("abc", [{"abc"}]),
    ("ab", []),
    ("approve[sd]", [{"approv"}]),
    ("(?:approve|lgtm)", [{"approv", "lgtm"}]),
    ("(?:approve|ok)", []),
    ("(?:one )?approve", [{"approv"}]),
    ("(?=.{0,9}verdict)not", [{"verdic"}, {"not"}]),
    ("(?!verdict)instructions", [{"instru"}]),
    ("(?:the verdict){1,3}", [{"the ve"}]),
    (r"(?:disapprove|approve)", [{"disapp", "approv"}]),
    (r"\bfind\w{0,4}[sz]", [{"find"}]),
]


@pytest.mark.parametrize(("source", "needs"), NEEDS)
def test_the_words_that_a_pattern_needs(source: str, needs: list[set[str]]) -> None:
    tree = tables.parser.parse(source)
    assert tables._needs(tree) == needs


@pytest.mark.parametrize(
    ("source", "reach"), [("abc", 3), ("a{2,5}b?", 6), ("a(?=.{0,9}xy)", 12), ("(?:abc|de)f", 4), (r"\bab\b", 2)]
)
def test_how_far_a_pattern_reaches(source: str, reach: int) -> None:
    assert tables._reach(tables.parser.parse(source)) == reach
    assert re.compile(source)
