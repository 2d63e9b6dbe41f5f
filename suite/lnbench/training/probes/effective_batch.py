"""How many clean examples a batch of diluted ones is worth, by the direction of its gradient."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import cross_entropies
from lnbench.randomness import PROBE, below, u32
from lnbench.training.batches import Held
from lnbench.training.probes.at_shares import CLEAN_IMAGES, SINGLES, sizes_up_to
from lnbench.training.probes.looks import Shares
from lnbench.training.probes.probe import Training

CLEAN, DILUTED, WRONG, LABEL = 2, 3, 4, 5  # what is drawn under `PROBE`


class EffectiveBatch(Shares):
    """The effective batch size of Rolnick et al. 2018 (abstract, sections 1 and 5: "increasing noise in the training
    set reduces the effective batch size"), which they name and do not measure; so the measurement is ours.

    At a fixed state of the network, in evaluation mode, of the plain cross-entropy on whole images, whatever the run's
    method and noise. The pool are the first CLEAN_IMAGES clean training images (all, if there are fewer) with their
    true labels, and ḡ the mean gradient over them. All batches are drawn from the pool, with replacement, the same in
    every look. A diluted example has a uniform image, with its true label with probability 1/(1 + alpha), else one that
    is uniform over all classes: a random example of the paper's diluted data. The same draws serve every alpha, so that
    what is noisy at one is noisy at all higher ones. B_eff(alpha) is the size of the clean batch whose mean gradient
    has, on average, the cosine with ḡ that the mean gradient of `batch` diluted examples has.

    What is to be expected: let a clean example's gradient have mean ḡ and noise of variance τ₀ (summed over the
    weights), a diluted one's mean ḡ/(1 + alpha) (uniform labels cancel; exactly so where the network gives each class
    the same probability) and variance τ. In many dimensions the cosine of b clean ones is (1 + τ₀/(b |ḡ|²))^(−1/2),
    that of B diluted ones (1 + τ (1 + alpha)²/(B |ḡ|²))^(−1/2), and so

        B_eff = B τ₀ / (τ (1 + alpha)²).

    With τ = τ₀ the slope of log B_eff over log(1 + alpha) is −2: the signal shrinks by 1 + alpha, the noise stays. Were
    the noisy examples' gradients to cancel exactly, B/(1 + alpha) clean ones would be left, and the slope −1. Where
    every label gives a gradient of the same mean square s (a softmax regression with equal probabilities), τ =
    s − |ḡ|²/(1 + alpha)², and B_eff = B (s − |ḡ|²) / (s (1 + alpha)² − |ḡ|²): a little steeper than −2 at first. A
    network that has learnt something does not give each class the same probability; uniform labels then have a mean
    gradient of their own. Where it points against ḡ, as it does in a network that knows the classes, a diluted batch
    soon has a cosine below that of a single clean example, or below 0, and no effective size. Such a one is smaller
    than any other: a trend over alpha counts it so (`trend`), a slope has to leave it out.
    """

    name = "effective_batch"

    def __init__(self, training: Training, options: Mapping[str, Any] | None):
        assert options is not None
        self.batch, self.draws = int(options["batch"]), int(options["draws"])
        self.alphas: tuple[float, ...] = tuple(options["alphas"])
        self.sizes = sizes_up_to(self.batch)
        self.count = len(self.sizes) + len(self.alphas)
        super().__init__(training, options)
        self.pool = self.data.clean_images(CLEAN_IMAGES)

    def _bits(self, what: int, draw: int, count: int) -> Tensor:
        """Return (count,) random 32-bit numbers, functions of the run."""
        seed = u32(self.data.seeds["order"], PROBE, what, 0)
        bits: Tensor = u32(seed, PROBE, draw, torch.arange(count, device=self.training.device))
        return bits

    def _drawn(self, what: int, draw: int, count: int) -> Held:
        place = below(self._bits(what, draw, count), len(self.pool))
        return Held(self.pool.images, self.pool.index[place], self.pool.labels[place])

    def numbers(self) -> Tensor:
        (full,) = self.training.backend.gradients([self.pool], cross_entropies)
        return torch.cat((self._clean_cosines(full), self._diluted_cosines(full)))

    def _clean_cosines(self, full: Tensor) -> Tensor:
        """Return (sizes,). Each draw is as many images as the largest batch has; its first `size` ones are a batch of
        each size, and the first SINGLES of them are cut into all the batches of smaller sizes that they make."""
        backend, small = self.training.backend, sum(size <= SINGLES for size in self.sizes)
        found = torch.zeros(len(self.sizes), dtype=torch.float64, device=full.device)
        for draw in range(self.draws):
            held = self._drawn(CLEAN, draw, self.sizes[-1])
            gradients = backend.example_gradients([_first(held, self.sizes[small - 1])], cross_entropies)
            found[:small] += mean_cosines((rows for (rows,) in gradients), full, small)
            for place in range(small, len(self.sizes)):
                gradient = backend.gradients([_first(held, self.sizes[place])], cross_entropies)
                found[place] += _cosines(gradient, full)[0]
        return found / self.draws

    def _diluted_cosines(self, full: Tensor) -> Tensor:
        """Return (alphas,)."""
        found = torch.zeros(len(self.alphas), dtype=torch.float64, device=full.device)
        classes = self.data.on_device.classes
        for draw in range(self.draws):
            held = self._drawn(DILUTED, draw, self.batch)
            bits = self._bits(WRONG, draw, self.batch)
            label = below(self._bits(LABEL, draw, self.batch), classes)
            for place, alpha in enumerate(self.alphas):
                labels = torch.where(bits < round(2**32 / (1 + alpha)), held.labels, label)
                gradient = self.training.backend.gradients([Held(held.images, held.index, labels)], cross_entropies)
                found[place] += _cosines(gradient, full)[0]
        return found / self.draws

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        """Return the metrics and curves, and `effective_batch`: all cosines; and `outside`, where a diluted batch's
        cosine lies below that of a single clean example or above that of the largest batch, so that it has no size."""
        clean, diluted = torch.split(self.found(diverged), [len(self.sizes), len(self.alphas)], dim=1)
        found = [
            [equal_batch(self.sizes, row, cosine) for cosine in targets]
            for row, targets in zip(clean.tolist(), diluted.tolist(), strict=True)
        ]
        of_looks = {
            "trend": [trend(look) for look in found],
            "slope": [slope(self.alphas, [size for size, _ in look]) for look in found],
        }
        metrics = {
            f"effective_batch_{name}_{part}": at
            for name, values in of_looks.items()
            for part, at in self.parts(values, diverged).items()
        }
        curves = {
            f"effective_batch_alpha_{alpha:g}": self.curve([look[place][0] for look in found])
            for place, alpha in enumerate(self.alphas)
        }
        record = {
            "at": list(self.steps),
            "sizes": list(self.sizes),
            "clean_cosine": [_known(row) for row in clean.tolist()],
            "alphas": list(self.alphas),
            "diluted_cosine": [_known(row) for row in diluted.tolist()],
            "outside": [[side or None for _, side in look] for look in found],
        }
        return {"metrics": metrics, "probe_curves": curves, "effective_batch": record}


def mean_cosines(pieces: Iterable[Tensor], direction: Tensor, sizes: int) -> Tensor:
    """Return (sizes,) float64: the mean cosine with `direction` (P,) of the sums of 1, 2, 4, … consecutive gradients.

    pieces: of n gradients (n, P) each, n and the number of pieces powers of 2, 2^(sizes − 1) gradients in all. No more
    than a piece and one sum of each size is held.
    """
    found = torch.zeros(sizes, dtype=torch.float64, device=direction.device)
    waiting: list[Tensor | None] = [None] * sizes  # a sum of each size, for the other one of a pair
    for rows in pieces:
        for size in range(sizes):
            found[size] += _cosines(rows, direction).sum()
            if len(rows) == 1:
                other, waiting[size] = waiting[size], None
                if other is None:
                    waiting[size] = rows
                    break
                rows = torch.cat((other, rows))
            rows = rows[::2] + rows[1::2]
    return found / 2 ** torch.arange(sizes - 1, -1, -1, device=found.device)  # sums of each size


def equal_batch(sizes: Sequence[int], cosines: Sequence[float], target: float) -> tuple[float, str]:
    """Return the batch size of the same cosine, and "": where the curve of `cosines` over the rising `sizes` first
    reaches `target`, by a straight line through its neighbours in (atanh of the cosine, log of the size).

    (nan, "below") where the target is less than the smallest batch's cosine and (nan, "above") where none reaches it:
    nothing is extrapolated. (nan, "") where a number is missing. Where cosine² = b/(b + T), T > 0, the line is at most
    3 % off between two sizes of which one is twice the other.
    """
    heights, goal = [_height(cosine) for cosine in cosines], _height(target)
    if not all(map(math.isfinite, (*heights, goal))):
        return math.nan, ""
    if goal < heights[0]:
        return math.nan, "below"
    for place, height in enumerate(heights):
        if height >= goal:
            if height == goal:
                return float(sizes[place]), ""
            share = (goal - heights[place - 1]) / (height - heights[place - 1])
            low, high = math.log(sizes[place - 1]), math.log(sizes[place])
            return math.exp(low + share * (high - low)), ""
    return math.nan, "above"


def _height(cosine: float) -> float:
    """Return atanh of a cosine, whose rounding may have made it 1."""
    return math.atanh(min(1 - 1e-12, max(-1 + 1e-12, cosine))) if math.isfinite(cosine) else math.nan


def trend(found: Sequence[tuple[float, str]]) -> float:
    """Return Kendall's tau-a of sizes and sides (`equal_batch`) with the rising alphas that they are of: of all pairs,
    the share that rises less the share that falls. NaN where a number is missing.

    A size that lies below all clean batches is smaller than any other, one above them larger: that it has no value is
    no reason to leave it out. Two of them on one side are equal.
    """
    heights = [{"below": 0.0, "above": math.inf}.get(side, size) for size, side in found]
    if any(map(math.isnan, heights)):
        return math.nan
    pairs = list(itertools.combinations(heights, 2))
    return sum((second > first) - (second < first) for first, second in pairs) / len(pairs)


def slope(alphas: Sequence[float], sizes: Sequence[float]) -> float:
    """Return the slope of log size over log(1 + alpha) by least squares, of those that have a size; NaN where fewer
    than two do."""
    pairs = [(math.log1p(alpha), math.log(size)) for alpha, size in zip(alphas, sizes, strict=True) if size == size]
    if len(pairs) < 2:
        return math.nan
    return statistics.linear_regression(*zip(*pairs, strict=True)).slope


def _cosines(rows: Tensor, direction: Tensor) -> Tensor:
    """Return (n,) float64: of (n, P) and (P,). A gradient of 0 has no direction, and shows nothing of another: 0."""
    norms = rows.norm(dim=1)
    along = rows @ (direction / direction.norm()).to(rows.dtype)
    cosines: Tensor = along / torch.where(norms == 0, 1.0, norms)
    return cosines.double()


def _first(held: Held, count: int) -> Held:
    return Held(held.images, held.index[:count], held.labels[:count])


def _known(values: list[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
