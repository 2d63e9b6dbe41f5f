"""The runs that a study needs: which ones, what they depend on, what they cost."""

from lnbench.plan.choice import CHOOSING_SEEDS, Choice
from lnbench.plan.cost import describe_cost, plan_runs, plan_seconds, seconds_of
from lnbench.plan.inputs import Derived, given, misbuilt
from lnbench.plan.plan import Job, Plan, plan_study
from lnbench.plan.run import Outcome, Run
from lnbench.plan.selection import Only, check_claims, selection

__all__ = [
    "CHOOSING_SEEDS", "Choice", "Derived", "Job", "Only", "Outcome", "Plan", "Run", "check_claims", "describe_cost",
    "given", "misbuilt", "plan_runs", "plan_seconds", "plan_study", "seconds_of", "selection",
]  # fmt: skip
