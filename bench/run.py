"""What the hook itself costs, as ratios to a floor; medians of interleaved runs with their range.

Run it by `make bench`; it prints a table and writes docs/benchmarks.md. Every figure is the wall time of a
whole process. The reviewer is a server on loopback that answers at once, so that nothing of a model's time is
in it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import screening

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(sys.executable).parent / "twoagent-hook"


class Case(NamedTuple):
    """A command that is timed, and the floor that it is held against."""

    name: str
    command: list[str]
    floor: str | None
    target: float | None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        user = request["messages"][-1]["content"]
        tokens = [line.split(": ")[1] for line in user.split("\n") if line.startswith(("receipt-a: ", "receipt-b: "))]
        content = json.dumps({"verdict": "approve", "summary": "", "findings": [], "receipt": "-".join(tokens)})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        body = json.dumps({"id": "1", "object": "chat.completion", "model": "bench", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *values: object) -> None:
        pass


FLOOR = """
import openai, git, rich
client = openai.OpenAI(api_key="x", base_url={url!r}, max_retries=0)
client.chat.completions.create(model="bench", messages=[{{"role": "user", "content": "receipt-a: a\\nreceipt-b: b"}}])
"""
QUICK_FLOOR = "import subprocess; subprocess.run(['git', 'rev-parse', 'HEAD'], capture_output=True)"


def repository(folder: Path, files: int, environment: dict[str, str]) -> Path:
    """A repository in which `files` Python files are changed and staged."""
    folder.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
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


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    person = {
        f"GIT_{who}_{what}": "bench@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    return kept | person | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "GIT_CONFIG_NOSYSTEM": "1"}


def measure(cases: list[Case], runs: int, run: Callable[[Case], None]) -> dict[str, list[float]]:
    """Seconds of each run, the cases taking turns so that a slow moment of the machine hits all of them."""
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    for case in cases:  # once to warm up: caches of files and of compiled modules
        run(case)
    for _ in range(runs):
        for case in cases:
            started = time.perf_counter()
            run(case)
            times[case.name].append(time.perf_counter() - started)
    return times


def table(cases: list[Case], times: dict[str, list[float]]) -> list[str]:
    rows = ["| what | median ms | range ms | ratio | target |", "|---|---|---|---|---|"]
    medians = {name: statistics.median(values) for name, values in times.items()}
    for case in cases:
        values = [1000 * value for value in times[case.name]]
        ratio = "floor" if case.floor is None else f"{medians[case.name] / medians[case.floor]:.2f} × {case.floor}"
        target = "" if case.target is None else f"≤ {case.target:g} ×"
        rows.append(
            f"| {case.name} | {statistics.median(values):.0f} | {min(values):.0f}–{max(values):.0f} | {ratio} | {target} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--no-screening", dest="screening", action="store_false", help="leave out what takes minutes")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md")
    arguments = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        config = home / ".config" / "twoagent-hook" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'reviewers = ["bench:bench"]\n[providers.bench]\nbase-url = "{url}"\n')
        variables = environment(home)
        staged = repository(Path(folder) / "staged", 5, variables)
        nothing = repository(Path(folder) / "nothing", 0, variables)
        places = {"review, 5 files": staged, "nothing staged": nothing, "quick floor": nothing}
        cases = [
            Case("floor", [sys.executable, "-c", FLOOR.format(url=url)], None, None),
            Case("review, 5 files", [str(SCRIPT), "review"], "floor", 1.25),
            Case("quick floor", [sys.executable, "-c", QUICK_FLOOR], None, None),
            Case("nothing staged", [str(SCRIPT), "review"], "quick floor", 3.0),
            Case("--help", [str(SCRIPT), "--help"], "quick floor", None),
        ]

        def run(case: Case) -> None:
            cwd = places.get(case.name, staged)
            done = subprocess.run(case.command, cwd=cwd, env=variables, capture_output=True, check=False)
            if done.returncode:
                raise SystemExit(f"{case.name}: {done.stdout!r} {done.stderr!r}")

        rows = table(cases, measure(cases, arguments.runs, run))
    about = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}, {arguments.runs} interleaved runs."
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            "What the hook itself costs, with a reviewer on loopback that answers at once. Written by `make bench`.",
            "",
            about,
            "`floor` is `import openai, git, rich` and one request; `quick floor` is Python, `subprocess` and one git call.",
            "",
            *rows,
            "",
        ]
    )
    if arguments.screening:
        text += "\n".join(["", "## Screening", "", screening.ABOUT, "", *screening.rows(arguments.runs), ""])
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
