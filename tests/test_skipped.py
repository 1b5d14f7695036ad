"""What needs no reviewer is proved, recorded as skipped with its reason, and costs nothing; what is not, is asked about."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.repo import Repo, assert_commit_allowed
from support.server import Server, blocks

from twoagent_hook.screening import sensitive

Serve = Callable[..., Server]
Configure = Callable[..., Path]

MODULE = "import os\n\n\ndef f( a,b ):\n    # adds\n    return (a+b)\n"
TIDY = "import os\n\n\ndef f(a, b):\n    # adds\n    return a + b\n"


@pytest.fixture
def server(repo: Repo, serve: Serve, configure: Configure) -> Server:
    """A reviewer that blocks whatever it is asked about."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    found = serve(blocks())
    configure(found)
    return found


def lock(version: str, host: str = "registry.npmjs.org") -> str:
    entry = {
        "version": version,
        "resolved": f"https://{host}/a/-/a-{version}.tgz",
        "integrity": "sha512-" + "A" * 86 + "==",
    }
    return (
        json.dumps({"name": "x", "lockfileVersion": 3, "packages": {"": {}, "node_modules/a": entry}}, indent=2) + "\n"
    )


def assert_skipped(repo: Repo, server: Server, why: str) -> None:
    payload = repo.review()
    assert (payload["outcome"], payload["exit_code"], payload["reviews"]) == ("skipped", 0, []), payload
    assert why in " ".join(payload["reasons"])
    assert server.requests == []
    newest = repo.log()[0]
    assert (newest["result"], newest["role"]) == ("skipped", "gate")
    assert why in json.dumps(newest["evidence"]["decision"]["reasons"])


def assert_asked(repo: Repo, server: Server) -> None:
    payload = repo.review()
    assert payload["outcome"] == "block", payload
    assert len(server.requests) == 1


def test_moving_files_needs_no_reviewer(repo: Repo, server: Server) -> None:
    for number in range(500):
        repo.write(f"lib/old/{number}.txt", f"{number}\n" * 300)
    repo.commit_all()
    repo.git("mv", "lib/old", "lib/new")
    assert_skipped(repo, server, "500 files moved unchanged")


def test_a_move_with_an_edit_needs_one(repo: Repo, server: Server) -> None:
    repo.write("lib/a.py", MODULE * 3)
    repo.commit_all()
    repo.git("mv", "lib/a.py", "lib/b.py")
    repo.stage("lib/b.py", MODULE * 3 + "x = 1\n")
    assert_asked(repo, server)


@pytest.mark.parametrize("path", ["conftest.py", ".github/workflows/a.py", "sitecustomize.py"])
def test_a_move_to_where_a_file_acts_needs_one(repo: Repo, server: Server, path: str) -> None:
    repo.write("lib/a.py", MODULE)
    repo.commit_all()
    repo.git("rm", "-q", "--cached", "lib/a.py")
    repo.stage(path, MODULE)
    assert_asked(repo, server)


def test_a_lock_file_alone_needs_no_reviewer(repo: Repo, server: Server) -> None:
    repo.write("package-lock.json", lock("1.0.0"))
    repo.commit_all()
    repo.stage("package-lock.json", lock("1.0.1"))
    assert_skipped(repo, server, "1 lock file alone")


def test_a_lock_file_with_another_host_is_a_rule_s_finding(repo: Repo, server: Server) -> None:
    repo.write("package-lock.json", lock("1.0.0"))
    repo.commit_all()
    repo.stage("package-lock.json", lock("1.0.1", "evil.example"))
    payload = repo.review()
    assert payload["outcome"] != "skipped"
    assert "lock-source" in {item["rule"] for item in payload["findings"]}


def test_formatting_alone_needs_no_reviewer(repo: Repo, server: Server) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", TIDY)
    assert_skipped(repo, server, "1 Python file with the same syntax tree")


def test_formatting_of_many_files_reads_them_in_one_go(repo: Repo, server: Server) -> None:
    for number in range(300):
        repo.write(f"m{number}.py", f"{MODULE}x={number}\n")
    repo.commit_all()
    for number in range(300):
        repo.write(f"m{number}.py", f"{TIDY}x = {number}\n")
    repo.git("add", "--all")
    assert_skipped(repo, server, "300 Python files")


@pytest.mark.parametrize("other", [TIDY.replace("a + b", "b + a"), TIDY.replace("# adds", "# add"), TIDY + "y = 1\n"])
def test_more_than_formatting_needs_one(repo: Repo, server: Server, other: str) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", other)
    assert_asked(repo, server)


def test_documentation_needs_none_where_the_policy_says_so(repo: Repo, server: Server) -> None:
    repo.policy('skip = ["docs"]\n')
    repo.stage("docs/guide.md", "# Guide\n")
    assert_skipped(repo, server, "1 file of documentation")


def test_documentation_needs_one_by_default(repo: Repo, server: Server) -> None:
    repo.stage("docs/guide.md", "# Guide\n")
    assert_asked(repo, server)


@pytest.mark.parametrize("path", ["AGENTS.md", "CLAUDE.md", ".github/pull_request_template.md", "prompts/a.md"])
def test_what_instructs_agents_is_no_documentation(repo: Repo, server: Server, path: str) -> None:
    repo.policy('skip = ["docs"]\n')
    repo.stage(path, "# Do this\n")
    assert_asked(repo, server)


def test_a_change_can_not_spare_itself_the_reviewer(repo: Repo, server: Server) -> None:
    """`skip` counts as it is at the base, and a change of the policy is no documentation."""
    repo.policy("timeout = 60\n")
    repo.stage(".twoagent-hook.toml", 'timeout = 60\nskip = ["docs"]\n')
    repo.stage("docs/guide.md", "# Guide\n")
    payload = repo.review()
    assert payload["outcome"] == "block"
    assert "gate-tampering" in {item["rule"] for item in payload["findings"]}


def test_one_file_more_needs_a_reviewer_for_all(repo: Repo, server: Server) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", TIDY)
    repo.stage("b.py", "x = 1\n")
    assert_asked(repo, server)
    assert "=== a.py" in server.requests[0].user


def test_rules_are_looked_at_first(repo: Repo, server: Server) -> None:
    repo.policy('protect = ["a.py"]\n')
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", TIDY)
    payload = repo.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert {item["rule"] for item in payload["findings"]} == {"protected-path"}


def test_it_is_one_line_and_the_commit_goes_on_without_a_key(repo: Repo, server: Server) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", TIDY)
    repo.install_plain_hook()
    said = assert_commit_allowed(repo, LOOP_KEY="").err
    assert said == "skipped  needs no reviewer: 1 Python file with the same syntax tree · 1 file +2 −2 · #1\n"


def test_a_skipped_change_is_no_verdict_to_be_taken_again(repo: Repo, server: Server) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.stage("a.py", TIDY)
    assert_skipped(repo, server, "syntax tree")
    assert_skipped(repo, server, "syntax tree")
    assert all("record" not in row["evidence"] for row in repo.log())


def test_a_merge_is_never_proved(repo: Repo, server: Server) -> None:
    repo.write("a.py", MODULE)
    repo.commit_all()
    repo.git("checkout", "-q", "-b", "side")
    repo.write("a.py", MODULE.replace("adds", "sums"))
    repo.commit_all()
    repo.git("checkout", "-q", "main")
    repo.write("a.py", MODULE.replace("import os", "import sys"))
    repo.commit_all()
    repo.git("merge", "-q", "side", check=False)
    repo.stage("a.py", TIDY.replace("import os", "import sys"))
    payload = repo.review()
    assert payload["outcome"] != "skipped"


def test_a_moved_test_is_looked_at_by_the_rules(repo: Repo, server: Server) -> None:
    """Where it lies now nobody collects it."""
    repo.write("tests/test_a.py", "def test_a():\n    assert 1 + 1 == 2\n")
    repo.commit_all()
    repo.git("mv", "tests", "old")
    repo.git("mv", "old/test_a.py", "old/a_old.py")
    assert "test-weakened" in {item["rule"] for item in repo.review()["findings"]}


def test_a_dummy_that_leaves_the_fixtures_is_a_secret(repo: Repo, server: Server) -> None:
    repo.policy('secret-fixtures = ["fixtures/**"]\n')
    key = "AKIA" + "Q3EXAMPLE7ZTLKJH"
    repo.write("fixtures/keys.txt", f"{key}\n")
    repo.commit_all()
    (repo.root / "src").mkdir()
    repo.git("mv", "fixtures/keys.txt", "src/keys.txt")
    payload = repo.review()
    assert (payload["outcome"], {item["rule"] for item in payload["findings"]}) == ("block", {"secret"})


@pytest.mark.parametrize("path", ["agents.md", "Claude.MD", "MAKEFILE"])
def test_a_name_acts_however_it_is_spelled(path: str) -> None:
    assert sensitive()(path)
