"""Intervals, the region rule, checks and power: pure functions over floats (see docs/statistics.md)."""

from lnbench.stats.agreement import agrees
from lnbench.stats.bimodal import Mixture, ashman_d, delta_bic, dip_p, two_gaussians
from lnbench.stats.collapse import clopper_pearson, collapse_limit, is_collapsed, sign_test_p
from lnbench.stats.compose import holm, partial_conjunction, partial_conjunction_p
from lnbench.stats.correlation import coefficient_of, correlation, correlation_networks, correlation_replicates
from lnbench.stats.decide import seeds_to_decide
from lnbench.stats.dip import dip
from lnbench.stats.drift import drift
from lnbench.stats.looks import Looked, planned_looks
from lnbench.stats.order import chain, equivalent, equivalent_unpaired, ordered, ordered_unpaired
from lnbench.stats.power import pilot_factor, power_of, power_one_edge, power_to_contradict, power_two_edges
from lnbench.stats.printed import Printed, best_of_blocks, paper_luck, winners_luck
from lnbench.stats.ratio import exponents, ratio, scaling
from lnbench.stats.record import mann_whitney_p, probability_of_superiority, sign_flip_p
from lnbench.stats.rule import judge_mean
from lnbench.stats.seeds import paired_differences
from lnbench.stats.shift import argmax_along, shift, shift_slope
from lnbench.stats.steps import accuracy_step, area_step, argmax_step, kendall_step, slope_step
from lnbench.stats.table import kendall_tau_b, outside_prediction, table
from lnbench.stats.threshold import above, below, can_reach, every_run
from lnbench.stats.trend import kendall_taus, monotone, page_l_p, slopes, trend
from lnbench.stats.values import Check, Interval, Region, Verdict, unjudged
from lnbench.stats.welch import judge_difference

__all__ = [
    "Check",
    "Interval",
    "Looked",
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
    "best_of_blocks",
    "can_reach",
    "chain",
    "clopper_pearson",
    "coefficient_of",
    "collapse_limit",
    "correlation",
    "correlation_networks",
    "correlation_replicates",
    "delta_bic",
    "dip",
    "dip_p",
    "drift",
    "equivalent",
    "equivalent_unpaired",
    "every_run",
    "exponents",
    "holm",
    "is_collapsed",
    "judge_difference",
    "judge_mean",
    "kendall_step",
    "kendall_tau_b",
    "kendall_taus",
    "mann_whitney_p",
    "monotone",
    "ordered",
    "ordered_unpaired",
    "outside_prediction",
    "page_l_p",
    "paired_differences",
    "paper_luck",
    "partial_conjunction",
    "partial_conjunction_p",
    "pilot_factor",
    "planned_looks",
    "power_of",
    "power_one_edge",
    "power_to_contradict",
    "power_two_edges",
    "probability_of_superiority",
    "ratio",
    "scaling",
    "seeds_to_decide",
    "shift",
    "shift_slope",
    "sign_flip_p",
    "sign_test_p",
    "slope_step",
    "slopes",
    "table",
    "trend",
    "two_gaussians",
    "unjudged",
    "winners_luck",
]
