"""What simple programs print, where that can be told from their words and their input."""

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Sequence

from twoagent_hook.guard.tables import UNKNOWN

_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|0?([0-7]{1,3})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|c(.)|(.))", re.DOTALL
)
_SIMPLE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|0([0-7]{1,3})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|c(.)|([nt]))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_MOST = 1 << 16
_TEMPORARY = posixpath.join("/", "tmp")


def unescaped(text: str) -> str:
    """With the escapes of $'…', `echo -e` and `printf` carried out."""
    return _ESCAPE.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    hexadecimal, octal, short, long, _control, letter = found.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    if hexadecimal is None and octal is None and short is None and long is None:
        return ""
    number = int(octal, 8) if octal is not None else int(hexadecimal or short or long, 16)
    usable = 0 < number < 0x110000 and not 0xD800 <= number < 0xE000
    return chr(number) if usable else ""


def printed(name: str, args: Sequence[str], stdin: str | None) -> str | None:
    """The text, or None for a program of which nothing is known here."""
    program = _PROGRAMS.get(name)
    return None if program is None else program(list(args), stdin or "")[:_MOST]


def _echo(args: list[str], _stdin: str) -> str:
    escapes = False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        escapes = escapes or "e" in args[0]
        args = args[1:]
    # Some shells' echo carries escapes out without being asked to; a quote's is then the reader's own.
    text = " ".join(args)
    return f"{unescaped(text) if escapes else _SIMPLE.sub(_character, text)}\n"


def _printf(args: list[str], _stdin: str) -> str:
    if args[:1] == ["--"]:
        args = args[1:]
    if not args or args[0] == "-v":
        return ""
    form, values = unescaped(args[0]), args[1:]
    holes = len(re.findall(r"%[-+ #0-9.]*[a-zA-Z]", form.replace("%%", "")))
    out = ""
    while len(out) < _MOST:
        taken = iter(values[:holes])
        out += re.sub(
            r"%%|%[-+ #0-9.]*([a-zA-Z])",
            lambda found, taken=taken: "%" if found[1] is None else unescaped(next(taken, "")),  # type: ignore[misc]
            form,
        )
        values = values[holes:]
        if not values or not holes:
            break
    return out


def _through(args: list[str], stdin: str) -> str:
    return stdin if not [arg for arg in args if not arg.startswith("-") and not arg.isdigit()] else UNKNOWN


def _passed(_args: list[str], stdin: str) -> str:
    return stdin


def _base64(args: list[str], stdin: str) -> str:
    if not any(arg in {"-d", "-D", "--decode", "-di", "-id"} for arg in args):
        return UNKNOWN
    try:
        return base64.b64decode("".join(stdin.split()) + "==").decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return UNKNOWN


def _xxd(args: list[str], stdin: str) -> str:
    if not any(arg.startswith("-r") or "r" in arg[1:] for arg in args if arg.startswith("-")):
        return UNKNOWN
    try:
        return bytes.fromhex("".join(stdin.split())).decode("utf-8", "replace")
    except ValueError:
        return UNKNOWN


def _rev(args: list[str], stdin: str) -> str:
    return _through(args, "\n".join(line[::-1] for line in stdin.split("\n")))


def _operands(args: list[str], _stdin: str) -> str:
    named = [arg for arg in args if not arg.startswith("-")]
    return "".join(f"{arg}\n" for arg in named) or UNKNOWN


def _first_operands(args: list[str], _stdin: str) -> str:
    named: list[str] = []
    for arg in args:
        if arg.startswith(("-", "(", "!")):
            break
        named.append(arg)
    return "".join(f"{arg}\n" for arg in named) or UNKNOWN


def _git(args: list[str], _stdin: str) -> str:
    if args[:1] != ["rev-parse"]:
        return UNKNOWN
    if any(arg in {"--git-dir", "--absolute-git-dir", "--git-common-dir"} for arg in args):
        return ".git\n"
    if "--git-path" in args[:-1]:
        return f".git/{args[args.index('--git-path') + 1]}\n"
    return ".\n" if "--show-toplevel" in args else UNKNOWN


def _mktemp(args: list[str], _stdin: str) -> str:
    """Where it is, if no other place is named."""
    usual = all(re.fullmatch(r"-[dqu]+|--directory|--quiet", arg) for arg in args)
    return f"{_TEMPORARY}/new\n" if usual else UNKNOWN


def _here(_args: list[str], _stdin: str) -> str:
    return ".\n"


def _nothing(_args: list[str], _stdin: str) -> str:
    return ""


_PROGRAMS: dict[str, Callable[[list[str], str], str]] = {
    "echo": _echo,
    "printf": _printf,
    "base64": _base64,
    "gbase64": _base64,
    "xxd": _xxd,
    "rev": _rev,
    "git": _git,
    **dict.fromkeys(("cat", "head", "tail", "sort", "uniq", "tac"), _through),
    **dict.fromkeys(("ls", "which", "realpath", "readlink"), _operands),
    "find": _first_operands,
    "tee": _passed,
    "pwd": _here,
    "mktemp": _mktemp,
    **dict.fromkeys(
        ("true", ":", "false", "cd", "test", "[", "sleep", "export", "set", "mkdir", "rm", "touch"), _nothing
    ),
}
