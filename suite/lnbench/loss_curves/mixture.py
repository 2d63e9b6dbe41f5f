"""Two groups of scores without knowing the labels: a two-component Gaussian mixture, and what it says of each example.

The AUL paper fits two one-dimensional Gaussians to all AULs by EM. Standardising, the k-means starts and their number,
the tolerances and the guard are choices of this suite.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lnbench.stats import Mixture, ashman_d
from lnbench.stats.seeds import Floats, Values, as_seeds, nearly_equal

Pair = tuple[float, float]
FEWEST = 4  # values: two Gaussians have five parameters, and fewer values than 4 make no two groups
CLEARLY_APART = 2.0  # Ashman et al. (1994): above this D two groups are clearly apart
RESTARTS, ITERATIONS, TOLERANCE, LEAST_VARIANCE = 10, 200, 1e-4, 1e-6  # of the standardised scores


class NothingToSplit(ValueError):
    """These scores cannot be split into two groups; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Split:
    """Two Gaussians fitted to scores, the lower mean first, in the unit of the scores.

    gain_of_two: BIC of one Gaussian less that of these two (2 against 5 parameters; Schwarz 1978); above 0 two fit
    better. converged: EM converged within its iterations.
    """

    mixture: Mixture
    gain_of_two: float
    converged: bool

    @property
    def ashman(self) -> float:
        """Return Ashman's D of the two (`stats.ashman_d`)."""
        return ashman_d(self.mixture)

    @property
    def groups(self) -> int:
        """Return 2 where D > 2, the density has two maxima and the BIC prefers two Gaussians; else 1.

        Of one group, a mixture still gives weights and responsibilities, and they mean nothing.
        """
        return 2 if self.ashman > CLEARLY_APART and has_two_maxima(self.mixture) and self.gain_of_two > 0 else 1

    def responsibilities(self, scores: Values, *, guard: bool = True) -> Floats:
        """Return (n,) how far each score belongs to the upper Gaussian, in [0, 1]: the posterior of that component.

        Of Gaussians of unequal variance the wider one wins on both sides, so the posterior is not monotone in the
        score: the least suspect example may count as mislabeled. With `guard` it is 0 below the lower mean and 1
        above the upper one. Between the two it rises anyway, as d(log odds)/dx = (x - m0)/s0² + (m1 - x)/s1² > 0;
        a running maximum removes what rounding does to that. The guard is not in the paper. NaN for a score of NaN.
        """
        x = as_seeds(scores, "scores")
        (w0, w1), (m0, m1), (s0, s1) = self.mixture.weights, self.mixture.means, self.mixture.sds
        log_odds = math.log(w1 / w0) + math.log(s0 / s1) + ((x - m0) / s0) ** 2 / 2 - ((x - m1) / s1) ** 2 / 2
        z = np.asarray(expit(log_odds), dtype=np.float64)
        if not guard:
            return z
        z = np.where(x < m0, 0.0, np.where(x > m1, 1.0, z))
        order = np.argsort(x, kind="stable")  # NaN last
        z[order] = np.maximum.accumulate(z[order])
        return z

    def noise(self, scores: Values, *, guard: bool = True) -> float:
        """Return the estimated share of mislabeled examples: the mean responsibility (the AUL paper)."""
        return float(self.responsibilities(scores, guard=guard).mean())


def fit_split(scores: Values) -> Split:
    """Fit the mixture of two Gaussians to the scores (n,), by scikit-learn's EM.

    Scores are standardised; ten k-means starts from a fixed seed, the likeliest fit wins; at most 200 iterations,
    tolerance 1e-4, 1e-6 added to variances. The order of the scores and the number of threads do not enter. Raises
    NothingToSplit for fewer than 4 values, for one that is not finite, and for scores that are all equal. Whether
    there are two groups at all is another question: `Split.groups`.
    """
    x = np.sort(_splittable(scores))  # the random starts are then the same for any order of the examples
    center, scale = float(x.mean()), float(x.std())
    with threadpool_limits(1):  # k-means sums one chunk per thread, so the last bits depend on the number of threads
        return _as_split(*_em((x - center) / scale), x, center, scale)


def _splittable(scores: Values) -> Floats:
    x = as_seeds(scores, "scores")
    bad = int(np.count_nonzero(~np.isfinite(x)))
    if bad:
        raise NothingToSplit(f"{bad} of {x.size} scores are not finite")
    if x.size < FEWEST:
        raise NothingToSplit(f"{x.size} scores are too few for two groups: at least {FEWEST} are needed")
    if nearly_equal(x) or not math.isfinite(float(x.std())) or x.std() == 0:
        raise NothingToSplit(f"all {x.size} scores are equal")
    return x


def _em(z: Floats) -> tuple[Mixture, bool]:
    """Fit standardised scores (n,). Return the mixture and whether EM converged; its log-likelihood is the mean one."""
    model = GaussianMixture(
        2,
        n_init=RESTARTS,
        max_iter=ITERATIONS,
        tol=TOLERANCE,
        reg_covar=LEAST_VARIANCE,
        random_state=0,
        init_params="kmeans",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `converged` says it
        model.fit(z[:, None])
    order = np.argsort(model.means_[:, 0], kind="stable")
    weights, means = model.weights_[order].tolist(), model.means_[order, 0].tolist()
    sds = np.sqrt(model.covariances_[order, 0, 0]).tolist()
    found = Mixture(tuple(weights), tuple(means), tuple(sds), float(model.score(z[:, None])))
    return found, bool(model.converged_)


def _em_from(z: Floats, start: Mixture) -> tuple[Mixture, bool]:
    """Return scikit-learn's fit of standardised scores (n,) from `start` (on the same scale), as `_em` does: several
    times as fast, as the odds of two Gaussians in one dimension are the exponential of a parabola."""
    weights, means, variances = start.weights, start.means, (start.sds[0] ** 2, start.sds[1] ** 2)
    square, before, converged = z * z, -math.inf, False
    for _ in range(ITERATIONS):
        odds, now = _odds(z, square, weights, means, variances)
        upper = expit(odds)
        parts = []
        for share in (1 - upper, upper):
            count = float(share.sum()) + 10 * np.finfo(np.float64).eps
            mean = float(share @ z) / count
            parts.append((count / z.size, mean, float(share @ (z - mean) ** 2) / count + LEAST_VARIANCE))
        (w0, m0, v0), (w1, m1, v1) = parts
        weights, means, variances = (w0, w1), (m0, m1), (v0, v1)
        if converged := abs(now - before) < TOLERANCE:
            break
        before = now
    _, end = _odds(z, square, weights, means, variances)
    low, high = (0, 1) if means[0] <= means[1] else (1, 0)
    sds = math.sqrt(variances[low]), math.sqrt(variances[high])
    return Mixture((weights[low], weights[high]), (means[low], means[high]), sds, end), converged


def _odds(z: Floats, square: Floats, weights: Pair, means: Pair, variances: Pair) -> tuple[Floats, float]:
    """Return the log odds (n,) of the second Gaussian over the first, and the mean log-likelihood of the two."""
    (w0, w1), (m0, m1), (v0, v1) = weights, means, variances
    constant = math.log(w1 / w0) + (math.log(v0 / v1) + m0 * m0 / v0 - m1 * m1 / v1) / 2
    odds = (1 / v0 - 1 / v1) / 2 * square + (m1 / v1 - m0 / v0) * z + constant
    first = math.log(w0) - math.log(2 * math.pi * v0) / 2 - float(np.mean((z - m0) ** 2)) / v0 / 2
    return odds, first + float(np.mean(np.logaddexp(0.0, odds)))


def _as_split(found: Mixture, converged: bool, x: Floats, center: float, scale: float) -> Split:
    """Return the split in the unit of x (n,); what was found is of (x - center)/scale."""
    n = x.size
    two = found.log_likelihood * n - n * math.log(scale)
    one = -0.5 * n * (math.log(2 * math.pi * float(x.var())) + 1)
    means = (float(center + scale * found.means[0]), float(center + scale * found.means[1]))
    mixture = Mixture(found.weights, means, (float(scale * found.sds[0]), float(scale * found.sds[1])), two)
    return Split(mixture, 2 * (two - one) - 3 * math.log(n), converged)


def has_two_maxima(mixture: Mixture) -> bool:
    """Return whether the density of the mixture has two maxima, not one; exact.

    All critical points lie between the means. With u the place there, 0 at the lower mean and 1 at the upper one, and
    a, b = the gap² over the two variances, the density rises where h(u) = log of (the lower Gaussian's fall over the
    upper one's rise) is below 0. h runs from -∞ to ∞, and turns where (b - a)u³ + (a - 2b)u² + b·u = 1: there are two
    maxima where it is above 0 at a turn and below 0 at a later one.
    """
    (w0, w1), (m0, m1), (s0, s1) = mixture.weights, mixture.means, mixture.sds
    gap = m1 - m0
    if not gap > 0 or min(w0, w1) <= 0:
        return False
    a, b = (gap / s0) ** 2, (gap / s1) ** 2

    def h(u: float) -> float:
        fall = math.log(w0 * u) - 3 * math.log(s0) - a * u**2 / 2
        return fall - (math.log(w1 * (1 - u)) - 3 * math.log(s1) - b * (1 - u) ** 2 / 2)

    roots = np.roots([b - a, a - 2 * b, b, -1.0])
    turns = sorted(float(r.real) for r in roots if abs(r.imag) <= 1e-9 * abs(r) and 0 < r.real < 1)
    return len(turns) >= 2 and h(turns[0]) > 0 > h(turns[-1])


@dataclass(frozen=True, slots=True)
class NoiseInterval:
    """An estimated share of mislabeled examples, and where it might have come out with other examples."""

    estimate: float
    low: float
    high: float
    level: float
    resamples: int


def noise_interval(
    scores: Values,
    *,
    guard: bool = True,
    level: float = 0.95,
    resamples: int = 100,
    at_most: int = 10_000,
    seed: int = 0,
) -> NoiseInterval:
    """Return a seeded bootstrap interval, over examples, of the noise estimate of `fit_split` and `Split.noise`.

    Each resample draws m = min(n, at_most) scores with replacement and fits the mixture, starting from that of all
    scores. Where the resample is one group (a small upper group is often not drawn at all), the new fit would split the
    clean scores in two, so its share is that which the mixture of all scores gives it. The deviations from the estimate
    shrink by √(m/n) (m out of n: Bickel, Götze & van Zwet 1997), and the interval takes their quantiles.

    It covers the luck of which examples were drawn from their population. It does not cover the method's own bias
    (AUL over-estimates small noise: the groups are not Gaussian), nor another training (initialisation, order), nor
    another optimum of EM: for the first two, train on data whose noise is known, or train again. Where
    `Split.groups` is 1, estimate and interval mean nothing. Raises NothingToSplit as `fit_split` does, and
    ValueError for a level outside (0, 1) or fewer than 2 resamples.
    """
    if not 0 < level < 1 or resamples < 2 or at_most < FEWEST:
        raise ValueError(f"level {level}, {resamples} resamples of {at_most}: expected 0 < level < 1, ≥ 2, ≥ {FEWEST}")
    x = np.sort(_splittable(scores))
    split = fit_split(x)
    estimate = split.noise(x, guard=guard)
    rng = np.random.default_rng(seed)
    m = min(x.size, at_most)
    with threadpool_limits(1):
        found = [_noise_again(split, x[np.sort(rng.integers(0, x.size, m))], guard) for _ in range(resamples)]
    deviations = np.array(found) - estimate
    shrink = math.sqrt(m / x.size)
    low, high = (estimate + shrink * float(np.quantile(deviations, (1 + side * level) / 2)) for side in (-1, 1))
    return NoiseInterval(estimate, max(0.0, low), min(1.0, high), level, resamples)


def _noise_again(split: Split, x: Floats, guard: bool) -> float:
    """Return the noise estimate of a resample (m,), sorted, fitted from where `split` stands; that of `split` itself
    where the resample is one group."""
    center, scale = float(x.mean()), float(x.std())
    if not nearly_equal(x) and scale > 0:
        again = _as_split(*_em_from((x - center) / scale, _on_scale(split.mixture, center, scale)), x, center, scale)
        if again.groups == 2:
            return again.noise(x, guard=guard)
    return split.noise(x, guard=guard)


def _on_scale(mixture: Mixture, center: float, scale: float) -> Mixture:
    """Return the mixture of (x - center)/scale, where `mixture` is that of x."""
    (m0, m1), (s0, s1) = mixture.means, mixture.sds
    return Mixture(mixture.weights, ((m0 - center) / scale, (m1 - center) / scale), (s0 / scale, s1 / scale), math.nan)
