"""What each rule's finding is made of, and what the policy lets it do; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from twoagent_hook import visible
from twoagent_hook.findings import Effect, Finding, Source

_QUOTE = 120  # characters
_TITLE = 300


def rule(
    kind: str, title: str, file: str, line: int | None = None, fix: str = "", quote: str = "", *, mild: bool = False
) -> Finding:
    """A finding of one rule.

    Args:
        title: may name things of the change; made visible, and cut, as the quote is.
        file: as it is shown to people.
        mild: whether it is never more than a note, whatever the policy gives its rule.
    """
    return Finding(
        source=Source.RULE,
        kind=kind,
        title=visible.excerpt(title, _TITLE),
        file=file,
        line_start=line,
        line_end=line,
        quote=visible.excerpt(quote, _QUOTE),
        fix=fix,
        effect=Effect.NOTE if mild else None,
    )


def effective(found: Iterable[Finding], effects: Mapping[str, Effect]) -> Iterator[Finding]:
    """The findings with what the policy lets them do, without those of rules that are off."""
    for finding in found:
        effect = effects[finding.kind]
        if effect != Effect.OFF:
            yield replace(finding, effect=effect if finding.effect is None else min(effect, finding.effect))


def once_a_file(found: Iterable[Finding], most: int = 3) -> Iterator[Finding]:
    """No more than `most` findings of a kind and title in one file: the rest says nothing new."""
    counts: dict[tuple[str, str, str], int] = {}
    for finding in found:
        key = (finding.kind, finding.file, finding.title)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= most:
            yield finding
