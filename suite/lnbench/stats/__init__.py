"""Intervals, the region rule, checks and power: pure functions over floats (see docs/statistics.md)."""

from lnbench.stats.agreement import agrees
from lnbench.stats.bimodal import Mixture, ashman_d, dip_p
from lnbench.stats.collapse import clopper_pearson, collapse_limit, is_collapsed
from lnbench.stats.compose import holm, partial_conjunction, partial_conjunction_p
from lnbench.stats.correlation import coefficient_of, coefficients_without, correlation, correlation_replicates
from lnbench.stats.decide import seeds_to_decide
from lnbench.stats.dip import dip
from lnbench.stats.order import equivalent, ordered
from lnbench.stats.power import (
    pilot_factor,
    power_of,
    power_one_edge,
    power_to_contradict,
    power_two_edges,
    signs_power,
)
from lnbench.stats.printed import Printed, paper_luck
from lnbench.stats.ratio import ratio
from lnbench.stats.rule import judge_mean
from lnbench.stats.shift import argmax_along, shift, shift_slope
from lnbench.stats.signs import FEWEST_TO_DECIDE, SIGN_LEVEL, needed_signs, sign_test_p
from lnbench.stats.steps import accuracy_step, area_step, argmax_step, kendall_step, slope_step
from lnbench.stats.table import kendall_tau_b, outside_prediction, table
from lnbench.stats.threshold import above, below, can_reach, every_run
from lnbench.stats.trend import kendall_taus, page_l_p, slopes
from lnbench.stats.values import Check, Interval, Region, Verdict, unjudged

__all__ = [
    "FEWEST_TO_DECIDE",
    "SIGN_LEVEL",
    "Check",
    "Interval",
    "Mixture",
    "Printed",
    "Region",
    "Verdict",
    "above",
    "accuracy_step",
    "agrees",
    "area_step",
    "argmax_along",
    "argmax_step",
    "ashman_d",
    "below",
    "can_reach",
    "clopper_pearson",
    "coefficient_of",
    "coefficients_without",
    "collapse_limit",
    "correlation",
    "correlation_replicates",
    "dip",
    "dip_p",
    "equivalent",
    "every_run",
    "holm",
    "is_collapsed",
    "judge_mean",
    "kendall_step",
    "kendall_tau_b",
    "kendall_taus",
    "needed_signs",
    "ordered",
    "outside_prediction",
    "page_l_p",
    "paper_luck",
    "partial_conjunction",
    "partial_conjunction_p",
    "pilot_factor",
    "power_of",
    "power_one_edge",
    "power_to_contradict",
    "power_two_edges",
    "ratio",
    "seeds_to_decide",
    "shift",
    "shift_slope",
    "sign_test_p",
    "signs_power",
    "slope_step",
    "slopes",
    "table",
    "unjudged",
]
