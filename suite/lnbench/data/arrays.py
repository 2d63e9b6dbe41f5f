"""Arrays out of files that anybody may have made: nothing is unpickled, nothing is allocated that the file does not
have, and whatever zip, zlib, lzma or numpy raise is one DataError."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lnbench.errors import DataError
from lnbench.untrusted import Unreadable, open_file

MOST_BYTES = 64 << 20  # of a file of labels, packed and unpacked: ten million int64 numbers with room to spare
MOST_RATIO = 1100  # zlib makes nothing smaller than by 1032
MOST_ARRAYS = 10_000  # of one archive; a checkpoint has some hundred
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the two that numpy writes
_ENCRYPTED = 1  # a bit of a zip entry's flags


def array_of_bytes(raw: bytes, what: str) -> npt.NDArray[Any]:
    """Return the array of a `.npy` file. Raises DataError where it is none, is cut short or holds Python objects;
    `what` names it."""
    return _array(io.BytesIO(raw), len(raw), what)


def _array(stream: IO[bytes], size: int, what: str) -> npt.NDArray[Any]:
    """Return the array of a stream of `size` bytes in the form of a `.npy` file. Raises DataError."""
    try:
        shape, fortran, dtype = _header(stream)
    except ValueError as error:
        raise DataError(f"{what} is no NumPy array ({_first_line(error)}); write it with numpy.save") from None
    if dtype.hasobject:
        raise DataError(f"{what} holds Python objects, which are not loaded; save numbers or text")
    count, there = math.prod(shape), size - stream.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize > there:
        raise DataError(f"{what} is cut short: {there:,} bytes for an array of shape {shape}")
    if not dtype.itemsize or dtype.names or dtype.subdtype or len(shape) > 32 or max(shape, default=0) >= 1 << 48:
        raise DataError(f"{what} is an array of {str(dtype)[:40]} in the shape {str(shape)[:60]}, which is not read")
    flat = np.empty(count, dtype=dtype)
    view = flat.view(np.uint8).data.cast("B") if count else memoryview(b"")
    done = 0
    while done < len(view):
        part = stream.read(min(1 << 20, len(view) - done))
        if not part:
            raise DataError(f"{what} is cut short: {done:,} bytes for an array of shape {shape}")
        view[done : done + len(part)] = part
        done += len(part)
    stream.read(1)  # at its end a zip stream compares the checksum
    try:
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError:  # no bytes, and a shape that no array can have
        raise DataError(f"{what} has the shape {str(shape)[:60]}, which no array can have") from None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return (shape, whether in Fortran's order, dtype). Raises ValueError."""
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(stream)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(stream)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
        raise  # of the stream, and not of what stands in it
    except Exception as error:  # numpy lets through what Python's parser makes of the header: a dozen kinds
        raise ValueError(_first_line(error)) from None
    raise ValueError(f"its format has the version {version[0]}.{version[1]}")


class Archive:
    """An open `.npz` archive. `names`: of its arrays, in order."""

    def __init__(self, archive: zipfile.ZipFile, size: int, what: str):
        self._archive, self._what = archive, what
        self._entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(self._entries) > MOST_ARRAYS:
            raise DataError(f"{what}: has {len(self._entries):,} arrays; at most {MOST_ARRAYS:,} are read")
        if sum(info.compress_size for info in archive.infolist()) > size:
            raise DataError(f"{what}: damaged: its parts are larger than the whole")
        self.names = list(self._entries)

    def read(self, name: str, most: int | None = None) -> npt.NDArray[Any]:
        """Return an array. `most`: bytes that it may unpack to. Raises DataError, also where it says of itself that it
        is larger than what the file can hold; KeyError for a name that is not there."""
        entry, what = self._entries[name], f"{self._what}: {name[:80]}"
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
            raise DataError(f"{what} is packed in a way that NumPy does not write; write the file with numpy.savez")
        ratio = 1 if entry.compress_type == zipfile.ZIP_STORED else MOST_RATIO
        if entry.file_size > ratio * max(entry.compress_size, 64):
            raise DataError(f"{what} says that it has {entry.file_size:,} bytes, more than the file can hold")
        if most is not None and entry.file_size > most:
            raise DataError(f"{what} unpacks to {entry.file_size:,} bytes; at most {most:,} are read")
        with self._archive.open(entry) as stream:
            return _array(stream, entry.file_size, what)


@contextlib.contextmanager
def opened_archive(source: Path | bytes, what: str) -> Iterator[Archive]:
    """Open a `.npz` archive, a file or its bytes. Raises DataError that names it by `what`, for all that is wrong with
    it, whenever that is found."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_file(source) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if file.read(6) == np.lib.format.MAGIC_PREFIX:
                raise DataError(f"{what}: is one array, and no archive of arrays; write it with numpy.savez")
            with zipfile.ZipFile(file) as archive:
                yield Archive(archive, size, what)
    except Unreadable as error:
        raise DataError(f"{what}: cannot be read: {error}") from None
    except MemoryError:
        raise DataError(f"{what}: does not fit into the memory") from None
    # a damaged archive: besides its own error zipfile lets through those of the packers, of struct and of Python
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError,
        IndexError, TypeError, OverflowError, AttributeError, struct.error,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or _first_line(error)
        raise DataError(f"{what}: cannot be read: no NumPy archive, or a damaged one ({reason[:120]})") from None


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
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
