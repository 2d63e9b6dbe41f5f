"""Worlds in which seeds are not near normal, or a verdict depends on more than them: long tails, a bad run now and
then, two modes, spread that grows, a rate chosen on one seed, seeds added until it is decided.

As in `worlds`, the truth lies on an edge. "About a typical run": the median of the seeds is on the edge, which is what
a claim is about. "About the mean": the mean is; no rule for a handful of seeds can hold that (Bahadur & Savage 1956),
and these worlds show how wrong a reader would be who takes a verdict for one about the mean.
"""

from __future__ import annotations

import math
from functools import cache
from types import SimpleNamespace

import numpy as np
from scipy.special import ndtri

from lnbench.plan import Choice
from lnbench.spec import Effect, parts
from lnbench.stats import Check, Verdict
from tests.calibration.simulated import judged, judged_study, member, reduced
from tests.calibration.worlds import AXIS, MOVED, SHIFT, Draw, above, correlated, same, shifted

BAD = 0.1  # the share of bad runs
LATE = 0.01 * float(ndtri(0.5 / (1 - BAD)))  # of good runs (sd .01), how far their mean lies above the median of all


def bad_run(kind: str, *, typical: bool) -> Draw:
    """One run in ten loses 20 points and does not collapse; good runs have an sd of one point."""
    edge = LATE if typical else 0.2 * BAD
    part = {
        "above": above(0.9),
        "ordered": parts.Ordered(kind="ordered", effect="e", delta=0.9),
        "mean": parts.Within(kind="within", effect="e", region=(0.9, 1.0)),
        "equivalent": same(0.1),
    }[kind]

    def draw(rng: np.random.Generator, n: int) -> Check:
        good = rng.normal(edge, 0.01, n)
        values = np.where(rng.random(n) < BAD, good - 0.2, good)
        # a difference whose upper edge is crossed by a bad run of the lower arm
        moved = 0.1 - values if kind == "equivalent" else 0.9 + values
        return judged(part, member(moved, step=1e-4))

    return draw


def lognormal_loss(*, typical: bool) -> Draw:
    """A loss whose log is normal (sd 1) below a number."""
    edge = 1.0 if typical else math.exp(0.5)
    part = above(edge).model_copy(update={"kind": "below"})
    return lambda rng, n: judged(part, member(rng.lognormal(0, 1, n)), effect=Effect(metric="test_loss"))


def two_modes(rng: np.random.Generator, n: int) -> Check:
    """Half of all runs end in a better mode, half in a worse one; mean and median lie between."""
    return judged(above(0.9), member(0.9 + 0.05 * rng.choice([-1, 1], n) + rng.normal(0, 0.002, n), step=1e-4))


def two_modes_about_a_margin(rng: np.random.Generator, n: int) -> Check:
    return judged(same(0.01), member(0.05 * rng.choice([-1, 1], n) + rng.normal(0, 0.002, n), step=1e-4))


def skewed_arm(rng: np.random.Generator, n: int) -> Check:
    """One arm has an exponential lower tail three times as wide as the other's spread; the median on the margin."""
    values = 3 * (1 - rng.exponential(1.0, n)) - rng.normal(0, 1.0, n)
    return judged(same(2.0), member(2.0 - skewed_median() + values))


@cache
def skewed_median() -> float:
    rng = np.random.default_rng(1)
    return float(np.median(3 * (1 - rng.exponential(1.0, 10**6)) - rng.normal(0, 1.0, 10**6)))


def growing_curves(rng: np.random.Generator, n: int) -> np.ndarray:
    """Curves (n, 5) whose mean is flat, and whose spread grows and has a long lower tail."""
    return 0.9 + 0.01 * np.arange(5) * (1 - rng.exponential(1.0, (n, 5))) + rng.normal(0, 0.002, (n, 5))


@cache
def growing_slope() -> float:
    """The slope of a typical one of these curves."""
    curves = growing_curves(np.random.default_rng(1), 400_000)
    return float(np.median((curves * (np.arange(5) - 2.0)).sum(axis=1) / 10))


def growing_spread(*, typical: bool) -> Draw:
    part = parts.Trend(kind="trend", effect="e", direction="up")
    effect = Effect(metric="test_accuracy", along={"axis": "slope"})

    def draw(rng: np.random.Generator, n: int) -> Check:
        curves = growing_curves(rng, n) - (growing_slope() * np.arange(5) if typical else 0.0)
        return judged(part, reduced("slope", range(5), curves, 1e-4), effect=effect)

    return draw


def ratio_of(*, typical: bool) -> Draw:
    """Two times whose ratio varies by a factor: the typical ratio, or that of the two means, on the edge."""
    edge = 2.0 if typical else 2.0 * math.exp(0.5 * (0.8**2 - 0.2**2))

    def draw(rng: np.random.Generator, n: int) -> Check:
        slow, quick = 2 * rng.lognormal(0, 0.8, n), rng.lognormal(0, 0.2, n)
        one = member(np.log(slow) - np.log(quick), arms=(tuple(slow.tolist()), tuple(quick.tolist())))
        return judged(parts.Ratio(kind="ratio", effect="e", region=(edge, None)), one)

    return draw


def unequal_noise(place: float) -> Draw:
    """One curve seen twice, once with ten times the noise; its optimum at a place of seven."""
    curve = -0.01 * (np.arange(7) - place) ** 2

    def draw(rng: np.random.Generator, n: int) -> Check:
        at, base = (curve + rng.normal(0, noise, (n, 7)) for noise in (0.03, 0.003))
        return judged(SHIFT, shifted(at, base, 0.0, AXIS), effect=MOVED)

    return draw


def share_of(examples: int, rate: float, *, spread: float = 0.0) -> Draw:
    """Shares of counted examples at a rate, which may vary from run to run (`spread`: sd of its logit)."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        logit = math.log(rate / (1 - rate)) + spread * rng.normal(size=n)
        hits = rng.binomial(examples, 1 / (1 + np.exp(-logit)))
        return judged(above(rate), member(hits / examples, step=1 / examples, counted=(examples,) * n))

    return draw


def odd_points(kind: str, n_points: int, r: float) -> Draw:
    """Points that are not normal; Pearson's r of all of them is on the edge."""
    part = correlated(r, "point")
    effect = Effect.model_validate({"metric": "test_accuracy", "with": "train_accuracy", "along": {"axis": "pearson"}})

    def draw(rng: np.random.Generator, _n: int) -> Check:
        a = rng.normal(size=n_points)
        noise = rng.exponential(size=n_points) - 1 if kind == "skewed noise" else rng.normal(size=n_points)
        b = r * a + math.sqrt(1 - r * r) * noise
        if kind == "long tails":  # Student's t of 5 degrees of freedom, both columns together
            scale = np.sqrt(5 / rng.chisquare(5, n_points))
            a, b = a * scale, b * scale
        return judged(part, member([0.0], curves=(tuple(a.tolist()),), others=(tuple(b.tolist()),)), effect=effect)

    return draw


def chosen_rate(*, best: bool) -> Draw:
    """Four learning rates, chosen by one run of each; seeds have an sd of one. The threshold is what the best rate
    gives on average, or what the chosen one gives."""
    gains = np.array([0.0, -0.5, -1.0, -1.5])
    tried_rates = tuple((rate, (SimpleNamespace(id=str(rate)),)) for rate in range(4))
    choice = Choice("optimizer.lr", "val_accuracy", {}, tried_rates)  # type: ignore[arg-type]

    def draw(rng: np.random.Generator, n: int) -> Check:
        tried = gains + rng.normal(0, 1, 4)
        outcomes = {str(i): {"status": "ok", "curves": {"val_accuracy": [float(x)]}} for i, x in enumerate(tried)}
        truth = float(gains[int(choice.decide(outcomes)["chosen"])])
        edge = 0.0 if best else truth
        return judged(above(edge), member(rng.normal(truth, 1, n)))

    return draw


def all_of_odd(law: str, parts_: int) -> Draw:
    """A claim of several parts that each ask for a difference above 0, where the median of each lies: with a long tail
    on either side, or in one of two far modes."""
    laws = {
        "lower tail": lambda rng, n: math.log(2) - rng.exponential(1.0, n),
        "upper tail": lambda rng, n: rng.exponential(1.0, n) - math.log(2),
        "two far modes": lambda rng, n: 0.05 * rng.choice([-1, 1], n) + rng.normal(0, 0.002, n),
    }

    def draw(rng: np.random.Generator, n: int) -> Check:
        return judged_study([[laws[law](rng, n) for _ in range(parts_)]]).claims[0].check

    return draw


def seeds_added(rng: np.random.Generator, n: int) -> Check:
    """Five seeds are planned; whoever is not content adds one after the other, up to `n`, until it is decided."""
    values = rng.normal(0, 1, n)
    for run in range(5, n + 1):
        verdict = judged_study([[values[:run]]], (5,)).claims[0].verdict
        if verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
            break
    return _as_check(verdict)


def seeds_added_and_judged(rng: np.random.Generator, n: int) -> Check:
    """The same, each number of seeds judged as if it had been planned."""
    values = rng.normal(0, 1, n)
    part = parts.Ordered(kind="ordered", effect="e")
    checks = (judged(part, member(values[:run])) for run in range(5, n + 1))
    return next((check for check in checks if not check.verdict().open), Check(kind="ordered"))


def looks_with_a_tail(looks: tuple[int, ...]) -> Draw:
    """Planned looks at seeds with a long lower tail, their median on the edge."""

    def draw(rng: np.random.Generator, n: int) -> Check:
        result = judged_study([[math.log(2) - rng.exponential(1.0, n)]], looks=looks)
        return _as_check(result.claims[0].verdict)

    return draw


def _as_check(verdict: str) -> Check:
    for_it, against = float(verdict != Verdict.REPRODUCED), float(verdict != Verdict.CONTRADICTED)
    return Check(kind="study", p_reproduced=for_it, p_contradicted=against)
