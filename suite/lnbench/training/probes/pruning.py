"""How much accuracy a trained network keeps when most of its weights are set to 0 (Zhang et al. 2026, Figure 1c)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lnbench.training.backends.protocol import Backend
from lnbench.training.batches import TrainingSet
from lnbench.training.probes.entries import PRUNED_KEPT, PRUNED_SHARES_JUDGED
from lnbench.training.probes.probe import Probe

AREA = (5, 60)  # per cent of the weights kept, between which the areas are taken


class PrunedAccuracy(Probe):
    """The test accuracy of the trained network by the share of its weights that are kept."""

    curves: list[list[float]]

    def finish(self) -> None:
        self.curves = pruned_accuracies(self.training.backend, self.training.sets)

    def outcome(self, run: int, epochs: int, diverged: bool) -> dict[str, Any]:
        if diverged:
            return {"metrics": pruned_metrics(None)}
        accuracies = self.curves[run]
        shown = {"kept_percent": list(PRUNED_KEPT), "test_accuracy": accuracies}
        return {"metrics": pruned_metrics(accuracies), "pruned": shown}


@torch.no_grad()
def pruned_accuracies(backend: Backend, sets: Sequence[TrainingSet]) -> list[list[float]]:
    """Return for each replica its test accuracy with PRUNED_KEPT per cent of its weights.

    One-shot global magnitude pruning: of the weights of all convolutions and dense layers together those that are
    smallest in absolute value are set to 0 (of equals, the first). Biases and normalisations stay, nothing is trained
    or estimated again. Afterwards the networks are what they were.
    """
    layers = backend.connections()
    whole = [layer.clone() for layer in layers]
    order = torch.cat([layer.abs().flatten(1) for layer in whole], dim=1).argsort(dim=1, stable=True)
    kept, sizes = torch.ones_like(order, dtype=whole[0].dtype), [layer[0].numel() for layer in whole]
    held, found = [data.test for data in sets], []
    for percent in sorted(PRUNED_KEPT, reverse=True):  # what is gone at one share is gone at all smaller ones
        gone = round((100 - percent) * order.shape[1] / 100)
        kept.scatter_(1, order[:, :gone], 0.0)
        for layer, before, mask in zip(layers, whole, torch.split(kept, sizes, dim=1), strict=True):
            layer.copy_(before * mask.view(before.shape))
        found.append(backend.evaluate(held)[:, 0])
    for layer, before in zip(layers, whole, strict=True):
        layer.copy_(before)
    right: Tensor = torch.stack(found, dim=1)
    counts = [len(images) for images in held]
    return [[value / count for value in row] for row, count in zip(right.tolist(), counts, strict=True)]


def pruned_metrics(accuracies: Sequence[float] | None) -> dict[str, Any]:
    """Return the numbers of one run's curve (in the order of PRUNED_KEPT), null where there is none.

    pruned_area: the mean height of the curve over 5 to 60 per cent of the weights kept (trapezoids). pruned_relative:
    that of the curve divided by the unpruned accuracy (null where that is 0). pruned_accuracy_S: at S per cent.
    """
    names = ["pruned_area", "pruned_relative", *(f"pruned_accuracy_{share}" for share in PRUNED_SHARES_JUDGED)]
    if accuracies is None:
        return dict.fromkeys(names)
    at = dict(zip(PRUNED_KEPT, accuracies, strict=True))
    shares = sorted(share for share in at if AREA[0] <= share <= AREA[1])
    area = float(np.trapezoid([at[share] for share in shares], shares)) / (AREA[1] - AREA[0])
    numbers = [area, area / at[100] if at[100] else None, *(at[share] for share in PRUNED_SHARES_JUDGED)]
    return dict(zip(names, numbers, strict=True))
