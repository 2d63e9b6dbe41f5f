"""Two-layer linear networks under label-noise SGD, plain SGD and SAM (arXiv 2603.10397, sections 3 to 5, Figures 2, 4).

    f(x) = aᵀWx,  W (m, d) with W_ij ~ N(0, 1/d),  a (m,) with a_i ~ N(0, 1/m);
    samples x ~ N(0, I_d), y = ⟨θ*, x⟩ with ‖θ*‖ = 1;  loss ½ (f(x) − y − ξ)²,  ξ of sd σ, fresh at each step.

**A million steps for the price of d + 1 neurons.** Gradients act on the d + 1 rows of M = [Wᵀ; aᵀ] (d + 1, m) from the
left only (∂L/∂Wᵀ = u aᵀ, ∂L/∂a = W u), so M stays in the row space that it begins with. With M₀ = R Q, the rows of
Q (d + 1, m) orthonormal, the network [R] of d + 1 neurons has the same predictions, gradient norms and updates, and
M(t) = R(t) Q at every step, exactly. The kernel steps R, and the neurons are looked at through Q.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.experiments import linear_kernel
from lnbench.experiments.draws import Floats, gaussian
from lnbench.experiments.running import attend, gradient_noise, taken_up
from lnbench.experiments.series import mann_kendall, ramp, spaced
from lnbench.randomness import Stream
from lnbench.training.gradient_noise import GradientNoise
from lnbench.training.hooks import Progress, State

CURVES = (
    "mean_norm",  # N̄: mean of ‖w_i‖
    "signed_alignment",  # A1: mean of ⟨w_i, θ*⟩
    "alignment",  # A2: mean of |cos(w_i, θ*)|
    "second_layer_alignment",  # A3: mean of sign(a_i)⟨w_i, θ*⟩
    "movement",  # ‖W − W₀‖ / ‖W₀‖
    "mean_abs_second",  # mean of |a_i|
    "train_loss",  # ½ mean squared error, on labels without noise
    "test_loss",
)
WATCH_RATIO = 1.01  # neurons are looked at, for having escaped, at steps that grow by this
CHUNK = 100_000  # steps between two looks outside, at most
SHOWN_AT = 8  # of the last points, evenly in log steps: where single neurons are kept
WINDOW = 500  # steps before a switch of the noise over which second weights are watched
EARLY = 0.02  # of all steps: "early" (20,000 of the paper's million)
THEOREM = 384.0  # of T₁ = 384 √(log m) / (σ² η² √m), theorem 4.2
# Definition 4.1, of the lazy regime, could not be read. Two stand-ins for "a neuron has left it", both watched:
HALVED, MOVED = 0, 1  # ‖w_i‖ ≤ ½‖w_i0‖;  ‖w_i − w_i0‖ ≥ ½‖w_i0‖


def run(
    options: dict[str, Any], seeds: dict[str, int], data_root: Path | None, *, state: Any, hooks: Any
) -> dict[str, Any]:
    """Run one network from its first weights to its last step; return the outcome as `lnbench.experiments` has it."""
    return _Network(options, seeds, state, gradient_noise(hooks, seeds)).finish(hooks)


class Problem:
    """The data: X (n, d), y (n,), X_test, y_test, the teacher θ* (d,), and the sums that full batches need."""

    def __init__(self, options: dict[str, Any], seed: int):
        n, d = options["samples"], options["dimension"]
        self.X = gaussian(seed, Stream.SPLIT, 0, (n, d))
        self.X_test = gaussian(seed, Stream.SPLIT, 1, (options["test_samples"], d))
        direction = gaussian(seed, Stream.SPLIT, 2, (d,))
        self.teacher = direction / np.linalg.norm(direction)
        self.y = self.X @ self.teacher
        self.second = self.X.T @ self.X / n
        self.second_test = self.X_test.T @ self.X_test / len(self.X_test)
        self.target = self.X.T @ self.y / n

    def losses(self, v: Floats) -> tuple[float, float]:
        """Return ½ mean squared error of x ↦ ⟨v, x⟩ on the training and the test samples, labels without noise."""
        off = v - self.teacher
        return 0.5 * float(off @ self.second @ off), 0.5 * float(off @ self.second_test @ off)


def first_weights(options: dict[str, Any], seed: int) -> tuple[Floats, Floats]:
    """Return W (d, m), one column per neuron, and a (m,)."""
    m, d = options["neurons"], options["dimension"]
    W = gaussian(seed, Stream.INIT, 0, (m, d)).T * (options["first_scale"] / math.sqrt(d))
    a = gaussian(seed, Stream.INIT, 1, (m,)) * (options["second_scale"] / math.sqrt(m))
    return np.ascontiguousarray(W), a


def reduced(W: Floats, a: Floats) -> tuple[Floats, Floats, Floats | None]:
    """Return (W_r (d, d+1), a_r (d+1,), Q (d+1, m)) with W = W_r Q and a = a_r Q; the network as it is where m ≤ d +
    1."""
    d, m = W.shape
    if m <= d + 1:
        return W.copy(), a.copy(), None
    basis, upper = np.linalg.qr(np.vstack([W, a]).T)  # (m, d + 1), (d + 1, d + 1)
    rows = np.ascontiguousarray(upper.T)
    return rows[:d].copy(), rows[d].copy(), np.ascontiguousarray(basis.T)


class _Network:
    def __init__(
        self, options: dict[str, Any], seeds: dict[str, int], state: Any, gradient_noise: GradientNoise | None = None
    ):
        self.options, self.seeds = options, seeds
        self.gradient_noise = gradient_noise or GradientNoise(0.0, 0)
        self.problem = Problem(options, seeds["split"])
        self.W0, a0 = first_weights(options, seeds["init"])
        self.W, self.a, self.basis = reduced(self.W0, a0)
        self.norms0 = np.linalg.norm(self.W0, axis=0)
        steps, self.period = options["steps"], options["noise_period"]
        self.points = spaced(steps, options["points"])
        self.row_of = {step: row for row, step in enumerate(self.points, start=1)}
        watches = 1 + math.ceil(math.log(steps) / math.log(WATCH_RATIO))
        self.watched = frozenset(spaced(steps, watches))
        self.shown_at = [self.points[i] for i in spread(len(self.points), SHOWN_AT)]
        self.step = 0
        # what a checkpoint keeps, beside W and a
        self.curves = np.zeros((len(self.points) + 1, len(CURVES)))  # row 0: before the first step
        # the step of each neuron's escape, by both stand-ins; last, that of half the mean norm, and of the whole first
        # layer's movement by half its norm; 0: not yet
        self.hits = np.zeros((2, options["neurons"] + 1))
        self.neurons = np.zeros(
            (len(self.shown_at), 2, min(options["neurons_kept"], options["neurons"]))
        )  # norm, cos with θ*
        self.phases = np.zeros((steps // self.period if self.period else 0, 2))  # N̄ at its end; sd of a_i before it
        shapes = {name: array.shape for name, array in self._arrays().items()}
        if state is not None and taken_up(state, shapes, steps):
            self.step = int(state.step)
            for name, array in self._arrays().items():
                array[...] = state.tensors[name]
        else:
            self._read(0)

    def finish(self, hooks: Any) -> dict[str, Any]:
        """Do all steps to the end, or to divergence, and return the outcome."""
        steps = self.options["steps"]
        each = 1 if self.options["batch"] == "one" else self.options["samples"]
        switches = range(self.period, steps + 1, self.period) if self.period else range(0)
        ends = {*self.points, *self.watched, *switches, *range(CHUNK, steps, CHUNK)}
        for end in sorted(end for end in ends if end > self.step):
            diverged_at = self._to_switch(end) if end in switches else self._advance(self.step, end)
            if diverged_at:
                return self._outcome(diverged_at)
            self.step = end
            if end in self.watched:
                self._watch()
            if end in self.row_of:
                self._read(self.row_of[end])
            attend(hooks, Progress(0, 1, end * each, steps * each), self._snapshot)
        return self._outcome()

    def _advance(self, start: int, stop: int) -> int:
        """Do steps start … stop − 1. Return 0, or the step at which the numbers left all bounds."""
        options, problem = self.options, self.problem
        return int(
            linear_kernel.advance(
                self.W, self.a, problem.X, problem.y, problem.second, problem.target, options["lr"], options["sigma"],
                self.period, options["rho"] or 0.0, options["batch"] == "all", options["noise"] == "gaussian",
                np.uint64(self.seeds["order"]), np.uint64(self.seeds["noise"]), start, stop,
                self.gradient_noise.size, np.uint64(self.gradient_noise.seed),
            )
        )  # fmt: skip

    def _to_switch(self, end: int) -> int:
        """Go on to a switch of the noise, the last steps one by one, to see how far second weights swing."""
        window = min(WINDOW, end - self.step)
        if diverged_at := self._advance(self.step, end - window):
            return diverged_at
        trace = np.empty((window, len(self.a)))
        for row, step in enumerate(range(end - window, end)):
            if diverged_at := self._advance(step, step + 1):
                return diverged_at
            trace[row] = self.a
        swing = trace if self.basis is None else trace @ self.basis  # (window, m)
        W, _ = self._neurons()
        self.phases[end // self.period - 1] = np.linalg.norm(W, axis=0).mean(), swing.std(axis=0).mean()
        return 0

    def _neurons(self) -> tuple[Floats, Floats]:
        """Return W (d, m) and a (m,) of all neurons."""
        return (self.W, self.a) if self.basis is None else (self.W @ self.basis, self.a @ self.basis)

    def _watch(self) -> None:
        """Note which neurons have half their first norm by now and which have moved by half of it; and whether their
        mean norm, and the whole first layer, have."""
        if self.hits.all():
            return
        W = self._neurons()[0]
        norms, moved = np.linalg.norm(W, axis=0), np.linalg.norm(W - self.W0, axis=0)
        whole = math.sqrt(float((moved**2).sum() / (self.norms0**2).sum()))
        now = np.array([
            [*(norms <= 0.5 * self.norms0), norms.mean() <= 0.5 * self.norms0.mean()],
            [*(moved >= 0.5 * self.norms0), whole >= 0.5],
        ])  # fmt: skip
        self.hits[now & (self.hits == 0)] = self.step

    def _read(self, row: int) -> None:
        """Add one row to the curves, and the neurons that are shown."""
        W, a = self._neurons()
        norms, along = np.linalg.norm(W, axis=0), self.problem.teacher @ W
        cosines = along / np.maximum(norms, 1e-300)
        moved = np.linalg.norm(W - self.W0) / np.linalg.norm(self.W0)
        train, test = self.problem.losses(self.W @ self.a)
        self.curves[row] = (
            norms.mean(), along.mean(), np.abs(cosines).mean(), (np.sign(a) * along).mean(), moved, np.abs(a).mean(),
            train, test,
        )  # fmt: skip
        if self.step in self.shown_at:
            shown = self.neurons.shape[2]
            self.neurons[self.shown_at.index(self.step)] = norms[:shown], cosines[:shown]

    def _arrays(self) -> dict[str, Any]:
        return {
            "W": self.W, "a": self.a, "curves": self.curves, "hits": self.hits, "neurons": self.neurons,
            "phases": self.phases,
        }  # fmt: skip

    def _snapshot(self) -> State:
        return State(step=self.step, tensors={name: array.copy() for name, array in self._arrays().items()})

    def _outcome(self, diverged_at: int = 0) -> dict[str, Any]:
        rows = 1 + sum(step <= self.step for step in self.points)
        shown = sum(step <= self.step for step in self.shown_at)
        steps = [0, *self.points][:rows]
        curves = {name: self.curves[:rows, column] for column, name in enumerate(CURVES)}
        metrics: dict[str, float | None] = dict.fromkeys(METRICS)
        if not diverged_at:
            metrics.update(measure(self.options, steps, curves, self.hits, self.phases))
        return {
            "status": "diverged" if diverged_at else "ok",
            "diverged_at": diverged_at or None,
            "metrics": metrics,
            "steps": steps,
            "curves": {name: rounded(values) for name, values in curves.items()},
            "neurons": {
                "steps": self.shown_at[:shown],
                "norm": [rounded(values[0], 5) for values in self.neurons[:shown]],
                "cosine": [rounded(values[1], 5) for values in self.neurons[:shown]],
            },
            "switches": {"mean_norm": rounded(self.phases[:, 0]), "second_weights_sd": rounded(self.phases[:, 1])},
        }


METRICS = (
    "norm_ratio_end", "norm_trend_tau", "norm_trend_p", "relative_movement", "alignment_start", "alignment_end",
    "alignment_change", "alignment_gain", "change_point_step", "half_life_steps", "half_life_scaled",
    "half_life_of_bound", "slowest_halved_steps", "slowest_halved_of_bound", "halved_by_bound", "slowest_moved_steps",
    "slowest_moved_of_bound", "moved_by_bound", "phase_lag",
    "train_loss_end", "test_loss_early", "test_loss_end", "test_loss_ratio", "norm_change_on", "norm_change_off",
    "second_weights_sd_on", "second_weights_sd_off",
)  # fmt: skip


def measure(
    options: dict[str, Any], steps: list[int], curves: dict[str, Floats], hits: Floats, phases: Floats
) -> dict[str, float | None]:
    """Return the scalars of a run that did not diverge (`catalog` has their words); None where there is no such number.

    `hits` (2, m + 1): the step at which each neuron had half its first norm, and their mean had; and the step at which
    each had moved by half its first norm, and the whole layer had; 0 where never. `phases` (switches, 2): mean norm at,
    and sd of second weights before, each switch of the noise.
    """
    norm, alignment = curves["mean_norm"], curves["alignment"]
    tau, p = mann_kendall(norm[1:])
    begin, _, _, _ = ramp(np.log10(steps[1:]), alignment[1:])
    change = int(np.argmin(np.abs(np.log10(steps[1:]) - begin))) + 1  # the row of the change point
    early = int(np.argmin(np.abs(np.log(steps[1:]) - math.log(EARLY * options["steps"])))) + 1
    tests = curves["test_loss"]
    half = float(hits[HALVED, -1]) or None
    speed = (options["lr"] * options["sigma"]) ** 2  # η²σ²
    m = options["neurons"]
    bound = THEOREM * math.sqrt(math.log(m)) / (speed * math.sqrt(m)) if speed and m > 1 else None
    halved, moved = hits[HALVED, :-1], hits[MOVED, :-1]
    slowest_halved, slowest_moved = slowest_of(halved), slowest_of(moved)
    found: dict[str, float | None] = {
        "norm_ratio_end": norm[-1] / norm[0],
        "norm_trend_tau": tau,
        "norm_trend_p": p,
        "relative_movement": curves["movement"][-1],
        "alignment_start": alignment[0],
        "alignment_end": alignment[-1],
        "alignment_change": alignment[-1] - alignment[0],
        "alignment_gain": alignment[-1] - alignment[change],
        "change_point_step": steps[change],
        "half_life_steps": half,
        "half_life_scaled": half * speed if half and speed else None,
        "half_life_of_bound": half / bound if half and bound else None,
        "slowest_halved_steps": slowest_halved,
        "slowest_halved_of_bound": slowest_halved / bound if slowest_halved and bound else None,
        "halved_by_bound": share_by(halved, bound, steps[-1]),
        "slowest_moved_steps": slowest_moved,
        "slowest_moved_of_bound": slowest_moved / bound if slowest_moved and bound else None,
        "moved_by_bound": share_by(moved, bound, steps[-1]),
        "phase_lag": math.log10(steps[change] / half) if half else None,
        "train_loss_end": curves["train_loss"][-1],
        "test_loss_early": tests[early],
        "test_loss_end": tests[-1],
        "test_loss_ratio": tests[-1] / tests[early] if tests[early] > 0 else None,
    }
    if len(phases):
        changes = np.diff(phases[:, 0], prepend=norm[0])
        on, off = slice(0, None, 2), slice(1, None, 2)
        found["norm_change_on"] = changes[on].max()
        found["norm_change_off"] = np.abs(changes[off]).max()
        found["second_weights_sd_on"] = phases[on, 1].min()
        found["second_weights_sd_off"] = phases[off, 1].max()
    return {name: None if value is None else float(value) for name, value in found.items()}


def slowest_of(hits: Floats) -> float | None:
    """Return the hitting time of the slowest of all m neurons; None where one of them never hit.

    Theorem 4.2 speaks of all the neurons of a network; its probability is that over draws of the network.
    """
    return float(hits.max()) if hits.all() else None


def share_by(hits: Floats, bound: float | None, last: int) -> float | None:
    """Return the share of neurons that hit by T₁; None where T₁ lies beyond the last step, or there is none."""
    if bound is None or bound > last:
        return None
    return float(((hits > 0) & (hits <= bound)).mean())


def spread(length: int, count: int) -> list[int]:
    """Return `count` places of a list, evenly, in its last two thirds (logarithms: the decades in which things
    happen)."""
    return sorted({round(place) for place in np.linspace(length / 3, length - 1, count)})


def rounded(values: Any, digits: int = 7) -> list[float]:
    """Round for figures: few significant digits keep records small."""
    return [float(f"{value:.{digits}g}") for value in values]
