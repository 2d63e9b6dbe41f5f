"""Scores from what a training of anybody's recorded: each example's loss, logits or margin at each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from lnbench.data.arrays import opened_archive
from lnbench.detect.data import FEWEST, Labelled, Labels
from lnbench.detect.labels import TEXT, class_numbers, shown_names
from lnbench.detect.preferred import Learnt, Preferred, learnt
from lnbench.detect.scoring import Scores, from_sums
from lnbench.detect.tensors import as_array
from lnbench.detect.wording import counted, demand_distinct
from lnbench.errors import DataError, visible
from lnbench.untrusted import shown

NAMES = ("losses", "logits", "margins")
ALSO = ("labels", "classes", "names", "probabilities")
NO_CLASS = "(no labels given)"
ROUNDED = 0.01  # how far half precision may leave a sum of probabilities from 1, and a loss below 0
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def scores(
    losses: Any = None,
    *,
    logits: Any = None,
    margins: Any = None,
    labels: Any = None,
    classes: Sequence[str] | None = None,
    probabilities: Any = None,
) -> Scores:
    """Score N examples by what a training recorded of them at each of E epochs; of any model and any data.

    losses: (E, N) in nats; margins: (E, N), the logit of the given label less the largest other one; logits: (E, N, K),
        which give both. Each may have one axis more in front, for R trainings. NaN where an example was not seen.
    labels: (N,) as given, numbers from 0 or text; needed with logits. classes: K names, column by column of logits and
        probabilities; needed with these where labels are text.
    probabilities: (N, K) by models that did not see the example (out of fold): suggested labels come from these.

    AUL, AUM and the probability of being mislabeled are as `detect.scoring.Scores` says. Record values as the examples
    are trained on, first epoch included: with logits or margins it shows whether anything was learnt. Raises DataError
    that says what is wrong with which array.
    """
    given = {"losses": losses, "logits": logits, "margins": margins, "labels": labels, "probabilities": probabilities}
    arrays = {name: as_array(value) for name, value in given.items() if value is not None}
    if classes is not None:
        arrays["classes"] = np.asarray(list(classes), dtype=str)
    return _scored(arrays, "scores", None)[0]


def read(path: Path, data: Labelled | None) -> tuple[Labelled, Scores]:
    """Return the examples and their scores, from an .npz with the arrays that `scores` takes, by name, and with `names`
    (N,) text, if there are names. `data`: the examples themselves, in the same order, where the user has them: then
    labels, names and pictures are theirs. Raises DataError. Nothing in the file is unpickled."""
    what = shown(path)
    with opened_archive(path, what) as archive:
        arrays = {name: archive.read(name) for name in archive.names if name in (*NAMES, *ALSO)}
        have = visible(", ".join(archive.names[:10]))[:200] or "nothing"
    if not any(name in arrays for name in NAMES):
        none = f"{what}: has none of {', '.join(f'`{name}`' for name in NAMES)} (it has {have})"
        raise DataError(f"{none}; expected an array (epochs, examples) of one of these names")
    found, labelled = _scored(arrays, what, data)
    return labelled, found


def _scored(arrays: dict[str, Array], what: str, data: Labelled | None) -> tuple[Scores, Labelled]:
    shapes = {name: _shape(arrays[name], name, what) for name in NAMES if name in arrays}
    if not shapes:
        raise DataError(f"{what}: give losses, logits or margins")
    (runs, epochs, count), first = next(iter(shapes.values())), next(iter(shapes))
    for name, shape in shapes.items():
        if shape != (runs, epochs, count):
            raise DataError(
                f"{what}: `{name}` is of (runs, epochs, examples) {shape}, `{first}` of {runs, epochs, count}"
            )
    if count < FEWEST:
        raise DataError(f"{what}: {count} examples are too few; at least {FEWEST} are needed")
    about = _labelled(arrays, what, count, data)
    labels = None if about.classes == [NO_CLASS] else about.labels
    sums = _Sums.of(arrays, what, runs, labels)
    if sums.partly:
        some = f"{counted(sums.partly, 'example')} {'was' if sums.partly == 1 else 'were'} not seen at every epoch"
        how = "the epoch's mean, plus how far the example lies above the mean in the epochs that saw it"
        about.notes.append(f"{some}; a missing number is filled in: {how}")
    preferred = _preferred(arrays, what, labels, about.classes)
    known: Learnt | None = None
    if preferred is None and labels is not None and sums.first_right is not None and len(about.classes) > 1:
        known = learnt(labels, sums.first_right, len(about.classes), "at the first epoch as recorded")
    if preferred is None and known is None and len(about.classes) > 1:
        about.notes.append(
            "whether anything was learnt cannot be told from losses alone: give logits or margins, or out-of-fold "
            "`probabilities`"
        )
    return from_sums(sums.aul, sums.aum, epochs, [], preferred, known), about


def _shape(array: Array, name: str, what: str) -> tuple[int, int, int]:
    """Return (runs, epochs, examples). Raises DataError for what is no such array."""
    axes = 3 if name == "logits" else 2
    form = "(epochs, examples, classes)" if name == "logits" else "(epochs, examples)"
    if array.dtype.kind not in "fiu":
        raise DataError(f"{what}: `{name}` is {array.dtype}; expected numbers {form}")
    if array.ndim not in (axes, axes + 1) or not array.size:
        raise DataError(
            f"{what}: `{name}` has shape {array.shape}; expected {form}, or one axis more in front for runs"
        )
    if name == "logits" and array.shape[-1] < 2:
        raise DataError(f"{what}: `logits` has one class; expected {form}")
    shape = array.shape if array.ndim == axes + 1 else (1, *array.shape)
    return int(shape[0]), int(shape[1]), int(shape[2])


def _labelled(arrays: dict[str, Array], what: str, count: int, data: Labelled | None) -> Labelled:
    """Return the examples with labels and names: those of `data`, or of the arrays."""
    wide = [arrays[name].shape[-1] for name in ("logits", "probabilities") if name in arrays and arrays[name].ndim > 1]
    if data is not None:
        if len(data.labels) != count:
            raise DataError(
                f"{what}: has {count:,} examples, and the data {len(data.labels):,}; both in the same order"
            )
        if wide and max(wide) != len(data.classes):
            raise DataError(f"{what}: is of {max(wide)} classes, and the data has images of {len(data.classes)}")
        return data
    labels, classes, notes = np.zeros(count, dtype=np.int64), [NO_CLASS], []
    if "labels" in arrays:
        names = shown_names(arrays["classes"], what) if "classes" in arrays else None
        if names is not None:
            demand_distinct(names, what)
        elif wide:
            if arrays["labels"].dtype.kind in TEXT:  # their own order is no order of columns
                of = "logits" if "logits" in arrays else "probabilities"
                say = "give `classes`, the name of each column, number 0 first"
                raise DataError(
                    f"{what}: labels are text, and which column of `{of}` is of which class is not said; {say}"
                )
            names = [str(number) for number in range(max(wide))]
        labels, classes = class_numbers(arrays["labels"], count, names, what, "examples")
        if wide and max(wide) != len(classes):
            advice = "give `classes`, the name of each column, number 0 first"
            raise DataError(f"{what}: is of {max(wide)} classes, and its labels of {len(classes)}; {advice}")
    elif "logits" in arrays or "probabilities" in arrays:
        raise DataError(f"{what}: has no `labels`, which logits and probabilities are of no use without")
    else:
        notes.append("no labels were given: there is no table by class and no suggestion")
    names = [str(number) for number in range(count)]
    if "names" in arrays:
        names = shown_names(arrays["names"], what)
        if len(names) != count:
            raise DataError(f"{what}: has {len(names):,} `names` of {count:,} examples")
    none = np.zeros((count, 1, 0, 0), dtype=np.uint8)
    return Labelled(none, labels, names, classes, lambda index, size: none[index], notes=notes)


def _preferred(arrays: dict[str, Array], what: str, labels: Labels | None, classes: list[str]) -> Preferred | None:
    if "probabilities" not in arrays or labels is None:
        return None
    found = arrays["probabilities"]
    if found.shape != (len(labels), len(classes)) or found.dtype.kind != "f":
        where = f"`probabilities` is {found.dtype} of shape {found.shape}"
        raise DataError(f"{what}: {where}; expected floating-point numbers ({len(labels)}, {len(classes)})")
    if not (np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1 + 1e-6):
        raise DataError(f"{what}: `probabilities` are not all between 0 and 1")
    off = np.abs(found.sum(axis=1, dtype=np.float64) - 1)
    if off.max() > ROUNDED:
        most = int(np.argmax(off))
        raise DataError(f"{what}: `probabilities` of example {most} add up to {found[most].sum():.3g}; expected 1")
    return Preferred(found, labels)


@dataclass
class _Sums:
    """aul, aum: (runs, N); None where nothing gives them. first_right: (N,) bool, whether the first epoch, of the first
    run, gave the label; None where that is not known. partly: how many examples were not seen at every epoch of all."""

    aul: Floats | None
    aum: Floats | None
    first_right: npt.NDArray[np.bool_] | None
    partly: int

    @staticmethod
    def of(arrays: dict[str, Array], what: str, runs: int, labels: Labels | None) -> _Sums:
        """Sum over the epochs, one at a time (`_Adder` says what counts for an epoch that did not see an example)."""
        both: dict[str, list[Floats]] = {"losses": [], "margins": []}
        first_right, partly = None, np.zeros(1, dtype=np.bool_)
        for run in range(runs):
            own = {name: arrays[name] if arrays[name].ndim == (3 if name == "logits" else 2) else arrays[name][run]
                   for name in NAMES if name in arrays}  # fmt: skip
            adders = {name: _Adder(name, what) for name in both}
            for epoch in range(len(next(iter(own.values())))):
                now: dict[str, Array] = {name: rows[epoch] for name, rows in own.items() if name != "logits"}
                if "logits" in own:
                    assert labels is not None
                    now = {**_of_logits(own["logits"][epoch], labels), **now}
                for name, values in now.items():
                    adders[name].add(values)
                if run == 0 and epoch == 0 and "margins" in now:
                    first_right = np.asarray(now["margins"] > 0)
            for name, adder in adders.items():
                if adder.epochs:
                    both[name].append(adder.total())
                    partly = partly | adder.partly
        aul, aum = (np.array(both[name]) if both[name] else None for name in ("losses", "margins"))
        epochs = next(iter(own.values())).shape[0]
        return _Sums(aul, None if aum is None else aum / epochs, first_right, int(partly.sum()))


class _Adder:
    """The sum over epochs of one number of each example.

    For an epoch that did not see an example, the mean of those that it saw counts, plus how far the example lies above
    the mean in the epochs that saw it: losses fall from epoch to epoch, so those of the epochs that happened to see it
    would say more of the epochs than of the example.
    """

    def __init__(self, name: str, what: str):
        self.name, self.what, self.epochs = name, what, 0
        self.sum: Floats | float = 0.0
        self.above: Floats | float = 0.0  # the sum of what lies above the epochs' means
        self.means = 0.0
        self.seen: npt.NDArray[np.int64] | int = 0

    def add(self, values: Array) -> None:
        values = values.astype(np.float64)
        there = ~np.isnan(values)
        self._demand_sense(values)
        mean = float(values[there].mean()) if there.any() else 0.0
        self.sum, self.seen = self.sum + np.where(there, values, 0.0), self.seen + there
        self.above, self.means = self.above + np.where(there, values - mean, 0.0), self.means + mean
        self.epochs += 1

    def _demand_sense(self, values: Floats) -> None:
        at = f"at epoch {self.epochs + 1}"
        if np.isinf(values).any():
            where = int(np.argmax(np.isinf(values)))
            what = f"{self.what}: `{self.name}` of example {where} {at} is not finite"
            raise DataError(f"{what}; write NaN where an example was not seen")
        if self.name == "losses" and (values < -ROUNDED).any():
            where = int(np.nanargmin(values))
            what = (
                f"{self.what}: `losses` of example {where} {at} is {values[where]:.4g}, and no cross-entropy is below 0"
            )
            raise DataError(f"{what}; give minus a log-likelihood, or `margins`, which are large where the label fits")

    @property
    def partly(self) -> npt.NDArray[np.bool_]:
        """Return (N,), which examples were not seen at every epoch."""
        return np.asarray(np.asarray(self.seen) < self.epochs)

    def total(self) -> Floats:
        seen = np.asarray(self.seen)
        if not seen.all():
            where = int(np.argmin(seen))
            raise DataError(f"{self.what}: example {where} has no number in `{self.name}` at any epoch; leave it out")
        filled = self.means + np.asarray(self.above) / seen * self.epochs
        return np.where(self.partly, filled, self.sum)


def _of_logits(logits: Array, labels: Labels) -> dict[str, Floats]:
    """Return the losses and margins (N,) of logits (N, K)."""
    values, rows = logits.astype(np.float64), np.arange(len(labels))
    with np.errstate(invalid="ignore"):
        own = values[rows, labels]
        losses = logsumexp(values, axis=1) - own
        values[rows, labels] = -np.inf
        return {"losses": losses, "margins": own - values.max(axis=1)}
