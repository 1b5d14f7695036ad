"""What a lock file says of each package: its name, its version, where it comes from, its hashes; pure.

A file is read by its own syntax as far as its package manager writes it; a piece of one (the hunks of a file that is
too large) gives what it shows. Nothing here fails on a text that is no lock file.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from twoagent_hook import datafiles
from twoagent_hook.patterns import Pattern

REGISTRY, CODE, PATH, DIRECT = "a registry", "a repository of code", "a path", "an address of its own"
_LONGEST = 1000  # characters of a line that are read


class Format(NamedTuple):
    """One kind of lock file; see the table."""

    name: str
    reader: str
    hosts: tuple[str, ...]
    implicit: str
    owners: bool
    code: bool
    source: Pattern
    hash: Pattern | None
    entry: Pattern | None


class Entry(NamedTuple):
    """One package.

    Attributes:
        sources: where it comes from, each as `Source` reads it; none: from where the format takes it by default.
        bare: whether it needs no hash.
        address: what its archive's address has to name it, where that can be told: (name, version).
    """

    name: str
    version: str = ""
    sources: tuple[str, ...] = ()
    hashes: frozenset[str] = frozenset()
    bare: bool = False
    address: tuple[str, str] = ("", "")


class Source(NamedTuple):
    """Where a package comes from.

    Attributes:
        host: with its port, if that is not the usual one; empty for a path.
        repository: `host/owner/name` of a repository of code.
    """

    kind: str
    host: str = ""
    repository: str = ""
    path: str = ""
    secure: bool = True


@cache
def _table() -> dict[str, Any]:
    return datafiles.packaged_toml("screening/locks.toml")


_URL = (
    r"(?:[a-z][a-z0-9+.-]{1,20}:)?[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>,)\]}]{1,1000}|\bgit@[\w.-]{1,100}:[\w./~-]{1,200}"
)


@cache
def formats() -> dict[str, Format]:
    """File name -> its format."""
    made = {}
    for name, row in _table()["formats"].items():
        one = Format(
            name=name,
            reader=row.get("reader", ""),
            hosts=tuple(row["hosts"]),
            implicit=row.get("implicit", "registry"),
            owners=row.get("owners", False),
            code=row.get("code", False),
            source=Pattern(row.get("source", _URL)),
            hash=Pattern(row["hash"]) if "hash" in row else None,
            entry=Pattern(row["entry"]) if "entry" in row else None,
        )
        made.update(dict.fromkeys(row["files"], one))
    return made


def format_of(path: str) -> Format | None:
    name = path.rpartition("/")[2]
    found = formats().get(name)
    return formats()["pylock.toml"] if found is None and _PYLOCK.match(name) else found


_PYLOCK = Pattern(r"pylock\.[^/]{1,80}\.toml$")


# --- sources ------------------------------------------------------------------------------------------------

_SCHEME = Pattern(r"((?:[a-z][a-z0-9.-]{0,20}\+)*)([a-z][a-z0-9.-]{0,20}):(?://)?(.*)", re.IGNORECASE | re.DOTALL)
_SCP = Pattern(r"(?:ssh://)?(?:[\w.-]{1,60}@)([\w.-]{1,100}):(?!\d{1,5}/)([\w./~-]{1,200})")
_PATHS = frozenset({"file", "link", "portal", "path", "workspace", "exec", "directory"})
_SHORT = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org", "gist": "gist.github.com"}
_PORTS = {"https": ":443", "http": ":80", "ssh": ":22"}
_TREES = ("/archive/", "/tarball/", "/zipball/", "/tar.gz/", "/-/archive/", "/releases/download/")


def source(text: str) -> Source:
    """Read where something comes from, as a lock file of any kind writes it."""
    text = text.strip().replace("\\/", "/")
    match = _SCHEME.match(text)
    if match is None or text.startswith(("/", ".", "~")):
        scp = _SCP.match(text)
        return _repository(scp[1].lower(), scp[2]) if scp else Source(PATH, path=text)
    prefix, scheme, rest = match[1].lower(), match[2].lower(), match[3]
    if scheme in _PATHS or prefix.startswith("path+"):
        return Source(PATH, path=rest)
    if scheme in _SHORT and "://" not in text:
        return _repository(_SHORT[scheme], rest)
    # A backslash ends the host for some clients and not for others: kept, it is the name of no known host.
    authority, _, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    host = authority.rpartition("@")[2].lower().removesuffix(_PORTS.get(scheme, ":"))
    if host.count(":") == 1 and not host.rpartition(":")[2].isdigit():  # `ssh://git@host:owner/name`
        host, _, owner = host.partition(":")
        path = f"{owner}/{path}"
    secure = scheme not in {"http", "git", "ftp", "svn"}
    git = scheme in {"git", "ssh"} or prefix.startswith(("git+", "hg+", "svn+", "bzr+"))
    if git or path.endswith(".git") or (host in _table()["code_hosts"] and any(tree in f"/{path}" for tree in _TREES)):
        return _repository(host, path)._replace(secure=secure)
    kind = DIRECT if prefix.startswith("url+") else REGISTRY
    return Source(kind, host, _named(host, path), path, secure)


def is_code_host(host: str) -> bool:
    return host in _table()["code_hosts"]


def _repository(host: str, path: str) -> Source:
    return Source(CODE, host, _named(host, path), path)


def _named(host: str, path: str) -> str:
    parts = [part for part in re.split(r"[?#]", path)[0].split("/") if part]
    if host == "api.github.com" and parts[:1] == ["repos"]:
        parts = parts[1:]
    known = _table()["code_hosts"].get(host, host)
    return "/".join([known, *(part.removesuffix(".git") for part in parts[:2])]).lower()


# --- readers ------------------------------------------------------------------------------------------------


def entries(kind: Format, text: str) -> list[Entry]:
    """The packages of a lock file, or of a piece of one."""
    reader = READERS.get(kind.reader)
    return list(reader(text)) if reader else []


def sources(kind: Format, text: str, found: Iterable[Entry]) -> dict[str, Source]:
    """Every place that a lock file names, by how it is written there."""
    named = {one for entry in found for one in entry.sources}
    if not kind.reader or kind.reader not in _STRUCTURED or _json(text) is None:
        named.update(one[0] if isinstance(one, tuple) else one for one in kind.source.findall(_unescaped(text)))
    return {one: source(one) for one in named}


_ESCAPE = Pattern(r"\\u([0-9a-fA-F]{4})")


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text).replace("\\/", "/")


def _json(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _dicts(found: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(found, dict):
        yield from ((str(key), value) for key, value in found.items() if isinstance(value, dict))


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _npm(text: str) -> Iterator[Entry]:
    data = _json(text)
    if data is None:
        return
    for path, row in _dicts(data.get("packages")):
        if "node_modules/" in path:
            yield _npm_entry(path.rpartition("node_modules/")[2], row)
    level = list(_dicts(data.get("dependencies"))) if "packages" not in data else []
    while level:
        yield from (_npm_entry(name, row) for name, row in level)
        level = [inner for _, row in level for inner in _dicts(row.get("dependencies"))]


def _npm_entry(name: str, row: dict[str, Any]) -> Entry:
    version, resolved = _text(row, "version"), _text(row, "resolved")
    aliased = _text(row, "name") or name
    if version.startswith("npm:"):  # an alias of the first lock format
        aliased, _, version = version.removeprefix("npm:").rpartition("@")
    elif ":" in version and not resolved:
        resolved, version = version, ""
    if row.get("link") is True:
        resolved = f"link:{resolved}"
    bundled = any(row.get(key) is True for key in ("bundled", "inBundle", "link"))
    hashes = frozenset(_text(row, "integrity").split())
    origin = (resolved,) if resolved else ()
    return Entry(name, version, origin, hashes, bundled, (aliased, version))


def _pipfile(text: str) -> Iterator[Entry]:
    data = _json(text) or {}
    meta = data.get("_meta")
    indexes = meta.get("sources") if isinstance(meta, dict) else None
    for row in indexes if isinstance(indexes, list) else ():
        if isinstance(row, dict):
            yield Entry("", sources=(_text(row, "url"),), bare=True)
    for group, rows in _dicts(data):
        for name, row in _dicts(rows) if group != "_meta" else ():
            places = [f"git+{_text(row, 'git')}"] if "git" in row else []
            places += [f"path+file:{_text(row, key)}" for key in ("path",) if key in row]
            places += [f"url+{_text(row, key)}" for key in ("file",) if key in row]
            hashes = row.get("hashes")
            said = (
                frozenset(one for one in hashes if isinstance(one, str)) if isinstance(hashes, list) else frozenset()
            )
            yield Entry(name, _text(row, "version"), tuple(places), said, bool(places))


def _composer(text: str) -> Iterator[Entry]:
    data = _json(text) or {}
    for group in ("packages", "packages-dev"):
        rows = data.get(group)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict):
                parts = [part for key in ("source", "dist") if isinstance(part := row.get(key), dict)]
                places = [
                    f"path+file:{_text(part, 'url')}" if part.get("type") == "path" else _text(part, "url")
                    for part in parts
                ]
                yield Entry(_text(row, "name"), _text(row, "version"), tuple(filter(None, places)), bare=True)


def _nuget(text: str) -> Iterator[Entry]:
    data = _json(text) or {}
    for _, framework in _dicts(data.get("dependencies")):
        for name, row in _dicts(framework):
            said = frozenset(filter(None, [_text(row, "contentHash")]))
            yield Entry(name, _text(row, "resolved"), (), said, row.get("type") == "Project")


def _flake(text: str) -> Iterator[Entry]:
    data = _json(text) or {}
    for name, node in _dicts(data.get("nodes")):
        row = node.get("locked")
        if isinstance(row, dict):
            kind, owner = _text(row, "type"), f"{_text(row, 'owner')}/{_text(row, 'repo')}"
            hosts = {"github": "github.com", "gitlab": "gitlab.com", "sourcehut": "git.sr.ht"}
            place = f"git+https://{_text(row, 'host') or hosts[kind]}/{owner}" if kind in hosts else _text(row, "url")
            place = f"path+file:{_text(row, 'path')}" if kind == "path" else place
            said = frozenset(filter(None, [_text(row, "narHash")]))
            yield Entry(name, _text(row, "rev"), (place,) if place else (), said, kind in {"path", "indirect"})


_HEADER = Pattern(r"(?m)^[ \t]{0,8}(?=\[\[ {0,4}packages? {0,4}\]\])")
_TABLE = Pattern(r"\s{0,8}\[{1,2}([^\[\]=]{1,200})\]{1,2}\s{0,8}$")
_OPENS = Pattern(r"""\s{0,8}["']?([\w-]{0,40})["']?\s{0,8}=?\s{0,8}[{\[]""")
_PAIR = Pattern(r"""(?:^|[{,\[])\s{0,8}["']?([\w-]{1,40})["']?\s{0,8}=\s{0,8}["']([^"'\n]{0,1000})["']""")
_OF_OTHERS = frozenset(
    {"dependencies", "dev-dependencies", "optional-dependencies", "requires", "requires-dist", "extras", "metadata"}
)
_HASHES = frozenset({"hash", "checksum", "sha256", "sha384", "sha512", "md5", "blake2b"})
_LOCAL = frozenset({"path", "directory", "editable", "virtual"})


class _Pair(NamedTuple):
    """`key = "value"`, with the sub-table and the inline table that it is in."""

    part: str
    outer: str
    key: str
    value: str


def _toml(text: str) -> Iterator[Entry]:
    """poetry, uv, pdm, pylock and Cargo: a table for each package."""
    blocks = _HEADER.split(_unescaped(text))
    apart = _hashes_apart(blocks[-1])
    for block in blocks:
        if block.startswith("[["):
            entry = _toml_entry(_pairs(block))
            yield entry._replace(hashes=entry.hashes | apart.get(entry.name, frozenset()))


def _pairs(block: str) -> list[_Pair]:
    """What a table says of its package, without what it says of others."""
    found = []
    part, aside, outer = "", False, ""
    for line in block.split("\n"):
        table, opens = _TABLE.match(line), _OPENS.match(line)
        if table:
            root, _, part = table[1].strip().partition(".")
            part, outer = part.rpartition(".")[2].strip("\"' "), ""
            aside = root not in {"package", "packages"} or part in _OF_OTHERS
        elif line.startswith(("]", "}")):
            outer = ""
        elif not aside:
            # The rows of a list stand below its name; an inline table is closed on its own line.
            name = opens[1] if opens and opens[1] else outer
            outer = name if opens and not line.rstrip().endswith(("}", "]", ",")) else outer
            if name not in _OF_OTHERS:
                found += [_Pair(part, name, key, value) for key, value in _PAIR.findall(line[:_LONGEST])]
    return found


def _toml_entry(pairs: list[_Pair]) -> Entry:
    first = {(pair.part, pair.key): pair.value for pair in reversed(pairs) if not pair.outer}
    kind = first.get(("source", "type"), "")
    hashes = frozenset(pair.value for pair in pairs if pair.key in _HASHES)
    places = tuple(filter(None, (_place(pair, kind) for pair in pairs)))
    return Entry(first.get(("", "name"), ""), first.get(("", "version"), ""), places, hashes)


def _place(pair: _Pair, kind: str) -> str:
    """Where a package comes from, if that is what the pair says.

    Args:
        kind: what poetry calls the source.
    """
    part, outer, key, value = pair
    if (
        key == "git"
        or (part == "vcs" and key in {"url", "path"})
        or (part == "source" and key == "url" and kind == "git")
    ):
        return f"git+{value}"
    if key in _LOCAL or (part == "source" and key == "url" and kind in {"file", "directory"}):
        return f"path+file:{value}"
    direct = outer == "source" or part == "archive" or (part == "source" and kind == "url") or not (part or outer)
    if key == "url":
        return f"url+{value}" if direct else value
    return value if key in {"source", "registry", "index"} and not (part and outer) else ""


def _hashes_apart(block: str) -> dict[str, frozenset[str]]:
    """The hashes that poetry and pdm once kept behind all packages: name -> hashes."""
    found: dict[str, set[str]] = {}
    name, inside = "", False
    for line in block.split("\n"):
        table, opens = _TABLE.match(line), _NAMED_LIST.match(line)
        if table:
            inside = table[1].strip() in {"metadata.files", "metadata.hashes"}
        elif inside and opens:
            name = opens[1].partition(" ")[0]
        if inside:
            found.setdefault(name, set()).update(_HASH.findall(line[:_LONGEST]))
    return {name: frozenset(hashes) for name, hashes in found.items()}


_NAMED_LIST = Pattern(r"""["']?([\w.-]{1,100}(?: [\w.+!-]{1,60})?)["']?\s{0,8}=\s{0,8}\[""")
_HASH = Pattern(r"""["']((?:sha\d{1,3}|md5|blake\w{1,4}):?[0-9A-Fa-f]{16,200}|[0-9a-f]{64})["']""")


def _indented(text: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    """The keys at one indentation that end in a colon, each with the lines below it."""
    head, body = "", list[str]()
    for line in text.split("\n"):
        bare = line.lstrip(" ")
        if not bare.strip() or bare.startswith("#"):
            continue
        if len(line) - len(bare) > depth:
            body.append(bare.rstrip("\r"))
            continue
        if head:
            yield head, body
        head, body = "", []
        if len(line) - len(bare) == depth and bare.rstrip().endswith(":"):
            head = bare.rstrip()[:-1][:_LONGEST]
    if head:
        yield head, body


_YARN = Pattern(
    r"""(version|resolved|integrity|checksum|resolution|conditions|linkType)"?:?\s{1,8}"?([^"]{1,1000})"?"""
)
_ALIAS = Pattern(r"@npm:((?:@[^/@]{1,100}/)?[^@]{1,100})@")


def _yarn(text: str) -> Iterator[Entry]:
    for head, body in _indented(text, 0):
        pairs = (_YARN.match(line[:_LONGEST]) for line in body)
        said = {pair[1]: pair[2].strip() for pair in pairs if pair}
        spec = head.strip('"').partition(",")[0].strip('" ')
        name, _, wanted = spec[1:].partition("@")
        name = spec[:1] + name
        alias = _ALIAS.search(spec)
        if name == "__metadata":
            continue
        if "resolution" in said:
            yield _berry(name, said)
        else:
            place, _, digest = said.get("resolved", "").partition("#")
            hashes = frozenset(said.get("integrity", "").split()) or frozenset([f"sha1-{digest}"] if digest else [])
            local = not place and wanted.startswith(("file:", "link:", "workspace:"))
            origin = (place,) if place else (wanted,) if local else ()
            version = said.get("version", "")
            yield Entry(name, version, origin, hashes, local, (alias[1] if alias else name, version))


def _berry(name: str, said: dict[str, str]) -> Entry:
    """yarn 2 and later. A package for some platforms only has no checksum, and one of the repository has none."""
    resolution = said["resolution"]
    _, _, wanted = resolution[1:].partition("@")
    archive = unquote(wanted.partition("__archiveUrl=")[2].partition("&")[0])
    local = said.get("linkType") == "soft" or wanted.startswith(("workspace:", "link:", "portal:", "file:"))
    origin: tuple[str, ...] = (archive,) if archive else ()
    if not wanted.startswith(("npm:", "patch:")) and not archive:
        origin = (f"link:{wanted.partition(':')[2]}" if local else wanted.partition("#")[0],)
    hashes = frozenset([said["checksum"]] if "checksum" in said else [])
    return Entry(name, said.get("version", ""), origin, hashes, local or "conditions" in said)


_RESOLUTION = Pattern(r"(integrity|tarball|repo|commit|directory|type|registry): ?['\"]?([^,'\"}\s]{1,1000})")


def _pnpm(text: str) -> Iterator[Entry]:
    for head, body in _indented(text, 2):
        spec = head.strip("'\"").removeprefix("/")
        place = next((number for number, line in enumerate(body) if line.startswith("resolution:")), None)
        if place is None:
            continue  # of the importers, or of the snapshots
        said: dict[str, str] = {}
        for line in body[place : place + 5]:
            for key, value in _RESOLUTION.findall(line[:_LONGEST]):
                said.setdefault(key, value)
        name, _, version = spec[1:].partition("@") if "@" in spec[1:] else spec[1:].rpartition("/")
        origin = [said["tarball"]] if "tarball" in said else []
        origin += [f"git+{said['repo']}"] if "repo" in said else []
        origin += [f"directory:{said['directory']}"] if "directory" in said else []
        hashes = frozenset([said["integrity"]] if "integrity" in said else [])
        bare = "repo" in said or "directory" in said
        yield Entry(spec[:1] + name, version.partition("(")[0], tuple(origin), hashes, bare)


_GEM = Pattern(r" {4}(\S{1,200}) \(([^)]{1,100})\)\s*$")
_SUM = Pattern(r" {2}(\S{1,200}) \(([^)]{1,100})\)\s{0,4}(\S{0,200})")


def _gem(text: str) -> Iterator[Entry]:
    lines = text.split("\n")
    sums = {
        (found[1], found[2]): found[3]
        for line in lines
        if (found := _SUM.match(line[:_LONGEST])) and not _GEM.match(line)
    }
    section, remote = "", ""
    for line in lines:
        if line[:1].isupper():
            section, remote = line.strip(), ""
        elif line.startswith("  remote: "):
            place = line.partition(": ")[2].strip()
            remote = f"git+{place}" if section == "GIT" else f"path+file:{place}" if section == "PATH" else place
        found = _GEM.match(line[:_LONGEST])
        if found and section in {"GEM", "GIT", "PATH", ""}:
            digest = sums.get((found[1], found[2]), "")
            hashes = frozenset([digest] if digest else [])
            yield Entry(found[1], found[2], (remote,) if remote else (), hashes, section in {"GIT", "PATH"})


_GO = Pattern(r"(\S{1,300}) (v\S{1,200}) (h1:[A-Za-z0-9+/]{20,60}=*)\s*$")


def _go(text: str) -> Iterator[Entry]:
    for line in text.split("\n"):
        found = _GO.match(line[:_LONGEST])
        if found:
            yield Entry(found[1], found[2], (), frozenset([found[3]]))
        elif line.strip():
            words = [*line[:_LONGEST].split(), "", ""]
            yield Entry(words[0], words[1])


_MIX = Pattern(
    r"""\s{0,8}"([^"]{1,100})":\s{0,4}\{:(\w{1,10}),\s{0,4}[:"]([^",]{1,1000})"?,\s{0,4}"([^"]{1,200})"(.{0,4000})"""
)
_MIX_HASH = Pattern(r'"([0-9a-f]{32,128})"')
_MIX_REPOSITORY = Pattern(r'\],\s{0,4}"([^"]{1,100})"')


def _mix(text: str) -> Iterator[Entry]:
    for line in text.split("\n"):
        found = _MIX.match(line[:5000])
        if found and found[2] == "hex":
            repository = _MIX_REPOSITORY.search(found[5])
            other = repository is not None and repository[1] != "hexpm"
            origin = (f"https://{repository[1]}",) if repository and other else ()
            yield Entry(found[1], found[4], origin, frozenset(_MIX_HASH.findall(found[5])))
        elif found:
            yield Entry(found[1], found[4], (f"git+{found[3]}",), bare=True)


_PUB = Pattern(r"""(name|url|sha256|path|resolved-ref|source|version): ?"?([^"]{1,1000})"?""")


def _pub(text: str) -> Iterator[Entry]:
    for head, body in _indented(text, 2):
        pairs = (_PUB.match(line[:_LONGEST]) for line in body)
        said = {pair[1]: pair[2].strip() for pair in pairs if pair}
        kind, url = said.get("source", ""), said.get("url", "")
        if not kind:
            continue
        places = {"git": f"git+{url}", "path": f"path+file:{said.get('path', '')}", "hosted": url}
        origin = places.get(kind, "")
        hashes = frozenset([said["sha256"]] if "sha256" in said else [])
        version = said.get("version", "") if kind == "hosted" else ""
        yield Entry(head.strip("'\""), version, (origin,) if origin else (), hashes, kind != "hosted")


_POD = Pattern(r"\s{0,8}:(git|path|podspec|http): ['\"]?([^'\"\s]{1,1000})")


def _pod(text: str) -> Iterator[Entry]:
    """CocoaPods: where a pod is not from the usual place, and the checksum of each."""
    parts = dict(_indented(text, 0))
    sums = (line.partition(": ") for line in parts.get("SPEC CHECKSUMS", ()))
    hashes = {name.strip('"'): frozenset([digest.strip()]) for name, _, digest in sums if digest.strip()}
    places: dict[str, list[str]] = {}
    name = ""
    for line in parts.get("EXTERNAL SOURCES", ()):
        found = _POD.match(line[:_LONGEST])
        if found:
            prefix = {"git": "git+", "path": "path+file:", "podspec": "url+", "http": "url+"}[found[1]]
            places.setdefault(name, []).append(prefix + found[2])
        elif line.rstrip().endswith(":"):
            name = line.rstrip()[:-1].strip('"')
    for pod in hashes.keys() | places.keys():
        yield Entry(pod, "", tuple(places.get(pod, ())), hashes.get(pod, frozenset()), bare=pod not in hashes)


_STRUCTURED = frozenset({"npm", "composer", "nuget", "flake", "pipfile"})
READERS: dict[str, Callable[[str], Iterator[Entry]]] = {
    "npm": _npm,
    "yarn": _yarn,
    "pnpm": _pnpm,
    "toml": _toml,
    "pipfile": _pipfile,
    "composer": _composer,
    "nuget": _nuget,
    "flake": _flake,
    "gem": _gem,
    "go": _go,
    "mix": _mix,
    "pub": _pub,
    "pod": _pod,
}
