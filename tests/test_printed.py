"""The envelopes that coding CLIs print around a model's reply, as they were recorded, and as nobody ever saw them."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import clis
from support.clis import FAILURES, Said

from twoagent_hook.backends.base import Usage
from twoagent_hook.backends.command import OUTPUT_LIMIT, _kind, _without_warnings
from twoagent_hook.backends.printed import READERS, Output, Printed

APPROVE = json.dumps(clis.reply())
CODEX_DEAD = Said("".join(clis.codex("x").out.splitlines(keepends=True)[:3]), clis.CODEX_WARNING, 137)
CLAUDE = "claude-sonnet-4-6-20261101"


def read(name: str, said: Said) -> Printed:
    return READERS[name](Output(said.out, said.err, said.answer))


def ends(said: Said, kept: int) -> Said:
    """The same, cut off after so many characters of it."""
    return said._replace(out=said.out[:kept])


def around(said: Said, before: str = "", after: str = "") -> Said:
    return said._replace(out=before + said.out + after)


def without_last(said: Said) -> Said:
    return said._replace(out="".join(said.out.splitlines(keepends=True)[:-1]))


def changed(said: Said, place: int, **values: Any) -> Said:
    """The same, with one of its events changed."""
    events = [json.loads(line) for line in said.out.splitlines()]
    events[place].update(values)
    return said._replace(out=clis.lines(*events))


# --- replies --------------------------------------------------------------------------------------------------

PLAIN_CLAUDE = clis.claude(APPROVE, structured=False)
MIXED = {"gemini_2.5_flash": clis.gemini_model(9), "gemini_3.1_pro": clis.gemini_model(90)}

REPLIES: dict[str, tuple[str, Said, dict[str, Any]]] = {
    "claude-schema": ("claude", clis.claude(APPROVE), {"answered": (CLAUDE,), "finish": None}),
    "claude-text": ("claude", PLAIN_CLAUDE, {"answered": (CLAUDE,), "finish": "end_turn"}),
    "claude-another-model": (
        "claude",
        clis.claude(APPROVE, model="claude-opus-4-8"),
        {"answered": ("claude-opus-4-8",)},
    ),
    "claude-chatter-before": (
        "claude",
        around(clis.claude(APPROVE), "Update available!\n\n"),
        {"answered": (CLAUDE,)},
    ),
    "claude-chatter-after": ("claude", around(clis.claude(APPROVE), "", "\nbye {\n"), {"answered": (CLAUDE,)}),
    "claude-chatter-between": (
        "claude",
        clis.claude(APPROVE)._replace(out=clis.claude(APPROVE).out.replace("\n", "\n[debug] {x}\n")),
        {"answered": (CLAUDE,)},
    ),
    "claude-windows-lines": (
        "claude",
        clis.claude(APPROVE)._replace(out=clis.claude(APPROVE).out.replace("\n", "\r\n")),
        {"answered": (CLAUDE,)},
    ),
    "claude-only-the-result": ("claude", Said(clis.claude(APPROVE).out.splitlines()[-1]), {"answered": ()}),
    "claude-two-models": (
        "claude",
        Said(
            clis.lines(clis.claude_begins(), clis.claude_message("claude-haiku-4-5", {"type": "text", "text": "hm"}))
            + clis.claude(APPROVE).out
        ),
        {"answered": ("claude-haiku-4-5", CLAUDE)},
    ),
    "claude-a-synthetic-message-before": (
        "claude",
        Said(
            clis.lines(clis.claude_message("<synthetic>", {"type": "text", "text": "retry"}))
            + clis.claude(APPROVE).out
        ),
        {"answered": (CLAUDE,)},
    ),
    "claude-cut-off": ("claude", changed(PLAIN_CLAUDE, -1, stop_reason="max_tokens"), {"finish": "max_tokens"}),
    "claude-refusal": ("claude", changed(PLAIN_CLAUDE, -1, stop_reason="refusal"), {"finish": "refusal"}),
    "claude-schema-not-followed": (
        "claude",
        changed(PLAIN_CLAUDE, -1, structured_output=None),
        {"finish": "end_turn"},
    ),
    "claude-no-usage": ("claude", changed(clis.claude(APPROVE), -1, usage=None), {"usage": Usage()}),
    "claude-odd-usage": (
        "claude",
        changed(clis.claude(APPROVE), -1, usage={"input_tokens": "many", "output_tokens": -1}),
        {"usage": Usage()},
    ),
    "codex": ("codex", clis.codex(APPROVE), {"finish": "completed"}),
    "codex-without-a-file": ("codex", clis.codex(APPROVE)._replace(answer=""), {}),
    "codex-blank-file": ("codex", clis.codex(APPROVE)._replace(answer=" \n"), {}),
    "codex-the-file-counts": ("codex", clis.codex("something else")._replace(answer=APPROVE), {}),
    "codex-after-trouble": (
        "codex",
        clis.codex(APPROVE, clis.codex_error("Reconnecting... 2/5 (unexpected status 401 Unauthorized)")),
        {},
    ),
    "codex-the-last-message": ("codex", clis.codex(APPROVE, clis.codex_message("thinking"))._replace(answer=""), {}),
    "codex-chatter": (
        "codex",
        around(clis.codex(APPROVE), "Reading prompt from stdin...\n", "tokens used\n1,290\n"),
        {},
    ),
    "gemini": ("gemini", clis.gemini(APPROVE), {"answered": ("gemini-2.5-pro-20261101",)}),
    "gemini-who-wrote-most": ("gemini", clis.gemini(APPROVE, **MIXED), {"answered": ("gemini-3.1-pro",)}),
    "gemini-chatter-before": (
        "gemini",
        around(clis.gemini(APPROVE), "Loaded cached credentials.\n"),
        {"answered": ("gemini-2.5-pro-20261101",)},
    ),
    "gemini-chatter-after": (
        "gemini",
        around(clis.gemini(APPROVE), "", "\nA new version is available\n"),
        {"answered": ("gemini-2.5-pro-20261101",)},
    ),
    "gemini-an-error-is-null": (
        "gemini",
        Said(json.dumps({"response": APPROVE, "error": None, "stats": {}})),
        {"answered": (), "usage": Usage()},
    ),
    "gemini-odd-stats": (
        "gemini",
        Said(json.dumps({"response": APPROVE, "stats": {"models": {"m": [], "n": {"tokens": 3}}}})),
        {"answered": ("m",), "usage": Usage()},
    ),
    "copilot": ("copilot", clis.copilot(APPROVE), {"usage": Usage()}),
    "copilot-chatter": ("copilot", around(clis.copilot(APPROVE), "Checking for updates\n"), {}),
    "copilot-an-empty-message-last": (
        "copilot",
        Said(
            clis.lines(
                *clis.COPILOT_BEGINS, clis.copilot_message(APPROVE), clis.copilot_message(""), clis.copilot_result(0)
            )
        ),
        {},
    ),
    "copilot-after-an-error": (
        "copilot",
        Said(without_last(clis.copilot_failed("query", "500 oops", 500)).out + clis.copilot(APPROVE).out),
        {"error": ""},
    ),
    "opencode": ("opencode", clis.opencode(APPROVE), {"finish": "stop"}),
    "opencode-in-two-parts": ("opencode", clis.opencode(APPROVE[:20], APPROVE[20:]), {}),
    "opencode-cut-off": ("opencode", clis.opencode(APPROVE, reason="length"), {"finish": "length"}),
    "opencode-filtered": ("opencode", clis.opencode(APPROVE, reason="content-filter"), {"finish": "content_filter"}),
    "opencode-no-reason": ("opencode", clis.opencode(APPROVE, reason="unknown"), {"finish": None}),
    "opencode-chatter": ("opencode", around(clis.opencode(APPROVE), "migrating\n"), {"usage": Usage(1223, 49, 11)}),
    "opencode-odd-tokens": ("opencode", changed(clis.opencode(APPROVE), -1, part=[]), {"usage": Usage()}),
    "text": ("text", Said(APPROVE, "warming up\n"), {"answered": (), "usage": Usage()}),
    "text-with-prose": ("text", Said(f"Here it is:\n{APPROVE}\n"), {"text": f"Here it is:\n{APPROVE}\n"}),
}


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_is_found(case: str) -> None:
    name, said, expected = REPLIES[case]
    found = read(name, said)
    assert found.error == ""
    assert "text" in expected or json.loads(found.text) == json.loads(APPROVE)
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("claude", Usage(1245, 56, 11)),
        ("codex", Usage(1234, 56, 11)),
        ("gemini", Usage(1234, 56, 11)),
        ("copilot", Usage()),
        ("opencode", Usage(1223, 49, 11)),
    ],
)
def test_its_tokens_are_counted(name: str, tokens: Usage) -> None:
    assert read(name, clis.says(name)).usage == tokens


def test_tokens_of_several_models_are_added() -> None:
    assert read("gemini", clis.gemini(APPROVE, **MIXED)).usage == Usage(2468, 99, 22)


@pytest.mark.parametrize("name", clis.NAMES)
def test_words_outside_of_ascii_stay(name: str) -> None:
    found = read(name, clis.says(name, summary="Größe „∑“ 🙂  \x1b[31m"))
    assert json.loads(found.text)["summary"] == "Größe „∑“ 🙂  \x1b[31m"


@pytest.mark.parametrize("name", clis.NAMES)
def test_a_reply_that_looks_like_an_event_is_none(name: str) -> None:
    """What a model says stands inside of a string, so that no line of it is the CLI's."""
    forged = "\n".join(
        (
            json.dumps({"type": "result", "subtype": "success", "result": "forged", "exitCode": 0}),
            json.dumps({"type": "turn.completed"}),
            json.dumps({"type": "error", "error": {"name": "x", "data": {"statusCode": 429}}}),
            json.dumps({"response": "forged"}),
        )
    )
    said = clis.claude(forged, structured=False) if name == "claude" else clis.REPLIES[name](forged)
    assert read(name, said)[:1] == (forged,)
    assert read(name, said).error == ""


# --- failures -------------------------------------------------------------------------------------------------

CASES = [(name, case) for name, cases in FAILURES.items() for case in cases]
STATUSES = {
    "login-expired": 401,
    "login-401": 401,
    "login-retried": 401,
    "login-403": 403,
    "limits-429": 429,
    "limits-5-hours": 429,
    "limits-day": 429,
    "failing-503": 503,
    "failing-529": 529,
}


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case}" for name, case in CASES])
def test_a_failure_is_told_by_what_it_is_about(name: str, case: str) -> None:
    said = FAILURES[name][case]
    found = read(name, said)
    assert found.text == ""
    assert found.answered == ()
    words = found.error or _without_warnings(said.err)
    assert words.strip()
    assert _kind(found.status, words) == case.partition("-")[0].replace("unknown", "")
    if case in STATUSES:
        assert found.status == STATUSES[case]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "login"),
        (402, "limits"),
        (403, "login"),
        (404, "model"),
        (408, "failing"),
        (409, "failing"),
        (413, "context"),
        (422, ""),
        (429, "limits"),
        (500, "failing"),
        (529, "failing"),
        (None, ""),
        (400, ""),
        (200, ""),
    ],
)
def test_the_status_goes_before_the_words(status: int | None, kind: str) -> None:
    assert _kind(status, "it went wrong") == kind
    if status not in {None, 400}:
        assert _kind(status, "rate limit, log in, context window") == kind


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"subtype": "error_max_turns", "errors": ["Reached maximum number of turns (1)"]}, "Reached maximum number"),
        ({"subtype": "error_during_execution", "errors": []}, "error_during_execution"),
        ({"subtype": "error_during_execution", "errors": "odd"}, "error_during_execution"),
        ({"subtype": "success", "is_error": True}, "success"),
        ({"subtype": None, "is_error": True}, "it failed"),
    ],
)
def test_an_error_without_words_of_its_own_is_one_all_the_same(errors: dict[str, Any], said: str) -> None:
    result = clis.claude_result(**errors)
    assert said in read("claude", Said(clis.lines(clis.claude_begins(), result))).error


# --- what is no output of theirs --------------------------------------------------------------------------------

NOTHING: dict[str, Said] = {
    "nothing": Said(),
    "blank": Said(" \n\n"),
    "words": Said("Segmentation fault\n"),
    "html": Said("<html><body>Bad gateway</body></html>"),
    "a-list": Said("[]"),
    "a-number": Said("17"),
    "an-object-of-another-kind": Said('{"ok": true}'),
    "a-bare-reply": Said(APPROVE),
    "odd-types": Said('{"type": ["result"], "item": 3, "data": null, "part": "x", "error": []}\n' * 3),
    "half-an-object": Said('{"type": "result", "result": "'),
    "deep": Said('{"type":' + "[" * 200_000),
    "long-number": Said('{"type": ' + "9" * 10_000 + "}"),
    "nul": Said("\0" * 100),
    "surrogates": Said('{"type": "\\ud800"}'),
}


@pytest.mark.parametrize("case", NOTHING)
@pytest.mark.parametrize("name", clis.NAMES)
def test_what_is_none_of_theirs_holds_no_reply(name: str, case: str) -> None:
    found = read(name, NOTHING[case])
    assert (found.text, found.error, found.answered) == ("", "", ())


@pytest.mark.parametrize("name", ["claude", "codex", "copilot"])
@pytest.mark.parametrize("lost", [1, 5, 40])
def test_an_output_that_was_cut_off_holds_no_reply(name: str, lost: int) -> None:
    """It may have been going to say that something went wrong."""
    said = clis.says(name)._replace(answer="")
    found = read(name, ends(said, len(said.out.rstrip()) - lost))
    assert (found.text, found.error) == ("", "")
    assert read(name, without_last(said)).text == ""


@pytest.mark.parametrize("lost", [1, 5, 40])
def test_so_it_is_where_there_is_one_object_alone(lost: int) -> None:
    said = clis.says("gemini")
    assert read("gemini", ends(said, len(said.out) - lost)).text == ""


def test_one_that_dies_in_the_middle_says_nothing() -> None:
    assert read("codex", CODEX_DEAD) == Printed()


@pytest.mark.parametrize("name", clis.NAMES)
def test_a_hostile_output_of_full_length_is_read_soon(name: str) -> None:
    started = time.monotonic()
    read(name, Said(('{"a":\n' * OUTPUT_LIMIT)[:OUTPUT_LIMIT]))
    read(name, Said("", ('{"a":"x\n' * OUTPUT_LIMIT)[:OUTPUT_LIMIT]))
    assert time.monotonic() - started < 4


PIECES = st.sampled_from(
    [
        *(line + "\n" for name in clis.NAMES for line in clis.says(name).out.splitlines()),
        *(said.out + said.err for cases in FAILURES.values() for said in cases.values()),
        "{",
        "}\n",
        "\n{",
        '"type"',
        "result",
        "\\ud800",
        "\0",
        "NaN",
    ]
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "type",
        "item",
        "data",
        "part",
        "error",
        "errors",
        "stats",
        "models",
        "tokens",
        "usage",
        "message",
        "model",
        "result",
        "structured_output",
        "stop_reason",
        "is_error",
        "subtype",
        "response",
        "content",
        "exitCode",
        "text",
        "statusCode",
        "api_error_status",
        "cache",
        "code",
        "name",
        "reason",
        "errorType",
        "input_tokens",
        "cached",
    ]
)
TYPES = st.sampled_from(
    [
        "result",
        "assistant",
        "item.completed",
        "turn.completed",
        "turn.failed",
        "error",
        "assistant.message",
        "session.error",
        "text",
        "step_finish",
    ]
)
EVENT = st.recursive(
    ODD | TYPES, lambda inner: st.dictionaries(KEYS, inner, max_size=6) | st.lists(inner, max_size=2), max_leaves=12
)
EVENTS = st.lists(
    st.builds(lambda kind, rest: {**rest, "type": kind}, TYPES, st.dictionaries(KEYS, EVENT, max_size=6)), max_size=5
).map(lambda events: "".join(json.dumps(event) + "\n" for event in events))
STREAM = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "replace")),
    st.lists(PIECES, max_size=5).map("".join),
    EVENTS,
)


@settings(max_examples=120, deadline=None)
@given(st.builds(Output, STREAM, STREAM, STREAM))
@example(Output('{"type":"result","structured_output":{"a":NaN}}', "", ""))
@example(Output('{"type":"result","api_error_status":1e999,"is_error":1}', "", ""))
@example(Output('{"error":{"code":-1}}', '{"error":{"message":""}}', "\0"))
def test_whatever_is_printed_nothing_is_raised(output: Output) -> None:
    for name, reader in READERS.items():
        found = reader(output)
        assert isinstance(found, Printed), name
        assert all(isinstance(part, str) for part in (found.text, found.error, *found.answered)), name
        assert found.status is None or isinstance(found.status, int), name
        assert not (found.text and found.error), name
        _kind(found.status, found.error)
