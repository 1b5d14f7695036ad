"""What the benchmarks stand on: the product as it is installed here, floors, and an environment with nothing in it."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCRIPT = BIN / "twoagent-hook"

FLOOR = """
import openai, git, rich
client = openai.OpenAI(api_key="x", base_url={url!r}, max_retries=0)
client.chat.completions.create(model="bench", messages=[{{"role": "user", "content": "receipt-a: a\\nreceipt-b: b"}}])
"""
LIGHT_FLOOR = "import git, rich"
QUICK_FLOOR = "import subprocess; subprocess.run(['git', 'rev-parse', 'HEAD'], capture_output=True)"


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    person = {
        f"GIT_{who}_{what}": "bench@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    folders = {
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".state"),
        "XDG_CACHE_HOME": str(home / ".cache"),
    }
    return kept | person | folders | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def answer(handler: BaseHTTPRequestHandler, text: str) -> None:
    """Send JSON with status 200."""
    body = text.encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def verdict(prompt: str) -> str:
    """An approval with the receipt of what was asked."""
    tokens = [line.split(": ")[1] for line in prompt.split("\n") if line.startswith(("receipt-a: ", "receipt-b: "))]
    return json.dumps({"verdict": "approve", "summary": "", "findings": [], "receipt": "-".join(tokens)})
