"""The scripts that stand in for models: what each is going to answer, with the receipt of the request."""

import json
from typing import Any

from support.server import Answer, Request, Script, answer, completion, says_content

MODEL = "scripted-reviewer"


def finding(title: str, file: str, line: int, quote: str, **values: Any) -> dict[str, Any]:
    """One finding; `values` has at least `trigger`, `consequence` and `fix`."""
    return {
        "title": title,
        "category": "correctness",
        "severity": "high",
        "certainty": "proven",
        "file": file,
        "side": "new",
        "line_start": line,
        "line_end": line,
        "quote": quote,
        **values,
    }


def met(*ids: str, reason: str) -> list[dict[str, str]]:
    """Acceptance criteria that are said to be met."""
    return [{"id": name, "status": "met", "reason": reason} for name in ids]


def reviews(verdict: str, summary: str, *findings: dict[str, Any], model: str = MODEL, **values: Any) -> Script:
    """A reviewer that comes to this verdict."""
    found = {
        "verdict": verdict,
        "summary": summary,
        "findings": list(findings),
        "verification_commands": [],
        "questions": [],
        **values,
    }
    return _says(found, model)


def plans(model: str = "scripted-planner", **values: Any) -> Script:
    """A planner that has this plan."""
    empty = ("scope", "out_of_scope", "files", "risks", "assumptions", "criteria", "rollback", "commands", "questions")
    return _says({name: [] for name in empty} | values, model)


def rambles(text: str) -> Script:
    """A model that says something else than what it was asked for."""
    return says_content(text, model=MODEL)


def _says(found: dict[str, Any], model: str) -> Script:
    def script(request: Request) -> Answer:
        made = completion(json.dumps({**found, "receipt": request.receipt}), model=model)
        del made["usage"]  # a script uses no tokens
        return answer(made)

    return script
