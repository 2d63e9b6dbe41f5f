"""One image file: what its header says, and its pixels as a small square."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]  # (S, S, 3)
WHITE = (255, 255, 255)


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


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        if not file.is_file():  # a broken link, or a pipe, which would be waited for
            why = "a folder that may not be read" if file.is_dir() else "not a file"
            raise Unreadable(why if file.exists() else "no such file")
        with Image.open(file) as image:
            yield image
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable("not an image that Pillow can read") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Unreadable(f"more than {Image.MAX_IMAGE_PIXELS:,} pixels") from None
    except PermissionError:
        raise Unreadable("may not be read") from None
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
        upright = ImageOps.exif_transpose(_eight_bits(image))
        square = ImageOps.fit(_on_white(upright), (size, size), method=Image.Resampling.BILINEAR)
        return np.asarray(square, dtype=np.uint8)


def _eight_bits(image: Any) -> Any:
    """Halve 16-bit grey values, which Pillow would clip at 255, to 8 bits."""
    from PIL import Image

    if image.mode == "F":
        raise Unreadable("pixels are floating-point numbers of unknown range; save it with 8 bits")
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
