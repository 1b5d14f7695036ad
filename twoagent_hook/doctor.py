"""What would happen to a commit made here and now, and why; asks nobody unless it is told to."""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from twoagent_hook import (
    __version__,
    advice,
    author,
    backends,
    config,
    datafiles,
    git,
    hooks,
    intent,
    policy,
    probing,
    settings,
)
from twoagent_hook.author import Author
from twoagent_hook.backends import Reviewer
from twoagent_hook.config import Config
from twoagent_hook.console import own_command
from twoagent_hook.environment import Environment
from twoagent_hook.errors import ConfigError, RefusedError, TwoAgentError, UnreviewedError
from twoagent_hook.exits import Failure, Outcome, exit_code, failure_of
from twoagent_hook.git import Location, Workspace
from twoagent_hook.hooks import Hooks
from twoagent_hook.keys import POLICY, USER, Layer
from twoagent_hook.loops import run_async
from twoagent_hook.preparation import author_of
from twoagent_hook.probing import Probe
from twoagent_hook.snapshots import Snapshot
from twoagent_hook.trajectory import Log, LogError

T = TypeVar("T")

_PROBE_SECONDS = 120.0
_MODELS_SECONDS = 20.0


class Standing(NamedTuple):
    """What is found of one reviewer without asking it.

    Attributes:
        unusable: why it can't be asked on this machine, or None.
        kin: why it is not known to differ from the author, or None; None also where it can't be asked.
        place: in the order in which they would be asked, from 1; None where it would not be.
    """

    spec: str
    origin: str
    unusable: str | None
    hint: str
    kin: str | None
    place: int | None


class Role(NamedTuple):
    """Who has one of the four roles.

    Attributes:
        who: the spec of its model, or the author as far as that is known; None where nobody has it.
        unusable: why it can't be asked on this machine, or None.
        kind: of model that suits it.
    """

    name: str
    who: str | None
    unusable: str | None
    kind: str
    why: str


class Trial(NamedTuple):
    """What one reviewer answered when it was asked in earnest.

    Attributes:
        models: the ids that the endpoint says it offers; None where it was not, or could not be, asked.
        small, full: a request of a few lines, and one of the configured size; None where it was not made.
    """

    spec: str
    unusable: Failure | None = None
    models: tuple[str, ...] | None = None
    models_problem: Failure | None = None
    small: Probe | None = None
    full: Probe | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found.

    Attributes:
        problem: with which a commit would end, as no verdict; None where it would be reviewed.
        exit_code: of such a commit, where nobody objects to it.
        asked: whether anybody was, or would have been, asked in earnest (`--online`).
    """

    versions: Mapping[str, str]
    location: Location | None
    config: Config
    author: Author
    weak: tuple[tuple[str, str], ...]
    standings: tuple[Standing, ...]
    roles: tuple[Role, ...]
    hooks: Hooks | None
    log_path: str | None
    log_rows: int | None
    log_problem: str | None
    user_file: str
    problem: Failure | None
    exit_code: int
    trials: tuple[Trial, ...] = ()
    asked: bool = False


class Doctor:
    """Looks at everything that a commit would meet."""

    def __init__(
        self, environment: Environment, reviewers: tuple[str, ...] = (), user_file: str | None = None
    ) -> None:
        self._environment = environment
        self._flags = Layer("the command line", {"reviewers": reviewers} if reviewers else {})
        self._user_file = user_file
        self._problems: list[Failure] = []
        self._config = Config()
        self._place = ""

    def examine(self) -> Report:
        """Look, and send nothing but an empty connection to servers on this machine."""
        location = self._tried(lambda: git.locate(self._environment))
        self._place = self._tried(self._user_place) or ""
        self._config = self._settings(location)
        who = author_of(self._environment, None, self._config)
        standings = self._standings(who)
        problem = self._problems[0] if self._problems else self._tried_ranking(who)
        log_rows, log_problem = _log(location)
        return Report(
            versions=_versions(location),
            location=location,
            config=self._config,
            author=who,
            weak=author.weak_signs(self._environment.variables),
            standings=standings,
            roles=() if self._problems else tuple(self._roles(standings, who)),
            hooks=self._tried(lambda: hooks.inspect(location, self._environment)) if location else None,
            log_path=Log(location.state_dir).path if location else None,
            log_rows=log_rows,
            log_problem=log_problem,
            user_file=self._place,
            problem=problem,
            exit_code=self._code(problem),
        )

    def _user_place(self) -> str:
        return self._user_file or config.user_file(self._environment.get("TWOAGENT_HOME"))

    def _tried(self, work: Callable[[], T]) -> T | None:
        """What `work` gives, or None with its failure kept as a problem."""
        try:
            return work()
        except TwoAgentError as error:
            self._problems.append(failure_of(error))
            return None

    def _settings(self, location: Location | None) -> Config:
        """The settings as a commit would have them; where they can't be followed, as much of them as can be read."""
        if location is not None:
            found = self._tried(lambda: self._loaded(location, checked=True))
            if found is None:
                found = _or_none(lambda: self._loaded(location, checked=False))
            if found is not None:
                return found
        user = _or_none(lambda: config.user_layer(self._place)) or Layer(self._place, {})
        return _or_none(lambda: config.join(user, None, self._flags, hook=False)) or Config()

    def _loaded(self, location: Location, *, checked: bool) -> Config:
        with Workspace(location, self._environment) as workspace:
            snapshot, trees = Snapshot(workspace), workspace.trees()
            found = settings.load(
                snapshot, trees, self._flags.values, self._environment, user_file=self._user_file, checked=checked
            )
            if checked:
                intent.find(snapshot, trees, (), found.config, None)
            return found.config

    # --- reviewers ----------------------------------------------------------------------------------------

    def _specs(self) -> list[str]:
        return [spec for spec in self._config.reviewers if spec != backends.RULES]

    def _found(self) -> list[Reviewer]:
        """Those that can be resolved at all."""
        variables = self._environment.variables
        found = (_or_none(partial(backends.find, spec, self._config, variables)) for spec in self._specs())
        return [item for item in found if item is not None]

    def _standings(self, who: Author) -> tuple[Standing, ...]:
        found = {item.identity.spec: item for item in self._found()}
        ranked = _or_none(lambda: policy.rank(list(found.values()), who, self._config).reviewers) or ()
        order = [item.identity.spec for item in ranked]
        return tuple(self._standing(spec, found.get(spec), who, order) for spec in self._config.reviewers)

    def _standing(self, spec: str, found: Reviewer | None, who: Author, order: Sequence[str]) -> Standing:
        if spec == backends.RULES:
            return Standing(spec, "", None, "no model reviews the change", None, 1)
        if found is None:
            error = _error_of(lambda: backends.find(spec, self._config, self._environment.variables))
            return Standing(spec, "", error.what if error else "", error.do if error else "", None, None)
        kin = None if found.unusable else policy.not_independent(found, who, self._config.independence)
        place = order.index(spec) + 1 if spec in order else None
        return Standing(spec, found.identity.origin, found.unusable, found.hint, kin, place)

    def _roles(self, standings: tuple[Standing, ...], who: Author) -> Iterator[Role]:
        first = next((item for item in standings if item.place == 1), None)
        for name, row in datafiles.packaged_toml("templates/roles.toml").items():
            spec = self._config.roles.get(name)
            if name == "implementer":
                yield Role(name, spec or (who.label if who.candidates else None), None, row["kind"], row["why"])
            elif name == "reviewer":
                chosen = first or next(iter(standings), None)
                reason = chosen.unusable or chosen.kin if chosen else None
                yield Role(name, chosen.spec if chosen else spec, reason, row["kind"], row["why"])
            else:
                yield Role(name, spec, self._lacking(spec) if spec else None, row["kind"], row["why"])

    def _lacking(self, spec: str) -> str | None:
        """Why a model can't be asked on this machine, or None."""
        try:
            return backends.find(spec, self._config, self._environment.variables).unusable
        except TwoAgentError as error:
            return error.what

    def _tried_ranking(self, who: Author) -> Failure | None:
        """Why a commit would not be reviewed, or None."""
        if self._config.reviewers == (backends.RULES,):
            return None
        variables = self._environment.variables
        try:
            if not self._config.reviewers:
                seen, command = backends.seen(self._config, variables), own_command(self._environment)
                raise UnreviewedError("no reviewer is named", advice.to_name_one(seen, who, self._place, command))
            # One that can't be resolved is an error, as it is for a commit.
            policy.rank([backends.find(spec, self._config, variables) for spec in self._specs()], who, self._config)
        except RefusedError as error:
            do = advice.to_differ(backends.seen(self._config, variables), who, self._config, self._place)
            return failure_of(RefusedError(error.what, do, error.details))
        except TwoAgentError as error:
            return failure_of(error)
        return None

    def _code(self, problem: Failure | None) -> int:
        if problem is None or (problem.outcome is Outcome.UNREVIEWED and self._config.on_error == "defer"):
            return 0
        return int(exit_code(problem.outcome, on_error=self._config.on_error))

    # --- online -------------------------------------------------------------------------------------------

    def tried(self, report: Report) -> Report:
        """The report with what came of asking in earnest: those of the command line, else who would be asked first."""
        named = self._flags.values.get("reviewers", ())
        first = [item.spec for item in report.standings if item.place == 1 and item.spec != backends.RULES]
        chosen = named or first or [item.spec for item in report.standings if item.unusable][:1]
        trials = tuple(self._trial(spec, report.author) for spec in chosen)
        problem = report.problem or self._failed(report, trials)
        return replace(report, trials=trials, asked=True, problem=problem, exit_code=self._code(problem))

    def _failed(self, report: Report, trials: tuple[Trial, ...]) -> Failure | None:
        """Why a commit would end without a verdict although somebody may be asked: the first one failed in earnest.

        One that can't be reached is followed by the next, which this says nothing of.
        """
        first = next((item.spec for item in report.standings if item.place == 1), None)
        problem = next((item.small.problem for item in trials if item.spec == first and item.small), None)
        others = any(item.place not in {None, 1} for item in report.standings)
        return None if problem and problem.outcome is Outcome.UNREVIEWED and others else problem

    def _trial(self, spec: str, who: Author) -> Trial:
        try:
            found = backends.find(spec, self._config, self._environment.variables)
        except ConfigError as error:
            made = Trial(spec, unusable=failure_of(error))
            return self._with_models(made, f"{spec}:-") if spec in self._config.providers else made
        if found.unusable:
            return Trial(spec, unusable=failure_of(UnreviewedError(f"{spec}: {found.unusable}", found.hint)))
        backend = backends.build(found, self._config, self._environment.variables)
        asked = (probing.small(self._config), probing.full(self._config))
        made = self._with_models(Trial(spec), spec)
        first = run_async(lambda: probing.probe(backend, asked[0], who, self._config, _deadline(_PROBE_SECONDS)))
        made = made._replace(small=first)
        if first.reply is None:
            return made
        whole = run_async(lambda: probing.probe(backend, asked[1], who, self._config, _deadline(_PROBE_SECONDS)))
        if whole.receipt == "none" and first.receipt == "whole":
            whole = whole._replace(receipt="cut")
        return made._replace(full=whole)

    def _with_models(self, trial: Trial, spec: str) -> Trial:
        """With the ids that the endpoint offers; a command has no such list."""
        variables = self._environment.variables
        try:
            found = backends.find(spec, self._config, variables)
            if found.unusable or found.provider is None or found.provider.command:
                return trial
            models = run_async(lambda: backends.offered(found, variables, _deadline(_MODELS_SECONDS)))
        except TwoAgentError as error:
            return trial._replace(models_problem=failure_of(error))
        return trial._replace(models=models)


def _deadline(seconds: float) -> float:
    return time.monotonic() + seconds


def _or_none(work: Callable[[], T]) -> T | None:
    try:
        return work()
    except TwoAgentError:
        return None


def _error_of(work: Callable[[], object]) -> TwoAgentError | None:
    try:
        work()
    except TwoAgentError as error:
        return error
    return None


def _versions(location: Location | None) -> dict[str, str]:
    return {
        "twoagent-hook": __version__,
        "python": platform.python_version(),
        "git": git.version(location.executable) if location else "",
        "system": f"{platform.system()} {platform.release()}",
    }


def _log(location: Location | None) -> tuple[int | None, str | None]:
    """How many rows the log has, and what is wrong with it."""
    if location is None:
        return None, None
    try:
        return Log(location.state_dir).count(), None
    except LogError as error:
        return None, str(error)


def setting_rows(found: Config) -> list[tuple[str, Any, str]]:
    """Each key but `providers`, with its value and where it comes from."""
    rows = []
    for key in (key for key in dict.fromkeys((*POLICY, *USER)) if key != "providers"):
        value = getattr(found, key.replace("-", "_"))
        if key == "rules":
            value = {name: effect.label for name, effect in value.items()}
        rows.append((key, list(value) if isinstance(value, tuple) else value, found.sources.get(key) or "default"))
    return rows
