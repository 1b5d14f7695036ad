"""Whether a change that removes or weakens the gate is found, and one that does not is left alone."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twoagent_hook import config
from twoagent_hook.findings import Effect
from twoagent_hook.keys import Layer
from twoagent_hook.screening import tampering
from twoagent_hook.screening.tampering import Gate, Texts

YAML = ".pre-commit-config.yaml"
PREK = "prek.toml"
HUSKY, LEFTHOOK, PACKAGE, MAKE = ".husky/pre-commit", "lefthook.yml", "package.json", "Makefile"
CI = ".github/workflows/ci.yml"

# Each: what is done, the file, its text before and after, and what the findings do, the worst one each.
Case = tuple[str, str, str | None, str | None, str]

LIST = """\
repos:
  - repo: https://github.com/astral-sh/ruff-pre-commit
    rev: v0.6.0
    hooks:
      - id: ruff
  - repo: https://github.com/example/twoagent-hook
    rev: v1.0.0
    hooks:
      - id: twoagent-hook
        args: [--fail-on, request-changes]
      - id: twoagent-hook-push
        stages: [pre-push]
"""
LOCAL = """\
repos:
  - repo: local
    hooks:
      - id: review
        name: review
        entry: twoagent-hook review
        language: system
        always_run: true
"""
TWICE = """\
repos:
  - repo: https://github.com/example/twoagent-hook
    rev: v1.0.0
    hooks:
      - id: twoagent-hook
      - id: twoagent-hook
        args: [--reviewer, "a:b"]
"""
ANCHORS = """\
common: &common
  args: [--fail-on, request-changes]
repos:
  - repo: https://github.com/example/twoagent-hook
    rev: v1.0.0
    hooks:
      - id: twoagent-hook
        <<: *common
"""
OTHER_LIST = (
    "repos:\n  - repo: local\n    hooks:\n      - id: ruff\n        entry: ruff check\n        language: system\n"
)
TOML = """\
[[repos]]
repo = "https://github.com/example/twoagent-hook"
rev = "v1.0.0"
hooks = [{ id = "twoagent-hook" }]
"""
BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)


def swap(text: str, *pairs: tuple[str, str]) -> str:
    """The text with each first place replaced, which has to be there."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


PUSH = "      - id: twoagent-hook-push\n        stages: [pre-push]\n"
OURS = LIST[LIST.index("  - repo: https://github.com/example") :]
ARGS = "        args: [--fail-on, request-changes]\n"

FRAMEWORKS: list[Case] = [
    ("entry removed", YAML, LIST, swap(LIST, (OURS, "")), "block"),
    (
        "entry commented out",
        YAML,
        LIST,
        swap(LIST, (OURS, OURS.replace("  -", "#  -").replace("   ", "#  "))),
        "block",
    ),
    ("one of two removed", YAML, LIST, swap(LIST, (PUSH, "")), "block"),
    ("args removed", YAML, LIST, swap(LIST, (ARGS, "")), "block"),
    ("args changed", YAML, LIST, swap(LIST, ("request-changes]", "block]")), "block"),
    ("args added", YAML, LIST, swap(LIST, (PUSH, PUSH + "        args: [--exit-zero]\n")), "block"),
    ("stages to manual", YAML, LIST, swap(LIST, ("[pre-push]", "[manual]")), "block"),
    ("exclude added", YAML, LIST, swap(LIST, (ARGS, ARGS + "        exclude: .*\n")), "block"),
    ("files added", YAML, LIST, swap(LIST, (ARGS, ARGS + "        files: ^never$\n")), "block"),
    ("entry of ours to true", YAML, LOCAL, swap(LOCAL, ("twoagent-hook review", "true")), "block"),
    ("entry made harmless", YAML, LIST, swap(LIST, (ARGS, ARGS + '        entry: "true"\n')), "block"),
    ("always_run off", YAML, LOCAL, swap(LOCAL, ("always_run: true", "always_run: false")), "block"),
    ("always_run removed", YAML, LOCAL, swap(LOCAL, ("        always_run: true\n", "")), "block"),
    ("language to fail-safe", YAML, LOCAL, swap(LOCAL, ("language: system", "language: pygrep")), "block"),
    ("another repository", YAML, LIST, swap(LIST, ("example/twoagent-hook", "evil/twoagent-hook")), "block"),
    ("repository of another name", YAML, LIST, swap(LIST, ("example/twoagent-hook", "evil/hooks")), "block"),
    ("rev removed", YAML, LIST, swap(LIST, ("    rev: v1.0.0\n", "")), "block"),
    (
        "one of the same id removed",
        YAML,
        TWICE,
        swap(TWICE, ("      - id: twoagent-hook\n        args", "#")),
        "block",
    ),
    ("args of an anchor", YAML, ANCHORS, swap(ANCHORS, ("request-changes]", "block]")), "block"),
    ("file deleted", YAML, LIST, None, "block"),
    ("file emptied", YAML, LIST, "", "block"),
    ("file is no YAML", YAML, LIST, "repos: [\n", "block"),
    ("file is no mapping", YAML, LIST, "- a\n", "block"),
    ("repos is no list", YAML, LIST, "repos: twoagent-hook\n", "block"),
    ("file of aliases without end", YAML, LIST, BOMB + LIST, "block"),
    ("TOML entry removed", PREK, TOML, "repos = []\n", "block"),
    ("TOML args", PREK, TOML, swap(TOML, ('hook" }]', 'hook", args = ["--exit-zero"] }]')), "block"),
    ("TOML is none", PREK, TOML, "[[repos]\n", "block"),
    ("rev bump", YAML, LIST, swap(LIST, ("v1.0.0", "v1.1.0")), "note"),
    ("rev bump in TOML", PREK, TOML, swap(TOML, ("v1.0.0", "v1.1.0")), "note"),
    (
        "a dependency pinned",
        YAML,
        LIST,
        swap(LIST, (ARGS, ARGS + "        additional_dependencies: [x==1]\n")),
        "note",
    ),
    ("a name of its own", YAML, LIST, swap(LIST, (ARGS, ARGS + "        name: the gate\n")), "note"),
    ("another of ours added", YAML, swap(LIST, (PUSH, "")), LIST, "note"),
    ("exclude of the whole list", YAML, LIST, "exclude: ^docs/\n" + LIST, "note"),
    ("default stages", YAML, LIST, "default_stages: [manual]\n" + LIST, "note"),
    ("moved within the file", YAML, LIST, "repos:\n" + OURS + LIST[7 : LIST.index(OURS)], ""),
    ("another hook added", YAML, LIST, swap(LIST, ("      - id: ruff\n", "      - id: ruff\n      - id: x\n")), ""),
    ("another hook removed", YAML, LIST, "repos:\n" + OURS, ""),
    ("another hook bumped", YAML, LIST, swap(LIST, ("v0.6.0", "v0.7.0")), ""),
    ("comment added", YAML, LIST, "# lists twoagent-hook\n" + LIST, ""),
    ("comment on a line", YAML, LIST, swap(LIST, ("id: twoagent-hook\n", "id: twoagent-hook  # gate\n")), ""),
    ("quotes", YAML, LIST, swap(LIST, ("id: twoagent-hook\n", 'id: "twoagent-hook"\n')), ""),
    (
        "args written out",
        YAML,
        LIST,
        swap(LIST, (ARGS, "        args:\n        - --fail-on\n        - request-changes\n")),
        "",
    ),
    (
        "anchor instead of text",
        YAML,
        swap(ANCHORS, ("<<: *common", "args: [--fail-on, request-changes]")),
        ANCHORS,
        "",
    ),
    ("blank lines", YAML, LIST, LIST.replace("  - repo", "\n\n  - repo"), ""),
    ("CRLF", YAML, LIST, LIST.replace("\n", "\r\n"), ""),
    (
        "YAML as JSON",
        YAML,
        LOCAL,
        (
            '{"repos": [{"repo": "local", "hooks": [{"id": "review", "name": "review", '
            '"entry": "twoagent-hook review", "language": "system", "always_run": true}]}]}'
        ),
        "",
    ),
    ("unreadable before, mended", YAML, "repos: [twoagent-hook\n", LIST, "note"),
    ("a list without us", YAML, OTHER_LIST, "repos: []\n", ""),
    ("a list without us deleted", YAML, OTHER_LIST, None, ""),
    ("set up for the first time", YAML, None, LIST, ""),
    ("added to a list", YAML, OTHER_LIST, LIST, ""),
    ("TOML formatted", PREK, TOML, swap(TOML, ('{ id = "twoagent-hook" }', '{id="twoagent-hook"}')), ""),
]

GITHUB = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: pytest
  gate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - name: gate
        run: pipx run twoagent-hook==1.0.0 check --range "$BASE..$HEAD"
      - run: make docs
"""
GATE_JOB = GITHUB[GITHUB.index("  gate:") :]
GATE_STEP = GITHUB[GITHUB.index("      - name: gate") : GITHUB.index("      - run: make")]
TEST_STEP = "      - run: pytest\n"
SHELL = "#!/bin/sh\nnpm test\ntwoagent-hook review\n"
LEFT = "pre-commit:\n  commands:\n    gate:\n      run: twoagent-hook review\n    lint:\n      run: ruff check\n"
JSON = '{\n  "scripts": {\n    "lint": "eslint",\n    "precommit": "twoagent-hook review"\n  }\n}\n'
RULES = "check: lint\n\ttwoagent-hook review\nlint:\n\truff check\n"
GITLAB = "gate:\n  script:\n    - twoagent-hook check\nlint:\n  script:\n    - ruff check\n"
UNDER = "        run: pipx"


def ci(*pairs: tuple[str, str]) -> str:
    return swap(GITHUB, *pairs)


SCRIPTS: list[Case] = [
    ("line removed", HUSKY, SHELL, "#!/bin/sh\nnpm test\n", "block"),
    ("line commented out", HUSKY, SHELL, swap(SHELL, ("twoagent", "# twoagent")), "block"),
    ("|| true", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review || true")), "block"),
    ("|| true on the next line", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review \\\n  || true")), "block"),
    ("; true", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review; true")), "block"),
    ("in the background", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review &")), "block"),
    ("exit before it", HUSKY, SHELL, swap(SHELL, ("npm test", "npm test\nexit 0")), "block"),
    ("exit behind it", HUSKY, SHELL, SHELL + "exit 0\n", "block"),
    ("set +e", HUSKY, SHELL, swap(SHELL, ("npm test", "set +e\nnpm test")), "block"),
    (
        "if false",
        HUSKY,
        SHELL,
        swap(SHELL, ("twoagent", "if false; then\ntwoagent"), ("review\n", "review\nfi\n")),
        "block",
    ),
    ("--exit-zero", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review --exit-zero")), "block"),
    ("--isolated", HUSKY, SHELL, swap(SHELL, ("hook review", "hook review --isolated")), "block"),
    ("another loose line beside it", HUSKY, SHELL, SHELL + "twoagent-hook log || true\n", "block"),
    ("hook deleted", HUSKY, SHELL, None, "block"),
    ("hook emptied", HUSKY, SHELL, "", "block"),
    ("githooks line removed", ".githooks/pre-commit", SHELL, "#!/bin/sh\n", "block"),
    ("lefthook removed", LEFTHOOK, LEFT, LEFT.replace("      run: twoagent-hook review\n", ""), "block"),
    ("lefthook skip", LEFTHOOK, LEFT, swap(LEFT, ("hook review\n", "hook review\n      skip: true\n")), "block"),
    ("lefthook deleted", LEFTHOOK, LEFT, None, "block"),
    ("package.json script", PACKAGE, JSON, swap(JSON, ("twoagent-hook review", "true")), "block"),
    ("make recipe removed", MAKE, RULES, swap(RULES, ("\ttwoagent-hook review\n", "")), "block"),
    ("make ignores it", MAKE, RULES, swap(RULES, ("\ttwo", "\t-two")), "block"),
    ("step removed", CI, GITHUB, ci((GATE_STEP, "")), "block"),
    ("job removed", CI, GITHUB, ci((GATE_JOB, "")), "block"),
    ("step commented out", CI, GITHUB, ci((GATE_STEP, GATE_STEP.replace("      ", "      # "))), "block"),
    ("workflow deleted", CI, GITHUB, None, "block"),
    ("step || true", CI, GITHUB, ci(('$HEAD"', '$HEAD" || true')), "block"),
    ("continue-on-error", CI, GITHUB, ci((UNDER, "        continue-on-error: true\n" + UNDER)), "block"),
    ("continue-on-error behind", CI, GITHUB, ci(('HEAD"\n', 'HEAD"\n        continue-on-error: true\n')), "block"),
    (
        "continue-on-error computed",
        CI,
        GITHUB,
        ci((UNDER, "        continue-on-error: ${{ true }}\n" + UNDER)),
        "block",
    ),
    ("continue-on-error of the job", CI, GITHUB, ci(("  gate:\n", "  gate:\n    continue-on-error: true\n")), "block"),
    ("step if: false", CI, GITHUB, ci((UNDER, "        if: false\n" + UNDER)), "block"),
    ("step if: ${{ false }}", CI, GITHUB, ci((UNDER, "        if: ${{ false }}\n" + UNDER)), "block"),
    ("if: false first in its step", CI, GITHUB, ci(("- name: gate", "- if: false\n        name: gate")), "block"),
    ("job if: false", CI, GITHUB, ci(("  gate:\n", "  gate:\n    if: false\n")), "block"),
    ("a range that is empty", CI, GITHUB, ci(("$BASE..$HEAD", "HEAD..HEAD")), "block"),
    ("allow_failure", ".gitlab-ci.yml", GITLAB, swap(GITLAB, ("gate:\n", "gate:\n  allow_failure: true\n")), "block"),
    ("when: never", ".gitlab-ci.yml", GITLAB, swap(GITLAB, ("gate:\n", "gate:\n  when: never\n")), "block"),
    ("moved to another job", CI, GITHUB, ci((GATE_STEP, ""), (TEST_STEP, TEST_STEP + GATE_STEP)), ""),
    ("new pin", CI, GITHUB, ci(("hook==1.0.0", "hook==1.2.0")), "note"),
    ("new pin by @", CI, GITHUB.replace("==1.0.0", "@v1"), GITHUB.replace("==1.0.0", "@v2"), "note"),
    ("other step changed", CI, GITHUB, ci(("pytest", "pytest -q")), ""),
    ("other step removed", CI, GITHUB, ci(("      - run: make docs\n", "")), ""),
    ("other step may fail", CI, GITHUB, ci(("docs\n", "docs\n        continue-on-error: true\n")), ""),
    ("the step above may fail", CI, GITHUB, ci(("@v4\n", "@v4\n        continue-on-error: true\n")), ""),
    ("other job off", CI, GITHUB, ci(("  test:\n", "  test:\n    if: false\n")), ""),
    ("continue-on-error: false", CI, GITHUB, ci((UNDER, "        continue-on-error: false\n" + UNDER)), ""),
    ("continue-on-error removed", CI, ci((UNDER, "        continue-on-error: true\n" + UNDER)), GITHUB, ""),
    ("if: always()", CI, GITHUB, ci((UNDER, "        if: always()\n" + UNDER)), ""),
    ("comment in CI", CI, GITHUB, "# twoagent-hook || true\n" + GITHUB, ""),
    ("indentation", HUSKY, SHELL, swap(SHELL, ("twoagent", "  twoagent")), ""),
    ("other line of the hook", HUSKY, SHELL, swap(SHELL, ("npm test", "npm run test || true")), ""),
    ("line moved in the hook", HUSKY, SHELL, "#!/bin/sh\ntwoagent-hook review\nnpm test\n", ""),
    ("comment in the hook", HUSKY, SHELL, SHELL + "# twoagent-hook is the gate\n", ""),
    ("comment removed", HUSKY, SHELL + "# twoagent-hook is the gate\n", SHELL, ""),
    ("hook set up", HUSKY, None, SHELL, ""),
    ("line added to a hook", HUSKY, "#!/bin/sh\n", SHELL, ""),
    ("other lefthook command skipped", LEFTHOOK, LEFT, LEFT + "      skip: true\n", ""),
    ("lefthook comment", LEFTHOOK, LEFT, "# all of them\n" + LEFT, ""),
    ("other script of package.json", PACKAGE, JSON, swap(JSON, ('"eslint"', '"eslint ."')), ""),
    ("other recipe", MAKE, RULES, swap(RULES, ("ruff check", "ruff check . || true")), ""),
    ("a workflow without us", CI, "on: push\n", None, ""),
    ("other job allowed to fail", ".gitlab-ci.yml", GITLAB, GITLAB + "  allow_failure: true\n", ""),
    ("generated files marked", ".gitattributes", "*.py text\n", "*.py text\nsrc/** linguist-generated\n", "note"),
    ("no diff", ".gitattributes", None, "*.py -diff\n", "note"),
    ("line endings", ".gitattributes", "", "*.py text eol=lf\n", ""),
    ("mark taken out", ".gitattributes", "*.py linguist-generated\n", "", ""),
    ("a guideline deleted", "AGENTS.md", "Be strict.\n", None, "block"),
    ("a guideline edited", "AGENTS.md", "Be strict.\n", "Be kind.\n", "note"),
    ("a guideline that runs the gate edited", "AGENTS.md", "Run twoagent-hook.\n", "Be kind.\n", "note"),
]


def worst(found: list[str]) -> str:
    return "block" if "block" in found else "note" if "note" in found else ""


def effects(texts: dict[str, Texts], gate: Gate) -> str:
    """What the findings do, the worst of them."""
    watched = tampering.watched(texts, gate)
    found = list(tampering.find({path: text for path, text in texts.items() if path in watched}, gate))
    assert all(finding.kind == "gate-tampering" for finding in found)
    assert all(finding.title.isprintable() and len(finding.title) < 300 for finding in found)
    return worst(["note" if finding.effect is Effect.NOTE else "block" for finding in found])


@pytest.mark.parametrize(
    ("path", "before", "after", "effect"),
    [pytest.param(*case[1:], id=f"{case[1]}: {case[0]}") for case in FRAMEWORKS + SCRIPTS],
)
def test_what_weakens_the_gate_is_found_and_nothing_else(
    path: str, before: str | None, after: str | None, effect: str
) -> None:
    gate = Gate(Layer("HEAD", {}), Layer("staged", {}), ("AGENTS.md",))
    assert effects({path: Texts(before, after)}, gate) == effect


def test_the_gate_may_move_from_one_framework_to_another() -> None:
    only = LIST.replace(PUSH, "")
    gate = Gate(Layer("HEAD", {}), Layer("staged", {}))
    assert effects({YAML: Texts(only, None), PREK: Texts(None, TOML)}, gate) == ""
    assert effects({YAML: Texts(LIST, None), PREK: Texts(None, TOML)}, gate) == "block"


@pytest.mark.parametrize(
    ("old", "text", "new", "after", "effect"),
    [
        (CI, GITHUB, ".github/workflows/gate.yaml", GITHUB, ""),
        (CI, GITHUB, ".github/workflows/gate.yml", GITHUB + "# more\n", ""),
        (CI, GITHUB, ".github/workflows/gate.yml", "on: push\n", "block"),
        (CI, GITHUB, ".github/workflows/gate.yml.disabled", GITHUB, "block"),
        (CI, GITHUB, ".github/gate.yml", GITHUB, "block"),
        (CI, GITHUB, "docs/ci.yml", GITHUB, "block"),
        (CI, GITHUB, CI.replace("ci", "all"), GITHUB.replace("on: push", "on: [push, pull_request]"), "note"),
        (CI, GITHUB, CI.replace("ci", "all"), GITHUB.replace("on: push", "on: workflow_dispatch"), "block"),
        (HUSKY, SHELL, ".husky/pre-push", SHELL, "block"),  # it would not run before a commit any more
        (HUSKY, SHELL, "hooks/pre-commit", SHELL, "block"),  # nor would it there
    ],
)
def test_only_a_workflow_may_have_another_name(old: str, text: str, new: str, after: str, effect: str) -> None:
    gate = Gate(Layer("HEAD", {}), Layer("staged", {}))
    assert effects({old: Texts(text, None), new: Texts(None, after)}, gate) == effect


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ("on: push", "on: [push]", ""),
        ("on: push", '"on": push', ""),
        ("on: push", "on:\n  push:", ""),
        ("on: push", "on: [push, pull_request]", "note"),
        ("on: [push, pull_request]", "on: push", "block"),
        ("on: [push, pull_request]", "on: pull_request", "block"),
        ("on: push", "on: workflow_dispatch", "block"),
        ("on: push", "", "block"),
        ("on: push", "on:\n  push:\n    branches: [none]", "note"),
        ("on: push", "on: {push: {paths-ignore: ['**']}}", "note"),
        ("on: push", "on: *nobody", "block"),
    ],
)
def test_when_a_workflow_with_the_gate_is_run(before: str, after: str, effect: str) -> None:
    texts = Texts(*(GITHUB.replace("on: push", half) for half in (before, after)))
    assert effects({CI: texts}, Gate(Layer("HEAD", {}), Layer("staged", {}))) == effect
    other = Texts(*(half.replace("twoagent-hook", "another") for half in texts if half))
    assert effects({CI: other}, Gate(Layer("HEAD", {}), Layer("staged", {}))) == ""


@pytest.mark.parametrize(("gated", "effect"), [(True, "block"), (False, "")])
def test_a_list_that_prek_reads_in_place_of_the_one_with_the_gate(gated: bool, effect: str) -> None:
    gate = Gate(Layer("HEAD", {}), Layer("staged", {})) if gated else Gate()
    assert effects({PREK: Texts(None, "repos = []\n")}, gate) == effect
    assert effects({PREK: Texts(None, TOML)}, gate) == ""


# --- whatever the files hold --------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *(LIST, LOCAL, OURS, GITHUB, SHELL, "repos:\n", "- repo: local\n", "  hooks:\n", "    - id: twoagent-hook\n"),
        *("&a ", "*a", "<<: *a\n", "!!timestamp x", "!!int ''", "!!python/object:os.system x", "!!set {a}", "? [a]\n"),
        *(
            "{",
            "}",
            "[",
            "]",
            ": ",
            "- ",
            "\n",
            "\t",
            "'",
            '"',
            "|\n",
            "---\n",
            "%YAML 9.9\n",
            "\0",
            "\ufeff",
            "\x1b[2J",
        ),
        *("on: ", "true: ", "jobs: ", "twoagent-hook", "[" * 500, "9" * 5000, "0o8", "2001-99-99", ".inf", "\ud800"),
    ]
)
ANY_FILE = st.none() | st.lists(PIECES | st.text(max_size=8), max_size=8).map("".join)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from([YAML, PREK, CI, HUSKY, LEFTHOOK, PACKAGE, ".gitattributes"]), ANY_FILE, ANY_FILE)
@example(YAML, "twoagent-hook: !!timestamp x", "!!int ''")
@example(YAML, LIST, "a: &a [1, 2]\nb: {<<: [*a, *a]}\n" + LIST)
def test_any_two_texts_are_compared(path: str, before: str | None, after: str | None) -> None:
    gate = Gate(Layer("HEAD", {}), Layer("staged", {}))
    assert effects({path: Texts(before, after)}, gate) in {"", "note", "block"}
    assert effects({path: Texts(before, before)}, gate) == ""


# --- the policy ---------------------------------------------------------------------------------------------

RULES_LIST = ("secret", "gate-tampering", "conflict-marker")
DISMISS = '[[dismiss]]\nid = "0123456789ab"\nreason = "a test value"\n'
POLICIES: list[tuple[str, str, str]] = [  # before, after, what the worst finding does
    ('fail-on = "request-changes"', 'fail-on = "block"', "block"),
    ('fail-on = "request-changes"', "", "block"),
    ("", 'fail-on = "request-changes"', "note"),
    ("", 'fail-on = "block"', ""),
    ('fail-on = "block"', "", ""),
    ("", 'on-error = "allow"', "block"),
    ("", 'on-error = "defer"', "block"),
    ('on-error = "defer"', 'on-error = "allow"', "block"),
    ('on-error = "allow"', 'on-error = "block"', "note"),
    ('on-error = "allow"', "", "note"),
    ('on-error = "block"', "", ""),
    ('independence = "family"', 'independence = "model"', "block"),
    ('independence = "family"', "", "block"),
    ("", 'independence = "family"', "note"),
    ("", 'independence = "model"', ""),
    ('reviewers = ["a:b"]', 'reviewers = ["rules"]', "block"),
    ("", 'reviewers = ["rules"]', "block"),
    ('reviewers = ["a:b"]', 'reviewers = ["a:c"]', "note"),
    ('reviewers = ["a:b"]', "", "note"),
    ('reviewers = ["rules"]', 'reviewers = ["a:b"]', "note"),
    ("timeout = 90", "timeout = 30", "note"),
    ("max-input-tokens = 24000", "max-input-tokens = 4000", "note"),
    ("max-requests = 3", "max-requests = 1", "note"),
    ("concurrency = 4", "", "note"),
    ('author = "gpt-5.5"', "", "note"),
    ("", 'exclude = ["*.py"]', "block"),
    ('exclude = ["*.svg"]', 'exclude = ["*.svg", "src/"]', "block"),
    ('exclude = ["*.svg"]', "", "note"),
    ('exclude = ["*.svg", "a"]', 'exclude = ["a", "*.svg"]', ""),
    ('exclude = ["docs/*", "!docs/a"]', 'exclude = ["docs/*"]', "block"),
    ('exclude = ["docs/*"]', 'exclude = ["docs/*", "!docs/a"]', "note"),
    ('exclude = ["docs/*", "!docs/a"]', 'exclude = ["!docs/a", "docs/*"]', "block"),
    ("", 'skip = ["docs"]', "block"),
    ('skip = ["docs"]', "", "note"),
    ("", "record-expiry = 90", "note"),
    ("", 'defer = "human"', "block"),
    ('defer = "human"', 'defer = "anyone"', "block"),
    ('defer = "anyone"', "", "note"),
    ("", 'defer = "off"', ""),
    ("", 'defer-branches = ["*"]', "block"),
    ('defer-branches = ["*"]', "", "note"),
    ('protect = ["ci/"]', "", "block"),
    ('protect = ["ci/"]', 'protect = ["ci/", "!ci/a"]', "block"),
    ('protect = ["ci/*", "!ci/a"]', 'protect = ["ci/*"]', "note"),
    ("", 'protect = ["ci/"]', "note"),
    ("", 'plan = "plan.md"', "note"),
    ('plan = "plan.md"', 'plan = "next/plan.md"', "note"),
    ('plan = "plan.md"', "", "block"),
    ("", 'verify-commands = ["make test"]', "note"),
    ('verify-commands = ["make test"]', 'verify-commands = ["true"]', "block"),
    ('verify-commands = ["! grep x y"]', "", "block"),
    ('verify-commands = ["make test"]', 'verify-commands = ["make test", ["pytest", "-q"]]', "note"),
    ('verify-commands = [["pytest", "-q"]]', 'verify-commands = ["pytest -q"]', ""),
    ("", '[roles]\nplanner = "a:b"', "note"),
    ('[roles]\nimplementer = "a:b"', '[roles]\nimplementer = "a:c"', "block"),
    ('[roles]\nimplementer = "a:b"', "", "block"),
    ("", '[roles]\nimplementer = "a:b"', "note"),
    ('[roles]\nreviewer = "a:b"', '[roles]\nreviewer = "a:c"', "note"),
    ('guidelines = ["AGENTS.md"]', "guidelines = []", "block"),
    ("", 'guidelines = ["AGENTS.md"]', "note"),
    ("", 'secret-fixtures = ["tests/"]', "block"),
    ('secret-fixtures = ["tests/"]', "", "note"),
    ("", DISMISS, "block"),
    (DISMISS, "", "note"),
    (DISMISS, DISMISS.replace("test", "dummy"), ""),
    ("", 'rules = {secret = "note"}', "block"),
    ("", 'rules = {gate-tampering = "off"}', "block"),
    ("", 'rules = {conflict-marker = "request-changes"}', "block"),
    ('rules = {symlink = "block"}', "", "block"),
    ("", 'rules = {symlink = "block"}', "note"),
    ('rules = {secret = "note"}', "rules = {}", "note"),
    ("", 'rules = {secret = "block"}', ""),
    ('rules = {secret = "block"}', "", ""),
    ("", 'prompt = "project"', ""),
    ('prompt = "project"', "", ""),
    ("", 'prompt = "seed"', "block"),
    ('prompt = "own.md"', "", "block"),
    ('prompt = "own.md"', 'prompt = "other.md"', "block"),
    ("# a comment\ntimeout = 90", "timeout=90.0", ""),
]


def layer(text: str | None, file: str = config.POLICY_FILE) -> Layer | None:
    return config.policy_layer({file: text}, "HEAD")


@pytest.mark.parametrize(("before", "after", "effect"), POLICIES, ids=lambda text: text.replace("\n", " ") or "-")
def test_a_step_of_the_policy(before: str, after: str, effect: str) -> None:
    assert effects({}, Gate(layer(before), layer(after))) == effect


def test_every_key_of_the_policy_is_weakened_or_changed_here() -> None:
    tried = " ".join(before + after for before, after, _ in POLICIES)
    assert [key for key in config.POLICY if key not in tried] == []


def test_the_policy_can_not_be_removed() -> None:
    (finding,) = tampering.find({}, Gate(layer("timeout = 90"), None))
    assert (finding.effect, finding.file) == (None, ".twoagent-hook.toml")


@pytest.mark.parametrize(("value", "effect"), [('"request-changes"', ""), ('"block"', "block")])
def test_the_policy_may_move_from_one_file_to_the_other(value: str, effect: str) -> None:
    before = layer('fail-on = "request-changes"')
    after = layer(f"[tool.twoagent-hook]\nfail-on = {value}\n", "pyproject.toml")
    assert effects({}, Gate(before, after)) == effect
    assert effects({}, Gate(after, before)) == ("note" if effect else "")


def test_nothing_of_a_policy_is_held_against_its_first_commit() -> None:
    assert effects({}, Gate(None, layer('on-error = "allow"'))) == ""
