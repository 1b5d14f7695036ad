"""The ways to ask an endpoint: which comes next, and what is remembered of it outside of the repository."""

import json
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import server as endpoint
from support.machine import give_to_another_group
from support.repo import Repo
from support.server import Answer, Request, Script, Server

from twoagent_hook.backends import dialects, ladder, refusals
from twoagent_hook.backends.ladder import Ladder, Memory, Step
from twoagent_hook.config import Provider

KEY = "sk-loop-0123456789"
DAY = 86400
WORKED = Step("chat", "json_object")

Serve = Callable[..., Server]
Configure = Callable[..., Path]

unhurried = settings(max_examples=150, deadline=None, database=None)


def without_schemas(request: Request) -> Answer:
    """Takes `json_object` and free text."""
    refused = request.form == "json_schema"
    return (endpoint.fails(400, "This response_format type is unavailable now") if refused else endpoint.approves())(
        request
    )


def forms(server: Server) -> list[str]:
    return [request.form for request in server.requests]


class Cache(NamedTuple):
    """The file in which is remembered what worked."""

    path: Path

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self.path.read_text())
        return found

    def write(self, content: str | bytes, mode: int = 0o600) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.path.chmod(mode)

    def change(self, **values: Any) -> None:
        """Rewrite every row, as the same user."""
        self.write(json.dumps({name: row | values for name, row in self.rows.items()}))


@pytest.fixture
def cache(clean_environment: Mapping[str, str]) -> Cache:
    return Cache(Path(clean_environment["XDG_CACHE_HOME"]) / "twoagent-hook" / "ladder.json")


def approved(repo: Repo, **environment: str) -> dict[str, Any]:
    payload: dict[str, Any] = repo.review("--no-cache", **environment)
    assert (payload["outcome"], payload["exit_code"]) == ("approve", 0), payload
    return payload


# --- what worked is asked first -------------------------------------------------------------------------------


def test_the_second_run_takes_one_request(changed: Repo, serve: Serve, configure: Configure, cache: Cache) -> None:
    server = serve(without_schemas)
    configure(server)
    approved(changed)
    approved(changed)
    assert forms(server) == ["json_schema", "json_object", "json_object"]
    attempts = [entry["evidence"]["attempts"] for entry in changed.log() if entry["role"] == "reviewer"]
    assert attempts == [1, 2]
    assert list(cache.rows) == [f"{server.url} gpt-5.5"]
    (row,) = cache.rows.values()
    assert (row["dialect"], row["form"]) == ("chat", "json_object")
    assert abs(row["at"] - time.time()) < 60


def test_the_api_is_remembered_too(changed: Repo, serve: Serve, configure: Configure) -> None:
    only_responses = endpoint.fails(404, "This model is only supported in v1/responses")
    server = serve(lambda request: (only_responses if request.api == "chat" else endpoint.approves())(request))
    configure(server)
    approved(changed)
    approved(changed)
    assert [request.api for request in server.requests] == ["chat", "responses", "responses"]
    assert set(forms(server)) == {"json_schema"}


def test_a_dry_run_shows_what_is_remembered_and_remembers_nothing(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    configure(serve(without_schemas))
    assert changed.call("review", "--dry-run").code == 0
    assert not cache.path.exists()
    approved(changed)
    before = cache.path.read_bytes()
    (shown,) = changed.call("review", "--dry-run", "--no-cache", "--output-format", "json").json["requests"]
    assert shown["body"]["response_format"] == {"type": "json_object"}
    assert cache.path.read_bytes() == before


@pytest.mark.parametrize(
    "script",
    [endpoint.approves(), endpoint.fails(400, "response_format: we take none"), endpoint.fails(401)],
    ids=["the-first-way-works", "no-way-works", "not-let-in"],
)
def test_where_nothing_was_learned_nothing_is_written(
    script: Script, changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    configure(serve(script))
    changed.review()
    assert not cache.path.exists()


def test_it_is_kept_for_the_base_url_and_the_model(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    one, other = serve(without_schemas), serve(without_schemas)
    for server, model in ((one, "gpt-5.5"), (one, "gpt-5.4"), (other, "gpt-5.5"), (one, "gpt-5.5"), (one, "gpt-5.4")):
        configure(server, reviewer=f"loop:{model}")
        approved(changed)
    assert [(request.body["model"], request.form) for request in one.requests] == [
        ("gpt-5.5", "json_schema"),
        ("gpt-5.5", "json_object"),
        ("gpt-5.4", "json_schema"),
        ("gpt-5.4", "json_object"),
        ("gpt-5.5", "json_object"),
        ("gpt-5.4", "json_object"),
    ]
    assert forms(other) == ["json_schema", "json_object"]
    assert set(cache.rows) == {f"{one.url} gpt-5.5", f"{one.url} gpt-5.4", f"{other.url} gpt-5.5"}


def test_a_slash_at_the_end_of_the_base_url_is_the_same_place(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(without_schemas)
    configure(server)
    approved(changed)
    configure(f"{server.url}/")
    approved(changed)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("age", "requests"),
    [(0, 1), (6.9 * DAY, 1), (7.1 * DAY, 2), (400 * DAY, 2), (-DAY, 2)],
    ids=["now", "of-this-week", "of-last-week", "of-last-year", "of-tomorrow"],
)
def test_it_expires(
    age: float, requests: int, changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    server = serve(without_schemas)
    configure(server)
    approved(changed)
    cache.change(at=time.time() - age)
    server.requests.clear()
    approved(changed)
    assert len(server.requests) == requests
    server.requests.clear()
    approved(changed)
    assert len(server.requests) == 1


def test_it_does_not_grow_younger_by_being_used(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    configure(serve(without_schemas))
    approved(changed)
    cache.change(at=time.time() - 6 * DAY)
    before = cache.path.read_bytes()
    approved(changed)
    assert cache.path.read_bytes() == before


@pytest.mark.parametrize(
    ("remembered", "refused", "expected"),
    [
        (
            Step("chat", "text"),
            lambda r: r.form == "text",
            [("chat", "text"), ("chat", "json_schema")],
        ),
        (
            Step("responses", "json_schema"),
            lambda r: r.api == "responses",
            [("responses", "json_schema"), ("chat", "json_schema")],
        ),
    ],
    ids=["another-form", "another-api"],
)
def test_what_no_longer_works_is_forgotten_for_what_does(
    remembered: Step,
    refused: Callable[[Request], bool],
    expected: list[tuple[str, str]],
    changed: Repo,
    serve: Serve,
    configure: Configure,
    cache: Cache,
) -> None:
    words = "Not Found" if remembered.dialect == "responses" else "no such response_format here"
    gone = endpoint.fails(404, words)
    server = serve(lambda request: (gone if refused(request) else endpoint.approves())(request))
    configure(server)
    Memory(str(cache.path)).keep(server.url, "gpt-5.5", remembered)
    approved(changed)
    assert [(request.api, request.form) for request in server.requests] == expected
    approved(changed)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "refused",
    [endpoint.page("", 404), endpoint.page("<html>no such page</html>", 404), endpoint.page("", 405)],
    ids=["404-without-a-body", "404-with-a-web-page", "405-without-a-body"],
)
def test_what_was_refused_without_a_word_is_remembered_as_well(
    refused: Script, changed: Repo, serve: Serve, configure: Configure
) -> None:
    """A model that is known to answer over Responses alone, behind a gateway that has no such path."""
    server = serve(lambda request: (refused if request.api == "responses" else endpoint.approves())(request))
    configure(server, reviewer="openai:gpt-5-codex")
    for _ in range(2):
        approved(changed, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY)
    assert [request.api for request in server.requests] == ["responses", "chat", "chat"]


def test_what_a_free_text_taught_does_not_take_the_form_from_the_next_reply(
    changed: Repo, serve: Serve, configure: Configure
) -> None:
    """The seed prompt asks for no form at all, which says nothing of what the endpoint takes."""

    def script(request: Request) -> Answer:
        if request.api == "chat":
            return endpoint.fails(404, "This model is only supported in v1/responses")(request)
        if request.form == "text":
            return endpoint.answer(endpoint.response(f"Verdict: approve\nReceipt: {request.receipt}\n"))
        return endpoint.approves()(request)

    server = serve(script)
    configure(server, 'prompt = "seed"')
    approved(changed)
    assert [(request.api, request.form) for request in server.requests] == [("chat", "text"), ("responses", "text")]
    server.requests.clear()
    configure(server)
    payload = changed.review()
    assert (server.requests[-1].api, server.requests[-1].form) == ("responses", "json_schema"), payload


# --- whatever is wrong with the file --------------------------------------------------------------------------


def _rows(**values: Any) -> str:
    """A file that says of the endpoint at URL that free text works, but for these values."""
    row = {"dialect": "chat", "form": "text", "at": "NOW", "why": "x", **values}
    return json.dumps({"URL gpt-5.5": row})


HOSTILE: dict[str, str | bytes] = {
    "empty": "",
    "half": '{"URL gpt-5.5": {"dialect"',
    "null": "null",
    "a-number": "7",
    "a-list": '[["URL gpt-5.5", {"dialect": "chat", "form": "text", "at": "NOW"}]]',
    "a-text": '"URL gpt-5.5"',
    "no-UTF-8": b"\xff\xfe\x00{}",
    "NUL": b"\0" * 1000,
    "nested-lists": "[" * 200_000,
    "nested-objects": '{"a":' * 100_000,
    "digits": '{"URL gpt-5.5": {"dialect": "chat", "form": "text", "at": ' + "9" * 10_000 + "}}",
    "row-null": '{"URL gpt-5.5": null}',
    "row-a-list": '{"URL gpt-5.5": ["chat", "text", "NOW"]}',
    "no-time": _rows(at=None),
    "time-a-text": _rows(at="2026-11-22"),
    "time-an-object": _rows(at={}),
    "time-true": _rows(at=True),
    "time-nan": _rows().replace('"NOW"', "NaN"),
    "time-infinite": _rows().replace('"NOW"', "Infinity"),
    "time-zero": _rows(at=0),
    "dialect-a-number": _rows(dialect=7),
    "dialect-unknown": _rows(dialect="carrier-pigeon"),
    "dialect-command": _rows(dialect="command"),
    "dialect-a-path": _rows(dialect="../../../etc/passwd"),
    "form-null": _rows(form=None),
    "form-a-list": _rows(form=["text"]),
    "form-unknown": _rows(form="yaml"),
    "form-hostile": _rows(form="text\u0000\u001b]0;x\u0007"),
    "huge": _rows(why="x" * 3_000_000),
    "many-rows": json.dumps({f"https://{number}": {"at": "NOW"} for number in range(30_000)}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_is_taken_from_a_file_that_can_not_be_right_and_the_next_run_knows(
    case: str, changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    server = serve(without_schemas)
    configure(server)
    content = HOSTILE[case]
    content = content.encode() if isinstance(content, str) else content
    cache.write(content.replace(b'"NOW"', str(time.time() - 60).encode()).replace(b"URL", server.url.encode()))
    approved(changed)
    assert forms(server) == ["json_schema", "json_object"]
    approved(changed)
    assert forms(server)[2:] == ["json_object"]
    assert cache.path.stat().st_size < 1 << 20


def test_a_file_that_is_right_is_taken(changed: Repo, serve: Serve, configure: Configure, cache: Cache) -> None:
    """This shows that the files above are refused for what is wrong with them."""
    server = serve(without_schemas)
    configure(server)
    cache.write(_rows().replace('"NOW"', str(time.time() - 60)).replace("URL", server.url))
    approved(changed)
    assert forms(server) == ["text"]


Spoil = Callable[[Path, str], None]  # puts something in the file's place; the text would be right


def _mode(mode: int) -> Spoil:
    return lambda path, text: Cache(path).write(text, mode)


def _of_another_user(path: Path, text: str) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    Cache(path).write(text)
    os.chown(path, 12345, 12345)


def _symlink(path: Path, text: str) -> None:
    Cache(path.with_name("elsewhere.json")).write(text)
    path.symlink_to("elsewhere.json")


def _dangling(path: Path, text: str) -> None:
    path.symlink_to("nowhere.json")


def _of_another_group(path: Path, text: str) -> None:
    path.write_text(text)
    give_to_another_group(path)
    path.chmod(0o660)


def _endless(path: Path, text: str) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path, text: str) -> None:
    path.symlink_to(path.name)


def _folder(path: Path, text: str) -> None:
    (path / "inside").mkdir(parents=True)


PLACES: dict[str, tuple[Spoil, bool]] = {  # and whether the next run knows
    "writable-by-all": (_mode(0o606), True),
    "writable-by-the-group": (_of_another_group, True),
    "of-another-user": (_of_another_user, True),
    "a-symlink": (_symlink, True),
    "a-dangling-symlink": (_dangling, True),
    "a-symlink-to-a-device": (_endless, True),
    "a-symlink-to-itself": (_loop, True),
    "a-folder": (_folder, False),
}


@pytest.mark.parametrize("case", PLACES)
def test_nothing_is_taken_from_what_somebody_else_could_have_put_there(
    case: str, changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    server = serve(without_schemas)
    configure(server)
    spoil, heals = PLACES[case]
    cache.path.parent.mkdir(parents=True)
    spoil(cache.path, _rows().replace('"NOW"', str(time.time() - 60)).replace("URL", server.url))
    elsewhere = cache.path.with_name("elsewhere.json")
    before = elsewhere.read_bytes() if elsewhere.exists() else b""
    said = [text for text in approved(changed)["notices"] if "could be written by another user" in text]
    assert len(said) == (case in {"writable-by-all", "writable-by-the-group", "of-another-user"})
    assert forms(server) == ["json_schema", "json_object"]
    approved(changed)
    assert forms(server)[2:] == (["json_object"] if heals else ["json_schema", "json_object"])
    assert (elsewhere.read_bytes() if elsewhere.exists() else b"") == before
    assert set(os.listdir(cache.path.parent)) <= {"ladder.json", "elsewhere.json"}
    assert not cache.path.is_symlink()


def test_a_named_pipe_in_its_place_is_not_waited_for(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    configure(serve(without_schemas))
    cache.path.parent.mkdir(parents=True)
    os.mkfifo(cache.path)
    assert changed.run("review", "--output-format", "json", timeout=8).json["outcome"] == "approve"


@pytest.mark.parametrize("place", ["/dev/null/cache", "/proc/cache", "FILE", "READONLY"])
def test_a_folder_that_can_not_be_written_costs_a_request_and_nothing_else(
    place: str, changed: Repo, serve: Serve, configure: Configure, tmp_path: Path
) -> None:
    server = serve(without_schemas)
    configure(server)
    own = tmp_path / "own"
    if place == "READONLY":
        if not os.geteuid():
            pytest.skip("root writes into every folder")
        own.mkdir(mode=0o500)
    elif place == "FILE":
        own.write_text("a file")
    approved(changed, XDG_CACHE_HOME=place if place.startswith("/") else str(own))
    approved(changed, XDG_CACHE_HOME=place if place.startswith("/") else str(own))
    assert forms(server) == ["json_schema", "json_object"] * 2


# --- where it is, and what is in it ---------------------------------------------------------------------------


def test_it_is_the_users_alone(changed: Repo, serve: Serve, configure: Configure, cache: Cache) -> None:
    configure(serve(without_schemas))
    approved(changed)
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.path.parent.stat().st_mode) == 0o700
    assert os.listdir(cache.path.parent) == ["ladder.json"]


def test_one_variable_moves_it_with_all_that_is_the_users(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache, tmp_path: Path
) -> None:
    server = serve(without_schemas)
    own = tmp_path / "own"
    own.mkdir()
    configure(server).rename(own / "config.toml")
    for _ in range(2):
        approved(changed, TWOAGENT_HOME=str(own))
    assert forms(server) == ["json_schema", "json_object", "json_object"]
    assert list(Cache(own / "cache" / "ladder.json").rows) == [f"{server.url} gpt-5.5"]
    assert not cache.path.exists()


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if ".git" not in path.parts}


@pytest.mark.parametrize("place", [None, "cache", "./.cache", "../repo/cache", ""], ids=ascii)
def test_it_is_never_in_the_repository(place: str | None, changed: Repo, serve: Serve, configure: Configure) -> None:
    """A relative XDG_CACHE_HOME is to be ignored, as its specification says."""
    configure(serve(without_schemas))
    before = _files(changed.root)
    approved(changed, **({} if place is None else {"XDG_CACHE_HOME": place}))
    assert _files(changed.root) == before
    found = [path for path in (changed.root / ".git").rglob("*") if path.name == "ladder.json"]
    assert found == []


def test_a_repository_can_not_bring_it(changed: Repo, serve: Serve, configure: Configure, cache: Cache) -> None:
    server = serve(without_schemas)
    configure(server)
    text = _rows().replace('"NOW"', str(time.time() - 60)).replace("URL", server.url)
    for name in ("ladder.json", ".cache/twoagent-hook/ladder.json", "cache/twoagent-hook/ladder.json"):
        changed.write(name, text)
    changed.commit_all()
    changed.stage("app.py", "def mean(values):\n    return 0\n")
    approved(changed, XDG_CACHE_HOME="cache")
    assert forms(server) == ["json_schema", "json_object"]


def test_it_holds_neither_the_key_nor_the_change(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    """Some servers quote the request in what they say against it."""

    def script(request: Request) -> Answer:
        if request.form == "text":
            return endpoint.approves()(request)
        quoted = request.user[request.user.index("return total / count") :][:60]
        said = f"response_format is unavailable now for {request.headers['authorization']}: {quoted}"
        return endpoint.fails(400, said)(request)

    file = configure(serve(script))
    file.write_text(file.read_text() + 'headers = { X-Team-Token = "team-token-0123456789" }\n')
    approved(changed)
    stored = cache.path.read_text()
    assert KEY not in stored
    assert "team-token" not in stored
    assert "return total / count" not in stored


def test_what_it_quotes_is_short_and_can_be_shown(
    changed: Repo, serve: Serve, configure: Configure, cache: Cache
) -> None:
    def script(request: Request) -> Answer:
        said = "response_format \x1b[31m\u202e\ud800" + "x" * 100_000
        return (endpoint.approves() if request.form == "text" else endpoint.fails(400, said))(request)

    configure(serve(script))
    approved(changed)
    assert cache.path.stat().st_size < 2000
    assert not set(json.dumps(cache.rows, ensure_ascii=False)) & set("\x1b\u202e\ud800")


# --- the memory alone -----------------------------------------------------------------------------------------


def test_only_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory(str(tmp_path / "ladder.json"))
    now = time.time()
    for number in range(250):
        monkeypatch.setattr(ladder.time, "time", lambda number=number: now + number)
        memory.keep("https://api.example", f"model-{number}", WORKED)
    assert memory.recall("https://api.example", "model-249") == WORKED
    assert memory.recall("https://api.example", "model-50") == WORKED
    assert memory.recall("https://api.example", "model-49") is None
    assert len(Cache(tmp_path / "ladder.json").rows) == 200


def test_those_who_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "ladder.json"
    broken: list[str] = []
    done = threading.Event()

    def write(name: int) -> None:
        for number in range(25):
            Memory(str(path)).keep(f"https://{name}.example", f"model-{number}", WORKED)

    def read() -> None:
        while not done.is_set():
            try:
                json.loads(path.read_text())
            except FileNotFoundError:
                continue
            except ValueError as error:
                broken.append(str(error))

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    reader = threading.Thread(target=read)
    reader.start()
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert broken == []
    assert os.listdir(path.parent) == ["ladder.json"]
    assert 25 <= len(Cache(path).rows) <= 100


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
times = st.just("NOW") | st.integers() | st.floats() | json_values
words = st.sampled_from([*dialects.FORMS, "chat", "responses", "command", "", "\0"]) | json_values
a_row = st.fixed_dictionaries({}, optional={"dialect": words, "form": words, "at": times, "why": json_values})
names = st.sampled_from(["https://api.example gpt-5.5", "https://api.example ", " "]) | st.text(max_size=10)
a_file = st.dictionaries(names, a_row | json_values, max_size=4)


def _text(content: Any) -> bytes:
    return json.dumps(content).replace('"NOW"', str(time.time() - 60)).encode()


@unhurried
@given(a_file.map(_text) | st.binary(max_size=200) | json_values.map(_text))
def test_any_file_gives_a_way_to_ask_or_none_and_can_be_written_again(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ladder.json"
        Cache(path).write(content)
        memory = Memory(str(path))
        found = memory.recall("https://api.example", "gpt-5.5")
        assert found is None or (isinstance(found.dialect, str) and isinstance(found.form, str))
        made = Ladder(PROVIDER, "gpt-5.5", schema=True, first=found)
        assert made.step in made.steps
        memory.keep("https://api.example", "gpt-5.5", WORKED)
        assert memory.recall("https://api.example", "gpt-5.5") == WORKED
        assert os.listdir(folder) == ["ladder.json"]


# --- the ladder alone -----------------------------------------------------------------------------------------

PROVIDER = Provider("loop", "https://api.example/v1")


def refusal(status: int, text: str | bytes) -> dialects.Answer:
    return dialects.Answer(status, {}, text if isinstance(text, bytes) else text.encode())


def climb(made: Ladder, said: Callable[[Step], dialects.Answer]) -> list[Step]:
    """Every step that it takes, until there is none left."""
    taken = [made.step]
    while made.down(said(made.step)):
        taken.append(made.step)
        assert len(taken) <= len(made.steps), taken
    return taken


NO_FORM = refusal(400, "response_format is unavailable now")
NO_CHAT = refusal(404, "This model is only supported in v1/responses")
NO_PATH = refusal(404, "")

WALKS: dict[str, tuple[dict[str, Any], Callable[[Step], dialects.Answer], list[str]]] = {
    "no-form": ({}, lambda step: NO_FORM, ["chat json_schema", "chat json_object", "chat text"]),
    "no-chat-then-no-path": (
        {},
        lambda step: NO_CHAT if step.dialect == "chat" else NO_PATH,
        ["chat json_schema", "responses json_schema"],
    ),
    "no-chat-then-no-form": (
        {},
        lambda step: NO_CHAT if step.dialect == "chat" else NO_FORM,
        ["chat json_schema", "responses json_schema", "responses json_object", "responses text"],
    ),
    "no-schema-then-no-chat": (
        {},
        lambda step: NO_FORM if step == ("chat", "json_schema") else NO_CHAT,
        ["chat json_schema", "chat json_object", "responses json_schema"],
    ),
    "from-what-is-remembered": (
        {"first": Step("chat", "text")},
        lambda step: NO_FORM,
        ["chat text", "chat json_schema", "chat json_object"],
    ),
    "from-another-api-that-is-remembered": (
        {"first": Step("responses", "text")},
        lambda step: NO_PATH,
        ["responses text", "chat json_schema"],
    ),
    "from-what-is-unknown": (
        {"first": Step("carrier-pigeon", "text")},
        lambda step: refusal(500, "response_format"),
        ["chat json_schema"],
    ),
    "a-pinned-api": ({"api": "chat"}, lambda step: NO_CHAT, ["chat json_schema"]),
    "another-pinned-api": (
        {"api": "responses", "first": Step("chat", "text")},
        lambda step: NO_PATH,
        ["responses json_schema"],
    ),
    "known-forms": (
        {"forms": ("json_schema", "text")},
        lambda step: NO_FORM,
        ["chat json_schema", "chat text"],
    ),
    "known-forms-and-another-remembered": (
        {"forms": ("json_schema", "text"), "first": Step("chat", "json_object")},
        lambda step: NO_FORM,
        ["chat json_schema", "chat text"],
    ),
    "free-text": ({"schema": False}, lambda step: NO_FORM, ["chat text"]),
    "free-text-and-a-form-remembered": (
        {"schema": False, "first": Step("chat", "json_schema")},
        lambda step: NO_CHAT,
        ["chat text", "responses text"],
    ),
    "only-over-responses": (
        {"responses_only": ("gpt-5.5",)},
        lambda step: NO_PATH,
        ["responses json_schema", "chat json_schema"],
    ),
}


@pytest.mark.parametrize("case", WALKS)
def test_which_way_is_taken_next(case: str) -> None:
    values, said, expected = WALKS[case]
    given_here = {"schema": True, "first": None} | {key: values[key] for key in values if key in {"schema", "first"}}
    provider = replace(PROVIDER, **{key: values[key] for key in values if key not in given_here})
    made = Ladder(provider, "gpt-5.5", **given_here)
    assert [" ".join(step) for step in climb(made, said)] == expected


@pytest.mark.parametrize("status", [200, 301, 401, 403, 405, 408, 409, 413, 429, 500, 501, 503])
def test_another_status_is_no_refusal_of_a_form(status: int) -> None:
    said = refusal(status, "response_format json_schema structured unavailable now v1/responses not a chat model")
    assert len(climb(Ladder(PROVIDER, "gpt-5.5", schema=True), lambda step: said)) == 1


some_words = st.sampled_from(
    [
        *refusals._FORM_WORDS,
        *refusals._OTHER_API_WORDS,
        "",
        "model not found",
        "'store'",
        '{"error": {"message": "response_format"}}',
        '[{"error": {"code": 400}}]',
    ]
)
a_refusal = st.builds(
    refusal,
    st.sampled_from([400, 401, 404, 405, 413, 422, 429, 500, 501]) | st.integers(100, 599),
    st.lists(some_words, max_size=3).map(" ".join) | st.binary(max_size=40),
)
a_step = st.builds(Step, st.sampled_from(["chat", "responses", "command", ""]), st.sampled_from([*dialects.FORMS, ""]))
a_provider = st.builds(
    lambda api, forms, only: replace(PROVIDER, api=api, forms=forms, responses_only=only),
    st.sampled_from([None, "chat", "responses"]),
    st.permutations(dialects.FORMS).flatmap(lambda some: st.integers(0, 3).map(lambda count: tuple(some[:count]))),
    st.sampled_from([(), ("gpt-5.5",), ("gpt-*",)]),
)


@unhurried
@given(a_provider, st.booleans(), st.none() | a_step, st.lists(a_refusal, min_size=8, max_size=8))
def test_it_ends_and_repeats_nothing_whatever_the_refusals(
    provider: Provider, schema: bool, first: Step | None, said: list[dialects.Answer]
) -> None:
    made = Ladder(provider, "gpt-5.5", schema=schema, first=first)
    answers = iter(said)
    taken = climb(made, lambda step: next(answers))
    assert len(set(taken)) == len(taken) <= len(made.steps) <= 6
    assert set(taken) <= set(made.steps)
    meant = [step for step in made.steps if first in {step, step._replace(form="")}]
    assert taken[0] == (meant or made.steps)[0]
    if provider.api:
        assert {step.dialect for step in taken} == {provider.api}
    if not schema:
        assert {step.form for step in taken} == {"text"}


@unhurried
@given(a_provider, st.none() | a_step)
def test_an_api_that_refused_as_a_whole_is_not_asked_again(provider: Provider, first: Step | None) -> None:
    made = Ladder(provider, "gpt-5.5", schema=True, first=first)
    taken = climb(made, lambda step: NO_CHAT if step.dialect == "chat" else NO_PATH)
    assert len(taken) == len({step.dialect for step in taken}) == len({step.dialect for step in made.steps})


@pytest.mark.parametrize(
    ("model", "pattern", "expected"),
    [
        ("gpt-5-pro", "gpt-5-pro", True),
        ("gpt-5-pro-2025-10-06", "gpt-5-pro", True),
        ("gpt-5-pro-20251006", "gpt-5-pro", True),
        ("gpt-5-pro-", "gpt-5-pro", False),
        ("gpt-5-pro--", "gpt-5-pro", False),
        ("gpt-5-pro2", "gpt-5-pro", False),
        ("gpt-5-pro-max", "gpt-5-pro", False),
        ("gpt-5-pro-2025-preview", "gpt-5-pro", False),
        ("gpt-5-pr", "gpt-5-pro", False),
        ("gpt-daybreak-blue", "gpt-daybreak-*", True),
        ("gpt-daybreak", "gpt-daybreak-*", False),
        ("GPT-5-PRO", "gpt-5-pro", True),
    ],
)
def test_which_ids_answer_over_responses_alone(model: str, pattern: str, expected: bool) -> None:
    assert ladder.responses_only(replace(PROVIDER, responses_only=(pattern,)), model) is expected
