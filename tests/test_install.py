"""The package as its users get it: built from this checkout's last commit, installed, and run by pre-commit."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.frameworks import BIN, FRAMEWORKS, inside
from support.repo import Repo, Result, assert_commit_allowed, assert_commit_blocked
from support.server import Server, approves, blocks

CHECKOUT = Path(__file__).resolve().parent.parent
PRE_COMMIT, _ = FRAMEWORKS
USER_PIP_FILES = (".config/pip/pip.conf", ".pip/pip.conf", "Library/Application Support/pip/pip.conf")

Serve = Callable[..., Server]
Configure = Callable[..., Path]


def run(*command: str | Path, environment: dict[str, str], cwd: Path | None = None) -> Result:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=110,
        check=False,
    )
    return Result(done)


def committed(*arguments: str) -> str:
    """What git says of the last commit of the checkout."""
    done = subprocess.run(["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the tests don't run from a git checkout")
    return done.stdout


# --- installing ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pip_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pip goes by on this machine: the personal folders of a test hide the user's own file."""
    found = {name: value for name, value in os.environ.items() if "PROXY" in name.upper() or name.startswith("PIP_")}
    home = Path(os.environ.get("HOME", "/"))
    file = next((home / name for name in USER_PIP_FILES if (home / name).is_file()), None)
    if file is not None:
        found.setdefault("PIP_CONFIG_FILE", str(file))
    found["PIP_CACHE_DIR"] = str(shared_folder(tmp_path_factory) / "pip-cache")
    found["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return found


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, pip_settings: dict[str, str]) -> Path:
    """A fresh environment with the package installed by `pip install git+file://…`, once in a test run."""
    head = committed("rev-parse", "HEAD").strip()
    shared = shared_folder(tmp_path_factory)
    environment = dict(os.environ) | pip_settings
    with open(shared / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "installed"
        if not (folder / "complete").exists():  # which then names the commit
            skip_without_index(shared, environment)
            made = run(sys.executable, "-m", "venv", folder, environment=environment)
            assert made.code == 0, made
            done = run(
                folder / "bin/python",
                "-m",
                "pip",
                "install",
                "--quiet",
                f"git+file://{CHECKOUT}",
                environment=environment,
            )
            assert done.code == 0, done
            (folder / "complete").write_text(head)
    return folder


def commit_of(installed: Path) -> str:
    return (installed / "complete").read_text()


def skip_without_index(folder: Path, environment: dict[str, str]) -> None:
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder / "probe", "iniconfig")
    probe = run(*pip, environment=environment)
    if probe.code:
        pytest.skip(f"no package index can be reached: {probe.err.strip().splitlines()[-1]}")


@pytest.fixture
def fresh(clean_environment: dict[str, str], pip_settings: dict[str, str], tmp_path: Path) -> Repo:
    """A repository of somebody who has nothing of ours but what they install."""
    path = os.pathsep.join(entry for entry in clean_environment["PATH"].split(os.pathsep) if Path(entry) != BIN)
    environment = clean_environment | pip_settings | {"PATH": path, "LOOP_KEY": "sk-loop-0123456789"}
    return Repo(tmp_path / "fresh", environment)


# --- tests --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "entry", "stages"),
    [
        ("twoagent-hook", "twoagent-hook review", ["pre-commit", "manual"]),
        ("twoagent-hook-verify", "twoagent-hook verify", ["pre-push"]),
    ],
)
def test_the_manifest_makes_each_hook_run_once_always_and_visibly(name: str, entry: str, stages: list[str]) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())}
    assert set(hooks) == {"twoagent-hook", "twoagent-hook-verify"}
    hook = hooks[name]
    expected = {
        "id": name,
        "entry": entry,
        "language": "python",
        "pass_filenames": False,
        "always_run": True,
        "require_serial": True,
        "verbose": True,
        "stages": stages,
        "minimum_pre_commit_version": "3.2.0",
    }
    assert {key: value for key, value in hook.items() if key not in {"name", "description"}} == expected
    assert hook["name"]
    assert hook["description"]


@pytest.mark.install
def test_the_installed_package_holds_every_file_that_was_committed(installed: Path) -> None:
    [packages] = installed.glob("lib/python*/site-packages")
    wanted = set(committed("ls-tree", "-r", "--name-only", commit_of(installed), "twoagent_hook/").split())
    assert {Path(name).suffix for name in wanted} >= {".py", ".toml", ".md", ".json", ".txt", ".typed"}
    missing = {name for name in wanted if not (packages / name).is_file()}
    assert missing == set()
    assert not (packages / "tests").exists()


@pytest.mark.install
def test_the_installed_script_says_its_version_and_reviews(
    installed: Path, fresh: Repo, serve: Serve, configure: Configure
) -> None:
    script = installed / "bin" / "twoagent-hook"
    version = run(script, "--version", environment=fresh.environment)
    assert version.code == 0, version
    assert version.out.startswith("twoagent-hook 0.")
    server = serve(blocks())
    configure(server)
    fresh.stage("app.py", "first = 1\n")
    reviewed = run(script, environment=fresh.environment, cwd=fresh.root)
    assert reviewed.code == 1, reviewed
    assert "Verdict: block" in inside(reviewed.out)
    assert len(server.requests) == 1


@pytest.mark.install
def test_the_sample_configuration_is_what_pre_commit_takes_and_gates_a_real_commit(
    installed: Path, fresh: Repo, serve: Serve, configure: Configure
) -> None:
    """It installs the product once more, from the address and commit that the sample names."""
    sample = run(installed / "bin" / "twoagent-hook", "sample-config", environment=fresh.environment)
    assert sample.code == 0, sample
    [source] = yaml.safe_load(sample.out)["repos"]
    assert source["repo"] == f"file://{CHECKOUT}"
    assert source["rev"] == commit_of(installed)
    fresh.write(".pre-commit-config.yaml", sample.out)
    checked = PRE_COMMIT.run(fresh, "validate-config", ".pre-commit-config.yaml")
    assert checked.code == 0, checked
    assert "warn" not in checked.text.lower(), checked

    server = serve(blocks(), approves())
    configure(server)
    PRE_COMMIT.install_hook(fresh)
    fresh.write("app.py", "first = 1\n")
    fresh.git("add", "--all")
    blocked = assert_commit_blocked(fresh)
    assert "Verdict: block" in inside(blocked.err)
    fresh.forget()
    assert_commit_allowed(fresh)
    assert "first = 1" in server.requests[1].user


@pytest.mark.again
@pytest.mark.install
def test_the_hook_can_be_tried_without_any_configuration(
    installed: Path, fresh: Repo, serve: Serve, configure: Configure
) -> None:
    server = serve(blocks())
    configure(server)
    fresh.stage("app.py", "first = 1\n")
    tried = PRE_COMMIT.run(fresh, "try-repo", str(CHECKOUT), "twoagent-hook", "--ref", "HEAD")
    assert tried.code == 1, tried
    assert "Verdict: block" in inside(tried.out)
    assert "first = 1" in server.requests[0].user
