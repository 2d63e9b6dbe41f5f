"""Which runs train together, by which backend, and whether their step is compiled: one rule, no trials.

On the CPU, dense networks are stacked, and the step of the stack compiled, where a full group trains for a minute or
more: that is worth a compiler's seconds. A full group is as many replicas as keep their weights and optimiser states in
STACK_BYTES, about a core's share of cache, because a stack that leaves the cache is no faster than its runs one after
another. A method with several networks or a state of its own, and an optimiser of two passes, go one run at a time: the
catalog says which can be stacked (`Entry.stacks`). Networks with batch normalisation run one at a time, in float32
compiled from ten minutes on (it takes their compiler half a minute, and saves a sixth; in bfloat16 it saves nothing,
and a compiled batch normalisation keeps its statistics in bfloat16); all others one at a time, as torch runs them.
Convolutions are never stacked: grouped convolutions are slower than the same ones in turn. Smoke never compiles
(docs/performance.md has the measurements behind each sentence).

On a GPU everything is looped until a GPU has shown that the backends made for it give the loop's numbers, and which is
faster. Then dense networks are to be stacked there as well, and all others whose method is a loss of logits and labels
recorded, SIDE_BY_SIDE runs of one shape at a time, compiled from a minute on. Until then `recorded` does so where it is
asked for by name; what it cannot train is looped.

How a run is computed depends on the run alone, never on which others are left to train with it. A replica does not see
its neighbours either (training/stacked.py), so a sweep that was killed and goes on in other groups, or shares its work
with another process, ends with the numbers of one that was left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lnbench.errors import LnbenchError
from lnbench.identity import canonical_json, content_id
from lnbench.plan import Run, layers_of, seconds_of
from lnbench.training.shape import alone, group_shape, in_files, method_entry, not_stacked

BACKENDS = ("auto", "loop", "stacked", "recorded")  # that a user may ask for
# no machine of ours has run them: never chosen there, and a record says so
UNTESTED_ON_A_GPU = ("stacked", "recorded")
TOGETHER = ("stacked", "recorded")  # those that train several runs at once
SECONDS_WORTH_COMPILING = {"dense": 60.0, "norm": 600.0, "recorded": 60.0}
STACK_BYTES = 4 << 20
STACK_MOST = 8
SIDE_BY_SIDE = 4  # recorded networks on one GPU, each on a stream of its own
TENSORS_A_WEIGHT = 3  # the weight itself, and what AdaDelta or Adam keep of it


@dataclass(frozen=True)
class Task:
    """Runs that one worker trains together: all of one shape, or one alone.

    `halved`: how often it was made half as large, as memory ran out or its process died twice. `begun`: the id of an
    earlier task that had these runs, and maybe others: this one goes on from its checkpoint, unless it has one.
    `registered`: under which entry of which lock they are trained, for their provenance.
    """

    runs: tuple[Run, ...]
    backend: str = "loop"
    compile: bool = False
    halved: int = 0
    begun: str = ""
    registered: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return the id of the checkpoint: a run's own, or the hash of all."""
        return self.runs[0].id if len(self.runs) == 1 else content_id({"group": [run.id for run in self.runs]})

    def describe(self) -> str:
        """Return a short line for progress and messages."""
        first = self.runs[0]
        return first.describe() if len(self.runs) == 1 else f"{len(self.runs)} × {first.recipe['model']} together"


@dataclass
class Grouping:
    """The rule above, for one device and a number of workers. `smoke` says of a run id that only smoke wants it.

    `ways`: run id -> (backend, whether its step is compiled), for runs that are computed as they were once before.
    """

    device: str = "cpu"
    workers: int = 1
    backend: str = "auto"
    smoke: Callable[[str], bool] = lambda run_id: False
    largest: dict[str, int] = field(default_factory=dict)  # shape -> how many fitted into memory, where more did not
    ways: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)  # run id -> shape: asked for every run at every task

    def task(self, first: Run, others: Sequence[Run]) -> Task:
        """Return the task of `first`, with those of `others` (in their order) that train with it."""
        backend, compiled = self.way(first)
        if backend not in TOGETHER:
            return Task((first,), backend, compiled)
        alike = [run for run in others if run.id != first.id and self._alike(run, first)]
        share = -(-(len(alike) + 1) // max(1, self.workers))  # no worker stands idle while another has several
        size = min(self._full(first, backend), self._fitting(first), share)
        return Task((first, *alike[: size - 1]), backend, compiled)

    def again(self, runs: Sequence[Run], begun: str) -> Task | None:
        """Return a task that resumes where `begun` stopped, with `runs` of it, or as many as fit into memory. None
        where they would not be stacked now."""
        backend, compiled = self.way(runs[0])
        if backend not in TOGETHER:
            return None
        return Task(tuple(runs[: self._fitting(runs[0])]), backend, compiled, begun=begun)

    def too_large(self, task: Task) -> None:
        """Memory was not enough: from now on half as many at once."""
        self.largest[self._shape(task.runs[0])] = max(1, len(task.runs) // 2)

    def way(self, run: Run) -> tuple[str, bool]:
        """Return (backend, whether its step is compiled)."""
        if run.experiment is not None:
            return "experiment", False
        if run.id in self.ways:
            return self.ways[run.id]
        if self.backend == "recorded":
            # whether its steps are all the same, and read nothing from files
            alike = method_entry(run.recipe)[0].stacks and not in_files(run.recipe)
            return ("recorded", self._worth_compiling(run, "recorded", 1)) if alike else ("loop", False)
        if in_files(run.recipe):
            return "loop", False
        if self.backend not in ("auto", "stacked"):
            return self.backend, False
        on_cpu, kinds = self.device == "cpu", {layer.kind for layer in layers_of(run)}
        if kinds == {"dense"} and (on_cpu or self.backend == "stacked") and not not_stacked(run.recipe):
            compiled = self._worth_compiling(run, "dense", self._full(run, "stacked"))
            return ("stacked" if compiled or self.backend == "stacked" else "loop"), compiled
        compiles = on_cpu and "norm" in kinds and run.recipe["precision"] == "fp32"
        return "loop", compiles and self._worth_compiling(run, "norm", 1)

    def most(self, run: Run) -> int:
        """Return how many runs a full group with this one has; 1 where it trains alone."""
        backend, _ = self.way(run)
        return min(self._full(run, backend), self._fitting(run)) if backend in TOGETHER else 1

    def _worth_compiling(self, run: Run, kind: str, replicas: int) -> bool:
        return not self.smoke(run.id) and seconds_of(run, self.device) * replicas >= SECONDS_WORTH_COMPILING[kind]

    def _alike(self, run: Run, first: Run) -> bool:
        return self.way(run) == self.way(first) and self._shape(run) == self._shape(first)

    def _shape(self, run: Run) -> str:
        if run.id not in self._shapes:
            self._shapes[run.id] = shape_key(run)
        return self._shapes[run.id]

    def _full(self, run: Run, backend: str) -> int:
        """Replicas of a full group. A GPU has no cache of a core's size to leave."""
        if backend == "recorded":
            return 1 if alone(run.recipe) else SIDE_BY_SIDE
        if self.device != "cpu":
            return STACK_MOST
        parameters = sum(layer.parameters for layer in layers_of(run))
        return max(1, min(STACK_MOST, STACK_BYTES // (4 * TENSORS_A_WEIGHT * parameters)))

    def _fitting(self, run: Run) -> int:
        return self.largest.get(self._shape(run), STACK_MOST)


def check_backend(backend: str, device: str) -> None:
    """Raises LnbenchError for a backend that does not exist, or not on this device."""
    if backend not in BACKENDS:
        raise LnbenchError(f"--backend {backend}: there is no such backend; use {', '.join(BACKENDS)}")
    if backend == "recorded" and not device.startswith("cuda"):
        raise LnbenchError(f"--backend recorded: is for a CUDA device, not for {device}; use --backend auto")


def shape_key(run: Run) -> str:
    """Equal for runs that can train in one group."""
    return canonical_json(group_shape(run.recipe))
