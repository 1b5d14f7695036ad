"""What `doctor` found: as plain data for machines, and as text; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from twoagent_hook import visible
from twoagent_hook.author import Candidate
from twoagent_hook.doctor import Report, Standing, Trial, setting_rows
from twoagent_hook.exits import Failure
from twoagent_hook.hooks import Hooks
from twoagent_hook.probing import Probe

VERSION = 1
_MOST_MODELS = 40  # that the text names


def payload(report: Report) -> dict[str, Any]:
    """The whole report as plain data, JSON version 1."""
    return {
        "version": VERSION,
        "exit_code": 1 if report.exit_code else 0,
        "problem": _failure(report.problem),
        "versions": dict(report.versions),
        "repository": visible.path(report.location.worktree) if report.location else None,
        "author": [_candidate(candidate) for candidate in report.author.candidates],
        "not_counted": [{"variable": name, "says": says} for name, says in report.weak],
        "reviewers": [_standing(standing) for standing in report.standings],
        "roles": [
            {
                "role": role.name,
                "who": visible.excerpt(role.who, 200) if role.who else None,
                "unusable": visible.block(role.unusable) if role.unusable else None,
                "suits": role.kind,
                "why": role.why,
            }
            for role in report.roles
        ],
        "settings": [
            {"key": key, "value": value, "origin": origin} for key, value, origin in setting_rows(report.config)
        ],
        "providers": [
            {"name": item.name, "base_url": item.base_url, "command": list(item.command), "origin": item.origin}
            for item in report.config.providers.values()
            if item.origin != "built in"
        ],
        "notices": list(report.config.notices),
        "user_file": report.user_file,
        "hooks": _hooks_data(report.hooks),
        "log": {"path": report.log_path, "rows": report.log_rows, "problem": report.log_problem},
        "online": [_trial(trial) for trial in report.trials] if report.asked else None,
    }


def _hooks_data(found: Hooks | None) -> dict[str, Any] | None:
    if found is None:
        return None
    lists = {"disabled": list(found.disabled), "shadows": list(found.shadows)}
    return found._asdict() | {"path": visible.path(found.path)} | lists


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "outcome": failure.outcome.value,
        "what": visible.block(failure.what),
        "do": visible.block(failure.do),
        "details": [visible.block(text) for text in failure.details],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "agent": candidate.agent,
        "model": visible.excerpt(candidate.model, 200) if candidate.model else None,
        "families": sorted(candidate.families),
        "source": candidate.source,
        "label": candidate.label,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "spec": visible.excerpt(standing.spec, 200),
        "origin": standing.origin,
        "usable": standing.unusable is None,
        "independent": None if standing.unusable else standing.kin is None,
        "reason": standing.unusable or standing.kin,
        "hint": standing.hint,
        "place": standing.place,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "spec": visible.excerpt(trial.spec, 200),
        "unusable": _failure(trial.unusable),
        "models": None if trial.models is None else list(trial.models),
        "models_problem": _failure(trial.models_problem),
        "small": _probe(trial.small),
        "full": _probe(trial.full),
    }


def _probe(probe: Probe | None) -> dict[str, Any] | None:
    if probe is None:
        return None
    reply = probe.reply
    return {
        "estimated_tokens": probe.tokens,
        "latency_sec": round(probe.seconds, 3),
        "api": reply.api if reply else None,
        "form": reply.form if reply else None,
        "requests": reply.attempts if reply else None,
        "answered": [visible.excerpt(name, 200) for name in reply.answered] if reply else [],
        "prompt_tokens": reply.usage.prompt_tokens if reply else None,
        "verdict": probe.verdict,
        "receipt": probe.receipt,
        "problem": _failure(probe.problem),
    }


# --- text ---------------------------------------------------------------------------------------------------


def render(data: Mapping[str, Any]) -> str:
    """The report for a person; `data` is the payload."""
    sections = (
        ("", _head(data)),
        ("Author", _author(data)),
        ("Reviewers", _reviewers(data)),
        ("Roles", _roles(data)),
        ("Settings", _settings(data)),
        ("Hooks", _hooks(data)),
        ("Log", _log(data)),
        ("Online", _online(data)),
    )
    blocks = []
    for title, lines in sections:
        body = [f"  {line}" if title else line for line in lines]
        if body:
            blocks.append("\n".join(([title] if title else []) + body))
    return "\n\n".join((*blocks, "\n".join(_end(data)))) + "\n"


def _head(data: Mapping[str, Any]) -> Iterator[str]:
    yield " · ".join(f"{name} {version}" for name, version in data["versions"].items() if version)
    yield f"repository: {data['repository'] or 'none around this folder'}"


def _author(data: Mapping[str, Any]) -> Iterator[str]:
    for candidate in data["author"]:
        yield candidate["label"]
    if not data["author"]:
        yield "unknown: any reviewer will do, and independence is not shown"
    for sign in data["not_counted"]:
        yield f"not counted: {sign['variable']} ({sign['says']})"


def _reviewers(data: Mapping[str, Any]) -> Iterator[str]:
    for item in data["reviewers"]:
        who = f"{item['spec']} at {item['origin']}" if item["origin"] else item["spec"]
        if not item["usable"]:
            yield f"no   {who}: not usable: {item['reason']}; {item['hint']}"
        elif item["place"] is None:
            yield f"no   {who}: not independent: {item['reason']}"
        else:
            yield f"ok   {who}: {_order(item)}"
    if not data["reviewers"]:
        yield "no   none is named"


def _roles(data: Mapping[str, Any]) -> Iterator[str]:
    width = max((len(item["role"]) for item in data["roles"]), default=0)
    for item in data["roles"]:
        mark = "–   " if item["who"] is None else "no  " if item["unusable"] else "ok  "
        who = item["who"] or f"nobody is named; it suits {item['suits']}"
        reason = f": {item['unusable']}" if item["unusable"] else ""
        yield f"{mark} {item['role'].ljust(width)}  {who}{reason}"


def _order(item: Mapping[str, Any]) -> str:
    if item["spec"] == "rules":
        return str(item["hint"])
    return "would be asked" if item["place"] == 1 else f"number {item['place']}, if those before it can't be reached"


def _settings(data: Mapping[str, Any]) -> Iterator[str]:
    yield f"your own file: {data['user_file']}"
    for row in data["settings"]:
        if row["origin"] != "default":
            yield f"{row['key']} = {_shown(row['value'])}   ({row['origin']})"
    for item in data["providers"]:
        yield f"[providers.{item['name']}] {item['base_url'] or ' '.join(item['command'])}   ({item['origin']})"
    yield from data["notices"]
    yield "all else as by default (`--output-format json` shows every key)"


def _shown(value: Any) -> str:
    return visible.excerpt(_toml(value), 200)


def _toml(value: Any) -> str:
    """As it stands in a file."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


def _hooks(data: Mapping[str, Any]) -> Iterator[str]:
    found = data["hooks"]
    if found is None:
        return
    if found["kind"] is None:
        what = "is no file that git could run" if found["present"] else "does not exist"
        yield f"no   {found['path']} {what}: commits are not reviewed here (`pre-commit install`, or `init`)"
    elif found["gated"]:
        yield f"ok   {found['path']} ({found['kind']}) runs the gate"
    else:
        yield f"no   {found['path']} ({found['kind']}) does not run the gate (`sample-config` prints what to add)"
    yield from (f"no   {reason}" for reason in found["disabled"])
    for name in found["shadows"]:
        do = "set PYTHONSAFEPATH=1, or use prek"
        yield f"no   {name} in the work tree shadows a module of pre-commit's, or of Python's: {do}"


def _log(data: Mapping[str, Any]) -> Iterator[str]:
    found = data["log"]
    if found["problem"]:
        yield f"no   {found['problem']}"
    elif found["path"]:
        yield (
            f"ok   {found['path']}, {found['rows']} rows"
            if found["rows"]
            else f"ok   {found['path']}, nothing in it yet"
        )


def _online(data: Mapping[str, Any]) -> Iterator[str]:
    if data["online"] == []:
        yield "nobody was asked: none may be, or none is named"
    for trial in data["online"] or ():
        if trial["unusable"]:
            yield f"no   not asked: {trial['unusable']['what']}; {trial['unusable']['do'].rstrip('.')}"
        yield from _models(trial)
        for title, name in (("a small request", "small"), ("one of the configured size", "full")):
            if trial[name] is not None:
                yield from _tried(title, trial["spec"], trial[name], full=name == "full")


def _models(trial: Mapping[str, Any]) -> Iterator[str]:
    if trial["models_problem"]:
        yield f"its models can't be listed: {trial['models_problem']['what']}"
    if trial["models"] is None:
        return
    model = trial["spec"].partition(":")[2]
    names = trial["models"]
    if model in names:
        yield f"ok   {trial['spec']}: offered, among {len(names)} models"
        return
    more = f", and {len(names) - _MOST_MODELS} more" if len(names) > _MOST_MODELS else ""
    yield f"{trial['spec']}: the endpoint lists {', '.join(names[:_MOST_MODELS]) or 'no models'}{more}"


def _tried(title: str, spec: str, found: Mapping[str, Any], *, full: bool) -> Iterator[str]:
    size = f"about {found['estimated_tokens']} tokens"
    mark = "no  " if found["problem"] else "ok  "
    how = f"{found['api']}, {found['form']}, requests: {found['requests']}" if found["api"] else "no reply"
    who = f", answered by {found['answered'][0]}" if found["answered"] else ""
    yield f"{mark} {spec}: {title} ({size}): {how}, {found['latency_sec']:.1f} s{who}"
    if full and found["receipt"] == "cut":
        yield "no   the context is cut: not all of what was sent was seen (a local server's context setting, num_ctx?)"
    elif full and found["receipt"] == "whole":
        yield "ok   the whole of it was seen"
    if found["problem"]:
        yield f"no   {found['problem']['what']}; {found['problem']['do']}"


def _end(data: Mapping[str, Any]) -> Iterator[str]:
    problem, found = data["problem"], data["hooks"]
    if problem is None:
        first = next((item["spec"] for item in data["reviewers"] if item["place"] == 1), "nobody")
        by = "judged by the rules alone, by no model" if first == "rules" else f"reviewed by {first}"
        yield f"A change staged now would be {by}."
        if found is not None and (not found["gated"] or found["disabled"]):
            yield "But no hook would run it here: `twoagent-hook review` by hand does."
        return
    deferred = problem["outcome"] == "unreviewed" and any(
        row["key"] == "on-error" and row["value"] == "defer" for row in data["settings"]
    )
    passes = (
        "would be deferred, since `on-error` says so"
        if deferred
        else "would pass unreviewed, since `on-error` says so"
    )
    ends = "would be stopped" if data["exit_code"] else passes
    yield f"A change staged now {ends}: {problem['what']}"
    yield from (f"  {text}" for text in problem["details"])
    yield f"what to do: {problem['do']}"
