"""Reads a command line as a shell would, runs nothing, and lists the commands that would be run.

What can't be told from the line alone (the environment, files, the output of programs) stays unknown. Branches are all
taken, loops once for each word, and whatever is handed to another shell is read in the same way.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from twoagent_hook.guard import expansion, gitline, syntax, unwrapping
from twoagent_hook.guard.printed import printed
from twoagent_hook.guard.scripts import inline_lines
from twoagent_hook.guard.syntax import text_of
from twoagent_hook.guard.tables import UNKNOWN, program, rules

if TYPE_CHECKING:
    from twoagent_hook.guard.syntax import Node

_DEEPEST_TEXT = 10  # shells within shells
_DEEPEST_NODE = 90
_MOST_STEPS = 20_000
_MOST_TEXT = 1 << 19  # characters that are parsed in all
_MOST_DOCUMENTS = 3000  # the grammar needs the square of their number
_MOST_ROUNDS = 16
_MOST_WORDS = 400  # of a `find` that are looked at


# The grammar takes some of what follows a variable for a part of its name, unless that has braces.
_NAME = re.compile(r"\$([A-Za-z_]\w*)")
_BEFORE = {"{", "}", "!", "do", "then", "else"}


class TooIntricateError(Exception):
    """It would take too long, or too much nesting, to read the line to its end."""


class Write(NamedTuple):
    """A file that the shell itself opens to write, and what is printed into it, as far as that is known."""

    path: str
    how: str
    content: str


class Command(NamedTuple):
    """One command that would be run.

    Attributes:
        environment: what the line has assigned until then, exported or not; "" for what it has taken out.
        own: what is assigned by this very command.
        cwd: the folder in which it runs, as far as that is known.
        root: that in which the line begins.
        place: the same as `cwd`, but unknown where a `cd` before it may have failed or not been reached.
        home: that by which it is told what lies elsewhere, or "" where a link may lead anywhere.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    own: Mapping[str, str]
    cwd: str
    root: str = ""
    writes: tuple[Write, ...] = ()
    stdin: str | None = None
    place: str = ""
    home: str = ""


class Interpreter:
    """The state of one shell and of all that it starts.

    Attributes:
        found: the commands, in their order.
    """

    def __init__(self, cwd: str = "") -> None:
        self.found: list[Command] = []
        self._cwd = self._root = self._home = self._before = cwd
        self._strayed = False
        self._folders: list[str] = []
        self._variables: dict[str, str] = {}
        self._functions: dict[str, Node] = {}
        self._aliases: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._positional: list[str] | None = None
        self._calling: list[str] = []
        self._depth = self._nesting = self._steps = self._read = 0
        self._values = expansion.Values(self._variable, self._output, self._substituted)

    def run(self, text: str, stdin: str | None = None) -> str:
        """Read a whole text; returns what it would print.

        Raises:
            TooIntricateError: there is no end of it.
            UsageError: the parser is not installed.
        """
        # What is unknown in a text that is handed on is so in there as well.
        text = _NAME.sub(r"${\1}", text.replace(UNKNOWN, "${_}"))
        self._read += len(text)
        if self._depth >= _DEEPEST_TEXT or self._read > _MOST_TEXT or text.count("<<") > _MOST_DOCUMENTS:
            raise TooIntricateError
        self._depth += 1
        nesting, self._nesting = self._nesting, self._nesting // 2
        root = syntax.parse(text)
        out = self._visit(root, stdin)
        if root.has_error:
            for words in syntax.commands(text):
                self.call([piece for word in words for piece in expansion.multiplied(word)], {}, stdin)
        self._depth -= 1
        self._nesting = nesting
        return out

    # --- nodes ---------------------------------------------------------------------------------------------

    def _visit(self, node: "Node", stdin: str | None = None) -> str:
        self._step()
        self._nesting += 1
        if self._nesting > _DEEPEST_NODE:
            raise TooIntricateError
        handler = self._HANDLERS.get(node.type)
        out = handler(self, node, stdin) if handler else self._children(node, stdin)
        self._nesting -= 1
        return out

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TooIntricateError

    def _children(self, node: "Node", stdin: str | None) -> str:
        out: list[str] = []
        for statement in [node] if node.type == "list" else node.named_children:
            begun = self._cwd
            joined = statement.type == "list" and _all_or_none(statement)
            for child in _flat(statement) if statement.type == "list" else [statement]:
                out.append(self._visit(child, stdin))
                self._strayed = self._strayed or (self._cwd != begun and not joined)
            # What is written behind a list may belong to its last command alone.
            self._strayed = self._strayed or (self._cwd != begun and node.type != "list")
        return "".join(out)[: expansion.LONGEST]

    def _leaf(self, _node: "Node", _stdin: str | None) -> str:
        return ""

    def _apart(self, node: "Node", stdin: str | None) -> str:
        """A subshell: its folder is its own."""
        before = self._cwd, self._strayed
        out = self._children(node, stdin)
        self._cwd, self._strayed = before
        return out

    def _pipeline(self, node: "Node", stdin: str | None) -> str:
        out = stdin
        before = self._cwd, self._strayed
        for child in node.named_children:
            out = self._visit(child, out)
            self._cwd, self._strayed = before
        return out or ""

    def _function(self, node: "Node", stdin: str | None) -> str:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is None or body is None:
            return self._children(node, stdin)
        self._functions[text_of(name)] = body
        self._visit(body)
        return ""

    def _for(self, node: "Node", stdin: str | None) -> str:
        name, body = node.child_by_field_name("variable"), node.child_by_field_name("body")
        if name is None or body is None:
            return self._children(node, stdin)
        rounds: list[str] = []
        for child in node.named_children:
            if child not in (name, body):
                rounds += expansion.words(child, self._values)
        out = ""
        for word in rounds[:_MOST_ROUNDS] or [UNKNOWN]:
            self._variables[text_of(name)] = word
            out += self._visit(body, stdin)
        return out

    def _assign(self, node: "Node", _stdin: str | None) -> str:
        for name, value in self._assignments([node] if node.type == "variable_assignment" else node.named_children):
            self._variables[name] = value
        return ""

    def _assignments(self, nodes: Sequence["Node"]) -> list[tuple[str, str]]:
        found = []
        for node in nodes:
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if node.type != "variable_assignment" or name is None:
                continue
            text = ""
            if value is not None and value.type == "array":
                items = [word for child in value.named_children for word in expansion.words(child, self._values)]
                text = expansion.BREAK.join(items)
            elif value is not None:
                text = expansion.word(value, self._values)
            key = text_of(name).partition("[")[0]
            if "+=" in text_of(node)[: len(text_of(name)) + 2]:
                glue = expansion.BREAK if value is not None and value.type == "array" else ""
                text = f"{self._variables.get(key, '')}{glue}{text}"
            found.append((key, text[: expansion.LONGEST]))
        return found

    def _declare(self, node: "Node", stdin: str | None) -> str:
        assigned = dict(self._assignments(node.named_children))
        words = [text_of(node.children[0])]
        for child in node.named_children:
            if child.type != "variable_assignment":
                words += expansion.words(child, self._values)
        return self.call([*words, *(f"{name}={value}" for name, value in assigned.items())], {}, stdin)

    def _unset(self, node: "Node", _stdin: str | None) -> str:
        for child in node.named_children:
            self._variables |= dict.fromkeys(expansion.words(child, self._values), "")
        return ""

    def _test(self, node: "Node", _stdin: str | None) -> str:
        """A condition prints nothing, but commands may stand in it."""
        self._children(node, None)
        return ""

    def _command(self, node: "Node", stdin: str | None, outer: "_Streams | None" = None) -> str:
        words: list[str] = []
        redirects: list[Node] = []
        assigned: list[Node] = []
        end = 0
        for child in node.children:
            if child.type == "variable_assignment" and not words:
                assigned.append(child)
            elif child.type.endswith("_redirect"):
                redirects.append(child)
            elif child.type in {"subshell", "compound_statement"}:
                self._visit(child, stdin)
            else:
                gap = expansion.between(node, end, child) if end and words else " "
                expansion.extend(words, expansion.words(child, self._values), gap)
                end = child.end_byte
        streams = self._streams(redirects, outer or _Streams(stdin, (), ()))
        return self._after(
            streams, self.call(words, dict(self._assignments(assigned)), streams.stdin, streams.targets)
        )

    def _redirected(self, node: "Node", stdin: str | None) -> str:
        body = node.child_by_field_name("body")
        redirects = [child for child in node.named_children if child.type.endswith("_redirect")]
        streams = self._streams(redirects, _Streams(stdin, (), ()))
        if body is not None and body.type == "command":
            out = self._command(body, streams.stdin, streams._replace(rest=()))
        else:
            out = self._visit(body, streams.stdin) if body is not None else ""
            if streams.targets:
                self._emit([], {}, stdin, streams.targets, out)
                out = ""
        return self._after(streams, out)

    def _after(self, streams: "_Streams", out: str) -> str:
        """What the grammar hangs below a here-document although it comes after the command."""
        for node in streams.rest:
            out = self._visit(node, out)
        return out

    def _streams(self, redirects: Sequence["Node"], streams: "_Streams") -> "_Streams":
        for node in redirects:
            if node.type == "heredoc_redirect":
                streams = self._heredoc(node, streams)
            elif node.type == "herestring_redirect":
                text = "".join(expansion.word(child, self._values) for child in node.named_children)
                streams = streams._replace(stdin=f"{text}\n")
            else:
                streams = self._file_redirect(node, streams)
        return streams

    def _heredoc(self, node: "Node", streams: "_Streams") -> "_Streams":
        start = next((text_of(child) for child in node.children if child.type == "heredoc_start"), "")
        literal = any(char in start for char in "'\"\\")
        for child in node.named_children:
            if child.type == "heredoc_body":
                streams = streams._replace(stdin=expansion.document(child, self._values, literal=literal))
            elif child.type.endswith("_redirect"):
                streams = self._streams([child], streams)
            elif child.type not in {"heredoc_start", "heredoc_end", "file_descriptor"}:
                streams = streams._replace(rest=(*streams.rest, child))
        return streams

    def _file_redirect(self, node: "Node", streams: "_Streams") -> "_Streams":
        operator = next((text_of(child) for child in node.children if not child.is_named), "")
        targets = [child for child in node.named_children if child.type != "file_descriptor"]
        paths = [path for child in targets for path in expansion.words(child, self._values)]
        if operator.startswith("<") and operator != "<>":
            known = self._files.get(paths[0]) if paths else None
            return streams._replace(stdin=known if known is not None else streams.stdin)
        how = "append" if ">>" in operator else "write"
        written = tuple((path, how) for path in paths if not (path.isdigit() or path == "-"))
        return streams._replace(targets=(*streams.targets, *written))

    _HANDLERS: Mapping[str, Callable[["Interpreter", "Node", str | None], str]] = {
        **dict.fromkeys(("comment", "word", "variable_name", "regex", "extglob_pattern", "string_content"), _leaf),
        **dict.fromkeys(("raw_string", "ansi_c_string", "number", "heredoc_body", "heredoc_end"), _leaf),
        **dict.fromkeys(("subshell", "command_substitution", "process_substitution"), _apart),
        **dict.fromkeys(("variable_assignment", "variable_assignments"), _assign),
        **dict.fromkeys(("test_command", "arithmetic_expansion"), _test),
        "pipeline": _pipeline,
        "function_definition": _function,
        "for_statement": _for,
        "command": _command,
        "declaration_command": _declare,
        "unset_command": _unset,
        "redirected_statement": _redirected,
    }

    # --- values --------------------------------------------------------------------------------------------

    def _variable(self, name: str) -> str | None:
        self._step()
        if name in {"@", "*"}:
            return None if self._positional is None else expansion.BREAK.join(self._positional)
        if name.isdigit() and name != "0":
            place = int(name) - 1 if len(name) < 4 else 999
            return None if self._positional is None else "".join(self._positional[place : place + 1])
        given = {"PWD": self._cwd or ".", "HOME": "~", "GIT_DIR": ".git", "IFS": " ", "SHELL": "/bin/sh"}
        return self._variables.get(name, given.get(name))

    def _output(self, node: "Node") -> str:
        return self._visit(node)

    def _substituted(self, node: "Node") -> str:
        """A name for what `<(…)` would print."""
        name = f"/dev/fd/{60 + len(self._files)}"
        self._files[name] = self._visit(node)
        return name

    # --- commands ------------------------------------------------------------------------------------------

    def call(
        self,
        words: Sequence[str],
        assigned: Mapping[str, str],
        stdin: str | None = None,
        targets: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Take note of one command, and of those inside of it; returns what it would print."""
        self._step()
        words = gitline.plain([gitline.bare(word) for word in words])
        while words and words[0] in _BEFORE:
            words = words[1:]
        if not words or not words[0]:
            self._variables |= assigned
            return self._emit(words, assigned, stdin, targets, "")
        out = self._known_name(words, stdin)
        if out is None:
            out = self._started(words, assigned, stdin)
        if out is None:
            name = program(words[0])
            builtin = self._BUILTINS.get(name)
            if builtin is not None:
                builtin(self, words, stdin)
            self._handed_on(words, stdin, {**self._variables, **assigned})
            known = printed(name, words[1:], self._input(words, stdin))
            out = UNKNOWN if known is None else known
            return self._emit(words, assigned, stdin, targets, out)
        return self._emit([], {}, stdin, targets, out) if targets else out

    def _input(self, words: Sequence[str], stdin: str | None) -> str | None:
        """What a program reads: the files that the same line has written, or its standard input."""
        known = [self._files[word] for word in words[1:] if word in self._files]
        return "".join(known) if known else stdin

    def _emit(
        self,
        words: Sequence[str],
        assigned: Mapping[str, str],
        stdin: str | None,
        targets: Sequence[tuple[str, str]],
        out: str,
    ) -> str:
        writes = tuple(Write(path, how, out) for path, how in targets)
        teed = words[1:] if words and program(words[0]) == "tee" else ()
        for path in (*(path for path, _how in targets), *teed):
            self._files[path] = self._files.get(path, "") + out
        if words or writes:
            environment = {**self._variables, **assigned}
            place = UNKNOWN if self._strayed else self._cwd
            self.found.append(
                Command(
                    tuple(words), environment, dict(assigned), self._cwd, self._root, writes, stdin, place, self._home
                )
            )
        outside = [path for path, _how in targets if path not in {"/dev/stdout", "/dev/stderr", "/dev/null"}]
        return "" if outside else out

    def _known_name(self, words: list[str], stdin: str | None) -> str | None:
        """An alias, a function or a file that the same line has made."""
        name = words[0]
        if name in self._calling or len(self._calling) > _DEEPEST_TEXT:
            return None
        self._calling.append(name)
        out = None
        if name in self._aliases:
            out = self.run(" ".join([self._aliases[name], *map(_quoted, words[1:])]), stdin)
        elif name in self._functions:
            out = self._with(words[1:], lambda: self._visit(self._functions[name], stdin))
        elif self._written(name) is not None and "/" in name:
            out = self._with(words[1:], lambda: self.run(self._written(name) or "", stdin))
        self._calling.pop()
        return out

    def _written(self, path: str) -> str | None:
        wanted = posixpath.normpath(path)
        return next((text for name, text in self._files.items() if posixpath.normpath(name) == wanted), None)

    def _with(self, positional: list[str], work: Callable[[], str]) -> str:
        before, self._positional = self._positional, positional
        out = work()
        self._positional = before
        return out

    def _started(self, words: list[str], assigned: Mapping[str, str], stdin: str | None) -> str | None:
        """What another program starts, or None where this one starts none."""
        name = program(words[0])
        if name in rules()["programs"]["shells"]:
            return self._aside(assigned, lambda: self._shell(words[1:], stdin))
        if name in {"xargs", "parallel"}:
            return (self._parallel(words, assigned, stdin) if name == "parallel" else "") + self._xargs(
                words, assigned, stdin
            )
        if name == "command" and any(word in {"-v", "-V"} for word in words[1:2]):
            return f"{words[-1]}\n"
        for line in unwrapping.shell_lines(words, stdin):
            self._aside(assigned, partial(self.run, line))
        within = unwrapping.inner(words)
        if within is None:
            return None
        return self.call(within.words, {**assigned, **within.environment}, stdin) if within.words else ""

    def _aside(self, assigned: Mapping[str, str], work: Callable[[], str]) -> str:
        """What another shell does, of which nothing is left to this one."""
        before = dict(self._variables), self._cwd, self._strayed
        self._variables |= assigned
        out = work()
        self._variables, self._cwd, self._strayed = before
        return out

    def _parallel(self, words: list[str], assigned: Mapping[str, str], stdin: str | None) -> str:
        """Its words are one line for a shell, filled in or followed by what comes after `:::`, or alone in there."""
        end = next((place for place, word in enumerate(words) if word.startswith(":::")), len(words))
        items = [word for word in words[end:] if not word.startswith(":::")] or (stdin or "").splitlines()
        start = next((place for place, word in enumerate(words[1:end], 1) if " " in word), end)
        line = " ".join(words[start:end])
        for item in (items or [""])[:_MOST_ROUNDS]:
            filled = line.replace("{}", item) if "{}" in line else f"{line} {item}"
            self._aside(assigned, partial(self.run, filled))
        return ""

    def _shell(self, args: list[str], stdin: str | None) -> str:
        given = unwrapping.script(args)
        text = given.line
        if text is None and given.file is not None and given.file != "/dev/stdin":
            text = self._written(given.file)
            if text is None:
                self._emit(["sh", *args], {}, stdin, (), "")
                return UNKNOWN
        if text is None:
            text = stdin or ""
        return self._with(given.operands, lambda: self.run(text or "", stdin if given.line is not None else None))

    def _xargs(self, words: list[str], assigned: Mapping[str, str], stdin: str | None) -> str:
        valued = {"-n", "-P", "-L", "-d", "-E", "-s", "-a", "--max-args", "--max-procs", "--delimiter", "-j", "--jobs"}
        place, mark = 1, None
        while place < len(words) and words[place].startswith("-"):
            word = words[place]
            if word in {"-I", "--replace", "-i", "-J"} or (word.startswith("-I") and len(word) > 2):
                mark = word[2:] or (words[place + 1] if place + 1 < len(words) else "{}")
                place += len(word) == 2 and word != "-i"
            place += 2 if word in valued else 1
        inner = words[place:]
        given = [word for word in (stdin or "").replace(UNKNOWN, " ").split() if word != ":::"]
        if mark is None and not any("{}" in word for word in inner):
            return self.call([*inner, *given], assigned)
        mark = mark or "{}"
        for item in given[:_MOST_ROUNDS] or [UNKNOWN]:
            self.call([word.replace(mark, item) for word in inner], assigned)
        if len((stdin or "").strip().splitlines()) == 1 and len(given) > 1:
            self.call([word.replace(mark, (stdin or "").strip()) for word in inner], assigned)
        return UNKNOWN

    def _handed_on(self, words: list[str], stdin: str | None, environment: Mapping[str, str]) -> None:
        """Lines that a program of another kind will run: git's aliases, `find -exec`, code with calls in it."""
        name = program(words[0])
        if name in {"ln", "mount", "bindfs"} or (name == "git" and "worktree" in words):
            self._home = ""
        if name == "git":
            given = [environment[name] for name in rules()["git"]["line-variables"] if environment.get(name)]
            for line in (*gitline.lines(gitline.read(words[1:])), *given):
                self._aside({}, partial(self.run, line))
        elif name == "find":
            for inner in _executed(words[1:]):
                self.call(inner, {})
        elif name in rules()["programs"]["interpreters"] or name in rules()["programs"]["awks"]:
            for line in inline_lines(words, self._input(words, stdin)):
                self._aside({}, partial(self.run, line))

    # --- what the shell does by itself ---------------------------------------------------------------------

    def _eval(self, words: list[str], stdin: str | None) -> None:
        self.run(" ".join(words[1:]), stdin)

    def _source(self, words: list[str], stdin: str | None) -> None:
        text = stdin if words[1:2] == ["/dev/stdin"] else self._written(words[1]) if words[1:] else None
        if text:
            self._with(words[2:], lambda: self.run(text, None))

    def _trap(self, words: list[str], _stdin: str | None) -> None:
        for word in words[1:2]:
            self.run(word)

    def _alias(self, words: list[str], _stdin: str | None) -> None:
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if equals:
                self.run(value)
                self._aliases[name] = value

    def _set(self, words: list[str], _stdin: str | None) -> None:
        if "--" in words:
            self._positional = words[words.index("--") + 1 :]

    def _cd(self, words: list[str], _stdin: str | None) -> None:
        operands = [word for word in words[1:] if not word.startswith("-") or word == "-"]
        name = program(words[0])
        if name == "popd":
            self._cwd = self._folders.pop() if self._folders else UNKNOWN
            return
        if name == "pushd":
            self._folders.append(self._cwd)
        before, self._before = self._before, self._cwd
        if operands == ["-"]:
            self._cwd = before
        else:
            self._cwd = posixpath.normpath(posixpath.join(self._cwd, operands[0] if operands else "~"))

    def _export(self, words: list[str], _stdin: str | None) -> None:
        flags = [word for word in words[1:] if re.fullmatch(r"[-+][A-Za-z]+", word)]
        exports = program(words[0]) == "export"
        taken = any("n" in flag if exports else flag.startswith("+") and "x" in flag for flag in flags)
        for word in words[1:]:
            name, equals, value = word.partition("=")
            if equals:
                self._variables[name] = value
            elif taken and word not in flags:
                self._variables[name] = ""

    def _printf(self, words: list[str], _stdin: str | None) -> None:
        if words[1:2] == ["-v"] and len(words) > 3:
            self._variables[words[2]] = printed("printf", words[3:], None) or ""

    def _read_variable(self, words: list[str], stdin: str | None) -> None:
        names = [word for word in words[1:] if not word.startswith("-")]
        if names and stdin:
            self._variables |= dict.fromkeys(names, "") | {names[0]: stdin.strip()}

    _BUILTINS: Mapping[str, Callable[["Interpreter", list[str], str | None], None]] = {
        **dict.fromkeys(("eval",), _eval),
        **dict.fromkeys(("source", "."), _source),
        **dict.fromkeys(("cd", "pushd", "popd"), _cd),
        **dict.fromkeys(("export", "declare", "typeset", "readonly", "local"), _export),
        "trap": _trap,
        "alias": _alias,
        "set": _set,
        "read": _read_variable,
        "printf": _printf,
    }


class _Streams(NamedTuple):
    """Where a command reads from and writes to, and what comes after it."""

    stdin: str | None
    targets: tuple[tuple[str, str], ...]
    rest: tuple["Node", ...]


def _flat(node: "Node") -> list["Node"]:
    """The children, with lists of lists as one: `a && b && c` hangs to the left as deep as it is long."""
    found: list[Node] = []
    waiting = list(reversed(node.named_children))
    while waiting:
        child = waiting.pop()
        if child.type == "list":
            waiting += reversed(child.named_children)
        else:
            found.append(child)
    return found


def _all_or_none(node: "Node") -> bool:
    """Whether every command of the list runs only after those before it have done well."""
    at: Node | None = node
    while at is not None and at.type == "list":
        if any(child.type == "||" for child in at.children):
            return False
        at = at.children[0] if at.children else None
    return True


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def _executed(args: Sequence[str]) -> list[list[str]]:
    """The commands of `find -exec`, with the paths that the search begins at, or the name that is looked for."""
    start = next((place for place, word in enumerate(args) if word.startswith(("-", "(", "!"))), len(args))
    roots = list(args[:start]) or ["."]
    names = [args[place + 1] for place, word in enumerate(args[:-1]) if word in {"-name", "-iname", "-path"}]
    paths = [*roots, *(posixpath.join(root, name) for root in roots for name in names)]
    found = []
    for place, word in enumerate(args[:_MOST_WORDS]):
        if word in {"-exec", "-execdir", "-ok", "-okdir"}:
            rest = list(args[place + 1 :])
            end = next((at for at, item in enumerate(rest) if item in {";", "+"}), len(rest))
            found += [[item.replace("{}", path) for item in rest[:end]] for path in paths[:_MOST_ROUNDS]]
    return found
