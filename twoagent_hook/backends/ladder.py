"""In which API and form an endpoint is asked, what comes next where it refuses, and what worked the last time."""

import json
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from twoagent_hook import files
from twoagent_hook.backends.dialects import FORMS, Answer
from twoagent_hook.backends.refusals import refuses_dialect, refuses_form
from twoagent_hook.config import Provider

_DAYS = 7
_MOST = 200  # endpoints and models that are remembered
_SIZE = 1 << 20  # bytes of the file that are read


class Step(NamedTuple):
    """One way to ask: over which API (`dialects.DIALECTS`), and for which form of reply (`dialects.FORMS`).

    What was learned of a prompt that wants free text says nothing of forms: then `form` is empty.
    """

    dialect: str
    form: str


class Ladder:
    """The ways to ask one model for one prompt, in order, and where we stand."""

    def __init__(self, provider: Provider, model: str, *, schema: bool, first: Step | None = None) -> None:
        forms = (provider.forms or FORMS) if schema else ("text",)
        self.steps = tuple(Step(dialect, form) for dialect in _dialects(provider, model) for form in forms)
        self.step = next((step for step in self.steps if first and _means(first, step)), self.steps[0])
        self.moved = False
        self._tried = {self.step}
        self._closed: set[str] = set()

    def down(self, refusal: Answer) -> bool:
        """Go to the next way that this refusal leaves, if there is one."""
        following = next((step for step in self._left(refusal) if step not in self._tried), None)
        if following is None:
            return False
        self.step = following
        self.moved = True
        self._tried.add(following)
        return True

    def _left(self, refusal: Answer) -> list[Step]:
        here = self.step.dialect
        if refuses_form(refusal):
            return [step for step in self.steps if step.dialect == here]
        if refuses_dialect(refusal, here):
            self._closed.add(here)
            return [step for step in self.steps if step.dialect not in self._closed]
        return []


def _means(learned: Step, step: Step) -> bool:
    return learned == step or (not learned.form and learned.dialect == step.dialect)


def _dialects(provider: Provider, model: str) -> tuple[str, ...]:
    if provider.api is not None:
        return (provider.api,)
    return ("responses", "chat") if responses_only(provider, model) else ("chat", "responses")


def responses_only(provider: Provider, model: str) -> bool:
    """Whether the model is known to answer over the Responses API alone where this provider serves it."""
    return any(_matches(model.lower(), pattern) for pattern in provider.responses_only)


def _matches(model: str, pattern: str) -> bool:
    """The id itself, a dated one of it, or with a `*` whatever begins so."""
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    rest = model.removeprefix(pattern)
    return rest == "" or (rest != model and rest[1:].replace("-", "").isdigit() and rest[0] == "-")


class Memory:
    """The step that worked for each endpoint and model, for some days, in the user's cache folder.

    It is a convenience: whatever is wrong with the file, nothing is remembered, and nothing fails.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def recall(self, base_url: str, model: str) -> Step | None:
        found = self._rows().get(_name(base_url, model))
        return Step(found["dialect"], found["form"]) if found else None

    def keep(self, base_url: str, model: str, step: Step) -> None:
        """Remember what worked; never what the endpoint said, which may quote the change."""
        rows = self._rows()
        rows[_name(base_url, model)] = {**step._asdict(), "at": time.time()}
        newest = sorted(rows.items(), key=lambda row: row[1]["at"], reverse=True)[:_MOST]
        with suppress(OSError):
            self._write(json.dumps(dict(newest)))

    def _write(self, text: str) -> None:
        folder = os.path.dirname(self._path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self._path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)

    def _rows(self) -> dict[str, dict[str, Any]]:
        """The rows that are young enough and whole."""
        content = files.read(self._path, _SIZE, private=True, follow=False)
        try:
            data = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            return {}
        since = time.time() - _DAYS * 86400
        rows = data.items() if isinstance(data, dict) else ()
        return {name: row for name, row in rows if isinstance(row, dict) and _whole(row) and row["at"] > since}


def _whole(row: Mapping[str, Any]) -> bool:
    texts = all(isinstance(row.get(name), str) for name in ("dialect", "form"))
    return texts and isinstance(row.get("at"), (int, float)) and row["at"] <= time.time()


def _name(base_url: str, model: str) -> str:
    return f"{base_url.rstrip('/')} {model}"
