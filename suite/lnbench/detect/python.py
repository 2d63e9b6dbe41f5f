"""`lnbench detect` from Python: for paths, for arrays, and for the data sets of torch and of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.detect.crew import Way
from lnbench.detect.data import Images, Labelled, scaled, usual_size
from lnbench.detect.known import of_arrays
from lnbench.detect.labels import class_numbers
from lnbench.detect.options import Options, check, check_ranges
from lnbench.detect.output import explained, mine, place, replaced, take, write
from lnbench.detect.outputs import Outputs, outputs
from lnbench.detect.reading import checked, read
from lnbench.detect.runs import DetectRun
from lnbench.detect.scoring import Scores
from lnbench.detect.tensors import as_array
from lnbench.detect.whole import trained
from lnbench.detect.wording import demand_distinct, place_named
from lnbench.errors import DataError, LnbenchError
from lnbench.machine import resolve_device
from lnbench.training.hooks import Progress

IMAGE_COLUMNS, LABEL_COLUMNS = ("image", "img", "images"), ("label", "labels", "fine_label", "target")


@dataclass(frozen=True)
class Detection:
    """scores: of every example. data: the examples. result: all numbers, as in result.json. folder: where the page and
    the tables are. replaced: what was written over there, in words, where an earlier call had other options or other
    data; else empty."""

    scores: Scores
    data: Labelled
    result: dict[str, Any]
    folder: Path
    replaced: str = ""


class _Silent:
    def planned(self, left: list[DetectRun], total: int) -> None: ...

    def began(self, run: DetectRun) -> None: ...

    def tell(self, run: DetectRun, progress: Progress) -> None: ...

    def done(self, run: DetectRun) -> None: ...


def detect(
    data: Any,
    output: str | os.PathLike[str],
    *,
    labels: Any = None,
    classes: Sequence[str] | None = None,
    device: str = "auto",
    workers: int = 0,
    threads: int = 1,
    **options: Any,
) -> Detection:
    """Rank labelled images by how likely their labels are wrong, as `lnbench detect` does, and write the page.

    data: a path as on the command line; images (N, H, W), (N, H, W, C) or (N, C, H, W) uint8 with `labels` (N,); a
        torch `Dataset` of (image, label); or a Hugging Face `Dataset` with columns `image` and `label`. Images of data
        sets may be PIL images, uint8 arrays or tensors, or float ones in [0, 1], as torchvision's ToTensor makes them.
    output: the folder of results; what was finished there is not trained again.
    classes: names, where labels are numbers and the data set has no names.
    workers: processes; 0 trains in this one. Others need `if __name__ == "__main__":` around the call.
    options: those of `detect.options.Options`: runs, epochs, model, size, batch_size, lr, augment, seed, precision,
        top, folds.

    Raises LnbenchError: what is wrong, where, and what to do.
    """
    asked = _asked(options)
    check(asked)
    check_ranges({"workers": workers, "threads": threads})
    if isinstance(data, str | os.PathLike):
        if labels is not None or classes is not None:
            raise LnbenchError(f"detect: `labels` and `classes` are for arrays, and {data} is a path; leave them out")
        found, source = read(Path(data), asked.size, lambda line: None), str(place_named(Path(data)))
        folder = place(Path(data), Path(output))
    else:
        found = checked(_labelled(data, labels, classes, asked.size), "the data")
        source, folder = type(data).__name__, mine(Path(output))
    store, way = take(folder, lambda line: None), Way(resolve_device(device), workers, threads)
    with explained():
        done = trained(found, asked, store, way, _Silent(), lambda: False, lambda line: None)
    scores = done.scores()
    made: Outputs = outputs(source, found, asked.as_dict(), done.options.as_dict(), scores, done.records, done.notes)
    before = replaced(folder, made.result)
    write(folder, made.files)
    return Detection(scores, found, made.result, folder, before)


def _asked(options: dict[str, Any]) -> Options:
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}
    try:
        return Options(**plain)
    except TypeError:
        known = ", ".join(Options.__dataclass_fields__)
        unknown = next(name for name in options if name not in Options.__dataclass_fields__)
        raise LnbenchError(f"detect: there is no option {unknown}; there are {known}") from None


def _labelled(data: Any, labels: Any, classes: Sequence[str] | None, size: int | None) -> Labelled:
    names = None if classes is None else [str(name) for name in classes]
    if names is not None:
        demand_distinct(names, "the data")
    if labels is None and hasattr(data, "shape") and hasattr(data, "dtype"):
        what = f"an array of shape {tuple(data.shape)} has no labels"
        raise DataError(f"the data: {what}; give them with `labels`, one for each image")
    notes: list[str] = []
    smaller = False
    if labels is None:
        images, given, names, (notes, smaller) = _of_dataset(data, names, size)
    else:
        images, given = _channels_first(as_array(data), "the data"), as_array(labels)
    numbers, names = class_numbers(given, len(images), names, "the data")
    found = of_arrays(images, numbers, names, size)
    return replace(found, notes=[*found.notes, *notes], scaled_down=found.scaled_down or smaller)


def _of_dataset(
    data: Any, names: list[str] | None, size: int | None
) -> tuple[Images, npt.NDArray[Any], list[str], tuple[list[str], bool]]:
    """Return images (N, 3, S, S) uint8, labels (N,) and the names of classes of a data set, and what `scaled` says of
    its images."""
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        what = f"{type(data).__name__} has no length or gives no items; give `labels` with images, or a data set"
        raise DataError(f"the data: {what} of (image, label)")
    if not len(data):
        raise DataError("the data: is empty")
    pictures, labels = [], []
    for number, (image, label) in enumerate(_items(data)):
        pictures.append(_pixels(image, number))
        labels.append(label.item() if hasattr(label, "item") else label)
    side = size or usual_size([min(one.shape[:2]) for one in pictures])
    scaling = scaled(((one.shape[0], one.shape[1]) for one in pictures), side)
    if names is None:
        features: Any = getattr(data, "features", None) or {}  # Hugging Face's
        column = next((name for name in LABEL_COLUMNS if name in features), None)
        there = getattr(features[column], "names", None) if column else getattr(data, "classes", None)
        names = [str(name) for name in there] if there is not None else None
    array = np.array(labels)
    if names is None:
        texts = array.dtype.kind in "US"
        names = sorted(set(array.tolist())) if texts else [str(one) for one in range(int(max(labels)) + 1)]
    return np.stack([_square(one, side) for one in pictures]).transpose(0, 3, 1, 2), array, names, scaling


def _items(data: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (image, label) of a Hugging Face data set, whose items are dicts, or of torch's, whose items are pairs."""
    for number in range(len(data)):
        item = data[number]
        if isinstance(item, dict):
            image, label = (
                next((name for name in names if name in item), None) for names in (IMAGE_COLUMNS, LABEL_COLUMNS)
            )
            if image is None or label is None:
                have = ", ".join(map(str, item))[:200]
                raise DataError(f"the data: item {number} has {have}; rename its columns to `image` and `label`")
            yield item[image], item[label]
        elif hasattr(item, "shape"):
            what = "is one array and no pair (image, label)"
            raise DataError(f"the data: item {number} {what}; stack the images and give `labels` with them")
        else:
            try:
                image, label = item[0], item[1]
            except (TypeError, IndexError, KeyError):
                raise DataError(f"the data: item {number} is no pair (image, label)") from None
            yield image, label


def _pixels(image: Any, number: int) -> npt.NDArray[np.uint8]:
    """Return an image as (H, W, 3) uint8."""
    if hasattr(image, "convert"):  # Pillow's
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
    array = as_array(image)
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            what = f"its pixels lie in {array.min():.3g} to {array.max():.3g}, not 0 to 1"
            raise DataError(f"the data: item {number}: {what}; leave Normalize out of the data set's transform")
        array = np.round(array * 255).astype(np.uint8)
    if array.ndim == 2:
        array = array[None]
    return np.asarray(_channels_first(array[None], f"the data: item {number}")[0].transpose(1, 2, 0))


def _channels_first(images: npt.NDArray[Any], what: str) -> Images:
    """Return (N, C, H, W) uint8, C = 3, of images in any usual layout."""
    if images.dtype != np.uint8:
        raise DataError(f"{what}: images are {images.dtype}, not uint8 (0 to 255)")
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[-1] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise DataError(f"{what}: images have shape {images.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W)")
    return np.ascontiguousarray(np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images)


def _square(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    from lnbench.detect.decode import fitted

    return np.asarray(fitted(image[None], side)[0])
