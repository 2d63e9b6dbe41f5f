"""The other side: lnbench's engine on images of the right shape. Their content does not matter here: random pixels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lnbench import catalog
from lnbench.data.images import ImageData
from lnbench.models import plain
from lnbench.randomness import SEED_STREAMS
from lnbench.training.batches import DeviceData
from lnbench.training.engine import BACKENDS, Group, prepare

ADADELTA = {"kind": "adadelta", "lr": 0.5, "rho": 0.95, "eps": 1e-8, "weight_decay": 0.0}
SGD = {"kind": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 1e-4}
BATCH = 128
NARROW = "mlp1_32"


def random_images(kind: str, count: int) -> ImageData:
    """`count` images of the shape of `mnist` or `cifar10`."""
    shape = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}[kind]
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (count, *shape), dtype=np.uint8), rng.integers(0, 10, count)
    return ImageData(f"synthetic_{kind}", images, labels, images[:1], labels[:1], 10, 255.0, "none")


def recipe(data: ImageData, alpha: float = 0.0, **changes: Any) -> dict[str, Any]:
    """All images of `data`, `alpha` noisy copies of each; one epoch."""
    given: dict[str, Any] = {
        "dataset": {"name": data.name, "clean": len(data.train_labels), "validation": 0},
        "noise": {"kind": "dilute_uniform", "alpha": alpha, "include_true_class": True},
        "model": "mlp1",
        "method": "standard",
        "optimizer": ADADELTA,
        "schedule": {"kind": "constant"},
        "batch_size": BATCH,
        "epochs": 1,
        "augment": "none",
        "precision": "fp32",
    }
    return {**given, **changes}


def seeds(value: int) -> dict[str, int]:
    return dict.fromkeys(SEED_STREAMS, value)


class Epochs:
    """K runs that train together. A call is one epoch, without the evaluation at its end."""

    def __init__(
        self,
        data: ImageData | DeviceData,
        spec: dict[str, Any],
        replicas: int,
        backend: str,
        compile: bool,
        inputs: dict[str, Any] | None = None,
    ):
        on_device = data if isinstance(data, DeviceData) else DeviceData(data, torch.device("cpu"))
        self.replicas = replicas
        own = [seeds(number) for number in range(replicas)]
        given = [inputs or {}] * replicas
        self.group = Group([spec] * replicas, own, on_device, BACKENDS[backend], compile, inputs=given)

    @property
    def examples(self) -> int:
        """That one call works through, over all replicas."""
        return self.replicas * self.group.examples

    def __call__(self) -> None:
        prepare(self.group.device)
        self.group.epoch()
        self.group.state.step = 0


@contextlib.contextmanager
def narrow_mlp() -> Iterator[str]:
    """A perceptron with one hidden layer of 32, which the catalog does not have, for as long as it is needed."""
    models = catalog.entries()["model"]
    plain.NETWORKS[NARROW] = replace(plain.NETWORKS["mlp1"], stack=(plain.Dense(32),))
    models[NARROW] = replace(models["mlp1"], name=NARROW)
    try:
        yield NARROW
    finally:
        del models[NARROW], plain.NETWORKS[NARROW]
