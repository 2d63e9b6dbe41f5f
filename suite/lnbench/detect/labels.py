"""Labels as people have them: numbers, text, a column of one of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.data.arrays import whole_numbers
from lnbench.detect.data import Labels
from lnbench.errors import DataError

Array = npt.NDArray[Any]
TEXT = "US"
MOST_CLASSES = 100_000


def class_numbers(
    labels: Array, count: int, names: list[str] | None, what: str, of: str = "images"
) -> tuple[Labels, list[str]]:
    """Return labels (count,) as int64 numbers of classes, and the classes' names.

    labels: (count,) or (count, 1) whole numbers from 0, of which `names` has one for each, or text, whose classes are
    its different values, in the order of `names` where there are any. Raises DataError.
    """
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.shape[0] == count:
        hint = "of one row per image with a 1 at its class, save the argmax"
        raise DataError(f"{what}: `labels` has shape {labels.shape}; expected ({count},); {hint}")
    if labels.shape != (count,):
        raise DataError(f"{what}: `labels` has shape {labels.shape}, but there are {count} {of}; expected ({count},)")
    if labels.dtype.kind in TEXT:
        return _of_text(shown_names(labels, what), names, what)
    if labels.dtype.kind not in "iuf":
        raise DataError(f"{what}: `labels` is {labels.dtype}; expected whole numbers from 0 on, or text")
    numbers = whole_numbers(labels, f"{what}: `labels`")
    if numbers.min() < 0:
        where = int(np.argmax(numbers < 0))
        raise DataError(f"{what}: label {int(numbers[where])} of number {where} is negative; labels count from 0")
    most = int(numbers.max())
    if names is None:
        if most >= MOST_CLASSES:
            raise DataError(f"{what}: label {most} is not a class number; labels count from 0")
        return numbers, [str(number) for number in range(most + 1)]
    if most >= len(names):
        raise DataError(
            f"{what}: `classes` has {len(names)} names, but labels go up to {most}; give one name for each class, "
            "number 0 first"
        )
    return numbers, names


def _of_text(texts: list[str], names: list[str] | None, what: str) -> tuple[Labels, list[str]]:
    if names is None:
        names = sorted(set(texts))
    place = {name: number for number, name in enumerate(names)}
    try:
        return np.array([place[text] for text in texts], dtype=np.int64), names
    except KeyError as error:
        raise DataError(f"{what}: the label {error.args[0]!r:.60} is not among its `classes`") from None


def shown_names(array: Array, what: str) -> list[str]:
    """Return names (N,) as text. Raises DataError for what is no column of names."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(f"{what}: names have shape {array.shape}; expected one column")
    return [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in array.tolist()]
