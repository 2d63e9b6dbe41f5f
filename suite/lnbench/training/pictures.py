"""Which images a run's batches show: those of its data set, and those that its noise brings from elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from lnbench.data.images import ImageData
from lnbench.noise.foreign import LEVELS, DiluteForeign
from lnbench.randomness import FOREIGN, u32
from lnbench.training.augment import crop_and_flip, pad

HALF = 16  # bits of a random number that one pixel needs


class Pictures:
    """Training images on a device, by their numbers: `images` (N, H, W, C) uint8.

    `padded`: the same with a black border, as they are and mirrored, made when a crop is first asked for.
    """

    def __init__(self, images: Tensor):
        self.images = images
        self._padded: Tensor | None = None

    @property
    def padded(self) -> Tensor:
        if self._padded is None:
            self._padded = pad(self.images)
        return self._padded

    def shown(self, image: Tensor, shift: Tensor | None) -> Tensor:
        """Return (…, H, W, C) uint8: the images `image` (…) int64, cropped and flipped where there is a shift."""
        if shift is None:  # whole ones: by index_select a memory copy each, 4 times as fast as [image]
            whole = self.images.flatten(1).index_select(0, image.flatten())
            return whole.view(*image.shape, *self.images.shape[1:])
        return crop_and_flip(self.padded, image, shift)


def with_another(own: Pictures, other: ImageData) -> Pictures:
    """Return the images of a data set with the training images of another behind them."""
    more = torch.from_numpy(other.train_images.transpose(0, 2, 3, 1).copy()).to(own.images.device)
    return Pictures(torch.cat((own.images, more)))


class WithWhiteNoise(Pictures):
    """The images of a data set, and behind their numbers images of white noise that nobody keeps: each pixel is a
    function of the run's noise seed, the image's number and the pixel's place.

    A crop or a mirror image of white noise is white noise, so these are shown as they are.
    """

    def __init__(self, own: Pictures, noise: DiluteForeign):
        super().__init__(own.images)
        self.own, self.seed = own, noise.seed
        self.levels = torch.from_numpy(noise.quantiles()).to(own.images.device).flatten()
        _, tall, wide, channels = own.images.shape
        place = torch.arange(tall * wide * channels, device=own.images.device)
        self.channel = place % channels * LEVELS
        self.draws = torch.arange(-(-len(place) // 2), device=own.images.device)  # two pixels each

    @property
    def padded(self) -> Tensor:
        return self.own.padded

    def shown(self, image: Tensor, shift: Tensor | None) -> Tensor:
        have = len(self.images)
        own = self.own.shown(image.clamp(max=have - 1), shift)
        white = self.white((image - have).clamp(min=0))
        late = (image >= have).view(*image.shape, 1, 1, 1)
        return torch.where(late, white, own)

    def white(self, number: Tensor) -> Tensor:
        """Return (…, H, W, C) uint8: images number `number` (…) int64 of white noise, from 0."""
        bits = u32(self.seed, FOREIGN, number.unsqueeze(-1), self.draws)
        halves = torch.stack((bits >> HALF, bits & (LEVELS - 1)), -1).flatten(-2)[..., : len(self.channel)]
        return self.levels[halves + self.channel].view(*number.shape, *self.images.shape[1:])
