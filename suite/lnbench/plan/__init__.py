"""The runs that a study needs: which ones, what they depend on, what they cost."""

from lnbench.plan.choice import CHOOSING_SEEDS, Choice
from lnbench.plan.cost import plan_runs, seconds_of
from lnbench.plan.estimate import describe_cost, plan_seconds
from lnbench.plan.inputs import Derived, Inputs, given, misbuilt
from lnbench.plan.packages import demand_packages, missing_packages
from lnbench.plan.plan import Job, Plan, plan_study
from lnbench.plan.rehearsal import check_plans, rehearse
from lnbench.plan.run import Outcome, Run, inputs_behind, runs_behind
from lnbench.plan.selection import Only, check_claims, selection
from lnbench.plan.step_cost import layers_of

__all__ = [
    "CHOOSING_SEEDS",
    "Choice",
    "Derived",
    "Inputs",
    "Job",
    "Only",
    "Outcome",
    "Plan",
    "Run",
    "check_claims",
    "check_plans",
    "demand_packages",
    "describe_cost",
    "given",
    "inputs_behind",
    "layers_of",
    "misbuilt",
    "missing_packages",
    "plan_runs",
    "plan_seconds",
    "plan_study",
    "rehearse",
    "runs_behind",
    "seconds_of",
    "selection",
]  # fmt: skip
