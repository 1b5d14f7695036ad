"""The Responses API: when it is asked, what is sent to it, and what its answers come to."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import server as endpoint
from support.repo import Repo
from support.server import Answer, Request, Script, Server, completion, in_turn, message, reply, response

KEY = "sk-loop-0123456789"
CODES = {"approve": 0, "block": 1}
LATER = {"Retry_After": "600"}

Serve = Callable[..., Server]
Configure = Callable[..., Path]
Ask = Callable[..., Server]


@pytest.fixture
def ask(serve: Serve, configure: Configure) -> Ask:
    """Sets up a reviewer behind an endpoint, by default one that is asked over Responses alone."""

    def start(*scripts: Script, api: str | None = "responses", text: str = "", **values: str) -> Server:
        server = serve(*scripts)
        file = configure(server, text, **values)
        if api:
            file.write_text(file.read_text() + f'api = "{api}"\n')
        return server

    return start


def paths(server: Server) -> list[str]:
    return [request.path.removeprefix("/v1/") for request in server.requests]


def approval(request: Request, **values: Any) -> str:
    return json.dumps(reply("approve", request, **values))


def block(request: Request) -> str:
    return json.dumps(reply("block", request, findings=[endpoint.finding()]))


def outputs(make: Callable[[Request], Any], **values: Any) -> Script:
    """A whole response with an output made of the request."""
    return lambda request: endpoint.answer(response(**{"output": make(request), **values}))


def approves(**values: Any) -> Script:
    """A whole response that approves but for these values of the envelope."""
    return outputs(lambda request: [message(approval(request))], **values)


def by_api(**refused: Script) -> Script:
    return lambda request: refused.get(request.api, endpoint.approves())(request)


def evidence(repo: Repo) -> Mapping[str, Any]:
    """Of the last request to the reviewer."""
    found: Mapping[str, Any] = next(entry for entry in repo.log() if entry["role"] == "reviewer")["evidence"]
    return found


# --- what is sent ---------------------------------------------------------------------------------------------


def test_the_request_is_lean_and_asks_that_nothing_be_kept(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.approves())
    assert changed.review()["outcome"] == "approve"
    (request,) = server.requests
    assert request.path == "/v1/responses"
    assert set(request.body) == {"model", "instructions", "input", "text", "store"}
    assert request.body["model"] == "gpt-5.5"
    assert request.body["store"] is False
    assert [(set(turn), turn["role"]) for turn in request.body["input"]] == [({"role", "content"}, "user")]
    assert "return total / count" in request.user
    assert "JSON" in request.body["instructions"]
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_the_form_is_that_of_the_chat_api_written_in_another_way(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.approves())
    file = configure(server)
    changed.review()
    file.write_text(file.read_text() + 'api = "responses"\n')
    changed.review("--no-cache")
    chat, responses = server.requests
    wanted = responses.body["text"]["format"]
    assert set(responses.body["text"]) == {"format"}
    assert wanted == {"type": "json_schema", **chat.body["response_format"]["json_schema"]}
    assert wanted["strict"] is True
    assert (responses.system, len(responses.user)) == (chat.system, len(chat.user))


def test_the_seed_prompt_asks_for_no_form(changed: Repo, ask: Ask) -> None:
    def script(request: Request) -> Answer:
        return endpoint.answer(response(f"Verdict: approve\nReceipt: {request.receipt}\n"))

    server = ask(script, text='prompt = "seed"')
    assert changed.review()["outcome"] == "approve"
    assert set(server.requests[0].body) == {"model", "instructions", "input", "store"}


@pytest.mark.parametrize(
    ("refused", "forms"),
    [
        (("json_schema",), ["json_schema", "json_object"]),
        (("json_schema", "json_object"), ["json_schema", "json_object", "text"]),
    ],
    ids=["no-schema", "no-form"],
)
def test_the_strictest_form_that_it_takes_is_found(
    refused: tuple[str, ...], forms: list[str], changed: Repo, ask: Ask
) -> None:
    said = "Invalid parameter: 'text.format' of type 'json_schema' is not supported with this model."

    def script(request: Request) -> Answer:
        return (endpoint.fails(400, said) if request.form in refused else endpoint.approves())(request)

    server = ask(script)
    assert changed.review()["outcome"] == "approve"
    assert [request.form for request in server.requests] == forms
    assert [request.body.get("text") for request in server.requests][1:2] == [{"format": {"type": "json_object"}}]
    assert all(request.body["store"] is False for request in server.requests)
    assert (evidence(changed)["form"], evidence(changed)["attempts"]) == (forms[-1], len(forms))


def test_a_dry_run_shows_the_request_and_sends_nothing(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.approves())
    result = changed.call("review", "--dry-run", "--output-format", "json")
    (shown,) = result.json["requests"]
    assert (shown["method"], shown["url"]) == ("POST", f"{server.url}/responses")
    assert set(shown["body"]) == {"model", "instructions", "input", "text", "store"}
    assert "return total / count" in shown["body"]["input"][0]["content"]
    assert (server.requests, KEY in result.text) == ([], False)


def test_a_dry_run_in_words_shows_the_change(changed: Repo, ask: Ask) -> None:
    ask(endpoint.approves())
    result = changed.call("review", "--dry-run")
    assert "/responses" in result.out
    assert "return total / count" in result.out
    assert not set(result.out) & set("\x1b\u202e"), result


def test_the_extra_body_of_a_provider_is_merged(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.approves())
    file = Path(changed.environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
    file.write_text(file.read_text() + 'extra-body = { reasoning = { effort = "low" } }\n')
    assert changed.review()["outcome"] == "approve"
    assert server.requests[0].body["reasoning"] == {"effort": "low"}
    assert server.requests[0].body["store"] is False


# --- that nothing be kept: a field that not every endpoint knows ----------------------------------------------


def _store_detail(kind: str) -> dict[str, Any]:
    return {"detail": [{"type": kind, "loc": ["body", "store"], "msg": "Extra inputs are not permitted"}]}


STORELESS = {
    "openai": endpoint.fails(400, "Unknown parameter: 'store'."),
    "double-quotes": endpoint.fails(400, 'Unrecognized request argument supplied: "store"'),
    "backticks": endpoint.fails(400, "unknown field `store`, expected one of `model`, `input`"),
    "mistral": endpoint.data(_store_detail("extra_forbidden"), 422),
    "param": endpoint.data({"error": {"message": "Unsupported parameter.", "param": "store"}}, 400),
    "gemini": endpoint.data(
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "store": Cannot find field.',
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        400,
    ),
}


def storeless(refusal: Script, then: Script | None = None) -> Script:
    """Knows no `store`."""
    return lambda request: (refusal if "store" in request.body else then or endpoint.approves())(request)


@pytest.mark.parametrize("words", STORELESS)
def test_the_field_is_left_out_where_it_is_refused_and_nothing_else_changes(
    words: str, changed: Repo, ask: Ask
) -> None:
    server = ask(storeless(STORELESS[words]))
    payload = changed.review()
    assert payload["outcome"] == "approve", payload
    first, second = server.requests
    assert {**second.body, "store": False} == first.body
    assert (evidence(changed)["attempts"], evidence(changed)["form"]) == (2, "json_schema")


def test_it_stays_left_out_in_the_repair(changed: Repo, ask: Ask) -> None:
    then = in_turn(endpoint.data(response("Ship it.")), endpoint.approves())
    server = ask(storeless(STORELESS["openai"], then))
    assert changed.review()["outcome"] == "approve"
    assert ["store" in request.body for request in server.requests] == [True, False, False]


def test_it_is_refused_beside_a_form(changed: Repo, ask: Ask) -> None:
    def then(request: Request) -> Answer:
        refused = request.form == "json_schema"
        return (endpoint.fails(400, "'text.format' is unavailable now") if refused else endpoint.approves())(request)

    server = ask(storeless(STORELESS["openai"], then))
    assert changed.review()["outcome"] == "approve"
    assert [("store" in request.body, request.form) for request in server.requests] == [
        (True, "json_schema"),
        (False, "json_schema"),
        (False, "json_object"),
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "vector store not found"), (400, "we store nothing"), (401, "'store' is not for you"), (404, "no 'store'")],
)
def test_another_refusal_is_not_answered_by_asking_that_more_be_kept(
    status: int, words: str, changed: Repo, ask: Ask
) -> None:
    server = ask(endpoint.fails(status, words))
    assert changed.review()["exit_code"] == 2
    assert len(server.requests) == 1


def test_an_endpoint_that_refuses_it_whether_it_is_there_or_not_is_not_asked_for_ever(changed: Repo, ask: Ask) -> None:
    server = ask(STORELESS["openai"])
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert len(server.requests) == 2


# --- over which API -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5-codex", ["responses"]),
        ("gpt-5.1-codex-max", ["responses"]),
        ("GPT-5-Codex", ["responses"]),
        ("o3-pro", ["responses"]),
        ("o3-pro-2025-06-10", ["responses"]),
        ("gpt-5-pro-2025-10-06", ["responses"]),
        ("gpt-5-pro-20251006", ["responses"]),
        ("gpt-daybreak-blue", ["responses"]),
        ("gpt-daybreak-blue-2026-11-01", ["responses"]),
        ("gpt-5.5", ["chat/completions"]),
        ("gpt-5.5-2026-04-01", ["chat/completions"]),
        ("gpt-5-prodigy", ["chat/completions"]),
        ("gpt-5-codexer", ["chat/completions"]),
        ("gpt-5-pro-mini", ["chat/completions"]),
        ("o3-probe", ["chat/completions"]),
        ("my-gpt-5-pro", ["chat/completions"]),
        ("gpt-daybreak", ["chat/completions"]),
    ],
)
def test_a_model_that_is_known_to_answer_there_alone_is_asked_there(
    model: str, expected: list[str], changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.approves(model=model))
    configure(server, reviewer=f"openai:{model}")
    payload = changed.review(OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-own-987654321")
    assert payload["outcome"] == "approve", payload
    assert paths(server) == expected


def test_the_same_model_elsewhere_is_asked_over_the_chat_api_first(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.approves(model="openai/gpt-5-codex"), api=None, reviewer="loop:openai/gpt-5-codex")
    assert changed.review()["outcome"] == "approve"
    assert paths(server) == ["chat/completions"]


NO_CHAT = {
    "openai": (404, "This model is only supported in v1/responses and not in v1/chat/completions.", None),
    "no-chat-model": (
        404,
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean v1/completions?",
        None,
    ),
    "copilot": (400, "model is not accessible via the /chat/completions endpoint", "unsupported_api_for_model"),
    "in-words": (400, "Please use the Responses API for this model.", None),
}


def refuses_chat(words: str) -> Script:
    status, text, code = NO_CHAT[words]
    return endpoint.data({"error": {"message": text, "code": code, "param": "model"}}, status)


@pytest.mark.parametrize("words", NO_CHAT)
def test_an_endpoint_that_says_so_is_asked_over_responses(words: str, changed: Repo, ask: Ask) -> None:
    server = ask(by_api(chat=refuses_chat(words)), api=None)
    payload = changed.review()
    assert payload["outcome"] == "approve", payload
    assert paths(server) == ["chat/completions", "responses"]
    chat, responses = server.requests
    assert (responses.system, responses.user) == (chat.system, chat.user)
    assert (evidence(changed)["api"], evidence(changed)["attempts"]) == ("responses", 2)


def test_one_that_says_so_inside_of_a_200_too(changed: Repo, ask: Ask) -> None:
    _, text, _ = NO_CHAT["openai"]
    server = ask(by_api(chat=endpoint.data({"error": {"message": text, "code": 404}})), api=None)
    assert changed.review()["outcome"] == "approve"
    assert paths(server) == ["chat/completions", "responses"]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_where_there_is_no_such_path_the_chat_api_is_asked(
    status: int, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(by_api(responses=endpoint.page("<html>no such page</html>", status)))
    configure(server, reviewer="openai:gpt-5-codex")
    payload = changed.review(OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-own-987654321")
    assert payload["outcome"] == "approve", payload
    assert paths(server) == ["responses", "chat/completions"]
    assert (evidence(changed)["api"], evidence(changed)["form"]) == ("chat", "json_schema")


def test_neither_of_the_two_is_an_error_and_each_is_asked_once(changed: Repo, ask: Ask) -> None:
    server = ask(by_api(chat=refuses_chat("openai"), responses=endpoint.fails(404, "Not Found")), api=None)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert paths(server) == ["chat/completions", "responses"]


@pytest.mark.parametrize(
    ("api", "refused", "expected"),
    [
        ("chat", refuses_chat("openai"), ["chat/completions"]),
        ("responses", endpoint.fails(404, "Not Found"), ["responses"]),
        ("responses", endpoint.fails(405, "Method Not Allowed"), ["responses"]),
    ],
    ids=["chat", "responses-404", "responses-405"],
)
def test_the_api_that_the_user_pins_is_the_only_one(
    api: str, refused: Script, expected: list[str], changed: Repo, ask: Ask
) -> None:
    server = ask(by_api(**{api: refused}), api=api)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert paths(server) == expected


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "The model `gpt-5.5` does not exist or you do not have access to it."),
        (400, "messages: at least one message is required"),
        (401, "This model is only supported in v1/responses"),
        (403, "not a chat model for you"),
    ],
)
def test_another_refusal_of_the_chat_api_is_not_put_to_the_other(
    status: int, words: str, changed: Repo, ask: Ask
) -> None:
    server = ask(by_api(chat=endpoint.fails(status, words)), api=None)
    assert changed.review()["exit_code"] == 2
    assert paths(server) == ["chat/completions"]


# --- what comes back and is a reply ---------------------------------------------------------------------------


def _halves(request: Request) -> tuple[str, str]:
    text = approval(request)
    return text[: len(text) // 2], text[len(text) // 2 :]


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Block it?"}]}
THOUGHTS = {"type": "reasoning", "id": "rs_2", "content": [{"type": "reasoning_text", "text": '{"verdict": "block"}'}]}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}

WHOLE: dict[str, Script] = {
    "one-message": approves(),
    "a-thought-ahead": outputs(lambda r: [REASONING, message(approval(r))]),
    "thoughts-that-name-a-verdict": outputs(lambda r: [THOUGHTS, message(approval(r)), THOUGHTS]),
    "two-parts": outputs(lambda r: [message(*_halves(r))]),
    "two-messages-that-belong-together": outputs(lambda r: [message(half) for half in _halves(r)]),
    "a-comment-ahead": outputs(
        lambda r: [message("I read the diff.", phase="commentary"), message(approval(r), phase="final_answer")]
    ),
    "a-comment-that-names-a-verdict": outputs(
        lambda r: [message("Verdict: block", phase="commentary"), message(approval(r), phase="final_answer")]
    ),
    "a-comment-and-an-answer-without-a-phase": outputs(
        lambda r: [message("Verdict: block", phase="commentary"), message(approval(r))]
    ),
    "phase-null": outputs(lambda r: [message(approval(r), phase=None)]),
    "calls-of-tools": outputs(lambda r: [SEARCH, REASONING, message(approval(r))]),
    "a-kind-that-nobody-knows": outputs(lambda r: [{"type": "hologram", "content": "x"}, message(approval(r))]),
    "a-part-that-nobody-knows": outputs(lambda r: [message({"type": "hologram", "text": "x"}, approval(r))]),
    "no-objects-in-between": outputs(lambda r: [None, 7, "block", [], message(approval(r))]),
    "no-id-and-no-role": outputs(
        lambda r: [{"type": "message", "content": [{"type": "output_text", "text": approval(r)}]}]
    ),
    "in-a-fence": outputs(lambda r: [message(f"```json\n{approval(r)}\n```")]),
    "no-status": approves(status=None),
    "error-null": approves(error=None),
    "no-usage": approves(usage=None),
    "usage-nonsense": approves(usage={"input_tokens": "ten", "output_tokens": -1, "input_tokens_details": 3}),
    "usage-a-list": approves(usage=[1]),
    "no-model": approves(model=None),
    "model-a-list": approves(model=["gpt-5.5"]),
    "dated-model": approves(model="gpt-5.5-2026-04-01"),
    "more-than-is-known": approves(metadata={}, tools=[], service_tier="default", output_text="block"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_reply_counts_however_it_is_wrapped(case: str, changed: Repo, ask: Ask) -> None:
    server = ask(WHOLE[case])
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    assert len(server.requests) == 1


def test_the_tokens_are_those_that_it_counts(changed: Repo, ask: Ask) -> None:
    ask(endpoint.approves())
    (review,) = changed.review()["reviews"]
    counts = ("prompt_tokens", "output_tokens", "cached_tokens")
    assert [review[name] for name in counts] == [1200, 40, 1000]
    entry = changed.log()[1]
    assert [entry[name] for name in counts] == [1200, 40, 1000]
    assert (entry["evidence"]["api"], entry["evidence"]["finish"]) == ("responses", "completed")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 7, "output_tokens": 3}, [7, 3, None]),
        ({"input_tokens": 7, "input_tokens_details": None}, [7, None, None]),
        ({"input_tokens": 7, "input_tokens_details": {"cached_tokens": True}}, [7, None, None]),
        ({"input_tokens": 1.5, "output_tokens": 10**30, "input_tokens_details": {}}, [None, None, None]),
        ({"prompt_tokens": 7, "completion_tokens": 3}, [None, None, None]),
    ],
    ids=["no-details", "details-null", "cached-true", "impossible", "in-the-words-of-the-other-api"],
)
def test_tokens_that_it_does_not_count_are_unknown(
    usage: dict[str, Any], expected: list[int | None], changed: Repo, ask: Ask
) -> None:
    ask(approves(usage=usage))
    payload = changed.review()
    assert payload["outcome"] == "approve", payload
    (review,) = payload["reviews"]
    assert [review[name] for name in ("prompt_tokens", "output_tokens", "cached_tokens")] == expected


def test_a_block_blocks(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.blocks())
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1), payload
    assert len(server.requests) == 1


# --- what comes back and is none ------------------------------------------------------------------------------


class Fault(NamedTuple):
    """An answer, and what comes of it.

    Attributes:
        requests: how many the endpoint gets: what its model says badly it may say once more.
    """

    script: Script
    outcome: str
    told: str
    requests: int = 1


def _failed(code: Any, text: str = "it went wrong", **headers: str) -> Script:
    error = {"code": code, "message": text}
    return endpoint.data(response(status="failed", error=error), **headers)


def _incomplete(reason: Any) -> Script:
    return approves(status="incomplete", incomplete_details={"reason": reason})


def _chat_envelope(request: Request) -> Answer:
    return endpoint.answer(completion(approval(request)))


def _part(value: Any) -> Script:
    return outputs(lambda r: [message({"type": "output_text", "text": value})])


def _output(value: Any) -> Script:
    return endpoint.data(response(output=value))


def _refusal(request: Request) -> list[Any]:
    return [REASONING, message({"type": "refusal", "refusal": "I can't help with that."})]


BROKEN: dict[str, Fault] = {
    # why it ended
    "incomplete-max-output-tokens": Fault(_incomplete("max_output_tokens"), "invalid", "cut off before its end", 2),
    "incomplete-content-filter": Fault(_incomplete("content_filter"), "invalid", "content filter", 2),
    "incomplete-for-a-reason-nobody-knows": Fault(_incomplete("boredom"), "invalid", "unnaturally (boredom)", 2),
    "incomplete-without-a-reason": Fault(
        approves(status="incomplete", incomplete_details=None), "invalid", "cut off before its end", 2
    ),
    "incomplete-with-a-number": Fault(_incomplete(7), "invalid", "reason is no text"),
    "completed-and-cut-off": Fault(
        approves(incomplete_details={"reason": "max_output_tokens"}), "invalid", "cut off before its end", 2
    ),
    "in-progress": Fault(approves(status="in_progress"), "invalid", "unnaturally (in_progress)", 2),
    "queued": Fault(approves(status="queued", output=[]), "invalid", "unnaturally (queued)", 2),
    "cancelled": Fault(approves(status="cancelled"), "invalid", "unnaturally (cancelled)", 2),
    "failed-without-an-error": Fault(approves(status="failed"), "invalid", "unnaturally (failed)", 2),
    "failed-server-error": Fault(_failed("server_error", **LATER), "unreviewed", "is failing (500): it went wrong"),
    "failed-rate-limit": Fault(_failed("rate_limit_exceeded", **LATER), "unreviewed", "its limits (429): it went"),
    "failed-invalid-prompt": Fault(_failed("invalid_prompt"), "error", "refuses the request (400): it went wrong"),
    "failed-unknown-code": Fault(_failed("bad_weather"), "error", "refuses the request (400): it went wrong"),
    "failed-code-null": Fault(_failed(None), "error", "refuses the request (400): it went wrong"),
    "failed-code-a-list": Fault(_failed(["server_error"]), "error", "refuses the request (400)"),
    "failed-context": Fault(
        _failed("context_length_exceeded", "Your input exceeds the context window of this model."),
        "block",
        "too long for this model",
    ),
    "completed-with-an-error": Fault(
        approves(error={"code": "invalid_prompt", "message": "it went wrong"}), "error", "refuses the request (400)"
    ),
    # what it said
    "refusal": Fault(outputs(_refusal), "invalid", "declined to answer: I can't help with that.", 2),
    "refusal-beside-an-approval": Fault(
        outputs(lambda r: [message(approval(r), {"type": "refusal", "refusal": "No."})]), "invalid", "declined", 2
    ),
    "refusal-in-another-message": Fault(
        outputs(lambda r: [message({"type": "refusal", "refusal": "No."}), message(approval(r))]),
        "invalid",
        "declined",
        2,
    ),
    "two-messages-that-disagree": Fault(
        outputs(lambda r: [message(approval(r)), message(block(r))]), "invalid", "more than one verdict", 2
    ),
    "two-parts-that-disagree": Fault(
        outputs(lambda r: [message(approval(r), block(r))]), "invalid", "more than one verdict", 2
    ),
    "two-answers-beside-a-comment": Fault(
        outputs(
            lambda r: [
                message("Hm.", phase="commentary"),
                message(approval(r), phase="final_answer"),
                message(block(r)),
            ]
        ),
        "invalid",
        "more than one verdict",
        2,
    ),
    "an-approval-as-a-comment-on-an-answer-that-is-none": Fault(
        outputs(lambda r: [message(approval(r), phase="commentary"), message("Fine.", phase="final_answer")]),
        "invalid",
        "names no verdict",
        2,
    ),
    "an-approval-in-a-thought": Fault(
        outputs(lambda r: [{"type": "reasoning", "content": [{"type": "output_text", "text": approval(r)}]}]),
        "invalid",
        "the reply is empty",
        2,
    ),
    "an-approval-as-an-argument-of-a-tool": Fault(
        outputs(lambda r: [{"type": "function_call", "name": "review", "arguments": approval(r)}]),
        "invalid",
        "the reply is empty",
        2,
    ),
    "prose": Fault(endpoint.data(response("Looks good to me.")), "invalid", "names no verdict", 2),
    "wrong-receipt": Fault(
        outputs(lambda r: [message(approval(r, receipt="0123456789abcdef-0123456789abcdef"))]),
        "invalid",
        "a wrong receipt",
        2,
    ),
    # where its text should be
    "output-empty": Fault(_output([]), "invalid", "the reply is empty", 2),
    "output-only-a-thought": Fault(_output([REASONING]), "invalid", "the reply is empty", 2),
    "output-null": Fault(_output(None), "invalid", "the reply has no output"),
    "output-a-text": Fault(_output("approve"), "invalid", "the reply has no output"),
    "output-an-object": Fault(outputs(lambda r: message(approval(r))), "invalid", "the reply has no output"),
    "output-a-number": Fault(_output(7), "invalid", "the reply has no output"),
    "output-of-texts": Fault(outputs(lambda r: [approval(r)]), "invalid", "the reply is empty", 2),
    "output-of-lists": Fault(outputs(lambda r: [[message(approval(r))]]), "invalid", "the reply is empty", 2),
    "no-output": Fault(endpoint.data({"object": "response", "status": "completed"}), "invalid", "has no output"),
    "an-envelope-of-the-chat-api": Fault(_chat_envelope, "invalid", "the reply has no output"),
    "content-a-text": Fault(
        outputs(lambda r: [{"type": "message", "content": approval(r)}]), "invalid", "the reply is empty", 2
    ),
    "content-null": Fault(_output([{"type": "message", "content": None}]), "invalid", "the reply is empty", 2),
    "content-of-texts": Fault(
        outputs(lambda r: [{"type": "message", "content": [approval(r)]}]), "invalid", "the reply is empty", 2
    ),
    "type-missing": Fault(
        outputs(lambda r: [{"content": message(approval(r))["content"]}]), "invalid", "the reply is empty", 2
    ),
    "text-null": Fault(_part(None), "invalid", "text is no text"),
    "text-a-number": Fault(_part(1), "invalid", "text is no text"),
    "text-an-object": Fault(_part({"verdict": "approve"}), "invalid", "text is no text"),
    "text-a-list": Fault(_part(["approve"]), "invalid", "text is no text"),
    "text-blank": Fault(_part(" \n "), "invalid", "the reply is empty", 2),
    # no envelope at all
    "no-json": Fault(endpoint.page("event: response.completed\ndata: {}\n\n"), "invalid", "is not JSON"),
    "web-page": Fault(endpoint.page("<!doctype html><p>Welcome"), "invalid", "a web page"),
    "json-list": Fault(endpoint.data([1]), "invalid", "not a JSON object"),
    "json-null": Fault(endpoint.data(None), "invalid", "not a JSON object"),
    "empty-body": Fault(endpoint.page(""), "invalid", "the reply is empty"),
    "half-of-json": Fault(endpoint.page('{"output": ['), "invalid", "is not JSON"),
    "error-alone": Fault(endpoint.data({"error": {"message": "it went wrong"}}), "error", "it went wrong"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_has_one_outcome_and_is_no_approval(case: str, changed: Repo, ask: Ask) -> None:
    fault = BROKEN[case]
    server = ask(fault.script)
    payload = changed.review()
    assert payload["outcome"] == fault.outcome, payload
    assert payload["exit_code"] == (1 if fault.outcome == "block" else 2)
    said = " ".join((payload["problem"]["what"] if payload["problem"] else "", *payload["reasons"]))
    assert fault.told in said
    assert len(server.requests) == fault.requests
    assert payload["reviews"] == []


MALFORMED: dict[str, Script] = {
    "phase-a-list": outputs(lambda r: [message(approval(r), phase=[])]),
    "phase-an-object": outputs(lambda r: [message(approval(r), phase={"name": "final_answer"})]),
    "phase-a-number": outputs(lambda r: [message(approval(r), phase=7)]),
    "status-a-number": approves(status=7),
    "status-an-object": approves(status={"type": "incomplete"}),
    "status-false": approves(status=False),
    "details-a-text": approves(incomplete_details="max_output_tokens"),
    "details-with-an-object": approves(incomplete_details={"reason": {"type": "max_output_tokens"}}),
    "a-message-that-is-incomplete": outputs(lambda r: [message(approval(r), status="incomplete")]),
    "a-message-in-progress": outputs(lambda r: [message(approval(r), status="in_progress")]),
    "a-message-of-the-user": outputs(lambda r: [message(approval(r), role="user")]),
    "a-refusal-without-words": outputs(lambda r: [message(approval(r), {"type": "refusal", "refusal": ""})]),
    "a-refusal-that-is-null": outputs(lambda r: [message(approval(r), {"type": "refusal", "refusal": None})]),
    "a-refusal-that-is-an-object": outputs(lambda r: [message(approval(r), {"type": "refusal", "refusal": {}})]),
    "a-text-and-one-that-is-an-object": outputs(
        lambda r: [message(approval(r), {"type": "output_text", "text": {"verdict": "block"}})]
    ),
    "a-text-and-one-that-is-missing": outputs(lambda r: [message(approval(r), {"type": "output_text"})]),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_an_approval_in_a_malformed_answer_is_none_and_no_defect_of_ours(case: str, changed: Repo, ask: Ask) -> None:
    """Each holds the text of an approval with the right receipt, and something beside it that can't be."""
    server = ask(MALFORMED[case])
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert len(server.requests) in {1, 2}


def test_an_answer_of_responses_over_the_chat_api_is_no_approval(changed: Repo, ask: Ask) -> None:
    server = ask(approves(), lambda r: endpoint.answer(response(approval(r))), api="chat")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert "the reply has no choices" in payload["problem"]["what"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded"])
def test_a_failure_that_passes_is_got_over(code: str, changed: Repo, ask: Ask) -> None:
    server = ask(_failed(code, Retry_After="0"), endpoint.approves())
    assert changed.review()["outcome"] == "approve"
    assert server.requests[0].body == server.requests[1].body
    assert evidence(changed)["attempts"] == 2


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_status_has_the_outcome_that_it_has_over_the_chat_api(status: int, changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.fails(status, "it went wrong", **LATER))
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert f"({status}): it went wrong" in payload["problem"]["what"]
    assert paths(server) == ["responses"]


def test_the_key_that_it_echoes_is_not_shown(changed: Repo, ask: Ask) -> None:
    ask(lambda r: endpoint.answer(response(status="failed", error={"code": "x", "message": f"no: {KEY}"})))
    result = changed.call("review", "--output-format", "json")
    assert result.json["outcome"] == "error"
    assert "no: ***" in result.json["problem"]["what"]
    assert KEY not in result.text


# --- the one repair -------------------------------------------------------------------------------------------


def test_a_reply_that_can_not_be_used_is_asked_for_once_more(changed: Repo, ask: Ask) -> None:
    server = ask(endpoint.data(response(REASONING, "I like it. Ship it!")), endpoint.approves())
    assert changed.review()["outcome"] == "approve"
    first, second = server.requests
    assert second.path == "/v1/responses"
    assert [turn["role"] for turn in second.body["input"]] == ["user", "assistant", "user"]
    assert second.body["input"][:1] == first.body["input"]
    assert second.body["input"][1]["content"] == "I like it. Ship it!"
    assert "could not be used: the reply names no verdict" in second.body["input"][2]["content"]
    assert all(second.body[name] == first.body[name] for name in ("instructions", "text", "store", "model"))
    assert "previous_response_id" not in second.body


def test_an_empty_reply_is_repaired_without_an_empty_message(changed: Repo, ask: Ask) -> None:
    server = ask(_output([REASONING]), endpoint.approves())
    assert changed.review()["outcome"] == "approve"
    assert all(turn["content"].strip() for turn in server.requests[1].body["input"])


def test_the_repair_goes_where_the_first_request_found_an_answer(changed: Repo, ask: Ask) -> None:
    then = in_turn(endpoint.data(response("Ship it.")), endpoint.approves())
    server = ask(by_api(chat=refuses_chat("openai"), responses=then), api=None)
    assert changed.review()["outcome"] == "approve"
    assert paths(server) == ["chat/completions", "responses", "responses"]


# --- who answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        pytest.param(endpoint.approves(model="claude-opus-4-8"), "refused", id="the-author"),
        pytest.param(endpoint.blocks(model="claude-opus-4-8"), "refused", id="the-author-blocks"),
        pytest.param(endpoint.approves(model="qwen3-max"), "invalid", id="of-another-vendor"),
        pytest.param(endpoint.approves(model="reviewer"), "approve", id="an-alias"),
        pytest.param(
            lambda r: endpoint.answer(response(approval(r)), X_Litellm_Model_Name="anthropic/claude-opus-4-8"),
            "refused",
            id="the-author-in-a-header",
        ),
    ],
)
def test_the_model_that_answered_is_held_against_the_author_and_the_request(
    script: Script, outcome: str, changed: Repo, ask: Ask
) -> None:
    server = ask(script)
    payload = changed.review("--author", "claude-opus-4-8")
    assert payload["outcome"] == outcome, payload
    assert payload["exit_code"] == CODES.get(outcome, 2)
    assert len(server.requests) == 1
