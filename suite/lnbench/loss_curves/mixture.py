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
        return _as_split(_em((x - center) / scale, RESTARTS, None), x, center, scale)


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


def _em(z: Floats, restarts: int, start: Mixture | None) -> GaussianMixture:
    """Fit standardised scores (n,); from `start` (on the same scale) where there is one."""
    given = (
        {}
        if start is None
        else {
            "weights_init": np.array(start.weights),
            "means_init": np.array(start.means)[:, None],
            "precisions_init": (1 / np.array(start.sds) ** 2)[:, None, None],
            "init_params": "random_from_data",  # nothing reads it then, and it is quicker than k-means
        }
    )
    model = GaussianMixture(
        2,
        n_init=restarts,
        max_iter=ITERATIONS,
        tol=TOLERANCE,
        reg_covar=LEAST_VARIANCE,
        random_state=0,
        **{"init_params": "kmeans", **given},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `converged` says it
        return model.fit(z[:, None])


def _as_split(model: GaussianMixture, x: Floats, center: float, scale: float) -> Split:
    """Return the split in the unit of x (n,); the model is of (x - center)/scale."""
    n = x.size
    order = np.argsort(model.means_[:, 0], kind="stable")
    weights, means = model.weights_[order], model.means_[order, 0]
    sds = np.sqrt(model.covariances_[order, 0, 0])
    two = float(model.score(((x - center) / scale)[:, None])) * n - n * math.log(scale)
    one = -0.5 * n * (math.log(2 * math.pi * float(x.var())) + 1)
    mixture = Mixture(
        (float(weights[0]), float(weights[1])),
        (float(center + scale * means[0]), float(center + scale * means[1])),
        (float(scale * sds[0]), float(scale * sds[1])),
        two,
    )
    return Split(mixture, 2 * (two - one) - 3 * math.log(n), bool(model.converged_))


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
        again = _as_split(_em((x - center) / scale, 1, _on_scale(split.mixture, center, scale)), x, center, scale)
        if again.groups == 2:
            return again.noise(x, guard=guard)
    return split.noise(x, guard=guard)


def _on_scale(mixture: Mixture, center: float, scale: float) -> Mixture:
    """Return the mixture of (x - center)/scale, where `mixture` is that of x."""
    (w0, w1), (m0, m1), (s0, s1) = mixture.weights, mixture.means, mixture.sds
    weights = (w0 / (w0 + w1), w1 / (w0 + w1))  # scikit-learn asks that they sum to 1 up to rounding
    return Mixture(weights, ((m0 - center) / scale, (m1 - center) / scale), (s0 / scale, s1 / scale), math.nan)
