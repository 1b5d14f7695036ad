"""The seed form of a reply, for people to read: "Verdict: …" and headings; pure."""

import re
from collections.abc import Iterator

from twoagent_hook import visible
from twoagent_hook.verdicts import VERDICTS, Parsed, Verdict, invalid

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


def parse(text: str) -> Parsed:
    """Read a reply in this form.

    Raises:
        InvalidReplyError: it states no verdict, or more than one.
    """
    lines = list(plain_lines(text))
    verdicts = stated(lines)
    if not verdicts:
        raise invalid("the reply names no verdict")
    if len(verdicts) > 1:
        raise invalid("the reply holds more than one verdict")
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


def plain_lines(text: str) -> Iterator[str]:
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


def stated(lines: list[str]) -> list[Verdict]:
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
        raise invalid(f'the verdict "{visible.excerpt(rest, 60)}" is unknown')
    verdict = VERDICTS[re.sub(r"[ -]", "_", word[1].lower())]
    tail = _REMARK.sub("", word["tail"])
    hedged = _HEDGE.search(word["tail"]) or re.match(r"\s*[A-Za-z]", word["tail"])
    if _ANY_WORD.search(tail) or hedged or (verdict is not Verdict.BLOCK and tail.strip(" .!_")):
        raise invalid("the line of the verdict names more than one, or hedges it")
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
