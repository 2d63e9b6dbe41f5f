"""Noise whose law depends on the true class alone: row y of a matrix says which label an image of class y gets.

With `like` the matrix is that of a human label set, so that a synthetic arm has the class structure and the rate of
the human labels, and which of the images are wrong is random. So Wei et al. 2022 compare human with synthetic noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from lnbench.data.label_files import LabelFiles
from lnbench.errors import DataError
from lnbench.noise.law import CHUNK
from lnbench.noise.tables import Labels, Table, TableNoise, demand_human
from lnbench.randomness import Stream, u32

if TYPE_CHECKING:
    from lnbench.data.images import ImageData

Law = list[list[Fraction]]


def law_of(rows: Sequence[Sequence[float]], rate: float | None = None) -> Law:
    """Return the law with exact rows: each row's shares over their sum, and, with `rate`, the chances of all wrong
    labels times one factor, so that the mean over the classes of the chance of a wrong label is `rate`.

    Raises ValueError where no factor does that.
    """
    exact = [[_exact(share) for share in row] for row in rows]
    law = [[share / sum(row) for share in row] for row in exact]
    if rate is None:
        return law
    wrong = [1 - row[y] for y, row in enumerate(law)]
    if not sum(wrong):
        raise ValueError("the matrix has no wrong label, so that no factor gives it a rate; leave rate out")
    factor = _exact(rate) * len(law) / sum(wrong)
    if factor * max(wrong) > 1:
        most = float(sum(wrong) / len(law) / max(wrong))
        worst = wrong.index(max(wrong))
        raise ValueError(f"at rate {rate:g} class {worst} would be wrong more often than always; at most {most:.4g}")
    return [[share * factor if label != y else 1 - wrong[y] * factor for label, share in enumerate(row)]
            for y, row in enumerate(law)]  # fmt: skip


def _exact(share: float) -> Fraction:
    return Fraction(share) if isinstance(share, int) else Fraction(str(share))


def law_like(table: Table) -> list[list[int]]:
    """Return the counts of a table by true class (row) and label; a class without an image keeps its label."""
    rows = table.transition.tolist()
    return [row if sum(row) else [int(label == y) for label in range(len(rows))] for y, row in enumerate(rows)]


@dataclass(frozen=True)
class ClassConditional(TableNoise):
    """Each label y is redrawn from row y of a matrix, by the counter hash and the image's number in the whole data set.

    An integer below 2^32 falls into one of m steps; the first is that the label stays. So with more noise of the same
    structure the images that were wrong are still wrong.
    """

    def made(self, data: ImageData, files: LabelFiles) -> Table:
        law, source = self._law(data, files)
        true = data.train_labels
        table = _Drawn(drawn(law, true, self.seed), true, data.classes, source)
        table.law, table.of_class = law, np.bincount(true, minlength=data.classes)
        return table

    def _law(self, data: ImageData, files: LabelFiles) -> tuple[Law, str]:
        options, rows, source = self.options, self.options.get("matrix"), "class_conditional"
        if rows is None:
            labels, name = files.human(data, options["like"])
            rows, source = law_like(Table(labels, data.train_labels, data.classes, name)), f"drawn like {name}"
        if len(rows) != data.classes:
            raise DataError(f"noise: a matrix of {len(rows)} classes for {data.name}, which has {data.classes}")
        try:
            return law_of(rows, options.get("rate")), source
        except ValueError as error:
            raise DataError(f"noise: {error}") from error

    def nominal_wrong(self) -> float:
        """Return the chance that a label is wrong: the law's, weighted by the classes of all training images."""
        table = self.known
        assert isinstance(table, _Drawn)
        wrong = sum(int(count) * (1 - table.law[y][y]) for y, count in enumerate(table.of_class))
        return float(wrong / int(table.of_class.sum()))

    def facts(self) -> dict[str, Any]:
        """Return for the record the table, and whether any label was drawn: a law of zeros and ones is the same for
        every seed."""
        table = self.known
        assert isinstance(table, _Drawn)
        random = any(0 < share < 1 for row in table.law for share in row)
        return {"table": {**table.facts(), "drawn": random}}

    @staticmethod
    def demand(options: Mapping[str, Any], dataset: str, files: LabelFiles) -> None:
        """Check that the human labels whose matrix is taken are there. Raises DataError."""
        if options.get("like") is not None:
            demand_human(options["like"], dataset, files)


class _Drawn(Table):
    law: Law
    of_class: Any  # (m,) int64: true images of each class


def drawn(law: Law, true: Labels, seed: int) -> Labels:
    """Return a label (N,) int64 for each of N images of the classes `true`, image i by the hash of (seed, i)."""
    classes = len(law)
    order = np.array([[y, *(label for label in range(classes) if label != y)] for y in range(classes)])  # (m, m)
    shares = [[law[y][label] for label in order[y]] for y in range(classes)]
    steps = np.array([[round(sum(row[:rank]) * 2**32) for rank in range(1, classes)] for row in shares])  # (m, m - 1)
    steps = steps.reshape(classes, classes - 1)
    found = np.empty_like(true)
    for start in range(0, len(true), CHUNK):
        clean = true[start : start + CHUNK]
        bits = u32(seed, Stream.NOISE, 0, np.arange(start, start + len(clean), dtype=np.int64))
        found[start : start + CHUNK] = order[clean, (bits[:, None] >= steps[clean]).sum(axis=1)]
    return found
