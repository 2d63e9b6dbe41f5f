"""above, below, every run, can reach: a metric against a threshold."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Unpack

from lnbench.stats.collapse import binomial_at_least, binomial_at_most, clopper_pearson
from lnbench.stats.rule import Options, judge_mean
from lnbench.stats.seeds import FEWEST_SEEDS, TOO_FEW, Values, check_arguments
from lnbench.stats.values import Check, Region, unjudged


def above(values: Values, threshold: float, **options: Unpack[Options]) -> Check:
    """Check that a typical run lies at or above the threshold: region [T, ∞). See `rule.judge_mean`."""
    return judge_mean(values, Region.at_least(_finite(threshold)), kind="above", **options)


def below(values: Values, threshold: float, **options: Unpack[Options]) -> Check:
    """Check that a typical run lies at or below the threshold: region (-∞, T]. See `rule.judge_mean`."""
    return judge_mean(values, Region.at_most(_finite(threshold)), kind="below", **options)


def _finite(threshold: float) -> float:
    if not math.isfinite(threshold):
        raise ValueError(f"a threshold must be finite, not {threshold}")
    return float(threshold)


def every_run(successes: int, runs: int, pi: float = 0.5, *, alpha: float = 0.05, looks: int = 1) -> Check:
    """Check that K of n runs show it ("runs do"), and the rate at which runs do is at least π.

    p_reproduced = P(Bin(n, π) ≥ K), p_contradicted = P(Bin(n, π) ≤ K); interval of the rate: Clopper &
    Pearson (1934) at 1 - 2α. π = .5 for "runs do" (5 of 5 show it), .9 for "always" (29 of 29). A collapsed
    run counts as one that does not. Raises ValueError unless 0 < π < 1 and 0 ≤ K ≤ n.
    """
    check_arguments(alpha, looks)
    if not 0.0 < pi < 1.0:
        raise ValueError(f"pi must lie between 0 and 1, not {pi}")
    if successes < 0 or runs < 0 or successes > runs:
        raise ValueError(f"expected 0 ≤ successes ≤ runs, not {successes} of {runs}")
    region = Region.at_least(pi)
    if runs == 0:
        return unjudged("every_run", "no runs", region=region, alpha=alpha)
    details = {"successes": successes, "runs": runs, "pi": pi, "looks": looks, "design": "counts"}
    rate = successes / runs
    if runs < FEWEST_SEEDS:
        return Check(
            kind="every_run",
            effect=rate,
            region=region,
            n=runs,
            alpha=alpha,
            notes=(TOO_FEW,),
            details=details,
        )
    return Check(
        kind="every_run",
        effect=rate,
        interval=clopper_pearson(successes, runs, alpha / looks),
        region=region,
        p_reproduced=min(1.0, looks * binomial_at_least(successes, runs, pi)),
        p_contradicted=min(1.0, looks * binomial_at_most(successes, runs, pi)),
        n=runs,
        alpha=alpha,
        notes=(f"{successes} of {runs} runs",),
        details=details,
    )


def can_reach(reached: int, runs: int, best_of: int, *, alpha: float = 0.05, looks: int = 1) -> Check:
    """Check that the metric can reach T, printed as the best of k runs: as `every_run` with π = 1 - ½^(1/k).

    If the best of k runs gets to T with a chance of at least one half, a single run does with at least π. Shown to
    be so often: reproduced; shown to be rarer: contradicted (none of n, with (1 - π)^n = ½^(n/k), from n ≥ 4.33 k
    on); else inconclusive: one lucky run decides nothing, and more runs narrow the interval of the rate. Raises
    ValueError unless best_of ≥ 1 and 0 ≤ reached ≤ runs.
    """
    check_arguments(alpha, looks)
    if best_of < 1 or runs < 0:
        raise ValueError(f"expected best_of ≥ 1 and runs ≥ 0, not {best_of} and {runs}")
    if not 0 <= reached <= runs:
        raise ValueError(f"expected 0 ≤ reached ≤ runs, not {reached} of {runs}")
    if runs == 0:
        return unjudged("can_reach", "no runs", alpha=alpha)
    check = every_run(int(reached), runs, 1 - 0.5 ** (1 / best_of), alpha=alpha, looks=looks)
    note = f"{reached} of {runs} runs get there, printed as the best of {best_of}"
    return replace(check, kind="can_reach", notes=(note, *check.notes[1:])).with_details(best_of=best_of)
