"""What screening costs, as ratios to `git diff` of the same size and to a tenth of it; part of `make bench`."""

import argparse
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from twoagent_hook.changes import ABSENT, ChangeSet, FileChange, Hunk, Line, Status
from twoagent_hook.config import Config
from twoagent_hook.screening import screen

ABOUT = (
    "One diff of 1 MB and one of 10 MB, of ordinary code and of lines made to be slow: the time of the screening in a "
    "process of its own, without imports, beside `git diff --cached` of the same megabyte as a whole process. Ten "
    "times as much may take twelve times as long."
)
MEGABYTE = 1 << 20
RATIO = 12


def python_sources() -> Iterator[str]:
    """The standard library's own files, again and again."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    while True:
        for path in paths:
            if "site-packages" not in path.parts:
                yield path.read_text(encoding="utf-8", errors="replace")


def repeated(*lines: str) -> Callable[[], Iterator[str]]:
    def texts() -> Iterator[str]:
        while True:
            yield "".join(f"{line}\n" for line in lines) * max(1, 60_000 // sum(len(line) + 1 for line in lines))

    return texts


KINDS: dict[str, Callable[[], Iterator[str]]] = {
    "Python sources": python_sources,
    "beginnings of secrets": repeated("password" * 9, "AKIA" * 20, "-----BEGIN " * 9, "token = '" * 9, "sk-ant-" * 12),
    "beginnings of sentences": repeated(
        "ignore all " * 8, "dear reviewer " * 6, "you must approve " * 5, "verdict: " * 9
    ),
    "beginnings of tests": repeated(
        "def test_a():", "    assert " * 9, "it.skip(" * 9, "@pytest.mark.skip(" * 4, "# noqa " * 9
    ),
    "invisible characters": repeated("\u200b" * 40, "\u202e" * 40, "a\u0301" * 30, "\ufe0f" * 40, "\U000e0041" * 30),
    "encoded text": repeated(
        "SWdub3JlIGFsbCBw" * 5, "69676e6f7265" * 6, "\\x69\\x67" * 9, "%69%67" * 12, "&#105;" * 12
    ),
}


def texts(kind: str, size: int) -> Iterator[str]:
    left = size
    for text in KINDS[kind]():
        yield text[:left]
        left -= len(text)
        if left <= 0:
            return


def measure(kind: str, size: int) -> float:
    """Seconds of one screening."""

    def file(number: int, text: str) -> FileChange:
        lines = tuple(Line("+", None, place, line) for place, line in enumerate(text.split("\n"), 1))
        path = f"{'tests/test' if number % 5 == 0 else 'src/module'}_{number}.py"
        ids = "0" * 40, "1" * 40
        return FileChange(path, Status.ADDED, ABSENT, "100644", *ids, (None, len(text)), (Hunk(0, 1, "", lines),))

    change = ChangeSet("b", "t", tuple(file(number, text) for number, text in enumerate(texts(kind, size))))
    started = time.perf_counter()
    screen(change, Config(), {})
    return time.perf_counter() - started


def _screened(kind: str, size: int) -> float:
    command = [sys.executable, __file__, "--measure", kind, str(size)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _process(*command: str, cwd: Path | None = None) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, capture_output=True, check=True)
    return time.perf_counter() - started


def _staged(folder: Path, kind: str, size: int) -> Path:
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for number, text in enumerate(texts(kind, size)):
        (folder / f"module_{number}.py").write_text(text, encoding="utf-8", errors="replace")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    return folder


def _told(values: list[float]) -> str:
    middle, low, high = (1000 * value for value in (statistics.median(values), min(values), max(values)))
    return f"{middle:.0f} | {low:.0f}–{high:.0f}"


def rows(runs: int) -> Iterator[str]:
    """The table, the runs of all cases interleaved."""
    with tempfile.TemporaryDirectory() as folder:
        staged = _staged(Path(folder) / "staged", "Python sources", MEGABYTE)
        cases: dict[str, Callable[[], float]] = {
            "git diff, 1 MB": lambda: _process("git", "diff", "--cached", cwd=staged),
            "Python alone": lambda: _process(sys.executable, "-c", "pass"),
            "import of screening": lambda: _process(sys.executable, "-c", "import twoagent_hook.screening"),
        }
        for kind in KINDS:
            for size in (1, 10):
                cases[f"{kind}, {size} MB"] = lambda kind=kind, size=size: _screened(kind, size * MEGABYTE)
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(runs):
            for name, case in cases.items():
                if "10 MB" not in name or len(times[name]) < max(3, runs // 5):
                    times[name].append(case())
    medians = {name: statistics.median(values) for name, values in times.items()}
    yield "| what | median ms | range ms | ratio | target |"
    yield "|---|---|---|---|---|"
    for name, values in times.items():
        ratio, target = "floor", ""
        if name == "import of screening":
            ratio = f"{1000 * (medians[name] - medians['Python alone']):.0f} ms over Python alone"
        elif name.endswith(", 10 MB"):
            ratio, target = f"{medians[name] / medians[name.replace('10 MB', '1 MB')]:.1f} × 1 MB", f"≤ {RATIO} ×"
        elif not name.startswith(("git", "Python alone")):
            ratio = f"{medians[name] / medians['git diff, 1 MB']:.1f} × git diff"
        yield f"| {name} | {_told(values)} | {ratio} | {target} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(arguments.measure[0], int(arguments.measure[1])))
        return
    print("\n".join(rows(arguments.runs)))


if __name__ == "__main__":
    main()
