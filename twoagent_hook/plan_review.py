"""A review of a plan by itself, before there is any code: the same line, with the plan in the place of the change."""

import secrets
from dataclasses import replace

from twoagent_hook import author as authors
from twoagent_hook import datafiles, intent, plans, preparation, prompts, settings
from twoagent_hook.author import Author, Claim
from twoagent_hook.changes import ChangeSet
from twoagent_hook.config import Config, model_of
from twoagent_hook.deferral import Deferral
from twoagent_hook.errors import UsageError
from twoagent_hook.gate import Gate
from twoagent_hook.intent import ONLY, Intent
from twoagent_hook.plans import HUMAN, Plan
from twoagent_hook.policy import Decision
from twoagent_hook.preparation import Prepared
from twoagent_hook.screening import screen
from twoagent_hook.snapshots import Snapshot


class PlanGate(Gate):
    """One run over the plan of the options; it is nobody's commit, so that nothing of it stands for one."""

    def run(self) -> Decision:
        """The decision on the plan."""
        return replace(super().run(), tree=None, base=None)

    def prepare(self) -> Prepared:
        """The plan, as a file that is added, in the place of what is staged.

        Raises:
            TwoAgentError: it is no plan, or git or the settings stand in the way.
        """
        given = self.options.plan
        if given is None:
            raise UsageError("no plan is named", "name its file with `--plan-only`")
        found = settings.load(
            Snapshot(self._workspace),
            self.trees,
            self.options.flags,
            self.environment,
            user_file=self.options.user_file,
            isolated=self.options.isolated,
        )
        self.settings = found._replace(config=_for_plans(found.config))
        config = self.settings.config
        plan = plans.demand(given.text, given.name)
        path = given.path or given.name
        change = ChangeSet("", "", (intent.as_added(path, given.text),), (), ())
        screened = screen(change, config, {})
        system = datafiles.packaged("templates/plan_reviewer.md")
        self.prepared = Prepared(
            settings=self.settings,
            screened=screened,
            author=self._author(plan, config),
            packing=prompts.pack(screened, config, found.guidelines, lambda: secrets.token_hex(8), system),
            intent=Intent(plan, ONLY, "given", given.path, plans.digest(given.text)),
        )
        return self.prepared

    def _author(self, plan: Plan, config: Config) -> Author:
        """Who may have planned: whoever runs this, and whom the plan names."""
        return authors.joined(preparation.author_of(self.environment, self.options.author, config), _planner(plan))

    def _wish(self, _prepared: Prepared) -> Deferral:
        return Deferral()

    def _confirmed(self, decision: Decision) -> Decision:
        return decision


def _for_plans(config: Config) -> Config:
    """What is said of changes, and can't be meant of a plan, left aside."""
    return replace(config, prompt="project", exclude=(), protect=(), on_error="block")


def _planner(plan: Plan) -> Author:
    spec = plan.planner
    if spec is None or spec == HUMAN:
        return Author()
    return authors.detect({}, [Claim(model_of(spec), "`planner` of the plan")])
