"""Everything up to the question: what changed, by which rules, by whom, and what would be sent."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from twoagent_hook import author as authors
from twoagent_hook import backends, intent, prompts, proofs, transcripts
from twoagent_hook.author import Author, Claim
from twoagent_hook.changes import ChangeSet, FileChange
from twoagent_hook.config import Config, model_of, with_notices
from twoagent_hook.coverage import advice
from twoagent_hook.deferral import may_ask
from twoagent_hook.environment import Environment
from twoagent_hook.findings import Finding
from twoagent_hook.git import Trees
from twoagent_hook.intent import Intent
from twoagent_hook.options import Options
from twoagent_hook.policy import Coverage
from twoagent_hook.prompts import Packing
from twoagent_hook.proofs import Proven
from twoagent_hook.rendering import BYTES_PER_TOKEN
from twoagent_hook.screening import (
    Inspected,
    ScreenedChange,
    Withheld,
    incomplete_coverage,
    inspected_paths,
    moves,
    screen,
)
from twoagent_hook.screening.detectors import Detectors
from twoagent_hook.screening.tampering import Texts
from twoagent_hook.settings import Settings
from twoagent_hook.snapshots import Pair, Snapshot


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is settled before anybody is asked.

    Attributes:
        unanswered: what was packed, and has no answer.
        intent: the plan that the change is held against.
        proven: that the change needs no reviewer, if it is of such a kind.
    """

    settings: Settings
    screened: ScreenedChange
    author: Author
    packing: Packing
    proven: Proven | None = None
    unanswered: tuple[Withheld, ...] = ()
    intent: Intent | None = None

    @property
    def coverage(self) -> Coverage:
        entries, withheld = self.screened.entries, (*self.screened.withheld, *self.packing.unsent, *self.unanswered)
        return Coverage(entries, entries - len(withheld), withheld)

    @property
    def rule_findings(self) -> tuple[Finding, ...]:
        missing = tuple(item for item in self.coverage.withheld if not item.reason.complete)
        later = may_ask(self.settings.config, self.author)
        fix = advice(missing, self.settings.config, self.packing.lacking, deferrable=later)
        found = incomplete_coverage(missing, self.settings.config, fix, vital=bool(self.packing.vital))
        return (*self.screened.findings, *found)

    def without(self, unanswered: tuple[Withheld, ...]) -> "Prepared":
        """The same with these named as not reviewed."""
        return replace(self, unanswered=unanswered)


def author_of(environment: Environment, given: str | None, config: Config) -> Author:
    """Who may have written what is staged; `given` is what the command line says."""
    claims = authors.said(given, environment.get("TWOAGENT_AUTHOR"))
    claims.append(Claim(config.author or "", config.sources.get("author", "")))
    claims += [Claim(model_of(spec), "`implementer` of [roles]") for spec in config.implementers]
    if config.author_from_transcript:
        claims += transcripts.claims(environment.variables)
    return authors.detect(environment.variables, claims)


def prepare(
    snapshot: Snapshot, trees: Trees, settings: Settings, environment: Environment, options: Options
) -> Prepared:
    """Read the change, screen it, and pack what may be sent.

    Raises:
        TwoAgentError: git stands in the way.
    """
    config = with_notices(settings.config, backends.notices(environment.variables))
    change, generated = _change(snapshot, trees, config)
    paths = frozenset(file.path for file in change.files)
    held, said = intent.find(snapshot, trees, paths, config, options.plan)
    config = with_notices(config, said)
    inspected = set(inspected_paths(change, settings.gate))
    texts = _texts(snapshot, change, {*inspected, *proofs.candidates(change)})
    detectors = Detectors()
    seen = Inspected(
        settings.gate,
        {path: text for path, text in texts.items() if path in inspected},
        intent.outside(held, paths) if held else {},
    )
    screened = _with_plan(screen(change, config, generated, seen, detectors), held)
    settings = settings._replace(config=with_notices(config, _missed(detectors)))
    return Prepared(
        settings=settings,
        screened=screened,
        author=author_of(environment, options.author, config),
        packing=prompts.pack(screened, settings.config, settings.guidelines, _token, settings.own_prompt, held),
        proven=proofs.prove(change, screened, config, texts, config.skip),
        intent=held,
    )


def _with_plan(screened: ScreenedChange, held: Intent | None) -> ScreenedChange:
    """The same with what was found in the plan, where that is not in the change anyway."""
    known = {finding.id for finding in screened.findings}
    more = tuple(finding for finding in held.findings if finding.id not in known) if held else ()
    return replace(screened, findings=(*screened.findings, *more)) if more else screened


def _change(snapshot: Snapshot, trees: Trees, config: Config) -> tuple[ChangeSet, Mapping[str, bool]]:
    """The change, and what `.gitattributes` at the base says of `linguist-generated`."""
    generated: dict[str, bool] = {}

    def moved(files: Sequence[FileChange], pairs: Sequence[Pair]) -> frozenset[str]:
        generated.update(snapshot.generated(trees.base, [file.path for file in files]))
        return moves(files, pairs, config, generated)

    change = snapshot.change(trees, moved)
    return snapshot.with_functions(change, int(config.max_input_tokens * BYTES_PER_TOKEN)), generated


def _missed(detectors: Detectors) -> tuple[str, ...]:
    if not detectors.missed:
        return ()
    lines = "1 line" if detectors.missed == 1 else f"{detectors.missed} lines"
    said = f"detect-secrets did not look at {lines} (too long, or its time was over)"
    return (f"{said}; the built-in patterns looked at all",)


_INSPECTED_LIMIT = 4 << 20  # bytes of a file that rules look at as a whole
_INSPECTED_TOTAL = 64 << 20  # bytes of all of them


def _texts(snapshot: Snapshot, change: ChangeSet, wanted: set[str]) -> dict[str, Texts]:
    """The whole texts of files before and after the change."""
    files = [file for file in change.files if file.path in wanted]
    pairs = {file.path: tuple(_readable(file)) for file in files}
    sizes = {oid: size or 0 for file in files for oid, size in zip(pairs[file.path], file.sizes, strict=True) if oid}
    blobs = snapshot.blobs(sizes, _INSPECTED_TOTAL)
    texts = {oid: content.decode("utf-8", "replace") for oid, content in blobs.items()}
    return {path: Texts(*(texts.get(oid) if oid else None for oid in pair)) for path, pair in pairs.items()}


def _readable(file: FileChange) -> Iterator[str | None]:
    for oid, size in zip((file.old_oid, file.new_oid), file.sizes, strict=True):
        yield oid if size is not None and size <= _INSPECTED_LIMIT else None


def _token() -> str:
    return secrets.token_hex(8)
