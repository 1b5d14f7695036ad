"""`init`: from nothing to a first gated commit, and nothing sent or written that was not chosen."""

import io
import re
import stat
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import golden
from support.frameworks import FRAMEWORKS, Framework
from support.machine import claude, codex, files, logged_out, one_certificate, tools
from support.repo import SCRIPT, Repo, Result
from support.server import Hang, Server, approves, fails, free_port, lists, says_content
from support.terminal import END, INTERRUPT, Answer, Step, Terminal, converse

from twoagent_hook import config, keys, onboarding
from twoagent_hook.errors import ConfigError
from twoagent_hook.keys import Layer
from twoagent_hook.onboarding import Choice

Serve = Callable[..., Server]
KEY = "sk-0123456789-key"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]")


class Typed(io.StringIO):
    """Standard input as somebody at a terminal gives it, a line for each question."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Answers the questions of the next call, in order."""
    return lambda *lines: monkeypatch.setattr(sys, "stdin", Typed("".join(f"{line}\n" for line in lines)))


@pytest.fixture
def bare(empty_repo: Repo, tmp_path: Path) -> Repo:
    """A fresh machine: git, no key, no coding CLI, an empty home, and a repository without a commit."""
    empty_repo.environment |= {
        "PATH": tools(tmp_path / "bin", "git", "bash"),
        "TERM": "dumb",
        **one_certificate(tmp_path / "authority.pem"),
    }
    return empty_repo


def home(repo: Repo) -> Path:
    return Path(repo.environment["HOME"])


def own_file(repo: Repo) -> Path:
    return home(repo) / ".config" / "twoagent-hook" / "config.toml"


def write_own(repo: Repo, text: str) -> Path:
    path = own_file(repo)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def everything(repo: Repo) -> dict[str, tuple[int, bytes]]:
    return files(home(repo), repo.root)


def by_flags(server: Server | None = None, *, provider: str = "corp", model: str = "gpt-5.5") -> list[str]:
    """The arguments that choose a gateway at this server."""
    url = server.url if server else f"http://127.0.0.1:{free_port()}/v1"
    chosen = ["--provider", provider, "--model", model, "--base-url", url, "--api-key-env", "CORP_KEY"]
    return ["init", *chosen, "--yes"]


# --- from nothing to the first gated commit -----------------------------------------------------------------


@dataclass
class Way:
    """One way to a reviewer on one machine.

    Attributes:
        flags: which choose it.
        steps: which choose it in a terminal, until the reviewer is tried.
        untouched: whether nobody has been asked for a review.
    """

    spec: str
    flags: list[str]
    started: list[str]
    steps: list[Step]
    untouched: Callable[[], bool]
    approval: str
    also: list[str] = field(default_factory=list)


def numbered(name: str) -> Answer:
    """Types the number under which it is offered."""

    def answer(shown: str) -> str:
        found = re.search(rf"^  (\d+)  {name} ", shown, re.MULTILINE)
        assert found, shown
        return f"{found[1]}\n"

    return answer


def with_key(repo: Repo, serve: Serve) -> Way:
    server = serve(approves())
    write_own(repo, f'[providers.openai]\nbase-url = "{server.url}"\n')
    repo.environment["OPENAI_API_KEY"] = KEY
    steps: list[Step] = [("Who shall review? [1] ", numbered("openai")), ("Which model? ", "gpt-5.5\n")]
    flags = ["--provider", "openai", "--model", "gpt-5.5"]
    return Way("openai:gpt-5.5", flags, [], steps, lambda: not server.requests, "gpt-5.5 (openai)")


def with_gateway(repo: Repo, serve: Serve) -> Way:
    server = serve(approves(model="claude-opus-4-8"))
    repo.environment["CORP_KEY"] = KEY
    steps: list[Step] = [
        ("Who shall review? ", "g\n"),
        ("Its name", "corp\n"),
        ("base URL", f"{server.url}/chat/completions\n"),
        (f'write "{server.url}"', ""),
        ("base URL", f"{server.url}\n"),
        ("variable that holds its key", "CORP_KEY\n"),
        ("Which model? ", "?\n"),
        ("gpt-5.5\nclaude-opus-4-8\n", ""),
        ("Which model? ", "claude-opus-4-8\n"),
    ]
    flags = ["--provider", "corp", "--base-url", server.url, "--api-key-env", "CORP_KEY", "--model", "claude-opus-4-8"]

    def untouched() -> bool:
        return [(request.method, request.path) for request in server.requests] in ([], [("GET", "/v1/models")])

    return Way("corp:claude-opus-4-8", flags, [], steps, untouched, "claude-opus-4-8 (corp)")


def with_ollama(repo: Repo, serve: Serve) -> Way:
    model = "qwen3-coder:30b"
    server = serve(approves(model=model))
    write_own(repo, f'[providers.ollama]\nbase-url = "{server.url}"\n')
    steps: list[Step] = [("Which model? ", f"{model}\n")]
    flags = ["--provider", "ollama", "--model", model]
    started = ["--provider", "ollama"]
    return Way(f"ollama:{model}", flags, started, steps, lambda: not server.requests, f"{model} (ollama)")


def with_cli(repo: Repo, serve: Serve) -> Way:
    calls = claude(Path(repo.environment["PATH"]))
    steps: list[Step] = [("Who shall review? [1] ", numbered("claude-cli"))]
    flags = ["--provider", "claude-cli"]
    return Way("claude-cli", flags, [], steps, lambda: not calls.exists(), "claude-opus-4-8 (claude-cli)")


def with_nothing(repo: Repo, serve: Serve) -> Way:
    steps: list[Step] = [("Who shall review? ", "r\n")]
    return Way("rules", ["--provider", "rules"], [], steps, lambda: True, "")


WAYS = (with_key, with_gateway, with_ollama, with_cli, with_nothing)
each_way = pytest.mark.parametrize("way", WAYS)


def first_commit(repo: Repo, way: Way) -> Result:
    """What `init` says comes next, done."""
    repo.git("add", ".twoagent-hook.toml")
    result = repo.commit()
    assert result.code == 0, result
    assert repo.head, result
    assert "Traceback" not in result.text
    row = repo.log()[0]
    assert row["tree"] == repo.git("rev-parse", "HEAD^{tree}")
    if way.spec == "rules":
        assert row["result"] == "unreviewed", result
        assert "no model reviewed this" in " ".join(result.err.split()), result
    else:
        assert row["result"] == "approve", result
        assert result.err.startswith(f"approve  {way.approval} on a change by an unknown author"), result
    return result


def assert_follows_its_own_checks(repo: Repo, way: Way) -> None:
    """What was written can be loaded, says what was chosen, and is what `doctor` finds."""
    policy = config.policy_layer({".twoagent-hook.toml": repo.read(".twoagent-hook.toml")}, "HEAD")
    assert policy is not None
    assert policy.values["reviewers"] == (way.spec,)
    user = config.user_layer(str(own_file(repo)))
    if way.spec != "rules":
        assert user.values["reviewers"] == (way.spec,)
        assert stat.S_IMODE(own_file(repo).stat().st_mode) == 0o600
    assert stat.S_IMODE((repo.root / ".git/hooks/pre-commit").stat().st_mode) == 0o755
    checked = repo.call("doctor", "--output-format", "json")
    assert checked.code == 0, checked
    assert checked.json["problem"] is None
    assert [item["spec"] for item in checked.json["reviewers"] if item["place"] == 1] == [way.spec]
    assert checked.json["hooks"]["gated"] is True
    assert KEY not in str(everything(repo)) + checked.text


@each_way
def test_flags_lead_to_a_first_gated_commit(bare: Repo, serve: Serve, way: Callable[..., Way]) -> None:
    chosen = way(bare, serve)
    assert bare.call("doctor").code == 1
    made = bare.call("init", *chosen.flags, "--yes", "--write", "--for", "plain")
    assert made.code == 0, made
    assert made.err == ""
    assert KEY not in made.text
    first_commit(bare, chosen)
    assert_follows_its_own_checks(bare, chosen)


@each_way
def test_answers_in_a_terminal_lead_to_a_first_gated_commit(bare: Repo, serve: Serve, way: Callable[..., Way]) -> None:
    chosen = way(bare, serve)
    before = everything(bare)

    def untouched(typed: str) -> Answer:
        def answer(shown: str) -> str:
            assert chosen.untouched(), shown
            assert everything(bare) == before, shown
            return typed

        return answer

    steps = [*chosen.steps]
    if chosen.spec != "rules":
        steps += [(f"Try {chosen.spec} with one small request", untouched("\n")), (f"Write {own_file(bare)}?", "\n")]
    steps.append(("[y/N] ", "y\n"))
    command = [str(SCRIPT), "init", "--for", "plain", *chosen.started]
    talk = converse(command, *steps, cwd=bare.root, environment=bare.environment)
    assert talk.code == 0, talk
    assert KEY not in talk.shown
    assert "Traceback" not in talk.shown
    first_commit(bare, chosen)
    assert_follows_its_own_checks(bare, chosen)


@pytest.mark.framework
@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_what_it_writes_for_a_framework_works_there(bare: Repo, framework: Framework) -> None:
    claude(Path(bare.environment["PATH"]))
    made = bare.call("init", "--provider", "claude-cli", "--yes", "--write", "--for", framework.name)
    assert made.code == 0, made
    assert f"  {framework.name} install\n" in made.out
    framework.install_hook(bare)
    bare.git("add", ".twoagent-hook.toml", ".pre-commit-config.yaml")
    done = bare.commit()
    assert done.code == 0, done
    assert "approve  claude-opus-4-8 (claude-cli)" in done.text
    hooks = bare.call("doctor", "--output-format", "json").json["hooks"]
    assert (hooks["kind"], hooks["gated"], hooks["disabled"]) == (framework.name, True, [])


# --- what is shown ------------------------------------------------------------------------------------------


def placed(repo: Repo, text: str, *servers: Server) -> str:
    """The text with what differs from run to run replaced."""
    for server in servers:
        text = text.replace(server.origin, "http://127.0.0.1:PORT")
    text = text.replace(str(SCRIPT), "twoagent-hook").replace(str(own_file(repo)), "OWN-FILE")
    text = text.replace(str(repo.root), "REPO").replace(str(Path(repo.environment["PATH"])), "BIN")
    return re.sub(r"in \d+\.\d s", "in N s", text)


def test_the_texts_of_a_choice_by_flags(bare: Repo, serve: Serve, request: pytest.FixtureRequest) -> None:
    server = serve(approves())
    bare.environment["CORP_KEY"] = KEY
    made = bare.call(*by_flags(server), "--write")
    golden.check("init/flags.txt", placed(bare, made.out, server), request)


def test_the_texts_where_nothing_is_written_into_the_repository(
    bare: Repo, serve: Serve, request: pytest.FixtureRequest
) -> None:
    server = serve(approves())
    bare.environment["CORP_KEY"] = KEY
    made = bare.call(*by_flags(server))
    golden.check("init/no_write.txt", placed(bare, made.out.partition("\nNext:")[0], server), request)


def test_the_texts_on_a_fresh_machine(bare: Repo, request: pytest.FixtureRequest) -> None:
    if "server listens" in bare.call("init").out:
        pytest.skip("a local server of models runs on this machine")
    golden.check("init/fresh.txt", placed(bare, bare.call("init").text), request)


def test_the_texts_with_a_key_and_a_cli(bare: Repo, request: pytest.FixtureRequest) -> None:
    claude(Path(bare.environment["PATH"]))
    text = bare.call("init", CLAUDECODE="1", OPENAI_API_KEY=KEY).text
    text = re.sub(r"^  \d+  \w+ +a server listens .*\n", "", text, flags=re.MULTILINE)
    golden.check("init/seen.txt", placed(bare, text), request)


def test_the_next_steps_name_only_what_is_there(bare: Repo, serve: Serve) -> None:
    """Who pastes what stands under "Next:" must not get an error from it."""
    bare.environment["CORP_KEY"] = KEY
    made = bare.call(*by_flags(serve(approves())))
    added = re.search(r"^  git add (.+)$", made.out, re.MULTILINE)
    assert added is None or all((bare.root / name).exists() for name in added[1].split()), made


def test_the_next_steps_work_where_they_are_read(bare: Repo, serve: Serve) -> None:
    bare.environment["CORP_KEY"] = KEY
    folder = bare.root / "sub"
    folder.mkdir()
    made = bare.call(*by_flags(serve(approves())), "--write", cwd=folder)
    added = re.search(r"^  git add (.+)$", made.out, re.MULTILINE)
    assert added, made
    assert all((folder / name).exists() for name in added[1].split()), made


def test_what_is_asked_names_every_file_that_is_written(bare: Repo, serve: Serve, types: Callable[..., None]) -> None:
    bare.environment["CORP_KEY"] = KEY
    types("", "", "y")
    made = bare.call(*by_flags(serve(approves()))[:-1], "--for", "plain")
    assert made.code == 0, made
    assert (bare.root / ".git/hooks/pre-commit").exists()
    question = next(line for line in made.out.splitlines() if "[y/N]" in line)
    assert "pre-commit" in question


def test_the_rules_alone_are_not_said_to_be_written_where_nothing_is(bare: Repo) -> None:
    made = bare.call("init", "--provider", "rules", "--yes")
    assert made.code == 0, made
    assert not own_file(bare).exists()
    assert "says so already" not in made.out


# --- nothing is sent or written before it is chosen ---------------------------------------------------------


def test_a_list_of_models_sends_that_question_and_no_other(bare: Repo, serve: Serve) -> None:
    server = serve()
    server.models = lists("gpt-5.5", "x\x1b[2J", "claude-opus-4-8")
    before = everything(bare)
    listed = bare.call(*by_flags(server)[:-1], "--list-models", CORP_KEY=KEY)
    assert listed.code == 0, listed
    assert listed.out == "gpt-5.5\nx\\x1b[2J\nclaude-opus-4-8\n" or not CONTROL.search(listed.out)
    assert listed.out.splitlines()[0::2] == ["gpt-5.5", "claude-opus-4-8"]
    assert [(request.method, request.path, request.raw) for request in server.requests] == [("GET", "/v1/models", b"")]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert everything(bare) == before


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (lists(), "it lists no models"),
        (fails(401, f"wrong key {KEY}"), "does not let us in"),
        (fails(404), "knows no such model or address"),
        (says_content("x"), "it does not list its models"),
    ],
    ids=["none", "401", "404", "no list"],
)
def test_a_list_of_models_that_can_not_be_had(
    bare: Repo, serve: Serve, models: Callable[..., object], said: str
) -> None:
    server = serve()
    server.models = models  # type: ignore[assignment]
    before = everything(bare)
    listed = bare.call(*by_flags(server)[:-1], "--list-models", CORP_KEY=KEY)
    assert said in listed.text, listed
    assert listed.code == (0 if said == "it lists no models" else 2)
    assert KEY not in listed.text
    assert everything(bare) == before


def test_without_a_terminal_and_without_a_choice_nothing_happens(bare: Repo, serve: Serve) -> None:
    server = serve()
    write_own(bare, f'[providers.openai]\nbase-url = "{server.url}"\n')
    before = everything(bare)
    for arguments in ([], ["--yes"], ["--write"], ["--model", "gpt-5.5", "--yes"]):
        result = bare.call("init", *arguments, OPENAI_API_KEY=KEY)
        assert result.code == 2, result
        assert "nobody was chosen, so nothing was sent or written" in result.err
    assert everything(bare) == before
    assert not server.requests


def test_without_a_terminal_and_without_yes_nothing_is_written(bare: Repo, serve: Serve) -> None:
    before = everything(bare)
    result = bare.call(*by_flags(serve())[:-1], "--write", CORP_KEY=KEY)
    assert everything(bare) == before, result
    assert result.code == 2, result
    assert "--yes" in result.err


def test_no_model_is_taken_by_default(bare: Repo, serve: Serve) -> None:
    server = serve()
    before = everything(bare)
    arguments = ["--provider", "corp", "--base-url", server.url, "--api-key-env", "CORP_KEY", "--yes", "--write"]
    result = bare.call("init", *arguments, CORP_KEY=KEY)
    assert result.code == 2, result
    assert "no model is named" in result.err
    assert "--list-models" in result.err
    assert not server.requests
    assert everything(bare) == before


def test_no_try_sends_nothing(bare: Repo, serve: Serve) -> None:
    server = serve()
    made = bare.call(*by_flags(server), "--no-try", CORP_KEY=KEY)
    assert made.code == 0, made
    assert own_file(bare).exists()
    assert not server.requests


def test_a_refused_trial_sends_nothing_and_goes_on(bare: Repo, serve: Serve, types: Callable[..., None]) -> None:
    server = serve()
    types("n", "y", "n")
    made = bare.call(*by_flags(server)[:-1], CORP_KEY=KEY)
    assert made.code == 0, made
    assert own_file(bare).exists()
    assert not server.requests
    assert not (bare.root / ".twoagent-hook.toml").exists()


def test_a_refusal_to_write_writes_nothing(bare: Repo, serve: Serve, types: Callable[..., None]) -> None:
    before = everything(bare)
    types("y", "n")
    result = bare.call(*by_flags(serve())[:-1], "--write", CORP_KEY=KEY)
    assert result.code == 2, result
    assert "nothing was written" in result.err
    assert everything(bare) == before


@pytest.mark.parametrize("variable", ["GIT_INDEX_FILE", "PRE_COMMIT"])
def test_a_hook_may_not_set_anything_up(bare: Repo, serve: Serve, variable: str) -> None:
    server = serve()
    before = everything(bare)
    result = bare.call(*by_flags(server), "--write", CORP_KEY=KEY, **{variable: "1"})
    assert result.code == 2, result
    assert "for people, not for hooks" in result.err
    assert not server.requests
    assert everything(bare) == before


# --- the conversation breaks off ----------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "code"), [(END, 2), (INTERRUPT, 130)], ids=["^D", "^C"])
@pytest.mark.parametrize("place", ["choice", "model", "write"])
def test_a_conversation_that_breaks_off_writes_nothing(
    bare: Repo, serve: Serve, key: str, code: int, place: str
) -> None:
    server = serve()
    write_own(bare, f'# mine\n[providers.openai]\nbase-url = "{server.url}"\n')
    before = everything(bare)
    steps: dict[str, Step] = {
        "choice": ("Who shall review? ", numbered("openai")),
        "model": ("Which model? ", "gpt-5.5\n"),
        "trial": ("Try openai:gpt-5.5", "n\n"),
        "write": (f"Write {own_file(bare)}?", "y\n"),
    }
    until = list(steps).index(place)
    taken = [*list(steps.values())[:until], (steps[place][0], key)]
    environment = bare.environment | {"OPENAI_API_KEY": KEY}
    talk = converse([str(SCRIPT), "init"], *taken, cwd=bare.root, environment=environment)
    assert talk.code == code, talk
    assert "Traceback" not in talk.shown
    assert everything(bare) == before, talk
    assert not server.requests


def test_an_interrupted_trial_writes_nothing(bare: Repo, serve: Serve) -> None:
    hang = Hang()
    server = serve(hang)
    before = everything(bare)
    environment = bare.environment | {"CORP_KEY": KEY}
    command = [str(SCRIPT), *by_flags(server)[:-1]]
    with Terminal(command, cwd=bare.root, environment=environment) as talk:
        talk.wait("Try corp:gpt-5.5")
        talk.type("y\n")
        assert hang.asked.wait(30), talk
        talk.type(INTERRUPT)
        talk.end()
    hang.release.set()
    assert talk.code == 130, talk
    assert "Traceback" not in talk.shown
    assert everything(bare) == before


# --- trials that fail ---------------------------------------------------------------------------------------

REFUSALS = {
    "401": (fails(401, "no such key"), "does not let us in (401)"),
    "404": (fails(404, "no such model"), "knows no such model or address (404)"),
    "context": (fails(400, "context_length_exceeded"), "too long for this model"),
    "prose": (says_content("Looks good to me!"), "names no verdict"),
    "redirect": (fails(302), "redirects elsewhere"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_failed_trial_writes_nothing(bare: Repo, serve: Serve, kind: str) -> None:
    script, said = REFUSALS[kind]
    before = everything(bare)
    result = bare.call(*by_flags(serve(script)), "--write", CORP_KEY=KEY)
    assert result.code == 2, result
    assert said in result.err
    assert "what to do: " in result.err
    assert everything(bare) == before


def test_no_server_writes_nothing(bare: Repo) -> None:
    before = everything(bare)
    result = bare.call(*by_flags(), "--write", CORP_KEY=KEY)
    assert result.code == 2, result
    assert "nothing listens at" in result.err
    assert everything(bare) == before


def test_a_missing_key_writes_nothing(bare: Repo, serve: Serve) -> None:
    server = serve()
    before = everything(bare)
    result = bare.call(*by_flags(server), "--write")
    assert result.code == 2, result
    assert "CORP_KEY is not set" in result.err
    assert not server.requests
    assert everything(bare) == before


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_failed_trial_asks_in_a_terminal(bare: Repo, serve: Serve, types: Callable[..., None], kind: str) -> None:
    script, said = REFUSALS[kind]
    server = serve(script)
    before = everything(bare)
    types("y", "")  # by default it is not written
    result = bare.call(*by_flags(server)[:-1], "--write", CORP_KEY=KEY)
    assert said in result.out, result
    assert "Write it all the same? [y/N]" in result.out
    assert result.code == 2
    assert everything(bare) == before
    types("y", "y", "y")
    result = bare.call(*by_flags(server)[:-1], "--write", CORP_KEY=KEY)
    assert result.code == 0, result
    assert config.user_layer(str(own_file(bare))).values["reviewers"] == ("corp:gpt-5.5",)


def test_in_an_agents_shell_its_own_cli_is_said_to_be_refused(bare: Repo) -> None:
    claude(Path(bare.environment["PATH"]))
    bare.environment["CLAUDECODE"] = "1"
    made = bare.call("init", "--provider", "claude-cli", "--yes")
    assert made.code == 0, made
    note = next(line for line in made.out.splitlines() if line.startswith("Note: "))
    assert "claude-cli would be refused" in note
    assert "both are of one family (anthropic)" in note
    checked = bare.call("doctor")
    assert checked.code == 1
    assert "no reviewer is independent of the author, claude-code" in checked.out


def test_an_approval_by_a_cli_that_does_not_say_which_model_it_is(bare: Repo) -> None:
    codex(Path(bare.environment["PATH"]))
    assert bare.call("init", "--provider", "codex-cli", "--yes", "--write", "--for", "plain").code == 0
    bare.git("add", "--all")
    done = bare.call("review")
    assert done.code == 0, done
    assert re.match(r"approve  \S.*codex-cli", done.out), done


def test_outside_of_the_agent_the_same_cli_would_do(bare: Repo) -> None:
    claude(Path(bare.environment["PATH"]))
    made = bare.call("init", "--provider", "claude-cli", "--yes")
    assert made.code == 0, made
    assert "would be refused" not in made.out
    assert bare.call("doctor").code == 0


def test_a_cli_that_is_not_logged_in_is_found_out_even_in_its_own_shell(bare: Repo) -> None:
    """That it would be refused here is no reason to believe that it answered."""
    logged_out(Path(bare.environment["PATH"]))
    before = everything(bare)
    outside = bare.call("init", "--provider", "claude-cli", "--yes")
    assert outside.code == 2, outside
    assert "is not logged in" in outside.err
    inside = bare.call("init", "--provider", "claude-cli", "--yes", CLAUDECODE="1")
    assert "It answered" not in inside.out, inside
    assert inside.code == 2, inside
    # The empty folder in which the CLI was run stays.
    assert {path: content for path, content in everything(bare).items() if ".cache" not in path} == before


# --- the user's own file ------------------------------------------------------------------------------------

WRITTEN_BY_HAND = """\
# What I use; the order matters to me.
timeout = 60          # seconds, not minutes

reviewers = ["ollama:qwen3-coder:30b", "openai:gpt-5.5"]   # cheap first
prefer = [
  "ollama",  # at home
  "openai",
]

# --- connections ---

[providers.openai]    # through the company
base-url = "https://openai.corp.example/v1"
headers = { X-Team = "payments" }

[providers."my house"]
command = ["/opt/bin/ask", "--quiet"]
family = "mistral"

# [providers.old]
# base-url = "https://old.example/v1"

[rules]
conflict-marker = "block"
"""


def test_the_file_keeps_all_that_was_there(bare: Repo, serve: Serve, request: pytest.FixtureRequest) -> None:
    server = serve(approves())
    path = write_own(bare, WRITTEN_BY_HAND)
    made = bare.call(*by_flags(server), CORP_KEY=KEY)
    assert made.code == 0, made
    text = path.read_text().replace(server.origin, "http://127.0.0.1:PORT")
    golden.check("init/own_file.toml", text, request)
    kept = [line for line in WRITTEN_BY_HAND.splitlines() if not line.startswith("reviewers")]
    lines = iter(text.splitlines())
    assert all(line in lines for line in kept), "in order"
    values = config.user_layer(str(path)).values
    assert values["reviewers"] == ("corp:gpt-5.5", "ollama:qwen3-coder:30b", "openai:gpt-5.5")
    assert set(values["providers"]) == {"openai", "my house", "corp"}
    again = bare.call(*by_flags(server), CORP_KEY=KEY)
    assert "says so already" in again.out
    assert path.read_text().replace(server.origin, "http://127.0.0.1:PORT") == text


def test_a_list_of_reviewers_keeps_its_comments(bare: Repo, serve: Serve) -> None:
    path = write_own(bare, 'reviewers = [\n  # at home\n  "ollama:qwen3",  # free\n  "openai:gpt-5.5",  # dear\n]\n')
    made = bare.call(*by_flags(serve(approves())), CORP_KEY=KEY)
    assert made.code == 0, made
    assert config.user_layer(str(path)).values["reviewers"] == ("corp:gpt-5.5", "ollama:qwen3", "openai:gpt-5.5")
    for comment in ("# at home", "# free", "# dear"):
        assert comment in path.read_text()


def test_a_reviewer_that_is_there_goes_to_the_front_once(bare: Repo, serve: Serve) -> None:
    path = write_own(bare, 'reviewers = ["rules"]\n')
    server = serve(approves())
    for model in ("a-model", "gpt-5.5", "a-model"):
        assert bare.call(*by_flags(server, model=model), "--no-try", CORP_KEY=KEY).code == 0
    assert config.user_layer(str(path)).values["reviewers"] == ("corp:a-model", "corp:gpt-5.5")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "timeout = 40",
        'reviewers = ["x:y"]',
        'reviewers = []\n\n[providers]\n\n[providers.x]\nbase-url = "https://x.example/v1"\n',
        '[providers.corp]\nbase-url = "https://x.example/v1"  # old\ntimeout = 3\n',
        '[providers.x]\ntimeout = 1\ncommand = ["x"]\n[rules]\nconflict-marker = "block"\n[providers.y]\ncommand = ["y"]\n',
    ],
)
def test_whatever_stands_there_keeps_its_meaning(text: str) -> None:
    choice = Choice("corp", "gpt-5.5", "https://corp.example/v1", "CORP_KEY")
    made = tomllib.loads(onboarding.user_text(text, choice, "own"))
    wanted = tomllib.loads(text)
    wanted["reviewers"] = ["corp:gpt-5.5", *wanted.get("reviewers", [])]
    wanted.setdefault("providers", {}).setdefault("corp", {}).update(choice.described)
    assert made == wanted


@pytest.mark.parametrize(
    "text",
    [
        'providers = { x = { base-url = "https://x.example/v1" } }\n',
        'providers.x.base-url = "https://x.example/v1"\n',
        'providers.x = { base-url = "https://x.example/v1" }\n',
    ],
    ids=["inline", "dotted", "dotted inline"],
)
def test_a_shape_of_toml_that_can_not_be_added_to_is_named_as_that(text: str) -> None:
    """Either it is added, or it is said what to do; never a mistake that is not in the user's file."""
    choice = Choice("corp", "gpt-5.5", "https://corp.example/v1", "CORP_KEY")
    assert config.join(keys.layer_of(tomllib.loads(text), keys.USER, "own"), None, Layer("", {}), hook=False)
    try:
        made = onboarding.user_text(text, choice, "own")
    except ConfigError as error:
        made, refusal = "", f"{error.what} {error.do}"
    else:
        refusal = ""
    if refusal:
        assert ("unknown key" in refusal, "by hand" in refusal) == (False, True), refusal
    else:
        tables = {"x": {"base-url": "https://x.example/v1"}, "corp": choice.described}
        assert tomllib.loads(made) == {"reviewers": ["corp:gpt-5.5"], "providers": tables}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"reviewers = [\n", "is not valid TOML"),
        (b"reviewer = []\n", "unknown key `reviewer`"),
        (b'reviewers = "openai:x"\n', "a list of texts"),
        (b"\xff\xfe", "not UTF-8"),
        (b'[providers.x]\nbase-url = "http://x.example/v1"\n', "plain http"),
    ],
)
def test_a_broken_file_is_an_error_and_stays(bare: Repo, serve: Serve, content: bytes, said: str) -> None:
    server = serve()
    write_own(bare, "").write_bytes(content)
    before = everything(bare)
    for arguments in (by_flags(server), [*by_flags(server)[:-1], "--list-models"], ["init"]):
        result = bare.call(*arguments, CORP_KEY=KEY)
        assert result.code == 2, result
        assert said in result.err
        assert str(own_file(bare)) in result.err
    assert everything(bare) == before
    assert not server.requests


def test_a_file_that_can_not_be_read_is_an_error(bare: Repo, serve: Serve) -> None:
    own_file(bare).mkdir(parents=True)
    result = bare.call(*by_flags(serve()), CORP_KEY=KEY)
    assert result.code == 2, result
    assert "can't be read" in result.err


def test_line_ends_of_the_file_stay_as_they_are(bare: Repo, serve: Serve) -> None:
    path = write_own(bare, "")
    path.write_bytes(b"# mine\r\ntimeout = 40\r\n")
    assert bare.call(*by_flags(serve(approves())), CORP_KEY=KEY).code == 0
    assert path.read_bytes().startswith(b"# mine\r\ntimeout = 40\r\n")


def test_headers_are_not_printed_with_the_difference(bare: Repo, serve: Serve) -> None:
    """They are never printed (docs/reviewers.md), and a gateway's token may be one."""
    write_own(bare, '[providers.x]\nbase-url = "https://x.example/v1"\nheaders = { X-Token = "hush-0123456789" }\n')
    made = bare.call(*by_flags(serve(approves())), CORP_KEY=KEY)
    assert made.code == 0, made
    assert "hush-0123456789" not in made.text


def test_the_files_modes_are_for_the_user_alone(bare: Repo, serve: Serve) -> None:
    server = serve(approves())
    assert bare.call(*by_flags(server), "--write", "--for", "plain", CORP_KEY=KEY).code == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (own_file(bare), own_file(bare).parent)}
    assert list(modes.values()) == [0o600, 0o700]
    assert stat.S_IMODE((bare.root / ".twoagent-hook.toml").stat().st_mode) == 0o644
    assert stat.S_IMODE((bare.root / ".git/hooks/pre-commit").stat().st_mode) == 0o755
    assert sorted(path.name for path in own_file(bare).parent.iterdir()) == ["config.toml"]


def test_a_link_to_the_file_stays_a_link(bare: Repo, serve: Serve, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "twoagent.toml"
    kept.parent.mkdir()
    kept.write_text("# in my dotfiles\n")
    own_file(bare).parent.mkdir(parents=True)
    own_file(bare).symlink_to(kept)
    assert bare.call(*by_flags(serve(approves())), CORP_KEY=KEY).code == 0
    assert own_file(bare).is_symlink()
    assert kept.read_text().startswith('# in my dotfiles\nreviewers = ["corp:gpt-5.5"]')


@pytest.mark.parametrize("place", ["flag", "variable"])
def test_another_file_is_written_where_that_is_said(bare: Repo, serve: Serve, tmp_path: Path, place: str) -> None:
    path = tmp_path / "elsewhere" / "config.toml"
    flag = ["--config", str(path)] if place == "flag" else []
    variables = {} if place == "flag" else {"TWOAGENT_HOME": str(path.parent)}
    made = bare.call(*by_flags(serve(approves())), *flag, CORP_KEY=KEY, **variables)
    assert made.code == 0, made
    assert path.exists()
    assert not own_file(bare).exists()
    assert bare.call("doctor", *flag, CORP_KEY=KEY, **variables).code == 0


def test_a_folder_that_can_not_be_written_is_an_error(bare: Repo, serve: Serve) -> None:
    (home(bare) / ".config").mkdir()
    (home(bare) / ".config" / "twoagent-hook").write_text("in the way\n")
    before = everything(bare)
    result = bare.call(*by_flags(serve(approves())), "--write", CORP_KEY=KEY)
    assert result.code == 2, result
    assert "can't be" in result.err
    assert everything(bare) == before


# --- the repository's files ---------------------------------------------------------------------------------

REPOSITORY_FILES = {
    ".twoagent-hook.toml": "plain",
    ".pre-commit-config.yaml": "pre-commit",
    ".git/hooks/pre-commit": "plain",
}


@pytest.mark.parametrize("kind", ["file", "empty file", "folder", "link", "dangling link", "link outside"])
@pytest.mark.parametrize("name", REPOSITORY_FILES)
def test_what_is_there_is_never_written_over(bare: Repo, serve: Serve, tmp_path: Path, name: str, kind: str) -> None:
    path = bare.root / name
    path.parent.mkdir(exist_ok=True)
    target = tmp_path / "target"
    if kind.endswith("file"):
        path.write_text("" if kind == "empty file" else "# mine\n")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("target" if kind == "link" else target)
        if kind != "dangling link":
            (path.parent / "target" if kind == "link" else target).write_text("# mine\n")
    before = files(path.parent, target) | files(tmp_path / "target")
    mine = {str(path): before[str(path)]}
    target_before = target.read_text() if target.exists() else None
    made = bare.call(*by_flags(serve(approves())), "--write", "--for", REPOSITORY_FILES[name], CORP_KEY=KEY)
    assert made.code == 0, made
    assert {str(path): files(path.parent)[str(path)]} == mine
    assert (target.read_text() if target.exists() else None) == target_before
    assert f"{path} exists and is left as it is" in made.out
    assert "twoagent-hook" in made.out.split("is left as it is")[1], "what belongs into it is shown"


def test_a_link_in_a_hooks_folder_leads_nowhere(bare: Repo, serve: Serve, tmp_path: Path) -> None:
    """The folder itself may be a link out of the repository: then it is shared, and not ours to write into."""
    shared = tmp_path / "shared-hooks"
    shared.mkdir()
    (bare.root / ".git/hooks").symlink_to(shared)
    made = bare.call(*by_flags(serve(approves())), "--write", "--for", "plain", CORP_KEY=KEY)
    assert made.code == 0, made
    assert list(shared.iterdir()) == []


@pytest.mark.parametrize("place", ["outside", "inside", "home"])
def test_a_hooks_path_out_of_the_repository_is_not_written_to(
    bare: Repo, serve: Serve, tmp_path: Path, place: str
) -> None:
    folders = {
        "outside": tmp_path / "team-hooks",
        "inside": bare.root / "tools" / "hooks",
        "home": home(bare) / "hooks",
    }
    value = {"outside": str(folders["outside"]), "inside": "tools/hooks", "home": "~/hooks"}[place]
    folder = folders[place]
    folder.mkdir(parents=True)
    bare.git("config", "core.hooksPath", value)
    made = bare.call(*by_flags(serve(approves())), "--write", "--for", "plain", CORP_KEY=KEY)
    assert made.code == 0, made
    assert list(folder.iterdir()) == []
    assert not (bare.root / ".git/hooks/pre-commit").exists()
    assert f"{folder / 'pre-commit'}" in made.out
    assert "exec " in made.out


def test_where_a_hook_is_not_written_it_is_said_why(bare: Repo, serve: Serve, tmp_path: Path) -> None:
    """`--write` was given, so "--write writes it" is no answer, and a commit that follows is not gated."""
    (tmp_path / "team-hooks").mkdir()
    bare.git("config", "core.hooksPath", str(tmp_path / "team-hooks"))
    made = bare.call(*by_flags(serve(approves())), "--write", "--for", "plain", CORP_KEY=KEY)
    assert "--write writes it" not in made.out, made
    assert "core.hooksPath" in made.out, made


def test_a_policy_in_pyproject_gets_no_second_one(bare: Repo, serve: Serve) -> None:
    """Both at once would end every commit with an error."""
    bare.environment["CORP_KEY"] = KEY
    bare.stage("pyproject.toml", '[tool.twoagent-hook]\nreviewers = ["corp:gpt-5.5"]\n')
    made = bare.call(*by_flags(serve(approves())), "--write", "--for", "plain")
    assert made.code == 0, made
    bare.git("add", "--all")
    checked = bare.call("doctor")
    assert checked.code == 0, checked


def test_outside_of_a_repository_the_files_are_shown(bare: Repo, serve: Serve, tmp_path: Path) -> None:
    made = bare.call(*by_flags(serve(approves())), "--write", cwd=tmp_path, CORP_KEY=KEY)
    assert made.code == 0, made
    assert own_file(bare).exists()
    assert "Not in a git repository" in made.out
    assert made.out.count("- id: twoagent-hook") == 1, "each file once"
    assert made.out.count("The policy of the commit gate") == 1


def test_in_a_folder_below_the_files_go_to_the_root(bare: Repo, serve: Serve) -> None:
    (bare.root / "a" / "b").mkdir(parents=True)
    made = bare.call(*by_flags(serve(approves())), "--write", cwd=bare.root / "a" / "b", CORP_KEY=KEY)
    assert made.code == 0, made
    assert (bare.root / ".twoagent-hook.toml").exists()
    assert (bare.root / ".pre-commit-config.yaml").exists()


def test_in_a_worktree_the_hook_goes_where_git_looks_for_it(bare: Repo, serve: Serve, tmp_path: Path) -> None:
    bare.environment["CORP_KEY"] = KEY
    bare.commit_all()
    bare.git("worktree", "add", "-q", str(tmp_path / "other"))
    other = Repo(tmp_path / "other", bare.environment, init=False)
    assert other.call(*by_flags(serve(approves())), "--write", "--for", "plain").code == 0
    assert (bare.root / ".git/hooks/pre-commit").exists()
    assert (other.root / ".twoagent-hook.toml").exists()
    other.git("add", "--all")
    checked = other.call("doctor", "--output-format", "json")
    assert (checked.code, checked.json["hooks"]["gated"]) == (0, True), checked


@pytest.mark.parametrize("target", ["pre-commit", "prek", "husky", "lefthook", "plain"])
def test_each_way_of_running_hooks_is_shown(bare: Repo, serve: Serve, target: str) -> None:
    made = bare.call(*by_flags(serve(approves())), "--for", target, CORP_KEY=KEY)
    assert made.code == 0, made
    assert "twoagent-hook" in made.out
    assert str(SCRIPT) in made.out
    assert not list(bare.root.glob(".twoagent*"))


# --- hostile answers ----------------------------------------------------------------------------------------

INJECTION = 'x"]\n[providers.openai]\nbase-url = "http://evil.example/v1"\n#'
LOOSENING = 'x"]\non-error = "allow"\n#'
HOSTILE = {
    "injection": INJECTION,
    "loosening": LOOSENING,
    "quote": 'x"',
    "backslash": "x\\",
    "shell": '"; rm -rf ~; echo "',
    "escape": "x\x1b]0;title\x07",
    "bell": "x\x07",
    "carriage return": "x\ry",
    "delete": "x\x7f",
    "right to left": "x\u202ey",
    "not UTF-8": "x\udcff",
    "colon": "x:y:z",
    "dot": "x.y",
    "bracket": "x]",
    "hash": "x # y",
    "braces": "{reviewer}{command}",
    "space": "x y",
    "letter": "größe",
    "long": "x" * 5000,
}
each_hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def assert_nothing_smuggled(repo: Repo, provider: str, model: str) -> None:
    """Whatever was written holds what was chosen and no more; whatever was not, is whole."""
    spec = f"{provider}:{model}"
    if own_file(repo).exists():
        values = config.user_layer(str(own_file(repo))).values
        assert values["reviewers"] == (spec,)
        assert set(values["providers"]) == {provider}
        assert set(values["providers"][provider]) <= {"base-url", "api-key-env"}
        assert set(values) == {"reviewers", "providers"}
    policy = repo.root / ".twoagent-hook.toml"
    if policy.exists():
        found = config.policy_layer({policy.name: policy.read_text()}, "new")
        assert found is not None
        assert found.values == {"reviewers": (spec,)}
    assert own_file(repo).exists() == policy.exists(), "half of it was written"
    folders = [path.parent for path in (own_file(repo), policy) if path.exists()]
    assert not [path.name for folder in folders for path in folder.iterdir() if path.name.startswith("tmp")]


@each_hostile
def test_a_hostile_model_smuggles_nothing(bare: Repo, serve: Serve, text: str) -> None:
    result = bare.call(*by_flags(serve(), model=text), "--no-try", "--write", "--for", "plain", CORP_KEY=KEY)
    assert result.code in {0, 2}, result
    assert "internal error" not in result.text, result
    assert not CONTROL.search(result.text), ascii(result.text)
    assert_nothing_smuggled(bare, "corp", text)


@each_hostile
def test_a_hostile_provider_smuggles_nothing(bare: Repo, serve: Serve, text: str) -> None:
    result = bare.call(*by_flags(serve(), provider=text), "--no-try", "--write", "--for", "plain", CORP_KEY=KEY)
    assert result.code in {0, 2}, result
    assert "internal error" not in result.text, result
    assert not CONTROL.search(result.text), ascii(result.text)
    assert_nothing_smuggled(bare, text, "gpt-5.5")


@each_hostile
def test_other_hostile_flags_smuggle_nothing(bare: Repo, serve: Serve, text: str) -> None:
    server = serve()
    for flag, value in {"base-url": f"{server.url}/{text}", "api-key-env": text, "family": text}.items():
        before = everything(bare)
        result = bare.call(*by_flags(server), "--no-try", f"--{flag}", value, CORP_KEY=KEY)
        assert result.code in {0, 2}, result
        assert "internal error" not in result.text, result
        assert not CONTROL.search(result.text), ascii(result.text)
        if result.code == 2:
            assert everything(bare) == before
            continue
        table = config.user_layer(str(own_file(bare))).values["providers"]["corp"]
        assert table[flag] == value
        assert set(table) <= {"base-url", "api-key-env", "family"}


@each_hostile
def test_hostile_answers_smuggle_nothing(bare: Repo, serve: Serve, types: Callable[..., None], text: str) -> None:
    line = text.replace("\n", " ").replace("\udcff", "ÿ")
    types("g", line, serve().url, "", line, "n", "y", "y")
    result = bare.call("init", "--for", "plain")
    assert "internal error" not in result.text, result
    assert not CONTROL.search(result.text), ascii(result.text)
    answer = line.strip()
    assert_nothing_smuggled(bare, answer, answer)


def test_a_key_in_place_of_its_variable_is_not_kept(bare: Repo, serve: Serve, types: Callable[..., None]) -> None:
    types("g", "corp", serve().url, KEY, "gpt-5.5", "y", "y", "y")
    result = bare.call("init", "--for", "plain")
    assert result.code == 2, result
    assert "the name of an environment variable" in result.text
    assert KEY not in result.text
    assert KEY not in str(everything(bare))


def test_answers_that_are_none_are_asked_again(bare: Repo, serve: Serve, types: Callable[..., None]) -> None:
    server = serve(approves())
    types(
        "0",
        "99",
        "-1",
        "x",
        "²",
        "g",
        "corp",
        "ftp://x",
        "http://x.example/v1",
        server.url,
        "",
        "",
        "gpt-5.5",
        "q",
        "y",
    )
    result = bare.call("init", "--for", "plain")
    assert "internal error" not in result.text, result
    assert result.out.count("Who shall review?") == 6
    assert result.out.count("Its base URL") == 3
    assert result.out.count("Which model?") == 2
    assert result.out.count("Try corp:gpt-5.5") == 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["rules-", "olama", "openai ", "OPENAI", "cluade-cli"])
def test_a_misspelled_provider_is_not_taken_for_one_of_the_users_own(bare: Repo, name: str) -> None:
    before = everything(bare)
    result = bare.call("init", "--provider", name, "--model", "x", "--yes", OPENAI_API_KEY=KEY)
    assert result.code == 2, result
    assert "there is no provider" in result.err
    assert everything(bare) == before


def test_a_name_that_is_no_bare_key_works_to_the_end(bare: Repo, serve: Serve) -> None:
    bare.environment["CORP_KEY"] = KEY
    for name in ("llm.corp", "our gateway", "größe"):
        server = serve(approves())
        bare.write(".twoagent-hook.toml", f'reviewers = ["{name}:gpt-5.5"]\n')
        assert bare.call(*by_flags(server, provider=name)).code == 0
        assert bare.call("doctor").code == 0
        bare.stage("a.py", f"x = {name!r}\n")
        assert bare.review("--reviewer", f"{name}:gpt-5.5")["outcome"] == "approve"


texts = st.text(min_size=1, max_size=30)


@given(provider=texts, model=texts)
def test_any_text_is_written_as_itself_or_refused(provider: str, model: str) -> None:
    choice = Choice(provider, model, "https://corp.example/v1", "CORP_KEY")
    try:
        made = tomllib.loads(
            onboarding.user_text('[providers.other]\nbase-url = "https://o.example/v1"\n', choice, "own")
        )
        policy = tomllib.loads(onboarding.policy_text(choice))
    except ConfigError:
        return
    assert policy == {"reviewers": [choice.spec]}
    expected = {"other": {"base-url": "https://o.example/v1"}}
    expected.setdefault(provider, {}).update(choice.described)
    assert made == {"reviewers": [choice.spec], "providers": expected} or provider == "rules"


def test_the_shown_difference_is_what_was_written(bare: Repo, serve: Serve) -> None:
    made = bare.call(*by_flags(serve(approves())), CORP_KEY=KEY)
    added = [line[1:] for line in made.out.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert "\n".join(added) + "\n" == own_file(bare).read_text()
