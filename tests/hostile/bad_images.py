"""Files that call themselves images: seeded, so that a case can be made again from its seed and its number.

Every maker takes a generator of random numbers and returns the bytes of one file. What a program does with them is the
test's matter.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Generator = np.random.Generator
Maker = Callable[[Generator], bytes]

NAMES = ("a.png", "a.jpg", "a.jpeg", "a.gif", "a.webp", "a.tif", "a.bmp", "a.PNG", "a.avif", "a.eps", "a", "a.txt")
READ = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")  # as photographs are kept
WRITTEN = (*READ, *READ, "TGA", "ICO", "PCX", "SGI", "DDS", "EPS", "PDF")  # all that Pillow writes itself
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16")


def postscript(rng: Generator, mark: str = "mark") -> bytes:
    """Return an EPS whose program writes the file `mark` where somebody runs it."""
    side = int(rng.integers(8, 64))
    program = f"({mark}) (w) file dup (run) writestring closefile"
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 {side} {side}\n%%EndComments\n{program}\nshowpage\n".encode()


def picture_of(rng: Generator, mode: str = "RGB", most: int = 48) -> Image.Image:
    """Return noise of any size up to `most` and of a mode of Pillow's."""
    width, height = (int(one) for one in rng.integers(1, most, 2))
    if mode in ("I", "F", "I;16"):
        values = rng.integers(-70_000 if mode == "I" else 0, 70_000 if mode == "I" else 65_535, (height, width))
        kind = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
        return Image.fromarray(values.astype(kind))
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if mode in ("LAB", "HSV"):
        return Image.frombytes(mode, (width, height), pixels.tobytes())
    if mode == "PA":
        return Image.fromarray(pixels).convert("P").convert("PA")
    return Image.fromarray(pixels).convert(mode)


def written(rng: Generator, how: str | None = None, **options: Any) -> bytes:
    """Return a whole file of a format of Pillow's; a PNG where the format does not take the mode."""
    out, mode = io.BytesIO(), str(rng.choice(MODES))
    how = how or str(rng.choice(WRITTEN))
    try:
        picture_of(rng, mode).save(out, format=how, **options)
    except (OSError, ValueError, KeyError, SyntaxError, TypeError):
        out = io.BytesIO()
        picture_of(rng).save(out, format="PNG")
    return out.getvalue()


def cut(rng: Generator) -> bytes:
    """Return a file that ends too early, at any byte."""
    whole = written(rng)
    return whole[: int(rng.integers(0, len(whole)))]


def struck(rng: Generator) -> bytes:
    """Return a file of which some bytes are others: of its header too, and where its lengths stand."""
    raw = bytearray(written(rng))
    reach = len(raw) if rng.random() < 0.5 else min(len(raw), 64)
    for place in rng.integers(0, reach, int(rng.integers(1, 9))):
        raw[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
    return bytes(raw)


def spliced(rng: Generator) -> bytes:
    """Return the beginning of one file and the end of another."""
    first, second = written(rng), written(rng)
    return first[: int(rng.integers(1, len(first)))] + second[int(rng.integers(0, len(second))) :]


def png(width: int, height: int, body: bytes, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    """Return a PNG of chunks with right checksums; `body`: rows before they are packed."""
    head = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(body, 9))
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_header(rng: Generator) -> bytes:
    """Return a small file whose header speaks of up to 2^31 pixels a side."""
    width, height = (int(2 ** rng.uniform(0, 31.9)) for _ in range(2))
    short = (min(width, 65_535), min(height, 65_535))
    return [
        lambda: png(width, height, bytes(64), depth=int(rng.choice([1, 8, 16])), colour=int(rng.choice([0, 2, 3, 6]))),
        lambda: b"GIF89a" + struct.pack("<HHBBB", *short, 0x80, 0, 0) + bytes(6) + b",\0\0\0\0\1\0\1\0\0\2\2L\1\0;",
        lambda: f"P6 {width} {height} 255\n".encode() + bytes(100),
        lambda: b"BM" + struct.pack("<IIIIiiHHIIiiII", 154, 0, 54, 40, width % 2**31, -(height % 2**31), 1, 24, 0,
                                    0, 0, 0, 0, 0) + bytes(100),
        lambda: tiff([(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
                      (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 100)]),
    ][int(rng.integers(5))]()  # fmt: skip


def tiff(entries: list[tuple[int, int, int, int]], after: int = 0) -> bytes:
    """Return a TIFF with one directory; `after`: where the next one is said to be."""
    body = b"".join(struct.pack("<HHII", *(one & 0xFFFFFFFF for one in entry)) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + body + struct.pack("<I", after)


def in_circles(rng: Generator) -> bytes:
    """Return a TIFF whose directory is followed by itself, or by what is none."""
    size = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 64)]
    return tiff(size, after=int(rng.choice([8, 9, 1 << 20, 0xFFFFFFFF]))) + bytes(64)


def bomb(rng: Generator, side: int = 0) -> bytes:
    """Return a few hundred bytes to a few hundred kilobytes that unpack to millions of pixels."""
    side = side or int(rng.integers(1000, 3000))
    depth, colour, size = ((1, 0, 1 / 8), (8, 0, 1), (8, 6, 4), (16, 0, 2))[int(rng.integers(4))]
    return png(side, side, bytes(int((1 + -(-side * size // 1)) * side)), depth, colour)


def long_text(rng: Generator) -> bytes:
    """Return a PNG with a text that unpacks to millions of letters, or with a broken profile or Exif block."""
    packed = zlib.compress(bytes(int(rng.integers(1 << 19, 4 << 20))))
    extra = [
        chunk(b"zTXt", b"k\0\0" + packed),
        chunk(b"iTXt", b"k\0\1\0\0\0" + packed),
        chunk(b"iCCP", b"icc\0\0" + packed[:1000]),
        chunk(b"eXIf", rng.bytes(40)),
        chunk(b"tRNS", rng.bytes(int(rng.integers(0, 600)))),
        chunk(b"PLTE", rng.bytes(int(rng.integers(0, 900)))),
        chunk(b"acTL", struct.pack(">II", int(rng.integers(0, 2**32)), 0)),
    ][int(rng.integers(7))]
    return png(8, 8, bytes(9 * 8), extra=extra)


def turned(rng: Generator) -> bytes:
    """Return a JPEG or PNG whose Exif block says anything of how it is to be turned."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = [0, 3, 6, 8, 9, 65_535, "up", b"\xff\xff"][int(rng.integers(8))]
    try:
        picture_of(rng).save(out, format=str(rng.choice(["JPEG", "PNG", "WEBP"])), exif=exif)
    except (OSError, ValueError, TypeError, struct.error):
        return written(rng)
    return out.getvalue()


def moving(rng: Generator) -> bytes:
    """Return an animation, whole or cut off after its first picture."""
    out, frames = io.BytesIO(), [picture_of(rng).resize((20, 20)) for _ in range(int(rng.integers(2, 6)))]
    how = str(rng.choice(["GIF", "PNG", "WEBP", "TIFF"]))
    frames[0].save(out, format=how, save_all=True, append_images=frames[1:])
    raw = out.getvalue()
    return raw if rng.random() < 0.5 else raw[: int(len(raw) * rng.uniform(0.3, 1))]


def thin(rng: Generator) -> bytes:
    """Return an image of one pixel by very many."""
    out, long = io.BytesIO(), int(rng.integers(1000, 60_000))
    Image.new("L", (long, 1) if rng.random() < 0.5 else (1, long)).save(out, format="PNG")
    return out.getvalue()


def nonsense(rng: Generator) -> bytes:
    """Return what is no image: nothing, text, noise, or noise behind the first bytes of a format."""
    magic = (
        b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"RIFF\x10\0\0\0WEBP",
        b"\0\0\0\x1cftypavif", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"8BPS", b"P5\n", b"qoif", b"%!PS",
        b"\xc5\xd0\xd3\xc6", b"GRIB", b"BUFR", b"\x89HDF", b"SIMPLE", b"icns", b"\0\0\1\0", b"<svg ", b"\x1f\x8b",
    )  # fmt: skip
    return magic[int(rng.integers(len(magic)))] + rng.bytes(int(rng.choice([0, 1, 8, 100, 5000])))


MAKERS: tuple[Maker, ...] = (
    postscript, written, cut, struck, struck, spliced, huge_header, in_circles, bomb, long_text, turned, moving, thin,
    nonsense,
)  # fmt: skip


def bad_images(seed: int, count: int, makers: tuple[Maker, ...] = MAKERS) -> Iterator[tuple[str, bytes]]:
    """Yield (a description that makes the case again, bytes): `count` files, the makers in turn."""
    for number in range(count):
        make = makers[number % len(makers)]
        yield f"{make.__name__}, seed {seed}, number {number}", make(np.random.default_rng((seed, number)))


def name_for(seed: int, number: int) -> str:
    """Return a file's name, whose ending says nothing of what is in it."""
    return str(np.random.default_rng((seed, number, 1)).choice(NAMES))


def write_images(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` bad images into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, (_, raw) in enumerate(bad_images(seed, count)):
        files.append(folder / f"{number:05d}-{name_for(seed, number)}")
        files[-1].write_bytes(raw)
    return files
