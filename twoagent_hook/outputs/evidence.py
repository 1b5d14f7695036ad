"""A verification on record as Markdown; pure.

What commands printed and people wrote stands in it as text, and as nothing else; whatever the row holds, it is shown
as far as it is of the shape of one.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from twoagent_hook.outputs import markdown
from twoagent_hook.trails import items, line, table


def render(payload: Mapping[str, Any], copies: Mapping[str, str]) -> str:
    """The whole page, ending with a line feed.

    Args:
        copies: where copies of what is attached lie, by their SHA-256.
    """
    return "\n\n".join(_parts(payload, copies)) + "\n"


def digest(attachment: Mapping[str, Any]) -> str | None:
    """The SHA-256 that a copy of it is kept under, if there is one."""
    given = attachment.get("digest")
    digest = given.removeprefix("sha256:") if isinstance(given, str) else ""
    return digest if re.fullmatch("[0-9a-f]{64}", digest) else None


def _parts(payload: Mapping[str, Any], copies: Mapping[str, str]) -> Iterator[str]:
    yield f"# Verification: {_text(payload.get('outcome'))}"
    yield "\n".join(_head(payload))
    for title, lines in (
        ("Commands", _runs(payload)),
        ("What was looked at", _inspections(payload)),
        ("What was attached", _attachments(payload, copies)),
        ("Claims", _claims(payload)),
        (
            "Suggested by the reviewer, not run",
            (f"- {markdown.code(line(item, 500))}" for item in _texts(payload, "suggested")),
        ),
        ("Summary", _summary(table(payload.get("summary")))),
    ):
        yield f"## {title}\n\n{chr(10).join(lines) or '- none'}"


def _text(value: Any) -> str:
    return markdown.text(line(value, 4000))


def _texts(payload: Mapping[str, Any], name: str) -> list[str]:
    found = payload.get(name)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _head(payload: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Tree: {markdown.code(line(payload.get('tree'), 64)) or 'unknown'}"
    base = markdown.code(line(payload.get("base"), 64))
    if base:
        yield f"- On: {base}"
    problem = _text(payload.get("problem")) or _text(table(payload.get("problem")).get("what"))
    if problem:
        yield f"- Why: {problem}"
    if isinstance(payload.get("recorded"), int):
        yield f"- Nothing was run: the go of row {payload['recorded']} stands for this tree"
    yield f"- On record: row {payload['log_id']} of the log"
    yield from (f"- Note: {_text(notice)}" for notice in _texts(payload, "notices"))


def _runs(payload: Mapping[str, Any]) -> Iterator[str]:
    for run in items(payload.get("runs")):
        code = run.get("exit_code")
        ended = f"exit code {code}" if isinstance(code, int) else "no exit code"
        good = code == 0 and not run.get("problem")
        yield f"- **{'passed' if good else 'FAILED'}** {_text(run.get('id'))}: {_command(run.get('command'))}"
        yield f"  - {', '.join(filter(None, (ended, _seconds(run), _text(run.get('source')))))}"
        size, digest = run.get("output_bytes"), line(run.get("digest"), 100)
        if isinstance(size, int) and digest:
            yield f"  - output: {size} bytes, {markdown.code(digest)}"
        if run.get("problem"):
            yield f"  - {_text(run.get('problem'))}"
        changed = _texts(run, "changed")
        if changed:
            yield f"  - it changed tracked files: {', '.join(markdown.code(line(path, 300)) for path in changed)}"
        tail = run.get("tail")
        if isinstance(tail, str) and tail.strip():
            yield "  - the end of its output:"
            yield ""
            yield from (f"    {part}".rstrip() for part in markdown.block(tail).split("\n"))
            yield ""


def _command(given: Any) -> str:
    """A command as code; an argument list is told from a shell line."""
    words = [item for item in given if isinstance(item, str)] if isinstance(given, list) else None
    return markdown.code(line(given, 2000) if words is None else json.dumps(words, ensure_ascii=False)[:2000])


def _seconds(run: Mapping[str, Any]) -> str:
    seconds = run.get("duration_sec")
    return f"{seconds:.1f} s" if isinstance(seconds, (int, float)) and abs(seconds) < 1e9 else ""


def _inspections(payload: Mapping[str, Any]) -> Iterator[str]:
    for item in items(payload.get("inspections")):
        yield f"- {_text(item.get('id'))}: {_text(item.get('text'))}"


def _attachments(payload: Mapping[str, Any], copies: Mapping[str, str]) -> Iterator[str]:
    for item in items(payload.get("attachments")):
        place = markdown.code(line(item.get("url") or item.get("path"), 2000))
        copy = copies.get(digest(item) or "")
        name = os.path.basename(copy or "")
        shown = f" (copy: [{markdown.text(name)}](attachments/{name}))" if copy else ""
        known = f", SHA-256 {markdown.code(line(item.get('digest'), 80))}" if item.get("digest") else ""
        yield f"- {_text(item.get('id'))}: {place}{known}{shown}"


def _claims(payload: Mapping[str, Any]) -> Iterator[str]:
    for item in items(payload.get("claims")):
        by = _texts(item, "by") or [line(item.get("by"))]
        shown = f" (by {markdown.text(', '.join(by))})" if any(by) else ""
        source = f", from {_text(item.get('source'))}" if item.get("source") else ""
        yield f"- {_text(item.get('text'))}{source}: **{_text(item.get('status')) or 'unverified'}**{shown}"


def _summary(summary: Mapping[str, Any]) -> Iterator[str]:
    if not summary:
        return
    by = f" by {_text(summary.get('by'))}" if summary.get("by") else ""
    yield f"- **{_text(summary.get('verdict'))}**{by}: {_text(summary.get('summary'))}"
    for item in items(summary.get("claims")):
        beyond = "beyond the evidence: " if item.get("beyond_evidence") else ""
        cited = ", ".join(_texts(item, "evidence"))
        yield f"  - {beyond}{_text(item.get('text'))}{f' ({markdown.text(cited)})' if cited else ''}"
    yield from (f"  - concern: {_text(concern)}" for concern in _texts(summary, "concerns"))
