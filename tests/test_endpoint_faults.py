"""Whatever an endpoint does, the run ends in time, with one clear outcome, and never in an approval by accident."""

import gzip
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import server as endpoint
from support.repo import SCRIPT, Repo, Result
from support.server import Answer, Request, Script, Server, completion, finding, fixed, reply, serving

from twoagent_hook.trajectory import Entry, Log

KEY = "sk-loop-0123456789"
RESULTS = {"block": "blocked", "request_changes": "changes"}
SOON = 15.0  # seconds in which a run ends that has nothing to wait for, even on a busy machine

Serve = Callable[..., Server]
Configure = Callable[..., Path]


def rows(repo: Repo, role: str | None = "gate") -> list[Entry]:
    """The log, newest first."""
    return Log(str(repo.root / ".git" / "twoagent-hook")).read(role=role)


def judged(repo: Repo, *arguments: str, **environment: str) -> tuple[Any, Result]:
    """Run a review and check what holds whatever happens: one object, one log row, no stack and no key."""
    result = repo.call("review", "--output-format", "json", *arguments, **environment)
    payload = result.json
    assert isinstance(payload, dict), result
    assert result.out.count("\n") == 1, result
    assert payload["exit_code"] == result.code, result
    assert "Traceback" not in result.text, result
    assert "internal error" not in result.text, result
    assert KEY not in result.text, result
    for stored in (repo.root / ".git" / "twoagent-hook").iterdir():
        assert KEY.encode() not in stored.read_bytes(), stored
    (row,) = rows(repo)
    assert row.result == RESULTS.get(payload["outcome"], payload["outcome"]), (row, result)
    assert row.id == payload["log_id"]
    if result.code == 2:
        assert payload["problem"]["what"], result
        assert payload["problem"]["do"], result
        assert result.err.startswith("no review: "), result
        assert payload["reviews"] == []
    return payload, result


def reasons_of(payload: Any) -> str:
    """Why the gate is closed, wherever the payload says it."""
    problem = payload["problem"] or {"what": ""}
    return " ".join((problem["what"], *payload["reasons"]))


# --- one row a fault ------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """What the endpoint does, and what has to come of it.

    Attributes:
        fragment: of what the user is told.
        requests: how many the endpoint gets; None where that depends on the clock.
    """

    script: Script
    outcome: str
    fragment: str
    requests: int | None = 1
    arguments: tuple[str, ...] = ()


LATER = {"Retry_After": "600"}
CODES = {"unreviewed": 2, "invalid": 2, "error": 2, "refused": 2, "block": 1}


def _status(status: int, outcome: str, fragment: str) -> Any:
    return pytest.param(
        Fault(endpoint.fails(status, "it went wrong", **LATER), outcome, fragment), id=f"status-{status}"
    )


STATUSES = [
    _status(400, "error", "refuses the request (400): it went wrong"),
    _status(401, "unreviewed", "does not let us in (401)"),
    _status(402, "unreviewed", "does not let us in (402)"),
    _status(403, "unreviewed", "does not let us in (403)"),
    _status(404, "error", "(404): it went wrong"),
    _status(405, "error", "refuses the request (405)"),
    _status(408, "unreviewed", "(408)"),
    _status(409, "unreviewed", "(409)"),
    _status(413, "block", "too long for this model"),
    _status(422, "error", "refuses the request (422)"),
    _status(429, "unreviewed", "is over its limits (429)"),
    _status(500, "unreviewed", "is failing (500)"),
    _status(502, "unreviewed", "is failing (502)"),
    _status(503, "unreviewed", "is failing (503)"),
    _status(529, "unreviewed", "is failing (529)"),
    pytest.param(Fault(fixed(Answer(204)), "error", "(204)"), id="status-204"),
    pytest.param(Fault(fixed(Answer(304)), "error", "(304)"), id="status-304"),
]


ERROR_BODIES = [
    pytest.param(
        Fault(endpoint.data([{"error": {"code": 400, "message": "Unknown name"}}], 400), "error", "Unknown name"),
        id="error-in-a-list",
    ),
    pytest.param(
        Fault(endpoint.data({"error": "the model is not loaded"}, 400), "error", "the model is not loaded"),
        id="error-that-is-a-text",
    ),
    pytest.param(
        Fault(endpoint.data({"detail": "Not authenticated"}, 403), "unreviewed", "Not authenticated"),
        id="error-as-detail",
    ),
    pytest.param(
        Fault(endpoint.page("<html><h1>Bad Gateway</h1></html>", 502, **LATER), "unreviewed", "(502)"),
        id="error-as-web-page",
    ),
    pytest.param(Fault(endpoint.page("", 500, **LATER), "unreviewed", "(500)"), id="error-without-body"),
    pytest.param(Fault(endpoint.page("[" * 100_000, 400), "error", "(400)"), id="error-of-nested-brackets"),
    pytest.param(Fault(endpoint.data([], 400), "error", "(400)"), id="error-as-empty-list"),
    pytest.param(Fault(endpoint.data({"error": {"message": None}}, 400), "error", "(400)"), id="error-without-text"),
    pytest.param(
        Fault(endpoint.data({"error": {"message": "no credits left", "code": 402}}), "unreviewed", "no credits left"),
        id="error-402-inside-of-200",
    ),
    pytest.param(
        Fault(
            endpoint.data({"error": {"message": "slow down", "code": 429}}),
            "unreviewed",
            "(429): slow down",
            None,
            ("--timeout", "3"),
        ),
        id="error-429-inside-of-200",
    ),
    pytest.param(
        Fault(endpoint.data({"error": {"message": "the upstream failed"}}), "error", "the upstream failed"),
        id="error-without-code-inside-of-200",
    ),
    pytest.param(
        Fault(endpoint.data({"error": "no such route"}), "error", "no such route"), id="error-text-inside-of-200"
    ),
    pytest.param(
        Fault(
            endpoint.data({"error": {"message": "This model's maximum context length is 8192 tokens", "code": 400}}),
            "block",
            "too long for this model",
        ),
        id="context-error-inside-of-200",
    ),
    pytest.param(
        Fault(
            endpoint.data({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429),
            "unreviewed",
            "You exceeded your quota",
        ),
        id="exhausted-quota-is-not-asked-again",
    ),
]


def bomb() -> bytes:
    return gzip.compress(b" " * 50_000_000, 9)


BODIES = [
    pytest.param(Fault(endpoint.page("<!doctype html><p>Welcome"), "invalid", "a web page"), id="web-page"),
    pytest.param(
        Fault(fixed(Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})), "invalid", "a web page"),
        id="web-page-that-says-so",
    ),
    pytest.param(Fault(endpoint.page(""), "invalid", "the reply is empty"), id="empty-body"),
    pytest.param(Fault(endpoint.page(" \n\n "), "invalid", "the reply is empty"), id="blank-body"),
    pytest.param(Fault(endpoint.page('{"choices": ['), "invalid", "the reply is not JSON"), id="half-of-JSON"),
    pytest.param(Fault(endpoint.page("\xff\xfe\x00"), "invalid", "the reply is not JSON"), id="no-UTF-8"),
    pytest.param(Fault(endpoint.data([1, 2]), "invalid", "not a JSON object"), id="JSON-list"),
    pytest.param(Fault(endpoint.data(None), "invalid", "not a JSON object"), id="JSON-null"),
    pytest.param(Fault(endpoint.page("[" * 100_000), "invalid", "the reply is not JSON"), id="nested-brackets"),
    pytest.param(Fault(endpoint.page('{"a":' * 100_000), "invalid", "the reply is not JSON"), id="nested-braces"),
    pytest.param(
        Fault(endpoint.page(f'{{"choices": {"9" * 10_000}}}'), "invalid", "the reply is not JSON"),
        id="number-of-ten-thousand-digits",
    ),
    pytest.param(
        Fault(endpoint.page('data: {"choices": []}\n\ndata: [DONE]\n\n'), "invalid", "the reply is not JSON"),
        id="event-stream-that-nobody-asked-for",
    ),
    pytest.param(Fault(endpoint.data({}), "invalid", "no choices"), id="no-choices"),
    pytest.param(Fault(endpoint.data({"choices": None}), "invalid", "no choices"), id="choices-null"),
    pytest.param(Fault(endpoint.data({"choices": []}), "invalid", "no choices"), id="choices-empty"),
    pytest.param(Fault(endpoint.data({"choices": "yes"}), "invalid", "no choices"), id="choices-a-text"),
    pytest.param(Fault(endpoint.data({"choices": {"0": {}}}), "invalid", "no choices"), id="choices-an-object"),
    pytest.param(Fault(endpoint.data({"choices": [7]}), "invalid", "no choices"), id="choice-a-number"),
    pytest.param(
        Fault(endpoint.data({"choices": [{"finish_reason": "stop"}]}), "invalid", "is empty", 2), id="no-message"
    ),
    pytest.param(
        Fault(endpoint.data({"choices": [{"message": "approve", "finish_reason": "stop"}]}), "invalid", "empty", 2),
        id="message-a-text",
    ),
    pytest.param(
        Fault(endpoint.sends(endpoint.flood(200)), "invalid", "the reply is larger than 4 MB"), id="50-MB-of-spaces"
    ),
    pytest.param(
        Fault(endpoint.sends(endpoint.flood(400)), "invalid", "the reply is larger than 4 MB", None),
        id="50-MB-of-error-400",
    ),
    pytest.param(
        Fault(endpoint.sends(endpoint.flood(500)), "invalid", "the reply is larger than 4 MB", None),
        id="50-MB-of-error-500",
    ),
    pytest.param(Fault(endpoint.page(bomb(), Content_Encoding="gzip"), "invalid", "compressed", None), id="gzip-bomb"),
    pytest.param(
        Fault(endpoint.page(bomb(), 500, Content_Encoding="gzip"), "invalid", "compressed", None),
        id="gzip-bomb-with-500",
    ),
]


CONNECTIONS = [
    pytest.param(
        Fault(endpoint.sends(endpoint.hang_up), "unreviewed", "the connection failed", 2), id="closed-at-once"
    ),
    pytest.param(
        Fault(endpoint.sends(endpoint.cut_short(b'{"choices": [')), "unreviewed", "the connection failed", 2),
        id="closed-in-the-body",
    ),
    pytest.param(
        Fault(
            endpoint.sends(lambda handler: _write(handler, b"HTTP/1.1 200 OK\r\nContent-")),
            "unreviewed",
            "the connection failed",
            2,
        ),
        id="closed-in-the-headers",
    ),
    pytest.param(
        Fault(
            endpoint.sends(lambda handler: _write(handler, b"SSH-2.0-OpenSSH_9.2\r\n")),
            "unreviewed",
            "can't be reached",
            2,
        ),
        id="not-HTTP-at-all",
    ),
]


def _write(handler: BaseHTTPRequestHandler, text: bytes) -> None:
    handler.wfile.write(text)


def _content(make: Callable[[Request], Any], **values: Any) -> Script:
    """A whole envelope, with content made of the request."""
    return lambda request: endpoint.answer(completion(make(request), **values))


def _approval(request: Request, **values: Any) -> str:
    return json.dumps(reply("approve", request) | values)


def _bad(**values: Any) -> Script:
    """An approval with the right receipt and one field that can't be."""
    return _content(lambda request: _approval(request, **values))


def _twice(request: Request) -> str:
    return _approval(request)[:-1] + ', "verdict": "block"}'


def _two_choices(request: Request) -> Answer:
    made = completion(_approval(request))
    made["choices"] += completion(json.dumps(reply("block", request)))["choices"]
    return endpoint.answer(made)


SEVERAL = [
    pytest.param(Fault(_two_choices, "invalid", "more than one", None), id="two-choices-that-disagree"),
]
# Each of these is asked to repair its reply, once.
CONTENTS = [
    pytest.param(Fault(script, "invalid", fragment, 2), id=name)
    for name, script, fragment in (
        ("null-content", endpoint.says_content(None), "the reply is empty"),
        ("blank-content", endpoint.says_content("  \n "), "the reply is empty"),
        ("content-an-object", endpoint.says_content({"verdict": "approve"}), "the reply is empty"),
        ("refusal", endpoint.says_content(None, refusal="I can't help with that."), "I can't help with that."),
        ("finish-content-filter", _content(_approval, finish="content_filter"), "content filter"),
        ("finish-length", _content(_approval, finish="length"), "cut off"),
        ("finish-tool-calls", _content(_approval, finish="tool_calls"), "ended unnaturally (tool_calls)"),
        (
            "finish-missing-without-receipt",
            _content(lambda request: json.dumps({"verdict": "block"}), finish=None),
            "does not say that the reply is complete",
        ),
        ("cut-JSON", _content(lambda request: _approval(request)[:-3]), "names no verdict"),
        ("duplicate-key", _content(_twice), "has a key twice"),
        ("two-verdicts", _content(lambda request: _approval(request) * 2), "more than one verdict"),
        ("unknown-verdict", _bad(verdict="lgtm"), 'the verdict "lgtm" is unknown'),
        ("verdict-null", _bad(verdict=None), "the verdict null is unknown"),
        ("prose-only", endpoint.says_content("Looks good to me. I approve of it."), "names no verdict"),
        ("bad-severity", _bad(findings=[finding(severity="blocker")]), "`severity` of finding 1"),
        ("unknown-category", _bad(findings=[finding(category="style")]), "`category` of finding 1"),
        ("finding-without-title", _bad(findings=[finding(title=" ")]), "finding 1 has no title"),
        ("findings-a-text", _bad(findings="none"), "`findings` is not a list"),
        ("findings-without-end", _bad(findings=[finding()] * 101), "`findings` is not a list of at most 100"),
        ("wrong-receipt", _bad(receipt="0123456789abcdef-0123456789abcdef"), "a wrong receipt"),
        ("half-a-receipt", _content(lambda r: _approval(r, receipt=r.receipt.split("-")[1])), "a wrong receipt"),
        ("no-receipt-with-approve", _bad(receipt=None), "no receipt"),
        ("no-receipt-with-request-changes", _bad(verdict="request_changes", receipt=None), "no receipt"),
        ("nested-brackets-as-content", endpoint.says_content("[" * 100_000), "names no verdict"),
        ("nested-objects-as-content", endpoint.says_content('{"a":' * 50_000), "full of brackets"),
        (
            "nested-brackets-in-a-field",
            _content(lambda r: _approval(r)[:-1] + ', "extra": ' + "[" * 100_000),
            "names no verdict",
        ),
        ("far-too-long", endpoint.says_content("a" * 500_000), "far too long"),
    )
]


@pytest.mark.parametrize("fault", STATUSES + ERROR_BODIES + BODIES + CONNECTIONS + SEVERAL + CONTENTS)
def test_a_fault_of_the_endpoint_has_one_outcome_and_is_no_approval(
    fault: Fault, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(fault.script)
    configure(server)
    started = time.monotonic()
    payload, result = judged(changed, *fault.arguments)
    assert (payload["outcome"], result.code) == (fault.outcome, CODES[fault.outcome]), result
    assert fault.fragment in reasons_of(payload), result
    assert fault.requests in {None, len(server.requests)}
    assert time.monotonic() - started < SOON, result


def test_the_same_set_up_approves_where_nothing_is_wrong(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.approves())
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("approve", 0)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_fault_can_be_let_through_by_the_policy_only_where_no_reviewer_answered(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(endpoint.fails(503, **LATER)), 'on-error = "allow"')
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("unreviewed", 0), result
    assert "(503)" in payload["problem"]["what"]
    assert "no review: " in result.err


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(_bad(receipt=None), "invalid", id="no-receipt"),
        pytest.param(endpoint.page(""), "invalid", id="empty-body"),
        pytest.param(endpoint.sends(endpoint.flood(500)), "invalid", id="flood"),
        pytest.param(endpoint.fails(404), "error", id="unknown-model"),
        pytest.param(endpoint.fails(400), "error", id="refused-request"),
        pytest.param(endpoint.fails(307, Location="http://127.0.0.1:9/"), "error", id="redirect"),
    ],
)
def test_a_policy_that_allows_errors_lets_no_broken_reply_through(
    script: Script, outcome: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(script), 'on-error = "allow"')
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == (outcome, 2), result


# --- what is odd and still a reply ---------------------------------------------------------------------------


def _parts(request: Request) -> list[Any]:
    text = _approval(request)
    half = len(text) // 2
    parts = [text[:half], text[half:]]
    return [{"type": "thinking", "thinking": "hm"}, *({"type": "text", "text": part} for part in parts)]


def _envelope(**values: Any) -> Script:
    return lambda request: endpoint.answer(completion(_approval(request)) | values)


def _headed(body: Callable[[bytes], bytes], **headers: str) -> Script:
    def script(request: Request) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(200, body(json.dumps(completion(_approval(request))).encode()), named)

    return script


def _in_chunks(request: Request) -> Answer:
    return Answer(send=endpoint.chunked(json.dumps(completion(_approval(request))).encode()))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_content(_parts), id="content-as-parts"),
        pytest.param(_content(_approval, finish=None), id="finish-missing-and-all-there"),
        pytest.param(_content(_approval, finish="end_turn"), id="finish-end-turn"),
        pytest.param(_content(_approval, finish="STOP"), id="finish-in-capitals"),
        pytest.param(_content(lambda r: f"Here it is:\n```json\n{_approval(r)}\n```\nBye."), id="in-a-fence"),
        pytest.param(_content(_approval, refusal=""), id="empty-refusal"),
        pytest.param(_envelope(error=None), id="error-null"),
        pytest.param(_envelope(usage=None), id="usage-null"),
        pytest.param(_envelope(usage={"prompt_tokens": "ten", "completion_tokens": -1}), id="usage-nonsense"),
        pytest.param(_envelope(usage={"prompt_tokens": 10**30, "prompt_tokens_details": 3}), id="usage-gigantic"),
        pytest.param(_envelope(model=None), id="model-null"),
        pytest.param(_envelope(model=["gpt-5.5"]), id="model-a-list"),
        pytest.param(_headed(lambda body: b"\n \n" * 100 + body), id="white-space-ahead"),
        pytest.param(_headed(lambda body: body, Content_Type="text/plain"), id="wrong-content-type"),
        pytest.param(_headed(lambda body: body, Content_Encoding="identity"), id="encoding-identity"),
        pytest.param(_in_chunks, id="chunked"),
    ],
)
def test_an_odd_reply_that_is_whole_counts(script: Script, changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(script)
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("approve", 0), result
    assert len(server.requests) == 1


@pytest.mark.parametrize("receipt", [None, "0123456789abcdef-0123456789abcdef"], ids=["none", "wrong"])
def test_a_block_stands_without_the_receipt(
    receipt: str | None, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.blocks(receipt=receipt))
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("block", 1), result
    assert len(server.requests) == 1


HOSTILE = "\x1b]0;title\x07 \u202e \x00 \ud800 \udc80 \U000e0041 ::error::"


@pytest.mark.parametrize("field", ["summary", "title", "quote", "file", "fix", "question", "model"])
def test_characters_that_no_output_can_hold_lose_no_verdict(
    field: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    def script(request: Request) -> Answer:
        found = finding(**{field: HOSTILE}) if field in {"title", "quote", "file", "fix"} else finding()
        summary = HOSTILE if field == "summary" else "A summary."
        questions = [HOSTILE] if field == "question" else []
        made = reply("block", request, findings=[found], summary=summary, questions=questions)
        return endpoint.answer(completion(json.dumps(made), model=HOSTILE if field == "model" else "gpt-5.5"))

    configure(serve(script))
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("block", 1), result
    shown = changed.run("log", "show", str(payload["log_id"]))
    assert shown.code == 0, shown
    for text in (json.dumps(payload, ensure_ascii=False), shown.out):
        assert not set(text) & set("\x1b\x07\u202e\x00\ud800\U000e0041"), ascii(text)


# --- where to -------------------------------------------------------------------------------------------------


def test_nothing_listens_at_the_address(changed: Repo, configure: Configure) -> None:
    configure(f"http://127.0.0.1:{endpoint.free_port()}/v1")
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("unreviewed", 2)
    assert "nothing listens at http://127.0.0.1:" in payload["problem"]["what"]


def test_a_host_that_has_no_address_is_told_as_such(changed: Repo, configure: Configure) -> None:
    configure("https://nonexistent.invalid/v1")
    payload, result = judged(changed, "--timeout", "20")
    assert (payload["outcome"], result.code) == ("unreviewed", 2)
    assert "loop:gpt-5.5 at https://nonexistent.invalid can't be reached" in payload["problem"]["what"]
    assert "can't be resolved" in payload["problem"]["what"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_other_host_gets_nothing(
    status: int, changed: Repo, serve: Serve, configure: Configure
) -> None:
    other = serve(endpoint.approves())
    server = serve(endpoint.fails(status, Location=f"{other.url}/chat/completions"))
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("error", 2), result
    assert f"redirects elsewhere ({status})" in payload["problem"]["what"]
    assert len(server.requests) == 1
    assert other.connections == 0
    assert other.bytes_received == 0


# --- TLS ------------------------------------------------------------------------------------------------------


class Certificate(NamedTuple):
    path: str
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1 that nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so that no certificate can be made")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"]},
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Certificate(certificate, context)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Certificate, changed: Repo, configure: Configure
) -> None:
    with serving(endpoint.approves(), certificate=certificate.context) as server:
        configure(server)
        payload, result = judged(changed)
        assert (payload["outcome"], result.code) == ("unreviewed", 2), result
        assert "the TLS certificate or handshake was not accepted" in payload["problem"]["what"]
        assert "SSL_CERT_FILE" in payload["problem"]["do"]
        assert server.requests == []


def test_a_certificate_of_ones_own_authority_is_accepted_as_the_message_says(
    certificate: Certificate, changed: Repo, configure: Configure
) -> None:
    with serving(endpoint.approves(), certificate=certificate.context) as server:
        configure(server)
        payload, result = judged(changed, SSL_CERT_FILE=certificate.path)
        assert (payload["outcome"], result.code) == ("approve", 0), result
        assert payload["reviews"][0]["origin"] == server.origin


def test_a_certificate_for_another_host_is_refused(
    certificate: Certificate, changed: Repo, configure: Configure
) -> None:
    with serving(endpoint.approves(), certificate=certificate.context) as server:
        configure(server.url.replace("127.0.0.1", "localhost"))
        payload, result = judged(changed, SSL_CERT_FILE=certificate.path)
        assert (payload["outcome"], result.code) == ("unreviewed", 2), result
        assert "TLS" in payload["problem"]["what"]
        assert server.requests == []


def test_plain_http_to_a_port_that_speaks_tls(certificate: Certificate, changed: Repo, configure: Configure) -> None:
    with serving(endpoint.approves(), certificate=certificate.context) as server:
        configure(server.url.replace("https://", "http://"))
        payload, result = judged(changed)
        assert (payload["outcome"], result.code) == ("unreviewed", 2), result
        assert "can't be reached" in payload["problem"]["what"]
        assert server.requests == []


def test_tls_to_a_port_that_speaks_plain_http(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.approves())
    configure(server.url.replace("http://", "https://"))
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "the TLS certificate or handshake was not accepted" in payload["problem"]["what"]
    assert server.requests == []


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"SSL_CERT_FILE": "/nonexistent/authority.pem"}, id="no-such-file-of-certificates"),
        pytest.param({"HTTPS_PROXY": "socks9://user:hunter2-secret@127.0.0.1:9"}, id="a-proxy-of-no-known-kind"),
        pytest.param({"HTTPS_PROXY": "http://user:hunter2-secret@127.0.0.1:nine"}, id="a-proxy-without-a-port"),
        pytest.param({"HTTPS_PROXY": "http://user:hunter2-secret@127.0.0.1:9"}, id="a-proxy-that-is-not-there"),
    ],
)
def test_a_variable_that_leads_nowhere_is_no_verdict_and_shows_no_password(
    environment: dict[str, str], changed: Repo, configure: Configure
) -> None:
    configure("https://nonexistent.invalid/v1")
    payload, result = judged(changed, "--timeout", "20", **environment)
    assert payload["outcome"] in {"error", "unreviewed"}
    assert result.code == 2
    assert "nonexistent.invalid" in payload["problem"]["what"]
    assert "hunter2" not in result.text


# --- the clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(endpoint.sends(endpoint.drip), id="in-the-body"),
        pytest.param(endpoint.sends(endpoint.drip_headers), id="in-the-headers"),
        pytest.param(endpoint.sends(lambda handler: time.sleep(30)), id="nothing-at-all"),
    ],
)
def test_a_slow_drip_ends_at_the_deadline(script: Script, changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(script)
    configure(server)
    started = time.monotonic()
    payload, result = judged(changed, "--timeout", "6")
    assert time.monotonic() - started < 6 + 3
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "gave no answer within" in payload["problem"]["what"], result
    assert "timeout" in payload["problem"]["do"]
    assert len(server.requests) == 1


def test_a_provider_may_have_a_shorter_time_of_its_own(changed: Repo, serve: Serve, configure: Configure) -> None:
    file = configure(serve(endpoint.sends(endpoint.drip)))
    file.write_text(file.read_text() + "timeout = 1\n")
    started = time.monotonic()
    payload, result = judged(changed, "--timeout", "30")
    assert time.monotonic() - started < SOON
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "gave no answer within 1 s" in payload["problem"]["what"]


@pytest.mark.parametrize("asked", ["120", "inf"])
def test_it_gives_up_where_it_should_wait_beyond_the_deadline(
    asked: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.fails(429, "too many requests", Retry_After=asked))
    configure(server)
    started = time.monotonic()
    payload, result = judged(changed, "--timeout", "30")
    assert time.monotonic() - started < SOON
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "is over its limits (429): too many requests" in payload["problem"]["what"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ["0", "nan", ""], ids=["zero", "nan", "none"])
def test_an_endpoint_that_is_always_busy_is_not_asked_for_ever(
    asked: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.fails(429, Retry_After=asked))
    configure(server)
    started = time.monotonic()
    payload, result = judged(changed, "--timeout", "6")
    assert time.monotonic() - started < 6 + 3
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "(429)" in payload["problem"]["what"], result
    assert 2 <= len(server.requests) <= 6


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(endpoint.fails(429, Retry_After="0"), id="429-with-Retry-After-0"),
        pytest.param(endpoint.fails(429, Retry_After_Ms="20"), id="429-with-Retry-After-Ms"),
        pytest.param(endpoint.fails(408), id="408"),
        pytest.param(endpoint.fails(500), id="500"),
        pytest.param(endpoint.fails(503), id="503"),
        pytest.param(endpoint.sends(endpoint.hang_up), id="closed-at-once"),
        pytest.param(endpoint.sends(endpoint.cut_short(b'{"choices": [')), id="closed-in-the-body"),
    ],
)
def test_a_passing_fault_is_got_over(first: Script, changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(first, endpoint.approves())
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("approve", 0), result
    assert len(server.requests) == 2
    assert server.requests[0].body == server.requests[1].body


# --- a context that is too short ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(
            400,
            {
                "message": "This model's maximum context length is 8192 tokens, however you requested 9000 tokens.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            },
            id="openai",
        ),
        pytest.param(400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}, id="anthropic"),
        pytest.param(400, {"message": "the request exceeds the available context size"}, id="llama.cpp"),
        pytest.param(
            400, {"message": "litellm.ContextWindowExceededError: litellm.BadRequestError: too many"}, id="litellm"
        ),
        pytest.param(413, {"message": "Request Entity Too Large"}, id="status-413"),
    ],
)
def test_a_change_too_long_for_the_model_is_incomplete_coverage_and_names_the_file(
    status: int, error: dict[str, Any], changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.data({"error": error}, status))
    configure(server)
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("block", 1), result
    assert payload["coverage"]["complete"] is False
    assert [item["path"] for item in payload["coverage"]["withheld"]] == ["app.py"]
    (found,) = payload["findings"]
    assert (found["rule"], found["file"], found["effect"]) == ("incomplete-coverage", "app.py", "block")
    assert payload["reviews"] == []
    assert len(server.requests) == 1


def test_a_change_too_long_for_the_model_is_never_approved_by_a_lenient_rule(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(endpoint.fails(400, "context_length_exceeded")))
    changed.write(".twoagent-hook.toml", 'rules = { incomplete-coverage = "note" }\n')
    changed.git("add", ".twoagent-hook.toml")
    changed.git("commit", "--quiet", "--no-verify", "--message", "policy", "--only", "--", ".twoagent-hook.toml")
    payload, result = judged(changed)
    assert (payload["outcome"], result.code) == ("unreviewed", 2), result
    assert "too long for this model" in payload["problem"]["what"]


# --- the key --------------------------------------------------------------------------------------------------


def _echo(request: Request) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            lambda request: endpoint.fails(401, f"Incorrect API key provided: {_echo(request)}.")(request),
            id="401-in-the-message",
        ),
        pytest.param(lambda request: endpoint.fails(400, f"bad key '{_echo(request)}'")(request), id="400"),
        pytest.param(lambda request: endpoint.page(f"no: {_echo(request)}", 401)(request), id="401-plain-text"),
        pytest.param(lambda request: endpoint.page(f"no: {_echo(request)}", 400)(request), id="400-plain-text"),
        pytest.param(lambda request: endpoint.data({"detail": _echo(request)}, 422)(request), id="422-detail"),
        pytest.param(
            lambda request: endpoint.data([{"error": {"message": _echo(request)}}], 400)(request), id="400-list"
        ),
        pytest.param(lambda request: endpoint.data({"error": _echo(request)})(request), id="200-error"),
        pytest.param(
            lambda request: endpoint.fails(307, _echo(request), Location=f"http://x/?key={_echo(request)}")(request),
            id="redirect",
        ),
        pytest.param(lambda request: endpoint.page(f"<p>{_echo(request)}")(request), id="200-web-page"),
        pytest.param(lambda request: endpoint.page(_echo(request) * 20)(request), id="200-not-JSON"),
        pytest.param(
            lambda request: endpoint.says_content(None, refusal=f"no, {_echo(request)}")(request), id="refusal"
        ),
        pytest.param(lambda request: endpoint.says_content("{}", finish=_echo(request))(request), id="finish-reason"),
        pytest.param(lambda request: _bad(verdict=_echo(request))(request), id="unknown-verdict"),
        pytest.param(lambda request: endpoint.says_content(f"Your key is {_echo(request)}")(request), id="prose-only"),
    ],
)
def test_a_key_that_the_endpoint_echoes_is_neither_printed_nor_stored(
    script: Script, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(script)
    configure(server)
    _, result = judged(changed)  # which looks for the key everywhere
    assert result.code == 2, result
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


# --- memory ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        pytest.param(endpoint.sends(endpoint.flood(200)), 150, id="50-MB-of-spaces"),
        pytest.param(endpoint.sends(endpoint.flood(500)), 150, id="50-MB-of-error"),
        pytest.param(endpoint.page(bomb(), Content_Encoding="gzip"), 150, id="gzip-bomb"),
        pytest.param(endpoint.page(bomb(), 500, Content_Encoding="gzip"), 150, id="gzip-bomb-with-500"),
        pytest.param(endpoint.page("[" * 4_000_000), 150, id="4-MB-of-brackets"),
        pytest.param(endpoint.page(b'{"a": [' + b"[]," * 1_300_000 + b"[]]}"), 250, id="a-million-empty-lists"),
    ],
)
def test_a_gigantic_reply_takes_no_gigantic_memory(
    script: Script, limit: int, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(script))
    # By a process in between: what the test's own process holds would count as the child's at its birth.
    measure = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=2); "
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure, str(SCRIPT), "review"],
        cwd=changed.root,
        env=changed.environment,
        capture_output=True,
        check=True,
    )
    code, peak = map(int, done.stdout.split())
    assert code == 2, done.stderr
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    assert peak * unit < limit * 1_000_000
