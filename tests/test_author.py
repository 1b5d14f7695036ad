"""Who wrote the change: what counts as evidence, and that no claim takes any of it away."""

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Server

from twoagent_hook import author
from twoagent_hook.author import Author, Candidate, Claim

unhurried = settings(max_examples=100, deadline=None, database=None)

ANTHROPIC, OPENAI, GOOGLE = frozenset({"anthropic"}), frozenset({"openai"}), frozenset({"google"})
NOBODY: frozenset[str] = frozenset()


def detect(variables: Mapping[str, str], claims: Sequence[tuple[str, str]]) -> Author:
    return author.detect(variables, [Claim(*claim) for claim in claims])


def detected(*claims: tuple[str, str], **variables: str) -> list[tuple[str | None, str | None, frozenset[str], str]]:
    found = detect(variables, claims).candidates
    return [(item.agent, item.model, item.families, item.source) for item in found]


# --- markers ------------------------------------------------------------------------------------------------

MARKERS = [
    ({"CLAUDECODE": "1"}, ("claude-code", None, ANTHROPIC, "CLAUDECODE")),
    ({"CODEX_THREAD_ID": "0199-aa"}, ("codex", None, OPENAI, "CODEX_THREAD_ID")),
    ({"GEMINI_CLI": "1"}, ("gemini-cli", None, GOOGLE, "GEMINI_CLI")),
    ({"AI_AGENT": "claude-code"}, ("claude-code", None, ANTHROPIC, "AI_AGENT")),
    ({"AI_AGENT": "claude-code@2.1.0"}, ("claude-code", None, ANTHROPIC, "AI_AGENT")),
    ({"AI_AGENT": "claude-code_2.1.0_agent"}, ("claude-code", None, ANTHROPIC, "AI_AGENT")),
    ({"AI_AGENT": "Claude-Code@2.1.0"}, ("claude-code", None, ANTHROPIC, "AI_AGENT")),
    ({"AI_AGENT": "codex@0.50.0"}, ("codex", None, OPENAI, "AI_AGENT")),
    ({"AI_AGENT": "codex_0.50.0_agent"}, ("codex", None, OPENAI, "AI_AGENT")),
    ({"AI_AGENT": "gemini-cli"}, ("gemini-cli", None, GOOGLE, "AI_AGENT")),
    ({"AI_AGENT": "opencode"}, ("opencode", None, NOBODY, "AI_AGENT")),
    ({"AI_AGENT": "opencode@1.2"}, ("opencode", None, NOBODY, "AI_AGENT")),
    ({"AI_AGENT": "opencode_1.2_agent"}, ("opencode", None, NOBODY, "AI_AGENT")),
    ({"AI_AGENT": "  amp 3  "}, ("amp", None, NOBODY, "AI_AGENT")),
]


@pytest.mark.parametrize(("variables", "candidate"), MARKERS, ids=[str(row[0]) for row in MARKERS])
def test_a_marker_names_the_agent(variables: dict[str, str], candidate: tuple[str, None, frozenset[str], str]) -> None:
    assert detected(**variables) == [candidate]


@pytest.mark.parametrize("variable", ["CLAUDECODE", "CODEX_THREAD_ID", "GEMINI_CLI", "AI_AGENT"])
@pytest.mark.parametrize("value", ["", "   "], ids=["empty", "blank"])
def test_a_blank_marker_says_nothing(variable: str, value: str) -> None:
    assert detected(**{variable: value}) == []


def test_variables_that_only_resemble_a_marker_say_nothing() -> None:
    assert detected(CLAUDE="1", CODEX="1", CLAUDECODE_X="1", GEMINI_API_KEY="x", AI_AGENTS="codex") == []


def test_the_same_agent_under_two_markers_is_one_candidate() -> None:
    assert detected(CLAUDECODE="1", AI_AGENT="claude-code@2.1.0") == [("claude-code", None, ANTHROPIC, "CLAUDECODE")]


def test_agents_inside_of_each_other_are_all_candidates() -> None:
    found = detect({"CLAUDECODE": "1", "CODEX_THREAD_ID": "x", "GEMINI_CLI": "1", "AI_AGENT": "opencode"}, ())
    assert {item.agent for item in found.candidates} == {"claude-code", "codex", "gemini-cli", "opencode"}
    assert {family for item in found.candidates for family in item.families} == {"anthropic", "openai", "google"}


def test_no_evidence_is_an_unknown_author() -> None:
    found = detect({"PATH": "/bin"}, (("", "--author"), ("  ", "TWOAGENT_AUTHOR")))
    assert found == Author(())
    assert found.label == "unknown"
    assert found.short == "an unknown author"
    assert not found.agents


# --- claims -------------------------------------------------------------------------------------------------

CLAUDE, GPT = ("claude-opus-4-8", "--author"), ("gpt-5.5", "TWOAGENT_AUTHOR")


def test_a_claimed_model_is_a_candidate_without_an_agent() -> None:
    assert detected(CLAUDE) == [(None, "claude-opus-4-8", ANTHROPIC, "--author")]


def test_a_claimed_model_of_no_known_family_is_a_candidate_all_the_same() -> None:
    assert detected(("house-model", "--author")) == [(None, "house-model", NOBODY, "--author")]


def test_a_model_of_the_markers_family_is_joined_with_it() -> None:
    assert detected(CLAUDE, CLAUDECODE="1") == [
        ("claude-code", "claude-opus-4-8", ANTHROPIC, "CLAUDECODE and --author")
    ]


def test_a_model_of_another_family_is_a_further_candidate() -> None:
    assert detected(GPT, CLAUDECODE="1") == [
        (None, "gpt-5.5", OPENAI, "TWOAGENT_AUTHOR"),
        ("claude-code", None, ANTHROPIC, "CLAUDECODE"),
    ]


def test_a_model_of_no_known_family_is_joined_with_no_marker() -> None:
    assert detected(("house-model", "--author"), CLAUDECODE="1") == [
        (None, "house-model", NOBODY, "--author"),
        ("claude-code", None, ANTHROPIC, "CLAUDECODE"),
    ]


def test_a_marker_is_joined_with_each_model_of_its_family() -> None:
    assert detected(CLAUDE, ("claude-sonnet-4-8", "config.toml"), CLAUDECODE="1") == [
        ("claude-code", "claude-opus-4-8", ANTHROPIC, "CLAUDECODE and --author"),
        ("claude-code", "claude-sonnet-4-8", ANTHROPIC, "CLAUDECODE and config.toml"),
    ]


def test_each_of_two_models_is_joined_with_its_own_agent() -> None:
    assert detected(GPT, CLAUDE, CLAUDECODE="1", CODEX_THREAD_ID="x") == [
        ("codex", "gpt-5.5", OPENAI, "CODEX_THREAD_ID and TWOAGENT_AUTHOR"),
        ("claude-code", "claude-opus-4-8", ANTHROPIC, "CLAUDECODE and --author"),
    ]


def test_a_distilled_model_is_joined_with_a_marker_of_either_family() -> None:
    found = detect({"CLAUDECODE": "1"}, (("deepseek-r1-distill-claude", "--author"),)).candidates
    assert [item.families for item in found] == [frozenset({"anthropic", "deepseek"})]


@pytest.mark.parametrize("name", ["human", "Human", " HUMAN "])
def test_a_human_is_an_author_too(name: str) -> None:
    found = detect({}, ((name, "--author"),))
    assert [(item.agent, item.model, item.families) for item in found.candidates] == [("human", None, NOBODY)]
    assert found.label == "human (from --author)"
    assert found.short == "human"
    assert not found.agents


def test_a_claimed_human_does_not_remove_the_agent_that_left_its_marker() -> None:
    found = detect({"CLAUDECODE": "1"}, (("human", "--author"),))
    assert {item.agent for item in found.candidates} == {"human", "claude-code"}
    assert found.agents


@pytest.mark.parametrize(
    ("name", "agent", "families"),
    [
        ("claude-code", "claude-code", ANTHROPIC),
        ("Codex", "codex", OPENAI),
        ("GEMINI-CLI", "gemini-cli", GOOGLE),
    ],
)
def test_an_agent_can_be_claimed_by_its_name(name: str, agent: str, families: frozenset[str]) -> None:
    assert detected((name, "--author")) == [(agent, None, families, "--author")]


def test_a_claimed_agent_is_one_with_its_own_marker() -> None:
    found = detected(("claude-code", "--author"), CLAUDECODE="1")
    assert [row[:3] for row in found] == [("claude-code", None, ANTHROPIC)]


def test_the_same_claim_in_two_places_is_one_candidate() -> None:
    assert detected(CLAUDE, ("claude-opus-4-8", "config.toml")) == [(None, "claude-opus-4-8", ANTHROPIC, "--author")]


def test_claims_come_in_the_order_in_which_they_were_made() -> None:
    found = detected(GPT, CLAUDE, ("house-model", "config.toml"))
    assert [row[1] for row in found] == ["gpt-5.5", "claude-opus-4-8", "house-model"]


# --- claims of an agent's model ------------------------------------------------------------------------------

OF_AGENTS: list[tuple[dict[str, str], list[Claim], list[tuple[str | None, str | None, set[str]]]]] = [
    (
        {"CLAUDECODE": "1"},
        [Claim("claude-opus-4-8", "x", "claude-code")],
        [("claude-code", "claude-opus-4-8", {"anthropic"})],
    ),
    # Another vendor's model elsewhere says nothing about the agent that runs here.
    (
        {"CLAUDECODE": "1"},
        [Claim("gpt-5.5", "x", "claude-code")],
        [("claude-code", "gpt-5.5", {"openai"}), ("claude-code", None, {"anthropic"})],
    ),
    # Its own session does.
    (
        {"CLAUDECODE": "1"},
        [Claim("glm-4.6", "x", "claude-code", running=True)],
        [("claude-code", "glm-4.6", {"anthropic", "zhipu"})],
    ),
    (
        {"CLAUDECODE": "1"},
        [Claim("glm-4.6", "x", "claude-code"), Claim("glm-4.6", "y", "claude-code", running=True)],
        [("claude-code", "glm-4.6", {"zhipu"}), ("claude-code", "glm-4.6", {"anthropic", "zhipu"})],
    ),
    # A name that may be any model's leaves the model unknown, unless the agent's vendor is unknown as well.
    ({"CLAUDECODE": "1"}, [Claim("smart", "x", "claude-code")], [("claude-code", None, {"anthropic"})]),
    ({}, [Claim("smart", "x", "claude-code")], [("claude-code", None, {"anthropic"})]),
    ({"COPILOT_CLI": "1"}, [Claim("smart", "x", "copilot-cli")], [("copilot-cli", "smart", set())]),
    ({"COPILOT_CLI": "1"}, [Claim("gpt-5.5", "x", "copilot-cli")], [("copilot-cli", "gpt-5.5", {"openai"})]),
    # One agent's model is not another's, also of one vendor.
    (
        {"GEMINI_CLI": "1"},
        [Claim("gemini-3.1-pro", "x", "antigravity")],
        [("antigravity", "gemini-3.1-pro", {"google"}), ("gemini-cli", None, {"google"})],
    ),
    # An agent without a model is told by one with a model, if that leaves no vendor out.
    (
        {},
        [Claim("", "x", "claude-code"), Claim("claude-opus-4-8", "y", "claude-code")],
        [("claude-code", "claude-opus-4-8", {"anthropic"})],
    ),
    (
        {},
        [Claim("", "x", "claude-code"), Claim("glm-4.6", "y", "claude-code")],
        [("claude-code", None, {"anthropic"}), ("claude-code", "glm-4.6", {"zhipu"})],
    ),
    ({}, [Claim("", "x"), Claim(" ", "y", "")], []),
]


@pytest.mark.parametrize(("variables", "claims", "expected"), OF_AGENTS, ids=[str(row[1])[:90] for row in OF_AGENTS])
def test_a_claim_of_an_agents_model(
    variables: dict[str, str], claims: list[Claim], expected: list[tuple[str | None, str | None, set[str]]]
) -> None:
    found = author.detect(variables, claims).candidates
    assert [(item.agent, item.model, set(item.families)) for item in found] == expected


NAMES = ["claude-opus-4-8", "gpt-5.5", "gemini-2.5-pro", "house-model", "human", "codex", "claude-code", "x" * 500]
MARKED = {"CLAUDECODE": "1", "CODEX_THREAD_ID": "x", "GEMINI_CLI": "1", "AI_AGENT": "opencode@1"}


@unhurried
@given(st.lists(st.sampled_from(NAMES) | st.text(max_size=30), max_size=4), st.sets(st.sampled_from(sorted(MARKED))))
def test_a_claim_never_removes_a_candidate(claims: list[str], marks: set[str]) -> None:
    variables = {name: MARKED[name] for name in marks}
    alone = detect(variables, ()).candidates
    found = detect(variables, tuple((claim, "--author") for claim in claims)).candidates
    assert {item.agent for item in alone} <= {item.agent for item in found}
    families = {family for item in found for family in item.families}
    assert {family for item in alone for family in item.families} <= families


@unhurried
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
def test_every_claim_is_a_candidate(claims: list[str]) -> None:
    found = detect(MARKED, tuple((claim, "--author") for claim in claims)).candidates
    assert set(claims) <= {item.model or item.agent for item in found} | {item.agent for item in found}


def test_the_order_of_the_claims_changes_no_family() -> None:
    claims = [CLAUDE, GPT, ("human", "x"), ("claude-sonnet-4-8", "y")]
    seen = {
        frozenset((item.model, item.families) for item in detect({"CLAUDECODE": "1"}, order).candidates)
        for order in permutations(claims)
    }
    assert all({model for model, _ in found} >= {"claude-opus-4-8", "gpt-5.5"} for found in seen)
    assert len({frozenset(families for _, families in found) for found in seen}) == 1


# --- words --------------------------------------------------------------------------------------------------

LABELS = [
    (
        Candidate("claude-code", None, ANTHROPIC, "CLAUDECODE"),
        "claude-code (anthropic, model unknown; from CLAUDECODE)",
        "claude-code",
    ),
    (
        Candidate("claude-code", "claude-opus-4-8", ANTHROPIC, "CLAUDECODE and --author"),
        "claude-code (anthropic, claude-opus-4-8; from CLAUDECODE and --author)",
        "claude-code",
    ),
    (Candidate(None, "gpt-5.5", OPENAI, "--author"), "gpt-5.5 (openai; from --author)", "gpt-5.5"),
    (
        Candidate(None, "house-model", NOBODY, "--author"),
        "house-model (family unknown; from --author)",
        "house-model",
    ),
    (
        Candidate("opencode", None, NOBODY, "AI_AGENT"),
        "opencode (family unknown, model unknown; from AI_AGENT)",
        "opencode",
    ),
    (
        Candidate(None, "deepseek-r1-distill-llama-70b", frozenset({"meta", "deepseek"}), "x"),
        "deepseek-r1-distill-llama-70b (deepseek/meta; from x)",
        "deepseek-r1-distill-llama-70b",
    ),
    (Candidate("human", None, NOBODY, "TWOAGENT_AUTHOR"), "human (from TWOAGENT_AUTHOR)", "human"),
]


@pytest.mark.parametrize(("candidate", "label", "short"), LABELS, ids=[row[1] for row in LABELS])
def test_a_candidate_is_told_in_these_words(candidate: Candidate, label: str, short: str) -> None:
    assert candidate.label == label
    assert candidate.short == short


def test_several_candidates_are_told_together() -> None:
    found = detect({"CLAUDECODE": "1", "CODEX_THREAD_ID": "x"}, ())
    assert found.label == (
        "claude-code (anthropic, model unknown; from CLAUDECODE) and "
        "codex (openai, model unknown; from CODEX_THREAD_ID)"
    )
    assert found.short == "claude-code and codex"


@pytest.mark.parametrize("name", ["\x1b[31mx", "a\nauthor: human", "a\u202eb", "x" * 5000], ids=ascii)
def test_what_is_claimed_is_shown_visibly_and_short(name: str) -> None:
    for found in (detect({}, ((name, "--author"),)), detect({"AI_AGENT": name}, ())):
        assert len(found.label) < 200
        assert found.label.isprintable()
        assert found.short.isprintable()


# --- from end to end ----------------------------------------------------------------------------------------


def test_the_author_of_a_run_is_joined_from_flag_variable_and_file(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    configure(serve(), 'author = "gemini-2.5-pro"')
    payload = changed.review(
        "--author", "qwen3-coder:30b", CLAUDECODE="1", TWOAGENT_AUTHOR="claude-opus-4-8", GEMINI_CLI="1"
    )
    assert payload["outcome"] == "approve"
    assert payload["author"]["agent"] == "claude-code and gemini-cli"
    assert payload["author"]["model"] == "qwen3-coder:30b and claude-opus-4-8 and gemini-2.5-pro"
    assert payload["author"]["family"] == "alibaba and anthropic and google"
    assert "CLAUDECODE and TWOAGENT_AUTHOR" in payload["author"]["source"]


def test_no_name_of_the_author_reaches_the_reviewer(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    server = serve()
    configure(server)
    changed.review("--author", "claude-opus-4-8", CLAUDECODE="1", AI_AGENT="opencode@7")
    sent = server.requests[0].raw.decode()
    assert "claude" not in sent
    assert "opencode" not in sent
