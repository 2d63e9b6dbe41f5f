"""Arrays of whole numbers out of files that anybody may have made: nothing is unpickled, and nothing is allocated that
the file does not have."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lnbench.errors import DataError

MOST_BYTES = 64 << 20  # of a file of labels, packed and unpacked: ten million int64 numbers with room to spare


def array_of_bytes(raw: bytes, what: str) -> npt.NDArray[Any]:
    """Return the array of a `.npy` file. Raises DataError where it is none, is cut short or holds Python objects;
    `what` names it."""
    stream = io.BytesIO(raw)
    try:
        shape, fortran, dtype = _header(stream)
    except ValueError as error:
        raise DataError(f"{what} is no NumPy array ({_first_line(error)}); write it with numpy.save") from error
    if dtype.hasobject:
        raise DataError(f"{what} holds Python objects, which are not loaded; save an array of integers")
    count, body = math.prod(shape), raw[stream.tell() :]
    if min(shape, default=0) < 0 or count * dtype.itemsize > len(body):
        raise DataError(f"{what} is cut short: {len(body):,} bytes for an array of shape {shape}")
    flat = np.frombuffer(body, dtype=dtype, count=count) if count else np.empty(0, dtype=dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return (shape, whether in Fortran's order, dtype). Raises ValueError."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"its format has the version {version[0]}.{version[1]}")


def archived(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[Any]:
    """Return one array of a `.npz` archive. Raises DataError, also where it unpacks to more than 64 MiB."""
    about = archive.getinfo(f"{name}.npy")
    if about.file_size > MOST_BYTES:
        what = f"{path}: {name} unpacks to {about.file_size:,} bytes"
        raise DataError(f"{what}; an array of labels has at most {MOST_BYTES:,}")
    with archive.open(about) as stream:
        raw = stream.read(MOST_BYTES + 1)  # what the archive says of itself need not be so
    return array_of_bytes(raw, f"{path}: {name}")


def whole_numbers(values: Any, what: str) -> npt.NDArray[np.int64]:
    """Return an array of whole numbers, of any integer or float type, as int64. Raises DataError that names the first
    value that is none."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise DataError(f"{what} holds {array.dtype.name}, not integers; a label is the number of a class, from 0")
    if array.dtype.kind == "f":
        array = array.astype(np.float64)  # a half's rounding would warn
        bad = np.flatnonzero(~np.isfinite(array.ravel()) | (array.ravel() != np.round(array.ravel())))
        if bad.size:
            value = array.ravel()[bad[0]]
            raise DataError(f"{what}: entry {bad[0]:,} is {value}, not an integer; a label is the number of a class")
    if array.size and (array.min() < -(2**62) or array.max() > 2**62):
        raise DataError(f"{what} holds {array.max()}, which is no class's number")
    return array.astype(np.int64)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
