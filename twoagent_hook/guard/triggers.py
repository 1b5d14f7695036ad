"""Whether a line could hold anything that is refused: cheap, and wrong only in the one direction.

What the whole analysis refuses has to be found here first, however it is quoted or put together; a line in which
nothing of it is found is passed without a parser.
"""

from twoagent_hook.patterns import Pattern

_QUOTES = Pattern(r"\\\n|\$?['\"]|\\")
_EXPANSIONS = Pattern(r"\$\{[^{}]*\}|\$\w+|\$[@*#?!$-]|\$\([^()]*\)|`[^`]*`")
# Git's commands that only look, as they are written without any trick.
_LOOKING = Pattern(
    r"(?:(?<=^)|(?<=&&)|(?<=;)|(?<=\n))[ \t]*git (?:status|diff|log|show|add|fetch|branch|blame|ls-files|rev-parse|"
    r"stash|switch|checkout|remote|grep|describe|shortlog)(?=\s|$)"
)
_WORDS = Pattern(
    r"(?<!di)(?<!le)git(?!hub\.com|lab\.com|ignore|attributes|keep)|commit|hook|verif|husky|lefthook|overcommit"
    r"|prek|uninstall|twoagent|\.claude|\.cursor|\.gemini|\.codex|\.copilot|appdata|application support|\.cache"
    r"|site-packages|dist-packages|\.config|no_?ver|pygit2|dulwich|base64|xxd|\brev\b|alias|pyproject"
    r"|allow_no_config|claudecode|core\.|/contents/|(?:site|user)customize|repository/"
)
# Each of these tells something only together with the other one.
_PAIRS = (
    (Pattern("skip"), Pattern(r"export|declare|typeset|readonly|skip\w{0,40}\+?=")),
    (
        Pattern(
            r"(?<![\w.-])(?:yaml|cfgv|identify|nodeenv|virtualenv|platformdirs|distlib|filelock)(?:\.py|(?![\w.-]))"
        ),
        Pattern(r"mkdir|touch|mv|cp|ln|install|rsync|link|tee|curl|wget|dd|>"),
    ),
)
_ESCAPES = Pattern(r"\\(?:x[0-9a-fA-F]|[0-7]{3}|0[0-7]|[uU][0-9a-fA-F])|\$'[^']*\\")
_BRACES = Pattern(r"(?:^|(.))\{([^{}\s]*)\}(?=(.?))")
# A pattern for names that begin with a dot, as those of all files that matter do.
_HIDDEN = Pattern(r"(?:^|[\s/=>|&;(])(?:\.[^\s/=>|&;(*?\[]*[*?\[]|[^\s/=>|&;(*?\[]*[*?\[][^\s/=>|&;(]*/\S*[*?\[])")
_JOINED = Pattern(r"[\w.-]\$[\w{(@*]|\}[\w.$-]|\$\w+\$|[\w.-]`|`\w|\)[\w$`]|\+=")
_ASSIGNS = Pattern(r"\w\+?=|\bfor\b|\bread\b|\bset\b|printf|echo|\$\{\w{1,80}:?[-=+]|\w\(\)")
_MOST_ROUNDS = 16


def present(text: str) -> bool:
    """Whether the line has to be read."""
    plain = _LOOKING.sub(" ", text)
    squashed = _QUOTES.sub("", plain).lower()
    if _telling(squashed) or _ESCAPES.search(plain) or _HIDDEN.search(squashed) or _multiplied(plain):
        return True
    if "$" not in squashed and "`" not in squashed:
        return False
    shorter = squashed
    for _ in range(_MOST_ROUNDS):
        before, shorter = shorter, _EXPANSIONS.sub("", shorter)
        if shorter == before:
            break
    else:
        return True
    return _telling(shorter) or (_JOINED.search(squashed) is not None and _ASSIGNS.search(squashed) is not None)


def _telling(text: str) -> bool:
    return _WORDS.search(text) is not None or any(one.search(text) and other.search(text) for one, other in _PAIRS)


def _multiplied(text: str) -> bool:
    """Whether braces make words of parts of words."""
    for found in _BRACES.finditer(text):
        inside, beside = found[2], f"{found[1] or ' '}{found[3] or ' '}".strip(" \t\n;|&()$'\"")
        if beside and ("," in inside or ".." in inside):
            return True
    return False
