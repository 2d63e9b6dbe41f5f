"""Image files into pixels, on processes of their own and ahead of the training that asks for them.

What comes of a file is a function of the file, the size asked for and 32 random bits, so it is the same for any number
of processes, and in a run that was stopped and goes on. A process reads its orders from a pipe and ends when that
closes, so none outlives whoever started it, however that ends. No torch here: a process starts in a fraction of a
second.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import struct
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lnbench.errors import DataError, LnbenchError
from lnbench.machine import available_cores
from lnbench.randomness import Stream, below, u32

# The usual random crop of ImageNet (Szegedy et al. 2015, section 6; torchvision's RandomResizedCrop): a share of the
# image's area, and a ratio of width to height.
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
TRIES = 10
FLIP = TRIES  # the place, behind those of the tries, of the number that says whether an image is mirrored
WHOLE = (256, 224)  # an image that is evaluated is brought to 256/224 of the size, along its shorter side
PIECE = 8  # images of one order: a batch is spread over all processes
MOST_PROCESSES = 16
VARIABLE = "LNBENCH_DECODERS"
GOOD, BAD = b"\0", b"\1"
Image = npt.NDArray[np.uint8]  # (S, S, 3)
Order = tuple[str, int | None]  # a file, and the random bits of its crop; None: the middle of the image
Box = tuple[int, int, int, int]  # left, top, right, bottom


def processes_wanted(device: str) -> int:
    """Return how many processes decode for one training: LNBENCH_DECODERS, else one on the CPU, where training takes
    the cores, and one a core (16 at most) beside a GPU. 0: the training decodes by itself. Raises LnbenchError."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen:
        if not chosen.isascii() or not chosen.isdigit() or int(chosen) > 256:
            raise LnbenchError(f"{VARIABLE}: '{chosen[:20]}' is no number of processes; give one from 0 to 256")
        return int(chosen)
    return 1 if device == "cpu" else min(MOST_PROCESSES, available_cores())


# ---- one file


@contextlib.contextmanager
def opened(file: str) -> Iterator[Any]:
    """Open an image file, without reading its pixels. Raises DataError, within the context too, where it is damaged."""
    from PIL import Image as images

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, and of large images
            with images.open(file) as image:
                yield image
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{file}: is not there any more; put it back, or start again to have the folder read") from None
    except MemoryError:
        raise
    except Exception as error:  # PIL lets through whatever its parsers make of a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].replace(f"'{file}'", "it")[:120]
        raise DataError(f"{file}: is damaged ({reason}); replace or remove it") from None


def decoded(file: str, size: int, bits: int | None) -> Image:
    """Return (size, size, 3) uint8 of an image file. Raises DataError where it is damaged.

    bits: a random crop, brought to the size; the same bits give the same crop. None: the image brought to 256/224 of
    the size along its shorter side, and the middle of it, as ImageNet is evaluated. Bilinear, with PIL's filter, as
    torchvision has it.
    """
    from PIL import Image as images

    with opened(file) as opened_image:
        image = opened_image.convert("RGB")
        bilinear = images.Resampling.BILINEAR
        if bits is not None:
            return np.asarray(image.crop(crop_box(bits, *image.size)).resize((size, size), bilinear))
        width, height = image.size
        short = size * WHOLE[0] // WHOLE[1]
        if width <= height:
            wide, tall = short, int(short * height / width)
        else:
            wide, tall = int(short * width / height), short
        left, top = round((wide - size) / 2.0), round((tall - size) / 2.0)
        return np.asarray(image.resize((wide, tall), bilinear).crop((left, top, left + size, top + size)))


def crop_box(bits: int, width: int, height: int) -> Box:
    """Return the part of an image of `width`×`height` pixels that random bits stand for: torchvision's law of
    RandomResizedCrop, with numbers of our own."""
    for attempt in range(TRIES):
        share, ratio, across, down = (u32(bits, Stream.AUGMENT, attempt, place) for place in range(4))
        area = width * height * (AREA[0] + (AREA[1] - AREA[0]) * share / 2**32)
        low, high = (math.log(edge) for edge in RATIO)
        aspect = math.exp(low + (high - low) * ratio / 2**32)
        wide, tall = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < tall <= height:
            left, top = below(across, width - wide + 1), below(down, height - tall + 1)
            return left, top, left + wide, top + tall
    wide, tall = width, height  # the image is too long: its middle, at the nearest ratio
    if width / height < RATIO[0]:
        tall = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        wide = round(height * RATIO[1])
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall


def flips(bits: Any) -> Any:
    """Return 1 where an image with these random bits (int64, any shape) is mirrored, else 0."""
    return u32_of(bits) & 1


def u32_of(bits: Any) -> Any:
    """Return one more random number for each of some bits, which may be an array or a tensor."""
    return u32(0, Stream.AUGMENT, FLIP, bits)


# ---- processes


class Pending:
    """Images that were ordered: `ready` waits for them."""

    def __init__(self, orders: Sequence[Order], buffer: Image):
        self.orders, self.buffer = orders, buffer
        self.left = -(-len(orders) // PIECE)
        self.done = threading.Condition()
        self.error: LnbenchError | None = None
        self.cancelled = False

    def finished(self, error: LnbenchError | None = None) -> None:
        """Say that a piece is done."""
        with self.done:
            self.left -= 1
            self.error = self.error or error
            if self.left == 0 or error:
                self.done.notify_all()

    def ready(self) -> Image:
        """Return (N, S, S, 3) uint8, in the order of the orders. Raises DataError where a file is damaged."""
        with self.done:
            while self.left > 0 and self.error is None:
                self.done.wait()
        if self.error is not None:
            raise self.error
        return self.buffer

    def cancel(self) -> None:
        """Say that nobody waits for them any more."""
        self.cancelled = True


class Here(Pending):
    """Images that are decoded by whoever asks for them, when that is."""

    def ready(self) -> Image:
        for place, (file, bits) in enumerate(self.orders):
            self.buffer[place] = decoded(file, self.buffer.shape[1], bits)
        return self.buffer


Piece = tuple[Pending, slice]


class Decoders:
    """Processes that decode; 0 of them: the caller does, when it asks. They are started when they are first needed."""

    def __init__(self, processes: int):
        self.processes = processes
        self.pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.close = weakref.finalize(self, _end, self.pieces, self.threads)

    def order(self, orders: Sequence[Order], size: int, buffer: Image | None = None) -> Pending:
        """Have images decoded, each brought to size×size pixels. `buffer` (N, size, size, 3) uint8 takes them."""
        if buffer is None:
            buffer = np.empty((len(orders), size, size, 3), dtype=np.uint8)
        if self.processes == 0:
            return Here(orders, buffer)
        if not self.threads:
            for _ in range(self.processes):
                thread = threading.Thread(target=_serve, args=(self.pieces,), daemon=True)
                self.threads.append(thread)
                thread.start()
        pending = Pending(orders, buffer)
        for start in range(0, len(orders), PIECE):
            self.pieces.put((pending, slice(start, start + PIECE)))
        return pending


def _end(pieces: queue.SimpleQueue[Piece | None], threads: list[threading.Thread]) -> None:
    for _ in threads:
        pieces.put(None)
    for thread in threads:
        thread.join(5.0)


def _serve(pieces: queue.SimpleQueue[Piece | None]) -> None:
    """Give one process pieces to decode until there are no more: the thread beside it."""
    process: subprocess.Popen[bytes] | None = None
    while (piece := pieces.get()) is not None:
        pending, part = piece
        error: LnbenchError | None = None
        for last in (False, True):
            if pending.cancelled or pending.error:
                break
            if process is None:
                process = _started()
            try:
                error = _asked(process, pending.orders[part], pending.buffer[part])
                break
            except (OSError, EOFError):  # it died: of memory, or killed; another is given the piece once more
                process.kill()
                code, process = process.wait(), None
                if last:
                    files = f"{pending.orders[part][0][0]} or {PIECE - 1} files after it"
                    error = LnbenchError(f"a process that decodes images died twice (exit code {code}) at {files}")
        pending.finished(error)
    if process is not None:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        process.wait()


def _started() -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from lnbench.data.decoding import main; main()"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _asked(process: subprocess.Popen[bytes], orders: Sequence[Order], into: Image) -> LnbenchError | None:
    """Have a process decode some images into an array; return what it says is wrong. Raises OSError or EOFError where
    it died."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps([into.shape[1], orders]).encode() + b"\n")
    process.stdin.flush()
    for place in range(len(orders)):
        if _exactly(process.stdout, bytearray(1)) == BAD:
            (length,) = struct.unpack("<I", _exactly(process.stdout, bytearray(4)))
            return DataError(_exactly(process.stdout, bytearray(length)).decode(errors="replace"))
        _exactly(process.stdout, into[place].data.cast("B"))
    return None


def _exactly(stream: IO[bytes], into: Any) -> Any:
    """Fill a block of bytes from a stream and return it. Raises EOFError."""
    view, done = memoryview(into), 0
    while done < len(view):
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        done += count
    return into


def main() -> None:
    """Decode what comes on the standard input until it closes: the work of one process."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks hears Ctrl-C, and closes the pipe
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print is no picture
    try:
        for line in sys.stdin.buffer:
            size, orders = json.loads(line)
            for file, bits in orders:
                try:
                    pixels = decoded(file, size, bits)
                except DataError as error:
                    said = str(error).encode(errors="replace")
                    out.write(BAD + struct.pack("<I", len(said)) + said)
                    break
                out.write(GOOD + pixels.tobytes())
            out.flush()
    except BrokenPipeError:
        os._exit(0)
