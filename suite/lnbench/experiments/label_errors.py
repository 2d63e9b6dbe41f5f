"""How well some methods find the wrong labels of one noise draw, on the same images and for the same passes over them.

    AUL   the area under an example's training loss (Pleiss, Zhang, Elenberg & Weinberger)
    AUM   the area under its margin (Pleiss et al. 2020); both, and the last epoch's loss, of one and the same network
    confident learning (Northcutt et al. 2021), by the package cleanlab, from out-of-fold probabilities
    the same from a logistic regression on the pixels (`pixels_model`), where `pixels_model: logistic` asks for it

**The budget.** The network of AUL and AUM makes E passes over N examples. Confident learning trains k networks, each
without one fold; without folds of N_1, …, N_k examples, for E/(k − 1) epochs, that is Σ (N − N_f) · E/(k − 1) =
(kN − N) · E/(k − 1) = N · E examples: the same number exactly, whatever k and however uneven the folds. A schedule is
shortened like the epochs. Nothing else differs between the networks but first weights and order. A logistic regression
makes no such passes: it sees all images of its folds at once, again and again until it converges. Its budget is seconds
of one core; `took` has them beside those of the others.

The images and labels are those that a training with the same seeds and noise has, so AUL and AUM here are those of that
training. The true labels are used to measure, and by no method.
"""

from __future__ import annotations

import contextlib
import importlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lnbench.data.images import ImageData, load
from lnbench.data.label_files import LabelFiles
from lnbench.errors import LnbenchError
from lnbench.experiments.entries import YIELDS
from lnbench.experiments.options import LOOKED_AT, network_of
from lnbench.loss_curves.measures import precision_recall, roc_auc
from lnbench.loss_curves.mixture import NothingToSplit, fit_split
from lnbench.loss_curves.scores import area_under_loss, area_under_margin
from lnbench.machine import version_of
from lnbench.noise.law import describe, on_data
from lnbench.randomness import Stream, derived_seed, permutation_at, u32
from lnbench.stats.seeds import Floats, Mask
from lnbench.training.hooks import Hooks, Progress, State

CURVES = ("train_loss", "train_accuracy", "test_accuracy")
METRICS = tuple(name for name, (_, _, experiments, _) in YIELDS.items() if "label_errors" in experiments)
OF_PIXELS = tuple(name for name in METRICS if name.startswith("logistic_"))  # only in the records of runs that have it
FOLD_STREAM = 1  # the epoch of the stream of splits; epoch 0 chooses the images
OWN_STREAMS = ("init", "order", "augment")  # the streams that each fold's network has for itself

Labels = npt.NDArray[np.int64]
Arrays = dict[str, np.ndarray[Any, Any]]
Metrics = dict[str, float | None]


def run(
    options: dict[str, Any],
    seeds: dict[str, int],
    data_root: Path | None,
    *,
    state: Any,
    hooks: Any,
    device: Any = "cpu",
) -> dict[str, Any]:
    """Do one noise draw. Return an outcome as `lnbench.experiments` says.

    Besides its keys: `noise`, what the draw came to; `passes`, how many examples the networks of each method were
    trained on, visit by visit; `packages`, versions that decide the numbers; `diverged`, the networks that did: what
    depends on them is null; `iterations`, of each fold's model of the pixels, where there is one; and, of a run that
    was not interrupted, `took`, the seconds of each kind of work (which goes into the record's provenance). Raises
    LnbenchError where cleanlab is needed and not there, Stopped as hooks ask.
    """
    if options["folds"]:
        cleanlab()  # before anything is trained
    drawn = draw(options, seeds, _data(options["dataset"], data_root), LabelFiles(data_root))
    return _Work(options, seeds, drawn).finish(state, hooks, device)


@lru_cache(maxsize=1)
def _data(name: str, root: Path | None) -> ImageData:
    return load(name, root=root)


# ---- the draw


@dataclass(frozen=True)
class Draw:
    """n images with noisy labels: `data`, whose training labels are those given; `wrong` (n,) bool, which of them are
    wrong; `facts` of the noise; `checksum` of the whole data set."""

    data: ImageData
    wrong: Mask
    facts: dict[str, Any]
    checksum: str

    @property
    def given(self) -> Labels:
        """Return (n,) int64: the labels as they are given."""
        return self.data.train_labels


def draw(options: dict[str, Any], seeds: dict[str, int], data: ImageData, files: LabelFiles | None = None) -> Draw:
    """Return the images and labels that `training.batches.TrainingSet` has for these seeds and this noise; the first
    LOOKED_AT test images are kept, to see how well the network learns."""
    from lnbench import catalog

    have, n = len(data.train_labels), options["clean"]
    shuffled = permutation_at(seeds["split"], Stream.SPLIT, 0, have, np.arange(have, dtype=np.int64))
    identity = np.sort(shuffled[:n])
    true = data.train_labels.astype(np.int64)[identity]
    kind = catalog.find("noise", options["noise"]["kind"]).load()
    noise = on_data(kind(n, data.classes, seeds["noise"], options["noise"]), data, files or LabelFiles())
    given = noise.labels(np.arange(n, dtype=np.int64), true, identity)
    chosen = with_labels(data, data.train_images[identity], given, data.test_images[:LOOKED_AT], data.test_labels)
    return Draw(chosen, given != true, describe(noise, true, identity), data.checksum)


def with_labels(
    data: ImageData,
    images: npt.NDArray[np.uint8],
    labels: Labels,
    held: npt.NDArray[np.uint8],
    held_labels: Labels,
) -> ImageData:
    """Return the data set with other images: `images` to train on, `held` for testing with the first of
    `held_labels`."""
    return ImageData(data.name, images, labels, held, held_labels[: len(held)], data.classes, data.scale, data.checksum)


def folds_of(given: Labels, folds: int, seed: int) -> Labels:
    """Return (n,) int64: the fold in which each example is held out. Folds differ by at most one in size, and in the
    count of each given label; the seed decides which example is in which fold."""
    keys = u32(seed, Stream.SPLIT, FOLD_STREAM, np.arange(len(given), dtype=np.int64))
    by_label = np.lexsort((keys, given))
    fold = np.empty(len(given), dtype=np.int64)
    fold[by_label] = np.arange(len(given)) % folds
    return fold


# ---- the networks


@dataclass(frozen=True)
class _Network:
    """One training of a run: its name, what it is trained and tested on, and how."""

    name: str
    data: ImageData
    recipe: dict[str, Any]
    seeds: dict[str, int]

    @property
    def passes(self) -> int:
        """Return the number of examples that it is trained on, each counted as often as it is visited."""
        return len(self.data.train_labels) * int(self.recipe["epochs"])


def _networks(options: dict[str, Any], seeds: dict[str, int], drawn: Draw) -> Iterator[_Network]:
    """Yield the network of AUL and AUM, then that of each fold."""
    data, n, folds = drawn.data, options["clean"], options["folds"]
    probes = ["example_loss", "example_margin"]
    yield _Network("network", data, {**network_of(options, n), "probes": probes}, seeds)
    fold = folds_of(drawn.given, folds, seeds["split"]) if folds else np.empty(0)
    for number in range(folds):
        held = fold == number
        images, labels = data.train_images, drawn.given
        without = with_labels(data, images[~held], labels[~held], images[held], labels[held])
        recipe = {**network_of(options, int((~held).sum()), folds - 1), "probes": ["test_probabilities"]}
        own = {name: derived_seed(f"label_errors:{name}:{seeds[name]}:fold {number}") for name in OWN_STREAMS}
        yield _Network(f"fold {number + 1}", without, recipe, {**seeds, **own})


def _result(network: _Network, outcome: dict[str, Any]) -> Arrays:
    """Return what is kept of a finished training. A network that diverged leaves its curves only."""
    curves = np.array([outcome["curves"].get(name, []) for name in CURVES], dtype=np.float64)
    found: Arrays = {"curves": curves}
    if outcome["status"] == "ok" and network.name == "network":
        losses, margins = outcome["arrays"]["example_loss"], outcome["arrays"]["example_margin"]
        found["aul"] = area_under_loss(losses, len(losses))
        found["aum"] = area_under_margin(margins, len(margins))
        found["last_loss"] = losses[-1].astype(np.float64)
    elif outcome["status"] == "ok":
        found["probabilities"] = outcome["arrays"]["test_probabilities"].astype(np.float64)
    return found


class _Clock:
    """Seconds that each kind of work took in all."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[what] = round(self.seconds.get(what, 0.0) + time.monotonic() - began, 3)


class _Work:
    """The networks of a run, one after the other; a checkpoint has the results of those that are done, and the engine's
    own state of the one that is trained."""

    def __init__(self, options: dict[str, Any], seeds: dict[str, int], drawn: Draw):
        self.options, self.seeds, self.drawn = options, seeds, drawn
        self.networks = list(_networks(options, seeds, drawn))
        self.done: list[Arrays] = []
        self.clock = _Clock()

    def finish(self, state: Any, hooks: Any, device: Any = "cpu") -> dict[str, Any]:
        """Train what is left, and measure."""
        import torch

        from lnbench.training.engine import prepare, train

        prepare(torch.device(device))
        left = self._take_up(state)
        whole = left is None and not self.done  # a run that goes on does not know how long its beginning took
        for network in self.networks[len(self.done) :]:
            told = self._hooks(hooks)
            with self.clock("network" if network.name == "network" else "folds"):
                outcome = train(network.recipe, network.seeds, network.data, device, state=left, hooks=told)
            if left is not None:
                state.refused = left.refused and not self.done
            left = None
            self.done.append(_result(network, outcome))
        outcome = self._outcome()
        return {**outcome, "took": dict(self.clock.seconds)} if whole else outcome

    def _hooks(self, hooks: Any) -> Hooks:
        """Return the engine's hooks: progress over all networks, and states that hold what is done."""
        before = sum(network.passes for network in self.networks[: len(self.done)])
        total = sum(network.passes for network in self.networks)

        def tick(progress: Progress) -> bool:
            return bool(hooks.tick(Progress(0, 1, before + progress.examples_done, total)))

        def save(state: State) -> None:
            kept = {f"now.{name}": tensor for name, tensor in state.tensors.items()}
            for number, arrays in enumerate(self.done):
                kept |= {f"{number}.{name}": array for name, array in arrays.items()}
            hooks.save(State(state.epoch, state.step, state.curves, state.diverged, kept))

        return Hooks(tick, hooks.should_stop, save, getattr(hooks, "gradient_noise", None))

    def _take_up(self, state: Any) -> State | None:
        """Fill `done` from a checkpoint; return the engine's state of the network that comes next, None for none."""
        if state is None:
            return None
        parts: dict[str, Arrays] = {}
        for name, array in state.tensors.items():
            part, _, own = name.partition(".")
            parts.setdefault(part, {})[own] = array
        now = parts.pop("now", {})
        done = [parts.get(str(number), {}) for number in range(len(parts))]
        whole = all(_fits(arrays, network) for arrays, network in zip(done, self.networks, strict=False))
        if not now or not whole or len(done) >= len(self.networks):
            state.refused = True
            return None  # no checkpoint of such a run: all is done again
        self.done = done
        return State(state.epoch, state.step, state.curves, state.diverged, now)

    def _outcome(self) -> dict[str, Any]:
        first, *others = self.done
        diverged = [
            network.name for network, arrays in zip(self.networks, self.done, strict=True) if set(arrays) == {"curves"}
        ]
        more: dict[str, Any] = {}
        of_pixels = "pixels_model" in self.options
        metrics: Metrics = dict.fromkeys(METRICS if of_pixels else [name for name in METRICS if name not in OF_PIXELS])
        if "aul" in first:
            with self.clock("loss_curves"):
                metrics |= by_loss_curves(first, self.drawn.wrong)
        if others and all("probabilities" in arrays for arrays in others):
            with self.clock("confident_learning"):
                metrics |= by_confident_learning(self.drawn.given, self._probabilities(others), self.drawn.wrong)
        if of_pixels:
            with self.clock("pixels_model"):
                probabilities, iterations = self._by_pixels()
                metrics |= by_confident_learning(self.drawn.given, probabilities, self.drawn.wrong, "logistic")
                more = {"iterations": iterations, "packages": {"scikit-learn": version_of("scikit-learn")}}
        ends = [network_curves["curves"].shape[1] for network_curves in self.done]
        early = [end for network, end in zip(self.networks, ends, strict=True) if network.name in diverged]
        return {
            "status": "diverged" if diverged else "ok",
            "diverged_at": min(early) if early else None,
            "diverged": diverged,
            "metrics": metrics,
            "steps": list(range(1, ends[0] + 1)),
            "curves": {name: row.tolist() for name, row in zip(CURVES, first["curves"], strict=True)},
            "passes": {
                "network": self.networks[0].passes,
                "folds": sum(network.passes for network in self.networks[1:]),
            },
            "noise": self.drawn.facts,
            "packages": {"cleanlab": version_of("cleanlab"), **more.pop("packages", {})} if others else {},
            **more,
            "classes": self.drawn.data.classes,
            "data_sha256": self.drawn.checksum,
        }

    def _by_pixels(self) -> tuple[Floats, list[int]]:
        """Return what a model of the pixels gives: probabilities (n, classes) out of the same folds, and iterations."""
        from lnbench.experiments.pixels_model import out_of_fold

        drawn = self.drawn
        fold = folds_of(drawn.given, self.options["folds"], self.seeds["split"])
        return out_of_fold(drawn.data.train_images, drawn.given, fold, drawn.data.classes)

    def _probabilities(self, folds: list[Arrays]) -> Floats:
        """Return (n, classes): for each example, the probabilities by the network that did not see it."""
        fold = folds_of(self.drawn.given, len(folds), self.seeds["split"])
        found = np.empty((len(fold), self.drawn.data.classes))
        for number, arrays in enumerate(folds):
            found[fold == number] = arrays["probabilities"]
        return found


def _fits(arrays: Arrays, network: _Network) -> bool:
    """Return whether this is what a checkpoint holds for such a network."""
    if "curves" not in arrays or arrays["curves"].shape[:1] != (len(CURVES),):
        return False
    n, held = len(network.data.train_labels), len(network.data.test_labels)
    shapes = {"aul": (n,), "aum": (n,), "last_loss": (n,), "probabilities": (held, network.data.classes)}
    return all(arrays[name].shape == shape for name, shape in shapes.items() if name in arrays)


# ---- what was found


def by_loss_curves(scores: Arrays, wrong: Mask) -> Metrics:
    """Measure how well aul, aum and last_loss (n,) rank, and what the guarded mixture of two Gaussians (`detection`)
    finds by AUL and by −AUM."""
    found: Metrics = {
        "aul_error_auc": roc_auc(scores["aul"], wrong),
        "aum_error_auc": roc_auc(-scores["aum"], wrong),
        "last_loss_error_auc": roc_auc(scores["last_loss"], wrong),
    }
    for method, values in (("aul", scores["aul"]), ("aum", -scores["aum"])):
        try:
            z = fit_split(values).responsibilities(values)
        except NothingToSplit:
            continue  # the numbers do not exist
        found |= _found(method, z > 0.5, float(z.mean()), wrong)
    return found


def by_confident_learning(given: Labels, probabilities: Floats, wrong: Mask, name: str = "confident") -> Metrics:
    """Measure what cleanlab makes of labels (n,) and out-of-fold probabilities (n, classes), at its default settings;
    `name`: what the metrics begin with.

    Ranked by self-confidence and by normalised margin; issues by `find_label_issues` (pruned by noise rate); the share
    of wrong labels is 1 minus the trace of its calibrated confident joint.
    """
    count, rank, filters = cleanlab()
    about = {"labels": given, "pred_probs": probabilities / probabilities.sum(axis=1, keepdims=True)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about classes that no label names
        quality = {
            method: rank.get_label_quality_scores(**about, method=method)
            for method in ("self_confidence", "normalized_margin")
        }
        issues = np.asarray(filters.find_label_issues(**about, n_jobs=1), dtype=bool)
        estimate = 1.0 - float(np.trace(count.estimate_joint(**about)))
    return {
        f"{name}_error_auc": roc_auc(-quality["self_confidence"], wrong),
        f"{name}_margin_error_auc": roc_auc(-quality["normalized_margin"], wrong),
        **_found(name, issues, estimate, wrong),
    }


def _found(method: str, predicted: Mask, estimate: float, wrong: Mask) -> Metrics:
    precision, recall = precision_recall(predicted, wrong)
    bias = estimate - float(wrong.mean())
    found = {"precision": precision, "recall": recall, "noise_bias": bias, "noise_error": abs(bias)}
    return {f"{method}_error_{name}": value for name, value in found.items()}


def cleanlab() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return cleanlab's modules count, rank and filter. Raises LnbenchError where it is not installed or cannot be
    imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the warning that it has no progress bars
            count, rank, filters = (importlib.import_module(f"cleanlab.{name}") for name in ("count", "rank", "filter"))
    except ImportError as error:
        what = f"confident learning needs the package cleanlab, which cannot be imported ({error})"
        raise LnbenchError(f"{what}; pip install 'lnbench[peers]', or write `folds: 0`") from error
    return count, rank, filters
