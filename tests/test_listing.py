"""The list of files that each request carries, shorter where there is more of it; and what is seen first."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook.changes import ABSENT, ChangeSet, FileChange, Hunk, Line, Rename, Status
from twoagent_hook.config import Config
from twoagent_hook.listing import listing
from twoagent_hook.rendering import estimate
from twoagent_hook.risk import Rank, Risk
from twoagent_hook.screening import Reason, ScreenedChange, Withheld, screen

Serve = Callable[..., Server]
Configure = Callable[..., Path]
unhurried = settings(max_examples=60, deadline=None, database=None)


def file_of(path: str, *signs: str, status: Status = Status.MODIFIED) -> FileChange:
    lines = tuple(
        Line(sign, None if sign == "+" else place, None if sign == "-" else place, f"x_{place}")
        for place, sign in enumerate(signs or ("-", "+"), 1)
    )
    modes = (ABSENT if status is Status.ADDED else "100644", ABSENT if status is Status.DELETED else "100644")
    return FileChange(path, status, *modes, "1" * 40, "2" * 40, (9, 9), (Hunk(1, 1, "", lines),))


def change_of(*files: FileChange, renames: tuple[Rename, ...] = ()) -> ScreenedChange:
    return screen(ChangeSet("a", "b", files, renames), Config(), {})


def moved(source: str, path: str) -> tuple[FileChange, FileChange, Rename]:
    gone, come = file_of(source, "-", status=Status.DELETED), file_of(path, "+", status=Status.ADDED)
    return gone, come, Rename(source, path, exact=True, edits=come)


def test_with_room_each_path_has_a_line() -> None:
    assert listing(change_of(file_of("src/a.py"), file_of("b.py")), (), 1000).split("\n") == [
        "Files in the change: 2",
        "- src/a.py (modified, +1 −1)",
        "- b.py (modified, +1 −1)",
    ]


def test_what_had_no_room_is_listed_as_not_shown_only() -> None:
    unsent = (Withheld("b.py", Reason.OVER_BUDGET, "+1 −1"),)
    text = listing(change_of(file_of("a.py"), file_of("b.py")), unsent, 1000)
    assert text.count("b.py") == 1
    assert "Not shown:\n- b.py (over the budget of max-input-tokens, +1 −1)" in text


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (300, "- src/app/: f0.py +1 −1, f1.py +1 −1"),
        (40, "- src/app/: 20 files\n- src/lib/: 20 files\n- ./: 1 file"),
        (20, "- src/: 40 files\n- ./: 1 file"),
        (1, "- src/: 40 files\n- ./: 1 file"),
    ],
)
def test_with_less_room_folders_stand_for_their_files(room: int, expected: str) -> None:
    files = [file_of(f"src/{folder}/f{number}.py") for folder in ("app", "lib") for number in range(20)]
    text = listing(change_of(*files, file_of("top.py")), (), room)
    assert expected in text
    assert text.startswith("Files in the change: 41 (by folder):")


def test_why_something_is_not_shown_is_told_in_every_form() -> None:
    unsent = tuple(Withheld(f"src/f{number}.py", Reason.OVER_BUDGET) for number in range(300))
    text = listing(change_of(*(file_of(item.path) for item in unsent)), unsent, 50)
    assert "- src/ (over the budget of max-input-tokens): 300 files" in text


def test_moves_keep_both_their_ends() -> None:
    pairs = [moved(f"old/place/m{number}.txt", f"new/m{number}.txt") for number in range(30)]
    files = tuple(file for pair in pairs for file in pair[:2])
    change = change_of(*files, renames=tuple(pair[2] for pair in pairs))
    assert "- old/place/m7.txt → new/m7.txt" in listing(change, (), 10_000)
    assert "- old/place/ → new/: m0.txt, m1.txt, " in listing(change, (), 150)
    assert "- old/place/ → new/: 30 files" in listing(change, (), 30)


def test_many_findings_are_counted_after_some() -> None:
    hostile = [file_of(f"{number}\u200b.py") for number in range(100)]
    text = listing(change_of(*hostile), (), 100_000)
    assert text.count("- hidden-text: ") == 40
    assert text.endswith("- and 60 more of the same kinds")


SEGMENTS = st.sampled_from(["a", "b", "src", "x\ny", "ü", "\u202e"])


@unhurried
@given(st.sets(st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join), min_size=1, max_size=40), st.integers(1, 600))
def test_every_path_is_counted_in_every_form(paths: set[str], room: int) -> None:
    change = change_of(*(file_of(f"{path}/f.py") for path in paths))
    text = listing(change, (), room)
    body = text.split("Found by automatic checks")[0]
    lines = body.strip("\n").split("\n")[1:]
    assert all(line.startswith("- ") for line in lines)
    if lines[0].endswith((" file", " files")):
        counted = sum(int(line.rpartition(": ")[2].split(" ")[0]) for line in lines)
    else:
        counted = body.count("f.py")
    assert counted == len(paths)


# --- what is seen first -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        (".github/workflows/ci.yml", Rank.VITAL),
        (".pre-commit-config.yaml", Rank.VITAL),
        ("AGENTS.md", Rank.VITAL),
        ("app/auth/tokens.py", Rank.VITAL),
        ("src/auth.py", Rank.VITAL),
        ("user_auth_service.go", Rank.VITAL),
        ("login.ts", Rank.VITAL),
        ("src/permissions.rb", Rank.VITAL),
        ("db/migrate/001_users.rb", Rank.VITAL),
        ("app/migrations/0002_x.py", Rank.VITAL),
        ("schema.sql", Rank.VITAL),
        ("infra/main.tf", Rank.VITAL),
        ("Dockerfile", Rank.VITAL),
        ("vault/x.py", Rank.VITAL),
        ("src/author.py", Rank.SOURCE),
        ("src/app.py", Rank.SOURCE),
        ("src/authors/list.py", Rank.SOURCE),
        ("tests/test_app.py", Rank.TEST),
        ("tests/test_login.py", Rank.VITAL),
        ("README.md", Rank.TEXT),
        ("docs/guide.rst", Rank.TEXT),
    ],
)
def test_the_rank_of_a_path(path: str, rank: Rank) -> None:
    assert Risk(("vault/",)).rank(file_of(path)) is rank


@pytest.mark.parametrize(
    ("file", "rank"),
    [
        (file_of("a.py", "-", status=Status.DELETED), Rank.VITAL),
        (file_of("a.py", "-"), Rank.VITAL),
        (file_of("a.py", " ", "-", " "), Rank.VITAL),
        (file_of("a.py", "-", "+"), Rank.SOURCE),
        (file_of("a.py", "+"), Rank.SOURCE),
    ],
)
def test_what_is_only_taken_away_is_vital(file: FileChange, rank: Rank) -> None:
    assert Risk().rank(file) is rank


# --- from end to end ----------------------------------------------------------------------------------------------


def test_moving_five_hundred_files_costs_their_list_and_no_more(
    repo: Repo, serve: Serve, configure: Configure
) -> None:
    """Beside them one line is changed, so that somebody is asked."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    for number in range(500):
        repo.write(f"lib/old/module_{number}.txt", f"{number}\n" * 200)
    repo.commit_all()
    server = serve(approves())
    configure(server)
    repo.git("mv", "lib/old", "lib/new")
    repo.stage("app.py", "x = 1\n")
    payload = repo.review()
    assert (payload["outcome"], payload["coverage"]["files"], payload["coverage"]["complete"]) == (
        "approve",
        1001,
        True,
    )
    (request,) = server.requests
    assert "lib/old/ → lib/new/" in request.user
    assert all(f"module_{number}.txt" in request.user for number in range(500))
    assert estimate(request.user) < 4500


def test_three_thousand_files_are_reviewed_wholly(repo: Repo, serve: Serve, configure: Configure) -> None:
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    for number in range(3000):
        repo.write(f"src/part_{number % 30}/module_{number}.py", f"value_{number} = {number}\n")
    repo.git("add", "--all")
    server = serve(approves())
    configure(server, "max-requests = 20\nconcurrency = 8\n")
    payload = repo.review()
    assert (payload["outcome"], payload["coverage"]["shown"]) == ("approve", 3000)
    sent = "".join(request.user for request in server.requests)
    assert all(sent.count(f"| value_{number} = {number}\n") == 1 for number in range(3000))
    assert all(estimate(request.system) + estimate(request.user) <= 24_000 for request in server.requests)
    assert all("Files in the change: 3000 (by folder):" in request.user for request in server.requests)
