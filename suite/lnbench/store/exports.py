"""Exports: the records of a store as one file of JSON lines, and where one may be written."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

from lnbench.errors import Exit, StoreError
from lnbench.store.record import MOST_BYTES, LaterFormat, Record, opened
from lnbench.untrusted import Unreadable, kind_of, open_file

MOST_UNPACKED = 4 << 30  # bytes of an export; our largest store has 60 MB
MOST_WRONG = 1000  # lines that are no records, after which a file is taken for no export


class NotWritten(StoreError):
    """An export that would destroy what is there."""

    exit_code = Exit.USAGE


def read_export(file: Path, most: int = MOST_UNPACKED) -> Iterator[tuple[int, Record | str]]:
    """Yield (line number, record, or what is wrong with the line) of an exported file, line by line.

    Raises StoreError where the file cannot be read, unpacks to more than `most` bytes, or has a line longer than any
    record, or a thousand that are none. Of a packed file this is known before the first record is given out.
    """
    if file.suffix == ".gz":
        for _ in _lines(file, most):
            pass  # a file that is damaged or too large at its end is found before anything is taken over
    wrong = 0
    for number, line in _lines(file, most):
        if not line.strip():
            continue
        try:
            yield number, opened(line)
        except LaterFormat as error:
            yield number, str(error)
        except ValueError as error:
            wrong += 1
            yield number, str(error)
        if wrong > MOST_WRONG:
            raise StoreError(f"{file}: more than {MOST_WRONG:,} lines are no records; is it an export?")


def _lines(file: Path, most: int) -> Iterator[tuple[int, bytes]]:
    try:
        with open_file(file) as raw:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if file.suffix == ".gz" else raw
            number = size = 0
            while line := stream.readline(MOST_BYTES + 1):
                number += 1
                size += len(line)
                if len(line) > MOST_BYTES:
                    raise Unreadable(f"line {number} is longer than {MOST_BYTES >> 20} MiB, which no record is")
                if size > most:
                    raise Unreadable(f"it holds more than {most / 2**30:g} GiB")
                yield number, line
    except Unreadable as error:
        raise StoreError(f"{file}: cannot be read: {error}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def write_through(file: Path, data: bytes) -> None:
    """Write to a pipe or a device. Raises OSError: of a pipe that nobody reads at once, as opening it would wait."""
    descriptor = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def demand_place(file: Path) -> None:
    """Raise NotWritten for a target whose folder is not there (a mistyped one), and for `-`, which is a file here."""
    if file.name == "-":
        raise NotWritten("-: is no file; for standard output write /dev/stdout")
    try:
        there = file.absolute().parent.is_dir()
    except OSError:
        return  # writing says it, with what to do
    if not there:
        raise NotWritten(f"{file}: there is no folder {file.parent}; make it, or name another file")


def demand_outside(file: Path, store: Path) -> None:
    """Raise NotWritten where a target lies in a store's own folder: it could be one of its records."""
    try:
        inside = file.resolve().is_relative_to(store.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle; a path that the system does not take
        return
    if inside:
        raise NotWritten(f"{file}: lies in the store's own folder {store}; name a file outside of it")


def demand_no_loss(file: Path, ids: Collection[str]) -> None:
    """Raise NotWritten where a file that is there would lose something: one that is no export, or has records that the
    new one does not have (`ids`)."""
    try:
        found = kind_of(file)
    except Unreadable:
        return  # writing says it, with what to do
    if found != "file" or file.stat().st_size == 0:
        return
    lost = 0
    try:
        for _, record in read_export(file):
            if isinstance(record, str):
                raise StoreError(record)
            lost += record["id"] not in ids
    except StoreError:
        raise NotWritten(f"{file}: is there already, and is no whole export; name another file, or --replace") from None
    if lost:
        records = "a record that is" if lost == 1 else f"{lost} records that are"
        raise NotWritten(f"{file}: has {records} not among the {len(ids)} to write; name another file, or --replace")
