"""All stories, in the order of the library's table."""

from stories import blocks, changes, closed, task, workflow

STORIES = (
    task.WHOLE_TASK,
    blocks.BLOCK_AND_FIX,
    blocks.BYPASS,
    closed.NO_VERDICT,
    closed.INDEPENDENCE,
    closed.STAYS_HOME,
    workflow.CLAIMED,
    workflow.PLAN_FIRST,
    blocks.ASKED_ONCE,
    changes.LARGE,
    changes.MERGE,
    closed.DEFERRED,
)
