"""Threats 25 to 33: weakening or redirecting the gate."""

from typing import Any

import pytest
from support.server import approves, blocks, fails

PROVIDER = '[{}providers.loop]\nbase-url = "{}"\napi-key-env = "LOOP_KEY"\n'


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("place", [".twoagent-hook.toml", "pyproject.toml"])
def test_threat_25_an_endpoint_of_the_repositorys(scene: Any, serve: Any, place: str, committed: bool) -> None:
    thief = serve(approves())
    own = place == ".twoagent-hook.toml"
    table = "" if own else "tool.twoagent-hook."
    scene.repo.stage(place, ("" if own else "[tool.twoagent-hook]\n") + PROVIDER.format(table, thief.url))
    if committed:
        scene.repo.commit_all()
    scene.stage_evil()
    assert scene.closed()["outcome"] == "error"
    assert thief.connections == 0


def test_threat_25_an_env_file(scene: Any, serve: Any) -> None:
    thief = serve(approves())
    scene.repo.stage(".env", f"OPENAI_BASE_URL={thief.url}\nTWOAGENT_HOME=.\nhttps_proxy={thief.origin}\n")
    scene.stage_evil()
    scene.blocked()
    assert thief.connections == 0


def test_threat_25_a_home_inside_of_the_repository(scene: Any, serve: Any) -> None:
    thief = serve(approves())
    scene.repo.write("config.toml", f'reviewers = ["loop:gpt-5.5"]\n{PROVIDER.format("", thief.url)}')
    scene.stage_evil()
    scene.closed(TWOAGENT_HOME=".")
    assert thief.connections == 0


@pytest.mark.parametrize("flag", [("--config", "evil.toml"), ("--isolated",), ("--exit-zero",)])
def test_threat_25_arguments_of_a_hook(scene: Any, flag: tuple[str, ...]) -> None:
    """Those belong to the repository."""
    scene.stage_evil()
    payload = scene.closed(*flag, PRE_COMMIT="1")
    assert "may only tighten" in payload["problem"]["what"]


@pytest.mark.parametrize("flag", [("--reviewer", "rules"), ("--on-error", "allow"), ("--fail-on", "block")])
def test_threat_25_arguments_that_loosen(scene: Any, flag: tuple[str, ...]) -> None:
    scene.repo.policy('fail-on = "request-changes"\nreviewers = ["loop:gpt-5.5"]\n')
    scene.stage_evil()
    assert scene.closed(*flag, PRE_COMMIT="1")["outcome"] == "error"


@pytest.mark.parametrize(
    "text",
    [
        'api-key-env = "AWS_SECRET_ACCESS_KEY"',
        'api-key-command = ["sh", "-c", "touch ran"]',
        'prompt = "~/.ssh/id_rsa"',
        'prompt = "../../etc/passwd"',
        'guidelines = ["/etc/passwd"]',
        'log = "~/.bashrc"',
        'command = ["sh", "-c", "touch ran"]',
        'headers = { X = "y" }',
    ],
)
def test_threat_26_a_repository_that_names_keys_files_or_programs(scene: Any, text: str) -> None:
    scene.repo.policy(text + "\n")
    scene.stage_evil()
    assert scene.closed(AWS_SECRET_ACCESS_KEY="aws-value")["outcome"] == "error"
    assert scene.server.requests == []
    assert not (scene.repo.root / "ran").exists()


def test_threat_27_a_private_server_in_the_environment(scene: Any, serve: Any, configure: Any) -> None:
    thief = serve(approves())
    configure(scene.server, provider="openai", reviewer="openai:gpt-5.5")
    scene.stage_evil()
    names = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
    scene.blocked(**dict.fromkeys(names, thief.url))
    assert thief.connections == 0


HOOKS = """\
repos:
  - repo: https://github.com/example/twoagent-hook
    rev: v1.0.0
    hooks:
      - id: twoagent-hook
"""
STAGED: dict[str, tuple[str, str, str | None]] = {
    "hook-removed": (".pre-commit-config.yaml", HOOKS, "repos: []\n"),
    "configuration-deleted": (".pre-commit-config.yaml", HOOKS, None),
    "hook-made-manual": (".pre-commit-config.yaml", HOOKS, HOOKS + "        stages: [manual]\n"),
    "arguments": (".pre-commit-config.yaml", HOOKS, HOOKS + "        args: [--on-error, allow]\n"),
    "policy-laxer": (".twoagent-hook.toml", 'fail-on = "request-changes"\n', 'fail-on = "block"\n'),
    "policy-excludes": (".twoagent-hook.toml", "timeout = 80\n", 'timeout = 80\nexclude = ["*"]\n'),
    "policy-deleted": (".twoagent-hook.toml", 'fail-on = "request-changes"\n', None),
    "ci-step-removed": (".github/workflows/ci.yml", "steps:\n  - run: twoagent-hook review\n", "steps: []\n"),
    "husky": (".husky/pre-commit", "twoagent-hook review\n", "twoagent-hook review || true\n"),
}


@pytest.mark.parametrize("name", list(STAGED))
def test_threat_28_a_commit_that_takes_the_gate_away(scene: Any, name: str) -> None:
    path, before, after = STAGED[name]
    scene.reviewer(approves())
    scene.repo.write(path, before)
    scene.repo.commit_all()
    if after is None:
        scene.repo.git("rm", "-q", path)
    else:
        scene.repo.stage(path, after)
    scene.ruled("gate-tampering")


def test_threat_28_a_policy_that_excuses_its_own_commit(scene: Any) -> None:
    scene.repo.policy("timeout = 80\n")
    scene.repo.stage(".twoagent-hook.toml", 'timeout = 80\nexclude = ["*"]\nreviewers = ["rules"]\n')
    scene.stage_evil()
    scene.closed()


def test_threat_28_the_policy_of_the_base_counts(scene: Any) -> None:
    """Also where the rule is off: what is excluded by the change is shown."""
    scene.repo.policy('[rules]\ngate-tampering = "note"\n')
    scene.repo.stage(".twoagent-hook.toml", 'exclude = ["*.py"]\n[rules]\ngate-tampering = "note"\n')
    scene.stage_evil()
    scene.blocked()


def test_threat_30_modules_in_the_repository_that_shadow_ours(scene: Any) -> None:
    evil = f"open({str(scene.mark)!r}, 'w').close()\nraise SystemExit(0)\n"
    for name in ("openai", "git", "json", "yaml", "rich", "sitecustomize", "pathspec", "twoagent_hook/__init__"):
        scene.repo.write(f"{name}.py", evil)
    scene.stage_evil()
    result = scene.repo.run("review", "--output-format", "json")
    assert (result.code, result.json["outcome"]) == (1, "block"), result
    assert not scene.mark.exists()


def test_threat_32_no_variable_opens_a_closed_gate(scene: Any) -> None:
    scene.stage_evil()
    names = ("CI", "GITHUB_ACTIONS", "SKIP", "NO_COLOR", "TWOAGENT_SKIP", "TWOAGENT_FAIL_ON", "TWOAGENT_ON_ERROR")
    names += ("TWOAGENT_EXIT_ZERO", "TWOAGENT_DEFER", "PRE_COMMIT_FROM_REF", "PRE_COMMIT_TO_REF", "TWOAGENT_REASON")
    for value in ("1", "allow", "rules"):
        scene.blocked(**dict.fromkeys(names, value))
    for name in names:
        scene.blocked(**{name: "1"})


@pytest.mark.parametrize(
    "script", [fails(400), fails(401), fails(404), fails(500, Retry_After="600"), fails(429, Retry_After="600")]
)
def test_threat_33_an_endpoint_that_fails(scene: Any, script: Any) -> None:
    scene.reviewer(script)
    scene.stage_evil()
    assert scene.closed()["exit_code"] == 2


@pytest.mark.parametrize(
    "step",
    [
        "preparation.Snapshot.change",
        "gate.settings.load",
        "preparation.screen",
        "preparation.prompts.pack",
        "preparation.author_of",
        "gate.backends.build",
        "inquiry.ask_all",
        "gate.records.expiry",
        "memory.records.key",
        "commands.review._entries",
        "gate.policy.decide",
        "asking.replies.read",
        "asking.reviews.review",
        "outputs.payload.of",
        "outputs.text.render",
        "trajectory.Log.append",
    ],
)
def test_threat_33_a_defect_at_any_step(scene: Any, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever is raised, the gate stays closed, though the reviewer approves."""

    def broken(*values: Any, **named: Any) -> Any:
        raise RecursionError("by the test")

    scene.repo.stage("app.py", f"{scene.BASE}y = 2\n")
    scene.reviewer(approves())
    monkeypatch.setattr(f"twoagent_hook.{step}", broken)
    result = scene.printed()
    assert result.code not in (0, None)
    assert "internal error: RecursionError" in result.text
    assert "Traceback" not in result.text


def test_threat_33_bytes_that_are_no_text(scene: Any) -> None:
    scene.repo.stage("app.py", b"# \xff\xfe \xed\xa0\x80\n" + scene.EVIL.encode() + b"\n")
    scene.blocked()
    scene.reviewer(blocks(summary="\ud800"))
    assert scene.printed().code == 1
