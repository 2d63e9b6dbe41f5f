"""Numbers about scores of two known groups, clean and mislabeled: ranking, overlap, shape, agreement.

Scores are (n,) and higher is more suspect; wrong (n,) bool says which examples are mislabeled. None: the number does
not exist (a group is empty, nothing varies).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from scipy.special import ndtr, ndtri
from scipy.stats import kurtosis, skew

from lnbench.loss_curves.entries import PAIRS
from lnbench.loss_curves.scores import Array
from lnbench.stats import coefficient_of
from lnbench.stats.seeds import Floats, Mask, nearly_equal

FEWEST = 4  # examples of a group whose shape is looked at
LEAST_PROMINENCE = 0.05  # of the highest mode: a mode that rises less above its valley is taken for chance
PAIR_SEED, PAIRS_FROM = 0, 10  # pairs are compared from this epoch on


def placements(below: Array, above: Array) -> Floats:
    """Return, for each of `above`, the share of `below` that is less than it, ties counted half. Both are sorted."""
    left = np.searchsorted(below, above, side="left")
    right = np.searchsorted(below, above, side="right")
    return np.asarray((left + right) / (2 * below.size))


def roc_auc(scores: Array, wrong: Mask) -> float | None:
    """Return P(mislabeled above clean) + ½ P(equal): the area under the ROC curve, by mid-ranks (Mann & Whitney
    1947)."""
    clean, mislabeled = np.sort(scores[~wrong]), np.sort(scores[wrong])
    return float(placements(clean, mislabeled).mean()) if clean.size and mislabeled.size else None


def auc_interval(scores: Array, wrong: Mask, *, level: float = 0.95) -> tuple[float, float] | None:
    """Return DeLong's interval of the ROC AUC (DeLong, DeLong & Clarke-Pearson 1988), kept within [0, 1].

    AUC ± z·√(S10/m + S01/n), S10 and S01 the variances (m - 1, n - 1) of the placements of mislabeled among clean
    examples and of clean among mislabeled. It covers the luck of the examples, for scores that are given: not another
    training. None with fewer than two of either group; of width 0 where the groups do not overlap.
    """
    clean, mislabeled = np.sort(scores[~wrong]), np.sort(scores[wrong])
    if min(clean.size, mislabeled.size) < 2:
        return None
    of_mislabeled, of_clean = placements(clean, mislabeled), placements(mislabeled, clean)
    se = math.sqrt(of_mislabeled.var(ddof=1) / mislabeled.size + of_clean.var(ddof=1) / clean.size)
    auc, z = float(of_mislabeled.mean()), float(ndtri((1 + level) / 2))
    return max(0.0, auc - z * se), min(1.0, auc + z * se)


def precision_recall(predicted: Mask, wrong: Mask) -> tuple[float | None, float | None]:
    """Return the share of the predicted that are mislabeled, and the share of the mislabeled that are predicted.

    Both None unless there are clean and mislabeled examples; precision None where nothing is predicted.
    """
    if wrong.all() or not wrong.any():
        return None, None
    hits = int(np.count_nonzero(predicted & wrong))
    n_predicted = int(np.count_nonzero(predicted))
    return (hits / n_predicted if n_predicted else None), hits / int(np.count_nonzero(wrong))


def recall_of_top(scores: Array, wrong: Mask, times: float = 2.0) -> float | None:
    """Return the share of the mislabeled among the highest `times` × (number mislabeled) scores; None unless both
    groups exist.

    Scores that are tied for the last places share them, as if ties were broken at random.
    """
    n_wrong = int(np.count_nonzero(wrong))
    if not 0 < n_wrong < wrong.size:
        return None
    places = min(round(times * n_wrong), wrong.size)
    last = np.partition(scores, wrong.size - places)[wrong.size - places]
    above, level = scores > last, scores == last
    share = (places - np.count_nonzero(above)) / np.count_nonzero(level)
    return float((np.count_nonzero(above & wrong) + share * np.count_nonzero(level & wrong)) / n_wrong)


def cohen_distance(scores: Array, wrong: Mask) -> float | None:
    """Return (mean of the mislabeled - mean of the clean)/√((s² + s²)/2), variances by n - 1 (Cohen 1988)."""
    clean, mislabeled = _as_floats(scores[~wrong]), _as_floats(scores[wrong])
    if min(clean.size, mislabeled.size) < 2:
        return None
    pooled = math.sqrt((clean.var(ddof=1) + mislabeled.var(ddof=1)) / 2)
    return float((mislabeled.mean() - clean.mean()) / pooled) if pooled > 0 else None


def mean_distance(scores: Array, wrong: Mask) -> float | None:
    """Return the mean of the mislabeled minus the mean of the clean, in the unit of the scores."""
    clean, mislabeled = _as_floats(scores[~wrong]), _as_floats(scores[wrong])
    return float(mislabeled.mean() - clean.mean()) if clean.size and mislabeled.size else None


def density_modes(scores: Array) -> list[float]:
    """Return where the kernel density estimate of the scores has its modes, the highest first.

    Gaussian kernel, bandwidth .9·min(sd, IQR/1.34)·n^(-1/5) (Silverman 1986, eq. 3.31), on bins of an eighth of it. A
    mode counts if it rises above its valley by at least 5 % of the highest one. Nothing varies: none.
    """
    x = _as_floats(scores)
    if x.size < FEWEST or nearly_equal(x):
        return []
    spread = float(np.subtract(*np.quantile(x, [0.75, 0.25]))) / 1.34
    sd = float(x.std(ddof=1))
    bandwidth = 0.9 * (min(sd, spread) or sd) * x.size**-0.2
    low, high = float(x.min()) - 5 * bandwidth, float(x.max()) + 5 * bandwidth
    bins = int(min(math.ceil(8 * (high - low) / bandwidth), 2**18))
    counts, edges = np.histogram(x, bins=bins, range=(low, high))
    density = gaussian_filter1d(counts.astype(np.float64), bandwidth / (edges[1] - edges[0]), mode="constant")
    peaks, _ = find_peaks(np.pad(density, 1), prominence=LEAST_PROMINENCE * float(density.max()))
    peaks = peaks - 1  # padded, so that a mode in the outermost bin has two sides
    highest_first = peaks[np.argsort(-density[peaks], kind="stable")]
    return [float((edges[k] + edges[k + 1]) / 2) for k in highest_first]


def mode_distance(scores: Array) -> float | None:
    """Return the distance of the two highest modes of `density_modes`, in the unit of the scores; None if there is
    one."""
    modes = density_modes(scores)
    return abs(modes[1] - modes[0]) if len(modes) > 1 else None


def normal_distance(group: Array) -> float | None:
    """Return sup|F_n - Φ((x - mean)/sd)|, the Kolmogorov–Smirnov distance from the group's own normal; sd by n."""
    x = np.sort(_as_floats(group))
    if x.size < FEWEST or nearly_equal(x):
        return None
    fitted = ndtr((x - x.mean()) / x.std())
    step = np.arange(x.size + 1) / x.size
    return float(max(np.max(step[1:] - fitted), np.max(fitted - step[:-1])))


def shape(group: Array) -> tuple[float | None, float | None]:
    """Return skewness m3/m2^1.5 and excess kurtosis m4/m2² - 3 of a group; 0 and 0 for a normal."""
    x = _as_floats(group)
    if x.size < FEWEST or nearly_equal(x):
        return None, None
    return float(skew(x)), float(kurtosis(x))


def random_pairs(wrong: Mask) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (1000,) numbers of clean examples and as many of mislabeled ones, drawn with replacement, always the
    same."""
    clean, mislabeled = np.flatnonzero(~wrong), np.flatnonzero(wrong)
    if not clean.size or not mislabeled.size:
        return None
    rng = np.random.default_rng(PAIR_SEED)
    return clean[rng.integers(0, clean.size, PAIRS)], mislabeled[rng.integers(0, mislabeled.size, PAIRS)]


def pair_order(clean: Array, mislabeled: Array) -> float:
    """Return the share of pairs whose clean example is below at every epoch t ≥ 10; at every epoch where there are
    fewer than 10.

    Both (epochs, pairs).
    """
    begin = PAIRS_FROM - 1 if clean.shape[0] >= PAIRS_FROM else 0
    return float(np.mean((clean[begin:] < mislabeled[begin:]).all(axis=0)))


def roughness(curves: Array) -> float | None:
    """Return mean|second difference|/range of each curve, the median over curves (epochs, n); 0 is a straight line.

    Curves that do not vary have none. None with fewer than three epochs.
    """
    if curves.shape[0] < 3:
        return None
    span = np.ptp(curves, axis=0)
    bends = np.abs(np.diff(curves, n=2, axis=0)).mean(axis=0)
    return float(np.median(bends[span > 0] / span[span > 0])) if (span > 0).any() else None


def running_mean(curves: Array) -> Floats:
    """Return (epochs, n) means over epochs 1..t: AUL over t, the AUL of each epoch on the scale of a loss."""
    return np.asarray(np.cumsum(curves, axis=0, dtype=np.float64) / np.arange(1, len(curves) + 1)[:, None])


def correlation_of(a: Array, b: Array, coefficient: str = "pearson") -> float | None:
    """Return Pearson's r or Spearman's over examples (`stats.coefficient_of`); None where one side does not vary."""
    r = coefficient_of(_as_floats(a), _as_floats(b), coefficient)
    return r if math.isfinite(r) else None


def _as_floats(values: Array) -> Floats:
    return np.asarray(values, dtype=np.float64)
