"""The data on the device: a batch is a set of indices, its labels are computed, nothing is copied or loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.images import AnyData, ImageData
from lnbench.data.label_files import LabelFiles
from lnbench.given import array_of
from lnbench.methods.method import Beside, Examples, Method, Seen
from lnbench.noise.foreign import UNKNOWN, DiluteForeign, foreign_images
from lnbench.noise.law import LabelNoise, describe, in_epoch, novel_images, on_data
from lnbench.randomness import METHOD, Stream, permutation_at
from lnbench.training.augment import PADDING, crop_bits, shifts
from lnbench.training.file_images import FileImages, Later
from lnbench.training.pictures import Pictures, WithWhiteNoise, with_another

BATCHES_A_DRAW = 256  # examples and labels are drawn for that many batches at a time


def method_of(recipe: dict[str, Any]) -> Method:
    """Make the recipe's method, of its options where it has any."""
    name, options = catalog.name_and_options(recipe["method"])
    made: Callable[..., Method] = catalog.find("method", name).load()
    return made() if options is None else made(options)


class DeviceData:
    """A data set on a device, shared by every run that trains on it.

    Images lie channels-last, (N, H, W, C) uint8: the layout in which networks convolve fastest and in which a crop is
    a copy of whole rows. `scale` is the pixel value that means 1.
    """

    data: AnyData
    images: torch.Tensor | FileImages
    test_images: torch.Tensor | FileImages

    def __init__(self, data: ImageData, device: torch.device):
        self.data, self.device = data, device
        self.scale, self.classes, self.shape = data.scale, data.classes, data.shape
        images = self.images = _channels_last(data.train_images, device)
        self.labels = torch.from_numpy(data.train_labels.astype(np.int64)).to(device)
        self.test_images = _channels_last(data.test_images, device)
        self.test_labels = torch.from_numpy(data.test_labels.astype(np.int64)).to(device)
        self.pictures = Pictures(images)
        self._joined: dict[str, Pictures] = {}

    @property
    def padded(self) -> torch.Tensor:
        """Return the training images with a black border, as they are and mirrored: made when a crop is first asked
        for."""
        return self.pictures.padded

    def later(self, image: torch.Tensor, shift: torch.Tensor | None) -> Later | None:
        """Return what decodes images ahead, by their numbers; None of images in memory."""
        return None

    def ahead(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches, those behind the next one made ready meanwhile where they have to be decoded."""
        return batches

    def pictures_of(self, noise: LabelNoise) -> Pictures | FileImages:
        """Return the images that a run with this noise shows; those of another data set are moved to the device
        once."""
        if not isinstance(noise, DiluteForeign):
            return self.pictures
        if noise.other is None:
            return WithWhiteNoise(self.pictures, noise)
        if noise.other.checksum not in self._joined:
            self._joined = {noise.other.checksum: with_another(self.pictures, noise.other)}  # one at a time
        return self._joined[noise.other.checksum]


def _channels_last(images: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 2, 3, 1))).to(device)


@dataclass(frozen=True)
class Batch:
    """What one step sees. `example` (B,): the training examples, by their place among those of the run; `image` (B,):
    the numbers of their images in the whole data set; `label` (B,): as given; all int64. `shift` (B, 3) int64 of a
    random crop and flip, or None. `beside`: how many of them, at the end, are not the run's own (`methods.Beside`).
    `later`: what gives the pixels, of images in files: they are decoded ahead. Of these `shift` is (B, 1), the random
    bits of a crop."""

    example: torch.Tensor
    image: torch.Tensor
    label: torch.Tensor
    shift: torch.Tensor | None
    beside: int = 0
    later: Later | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def own(self) -> Batch:
        """Return the batch without what came beside the run's own examples."""
        if not self.beside:
            return self
        parts = (self.example, self.image, self.label, self.shift)
        example, image, label, shift = (None if each is None else each[: -self.beside] for each in parts)
        assert example is not None and image is not None and label is not None
        return Batch(example, image, label, shift)


@dataclass(frozen=True)
class Pixels:
    """From bytes to numbers: x / scale, then, where a recipe says so, less a mean and over a deviation a channel."""

    factor: torch.Tensor  # (1,) float32; with an offset (W·C,), a whole row: a loop over 3 channels is 5 times slower
    offset: torch.Tensor | None  # (W·C,) float32

    @staticmethod
    def of(recipe: dict[str, Any], data: DeviceData) -> Pixels:
        about = recipe.get("pixels")
        if about is None:
            return Pixels(torch.full((1,), 1.0 / data.scale, device=data.device), None)
        mean, deviation = (torch.tensor(about[name], dtype=torch.float64) for name in ("mean", "std"))
        factor, offset = 1.0 / (data.scale * deviation), -mean / deviation
        width = data.shape[2]
        return Pixels(*(each.float().repeat(width).to(data.device) for each in (factor, offset)))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return (..., H, W, C) uint8 as (..., C, H, W) float32 in channels-last memory."""
        if self.offset is None:
            return images.to(torch.float32).mul_(self.factor).movedim(-1, -3)
        rows = images.flatten(-2).to(torch.float32)
        return torch.addcmul(self.offset, rows, self.factor).view(images.shape).movedim(-1, -3)


@dataclass(frozen=True)
class Held:
    """Images that no step sees: `images` (N, H, W, C) uint8, of which `index` (n,) are meant; `labels` (n,) int64.

    Images in files are decoded when they are asked for by their numbers, as an array is.
    """

    images: torch.Tensor | FileImages
    index: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def test_images(have: int, wanted: int | None) -> np.ndarray:
    """Return which of the `have` test images a run is tested on, rising: (wanted,) int64, the same for every run and
    seed, drawn by the counter hash as a data set may lie class by class; all of them without `wanted`."""
    numbers = np.arange(have, dtype=np.int64)
    if wanted is None:
        return numbers
    return np.sort(permutation_at(0, Stream.SPLIT, 0, have, numbers)[:wanted])


class TrainingSet:
    """What one run trains on, is validated on and is tested on: a function of its recipe, its seeds and its inputs.

    `kept` (M,) int64: the numbers of the examples that it trains on, where the recipe's `dataset.only` names an input
    that keeps some; None: all of them. `start` (W,) float32: the weights that the network starts with; None: they are
    drawn.
    `files`: where label files lie, for noise that reads one.
    `identity` (n,) and `labels` (n,) are of the clean images, in the data set's order, and behind them of the novel
    images that its noise shows, in the order of the draw; or of the foreign ones, whose numbers follow on those of the
    data set, and whose true label is UNKNOWN.
    """

    def __init__(
        self,
        on_device: DeviceData,
        recipe: dict[str, Any],
        seeds: dict[str, int],
        inputs: Mapping[str, Any] | None = None,
        files: LabelFiles | None = None,
    ):
        data, device = on_device.data, on_device.device
        have = len(data.train_labels)
        clean, validation = recipe["dataset"]["clean"], recipe["dataset"]["validation"]
        shuffled = permutation_at(seeds["split"], Stream.SPLIT, 0, have, np.arange(have, dtype=np.int64))
        noise_class = catalog.find("noise", recipe["noise"]["kind"]).load()
        given, only, start = inputs or {}, recipe["dataset"].get("only"), recipe.get("start")
        self.start = None if start is None else array_of(given, start, "weights")
        options = recipe["method"] if isinstance(recipe["method"], dict) else {}
        read_elsewhere = (only, start, options.get("input"))
        of_noise = {name: outcome for name, outcome in given.items() if name not in read_elsewhere}
        extra = {"inputs": of_noise} if of_noise else {}
        noise = noise_class(clean, data.classes, seeds["noise"], recipe["noise"], **extra)
        self.noise: LabelNoise = on_data(noise, data, files or LabelFiles())
        novel = shuffled[clean + validation :][: novel_images(self.noise)]
        # each image's number in the whole data set
        foreign = have + np.arange(foreign_images(self.noise), dtype=np.int64)
        identity = np.concatenate((np.sort(shuffled[:clean]), novel, foreign))
        held_out = np.sort(shuffled[clean : clean + validation])
        labels = np.append(data.train_labels.astype(np.int64), UNKNOWN)
        true = labels[np.minimum(identity, have)]
        self.clean, self.batch_size = clean, int(recipe["batch_size"])
        self.epochs = int(recipe["epochs"])
        self.inputs = inputs or {}
        self.device, self.on_device = device, on_device
        self.seeds, self.augment = seeds, recipe["augment"]
        self.identity = torch.from_numpy(identity).to(device)
        self.labels = torch.from_numpy(true).to(device)
        self.pictures = on_device.pictures_of(self.noise).shown
        held = torch.from_numpy(held_out).to(device)
        self.validation = Held(on_device.images, held, torch.from_numpy(labels[held_out]).to(device))
        tested = torch.from_numpy(test_images(len(data.test_labels), recipe["dataset"].get("test"))).to(device)
        self.test = Held(on_device.test_images, tested, on_device.test_labels[tested])
        self.noise_facts = describe(self.noise, true, identity)
        none = torch.zeros(0, dtype=torch.int64, device=device)
        self.noise.labels(none, none, none)  # what a noise moves to the device it moves now, and not in the first batch
        self.kept: torch.Tensor | None = None if only is None else self._kept(given, only)
        self._same_labels(options.get("input"))
        self.left_out = torch.arange(0, device=device)  # numbers of the examples by which the method is watched
        self.beside: Beside | None = None
        self.kept = self._picked(recipe, given)
        if self.beside is not None:
            self.noise_facts["beside_examples"] = len(self.beside.number)
            self.noise_facts["beside_a_batch"] = self.beside.each
        if self.kept is not None:
            self.noise_facts["kept_examples"] = self.examples
            self.noise_facts["kept_wrong"] = float(self.wrong().double().mean())
            if absent := self._absent():
                self.noise_facts["classes_without_examples"] = absent

    def _kept(self, inputs: Mapping[str, Any], only: str) -> torch.Tensor:
        """Return the numbers of the examples that an input keeps. Raises ValueError where it is of other examples."""
        kept = array_of(inputs, only, "kept")
        if kept.shape != (self.noise.size,) or kept.dtype != np.bool_:
            raise ValueError(f"dataset.only: {only} does not say of each of {self.noise.size} examples if it is kept")
        if inputs[only].get("labels_sha256") != self.noise_facts["labels_sha256"]:
            raise ValueError(f"dataset.only: {only} was made of examples with other labels")
        if not kept.any():
            raise ValueError(f"dataset.only: {only} keeps no example")
        return torch.from_numpy(np.flatnonzero(kept)).to(self.device)

    def _same_labels(self, name: str | None) -> None:
        """Check that the input that a method reads is about these labels. Raises ValueError where it is not."""
        about = None if name is None else self.inputs.get(name, {}).get("labels_sha256")
        if about not in (None, self.noise_facts["labels_sha256"]):
            raise ValueError(f"method: the input {name} was made of examples with other labels")

    def _absent(self) -> list[int]:
        """Return the classes that no training example carries as its label."""
        counts = torch.bincount(self.given()[1], minlength=self.on_device.classes)
        return [int(number) for number in torch.nonzero(counts == 0).flatten()]

    def _picked(self, recipe: dict[str, Any], inputs: Mapping[str, Any]) -> torch.Tensor | None:
        """Return the numbers of the examples that the method trains on, of those that it may; None for all of them."""
        method = method_of(recipe)
        if type(method).picks is Method.picks:
            return self.kept
        examples = Examples(self.numbers, self.wrong(), self.seeds["noise"], inputs)
        self.left_out, self.beside = method.left_out(examples), method.beside(examples, self.batch_size)
        picked = method.picks(examples)
        return self.kept if picked is None else picked

    @property
    def numbers(self) -> torch.Tensor:
        """Return (n,) int64: the examples' numbers among all of the noise, rising."""
        return torch.arange(self.noise.size, device=self.device) if self.kept is None else self.kept

    @property
    def examples(self) -> int:
        """Training examples in an epoch."""
        return self.noise.size if self.kept is None else len(self.kept)

    @property
    def steps_an_epoch(self) -> int:
        """Steps in an epoch, a last one on fewer examples included."""
        return -(-self.examples // self.batch_size)

    @property
    def method_seed(self) -> int:
        """Return the seed of what a method draws: that of the order in which examples come, under a stream of its
        own."""
        return self.seeds["order"]

    def visits(self, epoch: int, steps: int | None = None) -> int:
        """Return how many examples an epoch's first `steps` steps see, or all of them; those beside included."""
        steps = self.steps_an_epoch if steps is None else steps
        own, about = min(steps * self.batch_size, self.examples), self.beside
        if about is None or epoch < about.epoch or not about.each:
            return own
        count = len(about.number)
        passes, rest = divmod(steps, -(-count // about.each))
        return own + passes * count + min(rest * about.each, count)

    def _joining(self, epoch: int, number: int) -> range:
        """Return which places of the order of the examples beside join step `number` of an epoch: `each` a step, fewer
        at the end of a pass through them, after which another pass begins."""
        about = self.beside
        if about is None or epoch < about.epoch or not about.each:
            return range(0)
        count = len(about.number)
        first = number % -(-count // about.each) * about.each
        return range(first, min(first + about.each, count))

    def _with_beside(self, batch: Batch, epoch: int, number: int, noise: LabelNoise) -> Batch:
        """Return a batch with the examples that join it. Every pass through these has an order of its own."""
        places, about = self._joining(epoch, number), self.beside
        if not places:
            return batch
        assert about is not None
        steps_a_pass = -(-len(about.number) // about.each)
        turn = epoch * -(-self.steps_an_epoch // steps_a_pass) + number // steps_a_pass
        position = torch.arange(places.start, places.stop, device=self.device)
        place = permutation_at(self.seeds["order"], METHOD, turn, len(about.number), position)
        example = about.number[place]
        image = noise.images(example)
        identity = self.identity[image]
        label = noise.labels(example, self.labels[image], identity)
        shift = batch.shift
        if shift is not None:
            shift = torch.cat((shift, self._moved(epoch, example)))
        return Batch(
            torch.cat((batch.example, self.examples + place)),
            torch.cat((batch.image, identity)),
            torch.cat((batch.label, label)),
            shift,
            len(places),
        )

    def seen(self, example: torch.Tensor, epoch: int, number: int, beside: int = 0) -> Seen:
        """Return what a method may know of a batch of the examples `example` (B,) in step `number` of an epoch."""
        step = epoch * self.steps_an_epoch + number
        steps = self.epochs * self.steps_an_epoch
        return Seen(example, epoch, step, steps, self.method_seed, self.inputs, beside)

    def wrong(self, epoch: int = 0) -> torch.Tensor:
        """Return (N,) bool: which examples carry a wrong label, in their order (that of the probe `example_loss`).

        The same in every epoch, unless the noise draws labels again.
        """
        image, label = self.given(epoch)
        return label != self.labels[image]

    def given(self, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return of every example (N,) int64 each: its image's place in `identity`, and the label it carries."""
        return self.given_to(self.numbers, epoch)

    def given_to(self, example: torch.Tensor, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the same of examples by their numbers among all of the noise, whether or not it trains on them."""
        image = self.noise.images(example)
        return image, in_epoch(self.noise, epoch).labels(example, self.labels[image], self.identity[image])

    def clean_images(self, most: int) -> Held:
        """Return at most so many of the clean images, with their true labels: the first in the data set's order."""
        count = min(self.clean, most)
        return Held(self.on_device.images, self.identity[:count], self.labels[:count])

    def shown(self, batch: Batch) -> torch.Tensor:
        """Return (B, H, W, C) uint8: the images of a batch, cropped and flipped."""
        return self.pictures(batch.image, batch.shift) if batch.later is None else batch.later.shown()

    def _moved(self, epoch: int, example: torch.Tensor) -> torch.Tensor:
        """Return what says how each example is cropped and flipped in an epoch."""
        draw = shifts if self.augment == "crop_flip" else crop_bits
        return draw(self.seeds["augment"], epoch, example)

    def batches(self, epoch: int, size: int, first: int = 0) -> Iterator[Batch]:
        """Return the epoch's batches from number `first` on; the last may be smaller. Those of images in files are
        decoded some batches ahead of the one that is asked for."""
        return self.on_device.ahead(self._batches(epoch, size, first))

    def _batches(self, epoch: int, size: int, first: int = 0) -> Iterator[Batch]:
        span, noise = size * BATCHES_A_DRAW, in_epoch(self.noise, epoch)
        for start in range(first * size, self.examples, span):
            position = torch.arange(start, min(start + span, self.examples), device=self.device)
            place = permutation_at(self.seeds["order"], Stream.ORDER, epoch, self.examples, position)
            example = place if self.kept is None else self.kept[place]
            image = noise.images(example)
            identity = self.identity[image]
            label = noise.labels(example, self.labels[image], identity)
            shift = None if self.augment == "none" else self._moved(epoch, example)
            later = self.on_device.later(identity, shift)
            for first_of_batch in range(0, len(example), size):
                part = slice(first_of_batch, first_of_batch + size)
                moved = None if shift is None else shift[part]
                own = Batch(place[part], identity[part], label[part], moved, later=later and later.of(part))
                yield self._with_beside(own, epoch, (start + first_of_batch) // size, noise)

    def true(self, image: torch.Tensor) -> torch.Tensor:
        """Return the true labels of images, by their numbers in the whole data set; UNKNOWN of those from elsewhere."""
        own = self.on_device.labels
        known = own[image.clamp(max=len(own) - 1)]
        return torch.where(image < len(own), known, UNKNOWN) if foreign_images(self.noise) else known


__all__ = ["PADDING", "Batch", "DeviceData", "Held", "Pixels", "TrainingSet"]
