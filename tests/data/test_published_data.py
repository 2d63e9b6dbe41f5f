"""The real data sets, where LNBENCH_DATA points at them, against the published bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.data.images import ImageData, load
from lnbench.data.root import check, status
from lnbench.data.sources import SOURCES

REAL = [name for name, source in SOURCES.items() if not source.embedded]


@pytest.fixture(params=REAL)
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


def test_every_class_has_its_share(real: ImageData) -> None:
    counts = np.bincount(real.test_labels, minlength=real.classes)
    if real.name == "mnist":
        assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    else:
        assert set(counts) == {len(real.test_labels) // real.classes}


def test_check_finds_every_file_right(real: ImageData) -> None:
    (found,) = check(Path(os.environ["LNBENCH_DATA"]), [real.name])
    assert (found.state, found.fault) == ("present", "")
