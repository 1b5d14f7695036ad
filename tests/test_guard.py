"""The guard: what of an agent's calls it refuses, and what it lets pass.

Lines are in `guard_cases.txt`, each with the name of its reason, and in `guard_ordinary.txt`, of which none is refused.
"""

import json
import os
import string
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import tables
from support.repo import SCRIPT, Repo

from twoagent_hook import guard
from twoagent_hook.errors import UsageError
from twoagent_hook.guard import Allow, Call, Change, Deny, events, syntax, triggers

HERE = Path(__file__).parent
RULES: dict[str, Any] = tomllib.loads((Path(guard.__file__).parent / "rules.toml").read_text(encoding="utf-8"))
REASONS = RULES["reasons"]


def line_of(text: str) -> str:
    return text.replace("⏎", "\n").replace("⇥", "\t")


def cases() -> Iterator[tuple[str, str]]:
    for row in (HERE / "guard_cases.txt").read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("# "):
            reason, _, text = row.partition(" | ")
            yield reason, line_of(text)


CASES = list(cases())
REFUSED = [(reason, line) for reason, line in CASES if reason != "-"]
PASSED = [line for reason, line in CASES if reason == "-"]
ORDINARY = [line_of(row) for row in (HERE / "guard_ordinary.txt").read_text(encoding="utf-8").splitlines()]


def ruled(line: str, cwd: str = "") -> guard.Ruling:
    return guard.judge(Call(lines=(line,), cwd=cwd))


def reason_of(ruling: guard.Ruling) -> str:
    """Its name in the table, by both of its sentences."""
    if isinstance(ruling, Allow):
        return "-"
    (name,) = [
        name
        for name, row in REASONS.items()
        if row["do"] == ruling.do and all(part in ruling.what for part in row["what"].split("{found}"))
    ]
    return name


# --- lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "line"), CASES)
def test_a_line_is_refused_for_its_reason_or_passes(reason: str, line: str) -> None:
    assert reason_of(ruled(line)) == reason


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_work_is_never_refused(line: str) -> None:
    assert ruled(line) == Allow()


def test_the_table_that_is_read_is_made_of_the_one_that_is_written(request: pytest.FixtureRequest) -> None:
    path = Path(guard.__file__).parent / "rules.json"
    made = tables.made("guard/rules.toml")
    if request.config.getoption("--golden"):
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made, "run pytest --golden"


def test_there_are_enough_of_both() -> None:
    assert len(REFUSED) > 300
    assert len(PASSED) + len(ORDINARY) > 300
    assert len(set(CASES)) == len(CASES)
    assert len(set(ORDINARY)) == len(ORDINARY)


def test_every_reason_is_met_by_a_line() -> None:
    assert {*REASONS} - {reason for reason, _line in REFUSED} == {"intricate"}


@pytest.mark.parametrize("name", REASONS)
def test_a_reason_teaches_no_way_round(name: str) -> None:
    do = REASONS[name]["do"]
    assert not any(word in do for word in ("--no-verify", "SKIP", "-n ", "hooksPath", "uninstall", "unset"))
    assert "{" not in do
    # What a command would do instead, or whom to ask.
    assert "`" in do or "your user" in do or name in {"python-path", "shadow", "intricate"}


def test_the_refusal_names_what_was_found() -> None:
    ruling = ruled("git add -A && git commit -anm 'x'")
    assert isinstance(ruling, Deny)
    assert "`git commit -n`" in ruling.what
    assert "twoagent-hook review" in ruling.do


def test_what_was_found_is_shown_without_control_characters_and_cut() -> None:
    ruling = ruled(f"SKIP=$'\\x1b]52;c;x\\x07'{'y' * 500} git commit -m x")
    assert isinstance(ruling, Deny)
    assert ruling.what.isprintable()
    assert len(ruling.what) < 250


# --- quoting ---------------------------------------------------------------------------------------------------

PLAIN = [
    ("no-verify", "git commit --no-verify -m x"),
    ("no-verify", "git commit -nm x"),
    ("no-verify", "bash -c git\x20commit\x20-n"),
    ("hooks-setting", "git -c core.hooksPath=/dev/null commit"),
    ("hooks-setting", "git config core.hooksPath x"),
    ("hook-files", "rm .git/hooks/pre-commit"),
    ("hook-files", "mv .git/hooks x"),
    ("policy", "rm .twoagent-hook.toml"),
    ("own-settings", "rm .config/twoagent-hook/config.toml"),
    ("wiring", "rm .pre-commit-config.yaml"),
    ("uninstall", "pre-commit uninstall"),
    ("plumbing", "git update-ref HEAD abc"),
    ("override", "touch prek.toml"),
    ("shadow", "touch yaml.py"),
    ("agent-settings", "rm .claude/settings.json"),
    ("log", "rm .git/twoagent-hook/log.sqlite3"),
    ("own-command", "twoagent-hook init --yes"),
    ("git-state", "cp x .git/HEAD"),
    ("forge", "gh api -X PUT repos/o/r/contents/a"),
]


def quoted_one_way(draw: st.DrawFn, char: str) -> str:
    quoted = [f"'{char}'", f'"{char}"', f"\\{char}", f"$'\\x{ord(char):02x}'", f"$'\\{ord(char):03o}'"]
    bare = [] if char == " " else [char, f"{char}''", f'""{char}', f"${{none}}{char}", f"$none{char}", f"`true`{char}"]
    ways = [*quoted, *(way for way in bare if way != f"$none{char}" or not char.isalnum())]
    return draw(st.sampled_from(ways))


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """One of the lines, with each character of it written in one of the ways that mean the same."""
    reason, line = draw(st.sampled_from(PLAIN))
    words = line.split(" ")
    if words[:2] == ["bash", "-c"]:
        words = ["bash", "-c", " ".join(words[2:])]
    # A word is as likely to stand as it is, or the whole line would be noise.
    made = [
        "".join(quoted_one_way(draw, char) for char in word) if " " in word or draw(st.booleans()) else word
        for word in words
    ]
    before = draw(st.sampled_from(["", "true && ", "cd . ; ", "( ", "env ", "A=1 ", "echo x | "]))
    after = " )" if before == "( " else draw(st.sampled_from(["", " # no", " 2>&1", " && ls", "\n"]))
    return reason, f"{before}{' '.join(made)}{after}"


@settings(database=None, deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(disguised())
def test_no_way_of_quoting_hides_it(case: tuple[str, str]) -> None:
    reason, line = case
    assert reason_of(ruled(line)) == reason


PIECES = [
    *("git", "commit", " -n", "--no-verify", "'", '"', "$(", ")", "`", "{", "}", "<<EOF\n", "\nEOF\n", "<<<", "|"),
    *("&&", ";", "\n", "bash -c ", "eval ", "$A", "A=", "${A", "[[", "]]", "((", "))", "if ", "then ", "fi", "\\"),
    *(
        "for x in ",
        "do ",
        "done",
        "case ",
        "esac",
        "f(){",
        "<(",
        ">",
        ".git/hooks/x",
        "rm ",
        "xargs ",
        "find . -exec ",
    ),
    *(
        "$'",
        "\\x41",
        "export SKIP=x",
        "alias a=",
        "\0",
        "é",
        "\ud800",
        "set -- ",
        "$@",
        "${A[@]}",
        "A=(",
        "python -c ",
    ),
    *("printf %s%s ", "while ", "coproc ", "!", "*", "?", "#", "\r", "base64 -d", "git config ", "git rebase -x "),
]


@settings(database=None, deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=60).map("".join))
@example("git commit -F - <<A\n" * 50)
def test_no_text_breaks_it(text: str) -> None:
    started = time.monotonic()
    assert isinstance(ruled(text), Allow | Deny)
    assert time.monotonic() - started < 5


HOSTILE = {
    "doubled variables": "a=xxxxxxxxxx;" + "a=$a$a;" * 60 + "git commit $a",
    "shells in shells": "bash -c " * 3000 + "'git commit'",
    "parentheses": "git ; " + "(" * 40000,
    "substitutions": "git " + "$(" * 20000 + "x" + ")" * 20000,
    "functions": "".join(f"f{n}(){{ f{n + 1}; f{n + 1}; f{n + 1}; }};" for n in range(30))
    + "f30(){ git status; }; f0",
    "itself": "x='eval $x'; eval $x; git",
    "braces": "git commit " + "{a,b}" * 40,
    "open braces": "{" + "a," * 60000,
    "here-documents": "git\n" + "<<A\n" * 30000,
    "errors": "git ) " + "<<A x\n" * 20000,
    "patterns": "rm " + "[a*?" * 30000 + "/git",
    "folders": "mkdir " * 20000,
    "searches": "find . " + "-name a " * 2000 + "-exec git status \\; " * 2000,
    "code": 'python -c "system ' + "\\'a," * 20000 + ' git"',
    "calls": 'python -c ".git/hooks ' + "open(" * 20000 + '"',
    "loops": "".join(f"for {name} in {'x ' * 30}; do " for name in "abcd") + "git commit; " + "done; " * 4,
    "conditions": "git status && " * 9000 + "git commit",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_takes_no_time(name: str) -> None:
    started = time.monotonic()
    ruled(HOSTILE[name])
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "line",
    [
        "git commit -m '" + "x" * 200_000 + "'",
        HOSTILE["functions"],
        "git " + "$(" * 300 + "x" + ")" * 300,
        HOSTILE["itself"],
    ],
)
def test_what_can_t_be_read_to_its_end_is_refused(line: str) -> None:
    assert reason_of(ruled(line)) == "intricate"


@pytest.mark.parametrize(
    "text", ["git {\U00010000", "git commit {a \U0010ffff", "{,\U0001f600} git", "git \ud800{\U000f0000"]
)
def test_what_crashes_the_grammar_never_reaches_it(text: str) -> None:
    assert (syntax.parse(text).text or b"").isascii()
    assert ruled(text) == Allow()
    assert reason_of(ruled(f"{text}; git commit -n")) == "no-verify"


def test_length_alone_is_no_reason() -> None:
    assert ruled("echo " + "x" * 200_000) == Allow()


def test_a_bypass_is_named_although_the_rest_is_too_much() -> None:
    assert reason_of(ruled(f"git commit -n; {HOSTILE['functions']}")) == "no-verify"


# --- what need not be read -------------------------------------------------------------------------------------

QUICK = [
    *(
        "ls -la",
        "cat README.md",
        "python -m pytest -q",
        "grep -rn 'def main' src",
        "npm run build",
        "rm -rf node_modules",
    ),
    *("git status", "git diff --cached", "git log --oneline -n 10", "git add -A && git status", "git show HEAD:a.py"),
    *("sed -i 's/foo/bar/g' a.py", "curl -sSf https://github.com/o/r/x", "cat .gitignore", "awk '{print $1, $2}' x"),
    *(
        "for f in *.py; do wc -l $f; done",
        "echo $HOME",
        "FOO=1 make",
        "kubectl apply -f x.yaml",
        "find . -name '*.py'",
    ),
]


@pytest.mark.parametrize("line", QUICK)
def test_an_everyday_line_needs_no_parser(line: str) -> None:
    assert not triggers.present(line)


def test_what_is_not_read_imports_neither_parser_nor_table(repo: Repo) -> None:
    code = (
        "import sys\nfrom twoagent_hook import cli\n"
        f"assert all(cli.main(['guard', f'--command={{line}}']) == 0 for line in {QUICK!r})\n"
        "print(*sys.modules)"
    )
    loaded = set(repo.python("-c", code).out.split())
    assert "twoagent_hook.guard.triggers" in loaded
    assert not {"tree_sitter", "tree_sitter_bash", "tomllib", "dataclasses", "twoagent_hook.guard.files"} & loaded
    more = repo.python("-c", code.replace("'git diff --cached'", "'git commit -m x'")).out.split()
    assert "tree_sitter_bash" in more


# --- git itself ------------------------------------------------------------------------------------------------


@pytest.fixture
def gated(repo: Repo) -> Repo:
    """A repository whose hook refuses every commit, with a change staged."""
    for name in ("pre-commit", "pre-merge-commit", "pre-push"):
        hook = repo.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    repo.stage("new.py", "x = 1\n")
    repo.environment["GIT_EDITOR"] = "true"
    return repo


def commits(repo: Repo, line: str) -> bool:
    """Whether the line makes a commit, against the hook."""
    before = repo.head
    subprocess.run(
        ["bash", "-c", line],
        cwd=repo.root,
        env=repo.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    after = repo.head
    if after != before:
        repo.git("reset", "--soft", before)
    return after != before


def test_the_hook_does_refuse(gated: Repo) -> None:
    assert not commits(gated, "git commit -m x")


def test_every_abbreviation_that_git_takes_is_refused(gated: Repo) -> None:
    option = "--no-verify"
    taken = [option[:end] for end in range(3, len(option) + 1) if commits(gated, f"git commit -m x {option[:end]}")]
    assert option in taken
    assert len(taken) > 1
    assert {reason_of(ruled(f"git commit -m x {each}")) for each in taken} == {"no-verify"}


def test_every_bundle_of_letters_is_read_as_git_reads_it(gated: Repo) -> None:
    gated.write("n", "a message\n")
    for letter in string.ascii_letters:
        line = f"git commit --allow-empty -m x -{letter}n"
        if commits(gated, line):
            assert reason_of(ruled(line)) == "no-verify", line
    for line in ("git commit -an -m x", "git commit -m x -qvn", "git commit -m x -n"):
        assert commits(gated, line), line


VALUES = [line for line in PASSED if line.startswith("git commit") and "$" not in line and "<<" not in line]


def test_what_passes_meets_the_hook(gated: Repo) -> None:
    assert len(VALUES) > 12
    gated.write("n", "a message\n")
    assert [line for line in VALUES if commits(gated, line)] == []


BYPASSES = [
    "git commit -nm x",
    "g\\it co\"\"mmit $'\\x2dn' -m x",
    "A=--no; git commit ${A}-verify -m x",
    "git {commit,-n,-m,x}",
    "a=g; b=it; c=com; d=mit; $a$b $c$d -n -m x",
    "git commit -m x \\\n--no-\\\nverify",
    "git commit -m x ${FLAGS:---no-verify}",
    "git${IFS}commit${IFS}-nmx",
    'f() { git commit "$@" -m x; }; f -n',
    "echo commit -nm x | xargs git",
    "echo Z2l0IGNvbW1pdCAtbm0geA== | base64 -d | sh",
    "printf '\\147\\151\\164 commit -nm x' | sh",
    "bash <(echo 'git commit -nm x')",
    "cat <<'EOF' | bash\ngit commit -nm x\nEOF",
    "sh -c \"bash -c 'git commit -nm x'\"",
    "while read l; do $l; done <<< 'git commit -nm x'",
    'set -- commit -nm x; git "$@"',
    "echo 'git commit -nm x' > x.sh; sh x.sh",
    "find . -maxdepth 0 -exec git commit -nm x \\;",
    "git -c alias.ci='commit -n' ci -m x",
    "git -c core.hooksPath=/dev/null commit -m x",
    "E=/dev/null git --config-env=core.hooksPath=E commit -m x",
    "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0=/dev/null git commit -m x",
    "GIT_CONFIG_PARAMETERS=\"'core.hookspath=/dev/null'\" git commit -m x",
    "printf '[core]\\nhooksPath=/dev/null\\n' > cfg; GIT_CONFIG_GLOBAL=$PWD/cfg git commit -m x",
    "printf '[core]\\nhooksPath=/dev/null\\n' > cfg; git -c include.path=$PWD/cfg commit -m x",
    "git update-ref HEAD $(git commit-tree -p HEAD -m x $(git write-tree))",
    "python -c \"import subprocess; subprocess.run(['git', 'commit', '-n', '-m', 'x'])\"",
    "python -c \"import git; git.Repo('.').index.commit('x', skip_hooks=True)\"",
    "mv .git/hooks{,.bak}; git commit -m x; mv .git/hooks{.bak,}",
    "chmod -x .git/hooks/pre-commit; git commit -m x; chmod +x .git/hooks/pre-commit",
    "cd .git && mv hooks off && cd .. && git commit -m x; mv .git/off .git/hooks",
    "find .git -name pre-commit -delete; git commit -m x",
    "awk 'BEGIN{system(\"git commit -nm x\")}'",
    "env -iS 'sh -c \"git -c user.name=x -c user.email=y commit -nm x\"'",
    "perl -le 'system qw(git commit -nm x)'",
    "git -C . rm -q --cached new.py; cp /dev/null .git/hooks/pre-commit; git commit --allow-empty -m x",
]


@pytest.mark.parametrize("line", BYPASSES)
def test_what_is_refused_does_pass_the_hook_by(gated: Repo, line: str) -> None:
    assert commits(gated, line)
    assert isinstance(ruled(line), Deny)


def test_config_under_another_name_is_still_read(gated: Repo) -> None:
    line = "git config CORE.HOOKSPATH /dev/null"
    assert commits(gated, f"{line}; git commit -m x")
    assert reason_of(ruled(line)) == "hooks-setting"


# --- where it happens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cwd", "line", "reason"),
    [
        ("/r/.git/hooks", "rm *", "hook-files"),
        ("/r/.git/hooks", "chmod -x pre-push", "hook-files"),
        ("/r/.git", "mv hooks x", "hook-files"),
        ("/r/src", "rm -rf ../.git", "git-folder"),
        ("/r", "rm -rf /r/.git", "git-folder"),
        ("/r", "rm -rf /elsewhere/.git", "-"),
        ("/r", "touch /r/yaml.py", "shadow"),
        ("/r", "touch /r/src/yaml.py", "-"),
        ("/r", "cd src && touch yaml.py", "-"),
        ("/home/me/.config", "rm -r twoagent-hook", "own-settings"),
        ("/r", "ls *", "-"),
        # Another repository, as far as a `cd` that can be followed tells.
        ("/r", 'T=$(mktemp -d) && cp .twoagent-hook.toml "$T/"', "-"),
        ("/r", 'T=$(mktemp -d); cp pyproject.toml .pre-commit-config.yaml "$T"', "-"),
        ("/r", "cd /tmp/t && printf '[tool.twoagent-hook]\\n' > pyproject.toml", "-"),
        ("/r", "cd /tmp/t && rm .pre-commit-config.yaml", "-"),
        ("/r", "cd /tmp/t && printf 'repos: []' > .pre-commit-config.yaml && git add . && git commit -m x", "-"),
        ("/r", "cp .twoagent-hook.toml /tmp/x", "-"),
        ("/r", "cp pyproject.toml .pre-commit-config.yaml /tmp/x/", "-"),
        ("/r", "cat .twoagent-hook.toml", "-"),
        ("/r", "diff .twoagent-hook.toml /tmp/x", "-"),
        ("/r", "git diff .twoagent-hook.toml", "-"),
        ("/r", "diff .pre-commit-config.yaml pyproject.toml", "-"),
        ("/r", "cd /tmp/x && rm -rf .git", "-"),
        ("/r", "rm -rf /tmp/clone/.git", "-"),
        ("/r", "rsync -a .twoagent-hook.toml /tmp/x/", "-"),
        ("/r", "tar czf /tmp/x.tgz .git", "-"),
        ("/r", "cp -r .git /tmp/backup", "-"),
        ("/r", "cp .git/hooks/pre-commit /tmp/x/", "-"),
        ("/r", "cp ~/.config/twoagent-hook/config.toml /tmp", "-"),
        ("/r", "cp -t /tmp/x .twoagent-hook.toml", "-"),
        ("/r", "install -m 644 .twoagent-hook.toml /tmp/x/.twoagent-hook.toml", "-"),
        ("/r", "cd /tmp/x && touch .twoagent-hook.toml", "-"),
        ("/r", "cd /tmp/x && echo x > .pre-commit-config.yaml", "-"),
        ("/r", "cd /tmp/x && rm -rf .git/hooks", "hook-files"),
        ("/r", "cd /tmp/x && git init && chmod -x .git/hooks/pre-commit", "hook-files"),
        ("/r", "pushd /tmp/x && rm -rf .git; popd", "-"),
        ("/r", "rm -rf /tmp/x/.git/hooks", "hook-files"),
        ("/r", "(cd /tmp/x && rm -rf .git); ls", "-"),
        ("/r", "(cd /tmp/x && ls); rm -rf .git", "git-folder"),
        ("/r", "pushd /tmp/x; popd; rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x; cd -; rm -rf .git", "git-folder"),
        ("/r", 'cd "$DIR" && rm -rf .git', "git-folder"),
        ("/r", "cd /r && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x && rm -rf /r/.git", "git-folder"),
        ("/r", "cd /tmp/x || true; rm -rf .git", "git-folder"),
        ("/r", "cp /tmp/x .twoagent-hook.toml", "policy"),
        ("/r", "cd /tmp/x && cp a /r/.twoagent-hook.toml", "policy"),
        ("/r", "mv .twoagent-hook.toml /tmp/x", "policy"),
        ("/r", "cd /nonexist; rm -rf .git", "git-folder"),
        ("/r", "cd /x || true && rm -rf .git", "git-folder"),
        ("/r", "false && cd /tmp/x; rm -rf .git", "git-folder"),
        ("/r", "ln -s /r /tmp/l && cd /tmp/l && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/../r && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x | true && rm -rf .git", "git-folder"),
        ("/r", "bash -c 'cd /tmp/x' && rm -rf .git", "git-folder"),
        ("/r", "f(){ cd /tmp/x; }; rm -rf .git", "git-folder"),
        ("/r", "f(){ cd /tmp/x && true; } && rm -rf .git", "git-folder"),
        ("/r", "cd() { :; }; cd /tmp/x && rm -rf .git", "git-folder"),
        ("/r", "alias cd=true; cd /tmp/x && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x & rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x && cd $OLDPWD && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x && cd - && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x && cd ../../r && rm -rf .git", "git-folder"),
        ("/r", "(cd /tmp/x) && rm -rf .git", "git-folder"),
        ("/r", "pushd /tmp/x && popd && rm -rf .git", "git-folder"),
        ("/r", "rm -rf /tmp/x/../../r/.git", "git-folder"),
        ("/r", "cd /proc/self/cwd && rm -rf .git", "git-folder"),
        ("/r", "! cd /tmp/x && rm -rf .git", "git-folder"),
        ("/r", "cd /tmp/x\nrm -rf .git", "git-folder"),
        ("/r", "if cd /nonexist; then :; fi; rm -rf .git", "git-folder"),
        ("/r", "cd && rm -rf .git", "git-folder"),
        ("/r", "eval 'cd /tmp/x'; rm -rf .git", "git-folder"),
        ("/r", "echo $(cd /tmp/x) && rm -rf .git", "git-folder"),
        ("/r", "cd / && rm -rf r/.git", "git-folder"),
        ("/r", "cd / && mv r/.git /tmp", "git-folder"),
        ("/r", "echo x > /proc/self/cwd/.twoagent-hook.toml", "policy"),
        ("/r", "cd /tmp/x; echo x > .twoagent-hook.toml", "policy"),
        ("/r", "git worktree add /tmp/w && echo x > /tmp/w/.twoagent-hook.toml", "policy"),
        ("/r", "ln -s /r /tmp/l; echo x > /tmp/l/.twoagent-hook.toml", "policy"),
        ("/r", "cp /tmp/x/.twoagent-hook.toml .", "policy"),
        ("/r", "cd /tmp/x && cp .twoagent-hook.toml /r", "policy"),
        ("/r", 'cd /tmp/x && cp .twoagent-hook.toml "$DIR/"', "policy"),
        ("/r", "rm /r/.husky/pre-commit", "wiring"),
        ("/r", "cd src && rm ../.husky/pre-commit", "wiring"),
        ("/r", "cd /tmp/x && echo x > .pre-commit-config.yaml 2>&1", "-"),
        ("/r", "test -d /tmp/x && cd /tmp/x && rm -rf .git && git init", "-"),
    ],
)
def test_paths_begin_where_the_agent_stands(cwd: str, line: str, reason: str) -> None:
    assert reason_of(ruled(line, cwd)) == reason


# --- the tools of agents ---------------------------------------------------------------------------------------

CONFIG = "repos:\n- repo: https://example.com/twoagent-hook\n  rev: v1\n  hooks:\n  - id: twoagent-hook\n- repo: x\n"
PYPROJECT = (
    '[project]\nname = "x"\n\n[tool.twoagent-hook]\nfail-on = "block"\nexclude = ["dist"]\n\n[tool.ruff]\nx = 1\n'
)
SETTINGS = '{"hooks": {"PreToolUse": [{"hooks": [{"command": "twoagent-hook guard"}]}]}}'

CHANGES: list[tuple[str, Change]] = [
    ("policy", Change(".twoagent-hook.toml", whole="")),
    ("policy", Change("/r/.twoagent-hook.toml", parts=(("block", "allow"),))),
    ("own-settings", Change("/home/me/.config/twoagent-hook/config.toml", whole="")),
    ("own-settings", Change("/Users/me/Library/Application Support/twoagent-hook/config.toml", whole="")),
    ("hook-files", Change("/r/.git/hooks/pre-commit", whole="#!/bin/sh\n")),
    ("hook-files", Change("/r/.git/worktrees/w/hooks/pre-commit", whole="")),
    ("hook-files", Change("/r/x/../.git/hooks/pre-commit", parts=(("a", "b"),))),
    ("git-state", Change(".git/config", parts=(("[core]", "[core]\nhooksPath = x"),))),
    ("git-state", Change(".git/refs/heads/main", whole="abc")),
    ("log", Change(".git/twoagent-hook/log.sqlite3", whole="")),
    ("installed", Change("/v/lib/python3.11/site-packages/twoagent_hook/gate.py", parts=(("a", "b"),))),
    ("installed", Change("/home/me/.cache/pre-commit/repo1/x.py", whole="")),
    ("override", Change("prek.toml", whole="repos = []")),
    ("shadow", Change("/r/yaml.py", whole="")),
    ("shadow", Change("pre_commit/__main__.py", whole="")),
    ("shadow", Change("sitecustomize.py", whole="")),
    ("policy", Change("../.twoagent-hook.toml", whole="")),
    ("-", Change("/tmp/x/.twoagent-hook.toml", whole="")),
    ("-", Change("/tmp/x/.pre-commit-config.yaml", whole="repos: []\n")),
    ("-", Change(".git/hooks/pre-commit.sample", whole="")),
    # git's settings of the user
    ("hooks-setting", Change("/home/me/.gitconfig", whole="[core]\n\thooksPath = /x\n")),
    ("hooks-setting", Change("~/.config/git/config", parts=(("", '[hook "x"]\nenabled = false'),))),
    ("hooks-setting", Change("/home/me/.gitconfig", whole="[alias]\nc = commit -n\n", before="[user]\n")),
    ("hooks-setting", Change("/etc/gitconfig", parts=(("x", "[include]\npath = /x"),))),
    ("-", Change("/home/me/.gitconfig", whole="[alias]\nc = commit\nl = log -n 5\n")),
    ("-", Change("/home/me/.gitconfig", whole="[core]\nhooksPath = x\na=1\n", before="[core]\nhooksPath = x\n")),
    ("-", Change("~/.config/git/ignore", whole="hooksPath")),
    ("-", Change("/r/src/yaml.py", whole="")),
    ("-", Change("src/app.py", whole="git commit --no-verify")),
    ("-", Change("README.md", parts=(("", "never use `git commit -n` or SKIP=x"),))),
    ("-", Change("docs/hooks.md", whole="core.hooksPath")),
    ("-", Change(".github/workflows/ci.yml", whole="run: pre-commit run -a\nenv:\n  SKIP: x\n")),
    ("-", Change("src/hooks/pre.ts", whole="")),
    # the list of hooks
    ("wiring", Change(".pre-commit-config.yaml", whole="repos: []\n")),
    ("wiring", Change(".pre-commit-config.yaml", whole="repos: []\n", before=CONFIG)),
    ("wiring", Change(".pre-commit-config.yaml", whole=CONFIG.replace("  - id", "# - id"), before=CONFIG)),
    ("wiring", Change(".pre-commit-config.yaml", parts=(("  - id: twoagent-hook\n", ""),))),
    ("wiring", Change(".pre-commit-config.yaml", parts=(("  - id: twoagent-hook", "  # - id: twoagent-hook"),))),
    ("wiring", Change(".pre-commit-config.yaml", parts=(("id: twoagent", "id: twoagents"),), before=CONFIG)),
    ("wiring", Change(".husky/pre-commit", whole="npm test\n")),
    ("wiring", Change("lefthook.yml", parts=(("run: twoagent-hook\n", "run: true\n"),))),
    ("-", Change(".pre-commit-config.yaml", whole=CONFIG)),
    ("-", Change(".pre-commit-config.yaml", whole=f"{CONFIG}- repo: y\n", before=CONFIG)),
    ("-", Change(".pre-commit-config.yaml", whole="repos: []\n", before="repos:\n- repo: x\n")),
    ("-", Change(".pre-commit-config.yaml", parts=(("- repo: x", "- repo: y"),))),
    ("-", Change(".pre-commit-config.yaml", parts=(("rev: v1", "rev: v2"),), before=CONFIG)),
    # the table in pyproject.toml
    ("policy", Change("pyproject.toml", parts=(("[tool.ruff]", '[tool.twoagent-hook]\nfail-on = "x"\n[tool.ruff]'),))),
    ("policy", Change("pyproject.toml", parts=(('exclude = ["dist"]', 'exclude = ["**"]'),), before=PYPROJECT)),
    ("policy", Change("pyproject.toml", whole='[project]\nname = "x"\n', before=PYPROJECT)),
    (
        "policy",
        Change("pyproject.toml", parts=(('name = "x"', 'name = "x"\n[tool."twoagent-hook"]\na = 1'),), before=""),
    ),
    ("policy", Change("pyproject.toml", whole="[tool]\ntwoagent-hook = { exclude = ['*'] }\n")),
    ("-", Change("pyproject.toml", parts=(('name = "x"', 'name = "y"'),), before=PYPROJECT)),
    ("-", Change("pyproject.toml", parts=(("x = 1", "x = 2\ny = 3"),), before=PYPROJECT)),
    ("-", Change("pyproject.toml", parts=(('name = "x"', 'name = "y"'),))),
    ("-", Change("pyproject.toml", whole=PYPROJECT.replace("x = 1", "x = 2"), before=PYPROJECT)),
    ("-", Change("pyproject.toml", parts=(("dev = []", 'dev = ["twoagent-hook>=0.1"]'),))),
    # the agents' own settings
    ("agent-settings", Change("/r/.claude/settings.json", whole="{}", before=SETTINGS)),
    ("agent-settings", Change(".claude/settings.json", parts=(("twoagent-hook guard", "true"),))),
    ("agent-settings", Change(".claude/settings.local.json", whole='{"disableAllHooks": true}')),
    ("agent-settings", Change(".claude/settings.json", parts=(("{", '{"disableAllHooks": true, '),), before=SETTINGS)),
    ("agent-settings", Change(".cursor/hooks.json", whole="{}", before=SETTINGS)),
    ("-", Change(".claude/settings.local.json", whole='{"permissions": {}}')),
    ("-", Change(".claude/settings.json", parts=(('"x"', '"y"'),))),
    ("-", Change(".claude/commands/x.md", whole="x")),
]


@pytest.mark.parametrize(("reason", "change"), CHANGES)
def test_a_tool_that_writes_is_judged_by_what_it_changes(reason: str, change: Change) -> None:
    assert reason_of(guard.judge(Call(changes=(change,), cwd="/r"))) == reason


def test_what_is_deleted_by_a_tool() -> None:
    assert reason_of(guard.judge(Call(removed=(".pre-commit-config.yaml",)))) == "wiring"
    assert guard.judge(Call(removed=("a.py",))) == Allow()


def claude(tool: str, **given: Any) -> dict[str, Any]:
    return {"session_id": "s", "cwd": "/r", "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": given}


PATCH = "*** Begin Patch\n*** Update File: {path}\n@@\n-{old}\n+{new}\n*** End Patch\n"

EVENTS: list[tuple[str, Any]] = [
    # Claude Code
    ("no-verify", claude("Bash", command="git commit -n", description="x")),
    ("-", claude("Bash", command="git commit -m 'a -n b'")),
    ("policy", claude("Write", file_path="/r/.twoagent-hook.toml", content="")),
    (
        "wiring",
        claude("Edit", file_path="/r/.pre-commit-config.yaml", old_string="- id: twoagent-hook", new_string=""),
    ),
    (
        "wiring",
        claude(
            "MultiEdit",
            file_path="/r/.pre-commit-config.yaml",
            edits=[{"old_string": "a", "new_string": "b"}, {"old_string": "id: twoagent-hook", "new_string": "id: x"}],
        ),
    ),
    ("hook-files", claude("NotebookEdit", notebook_path="/r/.git/hooks/pre-commit", new_source="x")),
    ("-", claude("Edit", file_path="/r/a.py", old_string="x", new_string="git commit -n")),
    ("-", claude("Read", file_path="/r/.twoagent-hook.toml")),
    ("-", claude("Grep", pattern="--no-verify", path="/r/.git/hooks")),
    ("-", claude("WebFetch", url="https://example.com", prompt="git commit -n")),
    ("-", claude("Task", prompt="run git commit -n")),
    # Codex
    ("no-verify", claude("Bash", command=["bash", "-lc", "git commit -n"])),
    ("no-verify", claude("shell", command=["git", "commit", "-n"], workdir="/r")),
    ("policy", claude("apply_patch", command=PATCH.format(path=".twoagent-hook.toml", old="a", new="b"))),
    (
        "wiring",
        claude("apply_patch", input=PATCH.format(path=".pre-commit-config.yaml", old="- id: twoagent-hook", new="")),
    ),
    (
        "hook-files",
        claude("apply_patch", command="*** Begin Patch\n*** Delete File: .git/hooks/pre-commit\n*** End Patch"),
    ),
    ("override", claude("apply_patch", command="*** Begin Patch\n*** Add File: prek.toml\n+x\n*** End Patch")),
    ("-", claude("apply_patch", command=PATCH.format(path="a.py", old="a", new="git commit -n"))),
    # Cursor
    ("no-verify", {"hook_event_name": "beforeShellExecution", "command": "git commit -n", "cwd": "/r"}),
    ("-", {"hook_event_name": "beforeShellExecution", "command": "git status", "cwd": "/r"}),
    ("-", {"hook_event_name": "beforeReadFile", "file_path": "/r/.twoagent-hook.toml", "content": "git commit -n"}),
    ("no-verify", {"hook_event_name": "preToolUse", "tool_name": "Shell", "tool_input": {"command": "git commit -n"}}),
    # Gemini CLI
    ("no-verify", {"tool_name": "run_shell_command", "tool_input": {"command": "git commit -n", "dir_path": "."}}),
    ("policy", {"tool_name": "write_file", "tool_input": {"file_path": ".twoagent-hook.toml", "content": ""}}),
    (
        "wiring",
        {
            "tool_name": "replace",
            "tool_input": {
                "file_path": ".pre-commit-config.yaml",
                "old_string": "id: twoagent-hook",
                "new_string": "id: y",
            },
        },
    ),
    # Copilot CLI
    ("no-verify", {"timestamp": 1, "cwd": "/r", "toolName": "bash", "toolArgs": '{"command": "git commit -n"}'}),
    ("no-verify", {"toolName": "bash", "toolArgs": {"command": "git commit -n"}}),
    ("policy", {"toolName": "create", "toolArgs": '{"path": "/r/.twoagent-hook.toml", "file_text": "x"}'}),
    (
        "hook-files",
        {"toolName": "edit", "toolArgs": {"path": ".git/hooks/pre-commit", "old_str": "a", "new_str": "b"}},
    ),
    ("wiring", {"toolName": "delete_file", "toolArgs": {"path": ".pre-commit-config.yaml"}}),
    ("-", {"toolName": "view", "toolArgs": '{"path": "/r/.twoagent-hook.toml"}'}),
    ("-", {"toolName": "bash", "toolArgs": "{not json"}),
    # servers for the model context protocol
    ("no-verify", claude("mcp__git__commit", message="x", no_verify=True)),
    ("no-verify", claude("mcp__shell__run", cmd="git commit -n")),
    ("forge", claude("mcp__github__push_files", files=[])),
    ("-", claude("mcp__git__commit", message="x", no_verify=False)),
    # shapes that nobody knows
    ("no-verify", {"event": {"kind": "exec", "payload": {"command": "git commit -n"}}}),
    ("no-verify", {"calls": [{"cmd": ["git", "commit", "-n"]}]}),
    ("no-verify", {"tool": "terminal", "input": "git commit -n"}),
    ("-", {"event": {"kind": "exec", "text": "git commit -n"}}),
    ("-", {}),
    ("-", {"tool_name": None, "tool_input": None}),
    ("-", {"tool_name": 3, "tool_input": [1, {"a": None}], "cwd": []}),
]


@pytest.mark.parametrize(("reason", "event"), EVENTS)
def test_the_hooks_of_the_agents_are_understood(reason: str, event: Any) -> None:
    assert reason_of(guard.judge(events.read(json.dumps(event)))) == reason


@settings(database=None, deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(
            ["tool_name", "tool_input", "toolArgs", "command", "cwd", "file_path", "content", "edits", "x"]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=20)
            | st.sampled_from(["git commit -n", "*** Begin Patch\n*** Update File: x"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["command", "file_path", "content", "old_string", "edits", "path"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
    )
)
def test_no_event_breaks_it(event: dict[str, Any]) -> None:
    assert isinstance(guard.judge(events.read(json.dumps(event))), Allow | Deny)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"git commit -n"', "null", "[" * 5000, '{"a": ' * 2000])
def test_what_is_no_event_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="JSON"):
        events.read(text)


# --- the command -----------------------------------------------------------------------------------------------


def event_of(**given: Any) -> bytes:
    return json.dumps(claude(**given)).encode()


def test_a_refusal_is_two_and_two_lines_on_standard_error(repo: Repo) -> None:
    result = repo.run("guard", stdin=event_of(tool="Bash", command="git commit -n"))
    assert (result.code, result.out) == (2, "")
    what, do = result.err.splitlines()
    assert what.startswith("refused: `git commit -n` ")
    assert do.startswith("what to do: review first: ")
    by_hand = repo.run("guard", "--command", "git commit -n")
    assert (by_hand.code, by_hand.err) == (result.code, result.err)


@pytest.mark.parametrize("line", ["ls -la", "git commit -m x", "", "git status", "echo '"])
def test_what_may_go_on_is_zero_and_silence(repo: Repo, line: str) -> None:
    for result in (
        repo.run("guard", f"--command={line}"),
        repo.run("guard", stdin=event_of(tool="Bash", command=line)),
    ):
        assert (result.code, result.text) == (0, "")


def test_a_line_by_hand_happens_where_one_stands(repo: Repo) -> None:
    assert repo.run("guard", "--command", "cp .twoagent-hook.toml /nowhere/x").code == 0
    assert repo.run("guard", "--command", f"cp x {repo.root}/.twoagent-hook.toml").code == 2
    assert repo.run("guard", "--command", "cd /nowhere && rm -rf .git").code == 0
    assert repo.run("guard", "--command", f"cd /nowhere && rm -rf {repo.root}/.git").code == 2


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        ((), b""),
        ((), b"{"),
        ((), b"\xff\xfe\x00"),
        ((), b"[1]"),
        (("--frob",), b"{}"),
        (("--command",), b"{}"),
        (("git commit -n",), b"{}"),
    ],
)
def test_failures_of_its_own_are_one(repo: Repo, arguments: tuple[str, ...], stdin: bytes) -> None:
    result = repo.run("guard", *arguments, stdin=stdin)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("twoagent-hook guard: ")
    assert "Traceback" not in result.err


def test_they_are_one_inside_of_a_hook_as_well(repo: Repo) -> None:
    assert repo.run("guard", "--help", PRE_COMMIT="1").code == 1
    assert repo.run("guard", "--command", "git commit -n", PRE_COMMIT="1").code == 2


# Stands in for an installation without the extra: neither package can be found.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tree_sitter", "tree_sitter_bash"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from twoagent_hook import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_without_the_extra_it_says_so_and_is_no_refusal(repo: Repo) -> None:
    result = repo.python("-c", WITHOUT, "guard", "--command", "git commit -n")
    assert (result.code, result.out) == (1, "")
    assert "twoagent-hook[guard]" in result.err
    assert repo.python("-c", WITHOUT, "guard", "--command", "ls -la").code == 0


def test_a_defect_is_one(repo: Repo) -> None:
    broken = (
        "import sys\nfrom twoagent_hook import cli, guard\n"
        "def judge(call): raise ValueError(call)\nguard.judge = judge\nsys.exit(cli.main(sys.argv[1:]))"
    )
    result = repo.python("-c", broken, "guard", "--command", "git commit -n")
    assert result.code == 1
    assert "ValueError" in result.err
    assert "git commit" not in result.err


def test_a_reader_that_went_away_changes_no_code(repo: Repo) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        for arguments, code in ((("--command", "git commit -n"), 2), (("--frob",), 1)):
            done = subprocess.run([SCRIPT, "guard", *arguments], env=repo.environment, stderr=write, check=False)
            assert done.returncode == code
    finally:
        os.close(write)


def test_an_event_without_end_is_refused(repo: Repo) -> None:
    result = repo.run("guard", stdin=event_of(tool="Write", file_path="a", content="x" * (1 << 24)))
    assert result.code == 2
    assert "too long" in result.err


def test_the_file_as_it_is_tells_what_a_change_takes_out(repo: Repo) -> None:
    repo.write("pyproject.toml", PYPROJECT)
    repo.write(".claude/settings.json", SETTINGS)
    root = str(repo.root)

    def code(**given: Any) -> int:
        event = claude(**given) | {"cwd": root}
        return repo.run("guard", stdin=json.dumps(event).encode()).code

    pyproject = f"{root}/pyproject.toml"
    assert code(tool="Edit", file_path=pyproject, old_string='["dist"]', new_string='["**"]') == 2
    assert code(tool="Edit", file_path="pyproject.toml", old_string='["dist"]', new_string='["**"]') == 2
    assert code(tool="Edit", file_path=pyproject, old_string="x = 1", new_string="x = 2") == 0
    assert code(tool="Write", file_path=pyproject, content='[project]\nname = "x"\n') == 2
    assert code(tool="Write", file_path=f"{root}/.claude/settings.json", content="{}") == 2
    assert code(tool="Write", file_path=f"{root}/.claude/settings.json", content=SETTINGS + "\n") == 0


def test_it_starts_no_program_and_reads_no_settings(repo: Repo, tmp_path: Path) -> None:
    home = Path(repo.environment["XDG_CONFIG_HOME"]) / "twoagent-hook" / "config.toml"
    home.parent.mkdir(parents=True)
    home.write_text("this is no TOML [")
    repo.write(".twoagent-hook.toml", "nor this [")
    code = (
        "import sys\nfrom twoagent_hook import cli\nseen = []\n"
        "sys.addaudithook(lambda event, args: seen.append((event, str(args[0]))) "
        "if event in {'subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.fork', 'socket.connect', 'open'} else None)\n"
        "code = cli.main(['guard', '--command', 'git commit -n'])\n"
        "bad = [row for row in seen if row[0] != 'open' or 'config.toml' in row[1] or '.twoagent-hook.toml' in row[1]]\n"
        "print(code, bad, any(row[0] == 'open' for row in seen))"
    )
    assert repo.python("-c", code).out == "2 [] True\n"


def test_the_guide_names_every_code_and_the_extra() -> None:
    guide = (HERE.parent / "docs" / "guard.md").read_text(encoding="utf-8")
    assert all(f"| {code} |" in guide for code in (0, 1, 2))
    assert "twoagent-hook[guard]" in guide
    assert "a fence, not a wall" in guide.lower()
    snippet = guide.split("```json\n")[1].split("```")[0]
    (hook,) = json.loads(snippet)["hooks"]["PreToolUse"]
    assert hook["matcher"] == "Bash|Edit|Write|MultiEdit|NotebookEdit"
    assert hook["hooks"][0]["command"] == "twoagent-hook guard"
