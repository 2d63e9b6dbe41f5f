"""Labels that people gave to a data set's training images: which sets there are, where they lie, and how they are read.

CIFAR-10N and CIFAR-100N (Wei et al. 2022) are published as `CIFAR-10_human.pt` and `CIFAR-100_human.pt`, each a dict of
arrays in the order of the training images. lnbench reads these, and the same arrays in a NumPy archive (`.npz`), which
needs no torch. What was read is compared, array by array, with the sha256 of the published labels.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lnbench.data.arrays import MOST_BYTES, opened_archive, whole_numbers
from lnbench.errors import DataError, did_you_mean
from lnbench.untrusted import Unreadable, bytes_of

Labels = npt.NDArray[np.int64]
Arrays = dict[str, Labels]
State = Literal["present", "missing", "damaged"]

FOLDER = "cifar_n"
WHERE = "https://github.com/UCSC-REAL/cifar-10-100n (folder data)"


@dataclass(frozen=True)
class LabelSet:
    """The human labels of one data set.

    `archive`, `official`: the file's name in the data root's folder `cifar_n`, in either form. `labels`: what a study
    calls a set of labels -> the array's name. `clean`: the array of the true labels, by which the order is checked.
    `sha256`: array's name -> sha256 of its labels as uint8. `images`, `classes`: of the data set's training images.
    """

    name: str
    dataset: str
    archive: str
    official: str
    labels: Mapping[str, str]
    clean: str
    sha256: Mapping[str, str]
    images: int
    classes: int
    licence: str = "CC BY-NC 4.0"
    citation: str = (
        "Wei et al., Learning with noisy labels revisited: a study using real-world human annotations, ICLR 2022"
    )

    def describe(self) -> str:
        """Return one line for a listing."""
        return f"{self.name}: {self.images:,} labels of {self.dataset} by people ({', '.join(self.labels)})"

    def file(self, root: Path) -> Path | None:
        """Return the file in a data root, in the form that needs no torch where both are there; None for neither."""
        return next((path for path in self._places(root) if path.is_file()), None)

    def _places(self, root: Path) -> list[Path]:
        return [root / FOLDER / self.archive, root / FOLDER / self.official]

    def absent(self, root: Path) -> DataError:
        """Return the error to raise where no file is there: which one, where it is available, where to put it."""
        place, _ = self._places(root)
        return DataError(
            f"{self.name}, the human labels of {self.dataset}, are not at {root / FOLDER}: download {self.official} "
            f"from {WHERE} and put it there, or {place.name} with the same arrays; lnbench does not fetch them"
        )


CIFAR10N = LabelSet(
    name="cifar10n",
    dataset="cifar10",
    archive="cifar10n_labels.npz",
    official="CIFAR-10_human.pt",
    labels={
        "aggregate": "aggre_label",
        "random1": "random_label1",
        "random2": "random_label2",
        "random3": "random_label3",
        "worst": "worse_label",
    },
    clean="clean_label",
    sha256={
        "clean_label": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
        "aggre_label": "2bd5e02e39c9c79772cf4c794f7b74630ac1aaeeac4b807a63c11e9a375f8404",
        "worse_label": "11a306ed336e3bc81aaac36322ddf12de379d0df1883aa43e10ba562a98f6b2a",
        "random_label1": "8d01b5a5af048e84bf6e964c86e1133e95d5b22c07763e23705b714ad0f32d8b",
        "random_label2": "7ea04c887750912f49669282a75e78df380077766b361fb6cb5200999ad6dcda",
        "random_label3": "cdbfad7e15bfc8fc83bc7c6e30b692e2aa1186660d82738b7543a6012d6ca46f",
    },
    images=50_000,
    classes=10,
)

CIFAR100N = LabelSet(
    name="cifar100n",
    dataset="cifar100",
    archive="cifar100n_labels.npz",
    official="CIFAR-100_human.pt",
    labels={"noisy": "noisy_label"},
    clean="clean_label",
    sha256={
        "clean_label": "9f11b9f97aad759ba6df0a33e3218b01d8deaf4ed3a14aa1185d69b9ad7ebcb3",
        "noisy_label": "54050bc3f9441adc78f204c68915d49a7f86bfa72b8fba04751b961d5be4aa62",
    },
    images=50_000,
    classes=100,
)

LABEL_SETS: Mapping[str, LabelSet] = {one.dataset: one for one in (CIFAR10N, CIFAR100N)}  # by the data set's name


def of_dataset(dataset: str, labels: str, sets: Mapping[str, LabelSet] = LABEL_SETS) -> LabelSet:
    """Return the label set of a data set that has `labels`. Raises DataError where there is none."""
    if dataset not in sets:
        raise DataError(f"there are no human labels of {dataset}; there are some of {' and '.join(sets)}")
    if labels not in sets[dataset].labels:
        known = sets[dataset].labels
        what = f"no human labels of {dataset} are called '{labels}'"
        raise DataError(f"{what}; {did_you_mean(labels, known)}")
    return sets[dataset]


def read(about: LabelSet, root: Path) -> Arrays:
    """Return name -> labels (images,) int64 of the arrays that the set lists.

    Raises DataError where no file is there, where it is larger than 64 MiB, is no file of arrays, or where an array
    does not have the published labels. Imports torch only where the file is the official one.
    """
    path = about.file(root)
    if path is None:
        raise about.absent(root)
    try:
        raw = bytes_of(path, MOST_BYTES)
    except Unreadable as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    found = _official(raw, path) if path.name == about.official else _archive(raw, path, about)
    return {name: _checked(about, name, found, path) for name in about.sha256}


def _checked(about: LabelSet, name: str, found: Mapping[str, Any], path: Path) -> Labels:
    if name not in found:
        raise DataError(f"{path} has no array '{name}'; {_again(about)}")
    labels = whole_numbers(found[name], f"{path}, {name}")
    if labels.shape != (about.images,):
        raise DataError(f"{path}: {name} has shape {labels.shape}, not ({about.images},); {_again(about)}")
    if labels.min() < 0 or labels.max() >= about.classes:
        raise DataError(f"{path}: {name} does not lie in 0 … {about.classes - 1}; {_again(about)}")
    if hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest() != about.sha256[name]:
        raise DataError(f"{path}: {name} does not have the published labels; {_again(about)}")
    return labels


def _again(about: LabelSet) -> str:
    return f"download {about.official} again from {WHERE}"


def _archive(raw: bytes, path: Path, about: LabelSet) -> dict[str, Any]:
    """Return the arrays that the set lists of a NumPy archive; nothing is unpickled."""
    try:
        with opened_archive(raw, str(path)) as archive:
            return {name: archive.read(name, MOST_BYTES) for name in about.sha256 if name in archive.names}
    except DataError as error:
        raise DataError(f"{error}; {_again(about)}") from None


def _official(raw: bytes, path: Path) -> dict[str, Any]:
    """Return the arrays of the authors' file: a dict of numpy arrays that torch has pickled.

    Unpickling is confined to what such a dict is made of (`torch.load(weights_only=True)`); a file that asks for
    anything else is refused, and nothing of it is run.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_parts_of_an_array()):
            found = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        words = str(error).strip().splitlines() or [type(error).__name__]
        what = f"{path} is not a dict of numpy arrays as torch saves it, and was not loaded"
        raise DataError(f"{what} ({words[0]}); download it again from {WHERE}") from error
    arrays = isinstance(found, dict) and all(isinstance(value, np.ndarray) for value in found.values())
    if not arrays or not all(isinstance(name, str) for name in found):
        raise DataError(f"{path} holds {type(found).__name__}, not a dict of numpy arrays; download it from {WHERE}")
    return dict(found)


def _parts_of_an_array() -> list[Any]:
    """Return all that a pickled array of integers names, under the names of numpy 1 and 2."""
    rebuild = np.empty(0).__reduce__()[0]  # numpy's `_reconstruct`, wherever this numpy keeps it
    integers = [type(np.dtype(name)) for name in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]
    old, new = "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"
    return [(rebuild, old), (rebuild, new), np.ndarray, np.dtype, *integers]


# ---- what lies in a data root


@dataclass(frozen=True)
class LabelStatus:
    """What lies in a data root of one label set. `verified`: the labels were compared with the published ones."""

    about: LabelSet
    state: State
    root: Path
    fault: str = ""
    verified: bool = field(default=False)

    @property
    def name(self) -> str:
        return self.about.name

    def describe(self) -> str:
        """Return one line for a listing, with what to do where something is wrong."""
        if self.state == "present":
            return f"{self.name}: present in {self.root / FOLDER}" + (", labels right" if self.verified else "")
        return self.fault if self.state == "missing" else f"{self.name}: damaged: {self.fault}"

    def demand(self) -> None:
        """Raises DataError unless the labels are there."""
        if self.state != "present":
            raise DataError(self.fault)


def label_status(
    root: Path,
    datasets: Iterable[str] | None = None,
    *,
    verify: bool = False,
    sets: Mapping[str, LabelSet] = LABEL_SETS,
) -> list[LabelStatus]:
    """Return the state of the label sets, or of those of `datasets`. Without `verify` only whether a file is there."""
    return [_status(sets[name], Path(root), verify) for name in (sets if datasets is None else datasets)]


def _status(about: LabelSet, root: Path, verify: bool) -> LabelStatus:
    if about.file(root) is None:
        return LabelStatus(about, "missing", root, str(about.absent(root)), verify)
    try:
        if verify:
            read(about, root)
    except (DataError, OSError) as error:
        return LabelStatus(about, "damaged", root, str(error), verify)
    return LabelStatus(about, "present", root, verified=verify)
