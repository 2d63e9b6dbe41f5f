"""Worlds in which the truth is known: how often does a check say something false about them?

Each world draws the seeds of one study whose true effect lies exactly on an edge of the claim's region, where both
errors are at their worst, and judges them by what verdicts run (`simulated`). `measure` counts the verdicts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.special import ndtri

from lnbench import stats
from lnbench.judge import Member
from lnbench.judge.kinds import kind_of
from lnbench.judge.reduce import Goal, Reading, correlate, optimum_shift, reduce
from lnbench.spec import Effect, Number, parts
from lnbench.stats import Check, Verdict
from tests.calibration.simulated import judged, judged_study, member, reduced

Draw = Callable[[np.random.Generator, int], Check]
# ---- one number a seed ----


def above(threshold: float) -> parts.Threshold:
    return parts.Threshold(kind="above", effect="e", threshold=threshold)


def above_normal(rng: np.random.Generator, n: int) -> Check:
    return judged(above(0.9), member(rng.normal(0.9, 0.01, n), step=1e-4))


def above_skewed(rng: np.random.Generator, n: int) -> Check:
    """Exponential lower tail, the claim about the mean: the documented exception."""
    return judged(above(0.9), member(0.9 + 0.01 - rng.exponential(0.01, n), step=1e-4))


def above_skewed_median(rng: np.random.Generator, n: int) -> Check:
    """The same, the claim about the typical seed."""
    return judged(above(0.9), member(0.9 + 0.01 * math.log(2) - rng.exponential(0.01, n), step=1e-4))


def tied(share: float) -> Draw:
    """Seeds on two neighbouring values of a coarse metric, 1/100 apart, the upper one with `share`."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        return judged(above(0.9 + 0.01 * share), member(0.9 + 0.01 * (rng.random(n) < share), step=0.01))

    return draw


def above_identical(_rng: np.random.Generator, n: int) -> Check:
    """Every seed gives the same value, on the edge: the floor keeps both p at ½ where s = 0 would make them 0
    or 1.
    """
    return judged(above(0.9), member(np.full(n, 0.9), step=0.01))


def collapsing(rate: float, *, side: str) -> Draw:
    """A seed collapses to chance (.1) with `rate`; the median over all seeds lies on the edge."""
    # P(seed > edge) = ½: of the (1 - rate) that do not collapse, ½/(1 - rate) lie above
    mean = 0.9 + 0.01 * float(ndtri(0.5 / (1 - rate)))
    part = above(0.9).model_copy(update={"kind": side})

    def draw(rng: np.random.Generator, n: int) -> Check:
        lost = rng.random(n) < rate
        values = np.where(lost, 0.1 + rng.normal(0, 0.003, n), rng.normal(mean, 0.01, n))
        return judged(part, member(values, step=1e-4, collapsed=lost))

    return draw


def same(margin: float) -> parts.Equivalent:
    return parts.Equivalent(kind="equivalent", effect="e", margin=margin, because="simulated")


def equivalent(margin_sd: float) -> Draw:
    """Paired differences of sd 1 about the edge of ±m."""
    part = same(margin_sd or 1e-12)  # no part has a margin of 0
    return lambda rng, n: judged(part, member(rng.normal(margin_sd, 1.0, n)))


def equivalent_collapsing(rng: np.random.Generator, n: int) -> Check:
    """Arm B collapses in one run of ten, which moves the difference above the margin; the median on the upper
    edge.
    """
    lost = rng.random(n) < 0.1
    mean = 0.02 - 0.01 * float(ndtri(0.5 / 0.9))  # half of all differences lie below the edge
    return judged(same(0.02), member(np.where(lost, 0.5, rng.normal(mean, 0.01, n)), step=1e-4, collapsed=lost))


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
) -> Number:
    """What a paper would print of `runs` runs, rounded to `digits`."""
    x = rng.normal(mean, sd, runs)
    unit = 10.0**-digits
    spread: float | None
    match kind:
        case "sd" | "unknown":
            spread = float(np.std(x))
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
    runs_said = runs if says_n else None
    return Number(round(float(x.mean()), digits), unit, spread, unit, named, runs_said, None)  # type: ignore[arg-type]


def near(margin: float) -> parts.Agrees:
    return parts.Agrees(kind="agrees", effect="e", reference="printed", margin=margin, because="simulated")


def agrees_against_paper(kind: str, runs: int, paper_sd: float, *, margin: float = 1.0, says_n: bool = True) -> Draw:
    """Our runs (sd 1) lie the margin above the paper's (whose sd may differ): `contradicted` is false."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        base = rng.uniform(0, 0.1)  # where the truth lies against the printed digits
        printed = printed_by(rng, base, paper_sd, runs, kind, 1, says_n=says_n)
        return judged(near(margin), member(rng.normal(base + margin, 1.0, n)), numbers=[printed])

    return draw


def agrees_with_number(rng: np.random.Generator, n: int) -> Check:
    """Our mean lies exactly the margin above the number as printed: `reproduced` is false."""
    printed = Number(23.2, 0.1, 0.2, 0.1, "sd", 4, None)
    return judged(near(1.0), member(rng.normal(24.2, 0.3, n)), numbers=[printed])


def agrees_tied_margin(rng: np.random.Generator, n: int) -> Check:
    """The narrowest margin that is allowed, u0/2."""
    base = rng.uniform(0, 0.1)
    printed = printed_by(rng, base, 1.0, 5, "sd", 1)
    return judged(near(0.05), member(rng.normal(base + 0.05, 1.0, n)), numbers=[printed])


def agrees_collapsing(kind: str) -> Draw:
    """Paper and we collapse nowhere but in our one run of ten; our median lies the margin below the paper's
    mean.
    """
    above_share = 0.5 / 0.9  # of our uncollapsed runs, above our median over all runs

    def draw(rng: np.random.Generator, n: int) -> Check:
        printed = printed_by(rng, 90.0, 1.0, 4, kind, 1)
        lost = rng.random(n) < 0.1
        ours = np.where(lost, 10.0, rng.normal(89.0 + float(ndtri(above_share)), 1.0, n))
        return judged(near(1.0), member(ours, step=0.01, collapsed=lost), numbers=[printed])

    return draw


# ---- curves ----


def flat_curves(rng: np.random.Generator, n: int, levels: int) -> np.ndarray:
    return rng.normal(0.9, 0.01, (n, 1)) + rng.normal(0, 0.01, (n, levels))


def trend_of(reducer: str, levels: int) -> Draw:
    part = parts.Trend(kind="trend", effect="e", direction="up")
    effect = Effect(metric="test_accuracy", along={"axis": reducer})
    return lambda rng, n: judged(
        part, reduced(reducer, range(levels), flat_curves(rng, n, levels), 1e-4), effect=effect
    )


def monotone(rng: np.random.Generator, n: int) -> Check:
    """Rises clearly, but for one flat step."""
    curves = flat_curves(rng, n, 4) + np.array([0, 0.05, 0.05, 0.1])
    steps = [reduced("steps", [j, j + 1], curves[:, j : j + 2], 1e-4) for j in range(3)]
    effect = Effect(metric="test_accuracy", along={"axis": "steps"})
    return judged(parts.Monotone(kind="monotone", effect="e", direction="up"), *steps, effect=effect)


AXIS = [16, 32, 64, 128, 256, 512, 1024]
SHIFT = parts.Shift(kind="shift", effect="e", direction="down")
MOVED = Effect(metric="test_accuracy", along={"axis": "argmax"}, at={"x": 1}, minus={"x": 0})


def shifted(at: np.ndarray, base: np.ndarray, step: float, axis: Sequence[float] = AXIS) -> Member:
    """Return the member that evidence makes of the curves (n, L) at two points."""
    curves = [[[Reading(float(y), step, False) for y in curve] for curve in side] for side in (at, base)]
    found = [optimum_shift(axis, a, b) for a, b in zip(*curves, strict=True)]
    places = [tuple(stats.argmax_along(axis, list(curve)) for curve in side) for side in (at, base)]
    return member(
        [one.value for one in found], step=found[0].step, arms=tuple(places), levels=tuple(map(float, axis)),
        curves=tuple(map(tuple, at.tolist())), others=tuple(map(tuple, base.tolist())), curve_step=step,
    )  # fmt: skip


def shift_none(noise: float) -> Draw:
    curve = -0.01 * (np.arange(7) - 3.0) ** 2

    def draw(rng: np.random.Generator, n: int) -> Check:
        at, base = (curve + rng.normal(0, noise, (n, 7)) for _ in range(2))
        return judged(SHIFT, shifted(at, base, 0.0), effect=MOVED)

    return draw


def shift_slope(rng: np.random.Generator, n: int) -> Check:
    """What stands next to a shift: the slope of what the one point has over the other."""
    one = shifted(flat_curves(rng, n, 7), flat_curves(rng, n, 7), 1e-4)
    found: Check = kind_of(SHIFT).beside(SHIFT, [one], [], [])["slope"][0]
    return found


# ---- correlations ----


def correlated(low: float, unit: str) -> parts.Correlation:
    return parts.Correlation(kind="correlation", effect="e", region=(low, None), unit=unit)  # type: ignore[arg-type]


def points(coefficient: str, n_points: int, r: float) -> Draw:
    """Bivariate normal points on the edge; n counts points. Spearman's own r is 6/π·asin(r/2)."""
    part = correlated(r if coefficient == "pearson" else 6 / math.pi * math.asin(r / 2), "point")
    effect = Effect.model_validate(
        {"metric": "test_accuracy", "with": "train_accuracy", "along": {"axis": coefficient}}
    )

    def draw(rng: np.random.Generator, _n: int) -> Check:
        x = rng.normal(size=n_points)
        y = r * x + math.sqrt(1 - r * r) * rng.normal(size=n_points)
        return judged(part, member([0.0], curves=(tuple(x.tolist()),), others=(tuple(y.tolist()),)), effect=effect)

    return draw


def one_r(rng: np.random.Generator, coefficient: str) -> Reading:
    """A seed's own r over eight points of the grid, as evidence makes it."""
    x = rng.normal(size=8)
    y = 0.6 * x + 0.8 * rng.normal(size=8)
    sides = [[Reading(float(v), 0.0, False) for v in side] for side in (x, y)]
    return correlate(coefficient, *sides)


@cache
def true_r_of_seeds(coefficient: str) -> float:
    """tanh of the mean ζ of a seed's r, from 20,000 of them."""
    rng = np.random.default_rng(7)
    return math.tanh(statistics.fmean(math.atanh(one_r(rng, coefficient).value) for _ in range(20_000)))


def r_of_seeds(coefficient: str) -> Draw:
    effect = Effect.model_validate(
        {"metric": "test_accuracy", "with": "train_accuracy", "along": {"axis": coefficient}}
    )

    def draw(rng: np.random.Generator, n: int) -> Check:
        found = [one_r(rng, coefficient) for _ in range(n)]
        one = member([r.value for r in found], step=found[0].step)
        return judged(correlated(true_r_of_seeds(coefficient), "seed"), one, effect=effect)

    return draw


PAIRS = np.triu_indices(3, 1)


def median_r(rng: np.random.Generator, n: int, spread: float) -> np.ndarray:
    """(n,) the median, over the pairs of three networks, of r = 1/√((1 + v1)(1 + v2)), v = own variance."""
    v = np.exp(rng.normal(math.log(0.5), spread, (n, 3))) ** 2
    r = 1 / np.sqrt((1 + v[:, :, None]) * (1 + v[:, None, :]))
    return np.median(r[:, PAIRS[0], PAIRS[1]], axis=1)


def pairs_of_networks(spread: float) -> Draw:
    part = correlated(math.tanh(np.arctanh(median_r(np.random.default_rng(7), 400_000, spread)).mean()), "seed")
    effect = Effect(metric="aul_pearson", along={"axis": "pairs"})
    return lambda rng, n: judged(part, member(median_r(rng, n, spread)), effect=effect)


# ---- counts, ratios, several checks ----


def every_run(pi: float) -> Draw:
    part = parts.EveryRun(kind="every_run_above", effect="e", threshold=0.5, pi=pi)
    return lambda rng, n: judged(part, member((rng.random(n) < pi).astype(float)))


def can_reach(best_of: int) -> Draw:
    """Runs reach it as often as makes the best of k do so half the time: the edge of what is claimed."""
    rate = 1 - 0.5 ** (1 / best_of)
    part = parts.CanReach(kind="can_reach", effect="e", threshold=0.5, best_of=best_of)
    return lambda rng, n: judged(part, member((rng.random(n) < rate).astype(float)))


def ratio_on_edge(rng: np.random.Generator, n: int) -> Check:
    machine = rng.lognormal(0, 0.2, n)  # shared by the two of a pair
    slow, quick = 2.25 * machine * rng.lognormal(0, 0.02, n), machine * rng.lognormal(0, 0.02, n)
    one = member(np.log(slow) - np.log(quick), arms=(tuple(slow.tolist()), tuple(quick.tolist())))
    return judged(parts.Ratio(kind="ratio", effect="e", region=(1.75, 2.25)), one)


def exponent_on_edge(rng: np.random.Generator, n: int) -> Check:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    one = reduced("exponent", x.tolist(), 3 * x**1.5 * rng.lognormal(0, 0.1, (n, 4)), 0.0)
    effect = Effect(metric="test_loss", along={"axis": "exponent"})
    return judged(parts.Scaling(kind="scaling", effect="e", region=(1.0, 1.5)), one, effect=effect)


def crossing_on_edge(rng: np.random.Generator, n: int) -> Check:
    """Where a straight curve gets to a level, seeds a little apart: by the seed's shift, on the edge."""
    levels = [1.0, 2.0, 3.0, 4.0, 5.0]
    late = rng.normal(0, 0.2, n)
    curves = [[Reading(0.1 * (x - d), 1e-4, False) for x in levels] for d in late]
    found = [reduce("crossing", levels, curve, Goal(0.3, True)) for curve in curves]
    one = member([r.value for r in found], step=max(r.step for r in found))
    return judged(parts.Within(kind="within", effect="e", region=(2.0, 3.0)), one)


def table_with(agreeing: int, at_least: int) -> Draw:
    """Six cells that share draws (correlation .6): `agreeing` clearly do, the rest lie on their edge."""
    cells = {f"r{j}": {"axis": j} for j in range(6)}
    part = parts.Table(kind="table", effect="e", cells=cells, margin=5.0, because="simulated", at_least=at_least)
    printed = [Number(0.0, 0.01, 1.0, 0.01, "sd", 100, None)] * 6  # exact enough to be no luck

    def draw(rng: np.random.Generator, n: int) -> Check:
        shared = rng.normal(0, math.sqrt(0.6), n)
        found = [member(shared + rng.normal(0, math.sqrt(0.4), n) + (0.0 if j < agreeing else 5.0)) for j in range(6)]
        return judged(part, *found, numbers=printed)

    return draw


def all_of(gaps: tuple[float, ...]) -> Draw:
    """A claim of several parts, truly `gaps` above 0 (sd 1); adjacent parts share an arm and so correlate at -½."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        arms = rng.normal(0, math.sqrt(0.5), (len(gaps) + 1, n))
        result = judged_study([[arms[j] - arms[j + 1] + gap for j, gap in enumerate(gaps)]])
        return result.claims[0].check

    return draw


def study_at_edges(rng: np.random.Generator, n: int) -> Check:
    """Twenty claims on their edges; "contradicted" here means that at least one of them is."""
    result = judged_study([[rng.normal(0, 1, n)] for _ in range(20)])
    accused = any(claim.verdict == Verdict.CONTRADICTED for claim in result.claims)
    return Check(kind="study", p_contradicted=float(not accused))


def looks_at_edge(rng: np.random.Generator, n: int) -> Check:
    result = judged_study([[rng.normal(0, 1, n)]], looks=(4, 6, 10))
    verdict = result.claims[0].verdict
    for_it, against = float(verdict != Verdict.REPRODUCED), float(verdict != Verdict.CONTRADICTED)
    return Check(kind="looks", p_reproduced=for_it, p_contradicted=against)
