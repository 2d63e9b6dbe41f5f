"""What the catalog holds: one entry for each name, and a metric's bounds."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lnbench.catalog.options import Options, Part
from lnbench.errors import LnbenchError

TOLERANCE = 1e-9  # relative to a metric's bound: what rounding may add to an r of 1
Shape = tuple[int, int, int]  # channels, height, width of an image
# (its options, the recipe) -> passes over each training example. A method: how often a step goes forward and backward,
# once for each of its networks. An optimiser: the factor that multiplies these, one for each gradient it asks for. A
# probe or an average: forward passes that it adds to an epoch, for each network; a backward pass is 2 of these.
Passes = Callable[[dict[str, Any], dict[str, Any]], float]


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a run yields: its bounds, whether one example moves it by 1/N, and what it is a share of."""

    low: float
    high: float
    split: Literal["train", "validation", "test", "none"]
    counted: bool  # one example of the split moves it by at most 1/N; else continuous
    words: str
    experiments: tuple[str, ...] = ()  # the experiments whose runs yield it; none: the training of a classifier does
    curve: str = ""  # for a smoothed reading: the curve that is smoothed
    rest_of: str = ""  # the curve, a share, that it is one less
    probe: str = ""  # what the recipe's `probes` must ask for, so that a training yields it
    key: str = ""  # a key that the recipe may leave out and must give, so that a training yields it
    reading: str = ""  # what its runs' arrays are read by: a name of kind "reading"
    of_two: bool = False  # a number of two runs
    share_of: str = ""  # of a plain share, k of n: what the n are ("test images"); judge/counts.py finds how many

    def holds(self, value: float) -> bool:
        """Return whether a number lies within the bounds, as far as rounding lets one tell."""
        low, high = self.low, self.high
        return low - TOLERANCE * max(1.0, abs(low)) <= value <= high + TOLERANCE * max(1.0, abs(high))


@dataclass(frozen=True, slots=True)
class Input:
    """What an input is computed from, and what it gives to the runs that read it.

    The entry's function takes the outcomes of the input's runs, and the options where the kind has any. It returns an
    outcome: plain data with a `status`, "ok" or "failed" (then with a `message`). A kind that gives an array (`gives`,
    its name) finds the arrays of each run under the outcome's `arrays`, and returns its own in the same way.
    """

    probes: tuple[str, ...]  # what the runs must measure
    # What its arrays are for. kept (N,) bool: examples to train on; weights (W,) float32: a start; trust (N,) float32,
    # in [0, 1]: how far each example's label is believed; selection: `kept` and `candidates` (N,) bool, those that a
    # method selected and those that it may still select from; predictions (N,) int16: classes to learn as labels.
    gives: Literal["", "kept", "weights", "trust", "selection", "predictions"] = ""
    # Of an input `per: seed`: what each of its runs changes, beside `of`; one run with no further change by default.
    each: tuple[Mapping[str, Any], ...] = ({},)
    # Whether it builds on what its runs were given: each outcome then has `given`, name -> the outcome of an input of
    # that run, with its `arrays`. Only for a kind that gives an array itself.
    builds_on_given: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of the catalog. `version` is raised when its behaviour changes, so that old records are not reused."""

    # dataset, noise, model, method, optimizer, schedule, probe, average, experiment, metric, input, reading, check
    kind: str
    name: str
    version: int = 1
    target: str = ""
    options: type[Options] | None = None
    part: str = ""  # of a check: where the class of its options is ("module:object"), a `catalog.Part`
    seconds: Callable[[dict[str, Any]], float] | None = None  # an experiment's run on one core, from its recipe
    on_a_core: Callable[[dict[str, Any]], float] | None = None  # those of them that a core takes beside any GPU
    timed: bool = False  # an experiment's numbers are times: the same run again gives others
    mmac: Callable[[Shape, int], float] | None = None
    layers: Callable[[Shape, int], list[Any]] | None = None  # models.layers.Layer; a model's, with their sizes
    initial: str = "glorot_uniform"  # how a model's first weights are drawn: a name of training/initial.py
    networks: int = 1  # that a method trains side by side: the `networks` of its class
    value: Any = None
    needs: tuple[str, ...] = ()  # a probe's: the probes that must be asked for beside it
    passes: Passes | None = None  # what it costs a training; None: one pass a step, and nothing worth pricing is added
    stacks: bool = True  # whether runs with it can train as a stack of networks (training/backends/stacked.py)
    fast_parity: str = ""  # the committed report that shows what `precision: fast` changes for this network
    words: str = field(default="", compare=False)
    package: tuple[str, str] | None = field(default=None, compare=False)  # a plug-in's name and version (registry.py)

    def load(self) -> Any:
        """Import the code behind the name. Raises LnbenchError where a plug-in names what is not there."""
        return self._loaded(self.target)

    def load_part(self) -> type[Part]:
        """Import the options of a kind of check. They are named, not given: the built-in ones stand in `spec`, which
        asks for this catalog while it is imported."""
        found: type[Part] = self._loaded(self.part)
        return found

    def _loaded(self, target: str) -> Any:
        module, _, attribute = target.partition(":")
        if self.package is None:
            return getattr(importlib.import_module(module), attribute)
        try:
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:  # a plug-in may fail in any way; without this it would look like our own bug
            what = f"the {self.kind} '{self.name}' of the plug-in {self.package[0]} cannot be loaded from '{target}'"
            raise LnbenchError(f"{what}: {type(error).__name__}: {error}") from error


def with_metrics(probe: Entry, **metrics: Metric) -> list[Entry]:
    """Return a probe's entry, and behind it those of the metrics that a training yields only if it asks for it."""
    yielded = {name: replace(metric, probe=probe.name) for name, metric in metrics.items()}
    return [probe, *(Entry("metric", name, value=metric, words=metric.words) for name, metric in yielded.items())]
