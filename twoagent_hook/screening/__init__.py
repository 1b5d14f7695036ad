"""What may leave the machine, and what the rules find; run before anything is sent; pure."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from twoagent_hook import changes, visible
from twoagent_hook.changes import ABSENT, ChangeSet, FileChange, Hunk, Line, Rename, Status
from twoagent_hook.config import Config
from twoagent_hook.context import widened
from twoagent_hook.errors import GitError
from twoagent_hook.findings import NEVER_DISMISSED, Effect, Finding, Source
from twoagent_hook.screening import hidden, injection, secrets, shapes, tampering, weakening
from twoagent_hook.screening.contents import Content, became_binary, is_generated, is_lock, known_files, recognise
from twoagent_hook.screening.detectors import Detectors
from twoagent_hook.screening.rules import effective, rule
from twoagent_hook.screening.tampering import Gate, Texts

Matcher = Callable[[str], bool]


class Reason(StrEnum):
    """Why something of the change is not shown to the reviewer."""

    EXCLUDED = "excluded by the policy"
    LOCK = "lock file"
    GENERATED = "generated file"
    BINARY = "binary file"
    INHERITED = "taken over by a merge, unchanged, from a parent"
    TOO_LARGE = changes.TOO_LARGE
    SILENT = changes.SILENT
    OVER_BUDGET = "over the budget of max-input-tokens"
    OVER_CONTEXT = "over the context of the reviewer's model"
    UNANSWERED = "its part of the review has no answer"

    @property
    def complete(self) -> bool:
        """Whether policy or the nature of the thing withholds it: then the coverage is complete without it."""
        incomplete = {Reason.TOO_LARGE, Reason.SILENT, Reason.OVER_BUDGET, Reason.OVER_CONTEXT, Reason.UNANSWERED}
        return self not in incomplete


class Withheld(NamedTuple):
    path: str
    reason: Reason
    numbers: str = ""


class Move(NamedTuple):
    """A file that only changed its place: same content, same mode, same type, and neither place is sensitive."""

    source: str
    path: str


@dataclass(frozen=True, slots=True)
class ScreenedChange:
    """What may be shown, what is not and why, and what the rules found.

    Attributes:
        files: shown, with secrets replaced and every line decoded.
        entries: how many paths the change has; each of them is in `files`, `moves` or `withheld`.
        sendable: False where a secret was added and the policy lets none of the change leave the machine.
        merged: the trees of the other parents, while a merge is being concluded.
        functions: files again, by path, with the functions around their changes, where they were read.
    """

    base: str
    tree: str
    files: tuple[FileChange, ...]
    moves: tuple[Move, ...]
    withheld: tuple[Withheld, ...]
    findings: tuple[Finding, ...]
    entries: int
    sendable: bool
    merged: tuple[str, ...] = ()
    functions: Mapping[str, FileChange] = field(default_factory=dict)


def _never(path: str) -> bool:
    return not path


def matcher(patterns: tuple[str, ...]) -> Matcher:
    """Whether a path matches any of the patterns, which are those of `.gitignore`."""
    if not patterns:
        return _never
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines(patterns)
    return spec.match_file


class Inspected(NamedTuple):
    """What rules look at beside the hunks.

    Attributes:
        gate: itself.
        texts: whole files before and after.
        outside: path -> why the plan does not let the change touch it.
    """

    gate: Gate = Gate()
    texts: Mapping[str, Texts] = {}
    outside: Mapping[str, str] = {}


def inspected_paths(change: ChangeSet, gate: Gate) -> list[str]:
    """The changed paths of which the rules want the whole texts."""
    paths = [file.path for file in change.files if not file.submodule]
    watched = set(tampering.watched(paths, gate))
    return [path for path in paths if path in watched or is_lock(path)]


def screen(
    change: ChangeSet,
    config: Config,
    generated: Mapping[str, bool],
    inspected: Inspected | None = None,
    detectors: Detectors | None = None,
) -> ScreenedChange:
    """Sort the change into what is shown and what is not, and run the rules over all of it.

    Args:
        generated: what `.gitattributes` at the base says of `linguist-generated`, by path.
        inspected: see there; without it those rules look at hunks alone.
        detectors: look for secrets as well.

    Raises:
        GitError: an entry of the change would be in neither (a defect, which must not open the gate).
    """
    sieve = _Sieve(config, generated, inspected or Inspected(), detectors or Detectors(0))
    withheld = [Withheld(sieve.redactor.text(path), Reason.INHERITED) for path in change.inherited]
    paths = [item.path for item in withheld]
    paths += [sieve.take(file, change.functions.get(file.path)) for file in change.files]
    folded = _fold(change.renames, sieve)
    findings = tuple(sieve.findings(change.renames))
    screened = ScreenedChange(
        base=change.base,
        tree=change.tree,
        files=tuple(sieve.shown.values()),
        moves=folded,
        withheld=(*withheld, *sieve.withheld),
        findings=findings,
        entries=len(change.files) + len(change.inherited),
        sendable=not any(finding.kind == "secret" and finding.effect == Effect.BLOCK for finding in findings),
        merged=change.merged,
        functions={file.path: sieve.wide[file.path] for file in sieve.shown.values() if _widens(file, sieve)},
    )
    _check_invariant(paths, screened)
    return screened


class _Sieve:
    """Takes one file after the other, and keeps what is shown, what is withheld and what the rules found.

    Attributes:
        shown: by the path as git has it.
        wide: files with the functions around their changes, by the path as it is shown.
    """

    def __init__(
        self, config: Config, generated: Mapping[str, bool], inspected: Inspected, detectors: Detectors
    ) -> None:
        self.redactor = secrets.Redactor()
        self.detectors = detectors
        self.excluded = matcher(config.exclude)
        self.shown: dict[str, FileChange] = {}
        self.wide: dict[str, FileChange] = {}
        self.withheld: list[Withheld] = []
        self._config = config
        self._generated = generated
        self._inspected = inspected
        self._protected = matcher(config.protect)
        self._fixtures = matcher(config.secret_fixtures)
        self._files: list[FileChange] = []
        self._found: list[Finding] = []

    def take(self, original: FileChange, functions: Sequence[Hunk] | None = None) -> str:
        """Sort one file in; returns its path without secrets.

        Args:
            functions: its hunks with the functions around them, where they were read.
        """
        recognised, content = recognise(original)
        wide = _wide(recognised, functions) if functions and recognised is original else None
        file, leaks = _redact(wide or recognised, self.redactor, self.detectors)
        if wide is not None:
            self.wide[file.path] = file
            file = _narrow(file, recognised, self.redactor)
        self._files.append(file)
        self._found += [] if self._fixtures(original.path) else leaks
        texts = self._inspected.texts.get(original.path)
        self._found += _per_file(file, content, texts, protected=_covers(self._protected, original))
        if original.path in self._inspected.outside:
            self._found.append(_out_of_scope(file, self._inspected.outside[original.path]))
        reason = _reason(original, content, self.excluded, self._generated)
        if reason is None:
            self.shown[original.path] = file
        else:
            self.withheld.append(Withheld(file.path, reason, numbers(file)))
        return file.path

    def findings(self, renames: tuple[Rename, ...]) -> Iterator[Finding]:
        """What the rules found in the files and in the change as a whole, with what the policy lets it do."""
        names = {file.path: visible.path(file.path) for file in self._files}
        gate = tampering.find(_gate_texts(self._inspected), self._inspected.gate)
        found = [*self._found, *weakening.find(self._files, renames, names), *gate]
        yield from _undismissed(effective(_without_secrets(found, self.redactor), self._config.rules), self._config)


def _wide(file: FileChange, functions: Sequence[Hunk]) -> FileChange | None:
    """The file with the functions around its changes; None where those lines would have to be decoded first."""
    if any("\0" in line.text for hunk in functions for line in hunk.lines):
        return None
    wide = widened(file, functions)
    shown = {line[:3] for line in wide.lines} if wide else set()
    return wide if all(line[:3] in shown for line in file.lines) else None


def _narrow(wide: FileChange, original: FileChange, redactor: secrets.Redactor) -> FileChange:
    """The file as it was before it was widened, with the lines that were made safe meanwhile."""
    safe = {line[:3]: line for line in wide.lines}
    hunks = tuple(
        hunk._replace(
            lines=tuple(safe[line[:3]] for line in hunk.lines), section=redactor.text(_whole_words(hunk.section))
        )
        for hunk in original.hunks
    )
    return replace(wide, hunks=hunks)


def _widens(file: FileChange, sieve: "_Sieve") -> bool:
    return file.path in sieve.wide and file.source is None


def _gate_texts(inspected: Inspected) -> dict[str, Texts]:
    return {path: text for path, text in inspected.texts.items() if not is_lock(path)}


def _without_secrets(found: list[Finding], redactor: secrets.Redactor) -> Iterator[Finding]:
    """What rules quote of whole files, and of names, was not redacted yet."""
    hide = redactor.text
    for finding in found:
        yield replace(finding, title=hide(finding.title), quote=hide(finding.quote), file=hide(finding.file))


def _undismissed(found: Iterator[Finding], config: Config) -> Iterator[Finding]:
    """The findings, those that the owner dismissed without an effect of theirs."""
    for finding in found:
        reason = config.dismiss.get(finding.id)
        if reason is None or finding.kind in NEVER_DISMISSED:
            yield finding
        else:
            yield replace(finding, effect=Effect.NOTE, dismissed=reason)


def _covers(matches: Matcher, file: FileChange) -> bool:
    """Whether the patterns mean this path; a submodule is a folder to them."""
    return matches(file.path) or (file.submodule and matches(f"{file.path}/"))


def _check_invariant(paths: list[str], screened: ScreenedChange) -> None:
    """Each path is accounted for exactly once, and what is shown is there to be seen."""
    if any(not file.hunks and file.old_oid != file.new_oid and any(file.sizes) for file in screened.files):
        raise GitError("a changed file would be shown without its lines", "report this: it is a defect")
    accounted = [name for file in screened.files for name in (file.path, file.source) if name is not None]
    accounted += [name for move in screened.moves for name in move]
    accounted += [item.path for item in screened.withheld]
    if sorted(accounted) != sorted(paths):
        raise GitError("a changed file was neither shown nor named as withheld", "report this: it is a defect")


def numbers(file: FileChange) -> str:
    """`+3 −1`, or sizes where lines are not what it is made of."""
    if file.hunks and not any("\0" in line.text for line in file.lines):
        return f"+{file.added} −{file.removed}"
    old, new = file.sizes
    return " → ".join(f"{size} bytes" for size in (old, new) if size is not None)


def _reason(file: FileChange, content: Content, excluded: Matcher, generated: Mapping[str, bool]) -> Reason | None:
    named = _by_name(file, excluded, generated)
    if named is not None:
        return named
    if file.unread is not None:
        return Reason(file.unread)
    return Reason.BINARY if content is Content.BINARY else None


def _by_name(file: FileChange, excluded: Matcher, generated: Mapping[str, bool]) -> Reason | None:
    """Why a file is not shown, whatever is in it."""
    said = generated.get(file.path)
    if _covers(excluded, file):
        return Reason.EXCLUDED
    if said or (said is None and is_generated(file.path)):
        return Reason.GENERATED
    return Reason.LOCK if said is None and is_lock(file.path) else None


@cache
def sensitive() -> Matcher:
    """Whether content acts by lying at this path (hooks, CI, what instructs agents, build scripts)."""
    matches = matcher(tuple(pattern.lower() for pattern in known_files()["sensitive"]["patterns"]))
    return lambda path: matches(path.lower())  # some file systems make no difference


def moves(
    files: Sequence[FileChange], pairs: Iterable[tuple[str, str, bool]], config: Config, generated: Mapping[str, bool]
) -> frozenset[str]:
    """The paths of files that are shown as moved, whatever they hold: no line of theirs is read.

    Args:
        pairs: source, path, and whether the content is equal.
    """
    acts, excluded, fixtures = sensitive(), matcher(config.exclude), matcher(config.secret_fixtures)
    by_path = {file.path: file for file in files}
    found: set[str] = set()
    for source, path, exact in pairs:
        withheld = any(_by_name(by_path[name], excluded, generated) for name in (source, path))
        judged = _tests(source) or _tests(path) or fixtures(source) != fixtures(path)  # a rule looks at its lines
        if exact and not withheld and not judged and _folds(by_path[source], by_path[path], acts):
            found |= {source, path}
    return frozenset(found)


def _tests(path: str) -> bool:
    """Whether it may be one of the tests, which a move can take out of their number."""
    return "test" in path.lower() or "spec" in path.lower()


def _folds(source: FileChange, path: FileChange, acts: Matcher) -> bool:
    """Whether a reader loses nothing where the second is told as the first in another place."""
    suffixes = {name.rpartition(".")[2] for name in (source.path, path.path)}
    return source.old_mode == path.new_mode and len(suffixes) == 1 and not acts(source.path) and not acts(path.path)


def _fold(renames: tuple[Rename, ...], sieve: _Sieve) -> tuple[Move, ...]:
    """Show renamed files as moved, where a reader loses nothing by it; what the sieve shows is changed accordingly."""
    shown = sieve.shown
    acts = sensitive() if renames else _never
    folded = []
    for source, path, exact, edits in renames:
        hidden = source not in shown or path not in shown or sieve.excluded(source)
        if hidden or not _folds(replace(shown[source], path=source), replace(shown[path], path=path), acts):
            continue
        if exact:
            folded.append(Move(shown.pop(source).path, shown.pop(path).path))
        else:
            file, _ = _redact(recognise(edits)[0], sieve.redactor, sieve.detectors)
            shown[path] = replace(file, source=shown.pop(source).path)
    return tuple(folded)


def _redact(file: FileChange, redactor: secrets.Redactor, detectors: Detectors) -> tuple[FileChange, list[Finding]]:
    """The file without its secrets, and a finding for each that the change adds."""
    path = redactor.text(file.path)
    name = visible.path(path)
    found = [_secret("a file name", "file name", name, None, file.path)] if path != file.path else []
    texts = [line.text for line in file.lines]
    by_row: dict[int, list[secrets.Secret]] = {}
    for secret in secrets.find(texts, detectors.find(texts)):
        by_row.setdefault(secret.row, []).append(secret)
    rows = iter(range(len(texts)))
    hunks = []
    for hunk in file.hunks:
        lines: list[Line] = []
        for line in hunk.lines:
            hits = by_row.get(next(rows), [])
            safe = redactor.hide(line.text, hits) if hits else line.text
            if hits and line.sign == "+":
                found += [_secret(hit.kind, safe, name, line.new, line.text[hit.start : hit.end]) for hit in hits]
            lines.append(line._replace(text=safe) if hits else line)
        hunks.append(hunk._replace(lines=tuple(lines), section=redactor.text(_whole_words(hunk.section))))
    return replace(file, path=path, hunks=tuple(hunks)), _once(found)


_HEADING_LIMIT = 78  # bytes; git cuts a hunk's heading at 80


def _whole_words(heading: str) -> str:
    """A hunk's heading without a word that git may have cut: half a key is not recognised as one."""
    return heading if len(changes.encode(heading)) < _HEADING_LIMIT else heading.rpartition(" ")[0]


def _once(found: list[Finding]) -> list[Finding]:
    """A key of many lines is one finding."""
    kept: list[Finding] = []
    for finding in found:
        last = kept[-1] if kept else None
        follows = last is not None and last.title == finding.title == _TITLE.format("private-key")
        if not (follows and last and last.line_end is not None and finding.line_start == last.line_end + 1):
            kept.append(finding)
        elif last:
            kept[-1] = replace(last, line_end=finding.line_end)
    return kept


_TITLE = "what looks like a secret ({}) is added"


def _secret(kind: str, quote: str, name: str, line: int | None, value: str) -> Finding:
    # Who dismissed a dummy has not dismissed the key that takes its place: twelve bits of a digest tell them apart,
    # and are too few to try a guess on.
    return Finding(
        source=Source.RULE,
        kind="secret",
        title=_TITLE.format(kind),
        file=name,
        line_start=line,
        line_end=line,
        quote=visible.excerpt(quote, 120),
        fix="take it out of the change, and revoke it if it was ever real",
        nuance=hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:3],
    )


def _per_file(file: FileChange, content: Content, texts: Texts | None, *, protected: bool) -> Iterator[Finding]:
    name = visible.path(file.path)
    if protected:
        fix = "leave it as it is, or let its owner commit the change"
        yield rule(
            "protected-path",
            f"the policy protects this file, and the change {_VERBS[file.status]} it",
            name,
            fix=fix,
        )
    yield from _conflict_markers(file, name)
    unreviewable = _unreviewable(file, content)
    if unreviewable:
        yield rule("unreviewable", unreviewable, name)
    yield from shapes.find(file, name)
    if content is not Content.BINARY:
        yield from hidden.find(file, name)
        yield from injection.find(file, name)
    if is_lock(file.path):
        from twoagent_hook.screening import locks  # 10 ms for what few changes hold

        yield from locks.find(file, name, *(texts or Texts(None, None)))


def _out_of_scope(file: FileChange, why: str) -> Finding:
    title = f"the change {_VERBS[file.status]} this file, and {why}"
    fix = "leave it out of this change, or have the owner add it to the plan"
    return rule("out-of-scope", title, visible.path(file.path), fix=fix)


_VERBS = {
    Status.ADDED: "adds",
    Status.MODIFIED: "edits",
    Status.DELETED: "deletes",
    Status.TYPE_CHANGED: "replaces",
}
_MARKERS = ("<<<<<<< ", ">>>>>>> ", "||||||| ")


def _conflict_markers(file: FileChange, name: str) -> Iterator[Finding]:
    for line in file.lines:
        if line.sign == "+" and line.text.startswith(_MARKERS):
            fix = "resolve the conflict and take the markers out"
            yield rule("conflict-marker", "a conflict marker is added", name, line.new, fix, line.text)
            return


def _unreviewable(file: FileChange, content: Content) -> str | None:
    if content is Content.BINARY and file.old_mode == ABSENT:
        return "a new binary file: no reviewer sees what is in it"
    if content is Content.BINARY and became_binary(file):
        return "text that became binary: no reviewer sees what is in it"
    marked = {Content.NUL_IN_TEXT, Content.LFS_POINTER, Content.SUBMODULE}
    return str(content.value) if content in marked else None


def incomplete_coverage(
    missing: tuple[Withheld, ...], config: Config, fix: str, *, vital: bool = False
) -> tuple[Finding, ...]:
    """The rule's finding where something that should have been reviewed was not.

    Args:
        fix: what would help.
        vital: whether something is missing that no policy may leave out (a deletion, a migration, a login).
    """
    effect = Effect.BLOCK if vital else config.rules["incomplete-coverage"]
    if not missing or effect == Effect.OFF:
        return ()
    names = ", ".join(visible.path(item.path) for item in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    reasons = "; ".join(sorted({item.reason.value for item in missing}))
    finding = rule(
        "incomplete-coverage",
        f"no reviewer saw {names}{more} ({reasons})",
        visible.path(missing[0].path) if len(missing) == 1 else "",
        fix=fix,
    )
    return (replace(finding, effect=effect),)
