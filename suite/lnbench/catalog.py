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
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lnbench.data.sources import SOURCES
from lnbench.errors import LnbenchError
from lnbench.models import plain

Shape = tuple[int, int, int]


class Options(BaseModel):
    """The options of one named thing. All must be given: a library's default cannot change a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]


class NoNoise(Options):
    """The labels as they are."""

    kind: Literal["none"]


class DiluteUniform(Options):
    """Every clean pair once, and `alpha` copies of each image with a uniform random label (Rolnick et al. 2018)."""

    kind: Literal["dilute_uniform"]
    alpha: NotNegative
    include_true_class: bool


class ReplaceUniform(Options):
    """Each label is, with probability `rate`, replaced by a uniform random one."""

    kind: Literal["replace_uniform"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool


class AdaDelta(Options):
    """AdaDelta (Zeiler 2012, algorithm 1), its step multiplied by `lr`."""

    kind: Literal["adadelta"]
    lr: Positive
    rho: BelowOne
    eps: Positive
    weight_decay: NotNegative


class Sgd(Options):
    """Stochastic gradient descent with momentum (torch's form: v ← m·v + g; w ← w − lr·v)."""

    kind: Literal["sgd"]
    lr: Positive
    momentum: BelowOne
    nesterov: bool
    weight_decay: NotNegative


class ConstantSchedule(Options):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a run yields: its bounds, and whether one test example moves it by 1/N."""

    low: float
    high: float
    split: Literal["train", "validation", "test"]
    counted: bool  # a share of N examples, so its step is 1/N; else continuous
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of the catalog. `version` is raised when its behaviour changes, so that old records are not reused."""

    kind: str  # dataset, noise, model, method, optimizer, schedule, metric
    name: str
    version: int = 1
    target: str = ""
    options: type[Options] | None = None
    mmac: Callable[[Shape, int], float] | None = None
    value: Any = None
    fast_parity: str = ""  # the committed report that shows what `precision: fast` changes for this network
    words: str = field(default="", compare=False)

    def load(self) -> Any:
        """Import the code behind the name."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


def _models() -> list[Entry]:
    words = {
        "perceptron": "one layer, softmax",
        "mlp1": "1 hidden layer of 512, ReLU",
        "mlp2": "2 hidden layers of 512, ReLU",
        "mlp4": "4 hidden layers of 512, ReLU",
        "convnet4": "4 convolutions (32, 32, pool, 64, 64, pool), 512 dense",
    }
    parity = {"convnet4": "parity_convnet4-full"}
    return [
        Entry(
            "model",
            name,
            target="lnbench.models.plain:build",
            mmac=partial(plain.mmac, name),
            fast_parity=parity.get(name, ""),
            words=words[name],
        )
        for name in plain.STACKS
    ]


def _builtin() -> list[Entry]:
    noise, optimizer = "lnbench.data.noise", "lnbench.training.optimisers"
    metrics = {
        "test_accuracy": Metric(0, 1, "test", True, "accuracy on the clean test set"),
        "test_loss": Metric(0, math.inf, "test", False, "cross-entropy on the clean test set"),
        "validation_accuracy": Metric(0, 1, "validation", True, "accuracy on held-out clean images"),
        "train_accuracy": Metric(0, 1, "train", True, "accuracy on the training labels as given, during the epoch"),
        "train_loss": Metric(0, math.inf, "train", False, "loss on the training labels, during the epoch"),
    }
    return [
        *(Entry("dataset", s.name, value=s, target="lnbench.data.images:load", words=s.describe())
          for s in SOURCES.values()),
        Entry("noise", "none", target=f"{noise}:NoNoise", options=NoNoise, words="the labels as they are"),
        Entry("noise", "dilute_uniform", target=f"{noise}:DiluteUniform", options=DiluteUniform,
              words="alpha copies of each image with a uniform random label"),
        Entry("noise", "replace_uniform", target=f"{noise}:ReplaceUniform", options=ReplaceUniform,
              words="each label replaced, at a rate, by a uniform random one"),
        *_models(),
        Entry("method", "standard", target="lnbench.methods.standard:Standard", words="cross-entropy"),
        Entry("optimizer", "adadelta", target=f"{optimizer}:AdaDelta", options=AdaDelta),
        Entry("optimizer", "sgd", target=f"{optimizer}:Sgd", options=Sgd),
        Entry("schedule", "constant", target="lnbench.training.schedules:constant", options=ConstantSchedule),
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


def names(kind: str) -> list[str]:
    """All names of one kind, in the order in which they are registered."""
    return list(entries().get(kind, {}))


ENGINE_VERSION = 1  # of training/engine.py: raised when a run of the same recipe and seed would end elsewhere


def versions(recipe: dict[str, Any]) -> dict[str, int]:
    """The integer version of everything that a run's outcome hangs on; part of the run's identity."""
    return {
        "engine": ENGINE_VERSION,
        "dataset": find("dataset", recipe["dataset"]["name"]).version,
        "noise": find("noise", recipe["noise"]["kind"]).version,
        "model": find("model", recipe["model"]).version,
        "method": find("method", recipe["method"]).version,
        "optimizer": find("optimizer", recipe["optimizer"]["kind"]).version,
        "schedule": find("schedule", recipe["schedule"]["kind"]).version,
    }
