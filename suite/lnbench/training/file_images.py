"""Images in files on a device: decoded by processes of their own, some batches ahead of the step that trains on them.

A batch is the same for any number of processes: its files and its crops are functions of the run's seeds. What is
decoded goes to the device as bytes; there it is mirrored, all images of a batch at once (torchvision's v2), and scaled.

Which files a batch shows is worked out on the device, as for images in memory, so the host asks it for their numbers:
once in some hundred batches (`batches.BATCHES_A_DRAW`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lnbench.data.decoding import Decoders, Pending, flips
from lnbench.training.shape import files_at_once

AHEAD = 4  # batches that are decoded ahead


class FileImages:
    """Image files by their numbers, as if they lay in one array (N, S, S, 3) uint8 on the device.

    file: the path of the image of a number. `images[index]` decodes them; `announce` says which will be asked for next.
    """

    def __init__(self, file: Callable[[int], str], size: int, device: torch.device, decoders: Decoders):
        self.file, self.size, self.device, self.decoders = file, size, device, decoders
        self.at_once = files_at_once(size)
        self._next: deque[tuple[Tensor, Later]] = deque()

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return (n, S, S, 3) uint8 of images `index` (n,) int64, as they are evaluated."""
        later: Later | None = None
        if self._next and self._next[0][0] is index:
            _, later = self._next.popleft()
        else:
            self._forget()
        for _, soon in list(self._next)[:2]:
            soon.start()
        return self.shown(index, None) if later is None else later.shown()

    def announce(self, pieces: Sequence[Tensor]) -> None:
        """Say which images will be asked for, in this order and by these tensors."""
        self._forget()
        every = self.later(torch.cat(tuple(pieces)), None) if pieces else None
        start = 0
        for piece in pieces:
            assert every is not None
            self._next.append((piece, every.of(slice(start, start + len(piece)))))
            start += len(piece)

    def _forget(self) -> None:
        for _, later in self._next:
            later.cancel()
        self._next.clear()

    def later(self, image: Tensor, shift: Tensor | None) -> Later:
        """Return images by their numbers (n,) int64, to be decoded when they are started; `shift` (n, 1) int64: the
        bits of their crops. Asks the device for the numbers, so do it for many at once."""
        bits = None if shift is None else shift[:, 0].tolist()
        return Later(self, image.tolist(), bits, shift)

    def shown(self, image: Tensor, shift: Tensor | None) -> Tensor:
        """Return (…, S, S, 3) uint8: the images `image` (…) int64, cropped and flipped where there is a shift
        (…, 1)."""
        flat = None if shift is None else shift.reshape(-1, 1)
        return self.later(image.reshape(-1), flat).shown().view(*image.shape, self.size, self.size, 3)


@dataclass
class Later:
    """Some images that may be decoded ahead: `numbers` and `bits` on the host, `shift` (n, 1) on the device."""

    images: FileImages
    numbers: list[int]
    bits: list[int] | None
    shift: Tensor | None
    pending: Pending | None = None
    held: Tensor | None = None

    def of(self, part: slice) -> Later:
        """Return some of them, by their places."""
        bits, shift = (None if each is None else each[part] for each in (self.bits, self.shift))
        return Later(self.images, self.numbers[part], bits, shift)  # type: ignore[arg-type]

    def start(self) -> None:
        """Have them decoded."""
        if self.pending is not None:
            return
        size, cuda = self.images.size, self.images.device.type == "cuda"
        bits: Sequence[int | None] = self.bits if self.bits is not None else [None] * len(self.numbers)
        orders = [(self.images.file(number), own) for number, own in zip(self.numbers, bits, strict=True)]
        self.held = torch.empty((len(orders), size, size, 3), dtype=torch.uint8, pin_memory=cuda)
        self.pending = self.images.decoders.order(orders, size, self.held.numpy())

    def shown(self) -> Tensor:
        """Return (n, S, S, 3) uint8 on the device, mirrored where their bits say so. Raises DataError where a file is
        damaged."""
        self.start()
        assert self.pending is not None and self.held is not None
        self.pending.ready()
        pixels = self.held.to(self.images.device, non_blocking=True)
        return pixels if self.shift is None else mirrored(pixels, flips(self.shift[:, 0]) == 1)

    def cancel(self) -> None:
        """Say that nobody asks for them any more."""
        if self.pending is not None:
            self.pending.cancel()


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Return images (n, H, W, C), those `which` (n,) bool mirrored from left to right."""
    from torchvision.transforms.v2.functional import horizontal_flip

    flipped = horizontal_flip(images.movedim(-1, -3)).movedim(-3, -1)
    return torch.where(which.view(-1, 1, 1, 1), flipped, images)


def ahead(batches: Any) -> Any:
    """Yield batches, each with the AHEAD behind it being decoded; those that nobody asks for in the end are left."""
    waiting: deque[Any] = deque()
    try:
        for batch in batches:
            if batch.later is not None:
                batch.later.start()
            waiting.append(batch)
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        for batch in waiting:
            if batch.later is not None:
                batch.later.cancel()
