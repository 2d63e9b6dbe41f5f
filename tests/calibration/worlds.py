"""Worlds in which the truth is known: how often does a check say something false about them?

Each scenario draws the seeds of one study whose true effect lies exactly on an edge of the claim's region,
where both errors are at their worst, and judges them with the public functions. `measure` counts the
verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from lnbench import stats
from lnbench.stats import Check, Printed, Region

Draw = Callable[[np.random.Generator, int], Check]
# ---- one number a seed ----


def above_normal(rng: np.random.Generator, n: int) -> Check:
    return stats.above(rng.normal(0.9, 0.01, n), 0.9, step=1e-4)


def above_skewed(rng: np.random.Generator, n: int) -> Check:
    """Exponential lower tail, the claim about the mean: the documented exception."""
    return stats.above(0.9 + 0.01 - rng.exponential(0.01, n), 0.9, step=1e-4)


def above_skewed_median(rng: np.random.Generator, n: int) -> Check:
    """The same, the claim about the typical seed."""
    return stats.above(0.9 + 0.01 * math.log(2) - rng.exponential(0.01, n), 0.9, step=1e-4)


def above_at_the_ceiling(rng: np.random.Generator, n: int) -> Check:
    """One or two errors in 1,000 examples: runs are counts near their bound, far from normal."""
    return stats.above(1 - rng.poisson(1.5, n) / 1000, 1 - 1.5 / 1000, step=1e-3)


def tied(share: float) -> Draw:
    """Seeds on two neighbouring values of a coarse metric, 1/100 apart, the upper one with `share`."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        return stats.above(0.9 + 0.01 * (rng.random(n) < share), 0.9 + 0.01 * share, step=0.01)

    return draw


def above_identical(_rng: np.random.Generator, n: int) -> Check:
    """Every seed gives the same value, on the edge: the floor keeps both p at ½ where s = 0 would make them 0
    or 1.
    """
    return stats.above(np.full(n, 0.9), 0.9, step=0.01)


def collapsing(rate: float, *, above: bool) -> Draw:
    """A seed collapses to chance (.1) with `rate`; the median over all seeds lies on the edge."""
    # P(seed > edge) = ½: of the (1 - rate) that do not collapse, ½/(1 - rate) lie above
    mean = 0.9 + 0.01 * float(ndtri(0.5 / (1 - rate)))

    def draw(rng: np.random.Generator, n: int) -> Check:
        lost = rng.random(n) < rate
        values = np.where(lost, 0.1 + rng.normal(0, 0.003, n), rng.normal(mean, 0.01, n))
        judge = stats.above if above else stats.below
        return judge(values, 0.9, step=1e-4, collapsed=lost)

    return draw


def equivalent(margin_sd: float) -> Draw:
    """Paired differences of sd 1 about the edge of ±m."""
    return lambda rng, n: stats.equivalent(rng.normal(margin_sd, 1.0, n), margin_sd)


def equivalent_skewed(rng: np.random.Generator, n: int) -> Check:
    """One arm with an exponential lower tail three times as wide as the other."""
    return stats.equivalent(2.0 + 3 * (1 - rng.exponential(1.0, n)) - rng.normal(0, 1.0, n), 2.0)


def equivalent_collapsing(rng: np.random.Generator, n: int) -> Check:
    """Arm B collapses in one run of ten, which moves the difference above the margin; the median on the upper
    edge.
    """
    lost = rng.random(n) < 0.1
    mean = 0.02 - 0.01 * float(ndtri(0.5 / 0.9))  # half of all differences lie below the edge
    return stats.equivalent(np.where(lost, 0.5, rng.normal(mean, 0.01, n)), 0.02, step=1e-4, collapsed=lost)


def ordered_unpaired(sd_ratio: float) -> Draw:
    return lambda rng, n: stats.ordered_unpaired(rng.normal(0, sd_ratio, n), rng.normal(0, 1, n))


def ordered_uneven(rng: np.random.Generator, n: int) -> Check:
    """The few seeds are the wide arm: what a pooled spread would get most wrong."""
    return stats.ordered_unpaired(rng.normal(0, 3, n), rng.normal(0, 1, 10))


def equivalent_unpaired(rng: np.random.Generator, n: int) -> Check:
    return stats.equivalent_unpaired(rng.normal(3, 1, n), rng.normal(0, 1, n), 3.0)


def chain(gaps: tuple[float, ...]) -> Draw:
    """Steps of sd 1, truly `gaps` apart; adjacent steps share an arm and so correlate at -½."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        arms = rng.normal(0, math.sqrt(0.5), (len(gaps) + 1, n))
        return stats.chain([arms[j] - arms[j + 1] + gap for j, gap in enumerate(gaps)])

    return draw


# ---- a printed number ----


def printed_by(
    rng: np.random.Generator,
    mean: float,
    sd: float,
    runs: int,
    kind: str,
    digits: int,
    *,
    says_n: bool = True,
) -> Printed:
    """What a paper would print of `runs` runs, rounded to `digits`."""
    x = rng.normal(mean, sd, runs)
    unit = 10.0**-digits
    spread: float | None
    match kind:
        case "sd" | "unknown":
            spread = float(np.std(x))
        case "sd_sample":
            spread = float(np.std(x, ddof=1))
        case "se":
            spread = float(np.std(x, ddof=1) / math.sqrt(runs))
        case "ci95":
            spread = float(1.96 * np.std(x, ddof=1) / math.sqrt(runs))
        case "range":
            spread = float(np.ptp(x))
        case _:
            spread = None
    spread = None if spread is None else round(spread, digits)
    named = kind if kind != "lone" else "unknown"
    return Printed(round(float(x.mean()), digits), unit, spread, unit, named, runs if says_n else None)


def agrees_against_paper(kind: str, runs: int, paper_sd: float, *, margin: float = 1.0, says_n: bool = True) -> Draw:
    """Our runs (sd 1) lie the margin above the paper's (whose sd may differ): `contradicted` is false."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        base = rng.uniform(0, 0.1)  # where the truth lies against the printed digits
        printed = printed_by(rng, base, paper_sd, runs, kind, 1, says_n=says_n)
        return stats.agrees(rng.normal(base + margin, 1.0, n), printed, margin)

    return draw


def agrees_with_number(rng: np.random.Generator, n: int) -> Check:
    """Our mean lies exactly the margin above the number as printed: `reproduced` is false."""
    return stats.agrees(rng.normal(24.2, 0.3, n), Printed(23.2, 0.1, 0.2, 0.1, "sd", 4), 1.0)


def agrees_tied_margin(rng: np.random.Generator, n: int) -> Check:
    """The narrowest margin that is allowed, u0/2."""
    base = rng.uniform(0, 0.1)
    return stats.agrees(rng.normal(base + 0.05, 1.0, n), printed_by(rng, base, 1.0, 5, "sd", 1), 0.05)


def agrees_collapsing(kind: str) -> Draw:
    """Paper and we collapse nowhere but in our one run of ten; our median lies the margin below the paper's
    mean.
    """
    above_share = 0.5 / 0.9  # of our uncollapsed runs, above our median over all runs

    def draw(rng: np.random.Generator, n: int) -> Check:
        printed = printed_by(rng, 90.0, 1.0, 4, kind, 1)
        lost = rng.random(n) < 0.1
        ours = rng.normal(89.0 + float(ndtri(above_share)), 1.0, n)
        return stats.agrees(np.where(lost, 10.0, ours), printed, 1.0, step=0.01, collapsed=lost)

    return draw


def drifted() -> Draw:
    def draw(rng: np.random.Generator, n: int) -> Check:
        return stats.drift(rng.normal(0, 1, n), rng.normal(0, 1, 10))

    return draw


# ---- curves ----


def flat_curves(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    return rng.normal(0.9, 0.01, (n, 1)) + rng.normal(0, 0.01, (n, levels))


def trend_of(statistic: str, levels: int) -> Draw:
    return lambda rng, n: stats.trend(range(levels), flat_curves(rng, n, levels), statistic=statistic, metric_step=1e-4)


def monotone(rng: np.random.Generator, n: int) -> Check:
    """Rises clearly, but for one flat step."""
    return stats.monotone(flat_curves(rng, n, 4) + np.array([0, 0.05, 0.05, 0.1]), metric_step=1e-4)


AXIS = [16, 32, 64, 128, 256, 512, 1024]


def optima(rng: np.random.Generator, n: int, noise: float) -> list[float]:
    curve = -0.01 * (np.arange(7) - 3.0) ** 2
    return [stats.argmax_along(AXIS, curve + rng.normal(0, noise, 7)) for _ in range(n)]


def shift_none(noise: float) -> Draw:
    return lambda rng, n: stats.shift(optima(rng, n, noise), optima(rng, n, noise), AXIS)


def shift_slope(rng: np.random.Generator, n: int) -> Check:
    a, b = flat_curves(rng, n, 7), flat_curves(rng, n, 7)
    return stats.shift_slope(AXIS, a, b, metric_step=1e-4)


# ---- correlations ----


def points(coefficient: str, n_points: int, r: float) -> Draw:
    """Bivariate normal points on the edge; n counts points. Spearman's own r is 6/π·asin(r/2)."""
    edge = r if coefficient == "pearson" else 6 / math.pi * math.asin(r / 2)

    def draw(rng: np.random.Generator, _n: int) -> Check:
        x = rng.normal(size=n_points)
        y = r * x + math.sqrt(1 - r * r) * rng.normal(size=n_points)
        found = stats.coefficient_of(x, y, coefficient)
        return stats.correlation(found, n_points, Region(edge, 1.0), coefficient)

    return draw


def true_zeta(spread: float) -> float:
    """E atanh(r) of two networks with many samples, r = 1/√((1 + v1)(1 + v2)), v = own variance."""
    rng = np.random.default_rng(7)
    v = np.exp(rng.normal(math.log(0.5), spread, (400_000, 2))) ** 2
    return float(np.arctanh(1 / np.sqrt((1 + v[:, 0]) * (1 + v[:, 1]))).mean())


def networks(spread: float) -> Draw:
    edge = math.tanh(true_zeta(spread))

    def draw(rng: np.random.Generator, n: int) -> Check:
        # the correlations of very many samples, without drawing the samples
        v = np.exp(rng.normal(math.log(0.5), spread, n)) ** 2
        return stats.correlation_networks(1 / np.sqrt(np.outer(1 + v, 1 + v)), n, Region(edge, 1.0))

    return draw


def replicates(spread: float) -> Draw:
    edge = math.tanh(true_zeta(spread))
    upper = np.triu_indices(3, 1)

    def draw(rng: np.random.Generator, n: int) -> Check:
        v = np.exp(rng.normal(math.log(0.5), spread, (n, 3))) ** 2
        r = 1 / np.sqrt((1 + v[:, :, None]) * (1 + v[:, None, :]))
        zetas = np.arctanh(r[:, upper[0], upper[1]]).mean(axis=1)
        return stats.correlation_replicates(zetas, Region(edge, 1.0))

    return draw


# ---- counts, ratios, several checks ----


def every_run(pi: float) -> Draw:
    return lambda rng, n: stats.every_run(int(rng.binomial(n, pi)), n, pi)


def can_reach(best_of: int) -> Draw:
    """Runs reach it as often as makes the best of k do so half the time: `contradicted` is false."""
    rate = 1 - 0.5 ** (1 / best_of)
    return lambda rng, n: stats.can_reach(int(rng.binomial(n, rate)), n, best_of)


def ratio_on_edge(rng: np.random.Generator, n: int) -> Check:
    machine = rng.lognormal(0, 0.2, n)  # shared by the two of a pair
    slow = 2.25 * machine * rng.lognormal(0, 0.02, n)
    return stats.ratio(slow, machine * rng.lognormal(0, 0.02, n), Region(1.75, 2.25))


def exponent_on_edge(rng: np.random.Generator, n: int) -> Check:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fitted, never = stats.exponents(x, 3 * x**1.5 * rng.lognormal(0, 0.1, (n, 4)))
    return stats.scaling(fitted, Region(1.0, 1.5), collapsed=never)


def table_with(agreeing: int, at_least: int) -> Draw:
    """Six cells that share draws (correlation .6): `agreeing` clearly do, the rest lie on their edge."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        shared = rng.normal(0, math.sqrt(0.6), n)
        cells = [
            stats.equivalent(shared + rng.normal(0, math.sqrt(0.4), n) + (0.0 if j < agreeing else 5.0), 5.0)
            for j in range(6)
        ]
        return stats.table(cells, at_least)

    return draw


def study_at_edges(rng: np.random.Generator, n: int) -> Check:
    """Twenty claims on their edges; "contradicted" here means that Holm accuses at least one of them."""
    checks = [stats.ordered(rng.normal(0, 1, n)) for _ in range(20)]
    return Check(kind="study", p_contradicted=min(stats.holm([c.p_contradicted for c in checks])))


def looks_at_edge(rng: np.random.Generator, n: int) -> Check:
    values = rng.normal(0, 1, 10)
    return stats.planned_looks(lambda m, k: stats.above(values[:m], 0.0, looks=k), [3, 5, 10]).check
