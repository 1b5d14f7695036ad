"""Lock files: packages that come from elsewhere than before, or without what proves them to be the same; pure.

An ordinary bump, an addition from the same registry and a removal are no alarm. What a registry itself serves is not
judged here. Of a file that is too large, only its hunks are read, and what they don't show is not judged either.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from twoagent_hook.changes import SYMLINK, FileChange, Status
from twoagent_hook.findings import Finding
from twoagent_hook.screening.lockfiles import (
    CODE,
    DIRECT,
    PATH,
    REGISTRY,
    Entry,
    Format,
    Source,
    entries,
    format_of,
    is_code_host,
    source,
    sources,
)
from twoagent_hook.screening.rules import rule

KIND = "lock-source"
_FIX = "check who wrote this, and let the package manager write the file anew"
_MOST = 3  # findings of one sort that are told


class _Alarm(NamedTuple):
    """A finding before its place is known: of what sort it is, and which words of the file show it."""

    sort: str
    title: str
    words: tuple[str, ...]


def find(file: FileChange, name: str, before: str | None, after: str | None) -> Iterator[Finding]:
    """What is new in a lock file and not as it should be.

    Args:
        name: of the file, as people are shown it.
        before: the whole text at the base; None: there is none, or it is too large.
        after: the whole text that is staged; None: there is none, or it is too large.
    """
    kind = format_of(file.path)
    if kind is None or file.status is Status.DELETED or SYMLINK in (file.old_mode, file.new_mode):
        return
    if after is None or (before is None and file.status is not Status.ADDED):
        before, after = _side(file, "-"), _side(file, "+")
    old, new = _Lock(kind, before or ""), _Lock(kind, after)
    told: Counter[str] = Counter()
    for alarm in _alarms(old, new):
        told[alarm.sort] += 1
        if told[alarm.sort] <= _MOST:
            line, quote = _place(file, alarm.words)
            yield rule(KIND, alarm.title, name, line, _FIX, quote)


def _side(file: FileChange, sign: str) -> str:
    return "\n".join(line.text for line in file.lines if line.sign in {" ", sign})


def _place(file: FileChange, words: Iterable[str]) -> tuple[int | None, str]:
    """The first added line that holds one of the words, the first word before the others."""
    for word in filter(None, words):
        for spelling in {word, word.replace("/", "\\/")}:
            for line in file.lines:
                if line.sign == "+" and spelling in line.text:
                    return line.new, line.text
    return None, next(filter(None, words), "")


class _Lock:
    """One side of a lock file."""

    def __init__(self, kind: Format, text: str) -> None:
        self.kind = kind
        self.text = text
        self.entries = entries(kind, text)
        self.sources = sources(kind, text, self.entries)

    def key(self, one: Source) -> str:
        """What makes a place another one: its host, and on a code host whose repositories they are."""
        owned = self.kind.owners and is_code_host(one.host)
        return one.repository.rpartition("/")[0] if owned and one.repository.count("/") > 1 else one.host

    @cached_property
    def hosts(self) -> dict[str, str]:
        """Each host, or owner on a code host -> the first source that is there."""
        found: dict[str, str] = {}
        for text in sorted(self.sources):
            one = self.sources[text]
            if one.host:
                found.setdefault(self.key(one), text)
        return found

    @cached_property
    def insecure(self) -> dict[str, str]:
        return {self.key(one): text for text, one in sorted(self.sources.items(), reverse=True) if not one.secure}

    @cached_property
    def by_name(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.name:
                found.setdefault(entry.name, []).append(entry)
        return found

    def kinds(self, entry: Entry) -> dict[str, str]:
        """Where an entry comes from: the kind of place -> how it is written."""
        if not entry.sources:
            return {PATH if self.kind.implicit == "path" else REGISTRY: ""}
        found = {}
        for text in entry.sources:
            kind = source(text).kind
            found[REGISTRY if self.kind.code and kind == CODE else kind] = text
        return found

    @cached_property
    def hashed(self) -> bool:
        """Whether an entry usually has a hash here."""
        from_registry = [entry for entry in self.entries if entry.name and self.needs_hash(entry)]
        return sum(1 for entry in from_registry if entry.hashes) * 2 >= max(len(from_registry), 1)

    def needs_hash(self, entry: Entry) -> bool:
        return not entry.bare and self.kinds(entry).keys() <= {REGISTRY, DIRECT}

    def known(self, text: str) -> bool:
        """Whether a source is a public registry of this kind of lock file."""
        one = self.sources[text]
        place = f"{one.host}/{one.path}"
        return any(
            one.host == host or f"{place}/".replace(".git/", "/").startswith(f"{host}/") for host in self.kind.hosts
        )


def _alarms(old: _Lock, new: _Lock) -> Iterator[_Alarm]:
    yield from _places(old, new)
    for name, found in new.by_name.items():
        before = old.by_name.get(name, [])
        if before != found:
            yield from _moved(name, old, new)
            yield from _unproved(name, old, new)
            yield from _misnamed(found, before)
    yield from _counted(old, new)


def _places(old: _Lock, new: _Lock) -> Iterator[_Alarm]:
    """Hosts, and hosts without TLS, that were not named before."""
    for host, text in new.hosts.items():
        if host not in old.hosts and not new.known(text):
            title = f"packages come from {host}, which the lock file did not name before"
            yield _Alarm("host", title, (text, host))
    for host, text in new.insecure.items():
        if host not in old.insecure:
            yield _Alarm("http", f"packages come from {host} without TLS", (text, host))


def _moved(name: str, old: _Lock, new: _Lock) -> Iterator[_Alarm]:
    """A package that comes from another kind of place, from another repository, or no longer over TLS."""
    before, after = old.by_name.get(name, []), new.by_name[name]
    if not before:
        return
    was = {kind for entry in before for kind in old.kinds(entry)}
    for entry in after:
        for kind, text in new.kinds(entry).items():
            if kind not in was and kind != REGISTRY:
                title = f"{name} came from {' and '.join(sorted(was))}, and comes from {kind} now"
                yield _Alarm("kind", title, (text, name))
    repositories = _repositories(before)
    for repository, text in _repositories(after).items():
        if repositories and repository not in repositories:
            yield _Alarm("repository", f"{name} comes from another repository now: {repository}", (text, name))
    secure = [source(text).secure for entry in before for text in entry.sources]
    for entry in after:
        for text in entry.sources:
            if not source(text).secure and secure and all(secure) and new.key(source(text)) in old.insecure:
                yield _Alarm("http", f"{name} is fetched without TLS now", (text, name))


def _repositories(found: list[Entry]) -> Mapping[str, str]:
    named = {source(text).repository: text for entry in found for text in entry.sources if source(text).kind == CODE}
    return {repository: text for repository, text in named.items() if repository.count("/") > 1}


def _unproved(name: str, old: _Lock, new: _Lock) -> Iterator[_Alarm]:
    """A hash that is lost or missing, or another one for the same version."""
    before, after = old.by_name.get(name, []), new.by_name[name]
    for entry in after:
        if entry.hashes or not new.needs_hash(entry) or entry in before:
            continue
        if any(one.hashes for one in before):
            yield _Alarm("hash", f"{name} has lost its hash", (*entry.sources, name))
        elif not before and new.hashed:
            yield _Alarm("hash", f"{name} is added without a hash, while others have one", (*entry.sources, name))
    hashes: dict[str, set[str]] = {}
    for entry in before:
        hashes.setdefault(entry.version, set()).update(entry.hashes)
    for entry in after:
        same = hashes.get(entry.version, set())
        algorithms = {_algorithm(one) for one in entry.hashes} & {_algorithm(one) for one in same}
        if entry.version and algorithms and same.isdisjoint(entry.hashes):
            title = f"{name} {entry.version} has another hash than before"
            yield _Alarm("swap", title, (*sorted(entry.hashes), name))


def _algorithm(text: str) -> str:
    for mark in "-:/":
        head, _, rest = text.partition(mark)
        if rest and len(head) < 12:
            return head
    return str(len(text))


def _misnamed(found: list[Entry], before: list[Entry]) -> Iterator[_Alarm]:
    """An npm package whose archive is another package's, or another version's, on the same registry."""
    for entry in found:
        name, version = entry.address
        for text in entry.sources if name and entry not in before else ():
            head, _, archive = unquote(source(text).path).partition("/-/")
            if not archive or source(text).kind != REGISTRY:
                continue
            if not f"/{head}".endswith(f"/{name}"):
                yield _Alarm("name", f"{entry.name} is fetched from the place of another package", (text, entry.name))
            elif version and "+" not in version and not archive.endswith(f"-{version}.tgz"):
                title = f"{entry.name} {version} is fetched from the place of another version"
                yield _Alarm("name", title, (text, entry.name))


def _counted(old: _Lock, new: _Lock) -> Iterator[_Alarm]:
    """Hashes that are lost where the entries themselves can't be read."""
    hashes, packages = new.kind.hash, new.kind.entry
    if hashes is None or packages is None or new.entries:
        return
    lost = len(hashes.findall(old.text)) - len(hashes.findall(new.text))
    gone = len(packages.findall(old.text)) - len(packages.findall(new.text))
    if lost > gone:
        yield _Alarm("hash", "entries have lost their hashes, or are added without one", ('"resolved"',))
