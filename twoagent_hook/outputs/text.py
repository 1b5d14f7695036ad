"""What a person reads in the terminal: one line for an approval, a compact panel for all else.

The only importer of rich. Everything in a payload is visible text already; here no markup is read in it, and
no links, emoji or highlights are made of it.
"""

import io
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from twoagent_hook.findings import NEVER_DISMISSED

WIDTH = 80
HUMAN = "human"
_MOST_NAMES = 12
_STYLES = {"approve": "green", "skipped": "green", "request_changes": "yellow", "deferred": "yellow", "block": "red"}
_GREEN = "\x1b[32m{}\x1b[0m"  # an approval is not worth the import of rich
_LABELS = {"request_changes": "request changes"}
_SEVERITY_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}


class Reader(NamedTuple):
    """Who reads it, and where.

    Attributes:
        colour: whether escape sequences for colour may be written.
        width: columns.
        agent: whether an agent may be reading: it is not told how to pass the gate by.
        command: how the product is called from there.
        framework: whether pre-commit or prek runs us.
        hook: whether a commit waits for us.
        verbose: whether an approval is shown in full as well.
        encoding: of the stream; where it can't hold a box, plain characters are used.
    """

    colour: bool = False
    width: int = WIDTH
    agent: bool = False
    command: str = "twoagent-hook"
    framework: bool = False
    hook: bool = False
    verbose: bool = False
    encoding: str = "utf-8"


def wants_colour(choice: str, variables: Mapping[str, str], *, terminal: bool) -> bool:
    """`--color`, then NO_COLOR and FORCE_COLOR, then whether a terminal is written to (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    if variables.get("NO_COLOR"):
        return False
    if variables.get("FORCE_COLOR", "0") not in {"", "0"}:
        return True
    return terminal and variables.get("TERM", "") != "dumb"


def render(payload: Mapping[str, Any], reader: Reader) -> str:
    """The text for one payload, ending with a line feed."""
    payload = _addressed(payload, reader.command)
    plain = payload["outcome"] in {"approve", "skipped"} and not payload["findings"] and not reader.verbose
    return _brief(payload, reader) if plain else _panel(payload, reader)


def _addressed(payload: Mapping[str, Any], command: str) -> Mapping[str, Any]:
    """The same with commands of ours as they can be run where it is read; a reviewer's words stay as they are."""

    def own(text: str) -> str:
        return text.replace("`twoagent-hook ", f"`{command} ")

    problem = payload["problem"]
    return {
        **payload,
        "problem": {name: own(text) for name, text in problem.items()} if problem else None,
        "reasons": [own(reason) for reason in payload["reasons"]],
        "findings": [
            {**finding, "fix": own(finding["fix"])} if finding["source"] == "rule" else finding
            for finding in payload["findings"]
        ],
    }


# --- one line -----------------------------------------------------------------------------------------------


def _brief(payload: Mapping[str, Any], reader: Reader) -> str:
    outcome = payload["outcome"]
    label = _GREEN.format(outcome) if reader.colour else outcome
    parts = [f"{label}  {_who(payload)}" if payload["reviews"] else f"{label}  {'; '.join(payload['reasons'])}"]
    parts += [part for part in (_scope(payload), _met(payload), _effort(payload), _number(payload)) if part]
    lines = [" · ".join(parts)]
    notices = [*(payload["reasons"] if payload["reviews"] else []), *payload["notices"]]
    for text in (*_not_shown(payload), *_unmet(payload), *_doubted(payload), *notices):
        lines += textwrap.wrap(text, reader.width, initial_indent="  ", subsequent_indent="    ")
    return _fitting("\n".join(lines), reader) + "\n"


def _who(payload: Mapping[str, Any]) -> str:
    names = " and ".join(f"{_model(review)} ({review['provider']})" for review in payload["reviews"])
    author = payload["author"]["agent"] or payload["author"]["model"]
    what = "plan" if _alone(payload) else "change"
    if not author:
        return f"{names} on a {what} by an unknown author"
    known = payload["author"]["model"] or payload["author"]["family"] or author == HUMAN
    return f"{names} on {author}'s {what}" + ("" if known else " (its model is unknown: independence is not shown)")


def _alone(payload: Mapping[str, Any]) -> bool:
    """Whether a plan was reviewed by itself."""
    return bool((payload.get("plan") or {}).get("source") == "--plan-only")


def _model(review: Mapping[str, Any]) -> str:
    """Some CLIs don't say which model answered."""
    return str(review["model"] or "its own model")


def _scope(payload: Mapping[str, Any]) -> str:
    coverage = payload["coverage"]
    if coverage is None:
        return ""
    files = f"{coverage['files']} file{'' if coverage['files'] == 1 else 's'}"
    return f"{files} +{coverage['added']} −{coverage['removed']}"


def _met(payload: Mapping[str, Any]) -> str:
    """How many of the plan's criteria are met."""
    found = payload.get("criteria") or ()
    met = sum(one["status"] == "met" for one in found)
    return f"{met} of {len(found)} criteria met" if found else ""


def _unmet(payload: Mapping[str, Any]) -> Iterator[str]:
    for one in payload.get("criteria") or ():
        if one["status"] == "not_met":
            yield f"{one['id']} is not met: {one['text']} ({one['reason']})"


_CLAIMED = {
    "confirmed": "claimed, and run on this tree: ",
    "contradicted": "claimed, and it failed on this tree: ",
    "unverified": "claimed, and not run on this tree: ",
}


def _doubted(payload: Mapping[str, Any]) -> Iterator[str]:
    for claim in payload.get("claims") or ():
        if claim["status"] != "confirmed":
            yield f"{_CLAIMED[claim['status']]}{claim['text']} ({claim['source']})"


def _effort(payload: Mapping[str, Any], reviews: Sequence[Mapping[str, Any]] | None = None) -> str:
    """What it took: `8 s · 5.2k tokens, $0.01 · today 31k`, or where it was recorded.

    Args:
        reviews: whose effort is meant; None: that of all of them.
    """
    if payload.get("recorded") is not None:
        return f"on record as #{payload['recorded']}"
    reviews = payload["reviews"] if reviews is None else reviews
    seconds = max((review["latency_sec"] for review in reviews), default=None)
    tokens = sum(review[key] or 0 for review in reviews for key in ("prompt_tokens", "output_tokens"))
    costs = [review["cost_usd"] for review in reviews if review.get("cost_usd") is not None]
    spent = f"{_short(tokens)} tokens" if tokens else ""
    spent += f"{', ' if spent else ''}{_dollars(sum(costs))}" if costs else ""
    today = payload.get("tokens_today")
    parts = [
        f"{seconds:.0f} s" if seconds is not None else "",
        spent,
        f"today {_short(today)}" if tokens and today else "",
    ]
    return " · ".join(part for part in parts if part)


def _short(count: int) -> str:
    if count < 1000:
        return str(count)
    if count < 9_950:
        return f"{count / 1000:.1f}k"
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 10**6:.1f}M"


def _dollars(cost: float) -> str:
    """To the cent; what is less is not nothing."""
    return f"${cost:.2f}" if cost >= 0.005 or not cost else f"${cost:.4f}"


def _number(payload: Mapping[str, Any]) -> str:
    return f"#{payload['log_id']}" if payload["log_id"] is not None else ""


def _not_shown(payload: Mapping[str, Any]) -> Iterator[str]:
    withheld = payload["coverage"]["withheld"] if payload["coverage"] else []
    if not withheld:
        return
    names = ", ".join(f"{item['path']} ({item['reason']})" for item in withheld[:_MOST_NAMES])
    more = len(withheld) - _MOST_NAMES
    yield f"not shown to the reviewer: {names}" + (f" and {more} more" if more > 0 else "")


# --- the panel ----------------------------------------------------------------------------------------------

Piece = tuple[str, str]  # text, style


class Row(NamedTuple):
    """A line of the panel; what does not fit on it goes on below the text, not below the lead."""

    pieces: list[Piece]
    lead: str = ""


def _panel(payload: Mapping[str, Any], reader: Reader) -> str:
    from rich.box import ASCII, ROUNDED
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    outcome = payload["outcome"]
    style = _STYLES.get(outcome, "magenta")
    rows: list[Table | Text] = []
    for row in _rows(payload):
        text = Text.assemble(*((_fitting(piece, reader), style) for piece, style in row.pieces), overflow="fold")
        if row.lead:
            grid = Table.grid()
            grid.add_column(no_wrap=True, width=len(row.lead))
            grid.add_column(overflow="fold")
            grid.add_row(row.lead, text)
        rows.append(grid if row.lead else text)
    panel = Panel(
        Group(*rows),
        title=Text(f" {_LABELS.get(outcome, outcome)} ", style=f"bold {style}"),
        subtitle=Text(f" {_number(payload)} ") if _number(payload) else None,
        title_align="left",
        subtitle_align="right",
        border_style=style,
        box=ROUNDED if _unicode(reader) else ASCII,
    )
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=reader.width,
        force_terminal=reader.colour,
        color_system="standard" if reader.colour else None,
        no_color=not reader.colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(panel)
    lines = [line.rstrip() for line in stream.getvalue().split("\n")]
    # Below the box and unfolded, so that a command can be copied out of it.
    below = (*_to_paste(payload), *_way_out(payload, reader))
    return "\n".join((*lines[:-1], *(_fitting(line, reader) for line in below))) + "\n"


def _to_paste(payload: Mapping[str, Any]) -> list[str]:
    """The lines that what is to be done ends with."""
    problem = payload["problem"]
    return problem["do"].split(_BREAK)[1:] if problem else []


_PLAIN = str.maketrans({"−": "-", "·": "|", "…": "...", "→": "->", "⟦": "[", "⟧": "]"})


def _unicode(reader: Reader) -> bool:
    return reader.encoding.lower().replace("-", "").startswith("utf")


def _fitting(text: str, reader: Reader) -> str:
    """The text in characters that the stream can hold, before anything is measured for the layout."""
    if _unicode(reader):
        return text
    return text.translate(_PLAIN).encode(reader.encoding, "backslashreplace").decode(reader.encoding)


def _rows(payload: Mapping[str, Any]) -> Iterator[Row]:
    yield from _head(payload)
    yield from _risks(payload)
    yield from _fixes(payload)
    yield from _criteria(payload)
    yield from _claims(payload)
    yield from _listed("Verification commands (suggested by the reviewer, not run)", payload["verification_commands"])
    yield from _listed("Questions for the human owner", payload["questions"])


_BREAK = "\n"


def _plain(text: str, style: str = "", *, lead: str = "") -> Row:
    return Row([(text, style)], lead)


def _heading(text: str) -> Iterator[Row]:
    yield _plain("")
    yield _plain(text, "bold underline")


def _head(payload: Mapping[str, Any]) -> Iterator[Row]:
    problem = payload["problem"]
    if problem:
        yield _plain(f"no review: {problem['what']}", "bold")
        yield _plain(f"what to do: {problem['do'].partition(_BREAK)[0]}")
    else:
        verdict = payload["outcome"] in {"approve", *_VERDICTS}
        label = _LABELS.get(payload["outcome"], payload["outcome"])
        yield _plain(f"{'Verdict' if verdict else 'Outcome'}: {label}", "bold")
    for review in payload["reviews"]:
        spent = _effort(payload, [review])
        who = f"{_model(review)} ({review['provider']}, {review['origin']})"
        yield _plain(f"{who} · {spent}" if spent else who, lead="reviewer: ")
    if payload["coverage"] is not None:
        yield _plain(_author(payload["author"]), lead="author: ")
        if payload["reviews"] and payload["tree"]:
            yield _plain(f"{_scope(payload)}, tree {payload['tree'][:12]}", lead="reviewed: ")
        else:
            yield _plain(_scope(payload), lead="change: ")
    if payload.get("plan"):
        yield _plain(_plan(payload["plan"]), lead="plan: ")
    yield from (_plain(line, "yellow") for line in _not_shown(payload))
    yield from (_plain(reason, lead="because: ") for reason in payload["reasons"])
    yield from (_plain(notice, "yellow") for notice in payload["notices"])
    yield from (_plain(review["summary"], "italic") for review in payload["reviews"] if review["summary"])


def _author(author: Mapping[str, Any]) -> str:
    if author["source"] is None:
        return "unknown (any reviewer will do; independence is not shown)"
    if author["agent"] is None:
        return f"{author['model']} ({author['family'] or 'family unknown'}; from {author['source']})"
    known = ", ".join(part for part in (author["family"], author["model"] or "model unknown") if part)
    return f"{author['agent']} ({known}; from {author['source']})"


_WHENCE = {
    "policy": "named by the policy",
    "--plan": "named for this review",
    "log": "on record for the task",
    "--plan-only": "reviewed by itself",
}


def _plan(plan: Mapping[str, Any]) -> str:
    own = "; part of this change: its author's own word" if plan["by_author"] else ""
    own = "; put there by an agent" if plan.get("by_agent") else own
    return f"{plan['path'] or plan['task_id']} ({_WHENCE.get(plan['source'], plan['source'])}{own})"


_STATUSES = {"met": ("met", "green"), "not_met": ("not met", "red"), "not_visible": ("not visible", "dim")}


def _criteria(payload: Mapping[str, Any]) -> Iterator[Row]:
    found = payload.get("criteria") or ()
    if found:
        yield from _heading("Acceptance criteria")
    for one in found:
        status, style = _STATUSES[one["status"]]
        reason = f" ({one['reason']})" if one["reason"] else ""
        yield Row([(status, style), (f"  {one['text']}{reason}", "")], f"{one['id']}: ")


def _claims(payload: Mapping[str, Any]) -> Iterator[Row]:
    found = payload.get("claims") or ()
    if found:
        yield from _heading("Claimed, against what ran")
    for claim in found:
        runs = f", {', '.join(claim['by'])}" if claim["by"] else ""
        yield _plain(f"{_CLAIMED[claim['status']]}{claim['text']} ({claim['source']}{runs})", lead="- ")


def _risks(payload: Mapping[str, Any]) -> Iterator[Row]:
    if payload["findings"]:
        yield from _heading("Top risks")
    for number, finding in enumerate(payload["findings"], 1):
        weight = finding["severity"] or f"rule {finding['rule']}: {finding['effect']}"
        place = _place(finding)
        marks = "" if finding["grounded"] else "  (not found in the change)"
        if finding["answer"]:
            marks = f"  (dismissed: {finding['answer']['dismissed']})"
        pieces = [
            (weight, _SEVERITY_STYLES.get(weight, "bold")),
            (f"  {finding['category']}" if finding["category"] else "", "dim"),
            (f"  {place}" if place else "", "cyan"),
            (f"  {finding['title']}{marks}", ""),
            (f"  {finding['id']}" if _dismissable(finding) else "", "dim"),
        ]
        yield Row(pieces, f"{number}. ")
        for label in ("quote", "trigger", "consequence"):
            if finding[label] and not (label == "quote" and finding["source"] == "model"):
                yield _plain(finding[label], lead=f"   {label}: ")


def _dismissable(finding: Mapping[str, Any]) -> bool:
    """Whether its id is of use: `[[dismiss]]` takes it."""
    return finding["effect"] in {"block", "request-changes"} and finding["rule"] not in NEVER_DISMISSED


def _place(finding: Mapping[str, Any]) -> str:
    if not finding["file"] or finding["line_start"] is None:
        return str(finding["file"])
    return f"{finding['file']}:{finding['line_start']}"


def _fixes(payload: Mapping[str, Any]) -> Iterator[Row]:
    fixes = [(finding, _required(finding)) for finding in payload["findings"] if finding["fix"]]
    if fixes:
        yield from _heading("Required fixes")
    for finding, required in sorted(fixes, key=lambda pair: not pair[1]):
        place = _place(finding)
        yield Row(
            [(f"{place}: " if place else "", "cyan"), (finding["fix"], "")], "- " if required else "- (optional) "
        )


def _required(finding: Mapping[str, Any]) -> bool:
    """Whether the finding lowers the verdict; the fixes of the others are a matter of taste."""
    if finding["effect"] is not None:
        return finding["effect"] in {"block", "request-changes"}
    return finding["grounded"] and finding["severity"] in {"critical", "high", "medium"}


def _listed(title: str, items: Sequence[str]) -> Iterator[Row]:
    if items:
        yield from _heading(title)
        yield from (_plain(item, lead="- ") for item in items)


_WHY_OPEN = {
    "unreviewed": "NOT REVIEWED: the gate is open because the policy says so.",
    "deferred": "DEFERRED, not reviewed: the gate is open because the policy says so.",
    "request_changes": "The gate is open: `fail-on` does not demand these changes.",
}
_VERDICTS = ("block", "request_changes")


def _way_out(payload: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    """How to go on: told to humans; an agent is told to ask its user."""
    outcome, number = payload["outcome"], payload["log_id"]
    show = f"{reader.command} log show {number}" if number is not None else ""
    if payload["exit_code"] == 0:
        if outcome in _WHY_OPEN:
            yield _WHY_OPEN[outcome]
    elif _alone(payload):
        yield "Correct the plan, and have it reviewed again."
    elif outcome in _VERDICTS or (reader.hook and outcome != "interrupted"):
        yield from _for_agent(number, show) if reader.agent else _for_human(outcome, show, reader)


def _for_agent(number: int | None, show: str) -> Iterator[str]:
    which = f"review #{number}" if number is not None else "the review"
    how = f"; `{show}` explains it and how to decide" if show else ""
    yield f"Ask your user: {which} stopped this commit{how}."


def _for_human(outcome: str, show: str, reader: Reader) -> Iterator[str]:
    if outcome in _VERDICTS:
        yield "Fix it and commit again. If you disagree, the last word is yours:"
    else:
        yield "The commit was stopped, because nothing was reviewed. The last word is yours:"
    if reader.framework:
        yield "  SKIP=twoagent-hook git commit   (this gate alone)"
    yield "  git commit --no-verify          (all hooks)"
    if show:
        yield f"  {show}   (this review again)"


def columns(variables: Mapping[str, str], *, terminal: bool) -> int:
    """The width to write for: the terminal's, within reason, else 80."""
    given = variables.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and 40 <= int(given) <= 200:
        return int(given)
    if not terminal:
        return WIDTH
    try:
        # The false terminals that frameworks give to a hook say 0.
        return max(40, min(os.get_terminal_size(1).columns or WIDTH, 120))
    except OSError:
        return WIDTH
