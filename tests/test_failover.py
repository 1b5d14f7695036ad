"""Who is asked where the first choice can't be reached, and who is not where it answered; and in which order."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import server as endpoint
from support.repo import Repo, assert_commit_allowed
from support.server import Hang, Script, Server, listening_once

AUTHOR = ("--author", "qwen3-max")
LATER = {"Retry_After": "600"}
SOON = 15.0  # seconds in which a run ends that has nothing to wait for, even on a busy machine

Serve = Callable[..., Server]
Users = Callable[..., Path]


@pytest.fixture
def users(clean_environment: Mapping[str, str]) -> Users:
    """Writes the user's own file: the reviewers, and a provider of each name at its server."""

    def write(reviewers: str, text: str = "", **places: Server | str) -> Path:
        path = Path(clean_environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        named = ", ".join(f'"{spec}"' for spec in reviewers.split())
        lines = [f"reviewers = [{named}]", text]
        for name, place in places.items():
            url = place if isinstance(place, str) else place.url
            lines += [f"[providers.{name}]", f'base-url = "{url}"', 'api-key-env = "LOOP_KEY"']
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def results(repo: Repo) -> list[tuple[str, str]]:
    """Who was asked and what came of it, in the order in which it was written; then the gate."""
    return [(entry["provider"] or "", entry["result"]) for entry in reversed(repo.log())]


def approves(model: str = "gpt-5.5", **values: Any) -> Script:
    return endpoint.approves(model=model, **values)


TWO = "first:gpt-5.5 second:claude-opus-4-8"
SECOND = approves("claude-opus-4-8")


# --- who can't be reached is followed -------------------------------------------------------------------------

UNREACHED: dict[str, tuple[Script, str, int]] = {  # what it does, what is told of it, how often it is asked
    "401": (endpoint.fails(401, "no such key"), "does not let us in (401): no such key", 1),
    "402": (endpoint.fails(402, "no credits"), "does not let us in (402): no credits", 1),
    "403": (endpoint.fails(403, "not for you"), "does not let us in (403): not for you", 1),
    "429-for-ten-minutes": (endpoint.fails(429, "slow down", **LATER), "is over its limits (429): slow down", 1),
    "429-for-six-seconds": (endpoint.fails(429, "slow down", Retry_After="6"), "(429): slow down", 1),
    "429-without-a-time": (endpoint.fails(429, "slow down"), "(429): slow down", 2),
    "429-at-once": (endpoint.fails(429, "slow down", Retry_After="0"), "(429): slow down", 2),
    "429-out-of-quota": (
        endpoint.data({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429),
        "(429): You exceeded your quota",
        1,
    ),
    "429-inside-of-a-200": (
        endpoint.data({"error": {"message": "slow down", "code": 429}}, **LATER),
        "(429): slow down",
        1,
    ),
    "500": (endpoint.fails(500, "it broke", **LATER), "is failing (500): it broke", 1),
    "500-without-a-time": (endpoint.fails(500, "it broke"), "is failing (500): it broke", 2),
    "503": (endpoint.fails(503, "overloaded", **LATER), "is failing (503): overloaded", 1),
    "529": (endpoint.fails(529, "overloaded", **LATER), "is failing (529): overloaded", 1),
    "key-unknown-to-litellm": (endpoint.fails(400, "No connected db."), "does not let us in (400)", 1),
    "hangs-up": (endpoint.sends(endpoint.hang_up), "can't be reached: the connection failed", 2),
}


@pytest.mark.parametrize("case", UNREACHED)
def test_the_next_one_is_asked_at_once_and_it_is_said_and_logged(
    case: str, changed: Repo, serve: Serve, users: Users
) -> None:
    script, told, requests = UNREACHED[case]
    first, second = serve(script), serve(SECOND)
    users(TWO, first=first, second=second)
    started = time.monotonic()
    payload = changed.review(*AUTHOR)
    assert time.monotonic() - started < SOON
    assert (payload["outcome"], payload["exit_code"], payload["problem"]) == ("approve", 0, None), payload
    assert [(item["provider"], item["origin"]) for item in payload["reviews"]] == [("second", second.origin)]
    (reason,) = payload["reasons"]
    assert reason.startswith(f"first:gpt-5.5 at {first.origin} ")
    assert told in reason
    assert (len(first.requests), len(second.requests)) == (requests, 1)
    assert results(changed) == [("first", "unreviewed"), ("second", "approve"), ("second", "approve")]
    row = changed.log()[2]
    assert told in row["evidence"]["problem"]["what"]
    assert (row["model"], row["evidence"]["origin"], row["evidence"]["reply"]) == ("gpt-5.5", first.origin, None)


def test_both_are_sent_the_same_change(changed: Repo, serve: Serve, users: Users) -> None:
    first, second = serve(endpoint.fails(401)), serve(SECOND)
    users(TWO, first=first, second=second)
    changed.review(*AUTHOR)
    assert first.requests[0].body["messages"] == second.requests[0].body["messages"]
    assert [server.requests[0].body["model"] for server in (first, second)] == ["gpt-5.5", "claude-opus-4-8"]


def test_each_gets_its_own_key(changed: Repo, serve: Serve, users: Users) -> None:
    first, second = serve(endpoint.fails(401)), serve(SECOND)
    file = users(TWO, first=first, second=second)
    head, _, tail = file.read_text().rpartition("LOOP_KEY")
    file.write_text(f"{head}OTHER_KEY{tail}")
    assert changed.review(*AUTHOR, OTHER_KEY="sk-other-987654321")["outcome"] == "approve"
    assert first.requests[0].headers["authorization"] == "Bearer sk-loop-0123456789"
    assert second.requests[0].headers["authorization"] == "Bearer sk-other-987654321"


def test_one_that_vanishes_after_it_was_found(changed: Repo, serve: Serve, users: Users) -> None:
    second = serve(SECOND)
    with listening_once() as gone:
        users(TWO, first=gone, second=second)
        payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    (reason,) = payload["reasons"]
    assert "first:gpt-5.5 at http://127.0.0.1:" in reason
    assert "can't be reached: the connection failed" in reason
    assert results(changed)[0] == ("first", "unreviewed")


def test_one_whose_name_leads_nowhere(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, first="https://nonexistent.invalid/v1", second=serve(SECOND))
    payload = changed.review(*AUTHOR)
    assert payload["outcome"] == "approve", payload
    (reason,) = payload["reasons"]
    assert "its name can't be resolved" in reason
    assert results(changed)[0] == ("first", "unreviewed")


def test_one_that_speaks_no_tls(changed: Repo, serve: Serve, users: Users) -> None:
    plain = serve()
    users(TWO, first=plain.url.replace("http://", "https://"), second=serve(SECOND))
    payload = changed.review(*AUTHOR)
    assert payload["outcome"] == "approve", payload
    (reason,) = payload["reasons"]
    assert "TLS" in reason
    assert plain.requests == []


def test_one_that_is_not_set_up_is_passed_over_and_is_no_row(changed: Repo, serve: Serve, users: Users) -> None:
    first, second = serve(), serve(SECOND)
    file = users(TWO, first=first, second=second)
    file.write_text(file.read_text().replace("LOOP_KEY", "UNSET_KEY", 1))
    payload = changed.review(*AUTHOR)
    assert payload["outcome"] == "approve", payload
    assert payload["reasons"] == ["first:gpt-5.5: its key is missing: UNSET_KEY is not set"]
    assert first.connections <= 1
    assert first.requests == []
    assert results(changed) == [("second", "approve"), ("second", "approve")]


def test_the_one_after_the_next_too(changed: Repo, serve: Serve, users: Users) -> None:
    first, second, third = serve(endpoint.fails(401)), serve(endpoint.fails(503, **LATER)), serve(approves("grok-5"))
    users(f"{TWO} third:grok-5", first=first, second=second, third=third)
    payload = changed.review(*AUTHOR)
    assert payload["outcome"] == "approve", payload
    assert [reason.split(" at ")[0] for reason in payload["reasons"]] == TWO.split()
    assert results(changed)[:3] == [("first", "unreviewed"), ("second", "unreviewed"), ("third", "approve")]
    assert [len(server.requests) for server in (first, second, third)] == [1, 1, 1]


def test_the_next_one_s_verdict_counts_whatever_it_is(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, first=serve(endpoint.fails(401)), second=serve(endpoint.blocks(model="claude-opus-4-8")))
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1), payload
    assert any("(401)" in reason for reason in payload["reasons"])
    assert results(changed) == [("first", "unreviewed"), ("second", "blocked"), ("second", "blocked")]


def test_a_bad_answer_of_the_next_one_is_no_verdict(changed: Repo, serve: Serve, users: Users) -> None:
    second, third = serve(endpoint.says_content("Fine.")), serve()
    users(f"{TWO} third:grok-5", first=serve(endpoint.fails(401)), second=second, third=third)
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert (len(second.requests), len(third.requests)) == (2, 0)


def test_what_was_passed_over_is_told_beside_a_bad_answer(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, first=serve(endpoint.fails(401)), second=serve(endpoint.says_content("Fine.")))
    result = changed.call("review", *AUTHOR)
    assert result.code == 2
    assert "(401)" in result.text, result


def test_a_person_reads_who_was_asked_in_vain(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, first=serve(endpoint.fails(503, "overloaded", **LATER)), second=serve(SECOND))
    result = changed.call("review", *AUTHOR)
    assert result.code == 0
    assert "is failing (503)" in " ".join(result.out.split())
    assert "claude-opus-4-8 (second)" in result.out


# --- who answered is not --------------------------------------------------------------------------------------

ANSWERED: dict[str, tuple[Script, str, int, int]] = {  # what it says, the outcome, the exit code, the requests
    "blocks": (endpoint.blocks(), "block", 1, 1),
    "blocks-without-a-finding": (endpoint.blocks(findings=[]), "block", 1, 1),
    "asks-for-changes": (endpoint.says("request_changes"), "request_changes", 0, 1),
    "answers-badly-twice": (endpoint.says_content("Looks good to me."), "invalid", 2, 2),
    "answers-nothing-twice": (endpoint.says_content(None), "invalid", 2, 2),
    "declines-twice": (endpoint.says_content(None, refusal="I can't."), "invalid", 2, 2),
    "is-filtered-twice": (endpoint.says_content("{}", finish="content_filter"), "invalid", 2, 2),
    "gives-a-wrong-receipt-twice": (approves(receipt="0123-4567"), "invalid", 2, 2),
    "answers-with-a-web-page": (endpoint.page("<!doctype html><p>Sign in"), "invalid", 2, 1),
    "answers-with-a-flood": (endpoint.sends(endpoint.flood(200)), "invalid", 2, 1),
    "answers-as-the-author": (approves("qwen3-max"), "refused", 2, 1),
    "answers-as-another-vendor": (approves("grok-5"), "invalid", 2, 1),
    "knows-no-such-model": (endpoint.fails(404, "no such model"), "error", 2, 1),
    "refuses-the-request": (endpoint.fails(400, "temperature is missing"), "error", 2, 1),
    "refuses-a-field": (endpoint.fails(422, "extra_forbidden"), "error", 2, 1),
    "redirects": (endpoint.fails(307, Location="http://127.0.0.1:9/"), "error", 2, 1),
    "has-too-little-context": (endpoint.fails(400, "context_length_exceeded"), "block", 1, 1),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_nobody_is_asked_instead(case: str, changed: Repo, serve: Serve, users: Users) -> None:
    script, outcome, code, requests = ANSWERED[case]
    first, second = serve(script), serve(SECOND)
    users(TWO, first=first, second=second)
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == (outcome, code), payload
    assert (len(first.requests), len(second.requests)) == (requests, 0)


@pytest.mark.parametrize(
    "then",
    [endpoint.fails(503, **LATER), endpoint.fails(401), endpoint.sends(endpoint.hang_up)],
    ids=["busy", "not-let-in", "hangs-up"],
)
def test_one_that_answered_badly_and_is_gone_then_is_not_followed(
    then: Script, changed: Repo, serve: Serve, users: Users
) -> None:
    first, second = serve(endpoint.says_content("Looks good to me."), then), serve(SECOND)
    users(TWO, 'on-error = "allow"', first=first, second=second)
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2), payload
    assert "gave no usable review (the reply names no verdict); asked again" in payload["problem"]["what"]
    assert second.requests == []
    assert results(changed)[:2] == [("first", "invalid"), ("first", "unreviewed")]


# --- the author is nobody's stand-in --------------------------------------------------------------------------


def test_the_author_is_not_asked_where_the_first_is_gone(changed: Repo, serve: Serve, users: Users) -> None:
    first, author = serve(endpoint.fails(401, "no such key")), serve(SECOND)
    users(TWO, first=first, second=author)
    payload = changed.review("--author", "claude-opus-4-8")
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "(401)" in payload["problem"]["what"]
    (reason,) = payload["reasons"]
    assert reason.startswith("second:claude-opus-4-8: it is the model that wrote the change")
    assert author.requests == []
    assert results(changed)[:-1] == [("first", "unreviewed")]


def test_the_author_is_skipped_for_the_one_after(changed: Repo, serve: Serve, users: Users) -> None:
    first, author, third = serve(endpoint.fails(401)), serve(SECOND), serve(approves("grok-5"))
    users(f"{TWO} third:grok-5", first=first, second=author, third=third)
    payload = changed.review("--author", "claude-opus-4-8")
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    assert [item["provider"] for item in payload["reviews"]] == ["third"]
    assert author.requests == []


def test_the_family_of_a_detected_agent_is_skipped(changed: Repo, serve: Serve, users: Users) -> None:
    first, kin, third = serve(endpoint.fails(401)), serve(SECOND), serve(approves("grok-5"))
    users(f"{TWO} third:grok-5", first=first, second=kin, third=third)
    assert changed.review(CLAUDECODE="1")["reviews"][0]["provider"] == "third"
    assert kin.requests == []


def test_the_next_one_that_turns_out_to_be_the_author_is_void(changed: Repo, serve: Serve, users: Users) -> None:
    second, third = serve(approves("claude-opus-4-8")), serve(approves("grok-5"))
    reviewers = "first:gpt-5.5 second:house-model third:grok-5"
    users(reviewers, first=serve(endpoint.fails(401)), second=second, third=third)
    named = [part for spec in reviewers.split()[:2] for part in ("--reviewer", spec)]
    payload = changed.review("--author", "claude-opus-4-8", *named)
    assert (payload["outcome"], payload["exit_code"]) == ("refused", 2), payload
    assert (len(second.requests), len(third.requests)) == (1, 0)


# --- nobody is there ------------------------------------------------------------------------------------------


def test_all_of_them_are_named(changed: Repo, serve: Serve, users: Users) -> None:
    first, second = serve(endpoint.fails(401, "no such key")), serve(endpoint.fails(503, "overloaded", **LATER))
    users(f"{TWO} third:grok-5", first=first, second=second, third="https://nonexistent.invalid/v1")
    result = changed.call("review", "--output-format", "json", *AUTHOR)
    payload = result.json
    assert (payload["outcome"], payload["exit_code"], result.code) == ("unreviewed", 2, 2), payload
    said = " ".join((payload["problem"]["what"], *payload["reasons"]))
    for part in (*TWO.split(), "third:grok-5", "(401): no such key", "(503): overloaded", "can't be resolved"):
        assert part in said
    assert payload["problem"]["do"]
    assert [result for _, result in results(changed)] == ["unreviewed"] * 4


def test_a_person_reads_all_of_their_names(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, first=serve(endpoint.fails(401)), second=serve(endpoint.fails(403)))
    result = changed.call("review", *AUTHOR)
    assert result.code == 2
    told = " ".join(line.strip("│ ") for line in result.out.splitlines())
    for part in ("no review: ", *TWO.split(), "(401)", "(403)", "what to do: "):
        assert part in told


def test_they_may_be_allowed_to_be_absent_and_that_is_loud(changed: Repo, serve: Serve, users: Users) -> None:
    users(TWO, 'on-error = "allow"', first=serve(endpoint.fails(401)), second=serve(endpoint.fails(503, **LATER)))
    result = changed.call("review", "--output-format", "json", *AUTHOR)
    payload = result.json
    assert (payload["outcome"], result.code, payload["reviews"]) == ("unreviewed", 0, []), result
    assert result.err.startswith("no review: second:claude-opus-4-8 at ")
    assert any("(401)" in reason for reason in payload["reasons"])
    shown = changed.call("review", *AUTHOR)
    assert shown.code == 0
    assert "no review: " in shown.text
    quiet = changed.call("review", "--quiet", *AUTHOR)
    assert (quiet.code, "no review: " in quiet.text) == (0, True)


@pytest.mark.parametrize("case", ["answers-badly-twice", "knows-no-such-model", "redirects", "blocks"])
def test_who_answered_is_never_allowed_to_be_absent(case: str, changed: Repo, serve: Serve, users: Users) -> None:
    script, _, _, _ = ANSWERED[case]
    users(TWO, 'on-error = "allow"', first=serve(script), second=serve(SECOND))
    assert changed.review(*AUTHOR)["exit_code"] in {1, 2}


def test_a_sandbox_without_network_is_named(changed: Repo, serve: Serve, users: Users) -> None:
    gone = endpoint.sends(endpoint.hang_up)
    reviewers = "first:claude-opus-4-8 second:grok-5"
    users(reviewers, first=serve(gone), second=serve(gone))
    payload = changed.review(CODEX_SANDBOX_NETWORK_DISABLED="1")
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "second:grok-5" in payload["problem"]["what"]
    assert "this sandbox has no network (Codex)" in payload["problem"]["what"]
    assert "allow the network for this command" in payload["problem"]["do"]
    (reason,) = payload["reasons"]
    assert reason.startswith("first:claude-opus-4-8 at ")
    assert "this sandbox has no network (Codex)" in reason


def test_a_sandbox_is_not_blamed_for_what_answers(changed: Repo, serve: Serve, users: Users) -> None:
    users("first:claude-opus-4-8", first=serve(endpoint.fails(401, "no such key")))
    payload = changed.review(CODEX_SANDBOX_NETWORK_DISABLED="1")
    assert "(401): no such key" in payload["problem"]["what"]
    assert "sandbox" not in payload["problem"]["what"]


# --- one deadline for all -------------------------------------------------------------------------------------


def test_one_that_hangs_is_followed_after_its_own_time(changed: Repo, serve: Serve, users: Users) -> None:
    hang = Hang()
    first, second = serve(hang), serve(SECOND)
    file = users(TWO, first=first, second=second)
    file.write_text(file.read_text().replace("[providers.second]", "timeout = 1\n[providers.second]"))
    started = time.monotonic()
    payload = changed.review("--timeout", "30", *AUTHOR)
    hang.release.set()
    assert time.monotonic() - started < SOON
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    (reason,) = payload["reasons"]
    assert "gave no answer within 1 s" in reason
    assert results(changed) == [("first", "unreviewed"), ("second", "approve"), ("second", "approve")]


def test_the_next_one_has_what_is_left_of_the_time(changed: Repo, serve: Serve, users: Users) -> None:
    one, other = Hang(), Hang()
    file = users(TWO, first=serve(one), second=serve(other))
    file.write_text(file.read_text().replace("[providers.second]", "timeout = 2\n[providers.second]"))
    started = time.monotonic()
    payload = changed.review("--timeout", "4", *AUTHOR)
    one.release.set()
    other.release.set()
    assert 3.5 < time.monotonic() - started < 4 + 2
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "second:claude-opus-4-8" in payload["problem"]["what"]
    assert "gave no answer within" in payload["problem"]["what"]
    assert "raise `timeout`" in payload["problem"]["do"]
    (reason,) = payload["reasons"]
    assert "first:gpt-5.5" in reason


def test_one_that_eats_all_of_the_time_leaves_none_to_the_next(changed: Repo, serve: Serve, users: Users) -> None:
    hang = Hang()
    second = serve(SECOND)
    users(TWO, first=serve(hang), second=second)
    started = time.monotonic()
    payload = changed.review("--timeout", "2", *AUTHOR)
    hang.release.set()
    assert time.monotonic() - started < 2 + 2
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "first:gpt-5.5" in payload["problem"]["what"]
    assert second.requests == []


def test_the_last_one_may_be_waited_for(changed: Repo, serve: Serve, users: Users) -> None:
    """Two tries are enough while another one is there, and are not where there is none."""
    busy = endpoint.fails(429, "slow down", Retry_After="0")
    second = serve(busy, busy, busy, SECOND)
    users(TWO, first=serve(endpoint.fails(401)), second=second)
    payload = changed.review("--timeout", "40", *AUTHOR)
    assert payload["outcome"] == "approve", payload
    assert len(second.requests) == 4


# --- in a commit ----------------------------------------------------------------------------------------------


def test_a_commit_goes_on_with_the_next_one(changed: Repo, serve: Serve, users: Users) -> None:
    first, second = serve(endpoint.fails(503, "overloaded", **LATER)), serve(SECOND)
    users(TWO, first=first, second=second)
    changed.install_plain_hook()
    result = assert_commit_allowed(changed, TWOAGENT_AUTHOR="qwen3-max")
    assert "(503)" in " ".join(result.text.split()), result
    assert (len(first.requests), len(second.requests)) == (1, 1)
    assert results(changed) == [("first", "unreviewed"), ("second", "approve"), ("second", "approve")]


# --- one's own order ------------------------------------------------------------------------------------------

THREE = "first:gpt-5.5 second:claude-opus-4-8 third:grok-5"


@pytest.fixture
def three(serve: Serve) -> dict[str, Server]:
    """Three providers that nobody can reach, so that the order shows in which they are asked."""
    return {name: serve(endpoint.fails(401)) for name in ("first", "second", "third")}


def order(repo: Repo, *arguments: str, **environment: str) -> list[str]:
    repo.review(*AUTHOR, *arguments, **environment)
    return [provider for provider, _ in results(repo)[:-1]]


OWN_ORDERS = {
    "nothing": ("", ["first", "second", "third"]),
    "one": ("third:grok-5", ["third", "first", "second"]),
    "two": ("third:grok-5,second:claude-opus-4-8", ["third", "second", "first"]),
    "all": ("second:claude-opus-4-8,third:grok-5,first:gpt-5.5", ["second", "third", "first"]),
    "a-provider": ("third", ["third", "first", "second"]),
    "two-providers": ("second,third", ["second", "third", "first"]),
    "another-model-of-it": ("third:grok-4", ["first", "second", "third"]),
    "nobody-known": ("fourth:grok-5,second", ["second", "first", "third"]),
    "twice": ("second,first,second", ["second", "first", "third"]),
    "with-spaces": (" third , second:claude-opus-4-8 ", ["third", "second", "first"]),
    "only-commas": (",,", ["first", "second", "third"]),
}


@pytest.mark.parametrize("place", ["file", "variable"])
@pytest.mark.parametrize("case", OWN_ORDERS)
def test_the_users_own_order_counts_among_those_accepted(
    case: str, place: str, changed: Repo, three: dict[str, Server], users: Users
) -> None:
    wanted, expected = OWN_ORDERS[case]
    names = ", ".join(f'"{name.strip()}"' for name in wanted.split(",") if name.strip())
    users(THREE, f"prefer = [{names}]" if place == "file" else "", **three)
    assert order(changed, **({} if place == "file" else {"TWOAGENT_PREFER": wanted})) == expected


def test_the_variable_is_in_place_of_the_file(changed: Repo, three: dict[str, Server], users: Users) -> None:
    users(THREE, 'prefer = ["second"]', **three)
    assert order(changed, TWOAGENT_PREFER="third") == ["third", "first", "second"]


def test_it_orders_the_policy_s_and_adds_nobody(changed: Repo, three: dict[str, Server], users: Users) -> None:
    changed.git("stash", "-q")
    changed.policy('reviewers = ["first:gpt-5.5", "second:claude-opus-4-8"]\n')
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    users(THREE, 'prefer = ["third", "third:grok-5", "second"]', **three)
    assert order(changed) == ["second", "first"]
    assert three["third"].requests == []


@pytest.mark.parametrize("wanted", ["third", "third:grok-5", "rules", "rules,third:grok-5"])
def test_in_a_hook_the_variable_adds_nobody_either(
    wanted: str, changed: Repo, three: dict[str, Server], users: Users
) -> None:
    users(TWO, **three)
    index = str(changed.root / ".git" / "index")
    assert order(changed, TWOAGENT_PREFER=wanted, GIT_INDEX_FILE=index) == ["first", "second"]
    assert three["third"].requests == []


def test_one_that_is_preferred_must_still_be_independent(
    changed: Repo, three: dict[str, Server], users: Users
) -> None:
    users(THREE, 'prefer = ["second"]', **three)
    payload = changed.review("--author", "claude-opus-4-8")
    assert three["second"].requests == []
    assert any(reason.startswith("second:claude-opus-4-8: it is the model") for reason in payload["reasons"])


def test_another_family_goes_before_one_s_own_order(changed: Repo, three: dict[str, Server], users: Users) -> None:
    users(THREE, 'prefer = ["second"]', **three)
    changed.review("--author", "claude-haiku-4-5")
    assert [provider for provider, _ in results(changed)[:-1]] == ["first", "third", "second"]


def test_a_model_without_a_provider_is_one_of_openai_s(changed: Repo, three: dict[str, Server], users: Users) -> None:
    users("second:claude-opus-4-8 gpt-5.5", 'prefer = ["openai"]', second=three["second"], openai=three["first"])
    assert order(changed) == ["openai", "second"]


@pytest.mark.parametrize(
    ("text", "told"),
    [('prefer = "second"', "`prefer`"), ("prefer = [1]", "`prefer`"), ('prefer = [""]', "`prefer`")],
    ids=["a-text", "a-number", "empty"],
)
def test_an_order_that_can_not_be_is_told(
    text: str, told: str, changed: Repo, three: dict[str, Server], users: Users
) -> None:
    users(THREE, text, **three)
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert told in payload["problem"]["what"]
    assert "a list of texts" in payload["problem"]["do"]


def test_a_repository_has_no_order_of_its_user(changed: Repo, three: dict[str, Server], users: Users) -> None:
    users(THREE, **three)
    changed.git("stash", "-q")
    changed.policy('prefer = ["second"]\n')
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    payload = changed.review(*AUTHOR)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "`prefer`" in payload["problem"]["what"]
    assert all(server.requests == [] for server in three.values())
