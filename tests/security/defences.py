"""Switches off one defence after another in a copy of the project, and looks whether a test notices.

python tests/security/defences.py           # minutes; exits 1 where one is not noticed
python tests/security/defences.py --list    # only whether each is still where it is looked for
python tests/security/defences.py NAME …    # only these
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "twoagent_hook"


class Defence(NamedTuple):
    """One defence, and how it is switched off: `text` stands exactly once in `file`."""

    name: str
    file: str
    text: str
    instead: str
    tests: str  # as for `pytest -k`, in `module`
    module: str


R, D, G, O, S = (f"test_threats_{name}.py" for name in ("reviewer", "diff", "gate", "output", "state"))  # noqa: E741
HELD, VERIFY = "../test_held.py", "../test_verify.py"
DEFENCES = (
    Defence("--text in the diff", "snapshots.py", '    "--text",\n', "", "threat_18_text and nul", D),
    Defence(
        "an index and work tree of our own",
        "git.py",
        '"GIT_WORK_TREE": worktree or self.path("work"),\n                "GIT_INDEX_FILE": self.path(index),',
        '"GIT_WORK_TREE": self.location.worktree,\n                "GIT_INDEX_FILE": self.location.index_file,',
        "threat_14 or threat_58",
        D + " " + S,
    ),
    Defence("no replaced objects", "git.py", '    "GIT_NO_REPLACE_OBJECTS": "1",\n', "", "threat_13", D),
    Defence(
        "GIT_INDEX_FILE honoured", "git.py", '    "GIT_INDEX_FILE",\n    "GIT_CEIL', '    "GIT_CEIL', "23_the_index", D
    ),
    Defence(
        "the receipt is checked",
        "replies.py",
        "if parsed.verdict <= opens and not right:",
        "if False:",
        "threat_03 and receipt",
        R,
    ),
    Defence(
        "duplicate keys refused", "replies.py", "if len(found) != len(pairs):", "if False:", "threat_03 and key", R
    ),
    Defence("one verdict a reply", "replies.py", "if len(objects) > 1:", "if False:", "threat_03 and twice", R),
    Defence(
        "natural end",
        "replies.py",
        "if finish and finish not in NATURAL_ENDS:",
        "if False:",
        "threat_03 and did_not_end",
        R,
    ),
    Defence("no redirects", "backends/client.py", "follow_redirects=False", "follow_redirects=True", "threat_49", S),
    Defence("limit of a body", "backends/client.py", "if size > BODY_LIMIT:", "if False:", "51 and megabytes", S),
    Defence(
        "compressed replies refused",
        "backends/client.py",
        'if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:',
        "if False:",
        "51 and compressed",
        S,
    ),
    Defence(
        "one wall clock",
        "backends/endpoint.py",
        "async with asyncio.timeout(max(0.0, deadline - time.monotonic())):\n                async with client:",
        "async with asyncio.timeout(None):\n                async with client:",
        "50_an_answer and drip",
        S,
    ),
    Defence(
        "the policy of the base",
        "settings.py",
        'base = _policy(snapshot, trees.base, "HEAD")',
        'base = _policy(snapshot, trees.tree, "HEAD")',
        "28_the_policy or 28_a_policy",
        G,
    ),
    Defence("no relative home", "config.py", "if home and not os.path.isabs(home):", "if False:", "25_a_home", G),
    Defence("hand-only flags", "commands/review.py", "if environment.hook else []", "if False else []", "25_arg", G),
    Defence(
        "flags only tighten",
        "config.py",
        "    if hook:\n        _refuse",
        "    if False:\n        _refuse",
        "loosen",
        G,
    ),
    Defence(
        "rows are sealed", "records.py", "if seal.knows(_content(entry), entry", "if True or (entry", "threat_45", S
    ),
    Defence(
        "verdicts expire", "records.py", "datetime.fromisoformat(expires) > (now", "bool(expires) or (now", "44_an", S
    ),
    Defence("a block stands", "records.py", "next(iter(blocks), None) or", "None or", "44_a_second", S),
    Defence("a block in a part stands", "gate.py", "        if blocks:", "        if False:", "44_a_second", S),
    Defence(
        "the author of a kept verdict",
        "inquiry.py",
        "if policy.not_independent(named, self.author, self.config.independence) is not None:",
        "if False:",
        "44_an_old",
        S,
    ),
    Defence(
        "the index compared at the end",
        "git.py",
        "        if self.trees() != trees:",
        "        if False:",
        "41_add",
        S,
    ),
    Defence("control characters spelled", "visible.py", "return _HIDDEN.sub(_spell, text)", "return text", "36", O),
    Defence("gate-tampering", "screening/tampering.toml", '".pre-commit-config.yaml", ', "", "28_a_commit", G),
    Defence("hidden-text", "screening/__init__.py", "yield from hidden.find(file, name)", "pass", "06_text", R),
    Defence("prompt-injection", "screening/__init__.py", "yield from injection.find(file, name)", "pass", "01", R),
    Defence(
        "the model that answered",
        "asking.py",
        "policy.check_answered(review.answered, reviewer, question.author, question.config)",
        "pass",
        "55",
        S,
    ),
    Defence("the fence is new to the content", "prompts.py", "while fence in text:", "while False:", "threat_04", R),
    Defence(
        "an added secret blocks",
        "screening/__init__.py",
        'if hits and line.sign == "+":',
        "if False:",
        "34_an_added",
        O,
    ),
    Defence(
        "secrets are replaced",
        "screening/__init__.py",
        "redactor.hide(line.text, hits) if hits else line.text",
        "line.text",
        "34_a_secret_beside",
        O,
    ),
    Defence(
        "independence", "policy.py", "if reason is None]\n    if not", "or True]\n    if not", "08_the_author_as", R
    ),
    Defence("the last look", "inquiry.py", "        check_clean(prompts)\n", "", "34_the_last", O),
    Defence(
        "control tokens", "visible.py", "return _control_token().sub(_spell_first, text)", "return text", "05_words", R
    ),
    Defence("link-local addresses", "addresses.py", "    if _link_local(host):", "    if False:", "threat_54", S),
    Defence(
        "coverage", "parts.py", "                left_out.append(section.file)", "                pass", "21_evil", D
    ),
    Defence("plain http refused", "addresses.py", 'if parts.scheme == "http" and', "if False and", "threat_53", S),
    Defence(
        "a plan on record needs the seal",
        "given.py",
        'records.genuine((row for row in rows if isinstance(row.evidence.get("plan"), dict)), seal)',
        '[row for row in rows if isinstance(row.evidence.get("plan"), dict)]',
        "that_nobody_sealed",
        HELD,
    ),
    Defence(
        "the policy's plan comes first",
        "intent.py",
        "if config.plan is not None and (given is None or given.source == LOG):",
        "if config.plan is not None and given is None:",
        "policys_plan_comes_before",
        HELD,
    ),
    Defence("another plan, another question", "records.py", "        options.plan,\n", "", "another_plan_is", HELD),
    Defence(
        "a change can't widen its own plan",
        "intent.py",
        "intent = _made(base, path, path, (POLICY, BASE), config)",
        "intent = _made(staged or base, path, path, (POLICY, BASE), config)",
        "counts_as_it_is_in_head",
        HELD,
    ),
    Defence(
        "a hook judges the change",
        "commands/review.py",
        ', "plan_only")',
        ")",
        "hook_cant_put_a_plan",
        "../test_plan.py",
    ),
    Defence(
        "commands get no keys",
        "checkout.py",
        "if name not in secret and not any(",
        "if not any(",
        "users_environment_without_keys",
        VERIFY,
    ),
    Defence(
        "no model turns a no-go",
        "verification.py",
        "return Outcome.NO_GO if self.by_runs is Outcome.GO and doubted else self.by_runs",
        "return self.summary.verdict if self.summary else self.by_runs",
        "no_model_turns",
        VERIFY,
    ),
    Defence("the key masked", "backends/client.py", 'body = body.replace(value.encode(), b"***")', "pass", "35", O),
)


def problems() -> list[str]:
    """The defences that are not where they are looked for."""
    found = []
    for defence in DEFENCES:
        count = (ROOT / PACKAGE / defence.file).read_text(encoding="utf-8").count(defence.text)
        if count != 1:
            found.append(f"{defence.name}: its text stands {count} times in {defence.file}")
    return found


_PROBE = f"""
import os, {PACKAGE}
def pytest_sessionfinish(session):
    assert os.path.realpath({PACKAGE}.__file__).startswith(os.environ["DEFENCES_COPY"]), {PACKAGE}.__file__
    print("the copy was imported")
"""


def run(defence: Defence | None) -> tuple[str, float]:
    """How the tests end without the defence (without any change: all tests that guard one)."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="defences-") as folder:
        copy = Path(folder).resolve()
        ignored = shutil.ignore_patterns("__pycache__", "golden")
        for name in (PACKAGE, "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", copy)
        (copy / "probe_of_the_copy.py").write_text(_PROBE)
        if defence is not None:
            path = copy / PACKAGE / defence.file
            text = path.read_text(encoding="utf-8").replace(defence.text, defence.instead)
            if path.suffix == ".py":
                compile(text, str(path), "exec")
            path.write_text(text, encoding="utf-8")
        guards = [defence] if defence else list(DEFENCES)
        modules = sorted({f"tests/security/{module}" for guard in guards for module in guard.module.split()})
        chosen = " or ".join(f"({guard.tests})" for guard in guards)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            "-p",
            "probe_of_the_copy",
        ]
        command += [*modules, "-k", chosen, *(["-x"] if defence else [])]
        variables = os.environ | {"PYTHONPATH": str(copy), "DEFENCES_COPY": str(copy)}
        done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    seconds = time.monotonic() - started
    if "the copy was imported" not in output:
        return f"BROKEN: the copy is not what was tested\n{output[-1500:]}", seconds
    if defence is None:
        return ("passed" if done.returncode == 0 else f"BROKEN: fails as it is\n{output[-3000:]}"), seconds
    if done.returncode == 1 and " failed" in output:
        return "caught", seconds
    return ("NOT caught" if done.returncode == 0 else f"BROKEN: pytest ended with {done.returncode}"), seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-baseline", action="store_true", help="skip the run in which nothing is switched off")
    arguments = parser.parse_args()
    wrong = problems()
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    chosen = [defence for defence in DEFENCES if not arguments.names or defence.name in arguments.names]
    if arguments.list:
        print("\n".join(f"{defence.name}  ({defence.file})" for defence in chosen))
        return 0
    if not arguments.no_baseline:
        result, seconds = run(None)
        print(f"{'as it is':36} {'all of these':28} {result}  {seconds:.0f} s", flush=True)
        if result != "passed":
            return 1
    with ThreadPoolExecutor(arguments.jobs) as pool:
        bad = 0
        for defence, (result, seconds) in zip(chosen, pool.map(run, chosen), strict=True):
            print(f"{defence.name:36} {defence.tests:28} {result}  {seconds:.0f} s", flush=True)
            bad += result != "caught"
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
