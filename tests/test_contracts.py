"""What the documentation promises, held against the product."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.repo import SCRIPT

from twoagent_hook import __version__, config, datafiles, errors, exits

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "twoagent_hook"
README = (ROOT / "README.md").read_text()


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("git", {"snapshots.py"}),
        ("rich", {"outputs/text.py"}),
        ("openai", {"backends/client.py"}),
        ("sqlite3", {"trajectory.py"}),
        ("tomllib", {"datafiles.py"}),
        ("psutil", {"backends/processes.py"}),
        ("tree_sitter", {"guard/syntax.py"}),
    ],
)
def test_each_library_has_one_importer(library: str, only: set[str]) -> None:
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        if any(name == library or name.startswith(library + ".") for name in imported(path))
    }
    assert users == only


def test_only_one_module_reads_the_environment() -> None:
    users = {path.name for path in modules() if re.search(r"os\.(environ|getenv)", path.read_text())}
    assert users == {"environment.py"}


def test_only_the_one_place_catches_everything() -> None:
    broad = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {""}
                if names & {"", "Exception", "BaseException"}:
                    broad.add(path.name)
    assert broad == {"exits.py", "loops.py", "processes.py"}  # in the latter two it hands on what a thread raised


ORDER = [
    "findings",
    "config",
    "changes",
    "screening",
    "prompts",
    "backends.base",
    "verdicts",
    "seedform",
    "replies",
    "reviews",
    "policy",
    "outputs.payload",
]


@pytest.mark.parametrize("place", range(len(ORDER)), ids=ORDER)
def test_a_stage_imports_only_what_is_upstream(place: int) -> None:
    stage = ORDER[place]
    path = PACKAGE / (stage.replace(".", "/") + ".py")
    path = path if path.exists() else PACKAGE / stage / "__init__.py"
    downstream = {f"twoagent_hook.{name}" for name in ORDER[place + 1 :]} | {"twoagent_hook.gate", "twoagent_hook.cli"}
    assert not imported(path) & downstream


def test_every_error_is_the_users() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, errors.TwoAgentError) for kind in kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)
    assert {exits.failure_of(kind("what", "do")).what for kind in kinds} == {"what"}


def test_the_manifest_is_as_designed() -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    hook = hooks["twoagent-hook"]
    assert hook["language"] == "python"
    assert hook["entry"].split()[0] == "twoagent-hook"
    assert hook["pass_filenames"] is False
    assert hook["always_run"] is hook["require_serial"] is hook["verbose"] is True
    assert hook["stages"] == ["pre-commit", "manual"]
    assert hook["minimum_pre_commit_version"] == "3.2.0"


def test_the_readme_names_every_policy_key_and_no_other() -> None:
    table = README.split("## The policy")[1].split("### ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {key for row in rows for key in re.findall(r"`\[{0,2}([a-z-]+)\]{0,2}`", row)}
    assert named == set(config.POLICY)


def test_the_readme_names_every_rule_and_its_effect() -> None:
    table = README.split("### The rules")[1].split("### ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| `([a-z-]+)` \|", table, re.MULTILINE)
    assert dict(rows) == {name: effect.label for name, effect in config.default_rules().items()}


def test_the_readme_names_every_provider() -> None:
    commands = datafiles.packaged_toml("backends/clis.toml")["clis"]
    for name in (*datafiles.packaged_toml("backends/providers.toml"), *commands):
        assert f"`{name}`" in README
        assert f"`{name}`" in (ROOT / "docs" / "reviewers.md").read_text()


def test_the_readme_names_every_exit_code() -> None:
    table = README.split("## Exit codes")[1].split("## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [
        int(code) for code in exits.ExitCode
    ]


COMMANDS = {"review", "packets", "plan", "verify", "guard", "init", "doctor", "log", "sample-config", "demo"}


def test_the_readme_names_only_commands_and_flags_that_exist() -> None:
    commands = set(re.findall(r"`?twoagent-hook ([a-z-]+)", README)) - {"git"}
    assert commands <= COMMANDS
    whole = "".join(help_of(name) for name in COMMANDS)
    for flag in re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README):
        assert flag in whole or flag == "--no-verify", flag


def help_of(*command: str) -> str:
    return subprocess.run([SCRIPT, *command, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    assert command in help_of()
    assert len(help_of(command)) > 200


def test_every_reviewed_flag_of_the_contract_exists() -> None:
    text = help_of("review")
    for flag in (
        "--reviewer", "--author", "--task", "--fail-on", "--on-error", "--timeout", "--dry-run", "--output-format",
        "--output-file", "--exit-zero", "--no-cache", "--config", "--isolated", "--color", "--verbose", "--quiet",
    ):  # fmt: skip
        assert flag in text
    assert "endpoint" not in text.lower()
    assert "--api-key" not in text


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_the_distributions(flag: str) -> None:
    said = subprocess.run([SCRIPT, flag], capture_output=True, text=True, check=True).stdout
    assert said == f"twoagent-hook {__version__}\n"
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


HEAVY = {"openai", "pydantic", "git", "rich", "httpx", "httpx2", "dataclasses", "platformdirs", "pathspec", "sqlite3"}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_nothing_heavy_is_imported_for_help() -> None:
    assert not loaded_by("import twoagent_hook.cli; twoagent_hook.cli.parser()") & HEAVY


def test_nothing_heavy_is_imported_where_nothing_is_staged(repo: object) -> None:
    folder = repo.root  # type: ignore[attr-defined]
    code = f"import os; os.chdir({str(folder)!r})\nfrom twoagent_hook import cli\nassert cli.main(['review']) == 0"
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize("action", ["'list'", "'show', '1'"])
def test_no_client_is_imported_to_read_the_log(repo: object, action: str) -> None:
    folder = repo.root  # type: ignore[attr-defined]
    repo.stage("a.py", "x = 1\n")  # type: ignore[attr-defined]
    repo.run("review", "--reviewer", "rules")  # type: ignore[attr-defined]
    code = (
        f"import os; os.chdir({str(folder)!r})\nfrom twoagent_hook import cli\nassert cli.main(['log', {action}]) == 0"
    )
    assert not loaded_by(code) & {"openai", "pydantic", "git", "httpx", "httpx2", "pathspec", "asyncio", "psutil"}


def test_a_choice_of_reviewer_imports_no_client() -> None:
    heavy = {"openai", "pydantic", "httpx", "httpx2", "rich", "psutil"}
    assert not loaded_by("import twoagent_hook.gate") & heavy


def test_functions_stay_short() -> None:
    long = [
        f"{path.name}:{node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert not long


def test_prompts_and_provider_facts_are_data() -> None:
    sources = "\n".join(path.read_text() for path in modules())
    assert "You are an" not in sources
    assert "https://api." not in sources.replace('"https://api.openai.com"', "").replace("https://api.example.com", "")
