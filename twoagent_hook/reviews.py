"""What a reply says: parsed strictly, accepted or not, and its findings held against the change; pure.

"No verdict" is an exception and never a verdict, so that it can't compare into an approval.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from twoagent_hook import visible
from twoagent_hook.backends.base import Identity, Reply, Usage
from twoagent_hook.changes import FileChange, Line
from twoagent_hook.errors import InvalidReplyError
from twoagent_hook.findings import Finding, Severity, Source
from twoagent_hook.prompts import Receipt
from twoagent_hook.screening import ScreenedChange

CATEGORIES = (
    "correctness",
    "security",
    "privacy",
    "data_loss",
    "hidden_assumption",
    "missing_test",
    "rollback",
    "over_engineering",
    "forbidden_file",
    "reviewer_manipulation",
)
CERTAINTIES = ("proven", "likely", "speculative")
NATURAL_ENDS = frozenset({"stop", "end_turn", "stop_sequence", "eos", "eos_token", "completed", "complete", "done"})
_FILTERED = frozenset({"content_filter", "safety", "blocklist", "prohibited_content", "recitation", "spii"})
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "incomplete"})
TEXT_LIMIT = 400_000  # characters of a reply
ITEMS_LIMIT = 100
_NEAR = 3  # lines between a finding and the next changed line


class Verdict(IntEnum):
    APPROVE = 1
    REQUEST_CHANGES = 2
    BLOCK = 3

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A reply's content before anybody asked whether it may count.

    Attributes:
        receipt: as it was given back; None where it is missing.
        whole: whether it is the complete JSON object (the seed form proves no such thing).
    """

    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    questions: tuple[str, ...]
    receipt: str | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's opinion, accepted.

    Attributes:
        stated: the verdict as the reviewer gave it.
        verdict: after the law (an approve beside a grave finding is none).
    """

    reviewer: Identity
    answered: tuple[str, ...]
    stated: Verdict
    verdict: Verdict
    summary: str
    findings: tuple[Finding, ...]
    commands: tuple[str, ...]
    questions: tuple[str, ...]
    usage: Usage
    latency: float
    attempts: int
    form: str

    @property
    def contradictory(self) -> bool:
        return self.stated != self.verdict


# --- parsing ------------------------------------------------------------------------------------------------


def parse(text: str) -> Parsed:
    """Read a reply in either form.

    Raises:
        InvalidReplyError: and nothing else, whatever the text; the message says which way it is unusable.
    """
    if not text.strip():
        raise _invalid("the reply is empty")
    if len(text) > TEXT_LIMIT:
        raise _invalid("the reply is far too long")
    text = _outside_thoughts(text)
    objects = list(_objects(text))
    if len(objects) > 1:
        raise _invalid("the reply holds more than one verdict")
    if not objects:
        return _from_seed(text)
    found, around = objects[0]
    parsed = _from_object(found)
    if any(verdict != parsed.verdict for verdict in _stated(list(_plain_lines(around)))):
        raise _invalid("the reply holds more than one verdict")
    return parsed


def _invalid(reason: str) -> InvalidReplyError:
    return InvalidReplyError(reason, "try again, or name another reviewer")


def _outside_thoughts(text: str) -> str:
    """The text without a reasoning model's thoughts; unclosed ones swallow the rest."""
    if _begins_with_reply(text):
        return text  # the reply itself, which may quote such a tag
    lower, kept, place = text.lower(), [], 0
    while (start := lower.find("<think", place)) >= 0:
        kept.append(text[place:start])
        end = lower.find("</think", start)
        place = lower.find(">", end) + 1 if end >= 0 else 0
        if not place:
            return "".join(kept)
    kept.append(text[place:])
    # Some servers drop the opening tag: what stands before a closing one was thought, not said.
    return re.split(r"</think(?:ing)?>", "".join(kept), flags=re.IGNORECASE)[-1]


_BARE = re.compile(r"\ufeff?\s*(?:(?:`{3,}|~{3,})\w*\s*)?(?=\{)")


def _begins_with_reply(text: str) -> bool:
    start = _BARE.match(text)
    if start is None:
        return False
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.end())
    except (ValueError, RecursionError):
        return False
    return "verdict" in value


class _DuplicateKeyError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


_ATTEMPTS = 500
_OPENING = re.compile(r'\{\s*["}]')


def _objects(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every JSON object of the reply's shape (it names a verdict) that is not quoted, and the text around it.

    Raises:
        InvalidReplyError: one has a key twice, or follows the beginning of one that is broken (and may be a part
            of it), or there is too much that begins like an object.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    text = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))
    attempts, broken = 0, False
    opening = _OPENING.search(text)
    while opening is not None:
        attempts += 1
        if attempts > _ATTEMPTS:
            raise _invalid("the reply can't be parsed: it is full of brackets")
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except _DuplicateKeyError:
            raise _invalid("the reply has a key twice") from None
        except (ValueError, RecursionError):
            end, broken = opening.start() + 1, True
        else:
            if "verdict" in value and broken:
                raise _invalid("the reply holds a JSON object that is broken")
            if "verdict" in value:
                yield value, text[: opening.start()] + "\n" + text[end:]
        opening = _OPENING.search(text, end)


_VERDICTS = {"approve": Verdict.APPROVE, "request_changes": Verdict.REQUEST_CHANGES, "block": Verdict.BLOCK}


def _from_object(data: Mapping[str, Any]) -> Parsed:
    word = data["verdict"]
    verdict = _VERDICTS.get(word) if isinstance(word, str) else None
    if verdict is None:
        raise _invalid(f"the verdict {_show(word)} is unknown")
    receipt = data.get("receipt")
    if receipt is not None and not isinstance(receipt, str):
        raise _invalid("the receipt is not a text")
    return Parsed(
        verdict=verdict,
        summary=_text(data, "summary", "the reply"),
        findings=tuple(_findings(data, lenient=verdict is Verdict.BLOCK)),
        commands=tuple(_strings(data, "verification_commands")),
        questions=tuple(_strings(data, "questions")),
        receipt=receipt,
        whole=True,
    )


def _show(value: Any) -> str:
    return visible.excerpt(json.dumps(value, ensure_ascii=True)[:200], 60)


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > ITEMS_LIMIT:
        raise _invalid(f"`{key}` is not a list of at most {ITEMS_LIMIT}")
    return value


def _strings(data: Mapping[str, Any], key: str) -> list[str]:
    values = _list(data, key)
    if not all(isinstance(value, str) for value in values):
        raise _invalid(f"`{key}` is not a list of texts")
    return [value for value in values if value.strip()]


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(f"`{key}` of {where} is not a text")
    return value


def _word(data: Mapping[str, Any], key: str, known: tuple[str, ...], where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or value not in known:
        raise _invalid(f"`{key}` of {where} is {_show(value)}, which is none of {', '.join(known)}")
    return value


def _number(data: Mapping[str, Any], key: str, where: str) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _invalid(f"`{key}` of {where} is not a line number")
    return value if 0 < value < 1 << 31 else None


def _findings(data: Mapping[str, Any], *, lenient: bool) -> Iterator[Finding]:
    """The findings; with `lenient`, those that are malformed are left out.

    A block stands with what can be read of it: asked again, the same reviewer could take it back.
    """
    for place, item in enumerate(_list(data, "findings"), 1):
        try:
            yield _finding(item, place)
        except InvalidReplyError:
            if not lenient:
                raise


def _finding(item: Any, place: int) -> Finding:
    where = f"finding {place}"
    if not isinstance(item, dict):
        raise _invalid(f"{where} is not an object")
    title = _text(item, "title", where)
    if not title.strip():
        raise _invalid(f"{where} has no title")
    start, end = _number(item, "line_start", where), _number(item, "line_end", where)
    return Finding(
        source=Source.MODEL,
        kind=_word(item, "category", CATEGORIES, where),
        title=title,
        file=_text(item, "file", where),
        line_start=start,
        line_end=end if end is not None and start is not None and end >= start else start,
        side=_word({"side": "new"} | dict(item), "side", ("new", "old"), where),
        severity=Severity[_word(item, "severity", ("critical", "high", "medium", "low"), where).upper()],
        certainty=_word({"certainty": "speculative"} | dict(item), "certainty", CERTAINTIES, where),
        quote=_text(item, "quote", where),
        trigger=_text(item, "trigger", where),
        consequence=_text(item, "consequence", where),
        fix=_text(item, "fix", where),
        grounded=False,
    )


# --- the seed form: "Verdict: …" and headings ---------------------------------------------------------------

_VERDICT_LINE = re.compile(r"(?:\d{1,3}[.)] ?)?verdict(?![a-z])(?P<mark>[\s:–—-]*)(?P<rest>.*)", re.IGNORECASE)
# A remark in brackets after the word is prose, unless it begins by taking the word back.
_REMARK = re.compile(r"\([^()]*\)")
_HEDGE = re.compile(
    r"\(\s*(?:not|no|never|only|if|unless|provided|once|after|until|when|conditional|subject|pending|but|except|assuming)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"(approve|request[ _-]changes|block)(?![\w-])(?P<tail>.*)", re.IGNORECASE)
_ANY_WORD = re.compile(r"\b(approve|request[ _-]changes|block)(?:d|s|ed)?\b", re.IGNORECASE)
_RECEIPT_LINE = re.compile(r"receipt\s{0,3}:\s{0,3}(?P<value>[A-Za-z0-9-]+)", re.IGNORECASE)
_EMPHASIS = str.maketrans("", "", "*`#")
_HEADINGS = (
    "top risks",
    "required fixes",
    "verification commands",
    "questions for the human owner",
    "questions",
)


def _from_seed(text: str) -> Parsed:
    lines = list(_plain_lines(text))
    verdicts = _stated(lines)
    if not verdicts:
        raise _invalid("the reply names no verdict")
    if len(verdicts) > 1:
        raise _invalid("the reply holds more than one verdict")
    receipts = {match["value"] for line in lines if (match := _RECEIPT_LINE.match(line))}
    return Parsed(
        verdict=verdicts[0],
        summary="",
        findings=(),
        commands=tuple(_items(text, "verification commands")),
        questions=tuple(_items(text, "questions")),
        receipt=receipts.pop() if len(receipts) == 1 else None,
        whole=False,
    )


def _plain_lines(text: str) -> Iterator[str]:
    """The lines outside of code fences and quotes (a verdict in those is somebody else's), without emphasis."""
    fence = ""
    for line in text.split("\n"):
        stripped = line.strip()
        mark = re.match(r"`{3,}|~{3,}", stripped)
        if fence:
            fence = "" if stripped.startswith(fence) and not stripped.strip(fence[0]) else fence
        elif mark:
            fence = mark.group()
        elif not stripped.startswith(">"):
            yield stripped.translate(_EMPHASIS).strip(" _")


def _stated(lines: list[str]) -> list[Verdict]:
    """Every verdict that a line states.

    Raises:
        InvalidReplyError: a line is about the verdict and names none, or more than one, or hedges it.
    """
    return [verdict for place in range(len(lines)) if (verdict := _verdict_at(lines, place)) is not None]


def _verdict_at(lines: list[str], place: int) -> Verdict | None:
    """The verdict that a line states.

    Raises:
        InvalidReplyError: the line is about the verdict and names none, or more than one.
    """
    match = _VERDICT_LINE.fullmatch(lines[place])
    if match is None:
        return None
    rest = match["rest"].strip()
    if not rest:  # a heading: the next line that is not blank states it
        rest = next((line for line in lines[place + 1 :] if line), "")
    elif ":" not in match["mark"] and not _ANY_WORD.search(rest):
        return None  # prose that begins with the word "verdict"
    word = _WORD.fullmatch(rest)
    if word is None:
        raise _invalid(f"the verdict {_show(rest)} is unknown")
    verdict = _VERDICTS[re.sub(r"[ -]", "_", word[1].lower())]
    tail = _REMARK.sub("", word["tail"])
    hedged = _HEDGE.search(word["tail"]) or re.match(r"\s*[A-Za-z]", word["tail"])
    if _ANY_WORD.search(tail) or hedged or (verdict is not Verdict.BLOCK and tail.strip(" .!_")):
        raise _invalid("the line of the verdict names more than one, or hedges it")
    return verdict


def _items(text: str, heading: str) -> Iterator[str]:
    """What stands below one of the headings, a line each, without list marks and fences."""
    inside = False
    for line in text.split("\n"):
        plain = line.strip(" *_#:`").lower()
        if plain in _HEADINGS:
            inside = plain.startswith(heading)
        elif inside and line.strip().startswith("#"):
            inside = False
        elif inside and not line.strip().startswith("```"):
            item = re.sub(r"^\s*(?:[-*+]|\d+[.)])\s+", "", line).strip().strip("`")
            if item and item.lower().strip(".") != "none":
                yield item


# --- acceptance ---------------------------------------------------------------------------------------------


def read(reply: Reply, receipt: Receipt, opens: Verdict) -> Parsed:
    """Parse a reply and decide whether it may count.

    Args:
        receipt: what was sent.
        opens: the worst verdict that would open the gate.

    Raises:
        InvalidReplyError: it may not; the message says why.
    """
    if reply.refusal is not None:
        raise _invalid(f"the model declined to review: {visible.excerpt(reply.refusal, 120)}")
    finish = (reply.finish or "").lower()
    if finish in _FILTERED:
        raise _invalid("the reply was stopped by the provider's content filter")
    if finish in _CUT:
        raise _invalid("the reply was cut off before its end (the limit of output tokens)")
    if finish and finish not in NATURAL_ENDS:
        raise _invalid(f"the reply ended unnaturally ({visible.excerpt(finish, 40)})")
    return accept(parse(reply.text), receipt, opens, ended=bool(finish))


def accept(parsed: Parsed, receipt: Receipt, opens: Verdict, *, ended: bool) -> Parsed:
    """The parsed reply, if its verdict may count: one that would open the gate needs the right receipt."""
    right = parsed.receipt == receipt.expected
    if parsed.verdict <= opens and not right:
        what = "no receipt" if parsed.receipt is None else "a wrong receipt"
        raise _invalid(
            f"the reply has {what}: the reviewer may not have seen the whole message "
            "(with a local server, check its context setting, such as num_ctx)"
        )
    if not ended and not (parsed.whole and right):
        raise _invalid("the endpoint does not say that the reply is complete")
    return parsed


# --- grounding ----------------------------------------------------------------------------------------------


def review(parsed: Parsed, reply: Reply, reviewer: Identity, screened: ScreenedChange) -> Review:
    """The accepted opinion, with its findings held against the change and the law applied to its verdict."""
    files = {visible.path(file.path): file for file in screened.files}
    findings = tuple(
        replace(finding, grounded=grounded(finding, files), reviewer=reviewer.spec) for finding in parsed.findings
    )
    grave = any((finding.severity or 0) >= Severity.HIGH for finding in findings)
    approved = parsed.verdict is Verdict.APPROVE
    return Review(
        reviewer=reviewer,
        answered=reply.answered,
        stated=parsed.verdict,
        verdict=Verdict.REQUEST_CHANGES if approved and grave else parsed.verdict,
        summary=parsed.summary,
        findings=findings,
        commands=parsed.commands,
        questions=parsed.questions,
        usage=reply.usage,
        latency=reply.latency,
        attempts=reply.attempts,
        form=reply.form,
    )


def grounded(finding: Finding, files: Mapping[str, FileChange]) -> bool:
    """Whether the file is in the change, the lines lie near a changed one, and the quote occurs there."""
    file = files.get(finding.file)
    if file is None:
        return False
    return _near_change(finding, file) and _quoted(finding, list(file.lines))


def _near_change(finding: Finding, file: FileChange) -> bool:
    if finding.line_start is None:
        return False
    start, end = finding.line_start - _NEAR, (finding.line_end or finding.line_start) + _NEAR
    old = finding.side == "old"
    numbers = (number for number, line in _numbered(file, old=old) if line.sign != " ")
    return any(start <= number <= end for number in numbers)


def _numbered(file: FileChange, *, old: bool) -> Iterator[tuple[int, Line]]:
    """Each line with its number on one side; a line of the other side takes the number that follows there."""
    for hunk in file.hunks:
        number = hunk.old_start if old else hunk.new_start
        for line in hunk.lines:
            own = line.old if old else line.new
            number = own if own is not None else number
            yield number, line
            number += own is not None


def _fold(text: str) -> str:
    return " ".join(text.split())


def _quoted(finding: Finding, lines: list[Line]) -> bool:
    quote = _fold(finding.quote)
    if not quote:
        return False
    for signs in (" +", " -"):
        text = _fold("\n".join(visible.line(line.text) for line in lines if line.sign in signs))
        if quote in text:
            return True
    return False
