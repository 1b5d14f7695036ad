"""`doctor`: what would happen to a commit and why, held against what a review then really does."""

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import golden
from support.machine import claude, files, logged_out, one_certificate, tools
from support.repo import SCRIPT, Repo
from support.server import (
    Answer,
    Hang,
    Request,
    Script,
    Server,
    answer,
    approves,
    completion,
    data,
    fails,
    free_port,
    lists,
    reply,
    says_content,
)

from twoagent_hook import backends, trajectory

Serve = Callable[..., Server]
KEY = "sk-loop-0123456789"  # as `changed` sets it
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(autouse=True)
def only_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server that happens to run on this machine is seen."""
    monkeypatch.setattr(backends, "_OWN_PORTS", frozenset())


@pytest.fixture
def machine(changed: Repo, tmp_path: Path) -> Repo:
    """A repository with the gate as its hook and a change staged, on a machine of which everything is known."""
    changed.install_plain_hook()
    changed.environment |= {
        "PATH": tools(tmp_path / "bin", "git"),
        "TERM": "dumb",
        **one_certificate(tmp_path / "authority.pem"),
    }
    return changed


def own_file(repo: Repo) -> Path:
    return Path(repo.environment["HOME"]) / ".config" / "twoagent-hook" / "config.toml"


def own(repo: Repo, text: str) -> Path:
    path = own_file(repo)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def commit_policy(repo: Repo, text: str, name: str = ".twoagent-hook.toml") -> None:
    """Put it into HEAD, and leave staged what is staged."""
    repo.stage(name, text)
    repo.git("commit", "--quiet", "--no-verify", "--message", "policy", "--only", name)


def loop(server: Server | str, *reviewers: str, more: str = "", provider: str = "") -> str:
    """The text of a user's own file with the provider `loop` at a server."""
    names = ", ".join(f'"{name}"' for name in reviewers or ("loop:gpt-5.5",))
    url = server if isinstance(server, str) else server.url
    table = f'[providers.loop]\nbase-url = "{url}"\napi-key-env = "LOOP_KEY"\n{provider}\n'
    return f"reviewers = [{names}]\n{more}\n{table}"


def dead() -> str:
    return f"http://127.0.0.1:{free_port()}/v1"


def placed(repo: Repo, text: str) -> str:
    """The text with what differs from run to run replaced."""
    text = re.sub(r"^twoagent-hook .* · python .* · system .*$", "VERSIONS", text, flags=re.MULTILINE)
    text = text.replace(str(SCRIPT), "twoagent-hook").replace(str(own_file(repo)), "OWN-FILE")
    text = text.replace(str(repo.root), "REPO").replace(repo.environment["PATH"], "BIN")
    text = text.replace(str(repo.root.parent), "TMP")
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r", \d+\.\d s\b", ", N s", text)


def assert_true(repo: Repo, *arguments: str, **environment: str) -> Any:
    """What it says of a commit is what becomes of one; its payload."""
    found = repo.call("doctor", "--output-format", "json", *arguments, **environment)
    assert "Traceback" not in found.text, found
    assert found.err == "", found
    payload = found.json
    assert found.code == payload["exit_code"], found
    assert set(payload) == {key for key in KEYS.split() if "." not in key}
    assert set(paths(payload)) <= set(KEYS.split())
    text = repo.call("doctor", *arguments, **environment)
    assert text.code == found.code
    assert not CONTROL.search(text.out), ascii(text.out)
    review = repo.review(*arguments, **environment)
    assert (payload["exit_code"] == 1) == (review["exit_code"] == 2), (payload["problem"], review["problem"])
    if payload["problem"] is not None and payload["exit_code"]:
        told = (payload["problem"]["outcome"], payload["problem"]["what"])
        assert told == (review["outcome"], review["problem"]["what"])
    return payload


# --- the texts ----------------------------------------------------------------------------------------------


def no_reviewers(repo: Repo, serve: Serve) -> dict[str, str]:
    claude(Path(repo.environment["PATH"]))
    return {"OPENAI_API_KEY": KEY}


def unusable(repo: Repo, serve: Serve) -> dict[str, str]:
    names = ("openai:gpt-5.5", "loop:gpt-5.5", "claude-cli", "azure:deployed", "corp:gpt-5.5")
    own(repo, loop(dead(), *names))
    return {}


def refused(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve(), "loop:claude-opus-4-8", "loop:our-alias", "claude-cli", "openai:gpt-5.5"))
    claude(Path(repo.environment["PATH"]))
    return {"CLAUDECODE": "1", "GEMINI_API_KEY": KEY}


def usable(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve(), "loop:claude-opus-4-8", "openai:gpt-5.5", "loop:gpt-5.5", "loop:gemini-3-pro"))
    return {"CLAUDECODE": "1"}


def broken_in_head(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()))
    commit_policy(repo, 'fail_on = "block"\n')
    return {}


def broken_and_mended(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()))
    commit_policy(repo, 'fail_on = "block"\n')
    repo.stage(".twoagent-hook.toml", 'fail-on = "block"\n')
    return {}


def broken_in_the_change(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()))
    repo.stage(".twoagent-hook.toml", "reviewers = [\n")
    return {}


def broken_own_file(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, 'reviewers = ["loop:gpt-5.5"]\ntimeout = "soon"\n')
    return {}


def without_model(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve(), "loop"))
    return {}


def origins(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve(), more='independence = "family"\nfail-on = "request-changes"\ntimeout = 30'))
    commit_policy(
        repo, 'reviewers = ["loop:gpt-5.5", "openai:gpt-5.5"]\nfail-on = "block"\nexclude = ["*.lock"]\ntimeout = 60\n'
    )
    repo.stage(".twoagent-hook.toml", 'reviewers = ["openai:gpt-5.5"]\n')
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": serve().url, "TWOAGENT_PREFER": "openai"}


def new_policy(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()).replace("reviewers", "prefer"))
    repo.stage(".twoagent-hook.toml", 'reviewers = ["loop:gpt-5.5"]\n')
    return {}


def allowing(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(dead(), more='on-error = "allow"'))
    return {}


def allowing_but_refused(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve(), more='on-error = "allow"'))
    return {"TWOAGENT_AUTHOR": "gpt-5.5"}


def deferring(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(dead(), more='on-error = "defer"'))
    return {}


def rules_alone(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, 'reviewers = ["rules"]\n')
    return {}


def weak_signs(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()))
    return {"TERM_PROGRAM": "vscode", "CURSOR_TRACE_ID": "x\x1b[2J"}


def unmerged(repo: Repo, serve: Serve) -> dict[str, str]:
    own(repo, loop(serve()))
    repo.commit_all("mine")
    repo.git("checkout", "-q", "-b", "other", "HEAD~1")
    repo.write("app.py", "x = 1\n")
    repo.commit_all("theirs")
    repo.git("merge", "-q", "main", check=False)
    return {}


SCENES = {
    "no_reviewers": (no_reviewers, 1),
    "unusable": (unusable, 1),
    "refused": (refused, 1),
    "usable": (usable, 0),
    "broken_in_head": (broken_in_head, 1),
    "broken_and_mended": (broken_and_mended, 0),
    "broken_in_the_change": (broken_in_the_change, 1),
    "broken_own_file": (broken_own_file, 1),
    "without_model": (without_model, 1),
    "origins": (origins, 0),
    "new_policy": (new_policy, 0),
    "allowing": (allowing, 0),
    "allowing_but_refused": (allowing_but_refused, 1),
    "deferring": (deferring, 0),
    "rules_alone": (rules_alone, 0),
    "weak_signs": (weak_signs, 0),
    "unmerged": (unmerged, 1),
}


@pytest.mark.parametrize("name", [name for name in SCENES if name not in {"deferring", "rules_alone"}])
def test_the_text_of_each_state(machine: Repo, serve: Serve, name: str, request: pytest.FixtureRequest) -> None:
    make, code = SCENES[name]
    environment = make(machine, serve)
    told = machine.call("doctor", **environment)
    assert told.code == code, told
    golden.check(f"doctor/{name}.txt", placed(machine, told.text), request)


@pytest.mark.parametrize("name", SCENES)
def test_what_it_says_is_what_happens(machine: Repo, serve: Serve, name: str) -> None:
    make, code = SCENES[name]
    environment = make(machine, serve)
    assert assert_true(machine, **environment)["exit_code"] == code


def test_the_rules_are_not_said_to_review(machine: Repo, serve: Serve) -> None:
    """Their silence is never an approval: the commit would pass, and no model would have reviewed it."""
    rules_alone(machine, serve)
    told = machine.call("doctor")
    assert "ok   rules: no model reviews the change" in told.out
    assert machine.review()["outcome"] == "unreviewed"
    assert "would be reviewed by rules" not in told.out


def test_a_deferral_is_said(machine: Repo, serve: Serve) -> None:
    deferring(machine, serve)
    assert machine.review()["outcome"] == "deferred"
    told = machine.call("doctor")
    assert told.code == 0, told
    assert "deferred" in told.out


# --- who would be asked -------------------------------------------------------------------------------------


def reviewers(payload: Any) -> dict[str, tuple[Any, ...]]:
    return {item["spec"]: (item["usable"], item["independent"], item["place"]) for item in payload["reviewers"]}


def test_each_reviewer_that_is_passed_over_has_its_reason(machine: Repo, serve: Serve) -> None:
    unusable(machine, serve)
    payload = machine.call("doctor", "--output-format", "json").json
    assert {item["spec"]: item["reason"] for item in payload["reviewers"]} == {
        "openai:gpt-5.5": "its key is missing: OPENAI_API_KEY is not set",
        "loop:gpt-5.5": f"nothing listens at {payload['reviewers'][1]['origin']}",
        "claude-cli": "`claude` is not on PATH",
        "azure:deployed": "`azure` has no address of its own: `base-url` is missing",
        "corp:gpt-5.5": "`corp` is not set up on this machine",
    }
    assert all(item["hint"] for item in payload["reviewers"])
    assert set(reviewers(payload).values()) == {(False, None, None)}


def test_each_reviewer_that_may_be_the_author_has_its_reason(machine: Repo, serve: Serve) -> None:
    environment = refused(machine, serve)
    payload = machine.call("doctor", "--output-format", "json", **environment).json
    reasons = {item["spec"]: item["reason"] for item in payload["reviewers"]}
    assert "both are of one family (anthropic)" in reasons["loop:claude-opus-4-8"]
    assert "its family is unknown" in reasons["loop:our-alias"]
    assert "which model it takes by itself is unknown" in reasons["claude-cli"]
    assert reviewers(payload) == {
        "loop:claude-opus-4-8": (True, False, None),
        "loop:our-alias": (True, False, None),
        "claude-cli": (True, False, None),
        "openai:gpt-5.5": (False, None, None),
    }
    assert payload["problem"]["outcome"] == "refused"
    assert len(payload["problem"]["details"]) == 4
    assert '"gemini:MODEL"]' in payload["problem"]["do"]
    assert "author-from-transcript = true" in payload["problem"]["do"]


def test_another_vendors_reviewers_come_first_in_their_order(machine: Repo, serve: Serve) -> None:
    environment = usable(machine, serve)
    payload = machine.call("doctor", "--output-format", "json", **environment).json
    assert reviewers(payload) == {
        "loop:claude-opus-4-8": (True, False, None),
        "openai:gpt-5.5": (False, None, None),
        "loop:gpt-5.5": (True, True, 1),
        "loop:gemini-3-pro": (True, True, 2),
    }


def test_a_preference_orders_them(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(), "loop:a", "loop:b", "loop:c"))
    payload = assert_true(machine, TWOAGENT_PREFER="loop:c,loop:b")
    assert {item["spec"]: item["place"] for item in payload["reviewers"]} == {"loop:c": 1, "loop:b": 2, "loop:a": 3}
    assert {"key": "prefer", "value": ["loop:c", "loop:b"], "origin": "TWOAGENT_PREFER"} in payload["settings"]


def test_the_same_reviewer_twice_is_one(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(), "loop:a", "loop:a"))
    assert assert_true(machine)["exit_code"] == 0


def test_the_command_line_names_others(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    payload = assert_true(machine, "--reviewer", "loop:other", "--reviewer", "openai:gpt-5.5")
    assert [item["spec"] for item in payload["reviewers"]] == ["loop:other", "openai:gpt-5.5"]
    named = next(row for row in payload["settings"] if row["key"] == "reviewers")
    assert named["origin"] == "the command line"


def test_a_file_in_place_of_the_own_one(machine: Repo, serve: Serve, tmp_path: Path) -> None:
    own(machine, "broken\n")
    path = tmp_path / "other.toml"
    path.write_text(loop(serve()))
    payload = assert_true(machine, "--config", str(path))
    assert payload["user_file"] == str(path)
    assert payload["exit_code"] == 0


def test_a_misspelled_provider_is_said(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(), "lop:gpt-5.5"))
    payload = assert_true(machine)
    assert "did you mean `loop`" in payload["problem"]["what"]
    [item] = payload["reviewers"]
    assert (item["usable"], item["place"]) == (False, None)
    assert "did you mean `loop`" in item["reason"]


def test_a_key_that_can_not_be_one_is_said_without_it(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    secret = "sk-first-half\nsk-second-half"
    payload = assert_true(machine, LOOP_KEY=secret)
    assert "malformed" in payload["problem"]["what"]
    assert "half" not in machine.call("doctor", LOOP_KEY=secret).out


def test_an_error_does_not_pass_where_unreviewed_may(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(), more='on-error = "allow"'))
    assert machine.review(LOOP_KEY="two\nlines")["exit_code"] == 2
    assert machine.call("doctor", LOOP_KEY="two\nlines").code == 1


# --- where settings come from -------------------------------------------------------------------------------


def test_each_setting_has_its_origin(machine: Repo, serve: Serve) -> None:
    environment = origins(machine, serve)
    payload = machine.call("doctor", "--output-format", "json", **environment).json
    rows = {row["key"]: (row["value"], row["origin"]) for row in payload["settings"]}
    path = str(own_file(machine))
    assert rows["reviewers"] == (["openai:gpt-5.5", "loop:gpt-5.5"], ".twoagent-hook.toml (HEAD)")
    assert rows["independence"] == ("family", path)
    assert rows["fail-on"] == ("request-changes", path), "the stricter one"
    assert rows["timeout"] == (60, ".twoagent-hook.toml (HEAD)")
    assert rows["exclude"] == (["*.lock"], ".twoagent-hook.toml (HEAD)")
    assert rows["on-error"] == ("block", "default")
    assert rows["prefer"] == (["openai"], "TWOAGENT_PREFER")
    providers = {item["name"]: item["origin"] for item in payload["providers"]}
    assert providers == {"loop": f"{path} [providers.loop]", "openai": "OPENAI_BASE_URL"}
    assert payload["notices"] == ["policy: this change changes it, which counts from the next commit on"]


def test_a_new_policy_is_said_to_be_new(machine: Repo, serve: Serve) -> None:
    new_policy(machine, serve)
    payload = assert_true(machine)
    named = next(row for row in payload["settings"] if row["key"] == "reviewers")
    assert named["origin"] == ".twoagent-hook.toml (staged)"
    assert payload["notices"] == ["policy: new in this change"]


def test_rules_that_differ_have_their_origin(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()).replace("[providers", '[rules]\nunreviewable = "request-changes"\n[providers', 1))
    commit_policy(machine, '[rules]\nprotected-path = "note"\n')
    rows = {row["key"]: row for row in assert_true(machine)["settings"]}
    assert rows["rules"]["value"]["protected-path"] == "note"
    assert rows["rules"]["value"]["unreviewable"] == "request-changes"
    assert rows["rules"]["origin"] != "default"


def test_a_policy_in_pyproject_has_its_origin(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    commit_policy(machine, "[tool.twoagent-hook]\ntimeout = 40\n", "pyproject.toml")
    assert {"key": "timeout", "value": 40, "origin": "pyproject.toml (HEAD)"} in assert_true(machine)["settings"]


def test_a_moved_home_is_said(machine: Repo, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "config.toml").write_text(loop(serve()))
    payload = assert_true(machine, TWOAGENT_HOME=str(tmp_path / "moved"))
    assert payload["user_file"] == str(tmp_path / "moved" / "config.toml")
    assert payload["notices"] == [f"your own settings: {tmp_path / 'moved' / 'config.toml'}"]
    assert assert_true(machine, TWOAGENT_HOME="moved")["problem"]["what"].startswith(
        "TWOAGENT_HOME is not an absolute"
    )


# --- around it ----------------------------------------------------------------------------------------------


def test_outside_of_a_repository(machine: Repo, serve: Serve, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    own(machine, loop(serve()))
    told = machine.call("doctor", cwd=tmp_path)
    assert told.code == 1
    golden.check("doctor/outside.txt", placed(machine, told.out), request)
    payload = machine.call("doctor", "--output-format", "json", cwd=tmp_path).json
    assert (payload["repository"], payload["hooks"]) == (None, None)
    assert payload["log"] == {"path": None, "rows": None, "problem": None}
    assert [item["place"] for item in payload["reviewers"]] == [1], "the reviewers are looked at all the same"


def test_in_a_repository_without_a_commit(empty_repo: Repo, serve: Serve) -> None:
    own(empty_repo, loop(serve()))
    assert empty_repo.call("doctor", LOOP_KEY=KEY).code == 0


def test_without_git(machine: Repo, tmp_path: Path) -> None:
    told = machine.call("doctor", "--output-format", "json", PATH=str(tmp_path))
    assert told.code == 1
    assert told.json["problem"]["what"] == "git is not on PATH"
    assert told.json["versions"]["git"] == ""


def test_nothing_is_sent_written_or_logged(machine: Repo, serve: Serve) -> None:
    server = serve()
    own(machine, loop(server, "loop:gpt-5.5", "claude-cli"))
    calls = claude(Path(machine.environment["PATH"]))
    before = files(machine.root.parent)
    for arguments in ([], ["--output-format", "json"], ["--reviewer", "loop:gpt-5.5"]):
        assert machine.call("doctor", *arguments).code == 0
    assert files(machine.root.parent) == before
    assert not server.requests
    assert not calls.exists()


def test_a_command_for_the_key_is_not_run(machine: Repo, serve: Serve, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    own(machine, loop(serve()).replace('api-key-env = "LOOP_KEY"', f'api-key-command = ["/bin/touch", "{ran}"]'))
    assert machine.call("doctor").code == 0
    assert not ran.exists()


def test_the_log_is_counted(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    assert machine.call("doctor", "--output-format", "json").json["log"]["rows"] == 0
    machine.review()
    rows = len(machine.log())
    log = machine.call("doctor", "--output-format", "json").json["log"]
    assert (log["rows"], log["problem"]) == (rows, None)
    assert Path(log["path"]).exists()


def test_a_log_that_can_not_be_read_is_said(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    path = Path(machine.call("doctor", "--output-format", "json").json["log"]["path"])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"this is no database" * 100)
    told = machine.call("doctor")
    assert told.code == 0, "a log that can't be written never loses a verdict"
    assert "\nLog\n  no   " in told.out
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {trajectory.SCHEMA_VERSION + 1}")
    connection.close()
    assert "\nLog\n  no   " in machine.call("doctor").out


def test_the_key_never_appears(machine: Repo, serve: Serve) -> None:
    server = serve(fails(401, f"no such key: {KEY}"))
    server.models = lists("gpt-5.5")
    own(machine, loop(server, provider='headers = { X-Team = "team-token-0123456789" }'))
    for arguments in ([], ["--online"], ["--reviewer", "openai:x"], ["--online", "--reviewer", "loop"]):
        for form in ("text", "json"):
            told = machine.call("doctor", "--output-format", form, *arguments, OPENAI_API_KEY="sk-other-9876543210")
            assert KEY not in told.text
            assert "sk-other-9876543210" not in told.text
            assert "team-token" not in told.text


def test_a_key_that_a_list_of_models_echoes_does_not_appear(machine: Repo, serve: Serve) -> None:
    server = serve()
    server.models = lists(f"echo of {KEY}")
    own(machine, loop(server))
    assert KEY not in machine.call("doctor", "--online").text
    assert KEY not in machine.call("doctor", "--online", "--output-format", "json").text


# --- JSON ---------------------------------------------------------------------------------------------------

KEYS = """
author author[].agent author[].families author[].label author[].model author[].source
exit_code
hooks hooks.disabled hooks.gated hooks.kind hooks.path hooks.present hooks.shadows
log log.path log.problem log.rows
not_counted not_counted[].says not_counted[].variable
notices
online online[].full online[].full.answered online[].full.api online[].full.estimated_tokens online[].full.form
online[].full.latency_sec online[].full.problem online[].full.problem.details online[].full.problem.do
online[].full.problem.outcome online[].full.problem.what online[].full.prompt_tokens online[].full.receipt
online[].full.requests online[].full.verdict online[].models online[].models_problem online[].small
online[].small.answered online[].small.api online[].small.estimated_tokens online[].small.form
online[].small.latency_sec online[].small.problem online[].small.problem.details online[].small.problem.do
online[].small.problem.outcome online[].small.problem.what online[].small.prompt_tokens online[].small.receipt
online[].small.requests online[].small.verdict online[].spec online[].unusable
problem problem.details problem.do problem.outcome problem.what
providers providers[].base_url providers[].command providers[].name providers[].origin
repository
reviewers reviewers[].hint reviewers[].independent reviewers[].origin reviewers[].place reviewers[].reason
reviewers[].spec reviewers[].usable
roles roles[].role roles[].suits roles[].unusable roles[].who roles[].why
settings settings[].key settings[].origin settings[].value
user_file
version
versions versions.git versions.python versions.system versions.twoagent-hook
"""


def paths(value: Any, at: str = "") -> Iterator[str]:
    """Every key of an object and those below, but for the rules' names."""
    if isinstance(value, dict) and not at.endswith(".value"):
        for key, below in value.items():
            yield f"{at}.{key}".lstrip(".")
            yield from paths(below, f"{at}.{key}".lstrip("."))
    if isinstance(value, list):
        for item in value:
            yield from paths(item, f"{at}[]")


def test_the_json_has_the_keys_of_the_contract(machine: Repo, serve: Serve) -> None:
    server = serve(approves(model="claude-opus-4-8"), fails(400, "context_length_exceeded"), fails(401))
    own(machine, loop(server))
    environment = {"CODEX_THREAD_ID": "x", "TERM_PROGRAM": "vscode"}
    stopped = machine.call("doctor", "--output-format", "json", **environment).json
    named = ("--reviewer", "loop:claude-opus-4-8", "--reviewer", "loop:claude-sonnet-4-6")
    online = machine.call("doctor", "--output-format", "json", "--online", *named, **environment)
    assert len(online.out.splitlines()) == 1, "one object on one line"
    assert sorted({*paths(stopped), *paths(online.json)}) == KEYS.split()
    assert next(iter(stopped)) == "version"
    assert (stopped["version"], stopped["exit_code"]) == (1, 1)
    assert [row["key"] for row in stopped["settings"]] == [row["key"] for row in online.json["settings"]]


# --- online -------------------------------------------------------------------------------------------------


def online(repo: Repo, *arguments: str, **environment: str) -> Any:
    """The one trial that was made."""
    told = repo.call("doctor", "--online", "--output-format", "json", *arguments, **environment)
    assert "Traceback" not in told.text, told
    [trial] = told.json["online"]
    return trial


def only_the_last(characters: int, then: Callable[..., Script] = approves) -> Script:
    """A server whose context holds the end of a long message alone, as local ones cut it without a word."""

    def script(request: Request) -> Answer:
        kept = request.user[-characters:]
        seen = [
            found[1] if found else "unknown"
            for found in (re.search(rf"^receipt-{which}: (\w+)$", kept, re.MULTILINE) for which in "ab")
        ]
        whole = len(kept) == len(request.user)
        text = json.dumps(reply("approve", request, receipt=request.receipt if whole else "-".join(seen)))
        return answer(completion(text))

    return script


def refuses_schemas(request: Request) -> Answer:
    if request.form == "json_schema":
        return fails(400, "This response_format type is unavailable now")(request)
    return approves()(request)


def small_context(request: Request) -> Answer:
    if len(request.user) > 20_000:
        body = {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}
        return answer({"error": body}, 400)
    return approves()(request)


PROSE = says_content("LGTM!")
ONLINE: dict[str, Script] = {
    "good": approves(model="gpt-5.5-2026-04-23"),
    "ladder": refuses_schemas,
    "cut": only_the_last(20_000),
    "context": small_context,
    "401": fails(401, "no such key"),
    "404": fails(404, "no such model"),
}


@pytest.mark.parametrize("name", ONLINE)
def test_the_text_of_each_trial(machine: Repo, serve: Serve, name: str, request: pytest.FixtureRequest) -> None:
    server = serve(ONLINE[name])
    own(machine, loop(server))
    told = machine.call("doctor", "--online")
    shown = told.out.partition("\nOnline\n")[2].partition("\n\n")[0] + "\n"
    golden.check(f"doctor/online_{name}.txt", placed(machine, shown), request)


def test_a_small_request_and_one_of_the_configured_size(machine: Repo, serve: Serve) -> None:
    server = serve(approves(model="gpt-5.5-2026-04-23"))
    own(machine, loop(server, more="max-input-tokens = 9000"))
    trial = online(machine)
    assert [(request.method, request.path) for request in server.requests] == [
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/chat/completions"),
    ]
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)
    assert trial["models"] == ["gpt-5.5", "claude-opus-4-8"]
    small, full = trial["small"], trial["full"]
    assert small["estimated_tokens"] < 3000
    assert 8000 < full["estimated_tokens"] <= 9000
    assert len(server.requests[2].raw) > 3 * len(server.requests[1].raw)
    for probe in (small, full):
        assert (probe["api"], probe["form"], probe["requests"]) == ("chat", "json_schema", 1)
        assert (probe["verdict"], probe["receipt"], probe["problem"]) == ("approve", "whole", None)
        assert probe["answered"] == ["gpt-5.5-2026-04-23"]
        assert probe["prompt_tokens"] == 1200
    private = " ".join(request.raw.decode() for request in server.requests)
    assert "def mean(values)" not in private, "the change itself is not sent"


def test_what_the_endpoint_does_not_know_is_asked_once(machine: Repo, serve: Serve) -> None:
    server = serve(refuses_schemas)
    own(machine, loop(server))
    trial = online(machine)
    assert [request.form for request in server.requests[1:]] == ["json_schema", "json_object", "json_object"]
    assert (trial["small"]["form"], trial["small"]["requests"]) == ("json_object", 2)
    assert (trial["full"]["form"], trial["full"]["requests"]) == ("json_object", 1)


def test_over_the_other_api(machine: Repo, serve: Serve) -> None:
    server = serve(approves())
    own(machine, loop(server, provider='api = "responses"'))
    trial = online(machine)
    assert [request.path for request in server.requests] == ["/v1/models", "/v1/responses", "/v1/responses"]
    assert (trial["small"]["api"], trial["full"]["receipt"]) == ("responses", "whole")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (lists("gpt-5.5"), "ok   loop:gpt-5.5: offered, among 1 models"),
        (lists("a", "b"), "loop:gpt-5.5: the endpoint lists a, b"),
        (lists(), "loop:gpt-5.5: the endpoint lists no models"),
        (lists(*(f"m{number}" for number in range(100))), "m39, and 60 more"),
        (lists("gpt-5.5", "x\x1b[2J\u202e"), "offered, among 2 models"),
        (data({"models": [{"name": "gpt-5.5"}]}), "ok   loop:gpt-5.5: offered, among 1 models"),
        (data(["gpt-5.5"]), "the endpoint lists no models"),
        (data({"data": 1}), "its models can't be listed: "),
        (fails(404), "its models can't be listed: "),
        (fails(500), "its models can't be listed: "),
    ],
)
def test_the_models_that_are_offered(machine: Repo, serve: Serve, models: Script, said: str) -> None:
    server = serve()
    server.models = models
    own(machine, loop(server))
    told = machine.call("doctor", "--online")
    assert said in told.out, told
    assert not CONTROL.search(told.out)
    assert "a small request" in told.out, "it is asked all the same"


@pytest.mark.parametrize("kept", [500, 5_000, 60_000])
def test_a_context_that_is_cut_is_found_out(machine: Repo, serve: Serve, kept: int) -> None:
    own(machine, loop(serve(only_the_last(kept))))
    trial = online(machine)
    cut_at_once = kept < 1000
    assert trial["small"]["receipt"] == ("cut" if cut_at_once else "whole")
    assert trial["full"]["receipt"] == "cut"
    assert trial["full"]["verdict"] is None
    assert trial["full"]["problem"]["outcome"] == "invalid"
    told = machine.call("doctor", "--online").out
    assert "no   the context is cut" in told
    assert "num_ctx" in told or "context setting" in told
    assert "the whole of it was seen" not in told


def test_a_reply_in_prose_says_nothing_about_the_context(machine: Repo, serve: Serve) -> None:
    """It gives no tokens back at all, for a small request neither."""
    own(machine, loop(serve(PROSE)))
    told = machine.call("doctor", "--online")
    assert "the reply names no verdict" in told.out
    assert "the context is cut" not in told.out


def test_a_context_that_is_too_small_is_said(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(small_context)))
    trial = online(machine)
    assert (trial["small"]["problem"], trial["small"]["verdict"]) == (None, "approve")
    assert "too long for this model" in trial["full"]["problem"]["what"]
    assert (trial["full"]["receipt"], trial["full"]["api"]) == (None, None)
    assert "max-input-tokens" in trial["full"]["problem"]["do"]


def test_a_reviewer_that_does_not_let_us_in_is_asked_no_more(machine: Repo, serve: Serve) -> None:
    server = serve(fails(401, "no such key"))
    own(machine, loop(server))
    trial = online(machine)
    assert trial["small"]["problem"]["outcome"] == "unreviewed"
    assert "does not let us in (401)" in trial["small"]["problem"]["what"]
    assert trial["full"] is None
    assert [request.method for request in server.requests] == ["GET", "POST"]


@pytest.mark.parametrize("name", ["401", "404", "prose"])
def test_a_commit_that_would_end_without_a_verdict_is_not_promised_one(machine: Repo, serve: Serve, name: str) -> None:
    """It was just found out that the only reviewer does not work: "would be reviewed by" it and 0 are untrue."""
    own(machine, loop(serve((ONLINE | {"prose": PROSE})[name])))
    assert machine.review()["exit_code"] == 2
    told = machine.call("doctor", "--online")
    assert not told.out.endswith("A change staged now would be reviewed by loop:gpt-5.5.\n"), told.out
    assert told.code == 1


def test_where_another_reviewer_follows_a_failed_trial_is_no_stop(machine: Repo, serve: Serve) -> None:
    good = serve()
    own(
        machine,
        loop(serve(fails(401)), "loop:gpt-5.5", "good:gpt-5.5", provider=f'[providers.good]\nbase-url = "{good.url}"'),
    )
    assert machine.review()["outcome"] == "approve"
    assert machine.call("doctor", "--online").code == 0


def test_a_hanging_reviewer_is_waited_for_as_long_as_the_user_says(machine: Repo, serve: Serve) -> None:
    hang = Hang()
    own(machine, loop(serve(hang), provider="timeout = 1"))
    trial = online(machine)
    hang.release.set()
    assert "gave no answer within 1 s" in trial["small"]["problem"]["what"]
    assert 0.9 < trial["small"]["latency_sec"] < 5
    assert trial["full"] is None


def test_a_command_is_asked_too(machine: Repo, request: pytest.FixtureRequest) -> None:
    calls = claude(Path(machine.environment["PATH"]))
    own(machine, 'reviewers = ["claude-cli"]\n')
    trial = online(machine)
    assert len(calls.read_text().splitlines()) == 2
    assert (trial["models"], trial["models_problem"]) == (None, None)
    for probe in (trial["small"], trial["full"]):
        assert (probe["api"], probe["verdict"], probe["receipt"]) == ("command", "approve", "whole")
        assert probe["answered"] == ["claude-opus-4-8"]
    shown = machine.call("doctor", "--online").out.partition("\nOnline\n")[2].partition("\n\n")[0] + "\n"
    golden.check("doctor/online_command.txt", placed(machine, shown), request)


def test_a_command_that_is_not_logged_in(machine: Repo) -> None:
    logged_out(Path(machine.environment["PATH"]))
    own(machine, 'reviewers = ["claude-cli"]\n')
    trial = online(machine)
    assert "is not logged in" in trial["small"]["problem"]["what"]
    assert trial["full"] is None


def test_another_model_that_answers_is_found_out(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve(approves(model="claude-opus-4-8"))))
    problem = online(machine)["small"]["problem"]
    assert "claude-opus-4-8 answered in its place" in problem["what"]
    problem = online(machine, TWOAGENT_AUTHOR="claude-opus-4-8")["small"]["problem"]
    assert problem["outcome"] == "refused"


def test_the_command_line_says_who_is_asked(machine: Repo, serve: Serve) -> None:
    server = serve()
    own(machine, loop(server))
    told = machine.call(
        "doctor", "--online", "--output-format", "json", "--reviewer", "loop:a", "--reviewer", "loop:b"
    )
    assert [trial["spec"] for trial in told.json["online"]] == ["loop:a", "loop:b"]
    assert {request.body["model"] for request in server.requests if request.method == "POST"} == {"a", "b"}


def test_a_provider_without_a_model_has_its_models_listed(machine: Repo, serve: Serve) -> None:
    server = serve()
    own(machine, loop(server))
    told = machine.call("doctor", "--online", "--reviewer", "loop")
    assert "the endpoint lists gpt-5.5, claude-opus-4-8" in told.out, told
    assert "names a provider and no model" in told.out
    assert [request.method for request in server.requests] == ["GET"]


def test_a_reviewer_that_is_not_usable_is_not_asked(machine: Repo) -> None:
    own(machine, loop(dead()))
    told = machine.call("doctor", "--online")
    assert told.code == 1
    assert "nothing listens" in told.out.partition("\nOnline\n")[2]
    assert "its models can't be listed" not in told.out, "that is not what is wrong with it"


def test_where_nobody_may_be_asked_that_is_said(machine: Repo, serve: Serve) -> None:
    server = serve()
    own(machine, loop(server, "loop:claude-opus-4-8"))
    told = machine.call("doctor", "--online", CLAUDECODE="1")
    assert told.code == 1
    assert not server.requests
    assert "\nOnline\n" in told.out, "what was asked for and not done is said"


def test_the_rules_are_not_asked(machine: Repo) -> None:
    own(machine, 'reviewers = ["rules"]\n')
    told = machine.call("doctor", "--online", "--output-format", "json")
    assert (told.code, told.json["online"]) == (0, [])


def test_a_trial_leaves_no_row_in_the_log(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    machine.review()
    before = machine.log()
    online(machine)
    assert machine.log() == before
    machine.git("commit", "--quiet", "--no-verify", "--message", "x")
    (machine.root / ".git" / "twoagent-hook" / "trajectory.db").unlink()
    online(machine)
    assert not (machine.root / ".git" / "twoagent-hook" / "trajectory.db").exists()


def test_a_trial_shows_nothing_of_the_waiting_on_its_outputs(machine: Repo, serve: Serve) -> None:
    own(machine, loop(serve()))
    told = machine.run("doctor", "--online", "--output-format", "json", TERM="xterm")
    assert told.err == ""
    assert told.json["online"][0]["small"]["verdict"] == "approve"


def test_versions_are_those_of_what_runs(machine: Repo) -> None:
    versions = machine.call("doctor", "--output-format", "json").json["versions"]
    assert versions["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert machine.git("--version").endswith(versions["git"])
    assert machine.run("--version").out.strip().endswith(versions["twoagent-hook"])


def test_a_ceiling_of_the_users_own_is_among_the_settings(changed: Repo, configure: Callable[..., Path]) -> None:
    configure("http://127.0.0.1:9/v1", "max-tokens-per-day = 5000\nmax-cost-per-month = 2.5\n")
    said = changed.call("doctor").out
    assert "max-tokens-per-day = 5000" in said
    assert "max-cost-per-month = 2.5" in said
    assert "Provider(" not in said
