"""Which models the running session used: only from its own transcript, only where asked to, and nothing else of it."""

import json
import os
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook import author, transcripts
from twoagent_hook.author import Claim

SESSION = "0b6f2a0e-65a2-4be8-a2b7-7d3a3f6f7f10"
THREAD = "019a3c1d-7f0e-7a11-9c55-0a4f5b8d2e77"
SECRET = "the-secret-of-the-conversation-93417"
MEGABYTE = 1 << 20


# --- transcripts, in the forms that the agents write ----------------------------------------------------------


def said(model: Any, **fields: Any) -> dict[str, Any]:
    """A line of Claude Code's, as 2.1.197 writes them."""
    return {
        "parentUuid": "b0c1",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/ada/work",
        "sessionId": SESSION,
        "version": "2.1.197",
        "type": "assistant",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": SECRET}],
            "usage": {"input_tokens": 4, "output_tokens": 9},
        },
        "timestamp": "2026-11-20T10:00:00.000Z",
    } | fields


def asked(text: str = SECRET) -> dict[str, Any]:
    return {"type": "user", "sessionId": SESSION, "message": {"role": "user", "content": text}}


def turn(model: Any, **payload: Any) -> dict[str, Any]:
    """A line of Codex', as 0.169.0 writes them."""
    return {
        "timestamp": "2026-11-20T10:00:00.000Z",
        "type": "turn_context",
        "payload": {"cwd": "/home/ada/work", "approval_policy": "never", "model": model, "effort": "high"} | payload,
    }


META = {"type": "session_meta", "payload": {"id": THREAD, "model_provider": "openai", "instructions": SECRET}}


def answered(model: Any) -> dict[str, Any]:
    """A line of Copilot CLI's, as 1.0.102 writes them."""
    return {"type": "assistant.message", "id": "x", "data": {"messageId": "y", "content": SECRET, "model": model}}


def lines(*entries: Any) -> bytes:
    return b"".join((entry if isinstance(entry, bytes) else json.dumps(entry).encode()) + b"\n" for entry in entries)


def put(path: Path, *entries: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines(*entries))
    return path


@pytest.fixture
def home(clean_environment: dict[str, str]) -> Path:
    return Path(clean_environment["HOME"])


def claude(home: Path, *entries: Any, session: str = SESSION, project: str = "-home-ada-work") -> Path:
    return put(home / ".claude" / "projects" / project / f"{session}.jsonl", *entries)


def subagent(home: Path, *entries: Any, name: str = "agent-1") -> Path:
    return put(home / f".claude/projects/-home-ada-work/{SESSION}/subagents/{name}.jsonl", *entries)


def codex(home: Path, *entries: Any, thread: str = THREAD) -> Path:
    folder = home / ".codex" / "sessions" / "2026" / "11" / "20"
    return put(folder / f"rollout-2026-11-20T10-00-00-{thread}.jsonl", *entries)


def copilot(home: Path, *entries: Any, session: str = SESSION) -> Path:
    return put(home / ".copilot" / "session-state" / session / "events.jsonl", *entries)


def found(home: Path, **variables: str) -> list[str]:
    given = {"HOME": str(home), "CLAUDE_CODE_SESSION_ID": SESSION} | variables
    return [claim.text for claim in transcripts.claims(given)]


# --- what they say --------------------------------------------------------------------------------------------


def test_claude_codes_model_is_that_of_its_answers(home: Path) -> None:
    claude(home, asked(), said("claude-opus-4-7"), asked(), {"type": "summary", "summary": SECRET})
    given = {"HOME": str(home), "CLAUDE_CODE_SESSION_ID": SESSION}
    assert transcripts.claims(given) == (Claim("claude-opus-4-7", "its transcript", "claude-code", running=True),)


def test_codexs_model_is_that_of_its_turns(home: Path) -> None:
    codex(home, META, turn("gpt-5.5-codex"), {"type": "response_item", "payload": {"model": "no", "text": SECRET}})
    given = {"HOME": str(home), "CODEX_THREAD_ID": THREAD}
    assert transcripts.claims(given) == (Claim("gpt-5.5-codex", "its transcript", "codex", running=True),)


def test_copilots_model_is_that_of_its_answers(home: Path) -> None:
    copilot(home, {"type": "session.start", "data": {"model": "no"}}, answered("claude-sonnet-4.6"))
    given = {"HOME": str(home), "COPILOT_AGENT_SESSION_ID": SESSION}
    assert transcripts.claims(given) == (Claim("claude-sonnet-4.6", "its transcript", "copilot-cli", running=True),)


def test_all_sessions_that_the_environment_names_are_read(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    codex(home, turn("gpt-5.5"))
    copilot(home, answered("gemini-3.1-pro"))
    models = found(home, CODEX_THREAD_ID=THREAD, COPILOT_AGENT_SESSION_ID=SESSION)
    assert models == ["claude-opus-4-7", "gpt-5.5", "gemini-3.1-pro"]


def test_several_models_of_one_session_are_all_told_the_latest_first(home: Path) -> None:
    claude(home, said("claude-haiku-4-5"), said("claude-opus-4-7"), said("claude-opus-4-7"), said("claude-sonnet-4-6"))
    assert found(home) == ["claude-sonnet-4-6", "claude-opus-4-7", "claude-haiku-4-5"]


def test_what_a_subagent_wrote_in_the_sessions_own_file_counts(home: Path) -> None:
    claude(home, said("claude-opus-4-7"), said("claude-haiku-4-5", isSidechain=True, agentId="a1"))
    assert set(found(home)) == {"claude-opus-4-7", "claude-haiku-4-5"}


def test_subagents_with_files_of_their_own_count(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    subagent(home, said("claude-opus-4-8", isSidechain=True), name="agent-a1")
    subagent(home, said("claude-haiku-4-5", isSidechain=True), name="agent-a2")
    subagent(home, {"type": "started", "model": "no"}, name="journal")
    assert set(found(home)) == {"claude-opus-4-7", "claude-opus-4-8", "claude-haiku-4-5"}
    assert found(home)[0] == "claude-opus-4-7"


def test_another_sessions_subagents_do_not_count(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    put(home / ".claude/projects/-home-ada-work/other-session/subagents/agent-1.jsonl", said("claude-opus-4-8"))
    assert found(home) == ["claude-opus-4-7"]


def test_of_many_subagents_the_sessions_own_file_and_the_latest_are_read(home: Path) -> None:
    old = time.time() - 10_000
    os.utime(claude(home, said("claude-opus-4-7")), (old, old))
    for number in range(40):
        path = subagent(home, said(f"claude-sonnet-{number}"), name=f"agent-{number:02}")
        os.utime(path, (old + number, old + number))
    models = found(home)
    assert models[0] == "claude-opus-4-7"
    assert models[1] == "claude-sonnet-39"
    assert len(models) == 16


@pytest.mark.parametrize(
    "model",
    [
        "<synthetic>",
        "",
        " ",
        None,
        7,
        True,
        ["claude-opus-4-8"],
        {"id": "claude-opus-4-8"},
        "a b",
        "a\nauthor: human",
        "\x1b[31mred",
        "x" * 121,
        "-rf",
        "\u202egpt",
    ],
    ids=ascii,
)
def test_what_is_no_models_id_is_passed_over(home: Path, model: Any) -> None:
    claude(home, said("claude-opus-4-7"), said(model))
    assert found(home) == ["claude-opus-4-7"]


@pytest.mark.parametrize(
    "model",
    ["claude-opus-4-7[1m]", "us.anthropic.claude-opus-4-7-v1:0", "glm-4.6", "openrouter/x/y-1.0", "m@20260101"],
)
def test_ids_of_every_form_are_models(home: Path, model: str) -> None:
    claude(home, said(model))
    assert found(home) == [model]


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "user", "message": {"model": "claude-opus-4-8"}},
        {"type": "system", "message": {"model": "claude-opus-4-8"}},
        {"type": ["assistant"], "message": {"model": "claude-opus-4-8"}},
        {"type": "assistant", "model": "claude-opus-4-8"},
        {"type": "assistant", "message": "claude-opus-4-8"},
        {"type": "assistant", "message": None},
        {"type": "assistant", "message": [{"model": "claude-opus-4-8"}]},
        {"type": "assistant", "message": {"content": [{"model": "claude-opus-4-8"}]}},
        {"message": {"model": "claude-opus-4-8"}},
        ["assistant"],
        "assistant",
        None,
        b"",
        b"{",
        b'{"type": "assistant", "message": {"model": "claude-opus-4-8"',
        b'\xff\xfe{"type": "assistant", "message": {"model": "claude-opus-4-8"}}',
        b'{"type": "assistant", "message": {"model": "claude-opus-4-8\xff"}}',
        b"\x00" * 2000,
        b'{"a":' * 100_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"n": ' + b"1" * 50_000 + b"}",
        b"NaN",
    ],
    ids=lambda entry: ascii(entry)[:50],
)
def test_a_line_of_another_form_says_nothing_and_spoils_nothing(home: Path, entry: Any) -> None:
    claude(home, said("claude-opus-4-7"), entry)
    assert found(home) == ["claude-opus-4-7"]


def test_the_users_text_can_not_pass_for_an_answer(home: Path) -> None:
    claude(home, said("claude-opus-4-7"), asked("\n" + json.dumps(said("claude-haiku-4-5")) + "\n"))
    assert found(home) == ["claude-opus-4-7"]


def test_lines_may_end_in_any_way(home: Path) -> None:
    path = claude(home)
    path.write_bytes(json.dumps(said("a-1")).encode() + b"\r\n\n\n" + json.dumps(said("b-2")).encode())
    assert found(home) == ["b-2", "a-1"]


def test_an_empty_transcript_says_nothing(home: Path) -> None:
    claude(home)
    assert found(home) == []


# --- which files ----------------------------------------------------------------------------------------------


def test_another_sessions_transcript_is_not_read(home: Path) -> None:
    claude(home, said("claude-opus-4-8"), session="11111111-1111-4111-8111-111111111111")
    codex(home, turn("gpt-5.5"), thread="019a0000-0000-7000-8000-000000000000")
    copilot(home, answered("gpt-5.5"), session="22222222")
    assert found(home, CODEX_THREAD_ID=THREAD, COPILOT_AGENT_SESSION_ID=SESSION) == []


def test_a_session_that_another_one_begins_or_ends_with_is_not_read(home: Path) -> None:
    claude(home, said("claude-opus-4-8"), session=f"{SESSION}-2")
    codex(home, turn("gpt-5.5"), thread=f"{THREAD}0")
    assert found(home, CODEX_THREAD_ID=THREAD) == []


def test_one_agents_session_is_not_looked_for_among_anothers(home: Path) -> None:
    codex(home, turn("gpt-5.5"))
    copilot(home, answered("gpt-5.5"), session=THREAD)
    assert found(home, CLAUDE_CODE_SESSION_ID=THREAD) == []


def test_the_session_is_found_in_whichever_project_it_lies(home: Path) -> None:
    claude(home, said("claude-opus-4-7"), project="-elsewhere")
    claude(home, said("claude-sonnet-4-6"), project="-and-here")
    assert set(found(home)) == {"claude-opus-4-7", "claude-sonnet-4-6"}


@pytest.mark.parametrize(
    "session",
    [
        "",
        "   ",
        "*",
        "**",
        "?" * 36,
        "[0-9a-f]*-65a2",
        "../../x",
        "../-home-ada-work/" + SESSION,
        "..",
        "/etc/passwd",
        SESSION + "/../" + SESSION,
        SESSION + "\x00",
        SESSION + ".jsonl",
        SESSION + "\n" + SESSION,
        "~" + SESSION,
        "$HOME" + SESSION,
        "{session}",
        "-" + SESSION,
        "short",
        "x" * 65,
        "ä" * 36,
        "\ud800" * 36,
        "0" * 100_000,
    ],
    ids=lambda session: ascii(session[:30]),
)
@pytest.mark.parametrize("variable", ["CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID", "COPILOT_AGENT_SESSION_ID"])
def test_a_session_is_nothing_but_a_name(home: Path, session: str, variable: str) -> None:
    claude(home, said("claude-opus-4-8"))
    codex(home, turn("gpt-5.5"))
    copilot(home, answered("gpt-5.5"))
    put(home / ".claude" / "x.jsonl", said("claude-opus-4-8"))
    put(home / "x.jsonl", said("claude-opus-4-8"))
    assert transcripts.claims({"HOME": str(home), variable: session}) == ()


def test_blanks_around_a_session_are_no_part_of_it(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    assert found(home, CLAUDE_CODE_SESSION_ID=f" {SESSION}\n") == ["claude-opus-4-7"]


def test_the_agents_own_folder_may_be_elsewhere(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else[w]here*"
    put(elsewhere / "projects" / "-p" / f"{SESSION}.jsonl", said("claude-opus-4-7"))
    claude(home, said("claude-haiku-4-5"))
    assert found(home, CLAUDE_CONFIG_DIR=str(elsewhere)) == ["claude-opus-4-7"]
    assert found(home, CLAUDE_CONFIG_DIR=f"  {elsewhere}  ") == ["claude-opus-4-7"]
    assert found(home, CLAUDE_CONFIG_DIR="  ") == ["claude-haiku-4-5"]


def test_a_folder_with_glob_characters_is_only_itself(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "real" / "projects" / "-p" / f"{SESSION}.jsonl", said("claude-opus-4-7"))
    assert found(home, CLAUDE_CONFIG_DIR=str(tmp_path / "*")) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": ""},
        {"HOME": "."},
        {"HOME": "home"},
        {"CLAUDE_CONFIG_DIR": "home/.claude"},
        {"CLAUDE_CONFIG_DIR": ".."},
    ],
    ids=str,
)
def test_a_relative_folder_is_not_looked_into(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]
) -> None:
    claude(home, said("claude-opus-4-8"))
    monkeypatch.chdir(tmp_path)
    assert transcripts.claims({"CLAUDE_CODE_SESSION_ID": SESSION, "HOME": "", **variables}) == ()


@pytest.mark.parametrize(
    "folder",
    ["/nonexistent", "/dev/null", "/proc/self/mem", "/" + "x" * 5000, "/\udcff"],
    ids=lambda text: ascii(text[:20]),
)
def test_a_folder_that_is_none_says_nothing(home: Path, folder: str) -> None:
    assert found(home, CLAUDE_CONFIG_DIR=folder) == []


# --- files that are none --------------------------------------------------------------------------------------


def opened() -> int:
    return len(os.listdir("/dev/fd"))


def place(home: Path) -> Path:
    path = claude(home)
    path.unlink()
    return path


def test_a_fifo_does_not_hold_anybody_up(home: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    place(home).symlink_to(tmp_path / "fifo")
    before, started = opened(), time.monotonic()
    assert found(home) == []
    assert time.monotonic() - started < 2
    assert opened() == before


def test_a_folder_is_no_transcript_and_leaves_nothing_open(home: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    place(home).symlink_to(tmp_path / "folder")
    before = opened()
    for _ in range(20):
        assert found(home) == []
    assert opened() == before


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/tty", "/nonexistent", "/proc/self/environ"])
def test_what_is_no_file_of_lines_says_nothing(home: Path, target: str) -> None:
    place(home).symlink_to(target)
    assert found(home) == []


def test_a_link_to_itself_says_nothing(home: Path) -> None:
    path = place(home)
    path.symlink_to(path)
    assert found(home) == []


def test_a_socket_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    path = place(home)
    monkeypatch.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
        assert found(home) == []


def test_a_link_to_a_transcript_is_followed(home: Path, tmp_path: Path) -> None:
    place(home).symlink_to(put(tmp_path / "kept.jsonl", said("claude-opus-4-7")))
    assert found(home) == ["claude-opus-4-7"]


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError, IsADirectoryError, OSError])
def test_a_file_that_can_not_be_opened_says_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    def refuse(path: str, *rest: Any) -> int:
        raise error(13, "no")

    claude(home, said("claude-opus-4-7"))
    monkeypatch.setattr(transcripts.os, "open", refuse)
    assert found(home) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_rights_says_nothing(home: Path) -> None:
    claude(home, said("claude-opus-4-7")).chmod(0)
    assert found(home) == []


def test_one_that_can_not_be_read_spoils_no_other(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    codex(home).unlink()
    codex(home).unlink()
    path = home / ".codex/sessions/2026/11/20" / f"rollout-x-{THREAD}.jsonl"
    path.symlink_to("/dev/zero")
    assert found(home, CODEX_THREAD_ID=THREAD) == ["claude-opus-4-7"]


# --- bounds ---------------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read was asked for and gave."""
    sizes: list[int] = []
    real = os.pread

    def counted(number: int, size: int, offset: int) -> bytes:
        data = real(number, size, offset)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(transcripts.os, "pread", counted)
    return sizes


def test_of_fifty_megabytes_only_the_last_one_is_read(home: Path, read: list[int]) -> None:
    path = claude(home, said("claude-opus-4-8"))
    filler = lines(asked("x" * 65_000)) * 16
    with path.open("ab") as file:
        for _ in range(52):
            file.write(filler)
    assert path.stat().st_size > 50 * MEGABYTE
    most, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert found(home) == []
    assert time.monotonic() - started < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most < 20_000
    assert read == [MEGABYTE]
    with path.open("ab") as file:
        file.write(lines(said("claude-sonnet-4-6")))
    assert found(home) == ["claude-sonnet-4-6"]


def test_the_line_that_the_last_megabyte_begins_within_is_not_read_by_halves(home: Path) -> None:
    line = json.dumps(said("claude-opus-4-8"))
    path = claude(home)
    path.write_bytes(b"x" * 3000 + line.encode() + b"\n" + b" " * (MEGABYTE - len(line) - 1))
    assert path.stat().st_size == MEGABYTE + 3000
    assert found(home) == []


def test_one_line_of_many_megabytes_says_nothing(home: Path, read: list[int]) -> None:
    claude(home, said("claude-opus-4-8", padding="x" * 8 * MEGABYTE))
    assert found(home) == []
    assert read == [MEGABYTE]


def test_a_sparse_file_of_any_size_costs_no_more(home: Path, read: list[int]) -> None:
    with claude(home).open("wb") as file:
        file.truncate(1 << 40)
    started = time.monotonic()
    assert found(home) == []
    assert time.monotonic() - started < 3
    assert read == [MEGABYTE]


def test_many_files_of_one_session_cost_no_more_than_sixteen(home: Path, read: list[int]) -> None:
    for number in range(100):
        claude(home, said(f"claude-opus-{number}"), project=f"-p{number:03}")
    assert len(found(home)) == 16
    assert len(read) == 16


def test_many_models_are_told_up_to_a_bound(home: Path) -> None:
    claude(home, *(said(f"claude-opus-{number}") for number in range(1000)))
    assert found(home) == [f"claude-opus-{number}" for number in range(999, 967, -1)]


# --- joined with what the environment shows -------------------------------------------------------------------

CLAUDECODE = {"CLAUDECODE": "1", "AI_AGENT": "claude-code_2-1-197_agent"}


def detected(home: Path, **variables: str) -> list[tuple[str | None, str | None, frozenset[str]]]:
    given = {"HOME": str(home), "CLAUDE_CODE_SESSION_ID": SESSION, **CLAUDECODE, **variables}
    candidates = author.detect(given, transcripts.claims(given)).candidates
    return [(item.agent, item.model, item.families) for item in candidates]


def test_the_sessions_model_becomes_the_agents(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    assert detected(home) == [("claude-code", "claude-opus-4-7", frozenset({"anthropic"}))]


def test_another_vendors_model_in_the_agent_is_told_and_its_own_vendor_is_kept(home: Path) -> None:
    claude(home, said("glm-4.6"))
    assert detected(home) == [("claude-code", "glm-4.6", frozenset({"anthropic", "zhipu"}))]


@pytest.mark.parametrize("model", ["default", "smart-router", "auto", "latest"])
def test_a_name_that_tells_no_vendor_leaves_the_agents_model_unknown(home: Path, model: str) -> None:
    claude(home, said(model))
    assert detected(home) == [("claude-code", None, frozenset({"anthropic"}))]


def test_a_session_without_its_agents_marker_is_a_candidate_too(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    assert detected(home, CLAUDECODE="", AI_AGENT="") == [("claude-code", "claude-opus-4-7", frozenset({"anthropic"}))]


def test_each_of_two_sessions_gives_its_own_agent_a_model(home: Path) -> None:
    claude(home, said("claude-opus-4-7"))
    codex(home, turn("gpt-5.5"))
    assert detected(home, CODEX_THREAD_ID=THREAD) == [
        ("claude-code", "claude-opus-4-7", frozenset({"anthropic"})),
        ("codex", "gpt-5.5", frozenset({"openai"})),
    ]


# --- from end to end ------------------------------------------------------------------------------------------

IN_CLAUDE = {**CLAUDECODE, "CLAUDE_CODE_SESSION_ID": SESSION}


@pytest.fixture
def reviewed_by_opus(serve: Callable[..., Server], configure: Callable[..., Path]) -> Callable[..., Server]:
    def start(text: str = "author-from-transcript = true") -> Server:
        server = serve(approves(model="claude-opus-4-8"))
        configure(server, text, reviewer="loop:claude-opus-4-8")
        return server

    return start


def everything(repo: Repo) -> bytes:
    """All that the product has written in this repository."""
    folder = repo.root / ".git" / "twoagent-hook"
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_the_reviewer_differs_by_its_model_once_the_authors_is_known(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    server = reviewed_by_opus()
    claude(home, asked(), said("claude-opus-4-7"))
    payload = changed.review(**IN_CLAUDE)
    assert payload["outcome"] == "approve", payload
    assert payload["author"]["agent"] == "claude-code"
    assert payload["author"]["model"] == "claude-opus-4-7"
    assert payload["author"]["family"] == "anthropic"
    assert payload["author"]["source"] == "CLAUDECODE and its transcript"
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["", "author-from-transcript = false"])
def test_nothing_is_read_that_was_not_asked_for(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(transcripts, "claims", lambda variables: pytest.fail("it was read"))
    server = reviewed_by_opus(text)
    claude(home, said("claude-opus-4-7"))
    payload = changed.review(**IN_CLAUDE)
    assert payload["outcome"] == "refused", payload
    assert payload["author"]["model"] is None
    assert "author-from-transcript = true" in payload["problem"]["do"]
    assert server.requests == []


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-opus-4-8[1m]", "us.anthropic.claude-opus-4-8-v1:0"])
def test_the_same_model_is_refused(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server], model: str
) -> None:
    server = reviewed_by_opus()
    claude(home, said(model))
    payload = changed.review(**IN_CLAUDE)
    assert payload["outcome"] == "refused", payload
    assert server.requests == []


def test_the_same_model_in_a_subagent_is_refused(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    server = reviewed_by_opus()
    claude(home, said("claude-opus-4-7"))
    subagent(home, said("claude-opus-4-8", isSidechain=True))
    assert changed.review(**IN_CLAUDE)["outcome"] == "refused"
    assert server.requests == []


def test_a_transcript_that_does_not_tell_leaves_the_reviewer_refused(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    server = reviewed_by_opus()
    claude(home, asked(), said("<synthetic>"))
    assert changed.review(**IN_CLAUDE)["outcome"] == "refused"
    assert server.requests == []


def test_another_vendors_model_behind_claude_code_may_be_reviewed_by_claude(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    reviewed_by_opus()
    claude(home, said("glm-4.6"))
    assert changed.review(**IN_CLAUDE)["outcome"] == "approve"


def test_but_not_where_another_family_is_demanded(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    reviewed_by_opus('author-from-transcript = true\nindependence = "family"')
    claude(home, said("glm-4.6"))
    assert changed.review(**IN_CLAUDE)["outcome"] == "refused"


def test_an_agent_inside_of_another_needs_a_model_of_both(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]
) -> None:
    reviewed_by_opus()
    codex(home, turn("gpt-5.5"))
    assert changed.review(**IN_CLAUDE, CODEX_THREAD_ID=THREAD)["outcome"] == "refused"
    claude(home, said("claude-opus-4-7"))
    payload = changed.review(**IN_CLAUDE, CODEX_THREAD_ID=THREAD)
    assert payload["outcome"] == "approve"
    assert payload["author"]["model"] == "claude-opus-4-7 and gpt-5.5"


def test_the_key_is_the_users_own(changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server]) -> None:
    changed.policy("author-from-transcript = true\n")
    reviewed_by_opus("")
    claude(home, said("claude-opus-4-7"))
    changed.stage("app.py", "x = 1\n")
    payload = changed.review(**IN_CLAUDE)
    assert payload["outcome"] == "error"
    assert "author-from-transcript" in payload["problem"]["what"]


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-opus-4-8"], ids=["approved", "refused"])
@pytest.mark.parametrize("form", [["--output-format", "json"], ["-v"], ["--dry-run"]], ids=str)
def test_nothing_but_the_model_leaves_the_transcript(
    changed: Repo, home: Path, reviewed_by_opus: Callable[..., Server], model: str, form: list[str]
) -> None:
    server = reviewed_by_opus()
    claude(
        home, asked(), said(model), asked(), {"type": "summary", "summary": SECRET}, b'{"broken": "' + SECRET.encode()
    )
    subagent(home, said(model, note=SECRET))
    result = changed.call("review", *form, **IN_CLAUDE)
    assert model in result.text
    assert SECRET not in result.text
    assert SECRET.encode() not in everything(changed)
    assert all(SECRET.encode() not in request.raw for request in server.requests)
    assert SESSION not in result.text
