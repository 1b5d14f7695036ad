"""What the hook itself costs, as ratios to a floor; medians of interleaved runs with their range.

Run it by `make bench`; it prints tables and writes docs/benchmarks.md. Every figure is of a whole process. The reviewer
is a server on loopback that answers at once, or after a second where that is said, so that nothing of a model's time is
in it.
"""

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import peers
import screening
from ground import BIN, FLOOR, LIGHT_FLOOR, QUICK_FLOOR, ROOT, SCRIPT, answer, environment, verdict

SIZES = (1, 5, 50, 500, 5000)
LARGE = 200 << 20  # bytes
PARTS = ((3, 4), (8, 4), (10, 4), (12, 8))  # requests of one second each, and how many at once


class Handler(BaseHTTPRequestHandler):
    """Approves whatever it is asked about; after a second where the path says so."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        Handler.asked += 1
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/slow/"):
            time.sleep(1)
        message = {"role": "assistant", "content": verdict(request["messages"][-1]["content"])}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        answer(self, json.dumps({"id": "1", "object": "chat.completion", "model": "bench", "choices": [choice]}))

    def log_message(self, *values: object) -> None:
        pass


# --- places -------------------------------------------------------------------------------------------------------


def repository(folder: Path, files: int, environment: dict[str, str]) -> Path:
    """A repository in which `files` Python files are changed and staged."""
    git = _begun(folder, environment)
    for number in range(max(files, 1)):
        (folder / f"module_{number}.py").write_text(
            "".join(f"def f{line}(x):\n    return x + {line}\n" for line in range(20))
        )
    git("add", "-A")
    git("commit", "-qm", "base")
    for number in range(files):
        path = folder / f"module_{number}.py"
        path.write_text(path.read_text().replace("x + 7", "x - 7").replace("x + 15", "x * 15"))
    git("add", "-A")
    return folder


def parted(folder: Path, parts: int, environment: dict[str, str]) -> Path:
    """A repository in which so many new files are staged, each of which fills most of a request of 4,000 tokens."""
    git = _begun(folder, environment)
    git("commit", "-q", "--allow-empty", "-m", "base")
    for number in range(parts):
        (folder / f"part_{number}.py").write_text(
            "".join(f"value_{number}_{line} = 'aaaaaaaaaaaaaa'\n" for line in range(110))
        )
    git("add", "-A")
    return folder


def enormous(folder: Path, environment: dict[str, str]) -> Path:
    """A repository in which a text of 200 MB is staged, beside a small change."""
    git = _begun(folder, environment)
    (folder / "a.py").write_text("x = 1\n")
    git("add", "-A")
    git("commit", "-qm", "base")
    (folder / "a.py").write_text("x = 2\n")
    with open(folder / "data.txt", "w") as file:
        file.writelines("0123456789abcde\n" * (1 << 16) for _ in range(LARGE >> 20))
    git("add", "-A")
    return folder


def _begun(folder: Path, environment: dict[str, str]) -> Callable[..., None]:
    folder.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    return git


# --- measuring ----------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A command that is timed, and the floor that it is held against.

    Attributes:
        target: what the ratio to the floor may be at most.
        codes: with which the command may end.
        fresh: whether what is on record is removed before each run, outside of the time.
        config: the TWOAGENT_HOME of another configuration.
    """

    name: str
    command: Sequence[str]
    cwd: Path
    floor: str | None = None
    target: float | None = None
    codes: tuple[int, ...] = (0,)
    fresh: bool = False
    config: str | None = None


class Sample(NamedTuple):
    """One run: seconds, and the largest resident set of the process in bytes."""

    seconds: float
    memory: int


class Bench:
    """Runs cases in turns, in one environment."""

    def __init__(self, home: Path) -> None:
        self.environment = environment(home)

    def run(self, case: Case) -> Sample:
        if case.fresh:
            shutil.rmtree(case.cwd / ".git" / "twoagent-hook", ignore_errors=True)
        variables = self.environment | ({"TWOAGENT_HOME": case.config} if case.config else {})
        with tempfile.TemporaryFile() as said:
            started = time.perf_counter()
            process = subprocess.Popen(case.command, cwd=case.cwd, env=variables, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in case.codes:
                said.seek(0)
                raise SystemExit(f"{case.name}: exit code {process.returncode}: {said.read().decode()[-2000:]}")
        scale = 1 if sys.platform == "darwin" else 1024
        return Sample(seconds, usage.ru_maxrss * scale)

    def measure(self, cases: Sequence[Case], runs: int) -> dict[str, list[Sample]]:
        """The cases take turns, so that a slow moment of the machine hits all of them."""
        for case in cases:  # once to warm up: caches of files and of compiled modules
            self.run(case._replace(fresh=False))
            self.run(case)
        found: dict[str, list[Sample]] = {case.name: [] for case in cases}
        for _ in range(runs):
            for case in cases:
                found[case.name].append(self.run(case))
        return found


def table(cases: Sequence[Case], samples: dict[str, list[Sample]], *, memory: bool = False) -> list[str]:
    rows = [f"| what | median ms | range ms | ratio | target |{' peak MB |' if memory else ''}"]
    rows.append("|---|---|---|---|---|" + ("---|" if memory else ""))
    medians = {name: statistics.median(item.seconds for item in found) for name, found in samples.items()}
    for case in cases:
        values = [1000 * item.seconds for item in samples[case.name]]
        ratio = "floor" if case.floor is None else f"{medians[case.name] / medians[case.floor]:.2f} × {case.floor}"
        target = "" if case.target is None else f"≤ {case.target:g} ×"
        peak = f" {max(item.memory for item in samples[case.name]) / 1e6:.0f} |" if memory else ""
        rows.append(
            f"| {case.name} | {statistics.median(values):.0f} | {min(values):.0f}–{max(values):.0f} | {ratio} | {target} |{peak}"
        )
    return rows


# --- what is measured ---------------------------------------------------------------------------------------------


class Scene(NamedTuple):
    """Where everything lies.

    Attributes:
        slow: a TWOAGENT_HOME whose reviewer takes a second.
    """

    folder: Path
    bench: Bench
    url: str
    slow: dict[int, str]


def _settings(path: Path, url: str, more: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'reviewers = ["bench:bench"]\n{more}[providers.bench]\nbase-url = "{url}"\n')


def overhead(scene: Scene, runs: int) -> list[str]:
    """Own time by the number of files, what is on record, and what is quick."""
    places = {size: repository(scene.folder / f"files-{size}", size, scene.bench.environment) for size in (0, *SIZES)}
    review = [str(SCRIPT), "review"]
    staged, nothing = places[5], places[0]
    cases = [
        Case("floor", [sys.executable, "-c", FLOOR.format(url=scene.url)], nothing),
        *(
            Case(f"review, {size:,} file{'s' if size > 1 else ''}", review, places[size], "floor", 1.25 if size == 5 else None, fresh=True)
            for size in SIZES
        ),
        Case("light floor", [sys.executable, "-c", LIGHT_FLOOR], nothing),
        Case("verdict on record, 5 files", review, recorded(scene, staged), "light floor", 1.5),
        Case("quick floor", [sys.executable, "-c", QUICK_FLOOR], nothing),
        Case("nothing staged", review, nothing, "quick floor", 3.0),
        Case("--help", [str(SCRIPT), "--help"], nothing, "quick floor"),
        Case("log list", [str(SCRIPT), "log", "list"], recorded(scene, staged), "quick floor"),
        Case("guard, an ordinary line", [str(SCRIPT), "guard", "--command", "ls -la src"], nothing, "quick floor"),
        Case("guard, a line that is parsed", [str(SCRIPT), "guard", "--command", "git commit -m x"], nothing, "quick floor"),
    ]  # fmt: skip
    samples = scene.bench.measure(cases, runs)
    return [*table(cases, samples, memory=True), "", *growth(samples)]


def recorded(scene: Scene, staged: Path) -> Path:
    """A copy of a repository whose change was judged."""
    place = staged.with_name("recorded")
    if not place.exists():
        shutil.copytree(staged, place)
        scene.bench.run(Case("record", [str(SCRIPT), "review"], place))
    return place


def growth(samples: dict[str, list[Sample]]) -> list[str]:
    """How much longer ten times as many files take."""
    medians = {
        size: statistics.median(item.seconds for item in samples[f"review, {size:,} file{'s' if size > 1 else ''}"])
        for size in SIZES[1:]
    }
    steps = [
        f"{large:,} files {medians[large] / medians[small]:.2f} × {small:,} files"
        for small, large in pairwise(medians)
    ]
    return [f"Growth: {'; '.join(steps)}. At most linear: ≤ 10 ×."]


def parts(scene: Scene, runs: int) -> list[str]:
    """Several requests of one second each."""
    rows = [
        "| requests of 1 s | at once | median s over the floor | range s | allowed: 1.1 × ⌈N/C⌉ |",
        "|---|---|---|---|---|",
    ]
    floor = Case("floor", [sys.executable, "-c", FLOOR.format(url=scene.url)], scene.folder)
    cases = {
        (count, most): Case(
            f"{count}/{most}",
            [str(SCRIPT), "review"],
            parted(scene.folder / f"parts-{count}-{most}", count, scene.bench.environment),
            fresh=True,
            config=scene.slow[most],
        )
        for count, most in PARTS
    }
    for (count, _), case in cases.items():
        before = Handler.asked
        scene.bench.run(case)
        if Handler.asked - before != count:
            raise SystemExit(f"{case.name}: {Handler.asked - before} requests were made")
    samples = scene.bench.measure([floor, *cases.values()], runs)
    ground = statistics.median(item.seconds for item in samples["floor"])
    for (count, most), case in cases.items():
        values = [item.seconds - ground for item in samples[case.name]]
        rows.append(
            f"| {count} | {most} | {statistics.median(values):.2f} | {min(values):.2f}–{max(values):.2f} | {1.1 * math.ceil(count / most):.1f} |"
        )
    return rows


def memory(scene: Scene, runs: int) -> list[str]:
    """What a text of 200 MB takes."""
    place = enormous(scene.folder / "enormous", scene.bench.environment)
    case = Case("200 MB staged beside one line", [str(SCRIPT), "review"], place, codes=(1,), fresh=True)
    samples = scene.bench.measure([case], runs)[case.name]
    seconds = [item.seconds for item in samples]
    said = (
        f"A text of 200 MB staged beside a change of one line is named and not read: {max(item.memory for item in samples) / 1e6:.0f} MB "
        f"at the peak, {statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})."
    )
    return [said]


_HOOKS = """\
repos:
  - repo: local
    hooks:
      - {{id: gate, name: gate, language: system, pass_filenames: false, always_run: true, verbose: true, entry: "{gate}"}}
      - {{id: no-op, name: no-op, language: system, pass_filenames: false, always_run: true, verbose: true, entry: "true"}}
"""


def frameworks(scene: Scene, runs: int) -> list[str]:
    """Under the hook frameworks, beside a hook that does nothing."""
    found = [name for name in ("pre-commit", "prek") if (BIN / name).exists()]
    cases = []
    for name in found:
        place = repository(scene.folder / name, 5, scene.bench.environment)
        (place / ".pre-commit-config.yaml").write_text(_HOOKS.format(gate=f"{SCRIPT} review"))
        subprocess.run(["git", "add", "-A"], cwd=place, check=True, env=scene.bench.environment)
        run = [str(BIN / name), "run", "--hook-stage", "pre-commit"]
        cases += [
            Case(f"{name}, no-op", [*run, "no-op"], place),
            Case(f"{name}, review of 6 files", [*run, "gate"], place, f"{name}, no-op", fresh=True),
            Case(f"{name}, verdict on record", [*run, "gate"], place, f"{name}, no-op"),
        ]
    return table(cases, scene.bench.measure(cases, runs))


# --- the whole ----------------------------------------------------------------------------------------------------

ABOUT = (
    "`floor` is `import openai, git, rich` and one request; `light floor` is `import git, rich`; `quick floor` is "
    "Python, `subprocess` and one git call. A review of many files takes several requests, of 24,000 tokens each."
)


def report(runs: int, *, full: bool) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _settings(
            folder / "home" / ".config" / "twoagent-hook" / "config.toml",
            f"{origin}/v1",
            "max-requests = 100\ntimeout = 600\n",
        )
        slow = {most: str(folder / f"slow-{most}") for _, most in PARTS}
        for most, home in slow.items():
            limits = f"max-input-tokens = 4000\nmax-requests = 100\nconcurrency = {most}\n"
            _settings(Path(home) / "config.toml", f"{origin}/slow/v1", limits)
        scene = Scene(folder, Bench(folder / "home"), f"{origin}/v1", slow)
        sections = [
            ("Own time", [ABOUT, "", *overhead(scene, runs)]),
            ("Several requests", parts(scene, runs)),
            ("Memory", memory(scene, max(3, runs // 5))),
            ("Under a framework", frameworks(scene, runs)),
        ]
    if full:
        few = min(runs, 5)  # of what takes a minute each
        sections.append(("Screening", [screening.ABOUT, "", f"{few} runs.", "", *screening.rows(few)]))
        other = ["", *peers.section(runs)]
    else:
        other = []
    about = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}, {runs} interleaved runs."
    head = [
        "# Benchmarks",
        "",
        "What the hook itself costs, with a reviewer on loopback that answers at once. Written by `make bench`.",
        "",
        about,
    ]
    body = [line for title, lines in sections for line in ("", f"## {title}", "", *lines)]
    return "\n".join([*head, *body, *other, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="leave out the screening of megabytes, and the peers")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    text = report(arguments.runs, full=not arguments.quick)
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
