"""The gate behind a real LiteLLM proxy: aliases, fallbacks and errors as a company's gateway gives them."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.repo import Repo
from support.server import free_port

KEY = "sk-loopback-7f3c19e2b5"
CONFIG = Path(__file__).parent / "litellm" / "config.yaml"
LITELLM = Path(sys.prefix) / "litellm" / "bin" / "litellm"
WRONG_KEY = "sk-wrong-9876543210"
START = 150.0  # seconds
AUTHOR = ("--author", "claude-opus-4-8")
APIS = pytest.mark.parametrize("api", [None, "responses"], ids=["chat", "responses"])

pytestmark = pytest.mark.timeout(2 * START)  # the first test waits for the proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The root of the proxy's API."""
    assert LITELLM.exists(), f"{LITELLM} is missing: `make test-all` installs it"
    folder, port = tmp_path_factory.mktemp("litellm"), free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    command = [LITELLM, "--config", CONFIG, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    with process:
        try:
            origin = f"http://127.0.0.1:{port}"
            _wait(origin, process, folder / "log")
            yield f"{origin}/v1"
        finally:
            process.kill()


def _wait(origin: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + START
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the machine has
    while time.monotonic() < ends and process.poll() is None:
        try:
            with direct.open(f"{origin}/health/liveliness", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


Review = Callable[..., Any]


@pytest.fixture
def review(changed: Repo, proxy: str, configure: Callable[..., Path]) -> Review:
    """Review with a model of the proxy's, or where it gives no answer with one `then`, and return the JSON."""

    def run(model: str, *arguments: str, then: str = "", api: str | None = None, key: str = KEY) -> Any:
        file = configure(proxy)
        reviewers = ", ".join(f'"{name}"' for name in (f"loop:{model}", then) if name)
        text = file.read_text().replace('"loop:gpt-5.5"', reviewers) + (f'api = "{api}"\n' if api else "")
        shut = f'[providers.shut]\nbase-url = "{proxy}"\napi-key-env = "SHUT_KEY"\n'
        file.write_text(text + shut)
        return changed.review(*arguments, LOOP_KEY=key, SHUT_KEY=WRONG_KEY)

    return run


def told(payload: Any) -> str:
    """What is told of a review without a verdict."""
    assert payload["exit_code"] == 2, payload
    assert payload["reviews"] == [], payload
    return f"{payload['problem']['what']}; {payload['problem']['do']}"


# --- verdicts ---------------------------------------------------------------------------------------------------


@APIS
def test_an_approval_through_an_alias_opens_the_gate(api: str | None, review: Review) -> None:
    payload = review("approving", *AUTHOR, api=api)
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    (found,) = payload["reviews"]
    assert found["requested_model"] == "approving"
    assert (found["prompt_tokens"], found["output_tokens"]) == (10, 20)  # as LiteLLM's mock counts them


@APIS
def test_a_block_through_an_alias_closes_the_gate(api: str | None, review: Review) -> None:
    payload = review("reviewer-mock", "--author", "gpt-5.5", api=api)
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert payload["reviews"][0]["summary"] == "A summary."


# --- who answered -----------------------------------------------------------------------------------------------


@APIS
@pytest.mark.parametrize("alias", ["reviewer-mock", "smart", "gpt-5.5"])
def test_the_author_s_own_model_behind_an_alias_is_refused(alias: str, api: str | None, review: Review) -> None:
    payload = review(alias, *AUTHOR, api=api)
    assert payload["outcome"] == "refused"
    assert "claude-opus-4-8 answered: it is the model that wrote the change" in told(payload)


@APIS
def test_another_vendor_s_model_than_the_alias_says_is_no_review(api: str | None, review: Review) -> None:
    payload = review("gpt-5.5", api=api)
    assert payload["outcome"] == "invalid"
    assert "claude-opus-4-8 answered in its place" in told(payload)


def test_a_fallback_to_the_author_s_own_model_is_refused(review: Review) -> None:
    payload = review("gpt-5.4", *AUTHOR)
    assert payload["outcome"] == "refused"
    assert "claude-opus-4-8 answered: it is the model that wrote the change" in told(payload)


# --- errors -----------------------------------------------------------------------------------------------------

PASSING = [
    ("slow", "is failing (408): litellm.Timeout"),
    ("limited", "is over its limits (429): litellm.RateLimitError"),
    ("failing", "is failing (500): litellm.InternalServerError"),
]


@pytest.mark.parametrize(("model", "fragment"), PASSING, ids=[row[0] for row in PASSING])
def test_where_the_gateway_gives_no_answer_the_next_reviewer_is_asked(
    model: str, fragment: str, review: Review
) -> None:
    payload = review(model, then="loop:approving")
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    assert payload["reviews"][0]["requested_model"] == "approving"
    assert any(fragment in reason for reason in payload["reasons"])


@pytest.mark.parametrize(("model", "fragment"), PASSING, ids=[row[0] for row in PASSING])
def test_where_nobody_gives_an_answer_there_is_no_review(model: str, fragment: str, review: Review) -> None:
    payload = review(model, then="shut:approving")
    assert payload["outcome"] == "unreviewed"
    assert "SHUT_KEY" in told(payload)
    assert any(fragment in reason for reason in payload["reasons"])


@APIS
def test_an_unknown_model_is_an_error(api: str | None, review: Review) -> None:
    payload = review("unknown", api=api)
    assert payload["outcome"] == "error"
    assert "refuses the request (400)" in told(payload)
    assert "Invalid model name passed in model=unknown" in told(payload)


def test_a_change_beyond_the_model_s_context_is_incomplete_coverage(review: Review) -> None:
    payload = review("small")
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert [finding["rule"] for finding in payload["findings"]] == ["incomplete-coverage"]
    (withheld,) = payload["coverage"]["withheld"]
    assert withheld["path"] == "app.py"
    assert "over the context" in withheld["reason"]


@APIS
def test_a_wrong_key_is_told_by_the_name_of_its_variable(api: str | None, review: Review) -> None:
    # Without a database the proxy says of a key that it does not know: 400, "No connected db."
    payload = review("approving", api=api, key=WRONG_KEY)
    assert payload["outcome"] == "unreviewed"
    assert "LOOP_KEY" in told(payload)
    assert WRONG_KEY not in told(payload)
