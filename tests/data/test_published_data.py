"""The real data sets, where LNBENCH_DATA points at them, against the published bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lnbench.data.images import ImageData, load
from lnbench.data.root import check, status
from lnbench.data.sources import SOURCES

REAL = [name for name, source in SOURCES.items() if source.archives]


@pytest.fixture(params=REAL, scope="module")  # one after the other: each is read once
def real(request: pytest.FixtureRequest) -> ImageData:
    pytest.importorskip("torchvision")
    name: str = request.param
    root = os.environ.get("LNBENCH_DATA")
    if not root:
        pytest.skip("LNBENCH_DATA is not set: no real data to read")
    if not status(Path(root), [name])[0].usable:
        pytest.skip(f"{name} is not in {root}")
    return load(name, root=root)


def published(array: np.ndarray[Any, Any]) -> bytes:
    """uint8, images as (N, H, W) or (N, H, W, C)."""
    if array.ndim == 4:
        array = np.moveaxis(array, 1, 3)
    return np.ascontiguousarray(array.astype(np.uint8)).tobytes()


def test_decoded_arrays_are_the_published_ones(real: ImageData) -> None:
    for key, digest in SOURCES[real.name].arrays.items():
        assert hashlib.sha256(published(getattr(real, key))).hexdigest() == digest, key


def test_fashion_mnist_enlarged_never_changes() -> None:
    """Runs on record were trained on these bytes: another Pillow must give them too."""
    root = os.environ.get("LNBENCH_DATA")
    if not root or not status(Path(root), ["fashion_mnist_32"])[0].usable:
        pytest.skip("LNBENCH_DATA has no Fashion-MNIST to read")
    small, large = load("fashion_mnist", root=root), load("fashion_mnist_32", root=root)
    assert large.checksum == "4bb0573bea16334b06d60b5d632146d75a039255173c2016b683805bd59dda2c"
    resize = pytest.importorskip("torchvision.transforms").Resize((32, 32))
    for number in range(0, 60_000, 997):
        theirs = np.asarray(resize(Image.fromarray(small.train_images[number, 0])))
        assert np.array_equal(large.train_images[number, 0], theirs)
    assert np.array_equal(large.train_labels, small.train_labels)


def test_every_class_has_its_share(real: ImageData) -> None:
    counts = np.bincount(real.test_labels, minlength=real.classes)
    if real.name == "mnist":
        assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    else:
        assert set(counts) == {len(real.test_labels) // real.classes}


def test_check_finds_every_file_right(real: ImageData) -> None:
    (found,) = check(Path(os.environ["LNBENCH_DATA"]), [real.name])
    assert (found.state, found.fault) == ("present", "")
