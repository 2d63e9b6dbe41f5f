"""The same training as anybody would write it: a Dataset, a DataLoader, standard layers, torch.optim.

Written apart from `lnbench.training`, as its oracle. Only the hash and the shuffle are shared: they say which images
are in, which labels are drawn, in which order examples come, and what the first weights are.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lnbench.data.images import ImageData
from lnbench.randomness import permutation_at, u32

SPLIT, NOISE, ORDER, INIT = 1, 2, 3, 4


def network(name: str, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The five networks as the Keras examples write them: ReLU straight behind each layer."""
    channels, height, width = shape
    pixels = channels * height * width
    if name == "convnet4":
        return nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * (height // 4) * (width // 4), 512), nn.ReLU(), nn.Linear(512, classes),
        )  # fmt: skip
    hidden = {"perceptron": 0, "mlp1": 1, "mlp2": 2, "mlp4": 4}[name]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in [pixels, 512, 512, 512][:hidden]:
        layers += [nn.Linear(inputs, 512), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(512 if hidden else pixels, classes))


def draw_weights(model: nn.Module, seed: int) -> None:
    """Glorot and Bengio's uniform law; PyTorch's order of parameters, its own contiguous layout."""
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            if parameter.dim() == 1:
                parameter.fill_(0)
                continue
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(parameter)
            limit = math.sqrt(6 / (fan_in + fan_out))
            bits = u32(seed, INIT, number, np.arange(parameter.numel()))
            draws = [limit * (2 * ((int(b) >> 8) + 0.5) / 2**24 - 1) for b in bits]
            parameter.copy_(torch.tensor(draws, dtype=torch.float64).reshape(parameter.shape))


class NoisyCopies(Dataset):
    """Every image, and `alpha` copies of it, with labels that are drawn beforehand and kept in an array."""

    def __init__(self, data: ImageData, recipe: dict[str, Any], seeds: dict[str, int]):
        have, clean = len(data.train_labels), recipe["dataset"]["clean"]
        chosen = sorted(int(permutation_at(seeds["split"], SPLIT, 0, have, place)) for place in range(clean))
        alpha = int(recipe["noise"]["alpha"])
        self.images = torch.stack([torch.tensor(data.train_images[i] / data.scale).float() for i in chosen])
        labels = [int(data.train_labels[i]) for i in chosen]
        for copy in range(1, alpha + 1):
            labels += [(u32(seeds["noise"], NOISE, copy, i) * data.classes) >> 32 for i in chosen]
        self.labels = torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, example: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[example % len(self.images)], self.labels[example]


def optimiser(options: dict[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    rest = {key: value for key, value in options.items() if key != "kind"}
    kind = {"sgd": torch.optim.SGD, "adadelta": torch.optim.Adadelta}[options["kind"]]
    return kind(model.parameters(), **rest)


def train_plainly(
    data: ImageData, recipe: dict[str, Any], seeds: dict[str, int]
) -> tuple[list[torch.Tensor], dict[str, list[float]]]:
    """(parameters in PyTorch's order, curves)."""
    examples = NoisyCopies(data, recipe, seeds)
    model = network(recipe["model"], data.shape, data.classes)
    draw_weights(model, seeds["init"])
    step = optimiser(recipe["optimizer"], model)
    curves: dict[str, list[float]] = {"train_loss": [], "train_accuracy": [], "test_accuracy": [], "test_loss": []}
    for epoch in range(recipe["epochs"]):
        order = [int(permutation_at(seeds["order"], ORDER, epoch, len(examples), i)) for i in range(len(examples))]
        loss_sum, right = 0.0, 0
        for images, labels in DataLoader(examples, batch_size=recipe["batch_size"], sampler=order):
            step.zero_grad()
            logits = model(images)
            loss = nn.functional.cross_entropy(logits, labels)
            loss.backward()
            step.step()
            loss_sum += loss.item() * len(labels)
            right += int((logits.argmax(1) == labels).sum())
        curves["train_loss"].append(loss_sum / len(examples))
        curves["train_accuracy"].append(right / len(examples))
        with torch.no_grad():
            logits = model(torch.tensor(data.test_images / data.scale).float())
            truth = torch.tensor(data.test_labels)
            curves["test_accuracy"].append((logits.argmax(1) == truth).float().mean().item())
            curves["test_loss"].append(nn.functional.cross_entropy(logits, truth).item())
    return [parameter.detach().clone() for parameter in model.parameters()], curves
