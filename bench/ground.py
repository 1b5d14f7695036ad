"""What the benchmarks stand on: the product as it is installed here, floors, and an environment with nothing in it."""

import os
import sys
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
