"""Who a commit says wrote it: every form that tools write, what people write, and what git takes for a trailer."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoagent_hook import author, trailers
from twoagent_hook.author import Claim

unhurried = settings(max_examples=150, deadline=None, database=None)

NOBODY: list[tuple[str, str | None]] = []

# A body that mentions everybody, since prose makes nobody an author.
PROSE = """\
fix(parser): keep the last token

Claude found this by accident, as did Copilot and codex; see claude-opus-4-8's
notes, and noreply@anthropic.com for the thread. Assisted by Gemini CLI in part.
* Co-authored-by trailers of Claude <noreply@anthropic.com> are added later
> Co-authored-by: Claude <noreply@anthropic.com>
  Assisted-by: Claude:claude-opus-4-8
"Co-authored-by: Codex <noreply@openai.com>"
\N{ROBOT FACE} Generated with [Claude Code](https://claude.com/claude-code)
"""


def named(message: str, *people: str) -> list[tuple[str, str | None]]:
    return [(claim.text, claim.agent) for claim in trailers.claims(message, people)]


# --- one trailer ----------------------------------------------------------------------------------------------

CLAUDE, CODEX, COPILOT = ("", "claude-code"), ("", "codex"), ("", "copilot")
OPUS = ("claude-opus-4-8", "claude-code")
BOT = "@users.noreply.github.com"

TRAILERS: list[tuple[str, list[tuple[str, str | None]]]] = [
    # Claude Code
    ("Co-Authored-By: Claude Opus 4.8 (1M context) <noreply@anthropic.com>", [OPUS]),
    ("Co-Authored-By: Claude <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: Claude Opus 4.8 <noreply@anthropic.com>", [OPUS]),
    ("co-authored-by: claude opus 4.8 <NOREPLY@Anthropic.com>", [OPUS]),
    ("CO-AUTHORED-BY: CLAUDE <NOREPLY@ANTHROPIC.COM>", [CLAUDE]),
    ("Co-authored-by:Claude<noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by : Claude <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by:\t\tClaude\t<noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: Claude < noreply@anthropic.com >", [CLAUDE]),
    ("Co-authored-by: <noreply@anthropic.com>", [CLAUDE]),
    ('Co-authored-by: "Claude" <noreply@anthropic.com>', [CLAUDE]),
    ("Co-authored-by: Claude noreply@anthropic.com", [CLAUDE]),
    ("Co-authored-by: Claude (noreply@anthropic.com)", [CLAUDE]),
    ("Co-authored-by: Claude <x> <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: Claude Sonnet 4.5 <noreply@anthropic.com>", [("claude-sonnet-4-5", "claude-code")]),
    ("Co-authored-by: Claude 3.7 Sonnet <noreply@anthropic.com>", [("claude-3-7-sonnet", "claude-code")]),
    ("Co-authored-by: Claude Code Opus 4.8 <noreply@anthropic.com>", [("opus-4-8", "claude-code")]),
    ("Co-authored-by: Claude Code (claude-opus-4-8) <noreply@anthropic.com>", [OPUS]),
    ("Co-authored-by: Claude Code <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: Claude Code 2.1.197 <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: Claude (1M context) <noreply@anthropic.com>", [CLAUDE]),
    ("Co-authored-by: goose <noreply@anthropic.com>", [CLAUDE]),
    (f"Co-authored-by: claude[bot] <209825114+claude[bot]{BOT}>", [CLAUDE]),
    (f"Co-authored-by: Claude <81847+claude{BOT}>", [CLAUDE]),
    ("Claude-Session: https://claude.ai/code/session_01abc", [CLAUDE]),
    # Codex
    ("Co-authored-by: Codex <noreply@openai.com>", [CODEX]),
    ("Co-authored-by: Codex <codex@openai.com>", [CODEX]),
    ("Co-authored-by: Codex (gpt-5.5-codex) <noreply@openai.com>", [("gpt-5.5-codex", "codex")]),
    ("Co-authored-by: Codex 0.169.0 <noreply@openai.com>", [CODEX]),
    (f"Co-authored-by: ChatGPT <199175422+chatgpt-codex-connector[bot]{BOT}>", [CODEX]),
    # Copilot
    (f"Co-authored-by: Copilot <223556219+Copilot{BOT}>", [COPILOT]),
    (f"Co-authored-by: Copilot <175728472+Copilot{BOT}>", [COPILOT]),
    (f"Co-authored-by: copilot-swe-agent[bot] <198982749+copilot-swe-agent[bot]{BOT}>", [COPILOT]),
    ("Co-authored-by: Copilot CLI GPT-5.4 <copilot@github.com>", [("gpt-5-4", "copilot")]),
    ("Co-authored-by: Copilot <copilot@github.com>", [COPILOT]),
    (f"Co-authored-by: GitHub Copilot Agent (GPT 5.4) <198982749+copilot{BOT}>", [("GPT 5.4", "copilot")]),
    (
        f"Co-authored-by: Copilot (GPT-5.4, Claude Opus 4.8) <223556219+Copilot{BOT}>",
        [("GPT-5.4", "copilot"), ("Claude Opus 4.8", "copilot")],
    ),
    # others
    ("Co-authored-by: Cursor <cursoragent@cursor.com>", [("", "cursor")]),
    (f"Co-authored-by: Cursor Agent <199161495+cursoragent{BOT}>", [("", "cursor")]),
    ("Made-with: Cursor", [("", "cursor")]),
    ("Co-authored-by: aider (gpt-5.5) <aider@aider.chat>", [("gpt-5.5", "aider")]),
    ("Co-authored-by: aider (openrouter/x/house-model) <noreply@aider.chat>", [("openrouter/x/house-model", "aider")]),
    ("Co-authored-by: aider <noreply@aider.chat>", [("", "aider")]),
    ("Co-authored-by: Ada Lovelace (aider) <ada@example.com>", [("", "aider")]),
    (f"Co-authored-by: gemini-cli <218195315+gemini-cli{BOT}>", [("", "gemini-cli")]),
    (
        f"Co-Authored-By: Gemini (gemini-3.1-pro, gemini-3-flash) <218195315+gemini-cli{BOT}>",
        [("gemini-3.1-pro", "gemini-cli"), ("gemini-3-flash", "gemini-cli")],
    ),
    (f"Co-authored-by: g <176961590+gemini-code-assist[bot]{BOT}>", [("", "gemini-cli")]),
    (f"Co-authored-by: google-labs-jules[bot] <161369871+google-labs-jules[bot]{BOT}>", [("", "jules")]),
    (f"Co-Authored-By: Devin AI <158243242+devin-ai-integration[bot]{BOT}>", [("", "devin")]),
    ("Co-Authored-By: Crush <crush@charm.land>", [("", "crush")]),
    ("Co-authored-by: Amp <amp@ampcode.com>", [("", "amp")]),
    ("Amp-Thread-ID: https://ampcode.com/threads/T-6f4d", [("", "amp")]),
    ("Co-authored-by: Qwen-Coder <qwen-coder@alibabacloud.com>", [("", "qwen-code")]),
    ("Co-Authored-By: opencode <noreply@opencode.ai>", [("", "opencode")]),
    ("Co-authored-by: openhands <openhands@all-hands.dev>", [("", "openhands")]),
    ("Co-Authored-By: Warp <agent@warp.dev>", [("", "warp")]),
    ("Co-authored-by: Junie <junie@jetbrains.com>", [("", "junie")]),
    ("Co-developed-by: Claude <noreply@anthropic.com>", [CLAUDE]),
    ("Replit-Commit-Author: Agent", [("", "replit")]),
    ("Replit-Commit-Author: Assistant", [("", "replit")]),
    ("Entire-Agent: Claude Code", [CLAUDE]),
    ("Entire-Agent: Codex", [CODEX]),
    # AGENT:MODEL, and what has grown from it
    ("Assisted-by: Claude:claude-3-opus coccinelle sparse", [("claude-3-opus", "claude-code")]),
    ("Assisted-by: Claude:claude-opus-4-8 [coccinelle] [sparse]", [OPUS]),
    ("ASSISTED-BY: CLAUDE:CLAUDE-OPUS-4-8", [("CLAUDE-OPUS-4-8", "claude-code")]),
    ("Assisted-by: Claude: Opus 4.8", [("opus-4-8", "claude-code")]),
    ("Assisted-by: Claude Code / claude-opus-4.6", [("claude-opus-4.6", "claude-code")]),
    ("Assisted-by: Claude Code (claude-opus-4-8, 1M context)", [OPUS]),
    ("Assisted-by: Claude Code:2.1.197", [CLAUDE]),
    ("Assisted-by: Claude Code v2.1.197", [CLAUDE]),
    ("Assisted-by: Claude (Anthropic)", [CLAUDE]),
    ("Assisted-by: Claude:auto", [CLAUDE]),
    ("Assisted-by: Claude:unknown", [CLAUDE]),
    ("Assisted-by: Claude", [CLAUDE]),
    ("Assisted-by: claude-code", [CLAUDE]),
    ("Assisted-by: [Claude Code](https://claude.com/claude-code)", [CLAUDE]),
    ("Assisted-by: Claude Code https://claude.com/claude-code", [CLAUDE]),
    ("Assisted-by: *Claude Opus 4.8*.", [("claude-opus-4-8", None)]),
    ("Assisted-by: Claude Opus 4.8", [("claude-opus-4-8", None)]),
    ("Assisted-by: Claude Opus 4.8 (1M context)", [("claude-opus-4-8", None)]),
    ("Assisted-by: Claude Opus 4.8 <noreply@anthropic.com>", [OPUS]),
    ("Assisted-by: Claude <noreply@anthropic.com>", [CLAUDE]),
    ("Assisted-by: goose <noreply@anthropic.com>", [("", "goose"), CLAUDE]),
    ("Assisted-by: anthropic/claude-opus-4-8", [("claude-opus-4-8", None)]),
    ("Assisted-by: Copilot (GPT-5.4)", [("GPT-5.4", "copilot")]),
    ("Assisted-by: GitHub Copilot", [COPILOT]),
    ("Assisted-by: GitHub Copilot:auto", [COPILOT]),
    ("Assisted-by: Codex:gpt-5.5-codex", [("gpt-5.5-codex", "codex")]),
    ("Assisted-by: OpenAI Codex", [CODEX]),
    ("Assisted-by: GPT-5.5 (Codex)", [("gpt-5-5", "codex")]),
    ("Assisted-by: ChatGPT", [("ChatGPT", None)]),
    ("Assisted-by: Gemini", [("", "gemini-cli")]),
    ("Assisted-by: gemini-cli:gemini-3.1-pro-preview", [("gemini-3.1-pro-preview", "gemini-cli")]),
    ("Assisted-by: GLM-4.7 via Crush <crush@charm.land>", [("GLM-4.7", "crush")]),
    ("Assisted-by: GLM 5 (Reasoning & Agentic) via Crush <crush@charm.land>", [("GLM 5", "crush")]),
    ("Assisted-by: Crush AI Assistant via Crush <crush@charm.land>", [("", "crush")]),
    ("Assisted-by: Crush:glm-4.7", [("glm-4.7", "crush")]),
    ("Generated-by: OpenCode:claude-opus-4.6", [("claude-opus-4.6", "opencode")]),
    ("Assisted-by: OpenCode:house-model", [("house-model", "opencode")]),
    ("Assisted-by: ollama:qwen3-coder:30b", [("qwen3-coder:30b", "ollama")]),
    ("Assisted-by: MyBot:my-model-1", [("my-model-1", "mybot")]),
    ("Assisted-by: AI:gpt-5.5", [("gpt-5.5", None)]),
    ("Assisted-by: Claude, Codex", [CLAUDE, CODEX]),
    ("Assisted-by: Claude:claude-opus-4-8 and Codex:gpt-5.5", [OPUS, ("gpt-5.5", "codex")]),
    ("Assisted-by: Claude <noreply@anthropic.com>, Codex <noreply@openai.com>", [CLAUDE, CODEX]),
]

PEOPLES = [
    "Co-authored-by: Grace Hopper <grace@example.com>",
    "Co-authored-by: Claude Shannon <claude@bell-labs.example>",
    "Co-authored-by: Claude <claude.dupont@orange.example>",
    "Co-authored-by: Claude <claude@gmail.com>",
    "Co-authored-by: Claude Opus 4.8 <claude@gmail.com>",
    f"Co-authored-by: Claude Dupont <1234+claudedupont{BOT}>",
    f"Co-authored-by: not-copilot <1234+not-copilot{BOT}>",
    f"Co-authored-by: x <1234+google-labs-jules-fan{BOT}>",
    "Co-authored-by: Devin Townsend <devin@townsend.example>",
    "Co-authored-by: Jules Verne <jules@verne.example>",
    "Co-authored-by: Amp Fiddler <amp@fiddler.example>",
    "Co-authored-by: noreply <noreply@anthropic.com.example.org>",
    "Co-authored-by: x <xnoreply@anthropic.com>",
    "Co-authored-by: x <noreply@anthropic-com.example>",
    "Co-authored-by: Claude",
    "Co-authored-by:",
    "Co-authored-by: <>",
    "Signed-off-by: Claude Shannon <claude@bell-labs.example>",
    "Signed-off-by: Claude <noreply@anthropic.com>",
    "Reviewed-by: Claude <noreply@anthropic.com>",
    "Tested-by: Codex <noreply@openai.com>",
    "Acked-by: Copilot <copilot@github.com>",
    "Reported-by: Claude:claude-opus-4-8",
    "Suggested-by: Gemini",
    'Fixes: 0123456789ab ("Claude: a bug")',
    "Link: https://claude.ai/code/session_1",
    "Cc: noreply@anthropic.com",
    "Change-Id: I0123456789",
    "Assisted-by: Daniel Stenberg",
    "Assisted-by: Daniel Stenberg <daniel@haxx.example>",
    "Assisted-by: Claude Dupont",
    "Assisted-by: Claude Dupont <claude.dupont@orange.example>",
    "Assisted-by: Jane Doe: the idea",
    "Assisted-by: Jane Doe (the idea)",
    "Assisted-by: Jane Doe and Richard Roe",
    "Assisted-by: Jane via Slack",
    "Assisted-by: @jane",
    "Assisted-by: jane on GitHub",
    "Assisted-by: LLM",
    "Assisted-by: AI",
    "Assisted-by: auto",
    "Assisted-by: none",
    "Assisted-by: human",
    "Assisted-by: AI:unknown",
    "Assisted-by:",
    "Assisted-by: ()",
    "Assisted-by: :",
    "Assisted-by: https://example.org/claude-opus",
    "Generated-by: protoc-gen-go v1.28",
    "Generated-by: scripts/update.py",
    "Generated-by: make docs",
    "Made-with: love",
    "Replit-Commit-Author: ada",
    "Replit-Commit-Session-Id: 6f4d",
    "Entire-Session: 2026",
    f"Co-authored-by: dependabot[bot] <49699333+dependabot[bot]{BOT}>",
    f"Co-authored-by: renovate[bot] <29139614+renovate[bot]{BOT}>",
    f"Co-authored-by: github-actions[bot] <41898282+github-actions[bot]{BOT}>",
    f"Co-authored-by: pre-commit-ci[bot] <66853113+pre-commit-ci[bot]{BOT}>",
    "Co-authored-by: Renovate Bot <renovate@whitesourcesoftware.com>",
    "Co-authored-by-nobody: Claude <noreply@anthropic.com>",
    "X-Assisted-by: Claude:claude-opus-4-8",
    "Co authored by: Claude <noreply@anthropic.com>",
    "Co-authored-by Claude <noreply@anthropic.com>",
    "Co_authored_by: Claude <noreply@anthropic.com>",
    "\u0421o-authored-by: Claude <noreply@anthropic.com>",
]


@pytest.mark.parametrize(("line", "expected"), TRAILERS, ids=[row[0] for row in TRAILERS])
def test_a_trailer_names_agents_and_models(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert named(f"fix: a thing\n\nWhy it was done.\n\n{line}\n") == expected


@pytest.mark.parametrize("line", PEOPLES)
def test_what_people_and_bots_write_names_nobody(line: str) -> None:
    assert named(f"fix: a thing\n\nWhy it was done.\n\n{line}\n") == NOBODY


def test_there_are_enough_lines() -> None:
    assert len(TRAILERS) + len(PEOPLES) >= 70


def test_prose_names_nobody() -> None:
    assert named(PROSE) == NOBODY
    assert named("") == NOBODY
    assert named("Co-authored-by") == NOBODY


# --- author lines ---------------------------------------------------------------------------------------------

LINES: list[tuple[str, list[tuple[str, str | None]]]] = [
    ("Ada Lovelace (aider) <ada@example.com>", [("", "aider")]),
    ("Ada Lovelace (AIDER) <ada@example.com>", [("", "aider")]),
    (f"copilot-swe-agent[bot] <198982749+Copilot{BOT}>", [COPILOT]),
    (f"anthropic-code-agent[bot] <242468646+Claude{BOT}>", [CLAUDE]),
    ("Claude <noreply@anthropic.com>", [CLAUDE]),
    ("Cursor Agent <cursoragent@cursor.com>", [("", "cursor")]),
    (f"google-labs-jules[bot] <161369871+google-labs-jules[bot]{BOT}>", [("", "jules")]),
    (f"devin-ai-integration[bot] <158243242+devin-ai-integration[bot]{BOT}>", [("", "devin")]),
    (f"factory-droid[bot] <138933559+factory-droid[bot]{BOT}>", [("", "droid")]),
    ("openhands <openhands@all-hands.dev>", [("", "openhands")]),
    ("Codex <codex@openai.com>", [CODEX]),
    ("Ada Lovelace <ada@example.com>", NOBODY),
    ("Claude <claude@example.com>", NOBODY),
    ("Claude Opus 4.8 <ada@example.com>", NOBODY),
    ("aider <ada@example.com>", NOBODY),
    (f"dependabot[bot] <49699333+dependabot[bot]{BOT}>", NOBODY),
    ("GitHub <noreply@github.com>", NOBODY),
    ("", NOBODY),
    ("<>", NOBODY),
    ("nobody", NOBODY),
]


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[row[0] for row in LINES])
def test_an_author_line_names_who_has_an_agents_address(line: str, expected: list[tuple[str, str | None]]) -> None:
    assert named("fix: a thing\n", line) == expected
    assert all(claim.source == "the author line" for claim in trailers.claims("", (line,)))


def test_author_committer_and_trailers_are_all_read_and_nobody_twice() -> None:
    message = "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\nCo-Authored-By: Claude <noreply@anthropic.com>\n"
    people = ("Claude <noreply@anthropic.com>", "Codex <noreply@openai.com>", "Ada <ada@example.com>")
    assert trailers.claims(message, people) == (
        Claim("", "the author line", "claude-code"),
        Claim("", "the author line", "codex"),
        Claim("", "Co-authored-by", "claude-code"),
    )


# --- where trailers stand -------------------------------------------------------------------------------------

WHERE = [
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n\n\n",
    "x\r\n\r\nCo-authored-by: Claude <noreply@anthropic.com>\r\n",
    "x\n\nCo-authored-by: Claude\n <noreply@anthropic.com>\n",
    "x\n\nCo-authored-by:\n Claude\n\t<noreply@anthropic.com>\n",
    "x\r\n\r\nCo-authored-by:\r\n  Claude <noreply@anthropic.com>\r\n",
    "x\n\nSigned-off-by: Ada <ada@example.com>\nCo-authored-by: Claude <noreply@anthropic.com>\nFixes: #7\n",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n\nAnother paragraph after it.\n",
    "x\n\nsome prose, and at once\nCo-authored-by: Claude <noreply@anthropic.com>\n",
    "Co-authored-by: Claude <noreply@anthropic.com>",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n\n---------\n\nCo-authored-by: Ada <a@example.com>\n",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n---\n a.py | 2 +-\n",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n# ------------------------ >8 ----------------\n",
    "x\n\n" + "prose " * 50_000 + "\n\nCo-authored-by: Claude <noreply@anthropic.com>\n",
    "x\n\nCo-authored-by: Claude <noreply@anthropic.com>\n" + "Signed-off-by: x <x@example.com>\n" * 20_000,
    "x\n\nCo-authored-by: " + "C" * 10_000 + " <noreply@anthropic.com>\n",
    "x\n\nCo-authored-by: Claude" + " " * 100_000 + "<noreply@anthropic.com>\n",
    "* feat: a\n\nCo-authored-by: Claude <noreply@anthropic.com>\n\n* fix: b\n\nSigned-off-by: Ada <a@example.com>\n",
]


@pytest.mark.parametrize("message", WHERE, ids=lambda message: ascii(message[:60]))
def test_a_trailer_counts_wherever_it_stands(message: str) -> None:
    assert named(message) == [CLAUDE]


def test_several_trailers_all_count_in_their_order() -> None:
    message = (
        "x\n\nCo-authored-by: Codex <noreply@openai.com>\nCo-authored-by: Ada <ada@example.com>\n"
        "Assisted-by: Claude:claude-opus-4-8\nMade-with: Cursor\nReplit-Commit-Author: Agent\n"
    )
    assert named(message) == [CODEX, OPUS, ("", "cursor"), ("", "replit")]
    assert [claim.source for claim in trailers.claims(message)] == [
        "Co-authored-by",
        "Assisted-by",
        "Made-with",
        "Replit-commit-author",
    ]


def parsed_by_git(message: str, folder: Path) -> str:
    done = subprocess.run(
        ["git", "interpret-trailers", "--parse", "--no-divider"],
        input=message.encode(),
        capture_output=True,
        check=True,
        cwd=folder,
    )
    return done.stdout.decode()


def at_least_what_git_reads(message: str, folder: Path) -> None:
    """Whoever is named in what git takes for the trailers is named by us."""
    parsed = parsed_by_git(message, folder)
    assert set(named(parsed)) <= set(named(message)), parsed


@pytest.mark.parametrize(
    "message",
    [*(f"x\n\nWhy.\n\n{row[0]}\n" for row in TRAILERS), *WHERE, PROSE],
    ids=lambda message: ascii(message[-60:]),
)
def test_all_that_git_takes_for_a_trailer_is_read(message: str, tmp_path: Path) -> None:
    at_least_what_git_reads(message, tmp_path)


PARTS = [
    "Co-authored-by: Claude <noreply@anthropic.com>",
    "co-AUTHORED-by :\tCodex <noreply@openai.com>",
    "Assisted-by:",
    "Assisted-by: Claude:claude-opus-4-8",
    "  Claude:claude-opus-4-8",
    "\t<noreply@anthropic.com>",
    "Signed-off-by: Ada <ada@example.com>",
    "(cherry picked from commit 0123456789abcdef)",
    "prose about Claude",
    "-odd: value",
    "# a comment",
    "---",
    "",
    " ",
    "\r",
]


@settings(max_examples=40, deadline=None, database=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_whatever_the_lines_all_that_git_reads_is_read(parts: list[str], end: str) -> None:
    at_least_what_git_reads("x" + end + end + end.join(parts) + end, Path("/tmp"))


# --- hostile text ---------------------------------------------------------------------------------------------

BIG = [
    "Assisted-by: " + " " * 300_000 + "x",
    "Assisted-by: Claude" + " " * 300_000 + "(",
    "Co-authored-by: " + " " * 300_000,
    "Co-authored-by: " + "<" * 300_000,
    "Co-authored-by: " + "a@" * 150_000,
    "Co-authored-by: <" + "1" * 300_000 + "+x@users.noreply.github.com>",
    "a" * 300_000,
    "a-" * 150_000 + " ",
    "a" + "\t" * 300_000,
    "\n" * 300_000,
    "\r" * 300_000,
    "Assisted-by:" + "\n x" * 100_000,
    "Assisted-by: " + "," * 300_000,
    "Assisted-by: " + "(" * 300_000,
    "Assisted-by: " + "a:" * 150_000,
    "Assisted-by: " + "a / " * 75_000,
    "Assisted-by: " + " via " * 60_000,
    "Assisted-by: " + "claude-" * 40_000 + "4",
    "Assisted-by: " + "-" * 300_000 + "1",
    "Assisted-by: x:y\n" * 30_000,
    "Co-authored-by: Claude <noreply@anthropic.com>\n" * 30_000,
]


@pytest.mark.parametrize("text", BIG, ids=lambda text: ascii(text[:30]))
def test_no_text_takes_long(text: str) -> None:
    started = time.process_time()
    trailers.claims(text, (text,))
    trailers.claims(f"x\n\n{text}\n\n{text}")
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "line",
    [
        "Assisted-by: Claude:\x1b[31mopus-4-8",
        "Assisted-by: \u202eClaude:claude-opus-4-8",
        "Assisted-by: evil\x00agent:model-1",
        "Co-authored-by: Claude Opus 4.8\x1b]0;x\x07 <noreply@anthropic.com>",
        "Assisted-by: " + "A" * 300 + ":" + "claude-opus-4-8" * 500,
        "Assisted-by: \ud800:claude-opus-4-8",
        "Assisted-by: human:claude-opus-4-8",
    ],
    ids=lambda line: ascii(line[:40]),
)
def test_hostile_text_is_shown_visibly_and_short(line: str) -> None:
    found = author.detect({}, trailers.claims(f"x\n\n{line}\n"))
    assert found.candidates
    assert found.label.isprintable()
    assert found.short.isprintable()
    assert len(found.label) < 300
    assert not any(item.human for item in found.candidates)
    assert all(len(claim.text) <= 400 for claim in trailers.claims(f"x\n\n{line}\n"))


@unhurried
@given(st.text(max_size=60) | st.text("Claude <>()@:/,;&+\n\t -aiv.0", max_size=60))
def test_no_value_raises_or_makes_a_human(value: str) -> None:
    for key in ("Co-authored-by", "Assisted-by", "Generated-by", "Replit-Commit-Author"):
        found = trailers.claims(f"x\n\n{key}: {value}\n", (value,))
        candidates = author.detect({}, found).candidates
        assert not any(item.human for item in candidates)
        assert all(claim.text or claim.agent for claim in found)


# --- joined ---------------------------------------------------------------------------------------------------

A, O, G = "anthropic", "openai", "google"  # noqa: E741
JOINED: list[tuple[str, list[tuple[str | None, str | None, set[str]]]]] = [
    (
        "Co-Authored-By: Claude Opus 4.8 (1M context) <noreply@anthropic.com>",
        [("claude-code", "claude-opus-4-8", {A})],
    ),
    ("Co-Authored-By: Claude <noreply@anthropic.com>", [("claude-code", None, {A})]),
    ("Co-authored-by: Codex <noreply@openai.com>", [("codex", None, {O})]),
    (f"Co-authored-by: Copilot <223556219+Copilot{BOT}>", [("copilot", None, set())]),
    ("Co-authored-by: Cursor <cursoragent@cursor.com>", [("cursor", None, set())]),
    ("Co-authored-by: aider (gpt-5.5) <aider@aider.chat>", [("aider", "gpt-5.5", {O})]),
    ("Co-authored-by: aider (house) <aider@aider.chat>", [("aider", "house", set())]),
    ("Assisted-by: Claude:claude-3-opus coccinelle sparse", [("claude-code", "claude-3-opus", {A})]),
    ("Assisted-by: Claude (Anthropic)", [("claude-code", None, {A})]),
    ("Assisted-by: Claude Code:2.1.197", [("claude-code", None, {A})]),
    ("Assisted-by: Copilot (GPT-5.4)", [("copilot", "GPT-5.4", {O})]),
    ("Generated-by: OpenCode:claude-opus-4.6", [("opencode", "claude-opus-4.6", {A})]),
    ("Assisted-by: ChatGPT", [("chatgpt", None, {O})]),
    ("Assisted-by: Claude Opus 4.8", [(None, "claude-opus-4-8", {A})]),
    ("Assisted-by: GLM-4.7 via Crush <crush@charm.land>", [("crush", "GLM-4.7", {"zhipu"})]),
    ("Assisted-by: Codex:house-alias", [("codex", None, {O})]),
    (f"Co-authored-by: j <161369871+google-labs-jules[bot]{BOT}>", [("jules", None, {G})]),
    (
        "Co-Authored-By: Claude <noreply@anthropic.com>\nAssisted-by: Claude:claude-opus-4-8",
        [("claude-code", "claude-opus-4-8", {A})],
    ),
    (
        "Co-Authored-By: Claude <noreply@anthropic.com>\nAssisted-by: Codex:gpt-5.5",
        [("claude-code", None, {A}), ("codex", "gpt-5.5", {O})],
    ),
    (
        "Co-Authored-By: Claude <noreply@anthropic.com>\nCo-Authored-By: GPT-5.5 <noreply@anthropic.com>",
        [("claude-code", None, {A}), ("claude-code", "gpt-5-5", {O})],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), JOINED, ids=[row[0] for row in JOINED])
def test_claims_become_candidates_of_the_right_families(
    lines: str, expected: list[tuple[str | None, str | None, set[str]]]
) -> None:
    found = author.detect({}, trailers.claims(f"x\n\n{lines}\n")).candidates
    assert [(item.agent, item.model, set(item.families)) for item in found] == expected


def test_a_trailer_gives_the_running_agent_a_model() -> None:
    found = author.detect(
        {"CLAUDECODE": "1"}, trailers.claims("x\n\nAssisted-by: Claude:claude-opus-4-8\n")
    ).candidates
    assert [(item.agent, item.model, item.source) for item in found] == [
        ("claude-code", "claude-opus-4-8", "CLAUDECODE and Assisted-by")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Co-Authored-By: GPT-5.5 <noreply@anthropic.com>",
        "Assisted-by: Claude:gpt-5.5",
        "Assisted-by: Codex:gpt-5.5",
        "Co-authored-by: Ada <ada@example.com>",
        "Assisted-by: human",
        "Assisted-by: Claude (Anthropic)",
        "Assisted-by: Claude:2.1.197",
        "Assisted-by: Claude:default",
    ],
)
def test_no_trailer_clears_the_running_agent_of_its_vendor(line: str) -> None:
    found = author.detect({"CLAUDECODE": "1"}, trailers.claims(f"x\n\n{line}\n")).candidates
    assert [item.families for item in found if item.agent == "claude-code" and item.model is None] == [frozenset({A})]
