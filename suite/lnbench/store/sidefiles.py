"""Arrays that belong to a record and are too large for it: one .npz next to it, read one array at a time.

The record's outcome describes them (`arrays`: name -> shape, dtype, sha256 of the bytes), so a side file that is
damaged, or of another run, is never taken for what the record means.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.data.arrays import opened_archive
from lnbench.errors import DataError, StoreError

Array = np.ndarray[Any, Any]


class Arrays(Mapping[str, Array]):
    """A record's arrays by name, each read when it is asked for."""

    def __init__(self, names: Mapping[str, Any], read: Callable[[str], Array]):
        self._names, self._read = names, read

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def describe(arrays: Mapping[str, Array]) -> dict[str, dict[str, Any]]:
    """Return what a record says of its arrays."""
    return {
        name: {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": _sha256(array)}
        for name, array in arrays.items()
    }


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Return the side file's bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read(file: Path, name: str, about: Mapping[str, Any]) -> Array:
    """Read one array of a side file. Raises StoreError where it is not there, or not what the record says."""
    if not os.path.lexists(file):
        what = f"{file}: not there (an export holds none); copy it from the store that the record came from"
        raise StoreError(f"{what}, or {_again(file)}")
    try:
        with opened_archive(file, str(file)) as arrays:
            if name not in arrays.names:
                raise DataError(f"{file}: without '{name}'")
            array: Array = arrays.read(name)
    except DataError as error:
        raise StoreError(f"{error}; {_again(file)}") from None
    if list(array.shape) != about["shape"] or str(array.dtype) != about["dtype"] or _sha256(array) != about["sha256"]:
        raise StoreError(f"{file}: '{name}' is not the array that its record describes; {_again(file)}")
    return array


def _again(file: Path) -> str:
    return f"remove its record (`lnbench store remove {file.stem}`) to run it again"


def _sha256(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
