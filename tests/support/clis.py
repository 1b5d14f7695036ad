"""Stand-ins for the coding CLIs: real files that are called, read, print and end as those were seen to do.

What they print was recorded from Claude Code 2.1.330, Codex 0.169.0, Gemini CLI 0.61.0, Copilot CLI 1.0.102 and
opencode 1.18.33 against a server on the same machine, and shortened by hand. Each stand-in runs this file itself, so
that nothing but the standard library is imported here.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple

NAMES = ("claude", "codex", "gemini", "copilot", "opencode")
RECEIPT = "@receipt@"  # what the stand-in puts the prompt's own tokens in place of
SESSION = "3b985d6a-de26-4310-bd23-09c9204e1829"
_FILE = re.compile(r"/[^\s\"']+/(?:system\.md|schema\.json|deny\.toml|settings\.json)")


class Said(NamedTuple):
    """One run of a CLI.

    Attributes:
        answer: what it writes to the file that it was told to.
        plants: files that it leaves behind, with the prompt in them; `{home}` and `{uuid}` are filled in.
        does: what it does besides, by name (see `_DEEDS`).
    """

    out: str = ""
    err: str = ""
    code: int = 0
    answer: str = ""
    plants: tuple[str, ...] = ()
    does: tuple[str, ...] = ()


def reply(verdict: str = "approve", **values: Any) -> dict[str, Any]:
    """A reply of the protocol, with a place for the receipt."""
    return {
        "summary": "A summary.",
        "findings": [],
        "verification_commands": ["python -m pytest"],
        "questions": [],
        "verdict": verdict,
        "receipt": RECEIPT,
        **values,
    }


def finding(**values: Any) -> dict[str, Any]:
    return {
        "title": "the division fails for an empty list",
        "category": "correctness",
        "severity": "critical",
        "certainty": "proven",
        "file": "app.py",
        "side": "new",
        "line_start": 3,
        "line_end": 3,
        "quote": "return total / count",
        "trigger": "an empty list",
        "consequence": "ZeroDivisionError",
        "fix": "return 0 for an empty list",
        **values,
    }


def lines(*events: Any) -> str:
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


# --- Claude Code ----------------------------------------------------------------------------------------------

_CLAUDE_USAGE = {
    "input_tokens": 1234,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 11,
    "output_tokens": 56,
    "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
    "service_tier": "standard",
}


def claude_begins(asked: str = "claude-sonnet-4-6") -> dict[str, Any]:
    return {
        "type": "system",
        "subtype": "init",
        "cwd": "/home/u/.cache/twoagent-hook/empty",
        "session_id": SESSION,
        "tools": [],
        "mcp_servers": [],
        "model": asked,
        "permissionMode": "default",
        "slash_commands": ["code-review", "verify"],
        "apiKeySource": "none",
        "claude_code_version": "2.1.330",
        "skills": ["code-review"],
    }


def claude_message(model: str, content: Any) -> dict[str, Any]:
    usage = {**_CLAUDE_USAGE, "output_tokens": 1}
    message = {"id": "msg_01", "type": "message", "role": "assistant", "model": model, "content": [content]}
    return {
        "type": "assistant",
        "message": {**message, "stop_reason": None, "usage": usage, "context_management": None},
        "parent_tool_use_id": None,
        "session_id": SESSION,
    }


def claude_result(**values: Any) -> dict[str, Any]:
    """The last line; it names the model that was asked for, and says success of errors too."""
    used = {"inputTokens": 1234, "outputTokens": 56, "canonicalModel": "claude-sonnet-4-6", "provider": "firstParty"}
    return {
        "duration_api_ms": 86,
        "stop_reason": "end_turn",
        "session_id": SESSION,
        "usage": _CLAUDE_USAGE,
        "modelUsage": {"claude-sonnet-4-6": used},
        "terminal_reason": "completed",
        "is_error": False,
        "num_turns": 1,
        "subtype": "success",
        "api_error_status": None,
        "type": "result",
        "duration_ms": 175,
        **values,
    }


def claude(text: str, *, model: str = "claude-sonnet-4-6-20261101", structured: bool = True) -> Said:
    """A reply: by the tool that `--json-schema` brings, or as plain text."""
    content: dict[str, Any] = {"type": "text", "text": text}
    if not structured:
        return Said(lines(claude_begins(), claude_message(model, content), claude_result(result=text)))
    content = {"type": "tool_use", "id": "toolu_so", "name": "StructuredOutput", "input": json.loads(text)}
    given = {"tool_use_id": "toolu_so", "type": "tool_result", "content": "Structured output provided successfully"}
    end = claude_result(
        stop_reason="tool_use", num_turns=2, result=text, structured_output=json.loads(text), ttft_ms=286
    )
    user = {"type": "user", "message": {"role": "user", "content": [given]}, "session_id": SESSION}
    return Said(lines(claude_begins(), claude_message(model, content), user, end))


def claude_failed(result: str, status: int | None = None, kind: str | None = None, **values: Any) -> Said:
    said = claude_message("<synthetic>", {"type": "text", "text": result})
    nothing = {**_CLAUDE_USAGE, "input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    end = {
        "is_error": True,
        "stop_reason": "stop_sequence",
        "terminal_reason": "api_error",
        "usage": nothing,
        "modelUsage": {},
        "api_error_status": status,
        "result": result,
        **({"api_error_type": kind} if kind else {}),
        **values,
    }
    return Said(lines(claude_begins(), said, claude_result(**end)), code=1)


_SERVER_SIDE = "This is a server-side issue, usually temporary — try again in a moment."

# --- Codex ----------------------------------------------------------------------------------------------------

CODEX_WARNING = (
    "WARNING: proceeding, even though we could not create PATH aliases: Refusing to create helper binaries under "
    'temporary dir "/tmp" (codex_home: AbsolutePathBuf("/tmp/home/.codex"))\n'
)
_CODEX_BEGINS = (
    {"type": "thread.started", "thread_id": "01a20519-6115-7f01-9d04-24ed38fb367d"},
    {
        "type": "item.completed",
        "item": {
            "id": "item_0",
            "type": "error",
            "message": "Model metadata for `gpt-5.4` not found. Defaulting to fallback metadata; this can degrade "
            "performance and cause issues.",
        },
    },
    {"type": "turn.started"},
)
_CODEX_USAGE = {
    "input_tokens": 1234,
    "cached_input_tokens": 11,
    "cache_write_input_tokens": 0,
    "output_tokens": 56,
    "reasoning_output_tokens": 7,
}


def codex_message(text: str) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"id": "item_1", "type": "agent_message", "text": text}}


def codex(text: str, *before: dict[str, Any]) -> Said:
    done = {"type": "turn.completed", "usage": _CODEX_USAGE}
    return Said(lines(*_CODEX_BEGINS, *before, codex_message(text), done), CODEX_WARNING, answer=text)


def codex_error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}


def codex_failed(message: str, *before: dict[str, Any]) -> Said:
    failed = {"type": "turn.failed", "error": {"message": message}}
    return Said(lines(*_CODEX_BEGINS, *before, codex_error(message), failed), CODEX_WARNING, 1)


_CODEX_401 = (
    "unexpected status 401 Unauthorized: Incorrect API key provided: sk-wrong. You can find your API key at "
    "https://platform.openai.com/account/api-keys., url: https://api.openai.com/v1/responses"
)

# --- Gemini CLI -----------------------------------------------------------------------------------------------

_GEMINI_CHATTER = "Ripgrep is not available. Falling back to GrepTool.\n"


def gemini_model(candidates: int = 56) -> dict[str, Any]:
    tokens = {"input": 1223, "prompt": 1234, "candidates": candidates, "cached": 11, "thoughts": 7, "tool": 0}
    api = {"totalRequests": 1, "totalErrors": 0, "totalLatencyMs": 167, "errorsByType": {}}
    return {"api": api, "tokens": tokens, "roles": {"main": {"totalRequests": 1, "tokens": tokens}}}


def gemini(text: str, **models: dict[str, Any]) -> Said:
    named = {name.replace("_", "-"): row for name, row in models.items()}
    stats = {"models": named or {"gemini-2.5-pro-20261101": gemini_model()}, "tools": {"totalCalls": 0, "byName": {}}}
    found = {"session_id": SESSION, "response": text, "stats": stats}
    return Said(json.dumps(found, indent=2), _GEMINI_CHATTER)


def gemini_failed(message: str, code: int, exits: int, name: str = "_ApiError") -> Said:
    """Nothing on standard output; the error is the last object on standard error, behind a stack."""
    stack = (
        "Error when talking to Gemini API Full report available at: /tmp/gemini-client-error-Turn.run-sendMessageStream"
        f"-2026-11-22T21-18-06-054Z.json {name}: {message}\n"
        "    at throwErrorIfNotOK (file:///usr/lib/node_modules/@google/gemini-cli/bundle/chunk-JDPZ4CE3.js:267833:24)\n"
        "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {\n"
        f"  status: {code}\n"
        "}\n"
    )
    error = {"session_id": SESSION, "error": {"type": "Error", "message": message, "code": code}}
    return Said("", _GEMINI_CHATTER + stack + json.dumps(error, indent=2) + "\n", exits)


def _google(code: int, message: str, status: str, **values: Any) -> str:
    return json.dumps({"error": {"code": code, "message": message, "status": status, "details": [], **values}})


# --- Copilot CLI ----------------------------------------------------------------------------------------------

COPILOT_BEGINS = (
    {"type": "session.skills_loaded", "data": {"skills": []}, "ephemeral": True, "parentId": SESSION},
    {
        "type": "session.info",
        "data": {"infoType": "configuration", "message": 'Unknown tool name in the tool allowlist: "none"'},
    },
    {"type": "session.tools_updated", "data": {"model": "gpt-5.4"}, "ephemeral": True},
    {"type": "user.message", "data": {"content": "Review this diff.", "messageId": SESSION}},
    {"type": "assistant.turn_start", "data": {"turnId": "0"}},
    {"type": "model.call_start", "data": {"turnId": "0", "model": "gpt-5.4"}, "ephemeral": True},
)


def copilot_message(text: str) -> dict[str, Any]:
    data = {"messageId": SESSION, "model": "gpt-5.4", "content": text, "toolRequests": [], "turnId": "0"}
    return {"type": "assistant.message", "data": data}


def copilot_result(code: int) -> dict[str, Any]:
    usage = {"premiumRequests": 0, "totalApiDurationMs": 125, "sessionDurationMs": 645}
    return {"type": "result", "sessionId": SESSION, "exitCode": code, "usage": usage}


def copilot(text: str) -> Said:
    delta = {"type": "assistant.message_delta", "data": {"messageId": SESSION, "deltaContent": text}}
    end = {"type": "assistant.turn_end", "data": {"turnId": "0"}}
    return Said(lines(*COPILOT_BEGINS, delta, copilot_message(text), end, copilot_result(0)))


def copilot_failed(kind: str, message: str, status: int | None = None) -> Said:
    said = {"errorType": kind, "message": message, **({"statusCode": status} if status else {})}
    failure = {"type": "model.call_failure", "data": {"model": "gpt-5.4", "statusCode": status, "failureKind": "api"}}
    end = {"type": "session.error", "data": {**said, "originatingMessageId": SESSION}}
    return Said(lines(*COPILOT_BEGINS, failure, end, copilot_result(1)), code=1)


COPILOT_NO_LOGIN = """Error: No authentication information found.

Copilot can be authenticated with GitHub using an OAuth Token or a Fine-Grained Personal Access Token.

To authenticate, you can use any of the following methods:
  • Start 'copilot' and run the '/login' command
  • Set the COPILOT_GITHUB_TOKEN, GH_TOKEN, or GITHUB_TOKEN environment variable
  • Run 'gh auth login' to authenticate with the GitHub CLI
"""

# --- opencode -------------------------------------------------------------------------------------------------


def opencode_part(kind: str, **values: Any) -> dict[str, Any]:
    part = {"id": "prt_1", "messageID": "msg_1", "sessionID": "ses_1", "type": kind.replace("_", "-"), **values}
    return {"type": kind, "timestamp": 1795382626395, "sessionID": "ses_1", "part": part}


def opencode_finish(reason: str = "stop") -> dict[str, Any]:
    tokens = {"total": 1290, "input": 1223, "output": 49, "reasoning": 7, "cache": {"write": 0, "read": 11}}
    return opencode_part("step_finish", reason=reason, tokens=tokens, cost=0)


def opencode(*texts: str, reason: str = "stop") -> Said:
    parts = [opencode_part("text", text=text, time={"start": 1, "end": 2}) for text in texts]
    return Said(lines(opencode_part("step_start"), *parts, opencode_finish(reason)))


def opencode_failed(name: str, message: str, status: int | None = None) -> Said:
    data = {"message": message, **({"statusCode": status, "isRetryable": False} if status else {})}
    event = {"type": "error", "timestamp": 1795382661041, "sessionID": "ses_1", "error": {"name": name, "data": data}}
    return Said(lines(event), code=1)


# --- all of them ----------------------------------------------------------------------------------------------

REPLIES = {"claude": claude, "codex": codex, "gemini": gemini, "copilot": copilot, "opencode": opencode}


def says(name: str, verdict: str = "approve", **values: Any) -> Said:
    """That CLI's way to give a verdict."""
    return REPLIES[name](json.dumps(reply(verdict, **values)))


_CLAUDE_TOO_LONG = (
    "Prompt is too long · the request is ~215342 tokens (limit 200000) but this conversation is only ~299 tokens — the "
    "rest is system prompt, tool definitions, and attachment content."
)
_OPENAI_TOO_LONG = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 215342 tokens."
)
_OPENAI_404 = "The model `gpt-5.4` does not exist or you do not have access to it."
_OPENAI_429 = "Rate limit reached for gpt-5.4 in organization org-x on tokens per min (TPM): Limit 30000."
_GOOGLE_401 = "Request had invalid authentication credentials. Expected OAuth 2 access token."
_GOOGLE_404 = (
    "models/gemini-2.5-pro is not found for API version v1beta, or is not supported for generateContent. Call "
    "ListModels to see the list of available models and their supported methods."
)

# What each says when things go wrong, by what went wrong; the first word says what the gate should make of it.
FAILURES: dict[str, dict[str, Said]] = {
    "claude": {
        "login": claude_failed("Not logged in · Please run /login"),
        "login-expired": claude_failed("Not logged in · Please run /login", 401, "authentication_error"),
        "login-401": claude_failed("Invalid API key · Fix external API key", 401, "authentication_error"),
        "login-403": claude_failed(
            "Failed to authenticate. API Error: 403 Your account does not have access to this resource.",
            403,
            "permission_error",
        ),
        "model-404": claude_failed(
            "There's an issue with the selected model (claude-sonnet-4-6). It may not exist or you may not have access "
            "to it. Run --model to pick a different model.",
            404,
            "not_found_error",
        ),
        "limits-429": claude_failed(
            "API Error: Request rejected (429) · This request would exceed your organization's rate limit.",
            429,
            "rate_limit_error",
        ),
        "limits-5-hours": claude_failed(
            "You've hit your 5-hour limit · resets 11:35pm (UTC)",
            429,
            "rate_limit_error",
            api_error="usage_limit_reached",
        ),
        "limits-credit": claude_failed("Credit balance is too low", 400, "invalid_request_error"),
        "failing-500": claude_failed(f"API Error: 500 Internal server error. {_SERVER_SIDE}", 500, "api_error"),
        "failing-529": claude_failed(f"API Error: 529 Overloaded. {_SERVER_SIDE}", 529, "overloaded_error"),
        "unreachable": claude_failed(
            "API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
            api_error="connection_failed",
        ),
        "unreachable-dns": claude_failed(
            "API Error: Can't reach the API server — check your internet or DNS (ENOTFOUND)",
            api_error="connection_failed",
        ),
        "unreachable-cut": claude_failed(
            "API Error: Connection lost mid-response. The response above may be incomplete.",
            api_error="connection_failed",
        ),
        "context": claude_failed(_CLAUDE_TOO_LONG, 400, "invalid_request_error", terminal_reason="prompt_too_long"),
        "unknown-flag": Said("", "error: unknown option '--no-such-flag'\n", 1),
        "unknown-refusal": claude_failed(
            "API Error: Sonnet 4.6 can't help with this. Start a new session to continue.", stop_reason="refusal"
        ),
        "unknown-length": claude_failed(
            "API Error: Claude's response exceeded the 32000 output token maximum.", api_error="max_output_tokens"
        ),
        "unknown-html": claude_failed(
            "API Error: API returned an empty or malformed response (HTTP 200) — check for a proxy or gateway "
            "intercepting the request."
        ),
    },
    "codex": {
        "login-401": codex_failed(_CODEX_401),
        "login-retried": codex_failed(_CODEX_401, codex_error(f"Reconnecting... 1/5 ({_CODEX_401})")),
        "login-key": codex_failed("Missing environment variable: `CODEX_API_KEY`."),
        "model-404": codex_failed(_OPENAI_404),
        "model-chatgpt": codex_failed(
            '{"detail": "The \'gpt-5.4\' model is not supported when using Codex with a ChatGPT account."}'
        ),
        "limits-429": codex_failed("exceeded retry limit, last status: 429 Too Many Requests"),
        "limits-quota": codex_failed("Quota exceeded. Check your plan and billing details."),
        "limits-plan": codex_failed(
            "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit "
            "https://chatgpt.com/settings/usage to purchase more credits or try again at 10:11 PM."
        ),
        "failing-500": codex_failed("We’re currently experiencing high demand, which may cause temporary errors."),
        "failing-503": codex_failed(
            "unexpected status 503 Service Unavailable: Overloaded, url: https://api.openai.com"
        ),
        "unreachable": codex_failed("Connection failed: error sending request"),
        "unreachable-cut": codex_failed(
            "stream disconnected before completion: stream closed before response.completed"
        ),
        "context": codex_failed(
            "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before "
            "retrying."
        ),
        "unknown-flag": Said(
            "",
            f"{CODEX_WARNING}error: unexpected argument '--nope' found\n\nUsage: codex exec [OPTIONS] [PROMPT]\n",
            2,
        ),
        "unknown-schema": Said(
            "", "Output schema file /f/schema.json is not valid JSON: expected value at line 1\n", 1
        ),
        "unknown-403": codex_failed("Project does not have access to model"),
    },
    "gemini": {
        "login": gemini_failed(
            "Please set an Auth method in your /home/u/.gemini/settings.json or specify one of the following environment "
            "variables before running: GEMINI_API_KEY, GOOGLE_GENAI_USE_VERTEXAI, GOOGLE_GENAI_USE_GCA",
            41,
            41,
        ),
        "login-401": gemini_failed(_google(401, _GOOGLE_401, "UNAUTHENTICATED"), 401, 145),
        "login-400": gemini_failed(
            _google(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"), 400, 144
        ),
        "login-403": gemini_failed(_google(403, "Permission denied", "PERMISSION_DENIED"), 403, 147),
        "model-404": gemini_failed(_GOOGLE_404, 1, 1, "ModelNotFoundError"),
        "limits-429": gemini_failed(
            "You exceeded your current quota, please check your plan and billing details. Please retry in 8s.\n"
            "Suggested retry after 8s.",
            429,
            173,
            "RetryableQuotaError",
        ),
        "limits-day": gemini_failed(
            "You have exhausted your daily quota on this model.", 429, 173, "TerminalQuotaError"
        ),
        "failing-500": gemini_failed(_google(500, "An internal error has occurred.", "INTERNAL"), 500, 244),
        "failing-503": gemini_failed("The model is overloaded. Please try again later.", 503, 247),
        "unreachable": gemini_failed("exception TypeError: fetch failed sending request", 1, 1, "Error"),
        "context": gemini_failed(
            _google(
                400,
                "The input token count (1248576) exceeds the maximum number of tokens allowed (1048576).",
                "INVALID_ARGUMENT",
            ),
            400,
            144,
        ),
        "unknown-flag": Said("", "Unknown argument: nope\nUsage: gemini [options] [command]\n", 1),
        "unknown-html": gemini_failed("Incomplete JSON segment at the end", 1, 1, "Error"),
    },
    "copilot": {
        "login": Said("", COPILOT_NO_LOGIN, 1),
        "login-token": Said("", "Error: Classic Personal Access Tokens (ghp_) are not supported by Copilot.\n", 1),
        "login-401": copilot_failed(
            "authentication",
            "Authentication failed with provider at http://127.0.0.1:4/v1 (HTTP 401).\n  Check your "
            "COPILOT_PROVIDER_API_KEY.",
            401,
        ),
        "model-404": copilot_failed(
            "query", "Model 'gpt-5.4' not found on provider at http://127.0.0.1:4/v1 (HTTP 404).", 404
        ),
        "limits-429": copilot_failed(
            "rate_limit",
            "Failed to get response from the AI model; retried 5 times (total retry wait time: 42.85 seconds) Last "
            f"error: 429 {_OPENAI_429}",
            429,
        ),
        "failing-500": copilot_failed(
            "query", "Failed to get response from the AI model; retried 5 times. Last error: 500 The server had", 500
        ),
        "unreachable": copilot_failed(
            "query",
            "Could not connect to local model provider at http://127.0.0.1:9/v1.\n  Check that the service is running "
            "and the port is correct.",
        ),
        "context": copilot_failed(
            "query",
            "The provider rejected the prompt as too long, but automatic recovery could not reduce it. Reduce context "
            "before retrying.",
        ),
        "context-400": copilot_failed("query", f"400 {_OPENAI_TOO_LONG}", 400),
        "unknown-flag": Said("", "error: unexpected argument '--nope' found\n", 1),
        "unknown-model": Said("", "BYOK providers require an explicit model.\n", 1),
    },
    "opencode": {
        "login-401": opencode_failed("APIError", "Incorrect API key provided: sk-wrong.", 401),
        "model-404": opencode_failed("APIError", _OPENAI_404.replace("gpt-5.4", "m1"), 404),
        "limits-429": opencode_failed("APIError", _OPENAI_429, 429),
        "failing-500": opencode_failed("APIError", "The server had an error while processing your request.", 500),
        "context": opencode_failed("ContextOverflowError", _OPENAI_TOO_LONG),
        "unknown-server": opencode_failed("UnknownError", "Unexpected server error. Check server logs for details."),
        "unknown-nothing": Said("", "\x1b[91m\x1b[1mError: \x1b[0mYou must provide a message or a command\n", 1),
    },
}


# --- the files ------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """How a stand-in was called.

    Attributes:
        here: what was in its working folder.
        files: the contents of those files of the run that its command line or its environment names.
    """

    argv: list[str]
    cwd: str
    environment: dict[str, str]
    stdin: str
    here: list[str]
    files: dict[str, str]


class Clis:
    """A folder on PATH in which stand-ins are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def install(self, name: str, *runs: Said) -> Path:
        """A program of that name: one run after the other, the last again and again."""
        path, plan = self.folder / name, self.folder / f".{name}.json"
        log = self.folder / f".{name}.log"
        log.unlink(missing_ok=True)
        plan.write_text(json.dumps({"runs": [run._asdict() for run in runs], "log": str(log)}))
        path.write_text(
            f"#!{sys.executable} -IS\n"
            f"exec(compile(open({__file__!r}, encoding='utf-8').read(), {__file__!r}, 'exec'))\n"
            f"play({str(plan)!r})\n"
        )
        path.chmod(0o755)
        return path

    def calls(self, name: str) -> list[Call]:
        log = self.folder / f".{name}.log"
        found = log.read_text().splitlines() if log.exists() else []
        return [Call(**json.loads(line)) for line in found]

    def call(self, name: str) -> Call:
        (only,) = self.calls(name)
        return only


# --- what a stand-in does -------------------------------------------------------------------------------------


def play(plan_path: str) -> None:
    """Be the program: read to the end, note how it was called, print what is planned, and end."""
    plan = json.loads(Path(plan_path).read_text())
    stdin = sys.stdin.buffer.read().decode("utf-8", "replace")
    before = Path(plan["log"]).read_text().count("\n") if os.path.exists(plan["log"]) else 0
    run = plan["runs"][min(before, len(plan["runs"]) - 1)]
    named = set(_FILE.findall(" ".join((*sys.argv, *os.environ.values()))))
    files = {os.path.basename(path): Path(path).read_text() for path in named if os.path.exists(path)}
    call = Call(sys.argv, os.getcwd(), dict(os.environ), stdin, os.listdir(), files)
    with open(plan["log"], "a", encoding="utf-8") as log:
        log.write(json.dumps(call._asdict()) + "\n")
    for deed in run["does"]:
        _DEEDS[deed](plan_path)
    for template in run["plants"]:
        _plant(template, stdin)
    sys.stdout.buffer.write(_with_receipt(run["out"], stdin).encode("utf-8", "surrogateescape"))
    sys.stderr.buffer.write(_with_receipt(run["err"], stdin).encode("utf-8", "surrogateescape"))
    if run["answer"]:
        Path(sys.argv[sys.argv.index("-o") + 1]).write_text(_with_receipt(run["answer"], stdin))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(run["code"])


def _with_receipt(text: str, stdin: str) -> str:
    tokens = [re.findall(rf"^receipt-{half}: (\w+)$", stdin, re.MULTILINE)[-1:] for half in "ab"]
    return text.replace(RECEIPT, "-".join(found[0] if found else "none" for found in tokens))


def _plant(template: str, stdin: str) -> None:
    place = sys.argv.index("--session-id") if "--session-id" in sys.argv else 0
    name = sys.argv[place + 1] if place else "none"
    path = Path(
        template.format(home=os.environ["HOME"], tmp=os.environ.get("TMPDIR", "/tmp"), uuid=name, uuid8=name[:8])
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(stdin)


def nap(plan_path: str) -> str:
    """How long the sleepers of one stand-in sleep, in seconds: by this they are told from all other processes."""
    return f"60.{zlib.crc32(plan_path.encode()):010d}"


def sleeper(plan_path: str, *, session: bool = False) -> None:
    """Start a process that stays, and note its number beside the plan."""
    child = subprocess.Popen(["/bin/sleep", nap(plan_path)], start_new_session=session)
    with open(f"{plan_path}.pids", "a", encoding="utf-8") as file:
        file.write(f"{child.pid}\n")


def _hang(_plan_path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


_DEEDS = {
    "child": sleeper,
    "daemon": lambda path: sleeper(path, session=True),
    "hang": _hang,
}
