"""Dilution whose wrong labels are not uniform: some wrong classes are likelier than others, class by class.

Rolnick et al. 2018 (§3.2, Figure 5) give three properties of their law and no formula: a strength delta that leaves
the correct label's share alone, is uniform noise at 0, makes the likeliest wrong label as likely as the correct one at
1, and falls linearly in rank. `label_law` is the one law that has them (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from lnbench.noise.uniform import Dilution
from lnbench.randomness import Stream, u32

ORDERS = 0x7FFFFFFF  # in place of a copy's number, for the order of wrong classes: no set has so many copies


def label_law(alpha: float, delta: float, classes: int) -> tuple[list[Fraction], bool]:
    """Return (q, clipped): the law of an added label, q[0] of the true class and q[j] of the wrong class of rank j.

    Over an image's 1 + alpha labels, with e = 1/(1 + alpha), u = (1 - e)/m and the m - 1 wrong classes of a true class
    in some order j = 1 … m - 1, the shares are P_0 = e + u and P_j = u + delta·e·(1 - 2(j - 1)/(m - 2)). The image's
    own label is its true one, so the added ones follow q_0 = (P_0 - e)/(1 - e) = 1/m and q_j = P_j/(1 - e).
    Below alpha = delta·m some P_j are negative: these are set to 0 (`clipped`) and the wrong classes' shares divided
    by their new sum, times the old one; the true class keeps its own. Exact.
    """
    m = classes
    uniform = Fraction(1, m)
    bias = Fraction(delta) / Fraction(alpha) if alpha and m > 2 else Fraction(0)
    wrong = [uniform + bias * (1 - Fraction(2 * rank, m - 2)) for rank in range(m - 1)] if m > 2 else [uniform]
    clipped = min(wrong) < 0
    if clipped:
        kept = [max(share, Fraction(0)) for share in wrong]
        wrong = [share * Fraction(m - 1, m) / sum(kept) for share in kept]
    return [uniform, *wrong], clipped


@dataclass(frozen=True)
class DiluteStructured(Dilution):
    """Dilution as `DiluteUniform`, but an added label follows `label_law`, over an order of the wrong classes.

    order: `confusing`, the wrong classes by how often networks take the true class for them (a row of the input
    `confusion`, descending; of equals, at random); `reverse`, the same from its end; `random`, one random order for
    each true class, fixed for the seed.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)

    def labels(self, example: Any, clean: Any, identity: Any) -> Any:
        """Return labels as `DiluteUniform.labels` does; an integer below 2^32 falls into one of m steps: a rank, and so
        a class."""
        copy = example // self.n
        bits = u32(self.seed, Stream.NOISE, copy, identity)
        rank = (bits >= self._steps[0]) * 1
        for step in self._steps[1:]:
            rank = rank + (bits >= step)
        drawn = self._classes_like(clean)[clean * self.classes + rank]
        return clean + (drawn - clean) * (copy > 0)

    def nominal_wrong(self) -> float:
        return (self.classes - 1) / self.classes * (self.size - self.n) / self.size

    def facts(self) -> dict[str, Any]:
        """Return, for the record, the law of an added label by rank, whether it was clipped, and each true class's
        order."""
        law, clipped = self._law
        return {
            "label_law": [float(share) for share in law],
            "clipped": clipped,
            "order": self.by_rank[:, 1:].tolist(),
        }

    @cached_property
    def _law(self) -> tuple[list[Fraction], bool]:
        return label_law(self.options["alpha"], self.options["delta"], self.classes)

    @cached_property
    def _steps(self) -> list[int]:
        """Return where, in [0, 2^32), each rank but the first begins."""
        law, _ = self._law
        return [round(sum(law[:rank]) * 2**32) for rank in range(1, self.classes)]

    @cached_property
    def by_rank(self) -> np.ndarray[Any, Any]:
        """Return (m, m) int64: row y holds y, then the wrong classes from the likeliest to the least likely."""
        m = self.classes
        counts = np.zeros((m, m), dtype=np.int64) if self.options["order"] == "random" else self._confusion()
        ties = u32(self.seed, Stream.NOISE, ORDERS, np.arange(m * m, dtype=np.int64)).reshape(m, m)
        rows = []
        for true in range(m):
            others = [label for label in range(m) if label != true]
            others.sort(key=lambda label: (-counts[true, label], ties[true, label], label))
            rows.append([true, *(reversed(others) if self.options["order"] == "reverse" else others)])
        return np.array(rows, dtype=np.int64)

    def _confusion(self) -> np.ndarray[Any, Any]:
        if "confusion" not in self.inputs:
            raise ValueError(f"noise: order {self.options['order']} needs the input confusion")
        counts = np.array(self.inputs["confusion"]["confusion"], dtype=np.int64)
        if counts.shape != (self.classes, self.classes):
            raise ValueError(f"noise: a confusion matrix of shape {counts.shape} for {self.classes} classes")
        return counts

    @cached_property
    def _moved(self) -> dict[str, Any]:
        return {}

    def _classes_like(self, clean: Any) -> Any:
        """Return `by_rank`, flat, on the side where `clean` is: numpy, or a tensor on its device, moved there once."""
        if isinstance(clean, np.ndarray):
            return self.by_rank.reshape(-1)
        device = str(clean.device)
        if device not in self._moved:
            self._moved[device] = clean.new_tensor(self.by_rank.reshape(-1).tolist())
        return self._moved[device]
