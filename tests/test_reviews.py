"""What a reply says: read strictly, counted or not, and held against the change."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Request, Script, Server, answer, completion, finding, reply, says

from twoagent_hook import replies, reviews
from twoagent_hook.backends.base import Identity, Reply, Usage
from twoagent_hook.changes import FileChange, Hunk, Line, Status
from twoagent_hook.errors import InvalidReplyError
from twoagent_hook.findings import Finding, Severity, Source
from twoagent_hook.prompts import Receipt
from twoagent_hook.screening import ScreenedChange
from twoagent_hook.verdicts import Verdict

unhurried = settings(max_examples=400, deadline=None, database=None)

APPROVE, CHANGES, BLOCK = Verdict.APPROVE, Verdict.REQUEST_CHANGES, Verdict.BLOCK
INVALID = None


def whole(verdict: Any = "approve", **values: Any) -> str:
    return json.dumps({"verdict": verdict, "summary": "s", "receipt": "a-b"} | values)


def with_finding(**values: Any) -> str:
    return whole("request_changes", findings=[finding(**values)])


def without(key: str) -> str:
    return whole("request_changes", findings=[{name: value for name, value in finding().items() if name != key}])


SEED = """**Verdict: request changes**

Receipt: a-b

**Top risks**

1. The list may be empty.

**Required fixes**

- Return 0 for an empty list.

**Verification commands**

```
python -m pytest -q
git grep mean
```

**Questions for the human owner**

1. Is the mean of nothing an error?
"""

OBJECTS: list[tuple[str, str, Verdict | None]] = [
    ("approve", whole(), APPROVE),
    ("request changes", whole("request_changes"), CHANGES),
    ("block", whole("block"), BLOCK),
    ("white space around", f"\n\n  {whole()}  \n", APPROVE),
    ("a byte order mark before", f"\ufeff{whole()}", APPROVE),
    ("prose before and after", f"Here is my review:\n{whole()}\nI hope that this helps.", APPROVE),
    ("in a fence", f"```json\n{whole()}\n```", APPROVE),
    ("in a fence of tildes", f"~~~\n{whole()}\n~~~", APPROVE),
    ("in a fence with prose", f"My review:\n\n```json\n{whole('block')}\n```\nDone.", BLOCK),
    ("pretty-printed", json.dumps(json.loads(whole()), indent=4), APPROVE),
    ("after a thought", f"<think>\nI would block this.\n</think>\n{whole()}", APPROVE),
    ("after a thought with an object", f"<think>{whole('block')}</think>{whole()}", APPROVE),
    ("after a thought whose opening was dropped", f"I would block {{}}\n</think>\n{whole()}", APPROVE),
    ("a quote that holds a thought's tag", whole("block", summary="the text <think> is added"), BLOCK),
    ("beside an object without a verdict", f'{{"tree": 1}}\n{whole()}', APPROVE),
    ("unknown keys", whole(mood="good", score=[1, {"a": None}]), APPROVE),
    ("no lists at all", '{"verdict": "approve"}', APPROVE),
    ("lists that are null", whole(findings=None, questions=None, verification_commands=None), APPROVE),
    ("empty lists", whole(findings=[], questions=[], verification_commands=[]), APPROVE),
    ("a missing receipt", json.dumps({"verdict": "approve"}), APPROVE),
    ("a word of the verdict in the text", whole(summary="I would not block or request changes"), APPROVE),
    ("a verdict in a string of the object", whole("block", summary='they wrote {"verdict": "approve"}'), BLOCK),
    ("a finding with all fields", with_finding(), Verdict.REQUEST_CHANGES),
    ("a finding of the old side", with_finding(side="old"), Verdict.REQUEST_CHANGES),
    ("a finding without lines", with_finding(line_start=None, line_end=None), Verdict.REQUEST_CHANGES),
    ("a finding with lines that are none", with_finding(line_start=0, line_end=-3), Verdict.REQUEST_CHANGES),
    ("a finding with an absurd line", with_finding(line_start=2**40), Verdict.REQUEST_CHANGES),
    ("a finding without side and certainty", without("side"), Verdict.REQUEST_CHANGES),
    ("a finding without a file", without("file"), Verdict.REQUEST_CHANGES),
    ("a finding without a quote", without("quote"), Verdict.REQUEST_CHANGES),
    ("as many items as are allowed", whole("block", findings=[finding()] * 100, questions=["?"] * 100), BLOCK),
    ("two objects", whole() + whole("block"), INVALID),
    ("the same object twice", f"{whole()}\n{whole()}", INVALID),
    ("two fences", f"```json\n{whole()}\n```\n```json\n{whole('block')}\n```", INVALID),
    ("two objects in a list", f"[{whole()}, {whole()}]", INVALID),
    ("a key twice", '{"verdict": "block", "verdict": "approve"}', INVALID),
    ("a key twice with the same value", '{"verdict": "approve", "verdict": "approve"}', INVALID),
    ("a key twice inside", whole().replace('"s"', '{"a": 1, "a": 2}'), INVALID),
    ("a verdict with a space after it", whole("approve "), INVALID),
    ("a verdict in capitals", whole("Approve"), INVALID),
    ("a verdict with a space", whole("request changes"), INVALID),
    ("a verdict with a Cyrillic letter", whole("\u0430pprove"), INVALID),
    ("an empty verdict", whole(""), INVALID),
    ("an unknown verdict", whole("reject"), INVALID),
    ("all verdicts at once", whole("approve|request_changes|block"), INVALID),
    ("a verdict that is null", whole(None), INVALID),
    ("a verdict that is true", whole(True), INVALID),
    ("a verdict that is a number", whole(1), INVALID),
    ("a verdict that is a list", whole(["approve"]), INVALID),
    ("a verdict that is an object", whole({"approve": True}), INVALID),
    ("the verdict under another name", '{"Verdict": "approve", "decision": "approve"}', INVALID),
    ("the verdict inside of another object", f'{{"review": {whole()}}}', INVALID),
    ("cut off", whole(summary="x" * 40)[:-20], INVALID),
    ("cut off after the verdict", '{"verdict": "approve", "findings": [', INVALID),
    ("a trailing comma", '{"verdict": "approve",}', INVALID),
    ("single quotes", "{'verdict': 'approve'}", INVALID),
    ("not a number", '{"verdict": "approve", "score": NaN}', INVALID),
    ("infinity", '{"verdict": "approve", "score": -Infinity}', INVALID),
    ("a number of 5000 digits", '{"verdict": "approve", "score": ' + "9" * 5000 + "}", INVALID),
    ("only in a quotation", f"> {whole()}", INVALID),
    ("only in a thought", f"<think>{whole()}</think>\nI am not sure.", INVALID),
    ("only in an unclosed thought", f"<think>\nLet me see.\n{whole()}", INVALID),
    ("only in a thought, in capitals", f"<THINK>{whole()}</THINK>", INVALID),
    ("only in a thought after another object", f"{{}}\n<think>{whole()}</think>", INVALID),
    ("only in a thought of another spelling", f"<thinking>{whole()}</thinking>", INVALID),
    ("in a string", json.dumps(whole()), INVALID),
    ("a receipt that is a number", whole(receipt=12), INVALID),
    ("a receipt that is a list", whole(receipt=["a", "b"]), INVALID),
    ("a summary that is no text", whole(summary=5), INVALID),
    ("findings that are no list", whole(findings={}), INVALID),
    ("findings that are a text", whole(findings="none"), INVALID),
    ("a finding that is a text", whole(findings=["it breaks"]), INVALID),
    ("a finding that is null", whole(findings=[None]), INVALID),
    ("an empty finding", whole(findings=[{}]), INVALID),
    ("more findings than are allowed", whole(findings=[finding()] * 101), INVALID),
    ("more questions than are allowed", whole(questions=["?"] * 101), INVALID),
    ("a question that is a number", whole(questions=[1]), INVALID),
    ("commands that are one text", whole(verification_commands="make test"), INVALID),
    ("a finding without a title", without("title"), INVALID),
    ("a finding with a blank title", with_finding(title="  "), INVALID),
    ("a finding without a severity", without("severity"), INVALID),
    ("a severity in capitals", with_finding(severity="CRITICAL"), INVALID),
    ("a severity that is a number", with_finding(severity=4), INVALID),
    ("a finding without a category", without("category"), INVALID),
    ("an unknown category", with_finding(category="style"), INVALID),
    ("an unknown side", with_finding(side="both"), INVALID),
    ("an unknown certainty", with_finding(certainty="sure"), INVALID),
    ("a line that is a text", with_finding(line_start="2"), INVALID),
    ("a line that is true", with_finding(line_start=True), INVALID),
    ("a line that is a fraction", with_finding(line_end=2.5), INVALID),
    ("a line that is infinite", with_finding().replace('"line_start": 2', '"line_start": 1e400'), INVALID),
    ("a file that is a list", with_finding(file=["app.py"]), INVALID),
    ("a quote that is a number", with_finding(quote=1), INVALID),
    ("nested brackets", '{"verdict": "approve", "x": ' + "[" * 100_000, INVALID),
    ("nested brackets that are closed", '{"verdict":"approve","x":' + "[" * 100_000 + "]" * 100_000 + "}", INVALID),
    ("nothing but opening braces", '{"' * 100_000, INVALID),
    ("longer than a reply may be", whole(summary="x" * replies.TEXT_LIMIT), INVALID),
    ("beside another verdict in words", f"```json\n{whole()}\n```\n\nVerdict: block", INVALID),
]

TEXTS: list[tuple[str, str, Verdict | None]] = [
    ("the form with all five headings", SEED, CHANGES),
    ("the same with hashes", SEED.replace("**Verdict: request changes**", "## Verdict: request changes"), CHANGES),
    ("approve", "Verdict: approve", APPROVE),
    ("request changes", "Verdict: request changes", CHANGES),
    ("request changes with a hyphen", "Verdict: request-changes", CHANGES),
    ("request changes with an underscore", "verdict: REQUEST_CHANGES", CHANGES),
    ("block", "VERDICT: BLOCK", BLOCK),
    ("bold", "**Verdict: approve**", APPROVE),
    ("bold in two parts", "**Verdict:** **Block**", BLOCK),
    ("as code", "Verdict: `approve`", APPROVE),
    ("in italics", "_Verdict: approve_", APPROVE),
    ("numbered", "1. Verdict: block", BLOCK),
    ("with a full stop", "Verdict: approve.", APPROVE),
    ("with a dash", "Verdict — approve", APPROVE),
    ("with Windows line ends", "Verdict: approve\r\n\r\nTop risks\r\n\r\nNone.\r\n", APPROVE),
    ("a heading, the value on the next line", "## Verdict\nblock\n\n## Top risks", BLOCK),
    ("a heading, a blank line between", "## Verdict\n\n**request changes**", CHANGES),
    ("a bold heading, the value below", "**Verdict**\n\napprove", APPROVE),
    ("after prose", "I have read the whole diff.\n\nVerdict: approve", APPROVE),
    ("with a remark in brackets", "Verdict: approve (with follow-ups that need not block)", APPROVE),
    ("after a thought", "<think>Verdict: block</think>\nVerdict: approve", APPROVE),
    ("beside a quotation of another", "> Verdict: block\n\nVerdict: approve", APPROVE),
    ("beside a fence with another", "Verdict: approve\n\n```\nVerdict: block\n```", APPROVE),
    ("beside a longer fence with another", "Verdict: block\n\n````\n```\nVerdict: approve\n```\n````", BLOCK),
    ("words of verdicts in the prose", "Verdict: approve\n\nNothing here would make me block it.", APPROVE),
    ("empty", "", INVALID),
    ("white space", " \n\t \r\n\u00a0", INVALID),
    ("a word alone", "approve", INVALID),
    ("looks good", "LGTM, no issues found.", INVALID),
    ("unread", "I could not read the diff, but there are no issues found.", INVALID),
    ("the instructions echoed", "Return:\n- Verdict: approve / request changes / block\n- Top risks", INVALID),
    ("the choice echoed", "Verdict: approve / request changes / block", INVALID),
    ("the choice echoed in bold", "**Verdict:** approve / request changes / block", INVALID),
    ("the schema echoed", 'Verdict: "approve" | "request_changes" | "block"', INVALID),
    ("approve or block", "Verdict: approve or block", INVALID),
    ("approve, else block", "Verdict: approve (a), else block", INVALID),
    ("an open bracket with another", "Verdict: approve (not block", INVALID),
    ("not approve", "Verdict: not approve", INVALID),
    ("cannot approve", "Verdict: I cannot approve this", INVALID),
    ("approved", "Verdict: approved", INVALID),
    ("un-approve", "Verdict: un-approve", INVALID),
    ("approve-ish", "Verdict: approve-ish", INVALID),
    ("hedged by a condition", "Verdict: approve after the tests pass", INVALID),
    ("hedged by a doubt", "Verdict: approve unless this is meant", INVALID),
    ("hedged behind a comma", "Verdict: approve, but only if the tests pass", INVALID),
    ("hedged by a question mark", "Verdict: approve?", INVALID),
    ("a Cyrillic letter", "Verdict: \u0430pprove", INVALID),
    ("an unknown verdict", "Verdict: reject", INVALID),
    ("no value", "Verdict:", INVALID),
    ("no value before the next heading", "## Verdict\n\n## Top risks\n\nNone.", INVALID),
    ("a heading over a quotation", "## Verdict\n\n> approve", INVALID),
    ("a heading over a fence", "## Verdict\n\n```\napprove\n```", INVALID),
    ("two verdicts", "Verdict: approve\n\nVerdict: block", INVALID),
    ("the same verdict twice", "Verdict: approve\n\nVerdict: approve", INVALID),
    ("only in a quotation", "> Verdict: approve", INVALID),
    ("only in a quotation of a quotation", ">> Verdict: approve", INVALID),
    ("only in a fence", "```\nVerdict: approve\n```", INVALID),
    ("only in a fence with a language", "Here:\n```text\nVerdict: approve\n```\n", INVALID),
    ("only in a fence of tildes", "~~~\nVerdict: approve\n~~~", INVALID),
    ("only in an unclosed fence", "```\nVerdict: approve\n", INVALID),
    ("only in an indented fence", "  ```\n  Verdict: approve\n  ```", INVALID),
    ("only in a thought", "<think>\nVerdict: approve\n</think>\nHm.", INVALID),
    ("only in an unclosed thought", "Well.\n<think>\nVerdict: approve\n", INVALID),
    ("only in a thought after code", "`x`\n<think>\nVerdict: approve\n</think>\n", INVALID),
    ("only before the end of a thought", "Verdict: approve\n</think>\nI don't know.", INVALID),
    ("only before the end of another thought", "Verdict: approve\n</thinking>\nI don't know.", INVALID),
    ("only before the end of a loud thought", "Verdict: approve\n</THINK>\nI don't know.", INVALID),
    ("in a table", "| Verdict | approve |", INVALID),
    ("as a sentence", "The verdict is approve.", INVALID),
    ("a removed line of a diff", "-Verdict: approve", INVALID),
    ("an added line of a diff", "+Verdict: approve", INVALID),
]
CASES = [(f"object: {name}", text, verdict) for name, text, verdict in OBJECTS]
CASES += [(f"text: {name}", text, verdict) for name, text, verdict in TEXTS]


@pytest.mark.parametrize(("text", "verdict"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_a_reply_is_read_as(text: str, verdict: Verdict | None) -> None:
    if verdict is None:
        with pytest.raises(InvalidReplyError) as caught:
            replies.parse(text)
        assert len(caught.value.what) < 300
        assert caught.value.what.isprintable()
    else:
        assert replies.parse(text).verdict is verdict


def test_the_content_of_an_object_is_kept() -> None:
    parsed = replies.parse(
        whole(
            "request_changes",
            summary="It divides.",
            findings=[finding(line_start=4, line_end=6)],
            verification_commands=["make", "", "  "],
            questions=["why?"],
            receipt="x-y",
        )
    )
    assert (parsed.summary, parsed.commands, parsed.questions) == ("It divides.", ("make",), ("why?",))
    assert (parsed.receipt, parsed.whole) == ("x-y", True)
    found = parsed.findings[0]
    assert (found.kind, found.severity, found.certainty) == ("correctness", Severity.CRITICAL, "proven")
    assert (found.file, found.side, found.line_start, found.line_end) == ("app.py", "new", 4, 6)
    assert (found.quote, found.trigger, found.fix) == (
        "return total / count",
        "an empty list",
        "return 0 for an empty list",
    )
    assert not found.grounded
    assert found.effect is None


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (4, 6, (4, 6)),
        (4, 4, (4, 4)),
        (6, 4, (6, 6)),
        (4, None, (4, 4)),
        (None, 4, (None, None)),
        (0, 4, (None, None)),
        (-1, -1, (None, None)),
        (2**31, 2**31, (None, None)),
        (4, 2**31, (4, 4)),
    ],
    ids=str,
)
def test_lines_that_can_not_be_are_dropped(
    start: int | None, end: int | None, kept: tuple[int | None, int | None]
) -> None:
    found = replies.parse(with_finding(line_start=start, line_end=end)).findings[0]
    assert (found.line_start, found.line_end) == kept


def test_what_a_finding_leaves_out_has_a_cautious_default() -> None:
    parsed = replies.parse(whole("block", findings=[{"title": "t", "category": "privacy", "severity": "low"}]))
    found = parsed.findings[0]
    assert (found.side, found.certainty, found.file, found.quote) == ("new", "speculative", "", "")


def test_the_content_of_the_headings_is_kept() -> None:
    parsed = replies.parse(SEED)
    assert parsed.commands == ("python -m pytest -q", "git grep mean")
    assert parsed.questions == ("Is the mean of nothing an error?",)
    assert (parsed.receipt, parsed.whole, parsed.findings) == ("a-b", False, ())


@pytest.mark.parametrize(
    ("lines", "receipt"),
    [
        ("Receipt: a1-b2", "a1-b2"),
        ("**Receipt:** a1-b2", "a1-b2"),
        ("Receipt: `a1-b2`", "a1-b2"),
        ("receipt : a1-b2", "a1-b2"),
        ("Receipt: a1-b2\nReceipt: a1-b2", "a1-b2"),
        ("Receipt: a1-b2\nReceipt: c3-d4", None),
        ("> Receipt: a1-b2", None),
        ("```\nReceipt: a1-b2\n```", None),
        ("The receipt: a1-b2", None),
        ("Receipt:", None),
        ("", None),
    ],
    ids=repr,
)
def test_the_receipt_of_a_text_stands_on_a_line_of_its_own(lines: str, receipt: str | None) -> None:
    assert replies.parse(f"Verdict: approve\n{lines}\n").receipt == receipt


def test_none_below_a_heading_is_no_item() -> None:
    text = "Verdict: approve\n\nVerification commands\n\nNone.\n\nQuestions for the human owner\n\n- none\n"
    parsed = replies.parse(text)
    assert (parsed.commands, parsed.questions) == ((), ())


# --- acceptance ---------------------------------------------------------------------------------------------

RECEIPT = Receipt("a", "b")


def replied(text: str, *, finish: str | None = "stop", refusal: str | None = None) -> Reply:
    return Reply(text, finish, refusal, (), Usage(), 1.0, 1, "text")


def counts(text: str, *, opens: Verdict = CHANGES, finish: str | None = "stop", refusal: str | None = None) -> bool:
    try:
        replies.read(replied(text, finish=finish, refusal=refusal), RECEIPT, opens)
    except InvalidReplyError:
        return False
    return True


@pytest.mark.parametrize("finish", sorted(replies.NATURAL_ENDS | {"STOP", "End_Turn"}))
def test_a_natural_end_counts(finish: str) -> None:
    assert counts(whole(), finish=finish)
    assert counts("Verdict: block", finish=finish)


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        ("length", "cut off"),
        ("max_tokens", "cut off"),
        ("MAX_TOKENS", "cut off"),
        ("model_length", "cut off"),
        ("content_filter", "filter"),
        ("SAFETY", "filter"),
        ("recitation", "filter"),
        ("tool_calls", "unnaturally (tool_calls)"),
        ("error", "unnaturally"),
        ("\x1b[2J", "unnaturally (\\u{1b}[2j)"),
        ("x" * 1000, "unnaturally"),
    ],
    ids=[
        "length",
        "max_tokens",
        "capitals",
        "model_length",
        "filter",
        "safety",
        "recitation",
        "tools",
        "error",
        "escape",
        "long",
    ],
)
@pytest.mark.parametrize("verdict", ["approve", "block"])
def test_any_other_end_does_not_count_whatever_the_verdict(finish: str, word: str, verdict: str) -> None:
    with pytest.raises(InvalidReplyError) as caught:
        replies.read(replied(whole(verdict), finish=finish), RECEIPT, CHANGES)
    assert word in caught.value.what
    assert len(caught.value.what) < 200


@pytest.mark.parametrize("finish", [None, ""], ids=["none", "blank"])
@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (whole(), True),
        (whole("block"), True),
        (whole("block", receipt="a-c"), False),
        (whole("block", receipt=None), False),
        ("Verdict: approve\nReceipt: a-b", False),
        ("Verdict: block\nReceipt: a-b", False),
    ],
    ids=["whole", "whole block", "wrong receipt", "no receipt", "text", "text block"],
)
def test_without_a_given_end_only_a_whole_object_with_its_receipt_counts(
    finish: str | None, text: str, accepted: bool
) -> None:
    assert counts(text, finish=finish) is accepted


@pytest.mark.parametrize("refusal", ["I can't help with that.", "", "x" * 9999], ids=["words", "empty", "long"])
def test_a_refusal_is_no_review(refusal: str) -> None:
    with pytest.raises(InvalidReplyError, match="declined"):
        replies.read(replied(whole(), refusal=refusal), RECEIPT, CHANGES)


# verdict, receipt, counts where the gate closes on block, and where it closes on request changes as well
RECEIPTS = [
    ("approve", "a-b", True, True),
    ("approve", "a-c", False, False),
    ("approve", "c-b", False, False),
    ("approve", "b-a", False, False),
    ("approve", "a-b ", False, False),
    ("approve", "A-B", False, False),
    ("approve", "a", False, False),
    ("approve", "-", False, False),
    ("approve", "", False, False),
    ("approve", None, False, False),
    ("request_changes", "a-b", True, True),
    ("request_changes", "a-c", False, True),
    ("request_changes", None, False, True),
    ("block", "a-b", True, True),
    ("block", "a-c", True, True),
    ("block", None, True, True),
]


@pytest.mark.parametrize(("verdict", "receipt", "lax", "strict"), RECEIPTS, ids=[f"{r[0]} {r[1]!r}" for r in RECEIPTS])
def test_a_verdict_that_would_open_the_gate_needs_the_receipt(
    verdict: str, receipt: str | None, lax: bool, strict: bool
) -> None:
    assert counts(whole(verdict, receipt=receipt), opens=CHANGES) is lax
    assert counts(whole(verdict, receipt=receipt), opens=APPROVE) is strict


def test_a_text_needs_the_receipt_as_well() -> None:
    assert counts("Verdict: approve\nReceipt: a-b")
    assert not counts("Verdict: approve\nReceipt: a-c")
    assert not counts("Verdict: approve")
    assert counts("Verdict: block")


@pytest.mark.parametrize(("receipt", "words"), [(None, "no receipt"), ("a-c", "a wrong receipt")])
def test_a_missing_receipt_points_to_the_servers_context(receipt: str | None, words: str) -> None:
    with pytest.raises(InvalidReplyError, match=words) as caught:
        replies.read(replied(whole(receipt=receipt)), RECEIPT, CHANGES)
    assert "num_ctx" in caught.value.what


# --- grounding ----------------------------------------------------------------------------------------------


def hunk(old: int, new: int, text: str) -> Hunk:
    lines = []
    for row in text.split("\n"):
        sign = row[0]
        lines.append(Line(sign, old if sign != "+" else None, new if sign != "-" else None, row[1:]))
        old, new = old + (sign != "+"), new + (sign != "-")
    return Hunk(lines[0].old or old, lines[0].new or new, "", tuple(lines))


def changed_file(path: str, status: Status, *hunks: Hunk) -> FileChange:
    return FileChange(path, status, "100644", "100644", "0" * 40, "1" * 40, hunks=hunks)


EDITED = changed_file(
    "app.py",
    Status.MODIFIED,
    hunk(10, 20, " ten\n eleven\n twelve\n-  old one\n+  new  one\n+  new two\n thirteen\n fourteen\n fifteen"),
    hunk(50, 61, " fifty\n-gone\n after"),
)
DELETED = changed_file("dead.py", Status.DELETED, hunk(1, 0, "-import os\n-print(os)"))
ADDED = changed_file("born.py", Status.ADDED, hunk(0, 1, "+import os\n+print(os)"))
HIDDEN = changed_file("a\u202eb.py", Status.MODIFIED, hunk(1, 1, "-x\n+y = '\u200b'"))
SCREENED = ScreenedChange("b", "t", (EDITED, DELETED, ADDED, HIDDEN), (), (), (), 4, sendable=True)
REVIEWER = Identity("loop:gpt-5.5", "loop", "gpt-5.5", "http://x", frozenset({"openai"}))


def judged(verdict: str = "block", *findings: dict[str, Any]) -> reviews.Review:
    text = whole(verdict, findings=list(findings))
    return reviews.review(replies.parse(text), replied(text), REVIEWER, SCREENED)


def grounded(**values: Any) -> bool:
    given = finding(**{"file": "app.py", "line_start": 23, "quote": "new two", "line_end": None} | values)
    return judged("block", given).findings[0].grounded


GROUNDED = [
    ("as it is", {}, True),
    ("the first changed line", {"line_start": 23}, True),
    ("three lines before", {"line_start": 20}, True),
    ("four lines before", {"line_start": 19}, False),
    ("three lines after", {"line_start": 27}, True),
    ("four lines after", {"line_start": 28}, False),
    ("a range that reaches it", {"line_start": 10, "line_end": 20}, True),
    ("a range that does not", {"line_start": 10, "line_end": 19}, False),
    ("a range around everything", {"line_start": 1, "line_end": 9999}, True),
    ("no line", {"line_start": None}, False),
    ("another file of the change", {"file": "born.py"}, False),
    ("a file outside of the change", {"file": "other.py"}, False),
    ("no file", {"file": ""}, False),
    ("a file by its folder", {"file": "./app.py"}, False),
    ("white space in the quote folded", {"quote": "  new\tone\n new   two "}, True),
    ("a quote over a removed line", {"quote": "old one thirteen"}, True),
    ("a quote of context", {"quote": "eleven"}, True),
    ("a quote of two sides at once", {"quote": "old one new one"}, False),
    ("a quote that does not occur", {"quote": "newer two"}, False),
    ("a quote that differs in case", {"quote": "New two"}, False),
    ("an empty quote", {"quote": ""}, False),
    ("a blank quote", {"quote": " \n\t "}, False),
    ("the old side at its line", {"side": "old", "line_start": 13, "quote": "old one"}, True),
    ("the old side, three lines before", {"side": "old", "line_start": 10, "quote": "old one"}, True),
    ("the old side, four lines before", {"side": "old", "line_start": 9, "quote": "old one"}, False),
    ("the old side by a new number", {"side": "old", "line_start": 23, "quote": "old one"}, False),
    ("the old side of a lone removal", {"side": "old", "line_start": 51, "quote": "gone"}, True),
    ("the new side beside a removal", {"side": "new", "line_start": 62, "quote": "after"}, True),
    ("the new side far from everything", {"line_start": 45}, False),
    ("a deleted file", {"file": "dead.py", "side": "old", "line_start": 2, "quote": "print(os)"}, True),
    ("a deleted file far below", {"file": "dead.py", "side": "old", "line_start": 6, "quote": "print(os)"}, False),
    ("an added file", {"file": "born.py", "line_start": 1, "quote": "import os"}, True),
    ("an added file over two lines", {"file": "born.py", "line_start": 1, "quote": "import os\nprint(os)"}, True),
    ("a name with hidden characters, as shown", {"file": "a\\u{202e}b.py", "line_start": 1, "quote": "y ="}, True),
    ("a name with hidden characters, raw", {"file": "a\u202eb.py", "line_start": 1, "quote": "y ="}, False),
    (
        "a quote of a hidden character, as shown",
        {"file": "a\\u{202e}b.py", "line_start": 1, "quote": "'\\u{200b}'"},
        True,
    ),
]


@pytest.mark.parametrize(("values", "expected"), [row[1:] for row in GROUNDED], ids=[row[0] for row in GROUNDED])
def test_a_finding_is_held_against_the_change(values: dict[str, Any], expected: bool) -> None:
    assert grounded(**values) is expected


def test_a_finding_carries_the_reviewer_and_an_id_that_follows_what_it_is() -> None:
    one, same, other = (
        judged("block", finding(line_start=line, title=title, quote=quote)).findings[0]
        for line, title, quote in ((23, "t", "new two"), (24, "u", " new  two "), (23, "t", "new one"))
    )
    assert one.reviewer == "loop:gpt-5.5"
    assert one.id == same.id
    assert one.id != other.id
    assert len(one.id) == 12
    assert set(one.id) <= set("0123456789abcdef")


@pytest.mark.parametrize("field", ["title", "quote", "file"])
@pytest.mark.parametrize("code", ["\\ud800", "\\udc80", "\\udfff", "\\u0000"])
def test_half_a_character_in_a_reply_does_no_harm(field: str, code: str) -> None:
    values = {"quote": "", field: "HALF"} if field == "title" else {field: "HALF"}
    text = with_finding(**values).replace("HALF", f"x{code}")
    found = reviews.review(replies.parse(text), replied(text), REVIEWER, SCREENED).findings[0]
    assert len(found.id) == 12


# --- the law on a reviewer's verdict ------------------------------------------------------------------------

STATED = [
    ("approve", None, APPROVE),
    ("approve", "low", APPROVE),
    ("approve", "medium", APPROVE),
    ("approve", "high", CHANGES),
    ("approve", "critical", CHANGES),
    ("request_changes", "critical", CHANGES),
    ("request_changes", None, CHANGES),
    ("block", "critical", BLOCK),
    ("block", "low", BLOCK),
    ("block", None, BLOCK),
]


@pytest.mark.parametrize(("stated", "severity", "verdict"), STATED, ids=[f"{r[0]} beside {r[1]}" for r in STATED])
def test_an_approve_beside_a_grave_finding_is_none(stated: str, severity: str | None, verdict: Verdict) -> None:
    found = judged(stated, *([finding(severity=severity)] if severity else []))
    assert found.verdict is verdict
    assert found.stated.label == stated
    assert found.contradictory is (found.stated is not verdict)


def test_a_grave_finding_that_is_not_grounded_contradicts_as_well() -> None:
    assert judged("approve", finding(file="nowhere.py")).verdict is CHANGES


def test_verdicts_are_ordered_and_none_stands_for_no_verdict() -> None:
    assert APPROVE < CHANGES < BLOCK
    assert [verdict.label for verdict in Verdict] == ["approve", "request_changes", "block"]


# --- properties ---------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["approve", "Approve", "request changes", "block", "verdict", "Verdict:", "receipt: a-b", "none"]
)
MARKS = ["{", "}", "[", "]", '"', ":", ",", "\\", "\n", "\r", " ", ">", "```", "~~~", "#", "*", "_", "(", ")", "-"]
TAGS = ["<think>", "</think>", "<thinking", "</THINK>", '"verdict"', '"approve"', "NaN", "null", "1e999", "\u0430"]
PARTS = ['{"verdict": "approve"}', '{"verdict": "block", "findings": [', "Verdict: ", "\nVerdict: approve\n", "\udc80"]
PIECES = st.sampled_from([*MARKS, *TAGS, *PARTS])
MIXED = st.lists(PIECES | WORDS | st.text(max_size=5), max_size=30).map("".join)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["verdict", "findings", "receipt", "summary", "questions", "severity", "title"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def read_or_none(text: str) -> replies.Parsed | None:
    try:
        return replies.parse(text)
    except InvalidReplyError:
        return None


@unhurried
@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=200) | MIXED)
def test_any_text_is_read_or_is_invalid_and_approves_only_in_words(text: str) -> None:
    parsed = read_or_none(text)
    if parsed is not None and parsed.verdict is APPROVE:
        bare = text.lower()
        for mark in ("*", "`", "#", "<think>", "</think>"):
            bare = bare.replace(mark, "")
        assert "approve" in bare


@unhurried
@given(ANY_JSON, st.booleans())
def test_any_json_is_read_or_is_invalid(value: Any, fenced: bool) -> None:
    text = json.dumps(value)
    parsed = read_or_none(f"```json\n{text}\n```" if fenced else text)
    if parsed is not None and isinstance(value, dict):
        assert parsed.verdict.label == value.get("verdict", parsed.verdict.label)


@unhurried
@given(st.dictionaries(st.sampled_from(sorted(finding())), ANY_JSON, max_size=6))
def test_any_finding_is_read_or_is_invalid(values: dict[str, Any]) -> None:
    text = json.dumps({"verdict": "request_changes", "findings": [finding() | values]})
    parsed = read_or_none(text)
    if parsed is not None:
        assert isinstance(parsed.findings[0].severity, Severity)
        assert parsed.findings[0].line_start is None or parsed.findings[0].line_start > 0


def test_a_block_stands_with_what_can_be_read_of_it() -> None:
    malformed = finding() | {"severity": "blocker"}
    parsed = replies.parse(json.dumps({"verdict": "block", "findings": [malformed, finding()]}))
    assert parsed.verdict is Verdict.BLOCK
    assert len(parsed.findings) == 1


HOSTILE = st.sampled_from(["Verdict: approve", "## Verdict\n\napprove", "**Verdict:** approve\nReceipt: a-b"])
WRAPPED = st.sampled_from(
    [
        lambda text: "\n".join(f"> {line}" for line in text.split("\n")),
        lambda text: f"```\n{text}\n```",
        lambda text: f"````markdown\n```\n{text}\n```\n````",
        lambda text: f"~~~\n{text}\n~~~",
        lambda text: f"<think>\n{text}\n</think>",
        lambda text: f"<thinking>{text}</thinking>",
    ]
)
PROSE = st.sampled_from(
    ["I have read it.", "", "- a point", "`code`", "Top risks", "{}", "1. First", "Nothing was found."]
)


@unhurried
@given(st.lists(st.tuples(PROSE, WRAPPED, HOSTILE), min_size=1, max_size=4), PROSE)
def test_a_verdict_that_is_only_quoted_is_none(
    parts: list[tuple[str, Callable[[str], str], str]], ending: str
) -> None:
    text = "\n\n".join(f"{prose}\n\n{wrap(hostile)}" for prose, wrap, hostile in parts) + f"\n\n{ending}"
    assert read_or_none(text) is None


@unhurried
@given(MIXED)
def test_no_text_counts_as_an_approval_without_the_receipt(text: str) -> None:
    receipt = Receipt("0f3c9a", "77b1d2")
    try:
        parsed = replies.read(replied(text), receipt, CHANGES)
    except InvalidReplyError:
        return
    assert parsed.verdict is BLOCK


N = replies.TEXT_LIMIT
ADVERSARIAL = {
    "opening braces": "{" * N,
    "braces and quotes": '{"' * (N // 2),
    "empty objects": "{}" * (N // 2),
    "nested objects": '{"a":' * (N // 5),
    "strings that never end": ('{"' + "a" * 900) * (N // 902),
    "braces and spaces": ("{" + " " * 800) * (N // 801),
    "opening thoughts": "<think>" * (N // 7),
    "half thoughts": "<think" * (N // 6),
    "closing thoughts": "</think>" * (N // 8),
    "thoughts without an end": "<think></think" * (N // 14),
    "stars": "*" * N,
    "hashes": "#" * N,
    "underscores": "_" * N,
    "brackets": "Verdict: approve " + "(" * (N - 20),
    "pairs of brackets": "Verdict: approve " + "()" * (N // 2 - 20),
    "spaces in the verdict": "Verdict" + " " * (N - 10) + "x",
    "dashes in the verdict": "Verdict" + "-" * (N - 10),
    "verdicts": "Verdict\n" * (N // 8),
    "verdicts over blank lines": "Verdict\n" * (N // 16) + "\n" * (N // 2),
    "full verdicts": "Verdict: approve\n" * (N // 17),
    "receipts": "Receipt: a-b\n" * (N // 13),
    "backticks": "`" * N,
    "fences": "```\n" * (N // 4),
    "quotations": ">\n" * (N // 2),
    "headings": "Questions\n" * (N // 10),
    "items": "Verdict: block\nQuestions\n" + "- \n" * (N // 3 - 10),
    "backslashes": '{"verdict": "' + "\\" * (N - 20),
    "digits": '{"verdict": ' + "9" * (N - 20),
    "line feeds": "\n" * (N - 1) + "x",
}


@pytest.mark.parametrize("text", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_a_reply_is_read_in_bounded_time(text: str) -> None:
    assert len(text) <= N
    started = time.process_time()
    read_or_none(text)
    assert time.process_time() - started < 5


def test_a_huge_reply_is_held_against_a_huge_change_in_bounded_time() -> None:
    line = "x" * 100
    file = changed_file("big.py", Status.ADDED, hunk(0, 1, "\n".join(f"+{line} {n}" for n in range(8000))))
    screened = replace(SCREENED, files=(file,))
    text = whole(
        "block", findings=[finding(file="big.py", line_start=n * 80 + 1, quote=f"{line} no") for n in range(100)]
    )
    started = time.process_time()
    found = reviews.review(replies.parse(text), replied(text), REVIEWER, screened)
    assert time.process_time() - started < 5
    assert not any(item.grounded for item in found.findings)


# --- replies of a real model, where they are at hand --------------------------------------------------------


def test_every_recorded_reply_is_read_as_its_label_says() -> None:
    folder = Path(__file__).resolve().parents[2] / "shared/replies"
    if not (folder / "index.json").exists():
        pytest.skip("shared/replies, the folder of recorded replies, is not beside this checkout")
    rows = json.loads((folder / "index.json").read_text(encoding="utf-8"))["replies"]
    read = {}
    for row in rows:
        name = f"{row['case']}.{row['form']}"
        parsed = read_or_none((folder / f"{name}.reply.txt").read_text(encoding="utf-8"))
        read[name] = parsed.verdict.label if parsed else "invalid"
    assert read
    assert read == {f"{row['case']}.{row['form']}": row["verdict_as_read"] for row in rows}


# --- from end to end ----------------------------------------------------------------------------------------


def speaks(content: Callable[[Request], str], **values: Any) -> Script:
    return lambda request: answer(completion(content(request), **values))


@pytest.fixture
def gate(
    changed: Repo, configure: Callable[..., Path], serve: Callable[..., Server]
) -> Callable[..., tuple[Any, Server]]:
    def run(*scripts: Script) -> tuple[Any, Server]:
        server = serve(*scripts)
        configure(server)
        return changed.review(), server

    return run


def test_a_reply_that_can_not_be_used_is_asked_for_once_more(gate: Callable[..., tuple[Any, Server]]) -> None:
    payload, server = gate(speaks(lambda request: "LGTM!"), says("approve"))
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    first, second = server.requests
    assert second.body["messages"][:2] == first.body["messages"]
    assert second.body["messages"][2] == {"role": "assistant", "content": "LGTM!"}
    assert "names no verdict" in second.body["messages"][3]["content"]


def test_two_replies_that_can_not_be_used_are_no_verdict(gate: Callable[..., tuple[Any, Server]]) -> None:
    payload, server = gate(speaks(lambda request: "LGTM!"))
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2)
    assert "names no verdict" in payload["problem"]["what"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("content", "values"),
    [
        pytest.param(lambda request: json.dumps(reply("approve", request, receipt="x-y")), {}, id="wrong receipt"),
        pytest.param(lambda request: json.dumps(reply("approve", request)), {"finish": "length"}, id="cut off"),
        pytest.param(lambda request: json.dumps(reply("approve", request)), {"refusal": "no"}, id="refusal"),
        pytest.param(lambda request: "", {}, id="empty"),
        pytest.param(lambda request: request.user, {}, id="the message echoed"),
        pytest.param(lambda request: request.system, {}, id="the instructions echoed"),
        pytest.param(lambda request: "Verdict: approve / request changes / block", {}, id="the choice echoed"),
    ],
)
def test_an_unusable_approval_never_opens_the_gate(
    gate: Callable[..., tuple[Any, Server]], content: Callable[[Request], str], values: dict[str, Any]
) -> None:
    payload, _ = gate(speaks(content, **values))
    assert (payload["outcome"], payload["exit_code"]) == ("invalid", 2)


def test_a_contradictory_approval_is_shown_as_such(gate: Callable[..., tuple[Any, Server]]) -> None:
    payload, _ = gate(says("approve", findings=[finding(line_start=3, line_end=3)]))
    assert payload["outcome"] == "request_changes"
    assert payload["reviews"][0]["stated_verdict"] == "approve"
    assert payload["findings"][0]["grounded"]
    assert any("contradictory" in reason for reason in payload["reasons"])


def test_a_block_in_the_seed_form_counts(gate: Callable[..., tuple[Any, Server]]) -> None:
    payload, _ = gate(speaks(lambda request: "## Verdict\n\n**block**\n\n## Questions\n\n1. Why?"))
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert payload["questions"] == ["Why?"]


def test_half_a_character_in_a_block_still_blocks(gate: Callable[..., tuple[Any, Server]]) -> None:
    payload, _ = gate(
        speaks(
            lambda request: json.dumps(reply("block", request, findings=[finding(quote="HALF")])).replace(
                "HALF", "\\ud800"
            )
        )
    )
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)


def test_a_finding_made_by_hand_is_no_rules() -> None:
    found = Finding(source=Source.MODEL, kind="security", title="x", severity=Severity.HIGH)
    assert found.weight == (True, 0, Severity.HIGH)
    assert found.place == ""
