"""Which files the gate hangs on, and what is done to them: by commands, by the shell itself, by an agent's tools."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from twoagent_hook.guard import gitfiles, gitline
from twoagent_hook.guard.calls import Change, Deny
from twoagent_hook.guard.gitline import bare
from twoagent_hook.guard.interpreter import Command
from twoagent_hook.guard.tables import UNKNOWN, deny, pattern, program, rules

NAME = "twoagent"


class Where(NamedTuple):
    """The folders of a command, as it has them."""

    cwd: str
    root: str
    place: str
    home: str


class Act(NamedTuple):
    """Something that is done to a file.

    Attributes:
        content: what will be in it, or the program of the edit, as far as that is known.
    """

    how: str
    path: str
    content: str | None = None


# --- paths -----------------------------------------------------------------------------------------------------


def _full(path: str, cwd: str) -> str:
    """The path with forward slashes, in small letters, and a `?` for a folder that is not known."""
    segments = [segment if segment == UNKNOWN else bare(segment) for segment in path.replace("\\", "/").split("/")]
    joined = posixpath.join(cwd, "/".join(segments) or path)
    return posixpath.normpath(joined).replace(UNKNOWN, "?").lower()


_LONGEST_GLOB = 400  # characters; no name needs as many


def _rows(path: str, cwd: str) -> list[Mapping[str, Any]]:
    """The rules for a path, or for what a pattern may stand for."""
    full = _full(path, cwd)
    names = [full]
    if any(char in path for char in "*?["):
        names += [sample for sample in rules()["folders"]["samples"] if _stands_for(full, sample)]
    return [row for row in rules()["files"] if any(pattern(row["path"]).search(name) for name in names)]


def _stands_for(full: str, sample: str) -> bool:
    given, wanted = full.split("/"), sample.split("/")
    if len(full) > _LONGEST_GLOB or len(given) < len(wanted):
        return False
    return all(
        fnmatchcase(name, glob) and not (name.startswith(".") and not glob.startswith((".", "[")))
        for glob, name in zip(given[-len(wanted) :], wanted, strict=True)
    )


def _elsewhere(owner: str, home: str) -> bool:
    """Whether a folder lies neither above nor below that in which the agent works, as far as that can be told."""
    here = _full(".", home)
    if not (here.startswith("/") and owner.startswith("/")) or any(char in owner for char in "?*[~"):
        return False
    if f"{owner}/".startswith(("/proc/", "/dev/")):  # these lead back
        return False
    return not f"{here}/".startswith(f"{owner.rstrip('/')}/") and not owner.startswith(f"{here.rstrip('/')}/")


def _owner(path: str, row: Mapping[str, Any], place: str) -> str:
    """The folder in which the repository would lie that the row is about."""
    full = _full(path, place)
    found = pattern(row["path"]).search(full)
    return (full[: found.start()] or "/") if found and full.startswith("/") else "?"


def _is_repository(path: str, where: Where) -> bool:
    """Whether it is the folder `.git` of the place itself, and not that of a repository elsewhere or further down."""
    cwd = where.cwd
    above = ("", "../", "../../")
    sure, here = _full(path, where.place), _full(".", where.home)
    if sure.startswith("/") and sure.endswith("/.git") and here.startswith("/"):
        owner = sure.removesuffix("/.git")
        if f"{here}/".startswith(f"{owner}/"):
            return True
        if _elsewhere(owner, where.home):
            return False
    full = _full(path, "")
    if "/" not in full and any(char in path for char in "*?[") and _stands_for(full, ".git"):
        return True
    relative = {_full(f"{up}.git", "") for up in above} | {"?/.git"}
    return full in relative or _full(path, cwd) in {_full(f"{up}.git", cwd) for up in above}


def _shadows(path: str, cwd: str, root: str) -> bool:
    """Whether the hooks would import it: it lies where the agent stands, which is most often the root."""
    full = _full(path, cwd)
    relative = full.removeprefix(f"{_full('.', root)}/") if root else full
    first, _, rest = relative.partition("/")
    names = rules()["shadows"]["names"]
    return (not rest and first.removesuffix(".py") in names) or (
        first in names and rest in {"__init__.py", "__main__.py"}
    )


# --- what a command does ---------------------------------------------------------------------------------------


def acts(command: Command) -> Iterator[Act]:
    """What the command does to files, as far as its words say."""
    for write in command.writes:
        yield Act(write.how, write.path, write.content)
    if not command.words:
        return
    name, args = program(command.words[0]), list(command.words[1:])
    if name == "git":
        yield from (Act(how, path) for how, path in gitfiles.touched(args))
        line, above = gitline.read(args), gitline.folder(args)
        args = [word if word.startswith("-") else posixpath.join(above, word) for word in line.args]
        name = f"git {line.command}"
    row = rules()["file-commands"].get(name)
    if row is not None:
        yield from _by_table(name, row, args, command)
    elif name in _ACTS:
        yield from _ACTS[name](args)
    elif name in rules()["programs"]["editors"] and not {*rules()["programs"]["viewing"]} & set(args):
        yield from (Act("edit", arg, NAME) for arg in args if not arg.startswith("-"))
    elif name in rules()["programs"]["databases"]:
        yield from _database(args, command.stdin)
    elif not name.startswith("git ") and name not in _O_IS_NO_OUTPUT:
        yield from _outputs(args)


_O_IS_NO_OUTPUT = {
    *("ls", "grep", "egrep", "fgrep", "rg", "ag", "test", "[", "ssh", "ps", "mount", "set", "unzip", "less", "lsof"),
    *("zip", "pytest", "find", "du", "df"),
}


def _outputs(args: Sequence[str]) -> Iterator[Act]:
    for place, word in enumerate(args):
        if word in {"-o", "--output", "--output-file", "--out", "--outfile"}:
            yield from (Act("write", path) for path in args[place + 1 : place + 2])
        elif word.startswith(("--output=", "--output-file=", "--out=", "--outfile=")):
            yield Act("write", word.partition("=")[2])


_READING = {"-readonly", "--readonly", "-ro"}
_LOG = re.compile(r"[^\s'\"`;=(:]{0,200}twoagent-hook/[^\s'\"`;?)]*")


def _database(args: Sequence[str], stdin: str | None) -> Iterator[Act]:
    """A program for databases may write to each that it is given, or told of."""
    text = " ".join((*args, stdin or ""))
    if _READING & set(args) or "mode=ro" in text:
        return
    operands = [arg for arg in args if not arg.startswith("-")]
    yield from (Act("edit", path) for path in (*operands[:1], *(found[0] for found in _LOG.finditer(text))))


def _by_table(name: str, row: Mapping[str, Any], args: Sequence[str], command: Command) -> Iterator[Act]:
    operands, options = _split(args, row.get("valued", ()))
    how = row["how"]
    if name == "chmod":
        yield from _chmod(args)
    elif how == "mode":
        yield from (Act(how, path) for path in operands[1:])
    elif row["operands"] == "last":
        yield from _moved(operands, options, moves=row.get("moves", False))
    else:
        appends = name == "tee" and any(option in {"-a", "--append"} for option in options)
        content = command.stdin if name in {"tee", "sponge"} else None
        chosen = operands if row["operands"] == "all" else operands[1:]
        yield from (Act("append" if appends else how, path, content) for path in chosen)


def _chmod(args: Sequence[str]) -> Iterator[Act]:
    # `-x` is a mode and looks like an option.
    operands = [arg for arg in args if not arg.startswith("-") or re.fullmatch(r"-[rwxXst]+", arg)]
    if operands and not _stays_executable(operands[0]):
        yield from (Act("mode", path) for path in operands[1:])


def _split(args: Sequence[str], valued: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The operands, and the options with their values."""
    operands: list[str] = []
    options: dict[str, str] = {}
    place = 0
    while place < len(args):
        word = args[place]
        if word == "--":
            operands += args[place + 1 :]
            break
        name, _, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            operands.append(word)
        elif word in valued and place + 1 < len(args):
            place += 1
            options[word] = args[place]
        else:
            options[name] = value
        place += 1
    return operands, options


def _moved(operands: Sequence[str], options: Mapping[str, str], *, moves: bool) -> Iterator[Act]:
    target = options.get("-t") or options.get("--target-directory")
    sources = operands if target else operands[:-1]
    if moves:
        yield from (Act("delete", path) for path in sources)
    target = target or (operands[-1] if len(operands) > 1 else None)
    if target is not None:
        yield Act("write", target)
        # Into a folder, it keeps its name.
        yield from (Act("write", posixpath.join(target, posixpath.basename(path.rstrip("/")))) for path in sources)


_MODE = re.compile(r"[0-7]?([0-7])[0-7]{2}|[0-7]{1,2}")


def _stays_executable(mode: str) -> bool:
    found = _MODE.fullmatch(mode)
    if found:
        return bool(found[1]) and bool(int(found[1]) & 1)
    parts = mode.split(",")
    return (
        all("-" not in part.lstrip("ugoa") and ("=" not in part or "x" in part) for part in parts) and "" not in parts
    )


def _dd(args: Sequence[str]) -> Iterator[Act]:
    yield from (Act("write", arg[3:]) for arg in args if arg.startswith("of="))


_WRITTEN = re.compile(r"(?:^|[\s;{/])[gp0-9]{0,3}w\s+([^\s;}]+)")


def _sed(args: Sequence[str]) -> Iterator[Act]:
    """`sed -i`, `perl -i` and the like: a program, and the files it changes."""
    yield from (Act("write", found[1]) for arg in args for found in _WRITTEN.finditer(arg))
    if not any(re.fullmatch(r"-[a-zA-Z]*i.*|--in-place.*", arg) for arg in args) and "inplace" not in args:
        return
    operands = [arg for arg in args if not arg.startswith("-")]
    yield from (Act("edit", path, " ".join(args)) for path in operands)


def _downloaded(args: Sequence[str]) -> Iterator[Act]:
    for place, word in enumerate(args):
        if word in {"-o", "-O", "--output", "--output-document"} and place + 1 < len(args):
            yield Act("write", args[place + 1])
        elif word.startswith(("--output=", "--output-document=")):
            yield Act("write", word.partition("=")[2])


def _found(args: Sequence[str]) -> Iterator[Act]:
    """`find -delete`: what it begins at, or the hooks that fit the names it looks for."""
    if "-delete" not in args:
        return
    start = next((place for place, word in enumerate(args) if word.startswith(("-", "(", "!"))), len(args))
    roots = args[:start] or ["."]
    names = [
        args[place + 1] for place, word in enumerate(args[:-1]) if word.lstrip("-i") in {"name", "path", "wholename"}
    ]
    if not names:
        yield from (Act("delete", root) for root in roots)
    for sample in rules()["folders"]["samples"]:
        inside = any(_full(root, "") in {".", ".git"} or sample.startswith(_full(root, "")) for root in roots)
        if inside and any(fnmatchcase(sample.rpartition("/")[2], name.rpartition("/")[2]) for name in names):
            yield Act("delete", sample)


_REDIRECTED = re.compile(r">\s*\"([^\"\n]+)\"")


def _awk(args: Sequence[str]) -> Iterator[Act]:
    yield from _sed(args)
    yield from (Act("write", found[1]) for arg in args for found in _REDIRECTED.finditer(arg))


def _unpacked(args: Sequence[str]) -> Iterator[Act]:
    """The folder that `tar -C` or `unzip -d` fills."""
    for place, word in enumerate(args):
        if word in {"-C", "--directory", "-d"}:
            yield from (Act("write", path) for path in args[place + 1 : place + 2])
        elif word.startswith("--directory="):
            yield Act("write", word.partition("=")[2])


def _tar(args: Sequence[str]) -> Iterator[Act]:
    if any(re.fullmatch(r"-?[a-zA-Z]*x[a-zA-Z]*", arg) for arg in args[:1]) or {"-x", "--extract", "--get"} & set(
        args
    ):
        yield from _unpacked(args)


_ACTS = {
    **dict.fromkeys(("sed", "gsed", "perl", "ruby", "yq", "jq"), _sed),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk"), _awk),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _tar),
    "unzip": _unpacked,
    **dict.fromkeys(("curl", "wget", "sort"), _downloaded),
    "dd": _dd,
    "find": _found,
}


# --- what is refused -------------------------------------------------------------------------------------------


def judge(command: Command) -> Deny | None:
    """What the command would do to a file that the gate hangs on."""
    for act in acts(command):
        found = _refused(act, Where(command.cwd, command.root, command.place, command.home))
        if found:
            return found
    return None


def removed(path: str, cwd: str) -> Deny | None:
    """What it means that a tool deletes this file."""
    return _refused(Act("delete", path), Where(cwd, cwd, cwd, cwd))


def _refused(act: Act, where: Where) -> Deny | None:
    if act.how in {"delete", "mode"} and _is_repository(act.path, where):
        return deny(rules()["folders"]["reason"], act.path)
    for row in _rows(act.path, where.cwd):
        there = row.get("here") and _elsewhere(_owner(act.path, row, where.place), where.home)
        if act.how in row["deny"] and not there and not _harmless(act, row.get("compare")):
            return deny(row["reason"], act.path)
    if act.how in {"write", "create"} and _shadows(act.path, where.cwd, where.root):
        return deny("shadow", act.path)
    return None


_CUTS = re.compile(r"\b\d+(?:,(?:\d+|\$))?!?d\b|\$d\b")


def _harmless(act: Act, compare: str | None) -> bool:
    """Whether a change by a command leaves in what names the gate, as far as the line shows."""
    if compare is None or act.how == "delete":
        return False
    if compare == "git":
        return pattern(rules()["code"]["settings"]).search(act.content or "") is None
    if act.how == "edit":
        return NAME not in (act.content or "") and not _CUTS.search(act.content or "")
    if compare == "table":
        return act.content is None or f"tool.{NAME}" not in act.content
    known = act.content is not None and UNKNOWN not in act.content
    return known and NAME in (act.content or "") and "disableAllHooks" not in (act.content or "")


# --- what a tool writes ----------------------------------------------------------------------------------------


def watched(path: str, cwd: str) -> bool:
    """Whether it takes the file's text as it is to judge a change of it."""
    return any(row.get("compare") for row in _rows(path, cwd))


def changed(change: Change, cwd: str) -> Deny | None:
    """What the change would do to a file that the gate hangs on."""
    how = "write" if change.whole is not None else "edit"
    for row in _rows(change.path, cwd):
        if row.get("here") and _elsewhere(_owner(change.path, row, cwd), cwd):
            continue
        compare = row.get("compare")
        refused = _drops(change, compare) if compare else how in row["deny"]
        if refused:
            return deny(row["reason"], change.path)
    if change.whole is not None and _shadows(change.path, cwd, cwd):
        return deny("shadow", change.path)
    return None


def _drops(change: Change, compare: str) -> bool:
    """Whether the change takes out, or alters, what names the gate."""
    if change.before is not None and any(old not in change.before for old, _new in change.parts):
        change = change._replace(before=None)
    before, after = _texts(change)
    if compare == "git":
        steers = pattern(rules()["code"]["settings"])
        return len(steers.findall(after)) > len(steers.findall(before))
    if compare == "table":
        return _table(before) != _table(after) if change.before is not None else _touches_table(change)
    if compare == "settings" and "disableAllHooks" in after and "disableAllHooks" not in before:
        return True
    if change.whole is not None and change.before is None:
        return compare == "lines" and NAME not in change.whole
    return bool(_missing(_lines(before), _lines(after)))


def _texts(change: Change) -> tuple[str, str]:
    """The text before and after; only of the places that change, where the rest is not known."""
    if change.whole is not None:
        return change.before or "", change.whole
    if change.before is None:
        return "\n".join(old for old, _new in change.parts), "\n".join(new for _old, new in change.parts)
    after = change.before
    for old, new in change.parts:
        after = after.replace(old, new) if old else f"{after}\n{new}"
    return change.before, after


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if NAME in line and not line.lstrip().startswith(("#", "//"))]


def _missing(before: list[str], after: list[str]) -> list[str]:
    left = list(after)
    gone = []
    for line in before:
        if line in left:
            left.remove(line)
        else:
            gone.append(line)
    return gone


_HEADER = re.compile(r"^\s*\[+\s*([^\]]*?)\s*\]+", re.MULTILINE)
_NAMED = re.compile(rf"tool\s*\.\s*[\"']?{NAME}-hook|^\s*[\"']?{NAME}-hook[\"']?\s*[.=]", re.MULTILINE)


def _table(text: str) -> str:
    """The gate's own table of a pyproject.toml, and whatever else names it as a key."""
    starts = [found.start() for found in _HEADER.finditer(text)]
    pieces = [text[start:end].rstrip() for start, end in zip([0, *starts], [*starts, len(text)], strict=True)]
    return "\n".join(piece for piece in pieces if _NAMED.search(piece))


def _touches_table(change: Change) -> bool:
    texts = [change.whole] if change.whole is not None else [text for part in change.parts for text in part]
    return any(text is not None and _NAMED.search(text) for text in texts)
