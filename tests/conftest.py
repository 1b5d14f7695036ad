import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.repo import Repo
from support.server import Script, Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
    parser.addoption(
        "--real", action="store_true", help="run tests/real too, which needs what `make test-all` installs"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--real`, a suite of minutes: what says the same once more, at the cost of seconds, is left out."""
    if config.getoption("--real"):
        return

    def marked(item: pytest.Item, name: str) -> bool:
        return item.get_closest_marker(name) is not None

    left_out = [
        item for item in items if marked(item, "again") or (marked(item, "second") and not marked(item, "core"))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


# A shell that starts the tests in the background has them ignore ^C, and every program that they start as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

SCRUBBED = (
    "GIT_",
    "TWOAGENT_",
    "PRE_COMMIT",
    "PREK",
    "CLAUDE",
    "CODEX",
    "GEMINI",
    "OPENAI",
    "AI_AGENT",
    "COPILOT",
    "CURSOR",
)
ALSO = {"CI", "NO_COLOR", "FORCE_COLOR", "SKIP", "COLUMNS", "TERM", "AGENT", "PYTHONPATH", "http_proxy", "https_proxy"}


def scrubbed(variables: dict[str, str]) -> dict[str, str]:
    """Without anything that could steer git, the product, a framework or a detection of agents."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith(SCRUBBED)
        and name not in ALSO
        and not name.endswith("_API_KEY")
        and "PROXY" not in name.upper()
    }


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Nothing of the machine's in the environment, and every personal folder inside of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    clean = scrubbed(dict(os.environ)) | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TEMPLATE_DIR": "",
        "GIT_AUTHOR_NAME": "A U Thor",
        "GIT_AUTHOR_EMAIL": "author@example.com",
        "GIT_COMMITTER_NAME": "A U Thor",
        "GIT_COMMITTER_EMAIL": "author@example.com",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8",
    }
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in clean.items():
        monkeypatch.setenv(name, value)
    return clean


@pytest.fixture
def repo(tmp_path: Path, clean_environment: dict[str, str]) -> Repo:
    """A repository with one commit in it."""
    made = Repo(tmp_path / "repo", clean_environment)
    made.write("app.py", "def mean(values):\n    return sum(values) / max(len(values), 1)\n")
    made.commit_all()
    return made


@pytest.fixture
def empty_repo(tmp_path: Path, clean_environment: dict[str, str]) -> Repo:
    """A repository without any commit."""
    return Repo(tmp_path / "repo", clean_environment)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers on loopback; they end with the test."""
    servers: list[Server] = []

    def start(*scripts: Script) -> Server:
        servers.append(Server(*scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def configure(clean_environment: dict[str, str]) -> Callable[..., Path]:
    """Writes the user's own file, by default with one provider `loop` at a server, and its key."""

    def write(server: Server | str, text: str = "", *, provider: str = "loop", reviewer: str = "loop:gpt-5.5") -> Path:
        url = server if isinstance(server, str) else server.url
        path = Path(clean_environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'reviewers = ["{reviewer}"]\n{text}\n[providers.{provider}]\nbase-url = "{url}"\napi-key-env = "LOOP_KEY"\n'
        )
        return path

    return write


BAD_CODE = "def mean(values):\n    total, count = sum(values), len(values)\n    return total / count\n"


@pytest.fixture
def changed(repo: Repo) -> Repo:
    """A repository with a change staged, and the key of the provider `loop` in the environment."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    repo.stage("app.py", BAD_CODE)
    return repo


@pytest.fixture
def large(repo: Repo) -> Repo:
    """A repository with three modules staged, each of which fills a request of 9,500 tokens by itself."""
    repo.environment["LOOP_KEY"] = "sk-loop-0123456789"
    for name in "abc":
        repo.stage(f"{name}.py", "".join(f"value_{name}_{number} = 'aaaaaaaaaaaaaaaa'\n" for number in range(400)))
    return repo


@pytest.fixture
def git_binary() -> str:
    found = shutil.which("git")
    assert found
    return found
