"""The gate against aimock: a server of both of OpenAI's APIs that nobody here wrote, its faults included."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import aimock
from support.aimock import Aimock
from support.repo import Repo

KEY = "sk-loop-0123456789"
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
APIS = pytest.mark.parametrize("api", [None, "responses"], ids=["chat", "responses"])

if reason := aimock.missing():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Aimock]:
    with aimock.running(KEY) as found:
        yield found


class Gate(NamedTuple):
    """The product, with one reviewer of aimock's in the user's own file."""

    repo: Repo
    server: Aimock
    configure: Callable[..., Path]
    test_id: str

    def asks(
        self, reviewer: str, *, api: str | None = None, root: str = "/v1", timeout: float = 20, **chaos: str
    ) -> "Gate":
        """Name the reviewer (`support/aimock.mjs` has them all) and what is to go wrong on the way."""
        file = self.configure(self.server.origin + root)
        faults = {f"X-AIMock-Chaos-{fault}": value for fault, value in chaos.items()}
        headers = {"X-AIMock-Context": reviewer, "X-Test-Id": self.test_id, **faults}
        table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in headers.items())
        # Its own time runs from the first request on, however slow the machine is before that.
        lines = [f"headers = {{ {table} }}", f"timeout = {timeout}"] + ([f'api = "{api}"'] if api else [])
        file.write_text(file.read_text() + "\n".join(lines) + "\n")
        return self

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.server.journal(self.test_id)

    @property
    def paths(self) -> list[str]:
        return [request["path"] for request in self.requests]

    def fails(self, *arguments: str, **environment: str) -> tuple[str, str]:
        """Review without a verdict; return the outcome and what is told of it."""
        payload = self.repo.review(*arguments, **environment)
        assert payload["exit_code"] == 2, payload
        assert payload["reviews"] == [], payload
        return payload["outcome"], f"{payload['problem']['what']}; {payload['problem']['do']}"


@pytest.fixture
def gate(changed: Repo, server: Aimock, configure: Callable[..., Path], request: pytest.FixtureRequest) -> Gate:
    return Gate(changed, server, configure, request.node.name)


# --- verdicts ---------------------------------------------------------------------------------------------------


@APIS
def test_an_approval_with_the_receipt_opens_the_gate(api: str | None, gate: Gate) -> None:
    payload = gate.asks("approving", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    (review,) = payload["reviews"]
    assert (review["model"], review["verdict"]) == ("gpt-5.5", "approve")
    assert (review["prompt_tokens"], review["output_tokens"]) == (1200, 40)
    (request,) = gate.requests
    assert request["path"] == (RESPONSES if api else CHAT)
    assert [message["role"] for message in request["body"]["messages"]] == ["system", "user"]
    assert "return total / count" in request["body"]["messages"][1]["content"]


@APIS
def test_a_block_closes_the_gate_with_its_finding_on_the_changed_line(api: str | None, gate: Gate) -> None:
    payload = gate.asks("blocking", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    (finding,) = payload["findings"]
    assert (finding["file"], finding["line_start"], finding["severity"]) == ("app.py", 3, "critical")
    assert finding["grounded"] is True


@APIS
def test_a_taped_approval_can_not_know_the_receipt_and_a_taped_block_needs_none(api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks("approving from a tape", api=api).fails()
    assert outcome == "invalid"
    assert "a wrong receipt" in told
    assert len(gate.requests) == 2  # it was asked to repair its reply, once
    payload = gate.asks("blocking from a tape", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)


@APIS
def test_a_model_s_thoughts_are_no_verdict(api: str | None, gate: Gate) -> None:
    payload = gate.asks("approving after thought", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)


# --- who answered -----------------------------------------------------------------------------------------------


@APIS
@pytest.mark.parametrize("reviewer", ["approving as claude", "blocking as claude"])
def test_the_author_s_own_model_behind_another_name_is_refused(reviewer: str, api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks(reviewer, api=api).fails("--author", "claude-opus-4-8")
    assert outcome == "refused"
    assert "claude-opus-4-8" in told
    assert "it is the model that wrote the change" in told


@APIS
def test_another_vendor_s_model_than_was_asked_for_is_no_review(api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks("approving as claude", api=api).fails()
    assert outcome == "invalid"
    assert "claude-opus-4-8 answered in its place" in told


# --- the form of the reply --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reviewer", "forms"),
    [
        ("without schemas", ["json_schema", "json_object"]),
        ("without forms", ["json_schema", "json_object", None]),
    ],
)
def test_a_form_that_the_endpoint_does_not_know_is_let_go(reviewer: str, forms: list[str | None], gate: Gate) -> None:
    payload = gate.asks(reviewer).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    asked = [request["body"].get("response_format", {}).get("type") for request in gate.requests]
    assert asked == forms


ENDS = {
    ("cut short", None): "cut off before its end",
    ("cut short", "responses"): "cut off before its end",
    ("filtered", None): "stopped by the provider's content filter",
    ("filtered", "responses"): "ended unnaturally (failed)",  # aimock gives no reason beside it
    ("calling a tool", None): "ended unnaturally (tool_calls)",
    ("calling a tool", "responses"): "the reply is empty",
}


@pytest.mark.parametrize(("reviewer", "api"), ENDS, ids=[f"{name}-{api or 'chat'}" for name, api in ENDS])
def test_a_reply_that_did_not_end_as_a_message_is_no_review(reviewer: str, api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks(reviewer, api=api).fails()
    assert outcome == "invalid"
    assert ENDS[reviewer, api] in told


# --- which API --------------------------------------------------------------------------------------------------


def test_a_model_that_only_the_responses_api_serves_is_asked_there(gate: Gate) -> None:
    payload = gate.asks("only in responses").repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    assert gate.paths == [CHAT, RESPONSES]


def test_an_api_that_the_user_named_is_the_only_one_that_is_asked(gate: Gate) -> None:
    outcome, told = gate.asks("only in responses", api="chat").fails()
    assert outcome == "error"
    assert "only supported in v1/responses" in told
    assert gate.paths == [CHAT]


@APIS
def test_a_model_that_nobody_serves_is_an_error(api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks("nobody", api=api).fails()
    assert outcome == "error"
    assert "(404): No fixture matched" in told
    assert "the model's name" in told


@pytest.mark.parametrize("root", ["/api/v1", "/openai/v1", "/v1beta/openai"], ids=["openrouter", "azure", "gemini"])
def test_the_roots_of_other_providers_lead_to_their_endpoint(root: str, gate: Gate) -> None:
    payload = gate.asks("approving", root=root).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    (request,) = gate.requests
    assert request["path"] == f"{root}/chat/completions"
    # Of these, aimock counts what was cached as OpenRouter does, and does not count it for the others.
    assert payload["reviews"][0]["cached_tokens"] == (1000 if root == "/api/v1" else None)


# --- what goes wrong --------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """What aimock does to every request, and what has to come of it.

    Attributes:
        fragment: of what is told.
        answered: how many requests get an answer, if only a torn one.
        timeout: seconds; short where the product would go on asking.
    """

    chaos: str
    value: str
    outcome: str
    fragment: str
    answered: int
    timeout: float = 20


FAULTS = [
    pytest.param(Fault("RateLimit", "1", "unreviewed", "is over its limits (429): Chaos: rate limit", 1, 1), id="429"),
    pytest.param(Fault("Drop", "1", "unreviewed", "is failing (500): Chaos: request dropped", 2, 1.5), id="500"),
    pytest.param(Fault("Malformed", "1", "invalid", "the reply is not JSON", 1), id="broken-JSON"),
    pytest.param(Fault("Disconnect", "1", "unreviewed", "the connection failed", 2), id="disconnect"),
    pytest.param(Fault("Latency", "20000", "unreviewed", "gave no answer within 1 s", 0, 1), id="latency"),
]


@APIS
@pytest.mark.parametrize("fault", FAULTS)
def test_chaos_is_never_an_approval(fault: Fault, api: str | None, gate: Gate) -> None:
    gate.asks("approving", api=api, timeout=fault.timeout, **{fault.chaos: fault.value})
    outcome, told = gate.fails()
    assert outcome == fault.outcome
    assert fault.fragment in told
    assert len(gate.requests) == fault.answered


def test_the_time_of_the_whole_hook_ends_the_wait_for_an_answer(gate: Gate) -> None:
    gate.asks("approving", Latency="20000")
    started = time.monotonic()
    outcome, told = gate.fails("--timeout", "2")
    assert time.monotonic() - started < 15
    assert outcome == "unreviewed"
    assert "gave no answer within" in told
    assert "raise `timeout`" in told


@APIS
def test_a_busy_server_is_asked_again(api: str | None, gate: Gate) -> None:
    payload = gate.asks("busy once", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    assert [request["response"]["status"] for request in gate.requests] == [429, 200]


STATUSES = [
    ("failing with 400", "error", "refuses the request (400): it went wrong"),
    ("failing with 402", "unreviewed", "does not let us in (402): it went wrong"),
    ("failing with 403", "unreviewed", "does not let us in (403): it went wrong"),
    ("failing with 422", "error", "refuses the request (422): it went wrong"),
    ("failing with 503", "unreviewed", "is failing (503): it went wrong"),
]


@APIS
@pytest.mark.parametrize(("reviewer", "outcome", "fragment"), STATUSES, ids=[row[0] for row in STATUSES])
def test_a_status_that_is_an_error_is_told_as_what_it_is(
    reviewer: str, outcome: str, fragment: str, api: str | None, gate: Gate
) -> None:
    found, told = gate.asks(reviewer, api=api, timeout=1.5).fails()  # time to ask once more
    assert found == outcome
    assert fragment in told


@APIS
def test_an_exhausted_quota_is_not_asked_again(api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks("out of quota", api=api).fails()
    assert outcome == "unreviewed"
    assert "(429): You exceeded your current quota." in told
    assert len(gate.requests) == 1


def test_an_error_in_the_shape_of_openrouter_is_told_too(gate: Gate) -> None:
    outcome, told = gate.asks("failing with 402", root="/api/v1").fails()
    assert outcome == "unreviewed"
    assert "does not let us in (402): it went wrong" in told


@APIS
def test_a_change_beyond_the_model_s_context_is_incomplete_coverage(api: str | None, gate: Gate) -> None:
    payload = gate.asks("out of context", api=api).repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert [finding["rule"] for finding in payload["findings"]] == ["incomplete-coverage"]
    (withheld,) = payload["coverage"]["withheld"]
    assert withheld["path"] == "app.py"
    assert "over the context" in withheld["reason"]


@APIS
def test_a_wrong_key_is_told_by_the_name_of_its_variable(api: str | None, gate: Gate) -> None:
    outcome, told = gate.asks("approving", api=api).fails(LOOP_KEY="sk-wrong-9876543210")
    assert outcome == "unreviewed"
    assert "does not let us in (401): Invalid API key" in told
    assert "LOOP_KEY" in told
    assert "sk-wrong" not in told
    assert gate.requests == []
