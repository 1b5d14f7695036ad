"""A change that is too large for one request is asked about in several, and judged as one."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.frameworks import as_seen, in_terminal, without_colour
from support.repo import SCRIPT, Repo
from support.server import Answer, Hang, Request, Server, approves, blocks, fails, finding, says

from twoagent_hook import parts
from twoagent_hook.changes import FileChange, Hunk, Line, Status
from twoagent_hook.parts import Division
from twoagent_hook.risk import Risk

unhurried = settings(max_examples=80, deadline=None, database=None)

Serve = Callable[..., Server]
Configure = Callable[..., Path]


# --- dividing -----------------------------------------------------------------------------------------------


def file_of(path: str, *hunks: list[str]) -> FileChange:
    """A file whose hunks add these lines."""
    made, number = [], 1
    for texts in hunks:
        lines = tuple(Line("+", None, number + place, text) for place, text in enumerate(texts))
        made.append(Hunk(number, number, "", lines))
        number += len(texts) + 10
    ids = "0" * 40, "1" * 40
    return FileChange(path, Status.MODIFIED, "100644", "100644", *ids, (1, 1), tuple(made))


def divide(files: list[FileChange], room: int, most: int) -> Division:
    return parts.divide([parts.whole(file) for file in files], room, most, Risk())


def shown(division: Division, path: str) -> list[str]:
    """The numbered lines of a file, as the parts show them; which part shows which is of no matter."""
    texts = [section.text for part in division.parts for section in part if section.file.path == path]
    lines = [line for text in texts for line in text.split("\n") if re.match(r" {6} +\d+ \+\|", line)]
    return sorted(lines, key=lambda line: int(line.split()[0]))


def whole(file: FileChange) -> list[str]:
    return [f"{'':>6} {line.new:>6} +| {line.text}" for line in file.lines]


FILES = st.lists(
    st.lists(st.lists(st.text("ab \u00e9", max_size=60), min_size=1, max_size=40), min_size=1, max_size=4),
    min_size=1,
    max_size=6,
)


@unhurried
@given(FILES, st.integers(60, 900), st.integers(1, 6))
def test_every_file_is_shown_whole_or_left_out(contents: list[list[list[str]]], room: int, most: int) -> None:
    files = [file_of(f"f{number}.py", *hunks) for number, hunks in enumerate(contents)]
    division = divide(files, room, most)
    assert len(division.parts) <= most
    assert all(sum(section.tokens for section in part) <= room for part in division.parts)
    left_out = {file.path for file in division.left_out}
    for file in files:
        assert shown(division, file.path) == ([] if file.path in left_out else whole(file))


@unhurried
@given(FILES)
def test_with_room_enough_there_is_one_part_and_nothing_is_left_out(contents: list[list[list[str]]]) -> None:
    files = [file_of(f"f{number}.py", *hunks) for number, hunks in enumerate(contents)]
    division = divide(files, 1 << 30, 3)
    assert (len(division.parts), division.left_out) == (1, ())


def test_the_riskiest_is_asked_about_first() -> None:
    names = ["README.md", "src/app.py", "tests/test_other.py", ".github/workflows/ci.yml"]
    division = divide([file_of(name, ["x" * 300]) for name in names], 120, 4)
    assert [part[0].file.path for part in division.parts] == [names[3], names[1], names[2], names[0]]


def test_a_module_stands_beside_its_test() -> None:
    names = ["src/a.py", "src/b.py", "tests/test_b.py", "tests/a_test.py"]
    division = divide([file_of(name, ["x" * 300]) for name in names], 260, 2)
    assert [sorted(section.file.path for section in part) for part in division.parts] == [
        ["src/a.py", "tests/a_test.py"],
        ["src/b.py", "tests/test_b.py"],
    ]


def test_a_long_hunk_is_cut_where_the_text_pauses() -> None:
    body = ["def f():", *["    x = 1"] * 8, ""]
    division = divide([file_of("a.py", body * 30)], 1000, 9)
    firsts = [re.findall(r"\+\| (.*)", section.text)[0] for part in division.parts for section in part]
    assert len(firsts) > 2
    assert set(firsts) == {"def f():"}


def test_a_line_that_no_part_can_hold_leaves_its_file_out() -> None:
    big, small = file_of("a.py", ["x" * 9000, "y"]), file_of("b.py", ["z"])
    assert divide([big, small], 500, 5).left_out == (big,)


def test_a_part_of_a_file_says_so_and_counts_its_lines_right() -> None:
    division = divide([file_of("a.py", ["x" * 90] * 40)], 500, 9)
    sections = [section for part in division.parts for section in part]
    assert len(sections) > 1
    assert all("(a part of it; the others are shown elsewhere)" in section.text for section in sections)
    for section in sections:
        start = int(re.findall(r"@@ from line \d+ before, (\d+) after", section.text)[0])
        assert int(re.findall(r" {6} +(\d+) \+\|", section.text)[0]) == start


def test_what_is_far_too_large_is_not_cut_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    genuine, part = parts.render, parts.render_part

    def counted(file: FileChange) -> str:
        rendered.append(len(genuine(file)))
        return genuine(file)

    def counted_part(head: str, hunks: Any) -> str:
        rendered.append(len(part(head, hunks)))
        return part(head, hunks)

    monkeypatch.setattr(parts, "render", counted)
    monkeypatch.setattr(parts, "render_part", counted_part)
    huge = file_of("a.py", ["x" * 80] * 100_000)
    assert divide([huge], 2000, 3).left_out == (huge,)
    assert sum(rendered) < 3 * len(rendered[:1] and genuine(huge))


# --- asking -------------------------------------------------------------------------------------------------


LIMITS = "max-input-tokens = 9500\n"


def part_of(request: Request) -> str:
    """Which module a request shows."""
    (name,) = re.findall(r"^=== ([abc])\.py", request.user, re.MULTILINE)
    return str(name)


def by_part(**scripts: Any) -> Callable[[Request], Answer]:
    return lambda request: scripts.get(part_of(request), approves())(request)


def test_each_part_carries_the_list_and_all_is_asked_about(large: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server, LIMITS)
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0)
    assert sorted(map(part_of, server.requests)) == ["a", "b", "c"]
    for request in server.requests:
        assert "Files in the change: 3\n" in request.user
        assert re.search(r"This is part [123] of 3, with 1 of the listed files;", request.user)
        assert all(f"- {name}.py (added, +400 −0, mode 100644)" in request.user for name in "abc")
    sent = "".join(request.user for request in server.requests)
    assert all(sent.count(f"value_{name}_{number} = ") == 1 for name in "abc" for number in range(400))
    assert payload["coverage"]["shown"] == 3
    assert len({request.receipt for request in server.requests}) == 3


def test_it_is_one_review_with_the_sums_of_its_parts(large: Repo, serve: Serve, configure: Configure) -> None:
    same = finding(file="a.py", title="the same")
    server = serve(by_part(a=says("request_changes", findings=[same]), b=says("approve", summary="b is fine")))
    configure(server, LIMITS)
    payload = large.review()
    (review,) = payload["reviews"]
    assert (payload["outcome"], review["verdict"]) == ("request_changes", "request_changes")
    assert "b is fine" in review["summary"]
    calls = [row for row in large.log() if row["role"] == "reviewer"]
    assert len(calls) == 3
    assert review["prompt_tokens"] == sum(row["prompt_tokens"] for row in calls)


def test_a_finding_that_several_parts_report_is_told_once(large: Repo, serve: Serve, configure: Configure) -> None:
    same = finding(file="a.py", title="the same")
    configure(serve(says("request_changes", findings=[same])), LIMITS)
    assert len(large.review()["findings"]) == 1


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_the_worst_part_is_the_verdict(large: Repo, serve: Serve, configure: Configure, name: str) -> None:
    configure(serve(by_part(**{name: blocks()})), LIMITS)
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)


@pytest.mark.parametrize("fault", [fails(500), fails(401), says("nonsense")])
def test_a_part_without_an_answer_is_no_approval(large: Repo, serve: Serve, configure: Configure, fault: Any) -> None:
    configure(serve(by_part(b=fault)), LIMITS + "timeout = 8\n")
    payload = large.review()
    assert payload["exit_code"] in {1, 2}
    assert payload["outcome"] in {"block", "invalid"}
    if payload["outcome"] == "block":
        assert {item["rule"] for item in payload["findings"]} == {"incomplete-coverage"}
        assert payload["coverage"]["withheld"] == [{"path": "b.py", "reason": "its part of the review has no answer"}]


@pytest.mark.parametrize("fault", [fails(500), fails(401), says("nonsense"), fails(404)])
def test_a_block_is_not_lost_by_a_part_without_an_answer(
    large: Repo, serve: Serve, configure: Configure, fault: Any
) -> None:
    configure(serve(by_part(a=blocks(), b=fault)), LIMITS + "timeout = 8\n")
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert [review["verdict"] for review in payload["reviews"]] == ["block"]
    assert "b.py" in {item["path"] for item in payload["coverage"]["withheld"]}


def test_no_policy_opens_the_gate_over_a_part_that_nobody_saw(large: Repo, serve: Serve, configure: Configure) -> None:
    large.git("stash", "-q")
    large.policy('rules = {incomplete-coverage = "note"}\n')
    large.git("stash", "pop", "-q", "--index")
    configure(serve(by_part(b=fails(500))), LIMITS + "timeout = 8\n")
    payload = large.review()
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2)


def test_only_what_the_first_left_is_put_to_the_second(large: Repo, serve: Serve, configure: Configure) -> None:
    first, second = serve(by_part(b=fails(503))), serve(approves(model="mistral-large"))
    path = configure(first, LIMITS + "timeout = 20\n")
    path.write_text(
        path.read_text().replace('["loop:gpt-5.5"]', '["loop:gpt-5.5", "other:mistral-large"]')
        + f'[providers.other]\nbase-url = "{second.url}"\napi-key-env = "LOOP_KEY"\n'
    )
    payload = large.review()
    assert payload["outcome"] == "approve", payload
    assert [part_of(request) for request in second.requests] == ["b"]
    assert [review["provider"] for review in payload["reviews"]] == ["loop", "other"]


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (2, 2), (4, 3)])
def test_no_more_are_asked_at_once_than_the_policy_says(
    large: Repo, serve: Serve, configure: Configure, concurrency: int, most: int
) -> None:
    lock, now, peak = threading.Lock(), [0], [0]

    def slow(request: Request) -> Answer:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        time.sleep(0.6)
        with lock:
            now[0] -= 1
        return approves()(request)

    configure(serve(slow), LIMITS + f"concurrency = {concurrency}\n")
    assert large.review()["outcome"] == "approve"
    assert peak[0] == most


def test_what_needs_more_requests_than_allowed_is_named(large: Repo, serve: Serve, configure: Configure) -> None:
    server = serve(approves())
    configure(server, LIMITS + "max-requests = 2\n")
    payload = large.review()
    assert payload["outcome"] == "block"
    (item,) = payload["findings"]
    assert item["rule"] == "incomplete-coverage"
    assert "max-requests" in item["fix"]
    assert server.requests == []


def test_a_new_file_of_thousands_of_lines_is_reviewed_whole(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    server = serve(approves())
    configure(server)
    repo.stage("new.py", "".join(f"def function_{number}():\n    return {number}\n\n" for number in range(1500)))
    assert repo.review()["outcome"] == "approve"
    sent = "".join(request.user for request in server.requests)
    assert len(server.requests) in {2, 3}
    assert all(sent.count(f"def function_{number}():") == 1 for number in range(1500))


def test_evil_in_any_part_is_seen(large: Repo, serve: Serve, configure: Configure) -> None:
    configure(serve(lambda request: (blocks() if "EVIL" in request.user else approves())(request)), LIMITS)
    large.stage("c.py", large.read("c.py") + "EVIL = 1\n")
    assert large.review()["outcome"] == "block"


def test_a_part_that_is_asked_again_gets_its_repair(large: Repo, serve: Serve, configure: Configure) -> None:
    tries: dict[str, int] = {}

    def script(request: Request) -> Answer:
        name = part_of(request)
        tries[name] = tries.get(name, 0) + 1
        return (says("nonsense") if name == "b" and tries[name] == 1 else approves())(request)

    configure(serve(script), LIMITS)
    assert large.review()["outcome"] == "approve"
    assert tries == {"a": 1, "b": 2, "c": 1}


# --- while it takes its time --------------------------------------------------------------------------------


def test_who_is_asked_and_how_far_it_is_stands_on_the_terminal(
    large: Repo, serve: Serve, configure: Configure
) -> None:
    slow = {"a": 0.0, "b": 2.5, "c": 2.5}

    def script(request: Request) -> Answer:
        time.sleep(slow[part_of(request)])
        return approves()(request)

    configure(serve(script), LIMITS)
    result = in_terminal(large, [str(SCRIPT), "review"])
    assert result.code == 0, result
    assert "asking loop:gpt-5.5, 1 of 3 parts … 1 s" in result.out
    assert "asking loop:gpt-5.5, 1 of 3 parts … 2 s" in result.out
    assert without_colour(as_seen(result.out)).startswith("approve  gpt-5.5 (loop)")
    large.forget()
    captured = large.run("review")
    assert "asking" not in captured.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupt_ends_every_request_and_keeps_what_was_answered(
    large: Repo, serve: Serve, configure: Configure, number: signal.Signals
) -> None:
    hang, done = Hang(), threading.Semaphore(0)

    def script(request: Request) -> Answer:
        if part_of(request) == "a":
            done.release()
            return approves()(request)
        return hang(request)

    server = serve(script)
    configure(server, LIMITS)
    process = subprocess.Popen(
        [str(SCRIPT), "review"],
        cwd=large.root,
        env=large.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    done.acquire(timeout=20)
    assert hang.asked.wait(timeout=20)
    while len(server.requests) < 3:
        time.sleep(0.05)
    time.sleep(0.3)  # the first answer arrives
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    hang.release.set()
    assert process.returncode == 130, said
    assert b"Traceback" not in said
    rows = large.log()
    assert rows[0]["role"] == "gate"
    assert sorted(row["result"] for row in rows) == ["approve", "interrupted", "interrupted", "interrupted"]
    server.scripts[:] = [approves()]
    server.requests.clear()
    assert large.review()["outcome"] == "approve"
    assert sorted(map(part_of, server.requests)) == ["b", "c"]
