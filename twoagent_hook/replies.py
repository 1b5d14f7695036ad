"""What a reply says, parsed strictly, and whether it may count; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from twoagent_hook import seedform, visible
from twoagent_hook.backends.base import Reply
from twoagent_hook.errors import InvalidReplyError
from twoagent_hook.findings import Finding, Severity, Source
from twoagent_hook.prompts import Receipt
from twoagent_hook.verdicts import STATUSES, VERDICTS, Judged, Parsed, Verdict, invalid

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


def parse(text: str) -> Parsed:
    """Read a reply in either form.

    Raises:
        InvalidReplyError: and nothing else, whatever the text; the message says which way it is unusable.
    """
    if not text.strip():
        raise invalid("the reply is empty")
    if len(text) > TEXT_LIMIT:
        raise invalid("the reply is far too long")
    text = _outside_thoughts(text, _VERDICT)
    objects = list(_objects(text, _VERDICT))
    if len(objects) > 1:
        raise invalid("the reply holds more than one verdict")
    if not objects:
        return seedform.parse(text)
    found, around = objects[0]
    parsed = _from_object(found)
    if any(verdict != parsed.verdict for verdict in seedform.stated(list(seedform.plain_lines(around)))):
        raise invalid("the reply holds more than one verdict")
    return parsed


_VERDICT = "verdict"


def only_object(text: str, marker: str) -> Mapping[str, Any]:
    """The one JSON object of a reply, by a key that it has to have; whatever prose stands around it.

    Raises:
        InvalidReplyError: there is none, or more than one.
    """
    if len(text) > TEXT_LIMIT:
        raise invalid("the reply is far too long")
    found = [data for data, _ in _objects(_outside_thoughts(text, marker), marker)]
    if len(found) != 1:
        how = "no" if not found else "more than one"
        raise invalid(
            f"the reply holds {how} JSON object of the form that was asked for"
            if text.strip()
            else "the reply is empty"
        )
    return found[0]


def _outside_thoughts(text: str, marker: str) -> str:
    """The text without a reasoning model's thoughts; unclosed ones swallow the rest."""
    if _begins_with_reply(text, marker):
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


def _begins_with_reply(text: str, marker: str) -> bool:
    start = _BARE.match(text)
    if start is None:
        return False
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start.end())
    except (ValueError, RecursionError):
        return False
    return marker in value


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


def _objects(text: str, marker: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every JSON object of the reply's shape (it has the marker) that is not quoted, and the text around it.

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
            raise invalid("the reply can't be parsed: it is full of brackets")
        try:
            value, end = decoder.raw_decode(text, opening.start())
        except _DuplicateKeyError:
            raise invalid("the reply has a key twice") from None
        except (ValueError, RecursionError):
            end, broken = opening.start() + 1, True
        else:
            if marker in value and broken:
                raise invalid("the reply holds a JSON object that is broken")
            if marker in value:
                yield value, text[: opening.start()] + "\n" + text[end:]
        opening = _OPENING.search(text, end)


def _from_object(data: Mapping[str, Any]) -> Parsed:
    word = data["verdict"]
    verdict = VERDICTS.get(word) if isinstance(word, str) else None
    if verdict is None:
        raise invalid(f"the verdict {_show(word)} is unknown")
    receipt = data.get("receipt")
    if receipt is not None and not isinstance(receipt, str):
        raise invalid("the receipt is not a text")
    return Parsed(
        verdict=verdict,
        summary=_text(data, "summary", "the reply"),
        findings=tuple(_findings(data, lenient=verdict is Verdict.BLOCK)),
        commands=tuple(_strings(data, "verification_commands")),
        questions=tuple(_strings(data, "questions")),
        receipt=receipt,
        whole=True,
        criteria=tuple(_criteria(data, lenient=verdict is Verdict.BLOCK)),
    )


def _show(value: Any) -> str:
    return visible.excerpt(json.dumps(value, ensure_ascii=True)[:200], 60)


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > ITEMS_LIMIT:
        raise invalid(f"`{key}` is not a list of at most {ITEMS_LIMIT}")
    return value


def _strings(data: Mapping[str, Any], key: str) -> list[str]:
    values = _list(data, key)
    if not all(isinstance(value, str) for value in values):
        raise invalid(f"`{key}` is not a list of texts")
    return [value for value in values if value.strip()]


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"`{key}` of {where} is not a text")
    return value


def _word(data: Mapping[str, Any], key: str, known: tuple[str, ...], where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or value not in known:
        raise invalid(f"`{key}` of {where} is {_show(value)}, which is none of {', '.join(known)}")
    return value


def _number(data: Mapping[str, Any], key: str, where: str) -> int | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(f"`{key}` of {where} is not a line number")
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


def _criteria(data: Mapping[str, Any], *, lenient: bool) -> Iterator[Judged]:
    for place, item in enumerate(_list(data, "criteria"), 1):
        where = f"criterion {place}"
        try:
            if not isinstance(item, dict):
                raise invalid(f"{where} is not an object")
            status = _word(item, "status", STATUSES, where)
            yield Judged(_text(item, "id", where), status, _text(item, "reason", where))
        except InvalidReplyError:
            if not lenient:
                raise


def _finding(item: Any, place: int) -> Finding:
    where = f"finding {place}"
    if not isinstance(item, dict):
        raise invalid(f"{where} is not an object")
    title = _text(item, "title", where)
    if not title.strip():
        raise invalid(f"{where} has no title")
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


# --- acceptance ---------------------------------------------------------------------------------------------


def natural_end(reply: Reply) -> bool:
    """Whether the endpoint says that the reply came to its natural end; nothing of it may count where it did not.

    Raises:
        InvalidReplyError: the model declined, was filtered or was cut off.
    """
    if reply.refusal is not None:
        raise invalid(f"the model declined to answer: {visible.excerpt(reply.refusal, 120)}")
    finish = (reply.finish or "").lower()
    if finish in _FILTERED:
        raise invalid("the reply was stopped by the provider's content filter")
    if finish in _CUT:
        raise invalid("the reply was cut off before its end (the limit of output tokens)")
    if finish and finish not in NATURAL_ENDS:
        raise invalid(f"the reply ended unnaturally ({visible.excerpt(finish, 40)})")
    return bool(finish)


def read(reply: Reply, receipt: Receipt, opens: Verdict) -> Parsed:
    """Parse a reply and decide whether it may count.

    Args:
        receipt: what was sent.
        opens: the worst verdict that would open the gate.

    Raises:
        InvalidReplyError: it may not; the message says why.
    """
    finished = natural_end(reply)
    return accept(parse(reply.text), receipt, opens, ended=finished)


def read_object(reply: Reply, receipt: Receipt, marker: str) -> Mapping[str, Any]:
    """The object of a reply that is no review; without the right receipt nothing of it counts.

    Raises:
        InvalidReplyError: it may not count; the message says why.
    """
    natural_end(reply)
    data = only_object(reply.text, marker)
    if data.get("receipt") != receipt.expected:
        raise invalid("the reply has no receipt" if data.get("receipt") is None else "the reply has a wrong receipt")
    return data


def accept(parsed: Parsed, receipt: Receipt, opens: Verdict, *, ended: bool) -> Parsed:
    """The parsed reply, if its verdict may count: one that would open the gate needs the right receipt."""
    right = parsed.receipt == receipt.expected
    if parsed.verdict <= opens and not right:
        what = "no receipt" if parsed.receipt is None else "a wrong receipt"
        raise invalid(
            f"the reply has {what}: the reviewer may not have seen the whole message "
            "(with a local server, check its context setting, such as num_ctx)"
        )
    if not ended and not (parsed.whole and right):
        raise invalid("the endpoint does not say that the reply is complete")
    return parsed
