"""What is sent to an endpoint of chat completions, in which form, how often, and who may answer."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import server as endpoint
from support.repo import Repo
from support.server import Answer, Request, Script, Server, completion, finding, reply

KEY = "sk-loop-0123456789"
LEAN = {"model", "messages", "response_format"}

Serve = Callable[..., Server]
Configure = Callable[..., Path]


def form(request: Request) -> str:
    """How the request asks the endpoint to shape the reply."""
    return str(request.body.get("response_format", {"type": "text"})["type"])


def forms(server: Server) -> list[str]:
    return [form(request) for request in server.requests]


def results(repo: Repo) -> list[tuple[str, str]]:
    """The log in the order in which it was written."""
    return [(entry["role"], entry["result"]) for entry in reversed(repo.log())]


# --- the request ----------------------------------------------------------------------------------------------


def test_the_request_is_lean(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    configure(server)
    assert changed.review()["outcome"] == "approve"
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert set(request.body) == LEAN
    assert request.body["model"] == "gpt-5.5"
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert all(set(message) == {"role", "content"} for message in request.body["messages"])
    assert all(isinstance(message["content"], str) for message in request.body["messages"])
    assert "return total / count" in request.user


def _objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)


def test_the_schema_keeps_the_rules_of_strict_mode(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    configure(server)
    changed.review()
    wanted = server.requests[0].body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["strict"] is True
    found = list(_objects(wanted["json_schema"]["schema"]))
    assert len(found) >= 2  # the reply and a finding
    for schema in found:
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) == set(schema["properties"])
    assert "$ref" not in json.dumps(wanted)


def test_the_form_is_told_in_words_too_since_some_endpoints_ignore_it(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve()
    configure(server)
    changed.review()
    (request,) = server.requests
    schema = request.body["response_format"]["json_schema"]["schema"]
    assert "JSON" in request.system
    for name in schema["properties"]:
        assert f'"{name}"' in request.system


def test_the_key_is_sent_and_nothing_of_the_environment_goes_with_it(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve()
    configure(server)
    payload = changed.review(
        OPENAI_ORG_ID="org-ambient",
        OPENAI_PROJECT_ID="proj-ambient",
        OPENAI_CUSTOM_HEADERS="X-Ambient: ambient\nAuthorization: Bearer ambient",
        OPENAI_API_KEY="sk-ambient",
        OPENAI_ADMIN_KEY="sk-admin-ambient",
        ANTHROPIC_API_KEY="sk-ant-ambient",
    )
    assert payload["outcome"] == "approve"
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert not {"openai-organization", "openai-project", "x-ambient"} & set(request.headers)
    assert "ambient" not in str(request.headers)
    assert b"ambient" not in request.raw


def test_a_provider_without_a_key_gets_no_authorization(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    file = configure(server)
    file.write_text(file.read_text().replace('api-key-env = "LOOP_KEY"\n', ""))
    assert changed.review(OPENAI_API_KEY="sk-ambient")["outcome"] == "approve"
    (request,) = server.requests
    assert "authorization" not in request.headers
    assert "sk-" not in str(request.headers)


def test_the_headers_of_a_provider_are_sent(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    file = configure(server)
    file.write_text(file.read_text() + 'headers = { X-Team = "core", User-Agent = "gate" }\n')
    assert changed.review()["outcome"] == "approve"
    (request,) = server.requests
    assert request.headers["x-team"] == "core"
    assert request.headers["user-agent"] == "gate"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_the_extra_body_of_a_provider_is_merged(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    file = configure(server)
    file.write_text(file.read_text() + 'extra-body = { reasoning_effort = "none", options = { num_ctx = 32768 } }\n')
    assert changed.review()["outcome"] == "approve"
    (request,) = server.requests
    assert set(request.body) == LEAN | {"reasoning_effort", "options"}
    assert request.body["reasoning_effort"] == "none"
    assert request.body["options"] == {"num_ctx": 32768}


@pytest.mark.parametrize("tail", ["", "/", "//"], ids=["none", "one", "two"])
def test_slashes_at_the_end_of_the_base_url_do_not_matter(
    tail: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve()
    configure(server.url + tail)
    payload = changed.review()
    assert payload["outcome"] == "approve", payload
    assert [request.path for request in server.requests] == ["/v1/chat/completions"]
    assert payload["reviews"][0]["origin"] == server.origin


def test_a_key_with_white_space_around_it_is_sent_without(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve()
    configure(server)
    assert changed.review(LOOP_KEY=f" {KEY}\n")["outcome"] == "approve"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("key", ["sk-loop-one\nX-Other: two", "sk-loop-ö", "sk-loop-\x1b[0m"])
def test_a_key_that_no_header_can_hold_is_an_error_that_does_not_show_it(
    key: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve()
    configure(server)
    result = changed.run("review", "--output-format", "json", LOOP_KEY=key)
    assert (result.json["outcome"], result.code) == ("error", 2), result
    assert "the key in LOOP_KEY is malformed" in result.json["problem"]["what"]
    assert "sk-loop" not in result.text
    assert server.requests == []


def test_a_dry_run_shows_the_request_that_would_be_sent_and_sends_nothing(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve()
    configure(server)
    result = changed.run("review", "--dry-run", "--output-format", "json")
    assert result.code == 0, result
    (shown,) = result.json["requests"]
    assert server.requests == []
    assert KEY not in result.text
    changed.review()
    (request,) = server.requests
    assert (shown["method"], shown["url"]) == ("POST", f"{server.origin}{request.path}")
    assert set(shown["body"]) == set(request.body)
    assert shown["body"]["response_format"] == request.body["response_format"]
    assert shown["body"]["messages"][0] == request.body["messages"][0]
    assert len(shown["body"]["messages"][1]["content"]) == len(request.user)  # but for the random tokens the same


def test_a_proxy_is_not_asked_to_reach_this_machine(changed: Repo, serve: Serve, configure: Configure) -> None:
    server, proxy = serve(), serve(endpoint.fails(502))
    configure(server)
    variables = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    assert changed.review(**dict.fromkeys(variables, proxy.origin))["outcome"] == "approve"
    assert len(server.requests) == 1
    assert proxy.connections == 0


# --- the ladder -----------------------------------------------------------------------------------------------

OPENAI = endpoint.fails(
    400,
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. "
    "Learn more about supported models at the Structured Outputs guide.",
)
ANTHROPIC = endpoint.data(
    {
        "type": "error",
        "error": {
            "type": "invalid_request_error",
            "message": "response_format.type: Input should be 'json_schema'",
        },
    },
    400,
)
DEEPSEEK = endpoint.fails(400, "This response_format type is unavailable now")
DEEPSEEK_422 = endpoint.fails(422, "response_format.type `json_schema` is unavailable now")
LM_STUDIO = endpoint.data({"error": "'response_format.type' must be 'json_schema' or 'text'"}, 400)
OPENROUTER = endpoint.data(
    {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}}, 404
)
OPENROUTER_200 = endpoint.data(
    {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}}
)
GEMINI = endpoint.data(
    [
        {
            "error": {
                "code": 400,
                "message": 'Invalid JSON payload received. Unknown name "response_format": Cannot find field.',
                "status": "INVALID_ARGUMENT",
            }
        }
    ],
    400,
)


def picky(**refused: Script) -> Script:
    """An endpoint that takes some forms and refuses others in its own words."""

    def script(request: Request) -> Answer:
        return refused.get(form(request), endpoint.approves())(request)

    return script


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(picky(), ["json_schema"], id="takes-everything"),
        pytest.param(picky(json_object=ANTHROPIC), ["json_schema"], id="anthropic"),
        pytest.param(picky(json_object=LM_STUDIO), ["json_schema"], id="lm-studio"),
        pytest.param(picky(json_schema=DEEPSEEK), ["json_schema", "json_object"], id="deepseek"),
        pytest.param(picky(json_schema=DEEPSEEK_422), ["json_schema", "json_object"], id="deepseek-422"),
        pytest.param(picky(json_schema=OPENAI), ["json_schema", "json_object"], id="openai-older-model"),
        pytest.param(
            picky(json_schema=OPENROUTER, json_object=OPENROUTER),
            ["json_schema", "json_object", "text"],
            id="openrouter",
        ),
        pytest.param(
            picky(json_schema=OPENROUTER_200, json_object=OPENROUTER_200),
            ["json_schema", "json_object", "text"],
            id="openrouter-with-status-200",
        ),
        pytest.param(
            picky(json_schema=DEEPSEEK, json_object=LM_STUDIO),
            ["json_schema", "json_object", "text"],
            id="text-alone-lm-studio",
        ),
        pytest.param(
            picky(json_schema=OPENAI, json_object=ANTHROPIC),
            ["json_schema", "json_object", "text"],
            id="text-alone-anthropic",
        ),
        pytest.param(
            picky(json_schema=GEMINI, json_object=GEMINI), ["json_schema", "json_object", "text"], id="gemini-list"
        ),
    ],
)
def test_the_strictest_form_that_the_endpoint_takes_is_found(
    script: Script, expected: list[str], changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(script)
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    assert forms(server) == expected
    call = changed.log()[1]
    assert (call["role"], call["evidence"]["form"], call["evidence"]["attempts"]) == (
        "reviewer",
        expected[-1],
        len(expected),
    )
    assert all(
        set(request.body) == LEAN - ({"response_format"} if form(request) == "text" else set())
        for request in server.requests
    )
    assert len({request.user for request in server.requests}) == 1


@pytest.mark.parametrize(
    ("script", "outcome", "fragment"),
    [
        pytest.param(
            endpoint.data(
                {
                    "error": {
                        "message": "The model `gpt-5.5` does not exist or you do not have access to it.",
                        "code": "model_not_found",
                    }
                },
                404,
            ),
            "error",
            "does not exist",
            id="unknown-model",
        ),
        pytest.param(
            endpoint.fails(400, "Invalid model name passed in model=gpt-5.5"),
            "error",
            "Invalid model name",
            id="unknown-model-of-litellm",
        ),
        pytest.param(
            endpoint.fails(401, "this key may not use response_format"), "unreviewed", "(401)", id="not-let-in"
        ),
    ],
)
def test_a_refusal_that_is_not_about_the_form_is_not_asked_again_in_another(
    script: Script, outcome: str, fragment: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(script)
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == (outcome, 2), payload
    assert fragment in payload["problem"]["what"]
    assert forms(server) == ["json_schema"]


def test_the_ladder_has_an_end(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.fails(400, "response_format: whatever it is, we do not take it"))
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "we do not take it" in payload["problem"]["what"]
    assert forms(server) == ["json_schema", "json_object", "text"]


# --- the seed form --------------------------------------------------------------------------------------------


def seed(verdict: str) -> Script:
    def script(request: Request) -> Answer:
        lines = (
            f"Verdict: {verdict}",
            f"Receipt: {request.receipt}",
            "",
            "Top risks",
            "- none",
            "Verification commands",
            "- python -m pytest",
        )
        return endpoint.answer(completion("\n".join(lines)))

    return script


@pytest.mark.parametrize(
    ("verdict", "outcome", "code"),
    [("approve", "approve", 0), ("request changes", "request_changes", 0), ("block", "block", 1)],
)
def test_the_seed_prompt_asks_for_no_form(
    verdict: str, outcome: str, code: int, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(seed(verdict))
    configure(server, 'prompt = "seed"')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == (outcome, code), payload
    assert payload["verification_commands"] == ["python -m pytest"]
    (request,) = server.requests
    assert set(request.body) == {"model", "messages"}
    assert request.system.startswith("You are an adversarial reviewer. Another agent wrote the patch below.")


def test_the_seed_form_is_repaired_in_its_own_words(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.says_content("Looks fine to me."), seed("approve"))
    configure(server, 'prompt = "seed"')
    assert changed.review()["outcome"] == "approve"
    first, second = server.requests
    assert set(second.body) == {"model", "messages"}
    assert 'one line "Verdict: ..."' in second.body["messages"][3]["content"]
    assert "JSON" not in second.body["messages"][3]["content"]
    assert first.body["messages"] == second.body["messages"][:2]


# --- the one repair -------------------------------------------------------------------------------------------


def test_a_reply_that_can_not_be_used_is_asked_for_once_more(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.says_content("I like it. Ship it!"), endpoint.approves())
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    first, second = server.requests
    assert [message["role"] for message in second.body["messages"]] == ["system", "user", "assistant", "user"]
    assert second.body["messages"][:2] == first.body["messages"]
    assert second.body["messages"][2]["content"] == "I like it. Ship it!"
    assert "could not be used: the reply names no verdict" in second.body["messages"][3]["content"]
    assert second.body["response_format"] == first.body["response_format"]
    assert second.headers["authorization"] == f"Bearer {KEY}"
    assert results(changed) == [("reviewer", "invalid"), ("reviewer", "approve"), ("gate", "approve")]


def test_two_replies_that_can_not_be_used_are_no_verdict(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.says_content("I like it."), endpoint.says_content(""), endpoint.approves())
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert "asked twice: the reply is empty" in payload["problem"]["what"]
    assert len(server.requests) == 2
    assert results(changed) == [("reviewer", "invalid"), ("reviewer", "invalid"), ("gate", "invalid")]


def test_an_empty_reply_is_repaired_without_an_empty_message(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(endpoint.says_content(None), endpoint.approves())
    configure(server)
    assert changed.review()["outcome"] == "approve"
    assert all(message["content"].strip() for message in server.requests[1].body["messages"])


def test_the_reply_to_a_repair_may_be_a_block(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(endpoint.says_content("Hm."), endpoint.blocks())
    configure(server)
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1), payload
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        pytest.param(endpoint.blocks(), "block", id="a-block"),
        pytest.param(endpoint.blocks(findings=[]), "block", id="a-block-without-findings"),
        pytest.param(endpoint.blocks(receipt=None), "block", id="a-block-without-receipt"),
        pytest.param(endpoint.blocks(receipt="a-b"), "block", id="a-block-with-a-wrong-receipt"),
        pytest.param(endpoint.approves(findings=[finding()]), "request_changes", id="a-contradictory-approval"),
    ],
)
def test_a_verdict_that_closes_or_lowers_is_never_asked_again(
    first: Script, outcome: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(first, endpoint.approves())
    configure(server, 'fail-on = "request-changes"')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == (outcome, 1), payload
    assert len(server.requests) == 1


# --- where the requests go ------------------------------------------------------------------------------------


def test_the_variable_of_the_openai_package_redirects_that_provider_and_the_origin_is_shown(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    gateway, other = serve(), serve()
    configure(other, reviewer="openai:gpt-5.5")
    payload = changed.review(OPENAI_BASE_URL=gateway.url, OPENAI_API_KEY="sk-own-987654321")
    assert payload["outcome"] == "approve", payload
    assert payload["reviews"][0]["provider"] == "openai"
    assert payload["reviews"][0]["origin"] == gateway.origin
    assert gateway.requests[0].headers["authorization"] == "Bearer sk-own-987654321"
    assert other.connections == 0
    assert changed.log()[1]["evidence"]["origin"] == gateway.origin


def test_what_the_users_own_file_pins_no_variable_redirects(changed: Repo, serve: Serve, configure: Configure) -> None:
    pinned, other = serve(), serve()
    configure(pinned, provider="openai", reviewer="openai:gpt-5.5")
    payload = changed.review(OPENAI_BASE_URL=other.url, OPENAI_API_KEY="sk-own-987654321")
    assert payload["outcome"] == "approve", payload
    assert payload["reviews"][0]["origin"] == pinned.origin
    assert pinned.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert other.connections == 0


def test_a_users_file_that_pins_something_else_leaves_the_address_to_the_variable(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    gateway = serve()
    file = configure(gateway, provider="openai", reviewer="openai:gpt-5.5")
    file.write_text(file.read_text().replace(f'base-url = "{gateway.url}"\n', ""))
    payload = changed.review(OPENAI_BASE_URL=gateway.url)
    assert payload["outcome"] == "approve", payload
    assert payload["reviews"][0]["origin"] == gateway.origin
    assert gateway.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_variable_of_the_openai_package_redirects_no_other_provider(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server, other = serve(), serve()
    configure(server)
    payload = changed.review(OPENAI_BASE_URL=other.url, OPENAI_API_KEY="sk-own-987654321")
    assert payload["outcome"] == "approve", payload
    assert payload["reviews"][0]["origin"] == server.origin
    assert other.connections == 0


@pytest.mark.parametrize(
    "address", ["http://gateway.example/v1", "https://gateway.example/v1?utm_source=x", "gateway.example/v1"]
)
def test_a_variable_with_an_address_that_can_not_be_right_is_an_error_that_names_it(
    address: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    configure(serve(), reviewer="openai:gpt-5.5")
    payload = changed.review(OPENAI_BASE_URL=address, OPENAI_API_KEY="sk-own-987654321")
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "OPENAI_BASE_URL" in payload["problem"]["what"]


# --- who answered ---------------------------------------------------------------------------------------------


def answered_by(model: Any, *, verdict: str = "approve", **headers: str) -> Script:
    """A reply that names a model in its body, and in headers as gateways do."""

    def script(request: Request) -> Answer:
        made = completion(json.dumps(reply(verdict, request)), model=model)
        return endpoint.answer(made, **headers)

    return script


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answered_by("gpt-5.5"), id="as-asked"),
        pytest.param(answered_by("gpt-5.5-2026-04-01"), id="a-dated-snapshot"),
        pytest.param(answered_by("openai/gpt-5.5"), id="with-the-vendor"),
        pytest.param(answered_by("GPT-5.5"), id="in-capitals"),
        pytest.param(answered_by("reviewer-mock"), id="an-alias"),
        pytest.param(answered_by("reviewer-mock", X_Litellm_Model_Name="openai/gpt-5.5"), id="alias-and-header"),
        pytest.param(answered_by("gpt-5.4-mini"), id="a-relative"),
        pytest.param(answered_by(None), id="unnamed"),
        pytest.param(answered_by(""), id="empty"),
    ],
)
def test_a_name_that_contradicts_nothing_is_fine(
    script: Script, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(script)
    configure(server)
    payload = changed.review("--author", "claude-opus-4-8")
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "arguments", "environment"),
    [
        pytest.param(answered_by("claude-opus-4-8"), ("--author", "claude-opus-4-8"), {}, id="in-the-reply"),
        pytest.param(
            answered_by("claude-opus-4-8-20260101"), ("--author", "anthropic/claude-opus-4.8"), {}, id="dated"
        ),
        pytest.param(
            answered_by("gpt-5.5", X_Litellm_Model_Name="anthropic/claude-opus-4-8"),
            ("--author", "claude-opus-4-8"),
            {},
            id="in-the-header",
        ),
        pytest.param(
            answered_by("reviewer-mock", X_Litellm_Model_Name="anthropic/claude-opus-4-8"),
            ("--author", "claude-opus-4-8"),
            {},
            id="in-the-header-behind-an-alias",
        ),
        pytest.param(answered_by("gpt-5.4"), ("--author", "gpt-5.4"), {}, id="of-the-family-that-was-asked"),
        pytest.param(answered_by("claude-haiku-4-5"), (), {"CLAUDECODE": "1"}, id="of-the-family-of-an-agent"),
        pytest.param(
            answered_by("claude-opus-4-8", verdict="block"), ("--author", "claude-opus-4-8"), {}, id="and-it-blocks"
        ),
    ],
)
def test_a_reply_of_the_authors_own_model_is_void(
    script: Script,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    changed: Repo,
    serve: Serve,
    configure: Configure,
) -> None:
    server = serve(script)
    configure(server)
    payload = changed.review(*arguments, **environment)
    assert (payload["outcome"], payload["exit_code"]) == ("refused", 2), payload
    assert payload["reviews"] == []
    assert len(server.requests) == 1
    assert results(changed) == [("reviewer", "refused"), ("gate", "refused")]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answered_by("qwen3-max"), id="in-the-reply"),
        pytest.param(answered_by("gpt-5.5", X_Litellm_Model_Name="dashscope/qwen3-max"), id="in-the-header"),
        pytest.param(answered_by("reviewer", X_Litellm_Model_Name="qwen/qwen3-max"), id="behind-an-alias"),
        pytest.param(answered_by("qwen3-max", verdict="block"), id="and-it-blocks"),
    ],
)
def test_a_reply_of_another_vendors_model_than_was_asked_is_invalid(
    script: Script, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(script)
    configure(server)
    payload = changed.review("--author", "claude-opus-4-8")
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert "qwen3-max answered in its place" in payload["problem"]["what"]
    assert len(server.requests) == 1
    assert results(changed) == [("reviewer", "invalid"), ("gate", "invalid")]


def test_a_family_that_the_user_states_for_a_provider_counts_before_and_after_the_question(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(answered_by("claude-haiku-4-5"))
    file = configure(server, reviewer="loop:house-model")
    file.write_text(file.read_text() + 'family = "anthropic"\n')
    assert changed.review("--author", "claude-code")["outcome"] == "refused"
    assert server.requests == []
    assert changed.review("--author", "gpt-5.5")["outcome"] == "approve"
    assert len(server.requests) == 1
