"""The trail of a task as the files of a folder that can be attached to a pull request; pure.

The same rows, commits and attachments give the same bytes. File names are made of safe characters, whatever a row
holds; what a row says stands in Markdown as text and as nothing else.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook import packets, visible
from twoagent_hook.errors import TwoAgentError
from twoagent_hook.outputs import checklist, evidence, markdown, plain, trail
from twoagent_hook.tasks import Task
from twoagent_hook.trails import FOUND_LATER, Trail, count, items, line, table
from twoagent_hook.trajectory import Entry

_CHECKLIST = "review_checklist.md"
_UNSEALED = "The row carries no seal of this user's own: anybody who could write the log may have written it."
_PRIVATE = {"seal", "user_file"}  # of no use to others


class File(NamedTuple):
    """One file of the folder.

    Attributes:
        use: what it is, in a few words.
    """

    path: str
    content: str | bytes
    use: str


def contents(
    found: Trail, rows: Sequence[Entry], genuine: Collection[int], kept: Mapping[str, bytes]
) -> dict[str, str | bytes]:
    """The files, by their paths below the folder.

    Args:
        rows: all of the task, oldest first.
        genuine: the ids of those that carry the user's own seal.
        kept: attachments by the SHA-256 that they are kept under, as far as they are there.
    """
    files: list[File] = []
    absent: list[str] = []
    for part in (_of_plan(found), _reviews(rows, genuine), _evidence(rows, genuine, kept)):
        for item in part:
            if isinstance(item, File):
                files.append(item)
            else:
                absent.append(item)
    files += _filled_checklist(files, rows, genuine)
    files.append(File("commits.md", trail.commits(found), "the commits whose tree was judged or verified"))
    files.append(File("log.jsonl", _log(rows, genuine), "all rows of the task, a line each, models' replies included"))
    made = {file.path: file.content for file in files}
    return {"README.md": _readme(found, files, absent), **made}


def attached(rows: Iterable[Entry], genuine: Collection[int]) -> list[str]:
    """The SHA-256 of each attachment that genuine rows name.

    A row that anybody could have written takes no file of the user's along.
    """
    found = (item for row in rows if row.id in genuine for item in items(_verification(row).get("attachments")))
    return list(dict.fromkeys(digest for digest in map(evidence.digest, found) if digest))


def _verification(row: Entry) -> Mapping[str, Any]:
    return table(row.evidence.get("verification")) if row.role == "verifier" else {}


# --- the files ----------------------------------------------------------------------------------------------


def _of_plan(found: Trail) -> Iterator[File | str]:
    """The plan, and what follows from it; a text is what is missing."""
    plan = found.plan
    if plan is None:
        yield "plan.md and packets/: no plan that carries a seal is on the record"
        return
    text = visible.block(plan.text)
    spelled = "" if text == plan.text else "; what can't be seen in it is spelled out"
    yield File("plan.md", text, f"the plan by {plan.by}, of digest {plan.digest}{spelled}")
    try:
        task = Task.of(plan.title, plan.task, found.task_id)
        made = packets.render(task, plan=text)
    except TwoAgentError as error:
        yield f"packets/: {error.what}"
        return
    for file in packets.files():
        if file.path.startswith("packets/") or file.path == _CHECKLIST:
            yield File(file.path, made[file.path], file.use)


def _filled_checklist(files: list[File], rows: Sequence[Entry], genuine: Collection[int]) -> Iterator[File]:
    """That of the newest decision on a change, in place of an empty one."""
    for row in reversed(rows):
        payload = _payload(row) if row.tree else None
        text = _rendered(checklist.render, payload) if payload else None
        if text is None:
            continue
        files[:] = [file for file in files if file.path != _CHECKLIST]
        yield File(_CHECKLIST, _marked(text, row, genuine), f"the review of row {row.id}, as a filled checklist")
        return


def _payload(row: Entry) -> dict[str, Any] | None:
    """The decision in a row, as the payload that it was; None where there is none that can be read."""
    if row.role != "gate" or row.result in FOUND_LATER or not isinstance(row.evidence.get("decision"), dict):
        return None
    restored = _restored(row.evidence["decision"])
    return restored | {"log_id": row.id} if restored is not None else None


def _restored(value: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        restored: dict[str, Any] = plain.restored(_finite(value))
    except (TypeError, RecursionError):
        return None
    return restored


def _finite(value: Any) -> Any:
    """The same without numbers that JSON has no name for."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rendered(render: Callable[[dict[str, Any]], str], payload: dict[str, Any]) -> str | None:
    """A payload as Markdown; None where it is not of the shape of one."""
    try:
        return render(payload)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _marked(text: str, row: Entry, genuine: Collection[int]) -> str:
    """With a word below the heading, where the row carries no seal."""
    head, _, rest = text.partition("\n\n")
    return text if row.id in genuine else f"{head}\n\n**not sealed**: {_UNSEALED}\n\n{rest}"


def _pair(folder: str, row: Entry, payload: dict[str, Any], text: str, use: str) -> Iterator[File]:
    name = f"{folder}/{row.id}-{_safe(row.result.lower(), 'unknown')}"
    yield File(f"{name}.md", text, use)
    yield File(f"{name}.json", json.dumps(payload, indent=2) + "\n", "the same as data")


def _reviews(rows: Sequence[Entry], genuine: Collection[int]) -> Iterator[File | str]:
    for row in rows:
        if row.role != "gate" or row.result in FOUND_LATER:
            continue
        payload = _payload(row)
        text = _rendered(checklist.render, payload) if payload else None
        if payload is None or text is None:
            yield f"reviews/{row.id}-…: the decision in row {row.id} can't be read"
            continue
        sealed = "" if row.id in genuine else ", not sealed"
        use = f"the gate's decision of {row.at[:19]}{sealed}"
        yield from _pair("reviews", row, payload, _marked(text, row, genuine), use)


def _log(rows: Iterable[Entry], genuine: Collection[int]) -> str:
    return "".join(_row(row, sealed=row.id in genuine) + "\n" for row in rows)


def _row(row: Entry, *, sealed: bool) -> str:
    held = {name: value for name, value in row.evidence.items() if name not in _PRIVATE}
    fields = row.fields() | {"sealed": sealed}
    try:
        return json.dumps(_finite(fields | {"evidence": held}))
    except RecursionError:  # nested deeper than anything of ours is
        return json.dumps(_finite(fields | {"evidence": None}))


def _safe(name: str, otherwise: str) -> str:
    """A part of a file's name that is one everywhere."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")
    return kept[-60:].strip("._-") or otherwise


# --- what was verified --------------------------------------------------------------------------------------


def _evidence(rows: Sequence[Entry], genuine: Collection[int], kept: Mapping[str, bytes]) -> Iterator[File | str]:
    for row in rows:
        if not _verification(row):
            continue
        restored = _restored(_verification(row))
        if restored is None:
            yield f"evidence/{row.id}-…: the verification in row {row.id} can't be read"
            continue
        payload = restored | {"log_id": row.id}
        copies = list(_copies(row, payload, kept)) if row.id in genuine else []
        text = evidence.render(payload, {copy.digest: copy.path for copy in copies if copy.content is not None})
        sealed = "" if row.id in genuine else ", not sealed"
        use = f"the verification of {row.at[:19]}{sealed}"
        yield from _pair("evidence", row, payload, _marked(text, row, genuine), use)
        for copy in copies:
            if copy.content is None:
                yield f"{copy.path}: no copy of it is kept, or it is another file by now"
            else:
                yield File(copy.path, copy.content, f"attached to the verification of row {row.id}")


class _Copy(NamedTuple):
    """An attached file; `content` where it is the one that was attached."""

    path: str
    digest: str
    content: bytes | None


def _copies(row: Entry, payload: Mapping[str, Any], kept: Mapping[str, bytes]) -> Iterator[_Copy]:
    for place, item in enumerate(items(payload.get("attachments")), 1):
        digest = evidence.digest(item)
        if digest is None:
            continue
        content = kept.get(digest)
        same = content is not None and hashlib.sha256(content).hexdigest() == digest
        number = _safe(line(item.get("id"), 20), "A")
        name = _safe(os.path.basename(line(item.get("path"), 4000)), "file")
        # By its place as well: two may have one name where upper and lower case are the same.
        yield _Copy(f"evidence/attachments/{row.id}-{place}-{number}-{name}", digest, content if same else None)


# --- the page that one reads first --------------------------------------------------------------------------

_SMALL_PRINT = (
    "Rows are those of the log that `twoagent-hook` keeps in the clone where this was made. A row is sealed with the "
    "key of the user whose gate wrote it; one that is marked *not sealed* may come from anybody who could write that "
    "log. Read `log.jsonl` before you pass it on: it holds what models answered, and where they were asked."
)


def _readme(found: Trail, files: Sequence[File], absent: Sequence[str]) -> str:
    parts = [trail.as_markdown(found).rstrip("\n"), "## What is here"]
    parts.append(
        "\n".join(f"- [{markdown.text(file.path)}]({file.path}): {markdown.text(file.use)}" for file in _listed(files))
    )
    missing = [*absent, *(f"row {number}: it is damaged, and left out" for number in found.damaged)]
    if missing:
        parts += ["## What is not here", "\n".join(f"- {markdown.text(text)}" for text in missing)]
    sealed = [step.sealed for step in found.steps if step.sealed is not None]
    bare = sealed.count(False)
    tail = f" Of {count(len(sealed), 'row')} here, {bare} {'is' if bare == 1 else 'are'} not sealed." if bare else ""
    parts.append(f"{_SMALL_PRINT}{tail}")
    return "\n\n".join(parts) + "\n"


def _listed(files: Sequence[File]) -> list[File]:
    """Without the data beside each page."""
    return [file for file in files if not file.path.endswith(".json")]
