"""Where a provider's key comes from: a variable, or a command of the user's own; it is never shown and never kept."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import server as endpoint
from support.repo import Repo, assert_commit_allowed, assert_commit_blocked
from support.server import Request, Script, Server

from twoagent_hook import backends, config
from twoagent_hook.keys import Layer

KEY = "sk-chain-0123456789"
NOISE = "unlocked-with-hunter2"
OTHER = "sk-loop-0123456789"  # of the variable LOOP_KEY
SOON = 15.0  # seconds in which a run ends that has nothing to wait for, even on a busy machine

Serve = Callable[..., Server]
Write = Callable[..., Path]


class Keychain:
    """A program that prints a key, as the user's own file names it, and notes each time that it is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "keychain"
        self.says(f"echo {NOISE} >&2; echo {KEY}")

    def says(self, script: str) -> None:
        noted = f'{{ pwd; echo "$@"; env; }} > "{self.folder}/run.$$"'
        self.path.write_text(f"#!/bin/sh\n{noted}\n{script}\n")
        self.path.chmod(0o755)

    @property
    def runs(self) -> list[list[str]]:
        """Of each run the folder, the arguments and the environment."""
        return [path.read_text().splitlines() for path in sorted(self.folder.glob("run.*"))]

    @property
    def left(self) -> list[int]:
        """The processes that still run."""
        return [int(path.suffix[1:]) for path in self.folder.glob("run.*") if _lives(int(path.suffix[1:]))]


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def keychain(tmp_path: Path) -> Iterator[Keychain]:
    folder = tmp_path / "keychain"
    folder.mkdir()
    made = Keychain(folder)
    yield made
    for process in made.left:
        os.kill(process, 9)


@pytest.fixture
def users(clean_environment: Mapping[str, str]) -> Write:
    """Writes the user's own file: one reviewer, and lines for its provider."""

    def write(*lines: str, reviewer: str = "loop:gpt-5.5", provider: str = "loop", top: str = "") -> Path:
        path = Path(clean_environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([f'reviewers = ["{reviewer}"]', top, f"[providers.{provider}]", *lines, ""]))
        return path

    return write


def at(server: Server) -> str:
    return f'base-url = "{server.url}"'


def command(*words: Any) -> str:
    return f"api-key-command = {json.dumps([str(word) for word in words])}"


def bearer(request: Request) -> str:
    return request.headers.get("authorization", "")


def everything(repo: Repo, result: Any) -> bytes:
    """All that is printed and kept: the output, the log, the user's other folders."""
    home = Path(repo.environment["HOME"])
    kept = [repo.root / ".git" / "twoagent-hook", home / ".cache", home / ".local"]
    files = [path for folder in kept if folder.exists() for path in folder.rglob("*") if path.is_file()]
    return b"".join([result.raw_out, result.raw_err, *(path.read_bytes() for path in files)])


def judged(repo: Repo, *arguments: str, **environment: str) -> Any:
    """Review, and check that neither the key nor what the program says is shown or kept."""
    result = repo.call("review", "--output-format", "json", *arguments, **environment)
    payload = result.json
    assert payload["exit_code"] == result.code, result
    assert "internal error" not in result.text, result
    found = everything(repo, result)
    for secret in (KEY, NOISE, OTHER):
        assert secret.encode() not in found, result
    return payload


# --- a program that prints it ---------------------------------------------------------------------------------


def test_the_key_that_it_prints_is_sent(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    server = serve()
    users(at(server), command(keychain.path, "find", "my key"))
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    assert [bearer(request) for request in server.requests] == [f"Bearer {KEY}"]
    ((_, arguments, *_),) = keychain.runs
    assert arguments == "find my key"


def test_no_variable_is_needed_for_it(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    del changed.environment["LOOP_KEY"]
    users(at(serve()), command(keychain.path))
    assert judged(changed)["outcome"] == "approve"


@pytest.mark.parametrize("turned", [False, True], ids=["variable-first", "command-first"])
def test_it_goes_before_a_variable(
    turned: bool, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    server = serve()
    lines = ['api-key-env = "LOOP_KEY"', command(keychain.path)]
    users(at(server), *(reversed(lines) if turned else lines))
    assert judged(changed)["outcome"] == "approve"
    assert bearer(server.requests[0]) == f"Bearer {KEY}"


def test_it_goes_before_the_variable_of_a_known_provider(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    server = serve()
    users(at(server), command(keychain.path), provider="openai", reviewer="openai:gpt-5.5")
    assert judged(changed, OPENAI_API_KEY="sk-ambient-987654321")["outcome"] == "approve"
    assert bearer(server.requests[0]) == f"Bearer {KEY}"


def test_it_is_found_on_the_path(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    users(at(serve()), command("keychain"))
    path = f"{keychain.folder}{os.pathsep}{changed.environment['PATH']}"
    assert changed.run("review", PATH=path).code == 0
    assert len(keychain.runs) == 1


def test_it_is_found_in_the_users_home(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    """`~/` is accepted for a program, and means what it means for `command`."""
    own = Path(changed.environment["HOME"]) / "bin" / "keychain"
    own.parent.mkdir()
    own.symlink_to(keychain.path)
    users(at(serve()), command("~/bin/keychain"))
    payload = judged(changed)
    assert payload["outcome"] == "approve", payload
    assert len(keychain.runs) == 1


def test_it_runs_outside_of_the_repository_and_without_git_s_variables(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(at(serve()), command(keychain.path))
    index = str(changed.root / ".git" / "index")
    assert judged(changed, GIT_INDEX_FILE=index, VAULT_ADDR="https://vault.example")["outcome"] == "approve"
    ((folder, _, *variables),) = keychain.runs
    assert folder == "/"
    assert "VAULT_ADDR=https://vault.example" in variables
    assert [line for line in variables if line.startswith("GIT_")] == []


def test_a_repository_s_program_of_that_name_is_not_run(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(at(serve()), command("keychain"))
    changed.write("keychain", f"#!/bin/sh\ntouch {changed.root}/ran\necho sk-thief-0123456789\n", mode=0o755)
    path = os.pathsep.join((".", "", str(keychain.folder), changed.environment["PATH"]))
    assert changed.run("review", PATH=path).code == 0
    assert not (changed.root / "ran").exists()
    assert len(keychain.runs) == 1


def test_its_standard_input_is_empty(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    keychain.says(f'read -r line && echo "sk-typed-$line" || echo {KEY}')
    server = serve()
    users(at(server), command(keychain.path))
    assert judged(changed)["outcome"] == "approve"
    assert bearer(server.requests[0]) == f"Bearer {KEY}"


@pytest.mark.parametrize("printed", ["'%s'", "'%s\\n'", "'  %s \\r\\n\\n'"], ids=["bare", "a-line", "white-space"])
def test_white_space_around_what_it_prints_is_no_part_of_the_key(
    printed: str, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says(f"printf {printed} {KEY}")
    server = serve()
    users(at(server), command(keychain.path))
    assert judged(changed)["outcome"] == "approve"
    assert bearer(server.requests[0]) == f"Bearer {KEY}"


# --- as seldom as it can be -----------------------------------------------------------------------------------


def test_it_is_run_once_for_a_review_and_its_repair(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    server = serve(endpoint.says_content("Ship it."), endpoint.approves())
    users(at(server), command(keychain.path))
    assert judged(changed)["outcome"] == "approve"
    assert [bearer(request) for request in server.requests] == [f"Bearer {KEY}"] * 2
    assert len(keychain.runs) == 1


def test_it_is_run_once_on_the_way_down_the_ladder(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    refusal = endpoint.fails(400, "response_format is unavailable now")
    server = serve(endpoint.fails(500, Retry_After="0"), refusal, refusal, endpoint.approves())
    users(at(server), command(keychain.path))
    assert judged(changed)["outcome"] == "approve"
    assert len(server.requests) == 4
    assert len(keychain.runs) == 1


@pytest.mark.parametrize(
    "arguments", [("--dry-run",), ("--dry-run", "--output-format", "json")], ids=["in-words", "as-JSON"]
)
def test_it_is_not_run_for_a_dry_run(
    arguments: tuple[str, ...], changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    server = serve()
    users(at(server), command(keychain.path))
    result = changed.call("review", *arguments)
    assert result.code == 0
    assert "Bearer ***" in result.out
    assert (keychain.runs, server.requests) == ([], [])


def test_it_is_not_run_where_nothing_is_staged(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    users(at(serve()), command(keychain.path))
    changed.git("reset", "--quiet", "--hard")
    assert changed.call("review").code == 0
    assert keychain.runs == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("secret.py", "AWS_KEY = 'AKIAQ6ZJ3NBRT7WXK2PD'\n"),
        ("app.py", "<<<<<<< ours\na = 1\n=======\na = 2\n>>>>>>> theirs\n"),
    ],
    ids=["a-secret", "a-rule-blocks"],
)
def test_it_is_not_run_where_nobody_is_asked(
    path: str, content: str, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(at(serve()), command(keychain.path))
    changed.stage(path, content)
    assert changed.review()["outcome"] == "block"
    assert keychain.runs == []


def test_it_is_not_run_for_one_who_may_not_be_asked(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(at(serve()), command(keychain.path))
    assert judged(changed, "--author", "gpt-5.5")["outcome"] == "refused"
    assert keychain.runs == []


def test_it_is_not_run_for_one_whose_turn_does_not_come(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    other = f"[providers.other]\n{at(serve(endpoint.approves(model='claude-opus-4-8')))}\n"
    file = users(at(serve()), command(keychain.path))
    file.write_text(file.read_text().replace('"loop:gpt-5.5"', '"other:claude-opus-4-8", "loop:gpt-5.5"') + other)
    assert judged(changed, "--author", "qwen3-max")["reviews"][0]["provider"] == "other"
    assert keychain.runs == []


def test_it_is_run_in_a_commit(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    server = serve()
    users(at(server), command(keychain.path))
    changed.install_plain_hook()
    result = assert_commit_allowed(changed)
    assert bearer(server.requests[0]) == f"Bearer {KEY}"
    assert len(keychain.runs) == 1
    found = everything(changed, result)
    assert (KEY.encode() in found, NOISE.encode() in found) == (False, False), result


# --- what may go wrong with it --------------------------------------------------------------------------------

FAILS = {
    "it-fails": ("exit 3", "gave no key: it ended with 3"),
    "it-fails-after-a-key": (f"echo {KEY}; exit 1", "gave no key: it ended with 1"),
    "it-fails-with-a-page-of-help": (
        f"echo 'usage: keychain'; echo '  {NOISE}'; exit 2",
        "gave no key: it ended with 2",
    ),
    "it-is-killed": ("kill -9 $$", "gave no key: it ended with -9"),
    "it-prints-nothing": ("exit 0", "gave no key: it printed nothing"),
    "it-prints-white-space": ("printf ' \\n\\n'", "gave no key: it printed nothing"),
    "it-prints-to-its-errors": (f"echo {KEY} >&2", "gave no key: it printed nothing"),
}


@pytest.mark.parametrize("case", FAILS)
def test_without_a_key_nobody_is_asked(
    case: str, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    script, told = FAILS[case]
    keychain.says(f"echo {NOISE} >&2\n{script}")
    server = serve()
    users(at(server), command(keychain.path))
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "`api-key-command` of loop" in payload["problem"]["what"]
    assert told in payload["problem"]["what"]
    assert "run it by hand" in payload["problem"]["do"]
    assert server.requests == []
    row = changed.log()[1]
    assert (row["role"], row["result"], row["provider"]) == ("reviewer", "unreviewed", "loop")


MALFORMED = {
    "several-lines": f"echo {KEY}; echo {NOISE}",
    "a-header-of-its-own": f"printf '{KEY}\\r\\nX-Evil: 1'",
    "an-escape": f"printf '\\033[0m{KEY}'",
    "no-ASCII": f"echo {KEY}é",
    "no-UTF-8": f"printf '{KEY}\\377'",
    "a-NUL": f"printf '{KEY}\\000x'",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_what_can_not_be_a_key_is_not_sent(
    case: str, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says(MALFORMED[case])
    server = serve()
    users(at(server), command(keychain.path), top='on-error = "allow"')
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "`api-key-command` of loop" in payload["problem"]["what"]
    assert "malformed" in payload["problem"]["what"]
    assert server.requests == []


@pytest.mark.parametrize("program", ["/nonexistent/keychain", "no-such-program-0123", "FOLDER", "NO-PROGRAM"])
def test_a_program_that_can_not_be_run(
    program: str, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.path.chmod(0o644)
    program = {"FOLDER": str(keychain.folder), "NO-PROGRAM": str(keychain.path)}.get(program, program)
    server = serve()
    users(at(server), command(program))
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "`api-key-command` of loop can't be run: " in payload["problem"]["what"]
    assert "correct it in your own file" in payload["problem"]["do"]
    assert server.requests == []


def test_one_that_hangs_ends_with_the_provider_s_time(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says("exec sleep 120")
    server = serve()
    users(at(server), command(keychain.path), "timeout = 1")
    started = time.monotonic()
    payload = judged(changed, "--timeout", "30")
    assert time.monotonic() - started < SOON
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert server.requests == []


def test_one_that_hangs_is_named(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    """The endpoint was never asked: a faster reviewer would not help."""
    keychain.says("exec sleep 120")
    users(at(serve()), command(keychain.path), "timeout = 1")
    assert "api-key-command" in judged(changed)["problem"]["what"]


def test_one_that_hangs_is_not_left_behind(changed: Repo, serve: Serve, users: Write, keychain: Keychain) -> None:
    keychain.says("exec sleep 120")
    users(at(serve()), command(keychain.path), "timeout = 1")
    assert changed.run("review").code == 2
    assert len(keychain.runs) == 1
    assert keychain.left == []


def test_one_that_hangs_does_not_keep_a_commit_waiting(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says("sleep 20 & sleep 20")
    users(at(serve()), command(keychain.path), "timeout = 1")
    started = time.monotonic()
    assert changed.run("review").code == 2
    assert time.monotonic() - started < SOON


def test_where_it_fails_the_next_reviewer_is_asked(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says(f"echo {NOISE} >&2; exit 1")
    server = serve(endpoint.approves(model="claude-opus-4-8"))
    other = f'[providers.other]\n{at(server)}\napi-key-env = "LOOP_KEY"\n'
    file = users(at(serve()), command(keychain.path))
    file.write_text(file.read_text().replace('"loop:gpt-5.5"', '"loop:gpt-5.5", "other:claude-opus-4-8"') + other)
    payload = judged(changed, "--author", "qwen3-max")
    assert payload["outcome"] == "approve", payload
    assert payload["reasons"] == ["`api-key-command` of loop gave no key: it ended with 1"]
    assert bearer(server.requests[0]) == f"Bearer {OTHER}"


def test_a_key_that_is_refused_is_said_to_be_the_program_s(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(
        at(serve(lambda request: endpoint.fails(401, f"Incorrect API key: {bearer(request)}")(request))),
        command(keychain.path),
    )
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "check the key that `api-key-command` prints" in payload["problem"]["do"]


# --- in the files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["./keychain", "bin/keychain", "../keychain", "~other/keychain", "a/../keychain"])
def test_a_relative_path_is_an_error_of_the_configuration(
    program: str, changed: Repo, serve: Serve, users: Write
) -> None:
    server = serve()
    file = users(at(server), command(program))
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert str(file) in payload["problem"]["what"]
    assert "`api-key-command` can't be what it is" in payload["problem"]["what"]
    assert "its absolute path" in payload["problem"]["do"]
    assert server.connections == 0


@pytest.mark.parametrize(
    "value", [f'"security -w {KEY}"', "[]", '[""]', "[1]", "true", '[["security"]]', '["a\\u0000"]']
)
def test_what_is_no_list_of_arguments_is_an_error_that_does_not_show_it(
    value: str, changed: Repo, serve: Serve, users: Write
) -> None:
    server = serve()
    users(at(server), f"api-key-command = {value}")
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "`api-key-command` takes a list of" in payload["problem"]["do"]
    assert server.connections == 0


def test_it_can_not_stand_beside_a_command(changed: Repo, users: Write, keychain: Keychain) -> None:
    users('command = ["some-cli"]', command(keychain.path), reviewer="loop")
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert "`command` is run, and can't stand beside an endpoint" in payload["problem"]["what"]
    assert keychain.runs == []


@pytest.mark.parametrize("staged", [False, True], ids=["committed", "staged"])
@pytest.mark.parametrize(
    "file", [".twoagent-hook.toml", "pyproject.toml", "providers"], ids=["own-file", "pyproject", "in-a-provider"]
)
def test_a_repository_may_not_name_a_program(
    file: str, staged: bool, changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    server = serve()
    users(at(server), 'api-key-env = "LOOP_KEY"')
    text = {"pyproject.toml": "[tool.twoagent-hook]\n", "providers": "[providers.loop]\n"}.get(file, "")
    name = ".twoagent-hook.toml" if file == "providers" else file
    changed.stage(name, f"{text}{command(keychain.path)}\n")
    if not staged:
        changed.git("commit", "--quiet", "--no-verify", "--message", "policy", "--only", "--", name)
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    told = payload["problem"]["what"]
    assert name in told
    assert "a repository may not" in told
    assert "your own file" in payload["problem"]["do"]
    assert (keychain.runs, server.connections) == ([], 0)


def test_the_message_says_that_it_names_a_program(
    changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    users(at(serve()), 'api-key-env = "LOOP_KEY"')
    changed.stage(".twoagent-hook.toml", f"{command(keychain.path)}\n")
    assert "program" in judged(changed)["problem"]["what"]


@pytest.mark.parametrize("folder", [".config", "./.config", "own/../.config"])
def test_a_repository_can_not_bring_the_file_that_names_one(
    folder: str, changed: Repo, serve: Serve, keychain: Keychain
) -> None:
    """A relative XDG_CONFIG_HOME is to be ignored, as its specification says."""
    server = serve()
    text = f'reviewers = ["loop:gpt-5.5"]\n[providers.loop]\n{at(server)}\n{command(keychain.path)}\n'
    changed.write(".config/twoagent-hook/config.toml", text)
    changed.write("own/.keep")
    changed.git("add", "--all")
    changed.commit_all()
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    payload = judged(changed, XDG_CONFIG_HOME=folder)
    assert payload["exit_code"] == 2, payload
    assert (keychain.runs, server.connections) == ([], 0)


# --- a variable -----------------------------------------------------------------------------------------------


def resolved(spec: str, user: Mapping[str, Any] | None = None, **variables: str) -> backends.Reviewer:
    joined = config.join(Layer("user", user or {}), None, Layer("flags", {}), hook=False)
    return backends.find(spec, joined, variables)


@pytest.mark.parametrize("key", [None, "", "  ", "sk-proxy-987654321"], ids=["unset", "empty", "blank", "set"])
def test_litellm_is_asked_with_its_key_or_without(key: str | None, changed: Repo, serve: Serve, users: Write) -> None:
    server = serve(endpoint.approves(model="reviewer"))
    users(at(server), provider="litellm", reviewer="litellm:reviewer")
    payload = judged(changed, **({} if key is None else {"LITELLM_API_KEY": key}))
    assert payload["outcome"] == "approve", payload
    wanted = f"Bearer {key}" if key and key.strip() else None
    assert server.requests[0].headers.get("authorization") == wanted


def test_where_the_user_names_a_variable_for_litellm_it_is_needed(changed: Repo, serve: Serve, users: Write) -> None:
    server = serve()
    users(at(server), 'api-key-env = "PROXY_KEY"', provider="litellm", reviewer="litellm:reviewer")
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "its key is missing: PROXY_KEY is not set" in payload["problem"]["what"]
    assert server.requests == []


def test_a_proxy_that_wants_a_key_says_which(changed: Repo, serve: Serve, users: Write) -> None:
    server = serve(endpoint.fails(401, "Authentication Error, No api key passed in."))
    users(at(server), provider="litellm", reviewer="litellm:reviewer")
    payload = judged(changed)
    assert payload["outcome"] == "unreviewed", payload
    assert "check the key in LITELLM_API_KEY" in payload["problem"]["do"]


def test_azure_has_an_address_of_its_own_and_the_hint_shows_its_shape(changed: Repo, users: Write) -> None:
    users(reviewer="azure:house-deployment", provider="other", top="")
    file = Path(changed.environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
    file.write_text('reviewers = ["azure:house-deployment"]\n')
    payload = judged(changed, AZURE_OPENAI_API_KEY="sk-azure-987654321")
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "`azure` has no address of its own: `base-url` is missing" in payload["problem"]["what"]
    assert "[providers.azure]" in payload["problem"]["do"]
    assert 'base-url = "https://RESOURCE.openai.azure.com/openai/v1"' in payload["problem"]["do"]
    assert "sk-azure" not in str(payload)


@pytest.mark.parametrize("lines", [[], ['api-key-env = "LOOP_KEY"']], ids=["nothing", "another-key"])
def test_a_table_for_azure_without_the_address_is_no_address_either(
    lines: list[str], changed: Repo, users: Write
) -> None:
    users(*lines, provider="azure", reviewer="azure:house-deployment")
    payload = judged(changed)
    assert (payload["outcome"], payload["exit_code"]) == ("unreviewed", 2), payload
    assert "https://RESOURCE.openai.azure.com/openai/v1" in payload["problem"]["do"]


def test_azure_with_its_address_is_asked_with_the_key_of_its_variable(
    changed: Repo, serve: Serve, users: Write
) -> None:
    server = serve(endpoint.approves(model="house-deployment"))
    users(at(server), provider="azure", reviewer="azure:house-deployment")
    payload = judged(changed, AZURE_OPENAI_API_KEY="sk-azure-987654321")
    assert payload["outcome"] == "approve", payload
    assert bearer(server.requests[0]) == "Bearer sk-azure-987654321"


BROKEN_KEYS = ["sk-hush\nX-Evil: 1", "sk-hush\r\n\r\nGET / HTTP/1.1", "sk-hush\x0bx", "sk-hush\x7f", "sk-hush\u2028x"]


@pytest.mark.parametrize("key", BROKEN_KEYS, ids=ascii)
@pytest.mark.parametrize("provider", ["loop", "litellm"])
def test_a_key_with_a_line_break_is_an_error_that_names_the_variable_alone(
    key: str, provider: str, changed: Repo, serve: Serve, users: Write
) -> None:
    server = serve()
    lines = ['api-key-env = "LOOP_KEY"'] if provider == "loop" else []
    users(at(server), *lines, provider=provider, reviewer=f"{provider}:gpt-5.5", top='on-error = "allow"')
    name = "LOOP_KEY" if provider == "loop" else "LITELLM_API_KEY"
    result = changed.call("review", "--output-format", "json", **{name: key})
    payload = result.json
    assert (payload["outcome"], payload["exit_code"]) == ("error", 2), payload
    assert f"the key in {name} is malformed" in payload["problem"]["what"]
    assert b"hush" not in everything(changed, result)
    assert server.requests == []


def test_a_key_of_one_who_is_not_named_is_not_looked_at(changed: Repo, serve: Serve, users: Write) -> None:
    users(at(serve()), 'api-key-env = "LOOP_KEY"')
    assert judged(changed, MISTRAL_API_KEY="sk-hush\nx")["outcome"] == "approve"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "openrouter", "mistral", "deepseek"])
def test_where_the_key_is_missing_the_hint_speaks_of_hooks_that_an_ide_starts(provider: str) -> None:
    found = resolved(f"{provider}:some-model-9")
    assert found.unusable is not None
    assert "its key is missing" in found.unusable
    for part in ("an IDE", "no shell environment", "`api-key-command` in your own file", "keychain"):
        assert part in found.hint


def test_the_hint_reaches_the_one_who_commits(changed: Repo, serve: Serve, users: Write) -> None:
    users(at(serve()), 'api-key-env = "UNSET_KEY"')
    changed.install_plain_hook()
    result = assert_commit_blocked(changed)
    told = " ".join(line.strip("│ ") for line in result.text.splitlines())
    assert "UNSET_KEY is not set" in told
    assert "a hook that an IDE starts has no shell environment" in told


def test_a_program_takes_the_hint_s_place(keychain: Keychain) -> None:
    user = {"providers": {"openai": {"api-key-command": [str(keychain.path)]}}}
    found = resolved("openai:gpt-5.5", user)
    assert (found.unusable, keychain.runs) == (None, [])


# --- what an endpoint makes of it -----------------------------------------------------------------------------


def echoes(spell: Callable[[str], str], status: int = 401) -> Script:
    """Quotes the key in an error, in JSON that is written in another way."""

    def script(request: Request) -> endpoint.Answer:
        quoted = spell(bearer(request).removeprefix("Bearer "))
        return endpoint.page(f'{{"error": {{"message": "no such key: {quoted}"}}}}', status)(request)

    return script


@pytest.mark.parametrize(
    ("key", "spell"),
    [
        ("sk-plain-0123456789", lambda key: key),
        ("sk-base64/0123456789+/==", lambda key: key.replace("/", "\\/")),
        ("sk-angle<0123456789>&x", lambda key: key.translate({60: "\\u003c", 62: "\\u003e", 38: "\\u0026"})),
        ("sk-escaped-0123456789", lambda key: "".join(f"\\u{ord(char):04x}" for char in key)),
    ],
    ids=["as-it-is", "as-PHP-writes-slashes", "as-Go-writes-angles", "all-escaped"],
)
def test_a_key_that_the_endpoint_quotes_in_another_spelling_is_not_shown(
    key: str, spell: Callable[[str], str], changed: Repo, serve: Serve, users: Write, keychain: Keychain
) -> None:
    keychain.says(f"printf '%s' '{key}'")
    server = serve(echoes(spell))
    users(at(server), command(keychain.path))
    result = changed.call("review", "--output-format", "json")
    assert bearer(server.requests[0]) == f"Bearer {key}"
    assert result.code == 2
    assert "no such key: ***" in result.json["problem"]["what"]
    assert key.encode() not in everything(changed, result)
