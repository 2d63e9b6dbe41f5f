"""A small network, its linearisation, and what label noise and SAM make of it (arXiv 2603.10397, Figures 3 and 5).

    f(x) = erf(xᵀW₁ + b₁) W₂ + b₂ on n images, loss ½ · mean over images and outputs of (f − one-hot)², full batches

as in the authors' notebook ("standard" parameterisation: weights N(0, s²/fan-in), biases N(0, t²); the n images of each
split are scaled to mean 0 and sd 1, all pixels together; labels are one-hot, not centred). All in float64: the norm's
change is some 1e-5 of the norm.

**Ten thousand steps in seconds.** With X (n, D) the images, ∂L/∂W₁ = XᵀD for some D (n, H): full-batch gradients lie
in the span of the images, so W₁ = W₁₀ + XᵀC with C (n, H) at every step, exactly, and a step needs K = XXᵀ (n, n)
only: hidden inputs are X W₁₀ + K C + b₁, SAM's norm has ‖XᵀD‖² = Σ D∘KD, and a neuron's squared norm is
‖w_j‖² = ‖w_j0‖² + Σ_i C_ij (2 X W₁₀ + KC)_ij.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from lnbench.data.images import ImageData, load
from lnbench.experiments.draws import Floats, gaussian, uniform
from lnbench.experiments.running import attend, gradient_noise, taken_up
from lnbench.experiments.series import mann_kendall, spaced
from lnbench.randomness import Stream, below, u32
from lnbench.training.gradient_noise import PLACES, GradientNoise
from lnbench.training.hooks import Progress, State

CLASSES = 10
CURVES = ("train_loss", "test_loss", "linear_train_loss", "linear_test_loss", "norm_mean", "norm_sd", "frobenius")
METRICS = (
    "train_loss_end", "test_loss_end", "linear_train_loss_end", "linear_test_loss_end", "departure", "departure_train",
    "first_norm_start", "first_norm_end", "first_norm_change", "frobenius_change", "first_norm_least_step",
)  # fmt: skip
STEPS_BETWEEN_LOOKS = 20
TINY = 1e-12  # added to a gradient's norm before it divides (as in the public SAM code)
SLOPE = 2.0 / math.sqrt(math.pi)  # erf'(z) = SLOPE · exp(−z²)

Labels = npt.NDArray[np.int64]


def run(
    options: dict[str, Any], seeds: dict[str, int], data_root: Path | None, *, state: Any, hooks: Any
) -> dict[str, Any]:
    """Run one network and its linearisation from first weights to last step. Return an outcome, see
    `lnbench.experiments`."""
    data, noise = _data(options["dataset"], data_root), gradient_noise(hooks, seeds)
    return _Network(options, seeds, data, state, noise).finish(hooks)


@lru_cache(maxsize=1)
def _data(name: str, root: Path | None) -> ImageData:
    return load(name, root=root)


def images_of(
    images: npt.NDArray[np.uint8], labels: Labels, options: dict[str, Any], seed: int, split: int
) -> tuple[Floats, Labels]:
    """Return (X (n, D) of mean 0 and sd 1 over all its pixels, labels (n,)) of one split: its first images, or drawn
    ones."""
    count = options["images"]
    if count > len(labels):
        raise ValueError(f"{count} images, but {options['dataset']} has {len(labels)}")
    chosen = np.arange(count)
    if options["draw"] == "random":
        keys = u32(seed, Stream.SPLIT, split, np.arange(len(labels), dtype=np.int64))
        chosen = np.sort(np.argsort(keys, kind="stable")[:count])
    pixels = images[chosen].astype(np.float64)  # (n, C, H, W)
    by = options["downsample"]
    n, channels, height, width = pixels.shape
    pixels = pixels.reshape(n, channels, height // by, by, width // by, by).mean(axis=(3, 5))
    X = pixels.transpose(0, 2, 3, 1).reshape(n, -1)  # rows, columns, channels: the order that the notebook reads
    return (X - X.mean()) / X.std(), labels[chosen]


def drawn_labels(seed: int, step: int, labels: Labels, rate: float) -> Labels:
    """Return the labels of one step: each redrawn with probability `rate` from all classes, its own included."""
    numbers = np.arange(len(labels), dtype=np.int64)
    flip = uniform(u32(seed, Stream.NOISE, step, numbers)) < rate
    return np.where(flip, below(u32(seed, Stream.NOISE, step, len(labels) + numbers), CLASSES), labels)


def loss_of(outputs: Floats, targets: Floats) -> float:
    """Return ½ · mean squared error over images and outputs."""
    return 0.5 * float(np.mean((outputs - targets) ** 2))


class Linearisation:
    """Gradient descent, of the same rate and loss, on the first-order Taylor model at the first weights.

    With Θ the empirical tangent kernel and η' = η / (n · outputs): f_t(X) − Y = (1 − η'Θ)ᵗ (f₀(X) − Y). `trace` takes
    for Θ the mean over outputs of its diagonal blocks, one output apart from the others (neural-tangents' default,
    which the notebook has); it is exact for infinite width only.
    """

    def __init__(self, network: _Network, kernel: str):
        self.outputs0, self.outputs0_test = network.outputs(network.Z0), network.outputs(network.Z0_test)
        self.rate = network.options["lr"] / network.Y.size
        self.residual = self.outputs0 - network.Y  # (n, outputs)
        theta = tangent_kernel(network.Z0, network.Z0, network.K, network.W2, kernel)
        self.across = tangent_kernel(network.Z0_test, network.Z0, network.K_test, network.W2, kernel)
        self.flat = kernel == "full"
        self.values, self.vectors = np.linalg.eigh(theta)
        self.values = np.maximum(self.values, 1e-12 * self.values[-1])
        self.along = self.vectors.T @ (self.residual.reshape(-1) if self.flat else self.residual)

    def at(self, step: int) -> tuple[Floats, Floats]:
        """Return outputs on the training and the test images after `step` steps, (n, outputs) each."""
        left = (1.0 - self.rate * self.values) ** step
        done = (1.0 - left) / self.values
        if not self.flat:
            left, done = left[:, None], done[:, None]
        shape = self.residual.shape
        train = self.outputs0 - self.residual + (self.vectors @ (left * self.along)).reshape(shape)
        test = self.outputs0_test - (self.across @ (self.vectors @ (done * self.along))).reshape(shape)
        return train, test


def tangent_kernel(Z: Floats, Z_train: Floats, K: Floats, W2: Floats, kernel: str) -> Floats:
    """Return the empirical tangent kernel between two sets of images, of all four parameter arrays.

    Z, Z_train (·, H): hidden inputs; K: products of the images. `full`: (n · outputs, n · outputs), an image's outputs
    side by side; `trace`: (n, n).
    """
    first = SLOPE * np.exp(-(Z**2))[:, None, :] * W2.T[None]  # (n, outputs, H): ∂f_k/∂z_j
    other = SLOPE * np.exp(-(Z_train**2))[:, None, :] * W2.T[None]
    second = erf(Z) @ erf(Z_train).T + 1.0
    if kernel == "trace":
        mean: Floats = np.einsum("akh,bkh->ab", first, other, optimize=True) * (K + 1.0) / W2.shape[1] + second
        return mean
    outputs = W2.shape[1]
    hidden = first.reshape(-1, W2.shape[0]) @ other.reshape(-1, W2.shape[0]).T
    full: Floats = hidden * np.kron(K + 1.0, np.ones((outputs, outputs))) + np.kron(second, np.eye(outputs))
    return full


class _Network:
    def __init__(
        self,
        options: dict[str, Any],
        seeds: dict[str, int],
        data: ImageData,
        state: Any,
        gradient_noise: GradientNoise | None = None,
    ):
        self.options, self.seeds, self.checksum = options, seeds, data.checksum
        self.gradient_noise, self.gradients_made = gradient_noise, 0
        if gradient_noise is not None:
            entries = options["images"] * options["hidden"] + (options["hidden"] + 1) * (CLASSES + 1)
            self.noise_row = gradient_noise.row(np.arange(entries + PLACES, dtype=np.int64))
        split = seeds["split"]
        X, self.labels = images_of(data.train_images, data.train_labels, options, split, 0)
        X_test, labels_test = images_of(data.test_images, data.test_labels, options, split, 1)
        self.Y, self.Y_test = np.eye(CLASSES)[self.labels], np.eye(CLASSES)[labels_test]
        inputs, hidden = X.shape[1], options["hidden"]
        self.K, self.K_test = X @ X.T, X_test @ X.T
        init, scale, bias = seeds["init"], options["weight_sd"], options["bias_sd"]
        W1 = gaussian(init, Stream.INIT, 0, (inputs, hidden)) * (scale / math.sqrt(inputs))
        b1 = gaussian(init, Stream.INIT, 1, (hidden,)) * bias
        self.squares0 = (W1**2).sum(axis=0)  # (H,)
        self.XW0 = X @ W1
        self.Z0, self.Z0_test = self.XW0 + b1, X_test @ W1 + b1
        self.C, self.shift = np.zeros((len(X), hidden)), np.zeros(hidden)  # W1 = W1₀ + XᵀC, b1 = b1₀ + shift
        self.W2 = gaussian(init, Stream.INIT, 2, (hidden, CLASSES)) * (scale / math.sqrt(hidden))
        self.b2 = gaussian(init, Stream.INIT, 3, (CLASSES,)) * bias
        self.linear = Linearisation(self, options["kernel"])
        self.step = 0
        self.points = reading_steps(options)
        self.row_of = {step: row for row, step in enumerate(self.points)}
        self.curves = np.zeros((len(self.points), len(CURVES)))
        shapes = {name: array.shape for name, array in self._arrays().items()}
        if state is not None and taken_up(state, shapes, options["steps"]):
            self.step = int(state.step)
            for name, array in self._arrays().items():
                array[...] = state.tensors[name]
        else:
            self._read()

    def outputs(self, Z: Floats) -> Floats:
        """Return (n, outputs) from hidden inputs (n, H)."""
        found: Floats = erf(Z) @ self.W2 + self.b2
        return found

    def gradient(self, Z: Floats, W2: Floats, b2: Floats, targets: Floats) -> tuple[Floats, ...]:
        """Return (D, of b1, of W2, of b2), where the gradient of W1 is XᵀD."""
        active = erf(Z)
        R = (active @ W2 + b2 - targets) / targets.size
        D = (R @ W2.T) * (SLOPE * np.exp(-(Z**2)))
        found = D, D.sum(axis=0), active.T @ R, R.sum(axis=0)
        return found if self.gradient_noise is None else self._with_noise(found, self.gradient_noise)

    def _with_noise(self, gradient: tuple[Floats, ...], noise: GradientNoise) -> tuple[Floats, ...]:
        """Return the gradient with noise on each entry; on D in place of XᵀD, which is never made."""
        self.gradients_made += 1
        at, noisy = noise.place(self.gradients_made), []
        for part in gradient:
            noisy.append(part * self.noise_row[at : at + part.size].reshape(part.shape))
            at += part.size
        return tuple(noisy)

    def finish(self, hooks: Any) -> dict[str, Any]:
        """Do all steps to the end, or to divergence, and return the outcome."""
        options = self.options
        images, steps = options["images"], options["steps"]
        with np.errstate(all="ignore"):  # a network that diverges is an outcome, not a warning
            while self.step < steps:
                self._advance()
                self.step += 1
                if self.step in self.row_of and not self._read():
                    return self._outcome(diverged_at=self.step)
                if self.step % STEPS_BETWEEN_LOOKS == 0:
                    attend(hooks, Progress(0, 1, self.step * images, steps * images), self._snapshot)
        return self._outcome()

    def _advance(self) -> None:
        targets = self.Y
        if self.options["label_noise"]:
            drawn = drawn_labels(self.seeds["noise"], self.step, self.labels, self.options["label_noise"])
            targets = np.eye(CLASSES)[drawn]
        Z = self.Z0 + self.K @ self.C + self.shift
        D, shift, W2, b2 = self.gradient(Z, self.W2, self.b2, targets)
        if self.options["rho"]:
            KD = self.K @ D
            norm = math.sqrt(sum(map(float, ((D * KD).sum(), shift @ shift, (W2**2).sum(), b2 @ b2))))
            up = self.options["rho"] / (norm + TINY)
            D, shift, W2, b2 = self.gradient(Z + up * (KD + shift), self.W2 + up * W2, self.b2 + up * b2, targets)
        rate = self.options["lr"]
        self.C -= rate * D
        self.shift -= rate * shift
        self.W2 -= rate * W2
        self.b2 -= rate * b2

    def _read(self) -> bool:
        """Add one row to the curves, on labels without noise. Return False where a number is not finite."""
        KC = self.K @ self.C
        train = self.outputs(self.Z0 + KC + self.shift)
        test = self.outputs(self.Z0_test + self.K_test @ self.C + self.shift)
        linear, linear_test = self.linear.at(self.step)
        squares = self.squares0 + (self.C * (2.0 * self.XW0 + KC)).sum(axis=0)
        norms = np.sqrt(np.maximum(squares, 0.0))
        row = (
            loss_of(train, self.Y), loss_of(test, self.Y_test), loss_of(linear, self.Y),
            loss_of(linear_test, self.Y_test), norms.mean(), norms.std(), math.sqrt(max(0.0, squares.sum())),
        )  # fmt: skip
        self.curves[self.row_of[self.step]] = row
        return bool(np.isfinite(row).all())

    def _arrays(self) -> dict[str, Any]:
        return {"C": self.C, "shift": self.shift, "W2": self.W2, "b2": self.b2, "curves": self.curves}

    def _snapshot(self) -> State:
        return State(step=self.step, tensors={name: array.copy() for name, array in self._arrays().items()})

    def _outcome(self, diverged_at: int = 0) -> dict[str, Any]:
        rows = self.row_of[self.step] + (not diverged_at)
        steps = self.points[:rows]
        curves = {name: self.curves[:rows, column] for column, name in enumerate(CURVES)}
        metrics: dict[str, float | None] = dict.fromkeys(METRICS)
        if not diverged_at:
            metrics.update(measure(steps, curves))
        return {
            "status": "diverged" if diverged_at else "ok",
            "diverged_at": diverged_at or None,
            "metrics": metrics,
            "steps": steps,
            "curves": {name: [float(f"{value:.9g}") for value in values] for name, values in curves.items()},
            "data_sha256": self.checksum,
        }


def reading_steps(options: dict[str, Any]) -> list[int]:
    """Return the steps at which losses and norms are read, the first and the last among them."""
    every, steps = options["read_every"], options["steps"]
    if options.get("readings", "even") == "log":
        return [0, *spaced(steps, steps // every)]
    return list(range(0, steps + 1, every))


def frobenius_trend(outcome: dict[str, Any]) -> float | None:
    """Return Kendall's τ of the first layer's Frobenius norm against time, over all readings; None of a run that
    diverged. Computed from the record's curve: there are records from before this was asked."""
    return mann_kendall(outcome["curves"]["frobenius"])[0] if outcome["status"] == "ok" else None


def frobenius_relative_change(outcome: dict[str, Any]) -> float | None:
    """Return the first layer's Frobenius norm at the end, over its first value, less 1; None of a run that diverged.
    From the curve, too."""
    curve = outcome["curves"]["frobenius"]
    return float(curve[-1] / curve[0] - 1.0) if outcome["status"] == "ok" else None


def measure(steps: list[int], curves: dict[str, Floats]) -> dict[str, float]:
    """Return the scalars of a run that did not diverge (`catalog` has their words)."""
    test, linear = curves["test_loss"][-1], curves["linear_test_loss"][-1]
    norm = curves["norm_mean"]
    found = {
        "train_loss_end": curves["train_loss"][-1],
        "test_loss_end": test,
        "linear_train_loss_end": curves["linear_train_loss"][-1],
        "linear_test_loss_end": linear,
        "departure": abs(test - linear) / linear,
        "departure_train": abs(curves["train_loss"][-1] - curves["linear_train_loss"][-1]),
        "first_norm_start": norm[0],
        "first_norm_end": norm[-1],
        "first_norm_change": norm[-1] - norm[0],
        "frobenius_change": curves["frobenius"][-1] - curves["frobenius"][0],
        "first_norm_least_step": steps[int(np.argmin(norm))],
    }
    return {name: float(value) for name, value in found.items()}
