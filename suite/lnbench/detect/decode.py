"""One image file: what its header says, and its pixels as a small square."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]  # (S, S, 3)
WHITE = (255, 255, 255)
# Of the formats that Pillow knows, those that photographs and drawings are kept in. Others are read by programs that it
# starts (Ghostscript for EPS, whatever the file is called), or by code that few have tried, or have no sign that tells
# them from any other file.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000")
NO_FORMAT = "not a PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, PPM or JPEG 2000 image"
MOST_AT_ONCE = 1 << 25  # pixels of all the pictures that are decoded at a time: some 300 MB
BAND = 1 << 20  # pixels that are converted at a time


class Unreadable(Exception):
    """This file gives no picture; the text says why."""


@dataclass(frozen=True)
class Header:
    """What is known of a file before its pixels are read: width and height in pixels, and whether it has several
    pictures (an animation), of which the first is taken."""

    width: int
    height: int
    several: bool

    @property
    def shorter(self) -> int:
        return min(self.width, self.height)


@contextlib.contextmanager
def watchful() -> Iterator[None]:
    """Turn pictures that Pillow takes for decompression bombs into errors inside this context; mute its other warnings.

    Held around a whole reading, not around a file: filters of warnings belong to the process, not to a thread.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


class Room:
    """Room for so many pixels: threads that decode more than there is room for wait for each other. A picture of more
    than that is decoded alone."""

    def __init__(self, most: int):
        self.most, self.taken = most, 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Hold room for `pixels` inside this context."""
        with self._changed:
            self._changed.wait_for(lambda: not self.taken or self.taken + pixels <= self.most)
            self.taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self.taken -= pixels
                self._changed.notify_all()


ROOM = Room(MOST_AT_ONCE)


@cache
def _formats() -> list[str]:
    """Return those of FORMATS that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        if not file.is_file():  # a broken link, or a pipe, which would be waited for
            why = "a folder that may not be read" if file.is_dir() else "not a file"
            raise Unreadable(why if file.exists() else "no such file")
        with Image.open(file, formats=_formats()) as image:
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(NO_FORMAT) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Unreadable(f"more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except PermissionError:
        raise Unreadable("may not be read") from None
    except MemoryError:
        raise Unreadable("more than the memory holds") from None
    except Exception as error:  # the decoders of damaged files raise a dozen kinds of error, struct.error among them
        text = str(error).strip().splitlines()
        raise Unreadable(f"damaged: {text[0] if text else type(error).__name__}") from None


def header(file: Path) -> Header:
    """Read a file's header. Raises Unreadable."""
    with _opened(file) as image:
        return Header(image.width, image.height, several=bool(getattr(image, "is_animated", False)))


def picture(file: Path, size: int) -> Picture:
    """Return the largest middle square of the (first) picture, upright, scaled to (size, size, 3). Raises Unreadable.

    One that is already so large is taken pixel by pixel. Transparent parts become white.
    """
    from PIL import Image, ImageOps

    with _opened(file) as image:
        # JPEG: decoded at a fraction of its size, yet no smaller than twice what is asked for; other formats ignore it
        image.draft(None, (2 * size, 2 * size))
        with ROOM.of(image.width * image.height):
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            square = ImageOps.fit(_in_colour(image), (size, size), method=Image.Resampling.BILINEAR)
        return np.asarray(square, dtype=np.uint8)


def _in_colour(image: Any) -> Any:
    """Return the picture as RGB, on white, band by band: a copy in each mode on the way would take five times the
    memory."""
    from PIL import Image

    if image.mode == "F":
        raise Unreadable("pixels are floating-point numbers of unknown range; save it with 8 bits")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    found, rows = Image.new("RGB", image.size), max(1, BAND // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        found.paste(_on_white(_eight_bits(band)), (0, top))
    return found


def _eight_bits(image: Any) -> Any:
    """Halve 16-bit grey values, which Pillow would clip at 255, to 8 bits."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise Unreadable("pixels are 32-bit integers of unknown range; save it with 8 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        solid = image.convert("RGBA")
        ground = Image.new("RGBA", solid.size, (*WHITE, 255))
        return Image.alpha_composite(ground, solid).convert("RGB")
    return image.convert("RGB")


def fitted(images: Picture, side: int) -> Picture:
    """Return images (N, H, W, 3) as (N, side, side, 3): the middle square of each, scaled as `picture` does."""
    from PIL import Image, ImageOps

    if images.shape[1:3] == (side, side):
        return images
    way = Image.Resampling.BILINEAR
    squares = (ImageOps.fit(Image.fromarray(image), (side, side), method=way) for image in images)
    return np.stack([np.asarray(square, dtype=np.uint8) for square in squares])
