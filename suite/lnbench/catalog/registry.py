"""The one registry: every name that a spec may use, what options it takes, what it costs, and where its code is.

No torch here: names and options are validated and runs are priced without it. `target` ("module:object") is imported
only when a run needs it. A plug-in package adds its own through the entry point group `lnbench`, each entry a function
that returns `Entry` objects; a spec itself never names Python code.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Literal

from lnbench import options as named
from lnbench.data.sources import SOURCES
from lnbench.detection import yields as detection
from lnbench.errors import LnbenchError
from lnbench.experiments import options as experiment
from lnbench.experiments.yields import YIELDS
from lnbench.models.families import FAMILIES
from lnbench.models.layers import Layer, Shape, mmac
from lnbench.options import Options as Options


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a run yields: its bounds, and whether one test example moves it by 1/N."""

    low: float
    high: float
    split: Literal["train", "validation", "test", "none"]
    counted: bool  # a share of N examples, so its step is 1/N; else continuous
    words: str
    experiments: tuple[str, ...] = ()  # those whose runs yield it; none: the training of a classifier does
    curve: str = ""  # of a smoothed reading: the curve that is smoothed
    probe: str = ""  # what the recipe's `probes` must ask for, so that a training yields it
    reading: str = ""  # what its runs' arrays are read by: a name of kind "reading"
    of_two: bool = False  # a number of two runs


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of the catalog. `version` is raised when its behaviour changes, so that old records are not reused."""

    kind: str  # dataset, noise, model, method, optimizer, schedule, experiment, metric, input, reading
    name: str
    version: int = 1
    target: str = ""
    options: type[Options] | None = None
    seconds: Callable[[dict[str, Any]], float] | None = None  # of an experiment's run on one core, from its recipe
    mmac: Callable[[Shape, int], float] | None = None
    layers: Callable[[Shape, int], list[Layer]] | None = None  # a model's, with their sizes
    initial: str = "glorot_uniform"  # how a model's first weights are drawn: a name of training/initial.py
    value: Any = None
    fast_parity: str = ""  # the committed report that shows what `precision: fast` changes for this network
    words: str = field(default="", compare=False)

    def load(self) -> Any:
        """Import the code behind the name."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


def _models() -> list[Entry]:
    parity = {"convnet4": "parity_convnet4-full"}
    return [
        Entry(
            "model",
            name,
            target=f"{family.__name__}:build",
            mmac=partial(mmac, family.layers, name),
            layers=partial(family.layers, name),
            initial=network.initial,
            fast_parity=parity.get(name, ""),
            words=network.words,
        )
        for family in FAMILIES
        for name, network in family.NETWORKS.items()
    ]


def _experiments() -> list[Entry]:
    where = "lnbench.experiments"
    return [
        Entry("experiment", "linear_network", target=f"{where}.linear_network:run", options=experiment.LinearNetwork,
              seconds=experiment.linear_network_seconds,
              words="a two-layer linear network fits a linear teacher under label noise or SAM"),
        Entry("experiment", "ntk", target=f"{where}.ntk:run", options=experiment.Ntk, seconds=experiment.ntk_seconds,
              words="a network of one hidden erf layer and its linearisation, on a few images"),
        Entry("experiment", "label_law", target=f"{where}.label_law:run", options=experiment.LabelLaw,
              seconds=experiment.label_law_seconds,
              words="labels of a balanced set counted under label noise, and a loss's least point on them"),
        Entry("experiment", "label_errors", target=f"{where}.label_errors:run", options=experiment.LabelErrors,
              seconds=experiment.label_errors_seconds,
              words="wrong labels of one noise draw found by AUL, by AUM and by confident learning"),
    ]  # fmt: skip


# what the probe gradient_cosine yields, and when it looks
GRADIENT_COSINES = {
    "gradient_cosine_start": "before the first step",
    "gradient_cosine_tenth": "after a tenth of the steps",
    "gradient_cosine_half": "after half of the steps",
    "gradient_cosine_end": "after the last step",
}


# what the probe pruned_accuracy looks at: per cent of a network's weights that are kept, and of these what is a metric
PRUNED_KEPT = (100, 80, 60, 50, 40, 30, 20, 15, 10, 5)
PRUNED_SHARES_JUDGED = (80, 60, 50)
SMOOTHING = 0.9  # the decay, an epoch, of a smoothed curve


def _probed() -> dict[str, Metric]:
    """The metrics of a training that asks for probes."""
    found = {}
    for name, words in GRADIENT_COSINES.items():
        what = f"cosine between the loss's gradient and the cross-entropy's on clean labels, {words}"
        found[name] = Metric(-1, 1, "none", False, what, probe="gradient_cosine")
    what = "mean test accuracy over 5 to 60 per cent of the weights kept, the largest ones"
    found["pruned_area"] = Metric(0, 1, "test", True, what, probe="pruned_accuracy")
    what = f"{what}, as a share of the unpruned accuracy"
    found["pruned_relative"] = Metric(0, math.inf, "test", False, what, probe="pruned_accuracy")
    for share in PRUNED_SHARES_JUDGED:
        what = f"test accuracy with the largest {share} per cent of the weights"
        found[f"pruned_accuracy_{share}"] = Metric(0, 1, "test", True, what, probe="pruned_accuracy")
    return found


_READINGS = {"detection": detection.DETECTION, "agreement": detection.AGREEMENT, "suspects": detection.SUSPECTS}
# what a reading's metrics need beside `example_loss`
_MORE_PROBES = {
    "aul_auc_eval": "example_loss_eval",
    "aum_auc": "example_margin",
    "aum_pearson": "example_margin",
    "mean_test_loss_pearson": "held_loss",
    "test_loss_pearson": "held_loss",
    "mean_validation_loss_pearson": "held_loss",
    "validation_loss_pearson": "held_loss",
    "suspects_mislabeled": "suspects",
}


def _read() -> dict[str, Metric]:
    """The metrics that are read from a training's arrays, by reading."""
    found = {}
    for reading, metrics in _READINGS.items():
        for name, (low, high, words) in metrics.items():
            split: Literal["validation", "none"] = "validation" if "validation" in name else "none"
            probe = _MORE_PROBES.get(name, "example_loss")
            found[name] = Metric(
                low, high, split, False, words, probe=probe, reading=reading, of_two=reading == "agreement"
            )
    return found


def _builtin() -> list[Entry]:
    noise, optimizer = "lnbench.data.noise", "lnbench.training.optimisers"
    schedule = "lnbench.training.schedules"
    metrics = {
        "test_accuracy": Metric(0, 1, "test", True, "accuracy on the clean test set"),
        "test_accuracy_ema": Metric(
            0, 1, "test", True, f"test accuracy, its curve smoothed (decay {SMOOTHING} an epoch)", curve="test_accuracy"
        ),
        "test_loss": Metric(0, math.inf, "test", False, "cross-entropy on the clean test set"),
        "validation_accuracy": Metric(0, 1, "validation", True, "accuracy on held-out clean images"),
        "train_accuracy": Metric(0, 1, "train", True, "accuracy on the training labels as given, during the epoch"),
        "train_loss": Metric(0, math.inf, "train", False, "loss on the training labels, during the epoch"),
    }
    metrics |= _probed() | _read()
    for name, (low, high, yielded_by, words) in YIELDS.items():
        metrics[name] = Metric(low, high, "none", False, words, yielded_by)
    return [
        *(Entry("dataset", s.name, value=s, target="lnbench.data.images:load", words=s.describe())
          for s in SOURCES.values()),
        Entry("noise", "none", target=f"{noise}:NoNoise", options=named.NoNoise, words="the labels as they are"),
        Entry("noise", "dilute_uniform", target=f"{noise}:DiluteUniform", options=named.DiluteUniform,
              words="alpha copies of each image with a uniform random label"),
        Entry("noise", "replace_uniform", target=f"{noise}:ReplaceUniform", options=named.ReplaceUniform,
              words="each label replaced, at a rate, by a uniform random one"),
        Entry("noise", "resample_uniform", target=f"{noise}:ResampleUniform", options=named.ResampleUniform,
              words="each label, at every visit and at a rate, drawn anew from the uniform law"),
        Entry("noise", "dilute_structured", target="lnbench.data.structured:DiluteStructured",
              options=named.DiluteStructured,
              words="alpha copies of each image, some wrong classes likelier than others"),
        Entry("noise", "dilute_novel", target=f"{noise}:DiluteNovel", options=named.DiluteNovel,
              words="alpha other images for each, with a uniform random label"),
        Entry("noise", "pair_flip", target=f"{noise}:PairFlip", options=named.PairFlip,
              words="each label replaced, at a rate, by the next class"),
        *_models(),
        Entry("method", "standard", target="lnbench.methods.standard:Standard", words="cross-entropy"),
        Entry("method", "noisy_loss", target="lnbench.methods.noisy_loss:NoisyLoss", options=named.NoisyLoss,
              words="H_alpha, the mean of what dilution gives"),
        Entry("input", "confusion", target="lnbench.inputs:summed_confusion", value=("test_confusion",),
              words="the test confusion matrices of some trainings, summed"),
        Entry("reading", "detection", target="lnbench.detection.readings:detection",
              words="how well a run's loss curves tell wrong labels from right ones"),
        Entry("reading", "agreement", target="lnbench.detection.readings:agreement",
              words="how alike two runs' loss curves are, example by example"),
        Entry("reading", "suspects", target="lnbench.detection.readings:suspects",
              words="the training images of highest area under the loss"),
        Entry("optimizer", "adadelta", target=f"{optimizer}:AdaDelta", options=named.AdaDelta),
        Entry("optimizer", "sgd", target=f"{optimizer}:Sgd", options=named.Sgd),
        Entry("optimizer", "adam", target=f"{optimizer}:Adam", options=named.Adam),
        Entry("schedule", "constant", target=f"{schedule}:constant", options=named.ConstantSchedule),
        Entry("schedule", "step", target=f"{schedule}:step_decay", options=named.StepSchedule),
        Entry("schedule", "cosine", target=f"{schedule}:cosine", options=named.CosineSchedule),
        Entry("schedule", "one_cycle", target=f"{schedule}:one_cycle", options=named.OneCycleSchedule),
        *_experiments(),
        *(Entry("metric", name, value=metric, words=metric.words) for name, metric in metrics.items()),
    ]  # fmt: skip


@cache
def entries() -> dict[str, dict[str, Entry]]:
    """kind -> name -> entry, plug-ins included. A plug-in cannot take a name that is taken."""
    found: dict[str, dict[str, Entry]] = {}
    for entry in [*_builtin(), *_plugged_in()]:
        names = found.setdefault(entry.kind, {})
        if entry.name in names:
            raise LnbenchError(f"a plug-in adds the {entry.kind} '{entry.name}', a name that is taken; rename it there")
        names[entry.name] = entry
    return found


def _plugged_in() -> list[Entry]:
    """What installed plug-in packages add. Raises LnbenchError that names the one that fails."""
    entries: list[Entry] = []
    for plugin in importlib.metadata.entry_points(group="lnbench"):
        try:
            entries += plugin.load()()
        except Exception as error:  # a plug-in may fail in any way; without this it would look like our own bug
            what = f"the plug-in '{plugin.name}' ({plugin.value}) cannot be loaded: {type(error).__name__}: {error}"
            raise LnbenchError(what) from error
    return entries


def find(kind: str, name: str) -> Entry:
    """The entry; KeyError where there is none (specs are checked before anything asks)."""
    return entries()[kind][name]


def name_and_options(named: str | dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Of what a recipe says in one word, or as a mapping with its `kind` and options."""
    return (named, None) if isinstance(named, str) else (named["kind"], named)


def names(kind: str) -> list[str]:
    """All names of one kind, in the order in which they are registered."""
    return list(entries().get(kind, {}))


ENGINE_VERSION = 1  # of training/engine.py: raised when a run of the same recipe and seed would end elsewhere


def versions(recipe: dict[str, Any]) -> dict[str, int]:
    """The integer version of everything that a run's outcome hangs on; part of the run's identity."""
    if "experiment" in recipe:
        data = {"dataset": find("dataset", recipe["dataset"]).version} if "dataset" in recipe else {}
        trained = _training_versions(recipe) if "model" in recipe else {}
        return {"experiment": find("experiment", recipe["experiment"]).version, **data, **trained}
    return {"dataset": find("dataset", recipe["dataset"]["name"]).version, **_training_versions(recipe)}


def _training_versions(recipe: dict[str, Any]) -> dict[str, int]:
    """Of what a training of networks hangs on, whether it is the run or a part of an experiment."""
    return {
        "engine": ENGINE_VERSION,
        "noise": find("noise", recipe["noise"]["kind"]).version,
        "model": find("model", recipe["model"]).version,
        "method": find("method", name_and_options(recipe["method"])[0]).version,
        "optimizer": find("optimizer", recipe["optimizer"]["kind"]).version,
        "schedule": find("schedule", recipe["schedule"]["kind"]).version,
    }
