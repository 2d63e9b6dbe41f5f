"""What lnbench is measured against: the loops that one writes with torch and torchvision, and writes well.

torchvision's own data sets, in memory, and its transforms, image by image; a DataLoader without worker processes (on
two cores, workers make it slower); a standard network, torch.optim, the loss added up. No step of it is there to be
slow. Labels are drawn beforehand and kept in an array.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from lnbench.data.images import ImageData

# mean and standard deviation of the pixels, as everybody types them
NORMAL = {
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


def pictures(kind: str, data: ImageData, examples: int, transform: Callable[[object], torch.Tensor]) -> Dataset:
    """torchvision's own data set class with our images in it: the first `examples` of them and of their copies.

    The first copy of an image has its own label, the others random ones.
    """
    number = np.arange(examples) % len(data.train_labels)
    labels = np.random.default_rng(0).integers(0, data.classes, examples)
    clean = data.train_labels[:examples]
    labels[: len(clean)] = clean
    images = data.train_images[number]
    made: Dataset
    if kind == "mnist":
        made = datasets.MNIST.__new__(datasets.MNIST)
        made.data, made.targets = torch.from_numpy(images[:, 0].copy()), torch.from_numpy(labels)
    else:
        made = datasets.CIFAR10.__new__(datasets.CIFAR10)
        made.data, made.targets = images.transpose(0, 2, 3, 1).copy(), labels.tolist()
    made.transform, made.target_transform = transform, None
    return made


def loader(kind: str, data: ImageData, examples: int, batch: int, *, augment: bool = False) -> DataLoader:
    """Shuffled batches; `augment` crops and flips as is usual for CIFAR."""
    steps = [transforms.RandomCrop(data.shape[1], padding=4), transforms.RandomHorizontalFlip()] if augment else []
    steps += [transforms.ToTensor(), transforms.Normalize(*NORMAL[kind])]
    return DataLoader(pictures(kind, data, examples, transforms.Compose(steps)), batch, shuffle=True)


def mlp(pixels: int, width: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, classes))


def convnet4(classes: int) -> nn.Module:
    """For 28×28 grey pixels, as the Keras example has it: a ReLU straight behind each layer."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 49, 512), nn.ReLU(), nn.Linear(512, classes),
    )  # fmt: skip


def adadelta(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(model.parameters(), lr=0.5, rho=0.95, eps=1e-8)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)


Batches = Callable[[], list[tuple[torch.Tensor, torch.Tensor]]]


def resident(data: ImageData, examples: int, batch: int, device: torch.device | str = "cpu") -> Batches:
    """A loop that already has its images as one float tensor and picks batches of it by a random permutation."""
    images = torch.from_numpy(data.train_images).float().div(data.scale).to(device)
    labels = torch.from_numpy(data.train_labels).to(device)

    def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(labels), device=device).repeat(-(-examples // len(labels)))[:examples]
        return [(images[index], labels[index]) for index in order.split(batch)]

    return batches


def train_on(batches: Callable[[], object], model: nn.Module, optimiser: torch.optim.Optimizer) -> Callable[[], None]:
    """One pass over what `batches` gives."""
    criterion = nn.CrossEntropyLoss()

    def epoch() -> None:
        torch.use_deterministic_algorithms(False)  # as torch is; lnbench turns it on for itself
        model.train()
        running_loss = 0.0
        for images, labels in batches():  # type: ignore[attr-defined]
            optimiser.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimiser.step()
            running_loss += loss.item()

    return epoch


def convolutions_alone(model: nn.Module, images: torch.Tensor, dtype: torch.dtype) -> Callable[[], None]:
    """Return what computes the convolutions of a model on a batch of images (B, C, H, W), each by itself on random
    numbers of its shape, with the gradients of its weights and, but for the first, of its input: what no training can
    be faster than. Memory is laid out channels last."""
    shapes: list[tuple[nn.Conv2d, torch.Size]] = []
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    hooks = [
        layer.register_forward_hook(lambda own, given, out: shapes.append((own, given[0].shape))) for layer in layers
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    parts = []
    for number, (layer, shape) in enumerate(shapes):
        given = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_(number > 0)
        weight = layer.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.no_grad():
            back = torch.randn_like(_convolved(layer, given, weight))
        parts.append((layer, given, weight, back))

    def each() -> None:
        for layer, given, weight, back in parts:
            wanted = [weight, given] if given.requires_grad else [weight]
            torch.autograd.grad(_convolved(layer, given, weight), wanted, back)

    return each


def _convolved(layer: nn.Conv2d, given: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return nn.functional.conv2d(given, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
