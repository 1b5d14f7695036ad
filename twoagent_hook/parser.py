"""The command line: what can be asked for."""

import argparse
from typing import NoReturn

from twoagent_hook import __version__
from twoagent_hook.errors import UsageError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """The whole of the command line."""
    whole = _Parser(
        prog="twoagent-hook",
        description="A commit gate: a different model reviews what an agent staged, before the commit exists.",
        epilog="Exit codes: 0 the gate is open, 1 closed by a verdict, 2 no verdict, 130 interrupted.",
    )
    whole.add_argument("-V", "--version", action="version", version=f"twoagent-hook {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND")
    _add_review(commands.add_parser("review", help="review what is staged (the default)"))
    _add_packets(commands.add_parser("packets", help="a task as files, one for each role"))
    _add_plan(commands.add_parser("plan", help="a minimal plan, which the review is then held against"))
    _add_verify(commands.add_parser("verify", help="run the owner's commands on what was judged: go or no-go"))
    _add_guard(commands.add_parser("guard", help="refuse an agent's ways round the gate"))
    _add_init(commands.add_parser("init", help="from nothing to a working gate"))
    _add_doctor(commands.add_parser("doctor", help="what would happen to a commit, and why"))
    _add_log(commands.add_parser("log", help="read the log of reviews"))
    _add_sample_config(commands.add_parser("sample-config", help="print the configuration to paste"))
    _add_demo(commands.add_parser("demo", help="the whole gate on a throwaway repository, offline"))
    return whole


def _add_review(command: argparse.ArgumentParser) -> None:
    command.description = "Let a model that is not the author review what is staged, and decide by its verdict."
    add = command.add_argument
    add(
        "--reviewer",
        action="append",
        metavar="SPEC",
        help="provider:model, or `rules`; repeat it to name several in order",
    )
    add("--author", metavar="ID", help="the model or agent that wrote the change, or `human`")
    add("--task", metavar="ID", help="the task that the change belongs to")
    add("--plan", metavar="FILE", help="the plan that the change is held against")
    add("--plan-only", metavar="FILE", help="review this plan itself, before there is any code")
    add("--notes", metavar="FILE", help="the implementer's notes: what they claim was tested is held against what ran")
    add("--checklist", metavar="FILE", help="write the review there as a filled checklist")
    add("--fail-on", choices=("block", "request-changes"), help="the mildest verdict that closes the gate")
    add(
        "--on-error",
        choices=("block", "allow", "defer"),
        help="what happens where no reviewer is usable or in time",
    )
    add("--timeout", type=float, metavar="S", help="seconds for the whole run")
    add(
        "--dry-run",
        action="store_true",
        help="print exactly what would be sent and to whom, and send nothing",
    )
    add(
        "--no-cache",
        action="store_true",
        help="ask again although a verdict is on record (a block stands all the same)",
    )
    add("--output-format", choices=("text", "json"), default="text")
    add("-o", "--output-file", metavar="FILE", help="write the result there instead of to standard output")
    add("--exit-zero", action="store_true", help="exit with 0 whatever the verdict is (failures are still 2)")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--isolated", action="store_true", help="ignore the policy and your own configuration file")
    _add_colour(command)
    add("-v", "--verbose", action="store_true", help="show an approval in full as well")
    add("-q", "--quiet", action="store_true", help="print nothing where the gate is open")


def _add_packets(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Write a task as a folder of files: a plan to fill in, a packet for each of the four roles, a checklist for "
        "the review, and what could be told of it. Needs no model, no network and no repository."
    )
    add = command.add_argument
    add("--title", required=True, metavar="T", help="of the task, on one line")
    add("--task", required=True, metavar="TEXT", help="what shall be done")
    add("--out", required=True, metavar="DIR", help="the folder to write")
    add("--id", metavar="ID", help="of the task; by default it is made of title and text")
    add("--templates", metavar="DIR", help="your own templates, in place of those of the same names")
    add("-f", "--force", action="store_true", help="write over files that are there")


def _add_plan(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Ask the planner's model for a minimal plan of a task and write it down; or check one that was written by "
        "hand. The plan becomes that of its task: `review --task ID` holds the change against it."
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--task", metavar="TEXT", help="what shall be done")
    what.add_argument("--check", metavar="FILE", help="only say what is wrong with this plan; exits with 1 if it is")
    what.add_argument("--use", metavar="FILE", help="check this plan, and make it that of its task")
    add = command.add_argument
    add("--title", metavar="T", help="of the task (default: the first line of its text)")
    add("--id", metavar="ID", help="of the task; by default it is made of title and text")
    add("--planner", metavar="SPEC", help="provider:model (default: `planner` of [roles])")
    add("--context", action="append", default=[], metavar="FILE", help="show the planner this file of the repository")
    add("-o", "--output-file", default="plan.md", metavar="FILE", help="where the plan is written (default: plan.md)")
    add("-f", "--force", action="store_true", help="write over a file that is there")
    add("--timeout", type=float, metavar="S", help="seconds for the whole run")
    add("--dry-run", action="store_true", help="print exactly what would be sent and to whom, and send nothing")
    add("--output-format", choices=("text", "json"), default="text")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--isolated", action="store_true", help="ignore the policy and your own configuration file")


def _add_verify(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Run the policy's `verify-commands` on a clean checkout of exactly what is staged, and keep what they did as "
        "evidence. Exits with 0 for go and 1 for no-go; 2 where nothing was run, whatever was recorded beside."
    )
    add = command.add_argument
    add("--commit", metavar="REV", help="this commit in place of what is staged")
    add("--task", metavar="ID", help="the task that the change belongs to")
    add("--plan", metavar="FILE", help="the plan whose claims are held against what ran")
    add("--notes", metavar="FILE", help="the implementer's notes, of which the same is true")
    add("--inspect", action="append", default=[], metavar="TEXT", help="record what you looked at yourself")
    add("--attach", action="append", default=[], metavar="FILE|URL", help="record a screenshot, a log, a page")
    add("--run-suggested", action="store_true", help="pick, at this terminal, commands that the reviewer suggested")
    add("--timeout", type=float, default=600.0, metavar="S", help="seconds for each command (default: 600)")
    add("--verifier", metavar="SPEC", help="provider:model to sum it up (default: `verifier` of [roles], if any)")
    add("--no-summary", action="store_true", help="ask no model")
    add("--output-format", choices=("text", "json"), default="text")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--isolated", action="store_true", help="ignore the policy and your own configuration file")
    _add_colour(command)
    add("-q", "--quiet", action="store_true", help="print nothing for a go")


def _add_guard(command: argparse.ArgumentParser) -> None:
    command.description = (
        "For the permission hooks of coding agents: read one call of a tool as JSON from standard input, and refuse "
        "what would pass the gate by. Exits with 2 for a refusal and for nothing else. A fence, not a wall."
    )
    command.add_argument("--command", dest="line", metavar="LINE", help="judge this command line in place of JSON")


def _add_init(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Find who could review on this machine, let you choose, try it with one small request, and write your own "
        "file. Nothing is sent before you have chosen. Without a terminal: --provider, --model and --yes."
    )
    add = command.add_argument
    add("--provider", metavar="NAME", help="who shall review: a provider, a coding CLI, or `rules`")
    add("--model", metavar="ID", help="which model of it")
    add("--base-url", metavar="URL", help="of a gateway, or another endpoint that is OpenAI-compatible")
    add("--api-key-env", metavar="NAME", help="the variable that holds its key")
    add("--family", metavar="VENDOR", help="whose models answer there, where their names don't tell")
    add("--list-models", action="store_true", help="print the models that the endpoint offers, and do no more")
    add("--no-try", action="store_true", help="send no request to try it")
    add("--write", action="store_true", help="write the repository's files too: the policy and the hook")
    choices = ("pre-commit", "prek", "husky", "lefthook", "plain")
    add("--for", dest="target", choices=choices, default="pre-commit", help="default: pre-commit")
    add("--config", metavar="FILE", help="write this in place of your own configuration file")
    add("-y", "--yes", action="store_true", help="ask nothing: what the flags say is the choice")


def _add_doctor(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Show what would happen to a commit made here and now, and why: author, reviewers, where each setting came "
        "from, hooks, log. Exits with 1 where it would end without a verdict."
    )
    add = command.add_argument
    add(
        "--online",
        action="store_true",
        help="ask the first reviewer (or those of --reviewer) in earnest: one small request, one of the configured "
        "size, and its list of models",
    )
    add("--reviewer", action="append", metavar="SPEC", help="look at this one in place of those that are configured")
    add("--config", metavar="FILE", help="read this in place of your own configuration file")
    add("--output-format", choices=("text", "json"), default="text")


def _add_log(command: argparse.ArgumentParser) -> None:
    command.description = "Read the log of reviews in this repository."
    actions = command.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="the newest rows (the default)")
    show = actions.add_parser("show", help="one row in full")
    show.add_argument("id", type=int, metavar="ID")
    export = actions.add_parser("export", help="the trail of a task as a folder: plan, packets, reviews, evidence")
    export.add_argument("--task", required=True, metavar="ID", help="the task")
    export.add_argument("--out", required=True, metavar="DIR", help="the folder to write")
    export.add_argument("-f", "--force", action="store_true", help="write over files that are there")
    command.set_defaults(limit=20, task=None, all=False, output_format="text", color="auto")
    # The same flags before and after the action; a default of the latter must not undo the former.
    for each in (command, listing):
        add = each.add_argument
        add("--limit", type=_count, default=argparse.SUPPRESS, metavar="N", help="how many rows (default: 20)")
        add("--task", default=argparse.SUPPRESS, metavar="ID", help="the trail of this task; with `list`, its rows")
        add("--all", action="store_true", default=argparse.SUPPRESS, help="the calls to models as well")
    for each in (command, listing, show):
        formats = ("text", "json", "jsonl")
        each.add_argument("--output-format", choices=formats, default=argparse.SUPPRESS, help="default: text")
        _add_colour(each, default=argparse.SUPPRESS)


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError("a whole number above 0 is needed")
    return int(text)


def _add_sample_config(command: argparse.ArgumentParser) -> None:
    command.description = "Print the configuration to paste, fitting the way in which this was installed."
    choices = ("pre-commit", "prek", "husky", "lefthook", "plain", "claude-code")
    command.add_argument("--for", dest="target", choices=choices, default="pre-commit", help="default: pre-commit")


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.description = "Show the whole gate on a throwaway repository, with a scripted reviewer and no network."
    command.add_argument(
        "--ask", metavar="SPEC", help="let this reviewer, of your own configuration, judge the demo as well"
    )
    command.add_argument("--keep", action="store_true", help="leave the throwaway repository in place")
    _add_colour(command)


def _add_colour(command: argparse.ArgumentParser, default: str = "auto") -> None:
    command.add_argument("--color", choices=("auto", "always", "never"), default=default)
