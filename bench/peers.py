"""The same staged change through twoagent-hook and through its peers: time, requests and bytes sent.

    python bench/peers.py [--runs 15] [--install DIR | --peers DIR] [--output FILE]

Peers are other programs that let a model review what is staged. Each is taken where it is found: in the folder of
--peers, or on PATH. In the folder, these places are looked at:

    DIR/gentleman-guardian-angel/bin/gga                       a clone; or DIR/bin/gga
    DIR/venv-ai-review-hook/bin/ai-review                      a virtual environment with the package in it
    DIR/venv-pre-commit-llm-code-review/bin/llm-code-review    the same
    DIR/node_modules/.bin/git-ai-review                        npm install --prefix DIR

--install DIR first installs there what a package registry offers, with pip and npm. The rest can be put there by
hand, from a clone: `python3 -m venv DIR/venv-NAME && DIR/venv-NAME/bin/pip install PATH-OF-THE-CLONE`. A peer that is
not found, is another program of the same name, or did not review the change is skipped, and named with the reason.

Reviewers are stand-ins on this machine that answer at once: a server on loopback, and programs in place of `claude`
and `codex`. Nothing leaves the machine.
"""

import argparse
import json
import os
import platform
import pty
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from ground import FLOOR, SCRIPT, answer, environment, verdict

from twoagent_hook import __version__

PEERS = Path(__file__).resolve().parent.parent / ".venv" / "peers"
REFUSALS = "not-installed.json"  # in the folder of the peers: what the registries said
LIMIT = 120  # seconds for one run
LONG = 1800  # seconds for one installation
HEADING = "## Beside other hooks"
DIRECT, AGAIN = "`twoagent-hook review`", "the same change again"
ABOUT = (
    "The same staged change through this hook, and through other programs that let a model review what is staged. "
    "Written by `bench/peers.py`, which anyone can run again: it takes each program where it finds it, and names those "
    "that it skipped. Each time is that of a whole process, and each ratio one to the median of "
    f"{DIRECT}. The reviewer is a server on loopback, or a program in place of a coding CLI, that answers at once. "
    "Bytes are those of the requests' bodies, or of what the CLI was given: arguments, standard input, and files that "
    f'are named there. What a program keeps of a review is removed before each run, but for "{AGAIN}".'
)
CAUTION = (
    "Read with care. The programs send different things: this hook, git-ai-review and pre-commit-llm-code-review the "
    "diff, gga the staged files whole, ai-review-hook one request for each file, with its diff and the file whole. "
    "Without a model's time, these times are the costs of starting up; a model takes seconds to minutes, and beside "
    "it they hardly show but where nobody is asked. Nothing here says how good a review is. Where a program would ask "
    "a host outside (for its newest version, or whether a vendor can be reached), that fails at once here; elsewhere "
    "it takes longer."
)

RULES = (
    "# Rules\n\n- Money is rounded to cents, once, at the end.\n- A function says in its docstring what it returns.\n"
)
GGA_FILE = 'PROVIDER="lmstudio:gga"\nRULES_FILE="AGENTS.md"\nFILE_PATTERNS="*.py"\nSTRICT_MODE="true"\n'
# Of the programs that would ask a host outside: a version of theirs, or whether a vendor's host can be reached.
CLOSED = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "all")} | {"no_proxy": "127.0.0.1"}

# What the server says, by the model that is asked for; for any other model, our own verdict with its receipt.
REPLIES = {
    "gga": "STATUS: PASSED\n\nAll files comply with the rules.",
    "ai-review": 'AI-REVIEW:[PASS]\n\nNothing to say.\n\n```json\n{"findings": []}\n```',
    "llm-code-review": "* [Description] Nothing to say.",
}

# What the stand-in for a coding CLI does: it notes the call, keeps what it was given, and answers.
CLI = """\
#!/bin/sh
echo >> {calls}
exec 3>> {given}
for argument in "$@"; do
  printf '%s\\n' "$argument" >&3
  case $last in
    --output-last-message) answer=$argument ;;
    --system-prompt-file | --output-schema) cat "$argument" >&3 ;;
  esac
  last=$argument
done
cat >&3
{answer}
"""
PRINTED = 'cat {reply}\nif [ -n "$answer" ]; then cat {reply} > "$answer"; fi'
OURS = """\
receipt=$(sed -n 's/^receipt-[ab]: //p' {given} | paste -s -d - -)
echo '{{"type": "assistant", "message": {{"model": "claude-opus-4-8", "content": []}}}}'
printf '{{"type": "result", "subtype": "success", "is_error": false, "result": "", "structured_output": '
printf '{{"verdict": "approve", "summary": "", "findings": [], "receipt": "%s"}}}}\\n' "$receipt"
"""


class Peer(NamedTuple):
    """Another program that lets a model review what is staged.

    Attributes:
        program: its executable.
        folders: where it may be, below the folder of the peers.
        package: the client of the registry, and the name there; None where no registry has it.
        source: the repository of its source, on GitHub.
        about: the arguments that make it print its help, and a phrase that stands there.
    """

    name: str
    program: str
    folders: tuple[str, ...]
    package: tuple[str, str] | None
    source: str
    about: tuple[str, str]
    python: tuple[int, int] = (3, 11)
    pins: tuple[str, ...] = ()


# Packages of these names at PyPI are others' work: `gga`, `llm-code-review` and `git-ai-review`.
ALL = (
    Peer(
        "gga",
        "gga",
        ("gentleman-guardian-angel/bin", "bin"),
        None,
        "Gentleman-Programming/gentleman-guardian-angel",
        ("help", "Guardian Angel"),
    ),
    Peer(
        "ai-review-hook",
        "ai-review",
        ("venv-ai-review-hook/bin",),
        ("pip", "ai-review-hook"),
        "randomparity/ai-review-hook",
        ("--help", "--allow-unsafe-base-url"),
    ),
    Peer(
        "git-ai-review",
        "git-ai-review",
        ("node_modules/.bin",),
        ("npm", "git-ai-review"),
        "spylogsster/ai-diff-review",
        ("--help", "lock-aware pre-commit"),
    ),
    Peer(
        "pre-commit-llm-code-review",
        "llm-code-review",
        ("venv-pre-commit-llm-code-review/bin",),
        ("pip", "pre-commit-llm-code-review"),
        "qdii/pre-commit-llm-code-review",
        ("--helpfull", "ollama_base_url"),
        (3, 12),
        # Without them it does not start: it imports what later versions no longer have, and does not say so.
        (
            "langchain<0.4",
            "langchain-core<0.4",
            "langchain-ollama<0.4",
            "langchain-google-genai",
            "langchain-mistralai",
        ),
    ),
)


class Server(ThreadingHTTPServer):
    """A reviewer on loopback that answers at once, and keeps the size of each request's body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[int] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self.server.bodies.append(0)
        models = [{"id": name, "object": "model"} for name in ("bench", *REPLIES)]
        answer(self, json.dumps({"object": "list", "data": models}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(len(body))
        request = json.loads(body)
        content = REPLIES.get(request["model"]) or verdict(request["messages"][-1]["content"])
        message = {"role": "assistant", "content": content}
        if self.path == "/api/chat":  # Ollama's own; a stream, unless it is told otherwise
            parts = [{"message": message, "done": False}, {"message": {**message, "content": ""}, "done": True}]
            said = {"model": request["model"], "created_at": "2026-01-01T00:00:00Z"}
            ends = [{}, {"done_reason": "stop"}]
            if not request.get("stream", True):
                parts, ends = [{"message": message, "done": True}], ends[1:]
            answer(self, "".join(json.dumps(said | part | end) + "\n" for part, end in zip(parts, ends, strict=True)))
            return
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"], "choices": [choice]}
        answer(self, json.dumps(reply))

    def log_message(self, *values: object) -> None:
        pass


def functions(module: int, *, changed: bool) -> str:
    """A module of sixteen functions; changed, five of them have other bodies, and there is one more line."""
    blocks = []
    for number in range(16):
        group = 100 * module + number
        head = (
            f'def total_{group}(rows, rate):\n    """The sum of the rows of group {group}, with the rate added."""\n'
        )
        if changed and number % 3 == 1:
            body = (
                f'    chosen = [row for row in rows if row["group"] == {group}]\n'
                "    if not chosen:\n"
                "        return 0.0\n"
                '    total = sum(row["amount"] - row["discount"] for row in chosen)\n'
                "    return round(total * (1 + rate) + 0.005, 2)\n"
            )
        else:
            body = (
                f'    total = sum(row["amount"] for row in rows if row["group"] == {group})\n'
                "    return round(total * (1 + rate), 2)\n"
            )
        blocks.append(head + body)
    if changed:
        blocks.append(f"GROUPS = range({100 * module}, {100 * module + 16})\n")
    return "\n\n".join(blocks)


def repository(folder: Path, variables: dict[str, str]) -> Path:
    """A repository with five Python files changed and staged, the rules that some peers ask for, and gga's file."""
    folder.mkdir()
    (folder / "AGENTS.md").write_text(RULES)
    (folder / ".gga").write_text(GGA_FILE)
    for changed in (False, True):
        for module in range(1, 6):
            (folder / f"totals_{module}.py").write_text(functions(module, changed=changed))
        if not changed:
            git(folder, variables, "init", "-q", "-b", "main")
            git(folder, variables, "add", "-A")
            git(folder, variables, "commit", "-qm", "base")
            git(folder, variables, "tag", "base")
    git(folder, variables, "add", "-A")
    return folder


def git(folder: Path, variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=variables, check=True, capture_output=True, text=True)
    return done.stdout


def nothing() -> None:
    """Nothing has to be done before a run."""


class Case(NamedTuple):
    """A command that is timed.

    Attributes:
        who: the program, or "floor".
        before: what is done before each run, outside of the time.
        reviews: whether a request, or a call of a coding CLI, has to be seen; without one, the run failed.
        terminal: whether it runs on a terminal.
    """

    who: str
    version: str
    what: str
    command: list[str]
    place: Path
    variables: dict[str, str]
    before: Callable[[], None] = nothing
    reviews: bool = True
    terminal: bool = False


class Sample(NamedTuple):
    seconds: float
    requests: int
    size: int


class ReviewError(Exception):
    """A run that failed, or in which nobody was asked; with the reason."""


@dataclass
class Bench:
    """The stand-ins, and a folder with all that is made for one measurement."""

    folder: Path
    server: Server
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls, self.given = self.folder / "calls", self.folder / "given"
        self.home = self.folder / "home"
        self.root = f"http://127.0.0.1:{self.server.server_address[1]}"
        config = self.home / ".config" / "twoagent-hook" / "config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'reviewers = ["bench:bench"]\n[providers.bench]\nbase-url = "{self.root}/v1"\n')
        self.variables = environment(self.home)
        # First our own Python, for whoever asks for `python3`: a version manager's stand-in for it takes longer.
        self.variables["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self.variables["PATH"]])
        self.template = repository(self.folder / "template", self.variables)

    def place(self, name: str) -> Path:
        """The repository once more, for one case alone."""
        return Path(shutil.copytree(self.template, self.folder / name, symlinks=True))

    def cli(self, name: str, reply: str | None) -> Path:
        """The stand-in for a coding CLI; without a reply, one that answers twoagent-hook."""
        folder = self.folder / f"cli-{len(list(self.folder.glob('cli-*')))}"
        folder.mkdir()
        quoted = {key: shlex.quote(str(path)) for key, path in (("calls", self.calls), ("given", self.given))}
        if reply is None:
            answer = OURS.format(**quoted)
        else:
            (folder / "reply").write_text(reply + "\n")
            answer = PRINTED.format(reply=shlex.quote(str(folder / "reply")))
        program = folder / name
        program.write_text(CLI.format(answer=answer, **quoted))
        program.chmod(0o755)
        return program

    def first(self, program: Path) -> dict[str, str]:
        """Variables with the folder of this program first on PATH."""
        return self.variables | {"PATH": os.pathsep.join([str(program.parent), self.variables["PATH"]])}

    def skip(self, peer: str, reason: str) -> None:
        self.skipped.setdefault(peer, []).append(reason)

    def once(self, case: Case) -> Sample:
        """Run a case, and see to it that it did what it is timed for."""
        case.before()
        self.server.bodies.clear()
        self.calls.write_bytes(b"")
        self.given.write_bytes(b"")
        started = time.perf_counter()
        code, output = (on_terminal if case.terminal else captured)(case)
        seconds = time.perf_counter() - started
        requests = len(self.server.bodies) + self.calls.stat().st_size
        sample = Sample(seconds, requests, sum(self.server.bodies) + self.given.stat().st_size)
        if code or (case.reviews and not requests):
            asked = "" if requests else ", nobody was asked"
            raise ReviewError(f"{case.what}: exit code {code}{asked}; {last_line(output)}")
        return sample


def last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"its last line: {lines[-1][:200]}" if lines else "it printed nothing"


def captured(case: Case) -> tuple[int, str]:
    done = subprocess.run(
        case.command,
        cwd=case.place,
        env=case.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=LIMIT,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def on_terminal(case: Case) -> tuple[int, str]:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        case.command,
        cwd=case.place,
        env=case.variables | {"TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        output = b""
        try:
            while chunk := os.read(leader, 1 << 16):
                output += chunk
        except OSError:  # how Linux says that nobody has the terminal open any more
            pass
        os.close(leader)
        code = process.wait(LIMIT)
    return code, output.decode(errors="replace")


def cases(bench: Bench, peers: Path) -> list[Case]:
    found = [*floors(bench), *our_cases(bench)]
    for peer in ALL:
        program, reason = find(bench, peer, peers)
        if program is None:
            bench.skip(peer.name, reason)
        else:
            found += MAKERS[peer.name](bench, program)
    return found


def floors(bench: Bench) -> list[Case]:
    python = f"Python {platform.python_version()}"
    floor = FLOOR.format(url=f"{bench.root}/v1")
    place, variables = bench.template, bench.variables
    version = git(place, variables, "--version").split()[2]
    return [
        Case("floor", version, "`git diff --cached`", ["git", "diff", "--cached"], place, variables, reviews=False),
        Case("floor", python, "`python -c pass`", [sys.executable, "-c", "pass"], place, variables, reviews=False),
        Case(
            "floor", python, "`import openai, git, rich`, one request", [sys.executable, "-c", floor], place, variables
        ),
    ]


def our_cases(bench: Bench) -> list[Case]:
    def case(what: str, command: list[str], variables: dict[str, str], name: str, *, fresh: bool = True) -> Case:
        place = bench.place(f"ours-{name}")
        recorded = place / ".git" / "twoagent-hook"

        def before() -> None:
            if fresh:
                shutil.rmtree(recorded, ignore_errors=True)
            git(place, bench.variables, "reset", "-q", "--soft", "base")

        return Case("twoagent-hook", __version__, what, command, place, variables, before, reviews=fresh)

    review = [str(SCRIPT), "review"]
    hooked = case("a plain git hook, `git commit`", ["git", "commit", "-qm", "change"], bench.variables, "hook")
    hook = hooked.place / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec {shlex.join(review)}\n")
    hook.chmod(0o755)
    by_cli = [*review, "--reviewer", "claude-cli:claude-opus-4-8"]
    return [
        case(DIRECT, review, bench.variables, "direct"),
        case(AGAIN, review, bench.variables, "again", fresh=False),
        hooked,
        case("`review`, a stand-in for `claude`", by_cli, bench.first(bench.cli("claude", None)), "cli"),
    ]


def gga(bench: Bench, program: Path) -> list[Case]:
    first = said(bench, [str(program), "version"]).partition("\n")[0]
    version = first.split()[-1]  # a clone calls itself "vdev"
    http = bench.variables | CLOSED | {"LMSTUDIO_HOST": f"{bench.root}/v1"}
    cli = bench.first(bench.cli("claude", REPLIES["gga"])) | CLOSED | {"GGA_PROVIDER": "claude"}
    anew, cached = [str(program), "run", "--no-cache"], [str(program), "run"]

    def case(what: str, command: list[str], variables: dict[str, str], name: str, *, terminal: bool = False) -> Case:
        place = bench.place(f"gga-{name}")
        return Case("gga", version, what, command, place, variables, reviews=command is anew, terminal=terminal)

    return [
        case("`gga run --no-cache`", anew, http, "http"),
        case("`gga run --no-cache` on a terminal", anew, http, "terminal", terminal=True),
        case("`gga run --no-cache`, a stand-in for `claude`", anew, cli, "cli"),
        case(f"`gga run`, {AGAIN}", cached, http, "again"),
    ]


def ai_review(bench: Bench, program: Path) -> list[Case]:
    version = python_version(bench, program, "ai-review-hook")
    variables = bench.variables | {"OPENAI_API_KEY": "none"}
    files = [f"totals_{module}.py" for module in range(1, 6)]
    options = ["--base-url", f"{bench.root}/v1", "--allow-unsafe-base-url", "--model", "ai-review"]

    def case(what: str, *more: str) -> Case:
        place = bench.place(f"ai-review{''.join(more)}")
        return Case("ai-review-hook", version, what, [str(program), *options, *more, *files], place, variables)

    return [case("`ai-review`"), case("`ai-review -j 5`", "-j", "5"), case("`ai-review --diff-only`", "--diff-only")]


def git_ai_review(bench: Bench, program: Path) -> list[Case]:
    version = "unknown"
    for folder in program.resolve().parents:
        if (folder / "package.json").is_file():
            version = json.loads((folder / "package.json").read_text()).get("version", version)
            break
    reply = json.dumps({"status": "pass", "summary": "Nothing to say.", "findings": []})

    def case(name: str, variable: str) -> Case:
        variables = bench.variables | CLOSED | {variable: str(bench.cli(name, reply))}
        what = f"`git-ai-review pre-commit`, a stand-in for `{name}`"
        command = [str(program), "pre-commit", f"--{name}"]
        return Case("git-ai-review", version, what, command, bench.place(f"git-ai-review-{name}"), variables)

    return [case("codex", "CODEX_BIN"), case("claude", "CLAUDE_BIN")]


def llm_code_review(bench: Bench, program: Path) -> list[Case]:
    version = python_version(bench, program, "llm-code-review")
    command = [str(program), "--llm=ollama", f"--ollama_base_url={bench.root}", "--model=llm-code-review"]
    place = bench.place("llm-code-review")
    name = "pre-commit-llm-code-review"
    return [Case(name, version, "`llm-code-review --llm=ollama`", command, place, bench.variables)]


MAKERS: dict[str, Callable[[Bench, Path], list[Case]]] = {
    "gga": gga,
    "ai-review-hook": ai_review,
    "git-ai-review": git_ai_review,
    "pre-commit-llm-code-review": llm_code_review,
}


def find(bench: Bench, peer: Peer, peers: Path) -> tuple[Path | None, str]:
    """The peer's program, or why there is none."""
    named = [peers / folder / peer.program for folder in peer.folders]
    on_path = shutil.which(peer.program)
    for path in [*named, *([Path(on_path)] if on_path else [])]:
        if os.access(path, os.X_OK):
            argument, phrase = peer.about
            text = said(bench, [str(path), argument])
            if phrase in text:
                return path.absolute(), ""
            return None, f"the `{peer.program}` here is another program, or does not start; {last_line(text)}"
    refused = json.loads((peers / REFUSALS).read_text()) if (peers / REFUSALS).is_file() else {}
    why = refused.get(peer.name) or ("no package registry has it" if peer.package is None else "not installed")
    return None, f"{why}; its source is {peer.source} on GitHub"


def said(bench: Bench, command: list[str]) -> str:
    """What a program prints, asked for its help or version in the same surroundings as when it is timed."""
    try:
        case = Case("", "", "", command, bench.template, bench.variables | CLOSED)
        return captured(case)[1].strip() or "unknown"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def python_version(bench: Bench, program: Path, package: str) -> str:
    """The version of the package that a Python script belongs to, by the Python that runs it."""
    first = program.read_text(errors="replace").partition("\n")[0]
    python = first.removeprefix("#!").strip()
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    version = said(bench, [python, "-c", code]) if first.startswith("#!/") and " " not in python else "unknown"
    return version if len(version.split()) == 1 else "unknown"


def install(peers: Path) -> None:
    """Install what a package registry offers, and keep what it said of the rest."""
    peers.mkdir(parents=True, exist_ok=True)
    refused = {}
    for peer in ALL:
        if peer.package is None:
            print(f"{peer.name}: no package registry has it; clone {peer.source} from GitHub into {peers}")
            continue
        client, name = peer.package
        reason = by_npm(peers, name) if client == "npm" else by_pip(peers, peer, name)
        print(f"{peer.name}: {reason or 'installed'}")
        if reason:
            refused[peer.name] = reason
    (peers / REFUSALS).write_text(json.dumps(refused, indent=2) + "\n")


def by_npm(peers: Path, name: str) -> str:
    if shutil.which("npm") is None:
        return "there is no npm here"
    return attempt(
        "npm", ["npm", "install", "--prefix", str(peers), "--no-audit", "--no-fund", "--ignore-scripts", name]
    )


def by_pip(peers: Path, peer: Peer, name: str) -> str:
    python = python_for(peer.python) or sys.executable  # then pip tells what it needs
    folder = peers / f"venv-{peer.name}"
    if (folder / "bin" / peer.program).exists():
        return ""
    reason = attempt("venv", [python, "-m", "venv", "--clear", str(folder)])
    if reason:
        return reason
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    reason = attempt("pip", [*pip, name, *peer.pins])
    if reason:
        shutil.rmtree(folder)
    return reason


def python_for(least: tuple[int, int]) -> str | None:
    if sys.version_info[:2] >= least:
        return sys.executable
    for minor in range(least[1], least[1] + 5):
        path = shutil.which(f"python3.{minor}")
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def attempt(client: str, command: list[str]) -> str:
    """Why an installation failed; empty where it did not. Of what was said, the line that tells most."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=LONG)
    except subprocess.TimeoutExpired:
        return f"{client} was not done after {LONG} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    quiet = [line for line in lines if "://" not in line] or [""]
    telling = [line for line in quiet if "No matching distribution" in line or "could not be found" in line]
    return f"{client} says {(telling or quiet)[-1].rstrip('.')!r}"


def measured(bench: Bench, found: list[Case], runs: int) -> dict[str, list[Sample]]:
    """Samples of each case, all taking turns so that a slow moment of the machine hits all of them."""
    samples: dict[str, list[Sample]] = {name(case): [] for case in found}
    for turn in range(runs + 1):
        for case in list(found):
            try:
                sample = bench.once(case)
            except (ReviewError, OSError, subprocess.SubprocessError) as error:
                if case.who in ("floor", "twoagent-hook"):
                    raise SystemExit(f"{case.who}: {error}") from error
                bench.skip(case.who, str(error))
                found.remove(case)
                continue
            if turn:  # the first one warms up: caches of files and of compiled modules, and of those who keep one
                samples[name(case)].append(sample)
    return samples


def name(case: Case) -> str:
    return f"{case.who} {case.what}"


def spread(values: list[int]) -> str:
    """A count that is the same in each run, or from where to where it goes."""
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def table(found: list[Case], samples: dict[str, list[Sample]]) -> list[str]:
    rows = [
        "| program | version | what was run | median s | range s | ratio | requests | bytes sent |",
        "|---|---|---|---|---|---|---|---|",
    ]
    medians = {key: statistics.median(sample.seconds for sample in taken) for key, taken in samples.items() if taken}
    direct = medians[f"twoagent-hook {DIRECT}"]
    for case in found:
        taken, median = samples[name(case)], medians[name(case)]
        times = [sample.seconds for sample in taken]
        counts = [spread([sample.requests for sample in taken]), spread([sample.size for sample in taken])]
        cells = [case.who, case.version, case.what, f"{median:.3f}", f"{min(times):.3f}–{max(times):.3f}"]
        rows.append(f"| {' | '.join([*cells, f'{median / direct:.2f}', *counts])} |")
    return rows


def section(runs: int, peers: Path = PEERS) -> list[str]:
    """The lines of the section of docs/benchmarks.md, measured now."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), server)
            found = cases(bench, peers)
            samples = measured(bench, found, runs)
            changed = git(bench.template, bench.variables, "diff", "--cached", "--numstat").split("\n")[:-1]
            size = len(git(bench.template, bench.variables, "diff", "--cached").encode())
    finally:
        server.shutdown()
        server.server_close()
    added, removed = (sum(int(line.split("\t")[column]) for line in changed) for column in (0, 1))
    about = (
        f"The change: {len(changed)} Python files, +{added} −{removed}, a diff of {size:,} bytes. "
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}, {runs} interleaved runs."
    )
    lines = [HEADING, "", ABOUT, "", about, "", *table(found, samples), "", CAUTION]
    if bench.skipped:
        lines += ["", "Skipped:", ""]
        lines += [f"- {peer}: {'; '.join(reasons)}." for peer, reasons in bench.skipped.items()]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--peers", type=Path, default=PEERS, metavar="DIR", help=f"default: {PEERS}")
    parser.add_argument("--install", type=Path, metavar="DIR", help="first install there what registries offer")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the section there, too")
    arguments = parser.parse_args()
    if arguments.install:
        install(arguments.install)
    text = "\n".join(section(arguments.runs, arguments.install or arguments.peers)) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
