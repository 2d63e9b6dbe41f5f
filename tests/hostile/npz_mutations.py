"""Archives of arrays that a full disk or an attacker could leave: named ones, and endless edits of a sound one."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterator

import numpy as np

BOMB = 1 << 30  # bytes that a header promises, or that zeros unpack to


def sound(**arrays: object) -> bytes:
    """An archive as numpy.savez writes it."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def header(descr: str, shape: str, version: tuple[int, int] = (1, 0), body: bytes = b"") -> bytes:
    """The bytes of a .npy file with any header at all."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode("latin1", "replace")
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + body


def packed(name: str, content: bytes, how: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of one entry, packed in some way."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def named(name: str) -> dict[str, bytes]:
    """What is wrong -> an archive whose array `name` is so."""
    numbers = header("'<i8'", "(3,)", body=bytes(24))
    plain = packed(name, numbers)
    locked = bytearray(plain)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[plain.index(mark) + offset] |= 1
    method = bytearray(plain)
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        method[plain.index(mark) + offset] = 97
    larger = plain.replace(struct.pack("<II", len(numbers), len(numbers)), struct.pack("<II", len(numbers), 1 << 31))
    return {
        "no archive": b"labels",
        "empty": b"",
        "one array": numbers,
        "lzma": packed(name, numbers, zipfile.ZIP_LZMA),
        "lzma, damaged": _damaged(packed(name, numbers * 50, zipfile.ZIP_LZMA)),
        "bzip2": packed(name, numbers, zipfile.ZIP_BZIP2),
        "deflated, damaged": _damaged(packed(name, np.random.default_rng(0).bytes(4000), zipfile.ZIP_DEFLATED)),
        "with a password": bytes(locked),
        "an unknown method": bytes(method),
        "a size that is not so": larger,
        "objects": sound(**{name: np.array([None, {}], dtype=object)}),
        "a shape of more than there is": packed(name, header("'<i8'", f"({BOMB},)", body=bytes(24))),
        "a shape of no bytes": packed(name, header("'<i8'", f"(0, {2**62}, {2**62})")),
        "a negative shape": packed(name, header("'<i8'", "(-1,)", body=bytes(24))),
        "a shape of truth": packed(name, header("'<i8'", "(True, 2.5)", body=bytes(24))),
        "a shape that is a call": packed(name, header("'<i8'", "__import__('os').getpid()", body=bytes(24))),
        "a shape nested deeply": packed(name, header("'<i8'", "(" * 400 + ")" * 400)),
        "forty axes": packed(name, header("'<i8'", "(" + "1, " * 40 + ")", body=bytes(8))),
        "nothing as a type": packed(name, header("'V0'", f"({BOMB},)")),
        "text of no signs": packed(name, header("'S0'", f"({BOMB},)")),
        "an unknown type": packed(name, header("'Q9'", "(3,)", body=bytes(24))),
        "a type that is none": packed(name, header("[('a', None)]", "(3,)", body=bytes(24))),
        "a header of 60,000 signs": packed(name, header("'<i8'", "(3,)" + " " * 60_000, body=bytes(24))),
        "no text as a header": packed(name, b"\x93NUMPY\x01\x00\x04\x00\xff\xfe\x00\x00"),
        "another version": packed(name, header("'<i8'", "(3,)", version=(9, 9), body=bytes(24))),
        "a header cut off": packed(name, numbers[:20]),
        "an array cut off": packed(name, numbers[:-1]),
        "an empty entry": packed(name, b""),
    }


def edited(raw: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, changed bytes) of an archive without end; half of the edits are near its marks."""
    draw = random.Random(f"npz {seed}")
    marks = [place for place in range(len(raw)) if raw[place : place + 2] in (b"PK", b"\x93N", b"{'")]
    while True:
        at = draw.choice(marks) + draw.randrange(60) if draw.random() < 0.5 else draw.randrange(len(raw))
        at = min(at, len(raw) - 1)
        made, how = bytearray(raw), draw.choice(["byte", "byte", "bytes", "cut", "remove", "twice", "number"])
        if how == "byte":
            made[at] = draw.randrange(256)
        elif how == "bytes":
            made[at : at + 8] = draw.randbytes(8)
        elif how == "cut":
            del made[at:]
        elif how == "remove":
            del made[at : at + draw.randrange(1, 40)]
        elif how == "twice":
            made[at:at] = made[at : at + draw.randrange(1, 200)]
        else:
            made[at : at + 4] = struct.pack("<I", draw.choice([0, 1, 2**31 - 1, 2**32 - 1, len(raw)]))
        yield f"{how} at {at}", bytes(made)


def _damaged(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[: middle - 30] + bytes(reversed(raw[middle - 30 : middle])) + raw[middle:]
