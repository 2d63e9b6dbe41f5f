"""Dimensionality-driven learning: when the representation's dimension rises, go back and trust the labels less."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lnbench.methods.method import Method, Networks, Seen, bootstrapped, uniform

SUBSET = 1280  # training examples that are measured after each epoch
TOGETHER = 128  # among which an example's neighbours are looked for
NEIGHBOURS = 20
DEVIATIONS = 2  # above the window's mean, at which the dimension has turned
SMALLEST = 1e-8  # added to ratios of distances: equal images have distance 0


class D2L(Method):
    """Ma et al. 2018 (D2L), algorithm 1. After each epoch i (of T) the mean local intrinsic dimensionality (LID) of
    what the last dense layer reads is measured. It has turned when it is more than two standard deviations above the
    mean of the `window` epochs before it, `initial` epochs at least before those. Then the network goes back to what it
    was an epoch earlier, and from there on each example's target is

        y* = alpha · label + (1 − alpha) · argmax of the network,
        alpha = exp(−(i/T) · LID_i / min over j < i of LID_j)

    `state`: `dimension` (T,) float64, NaN where not measured; `turned`, the epochs finished when it turned, or −1;
    `alpha`; and `before.*`, the network an epoch ago.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.window, self.initial = int(options["window"]), int(options["initial"])

    def begin(self, networks: Networks) -> None:
        (held,) = networks.held()
        self.state = {
            "dimension": torch.full((networks.epochs,), torch.nan, dtype=torch.float64, device=networks.device),
            "turned": torch.full((), -1, dtype=torch.int64, device=networks.device),
            "alpha": torch.ones((), dtype=torch.float32, device=networks.device),
            **{f"before.{number}": tensor.detach().clone() for number, tensor in enumerate(held)},
        }

    def losses(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        return bootstrapped(logits, labels, self.state["alpha"])

    def close(self, epoch: int, networks: Networks) -> None:
        done = epoch + 1
        self.state["dimension"][epoch] = self._measured(epoch, networks)
        found = self.state["dimension"][:done].tolist()
        (held,) = networks.held()
        before = [self.state[f"before.{number}"] for number in range(len(held))]
        if self.state["turned"] < 0 and has_turned(found, self.window, self.initial):
            self.state["turned"].fill_(done)
            for tensor, earlier in zip(held, before, strict=True):
                tensor.copy_(earlier)
        if self.state["turned"] >= 0:
            self.state["alpha"].fill_(trust(found, networks.epochs))
        for tensor, earlier in zip(held, before, strict=True):
            earlier.copy_(tensor)

    def facts(self) -> dict[str, Any]:
        """Return after how many epochs the dimension turned; null where it never did."""
        turned = int(self.state["turned"])
        return {"turned": turned if turned >= 0 else None}

    def _measured(self, epoch: int, networks: Networks) -> Tensor:
        """Return the mean LID of a random subset; where it is not a positive number, that of the epoch before."""
        number = torch.arange(networks.examples, device=networks.device)
        chosen = uniform(networks.seed, epoch, number).argsort(stable=True)[:SUBSET]
        (features,) = networks.features(chosen)
        mean = torch.cat([dimensions(part) for part in features.tensor_split(-(-len(chosen) // TOGETHER))]).mean()
        earlier = self.state["dimension"][epoch - 1] if epoch else torch.ones_like(mean)
        return torch.where(torch.isfinite(mean) & (mean > 0), mean, earlier)


def dimensions(points: Tensor) -> Tensor:
    """Return (n,) float64: the local intrinsic dimensionality at each of the points (n, F), n ≥ 3, among the others.

    The maximum-likelihood estimate (Amsaleg et al. 2015; used by Ma et al. 2018) from the distances r_1 ≤ … ≤ r_k
    to its k nearest neighbours, −1 / mean over i of log(r_i / r_k). k is NEIGHBOURS, or all others where there are
    fewer.
    """
    values = points.double()
    distance = torch.cdist(values, values, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distance.sort(dim=1).values[:, 1 : NEIGHBOURS + 1]
    logs = torch.log(nearest / nearest[:, -1:] + SMALLEST)
    return -1 / logs.mean(dim=1)


def has_turned(found: list[float], window: int, initial: int) -> bool:
    """Return whether the last of the dimensions `found` is DEVIATIONS standard deviations above the mean of the
    `window` ones before it, with at least `initial` more before those."""
    if len(found) <= initial + window:
        return False
    before = found[-window - 1 : -1]
    mean = sum(before) / window
    deviation = math.sqrt(sum((value - mean) ** 2 for value in before) / window)
    return found[-1] - mean > DEVIATIONS * deviation


def trust(found: list[float], epochs: int) -> float:
    """Return alpha after the last of the measured epochs `found`, of `epochs` in all."""
    return math.exp(-len(found) / epochs * found[-1] / min(found[:-1]))
