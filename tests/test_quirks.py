"""Endpoints that behave as each provider does, as far as that is known: its fields, its refusals, its odd replies.

The texts are the providers' own, as reports and their documentation quote them. An endpoint here refuses every
field that its provider does not know, in that provider's words, so that a request that grows is noticed.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import server as endpoint
from support.repo import Repo
from support.server import Answer, Request, Script, Server, completion, in_turn, message, reply, response

from twoagent_hook import config
from twoagent_hook.backends import credentials
from twoagent_hook.backends.base import Identity, Reply
from twoagent_hook.backends.dialects import FORMS
from twoagent_hook.backends.endpoint import Access, EndpointBackend
from twoagent_hook.backends.ladder import Ladder, Memory
from twoagent_hook.config import Provider
from twoagent_hook.errors import EndpointError
from twoagent_hook.keys import Layer
from twoagent_hook.prompts import Prompt, Receipt, reply_schema

Serve = Callable[..., Server]
Configure = Callable[..., Path]

LATER = {"Retry_After": "600"}
CHAT = {"model", "messages", "response_format"}
RESPONSES = {"model", "instructions", "input", "text", "store"}
SCHEMA, OBJECT, TEXT = (("chat", form) for form in FORMS)
OVER_RESPONSES = ("responses", "json_schema")

Step = tuple[str, str]


# --- what an endpoint may refuse, in its provider's words -----------------------------------------------------

Words = Callable[[str], Script]  # makes the refusal of the field of that name


def openai_words(field: str) -> Script:
    error = {"message": f"Unknown parameter: '{field}'.", "type": "invalid_request_error", "param": field}
    return endpoint.data({"error": {**error, "code": "unknown_parameter"}}, 400)


def anthropic_words(field: str) -> Script:
    error = {"type": "invalid_request_error", "message": f"{field}: Extra inputs are not permitted"}
    return endpoint.data({"type": "error", "error": error}, 400)


def gemini_words(field: str) -> Script:
    return gemini_error(400, f'Invalid JSON payload received. Unknown name "{field}": Cannot find field.')


def gemini_error(code: int, text: str) -> Script:
    """Its errors come in a list."""
    return endpoint.data([{"error": {"code": code, "message": text, "status": "INVALID_ARGUMENT"}}], code)


def deepseek_words(field: str) -> Script:
    return endpoint.fails(400, f"Failed to deserialize the JSON body into the target type: unknown field `{field}`")


def mistral_words(field: str) -> Script:
    detail = {"type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted", "input": 0}
    return endpoint.data({"detail": [detail]}, 422)


def litellm_words(field: str) -> Script:
    what = f"litellm.UnsupportedParamsError: groq does not support parameters: ['{field}'], for model=llama. To drop"
    return endpoint.data({"error": {"message": what, "type": "None", "param": "None", "code": "400"}}, 400)


def lm_studio_words(field: str) -> Script:
    """Its error is a text."""
    return endpoint.data({"error": f"Unrecognized key(s) in object: '{field}'"}, 400)


def vllm_words(field: str) -> Script:
    what = f"[{{'type': 'extra_forbidden', 'loc': ('body', '{field}')}}]"
    return endpoint.data({"object": "error", "message": what, "type": "BadRequestError", "code": 400}, 400)


WORDS: Mapping[str, Words] = {
    "openai": openai_words,
    "azure": openai_words,
    "anthropic": anthropic_words,
    "gemini": gemini_words,
    "deepseek": deepseek_words,
    "mistral": mistral_words,
    "openrouter": openai_words,
    "litellm": litellm_words,
    "ollama": openai_words,
    "vllm": vllm_words,
    "llamacpp": openai_words,
    "lmstudio": lm_studio_words,
    "copilot": openai_words,
}


def _beyond(request: Request) -> Iterator[str]:
    """Whatever in the request is not in every provider's documentation."""
    allowed = RESPONSES if request.api == "responses" else CHAT
    yield from (name for name in request.body if name not in allowed)
    turns = request.body.get("messages", request.body.get("input", []))
    yield from (f"messages.{name}" for turn in turns for name in turn if name not in {"role", "content"})
    roles = {"system", "user", "assistant"} if request.api == "chat" else {"user", "assistant"}
    yield from (f"messages.role.{turn['role']}" for turn in turns if turn["role"] not in roles)
    yield from ("messages.content" for turn in turns if not isinstance(turn["content"], str))


def strict(provider: str, script: Script) -> Script:
    """The script, behind a check that knows no field but the few of every provider.

    It answers under the name by which it was asked, where the script says no other.
    """

    def checked(request: Request) -> Answer:
        extra = next(_beyond(request), None)
        found = WORDS[provider](extra)(request) if extra else script(request)
        named = json.dumps({"model": request.body["model"]})[1:-1].encode()
        return replace(found, body=found.body.replace(b'"model": "gpt-5.5"', named))

    return checked


def steps(server: Server) -> list[Step]:
    return [(request.api, request.form) for request in server.requests]


# --- the words with which they refuse a form, or the API ------------------------------------------------------

NO_SCHEMA = endpoint.fails(
    400,
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. "
    "Learn more about supported models at the Structured Outputs guide.",
)
NO_CHAT = endpoint.data(
    {
        "error": {
            "message": "This model is only supported in v1/responses and not in v1/chat/completions.",
            "type": "invalid_request_error",
            "param": "model",
            "code": None,
        }
    },
    404,
)
NOT_A_CHAT_MODEL = endpoint.data(
    {
        "error": {
            "message": "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
            "Did you mean to use v1/completions?",
            "type": "invalid_request_error",
            "param": "model",
            "code": None,
        }
    },
    404,
)
COPILOT_NO_CHAT = endpoint.data(
    {
        "error": {
            "message": 'model "gpt-5.1-codex" is not accessible via the /chat/completions endpoint',
            "code": "unsupported_api_for_model",
        }
    },
    400,
)
ANTHROPIC_SCHEMA_ONLY = endpoint.data(
    {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "response_format.type: Input should be 'json_schema'"},
    },
    400,
)
ANTHROPIC_NO_FORM = endpoint.data(
    {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "response_format: Extra inputs are not permitted"},
    },
    400,
)
GEMINI_NO_FORM = gemini_words("response_format")
GEMINI_NO_KEYWORD = gemini_error(
    400,
    "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema': "
    "Cannot find field.",
)
DEEPSEEK_NO_SCHEMA = endpoint.fails(400, "This response_format type is unavailable now")
DEEPSEEK_NO_SCHEMA_2025 = endpoint.fails(
    422,
    "Failed to deserialize the JSON body into the target type: response_format: response_format.type `json_schema` is "
    "unavailable now at line 1 column 15203",
)
OPENROUTER_NONE = {"message": "No endpoints found that can handle the requested parameters.", "code": 404}
LM_STUDIO_NO_OBJECT = endpoint.data({"error": "'response_format.type' must be 'json_schema' or 'text'"}, 400)
LITELLM_NO_SCHEMA = endpoint.data(
    {
        "error": {
            "message": 'litellm.BadRequestError: DeepseekException - {"error":{"message":"This response_format type '
            'is unavailable now","type":"invalid_request_error"}}. Received Model Group=deepseek\n'
            "Available Model Group Fallbacks=None",
            "type": None,
            "param": None,
            "code": "400",
        }
    },
    400,
)
VLLM_NO_GRAMMAR = endpoint.data(
    {
        "object": "error",
        "message": "The provided JSON schema contains features not supported by xgrammar (json_schema).",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    },
    400,
)
LLAMACPP_LOADING = endpoint.data(
    {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503, Retry_After="0"
)


def approval(request: Request, **values: Any) -> str:
    return json.dumps(reply("approve", request, **values))


def says_text(make: Callable[[Request], str], **values: Any) -> Script:
    """A whole chat completion with content made of the request."""
    return lambda request: endpoint.answer(completion(make(request), **values))


def by_form(otherwise: Script | None = None, **refused: Script) -> Script:
    """Takes what it does not refuse."""
    return lambda request: refused.get(request.form, otherwise or endpoint.approves())(request)


def by_api(**refused: Script) -> Script:
    return lambda request: refused.get(request.api, endpoint.approves())(request)


def says_json_or_fails(request: Request) -> Answer:
    """`json_object` demands that the messages name it."""
    asked = "".join(turn["content"] for turn in request.body["messages"])
    if request.form == "json_object" and "json" not in asked.lower():
        words = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        return endpoint.fails(400, words.replace("'messages'", "Prompt"))(request)
    return endpoint.approves()(request)


def _strict_objects(schema: Any) -> Iterator[str]:
    """What OpenAI's strict mode refuses in a schema."""
    if isinstance(schema, list):
        for value in schema:
            yield from _strict_objects(value)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be supplied and to be false."
    if schema.get("type") == "object" and set(schema["required"]) != set(schema["properties"]):
        yield "'required' is required to be supplied and to be an array including every key in properties."
    for value in schema.values():
        yield from _strict_objects(value)


def openai_schemas(request: Request) -> Answer:
    """Checks the schema as OpenAI's strict mode does."""
    if request.api == "responses":
        wanted = request.body["text"]["format"]
    else:
        wanted = request.body["response_format"]["json_schema"]
    wrong = next(_strict_objects(wanted["schema"]), None)
    if wrong or set(wanted) - {"type"} != {"name", "strict", "schema"} or wanted["strict"] is not True:
        return endpoint.fails(400, f"Invalid schema for the format 'review': In context=(), {wrong}")(request)
    return endpoint.approves()(request)


def ollama(script: Script) -> Script:
    """Knows no keys, and takes none."""
    return lambda request: endpoint.fails(401)(request) if "authorization" in request.headers else script(request)


def keepalive(request: Request) -> Answer:
    """White space now and then while the model still thinks, then the answer."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(5):
            handler.wfile.write(b"\n         \n")
            handler.wfile.flush()
            time.sleep(0.03)
        handler.wfile.write(json.dumps(completion(approval(request))).encode())

    return Answer(send=send)


# --- a provider each, and what it takes to have an answer -----------------------------------------------------


class Quirk(NamedTuple):
    """An endpoint, the requests that it should see, and what comes of them."""

    provider: str
    script: Script
    expected: list[Step]
    model: str = "gpt-5.5"
    outcome: str = "approve"
    told: str = ""


def row(name: str, *values: Any, **named: Any) -> Any:
    quirk = Quirk(*values, **named)
    return pytest.param(quirk, id=f"{quirk.provider}-{name}")


ANSWERED = [
    row("takes-a-strict-schema", "openai", openai_schemas, [SCHEMA]),
    row("older-model", "openai", by_form(says_json_or_fails, json_schema=NO_SCHEMA), [SCHEMA, OBJECT]),
    row(
        "older-model-that-takes-no-form",
        "openai",
        by_form(json_schema=NO_SCHEMA, json_object=NO_SCHEMA),
        [SCHEMA, OBJECT, TEXT],
    ),
    row("only-over-responses", "openai", by_api(chat=NO_CHAT, responses=openai_schemas), [SCHEMA, OVER_RESPONSES]),
    row("no-chat-model", "openai", by_api(chat=NOT_A_CHAT_MODEL), [SCHEMA, OVER_RESPONSES]),
    row("only-over-responses", "copilot", by_api(chat=COPILOT_NO_CHAT), [SCHEMA, OVER_RESPONSES], "gpt-5.1-codex"),
    row(
        "over-responses-without-schemas",
        "copilot",
        lambda request: (
            COPILOT_NO_CHAT
            if request.api == "chat"
            else endpoint.fails(400, "Unsupported value: 'text.format'")
            if request.form == "json_schema"
            else endpoint.approves()
        )(request),
        [SCHEMA, OVER_RESPONSES, ("responses", "json_object")],
        "gpt-5.1-codex",
    ),
    row("takes-a-schema", "anthropic", by_form(json_object=ANTHROPIC_SCHEMA_ONLY), [SCHEMA], "claude-opus-4-8"),
    row(
        "ignores-the-form",
        "anthropic",
        says_text(lambda r: f"I have read it all.\n\n```json\n{approval(r)}\n```", finish="end_turn"),
        [SCHEMA],
        "claude-opus-4-8",
    ),
    row(
        "takes-no-form-at-all",
        "anthropic",
        by_form(json_schema=ANTHROPIC_NO_FORM, json_object=ANTHROPIC_NO_FORM),
        [SCHEMA, OBJECT, TEXT],
        "claude-opus-4-8",
    ),
    row("takes-a-schema", "gemini", by_form(), [SCHEMA], "gemini-3-pro"),
    row(
        "knows-no-form",
        "gemini",
        by_form(json_schema=GEMINI_NO_FORM, json_object=GEMINI_NO_FORM),
        [SCHEMA, OBJECT, TEXT],
        "gemini-3-pro",
    ),
    row(
        "knows-not-all-of-a-schema",
        "gemini",
        by_form(json_schema=GEMINI_NO_KEYWORD),
        [SCHEMA, OBJECT],
        "gemini-2.5-flash",
    ),
    row("ends-in-capitals", "gemini", says_text(approval, finish="STOP"), [SCHEMA], "gemini-3-pro"),
    row(
        "has-no-schemas",
        "deepseek",
        by_form(says_json_or_fails, json_schema=DEEPSEEK_NO_SCHEMA),
        [SCHEMA, OBJECT],
        "deepseek-chat",
    ),
    row(
        "had-no-schemas-in-2025",
        "deepseek",
        by_form(says_json_or_fails, json_schema=DEEPSEEK_NO_SCHEMA_2025),
        [SCHEMA, OBJECT],
        "deepseek-chat",
    ),
    row(
        "says-white-space-in-place-of-what-is-no-JSON",
        "deepseek",
        by_form(
            in_turn(endpoint.says_content(" \n" * 400), endpoint.approves()),
            json_schema=DEEPSEEK_NO_SCHEMA,
        ),
        [SCHEMA, OBJECT, OBJECT],
        "deepseek-chat",
    ),
    row("takes-a-schema", "mistral", by_form(), [SCHEMA], "mistral-large-3"),
    row(
        "knows-no-form",
        "mistral",
        by_form(json_schema=mistral_words("response_format"), json_object=mistral_words("response_format")),
        [SCHEMA, OBJECT, TEXT],
        "mistral-large-3",
    ),
    row(
        "has-no-route-for-the-form",
        "openrouter",
        by_form(
            json_schema=endpoint.data({"error": OPENROUTER_NONE}, 404),
            json_object=endpoint.data({"error": OPENROUTER_NONE}, 404),
        ),
        [SCHEMA, OBJECT, TEXT],
        "qwen/qwen3-max",
    ),
    row(
        "has-no-route-for-the-form-with-200",
        "openrouter",
        by_form(json_schema=endpoint.data({"error": OPENROUTER_NONE, "user_id": "user_2x"})),
        [SCHEMA, OBJECT],
        "qwen/qwen3-max",
    ),
    row("keeps-the-connection-alive", "openrouter", keepalive, [SCHEMA]),
    row(
        "fails-once-with-200",
        "openrouter",
        in_turn(
            endpoint.data({"error": {"code": 502, "message": "Provider returned error"}}, Retry_After="0"),
            endpoint.approves(),
        ),
        [SCHEMA, SCHEMA],
    ),
    row(
        "drops-the-form-and-thinks-aloud",
        "openrouter",
        says_text(lambda r: f"<think>\nverdict: block? No.\n</think>\n{approval(r)}"),
        [SCHEMA],
    ),
    row("translates", "litellm", by_form(), [SCHEMA], "reviewer-mock"),
    row(
        "knows-that-the-form-is-not-known",
        "litellm",
        by_form(json_schema=litellm_words("response_format"), json_object=litellm_words("response_format")),
        [SCHEMA, OBJECT, TEXT],
        "reviewer-mock",
    ),
    row("hands-on-a-refusal", "litellm", by_form(json_schema=LITELLM_NO_SCHEMA), [SCHEMA, OBJECT], "reviewer-mock"),
    row("takes-no-key", "ollama", ollama(by_form()), [SCHEMA], "qwen3-coder:30b"),
    row(
        "does-not-enforce-the-form",
        "ollama",
        ollama(says_text(lambda r: f"Sure! Here is my review:\n\n{approval(r)}\n\nLet me know if you need more.")),
        [SCHEMA],
        "gpt-oss:120b-cloud",
    ),
    row(
        "spends-its-budget-on-thoughts",
        "ollama",
        ollama(in_turn(endpoint.says_content("", finish="length", reasoning="hm " * 500), endpoint.approves())),
        [SCHEMA, SCHEMA],
        "qwen3.5",
    ),
    row("takes-a-schema", "vllm", by_form(), [SCHEMA], "Qwen/Qwen3-Coder-30B"),
    row("can-not-compile-a-schema", "vllm", by_form(json_schema=VLLM_NO_GRAMMAR), [SCHEMA, OBJECT], "Qwen/Qwen3-8B"),
    row(
        "thinks-apart",
        "vllm",
        lambda r: endpoint.answer(completion(approval(r), reasoning_content='{"verdict": "block"}', tool_calls=[])),
        [SCHEMA],
        "Qwen/Qwen3-8B",
    ),
    row("still-loads", "llamacpp", in_turn(LLAMACPP_LOADING, endpoint.approves()), [SCHEMA, SCHEMA], "local"),
    row(
        "answers-with-the-path-of-a-file",
        "llamacpp",
        says_text(approval, model="/srv/models/Qwen3-Coder-30B-Q4_K_M.gguf"),
        [SCHEMA],
        "local",
    ),
    row("takes-a-schema", "lmstudio", by_form(json_object=LM_STUDIO_NO_OBJECT), [SCHEMA], "openai/gpt-oss-20b"),
    row(
        "takes-no-form",
        "lmstudio",
        by_form(json_schema=lm_studio_words("json_schema"), json_object=LM_STUDIO_NO_OBJECT),
        [SCHEMA, OBJECT, TEXT],
        "openai/gpt-oss-20b",
    ),
    row("takes-a-schema", "azure", openai_schemas, [SCHEMA], "house-deployment"),
]
UNANSWERED = [
    row(
        "has-no-such-model",
        "openai",
        endpoint.data(
            {
                "error": {
                    "message": "The model `gpt-5.5` does not exist or you do not have access to it.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "model_not_found",
                }
            },
            404,
        ),
        [SCHEMA],
        outcome="error",
        told="does not exist or you do not have access to it",
    ),
    row(
        "has-the-model-over-neither-API",
        "openai",
        by_api(chat=NOT_A_CHAT_MODEL, responses=endpoint.fails(404, "Invalid URL (POST /v1/responses)")),
        [SCHEMA, OVER_RESPONSES],
        outcome="error",
        told="(404)",
    ),
    row(
        "does-not-know-the-key",
        "gemini",
        gemini_error(400, "API key not valid. Please pass a valid API key."),
        [SCHEMA],
        "gemini-3-pro",
        "unreviewed",
        "does not let us in (400): API key not valid",
    ),
    row(
        "has-no-such-model",
        "gemini",
        gemini_error(404, "models/gemini-9 is not found for API version v1main, or is not supported for generate"),
        [SCHEMA],
        "gemini-9",
        "error",
        "(404): models/gemini-9 is not found",
    ),
    row(
        "is-over-its-quota",
        "gemini",
        endpoint.data(
            [{"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}}],
            429,
            **LATER,
        ),
        [SCHEMA],
        "gemini-3-pro",
        "unreviewed",
        "over its limits (429): You exceeded your current quota",
    ),
    row(
        "has-no-money-left",
        "deepseek",
        endpoint.fails(402, "Insufficient Balance"),
        [SCHEMA],
        "deepseek-chat",
        "unreviewed",
        "(402): Insufficient Balance",
    ),
    row(
        "is-always-blank",
        "deepseek",
        by_form(endpoint.says_content("        "), json_schema=DEEPSEEK_NO_SCHEMA),
        [SCHEMA, OBJECT, OBJECT],
        "deepseek-chat",
        "invalid",
        "asked twice: the reply is empty",
    ),
    row(
        "error-in-the-choice",
        "openrouter",
        lambda r: endpoint.answer(
            {
                **(made := completion(approval(r), finish="error")),
                "choices": [{**made["choices"][0], "error": {"code": 502, "message": "Provider disconnected"}}],
            }
        ),
        [SCHEMA, SCHEMA],
        outcome="invalid",
        told="ended unnaturally (error)",
    ),
    row(
        "over-its-credits-with-200",
        "openrouter",
        endpoint.data({"error": {"code": 402, "message": "This request requires more credits"}}),
        [SCHEMA],
        outcome="unreviewed",
        told="(402): This request requires more credits",
    ),
    row(
        "has-no-such-model",
        "litellm",
        endpoint.data(
            {
                "error": {
                    "message": "{'error': '/chat/completions: Invalid model name passed in model=reviewer. Call "
                    "`/v1/models` to view available models for your key.'}",
                    "type": "None",
                    "param": "None",
                    "code": "400",
                }
            },
            400,
        ),
        [SCHEMA],
        "reviewer",
        "error",
        "Invalid model name passed in model=reviewer",
    ),
    row(
        "does-not-know-the-key",
        "litellm",
        endpoint.data({"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}, 400),
        [SCHEMA],
        "reviewer",
        "unreviewed",
        "does not let us in (400): No connected db.",
    ),
    row(
        "has-not-pulled-the-model",
        "ollama",
        ollama(endpoint.fails(404, 'model "qwen3-coder:30b" not found, try pulling it first')),
        [SCHEMA],
        "qwen3-coder:30b",
        "error",
        "try pulling it first",
    ),
    row(
        "has-no-such-model",
        "vllm",
        endpoint.data(
            {
                "object": "error",
                "message": "The model `local` does not exist.",
                "type": "NotFoundError",
                "param": None,
                "code": 404,
            },
            404,
        ),
        [SCHEMA],
        "local",
        "error",
        "(404): The model `local` does not exist.",
    ),
    row(
        "cuts-at-its-context",
        "llamacpp",
        says_text(approval, finish="length"),
        [SCHEMA, SCHEMA],
        "local",
        "invalid",
        "asked twice: the reply was cut off",
    ),
    row(
        "has-no-model-loaded",
        "lmstudio",
        endpoint.data({"error": "No models loaded. Please load a model in the developer page."}, 404),
        [SCHEMA],
        "local",
        "error",
        "(404): No models loaded.",
    ),
    row(
        "filters-the-request",
        "azure",
        endpoint.data(
            {
                "error": {
                    "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
                    "management policy. Please modify your prompt and retry.",
                    "type": None,
                    "param": "prompt",
                    "code": "content_filter",
                    "status": 400,
                    "innererror": {
                        "code": "ResponsibleAIPolicyViolation",
                        "content_filter_result": {"jailbreak": {"filtered": True, "detected": True}},
                    },
                }
            },
            400,
        ),
        [SCHEMA],
        "house-deployment",
        "error",
        "(400): The response was filtered due to the prompt triggering",
    ),
    row(
        "filters-the-reply",
        "azure",
        says_text(approval, finish="content_filter"),
        [SCHEMA, SCHEMA],
        "house-deployment",
        "invalid",
        "the provider's content filter",
    ),
    row(
        "has-no-such-deployment",
        "azure",
        endpoint.data(
            {
                "error": {
                    "code": "DeploymentNotFound",
                    "message": "The API deployment for this resource does not exist.",
                }
            },
            404,
        ),
        [SCHEMA],
        "house-deployment",
        "error",
        "(404): The API deployment for this resource does not exist.",
    ),
    row(
        "lets-nobody-in",
        "copilot",
        endpoint.page("unauthorized: token expired\n", 401),
        [SCHEMA],
        "gpt-5.5",
        "unreviewed",
        "(401): unauthorized: token expired",
    ),
]


@pytest.mark.parametrize("quirk", [*ANSWERED, *UNANSWERED])
def test_what_a_provider_does_has_one_outcome_after_so_many_requests(
    quirk: Quirk, changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(strict(quirk.provider, quirk.script))
    file = configure(server, provider=quirk.provider, reviewer=f"{quirk.provider}:{quirk.model}")
    if quirk.provider == "ollama":
        file.write_text(file.read_text().replace('api-key-env = "LOOP_KEY"\n', ""))
    payload = changed.review()
    assert payload["outcome"] == quirk.outcome, payload
    assert steps(server) == quirk.expected
    said = " ".join((payload["problem"]["what"] if payload["problem"] else "", *payload["reasons"]))
    assert quirk.told in said
    calls = [entry["evidence"] for entry in changed.log() if entry["role"] == "reviewer"]
    if quirk.outcome == "approve":
        assert (calls[0]["api"], calls[0]["form"]) == quirk.expected[-1]
        assert sum(call["attempts"] for call in calls) == len(quirk.expected)


@pytest.mark.parametrize("provider", WORDS)
def test_the_strict_endpoint_refuses_a_field_that_the_user_adds_and_the_refusal_is_shown(
    provider: str, changed: Repo, serve: Serve, configure: Configure
) -> None:
    """This shows that the endpoints above would notice a request that grows."""
    server = serve(strict(provider, endpoint.approves()))
    file = configure(server, provider=provider, reviewer=f"{provider}:some-model")
    file.write_text(file.read_text() + "extra-body = { frequency_penalty = 0 }\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "frequency_penalty" in payload["problem"]["what"]
    assert steps(server) == [SCHEMA]


def test_a_repair_adds_no_field_either(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(strict("gemini", in_turn(endpoint.says_content("Ship it."), endpoint.approves())))
    configure(server, provider="gemini", reviewer="gemini:gemini-3-pro")
    assert changed.review()["outcome"] == "approve"
    assert steps(server) == [SCHEMA, SCHEMA]
    assert [turn["role"] for turn in server.requests[1].body["messages"]] == ["system", "user", "assistant", "user"]


def test_a_gateway_s_header_tells_the_model_behind_an_alias(changed: Repo, serve: Serve, configure: Configure) -> None:
    def script(request: Request) -> Answer:
        made = completion(approval(request), model="reviewer-mock")
        return endpoint.answer(made, X_Litellm_Model_Name="anthropic/claude-sonnet-4-6")

    server = serve(strict("litellm", script))
    configure(server, provider="litellm", reviewer="litellm:reviewer-mock")
    payload = changed.review("--author", "claude-sonnet-4-6")
    assert (payload["outcome"], payload["exit_code"]) == ("refused", 2), payload
    assert "claude-sonnet-4-6" in payload["problem"]["what"]
    assert len(server.requests) == 1


def test_lm_studio_ignores_the_form_over_responses(changed: Repo, serve: Serve, configure: Configure) -> None:
    def script(request: Request) -> Answer:
        return endpoint.answer(response(message(f"My review:\n```json\n{approval(request)}\n```\n")))

    server = serve(strict("lmstudio", script))
    file = configure(server, provider="lmstudio", reviewer="lmstudio:local")
    file.write_text(file.read_text() + 'api = "responses"\n')
    assert changed.review()["outcome"] == "approve"
    assert steps(server) == [OVER_RESPONSES]


# --- what is known of a provider from the start ---------------------------------------------------------------


def builtin() -> Mapping[str, Provider]:
    nothing = Layer("", {})
    return config.join(nothing, None, nothing, hook=False).providers


BOTH = ("chat", "responses")
LADDERS = {
    ("openai", "gpt-5.5"): (BOTH, FORMS),
    ("openai", "gpt-5-codex"): (BOTH[::-1], FORMS),
    ("openai", "gpt-5-pro-2025-10-06"): (BOTH[::-1], FORMS),
    ("openrouter", "openai/gpt-5-codex"): (BOTH, FORMS),
    ("azure", "gpt-5-codex"): (BOTH, FORMS),
    ("anthropic", "claude-opus-4-8"): (BOTH, ("json_schema", "text")),
    ("gemini", "gemini-3-pro"): (BOTH, FORMS),
    ("deepseek", "deepseek-chat"): (BOTH, ("json_object", "text")),
    ("mistral", "mistral-large-3"): (BOTH, FORMS),
    ("openrouter", "qwen/qwen3-max"): (BOTH, FORMS),
    ("xai", "grok-5"): (BOTH, FORMS),
    ("groq", "openai/gpt-oss-120b"): (BOTH, FORMS),
    ("litellm", "reviewer"): (BOTH, FORMS),
    ("ollama", "qwen3-coder:30b"): (BOTH, FORMS),
    ("lmstudio", "local"): (BOTH, ("json_schema", "text")),
    ("llamacpp", "local"): (BOTH, FORMS),
    ("vllm", "local"): (BOTH, FORMS),
}


@pytest.mark.parametrize(("provider", "model"), LADDERS, ids=[" ".join(pair) for pair in LADDERS])
def test_the_ways_to_ask_a_provider_that_is_known(provider: str, model: str) -> None:
    apis, forms = LADDERS[provider, model]
    ladder = Ladder(builtin()[provider], model, schema=True)
    assert list(ladder.steps) == [(api, form) for api in apis for form in forms]
    assert ladder.step == (apis[0], forms[0])
    free = Ladder(builtin()[provider], model, schema=False)
    assert list(free.steps) == [(api, "text") for api in apis]


def test_another_address_is_another_server_of_which_nothing_is_known(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(strict("deepseek", endpoint.approves()))
    configure(server, provider="deepseek", reviewer="deepseek:deepseek-chat")
    assert changed.review()["outcome"] == "approve"
    assert steps(server) == [SCHEMA]


class Known(NamedTuple):
    provider: str
    model: str
    script: Script
    expected: list[Step]


KNOWN = [
    Known("anthropic", "claude-opus-4-8", by_form(json_object=ANTHROPIC_SCHEMA_ONLY), [SCHEMA]),
    Known(
        "anthropic",
        "claude-opus-4-8",
        by_form(json_schema=ANTHROPIC_NO_FORM, json_object=ANTHROPIC_SCHEMA_ONLY),
        [SCHEMA, TEXT],
    ),
    Known("deepseek", "deepseek-chat", by_form(says_json_or_fails, json_schema=DEEPSEEK_NO_SCHEMA), [OBJECT]),
    Known(
        "deepseek",
        "deepseek-chat",
        by_form(json_schema=DEEPSEEK_NO_SCHEMA, json_object=DEEPSEEK_NO_SCHEMA),
        [OBJECT, TEXT],
    ),
    Known("lmstudio", "local", by_form(json_object=LM_STUDIO_NO_OBJECT), [SCHEMA]),
    Known(
        "lmstudio",
        "local",
        by_form(json_schema=lm_studio_words("json_schema"), json_object=LM_STUDIO_NO_OBJECT),
        [SCHEMA, TEXT],
    ),
    Known("openai", "gpt-5.5-pro", by_api(chat=NO_CHAT, responses=openai_schemas), [OVER_RESPONSES]),
    Known("openai", "gpt-5.5", openai_schemas, [SCHEMA]),
    Known("mistral", "mistral-large-3", by_form(), [SCHEMA]),
]


def ask(known: Known, server: Server, folder: Path) -> Reply:
    """Ask as the built-in provider is asked, but at that server."""
    provider = replace(builtin()[known.provider], base_url=server.url)
    identity = Identity(f"{known.provider}:{known.model}", known.provider, known.model, server.origin, frozenset())
    memory = Memory(str(folder / "cache" / "ladder.json"))
    backend = EndpointBackend(
        identity,
        Access(provider, credentials.source(provider, {provider.api_key_env or "": "sk-own-987654321"}), {}, memory),
    )
    user = "receipt-a: aaaa\nreceipt-b: bbbb\n"
    prompt = Prompt("Answer in JSON.", user, reply_schema(), Receipt("aaaa", "bbbb"), ("app.py",), 10, "0", "0")
    return asyncio.run(backend.complete(prompt, time.monotonic() + 20))


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: f"{known.provider}-{len(known.expected)}-{known.model}")
def test_what_is_known_of_a_provider_spares_requests(known: Known, serve: Serve, tmp_path: Path) -> None:
    server = serve(strict(known.provider, known.script))
    found = ask(known, server, tmp_path)
    assert steps(server) == known.expected
    assert (found.api, found.form, found.attempts) == (*known.expected[-1], len(known.expected))
    assert json.loads(found.text)["verdict"] == "approve"


def test_a_form_that_a_provider_is_known_to_refuse_is_never_tried(serve: Serve, tmp_path: Path) -> None:
    server = serve(endpoint.fails(400, "response_format: whatever it is, we do not take it"))
    with pytest.raises(EndpointError, match="we do not take it"):
        ask(Known("anthropic", "claude-opus-4-8", endpoint.approves(), []), server, tmp_path)
    assert steps(server) == [SCHEMA, TEXT]
