"""What can go wrong, as sentences for the user.

TwoAgentError                 what happened, and what to do
├── UsageError                a flag or argument that can't be followed
├── ConfigError               a file of settings that can't be followed
├── GitError                  git, or the repository, did not answer
│   └── IndexMovedError       the index is no longer the one that was judged
├── UnreviewedError           no reviewer is usable, reachable or in time
├── EndpointError             the endpoint answered, and refuses the request itself
├── ContextTooLongError       the endpoint says that the prompt exceeds the model's context
├── LeakError                 what would be sent still holds what looks like a secret
├── InvalidReplyError         a reply came and can't be used as a review
└── RefusedError              there are usable reviewers and none is independent of the author
"""


class TwoAgentError(Exception):
    """Expected, and told to the user: one line of what happened, one of what to do.

    Args:
        do: may go on with lines to paste.
        details: what it consists of, one sentence each.
    """

    def __init__(self, what: str, do: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.do = do
        self.details = details


class UsageError(TwoAgentError):
    pass


class ConfigError(TwoAgentError):
    pass


class GitError(TwoAgentError):
    pass


class IndexMovedError(GitError):
    pass


class UnreviewedError(TwoAgentError):
    pass


class EndpointError(TwoAgentError):
    pass


class ContextTooLongError(TwoAgentError):
    pass


class InvalidReplyError(TwoAgentError):
    pass


class LeakError(TwoAgentError):
    pass


class RefusedError(TwoAgentError):
    pass
