"""The gate's law as tables: what opinions and rules decide together, and who may review."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement, product
from pathlib import Path

import pytest
from support.repo import Repo
from support.server import Server, approves

from twoagent_hook import policy
from twoagent_hook.author import Author
from twoagent_hook.author import Candidate as Suspect
from twoagent_hook.backends import Reviewer
from twoagent_hook.backends.base import Identity, Usage
from twoagent_hook.config import Config
from twoagent_hook.errors import InvalidReplyError, RefusedError, UnreviewedError
from twoagent_hook.exits import ExitCode, Outcome, exit_code
from twoagent_hook.findings import Effect, Finding, Severity, Source
from twoagent_hook.models import families
from twoagent_hook.policy import Coverage
from twoagent_hook.reviews import Review
from twoagent_hook.screening import Reason, ScreenedChange, Withheld
from twoagent_hook.verdicts import Verdict

APPROVE, CHANGES, BLOCK = Verdict.APPROVE, Verdict.REQUEST_CHANGES, Verdict.BLOCK
SCREENED = ScreenedChange("base", "tree", (), (), (), (), 1, sendable=True)
COVERAGE = Coverage(1, 1, ())
UNKNOWN = Author(())


def identity(model: str, *, provider: str = "loop", family: str | None = None) -> Identity:
    known = frozenset({family}) if family else families(model)
    return Identity(f"{provider}:{model}", provider, model, "https://x", known)


def reviewed(verdict: Verdict, *, stated: Verdict | None = None, model: str = "gpt-5.5", answered: str = "") -> Review:
    return Review(
        reviewer=identity(model),
        answered=(answered,) if answered else (),
        stated=stated or verdict,
        verdict=verdict,
        summary="",
        findings=(),
        commands=(),
        questions=(),
        usage=Usage(),
        latency=1.0,
        attempts=1,
        form="text",
    )


def ruled(effect: Effect, kind: str = "protected-path") -> Finding:
    return Finding(source=Source.RULE, kind=kind, title="a rule", effect=effect)


def decided(
    rules: tuple[Effect, ...], verdicts: tuple[Verdict, ...], config: Config
) -> tuple[Outcome, ExitCode, tuple[str, ...]]:
    found = policy.decide(
        SCREENED, tuple(map(ruled, rules)), tuple(map(reviewed, verdicts)), COVERAGE, config, UNKNOWN
    )
    return found.outcome, found.exit_code, found.reasons


# --- the verdict law ----------------------------------------------------------------------------------------

RULES = {"none": (), "note": (Effect.NOTE,), "changes": (Effect.REQUEST_CHANGES,), "block": (Effect.BLOCK,)}
REVIEWS = {"nobody": (), "approve": (APPROVE,), "changes": (CHANGES,), "block": (BLOCK,)}
A, C, B, U = Outcome.APPROVE, Outcome.REQUEST_CHANGES, Outcome.BLOCK, Outcome.UNREVIEWED
# rules, review, outcome, exit code with fail-on = "block", and with "request-changes"
LAW = [
    ("none", "nobody", U, 2, 2),
    ("none", "approve", A, 0, 0),
    ("none", "changes", C, 0, 1),
    ("none", "block", B, 1, 1),
    ("note", "nobody", U, 2, 2),
    ("note", "approve", A, 0, 0),
    ("note", "changes", C, 0, 1),
    ("note", "block", B, 1, 1),
    ("changes", "nobody", U, 2, 1),
    ("changes", "approve", C, 0, 1),
    ("changes", "changes", C, 0, 1),
    ("changes", "block", B, 1, 1),
    ("block", "nobody", B, 1, 1),
    ("block", "approve", B, 1, 1),
    ("block", "changes", B, 1, 1),
    ("block", "block", B, 1, 1),
]


@pytest.mark.parametrize(("rules", "review", "outcome", "lax", "strict"), LAW, ids=[f"{r[0]} x {r[1]}" for r in LAW])
@pytest.mark.parametrize("fail_on", ["block", "request-changes"])
def test_the_worst_of_rules_and_reviewers_decides(
    rules: str, review: str, outcome: Outcome, lax: int, strict: int, fail_on: str
) -> None:
    found = decided(RULES[rules], REVIEWS[review], Config(reviewers=("loop:gpt-5.5",), fail_on=fail_on))
    code = lax if fail_on == "block" else strict
    ruled = not REVIEWS[review] and code == 1 and outcome is U  # the rule closes the gate: no review is missing
    assert found[:2] == (C if ruled else outcome, code)


def test_the_table_of_the_law_is_whole() -> None:
    assert {row[:2] for row in LAW} == set(product(RULES, REVIEWS))


ORDER = [A, C, B]
OF_VERDICT = {APPROVE: A, CHANGES: C, BLOCK: B}
OF_EFFECT = {Effect.OFF: A, Effect.NOTE: A, Effect.REQUEST_CHANGES: C, Effect.BLOCK: B}


@pytest.mark.parametrize("verdicts", list(combinations_with_replacement(Verdict, 3)), ids=str)
@pytest.mark.parametrize("rules", list(combinations_with_replacement(Effect, 2)), ids=str)
def test_rules_can_only_worsen_what_the_reviewers_say(
    verdicts: tuple[Verdict, ...], rules: tuple[Effect, ...]
) -> None:
    config = Config(reviewers=("loop:gpt-5.5",))
    alone, _, _ = decided((), verdicts, config)
    together, _, _ = decided(rules, verdicts, config)
    assert ORDER.index(together) == max(ORDER.index(alone), *(ORDER.index(OF_EFFECT[rule]) for rule in rules))
    assert alone == max((OF_VERDICT[verdict] for verdict in verdicts), key=ORDER.index)


@pytest.mark.parametrize("rules", list(combinations_with_replacement(Effect, 2)), ids=str)
@pytest.mark.parametrize("reviewers", [(), ("loop:gpt-5.5",), ("rules",)], ids=str)
def test_no_review_is_never_an_approval(rules: tuple[Effect, ...], reviewers: tuple[str, ...]) -> None:
    for fail_on, on_error in product(("block", "request-changes"), ("block", "allow", "defer")):
        config = Config(reviewers=reviewers, fail_on=fail_on, on_error=on_error)
        outcome, code, _ = decided(rules, (), config)
        assert outcome in ({B} if Effect.BLOCK in rules else {C, U})
        if code == ExitCode.OPEN:
            assert reviewers == ("rules",) or on_error == "allow"


@pytest.mark.parametrize(
    ("rules", "fail_on", "outcome", "code"),
    [
        ((), "block", U, 0),
        ((Effect.NOTE,), "block", U, 0),
        ((Effect.REQUEST_CHANGES,), "block", C, 0),
        ((Effect.REQUEST_CHANGES,), "request-changes", C, 1),
        ((Effect.BLOCK,), "block", B, 1),
        ((Effect.NOTE, Effect.BLOCK), "block", B, 1),
    ],
    ids=str,
)
def test_the_rules_alone_open_only_because_they_were_named(
    rules: tuple[Effect, ...], fail_on: str, outcome: Outcome, code: int
) -> None:
    config = Config(reviewers=("rules",), fail_on=fail_on)
    assert decided(rules, (), config)[:2] == (outcome, code)


CODES = [
    (Outcome.APPROVE, {}, 0),
    (Outcome.SKIPPED, {}, 0),
    (Outcome.DEFERRED, {}, 0),
    (Outcome.REQUEST_CHANGES, {}, 0),
    (Outcome.REQUEST_CHANGES, {"fail_on": "request-changes"}, 1),
    (Outcome.REQUEST_CHANGES, {"fail_on": "request-changes", "on_error": "allow"}, 1),
    (Outcome.REQUEST_CHANGES, {"fail_on": "request-changes", "rules_alone": True}, 1),
    (Outcome.BLOCK, {}, 1),
    (Outcome.BLOCK, {"on_error": "allow"}, 1),
    (Outcome.BLOCK, {"rules_alone": True}, 1),
    (Outcome.UNREVIEWED, {}, 2),
    (Outcome.UNREVIEWED, {"on_error": "defer"}, 2),
    (Outcome.UNREVIEWED, {"on_error": "allow"}, 0),
    (Outcome.UNREVIEWED, {"rules_alone": True}, 0),
    (Outcome.INVALID, {}, 2),
    (Outcome.INVALID, {"on_error": "allow"}, 2),
    (Outcome.INVALID, {"on_error": "defer", "rules_alone": True}, 2),
    (Outcome.REFUSED, {}, 2),
    (Outcome.REFUSED, {"on_error": "allow"}, 2),
    (Outcome.ERROR, {}, 2),
    (Outcome.ERROR, {"on_error": "allow", "rules_alone": True}, 2),
    (Outcome.INTERRUPTED, {}, 130),
    (Outcome.INTERRUPTED, {"on_error": "allow", "rules_alone": True}, 130),
]


@pytest.mark.parametrize(("outcome", "settings", "code"), CODES, ids=[f"{row[0].value} {row[1]}" for row in CODES])
def test_every_outcome_has_its_exit_code(outcome: Outcome, settings: dict[str, str], code: int) -> None:
    assert exit_code(outcome, **settings) == code  # type: ignore[arg-type]


def test_no_outcome_is_without_a_code() -> None:
    assert {row[0] for row in CODES} == set(Outcome)


@pytest.mark.parametrize(("fail_on", "verdict"), [("block", CHANGES), ("request-changes", APPROVE)])
def test_the_worst_verdict_that_opens_follows_from_fail_on(fail_on: str, verdict: Verdict) -> None:
    assert policy.opens(fail_on) is verdict


@pytest.mark.parametrize(
    ("effects", "fail_on", "closes"),
    [
        ((), "block", False),
        ((Effect.NOTE,), "request-changes", False),
        ((Effect.REQUEST_CHANGES,), "block", False),
        ((Effect.REQUEST_CHANGES,), "request-changes", True),
        ((Effect.NOTE, Effect.BLOCK), "block", True),
        ((Effect.BLOCK,), "request-changes", True),
    ],
    ids=str,
)
def test_nobody_is_asked_where_the_rules_close_the_gate(
    effects: tuple[Effect, ...], fail_on: str, closes: bool
) -> None:
    assert policy.closes(tuple(map(ruled, effects)), Config(fail_on=fail_on)) is closes


def test_the_worst_effect_of_no_finding_is_none() -> None:
    assert policy.worst_effect(()) is Effect.OFF
    model = Finding(source=Source.MODEL, kind="security", title="x", severity=Severity.CRITICAL)
    assert policy.worst_effect((model,)) is Effect.OFF


def test_the_reasons_name_rules_verdicts_and_contradictions() -> None:
    reviews = (reviewed(CHANGES, stated=APPROVE), reviewed(BLOCK, model="gemini-2.5-pro"), reviewed(APPROVE))
    rules = (ruled(Effect.BLOCK, "secret"), ruled(Effect.BLOCK, "secret"), ruled(Effect.NOTE, "unreviewable"))
    found = policy.decide(SCREENED, rules, reviews, COVERAGE, Config(), UNKNOWN, ("and so on",))
    assert found.reasons[0] == "rule secret: block"
    assert "contradictory" in found.reasons[1]
    assert "loop:gpt-5.5 said approve" in found.reasons[1]
    assert found.reasons[2] == "loop:gemini-2.5-pro said block"
    assert found.reasons[3:] == ("and so on",)


def test_the_gravest_finding_comes_first_and_what_is_not_grounded_last() -> None:
    def said(title: str, severity: Severity, *, grounded: bool = True) -> Finding:
        return Finding(source=Source.MODEL, kind="security", title=title, severity=severity, grounded=grounded)

    findings = (
        said("ungrounded", Severity.CRITICAL, grounded=False),
        said("low", Severity.LOW),
        said("high", Severity.HIGH),
    )
    review = replace(reviewed(BLOCK), findings=findings)
    found = policy.decide(SCREENED, (ruled(Effect.NOTE), ruled(Effect.BLOCK)), (review,), COVERAGE, Config(), UNKNOWN)
    assert [(finding.title, finding.effect) for finding in found.findings] == [
        ("a rule", Effect.BLOCK),
        ("a rule", Effect.NOTE),
        ("high", None),
        ("low", None),
        ("ungrounded", None),
    ]


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_what_policy_or_nature_withholds_leaves_the_coverage_complete(reason: Reason) -> None:
    left_out = {Reason.TOO_LARGE, Reason.SILENT, Reason.OVER_BUDGET, Reason.OVER_CONTEXT, Reason.UNANSWERED}
    assert Coverage(2, 1, (Withheld("a", reason),)).complete == (reason not in left_out)


# --- independence -------------------------------------------------------------------------------------------


def wrote(model: str | None = None, *, agent: str | None = None, family: str | None = None) -> Suspect:
    known = frozenset({family}) if family else families(model or "")
    return Suspect(agent, model, known, "TWOAGENT_AUTHOR")


def candidate(
    model: str, *, family: str | None = None, unusable: str | None = None, provider: str = "loop"
) -> Reviewer:
    return Reviewer(identity(model, provider=provider, family=family), None, unusable, f"set up {model}")


CLAUDE_CODE = wrote(agent="claude-code", family="anthropic")
OPENCODE = wrote(agent="opencode")
HUMAN = wrote(agent="human")
MODEL, FAMILY = "model", "family"
# author, reviewer, whether it may review where another model is demanded, and where another family is
PAIRS = [
    (wrote("claude-opus-4-8"), "claude-opus-4-8", False, False),
    (wrote("claude-opus-4-8"), "us.anthropic.claude-opus-4-8-20260101-v1:0", False, False),
    (wrote("anthropic/claude-opus-4.8"), "claude-opus-4-8@20260101", False, False),
    (wrote("claude-opus-4-8"), "claude-opus-4-8-latest", False, False),
    (wrote("gpt-5.5-2026-04-01"), "openrouter/openai/gpt-5.5:free", False, False),
    (wrote("house-model"), "corp/house-model", False, False),
    (wrote("claude-opus-4-8"), "claude-sonnet-4-8", True, False),
    (wrote("claude-opus-4-8"), "gpt-5.5", True, True),
    (wrote("gpt-5.5"), "deepseek-r1-distill-llama-70b", True, True),
    (wrote("llama-3.3-70b"), "deepseek-r1-distill-llama-70b", True, False),
    (wrote("claude-opus-4-8"), "house-model", True, False),
    (wrote("house-model"), "claude-opus-4-8", True, False),
    (wrote("house-model"), "other-model", True, False),
    (CLAUDE_CODE, "claude-opus-4-8", False, False),
    (CLAUDE_CODE, "gpt-5.5", True, True),
    (CLAUDE_CODE, "house-model", False, False),
    (CLAUDE_CODE, "auto", False, False),
    (OPENCODE, "gpt-5.5", True, False),
    (OPENCODE, "house-model", True, False),
    (HUMAN, "gpt-5.5", True, True),
    (HUMAN, "house-model", True, True),
]


@pytest.mark.parametrize(
    ("suspect", "reviewer", "by_model", "by_family"), PAIRS, ids=[f"{row[0].short} / {row[1]}" for row in PAIRS]
)
@pytest.mark.parametrize("demanded", [MODEL, FAMILY])
def test_the_reviewer_is_shown_to_differ_from_the_author(
    suspect: Suspect, reviewer: str, by_model: bool, by_family: bool, demanded: str
) -> None:
    reason = policy.not_independent(candidate(reviewer), Author((suspect,)), demanded)
    assert (reason is None) == (by_model if demanded == MODEL else by_family), reason


@pytest.mark.parametrize("reviewer", ["claude-opus-4-8", "house-model", "auto"])
@pytest.mark.parametrize("demanded", [MODEL, FAMILY])
def test_where_the_author_is_unknown_any_reviewer_will_do(reviewer: str, demanded: str) -> None:
    assert policy.not_independent(candidate(reviewer), UNKNOWN, demanded) is None


def test_the_family_that_the_user_names_for_a_provider_counts() -> None:
    author = Author((CLAUDE_CODE,))
    assert policy.not_independent(candidate("house-model", family="mistral"), author, MODEL) is None
    assert policy.not_independent(candidate("house-model", family="anthropic"), author, MODEL) is not None


def test_the_reviewer_has_to_differ_from_every_candidate() -> None:
    author = Author((wrote("claude-opus-4-8", agent="claude-code"), wrote(agent="codex", family="openai"), HUMAN))
    kept = {
        model: policy.not_independent(candidate(model), author, MODEL) is None
        for model in ("claude-opus-4-8", "claude-sonnet-4-8", "gpt-5.5", "gemini-2.5-pro", "house-model")
    }
    assert kept == {
        "claude-opus-4-8": False,
        "claude-sonnet-4-8": True,
        "gpt-5.5": False,
        "gemini-2.5-pro": True,
        "house-model": False,
    }


# --- the choice ---------------------------------------------------------------------------------------------


def chosen(author: Author, *candidates: Reviewer, independence: str = MODEL) -> str:
    return policy.rank(candidates, author, Config(independence=independence)).reviewers[0].identity.model


def test_another_family_goes_first() -> None:
    author = Author((wrote("claude-opus-4-8"),))
    assert (
        chosen(author, candidate("claude-sonnet-4-8"), candidate("gpt-5.5"), candidate("gemini-2.5-pro")) == "gpt-5.5"
    )


def test_another_family_goes_before_one_that_is_unknown() -> None:
    author = Author((wrote("claude-opus-4-8"),))
    assert chosen(author, candidate("house-model"), candidate("gpt-5.5")) == "gpt-5.5"


def test_among_equals_the_order_of_the_list_counts() -> None:
    author = Author((wrote("claude-opus-4-8"),))
    assert chosen(author, candidate("gemini-2.5-pro"), candidate("gpt-5.5")) == "gemini-2.5-pro"
    assert chosen(author, candidate("gpt-5.5"), candidate("gemini-2.5-pro")) == "gpt-5.5"
    assert chosen(author, candidate("claude-sonnet-4-8"), candidate("claude-haiku-4-5")) == "claude-sonnet-4-8"


@pytest.mark.parametrize("author", [UNKNOWN, Author((HUMAN,))], ids=["unknown", "human"])
def test_without_a_family_to_avoid_the_order_of_the_list_counts(author: Author) -> None:
    assert chosen(author, candidate("house-model"), candidate("gpt-5.5")) == "house-model"
    assert chosen(author, candidate("gpt-5.5"), candidate("house-model")) == "gpt-5.5"


def test_who_is_passed_over_is_told_with_the_reason() -> None:
    author = Author((wrote("claude-opus-4-8"),))
    _, passed = policy.rank(
        [
            candidate("gemini-2.5-pro", unusable="its key is missing"),
            candidate("claude-opus-4-8"),
            candidate("gpt-5.5"),
        ],
        author,
        Config(),
    )
    assert passed[0] == "loop:gemini-2.5-pro: its key is missing"
    assert passed[1].startswith("loop:claude-opus-4-8: it is the model that wrote the change (claude-opus-4-8")
    assert len(passed) == 2


def test_none_usable_is_told_with_every_reason_and_what_to_do() -> None:
    with pytest.raises(UnreviewedError) as caught:
        policy.rank(
            [candidate("gpt-5.5", unusable="its key is missing"), candidate("x", unusable="nothing listens")],
            Author((CLAUDE_CODE,)),
            Config(),
        )
    assert "loop:gpt-5.5: its key is missing" in caught.value.what
    assert "loop:x: nothing listens" in caught.value.what
    assert caught.value.do == "set up gpt-5.5 or set up x"


def test_a_refusal_names_the_author_each_reviewer_and_why_it_was_passed_over() -> None:
    with pytest.raises(RefusedError) as caught:
        policy.rank(
            [
                candidate("claude-opus-4-8"),
                candidate("house-model"),
                candidate("gpt-5.5", unusable="its key is missing"),
            ],
            Author((CLAUDE_CODE,)),
            Config(),
        )
    assert "claude-code (anthropic, model unknown; from TWOAGENT_AUTHOR)" in caught.value.what
    assert caught.value.details == (
        "loop:gpt-5.5: its key is missing",
        "loop:claude-opus-4-8: the author's model is unknown, and both are of one family (anthropic)",
        "loop:house-model: its family is unknown, and so is the author's model: it may be the same one",
    )
    assert "reviewers" in caught.value.do


def test_a_refusal_by_family_says_that_another_family_is_demanded() -> None:
    with pytest.raises(RefusedError) as caught:
        chosen(Author((wrote("claude-opus-4-8"),)), candidate("claude-sonnet-4-8"), independence=FAMILY)
    assert 'independence` is "family"' in caught.value.details[0]


# --- who really answered ------------------------------------------------------------------------------------


def check(asked: str, answered: tuple[str, ...], *suspects: Suspect, independence: str = MODEL) -> None:
    review = replace(reviewed(APPROVE, model=asked), answered=answered)
    policy.check_answered(review.answered, review.reviewer, Author(suspects), Config(independence=independence))


FINE = [
    ("gpt-5.5", (), (CLAUDE_CODE,)),
    ("gpt-5.5", ("gpt-5.5",), (CLAUDE_CODE,)),
    ("gpt-5.5", ("gpt-5.5-2026-04-01",), (CLAUDE_CODE,)),
    ("gpt-5.5", ("openai/gpt-5.5",), (CLAUDE_CODE,)),
    ("gpt-5.5", ("gpt-5.4",), (CLAUDE_CODE,)),
    ("gpt-5.5", ("house-alias",), (CLAUDE_CODE,)),
    ("gpt-5.5", ("auto",), (CLAUDE_CODE,)),
    ("house-alias", ("gpt-5.5",), (CLAUDE_CODE,)),
    ("house-alias", ("house-alias",), ()),
    ("claude-sonnet-4-8", ("claude-sonnet-4-8-20260101",), (wrote("claude-opus-4-8"),)),
    ("gpt-5.5", ("claude-opus-4-8", "gpt-5.5")[1:], (HUMAN,)),
]


@pytest.mark.parametrize(("asked", "answered", "suspects"), FINE, ids=[f"{row[0]} {row[1]}" for row in FINE])
def test_the_model_that_was_asked_may_answer_under_its_names(
    asked: str, answered: tuple[str, ...], suspects: tuple[Suspect, ...]
) -> None:
    check(asked, answered, *suspects)


VOID = [
    ("gpt-5.5", ("claude-opus-4-8",), (wrote("claude-opus-4-8"),)),
    ("gpt-5.5", ("house-alias", "anthropic/claude-opus-4.8"), (wrote("claude-opus-4-8"),)),
    ("gpt-5.5", ("claude-sonnet-4-8",), (CLAUDE_CODE,)),
    ("house-alias", ("claude-opus-4-8",), (CLAUDE_CODE,)),
    ("auto", ("claude-opus-4-8-20260101",), (wrote("claude-opus-4-8"),)),
    ("claude-sonnet-4-8", ("claude-opus-4-8",), (wrote("claude-opus-4-8"),)),
    ("gpt-5.5", ("gpt-5.5", "claude-opus-4-8"), (HUMAN, wrote("claude-opus-4-8"))),
]


@pytest.mark.parametrize(("asked", "answered", "suspects"), VOID, ids=[f"{row[0]} {row[1]}" for row in VOID])
def test_an_answer_of_the_author_is_void(asked: str, answered: tuple[str, ...], suspects: tuple[Suspect, ...]) -> None:
    with pytest.raises(RefusedError) as caught:
        check(asked, answered, *suspects)
    assert f"loop:{asked} was asked" in caught.value.what


def test_an_answer_of_the_author_is_void_where_no_family_is_known() -> None:
    with pytest.raises(RefusedError):
        check("gpt-5.5", ("house-model",), wrote("house-model"))
    with pytest.raises(RefusedError):
        check("house-alias", ("corp/house-model",), wrote("house-model"))


def test_an_answer_of_the_authors_family_is_void_where_another_family_is_demanded() -> None:
    check("gpt-5.5", ("gpt-5.4",), wrote("claude-opus-4-8"), independence=FAMILY)
    with pytest.raises(RefusedError):
        check("house-alias", ("claude-sonnet-4-8",), wrote("claude-opus-4-8"), independence=FAMILY)


@pytest.mark.parametrize("suspects", [(), (HUMAN,), (wrote("claude-opus-4-8"),), (CLAUDE_CODE,)], ids=str)
def test_an_answer_of_a_third_vendor_is_no_answer_of_the_reviewer(suspects: tuple[Suspect, ...]) -> None:
    with pytest.raises(InvalidReplyError, match="answered in its place"):
        check("gpt-5.5", ("llama-3.3-70b",), *suspects)


def test_a_distilled_answer_shares_a_family_with_either() -> None:
    check("deepseek-r1", ("deepseek-r1-distill-llama-70b",), wrote("claude-opus-4-8"))
    check("llama-3.3-70b", ("deepseek-r1-distill-llama-70b",), wrote("claude-opus-4-8"))


# --- from end to end ----------------------------------------------------------------------------------------


def test_the_authors_own_model_is_refused_and_nothing_is_sent(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    server = serve()
    configure(server, reviewer="loop:claude-opus-4-8")
    payload = changed.review("--author", "anthropic/claude-opus-4.8")
    assert payload["outcome"] == "refused"
    assert payload["exit_code"] == 2
    assert server.bytes_received == 0


def test_a_gateway_that_lets_the_author_answer_gives_no_verdict(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    configure(serve(approves(model="claude-opus-4-8-20260101")))
    payload = changed.review("--author", "claude-opus-4-8")
    assert payload["outcome"] == "refused"
    assert payload["exit_code"] == 2
    assert payload["reviews"] == []


def test_the_next_reviewer_is_asked_where_the_first_is_the_author(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    server = serve()
    configure(server)
    payload = changed.review("--reviewer", "loop:claude-opus-4-8", "--reviewer", "loop:gpt-5.5", CLAUDECODE="1")
    assert payload["outcome"] == "approve"
    assert server.requests[0].body["model"] == "gpt-5.5"
    assert any("loop:claude-opus-4-8" in reason for reason in payload["reasons"])


def test_a_refusal_is_not_opened_by_on_error(
    changed: Repo, serve: Callable[..., Server], configure: Callable[..., Path]
) -> None:
    configure(serve(), reviewer="loop:claude-opus-4-8")
    assert changed.review("--on-error", "allow", CLAUDECODE="1")["exit_code"] == 2
