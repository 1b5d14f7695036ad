"""What has no room is named, and the message says what would help; ceilings are the user's."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo, assert_commit_allowed, assert_commit_blocked
from support.server import Answer, Request, Server, answer, approves, blocks, completion, fails, reply

from twoagent_hook import spending
from twoagent_hook.config import Config
from twoagent_hook.coverage import advice
from twoagent_hook.prompts import Lacking
from twoagent_hook.rendering import estimate
from twoagent_hook.screening import Reason, Withheld
from twoagent_hook.spending import Spent, Used

Serve = Callable[..., Server]
Configure = Callable[..., Path]
KEY = "sk-loop-0123456789"


def lines(name: str, count: int) -> str:
    return "".join(f"value_{name}_{number} = 'aaaaaaaaaaaaaaaa'\n" for number in range(count))


@pytest.fixture
def large(repo: Repo) -> Repo:
    """Six modules, each of which fills a request of 9,500 tokens by itself."""
    repo.environment["LOOP_KEY"] = KEY
    for name in "abcdef":
        repo.stage(f"{name}.py", lines(name, 400))
    return repo


LIMITS = "max-input-tokens = 9500\n"


# --- over the limit -----------------------------------------------------------------------------------------------


def test_the_message_says_how_many_requests_would_do(large: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    path = configure(server, LIMITS)
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"], server.requests) == ("block", 1, [])
    (found,) = payload["findings"]
    wanted = re.search(r"raise `max-requests` from 3 to (\d+)", found["fix"])
    assert wanted is not None, found
    assert "split the commit" in found["fix"]
    assert "`exclude` what needs no review (.twoagent-hook.toml" in found["fix"]
    configure(server, f"{LIMITS}max-requests = {wanted[1]}\n")
    assert large.review()["outcome"] == "approve"
    assert len(server.requests) == int(wanted[1])
    configure(server, f"{LIMITS}max-requests = {int(wanted[1]) - 1}\n")
    assert "max-requests` from" in large.review("--author", "human")["findings"][0]["fix"]
    assert path.exists()


def test_the_message_says_which_size_would_do(repo: Repo, serve: Serve, configure: Configure) -> None:
    """One line alone is too large for a request, however many there may be."""
    server = serve(approves())
    configure(server, LIMITS)
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("a.py", f"x = '{'a' * 60_000}'\n")
    repo.stage("b.py", "y = 1\n")
    payload = repo.review()
    (found,) = [item for item in payload["findings"] if item["rule"] == "incomplete-coverage"]
    wanted = re.search(r"raise `max-input-tokens` from 9500 to (\d+)", found["fix"])
    assert wanted is not None, found
    configure(server, f"max-input-tokens = {wanted[1]}\n")
    assert repo.review()["outcome"] == "approve"


def test_no_size_is_named_that_would_not_help(repo: Repo, serve: Serve, configure: Configure) -> None:
    """A file that is too large to be read stays unread, however much a request may hold."""
    configure(serve(approves()), LIMITS + "max-requests = 1\n")
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("a.py", lines("a", 4000))
    repo.stage("b.txt", "0123456789abcde\n" * (1 << 21))
    (found,) = [item for item in repo.review()["findings"] if item["rule"] == "incomplete-coverage"]
    assert "raise" not in found["fix"]
    assert "split the commit" in found["fix"]


def test_where_nothing_fits_the_message_says_so_too(repo: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server, LIMITS)
    repo.policy('rules = {incomplete-coverage = "note"}\n')
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("a.py", f"x = '{'a' * 60_000}'\n")
    problem = repo.review()["problem"]
    assert "nothing of the change fits" in problem["what"]
    assert "raise `max-input-tokens` from 9500 to" in problem["do"]


@pytest.mark.parametrize(("path", "outcome"), [("z.py", "approve"), ("auth/z.py", "block")])
def test_what_is_vital_is_left_out_by_no_policy(
    repo: Repo, serve: Serve, configure: Configure, path: str, outcome: str
) -> None:
    repo.policy('rules = {incomplete-coverage = "note"}\n')
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("a.py", "x = 1\n")
    repo.stage(path, lines("z", 4000))
    server = serve(approves())
    configure(server, LIMITS)
    payload = repo.review()
    assert (payload["outcome"], len(server.requests)) == (outcome, outcome == "approve")
    assert {item["path"] for item in payload["coverage"]["withheld"]} == {path}


def test_what_is_vital_takes_the_room_of_what_is_not(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.policy('rules = {incomplete-coverage = "note"}\n')
    repo.environment["LOOP_KEY"] = KEY
    repo.stage("a.py", lines("a", 400))
    repo.stage("login.py", lines("z", 400))
    server = serve(approves())
    configure(server, LIMITS + "max-requests = 1\n")
    payload = repo.review()
    assert payload["outcome"] == "approve"
    assert "=== login.py" in server.requests[0].user
    assert {item["path"] for item in payload["coverage"]["withheld"]} == {"a.py"}


@pytest.mark.parametrize(
    ("reasons", "lacking", "expected", "absent"),
    [
        ([Reason.OVER_BUDGET], Lacking(7, None), "raise `max-requests` from 3 to 7", "timeout"),
        ([Reason.OVER_BUDGET], Lacking(None, 90000), "raise `max-input-tokens` from 24000 to 90000", "max-requests"),
        ([Reason.OVER_BUDGET], Lacking(None, None), "split the commit", "raise"),
        ([Reason.TOO_LARGE], None, "split the commit", "raise"),
        ([Reason.UNANSWERED], None, "review --timeout 300", "split"),
        ([Reason.OVER_CONTEXT], None, "max-input-tokens", "split"),
    ],
)
def test_advice_fits_what_is_missing(
    reasons: list[Reason], lacking: Lacking | None, expected: str, absent: str
) -> None:
    missing = [Withheld("a.py", reason) for reason in reasons]
    text = advice(missing, Config(), lacking)
    assert expected in text
    assert absent not in text


def test_advice_names_the_place_where_the_key_stands() -> None:
    config = Config(sources={"max-requests": ".twoagent-hook.toml (HEAD)"})
    text = advice([Withheld("a.py", Reason.OVER_BUDGET)], config, Lacking(7, None))
    assert "from 3 to 7 (.twoagent-hook.toml (HEAD))" in text


def test_nothing_missing_needs_no_advice() -> None:
    assert advice([], Config(), None) == ""


def test_the_command_in_the_advice_can_be_run_where_it_is_read(
    large: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(lambda request: (fails(500) if "=== b.py" in request.user else approves())(request))
    configure(server, LIMITS + "max-requests = 9\ntimeout = 4\n")
    shown = " ".join(large.run("review").out.replace("│", " ").split())
    (command,) = re.findall(r"run `(\S+) review --timeout 300`", shown)
    assert command.endswith("/twoagent-hook")


# --- what was used ------------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_sums_are_of_the_day_and_of_the_month(tmp_path: Path) -> None:
    folder = str(tmp_path)
    spending.add(folder, [Used(100, 0.5)], NOON.replace(day=1))
    spending.add(folder, [Used(7), Used(8, 0.25)], NOON)
    spending.add(folder, [Used(1000, 9.0)], NOON.replace(month=10))
    assert spending.read(folder, NOON) == Spent(15, 0.75)
    assert spending.read(folder, NOON.replace(month=12)) == Spent()


def test_lines_that_are_none_count_for_nothing(tmp_path: Path) -> None:
    folder = str(tmp_path)
    spending.add(folder, [Used(5, 1.0)], NOON)
    path = tmp_path / "spending" / "2026-11.tsv"
    path.write_bytes(
        path.read_bytes() + b"2026-11-28\t9\n2026-11-28\t-1\t-\n\xff\nx\n2026-11-28\t1e9\t-\n2026-11-28\t9"
    )
    assert spending.read(folder, NOON) == Spent(5, 1.0)


@settings(max_examples=100, deadline=None, database=None)
@given(st.binary(max_size=300))
def test_no_content_makes_reading_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("spent")
    (folder / "spending").mkdir()
    (folder / "spending" / "2026-11.tsv").write_bytes(content)
    found = spending.read(str(folder), NOON)
    assert found.tokens_today >= 0
    assert found.cost_this_month >= 0


def test_it_is_private(tmp_path: Path) -> None:
    spending.add(str(tmp_path), [Used(5)], NOON)
    assert (tmp_path / "spending").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "spending" / "2026-11.tsv").stat().st_mode & 0o777 == 0o600


def test_where_it_can_t_be_written_that_is_said_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert spending.add(str(tmp_path / "file"), [Used(5)], NOON) is False
    assert spending.read(str(tmp_path / "file"), NOON) == Spent()


def billed(request: Request, cost: Any, **headers: str) -> Answer:
    made = completion(json.dumps(reply("approve", request)))
    made["usage"]["cost"] = cost
    return answer(made, **headers)


def spent(repo: Repo) -> Spent:
    return spending.read(str(Path(repo.environment["XDG_STATE_HOME"]) / "twoagent-hook"))


def test_tokens_of_today_stand_in_the_approval(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(approves()))
    assert "· 1.2k tokens · today 1.2k · #2" in changed.call("review").out
    changed.stage("app.py", "x = 3\n")
    payload = changed.review()
    assert payload["tokens_today"] == 2480
    assert spent(changed).tokens_today == 2480


def test_they_are_the_user_s_in_all_repositories(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    configure(serve(approves()))
    changed.review()
    other = Repo(tmp_path / "other", changed.environment)
    other.stage("a.py", "x = 1\n")
    assert other.review()["tokens_today"] == 2480


def test_a_recorded_verdict_uses_nothing(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(approves()))
    changed.review()
    said = changed.call("review").out
    assert "today" not in said
    assert spent(changed).tokens_today == 1240


def test_where_no_numbers_come_back_the_estimate_counts(changed: Repo, serve: Serve, configure: Configure) -> None:
    def script(request: Request) -> Answer:
        return answer(json.loads(approves()(request).body) | {"usage": None})

    configure(serve(script))
    changed.review()
    assert spent(changed).tokens_today > 1000


@pytest.mark.parametrize(
    ("cost", "headers", "expected"),
    [
        (0.0123, {}, 0.0123),
        ("0.0123", {}, 0.0123),
        (0, {}, 0.0),
        (None, {"x_litellm_response_cost": "0.05"}, 0.05),
        (0.9, {"x_litellm_response_cost": "0.05"}, 0.05),
        (None, {}, None),
        (-1, {}, None),
        (True, {}, None),
        ("a lot", {}, None),
        ("nan", {}, None),
        (1e12, {}, None),
        ({}, {}, None),
    ],
)
def test_what_a_call_costs_is_what_the_endpoint_says(
    changed: Repo, serve: Serve, configure: Configure, cost: Any, headers: dict[str, str], expected: float | None
) -> None:
    configure(serve(lambda request: billed(request, cost, **headers)))
    payload = changed.review()
    assert payload["reviews"][0]["cost_usd"] == expected
    assert next(row for row in changed.log() if row["role"] == "reviewer")["cost_usd"] == expected
    assert spent(changed).cost_this_month == pytest.approx(expected or 0.0)


@pytest.mark.parametrize(("cost", "shown"), [(0.0123, "$0.01"), (0.0001, "$0.0001"), (12.5, "$12.50"), (0, "$0.00")])
def test_the_cost_stands_in_the_approval(
    changed: Repo, serve: Serve, configure: Configure, cost: float, shown: str
) -> None:
    configure(serve(lambda request: billed(request, cost)))
    assert f"· 1.2k tokens, {shown} · today 1.2k ·" in changed.call("review").out


# --- ceilings -----------------------------------------------------------------------------------------------------


def test_over_the_tokens_of_the_day_nobody_is_asked(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    path = configure(server, "max-tokens-per-day = 5000\n")
    assert changed.review()["outcome"] == "approve"
    spending.add(str(Path(changed.environment["XDG_STATE_HOME"]) / "twoagent-hook"), [Used(3000)])
    changed.stage("app.py", "x = 3\n")
    changed.install_plain_hook()
    said = assert_commit_blocked(changed).err
    assert "max-tokens-per-day" in said
    assert "4240 are used today (UTC)" in " ".join(said.replace("│", " ").split())
    assert str(path)[-20:] in said.replace("│", "").replace("\n", "").replace(" ", "")
    assert len(server.requests) == 1


def test_a_verdict_on_record_stands_over_the_ceiling(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server, "max-tokens-per-day = 3500\n")
    changed.review()
    spending.add(str(Path(changed.environment["XDG_STATE_HOME"]) / "twoagent-hook"), [Used(3000)])
    changed.install_plain_hook()
    assert_commit_allowed(changed)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("on_error", "outcome", "code"), [("block", "unreviewed", 2), ("defer", "deferred", 0)])
def test_what_a_ceiling_does_is_for_on_error_to_say(
    changed: Repo, serve: Serve, configure: Configure, on_error: str, outcome: str, code: int
) -> None:
    configure(serve(approves()), f'max-tokens-per-day = 10\non-error = "{on_error}"\n')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == (outcome, code)


def test_over_the_cost_of_the_month_nobody_is_asked(changed: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(lambda request: billed(request, 0.6))
    configure(server, "max-cost-per-month = 1\n")
    outcomes = []
    for number in range(3):
        changed.stage("app.py", f"x = {number}\n")
        outcomes.append(changed.review()["outcome"])
    assert outcomes == ["approve", "approve", "unreviewed"]
    assert len(server.requests) == 2


def test_a_cost_that_is_not_told_is_said_not_to_count(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(approves()), "max-cost-per-month = 1\n")
    (notice,) = changed.review()["notices"]
    assert notice == "what loop:gpt-5.5 costs is not told, so `max-cost-per-month` does not count it"


@pytest.mark.parametrize("key", ["max-tokens-per-day = 5", "max-cost-per-month = 5"])
def test_a_repository_sets_no_ceiling_of_the_user_s(
    changed: Repo, serve: Serve, configure: Configure, key: str
) -> None:
    configure(serve(approves()))
    changed.stage(".twoagent-hook.toml", f"{key}\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2)


@pytest.mark.parametrize(
    "text",
    [
        "max-tokens-per-day = 0",
        "max-tokens-per-day = 1.5",
        'max-tokens-per-day = "5k"',
        "max-cost-per-month = -1",
        "max-cost-per-month = nan",
        'max-cost-per-month = "5"',
        "max-cost-per-month = true",
    ],
)
def test_a_ceiling_that_is_none_is_an_error(changed: Repo, configure: Configure, text: str) -> None:
    configure("http://127.0.0.1:9/v1", f"{text}\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2)
    assert text.partition(" ")[0] in payload["problem"]["what"]


def test_a_block_is_not_paid_for_twice(changed: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(blocks()))
    changed.review()
    changed.review("--no-cache")
    assert spent(changed).tokens_today == 1240


# --- the same bytes in front ---------------------------------------------------------------------------------------


def test_what_comes_before_the_change_is_the_same_in_every_run(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    """Byte for byte, so that a provider can keep it: system message and guidelines, up to the first random token."""
    changed.git("stash", "-q")
    changed.write("STYLE.md", "Prefer plain functions.\n" * 40)
    changed.write(".twoagent-hook.toml", 'guidelines = ["STYLE.md"]\n')
    changed.commit_all()
    changed.git("stash", "pop", "-q", "--index")
    server = serve(approves())
    configure(server)
    changed.review()
    changed.stage("other.py", "y = 1\n")
    changed.review()
    first, second = (request.raw.partition(b"receipt-a: ")[0] for request in server.requests)
    assert first == second
    assert b"Prefer plain functions." in first
    assert len(first) > 5000
    assert [row["cached_tokens"] for row in changed.log() if row["role"] == "reviewer"] == [1000, 1000]


def test_a_ceiling_that_can_not_be_counted_is_held(
    changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(approves())
    configure(server, "max-tokens-per-day = 100000\n")
    (tmp_path / "file").write_text("")
    payload = changed.review(XDG_STATE_HOME=str(tmp_path / "file"))
    assert (payload["outcome"], server.requests) == ("unreviewed", [])
    assert "no ceiling can be held" in payload["problem"]["what"]


def test_no_request_is_over_the_budget_for_naming_what_has_no_room(
    repo: Repo, serve: Serve, configure: Configure
) -> None:
    repo.policy('rules = {incomplete-coverage = "note"}\n')
    repo.environment["LOOP_KEY"] = KEY
    for number in range(60):
        repo.stage(f"src/module_with_a_long_name_{number}.py", lines("z", 60))
    server = serve(approves())
    configure(server, LIMITS + "max-requests = 1\n")
    payload = repo.review()
    assert len(payload["coverage"]["withheld"]) > 40
    (request,) = server.requests
    assert estimate(request.system) + estimate(request.user) <= 9500


def test_a_rule_that_closes_the_gate_is_no_missing_review(changed: Repo, serve: Serve, configure: Configure) -> None:
    """`on-error` speaks of reviewers: no rule is passed over by it."""
    server = serve(approves())
    configure(server)
    changed.git("reset", "-q", "--hard")
    changed.policy('fail-on = "request-changes"\non-error = "allow"\n')
    changed.write("tests/test_a.py", "def test_a():\n    assert 1 + 1 == 2\n")
    changed.commit_all()
    changed.stage("tests/test_a.py", "def test_a():\n    pass\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"], server.requests) == ("request_changes", 1, [])
