"""What looks like a credential stays on this machine. Every value is made up while the tests run."""

import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook import datafiles, visible
from twoagent_hook.changes import ChangeSet, FileChange, Hunk, Line, Rename, Status
from twoagent_hook.config import Config
from twoagent_hook.findings import Effect, Finding
from twoagent_hook.keys import default_rules
from twoagent_hook.screening import ScreenedChange, screen, secrets

unhurried = settings(max_examples=100, deadline=None, database=None)

HEX = string.digits + "abcdef"
UPPER = string.ascii_uppercase
LETTERS = string.ascii_letters
ALNUM = string.ascii_letters + string.digits
URL_SAFE = ALNUM + "-_"
BASE32 = UPPER + "234567"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"


def some(alphabet: str, length: int, seed: int = 7) -> str:
    """As random as a credential looks, and always the same."""
    state, made = seed, []
    for _ in range(length):
        state = (state * 1103515245 + 12345) % 2**31
        made.append(alphabet[(state >> 8) % len(alphabet)])
    # At neither end a sign that could pass for punctuation.
    return "".join(made).replace("--", "a-").strip("-_.").ljust(length, "A")


def values(seed: int = 7) -> dict[str, list[str]]:
    """A value of every format; none of them is spelled in one piece anywhere."""

    def any_of(alphabet: str, length: int) -> str:
        return some(alphabet, length, seed)

    return {
        "aws-access-key": [f"{a}{any_of(BASE32, 16)}" for a in ("AK" + "IA", "AS" + "IA")],
        "github-token": [f"gh{letter}_{any_of(ALNUM, 36)}" for letter in "pousr"],
        "github-fine-grained-token": ["github" + f"_pat_{any_of(ALNUM, 22)}_{any_of(ALNUM, 59)}"],
        "gitlab-token": [f"gl{kind}-{any_of(ALNUM, 20)}" for kind in ("pat", "dt", "rt", "agent")],
        "anthropic-key": ["sk-" + f"ant-api03-{any_of(URL_SAFE, 93)}AA", "sk-" + f"ant-oat01-{any_of(ALNUM, 80)}"],
        "openrouter-key": ["sk-" + f"or-v1-{any_of(HEX, 64)}"],
        "openai-key": [
            "sk-" + f"proj-{any_of(URL_SAFE, 120)}",
            "sk-" + f"svcacct-{any_of(URL_SAFE, 60)}",
            "sk-" + f"{any_of(ALNUM, 20)}T3Blbk" + f"FJ{any_of(ALNUM, 20)}",
            "sk-" + any_of(ALNUM, 48),
        ],
        "deepseek-key": ["sk-" + any_of(HEX, 32)],
        "google-api-key": ["AI" + f"za{any_of(URL_SAFE, 35)}"],
        "google-oauth-secret": ["GOC" + f"SPX-{any_of(URL_SAFE, 28)}"],
        "xai-key": ["xa" + f"i-{any_of(ALNUM, 80)}"],
        "groq-key": ["gs" + f"k_{any_of(ALNUM, 52)}"],
        "huggingface-token": ["h" + f"f_{any_of(LETTERS, 34)}", "api" + f"_org_{any_of(LETTERS, 34)}"],
        "replicate-token": ["r" + f"8_{any_of(ALNUM, 37)}"],
        "perplexity-key": ["pp" + f"lx-{any_of(ALNUM, 48)}"],
        "slack-token": [
            "xo" + f"xb-{any_of(string.digits, 12)}-{any_of(string.digits, 13)}-{any_of(ALNUM, 24)}",
            "xa" + f"pp-1-A{any_of(UPPER, 10)}-{any_of(string.digits, 13)}-{any_of(HEX, 64)}",
        ],
        "slack-webhook": [
            "https://hooks." + f"slack.com/services/T{any_of(UPPER, 8)}/B{any_of(UPPER, 8)}/{any_of(ALNUM, 24)}"
        ],
        "stripe-key": [
            "sk" + f"_live_{any_of(ALNUM, 24)}",
            "rk" + f"_test_{any_of(ALNUM, 24)}",
            "wh" + f"sec_{any_of(ALNUM, 32)}",
        ],
        "npm-token": ["np" + f"m_{any_of(ALNUM, 36)}"],
        "pypi-token": ["py" + f"pi-AgEI{any_of(URL_SAFE, 150)}"],
        "rubygems-key": ["ruby" + f"gems_{any_of(HEX, 48)}"],
        "crates-token": ["ci" + f"o{any_of(ALNUM, 32)}"],
        "docker-token": ["dck" + f"r_pat_{any_of(URL_SAFE, 27)}"],
        "twilio-key": ["S" + f"K{any_of(HEX, 32)}"],
        "sendgrid-key": ["S" + f"G.{any_of(ALNUM, 22)}.{any_of(ALNUM, 43)}"],
        "mailgun-key": ["ke" + f"y-{any_of(HEX, 32)}"],
        "mailchimp-key": [any_of(HEX, 32) + "-u" + "s12"],
        "digitalocean-token": [f"do{letter}_v1_{any_of(HEX, 64)}" for letter in "opr"],
        "shopify-token": [f"shp{kind}_{any_of(HEX, 32)}" for kind in ("at", "ss", "ca", "pa")],
        "square-token": ["sq" + f"0atp-{any_of(ALNUM, 22)}", "EA" + f"AA{any_of(ALNUM, 60)}"],
        "telegram-token": [any_of("123456789", 10) + ":A" + f"A{any_of(URL_SAFE, 33)}"],
        "discord-webhook": ["https://disc" + f"ord.com/api/webhooks/{any_of('123456789', 18)}/{any_of(URL_SAFE, 68)}"],
        "linear-key": ["lin" + f"_api_{any_of(ALNUM, 40)}"],
        "notion-token": ["nt" + f"n_{any_of(ALNUM, 46)}", "sec" + f"ret_{any_of(ALNUM, 43)}"],
        "atlassian-token": ["ATA" + f"TT3{any_of(ALNUM, 180)}", "ATC" + f"TT3{any_of(ALNUM, 180)}"],
        "databricks-token": ["da" + f"pi{any_of(HEX, 32)}", "da" + f"pi{any_of(HEX, 32)}-2"],
        "hashicorp-vault-token": ["hv" + f"s.{any_of(ALNUM, 90)}", "hv" + f"b.{any_of(ALNUM, 120)}"],
        "terraform-token": [f"{any_of(ALNUM, 14)}.atlas" + f"v1.{any_of(ALNUM, 67)}"],
        "sentry-token": ["snt" + f"rys_{any_of(ALNUM, 100)}", "snt" + f"ryu_{any_of(HEX, 64)}"],
        "grafana-token": ["gl" + f"sa_{any_of(ALNUM, 32)}_{any_of(HEX, 8)}", "gl" + f"c_{any_of(ALNUM, 60)}"],
        "newrelic-key": ["NR" + f"AK-{any_of(UPPER, 27)}"],
        "figma-token": ["fi" + f"gd_{any_of(URL_SAFE, 40)}"],
        "azure-storage-key": ["Account" + f"Key={any_of(ALNUM, 86)}=="],
        "age-key": ["AGE-SEC" + f"RET-KEY-1{any_of(BECH32, 58)}"],
        "private-key": [f"-----BEGIN {kind}PRIVATE" + " KEY-----" for kind in ("", "RSA ", "EC ", "ENCRYPTED ")],
    }


VALUES = values()
EACH = [(kind, value) for kind, made in VALUES.items() for value in made]
IDS = [f"{kind} {number}" for kind, made in VALUES.items() for number in range(len(made))]
GITHUB = VALUES["github-token"][0]


def file_of(*rows: str, path: str = "app.py", status: Status = Status.MODIFIED, section: str = "") -> FileChange:
    """A file whose only hunk is these rows, each with its sign in front."""
    old = new = 1
    lines = []
    for row in rows:
        sign = row[0]
        lines.append(Line(sign, old if sign != "+" else None, new if sign != "-" else None, row[1:]))
        old, new = old + (sign != "+"), new + (sign != "-")
    hunks = (Hunk(1, 1, section, tuple(lines)),) if rows else ()
    return FileChange(path, status, "100644", "100644", "0" * 40, "1" * 40, sizes=(1, 1), hunks=hunks)


def screened(
    *files: FileChange, effect: str = "block", renames: tuple[Rename, ...] = (), inherited: tuple[str, ...] = ()
) -> ScreenedChange:
    config = Config(rules=default_rules() | {"secret": Effect[effect.upper().replace("-", "_")]})
    return screen(ChangeSet("b", "t", files, renames, inherited), config, {})


def found(change: ScreenedChange) -> list[Finding]:
    return [finding for finding in change.findings if finding.kind == "secret"]


def shown(change: ScreenedChange, number: int = 0) -> list[str]:
    return [line.text for line in change.files[number].lines]


def redacted(*lines: str) -> list[str]:
    return secrets.Redactor().text("\n".join(lines)).split("\n")


# --- every format -------------------------------------------------------------------------------------------


def test_a_value_is_made_here_for_every_format() -> None:
    assert set(VALUES) == {item.kind for item in secrets.formats()}


def test_no_value_is_spelled_out_in_this_file() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [value for _, value in EACH if value in text] == []
    assert secrets.find(text.split("\n")) == []


@pytest.mark.parametrize(("kind", "value"), EACH, ids=IDS)
def test_a_value_is_found_whole_and_by_its_kind(kind: str, value: str) -> None:
    for before, after in (
        ("", ""),
        ('key = "', '"'),
        ("KEY=", " # x"),
        ("https://x/?k=", "&a=b"),
        ("é", "é"),
        ("(", ")"),
    ):
        hits = secrets.find([f"{before}{value}{after}"])
        assert [hit.kind for hit in hits] == [kind], before
        assert hits[0].start == len(before)
        assert hits[0].end >= len(before) + len(value)


@pytest.mark.parametrize(("kind", "value"), EACH, ids=IDS)
def test_a_value_that_is_added_keeps_the_change_at_home(kind: str, value: str) -> None:
    change = screened(file_of(" x = 1", f"+key = '{value}'", " y = 2"))
    assert not change.sendable
    assert [(item.effect, item.file, item.line_start) for item in found(change)] == [(Effect.BLOCK, "app.py", 2)]
    assert kind in found(change)[0].title
    assert value not in repr(change)


@pytest.mark.parametrize("sign", [" ", "-"], ids=["context", "removed"])
@pytest.mark.parametrize(("kind", "value"), EACH, ids=IDS)
def test_a_value_that_is_not_added_is_replaced_without_a_finding(kind: str, value: str, sign: str) -> None:
    change = screened(file_of(f"{sign}key = '{value}", "+call(1)"))
    assert change.sendable
    assert change.findings == ()
    assert f"⟦secret:{kind}#1⟧" in shown(change)[0]
    assert shown(change)[0].startswith("key = '")
    assert value not in repr(change)


HARMLESS = [
    "import sklearn as sk; sk-learn, sk-proj-short, sk-ant-, sk-or-v1-",
    "ghp_ gho_short github_pat_x glpat-short npm_config_registry pypi-AgEI",
    "hf_tokenizer_of_the_largest_model_that_we_have hf_" + "x" * 33,
    "AKIA AKIAX " + "AKIA" + "1" * 16,
    "commit " + some(HEX, 40) + " and sha256:" + some(HEX, 64),
    "uuid 123e4567-e89b-12d3-a456-426614174000, key-value, key-" + some(HEX, 31),
    "secret_key_base secret_" + "x" * 42 + " SG.short.short EAAA cio dapi",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC" + " KEY-----",
    "-----END PRIVATE" + " KEY-----",
    "PRIVATE" + " KEY",
    "https://hooks.slack.com/services/ and https://discord.com/api/webhooks/",
    "data:image/png;base64," + some(ALNUM, 400),
    "integrity sha512-" + some(ALNUM, 86) + "==",
    "12345678:AAshort AccountKey=short== AGE-SECRET-KEY-1short",
    "⟦secret:github-token#1⟧",
    "",
]


@pytest.mark.parametrize("line", HARMLESS, ids=range(len(HARMLESS)))
def test_what_only_resembles_a_value_is_left_alone(line: str) -> None:
    assert secrets.find([line]) == []


@pytest.mark.parametrize(("kind", "value"), [row for row in EACH if row[0] != "private-key"], ids=IDS[:-4])
def test_a_value_inside_of_a_longer_word_is_another_word(kind: str, value: str) -> None:
    if not value.startswith(("https://", "AccountKey", "AGE-")):
        assert kind not in [hit.kind for hit in secrets.find([f"x{value}"])]


def published() -> list[str]:
    return datafiles.packaged_toml("screening/secrets.toml")["published"]["values"]


def test_what_documentation_prints_is_nobodys_secret() -> None:
    for value in published():
        change = screened(file_of(f"+key = '{value}'"))
        assert change.findings == ()
        assert value in shown(change)[0]
    assert len(published()) >= 5


def test_beside_a_published_value_a_real_one_is_found() -> None:
    hits = secrets.find([f"{published()[0]} {GITHUB} {published()[1]}"])
    assert [hit.kind for hit in hits] == ["github-token"]


# --- placeholders -------------------------------------------------------------------------------------------


def test_the_same_value_has_the_same_number_everywhere() -> None:
    other = values(seed=11)["github-token"][0]
    change = screened(
        file_of(f"-a = '{GITHUB}'", f" b = '{other}'", f" c = '{GITHUB}'", "+x"),
        file_of(f" d = '{other}' + '{GITHUB}'", "+x", path="b.py", section=f"def f(key='{GITHUB}'):"),
    )
    assert shown(change)[:3] == [
        "a = '⟦secret:github-token#1⟧'",
        "b = '⟦secret:github-token#2⟧'",
        "c = '⟦secret:github-token#1⟧'",
    ]
    assert shown(change, 1)[0] == "d = '⟦secret:github-token#2⟧' + '⟦secret:github-token#1⟧'"
    assert change.files[1].hunks[0].section == "def f(key='⟦secret:github-token#1⟧'):"


def test_several_values_in_one_line_are_all_replaced() -> None:
    line = " ".join(value for kind, value in EACH if kind not in {"private-key", "azure-storage-key"})
    (safe,) = redacted(f"<{line}>")
    assert [value for _, value in EACH if value in safe] == []
    assert safe.startswith("<⟦secret:aws-access-key#")
    assert safe.endswith("⟧>")


@pytest.mark.parametrize("between", ["-", "_", "."])
def test_a_value_that_runs_into_another_is_hidden_to_its_end(between: str) -> None:
    first, second = VALUES["gitlab-token"][0], VALUES["anthropic-key"][0]
    (safe,) = redacted(f"{first}{between}{second}")
    assert second[-16:] not in safe


@unhurried
@given(st.lists(st.sampled_from(EACH[:40]), min_size=1, max_size=5), st.text("ab =\n\"'", max_size=8))
def test_no_value_survives_wherever_it_stands(chosen: list[tuple[str, str]], between: str) -> None:
    text = f" {between} ".join(value for _, value in chosen)
    safe = secrets.Redactor().text(text)
    assert [value for _, value in chosen if value in safe] == []
    assert safe.count("\n") == text.count("\n")


@unhurried
@given(st.text(max_size=200))
def test_text_without_a_value_is_left_as_it_is(text: str) -> None:
    assert secrets.Redactor().text(text) == text


# --- keys of many lines -------------------------------------------------------------------------------------


def pem(*body: str, kind: str = "RSA PRIVATE" + " KEY") -> list[str]:
    return [f"-----BEGIN {kind}-----", *body, f"-----END {kind}-----"]


BODY = [some(ALNUM + "+/", 64, seed) for seed in range(20, 26)]
PGP = "PGP PRIVATE" + " KEY BLOCK"
BLOCKS = {
    "plain": pem(*BODY),
    "of another kind": pem(*BODY, kind="OPENSSH PRIVATE" + " KEY"),
    "encrypted": pem("Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0123ABCD", "", *BODY),
    "of PGP": pem("", *BODY, "=ab1D", kind=PGP),
    "of PGP with a version": pem("Version: GnuPG v2.0.22 (GNU/Linux)", "", *BODY, "=ab1D", kind=PGP),
    "of PGP with a comment": pem("Comment: https://keybase.io/download", "", *BODY, kind=PGP),
    "indented": [f"    {line}" for line in pem(*BODY)],
    "of quoted lines": [f'"{line}\\n"' for line in pem(*BODY)],
    "of quoted lines that are joined": [f"    '{line}\\n' +" for line in pem(*BODY)],
    "of commented lines": [f"# {line}" for line in pem(*BODY)],
    "in one long line of body": pem("".join(BODY * 5)),
    "with Windows line ends": [f"{line}\r" for line in pem(*BODY)],
    "in one line": ["\\n".join(pem(*BODY))],
    "without its end": pem(*BODY)[:-1],
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_key_is_hidden_to_its_end(block: list[str]) -> None:
    safe = redacted("before = 1", *block, "def after(): pass  # (visible)")
    assert safe[0] == "before = 1"
    assert safe[-1] == "def after(): pass  # (visible)"
    assert len(safe) == len(block) + 2
    assert [line for line in safe if any(part[:32] in line for part in BODY)] == []


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_key_that_is_added_is_one_finding(block: list[str]) -> None:
    change = screened(file_of(" x = 1", *(f"+{line}" for line in block)))
    assert [(item.line_start, item.line_end) for item in found(change)] == [(2, 1 + len(block))]
    assert "private-key" in found(change)[0].title


def test_two_keys_are_two_findings() -> None:
    change = screened(file_of(*(f"+{line}" for line in (*pem(*BODY), "x = 1", *pem(*BODY)))))
    assert [(item.line_start, item.line_end) for item in found(change)] == [(1, 8), (10, 17)]


def test_a_key_that_is_removed_is_hidden_without_a_finding() -> None:
    change = screened(file_of(*(f"-{line}" for line in pem(*BODY)), "+x = 1"))
    assert change.findings == ()
    assert not any(part in repr(change) for part in BODY)


def test_a_key_whose_middle_changes_is_hidden_and_found() -> None:
    first, *rest = BODY
    block = pem(*BODY)
    rows = [f" {block[0]}", f"-{first}", f"+{first[::-1]}", *(f" {line}" for line in (*rest, block[-1]))]
    change = screened(file_of(*rows))
    assert not any(part in repr(change) for part in (*BODY, first[::-1]))
    assert [item.line_start for item in found(change)] == [2]


def test_a_key_behind_another_secret_is_hidden_as_well() -> None:
    block = pem(*BODY)
    safe = redacted(f"{GITHUB} {block[0]}", *block[1:])
    assert GITHUB not in safe[0]
    assert [line for line in safe if any(part in line for part in BODY)] == []


def test_after_the_end_of_a_key_everything_is_visible_again() -> None:
    safe = redacted(*pem(*BODY), *BODY)
    assert safe[-len(BODY) :] == BODY


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.ADDED, Status.MODIFIED, Status.DELETED])
def test_a_value_in_a_file_name_is_found_and_hidden(status: Status) -> None:
    change = screened(file_of("+x", path=f"keys/{GITHUB}.txt", status=status))
    assert not change.sendable
    assert [item.file for item in found(change)] == ["keys/⟦secret:github-token#1⟧.txt"]
    assert GITHUB not in repr(change)


def test_a_value_in_the_name_of_a_moved_file_is_hidden() -> None:
    old, new = f"keys/{GITHUB}.txt", "keys/token.txt"
    files = (file_of("-x", path=old, status=Status.DELETED), file_of("+x", path=new, status=Status.ADDED))
    change = screened(*files, renames=(Rename(old, new, True, files[1]),))
    assert len(found(change)) == 1
    assert GITHUB not in repr(change)


def test_a_value_in_a_name_that_a_merge_brings_is_hidden() -> None:
    change = screened(file_of("+x"), inherited=(f"keys/{GITHUB}.txt",))
    assert GITHUB not in repr(change)


def test_a_value_in_the_edits_of_a_moved_file_is_hidden() -> None:
    rows = (f" key = '{GITHUB}'", "-x = 1", "+x = 2")
    files = (
        file_of(f"-key = '{GITHUB}'", "-x = 1", path="a.py", status=Status.DELETED),
        file_of(f"+key = '{GITHUB}'", "+x = 2", path="b.py", status=Status.ADDED),
    )
    edits = file_of(*rows, path="b.py", status=Status.ADDED)
    change = screened(*files, renames=(Rename("a.py", "b.py", False, edits),))
    assert change.files[0].source == "a.py"
    assert GITHUB not in repr(change)


# --- what the rule does -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "sendable"), [("block", False), ("request-changes", True), ("note", True)], ids=str
)
def test_below_block_the_change_is_sent_without_the_value(effect: str, sendable: bool) -> None:
    change = screened(file_of(f"+key = '{GITHUB}'"), effect=effect)
    assert change.sendable is sendable
    assert [item.effect for item in found(change)] == [Effect[effect.upper().replace("-", "_")]]
    assert shown(change) == ["key = '⟦secret:github-token#1⟧'"]


def test_a_value_in_a_file_that_is_not_shown_is_found_all_the_same() -> None:
    config = Config(exclude=("vendor/",))
    files = (file_of(f"+{GITHUB}", path="vendor/a.js"), file_of(f"+{GITHUB}", path="uv.lock"))
    change = screen(ChangeSet("b", "t", files), config, {})
    assert [item.file for item in found(change)] == ["vendor/a.js", "uv.lock"]
    assert not change.sendable


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_value_in_another_encoding_is_found(encoding: str) -> None:
    lines = f"a\nkey = '{GITHUB}'\n".encode(encoding).split(b"\n")
    rows = ["+" + line.decode("utf-8", "surrogateescape") for line in lines]
    change = screened(file_of(*rows, path="a.txt", status=Status.ADDED))
    assert len(found(change)) == 1
    assert not change.sendable


# --- time ---------------------------------------------------------------------------------------------------

MEGABYTE = 1_000_000


def long_lines(hint: str) -> list[str]:
    lines = [hint + piece * (MEGABYTE // len(piece)) for piece in ("A0", "a-", "_")]
    return [*lines, hint * (MEGABYTE // len(hint))]


@pytest.mark.parametrize("kind", VALUES)
def test_a_long_line_is_searched_in_linear_time(kind: str) -> None:
    (row,) = [item for item in secrets.formats() if item.kind == kind]
    for hint in row.hints:
        for line in long_lines(hint):
            started = time.process_time()
            for _ in row.pattern.finditer(line):
                pass
            assert time.process_time() - started < 5, line[:40]


SLOW = {
    "one word": ["a" * MEGABYTE],
    "hexadecimal digits": [some(HEX, 1000) * 1000],
    "the start of every format": ["".join(hint for item in secrets.formats() for hint in item.hints) * 1000],
    "many short lines": ["sk-"] * (MEGABYTE // 4),
    "many values in a line": [" ".join(f"AK{'IA'}{some(BASE32, 16, seed)}" for seed in range(10_000))],
    "many starts of keys": pem()[:1] * 5000,
    "many starts of keys in a line": [" ".join(pem()[:1] * 10_000)],
    "many keys": pem(BODY[0]) * 4000,
    "a key with a long line of signs": [pem()[0], "+" * MEGABYTE + "a_b"],
    "a key with long lines": [pem()[0], *(["-" * 50_000 + "a" * 300 + "_"] * 20)],
}


@pytest.mark.parametrize("lines", SLOW.values(), ids=SLOW)
def test_a_megabyte_is_searched_and_replaced_in_bounded_time(lines: list[str]) -> None:
    started = time.process_time()
    secrets.Redactor().text("\n".join(lines))
    assert time.process_time() - started < 5


# --- from end to end ----------------------------------------------------------------------------------------


@pytest.fixture
def server(serve: Callable[..., Server], configure: Callable[..., Path]) -> Server:
    started = serve(approves())
    configure(started)
    return started


def written(repo: Repo) -> bytes:
    """All that the product left in the repository."""
    return b"".join(path.read_bytes() for path in (repo.root / ".git/twoagent-hook").rglob("*") if path.is_file())


def everything() -> str:
    return "".join(f'KEY_{number} = "{value}"\n' for number, (_, value) in enumerate(EACH))


@pytest.mark.parametrize("output", ["json", "text"])
def test_an_added_value_of_any_format_goes_nowhere(changed: Repo, server: Server, output: str) -> None:
    changed.stage("settings.py", everything())
    result = changed.call("review", "--output-format", output, "--verbose")
    assert result.code == 1, result
    assert server.bytes_received == 0
    left = result.text.encode() + written(changed)
    assert b"secret" in left
    assert [value for kind, value in EACH if kind != "private-key" and value.encode() in left] == []
    if output == "json":
        assert result.json["outcome"] == "block"
        titles = " ".join(finding["title"] for finding in result.json["findings"])
        assert [kind for kind in VALUES if kind not in titles] == []


@pytest.mark.parametrize("kind", ["aws-access-key", "openai-key", "slack-webhook", "private-key"])
def test_one_added_value_is_enough(changed: Repo, server: Server, kind: str) -> None:
    changed.stage("notes.md", f"See `{VALUES[kind][0]}`.\n")
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert [(item["rule"], item["file"], item["line_start"]) for item in payload["findings"]] == [
        ("secret", "notes.md", 1)
    ]
    assert server.bytes_received == 0


def test_values_that_were_there_before_are_sent_as_placeholders(changed: Repo, server: Server) -> None:
    changed.git("stash", "-q")
    lines = everything().splitlines()
    changed.write("old.py", everything())
    changed.write("kept.py", "".join(f"{line}\ncall({number})\n" for number, line in enumerate(lines)))
    changed.commit_all()
    changed.git("rm", "-q", "old.py")
    changed.stage("kept.py", "".join(f"{line}\ncall({-number - 1})\n" for number, line in enumerate(lines)))
    payload = changed.review()
    assert (payload["outcome"], payload["findings"]) == ("approve", [])
    sent = server.requests[0].user
    assert payload["coverage"]["shown"] == 2
    assert [value for _, value in EACH if value in sent] == []
    for kind in VALUES:
        assert sent.count(f"⟦secret:{kind}#") >= 2, kind
    assert [value for kind, value in EACH if kind != "private-key" and value.encode() in written(changed)] == []


def test_a_value_in_a_file_name_goes_nowhere(changed: Repo, server: Server) -> None:
    changed.stage(f"keys/{GITHUB}.txt", "x\n")
    result = changed.call("review")
    assert result.code == 1
    assert server.bytes_received == 0
    assert GITHUB.encode() not in result.text.encode() + written(changed)


def test_below_block_an_added_value_is_sent_as_a_placeholder(changed: Repo, server: Server) -> None:
    changed.git("stash", "-q")
    changed.policy('[rules]\nsecret = "request-changes"\n')
    changed.stage("settings.py", f'KEY = "{GITHUB}"\n')
    payload = changed.review()
    assert (payload["outcome"], payload["exit_code"]) == ("request_changes", 0)
    assert [item["effect"] for item in payload["findings"]] == ["request-changes"]
    sent = server.requests[0]
    assert 'KEY = "⟦secret:github-token#1⟧"' in sent.user
    assert GITHUB.encode() not in sent.raw + written(changed)


def test_a_value_in_the_projects_own_guidelines_stays_at_home(changed: Repo, server: Server) -> None:
    changed.git("stash", "-q")
    changed.write("AGENTS.md", f"Call the service with {GITHUB}.\n")
    changed.git("add", "AGENTS.md")
    changed.policy('guidelines = ["AGENTS.md"]\n')
    changed.stage("app.py", "x = 1\n")
    assert changed.review()["outcome"] == "approve"
    sent = server.requests[0]
    assert "Call the service with" in sent.user
    assert GITHUB.encode() not in sent.raw


def test_a_value_in_the_projects_own_prompt_stays_at_home(changed: Repo, server: Server) -> None:
    changed.git("stash", "-q")
    changed.write("prompt.md", f"Review it. The service's key is {GITHUB}.\n")
    changed.git("add", "prompt.md")
    changed.policy('prompt = "prompt.md"\n')
    changed.stage("app.py", "x = 1\n")
    changed.review()
    assert "Review it." in server.requests[0].system
    assert GITHUB.encode() not in server.requests[0].raw


def test_nothing_is_previewed_of_a_change_with_a_value(changed: Repo, server: Server) -> None:
    changed.stage("settings.py", f'KEY = "{GITHUB}"\n')
    for flags in ((), ("--output-format", "json")):
        result = changed.call("review", "--dry-run", *flags)
        assert GITHUB not in result.text
    assert server.bytes_received == 0


def test_no_flag_of_a_hook_sends_what_the_rule_keeps(changed: Repo, server: Server) -> None:
    changed.stage("settings.py", f'KEY = "{GITHUB}"\n')
    payload: Any = changed.review("--fail-on", "request-changes", PRE_COMMIT="1")
    assert (payload["outcome"], payload["exit_code"]) == ("block", 1)
    assert server.bytes_received == 0


def test_what_is_quoted_of_a_line_with_a_value_is_visible_and_short(changed: Repo, server: Server) -> None:
    changed.stage("settings.py", f"KEY = '{GITHUB}' # \x1b[31m{'x' * 500}\n")
    findings = {item["rule"]: item for item in changed.review()["findings"]}
    assert set(findings) == {"secret", "hidden-text"}
    item = findings["secret"]
    assert item["quote"].startswith("KEY = '⟦secret:github-token#1⟧' # \\u{1b}[31mxxx")
    assert len(item["quote"]) <= 120
    assert visible.line(item["quote"]) == item["quote"]
