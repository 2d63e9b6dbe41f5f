"""Which runs train together, by which backend, and whether their step is compiled: one rule, no trials.

On the CPU a run of a minute or more is worth a compiler's seconds. Networks of dense layers are then stacked: as many
replicas as keep their weights and optimiser states in STACK_BYTES, about a core's share of cache, because a stack that
leaves the cache is no faster than its runs one after another. Networks with batch normalisation run one at a time,
compiled; all others one at a time, as torch runs them. Convolutions are never stacked: grouped convolutions are slower
than the same ones in turn. Smoke never compiles. On a GPU everything is looped until a GPU has shown what is faster
(docs/performance.md has the measurements behind each sentence).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lnbench import catalog
from lnbench.canonical import canonical_json, content_id
from lnbench.cost import seconds_of
from lnbench.plan import Run
from lnbench.shape import group_shape

SECONDS_WORTH_COMPILING = 60.0
STACK_BYTES = 4 << 20
STACK_MOST = 8
TENSORS_A_WEIGHT = 3  # the weight itself, and what AdaDelta or Adam keep of it


@dataclass(frozen=True)
class Task:
    """Runs that one worker trains together: all of one shape, or one alone. `halved`: how often memory ran out."""

    runs: tuple[Run, ...]
    backend: str = "loop"
    compile: bool = False
    halved: int = 0

    @property
    def id(self) -> str:
        """Of the checkpoint: a run's own, or the hash of all."""
        return self.runs[0].id if len(self.runs) == 1 else content_id({"group": [run.id for run in self.runs]})


@dataclass
class Grouping:
    """The rule above, for one device and a number of workers. `smoke` says of a run id that only smoke wants it."""

    device: str = "cpu"
    workers: int = 1
    backend: str = "auto"
    smoke: Callable[[str], bool] = lambda run_id: False
    largest: dict[str, int] = field(default_factory=dict)  # shape -> how many fitted into memory, where more did not

    def task(self, first: Run, others: list[Run]) -> Task:
        """`first`, with those of `others` (in their order) that train with it."""
        if first.experiment is not None:
            return Task((first,), "experiment")
        if self.backend not in ("auto", "stacked"):
            return Task((first,), self.backend)
        if not self._stacks(first):
            return Task((first,), "loop", self._normalised(first) and self._worth_compiling([first]))
        shape = shape_key(first)
        alike = [run for run in others if run.id != first.id and run.experiment is None and shape_key(run) == shape]
        size = min(self._replicas(first), -(-(len(alike) + 1) // max(1, self.workers)))
        runs = [first, *alike[: size - 1]]
        if self._worth_compiling(runs):
            return Task(tuple(runs), "stacked", compile=True)
        return Task(tuple(runs), "stacked") if self.backend == "stacked" else Task((first,))

    def again(self, task: Task) -> Task:
        """A task that was begun in an earlier call: as it would be made now, with its runs as they were."""
        made = self.task(task.runs[0], list(task.runs))
        return Task(task.runs, made.backend if len(task.runs) == 1 else "stacked", made.compile)

    def too_large(self, task: Task) -> None:
        """Memory was not enough: from now on half as many at once."""
        self.largest[shape_key(task.runs[0])] = max(1, len(task.runs) // 2)

    def _stacks(self, run: Run) -> bool:
        if self.device != "cpu" and self.backend != "stacked":
            return False
        return all(layer == "dense" for layer in _layers(run))

    def _normalised(self, run: Run) -> bool:
        return self.device == "cpu" and "norm" in _layers(run)

    def _worth_compiling(self, runs: list[Run]) -> bool:
        if any(self.smoke(run.id) for run in runs):
            return False
        return sum(seconds_of(run, self.device) for run in runs) >= SECONDS_WORTH_COMPILING

    def _replicas(self, run: Run) -> int:
        fit = STACK_BYTES // (4 * TENSORS_A_WEIGHT * _parameters(run))
        return max(1, min(STACK_MOST, fit, self.largest.get(shape_key(run), STACK_MOST)))


def shape_key(run: Run) -> str:
    """Equal for runs that can train in one group."""
    return canonical_json(group_shape(run.recipe))


def _layers(run: Run) -> list[str]:
    """The kinds of the network's layers; a plug-in's network without a table is of a kind of its own."""
    source, entry = (
        catalog.find("dataset", run.recipe["dataset"]["name"]).value,
        catalog.find("model", run.recipe["model"]),
    )
    return [layer.kind for layer in entry.layers(source.shape, source.classes)] if entry.layers else ["unknown"]


def _parameters(run: Run) -> int:
    source, entry = (
        catalog.find("dataset", run.recipe["dataset"]["name"]).value,
        catalog.find("model", run.recipe["model"]),
    )
    return sum(layer.parameters for layer in entry.layers(source.shape, source.classes)) if entry.layers else 1
