"""What to do where something of a change had no room, no time or no answer; pure."""

from collections.abc import Iterator, Sequence

from twoagent_hook.config import Config
from twoagent_hook.deferral import VARIABLE
from twoagent_hook.keys import POLICY_FILE
from twoagent_hook.prompts import Lacking
from twoagent_hook.screening import Reason, Withheld


def advice(missing: Sequence[Withheld], config: Config, lacking: Lacking | None, *, deferrable: bool = False) -> str:
    """Which key to set to what, and what else would help; empty where nothing is missing.

    Args:
        lacking: what would have to be allowed, where there was no room.
        deferrable: whether the policy lets the author have it reviewed later.
    """
    reasons = {item.reason for item in missing}
    ways = [*_ways(reasons, config, lacking), *([_LATER] if deferrable else [])]
    return ", or ".join(ways) if reasons else ""


_LATER = f'have it reviewed later (`{VARIABLE}="why" git commit`)'


def _ways(reasons: set[Reason], config: Config, lacking: Lacking | None) -> Iterator[str]:
    if Reason.UNANSWERED in reasons:
        yield "run `twoagent-hook review --timeout 300` and commit then (the parts that were answered are kept)"
    if Reason.OVER_CONTEXT in reasons:
        now = config.max_input_tokens
        yield f"set `max-input-tokens` (now {now}) to what the model takes, or name one with a larger context"
    if lacking is not None and lacking.requests is not None:
        yield _raise("max-requests", config.max_requests, lacking.requests, config)
    elif lacking is not None and lacking.tokens is not None:
        yield _raise("max-input-tokens", config.max_input_tokens, lacking.tokens, config)
    if reasons - {Reason.UNANSWERED, Reason.OVER_CONTEXT}:
        yield "split the commit"
        yield f"`exclude` what needs no review ({POLICY_FILE}, in a commit before this one)"


def _raise(key: str, now: int, wanted: int, config: Config) -> str:
    where = config.sources.get(key, f"{POLICY_FILE}, in a commit before this one")
    return f"raise `{key}` from {now} to {wanted} ({where})"
