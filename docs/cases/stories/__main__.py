"""Writes every page anew, or those that are named, beside this file."""

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stories.shelf import STORIES
from stories.stage import Story, play

_HERE = Path(__file__).resolve().parent


def _write(story: Story) -> str:
    with tempfile.TemporaryDirectory(prefix="twoagent-hook-story-") as root:
        text = play(story, Path(root).resolve())
    (_HERE / f"{story.name}.md").write_text(text, encoding="utf-8")
    return f"{story.name}.md\n"


def main(names: list[str]) -> int:
    wanted = [story for story in STORIES if not names or story.name in names]
    with ThreadPoolExecutor(4) as pool:
        for line in pool.map(_write, wanted):
            sys.stdout.write(line)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
