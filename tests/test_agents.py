"""Which agents an environment shows: full environments as agents and people's terminals have them, and the laws."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Server

from twoagent_hook import author, datafiles
from twoagent_hook.author import HUMAN, UNNAMED, Author, Claim, detect

unhurried = settings(max_examples=150, deadline=None, database=None)

TABLE = datafiles.packaged_toml("agents.toml")
FAMILIES = datafiles.packaged_toml("models.toml")["families"]

Environment = dict[str, str]

# --- environments, as they were measured ----------------------------------------------------------------------

SHELL: Environment = {
    "HOME": "/home/ada",
    "USER": "ada",
    "LOGNAME": "ada",
    "SHELL": "/bin/bash",
    "PATH": "/home/ada/.local/bin:/usr/local/bin:/usr/bin:/bin",
    "LANG": "en_GB.UTF-8",
    "TERM": "xterm-256color",
    "PWD": "/home/ada/work",
    "SHLVL": "1",
}
GIT_HOOK: Environment = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_INDEX_FILE": ".git/index",
    "GIT_EXEC_PATH": "/usr/lib/git-core",
    "GIT_EDITOR": ":",
}
PRE_COMMIT: Environment = {"PRE_COMMIT": "1", "VIRTUAL_ENV": "/home/ada/.cache/pre-commit/x", **GIT_HOOK}

CLAUDE: Environment = {
    "CLAUDECODE": "1",
    "AI_AGENT": "claude-code_2-1-197_agent",
    "CLAUDE_CODE_ENTRYPOINT": "sdk-cli",
    "CLAUDE_CODE_SESSION_ID": "0b6f2a0e-65a2-4be8-a2b7-7d3a3f6f7f10",
    "CLAUDE_CODE_CHILD_SESSION": "1",
    "CLAUDE_CODE_EXECPATH": "/home/ada/.local/share/claude/versions/2.1.197",
    "CLAUDE_EFFORT": "high",
    "GIT_EDITOR": "true",
    "ANTHROPIC_API_KEY": "sk-ant-x",
}
CLAUDE_HOOK: Environment = {
    "CLAUDE_CODE_CHILD_SESSION": "1",
    "CLAUDE_CODE_ENTRYPOINT": "cli",
    "CLAUDE_PROJECT_DIR": "/home/ada/work",
}
COWORK: Environment = {"CLAUDECODE": "1", "CLAUDE_CODE_IS_COWORK": "1"}
CODEX: Environment = {
    "CODEX_THREAD_ID": "019a3c1d-7f0e-7a11-9c55-0a4f5b8d2e77",
    "CODEX_SESSION_ID": "019a3c1d-7f0e-7a11-9c55-0a4f5b8d2e77",
    "CODEX_CI": "1",
    "CODEX_VERSION": "0.169.0",
    "CODEX_MANAGED_BY_NPM": "1",
    "CODEX_TOOL_CALL_ID": "call_1",
    "GIT_PAGER": "cat",
    "PAGER": "cat",
    "NO_COLOR": "1",
}
CODEX_SANDBOXED: Environment = {**CODEX, "CODEX_SANDBOX_NETWORK_DISABLED": "1"}
CODEX_MAC: Environment = {"CODEX_SANDBOX": "seatbelt", "CODEX_SANDBOX_NETWORK_DISABLED": "1"}
COPILOT_CLI: Environment = {
    "COPILOT_CLI": "1",
    "COPILOT_AGENT_SESSION_ID": "9f0d2c1e-1111-4a4a-8b8b-123456789abc",
    "COPILOT_CLI_BINARY_VERSION": "1.0.102",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
    "GIT_CONFIG_KEY_1": "core.fsmonitor",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_TERMINAL_PROMPT": "0",
}
GEMINI: Environment = {
    "GEMINI_CLI": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.hooksPath",
    "GIT_CONFIG_VALUE_0": "",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GEMINI_API_KEY": "x",
}
OPENCODE: Environment = {"OPENCODE": "1", "AGENT": "1", "OPENCODE_PID": "4711"}
VSCODE: Environment = {
    "TERM_PROGRAM": "vscode",
    "TERM_PROGRAM_VERSION": "1.112.0",
    "VSCODE_GIT_IPC_HANDLE": "/run/user/1000/vscode-git-1.sock",
    "VSCODE_INJECTION": "1",
    "GIT_ASKPASS": "/usr/share/code/resources/app/extensions/git/dist/askpass.sh",
    "COLORTERM": "truecolor",
}
COPILOT_VSCODE: Environment = {
    **VSCODE,
    "COPILOT_AGENT": "1",
    "AI_AGENT": "github_copilot_vscode_agent",
    "GIT_PAGER": "cat",
}
CURSOR_IDE: Environment = {**VSCODE, "CURSOR_TRACE_ID": "a1b2c3", "TERM_PROGRAM_VERSION": "2.4.0"}
CURSOR_AGENT: Environment = {**CURSOR_IDE, "CURSOR_AGENT": "1", "PAGER": "head -n 10000 | cat"}
CLINE: Environment = {**VSCODE, "CLINE_ACTIVE": "true", "PAGER": "cat", "GIT_PAGER": "cat", "MANPAGER": "cat"}
WINDSURF: Environment = {**VSCODE, "CODEIUM_EDITOR_APP_ROOT": "/opt/windsurf/resources/app"}
ZED: Environment = {"TERM_PROGRAM": "zed", "ZED_TERM": "true", "TERM_PROGRAM_VERSION": "0.210.0"}
KIRO: Environment = {**VSCODE, "TERM_PROGRAM": "kiro"}
JETBRAINS: Environment = {
    "TERMINAL_EMULATOR": "JetBrains-JediTerm",
    "TERM_SESSION_ID": "x",
    "IDEA_INITIAL_DIRECTORY": "/",
}
REPLIT: Environment = {"REPL_ID": "6f4d", "REPL_OWNER": "ada", "REPLIT_MODE": "workspace", "REPL_SLUG": "work"}
AMP: Environment = {"AMP_CURRENT_THREAD_ID": "T-6f4d", "AGENT": "amp", "AGENT_THREAD_ID": "T-6f4d"}
CRUSH: Environment = {"CRUSH": "1", "AGENT": "crush", "AI_AGENT": "crush"}
GOOSE: Environment = {
    "GOOSE_TERMINAL": "1",
    "AGENT": "goose",
    "AGENT_SESSION_ID": "20261122_1",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
}
QWEN: Environment = {"QWEN_CODE": "1", "PAGER": "cat", "GIT_PAGER": "cat"}
SSH: Environment = {
    "SSH_CONNECTION": "10.0.0.2 50000 10.0.0.1 22",
    "SSH_TTY": "/dev/pts/0",
    "SSH_CLIENT": "10.0.0.2 1 22",
}
TMUX: Environment = {"TMUX": "/tmp/tmux-1000/default,1,0", "TMUX_PANE": "%0", "TERM_PROGRAM": "tmux"}
GITHUB: Environment = {"CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_OS": "Linux", "GITHUB_WORKFLOW": "test"}
AZURE: Environment = {
    "TF_BUILD": "True",
    "AGENT_ID": "7",
    "AGENT_NAME": "hosted",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "x",
}
KEYS: Environment = {"ANTHROPIC_API_KEY": "x", "OPENAI_API_KEY": "x", "GEMINI_API_KEY": "x", "GOOGLE_API_KEY": "x"}

A, O, G = "anthropic", "openai", "google"  # noqa: E741
CLAUDE_IS, CODEX_IS, GEMINI_IS = {"claude-code": A}, {"codex": O}, {"gemini-cli": G}

AGENTS: list[tuple[str, Environment, dict[str, str | None]]] = [
    # one agent
    ("Claude Code", CLAUDE, CLAUDE_IS),
    ("Claude Code, interactive", {**CLAUDE, "CLAUDE_CODE_ENTRYPOINT": "cli"}, CLAUDE_IS),
    ("Claude Code, older", {"CLAUDECODE": "1", "CLAUDE_CODE_ENTRYPOINT": "cli"}, CLAUDE_IS),
    ("Claude Code, in VS Code", {**VSCODE, **CLAUDE, "CLAUDE_CODE_SSE_PORT": "51234"}, CLAUDE_IS),
    ("Claude Code, in Cursor", {**CURSOR_IDE, **CLAUDE}, CLAUDE_IS),
    ("Claude Code, in Zed", {**ZED, **CLAUDE}, CLAUDE_IS),
    ("Claude Code, in JetBrains", {**JETBRAINS, **CLAUDE}, CLAUDE_IS),
    ("Claude Code, in tmux over ssh", {**SSH, **TMUX, **CLAUDE}, CLAUDE_IS),
    ("Claude Code, in an action", {**GITHUB, **CLAUDE}, CLAUDE_IS),
    ("Claude Code, a hook of its own", CLAUDE_HOOK, CLAUDE_IS),
    ("Claude Cowork", COWORK, CLAUDE_IS),
    ("Claude Code, by AI_AGENT alone", {"AI_AGENT": "claude-code_2-1-197_agent"}, CLAUDE_IS),
    ("Codex", CODEX, CODEX_IS),
    ("Codex, sandboxed", CODEX_SANDBOXED, CODEX_IS),
    ("Codex, on a Mac", CODEX_MAC, CODEX_IS),
    ("Codex, in VS Code", {**VSCODE, **CODEX}, CODEX_IS),
    ("Codex, in Zed", {**ZED, **CODEX}, CODEX_IS),
    ("Codex, its CI marker alone", {"CODEX_CI": "1"}, CODEX_IS),
    ("Gemini CLI", GEMINI, GEMINI_IS),
    ("Gemini CLI, in VS Code", {**VSCODE, **GEMINI, "GEMINI_CLI_IDE_SERVER_PORT": "4000"}, GEMINI_IS),
    ("Antigravity", {**VSCODE, "ANTIGRAVITY_AGENT": "1"}, {"antigravity": G}),
    ("Jules", {"HOME": "/home/jules", "USER": "swebot"}, {"jules": G}),
    ("Copilot CLI", COPILOT_CLI, {"copilot-cli": None}),
    ("Copilot CLI, with a model of the user's", {**COPILOT_CLI, "COPILOT_MODEL": "gpt-5.5"}, {"copilot-cli": None}),
    ("Copilot in VS Code", COPILOT_VSCODE, {"copilot": None}),
    (
        "Copilot in VS Code, by AI_AGENT alone",
        {**VSCODE, "AI_AGENT": "github_copilot_vscode_agent"},
        {"copilot": None},
    ),
    ("Copilot in the cloud", {**GITHUB, "AI_AGENT": "github_copilot_cloud_agent"}, {"copilot": None}),
    ("opencode", OPENCODE, {"opencode": None}),
    ("opencode's desktop", {**OPENCODE, "OPENCODE_CLIENT": "desktop", "OPENCODE_TERMINAL": "1"}, {"opencode": None}),
    ("Cursor's agent", CURSOR_AGENT, {"cursor": None}),
    ("Cursor's agent, older", {**CURSOR_IDE, "PAGER": "head -n 10000 | cat"}, {"cursor": None}),
    ("Cursor's CLI", {"CURSOR_AGENT": "1", "CURSOR_CLI": "1"}, {"cursor": None}),
    ("Cursor, its agent's host", {"CURSOR_EXTENSION_HOST_ROLE": "agent-exec"}, {"cursor": None}),
    ("Augment", {"AUGMENT_AGENT": "1"}, {"augment": None}),
    ("Amp", AMP, {"amp": None}),
    ("Amp, by AGENT alone", {"AGENT": "amp"}, {"amp": None}),
    ("Crush", CRUSH, {"crush": None}),
    ("Goose", GOOSE, {"goose": None}),
    ("Goose, with its settings", {**GOOSE, "GOOSE_PROVIDER": "anthropic", "GOOSE_MODEL": "x"}, {"goose": None}),
    ("Junie", {"JUNIE_SHIM_PATH": "/home/ada/.local/bin/junie", "JUNIE_DATA": "/home/ada/.junie"}, {"junie": None}),
    ("Qwen Code", QWEN, {"qwen-code": None}),
    ("Pi", {"PI_CODING_AGENT": "true", "PATH": "/home/ada/.pi/agent/bin:/usr/bin"}, {"pi": None}),
    ("Cline", CLINE, {"cline": None}),
    ("Replit's assistant", {**REPLIT, "REPLIT_MODE": "assistant"}, {"replit": None}),
    ("an agent under pre-commit", {**CLAUDE, **PRE_COMMIT}, CLAUDE_IS),
    # one inside of another
    ("Codex in Claude Code", {**CLAUDE, **CODEX}, CLAUDE_IS | CODEX_IS),
    ("Codex, sandboxed, in Claude Code", {**CLAUDE, **CODEX_SANDBOXED}, CLAUDE_IS | CODEX_IS),
    ("Claude Code in Codex", {**CODEX, **CLAUDE}, CLAUDE_IS | CODEX_IS),
    ("Gemini CLI in Claude Code", {**CLAUDE, **GEMINI}, CLAUDE_IS | GEMINI_IS),
    ("opencode in Claude Code", {**CLAUDE, **OPENCODE}, CLAUDE_IS | {"opencode": None}),
    ("opencode in Copilot in VS Code", {**COPILOT_VSCODE, **OPENCODE}, {"copilot": None, "opencode": None}),
    ("Codex in Copilot in VS Code", {**COPILOT_VSCODE, **CODEX}, {"copilot": None} | CODEX_IS),
    ("Claude Code in Cursor's agent", {**CURSOR_AGENT, **CLAUDE}, {"cursor": None} | CLAUDE_IS),
    ("Copilot CLI in Claude Code", {**CLAUDE, **COPILOT_CLI}, CLAUDE_IS | {"copilot-cli": None}),
    ("Crush in Claude Code", {**CLAUDE, **CRUSH}, CLAUDE_IS | {"crush": None}),
    ("Goose in Codex", {**CODEX, **GOOSE}, CODEX_IS | {"goose": None}),
    ("Amp in Gemini CLI", {**GEMINI, **AMP}, GEMINI_IS | {"amp": None}),
    ("Claude Code in Cline", {**CLINE, **CLAUDE}, CLAUDE_IS | {"cline": None}),
    (
        "Gemini CLI in Codex in Claude Code",
        {**CLAUDE, **CODEX, **GEMINI},
        CLAUDE_IS | CODEX_IS | GEMINI_IS,
    ),
    ("a Claude Code hook inside of Codex", {**CODEX, **CLAUDE_HOOK}, CODEX_IS | CLAUDE_IS),
    # AI_AGENT
    ("AI_AGENT, a version behind @", {"AI_AGENT": "claude-code@2.1.0"}, CLAUDE_IS),
    ("AI_AGENT, the vendor's short name", {"AI_AGENT": "claude"}, CLAUDE_IS),
    ("AI_AGENT, capitals", {"AI_AGENT": "Claude_Code"}, CLAUDE_IS),
    ("AI_AGENT, cowork", {"AI_AGENT": "cowork"}, CLAUDE_IS),
    ("AI_AGENT, codex with a version", {"AI_AGENT": "codex_0-169-0_agent"}, CODEX_IS),
    ("AI_AGENT, gemini", {"AI_AGENT": "gemini"}, GEMINI_IS),
    ("AI_AGENT, antigravity", {"AI_AGENT": "antigravity"}, {"antigravity": G}),
    ("AI_AGENT, Copilot CLI", {"AI_AGENT": "github-copilot-cli"}, {"copilot-cli": None}),
    ("AI_AGENT, Copilot", {"AI_AGENT": "github-copilot"}, {"copilot": None}),
    ("AI_AGENT, Cursor's CLI and its own marker", {"AI_AGENT": "cursor-cli", "CURSOR_AGENT": "1"}, {"cursor": None}),
    ("AI_AGENT, augment-cli and its marker", {"AI_AGENT": "augment-cli", "AUGMENT_AGENT": "1"}, {"augment": None}),
    ("AI_AGENT, pi and its marker", {"AI_AGENT": "pi", "PI_CODING_AGENT": "true"}, {"pi": None}),
    ("AI_AGENT, v0", {"AI_AGENT": "v0"}, {"v0": None}),
    ("AI_AGENT, devin", {"AI_AGENT": "devin@1"}, {"devin": None}),
    ("AI_AGENT, name and agent", {"AI_AGENT": "kiro_agent"}, {"kiro": None}),
    ("AI_AGENT, name, version, agent", {"AI_AGENT": "devin_2026_agent"}, {"devin": None}),
    ("AI_AGENT, a stranger", {"AI_AGENT": "custom-agent@2.0"}, {"custom-agent": None}),
    ("AI_AGENT, a stranger in words", {"AI_AGENT": "my-internal-bot v2"}, {"my-internal-bot": None}),
    ("AI_AGENT, no vendor's by its beginning", {"AI_AGENT": "claudette"}, {"claudette": None}),
    ("AI_AGENT, no vendor's by its beginning (2)", {"AI_AGENT": "codexium@1"}, {"codexium": None}),
    ("AI_AGENT, no vendor's by its beginning (3)", {"AI_AGENT": "geminid"}, {"geminid": None}),
    ("AI_AGENT, no agent's by its beginning", {"AI_AGENT": "cursory"}, {"cursory": None}),
    ("AI_AGENT, only a yes", {"AI_AGENT": "1"}, {UNNAMED: None}),
    ("AI_AGENT, only a truth", {"AI_AGENT": "true"}, {UNNAMED: None}),
    ("AI_AGENT, an agent that calls itself human", {"AI_AGENT": "human"}, {UNNAMED: None}),
    ("AI_AGENT, that in capitals", {"AI_AGENT": " Human@1 "}, {UNNAMED: None}),
    ("AI_AGENT, no name at all", {"AI_AGENT": "@2.0"}, {UNNAMED: None}),
    ("AI_AGENT, nothing but a version", {"AI_AGENT": "_2_agent"}, {UNNAMED: None}),
    ("AI_AGENT, other letters", {"AI_AGENT": "агент@1"}, {"агент": None}),
    ("AI_AGENT beside another's marker", {"AI_AGENT": "warp", "CLAUDECODE": "1"}, {"warp": None} | CLAUDE_IS),
    ("AI_AGENT of the outer, marker of the inner", {**CODEX, "AI_AGENT": "claude-code"}, CLAUDE_IS | CODEX_IS),
]

PEOPLE: list[tuple[str, Environment]] = [
    ("a plain shell", {}),
    ("a plain shell, under git's hook", GIT_HOOK),
    ("a plain shell, under pre-commit", PRE_COMMIT),
    ("over ssh", SSH),
    ("in tmux", TMUX),
    ("in tmux over ssh", {**SSH, **TMUX}),
    ("in screen", {"TERM": "screen.xterm-256color", "STY": "1.pts-0", "WINDOW": "0"}),
    ("in VS Code", VSCODE),
    ("in VS Code, with Copilot's settings", {**VSCODE, "COPILOT_MODEL": "gpt-5.5", "COPILOT_ALLOW_ALL": "1"}),
    ("in VS Code, without a pager", {**VSCODE, "GIT_PAGER": "cat", "PAGER": "cat"}),
    (
        "in VS Code, with Claude Code's extension",
        {**VSCODE, "CLAUDE_CODE_SSE_PORT": "51234", "ENABLE_IDE_INTEGRATION": "true"},
    ),
    (
        "in VS Code, with Gemini's companion",
        {**VSCODE, "GEMINI_CLI_IDE_SERVER_PORT": "4000", "GEMINI_CLI_IDE_WORKSPACE_PATH": "/w"},
    ),
    ("in Cursor", CURSOR_IDE),
    ("in Cursor, without a pager", {**CURSOR_IDE, "PAGER": "cat", "GIT_PAGER": "cat"}),
    ("in Cursor, its host for people", {**CURSOR_IDE, "CURSOR_EXTENSION_HOST_ROLE": "user"}),
    ("in Windsurf", WINDSURF),
    ("in Zed", ZED),
    ("in Zed, without a pager", {**ZED, "PAGER": "cat", "GIT_PAGER": "cat"}),
    ("in Kiro", KIRO),
    ("in JetBrains", JETBRAINS),
    ("in Replit", REPLIT),
    ("in Warp", {"TERM_PROGRAM": "WarpTerminal", "WARP_IS_LOCAL_SHELL_SESSION": "1"}),
    ("in iTerm", {"TERM_PROGRAM": "iTerm.app", "ITERM_SESSION_ID": "w0t0p0"}),
    ("in Terminal.app", {"TERM_PROGRAM": "Apple_Terminal", "TERM_SESSION_ID": "x"}),
    ("in Emacs", {"INSIDE_EMACS": "30.1,comint", "PAGER": "cat", "GIT_PAGER": "cat", "TERM": "dumb"}),
    ("in GitHub's CI", GITHUB),
    ("in Azure's CI, whose runners are agents", AZURE),
    ("in GitLab's CI", {"CI": "true", "GITLAB_CI": "true", "CI_JOB_ID": "7"}),
    ("in Jenkins", {"JENKINS_URL": "https://ci", "BUILD_ID": "7", "AGENT_WORKDIR": "/w"}),
    ("keys of all vendors", KEYS),
    ("settings of Codex", {"CODEX_HOME": "/home/ada/.codex", "CODEX_API_KEY": "x", "CODEX_PROFILE": "work"}),
    (
        "settings of Claude Code",
        {"CLAUDE_CONFIG_DIR": "/home/ada/.claude", "ANTHROPIC_MODEL": "opus", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9"},
    ),
    (
        "settings of Gemini CLI",
        {"GEMINI_MODEL": "gemini-3.1-pro", "GEMINI_SANDBOX": "docker", "GEMINI_CLI_HOME": "/x"},
    ),
    ("settings of Goose", {"GOOSE_PROVIDER": "anthropic", "GOOSE_MODEL": "claude-opus-4-8"}),
    (
        "settings of Copilot",
        {"COPILOT_MODEL": "x", "COPILOT_GITHUB_TOKEN": "x", "COPILOT_ALLOW_ALL": "1", "COPILOT_HOME": "/x"},
    ),
    ("settings of Aider", {"AIDER_MODEL": "gpt-5.5", "AIDER_API_KEY": "x"}),
    ("settings of opencode", {"OPENCODE_CONFIG": "/x", "OPENCODE_CLIENT": "cli", "OPENCODE_BIN_PATH": "/x"}),
    ("settings of Junie", {"JUNIE_DATA": "/home/ada/.local/share/junie"}),
    ("settings of Pi", {"PI_CODING_AGENT_DIR": "/home/ada/.pi/agent", "PATH": "/home/ada/.pi/agent/bin:/usr/bin"}),
    ("settings of Qwen Code", {"QWEN_CODE": "/home/ada/src/qwen-code", "QWEN_MODEL": "x"}),
    ("an installed Crush", {"CRUSH": "/opt/crush", "CRUSH_GLOBAL_CONFIG": "/x"}),
    ("AGENT, that opencode and others set to 1", {"AGENT": "1"}),
    ("AGENT, an ssh agent's name", {"AGENT": "gpg-agent", "SSH_AUTH_SOCK": "/run/x"}),
    ("AGENT, a name that only begins so", {"AGENT": "amplifier"}),
    ("a person called Devin", {"HOME": "/home/devin", "USER": "devin", "EDITOR": "/home/devin/bin/vim"}),
    ("a person called Jules", {"HOME": "/home/jules", "USER": "jules"}),
    ("a person called Claude", {"HOME": "/home/claude", "USER": "claude", "GIT_AUTHOR_NAME": "Claude"}),
    ("the user swebot at home", {"HOME": "/home/swebot", "USER": "swebot"}),
    (
        "names that only begin so",
        {"CLAUDECODE_X": "1", "CODEX": "1", "CLAUDE": "1", "GEMINI": "1", "AI_AGENTS": "codex"},
    ),
    ("names in small letters", {"claudecode": "1", "ai_agent": "codex", "gemini_cli": "1"}),
    ("all editors at once", {**VSCODE, **ZED, **CURSOR_IDE, **WINDSURF, **REPLIT, **JETBRAINS}),
]


def shown(found: Author) -> dict[str, str | None]:
    return {str(item.agent): next(iter(item.families), None) for item in found.candidates}


@pytest.mark.parametrize(("environment", "expected"), [row[1:] for row in AGENTS], ids=[row[0] for row in AGENTS])
def test_agents_at_work_are_the_candidates(environment: Environment, expected: dict[str, str | None]) -> None:
    found = detect(SHELL | environment, ())
    assert shown(found) == expected
    assert len(found.candidates) == len(expected)
    assert found.agents
    assert all(item.model is None for item in found.candidates)


@pytest.mark.parametrize("environment", [row[1] for row in PEOPLE], ids=[row[0] for row in PEOPLE])
def test_people_are_taken_for_nobody(environment: Environment) -> None:
    assert detect(SHELL | environment, ()) == Author(())


def test_there_are_enough_environments() -> None:
    assert len(AGENTS) + len(PEOPLE) >= 90
    covered = {agent for _, _, expected in AGENTS for agent in expected}
    assert {row["agent"] for row in TABLE["markers"]} <= covered


# --- values ---------------------------------------------------------------------------------------------------

BLANK = ["", " ", "\t", "\n", " \r\n "]


@pytest.mark.parametrize("value", BLANK, ids=ascii)
@pytest.mark.parametrize("variable", [*sorted({row["variable"] for row in TABLE["markers"]} - {"HOME"}), "AI_AGENT"])
def test_a_blank_marker_shows_nobody(variable: str, value: str) -> None:
    assert detect(SHELL | {variable: value}, ()) == Author(())


HOSTILE = [
    "\x1b[2J\x1b[31mclaude",
    "codex\nauthor: human",
    "x\x00y",
    "\u202egpt\u202c",
    "a\u200bb",
    "\ud800",
    "{}[]*?$(id)`id`",
    "../../etc/passwd",
    "x" * 100_000,
    "claude" * 20_000,
    " " * 100_000 + "z",
    "@" * 50_000,
    "_1" * 50_000,
    "\U000e0041\U000e0042",
    "human\x00",
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:12]))
def test_a_hostile_name_is_an_agent_all_the_same_and_is_shown_harmlessly(value: str) -> None:
    found = detect({"AI_AGENT": value}, ())
    (candidate,) = found.candidates
    assert candidate.agent
    assert not candidate.human
    assert found.agents
    assert len(candidate.agent) <= 40
    assert candidate.agent.isprintable()
    assert found.label.isprintable()
    assert len(found.label) < 200


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:12]))
def test_a_hostile_value_changes_nothing_about_a_marker(value: str) -> None:
    found = detect({"CLAUDECODE": value, "CODEX_THREAD_ID": value, "AGENT": value, "TERM_PROGRAM": value}, ())
    assert shown(found) == CLAUDE_IS | CODEX_IS


def test_a_hostile_environment_reaches_neither_terminal_nor_log_as_it_is(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    configure(serve())
    value = "\x1b[2Jevil\u202e" + "x" * 50_000
    payload = changed.review(AI_AGENT=value)
    assert payload["outcome"] == "approve"
    assert payload["author"]["agent"] == UNNAMED
    result = changed.call("review", "--no-cache", AI_AGENT=value)
    assert "\x1b[2J" not in result.text
    assert "\u202e" not in result.text
    assert "x" * 100 not in result.text


def test_a_person_in_an_editor_is_told_what_people_are_told(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    configure(serve())
    payload = changed.review(**VSCODE, GIT_PAGER="cat", CURSOR_TRACE_ID="x", REPL_ID="x")
    assert payload["author"] == {"agent": None, "model": None, "family": None, "source": None}


# --- the table itself -----------------------------------------------------------------------------------------

LISTS = ["markers", "weak", "named", "sandboxes", "transcripts", "addresses"]
ROWS: list[dict[str, Any]] = [row for name in LISTS for row in TABLE[name]] + TABLE["trailers"]["fixed"]


def name_of(row: dict[str, Any]) -> str:
    return "-".join(str(row.get(key)) for key in ("agent", "variable", "prefix", "key") if key in row)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_every_row_says_where_it_was_read(row: dict[str, Any]) -> None:
    assert len(row["source"].strip()) > 5


@pytest.mark.parametrize("row", [row for row in ROWS if "agent" in row], ids=name_of)
def test_an_agent_has_one_family_or_none_and_a_plain_name(row: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]*", row["agent"])
    assert row["agent"] not in {HUMAN, UNNAMED}
    assert row.get("family", A) in FAMILIES
    told = {other.get("family") for other in ROWS if other.get("agent") == row["agent"]} - {None}
    assert len(told) <= 1


def test_only_agents_of_one_vendor_have_a_family() -> None:
    told = {row["agent"]: row["family"] for row in ROWS if "family" in row}
    assert told == {"claude-code": A, "codex": O, "gemini-cli": G, "antigravity": G, "jules": G}


def sample(row: dict[str, Any]) -> Environment:
    """An environment that has this row's sign and nothing else."""
    values = {row["variable"]: row.get("value", "1"), **row.get("also", {})}
    fixed = {
        "(?i)vscode|zed|kiro|windsurf|cursor": "Kiro",
        r".*\bdevin\b.*": "/opt/devin/bin/edit",
        r".*\.pi[\\/]agent.*": "/home/ada/.pi/agent/bin:/usr/bin",
        r"head -n 10000 \| cat": "head -n 10000 | cat",
    }
    return {name: fixed.get(value, value) for name, value in values.items()}


@pytest.mark.parametrize("row", TABLE["markers"], ids=name_of)
def test_every_marker_alone_shows_its_agent(row: dict[str, Any]) -> None:
    assert [item.agent for item in detect(sample(row), ()).candidates] == [row["agent"]]
    assert shown(detect(sample(row), ()))[row["agent"]] == {
        "claude-code": A,
        "codex": O,
        "gemini-cli": G,
        "antigravity": G,
        "jules": G,
    }.get(row["agent"])


@pytest.mark.parametrize("row", [row for row in TABLE["markers"] if "also" in row], ids=name_of)
def test_half_of_a_marker_shows_nobody(row: dict[str, Any]) -> None:
    whole = sample(row)
    for name in whole:
        assert not detect({key: value for key, value in whole.items() if key != name}, ()).candidates


@pytest.mark.parametrize("row", TABLE["weak"], ids=name_of)
def test_every_weak_sign_alone_shows_nobody_and_is_told(row: dict[str, Any]) -> None:
    assert detect(sample(row), ()) == Author(())
    assert (row["variable"], row["says"]) in author.weak_signs(sample(row))


def test_all_weak_signs_together_show_nobody() -> None:
    together = {name: value for row in TABLE["weak"] for name, value in sample(row).items()}
    assert detect(together, ()) == Author(())
    assert len(author.weak_signs(together)) >= len({row["variable"] for row in TABLE["weak"]})


def test_no_weak_sign_without_its_sign() -> None:
    assert author.weak_signs(SHELL) == ()
    assert author.weak_signs({row["variable"]: "  " for row in TABLE["weak"]}) == ()


@pytest.mark.parametrize("row", TABLE["named"], ids=name_of)
def test_a_prefix_is_not_shadowed_by_one_above_it(row: dict[str, Any]) -> None:
    assert row["prefix"] == row["prefix"].lower()
    for form in ("{}", "{}@1.0", "{}_2-1_agent", "{} 3"):
        assert [item.agent for item in detect({"AI_AGENT": form.format(row["prefix"])}, ()).candidates] == [
            row["agent"]
        ]


@pytest.mark.parametrize("row", TABLE["named"], ids=name_of)
def test_a_prefix_ends_where_no_letter_follows(row: dict[str, Any]) -> None:
    (candidate,) = detect({"AI_AGENT": f"{row['prefix']}ist"}, ()).candidates
    assert candidate.agent != row["agent"]
    assert candidate.families == frozenset()


def test_aliases_lead_to_agents_that_are_known() -> None:
    assert set(TABLE["trailers"]["aliases"].values()) <= author.agents()
    assert not set(TABLE["trailers"]["aliases"]) & author.agents()


def test_addresses_belong_to_one_agent_and_are_written_as_they_are_compared() -> None:
    seen: dict[str, str] = {}
    for row in TABLE["addresses"]:
        for address in [*row.get("mails", ()), *row.get("logins", ())]:
            assert address == address.lower().strip()
            assert seen.setdefault(address, row["agent"]) == row["agent"]
        assert row.get("mails") or row.get("logins")


# --- laws -----------------------------------------------------------------------------------------------------

SIGNS = {
    "CLAUDECODE": ["1"],
    "CLAUDE_CODE_CHILD_SESSION": ["1"],
    "CODEX_THREAD_ID": ["019a"],
    "CODEX_CI": ["1"],
    "GEMINI_CLI": ["1"],
    "ANTIGRAVITY_AGENT": ["1"],
    "COPILOT_CLI": ["1"],
    "COPILOT_AGENT": ["1"],
    "OPENCODE": ["1"],
    "CURSOR_AGENT": ["1"],
    "CURSOR_TRACE_ID": ["x"],
    "PAGER": ["cat", "less", "head -n 10000 | cat"],
    "GIT_PAGER": ["cat"],
    "TERM_PROGRAM": ["vscode", "zed", "kiro", "tmux"],
    "AGENT": ["1", "amp", "crush", "goose", "x"],
    "AI_AGENT": ["claude-code", "github_copilot_vscode_agent", "warp", "human", "", "\x1b", "codex@1"],
    "REPL_ID": ["x"],
    "REPLIT_MODE": ["assistant", "workspace"],
    "HOME": ["/home/jules", "/home/ada"],
    "USER": ["swebot", "ada"],
    "AUGMENT_AGENT": ["1", ""],
    "CLINE_ACTIVE": ["true"],
    "QWEN_CODE": ["1", "/opt"],
    "GOOSE_PROVIDER": ["openai"],
    "COPILOT_MODEL": ["gpt-5.5"],
    "TWOAGENT_AUTHOR": ["human"],
}
environments = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in SIGNS.items()})


@unhurried
@given(environments, st.sets(st.sampled_from(sorted(SIGNS))))
def test_more_variables_never_take_a_candidate_away(environment: Environment, names: set[str]) -> None:
    fewer = {name: value for name, value in environment.items() if name not in names}
    assert set(shown(detect(fewer, ()))) <= set(shown(detect(environment, ())))


@unhurried
@given(environments)
def test_what_an_environment_shows_does_not_hang_on_its_order(environment: Environment) -> None:
    backwards = dict(reversed(environment.items()))
    assert detect(backwards, ()) == detect(environment, ())


@unhurried
@given(environments)
def test_each_agent_is_one_candidate_and_nobody_is_human_by_a_variable(environment: Environment) -> None:
    found = detect(environment, ()).candidates
    assert len({item.agent for item in found}) == len(found)
    assert all(item.agent and not item.human and item.model is None for item in found)


MODELS = [
    "",
    "claude-opus-4-8",
    "gpt-5.5",
    "glm-4.6",
    "gemini-3.1-pro",
    "smart",
    "default",
    "deepseek-r1-distill-llama-70b",
]
WHO = [None, "claude-code", "codex", "copilot", "copilot-cli", "opencode", "gemini-cli", "somebody"]
claims = st.builds(
    Claim,
    st.sampled_from([*MODELS, "human", "claude", "Claude Code", "codex"]) | st.text(max_size=12),
    st.sampled_from(["--author", "its transcript", "Co-authored-by"]),
    st.sampled_from(WHO),
    st.booleans(),
)


@unhurried
@given(environments, st.lists(claims, max_size=5), st.lists(claims, max_size=3))
def test_a_claim_removes_neither_an_agent_nor_a_vendor(
    environment: Environment, some: list[Claim], more: list[Claim]
) -> None:
    alone, fewer, found = (detect(environment, given) for given in ([], some, [*some, *more]))
    for less in (alone, fewer):
        assert {item.agent for item in less.candidates} <= {item.agent for item in found.candidates}
        for item in less.candidates:
            kin = [other for other in found.candidates if other.agent == item.agent]
            assert item.families <= frozenset().union(*(other.families for other in kin))


@unhurried
@given(environments, st.lists(claims, max_size=5))
def test_every_model_that_is_claimed_and_tells_its_vendor_is_a_candidates(
    environment: Environment, given_claims: list[Claim]
) -> None:
    from twoagent_hook import models

    found = {item.model for item in detect(environment, given_claims).candidates}
    wanted = {
        claim.text.strip()
        for claim in given_claims
        if claim.text in MODELS and models.families(claim.text) and models.specific(claim.text)
    }
    assert wanted <= found
